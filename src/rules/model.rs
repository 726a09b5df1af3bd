//! One segment for each customer: the first whose rule holds.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ast::Rule;
use super::batch::Batch;
use super::book::RuleBook;
use super::computed::check_ids;
use super::context::Context;
use super::limits::Limits;
use super::points::PointsModel;
use super::score::ScoreRule;
use super::set::{CompiledSet, RestSegment, RuleSet, SegmentRule};
use crate::data::{Customer, Moment, Schema, SchemaMap, Table, Timestamp};
use crate::error::{Error, Result};
use crate::segmenter::{
    Assignment, Capabilities, ClauseResult, Explanation, Persist, Reason, Registry,
    Relabel, Scratch, Segment, SegmentIndex, Segmenter, Truth, assign_rows,
    check_segments, replace_segments,
};

/// Rows of a table from which on it pays to look at its columns.
const MIN_ROWS: usize = 256;

/// Segments that exclude each other: a customer is in the first one whose rule holds, in
/// the order in which they were written, else in the rest segment, else in none.
///
/// Nothing is learned, so there is no fit: the rules are compiled against the host's
/// schema, which is also [`Segmenter::schema`]. Missing values are answered by
/// three-valued logic (see [`Rule`]); a customer for whom a rule is Unknown is no member
/// and goes on to the next rule. What is evaluated and what is checked, and in which
/// order, is said at [`CompiledRule`](super::CompiledRule).
///
/// The cost of an assignment is 0 and its margin infinite. For segments that may overlap
/// there is [`RuleBook`].
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{RuleSegmenter, field};
/// use segmenta::{Segmenter, SegmenterExt};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::category("country")])?;
/// let segmenter = RuleSegmenter::builder(&schema)
///     .segment("vip", "VIP customers", field("orders").ge(10) & field("country").is_in(["DE", "AT"]))
///     .segment("active", "Active customers", field("orders").ge(1))
///     .rest("other", "Everyone else")
///     .build()?;
///
/// let ann = OwnedCustomer::new(&schema, 1_u64).set("orders", 4.0)?.set("country", "AT")?;
/// let assignment = segmenter.assign(&ann)?;
/// assert_eq!(segmenter.segment_of(&assignment).map(|s| s.id.as_str()), Some("active"));
/// assert_eq!(
///     segmenter.explain(&ann)?.to_string(),
///     "in Active customers\n  \
///        no      VIP customers: all of\n    \
///          no      orders >= 10 (has 4)\n    \
///          yes     country in ('DE', 'AT') (has AT)\n  \
///        yes     Active customers: orders >= 1 (has 4)\n",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSegmenter(CompiledSet);

impl RuleSegmenter {
    /// Starts without segments.
    pub fn builder(schema: &Schema) -> RulesBuilder<RuleSegmenter> {
        RulesBuilder::new(schema)
    }

    pub(super) fn new(set: CompiledSet) -> RuleSegmenter {
        RuleSegmenter(set)
    }

    pub(super) fn compiled(&self) -> &CompiledSet {
        &self.0
    }

    /// The definition, with the segments' current ids and names.
    #[must_use]
    pub fn definition(&self) -> RuleSet {
        self.0.definition()
    }

    /// The same segments at an instant. Rules that test events need one to be asked.
    #[must_use]
    pub fn at(&self, moment: impl Into<Moment>) -> RuleSegmenter {
        RuleSegmenter(self.0.at(moment.into()))
    }

    /// The first instant after the present one at which the customer is in another segment
    /// if nothing happens until then, and that segment, or none. Nothing if time changes
    /// nothing more.
    ///
    /// # Errors
    /// When a value cannot be used that any of the rules looks at, now or then.
    pub fn next_change(
        &self,
        customer: &dyn Customer,
    ) -> Result<Option<(Timestamp, Option<SegmentIndex>)>> {
        let Some(mut timeline) = self.0.timeline(customer)? else { return Ok(None) };
        let first = |truths: &[Truth]| {
            let at = truths.iter().position(|&truth| truth == Truth::True);
            at.map(|at| SegmentIndex::new(at as u32)).or(self.0.rest_index())
        };
        let present = first(timeline.truths());
        while let Some((at, _)) = timeline.advance()? {
            let next = first(timeline.truths());
            if next != present {
                return Ok(Some((at, next)));
            }
        }
        Ok(None)
    }

    /// Whether the answers depend on the instant at which they are asked for.
    #[must_use]
    pub fn depends_on_time(&self) -> bool {
        self.0.depends_on_time()
    }

    /// The same rules for segments that may overlap.
    #[must_use]
    pub fn into_book(self) -> RuleBook {
        RuleBook::new(self.0)
    }
}

impl CompiledSet {
    /// The first segment whose rule holds, the rest segment, or none.
    pub(super) fn first_match(
        &self,
        customer: &dyn Customer,
        context: &Context<'_>,
    ) -> Result<Assignment> {
        for (i, rule) in self.rules.iter().enumerate() {
            if rule.holds(customer, context)? {
                return Ok(Assignment::certain(SegmentIndex::new(i as u32)));
            }
        }
        Ok(match self.rest_index() {
            Some(rest) => Assignment::certain(rest),
            None => Assignment::none(),
        })
    }

    /// Tells the truth about each segment, in their order.
    pub(super) fn for_each(
        &self,
        customer: &dyn Customer,
        context: &Context<'_>,
        mut tell: impl FnMut(Truth),
    ) -> Result<()> {
        let mut taken = false;
        for rule in self.rules.iter() {
            let truth = rule.truth(customer, context)?;
            taken |= truth.is_true();
            tell(truth);
        }
        if self.has_rest() {
            tell(Truth::from(!taken));
        }
        Ok(())
    }

    /// [`first_match`](CompiledSet::first_match) of all rows.
    pub(super) fn assign_table(
        &self,
        table: &Table<'_>,
        out: &mut [Assignment],
    ) -> Result<()> {
        if out.len() != table.len() {
            return Err(Error::length("the output", table.len(), out.len()));
        }
        check_ids(table, self.rules.iter())?;
        if table.len() >= MIN_ROWS
            && let Ok(batch) = self.batch(table)?
        {
            batch.first_match(out);
            return Ok(());
        }
        assign_rows(&self.schema, table, out, &|customer, _| {
            self.first_match(customer, &self.context())
        })
    }

    /// The rules on the columns of a table; or, where its rows must be asked one by one,
    /// where the features stand in it.
    pub(super) fn batch<'t>(
        &'t self,
        table: &'t Table<'t>,
    ) -> Result<std::result::Result<Batch<'t>, Option<SchemaMap>>> {
        let map = if table.schema() == &self.schema {
            None
        } else {
            Some(self.schema.locate_in(table.schema())?)
        };
        check_ids(table, self.rules.iter())?;
        let bound = self.bound.as_deref();
        let batch = Batch::new(self, bound, table, map.as_ref());
        Ok(batch.ok_or(map))
    }

    pub(super) fn rest_index(&self) -> Option<SegmentIndex> {
        self.has_rest().then(|| SegmentIndex::new(self.rules.len() as u32))
    }

    /// All clauses of the rules up to the first one that holds, or of `all` rules.
    pub(super) fn explain(
        &self,
        customer: &dyn Customer,
        context: &Context<'_>,
        all: bool,
    ) -> Result<Explanation> {
        let assignment = self.first_match(customer, context)?;
        let mut clauses = Vec::new();
        for (i, (rule, segment)) in
            self.rules.iter().zip(self.segments.iter()).enumerate()
        {
            let index = SegmentIndex::new(i as u32);
            rule.clauses(index, Some(&segment.name), customer, context, &mut clauses);
            if assignment.segment() == Some(index) && !all {
                break;
            }
        }
        if let Some(rest) = self.rest_index()
            && let Some(segment) = self.segments.get(rest.get())
            && (all || assignment.segment() == Some(rest))
        {
            clauses.push(ClauseResult {
                segment: rest,
                path: String::new(),
                depth: 0,
                text: format!("{}: no other segment", segment.name),
                reads: Vec::new(),
                observed: None,
                truth: Truth::from(assignment.segment() == Some(rest)),
            });
        }
        let reason = Reason::Rules { clauses };
        Ok(Explanation::new(assignment, reason).named(&self.segments))
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities::new().accepts_missing(true).may_leave_out(!self.has_rest())
    }

    pub(super) fn to_repr(&self) -> RulesRepr {
        RulesRepr {
            segments: self.segments.to_vec(),
            scores: self.scores.to_vec(),
            rules: self.rules.iter().map(|rule| self.renamed(rule)).collect(),
            versions: if self.versions.iter().all(Option::is_none) {
                Vec::new()
            } else {
                self.versions.to_vec()
            },
            limits: self.limits,
        }
    }

    /// Compiles what was saved as if a stranger had written it.
    pub(super) fn from_repr(
        kind: &str,
        repr: RulesRepr,
        schema: &Schema,
    ) -> Result<CompiledSet> {
        let RulesRepr { segments, scores, rules, mut versions, limits } = repr;
        let extra = segments.len().checked_sub(rules.len());
        if !matches!(extra, Some(0 | 1)) {
            let (n, m) = (segments.len(), rules.len());
            let reason = format!("it has {n} segments for {m} rules");
            return Err(Error::corrupt(kind, reason));
        }
        if versions.is_empty() {
            versions.resize(rules.len(), None);
        } else if versions.len() != rules.len() {
            let (n, m) = (versions.len(), rules.len());
            let reason = format!("it has {n} versions for {m} rules");
            return Err(Error::corrupt(kind, reason));
        }
        let corrupt = |e: Error| Error::corrupt(kind, e.to_string());
        check_segments(&segments).map_err(corrupt)?;
        let rest = segments.get(rules.len());
        let set = RuleSet {
            scores,
            rest: rest.map(|s| RestSegment { id: s.id.clone(), name: s.name.clone() }),
            segments: segments
                .iter()
                .zip(rules)
                .zip(versions)
                .map(|((s, rule), version)| SegmentRule {
                    id: s.id.clone(),
                    name: s.name.clone(),
                    version,
                    rule,
                    stay: None,
                })
                .collect(),
        };
        let compiled = CompiledSet::new(&set, schema, &limits).map_err(corrupt)?;
        Ok(CompiledSet { segments: Arc::new(segments), ..compiled })
    }
}

impl Segmenter for RuleSegmenter {
    fn schema(&self) -> &Schema {
        &self.0.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.0.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        _scratch: &mut Scratch,
    ) -> Result<Assignment> {
        self.0.first_match(customer, &self.0.context())
    }

    fn assign_table(&self, table: &Table<'_>, out: &mut [Assignment]) -> Result<()> {
        self.0.assign_table(table, out)
    }

    /// Every clause of the rules up to the one that holds, so that it also says why
    /// earlier rules do not. A clause at which `assign_with` did not look and whose value
    /// cannot be used is Unknown, and its text says why.
    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        self.0.explain(customer, &self.0.context(), false)
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

impl Relabel for RuleSegmenter {
    fn relabel(&mut self, segments: Vec<Segment>) -> Result<()> {
        replace_segments(Arc::make_mut(&mut self.0.segments), segments)?;
        self.0.rename_references();
        Ok(())
    }
}

/// The shape of a [`RuleSegmenter`] and of a [`RuleBook`] on disk: segments, rules and
/// limits. The rules are compiled anew when a model is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesRepr {
    /// One for each rule, then the rest if there is one.
    segments: Vec<Segment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scores: Vec<ScoreRule>,
    rules: Vec<Rule>,
    /// Of each rule's segment; absent where none has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    versions: Vec<Option<u32>>,
    limits: Limits,
}

impl Persist for RuleSegmenter {
    const KIND: &'static str = "segmenta.rules";
    const VERSION: u32 = 1;
    type Repr = RulesRepr;

    fn to_repr(&self, _registry: &Registry) -> Result<RulesRepr> {
        Ok(self.0.to_repr())
    }

    fn from_repr(
        repr: RulesRepr,
        schema: Schema,
        _registry: &Registry,
    ) -> Result<RuleSegmenter> {
        CompiledSet::from_repr(Self::KIND, repr, &schema).map(RuleSegmenter)
    }
}

/// Collects the segments of an `M`: of a [`RuleSegmenter`] or a [`RuleBook`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RulesBuilder<M> {
    schema: Schema,
    set: RuleSet,
    limits: Limits,
    model: PhantomData<fn() -> M>,
}

impl<M> RulesBuilder<M> {
    pub(super) fn new(schema: &Schema) -> RulesBuilder<M> {
        RulesBuilder {
            schema: schema.clone(),
            set: RuleSet::new(),
            limits: Limits::new(),
            model: PhantomData,
        }
    }

    /// Adds a segment with a lower priority than those before it.
    pub fn segment(
        mut self,
        id: impl Into<Arc<str>>,
        name: impl Into<String>,
        rule: Rule,
    ) -> Self {
        self.set = self.set.segment(id, name, rule);
        self
    }

    /// Adds a score that rules may [test](super::ScoreTest).
    pub fn score(mut self, id: impl Into<String>, points: PointsModel) -> Self {
        self.set = self.set.score(id, points);
        self
    }

    /// States the version of the segment that was added last.
    pub fn version(mut self, version: u32) -> Self {
        self.set = self.set.version(version);
        self
    }

    /// States the segment of those whom no rule takes. Without it they are in none.
    pub fn rest(mut self, id: impl Into<Arc<str>>, name: impl Into<String>) -> Self {
        self.set = self.set.rest(id, name);
        self
    }

    /// Replaces the limits on the size of the rules.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl RulesBuilder<RuleSegmenter> {
    /// The finished segmenter.
    ///
    /// # Errors
    /// As [`RuleSet::compile_with`].
    pub fn build(self) -> Result<RuleSegmenter> {
        self.set.compile_with(&self.schema, &self.limits)
    }
}

impl RulesBuilder<RuleBook> {
    /// The finished book.
    ///
    /// # Errors
    /// As [`RuleSet::compile_with`].
    pub fn build(self) -> Result<RuleBook> {
        self.set.compile_book_with(&self.schema, &self.limits)
    }
}
