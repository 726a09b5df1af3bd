//! Rows of which some were taken back.

use std::borrow::Cow;

use super::chunks::{Chunks, Row};
use super::ledger::Keys;
use crate::data::Date;
use crate::error::{Error, Result};

/// Rows in the order in which they came, and others that take back an equal one each,
/// whichever came first: so parts may hold the one without the other.
#[derive(Clone, Debug)]
pub(super) struct Kept<O> {
    pub(super) rows: Chunks<O>,
    pub(super) retracted: Vec<Row<O>>,
}

/// No rows.
impl<O> Default for Kept<O> {
    fn default() -> Kept<O> {
        Kept { rows: Chunks::default(), retracted: Vec::new() }
    }
}

impl<O: Copy + Ord> Kept<O> {
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.retracted.len()
    }

    pub(super) fn push(&mut self, row: Row<O>, retracts: bool) {
        if retracts { self.retracted.push(row) } else { self.rows.push(row) }
    }

    pub(super) fn absorb(&mut self, other: Kept<O>, map: impl Fn(Row<O>) -> Row<O>) {
        self.rows.extend(other.rows.iter().map(&map));
        self.retracted.extend(other.retracted.into_iter().map(&map));
    }

    /// The rows that were not taken back.
    pub(super) fn left(&self, keys: &Keys) -> Result<Cow<'_, Chunks<O>>> {
        if self.retracted.is_empty() {
            return Ok(Cow::Borrowed(&self.rows));
        }
        let mut gone = self.retracted.clone();
        gone.sort_unstable();
        // Where each group of equal rows starts, and how many of it are still to be found.
        let mut open: Vec<(Row<O>, usize)> =
            gone.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len())).collect();
        let mut left = Chunks::default();
        for row in self.rows.iter() {
            match open.binary_search_by(|(other, _)| other.cmp(&row)) {
                Ok(at) if open[at].1 > 0 => open[at].1 -= 1,
                _ => left.push(row),
            }
        }
        // Codes of texts depend on the order of rows; the error does not.
        let missing = open.iter().filter(|(_, n)| *n > 0).map(|(row, _)| row);
        let sorted = |row: &&Row<O>| (keys.name(row.customer), row.day, row.amount);
        match missing.min_by_key(sorted) {
            None => Ok(Cow::Owned(left)),
            Some(row) => Err(absent(&keys.name(row.customer), row.day, row.amount)),
        }
    }
}

#[cold]
fn absent(customer: &str, day: i32, amount: i64) -> Error {
    let day = Date::of_checked(day);
    Error::parameter(
        "retracted transactions",
        "equal to one each that was added",
        format!("one more of customer `{customer}` on {day} with {amount} minor units"),
    )
}
