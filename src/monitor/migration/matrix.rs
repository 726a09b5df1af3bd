//! From which segment to which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::join::{check_length, join, nowhere, too_many};
use crate::error::{Error, Result};

/// How many customers went from which segment to which between two dates, who arrived and who
/// is gone: a matrix of transitions.
///
/// It asks no more than labels, whatever made them, and one segment for each customer; what
/// counts as there is the host's to say. For a segmenter that leaves some customers without a
/// segment, take `Option`s as labels: those are there, in none. (For snapshots of rule books
/// there is [`Snapshot::transitions`](crate::rules::Snapshot::transitions), for the states of
/// customers over many periods [`lifecycle`](crate::monitor::lifecycle).)
///
/// Both labelings should come from the same model with the same cut points. Segments of
/// quantiles that are taken anew at each date rank customers against each other, and show
/// moves of customers who did nothing; [`MigrationDecomposition`](super::MigrationDecomposition)
/// tells the two apart.
///
/// Counts are exact, and matrices over different customers [`merge`](TransitionMatrix::merge).
///
/// ```
/// use segmenta::monitor::TransitionMatrix;
///
/// let (january, december) = ([1, 2, 3, 4], [2, 3, 4, 5]);
/// let matrix = TransitionMatrix::of_customers(
///     (&january, &["loyal", "loyal", "loyal", "new"]),
///     (&december, &["loyal", "at risk", "loyal", "new"]),
/// )?;
/// assert_eq!(matrix.count(&"loyal", &"at risk"), 1);
/// assert_eq!(matrix.share(&"loyal", &"at risk"), Some(1.0 / 3.0));
/// assert_eq!((matrix.gone(&"loyal"), matrix.arrived(&"new")), (1, 1));
/// assert_eq!((matrix.stayed(), matrix.moved()), (1, 2));
/// // Nobody was at risk in January, so that nothing is known of where they go.
/// assert_eq!(matrix.share(&"at risk", &"loyal"), None);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Saved<L>", try_from = "Saved<L>")]
#[serde(bound(
    serialize = "L: Clone + Serialize",
    deserialize = "L: Ord + Clone + Deserialize<'de>"
))]
pub struct TransitionMatrix<L> {
    /// Ascending.
    segments: Vec<L>,
    /// Place before, place after, count; ascending, no count is 0. Place 0 is not to be
    /// there, and others are one above those of the segments.
    cells: Vec<(usize, usize, u64)>,
    /// Customers before, by place.
    before: Vec<u64>,
    /// Customers after, by place.
    after: Vec<u64>,
}

/// What is saved. An `Option` of a label could not be told from a label that is one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<L> {
    both: Vec<(L, L, u64)>,
    arrived: Vec<(L, u64)>,
    gone: Vec<(L, u64)>,
}

impl<L: Clone> From<TransitionMatrix<L>> for Saved<L> {
    fn from(matrix: TransitionMatrix<L>) -> Saved<L> {
        let mut saved = Saved { both: Vec::new(), arrived: Vec::new(), gone: Vec::new() };
        for (from, to, count) in matrix.cells() {
            match (from.cloned(), to.cloned()) {
                (Some(from), Some(to)) => saved.both.push((from, to, count)),
                (None, Some(to)) => saved.arrived.push((to, count)),
                (Some(from), None) => saved.gone.push((from, count)),
                (None, None) => {}
            }
        }
        saved
    }
}

impl<L: Ord + Clone> TryFrom<Saved<L>> for TransitionMatrix<L> {
    type Error = Error;

    fn try_from(saved: Saved<L>) -> Result<TransitionMatrix<L>> {
        let both = saved.both.into_iter().map(|(from, to, n)| (Some(from), Some(to), n));
        let arrived = saved.arrived.into_iter().map(|(to, n)| (None, Some(to), n));
        let gone = saved.gone.into_iter().map(|(from, n)| (Some(from), None, n));
        TransitionMatrix::from_cells(both.chain(arrived).chain(gone))
    }
}

impl<L: Ord + Clone> TransitionMatrix<L> {
    /// Counts customers who stand in the same row of both slices; `None` where a customer is
    /// not there: not yet before, or not any more after.
    ///
    /// # Errors
    /// When the slices differ in length, or a row has a customer who is there at neither time.
    pub fn from_labels(
        before: &[Option<L>],
        after: &[Option<L>],
    ) -> Result<TransitionMatrix<L>> {
        check_length("the list of labels after", before.len(), after.len())?;
        let pairs =
            before.iter().map(Option::as_ref).zip(after.iter().map(Option::as_ref));
        TransitionMatrix::count_pairs(pairs)
    }

    /// Counts customers by their ids: those of each date with their segments, in any order.
    ///
    /// # Errors
    /// When ids and labels differ in number, or an id comes twice at a date.
    pub fn of_customers<K: Ord>(
        before: (&[K], &[L]),
        after: (&[K], &[L]),
    ) -> Result<TransitionMatrix<L>> {
        check_length("the list of labels before", before.0.len(), before.1.len())?;
        check_length("the list of labels after", after.0.len(), after.1.len())?;
        let rows = join(before.0, after.0)?;
        let pairs = rows
            .into_iter()
            .map(|(i, j)| (i.map(|i| &before.1[i]), j.map(|j| &after.1[j])));
        TransitionMatrix::count_pairs(pairs)
    }

    /// Adds up counts that were made elsewhere: the segment before, that after (`None` for not
    /// there), and how many customers; a pair may come more than once.
    ///
    /// # Errors
    /// When customers are there at neither time, or the counts add up to 2⁶⁴ or more.
    pub fn from_cells(
        cells: impl IntoIterator<Item = (Option<L>, Option<L>, u64)>,
    ) -> Result<TransitionMatrix<L>> {
        let mut counts: BTreeMap<(Option<L>, Option<L>), u64> = BTreeMap::new();
        let mut total = 0_u64;
        for (from, to, count) in cells.into_iter().filter(|cell| cell.2 > 0) {
            if from.is_none() && to.is_none() {
                return Err(nowhere(None));
            }
            total = total.checked_add(count).ok_or_else(too_many)?;
            *counts.entry((from, to)).or_insert(0) += count;
        }
        let labels = counts.keys().flat_map(|(from, to)| [from, to]).flatten();
        let mut segments: Vec<L> = labels.cloned().collect();
        segments.sort_unstable();
        segments.dedup();
        let place = |label: &Option<L>| {
            label.as_ref().map_or(0, |label| 1 + segments.partition_point(|s| s < label))
        };
        let mut before = vec![0; segments.len() + 1];
        let mut after = before.clone();
        let mut cells = Vec::with_capacity(counts.len());
        for ((from, to), count) in &counts {
            let (from, to) = (place(from), place(to));
            cells.push((from, to, *count));
            before[from] += count;
            after[to] += count;
        }
        Ok(TransitionMatrix { segments, cells, before, after })
    }

    fn count_pairs<'l>(
        pairs: impl Iterator<Item = (Option<&'l L>, Option<&'l L>)>,
    ) -> Result<TransitionMatrix<L>>
    where
        L: 'l,
    {
        let mut counts: BTreeMap<(Option<&L>, Option<&L>), u64> = BTreeMap::new();
        for (row, pair) in pairs.enumerate() {
            if pair == (None, None) {
                return Err(nowhere(Some(row)));
            }
            *counts.entry(pair).or_insert(0) += 1;
        }
        let cells = counts.into_iter();
        TransitionMatrix::from_cells(
            cells.map(|((from, to), count)| (from.cloned(), to.cloned(), count)),
        )
    }

    /// Adds the counts of other customers between the same dates.
    ///
    /// # Errors
    /// When the counts add up to 2⁶⁴ or more; then nothing changes.
    pub fn merge(&mut self, other: &TransitionMatrix<L>) -> Result<()> {
        let both = self.cells().chain(other.cells());
        *self = TransitionMatrix::from_cells(
            both.map(|(from, to, count)| (from.cloned(), to.cloned(), count)),
        )?;
        Ok(())
    }

    /// How many customers went from one segment to another, or stayed where both are the same;
    /// 0 where there is no such segment.
    #[must_use]
    pub fn count(&self, from: &L, to: &L) -> u64 {
        self.place(from).zip(self.place(to)).map_or(0, |(from, to)| self.at(from, to))
    }

    /// How many customers were not there before and are in a segment after.
    #[must_use]
    pub fn arrived(&self, to: &L) -> u64 {
        self.place(to).map_or(0, |to| self.at(0, to))
    }

    /// How many customers of a segment are not there after.
    #[must_use]
    pub fn gone(&self, from: &L) -> u64 {
        self.place(from).map_or(0, |from| self.at(from, 0))
    }

    /// How many customers were in a segment before, those who are gone among them.
    #[must_use]
    pub fn before(&self, segment: &L) -> u64 {
        self.place(segment).map_or(0, |place| self.before[place])
    }

    /// How many customers are in a segment after, those who arrived among them.
    #[must_use]
    pub fn after(&self, segment: &L) -> u64 {
        self.place(segment).map_or(0, |place| self.after[place])
    }

    /// The share of those who were in one segment who are in another one after, 0 to 1; `None`
    /// when nobody was in the first. Those who are gone count below the line:
    /// [`share_gone`](TransitionMatrix::share_gone) and the shares of all segments add up to 1.
    #[must_use]
    pub fn share(&self, from: &L, to: &L) -> Option<f64> {
        self.of_row(from, self.count(from, to))
    }

    /// The share of those who were in a segment who are gone; `None` when nobody was in it.
    #[must_use]
    pub fn share_gone(&self, from: &L) -> Option<f64> {
        self.of_row(from, self.gone(from))
    }

    /// The shares of a row in the order of [`segments`](TransitionMatrix::segments), without
    /// those who are gone; `None` when nobody was in the segment.
    #[must_use]
    pub fn row_shares(&self, from: &L) -> Option<Vec<f64>> {
        let shares = self.segments.iter().map(|to| self.share(from, to));
        if self.before(from) == 0 { None } else { shares.collect() }
    }

    fn of_row(&self, from: &L, count: u64) -> Option<f64> {
        let all = self.before(from);
        (all > 0).then(|| count as f64 / all as f64)
    }

    fn place(&self, segment: &L) -> Option<usize> {
        self.segments.binary_search(segment).ok().map(|at| at + 1)
    }
}

impl<L> TransitionMatrix<L> {
    /// The segments in which somebody was or is, in their order.
    #[must_use]
    pub fn segments(&self) -> &[L] {
        &self.segments
    }

    /// The pairs that occur, with their counts, in order: the segment before and that after,
    /// `None` for not there.
    pub fn cells(&self) -> impl Iterator<Item = (Option<&L>, Option<&L>, u64)> {
        let label =
            |place: usize| place.checked_sub(1).and_then(|at| self.segments.get(at));
        self.cells.iter().map(move |&(from, to, n)| (label(from), label(to), n))
    }

    /// Customers who are in the segment in which they were.
    #[must_use]
    pub fn stayed(&self) -> u64 {
        self.sum(|from, to| from == to)
    }

    /// Customers who went from one segment to another.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.sum(|from, to| from > 0 && to > 0 && from != to)
    }

    /// Customers who arrived, in any segment.
    #[must_use]
    pub fn all_arrived(&self) -> u64 {
        self.before[0]
    }

    /// Customers who are gone, from any segment.
    #[must_use]
    pub fn all_gone(&self) -> u64 {
        self.after[0]
    }

    /// The share of those who were there at both times who went to another segment; `None`
    /// when nobody was.
    #[must_use]
    pub fn share_moved(&self) -> Option<f64> {
        let both = self.moved() + self.stayed();
        (both > 0).then(|| self.moved() as f64 / both as f64)
    }

    fn at(&self, from: usize, to: usize) -> u64 {
        let at = self.cells.binary_search_by_key(&(from, to), |&(a, b, _)| (a, b));
        at.map_or(0, |at| self.cells[at].2)
    }

    /// Never above the total, which was checked.
    fn sum(&self, of: impl Fn(usize, usize) -> bool) -> u64 {
        self.cells.iter().filter(|cell| of(cell.0, cell.1)).map(|cell| cell.2).sum()
    }
}
