//! A rule as steps that give its answers before a change and after it, both at once.

use crate::rules::ast::Rule;
use crate::rules::compile::Compiled;
use crate::rules::leaf::{Check, NumberCheck, Source};
use crate::rules::score::Score;
use crate::segmenter::Truth;

/// Two answers: of each the first bit is for what was, the second for what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Both {
    pub(super) holds: u8,
    pub(super) fails: u8,
}

impl Both {
    pub(super) fn new([was, is]: [Truth; 2]) -> Both {
        let bits = |truth| u8::from(was == truth) | u8::from(is == truth) << 1;
        Both { holds: bits(Truth::True), fails: bits(Truth::False) }
    }

    pub(super) fn truths(self) -> [Truth; 2] {
        [0, 1].map(|side| match (self.holds >> side & 1, self.fails >> side & 1) {
            (0, 0) => Truth::Unknown,
            (0, _) => Truth::False,
            _ => Truth::True,
        })
    }
}

/// Steps in the order of a rule's parts, each after those that it joins.
#[derive(Debug)]
pub(super) struct Program(Vec<Step>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Always(bool),
    /// Whether an aggregate that is a number lies from `lo` to `hi`.
    Range {
        aggregate: u32,
        lo: f64,
        hi: f64,
        missing: Truth,
    },
    /// The test at this place among those of the rule.
    Test(u32),
    Segment(u32),
    Not,
    /// Of the last so many answers.
    All(u32),
    Any(u32),
    AtLeast(u32, u32),
}

impl Program {
    pub(super) fn new(rule: &Compiled) -> Program {
        Program::of(rule, &rule.rule, 0)
    }

    /// Of the parts of a score that are rules; others have no steps.
    pub(super) fn of_parts(rule: &Compiled, score: &Score) -> Vec<Program> {
        let mut programs: Vec<Program> =
            score.parts.iter().map(|_| Program(Vec::new())).collect();
        for (i, part) in score.rules() {
            programs[i] = Program::of(rule, part, score.parts[i].leaves().start);
        }
        programs
    }

    /// Of a rule whose tests come from this one on.
    fn of(compiled: &Compiled, rule: &Rule, n_leaves: usize) -> Program {
        let (steps, n_segments) = (Vec::new(), 0);
        let mut emitter = Emitter { rule: compiled, n_leaves, n_segments, steps };
        emitter.emit(rule);
        Program(emitter.steps)
    }

    /// The answers, from those of the tests and of other segments. `stack` is memory.
    #[inline]
    pub(super) fn run(
        &self,
        stack: &mut Vec<Both>,
        mut answer: impl FnMut(&Step) -> Both,
    ) -> Both {
        stack.clear();
        for step in &self.0 {
            match *step {
                Step::Always(holds) => {
                    let bits = |yes| if yes { 3 } else { 0 };
                    stack.push(Both { holds: bits(holds), fails: bits(!holds) });
                }
                Step::Not => {
                    if let Some(Both { holds, fails }) = stack.last_mut() {
                        std::mem::swap(holds, fails);
                    }
                }
                Step::All(n) => join(stack, n, |a, b| Both {
                    holds: a.holds & b.holds,
                    fails: a.fails | b.fails,
                }),
                Step::Any(n) => join(stack, n, |a, b| Both {
                    holds: a.holds | b.holds,
                    fails: a.fails & b.fails,
                }),
                Step::AtLeast(n, of) => {
                    let parts = stack.len() - of as usize;
                    let count = |bits: fn(&Both) -> u8, most: u32| {
                        let side = |side: u8| {
                            let yes = stack[parts..]
                                .iter()
                                .filter(|b| bits(b) >> side & 1 == 1);
                            u8::from(yes.count() as u32 >= most)
                        };
                        side(0) | side(1) << 1
                    };
                    let holds = count(|both| both.holds, n);
                    let fails = count(|both| both.fails, of - n + 1);
                    stack.truncate(parts);
                    stack.push(Both { holds, fails });
                }
                Step::Range { .. } | Step::Test(_) | Step::Segment(_) => {
                    stack.push(answer(step));
                }
            }
        }
        // A rule has one answer.
        stack.pop().unwrap_or(Both { holds: 0, fails: 3 })
    }
}

#[inline]
fn join(stack: &mut Vec<Both>, n: u32, join: impl Fn(Both, Both) -> Both) {
    for _ in 1..n {
        if let Some(b) = stack.pop()
            && let Some(a) = stack.last_mut()
        {
            *a = join(*a, b);
        }
    }
}

/// Numbers the tests and the other segments of a rule, in the order in which it names them.
struct Emitter<'r> {
    rule: &'r Compiled,
    n_leaves: usize,
    n_segments: usize,
    steps: Vec<Step>,
}

impl Emitter<'_> {
    fn emit(&mut self, rule: &Rule) {
        let step = match rule {
            Rule::Everyone => Step::Always(true),
            Rule::Nobody => Step::Always(false),
            Rule::All(rules) => Step::All(self.parts(rules)),
            Rule::Any(rules) => Step::Any(self.parts(rules)),
            Rule::AtLeast { n, of } => Step::AtLeast(*n as u32, self.parts(of)),
            Rule::Not(rule) => {
                self.emit(rule);
                Step::Not
            }
            Rule::Field(_)
            | Rule::Event(_)
            | Rule::Sequence(_)
            | Rule::Distance(_)
            | Rule::Bucket(_)
            | Rule::Score(_) => self.test(),
            Rule::Consent(_) => {
                let n = rule.n_tests();
                for _ in 0..n {
                    let test = self.test();
                    self.steps.push(test);
                }
                Step::All(n as u32)
            }
            Rule::Segment(_) => {
                self.n_segments += 1;
                Step::Segment(self.rule.segments[self.n_segments - 1])
            }
        };
        self.steps.push(step);
    }

    fn parts(&mut self, rules: &[Rule]) -> u32 {
        rules.iter().for_each(|rule| self.emit(rule));
        rules.len() as u32
    }

    fn test(&mut self) -> Step {
        let leaf = self.n_leaves;
        self.n_leaves += 1;
        let test = &self.rule.leaves[leaf];
        match (test.source, &test.check) {
            (Source::Events(at), &Check::Number(NumberCheck::Range(lo, hi))) => {
                let aggregate = self.rule.behaviours[at as usize].place;
                Step::Range { aggregate, lo, hi, missing: test.missing }
            }
            _ => Step::Test(leaf as u32),
        }
    }
}
