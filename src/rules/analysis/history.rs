//! What is known of aggregates of one stream: which events of one are events of another.

use std::collections::{BTreeMap, BTreeSet};

use super::encode::Encoding;
use super::model::Model;
use super::solver::Outcome;
use super::windows::is_within;
use crate::data::{FeatureIndex, StreamIndex};
use crate::rules::batch::graph::Signal;
use crate::rules::behaviour::{Behaviour, Summary};
use crate::rules::compile::Compiled;
use crate::rules::window::Bounds;

/// Filters of one stream that are compared with each other. Beyond, a filter is only
/// known to imply itself.
const MOST_FILTERS: usize = 64;

/// The work that one such comparison is worth.
const MOST_STEPS: u64 = 5_000;

/// Which events there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventSet {
    pub(super) stream: StreamIndex,
    /// Place among the filters of the stream.
    pub(super) filter: Option<u32>,
    pub(super) window: u32,
}

/// An aggregate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occurrence {
    pub(super) events: EventSet,
    pub(super) summary: Summary,
    pub(super) property: Option<FeatureIndex>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    occurrences: BTreeMap<u32, Occurrence>,
    windows: Vec<Bounds>,
    /// Filters of a stream of which the first implies the second.
    implied: BTreeSet<(StreamIndex, u32, u32)>,
    /// Filters that no event passes.
    never: BTreeSet<(StreamIndex, u32)>,
    /// Streams whose filters were not all compared.
    partial: BTreeSet<StreamIndex>,
}

impl History {
    pub(super) fn new(
        aggregates: &BTreeMap<u32, &Behaviour>,
        windows: &[Bounds],
        most: u64,
    ) -> History {
        let mut left = most;
        let mut history = History { windows: windows.to_vec(), ..History::default() };
        let mut filters: BTreeMap<StreamIndex, BTreeMap<String, (u32, &Compiled)>> =
            BTreeMap::new();
        for (&place, behaviour) in aggregates {
            let stream = behaviour.stream;
            let filter = behaviour.filter.as_deref().map(|filter| {
                let known = filters.entry(stream).or_default();
                let next = known.len() as u32;
                known.entry(filter.rule.to_string()).or_insert((next, filter)).0
            });
            let events = EventSet { stream, filter, window: behaviour.window };
            let property = behaviour.property.as_ref().map(|property| property.feature);
            let occurrence = Occurrence { events, summary: behaviour.summary, property };
            history.occurrences.insert(place, occurrence);
        }
        for (stream, filters) in filters {
            let mut rules: Vec<(u32, &Compiled)> = filters.into_values().collect();
            rules.sort_unstable_by_key(|(place, _)| *place);
            let rules: Vec<&Compiled> = rules.into_iter().map(|(_, rule)| rule).collect();
            history.compare(stream, &rules, &mut left);
        }
        history
    }

    /// Learns which filters imply which.
    fn compare(&mut self, stream: StreamIndex, filters: &[&Compiled], left: &mut u64) {
        let order: Vec<u32> = (0..filters.len() as u32).collect();
        let model = Model::new(filters, &order, &[], [0, MOST_STEPS]);
        let holds = |at: u32| model.rules[at as usize].answers.holds;
        let mut is_whole = filters.len() <= MOST_FILTERS;
        let mut is_impossible = |question: &[Signal]| {
            if *left == 0 {
                is_whole = false;
                return false;
            }
            let mut encoding = Encoding::new(&model, question);
            let outcome = encoding.ask(question, MOST_STEPS);
            *left = left.saturating_sub(encoding.solver.steps());
            is_whole &= outcome != Outcome::Spent && encoding.is_whole;
            matches!(outcome, Outcome::Impossible(_))
        };
        for &a in &order {
            if is_impossible(&[holds(a)]) {
                self.never.insert((stream, a));
            }
            if filters.len() > MOST_FILTERS {
                continue;
            }
            for &b in order.iter().filter(|&&b| b != a) {
                if is_impossible(&[holds(a), !holds(b)]) {
                    self.implied.insert((stream, a, b));
                }
            }
        }
        if !is_whole {
            self.partial.insert(stream);
        }
    }

    pub(super) fn get(&self, place: u32) -> Option<&Occurrence> {
        self.occurrences.get(&place)
    }

    pub(super) fn window(&self, events: &EventSet) -> Option<&Bounds> {
        self.windows.get(events.window as usize)
    }

    /// Whether all events of the first are events of the second.
    pub(super) fn is_within(&self, inner: &EventSet, outer: &EventSet) -> bool {
        let passes = match (inner.filter, outer.filter) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a == b || self.implied.contains(&(inner.stream, a, b)),
        };
        inner.stream == outer.stream
            && passes
            && (inner.window == outer.window
                || self
                    .window(inner)
                    .zip(self.window(outer))
                    .is_some_and(|(a, b)| is_within(a, b)))
    }

    /// Whether it is known if the filters of these events imply each other.
    pub(super) fn is_compared(&self, a: &EventSet, b: &EventSet) -> bool {
        a.stream != b.stream
            || a.filter == b.filter
            || a.filter.is_none()
            || b.filter.is_none()
            || !self.partial.contains(&a.stream)
    }

    /// Whether there are no events, whoever the customer is.
    pub(super) fn is_empty(&self, events: &EventSet) -> bool {
        events.filter.is_some_and(|filter| self.never.contains(&(events.stream, filter)))
    }
}

/// Whether the first aggregate is at most the second wherever both are there, if the
/// events of the one are among those of the other.
pub(super) fn is_at_most(inner: &Occurrence, outer: &Occurrence) -> bool {
    use Summary::{ActiveDays, Count, Distinct, FirstDay, LastDay, Max, Min};
    let same_property = inner.property == outer.property;
    match (inner.summary, outer.summary) {
        (Count | ActiveDays | Distinct, Count) | (ActiveDays, ActiveDays) => true,
        (Distinct, Distinct) => same_property,
        // Any value of an event lies between the least and the greatest of more events.
        (Min | Max | Summary::First | Summary::Last, Max) => same_property,
        (FirstDay | LastDay, LastDay) => true,
        _ => false,
    }
}

/// The same, if the events of the second are among those of the first.
pub(super) fn is_at_most_inner(outer: &Occurrence, inner: &Occurrence) -> bool {
    use Summary::{FirstDay, LastDay, Max, Min};
    match (outer.summary, inner.summary) {
        (Min, Min | Max | Summary::First | Summary::Last) => {
            outer.property == inner.property
        }
        (FirstDay, FirstDay | LastDay) => true,
        _ => false,
    }
}
