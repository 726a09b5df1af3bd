//! The part of the grammar that speaks of habits, which are written out as other rules.

use super::events::What;
use super::lexer::Token;
use super::parser::{Named, Parser, Part, Places};
use crate::rules::ast::Rule;
use crate::rules::event::Window;
use crate::rules::field::{EventSelection, events};
use crate::rules::habit::Period;

/// In which windows a test of events is asked.
pub(super) enum When {
    Once(Window),
    /// In each of so many periods, or in so many of them.
    Periods {
        least: Option<(usize, Places)>,
        period: Period,
        n: u16,
    },
}

impl When {
    /// How often the test is written out.
    pub(super) fn n_windows(&self) -> usize {
        match self {
            When::Once(_) => 1,
            When::Periods { period: Period::ToNow(_), n, .. } => usize::from(*n) + 1,
            When::Periods { n, .. } => usize::from(*n),
        }
    }
}

/// What follows events whose windows it states itself.
pub(super) const HABITS: [&str; 3] = ["stopped", "resumed", "without"];

impl Parser<'_, '_> {
    /// When events are asked about; nothing after a fault.
    pub(super) fn when(&mut self) -> Option<When> {
        let least = if self.take(&["in", "each", "of"]) {
            None
        } else if self.take(&["in", "at", "least"]) {
            let place_at = self.at;
            let least = self.count()? as usize;
            let place = Places::leaf(self.since(place_at));
            if !self.take(&["of"]) {
                self.unexpected("`of`", None);
                return None;
            }
            Some((least, place))
        } else {
            return self.window().map(When::Once);
        };
        if !self.take(&["last"]) {
            self.unexpected("`last`", None);
            return None;
        }
        let n = match *self.peek() {
            Token::Number(x)
                if x >= 0.0 && x.fract() == 0.0 && x <= f64::from(u16::MAX) =>
            {
                self.at += 1;
                x as u16
            }
            _ => {
                let most = u16::MAX;
                self.unexpected(&format!("a whole number up to {most}"), None);
                return None;
            }
        };
        let period = if self.take(&["periods", "of"]) {
            Period::Fixed(self.span()?)
        } else if self.take(&["whole"]) {
            let unit = self.unit()?;
            let to_now = self.take(&["to", "now"]);
            if to_now { Period::ToNow(unit) } else { Period::Whole(unit) }
        } else {
            let instead = self.instead_of_period(n);
            let expected =
                "`whole` and a unit of the calendar, or `periods of` and a time";
            self.unexpected(expected, instead);
            return None;
        };
        Some(When::Periods { least, period, n })
    }

    /// What was probably meant by a number of periods and what follows it.
    fn instead_of_period(&self, n: u16) -> Option<String> {
        match self.peek() {
            Token::Span(length) => Some(format!("{n} periods of {length}")),
            Token::Word(word) => {
                let word = word.to_ascii_lowercase();
                let word = word.strip_suffix('s').unwrap_or(&word);
                match word {
                    "day" | "week" | "month" | "quarter" | "year" => {
                        Some(format!("{n} whole {word}s"))
                    }
                    "hour" => Some(format!("{n} periods of 1h")),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether events are followed by a habit.
    pub(super) fn is_habit(&self, what: &What) -> bool {
        matches!(what, What::Events { agg: None, when: When::Once(_), .. })
            && HABITS.iter().any(|word| self.is_word(0, word))
    }

    /// A habit of events, which began at this token; nothing after a fault.
    pub(super) fn habit(
        &mut self,
        first: usize,
        what: What,
        below: &[Named],
    ) -> Option<Part> {
        let What::Events { name, filter, when: When::Once(window), .. } = what else {
            return None;
        };
        let has_window = below.iter().any(|(key, _)| key == "window");
        let selection = selection(name, filter.map(|filter| *filter), window);
        if !self.is_word(0, "without") && has_window {
            self.unexpected("a comparison, since this habit states its windows", None);
            return None;
        }
        let rule = if self.take(&["stopped"]) {
            let active = self.span_after("after")?;
            selection.stopped(active, self.span_after("for")?)
        } else if self.take(&["resumed"]) {
            let active = self.span_after("after")?;
            let silent = self.span_after_all(&["silent", "for"])?;
            selection.resumed(active, silent, self.span_after_all(&["in", "last"])?)
        } else {
            self.at += 1;
            selection.without_gap(self.span_after_all(&["gap", "over"])?)
        };
        let places = self.places_of(first, &rule, below);
        Some((rule, places))
    }

    fn span_after(&mut self, word: &str) -> Option<crate::data::Span> {
        self.span_after_all(&[word])
    }

    fn span_after_all(&mut self, words: &[&str]) -> Option<crate::data::Span> {
        if !self.take(words) {
            self.unexpected(&format!("`{}` and a time as 90d", words.join(" ")), None);
            return None;
        }
        self.span()
    }

    /// The places of what a habit is written out as: all of them are those of the habit, but
    /// for the names and filters of the events.
    fn places_of(&self, first: usize, rule: &Rule, below: &[Named]) -> Places {
        let bytes = self.since(first);
        let place = |below: Vec<Named>| Places::new(bytes.clone(), below);
        let named = |key: &str, places: Places| vec![(key.to_owned(), places)];
        match rule {
            Rule::All(rules) => {
                let parts = rules
                    .iter()
                    .enumerate()
                    .map(|(i, rule)| (i.to_string(), self.places_of(first, rule, below)));
                place(named("all", place(parts.collect())))
            }
            Rule::Not(rule) => place(named("not", self.places_of(first, rule, below))),
            Rule::Sequence(test) => {
                let of_events =
                    |key: &str| below.iter().find(|(name, _)| name == key).cloned();
                let step: Vec<Named> =
                    ["name", "where"].into_iter().filter_map(of_events).collect();
                let steps =
                    (0..test.steps.len()).map(|i| (i.to_string(), place(step.clone())));
                let mut of_sequence = named("steps", place(steps.collect()));
                of_sequence.extend(of_events("window"));
                place(named("sequence", place(of_sequence)))
            }
            _ => place(named("event", place(below.to_vec()))),
        }
    }
}

fn selection(name: String, filter: Option<Rule>, window: Window) -> EventSelection {
    let events = events(name).within(window);
    match filter {
        None => events,
        Some(filter) => events.filter(filter),
    }
}
