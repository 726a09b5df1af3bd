//! Which segments are within which.

use std::cmp::Reverse;

use super::inquiry::{Answer, Inquiry};

/// Pairs without an answer that are listed.
const MOST_OPEN: usize = 10_000;

/// Which rules hold whenever others do.
#[derive(Clone, Debug)]
pub(super) struct Containment {
    /// For each rule one with the same members, the same for all of them.
    kinds: Vec<usize>,
    /// For each rule of `kinds`: those that contain it, as bits.
    above: Vec<Vec<u64>>,
    /// Pairs of rules of which it is not known whether the first is within the second.
    pub(super) open: Vec<(usize, usize)>,
    /// How many such pairs are not listed.
    pub(super) n_more: usize,
}

/// In which samples rules hold.
struct Rows {
    words: Vec<Vec<u64>>,
    /// Blocks with a sample in which the rule holds.
    blocks: Vec<Vec<usize>>,
    n_blocks: usize,
}

impl Rows {
    /// Looks at samples that are new.
    fn update(&mut self, inquiry: &Inquiry) {
        for block in self.n_blocks..inquiry.samples.n_blocks() {
            for (rule, words) in self.words.iter_mut().enumerate() {
                let word = inquiry.samples.word(block, inquiry.holds(rule));
                words.push(word);
                if word != 0 {
                    self.blocks[rule].push(block);
                }
            }
        }
        self.n_blocks = inquiry.samples.n_blocks();
    }

    /// Whether the first holds in a sample in which the second does not.
    fn differ(&self, a: usize, b: usize) -> bool {
        let (of_a, of_b) = (&self.words[a], &self.words[b]);
        self.blocks[a].iter().any(|&block| of_a[block] & !of_b[block] != 0)
    }
}

impl Containment {
    /// Among these rules.
    pub(super) fn new(inquiry: &mut Inquiry, rules: &[usize]) -> Containment {
        let n_rules = inquiry.model.rules.len();
        let mut this = Containment {
            kinds: (0..n_rules).collect(),
            above: vec![Vec::new(); n_rules],
            open: Vec::new(),
            n_more: 0,
        };
        inquiry.samples.flush(&inquiry.model);
        let none = || vec![Vec::new(); n_rules];
        let mut rows =
            Rows { words: none(), blocks: vec![Vec::new(); n_rules], n_blocks: 0 };
        rows.update(inquiry);
        let components: Vec<Vec<u32>> = (0..n_rules)
            .map(|rule| {
                let terms = inquiry.terms(inquiry.holds(rule));
                inquiry.samples.components_of(terms.into_iter())
            })
            .collect();
        let size = |&rule: &usize| {
            let words = rows.words[rule].iter();
            (Reverse(words.map(|word| word.count_ones()).sum::<u32>()), rule)
        };
        let mut order: Vec<(Reverse<u32>, usize)> = rules.iter().map(size).collect();
        // Large ones first, so that what contains a rule is known when the rule is found to
        // contain others.
        order.sort_unstable();
        let mut done: Vec<(Reverse<u32>, usize)> = Vec::with_capacity(order.len());
        for (n, rule) in order {
            this.above[rule] = vec![0; n_rules.div_ceil(64)];
            let is_new = done.iter().rev().all(|&(n_other, other)| {
                if inquiry.holds(rule) == inquiry.holds(other) {
                    this.merge(&done, rule, other);
                    return false;
                }
                let is_known = this.is_above(rule, other);
                if is_known && n_other != n {
                    return true;
                }
                // No question about a rule alone is left that would tie others to it.
                if !meet(&components[rule], &components[other]) {
                    return true;
                }
                rows.update(inquiry);
                let is_within = is_known || this.decide(inquiry, &rows, rule, other);
                // Larger ones are not within smaller ones.
                if n_other != n {
                    return true;
                }
                if this.decide(inquiry, &rows, other, rule) && is_within {
                    this.merge(&done, rule, other);
                    return false;
                }
                true
            });
            if is_new {
                done.push((n, rule));
            }
        }
        let mut open: Vec<(usize, usize)> =
            this.open.iter().map(|&(a, b)| (this.kinds[a], this.kinds[b])).collect();
        open.sort_unstable();
        open.dedup();
        open.retain(|&(a, b)| a != b && !this.is_above(a, b));
        this.open = open;
        this
    }

    /// Whether the first is within the second, as far as that can be told.
    fn decide(
        &mut self,
        inquiry: &mut Inquiry,
        rows: &Rows,
        inner: usize,
        outer: usize,
    ) -> bool {
        if rows.differ(inner, outer) {
            return false;
        }
        match inquiry.ask(&[inquiry.holds(inner), !inquiry.holds(outer)]) {
            Answer::Impossible(_) => {
                self.contain(inner, outer);
                true
            }
            Answer::Possible => false,
            Answer::Spent => {
                if self.open.len() < MOST_OPEN {
                    self.open.push((inner, outer));
                } else {
                    self.n_more += 1;
                }
                false
            }
        }
    }

    /// The second contains the first, and so does all that contains the second.
    fn contain(&mut self, inner: usize, outer: usize) {
        let above = self.above[outer].clone();
        for (word, more) in self.above[inner].iter_mut().zip(above) {
            *word |= more;
        }
        self.set(inner, outer);
    }

    fn set(&mut self, inner: usize, outer: usize) {
        if inner != outer {
            self.above[inner][outer / 64] |= 1 << (outer % 64);
        }
    }

    fn is_above(&self, inner: usize, outer: usize) -> bool {
        let word = self.above[inner].get(outer / 64).copied().unwrap_or(0);
        word >> (outer % 64) & 1 == 1
    }

    /// A rule has the members of one that is known.
    fn merge(&mut self, done: &[(Reverse<u32>, usize)], rule: usize, known: usize) {
        self.kinds[rule] = known;
        self.contain(known, rule);
        self.above[known][rule / 64] &= !(1 << (rule % 64));
        self.above[known][known / 64] &= !(1 << (known % 64));
        for &(_, other) in done {
            if self.is_above(other, rule) {
                self.above[other][rule / 64] &= !(1 << (rule % 64));
                self.set(other, known);
            }
        }
    }

    /// Whether the first is known to be within the second.
    pub(super) fn is_within(&self, inner: usize, outer: usize) -> bool {
        let (inner, outer) = (self.kinds[inner], self.kinds[outer]);
        inner == outer || self.is_above(inner, outer)
    }

    /// Rules with the same members, among these: ascending, each with its kind.
    pub(super) fn classes(&self, rules: &[usize]) -> Vec<(usize, Vec<usize>)> {
        let mut by_kind: Vec<Vec<usize>> = vec![Vec::new(); self.kinds.len()];
        for &rule in rules {
            by_kind[self.kinds[rule]].push(rule);
        }
        let mut classes: Vec<(usize, Vec<usize>)> = by_kind
            .into_iter()
            .enumerate()
            .filter(|(_, class)| !class.is_empty())
            .collect();
        classes.sort_unstable_by_key(|(_, class)| class[0]);
        classes
    }

    /// The kinds that contain a kind, with none between them.
    pub(super) fn next_above(&self, kind: usize) -> Vec<usize> {
        let all = bits(&self.above[kind]);
        let mut direct = self.above[kind].clone();
        for &outer in &all {
            for (word, above) in direct.iter_mut().zip(&self.above[outer]) {
                *word &= !above;
            }
        }
        bits(&direct)
    }
}

fn bits(words: &[u64]) -> Vec<usize> {
    let mut bits = Vec::new();
    for (i, &word) in words.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            bits.push(i * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
    bits
}

/// Whether two ascending lists have something in common.
fn meet(a: &[u32], b: &[u32]) -> bool {
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => return true,
        }
    }
    false
}
