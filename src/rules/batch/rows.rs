//! Tests whose values have no classes: tags, and long lists of numbers.

use std::ops::Range;

use super::program::Plane;
use crate::data::{Column, Levels, TagColumn};
use crate::rules::leaf::{Check, Leaf, Names, NumberCheck, TagCheck};
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
    /// The value itself is asked.
    Value,
}

impl RowTest {
    pub(super) fn new(column: usize, leaf: &Leaf, values: &Column<'_>) -> RowTest {
        let lookup = match (&leaf.check, values) {
            (Check::Tags { check, .. }, Column::Tags(tags, _)) => {
                Lookup::of_tags(check, tags.levels())
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
            _ => set_bits(rows, plane, |row| {
                let value = column.value(row);
                !value.is_missing() && self.leaf.test(&value) == Some(Truth::True)
            }),
        }
    }
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
