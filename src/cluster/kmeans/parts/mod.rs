//! k-means of rows that come in parts: from several machines, files or slices.

mod coreset;
mod moments;
mod step;

pub use self::coreset::{Coreset, CoresetPlan, hash_id};
pub use self::moments::Moments;
pub use self::step::{KMeansStep, StepResult};

use crate::error::{Error, ErrorKind, Result};

/// The version of the saved states.
const VERSION: u32 = 1;

/// Checks the version of a saved state.
fn check_version(kind: &'static str, found: u32) -> Result<()> {
    if found == VERSION {
        return Ok(());
    }
    let supported = VERSION;
    Err(ErrorKind::UnsupportedVersion { kind: kind.into(), found, supported }.into())
}

/// Checks that a part has as many columns as the state it is added to.
fn check_columns(expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::length("the second axis of the part", expected, found))
}
