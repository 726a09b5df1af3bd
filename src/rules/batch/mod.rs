//! Rules over the columns of a table, many rows at once.
//!
//! What rules ask of a column divides its values into classes that no test can tell apart.
//! So a column becomes one byte a row, a test a comparison or a lookup of 32 bytes at
//! once, and its answers a plane of bits. Rules combine planes; equal parts of different
//! rules are one.

mod computed;
mod events;
mod fixed;
pub(super) mod graph;
mod ladder;
mod links;
mod lower;
mod pages;
mod plan;
mod program;
mod rows;
mod scores;

use std::ops::{ControlFlow, Range};

use self::events::{Fill, Scratch};
use self::graph::{Answers, Signal};
use self::lower::{Columns, Lowered, Placed, Posed, lower};
use self::plan::Plan;
use self::program::{Memory, Plane, Program, ROWS, Run};
use self::scores::{FillScores, Found, Scores, scores};
use super::behaviour::aggregates;
use super::compile::Compiled;
use super::leaf::{Check, Source};
use super::members::{MembershipCount, Memberships, Planes, bits};
use super::set::CompiledSet;
use super::window::Bound;
use crate::data::{Date, SchemaMap, Table};
use crate::parallel::{map_blocks, map_blocks_mut};
use crate::segmenter::{Assignment, SegmentIndex};
use crate::simd;

/// Blocks of one task, which share memory.
const TASK: usize = 8 * ROWS;

/// Rules that are ready to be asked about the rows of one table.
#[derive(Debug)]
pub(super) struct Batch<'t> {
    table: &'t Table<'t>,
    /// The aggregates of events, and all else that is computed and that rules ask about.
    plan: Option<Plan<'t>>,
    scores: Option<Scores<'t>>,
    lowered: Lowered,
}

/// Memory of a task.
struct TaskMemory {
    memory: Memory,
    scratch: Option<Scratch>,
    scores: Option<scores::Scratch>,
}

impl<'t> Batch<'t> {
    /// Nothing when the answer to a row may be an error: when the column of a feature with
    /// closed levels has one that is not among them, or no instant is bound and rules ask
    /// about events. `map` says where the features and streams of the rules stand in the
    /// table. With a rest, one more rule follows: that none is True.
    pub(super) fn new(
        set: &'t CompiledSet,
        bound: Option<&Bound>,
        table: &'t Table<'t>,
        map: Option<&SchemaMap>,
    ) -> Option<Batch<'t>> {
        let rules = &*set.rules;
        let is_plain = |rule: &Compiled| {
            rule.behaviours.is_empty()
                && rule.computed.is_empty()
                && rule.scores.is_empty()
        };
        let plan = if rules.iter().all(is_plain) {
            None
        } else {
            Some(Plan::new(rules, bound, table, map)?)
        };
        let n_aggregates = aggregates(rules).count();
        let n_stored = table.columns().len();
        let found = scores(rules);
        let n_filled = plan.as_ref().map_or(0, |plan| plan.n_filled);
        let column = |rule: &Compiled, source: Source| match source {
            Source::Feature(feature) => {
                map.map_or(Some(feature), |map| map.feature(feature)).map(|f| f.get())
            }
            Source::Events(at) => {
                Some(n_stored + rule.behaviours.get(at as usize)?.place as usize)
            }
            Source::Computed(at) => {
                let place = rule.computed.get(at as usize)?.place as usize;
                Some(n_stored + n_aggregates + place)
            }
            Source::Score(at) => {
                let place = rule.scores.get(at as usize)?.place;
                let rank = found.keys().position(|&known| known == place)?;
                Some(n_stored + n_filled + rank)
            }
        };
        let tests = |rule: &'t Compiled, leaves: Range<usize>| {
            let leaves = rule.leaves.get(leaves)?.iter();
            // Amounts have no codes.
            let leaves = leaves.filter(|leaf| leaf.check != Check::Amount);
            let placed = leaves
                .map(|leaf| Some(Placed { column: column(rule, leaf.source)?, leaf }));
            placed.collect::<Option<Vec<_>>>()
        };
        let mut placed = Vec::with_capacity(rules.len());
        for rule in rules {
            let tests = tests(rule, 0..rule.leaves.len())?;
            placed.push(Posed { rule: &rule.rule, tests, segments: &rule.segments });
        }
        let mut order = set.order.to_vec();
        for Found { rule, score } in found.values() {
            for (i, of_part) in score.rules() {
                order.push(placed.len() as u32);
                let tests = tests(rule, score.parts.get(i)?.leaves())?;
                placed.push(Posed { rule: of_part, tests, segments: &[] });
            }
        }
        let today = match bound {
            Some(bound) => bound.today,
            None if set.depends_on_time() => return None,
            None => Date::MIN,
        };
        let columns = columns(table, plan.as_ref());
        let mut lowered = lower(&placed, &order, columns, today)?;
        let of_parts = lowered.answers.split_off(rules.len());
        let scores = match &plan {
            Some(plan) if !found.is_empty() => {
                let holds: Vec<Signal> = of_parts.iter().map(|a| a.holds).collect();
                Some(Scores::new(&found, &lowered, &holds, n_filled, &plan.amounts)?)
            }
            _ => None,
        };
        if set.has_rest() {
            let holds = lowered.answers.iter().map(|answers| answers.holds).collect();
            let taken = lowered.graph.any(holds);
            lowered.answers.push(Answers { holds: !taken, fails: taken });
        }
        Some(Batch { table, plan, scores, lowered })
    }

    /// How many rows are in each segment.
    pub(super) fn count(&self) -> Vec<MembershipCount> {
        let answers = &self.lowered.answers;
        let holds = answers.iter().map(|answers| answers.holds);
        // Most rules are False where they are not True, and need no second look.
        let open = |i: &usize| answers[*i].fails != !answers[*i].holds;
        let open: Vec<usize> = (0..answers.len()).filter(open).collect();
        let results = holds.chain(open.iter().map(|&i| answers[i].fails)).collect();
        let n_results = answers.len() + open.len();
        let parts = self.map(results, |rows, program, memory| {
            let mut counts = vec![0; n_results];
            let n_rows = rows.len();
            self.run(program, rows, memory, |result, block, plane, flip| {
                let n_rows = (n_rows - block * ROWS).min(ROWS);
                counts[result] += ones(plane, flip, n_rows);
                ControlFlow::Continue(())
            });
            counts
        });
        let mut total = vec![0; n_results];
        for counts in parts {
            for (sum, count) in total.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        let n_rows = self.table.len() as u64;
        let (holds, fails) = total.split_at(answers.len());
        let decided = |&holds: &u64| MembershipCount::new(n_rows, holds, n_rows - holds);
        let mut counts: Vec<MembershipCount> = holds.iter().map(decided).collect();
        for (i, &fails) in open.into_iter().zip(fails) {
            counts[i] = MembershipCount::new(n_rows, holds[i], fails);
        }
        counts
    }

    /// Which rows are in each segment.
    pub(super) fn memberships(&self) -> Memberships {
        let n_segments = self.lowered.answers.len();
        let parts = self.map(self.both(), |rows, program, memory| {
            let mut words =
                vec![Vec::with_capacity(rows.len().div_ceil(64)); 2 * n_segments];
            let n_rows = rows.len();
            self.run(program, rows, memory, |result, block, plane, flip| {
                let n_rows = (n_rows - block * ROWS).min(ROWS);
                let n_words = n_rows.div_ceil(64);
                words[result].extend(plane[..n_words].iter().map(|word| word ^ flip));
                if let (Some(last), 1..) = (words[result].last_mut(), n_rows % 64) {
                    *last &= (1 << (n_rows % 64)) - 1;
                }
                ControlFlow::Continue(())
            });
            words
        });
        let n_words = self.table.len().div_ceil(64);
        let mut planes = map_blocks(2 * n_segments, 1, |result| {
            let mut plane = Vec::with_capacity(n_words);
            for words in &parts {
                plane.extend_from_slice(&words[result.start]);
            }
            plane
        })
        .into_iter();
        let pair = || Some(Planes { holds: planes.next()?, fails: planes.next()? });
        Memberships {
            n_rows: self.table.len(),
            planes: std::iter::from_fn(pair).collect(),
        }
    }

    /// Assigns each row to the first segment in which it is. `out` is as long as the table.
    pub(super) fn first_match(mut self, out: &mut [Assignment]) {
        let mut results = Vec::with_capacity(self.lowered.answers.len());
        let mut taken = Signal::FALSE;
        let graph = &mut self.lowered.graph;
        for answers in &self.lowered.answers {
            results.push(graph.and(answers.holds, !taken));
            taken = graph.or(taken, answers.holds);
        }
        let program = Program::new(graph, &results);
        map_blocks_mut(out, TASK, |start, out| {
            out.fill(Assignment::none());
            let mut n_open: Vec<usize> = out.chunks(ROWS).map(<[_]>::len).collect();
            let mut memory = self.memory(&program);
            let rows = start..start + out.len();
            let mut blocks = Vec::from_iter(out.chunks_mut(ROWS));
            self.run(&program, rows, &mut memory, |result, block, plane, flip| {
                let out = &mut *blocks[block];
                let assigned = Assignment::certain(SegmentIndex::new(result as u32));
                for (out, word) in out.chunks_mut(64).zip(plane) {
                    let here = u64::MAX >> (64 - out.len());
                    let word = (word ^ flip) & here;
                    n_open[block] -= word.count_ones() as usize;
                    for bit in bits(word) {
                        out[bit] = assigned;
                    }
                }
                // When all are assigned, nothing more is looked at.
                if n_open[block] == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        });
    }

    /// Of each segment whether it holds, and whether it fails.
    fn both(&self) -> Vec<Signal> {
        self.lowered.answers.iter().flat_map(|a| [a.holds, a.fails]).collect()
    }

    /// Does `work` on the rows of each task with a program for these results.
    fn map<T: Send>(
        &self,
        results: Vec<Signal>,
        work: impl Fn(Range<usize>, &Program, &mut TaskMemory) -> T + Sync,
    ) -> Vec<T> {
        let program = Program::new(&self.lowered.graph, &results);
        map_blocks(self.table.len(), TASK, |rows| {
            let mut memory = self.memory(&program);
            work(rows, &program, &mut memory)
        })
    }

    fn memory(&self, program: &Program) -> TaskMemory {
        let n_stored = self.table.columns().len();
        let scratch =
            self.plan.as_ref().map(|plan| Scratch::new(plan, &self.lowered, n_stored));
        let mut memory = Memory::new(program, &self.lowered);
        if let (Some(scores), Some(plan)) = (&self.scores, &self.plan) {
            memory.also_for(scores.program(), plan.amounts.len());
        }
        let scores = self.scores.as_ref().map(Scores::scratch);
        TaskMemory { memory, scratch, scores }
    }

    /// Tells each result of each block: its number, that of the block, the plane, and what
    /// it is to be xored with. Whoever is told may break off the block.
    fn run(
        &self,
        program: &Program,
        rows: Range<usize>,
        memory: &mut TaskMemory,
        mut tell: impl FnMut(usize, usize, &Plane, u64) -> ControlFlow<()>,
    ) {
        for (block, start) in rows.clone().step_by(ROWS).enumerate() {
            let rows = start..(start + ROWS).min(rows.end);
            let TaskMemory { memory, scratch, scores } = &mut *memory;
            memory.is_coded.fill(false);
            if let (Some(plan), Some(scratch)) = (&self.plan, scratch) {
                let lowered = &self.lowered;
                let fill = Fill { plan, lowered, rows: rows.clone(), scratch, memory };
                simd::run(fill);
                if let (Some(of_scores), Some(own)) = (&self.scores, scores) {
                    simd::run(FillScores {
                        scores: of_scores,
                        lowered,
                        columns: columns(self.table, Some(plan)),
                        rows: rows.clone(),
                        pages: &scratch.pages,
                        scratch: own,
                        memory,
                    });
                }
            }
            simd::run(Run {
                program,
                lowered: &self.lowered,
                columns: columns(self.table, self.plan.as_ref()),
                rows,
                memory,
                tell: |result: usize, plane: &Plane, flip: u64| {
                    tell(result, block, plane, flip)
                },
            });
        }
    }
}

fn columns<'a>(table: &'a Table<'a>, plan: Option<&'a Plan<'a>>) -> Columns<'a> {
    let derived = plan.map_or(&[][..], |plan| &plan.columns);
    Columns { stored: table.columns(), derived, n_rows: table.len() }
}

/// Rows whose bits are set.
#[inline(always)]
fn ones(plane: &Plane, flip: u64, n_rows: usize) -> u64 {
    let mut n = 0;
    if n_rows == ROWS {
        for word in plane {
            n += u64::from(word.count_ones());
        }
    } else {
        let (whole, rest) = (n_rows / 64, n_rows % 64);
        for word in &plane[..whole] {
            n += u64::from(word.count_ones());
        }
        let mask = (1 << rest) - 1;
        n += u64::from((plane[whole] & mask).count_ones());
    }
    if flip == 0 { n } else { n_rows as u64 - n }
}
