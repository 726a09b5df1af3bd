//! The contingency table of two labelings: what every index of agreement is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::labels::Encoded;
use crate::error::{Error, Result};

/// How many rows have label `a` in one labeling and label `b` in another.
///
/// Counts are exact, and tables over parts of the rows can be merged, so that partial
/// tables of a distributed engine give the same scores as one table over everything. Only
/// labels that occur are kept, in their own order.
///
/// ```
/// use segmenta::metrics::ContingencyTable;
///
/// let before = ["gold", "gold", "basic", "basic"];
/// let after = [1, 2, 2, 2];
/// let mut table = ContingencyTable::from_labels(&before[..2], &after[..2])?;
/// table.merge(&ContingencyTable::from_labels(&before[2..], &after[2..])?)?;
/// assert_eq!(table.count(&"basic", &2), 2);
/// assert_eq!(table.rand_score()?, 0.5);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Cells<A, B>", try_from = "Cells<A, B>")]
#[serde(bound(
    serialize = "A: Clone + Serialize, B: Clone + Serialize",
    deserialize = "A: Ord + Clone + Deserialize<'de>, B: Ord + Clone + Deserialize<'de>"
))]
pub struct ContingencyTable<A, B = A> {
    row_labels: Vec<A>,
    column_labels: Vec<B>,
    /// Row, column and count, ascending; no count is 0.
    cells: Vec<(usize, usize, u64)>,
    row_sums: Vec<u64>,
    column_sums: Vec<u64>,
    total: u64,
}

/// What is saved of a table: the rest follows from it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Cells<A, B>(Vec<(A, B, u64)>);

impl<A: Clone, B: Clone> From<ContingencyTable<A, B>> for Cells<A, B> {
    fn from(table: ContingencyTable<A, B>) -> Self {
        Cells(table.cells().map(|(a, b, n)| (a.clone(), b.clone(), n)).collect())
    }
}

impl<A: Ord + Clone, B: Ord + Clone> TryFrom<Cells<A, B>> for ContingencyTable<A, B> {
    type Error = Error;

    fn try_from(cells: Cells<A, B>) -> Result<Self> {
        ContingencyTable::from_cells(cells.0)
    }
}

impl<A, B> Default for ContingencyTable<A, B> {
    /// The table of no rows: merging it changes nothing.
    fn default() -> Self {
        ContingencyTable {
            row_labels: Vec::new(),
            column_labels: Vec::new(),
            cells: Vec::new(),
            row_sums: Vec::new(),
            column_sums: Vec::new(),
            total: 0,
        }
    }
}

impl ContingencyTable<usize, usize> {
    /// The table of two labelings with codes in place of their labels.
    pub(super) fn of_codes<L: Ord, M: Ord>(
        labels_true: &[L],
        labels_pred: &[M],
    ) -> Result<ContingencyTable<usize, usize>> {
        check_lengths(labels_true.len(), labels_pred.len())?;
        let (a, b) = (Encoded::new(labels_true), Encoded::new(labels_pred));
        let labels = ((0..a.n_distinct()).collect(), (0..b.n_distinct()).collect());
        Ok(ContingencyTable::count_pairs(labels, &a.codes, &b.codes))
    }
}

impl<A, B> ContingencyTable<A, B> {
    /// Counts the pairs of codes; every code is below its number of labels.
    fn count_pairs(
        (row_labels, column_labels): (Vec<A>, Vec<B>),
        a: &[usize],
        b: &[usize],
    ) -> ContingencyTable<A, B> {
        let mut pairs: Vec<(usize, usize)> =
            a.iter().copied().zip(b.iter().copied()).collect();
        pairs.sort_unstable();
        let mut row_sums = vec![0; row_labels.len()];
        let mut column_sums = vec![0; column_labels.len()];
        let mut cells = Vec::new();
        for same in pairs.chunk_by(|p, q| p == q) {
            let ((row, column), count) = (same[0], same.len() as u64);
            cells.push((row, column, count));
            row_sums[row] += count;
            column_sums[column] += count;
        }
        let total = pairs.len() as u64;
        ContingencyTable {
            row_labels,
            column_labels,
            cells,
            row_sums,
            column_sums,
            total,
        }
    }

    /// How many rows were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The labels of the first labeling, ascending, with their counts.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&A, u64)> {
        self.row_labels.iter().zip(self.row_sums.iter().copied())
    }

    /// The labels of the second labeling, ascending, with their counts.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&B, u64)> {
        self.column_labels.iter().zip(self.column_sums.iter().copied())
    }

    /// The pairs of labels that occur, in order, with their counts.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = (&A, &B, u64)> {
        let labels = (&self.row_labels, &self.column_labels);
        self.cells.iter().map(move |&(a, b, n)| (&labels.0[a], &labels.1[b], n))
    }

    /// True when both labelings make the same groups, whatever they call them.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.cells.len() == self.row_labels.len()
            && self.cells.len() == self.column_labels.len()
    }

    /// True when one of the labelings is one group, or only groups of one row: then no
    /// renaming or reshuffling of rows can change how much they agree.
    pub(super) fn has_trivial_side(&self) -> bool {
        [&self.row_sums, &self.column_sums]
            .into_iter()
            .any(|sums| sums.len() <= 1 || sums.len() as u64 == self.total)
    }

    /// The count of each pair that occurs, with the counts of its two labels.
    pub(super) fn triples(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.cells.iter().map(|&(a, b, n)| (n, self.row_sums[a], self.column_sums[b]))
    }

    pub(super) fn row_sums(&self) -> &[u64] {
        &self.row_sums
    }

    pub(super) fn column_sums(&self) -> &[u64] {
        &self.column_sums
    }

    pub(super) fn require_rows(&self, what: &'static str) -> Result<()> {
        if self.total == 0 {
            return Err(Error::undefined(what, "there are no labels"));
        }
        Ok(())
    }
}

impl<A: Ord + Clone, B: Ord + Clone> ContingencyTable<A, B> {
    /// Counts two labelings of the same rows. Takes O(n log n).
    ///
    /// # Errors
    /// When they differ in length.
    pub fn from_labels(
        labels_true: &[A],
        labels_pred: &[B],
    ) -> Result<ContingencyTable<A, B>> {
        check_lengths(labels_true.len(), labels_pred.len())?;
        let (a, b) = (Encoded::new(labels_true), Encoded::new(labels_pred));
        let row_labels = a.distinct.into_iter().cloned().collect();
        let column_labels = b.distinct.into_iter().cloned().collect();
        let labels = (row_labels, column_labels);
        Ok(ContingencyTable::count_pairs(labels, &a.codes, &b.codes))
    }

    /// Adds up counts that were made elsewhere; a pair may come more than once.
    ///
    /// # Errors
    /// When the counts add up to 2⁶⁴ or more.
    pub fn from_cells(
        cells: impl IntoIterator<Item = (A, B, u64)>,
    ) -> Result<ContingencyTable<A, B>> {
        let mut counts: BTreeMap<(A, B), u64> = BTreeMap::new();
        let mut total = 0_u64;
        for (a, b, count) in cells {
            total = total.checked_add(count).ok_or_else(|| {
                Error::parameter("the counts", "below 2^64 in all", "more")
            })?;
            if count > 0 {
                // At most the total, which has been checked.
                *counts.entry((a, b)).or_insert(0) += count;
            }
        }
        let pairs: Vec<((A, B), u64)> = counts.into_iter().collect();
        let a: Vec<&A> = pairs.iter().map(|((a, _), _)| a).collect();
        let b: Vec<&B> = pairs.iter().map(|((_, b), _)| b).collect();
        let (a, b) = (Encoded::new(&a), Encoded::new(&b));
        let mut table = ContingencyTable {
            row_labels: a.distinct.iter().map(|&&label| label.clone()).collect(),
            column_labels: b.distinct.iter().map(|&&label| label.clone()).collect(),
            cells: Vec::with_capacity(pairs.len()),
            row_sums: vec![0; a.n_distinct()],
            column_sums: vec![0; b.n_distinct()],
            total,
        };
        for ((&row, &column), (_, count)) in a.codes.iter().zip(&b.codes).zip(&pairs) {
            table.cells.push((row, column, *count));
            table.row_sums[row] += count;
            table.column_sums[column] += count;
        }
        Ok(table)
    }

    /// Adds the counts of another table, over other rows.
    ///
    /// # Errors
    /// When the counts add up to 2⁶⁴ or more; then nothing changes.
    pub fn merge(&mut self, other: &ContingencyTable<A, B>) -> Result<()> {
        let both = self.cells().chain(other.cells());
        *self = ContingencyTable::from_cells(
            both.map(|(a, b, count)| (a.clone(), b.clone(), count)),
        )?;
        Ok(())
    }

    /// How many rows have this pair of labels.
    #[must_use]
    pub fn count(&self, a: &A, b: &B) -> u64 {
        let position = self
            .row_labels
            .binary_search(a)
            .and_then(|row| Ok((row, self.column_labels.binary_search(b)?)))
            .and_then(|cell| self.cells.binary_search_by_key(&cell, |&(r, c, _)| (r, c)));
        position.map_or(0, |at| self.cells[at].2)
    }
}

fn check_lengths(n_true: usize, n_pred: usize) -> Result<()> {
    if n_true != n_pred {
        return Err(Error::length("the second labeling", n_true, n_pred));
    }
    Ok(())
}
