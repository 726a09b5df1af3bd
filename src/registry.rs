//! The kinds of models that this crate can save and load.

use crate::segmenter::{Crosstab, Fallback, Registry, Tree};

/// A registry of the built-in kinds, to which a host may add its own.
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::empty();
    // Kinds of this crate are distinct, so that registering them cannot fail; a test
    // counts them.
    let _ = registry
        .register::<Fallback>()
        .and_then(Registry::register::<Crosstab>)
        .and_then(Registry::register::<Tree>);
    registry
}
