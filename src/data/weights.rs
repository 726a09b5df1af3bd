//! The weights of rows.

use crate::error::{Error, ErrorKind, Result};

/// One weight for each row, finite and not negative. `what` names the list in messages.
pub(crate) fn check_weights(
    what: &'static str,
    weights: &[f64],
    n_rows: usize,
) -> Result<()> {
    if weights.len() != n_rows {
        return Err(Error::length(what, n_rows, weights.len()));
    }
    match weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
        Some(row) => Err(ErrorKind::Value {
            expected: "a weight: finite and not negative".into(),
            found: weights[row].to_string(),
            row: Some(row),
        }
        .into()),
        None => Ok(()),
    }
}
