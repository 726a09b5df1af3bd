//! Customers who have opportunities to buy, one after the other.

use serde::{Deserialize, Serialize};

use super::beta_binomial;
use super::bg::beta_expectation;
use super::curvature::{Curvature, Jet};
use super::estimate::EstimationOptions;
use super::maximise::{best_of, maximise};
use super::model::{check_parameter, check_rate};
use super::report::{Estimated, EstimationReport};
use super::special::{LnRising, ln_gamma};
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::{Note, Observer};

/// What BG/BB knows of one customer: in how many of her opportunities she bought, which was
/// the last of these (0 for none), and how many opportunities there were. The first
/// purchase is before the first opportunity and not counted.
///
/// ```
/// use segmenta::lifetime::OpportunityHistory;
///
/// // Gave in 3 of 6 years, last in the fifth.
/// let ann = OpportunityHistory::new(3, 5, 6)?;
/// assert_eq!(ann.opportunities(), 6);
/// assert!(OpportunityHistory::new(3, 2, 6).is_err());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "Counts", into = "Counts")]
pub struct OpportunityHistory {
    frequency: u32,
    last: u32,
    opportunities: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    frequency: u32,
    last: u32,
    opportunities: u32,
}

impl TryFrom<Counts> for OpportunityHistory {
    type Error = Error;

    fn try_from(counts: Counts) -> Result<OpportunityHistory> {
        OpportunityHistory::new(counts.frequency, counts.last, counts.opportunities)
    }
}

impl From<OpportunityHistory> for Counts {
    fn from(history: OpportunityHistory) -> Counts {
        let OpportunityHistory { frequency, last, opportunities } = history;
        Counts { frequency, last, opportunities }
    }
}

/// Opportunities, at most: a sum over them is a loop.
const MAX_OPPORTUNITIES: u32 = 100_000;

impl OpportunityHistory {
    /// Bought at so many of so many opportunities, the last time at this one, counted from
    /// 1; 0 where it was none.
    ///
    /// # Errors
    /// When the last purchase is beyond the opportunities, there are more purchases than
    /// opportunities up to the last one, or a last one without purchases, or more than
    /// 100,000 opportunities.
    pub fn new(
        frequency: u32,
        last: u32,
        opportunities: u32,
    ) -> Result<OpportunityHistory> {
        let possible = last <= opportunities
            && frequency <= last
            && (frequency > 0 || last == 0)
            && opportunities <= MAX_OPPORTUNITIES;
        if possible {
            return Ok(OpportunityHistory { frequency, last, opportunities });
        }
        Err(ErrorKind::Value {
            expected:
                "a history with frequency <= last <= opportunities <= 100000, and last 0 \
                       exactly where frequency is 0"
                    .into(),
            found: format!(
                "{frequency} purchases, last {last}, {opportunities} opportunities"
            ),
            row: None,
        }
        .into())
    }

    /// How often she bought: `x`.
    #[must_use]
    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    /// At which opportunity last: `t_x`.
    #[must_use]
    pub fn last(&self) -> u32 {
        self.last
    }

    /// How many opportunities: `n`.
    #[must_use]
    pub fn opportunities(&self) -> u32 {
        self.opportunities
    }
}

/// BG/BB: at each opportunity a customer who is alive buys with a probability of her own, and
/// before each she leaves with a probability of her own (Fader, Hardie & Shang 2010,
/// *Marketing Science* 29(6)).
///
/// The probability of buying has a beta distribution with `α` and `β`, that of leaving one with
/// `γ` and `δ`. Who bought `x` times at `n` opportunities, last at `t_x`, has the likelihood
///
/// ```text
/// B(α+x, β+n−x)/B(α, β) · B(γ, δ+n)/B(γ, δ)
///     + Σ B(α+x, β+i−x)/B(α, β) · B(γ+1, δ+i)/B(γ, δ)   over i from t_x to n − 1
/// ```
///
/// with the beta function `B`. The first term is of those alive at the `n`-th opportunity, and its
/// share is the probability of that; in the others a customer leaves before opportunity `i + 1`.
/// One who is alive goes on with `α + x`, `β + n − x`, `γ` and `δ + n`.
///
/// ```
/// use segmenta::lifetime::{BgBb, OpportunityHistory};
///
/// let model = BgBb::new(1.204, 0.750, 0.657, 2.783)?;
/// let ann = OpportunityHistory::new(6, 6, 6)?;
/// assert_eq!(model.probability_alive(&ann), 1.0);
/// assert!((model.expected_purchases(&ann, 5)? - 3.752).abs() < 1e-3);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct BgBb {
    alpha: f64,
    beta: f64,
    gamma: f64,
    delta: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    alpha: f64,
    beta: f64,
    gamma: f64,
    delta: f64,
}

impl TryFrom<Shape> for BgBb {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<BgBb> {
        BgBb::new(shape.alpha, shape.beta, shape.gamma, shape.delta)
    }
}

const NAME: &str = "BG/BB";

impl BgBb {
    /// The model with these parameters.
    ///
    /// # Errors
    /// When a parameter is not positive, or beyond 1e±30.
    pub fn new(alpha: f64, beta: f64, gamma: f64, delta: f64) -> Result<BgBb> {
        Ok(BgBb {
            alpha: check_parameter("alpha", alpha)?,
            beta: check_parameter("beta", beta)?,
            gamma: check_parameter("gamma", gamma)?,
            delta: check_parameter("delta", delta)?,
        })
    }

    /// Maximum likelihood, of histories with the number of customers that have each. The report
    /// says where the [`BetaBinomial`](super::BetaBinomial), in which nobody leaves, explains
    /// them as well.
    ///
    /// # Errors
    /// When a number is negative or not finite; when there is no opportunity, no purchase,
    /// or nothing but purchases.
    pub fn fit(histories: &[(OpportunityHistory, f64)]) -> Result<Estimated<BgBb>> {
        BgBb::fit_with(histories, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](BgBb::fit), and when no iterations are allowed, or the observer stops the
    /// work.
    pub fn fit_with(
        histories: &[(OpportunityHistory, f64)],
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<BgBb>> {
        let max_iter = options.get_max_iter()?;
        let cells = cells(histories)?;
        let likelihood = |at: &[f64]| log_likelihood(&cells, at);
        let starts = [[1.0, 1.0, 0.5, 3.0], [0.5, 0.5, 1.0, 1.0], [2.0, 4.0, 0.2, 8.0]]
            .map(|start: [f64; 4]| start.map(f64::ln).to_vec());
        let found =
            best_of(&likelihood, &starts, max_iter, observer)?.ok_or_else(|| {
                Error::undefined("the log-likelihood of BG/BB", "it is not finite")
            })?;
        let n_customers = cells.iter().map(|cell| cell.1).sum();
        let names = ["alpha", "beta", "gamma", "delta"];
        let mut report =
            EstimationReport::of_maximum(NAME, &names, &found, n_customers, cells.len());
        if !found.converged {
            report.notes.push(Note::new(
                "not-converged",
                format!("no maximum was reached within {max_iter} iterations"),
            ));
        }
        let null = beta_binomial::maximum(&cells, max_iter, observer)?;
        report.compare_with_null(beta_binomial::NAME, null.at.value, 2);
        let p: Vec<f64> = found.parameters.iter().map(|x| x.exp()).collect();
        Ok(Estimated::new(BgBb::new(p[0], p[1], p[2], p[3])?, report))
    }

    /// First parameter of the beta distribution of the probability of buying.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Second parameter of that distribution.
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// First parameter of the beta distribution of the probability of leaving.
    #[must_use]
    pub fn gamma(&self) -> f64 {
        self.gamma
    }

    /// Second parameter of that distribution.
    #[must_use]
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// The log-likelihood of a history.
    #[must_use]
    pub fn log_likelihood(&self, history: &OpportunityHistory) -> f64 {
        of_cell(self, history).value
    }

    /// The probability of having been alive at the last opportunity.
    #[must_use]
    pub fn probability_alive(&self, history: &OpportunityHistory) -> f64 {
        (alive(self, history).value - self.log_likelihood(history)).exp().clamp(0.0, 1.0)
    }

    /// The probability of being alive at the opportunity so many ahead: 1 is the next one.
    #[must_use]
    pub fn probability_alive_at(&self, history: &OpportunityHistory, ahead: u32) -> f64 {
        let (_, _, gamma, delta) = self.after(history);
        let ahead = f64::from(ahead);
        let stay =
            LnRising::new(delta, ahead).value - LnRising::new(gamma + delta, ahead).value;
        self.probability_alive(history) * stay.exp()
    }

    /// Purchases to be expected at the next opportunities: the probability of being alive times
    /// `(α+x)/(α+β+n) · Σ (δ+n)_i/(γ+δ+n)_i` over `i` from 1 to their number, with rising
    /// factorials.
    ///
    /// # Errors
    /// When there are more than 100,000 of them.
    pub fn expected_purchases(
        &self,
        history: &OpportunityHistory,
        opportunities: u32,
    ) -> Result<f64> {
        check_opportunities(opportunities)?;
        let (alpha, beta, gamma, delta) = self.after(history);
        let mut stay = 1.0;
        let mut sum = 0.0;
        for i in 0..opportunities {
            let i = f64::from(i);
            stay *= (delta + i) / (gamma + delta + i);
            sum += stay;
        }
        Ok(self.probability_alive(history) * alpha / (alpha + beta) * sum)
    }

    /// The probability of buying at exactly `n` of the next opportunities.
    ///
    /// # Errors
    /// When there are more than 100,000 of them.
    pub fn probability_of_n_purchases(
        &self,
        history: &OpportunityHistory,
        n: u32,
        opportunities: u32,
    ) -> Result<f64> {
        check_opportunities(opportunities)?;
        let (alpha, beta, gamma, delta) = self.after(history);
        let n_real = f64::from(n);
        // Bought at n of `of` opportunities.
        let ln_bought = |of: f64| {
            ln_choose(of, n_real)
                + LnRising::new(alpha, n_real).value
                + LnRising::new(beta, of - n_real).value
                - LnRising::new(alpha + beta, of).value
        };
        let ln_stay = |of: f64| {
            LnRising::new(delta, of).value - LnRising::new(gamma + delta, of).value
        };
        let all = f64::from(opportunities);
        let mut sum = 0.0;
        if n <= opportunities {
            sum += (ln_bought(all) + ln_stay(all)).exp();
            for i in n..opportunities {
                let i = f64::from(i);
                let left = gamma / (gamma + delta + i);
                sum += left * (ln_bought(i) + ln_stay(i)).exp();
            }
        }
        let alive = self.probability_alive(history);
        Ok(if n == 0 { (1.0 - alive) + alive * sum } else { alive * sum }.clamp(0.0, 1.0))
    }

    /// All purchases to be expected from the next opportunity on, each discounted by
    /// `1 + rate` for each opportunity: discounted expected residual transactions, the
    /// probability of being alive times `(α+x)/(α+β+n) · E[(1−θ)/(rate+θ)]`, where the
    /// probability `θ` of leaving has a beta distribution with `γ` and `δ + n`.
    ///
    /// # Errors
    /// When the rate is not within 1e-12 and 1e12.
    pub fn discounted_expected_residual_transactions(
        &self,
        history: &OpportunityHistory,
        rate: f64,
    ) -> Result<f64> {
        let rate = check_rate(rate)?;
        let (alpha, beta, gamma, delta) = self.after(history);
        // Σ ((1−θ)/(1+d))^j over j from 1.
        let sum = beta_expectation(gamma, delta, |ln_left| {
            let left = ln_left.exp();
            (1.0 - left) / (rate + left)
        });
        Ok(self.probability_alive(history) * alpha / (alpha + beta) * sum)
    }

    /// The parameters after a history, for one who is alive.
    fn after(&self, history: &OpportunityHistory) -> (f64, f64, f64, f64) {
        let x = f64::from(history.frequency);
        let n = f64::from(history.opportunities);
        (self.alpha + x, self.beta + (n - x), self.gamma, self.delta + n)
    }
}

/// `n` of so many.
pub(super) fn ln_choose(of: f64, n: f64) -> f64 {
    ln_gamma(of + 1.0) - ln_gamma(n + 1.0) - ln_gamma(of - n + 1.0)
}

pub(super) fn check_opportunities(opportunities: u32) -> Result<()> {
    if opportunities <= MAX_OPPORTUNITIES {
        return Ok(());
    }
    Err(Error::parameter("opportunities", "at most 100000", opportunities))
}

impl BgBb {
    /// The maximum that is reached from here; `None` where there is none.
    pub(super) fn refit(&self, histories: &[(OpportunityHistory, f64)]) -> Option<BgBb> {
        let cells = cells(histories).ok()?;
        let start = [self.alpha, self.beta, self.gamma, self.delta].map(f64::ln);
        let likelihood = |at: &[f64]| log_likelihood(&cells, at);
        let found = maximise(&likelihood, &start, 100, &mut ()).ok()??;
        if !found.converged {
            return None;
        }
        let [alpha, beta, gamma, delta] = [0, 1, 2, 3].map(|i| found.parameters[i].exp());
        BgBb::new(alpha, beta, gamma, delta).ok()
    }
}

/// Equal histories as one, those of weight 0 left out.
pub(super) fn cells(
    histories: &[(OpportunityHistory, f64)],
) -> Result<Vec<(OpportunityHistory, f64)>> {
    if let Some(row) = histories.iter().position(|(_, w)| !(w.is_finite() && *w >= 0.0)) {
        return Err(ErrorKind::Value {
            expected: "a number of customers of at least 0, and finite".into(),
            found: histories[row].1.to_string(),
            row: Some(row),
        }
        .into());
    }
    let mut cells: Vec<(OpportunityHistory, f64)> =
        histories.iter().filter(|cell| cell.1 > 0.0).copied().collect();
    cells.sort_by_key(|cell| cell.0);
    cells.dedup_by(|next, before| {
        let same = next.0 == before.0;
        if same {
            before.1 += next.1;
        }
        same
    });
    let bought: f64 = cells.iter().map(|(h, w)| w * f64::from(h.frequency)).sum();
    let seen: f64 = cells.iter().map(|(h, w)| w * f64::from(h.opportunities)).sum();
    if bought <= 0.0 || bought >= seen {
        return Err(Error::undefined(
            "the probability of buying",
            "there is no purchase at all, or one at every opportunity",
        ));
    }
    Ok(cells)
}

/// `ln (α)_x (β)_m / (α+β)_(x+m)`, by `ln α` and `ln β` in the places `at` and `at + 1`.
pub(super) fn beta_ratio<const N: usize>(
    jet: &mut Jet<N>,
    at: usize,
    (a, b): (f64, f64),
    (x, m): (f64, f64),
) {
    let (of_a, of_b, of_ab) =
        (LnRising::new(a, x), LnRising::new(b, m), LnRising::new(a + b, x + m));
    jet.value += of_a.value + of_b.value - of_ab.value;
    let (da, db) = (a * (of_a.first - of_ab.first), b * (of_b.first - of_ab.first));
    jet.gradient[at] += da;
    jet.gradient[at + 1] += db;
    jet.hessian[at][at] += da + a * a * (of_a.second - of_ab.second);
    jet.hessian[at + 1][at + 1] += db + b * b * (of_b.second - of_ab.second);
    jet.hessian[at][at + 1] -= a * b * of_ab.second;
    jet.hessian[at + 1][at] -= a * b * of_ab.second;
}

/// Alive at all opportunities.
fn alive(model: &BgBb, history: &OpportunityHistory) -> Jet<4> {
    let [x, n] = [history.frequency, history.opportunities].map(f64::from);
    let mut jet = Jet::ZERO;
    beta_ratio(&mut jet, 0, (model.alpha, model.beta), (x, n - x));
    beta_ratio(&mut jet, 2, (model.gamma, model.delta), (0.0, n));
    jet
}

/// Alive at all, or left before one of those after the last purchase.
fn of_cell(model: &BgBb, history: &OpportunityHistory) -> Jet<4> {
    let x = f64::from(history.frequency);
    let mut terms = vec![alive(model, history)];
    for i in history.last..history.opportunities {
        let lived = f64::from(i);
        let mut jet = Jet::ZERO;
        beta_ratio(&mut jet, 0, (model.alpha, model.beta), (x, lived - x));
        beta_ratio(&mut jet, 2, (model.gamma, model.delta), (1.0, lived));
        terms.push(jet);
    }
    Jet::ln_sum(&terms)
}

/// The log-likelihood and its derivatives by the parameters' logarithms.
fn log_likelihood(cells: &[(OpportunityHistory, f64)], at: &[f64]) -> Curvature {
    let model = BgBb {
        alpha: at[0].exp(),
        beta: at[1].exp(),
        gamma: at[2].exp(),
        delta: at[3].exp(),
    };
    let mut sum = Jet::ZERO;
    for (history, weight) in cells {
        sum.add(*weight, &of_cell(&model, history));
    }
    sum.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::curvature::check_derivatives;

    #[test]
    fn curvatures_are_those_of_the_values() -> Result<()> {
        let cells = [(0, 0, 6), (6, 6, 6), (2, 5, 6), (1, 1, 6), (3, 4, 9), (1, 2, 2)];
        let cells = cells.map(|(x, last, n)| OpportunityHistory::new(x, last, n));
        let cells = cells.into_iter().collect::<Result<Vec<_>>>()?;
        let cells: Vec<_> =
            cells.into_iter().zip([3.0, 1.0, 2.5, 4.0, 1.0, 0.5]).collect();
        for at in [[0.2, -0.3, -0.4, 1.0], [-2.0, 1.0, 2.0, 2.5], [1.5, 1.5, -2.0, -1.0]]
        {
            check_derivatives(|at| log_likelihood(&cells, at), &at);
        }
        Ok(())
    }
}
