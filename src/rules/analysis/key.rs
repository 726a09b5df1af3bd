//! What tells one question about a subject from another.

use super::model::Ask;
use crate::rules::ast::LeapDay;
use crate::rules::day::DayCheck;
use crate::rules::leaf::{Check, Names, NumberCheck, TagCheck, TextCheck};

/// Equal questions have equal keys, and different ones different keys.
pub(super) fn key(ask: &Ask) -> Vec<u8> {
    let mut key = Key(Vec::new());
    match ask {
        Ask::Present => key.tag(0),
        Ask::Passes(check) => key.check(check),
    }
    key.0
}

struct Key(Vec<u8>);

impl Key {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, x: f64) {
        // Adding 0 makes -0 and 0 one.
        self.0.extend((x + 0.0).to_bits().to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    fn names(&mut self, tag: u8, names: &Names) {
        self.tag(tag);
        names.iter().for_each(|name| self.text(name));
    }

    fn numbers(&mut self, tag: u8, check: &NumberCheck) {
        self.tag(tag);
        match check {
            NumberCheck::Range(lo, hi) => {
                self.tag(0);
                [lo, hi].into_iter().for_each(|&x| self.number(x));
            }
            NumberCheck::In(list) => {
                self.tag(1);
                list.iter().for_each(|&x| self.number(x));
            }
        }
    }

    fn check(&mut self, check: &Check) {
        match check {
            Check::Number(check) => self.numbers(1, check),
            Check::Date(check) => self.numbers(2, check),
            // No rule has such a test of its own.
            Check::Amount => self.tag(u8::MAX),
            Check::Flag { yes, no } => {
                self.0.extend([3, u8::from(*yes), u8::from(*no)]);
            }
            Check::Day(check) => {
                self.tag(4);
                let (kind, days, leap) = match check {
                    DayCheck::Last(n) => (0, n, 0),
                    DayCheck::Next(n) => (1, n, 0),
                    DayCheck::Anniversary(n, LeapDay::Feb28) => (2, n, 0),
                    DayCheck::Anniversary(n, LeapDay::Mar1) => (2, n, 1),
                    DayCheck::Anniversary(n, LeapDay::Skip) => (2, n, 2),
                };
                self.0.extend([kind, leap]);
                self.0.extend(days.to_le_bytes());
            }
            Check::Text(check) => match check {
                TextCheck::Always(answer) => self.0.extend([5, u8::from(*answer)]),
                TextCheck::In(names) => self.names(6, names),
                TextCheck::Contains(part) => {
                    self.tag(7);
                    self.text(part);
                }
                TextCheck::StartsWith(start) => {
                    self.tag(8);
                    self.text(start);
                }
                TextCheck::EndsWith(end) => {
                    self.tag(9);
                    self.text(end);
                }
                TextCheck::Matches(pattern) => {
                    self.tag(10);
                    self.text(pattern.as_str());
                }
            },
            Check::Level { answers, .. } => {
                self.tag(11);
                self.0.extend(answers.iter().map(|&answer| u8::from(answer)));
            }
            Check::Tags { check, .. } => match check {
                TagCheck::Always(answer) => self.0.extend([12, u8::from(*answer)]),
                TagCheck::Any(names) => self.names(13, names),
                TagCheck::All(names) => self.names(14, names),
                TagCheck::Size(check) => self.numbers(15, check),
            },
        }
    }
}
