//! How much of a model is chance.

use super::choice::AnyPurchaseModel;
use super::distinct::{Distinct, Run};
use super::estimate::refit;
use super::histories::PurchaseHistories;
use super::model::{PurchaseModel, check_unit};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::map_blocks;
use crate::random::Random;
use crate::segmenter::{Observer, Progress, report_progress};

/// A model estimated again and again, each time from as many customers drawn with
/// replacement (Efron 1979). Whatever is computed from a model has an interval in which it
/// lies with a given confidence.
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
pub struct Bootstrap {
    models: Vec<AnyPurchaseModel>,
    n_failed: usize,
}

/// Replicates between two calls of the observer.
const BATCH: usize = 16;

impl Bootstrap {
    /// Estimates the model so many times more, beginning from where it is. The same seed
    /// gives the same models. Customers are drawn by their weights, as many as the weights
    /// come to.
    ///
    /// # Errors
    /// When the histories are in another unit or hold no customer, no replicates are asked
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
        if n_replicates == 0 {
            return Err(Error::parameter("n_replicates", "at least 1", 0));
        }
        let distinct = histories.distinct()?;
        let total = distinct.total();
        if distinct.len() == 0 || !total.is_finite() {
            return Err(ErrorKind::TooFewRows {
                what: "histories of positive weight".into(),
                needed: 1,
                found: distinct.len(),
            }
            .into());
        }
        let start: Vec<f64> = model.parameters().iter().map(|(_, p)| p.ln()).collect();
        let kind = model.kind();
        let urn = Urn::new(&distinct);
        let mut models = Vec::with_capacity(n_replicates);
        for from in (0..n_replicates).step_by(BATCH) {
            let progress = Progress::new("bootstrap", from, n_replicates);
            report_progress(observer, &progress)?;
            let batch = BATCH.min(n_replicates - from);
            models.extend(map_blocks(batch, 1, |block| {
                let stream = (from + block.start) as u64;
                let drawn = urn.draw(&distinct, &mut Random::new(seed, stream));
                refit(kind.shape(), &drawn, &start)
                    .and_then(|p| kind.model(&p, model.unit()).ok())
            }));
        }
        let models: Vec<AnyPurchaseModel> = models.into_iter().flatten().collect();
        if models.is_empty() {
            return Err(Error::undefined(
                "the bootstrap",
                "none of the replicates could be estimated",
            ));
        }
        Ok(Bootstrap { n_failed: n_replicates - models.len(), models })
    }

    /// The models of the replicates.
    #[must_use]
    pub fn models(&self) -> &[AnyPurchaseModel] {
        &self.models
    }

    /// Replicates that could not be estimated, such as those in which nobody bought twice.
    /// Intervals are those of the others.
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
        statistic: impl Fn(&AnyPurchaseModel) -> Result<f64> + Sync,
    ) -> Result<(f64, f64)> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(Error::parameter("confidence", "between 0 and 1", confidence));
        }
        let values =
            map_blocks(self.models.len(), 1, |i| statistic(&self.models[i.start]));
        let mut values = values.into_iter().collect::<Result<Vec<f64>>>()?;
        values.sort_unstable_by(f64::total_cmp);
        let at = |p: f64| {
            let place = p * (values.len() - 1) as f64;
            let (low, share) = (place.floor() as usize, place.fract());
            let high = (low + 1).min(values.len() - 1);
            values[low] + share * (values[high] - values[low])
        };
        let tail = 0.5 * (1.0 - confidence);
        Ok((at(tail), at(1.0 - tail)))
    }
}

/// Draws rows by their weights.
struct Urn {
    /// Sums of the weights up to each row.
    up_to: Vec<f64>,
    n_draws: usize,
}

impl Urn {
    fn new(distinct: &Distinct) -> Urn {
        let mut sum = 0.0;
        let up_to = distinct.weight.iter().map(|w| {
            sum += w;
            sum
        });
        let up_to: Vec<f64> = up_to.collect();
        Urn { n_draws: (sum.round() as usize).max(1), up_to }
    }

    /// The rows that were drawn, with how often as their weight.
    fn draw(&self, distinct: &Distinct, random: &mut Random) -> Distinct {
        let total = self.up_to.last().copied().unwrap_or(0.0);
        let mut times = vec![0_u32; self.up_to.len()];
        for _ in 0..self.n_draws {
            let ball = random.unit() * total;
            let at = self.up_to.partition_point(|&sum| sum <= ball);
            times[at.min(self.up_to.len() - 1)] += 1;
        }
        let mut drawn = Distinct {
            runs: Vec::with_capacity(distinct.runs.len()),
            last: Vec::new(),
            age: Vec::new(),
            weight: Vec::new(),
        };
        for run in &distinct.runs {
            let start = drawn.last.len();
            for i in (run.start..run.end).filter(|&i| times[i] > 0) {
                drawn.last.push(distinct.last[i]);
                drawn.age.push(distinct.age[i]);
                drawn.weight.push(f64::from(times[i]));
            }
            let end = drawn.last.len();
            if end > start {
                drawn.runs.push(Run { x: run.x, start, end });
            }
        }
        drawn
    }
}
