//! From the features of a table to the numbers of a matrix, remembered by the model.
//!
//! An [`Encoder`] says how features become numbers: which ones, on what scale, and what
//! happens to missing values and unknown categories. Fitting it to a table gives a
//! [`FittedEncoder`], which encodes training rows and later customers alike, and travels
//! inside the saved model.
//!
//! | kind | columns | scaled |
//! |---|---|---|
//! | number | 1, after `ln(1 + x)` if asked for | yes |
//! | date | 1, days since 1970-01-01 | yes |
//! | ordinal | 1, position of the level from 0 | yes |
//! | flag | 1: 0 or 1 | no |
//! | category | one for each level: 0 or 1 | no |
//! | tags | one for each level: 0 or 1 | no |

mod config;
mod fitted;
mod learn;

pub use self::config::{Encoder, Impute, Scaling, UnknownLevel};
pub use self::fitted::{EncodedColumn, EncoderRepr, FittedEncoder};
