//! How do customers stay, leave and return?
//!
//! [`Cohorts`] are customers by the period of their first purchase, with how many of them
//! come again and what they have spent since. [`lifecycle`] says who is new, current, at risk,
//! dormant and resurrected, and how they move. [`active_customers`], [`stickiness`] and
//! [`engagement`] say how often, how widely and how lately they are active.
//!
//! How long something takes that has not happened to everybody yet is a curve of survival,
//! [`KaplanMeier`]; [`log_rank_test`] tells whether groups differ in it, and
//! [`times_to_nth_purchase`] gives the durations up to the second purchase or a later one.
//!
//! Between which segments customers move is a [`TransitionMatrix`];
//! [`MigrationDecomposition`] tells what of it is new cut points only.
//!
//! All of it reads slices: customers, days (counted from 1970-01-01, as
//! [`Date::days_since_epoch`](crate::data::Date::days_since_epoch) gives them), amounts in
//! minor units. Rows come in any order. What is counted merges exactly over parts of the
//! customers, and a period that was not observed, or not to its end, is told from one in which
//! nobody came.
//!
//! ```
//! use segmenta::data::Date;
//! use segmenta::history::Occasion;
//! use segmenta::monitor::{CohortOptions, Cohorts, Period, Retention, times_to_nth_purchase};
//!
//! let customers = [1_u64, 2, 3, 1, 2, 3];
//! let days = [0, 9, 33, 40, 70, 75];
//! let until = Date::from_ymd(1970, 3, 31)?; // day 89
//!
//! let mut cohorts = Cohorts::new(CohortOptions::new(Period::Month))?;
//! cohorts.add(&customers, &days, &[10_00, 5_00, 8_00, 10_00, 7_00, 3_00])?;
//! let table = cohorts.table(until)?;
//! let curve = table.retention_curve(Retention::Classic, true);
//! assert_eq!((curve[1].customers, curve[1].retained), (3, 2));
//!
//! let second = times_to_nth_purchase(&customers, &days, 2, Occasion::Days, until)?;
//! assert_eq!(second.survival()?.median(), Some(42.0));
//! # Ok::<(), segmenta::Error>(())
//! ```

mod activity;
mod cohort;
mod durations;
mod engagement;
mod lifecycle;
mod log_rank;
mod migration;
mod period;
mod positive_definite;
mod survival;
mod time_to_nth;

pub use self::cohort::{
    Bracket, Cohort, CohortCell, CohortOptions, CohortReport, CohortTable, Cohorts,
    CurvePoint, Retention,
};
pub use self::engagement::{
    ActiveDay, CustomerEngagement, Engagement, EngagementOptions, Stickiness,
    active_customers, engagement, stickiness,
};
pub use self::lifecycle::{
    Lifecycle, LifecycleOptions, LifecyclePeriod, LifecycleState, Moves, lifecycle,
};
pub use self::log_rank::{
    GroupEvents, LogRankPair, LogRankTest, LogRankWeights, log_rank_test,
    pairwise_log_rank_tests,
};
pub use self::migration::{
    MigrationDecomposition, MigrationTotals, SegmentChange, TransitionMatrix,
};
pub use self::period::Period;
pub use self::survival::{KaplanMeier, RestrictedMean, SurvivalStep};
pub use self::time_to_nth::{TimesToNth, times_to_nth_purchase};
