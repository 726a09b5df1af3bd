//! Carrying segment ids from a model to its refit.

use super::{Segment, Segmenter, check_segments};
use crate::error::{Error, Result};

/// A segmenter whose segments can be given other ids and names.
pub trait Relabel: Segmenter {
    /// Replaces the segments' ids, names and counts, in the order of their indices.
    ///
    /// # Errors
    /// When their number differs, or an id is empty or used twice.
    fn relabel(&mut self, segments: Vec<Segment>) -> Result<()>;
}

/// What an implementation of [`Relabel::relabel`] does with its list of segments.
pub(crate) fn replace_segments(
    current: &mut Vec<Segment>,
    segments: Vec<Segment>,
) -> Result<()> {
    if segments.len() != current.len() {
        return Err(Error::length("the list of segments", current.len(), segments.len()));
    }
    check_segments(&segments)?;
    *current = segments;
    Ok(())
}
