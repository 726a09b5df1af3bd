//! What purchase models read of one customer: how often, until when, for how long.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// More than any calendar has, in any unit. With parameters up to 1e±30 whatever is computed
/// of such times is finite.
pub(super) const MAX_TIME: f64 = 1e12;

/// What a purchase model knows of one customer: `(x, t_x, T)` of Fader, Hardie & Lee
/// (2005). The first purchase is time 0 and is not counted. Times are in the unit of the
/// model.
///
/// ```
/// use segmenta::lifetime::PurchaseHistory;
///
/// // Two repeat purchases, the last at the age of 30.43 weeks, seen for 38.86 weeks.
/// let ann = PurchaseHistory::new(2, 30.43, 38.86)?;
/// assert_eq!(ann.frequency(), 2);
/// assert!(PurchaseHistory::new(2, 40.0, 38.86).is_err());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Triple", into = "Triple")]
pub struct PurchaseHistory {
    pub(super) frequency: f64,
    pub(super) age_at_last_purchase: f64,
    pub(super) age: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Triple {
    frequency: u64,
    age_at_last_purchase: f64,
    age: f64,
}

impl TryFrom<Triple> for PurchaseHistory {
    type Error = Error;

    fn try_from(triple: Triple) -> Result<PurchaseHistory> {
        PurchaseHistory::new(triple.frequency, triple.age_at_last_purchase, triple.age)
    }
}

impl From<PurchaseHistory> for Triple {
    fn from(history: PurchaseHistory) -> Triple {
        Triple {
            frequency: history.frequency(),
            age_at_last_purchase: history.age_at_last_purchase,
            age: history.age,
        }
    }
}

/// Counts above this are not told apart as `f64`.
const MAX_FREQUENCY: u64 = 1 << 53;

impl PurchaseHistory {
    /// So many repeat purchases, the last of them at this age, seen until that age.
    ///
    /// # Errors
    /// When a time is negative or above 1e12, the last purchase lies after the age, or is
    /// not at 0 where there is no repeat purchase; when there are more than 2^53 purchases.
    pub fn new(
        frequency: u64,
        age_at_last_purchase: f64,
        age: f64,
    ) -> Result<PurchaseHistory> {
        let fault = |expected: String, found: f64| {
            let found = format!("{found:?}");
            Err(ErrorKind::Value { expected: expected.into(), found, row: None }.into())
        };
        for (name, time) in [("age_at_last_purchase", age_at_last_purchase), ("age", age)]
        {
            if !time.is_finite() {
                return Err(ErrorKind::NonFinite {
                    feature: name.to_owned(),
                    found: time,
                    row: None,
                }
                .into());
            }
            if !(0.0..=MAX_TIME).contains(&time) {
                return fault(format!("a value of `{name}` from 0 to 1e12"), time);
            }
        }
        if age_at_last_purchase > age {
            let expected = format!("an `age_at_last_purchase` up to the `age`, {age:?}");
            return fault(expected, age_at_last_purchase);
        }
        if frequency == 0 && age_at_last_purchase != 0.0 {
            let expected =
                "the `age_at_last_purchase` without a repeat purchase, which is 0";
            return fault(expected.to_owned(), age_at_last_purchase);
        }
        if frequency > MAX_FREQUENCY {
            return fault(
                "a number of purchases up to 2^53".to_owned(),
                frequency as f64,
            );
        }
        // No negative zeros, so that equal histories have equal bits.
        Ok(PurchaseHistory {
            frequency: frequency as f64,
            age_at_last_purchase: age_at_last_purchase + 0.0,
            age: age + 0.0,
        })
    }

    /// Someone who has just made the first purchase.
    #[must_use]
    pub const fn new_customer() -> PurchaseHistory {
        PurchaseHistory { frequency: 0.0, age_at_last_purchase: 0.0, age: 0.0 }
    }

    /// Repeat purchases: `x`.
    #[must_use]
    pub fn frequency(&self) -> u64 {
        self.frequency as u64
    }

    /// Time from the first to the last purchase: `t_x`, which the papers call recency.
    #[must_use]
    pub fn age_at_last_purchase(&self) -> f64 {
        self.age_at_last_purchase
    }

    /// Time from the first purchase to the end of the observation: `T`.
    #[must_use]
    pub fn age(&self) -> f64 {
        self.age
    }

    /// Time since the last purchase.
    #[must_use]
    pub fn since_last_purchase(&self) -> f64 {
        self.age - self.age_at_last_purchase
    }
}
