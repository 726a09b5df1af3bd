//! What a step, an event or an attribute changes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::code::{ABSENT, Code, Kind, MISSING, number};
use super::customer::LiveCustomer;
use super::frame::{Frame, Frames};
use super::program::{Both, Step};
use super::values::{Rows, Sides, Values};
use super::watch::Watch;
use super::{Inner, LiveBook};
use crate::data::{CustomerId, OwnedValue, StreamIndex, StreamSpec, Value};
use crate::error::Result;
use crate::exact::ExactSum;
use crate::rules::leaf::{Check, Leaf, Source};
use crate::rules::score::GivenFor;
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
    /// The rules are others. Never so of a [`LiveChange`].
    Definition,
    /// The customer was not known before. Never so of a [`LiveChange`].
    Arrival,
    /// The customer is not known any more. Never so of a [`LiveChange`].
    Departure,
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
    values: Values,
    rows: Rows,
    asked: Asked,
    /// The filters that an event passes.
    passed: Vec<usize>,
    codes: Vec<u32>,
    /// Attributes that a change has changed, by their places, and what they were.
    attributes: Vec<(usize, OwnedValue)>,
    pub(super) changes: Vec<LiveChange>,
}

/// Rules whose answers may have changed.
#[derive(Clone, Debug, Default)]
struct Asked {
    /// By rank: those that refer to others must be asked after them.
    ranks: BinaryHeap<Reverse<u32>>,
    rules: Vec<u32>,
    is_asked: Vec<bool>,
    /// Answers of rules that others refer to, and whose they are.
    answers: Vec<Option<Both>>,
    answered: Vec<u32>,
    stack: Vec<Both>,
}

impl LiveScratch {
    /// Empty; it grows with its first use.
    #[must_use]
    pub fn new() -> LiveScratch {
        LiveScratch::default()
    }

    /// What the last call has changed.
    pub(in crate::rules) fn changes(&self) -> &[LiveChange] {
        &self.changes
    }

    /// Makes this the memory of a book.
    pub(super) fn of(&mut self, book: &LiveBook) {
        if self.book.as_ref().is_none_or(|own| !own.is(book)) {
            *self = LiveScratch::default();
            self.values = Values::new(&book.0.plan);
            let n_rules = book.0.set.rules.len();
            self.asked.is_asked = vec![false; n_rules];
            let n_answers = if book.0.has_references { n_rules } else { 0 };
            self.asked.answers = vec![None; n_answers];
            self.book = Some(book.clone());
        }
        self.changes.clear();
        self.values.clear();
    }
}

/// What changes besides aggregates, and why.
#[derive(Clone, Copy)]
struct Other<'a> {
    /// Attributes, by their places, which ascend, and their values before.
    attributes: &'a [(usize, OwnedValue)],
    cause: Cause,
}

/// One change, as rules are asked about it.
struct Turn<'a> {
    inner: &'a Inner,
    customer: &'a LiveCustomer,
    /// The frames before and after.
    frames: [&'a Frame; 2],
    values: &'a mut Values,
    rows: &'a mut Rows,
    other: Other<'a>,
}

impl Inner {
    /// Lets time pass.
    pub(super) fn pass(
        &self,
        customer: &mut LiveCustomer,
        tick: i64,
        scratch: &mut LiveScratch,
    ) {
        let from = customer.tick;
        if tick <= from {
            return;
        }
        customer.tick = tick;
        let is_due = customer.streams.iter().any(|stream| stream.due <= tick)
            || customer.trails.iter().any(|trail| trail.due <= tick);
        if !is_due && customer.due > tick {
            return;
        }
        let LiveScratch { frames, values, rows, asked, attributes, changes, .. } =
            scratch;
        attributes.clear();
        self.retrace(customer, |trail| trail.due <= tick, attributes);
        frames.pass(&self.plan, &self.clock, from, tick);
        let frames = [&frames.before, &frames.now];
        for (at, plan) in self.plan.streams.iter().enumerate() {
            let state = &mut customer.streams[at];
            if state.due > tick {
                continue;
            }
            rows.from(plan, &state.ring, frames[0], frames[1]);
            state.due = self.clock.due(plan, &state.ring, rows, frames[1]);
            if rows.are_same() && plan.decays.is_empty() {
                continue;
            }
            let (state, plan) = (&customer.streams[at], &self.plan);
            let sides = Sides { plan, clock: &self.clock, state, frames, rows };
            for filter in &plan.streams[at].filters {
                values.read(filter.group, &sides);
            }
        }
        let other = Other { attributes, cause: Cause::Time };
        let by_day = customer.due <= tick;
        let turn = Turn { inner: self, customer, frames, values, rows, other };
        let (n_true, due) = turn.settle(asked, changes, by_day);
        customer.n_true = n_true;
        customer.due = due;
        values.settle(&self.plan);
    }

    /// Checks an event, and looks for the filters that it passes.
    ///
    /// # Errors
    /// When a value cannot be used.
    pub(super) fn sift(
        &self,
        stream: StreamIndex,
        spec: &StreamSpec,
        event: &[Value<'_>],
        scratch: &mut LiveScratch,
    ) -> Result<()> {
        let sieve = &self.sieves[stream.get()];
        let place = self.plan.stream_places[stream.get()];
        let filters = place.map_or(&[][..], |at| &self.plan.streams[at].filters);
        sieve.sift(spec, filters, event, &mut scratch.codes, &mut scratch.passed)
    }

    /// Forgets names of events that are not kept any more, before anything is read.
    pub(super) fn tidy(&self, customer: &mut LiveCustomer, stream: StreamIndex) {
        if let Some(at) = self.plan.stream_places[stream.get()] {
            customer.streams[at].forget_texts(&self.plan.streams[at]);
        }
    }

    /// Adds an event whose values were checked, and whose filters are known.
    pub(super) fn add(
        &self,
        customer: &mut LiveCustomer,
        stream: StreamIndex,
        tick: i64,
        event: &[Value<'_>],
        scratch: &mut LiveScratch,
    ) {
        scratch.attributes.clear();
        self.extend(customer, stream, tick, event, &mut scratch.attributes);
        let LiveScratch { passed, .. } = &*scratch;
        let place = self.plan.stream_places[stream.get()];
        let Some(at) = place.filter(|_| !passed.is_empty()) else {
            self.touch_attributes(customer, scratch);
            return;
        };
        let LiveScratch {
            frames, values, rows, asked, passed, attributes, changes, ..
        } = scratch;
        let plan = &self.plan.streams[at];
        frames.go_to(&self.plan, &self.clock, customer.tick);
        let frames = [&frames.now; 2];
        let state = &mut customer.streams[at];
        let groups = || passed.iter().map(|&filter| plan.filters[filter].group);
        let sides = Sides { plan: &self.plan, clock: &self.clock, state, frames, rows };
        for group in groups() {
            if !values.has(group) {
                values.read_before(group, &sides);
            }
        }
        let start = self.clock.grid.start(tick);
        let row = state.add(plan, &self.clock, frames[1], tick, event, passed);
        rows.at(plan, &state.ring, frames[1]);
        // Other rows come and go as they did. One that is there may hold the first event that
        // decays.
        if row.is_some_and(|(_, is_new)| is_new || !plan.decays.is_empty()) {
            state.due = self.clock.due(plan, &state.ring, rows, frames[1]);
        }
        let sides = Sides { plan: &self.plan, clock: &self.clock, state, frames, rows };
        for group in groups() {
            values.read_after(group, &sides, row.map(|(row, _)| row), start, event);
        }
        let other = Other { attributes, cause: Cause::Data };
        let turn = Turn { inner: self, customer, frames, values, rows, other };
        let (n_true, due) = turn.settle(asked, changes, false);
        customer.n_true = n_true;
        customer.due = due;
    }

    /// Sets an attribute whose value was checked, by its place in the plan.
    pub(super) fn set(
        &self,
        customer: &mut LiveCustomer,
        place: usize,
        value: OwnedValue,
        scratch: &mut LiveScratch,
    ) {
        let before = std::mem::replace(&mut customer.attributes[place], value);
        if before == customer.attributes[place] {
            return;
        }
        scratch.attributes.clear();
        scratch.attributes.push((place, before));
        self.locate(customer, &mut scratch.attributes);
        self.touch_attributes(customer, scratch);
    }

    /// Draws for a customer whose id became known.
    pub(super) fn identify(
        &self,
        customer: &mut LiveCustomer,
        id: CustomerId<'_>,
        scratch: &mut LiveScratch,
    ) {
        scratch.attributes.clear();
        self.draw(customer, id, &mut scratch.attributes);
        self.touch_attributes(customer, scratch);
    }

    /// Asks the rules that attributes concern which were changed.
    fn touch_attributes(&self, customer: &mut LiveCustomer, scratch: &mut LiveScratch) {
        let LiveScratch { frames, values, rows, asked, attributes, changes, .. } =
            scratch;
        if attributes.is_empty() {
            return;
        }
        frames.go_to(&self.plan, &self.clock, customer.tick);
        let frames = [&frames.now; 2];
        let other = Other { attributes, cause: Cause::Data };
        let turn = Turn { inner: self, customer, frames, values, rows, other };
        let (n_true, due) = turn.settle(asked, changes, false);
        customer.n_true = n_true;
        customer.due = due;
    }

    fn leaf(&self, rule: u32, leaf: u32) -> &Leaf {
        &self.set.rules[rule as usize].leaves[leaf as usize]
    }
}

impl Turn<'_> {
    /// Asks the rules that the change may have touched. Gives how many rules are True, and the
    /// first step at which a test by the distance from today may have another answer.
    fn settle(
        mut self,
        asked: &mut Asked,
        changes: &mut Vec<LiveChange>,
        by_day: bool,
    ) -> (u32, i64) {
        let inner = self.inner;
        let mut due = self.find(asked);
        if by_day {
            due = self.find_by_day(asked);
        } else {
            due = due.min(self.customer.due);
        }
        let n_before = self.customer.n_true;
        let mut n_true = n_before;
        let first = changes.len();
        let cause = self.other.cause;
        let mut told = |rule: u32, both: Both| {
            let [from, to] = both.truths();
            if from != to {
                n_true = (n_true + u32::from(to.is_true()))
                    .saturating_sub(from.is_true().into());
                let segment = SegmentIndex::new(rule);
                changes.push(LiveChange { segment, from, to, cause });
            }
            from != to
        };
        if inner.has_references {
            while let Some(Reverse(rank)) = asked.ranks.pop() {
                let rule = inner.set.order[rank as usize];
                asked.is_asked[rule as usize] = false;
                let both = self.segment(rule, asked);
                if told(rule, both) {
                    for &rule in &inner.plan.dependants[rule as usize] {
                        asked.push(inner, rule);
                    }
                }
            }
            for rule in asked.answered.drain(..) {
                asked.answers[rule as usize] = None;
            }
        } else {
            let Asked { rules, is_asked, stack, .. } = asked;
            for rule in rules.drain(..) {
                is_asked[rule as usize] = false;
                let program = &inner.plan.programs[rule as usize];
                told(rule, program.run(stack, |step| self.test(rule, step)));
            }
        }
        changes[first..].sort_unstable_by_key(|change| change.segment);
        if let Some(segment) = inner.set.rest_index()
            && (n_before == 0) != (n_true == 0)
        {
            let [from, to] = [n_before, n_true].map(|n| Truth::from(n == 0));
            changes.push(LiveChange { segment, from, to, cause });
        }
        (n_true, due)
    }

    /// The answers of a rule that may refer to others, as deep as references go.
    fn segment(&mut self, rule: u32, asked: &mut Asked) -> Both {
        if let Some(both) = asked.answers[rule as usize] {
            return both;
        }
        // Those that it refers to need memory of their own.
        let mut stack = std::mem::take(&mut asked.stack);
        let program = &self.inner.plan.programs[rule as usize];
        let both = program.run(&mut stack, |step| match step {
            Step::Segment(other) => self.segment(*other, asked),
            _ => self.test(rule, step),
        });
        asked.stack = stack;
        asked.answers[rule as usize] = Some(both);
        asked.answered.push(rule);
        both
    }

    /// The answers of a test.
    #[inline]
    fn test(&mut self, rule: u32, step: &Step) -> Both {
        match *step {
            Step::Range { aggregate, lo, hi, missing } => {
                let values = self.values(aggregate as usize);
                Both::new(values.map(|code| match code {
                    ABSENT | MISSING => missing,
                    code => (lo..=hi).contains(&number(code)).into(),
                }))
            }
            Step::Test(at) => {
                let rule_at = rule;
                let rule = &self.inner.set.rules[rule as usize];
                let leaf = &rule.leaves[at as usize];
                match leaf.source {
                    Source::Events(at) => {
                        let place = rule.behaviours[at as usize].place as usize;
                        self.values(place);
                        self.both(leaf, self.aggregates(place))
                    }
                    Source::Feature(feature) => {
                        let place = self.inner.plan.feature_places[feature.get()];
                        let values =
                            place.map_or([Value::Missing; 2], |p| self.attributes(p));
                        self.both(leaf, values)
                    }
                    Source::Computed(at) => {
                        let place = rule.computed[at as usize].place;
                        self.both(leaf, self.attributes(self.inner.slot(place)))
                    }
                    Source::Score(at) => {
                        let scores = self.score(rule_at, at as usize);
                        self.both(leaf, scores.map(Value::Number))
                    }
                }
            }
            // The others are no tests.
            _ => Both { holds: 0, fails: 3 },
        }
    }

    /// A score before the change and after it.
    fn score(&mut self, rule: u32, at: usize) -> [f64; 2] {
        let inner = self.inner;
        let compiled = &inner.set.rules[rule as usize];
        let score = &compiled.scores[at];
        let programs = &inner.plan.of_scores[rule as usize][at];
        let mut sums = [ExactSum::new(), ExactSum::new()];
        // The rules of parts need memory of their own.
        let mut stack = std::mem::take(&mut self.values.stack);
        for (part, program) in score.parts.iter().zip(programs) {
            let times = match part.given_for {
                GivenFor::Rule { .. } => {
                    let both = program.run(&mut stack, |step| self.test(rule, step));
                    [0, 1].map(|side| f64::from(both.holds >> side & 1))
                }
                GivenFor::Times { leaf } => {
                    let leaf = &compiled.leaves[leaf as usize];
                    let place = match leaf.source {
                        Source::Events(at) => compiled.behaviours[at as usize].place,
                        // Only aggregates give points so many times.
                        _ => continue,
                    };
                    self.values(place as usize).map(|code| match code {
                        ABSENT | MISSING => 0.0,
                        code => number(code),
                    })
                }
            };
            for (sum, times) in sums.iter_mut().zip(times) {
                sum.add(part.points(times));
            }
        }
        self.values.stack = stack;
        sums.map(|sum| score.capped(sum.value()))
    }

    /// The answers of a test for two values.
    fn both(&self, leaf: &Leaf, values: [Value<'_>; 2]) -> Both {
        // What is kept was checked.
        let truth = |side: usize| leaf.test(&values[side], self.frames[side].today);
        Both::new([0, 1].map(|side| truth(side).unwrap_or(Truth::Unknown)))
    }

    /// An aggregate, which is read if no one has asked for it.
    #[inline]
    fn values(&mut self, aggregate: usize) -> [Code; 2] {
        let group = self.inner.plan.aggregates[aggregate].group;
        if !self.values.has(group) {
            self.read(group);
        }
        self.values.get(aggregate)
    }

    /// Reads a group that the change does not touch.
    fn read(&mut self, group: usize) {
        let Inner { plan, clock, .. } = self.inner;
        let stream = plan.groups[group].stream;
        let state = &self.customer.streams[stream];
        let frames = [self.frames[1]; 2];
        self.rows.at(&plan.streams[stream], &state.ring, frames[1]);
        self.values.read(group, &Sides { plan, clock, state, frames, rows: self.rows });
    }

    /// The values of an aggregate that was read.
    fn aggregates(&self, place: usize) -> [Value<'_>; 2] {
        let aggregate = &self.inner.plan.aggregates[place];
        let texts = self.customer.streams[aggregate.stream].texts();
        self.values.get(place).map(|code| aggregate.kind.decode(code, texts))
    }

    /// The values of an attribute, by its place.
    fn attributes(&self, place: usize) -> [Value<'_>; 2] {
        let is = self.customer.attributes[place].as_value();
        let changed = self.other.attributes;
        match changed.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(at) => [changed[at].1.as_value(), is],
            Err(_) => [is; 2],
        }
    }

    /// Asks for the rules whose tests have other answers. Gives the first step at which a
    /// changed date may give another answer.
    fn find(&self, asked: &mut Asked) -> i64 {
        let mut due = i64::MAX;
        let plan = &self.inner.plan;
        for group in self.values.read_groups() {
            for &place in &plan.groups[group].places {
                let place = place as usize;
                let [was, is] = self.values.get(place);
                if was == is {
                    continue;
                }
                let aggregate = &plan.aggregates[place];
                if aggregate.kind == Kind::Number && was.min(is) > MISSING {
                    let (was, is) = (number(was), number(is));
                    if let Some(first) = plan.ends.between(place, was, is) {
                        let ask = |rule| asked.push(self.inner, rule);
                        aggregate.watch.crossed_from(first, was, is, ask);
                    }
                    if !plan.ends.has_others(place) {
                        continue;
                    }
                }
                due =
                    due.min(self.touch(&aggregate.watch, self.aggregates(place), asked));
            }
        }
        for &(place, _) in self.other.attributes {
            let values = self.attributes(place);
            let watch = plan.watch_of(place);
            if let [Value::Number(was), Value::Number(is)] = values {
                watch.crossed(was, is, |rule| asked.push(self.inner, rule));
            }
            due = due.min(self.touch(watch, values, asked));
        }
        due
    }

    /// Asks for the rules that test a value and get another answer; ranges of numbers are left
    /// to [`Watch::crossed`].
    fn touch(&self, watch: &Watch, values: [Value<'_>; 2], asked: &mut Asked) -> i64 {
        let mut due = i64::MAX;
        let mut ask = |rule: u32, leaf: &Leaf| {
            let [was, is] = self.both(leaf, values).truths();
            let is_other = leaf.check == Check::Amount && values[0] != values[1];
            if was != is || is_other {
                asked.push(self.inner, rule);
            }
        };
        if !matches!(values, [Value::Number(_), Value::Number(_)]) {
            watch
                .ranges()
                .for_each(|(rule, leaf)| ask(rule, self.inner.leaf(rule, leaf)));
        }
        for &(rule, leaf) in watch.others() {
            let leaf = self.inner.leaf(rule, leaf);
            ask(rule, leaf);
            due = due.min(self.due(leaf, values[1]));
        }
        due
    }

    /// The first step at which a test by the distance from today may have another answer.
    fn due(&self, leaf: &Leaf, value: Value<'_>) -> i64 {
        let (Check::Day(check), Value::Date(date)) = (&leaf.check, value) else {
            return i64::MAX;
        };
        let clock = &self.inner.clock;
        let next = check.next_change(date, &clock.moment(self.frames[1].tick));
        next.map_or(i64::MAX, |next| clock.reaches(next))
    }

    /// Asks for the rules whose tests by the distance from today have other answers. Gives
    /// the first step at which the next one may.
    fn find_by_day(&mut self, asked: &mut Asked) -> i64 {
        let mut due = i64::MAX;
        let inner = self.inner;
        for &(rule, leaf) in &inner.plan.days {
            let [was, is] = self.test(rule, &Step::Test(leaf)).truths();
            if was != is {
                asked.push(inner, rule);
            }
            let at = &inner.set.rules[rule as usize];
            let leaf = &at.leaves[leaf as usize];
            let value = match leaf.source {
                Source::Events(behaviour) => {
                    self.aggregates(at.behaviours[behaviour as usize].place as usize)[1]
                }
                Source::Feature(feature) => {
                    let place = inner.plan.feature_places[feature.get()];
                    place.map_or(Value::Missing, |place| self.attributes(place)[1])
                }
                // What is computed is no date.
                Source::Computed(_) | Source::Score(_) => Value::Missing,
            };
            due = due.min(self.due(leaf, value));
        }
        due
    }
}

impl Asked {
    #[inline]
    fn push(&mut self, inner: &Inner, rule: u32) {
        let is_asked = &mut self.is_asked[rule as usize];
        if std::mem::replace(is_asked, true) {
            return;
        }
        if inner.has_references {
            self.ranks.push(Reverse(inner.plan.ranks[rule as usize]));
        } else {
            self.rules.push(rule);
        }
    }
}
