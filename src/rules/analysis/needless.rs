//! Clauses that make no difference.

use std::collections::BTreeSet;

use super::inquiry::{Answer, Inquiry};
use super::model::{Answers, Join, Model, Part};
use crate::rules::batch::graph::Signal;

/// A clause: its place, and whether it is needless; nothing where that was not decided.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) path: String,
    pub(super) is_needless: bool,
}

/// The clauses of a rule that can be taken out together, and those not decided.
pub(super) fn clauses(inquiry: &mut Inquiry, rule: usize) -> Vec<Clause> {
    let Some(root) = inquiry.model.rules.get(rule).cloned() else { return Vec::new() };
    let mut search = Search {
        root: &root,
        present: root.answers.holds,
        removed: BTreeSet::new(),
        open: BTreeSet::new(),
    };
    search.below(inquiry, &root, &mut Vec::new());
    let Search { removed, open, .. } = search;
    let of = |places: BTreeSet<Vec<usize>>, is_needless| {
        places.into_iter().map(move |place| (place, is_needless))
    };
    let mut all: Vec<(Vec<usize>, bool)> =
        of(removed, true).chain(of(open, false)).collect();
    all.sort_unstable();
    let clause = |(place, is_needless): (Vec<usize>, bool)| {
        let (mut part, mut path) = (&root, String::new());
        for at in place {
            path.push_str(&part.join.path(at));
            part = &part.parts[at];
        }
        Clause { path, is_needless }
    };
    all.into_iter().map(clause).collect()
}

struct Search<'p> {
    root: &'p Part,
    /// Whether the rule holds, without what was removed.
    present: Signal,
    removed: BTreeSet<Vec<usize>>,
    open: BTreeSet<Vec<usize>>,
}

impl Search<'_> {
    /// Looks at the parts of a part. As deep as the rule.
    fn below(&mut self, inquiry: &mut Inquiry, part: &Part, place: &mut Vec<usize>) {
        // Of clauses that say the same the later one is needless.
        for at in (0..part.parts.len()).rev() {
            place.push(at);
            let is_needless = part.join != Join::Not && self.is_needless(inquiry, place);
            if !is_needless {
                self.below(inquiry, &part.parts[at], place);
            }
            place.pop();
        }
    }

    fn is_needless(&mut self, inquiry: &mut Inquiry, place: &[usize]) -> bool {
        if inquiry.is_spent() {
            self.open.insert(place.to_vec());
            return false;
        }
        self.removed.insert(place.to_vec());
        let mut size = 0;
        let without = rebuilt(
            &mut inquiry.model,
            self.root,
            &self.removed,
            &mut Vec::new(),
            &mut size,
        );
        inquiry.spend(size);
        inquiry.samples.update(&inquiry.model);
        match is_same(inquiry, self.present, without.holds) {
            Some(true) => {
                self.present = without.holds;
                return true;
            }
            Some(false) => {}
            None => {
                self.open.insert(place.to_vec());
            }
        }
        self.removed.remove(place);
        false
    }
}

/// Whether formulas always have the same answer.
fn is_same(inquiry: &mut Inquiry, a: Signal, b: Signal) -> Option<bool> {
    if a == b {
        return Some(true);
    }
    let mut is_known = true;
    for question in [[a, !b], [!a, b]] {
        if inquiry.samples.shows(&question) {
            return Some(false);
        }
    }
    for question in [[a, !b], [!a, b]] {
        match inquiry.ask(&question) {
            Answer::Impossible(_) => {}
            Answer::Possible => return Some(false),
            Answer::Spent => is_known = false,
        }
    }
    is_known.then_some(true)
}

/// The answers of a rule without some of its parts.
fn rebuilt(
    model: &mut Model,
    part: &Part,
    removed: &BTreeSet<Vec<usize>>,
    place: &mut Vec<usize>,
    size: &mut u64,
) -> Answers {
    *size += 1;
    let is_touched = removed.range(place.clone()..).next();
    if !is_touched.is_some_and(|first| first.starts_with(place)) {
        return part.answers;
    }
    let mut answers = Vec::with_capacity(part.parts.len());
    for (at, inner) in part.parts.iter().enumerate() {
        place.push(at);
        if !removed.contains(place) {
            answers.push(rebuilt(model, inner, removed, place, size));
        }
        place.pop();
    }
    part.join.answers(&mut model.graph, &answers)
}
