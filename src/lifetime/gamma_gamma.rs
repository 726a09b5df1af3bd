//! How much customers spend on a purchase.

use serde::{Deserialize, Serialize};

use super::curvature::{Curvature, Jet};
use super::distinct::Distinct;
use super::estimate::EstimationOptions;
use super::history::PurchaseHistory;
use super::maximise::{best_of, maximise};
use super::model::check_parameter;
use super::report::{Estimated, EstimationReport};
use super::special::{digamma_trigamma, ln_gamma};
use super::spend::SpendHistory;
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::{Note, Observer};

/// Gamma-Gamma: the value of a purchase is gamma distributed with shape `p` around a mean of
/// the customer's own; the scales of the customers are gamma distributed with `q` and
/// `gamma` (Fader & Hardie 2013, *The Gamma-Gamma Model of Monetary Value*; Colombo & Jiang
/// 1999).
///
/// The mean value `m` of `x` purchases has the density
///
/// ```text
/// Γ(px+q) / (Γ(px) Γ(q)) · γ^q m^(px−1) x^(px) / (γ + x m)^(px+q)
/// ```
///
/// and the scale of a customer of whom these are known is gamma distributed with `px + q` and
/// `γ + x m`. The mean of everybody's spend is `p γ / (q − 1)`, and infinite where `q ≤ 1`.
///
/// It takes spend to be independent of how often customers buy:
/// look whether that holds before you believe it.
///
/// ```
/// use segmenta::lifetime::{GammaGamma, SpendHistory};
///
/// let model = GammaGamma::new(6.25, 3.74, 15.44)?;
/// let ann = SpendHistory::new(2, 22.345)?;
/// // Between what she spent and what is spent on the whole, 35.22.
/// assert!((model.expected_customer_spend(&ann)? - 24.66).abs() < 0.01);
/// assert!((model.expected_customer_spend(&SpendHistory::none())? - 35.22).abs() < 0.01);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct GammaGamma {
    p: f64,
    q: f64,
    gamma: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    p: f64,
    q: f64,
    gamma: f64,
}

impl TryFrom<Shape> for GammaGamma {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<GammaGamma> {
        GammaGamma::new(shape.p, shape.q, shape.gamma)
    }
}

const NAME: &str = "Gamma-Gamma";

impl GammaGamma {
    /// The model with these parameters; `gamma` is in units of money.
    ///
    /// # Errors
    /// When a parameter is not positive, or beyond 1e±30.
    pub fn new(p: f64, q: f64, gamma: f64) -> Result<GammaGamma> {
        Ok(GammaGamma {
            p: check_parameter("p", p)?,
            q: check_parameter("q", q)?,
            gamma: check_parameter("gamma", gamma)?,
        })
    }

    /// Maximum likelihood. Customers without purchases say nothing and are not looked at.
    ///
    /// # Errors
    /// When no two customers with purchases differ in how many or in their mean value.
    pub fn fit(histories: &[SpendHistory]) -> Result<Estimated<GammaGamma>> {
        GammaGamma::fit_with(histories, None, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood with a weight for each customer, watched.
    ///
    /// # Errors
    /// As [`fit`](GammaGamma::fit); when the weights are not as many as the customers, or
    /// one is negative or not finite; when no iterations are allowed, or the observer stops
    /// the work.
    pub fn fit_with(
        histories: &[SpendHistory],
        weights: Option<&[f64]>,
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<GammaGamma>> {
        let max_iter = options.get_max_iter()?;
        let (rows, weights) = spenders(histories, weights, |h| h.purchases > 0.0)?;
        let distinct = Distinct::new(&rows, Some(&weights))?;
        if distinct.len() < 2 {
            return Err(ErrorKind::TooFewRows {
                what: "customers with purchases of different value".into(),
                needed: 2,
                found: distinct.len(),
            }
            .into());
        }
        let (_, spend) = distinct.sums();
        let n_customers = distinct.total();
        let mean = spend / n_customers;
        // With q = 4 the mean is p gamma / 3.
        let starts = [(6.0, 4.0), (1.0, 4.0), (2.0, 20.0)]
            .map(|(p, q): (f64, f64)| vec![p.ln(), q.ln(), (mean * (q - 1.0) / p).ln()]);
        let likelihood = |at: &[f64]| log_likelihood(&distinct, at);
        let found =
            best_of(&likelihood, &starts, max_iter, observer)?.ok_or_else(|| {
                Error::undefined("the log-likelihood of Gamma-Gamma", "it is not finite")
            })?;
        let names = ["p", "q", "gamma"];
        let mut report = EstimationReport::of_maximum(
            NAME,
            &names,
            &found,
            n_customers,
            distinct.len(),
        );
        let [p, q, gamma] = [0, 1, 2].map(|i| found.parameters[i].exp());
        if q <= 1.0 {
            report.notes.push(Note::new(
                "no-mean",
                format!("q is {q:.4}: the mean spend of a customer without purchases is infinite"),
            ));
        }
        if !found.converged {
            report.notes.push(Note::new(
                "not-converged",
                format!("no maximum was reached within {max_iter} iterations"),
            ));
        }
        Ok(Estimated::new(GammaGamma::new(p, q, gamma)?, report))
    }

    /// Shape of the gamma distribution of the value of a customer's purchases.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.p
    }

    /// Shape of the gamma distribution of the customers' scales.
    #[must_use]
    pub fn q(&self) -> f64 {
        self.q
    }

    /// Scale of that distribution, in money.
    #[must_use]
    pub fn gamma(&self) -> f64 {
        self.gamma
    }

    /// The mean value of a purchase to be expected of a customer:
    /// `p (γ + x m) / (p x + q − 1)`, a mean of her own and of everybody's.
    ///
    /// # Errors
    /// When `p x + q ≤ 1`: then the mean is infinite.
    pub fn expected_customer_spend(&self, history: &SpendHistory) -> Result<f64> {
        let shape = self.p * history.purchases + (self.q - 1.0);
        if shape <= 0.0 {
            return Err(Error::undefined(
                "the expected spend",
                format!(
                    "the mean is infinite where p x + q is at most 1; p = {}, q = {}, x = {}",
                    self.p, self.q, history.purchases
                ),
            ));
        }
        // Shares of the two means, which are as large as these and no larger.
        let own = self.p * history.purchases / shape * history.mean;
        Ok(self.p / shape * self.gamma + own)
    }

    /// The logarithm of the density of a customer's mean spend; 0 for one without
    /// purchases.
    #[must_use]
    pub fn log_likelihood(&self, history: &SpendHistory) -> f64 {
        let GammaGamma { p, q, gamma } = *self;
        let SpendHistory { purchases: x, mean: m } = *history;
        if x == 0.0 {
            return 0.0;
        }
        let c = gamma + x * m;
        ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma(q)
            + q * (gamma / c).ln()
            + p * x * (x * m / c).ln()
            - m.ln()
    }
}

impl GammaGamma {
    /// The maximum that is reached from here with other weights; `None` where there is none.
    pub(super) fn refit(
        &self,
        histories: &[SpendHistory],
        weights: &[f64],
    ) -> Option<GammaGamma> {
        let bought = |h: &SpendHistory| h.purchases > 0.0;
        let (rows, weights) = spenders(histories, Some(weights), bought).ok()?;
        let distinct = Distinct::new(&rows, Some(&weights)).ok()?;
        if distinct.len() < 2 {
            return None;
        }
        let start = [self.p, self.q, self.gamma].map(f64::ln);
        let likelihood = |at: &[f64]| log_likelihood(&distinct, at);
        let found = maximise(&likelihood, &start, 100, &mut ()).ok()??;
        if !found.converged {
            return None;
        }
        let [p, q, gamma] = [0, 1, 2].map(|i| found.parameters[i].exp());
        GammaGamma::new(p, q, gamma).ok()
    }
}

/// The customers that count, and their weights; a mean spend takes the place of the age.
pub(super) fn spenders(
    histories: &[SpendHistory],
    weights: Option<&[f64]>,
    counts: impl Fn(&SpendHistory) -> bool,
) -> Result<(Vec<PurchaseHistory>, Vec<f64>)> {
    if let Some(weights) = weights {
        if weights.len() != histories.len() {
            return Err(Error::length("weights", histories.len(), weights.len()));
        }
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(ErrorKind::Value {
                expected: "a weight of at least 0, and finite".into(),
                found: weights[row].to_string(),
                row: Some(row),
            }
            .into());
        }
    }
    let all = histories.iter().enumerate().filter(|(_, h)| counts(h));
    Ok(all
        .map(|(i, h)| {
            let row = PurchaseHistory {
                frequency: h.purchases,
                age_at_last_purchase: 0.0,
                age: h.mean,
            };
            (row, weights.map_or(1.0, |w| w[i]))
        })
        .unzip())
}

/// The log-likelihood and its derivatives by `ln p`, `ln q`, `ln γ`.
fn log_likelihood(distinct: &Distinct, at: &[f64]) -> Curvature {
    let [p, q, gamma] = [at[0].exp(), at[1].exp(), at[2].exp()];
    let (psi_q, psi1_q) = digamma_trigamma(q);
    let ln_gamma_q = ln_gamma(q);
    let sum = distinct.sum_over_runs(|runs| {
        let mut sum = Jet::ZERO;
        for run in runs {
            let x = run.x;
            let (px, pxq) = (p * x, p * x + q);
            let (psi_px, psi1_px) = digamma_trigamma(px);
            let (psi_pxq, psi1_pxq) = digamma_trigamma(pxq);
            // Sums over the rows of logarithms of shares of c = γ + x m.
            let (mut w, mut ln_own, mut ln_all, mut share, mut bend, mut ln_m) =
                (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
            for i in run.start..run.end {
                let (weight, m) = (distinct.weight[i], distinct.age[i]);
                let all = gamma / (gamma + x * m);
                w += weight;
                ln_own += weight * (x * m / (gamma + x * m)).ln();
                ln_all += weight * all.ln();
                share += weight * all;
                bend += weight * all * (1.0 - all);
                ln_m += weight * m.ln();
            }
            let of_p = px * (w * (psi_pxq - psi_px) + ln_own);
            let of_q = q * (w * (psi_pxq - psi_q) + ln_all);
            let pq = w * px * q * psi1_pxq;
            let (pg, qg) = (-px * share, q * (w - share));
            sum.add(
                1.0,
                &Jet {
                    value: w * (ln_gamma(pxq) - ln_gamma(px) - ln_gamma_q)
                        + q * ln_all
                        + px * ln_own
                        - ln_m,
                    gradient: [of_p, of_q, w * q - pxq * share],
                    hessian: [
                        [of_p + w * px * px * (psi1_pxq - psi1_px), pq, pg],
                        [pq, of_q + w * q * q * (psi1_pxq - psi1_q), qg],
                        [pg, qg, -pxq * bend],
                    ],
                },
            );
        }
        sum
    });
    sum.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::curvature::check_derivatives;

    #[test]
    fn curvatures_are_those_of_the_values() -> Result<()> {
        let rows = [(1, 3.0), (1, 80.0), (2, 41.5), (5, 0.25), (30, 12.0)];
        let rows = rows.map(|(x, mean)| SpendHistory::new(x, mean));
        let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
        let weights = [1.0, 2.5, 1.0, 0.5, 3.0];
        let (rows, weights) = spenders(&rows, Some(&weights), |_| true)?;
        let distinct = Distinct::new(&rows, Some(&weights))?;
        for at in [[1.8, 1.3, 2.7], [-1.5, 0.1, 4.0], [3.0, 2.0, -1.0]] {
            check_derivatives(|at| log_likelihood(&distinct, at), &at);
        }
        Ok(())
    }
}
