//! k-means clustering.
//!
//! [`KMeans`] says what is wanted; its fit gives a [`KMeansModel`], which assigns each
//! customer to the nearest centre. [`KMeans::fit_matrix`] clusters plain numbers.

mod bounds;
mod config;
mod fit;
mod init;
mod label;
mod lloyd;
mod minibatch;
mod model;
mod nearest;
mod parts;
mod predict;
mod rows;
mod scalable;
mod scan;
mod sums;
mod tiles;

pub use self::config::{Algorithm, KMeans, KMeansResult};
pub use self::init::Init;
pub use self::minibatch::{MiniBatchKMeans, MiniBatchState};
pub use self::model::{KMeansModel, KMeansRepr};
pub use self::parts::{Coreset, CoresetPlan, KMeansStep, Moments, StepResult, hash_id};
