//! Numbers that rank customers: RFM scores, percentile ranks, composites.
//!
//! [`RfmScore`] holds the scores of one customer on the axes recency, frequency and
//! monetary and combines them; [`Composite`] makes one score of any features, with their
//! direction and scale stated; [`percentile_rank`] and [`z_score`] place one value among
//! others.

mod composite;
mod rank;
mod read;
mod rfm;

pub use self::composite::{Composite, CompositeModel, Scaling, TermScore};
pub use self::rank::{RankKind, percentile_rank, percentile_ranks, z_score};
pub(crate) use self::read::{number_of, numbers_of};
pub use self::rfm::RfmScore;

use serde::{Deserialize, Serialize};

/// Which end of a feature is the good one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better: purchases, money.
    #[default]
    HigherIsBetter,
    /// Less is better: days since the last purchase.
    LowerIsBetter,
}
