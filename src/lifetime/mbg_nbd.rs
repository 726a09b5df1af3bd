//! Customers who may leave after any purchase.

use serde::{Deserialize, Serialize};

use super::bg::Bg;
use super::bg_many::expected_of_many;
use super::estimate::{EstimationOptions, Kind, estimate};
use super::histories::PurchaseHistories;
use super::history::PurchaseHistory;
use super::model::{Conjugate, check_parameter};
use super::process::Process;
use super::report::Estimated;
use crate::error::{Error, Result};
use crate::history::TimeUnit;
use crate::segmenter::Observer;

/// MBG/NBD: as [`BgNbd`](super::BgNbd), but customers may leave after their first purchase too
/// (Batislam, Denizel & Filiztekin 2007, *International Journal of Research in Marketing*
/// 24(3)).
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{MbgNbd, PurchaseHistory, PurchaseModel};
///
/// let model = MbgNbd::new(0.525, 6.183, 0.891, 1.614, TimeUnit::Week)?;
/// let once = PurchaseHistory::new(0, 0.0, 38.86)?;
/// assert!((model.probability_alive(&once) - 0.39).abs() < 1e-3);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct MbgNbd {
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
    unit: TimeUnit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
    unit: TimeUnit,
}

impl TryFrom<Shape> for MbgNbd {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<MbgNbd> {
        MbgNbd::new(shape.r, shape.alpha, shape.a, shape.b, shape.unit)
    }
}

const NAME: &str = "MBG/NBD";

impl MbgNbd {
    /// The model with these parameters; what of them carries time is in this unit.
    ///
    /// # Errors
    /// When a parameter is not positive, or beyond 1e±30.
    pub fn new(r: f64, alpha: f64, a: f64, b: f64, unit: TimeUnit) -> Result<MbgNbd> {
        Ok(MbgNbd {
            r: check_parameter("r", r)?,
            alpha: check_parameter("alpha", alpha)?,
            a: check_parameter("a", a)?,
            b: check_parameter("b", b)?,
            unit,
        })
    }

    /// Maximum likelihood.
    ///
    /// # Errors
    /// When there is no customer, no repeat purchase or no time.
    pub fn fit(histories: &PurchaseHistories) -> Result<Estimated<MbgNbd>> {
        MbgNbd::fit_with(histories, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](MbgNbd::fit), and when an option is out of its range or the observer stops
    /// the work.
    pub fn fit_with(
        histories: &PurchaseHistories,
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<MbgNbd>> {
        let found = estimate(Kind::Mbg, NAME, histories, options, observer)?;
        let p = &found.parameters;
        let model = MbgNbd::new(
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

    /// First parameter of the beta distribution of the probability of leaving.
    #[must_use]
    pub fn a(&self) -> f64 {
        self.a
    }

    /// Second parameter of that distribution; the mean probability is `a / (a + b)`.
    #[must_use]
    pub fn b(&self) -> f64 {
        self.b
    }
}

impl Conjugate for MbgNbd {
    fn model_name(&self) -> &'static str {
        NAME
    }

    fn time_unit(&self) -> TimeUnit {
        self.unit
    }

    fn named_parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("r", self.r), ("alpha", self.alpha), ("a", self.a), ("b", self.b)]
    }

    fn alive_and_ln(&self, history: &PurchaseHistory) -> (f64, f64) {
        self.shared().alive_and_ln(history, 1.0)
    }

    fn alive(&self, history: &PurchaseHistory) -> f64 {
        self.shared().alive(history, 1.0)
    }

    fn process(&self, history: &PurchaseHistory) -> Process {
        Process::Bg(self.shared().after(history, 1.0))
    }

    fn expected_of_many(&self, histories: &[PurchaseHistory], t: f64, to: &mut [f64]) {
        expected_of_many(&self.shared(), histories, 1.0, t, to);
    }
}

impl MbgNbd {
    fn shared(&self) -> Bg {
        Bg::new(self.r, self.alpha, self.a, self.b)
    }
}
