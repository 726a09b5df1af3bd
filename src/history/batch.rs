//! Slices of transactions, read block by block.

use std::ops::Range;

use super::options::{LedgerOptions, RefundPolicy, ZeroValue};
use crate::data::Date;
use crate::error::{Error, ErrorKind, Result};
use crate::simd::{self, Arithmetic, Kernel};

/// The largest amount in major units that is read, in minor units: 2^51. Numbers up to
/// it are rounded by adding 1.5 · 2^52, whose last bit is worth 1.
const LARGEST: f64 = 2_251_799_813_685_248.0;
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Amounts of transactions.
#[derive(Clone, Copy)]
pub(super) enum Amounts<'a> {
    /// In minor units.
    Minor(&'a [i64]),
    /// In major units, and how many minor units make one.
    Major(&'a [f64], f64),
}

impl Amounts<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Amounts::Minor(amounts) => amounts.len(),
            Amounts::Major(amounts, _) => amounts.len(),
        }
    }

    /// The amounts of some rows in minor units, in `buffer` where they had to be
    /// converted.
    fn read<'b>(
        &'b self,
        rows: Range<usize>,
        buffer: &'b mut Vec<i64>,
    ) -> Result<&'b [i64]> {
        match *self {
            Amounts::Minor(amounts) => Ok(&amounts[rows]),
            Amounts::Major(amounts, per_major) => {
                let amounts = &amounts[rows.clone()];
                buffer.resize(amounts.len(), 0);
                if simd::run(ToMinor { amounts, per_major, minor: buffer }) {
                    return Ok(buffer);
                }
                let bad = |&(_, &x): &(usize, &f64)| !fits(x * per_major);
                let first = amounts.iter().enumerate().find(bad);
                Err(first.map_or_else(too_large, |(row, &x)| {
                    refuse(x).at_row(rows.start + row)
                }))
            }
        }
    }
}

fn fits(minor: f64) -> bool {
    minor.abs() <= LARGEST
}

/// The error for an amount that is not finite or too large.
#[cold]
fn refuse(found: f64) -> Error {
    if found.is_finite() {
        let expected = "an amount of at most 2^51 minor units".into();
        ErrorKind::Value { expected, found: found.to_string(), row: None }.into()
    } else {
        let feature = "amount".to_owned();
        ErrorKind::NonFinite { feature, found, row: None }.into()
    }
}

/// Rounds to minor units, halves to even. False when an amount does not fit.
struct ToMinor<'a> {
    amounts: &'a [f64],
    per_major: f64,
    minor: &'a mut [i64],
}

impl Kernel for ToMinor<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> bool {
        let mut all_fit = true;
        for (&x, minor) in self.amounts.iter().zip(self.minor) {
            let scaled = x * self.per_major;
            all_fit &= fits(scaled);
            let bits = (scaled + ROUNDER).to_bits() as i64;
            *minor = bits.wrapping_sub(ROUNDER.to_bits() as i64);
        }
        all_fit
    }
}

/// Which rows are kept.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    refunds: RefundPolicy,
    zero_value: ZeroValue,
}

impl Rules {
    pub(super) fn of(options: &LedgerOptions) -> Rules {
        Rules { refunds: options.get_refunds(), zero_value: options.get_zero_value() }
    }

    fn keeps(self, amount: i64) -> bool {
        (amount >= 0 || self.refunds == RefundPolicy::Net)
            && (amount != 0 || self.zero_value == ZeroValue::Keep)
    }
}

/// What is known of some rows together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Facts {
    pub(super) refunds: u64,
    pub(super) zero_rows: u64,
    /// The sum of the absolute amounts of kept rows.
    pub(super) gross: u128,
    /// The days of kept rows; empty when there is none.
    pub(super) min_day: i32,
    pub(super) max_day: i32,
    /// The amounts of kept rows; empty when there is none.
    pub(super) min_amount: i64,
    pub(super) max_amount: i64,
}

/// No rows.
impl Default for Facts {
    fn default() -> Facts {
        Facts {
            refunds: 0,
            zero_rows: 0,
            gross: 0,
            min_day: i32::MAX,
            max_day: i32::MIN,
            min_amount: i64::MAX,
            max_amount: i64::MIN,
        }
    }
}

impl Facts {
    pub(super) fn join(self, other: &Facts) -> Facts {
        Facts {
            refunds: self.refunds + other.refunds,
            zero_rows: self.zero_rows + other.zero_rows,
            gross: self.gross.saturating_add(other.gross),
            min_day: self.min_day.min(other.min_day),
            max_day: self.max_day.max(other.max_day),
            min_amount: self.min_amount.min(other.min_amount),
            max_amount: self.max_amount.max(other.max_amount),
        }
    }
}

/// Counts and extremes of rows, all of which are kept.
struct Look<'a> {
    days: &'a [i32],
    amounts: &'a [i64],
}

impl Kernel for Look<'_> {
    type Output = Facts;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Facts {
        let mut facts = Facts::default();
        for &day in self.days {
            facts.min_day = facts.min_day.min(day);
            facts.max_day = facts.max_day.max(day);
        }
        for &amount in self.amounts {
            facts.refunds += u64::from(amount < 0);
            facts.zero_rows += u64::from(amount == 0);
            facts.min_amount = facts.min_amount.min(amount);
            facts.max_amount = facts.max_amount.max(amount);
        }
        let largest =
            facts.min_amount.unsigned_abs().max(facts.max_amount.unsigned_abs());
        let len = self.amounts.len() as u64;
        facts.gross = if len == 0 {
            0
        } else if largest <= u64::MAX / len {
            let sum: u64 = self.amounts.iter().map(|a| a.unsigned_abs()).sum();
            u128::from(sum)
        } else {
            self.amounts.iter().map(|a| u128::from(a.unsigned_abs())).sum()
        };
        facts
    }
}

/// The slices of one call: all of one length.
pub(super) struct Batch<'a, K> {
    pub(super) customers: &'a [K],
    pub(super) days: &'a [i32],
    pub(super) amounts: Amounts<'a>,
    pub(super) rules: Rules,
}

/// Kept rows of a block.
pub(super) struct Kept<'b, K> {
    pub(super) customers: &'b [K],
    pub(super) days: &'b [i32],
    pub(super) amounts: &'b [i64],
    pub(super) facts: Facts,
}

impl<K: Copy> Batch<'_, K> {
    pub(super) fn check_lengths(&self) -> Result<()> {
        let n = self.customers.len();
        if self.days.len() != n {
            return Err(Error::length("the slice of days", n, self.days.len()));
        }
        if self.amounts.len() != n {
            return Err(Error::length("the slice of amounts", n, self.amounts.len()));
        }
        Ok(())
    }

    /// Reads and checks some rows, and shows those that are kept.
    pub(super) fn with_rows(
        &self,
        rows: Range<usize>,
        buffer: &mut Vec<i64>,
        work: impl FnOnce(&Kept<'_, K>),
    ) -> Result<()> {
        let amounts = self.amounts.read(rows.clone(), buffer)?;
        let customers = &self.customers[rows.clone()];
        let days = &self.days[rows.clone()];
        let facts = simd::run(Look { days, amounts });
        let calendar = Date::MIN.days_since_epoch()..=Date::MAX.days_since_epoch();
        let inside =
            calendar.contains(&facts.min_day) && calendar.contains(&facts.max_day);
        if !inside {
            for (row, &day) in days.iter().enumerate() {
                Date::from_days(day).map_err(|e| e.at_row(rows.start + row))?;
            }
        }
        let drops_refunds = facts.refunds > 0 && self.rules.refunds != RefundPolicy::Net;
        let drops_zeros = facts.zero_rows > 0 && self.rules.zero_value == ZeroValue::Drop;
        if !drops_refunds && !drops_zeros {
            work(&Kept { customers, days, amounts, facts });
            return Ok(());
        }
        if drops_refunds
            && self.rules.refunds == RefundPolicy::Reject
            && let Some(row) = amounts.iter().position(|&amount| amount < 0)
        {
            return Err(rejected(amounts[row]).at_row(rows.start + row));
        }
        let kept = || (0..amounts.len()).filter(|&at| self.rules.keeps(amounts[at]));
        let kept_customers: Vec<K> = kept().map(|at| customers[at]).collect();
        let kept_days: Vec<i32> = kept().map(|at| days[at]).collect();
        let kept_amounts: Vec<i64> = kept().map(|at| amounts[at]).collect();
        let left = simd::run(Look { days: &kept_days, amounts: &kept_amounts });
        let (refunds, zero_rows) = (facts.refunds, facts.zero_rows);
        work(&Kept {
            customers: &kept_customers,
            days: &kept_days,
            amounts: &kept_amounts,
            facts: Facts { refunds, zero_rows, ..left },
        });
        Ok(())
    }
}

pub(super) fn rejected(amount: i64) -> Error {
    let expected = "an amount of 0 or more: refunds are rejected".into();
    ErrorKind::Value { expected, found: amount.to_string(), row: None }.into()
}

/// The error for sums that could leave 64 bits.
pub(super) fn too_large() -> Error {
    Error::undefined(
        "the money of the customers",
        "all amounts together, refunds without their sign, do not fit into 64 bits",
    )
}
