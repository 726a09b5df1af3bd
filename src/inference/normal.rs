//! Quantiles and tails of the normal and the χ² distribution.

use std::f64::consts::SQRT_2;

use statrs::function::erf::erfc_inv;
use statrs::function::gamma::checked_gamma_ur;

use crate::error::{Error, Result};

/// The probability that a standard normal number is at least `|z|` away from 0.
pub(super) fn two_sided(z: f64) -> f64 {
    chi_squared_tail(z * z, 1.0).unwrap_or(0.0)
}

/// The probability that a χ² number exceeds `x`, at least 0; `None` when it cannot be
/// computed. That of the normal distribution is among them, to more digits than `erfc` of
/// `statrs` gives.
pub(crate) fn chi_squared_tail(x: f64, df: f64) -> Option<f64> {
    // Half of the least number above 0 is 0, of which the incomplete gamma function is
    // not defined.
    let half = x / 2.0;
    if half <= 0.0 {
        return Some(1.0);
    }
    let p = checked_gamma_ur(df / 2.0, half).ok()?;
    p.is_finite().then(|| p.clamp(0.0, 1.0))
}

/// The number that a standard normal one exceeds with this probability, 0 < `tail` < 1.
pub(super) fn upper_quantile(tail: f64) -> f64 {
    SQRT_2 * erfc_inv(2.0 * tail)
}

/// How many standard errors an interval of this confidence reaches to either side.
pub(super) fn reach(confidence: f64) -> Result<f64> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(Error::parameter("confidence", "between 0 and 1", confidence));
    }
    Ok(upper_quantile((1.0 - confidence) / 2.0))
}
