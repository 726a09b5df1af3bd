//! From a checked rule to a program of jumps.

use super::check::Node;
use super::leaf::{Check, Leaf, Names, NumberCheck, Source, TextCheck, head};
use crate::data::FeatureIndex;
use crate::segmenter::Truth;

/// Position of a step in a [`Program`], or the end of it: [`YES`] or [`NO`].
pub(super) type Label = u32;

/// The end of a program that answers yes.
pub(super) const YES: Label = u32::MAX;
/// The end of a program that answers no.
pub(super) const NO: Label = u32::MAX - 1;

/// Lists of up to so many names, of up to eight bytes each, are laid open.
const FEW: usize = 8;

/// Steps that are taken one after the other, unless one jumps. Jumps lead only forward.
///
/// "The rule is True" and "the rule is False" are questions with two answers each, and
/// negation only swaps them: `all` is True when every part is True, and False when some
/// part is False. So each question becomes a chain of tests, each of which either goes on
/// or jumps; the three-valued truth of the parts is never stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// Where to start to learn whether the rule is True …
    pub(super) holds: Label,
    /// … and whether it is False.
    pub(super) fails: Label,
    /// Where to start to learn whether the rules of parts of scores are True.
    pub(super) inner: Vec<Label>,
    /// Entries of the parts of [`Question::AtLeast`].
    pub(super) entries: Vec<Label>,
    /// Those of [`Question::Names`].
    pub(super) names: Vec<ShortName>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) question: Question,
    /// Over how many of the next steps to jump if it does not go on; or the end, [`YES`] or
    /// [`NO`].
    pub(super) jump: u32,
}

/// What makes a program go on to the next step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Question {
    /// Is it `on` that the leaf has this truth, which is True or False?
    Leaf { leaf: u32, truth: Truth, on: bool },
    /// The commonest leaf, laid open, so that no other memory is read: a number from `lo`
    /// to `hi` goes on, or with `inside` false one that lies elsewhere. The ends are finite,
    /// or swapped where nothing lies between them. `missing` says whether none goes on.
    Range { feature: FeatureIndex, lo: f64, hi: f64, inside: bool, missing: bool },
    /// Likewise a flag: which of yes, no and missing go on.
    Flag { feature: FeatureIndex, yes: bool, no: bool, missing: bool },
    /// Likewise a category by its name, if it is among those at `names[from..to]`. Of
    /// others, `others` says whether they go on; if they are no levels, none is allowed.
    Names {
        feature: FeatureIndex,
        from: u32,
        to: u32,
        others: Option<bool>,
        missing: bool,
    },
    /// Is it `on` that at least `n` of the programs at `entries[from..to]` end with yes?
    AtLeast { n: u32, from: u32, to: u32, on: bool },
    /// Is it `on` that another rule of the set has this truth?
    Segment { rule: u32, truth: Truth, on: bool },
    /// Never goes on.
    Jump,
}

/// A name of up to eight bytes, and whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ShortName {
    head: u64,
    len: u32,
    pub(super) goes_on: bool,
}

impl ShortName {
    fn new(name: &str, goes_on: bool) -> ShortName {
        ShortName { head: head(name), len: name.len() as u32, goes_on }
    }

    /// The one of these that is called so.
    #[inline]
    pub(super) fn find<'n>(names: &'n [ShortName], name: &str) -> Option<&'n ShortName> {
        let wanted = head(name);
        // Names of up to eight bytes with one head differ by trailing zeros at most.
        names
            .iter()
            .find(|other| other.head == wanted && other.len as usize == name.len())
    }
}

impl Program {
    /// The program of a rule, with those of others that are asked only whether they are
    /// True.
    pub(super) fn new(node: &Node, inner: &[Node], leaves: &[Leaf]) -> Program {
        let mut emitter = Emitter::new(leaves);
        let holds = emitter.emit(node, true, YES, NO);
        let fails = emitter.emit(node, false, YES, NO);
        let inner = inner.iter().map(|node| emitter.emit(node, true, YES, NO)).collect();
        emitter.finish(holds, fails, inner)
    }
}

/// Writes a program from its end, so that what a step leads to is known.
struct Emitter<'l> {
    leaves: &'l [Leaf],
    /// What is asked, and where to go if it does not go on to the step before.
    steps: Vec<(Question, Label)>,
    entries: Vec<Label>,
    names: Vec<ShortName>,
}

impl<'l> Emitter<'l> {
    fn new(leaves: &'l [Leaf]) -> Emitter<'l> {
        Emitter { leaves, steps: Vec::new(), entries: Vec::new(), names: Vec::new() }
    }

    /// Appends the steps that tell whether a node has this truth, and that go on to `yes`
    /// or `no`. Gives their entry.
    fn emit(&mut self, node: &Node, truth: bool, yes: Label, no: Label) -> Label {
        match node {
            Node::Always(answer) => {
                if *answer == truth {
                    yes
                } else {
                    no
                }
            }
            Node::Not(node) => self.emit(node, !truth, yes, no),
            Node::All(nodes) if truth => self.every(nodes, truth, yes, no),
            Node::Any(nodes) if !truth => self.every(nodes, truth, yes, no),
            Node::All(nodes) | Node::Any(nodes) => nodes
                .iter()
                .rev()
                .fold(no, |next, node| self.emit(node, truth, yes, next)),
            Node::AtLeast(n, nodes) => {
                // At least n True; or more than `len - n` False, so that n cannot be.
                let n = if truth { *n } else { nodes.len() - n + 1 } as u32;
                let parts: Vec<Label> =
                    nodes.iter().map(|node| self.emit(node, truth, YES, NO)).collect();
                let from = self.entries.len() as u32;
                self.entries.extend(parts);
                let to = self.entries.len() as u32;
                let (on, target) = self.branch(yes, no);
                self.push(Question::AtLeast { n, from, to, on }, target)
            }
            Node::Segment(rule) => {
                let (on, target) = self.branch(yes, no);
                let question = Question::Segment { rule: *rule, truth: truth.into(), on };
                self.push(question, target)
            }
            Node::Leaf(leaf) => {
                let (on, target) = self.branch(yes, no);
                let question = self.leaf(*leaf, truth.into(), on);
                self.push(question, target)
            }
        }
    }

    /// Every one of the nodes has this truth.
    fn every(&mut self, nodes: &[Node], truth: bool, yes: Label, no: Label) -> Label {
        let mut next = yes;
        // Whether it is the step that was appended last, to which nothing leads yet.
        let mut next_is_own = false;
        for node in nodes.iter().rev() {
            let before = self.steps.len();
            next = self.emit(node, truth, next, no);
            let n_steps = self.steps.len() - before;
            // A node that ends in a constant may leave steps that it does not start with.
            let is_own = n_steps > 0 && next == self.last();
            if is_own && next_is_own && n_steps == 1 && self.join() {
                next = self.last();
            }
            next_is_own = is_own;
        }
        next
    }

    /// Makes one step of the last two if both are ranges of one number.
    fn join(&mut self) -> bool {
        let [.., (behind, target), (last, target_of_last)] = self.steps.as_mut_slice()
        else {
            return false;
        };
        let Question::Range { feature, lo, hi, inside: true, missing } = behind else {
            return false;
        };
        let Question::Range {
            feature: of,
            lo: from,
            hi: to,
            inside: true,
            missing: none,
        } = last
        else {
            return false;
        };
        if (feature, missing, target) != (of, none, target_of_last) {
            return false;
        }
        (*lo, *hi) = (lo.max(*from), hi.min(*to));
        self.steps.pop();
        true
    }

    /// Whether the step to be appended goes on where the answer is yes, and where it is to
    /// jump otherwise.
    fn branch(&mut self, yes: Label, no: Label) -> (bool, Label) {
        let next = (!self.steps.is_empty()).then(|| self.last());
        if next == Some(no) {
            return (false, yes);
        }
        if next != Some(yes) {
            self.push(Question::Jump, yes);
        }
        (true, no)
    }

    fn push(&mut self, question: Question, target: Label) -> Label {
        self.steps.push((question, target));
        self.last()
    }

    /// The step that was appended last: the one that comes next.
    fn last(&self) -> Label {
        (self.steps.len() - 1) as Label
    }

    /// The question whether a leaf has a truth; what it says if it is among the commonest.
    fn leaf(&mut self, leaf: u32, truth: Truth, on: bool) -> Question {
        let asked = Question::Leaf { leaf, truth, on };
        let Leaf { source: Source::Feature(feature), missing, check } =
            &self.leaves[leaf as usize]
        else {
            return asked;
        };
        let feature = *feature;
        let goes_on = |answer: Truth| (answer == truth) == on;
        let missing = goes_on(*missing);
        match check {
            Check::Number(NumberCheck::Range(lo, hi)) => {
                let (lo, hi) = (lo.max(f64::MIN), hi.min(f64::MAX));
                let inside = goes_on(Truth::True);
                let (lo, hi, inside) = match (lo > f64::MIN, hi < f64::MAX) {
                    // What lies outside of a half line is a half line.
                    (false, true) if !inside => (hi.next_up(), f64::MAX, true),
                    (true, false) if !inside => (f64::MIN, lo.next_down(), true),
                    _ => (lo, hi, inside),
                };
                Question::Range { feature, lo, hi, inside, missing }
            }
            Check::Flag { yes, no } => {
                let (yes, no) = (goes_on((*yes).into()), goes_on((*no).into()));
                Question::Flag { feature, yes, no, missing }
            }
            Check::Text(TextCheck::In(names)) if is_short(names) => {
                let listed = goes_on(Truth::True);
                let (from, to) = self.names(names, |_| listed);
                Question::Names { feature, from, to, others: Some(!listed), missing }
            }
            Check::Level { levels, answers } if is_short(levels) => {
                let (from, to) = self.names(levels, |at| goes_on(answers[at].into()));
                Question::Names { feature, from, to, others: None, missing }
            }
            _ => asked,
        }
    }

    /// Appends names. Gives where they are.
    fn names(&mut self, names: &Names, goes_on: impl Fn(usize) -> bool) -> (u32, u32) {
        let from = self.names.len() as u32;
        let names = names.iter().enumerate();
        self.names.extend(names.map(|(at, name)| ShortName::new(name, goes_on(at))));
        (from, self.names.len() as u32)
    }

    /// Puts the steps in the order in which they are taken.
    fn finish(self, holds: Label, fails: Label, inner: Vec<Label>) -> Program {
        let n = self.steps.len() as Label;
        let place = |label: Label| if label < n { n - 1 - label } else { label };
        let step = |(at, (question, target))| {
            let jump = if target < n { place(target) - at - 1 } else { target };
            Step { question, jump }
        };
        Program {
            steps: (0..).zip(self.steps.into_iter().rev()).map(step).collect(),
            holds: place(holds),
            fails: place(fails),
            inner: inner.into_iter().map(place).collect(),
            entries: self.entries.into_iter().map(place).collect(),
            names: self.names,
        }
    }
}

fn is_short(names: &Names) -> bool {
    names.iter().len() <= FEW && names.iter().all(|name| name.len() <= 8)
}
