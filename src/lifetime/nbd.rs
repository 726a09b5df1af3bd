//! Purchases of customers who never leave: the null model.

use serde::{Deserialize, Serialize};

use super::estimate::{EstimationOptions, Kind, estimate};
use super::histories::PurchaseHistories;
use super::history::PurchaseHistory;
use super::model::{Conjugate, check_parameter};
use super::process::Process;
use super::rates::Rates;
use super::report::Estimated;
use super::special::LnRising;
use crate::error::{Error, Result};
use crate::history::TimeUnit;
use crate::segmenter::Observer;

/// NBD: each customer buys at a rate of her own for ever (Ehrenberg 1959). It is what the other
/// models have to gain on.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{Nbd, PurchaseHistory, PurchaseModel};
///
/// let model = Nbd::new(0.385, 12.072, TimeUnit::Week)?;
/// let ann = PurchaseHistory::new(2, 30.43, 38.86)?;
/// assert_eq!(model.probability_alive(&ann), 1.0);
/// assert!((model.expected_purchases(&ann, 39.0)? - 1.826).abs() < 1e-3);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct Nbd {
    r: f64,
    alpha: f64,
    unit: TimeUnit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    r: f64,
    alpha: f64,
    unit: TimeUnit,
}

impl TryFrom<Shape> for Nbd {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<Nbd> {
        Nbd::new(shape.r, shape.alpha, shape.unit)
    }
}

const NAME: &str = "NBD";

impl Nbd {
    /// The model with these parameters; what of them carries time is in this unit.
    ///
    /// # Errors
    /// When a parameter is not positive, or beyond 1e±30.
    pub fn new(r: f64, alpha: f64, unit: TimeUnit) -> Result<Nbd> {
        Ok(Nbd {
            r: check_parameter("r", r)?,
            alpha: check_parameter("alpha", alpha)?,
            unit,
        })
    }

    /// Maximum likelihood.
    ///
    /// # Errors
    /// When there is no customer, no repeat purchase or no time.
    pub fn fit(histories: &PurchaseHistories) -> Result<Estimated<Nbd>> {
        Nbd::fit_with(histories, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](Nbd::fit), and when an option is out of its range or the observer stops
    /// the work.
    pub fn fit_with(
        histories: &PurchaseHistories,
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<Nbd>> {
        let found = estimate(Kind::Nbd, NAME, histories, options, observer)?;
        let p = &found.parameters;
        let model = Nbd::new(p[0].exp(), p[1].exp(), histories.unit())?;
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
}

impl Conjugate for Nbd {
    fn model_name(&self) -> &'static str {
        NAME
    }

    fn time_unit(&self) -> TimeUnit {
        self.unit
    }

    fn named_parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("r", self.r), ("alpha", self.alpha)]
    }

    fn alive_and_ln(&self, history: &PurchaseHistory) -> (f64, f64) {
        let PurchaseHistory { frequency: x, age, .. } = *history;
        let ln = LnRising::new(self.r, x).value
            - self.r * (age / self.alpha).ln_1p()
            - x * (self.alpha + age).ln();
        (1.0, ln)
    }

    fn alive(&self, _: &PurchaseHistory) -> f64 {
        1.0
    }

    fn process(&self, history: &PurchaseHistory) -> Process {
        Process::Nbd(Rates {
            r: self.r + history.frequency,
            alpha: self.alpha + history.age,
        })
    }
}
