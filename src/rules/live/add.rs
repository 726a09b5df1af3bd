//! Where an event goes.

use super::code::Texts;
use super::content::{Happened, has_texts};
use super::customer::{Rest, Set, Split, StreamState};
use super::frame::{Clock, Frame};
use super::plan::{Part, StreamPlan};
use super::ring::{Need, Ring};
use crate::data::Value;

/// Where more filters pass than this, columns are widened all at once: each on its own moves
/// all others.
const MANY: usize = 64;

impl StreamState {
    pub(super) fn new(plan: &StreamPlan) -> StreamState {
        let sets = |part: &Part| vec![Set::default(); part.sets.len()].into();
        let has_rest = !plan.stretches.is_empty()
            || !plan.moving.sets.is_empty()
            || has_texts(&plan.moving);
        let rest = has_rest.then(|| {
            Box::new(Rest {
                fixed: Ring::with_rows(&plan.fixed.sums(), plan.stretches.len() as u32),
                moving_sets: sets(&plan.moving),
                fixed_sets: sets(&plan.fixed),
                texts: Texts::NONE,
            })
        });
        let ring = Ring::new(&plan.moving.sums());
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
        let mut none = Texts::NONE;
        let Split { ring, texts, rest } = self.split(&mut none);
        let row = (tick >= keep).then(|| ring.row_of(tick, keep));
        if let Some((row, _)) = row {
            if passed.len() > MANY {
                let columns = filters().flat_map(|filter| &filter.moving.columns);
                make_room(ring, row, columns, &plan.moving, &event, texts);
            }
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
            if passed.len() > MANY {
                let columns = filters().flat_map(|filter| &filter.fixed.columns);
                make_room(fixed, row, columns, &plan.fixed, &event, texts);
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

/// Makes columns wide enough for an event.
#[cold]
fn make_room<'p>(
    ring: &mut Ring,
    row: usize,
    columns: impl Iterator<Item = &'p usize>,
    part: &Part,
    event: &Happened<'_>,
    texts: &mut Texts,
) {
    let need = |&column: &usize| {
        part.column(column).content.need(ring, [column, row], event, texts)
    };
    let needs: Vec<Need> = columns.filter_map(need).collect();
    ring.make_room(&needs);
}
