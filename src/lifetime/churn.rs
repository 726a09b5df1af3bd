//! Who is about to be lost, without anybody having said so.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::calibration::mid_ranks;
use super::choice::AnyPurchaseModel;
use super::histories::PurchaseHistories;
use super::history::PurchaseHistory;
use super::model::{PurchaseModel, check_time, check_unit, for_all};
use crate::error::{Error, ErrorKind, Result};
use crate::history::TimeUnit;
use crate::parallel::map_blocks;

/// Scores customers who have no contract by what they are still expected to buy up to a
/// horizon.
///
/// Customers are ranked by [`expected_purchases`](ChurnScore::expected_purchases), and not by
/// the probability of being alive, which under BG/NBD is 1 for whoever bought once. The
/// overdue ratio explains a score and does not make it: plain recency ranks better than it
/// does. What this is worth on the data at hand is what [`evaluate`](ChurnScorer::evaluate)
/// reports, beside plain recency and frequency.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{BgNbd, ChurnScorer, PurchaseHistories, PurchaseHistory};
///
/// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?;
/// let histories = PurchaseHistories::from_columns(
///     TimeUnit::Week, &[0, 6, 6], &[0.0, 36.0, 18.0], &[39.0, 39.0, 39.0],
/// )?;
/// let scorer = ChurnScorer::new(model.into(), &histories, 26.0)?;
/// let loyal = scorer.score(&histories.get(1).unwrap())?;
/// let silent = scorer.score(&histories.get(2).unwrap())?;
/// assert!(loyal.expected_purchases > 5.0 * silent.expected_purchases);
/// println!("{silent}");
/// assert!(silent.to_string().contains("6.5 times the usual gap"));
/// // Least is expected of her who never came again, most of the loyal one.
/// let order: Vec<usize> = scorer.ranked(&histories)?.iter().map(|(at, _)| *at).collect();
/// assert_eq!(order, [0, 2, 1]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct ChurnScorer {
    model: AnyPurchaseModel,
    horizon: f64,
    mean_gap: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    model: AnyPurchaseModel,
    horizon: f64,
    mean_gap: f64,
}

impl TryFrom<Shape> for ChurnScorer {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<ChurnScorer> {
        let Shape { model, horizon, mean_gap } = shape;
        ChurnScorer::from_parts(model, horizon, mean_gap)
    }
}

/// What is known of one customer's risk.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChurnScore {
    /// Purchases to be expected up to the horizon: the lower, the greater the risk.
    pub expected_purchases: f64,
    /// The probability of no purchase up to the horizon.
    pub probability_of_no_purchase: f64,
    /// The probability that the customer can still buy.
    pub probability_alive: f64,
    /// Time since the last purchase.
    pub since_last_purchase: f64,
    /// The time that usually passes between her purchases, shrunk towards everybody's:
    /// `(t_x + mean gap) / (x + 1)`.
    pub usual_gap: f64,
    /// Time since the last purchase over the usual gap.
    pub overdue_ratio: f64,
    /// The unit of the times.
    pub unit: TimeUnit,
}

impl fmt::Display for ChurnScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.unit;
        write!(
            f,
            "{:.1} {unit} since the last purchase, {:.1} times the usual gap of {:.1}; \
             {:.2} purchases expected, none with probability {:.2}",
            self.since_last_purchase,
            self.overdue_ratio,
            self.usual_gap,
            self.expected_purchases,
            self.probability_of_no_purchase,
        )
    }
}

impl ChurnScorer {
    /// A scorer with a model that was estimated; the histories give the gap that usually
    /// passes between purchases.
    ///
    /// # Errors
    /// When the histories are in another unit, nobody in them bought again, or the horizon,
    /// in the model's unit, is not positive or above 1e12.
    pub fn new(
        model: AnyPurchaseModel,
        histories: &PurchaseHistories,
        horizon: f64,
    ) -> Result<ChurnScorer> {
        check_unit(model.unit(), histories)?;
        let (mut time, mut purchases) = (0.0, 0.0);
        for (i, history) in histories.as_slice().iter().enumerate() {
            let weight = histories.weights().map_or(1.0, |w| w[i]);
            time += weight * history.age_at_last_purchase();
            purchases += weight * history.frequency() as f64;
        }
        if time <= 0.0 {
            return Err(Error::undefined(
                "the usual gap",
                "nobody has bought again later",
            ));
        }
        ChurnScorer::from_parts(model, horizon, time / purchases)
    }

    fn from_parts(
        model: AnyPurchaseModel,
        horizon: f64,
        mean_gap: f64,
    ) -> Result<ChurnScorer> {
        if check_time("horizon", horizon)? == 0.0 {
            return Err(Error::parameter("horizon", "positive", horizon));
        }
        if !(mean_gap.is_finite() && mean_gap > 0.0) {
            return Err(Error::parameter("mean_gap", "positive and finite", mean_gap));
        }
        Ok(ChurnScorer { model, horizon, mean_gap })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &AnyPurchaseModel {
        &self.model
    }

    /// Up to when purchases are expected.
    #[must_use]
    pub fn horizon(&self) -> f64 {
        self.horizon
    }

    /// The score of one customer.
    ///
    /// # Errors
    /// Not known to happen: the horizon was checked.
    pub fn score(&self, history: &PurchaseHistory) -> Result<ChurnScore> {
        let usual_gap = self.usual_gap(history);
        let none = self.model.probability_of_n_purchases(history, 0, self.horizon)?;
        Ok(ChurnScore {
            expected_purchases: self.model.expected_purchases(history, self.horizon)?,
            probability_of_no_purchase: none,
            probability_alive: self.model.probability_alive(history),
            since_last_purchase: history.since_last_purchase(),
            usual_gap,
            overdue_ratio: history.since_last_purchase() / usual_gap,
            unit: self.model.unit(),
        })
    }

    fn usual_gap(&self, history: &PurchaseHistory) -> f64 {
        (history.age_at_last_purchase() + self.mean_gap)
            / (history.frequency() as f64 + 1.0)
    }

    /// The customers at risk: those who buy nothing up to the horizon with at least this
    /// probability though they bought again at least so often, those first of whom most was
    /// to be expected had they not fallen silent (by their purchases for each unit of
    /// time).
    ///
    /// # Errors
    /// When the histories are in another unit, or the probability is not between 0 and 1.
    pub fn at_risk(
        &self,
        histories: &PurchaseHistories,
        probability: f64,
        min_frequency: u64,
    ) -> Result<Vec<(usize, ChurnScore)>> {
        check_unit(self.model.unit(), histories)?;
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::parameter("probability", "between 0 and 1", probability));
        }
        let rows = histories.as_slice();
        let none = for_all(histories, |history| {
            self.model.probability_of_n_purchases(history, 0, self.horizon)
        })?;
        let mut found: Vec<usize> = (0..rows.len())
            .filter(|&i| none[i] >= probability && rows[i].frequency() >= min_frequency)
            .collect();
        found.sort_by(|&a, &b| {
            self.usual_gap(&rows[a]).total_cmp(&self.usual_gap(&rows[b])).then(a.cmp(&b))
        });
        found.into_iter().map(|i| Ok((i, self.score(&rows[i])?))).collect()
    }

    /// All customers, those first of whom least is to be expected: by expected purchases, then
    /// by the overdue ratio, the more overdue first. The numbers are places in the histories.
    ///
    /// # Errors
    /// When the histories are in another unit.
    pub fn ranked(
        &self,
        histories: &PurchaseHistories,
    ) -> Result<Vec<(usize, ChurnScore)>> {
        check_unit(self.model.unit(), histories)?;
        let rows = histories.as_slice();
        let blocks = map_blocks(rows.len(), 1024, |block| {
            let scores = block.map(|i| Ok((i, self.score(&rows[i])?)));
            scores.collect::<Result<Vec<_>>>()
        });
        let mut found = blocks.into_iter().collect::<Result<Vec<_>>>()?.concat();
        found.sort_by(|(i, a), (j, b)| {
            a.expected_purchases
                .total_cmp(&b.expected_purchases)
                .then(b.overdue_ratio.total_cmp(&a.overdue_ratio))
                .then(i.cmp(j))
        });
        Ok(found)
    }

    /// How well the scorer ranks and counts, judged by what customers did in a hold-out as
    /// long as the horizon, beside what plain figures do. Weights are not used.
    ///
    /// # Errors
    /// When there are not as many numbers as customers, the histories are in another unit,
    /// or all or none of the customers bought.
    pub fn evaluate(
        &self,
        histories: &PurchaseHistories,
        actual: &[u64],
    ) -> Result<ChurnReport> {
        let all: Vec<usize> = (0..histories.len()).collect();
        let judged = self.judge(histories, actual)?;
        judged.report(&all).ok_or_else(|| {
            Error::undefined(
                "a ranking by who buys",
                "all or none of the customers bought in the hold-out",
            )
        })
    }

    /// What is foretold of each customer, beside what she did.
    pub(super) fn judge<'a>(
        &self,
        histories: &'a PurchaseHistories,
        actual: &'a [u64],
    ) -> Result<Judged<'a>> {
        let n = histories.len();
        if actual.len() != n {
            return Err(Error::length("the actual purchases", n, actual.len()));
        }
        let expected = self.model.expected_purchases_all(histories, self.horizon)?;
        let alive = self.model.probability_alive_all(histories)?;
        let mut buys = for_all(histories, |history| {
            self.model.probability_of_n_purchases(history, 0, self.horizon)
        })?;
        buys.iter_mut().for_each(|none| *none = 1.0 - *none);
        let rows = histories.as_slice();
        let each = |score: &dyn Fn(&PurchaseHistory) -> f64| -> Vec<f64> {
            rows.iter().map(score).collect()
        };
        let baselines = [
            ("probability alive", alive),
            ("recency", each(&|h| -h.since_last_purchase())),
            ("frequency", each(&|h| h.frequency() as f64)),
            ("overdue ratio", each(&|h| -h.since_last_purchase() / self.usual_gap(h))),
        ];
        Ok(Judged { rows, actual, expected, buys, baselines })
    }
}

/// What was foretold of each customer, and what she did.
pub(super) struct Judged<'a> {
    rows: &'a [PurchaseHistory],
    actual: &'a [u64],
    pub(super) expected: Vec<f64>,
    /// The probability that she buys.
    buys: Vec<f64>,
    /// Plain figures, the higher the more likely she buys.
    baselines: [(&'static str, Vec<f64>); 4],
}

impl Judged<'_> {
    /// The report on the customers at some places; `None` where all or none of them bought.
    pub(super) fn report(&self, at: &[usize]) -> Option<ChurnReport> {
        let n = at.len();
        let active: Vec<bool> = at.iter().map(|&i| self.actual[i] > 0).collect();
        let n_active = active.iter().filter(|a| **a).count();
        if n_active == 0 || n_active == n {
            return None;
        }
        let pick = |of: &[f64], at: &[usize]| at.iter().map(|&i| of[i]).collect();
        let (expected, buys): (Vec<f64>, Vec<f64>) =
            (pick(&self.expected, at), pick(&self.buys, at));
        let repeaters: Vec<usize> =
            at.iter().copied().filter(|&i| self.rows[i].frequency() > 0).collect();
        let scores = [("expected purchases", &self.expected)];
        let scores =
            scores.into_iter().chain(self.baselines.iter().map(|(a, b)| (*a, b)));
        let rankings = scores.map(|(name, score)| {
            let of = |at: &[usize]| {
                let score: Vec<f64> = pick(score, at);
                let active: Vec<bool> = at.iter().map(|&i| self.actual[i] > 0).collect();
                area_under_curve(&score, &active).ok()
            };
            Ranking {
                score: name.to_owned(),
                auc: of(at).unwrap_or(0.5),
                auc_of_repeaters: of(&repeaters),
            }
        });
        let actual: Vec<f64> = at.iter().map(|&i| self.actual[i] as f64).collect();
        let errors = expected.iter().zip(&actual).map(|(e, a)| (e - a).abs());
        Some(ChurnReport {
            n_customers: n,
            share_active: n_active as f64 / n as f64,
            actual_purchases: actual.iter().sum(),
            expected_purchases: expected.iter().sum(),
            mean_absolute_error: errors.sum::<f64>() / n as f64,
            brier_score: brier(&buys, &active),
            deciles: deciles(&buys, &active),
            rankings: rankings.collect(),
        })
    }
}

/// How well one figure ranks customers by whether they buy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The figure.
    pub score: String,
    /// The area under the ROC curve: 1 ranks all who buy above all who do not, 0.5 is
    /// chance, and below it the ranking is upside down.
    pub auc: f64,
    /// The same among those who had bought again; `None` where all or none of them bought.
    pub auc_of_repeaters: Option<f64>,
}

/// What a [`ChurnScorer`] is worth on a hold-out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChurnReport {
    /// Customers.
    pub n_customers: usize,
    /// The share of them that bought in the hold-out.
    pub share_active: f64,
    /// Purchases in the hold-out.
    pub actual_purchases: f64,
    /// Purchases that were expected.
    pub expected_purchases: f64,
    /// Of the purchases expected of each customer.
    pub mean_absolute_error: f64,
    /// Mean squared error of the probability of buying (Brier 1950).
    pub brier_score: f64,
    /// Tenths of the customers by the probability of buying, lowest first: what was
    /// foretold and what happened.
    pub deciles: Vec<Decile>,
    /// The scorer's ranking, first, and those of plain figures.
    pub rankings: Vec<Ranking>,
}

/// A tenth of the customers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decile {
    /// Customers in it.
    pub n_customers: usize,
    /// Mean probability of buying.
    pub probability: f64,
    /// The share that bought.
    pub share_active: f64,
}

impl ChurnReport {
    /// The ranking by a figure.
    #[must_use]
    pub fn ranking(&self, score: &str) -> Option<&Ranking> {
        self.rankings.iter().find(|ranking| ranking.score == score)
    }

    /// Plain figures that rank better than the scorer does.
    pub fn better_baselines(&self) -> impl Iterator<Item = &Ranking> {
        let own = self.rankings.first().map_or(0.0, |r| r.auc);
        self.rankings.iter().skip(1).filter(move |r| r.auc > own)
    }
}

impl fmt::Display for ChurnReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} customers, {:.1} % active; {} purchases, {:.0} expected",
            self.n_customers,
            100.0 * self.share_active,
            self.actual_purchases,
            self.expected_purchases
        )?;
        for ranking in &self.rankings {
            write!(f, "\n  AUC {:.3}  {}", ranking.auc, ranking.score)?;
            if ranking.auc < 0.5 {
                write!(f, " (upside down: worse than chance)")?;
            }
        }
        Ok(())
    }
}

/// The area under the ROC curve: the probability that one who is active scores above one who
/// is not, ties counting half (Hanley & McNeil 1982).
///
/// ```
/// use segmenta::lifetime::area_under_curve;
///
/// assert_eq!(area_under_curve(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true])?, 0.75);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the lengths differ, a score is NaN, or all or none are active.
pub fn area_under_curve(scores: &[f64], active: &[bool]) -> Result<f64> {
    if scores.len() != active.len() {
        return Err(Error::length("active", scores.len(), active.len()));
    }
    if let Some(row) = scores.iter().position(|s| s.is_nan()) {
        return Err(ErrorKind::NonFinite {
            feature: "score".to_owned(),
            found: f64::NAN,
            row: Some(row),
        }
        .into());
    }
    let n_active = active.iter().filter(|a| **a).count() as f64;
    let n_other = active.len() as f64 - n_active;
    if n_active == 0.0 || n_other == 0.0 {
        return Err(Error::undefined(
            "the area under the curve",
            "all or none are active",
        ));
    }
    let ranks = mid_ranks(scores);
    let sum: f64 = ranks.iter().zip(active).filter(|(_, a)| **a).map(|(r, _)| r).sum();
    Ok((sum - 0.5 * n_active * (n_active + 1.0)) / (n_active * n_other))
}

fn brier(probabilities: &[f64], active: &[bool]) -> f64 {
    let errors = probabilities.iter().zip(active).map(|(p, &a)| {
        let d = p - f64::from(u8::from(a));
        d * d
    });
    errors.sum::<f64>() / probabilities.len() as f64
}

fn deciles(probabilities: &[f64], active: &[bool]) -> Vec<Decile> {
    let n = probabilities.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]).then(a.cmp(&b)));
    (0..10)
        .filter_map(|tenth| {
            let part = &order[tenth * n / 10..(tenth + 1) * n / 10];
            let size = part.len() as f64;
            (!part.is_empty()).then(|| Decile {
                n_customers: part.len(),
                probability: part.iter().map(|&i| probabilities[i]).sum::<f64>() / size,
                share_active: part.iter().filter(|&&i| active[i]).count() as f64 / size,
            })
        })
        .collect()
}
