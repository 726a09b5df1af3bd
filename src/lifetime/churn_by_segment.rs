//! What a scorer is worth in each segment.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::churn::{ChurnReport, ChurnScorer};
use super::histories::PurchaseHistories;
use crate::error::{Error, Result};

/// What a [`ChurnScorer`] is worth in one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentChurn<L> {
    /// The segment.
    pub segment: L,
    /// Its customers.
    pub n_customers: usize,
    /// How many of them bought in the hold-out.
    pub n_active: usize,
    /// Their purchases in the hold-out.
    pub actual_purchases: f64,
    /// Purchases that were expected of them.
    pub expected_purchases: f64,
    /// Ranking and calibration among the segment's customers only; `None` where too few of
    /// them bought, or too few did not.
    pub report: Option<ChurnReport>,
}

impl<L> SegmentChurn<L> {
    /// Expected purchases over actual ones: above 1 the model promises too much of the
    /// segment. `None` where nobody bought.
    #[must_use]
    pub fn expected_by_actual(&self) -> Option<f64> {
        (self.actual_purchases > 0.0)
            .then(|| self.expected_purchases / self.actual_purchases)
    }
}

impl<L: fmt::Display> fmt::Display for SegmentChurn<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.segment)?;
        if let Some(report) = &self.report {
            return write!(f, "{report}");
        }
        let SegmentChurn { n_customers, n_active, .. } = self;
        write!(
            f,
            "{n_customers} customers, {n_active} active: too few to rank; {} purchases, \
             {:.0} expected",
            self.actual_purchases, self.expected_purchases
        )
    }
}

/// What a [`ChurnScorer`] is worth in each segment, made by
/// [`ChurnScorer::evaluate_by_segment`].
///
/// A report on all customers can hide both that a model promises too much of one segment and
/// too little of another, and that it ranks well only because segments differ: within a
/// segment of customers who are alike in recency and frequency there is less left to rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "L: Deserialize<'de> + Ord"))]
pub struct ChurnBySegment<L> {
    #[serde(deserialize_with = "ascending")]
    segments: Vec<SegmentChurn<L>>,
}

/// Segments are found by their order.
fn ascending<'de, D, L>(from: D) -> std::result::Result<Vec<SegmentChurn<L>>, D::Error>
where
    D: serde::Deserializer<'de>,
    L: Deserialize<'de> + Ord,
{
    let segments = Vec::<SegmentChurn<L>>::deserialize(from)?;
    if segments.windows(2).all(|pair| pair[0].segment < pair[1].segment) {
        return Ok(segments);
    }
    Err(serde::de::Error::custom("segments that do not ascend"))
}

impl<L: Ord> ChurnBySegment<L> {
    /// The segments, in the order of their labels.
    #[must_use]
    pub fn segments(&self) -> &[SegmentChurn<L>] {
        &self.segments
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, segment: &L) -> Option<&SegmentChurn<L>> {
        let at =
            self.segments.binary_search_by(|other| other.segment.cmp(segment)).ok()?;
        self.segments.get(at)
    }
}

impl ChurnScorer {
    /// [`evaluate`](ChurnScorer::evaluate) for each segment, whatever made the segments: names,
    /// numbers, or the labels of a fitted segmenter with `None` for whom it does not assign.
    /// `actual` and `segments` are those of the histories' customers, in their order. Weights
    /// are not used.
    ///
    /// A segment has a report where at least `min_of_each` of its customers bought, and as many
    /// did not, or one where it is 0. With few of either kind a ranking is chance: an area
    /// under the curve of 0.7 with 10 of each has a standard error of 0.12 (Hanley & McNeil
    /// 1982). Its purchases are counted in any case.
    ///
    /// ```
    /// use segmenta::history::TimeUnit;
    /// use segmenta::lifetime::{BgNbd, ChurnScorer, PurchaseHistories};
    ///
    /// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?;
    /// let histories = PurchaseHistories::from_columns(
    ///     TimeUnit::Week,
    ///     &[6, 5, 4, 0, 0],
    ///     &[36.0, 37.0, 18.0, 0.0, 0.0],
    ///     &[39.0; 5],
    /// )?;
    /// let scorer = ChurnScorer::new(model.into(), &histories, 39.0)?;
    /// let segments = ["often", "often", "often", "once", "once"];
    /// let found = scorer.evaluate_by_segment(&histories, &[4, 5, 0, 0, 0], &segments, 1)?;
    ///
    /// let often = found.get(&"often").unwrap();
    /// assert_eq!((often.n_active, often.actual_purchases), (2, 9.0));
    /// assert_eq!(often.report.as_ref().unwrap().rankings[0].auc, 1.0);
    /// // None of those who bought once came again, so that there is nothing to rank.
    /// let once = found.get(&"once").unwrap();
    /// assert_eq!((&once.report, once.expected_by_actual()), (&None, None));
    /// assert!((once.expected_purchases - 0.389).abs() < 1e-3);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there are not as many numbers or labels as customers, or the histories are in
    /// another unit.
    pub fn evaluate_by_segment<L: Ord + Clone>(
        &self,
        histories: &PurchaseHistories,
        actual: &[u64],
        segments: &[L],
        min_of_each: usize,
    ) -> Result<ChurnBySegment<L>> {
        let n = histories.len();
        if segments.len() != n {
            return Err(Error::length("segments", n, segments.len()));
        }
        let judged = self.judge(histories, actual)?;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| segments[a].cmp(&segments[b]));
        let parts = order.chunk_by(|&a, &b| segments[a] == segments[b]);
        let segments = parts.map(|at| {
            let n_active = at.iter().filter(|&&i| actual[i] > 0).count();
            let enough = n_active.min(at.len() - n_active) >= min_of_each;
            SegmentChurn {
                segment: segments[at[0]].clone(),
                n_customers: at.len(),
                n_active,
                actual_purchases: at.iter().map(|&i| actual[i] as f64).sum(),
                expected_purchases: at.iter().map(|&i| judged.expected[i]).sum(),
                report: if enough { judged.report(at) } else { None },
            }
        });
        Ok(ChurnBySegment { segments: segments.collect() })
    }
}
