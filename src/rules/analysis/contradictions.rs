//! Segments that hold for nobody, or for everyone.

use super::inquiry::{Answer, Inquiry};
use super::model::{Join, Part};
use crate::rules::batch::graph::Signal;

/// Samples of a rule that are enough.
const ENOUGH: u32 = 16;

/// What is known of one rule alone. Nothing where it was not decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alone {
    pub(super) is_never: Option<bool>,
    pub(super) is_always: Option<bool>,
}

pub(super) fn alone(inquiry: &mut Inquiry, rule: usize) -> Alone {
    let holds = inquiry.holds(rule);
    let is_never = is_never(inquiry, holds);
    if is_never == Some(false) {
        let n: u32 = inquiry.samples.words(holds).map(u64::count_ones).sum();
        if n < ENOUGH {
            inquiry.witness(holds);
        }
    }
    Alone { is_never, is_always: self::is_never(inquiry, !holds) }
}

fn is_never(inquiry: &mut Inquiry, signal: Signal) -> Option<bool> {
    if inquiry.samples.shows(&[signal]) {
        return Some(false);
    }
    match inquiry.ask(&[signal]) {
        Answer::Impossible(_) => Some(true),
        Answer::Possible => Some(false),
        Answer::Spent => None,
    }
}

/// The clauses because of which a rule never holds: as few as possible of those that all
/// must hold.
pub(super) fn blamed(inquiry: &mut Inquiry, rule: usize) -> Vec<String> {
    let Some(root) = inquiry.model.rules.get(rule).cloned() else { return Vec::new() };
    let (mut part, mut path): (&Part, String) = (&root, String::new());
    while part.join == Join::All {
        let signals: Vec<Signal> =
            part.parts.iter().map(|part| part.answers.holds).collect();
        let Answer::Impossible(core) = inquiry.ask(&signals) else { break };
        match inquiry.fewest(&signals, &[], &core)[..] {
            // One clause is to blame, and perhaps one inside it.
            [at] => {
                path.push_str(&part.join.path(at));
                part = &part.parts[at];
            }
            ref many => {
                let of = |&at: &usize| format!("{path}{}", part.join.path(at));
                return many.iter().map(of).collect();
            }
        }
    }
    vec![path]
}
