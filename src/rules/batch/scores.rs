//! Scores of the customers of a block, as codes that rules are asked about.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::graph::Signal;
use super::lower::{Columns, Lowered};
use super::program::{Memory, Plane, Program, ROWS, Run};
use crate::data::{Column, Validity};
use crate::rules::compile::Compiled;
use crate::rules::leaf::Source;
use crate::rules::score::{GivenFor, Score};
use crate::simd::{Arithmetic, Kernel};

/// The scores that rules test, each once.
#[derive(Debug)]
pub(super) struct Scores<'r> {
    scores: Vec<Scored<'r>>,
    /// Whether the rules of parts hold, in the order of the parts.
    program: Program,
    /// The places of the derived columns of the scores.
    first: usize,
}

/// A score, and the rule whose parts are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'r> {
    pub(super) rule: &'r Compiled,
    pub(super) score: &'r Score,
}

#[derive(Debug)]
struct Scored<'r> {
    score: &'r Score,
    parts: Vec<Times>,
    /// Whether sums of the points are never rounded.
    is_exact: bool,
}

/// How often a part gives its points.
#[derive(Clone, Copy, Debug)]
enum Times {
    /// Once, where this result of the program holds.
    If(usize),
    /// As often as the aggregate at this place among those that are kept.
    Count(usize),
}

/// Memory for the customers of a block.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    /// Where rules of parts hold.
    planes: Vec<Plane>,
    numbers: Vec<f64>,
}

/// The different scores of rules, by their places.
pub(super) fn scores(rules: &[Compiled]) -> BTreeMap<u32, Found<'_>> {
    let mut found = BTreeMap::new();
    for rule in rules {
        for score in &rule.scores {
            found.entry(score.place).or_insert(Found { rule, score });
        }
    }
    found
}

/// The aggregates whose values count, by their places among all.
pub(super) fn amounts(found: &BTreeMap<u32, Found<'_>>) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for Found { rule, score } in found.values() {
        for part in &score.parts {
            places.extend(amount(rule, &part.given_for));
        }
    }
    places.sort_unstable();
    places.dedup();
    places
}

fn amount(rule: &Compiled, given_for: &GivenFor) -> Option<usize> {
    let GivenFor::Times { leaf } = given_for else { return None };
    let Source::Events(at) = rule.leaves.get(*leaf as usize)?.source else { return None };
    Some(rule.behaviours.get(at as usize)?.place as usize)
}

impl<'r> Scores<'r> {
    /// `holds` are the answers of the rules of all parts, in their order, `first` the place of
    /// the first score among the derived columns, and `amounts` the aggregates that are kept.
    pub(super) fn new(
        found: &BTreeMap<u32, Found<'r>>,
        lowered: &Lowered,
        holds: &[Signal],
        first: usize,
        amounts: &[usize],
    ) -> Option<Scores<'r>> {
        let mut n_rules = 0;
        let mut scores = Vec::with_capacity(found.len());
        for Found { rule, score } in found.values() {
            let times = score.parts.iter().map(|part| match part.given_for {
                GivenFor::Rule { .. } => {
                    n_rules += 1;
                    Some(Times::If(n_rules - 1))
                }
                GivenFor::Times { .. } => {
                    let place = amount(rule, &part.given_for)?;
                    amounts.binary_search(&place).ok().map(Times::Count)
                }
            });
            let parts = times.collect::<Option<Vec<Times>>>()?;
            scores.push(Scored { score, parts, is_exact: score.is_exact() });
        }
        let program = Program::new(&lowered.graph, holds);
        Some(Scores { scores, program, first })
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    pub(super) fn scratch(&self) -> Scratch {
        let is_rule = |times: &&Times| matches!(times, Times::If(_));
        let of_rules = self.scores.iter().flat_map(|scored| &scored.parts);
        Scratch {
            planes: vec![[0; ROWS / 64]; of_rules.filter(is_rule).count()],
            numbers: vec![0.0; ROWS],
        }
    }
}

/// Computes all scores of up to [`ROWS`] customers, and codes them.
pub(super) struct FillScores<'a> {
    pub(super) scores: &'a Scores<'a>,
    pub(super) lowered: &'a Lowered,
    pub(super) columns: Columns<'a>,
    pub(super) rows: std::ops::Range<usize>,
    /// For each derived column, the pages into which it is coded.
    pub(super) pages: &'a [Vec<usize>],
    pub(super) scratch: &'a mut Scratch,
    pub(super) memory: &'a mut Memory,
}

impl Kernel for FillScores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let FillScores { scores, lowered, columns, rows, pages, scratch, memory } = self;
        let Scratch { planes, numbers } = scratch;
        let n = rows.len();
        let run = Run {
            program: &scores.program,
            lowered,
            columns,
            rows,
            memory: &mut *memory,
            tell: |result: usize, plane: &Plane, flip: u64| {
                for (word, from) in planes[result].iter_mut().zip(plane) {
                    *word = from ^ flip;
                }
                ControlFlow::Continue(())
            },
        };
        run.run::<A>();
        for (i, scored) in scores.scores.iter().enumerate() {
            scored.fill(planes, &memory.kept, &mut numbers[..n]);
            let column = Column::Number((&numbers[..n]).into(), Validity::All);
            for &page in &pages[scores.first + i] {
                lowered.pages[page].code(&column, 0..n, &mut memory.codes[page][..n]);
                memory.is_coded[page] = true;
            }
        }
    }
}

impl Scored<'_> {
    fn fill(&self, planes: &[Plane], kept: &[Vec<f64>], numbers: &mut [f64]) {
        let Scored { score, parts, is_exact } = self;
        let times = |times: Times, row: usize| match times {
            Times::If(result) => (planes[result][row / 64] >> (row % 64) & 1) as f64,
            Times::Count(at) => kept[at][row],
        };
        let all = || score.parts.iter().zip(parts);
        if !is_exact {
            for (row, number) in numbers.iter_mut().enumerate() {
                let points = all().map(|(part, &of)| part.points(times(of, row)));
                *number = score.sum(points);
            }
            return;
        }
        numbers.fill(0.0);
        for (part, &of) in all() {
            match of {
                Times::If(result) => {
                    // Once, or not at all.
                    let points = part.points(1.0).to_bits();
                    for (chunk, word) in numbers.chunks_mut(64).zip(&planes[result]) {
                        for (bit, number) in chunk.iter_mut().enumerate() {
                            let mask = 0_u64.wrapping_sub(word >> bit & 1);
                            *number += f64::from_bits(points & mask);
                        }
                    }
                }
                Times::Count(at) => {
                    for (number, &count) in numbers.iter_mut().zip(&kept[at]) {
                        *number += part.points(count);
                    }
                }
            }
        }
        for number in numbers {
            *number = score.capped(*number);
        }
    }
}
