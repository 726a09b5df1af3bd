//! The least number of people of whom may be spoken.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::segmenter::SegmentId;

/// The least number of people of whom counts may be told, and whom an action may address.
///
/// How many that are is the host's choice. Advertising platforms ask for audiences of at
/// least 100 matched people (Meta) or 300 (LinkedIn); statistical offices mostly take
/// thresholds from 3 to 10 for tables of counts (Hundepool et al. 2012, chapter 5). The least
/// is 3: of a count that is withheld where 2 would be told, everybody knows that it is 1.
///
/// ```
/// use segmenta::privacy::{MinimumAudience, ShownCount};
///
/// let audience = MinimumAudience::new(100)?;
/// assert_eq!(audience.show(1_234).to_string(), "1234");
/// assert_eq!(audience.show(99).to_string(), "<100");
/// assert_eq!(audience.show(0), ShownCount::Exact(0));
/// assert_eq!(audience.rounded_to(50)?.show(1_234).to_string(), "about 1200");
///
/// let error = audience.may_activate(&"vip".into(), 12).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "parameter `audience of vip` must be at least 100 people, but is fewer",
/// );
/// let error = MinimumAudience::new(2).unwrap_err();
/// assert_eq!(error.to_string(), "parameter `least` must be at least 3, but is 2");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Repr", into = "Repr")]
pub struct MinimumAudience {
    least: u64,
    base: u64,
}

/// The shape at rest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repr {
    least: u64,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    rounded_to: u64,
}

fn one() -> u64 {
    1
}

fn is_one(base: &u64) -> bool {
    *base == 1
}

impl From<MinimumAudience> for Repr {
    fn from(audience: MinimumAudience) -> Repr {
        Repr { least: audience.least, rounded_to: audience.base }
    }
}

impl TryFrom<Repr> for MinimumAudience {
    type Error = Error;

    fn try_from(repr: Repr) -> Result<MinimumAudience> {
        MinimumAudience::new(repr.least)?.rounded_to(repr.rounded_to)
    }
}

/// A count as it may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ShownCount {
    /// As it is.
    Exact(u64),
    /// The greatest multiple of the base that is not above it.
    About {
        /// The multiple.
        count: u64,
        /// The base.
        base: u64,
    },
    /// From 1 to one less than this. Only of a count that is told by itself.
    Below(u64),
    /// Not told: it is small, or a small one would follow from it. Which of the two is not
    /// told either, for two small parts of a sum that is told could be told by it.
    Withheld,
}

impl ShownCount {
    /// The count, where it is told as it is.
    #[must_use]
    pub fn exact(self) -> Option<u64> {
        match self {
            ShownCount::Exact(count) => Some(count),
            _ => None,
        }
    }

    /// Whether a number is told.
    #[must_use]
    pub fn is_told(self) -> bool {
        matches!(self, ShownCount::Exact(_) | ShownCount::About { .. })
    }
}

impl fmt::Display for ShownCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShownCount::Exact(count) => f.pad(&count.to_string()),
            ShownCount::About { count, .. } => f.pad(&format!("about {count}")),
            ShownCount::Below(least) => f.pad(&format!("<{least}")),
            ShownCount::Withheld => f.pad("withheld"),
        }
    }
}

impl MinimumAudience {
    /// So many people at least.
    ///
    /// # Errors
    /// When it is less than 3.
    pub fn new(least: u64) -> Result<MinimumAudience> {
        if least < 3 {
            return Err(Error::parameter("least", "at least 3", least));
        }
        Ok(MinimumAudience { least, base: 1 })
    }

    /// Counts that are told are rounded down to multiples of this base. Which are told does not
    /// change by it: rounding alone does not hide a person, since where a
    /// count passes a multiple one more or less is seen. Rounded counts do not add up.
    ///
    /// # Errors
    /// When the base is 0.
    pub fn rounded_to(self, base: u64) -> Result<MinimumAudience> {
        if base == 0 {
            return Err(Error::parameter("rounded_to", "at least 1", base));
        }
        Ok(MinimumAudience { base, ..self })
    }

    /// The least number of people.
    #[must_use]
    pub fn least(&self) -> u64 {
        self.least
    }

    /// A count that is told by itself: nothing else is told of the people from among whom it
    /// counts, not even how many they are. Several counts are told by
    /// [`publish`](MinimumAudience::publish).
    #[must_use]
    pub fn show(&self, count: u64) -> ShownCount {
        if (1..self.least).contains(&count) {
            ShownCount::Below(self.least)
        } else {
            self.rounded(count)
        }
    }

    /// A count as it is told when it may be told.
    pub(super) fn rounded(&self, count: u64) -> ShownCount {
        match self.base {
            1 => ShownCount::Exact(count),
            base => ShownCount::About { count: count - count % base, base },
        }
    }

    /// A count among others.
    pub(super) fn told(&self, count: u64, may_be: bool) -> ShownCount {
        if may_be { self.rounded(count) } else { ShownCount::Withheld }
    }

    /// Whether a segment of so many members may be addressed.
    ///
    /// # Errors
    /// When there are fewer than the least; the message does not say how many.
    pub fn may_activate(&self, segment: &SegmentId, members: u64) -> Result<()> {
        if members >= self.least {
            return Ok(());
        }
        let expected = format!("at least {} people", self.least);
        Err(Error::parameter(format!("audience of {segment}"), expected, "fewer"))
    }
}
