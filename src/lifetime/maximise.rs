//! Newton's method for log-likelihoods.

use super::curvature::{Curvature, invert, solve};
use crate::error::Result;
use crate::segmenter::{Observer, Progress, report_progress};

/// A log-likelihood as a function of the logarithms of its parameters (and of coefficients
/// as they are), with slopes and curvatures.
pub(super) trait Likelihood: Sync {
    fn at(&self, parameters: &[f64]) -> Curvature;
}

impl<F: Fn(&[f64]) -> Curvature + Sync> Likelihood for F {
    fn at(&self, parameters: &[f64]) -> Curvature {
        self(parameters)
    }
}

/// Where the search ended.
#[derive(Clone, Debug)]
pub(super) struct Maximum {
    pub(super) parameters: Vec<f64>,
    pub(super) at: Curvature,
    pub(super) n_iter: usize,
    /// No step within reach would gain anything that matters.
    pub(super) converged: bool,
}

/// Logarithms of parameters stay within this distance of 0: e^±60 is beyond any unit.
const FAR: f64 = 60.0;

/// How far one step may go in each parameter.
const REACH: f64 = 3.0;

/// A gain of the log-likelihood that no longer matters: it moves the parameters by less
/// than 2e-6 of their standard errors, and after it Newton's last step leaves none.
const GAIN: f64 = 1e-12;

/// On a ridge that goes on for ever steps gain less and less; sixteen that gain less than this
/// together change no conclusion.
const RIDGE: f64 = 1e-7;
const PATIENCE: usize = 16;

/// Climbs from `start` by Newton's steps. Where the surface is not concave, or a step gains too
/// little, the curvatures are raised by a share of themselves (Marquardt 1963), so that a
/// direction in which next to nothing happens keeps its own scale.
pub(super) fn maximise(
    likelihood: &dyn Likelihood,
    start: &[f64],
    max_iter: usize,
    observer: &mut dyn Observer,
) -> Result<Option<Maximum>> {
    let mut parameters = start.to_vec();
    let mut at = likelihood.at(&parameters);
    if !at.is_finite() {
        return Ok(None);
    }
    let mut damping = 0.0;
    let mut past = at.value;
    for n_iter in 0..max_iter {
        // A ridge on which so many steps gain nothing that matters is an end, too.
        // Weights may be so small that all of the likelihood is below what matters else.
        let unit = at.value.abs().min(1.0);
        if n_iter > 0 && n_iter.is_multiple_of(PATIENCE) {
            if at.value - past < RIDGE * unit {
                return Ok(Some(Maximum { parameters, at, n_iter, converged: true }));
            }
            past = at.value;
        }
        let progress = Progress::new("log-likelihood", n_iter, max_iter);
        report_progress(observer, &progress.objective(-at.value))?;
        let (mut step, mut gain) = next_step(&at, &parameters, 0.0);
        // What rounding leaves of a sum of this size.
        let noise = 1e-14 * at.value.abs();
        if gain <= (GAIN * unit).max(noise) {
            // One step more costs little and is exact to the last digits.
            let last = moved(&parameters, &step);
            let end = likelihood.at(&last);
            if end.is_finite() && end.value >= at.value - noise {
                (parameters, at) = (last, end);
            }
            return Ok(Some(Maximum {
                parameters,
                at,
                n_iter: n_iter + 1,
                converged: true,
            }));
        }
        if damping > 0.0 {
            (step, gain) = next_step(&at, &parameters, damping);
        }
        let next = moved(&parameters, &step);
        let there = likelihood.at(&next);
        if there.is_finite() && there.value >= at.value + 1e-4 * gain - noise {
            (parameters, at) = (next, there);
            damping *= 0.1;
            if damping < 1e-6 {
                damping = 0.0;
            }
        } else {
            damping = if damping == 0.0 { 1e-2 } else { damping * 8.0 };
            if damping > 1e12 {
                return Ok(Some(Maximum { parameters, at, n_iter, converged: false }));
            }
        }
    }
    Ok(Some(Maximum { parameters, at, n_iter: max_iter, converged: false }))
}

fn moved(parameters: &[f64], step: &[f64]) -> Vec<f64> {
    let pairs = parameters.iter().zip(step);
    pairs.map(|(x, d)| (x + d).clamp(-FAR, FAR)).collect()
}

/// The next step, and what it promises.
fn next_step(at: &Curvature, parameters: &[f64], damping: f64) -> (Vec<f64>, f64) {
    let n = at.n();
    // A parameter that stands at its bound and wants to go on does not take part.
    let held: Vec<bool> = (0..n)
        .map(|i| parameters[i].abs() >= FAR && parameters[i] * at.gradient[i] > 0.0)
        .collect();
    let gradient: Vec<f64> =
        (0..n).map(|i| if held[i] { 0.0 } else { at.gradient[i] }).collect();
    let mut damping = damping;
    let mut step = loop {
        let mut a: Vec<f64> = at.hessian.iter().map(|x| -x).collect();
        for i in 0..n {
            a[i * n + i] += damping * a[i * n + i].abs().max(at.gradient[i].abs());
            if held[i] {
                for j in 0..n {
                    a[i * n + j] = 0.0;
                    a[j * n + i] = 0.0;
                }
                a[i * n + i] = 1.0;
            }
        }
        if let Some(step) = solve(&a, &gradient) {
            break step;
        }
        damping = if damping == 0.0 { 1e-3 } else { damping * 2.0 };
        if damping > 1e15 {
            break vec![0.0; n];
        }
    };
    let longest = step.iter().fold(0.0_f64, |longest, x| longest.max(x.abs()));
    if longest > REACH {
        step.iter_mut().for_each(|x| *x *= REACH / longest);
    }
    let slope: f64 = gradient.iter().zip(&step).map(|(g, d)| g * d).sum();
    let bend: f64 = (0..n)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .map(|(i, j)| step[i] * at.hessian[i * n + j] * step[j])
        .sum();
    // A surface that bends upwards promises what its slope does.
    (step, slope + 0.5 * bend.min(0.0))
}

/// The best of the maxima that are reached from some starts: the highest, and of equal ones
/// that of the earlier start.
pub(super) fn best_of(
    likelihood: &dyn Likelihood,
    starts: &[Vec<f64>],
    max_iter: usize,
    observer: &mut dyn Observer,
) -> Result<Option<Maximum>> {
    let mut best: Option<Maximum> = None;
    for found in maxima(likelihood, starts, max_iter, observer)? {
        let better = best.as_ref().is_none_or(|best| {
            let size = best.at.value.abs();
            found.at.value > best.at.value + 1e-9 * (size.min(1.0) + size * 1e-5)
                || (found.converged && !best.converged && found.at.value >= best.at.value)
        });
        if better {
            best = Some(found);
        }
    }
    Ok(best)
}

/// Where data that are only a part of all have their maxima, the highest first: those that
/// differ, and that all data might still turn out to prefer.
pub(super) fn candidates(
    likelihood: &dyn Likelihood,
    starts: &[Vec<f64>],
    max_iter: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Maximum>> {
    /// Odds of e^10 on a part are more on the whole.
    const HOPELESS: f64 = 10.0;
    let mut found = maxima(likelihood, starts, max_iter, observer)?;
    found.sort_by(|a, b| b.at.value.total_cmp(&a.at.value));
    found.dedup_by(|low, high| {
        high.at.value - low.at.value < RIDGE * high.at.value.abs().min(1.0)
    });
    let best = found.first().map_or(0.0, |best| best.at.value);
    found.retain(|maximum| best - maximum.at.value < HOPELESS);
    Ok(found)
}

impl Maximum {
    /// All parameters are known to within a factor of some e²: this is a peak and not a point
    /// of a ridge without end, from which there is no way back.
    pub(super) fn is_peak(&self) -> bool {
        let n = self.at.n();
        let information: Vec<f64> = self.at.hessian.iter().map(|x| -x).collect();
        invert(&information, n).is_some_and(|covariance| {
            (0..n).all(|i| (0.0..4.0).contains(&covariance[i * n + i]))
        })
    }
}

fn maxima(
    likelihood: &dyn Likelihood,
    starts: &[Vec<f64>],
    max_iter: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Maximum>> {
    let mut found = Vec::with_capacity(starts.len());
    for start in starts {
        found.extend(maximise(likelihood, start, max_iter, observer)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minus Rosenbrock's function: a bent ridge.
    fn ridge(at: &[f64]) -> Curvature {
        let (x, y) = (at[0], at[1]);
        let d = y - x * x;
        Curvature {
            value: -(1.0 - x).powi(2) - 100.0 * d * d,
            gradient: vec![2.0 * (1.0 - x) + 400.0 * x * d, -200.0 * d],
            hessian: vec![-2.0 + 400.0 * d - 800.0 * x * x, 400.0 * x, 400.0 * x, -200.0],
        }
    }

    #[test]
    fn a_bent_ridge_is_climbed() {
        for start in [[-1.2, 1.0], [3.0, -4.0], [0.0, 0.0]] {
            let top = maximise(&ridge, &start, 200, &mut ());
            let top = top.ok().flatten();
            let top = top.unwrap_or_else(|| unreachable!("it is finite"));
            assert!(top.converged, "{start:?}");
            assert!(top.parameters.iter().all(|x| (x - 1.0).abs() < 1e-9), "{top:?}");
        }
    }

    #[test]
    fn a_slope_that_never_ends_is_left_where_it_is_flat() {
        let slope = |at: &[f64]| {
            let e = (-at[0]).exp();
            Curvature { value: -e, gradient: vec![e], hessian: vec![-e] }
        };
        let top = maximise(&slope, &[0.0], 200, &mut ());
        let top = top.ok().flatten();
        let top = top.unwrap_or_else(|| unreachable!("it is finite"));
        assert!(top.converged && top.parameters[0] > 20.0 && top.parameters[0] <= FAR);
    }
}
