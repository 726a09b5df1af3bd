//! What segments are worth.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Bootstrap, between, check_confidence};
use super::choice::AnyPurchaseModel;
use super::gamma_gamma::GammaGamma;
use super::histories::PurchaseHistories;
use super::model::PurchaseModel;
use super::spend::SpendHistory;
use super::value::LifetimeValue;
use crate::error::{Error, Result};

/// What one segment is worth from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentValue<L> {
    /// The segment.
    pub segment: L,
    /// Its customers, by their weights.
    pub customers: f64,
    /// How many of them can still buy, as is to be expected.
    pub expected_alive: f64,
    /// Purchases to be expected of all of them up to the horizon.
    pub expected_purchases: f64,
    /// Their lifetime values together, in the money of the spend.
    pub value: f64,
    /// The share of it in the value of all segments.
    pub share_of_value: f64,
    /// The interval of the value, where a bootstrap was given.
    pub interval: Option<(f64, f64)>,
}

impl<L> SegmentValue<L> {
    /// The value of one customer, in the mean; `None` where the customers have no weight.
    #[must_use]
    pub fn mean_value(&self) -> Option<f64> {
        (self.customers > 0.0).then(|| self.value / self.customers)
    }
}

/// What the segments of a base are worth from now on, whatever made the segments: rules, RFM,
/// clusters. It is the question behind names such as *Loyal* and *At Risk*, which say what
/// customers did and not what they will do.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{
///     BgNbd, GammaGamma, LifetimeValue, PurchaseHistories, PurchaseHistory, SegmentValues,
///     SpendHistory,
/// };
///
/// let rows = [(9, 37.0), (6, 36.0), (8, 12.0), (2, 30.0), (0, 0.0), (0, 0.0)];
/// let rows = rows.map(|(x, last)| PurchaseHistory::new(x, last, 38.9));
/// let rows = rows.into_iter().collect::<segmenta::Result<Vec<_>>>()?;
/// let spends = rows.iter().map(|row| match row.frequency() {
///     0 => Ok(SpendHistory::none()),
///     x => SpendHistory::new(x, 40.0),
/// });
/// let spends = spends.collect::<segmenta::Result<Vec<_>>>()?;
/// let histories = PurchaseHistories::new(TimeUnit::Week, rows);
/// let purchases = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?;
/// let spend = GammaGamma::new(6.25, 3.74, 15.44)?;
///
/// let year = LifetimeValue::new(52.0, TimeUnit::Week);
/// let segments = ["Loyal", "Loyal", "At Risk", "New", "Hibernating", "Hibernating"];
/// let values = SegmentValues::of(&year, &purchases, &histories, &spend, &spends, &segments)?;
/// let loyal = values.get(&"Loyal").unwrap();
/// assert_eq!(loyal.customers, 2.0);
/// assert!(loyal.share_of_value > 0.8);
/// // She who bought often and fell silent is worth less than one who bought twice of late.
/// let order = ["Loyal", "At Risk", "New", "Hibernating"];
/// assert_eq!(values.contradictions(&order)?, [("At Risk", "New")]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "L: Deserialize<'de> + Ord"))]
pub struct SegmentValues<L> {
    #[serde(deserialize_with = "ascending")]
    segments: Vec<SegmentValue<L>>,
}

/// Segments are found by their order.
fn ascending<'de, D, L>(from: D) -> std::result::Result<Vec<SegmentValue<L>>, D::Error>
where
    D: serde::Deserializer<'de>,
    L: Deserialize<'de> + Ord,
{
    let segments = Vec::<SegmentValue<L>>::deserialize(from)?;
    if segments.windows(2).all(|pair| pair[0].segment < pair[1].segment) {
        return Ok(segments);
    }
    Err(serde::de::Error::custom("segments that do not ascend"))
}

impl<L: Ord + Clone + Sync> SegmentValues<L> {
    /// Adds up the customers' values by segment: `spends` and `segments` are those of the
    /// histories' customers, in their order. Segments come in the order of their labels.
    ///
    /// # Errors
    /// When there are not as many spends or labels as histories, or all together are worth
    /// more than a number holds; and as [`LifetimeValue::customer_lifetime_values`].
    pub fn of(
        value: &LifetimeValue,
        purchases: &dyn PurchaseModel,
        histories: &PurchaseHistories,
        spend: &GammaGamma,
        spends: &[SpendHistory],
        segments: &[L],
    ) -> Result<SegmentValues<L>> {
        let parts = Parts::new(histories, segments)?;
        let values =
            value.customer_lifetime_values(purchases, histories, spend, spends)?;
        let in_model = value.unit().days() / purchases.unit().days();
        let horizon = value.horizon() * in_model;
        let expected = purchases.expected_purchases_all(histories, horizon)?;
        let alive = purchases.probability_alive_all(histories)?;
        let customers = parts.sums(&vec![1.0; histories.len()]);
        let sums = [alive, expected, values].map(|each| parts.sums(&each));
        let total: f64 = sums[2].iter().sum();
        if !total.is_finite() {
            return Err(Error::undefined(
                "the value of all",
                "it is too large for a number",
            ));
        }
        let rows = parts.labels.iter().enumerate().map(|(i, label)| SegmentValue {
            segment: label.clone(),
            customers: customers[i],
            expected_alive: sums[0][i],
            expected_purchases: sums[1][i],
            value: sums[2][i],
            share_of_value: if total == 0.0 { 0.0 } else { sums[2][i] / total },
            interval: None,
        });
        Ok(SegmentValues { segments: rows.collect() })
    }

    /// The same with intervals: each segment's value lies between the percentiles of what the
    /// replicates say of it. The customers and their segments are given; what is uncertain is
    /// how they will behave.
    ///
    /// # Errors
    /// As [`of`](SegmentValues::of), and when the confidence is not between 0 and 1.
    pub fn with_intervals(
        value: &LifetimeValue,
        (purchases, spend): (&AnyPurchaseModel, &GammaGamma),
        histories: &PurchaseHistories,
        spends: &[SpendHistory],
        segments: &[L],
        bootstrap: &Bootstrap<(AnyPurchaseModel, GammaGamma)>,
        confidence: f64,
    ) -> Result<SegmentValues<L>> {
        check_confidence(confidence)?;
        let mut found =
            SegmentValues::of(value, purchases, histories, spend, spends, segments)?;
        let parts = Parts::new(histories, segments)?;
        let replicates = bootstrap.map(|(purchases, spend)| {
            let values =
                value.customer_lifetime_values(purchases, histories, spend, spends)?;
            Ok(parts.sums(&values))
        })?;
        for (i, segment) in found.segments.iter_mut().enumerate() {
            let values = replicates.iter().map(|sums| sums[i]).collect();
            segment.interval = Some(between(values, confidence));
        }
        Ok(found)
    }

    /// The segments, in the order of their labels.
    #[must_use]
    pub fn segments(&self) -> &[SegmentValue<L>] {
        &self.segments
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, segment: &L) -> Option<&SegmentValue<L>> {
        let at =
            self.segments.binary_search_by(|other| other.segment.cmp(segment)).ok()?;
        self.segments.get(at)
    }

    /// Where an order of segments, best first, is not that of their mean values: pairs of
    /// neighbours of which the second is worth more. Segments without customers have no
    /// mean and are passed over.
    ///
    /// # Errors
    /// When the order names a segment twice.
    pub fn contradictions(&self, best_first: &[L]) -> Result<Vec<(L, L)>> {
        let mut sorted: Vec<&L> = best_first.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::parameter(
                "best_first",
                "each segment at most once",
                "one that is named twice",
            ));
        }
        let means = best_first
            .iter()
            .filter_map(|segment| Some((segment, self.get(segment)?.mean_value()?)));
        let means: Vec<(&L, f64)> = means.collect();
        let pairs = means.windows(2).filter(|pair| pair[1].1 > pair[0].1);
        Ok(pairs.map(|pair| (pair[0].0.clone(), pair[1].0.clone())).collect())
    }
}

/// Which segment each customer is in.
struct Parts<'a, L> {
    labels: Vec<L>,
    of: Vec<usize>,
    weights: Option<&'a [f64]>,
}

impl<'a, L: Ord + Clone> Parts<'a, L> {
    fn new(histories: &'a PurchaseHistories, segments: &[L]) -> Result<Parts<'a, L>> {
        if segments.len() != histories.len() {
            return Err(Error::length("segments", histories.len(), segments.len()));
        }
        let mut labels = segments.to_vec();
        labels.sort_unstable();
        labels.dedup();
        let of = segments.iter().map(|s| labels.partition_point(|label| label < s));
        let of = of.collect();
        Ok(Parts { labels, of, weights: histories.weights() })
    }

    /// Weighted sums by segment, in the order of the customers.
    fn sums(&self, each: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.labels.len()];
        for (i, (&of, x)) in self.of.iter().zip(each).enumerate() {
            sums[of] += self.weights.map_or(1.0, |w| w[i]) * x;
        }
        sums
    }
}
