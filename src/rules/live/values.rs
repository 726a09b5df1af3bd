//! Aggregates of one customer before a change and after it, each read once.

use std::ops::Range;

use super::code::{ABSENT, Code, of_number};
use super::customer::StreamState;
use super::frame::{Clock, Frame};
use super::plan::{ColumnReads, Content, Over, Plan, Read, StreamPlan};
use super::program::Both;
use super::ring::{Ring, Total, units};
use super::view::code;
use crate::data::Value;

/// What aggregates were and are, as far as anyone has asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// By the places of the aggregates.
    both: Vec<[Code; 2]>,
    /// For each group whether it was read, …
    is_read: Vec<bool>,
    /// … and those that were.
    read: Vec<u32>,
    memory: Memory,
    /// Of the rules in scores.
    pub(super) stack: Vec<Both>,
}

#[derive(Clone, Debug, Default)]
struct Memory {
    totals: Vec<i64>,
    wide: Vec<i128>,
}

/// The rows that the windows of a stream hold, before a change and after it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    rows: Vec<[Range<usize>; 2]>,
}

impl Rows {
    /// Those of one step, before as after.
    #[inline]
    pub(super) fn at(&mut self, stream: &StreamPlan, ring: &Ring, now: &Frame) {
        self.rows.clear();
        self.rows.extend(stream.windows.iter().map(|window| {
            let rows = now.rows(ring, window.place);
            [rows.clone(), rows]
        }));
    }

    /// Those of two steps.
    pub(super) fn from(
        &mut self,
        stream: &StreamPlan,
        ring: &Ring,
        before: &Frame,
        now: &Frame,
    ) {
        self.rows.clear();
        let rows = |window: usize| [before, now].map(|frame| frame.rows(ring, window));
        self.rows.extend(stream.windows.iter().map(|window| rows(window.place)));
    }

    /// Whether all windows hold what they held.
    pub(super) fn are_same(&self) -> bool {
        self.rows.iter().all(|[was, is]| was == is)
    }

    /// The present ones.
    pub(super) fn now(&self) -> impl Iterator<Item = &Range<usize>> {
        self.rows.iter().map(|[_, is]| is)
    }
}

impl Values {
    pub(super) fn new(plan: &Plan) -> Values {
        Values {
            both: vec![[ABSENT; 2]; plan.aggregates.len()],
            is_read: vec![false; plan.groups.len()],
            ..Values::default()
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        for group in self.read.drain(..) {
            self.is_read[group as usize] = false;
        }
    }

    pub(super) fn has(&self, group: usize) -> bool {
        self.is_read[group]
    }

    /// The groups that were read.
    pub(super) fn read_groups(&self) -> impl Iterator<Item = usize> {
        self.read.iter().map(|&group| group as usize)
    }

    #[inline]
    pub(super) fn get(&self, aggregate: usize) -> [Code; 2] {
        self.both[aggregate]
    }

    /// What is becomes what was.
    pub(super) fn settle(&mut self, plan: &Plan) {
        for &group in &self.read {
            for &place in &plan.groups[group as usize].places {
                let [was, is] = &mut self.both[place as usize];
                *was = *is;
            }
        }
    }

    fn mark(&mut self, group: usize) {
        if !self.is_read[group] {
            self.is_read[group] = true;
            self.read.push(group as u32);
        }
    }

    /// Reads a group, before a change and after it.
    pub(super) fn read(&mut self, at: usize, side: &Sides<'_>) {
        self.mark(at);
        let group = &side.plan.groups[at];
        let Values { both, memory, .. } = self;
        for reads in &group.columns {
            let totals = memory.totals(side.state.part(reads.is_fixed), reads);
            for read in &reads.reads {
                let [was, is] = &side.rows(reads, read);
                let now = of_number(totals.over(is));
                let before = if was == is { now } else { of_number(totals.over(was)) };
                both[read.place as usize] = [before, now];
            }
        }
        for &place in &group.others {
            let [before, now] = side.frames;
            let is = side.code(place, now);
            let was = match side.plan.aggregates[place as usize].over {
                Over::Moving(_) if before.tick != now.tick => side.code(place, before),
                _ => is,
            };
            both[place as usize] = [was, is];
        }
    }

    /// Reads of a group what an event that is about to be added may change, but for counts
    /// and sums.
    pub(super) fn read_before(&mut self, at: usize, side: &Sides<'_>) {
        for &place in &side.plan.groups[at].others {
            self.both[place as usize][0] = side.code(place, side.frames[1]);
        }
    }

    /// Reads the same after an event was added to a row, and counts and sums on both sides.
    pub(super) fn read_after(
        &mut self,
        at: usize,
        side: &Sides<'_>,
        row: Option<usize>,
        start: i64,
        event: &[Value<'_>],
    ) {
        self.mark(at);
        let group = &side.plan.groups[at];
        let stream = &side.plan.streams[group.stream];
        let Values { both, memory, .. } = self;
        for reads in &group.columns {
            let mut totals = memory.totals(side.state.part(reads.is_fixed), reads);
            let part = if reads.is_fixed { &stream.fixed } else { &stream.moving };
            totals.take(match part.column(reads.column).content {
                Content::Sum(property) => match event.get(property.get()) {
                    Some(Value::Number(x)) => *x,
                    _ => 0.0,
                },
                _ => 1.0,
            });
            for read in &reads.reads {
                let [_, rows] = &side.rows(reads, read);
                let is_in = if reads.is_fixed {
                    stream.stretches[read.window as usize].contains(&start)
                } else {
                    row.is_some_and(|row| rows.contains(&row))
                };
                let is = of_number(totals.over(rows));
                let was = if is_in { of_number(totals.without(rows)) } else { is };
                both[read.place as usize] = [was, is];
            }
        }
        for &place in &group.others {
            self.both[place as usize][1] = side.code(place, side.frames[1]);
        }
    }
}

/// What is known of both sides of a change in one stream.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) plan: &'a Plan,
    pub(super) clock: &'a Clock,
    pub(super) state: &'a StreamState,
    /// Before and after.
    pub(super) frames: [&'a Frame; 2],
    pub(super) rows: &'a Rows,
}

impl Sides<'_> {
    fn code(&self, place: u32, frame: &Frame) -> Code {
        code(self.plan, place as usize, self.state, frame, self.clock)
    }

    /// The rows of a window on both sides.
    #[inline]
    fn rows(&self, reads: &ColumnReads, read: &Read) -> [Range<usize>; 2] {
        let window = read.window as usize;
        if reads.is_fixed {
            return [window..window + 1, window..window + 1];
        }
        self.rows.rows[window].clone()
    }
}

/// The totals of the first 0, 1, 2, … rows of a column.
enum Totals<'m> {
    Units { totals: &'m [i64], exponent: i32, taken: i64 },
    Wide { totals: &'m [i128], exponent: i32, taken: i128 },
    Exact { ring: &'m Ring, column: usize, taken: f64 },
}

impl Memory {
    #[inline]
    fn totals<'m>(&'m mut self, ring: &'m Ring, reads: &ColumnReads) -> Totals<'m> {
        let column = reads.column;
        if !reads.is_sum {
            ring.counts(column, &mut self.totals);
            return Totals::Units { totals: &self.totals, exponent: 0, taken: 0 };
        }
        if let Some(exponent) = ring.sums(column, &mut self.totals) {
            return Totals::Units { totals: &self.totals, exponent, taken: 0 };
        }
        match ring.wide_sums(column, &mut self.wide) {
            Some(exponent) => Totals::Wide { totals: &self.wide, exponent, taken: 0 },
            None => Totals::Exact { ring, column, taken: 0.0 },
        }
    }
}

impl Totals<'_> {
    /// The total over some rows.
    #[inline]
    fn over(&self, rows: &Range<usize>) -> f64 {
        match self {
            Totals::Units { totals, exponent, .. } => {
                Total::of(totals[rows.end] - totals[rows.start], *exponent)
            }
            Totals::Wide { totals, exponent, .. } => {
                Total::Units(totals[rows.end] - totals[rows.start], *exponent).value()
            }
            Totals::Exact { ring, column, .. } => {
                ring.total(*column, rows.clone()).value()
            }
        }
    }

    /// States a number that was added to a row.
    fn take(&mut self, x: f64) {
        match self {
            Totals::Units { exponent, taken, .. } => {
                *taken = units(x, *exponent).unwrap_or_default() as i64;
            }
            Totals::Wide { exponent, taken, .. } => {
                *taken = units(x, *exponent).unwrap_or_default();
            }
            Totals::Exact { taken, .. } => *taken = x,
        }
    }

    /// The total over some rows without that number.
    #[inline]
    fn without(&self, rows: &Range<usize>) -> f64 {
        match self {
            Totals::Units { totals, exponent, taken } => {
                Total::of(totals[rows.end] - totals[rows.start] - taken, *exponent)
            }
            Totals::Wide { totals, exponent, taken } => {
                let total = totals[rows.end] - totals[rows.start] - taken;
                Total::Units(total, *exponent).value()
            }
            Totals::Exact { ring, column, taken } => {
                ring.total(*column, rows.clone()).minus(*taken).value()
            }
        }
    }
}
