//! Which filters an event passes.

use std::sync::Arc;

use super::plan::Filter;
use crate::data::{Customer, CustomerId, FeatureIndex, FeatureKind, StreamSpec, Value};
use crate::error::Result;
use crate::rules::ast::Rule;
use crate::rules::context::Context;
use crate::rules::leaf::{Check, Names, Source, fault, is_usable};

/// The filters of one stream. Those that only test for levels of one property are found by the
/// level, however many they are.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// Filters that every event passes.
    open: Vec<usize>,
    tables: Vec<Table>,
    others: Vec<usize>,
    /// The closed levels of the properties.
    levels: Vec<Option<Arc<Names>>>,
}

/// For each level of a property, and last for none, the filters that pass.
#[derive(Debug)]
struct Table {
    property: usize,
    passing: Vec<Vec<usize>>,
}

/// There is no level.
const NONE: u32 = u32::MAX;

/// The properties of one event.
pub(super) struct Event<'e>(pub(super) &'e [Value<'e>]);

impl Customer for Event<'_> {
    fn id(&self) -> CustomerId<'_> {
        CustomerId::Number(0)
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        self.0.get(feature.get()).copied().unwrap_or(Value::Missing)
    }
}

impl Sieve {
    /// Of events with these levels; without filters yet.
    pub(super) fn new(levels: Vec<Option<Arc<Names>>>) -> Sieve {
        Sieve { levels, ..Sieve::default() }
    }

    pub(super) fn fill(&mut self, filters: &[Filter]) {
        for (at, filter) in filters.iter().enumerate() {
            let Some(compiled) = &filter.rule else {
                self.open.push(at);
                continue;
            };
            let by_level = match (&compiled.rule, &*compiled.leaves) {
                (Rule::Field(_), [leaf]) => match (leaf.source, &leaf.check) {
                    (Source::Feature(property), Check::Level { answers, .. }) => {
                        let missing = leaf.missing.is_true();
                        Some((property.get(), answers, missing))
                    }
                    _ => None,
                },
                _ => None,
            };
            let Some((property, answers, missing)) = by_level else {
                self.others.push(at);
                continue;
            };
            let known = self.tables.iter().position(|table| table.property == property);
            let known = known.unwrap_or_else(|| {
                let passing = vec![Vec::new(); answers.len() + 1];
                self.tables.push(Table { property, passing });
                self.tables.len() - 1
            });
            let answers = answers.iter().copied().chain([missing]);
            for (passing, answer) in self.tables[known].passing.iter_mut().zip(answers) {
                if answer {
                    passing.push(at);
                }
            }
        }
    }

    /// Checks the values of an event, and gives the filters that it passes. `codes` is
    /// memory.
    ///
    /// # Errors
    /// When a value cannot be used.
    #[inline]
    pub(super) fn sift(
        &self,
        stream: &StreamSpec,
        filters: &[Filter],
        values: &[Value<'_>],
        codes: &mut Vec<u32>,
        passed: &mut Vec<usize>,
    ) -> Result<()> {
        codes.clear();
        for ((property, levels), value) in
            stream.properties().iter().zip(&self.levels).zip(values)
        {
            let code = match (value, levels) {
                (Value::Category(name), Some(levels))
                    if property.kind() != FeatureKind::Tags =>
                {
                    levels.position(name).map(|at| at as u32)
                }
                (value, levels) => {
                    is_usable(property.kind(), levels.as_deref(), value).then_some(NONE)
                }
            };
            let Some(code) = code else {
                return Err(fault(property, *value).of_stream(stream.name()));
            };
            codes.push(code);
        }
        passed.clear();
        passed.extend_from_slice(&self.open);
        for table in &self.tables {
            let passing = table.passing.get(codes[table.property] as usize);
            passed.extend_from_slice(passing.or(table.passing.last()).map_or(&[], |p| p));
        }
        for &at in &self.others {
            if let Some(rule) = &filters[at].rule
                && rule.holds(&Event(values), &Context::new(None))?
            {
                passed.push(at);
            }
        }
        Ok(())
    }
}
