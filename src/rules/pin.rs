//! Shares of a whole table become thresholds.

use serde::{Deserialize, Serialize};

use super::ast::{Literal, Rule, Test};
use super::compile::Compiled;
use super::context::Context;
use super::limits::Limits;
use super::set::{RuleSet, SegmentRule};
use crate::data::{Date, Moment, Table, Value};
use crate::error::{Error, ErrorKind, Result};
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
    Percent(f64),
}

impl Share {
    pub(super) fn is_valid(self) -> bool {
        match self {
            Share::Count(n) => n > 0,
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
                (many as usize).min(n)
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
    /// than it says. Where no customer has a value, nobody is in the share. Tests of shares in
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
        let moment = moment.into();
        for (i, SegmentRule { rule, .. }) in self.segments.iter().enumerate() {
            // What passes is walked recursively.
            let path = format!("/segments/{i}/rule");
            if let Some(issue) = Limits::new().check_size(rule, &path) {
                let (what, issues) = ("the rules".into(), vec![issue]);
                return Err(ErrorKind::Definition { what, issues }.into());
            }
        }
        let mut set = self.clone();
        for SegmentRule { rule, .. } in &mut set.segments {
            pin(rule, table, &moment)?;
        }
        Ok(set)
    }
}

/// As deep as the rule.
fn pin(rule: &mut Rule, table: &Table<'_>, moment: &Moment) -> Result<()> {
    match rule {
        Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
            return rules.iter_mut().try_for_each(|rule| pin(rule, table, moment));
        }
        Rule::Not(rule) => return pin(rule, table, moment),
        _ => {}
    }
    let Some((share, is_top)) = tested(rule).and_then(share) else { return Ok(()) };
    if !share.is_valid() {
        // Compiling tells it with its place.
        return Ok(());
    }
    match threshold(rule, share, is_top, table, moment)? {
        Some(literal) => {
            if let Some(test) = tested_mut(rule) {
                *test = if is_top { Test::Ge(literal) } else { Test::Le(literal) };
            }
        }
        None => *rule = Rule::Nobody,
    }
    Ok(())
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
        _ => None,
    }
}

fn tested_mut(rule: &mut Rule) -> Option<&mut Test> {
    match rule {
        Rule::Field(test) => Some(&mut test.is),
        Rule::Event(test) => Some(&mut test.is),
        Rule::Distance(test) => Some(&mut test.is),
        _ => None,
    }
}

/// The value of the last customer of a share.
fn threshold(
    rule: &Rule,
    share: Share,
    is_top: bool,
    table: &Table<'_>,
    moment: &Moment,
) -> Result<Option<Literal>> {
    let mut asked = rule.clone();
    if let Some(test) = tested_mut(&mut asked) {
        *test = Test::Ge(0.into());
    }
    // Dates are compared with dates.
    let compiled = asked.compile(table.schema()).or_else(|_| {
        if let Some(test) = tested_mut(&mut asked) {
            *test = Test::Ge(Date::MIN.into());
        }
        asked.compile(table.schema())
    })?;
    let compiled = compiled.at(moment.clone());
    let rule: &Compiled = &compiled.rule;
    let bound = compiled.bound.as_deref();
    let Some(leaf) = rule.leaves.first() else {
        return Err(Error::undefined("the share", "its rule tests nothing"));
    };
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
    let n = share.of(all.len());
    let Some(last) = n.checked_sub(1) else { return Ok(None) };
    let at = if is_top { all.len() - 1 - last } else { last };
    let (_, found, _) =
        all.select_nth_unstable_by(at, |a, b| a.key().total_cmp(&b.key()));
    Ok(Some(found.literal()))
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
