//! Aggregates of one customer before a change and after it, each read once.

use std::ops::Range;

use super::code::{ABSENT, Code, of_number};
use super::customer::StreamState;
use super::frame::{Clock, Frame};
use super::plan::{Group, Over, Plan, StreamPlan};
use super::ring::{Ring, Total};
use super::view::code;

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
            for place in plan.groups[group as usize].places() {
                let [was, is] = &mut self.both[place];
                *was = *is;
            }
        }
    }

    /// Reads a group, on one side or both. `frames` are those of the two sides, and `rows` what
    /// its stream's windows hold there.
    #[allow(clippy::too_many_arguments, reason = "all that there is to a side")]
    pub(super) fn read(
        &mut self,
        at: usize,
        sides: Range<usize>,
        plan: &Plan,
        state: &StreamState,
        rows: &Rows,
        frames: [&Frame; 2],
        clock: &Clock,
    ) {
        let Values { both, is_read, read, memory } = self;
        let group = &plan.groups[at];
        if !is_read[at] {
            is_read[at] = true;
            read.push(at as u32);
        }
        let ring = &state.ring;
        for (column, is_sum, reads) in &group.columns {
            let mut tell = |value: &mut dyn FnMut(&Range<usize>) -> f64| {
                for read in reads {
                    let both = &mut both[read.place as usize];
                    for side in sides.clone() {
                        both[side] =
                            of_number(value(&rows.rows[read.window as usize][side]));
                    }
                }
            };
            let Memory { totals, wide } = memory;
            if !is_sum {
                ring.counts(*column, totals);
                tell(&mut |rows| (totals[rows.end] - totals[rows.start]) as f64);
            } else if let Some(exponent) = ring.sums(*column, totals) {
                tell(&mut |rows| {
                    Total::of(totals[rows.end] - totals[rows.start], exponent)
                });
            } else if let Some(exponent) = ring.wide_sums(*column, wide) {
                tell(&mut |rows| {
                    Total::Units(wide[rows.end] - wide[rows.start], exponent).value()
                });
            } else {
                tell(&mut |rows| ring.total(*column, rows.clone()).value());
            }
        }
        for &place in &group.others {
            let aggregate = &plan.aggregates[place as usize];
            let both = &mut both[place as usize];
            let [was, is] = frames;
            if let Over::Fixed(_) = aggregate.over {
                let value = code(aggregate, state, is, clock);
                sides.clone().for_each(|side| both[side] = value);
            } else {
                for side in sides.clone() {
                    both[side] = code(aggregate, state, [was, is][side], clock);
                }
            }
        }
    }
}

impl Group {
    /// The aggregates.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let reads = self.columns.iter().flat_map(|(_, _, reads)| reads);
        let reads = reads.map(|read| read.place as usize);
        reads.chain(self.others.iter().map(|&place| place as usize))
    }
}
