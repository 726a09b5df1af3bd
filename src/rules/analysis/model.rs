//! From rules to plain logic over tests of subjects.
//!
//! A subject is what tests are about: a feature, or an aggregate of events. "Is the rule
//! True" and "is it False" become two formulas of one graph, whose leaves are the terms: a
//! subject's value is there, or it is there and passes a test. Equal terms stand once.

use std::collections::BTreeMap;

use super::history::History;
use super::key::key;
use super::shape::{Axis, Group, Shape, Shapes};
use crate::data::{FeatureIndex, FeatureKind, FeatureSpec};
use crate::rules::ast::Rule;
use crate::rules::batch::graph::{Answers, Graph, Node, Signal};
use crate::rules::behaviour::{Behaviour, Summary};
use crate::rules::compile::Compiled;
use crate::rules::computed::What;
use crate::rules::leaf::{Check, Leaf, Source};
use crate::rules::window::Bounds;
use crate::segmenter::Truth;

/// All of them, by halves: if one of them is exchanged, few formulas are others.
fn every(graph: &mut Graph, parts: &[Answers]) -> Answers {
    match parts {
        [] => Answers::TRUE,
        [part] => *part,
        _ => {
            let (a, b) = parts.split_at(parts.len() / 2);
            let (a, b) = (every(graph, a), every(graph, b));
            Answers {
                holds: graph.and(a.holds, b.holds),
                fails: graph.or(a.fails, b.fails),
            }
        }
    }
}

/// A rule and the rules inside it, with their answers.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) join: Join,
    pub(super) answers: Answers,
    pub(super) parts: Vec<Part>,
}

/// How the answers of a rule come from those of the rules inside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Join {
    /// There are none.
    Alone,
    All,
    Any,
    AtLeast(usize),
    Not,
}

impl Join {
    /// The JSON pointer from the rule to the one at a position inside it.
    pub(super) fn path(self, at: usize) -> String {
        match self {
            Join::Alone => String::new(),
            Join::All => format!("/all/{at}"),
            Join::Any => format!("/any/{at}"),
            Join::AtLeast(_) => format!("/at_least/of/{at}"),
            Join::Not => "/not".to_owned(),
        }
    }

    pub(super) fn answers(self, graph: &mut Graph, parts: &[Answers]) -> Answers {
        match self {
            Join::All => every(graph, parts),
            Join::Any => {
                let parts: Vec<Answers> = parts.iter().map(|part| part.not()).collect();
                every(graph, &parts).not()
            }
            Join::AtLeast(n) => {
                let most = (parts.len() + 1).saturating_sub(n);
                let holds = parts.iter().map(|part| part.holds).collect();
                let fails = parts.iter().map(|part| part.fails).collect();
                Answers {
                    holds: graph.at_least(n, holds),
                    fails: graph.at_least(most, fails),
                }
            }
            Join::Not | Join::Alone => match parts {
                [part, ..] => part.not(),
                [] => Answers::FALSE,
            },
        }
    }
}

/// What tests are about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) kind: FeatureKind,
    /// How many names are allowed, if they are closed.
    pub(super) n_levels: Option<usize>,
    pub(super) may_be_missing: bool,
    /// The least and the greatest number that it can be, where that is known.
    pub(super) ends: Option<[f64; 2]>,
    /// The aggregate, if it is one, by its place; and what it makes of events.
    pub(super) aggregate: Option<(u32, Summary)>,
    /// Whether it is made of what other subjects may be made of, so that not all values go
    /// together: a distance, a draw, a sequence.
    pub(super) is_derived: bool,
}

/// What is asked of a subject.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// Is a value there?
    Present,
    /// Is a value there that passes?
    Passes(Check),
}

#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) subject: u32,
    pub(super) ask: Ask,
}

/// Rules as formulas, and all that is known of their terms.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) graph: Graph,
    /// Which values of its subject make a term hold, by its number.
    pub(super) shapes: Vec<Shape>,
    pub(super) axes: Vec<Axis>,
    pub(super) groups: Vec<Group>,
    /// Of each rule.
    pub(super) rules: Vec<Part>,
    pub(super) history: History,
    /// Steps that go into comparing subjects of one question with each other.
    pub(super) most_facts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SubjectKey {
    Feature(FeatureIndex),
    Aggregate(u32),
    Computed(u32),
    Score(u32),
}

struct Lowering<'r> {
    graph: Graph,
    terms: Vec<Term>,
    places: BTreeMap<(u32, Vec<u8>), u32>,
    subjects: Vec<Subject>,
    subject_places: BTreeMap<SubjectKey, u32>,
    aggregates: BTreeMap<u32, &'r Behaviour>,
    answers: Vec<Answers>,
}

/// What of a rule was not met yet.
struct Rest<'r> {
    rule: &'r Compiled,
    leaves: std::slice::Iter<'r, Leaf>,
    segments: std::slice::Iter<'r, u32>,
}

impl Model {
    /// Of rules in an order in which each comes after those to which it refers.
    /// So many steps may go into what is known of events, and into comparing the subjects of
    /// one question.
    pub(super) fn new(
        rules: &[&Compiled],
        order: &[u32],
        windows: &[Bounds],
        [most, most_facts]: [u64; 2],
    ) -> Model {
        let mut lowering = Lowering {
            graph: Graph::new(),
            terms: Vec::new(),
            places: BTreeMap::new(),
            subjects: Vec::new(),
            subject_places: BTreeMap::new(),
            aggregates: BTreeMap::new(),
            answers: vec![Answers::FALSE; rules.len()],
        };
        let mut parts: Vec<Option<Part>> = vec![None; rules.len()];
        for at in order.iter().map(|&at| at as usize) {
            let rule = rules[at];
            let leaves = rule.leaves.iter();
            let mut rest = Rest { rule, leaves, segments: rule.segments.iter() };
            let part = lowering.part(&rule.rule, &mut rest);
            lowering.answers[at] = part.answers;
            parts[at] = Some(part);
        }
        let Lowering { graph, terms, subjects, aggregates, .. } = lowering;
        let Shapes { axes, groups, shapes } = Shapes::new(&subjects, &terms);
        let history = History::new(&aggregates, windows, most);
        let rules = parts.into_iter().flatten().collect();
        Model { graph, shapes, axes, groups, rules, history, most_facts }
    }
}

impl<'r> Lowering<'r> {
    /// A rule whose tests and references come next. As deep as the rule.
    fn part(&mut self, rule: &Rule, rest: &mut Rest<'r>) -> Part {
        let alone = |answers| Part { join: Join::Alone, answers, parts: Vec::new() };
        let (join, rules) = match rule {
            Rule::Everyone => return alone(Answers::TRUE),
            Rule::Nobody => return alone(Answers::FALSE),
            Rule::Field(_)
            | Rule::Event(_)
            | Rule::Sequence(_)
            | Rule::Distance(_)
            | Rule::Bucket(_)
            | Rule::Score(_)
            | Rule::Consent(_) => {
                let leaves: Vec<_> = rest.leaves.by_ref().take(rule.n_tests()).collect();
                let answers: Option<Vec<Answers>> =
                    leaves.into_iter().map(|leaf| self.leaf(rest.rule, leaf)).collect();
                let known = answers.filter(|answers| answers.len() == rule.n_tests());
                let answers = known.map(|answers| every(&mut self.graph, &answers));
                return alone(answers.unwrap_or_else(|| self.anything(rule)));
            }
            Rule::Segment(_) => {
                let at = rest.segments.next().map(|&at| at as usize);
                let answers = at.and_then(|at| self.answers.get(at).copied());
                return alone(answers.unwrap_or_else(|| self.anything(rule)));
            }
            Rule::All(rules) => (Join::All, &rules[..]),
            Rule::Any(rules) => (Join::Any, &rules[..]),
            Rule::AtLeast { n, of } => (Join::AtLeast(*n), &of[..]),
            Rule::Not(rule) => (Join::Not, std::slice::from_ref(&**rule)),
        };
        let parts: Vec<Part> = rules.iter().map(|rule| self.part(rule, rest)).collect();
        let answers: Vec<Answers> = parts.iter().map(|part| part.answers).collect();
        Part { join, answers: join.answers(&mut self.graph, &answers), parts }
    }

    /// A rule of which nothing is known, and this is the place for kinds of rules that have no
    /// subject here: it may have any of the three answers, and equal ones have the same.
    fn anything(&mut self, rule: &Rule) -> Answers {
        // What is written alike is asked alike.
        let text = format!("{rule:?}").into_bytes();
        let mut free = |answer: u8| {
            let place = (u32::MAX, [&[answer], &text[..]].concat());
            let next = self.terms.len() as u32;
            let test = *self.places.entry(place).or_insert(next);
            if test == next {
                self.terms.push(Term { subject: u32::MAX, ask: Ask::Present });
            }
            self.graph.leaf(Node::Test { test })
        };
        let (known, yes) = (free(0), free(1));
        Answers { holds: self.graph.and(known, yes), fails: self.graph.and(known, !yes) }
    }

    /// The answers of a test; nothing where its subject is not known.
    fn leaf(&mut self, rule: &'r Compiled, leaf: &'r Leaf) -> Option<Answers> {
        let subject = self.subject(rule, leaf)?;
        let present = if self.subjects[subject as usize].may_be_missing {
            self.term(subject, Ask::Present)
        } else {
            Signal::TRUE
        };
        let passes = self.term(subject, Ask::Passes(leaf.check.clone()));
        let fails = self.graph.and(present, !passes);
        Some(match leaf.missing {
            Truth::Unknown => Answers { holds: passes, fails },
            Truth::False => Answers { holds: passes, fails: !passes },
            Truth::True => Answers { holds: !fails, fails },
        })
    }

    fn term(&mut self, subject: u32, ask: Ask) -> Signal {
        let next = self.terms.len() as u32;
        let test = *self.places.entry((subject, key(&ask))).or_insert(next);
        if test == next {
            self.terms.push(Term { subject, ask });
        }
        self.graph.leaf(Node::Test { test })
    }

    fn subject(&mut self, rule: &'r Compiled, leaf: &'r Leaf) -> Option<u32> {
        let (key, subject) = match leaf.source {
            Source::Feature(feature) => {
                let subject = Subject::of(rule.schema.get(feature)?);
                (SubjectKey::Feature(feature), subject)
            }
            Source::Events(at) => {
                let behaviour = rule.behaviours.get(at as usize)?;
                self.aggregates.entry(behaviour.place).or_insert(behaviour);
                let subject = Subject {
                    may_be_missing: behaviour.summary.may_be_missing(),
                    aggregate: Some((behaviour.place, behaviour.summary)),
                    ..Subject::of(&behaviour.spec)
                };
                let subject = match (&behaviour.property, behaviour.summary) {
                    // As many different values as there are levels.
                    (Some(property), Summary::Distinct) => {
                        Subject { n_levels: most_values(&property.spec), ..subject }
                    }
                    _ => subject,
                };
                (SubjectKey::Aggregate(behaviour.place), subject)
            }
            Source::Computed(at) => {
                let computed = rule.computed.get(at as usize)?;
                let subject = Subject {
                    // What is drawn is missing too, as long as a live customer has no id.
                    may_be_missing: !matches!(computed.what, What::Ordered(_)),
                    ends: match computed.what {
                        What::Ordered(_) => None,
                        What::Distance(_) => Some([0.0, f64::MAX]),
                        What::Bucket(_) => Some([0.0, 1.0_f64.next_down()]),
                    },
                    is_derived: true,
                    ..Subject::of(&computed.spec)
                };
                (SubjectKey::Computed(computed.place), subject)
            }
            Source::Score(at) => {
                let score = rule.scores.get(at as usize)?;
                let subject = Subject {
                    may_be_missing: false,
                    is_derived: true,
                    ..Subject::of(&score.spec)
                };
                (SubjectKey::Score(score.place), subject)
            }
        };
        let next = self.subjects.len() as u32;
        let place = *self.subject_places.entry(key).or_insert(next);
        if place == next {
            self.subjects.push(subject);
        }
        Some(place)
    }
}

impl Subject {
    fn of(spec: &FeatureSpec) -> Subject {
        let n_levels = spec.get_levels().len();
        Subject {
            kind: spec.kind(),
            n_levels: (n_levels > 0).then_some(n_levels),
            may_be_missing: true,
            ends: None,
            aggregate: None,
            is_derived: false,
        }
    }
}

/// How many different values something can have, where that is few.
fn most_values(spec: &FeatureSpec) -> Option<usize> {
    match (spec.kind(), spec.get_levels().len()) {
        (FeatureKind::Flag, _) => Some(2),
        (FeatureKind::Category | FeatureKind::Ordinal, n) if n > 0 => Some(n),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::Encoding;
    use super::super::solver::Outcome;
    use super::*;
    use crate::data::Schema;
    use crate::rules::field;

    /// Whether formulas can hold at once.
    fn can(model: &Model, signals: &[Signal]) -> bool {
        let mut encoding = Encoding::new(model, signals);
        assert!(!encoding.is_exact);
        encoding.ask(signals, u64::MAX) == Outcome::Possible
    }

    #[test]
    fn what_is_not_known_may_have_any_answer() {
        let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
        let (a, b) = (field("x").ge(1), field("x").ge(2));
        let rules = [a.clone(), b.clone(), a.clone() | !a.clone(), a.clone() & !a];
        // Without their tests rules say nothing that is known.
        let rules = rules.map(|rule| {
            let rule = rule.compile(&schema).unwrap();
            Compiled { leaves: Box::new([]), ..Compiled::clone(&rule.rule) }
        });
        let rules: Vec<&Compiled> = rules.iter().collect();
        let model = Model::new(&rules, &[0, 1, 2, 3], &[], [0, 0]);
        let [a, b, either, both] = [0, 1, 2, 3].map(|i: usize| model.rules[i].answers);
        for x in [a.holds, a.fails, !a.holds] {
            assert!([b.holds, b.fails].iter().all(|&y| can(&model, &[x, y])));
        }
        assert!(can(&model, &[!a.holds, !a.fails]));
        assert!(!can(&model, &[a.holds, a.fails]));
        // It is one and the same, and may be Unknown.
        assert!(!can(&model, &[a.holds, !either.holds]));
        assert!(can(&model, &[!either.holds]));
        assert!(!can(&model, &[both.holds]));
    }
}
