//! What customers did after a day up to which a model knows them.

use serde::{Deserialize, Serialize};

use super::chunks::{Chunks, Order, Row};
use super::customers::{fit, map_customers};
use super::ledger::Keys;
use super::occasions::Occasions;
use super::summary::{CustomerSummary, Summary};
use crate::data::{CustomerId, Date};
use crate::error::{Error, Result};

/// What in a [`Holdout`] is not told of its customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldoutReport {
    /// Customers whose first purchase lies in the hold-out: no model of the calibration
    /// knows them, so they are not among the customers.
    pub new_customers: u64,
    /// The purchases of these.
    pub new_customer_purchases: u64,
    /// Customers with refunds but no purchase in either period.
    pub customers_without_purchase: u64,
    /// Kept transactions after the end of the hold-out, left out.
    pub rows_after_end: u64,
}

/// Customers as they were at the end of a calibration, and what they did in the hold-out
/// that follows it; made by [`Ledger::holdout`](super::Ledger::holdout).
///
/// Purchases are the same occasions in both periods: those of the hold-out are those of
/// both periods together less those of the calibration. So a line that is added to an
/// order of the calibration is no new purchase; nor is one in a week, where weeks are
/// occasions, in whose part before the end there was a purchase already.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::{Ledger, LedgerOptions};
///
/// let mut ledger = Ledger::new(LedgerOptions::new())?;
/// for (month, day, cents) in [(3, 1, 10_00), (4, 2, 20_00), (7, 6, 8_00), (7, 6, 4_00)] {
///     ledger.add("ann", Date::from_ymd(2024, month, day)?, cents)?;
/// }
/// ledger.add("bob", Date::from_ymd(2024, 8, 1)?, 5_00)?; // not known in June
///
/// let ends = [Date::from_ymd(2024, 6, 30)?, Date::from_ymd(2024, 9, 30)?];
/// let holdout = ledger.holdout(ends[0], ends[1])?;
/// assert_eq!((holdout.len(), holdout.days()), (1, 92));
/// let ann = holdout.get(0).unwrap();
/// assert_eq!(ann.calibration().repeat_frequency(), 1);
/// assert_eq!((ann.purchases(), ann.money_minor()), (1, 12_00));
/// assert_eq!(ann.next_purchase(), Some(Date::from_ymd(2024, 7, 6)?));
/// assert_eq!(holdout.report().new_customers, 1);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Holdout {
    calibration: Summary,
    end: Date,
    futures: Vec<Future>,
    report: HoldoutReport,
}

/// What a known customer did.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Future {
    purchases: u64,
    money: i64,
    spend: i64,
    /// The day of the next purchase, if there is one.
    next: Option<Date>,
}

/// Known customers have a future, the others only a number of purchases.
enum Seen {
    Before(Future),
    After(u64),
}

/// Splits the rows, whose customers up to the end of the calibration are those of the
/// summary.
pub(super) fn hold_out<O: Order>(
    rows: &Chunks<O>,
    occasions: &impl Occasions<O>,
    keys: &Keys,
    calibration: Summary,
    end: Date,
) -> Result<Holdout> {
    let last = calibration.as_of().days_since_epoch();
    let seen = map_customers(rows, end, keys, |rows| {
        see(rows, occasions, last, keys).map(Some)
    })?;
    let mut report = HoldoutReport {
        rows_after_end: rows.iter().filter(|r| r.day > end.days_since_epoch()).count()
            as u64,
        ..HoldoutReport::default()
    };
    let mut futures = Vec::with_capacity(calibration.len());
    for (_, seen) in seen {
        match seen {
            Seen::Before(future) => futures.push(future),
            Seen::After(0) => report.customers_without_purchase += 1,
            Seen::After(purchases) => {
                report.new_customers += 1;
                report.new_customer_purchases += purchases;
            }
        }
    }
    Ok(Holdout { calibration, end, futures, report })
}

/// One customer's sorted rows.
fn see<O>(
    rows: &[Row<O>],
    occasions: &impl Occasions<O>,
    last: i32,
    keys: &Keys,
) -> Result<Seen> {
    let key = rows[0].customer;
    let (mut known, mut purchases, mut next) = (false, 0, None);
    let (mut money, mut spend) = (0_i128, 0_i128);
    for rows in rows.chunk_by(|a, b| occasions.same(a, b)) {
        let late = rows.iter().filter(|row| row.day > last);
        money += late.map(|row| i128::from(row.amount)).sum::<i128>();
        // Within an occasion rows come in the order of their days.
        match rows.iter().find(|row| row.amount >= 0).map(|row| row.day) {
            Some(day) if day > last => {
                purchases += 1;
                next = Some(next.map_or(day, |next: i32| next.min(day)));
                spend += rows.iter().map(|row| i128::from(row.amount)).sum::<i128>();
            }
            Some(_) => known = true,
            None => {}
        }
    }
    if !known {
        return Ok(Seen::After(purchases));
    }
    Ok(Seen::Before(Future {
        purchases,
        money: fit("money in the hold-out", money, key, keys)?,
        spend: fit("money of the purchases in the hold-out", spend, key, keys)?,
        next: next.map(Date::of_checked),
    }))
}

impl Holdout {
    /// The calibration: what a model may know. Its customers are those of the hold-out,
    /// in the same order.
    #[must_use]
    pub fn calibration(&self) -> &Summary {
        &self.calibration
    }

    /// The last day of the hold-out, which begins on the day after the calibration's.
    #[must_use]
    pub fn end(&self) -> Date {
        self.end
    }

    /// How many days the hold-out has, above 0.
    #[must_use]
    pub fn days(&self) -> i32 {
        self.calibration.as_of().days_until(self.end)
    }

    /// What was counted and is not told of the customers.
    #[must_use]
    pub fn report(&self) -> &HoldoutReport {
        &self.report
    }

    /// How many customers there are: those of the calibration.
    #[must_use]
    pub fn len(&self) -> usize {
        self.futures.len()
    }

    /// True when there is no customer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.futures.is_empty()
    }

    /// The customer at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<HoldoutCustomer<'_>> {
        let future = *self.futures.get(position)?;
        Some(HoldoutCustomer { before: self.calibration.get(position)?, future })
    }

    /// The customers in the order of the calibration.
    pub fn iter(&self) -> impl Iterator<Item = HoldoutCustomer<'_>> {
        (0..self.len()).filter_map(|position| self.get(position))
    }
}

/// One customer of a [`Holdout`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HoldoutCustomer<'h> {
    before: CustomerSummary<'h>,
    future: Future,
}

impl<'h> HoldoutCustomer<'h> {
    /// Who it is.
    #[must_use]
    pub fn id(&self) -> CustomerId<'h> {
        self.before.id()
    }

    /// The customer at the end of the calibration.
    #[must_use]
    pub fn calibration(&self) -> CustomerSummary<'h> {
        self.before
    }

    /// How many purchases there were in the hold-out. All are repeat purchases.
    #[must_use]
    pub fn purchases(&self) -> u64 {
        self.future.purchases
    }

    /// All amounts of the hold-out's days together in minor units: with refunds, where
    /// they are netted, of what was bought before, and lines added to earlier orders.
    #[must_use]
    pub fn money_minor(&self) -> i64 {
        self.future.money
    }

    /// The money of the hold-out's purchases in minor units, refunds within them
    /// included; see [`CustomerSummary`] for what belongs to a purchase.
    #[must_use]
    pub fn purchases_minor(&self) -> i64 {
        self.future.spend
    }

    /// The mean money of a purchase in the hold-out in major units: of a purchase as in
    /// the calibration, never of a row. `None` where there is none.
    #[must_use]
    pub fn mean_spend(&self) -> Option<f64> {
        let Future { purchases, spend, .. } = self.future;
        let minor = purchases as f64 * self.before.minor_per_major();
        (purchases > 0).then(|| spend as f64 / minor)
    }

    /// The day of the first purchase in the hold-out.
    #[must_use]
    pub fn next_purchase(&self) -> Option<Date> {
        self.future.next
    }
}

/// The error for a hold-out that does not follow the calibration.
pub(super) fn check_ends(calibration_end: Date, observation_end: Date) -> Result<()> {
    if observation_end <= calibration_end {
        let expected = format!("after {calibration_end}, the end of the calibration");
        return Err(Error::parameter("observation_end", expected, observation_end));
    }
    Ok(())
}
