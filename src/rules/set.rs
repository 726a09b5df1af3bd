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
use crate::data::{Customer, Moment, Schema, Span, Timestamp};
use crate::error::Result;
use crate::segmenter::{Segment, SegmentId};

/// Segments and their rules as plain data: what a host keeps in its configuration.
///
/// In JSON the first key is `format`, which is 1; where it is missing, it is 1, too.
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// The scores that rules of the segments may [test](super::ScoreTest).
    pub scores: Vec<ScoreRule>,
    /// The segments in order of priority.
    pub segments: Vec<SegmentRule>,
    /// The segment of those whom no rule takes; without it they are in none.
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
    /// Which edition of the definition it is, from 1 on; absent where none are counted.
    /// Rules can [pin](super::SegmentRef::version) it, and [`RuleSet::revisions`] tells whether it
    /// was raised when it should have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Who is a member.
    pub rule: Rule,
    /// How members leave it; absent where they leave it when the rule is not True. Only
    /// [`RuleSet::compile_sticky`] takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stay: Option<SegmentStay>,
}

/// How a segment is left: as a [`Hysteresis`](super::Hysteresis), in the definition of the
/// segment. With neither of both it is left when its rule is False.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::RuleSet;
///
/// let schema = Schema::new([FeatureSpec::number("spent")])?;
/// let set = RuleSet::from_json(r#"{"format": 1, "segments": [
///     {"id": "vip", "name": "VIP", "version": 2,
///      "rule": {"field": {"name": "spent", "is": {"ge": 1000}}},
///      "stay": {"leave": {"field": {"name": "spent", "is": {"lt": 800}}},
///               "minimum_stay": "30d"}}
/// ]}"#)?;
/// let sticky = set.compile_sticky(&schema)?;
/// assert_eq!(sticky.definition(), set);
/// assert_eq!(
///     set.compile_book(&schema).unwrap_err().to_string(),
///     "the rules cannot be used: /segments/0/stay: the segment is not left at once \
///      (expected nothing here, or `compile_sticky`)",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentStay {
    /// By which rule it is left; absent where it is left when its own is False. It may refer
    /// to segments of the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<Rule>,
    /// How long members stay at least; absent for no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_stay: Option<Span>,
}

impl SegmentRule {
    /// The rule by which it is left, if it has one.
    pub(super) fn leave(&self) -> Option<&Rule> {
        self.stay.as_ref()?.leave.as_ref()
    }
}

impl SegmentStay {
    /// Left when the segment's rule is False.
    #[must_use]
    pub fn new() -> SegmentStay {
        SegmentStay::default()
    }

    /// Left when this rule is True.
    #[must_use]
    pub fn leave(mut self, rule: Rule) -> SegmentStay {
        self.leave = Some(rule);
        self
    }

    /// Left after so long at the earliest.
    #[must_use]
    pub fn minimum_stay(mut self, span: Span) -> SegmentStay {
        self.minimum_stay = Some(span);
        self
    }
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
        let (id, name) = (SegmentId::new(id), name.into());
        self.segments.push(SegmentRule { id, name, version: None, rule, stay: None });
        self
    }

    /// States the version of the segment that was added last.
    #[must_use]
    pub fn version(mut self, version: u32) -> RuleSet {
        if let Some(segment) = self.segments.last_mut() {
            segment.version = Some(version);
        }
        self
    }

    /// States how the segment that was added last is left.
    #[must_use]
    pub fn stay(mut self, stay: SegmentStay) -> RuleSet {
        if let Some(segment) = self.segments.last_mut() {
            segment.stay = Some(stay);
        }
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

    /// A segmenter that gives each customer the first segment whose rule holds, within
    /// the default [`Limits`].
    ///
    /// # Errors
    /// [`ErrorKind::Definition`](crate::ErrorKind::Definition) with all faults (the first 100, and how many more there
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
    /// | `too-many-score-tests` | scores of all rules beyond [`Limits::score_tests`] |
    /// | `bad-cap` | a limit of points that is none |
    /// | `segments-in-a-circle` | rules that refer to themselves, be it through others |
    /// | `references-too-deep` | references through more segments than 64 |
    /// | `empty-id` | a segment or score without an id |
    /// | `duplicate-id` | two segments, or two scores, with one id |
    /// | `bad-version` | a version of 0 |
    /// | `other-version` | a reference to another version than that of the segment |
    /// | `no-stay-here` | a segment that is not left at once, without [`RuleSet::compile_sticky`] |
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

/// What a [`RuleSegmenter`] and a [`RuleBook`] have in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CompiledSet {
    pub(super) schema: Schema,
    /// One for each rule, then the rest if there is one.
    pub(super) segments: Arc<Vec<Segment>>,
    /// The definitions of the scores that rules test.
    pub(super) scores: Arc<[ScoreRule]>,
    /// Of each rule's segment.
    pub(super) versions: Arc<[Option<u32>]>,
    pub(super) rules: Arc<[Compiled]>,
    /// The rules, each after those to which it refers.
    pub(super) order: Arc<[u32]>,
    /// Those of all rules.
    pub(super) windows: Arc<[Bounds]>,
    pub(super) limits: Limits,
    pub(super) bound: Option<Arc<Bound>>,
}

impl CompiledSet {
    /// # Errors
    /// Also when a segment is not left at once.
    pub(super) fn new(
        set: &RuleSet,
        schema: &Schema,
        limits: &Limits,
    ) -> Result<CompiledSet> {
        CompiledSet::check(set, None, schema, limits)
    }

    /// With rules by which segments are left, which come after those of the segments as if
    /// they were segments. How segments of the set are left does not matter, and the rest is
    /// checked and left out.
    pub(super) fn with_leaves(
        set: &RuleSet,
        leaves: &[Leave<'_>],
        schema: &Schema,
        limits: &Limits,
    ) -> Result<CompiledSet> {
        CompiledSet::check(set, Some(leaves), schema, limits)
    }

    fn check(
        set: &RuleSet,
        leaves: Option<&[Leave<'_>]>,
        schema: &Schema,
        limits: &Limits,
    ) -> Result<CompiledSet> {
        limits.validate()?;
        let mut checker = Checker::new(schema, limits);
        check_ids(&mut checker, set);
        check_versions(&mut checker, set);
        if leaves.is_none() {
            check_no_stays(&mut checker, set);
        }
        let named = set.segments.iter();
        checker.refer_to(named.map(|segment| (segment.id.clone(), segment.version)));
        checker.score_by(&set.scores);
        let fits = checker.at("segments", |c| c.list_len(set.segments.len()));
        let mut rules: Vec<(String, &Rule)> = Vec::new();
        for (i, segment) in set.segments.iter().enumerate() {
            rules.push((format!("segments/{i}/rule"), &segment.rule));
        }
        for leave in leaves.unwrap_or_default() {
            rules.push((leave.path.clone(), leave.rule));
        }
        let mut checked: Vec<(&Rule, Parts, Option<Node>)> = Vec::new();
        if fits {
            for (path, rule) in &rules {
                let mut parts = Parts::default();
                let node = checker.at(path, |c| c.rule(rule, &mut parts));
                checked.push((rule, parts, node));
            }
        }
        let links: Vec<&[u32]> =
            checked.iter().map(|(_, parts, _)| &parts.segments[..]).collect();
        let path = |rule: usize| rules.get(rule).map_or("", |(path, _)| path);
        let order = references::order(&mut checker, set, &links, path);
        let windows = checker.finish("the rules")?;
        let no_versions = rules.iter().skip(set.segments.len()).map(|_| None);
        let versions = set.segments.iter().map(|s| s.version).chain(no_versions);
        let rules = checked.into_iter().map(|(rule, parts, node)| {
            // Without a fault there is a node.
            let node = node.unwrap_or(Node::Always(false));
            Compiled::new(schema, rule, parts, &node)
        });
        let segment =
            |id: &SegmentId, name: &String| Segment::new(id.as_str(), name.clone());
        let mut segments: Vec<Segment> =
            set.segments.iter().map(|s| segment(&s.id, &s.name)).collect();
        match leaves {
            None => segments.extend(set.rest.iter().map(|s| segment(&s.id, &s.name))),
            Some(leaves) => {
                let own = |leave: &Leave<'_>| Segment::new(leave.id.clone(), "");
                segments.extend(leaves.iter().map(own));
            }
        }
        Ok(CompiledSet {
            schema: schema.clone(),
            segments: Arc::new(segments),
            scores: set.scores.clone().into(),
            versions: versions.collect(),
            rules: rules.collect(),
            order: order.into(),
            windows: windows.into(),
            limits: *limits,
            bound: None,
        })
    }

    /// The definition, with the current ids and names.
    pub(super) fn definition(&self) -> RuleSet {
        let named = self.segments.iter().zip(self.versions.iter());
        RuleSet {
            scores: self.scores.to_vec(),
            segments: named
                .zip(self.rules.iter())
                .map(|((segment, version), rule)| SegmentRule {
                    id: segment.id.clone(),
                    name: segment.name.clone(),
                    version: *version,
                    rule: self.renamed(rule),
                    stay: None,
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

/// A rule by which a segment is left.
pub(super) struct Leave<'s> {
    /// Where it stands in what the host gave.
    pub(super) path: String,
    /// What it is called among segments.
    pub(super) id: String,
    pub(super) rule: &'s Rule,
}

fn check_versions(checker: &mut Checker, set: &RuleSet) {
    for (i, segment) in set.segments.iter().enumerate() {
        if segment.version == Some(0) {
            checker.at(format!("segments/{i}/version"), Checker::bad_version);
        }
    }
}

fn check_no_stays(checker: &mut Checker, set: &RuleSet) {
    for (i, segment) in set.segments.iter().enumerate() {
        if segment.stay.is_some() {
            checker.at(format!("segments/{i}/stay"), |c| {
                let message = "the segment is not left at once";
                c.issue("no-stay-here", message, |issue| {
                    issue.expected("nothing here, or `compile_sticky`")
                });
            });
        }
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
