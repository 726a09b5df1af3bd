//! The part of the grammar that speaks of sequences, places, draws and consent.

use super::events::{Subject, What};
use super::lexer::Token;
use super::parser::{Named, Parser, Part, Places, numbered};
use crate::rules::ast::Rule;
use crate::rules::consent::{ConsentAge, ConsentTest};
use crate::rules::distance::Location;
use crate::rules::pin::Share;
use crate::rules::sequence::{SequenceStep, SequenceTest};

/// A part of a rule, and where it stands.
fn named(key: &str, places: Places) -> Named {
    (key.to_owned(), places)
}

impl Parser<'_, '_> {
    /// Whether the word is no feature of that name.
    pub(super) fn is_call(&self, word: &str) -> bool {
        self.is_word(0, word) && self.is_symbol(1, "(")
    }

    /// What follows `sequence`; nothing after a fault.
    pub(super) fn sequence(&mut self, first: usize) -> Option<Part> {
        self.at += 2;
        let steps_at = self.at;
        let (mut steps, mut places) = (Vec::new(), Vec::new());
        loop {
            let (step, place) = self.step()?;
            steps.push(step);
            places.push(place);
            if !self.take(&["then"]) {
                break;
            }
        }
        let steps_place = Places::new(self.since(steps_at), numbered_places(places));
        let mut below = vec![named("steps", steps_place)];
        if !self.take_symbol(")") {
            self.unexpected("`then`, `where`, `within` or `)`", None);
            return None;
        }
        let mut same = None;
        if self.take(&["with", "same"]) {
            let (name, place) = self.name("the name of a property")?;
            below.push(named("same", place));
            same = Some(name);
        }
        let window_at = self.at;
        let window = self.window()?;
        if self.at > window_at {
            below.push(named("window", Places::leaf(self.since(window_at))));
        }
        let rule = Rule::Sequence(SequenceTest { steps, same, window });
        Some((rule, self.whole(first, "sequence", below)))
    }

    fn step(&mut self) -> Option<(SequenceStep, Places)> {
        let first = self.at;
        let not = self.take(&["not"]);
        let mut below = Vec::new();
        if not {
            below.push(named("not", Places::leaf(self.since(first))));
        }
        let (name, place) = self.name("the name of a stream")?;
        below.push(named("name", place));
        let mut filter = None;
        if self.take(&["where"]) {
            let (rule, places) = self.any();
            below.push(named("where", places));
            filter = Some(Box::new(rule));
        }
        let mut within = None;
        let within_at = self.at;
        if self.take(&["within"]) {
            within = Some(self.span()?);
            below.push(named("within", Places::leaf(self.since(within_at))));
        }
        let step = SequenceStep { name, filter, not, within };
        Some((step, Places::new(self.since(first), below)))
    }

    /// What follows `consent`; nothing after a fault.
    pub(super) fn consent(&mut self, first: usize) -> Option<Part> {
        self.at += 2;
        let (purpose, place) = self.name("the name of a feature")?;
        let mut below = vec![named("purpose", place)];
        let mut is = None;
        let is_at = self.at;
        if self.take(&["in"]) {
            let (states, places) = numbered(self.listed(Parser::text)?);
            below.push(named("is", Places::new(self.since(is_at), places)));
            is = Some(states);
        }
        let mut given = None;
        let given_at = self.at;
        if self.take(&["given", "on"]) {
            let (on, place) = self.name("the name of a feature")?;
            if !self.take(&["in", "last"]) {
                self.unexpected("`in last`", None);
                return None;
            }
            let span_at = self.at;
            let in_last = self.span()?;
            let span_place = Places::leaf(self.since(span_at));
            let places = vec![named("on", place), named("in_last", span_place)];
            below.push(named("given", Places::new(self.since(given_at), places)));
            given = Some(ConsentAge { on, in_last });
        }
        if !self.take_symbol(")") {
            self.unexpected("`in`, `given on` or `)`", None);
            return None;
        }
        let rule = Rule::Consent(ConsentTest { purpose, is, given });
        Some((rule, self.whole(first, "consent", below)))
    }

    /// What follows `distance`; nothing after a fault.
    pub(super) fn distance(&mut self) -> Option<Subject> {
        self.at += 2;
        let (latitude, place) = self.name("the name of a feature")?;
        let mut below = vec![named("latitude", place)];
        if !self.expect_symbol(",") {
            return None;
        }
        let (longitude, place) = self.name("the name of a feature")?;
        below.push(named("longitude", place));
        if !self.expect_symbol(")") {
            return None;
        }
        if !self.take(&["from"]) {
            self.unexpected("`from`", None);
            return None;
        }
        let from_at = self.at;
        if !self.expect_symbol("(") {
            return None;
        }
        let (north, north_place) = self.number()?;
        if !self.expect_symbol(",") {
            return None;
        }
        let (east, east_place) = self.number()?;
        if !self.expect_symbol(")") {
            return None;
        }
        let places = vec![named("latitude", north_place), named("longitude", east_place)];
        below.push(named("from", Places::new(self.since(from_at), places)));
        let from = Location { latitude: north, longitude: east };
        Some(Subject { what: What::Distance { latitude, longitude, from }, below })
    }

    /// What follows `in top` or `in bottom`.
    pub(super) fn share(&mut self) -> Option<Share> {
        let (x, _) = self.number()?;
        if self.take(&["percent"]) {
            Some(Share::Percent(x))
        } else if x >= 0.0 && x.fract() == 0.0 && x <= 9_007_199_254_740_992.0 {
            Some(Share::Count(x as u64))
        } else {
            self.unexpected("`percent`, after a number that is not whole", None);
            None
        }
    }

    fn number(&mut self) -> Option<(f64, Places)> {
        let Token::Number(x) = *self.peek() else {
            self.unexpected("a number", None);
            return None;
        };
        Some((x, self.taken()))
    }

    /// What follows `score`; nothing after a fault.
    pub(super) fn score(&mut self) -> Option<Subject> {
        self.at += 1;
        let (id, place) = self.text()?;
        Some(Subject { what: What::Score { id }, below: vec![named("id", place)] })
    }

    /// What follows `bucket`; nothing after a fault.
    pub(super) fn bucket(&mut self) -> Option<Subject> {
        self.at += 2;
        let (salt, place) = self.text()?;
        if !self.expect_symbol(")") {
            return None;
        }
        Some(Subject { what: What::Bucket { salt }, below: vec![named("salt", place)] })
    }
}

fn numbered_places(places: Vec<Places>) -> Vec<Named> {
    places.into_iter().enumerate().map(|(i, place)| (i.to_string(), place)).collect()
}
