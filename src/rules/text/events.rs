//! The part of the grammar that speaks of events.

use super::habits::When;
use super::lexer::Token;
use super::parser::{Named, Parser, Places};
use crate::data::Span;
use crate::error::similar_names;
use crate::rules::ast::{FieldTest, LeapDay, Rule, Test};
use crate::rules::bucket::BucketTest;
use crate::rules::distance::{DistanceTest, Location};
use crate::rules::event::{Aggregate, CalendarUnit, EventTest, Window};
use crate::rules::score::ScoreTest;

/// What a test is about, and the places of its parts.
pub(super) struct Subject {
    pub(super) what: What,
    pub(super) below: Vec<Named>,
}

pub(super) enum What {
    Feature(String),
    Events {
        name: String,
        filter: Option<Box<Rule>>,
        /// Absent where only the events are named.
        agg: Option<Aggregate>,
        when: When,
    },
    Distance {
        latitude: String,
        longitude: String,
        from: Location,
    },
    /// It is never missing.
    Bucket {
        salt: String,
    },
    /// Nor is this.
    Score {
        id: String,
    },
}

impl What {
    /// The rules that test it, one for each window, and their key in JSON.
    pub(super) fn tests(
        self,
        is: Test,
        when_missing: Option<bool>,
    ) -> (&'static str, Vec<Rule>) {
        let (key, rule) = match self {
            What::Feature(name) => {
                ("field", Rule::Field(FieldTest { name, is, when_missing }))
            }
            What::Events { name, filter, agg, when } => {
                let agg = agg.unwrap_or(Aggregate::Count);
                let window = Window::Ever;
                let test = EventTest { name, filter, agg, window, is, when_missing };
                let windows = match when {
                    When::Once(window) => vec![window],
                    When::Periods { period, n, .. } => period.windows(n).collect(),
                };
                let rules = windows
                    .into_iter()
                    .map(|window| Rule::Event(EventTest { window, ..test.clone() }));
                return ("event", rules.collect());
            }
            What::Distance { latitude, longitude, from } => {
                let test = DistanceTest { latitude, longitude, from, is, when_missing };
                ("distance", Rule::Distance(test))
            }
            What::Bucket { salt } => ("bucket", Rule::Bucket(BucketTest { salt, is })),
            What::Score { id } => ("score", Rule::Score(ScoreTest { id, is })),
        };
        (key, vec![rule])
    }
}

const AGGREGATES: [&str; 11] = [
    "count",
    "sum",
    "average",
    "min",
    "max",
    "distinct",
    "first",
    "last",
    "first_day",
    "last_day",
    "active_days",
];

impl Parser<'_, '_> {
    /// The events of a stream, their aggregate and window; nothing after a fault.
    pub(super) fn events(&mut self) -> Option<Subject> {
        self.at += 2;
        let (name, place) = self.name("the name of a stream")?;
        let mut below = vec![("name".to_owned(), place)];
        let mut filter = None;
        if self.take(&["where"]) {
            let (rule, places) = self.any();
            below.push(("where".to_owned(), places));
            filter = Some(Box::new(rule));
        }
        if !self.expect_symbol(")") {
            return None;
        }
        let agg_at = self.at;
        let agg = if self.take_symbol(".") { Some(self.aggregate()?) } else { None };
        below.push(("agg".to_owned(), Places::leaf(self.since(agg_at.min(self.at - 1)))));
        let window_at = self.at;
        let when = self.when()?;
        if self.at > window_at {
            below.push(("window".to_owned(), Places::leaf(self.since(window_at))));
        }
        Some(Subject { what: What::Events { name, filter, agg, when }, below })
    }

    fn aggregate(&mut self) -> Option<Aggregate> {
        let of: fn(String) -> Aggregate = match AGGREGATES
            .into_iter()
            .find(|name| self.is_word(0, name))
        {
            Some("count") => return self.took(Aggregate::Count),
            Some("first_day") => return self.took(Aggregate::FirstDay),
            Some("last_day") => return self.took(Aggregate::LastDay),
            Some("active_days") => return self.took(Aggregate::ActiveDays),
            Some("sum") => Aggregate::Sum,
            Some("average") => Aggregate::Average,
            Some("min") => Aggregate::Min,
            Some("max") => Aggregate::Max,
            Some("distinct") => Aggregate::Distinct,
            Some("first") => Aggregate::First,
            Some("last") => Aggregate::Last,
            _ => {
                let suggestion = match self.peek() {
                    Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                        "avg" | "mean" => Some("average".to_owned()),
                        "total" => Some("sum".to_owned()),
                        "unique" | "nunique" => Some("distinct".to_owned()),
                        word => similar_names(word, AGGREGATES).into_iter().next(),
                    },
                    _ => None,
                };
                self.unexpected(&format!("one of {}", AGGREGATES.join(", ")), suggestion);
                return None;
            }
        };
        self.at += 1;
        if !self.expect_symbol("(") {
            return None;
        }
        let (property, _) = self.name("the name of a property")?;
        self.expect_symbol(")").then(|| of(property))
    }

    /// Takes a word.
    fn took<T>(&mut self, what: T) -> Option<T> {
        self.at += 1;
        Some(what)
    }

    pub(super) fn window(&mut self) -> Option<Window> {
        if self.take(&["in", "this"]) {
            let unit = self.unit()?;
            Some(Window::Calendar { n: 0, unit, include_current: true })
        } else if self.take(&["in", "last"]) {
            match *self.peek() {
                Token::Span(span) => self.took(Window::Last(span)),
                Token::Number(x)
                    if x >= 0.0 && x.fract() == 0.0 && x <= f64::from(u32::MAX) =>
                {
                    self.at += 1;
                    if !self.take(&["whole"]) {
                        let instead = self.instead(x);
                        self.unexpected("`whole` and a unit of the calendar", instead);
                        return None;
                    }
                    let unit = self.unit()?;
                    let include_current = self.take(&["to", "now"]);
                    Some(Window::Calendar { n: x as u32, unit, include_current })
                }
                _ => {
                    self.unexpected("a time as 90d or 36h, or a whole number", None);
                    None
                }
            }
        } else if self.take(&["from"]) {
            match self.peek().clone() {
                Token::Span(from) => {
                    self.at += 1;
                    let to = self.to(Parser::span)?;
                    if !self.take(&["ago"]) {
                        self.unexpected("`ago`", None);
                        return None;
                    }
                    Some(Window::Ago { from, to })
                }
                Token::Text(from) => {
                    self.at += 1;
                    let to = self.to(Parser::instant)?;
                    Some(Window::Between { from, to })
                }
                Token::Number(_) => {
                    let from = self.count()?;
                    let to = self.to(Parser::count)?;
                    if !self.take(&["whole"]) {
                        self.unexpected("`whole` and a unit of the calendar", None);
                        return None;
                    }
                    let unit = self.unit()?;
                    if !self.take(&["ago"]) {
                        self.unexpected("`ago`", None);
                        return None;
                    }
                    Some(Window::CalendarAgo { from, to, unit })
                }
                _ => {
                    let expected =
                        "a time as 90d, a whole number, or a date in single quotes";
                    self.unexpected(expected, None);
                    None
                }
            }
        } else {
            self.take(&["ever"]);
            Some(Window::Ever)
        }
    }

    /// A whole number.
    pub(super) fn count(&mut self) -> Option<u32> {
        match *self.peek() {
            Token::Number(x)
                if x >= 0.0 && x.fract() == 0.0 && x <= f64::from(u32::MAX) =>
            {
                self.took(x as u32)
            }
            _ => {
                self.unexpected("a whole number", None);
                None
            }
        }
    }

    /// What was probably meant by a number and this unit.
    fn instead(&self, n: f64) -> Option<String> {
        let Token::Word(word) = self.peek() else { return None };
        let word = word.to_ascii_lowercase();
        let word = word.strip_suffix('s').unwrap_or(&word);
        match word {
            "week" => Some(format!("{n}w")),
            "day" => Some(format!("{n}d")),
            "hour" => Some(format!("{n}h")),
            "minute" => Some(format!("{n}m")),
            "month" | "quarter" | "year" => Some(format!("{n} whole {word}s")),
            _ => None,
        }
    }

    fn to<T>(&mut self, end: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if !self.take(&["to"]) {
            self.unexpected("`to`", None);
            return None;
        }
        end(self)
    }

    /// What follows `has anniversary in next`.
    pub(super) fn anniversary(&mut self) -> Option<Test> {
        let within = self.span()?;
        let mut leap_day = LeapDay::default();
        if self.take(&["with", "leap", "day"]) {
            let found = LeapDay::ALL.into_iter().find(|day| self.is_word(0, day.name()));
            let Some(found) = found else {
                self.unexpected("`feb28`, `mar1` or `skip`", None);
                return None;
            };
            self.at += 1;
            leap_day = found;
        }
        Some(Test::Anniversary { within, leap_day })
    }

    pub(super) fn span(&mut self) -> Option<Span> {
        let Token::Span(span) = *self.peek() else {
            self.unexpected("a time as 90d or 36h", None);
            return None;
        };
        self.took(span)
    }

    fn instant(&mut self) -> Option<String> {
        let Token::Text(text) = self.peek().clone() else {
            self.unexpected("a date in single quotes", None);
            return None;
        };
        self.took(text)
    }

    pub(super) fn unit(&mut self) -> Option<CalendarUnit> {
        let found = CalendarUnit::ALL.into_iter().find(|unit| {
            self.is_word(0, unit.name()) || self.is_word(0, &format!("{}s", unit.name()))
        });
        if found.is_none() {
            self.unexpected("`day`, `week`, `month`, `quarter` or `year`", None);
        }
        found.and_then(|unit| self.took(unit))
    }
}
