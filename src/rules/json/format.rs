//! The format of a set of segments at rest.

use serde::de::Error;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rules::score::ScoreRule;
use crate::rules::set::{RestSegment, RuleSet, SegmentRule};

/// The only one so far. It says how a set is written, not what it says, so that it stands in the
/// text and not in a [`RuleSet`].
pub(super) const FORMAT: u64 = 1;

impl Serialize for RuleSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let has_scores = !self.scores.is_empty();
        let n = 3 + usize::from(has_scores);
        let mut set = serializer.serialize_struct("RuleSet", n)?;
        set.serialize_field("format", &FORMAT)?;
        if has_scores {
            set.serialize_field("scores", &self.scores)?;
        }
        set.serialize_field("segments", &self.segments)?;
        set.serialize_field("rest", &self.rest)?;
        set.end()
    }
}

/// A set as it was written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "RuleSet")]
struct Written {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    scores: Vec<ScoreRule>,
    segments: Vec<SegmentRule>,
    #[serde(default)]
    rest: Option<RestSegment>,
}

/// That it is of a format which is known.
#[derive(Default)]
struct Format;

impl<'de> Deserialize<'de> for RuleSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RuleSet, D::Error> {
        let Written { format: Format, scores, segments, rest } =
            Written::deserialize(deserializer)?;
        Ok(RuleSet { scores, segments, rest })
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Format, D::Error> {
        match u64::deserialize(deserializer)? {
            FORMAT => Ok(Format),
            other => Err(D::Error::custom(format!(
                "format {other} is not {FORMAT}, the only known"
            ))),
        }
    }
}
