//! How much of a model is chance.

use super::bg_bb::{self, BgBb, OpportunityHistory};
use super::choice::AnyPurchaseModel;
use super::distinct::Distinct;
use super::estimate::refit;
use super::gamma_gamma::{self, GammaGamma};
use super::histories::PurchaseHistories;
use super::model::{PurchaseModel, check_unit};
use super::shifted_beta_geometric::{ShiftedBetaGeometric, Tenures};
use super::spend::SpendHistory;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::map_blocks;
use crate::random::Random;
use crate::segmenter::{Observer, Progress, report_progress};

/// A model estimated again and again, each time from as many customers drawn with
/// replacement (Efron 1979). Whatever is computed from a model has an interval in which it
/// lies with a given confidence: what is expected of a customer, that is, and not what she
/// will do, in which there is chance of her own. What comes of purchases and spend needs
/// [`of_values`](Bootstrap::of_values).
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{
///     Bootstrap, PurchaseHistories, PurchaseHistory, PurchaseModel, PurchaseModelKind,
/// };
///
/// let seen = [(0, 0.0, 30.0, 60.0), (1, 6.0, 30.0, 20.0), (3, 25.0, 30.0, 9.0), (6, 27.0, 30.0, 4.0)];
/// let rows = seen.map(|(x, last, age, _)| PurchaseHistory::new(x, last, age));
/// let rows = rows.into_iter().collect::<segmenta::Result<Vec<_>>>()?;
/// let histories = PurchaseHistories::new(TimeUnit::Week, rows)
///     .with_weights(seen.map(|row| row.3).to_vec())?;
/// let fitted = PurchaseModelKind::MbgNbd.fit(&histories)?;
/// let bootstrap = Bootstrap::new(fitted.model(), &histories, 100, 7)?;
/// let best = histories.get(3).unwrap();
/// let (low, high) = bootstrap.interval(0.9, |model| model.expected_purchases(&best, 26.0))?;
/// assert!(low < fitted.model().expected_purchases(&best, 26.0)?);
/// assert!(high > low);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap<M = AnyPurchaseModel> {
    models: Vec<M>,
    n_failed: usize,
}

/// Replicates between two calls of the observer.
const BATCH: usize = 16;

impl Bootstrap {
    /// Estimates the model so many times more, beginning from where it is. The same seed
    /// gives the same models. Customers are drawn by their weights, as many as the weights
    /// come to: they must be numbers of customers.
    ///
    /// # Errors
    /// When the histories are in another unit or hold no customer, their weights come to more
    /// than 1e9, no replicates are asked
    /// for, or none of them can be estimated.
    pub fn new(
        model: &AnyPurchaseModel,
        histories: &PurchaseHistories,
        n_replicates: usize,
        seed: u64,
    ) -> Result<Bootstrap> {
        Bootstrap::new_with(model, histories, n_replicates, seed, &mut ())
    }

    /// The same, watched.
    ///
    /// # Errors
    /// As [`new`](Bootstrap::new), and when the observer stops the work.
    pub fn new_with(
        model: &AnyPurchaseModel,
        histories: &PurchaseHistories,
        n_replicates: usize,
        seed: u64,
        observer: &mut dyn Observer,
    ) -> Result<Bootstrap> {
        check_unit(model.unit(), histories)?;
        let distinct = histories.distinct()?;
        let urn = Urn::new(&distinct.weight, "histories of positive weight")?;
        let start = logarithms(model);
        let kind = model.kind();
        replicate(n_replicates, seed, observer, |random| {
            let drawn = distinct.reweighted(&urn.draw(random));
            let parameters = refit(kind.shape(), &drawn, &start)?;
            kind.model(&parameters, model.unit()).ok()
        })
    }
}

impl Bootstrap<(AnyPurchaseModel, GammaGamma)> {
    /// Estimates a model of purchases and one of spend together, each time from the same
    /// customers: what comes of both, such as a customer's lifetime value, has an interval
    /// that knows of both uncertainties. `spends` are those of the histories' customers, in
    /// their order.
    ///
    /// ```
    /// use segmenta::history::TimeUnit;
    /// use segmenta::lifetime::{
    ///     Bootstrap, GammaGamma, LifetimeValue, PurchaseHistories, PurchaseHistory,
    ///     PurchaseModelKind, SpendHistory,
    /// };
    ///
    /// let (mut rows, mut spends) = (Vec::new(), Vec::new());
    /// for i in 0..240_u32 {
    ///     let x = u64::from(i % 8) / 2;
    ///     let last = if x == 0 { 0.0 } else { f64::from(4 + i % 26) };
    ///     rows.push(PurchaseHistory::new(x, last, 30.0)?);
    ///     spends.push(match x {
    ///         0 => SpendHistory::none(),
    ///         _ => SpendHistory::new(x, f64::from(5 + (i * 37) % 61))?,
    ///     });
    /// }
    /// let histories = PurchaseHistories::new(TimeUnit::Week, rows);
    /// let purchases = PurchaseModelKind::MbgNbd.fit(&histories)?;
    /// let spend = GammaGamma::fit(&spends)?;
    /// let models = (purchases.model(), spend.model());
    /// let bootstrap = Bootstrap::of_values(models, &histories, &spends, 50, 7)?;
    ///
    /// let year = LifetimeValue::new(52.0, TimeUnit::Week);
    /// let best = histories.get(6).unwrap();
    /// let value = |(purchases, spend): &(_, GammaGamma)| {
    ///     let expected = spend.expected_customer_spend(&spends[6])?;
    ///     year.customer_lifetime_value(purchases, &best, expected)
    /// };
    /// let (low, high) = bootstrap.interval(0.9, value)?;
    /// assert!(0.0 < low && low < high);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Bootstrap::new), and when there are not as many spends as histories.
    pub fn of_values(
        models: (&AnyPurchaseModel, &GammaGamma),
        histories: &PurchaseHistories,
        spends: &[SpendHistory],
        n_replicates: usize,
        seed: u64,
    ) -> Result<Self> {
        Bootstrap::of_values_with(models, histories, spends, n_replicates, seed, &mut ())
    }

    /// The same, watched.
    ///
    /// # Errors
    /// As [`of_values`](Bootstrap::of_values), and when the observer stops the work.
    pub fn of_values_with(
        (model, spend): (&AnyPurchaseModel, &GammaGamma),
        histories: &PurchaseHistories,
        spends: &[SpendHistory],
        n_replicates: usize,
        seed: u64,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        check_unit(model.unit(), histories)?;
        if spends.len() != histories.len() {
            return Err(Error::length("spends", histories.len(), spends.len()));
        }
        let equal;
        let weights = match histories.weights() {
            Some(weights) => weights,
            None => {
                equal = vec![1.0; histories.len()];
                &equal
            }
        };
        let urn = Urn::new(weights, "histories of positive weight")?;
        let start = logarithms(model);
        let kind = model.kind();
        replicate(n_replicates, seed, observer, |random| {
            let drawn = urn.draw(random);
            let distinct = Distinct::new(histories.as_slice(), Some(&drawn)).ok()?;
            let parameters = refit(kind.shape(), &distinct, &start)?;
            let model = kind.model(&parameters, model.unit()).ok()?;
            Some((model, spend.refit(spends, &drawn)?))
        })
    }
}

impl Bootstrap<GammaGamma> {
    /// Estimates a model of spend so many times more, beginning from where it is. Customers
    /// without purchases are drawn, too, and say nothing.
    ///
    /// # Errors
    /// When there is no customer of positive weight, a weight is negative or not finite, or
    /// there are not as many weights as customers; when no replicates are asked for, or none
    /// of them can be estimated.
    pub fn of_spend(
        model: &GammaGamma,
        histories: &[SpendHistory],
        weights: Option<&[f64]>,
        n_replicates: usize,
        seed: u64,
    ) -> Result<Self> {
        let (_, weights) = gamma_gamma::spenders(histories, weights, |_| true)?;
        let urn = Urn::new(&weights, "customers of positive weight")?;
        replicate(n_replicates, seed, &mut (), |random| {
            model.refit(histories, &urn.draw(random))
        })
    }
}

impl Bootstrap<BgBb> {
    /// Estimates a model of opportunities so many times more, beginning from where it is;
    /// each history comes with the number of customers who have it.
    ///
    /// # Errors
    /// When BG/BB cannot be [fitted](BgBb::fit) to the histories; when no replicates are
    /// asked for, or none of them can be estimated.
    pub fn of_opportunities(
        model: &BgBb,
        histories: &[(OpportunityHistory, f64)],
        n_replicates: usize,
        seed: u64,
    ) -> Result<Self> {
        let cells = bg_bb::cells(histories)?;
        let weights: Vec<f64> = cells.iter().map(|cell| cell.1).collect();
        let urn = Urn::new(&weights, "customers")?;
        replicate(n_replicates, seed, &mut (), |random| {
            let drawn = cells.iter().zip(urn.draw(random)).map(|(cell, n)| (cell.0, n));
            model.refit(&drawn.collect::<Vec<_>>())
        })
    }
}

impl Bootstrap<ShiftedBetaGeometric> {
    /// Estimates a model of contracts so many times more, beginning from where it is; the
    /// cohorts are those of [`fit`](ShiftedBetaGeometric::fit). Customers are drawn with what
    /// was seen of them: after how many renewals they left, or that they have not yet.
    ///
    /// # Errors
    /// When sBG cannot be [fitted](ShiftedBetaGeometric::fit) to the cohorts; when no
    /// replicates are asked for, or none of them can be estimated.
    pub fn of_cohorts(
        model: &ShiftedBetaGeometric,
        cohorts: &[Vec<f64>],
        n_replicates: usize,
        seed: u64,
    ) -> Result<Self> {
        let tenures = Tenures::of(cohorts)?;
        let urn = Urn::new(&tenures.numbers(), "customers")?;
        replicate(n_replicates, seed, &mut (), |random| {
            model.refit(&Tenures::of_numbers(urn.draw(random))?)
        })
    }
}

impl<M> Bootstrap<M> {
    /// The models of the replicates.
    #[must_use]
    pub fn models(&self) -> &[M] {
        &self.models
    }

    /// Replicates that could not be estimated, such as those in which nobody bought twice, or
    /// whose iterations ran out. Intervals are those of the others.
    #[must_use]
    pub fn n_failed(&self) -> usize {
        self.n_failed
    }

    /// The interval between the percentiles of what `statistic` says of each replicate
    /// (Efron & Tibshirani 1993, §13.3).
    ///
    /// # Errors
    /// When the confidence is not between 0 and 1, or the statistic fails.
    pub fn interval(
        &self,
        confidence: f64,
        statistic: impl Fn(&M) -> Result<f64> + Sync,
    ) -> Result<(f64, f64)>
    where
        M: Sync,
    {
        check_confidence(confidence)?;
        let values = self.map(statistic)?;
        Ok(between(values, confidence))
    }

    /// What `of` says of each replicate.
    pub(super) fn map<T: Send>(
        &self,
        of: impl Fn(&M) -> Result<T> + Sync,
    ) -> Result<Vec<T>>
    where
        M: Sync,
    {
        let found = map_blocks(self.models.len(), 1, |i| of(&self.models[i.start]));
        found.into_iter().collect()
    }
}

pub(super) fn check_confidence(confidence: f64) -> Result<()> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(());
    }
    Err(Error::parameter("confidence", "between 0 and 1", confidence))
}

/// The percentiles between which so much of the values lies; there is at least one.
pub(super) fn between(mut values: Vec<f64>, confidence: f64) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let at = |p: f64| {
        let place = p * (values.len() - 1) as f64;
        let (low, share) = (place.floor() as usize, place.fract());
        let high = (low + 1).min(values.len() - 1);
        values[low] + share * (values[high] - values[low])
    };
    let tail = 0.5 * (1.0 - confidence);
    (at(tail), at(1.0 - tail))
}

fn logarithms(model: &AnyPurchaseModel) -> Vec<f64> {
    model.parameters().iter().map(|(_, p)| p.ln()).collect()
}

/// The models that `estimate` makes of as many streams of random numbers.
fn replicate<M: Send>(
    n_replicates: usize,
    seed: u64,
    observer: &mut dyn Observer,
    estimate: impl Fn(&mut Random) -> Option<M> + Sync,
) -> Result<Bootstrap<M>> {
    if n_replicates == 0 {
        return Err(Error::parameter("n_replicates", "at least 1", 0));
    }
    let mut models = Vec::new();
    for from in (0..n_replicates).step_by(BATCH) {
        let progress = Progress::new("bootstrap", from, n_replicates);
        report_progress(observer, &progress)?;
        let batch = BATCH.min(n_replicates - from);
        models.extend(map_blocks(batch, 1, |block| {
            estimate(&mut Random::new(seed, (from + block.start) as u64))
        }));
    }
    let models: Vec<M> = models.into_iter().flatten().collect();
    if models.is_empty() {
        return Err(Error::undefined(
            "the bootstrap",
            "none of the replicates could be estimated",
        ));
    }
    Ok(Bootstrap { n_failed: n_replicates - models.len(), models })
}

/// Draws by weights.
struct Urn {
    /// Sums of the weights up to each.
    up_to: Vec<f64>,
    n_draws: usize,
}

impl Urn {
    /// As many draws as the weights come to, 1e9 at most. `what` has the weights, for the error where there
    /// is none.
    fn new(weights: &[f64], what: &'static str) -> Result<Urn> {
        let mut sum = 0.0;
        let up_to = weights.iter().map(|w| {
            sum += w;
            sum
        });
        let up_to: Vec<f64> = up_to.collect();
        if !(sum > 0.0 && sum.is_finite()) {
            let found = weights.iter().filter(|w| **w > 0.0).count();
            return Err(
                ErrorKind::TooFewRows { what: what.into(), needed: 1, found }.into()
            );
        }
        if sum > 1e9 {
            let expected = "1e9 customers in all, at most: as many are drawn";
            return Err(Error::parameter("weights", expected, sum));
        }
        Ok(Urn { n_draws: (sum.round() as usize).max(1), up_to })
    }

    /// How often each was drawn.
    fn draw(&self, random: &mut Random) -> Vec<f64> {
        let total = self.up_to.last().copied().unwrap_or(0.0);
        let mut times = vec![0.0; self.up_to.len()];
        for _ in 0..self.n_draws {
            let ball = random.unit() * total;
            let at = self.up_to.partition_point(|&sum| sum <= ball);
            times[at.min(self.up_to.len() - 1)] += 1.0;
        }
        times
    }
}
