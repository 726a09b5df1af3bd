//! Checks a rule against a schema, and resolves it on the way.

mod computed;
mod event;
mod kinds;
mod score;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::ast::{FieldTest, Rule, SegmentRef, Test};
use super::behaviour::{AggregateKey, Behaviour};
use super::computed::Computed;
use super::leaf::{Check, Leaf, Names, NumberCheck, Source};
use super::limits::Limits;
use super::score::Score;
use super::window::Bounds;
use crate::data::{FeatureIndex, FeatureSpec, Schema, StreamIndex};
use crate::error::{ErrorKind, Issue, Result, similar_names};
use crate::segmenter::{SegmentId, Truth};

/// Faults that are described; those beyond are counted.
pub(super) const MAX_ISSUES: usize = 100;

/// A rule with its tests replaced by the positions of their leaves. Leaves are numbered
/// in the order in which the rule names them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Always(bool),
    All(Vec<Node>),
    Any(Vec<Node>),
    AtLeast(usize, Vec<Node>),
    Not(Box<Node>),
    Leaf(u32),
    /// The rule at this position in the set.
    Segment(u32),
}

impl Node {
    /// The same with tests whose numbers are so much greater. As deep as the rule.
    pub(super) fn shifted(self, by: u32) -> Node {
        let all =
            |nodes: Vec<Node>| nodes.into_iter().map(|node| node.shifted(by)).collect();
        match self {
            Node::All(nodes) => Node::All(all(nodes)),
            Node::Any(nodes) => Node::Any(all(nodes)),
            Node::AtLeast(n, nodes) => Node::AtLeast(n, all(nodes)),
            Node::Not(node) => Node::Not(Box::new(node.shifted(by))),
            Node::Leaf(leaf) => Node::Leaf(leaf + by),
            Node::Always(_) | Node::Segment(_) => self,
        }
    }
}

/// Collects the faults of rules. Its methods go on after a fault, and what they give is
/// of use only if [`Checker::finish`] finds none.
pub(super) struct Checker {
    schema: Schema,
    /// The stream whose events are looked at, inside a filter.
    stream: Option<StreamIndex>,
    limits: Limits,
    issues: Vec<Issue>,
    /// Faults that are not in `issues`.
    n_more: usize,
    /// JSON pointer to the place that is being checked.
    path: String,
    /// The levels of features in ascending order of name, made when first needed.
    levels: BTreeMap<Key, Arc<Names>>,
    /// The properties of streams as schemas, made when first needed.
    properties: BTreeMap<StreamIndex, Schema>,
    windows: Windows,
    /// Different aggregates, by the order in which they were met.
    aggregates: BTreeMap<AggregateKey, u32>,
    /// What else is computed, by what it is called, likewise.
    computed: BTreeMap<String, u32>,
    /// The scores of the set; absent for a rule alone.
    scores: Option<score::Known>,
    /// How many parts and tests the scores of all rules have.
    n_score_tests: usize,
    /// Whether a part of a score is looked at, which refers to nothing else.
    is_in_score: bool,
    /// The rules of the set by the ids of their segments, and the versions of these; absent
    /// for a rule alone.
    ids: Option<BTreeMap<SegmentId, (u32, Option<u32>)>>,
}

/// A feature, or a property of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    stream: Option<StreamIndex>,
    feature: FeatureIndex,
}

/// Different windows, by the order in which they were met.
#[derive(Debug, Default)]
struct Windows {
    all: Vec<Bounds>,
    places: BTreeMap<Bounds, u32>,
}

/// What the nodes of a rule refer to.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) leaves: Vec<Leaf>,
    pub(super) behaviours: Vec<Behaviour>,
    pub(super) computed: Vec<Computed>,
    /// The rules that are referred to, in the order in which the rule names them.
    pub(super) segments: Vec<u32>,
    /// The scores that are tested, each once.
    pub(super) scores: Vec<Score>,
    /// The tests of their parts, which come after the others, …
    pub(super) inner: Vec<Leaf>,
    /// … and the rules of the parts, with tests numbered from the first of these on.
    pub(super) inner_nodes: Vec<Node>,
    /// How many parts and tests scores have.
    n_score_nodes: usize,
}

impl Checker {
    pub(super) fn new(schema: &Schema, limits: &Limits) -> Checker {
        Checker {
            schema: schema.clone(),
            stream: None,
            limits: *limits,
            issues: Vec::new(),
            n_more: 0,
            path: String::new(),
            levels: BTreeMap::new(),
            properties: BTreeMap::new(),
            windows: Windows::default(),
            aggregates: BTreeMap::new(),
            computed: BTreeMap::new(),
            scores: None,
            n_score_tests: 0,
            is_in_score: false,
            ids: None,
        }
    }

    /// The windows of the rules if there was no fault, else all faults.
    pub(super) fn finish(mut self, what: &'static str) -> Result<Box<[Bounds]>> {
        if self.issues.is_empty() {
            return Ok(self.windows.all.into());
        }
        if self.n_more > 0 {
            let message = format!("{} more faults are not listed", self.n_more);
            self.issues.push(Issue::new("too-many-issues", "", message));
        }
        Err(ErrorKind::Definition { what: what.into(), issues: self.issues }.into())
    }

    /// Does `work` at a place below the current one.
    pub(super) fn at<T>(
        &mut self,
        token: impl fmt::Display,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let len = self.path.len();
        self.path.push_str(&format!("/{token}"));
        let result = work(self);
        self.path.truncate(len);
        result
    }

    /// Notes a fault at the current place.
    pub(super) fn issue(
        &mut self,
        code: &str,
        message: impl Into<String>,
        detail: impl FnOnce(Issue) -> Issue,
    ) {
        if self.issues.len() < MAX_ISSUES {
            self.issues.push(detail(Issue::new(code, self.path.clone(), message)));
        } else {
            self.n_more += 1;
        }
    }

    /// Checks that a list is neither empty nor too long.
    pub(super) fn list_len(&mut self, len: usize) -> bool {
        let most = self.limits.get_list_len();
        if len == 0 {
            self.issue("empty-list", "the list is empty", |i| {
                i.expected("at least one entry")
            });
        } else if len > most {
            self.issue("list-too-long", "the list is too long", |i| {
                i.expected(format!("at most {most} entries")).found(len.to_string())
            });
        }
        (1..=most).contains(&len)
    }

    /// The resolved rule, with its leaves appended to `parts`. `None` for a rule beyond
    /// the limits, at which this does not look.
    pub(super) fn rule(&mut self, rule: &Rule, parts: &mut Parts) -> Option<Node> {
        if let Some(issue) = self.limits.check_size(rule, &self.path) {
            let Issue { code, message, expected, found, .. } = issue;
            self.issue(&code, message, |i| Issue { expected, found, ..i });
            return None;
        }
        Some(self.node(rule, parts))
    }

    fn node(&mut self, rule: &Rule, parts: &mut Parts) -> Node {
        match rule {
            Rule::Everyone => Node::Always(true),
            Rule::Nobody => Node::Always(false),
            Rule::All(rules) => Node::All(self.at("all", |c| c.nodes(rules, parts))),
            Rule::Any(rules) => Node::Any(self.at("any", |c| c.nodes(rules, parts))),
            Rule::AtLeast { n, of } => self.at("at_least", |c| {
                if *n == 0 || *n > of.len() {
                    c.at("n", |c| {
                        c.issue("bad-count", "the count does not fit the list", |i| {
                            i.expected(format!("from 1 to {}", of.len()))
                                .found(n.to_string())
                        });
                    });
                }
                Node::AtLeast(*n, c.at("of", |c| c.nodes(of, parts)))
            }),
            Rule::Not(rule) => {
                Node::Not(Box::new(self.at("not", |c| c.node(rule, parts))))
            }
            Rule::Field(test) => {
                let leaf = self.at("field", |c| c.field(test));
                parts.leaf(leaf)
            }
            Rule::Event(test) => {
                let leaf = self.at("event", |c| c.event(test, parts));
                parts.leaf(leaf)
            }
            Rule::Sequence(test) => {
                self.computed_leaf(rule, "sequence", parts, |c, p| c.sequence(test, p))
            }
            Rule::Distance(test) => {
                self.computed_leaf(rule, "distance", parts, |c, p| c.distance(test, p))
            }
            Rule::Bucket(test) => {
                self.computed_leaf(rule, "bucket", parts, |c, p| c.bucket(test, p))
            }
            Rule::Score(test) => {
                self.computed_leaf(rule, "score", parts, |c, p| c.score(test, p))
            }
            Rule::Consent(test) => {
                let leaves = self.at("consent", |c| {
                    let is_here = c.outside_of_filters(rule);
                    if is_here { c.consent(test) } else { vec![None; test.n_tests()] }
                });
                Node::All(leaves.into_iter().map(|leaf| parts.leaf(leaf)).collect())
            }
            Rule::Segment(reference) => {
                let rule = self.at("segment", |c| c.segment(reference));
                parts.segments.extend(rule);
                Node::Segment(rule.unwrap_or(0))
            }
        }
    }

    fn computed_leaf(
        &mut self,
        rule: &Rule,
        key: &str,
        parts: &mut Parts,
        check: impl FnOnce(&mut Checker, &mut Parts) -> Option<Leaf>,
    ) -> Node {
        let leaf = self.at(key, |c| {
            let is_here = c.outside_of_filters(rule);
            is_here.then(|| check(c, parts)).flatten()
        });
        parts.leaf(leaf)
    }

    /// States the segments to which rules may refer and their versions, in the order of
    /// their rules.
    pub(super) fn refer_to(
        &mut self,
        segments: impl Iterator<Item = (SegmentId, Option<u32>)>,
    ) {
        let placed = segments.zip(0..).map(|((id, version), at)| (id, (at, version)));
        self.ids = Some(placed.collect());
    }

    /// The position of a segment's rule; `None` after a fault.
    fn segment(&mut self, reference: &SegmentRef) -> Option<u32> {
        let SegmentRef { id, version: pin } = reference;
        let found = match &self.ids {
            Some(ids) if self.stream.is_none() && !self.is_in_score => {
                ids.get(id).copied()
            }
            _ => {
                let message = "no other segments are known here";
                self.issue("no-segments-here", message, |i| {
                    i.expected("a test of values").found(format!("segment `{id}`"))
                });
                return None;
            }
        };
        if found.is_none() {
            let ids = self.ids.take().unwrap_or_default();
            self.at("id", |c| {
                c.issue(
                    "unknown-segment",
                    format!("no segment has the id `{id}`"),
                    |i| {
                        let known = ids.keys().map(SegmentId::as_str);
                        let near = similar_names(id.as_str(), known);
                        i.found(format!("`{id}`")).suggest(near.into_iter().next())
                    },
                );
            });
            self.ids = Some(ids);
        }
        let (rule, version) = found?;
        match *pin {
            Some(0) => self.at("version", Checker::bad_version),
            Some(pin) if version != Some(pin) => self.at("version", |c| {
                let message = format!("the segment `{id}` is of another version");
                c.issue("other-version", message, |i| {
                    let found = version.map(|version| format!("version {version}"));
                    i.expected(format!("version {pin}"))
                        .found(found.unwrap_or_else(|| "no version".to_owned()))
                });
            }),
            _ => {}
        }
        Some(rule)
    }

    /// Notes a version of 0.
    pub(super) fn bad_version(&mut self) {
        self.issue("bad-version", "there is no such version", |i| {
            i.expected("a whole number from 1 on").found("0")
        });
    }

    fn nodes(&mut self, rules: &[Rule], parts: &mut Parts) -> Vec<Node> {
        if rules.is_empty() {
            self.issue("empty-list", "the list is empty", |i| {
                i.expected("at least one rule")
            });
        }
        let node = |(i, rule)| self.at(i, |c| c.node(rule, parts));
        rules.iter().enumerate().map(node).collect()
    }

    fn field(&mut self, test: &FieldTest) -> Option<Leaf> {
        self.is_needed(test.when_missing, &test.is);
        let schema = self.schema.clone();
        let feature = schema.index_of(&test.name);
        let Some((feature, spec)) = feature.and_then(|i| Some((i, schema.get(i)?)))
        else {
            self.at("name", |c| c.unknown_feature(&test.name));
            self.at("is", |c| c.values_without_feature(&test.is));
            return None;
        };
        let what = match self.stream {
            None => format!("feature `{}`", spec.name()),
            Some(_) => format!("property `{}`", spec.name()),
        };
        let key = Key { stream: self.stream, feature };
        let check = self.at("is", |c| c.test(key, spec, &what, &test.is))?;
        let missing = missing(&test.is, test.when_missing);
        Some(Leaf { source: Source::Feature(feature), missing, check })
    }

    fn unknown_feature(&mut self, name: &str) {
        let schema = self.schema.clone();
        let (code, what) = match self.stream {
            None => ("unknown-feature", "feature"),
            Some(_) => ("unknown-property", "property of these events"),
        };
        self.issue(code, format!("no {what} is named `{name}`"), |i| {
            let names = schema.features().iter().map(FeatureSpec::name);
            i.found(format!("`{name}`"))
                .suggest(similar_names(name, names).into_iter().next())
        });
    }

    /// What can be said of a test although its feature is not known.
    fn values_without_feature(&mut self, test: &Test) {
        self.at(test.operator(), |c| match test {
            Test::Eq(x) | Test::Lt(x) | Test::Le(x) | Test::Gt(x) | Test::Ge(x) => {
                c.finite(x);
            }
            Test::Between { lo, hi } => {
                c.at("lo", |c| c.finite(lo));
                c.at("hi", |c| c.finite(hi));
            }
            Test::In(list) => {
                if c.list_len(list.len()) {
                    for (i, x) in list.iter().enumerate() {
                        c.at(i, |c| c.finite(x));
                    }
                }
            }
            Test::HasAny(names) | Test::HasAll(names) => {
                c.list_len(names.len());
            }
            Test::Contains(text) | Test::StartsWith(text) | Test::EndsWith(text) => {
                c.text(text);
            }
            Test::Matches(pattern) => {
                c.pattern(pattern);
            }
            Test::InLast(_) | Test::InNext(_) | Test::Anniversary { .. } => {}
            Test::InTop(_) | Test::InBottom(_) => {}
            Test::Size(_) | Test::Set | Test::Missing => {}
        });
    }
}

impl Parts {
    /// A place is taken also for a faulty test, to keep the numbering.
    fn leaf(&mut self, leaf: Option<Leaf>) -> Node {
        self.leaves.push(leaf.unwrap_or(Leaf {
            source: Source::Feature(FeatureIndex::new(0)),
            missing: Truth::Unknown,
            check: Check::Number(NumberCheck::NONE),
        }));
        Node::Leaf((self.leaves.len() - 1) as u32)
    }
}

/// The answer of a test for a missing value.
fn missing(test: &Test, when_missing: Option<bool>) -> Truth {
    match test {
        Test::Set => Truth::False,
        Test::Missing => Truth::True,
        _ => when_missing.map_or(Truth::Unknown, Truth::from),
    }
}
