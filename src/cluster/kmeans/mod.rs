//! k-means clustering.
//!
//! [`KMeans`] says what is wanted; its fit gives a [`KMeansModel`], which assigns each
//! customer to the nearest centre. [`KMeans::fit_matrix`] clusters plain numbers.
//! For rows that come in parts there are a [`Coreset`], a sample that stands for all rows,
//! and [`KMeansStep`], the exact iteration; both begin with the [`Moments`] of the rows.
//! [`MiniBatchKMeans`] is approximate and takes one batch of rows after another.

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
