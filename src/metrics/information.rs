//! Agreement of two labelings, in information. All entropies are in nats.

use serde::{Deserialize, Serialize};

use super::ContingencyTable;
use crate::error::Result;

/// How the entropies of two labelings become the one number that the mutual information
/// is divided by (Vinh, Epps & Bailey 2010, table 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AverageMethod {
    /// The smaller one.
    Min,
    /// √(H(U) H(V)).
    Geometric,
    /// ½ (H(U) + H(V)).
    #[default]
    Arithmetic,
    /// The larger one.
    Max,
}

impl AverageMethod {
    fn of(self, u: f64, v: f64) -> f64 {
        match self {
            AverageMethod::Min => u.min(v),
            AverageMethod::Geometric => u.sqrt() * v.sqrt(),
            AverageMethod::Arithmetic => 0.5 * (u + v),
            AverageMethod::Max => u.max(v),
        }
    }
}

/// Homogeneity, completeness and their harmonic mean (Rosenberg & Hirschberg 2007), each
/// from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VMeasure {
    /// 1 - H(true | pred) / H(true): 1 when each predicted group is of one true label.
    pub homogeneity: f64,
    /// 1 - H(pred | true) / H(pred): 1 when each true label is in one predicted group.
    pub completeness: f64,
    /// 2 hc / (h + c); 0 where both are 0.
    pub v_measure: f64,
}

impl<A, B> ContingencyTable<A, B> {
    /// Entropy of the first labeling, -Σ aᵢ/n ln(aᵢ/n), in nats; 0 for an empty table.
    #[must_use]
    pub fn entropy_true(&self) -> f64 {
        entropy(self.row_sums(), self.total())
    }

    /// Entropy of the second labeling, in nats; 0 for an empty table.
    #[must_use]
    pub fn entropy_pred(&self) -> f64 {
        entropy(self.column_sums(), self.total())
    }

    /// H(true | pred) and H(pred | true). Every term is at least 0, and exactly 0 where
    /// the group of the one lies within the group of the other.
    fn conditional_entropies(&self) -> (f64, f64) {
        let n = self.total() as f64;
        self.triples().fold((0.0, 0.0), |(of_true, of_pred), (count, a, b)| {
            let (count, a, b) = (count as f64, a as f64, b as f64);
            let share = count / n;
            (of_true + share * (b / count).ln(), of_pred + share * (a / count).ln())
        })
    }

    /// As the function [`mutual_info_score`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn mutual_info_score(&self) -> Result<f64> {
        self.require_rows("the mutual information")?;
        let n = self.total() as f64;
        let information: f64 = self
            .triples()
            .map(|(count, a, b)| {
                let (count, a, b) = (count as f64, a as f64, b as f64);
                count / n * ((count / a) * (n / b)).ln()
            })
            .sum();
        // Never negative by definition (Gibbs): what is below 0 is rounding.
        Ok(information.max(0.0))
    }

    /// Mean of the mutual information over all pairs of partitions with these sizes of
    /// groups, in nats: the hypergeometric sum of Vinh, Epps & Bailey (2010, eq. 24a).
    ///
    /// The distribution of a cell is followed outwards from its mode by the ratios of
    /// neighbouring probabilities, and divided by its sum: no factorials, so that no
    /// digits are lost for large n, and only about √n terms a cell.
    ///
    /// # Errors
    /// When the table is empty.
    pub fn expected_mutual_info(&self) -> Result<f64> {
        self.require_rows("the expected mutual information")?;
        let n = self.total();
        let columns = sizes(self.column_sums());
        let mut expected = 0.0;
        for (a, a_times) in sizes(self.row_sums()) {
            for &(b, b_times) in &columns {
                expected += a_times * b_times * expected_cell(a, b, n);
            }
        }
        Ok(expected)
    }

    /// As the function [`adjusted_mutual_info_score`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn adjusted_mutual_info_score(&self, average: AverageMethod) -> Result<f64> {
        self.require_rows("the adjusted mutual information")?;
        if self.is_identical() {
            return Ok(1.0);
        }
        if self.has_trivial_side() {
            return Ok(0.0);
        }
        let expected = self.expected_mutual_info()?;
        let most = average.of(self.entropy_true(), self.entropy_pred());
        Ok((self.mutual_info_score()? - expected) / (most - expected))
    }

    /// As the function [`normalized_mutual_info_score`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn normalized_mutual_info_score(&self, average: AverageMethod) -> Result<f64> {
        self.require_rows("the normalized mutual information")?;
        if self.is_identical() {
            return Ok(1.0);
        }
        let most = average.of(self.entropy_true(), self.entropy_pred());
        if most == 0.0 {
            return Ok(0.0);
        }
        Ok(self.mutual_info_score()? / most)
    }

    /// As the function [`homogeneity_completeness_v_measure`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn homogeneity_completeness_v_measure(&self) -> Result<VMeasure> {
        self.require_rows("the V-measure")?;
        // The share of an entropy that is explained; a labeling of one group has none,
        // and all of it is explained. Below 0 is rounding.
        let explained = |left: f64, of: f64| {
            if of == 0.0 { 1.0 } else { (1.0 - left / of).max(0.0) }
        };
        let (of_true, of_pred) = self.conditional_entropies();
        let homogeneity = explained(of_true, self.entropy_true());
        let completeness = explained(of_pred, self.entropy_pred());
        let sum = homogeneity + completeness;
        let v_measure =
            if sum == 0.0 { 0.0 } else { 2.0 * homogeneity * completeness / sum };
        Ok(VMeasure { homogeneity, completeness, v_measure })
    }

    /// As the function [`variation_of_information`].
    ///
    /// # Errors
    /// When the table is empty.
    pub fn variation_of_information(&self) -> Result<f64> {
        self.require_rows("the variation of information")?;
        let (of_true, of_pred) = self.conditional_entropies();
        Ok(of_true + of_pred)
    }
}

fn entropy(sums: &[u64], total: u64) -> f64 {
    let n = total as f64;
    sums.iter().map(|&sum| sum as f64 / n * (n / sum as f64).ln()).sum()
}

/// The different sizes, ascending, and how often each occurs.
fn sizes(sums: &[u64]) -> Vec<(u64, f64)> {
    let mut sorted = sums.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64)).collect()
}

/// E[x/n ln(n x / (a b))], where x is how many of a rows are among b of n.
fn expected_cell(a: u64, b: u64, n: u64) -> f64 {
    /// Weights this small against the mode's add nothing, however many they are.
    const NEGLIGIBLE: f64 = 1e-30;
    let (least, most) = (a.saturating_sub(n - b), a.min(b));
    let mode = (u128::from(a) + 1) * (u128::from(b) + 1) / (u128::from(n) + 2);
    let mode = mode.clamp(u128::from(least), u128::from(most)) as f64;
    let (least, most) = (least as f64, most as f64);
    let (a, b, n) = (a as f64, b as f64, n as f64);
    let neither = n - a - b;
    let mean = a * b / n;
    let term = |x: f64| if x > 0.0 { x * (x / mean).ln() } else { 0.0 };

    let (mut total, mut sum) = (1.0, term(mode));
    let (mut x, mut weight) = (mode, 1.0);
    while x < most && weight > NEGLIGIBLE {
        weight *= (a - x) / (x + 1.0) * ((b - x) / (neither + x + 1.0));
        x += 1.0;
        total += weight;
        sum += weight * term(x);
    }
    (x, weight) = (mode, 1.0);
    while x > least && weight > NEGLIGIBLE {
        weight *= x / (a - x + 1.0) * ((neither + x) / (b - x + 1.0));
        x -= 1.0;
        total += weight;
        sum += weight * term(x);
    }
    sum / total / n
}

/// Mutual information of two labelings, Σ nᵢⱼ/n ln(n nᵢⱼ / (aᵢ bⱼ)), in nats, at least 0.
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn mutual_info_score<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
) -> Result<f64> {
    ContingencyTable::of_codes(labels_true, labels_pred)?.mutual_info_score()
}

/// Mutual information corrected for chance, (MI - E\[MI\]) / (mean H - E\[MI\]) (Vinh,
/// Epps & Bailey 2010): 1 for identical partitions, 0 on average for independent ones of
/// the same sizes, and negative below. See
/// [`expected_mutual_info`](ContingencyTable::expected_mutual_info) for the expectation.
///
/// Where one partition is a single group, or only groups of one row, the mutual
/// information is the same for every reshuffling, hence equal to its expectation: the
/// score is 0, unless the partitions are identical.
///
/// ```
/// use segmenta::metrics::{AverageMethod, adjusted_mutual_info_score};
///
/// let (u, v) = ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2]);
/// let score = adjusted_mutual_info_score(&u, &v, AverageMethod::default())?;
/// assert!((score - 0.2987924581708901).abs() < 1e-12);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn adjusted_mutual_info_score<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
    average: AverageMethod,
) -> Result<f64> {
    ContingencyTable::of_codes(labels_true, labels_pred)?
        .adjusted_mutual_info_score(average)
}

/// Mutual information as a share of the mean entropy, MI / mean H, from 0 to 1. Not
/// corrected for chance: it grows with the number of groups.
///
/// Where the mean entropy is 0 and the partitions differ, the score is 0.
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn normalized_mutual_info_score<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
    average: AverageMethod,
) -> Result<f64> {
    ContingencyTable::of_codes(labels_true, labels_pred)?
        .normalized_mutual_info_score(average)
}

/// Homogeneity, completeness and V-measure. Exchanging the labelings exchanges the first
/// two and keeps the third.
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn homogeneity_completeness_v_measure<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
) -> Result<VMeasure> {
    ContingencyTable::of_codes(labels_true, labels_pred)?
        .homogeneity_completeness_v_measure()
}

/// The V-measure alone, which is the normalized mutual information with the arithmetic
/// mean.
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn v_measure_score<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
) -> Result<f64> {
    Ok(homogeneity_completeness_v_measure(labels_true, labels_pred)?.v_measure)
}

/// H(U | V) + H(V | U), in nats (Meilă 2007): a distance between partitions, from 0
/// (identical) to ln n, which satisfies the triangle inequality.
///
/// # Errors
/// When the labelings differ in length or are empty.
pub fn variation_of_information<L: Ord, M: Ord>(
    labels_true: &[L],
    labels_pred: &[M],
) -> Result<f64> {
    ContingencyTable::of_codes(labels_true, labels_pred)?.variation_of_information()
}
