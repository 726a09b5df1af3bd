//! Customers who buy regularly and may leave after any purchase.

use serde::{Deserialize, Serialize};

use super::estimate::{EstimationOptions, Kind, estimate};
use super::histories::PurchaseHistories;
use super::history::PurchaseHistory;
use super::model::{Conjugate, check_parameter, check_unit};
use super::process::Process;
use super::regular::{MOST_STEPS, Regular};
use super::regularity::Regularity;
use super::report::Estimated;
use crate::error::{Error, Result};
use crate::history::TimeUnit;
use crate::segmenter::Observer;

/// MBG/CNBD-k: as [`MbgNbd`](super::MbgNbd), but the times between the purchases of a customer are
/// Erlang distributed with shape `k`, and so the more regular the larger `k` is; 1 is MBG/NBD
/// (Platzer & Reutterer 2016, *Marketing Science* 35(5)).
///
/// Silence tells more of customers who buy regularly. How regularly they do is estimated with
/// [`Regularity`](super::Regularity), and [`fit_regular`](MbgCnbd::fit_regular) takes the `k` that
/// is likeliest.
///
/// With `R = r + kx`, the odds of having left are `a/(b+x) · ((α+T)/(α+t_x))^R` over
/// `Σ_(j<k) (R)_j/j! · ((T−t_x)/(α+T))^j`, whose terms are the odds of `j` steps since the last
/// purchase; the likelihood, without that of the times between purchases, is
/// `(r)_kx α^r (α+T)^−R · (b)_(x+1)/(a+b)_(x+1)` times the sum of both.
///
/// Rates are those of steps, `k` of which make a purchase: the mean time between purchases is `k`
/// over the rate. Since the last purchase a customer has taken from 0 to `k − 1` steps, which are
/// not seen, and given their number `j` she is as a customer of MBG/NBD whose next purchase takes
/// `k − j` steps. So predictions are exact, where the authors' are approximations:
/// `Σ_n E[(1−p)^(n−1)] I_(t/(α+T+t))(nk − j, r + kx + j)` purchases are expected up to `t`, a mixture
/// over `j`, `I` being the incomplete beta function.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{MbgCnbd, MbgNbd, PurchaseHistory, PurchaseModel};
///
/// // One purchase in four weeks in the mean, by both.
/// let irregular = MbgNbd::new(1.5, 6.0, 0.4, 2.0, TimeUnit::Week)?;
/// let regular = MbgCnbd::new(4, 6.0, 6.0, 0.4, 2.0, TimeUnit::Week)?;
/// let silent = PurchaseHistory::new(5, 20.0, 34.0)?;
/// assert!(irregular.probability_alive(&silent) > 0.5);
/// assert!(regular.probability_alive(&silent) < 0.2);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub struct MbgCnbd {
    k: u32,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
    unit: TimeUnit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    k: u32,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
    unit: TimeUnit,
}

impl TryFrom<Shape> for MbgCnbd {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<MbgCnbd> {
        MbgCnbd::new(shape.k, shape.r, shape.alpha, shape.a, shape.b, shape.unit)
    }
}

const NAMES: [&str; MOST_STEPS as usize] = [
    "MBG/CNBD-1",
    "MBG/CNBD-2",
    "MBG/CNBD-3",
    "MBG/CNBD-4",
    "MBG/CNBD-5",
    "MBG/CNBD-6",
    "MBG/CNBD-7",
    "MBG/CNBD-8",
    "MBG/CNBD-9",
    "MBG/CNBD-10",
    "MBG/CNBD-11",
    "MBG/CNBD-12",
    "MBG/CNBD-13",
    "MBG/CNBD-14",
    "MBG/CNBD-15",
    "MBG/CNBD-16",
    "MBG/CNBD-17",
    "MBG/CNBD-18",
    "MBG/CNBD-19",
    "MBG/CNBD-20",
];

/// Of steps that were checked.
fn name(k: u32) -> &'static str {
    NAMES.get(k.wrapping_sub(1) as usize).copied().unwrap_or("MBG/CNBD-k")
}

impl MbgCnbd {
    /// The model with these parameters; what of them carries time is in this unit.
    ///
    /// # Errors
    /// When `k` is not from 1 to 20, or another parameter is not positive, or beyond 1e±30.
    pub fn new(
        k: u32,
        r: f64,
        alpha: f64,
        a: f64,
        b: f64,
        unit: TimeUnit,
    ) -> Result<MbgCnbd> {
        Ok(MbgCnbd {
            k: check_steps(k)?,
            r: check_parameter("r", r)?,
            alpha: check_parameter("alpha", alpha)?,
            a: check_parameter("a", a)?,
            b: check_parameter("b", b)?,
            unit,
        })
    }

    /// Maximum likelihood at this `k`.
    ///
    /// # Errors
    /// When `k` is not from 1 to 20; when there is no customer, no repeat purchase or no time.
    pub fn fit(k: u32, histories: &PurchaseHistories) -> Result<Estimated<MbgCnbd>> {
        MbgCnbd::fit_with(k, histories, EstimationOptions::new(), &mut ())
    }

    /// Maximum likelihood at this `k`, watched.
    ///
    /// # Errors
    /// As [`fit`](MbgCnbd::fit), and when an option is out of its range or the observer stops
    /// the work.
    pub fn fit_with(
        k: u32,
        histories: &PurchaseHistories,
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<MbgCnbd>> {
        let kind = Kind::Cnbd(check_steps(k)?);
        let found = estimate(kind, name(k), histories, options, observer)?;
        let [r, alpha, a, b] = std::array::from_fn(|i| found.parameters[i].exp());
        let model = MbgCnbd::new(k, r, alpha, a, b, histories.unit())?;
        Ok(Estimated::new(model, found.report))
    }

    /// Maximum likelihood at the whole `k` that is likeliest, from 1 on as long as more steps
    /// gain. The log-likelihood is then also that of the times between purchases, and so can be
    /// compared with that of MBG/NBD, which is the same at 1.
    ///
    /// ```
    /// use segmenta::history::TimeUnit;
    /// use segmenta::lifetime::{MbgCnbd, PurchaseHistories, PurchaseHistory, Regularity};
    ///
    /// // Each fourth customer comes about every week, the others about every two.
    /// let mut times = Vec::new();
    /// for i in 0..40_u32 {
    ///     let gap = |n: u32| (1 + (i > 9) as u32) as f64 + 0.1 * ((7 * i + 3 * n) % 11) as f64;
    ///     let of_one = (0..2 + i % 5).scan(0.0, |t, n| { *t += gap(n); Some(*t) });
    ///     times.push(of_one.collect::<Vec<f64>>());
    /// }
    /// let rows = times.iter().map(|t| PurchaseHistory::new(t.len() as u64, t[t.len() - 1], 20.0));
    /// let rows = rows.collect::<segmenta::Result<Vec<_>>>()?;
    /// let histories = PurchaseHistories::new(TimeUnit::Week, rows);
    /// let fitted = MbgCnbd::fit_regular(&histories, &Regularity::of(&times, TimeUnit::Week)?)?;
    /// assert!(fitted.model().k() > 5);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// Weights are not for this: gaps have none. `k` is not among the parameters that the
    /// report's criteria count.
    ///
    /// # Errors
    /// As [`fit`](MbgCnbd::fit); when the gaps are in another unit, or not as many as the repeat
    /// purchases of the histories, by their weights.
    pub fn fit_regular(
        histories: &PurchaseHistories,
        regularity: &Regularity,
    ) -> Result<Estimated<MbgCnbd>> {
        let options = EstimationOptions::new();
        MbgCnbd::fit_regular_with(histories, regularity, options, &mut ())
    }

    /// The same, watched.
    ///
    /// # Errors
    /// As [`fit_regular`](MbgCnbd::fit_regular), and when an option is out of its range or the
    /// observer stops the work.
    pub fn fit_regular_with(
        histories: &PurchaseHistories,
        regularity: &Regularity,
        options: EstimationOptions,
        observer: &mut dyn Observer,
    ) -> Result<Estimated<MbgCnbd>> {
        check_unit(regularity.unit, histories)?;
        let (purchases, _) = histories.distinct()?.sums();
        if purchases != regularity.n_gaps as f64 {
            let expected =
                format!("as many as the repeat purchases of the histories, {purchases}");
            return Err(Error::parameter(
                "gaps of the regularity",
                expected,
                regularity.n_gaps,
            ));
        }
        let mut best: Option<Estimated<MbgCnbd>> = None;
        for k in 1..=MOST_STEPS {
            let (model, mut report) =
                MbgCnbd::fit_with(k, histories, options, observer)?.into_parts();
            report.log_likelihood += regularity.of_gaps(k.into());
            if best
                .as_ref()
                .is_some_and(|best| best.report().log_likelihood >= report.log_likelihood)
            {
                break;
            }
            best = Some(Estimated::new(model, report));
        }
        best.ok_or_else(|| Error::undefined("k", "no number of steps can be fitted"))
    }

    /// Steps of a purchase.
    #[must_use]
    pub fn k(&self) -> u32 {
        self.k
    }

    /// Shape of the gamma distribution of the rates of steps: the smaller, the more customers differ.
    #[must_use]
    pub fn r(&self) -> f64 {
        self.r
    }

    /// Rate of the gamma distribution of the rates, in units of time; the mean rate of
    /// purchases is `r / (k alpha)`.
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

impl Conjugate for MbgCnbd {
    fn model_name(&self) -> &'static str {
        name(self.k)
    }

    fn time_unit(&self) -> TimeUnit {
        self.unit
    }

    fn named_parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("r", self.r), ("alpha", self.alpha), ("a", self.a), ("b", self.b)]
    }

    fn alive_and_ln(&self, history: &PurchaseHistory) -> (f64, f64) {
        self.shared().alive_and_ln(history)
    }

    fn process(&self, history: &PurchaseHistory) -> Process {
        Process::Regular(self.shared().after(history))
    }
}

impl MbgCnbd {
    fn shared(&self) -> Regular {
        Regular::new(self.k, [self.r, self.alpha, self.a, self.b])
    }
}

/// Steps of a purchase that a model can have.
pub(super) fn check_steps(k: u32) -> Result<u32> {
    if (1..=MOST_STEPS).contains(&k) {
        return Ok(k);
    }
    Err(Error::parameter("k", format!("from 1 to {MOST_STEPS}"), k))
}
