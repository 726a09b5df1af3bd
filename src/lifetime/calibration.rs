//! Does a model say what happens?

use serde::{Deserialize, Serialize};

use super::histories::PurchaseHistories;
use super::model::{PurchaseModel, check_time, check_unit};
use crate::error::{Error, ErrorKind, Result};

/// Customers of one number of repeat purchases, and what they did afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationRow {
    /// Repeat purchases of the calibration; the last row stands for as many and more.
    pub frequency: u64,
    /// Customers, by their weights.
    pub n_customers: f64,
    /// Mean number of purchases in the hold-out.
    pub actual: f64,
    /// Mean number that the model expects.
    pub expected: f64,
}

/// What customers did in a hold-out, by what they had done before: actual purchases beside
/// those that the model expects (Fader, Hardie & Lee 2005, figure 5). `actual` are the
/// customers' purchases in the hold-out, which is as long as `horizon`; those who bought
/// `top` times or more are one row. Frequencies that nobody has are left out.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{BgNbd, PurchaseHistories, calibration_by_frequency};
///
/// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?;
/// let histories = PurchaseHistories::from_columns(
///     TimeUnit::Week, &[0, 0, 2], &[0.0, 0.0, 30.0], &[39.0, 39.0, 39.0],
/// )?;
/// let rows = calibration_by_frequency(&model, &histories, &[0, 1, 1], 39.0, 7)?;
/// assert_eq!((rows[0].n_customers, rows[0].actual), (2.0, 0.5));
/// assert_eq!(rows[1].frequency, 2);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When there are not as many numbers as customers, the histories are in another unit, or
/// the horizon, in the model's unit, is not within 0 and 1e12.
pub fn calibration_by_frequency(
    model: &dyn PurchaseModel,
    histories: &PurchaseHistories,
    actual: &[u64],
    horizon: f64,
    top: u64,
) -> Result<Vec<CalibrationRow>> {
    if actual.len() != histories.len() {
        return Err(Error::length("the actual purchases", histories.len(), actual.len()));
    }
    let expected = model.expected_purchases_all(histories, horizon)?;
    let mut order: Vec<usize> = (0..histories.len()).collect();
    let rows = histories.as_slice();
    let frequency = |i: usize| rows[i].frequency().min(top);
    order.sort_by_key(|&i| frequency(i));
    let mut table: Vec<CalibrationRow> = Vec::new();
    for i in order {
        let weight = histories.weights().map_or(1.0, |w| w[i]);
        if weight == 0.0 {
            continue;
        }
        if table.last().is_none_or(|row| row.frequency != frequency(i)) {
            table.push(CalibrationRow {
                frequency: frequency(i),
                n_customers: 0.0,
                actual: 0.0,
                expected: 0.0,
            });
        }
        if let Some(row) = table.last_mut() {
            row.n_customers += weight;
            row.actual += weight * actual[i] as f64;
            row.expected += weight * expected[i];
        }
    }
    for row in &mut table {
        row.actual /= row.n_customers;
        row.expected /= row.n_customers;
    }
    Ok(table)
}

/// How many customers have one number of repeat purchases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrequencyRow {
    /// Repeat purchases; the last row stands for as many and more.
    pub frequency: u64,
    /// Customers, by their weights.
    pub actual: f64,
    /// How many the model expects, each customer seen for as long as she was.
    pub expected: f64,
}

/// How many customers have 0, 1, … repeat purchases, beside how many the model expects; those
/// of `top` and more are one row.
///
/// # Errors
/// When the histories are in another unit, or `top` is above 10,000.
pub fn calibration_of_frequencies(
    model: &dyn PurchaseModel,
    histories: &PurchaseHistories,
    top: u64,
) -> Result<Vec<FrequencyRow>> {
    check_unit(model.unit(), histories)?;
    if top > 10_000 {
        return Err(Error::parameter("top", "at most 10000", top));
    }
    let mut table: Vec<FrequencyRow> = (0..=top)
        .map(|frequency| FrequencyRow { frequency, actual: 0.0, expected: 0.0 })
        .collect();
    for (age, weight) in ages(histories, |i, weight| {
        let frequency = histories.as_slice()[i].frequency().min(top);
        table[frequency as usize].actual += weight;
    }) {
        let mut rest = 1.0;
        for row in &mut table[..top as usize] {
            let p = model.probability_of_n_purchases_new_customer(row.frequency, age)?;
            row.expected += weight * p;
            rest -= p;
        }
        table[top as usize].expected += weight * rest.max(0.0);
    }
    Ok(table)
}

/// The different ages with the weight of the customers that have each, ascending; `each` sees
/// all customers.
fn ages(
    histories: &PurchaseHistories,
    mut each: impl FnMut(usize, f64),
) -> Vec<(f64, f64)> {
    let mut ages: Vec<(f64, f64)> = Vec::with_capacity(histories.len());
    for (i, history) in histories.as_slice().iter().enumerate() {
        let weight = histories.weights().map_or(1.0, |w| w[i]);
        each(i, weight);
        ages.push((history.age(), weight));
    }
    ages.sort_by(|a, b| a.0.total_cmp(&b.0));
    ages.dedup_by(|next, before| {
        let same = next.0 == before.0;
        if same {
            before.1 += next.1;
        }
        same
    });
    ages
}

/// Repeat purchases that the model expects of all customers up to each of some times, added up:
/// the tracking plot (Fader, Hardie & Lee 2005, figure 4). Time 0 is the first purchase of the
/// oldest customer; each customer begins as much later as she is younger, so that times beyond
/// the oldest age are forecasts.
///
/// # Errors
/// When the histories are in another unit, or a time, in the model's unit, is not within 0 and
/// 1e12.
pub fn expected_cumulative_purchases(
    model: &dyn PurchaseModel,
    histories: &PurchaseHistories,
    times: &[f64],
) -> Result<Vec<f64>> {
    check_unit(model.unit(), histories)?;
    let ages = ages(histories, |_, _| ());
    let oldest = ages.last().map_or(0.0, |age| age.0);
    let up_to = |&time: &f64| -> Result<f64> {
        let time = check_time("time", time)?;
        let mut sum = 0.0;
        for (age, weight) in &ages {
            let since_first = time - (oldest - age);
            if since_first > 0.0 {
                sum += weight * model.expected_purchases_new_customer(since_first)?;
            }
        }
        Ok(sum)
    };
    times.iter().map(up_to).collect()
}

/// How spend goes with frequency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IndependenceCheck {
    /// Customers that were looked at.
    pub n_customers: usize,
    /// Pearson's correlation.
    pub pearson: f64,
    /// Spearman's correlation: that of the ranks, ties in the middle.
    pub spearman: f64,
    /// The share of the variance of spend that lies between the frequencies (η²).
    pub eta_squared: f64,
}

impl IndependenceCheck {
    /// True when none of the measures shows a dependence that matters in practice: both
    /// correlations within ±0.1 and `eta_squared` up to 0.06, a medium effect (Cohen 1988,
    /// §8.2). Whether it is significant says little: with many customers everything is.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.pearson.abs() <= 0.1
            && self.spearman.abs() <= 0.1
            && self.eta_squared <= 0.06
    }
}

/// Whether mean spend and number of purchases of customers who bought again have nothing to do
/// with each other, as [`GammaGamma`](super::GammaGamma) takes for granted.
///
/// ```
/// use segmenta::lifetime::{SpendHistory, independence_check};
///
/// let same: Vec<SpendHistory> = [(1, 10.0), (1, 30.0), (4, 11.0), (4, 29.0)]
///     .into_iter()
///     .map(|(x, m)| SpendHistory::new(x, m))
///     .collect::<Result<_, _>>()?;
/// assert!(independence_check(&same)?.holds());
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When fewer than three customers have purchases, or all of them as many or of the same mean
/// value.
pub fn independence_check(
    histories: &[super::spend::SpendHistory],
) -> Result<IndependenceCheck> {
    let pairs: Vec<(f64, f64)> = histories
        .iter()
        .filter_map(|h| h.mean_spend().map(|m| (h.purchases() as f64, m)))
        .collect();
    if pairs.len() < 3 {
        return Err(ErrorKind::TooFewRows {
            what: "customers with purchases".into(),
            needed: 3,
            found: pairs.len(),
        }
        .into());
    }
    let (x, m): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let undefined = || {
        Error::undefined(
            "the correlation of spend and frequency",
            "all customers have as many purchases, or of the same mean value",
        )
    };
    let pearson = correlation(&x, &m).ok_or_else(undefined)?;
    let spearman = correlation(&mid_ranks(&x), &mid_ranks(&m)).ok_or_else(undefined)?;
    let mut sorted = pairs;
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = m.iter().sum::<f64>() / m.len() as f64;
    let total: f64 = m.iter().map(|m| (m - mean) * (m - mean)).sum();
    let between: f64 = sorted
        .chunk_by(|a, b| a.0 == b.0)
        .map(|group| {
            let n = group.len() as f64;
            let own = group.iter().map(|pair| pair.1).sum::<f64>() / n;
            n * (own - mean) * (own - mean)
        })
        .sum();
    Ok(IndependenceCheck {
        n_customers: m.len(),
        pearson,
        spearman,
        eta_squared: between / total,
    })
}

/// Pearson's correlation; `None` where one of the two does not vary.
fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (dx, dy) = (x - mx, y - my);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx.sqrt() * yy.sqrt()))
}

/// The rank of each value, from 1, ties in the middle.
pub(super) fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tie in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let middle = below as f64 + 0.5 * (tie.len() + 1) as f64;
        tie.iter().for_each(|&i| ranks[i] = middle);
        below += tie.len();
    }
    ranks
}
