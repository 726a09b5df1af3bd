//! What difference two groups could show.

use super::normal::upper_quantile;
use crate::error::{Error, Result};

/// Halvings after which the bounds of a share are neighbours.
const HALVINGS: usize = 1100;

/// The least true gain over a share that [`two_proportion_test`](super::two_proportion_test)
/// on groups of these sizes finds with the stated power; `None` when not even a share of 1
/// would be found.
///
/// With `p` the control group's true share (`baseline`), `n` and `m` the sizes of the
/// treated and of the control group, `r = (n (p + d) + m p) / (n + m)`, and `z` normal
/// quantiles, it is the `d` for which
///
/// `d = z(1 − α/2) √(r (1 − r) (1/n + 1/m)) + z(power) √((p + d)(1 − p − d)/n + p (1 − p)/m)`
///
/// the normal approximation of Fleiss, Levin & Paik (2003, *Statistical Methods for Rates
/// and Proportions*, 4.2) and of R's `power.prop.test`, solved for the effect. For shares
/// far from 0 and 1 it is near `(z(1 − α/2) + z(power)) √(p (1 − p) (1/n + 1/m))`. A gain
/// of the rest is the loss of this share: for losses, pass `1 − baseline`.
///
/// ```
/// use segmenta::inference::minimum_detectable_effect;
///
/// // 5 % of 10,000 held out buy: a gain below 0.9 points is likely to be missed.
/// let effect = minimum_detectable_effect(0.05, 10_000, 10_000, 0.05, 0.8)?;
/// assert_eq!(effect.map(|d| (d * 1e4).round()), Some(90.0));
/// // Three customers show nothing.
/// assert_eq!(minimum_detectable_effect(0.5, 3, 3, 0.05, 0.8)?, None);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the baseline is not 0 to 1, a group is empty, `alpha` is not between 0 and 1, or
/// the power is not at least 0.5 and below 1.
pub fn minimum_detectable_effect(
    baseline: f64,
    n_treated: u64,
    n_control: u64,
    alpha: f64,
    power: f64,
) -> Result<Option<f64>> {
    if !(0.0..=1.0).contains(&baseline) {
        return Err(Error::parameter("baseline", "0 to 1", baseline));
    }
    for (name, size) in [("n_treated", n_treated), ("n_control", n_control)] {
        if size == 0 {
            return Err(Error::parameter(name, "at least 1", size));
        }
    }
    check_alpha(alpha)?;
    check_power(power)?;
    let (n, m, p) = (n_treated as f64, n_control as f64, baseline);
    let (of_test, of_power) = (upper_quantile(alpha / 2.0), upper_quantile(1.0 - power));
    let found = |d: f64| {
        let treated = (p + d).min(1.0);
        let pooled = (n * treated + m * p) / (n + m);
        let under_null = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
        let spread = treated * (1.0 - treated) / n + p * (1.0 - p) / m;
        d >= of_test * under_null + of_power * spread.sqrt()
    };
    // Both roots are concave in `d`, so that what is to be 0 is convex, and it is not
    // above 0 at `d = 0`: it is passed once.
    let (mut below, mut above) = (0.0, 1.0 - p);
    if above <= 0.0 || !found(above) {
        return Ok(None);
    }
    for _ in 0..HALVINGS {
        let middle = below + (above - below) / 2.0;
        if middle <= below || middle >= above {
            break;
        }
        if found(middle) {
            above = middle;
        } else {
            below = middle;
        }
    }
    Ok(Some(above))
}

pub(super) fn check_alpha(alpha: f64) -> Result<()> {
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(Error::parameter("alpha", "between 0 and 1", alpha));
    }
    Ok(())
}

pub(super) fn check_power(power: f64) -> Result<()> {
    if !(0.5..1.0).contains(&power) {
        return Err(Error::parameter("power", "at least 0.5 and below 1", power));
    }
    Ok(())
}
