//! The kernel of behaviour: one aggregate of one customer's events.

use std::ops::Range;
use std::sync::Arc;

use super::compile::Compiled;
use super::context::Context;
use super::decay::Decay;
use super::event::Aggregate;
use super::leaf::{Names, fault, is_usable};
use super::window::Bound;
use crate::data::{
    Customer, CustomerId, Date, Events, FeatureIndex, FeatureSpec, Moment, Schema,
    StreamIndex, StreamSpec, Timestamp, Value,
};
use crate::error::{Error, ErrorKind, Result};
use crate::exact::ExactSum;

/// An aggregate over the events of a stream, resolved against the schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Behaviour {
    pub(super) stream: StreamIndex,
    /// A rule over the properties of an event; absent for all events.
    pub(super) filter: Option<Arc<Compiled>>,
    pub(super) summary: Summary,
    /// What is aggregated.
    pub(super) property: Option<Property>,
    /// Place among the windows of all rules.
    pub(super) window: u32,
    /// The aggregate, as if it were a feature.
    pub(super) spec: FeatureSpec,
    /// Place among the different aggregates of all rules.
    pub(super) place: u32,
}

/// What tells one aggregate from another: the stream, the filter as it is written, what is
/// made of which property, and the window.
pub(super) type AggregateKey =
    (StreamIndex, Option<String>, Summary, Option<FeatureIndex>, u32);

/// The different aggregates of rules, by their places.
pub(super) fn aggregates(rules: &[Compiled]) -> impl Iterator<Item = &Behaviour> {
    // Places are given in the order in which rules are checked.
    let mut next = 0;
    rules.iter().flat_map(|rule| rule.behaviours.iter()).filter(move |behaviour| {
        let is_new = behaviour.place == next;
        next += u32::from(is_new);
        is_new
    })
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Property {
    pub(super) feature: FeatureIndex,
    pub(super) spec: FeatureSpec,
    /// The levels, if they are closed.
    pub(super) levels: Option<Arc<Names>>,
}

/// An [`Aggregate`] without its property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Summary {
    Count,
    Sum,
    Average,
    Min,
    Max,
    Distinct,
    First,
    Last,
    FirstDay,
    LastDay,
    ActiveDays,
    /// A count in which events are worth less with their age.
    Decayed(Decay),
}

impl Summary {
    pub(super) fn of(aggregate: &Aggregate) -> Summary {
        match aggregate {
            Aggregate::Count => Summary::Count,
            Aggregate::Sum(_) => Summary::Sum,
            Aggregate::Average(_) => Summary::Average,
            Aggregate::Min(_) => Summary::Min,
            Aggregate::Max(_) => Summary::Max,
            Aggregate::Distinct(_) => Summary::Distinct,
            Aggregate::First(_) => Summary::First,
            Aggregate::Last(_) => Summary::Last,
            Aggregate::FirstDay => Summary::FirstDay,
            Aggregate::LastDay => Summary::LastDay,
            Aggregate::ActiveDays => Summary::ActiveDays,
        }
    }

    /// Whether the aggregate of no events is missing.
    pub(super) fn may_be_missing(self) -> bool {
        !matches!(
            self,
            Summary::Count
                | Summary::Sum
                | Summary::Distinct
                | Summary::ActiveDays
                | Summary::Decayed(_)
        )
    }
}

/// One event, as what a filter asks.
pub(super) struct Event<'e> {
    pub(super) events: Events<'e>,
    pub(super) at: usize,
}

impl Customer for Event<'_> {
    fn id(&self) -> CustomerId<'_> {
        CustomerId::Number(self.at as u64)
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        self.events.property(self.at, feature)
    }
}

impl Behaviour {
    /// The aggregate of a customer's events. Allocates nothing, but for `distinct`.
    ///
    /// # Errors
    /// When no instant is bound, events are not ordered or lie beyond the calendar, or a
    /// property that is looked at cannot be used.
    pub(super) fn value<'c, C: Customer + ?Sized>(
        &self,
        stream: &StreamSpec,
        customer: &'c C,
        bound: Option<&Bound>,
    ) -> Result<Value<'c>> {
        let bound = bound.ok_or_else(unbound)?;
        let window = bound.events(self.window);
        let events = customer.events(self.stream);
        let (stream, n_properties) = (stream.name(), stream.properties().len());
        check_events(stream, n_properties, &events)?;
        let rows = within(events.times(), &window);
        let moment = &bound.moment;
        let Some(filter) = &self.filter else {
            return self
                .aggregate(&events, rows, moment)
                .map_err(|e| e.of_stream(stream));
        };
        let context = Context::new(Some(bound));
        // The iterators below cannot break off, so that the first error is kept.
        let mut error = None;
        let passing = rows.filter(|&at| {
            filter.holds(&Event { events, at }, &context).unwrap_or_else(|e| {
                error.get_or_insert(e);
                false
            })
        });
        let value = self.aggregate(&events, passing, moment);
        error.map_or(value, Err).map_err(|e| e.of_stream(stream))
    }

    /// Tells the times of the events in the window that pass the filter, in milliseconds.
    ///
    /// # Errors
    /// As [`value`](Behaviour::value).
    pub(super) fn for_each<C: Customer + ?Sized>(
        &self,
        schema: &Schema,
        customer: &C,
        bound: &Bound,
        mut tell: impl FnMut(i64),
    ) -> Result<()> {
        // A behaviour's stream is one of the schema's.
        let Some(stream) = schema.streams().get(self.stream.get()) else { return Ok(()) };
        let window = bound.events(self.window);
        let events = customer.events(self.stream);
        check_events(stream.name(), stream.properties().len(), &events)?;
        let context = Context::new(Some(bound));
        for at in within(events.times(), &window) {
            let passes = self
                .filter
                .as_ref()
                .map_or(Ok(true), |filter| filter.holds(&Event { events, at }, &context));
            if passes.map_err(|e| e.of_stream(stream.name()))? {
                tell(events.times()[at].as_millis());
            }
        }
        Ok(())
    }

    /// The aggregate of the events at these positions, which ascend.
    pub(super) fn aggregate<'e>(
        &self,
        events: &Events<'e>,
        mut rows: impl DoubleEndedIterator<Item = usize>,
        moment: &Moment,
    ) -> Result<Value<'e>> {
        let times = events.times();
        let day = |at: usize| moment.get_zone().date_of(times[at]);
        let number = |n: usize| Value::Number(n as f64);
        match (self.summary, &self.property) {
            (Summary::FirstDay, _) => Ok(rows.next().map(day).into()),
            (Summary::LastDay, _) => Ok(rows.next_back().map(day).into()),
            (Summary::ActiveDays, _) => {
                let mut last: Option<Date> = None;
                let mut n = 0;
                for at in rows {
                    let today = Some(day(at));
                    n += usize::from(today != last);
                    last = today;
                }
                Ok(number(n))
            }
            (Summary::Decayed(decay), _) => {
                let now = moment.now().as_millis();
                let mut sum = ExactSum::new();
                for at in rows {
                    sum.add(decay.left(now.abs_diff(times[at].as_millis())));
                }
                Ok(Value::Number(sum.value()))
            }
            (Summary::Count, _) | (_, None) => Ok(number(rows.count())),
            (Summary::First, Some(property)) => {
                rows.next().map_or(Ok(Value::Missing), |at| property.value(events, at))
            }
            (Summary::Last, Some(property)) => rows
                .next_back()
                .map_or(Ok(Value::Missing), |at| property.value(events, at)),
            (Summary::Sum | Summary::Average, Some(property)) => {
                let (sum, n) = property.sum(events, rows)?;
                Ok(match (self.summary, n) {
                    (Summary::Sum, _) => Value::Number(sum),
                    (_, 0) => Value::Missing,
                    (_, n) => Value::Number(sum / n as f64),
                })
            }
            (Summary::Min, Some(property)) => {
                property.best(events, rows, |new, old| new < old)
            }
            (Summary::Max, Some(property)) => {
                property.best(events, rows, |new, old| new > old)
            }
            (Summary::Distinct, Some(property)) => {
                let mut keys = Vec::new();
                for at in rows {
                    keys.extend(distinct_key(property.value(events, at)?));
                }
                keys.sort_unstable();
                keys.dedup();
                Ok(number(keys.len()))
            }
        }
    }
}

impl Property {
    /// The property of an event, checked.
    pub(super) fn value<'e>(&self, events: &Events<'e>, at: usize) -> Result<Value<'e>> {
        let value = events.property(at, self.feature);
        if is_usable(self.spec.kind(), self.levels.as_deref(), &value) {
            Ok(value)
        } else {
            Err(fault(&self.spec, value))
        }
    }

    /// The sum of the numbers that are there, and how many there are.
    fn sum(
        &self,
        events: &Events<'_>,
        rows: impl Iterator<Item = usize>,
    ) -> Result<(f64, usize)> {
        // Up to two numbers are added without an error that matters.
        let (mut first, mut n, mut all) = ([0.0; 2], 0, None);
        for at in rows {
            let Value::Number(x) = self.value(events, at)? else { continue };
            match first.get_mut(n) {
                Some(place) => *place = x,
                None => all
                    .get_or_insert_with(|| {
                        let mut sum = ExactSum::new();
                        first.iter().for_each(|&x| sum.add(x));
                        sum
                    })
                    .add(x),
            }
            n += 1;
        }
        // Adding 0 leaves no -0.
        let sum = all.map_or(first[0] + first[1] + 0.0, |sum| sum.value());
        Ok((sum.clamp(f64::MIN, f64::MAX), n))
    }

    /// The value that is better than all others.
    fn best<'e>(
        &self,
        events: &Events<'e>,
        rows: impl Iterator<Item = usize>,
        better: impl Fn(f64, f64) -> bool,
    ) -> Result<Value<'e>> {
        let rank = |value: &Value<'_>| match value {
            Value::Number(x) => Some(*x),
            Value::Date(date) => Some(f64::from(date.days_since_epoch())),
            _ => None,
        };
        let mut best = (Value::Missing, 0.0);
        for at in rows {
            let value = self.value(events, at)?;
            if let Some(new) = rank(&value)
                && (best.0.is_missing() || better(new, best.1))
            {
                best = (value, new);
            }
        }
        Ok(best.0)
    }
}

/// What tells values of one property apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DistinctKey<'e> {
    Bits(u64),
    Name(&'e str),
}

pub(super) fn distinct_key(value: Value<'_>) -> Option<DistinctKey<'_>> {
    match value {
        // Adding 0 makes -0 and 0 one.
        Value::Number(x) => Some(DistinctKey::Bits((x + 0.0).to_bits())),
        Value::Flag(x) => Some(DistinctKey::Bits(u64::from(x))),
        Value::Category(name) => Some(DistinctKey::Name(name)),
        Value::Date(date) => Some(DistinctKey::Bits(date.days_since_epoch() as u64)),
        Value::Missing | Value::Tags(_) => None,
    }
}

/// The positions of the events in a window.
pub(super) fn within(times: &[Timestamp], window: &Range<i64>) -> Range<usize> {
    let before = |instant: i64| times.partition_point(|t| t.as_millis() < instant);
    let from = before(window.start);
    from..before(window.end).max(from)
}

/// Checks what a table checks when it is built.
pub(super) fn check_events(
    stream: &str,
    n_properties: usize,
    events: &Events<'_>,
) -> Result<()> {
    let times = events.times();
    if let Some(property) = events.short_column(n_properties) {
        return Err(ErrorKind::Value {
            expected: format!("a column of each property of `{stream}` with all events")
                .into(),
            found: format!("property {property}"),
            row: None,
        }
        .into());
    }
    if !events.is_ordered() {
        let late = times.windows(2).find(|pair| pair[0] > pair[1]);
        return Err(ErrorKind::Value {
            expected: format!("at or after the event of `{stream}` before it").into(),
            found: late.map_or(String::new(), |pair| format!("time {}", pair[1])),
            row: None,
        }
        .into());
    }
    let ends = [times.first(), times.last()].into_iter().flatten();
    match ends.into_iter().find(|time| !time.is_in_calendar()) {
        Some(far) => Err(ErrorKind::Value {
            expected: format!("a time of `{stream}` in the calendar").into(),
            found: far.to_string(),
            row: None,
        }
        .into()),
        None => Ok(()),
    }
}

#[cold]
pub(super) fn unbound() -> Error {
    let expected = "stated with `at`, since the rules depend on time";
    Error::parameter("now", expected, "absent")
}
