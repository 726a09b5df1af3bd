//! Tests whose values have no classes: tags, long lists of numbers, levels without end.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::pages::N_CODES;
use super::program::Plane;
use crate::data::{Column, Levels, TagColumn};
use crate::rules::leaf::{Check, Leaf, Names, NumberCheck, TagCheck, TextCheck};
use crate::segmenter::Truth;

/// A test that is asked of one row of a column after the other.
#[derive(Clone, Debug)]
pub(super) struct RowTest {
    /// The table's column.
    pub(super) column: usize,
    pub(super) leaf: Leaf,
    lookup: Lookup,
}

/// What a test of tags says of the codes of a column, so that no names are compared.
#[derive(Clone, Debug)]
enum Lookup {
    /// Of each code whether it will do.
    Any(Box<[bool]>),
    /// The bits of each code, and those that must all be there.
    All(Box<[u64]>, u64),
    Size(NumberCheck),
    /// Of each level of a category whether it will do.
    Level(Box<[bool]>),
    /// The value itself is asked.
    Value,
}

impl RowTest {
    /// For a table of so many rows.
    pub(super) fn new(
        column: usize,
        leaf: &Leaf,
        values: &Column<'_>,
        n_rows: usize,
    ) -> RowTest {
        let lookup = match (&leaf.check, values) {
            (Check::Tags { check, .. }, Column::Tags(tags, _))
                if tags.levels().len() <= n_rows.max(N_CODES) =>
            {
                Lookup::of_tags(check, tags.levels())
            }
            (check, Column::Category(_, levels, _)) if levels.len() <= n_rows => {
                Lookup::Level(levels.iter().map(|l| check.accepts_level(l)).collect())
            }
            _ => Lookup::Value,
        };
        RowTest { column, leaf: leaf.clone(), lookup }
    }

    /// Sets the bits of the rows whose value is there and passes.
    pub(super) fn ask(&self, column: &Column<'_>, rows: Range<usize>, plane: &mut Plane) {
        match (&self.lookup, column) {
            (Lookup::Any(will_do), Column::Tags(tags, _)) => {
                of_tags(column, tags, rows, plane, |codes| {
                    codes.iter().any(|&code| will_do[code as usize])
                });
            }
            (Lookup::All(bits_of, all), Column::Tags(tags, _)) => {
                of_tags(column, tags, rows, plane, |codes| {
                    codes.iter().fold(0, |bits, &code| bits | bits_of[code as usize])
                        == *all
                });
            }
            (Lookup::Size(check), Column::Tags(tags, _)) => {
                of_tags(column, tags, rows, plane, |codes| {
                    check.accepts(codes.len() as f64)
                });
            }
            (Lookup::Level(will_do), Column::Category(codes, _, validity)) => {
                set_bits(rows, plane, |row| {
                    validity.is_valid(row) && will_do[codes[row] as usize]
                });
            }
            _ => set_bits(rows, plane, |row| {
                let value = column.value(row);
                !value.is_missing() && self.leaf.test(&value) == Some(Truth::True)
            }),
        }
    }
}

/// Equal tests have equal keys.
pub(super) fn key(column: usize, check: &Check) -> u64 {
    let mut hasher = DefaultHasher::new();
    column.hash(&mut hasher);
    let mut numbers = |check: &NumberCheck| match check {
        // Adding 0 makes -0 and 0 one.
        NumberCheck::Range(lo, hi) => {
            [lo, hi].map(|x| (x + 0.0).to_bits()).hash(&mut hasher);
        }
        NumberCheck::In(list) => {
            list.iter().for_each(|x| (x + 0.0).to_bits().hash(&mut hasher));
        }
    };
    match check {
        Check::Number(check) | Check::Date(check) => numbers(check),
        Check::Tags { check: TagCheck::Size(check), .. } => numbers(check),
        Check::Tags { check: TagCheck::Any(names) | TagCheck::All(names), .. }
        | Check::Text(TextCheck::In(names)) => {
            names.iter().for_each(|name| name.hash(&mut hasher));
        }
        Check::Text(
            TextCheck::Contains(text)
            | TextCheck::StartsWith(text)
            | TextCheck::EndsWith(text),
        ) => text.hash(&mut hasher),
        Check::Text(TextCheck::Matches(pattern)) => pattern.as_str().hash(&mut hasher),
        Check::Level { answers, .. } => answers.hash(&mut hasher),
        _ => {}
    }
    hasher.finish()
}

impl Lookup {
    fn of_tags(check: &TagCheck, levels: &Levels<'_>) -> Lookup {
        match check {
            TagCheck::Any(names) => {
                Lookup::Any(levels.iter().map(|l| names.position(l).is_some()).collect())
            }
            TagCheck::All(names) if names.iter().len() <= 64 => {
                let bits =
                    |names: &Names, level| names.position(level).map_or(0, |at| 1 << at);
                let all = u64::MAX.checked_shr(64 - names.iter().len() as u32);
                let bits = levels.iter().map(|level| bits(names, level));
                Lookup::All(bits.collect(), all.unwrap_or(0))
            }
            TagCheck::Size(check) => Lookup::Size(check.clone()),
            _ => Lookup::Value,
        }
    }
}

/// Sets the bits of the rows that have a value.
pub(super) fn present(column: &Column<'_>, rows: Range<usize>, plane: &mut Plane) {
    let validity = column.validity();
    set_bits(rows, plane, |row| validity.is_valid(row));
}

fn of_tags(
    column: &Column<'_>,
    tags: &TagColumn<'_>,
    rows: Range<usize>,
    plane: &mut Plane,
    test: impl Fn(&[u32]) -> bool,
) {
    let validity = column.validity();
    // Where a value is missing, its codes may stand for nothing.
    set_bits(rows, plane, |row| validity.is_valid(row) && test(tags.codes_of(row)));
}

fn set_bits(rows: Range<usize>, plane: &mut Plane, test: impl Fn(usize) -> bool) {
    plane.fill(0);
    for (i, row) in rows.enumerate() {
        plane[i / 64] |= u64::from(test(row)) << (i % 64);
    }
}
