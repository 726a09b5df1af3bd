//! Where an event goes.

use super::code::Texts;
use super::content::{Happened, has_texts};
use super::customer::{Rest, Set, StreamState};
use super::frame::{Clock, Frame};
use super::plan::{Part, StreamPlan};
use super::ring::Ring;
use crate::data::Value;

impl StreamState {
    pub(super) fn new(plan: &StreamPlan) -> StreamState {
        let sets = |part: &Part| vec![Set::default(); part.sets.len()].into();
        let has_rest = !plan.stretches.is_empty()
            || !plan.moving.sets.is_empty()
            || has_texts(&plan.moving);
        let rest = has_rest.then(|| {
            let n_columns = plan.fixed.columns.len() as u16;
            Box::new(Rest {
                fixed: Ring::with_rows(n_columns, plan.stretches.len() as u32),
                moving_sets: sets(&plan.moving),
                fixed_sets: sets(&plan.fixed),
                texts: Texts::NONE,
            })
        });
        let ring = Ring::new(plan.moving.columns.len() as u16);
        StreamState { ring, due: i64::MAX, rest }
    }

    /// Adds an event that passes these filters. Gives its row, if it has one, and
    /// whether that is new.
    pub(super) fn add(
        &mut self,
        plan: &StreamPlan,
        clock: &Clock,
        now: &Frame,
        tick: i64,
        values: &[Value<'_>],
        passed: &[usize],
    ) -> Option<(usize, bool)> {
        let mut event = Happened {
            values,
            day: clock.grid.day(tick),
            step: clock.step(tick),
            is_first: false,
            is_last: true,
        };
        let filters = || passed.iter().map(|&filter| &plan.filters[filter]);
        let keep = now.keep(plan);
        let StreamState { ring, rest, .. } = self;
        let mut none = Texts::NONE;
        let (texts, rest) = match rest.as_deref_mut() {
            Some(Rest { fixed, moving_sets, fixed_sets, texts }) => {
                (texts, Some((fixed, moving_sets, fixed_sets)))
            }
            None => (&mut none, None),
        };
        let row = (tick >= keep).then(|| ring.row_of(tick, keep));
        if let Some((row, _)) = row {
            for &column in filters().flat_map(|filter| &filter.moving.columns) {
                let content = &plan.moving.column(column).content;
                content.add(ring, [column, row], &event, texts);
            }
        }
        let Some((fixed, moving_sets, fixed_sets)) = rest else { return row };
        for &set in filters().flat_map(|filter| &filter.moving.sets) {
            moving_sets[set].forget_before(keep);
            if tick >= keep
                && let Some(code) = plan.moving.sets[set].code(&event, texts)
            {
                moving_sets[set].insert(tick, code);
            }
        }
        let start = clock.grid.start(tick);
        for (row, stretch) in plan.stretches.iter().enumerate() {
            if !stretch.contains(&start) {
                continue;
            }
            for filter in filters() {
                [event.is_first, event.is_last] =
                    filter.fixed.beyond(fixed, row, [event.step; 2]);
                for &column in &filter.fixed.columns {
                    let content = &plan.fixed.column(column).content;
                    content.add(fixed, [column, row], &event, texts);
                }
                for &set in &filter.fixed.sets {
                    if let Some(code) = plan.fixed.sets[set].code(&event, texts) {
                        fixed_sets[set].insert(row as i64, code);
                    }
                }
            }
        }
        row
    }
}
