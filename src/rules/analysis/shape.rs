//! The classes into which tests divide the values of their subjects.
//!
//! No test tells two values of one class apart. So a subject has as many values as it has
//! classes, in some order, and "the class is at least the `k`-th" are all the questions
//! that there are: an axis with cuts. Class 0 is that of no value.

use super::model::{Ask, Subject, Term};
use super::names;
use crate::data::{Date, FeatureKind};
use crate::rules::behaviour::Summary;
use crate::rules::day::DayCheck;
use crate::rules::leaf::{Check, NumberCheck, TagCheck};

/// Classes in an order.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// How many there are, class 0 included. Each of them has a value.
    pub(super) n_classes: u32,
    /// Whether class 0 is possible.
    pub(super) may_be_missing: bool,
    /// The numbers from which on classes begin: that of class 2, of class 3, … Empty where
    /// classes are no ranges of numbers.
    pub(super) starts: Vec<f64>,
    /// All numbers of it are whole.
    pub(super) is_whole: bool,
    pub(super) role: Role,
    /// What is measured: the same for axes whose values are there together.
    pub(super) subject: u32,
    pub(super) aggregate: Option<(u32, Summary)>,
    pub(super) is_derived: bool,
}

/// What is measured on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Value,
    /// Days from today to a date.
    Distance,
    /// How many tags there are.
    Size {
        /// How many different tags are allowed, if they are closed.
        n_levels: Option<usize>,
    },
}

/// Which values make a term hold.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Those of some classes: from the first of each pair up to the second.
    Classes { axis: u32, accepted: Vec<(u32, u32)>, open: Option<Open> },
    /// Those with one (`any`) or all of the tags of some groups.
    Tags { axis: u32, any: bool, groups: Vec<u32> },
    /// It is not known which.
    Free,
}

/// Classes of which only some values make a term hold.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) from: u32,
    pub(super) to: u32,
    /// What a name must have, where that is all that is asked.
    pub(super) text: Option<Piece>,
    /// Whether the answers for all other values are known.
    pub(super) is_whole: bool,
}

/// A piece of a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Contained(Box<str>),
    Start(Box<str>),
    End(Box<str>),
}

/// Tags that all terms name together, or not at all.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) axis: u32,
    pub(super) n_names: usize,
}

/// The shapes of all terms.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    pub(super) axes: Vec<Axis>,
    pub(super) groups: Vec<Group>,
    pub(super) shapes: Vec<Shape>,
}

/// A test of a subject, and the number of its term.
pub(super) type Asked<'t> = (usize, &'t Check);

impl Shapes {
    pub(super) fn new(subjects: &[Subject], terms: &[Term]) -> Shapes {
        let mut shapes =
            Shapes { shapes: vec![Shape::Free; terms.len()], ..Shapes::default() };
        let mut by_subject: Vec<Vec<usize>> = vec![Vec::new(); subjects.len()];
        for (i, term) in terms.iter().enumerate() {
            if let Some(terms) = by_subject.get_mut(term.subject as usize) {
                terms.push(i);
            }
        }
        for (i, (subject, asked)) in subjects.iter().zip(by_subject).enumerate() {
            let checks: Vec<Asked<'_>> = asked
                .iter()
                .filter_map(|&i| match &terms[i].ask {
                    Ask::Passes(check) => Some((i, check)),
                    Ask::Present => None,
                })
                .collect();
            let first = shapes.axes.len();
            shapes.subject(i as u32, subject, &checks);
            // There is an axis for each kind.
            let Some(axis) = shapes.axes.get(first) else { continue };
            let present = Shape::Classes {
                axis: first as u32,
                accepted: vec![(1, axis.n_classes)],
                open: None,
            };
            for i in asked {
                if matches!(terms[i].ask, Ask::Present) {
                    shapes.shapes[i] = present.clone();
                }
            }
        }
        shapes
    }

    fn subject(&mut self, place: u32, subject: &Subject, checks: &[Asked<'_>]) {
        match subject.kind {
            FeatureKind::Number | FeatureKind::Date => {
                self.numbers(place, subject, checks);
                if checks.iter().any(|(_, check)| matches!(check, Check::Day(_))) {
                    self.days(place, subject, checks);
                }
            }
            FeatureKind::Flag => {
                let axis = self.axis(place, subject, 3, Role::Value);
                for &(i, check) in checks {
                    let Check::Flag { yes, no } = check else { continue };
                    let listed = [(1, *no), (2, *yes)].into_iter();
                    let accepted = listed.filter(|(_, yes)| *yes);
                    let accepted = accepted.map(|(class, _)| (class, class + 1));
                    self.classes(i, axis, accepted.collect(), None);
                }
            }
            FeatureKind::Category | FeatureKind::Ordinal => {
                if subject.n_levels.is_some() {
                    names::levels(self, place, subject, checks);
                } else {
                    names::texts(self, place, subject, checks);
                }
            }
            FeatureKind::Tags => {
                let n_levels = subject.n_levels;
                let ladder = Ladder::new(
                    checks.iter().filter_map(|(_, check)| match check {
                        Check::Tags { check: TagCheck::Size(check), .. } => Some(check),
                        _ => None,
                    }),
                    [0.0, MOST],
                    true,
                    &[1.0],
                );
                let axis = self.ladder(place, subject, &ladder, Role::Size { n_levels });
                for &(i, check) in checks {
                    if let Check::Tags { check: TagCheck::Size(check), .. } = check {
                        self.classes(i, axis, ladder.accepted(check), None);
                    }
                }
                names::tags(self, axis, checks);
            }
        }
    }

    fn numbers(&mut self, place: u32, subject: &Subject, checks: &[Asked<'_>]) {
        let summary = subject.aggregate.map(|(_, summary)| summary);
        let is_count = matches!(
            summary,
            Some(Summary::Count | Summary::Distinct | Summary::ActiveDays)
        );
        let ends = match subject.kind {
            FeatureKind::Date => [Date::MIN, Date::MAX].map(day),
            _ if is_count => [0.0, subject.n_levels.map_or(MOST, |n| n as f64)],
            _ => subject.ends.unwrap_or([f64::MIN, f64::MAX]),
        };
        let is_whole = is_count || subject.kind == FeatureKind::Date;
        let tests = checks.iter().filter_map(|(_, check)| match check {
            Check::Number(check) | Check::Date(check) => Some(check),
            _ => None,
        });
        // Whether there is anything is asked of counts by what relates them to others.
        let more: &[f64] = if is_count { &[1.0] } else { &[] };
        let ladder = Ladder::new(tests, ends, is_whole, more);
        let axis = self.ladder(place, subject, &ladder, Role::Value);
        for &(i, check) in checks {
            if let Check::Number(check) | Check::Date(check) = check {
                self.classes(i, axis, ladder.accepted(check), None);
            }
        }
    }

    /// The tests of dates by their distance from today.
    fn days(&mut self, place: u32, subject: &Subject, checks: &[Asked<'_>]) {
        let accepted = |check: DayCheck| match check {
            DayCheck::Last(n) => Some(NumberCheck::Range(f64::from(1 - n), 0.0)),
            DayCheck::Next(n) => Some(NumberCheck::Range(0.0, f64::from(n - 1))),
            DayCheck::Anniversary(..) => None,
        };
        let tests: Vec<(usize, Option<NumberCheck>)> = checks
            .iter()
            .filter_map(|&(i, check)| match check {
                Check::Day(check) => Some((i, accepted(*check))),
                _ => None,
            })
            .collect();
        let length = day(Date::MAX) - day(Date::MIN);
        // Events lie before now, and days do not decrease.
        let is_past =
            matches!(subject.aggregate, Some((_, Summary::FirstDay | Summary::LastDay)));
        let ends = [-length, if is_past { 0.0 } else { length }];
        let checks = tests.iter().filter_map(|(_, check)| check.as_ref());
        let ladder = Ladder::new(checks, ends, true, &[]);
        let axis = self.ladder(place, subject, &ladder, Role::Distance);
        let n_classes = self.axes[axis as usize].n_classes;
        for (i, check) in tests {
            match check {
                Some(check) => self.classes(i, axis, ladder.accepted(&check), None),
                // Of anniversaries nothing is known but that a date must be there.
                None => {
                    let open =
                        Open { from: 1, to: n_classes, text: None, is_whole: true };
                    self.classes(i, axis, Vec::new(), Some(open));
                }
            }
        }
    }

    fn ladder(
        &mut self,
        place: u32,
        subject: &Subject,
        ladder: &Ladder,
        role: Role,
    ) -> u32 {
        let axis = self.axis(place, subject, ladder.starts.len() as u32 + 2, role);
        let new = &mut self.axes[axis as usize];
        new.starts.clone_from(&ladder.starts);
        new.is_whole = ladder.is_whole;
        axis
    }

    pub(super) fn axis(
        &mut self,
        place: u32,
        subject: &Subject,
        n_classes: u32,
        role: Role,
    ) -> u32 {
        self.axes.push(Axis {
            n_classes,
            may_be_missing: subject.may_be_missing,
            starts: Vec::new(),
            is_whole: false,
            role,
            subject: place,
            aggregate: subject.aggregate,
            is_derived: subject.is_derived,
        });
        (self.axes.len() - 1) as u32
    }

    pub(super) fn classes(
        &mut self,
        term: usize,
        axis: u32,
        accepted: Vec<(u32, u32)>,
        open: Option<Open>,
    ) {
        self.shapes[term] = Shape::Classes { axis, accepted: joined(accepted), open };
    }
}

/// As many as can be counted.
const MOST: f64 = 18_446_744_073_709_551_616.0;

fn day(date: Date) -> f64 {
    f64::from(date.days_since_epoch())
}

/// Ascending runs of classes, without empty ones and without seams.
fn joined(mut runs: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    runs.retain(|(from, to)| from < to);
    runs.sort_unstable();
    let mut joined: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
    for (from, to) in runs {
        match joined.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// The numbers from which on tests have other answers.
struct Ladder {
    starts: Vec<f64>,
    ends: [f64; 2],
    is_whole: bool,
}

impl Ladder {
    fn new<'c>(
        checks: impl Iterator<Item = &'c NumberCheck>,
        ends: [f64; 2],
        is_whole: bool,
        more: &[f64],
    ) -> Ladder {
        let mut ladder = Ladder { starts: more.to_vec(), ends, is_whole };
        for check in checks {
            match check {
                NumberCheck::Range(lo, hi) => ladder.starts.extend([*lo, hi.next_up()]),
                NumberCheck::In(list) => {
                    ladder.starts.extend(list.iter().flat_map(|&x| [x, x.next_up()]));
                }
            }
        }
        for x in &mut ladder.starts {
            *x = first(*x, is_whole);
        }
        // Each class keeps a number: that with which it begins, and the least of all.
        ladder.starts.retain(|&x| ends[0] < x && x <= ends[1]);
        ladder.starts.sort_unstable_by(f64::total_cmp);
        ladder.starts.dedup();
        ladder
    }

    /// The first class whose numbers are at least this.
    fn reach(&self, x: f64) -> u32 {
        let x = first(x, self.is_whole);
        if x <= self.ends[0] {
            1
        } else {
            // Beyond the last number there is no class.
            2 + self.starts.partition_point(|&start| start < x) as u32
        }
    }

    fn accepted(&self, check: &NumberCheck) -> Vec<(u32, u32)> {
        let run = |lo: f64, hi: f64| (self.reach(lo), self.reach(hi.next_up()));
        match check {
            NumberCheck::Range(lo, hi) if lo > hi => Vec::new(),
            NumberCheck::Range(lo, hi) => vec![run(*lo, *hi)],
            NumberCheck::In(list) => list.iter().map(|&x| run(x, x)).collect(),
        }
    }
}

/// The least number that can occur from this one on; 0 is one number.
fn first(x: f64, is_whole: bool) -> f64 {
    if is_whole { x.ceil() + 0.0 } else { x + 0.0 }
}
