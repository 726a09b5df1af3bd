//! Customers by when they came, and how many of them come again.

mod collect;
mod options;
mod saved;
mod table;
mod tally;

pub use self::collect::Cohorts;
pub use self::options::{Bracket, CohortOptions};
pub use self::table::{
    Cohort, CohortCell, CohortReport, CohortTable, CurvePoint, Retention,
};
