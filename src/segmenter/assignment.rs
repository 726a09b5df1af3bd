//! The answer for one customer.

use serde::{Deserialize, Serialize};

use super::SegmentIndex;
use crate::error::{ErrorKind, Result};

/// Which segment a customer belongs to, and how clearly: 24 bytes, `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    segment: Option<SegmentIndex>,
    cost: f64,
    margin: f64,
}

impl Assignment {
    /// A segment with its cost, and by how much the runner-up costs more (infinity when
    /// there is no runner-up).
    #[must_use]
    pub const fn new(segment: SegmentIndex, cost: f64, margin: f64) -> Assignment {
        Assignment { segment: Some(segment), cost, margin }
    }

    /// A segment that is certain: cost 0, no runner-up.
    #[must_use]
    pub const fn certain(segment: SegmentIndex) -> Assignment {
        Assignment::new(segment, 0.0, f64::INFINITY)
    }

    /// No segment: no rule matched. An answer, not a failure.
    #[must_use]
    pub const fn none() -> Assignment {
        Assignment { segment: None, cost: 0.0, margin: f64::INFINITY }
    }

    /// The segment, or `None`.
    #[must_use]
    pub const fn segment(&self) -> Option<SegmentIndex> {
        self.segment
    }

    /// That the segment is one of `n_segments`, which a segmenter of another crate may
    /// promise and not keep.
    pub(super) fn check_below(&self, n_segments: usize) -> Result<()> {
        match self.segment {
            Some(segment) if segment.get() >= n_segments => Err(ErrorKind::Value {
                expected: format!("the index of a segment: below {n_segments}").into(),
                found: segment.get().to_string(),
                row: None,
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// How badly the customer fits: 0 is a perfect fit. Each segmenter states its unit;
    /// for k-means it is the squared distance to the centre.
    #[must_use]
    pub const fn cost(&self) -> f64 {
        self.cost
    }

    /// Cost of the runner-up less the cost of this segment; infinity without a runner-up.
    #[must_use]
    pub const fn margin(&self) -> f64 {
        self.margin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_at_most_24_bytes() {
        assert!(size_of::<Assignment>() <= 24);
    }
}
