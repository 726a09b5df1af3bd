//! Any number of segments for each customer: all whose rules hold.

use std::sync::Arc;

use super::members::{MembershipCount, Memberships, Planes};
use super::model::{RuleSegmenter, RulesBuilder, RulesRepr};
use super::set::{CompiledSet, RuleSet};
use super::timeline::{MembershipChange, NextChange};
use crate::data::{Customer, Moment, Remapped, Schema, SchemaMap, Table};
use crate::error::Result;
use crate::parallel::map_blocks;
use crate::segmenter::{
    Assignment, Capabilities, Explanation, Persist, Registry, Relabel, Scratch, Segment,
    SegmentIndex, Segmenter, Truth, check_affinities_len, replace_segments,
};

/// Segments that may overlap: a customer is in every one whose rule holds.
///
/// The rules and their evaluation are those of a [`RuleSegmenter`]. As a [`Segmenter`],
/// a book assigns the first segment whose rule holds, and
/// [`affinities_with`](Segmenter::affinities_with) gives 1 to every segment whose rule
/// holds; [`explain`](Segmenter::explain) lays open the rules of all segments.
///
/// A customer is in the rest segment, if there is one, when no rule is True: also when
/// some are Unknown. So membership of the rest is never Unknown.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema, Table};
/// use segmenta::rules::{RuleBook, field};
/// use segmenta::segmenter::Truth;
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("loyal", "Loyal customers", field("orders").ge(3))
///     .segment("member", "Members of the club", field("member").eq(true))
///     .build()?;
///
/// let ann = OwnedCustomer::new(&schema, 1_u64).set("orders", 5.0)?.set("member", true)?;
/// let bob = OwnedCustomer::new(&schema, 2_u64).set("orders", 4.0)?;
/// assert_eq!(book.membership(&ann)?, [Truth::True, Truth::True]);
/// assert_eq!(book.membership(&bob)?, [Truth::True, Truth::Unknown]);
///
/// let counts = book.count(&Table::from_customers(&schema, [&ann, &bob])?)?;
/// assert_eq!((counts[1].members, counts[1].undecided), (1, 1));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RuleBook(CompiledSet);

impl RuleBook {
    /// Starts without segments.
    pub fn builder(schema: &Schema) -> RulesBuilder<RuleBook> {
        RulesBuilder::new(schema)
    }

    pub(super) fn new(set: CompiledSet) -> RuleBook {
        RuleBook(set)
    }

    pub(super) fn compiled(&self) -> &CompiledSet {
        &self.0
    }

    /// The definition, with the segments' current ids and names.
    #[must_use]
    pub fn definition(&self) -> RuleSet {
        self.0.definition()
    }

    /// The same segments at an instant. Rules that test events, or dates by their distance
    /// from today, need one to be asked. This is cheap: the rules are not compiled anew.
    ///
    /// What is saved of a book is its definition, not the instant.
    ///
    /// ```
    /// use segmenta::data::{
    ///     EventLog, FeatureSpec, OwnedCustomer, Schema, Span, StreamSpec, Timestamp,
    /// };
    /// use segmenta::rules::{RuleBook, events};
    /// use segmenta::segmenter::Truth;
    ///
    /// let orders = StreamSpec::new("order", [FeatureSpec::number("amount")]);
    /// let schema = Schema::builder().stream(orders.clone()).build()?;
    /// let lapsed = events("order").count().ge(2)
    ///     & events("order").last(Span::days(90)).count().eq(0);
    /// let book = RuleBook::builder(&schema).segment("lapsed", "Lapsed", lapsed).build()?;
    ///
    /// let day = |n: i64| Timestamp::from_millis(n * 86_400_000);
    /// let log = EventLog::new(&orders, [(day(10), [20.0]), (day(35), [30.0])])?;
    /// let ann = OwnedCustomer::new(&schema, 1).set_events("order", log)?;
    /// assert_eq!(book.at(day(100)).membership(&ann)?, [Truth::False]);
    /// assert_eq!(book.at(day(126)).membership(&ann)?, [Truth::True]);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn at(&self, moment: impl Into<Moment>) -> RuleBook {
        RuleBook(self.0.at(moment.into()))
    }

    /// The first instant after the present one at which the customer is in other segments,
    /// or it becomes open whether she is, if nothing happens until then. None if time
    /// changes nothing more. A host that waits until then, or for the next event, never
    /// misses a change.
    ///
    /// At each instant at which an event enters or leaves a window until then, the tests of
    /// that window are asked again, and all windows are bound anew: so the time it takes is
    /// that of as many evaluations. Changes after [`Timestamp::MAX`](crate::data::Timestamp::MAX)
    /// are not looked for.
    ///
    /// ```
    /// use segmenta::data::{EventLog, OwnedCustomer, Schema, StreamSpec, Timestamp};
    /// use segmenta::rules::RuleBook;
    /// use segmenta::segmenter::Truth;
    ///
    /// let orders = StreamSpec::new("order", []);
    /// let schema = Schema::builder().stream(orders.clone()).build()?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("lapsed", "Lapsed", "not events(order) in last 90d".parse()?)
    ///     .segment("month", "This month", "events(order) in this month".parse()?)
    ///     .build()?;
    /// let last: Timestamp = "2024-05-03T10:00:00Z".parse()?;
    /// let log = EventLog::new(&orders, [(last, [0.0; 0])])?;
    /// let ann = OwnedCustomer::new(&schema, 1).set_events("order", log)?;
    ///
    /// let book = book.at("2024-05-20T00:00:00Z".parse::<Timestamp>()?);
    /// let next = book.next_change(&ann)?.unwrap();
    /// assert_eq!(next.at.to_string(), "2024-06-01T00:00:00Z");
    /// assert_eq!((next.changes[0].segment.get(), next.changes[0].to), (1, Truth::False));
    /// let next = book.at(next.at).next_change(&ann)?.unwrap();
    /// assert_eq!(next.at.to_string(), "2024-08-01T10:00:00.001Z");
    /// assert_eq!((next.changes[0].segment.get(), next.changes[0].to), (0, Truth::True));
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`membership`](RuleBook::membership), also for values that are looked at only
    /// then.
    pub fn next_change(&self, customer: &dyn Customer) -> Result<Option<NextChange>> {
        let Some(mut timeline) = self.0.timeline(customer)? else { return Ok(None) };
        let none = |truths: &[Truth]| Truth::from(!truths.contains(&Truth::True));
        let rest = none(timeline.truths());
        let Some((at, changed)) = timeline.advance()? else { return Ok(None) };
        let truths = timeline.truths();
        let change = |(i, from): (usize, Truth)| MembershipChange {
            segment: SegmentIndex::new(i as u32),
            from,
            to: truths[i],
        };
        let mut changes: Vec<MembershipChange> =
            changed.into_iter().map(change).collect();
        if let Some(segment) = self.0.rest_index()
            && none(truths) != rest
        {
            changes.push(MembershipChange { segment, from: rest, to: none(truths) });
        }
        Ok(Some(NextChange { at, changes }))
    }

    /// Whether the answers depend on the instant at which they are asked for.
    #[must_use]
    pub fn depends_on_time(&self) -> bool {
        self.0.depends_on_time()
    }

    /// The same rules for segments that exclude each other.
    #[must_use]
    pub fn into_segmenter(self) -> RuleSegmenter {
        RuleSegmenter::new(self.0)
    }

    /// All segments of the customer, in their order, into `out`, which is emptied first.
    /// Allocates nothing once `out` has grown, but for `distinct`, and where more than 256
    /// rules refer to each other.
    ///
    /// # Errors
    /// When a value that is looked at cannot be used; the error names the feature.
    pub fn matches_with(
        &self,
        customer: &dyn Customer,
        out: &mut Vec<SegmentIndex>,
    ) -> Result<()> {
        out.clear();
        let context = self.0.context();
        for (i, rule) in self.0.rules.iter().enumerate() {
            if rule.holds(customer, &context)? {
                out.push(SegmentIndex::new(i as u32));
            }
        }
        if out.is_empty() {
            out.extend(self.0.rest_index());
        }
        Ok(())
    }

    /// Whether the customer is in each segment, in their order; Unknown where values are
    /// missing.
    ///
    /// # Errors
    /// When a value that is looked at cannot be used; the error names the feature.
    pub fn membership(&self, customer: &dyn Customer) -> Result<Vec<Truth>> {
        let mut truths = Vec::with_capacity(self.0.segments.len());
        self.0.for_each(customer, &self.0.context(), |truth| truths.push(truth))?;
        Ok(truths)
    }

    /// How many rows are in each segment, in their order. The undecided explain why a
    /// segment may be smaller than expected. The table's schema holds at least the
    /// book's features, in any order.
    ///
    /// # Errors
    /// When a value that is looked at cannot be used, or the table lacks a feature; the
    /// error names the feature, and the row.
    pub fn count(&self, table: &Table<'_>) -> Result<Vec<MembershipCount>> {
        match self.0.batch(table)? {
            Ok(batch) => Ok(batch.count()),
            Err(map) => {
                let memberships = self.row_by_row(table, map.as_ref())?;
                let segments =
                    (0..memberships.n_segments() as u32).map(SegmentIndex::new);
                Ok(segments.map(|segment| memberships.count(segment)).collect())
            }
        }
    }

    /// Which rows are in each segment. The table's schema holds at least the book's
    /// features, in any order.
    ///
    /// # Errors
    /// As [`count`](RuleBook::count).
    pub fn memberships(&self, table: &Table<'_>) -> Result<Memberships> {
        match self.0.batch(table)? {
            Ok(batch) => Ok(batch.memberships()),
            Err(map) => self.row_by_row(table, map.as_ref()),
        }
    }

    /// [`memberships`](RuleBook::memberships), asked of one row after another.
    fn row_by_row(
        &self,
        table: &Table<'_>,
        map: Option<&SchemaMap>,
    ) -> Result<Memberships> {
        let none = || Planes { holds: vec![0; 16], fails: vec![0; 16] };
        let blocks = map_blocks(table.len(), 1024, |rows| -> Result<_> {
            let mut block: Vec<Planes> = self.0.segments.iter().map(|_| none()).collect();
            for (i, at) in rows.clone().enumerate() {
                let mut planes = block.iter_mut();
                let set = |truth| {
                    if let Some(Planes { holds, fails }) = planes.next() {
                        holds[i / 64] |= u64::from(truth == Truth::True) << (i % 64);
                        fails[i / 64] |= u64::from(truth == Truth::False) << (i % 64);
                    }
                };
                let row = table.row(at);
                match map {
                    None => self.0.for_each(&row, &self.0.context(), set),
                    Some(map) => {
                        let row = Remapped::new(&row, map);
                        self.0.for_each(&row, &self.0.context(), set)
                    }
                }
                .map_err(|e| e.at_row(at))?;
            }
            Ok(block)
        });
        let mut planes = vec![Planes::default(); self.0.segments.len()];
        for block in blocks {
            for (all, part) in planes.iter_mut().zip(block?) {
                all.holds.extend(part.holds);
                all.fails.extend(part.fails);
            }
        }
        let n_words = table.len().div_ceil(64);
        for all in &mut planes {
            all.holds.truncate(n_words);
            all.fails.truncate(n_words);
        }
        Ok(Memberships { n_rows: table.len(), planes })
    }
}

impl Segmenter for RuleBook {
    fn schema(&self) -> &Schema {
        &self.0.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.0.segments
    }

    /// The first segment whose rule holds.
    fn assign_with(
        &self,
        customer: &dyn Customer,
        _scratch: &mut Scratch,
    ) -> Result<Assignment> {
        self.0.first_match(customer, &self.0.context())
    }

    /// Every clause of all rules. A clause at which `assign_with` did not look and whose
    /// value cannot be used is Unknown, and its text says why.
    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        self.0.explain(customer, &self.0.context(), true)
    }

    fn assign_table(&self, table: &Table<'_>, out: &mut [Assignment]) -> Result<()> {
        self.0.assign_table(table, out)
    }

    /// 1 for every segment whose rule holds, 0 for others. It looks at more values than
    /// `assign_with`, which stops at the first.
    fn affinities_with(
        &self,
        customer: &dyn Customer,
        _scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        check_affinities_len(self.0.segments.len(), out)?;
        let mut taken = false;
        let context = self.0.context();
        for (rule, place) in self.0.rules.iter().zip(out.iter_mut()) {
            let holds = rule.holds(customer, &context)?;
            taken |= holds;
            *place = f64::from(u8::from(holds));
        }
        if let Some(rest) = self.0.rest_index() {
            out[rest.get()] = f64::from(u8::from(!taken));
        }
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

impl Relabel for RuleBook {
    fn relabel(&mut self, segments: Vec<Segment>) -> Result<()> {
        replace_segments(Arc::make_mut(&mut self.0.segments), segments)?;
        self.0.rename_references();
        Ok(())
    }
}

impl Persist for RuleBook {
    const KIND: &'static str = "segmenta.rule_book";
    const VERSION: u32 = 1;
    type Repr = RulesRepr;

    fn to_repr(&self, _registry: &Registry) -> Result<RulesRepr> {
        Ok(self.0.to_repr())
    }

    fn from_repr(
        repr: RulesRepr,
        schema: Schema,
        _registry: &Registry,
    ) -> Result<RuleBook> {
        CompiledSet::from_repr(Self::KIND, repr, &schema).map(RuleBook)
    }
}
