//! Opportunities of customers who never leave: the null model of BG/BB.

use serde::{Deserialize, Serialize};

use super::bg_bb::{
    OpportunityHistory, beta_ratio, cells, check_opportunities, ln_choose,
};
use super::curvature::{Curvature, Jet};
use super::estimate::EstimationOptions;
use super::maximise::{Maximum, best_of};
use super::model::check_parameter;
use super::report::{Estimated, EstimationReport};
use super::special::LnRising;
use crate::error::{Error, Result};
use crate::segmenter::{Note, Observer};

/// Beta-binomial: at each opportunity a customer buys with a probability of her own, and never
/// leaves (Skellam 1948). It is what [`BgBb`](super::BgBb) has to gain on: the likelihoods
/// of both are those of the same sequences and may be compared.
///
/// ```
/// use segmenta::lifetime::{BetaBinomial, OpportunityHistory};
///
/// let model = BetaBinomial::new(0.487, 0.826)?;
/// // Silent since the second of six opportunities, and expected to buy all the same.
/// let ann = OpportunityHistory::new(2, 2, 6)?;
/// assert!((model.expected_purchases(&ann, 5)? - 5.0 * 2.487 / 7.313).abs() < 1e-12);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct BetaBinomial {
    alpha: f64,
    beta: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    alpha: f64,
    beta: f64,
}

impl TryFrom<Shape> for BetaBinomial {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<BetaBinomial> {
        BetaBinomial::new(shape.alpha, shape.beta)
    }
}

pub(super) const NAME: &str = "beta-binomial";

impl BetaBinomial {
    /// The model with these parameters.
    ///
    /// # Errors
    /// When a parameter is not positive, or beyond 1e±30.
    pub fn new(alpha: f64, beta: f64) -> Result<BetaBinomial> {
        Ok(BetaBinomial {
            alpha: check_parameter("alpha", alpha)?,
            beta: check_parameter("beta", beta)?,
        })
    }

    /// Maximum likelihood, of histories with the number of customers that have each.
    ///
    /// # Errors
    /// When a number is negative or not finite; when there is no opportunity, no purchase,
    /// or nothing but purchases.
    pub fn fit(
        histories: &[(OpportunityHistory, f64)],
    ) -> Result<Estimated<BetaBinomial>> {
        BetaBinomial::fit_with(histories, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](BetaBinomial::fit), and when no iterations are allowed, or the observer
    /// stops the work.
    pub fn fit_with(
        histories: &[(OpportunityHistory, f64)],
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<BetaBinomial>> {
        let max_iter = options.get_max_iter()?;
        let cells = cells(histories)?;
        let found = maximum(&cells, max_iter, observer)?;
        let n_customers = cells.iter().map(|cell| cell.1).sum();
        let names = ["alpha", "beta"];
        let mut report =
            EstimationReport::of_maximum(NAME, &names, &found, n_customers, cells.len());
        if !found.converged {
            report.notes.push(Note::new(
                "not-converged",
                format!("no maximum was reached within {max_iter} iterations"),
            ));
        }
        let [alpha, beta] = [0, 1].map(|i| found.parameters[i].exp());
        Ok(Estimated::new(BetaBinomial::new(alpha, beta)?, report))
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

    /// The log-likelihood of a history: `ln B(α+x, β+n−x) / B(α, β)`.
    #[must_use]
    pub fn log_likelihood(&self, history: &OpportunityHistory) -> f64 {
        of_cell(self.alpha, self.beta, history).value
    }

    /// Purchases to be expected at the next `m` opportunities: `m (α+x)/(α+β+n)`.
    ///
    /// # Errors
    /// When there are more than 100,000 of them.
    pub fn expected_purchases(
        &self,
        history: &OpportunityHistory,
        opportunities: u32,
    ) -> Result<f64> {
        check_opportunities(opportunities)?;
        let (alpha, beta) = self.after(history);
        Ok(f64::from(opportunities) * (alpha / (alpha + beta)))
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
        if n > opportunities {
            return Ok(0.0);
        }
        let (alpha, beta) = self.after(history);
        let [x, all] = [n, opportunities].map(f64::from);
        let ln = ln_choose(all, x)
            + LnRising::new(alpha, x).value
            + LnRising::new(beta, all - x).value
            - LnRising::new(alpha + beta, all).value;
        Ok(ln.exp().clamp(0.0, 1.0))
    }

    fn after(&self, history: &OpportunityHistory) -> (f64, f64) {
        let [x, n] = [history.frequency(), history.opportunities()].map(f64::from);
        (self.alpha + x, self.beta + (n - x))
    }
}

/// The maximum of the likelihood of these cells.
pub(super) fn maximum(
    cells: &[(OpportunityHistory, f64)],
    max_iter: usize,
    observer: &mut dyn Observer,
) -> Result<Maximum> {
    let likelihood = |at: &[f64]| log_likelihood(cells, at);
    let starts = [[1.0, 1.0], [0.5, 0.5], [2.0, 4.0]]
        .map(|start: [f64; 2]| start.map(f64::ln).to_vec());
    best_of(&likelihood, &starts, max_iter, observer)?.ok_or_else(|| {
        Error::undefined("the log-likelihood of the beta-binomial", "it is not finite")
    })
}

fn of_cell(alpha: f64, beta: f64, history: &OpportunityHistory) -> Jet<2> {
    let [x, n] = [history.frequency(), history.opportunities()].map(f64::from);
    let mut jet = Jet::ZERO;
    beta_ratio(&mut jet, 0, (alpha, beta), (x, n - x));
    jet
}

/// The log-likelihood and its derivatives by the parameters' logarithms.
fn log_likelihood(cells: &[(OpportunityHistory, f64)], at: &[f64]) -> Curvature {
    let (alpha, beta) = (at[0].exp(), at[1].exp());
    let mut sum = Jet::ZERO;
    for (history, weight) in cells {
        sum.add(*weight, &of_cell(alpha, beta, history));
    }
    sum.into()
}
