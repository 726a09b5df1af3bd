//! Contracts: customers who are seen to leave.

use serde::{Deserialize, Serialize};

use super::bg::beta_expectation;
use super::curvature::{Curvature, Jet};
use super::estimate::EstimationOptions;
use super::geometric;
use super::maximise::{best_of, maximise};
use super::model::{check_parameter, check_rate};
use super::report::{Estimated, EstimationReport};
use super::special::LnRising;
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::{Note, Observer};

/// Shifted-beta-geometric: at the end of each period a customer does not renew with a
/// probability of her own (Fader & Hardie 2007, *Journal of Interactive Marketing* 21(1)). Since
/// those who leave easily leave first, retention rises with tenure.
///
/// Time is counted in renewals: `survival(t)` is the share of a cohort that is still there
/// after `t` of them.
///
/// ```
/// use segmenta::lifetime::ShiftedBetaGeometric;
///
/// // A cohort of 1,000, seen for four renewals.
/// let fitted = ShiftedBetaGeometric::fit(&[vec![1000.0, 869.0, 743.0, 653.0, 593.0]])?;
/// let model = fitted.model();
/// assert!(model.retention_rate(8) > model.retention_rate(1));
/// // Of those who renewed four times, so many are there after four more.
/// assert!((model.conditional_survival(4, 4) - 0.692).abs() < 3e-3);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct ShiftedBetaGeometric {
    alpha: f64,
    beta: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    alpha: f64,
    beta: f64,
}

impl TryFrom<Shape> for ShiftedBetaGeometric {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<ShiftedBetaGeometric> {
        ShiftedBetaGeometric::new(shape.alpha, shape.beta)
    }
}

const NAME: &str = "sBG";

impl ShiftedBetaGeometric {
    /// The model with these parameters.
    ///
    /// # Errors
    /// When a parameter is not positive, or beyond 1e±30.
    pub fn new(alpha: f64, beta: f64) -> Result<ShiftedBetaGeometric> {
        Ok(ShiftedBetaGeometric {
            alpha: check_parameter("alpha", alpha)?,
            beta: check_parameter("beta", beta)?,
        })
    }

    /// Maximum likelihood from the numbers of customers of one or more cohorts: at the
    /// start, after the first renewal, and so on. Cohorts may have been seen for different
    /// times; what has not been seen yet is not there. The report says where the
    /// [`Geometric`](super::Geometric), in which customers do not differ, explains them as well.
    ///
    /// # Errors
    /// When a number is negative, not finite, or larger than the one before; when nobody
    /// was seen to leave or nobody to stay.
    pub fn fit(cohorts: &[Vec<f64>]) -> Result<Estimated<ShiftedBetaGeometric>> {
        ShiftedBetaGeometric::fit_with(cohorts, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](ShiftedBetaGeometric::fit), and when no iterations are allowed, or the
    /// observer stops the work.
    pub fn fit_with(
        cohorts: &[Vec<f64>],
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<ShiftedBetaGeometric>> {
        let max_iter = options.get_max_iter()?;
        let tenures = Tenures::of(cohorts)?;
        let likelihood = |at: &[f64]| tenures.log_likelihood(at);
        let starts = [[1.0, 1.0], [0.5, 3.0], [5.0, 20.0]]
            .map(|start: [f64; 2]| start.map(f64::ln).to_vec());
        let found =
            best_of(&likelihood, &starts, max_iter, observer)?.ok_or_else(|| {
                Error::undefined("the log-likelihood of sBG", "it is not finite")
            })?;
        let mut report = EstimationReport::of_maximum(
            NAME,
            &["alpha", "beta"],
            &found,
            tenures.customers(),
            tenures.rows(),
        );
        if !found.converged {
            report.notes.push(Note::new(
                "not-converged",
                format!("no maximum was reached within {max_iter} iterations"),
            ));
        }
        let (_, null) = geometric::maximum(&tenures);
        report.compare_with_null(geometric::NAME, null.at.value, 1);
        let [alpha, beta] = [0, 1].map(|i| found.parameters[i].exp());
        Ok(Estimated::new(ShiftedBetaGeometric::new(alpha, beta)?, report))
    }

    /// First parameter of the beta distribution of the probability of not renewing.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Second parameter of that distribution; the mean is `alpha / (alpha + beta)`.
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// The share of a cohort that is there after `t` renewals: `B(α, β+t) / B(α, β)`.
    #[must_use]
    pub fn survival(&self, t: u32) -> f64 {
        self.conditional_survival(0, t)
    }

    /// The share that is there after `more` renewals, of those who renewed `tenure` times
    /// and are customers now.
    #[must_use]
    pub fn conditional_survival(&self, tenure: u32, more: u32) -> f64 {
        let (beta, more) = (self.beta + f64::from(tenure), f64::from(more));
        let stay = LnRising::new(beta, more).value
            - LnRising::new(self.alpha + beta, more).value;
        stay.exp()
    }

    /// The share that renews at the `t`-th renewal, of those who reach it: `t` from 1;
    /// `(β + t − 1) / (α + β + t − 1)`.
    #[must_use]
    pub fn retention_rate(&self, t: u32) -> f64 {
        let before = f64::from(t.max(1) - 1);
        (self.beta + before) / (self.alpha + self.beta + before)
    }

    /// Renewals to be expected of someone who renewed `tenure` times, the next one at its
    /// full value and each later one discounted by `1 + rate`: discounted expected residual
    /// lifetime (Fader & Hardie 2010, *Marketing Science* 29(1)).
    ///
    /// # Errors
    /// When the rate is not within 1e-12 and 1e12.
    pub fn discounted_expected_residual_lifetime(
        &self,
        tenure: u32,
        rate: f64,
    ) -> Result<f64> {
        let rate = check_rate(rate)?;
        // Σ (1−θ)^(j+1) / (1+d)^j over j from 0.
        let sum =
            beta_expectation(self.alpha, self.beta + f64::from(tenure), |ln_left| {
                let left = ln_left.exp();
                (1.0 - left) * (1.0 + rate) / (rate + left)
            });
        Ok(sum)
    }

    /// The value of a customer who renewed `tenure` times: `margin` at each renewal to come.
    ///
    /// # Errors
    /// When the rate is not within 1e-12 and 1e12, or the margin is not finite.
    pub fn residual_value(&self, tenure: u32, margin: f64, rate: f64) -> Result<f64> {
        if !margin.is_finite() {
            return Err(Error::parameter("margin", "finite", margin));
        }
        Ok(margin * self.discounted_expected_residual_lifetime(tenure, rate)?)
    }

    /// By how many percent the discounted lifetime of someone who renewed `tenure` times
    /// grows when all her retention rates to come grow by one percent:
    /// `Σ (j+1) S(j+1)/(1+d)^j` over `Σ S(j+1)/(1+d)^j`, with `S(j)` the share that is still
    /// there after `j` more renewals. Each renewal to come is a product of one more rate than
    /// the one before it.
    ///
    /// The idea is that of Fader & Hardie (2010), whose elasticity,
    /// `₂F₁(1, β+t; α+β+t; 1/(1+d))` with `t = tenure + 1`, is another one where customers
    /// differ. Where they do not, both are `(1+d)/(1+d−r)`.
    ///
    /// # Errors
    /// When the rate is not within 1e-12 and 1e12.
    pub fn retention_elasticity(&self, tenure: u32, rate: f64) -> Result<f64> {
        let lifetime = self.discounted_expected_residual_lifetime(tenure, rate)?;
        // Each renewal to come is a product of one more rate than the one before it:
        // Σ (j+1) (1−θ)^(j+1) / (1+d)^j.
        let weighted =
            beta_expectation(self.alpha, self.beta + f64::from(tenure), |ln_left| {
                let left = ln_left.exp();
                let step = (rate + left) / (1.0 + rate);
                (1.0 - left) / (step * step)
            });
        Ok(weighted / lifetime)
    }
}

impl ShiftedBetaGeometric {
    /// The maximum that is reached from here; `None` where there is none.
    pub(super) fn refit(&self, tenures: &Tenures) -> Option<ShiftedBetaGeometric> {
        let start = [self.alpha, self.beta].map(f64::ln);
        let likelihood = |at: &[f64]| tenures.log_likelihood(at);
        let found = maximise(&likelihood, &start, 100, &mut ()).ok()??;
        if !found.converged {
            return None;
        }
        let [alpha, beta] = [0, 1].map(|i| found.parameters[i].exp());
        ShiftedBetaGeometric::new(alpha, beta).ok()
    }
}

/// How many left at each renewal, and how many were still there after so many when they were
/// last seen.
pub(super) struct Tenures {
    left: Vec<f64>,
    stayed: Vec<f64>,
}

impl Tenures {
    pub(super) fn of(cohorts: &[Vec<f64>]) -> Result<Tenures> {
        let longest = cohorts.iter().map(Vec::len).max().unwrap_or(0);
        let mut left = vec![0.0; longest];
        let mut stayed = vec![0.0; longest];
        for (i, cohort) in cohorts.iter().enumerate() {
            for (t, &n) in cohort.iter().enumerate() {
                let before = if t == 0 { f64::INFINITY } else { cohort[t - 1] };
                if !(n.is_finite() && n >= 0.0 && n <= before) {
                    return Err(ErrorKind::Value {
                        expected: format!(
                            "a number of customers, at most {before} as before (renewal {t} of \
                             cohort {i})"
                        )
                        .into(),
                        found: n.to_string(),
                        row: Some(i),
                    }
                    .into());
                }
                if t > 0 {
                    left[t] += before - n;
                }
            }
            if let Some(n) = cohort.last() {
                stayed[cohort.len() - 1] += n;
            }
        }
        // Those who were only seen to begin tell nothing.
        if let Some(n) = stayed.first_mut() {
            *n = 0.0;
        }
        let tenures = Tenures { left, stayed };
        if !tenures.tell() {
            return Err(Error::undefined(
                "the rate of renewal",
                "nobody was seen to leave, or nobody to stay",
            ));
        }
        Ok(tenures)
    }

    /// Somebody was seen to leave, and somebody to stay.
    fn tell(&self) -> bool {
        let lost: f64 = self.left.iter().sum();
        let kept = self.stayed.iter().chain(self.left.iter().skip(2));
        lost > 0.0 && kept.sum::<f64>() > 0.0
    }

    /// Who left and who stayed, one after the other.
    pub(super) fn numbers(&self) -> Vec<f64> {
        [&self.left[..], &self.stayed].concat()
    }

    /// The reverse; `None` where that tells nothing.
    pub(super) fn of_numbers(mut left: Vec<f64>) -> Option<Tenures> {
        let stayed = left.split_off(left.len() / 2);
        let tenures = Tenures { left, stayed };
        tenures.tell().then_some(tenures)
    }

    /// How many left, and how many renewals there were.
    pub(super) fn outcomes(&self) -> (f64, f64) {
        // Who left at the t-th renewal had renewed one time less.
        let of_left =
            self.left.iter().enumerate().skip(1).map(|(t, n)| (t - 1) as f64 * n);
        let of_stayed = self.stayed.iter().enumerate().map(|(t, n)| t as f64 * n);
        (self.left.iter().sum(), of_left.chain(of_stayed).sum())
    }

    /// Rows of the likelihood.
    pub(super) fn rows(&self) -> usize {
        self.left.iter().chain(&self.stayed).filter(|n| **n > 0.0).count()
    }

    pub(super) fn customers(&self) -> f64 {
        self.left.iter().sum::<f64>() + self.stayed.iter().sum::<f64>()
    }

    /// By `ln α` and `ln β`.
    fn log_likelihood(&self, at: &[f64]) -> Curvature {
        let (alpha, beta) = (at[0].exp(), at[1].exp());
        let mut sum = Jet::ZERO;
        let both = self.left.iter().zip(&self.stayed).enumerate();
        for (t, (&left, &stayed)) in both {
            let t = t as f64;
            if left > 0.0 {
                let mut jet = survivors(alpha, beta, t - 1.0, t);
                jet.value += alpha.ln();
                jet.gradient[0] += 1.0;
                sum.add(left, &jet);
            }
            if stayed > 0.0 {
                sum.add(stayed, &survivors(alpha, beta, t, t));
            }
        }
        sum.into()
    }
}

/// `ln (β)_m / (α+β)_n`.
fn survivors(alpha: f64, beta: f64, m: f64, n: f64) -> Jet<2> {
    let (of_b, of_ab) = (LnRising::new(beta, m), LnRising::new(alpha + beta, n));
    let (da, db) = (-alpha * of_ab.first, beta * (of_b.first - of_ab.first));
    let mixed = -alpha * beta * of_ab.second;
    Jet {
        value: of_b.value - of_ab.value,
        gradient: [da, db],
        hessian: [
            [da - alpha * alpha * of_ab.second, mixed],
            [mixed, db + beta * beta * (of_b.second - of_ab.second)],
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::curvature::check_derivatives;

    #[test]
    fn curvatures_are_those_of_the_values() {
        let tenures = Tenures {
            left: vec![0.0, 0.0, 30.0, 11.0, 0.5, 4.0],
            stayed: vec![0.0, 0.0, 9.0, 0.0, 0.0, 40.0],
        };
        for at in [[-0.4, 1.3], [2.0, -1.0], [-3.0, -3.0]] {
            check_derivatives(|at| tenures.log_likelihood(at), &at);
        }
    }
}
