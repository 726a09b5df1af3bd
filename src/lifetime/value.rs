//! What customers are worth.

use serde::{Deserialize, Serialize};

use super::gamma_gamma::GammaGamma;
use super::histories::PurchaseHistories;
use super::history::PurchaseHistory;
use super::model::{PurchaseModel, check_time, check_unit};
use super::spend::SpendHistory;
use crate::error::{Error, Result};
use crate::history::TimeUnit;
use crate::parallel::for_each_block;

/// How expected purchases become money: up to when, how discounted, with what margin.
///
/// The horizon is cut into steps, the last of which may be shorter. What is bought within a
/// step counts at its end, `Σ spend · margin · (E(tᵢ) − E(tᵢ₋₁)) / (1 + rate)^(tᵢ)`, with time
/// in years.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{
///     BgNbd, GammaGamma, LifetimeValue, PurchaseHistory, SpendHistory,
/// };
///
/// let purchases = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?;
/// let spend = GammaGamma::new(6.25, 3.74, 15.44)?;
/// let value = LifetimeValue::new(12.0, TimeUnit::Month).annual_discount_rate(0.127).margin(0.3);
///
/// let ann = PurchaseHistory::new(2, 30.43, 38.86)?;
/// let worth = value.customer_lifetime_value(
///     &purchases, &ann, spend.expected_customer_spend(&SpendHistory::new(2, 22.35)?)?,
/// )?;
/// assert!((worth - 10.9).abs() < 0.1, "{worth}");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape", into = "Shape")]
pub struct LifetimeValue {
    horizon: f64,
    unit: TimeUnit,
    step: f64,
    annual_discount_rate: f64,
    margin: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    horizon: f64,
    unit: TimeUnit,
    step: f64,
    annual_discount_rate: f64,
    margin: f64,
}

impl TryFrom<Shape> for LifetimeValue {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<LifetimeValue> {
        let Shape { horizon, unit, step, annual_discount_rate, margin } = shape;
        let value = LifetimeValue { horizon, unit, step, annual_discount_rate, margin };
        value.validate()?;
        Ok(value)
    }
}

impl From<LifetimeValue> for Shape {
    fn from(value: LifetimeValue) -> Shape {
        let LifetimeValue { horizon, unit, step, annual_discount_rate, margin } = value;
        Shape { horizon, unit, step, annual_discount_rate, margin }
    }
}

/// Steps, at most.
const MAX_STEPS: f64 = 10_000.0;

impl LifetimeValue {
    /// Up to the horizon, in steps of one unit, without discount, at a margin of 1.
    #[must_use]
    pub fn new(horizon: f64, unit: TimeUnit) -> LifetimeValue {
        LifetimeValue { horizon, unit, step: 1.0, annual_discount_rate: 0.0, margin: 1.0 }
    }

    /// The length of a step, in units of the horizon.
    #[must_use]
    pub fn step(mut self, step: f64) -> LifetimeValue {
        self.step = step;
        self
    }

    /// What money is worth less in a year of 365.25 days: 0.1 for ten percent.
    #[must_use]
    pub fn annual_discount_rate(mut self, rate: f64) -> LifetimeValue {
        self.annual_discount_rate = rate;
        self
    }

    /// What remains of the money that is spent: 0.3 for 30 percent.
    #[must_use]
    pub fn margin(mut self, margin: f64) -> LifetimeValue {
        self.margin = margin;
        self
    }

    /// All checks.
    ///
    /// # Errors
    /// When the horizon is not within 0 and 1e12, the step is not positive or there are
    /// more than 10,000 of them, the discount rate is negative or not finite, or the margin
    /// is not finite.
    pub fn validate(&self) -> Result<()> {
        check_time("horizon", self.horizon)?;
        if !(self.step > 0.0 && self.horizon / self.step <= MAX_STEPS) {
            return Err(Error::parameter(
                "step",
                "positive, and at most 10000 of them up to the horizon",
                self.step,
            ));
        }
        if !(self.annual_discount_rate.is_finite() && self.annual_discount_rate >= 0.0) {
            return Err(Error::parameter(
                "annual_discount_rate",
                "at least 0, and finite",
                self.annual_discount_rate,
            ));
        }
        if !self.margin.is_finite() {
            return Err(Error::parameter("margin", "finite", self.margin));
        }
        Ok(())
    }

    /// The horizon, in its unit.
    #[must_use]
    pub fn horizon(&self) -> f64 {
        self.horizon
    }

    /// The unit of the horizon.
    #[must_use]
    pub fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// Purchases to be expected up to the horizon, each discounted.
    ///
    /// # Errors
    /// When this is not valid, or the horizon is above 1e12 in the model's unit.
    pub fn discounted_purchases(
        &self,
        model: &dyn PurchaseModel,
        history: &PurchaseHistory,
    ) -> Result<f64> {
        self.validate()?;
        let in_model = self.unit.days() / model.unit().days();
        let in_years = self.unit.days() / TimeUnit::Year.days();
        if self.annual_discount_rate == 0.0 {
            return model.expected_purchases(history, self.horizon * in_model);
        }
        let (mut sum, mut before) = (0.0, 0.0);
        let mut i = 0.0;
        let mut end = 0.0;
        while end < self.horizon {
            i += 1.0;
            end = (i * self.step).min(self.horizon);
            let up_to = model.expected_purchases(history, end * in_model)?;
            let discount = (1.0 + self.annual_discount_rate).powf(-end * in_years);
            sum += (up_to - before).max(0.0) * discount;
            before = up_to;
        }
        Ok(sum)
    }

    /// The value of a customer of whom this mean spend is expected, in the money of the
    /// spend.
    ///
    /// # Errors
    /// When this is not valid, or the spend or the value is not finite.
    pub fn customer_lifetime_value(
        &self,
        model: &dyn PurchaseModel,
        history: &PurchaseHistory,
        expected_spend: f64,
    ) -> Result<f64> {
        if !expected_spend.is_finite() {
            return Err(Error::parameter("expected_spend", "finite", expected_spend));
        }
        let value =
            self.margin * expected_spend * self.discounted_purchases(model, history)?;
        if value.is_finite() {
            return Ok(value);
        }
        Err(Error::undefined("the lifetime value", "it is too large for a number"))
    }

    /// The values of many customers; `spends` are theirs, in the same order.
    ///
    /// # Errors
    /// When this is not valid, the histories are in another unit than the model, there are
    /// not as many spends, or the spend model has no mean for a customer.
    pub fn customer_lifetime_values(
        &self,
        model: &dyn PurchaseModel,
        histories: &PurchaseHistories,
        spend_model: &GammaGamma,
        spends: &[SpendHistory],
    ) -> Result<Vec<f64>> {
        check_unit(model.unit(), histories)?;
        if spends.len() != histories.len() {
            return Err(Error::length("spends", histories.len(), spends.len()));
        }
        let rows = histories.as_slice();
        let mut values = vec![0.0; rows.len()];
        for_each_block(&mut values, 1024, |from, to| {
            for (i, to) in to.iter_mut().enumerate() {
                let (history, spend) = (&rows[from + i], &spends[from + i]);
                let spend = spend_model.expected_customer_spend(spend)?;
                *to = self.customer_lifetime_value(model, history, spend)?;
            }
            Ok::<(), Error>(())
        })?;
        Ok(values)
    }
}
