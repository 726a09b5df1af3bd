//! Tests whose values have no classes: tags, long lists of numbers, levels without end.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::pages::N_CODES;
use super::program::Plane;
use crate::data::{Column, Date, Levels, TagColumn};
use crate::rules::leaf::{Check, Leaf, NumberCheck, TagCheck, TextCheck};
use crate::segmenter::Truth;

/// A test that is asked of one row of a column after the other.
#[derive(Clone, Debug)]
pub(super) struct RowTest {
    /// The table's column.
    pub(super) column: usize,
    pub(super) leaf: Leaf,
    lookup: Lookup,
    today: Date,
}

/// What a test says of the levels of a column, so that no names are compared.
#[derive(Clone, Debug)]
enum Lookup {
    /// The tags of which one will do.
    Any(Codes),
    /// Of each tag its number among those that must all be there, or 64; and a bit for each
    /// of these.
    All(Box<[u8]>, u64),
    /// How many tags will do.
    Size(NumberCheck),
    /// The levels of a category that will do.
    Level(Codes),
    /// The value itself is asked.
    Value,
}

/// A set of codes, a bit each.
#[derive(Clone, Debug)]
struct Codes(Box<[u64]>);

impl Codes {
    fn new(listed: impl ExactSizeIterator<Item = bool>) -> Codes {
        let mut words = vec![0; listed.len().div_ceil(64)];
        for (code, listed) in listed.enumerate() {
            words[code / 64] |= u64::from(listed) << (code % 64);
        }
        Codes(words.into())
    }

    fn contains(&self, code: u32) -> bool {
        self.0[code as usize / 64] >> (code % 64) & 1 == 1
    }
}

impl RowTest {
    /// For a table of so many rows.
    pub(super) fn new(
        column: usize,
        leaf: &Leaf,
        values: &Column<'_>,
        n_rows: usize,
        today: Date,
    ) -> RowTest {
        // Where most levels occur once or never, it is the rows that are asked.
        let is_worth_it = |levels: &Levels<'_>| levels.len() <= (n_rows / 4).max(N_CODES);
        let lookup = match (&leaf.check, values) {
            (Check::Tags { check, .. }, Column::Tags(tags, _))
                if is_worth_it(tags.levels()) =>
            {
                Lookup::of_tags(check, tags.levels())
            }
            (check, Column::Category(_, levels, _)) if is_worth_it(levels) => {
                Lookup::Level(codes(levels, |level| check.accepts_level(level)))
            }
            _ => Lookup::Value,
        };
        RowTest { column, leaf: leaf.clone(), lookup, today }
    }

    /// Sets the bits of the rows whose value is there and passes.
    pub(super) fn ask(&self, column: &Column<'_>, rows: Range<usize>, plane: &mut Plane) {
        match (&self.lookup, column) {
            (Lookup::Any(will_do), Column::Tags(tags, _)) => {
                of_tags(column, tags, rows, plane, |codes| {
                    codes.iter().any(|&code| will_do.contains(code))
                });
            }
            (Lookup::All(number_of, all), Column::Tags(tags, _)) => {
                let bit = |&code: &u32| {
                    1_u64.checked_shl(number_of[code as usize].into()).unwrap_or(0)
                };
                of_tags(column, tags, rows, plane, |codes| {
                    codes.iter().map(bit).fold(0, |found, bit| found | bit) == *all
                });
            }
            (Lookup::Size(check), Column::Tags(tags, _)) => {
                of_tags(column, tags, rows, plane, |codes| {
                    check.accepts(codes.len() as f64)
                });
            }
            (Lookup::Level(will_do), Column::Category(codes, _, validity)) => {
                set_bits(rows, plane, |row| {
                    validity.is_valid(row) && will_do.contains(codes[row])
                });
            }
            _ => set_bits(rows, plane, |row| {
                let value = column.value(row);
                !value.is_missing()
                    && self.leaf.test(&value, self.today) == Some(Truth::True)
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
                Lookup::Any(codes(levels, |level| names.position(level).is_some()))
            }
            TagCheck::All(names) if names.iter().len() <= 64 => {
                let number = |level| names.position(level).map_or(64, |at| at as u8);
                let all = u64::MAX >> (64 - names.iter().len().max(1));
                Lookup::All(levels.iter().map(number).collect(), all)
            }
            TagCheck::Size(check) => Lookup::Size(check.clone()),
            _ => Lookup::Value,
        }
    }
}

/// The codes of the levels that will do.
fn codes(levels: &Levels<'_>, will_do: impl Fn(&str) -> bool) -> Codes {
    Codes::new((0..levels.len()).map(|code| levels.get(code).is_some_and(&will_do)))
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
