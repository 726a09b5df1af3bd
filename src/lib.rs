//! Customer segmentation that a host can link, explain and trust.
//!
//! # The map
//!
//! A host describes its record type once, with a [`FeatureSet`](data::FeatureSet): that
//! gives a [`Schema`](data::Schema), views a record as a [`Customer`](data::Customer), and
//! copies many into a [`Table`](data::Table). A configuration such as
//! [`KMeans`](cluster::kmeans::KMeans), [`Hierarchical`](cluster::hierarchical::Hierarchical)
//! or [`Rfm`](rfm::Rfm) is a [`Fit`]: it learns a model from a table. A
//! [`RuleSegmenter`](rules::RuleSegmenter) needs no fit. All models are [`Segmenter`]s:
//! they assign a customer to a [`Segment`](segmenter::Segment), give an
//! [`Explanation`](segmenter::Explanation), and work as `Box<dyn Segmenter>`.
//!
//! ```text
//! records ── FeatureSet ──▶ Table ── Fit::fit ──▶ Segmenter ── assign ──▶ Assignment
//!    │                        ▲                       │     ── explain ─▶ Explanation
//!    └── history: purchases ──┘                       ▼
//!           │                      metrics: is it good?   profile: who are they?
//!           ├─▶ lifetime: what will they buy?   privacy: may we?
//!           └─▶ monitor: how do they stay?   inference: is it chance?
//! ```
//!
//! ```
//! use segmenta::cluster::kmeans::KMeans;
//! use segmenta::data::FeatureSet;
//! use segmenta::{Fit, Segmenter, SegmenterExt};
//!
//! struct Shopper { id: u64, orders: u32, spend: f64 }
//!
//! let shop: Vec<Shopper> = (0..60)
//!     .map(|id| {
//!         let regular = id % 2;
//!         Shopper { id, orders: 1 + 9 * regular as u32, spend: (20 + 300 * regular + id) as f64 }
//!     })
//!     .collect();
//! let features = FeatureSet::<Shopper>::builder()
//!     .id(|s| s.id.into())
//!     .number("orders", |s: &Shopper| s.orders)
//!     .number("spend", |s: &Shopper| s.spend)
//!     .build()?;
//!
//! let fitted = KMeans::new(2).seed(1).fit(&features.table(&shop)?)?;
//! assert!(fitted.report().converged);
//! let model: Box<dyn Segmenter> = Box::new(fitted.into_model());
//!
//! let ann = Shopper { id: 99, orders: 9, spend: 310.0 };
//! let assignment = model.assign(&features.view(&ann))?;
//! assert_eq!(assignment.segment(), model.assign(&features.view(&shop[1]))?.segment());
//! println!("{}", model.explain(&features.view(&ann))?);
//! # Ok::<(), segmenta::Error>(())
//! ```
//!
//! # Two speeds
//!
//! | call | allocates | for |
//! |---|---|---|
//! | [`SegmenterExt::assign`] | a scratch | convenience |
//! | [`Segmenter::assign_with`] | nothing once the scratch has grown | a loop over customers |
//! | [`Segmenter::assign_table`] | a little for each block of rows | many customers at once |
//! | `assign_row` and `score` of the models | nothing | numbers that are at hand: encoded rows, RFM values |
//!
//! # Guarantees
//!
//! 1. No I/O, clock, environment, printing or threads of its own. Days, seeds and rows
//!    come from the host.
//! 2. The same inputs and seed give the same bits, on any number of threads.
//! 3. Missing values are [`Value::Missing`](data::Value::Missing) and nothing else; NaN and
//!    infinities are errors that name the feature and the row.
//! 4. Errors, never panics: one [`Error`], with a [kind](ErrorKind) that can be matched.
//! 5. Saved models are versioned and validated; hostile bytes get an error.
//! 6. An explanation is the computation: clauses, scores, or contributions that sum to
//!    the cost and to the margin but for rounding.
//!
//! The bits are those of one target and one version of this crate. Between targets they
//! agree up to functions of the mathematical library such as `ln`.
//!
//! # Features
//!
//! None is on by default.
//!
//! - **`rayon`**: work on tables runs in the thread pool that the host installed. Results
//!   do not change. For hosts with many customers; it costs the dependency.
//! - **`chrono`**, **`time`**, **`jiff`**: [`Date`](data::Date) converts from and to the
//!   dates of that crate; the time zones of `jiff` become a [`Zone`](data::Zone).
//! - **`testing`**: the conformance kit (`segmenta::testing`) for authors of segmenters:
//!   `Segmenter`, `Fit` and `Persist` as tests. For dev-dependencies.
//!
//! # What it does not do
//!
//! It trains no neural networks, analyses no text and draws no pictures. Density clustering is
//! not there. Hierarchical clusterings are stated to be transductive: a training row's label and its later
//! assignment may differ, and the model says for which share. Numbers
//! are `f64`, but for [`fit_matrix_f32`](cluster::kmeans::KMeans::fit_matrix_f32).

mod bitplanes;
pub mod cluster;
pub mod data;
mod distance;
pub mod encode;
pub mod error;
mod exact;
mod fnv;
pub mod history;
pub mod inference;
pub mod lifetime;
pub mod metrics;
pub mod monitor;
mod panels;
mod parallel;
pub mod privacy;
pub mod profile;
mod quantile;
mod random;
mod registry;
pub mod rfm;
pub mod rules;
pub mod score;
pub mod segmenter;
mod simd;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, ErrorKind, Result};
pub use ndarray;
pub use registry::registry;
pub use segmenter::{Fit, FitBoxed, Segmenter, SegmenterExt};

/// The programs of the README, compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
