//! What time alone will change: the instants at which rules get another answer although
//! nothing new happens.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, Summary, within};
use super::compile::Compiled;
use super::computed::What;
use super::context::Context;
use super::leaf::{Check, Source};
use super::window::{Bound, Bounds};
use crate::data::{Customer, StreamIndex, Timestamp, Value};
use crate::error::Result;
use crate::segmenter::{SegmentIndex, Truth};

/// The next instant at which a customer's segments change if nothing happens until then, as
/// [`RuleBook::next_change`](super::RuleBook::next_change) gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextChange {
    /// When.
    pub at: Timestamp,
    /// What changes at that instant, in the order of the segments.
    pub changes: Vec<MembershipChange>,
}

/// What becomes of a customer's membership of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipChange {
    /// The segment.
    pub segment: SegmentIndex,
    /// Whether the customer was in it before.
    pub from: Truth,
    /// Whether the customer is in it from then on.
    pub to: Truth,
}

/// The answers of rules for one customer as time passes.
///
/// Each event enters a window at one instant and leaves it at another, and both are later
/// for later events. So the instants at which something may change are found by halving, and
/// only there the tests are asked again.
pub(super) struct Timeline<'a> {
    rules: &'a [Compiled],
    /// Each after those to which it refers.
    order: &'a [u32],
    windows: &'a [Bounds],
    bound: Bound,
    customer: &'a dyn Customer,
    /// The answers up to now.
    truths: Vec<Truth>,
    /// The tests whose answers may change.
    tests: Vec<Watched>,
    /// When a test may change next, the earliest on top.
    agenda: BinaryHeap<Reverse<(i64, usize)>>,
}

/// An instant, and the rules whose answers it changes with those before.
pub(super) type Changed = (Timestamp, Vec<(usize, Truth)>);

struct Watched {
    rule: usize,
    leaf: usize,
    /// Nothing where the value cannot be used; where the value itself counts, its bits, too.
    answer: Option<(Truth, u64)>,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(
        rules: &'a [Compiled],
        order: &'a [u32],
        windows: &'a [Bounds],
        bound: &Bound,
        customer: &'a dyn Customer,
    ) -> Result<Timeline<'a>> {
        let context = Context::among(Some(bound), rules);
        let truths = (0..rules.len()).map(|i| context.truth(i, customer));
        let mut timeline = Timeline {
            rules,
            order,
            windows,
            bound: bound.clone(),
            customer,
            truths: truths.collect::<Result<_>>()?,
            tests: Vec::new(),
            agenda: BinaryHeap::new(),
        };
        for (i, rule) in rules.iter().enumerate() {
            for leaf in 0..rule.leaves.len() {
                let mut test = Watched { rule: i, leaf, answer: None };
                if let Some(next) = timeline.next(&test) {
                    test.answer = timeline.ask(&test);
                    timeline.agenda.push(Reverse((next, timeline.tests.len())));
                    timeline.tests.push(test);
                }
            }
        }
        Ok(timeline)
    }

    /// The present answers.
    pub(super) fn truths(&self) -> &[Truth] {
        &self.truths
    }

    /// Goes on to the next instant at which the answer of a rule changes: the instant, and
    /// these rules with their answers before.
    ///
    /// # Errors
    /// When a value that is then looked at cannot be used.
    pub(super) fn advance(&mut self) -> Result<Option<Changed>> {
        while let Some(&Reverse((at, _))) = self.agenda.peek() {
            let now = Timestamp::from_millis(at);
            if !now.is_in_calendar() {
                return Ok(None);
            }
            self.bound = Bound::new(self.windows, self.bound.moment.at(now));
            // Only rules that ask what has changed can have another answer.
            let mut asked = vec![false; self.rules.len()];
            while let Some(&Reverse((when, i))) = self.agenda.peek()
                && when == at
            {
                self.agenda.pop();
                let answer = self.ask(&self.tests[i]);
                let test = &mut self.tests[i];
                if answer != test.answer {
                    asked[test.rule] = true;
                }
                test.answer = answer;
                if let Some(next) = self.next(&self.tests[i]) {
                    self.agenda.push(Reverse((next, i)));
                }
            }
            let context = Context::among(Some(&self.bound), self.rules);
            let mut changed = Vec::new();
            let mut is_other = vec![false; self.rules.len()];
            for i in self.order.iter().map(|&i| i as usize) {
                let mut segments = self.rules[i].segments.iter();
                if asked[i] || segments.any(|&rule| is_other[rule as usize]) {
                    let truth = context.truth(i, self.customer)?;
                    let before = std::mem::replace(&mut self.truths[i], truth);
                    if truth != before {
                        is_other[i] = true;
                        changed.push((i, before));
                    }
                }
            }
            changed.sort_unstable_by_key(|(i, _)| *i);
            if !changed.is_empty() {
                return Ok(Some((now, changed)));
            }
        }
        Ok(None)
    }

    fn ask(&self, test: &Watched) -> Option<(Truth, u64)> {
        let rule = &self.rules[test.rule];
        let leaf = &rule.leaves[test.leaf];
        let context = Context::new(Some(&self.bound));
        let (truth, value) = rule.test(leaf, self.customer, &context).ok()?;
        Some((
            truth,
            match (&leaf.check, value) {
                (Check::Amount, Value::Number(x)) => x.to_bits(),
                _ => 0,
            },
        ))
    }

    /// The next instant at which a test may have another answer.
    fn next(&self, test: &Watched) -> Option<i64> {
        let rule = &self.rules[test.rule];
        let leaf = &rule.leaves[test.leaf];
        let by_day = || {
            let Check::Day(check) = leaf.check else { return None };
            let context = Context::new(Some(&self.bound));
            match rule.value(leaf, self.customer, &context) {
                Ok(Value::Date(date)) => check.next_change(date, &self.bound.moment),
                _ => None,
            }
        };
        self.next_event(test).into_iter().chain(by_day()).min()
    }

    /// The next instant at which an event of the present window counts for less.
    fn decays(&self, behaviour: &Behaviour) -> Option<i64> {
        let Summary::Decayed(decay) = behaviour.summary else { return None };
        let now = self.bound.moment.now().as_millis();
        let events = self.customer.events(behaviour.stream);
        let rows = within(events.times(), &self.bound.events(behaviour.window));
        let next = |time: &Timestamp| {
            let time = time.as_millis();
            time.checked_add_unsigned(decay.next(now.abs_diff(time))?)
        };
        // Those that do not pass the filter change nothing, and cost a look.
        events.times().get(rows)?.iter().filter_map(next).min()
    }

    /// The next instant at which an event enters or leaves the window of a test.
    fn next_event(&self, test: &Watched) -> Option<i64> {
        let rule = &self.rules[test.rule];
        let moment = &self.bound.moment;
        let now = moment.now().as_millis();
        let first = |stream: StreamIndex, instant: &dyn Fn(i64) -> i64| {
            let events = self.customer.events(stream);
            let times = events.times();
            let past = |time: &Timestamp| instant(time.as_millis()) <= now;
            let next = times.get(times.partition_point(past))?;
            Some(instant(next.as_millis())).filter(|&at| at > now && at < i64::MAX)
        };
        let passes = |stream: StreamIndex, window: &Bounds| {
            let enters = first(stream, &|time| window.enters(time, moment));
            let leaves = first(stream, &|time| window.leaves(time, moment));
            enters.into_iter().chain(leaves).min()
        };
        match rule.leaves[test.leaf].source {
            // A score changes when a test of its parts does.
            Source::Feature(_) | Source::Score(_) => None,
            Source::Events(at) => {
                let behaviour = rule.behaviours.get(at as usize)?;
                let window = self.windows.get(behaviour.window as usize)?;
                let by_age = self.decays(behaviour).unwrap_or(i64::MAX);
                let next =
                    passes(behaviour.stream, window).unwrap_or(i64::MAX).min(by_age);
                (next < i64::MAX).then_some(next)
            }
            Source::Computed(at) => {
                let What::Ordered(ordered) = &rule.computed.get(at as usize)?.what else {
                    return None;
                };
                let window = self.windows.get(ordered.window as usize)?;
                let streams = ordered.streams.iter();
                let pass = streams.filter_map(|source| passes(source.stream, window));
                // What is denied for a while after the last step is so at last.
                let ripens = ordered.ends().flat_map(|stream| {
                    ordered.shape.delays().filter_map(move |delay| {
                        let after =
                            |time: i64| window.enters(time.saturating_add(delay), moment);
                        first(stream, &after)
                    })
                });
                pass.chain(ripens).min()
            }
        }
    }
}
