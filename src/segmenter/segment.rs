//! Segments and their names.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, Result};

/// Position of a segment in one model. Another model, or a refit, may order its segments
/// differently: store [`SegmentId`]s, never indices.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SegmentIndex(u32);

impl SegmentIndex {
    /// The index of position `position`.
    #[must_use]
    pub const fn new(position: u32) -> SegmentIndex {
        SegmentIndex(position)
    }

    /// The position as a `usize`.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// The durable key of a segment. An alignment carries it from a model to its refit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SegmentId(Arc<str>);

impl SegmentId {
    /// An id of this text.
    pub fn new(id: impl Into<Arc<str>>) -> SegmentId {
        SegmentId(id.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for SegmentId {
    fn from(id: &str) -> Self {
        SegmentId::new(id)
    }
}

/// A named group of customers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The durable key.
    pub id: SegmentId,
    /// The name for people.
    pub name: String,
    /// Rows that were in the segment when the model was fitted; absent for rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Share of the weight that was in the segment when the model was fitted, 0 to 1;
    /// absent for rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

impl Segment {
    /// A segment that was not counted.
    pub fn new(id: impl Into<Arc<str>>, name: impl Into<String>) -> Segment {
        Segment { id: SegmentId::new(id), name: name.into(), size: None, share: None }
    }

    /// States how many rows, and what share of the weight, the segment had at the fit.
    #[must_use]
    pub fn counted(mut self, size: u64, share: f64) -> Segment {
        self.size = Some(size);
        self.share = Some(share);
        self
    }

    /// The ids `segment-1` … `segment-n` with such names, as a fresh fit gives them.
    #[must_use]
    pub fn numbered(n: usize) -> Vec<Segment> {
        (1..=n)
            .map(|i| Segment::new(format!("segment-{i}"), format!("Segment {i}")))
            .collect()
    }
}

/// Checks what every list of segments must satisfy: unique, non-empty ids, and shares
/// between 0 and 1.
pub(crate) fn check_segments(segments: &[Segment]) -> Result<()> {
    let mut ids: Vec<&SegmentId> = segments.iter().map(|s| &s.id).collect();
    ids.sort();
    for pair in ids.windows(2) {
        if pair[0] == pair[1] {
            let name = pair[0].as_str().to_owned();
            return Err(ErrorKind::DuplicateName { what: "segment", name }.into());
        }
    }
    for segment in segments {
        if segment.id.as_str().is_empty() {
            return Err(crate::Error::parameter("segment id", "not empty", "empty"));
        }
        if let Some(share) = segment.share
            && !(0.0..=1.0).contains(&share)
        {
            let name = format!("share of segment `{}`", segment.id);
            return Err(crate::Error::parameter(name, "between 0 and 1", share));
        }
    }
    Ok(())
}
