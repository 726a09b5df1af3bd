//! Maximum likelihood for models of purchases.

use serde::{Deserialize, Serialize};

use super::bg;
use super::curvature::{Curvature, Jet};
use super::distinct::Distinct;
use super::histories::PurchaseHistories;
use super::maximise::{Maximum, best_of, candidates, maximise};
use super::regular;
use super::report::{EstimationReport, Identifiability};
use super::rows::{AgeSums, of_ages};
use super::silence;
use super::special::RisingFactorials;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::chi_squared_tail;
use crate::segmenter::{Note, Observer};

/// How models are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstimationOptions {
    max_iter: usize,
}

impl Default for EstimationOptions {
    fn default() -> EstimationOptions {
        EstimationOptions { max_iter: 300 }
    }
}

impl EstimationOptions {
    /// At most 300 iterations from each start.
    #[must_use]
    pub fn new() -> EstimationOptions {
        EstimationOptions::default()
    }

    /// Iterations from each start, at most; at least 1.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> EstimationOptions {
        self.max_iter = max_iter;
        self
    }

    pub(super) fn get_max_iter(self) -> Result<usize> {
        match self.max_iter {
            0 => Err(Error::parameter("max_iter", "at least 1", 0)),
            n => Ok(n),
        }
    }
}

/// The models that are estimated alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nbd,
    Bg,
    Mbg,
    Pareto,
    /// So many steps a purchase, and customers leave.
    Cnbd(u32),
    /// The same, and nobody leaves.
    Condensed(u32),
}

impl Kind {
    fn names(self) -> &'static [&'static str] {
        match self {
            Kind::Nbd | Kind::Condensed(_) => &["r", "alpha"],
            Kind::Bg | Kind::Mbg | Kind::Cnbd(_) => &["r", "alpha", "a", "b"],
            Kind::Pareto => &["r", "alpha", "s", "beta"],
        }
    }

    pub(super) fn at(self, distinct: &Distinct, parameters: &[f64]) -> Curvature {
        match self {
            Kind::Nbd => nbd_log_likelihood(distinct, parameters),
            Kind::Bg => bg::log_likelihood(distinct, 0.0, parameters),
            Kind::Mbg => bg::log_likelihood(distinct, 1.0, parameters),
            Kind::Pareto => silence::log_likelihood(distinct, parameters),
            Kind::Cnbd(k) => regular::log_likelihood::<4>(distinct, k, parameters),
            Kind::Condensed(k) => regular::log_likelihood::<2>(distinct, k, parameters),
        }
    }

    /// The model in which nobody leaves.
    fn null(self) -> Kind {
        match self {
            Kind::Nbd | Kind::Bg | Kind::Mbg | Kind::Pareto => Kind::Nbd,
            Kind::Cnbd(k) | Kind::Condensed(k) => Kind::Condensed(k),
        }
    }

    /// Steps of a purchase.
    fn steps(self) -> f64 {
        match self {
            Kind::Cnbd(k) | Kind::Condensed(k) => k.into(),
            Kind::Nbd | Kind::Bg | Kind::Mbg | Kind::Pareto => 1.0,
        }
    }

    /// Where to begin: `r` and `alpha` of NBD with slow and quick leaving; rates that hardly
    /// differ; and for leaving after a purchase one that does not ask NBD, for where most leave
    /// at once it takes early silence for rates that do not differ at all. `gap` is the mean
    /// time between purchases of those who bought again.
    fn starts(self, nbd: &[f64], mean_age: f64, gap: f64) -> Vec<Vec<f64>> {
        let (r, alpha) = (nbd[0], nbd[1]);
        let same = |more: f64| (r.max(0.0) + more, alpha + (r.max(0.0) + more - r));
        let (r1, alpha1) = same(0.5);
        let with = |r: f64, alpha: f64, u: f64, v: f64| vec![r, alpha, u.ln(), v.ln()];
        match self {
            Kind::Nbd | Kind::Condensed(_) => vec![nbd.to_vec()],
            Kind::Bg | Kind::Mbg | Kind::Cnbd(_) => vec![
                with(r, alpha, 0.6, 2.0),
                with(r, alpha, 0.03, 1.0),
                with(r1, alpha1, 1.0, 1.0),
                with(0.0, (gap / self.steps()).ln(), 1.0, 1.0),
            ],
            Kind::Pareto => vec![
                with(r, alpha, 0.5, 0.4 * mean_age),
                with(r, alpha, 0.03, 0.4 * mean_age),
                with(r1, alpha1, 1.5, mean_age),
            ],
        }
    }
}

/// With more rows than this, starts are tried on some of them.
const MANY: usize = 768;

/// Rows of a first look, about; each further look is at so many times as many.
const FEW: usize = 384;
const MORE: usize = 8;

/// So many rows are believed even where they have no peak.
const ENOUGH: usize = 16_384;

/// What a search found, in logarithms, with the report.
pub(super) struct Found {
    pub(super) parameters: Vec<f64>,
    pub(super) report: EstimationReport,
}

/// The maximum of a model's likelihood.
pub(super) fn estimate(
    kind: Kind,
    name: &str,
    histories: &PurchaseHistories,
    options: EstimationOptions,
    observer: &mut dyn Observer,
) -> Result<Found> {
    let max_iter = options.get_max_iter()?;
    let distinct = histories.distinct()?;
    check_informative(&distinct)?;
    let mut likelihood = |kind: Kind, starts: &[Vec<f64>]| {
        let near = first_look(kind, &distinct, starts, max_iter, observer)?;
        let starts = if near.is_empty() { starts } else { &near };
        best_of(&|at: &[f64]| kind.at(&distinct, at), starts, max_iter, observer)?
            .ok_or_else(|| {
                Error::undefined(
                    "the log-likelihood",
                    "it is not finite at any of the starting points",
                )
            })
    };

    let (purchases, ages) = distinct.sums();
    let rate = purchases / ages;
    let nbd_start = [0.5_f64.ln(), (0.5 / (rate * kind.steps())).ln()];
    let nbd = likelihood(kind.null(), &[nbd_start.to_vec()])?;
    let n_customers = distinct.total();
    let maximum = match kind {
        _ if kind == kind.null() => nbd.clone(),
        _ => {
            let gap = distinct.mean_gap().unwrap_or(ages / purchases);
            let starts = kind.starts(&nbd.parameters, ages / n_customers, gap);
            likelihood(kind, &starts)?
        }
    };
    let mut report = EstimationReport::of_maximum(
        name,
        kind.names(),
        &maximum,
        n_customers,
        distinct.len(),
    );
    if !maximum.converged {
        report.notes.push(Note::new(
            "not-converged",
            format!("no maximum was reached within {max_iter} iterations"),
        ));
    }
    if kind != kind.null() {
        compare_with_nbd(&mut report, nbd.at.value);
    }
    Ok(Found { parameters: maximum.parameters, report })
}

/// Where some of the rows have their peaks; empty where they have none, or are not many. Few
/// rows may promise most to parameters without bounds, from where the peak of all of them is
/// not found.
fn first_look(
    kind: Kind,
    distinct: &Distinct,
    starts: &[Vec<f64>],
    max_iter: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Vec<f64>>> {
    let mut step = if distinct.len() > MANY { distinct.len() / FEW } else { 1 };
    while step > 1 {
        let few = distinct.every(step);
        if check_informative(&few).is_ok() {
            let some = |at: &[f64]| kind.at(&few, at);
            let near = candidates(&some, starts, max_iter, observer)?;
            if few.len() > ENOUGH || near.iter().all(Maximum::is_peak) {
                return Ok(near.into_iter().map(|maximum| maximum.parameters).collect());
            }
        }
        step /= MORE;
    }
    Ok(Vec::new())
}

/// The maximum that is reached from near it, without a report; `None` where there is none.
pub(super) fn refit(kind: Kind, distinct: &Distinct, start: &[f64]) -> Option<Vec<f64>> {
    check_informative(distinct).ok()?;
    let likelihood = |at: &[f64]| kind.at(distinct, at);
    let found = maximise(&likelihood, start, 100, &mut ()).ok()??;
    found.converged.then_some(found.parameters)
}

/// Says so where the model gains nothing on NBD that chance would not give.
fn compare_with_nbd(report: &mut EstimationReport, nbd_log_likelihood: f64) {
    let likelihood_ratio = (2.0 * (report.log_likelihood - nbd_log_likelihood)).max(0.0);
    let more = report.parameters.len().saturating_sub(2).max(1);
    let p_value = chi_squared_tail(likelihood_ratio, more as f64).unwrap_or(f64::NAN);
    if p_value.is_nan() || p_value >= 0.05 {
        report.identifiability = Identifiability::DropoutNotIdentified {
            nbd_log_likelihood,
            likelihood_ratio,
            p_value,
        };
    }
}

/// Refuses data that leave a likelihood without a maximum.
fn check_informative(distinct: &Distinct) -> Result<()> {
    let (purchases, ages) = distinct.sums();
    if distinct.len() == 0 {
        return Err(ErrorKind::TooFewRows {
            what: "histories of positive weight".into(),
            needed: 1,
            found: 0,
        }
        .into());
    }
    if !(ages > 0.0 && ages.is_finite()) {
        return Err(Error::undefined(
            "the rate of purchases",
            "all ages are 0, or their sum is not finite",
        ));
    }
    if purchases <= 0.0 {
        return Err(Error::undefined(
            "the rate of purchases",
            "nobody has bought a second time",
        ));
    }
    Ok(())
}

/// The log-likelihood of NBD and its derivatives by `ln r` and `ln α`:
/// `ln (r)_x + r ln α − (r+x) ln(α+T)` (Ehrenberg 1959).
fn nbd_log_likelihood(distinct: &Distinct, at: &[f64]) -> Curvature {
    let (r, alpha) = (at[0].exp(), at[1].exp());
    let sum = distinct.sum_over_runs(|runs| {
        let mut sum = Jet::ZERO;
        let mut rising = RisingFactorials::new(r);
        for run in runs {
            let (x, k) = (run.x, r + run.x);
            let of_r = rising.at(x);
            let range = run.start..run.end;
            let AgeSums { weight: w, lt, y: left, y_bend: bend } =
                of_ages(&distinct.age[range.clone()], &distinct.weight[range], alpha);
            let mixed = r * (w - left);
            sum.add(
                1.0,
                &Jet {
                    value: w * (of_r.value - x * alpha.ln()) - k * lt,
                    gradient: [w * r * of_r.first - r * lt, w * r - k * left],
                    hessian: [
                        [w * (r * of_r.first + r * r * of_r.second) - r * lt, mixed],
                        [mixed, -k * bend],
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
    use crate::lifetime::history::PurchaseHistory;
    use crate::random::Random;

    #[test]
    fn curvatures_are_those_of_the_values() -> Result<()> {
        let rows = [
            (0, 0.0, 38.0),
            (0, 0.0, 3.0),
            (1, 0.5, 30.0),
            (2, 30.5, 31.0),
            (2, 8.0, 31.0),
            (7, 20.0, 90.0),
            (40, 39.0, 39.0),
        ];
        let rows = rows.map(|(x, last, age)| PurchaseHistory::new(x, last, age));
        let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
        let weights = [6.0, 1.0, 2.5, 1.0, 3.0, 0.5, 1.0];
        let distinct = Distinct::new(&rows, Some(&weights))?;
        for kind in [
            Kind::Nbd,
            Kind::Bg,
            Kind::Mbg,
            Kind::Pareto,
            Kind::Cnbd(1),
            Kind::Cnbd(4),
            Kind::Condensed(3),
        ] {
            for at in [
                [-1.4, 1.5, -0.2, 0.9],
                [1.0, 3.0, -2.0, 1.5],
                [-0.5, -1.0, 1.0, 4.0],
                [0.0, 0.0, 0.0, 0.0],
            ] {
                let at = &at[..kind.names().len()];
                check_derivatives(|at| kind.at(&distinct, at), at);
            }
        }
        Ok(())
    }

    /// Some of these samples promise most to rates of leaving that do not differ, and so to
    /// parameters without bounds.
    #[test]
    fn a_part_without_a_peak_does_not_lead_astray() -> Result<()> {
        let mut random = Random::new(11, 0);
        let mut astray = 0;
        for _ in 0..12 {
            let rows = (0..800).map(|_| {
                let rate = -0.3 * (1.0 - random.unit()).ln();
                let age = 20.0 + 20.0 * random.unit();
                let leaves = 25.0 * (random.unit().powf(-0.5) - 1.0);
                let (mut x, mut last) = (0, 0.0);
                loop {
                    let next = last - (1.0 - random.unit()).ln() / rate;
                    if next > age.min(leaves) {
                        break PurchaseHistory::new(x, last, age);
                    }
                    (x, last) = (x + 1, next);
                }
            });
            let rows = rows.collect::<Result<Vec<_>>>()?;
            let histories = PurchaseHistories::new(crate::history::TimeUnit::Week, rows);
            let options = EstimationOptions::new();
            let found = estimate(Kind::Pareto, "model", &histories, options, &mut ())?;
            let distinct = histories.distinct()?;
            let all = |at: &[f64]| Kind::Pareto.at(&distinct, at);
            let starts = Kind::Pareto.starts(&[-0.5, 1.0], 30.0, 3.0);
            let best = best_of(&all, &starts, 300, &mut ())?;
            let best = best.map_or(f64::NAN, |best| best.at.value);
            assert!(found.report.log_likelihood >= best - 1e-6, "{:?}", found.report);
            let few = distinct.every(distinct.len() / FEW);
            let some = |at: &[f64]| Kind::Pareto.at(&few, at);
            let near = candidates(&some, &starts, 300, &mut ())?;
            astray += usize::from(!near.iter().all(Maximum::is_peak));
        }
        assert!(astray > 0, "no part was without a peak");
        Ok(())
    }
}
