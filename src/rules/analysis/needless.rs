//! Clauses that make no difference.

use std::collections::BTreeSet;

use super::inquiry::{Answer, Inquiry};
use super::model::{Join, Model, Part};
use crate::rules::ast::Rule;
use crate::rules::batch::graph::{Answers, Signal};
use crate::rules::compile::Compiled;

/// Formulas that are made of one rule. Its clauses are open beyond.
const MOST_FORMULAS: usize = 1 << 18;

/// A clause: its place, and whether it is needless; nothing where that was not decided.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) path: String,
    pub(super) is_needless: bool,
}

/// Whose being False matters, since others ask about it: for them Unknown is another answer,
/// while it makes the same members. `order` has each rule after those to which it refers.
pub(super) fn denied(rules: &[&Compiled], order: &[u32]) -> Vec<bool> {
    let mut denied = vec![false; rules.len()];
    for at in order.iter().rev().map(|&at| at as usize) {
        let mut segments = rules[at].segments.iter();
        let mut open = vec![(&rules[at].rule, denied[at])];
        while let Some((rule, is_denied)) = open.pop() {
            match rule {
                Rule::All(parts) | Rule::Any(parts) | Rule::AtLeast { of: parts, .. } => {
                    open.extend(parts.iter().rev().map(|part| (part, is_denied)));
                }
                // Of a rule that is denied itself both answers matter, everywhere in it.
                Rule::Not(part) => open.push((part, !is_denied || denied[at])),
                Rule::Segment(_) => {
                    if let Some(&other) = segments.next() {
                        denied[other as usize] |= is_denied;
                    }
                }
                _ => {}
            }
        }
    }
    denied
}

/// The clauses of a rule that can be taken out together, and those not decided. Without them
/// its members are the same, and if it is denied, so are those of whom it is False.
pub(super) fn clauses(
    inquiry: &mut Inquiry,
    rule: usize,
    is_denied: bool,
) -> Vec<Clause> {
    let Some(root) = inquiry.model.rules.get(rule).cloned() else { return Vec::new() };
    let mut search = Search {
        root: &root,
        is_denied,
        present: root.answers,
        most: inquiry.size() + MOST_FORMULAS,
        removed: BTreeSet::new(),
        open: BTreeSet::new(),
    };
    // Without some clauses others may not be needed any more.
    let mut n_removed = usize::MAX;
    while search.removed.len() != n_removed {
        n_removed = search.removed.len();
        search.open.clear();
        search.below(inquiry, &root, &mut Vec::new());
    }
    search.keep_outermost();
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
    is_denied: bool,
    /// The answers of the rule, without what was removed.
    present: Answers,
    /// How many formulas there may be.
    most: usize,
    removed: BTreeSet<Vec<usize>>,
    open: BTreeSet<Vec<usize>>,
}

impl Search<'_> {
    /// Looks at the parts of a part. As deep as the rule.
    fn below(&mut self, inquiry: &mut Inquiry, part: &Part, place: &mut Vec<usize>) {
        // Of clauses that say the same the later one is needless.
        for at in (0..part.parts.len()).rev() {
            place.push(at);
            if self.removed.contains(place) {
                place.pop();
                continue;
            }
            let is_needless = part.join != Join::Not && self.is_needless(inquiry, place);
            if !is_needless {
                self.below(inquiry, &part.parts[at], place);
            }
            place.pop();
        }
    }

    fn is_needless(&mut self, inquiry: &mut Inquiry, place: &[usize]) -> bool {
        if inquiry.is_spent() || inquiry.size() > self.most {
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
        let mut same = is_same(inquiry, self.present.holds, without.holds);
        if self.is_denied && same != Some(false) {
            let other = is_same(inquiry, self.present.fails, without.fails);
            same = if other == Some(true) { same } else { other };
        }
        match same {
            Some(true) => {
                self.present = without;
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

impl Search<'_> {
    /// Leaves out places inside others.
    fn keep_outermost(&mut self) {
        let mut last: Option<Vec<usize>> = None;
        self.removed.retain(|place| {
            let is_inside = last.as_ref().is_some_and(|last| place.starts_with(last));
            if !is_inside {
                last = Some(place.clone());
            }
            !is_inside
        });
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
        match inquiry.ask_once(&question) {
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
        answers.push(if !removed.contains(place) {
            rebuilt(model, inner, removed, place, size)
        } else if part.join == Join::All {
            Answers::TRUE
        } else {
            // The number that is enough stays.
            Answers::FALSE
        });
        place.pop();
    }
    part.join.answers(&mut model.graph, &answers)
}
