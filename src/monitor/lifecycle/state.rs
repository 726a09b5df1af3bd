//! The states of a customer's life.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::monitor::Period;

/// Where a customer stands in a period.
///
/// With g periods since the last active one (0 in an active period), and the thresholds of
/// [`LifecycleOptions`]. Each customer is in exactly one state in each period.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "the states are all there are")]
pub enum LifecycleState {
    /// Before the first active period: a customer who was to come.
    NotYet,
    /// In the first active period.
    New,
    /// Active and not dormant before (retained), or g < `at_risk_after`.
    Current,
    /// `at_risk_after` ≤ g < `dormant_after`.
    AtRisk,
    /// g ≥ `dormant_after`.
    Dormant,
    /// Active, and dormant in the period before.
    Resurrected,
}

/// How many states there are.
pub(super) const N_STATES: usize = 6;

impl LifecycleState {
    /// All states, in their order.
    pub const ALL: [LifecycleState; N_STATES] = [
        LifecycleState::NotYet,
        LifecycleState::New,
        LifecycleState::Current,
        LifecycleState::AtRisk,
        LifecycleState::Dormant,
        LifecycleState::Resurrected,
    ];

    pub(super) fn at(self) -> usize {
        self as usize
    }
}

/// By which periods customers live, and after how many they are given up.
///
/// With both thresholds 1 there is no at risk, and the states are those of product analytics:
/// new, returning, resurrecting, dormant.
///
/// ```
/// use segmenta::monitor::{LifecycleOptions, LifecycleState, Period};
///
/// let options = LifecycleOptions::new(Period::Month).at_risk_after(1).dormant_after(3);
/// // Active in the months 10, 11 and 15.
/// let state = |at| options.state(&[10, 11, 15], at).unwrap();
/// let states: Vec<LifecycleState> = (9..=16).map(state).collect();
/// use LifecycleState::{AtRisk, Current, Dormant, New, NotYet, Resurrected};
/// assert_eq!(states, [NotYet, New, Current, AtRisk, AtRisk, Dormant, Resurrected, AtRisk]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifecycleOptions {
    pub(super) period: Period,
    pub(super) at_risk_after: u32,
    pub(super) dormant_after: u32,
}

impl LifecycleOptions {
    /// At risk after 1 period without activity, dormant after 3.
    #[must_use]
    pub fn new(period: Period) -> LifecycleOptions {
        LifecycleOptions { period, at_risk_after: 1, dormant_after: 3 }
    }

    /// After how many periods without activity a customer is at risk: 1 or more.
    #[must_use]
    pub fn at_risk_after(mut self, periods: u32) -> LifecycleOptions {
        self.at_risk_after = periods;
        self
    }

    /// After how many periods without activity a customer is dormant: `at_risk_after` or
    /// more. Where both are equal nobody is ever at risk.
    #[must_use]
    pub fn dormant_after(mut self, periods: u32) -> LifecycleOptions {
        self.dormant_after = periods;
        self
    }

    /// All checks.
    ///
    /// # Errors
    /// When a threshold is 0, or customers would be dormant before they are at risk.
    pub fn validate(&self) -> Result<()> {
        if self.at_risk_after == 0 {
            return Err(Error::parameter("at_risk_after", "at least 1", 0));
        }
        if self.dormant_after < self.at_risk_after {
            let expected = format!("at least `at_risk_after`, {}", self.at_risk_after);
            return Err(Error::parameter("dormant_after", expected, self.dormant_after));
        }
        Ok(())
    }

    /// The state in the period `at` of a customer who was active in these periods, which
    /// ascend; those after `at` do not matter. Numbers of periods are those of
    /// [`Period::index`].
    ///
    /// # Errors
    /// When the options are not valid or the periods do not ascend.
    pub fn state(&self, active: &[i32], at: i32) -> Result<LifecycleState> {
        self.validate()?;
        if let Some(place) = active.windows(2).position(|pair| pair[0] >= pair[1]) {
            let found = format!("{} before {}", active[place], active[place + 1]);
            return Err(Error::parameter("active", "periods that ascend", found));
        }
        let so_far = &active[..active.partition_point(|&period| period <= at)];
        let Some((&last, before)) = so_far.split_last() else {
            return Ok(LifecycleState::NotYet);
        };
        Ok(match gap(last, at) {
            0 => self.when_active(before.last().copied(), at),
            idle => self.when_idle(idle),
        })
    }

    /// The state in an active period, given the active one before.
    pub(super) fn when_active(&self, before: Option<i32>, at: i32) -> LifecycleState {
        match before {
            None => LifecycleState::New,
            // Dormant in the period before this one.
            Some(before) if gap(before, at) > u64::from(self.dormant_after) => {
                LifecycleState::Resurrected
            }
            Some(_) => LifecycleState::Current,
        }
    }

    /// The state after some periods without activity, 1 or more.
    pub(super) fn when_idle(&self, idle: u64) -> LifecycleState {
        if idle >= u64::from(self.dormant_after) {
            LifecycleState::Dormant
        } else if idle >= u64::from(self.at_risk_after) {
            LifecycleState::AtRisk
        } else {
            LifecycleState::Current
        }
    }
}

/// Periods from one to a later one.
fn gap(from: i32, to: i32) -> u64 {
    (i64::from(to) - i64::from(from)).unsigned_abs()
}
