//! Maps in circulation that do not hold together, with their faults.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::audit::MapAudit;
use super::grid::{CellRange, Grid};
use super::map::{SegmentMap, SegmentMapBuilder};
use crate::error::Result;

/// Named segments that other software gives, rule by rule in its order: the first rule that
/// matches a cell names it.
///
/// None of these lists holds together: cells have no name or several, or some names can
/// never occur. [`audit`](LegacyMap::audit) lists the faults;
/// [`segment_map`](LegacyMap::segment_map) gives every customer the name that the software
/// gives her, so that a host can move without a break.
/// [`SegmentMap::eleven_segments`] and [`SegmentMap::rf_grid`] have no such faults.
///
/// ```
/// use segmenta::rfm::{LegacyMap, Rfm};
/// use segmenta::score::RfmScore;
///
/// let audit = LegacyMap::RRfm02.audit();
/// assert_eq!(
///     audit.to_string().lines().next(),
///     Some("125 cells: 36 without a segment, 39 with several; 3 segments without a cell"),
/// );
/// assert_eq!(audit.unreachable, ["New Customers", "Promising", "Can't Lose Them"]);
///
/// let map = LegacyMap::RRfm02.segment_map("Others")?;
/// assert_eq!(map.name(&RfmScore::new(5, 5, 1)), Some("Others"));
/// let rfm = Rfm::new().segments(map);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LegacyMap {
    /// The ten names of the R package rfm 0.3.0, for quintiles. 10 of 125 cells have no name
    /// (there: `Others`), 58 have several, and 444 is a `Potential Loyalist`.
    #[serde(rename = "r_rfm_0_3")]
    RRfm03,
    /// The ten names of the R package rfm 0.2, for quintiles. 36 of 125 cells have no name
    /// (there: `Others`), 39 have several, and `New Customers`, `Promising` and `Can't Lose
    /// Them` can never occur.
    #[serde(rename = "r_rfm_0_2")]
    RRfm02,
    /// The five names of pymc-marketing 1.3.0, for quartiles. 18 of 64 cells have no name
    /// (there: `Other`).
    #[serde(rename = "pymc_marketing_1_3")]
    PymcMarketing13,
    /// The eleven names of Putler, for quintiles: recency against the mean of frequency and
    /// monetary, as copies of its table state it. Its ranges meet in their ends: 30 of the 45
    /// pairs of recency and mean have several names, and `Recent`, `Promising`, `Can't
    /// Lose` and `Lost` can never occur. Scores of 0, where some ranges begin, do not exist.
    Putler,
}

/// A name with its ranges of recency, frequency and monetary.
type Block = (&'static str, [u32; 2], [u32; 2], [u32; 2]);

const R_RFM_03: [Block; 10] = [
    ("Champions", [5, 5], [5, 5], [5, 5]),
    ("Potential Loyalist", [3, 5], [3, 5], [2, 5]),
    ("Loyal Customers", [2, 4], [2, 4], [2, 4]),
    ("Promising", [3, 4], [1, 3], [3, 5]),
    ("New Customers", [4, 5], [1, 3], [1, 5]),
    ("Can't Lose Them", [1, 2], [3, 4], [4, 5]),
    ("At Risk", [1, 2], [2, 5], [4, 5]),
    ("Need Attention", [1, 3], [3, 5], [3, 5]),
    ("About To Sleep", [2, 3], [1, 3], [1, 4]),
    ("Lost", [1, 1], [1, 5], [1, 5]),
];

const R_RFM_02: [Block; 10] = [
    ("Champions", [4, 5], [4, 5], [4, 5]),
    ("Loyal Customers", [2, 5], [3, 5], [3, 5]),
    ("Potential Loyalist", [3, 5], [1, 3], [1, 3]),
    ("New Customers", [4, 5], [1, 1], [1, 1]),
    ("Promising", [3, 4], [1, 1], [1, 1]),
    ("Need Attention", [2, 3], [2, 3], [2, 3]),
    ("About To Sleep", [2, 3], [1, 2], [1, 2]),
    ("At Risk", [1, 2], [2, 5], [2, 5]),
    ("Can't Lose Them", [1, 1], [4, 5], [4, 5]),
    ("Lost", [1, 2], [1, 2], [1, 2]),
];

const PYMC_MARKETING_13: [(&str, &[u32]); 5] = [
    ("Premium Customer", &[334, 443, 444, 344, 434, 433, 343, 333]),
    ("Repeat Customer", &[244, 234, 232, 332, 143, 233, 243]),
    ("Top Spender", &[424, 414, 144, 314, 324, 124, 224, 423, 413, 133, 323, 313, 134]),
    ("At Risk Customer", &[422, 223, 212, 122, 222, 132, 322, 312, 412, 123, 214]),
    ("Inactive Customer", &[411, 111, 113, 114, 112, 211, 311]),
];

/// Names with their ranges of recency, and of the mean of frequency and monetary.
const PUTLER: [(&str, [u32; 2], [u32; 2]); 11] = [
    ("Champions", [4, 5], [4, 5]),
    ("Loyal", [2, 5], [3, 5]),
    ("Potential Loyalist", [3, 5], [1, 3]),
    ("Recent", [4, 5], [0, 1]),
    ("Promising", [3, 4], [0, 1]),
    ("Need Attention", [2, 3], [2, 3]),
    ("About To Sleep", [2, 3], [0, 2]),
    ("At Risk", [0, 2], [2, 5]),
    ("Can't Lose", [0, 1], [4, 5]),
    ("Hibernating", [1, 2], [1, 2]),
    ("Lost", [0, 2], [0, 2]),
];

impl LegacyMap {
    /// All of them.
    pub const ALL: [LegacyMap; 4] = [
        LegacyMap::RRfm03,
        LegacyMap::RRfm02,
        LegacyMap::PymcMarketing13,
        LegacyMap::Putler,
    ];

    /// The software, with its version where it has one.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            LegacyMap::RRfm03 => "R rfm 0.3.0",
            LegacyMap::RRfm02 => "R rfm 0.2",
            LegacyMap::PymcMarketing13 => "pymc-marketing 1.3.0",
            LegacyMap::Putler => "Putler",
        }
    }

    /// The definition as it is published: to build it, say who wins and what fills the gaps.
    #[must_use]
    pub fn definition(self) -> SegmentMapBuilder {
        match self {
            LegacyMap::RRfm03 => blocks(&R_RFM_03),
            LegacyMap::RRfm02 => blocks(&R_RFM_02),
            LegacyMap::PymcMarketing13 => PYMC_MARKETING_13
                .iter()
                .fold(SegmentMap::builder(Grid::rfm(4)), |map, &(name, codes)| {
                    map.codes(name, codes.iter().copied())
                }),
            LegacyMap::Putler => PUTLER.iter().fold(
                SegmentMap::builder(Grid::rfm(5)),
                |map, &(name, [r_from, r_to], [from, to])| {
                    // Scores begin at 1, and so does their mean.
                    let r = r_from.max(1)..=r_to;
                    let sum = 2 * from.max(1)..=2 * to;
                    map.range(name, CellRange::all().r(r).fm_sum(sum))
                },
            ),
        }
    }

    /// What is wrong with the definition: cells without a name, with several, and names
    /// without a cell. Segments are counted by first match. It can be printed.
    #[must_use]
    pub fn audit(self) -> MapAudit {
        self.definition().audit()
    }

    /// The names as the software gives them: the first that matches, and `otherwise` where
    /// none does. Names that can never occur are left out, and so is `otherwise` where every
    /// cell has a name.
    ///
    /// # Errors
    /// When `otherwise` has no letter, or is spelled nearly like another name.
    pub fn segment_map(self, otherwise: impl Into<String>) -> Result<SegmentMap> {
        self.definition().first_match().drop_unreachable().otherwise(otherwise).build()
    }
}

impl fmt::Display for LegacyMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.source())
    }
}

fn blocks(blocks: &[Block]) -> SegmentMapBuilder {
    let range = |[from, to]: [u32; 2]| from..=to;
    blocks.iter().fold(SegmentMap::builder(Grid::rfm(5)), |map, &(name, r, f, m)| {
        map.range(name, CellRange::all().r(range(r)).f(range(f)).m(range(m)))
    })
}
