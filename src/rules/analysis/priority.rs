//! Segments that are never the first that matches.

use super::containment::Containment;
use super::encode::Encoding;
use super::inquiry::{Answer, Inquiry};
use crate::rules::batch::graph::Signal;

/// A rule, or the rest, to which the rules before it leave nobody: those that suffice, or
/// nothing where that was not decided.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) rule: usize,
    pub(super) by: Option<Vec<usize>>,
}

/// Of the rules that can hold; `n` rules stand before the rest, if there is one.
pub(super) fn shadows(
    inquiry: &mut Inquiry,
    containment: &Containment,
    can_hold: &[bool],
    has_rest: bool,
) -> Vec<Left> {
    let n_rules = can_hold.len();
    let mut found = Vec::new();
    let mut all: Option<Encoding> = None;
    let mut taken: Vec<u64> = Vec::new();
    for rule in 0..n_rules + usize::from(has_rest) {
        let is_rest = rule == n_rules;
        let holds = if is_rest { Signal::TRUE } else { inquiry.holds(rule) };
        inquiry.samples.flush(&inquiry.model);
        let words: Vec<u64> = inquiry.samples.words(holds).collect();
        for block in taken.len()..words.len() {
            let before = (0..rule).map(|i| inquiry.samples.word(block, inquiry.holds(i)));
            taken.push(before.fold(0, |all, word| all | word));
        }
        let is_free = words.iter().zip(&taken).any(|(word, taken)| word & !taken != 0);
        for (taken, word) in taken.iter_mut().zip(&words) {
            *taken |= word;
        }
        let is_seen = is_free && inquiry.samples.n_blocks() > 0;
        if is_seen || !is_rest && !can_hold[rule] {
            continue;
        }
        if !is_rest && let Some(one) = (0..rule).find(|&i| containment.is_within(rule, i))
        {
            found.push(Left { rule, by: Some(vec![one]) });
            continue;
        }
        let before: Vec<usize> = (0..rule).filter(|&i| can_hold[i]).collect();
        let mut question: Vec<Signal> =
            before.iter().map(|&i| !inquiry.holds(i)).collect();
        question.push(holds);
        match ask(inquiry, &mut all, &question) {
            Answer::Possible => {}
            Answer::Spent => found.push(Left { rule, by: None }),
            Answer::Impossible(core) => {
                // The rule itself is no part of what is to be made small.
                let core: Vec<usize> =
                    core.into_iter().filter(|&i| i < before.len()).collect();
                let own = &question[before.len()..];
                let by = inquiry.fewest(&question, own, &core);
                let by = by.into_iter().map(|i| before[i]).collect();
                found.push(Left { rule, by: Some(by) });
            }
        }
    }
    found
}

/// Asks about any rules, which one encoding knows all.
fn ask(inquiry: &mut Inquiry, all: &mut Option<Encoding>, question: &[Signal]) -> Answer {
    if inquiry.is_spent() {
        return Answer::Spent;
    }
    if all.is_none() {
        let rules = inquiry.model.rules.iter().map(|part| part.answers.holds);
        let signals: Vec<Signal> = rules.chain([Signal::TRUE]).collect();
        let encoding = Encoding::new(&inquiry.model, &signals);
        inquiry.spend(encoding.solver.steps());
        *all = Some(encoding);
    }
    match all {
        Some(encoding) => inquiry.ask_in(encoding, question),
        None => Answer::Spent,
    }
}
