//! Sequences, as events that exist one after the other.

use std::ops::Range;

use super::dialect::{quoted, timestamp};
use super::expression::Sql;
use super::layout::{SqlStream, TimeForm};
use super::write::{Cursor, Place, Scope, Writer};
use crate::data::Timestamp;
use crate::rules::compile::Compiled;
use crate::rules::computed::What;
use crate::rules::leaf::Source;
use crate::rules::ordered::{self, Ordered};
use crate::rules::sequence::SequenceTest;

/// A step, and where its events lie.
struct Step<'a> {
    source: &'a ordered::Source,
    layout: &'a SqlStream,
    filter: Option<&'a Compiled>,
    is_denied: bool,
    /// How many milliseconds after the step before, at most.
    within: Option<i64>,
    /// The name of its rows.
    row: String,
    /// Their time.
    time: String,
}

/// The steps of a sequence, and when all of it happened, in milliseconds.
struct Steps<'a>(Vec<Step<'a>>, Range<i64>);

impl<'a> Writer<'a> {
    /// A sequence, which is never NULL.
    pub(super) fn sequence(
        &mut self,
        test: &'a SequenceTest,
        cursor: &mut Cursor<'a>,
    ) -> Sql {
        let Some(leaf) = cursor.leaves.next() else { return Sql::constant(false) };
        let Source::Computed(at) = leaf.source else { return Sql::constant(false) };
        let computed = cursor.compiled.computed.get(at as usize);
        let Some((What::Ordered(ordered), place)) = computed.map(|c| (&c.what, c.place))
        else {
            return Sql::constant(false);
        };
        if self.place == Place::Statement && self.sequences.contains_key(&place) {
            return has_sequence(place);
        }
        self.ordered(test, ordered, place).unwrap_or(Sql::constant(false))
    }

    /// None after a fault.
    fn ordered(
        &mut self,
        test: &'a SequenceTest,
        ordered: &'a Ordered,
        place: u32,
    ) -> Option<Sql> {
        let steps = self.steps(test, ordered)?;
        let first = steps.0.first()?;
        let passes = self.step(&steps, 0, None)?;
        let (table, customer) = (first.layout.table.quoted(), first.customer());
        let (row, by_bytes) = (&first.row, self.layout.dialect.any_by_bytes());
        if self.place == Place::Row {
            let id = quoted(&self.layout.id);
            let same = Sql::test(format!("{customer} = \"c\".{id}{by_bytes}"));
            return Some(exists(first, vec![same, passes]));
        }
        let query = format!(
            "SELECT {customer} AS \"id\", 1 AS \"q{place}\" FROM {table} AS {row} \
             WHERE {} GROUP BY {customer}{by_bytes}",
            passes.as_str()
        );
        self.add_len(query.len());
        self.sequences.insert(place, query);
        Some(has_sequence(place))
    }

    fn steps(
        &mut self,
        test: &'a SequenceTest,
        ordered: &'a Ordered,
    ) -> Option<Steps<'a>> {
        let outer = self.faults.enter("steps");
        let mut steps = Vec::with_capacity(test.steps.len());
        for (at, step) in test.steps.iter().enumerate() {
            let inner = self.faults.enter(at);
            let layout = self.stream(&step.name);
            self.faults.leave(inner);
            let found = ordered.streams.iter().find_map(|source| {
                let mut filters = source.filters.iter();
                let (filter, _) = filters.find(|(_, bits)| bits & (1 << at) != 0)?;
                Some((source, filter.as_deref()))
            });
            let (Some(layout), Some((source, filter))) = (layout, found) else {
                continue;
            };
            let within = step.within.map(|span| span.as_millis());
            let row = format!("\"e{at}\"");
            steps.push(Step {
                source,
                layout,
                filter,
                is_denied: step.not,
                within: within.map(|millis| i64::try_from(millis).unwrap_or(i64::MAX)),
                time: format!("{row}.{}", quoted(&layout.time)),
                row,
            });
        }
        self.faults.leave(outer);
        let window = self.bound?.window(ordered.window);
        (steps.len() == test.steps.len()).then_some(Steps(steps, window))
    }

    /// That a row is an event of a step, after one of a step before; that nothing happened in
    /// between that is denied; and that the rest of the sequence comes after it.
    fn step(&mut self, of: &Steps<'a>, at: usize, before: Option<usize>) -> Option<Sql> {
        let Steps(steps, window) = of;
        let step = steps.get(at)?;
        let mut tests = self.happened(of, at, before)?;
        let between = before.map_or(at, |before| before + 1)..at;
        for denied in between {
            let mut events = self.happened(of, denied, before)?;
            events.push(Sql::test(format!("{} < {}", steps[denied].time, step.time)));
            tests.push(exists(&steps[denied], events).negated());
        }
        match (at + 1..steps.len()).find(|&next| !steps[next].is_denied) {
            Some(next) => {
                let passes = self.step(of, next, Some(at))?;
                tests.push(exists(&steps[next], vec![passes]));
            }
            None => {
                for (denied, step_denied) in steps.iter().enumerate().skip(at + 1) {
                    let events = self.happened(of, denied, Some(at))?;
                    tests.push(exists(step_denied, events).negated());
                    // For so long it was denied, and so much time has passed.
                    if let Some(within) = step_denied.within {
                        let end = window.end.saturating_sub(within);
                        tests.push(self.is_before(&step.time, end)?);
                    }
                }
            }
        }
        Some(Sql::all(tests))
    }

    /// That a row is an event of a step in the window, after one of a step before.
    fn happened(
        &mut self,
        Steps(steps, window): &Steps<'a>,
        at: usize,
        before: Option<usize>,
    ) -> Option<Vec<Sql>> {
        let step = steps.get(at)?;
        let before = before.and_then(|before| steps.get(before));
        let mut tests = Vec::new();
        if let Some(before) = before {
            let by_bytes = self.layout.dialect.any_by_bytes();
            let (customer, same) = (step.customer(), before.customer());
            tests.push(Sql::test(format!("{customer} = {same}{by_bytes}")));
            tests.push(Sql::test(format!("{} > {}", step.time, before.time)));
            // Longer than the calendar is any time.
            let calendar = Timestamp::MAX.as_millis() - Timestamp::MIN.as_millis();
            if let Some(within) = step.within.filter(|&within| within < calendar) {
                let last = match self.layout.times {
                    TimeForm::Millis => format!("{} + {within}", before.time),
                    TimeForm::Timestamp => {
                        let span = self.layout.dialect.interval(within);
                        format!("{} + {span}", before.time)
                    }
                };
                tests.push(Sql::test(format!("{} <= {last}", step.time)));
            }
        }
        tests.extend(self.window(&step.time, window)?);
        if let Some(value) = self.shared(step, at) {
            let same = before.and_then(|before| self.shared(before, at));
            tests.push(Sql::test(match same {
                Some(same) => format!("{value} = {same}"),
                None => format!("{value} IS NOT NULL"),
            }));
        }
        if let Some(filter) = step.filter {
            let outer = self.faults.enter(format!("steps/{at}/where"));
            tests.push(self.within(filter, step.scope()));
            self.faults.leave(outer);
        }
        Some(tests)
    }

    /// The property that all events have in common, in the row of a step.
    fn shared(&mut self, step: &Step<'a>, at: usize) -> Option<String> {
        let property = step.source.same.as_ref()?;
        let outer = self.faults.enter(format!("steps/{at}"));
        let column = self.column(&step.scope(), property.feature, &property.spec);
        self.faults.leave(outer);
        Some(column)
    }

    /// That an event lies before an instant.
    fn is_before(&mut self, time: &str, end: i64) -> Option<Sql> {
        // All times lie after what no timestamp says.
        let is_early = end <= Timestamp::MIN.as_millis()
            || self.layout.times == TimeForm::Timestamp && timestamp(end).is_none();
        if is_early {
            return Some(Sql::constant(false));
        }
        let end = self.time(end)?;
        Some(Sql::test(format!("{time} < {end}")))
    }
}

impl<'a> Step<'a> {
    fn scope(&self) -> Scope<'a> {
        Scope::Events { layout: self.layout, row: self.row.clone() }
    }

    fn customer(&self) -> String {
        format!("{}.{}", self.row, quoted(&self.layout.customer))
    }
}

/// That there is a row of a step for which all of this holds.
fn exists(step: &Step<'_>, tests: Vec<Sql>) -> Sql {
    let (table, row) = (step.layout.table.quoted(), &step.row);
    let tests = Sql::all(tests);
    Sql::atom(format!("EXISTS (SELECT 1 FROM {table} AS {row} WHERE {})", tests.as_str()))
}

/// That a statement has found a sequence.
fn has_sequence(place: u32) -> Sql {
    Sql::test(format!("\"c\".\"q{place}\" = 1"))
}
