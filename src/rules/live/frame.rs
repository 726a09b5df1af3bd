//! Where windows lie at a step.

use std::ops::Range;

use super::grid::Grid;
use super::plan::{Plan, StreamPlan};
use super::ring::Ring;
use super::values::Rows;
use crate::data::{Date, Moment, Timestamp};

/// Time, as a book counts it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clock {
    pub(super) grid: Grid,
    /// Says which days there are; its instant does not matter.
    pub(super) moment: Moment,
    /// The first step that there is.
    first: i64,
}

impl Clock {
    pub(super) fn new(grid: Grid, moment: Moment) -> Clock {
        // Beyond the calendar of UTC there are no events.
        let first = grid.tick(Timestamp::MIN.as_millis());
        Clock { grid, moment, first }
    }

    /// The instant at which a step's answers hold: that from which on an event at its start
    /// counts.
    pub(super) fn moment(&self, tick: i64) -> Moment {
        self.moment.at(Timestamp::from_millis(self.now(tick)))
    }

    /// The instant of a step's [moment](Clock::moment).
    pub(super) fn now(&self, tick: i64) -> i64 {
        self.grid.start(tick).saturating_add(1)
    }

    /// The number of a step: positive, as those of all steps are.
    pub(super) fn step(&self, tick: i64) -> u64 {
        1 + tick.abs_diff(self.first)
    }

    /// The day of a step's number.
    pub(super) fn day_of(&self, step: u64) -> Date {
        let after = step.saturating_sub(1);
        self.grid.day(self.first.saturating_add_unsigned(after))
    }

    /// The first step whose answers are those of an instant or later.
    pub(super) fn reaches(&self, instant: i64) -> i64 {
        self.grid.next(instant.saturating_sub(1))
    }

    /// The first step at which time alone may change an aggregate of a stream.
    pub(super) fn due(
        &self,
        stream: &StreamPlan,
        ring: &Ring,
        rows: &Rows,
        frame: &Frame,
    ) -> i64 {
        let mut due = i64::MAX;
        if ring.n_rows() == 0 {
            return due;
        }
        let moment = &self.moment;
        // A unit of the calendar that ends beyond it seems to end before, and never does.
        let now = self.now(frame.tick);
        let mut take = |at: i64| {
            if at > now {
                due = due.min(at);
            }
        };
        for (window, rows) in stream.windows.iter().zip(rows.now()) {
            let start = |row| self.grid.start(ring.tick(row));
            if rows.start < ring.n_rows() {
                take(window.bounds.leaves(start(rows.start), moment));
            }
            if rows.end < ring.n_rows() {
                take(window.bounds.enters(start(rows.end), moment));
            }
        }
        for &(window, column, decay) in &stream.decays {
            let rows = rows.now().nth(window).cloned().unwrap_or(0..0);
            for row in rows.filter(|&row| ring.get(column, row) > 0) {
                let start = self.grid.start(ring.tick(row));
                let next = decay.next(now.abs_diff(start));
                next.and_then(|age| start.checked_add_unsigned(age))
                    .into_iter()
                    .for_each(&mut take);
            }
        }
        // At the end of the calendar there is no later step.
        let due = if due == i64::MAX { due } else { self.reaches(due) };
        if due > frame.tick { due } else { i64::MAX }
    }
}

/// The windows of all rules at one step.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) tick: i64,
    pub(super) today: Date,
    /// For each window the steps that it holds; only for those that move.
    ranges: Vec<(i64, i64)>,
}

impl Frame {
    /// The rows that a window holds.
    #[inline]
    pub(super) fn rows(&self, ring: &Ring, window: usize) -> Range<usize> {
        let (from, to) = self.ranges[window];
        let n = ring.n_rows();
        // Most windows end now, where the last row is at most.
        let end = match n.checked_sub(1) {
            Some(last) if ring.tick(last) >= to => ring.before(to),
            _ => n,
        };
        ring.before(from).min(end)..end
    }

    /// The steps that a window holds.
    #[inline]
    pub(super) fn ticks(&self, window: usize) -> Range<i64> {
        let (from, to) = self.ranges[window];
        from..to
    }

    /// The first step that a window of a stream holds.
    pub(super) fn keep(&self, stream: &StreamPlan) -> i64 {
        let first = stream.windows.iter().map(|window| self.ranges[window.place].0);
        first.min().unwrap_or(i64::MAX)
    }

    fn fill(&mut self, plan: &Plan, clock: &Clock, tick: i64) {
        self.tick = tick;
        let moment = clock.moment(tick);
        self.today = moment.today();
        let ranges = plan.windows.iter().map(|bounds| {
            let range = bounds.as_ref()?.range(&moment);
            Some((clock.grid.next(range.start), clock.grid.next(range.end)))
        });
        self.ranges.clear();
        self.ranges.extend(ranges.map(|range| range.unwrap_or((i64::MAX, i64::MAX))));
    }
}

impl Default for Frame {
    fn default() -> Frame {
        Frame { tick: i64::MIN, today: Date::MIN, ranges: Vec::new() }
    }
}

/// The frames that were used last.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    recent: Vec<Frame>,
    /// That of the present step …
    pub(super) now: Frame,
    /// … and of the one before a change.
    pub(super) before: Frame,
}

/// Frames that are kept: so many, and fewer where they are large.
const RECENT: usize = 512;
/// Windows of all of them.
const WINDOWS: usize = 1 << 16;

impl Frames {
    /// Makes `now` the frame of a step.
    pub(super) fn go_to(&mut self, plan: &Plan, clock: &Clock, tick: i64) {
        if self.now.tick == tick {
            return;
        }
        if self.recent.is_empty() {
            let n = (WINDOWS / plan.windows.len().max(1)).clamp(1, RECENT);
            self.recent.resize_with(n, Frame::default);
        }
        let n = self.recent.len();
        let known = &mut self.recent[tick.rem_euclid(n as i64) as usize];
        if known.tick != tick {
            known.fill(plan, clock, tick);
        }
        self.now.tick = tick;
        self.now.today = known.today;
        self.now.ranges.clone_from(&known.ranges);
    }

    /// Makes `now` the frame of a step, and `before` what it was.
    pub(super) fn pass(&mut self, plan: &Plan, clock: &Clock, from: i64, to: i64) {
        self.go_to(plan, clock, from);
        std::mem::swap(&mut self.now, &mut self.before);
        self.now.tick = i64::MIN;
        self.go_to(plan, clock, to);
    }
}
