//! How do customers stay, leave and return?

mod activity;
mod cohort;
mod durations;
mod lifecycle;
mod log_rank;
mod period;
mod positive_definite;
mod survival;
mod time_to_nth;

pub use self::cohort::{
    Bracket, Cohort, CohortCell, CohortOptions, CohortReport, CohortTable, Cohorts,
    CurvePoint, Retention,
};
pub use self::lifecycle::{
    Lifecycle, LifecycleOptions, LifecyclePeriod, LifecycleState, Moves, lifecycle,
};
pub use self::log_rank::{
    GroupEvents, LogRankPair, LogRankTest, LogRankWeights, log_rank_test,
    pairwise_log_rank_tests,
};
pub use self::period::Period;
pub use self::survival::{KaplanMeier, RestrictedMean, SurvivalStep};
pub use self::time_to_nth::{TimesToNth, times_to_nth_purchase};
