//! Shares of a whole table become thresholds.

use serde::{Deserialize, Serialize};

use super::ast::{Literal, Rule, Test, finite};
use super::compile::Compiled;
use super::context::Context;
use super::leaf::Check;
use super::limits::Limits;
use super::points::PointsFor;
use super::score::ScoreRule;
use super::set::{RuleSet, SegmentRule};
use crate::data::{Date, Moment, Table, Value};
use crate::error::{Error, ErrorKind, Issue, Result};
use crate::parallel::map_blocks;

/// How many of the customers who have a value.
///
/// ```
/// use segmenta::rules::{Rule, Share, field};
///
/// let rule = field("spend").in_top(Share::Percent(10.0));
/// assert_eq!(rule.to_string(), "spend in top 10 percent");
/// assert_eq!("spend in top 10 percent".parse::<Rule>()?, rule);
/// let rule = field("joined").in_bottom(Share::Count(100));
/// assert_eq!(rule.to_string(), "joined in bottom 100");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// So many: at least 1.
    Count(u64),
    /// So many of a hundred: above 0, at most 100. The smallest number of customers that is
    /// no less.
    Percent(#[serde(serialize_with = "finite")] f64),
}

impl Share {
    pub(super) fn is_valid(self) -> bool {
        match self {
            // Numbers beyond are not all written apart.
            Share::Count(n) => n > 0 && n <= 1 << 53,
            Share::Percent(percent) => percent > 0.0 && percent <= 100.0,
        }
    }

    /// How many of `n`.
    fn of(self, n: usize) -> usize {
        match self {
            Share::Count(count) => usize::try_from(count).unwrap_or(usize::MAX).min(n),
            Share::Percent(percent) => {
                let exact = n as f64 * percent / 100.0;
                // Rounding gives 10 percent of 30 a little more than 3.
                let below = exact.floor();
                let many =
                    if exact - below <= 1e-9 * exact { below } else { below + 1.0 };
                // However few percent, they are more than nobody.
                (many as usize).max(1).min(n)
            }
        }
    }
}

impl RuleSet {
    /// The same segments with thresholds in the place of all tests of
    /// [shares](Test::InTop): what the customers of a table had at an instant. Whoever is
    /// asked later is compared with these customers.
    ///
    /// Those who have no value are not counted. Who has the same value as the last one of a
    /// share is in it, too, so that equals are treated alike, and a share may have more members
    /// than it says. Where no customer has a value, nobody is in the share; of those without one, the test says what it
    /// said. Tests of shares in
    /// different rules are looked at by themselves, over the whole table.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Moment, Schema, Table, Timestamp};
    /// use segmenta::rules::RuleSet;
    ///
    /// let schema = Schema::new([FeatureSpec::number("spend")])?;
    /// let set = RuleSet::new().segment("top", "Top", "spend in top 40 percent".parse()?);
    /// assert!(set.compile_book(&schema).is_err());
    ///
    /// let table =
    ///     Table::builder(&schema, 5).numbers("spend", vec![7.0, 1.0, 9.0, 7.0, 3.0]).build()?;
    /// let pinned = set.pin(&table, Timestamp::from_millis(0))?;
    /// assert_eq!(pinned.segments[0].rule.to_string(), "spend >= 7");
    /// assert_eq!(pinned.compile_book(&schema)?.count(&table)?[0].members, 3);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a test of a share cannot be compiled, a rule is larger or deeper than the default
    /// [`Limits`] allow, or a value cannot be used; the error names the feature and the row.
    pub fn pin(&self, table: &Table<'_>, moment: impl Into<Moment>) -> Result<RuleSet> {
        self.pin_with(table, moment, &Limits::new())
    }

    /// [`pin`](RuleSet::pin) within other limits.
    ///
    /// # Errors
    /// As [`pin`](RuleSet::pin), or when the limits are not valid.
    pub fn pin_with(
        &self,
        table: &Table<'_>,
        moment: impl Into<Moment>,
        limits: &Limits,
    ) -> Result<RuleSet> {
        limits.validate()?;
        let moment = moment.into();
        for (i, segment) in self.segments.iter().enumerate() {
            // What passes is walked recursively.
            let leave = segment.leave().map(|rule| (rule, "stay/leave"));
            for (rule, place) in [(&segment.rule, "rule")].into_iter().chain(leave) {
                let path = format!("/segments/{i}/{place}");
                if let Some(issue) = limits.check_size(rule, &path) {
                    let (what, issues) = ("the rules".into(), vec![issue]);
                    return Err(ErrorKind::Definition { what, issues }.into());
                }
            }
        }
        for (i, score) in self.scores.iter().enumerate() {
            for (j, part) in score.points.parts.iter().enumerate() {
                let path = format!("/scores/{i}/points/parts/{j}");
                if let Some(issue) = part.check_size(limits, &path) {
                    let (what, issues) = ("the rules".into(), vec![issue]);
                    return Err(ErrorKind::Definition { what, issues }.into());
                }
            }
        }
        let mut set = self.clone();
        let pinning = Pinning { table, moment: &moment, limits, scores: &[] };
        for (i, score) in set.scores.iter_mut().enumerate() {
            for (j, part) in score.points.parts.iter_mut().enumerate() {
                if let PointsFor::Rule(rule) = &mut part.given_for {
                    let path = format!("/scores/{i}/points/parts/{j}/for/rule");
                    pinning.pin(rule, &path)?;
                }
            }
        }
        let pinning = Pinning { scores: &set.scores, ..pinning };
        for (i, SegmentRule { rule, stay, .. }) in set.segments.iter_mut().enumerate() {
            pinning.pin(rule, &format!("/segments/{i}/rule"))?;
            if let Some(leave) = stay.as_mut().and_then(|stay| stay.leave.as_mut()) {
                pinning.pin(leave, &format!("/segments/{i}/stay/leave"))?;
            }
        }
        Ok(set)
    }
}

/// The customers by whom shares are measured.
struct Pinning<'a> {
    table: &'a Table<'a>,
    moment: &'a Moment,
    limits: &'a Limits,
    /// Those of the set, their own shares pinned.
    scores: &'a [ScoreRule],
}

impl Pinning<'_> {
    /// As deep as the rule, which stands at this path.
    fn pin(&self, rule: &mut Rule, path: &str) -> Result<()> {
        let each = |key: &str, rules: &mut [Rule]| {
            rules
                .iter_mut()
                .enumerate()
                .try_for_each(|(i, rule)| self.pin(rule, &format!("{path}/{key}/{i}")))
        };
        match rule {
            Rule::All(rules) => return each("all", rules),
            Rule::Any(rules) => return each("any", rules),
            Rule::AtLeast { of, .. } => return each("at_least/of", of),
            Rule::Not(rule) => return self.pin(rule, &format!("{path}/not")),
            _ => {}
        }
        let Some((share, is_top)) = tested(rule).and_then(share) else { return Ok(()) };
        if !share.is_valid() {
            // Compiling tells it with its place.
            return Ok(());
        }
        if let Rule::Score(test) = &*rule
            && self.scores.iter().all(|score| score.id != test.id)
        {
            // Likewise.
            return Ok(());
        }
        let (is_date, found) = self.threshold(rule, path, share, is_top)?;
        match found {
            Some(literal) => {
                if let Some(test) = tested_mut(rule) {
                    *test = if is_top { Test::Ge(literal) } else { Test::Le(literal) };
                }
            }
            None => *rule = nobody(rule.clone(), is_date),
        }
        Ok(())
    }

    /// Whether values are dates, and the value of the last customer of a share.
    fn threshold(
        &self,
        rule: &Rule,
        path: &str,
        share: Share,
        is_top: bool,
    ) -> Result<(bool, Option<Literal>)> {
        let Pinning { table, moment, .. } = *self;
        if let Rule::Score(test) = rule {
            let all = self.scores(&test.id)?;
            let ranked = all.into_iter().map(Ranked::Number).collect();
            return Ok((false, at_end(ranked, share, is_top)));
        }
        // What has a value is looked at, whatever it is.
        let mut asked = rule.clone();
        if let Some(test) = tested_mut(&mut asked) {
            *test = Test::Set;
        }
        if let Some(when_missing) = when_missing(&mut asked) {
            *when_missing = None;
        }
        let compiled = asked
            .compile_with(table.schema(), self.limits)
            .map_err(|e| placed(e, path))?;
        let compiled = compiled.at(moment.clone());
        let rule: &Compiled = &compiled.rule;
        let bound = compiled.bound.as_deref();
        let Some(leaf) = rule.leaves.first() else {
            return Err(Error::undefined("the share", "its rule tests nothing"));
        };
        if !matches!(leaf.check, Check::Number(_) | Check::Date(_)) {
            let operator = if is_top { "in_top" } else { "in_bottom" };
            let issue = Issue::new("wrong-operator", path, "the value has no rank");
            let issue = issue.expected("a number or a date").found(operator);
            let (what, issues) = ("the rules".into(), vec![issue]);
            return Err(ErrorKind::Definition { what, issues }.into());
        }
        let values = map_blocks(table.len(), 1024, |rows| -> Result<Vec<Ranked>> {
            let mut values = Vec::with_capacity(rows.len());
            for at in rows {
                let row = table.row(at);
                let context = Context::new(bound);
                let value = rule.value(leaf, &row, &context).map_err(|e| e.at_row(at))?;
                values.extend(Ranked::of(value));
            }
            Ok(values)
        });
        let mut all = Vec::new();
        for values in values {
            all.extend(values?);
        }
        let is_date = matches!(leaf.check, Check::Date(_));
        Ok((is_date, at_end(all, share, is_top)))
    }

    /// A score of all customers.
    fn scores(&self, id: &str) -> Result<Vec<f64>> {
        let found = self.scores.iter().position(|score| score.id == id);
        let Some(at) = found else { return Ok(Vec::new()) };
        let points = &self.scores[at].points;
        let compiled = points
            .compile_with(self.table.schema(), self.limits)
            .map_err(|e| placed(e, &format!("/scores/{at}/points")))?;
        compiled.at(self.moment.clone()).scores(self.table)
    }
}

/// The value of the last customer of a share; nothing where it has none.
fn at_end(mut all: Vec<Ranked>, share: Share, is_top: bool) -> Option<Literal> {
    let last = share.of(all.len()).checked_sub(1)?;
    let at = if is_top { all.len() - 1 - last } else { last };
    let (_, found, _) =
        all.select_nth_unstable_by(at, |a, b| a.key().total_cmp(&b.key()));
    Some(found.literal())
}

/// What a share of no customers says: False of whoever has a value, and of others what the test
/// says where none is there.
fn nobody(mut rule: Rule, is_date: bool) -> Rule {
    if matches!(rule, Rule::Score(_)) {
        // It is never missing.
        return Rule::Nobody;
    }
    let when_missing = when_missing(&mut rule).and_then(Option::take);
    let is = |mut rule: Rule, test: Test| {
        if let Some(place) = tested_mut(&mut rule) {
            *place = test;
        }
        rule
    };
    match when_missing {
        Some(true) => is(rule, Test::Missing),
        Some(false) => Rule::Nobody,
        // A comparison that is Unknown without a value, beside one that is False with one.
        None => {
            let any = if is_date { Literal::from(Date::MIN) } else { 0.into() };
            let missing = is(rule.clone(), Test::Missing);
            Rule::All(vec![missing, is(rule, Test::Lt(any))])
        }
    }
}

fn when_missing(rule: &mut Rule) -> Option<&mut Option<bool>> {
    match rule {
        Rule::Field(test) => Some(&mut test.when_missing),
        Rule::Event(test) => Some(&mut test.when_missing),
        Rule::Distance(test) => Some(&mut test.when_missing),
        _ => None,
    }
}

/// The share that a test asks for, and whether it is the greatest or the least.
fn share(test: &Test) -> Option<(Share, bool)> {
    match test {
        Test::InTop(share) => Some((*share, true)),
        Test::InBottom(share) => Some((*share, false)),
        _ => None,
    }
}

fn tested(rule: &Rule) -> Option<&Test> {
    match rule {
        Rule::Field(test) => Some(&test.is),
        Rule::Event(test) => Some(&test.is),
        Rule::Distance(test) => Some(&test.is),
        Rule::Score(test) => Some(&test.is),
        _ => None,
    }
}

fn tested_mut(rule: &mut Rule) -> Option<&mut Test> {
    match rule {
        Rule::Field(test) => Some(&mut test.is),
        Rule::Event(test) => Some(&mut test.is),
        Rule::Distance(test) => Some(&mut test.is),
        Rule::Score(test) => Some(&mut test.is),
        _ => None,
    }
}

/// A value that has a rank.
#[derive(Clone, Copy)]
enum Ranked {
    Number(f64),
    Day(Date),
}

impl Ranked {
    fn of(value: Value<'_>) -> Option<Ranked> {
        match value {
            // Adding 0 makes -0 and 0 one.
            Value::Number(x) => Some(Ranked::Number(x + 0.0)),
            Value::Date(day) => Some(Ranked::Day(day)),
            _ => None,
        }
    }

    fn key(self) -> f64 {
        match self {
            Ranked::Number(x) => x,
            Ranked::Day(day) => day.days_since_epoch().into(),
        }
    }

    fn literal(self) -> Literal {
        match self {
            Ranked::Number(x) => x.into(),
            Ranked::Day(day) => day.into(),
        }
    }
}

/// Faults of a rule that stands at a path.
fn placed(error: Error, path: &str) -> Error {
    match error.into_kind() {
        ErrorKind::Definition { issues, .. } => {
            let placed =
                |issue: Issue| Issue { path: format!("{path}{}", issue.path), ..issue };
            let issues = issues.into_iter().map(placed).collect();
            ErrorKind::Definition { what: "the rules".into(), issues }.into()
        }
        kind => kind.into(),
    }
}
