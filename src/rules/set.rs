//! The definition of a whole set of segments.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ast::Rule;
use super::behaviour::unbound;
use super::book::RuleBook;
use super::check::{Checker, Node, Parts};
use super::compile::Compiled;
use super::context::Context;
use super::limits::Limits;
use super::model::RuleSegmenter;
use super::points::PointsModel;
use super::references;
use super::score::ScoreRule;
use super::timeline::Timeline;
use super::window::{Bound, Bounds};
use crate::data::{Customer, Moment, Schema, Timestamp};
use crate::error::{ErrorKind, Issue, Result};
use crate::segmenter::{Segment, SegmentId};

/// Segments and their rules as plain data: what a host keeps in its configuration.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::RuleSet;
/// use segmenta::Segmenter;
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let set = RuleSet::from_json(r#"{
///     "segments": [
///         {"id": "vip", "name": "VIP customers",
///          "rule": {"field": {"name": "orders", "is": {"ge": 10}}}}
///     ],
///     "rest": {"id": "other", "name": "Everyone else"}
/// }"#)?;
/// assert_eq!(set.compile(&schema)?.segments().len(), 2);
///
/// let set = RuleSet::from_json(&set.to_json()?.replace("orders", "order"))?;
/// assert_eq!(
///     set.compile(&schema).unwrap_err().to_string(),
///     "the rules cannot be used: /segments/0/rule/field/name: no feature is named `order`; \
///      did you mean `orders`?",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// The scores that rules of the segments may [test](super::ScoreTest).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreRule>,
    /// The segments in order of priority.
    pub segments: Vec<SegmentRule>,
    /// The segment of those whom no rule takes; without it they are in none.
    #[serde(default)]
    pub rest: Option<RestSegment>,
}

/// A segment and the rule for its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentRule {
    /// The durable key.
    pub id: SegmentId,
    /// The name for people.
    pub name: String,
    /// Who is a member.
    pub rule: Rule,
}

/// The segment of those whom no rule takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestSegment {
    /// The durable key.
    pub id: SegmentId,
    /// The name for people.
    pub name: String,
}

impl RuleSet {
    /// No segments yet.
    #[must_use]
    pub fn new() -> RuleSet {
        RuleSet::default()
    }

    /// Adds a segment with a lower priority than those before it.
    #[must_use]
    pub fn segment(
        mut self,
        id: impl Into<Arc<str>>,
        name: impl Into<String>,
        rule: Rule,
    ) -> RuleSet {
        let id = SegmentId::new(id);
        self.segments.push(SegmentRule { id, name: name.into(), rule });
        self
    }

    /// Adds a score that rules may [test](super::ScoreTest).
    #[must_use]
    pub fn score(mut self, id: impl Into<String>, points: PointsModel) -> RuleSet {
        self.scores.push(ScoreRule { id: id.into(), points });
        self
    }

    /// States the segment of those whom no rule takes.
    #[must_use]
    pub fn rest(mut self, id: impl Into<Arc<str>>, name: impl Into<String>) -> RuleSet {
        self.rest = Some(RestSegment { id: SegmentId::new(id), name: name.into() });
        self
    }

    /// Reads the set from JSON. What the rules say is checked when they are compiled.
    ///
    /// # Errors
    /// When the text is not JSON or not of this shape: one issue, `bad-json`, whose
    /// message has line and column.
    pub fn from_json(json: &str) -> Result<RuleSet> {
        serde_json::from_str(json).map_err(|e| bad_json(&e))
    }

    /// Writes the set as JSON.
    ///
    /// # Errors
    /// When a number in a rule is not finite.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| bad_json(&e))
    }

    /// A segmenter that gives each customer the first segment whose rule holds, within
    /// the default [`Limits`].
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] with all faults (the first 100, and how many more there
    /// are). The paths are JSON pointers into this set, and the codes are:
    ///
    /// | code | fault |
    /// |---|---|
    /// | `unknown-feature` | the schema has no such feature |
    /// | `wrong-operator` | the feature's kind has no such test |
    /// | `wrong-literal` | a value of another kind than the feature |
    /// | `unknown-level` | a name that is not among the feature's levels |
    /// | `bad-date` | a text that is not a date |
    /// | `not-finite` | a number that is NaN or infinite |
    /// | `empty-range` | `between` whose lower end lies above the upper |
    /// | `empty-text` | a test for an empty text, a draw without a salt |
    /// | `empty-list` | a list of rules, values or segments without entries |
    /// | `list-too-long` | a list beyond [`Limits::list_len`] |
    /// | `bad-pattern` | a regular expression that cannot be read |
    /// | `pattern-too-long` | one longer than [`Limits::pattern_len`] |
    /// | `pattern-too-large` | one that is larger than [`Limits::pattern_size`] when compiled |
    /// | `bad-count` | `at_least` none, or more than there are; a sequence of one step, or of more than 32 |
    /// | `no-effect` | `when_missing` on a test that is never Unknown |
    /// | `too-deep` | a rule beyond [`Limits::depth`] |
    /// | `too-large` | a rule beyond [`Limits::nodes`] |
    /// | `unknown-stream` | the schema has no such stream of events |
    /// | `unknown-property` | the events have no such property |
    /// | `wrong-property` | the property's kind has no such aggregate |
    /// | `no-events-here` | a test of events inside a filter of events |
    /// | `no-computed-here` | a sequence, distance, draw or consent inside a filter of events |
    /// | `not-pinned` | a share of a table's customers, without [`RuleSet::pin`] |
    /// | `bad-share` | a share of none, or of more than all |
    /// | `bad-start` | a sequence whose first step is denied |
    /// | `not-on-earth` | a place whose angles are too large |
    /// | `wrong-kind` | a feature that is no angle, day or consent |
    /// | `empty-window` | a window in which no time passes |
    /// | `window-too-long` | a window beyond [`Limits::window`], or an anniversary within more than 366 days |
    /// | `no-today-here` | a date compared with today inside a filter of events |
    /// | `not-whole-days` | a date asked for a length of time that is no number of days |
    /// | `bad-instant` | a text that is neither a date nor an instant |
    /// | `no-segments-here` | a reference in a rule alone, or inside a filter of events |
    /// | `unknown-segment` | a reference to a segment that has no rule in the set |
    /// | `no-scores-here` | a score in a rule alone, inside a filter of events, or in a score |
    /// | `unknown-score` | a score that the set does not state |
    /// | `bad-cap` | a limit of points that is none |
    /// | `segments-in-a-circle` | rules that refer to themselves, be it through others |
    /// | `references-too-deep` | references through more segments than 64 |
    /// | `empty-id` | a segment or score without an id |
    /// | `duplicate-id` | two segments, or two scores, with one id |
    /// | `too-many-issues` | further faults, which are counted only |
    pub fn compile(&self, schema: &Schema) -> Result<RuleSegmenter> {
        self.compile_with(schema, &Limits::new())
    }

    /// [`compile`](RuleSet::compile) within other limits.
    ///
    /// # Errors
    /// As [`compile`](RuleSet::compile), or when the limits are not valid.
    pub fn compile_with(
        &self,
        schema: &Schema,
        limits: &Limits,
    ) -> Result<RuleSegmenter> {
        CompiledSet::new(self, schema, limits).map(RuleSegmenter::new)
    }

    /// A book that gives each customer all segments whose rules hold, within the default
    /// [`Limits`].
    ///
    /// # Errors
    /// As [`compile`](RuleSet::compile).
    pub fn compile_book(&self, schema: &Schema) -> Result<RuleBook> {
        self.compile_book_with(schema, &Limits::new())
    }

    /// [`compile_book`](RuleSet::compile_book) within other limits.
    ///
    /// # Errors
    /// As [`compile_book`](RuleSet::compile_book), or when the limits are not valid.
    pub fn compile_book_with(
        &self,
        schema: &Schema,
        limits: &Limits,
    ) -> Result<RuleBook> {
        CompiledSet::new(self, schema, limits).map(RuleBook::new)
    }
}

fn bad_json(error: &serde_json::Error) -> crate::Error {
    let issue = Issue::new("bad-json", "", error.to_string());
    ErrorKind::Definition { what: "the rules".into(), issues: vec![issue] }.into()
}

/// What a [`RuleSegmenter`] and a [`RuleBook`] have in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CompiledSet {
    pub(super) schema: Schema,
    /// One for each rule, then the rest if there is one.
    pub(super) segments: Arc<Vec<Segment>>,
    /// The definitions of the scores that rules test.
    pub(super) scores: Arc<[ScoreRule]>,
    pub(super) rules: Arc<[Compiled]>,
    /// The rules, each after those to which it refers.
    pub(super) order: Arc<[u32]>,
    /// Those of all rules.
    pub(super) windows: Arc<[Bounds]>,
    pub(super) limits: Limits,
    pub(super) bound: Option<Arc<Bound>>,
}

impl CompiledSet {
    pub(super) fn new(
        set: &RuleSet,
        schema: &Schema,
        limits: &Limits,
    ) -> Result<CompiledSet> {
        limits.validate()?;
        let mut checker = Checker::new(schema, limits);
        check_ids(&mut checker, set);
        checker.refer_to(set.segments.iter().map(|segment| segment.id.clone()));
        checker.score_by(&set.scores);
        let fits = checker.at("segments", |c| c.list_len(set.segments.len()));
        let mut checked: Vec<(&Rule, Parts, Option<Node>)> = Vec::new();
        if fits {
            for (i, SegmentRule { rule, .. }) in set.segments.iter().enumerate() {
                let mut parts = Parts::default();
                let path = format!("segments/{i}/rule");
                let node = checker.at(path, |c| c.rule(rule, &mut parts));
                checked.push((rule, parts, node));
            }
        }
        let links: Vec<&[u32]> =
            checked.iter().map(|(_, parts, _)| &parts.segments[..]).collect();
        let order = references::order(&mut checker, set, &links);
        let windows = checker.finish("the rules")?;
        let rules = checked.into_iter().map(|(rule, parts, node)| {
            // Without a fault there is a node.
            let node = node.unwrap_or(Node::Always(false));
            Compiled::new(schema, rule, parts, &node)
        });
        let segment =
            |id: &SegmentId, name: &String| Segment::new(id.as_str(), name.clone());
        let named = set.segments.iter().map(|s| segment(&s.id, &s.name));
        let rest = set.rest.iter().map(|s| segment(&s.id, &s.name));
        Ok(CompiledSet {
            schema: schema.clone(),
            segments: Arc::new(named.chain(rest).collect()),
            scores: set.scores.clone().into(),
            rules: rules.collect(),
            order: order.into(),
            windows: windows.into(),
            limits: *limits,
            bound: None,
        })
    }

    /// The definition, with the current ids and names.
    pub(super) fn definition(&self) -> RuleSet {
        let named = self.segments.iter().zip(self.rules.iter());
        RuleSet {
            scores: self.scores.to_vec(),
            segments: named
                .map(|(segment, rule)| SegmentRule {
                    id: segment.id.clone(),
                    name: segment.name.clone(),
                    rule: self.renamed(rule),
                })
                .collect(),
            rest: self.segments.get(self.rules.len()).map(|segment| RestSegment {
                id: segment.id.clone(),
                name: segment.name.clone(),
            }),
        }
    }

    /// The same rules at an instant.
    pub(super) fn at(&self, moment: Moment) -> CompiledSet {
        let bound = Bound::new(&self.windows, moment);
        CompiledSet { bound: Some(Arc::new(bound)), ..self.clone() }
    }

    /// The same rules at an instant, as if nothing had happened from another one on.
    pub(super) fn at_seeing_before(
        &self,
        moment: Moment,
        seen: Timestamp,
    ) -> CompiledSet {
        let bound = Bound::new(&self.windows, moment).seeing_before(seen);
        CompiledSet { bound: Some(Arc::new(bound)), ..self.clone() }
    }

    /// The rules as time passes; nothing if time changes nothing.
    pub(super) fn timeline<'a>(
        &'a self,
        customer: &'a dyn Customer,
    ) -> Result<Option<Timeline<'a>>> {
        if !self.depends_on_time() {
            return Ok(None);
        }
        let bound = self.bound.as_deref().ok_or_else(unbound)?;
        Timeline::new(&self.rules, &self.order, &self.windows, bound, customer).map(Some)
    }

    /// What a customer is asked in.
    pub(super) fn context(&self) -> Context<'_> {
        let bound = self.bound.as_deref();
        if self.rules.iter().all(|rule| rule.segments.is_empty()) {
            Context::new(bound)
        } else {
            Context::among(bound, &self.rules)
        }
    }

    pub(super) fn depends_on_time(&self) -> bool {
        !self.windows.is_empty() || self.rules.iter().any(Compiled::asks_today)
    }

    pub(super) fn has_rest(&self) -> bool {
        self.segments.len() > self.rules.len()
    }
}

fn check_ids(checker: &mut Checker, set: &RuleSet) {
    let n = set.segments.len();
    let path = |i: usize| {
        if i < n { format!("segments/{i}/id") } else { "rest/id".to_owned() }
    };
    let ids = set.segments.iter().map(|s| &s.id).chain(set.rest.iter().map(|s| &s.id));
    let mut sorted: Vec<(&SegmentId, usize)> =
        ids.enumerate().map(|(i, id)| (id, i)).collect();
    for &(id, i) in &sorted {
        if id.as_str().is_empty() {
            checker.at(path(i), |c| {
                c.issue("empty-id", "the segment has no id", |issue| {
                    issue.expected("a text that is not empty")
                });
            });
        }
    }
    sorted.sort();
    for pair in sorted.windows(2) {
        let ((first, _), (id, i)) = (pair[0], pair[1]);
        if first == id && !id.as_str().is_empty() {
            checker.at(path(i), |c| {
                let message = format!("the segment id `{id}` is used twice");
                c.issue("duplicate-id", message, |issue| {
                    issue.expected("an id of its own").found(format!("`{id}`"))
                });
            });
        }
    }
}
