//! What a step, an event or an attribute changes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::code::Code;
use super::customer::LiveCustomer;
use super::frame::Frames;
use super::view::{Side, View, code};
use super::watch::Watch;
use super::{Inner, LiveBook};
use crate::data::{Date, OwnedValue, StreamIndex, Value};
use crate::error::Result;
use crate::rules::compile::Compiled;
use crate::rules::leaf::{Check, Leaf};
use crate::segmenter::{SegmentIndex, Truth};

/// Why a membership changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Time passed.
    Time,
    /// Something was learned: an event, an attribute, what another part knew.
    Data,
}

/// A customer has entered or left a segment, or it became open whether she is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveChange {
    /// The segment.
    pub segment: SegmentIndex,
    /// Whether the customer was in it before.
    pub from: Truth,
    /// Whether the customer is in it now.
    pub to: Truth,
    /// Why.
    pub cause: Cause,
}

/// Working memory of [`LiveBook`]: one for each thread, for any customers. It grows with its
/// first use.
#[derive(Clone, Debug, Default)]
pub struct LiveScratch {
    /// For whom the rest is.
    book: Option<LiveBook>,
    pub(super) frames: Frames,
    changed: Changed,
    asked: Asked,
    /// The filters that an event passes.
    passed: Vec<usize>,
    pub(super) changes: Vec<LiveChange>,
}

/// Aggregates that are other than they were.
#[derive(Clone, Debug, Default)]
pub(super) struct Changed {
    entries: Vec<Entry>,
    /// For each aggregate one more than its place among the entries, or 0.
    marks: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    aggregate: u32,
    before: Code,
    after: Code,
}

impl Changed {
    fn clear(&mut self) {
        for entry in self.entries.drain(..) {
            self.marks[entry.aggregate as usize] = 0;
        }
    }

    #[inline]
    fn note(&mut self, aggregate: usize, before: Code, after: Code) {
        self.entries.push(Entry { aggregate: aggregate as u32, before, after });
        self.marks[aggregate] = self.entries.len() as u32;
    }

    #[inline]
    pub(super) fn code(&self, aggregate: usize, side: Side) -> Option<Code> {
        let at = self.marks[aggregate].checked_sub(1)?;
        let entry = self.entries[at as usize];
        Some(if side == Side::Before { entry.before } else { entry.after })
    }
}

/// Rules whose answers may have changed, in the order in which they must be asked.
#[derive(Clone, Debug, Default)]
struct Asked {
    ranks: BinaryHeap<Reverse<u32>>,
    /// By rank.
    is_asked: Vec<bool>,
}

impl Asked {
    #[inline]
    fn push(&mut self, rank: u32) {
        let is_asked = &mut self.is_asked[rank as usize];
        if !*is_asked {
            *is_asked = true;
            self.ranks.push(Reverse(rank));
        }
    }

    fn pop(&mut self) -> Option<u32> {
        let Reverse(rank) = self.ranks.pop()?;
        self.is_asked[rank as usize] = false;
        Some(rank)
    }
}

impl LiveScratch {
    /// Empty; it grows with its first use.
    #[must_use]
    pub fn new() -> LiveScratch {
        LiveScratch::default()
    }

    /// Makes this the memory of a book.
    pub(super) fn of(&mut self, book: &LiveBook) {
        if self.book.as_ref().is_none_or(|own| !own.is(book)) {
            *self = LiveScratch::default();
            self.changed.marks = vec![0; book.0.plan.aggregates.len()];
            self.asked.is_asked = vec![false; book.0.set.rules.len()];
            self.book = Some(book.clone());
        }
        self.changes.clear();
    }
}

/// What has changed besides aggregates.
#[derive(Clone, Copy)]
struct Other<'a> {
    /// The days before and after.
    days: [Date; 2],
    /// A feature, by its place in the plan, and its value before.
    feature: Option<(usize, &'a OwnedValue)>,
    cause: Cause,
}

impl Inner {
    /// Lets time pass.
    pub(super) fn pass(
        &self,
        customer: &mut LiveCustomer,
        tick: i64,
        scratch: &mut LiveScratch,
    ) -> Result<()> {
        let from = customer.tick;
        if tick <= from {
            return Ok(());
        }
        customer.tick = tick;
        let is_due = customer.streams.iter().any(|stream| stream.due <= tick);
        if !is_due && customer.due > tick {
            return Ok(());
        }
        scratch.frames.pass(&self.plan, &self.clock, from, tick);
        let frames = &scratch.frames;
        let [before, now] = [&frames.before, &frames.now];
        for (plan, state) in self.plan.streams.iter().zip(&mut customer.streams) {
            if state.due > tick {
                continue;
            }
            for window in &plan.windows {
                let ring = &state.ring;
                if before.rows(ring, window.place) == now.rows(ring, window.place) {
                    continue;
                }
                for &place in &window.aggregates {
                    let aggregate = &self.plan.aggregates[place as usize];
                    let was = code(aggregate, state, before, &self.clock);
                    let is = code(aggregate, state, now, &self.clock);
                    if was != is {
                        scratch.changed.note(place as usize, was, is);
                    }
                }
            }
            state.due = self.clock.due(plan, &state.ring, now);
        }
        let days = [before.today, now.today];
        self.settle(customer, Other { days, feature: None, cause: Cause::Time }, scratch)
    }

    /// Adds an event whose values were checked.
    pub(super) fn add(
        &self,
        customer: &mut LiveCustomer,
        stream: StreamIndex,
        tick: i64,
        values: &[Value<'_>],
        scratch: &mut LiveScratch,
    ) -> Result<()> {
        let Some(at) = self.plan.stream_places[stream.get()] else { return Ok(()) };
        let plan = &self.plan.streams[at];
        let passed = &mut scratch.passed;
        passed.clear();
        for (i, filter) in plan.filters.iter().enumerate() {
            if filter.passes(values)? {
                passed.push(i);
            }
        }
        if passed.is_empty() {
            return Ok(());
        }
        scratch.frames.go_to(&self.plan, &self.clock, customer.tick);
        let now = &scratch.frames.now;
        let state = &mut customer.streams[at];
        state.forget_texts(plan);
        let aggregates = || {
            let filters = passed.iter().map(|&filter| &plan.filters[filter]);
            filters
                .flat_map(|filter| filter.aggregates.iter().map(|&place| place as usize))
        };
        for place in aggregates() {
            let was = code(&self.plan.aggregates[place], state, now, &self.clock);
            scratch.changed.note(place, was, was);
        }
        state.add(plan, &self.clock, now, tick, values, passed);
        for (place, entry) in aggregates().zip(&mut scratch.changed.entries) {
            entry.after = code(&self.plan.aggregates[place], state, now, &self.clock);
        }
        state.due = self.clock.due(plan, &state.ring, now);
        let days = [now.today; 2];
        self.settle(customer, Other { days, feature: None, cause: Cause::Data }, scratch)
    }

    /// Sets an attribute whose value was checked, by its place in the plan.
    pub(super) fn set(
        &self,
        customer: &mut LiveCustomer,
        place: usize,
        value: OwnedValue,
        scratch: &mut LiveScratch,
    ) -> Result<()> {
        let before = std::mem::replace(&mut customer.attributes[place], value);
        if before == customer.attributes[place] {
            return Ok(());
        }
        scratch.frames.go_to(&self.plan, &self.clock, customer.tick);
        let days = [scratch.frames.now.today; 2];
        let feature = Some((place, &before));
        self.settle(customer, Other { days, feature, cause: Cause::Data }, scratch)
    }

    /// Asks the rules that a change may have touched.
    fn settle(
        &self,
        customer: &mut LiveCustomer,
        other: Other<'_>,
        scratch: &mut LiveScratch,
    ) -> Result<()> {
        let LiveScratch { frames, changed, asked, changes, .. } = scratch;
        let view = |side| View {
            plan: &self.plan,
            clock: &self.clock,
            customer: &*customer,
            frame: &frames.now,
            today: other.days[usize::from(side == Side::After)],
            changed: Some((&*changed, side)),
            other: other.feature.filter(|_| side == Side::Before),
        };
        let views = [view(Side::Before), view(Side::After)];
        let mut due = self.find(&views, other, asked)?;
        if customer.due <= customer.tick {
            due = self.find_by_day(&views, asked)?;
        } else {
            due = due.min(customer.due);
        }
        let n_before = customer.n_true;
        let mut n_true = n_before;
        if !asked.ranks.is_empty() {
            let [before, after] = [&views[0], &views[1]];
            let was = self.set.context().with(before);
            let is = self.set.context().with(after);
            while let Some(rank) = asked.pop() {
                let at = self.set.order[rank as usize];
                let rule = &self.set.rules[at as usize];
                let from = rule.truth(before, &was)?;
                let to = rule.truth(after, &is)?;
                if from == to {
                    continue;
                }
                n_true = n_true + u32::from(to.is_true()) - u32::from(from.is_true());
                let segment = SegmentIndex::new(at);
                changes.push(LiveChange { segment, from, to, cause: other.cause });
                for &rule in &self.plan.dependants[at as usize] {
                    asked.push(self.plan.ranks[rule as usize]);
                }
            }
        }
        if let Some(segment) = self.set.rest_index()
            && (n_before == 0) != (n_true == 0)
        {
            let [from, to] = [n_before, n_true].map(|n| Truth::from(n == 0));
            changes.push(LiveChange { segment, from, to, cause: other.cause });
        }
        changed.clear();
        customer.n_true = n_true;
        customer.due = due;
        Ok(())
    }

    /// Asks for the rules whose tests have other answers. Gives the first step at which a
    /// changed date may give another answer.
    fn find(
        &self,
        views: &[View<'_>; 2],
        other: Other<'_>,
        asked: &mut Asked,
    ) -> Result<i64> {
        let mut due = i64::MAX;
        let mut touch = |watch: &Watch, [before, after]: [Value<'_>; 2]| {
            let mut ask = |rule: u32| asked.push(self.plan.ranks[rule as usize]);
            match (before, after) {
                (Value::Number(before), Value::Number(after)) => {
                    watch.crossed(before, after, &mut ask);
                }
                _ => watch.ranges().for_each(|(rule, leaf)| {
                    let leaf = self.leaf(rule, leaf);
                    if leaf.test(&before, Date::MIN) != leaf.test(&after, Date::MIN) {
                        ask(rule);
                    }
                }),
            }
            for &(rule, leaf) in watch.others() {
                let leaf = self.leaf(rule, leaf);
                let [was, is] = other.days;
                if leaf.test(&before, was) != leaf.test(&after, is) {
                    ask(rule);
                }
                if let (Check::Day(check), Value::Date(date)) = (&leaf.check, after) {
                    let moment = self.clock.moment(views[1].frame.tick);
                    let next = check.next_change(date, &moment);
                    due = due.min(next.map_or(i64::MAX, |next| self.clock.reaches(next)));
                }
            }
        };
        if let Some((changed, _)) = views[1].changed {
            for &Entry { aggregate, before, after } in &changed.entries {
                if before == after {
                    continue;
                }
                let aggregate = &self.plan.aggregates[aggregate as usize];
                let texts = views[1].customer.streams[aggregate.stream].texts();
                let values =
                    [before, after].map(|code| aggregate.kind.decode(code, texts));
                touch(&aggregate.watch, values);
            }
        }
        if let Some((place, before)) = other.feature {
            let after = views[1].customer.attributes[place].as_value();
            touch(&self.plan.features[place].1, [before.as_value(), after]);
        }
        Ok(due)
    }

    fn leaf(&self, rule: u32, leaf: u32) -> &Leaf {
        &self.set.rules[rule as usize].leaves[leaf as usize]
    }

    /// Asks for the rules whose tests by the distance from today have other answers. Gives
    /// the first step at which the next one may.
    fn find_by_day(&self, views: &[View<'_>; 2], asked: &mut Asked) -> Result<i64> {
        let mut due = i64::MAX;
        let moment = self.clock.moment(views[1].frame.tick);
        let contexts = [&views[0], &views[1]].map(|view| self.set.context().with(view));
        for &(at, leaf) in &self.plan.days {
            let rule: &Compiled = &self.set.rules[at as usize];
            let leaf = &rule.leaves[leaf as usize];
            let (was, _) = rule.test(leaf, &views[0], &contexts[0])?;
            let (is, value) = rule.test(leaf, &views[1], &contexts[1])?;
            if was != is {
                asked.push(self.plan.ranks[at as usize]);
            }
            if let (Check::Day(check), Value::Date(date)) = (&leaf.check, value) {
                let next = check.next_change(date, &moment);
                due = due.min(next.map_or(i64::MAX, |next| self.clock.reaches(next)));
            }
        }
        Ok(due)
    }
}
