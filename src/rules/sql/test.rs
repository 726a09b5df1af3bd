//! Tests of one value.

use super::dialect::first_day;
use super::expression::Sql;
use super::layout::FlagForm;
use super::number;
use super::write::{Operand, Place, Scope, Writer};
use super::{Dialect, dialect::quoted};
use crate::data::{Date, FeatureIndex, FeatureSpec};
use crate::rules::ast::Test;
use crate::rules::leaf::{Check, Leaf, Names, NumberCheck, TagCheck, TextCheck};
use crate::segmenter::Truth;

impl<'a> Writer<'a> {
    /// A test of a value, NULL only where that is and nothing else was said of missing ones.
    pub(super) fn test(&mut self, test: &Test, leaf: &Leaf, operand: &Operand) -> Sql {
        match (test, operand) {
            (Test::Set | Test::Missing, Operand::Known) => {
                return Sql::constant(*test == Test::Set);
            }
            (Test::Set, Operand::Value(value) | Operand::Instant(value)) => {
                return Sql::test(format!("{value} IS NOT NULL"));
            }
            (Test::Missing, Operand::Value(value) | Operand::Instant(value)) => {
                return Sql::test(format!("{value} IS NULL"));
            }
            _ => {}
        }
        let at = self.faults.enter(format!("is/{}", test.operator()));
        let holds = self.check(test, &leaf.check, operand);
        self.faults.leave(at);
        match leaf.missing {
            Truth::Unknown => holds,
            truth => holds.or_else(truth.is_true()),
        }
    }

    fn check(&mut self, test: &Test, check: &Check, operand: &Operand) -> Sql {
        let value = match (check, operand) {
            (Check::Date(days), Operand::Instant(time)) => {
                return self.instant(time, days);
            }
            (Check::Day(day), Operand::Instant(time)) => {
                return self.day_of_instant(time, *day);
            }
            (Check::Day(day), Operand::Value(date)) => {
                return self.day(date, self.layout.are_dates_texts(), *day);
            }
            (_, Operand::Value(value) | Operand::Instant(value)) => value.as_str(),
            // Tags have no other tests than those of `tags`.
            (_, Operand::Known) => return Sql::constant(false),
        };
        match check {
            Check::Number(numbers) => {
                let dialect = self.layout.dialect;
                let literal = |x| Some(number::literal(dialect, x));
                comparison(value, numbers, test, literal)
            }
            Check::Date(days) => {
                let is_text = self.layout.are_dates_texts();
                let literal = |x| self.date(x, is_text);
                comparison(value, days, test, literal)
            }
            Check::Day(_) | Check::Tags { .. } | Check::Amount => Sql::constant(false),
            Check::Flag { yes, no } => self.flag(value, *yes, *no),
            Check::Text(check) => self.name(value, check),
            Check::Level { levels, answers } => {
                let passing =
                    levels.iter().zip(answers.iter()).filter(|(_, passes)| **passes);
                let passing: Vec<&str> = passing.map(|(level, _)| level).collect();
                if passing.len() == levels.iter().len() {
                    Sql::where_there(value, true)
                } else {
                    self.among(value, &passing)
                }
            }
        }
    }

    fn flag(&self, value: &str, yes: bool, no: bool) -> Sql {
        let is_boolean = self.layout.flags == FlagForm::Boolean
            && self.layout.dialect != Dialect::Sqlite;
        match (yes, no) {
            (true, false) if is_boolean => Sql::atom(value),
            (false, true) if is_boolean => Sql::atom(value).negated(),
            (true, false) => Sql::test(format!("{value} <> 0")),
            (false, true) => Sql::test(format!("{value} = 0")),
            (both, _) => Sql::where_there(value, both),
        }
    }

    fn name(&mut self, value: &str, check: &TextCheck) -> Sql {
        let dialect = self.layout.dialect;
        match check {
            TextCheck::Always(answer) => Sql::where_there(value, *answer),
            TextCheck::In(names) => {
                self.among(value, &names.iter().collect::<Vec<&str>>())
            }
            TextCheck::Contains(part) => {
                self.text(part);
                Sql::test(dialect.contains(value, part))
            }
            TextCheck::StartsWith(part) => {
                self.text(part);
                Sql::test(dialect.starts_with(value, part))
            }
            TextCheck::EndsWith(part) => {
                self.text(part);
                Sql::test(dialect.ends_with(value, part))
            }
            TextCheck::Matches(pattern) => self.matches(value, pattern.as_str()),
        }
    }

    /// The value is one of these names.
    fn among(&mut self, value: &str, names: &[&str]) -> Sql {
        match names {
            [] => Sql::where_there(value, false),
            [name] => Sql::test(format!("{value} = {}", self.text(name))),
            names => Sql::test(format!("{value} IN ({})", self.texts(names))),
        }
    }

    fn texts(&mut self, names: &[&str]) -> String {
        let texts: Vec<String> = names.iter().map(|name| self.text(name)).collect();
        texts.join(", ")
    }

    /// A day that a rule names.
    pub(super) fn date(&mut self, days: f64, is_text: bool) -> Option<String> {
        let date = Date::from_days(days as i32).ok();
        let date = date.filter(|_| days >= first_day() as f64);
        let Some(date) = date else {
            let message = "the date cannot be written in SQL";
            let found = Date::from_days(days as i32).map(|date| date.to_string());
            let found = found.unwrap_or_default();
            self.faults.add("sql-date", message, "a date from 0001-01-01 on", found);
            return None;
        };
        Some(if is_text { format!("'{date}'") } else { format!("DATE '{date}'") })
    }

    /// A test of tags: of the rows of a table of their own.
    pub(super) fn tags(
        &mut self,
        scope: &Scope<'a>,
        feature: FeatureIndex,
        spec: &FeatureSpec,
        test: &Test,
        leaf: &Leaf,
    ) -> Sql {
        let found = format!("`{}`", spec.name());
        if let Scope::Events { .. } = scope {
            let message = "the tags of events have no place in the layout";
            self.faults.add("sql-tags", message, "a property that has one value", found);
            return Sql::constant(false);
        }
        let Some(tags) = self.layout.tags_of(spec.name()) else {
            let message = "the layout does not say where the tags lie";
            self.faults.add("sql-tags", message, "a table stated with `tags`", found);
            return Sql::constant(false);
        };
        let (known, id) = match (self.place, &tags.known) {
            (Place::Row, known) => {
                let known = known.as_ref().map(|name| format!("\"c\".{}", quoted(name)));
                (known, quoted(&self.layout.id))
            }
            (Place::Statement, Some(_)) => {
                self.features.insert(feature);
                let known = format!("\"c\".\"f{}\"", feature.get());
                (Some(known), quoted("id"))
            }
            (Place::Statement, None) => (None, quoted("id")),
        };
        let check = match &leaf.check {
            Check::Tags { check, .. } => check,
            _ => return Sql::constant(false),
        };
        if matches!(test, Test::Set | Test::Missing) {
            let operand = known.map_or(Operand::Known, Operand::Value);
            return self.test(test, leaf, &operand);
        }
        let from = format!(
            "FROM {} AS \"t\" WHERE \"t\".{} = \"c\".{id}{}",
            tags.table.quoted(),
            quoted(&tags.customer),
            self.layout.dialect.any_by_bytes(),
        );
        let tag = format!("\"t\".{}", quoted(&tags.tag));
        let tag = self.layout.dialect.by_bytes(&tag);
        let at = self.faults.enter(format!("is/{}", test.operator()));
        let mut exists = |names: &[&str]| {
            let is_one = self.among(&tag, names);
            Sql::atom(format!("EXISTS (SELECT 1 {from} AND {})", is_one.as_str()))
        };
        let each =
            |names: &Names| -> Vec<String> { names.iter().map(str::to_owned).collect() };
        let holds = match check {
            TagCheck::Always(answer) => Sql::constant(*answer),
            TagCheck::Any(names) => exists(&names.iter().collect::<Vec<&str>>()),
            TagCheck::All(names) => Sql::all(
                each(names).iter().map(|name| exists(&[name.as_str()])).collect(),
            ),
            TagCheck::Size(numbers) => {
                let dialect = self.layout.dialect;
                let literal = |x| Some(number::literal(dialect, x));
                let size = format!("(SELECT COUNT(*) {from})");
                let test = match test {
                    Test::Size(test) => test,
                    test => test,
                };
                comparison(&size, numbers, test, literal)
            }
        };
        self.faults.leave(at);
        let holds = match &known {
            Some(known) => holds.only_where(known),
            None => holds,
        };
        match (&known, leaf.missing) {
            (None, _) | (_, Truth::Unknown) => holds,
            (Some(_), truth) => holds.or_else(truth.is_true()),
        }
    }
}

/// A comparison, with the operator as it was written: what was checked is a closed range,
/// whose ends may be the neighbours of the numbers that a rule names.
pub(super) fn comparison(
    value: &str,
    numbers: &NumberCheck,
    test: &Test,
    mut literal: impl FnMut(f64) -> Option<String>,
) -> Sql {
    let mut write = |x: f64| literal(x).unwrap_or_else(|| "NULL".to_owned());
    Sql::test(match (numbers, test) {
        (NumberCheck::In(list), _) => {
            let list: Vec<String> = list.iter().map(|&x| write(x)).collect();
            format!("{value} IN ({})", list.join(", "))
        }
        (NumberCheck::Range(_, hi), Test::Lt(_)) => {
            format!("{value} < {}", write(hi.next_up()))
        }
        (NumberCheck::Range(_, hi), Test::Le(_)) => format!("{value} <= {}", write(*hi)),
        (NumberCheck::Range(lo, _), Test::Gt(_)) => {
            format!("{value} > {}", write(lo.next_down()))
        }
        (NumberCheck::Range(lo, _), Test::Ge(_)) => format!("{value} >= {}", write(*lo)),
        (NumberCheck::Range(lo, hi), Test::Eq(_)) if lo == hi => {
            format!("{value} = {}", write(*lo))
        }
        (NumberCheck::Range(lo, hi), _) => {
            format!("{value} BETWEEN {} AND {}", write(*lo), write(*hi))
        }
    })
}
