//! Formulas of a model as clauses, with all that is known of their subjects.

use std::collections::{BTreeMap, BTreeSet};

use super::facts;
use super::model::Model;
use super::shape::{Open, Role, Shape};
use super::solver::{Lit, Outcome, Solver};
use crate::rules::batch::graph::{Node, Signal};

/// The largest counter of tags: groups times how many are counted.
const MOST_COUNTED: usize = 1 << 12;

/// Some formulas, ready to be asked about.
#[derive(Clone, Debug)]
pub(super) struct Encoding {
    pub(super) solver: Solver,
    /// Always holds.
    pub(super) yes: Lit,
    /// Whether the class on an axis is at least this, for classes that are asked about.
    pub(super) cuts: BTreeMap<(u32, u32), Lit>,
    pub(super) terms: BTreeMap<u32, Lit>,
    /// By node of the graph.
    nodes: BTreeMap<usize, Lit>,
    /// Whether one of the tags of a group is there, and whether all are.
    groups: BTreeMap<u32, [Lit; 2]>,
    /// How many variables there were when all cuts had one.
    n_cuts: usize,
    /// Whether all that the solver finds possible is: there is such a customer.
    pub(super) is_exact: bool,
    /// Whether all that is known is said, and nothing was left out to save work.
    pub(super) is_whole: bool,
    /// Steps that comparisons of subjects with each other may still take.
    left: u64,
}

impl Encoding {
    /// What is needed to ask about these formulas.
    pub(super) fn new(model: &Model, roots: &[Signal]) -> Encoding {
        let mut nodes = BTreeSet::new();
        let mut open: Vec<usize> = roots.iter().map(|root| root.node()).collect();
        while let Some(node) = open.pop() {
            if nodes.insert(node)
                && let Some(Node::And(a, b) | Node::Xor(a, b)) =
                    model.graph.nodes().get(node)
            {
                open.extend([a.node(), b.node()]);
            }
        }
        let tests = nodes.iter().filter_map(|&node| match model.graph.nodes()[node] {
            Node::Test { test } => Some(test),
            _ => None,
        });
        let tests: Vec<u32> = tests.collect();
        let mut encoding = Encoding::of_terms(model, &tests, model.most_facts);
        for node in nodes {
            encoding.node(model, node);
        }
        encoding
    }

    /// What is known of these terms and their subjects. So many steps may go into comparing
    /// subjects with each other, of which there are as many as pairs.
    pub(super) fn of_terms(model: &Model, terms: &[u32], most: u64) -> Encoding {
        let mut solver = Solver::default();
        let yes = solver.var();
        solver.clause(&[yes]);
        let mut encoding = Encoding {
            solver,
            yes,
            cuts: BTreeMap::new(),
            terms: BTreeMap::new(),
            nodes: BTreeMap::new(),
            groups: BTreeMap::new(),
            n_cuts: 0,
            is_exact: true,
            is_whole: true,
            left: most,
        };
        encoding.ladders(model, terms);
        for &term in terms {
            let lit = encoding.term(model, term);
            encoding.terms.insert(term, lit);
        }
        encoding.pieces(model, terms);
        encoding.sizes(model);
        facts::state(&mut encoding, model);
        encoding
    }

    /// Whether a comparison may still be made. If not, there is more to know than is said.
    pub(super) fn may_compare(&mut self, steps: u64) -> bool {
        if self.left < steps {
            self.left = 0;
            self.is_whole = false;
            return false;
        }
        self.left -= steps;
        self.solver.charge(steps);
        true
    }

    /// Whether formulas can hold at once.
    pub(super) fn ask(&mut self, signals: &[Signal], most: u64) -> Outcome {
        let literals: Vec<Lit> = signals.iter().map(|&signal| self.lit(signal)).collect();
        self.solver.solve(&literals, most)
    }

    /// The literal of a formula, which must be one of those that are known.
    pub(super) fn lit(&self, signal: Signal) -> Lit {
        let lit = self.nodes.get(&signal.node()).copied().unwrap_or(!self.yes);
        if signal.is_negated() { !lit } else { lit }
    }

    /// Whether the class on an axis is at least the `k`-th.
    pub(super) fn cut(&self, model: &Model, axis: u32, k: u32) -> Lit {
        let shape = &model.axes[axis as usize];
        if k >= shape.n_classes {
            !self.yes
        } else if k == 0 || k == 1 && !shape.may_be_missing {
            self.yes
        } else {
            // All cuts that terms ask about are known.
            self.cuts.get(&(axis, k)).copied().unwrap_or(self.yes)
        }
    }

    /// Whether a literal is that of a cut.
    pub(super) fn is_cut(&self, lit: Lit) -> bool {
        lit.var() < self.n_cuts
    }

    pub(super) fn implies(&mut self, a: Lit, b: Lit) {
        self.solver.clause(&[!a, b]);
    }

    fn ladders(&mut self, model: &Model, terms: &[u32]) {
        let mut cuts: BTreeSet<(u32, u32)> = BTreeSet::new();
        let mut groups: BTreeSet<u32> = BTreeSet::new();
        for &term in terms {
            match &model.shapes[term as usize] {
                Shape::Classes { axis, accepted, open } => {
                    self.is_exact &= !model.axes[*axis as usize].is_derived;
                    let open = open.iter().map(|open| (open.from, open.to));
                    for (from, to) in accepted.iter().copied().chain(open) {
                        cuts.extend([(*axis, from), (*axis, to)]);
                    }
                    cuts.extend(facts::cuts(model, *axis));
                }
                Shape::Tags { axis, groups: of_term, .. } => {
                    cuts.extend([(*axis, 1), (*axis, one(model, *axis))]);
                    groups.extend(of_term);
                }
                Shape::Free => {}
            }
        }
        let mut last: Option<(u32, Lit)> = None;
        for (axis, k) in cuts {
            let of = &model.axes[axis as usize];
            if k == 0 || k >= of.n_classes || k == 1 && !of.may_be_missing {
                continue;
            }
            let lit = self.solver.var();
            self.cuts.insert((axis, k), lit);
            if let Some((before, lower)) = last
                && before == axis
            {
                self.implies(lit, lower);
            }
            last = Some((axis, lit));
        }
        self.n_cuts = self.solver.n_vars();
        for group in groups {
            let any = self.solver.var();
            let mut all = any;
            if model.groups[group as usize].n_names > 1 {
                all = self.solver.var();
                self.implies(all, any);
            }
            self.groups.insert(group, [any, all]);
        }
    }

    fn term(&mut self, model: &Model, term: u32) -> Lit {
        match &model.shapes[term as usize] {
            Shape::Free => {
                self.is_exact = false;
                self.solver.var()
            }
            Shape::Classes { axis, accepted, open } => {
                self.classes(model, *axis, accepted, open.as_ref())
            }
            Shape::Tags { any, groups, .. } => {
                let lit = self.solver.var();
                // One of them, or not all: what makes it what it is.
                let (lit, sign) = if *any { (lit, lit) } else { (!lit, lit) };
                let mut whole = vec![!lit];
                for group in groups {
                    let Some(&[some, all]) = self.groups.get(group) else { continue };
                    let part = if *any { some } else { !all };
                    self.implies(part, lit);
                    whole.push(part);
                }
                self.solver.clause(&whole);
                sign
            }
        }
    }

    fn classes(
        &mut self,
        model: &Model,
        axis: u32,
        accepted: &[(u32, u32)],
        open: Option<&Open>,
    ) -> Lit {
        let n_classes = model.axes[axis as usize].n_classes;
        match (accepted, open) {
            ([], None) => return !self.yes,
            (&[(from, to)], None) if to == n_classes => {
                return self.cut(model, axis, from);
            }
            _ => {}
        }
        let lit = self.solver.var();
        let mut at = 0;
        let mut region = |this: &mut Encoding, to: u32, answer: Option<bool>| {
            if let (true, Some(answer)) = (at < to, answer) {
                let from = this.cut(model, axis, at);
                let beyond = this.cut(model, axis, to);
                let lit = if answer { lit } else { !lit };
                this.solver.clause(&[!from, beyond, lit]);
            }
            at = at.max(to);
        };
        for &(from, to) in accepted {
            region(self, from, Some(false));
            region(self, to, Some(true));
        }
        if let Some(open) = open {
            self.is_exact &= open.text.is_some();
            self.is_whole &= open.is_whole;
            region(self, open.from, Some(false));
            region(self, open.to, None);
        }
        region(self, n_classes, Some(false));
        lit
    }

    /// What is known of pieces of one name.
    fn pieces(&mut self, model: &Model, terms: &[u32]) {
        let mut pieces = Vec::new();
        for &term in terms {
            if let Shape::Classes { axis, open: Some(open), .. } =
                &model.shapes[term as usize]
                && let Some(text) = &open.text
            {
                pieces.push((*axis, text, self.terms[&term]));
            }
        }
        pieces.sort_by_key(|&(axis, ..)| axis);
        for (i, &(axis, text, lit)) in pieces.iter().enumerate() {
            let others = pieces[..i].iter().rev();
            for &(_, other, other_lit) in others.take_while(|other| other.0 == axis) {
                if !self.may_compare(1 + (text.len() + other.len()) as u64 / 64) {
                    return;
                }
                if text.implies(other) {
                    self.implies(lit, other_lit);
                }
                if other.implies(text) {
                    self.implies(other_lit, lit);
                }
                if text.excludes(other) {
                    self.implies(lit, !other_lit);
                }
            }
        }
    }

    /// What the number of tags has to do with which there are.
    fn sizes(&mut self, model: &Model) {
        let mut by_axis: BTreeMap<u32, Vec<(usize, [Lit; 2])>> = BTreeMap::new();
        for (&group, &lits) in &self.groups {
            let group = &model.groups[group as usize];
            by_axis.entry(group.axis).or_default().push((group.n_names, lits));
        }
        for (axis, groups) in by_axis {
            let some = self.cut(model, axis, one(model, axis));
            let present = self.cut(model, axis, 1);
            for &(_, [any, _]) in &groups {
                self.implies(any, some);
                self.implies(any, present);
            }
            let n_names: usize = groups.iter().map(|(n, _)| n).sum();
            if let Role::Size { n_levels: Some(n) } = model.axes[axis as usize].role
                && n == n_names
            {
                let any = groups.iter().map(|(_, [any, _])| *any);
                let clause: Vec<Lit> = any.chain([!some]).collect();
                self.solver.clause(&clause);
            }
            self.count(model, axis, &groups, n_names);
        }
    }

    /// There are at least as many tags as different ones are known to be there.
    fn count(
        &mut self,
        model: &Model,
        axis: u32,
        groups: &[(usize, [Lit; 2])],
        n_names: usize,
    ) {
        let starts = &model.axes[axis as usize].starts;
        let cuts: Vec<(usize, Lit)> = self
            .cuts
            .range((axis, 2)..(axis + 1, 0))
            .map(|(&(_, k), &lit)| (starts[k as usize - 2] as usize, lit))
            .filter(|&(least, _)| (2..=n_names).contains(&least))
            .collect();
        let Some(&(most, _)) = cuts.last() else { return };
        if groups.len().saturating_mul(most) > MOST_COUNTED {
            self.is_whole = false;
            return;
        }
        // Whether those so far are at least `j`.
        let mut counted = vec![!self.yes; most + 1];
        counted[0] = self.yes;
        for &(n, [any, all]) in groups {
            let mut next = vec![self.yes];
            for j in 1..=most {
                let lit = self.solver.var();
                self.implies(counted[j], lit);
                self.solver.clause(&[!any, !counted[j - 1], lit]);
                if n > 1 {
                    self.solver.clause(&[!all, !counted[j.saturating_sub(n)], lit]);
                }
                next.push(lit);
            }
            counted = next;
        }
        for (least, cut) in cuts {
            self.implies(counted[least], cut);
        }
    }

    fn node(&mut self, model: &Model, node: usize) {
        let lit = match model.graph.nodes()[node] {
            Node::Test { test } => self.terms[&test],
            Node::And(a, b) => {
                let (a, b, lit) = (self.lit(a), self.lit(b), self.solver.var());
                self.implies(lit, a);
                self.implies(lit, b);
                self.solver.clause(&[!a, !b, lit]);
                lit
            }
            Node::Xor(a, b) => {
                let (a, b, lit) = (self.lit(a), self.lit(b), self.solver.var());
                self.solver.clause(&[!lit, a, b]);
                self.solver.clause(&[!lit, !a, !b]);
                self.solver.clause(&[lit, !a, b]);
                self.solver.clause(&[lit, a, !b]);
                lit
            }
            _ => !self.yes,
        };
        self.nodes.insert(node, lit);
    }
}

/// The class of tags, or of events, from which on there are some.
pub(super) fn one(model: &Model, axis: u32) -> u32 {
    let starts = &model.axes[axis as usize].starts;
    starts.partition_point(|&start| start < 1.0) as u32 + 2
}
