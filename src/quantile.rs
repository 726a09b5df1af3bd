//! Quantiles of weighted numbers.

/// The `p`-quantile, 0 to 1, of numbers with weights above 0, ascending; `None` of none.
///
/// Weights that are whole numbers are repetitions: definition 7 of Hyndman & Fan (1996),
/// linear between the two values beside position (W − 1)·p, of the values repeated as
/// often as they weigh. Other weights are shares: [`least_reaching`]. W is the sum of the
/// weights.
pub(crate) fn quantile(sorted: &[(f64, f64)], p: f64) -> Option<f64> {
    if sorted.iter().any(|&(_, w)| w.fract() != 0.0) {
        return least_reaching(sorted, p);
    }
    let last = sorted.last()?.0;
    let position = p * (total(sorted) - 1.0);
    let at = position.floor();
    let low = reached(sorted, |cumulated| cumulated > at).unwrap_or(last);
    let high = reached(sorted, |cumulated| cumulated > at + 1.0).unwrap_or(last);
    Some(between(low, high, position - at))
}

/// The least value at which the cumulated weight reaches p·W: definition 1 of Hyndman &
/// Fan (1996).
pub(crate) fn least_reaching(sorted: &[(f64, f64)], p: f64) -> Option<f64> {
    let last = sorted.last()?.0;
    let enough = p * total(sorted);
    Some(reached(sorted, |cumulated| cumulated >= enough).unwrap_or(last))
}

/// The number at the fraction `t` of the way from `a` to `b`, exact at both ends.
pub(crate) fn between(a: f64, b: f64, t: f64) -> f64 {
    let d = b - a;
    if !d.is_finite() {
        a * (1.0 - t) + b * t
    } else if t < 0.5 {
        a + d * t
    } else {
        b - d * (1.0 - t)
    }
}

fn total(sorted: &[(f64, f64)]) -> f64 {
    sorted.iter().map(|&(_, w)| w).sum()
}

/// The first value at which the cumulated weight satisfies a condition.
fn reached(sorted: &[(f64, f64)], enough: impl Fn(f64) -> bool) -> Option<f64> {
    let mut cumulated = 0.0;
    for &(x, w) in sorted {
        cumulated += w;
        if enough(cumulated) {
            return Some(x);
        }
    }
    None
}
