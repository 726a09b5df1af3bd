//! What models of spend read: how many purchases, of what mean value.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The purchases of one customer and their mean value. For Gamma-Gamma beside a model of
/// repeat purchases these are the repeat purchases, so that the first one, which often
/// differs, does not count (Fader & Hardie 2013).
///
/// ```
/// use segmenta::lifetime::SpendHistory;
///
/// let ann = SpendHistory::new(2, 22.35)?;
/// assert_eq!(ann.purchases(), 2);
/// assert!(SpendHistory::new(2, -3.0).is_err());
/// assert_eq!(SpendHistory::none().mean_spend(), None);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Pair", into = "Pair")]
pub struct SpendHistory {
    pub(super) purchases: f64,
    pub(super) mean: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    purchases: u64,
    mean_spend: Option<f64>,
}

impl TryFrom<Pair> for SpendHistory {
    type Error = Error;

    fn try_from(pair: Pair) -> Result<SpendHistory> {
        match pair.mean_spend {
            None if pair.purchases == 0 => Ok(SpendHistory::none()),
            None => Err(Error::parameter("mean_spend", "a number", "none")),
            Some(mean) => SpendHistory::new(pair.purchases, mean),
        }
    }
}

impl From<SpendHistory> for Pair {
    fn from(history: SpendHistory) -> Pair {
        Pair { purchases: history.purchases(), mean_spend: history.mean_spend() }
    }
}

impl SpendHistory {
    /// So many purchases of this mean value, in major units of money.
    ///
    /// # Errors
    /// When there is no purchase or more than 2^53, or the mean is not positive and finite:
    /// a customer whose purchases come to nothing has no place in a model of spend.
    pub fn new(purchases: u64, mean_spend: f64) -> Result<SpendHistory> {
        let fault = |expected: &'static str, found: String| {
            Err(ErrorKind::Value { expected: expected.into(), found, row: None }.into())
        };
        if purchases == 0 || purchases > 1 << 53 {
            return fault("a number of purchases from 1 to 2^53", purchases.to_string());
        }
        if !mean_spend.is_finite() {
            return Err(ErrorKind::NonFinite {
                feature: "mean_spend".to_owned(),
                found: mean_spend,
                row: None,
            }
            .into());
        }
        if mean_spend <= 0.0 {
            return fault("a mean spend above 0", mean_spend.to_string());
        }
        Ok(SpendHistory { purchases: purchases as f64, mean: mean_spend })
    }

    /// A customer of whom no purchase is known: what is expected of her is what is expected
    /// of anybody.
    #[must_use]
    pub const fn none() -> SpendHistory {
        SpendHistory { purchases: 0.0, mean: 0.0 }
    }

    /// How many purchases.
    #[must_use]
    pub fn purchases(&self) -> u64 {
        self.purchases as u64
    }

    /// Their mean value, if there are any.
    #[must_use]
    pub fn mean_spend(&self) -> Option<f64> {
        (self.purchases > 0.0).then_some(self.mean)
    }
}
