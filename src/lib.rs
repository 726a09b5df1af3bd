//! Customer segmentation.

pub mod cluster;
pub mod data;
mod distance;
pub mod encode;
pub mod error;
pub mod history;
pub mod metrics;
mod parallel;
pub mod profile;
mod random;
mod registry;
pub mod rfm;
pub mod rules;
pub mod score;
pub mod segmenter;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, ErrorKind, Result};
pub use ndarray;
pub use registry::registry;
pub use segmenter::{Fit, FitBoxed, Segmenter, SegmenterExt};
