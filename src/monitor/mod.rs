//! How do customers stay, leave and return?

mod durations;
mod log_rank;
mod positive_definite;
mod survival;

pub use self::log_rank::{
    GroupEvents, LogRankPair, LogRankTest, LogRankWeights, log_rank_test,
    pairwise_log_rank_tests,
};
pub use self::survival::{KaplanMeier, RestrictedMean, SurvivalStep};
