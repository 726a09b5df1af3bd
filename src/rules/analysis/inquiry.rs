//! Questions about rules, within limits.

use std::collections::BTreeMap;

use super::encode::Encoding;
use super::limits::AnalysisLimits;
use super::model::Model;
use super::samples::Samples;
use super::solver::{Lit, Outcome};
use crate::rules::batch::graph::{Graph, Node, Signal};

/// Samples that are made for a rule that few have.
const WITNESSES: usize = 4;

/// Whether formulas can hold at once.
#[derive(Debug)]
pub(super) enum Answer {
    /// As far as is known they can.
    Possible,
    /// They cannot: those at these positions suffice.
    Impossible(Vec<usize>),
    /// That would have been too much work.
    Spent,
}

impl Answer {
    pub(super) fn is_impossible(&self) -> bool {
        matches!(self, Answer::Impossible(_))
    }
}

/// A book that is looked into.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) model: Model,
    pub(super) samples: Samples,
    question: u64,
    /// Steps that are left.
    left: u64,
}

impl Inquiry {
    pub(super) fn new(model: Model, limits: &AnalysisLimits) -> Inquiry {
        let left = limits.get_total();
        let samples = Samples::new(&model, left / 4);
        let left = left.saturating_sub(samples.steps);
        Inquiry { model, samples, question: limits.get_question(), left }
    }

    pub(super) fn holds(&self, rule: usize) -> Signal {
        self.model.rules.get(rule).map_or(Signal::FALSE, |part| part.answers.holds)
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }

    pub(super) fn spend(&mut self, steps: u64) {
        self.left = self.left.saturating_sub(steps);
    }

    /// Whether all of the formulas can hold at once. What is possible becomes a sample.
    pub(super) fn ask(&mut self, signals: &[Signal]) -> Answer {
        self.decide(signals, true)
    }

    /// The same, of formulas of which no more is asked.
    pub(super) fn ask_once(&mut self, signals: &[Signal]) -> Answer {
        self.decide(signals, false)
    }

    fn decide(&mut self, signals: &[Signal], is_kept: bool) -> Answer {
        if self.left == 0 {
            return Answer::Spent;
        }
        let mut encoding = Encoding::new(&self.model, signals);
        self.spend(encoding.solver.steps());
        let answer = self.ask_in(&mut encoding, signals);
        if is_kept && matches!(answer, Answer::Possible) {
            self.add_sample(&encoding);
        }
        answer
    }

    /// How many formulas there are.
    pub(super) fn size(&self) -> usize {
        self.model.graph.nodes().len()
    }

    /// Forgets the formulas that were added to a graph.
    pub(super) fn back_to(&mut self, graph: &Graph) {
        self.model.graph = graph.clone();
        self.samples.forget(graph.nodes().len());
    }

    /// The same, of formulas that an encoding knows.
    pub(super) fn ask_in(
        &mut self,
        encoding: &mut Encoding,
        signals: &[Signal],
    ) -> Answer {
        if self.left == 0 {
            return Answer::Spent;
        }
        let before = encoding.solver.steps();
        let outcome = encoding.ask(signals, self.question.min(self.left));
        self.spend(encoding.solver.steps() - before + 1);
        answer(encoding, signals, outcome)
    }

    fn add_sample(&mut self, encoding: &Encoding) {
        let answers: BTreeMap<u32, bool> = encoding
            .terms
            .iter()
            .map(|(&term, &lit)| (term, encoding.solver.holds(lit)))
            .collect();
        let before = self.samples.steps;
        self.samples.add(&self.model, &answers);
        self.spend(self.samples.steps - before);
    }

    /// Adds some different samples of a formula that can hold.
    pub(super) fn witness(&mut self, signal: Signal) {
        let mut encoding = Encoding::new(&self.model, &[signal]);
        self.spend(encoding.solver.steps());
        for _ in 0..WITNESSES {
            self.samples.scatter(&mut encoding, &self.model);
            if let Answer::Possible = self.ask_in(&mut encoding, &[signal]) {
                self.add_sample(&encoding);
            }
        }
    }

    /// Of formulas that cannot hold at once, some that cannot either, none of which can be
    /// left out (Liffiton & Sakallah 2008, by deletion), as far as the limits allow. Those of
    /// `always` stay.
    pub(super) fn fewest(
        &mut self,
        signals: &[Signal],
        always: &[Signal],
        core: &[usize],
    ) -> Vec<usize> {
        let mut core = core.to_vec();
        let mut at = core.len();
        while at > 0 {
            at -= 1;
            let mut others = core.clone();
            others.remove(at);
            let rest = others.iter().map(|&i| signals[i]).chain(always.iter().copied());
            let rest: Vec<Signal> = rest.collect();
            if let Answer::Impossible(mut smaller) = self.ask(&rest) {
                smaller.retain(|&i| i < others.len());
                // Those before `at` are still to be tried.
                at = smaller.iter().filter(|&&i| i < at).count();
                core = smaller.into_iter().map(|i| others[i]).collect();
            }
        }
        core
    }

    /// The terms of a formula.
    pub(super) fn terms(&self, signal: Signal) -> Vec<u32> {
        let mut seen = std::collections::BTreeSet::new();
        let (mut open, mut terms) = (vec![signal.node()], Vec::new());
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            match self.model.graph.nodes().get(node) {
                Some(Node::And(a, b) | Node::Xor(a, b)) => {
                    open.extend([a.node(), b.node()]);
                }
                Some(Node::Test { test }) => terms.push(*test),
                _ => {}
            }
        }
        terms
    }
}

/// What an outcome says of formulas.
pub(super) fn answer(
    encoding: &Encoding,
    signals: &[Signal],
    outcome: Outcome,
) -> Answer {
    match outcome {
        Outcome::Possible if encoding.is_whole => Answer::Possible,
        // It is possible as far as was looked.
        Outcome::Possible => Answer::Spent,
        Outcome::Spent => Answer::Spent,
        Outcome::Impossible(core) => {
            let mut left: Vec<Lit> = core;
            let mut positions = Vec::with_capacity(left.len());
            for (i, &signal) in signals.iter().enumerate() {
                let lit = encoding.lit(signal);
                if let Some(at) = left.iter().position(|&other| other == lit) {
                    left.swap_remove(at);
                    positions.push(i);
                }
            }
            Answer::Impossible(positions)
        }
    }
}
