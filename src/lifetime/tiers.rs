//! Segments by what customers will be worth, or by the risk of losing them.

use serde::{Deserialize, Serialize};

use super::choice::{ModelComparison, PurchaseModelKind};
use super::estimate::EstimationOptions;
use super::gamma_gamma::GammaGamma;
use super::histories::PurchaseHistories;
use super::mbg_cnbd::check_steps;
use super::tier_model::{LifetimeTierModel, Measure, Reader};
use super::value::LifetimeValue;
use crate::data::{Schema, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::history::TimeUnit;
use crate::segmenter::{Fit, FitReport, Fitted, Note, Observer, Segment, SegmentIndex};

/// Value-based segmentation in one line: estimates a model of purchases and one of spend, and
/// cuts the customers into tiers by what they will be worth. Or by purchases to be expected,
/// or by the risk that there are none.
///
/// It reads the columns of [`lifetime_table`](super::lifetime_table). The cut points are
/// learned once and stay: a customer moves because her figures change, and not because others
/// do. Equal customers share a tier, so that a tier may be larger than its share.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::{Ledger, LedgerOptions, TimeUnit};
/// use segmenta::lifetime::{LifetimeTiers, LifetimeValue, lifetime_table};
/// use segmenta::{Fit, Segmenter};
///
/// let mut ledger = Ledger::new(LedgerOptions::new().currency("EUR"))?;
/// for customer in 0..200_u64 {
///     for purchase in 0..=customer % 7 * (customer % 3) {
///         let day = (customer % 28 + 1 + purchase * (customer % 11 + 3)) as i32;
///         let day = Date::from_ymd(2024, 1, 1)?.checked_add_days(day).unwrap();
///         ledger.add(customer, day, 10_00 + (customer * 37 % 50) as i64 * 100)?;
///     }
/// }
/// let summary = ledger.summary(Date::from_ymd(2024, 9, 30)?)?;
/// let table = lifetime_table(&summary, TimeUnit::Week)?;
///
/// let value = LifetimeValue::new(12.0, TimeUnit::Month).annual_discount_rate(0.1);
/// let fitted = LifetimeTiers::by_value(value).fit(&table)?;
/// let model = fitted.model();
/// assert_eq!(model.segments()[0].name, "High");
/// let bought_once = fitted.labels()[0].unwrap();
/// assert_eq!(model.segments()[bought_once.get()].name, "Low");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifetimeTiers {
    measure: Measure,
    unit: TimeUnit,
    kind: Option<PurchaseModelKind>,
    tiers: Vec<(String, f64)>,
    shares_of: ShareOf,
}

/// What the shares of tiers are shares of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ShareOf {
    /// Customers: the best fifth of them.
    #[default]
    Customers,
    /// The measure: those who bring half of all value.
    Total,
}

impl LifetimeTiers {
    fn new(measure: Measure) -> LifetimeTiers {
        LifetimeTiers {
            measure,
            unit: TimeUnit::Week,
            kind: None,
            tiers: Vec::new(),
            shares_of: ShareOf::Customers,
        }
        .tier("High", 0.2)
        .tier("Medium", 0.3)
        .tier("Low", 0.5)
    }

    /// Tiers by lifetime value: the best 20 percent are `High`, the next 30 `Medium`, the
    /// others `Low`.
    ///
    /// Spend is estimated by [`GammaGamma`] of those who bought again and whose spend is known.
    ///
    /// [`fit`](Fit::fit) then fails, besides where a model of purchases cannot be estimated:
    /// - when no two of these customers differ in their purchases or in their mean spend,
    /// - when the estimated `q` of Gamma-Gamma is at most 1, as where a few spend thousands of
    ///   times what others do: the mean spend of a customer without repeat purchases is then
    ///   infinite, and sooner or later one has to be assigned, even if everybody in the table
    ///   bought again,
    /// - when the value of somebody is too large for a number.
    ///
    /// [`by_expected_purchases`](LifetimeTiers::by_expected_purchases) asks for no spend.
    #[must_use]
    pub fn by_value(value: LifetimeValue) -> LifetimeTiers {
        LifetimeTiers::new(Measure::Value(value))
    }

    /// The same by purchases to be expected up to a horizon, in units of the table's time.
    #[must_use]
    pub fn by_expected_purchases(horizon: f64) -> LifetimeTiers {
        LifetimeTiers::new(Measure::ExpectedPurchases { horizon })
    }

    /// The same by the probability of no purchase up to a horizon, in units of the table's
    /// time: `High` is the greatest risk.
    #[must_use]
    pub fn by_risk(horizon: f64) -> LifetimeTiers {
        LifetimeTiers::new(Measure::ProbabilityOfNoPurchase { horizon })
    }

    /// The unit of the table's times; weeks, unless it is said.
    #[must_use]
    pub fn unit(mut self, unit: TimeUnit) -> LifetimeTiers {
        self.unit = unit;
        self
    }

    /// The model of purchases. Unless it is said, [all](PurchaseModelKind::ALL) in which purchases
    /// come at random are estimated and the best is taken, as [`ModelComparison`] ranks them.
    #[must_use]
    pub fn model(mut self, kind: PurchaseModelKind) -> LifetimeTiers {
        self.kind = Some(kind);
        self
    }

    /// Other tiers, the highest first, each with its share; the shares sum to 1.
    #[must_use]
    pub fn tiers<N: Into<String>>(
        mut self,
        tiers: impl IntoIterator<Item = (N, f64)>,
    ) -> LifetimeTiers {
        self.tiers =
            tiers.into_iter().map(|(name, share)| (name.into(), share)).collect();
        self
    }

    fn tier(mut self, name: &str, share: f64) -> LifetimeTiers {
        self.tiers.push((name.to_owned(), share));
        self
    }

    /// What the shares are shares of.
    #[must_use]
    pub fn shares_of(mut self, shares_of: ShareOf) -> LifetimeTiers {
        self.shares_of = shares_of;
        self
    }

    /// Cut points between the tiers, descending: halfway between the value at which a tier's
    /// share is reached and the next lower one, so that nobody stands on a cut point and
    /// changes the tier with the last bit of a logarithm.
    fn cut_points(&self, values: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let size = |i: usize| {
            let weight = weights.map_or(1.0, |w| w[i]);
            match self.shares_of {
                ShareOf::Customers => weight,
                ShareOf::Total => weight * values[i],
            }
        };
        let total: f64 = order.iter().map(|&i| size(i)).sum();
        let mut cuts = Vec::new();
        let (mut reached, mut target) = (0.0, 0.0);
        let mut next = order.iter().peekable();
        let mut value = order.first().map_or(0.0, |&i| values[i]);
        for (_, share) in &self.tiers[..self.tiers.len() - 1] {
            target += share * total;
            while reached < target * (1.0 - 1e-12) {
                let Some(&&i) = next.peek() else { break };
                reached += size(i);
                value = values[i];
                next.next();
            }
            let lower = next.clone().find(|&&i| values[i] < value);
            let halfway = lower.map_or(value, |&i| values[i] + 0.5 * (value - values[i]));
            let above = lower.is_none_or(|&i| halfway > values[i]);
            cuts.push(if above { halfway } else { value });
        }
        cuts
    }
}

impl Fit for LifetimeTiers {
    type Model = LifetimeTierModel;

    fn validate(&self) -> Result<()> {
        self.measure.validate()?;
        if let Some(PurchaseModelKind::MbgCnbd { k }) = self.kind {
            check_steps(k)?;
        }
        if self.tiers.len() < 2 {
            return Err(Error::parameter("tiers", "at least 2", self.tiers.len()));
        }
        for (name, share) in &self.tiers {
            if !(share.is_finite() && *share > 0.0) {
                let what = format!("share of tier `{name}`");
                return Err(Error::parameter(what, "positive and finite", share));
            }
        }
        let sum: f64 = self.tiers.iter().map(|tier| tier.1).sum();
        if (sum - 1.0).abs() > 1e-9 {
            return Err(Error::parameter("sum of the tiers' shares", "1", sum));
        }
        for (i, (name, _)) in self.tiers.iter().enumerate() {
            if self.tiers[..i].iter().any(|tier| tier.0 == *name) {
                let name = name.clone();
                return Err(ErrorKind::DuplicateName { what: "tier", name }.into());
            }
        }
        Ok(())
    }

    fn fit_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<LifetimeTierModel>> {
        self.validate()?;
        let reader = Reader::new(table.schema(), &self.measure, self.unit)?;
        let schema = Schema::new(reader.specs().cloned())?;
        let mut report = FitReport::new(table.len());
        let weights = table.sample_weight();
        let mut rows = Vec::with_capacity(table.len());
        let mut spends = Vec::with_capacity(table.len());
        let mut unknown_spend = 0_usize;
        for row in table.rows() {
            let at = row.index();
            let (history, spend) = reader.read(&row).map_err(|e| e.at_row(at))?;
            unknown_spend +=
                usize::from(history.frequency() > 0 && spend.purchases() == 0);
            rows.push(history);
            spends.push(spend);
        }
        let mut histories = PurchaseHistories::new(self.unit, rows);
        if let Some(weights) = weights {
            histories = histories.with_weights(weights.to_vec())?;
        }

        let options = EstimationOptions::new();
        let estimated = match self.kind {
            Some(kind) => kind.fit_with(&histories, options, observer)?,
            None => {
                let all = PurchaseModelKind::ALL;
                ModelComparison::of_kinds(&histories, &all, options, observer)?
                    .into_best()
            }
        };
        let (purchases, of_purchases) = estimated.into_parts();
        let spend = match self.measure {
            Measure::Value(_) => {
                let spend = GammaGamma::fit_with(&spends, weights, options, observer)?;
                report.converged &= spend.report().converged;
                if unknown_spend > 0 {
                    report.notes.push(Note::new(
                        "unknown-spend",
                        format!(
                            "{unknown_spend} customers bought again, but their mean spend is \
                             missing or not positive: what is expected of anybody is expected \
                             of them"
                        ),
                    ));
                }
                Some(spend.into_model())
            }
            _ => None,
        };
        report.n_iter = of_purchases.n_iter;
        report.converged &= of_purchases.converged;
        report.objective = Some(-of_purchases.log_likelihood);
        report.notes.push(Note::new(
            "purchase-model",
            format!("{}: {}", of_purchases.model, of_purchases.identifiability),
        ));
        report.notes.extend(of_purchases.notes);

        let model = LifetimeTierModel::unfinished(
            schema,
            self.measure,
            self.unit,
            purchases,
            spend,
        )?;
        let values = model.measure_all(&histories, &spends)?;
        let cuts = self.cut_points(&values, weights);
        if cuts.windows(2).any(|w| w[0] == w[1]) {
            report.notes.push(Note::new(
                "empty-tier",
                "too many customers are equal: a tier has nobody in it",
            ));
        }
        let tier_of = |value: f64| cuts.iter().take_while(|cut| value < **cut).count();
        let labels: Vec<usize> = values.iter().map(|&value| tier_of(value)).collect();
        let mut sizes = vec![(0_u64, 0.0); self.tiers.len()];
        for (i, &tier) in labels.iter().enumerate() {
            let weight = weights.map_or(1.0, |w| w[i]);
            sizes[tier].0 += u64::from(weight > 0.0);
            sizes[tier].1 += weight;
        }
        let total: f64 = sizes.iter().map(|size| size.1).sum();
        let segments = self.tiers.iter().zip(sizes).map(|((name, _), (size, weight))| {
            Segment::new(slug(name), name.clone()).counted(size, weight / total)
        });
        let model = model.finished(cuts, segments.collect())?;
        let labels = labels.into_iter().map(|tier| Some(SegmentIndex::new(tier as u32)));
        Ok(Fitted::new(model, labels.collect(), report))
    }
}

/// A name as an id: lower case, with a hyphen for whatever is neither letter nor digit.
fn slug(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .flat_map(char::to_lowercase)
        .collect()
}
