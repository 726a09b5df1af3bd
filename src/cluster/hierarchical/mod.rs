//! Hierarchical clustering.

mod agglomerate;
mod chain;
mod condensed;
mod cut;
mod dendrogram;
mod generic;
mod linkage;
mod spanning;
mod step;

pub use self::agglomerate::{
    DEFAULT_MEMORY_LIMIT, condensed_distances, linkage, linkage_from_distances,
    linkage_with,
};
pub use self::dendrogram::{Dendrogram, Merge};
pub use self::linkage::Linkage;
