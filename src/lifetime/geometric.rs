//! Contracts of customers who do not differ: the null model of sBG.

use serde::{Deserialize, Serialize};

use super::curvature::Curvature;
use super::maximise::Maximum;
use super::model::check_rate;
use super::report::{Estimated, EstimationReport};
use super::shifted_beta_geometric::Tenures;
use crate::error::{Error, Result};

/// Geometric: at the end of each period every customer leaves with the same probability, so
/// that retention is the same at every tenure. It is what
/// [`ShiftedBetaGeometric`](super::ShiftedBetaGeometric) has to gain on, and what a plain
/// lifetime value with one retention rate takes for granted.
///
/// ```
/// use segmenta::lifetime::Geometric;
///
/// let fitted = Geometric::fit(&[vec![1000.0, 869.0, 743.0, 653.0, 593.0]])?;
/// // 407 left at 3,265 renewals.
/// let model = fitted.model();
/// assert!((model.theta() - 407.0 / 3265.0).abs() < 1e-15);
/// assert!((model.survival(2) - (1.0 - model.theta()).powi(2)).abs() < 1e-15);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct Geometric {
    theta: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    theta: f64,
}

impl TryFrom<Shape> for Geometric {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<Geometric> {
        Geometric::new(shape.theta)
    }
}

pub(super) const NAME: &str = "geometric";

impl Geometric {
    /// The model with this probability of not renewing.
    ///
    /// # Errors
    /// When it is not above 0 and below 1.
    pub fn new(theta: f64) -> Result<Geometric> {
        if theta > 0.0 && theta < 1.0 {
            return Ok(Geometric { theta });
        }
        Err(Error::parameter("theta", "above 0 and below 1", theta))
    }

    /// Maximum likelihood from the numbers of customers of one or more cohorts, as of
    /// [`ShiftedBetaGeometric::fit`](super::ShiftedBetaGeometric::fit): those who left over
    /// all renewals that came up.
    ///
    /// # Errors
    /// When a number is negative, not finite, or larger than the one before; when nobody
    /// was seen to leave or nobody to stay, or so few left that their share is not below 1.
    pub fn fit(cohorts: &[Vec<f64>]) -> Result<Estimated<Geometric>> {
        let tenures = Tenures::of(cohorts)?;
        let (theta, found) = maximum(&tenures);
        let model = Geometric::new(theta)?;
        let (n, rows) = (tenures.customers(), tenures.rows());
        let report = EstimationReport::of_maximum(NAME, &["theta"], &found, n, rows);
        Ok(Estimated::new(model, report))
    }

    /// The probability of not renewing.
    #[must_use]
    pub fn theta(&self) -> f64 {
        self.theta
    }

    /// The share that renews, at any renewal: `1 − θ`.
    #[must_use]
    pub fn retention_rate(&self) -> f64 {
        1.0 - self.theta
    }

    /// The share of a cohort that is there after `t` renewals: `(1 − θ)^t`. It is also the
    /// share that is there after `t` more of those who have renewed before.
    #[must_use]
    pub fn survival(&self, t: u32) -> f64 {
        (f64::from(t) * (-self.theta).ln_1p()).exp()
    }

    /// Renewals to be expected of a customer, the next one at its full value and each later
    /// one discounted by `1 + rate`: `(1 − θ)(1 + d)/(d + θ)`, at any tenure.
    ///
    /// # Errors
    /// When the rate is not within 1e-12 and 1e12.
    pub fn discounted_expected_residual_lifetime(&self, rate: f64) -> Result<f64> {
        let rate = check_rate(rate)?;
        Ok((1.0 - self.theta) * ((1.0 + rate) / (rate + self.theta)))
    }
}

/// The share that left, and the likelihood `L ln θ + S ln(1 − θ)` of `L` who left and `S`
/// renewals there, with its derivatives by `ln θ`.
pub(super) fn maximum(tenures: &Tenures) -> (f64, Maximum) {
    let (left, renewed) = tenures.outcomes();
    let theta = left / (left + renewed);
    let stay = renewed / (left + renewed);
    let at = Curvature {
        value: left * theta.ln() + renewed * (-theta).ln_1p(),
        gradient: vec![left - renewed * theta / stay],
        hessian: vec![-renewed * theta / (stay * stay)],
    };
    let parameters = vec![theta.ln()];
    (theta, Maximum { parameters, at, n_iter: 0, converged: true })
}
