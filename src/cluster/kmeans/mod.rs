//! k-means clustering.
//!
//! [`KMeans`] says what is wanted; its fit gives a [`KMeansModel`], which assigns each
//! customer to the nearest centre. [`KMeans::fit_matrix`] clusters plain numbers,
//! [`KMeansModel::assign_matrix`] assigns many rows of them.
//!
//! For data that come in parts, [`Moments`] and a [`CoresetPlan`] draw a weighted sample, a
//! [`Coreset`], and a [`KMeansStep`] is one exact iteration; both merge to the same bits
//! however the rows were split. [`MiniBatchKMeans`] learns from small batches in their
//! order.
//!
//! # How labels are found
//!
//! A label is the centre whose squared distance, `Σ (xⱼ − cⱼ)²` in `f64` in the order of
//! the columns, is least; of several the first. To find it, rows are kept once more in
//! single precision, in tiles of 16 rows, and centres are compared by the scores
//! `x·c − ½‖c‖²` with a proven error: where the best two scores are farther apart, the
//! label is certain, and elsewhere the distances decide. That pays at any number of
//! columns, and [`Algorithm`] says when rows, or most of the centres, are passed over.
//!
//! On two cores of an AMD EPYC (Zen 4; about 31 GB/s and 90 · 10⁹ multiplications and
//! additions of `f32` a second), an iteration in which few rows move takes 1.0 ms for a
//! million rows of 3 columns and 8 clusters, where reading takes 0.5 ms; 4 ms for 16
//! columns and 10 clusters, where the arithmetic alone takes 2.1 ms and so does reading the
//! tiles; 8 ms for 200,000 rows of 64 columns and 50 clusters (7 ms of arithmetic); 56 ms
//! for a million rows of 8 columns and 500 clusters if all are compared (44 ms). Boxes
//! spare most of that: of 500 clusters in 3 columns a row is compared with 4, and an
//! iteration takes 3 ms instead of 31. To bring rows into order takes as long as some
//! twenty iterations with 50 clusters. Beside the iterations, a fit takes some ten
//! milliseconds to copy the rows into fresh memory.

mod bounds;
mod candidates;
mod config;
mod fit;
mod init;
mod joint;
mod label;
mod lloyd;
mod means;
mod minibatch;
mod model;
mod nearest;
mod parts;
mod place;
mod predict;
mod prepared;
mod rows;
mod scalable;
mod scan;
mod sieve;
mod sums;
mod tiles;
mod trial;

pub use self::config::{Algorithm, KMeans, KMeansResult};
pub use self::init::Init;
pub use self::minibatch::{MiniBatchKMeans, MiniBatchState};
pub use self::model::{KMeansModel, KMeansRepr};
pub use self::parts::{Coreset, CoresetPlan, KMeansStep, Moments, StepResult, hash_id};
