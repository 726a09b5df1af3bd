//! Scores of points: so many for what holds of a customer, and for what she did.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ast::{Rule, Test, finite, finite_or_none};
use super::behaviour::{Behaviour, unbound};
use super::compile::CompiledRule;
use super::computed::check_ids;
use super::decay::Decay;
use super::event::{Aggregate, EventTest, Window};
use super::field::EventSelection;
use super::limits::Limits;
use super::text::Counted;
use crate::data::{Customer, Moment, Remapped, Schema, Span, Table};
use crate::error::{Error, ErrorKind, Issue, Result};
use crate::exact::ExactSum;
use crate::parallel::map_blocks;
use crate::segmenter::Truth;

/// A score that adds up points: for conditions that hold, and for events, which may count less
/// the longer ago they are.
///
/// The score of a customer is `Σ pᵢ`, at most [`cap`](PointsModel::cap) in magnitude. A part
/// gives its points if its rule is True. A part of events gives
/// `points · Σ 2^(−age / half_life)` over its events, or `points` for each without a half-life;
/// at most its own cap in magnitude. After 64 half-lives nothing is left. With
/// [steps](PointsModel::in_steps) the age is that of the last whole step, so that points change
/// only with each. Sums are exact and rounded once, so that they depend on no
/// order. An Unknown rule gives nothing, and is told.
///
/// Rules of a set compare its scores with bounds, see [`ScoreTest`](super::ScoreTest).
///
/// ```
/// use segmenta::data::{
///     EventLog, FeatureSpec, OwnedCustomer, Schema, Span, StreamSpec, Timestamp,
/// };
/// use segmenta::rules::{PointsModel, events, field};
///
/// let visits = StreamSpec::new("visit", []);
/// let schema =
///     Schema::builder().feature(FeatureSpec::flag("member")).stream(visits.clone()).build()?;
/// let engagement = PointsModel::new()
///     .when("member", 10.0, field("member").eq(true))
///     .per_event("visits", 4.0, events("visit").last(Span::days(30)))
///     .half_life(Span::days(7))
///     .part_cap(20.0);
///
/// let day = |n: i64| Timestamp::from_millis(n * 86_400_000);
/// let log = EventLog::new(&visits, [(day(93), [0.0; 0]), (day(100), [])])?;
/// let ann = OwnedCustomer::new(&schema, 1).set("member", true)?.set_events("visit", log)?;
/// let score = engagement.compile(&schema)?.at(day(107)).score(&ann)?;
/// // 10, and 4 · ¼ + 4 · ½.
/// assert_eq!(score.points, 13.0);
/// assert_eq!(score.parts[1].points, 3.0);
/// assert_eq!(score.to_string(), "13\n- member: 10\n- visits: 3 (2 events)\n");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsModel {
    /// What gives points.
    pub parts: Vec<PointsPart>,
    /// The most points in all, whatever their sign.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "finite_or_none"
    )]
    pub cap: Option<f64>,
}

/// Something that gives points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsPart {
    /// What it is called.
    pub name: String,
    /// How many points; below zero they are taken away.
    #[serde(serialize_with = "finite")]
    pub points: f64,
    /// What they are given for.
    #[serde(rename = "for")]
    pub given_for: PointsFor,
    /// The most points of this part, whatever their sign.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "finite_or_none"
    )]
    pub cap: Option<f64>,
    /// After so long, points of an event are half of what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_life: Option<Span>,
    /// How often they become less; absent for all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
}

/// What points are given for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum PointsFor {
    /// Once, if a rule is True.
    Rule(Rule),
    /// For each of some events.
    Events {
        /// The stream's name.
        name: String,
        /// Which events count; absent for all.
        #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
        filter: Option<Box<Rule>>,
        /// When they happened; absent for ever.
        #[serde(default, skip_serializing_if = "Window::is_ever")]
        window: Window,
    },
}

impl PointsModel {
    /// Without parts.
    #[must_use]
    pub fn new() -> PointsModel {
        PointsModel::default()
    }

    /// Adds points for a rule that is True.
    #[must_use]
    pub fn when(self, name: impl Into<String>, points: f64, rule: Rule) -> PointsModel {
        self.part(name.into(), points, PointsFor::Rule(rule))
    }

    /// Adds points for each of some events.
    #[must_use]
    pub fn per_event(
        self,
        name: impl Into<String>,
        points: f64,
        events: EventSelection,
    ) -> PointsModel {
        let (stream, filter, window) = events.into_parts();
        let given_for = PointsFor::Events { name: stream, filter, window };
        self.part(name.into(), points, given_for)
    }

    fn part(mut self, name: String, points: f64, given_for: PointsFor) -> PointsModel {
        self.parts.push(PointsPart {
            name,
            points,
            given_for,
            cap: None,
            half_life: None,
            every: None,
        });
        self
    }

    /// Lets the events of the part that was added last count for half as much after each
    /// stretch of this length.
    #[must_use]
    pub fn half_life(mut self, span: Span) -> PointsModel {
        if let Some(part) = self.parts.last_mut() {
            part.half_life = Some(span);
        }
        self
    }

    /// Lets the points of the part that was added last become less in steps of this length
    /// only. A score that [rules test](super::ScoreTest) needs it: what changes all the time
    /// has no first instant at which it is below a bound.
    #[must_use]
    pub fn in_steps(mut self, every: Span) -> PointsModel {
        if let Some(part) = self.parts.last_mut() {
            part.every = Some(every);
        }
        self
    }

    /// States the most points of the part that was added last.
    #[must_use]
    pub fn part_cap(mut self, cap: f64) -> PointsModel {
        if let Some(part) = self.parts.last_mut() {
            part.cap = Some(cap);
        }
        self
    }

    /// States the most points in all.
    #[must_use]
    pub fn cap(mut self, cap: f64) -> PointsModel {
        self.cap = Some(cap);
        self
    }

    /// The model, checked against a schema and ready to be asked, within the default
    /// [`Limits`].
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] with all faults: those of the rules, as
    /// [`RuleSet::compile`](super::RuleSet::compile) tells them, and of the points. Paths
    /// start at the model.
    pub fn compile(&self, schema: &Schema) -> Result<CompiledPoints> {
        self.compile_with(schema, &Limits::new())
    }

    /// [`compile`](PointsModel::compile) within other limits.
    ///
    /// # Errors
    /// As [`compile`](PointsModel::compile), or when the limits are not valid.
    pub fn compile_with(
        &self,
        schema: &Schema,
        limits: &Limits,
    ) -> Result<CompiledPoints> {
        limits.validate()?;
        let mut issues = Vec::new();
        let most = limits.get_list_len();
        if !(1..=most).contains(&self.parts.len()) {
            let issue = Issue::new("bad-count", "/parts", "the number of parts is wrong")
                .expected(format!("from 1 to {most}"))
                .found(self.parts.len().to_string());
            return Err(faulty(vec![issue]));
        }
        check_cap(self.cap, "", &mut issues);
        let mut rules = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            let path = format!("/parts/{i}");
            part.check(&path, &mut issues);
            if let Some(issue) = part.check_size(limits, &path) {
                issues.push(issue);
                continue;
            }
            let (rule, path) = part.rule(&path);
            match rule.compile_with(schema, &limits.of_parts()) {
                Ok(rule) => rules.push(rule),
                Err(error) => match error.kind() {
                    ErrorKind::Definition { issues: found, .. } => {
                        issues
                            .extend(found.iter().map(|issue| part.placed(issue, &path)));
                    }
                    _ => return Err(error),
                },
            }
        }
        if issues.is_empty() {
            let model = self.clone();
            Ok(CompiledPoints { model, schema: schema.clone(), rules, moment: None })
        } else {
            Err(faulty(issues))
        }
    }
}

fn faulty(issues: Vec<Issue>) -> Error {
    ErrorKind::Definition { what: "the points".into(), issues }.into()
}

pub(super) fn check_cap(cap: Option<f64>, path: &str, issues: &mut Vec<Issue>) {
    if let Some(cap) = cap
        && !(cap.is_finite() && cap >= 0.0)
    {
        let issue =
            Issue::new("bad-cap", format!("{path}/cap"), "this is no upper limit");
        issues.push(issue.expected("a finite number, at least 0").found(cap.to_string()));
    }
}

impl fmt::Display for PointsPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PointsPart { name, points, given_for, cap, half_life, every } = self;
        write!(f, "{name}: {points:+}")?;
        match given_for {
            PointsFor::Rule(rule) => write!(f, " if {}", rule.head())?,
            PointsFor::Events { name, filter, window } => {
                let filter = filter.as_deref();
                let counted = Counted { name, filter, window, is_short: true };
                write!(f, " times {counted}")?;
            }
        }
        if let Some(cap) = cap {
            write!(f, ", at most {cap}")?;
        }
        if let Some(half_life) = half_life {
            write!(f, ", half after {half_life}")?;
        }
        match every {
            Some(every) => write!(f, " in steps of {every}"),
            None => Ok(()),
        }
    }
}

impl PointsPart {
    pub(super) fn check(&self, path: &str, issues: &mut Vec<Issue>) {
        if !self.points.is_finite() {
            let path = format!("{path}/points");
            let issue = Issue::new("not-finite", path, "the number is not finite");
            issues.push(issue.expected("a finite number").found(self.points.to_string()));
        }
        check_cap(self.cap, path, issues);
        let is_of_events = matches!(self.given_for, PointsFor::Events { .. });
        let every_at = path;
        let path = format!("{path}/half_life");
        match self.half_life {
            Some(_) if !is_of_events => {
                let message = "a rule has no age: only events count for less in time";
                issues.push(
                    Issue::new("no-effect", path, message).expected("nothing here"),
                );
            }
            Some(span) if span.as_millis() == 0 => {
                let issue = Issue::new("empty-window", path, "no time passes");
                issues.push(issue.expected("at least 1ms").found(span.to_string()));
            }
            _ => {}
        }
        let path = format!("{every_at}/every");
        match (self.every, self.half_life) {
            (Some(_), None) => {
                let message = "without a half-life points do not become less";
                issues.push(
                    Issue::new("no-effect", path, message).expected("nothing here"),
                );
            }
            (Some(span), Some(_)) if span.as_millis() == 0 => {
                let issue = Issue::new("empty-window", path, "no time passes");
                issues.push(issue.expected("at least 1ms").found(span.to_string()));
            }
            _ => {}
        }
    }

    /// At what it looks, see [`Rule::names_read`].
    pub(super) fn names_read(&self) -> Vec<String> {
        match &self.given_for {
            PointsFor::Rule(rule) => rule.all_names_read(),
            PointsFor::Events { .. } => self.rule("").0.names_read(),
        }
    }

    /// What is too large or too deep of it, which may not even be cloned.
    pub(super) fn check_size(&self, limits: &Limits, path: &str) -> Option<Issue> {
        match &self.given_for {
            PointsFor::Rule(rule) => limits.check_size(rule, &format!("{path}/for/rule")),
            PointsFor::Events { filter, .. } => {
                let path = format!("{path}/for/events/where");
                filter.as_deref().and_then(|filter| limits.check_size(filter, &path))
            }
        }
    }

    /// How its events count for less.
    pub(super) fn decay(&self) -> Option<Decay> {
        Some(Decay::new(self.half_life?, self.every))
    }

    /// A rule that looks at what this looks at, and where it stands.
    fn rule(&self, path: &str) -> (Rule, String) {
        match &self.given_for {
            PointsFor::Rule(rule) => (rule.clone(), format!("{path}/for/rule")),
            PointsFor::Events { name, filter, window } => {
                let test = counted(name, filter.as_deref(), window);
                (Rule::Event(test), format!("{path}/for/events"))
            }
        }
    }

    /// A fault of that rule.
    fn placed(&self, issue: &Issue, path: &str) -> Issue {
        let below = match self.given_for {
            PointsFor::Rule(_) => &issue.path[..],
            PointsFor::Events { .. } => {
                issue.path.strip_prefix("/event").unwrap_or(&issue.path)
            }
        };
        Issue { path: format!("{path}{below}"), ..issue.clone() }
    }
}

/// A [`PointsModel`] that was checked against a schema and is ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledPoints {
    model: PointsModel,
    schema: Schema,
    /// Of each part.
    rules: Vec<CompiledRule>,
    moment: Option<Moment>,
}

/// The points of a customer. `Display` prints them, a line for each part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Points {
    /// In all.
    pub points: f64,
    /// Of each part.
    pub parts: Vec<PartPoints>,
}

/// What a part gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartPoints {
    /// The part's name.
    pub name: String,
    /// Its points.
    pub points: f64,
    /// Whether its rule holds; of events, whether there are any.
    pub truth: Truth,
    /// Of events, how many there are.
    pub n_events: Option<usize>,
    /// Whether they would be more without the part's cap.
    pub is_capped: bool,
}

impl CompiledPoints {
    /// The same model at an instant. Points of events, and rules that depend on time, need one.
    #[must_use]
    pub fn at(&self, moment: impl Into<Moment>) -> CompiledPoints {
        let moment = moment.into();
        let rules = self.rules.iter().map(|rule| rule.at(moment.clone()));
        CompiledPoints { rules: rules.collect(), moment: Some(moment), ..self.clone() }
    }

    /// The definition.
    #[must_use]
    pub fn model(&self) -> &PointsModel {
        &self.model
    }

    /// The schema through which customers are seen.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The points of a customer, part by part.
    ///
    /// # Errors
    /// When no instant is bound and one is needed, or a value that is looked at cannot be
    /// used.
    pub fn score<C: Customer + ?Sized>(&self, customer: &C) -> Result<Points> {
        let parts = self.model.parts.iter().zip(&self.rules);
        let parts = parts.map(|(part, rule)| self.part(part, rule, customer));
        let parts = parts.collect::<Result<Vec<PartPoints>>>()?;
        let mut sum = ExactSum::new();
        parts.iter().for_each(|part| sum.add(part.points));
        let (points, _) = capped(sum.value(), self.model.cap);
        Ok(Points { points, parts })
    }

    /// The points of all rows of a table, whose schema holds at least the features and
    /// streams of the model's, in any order.
    ///
    /// # Errors
    /// As [`score`](CompiledPoints::score), with the row; or when the table lacks a feature
    /// or a stream.
    pub fn scores(&self, table: &Table<'_>) -> Result<Vec<f64>> {
        let map = if table.schema() == &self.schema {
            None
        } else {
            Some(self.schema.locate_in(table.schema())?)
        };
        check_ids(table, self.rules.iter().map(|rule| &*rule.rule))?;
        let blocks = map_blocks(table.len(), 1024, |rows| {
            rows.map(|at| {
                let row = table.row(at);
                let score = match &map {
                    None => self.score(&row),
                    Some(map) => self.score(&Remapped::new(&row, map)),
                };
                score.map(|score| score.points).map_err(|e| e.at_row(at))
            })
            .collect::<Result<Vec<f64>>>()
        });
        let mut scores = Vec::with_capacity(table.len());
        for block in blocks {
            scores.extend(block?);
        }
        Ok(scores)
    }

    fn part<C: Customer + ?Sized>(
        &self,
        part: &PointsPart,
        rule: &CompiledRule,
        customer: &C,
    ) -> Result<PartPoints> {
        let name = part.name.clone();
        if let PointsFor::Rule(_) = part.given_for {
            let truth = rule.truth(customer)?;
            let given = if truth.is_true() { part.points } else { 0.0 };
            let (points, is_capped) = capped(given, part.cap);
            return Ok(PartPoints { name, points, truth, n_events: None, is_capped });
        }
        let (moment, bound) =
            self.moment.as_ref().zip(rule.bound.as_deref()).ok_or_else(unbound)?;
        // The rule of such a part has one aggregate.
        let behaviour: &[Behaviour] = &rule.rule.behaviours;
        let Some(behaviour) = behaviour.first() else {
            return Err(Error::undefined("the points", "no events are asked about"));
        };
        let now = moment.now().as_millis();
        let decay = part.decay();
        let (mut sum, mut n_events) = (ExactSum::new(), 0);
        behaviour.for_each(&self.schema, customer, bound, |time| {
            sum.add(decay.map_or(1.0, |decay| decay.left(now.abs_diff(time))));
            n_events += 1;
        })?;
        let (points, is_capped) = capped(part.points * sum.value(), part.cap);
        let truth = Truth::from(n_events > 0);
        Ok(PartPoints { name, points, truth, n_events: Some(n_events), is_capped })
    }
}

/// Whether there are such events: a test of how many there are.
pub(super) fn counted(name: &str, filter: Option<&Rule>, window: &Window) -> EventTest {
    EventTest {
        name: name.to_owned(),
        filter: filter.cloned().map(Box::new),
        agg: Aggregate::Count,
        window: window.clone(),
        is: Test::Ge(1.into()),
        when_missing: None,
    }
}

/// At most `cap` in magnitude, and whether it was more. Sums beyond the largest number are
/// that.
pub(super) fn capped(points: f64, cap: Option<f64>) -> (f64, bool) {
    let most = cap.unwrap_or(f64::MAX);
    // Adding 0 leaves no -0.
    let is_capped = cap.is_some_and(|cap| points.abs() > cap);
    (points.clamp(-most, most) + 0.0, is_capped)
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.points)?;
        for part in &self.parts {
            let mut notes = Vec::new();
            match (part.n_events, part.truth) {
                (Some(1), _) => notes.push("1 event".to_owned()),
                (Some(n), _) => notes.push(format!("{n} events")),
                (None, Truth::Unknown) => notes.push("not known".to_owned()),
                (None, _) => {}
            }
            if part.is_capped {
                notes.push("at most".to_owned());
            }
            write!(f, "- {}: {}", part.name, part.points)?;
            if notes.is_empty() {
                writeln!(f)?;
            } else {
                writeln!(f, " ({})", notes.join(", "))?;
            }
        }
        Ok(())
    }
}
