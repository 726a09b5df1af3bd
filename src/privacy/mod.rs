//! May we?

mod audience;
mod changes;
mod counts;
mod guard;

pub use self::audience::{MinimumAudience, ShownCount};
pub use self::changes::{
    PublishedChange, PublishedDifference, PublishedSegment, PublishedSnapshot,
};
pub use self::counts::{
    PublishedCount, PublishedCounts, PublishedOverlap, PublishedPreview,
};
