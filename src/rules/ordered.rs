//! The kernel of sequences: whether a customer's events have an order.

use std::sync::Arc;

use super::behaviour::{
    DistinctKey, Event, Property, check_events, distinct_key, within as rows_within,
};
use super::compile::Compiled;
use super::context::Context;
use super::window::Bound;
use crate::data::{Customer, Schema, StreamIndex};
use crate::error::Result;

/// A sequence, resolved against the schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ordered {
    pub(super) shape: Shape,
    /// The streams of the steps, each once.
    pub(super) streams: Box<[Source]>,
    /// Place among the windows of all rules.
    pub(super) window: u32,
    /// Whether all events have a property in common.
    pub(super) is_same: bool,
}

/// What of a stream a sequence looks at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub(super) stream: StreamIndex,
    /// The property that all events have in common.
    pub(super) same: Option<Property>,
    /// The filters of its steps, each once, and a bit for each step.
    pub(super) filters: Box<[(Option<Arc<Compiled>>, u32)]>,
}

/// The steps of a sequence, without what they are steps of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    /// Those that are not denied, in their order.
    stages: Box<[Stage]>,
}

/// A step that is not denied, and those that are denied after it.
#[derive(Clone, Debug, PartialEq)]
struct Stage {
    /// The bit of the step.
    bit: u32,
    /// How many milliseconds after the stage before, at most.
    within: i64,
    /// The bits of the steps that are denied for ever, …
    denied: u32,
    /// … and of others, with the milliseconds for which they are.
    denied_within: Vec<(u32, i64)>,
}

/// A step, as a shape sees it: whether it is denied, and how many milliseconds after the one
/// before it comes, at most.
pub(super) type StepOfShape = (bool, Option<u64>);

/// An event: its time, and a bit for each step that it can be.
pub(super) type Occurrence = (i64, u32);

/// Working memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    /// For each stage, the times at which the steps up to it can be complete, ascending, and
    /// nothing that is denied has happened since.
    complete: Vec<Vec<i64>>,
}

/// The number of steps that a sequence may have.
pub(super) const MAX_STEPS: usize = 32;

impl Shape {
    /// The first step is not denied.
    pub(super) fn new(steps: &[StepOfShape]) -> Shape {
        let mut stages: Vec<Stage> = Vec::new();
        for (at, &(is_denied, within)) in steps.iter().enumerate() {
            let bit = 1 << at;
            let millis = within.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
            match (stages.last_mut(), is_denied, millis) {
                (Some(stage), true, Some(millis)) => {
                    stage.denied_within.push((bit, millis));
                }
                (Some(stage), true, None) => stage.denied |= bit,
                (..) => stages.push(Stage {
                    bit,
                    within: millis.unwrap_or(i64::MAX),
                    denied: 0,
                    denied_within: Vec::new(),
                }),
            }
        }
        Shape { stages: stages.into() }
    }

    /// Milliseconds after an event of the last stage at which the answer may change although
    /// nothing happens.
    pub(super) fn delays(&self) -> impl Iterator<Item = i64> {
        let last = self.stages.last().map(|stage| &stage.denied_within[..]);
        last.unwrap_or_default().iter().map(|&(_, millis)| millis)
    }

    /// The bit of the last step that is not denied.
    pub(super) fn last_bit(&self) -> u32 {
        self.stages.last().map_or(0, |stage| stage.bit)
    }

    /// Whether events have the order of the steps. They ascend by time, and all lie before
    /// `end`, up to which a last step can be denied.
    ///
    /// For each stage the times are kept at which it can be complete. Whatever comes next, a
    /// later one is the better of two that nothing denies any more: the time that may pass
    /// until the next step is longer, and less happens in between. So a step looks at the last
    /// one only, and an event that is denied takes away some from the end. Each time is added once and
    /// taken away once.
    pub(super) fn holds(
        &self,
        occurrences: impl IntoIterator<Item = Occurrence>,
        end: i64,
        open: &mut Open,
    ) -> bool {
        let complete = &mut open.complete;
        complete.resize_with(self.stages.len().max(complete.len()), Vec::new);
        complete.iter_mut().for_each(Vec::clear);
        let Some(last) = self.stages.last() else { return false };
        let is_decided = last.denied == 0 && last.denied_within.is_empty();
        let mut occurrences = occurrences.into_iter().peekable();
        while let Some((time, mut bits)) = occurrences.next() {
            // What happens at one instant is in no order.
            while let Some((_, more)) = occurrences.next_if(|next| next.0 == time) {
                bits |= more;
            }
            let mut reached = 0;
            for (at, stage) in self.stages.iter().enumerate() {
                let is_after = || match at.checked_sub(1) {
                    None => true,
                    Some(before) => complete[before]
                        .last()
                        .is_some_and(|&past| time.saturating_sub(past) <= stage.within),
                };
                if bits & stage.bit != 0 && is_after() {
                    reached |= stage.bit;
                }
            }
            if is_decided && reached & last.bit != 0 {
                return true;
            }
            for (stage, complete) in self.stages.iter().zip(complete.iter_mut()) {
                if bits & stage.denied != 0 {
                    complete.clear();
                }
                for &(bit, millis) in &stage.denied_within {
                    if bits & bit != 0 {
                        let safe = |&past: &i64| time.saturating_sub(past) > millis;
                        complete.truncate(complete.partition_point(safe));
                    }
                }
                if reached & stage.bit != 0 {
                    // Without a limit, what is denied takes all away or nothing.
                    if stage.denied_within.is_empty() {
                        complete.clear();
                    }
                    complete.push(time);
                }
            }
        }
        // Of the last stage the first is the one after which most time has passed.
        let needed = self.delays().max();
        let first = complete[self.stages.len() - 1].first();
        first.is_some_and(|&past| {
            needed.is_none_or(|millis| past.saturating_add(millis) < end)
        })
    }
}

impl Ordered {
    /// The stream of the last step that is not denied.
    pub(super) fn ends(&self) -> impl Iterator<Item = StreamIndex> {
        let last = self.shape.last_bit();
        let has = move |source: &&Source| {
            source.filters.iter().any(|(_, bits)| bits & last != 0)
        };
        self.streams.iter().filter(has).map(|source| source.stream)
    }

    /// Whether a customer's events have the order.
    ///
    /// # Errors
    /// When events are not ordered or lie beyond the calendar, or a property that is looked
    /// at cannot be used.
    pub(super) fn holds<C: Customer + ?Sized>(
        &self,
        schema: &Schema,
        customer: &C,
        bound: &Bound,
    ) -> Result<bool> {
        let (window, end) = (bound.events(self.window), bound.window(self.window).end);
        let context = Context::new(Some(bound));
        let mut found: Vec<(Option<DistinctKey<'_>>, i64, u32)> = Vec::new();
        for source in &self.streams {
            let Some(stream) = schema.streams().get(source.stream.get()) else {
                continue;
            };
            let events = customer.events(source.stream);
            check_events(stream.name(), stream.properties().len(), &events)?;
            for at in rows_within(events.times(), &window) {
                let mut bits = 0;
                for (filter, of_filter) in &source.filters {
                    let passes = filter.as_ref().map_or(Ok(true), |filter| {
                        filter.holds(&Event { events, at }, &context)
                    });
                    if passes.map_err(|e| e.of_stream(stream.name()))? {
                        bits |= of_filter;
                    }
                }
                if bits == 0 {
                    continue;
                }
                let key = match &source.same {
                    None => None,
                    Some(property) => {
                        let value = property.value(&events, at);
                        let value = value.map_err(|e| e.of_stream(stream.name()))?;
                        match distinct_key(value) {
                            None => continue,
                            key => key,
                        }
                    }
                };
                found.push((key, events.times()[at].as_millis(), bits));
            }
        }
        if self.is_same || self.streams.len() > 1 {
            found.sort_unstable();
        }
        let mut open = Open::default();
        let mut groups = found.chunk_by(|a, b| a.0 == b.0);
        Ok(groups.any(|group| {
            let occurrences = group.iter().map(|&(_, time, bits)| (time, bits));
            self.shape.holds(occurrences, end, &mut open)
        }))
    }
}
