//! Lifetime models: published and independent values, properties, hostile input.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alive_path;
mod bootstrap;
mod churn_by_segment;
mod corners;
mod data;
mod evaluated;
mod golden;
mod hostile;
mod judged;
mod null_models;
mod properties;
mod real;
mod regular;
mod saved;
mod segments;
mod tiers;
