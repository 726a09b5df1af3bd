//! Whether two shares differ.

use serde::{Deserialize, Serialize};

use super::normal::two_sided;
use super::proportion::Proportion;
use crate::error::{Error, Result};

/// The result of [`two_proportion_test`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TwoProportionTest {
    /// The share of the first group less that of the second.
    pub difference: f64,
    /// The difference in standard errors.
    pub z: f64,
    /// Probability of a difference as large to either side, were the shares equal.
    pub p_value: f64,
    /// The least of the four counts that equal shares would let expect. Below 5 the
    /// p-value is rough (Cochran 1954).
    pub least_expected: f64,
}

/// Tests whether two independent groups have the same share, with the pooled standard
/// error, two-sided, without continuity correction.
///
/// With shares `p` of `n` and `q` of `m`, and `r` the share of both together:
/// `z = (p − q) / √(r (1 − r) (1/n + 1/m))`. `z²` is Pearson's χ² of the two by two
/// counts (Pearson 1900).
///
/// ```
/// use segmenta::inference::{Proportion, two_proportion_test};
///
/// let test = two_proportion_test(&Proportion::new(120, 1000)?, &Proportion::new(100, 1000)?)?;
/// assert_eq!(format!("{:.4} {:.4}", test.z, test.p_value), "1.4293 0.1529");
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// Undefined when there is nobody in one of the groups, and when all of both or none of
/// both are successes.
pub fn two_proportion_test(a: &Proportion, b: &Proportion) -> Result<TwoProportionTest> {
    const WHAT: &str = "the test of two shares";
    let (p, q) = (a.require_share(WHAT)?, b.require_share(WHAT)?);
    let (n, m) = (a.n() as f64, b.n() as f64);
    let yes = a.successes() as f64 + b.successes() as f64;
    let no = a.failures() as f64 + b.failures() as f64;
    if yes == 0.0 || no == 0.0 {
        let found = if yes == 0.0 { "none" } else { "all" };
        return Err(Error::undefined(WHAT, format!("{found} of both are successes")));
    }
    let total = n + m;
    let variance = (yes / total) * (no / total) * (1.0 / n + 1.0 / m);
    let z = (p - q) / variance.sqrt();
    Ok(TwoProportionTest {
        difference: p - q,
        z,
        p_value: two_sided(z),
        least_expected: n.min(m) * (yes.min(no) / total),
    })
}
