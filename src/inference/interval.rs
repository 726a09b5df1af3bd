//! Intervals for one share, and for the difference of two.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::normal::reach;
use super::proportion::Proportion;
use crate::error::Result;

/// Two bounds, both of them inside. It prints as `0.052 to 0.334`, with the decimals that
/// the format asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
}

impl Interval {
    /// Whether a number lies between the bounds or on one.
    #[must_use]
    pub fn contains(&self, x: f64) -> bool {
        self.lower <= x && x <= self.upper
    }

    /// The upper bound less the lower one.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.upper - self.lower
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.lower, f)?;
        f.write_str(" to ")?;
        fmt::Display::fmt(&self.upper, f)
    }
}

/// The score interval of a share: all shares that a test of this confidence would not
/// reject (Wilson 1927, "Probable inference, the law of succession, and statistical
/// inference").
///
/// With `k` of `n`, and `z` the normal quantile of (1 + confidence) / 2, its bounds are
/// `(k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n + z²)`. It never leaves 0 to 1 and has a
/// width at 0 of `n` and at `n` of `n` too. `confidence` lies between 0 and 1, such as
/// 0.95.
///
/// ```
/// use segmenta::inference::{Proportion, wilson_interval};
///
/// let interval = wilson_interval(&Proportion::new(81, 263)?, 0.95)?;
/// assert_eq!(format!("{interval:.4}"), "0.2553 to 0.3662");
/// let none = wilson_interval(&Proportion::new(0, 10)?, 0.95)?;
/// assert_eq!(format!("{none:.3}"), "0.000 to 0.278");
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the confidence is not between 0 and 1. Undefined for nobody.
pub fn wilson_interval(proportion: &Proportion, confidence: f64) -> Result<Interval> {
    let z = reach(confidence)?;
    proportion.require_share("the interval of a share")?;
    Ok(wilson(proportion, z))
}

/// Wilson's interval, `z` standard errors to either side; there is somebody.
fn wilson(proportion: &Proportion, z: f64) -> Interval {
    let n = proportion.n() as f64;
    let k = proportion.successes() as f64;
    let z2 = z * z;
    let spread = z * (k * (proportion.failures() as f64 / n) + z2 / 4.0).sqrt();
    let outer = k + z2 / 2.0 + spread;
    // The bounds are the roots of a quadratic equation, and their product is known: the
    // lower one is not the difference of two numbers of one size.
    let lower = if k == 0.0 { 0.0 } else { k * (k / n) / outer };
    let upper = if proportion.failures() == 0 { 1.0 } else { outer / (n + z2) };
    Interval { lower: lower.min(1.0), upper: upper.min(1.0) }
}

/// The interval of the difference `a − b` of two independent shares, from their Wilson
/// intervals (Newcombe 1998, "Interval estimation for the difference between independent
/// proportions", method 10).
///
/// With shares `p` and `q` and their intervals from `l` to `u` and from `m` to `v`:
/// `p − q − √((p − l)² + (v − q)²)` to `p − q + √((u − p)² + (q − m)²)`. It never leaves
/// −1 to 1, and is of use for small groups and for shares near 0 or 1, where the textbook
/// interval is not.
///
/// ```
/// use segmenta::inference::{Proportion, newcombe_interval};
///
/// let (a, b) = (Proportion::new(56, 70)?, Proportion::new(48, 80)?);
/// let interval = newcombe_interval(&a, &b, 0.95)?;
/// assert_eq!(format!("{interval:.4}"), "0.0524 to 0.3339");
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the confidence is not between 0 and 1. Undefined when there is nobody in one of
/// the groups.
pub fn newcombe_interval(
    a: &Proportion,
    b: &Proportion,
    confidence: f64,
) -> Result<Interval> {
    newcombe(a, b, reach(confidence)?)
}

/// Newcombe's interval, `z` standard errors to either side.
pub(super) fn newcombe(a: &Proportion, b: &Proportion, z: f64) -> Result<Interval> {
    const WHAT: &str = "the interval of a difference";
    let (p, q) = (a.require_share(WHAT)?, b.require_share(WHAT)?);
    let (of_a, of_b) = (wilson(a, z), wilson(b, z));
    let below = (p - of_a.lower).hypot(of_b.upper - q);
    let above = (of_a.upper - p).hypot(q - of_b.lower);
    Ok(Interval { lower: (p - q - below).max(-1.0), upper: (p - q + above).min(1.0) })
}
