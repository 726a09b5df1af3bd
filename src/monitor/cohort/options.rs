//! What cohorts are made of.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::history::{Occasion, RefundPolicy, ZeroValue};
use crate::monitor::Period;
use crate::monitor::time_to_nth::days_or_rows;

/// A stretch of periods since the first purchase: 1 to 3, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "two ends and nothing else")]
pub struct Bracket {
    /// The first period.
    pub from: u32,
    /// The last period, which belongs to it.
    pub to: u32,
}

/// How cohorts are formed and what they are watched for.
///
/// ```
/// use segmenta::data::Weekday;
/// use segmenta::monitor::{CohortOptions, Period};
///
/// let options = CohortOptions::new(Period::Week { first: Weekday::Monday })
///     .bracket(1, 4)
///     .bracket(5, 12);
/// assert!(options.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CohortOptions {
    period: Period,
    occasion: Occasion,
    refunds: RefundPolicy,
    zero_value: ZeroValue,
    brackets: Vec<Bracket>,
}

/// Brackets that can be told apart by the bits of a number.
const MOST_BRACKETS: usize = 64;

impl CohortOptions {
    /// Cohorts by the period of the first purchase. The purchases of a day are one, refunds
    /// are netted, zero-value rows are purchases, and there are no brackets.
    #[must_use]
    pub fn new(period: Period) -> CohortOptions {
        CohortOptions {
            period,
            occasion: Occasion::default(),
            refunds: RefundPolicy::default(),
            zero_value: ZeroValue::default(),
            brackets: Vec::new(),
        }
    }

    /// What is counted as one purchase: days or rows. Who is active does not depend on it.
    #[must_use]
    pub fn occasion(mut self, occasion: Occasion) -> CohortOptions {
        self.occasion = occasion;
        self
    }

    /// What happens to negative amounts. They never make a customer active.
    #[must_use]
    pub fn refunds(mut self, refunds: RefundPolicy) -> CohortOptions {
        self.refunds = refunds;
        self
    }

    /// What happens to amounts of 0.
    #[must_use]
    pub fn zero_value(mut self, zero_value: ZeroValue) -> CohortOptions {
        self.zero_value = zero_value;
        self
    }

    /// Adds a bracket for bracket retention: the periods `from` to `to` since the first
    /// purchase, both included. Brackets may overlap; there may be 64.
    #[must_use]
    pub fn bracket(mut self, from: u32, to: u32) -> CohortOptions {
        self.brackets.push(Bracket { from, to });
        self
    }

    /// All checks.
    ///
    /// # Errors
    /// When occasions are orders (pass one row an order, with [`Occasion::Rows`]), weeks or
    /// months, a bracket
    /// ends before it begins, or there are more than 64.
    pub fn validate(&self) -> Result<()> {
        days_or_rows(self.occasion)?;
        if self.brackets.len() > MOST_BRACKETS {
            let expected = format!("at most {MOST_BRACKETS}");
            return Err(Error::parameter("brackets", expected, self.brackets.len()));
        }
        match self.brackets.iter().find(|bracket| bracket.from > bracket.to) {
            Some(Bracket { from, to }) => {
                let found = format!("{from} to {to}");
                Err(Error::parameter("bracket", "a period to a later one", found))
            }
            None => Ok(()),
        }
    }

    /// The periods.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// The brackets, as they were added.
    #[must_use]
    pub fn brackets(&self) -> &[Bracket] {
        &self.brackets
    }

    pub(super) fn get_occasion(&self) -> Occasion {
        self.occasion
    }

    pub(super) fn get_refunds(&self) -> RefundPolicy {
        self.refunds
    }

    pub(super) fn get_zero_value(&self) -> ZeroValue {
        self.zero_value
    }
}
