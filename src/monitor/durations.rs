//! Durations that were observed or cut off, in an order that integers have.

use crate::error::{Error, ErrorKind, Result};

/// A duration, 0 or more, as an integer of the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(u64);

impl Time {
    /// The time of row `row`, or why it is none.
    pub(super) fn read(duration: f64, row: usize) -> Result<Time> {
        if !(duration.is_finite() && duration >= 0.0) {
            return Err(ErrorKind::Value {
                expected: "a duration: finite and not negative".into(),
                found: duration.to_string(),
                row: Some(row),
            }
            .into());
        }
        // A sum with 0 makes 0 of -0, whose bits would come last.
        Ok(Time((duration + 0.0).to_bits()))
    }

    pub(super) fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// One truth for each duration, and at least one of them.
pub(super) fn check_lengths(n_durations: usize, n_observed: usize) -> Result<()> {
    if n_observed != n_durations {
        return Err(Error::length("`observed`", n_durations, n_observed));
    }
    if n_durations == 0 {
        let what = "durations".into();
        return Err(ErrorKind::TooFewRows { what, needed: 1, found: 0 }.into());
    }
    Ok(())
}
