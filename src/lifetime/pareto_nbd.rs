//! Customers who may leave at any time.

use serde::{Deserialize, Serialize};

use super::estimate::{EstimationOptions, Kind, estimate};
use super::histories::PurchaseHistories;
use super::history::PurchaseHistory;
use super::model::{Conjugate, check_parameter};
use super::pareto::Pareto;
use super::process::Process;
use super::report::Estimated;
use super::silence::alive_and_ln;
use crate::error::{Error, Result};
use crate::history::TimeUnit;
use crate::segmenter::Observer;

/// Pareto/NBD: each customer buys at a rate of her own, and leaves at a rate of her own
/// (Schmittlein, Morrison & Colombo 1987, *Management Science* 33(1)).
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{ParetoNbd, PurchaseHistory, PurchaseModel};
///
/// let model = ParetoNbd::new(0.553, 10.578, 0.606, 11.669, TimeUnit::Week)?;
/// let ann = PurchaseHistory::new(26, 30.86, 31.0)?;
/// assert!((model.probability_alive(&ann) - 0.9979).abs() < 1e-4);
/// // At 15 % a year she is worth 86 purchases more.
/// let rate = 0.0027;
/// assert!((model.discounted_expected_residual_transactions(&ann, rate)? - 86.05).abs() < 0.01);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct ParetoNbd {
    r: f64,
    alpha: f64,
    s: f64,
    beta: f64,
    unit: TimeUnit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    r: f64,
    alpha: f64,
    s: f64,
    beta: f64,
    unit: TimeUnit,
}

impl TryFrom<Shape> for ParetoNbd {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<ParetoNbd> {
        ParetoNbd::new(shape.r, shape.alpha, shape.s, shape.beta, shape.unit)
    }
}

const NAME: &str = "Pareto/NBD";

impl ParetoNbd {
    /// The model with these parameters; what of them carries time is in this unit.
    ///
    /// # Errors
    /// When a parameter is not positive, or beyond 1e±30.
    pub fn new(
        r: f64,
        alpha: f64,
        s: f64,
        beta: f64,
        unit: TimeUnit,
    ) -> Result<ParetoNbd> {
        Ok(ParetoNbd {
            r: check_parameter("r", r)?,
            alpha: check_parameter("alpha", alpha)?,
            s: check_parameter("s", s)?,
            beta: check_parameter("beta", beta)?,
            unit,
        })
    }

    /// Maximum likelihood.
    ///
    /// # Errors
    /// When there is no customer, no repeat purchase or no time.
    pub fn fit(histories: &PurchaseHistories) -> Result<Estimated<ParetoNbd>> {
        ParetoNbd::fit_with(histories, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](ParetoNbd::fit), and when an option is out of its range or the observer stops
    /// the work.
    pub fn fit_with(
        histories: &PurchaseHistories,
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<ParetoNbd>> {
        let found = estimate(Kind::Pareto, NAME, histories, options, observer)?;
        let p = &found.parameters;
        let model = ParetoNbd::new(
            p[0].exp(),
            p[1].exp(),
            p[2].exp(),
            p[3].exp(),
            histories.unit(),
        )?;
        Ok(Estimated::new(model, found.report))
    }

    /// Shape of the gamma distribution of the rates of purchases: the smaller, the more customers differ.
    #[must_use]
    pub fn r(&self) -> f64 {
        self.r
    }

    /// Rate of the gamma distribution of the rates, in units of time; the mean rate is `r / alpha`.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Shape of the gamma distribution of the rates of leaving.
    #[must_use]
    pub fn s(&self) -> f64 {
        self.s
    }

    /// Rate of that distribution, in units of time; the mean rate of leaving is `s / beta`.
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.beta
    }
}

impl Conjugate for ParetoNbd {
    fn model_name(&self) -> &'static str {
        NAME
    }

    fn time_unit(&self) -> TimeUnit {
        self.unit
    }

    fn named_parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("r", self.r), ("alpha", self.alpha), ("s", self.s), ("beta", self.beta)]
    }

    fn alive_and_ln(&self, history: &PurchaseHistory) -> (f64, f64) {
        let PurchaseHistory { frequency: x, age_at_last_purchase: last, age } = *history;
        let shared = Pareto { r: self.r, alpha: self.alpha, s: self.s, beta: self.beta };
        alive_and_ln(&shared, x, last, age)
    }

    fn process(&self, history: &PurchaseHistory) -> Process {
        Process::Pareto(Pareto {
            r: self.r + history.frequency,
            alpha: self.alpha + history.age,
            s: self.s,
            beta: self.beta + history.age,
        })
    }
}
