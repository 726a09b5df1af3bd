//! Carrying segment ids from a model to its refit.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::matching::best_matching;
use super::{Segment, SegmentId, Segmenter, SegmenterExt, check_segments};
use crate::data::Table;
use crate::error::{Error, Result};

/// A segmenter whose segments can be given other ids and names.
pub trait Relabel: Segmenter {
    /// Replaces the segments' ids, names and counts, in the order of their indices.
    ///
    /// # Errors
    /// When their number differs, or an id is empty or used twice.
    fn relabel(&mut self, segments: Vec<Segment>) -> Result<()>;
}

/// What an implementation of [`Relabel::relabel`] does with its list of segments.
pub(crate) fn replace_segments(
    current: &mut Vec<Segment>,
    segments: Vec<Segment>,
) -> Result<()> {
    if segments.len() != current.len() {
        return Err(Error::length("the list of segments", current.len(), segments.len()));
    }
    check_segments(&segments)?;
    *current = segments;
    Ok(())
}

/// Gives the segments of a refit the ids and names of the previous model's segments that
/// they continue, and fresh ids to the others.
///
/// Both models assign one reference table. Segments are paired so that the sum of their
/// Jaccard coefficients |A ∩ B| / |A ∪ B| (of weight) is greatest; a pair keeps its id
/// when its coefficient is at least [`min_jaccard`](Aligner::min_jaccard). The order of
/// the new model's segments does not change.
///
/// ```
/// use segmenta::cluster::kmeans::KMeans;
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::segmenter::{Aligner, Change};
/// use segmenta::{Fit, Segmenter};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let table = |orders: &[f64]| {
///     Table::builder(&schema, orders.len()).numbers("orders", orders.to_vec()).build()
/// };
/// let last_year = table(&[1.0, 2.0, 2.0, 30.0, 31.0])?;
/// let this_year = table(&[1.0, 2.0, 30.0, 31.0, 33.0])?;
/// let old = KMeans::new(2).fit(&last_year)?.into_model();
/// let mut new = KMeans::new(2).fit(&this_year)?.into_model();
///
/// // The large segment is listed first: that of few orders then, that of many now.
/// let alignment = Aligner::new().align(&old, &mut new, &this_year)?;
/// let ids: Vec<&str> = new.segments().iter().map(|s| s.id.as_str()).collect();
/// assert_eq!(ids, ["segment-2", "segment-1"]);
/// assert!(alignment.is_one_to_one());
/// assert!(matches!(alignment.changes()[0], Change::Kept { jaccard: 1.0, .. }));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aligner {
    min_jaccard: f64,
    reserved: BTreeSet<SegmentId>,
}

impl Aligner {
    /// Keeps ids from a Jaccard coefficient of 0.5 on: below it, Hennig (2007,
    /// *Cluster-wise assessment of cluster stability*) calls a cluster dissolved.
    #[must_use]
    pub fn new() -> Aligner {
        Aligner { min_jaccard: 0.5, reserved: BTreeSet::new() }
    }

    /// The coefficient from which on a segment counts as continued, above 0 and at most 1.
    #[must_use]
    pub fn min_jaccard(mut self, min_jaccard: f64) -> Aligner {
        self.min_jaccard = min_jaccard;
        self
    }

    /// Ids that may not be given to a new segment, besides those of the previous model:
    /// those that were retired earlier.
    #[must_use]
    pub fn reserve(mut self, ids: impl IntoIterator<Item = SegmentId>) -> Aligner {
        self.reserved.extend(ids);
        self
    }

    /// Aligns `new` to `old` by what they say of the rows of `on`.
    ///
    /// # Errors
    /// When the table is empty, a row cannot be assigned by either, one assigns a segment
    /// that it does not have, or `min_jaccard` is out of range.
    pub fn align(
        &self,
        old: &dyn Segmenter,
        new: &mut dyn Relabel,
        on: &Table<'_>,
    ) -> Result<Alignment> {
        if !(self.min_jaccard > 0.0 && self.min_jaccard <= 1.0) {
            let expected = "above 0 and at most 1";
            return Err(Error::parameter("min_jaccard", expected, self.min_jaccard));
        }
        if on.is_empty() {
            return Err(Error::undefined(
                "the alignment",
                "the reference table has no rows",
            ));
        }
        let overlap = overlap(old, &*new, on)?;
        let (n_old, n_new) = (old.segments().len(), new.segments().len());
        let jaccard = overlap.jaccard();
        let mut old_of = vec![None; n_new];
        for (i, j) in best_matching(&jaccard, n_old, n_new).into_iter().enumerate() {
            if let Some(j) = j
                && jaccard[i * n_new + j] >= self.min_jaccard
            {
                old_of[j] = Some(i);
            }
        }
        let mut fresh = FreshIds::new(old.segments(), &self.reserved);
        let mut changes = Vec::new();
        let mut segments = Vec::with_capacity(n_new);
        for (j, (segment, origin)) in new.segments().iter().zip(&old_of).enumerate() {
            let mut segment = segment.clone();
            match *origin {
                Some(i) => {
                    let before = &old.segments()[i];
                    segment.id = before.id.clone();
                    segment.name = before.name.clone();
                    let jaccard = jaccard[i * n_new + j];
                    changes.push(Change::Kept { id: before.id.clone(), jaccard });
                }
                None => {
                    let (id, name) = fresh.next();
                    segment.id = id.clone();
                    segment.name = name;
                    changes.push(Change::New {
                        id,
                        from: overlap.sources(j, old.segments()),
                    });
                }
            }
            segments.push(segment);
        }
        for (i, segment) in old.segments().iter().enumerate() {
            if !old_of.contains(&Some(i)) {
                let into = overlap.destinations(i, &segments);
                changes.push(Change::Retired { id: segment.id.clone(), into });
            }
        }
        new.relabel(segments)?;
        Ok(Alignment { changes, overlap: overlap.rows(), n_old, n_new })
    }
}

impl Default for Aligner {
    fn default() -> Aligner {
        Aligner::new()
    }
}

/// What became of the segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    changes: Vec<Change>,
    overlap: Vec<Vec<f64>>,
    n_old: usize,
    n_new: usize,
}

impl Alignment {
    /// One entry for each new segment in its order, then one for each retired one.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Weight of the reference rows in each old segment (outer) and new segment (inner).
    #[must_use]
    pub fn overlap(&self) -> &[Vec<f64>] {
        &self.overlap
    }

    /// True when every old segment is continued and none is new.
    #[must_use]
    pub fn is_one_to_one(&self) -> bool {
        self.changes.iter().all(|change| matches!(change, Change::Kept { .. }))
    }
}

/// What became of one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It continues under its id.
    Kept {
        /// The id.
        id: SegmentId,
        /// Jaccard coefficient of its old and new members.
        jaccard: f64,
    },
    /// It is new. Two or more sources mean that segments were merged or cut anew.
    New {
        /// The fresh id.
        id: SegmentId,
        /// Old segments that give it at least a quarter of its weight, with that share.
        from: Vec<(SegmentId, f64)>,
    },
    /// It is no more. Two or more destinations mean that it was split.
    Retired {
        /// The id, not to be given again.
        id: SegmentId,
        /// New segments that take at least a quarter of its weight, with that share.
        into: Vec<(SegmentId, f64)>,
    },
}

struct Overlap {
    /// Row-major, old × new, with one more row and column for "in no segment".
    weight: Vec<f64>,
    n_old: usize,
    n_new: usize,
}

fn overlap(old: &dyn Segmenter, new: &dyn Relabel, on: &Table<'_>) -> Result<Overlap> {
    let (n_old, n_new) = (old.segments().len(), new.segments().len());
    let before = old.assign_all(on)?;
    let after = new.assign_all(on)?;
    let mut weight = vec![0.0; (n_old + 1) * (n_new + 1)];
    for (row, (a, b)) in before.iter().zip(&after).enumerate() {
        // A model that breaks its contract must not be counted in another's place.
        for (assignment, n) in [(a, n_old), (b, n_new)] {
            assignment.check_below(n).map_err(|e| e.at_row(row))?;
        }
        let i = a.segment().map_or(n_old, |s| s.get());
        let j = b.segment().map_or(n_new, |s| s.get());
        weight[i * (n_new + 1) + j] += on.sample_weight().map_or(1.0, |w| w[row]);
    }
    Ok(Overlap { weight, n_old, n_new })
}

impl Overlap {
    fn at(&self, i: usize, j: usize) -> f64 {
        self.weight[i * (self.n_new + 1) + j]
    }

    fn old_total(&self, i: usize) -> f64 {
        (0..=self.n_new).map(|j| self.at(i, j)).sum()
    }

    fn new_total(&self, j: usize) -> f64 {
        (0..=self.n_old).map(|i| self.at(i, j)).sum()
    }

    fn jaccard(&self) -> Vec<f64> {
        let mut out = Vec::with_capacity(self.n_old * self.n_new);
        for i in 0..self.n_old {
            for j in 0..self.n_new {
                let union = self.old_total(i) + self.new_total(j) - self.at(i, j);
                out.push(if union > 0.0 { self.at(i, j) / union } else { 0.0 });
            }
        }
        out
    }

    fn rows(&self) -> Vec<Vec<f64>> {
        (0..self.n_old)
            .map(|i| (0..self.n_new).map(|j| self.at(i, j)).collect())
            .collect()
    }

    fn sources(&self, j: usize, old: &[Segment]) -> Vec<(SegmentId, f64)> {
        let shares = old.iter().enumerate().map(|(i, s)| (&s.id, self.at(i, j)));
        large_parts(shares, self.new_total(j))
    }

    fn destinations(&self, i: usize, new: &[Segment]) -> Vec<(SegmentId, f64)> {
        let shares = new.iter().enumerate().map(|(j, s)| (&s.id, self.at(i, j)));
        large_parts(shares, self.old_total(i))
    }
}

/// The parts that make up at least a quarter of `total`, largest first.
fn large_parts<'s>(
    parts: impl Iterator<Item = (&'s SegmentId, f64)>,
    total: f64,
) -> Vec<(SegmentId, f64)> {
    let mut large: Vec<(SegmentId, f64)> = parts
        .map(|(id, part)| (id.clone(), if total > 0.0 { part / total } else { 0.0 }))
        .filter(|(_, share)| *share >= 0.25)
        .collect();
    large.sort_by(|a, b| b.1.total_cmp(&a.1));
    large
}

/// Ids `segment-N` with numbers that nobody has, above all that are in use.
struct FreshIds {
    taken: BTreeSet<u64>,
}

impl FreshIds {
    fn new(old: &[Segment], reserved: &BTreeSet<SegmentId>) -> FreshIds {
        let ids = old.iter().map(|s| &s.id).chain(reserved);
        let number = |id: &SegmentId| id.as_str().strip_prefix("segment-")?.parse().ok();
        let mut taken: BTreeSet<u64> = ids.filter_map(number).collect();
        if taken.is_empty() {
            // Segments of other names came first.
            taken.insert(old.len() as u64);
        }
        FreshIds { taken }
    }

    fn next(&mut self) -> (SegmentId, String) {
        let above = self.taken.last().map_or(Some(1), |largest| largest.checked_add(1));
        // Only where somebody reserved the largest number is there none above.
        let n = above.or_else(|| (1..u64::MAX).find(|n| !self.taken.contains(n)));
        let n = n.unwrap_or(u64::MAX);
        self.taken.insert(n);
        (SegmentId::new(format!("segment-{n}")), format!("Segment {n}"))
    }
}
