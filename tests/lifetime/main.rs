//! Lifetime models: published and independent values, properties, hostile input.

mod golden;
mod real;
