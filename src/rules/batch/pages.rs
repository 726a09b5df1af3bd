//! Columns of a table to codes: values of one code are the same to all tests.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ladder::{CHUNK, Ladder, MAX_RUNGS};
use crate::data::{Column, Levels, Validity};
use crate::rules::leaf::Check;

/// Codes of one page but for that of a missing value.
pub(super) const N_CODES: usize = 255;

/// Classes of levels beyond this number would take more pages than they are worth.
const MAX_CLASSES: usize = 4 * (N_CODES - 1);

/// How values of one column become bytes. A missing value has the code 0.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// The table's column.
    pub(super) column: usize,
    pub(super) coding: Coding,
}

#[derive(Clone, Debug)]
pub(super) enum Coding {
    /// Of a number, or of the days of a date.
    Ladder(Ladder),
    /// 1 for no, 2 for yes.
    Flag,
    /// The code of each of the column's levels.
    Levels(Box<[u8]>),
}

/// Where thresholds stand in the pages of a column.
#[derive(Clone, Debug)]
pub(super) struct Thresholds {
    all: Vec<f64>,
}

impl Thresholds {
    pub(super) fn new(mut all: Vec<f64>) -> Thresholds {
        all.sort_unstable_by(f64::total_cmp);
        // `==`, so that -0 and 0 are one number.
        all.dedup_by(|a, b| a == b);
        Thresholds { all }
    }

    pub(super) fn codings(&self) -> Vec<Coding> {
        let ladder = |rungs: &[f64]| Coding::Ladder(Ladder::new(rungs));
        if self.all.is_empty() {
            // For the sake of what is missing.
            return vec![ladder(&[])];
        }
        self.all.chunks(MAX_RUNGS).map(ladder).collect()
    }

    /// Page and least code of the numbers that reach a threshold.
    pub(super) fn find(&self, threshold: f64) -> (usize, u8) {
        let at = self.all.partition_point(|&x| x < threshold);
        (at / MAX_RUNGS, (at % MAX_RUNGS + 2) as u8)
    }
}

/// Levels by what tests say of them.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    /// Of each level.
    class_of: Vec<usize>,
    n_classes: usize,
}

impl Classes {
    /// Each level by itself.
    pub(super) fn alone(n_levels: usize) -> Classes {
        Classes { class_of: (0..n_levels).collect(), n_classes: n_levels }
    }

    /// By the answers of some tests; nothing where these leave too many.
    pub(super) fn new<'c>(
        n_levels: usize,
        checks: impl Iterator<Item = &'c Check>,
        levels: &Levels<'_>,
    ) -> Option<Classes> {
        // Each test divides the classes that those before it left.
        let mut classes = Classes { class_of: vec![0; n_levels], n_classes: 1 };
        for check in checks {
            let mut parts: BTreeMap<(usize, bool), usize> = BTreeMap::new();
            for (class, level) in classes.class_of.iter_mut().zip(levels.iter()) {
                let next = parts.len();
                let answer = check.accepts_level(level);
                *class = *parts.entry((*class, answer)).or_insert(next);
            }
            classes.n_classes = parts.len();
            if classes.n_classes > MAX_CLASSES {
                return None;
            }
        }
        Some(classes)
    }

    /// Page and code of a class. Where there are several pages, the code 1 is left for
    /// levels that stand on another one.
    fn place(&self, class: usize) -> (usize, u8) {
        if self.n_classes <= N_CODES {
            (0, (class + 1) as u8)
        } else {
            (class / (N_CODES - 1), (class % (N_CODES - 1) + 2) as u8)
        }
    }

    pub(super) fn codings(&self) -> Vec<Coding> {
        let n_pages =
            self.n_classes.checked_sub(1).map_or(1, |last| self.place(last).0 + 1);
        let page = |page: usize| {
            let code = |&class: &usize| match self.place(class) {
                (place, code) if place == page => code,
                _ => 1,
            };
            Coding::Levels(self.class_of.iter().map(code).collect())
        };
        (0..n_pages).map(page).collect()
    }

    /// The pages and codes of the levels for which a test answers yes.
    pub(super) fn find(
        &self,
        answers: impl Iterator<Item = bool>,
    ) -> impl Iterator<Item = (usize, u8)> {
        let listed = self.class_of.iter().zip(answers).filter(|(_, yes)| *yes);
        listed.map(|(&class, _)| self.place(class))
    }
}

impl Page {
    /// Writes the codes of some rows.
    #[inline(always)]
    pub(super) fn code(&self, column: &Column<'_>, rows: Range<usize>, codes: &mut [u8]) {
        match (&self.coding, column) {
            (Coding::Ladder(ladder), Column::Number(numbers, _)) => {
                match numbers.as_slice() {
                    Some(all) => ladder.code(&all[rows.clone()], codes),
                    None => gather(ladder, rows.clone(), codes, |row| {
                        numbers.get(row).unwrap_or_default()
                    }),
                }
            }
            (Coding::Ladder(ladder), Column::Date(days, _)) => {
                gather(ladder, rows.clone(), codes, |row| f64::from(days[row]));
            }
            (Coding::Flag, Column::Flag(flags, _)) => {
                for (row, code) in rows.clone().zip(codes.iter_mut()) {
                    *code = 1 + u8::from(flags.get(row) == Some(true));
                }
            }
            (Coding::Levels(of_level), Column::Category(levels, _, _)) => {
                for (&level, code) in levels[rows.clone()].iter().zip(codes.iter_mut()) {
                    // Where a value is missing, any number may stand in its place.
                    *code = of_level.get(level as usize).copied().unwrap_or(0);
                }
            }
            // A coding is made for the column it is used on.
            _ => codes.fill(0),
        }
        let codes = codes.iter_mut();
        match column.validity() {
            Validity::All | Validity::NotNan => {}
            Validity::Mask(mask) => {
                for (code, &valid) in codes.zip(&mask[rows]) {
                    *code &= 0_u8.wrapping_sub(u8::from(valid));
                }
            }
            validity => {
                for (code, row) in codes.zip(rows) {
                    *code &= 0_u8.wrapping_sub(u8::from(validity.is_valid(row)));
                }
            }
        }
    }
}

/// Codes of numbers that are not neighbours in memory, or not yet numbers.
#[inline(always)]
fn gather(
    ladder: &Ladder,
    rows: Range<usize>,
    codes: &mut [u8],
    number: impl Fn(usize) -> f64,
) {
    let mut numbers = [0.0; CHUNK];
    for (codes, start) in codes.chunks_mut(CHUNK).zip(rows.step_by(CHUNK)) {
        for (i, place) in numbers[..codes.len()].iter_mut().enumerate() {
            *place = number(start + i);
        }
        ladder.code(&numbers[..codes.len()], codes);
    }
}
