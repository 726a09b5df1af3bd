//! From a checked rule to a Boolean expression.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use super::dialect::quoted;
use super::events::Column;
use super::expression::Sql;
use super::fault::Faults;
use super::layout::{SqlLayout, SqlStream, refused_name};
use crate::data::{Date, FeatureIndex, FeatureKind, FeatureSpec, Schema};
use crate::error::Result;
use crate::rules::ast::{FieldTest, Rule, Test};
use crate::rules::behaviour::unbound;
use crate::rules::compile::Compiled;
use crate::rules::consent::ConsentTest;
use crate::rules::event::EventTest;
use crate::rules::leaf::{Leaf, Source};
use crate::rules::window::Bound;

/// Bytes of the expression of one rule.
const MAX_LEN: usize = 1 << 24;

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Over a row of the customers' table, by itself.
    Row,
    /// In a statement that computes features, aggregates and other segments beforehand.
    Statement,
}

/// Writes rules, one after the other, and notes what they need.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub(super) schema: &'a Schema,
    pub(super) bound: Option<&'a Bound>,
    pub(super) layout: &'a SqlLayout,
    pub(super) place: Place,
    pub(super) faults: Faults,
    /// The rules that were written, by their positions, where others stand in expressions.
    pub(super) written: BTreeMap<u32, Sql>,
    /// Features that a statement reads.
    pub(super) features: BTreeSet<FeatureIndex>,
    /// Aggregates that a statement computes, by their places among those of all rules.
    pub(super) aggregates: BTreeMap<u32, Column<'a>>,
    /// Queries of the sequences that a statement computes, likewise.
    pub(super) sequences: BTreeMap<u32, String>,
    /// Bytes of the pieces of the present rule.
    n_bytes: usize,
}

/// What a rule reads: of customers, or of the events of a stream.
#[derive(Clone, Debug)]
pub(super) enum Scope<'a> {
    Customer,
    /// With the name of their rows.
    Events {
        layout: &'a SqlStream,
        row: String,
    },
}

/// A checked rule, and what its tests, in their order, were resolved to.
#[derive(Debug)]
pub(super) struct Cursor<'c> {
    pub(super) scope: Scope<'c>,
    pub(super) compiled: &'c Compiled,
    pub(super) leaves: slice::Iter<'c, Leaf>,
    pub(super) segments: slice::Iter<'c, u32>,
}

/// What a test reads.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// A value of a feature's kind.
    Value(String),
    /// The time of an event, of which the day is asked.
    Instant(String),
    /// A constant that is never NULL stands for all of it.
    Known,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        bound: Option<&'a Bound>,
        layout: &'a SqlLayout,
        place: Place,
    ) -> Writer<'a> {
        Writer {
            schema,
            bound,
            layout,
            place,
            faults: Faults::default(),
            written: BTreeMap::new(),
            features: BTreeSet::new(),
            aggregates: BTreeMap::new(),
            sequences: BTreeMap::new(),
            n_bytes: 0,
        }
    }

    /// The expression of a rule that stands at the present place of the faults.
    pub(super) fn compiled(&mut self, compiled: &'a Compiled) -> Sql {
        self.n_bytes = 0;
        self.within(compiled, Scope::Customer)
    }

    /// The expression of a rule or of a filter.
    pub(super) fn within(&mut self, compiled: &'a Compiled, scope: Scope<'a>) -> Sql {
        let mut cursor = Cursor {
            scope,
            compiled,
            leaves: compiled.leaves.iter(),
            segments: compiled.segments.iter(),
        };
        self.rule(&compiled.rule, &mut cursor)
    }

    /// Every kind of rule stands here. One that cannot be said in SQL is
    /// [refused](Writer::refuse_rule).
    pub(super) fn rule(&mut self, rule: &'a Rule, cursor: &mut Cursor<'a>) -> Sql {
        if self.is_too_large() {
            return Sql::constant(false);
        }
        let sql = match rule {
            Rule::Everyone => Sql::constant(true),
            Rule::Nobody => Sql::constant(false),
            Rule::All(rules) => Sql::all(self.rules("all", rules, cursor)),
            Rule::Any(rules) => Sql::any(self.rules("any", rules, cursor)),
            Rule::AtLeast { n, of } => {
                let parts = self.rules("at_least/of", of, cursor);
                Sql::at_least(self.layout.dialect, *n, parts)
            }
            Rule::Not(rule) => {
                let at = self.faults.enter("not");
                let part = self.rule(rule, cursor);
                self.faults.leave(at);
                part.negated()
            }
            Rule::Field(test) => {
                let at = self.faults.enter("field");
                let sql = self.field(test, cursor);
                self.faults.leave(at);
                sql
            }
            Rule::Event(test) => {
                let at = self.faults.enter("event");
                let sql = self.event(test, cursor);
                self.faults.leave(at);
                sql
            }
            Rule::Consent(test) => {
                let at = self.faults.enter("consent");
                let sql = self.consent(test, cursor);
                self.faults.leave(at);
                sql
            }
            Rule::Sequence(test) => {
                let at = self.faults.enter("sequence");
                let sql = self.sequence(test, cursor);
                self.faults.leave(at);
                sql
            }
            Rule::Distance(_) => self.refuse_rule("distance", cursor),
            Rule::Bucket(_) => self.refuse_rule("bucket", cursor),
            Rule::Score(test) => {
                let at = self.faults.enter("score");
                let sql = self.score(&test.is, cursor);
                self.faults.leave(at);
                sql
            }
            Rule::Segment(_) => self.segment(cursor),
        };
        self.add_len(sql.len());
        sql
    }

    /// Counts what was written of the present rule.
    pub(super) fn add_len(&mut self, n_bytes: usize) {
        self.n_bytes = self.n_bytes.saturating_add(n_bytes);
    }

    fn rules(
        &mut self,
        key: &str,
        rules: &'a [Rule],
        cursor: &mut Cursor<'a>,
    ) -> Vec<Sql> {
        let outer = self.faults.enter(key);
        let mut parts = Vec::with_capacity(rules.len());
        for (i, rule) in rules.iter().enumerate() {
            let at = self.faults.enter(i);
            parts.push(self.rule(rule, cursor));
            self.faults.leave(at);
        }
        self.faults.leave(outer);
        parts
    }

    /// Notes that a kind of rule, which has one test, has no counterpart in SQL.
    fn refuse_rule(&mut self, what: &str, cursor: &mut Cursor<'a>) -> Sql {
        let at = self.faults.enter(what);
        self.faults.add(
            "no-sql",
            format!("a {what} cannot be said in SQL"),
            "tests of features, events, sequences, consent, scores and segments",
            format!("`{what}`"),
        );
        self.faults.leave(at);
        cursor.leaves.next();
        Sql::constant(false)
    }

    /// The state, and the day on which it was given.
    fn consent(&mut self, test: &'a ConsentTest, cursor: &mut Cursor<'a>) -> Sql {
        let given = test.given.as_ref().map(|given| Test::InLast(given.in_last));
        let parts = [Some(test.state()), given].into_iter().flatten();
        let parts = parts.map(|is| self.feature(&is, cursor)).collect();
        Sql::all(parts)
    }

    fn is_too_large(&mut self) -> bool {
        let is_beyond = self.n_bytes > MAX_LEN;
        // Once noted, it is kept as the greatest number of all.
        if is_beyond && self.n_bytes < usize::MAX {
            self.n_bytes = usize::MAX;
            self.check_len(usize::MAX);
        }
        is_beyond
    }

    /// Notes a fault if an expression is too large.
    pub(super) fn check_len(&mut self, n_bytes: usize) {
        if n_bytes > MAX_LEN {
            self.faults.add(
                "sql-too-large",
                "the expression is too large",
                format!("at most {MAX_LEN} bytes"),
                "more",
            );
        }
    }

    fn segment(&mut self, cursor: &mut Cursor<'a>) -> Sql {
        // Both are there unless a fault was noted before.
        let Some(&rule) = cursor.segments.next() else { return Sql::constant(false) };
        match self.place {
            Place::Statement => Sql::atom(format!("\"c\".\"m{rule}\"")),
            Place::Row => match self.written.get(&rule) {
                Some(sql) => sql.clone(),
                None => Sql::constant(false),
            },
        }
    }

    fn field(&mut self, test: &'a FieldTest, cursor: &mut Cursor<'a>) -> Sql {
        self.feature(&test.is, cursor)
    }

    /// The next test, of a feature.
    fn feature(&mut self, is: &Test, cursor: &mut Cursor<'a>) -> Sql {
        let Some(leaf) = cursor.leaves.next() else { return Sql::constant(false) };
        let Source::Feature(feature) = leaf.source else { return Sql::constant(false) };
        let Some(spec) = cursor.compiled.schema.get(feature) else {
            return Sql::constant(false);
        };
        if spec.kind() == FeatureKind::Tags {
            return self.tags(&cursor.scope, feature, spec, is, leaf);
        }
        let column = self.column(&cursor.scope, feature, spec);
        self.test(is, leaf, &Operand::Value(column))
    }

    fn event(&mut self, test: &'a EventTest, cursor: &mut Cursor<'a>) -> Sql {
        let Some(leaf) = cursor.leaves.next() else { return Sql::constant(false) };
        let Source::Events(at) = leaf.source else { return Sql::constant(false) };
        let Some(behaviour) = cursor.compiled.behaviours.get(at as usize) else {
            return Sql::constant(false);
        };
        match self.aggregate(behaviour) {
            Some(operand) => self.test(&test.is, leaf, &operand),
            None => Sql::constant(false),
        }
    }

    /// The column of a feature or property.
    pub(super) fn column(
        &mut self,
        scope: &Scope<'_>,
        feature: FeatureIndex,
        spec: &FeatureSpec,
    ) -> String {
        let column = match (scope, self.place) {
            (Scope::Customer, Place::Statement) => {
                self.features.insert(feature);
                self.check_name(self.layout.column_of(spec.name()));
                format!("\"c\".\"f{}\"", feature.get())
            }
            (Scope::Customer, Place::Row) => {
                let name = self.layout.column_of(spec.name());
                self.check_name(name);
                format!("\"c\".{}", quoted(name))
            }
            (Scope::Events { layout, row }, _) => {
                let name = layout.column_of(spec.name());
                self.check_name(name);
                format!("{row}.{}", quoted(name))
            }
        };
        let dialect = self.layout.dialect;
        let is_text = match spec.kind() {
            FeatureKind::Date => self.layout.are_dates_texts(),
            FeatureKind::Category | FeatureKind::Ordinal => true,
            _ => false,
        };
        if is_text { dialect.by_bytes(&column) } else { column }
    }

    fn check_name(&mut self, name: &str) {
        if let Some(expected) = refused_name(self.layout.dialect, name) {
            let message = "the name cannot be that of a column";
            self.faults.add("sql-name", message, expected, format!("{name:?}"));
        }
    }

    /// A text in quotes.
    pub(super) fn text(&mut self, text: &str) -> String {
        let dialect = self.layout.dialect;
        if let Some(expected) = self.refused(text) {
            let message = format!("the text cannot be written in {}", dialect.name());
            self.faults.add("sql-text", message, expected, format!("{text:?}"));
        }
        dialect.text(text)
    }

    fn refused(&self, text: &str) -> Option<&'static str> {
        self.layout.dialect.refuses(text)
    }

    /// Today, for rules that ask for it.
    pub(super) fn today(&self) -> Option<Date> {
        self.bound.map(|bound| bound.today)
    }
}

/// Refuses rules that depend on time without an instant.
pub(super) fn check_bound(depends_on_time: bool, bound: Option<&Bound>) -> Result<()> {
    if depends_on_time && bound.is_none() { Err(unbound()) } else { Ok(()) }
}
