//! What counts as a purchase.

use serde::{Deserialize, Serialize};

use crate::data::{Basis, FeatureSpec, Schema};
use crate::error::{Error, Result};

/// What is counted as one purchase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Occasion {
    /// A day with at least one purchase; all of a day's purchases are one (Fader, Hardie &
    /// Lee 2005).
    #[default]
    Days,
    /// A week, Monday to Sunday, with at least one purchase. Purchases still lie on their
    /// days: this merges, and does not change the unit of ages.
    Weeks,
    /// A month of the calendar with at least one purchase, likewise.
    Months,
    /// An order id with at least one purchase, whatever its days. Every transaction needs
    /// an order id.
    Orders,
    /// Every row that is no refund, for data in which a row is an order. Where an order
    /// has many lines this counts lines.
    Rows,
}

/// What happens to transactions with a negative amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefundPolicy {
    /// The amount is subtracted from the customer's money; it is never a purchase and
    /// moves neither the first nor the last one.
    #[default]
    Net,
    /// They are left out and counted.
    Drop,
    /// They are an error.
    Reject,
}

/// What happens to transactions with an amount of 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ZeroValue {
    /// They are purchases.
    #[default]
    Keep,
    /// They are left out and counted.
    Drop,
}

/// How a [`Ledger`](super::Ledger) reads transactions. Ledgers with equal options can be
/// merged.
///
/// ```
/// use segmenta::history::{Ledger, LedgerOptions, Occasion, RefundPolicy};
///
/// let options = LedgerOptions::new()
///     .occasion(Occasion::Orders)
///     .refunds(RefundPolicy::Drop)
///     .currency("EUR");
/// let ledger = Ledger::new(options)?;
/// assert!(ledger.is_empty());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerOptions {
    occasion: Occasion,
    refunds: RefundPolicy,
    zero_value: ZeroValue,
    minor_digits: u32,
    currency: Option<String>,
}

impl Default for LedgerOptions {
    fn default() -> LedgerOptions {
        LedgerOptions::new()
    }
}

impl LedgerOptions {
    /// Occasions are days, refunds are netted, zero-value rows are purchases, and 100
    /// minor units are one major unit.
    #[must_use]
    pub fn new() -> LedgerOptions {
        LedgerOptions {
            occasion: Occasion::Days,
            refunds: RefundPolicy::Net,
            zero_value: ZeroValue::Keep,
            minor_digits: 2,
            currency: None,
        }
    }

    /// What is counted as one purchase.
    #[must_use]
    pub fn occasion(mut self, occasion: Occasion) -> LedgerOptions {
        self.occasion = occasion;
        self
    }

    /// What happens to negative amounts.
    #[must_use]
    pub fn refunds(mut self, refunds: RefundPolicy) -> LedgerOptions {
        self.refunds = refunds;
        self
    }

    /// What happens to amounts of 0.
    #[must_use]
    pub fn zero_value(mut self, zero_value: ZeroValue) -> LedgerOptions {
        self.zero_value = zero_value;
        self
    }

    /// Decimal digits of the minor unit, 0 to 9: 2 for cents (the default), 0 for yen
    /// (ISO 4217), 3 for thousandths. It only scales the column `monetary`.
    #[must_use]
    pub fn minor_digits(mut self, digits: u32) -> LedgerOptions {
        self.minor_digits = digits;
        self
    }

    /// The unit of the feature `monetary`. A ledger holds one currency; converting is the
    /// host's.
    #[must_use]
    pub fn currency(mut self, currency: impl Into<String>) -> LedgerOptions {
        self.currency = Some(currency.into());
        self
    }

    /// All checks.
    ///
    /// # Errors
    /// When `minor_digits` is above 9.
    pub fn validate(&self) -> Result<()> {
        if self.minor_digits > 9 {
            return Err(Error::parameter("minor_digits", "0 to 9", self.minor_digits));
        }
        Ok(())
    }

    /// The features of [`Summary::table`](super::Summary::table): `recency` in days since
    /// the last purchase, `frequency` in purchases, `monetary` in major units of money.
    ///
    /// # Errors
    /// When the options are not valid.
    pub fn schema(&self) -> Result<Schema> {
        self.validate()?;
        Schema::new([
            FeatureSpec::number("recency").unit("days").basis(Basis::Behavioural),
            FeatureSpec::number("frequency").unit("purchases").basis(Basis::Behavioural),
            self.money("monetary"),
        ])
    }

    /// A feature of money in major units.
    pub(super) fn money(&self, name: &str) -> FeatureSpec {
        let money = FeatureSpec::number(name).basis(Basis::Value);
        match &self.currency {
            Some(currency) => money.unit(currency.clone()),
            None => money,
        }
    }

    pub(super) fn get_occasion(&self) -> Occasion {
        self.occasion
    }

    pub(super) fn get_refunds(&self) -> RefundPolicy {
        self.refunds
    }

    pub(super) fn get_currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    pub(super) fn get_zero_value(&self) -> ZeroValue {
        self.zero_value
    }

    /// Minor units in one major unit.
    pub(super) fn minor_per_major(&self) -> f64 {
        10_f64.powi(self.minor_digits as i32)
    }
}
