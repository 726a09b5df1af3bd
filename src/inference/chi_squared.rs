//! Whether shares differ between any number of groups.

use serde::{Deserialize, Serialize};

use super::normal::chi_squared_tail;
use crate::error::{Error, Result};

/// The result of [`chi_squared_test`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ChiSquaredTest {
    /// Pearson's X².
    pub statistic: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// Probability of a statistic as large, were the groups all alike.
    pub p_value: f64,
    /// How strongly they differ, 0 to 1: Cramér's V = √(X² / (n·min(r − 1, c − 1)))
    /// (Cramér 1946).
    pub effect_size: f64,
    /// The least expected count.
    pub least_expected: f64,
    /// The share of expected counts below 5, 0 to 1.
    pub small_expected: f64,
}

impl ChiSquaredTest {
    /// True when the p-value is rough: an expected count is below 1, or more than a fifth
    /// of them are below 5 (Cochran 1954, "Some methods for strengthening the common χ²
    /// tests").
    #[must_use]
    pub fn is_rough(&self) -> bool {
        self.least_expected < 1.0 || self.small_expected > 0.2
    }
}

/// Pearson's χ² test that rows of counts are alike but for their sizes, without
/// continuity correction (Pearson 1900).
///
/// A row is a group, such as a segment; a column is an outcome. With `e` the product of a
/// cell's row sum and column sum over the sum of all, the statistic is the sum of
/// `(count − e)² / e`, with (rows − 1)(columns − 1) degrees of freedom. Rows and columns
/// that are all 0 have no part in it.
///
/// ```
/// use segmenta::inference::chi_squared_test;
///
/// // Bought and not, in three segments.
/// let test = chi_squared_test(&[[120, 880], [100, 900], [150, 850]])?;
/// assert_eq!(format!("{:.3} {:.5}", test.statistic, test.p_value), "11.715 0.00286");
/// assert_eq!(test.df, 2.0);
/// assert!(!test.is_rough());
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the rows are not of one length. Undefined when fewer than two rows or two columns
/// have a count.
pub fn chi_squared_test<R: AsRef<[u64]>>(table: &[R]) -> Result<ChiSquaredTest> {
    let width = table.first().map_or(0, |row| row.as_ref().len());
    for (i, row) in table.iter().enumerate() {
        if row.as_ref().len() != width {
            let what = format!("row {i} of the table of counts");
            return Err(Error::length(what, width, row.as_ref().len()));
        }
    }
    let counts: Vec<Vec<f64>> = table
        .iter()
        .map(|row| row.as_ref().iter().map(|&count| count as f64).collect())
        .collect();
    pearson(&counts).ok_or_else(|| {
        Error::undefined("the χ² test", "fewer than two rows or columns have a count")
    })
}

/// The test on counts, or on weights in their place, in rows of one length. `None` when
/// fewer than two rows or columns have any, or their size cannot be computed with.
pub(crate) fn pearson(table: &[Vec<f64>]) -> Option<ChiSquaredTest> {
    let width = table.first()?.len();
    let of_column: Vec<f64> =
        (0..width).map(|j| table.iter().map(|row| row[j]).sum()).collect();
    let of_row: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
    let n: f64 = of_row.iter().sum();
    let columns = of_column.iter().filter(|&&sum| sum > 0.0).count();
    let rows = of_row.iter().filter(|&&sum| sum > 0.0).count();
    if columns < 2 || rows < 2 {
        return None;
    }
    let (mut statistic, mut least, mut small) = (0.0, f64::INFINITY, 0_u64);
    for (row, &row_sum) in table.iter().zip(&of_row) {
        for (&count, &column_sum) in row.iter().zip(&of_column) {
            let expected = row_sum * (column_sum / n);
            if expected > 0.0 {
                statistic += (count - expected) * ((count - expected) / expected);
                least = expected.min(least);
                small += u64::from(expected < 5.0);
            }
        }
    }
    if !(statistic.is_finite() && least.is_finite()) {
        return None;
    }
    let df = ((columns - 1) * (rows - 1)) as f64;
    let most = (columns.min(rows) - 1) as f64;
    Some(ChiSquaredTest {
        statistic,
        df,
        p_value: chi_squared_tail(statistic, df)?,
        effect_size: (statistic / n / most).sqrt().min(1.0),
        least_expected: least,
        small_expected: small as f64 / (columns * rows) as f64,
    })
}
