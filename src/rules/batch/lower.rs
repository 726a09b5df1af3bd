//! From rules and a table to a graph over the codes of its columns.

use std::collections::BTreeMap;

use super::graph::{Answers, Graph, Node, Signal};
use super::pages::{Classes, Coding, N_CODES, Page, Thresholds};
use super::rows::{RowTest, key};
use crate::data::{Column, Date};
use crate::rules::ast::Rule;
use crate::rules::leaf::{Check, Leaf, NumberCheck};
use crate::segmenter::Truth;
use crate::simd::ByteSet;

/// Lists of numbers beyond this length are searched row by row.
const LONGEST_LIST: usize = 16;

/// What the nodes of a graph refer to.
#[derive(Clone, Debug)]
pub(super) struct Lowered {
    pub(super) graph: Graph,
    pub(super) pages: Vec<Page>,
    /// Tests of a column's values that have no codes.
    pub(super) tests: Vec<RowTest>,
    /// For each rule.
    pub(super) answers: Vec<Answers>,
}

/// How the values of a column are coded; the pages from `first` on.
enum Codes {
    Numbers { first: usize, thresholds: Thresholds },
    Levels { first: usize, classes: Classes },
    Flag { first: usize },
    None,
}

/// Columns that rules are asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    /// Those of a table, or the properties of events.
    pub(super) stored: &'a [Column<'a>],
    /// Those that are computed block by block, after the others. Only their kinds, levels
    /// and whether values can be missing are known beforehand.
    pub(super) derived: &'a [Column<'a>],
    pub(super) n_rows: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn get(&self, place: usize) -> Option<&'a Column<'a>> {
        self.stored.get(place).or_else(|| {
            let derived = place.checked_sub(self.stored.len())?;
            self.derived.get(derived)
        })
    }

    fn is_derived(&self, place: usize) -> bool {
        place >= self.stored.len()
    }
}

/// A test, and the column of what it tests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'r> {
    pub(super) column: usize,
    pub(super) leaf: &'r Leaf,
}

/// A rule with its tests and the rules to which it refers, in the order in which it names
/// them.
#[derive(Clone, Debug)]
pub(super) struct Posed<'r> {
    pub(super) rule: &'r Rule,
    pub(super) tests: Vec<Placed<'r>>,
    pub(super) segments: &'r [u32],
}

/// What of a rule was not met yet.
struct Rest<'r, T> {
    tests: T,
    segments: std::slice::Iter<'r, u32>,
}

struct Lowering<'a> {
    columns: Columns<'a>,
    today: Date,
    graph: Graph,
    pages: Vec<Page>,
    tests: Tests,
    /// By the place of the column.
    codes: BTreeMap<usize, Codes>,
    /// Of the rules that were looked at.
    answers: Vec<Option<Answers>>,
}

/// Rules are looked at in an order in which each comes after those to which it refers.
/// Nothing when a column has a level that the rules' schema does not allow: then it depends
/// on the row whether a test comes across it.
pub(super) fn lower(
    rules: &[Posed<'_>],
    order: &[u32],
    columns: Columns<'_>,
    today: Date,
) -> Option<Lowered> {
    let mut leaves: BTreeMap<usize, Vec<&Leaf>> = BTreeMap::new();
    for placed in rules.iter().flat_map(|rule| &rule.tests) {
        leaves.entry(placed.column).or_default().push(placed.leaf);
    }
    let mut lowering = Lowering {
        columns,
        today,
        graph: Graph::new(),
        pages: Vec::new(),
        tests: Tests::default(),
        codes: BTreeMap::new(),
        answers: vec![None; rules.len()],
    };
    for (place, leaves) in leaves {
        let codes = lowering.codes(columns.get(place)?, place, &leaves)?;
        lowering.codes.insert(place, codes);
    }
    for &at in order {
        let Posed { rule, tests, segments } = &rules[at as usize];
        let mut rest = Rest { tests: tests.iter().copied(), segments: segments.iter() };
        lowering.answers[at as usize] = Some(lowering.rule(rule, &mut rest)?);
    }
    let Lowering { graph, pages, tests, answers, .. } = lowering;
    let answers = answers.into_iter().collect::<Option<_>>()?;
    Some(Lowered { graph, pages, tests: tests.all, answers })
}

impl Lowering<'_> {
    fn codes(
        &mut self,
        column: &Column<'_>,
        place: usize,
        leaves: &[&Leaf],
    ) -> Option<Codes> {
        let first = self.pages.len();
        let is_derived = self.columns.is_derived(place);
        let longest = if is_derived { usize::MAX } else { LONGEST_LIST };
        let (codes, codings) = match column {
            Column::Number(..) | Column::Date(..) => {
                let thresholds = leaves.iter().flat_map(|leaf| match &leaf.check {
                    Check::Number(check) | Check::Date(check) => {
                        thresholds(check, longest)
                    }
                    Check::Day(check) => check
                        .range(self.today)
                        .map_or(Vec::new(), |range| thresholds(&range, longest)),
                    _ => Vec::new(),
                });
                let thresholds = Thresholds::new(thresholds.collect());
                let codings = thresholds.codings();
                (Codes::Numbers { first, thresholds }, codings)
            }
            Column::Flag(..) => (Codes::Flag { first }, vec![Coding::Flag]),
            Column::Category(_, levels, _) => {
                if let Some(known) = leaves.iter().find_map(|leaf| leaf.check.levels()) {
                    let mut levels = levels.iter();
                    levels.all(|l| known.position(l).is_some()).then_some(())?;
                }
                let classes = match levels.len() {
                    n if n <= N_CODES => Some(Classes::alone(n)),
                    // Most of them do not occur: those that do are asked.
                    n if n > self.columns.n_rows && !is_derived => None,
                    n => Classes::new(n, leaves.iter().map(|leaf| &leaf.check), levels),
                };
                match classes {
                    Some(classes) => {
                        let codings = classes.codings();
                        (Codes::Levels { first, classes }, codings)
                    }
                    // What is derived is not there to be asked row by row.
                    None if is_derived => return None,
                    None => (Codes::None, Vec::new()),
                }
            }
            Column::Tags(tags, _) => {
                if let Some(known) = leaves.iter().find_map(|leaf| leaf.check.levels()) {
                    let mut tags = tags.levels().iter();
                    tags.all(|tag| known.position(tag).is_some()).then_some(())?;
                }
                (Codes::None, Vec::new())
            }
        };
        self.pages
            .extend(codings.into_iter().map(|coding| Page { column: place, coding }));
        Some(codes)
    }

    /// The answers of a rule whose tests and references come next. As deep as the rule.
    fn rule<'l>(
        &mut self,
        rule: &Rule,
        next: &mut Rest<'l, impl Iterator<Item = Placed<'l>>>,
    ) -> Option<Answers> {
        let parts = |this: &mut Self, rules: &[Rule], next: &mut _| {
            let mut holds = Vec::with_capacity(rules.len());
            let mut fails = Vec::with_capacity(rules.len());
            for rule in rules {
                let answers = this.rule(rule, next)?;
                holds.push(answers.holds);
                fails.push(answers.fails);
            }
            Some((holds, fails))
        };
        Some(match rule {
            Rule::Everyone => Answers::TRUE,
            Rule::Nobody => Answers::FALSE,
            Rule::All(rules) => {
                let (holds, fails) = parts(self, rules, next)?;
                let graph = &mut self.graph;
                Answers { holds: graph.all(holds), fails: graph.any(fails) }
            }
            Rule::Any(rules) => {
                let (holds, fails) = parts(self, rules, next)?;
                let graph = &mut self.graph;
                Answers { holds: graph.any(holds), fails: graph.all(fails) }
            }
            Rule::AtLeast { n, of } => {
                let (holds, fails) = parts(self, of, next)?;
                let most = (of.len() + 1).saturating_sub(*n);
                let graph = &mut self.graph;
                Answers {
                    holds: graph.at_least(*n, holds),
                    fails: graph.at_least(most, fails),
                }
            }
            Rule::Not(rule) => self.rule(rule, next)?.not(),
            Rule::Field(_)
            | Rule::Event(_)
            | Rule::Sequence(_)
            | Rule::Distance(_)
            | Rule::Bucket(_)
            | Rule::Score(_)
            | Rule::Consent(_) => {
                let mut answers = self.leaf(next.tests.next()?)?;
                for _ in 1..rule.n_tests() {
                    let Answers { holds, fails } = self.leaf(next.tests.next()?)?;
                    answers = Answers {
                        holds: self.graph.and(answers.holds, holds),
                        fails: self.graph.or(answers.fails, fails),
                    };
                }
                answers
            }
            Rule::Segment(_) => {
                let rule = *next.segments.next()? as usize;
                (*self.answers.get(rule)?)?
            }
        })
    }

    fn leaf(&mut self, placed: Placed<'_>) -> Option<Answers> {
        let Placed { column, leaf } = placed;
        let passes = self.passes(placed)?;
        let present = self.present(column)?;
        let fails = self.graph.and(present, !passes);
        Some(match leaf.missing {
            Truth::Unknown => Answers { holds: passes, fails },
            Truth::False => Answers { holds: passes, fails: !passes },
            Truth::True => Answers { holds: !fails, fails },
        })
    }

    fn present(&mut self, place: usize) -> Option<Signal> {
        let codes = self.codes.get(&place)?;
        let column = self.columns.get(place)?;
        if column.validity().is_all() {
            return Some(Signal::TRUE);
        }
        Some(match codes {
            Codes::Numbers { first, .. }
            | Codes::Levels { first, .. }
            | Codes::Flag { first } => {
                self.graph.leaf(Node::AtLeast { page: *first as u32, code: 1 })
            }
            Codes::None => self.graph.leaf(Node::Present { column: place as u32 }),
        })
    }

    /// The rows whose value is there and passes the test.
    fn passes(&mut self, placed: Placed<'_>) -> Option<Signal> {
        let Placed { column: place, leaf } = placed;
        let present = self.present(place)?;
        let is_derived = self.columns.is_derived(place);
        let graph = &mut self.graph;
        let codes = self.codes.get(&place)?;
        let column = self.columns.get(place)?;
        // A range of days is a test like any other.
        let range = match &leaf.check {
            Check::Day(check) => check.range(self.today).map(Check::Date),
            _ => None,
        };
        Some(match (codes, range.as_ref().unwrap_or(&leaf.check)) {
            (
                Codes::Numbers { first, thresholds },
                Check::Number(check) | Check::Date(check),
            ) => {
                let reach = |graph: &mut Graph, threshold| {
                    let (page, code) = thresholds.find(threshold);
                    graph.leaf(Node::AtLeast { page: (first + page) as u32, code })
                };
                match check {
                    NumberCheck::Range(lo, hi) if lo > hi => Signal::FALSE,
                    NumberCheck::Range(lo, hi) => {
                        let from = match *lo {
                            f64::NEG_INFINITY => present,
                            lo => reach(graph, lo),
                        };
                        let beyond = match *hi {
                            f64::INFINITY => Signal::FALSE,
                            hi => reach(graph, hi.next_up()),
                        };
                        graph.and(from, !beyond)
                    }
                    NumberCheck::In(list) if is_derived || list.len() <= LONGEST_LIST => {
                        let mut parts = Vec::with_capacity(list.len());
                        for &x in list.iter() {
                            let (from, beyond) =
                                (reach(graph, x), reach(graph, x.next_up()));
                            parts.push(graph.and(from, !beyond));
                        }
                        graph.any(parts)
                    }
                    NumberCheck::In(_) => graph.leaf(self.tests.place(
                        (place, column),
                        leaf,
                        self.columns.n_rows,
                        self.today,
                    )),
                }
            }
            (Codes::Numbers { .. }, Check::Day(_)) if !is_derived => graph.leaf(
                self.tests.place((place, column), leaf, self.columns.n_rows, self.today),
            ),
            (Codes::Flag { first }, Check::Flag { yes, no }) => {
                let mut codes = ByteSet::default();
                for (code, listed) in [(1, no), (2, yes)] {
                    if *listed {
                        codes.insert(code);
                    }
                }
                among(graph, *first, codes)
            }
            (Codes::Levels { first, classes }, check) => {
                let Column::Category(_, levels, _) = column else { return None };
                let answers = levels.iter().map(|level| check.accepts_level(level));
                let mut sets: BTreeMap<usize, ByteSet> = BTreeMap::new();
                for (page, code) in classes.find(answers) {
                    sets.entry(page).or_default().insert(code);
                }
                let mut parts = Vec::with_capacity(sets.len());
                for (page, codes) in sets {
                    parts.push(among(graph, first + page, codes));
                }
                graph.any(parts)
            }
            (Codes::None, _) => graph.leaf(self.tests.place(
                (place, column),
                leaf,
                self.columns.n_rows,
                self.today,
            )),
            // A table's columns are of the kinds of its features.
            _ => return None,
        })
    }
}

fn among(graph: &mut Graph, page: usize, codes: ByteSet) -> Signal {
    if codes.is_empty() {
        return Signal::FALSE;
    }
    graph.leaf(Node::Among { page: page as u32, codes })
}

/// The tests that are asked row by row, each once.
#[derive(Default)]
struct Tests {
    all: Vec<RowTest>,
    by_key: BTreeMap<u64, Vec<usize>>,
}

impl Tests {
    fn place(
        &mut self,
        (place, column): (usize, &Column<'_>),
        leaf: &Leaf,
        n_rows: usize,
        today: Date,
    ) -> Node {
        let alike = self.by_key.entry(key(place, &leaf.check)).or_default();
        let same = |&at: &usize| {
            let test: &RowTest = &self.all[at];
            test.column == place && test.leaf.check == leaf.check
        };
        let at = alike.iter().copied().find(same).unwrap_or_else(|| {
            alike.push(self.all.len());
            self.all.push(RowTest::new(place, leaf, column, n_rows, today));
            self.all.len() - 1
        });
        Node::Test { test: at as u32 }
    }
}

/// The numbers at which the answer changes.
fn thresholds(check: &NumberCheck, longest: usize) -> Vec<f64> {
    match check {
        NumberCheck::Range(lo, hi) if lo > hi => Vec::new(),
        NumberCheck::Range(lo, hi) => {
            let from = (*lo != f64::NEG_INFINITY).then_some(*lo);
            let beyond = (*hi != f64::INFINITY).then(|| hi.next_up());
            from.into_iter().chain(beyond).collect()
        }
        NumberCheck::In(list) if list.len() <= longest => {
            list.iter().flat_map(|&x| [x, x.next_up()]).collect()
        }
        NumberCheck::In(_) => Vec::new(),
    }
}
