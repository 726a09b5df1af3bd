//! Customers who may leave after a repeat purchase.

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

/// BG/NBD: each customer buys at a rate of her own, and after each repeat purchase leaves with a
/// probability of her own (Fader, Hardie & Lee 2005, *Marketing Science* 24(2)).
///
/// Nobody can leave before a repeat purchase, so that whoever bought once is alive for certain;
/// [`MbgNbd`](super::MbgNbd) differs in this.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{BgNbd, PurchaseHistories, PurchaseHistory, PurchaseModel};
///
/// // Repeat purchases, age at the last one, age, in weeks; how many customers.
/// let seen = [(0, 0.0, 30.0, 60.0), (1, 6.0, 30.0, 20.0), (3, 25.0, 30.0, 9.0), (6, 27.0, 30.0, 4.0)];
/// let rows = seen.map(|(x, last, age, _)| PurchaseHistory::new(x, last, age));
/// let rows = rows.into_iter().collect::<segmenta::Result<Vec<_>>>()?;
/// let histories = PurchaseHistories::new(TimeUnit::Week, rows)
///     .with_weights(seen.map(|row| row.3).to_vec())?;
/// let fitted = BgNbd::fit(&histories)?;
/// assert!(fitted.report().converged);
/// let best = histories.get(3).unwrap();
/// assert!(fitted.model().expected_purchases(&best, 26.0)? > 2.0);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct BgNbd {
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

impl TryFrom<Shape> for BgNbd {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<BgNbd> {
        BgNbd::new(shape.r, shape.alpha, shape.a, shape.b, shape.unit)
    }
}

const NAME: &str = "BG/NBD";

impl BgNbd {
    /// The model with these parameters; what of them carries time is in this unit.
    ///
    /// # Errors
    /// When a parameter is not positive, or beyond 1e±30.
    pub fn new(r: f64, alpha: f64, a: f64, b: f64, unit: TimeUnit) -> Result<BgNbd> {
        Ok(BgNbd {
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
    pub fn fit(histories: &PurchaseHistories) -> Result<Estimated<BgNbd>> {
        BgNbd::fit_with(histories, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood, watched.
    ///
    /// # Errors
    /// As [`fit`](BgNbd::fit), and when an option is out of its range or the observer stops
    /// the work.
    pub fn fit_with(
        histories: &PurchaseHistories,
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<BgNbd>> {
        let found = estimate(Kind::Bg, NAME, histories, options, observer)?;
        let p = &found.parameters;
        let model =
            BgNbd::new(p[0].exp(), p[1].exp(), p[2].exp(), p[3].exp(), histories.unit())?;
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

impl Conjugate for BgNbd {
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
        self.shared().alive_and_ln(history, 0.0)
    }

    fn alive(&self, history: &PurchaseHistory) -> f64 {
        self.shared().alive(history, 0.0)
    }

    fn process(&self, history: &PurchaseHistory) -> Process {
        Process::Bg(self.shared().after(history, 0.0))
    }

    fn expected_of_many(&self, histories: &[PurchaseHistory], t: f64, to: &mut [f64]) {
        expected_of_many(&self.shared(), histories, 0.0, t, to);
    }
}

impl BgNbd {
    fn shared(&self) -> Bg {
        Bg::new(self.r, self.alpha, self.a, self.b)
    }
}
