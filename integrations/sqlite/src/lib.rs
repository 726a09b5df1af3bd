//! Random books of rules, customers and their events, and the tables of a database that hold
//! the same, to ask an engine what the crate answers.

pub mod database;
pub mod random;
pub mod scores;
pub mod tables;
pub mod world;
