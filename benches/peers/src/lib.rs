//! The calls that are measured: those of segmenta, and those of its peers in Rust.

pub mod arrays;
pub mod events;
pub mod kernels;
pub mod lifetime;
pub mod measure;
pub mod peers;
pub mod rfm;
pub mod rules;
pub mod tasks;
pub mod versions;

/// Any error; a measurement that fails ends the program.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
