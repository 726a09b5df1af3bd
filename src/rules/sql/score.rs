//! Scores as sums of CASE expressions.

use std::slice;

use super::expression::{Sql, chain};
use super::number::double;
use super::write::{Cursor, Operand, Scope, Writer};
use crate::rules::ast::Test;
use crate::rules::leaf::Source;
use crate::rules::score::{GivenFor, ScorePart};

impl<'a> Writer<'a> {
    /// A test of a score whose sums are never rounded: of others an engine may round the sum
    /// of doubles otherwise.
    pub(super) fn score(&mut self, is: &Test, cursor: &mut Cursor<'a>) -> Sql {
        let Some(leaf) = cursor.leaves.next() else { return Sql::constant(false) };
        let Source::Score(at) = leaf.source else { return Sql::constant(false) };
        let compiled = cursor.compiled;
        let Some(score) = compiled.scores.get(at as usize) else {
            return Sql::constant(false);
        };
        if !score.is_exact() {
            self.faults.add(
                "no-sql",
                "the sums of the score may be rounded otherwise in SQL",
                "points that are multiples of 1/1024 and do not decay",
                format!("score `{}`", score.id),
            );
            return Sql::constant(false);
        }
        let dialect = self.layout.dialect;
        let mut rules = score.rules().map(|(_, rule)| rule);
        let mut points = Vec::with_capacity(score.parts.len());
        for part in &score.parts {
            points.push(match part.given_for {
                GivenFor::Rule { .. } => {
                    let Some(rule) = rules.next() else { continue };
                    let leaves = compiled.leaves.get(part.leaves()).unwrap_or(&[]);
                    let mut inner = Cursor {
                        scope: Scope::Customer,
                        compiled,
                        leaves: leaves.iter(),
                        segments: slice::Iter::default(),
                    };
                    let rule = self.rule(rule, &mut inner);
                    let [given, none] =
                        [part.points(1.0), 0.0].map(|x| double(dialect, x));
                    let rule = rule.as_str();
                    format!("CASE WHEN {rule} THEN {given} ELSE {none} END")
                }
                GivenFor::Times { leaf } => {
                    match self.times(part, leaf as usize, cursor) {
                        Some(points) => points,
                        None => continue,
                    }
                }
            });
        }
        let sum = format!("({})", chain(&points, "+"));
        let sum = self.capped(sum, score.model.cap);
        self.test(is, leaf, &Operand::Value(sum))
    }

    /// The points of a part, as often as its events were counted; none after a fault.
    fn times(
        &mut self,
        part: &ScorePart,
        leaf: usize,
        cursor: &Cursor<'a>,
    ) -> Option<String> {
        let Source::Events(at) = cursor.compiled.leaves.get(leaf)?.source else {
            return None;
        };
        let behaviour = cursor.compiled.behaviours.get(at as usize)?;
        let Some(Operand::Value(count)) = self.aggregate(behaviour) else { return None };
        let points = double(self.layout.dialect, part.points);
        Some(self.capped(format!("({points} * {count})"), part.cap))
    }

    /// At most `cap` in magnitude. No function for the lesser of two is known to all engines.
    fn capped(&self, sum: String, cap: Option<f64>) -> String {
        let Some(cap) = cap else { return sum };
        let [most, least] = [cap, -cap].map(|x| double(self.layout.dialect, x));
        format!(
            "CASE WHEN {sum} > {most} THEN {most} WHEN {sum} < {least} THEN {least} ELSE {sum} END"
        )
    }
}
