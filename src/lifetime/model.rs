//! What a model of purchases can be asked.

use std::fmt;

use super::histories::PurchaseHistories;
use super::history::{MAX_TIME, PurchaseHistory};
use super::process::Process;
use crate::error::{Error, Result};
use crate::history::TimeUnit;
use crate::parallel::for_each_block;

/// A fitted model of how often customers buy and whether they are still there.
///
/// Times are in the model's [`unit`](PurchaseModel::unit). All answers are finite, for all
/// parameters that a model can have.
///
/// # Contract
/// 1. Probabilities lie between 0 and 1; expectations are at least 0, 0 at a horizon of 0,
///    and grow with the horizon.
/// 2. A horizon that is negative or above 1e12 is an error, and so is a discount rate that
///    is not within 1e-12 and 1e12.
/// 3. The same question has the same answer, to the bit.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{BgNbd, PurchaseHistory, PurchaseModel};
///
/// // Fader, Hardie & Lee (2005), table 2: weeks.
/// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426, TimeUnit::Week)?;
/// let ann = PurchaseHistory::new(2, 30.43, 38.86)?;
/// assert!((model.expected_purchases(&ann, 39.0)? - 1.226).abs() < 1e-3);
/// assert!((model.probability_alive(&ann) - 0.727).abs() < 1e-3);
/// # Ok::<(), segmenta::Error>(())
/// ```
pub trait PurchaseModel: fmt::Debug + Send + Sync {
    /// What it is called, such as `BG/NBD`.
    fn name(&self) -> &'static str;

    /// The unit of all times.
    fn unit(&self) -> TimeUnit;

    /// Its parameters with their names, in the order of the papers.
    fn parameters(&self) -> Vec<(&'static str, f64)>;

    /// The log-likelihood of a history. As in the papers it leaves out what depends on the
    /// data only, so that only differences on the same data mean something.
    fn log_likelihood(&self, history: &PurchaseHistory) -> f64;

    /// The probability that the customer can still buy.
    ///
    /// It is no ranking of customers: under BG/NBD whoever bought once is alive for
    /// certain. Rank by [`expected_purchases`](PurchaseModel::expected_purchases).
    fn probability_alive(&self, history: &PurchaseHistory) -> f64;

    /// The probability that the customer can still buy so much later, with what is known
    /// now.
    ///
    /// # Errors
    /// When `ahead` is negative or above 1e12.
    fn probability_alive_at(&self, history: &PurchaseHistory, ahead: f64) -> Result<f64>;

    /// Purchases to be expected from now up to the horizon: the conditional expected
    /// transactions.
    ///
    /// # Errors
    /// When the horizon is negative or above 1e12.
    fn expected_purchases(&self, history: &PurchaseHistory, horizon: f64) -> Result<f64>;

    /// The probability of exactly `n` purchases from now up to the horizon.
    ///
    /// # Errors
    /// When the horizon is negative or above 1e12.
    fn probability_of_n_purchases(
        &self,
        history: &PurchaseHistory,
        n: u64,
        horizon: f64,
    ) -> Result<f64>;

    /// Repeat purchases to be expected of a new customer up to the horizon.
    ///
    /// # Errors
    /// When the horizon is negative or above 1e12.
    fn expected_purchases_new_customer(&self, horizon: f64) -> Result<f64> {
        self.expected_purchases(&PurchaseHistory::new_customer(), horizon)
    }

    /// The probability that a new customer makes exactly `n` repeat purchases up to the
    /// horizon.
    ///
    /// # Errors
    /// When the horizon is negative or above 1e12.
    fn probability_of_n_purchases_new_customer(
        &self,
        n: u64,
        horizon: f64,
    ) -> Result<f64> {
        self.probability_of_n_purchases(&PurchaseHistory::new_customer(), n, horizon)
    }

    /// All purchases to be expected from now on, without a horizon, each discounted
    /// continuously at this rate for each unit of time: discounted expected residual
    /// transactions (Fader, Hardie & Lee 2005b). A yearly rate of 15 % is
    /// `ln(1.15) / 52.18` a week.
    ///
    /// # Errors
    /// When the rate is not within 1e-12 and 1e12.
    fn discounted_expected_residual_transactions(
        &self,
        history: &PurchaseHistory,
        rate: f64,
    ) -> Result<f64>;

    /// [`expected_purchases`](PurchaseModel::expected_purchases) of all customers.
    ///
    /// # Errors
    /// When the histories are in another unit, or the horizon is negative or above 1e12.
    fn expected_purchases_all(
        &self,
        histories: &PurchaseHistories,
        horizon: f64,
    ) -> Result<Vec<f64>> {
        check_unit(self.unit(), histories)?;
        for_all(histories, |history| self.expected_purchases(history, horizon))
    }

    /// [`probability_alive`](PurchaseModel::probability_alive) of all customers.
    ///
    /// # Errors
    /// When the histories are in another unit.
    fn probability_alive_all(&self, histories: &PurchaseHistories) -> Result<Vec<f64>> {
        check_unit(self.unit(), histories)?;
        for_all(histories, |history| Ok(self.probability_alive(history)))
    }

    /// The weighted log-likelihood of all histories.
    ///
    /// # Errors
    /// When the histories are in another unit.
    fn log_likelihood_of_all(&self, histories: &PurchaseHistories) -> Result<f64> {
        check_unit(self.unit(), histories)?;
        let each = for_all(histories, |history| Ok(self.log_likelihood(history)))?;
        Ok(match histories.weights() {
            Some(weights) => each.iter().zip(weights).map(|(x, w)| x * w).sum(),
            None => each.iter().sum(),
        })
    }
}

/// Refuses histories whose times are in another unit.
pub(super) fn check_unit(unit: TimeUnit, histories: &PurchaseHistories) -> Result<()> {
    if histories.unit() == unit {
        return Ok(());
    }
    Err(Error::parameter(
        "unit of the histories",
        format!("the model's, {unit}"),
        histories.unit(),
    ))
}

/// What `of` says of each history, in their order.
pub(super) fn for_all(
    histories: &PurchaseHistories,
    of: impl Fn(&PurchaseHistory) -> Result<f64> + Sync,
) -> Result<Vec<f64>> {
    let rows = histories.as_slice();
    let mut all = vec![0.0; rows.len()];
    for_each_block(&mut all, 1024, |from, to| {
        for (to, history) in to.iter_mut().zip(&rows[from..]) {
            *to = of(history)?;
        }
        Ok::<(), Error>(())
    })?;
    Ok(all)
}

/// A horizon that can be used.
pub(super) fn check_time(name: &'static str, time: f64) -> Result<f64> {
    if (0.0..=MAX_TIME).contains(&time) {
        return Ok(time);
    }
    Err(Error::parameter(name, "a time from 0 to 1e12", time))
}

/// A discount rate that can be used without a horizon.
pub(super) fn check_rate(rate: f64) -> Result<f64> {
    if (1e-12..=1e12).contains(&rate) {
        return Ok(rate);
    }
    Err(Error::parameter("rate", "from 1e-12 to 1e12", rate))
}

/// A parameter of a model.
pub(super) fn check_parameter(name: &'static str, value: f64) -> Result<f64> {
    if (1e-30..=1e30).contains(&value) {
        return Ok(value);
    }
    Err(Error::parameter(name, "a positive number from 1e-30 to 1e30", value))
}

/// A model that knows whether a customer is alive and what she then does: all questions are
/// answered by these two.
pub(super) trait Conjugate: fmt::Debug + Send + Sync {
    fn model_name(&self) -> &'static str;
    fn time_unit(&self) -> TimeUnit;
    fn named_parameters(&self) -> Vec<(&'static str, f64)>;
    fn alive_and_ln(&self, history: &PurchaseHistory) -> (f64, f64);
    fn alive(&self, history: &PurchaseHistory) -> f64 {
        self.alive_and_ln(history).0
    }
    /// What she does from now on if she is alive.
    fn process(&self, history: &PurchaseHistory) -> Process;
    /// Purchases to be expected of each, with the bits of each alone.
    fn expected_of_many(&self, histories: &[PurchaseHistory], t: f64, to: &mut [f64]) {
        for (history, to) in histories.iter().zip(to) {
            *to = self.alive(history) * self.process(history).expected(t);
        }
    }
}

impl<M: Conjugate> PurchaseModel for M {
    fn name(&self) -> &'static str {
        self.model_name()
    }

    fn unit(&self) -> TimeUnit {
        self.time_unit()
    }

    fn parameters(&self) -> Vec<(&'static str, f64)> {
        self.named_parameters()
    }

    fn log_likelihood(&self, history: &PurchaseHistory) -> f64 {
        self.alive_and_ln(history).1
    }

    fn probability_alive(&self, history: &PurchaseHistory) -> f64 {
        self.alive(history)
    }

    fn probability_alive_at(&self, history: &PurchaseHistory, ahead: f64) -> Result<f64> {
        let ahead = check_time("ahead", ahead)?;
        Ok(self.alive(history) * self.process(history).alive_after(ahead))
    }

    fn expected_purchases(&self, history: &PurchaseHistory, horizon: f64) -> Result<f64> {
        let horizon = check_time("horizon", horizon)?;
        Ok(self.alive(history) * self.process(history).expected(horizon))
    }

    fn expected_purchases_all(
        &self,
        histories: &PurchaseHistories,
        horizon: f64,
    ) -> Result<Vec<f64>> {
        check_unit(self.time_unit(), histories)?;
        let horizon = check_time("horizon", horizon)?;
        let rows = histories.as_slice();
        let mut all = vec![0.0; rows.len()];
        for_each_block(&mut all, 2048, |from, to| {
            self.expected_of_many(&rows[from..from + to.len()], horizon, to);
            Ok::<(), Error>(())
        })?;
        Ok(all)
    }

    fn probability_of_n_purchases(
        &self,
        history: &PurchaseHistory,
        n: u64,
        horizon: f64,
    ) -> Result<f64> {
        let horizon = check_time("horizon", horizon)?;
        let alive = self.alive(history);
        let bought = alive * self.process(history).probability_of(n as f64, horizon);
        Ok(if n == 0 { (1.0 - alive) + bought } else { bought })
    }

    fn discounted_expected_residual_transactions(
        &self,
        history: &PurchaseHistory,
        rate: f64,
    ) -> Result<f64> {
        let rate = check_rate(rate)?;
        Ok(self.alive(history) * self.process(history).discounted(rate))
    }
}
