//! Two parts of what is known of one customer become one.

use super::LiveBook;
use super::code::{Code, Kind, Texts};
use super::customer::{LiveCustomer, Split, StreamState};
use super::frame::Frame;
use super::plan::StreamPlan;
use super::turn::{Cause, LiveChange, LiveScratch};
use super::values::Rows;
use crate::data::StreamIndex;
use crate::error::Result;
use crate::segmenter::SegmentIndex;

impl LiveBook {
    /// Adds what another part knew of the same customer: of events that were counted
    /// elsewhere, or under another name. Gives the memberships that this changes: first, of
    /// cause [`Cause::Time`], those of `customer` up to the later of the two clocks.
    ///
    /// Each event must be in one part only: one that is in both counts twice. Of a feature that both know, the value of
    /// `customer` stays. Of events of one step, hers come first. All rules are asked.
    ///
    /// ```
    /// use segmenta::data::{Schema, StreamSpec, Timestamp};
    /// use segmenta::rules::{LiveConfig, LiveScratch, RuleBook};
    /// use segmenta::segmenter::Truth;
    ///
    /// let schema = Schema::builder().stream(StreamSpec::new("visit", [])).build()?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("often", "Often here", "events(visit).count in last 7d >= 2".parse()?)
    ///     .build()?;
    /// let live = book.live(&LiveConfig::new())?;
    /// let (visit, now) = (schema.require_stream("visit")?, Timestamp::from_millis(0));
    /// let mut scratch = LiveScratch::new();
    /// let (mut ann, mut stranger) = (live.customer(now), live.customer(now));
    /// live.event(&mut ann, visit, now, &[], &mut scratch)?;
    /// live.event(&mut stranger, visit, now, &[], &mut scratch)?;
    ///
    /// // The stranger has signed in.
    /// let changes = live.merge(&mut ann, &stranger, &mut scratch)?;
    /// assert_eq!(changes[0].to, Truth::True);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a customer is of another book.
    pub fn merge<'s>(
        &self,
        customer: &mut LiveCustomer,
        other: &LiveCustomer,
        scratch: &'s mut LiveScratch,
    ) -> Result<&'s [LiveChange]> {
        self.check(customer)?;
        self.check(other)?;
        let inner = &*self.0;
        scratch.of(self);
        inner.pass(customer, other.tick, scratch);
        let mut changes = std::mem::take(&mut scratch.changes);
        for stream in 0..inner.plan.stream_places.len() as u32 {
            inner.tidy(customer, StreamIndex::new(stream));
        }
        let before = self.membership(customer, scratch)?;
        scratch.frames.go_to(&inner.plan, &inner.clock, customer.tick);
        let now = &scratch.frames.now;
        let mut rows = Rows::default();
        let streams = customer.streams.iter_mut().zip(&other.streams);
        for ((own, other), plan) in streams.zip(&inner.plan.streams) {
            own.merge(other, plan, now);
            rows.at(plan, &own.ring, now);
            own.due = inner.clock.due(plan, &own.ring, &rows, now);
        }
        for (own, other) in customer.attributes.iter_mut().zip(&other.attributes) {
            if own.as_value().is_missing() {
                *own = other.clone();
            }
        }
        let trails = customer.trails.iter_mut().zip(&other.trails);
        for ((own, other), plan) in trails.zip(inner.plan.slots.trails()) {
            own.merge(plan, other);
        }
        // What they were does not matter, as all rules are asked.
        inner.locate(customer, &mut Vec::new());
        inner.retrace(customer, |_| true, &mut Vec::new());
        // The tests by the distance from today are looked at with the next step.
        customer.due = customer.due.min(customer.tick + 1);
        let after = self.membership(customer, scratch)?;
        let n_rules = inner.set.rules.len();
        customer.n_true =
            after[..n_rules].iter().filter(|truth| truth.is_true()).count() as u32;
        for (i, (from, to)) in before.into_iter().zip(after).enumerate() {
            if from != to {
                let segment = SegmentIndex::new(i as u32);
                changes.push(LiveChange { segment, from, to, cause: Cause::Data });
            }
        }
        scratch.changes = changes;
        Ok(&scratch.changes)
    }
}

impl StreamState {
    fn merge(&mut self, other: &StreamState, plan: &StreamPlan, now: &Frame) {
        let keep = now.keep(plan);
        let mut none = Texts::NONE;
        let Split { ring, texts, rest } = self.split(&mut none);
        let mut recode = |kind: &Kind, code: Code| match kind {
            Kind::Text => kind.encode(&kind.decode(code, other.texts()), texts),
            _ => code,
        };
        ring.make_room_like(&other.ring);
        for from in 0..other.ring.n_rows() {
            let tick = other.ring.tick(from);
            if tick < keep {
                continue;
            }
            let (row, _) = ring.row_of(tick, keep);
            for (number, column) in (1..).zip(&plan.moving.columns) {
                let cell = [number, row];
                let beyond = [false, true];
                column.content.merge(ring, cell, &other.ring, from, beyond, &mut recode);
            }
        }
        let (Some((fixed, moving_sets, fixed_sets)), Some(other)) = (rest, &other.rest)
        else {
            return;
        };
        fixed.make_room_like(&other.fixed);
        for row in 0..plan.stretches.len() {
            for filter in &plan.filters {
                let kept = &filter.fixed;
                let step = |column: Option<usize>| {
                    column.map_or(0, |column| other.fixed.get(column, row))
                };
                let beyond = kept.beyond(fixed, row, [step(kept.first), step(kept.last)]);
                for &number in &kept.columns {
                    let content = &plan.fixed.column(number).content;
                    let (cell, from) = ([number, row], &other.fixed);
                    content.merge(fixed, cell, from, row, beyond, &mut recode);
                }
            }
        }
        moving_sets.iter_mut().for_each(|set| set.forget_before(keep));
        let moving = plan.moving.sets.iter().zip(moving_sets.iter_mut());
        for ((keyed, own), set) in moving.zip(&other.moving_sets) {
            for &(tick, code) in set.0.iter().filter(|(tick, _)| *tick >= keep) {
                own.insert(tick, recode(keyed.kind(), code));
            }
        }
        let fixed = plan.fixed.sets.iter().zip(fixed_sets.iter_mut());
        for ((keyed, own), set) in fixed.zip(&other.fixed_sets) {
            for &(row, code) in &set.0 {
                own.insert(row, recode(keyed.kind(), code));
            }
        }
    }
}
