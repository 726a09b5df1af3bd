//! From purchase histories to what customers will buy.
//!
//! [`PurchaseHistories`] are what the models read of each customer: how many repeat
//! purchases, until when, seen for how long. [`BgNbd`], [`MbgNbd`], [`ParetoNbd`], [`MbgCnbd`] for
//! customers who buy regularly, and the null model [`Nbd`] are estimated from them by maximum likelihood, with a report that says
//! whether the data tell enough ([`Identifiability`]); all of them are
//! [`PurchaseModel`]s.

mod alive_path;
mod beta_binomial;
mod bg;
mod bg_bb;
mod bg_many;
mod bg_nbd;
mod bootstrap;
mod calibration;
mod choice;
mod churn;
mod churn_by_segment;
mod columns;
mod covariates;
mod curvature;
mod distinct;
mod estimate;
mod euler;
mod gamma_gamma;
mod geometric;
mod histories;
mod history;
mod integrate;
mod maximise;
mod mbg_cnbd;
mod mbg_nbd;
mod model;
mod nbd;
mod pareto;
mod pareto_nbd;
mod process;
mod rates;
mod regular;
mod regularity;
mod report;
mod rows;
mod saved;
mod segment_values;
mod shifted_beta_geometric;
mod silence;
mod special;
mod spend;
mod tier_model;
mod tiers;
mod value;

pub use self::alive_path::{AlivePoint, probability_alive_path};
pub use self::beta_binomial::BetaBinomial;
pub use self::bg_bb::{BgBb, OpportunityHistory};
pub use self::bg_nbd::BgNbd;
pub use self::bootstrap::Bootstrap;
pub use self::calibration::{
    CalibrationRow, FrequencyRow, IndependenceCheck, calibration_by_frequency,
    calibration_of_frequencies, expected_cumulative_purchases, independence_check,
};
pub use self::choice::{AnyPurchaseModel, ModelComparison, PurchaseModelKind};
pub use self::churn::{
    ChurnReport, ChurnScore, ChurnScorer, Decile, Ranking, area_under_curve,
};
pub use self::churn_by_segment::{ChurnBySegment, SegmentChurn};
pub use self::columns::{lifetime_table, spend_histories};
pub use self::covariates::CovariateModel;
pub use self::estimate::EstimationOptions;
pub use self::gamma_gamma::GammaGamma;
pub use self::geometric::Geometric;
pub use self::histories::PurchaseHistories;
pub use self::history::PurchaseHistory;
pub use self::mbg_cnbd::MbgCnbd;
pub use self::mbg_nbd::MbgNbd;
pub use self::model::PurchaseModel;
pub use self::nbd::Nbd;
pub use self::pareto_nbd::ParetoNbd;
pub use self::regularity::Regularity;
pub use self::report::{Estimated, EstimationReport, Identifiability, ParameterEstimate};
pub use self::saved::SaveModel;
pub use self::segment_values::{SegmentValue, SegmentValues};
pub use self::shifted_beta_geometric::ShiftedBetaGeometric;
pub use self::spend::SpendHistory;
pub use self::tier_model::{LifetimeTierModel, LifetimeTierRepr, Measure};
pub use self::tiers::{LifetimeTiers, ShareOf};
pub use self::value::LifetimeValue;
