//! P-values of several tests at once.

use crate::error::{ErrorKind, Result};

/// `min(1, m p)` for each of `m` p-values: the chance of one false finding among all stays
/// below the level, whatever the tests have to do with each other (Dunn 1961). [`holm`]
/// promises the same and finds more.
///
/// # Errors
/// When a p-value is not between 0 and 1; the error names its place.
pub fn bonferroni(p_values: &[f64]) -> Result<Vec<f64>> {
    check(p_values)?;
    let m = p_values.len() as f64;
    Ok(p_values.iter().map(|p| (m * p).min(1.0)).collect())
}

/// Holm's step-down p-values: the chance of one false finding among all stays below the
/// level, whatever the tests have to do with each other (Holm 1979, "A simple sequentially
/// rejective multiple test procedure").
///
/// With `m` p-values ascending, the i-th becomes the largest of `min(1, (m − j + 1) p)`
/// over the j-th up to itself. The result is in the order of the input.
///
/// ```
/// use segmenta::inference::holm;
///
/// assert_eq!(holm(&[0.5, 0.01, 0.25])?, [0.5, 0.03, 0.5]);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When a p-value is not between 0 and 1; the error names its place.
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>> {
    check(p_values)?;
    Ok(holm_of(p_values))
}

/// [`holm`] of p-values that are known to be between 0 and 1.
pub(crate) fn holm_of(p_values: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (i, at) in ascending(p_values).into_iter().enumerate() {
        let remaining = (p_values.len() - i) as f64;
        largest = largest.max((remaining * p_values[at]).min(1.0));
        adjusted[at] = largest;
    }
    adjusted
}

/// Benjamini and Hochberg's step-up p-values: of what is found at a level, at most that
/// share is expected to be false, when the tests are independent or go up together
/// (Benjamini & Hochberg 1995, "Controlling the false discovery rate").
///
/// With `m` p-values ascending, the i-th becomes the least of `min(1, m p / j)` over the
/// j-th from itself on. The result is in the order of the input.
///
/// ```
/// use segmenta::inference::benjamini_hochberg;
///
/// assert_eq!(benjamini_hochberg(&[0.5, 0.01, 0.25, 1.0])?, [0.6666666666666666, 0.04, 0.5, 1.0]);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When a p-value is not between 0 and 1; the error names its place.
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>> {
    check(p_values)?;
    Ok(step_up(p_values, 1.0))
}

/// [`benjamini_hochberg`] times `1 + 1/2 + … + 1/m`, which holds whatever the tests have
/// to do with each other (Benjamini & Yekutieli 2001, "The control of the false discovery
/// rate in multiple testing under dependency").
///
/// # Errors
/// When a p-value is not between 0 and 1; the error names its place.
pub fn benjamini_yekutieli(p_values: &[f64]) -> Result<Vec<f64>> {
    check(p_values)?;
    let harmonic = (1..=p_values.len()).rev().map(|i| 1.0 / i as f64).sum();
    Ok(step_up(p_values, harmonic))
}

fn step_up(p_values: &[f64], factor: f64) -> Vec<f64> {
    let m = p_values.len() as f64;
    let mut adjusted = vec![0.0; p_values.len()];
    let mut least = 1.0_f64;
    for (i, at) in ascending(p_values).into_iter().enumerate().rev() {
        least = least.min(factor * m * p_values[at] / (i + 1) as f64);
        adjusted[at] = least;
    }
    adjusted
}

/// The places of the p-values, least first.
fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}

fn check(p_values: &[f64]) -> Result<()> {
    match p_values.iter().position(|p| !(0.0..=1.0).contains(p)) {
        Some(at) => Err(ErrorKind::Value {
            expected: "a p-value, 0 to 1,".into(),
            found: p_values[at].to_string(),
            row: Some(at),
        }
        .into()),
        None => Ok(()),
    }
}
