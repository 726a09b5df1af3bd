//! One customer as events arrive: memberships from what is kept in place of her events.

mod add;
mod code;
mod content;
mod customer;
mod fingerprint;
mod frame;
mod grid;
mod merge;
mod plan;
mod program;
mod ring;
mod saved;
mod sieve;
mod slots;
mod trail;
mod turn;
mod values;
mod view;
mod watch;

use std::sync::Arc;

pub use self::customer::LiveCustomer;
use self::customer::StreamState;
use self::frame::Clock;
pub use self::grid::Granularity;
use self::grid::Grid;
use self::plan::Plan;
pub use self::saved::SavedCustomer;
use self::sieve::Sieve;
use self::trail::Trail;
pub use self::turn::{Cause, LiveChange, LiveScratch};
use self::view::View;
use super::book::RuleBook;
use super::leaf::{Names, fault, is_usable};
use super::set::CompiledSet;
use crate::data::{
    CustomerId, FeatureIndex, FeatureSpec, Moment, OwnedValue, Schema, StreamIndex,
    StreamSpec, Timestamp, Value, Weekday, Zone,
};
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::{Explanation, Segment, Truth};

/// How a [`LiveBook`] counts time.
///
/// ```
/// use segmenta::data::{Span, Weekday, Zone};
/// use segmenta::rules::{Granularity, LiveConfig};
///
/// let config = LiveConfig::new()
///     .granularity(Granularity::Every(Span::hours(1)))
///     .zone(Zone::fixed(120)?)
///     .week_start(Weekday::Sunday);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveConfig {
    granularity: Granularity,
    zone: Zone,
    week_start: Weekday,
}

impl LiveConfig {
    /// Days, in UTC, with weeks that begin on Monday.
    #[must_use]
    pub fn new() -> LiveConfig {
        LiveConfig::default()
    }

    /// States how finely time is counted.
    #[must_use]
    pub fn granularity(mut self, granularity: Granularity) -> LiveConfig {
        self.granularity = granularity;
        self
    }

    /// States the zone whose days count.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> LiveConfig {
        self.zone = zone;
        self
    }

    /// States the day on which weeks begin.
    #[must_use]
    pub fn week_start(mut self, day: Weekday) -> LiveConfig {
        self.week_start = day;
        self
    }
}

/// A [`RuleBook`] for one customer at a time, as events and attributes arrive. In place of
/// her events a [`LiveCustomer`] is kept, and each call says which memberships it has changed. Only what depends on the change is asked again, so that a book
/// of ten thousand rules is as fast as the few of them that an event concerns.
///
/// # What is answered
/// Time is counted in steps of a [`Granularity`]. An event counts as if it had happened at
/// the start of its step, and the clock stands there, too: a millisecond later, so that
/// what happens in a step counts at once. With this, and with nothing else, all answers are
/// those of the book: those of [`book.at(live.moment(&customer))`](RuleBook::at) for a
/// customer whose events lie at the starts of their steps. In the window `last 30d`, counted
/// by days, lie the events of today and of the 29 days before. With steps of 1 ms all answers are
/// exact; the wider the steps, the less is kept.
///
/// Sequences are asked anew with each event that can be part of them, which takes time in
/// proportion to what is kept of them.
///
/// The clock of a customer is the latest instant that was heard of her, be it from an event
/// or from [`advance`](LiveBook::advance). Events may come late, in any order and of any age:
/// the answers are those of the same events in order of time, and within a step in the order
/// in which they came. An event ahead of the host's clock moves the customer's on, for good;
/// a host whose sources have wrong clocks checks them first.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, StreamSpec, Timestamp, Value};
/// use segmenta::rules::{LiveConfig, LiveScratch, RuleBook};
/// use segmenta::segmenter::Truth;
///
/// let orders = StreamSpec::new("order", [FeatureSpec::number("amount")]);
/// let schema = Schema::builder().stream(orders).build()?;
/// let book = RuleBook::builder(&schema)
///     .segment("big", "Big spenders", "events(order).sum(amount) in last 30d >= 100".parse()?)
///     .segment("lapsed", "Lapsed", "not events(order) in last 90d".parse()?)
///     .build()?;
/// let live = book.live(&LiveConfig::new())?;
/// let mut scratch = LiveScratch::new();
///
/// let day = |n: i64| Timestamp::from_millis(n * 86_400_000);
/// let order = schema.require_stream("order")?;
/// let mut ann = live.customer(day(10));
/// assert_eq!(live.membership(&ann, &mut scratch)?, [Truth::False, Truth::True]);
///
/// let changes = live.event(&mut ann, order, day(10), &[Value::Number(60.0)], &mut scratch)?;
/// assert_eq!((changes[0].segment.get(), changes[0].to), (1, Truth::False));
/// let changes = live.event(&mut ann, order, day(20), &[Value::Number(50.0)], &mut scratch)?;
/// assert_eq!((changes[0].segment.get(), changes[0].to), (0, Truth::True));
///
/// // The first order is among the last 30 days until the 39th has passed.
/// assert_eq!(live.due(&ann)?, Some(day(40)));
/// let changes = live.advance(&mut ann, day(40), &mut scratch)?;
/// assert_eq!((changes[0].segment.get(), changes[0].to), (0, Truth::False));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LiveBook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    set: CompiledSet,
    plan: Plan,
    clock: Clock,
    /// The closed levels of features.
    levels: Vec<Option<Arc<Names>>>,
    /// For each stream of the schema.
    sieves: Vec<Sieve>,
    /// Tells customers of books apart that keep other things, …
    layout: u64,
    /// … and of books with other rules.
    rules: u64,
    /// How many rules are True of a customer of whom nothing is known.
    n_true: u32,
    /// Whether rules refer to others.
    has_references: bool,
}

impl RuleBook {
    /// The same segments for one customer at a time, as events arrive. The instant of a book
    /// that was bound with [`at`](RuleBook::at) does not matter, nor do its zone and the start
    /// of its weeks: `config` states them.
    ///
    /// # Errors
    /// When steps have no length, or one of 2⁶³ ms or more, when the calendar of the zone is
    /// [not valid](crate::data::Zone::validate), or when more than 60,000 columns would
    /// have to be kept of one stream: one for each filter, and property, and what is made of it.
    pub fn live(&self, config: &LiveConfig) -> Result<LiveBook> {
        LiveBook::new(self.compiled(), config)
    }
}

impl LiveBook {
    fn new(set: &CompiledSet, config: &LiveConfig) -> Result<LiveBook> {
        let LiveConfig { granularity, zone, week_start } = config;
        zone.validate()?;
        let grid = Grid::new(*granularity, zone).ok_or_else(|| {
            let expected = "steps of at least 1 ms, and of fewer than 2^63";
            Error::parameter("granularity", expected, format!("{granularity:?}"))
        })?;
        let moment = Moment::new(Timestamp::from_millis(0));
        let moment = moment.zone(zone.clone()).week_start(*week_start);
        let plan = Plan::new(set, &moment);
        let parts = plan.streams.iter().flat_map(|s| [&s.moving, &s.fixed]);
        if let Some(n) = parts.map(|p| p.columns.len()).find(|&n| n > MAX_COLUMNS) {
            let expected = format!("at most {MAX_COLUMNS} different columns of a stream");
            return Err(Error::parameter("rules", expected, n));
        }
        let names = |spec: &FeatureSpec| {
            let levels = spec.get_levels();
            let names = || Arc::new(Names::new(levels.iter().map(String::as_str)));
            (!levels.is_empty()).then(names)
        };
        let sieve = |(stream, place): (&StreamSpec, &Option<usize>)| {
            let mut sieve = Sieve::new(stream.properties().iter().map(names).collect());
            if let Some(at) = *place {
                sieve.fill(&plan.streams[at].filters);
            }
            sieve
        };
        let streams = set.schema.streams().iter().zip(&plan.stream_places);
        let mut inner = Inner {
            levels: set.schema.features().iter().map(names).collect(),
            sieves: streams.map(sieve).collect(),
            layout: 0,
            rules: 0,
            n_true: 0,
            has_references: set.rules.iter().any(|rule| !rule.segments.is_empty()),
            clock: Clock::new(grid, moment),
            plan,
            set: CompiledSet { bound: None, ..set.clone() },
        };
        inner.layout = fingerprint::layout(&inner, *granularity);
        inner.rules = fingerprint::rules(&inner);
        let mut book = LiveBook(Arc::new(inner));
        // Nothing is known, so that time changes nothing.
        let nobody = book.customer(Timestamp::from_millis(0));
        let n_true = book.count_true(&nobody, &mut LiveScratch::new())?;
        if let Some(inner) = Arc::get_mut(&mut book.0) {
            inner.n_true = n_true;
        }
        Ok(book)
    }

    fn is(&self, other: &LiveBook) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The schema through which customers are seen.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.0.set.schema
    }

    /// The segments, in the order of the book.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0.set.segments
    }

    /// A customer of whom nothing is known yet. An instant beyond the calendar is the end of it.
    #[must_use]
    pub fn customer(&self, now: Timestamp) -> LiveCustomer {
        let now = now.clamp(Timestamp::MIN, Timestamp::MAX);
        let Inner { plan, clock, rules, n_true, .. } = &*self.0;
        LiveCustomer {
            book: *rules,
            tick: clock.grid.tick(now.as_millis()),
            due: i64::MAX,
            n_true: *n_true,
            attributes: {
                let features = plan.features.iter().map(|_| OwnedValue::Missing);
                features.chain(plan.slots.blank()).collect()
            },
            streams: plan.streams.iter().map(StreamState::new).collect(),
            trails: vec![Trail::default(); plan.slots.trails().len()].into(),
        }
    }

    /// The instant of a customer's answers: at which [`RuleBook::at`] gives the same.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn moment(&self, customer: &LiveCustomer) -> Result<Moment> {
        self.check(customer)?;
        Ok(self.0.clock.moment(customer.tick))
    }

    /// The step in which an instant lies, by its start: when an event of that time counts as
    /// having happened. It is never before [`Timestamp::MIN`], and days have the start that the
    /// zone gives them, which on the first day of the calendar may be a later one.
    #[must_use]
    pub fn step_of(&self, at: Timestamp) -> Timestamp {
        let grid = &self.0.clock.grid;
        Timestamp::from_millis(grid.start(grid.tick(at.as_millis())))
    }

    /// The start of the step at which the customer's clock stands.
    pub(in crate::rules) fn clock(&self, customer: &LiveCustomer) -> Result<Timestamp> {
        self.check(customer)?;
        Ok(Timestamp::from_millis(self.0.clock.grid.start(customer.tick)))
    }

    /// The start of the first step that begins at an instant or after it; nothing beyond the
    /// calendar.
    pub(in crate::rules) fn first_step_from(&self, at: Timestamp) -> Option<Timestamp> {
        let grid = &self.0.clock.grid;
        let tick = at.is_in_calendar().then(|| grid.next(at.as_millis()))?;
        let start = (tick < i64::MAX).then(|| grid.start(tick))?;
        Some(Timestamp::from_millis(start)).filter(|at| at.is_in_calendar())
    }

    /// Before this instant time alone changes nothing; none if it never does. It lies ahead of
    /// the customer's clock. A host that calls [`advance`](LiveBook::advance) then misses no
    /// change. It may be that nothing has changed then.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn due(&self, customer: &LiveCustomer) -> Result<Option<Timestamp>> {
        self.check(customer)?;
        let dues = customer.streams.iter().map(|stream| stream.due);
        let dues = dues.chain(customer.trails.iter().map(|trail| trail.due));
        let due = dues.fold(customer.due, i64::min);
        let grid = &self.0.clock.grid;
        let start = (due < i64::MAX).then(|| grid.start(due));
        // On the last day of the calendar there is no next one.
        let start = start.filter(|&at| at > grid.start(customer.tick));
        Ok(start.map(Timestamp::from_millis).filter(|at| at.is_in_calendar()))
    }

    /// Lets time pass, and gives the memberships that this changes. An instant in the past
    /// changes nothing.
    ///
    /// # Errors
    /// When the customer is of another book, or the instant lies beyond the calendar.
    pub fn advance<'s>(
        &self,
        customer: &mut LiveCustomer,
        now: Timestamp,
        scratch: &'s mut LiveScratch,
    ) -> Result<&'s [LiveChange]> {
        self.check(customer)?;
        let tick = self.tick(now, "now")?;
        scratch.of(self);
        self.0.pass(customer, tick, scratch);
        Ok(&scratch.changes)
    }

    /// Adds an event with a value for each property of its stream, in their order, and gives
    /// the memberships that this changes: first, of cause [`Cause::Time`], what time had
    /// changed until then, if the event is later than what was known.
    ///
    /// # Errors
    /// When the customer is of another book, the schema has no such stream, the time lies
    /// beyond the calendar, there are more or fewer values than properties, or a value cannot
    /// be used. Then nothing is changed.
    pub fn event<'s>(
        &self,
        customer: &mut LiveCustomer,
        stream: StreamIndex,
        time: Timestamp,
        values: &[Value<'_>],
        scratch: &'s mut LiveScratch,
    ) -> Result<&'s [LiveChange]> {
        let tick = self.check_event(customer, stream, time, values, scratch)?;
        let inner = &*self.0;
        inner.tidy(customer, stream);
        inner.pass(customer, tick, scratch);
        inner.add(customer, stream, tick, values, scratch);
        Ok(&scratch.changes)
    }

    /// Whether an [`event`](LiveBook::event) can be taken in, and in which step. Nothing has
    /// changed then.
    pub(in crate::rules) fn check_event(
        &self,
        customer: &LiveCustomer,
        stream: StreamIndex,
        time: Timestamp,
        values: &[Value<'_>],
        scratch: &mut LiveScratch,
    ) -> Result<i64> {
        self.check(customer)?;
        let inner = &*self.0;
        let Some(spec) = inner.set.schema.streams().get(stream.get()) else {
            let n = inner.set.schema.streams().len();
            return Err(Error::parameter("stream", format!("below {n}"), stream.get()));
        };
        if values.len() != spec.properties().len() {
            let what = format!("the list of values of an event of `{}`", spec.name());
            return Err(Error::length(what, spec.properties().len(), values.len()));
        }
        let tick = self.tick(time, "time of the event")?;
        scratch.of(self);
        inner.sift(stream, spec, values, scratch)?;
        Ok(tick)
    }

    /// Sets the value of a feature, and gives the memberships that this changes.
    ///
    /// # Errors
    /// When the customer is of another book, the schema has no such feature, or the value
    /// cannot be used. Then nothing is changed.
    pub fn set<'s>(
        &self,
        customer: &mut LiveCustomer,
        feature: FeatureIndex,
        value: Value<'_>,
        scratch: &'s mut LiveScratch,
    ) -> Result<&'s [LiveChange]> {
        self.check(customer)?;
        let inner = &*self.0;
        let spec = inner.set.schema.get(feature);
        let Some((spec, levels)) = spec.zip(inner.levels.get(feature.get())) else {
            let n = inner.set.schema.len();
            return Err(Error::parameter("feature", format!("below {n}"), feature.get()));
        };
        if !is_usable(spec.kind(), levels.as_deref(), &value) {
            return Err(fault(spec, value));
        }
        inner.check_place(feature, value)?;
        scratch.of(self);
        // Other features change nothing.
        if let Some(place) = inner.plan.feature_places[feature.get()] {
            inner.set(customer, place, value.to_owned(), scratch);
        }
        Ok(&scratch.changes)
    }

    /// States who the customer is, and gives the memberships that this changes: those that are
    /// drawn by a [`bucket`](super::BucketTest). Before, what is drawn is missing.
    ///
    /// ```
    /// use segmenta::data::{Schema, Timestamp};
    /// use segmenta::rules::{LiveConfig, LiveScratch, RuleBook, bucket};
    /// use segmenta::segmenter::Truth;
    ///
    /// let book = RuleBook::builder(&Schema::new([])?)
    ///     .segment("half", "One half", bucket("spring").lt(0.5))
    ///     .build()?;
    /// let live = book.live(&LiveConfig::new())?;
    /// let mut scratch = LiveScratch::new();
    /// let mut ann = live.customer(Timestamp::from_millis(0));
    /// assert_eq!(live.membership(&ann, &mut scratch)?, [Truth::Unknown]);
    /// let changes = live.identify(&mut ann, 0, &mut scratch)?;
    /// assert_eq!(changes[0].to, Truth::True);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn identify<'s, 'i>(
        &self,
        customer: &mut LiveCustomer,
        id: impl Into<CustomerId<'i>>,
        scratch: &'s mut LiveScratch,
    ) -> Result<&'s [LiveChange]> {
        self.check(customer)?;
        scratch.of(self);
        self.0.identify(customer, id.into(), scratch);
        Ok(&scratch.changes)
    }

    /// Whether the customer is in each segment, in their order: all rules are asked.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn membership(
        &self,
        customer: &LiveCustomer,
        scratch: &mut LiveScratch,
    ) -> Result<Vec<Truth>> {
        self.check(customer)?;
        let mut truths = Vec::with_capacity(self.0.set.segments.len());
        self.view(customer, scratch, |view| {
            self.0.set.for_each(view, &self.0.set.context().with(view), |truth| {
                truths.push(truth);
            })
        })?;
        Ok(truths)
    }

    /// Every clause of all rules, with what is observed.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn explain(
        &self,
        customer: &LiveCustomer,
        scratch: &mut LiveScratch,
    ) -> Result<Explanation> {
        self.check(customer)?;
        self.view(customer, scratch, |view| {
            self.0.set.explain(view, &self.0.set.context().with(view), true)
        })
    }

    fn count_true(
        &self,
        customer: &LiveCustomer,
        scratch: &mut LiveScratch,
    ) -> Result<u32> {
        let truths = self.membership(customer, scratch)?;
        let rules = &truths[..self.0.set.rules.len()];
        Ok(rules.iter().filter(|truth| truth.is_true()).count() as u32)
    }

    /// Shows a customer as rules see her.
    fn view<T>(
        &self,
        customer: &LiveCustomer,
        scratch: &mut LiveScratch,
        show: impl FnOnce(&View<'_>) -> Result<T>,
    ) -> Result<T> {
        let Inner { plan, clock, .. } = &*self.0;
        scratch.of(self);
        scratch.frames.go_to(plan, clock, customer.tick);
        let frame = &scratch.frames.now;
        show(&View { plan, clock, customer, frame })
    }

    fn check(&self, customer: &LiveCustomer) -> Result<()> {
        if customer.book == self.0.rules {
            Ok(())
        } else {
            Err(Error::undefined("the customer", "she belongs to another book"))
        }
    }

    pub(in crate::rules) fn tick(
        &self,
        at: Timestamp,
        what: &'static str,
    ) -> Result<i64> {
        if at.is_in_calendar() {
            return Ok(self.0.clock.grid.tick(at.as_millis()));
        }
        let expected = format!("a {what} in the calendar").into();
        Err(ErrorKind::Value { expected, found: at.to_string(), row: None }.into())
    }
}

/// Columns of one stream have numbers of 16 bits.
const MAX_COLUMNS: usize = 60_000;
