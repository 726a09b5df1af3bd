//! Agreement of two labelings, counted over pairs of rows.

use serde::{Deserialize, Serialize};

use super::ContingencyTable;
use crate::error::Result;

/// The pairs of different rows, by whether two labelings put them together. The four
/// counts add up to n (n - 1) / 2, and are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCounts {
    /// Together in both labelings: true positives, TP.
    pub together_in_both: u128,
    /// Together in the first only: false negatives, FN.
    pub only_in_true: u128,
    /// Together in the second only: false positives, FP.
    pub only_in_pred: u128,
    /// Apart in both: true negatives, TN.
    pub apart_in_both: u128,
}

/// n (n - 1) / 2.
fn pairs(n: u64) -> u128 {
    let n = u128::from(n);
    n * n.saturating_sub(1) / 2
}

impl<A, B> ContingencyTable<A, B> {
    /// The pairs of rows, by whether the labelings put them together.
    #[must_use]
    pub fn pair_counts(&self) -> PairCounts {
        let both: u128 = self.triples().map(|(count, _, _)| pairs(count)).sum();
        let of_true: u128 = self.row_sums().iter().map(|&n| pairs(n)).sum();
        let of_pred: u128 = self.column_sums().iter().map(|&n| pairs(n)).sum();
        PairCounts {
            together_in_both: both,
            only_in_true: of_true - both,
            only_in_pred: of_pred - both,
            apart_in_both: pairs(self.total()) + both - of_true - of_pred,
        }
    }

    /// As the function [`rand_score`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn rand_score(&self) -> Result<f64> {
        self.require_rows("the Rand index")?;
        if self.is_identical() {
            return Ok(1.0);
        }
        let counts = self.pair_counts();
        let agreed = counts.together_in_both + counts.apart_in_both;
        Ok(agreed as f64 / pairs(self.total()) as f64)
    }

    /// As the function [`adjusted_rand_score`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn adjusted_rand_score(&self) -> Result<f64> {
        self.require_rows("the adjusted Rand index")?;
        if self.is_identical() {
            return Ok(1.0);
        }
        let counts = self.pair_counts();
        let (tp, fneg) = (counts.together_in_both, counts.only_in_true);
        let (fp, tn) = (counts.only_in_pred, counts.apart_in_both);
        // Up to 2^32 rows there are fewer than 2^63 pairs, and nothing below overflows.
        if self.total() <= 1 << 32 {
            let gain = (tp * tn) as i128 - (fneg * fp) as i128;
            let most = (tp + fneg) * (fneg + tn) + (tp + fp) * (fp + tn);
            return Ok(2.0 * gain as f64 / most as f64);
        }
        let [tp, fneg, fp, tn] = [tp, fneg, fp, tn].map(|count| count as f64);
        let most = (tp + fneg) * (fneg + tn) + (tp + fp) * (fp + tn);
        Ok(2.0 * (tp * tn - fneg * fp) / most)
    }

    /// As the function [`fowlkes_mallows_score`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn fowlkes_mallows_score(&self) -> Result<f64> {
        self.require_rows("the Fowlkes-Mallows index")?;
        if self.is_identical() {
            return Ok(1.0);
        }
        let counts = self.pair_counts();
        if counts.together_in_both == 0 {
            return Ok(0.0);
        }
        let tp = counts.together_in_both as f64;
        let precision = tp / (counts.together_in_both + counts.only_in_pred) as f64;
        let recall = tp / (counts.together_in_both + counts.only_in_true) as f64;
        Ok(precision.sqrt() * recall.sqrt())
    }

    /// As the function [`pair_jaccard_score`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn pair_jaccard_score(&self) -> Result<f64> {
        self.require_rows("the Jaccard index of pairs")?;
        if self.is_identical() {
            return Ok(1.0);
        }
        let counts = self.pair_counts();
        let together =
            counts.together_in_both + counts.only_in_true + counts.only_in_pred;
        Ok(counts.together_in_both as f64 / together as f64)
    }
}

/// Share of the pairs of rows on which two labelings agree, (TP + TN) / all, from 0 to 1
/// (Rand 1971). See [`PairCounts`] for the letters.
///
/// A single row has no pairs; its labelings are identical, hence 1.
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn rand_score<L: Ord, M: Ord>(labels_true: &[L], labels_pred: &[M]) -> Result<f64> {
    ContingencyTable::of_codes(labels_true, labels_pred)?.rand_score()
}

/// The Rand index corrected for chance (Hubert & Arabie 1985): 1 for identical
/// partitions, 0 on average for independent ones of the same sizes, and negative below.
///
/// 2 (TP · TN - FN · FP) / ((TP + FN)(FN + TN) + (TP + FP)(FP + TN)), which is
/// (index - expected) / (maximum - expected) with the index TP and the maximum
/// ½ (TP + FN + TP + FP). Numerator and denominator are exact up to 2³² rows.
///
/// ```
/// use segmenta::metrics::adjusted_rand_score;
///
/// assert_eq!(adjusted_rand_score(&[0, 0, 1, 1], &['x', 'y', 'x', 'y'])?, -0.5);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn adjusted_rand_score<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
) -> Result<f64> {
    ContingencyTable::of_codes(labels_true, labels_pred)?.adjusted_rand_score()
}

/// Geometric mean of precision and recall of the pairs, TP / √((TP + FP)(TP + FN)), from
/// 0 to 1 (Fowlkes & Mallows 1983).
///
/// Different partitions with no pair together in both have 0, also where one of them has
/// no pair at all. Identical ones have 1, also where all groups are of one row.
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn fowlkes_mallows_score<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
) -> Result<f64> {
    ContingencyTable::of_codes(labels_true, labels_pred)?.fowlkes_mallows_score()
}

/// Pairs together in both labelings, as a share of those together in either,
/// TP / (TP + FN + FP), from 0 to 1 (Jaccard 1912, applied to pairs).
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn pair_jaccard_score<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
) -> Result<f64> {
    ContingencyTable::of_codes(labels_true, labels_pred)?.pair_jaccard_score()
}
