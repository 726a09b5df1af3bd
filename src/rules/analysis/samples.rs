//! Many customers at once, to see quickly what is not so.
//!
//! A sample gives each term an answer, so that all that is known of their subjects is
//! true: 64 samples are the bits of one word (SAT sweeping: Mishchenko, Chatterjee, Jiang
//! & Brayton 2005). What holds of no sample may still be possible; so samples only spare
//! questions, and prove nothing.

use std::collections::BTreeMap;

use super::encode::Encoding;
use super::model::Model;
use super::shape::Shape;
use super::solver::{Lit, Outcome};
use crate::random::Random;
use crate::rules::batch::graph::{Node, Signal};

/// Samples of each component from which others are put together.
const POOL: usize = 64;

/// Blocks of 64 samples that are put together at random.
const BLOCKS: usize = 16;

/// The work that a part of a sample is worth.
const MOST_STEPS: u64 = 1 << 20;

/// Terms whose subjects have to do with each other.
#[derive(Debug)]
struct Component {
    terms: Vec<u32>,
    encoding: Encoding,
    /// For each term a word: its answers in the samples of the pool.
    pool: Vec<u64>,
}

#[derive(Debug)]
pub(super) struct Samples {
    components: Vec<Component>,
    /// By term: its component and its place there.
    places: Vec<(u32, u32)>,
    /// For each block the answers of all nodes of the graph.
    blocks: Vec<Vec<u64>>,
    /// Samples that wait for a block: the answers of some terms, others at random.
    waiting: Vec<BTreeMap<u32, bool>>,
    random: Random,
    /// Work that was done.
    pub(super) steps: u64,
}

impl Samples {
    /// Within so many steps, if there are subjects that need more.
    pub(super) fn new(model: &Model, most: u64) -> Samples {
        let mut samples = Samples {
            components: Vec::new(),
            places: vec![(0, 0); model.shapes.len()],
            blocks: Vec::new(),
            waiting: Vec::new(),
            random: Random::new(0, 0),
            steps: 0,
        };
        for terms in components(model) {
            if samples.steps > most {
                // Answers at random are no customers, so that nothing is seen.
                samples.components.clear();
                return samples;
            }
            for (i, &term) in (0..).zip(&terms) {
                samples.places[term as usize] = (samples.components.len() as u32, i);
            }
            if !samples.component(model, terms, most) {
                samples.components.clear();
                return samples;
            }
        }
        for _ in 0..BLOCKS {
            samples.block(model);
        }
        samples
    }

    /// Whether all is said of these terms, and not too much.
    fn component(&mut self, model: &Model, terms: Vec<u32>, most: u64) -> bool {
        let most = most.saturating_sub(self.steps);
        let mut encoding = Encoding::of_terms(model, &terms, most);
        let mut is_whole = encoding.is_whole;
        let mut pool = vec![0; terms.len()];
        for sample in 0..POOL {
            scatter(&mut encoding, model, &mut self.random);
            // Nothing is assumed, and there always is a customer.
            let left = most.saturating_sub(encoding.solver.steps()).min(MOST_STEPS);
            is_whole &= encoding.solver.solve(&[], left) == Outcome::Possible;
            if !is_whole {
                break;
            }
            for (word, term) in pool.iter_mut().zip(&terms) {
                let holds = encoding.solver.holds(encoding.terms[term]);
                *word |= u64::from(holds) << sample;
            }
        }
        self.steps += encoding.solver.steps();
        self.components.push(Component { terms, encoding, pool });
        is_whole
    }

    /// Lets a solver try classes at random first.
    pub(super) fn scatter(&mut self, encoding: &mut Encoding, model: &Model) {
        scatter(encoding, model, &mut self.random);
    }

    /// Adds a sample in which these terms have these answers, if there is one.
    pub(super) fn add(&mut self, model: &Model, answers: &BTreeMap<u32, bool>) {
        if self.components.is_empty() {
            return;
        }
        let mut touched: BTreeMap<u32, Vec<(u32, bool)>> = BTreeMap::new();
        for (&term, &holds) in answers {
            let (component, _) = self.places[term as usize];
            touched.entry(component).or_default().push((term, holds));
        }
        let mut whole = BTreeMap::new();
        for (component, answers) in touched {
            let Component { terms, encoding, .. } =
                &mut self.components[component as usize];
            scatter(encoding, model, &mut self.random);
            let sign = |&(term, holds): &(u32, bool)| {
                let lit = encoding.terms[&term];
                if holds { lit } else { !lit }
            };
            let assumed: Vec<Lit> = answers.iter().map(sign).collect();
            let before = encoding.solver.steps();
            let outcome = encoding.solver.solve(&assumed, MOST_STEPS);
            self.steps += encoding.solver.steps() - before;
            if outcome != Outcome::Possible {
                return;
            }
            for &term in terms.iter() {
                whole.insert(term, encoding.solver.holds(encoding.terms[&term]));
            }
        }
        self.waiting.push(whole);
        if self.waiting.len() == 64 {
            self.block(model);
        }
    }

    /// Lets samples that wait be seen.
    pub(super) fn flush(&mut self, model: &Model) {
        if !self.waiting.is_empty() {
            self.block(model);
        }
    }

    /// A block of the samples that wait, and of others.
    fn block(&mut self, model: &Model) {
        let mut terms = vec![0_u64; self.places.len()];
        for component in &self.components {
            let chosen: Vec<usize> = (0..64).map(|_| self.random.below(POOL)).collect();
            for (&term, &pool) in component.terms.iter().zip(&component.pool) {
                let lanes = chosen.iter().enumerate();
                let word = lanes
                    .fold(0, |word, (lane, &sample)| word | (pool >> sample & 1) << lane);
                terms[term as usize] = word;
            }
        }
        for (lane, answers) in self.waiting.drain(..).enumerate() {
            for (term, holds) in answers {
                let word = &mut terms[term as usize];
                *word = *word & !(1 << lane) | u64::from(holds) << lane;
            }
        }
        self.steps += terms.len() as u64 * 64;
        let mut block = Vec::with_capacity(model.graph.nodes().len());
        extend(&mut block, model, |test| terms.get(test).copied().unwrap_or(0));
        self.blocks.push(block);
    }

    /// Formulas from this one on are no more.
    pub(super) fn forget(&mut self, from: usize) {
        self.blocks.iter_mut().for_each(|block| block.truncate(from));
    }

    /// The answers of formulas that were added to the graph.
    pub(super) fn update(&mut self, model: &Model) {
        for block in &mut self.blocks {
            // All terms were there from the start.
            extend(block, model, |_| 0);
        }
    }

    /// In which samples a formula holds, block by block.
    pub(super) fn words(&self, signal: Signal) -> impl Iterator<Item = u64> {
        self.blocks.iter().map(move |block| word(block, signal))
    }

    pub(super) fn n_blocks(&self) -> usize {
        if self.components.is_empty() { 0 } else { self.blocks.len() }
    }

    /// The answers of a formula in one block.
    pub(super) fn word(&self, block: usize, signal: Signal) -> u64 {
        word(&self.blocks[block], signal)
    }

    /// Whether all of the formulas hold in one of the samples.
    pub(super) fn shows(&self, signals: &[Signal]) -> bool {
        (0..self.n_blocks()).any(|block| {
            let words = signals.iter().map(|&signal| self.word(block, signal));
            words.fold(u64::MAX, |all, word| all & word) != 0
        })
    }

    /// The components of a formula's terms, ascending.
    pub(super) fn components_of(&self, terms: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut all: Vec<u32> = terms.map(|term| self.places[term as usize].0).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn word(block: &[u64], signal: Signal) -> u64 {
    let word = block.get(signal.node()).copied().unwrap_or(0);
    if signal.is_negated() { !word } else { word }
}

fn extend(block: &mut Vec<u64>, model: &Model, term: impl Fn(usize) -> u64) {
    for node in &model.graph.nodes()[block.len()..] {
        let new = match *node {
            Node::Test { test } => term(test as usize),
            Node::And(a, b) => word(block, a) & word(block, b),
            Node::Xor(a, b) => word(block, a) ^ word(block, b),
            _ => 0,
        };
        block.push(new);
    }
}

/// Lets a solver try a class at random on each axis first.
fn scatter(encoding: &mut Encoding, model: &Model, random: &mut Random) {
    let mut chosen = (u32::MAX, 0);
    for (&(axis, k), &lit) in &encoding.cuts {
        if chosen.0 != axis {
            chosen = (axis, random.below(model.axes[axis as usize].n_classes as usize));
        }
        encoding.solver.prefer(if k as usize <= chosen.1 { lit } else { !lit });
    }
    let free: Vec<Lit> = encoding.terms.values().copied().collect();
    for lit in free {
        if !encoding.is_cut(lit) && random.below(2) == 0 {
            encoding.solver.prefer(lit);
        }
    }
}

/// Terms whose subjects are the same, or aggregates of one stream.
fn components(model: &Model) -> Vec<Vec<u32>> {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Family {
        Subject(u32),
        Stream(crate::data::StreamIndex),
        Term(u32),
    }
    let mut families: BTreeMap<Family, Vec<u32>> = BTreeMap::new();
    for (term, shape) in (0..).zip(&model.shapes) {
        let family = match shape {
            Shape::Free => Family::Term(term),
            Shape::Classes { axis, .. } | Shape::Tags { axis, .. } => {
                let axis = &model.axes[*axis as usize];
                let occurrence =
                    axis.aggregate.and_then(|(place, _)| model.history.get(place));
                occurrence.map_or(Family::Subject(axis.subject), |occurrence| {
                    Family::Stream(occurrence.events.stream)
                })
            }
        };
        families.entry(family).or_default().push(term);
    }
    families.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Schema, StreamSpec};
    use crate::rules::{Rule, RuleSet};

    #[test]
    fn samples_keep_to_their_steps() {
        let schema = Schema::builder().stream(StreamSpec::new("e", [])).build().unwrap();
        // Each window within the next: all have to do with each other.
        let counts =
            (1..900).map(|i| format!("events(e).count in last {i}d >= {}", i % 7));
        let parts = counts.map(|text| text.parse().unwrap()).collect();
        let set = RuleSet::new().segment("all", "All", Rule::All(parts));
        let book = set.compile_book(&schema).unwrap();
        let set = book.compiled();
        let rules: Vec<_> = set.rules.iter().collect();
        let steps = |most: u64| {
            let model = Model::new(&rules, &set.order, &set.windows, [0, most]);
            let samples = Samples::new(&model, most);
            (samples.steps, samples.n_blocks() > 0)
        };
        let (whole, is_whole) = steps(u64::MAX);
        assert!(is_whole && whole > 1_000_000, "{whole}");
        for most in [0, 1_000, 50_000] {
            let (steps, is_whole) = steps(most);
            // What does not depend on pairs, and few clauses for each comparison.
            assert!(!is_whole && steps <= 40_000 + 6 * most, "{most}: {steps}");
        }
    }
}
