//! The kinds of models that this crate can save and load.

use crate::cluster::hierarchical::HierarchicalModel;
use crate::cluster::kmeans::KMeansModel;
use crate::error::Result;
use crate::lifetime::LifetimeTierModel;
use crate::rfm::RfmModel;
use crate::rules::{RuleBook, RuleSegmenter};
use crate::segmenter::{Crosstab, Fallback, Registry, Tree};

/// A registry of the built-in kinds, to which a host may add its own.
///
/// ```
/// let kinds: Vec<&str> = segmenta::registry().kinds().collect();
/// assert_eq!(
///     kinds,
///     [
///         "segmenta.rules",
///         "segmenta.rule_book",
///         "segmenta.rfm",
///         "segmenta.lifetime_tiers",
///         "segmenta.kmeans",
///         "segmenta.hierarchical",
///         "segmenta.fallback",
///         "segmenta.crosstab",
///         "segmenta.tree",
///     ],
/// );
/// ```
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::empty();
    // The kinds of this crate are distinct, as the example above proves; registering
    // them cannot fail.
    let _ = register(&mut registry);
    registry
}

fn register(registry: &mut Registry) -> Result<()> {
    registry
        .register::<RuleSegmenter>()?
        .register::<RuleBook>()?
        .register::<RfmModel>()?
        .register::<LifetimeTierModel>()?
        .register::<KMeansModel>()?
        .register::<HierarchicalModel>()?
        .register::<Fallback>()?
        .register::<Crosstab>()?
        .register::<Tree>()?;
    Ok(())
}
