//! From a rule to one that can be asked.

use std::sync::Arc;

use super::ast::Rule;
use super::behaviour::{Behaviour, unbound};
use super::check::{Checker, Node, Parts};
use super::computed::{Computed, What};
use super::jumps::Program;
use super::leaf::Leaf;
use super::limits::Limits;
use super::score::{GivenFor, Score};
use super::timeline::Timeline;
use super::window::{Bound, Bounds};
use crate::data::{Customer, Moment, Schema, Timestamp};
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
        let inner: Vec<Node> =
            inner_nodes.into_iter().map(|node| node.shifted(n_own)).collect();
        let program = Program::new(node, &inner, &leaves);
        for part in scores.iter_mut().flat_map(|score| &mut score.parts) {
            match &mut part.given_for {
                GivenFor::Rule { entry, first_leaf, .. } => {
                    *entry = program.inner[*entry as usize];
                    *first_leaf += n_own;
                }
                GivenFor::Times { leaf } => *leaf += n_own,
            }
        }
        Compiled {
            schema: schema.clone(),
            rule: rule.clone(),
            leaves: leaves.into(),
            behaviours: behaviours.into(),
            computed: computed.into(),
            segments: segments.into(),
            scores: scores.into(),
            program,
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
