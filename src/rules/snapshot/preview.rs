//! How large segments are, or are likely to be.

use serde::{Deserialize, Serialize};

use crate::data::Table;
use crate::error::{Error, Result};
use crate::random::Random;
use crate::rules::book::RuleBook;
use crate::rules::computed::check_ids;
use crate::rules::members::{MembershipCount, Memberships};
use crate::segmenter::{SegmentId, SegmentIndex};

/// How many customers are in a segment, of how many it is not known, and how many are not, as
/// [`RuleBook::preview`] gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentPreview {
    /// The segment.
    pub segment: SegmentId,
    /// The rows that were asked about.
    pub count: MembershipCount,
    /// Rows of the table.
    pub n_rows: u64,
    /// The share of members among all rows.
    pub members: Estimate,
    /// The share of those of whom it is not known.
    pub undecided: Estimate,
    /// The share of those who are none.
    pub non_members: Estimate,
}

/// A share, 0 to 1, and between what it probably lies.
///
/// The interval is that of Wilson (1927) at a level of 95 %: with `n` rows drawn, of which a
/// share `p` was found, and `z = 1.95996…`, its ends are
/// `(p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n)`. It takes the rows as drawn from many
/// more than there are, and so is a bit too wide where a large part of the table was drawn.
/// Where all rows were asked about, both ends are the share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The share of the rows that were asked about; 0 where there are none.
    pub share: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The quantile of the normal distribution at 0.975.
const Z: f64 = 1.959_963_984_540_054;

/// Of the rows that a preview draws.
const STREAM: u64 = 0x7072_6576_6965_7700;

impl Estimate {
    fn new(found: u64, n: u64, n_rows: u64) -> Estimate {
        let share = if n == 0 { 0.0 } else { found as f64 / n as f64 };
        if n == n_rows {
            return Estimate { share, low: share, high: share };
        }
        if n == 0 {
            return Estimate { share, low: 0.0, high: 1.0 };
        }
        let n = n as f64;
        let square = Z * Z / n;
        let centre = share + square / 2.0;
        let half = Z * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt();
        // With none or all found, rounding may leave a trace beyond the end.
        let end = |x: f64| (x / (1.0 + square)).clamp(0.0, 1.0);
        Estimate {
            share,
            low: if found == 0 { 0.0 } else { end(centre - half) },
            high: if share == 1.0 { 1.0 } else { end(centre + half) },
        }
    }
}

impl RuleBook {
    /// How large the segments are, from `n` rows of the table drawn at random by the seed,
    /// each as likely as any other and none twice; from all rows where it has no more. The
    /// undecided explain why a segment may be smaller than expected. Weights do not matter.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema, Table};
    /// use segmenta::rules::{RuleBook, field};
    ///
    /// let schema = Schema::new([FeatureSpec::number("orders")])?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("odd", "Odd numbers of orders", field("orders").is_in([1, 3, 5, 7, 9]))
    ///     .build()?;
    /// let orders: Vec<f64> = (0..10_000).map(|i| f64::from(i % 10)).collect();
    /// let table = Table::builder(&schema, 10_000).numbers("orders", orders).build()?;
    /// let preview = &book.preview(&table, 400, 1)?[0];
    /// assert_eq!(preview.count.members + preview.count.non_members, 400);
    /// assert!(preview.members.low < 0.5 && 0.5 < preview.members.high);
    /// assert_eq!(book.preview(&table, 10_000, 1)?[0].members.low, 0.5);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`count`](RuleBook::count); or when `n` is 0 and there are rows.
    pub fn preview(
        &self,
        table: &Table<'_>,
        n: usize,
        seed: u64,
    ) -> Result<Vec<SegmentPreview>> {
        let counts = match self.drawn(table, n, seed)? {
            None => self.count(table)?,
            Some(rows) => {
                let count = self.count(&table.select_rows(&rows)?);
                count.map_err(|e| e.with_row(|at| rows.get(at).copied()))?
            }
        };
        Ok(self.previews(table, counts))
    }

    /// A preview, and which of the rows that were drawn are in which segments.
    pub(crate) fn preview_with_rows(
        &self,
        table: &Table<'_>,
        n: usize,
        seed: u64,
    ) -> Result<(Vec<SegmentPreview>, Memberships)> {
        let memberships = match self.drawn(table, n, seed)? {
            None => self.memberships(table)?,
            Some(rows) => {
                let memberships = self.memberships(&table.select_rows(&rows)?);
                memberships.map_err(|e| e.with_row(|at| rows.get(at).copied()))?
            }
        };
        let segments = (0..memberships.n_segments() as u32).map(SegmentIndex::new);
        let counts = segments.map(|segment| memberships.count(segment)).collect();
        Ok((self.previews(table, counts), memberships))
    }

    /// The rows that are drawn; nothing where it is all of them.
    fn drawn(
        &self,
        table: &Table<'_>,
        n: usize,
        seed: u64,
    ) -> Result<Option<Vec<usize>>> {
        if n >= table.len() {
            return Ok(None);
        }
        if n == 0 {
            return Err(Error::parameter("n", "at least 1", n));
        }
        // Rows that are drawn have ids, be it their numbers.
        check_ids(table, self.compiled().rules.iter())?;
        Ok(Some(draw(table.len(), n, seed)))
    }

    fn previews(
        &self,
        table: &Table<'_>,
        counts: Vec<MembershipCount>,
    ) -> Vec<SegmentPreview> {
        let n_rows = table.len() as u64;
        let segments = self.compiled().segments.iter().zip(counts);
        segments
            .map(|(segment, count)| {
                let MembershipCount { members, undecided, non_members } = count;
                let n = members + undecided + non_members;
                let share = |found| Estimate::new(found, n, n_rows);
                SegmentPreview {
                    segment: segment.id.clone(),
                    count,
                    n_rows,
                    members: share(members),
                    undecided: share(undecided),
                    non_members: share(non_members),
                }
            })
            .collect()
    }
}

/// `n` of the first rows, ascending (selection sampling; Knuth, TAOCP 2, 3.4.2, S).
fn draw(n_rows: usize, n: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed, STREAM);
    let mut rows = Vec::with_capacity(n);
    for row in 0..n_rows {
        if random.below(n_rows - row) < n - rows.len() {
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the formula, evaluated in Python 3: `c = p + z*z/(2*n)`,
    /// `h = z*sqrt(p*(1-p)/n + z*z/(4*n*n))`, `(c - h)/(1 + z*z/n)`, `(c + h)/(1 + z*z/n)`.
    #[test]
    fn intervals_are_those_of_wilson() {
        let ends = |found, n| {
            let Estimate { low, high, .. } = Estimate::new(found, n, u64::MAX);
            [low, high].map(|x| (x * 1e6).round() / 1e6)
        };
        assert_eq!(ends(5, 10), [0.236593, 0.763407]);
        assert_eq!(ends(0, 10), [0.0, 0.277533]);
        assert_eq!(ends(10, 10), [0.722467, 1.0]);
        assert_eq!(ends(1, 1000), [0.000177, 0.005643]);
    }

    #[test]
    fn all_rows_are_drawn_as_often() {
        let mut hits = [0; 10];
        for seed in 0..3000 {
            let rows = draw(10, 3, seed);
            assert!(rows.len() == 3 && rows.is_sorted_by(|a, b| a < b));
            rows.into_iter().for_each(|row| hits[row] += 1);
        }
        // 900 expected, with a standard deviation of 25.
        assert!(hits.iter().all(|hits| (800..1000).contains(hits)), "{hits:?}");
    }
}
