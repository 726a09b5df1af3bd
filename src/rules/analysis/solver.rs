//! Whether a set of clauses can be satisfied, and if not, which assumptions are to blame.
//!
//! Conflict-driven clause learning (Marques-Silva & Sakallah 1999) with two watched
//! literals, questions under assumptions (Eén & Sörensson 2003), the next variable from a
//! queue to whose front those of each conflict move (Biere & Fröhlich 2015), and restarts by
//! Luby's sequence (Luby, Sinclair & Zuckerman 1993).

use std::ops::Not;

use super::queue::{NONE, Queue};

/// A variable, or its negation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lit(u32);

impl Lit {
    pub(super) fn var(self) -> usize {
        (self.0 / 2) as usize
    }

    fn is_negated(self) -> bool {
        self.0 % 2 == 1
    }

    fn at(self) -> usize {
        self.0 as usize
    }
}

impl Not for Lit {
    type Output = Lit;

    fn not(self) -> Lit {
        Lit(self.0 ^ 1)
    }
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// There is an answer: [`Solver::holds`] reads it.
    Possible,
    /// There is none, and these assumptions suffice for that.
    Impossible(Vec<Lit>),
    /// The steps were used up.
    Spent,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    clause: u32,
    /// A literal of the clause; where it holds, the clause need not be read.
    other: Lit,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Solver {
    /// The literals of all clauses; the first two of each are watched.
    literals: Vec<Lit>,
    /// Where each clause begins, and its length.
    clauses: Vec<(u32, u32)>,
    /// By literal: the clauses that watch it.
    watches: Vec<Vec<Watch>>,
    /// By variable: its value, if it has one.
    values: Vec<Option<bool>>,
    levels: Vec<u32>,
    /// The clause that forced a variable's value, or `NONE`.
    reasons: Vec<u32>,
    /// Which value is tried first: the last one.
    phases: Vec<bool>,
    trail: Vec<Lit>,
    /// Where the levels begin on the trail.
    starts: Vec<usize>,
    /// How much of the trail was propagated.
    head: usize,
    queue: Queue,
    seen: Vec<bool>,
    is_contradictory: bool,
    steps: u64,
}

impl Solver {
    pub(super) fn var(&mut self) -> Lit {
        let var = self.values.len() as u32;
        self.watches.extend([Vec::new(), Vec::new()]);
        self.values.push(None);
        self.levels.push(0);
        self.reasons.push(NONE);
        self.phases.push(false);
        self.seen.push(false);
        self.queue.push();
        Lit(var * 2)
    }

    pub(super) fn n_vars(&self) -> usize {
        self.values.len()
    }

    /// How much work was done so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts work that is done for the sake of clauses.
    pub(super) fn charge(&mut self, steps: u64) {
        self.steps = self.steps.saturating_add(steps);
    }

    /// Which value of a variable is to be tried first.
    pub(super) fn prefer(&mut self, lit: Lit) {
        self.phases[lit.var()] = !lit.is_negated();
    }

    /// Whether a literal holds in the answer that was found last.
    pub(super) fn holds(&self, lit: Lit) -> bool {
        // What is certain was not tried again.
        let value = self.values[lit.var()].unwrap_or(self.phases[lit.var()]);
        value != lit.is_negated()
    }

    fn value(&self, lit: Lit) -> Option<bool> {
        self.values[lit.var()].map(|value| value != lit.is_negated())
    }

    /// States that one of the literals holds.
    pub(super) fn clause(&mut self, literals: &[Lit]) {
        self.back_to(0);
        self.steps += literals.len() as u64;
        let mut rest = literals.to_vec();
        rest.sort_unstable();
        rest.dedup();
        let is_certain = |pair: &[Lit]| pair[0] == !pair[1];
        if rest.windows(2).any(is_certain)
            || rest.iter().any(|&lit| self.value(lit) == Some(true))
        {
            return;
        }
        rest.retain(|&lit| self.value(lit).is_none());
        match rest[..] {
            [] => self.is_contradictory = true,
            [lit] => self.set(lit, NONE),
            _ => {
                self.add(&rest);
            }
        }
    }

    fn add(&mut self, literals: &[Lit]) -> u32 {
        let clause = self.clauses.len() as u32;
        self.clauses.push((self.literals.len() as u32, literals.len() as u32));
        self.literals.extend_from_slice(literals);
        self.watches[literals[0].at()].push(Watch { clause, other: literals[1] });
        self.watches[literals[1].at()].push(Watch { clause, other: literals[0] });
        clause
    }

    fn set(&mut self, lit: Lit, reason: u32) {
        let var = lit.var();
        self.values[var] = Some(!lit.is_negated());
        self.phases[var] = !lit.is_negated();
        self.levels[var] = self.starts.len() as u32;
        self.reasons[var] = reason;
        self.trail.push(lit);
    }

    fn back_to(&mut self, level: usize) {
        let Some(&start) = self.starts.get(level) else { return };
        for lit in self.trail.drain(start..) {
            let var = lit.var();
            self.values[var] = None;
            if self.queue.stamps[var] > self.queue.stamps[self.queue.search as usize] {
                self.queue.search = var as u32;
            }
        }
        self.starts.truncate(level);
        self.head = start;
    }

    /// Draws all consequences; the clause that cannot be satisfied, if there is one.
    fn propagate(&mut self) -> Option<u32> {
        while let Some(&lit) = self.trail.get(self.head) {
            self.head += 1;
            let falsified = !lit;
            let mut watches = std::mem::take(&mut self.watches[falsified.at()]);
            self.steps += 1 + watches.len() as u64;
            let mut conflict = None;
            let mut kept = 0;
            let mut at = 0;
            'watches: while at < watches.len() {
                let watch = watches[at];
                at += 1;
                if self.value(watch.other) == Some(true) {
                    watches[kept] = watch;
                    kept += 1;
                    continue;
                }
                let (start, len) = self.clauses[watch.clause as usize];
                let (start, end) = (start as usize, (start + len) as usize);
                if self.literals[start] == falsified {
                    self.literals.swap(start, start + 1);
                }
                let first = self.literals[start];
                let watch = Watch { other: first, ..watch };
                if self.value(first) != Some(true) {
                    for i in start + 2..end {
                        let candidate = self.literals[i];
                        if self.value(candidate) != Some(false) {
                            self.literals.swap(start + 1, i);
                            self.watches[candidate.at()].push(watch);
                            continue 'watches;
                        }
                    }
                }
                watches[kept] = watch;
                kept += 1;
                match self.value(first) {
                    Some(true) => {}
                    None => self.set(first, watch.clause),
                    Some(false) => {
                        conflict = Some(watch.clause);
                        break;
                    }
                }
            }
            watches.drain(kept..at);
            self.watches[falsified.at()] = watches;
            if conflict.is_some() {
                return conflict;
            }
        }
        None
    }

    fn clause_at(&self, clause: u32) -> &[Lit] {
        let (start, len) = self.clauses[clause as usize];
        &self.literals[start as usize..(start + len) as usize]
    }

    /// What the conflict teaches: a clause whose first literal is new, and the level to
    /// which to return (the first unique implication point).
    fn analyse(&mut self, conflict: u32) -> (Vec<Lit>, usize) {
        let level = self.starts.len() as u32;
        let mut learned = Vec::new();
        let mut bumped = Vec::new();
        let (mut reason, mut at, mut n_open) = (conflict, self.trail.len(), 0);
        let top = loop {
            let (start, len) = self.clauses[reason as usize];
            for i in start as usize..(start + len) as usize {
                let lit = self.literals[i];
                let var = lit.var();
                // The literal that the clause forced is seen already.
                if self.seen[var] || self.levels[var] == 0 {
                    continue;
                }
                self.seen[var] = true;
                bumped.push(var);
                if self.levels[var] == level {
                    n_open += 1;
                } else {
                    learned.push(lit);
                }
            }
            self.steps += u64::from(len);
            let lit = loop {
                at -= 1;
                let lit = self.trail[at];
                if self.seen[lit.var()] && self.levels[lit.var()] == level {
                    break lit;
                }
            };
            n_open -= 1;
            if n_open == 0 {
                break !lit;
            }
            reason = self.reasons[lit.var()];
        };
        for &var in &bumped {
            self.seen[var] = false;
        }
        bumped.sort_unstable_by_key(|&var| self.queue.stamps[var]);
        bumped.into_iter().for_each(|var| self.queue.move_to_end(var));
        // The second literal is of the level to which to return, to be watched.
        learned.sort_unstable_by_key(|lit| std::cmp::Reverse(self.levels[lit.var()]));
        let back = learned.first().map_or(0, |lit| self.levels[lit.var()] as usize);
        learned.insert(0, top);
        (learned, back)
    }

    /// The assumptions because of which an assumption is false.
    fn blame(&mut self, assumption: Lit) -> Vec<Lit> {
        let mut core = vec![assumption];
        self.seen[assumption.var()] = true;
        for at in (0..self.trail.len()).rev() {
            let lit = self.trail[at];
            if !std::mem::take(&mut self.seen[lit.var()]) || self.levels[lit.var()] == 0 {
                continue;
            }
            match self.reasons[lit.var()] {
                // All decisions so far are assumptions.
                NONE => core.push(lit),
                reason => {
                    for lit in self.clause_at(reason).to_vec() {
                        self.seen[lit.var()] |= self.levels[lit.var()] > 0;
                    }
                    // It was marked again as a part of its own reason.
                    self.seen[lit.var()] = false;
                }
            }
        }
        self.seen[assumption.var()] = false;
        core.sort_unstable();
        core.dedup();
        core
    }

    /// Whether the clauses can be satisfied with these literals, within so many steps.
    pub(super) fn solve(&mut self, assumptions: &[Lit], most: u64) -> Outcome {
        let end = self.steps.saturating_add(most);
        self.back_to(0);
        let (mut n_conflicts, mut n_restarts) = (0, 1);
        let mut restart_at = 64 * luby(1);
        loop {
            if self.is_contradictory {
                return Outcome::Impossible(Vec::new());
            }
            if self.steps > end {
                self.back_to(0);
                return Outcome::Spent;
            }
            if let Some(conflict) = self.propagate() {
                if self.starts.is_empty() {
                    self.is_contradictory = true;
                    continue;
                }
                let (learned, level) = self.analyse(conflict);
                self.back_to(level);
                let reason = if learned.len() > 1 { self.add(&learned) } else { NONE };
                self.set(learned[0], reason);
                n_conflicts += 1;
                if n_conflicts >= restart_at {
                    n_restarts += 1;
                    restart_at = n_conflicts + 64 * luby(n_restarts);
                    self.back_to(0);
                }
            } else if let Some(&assumption) = assumptions.get(self.starts.len()) {
                match self.value(assumption) {
                    Some(false) => {
                        let core = self.blame(assumption);
                        self.back_to(0);
                        return Outcome::Impossible(core);
                    }
                    value => {
                        self.starts.push(self.trail.len());
                        if value.is_none() {
                            self.set(assumption, NONE);
                        }
                    }
                }
            } else if let Some(lit) = self.next() {
                self.starts.push(self.trail.len());
                self.set(lit, NONE);
            } else {
                self.back_to(0);
                return Outcome::Possible;
            }
        }
    }

    /// A variable without a value, and the value to try.
    fn next(&mut self) -> Option<Lit> {
        if self.trail.len() == self.values.len() {
            return None;
        }
        let mut var = self.queue.search as usize;
        while self.values[var].is_some() {
            self.steps += 1;
            match self.queue.before[var] {
                NONE => return None,
                before => var = before as usize,
            }
        }
        self.queue.search = var as u32;
        Some(Lit(var as u32 * 2 + u32::from(!self.phases[var])))
    }
}

/// 1, 1, 2, 1, 1, 2, 4, 1, …
fn luby(mut i: u64) -> u64 {
    loop {
        let k = u64::from(64 - i.leading_zeros());
        if i == (1 << k) - 1 {
            return 1 << (k - 1);
        }
        i -= (1 << (k - 1)) - 1;
    }
}

#[cfg(test)]
mod tests;
