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
/// # What the models compute
/// A customer with `x` repeat purchases, the last at age `t_x`, is `T` old. All models of this
/// crate are conjugate: one who is still there goes on by the process that she began with, but
/// with other parameters, `R = r + x` and `A = α + T`, and with
///
/// - [`BgNbd`](super::BgNbd): `a` and `b′ = b + x`,
/// - [`MbgNbd`](super::MbgNbd): `a` and `b′ = b + x + 1`,
/// - [`ParetoNbd`](super::ParetoNbd): `s` and `B = β + T`,
/// - [`MbgCnbd`](super::MbgCnbd): with `R = r + kx`, and otherwise as MBG/NBD; its own page
///   tells in what it differs,
///
/// so that each answer is [`probability_alive`](PurchaseModel::probability_alive) times what
/// that process promises. The methods tell its formulas; `(z)_n` is the rising factorial
/// `z (z+1) … (z+n−1)`, `E_p` the mean over `p` of a beta distribution with `a` and `b′`, and
/// the papers are those that the models name.
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
    ///
    /// With `Λ(t) = (r)_x α^r (α+t)^−(r+x)` the likelihood is
    /// - NBD: `Λ(T)`,
    /// - BG/NBD, with `j = x`, and MBG/NBD, with `j = x + 1`:
    ///   `(b)_j/(a+b)_j · Λ(T) + a (b)_(j−1)/(a+b)_j · Λ(t_x)`, the second only where `j > 0`,
    /// - Pareto/NBD: `(β/(β+T))^s Λ(T) + ∫ s/(β+τ) · (β/(β+τ))^s Λ(τ) dτ` from `t_x` to `T`.
    ///
    /// The first term is of one who is alive, the second of one who has left.
    fn log_likelihood(&self, history: &PurchaseHistory) -> f64;

    /// The probability that the customer can still buy: the first term of the
    /// [likelihood](PurchaseModel::log_likelihood) over both, `1 / (1 + odds of having left)`.
    /// The odds are
    /// - NBD: 0,
    /// - BG/NBD: `a/(b+x−1) · ((α+T)/(α+t_x))^(r+x)`, and 0 for `x = 0`,
    /// - MBG/NBD: `a/(b+x) · ((α+T)/(α+t_x))^(r+x)`,
    /// - Pareto/NBD: `∫ s/(β+τ) · ((β+T)/(β+τ))^s ((α+T)/(α+τ))^(r+x) dτ` from `t_x` to `T`, which
    ///   the papers write with hypergeometric functions.
    ///
    /// It is no ranking of customers: under BG/NBD whoever bought once is alive for
    /// certain. Rank by [`expected_purchases`](PurchaseModel::expected_purchases).
    fn probability_alive(&self, history: &PurchaseHistory) -> f64;

    /// The probability that the customer can still buy so much later, with what is known
    /// now. One who is alive now is alive after `t` with probability
    /// - NBD: 1,
    /// - BG/NBD and MBG/NBD: `E_p[(A/(A+pt))^R]`,
    /// - Pareto/NBD: `(B/(B+t))^s`.
    ///
    /// # Errors
    /// When `ahead` is negative or above 1e12.
    fn probability_alive_at(&self, history: &PurchaseHistory, ahead: f64) -> Result<f64>;

    /// Purchases to be expected from now up to the horizon: the conditional expected
    /// transactions. Of one who is alive, up to `t`:
    /// - NBD: `R t / A`,
    /// - BG/NBD and MBG/NBD: `E_p[(1 − (A/(A+pt))^R) / p]`, which is
    ///   `c/(a−1) · (1 − (A/(A+t))^R ₂F₁(R, b′; c; t/(A+t)))` with `c = a + b′ − 1` (Fader,
    ///   Hardie & Lee 2005, equations 9 and 10), computed without its poles at `a = 1` and
    ///   `c = 0`,
    /// - Pareto/NBD: `R B / (A (s−1)) · (1 − (B/(B+t))^(s−1))` (Schmittlein, Morrison & Colombo
    ///   1987), and `R B / A · ln((B+t)/B)` at `s = 1`.
    ///
    /// # Errors
    /// When the horizon is negative or above 1e12.
    fn expected_purchases(&self, history: &PurchaseHistory, horizon: f64) -> Result<f64>;

    /// The probability of exactly `n` purchases from now up to the horizon. Whoever has left
    /// makes none. With `nb(n, t) = (R)_n / n! · (A/(A+t))^R (t/(A+t))^n`, of one who is alive,
    /// up to `t`:
    /// - NBD: `nb(n, t)` (Ehrenberg 1959),
    /// - BG/NBD and MBG/NBD: `(b′)_n/(a+b′)_n · nb(n, t)`, and where `n > 0` also
    ///   `a (b′)_(n−1)/(a+b′)_n · Σ nb(m, t)` over `m ≥ n` (Fader, Hardie & Lee 2005,
    ///   equation 8),
    /// - Pareto/NBD: `(B/(B+t))^s nb(n, t) + ∫ s/(B+τ) · (B/(B+τ))^s nb(n, τ) dτ` from 0 to `t`
    ///   (Fader & Hardie 2014, *Deriving the Conditional PMF of the Pareto/NBD Model*).
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
    /// transactions (Fader, Hardie & Lee 2005b, *Journal of Marketing Research* 42(4)). A yearly
    /// rate of 15 % is `ln(1.15) / 52.18` a week.
    ///
    /// It is `∫ e^(−δt) dE(t)` over all `t > 0` at the rate `δ`, with the expected purchases
    /// `E(t)` of one who is alive:
    /// - NBD: `R / (A δ)`,
    /// - BG/NBD and MBG/NBD: `δ ∫ e^(−δt) E(t) dt`, by quadrature,
    /// - Pareto/NBD: `R/A · ∫ e^(−δt) (B/(B+t))^s dt`, by quadrature, which is
    ///   `R/A · B^s δ^(s−1) U(s, s, δB)` with Tricomi's function `U`.
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
