//! From which segment to which.

use serde::{Deserialize, Serialize};

use super::Snapshot;
use super::ids::Union;
use crate::error::Result;
use crate::segmenter::SegmentId;

/// How many customers went from which segment to which, for segments that exclude each other:
/// a customer is in the first whose rule holds, as in a
/// [`RuleSegmenter`](crate::rules::RuleSegmenter).
///
/// ```
/// use segmenta::data::{FeatureSpec, Ids, Schema, Table};
/// use segmenta::rules::{RuleBook, field};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("many", "Many orders", field("orders").ge(10))
///     .segment("some", "Some orders", field("orders").ge(1))
///     .build()?;
/// let snapshot = |orders: [f64; 3]| {
///     let ids = Ids::Numbers(vec![1, 2, 3].into());
///     let table = Table::builder(&schema, 3).numbers("orders", orders.to_vec()).ids(ids);
///     book.snapshot(&table.build()?)
/// };
/// let before = snapshot([12.0, 4.0, 0.0])?;
/// let transitions = before.transitions(&snapshot([3.0, 5.0, 0.0])?)?;
/// assert_eq!(transitions.count(Some("many"), Some("some")), 1);
/// assert_eq!(transitions.count(Some("some"), Some("some")), 1);
/// assert_eq!(transitions.count(None, None), 1);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transitions {
    from: Vec<SegmentId>,
    to: Vec<SegmentId>,
    /// Row by row. After the segments there is one row for those who were in none, and one
    /// for those who were not known; and so for the columns.
    counts: Vec<u64>,
}

impl Snapshot {
    /// How many went from which segment to which.
    ///
    /// # Errors
    /// As [`difference`](Snapshot::difference).
    pub fn transitions(&self, later: &Snapshot) -> Result<Transitions> {
        let Union { ids, places } = self.ids.union(&later.ids)?;
        let [from, to] = [self, later].map(|snapshot| {
            snapshot.segments.iter().map(|taken| taken.id.clone()).collect::<Vec<_>>()
        });
        let stands = [self, later].into_iter().zip(places).map(|(snapshot, places)| {
            // Not known, until found to be.
            let mut stands = vec![snapshot.segments.len() + 1; ids.len()];
            let firsts = snapshot.firsts();
            for (place, first) in firsts.into_iter().enumerate() {
                let place = places.as_ref().map_or(place, |places| places[place]);
                stands[place] = first;
            }
            stands
        });
        let stands: Vec<Vec<usize>> = stands.collect();
        let n_columns = to.len() + 2;
        let mut counts = vec![0; (from.len() + 2) * n_columns];
        if let [before, after] = &stands[..] {
            for (row, column) in before.iter().zip(after) {
                counts[row * n_columns + column] += 1;
            }
        }
        Ok(Transitions { from, to, counts })
    }

    /// The first segment of each customer; the number of segments where she is in none.
    fn firsts(&self) -> Vec<usize> {
        let n = self.segments.len();
        let mut firsts = vec![n; self.len()];
        for (i, taken) in self.segments.iter().enumerate().rev() {
            taken.members.iter().for_each(|place| firsts[place] = i);
        }
        firsts
    }
}

impl Transitions {
    /// The segments of the earlier snapshot, in their order.
    #[must_use]
    pub fn from(&self) -> &[SegmentId] {
        &self.from
    }

    /// The segments of the later snapshot, in their order.
    #[must_use]
    pub fn to(&self) -> &[SegmentId] {
        &self.to
    }

    /// How many customers of both snapshots went from one segment to another, or stayed
    /// where it is the same; none stands for no segment. 0 where there is no such segment.
    #[must_use]
    pub fn count(&self, from: Option<&str>, to: Option<&str>) -> u64 {
        self.at(place(&self.from, from), place(&self.to, to))
    }

    /// How many customers whom only the later snapshot has are in a segment, or in none.
    #[must_use]
    pub fn arrived(&self, to: Option<&str>) -> u64 {
        self.at(Some(self.from.len() + 1), place(&self.to, to))
    }

    /// How many customers whom only the earlier snapshot has were in a segment, or in none.
    #[must_use]
    pub fn gone(&self, from: Option<&str>) -> u64 {
        self.at(place(&self.from, from), Some(self.to.len() + 1))
    }

    fn at(&self, row: Option<usize>, column: Option<usize>) -> u64 {
        let at = row.zip(column).map(|(row, column)| row * (self.to.len() + 2) + column);
        at.and_then(|at| self.counts.get(at)).copied().unwrap_or(0)
    }
}

fn place(segments: &[SegmentId], id: Option<&str>) -> Option<usize> {
    match id {
        None => Some(segments.len()),
        Some(id) => segments.iter().position(|segment| segment.as_str() == id),
    }
}
