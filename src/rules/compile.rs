//! From a checked rule to a program of jumps.

use std::sync::Arc;

use super::ast::Rule;
use super::behaviour::{Behaviour, unbound};
use super::check::{Checker, Node, Parts};
use super::computed::{Computed, What};
use super::leaf::{Check, Leaf, NumberCheck, Source};
use super::limits::Limits;
use super::score::{GivenFor, Score};
use super::timeline::Timeline;
use super::window::{Bound, Bounds};
use crate::data::{Customer, FeatureIndex, Moment, Schema, Timestamp};
use crate::error::Result;
use crate::segmenter::Truth;

/// A rule that was checked against a schema and is ready to be asked.
///
/// The tests are looked at in the order in which they are written, and only as far as
/// the answer needs them. Only values that are looked at are checked: a customer whose
/// `orders` is NaN gives an error if a test of `orders` is reached, and none otherwise.
/// A value that is looked at is checked in full, whatever the test: a category of closed
/// levels must be one of them even for [`Test::Set`](super::Test::Set).
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::field;
/// use segmenta::segmenter::Truth;
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("opted_out")])?;
/// let rule = (field("orders").ge(3) & !field("opted_out").eq(true)).compile(&schema)?;
///
/// let ann = OwnedCustomer::new(&schema, 1_u64).set("orders", 5.0)?;
/// assert!(!rule.holds(&ann)?);
/// assert_eq!(rule.truth(&ann)?, Truth::Unknown);
/// assert!(rule.holds(&ann.set("opted_out", false)?)?);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledRule {
    pub(super) rule: Arc<Compiled>,
    windows: Arc<[Bounds]>,
    pub(super) bound: Option<Arc<Bound>>,
}

/// A checked rule, without the instant at which it is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Compiled {
    pub(super) schema: Schema,
    pub(super) rule: Rule,
    /// The tests, in the order in which the rule names them, then those of the parts of
    /// scores.
    pub(super) leaves: Box<[Leaf]>,
    /// The aggregates of events that are tested.
    pub(super) behaviours: Box<[Behaviour]>,
    /// What else is computed and tested.
    pub(super) computed: Box<[Computed]>,
    /// The rules of the set to which this one refers, in the order in which it does.
    pub(super) segments: Box<[u32]>,
    /// The scores that are tested.
    pub(super) scores: Box<[Score]>,
    pub(super) program: Program,
    /// Where to start to learn whether the rule is True …
    pub(super) holds: Label,
    /// … and whether it is False.
    pub(super) fails: Label,
}

impl Rule {
    /// The rule, checked against a schema and ready to be asked, within the default
    /// [`Limits`].
    ///
    /// # Errors
    /// As [`RuleSet::compile`](super::RuleSet::compile); paths start at the rule.
    pub fn compile(&self, schema: &Schema) -> Result<CompiledRule> {
        self.compile_with(schema, &Limits::new())
    }

    /// [`compile`](Rule::compile) within other limits.
    ///
    /// # Errors
    /// As [`compile`](Rule::compile), or when the limits are not valid.
    pub fn compile_with(&self, schema: &Schema, limits: &Limits) -> Result<CompiledRule> {
        limits.validate()?;
        let mut checker = Checker::new(schema, limits);
        let mut parts = Parts::default();
        let node = checker.rule(self, &mut parts);
        let windows = checker.finish("the rule")?;
        // Without a fault there is a node.
        let node = node.unwrap_or(Node::Always(false));
        let rule = Arc::new(Compiled::new(schema, self, parts, &node));
        Ok(CompiledRule { rule, windows: windows.into(), bound: None })
    }
}

impl Compiled {
    pub(super) fn new(
        schema: &Schema,
        rule: &Rule,
        parts: Parts,
        node: &Node,
    ) -> Compiled {
        let Parts {
            mut leaves,
            behaviours,
            computed,
            segments,
            mut scores,
            inner,
            inner_nodes,
            ..
        } = parts;
        let n_own = leaves.len() as u32;
        leaves.extend(inner);
        let mut program = Program::default();
        let holds = program.emit(node, true, YES, NO);
        let fails = program.emit(node, false, YES, NO);
        let mut of_parts = Vec::with_capacity(inner_nodes.len());
        for node in inner_nodes {
            let entry = program.emit(&node.shifted(n_own), true, YES, NO);
            of_parts.push(program.entries.len());
            program.entries.push(entry);
        }
        let [holds, fails] = program.reverse([holds, fails]);
        for part in scores.iter_mut().flat_map(|score| &mut score.parts) {
            match &mut part.given_for {
                GivenFor::Rule { entry, first_leaf, .. } => {
                    *entry = program.entries[of_parts[*entry as usize]];
                    *first_leaf += n_own;
                }
                GivenFor::Times { leaf } => *leaf += n_own,
            }
        }
        program.lay_open(&leaves);
        Compiled {
            schema: schema.clone(),
            rule: rule.clone(),
            leaves: leaves.into(),
            behaviours: behaviours.into(),
            computed: computed.into(),
            segments: segments.into(),
            scores: scores.into(),
            program,
            holds,
            fails,
        }
    }
}

impl Compiled {
    /// Whether a test depends on the day; those of filters included.
    pub(super) fn asks_today(&self) -> bool {
        self.leaves.iter().any(Leaf::asks_today)
    }

    /// Whether customers are drawn by their ids.
    pub(super) fn draws(&self) -> bool {
        self.computed.iter().any(|computed| matches!(computed.what, What::Bucket(_)))
    }
}

impl CompiledRule {
    /// The same rule at an instant. A rule that tests events needs one to be asked.
    ///
    /// ```
    /// use segmenta::data::{
    ///     EventLog, FeatureSpec, OwnedCustomer, Schema, Span, StreamSpec, Timestamp,
    /// };
    /// use segmenta::rules::events;
    ///
    /// let orders = StreamSpec::new("order", [FeatureSpec::number("amount")]);
    /// let schema = Schema::builder().stream(orders.clone()).build()?;
    /// let rule = events("order").last(Span::days(30)).sum("amount").ge(50).compile(&schema)?;
    ///
    /// let day = |n: i64| Timestamp::from_millis(n * 86_400_000);
    /// let log = EventLog::new(&orders, [(day(10), [20.0]), (day(35), [30.0])])?;
    /// let ann = OwnedCustomer::new(&schema, 1).set_events("order", log)?;
    /// assert!(rule.at(day(36)).holds(&ann)?);
    /// assert!(rule.at(day(40)).holds(&ann)?);
    /// assert!(!rule.at(day(41)).holds(&ann)?);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn at(&self, moment: impl Into<Moment>) -> CompiledRule {
        let bound = Bound::new(&self.windows, moment.into());
        CompiledRule { bound: Some(Arc::new(bound)), ..self.clone() }
    }

    /// The first instant after the present one at which the rule has another answer for
    /// the customer if nothing happens until then, and that answer. None if time changes
    /// nothing more.
    ///
    /// ```
    /// use segmenta::data::{EventLog, OwnedCustomer, Schema, StreamSpec, Timestamp};
    /// use segmenta::rules::Rule;
    /// use segmenta::segmenter::Truth;
    ///
    /// let visits = StreamSpec::new("visit", []);
    /// let schema = Schema::builder().stream(visits.clone()).build()?;
    /// let rule: Rule = "events(visit) in last 30d".parse()?;
    /// let last: Timestamp = "2024-04-03T10:00:00Z".parse()?;
    /// let log = EventLog::new(&visits, [(last, [0.0; 0])])?;
    /// let ann = OwnedCustomer::new(&schema, 1).set_events("visit", log)?;
    ///
    /// let now: Timestamp = "2024-04-20T00:00:00Z".parse()?;
    /// let (at, truth) = rule.compile(&schema)?.at(now).next_change(&ann)?.unwrap();
    /// assert_eq!(at.to_string(), "2024-05-03T10:00:00.001Z");
    /// assert_eq!(truth, Truth::False);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`truth`](CompiledRule::truth), also for values that are looked at only then.
    pub fn next_change(
        &self,
        customer: &dyn Customer,
    ) -> Result<Option<(Timestamp, Truth)>> {
        if !self.depends_on_time() {
            return Ok(None);
        }
        let bound = self.bound.as_deref().ok_or_else(unbound)?;
        let rules = std::slice::from_ref(&*self.rule);
        let mut timeline = Timeline::new(rules, &[0], &self.windows, bound, customer)?;
        let next = timeline.advance()?;
        Ok(next.map(|(at, _)| (at, timeline.truths()[0])))
    }

    /// Whether the answer depends on the instant at which it is asked.
    #[must_use]
    pub fn depends_on_time(&self) -> bool {
        !self.windows.is_empty() || self.rule.asks_today()
    }

    /// The definition.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule.rule
    }

    /// The schema through which customers are seen.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.rule.schema
    }
}

/// Position of a step in a [`Program`], or the end of it: [`YES`] or [`NO`].
pub(super) type Label = u32;

/// The end of a program that answers yes.
pub(super) const YES: Label = u32::MAX;
/// The end of a program that answers no.
pub(super) const NO: Label = u32::MAX - 1;

/// Steps that are taken one after the other, unless one jumps. Jumps lead only forward.
///
/// "The rule is True" and "the rule is False" are questions with two answers each, and
/// negation only swaps them: `all` is True when every part is True, and False when some
/// part is False. So each question becomes a chain of tests, each of which either goes on
/// or jumps; the three-valued truth of the parts is never stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// Entries of the parts of [`Question::AtLeast`].
    pub(super) entries: Vec<Label>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) question: Question,
    /// The answer that jumps to `target`; the other goes on to the next step.
    pub(super) jump_if: bool,
    pub(super) target: Label,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Question {
    /// Has the leaf this truth, which is True or False?
    Leaf { leaf: u32, truth: Truth },
    /// The same of the commonest leaf, laid open, so that no other memory is read: is "the
    /// number lies from `lo` to `hi`" equal to `truth`? `missing` answers for no number.
    /// The ends are finite, or swapped where nothing lies between them.
    Range { feature: FeatureIndex, lo: f64, hi: f64, truth: bool, missing: bool },
    /// Likewise of a flag: the answers for yes, no and missing.
    Flag { feature: FeatureIndex, yes: bool, no: bool, missing: bool },
    /// Do at least `n` of the programs at `entries[from..to]` end with yes?
    AtLeast { n: u32, from: u32, to: u32 },
    /// Has another rule of the set this truth?
    Segment { rule: u32, truth: Truth },
    /// No question: always yes.
    Jump,
}

impl Program {
    /// Appends the steps that tell whether a node has this truth, and that go on to `yes`
    /// or `no`. Gives their entry. The last step comes first, so that what a step leads to
    /// is known; [`reverse`](Program::reverse) puts them in order.
    fn emit(&mut self, node: &Node, truth: bool, yes: Label, no: Label) -> Label {
        match node {
            Node::Always(answer) => {
                if *answer == truth {
                    yes
                } else {
                    no
                }
            }
            Node::Not(node) => self.emit(node, !truth, yes, no),
            Node::All(nodes) if truth => self.every(nodes, truth, yes, no),
            Node::Any(nodes) if !truth => self.every(nodes, truth, yes, no),
            Node::All(nodes) | Node::Any(nodes) => nodes
                .iter()
                .rev()
                .fold(no, |next, node| self.emit(node, truth, yes, next)),
            Node::AtLeast(n, nodes) => {
                // At least n True; or more than `len - n` False, so that n cannot be.
                let n = if truth { *n } else { nodes.len() - n + 1 };
                let parts: Vec<Label> =
                    nodes.iter().map(|node| self.emit(node, truth, YES, NO)).collect();
                let from = self.entries.len() as u32;
                self.entries.extend(parts);
                let to = self.entries.len() as u32;
                let question = Question::AtLeast { n: n as u32, from, to };
                self.step(question, yes, no)
            }
            Node::Segment(rule) => {
                let question = Question::Segment { rule: *rule, truth: truth.into() };
                self.step(question, yes, no)
            }
            Node::Leaf(leaf) => {
                let question = Question::Leaf { leaf: *leaf, truth: truth.into() };
                self.step(question, yes, no)
            }
        }
    }

    /// Every one of the nodes has this truth.
    fn every(&mut self, nodes: &[Node], truth: bool, yes: Label, no: Label) -> Label {
        nodes.iter().rev().fold(yes, |next, node| self.emit(node, truth, next, no))
    }

    fn step(&mut self, question: Question, yes: Label, no: Label) -> Label {
        // The step that was appended last is the one that will come next.
        let next = self.steps.len().checked_sub(1).map(|at| at as Label);
        let step = if next == Some(no) {
            Step { question, jump_if: true, target: yes }
        } else {
            if next != Some(yes) {
                self.push(Step { question: Question::Jump, jump_if: true, target: yes });
            }
            Step { question, jump_if: false, target: no }
        };
        self.push(step)
    }

    fn push(&mut self, step: Step) -> Label {
        self.steps.push(step);
        (self.steps.len() - 1) as Label
    }

    /// Replaces the commonest leaves, ranges of numbers and flags, by their content.
    fn lay_open(&mut self, leaves: &[Leaf]) {
        for step in &mut self.steps {
            let Question::Leaf { leaf, truth } = step.question else { continue };
            let Leaf { source, missing, check } = &leaves[leaf as usize];
            let Source::Feature(feature) = *source else { continue };
            let (missing, truth) = (*missing == truth, truth.is_true());
            match check {
                Check::Number(NumberCheck::Range(lo, hi)) => {
                    let (lo, hi) = (lo.max(f64::MIN), hi.min(f64::MAX));
                    step.question = Question::Range { feature, lo, hi, truth, missing };
                }
                Check::Flag { yes, no } => {
                    let (yes, no) = (*yes == truth, *no == truth);
                    step.question = Question::Flag { feature, yes, no, missing };
                }
                _ => {}
            }
        }
    }

    /// Puts the steps in the order in which they are taken, and gives the new places of
    /// the entries.
    fn reverse(&mut self, entries: [Label; 2]) -> [Label; 2] {
        let n = self.steps.len() as Label;
        let place = |label: Label| if label < n { n - 1 - label } else { label };
        self.steps.reverse();
        for step in &mut self.steps {
            step.target = place(step.target);
        }
        for entry in &mut self.entries {
            *entry = place(*entry);
        }
        entries.map(place)
    }
}
