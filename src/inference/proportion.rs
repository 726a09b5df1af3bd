//! How many of how many.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How many of a number of customers did something: bought, opened, stayed.
///
/// Nobody of nobody is a proportion too, one without a share; parts are added up with
/// [`merge`](Proportion::merge).
///
/// ```
/// use segmenta::inference::Proportion;
///
/// let mut bought = Proportion::new(15, 148)?;
/// bought.merge(&Proportion::new(66, 115)?)?;
/// assert_eq!(bought.to_string(), "81 of 263");
/// assert_eq!(bought.share(), Some(81.0 / 263.0));
/// assert_eq!(Proportion::new(0, 0)?.share(), None);
/// assert_eq!(
///     Proportion::new(11, 10).unwrap_err().to_string(),
///     "parameter `successes` must be at most 10, as many as there are, but is 11",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Repr")]
pub struct Proportion {
    successes: u64,
    n: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repr {
    successes: u64,
    n: u64,
}

impl TryFrom<Repr> for Proportion {
    type Error = Error;

    fn try_from(repr: Repr) -> Result<Proportion> {
        Proportion::new(repr.successes, repr.n)
    }
}

impl Proportion {
    /// `successes` of `n`.
    ///
    /// # Errors
    /// When there are more successes than `n`.
    pub fn new(successes: u64, n: u64) -> Result<Proportion> {
        if successes > n {
            let expected = format!("at most {n}, as many as there are");
            return Err(Error::parameter("successes", expected, successes));
        }
        Ok(Proportion { successes, n })
    }

    /// How many did it.
    #[must_use]
    pub const fn successes(&self) -> u64 {
        self.successes
    }

    /// How many did not.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.n - self.successes
    }

    /// How many there are.
    #[must_use]
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// The share, 0 to 1; `None` when there is nobody.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.n > 0).then(|| self.successes as f64 / self.n as f64)
    }

    /// Adds the counts of other customers.
    ///
    /// # Errors
    /// When there are more than 2^64 customers; nothing is added then.
    pub fn merge(&mut self, other: &Proportion) -> Result<()> {
        let Some(n) = self.n.checked_add(other.n) else {
            return Err(Error::parameter("n", "below 2^64 in all", "more"));
        };
        // No more than n, and so no overflow.
        *self = Proportion { successes: self.successes + other.successes, n };
        Ok(())
    }

    /// The share, or the error that there is none.
    pub(super) fn require_share(&self, what: &'static str) -> Result<f64> {
        self.share().ok_or_else(|| Error::undefined(what, "there is nobody in the group"))
    }
}

impl fmt::Display for Proportion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.successes, self.n)
    }
}
