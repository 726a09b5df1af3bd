//! Is it more than chance? Statistics of shares: intervals, tests, effects.
//!
//! A [`Proportion`] is how many of how many did something. [`wilson_interval`] says
//! where its true share may lie, [`newcombe_interval`] how far two shares may be apart,
//! [`two_proportion_test`] and [`chi_squared_test`] whether shares differ at all, and
//! [`minimum_detectable_effect`] what difference two groups could have shown.
//! [`uplift_by_segment`] puts these together for an experiment with a control group in
//! each segment. Several tests at once are corrected by [`holm`], [`benjamini_hochberg`]
//! and their kin. [`population_stability_index`] says how far a distribution has moved.
//!
//! Everything here is computed from counts, which are gathered in parts and added up.
//! Intervals and tests rest on large numbers, and say where these are not large.
//!
//! ```
//! use segmenta::inference::{Proportion, newcombe_interval, two_proportion_test};
//!
//! let mailed = Proportion::new(56, 70)?;
//! let held_out = Proportion::new(48, 80)?;
//! let difference = newcombe_interval(&mailed, &held_out, 0.95)?;
//! assert_eq!(format!("{difference:.3}"), "0.052 to 0.334");
//! assert!(two_proportion_test(&mailed, &held_out)?.p_value < 0.01);
//! # Ok::<(), segmenta::Error>(())
//! ```

mod adjust;
mod chi_squared;
mod effect;
mod interval;
mod normal;
mod proportion;
mod stability;
mod uplift;
mod z_test;

pub(crate) use self::adjust::holm_of;
pub use self::adjust::{benjamini_hochberg, benjamini_yekutieli, bonferroni, holm};
pub(crate) use self::chi_squared::pearson;
pub use self::chi_squared::{ChiSquaredTest, chi_squared_test};
pub use self::effect::minimum_detectable_effect;
pub use self::interval::{Interval, newcombe_interval, wilson_interval};
pub(crate) use self::normal::chi_squared_tail;
pub use self::proportion::Proportion;
pub use self::stability::{
    EmptyCells, Shift, StabilityIndex, population_stability_index,
};
pub use self::uplift::{
    Correction, SegmentTrial, SegmentUplift, UpliftOptions, UpliftTable, Verdict,
    uplift_by_segment,
};
pub use self::z_test::{TwoProportionTest, two_proportion_test};
