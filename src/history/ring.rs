//! The last days of one customer, kept up to date as transactions arrive.

use serde::{Deserialize, Serialize};

use super::daily::Daily;
use super::windows::decayed;
use crate::data::Date;
use crate::error::{Error, Result};

/// The most days that a ring can hold: a hundred years.
const LONGEST: u32 = 36_525;

/// What one customer did on each of her last days, for hosts that keep a small state for
/// each customer instead of her transactions.
///
/// It holds a fixed number of days, up to the newest of which there was a transaction; 16
/// bytes each. Transactions come in any order, late ones included: one of a day before
/// those that are held is only counted. So the ring depends on which transactions there
/// were and on nothing else, and rings of parts [`merge`](ActivityRing::merge) into the
/// ring of all, exactly. All it knows are integers.
///
/// A transaction of a far day in the future drops all days before: the host checks the
/// days that it is given by others.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::ActivityRing;
///
/// let day = |day| Date::from_ymd(2024, 5, day);
/// let mut ring = ActivityRing::new(14)?;
/// ring.record(day(20)?, 10_00)?;
/// assert!(ring.record(day(12)?, 4_00)?); // late
/// assert!(!ring.record(day(3)?, 7_00)?); // too late
/// ring.record(day(20)?, -2_50)?; // a refund is no purchase
///
/// assert_eq!(ring.purchases(7, day(24)?), Some(1));
/// assert_eq!(ring.money_minor(7, day(24)?), Some(7_50));
/// assert_eq!(ring.active_days(14, day(20)?), Some(2));
/// assert_eq!(ring.purchases(30, day(20)?), None); // more than is held
/// assert_eq!(ring.too_late(), 1);
/// assert_eq!(ring.decayed_purchases(4, day(24)?)?, 0.5 + 0.125); // 4 and 12 days old
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SavedRing", into = "SavedRing")]
pub struct ActivityRing {
    /// The newest day with a transaction.
    newest: Option<Date>,
    /// The place of a day is its number modulo the length. Places of days that are not
    /// held are empty.
    days: Vec<Day>,
    too_late: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    purchases: u32,
    refunds: u32,
    money: i64,
}

impl Day {
    fn rows(self) -> u64 {
        u64::from(self.purchases) + u64::from(self.refunds)
    }

    fn join(self, other: Day) -> Option<Day> {
        Some(Day {
            purchases: self.purchases.checked_add(other.purchases)?,
            refunds: self.refunds.checked_add(other.refunds)?,
            money: self.money.checked_add(other.money)?,
        })
    }
}

/// How a ring is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedRing {
    newest: Option<Date>,
    days: Vec<Day>,
    too_late: u64,
}

impl From<ActivityRing> for SavedRing {
    fn from(ring: ActivityRing) -> SavedRing {
        let ActivityRing { newest, days, too_late } = ring;
        SavedRing { newest, days, too_late }
    }
}

impl TryFrom<SavedRing> for ActivityRing {
    type Error = Error;

    fn try_from(saved: SavedRing) -> Result<ActivityRing> {
        let SavedRing { newest, days, too_late } = saved;
        check_length(days.len().try_into().unwrap_or(u32::MAX))?;
        let ring = ActivityRing { newest, days, too_late };
        let bad = |what: &'static str| {
            Error::parameter("a saved activity ring", "what one can become", what)
        };
        if ring.days.iter().any(|day| day.rows() == 0 && day.money != 0) {
            return Err(bad("one with money of no transaction"));
        }
        match newest {
            None if ring.days.iter().any(|day| day.rows() > 0) || too_late > 0 => {
                Err(bad("one with transactions and no newest day"))
            }
            Some(day) if ring.days[ring.place(day.days_since_epoch())].rows() == 0 => {
                Err(bad("one without a transaction on its newest day"))
            }
            _ => Ok(ring),
        }
    }
}

fn check_length(days: u32) -> Result<()> {
    if !(1..=LONGEST).contains(&days) {
        return Err(Error::parameter("days of the ring", "1 to 36525", days));
    }
    Ok(())
}

impl ActivityRing {
    /// An empty ring of so many days.
    ///
    /// # Errors
    /// When it has no day, or more than 36,525.
    pub fn new(days: u32) -> Result<ActivityRing> {
        check_length(days)?;
        let days = vec![Day::default(); days as usize];
        Ok(ActivityRing { newest: None, days, too_late: 0 })
    }

    /// How many days it holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.days.len() as u32
    }

    /// True when there was no transaction.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// The newest day with a transaction.
    #[must_use]
    pub fn newest(&self) -> Option<Date> {
        self.newest
    }

    /// Transactions of days before those that are held: whether they came too late, or
    /// newer ones moved the ring past them.
    #[must_use]
    pub fn too_late(&self) -> u64 {
        self.too_late
    }

    /// Counts a transaction, with an amount in minor units; a negative one is a refund,
    /// which changes the money and is no purchase. False when its day lies before those
    /// that are held.
    ///
    /// # Errors
    /// When the transactions of a day are more than 2^32 − 1, or their money leaves 64
    /// bits. The ring is then unchanged.
    pub fn record(&mut self, day: Date, amount_minor: i64) -> Result<bool> {
        let refund = u32::from(amount_minor < 0);
        let row = Day { purchases: 1 - refund, refunds: refund, money: amount_minor };
        let number = day.days_since_epoch();
        if self.newest.is_some_and(|newest| !self.holds(newest, number)) {
            self.too_late = self.too_late.saturating_add(1);
            return Ok(false);
        }
        let place = self.place(number);
        if self.newest.is_some_and(|newest| day <= newest) {
            let sum = self.days[place].join(row);
            self.days[place] = sum.ok_or_else(|| full(number))?;
        } else {
            self.advance(day);
            self.days[place] = row;
        }
        Ok(true)
    }

    /// Counts all transactions of another ring.
    ///
    /// # Errors
    /// When the rings hold another number of days, or a sum of both leaves its bits. This
    /// ring is then unchanged.
    pub fn merge(&mut self, other: &ActivityRing) -> Result<()> {
        if self.len() != other.len() {
            return Err(Error::parameter(
                "days of the other ring",
                self.len().to_string(),
                other.len(),
            ));
        }
        let Some(newest) = other.newest.max(self.newest) else { return Ok(()) };
        let (mut merged, mut other) = (self.clone(), other.clone());
        merged.advance(newest);
        other.advance(newest);
        for (at, (day, more)) in merged.days.iter_mut().zip(&other.days).enumerate() {
            let number = || other.number_at(newest, at);
            *day = day.join(*more).ok_or_else(|| full(number()))?;
        }
        merged.too_late = merged.too_late.saturating_add(other.too_late);
        *self = merged;
        Ok(())
    }

    /// Purchases on the last `window` days up to `as_of`, that day included. `None` where
    /// the window reaches back to days that the ring no longer holds though there were
    /// transactions on such days.
    #[must_use]
    pub fn purchases(&self, window: u32, as_of: Date) -> Option<u64> {
        let days = self.days_of(window, as_of)?;
        Some(days.map(|day| u64::from(day.purchases)).sum())
    }

    /// All amounts of the same days in minor units.
    #[must_use]
    pub fn money_minor(&self, window: u32, as_of: Date) -> Option<i128> {
        let days = self.days_of(window, as_of)?;
        Some(days.map(|day| i128::from(day.money)).sum())
    }

    /// How many of these days have a purchase.
    #[must_use]
    pub fn active_days(&self, window: u32, as_of: Date) -> Option<u32> {
        let days = self.days_of(window, as_of)?;
        Some(days.map(|day| u32::from(day.purchases > 0)).sum())
    }

    /// Purchases up to `as_of` on the days that are held, each weighted with
    /// `2^(−age / half_life)`, half-life and age in days.
    ///
    /// Where `as_of` is not before the newest day, what is no longer held weighs at most
    /// `2^(−n / half_life)` each, `n` being the days that are: a ring of ten half-lives leaves
    /// out a thousandth of a purchase at most for each of those that are
    /// [too late](ActivityRing::too_late).
    ///
    /// # Errors
    /// When the half-life is 0.
    pub fn decayed_purchases(&self, half_life: u32, as_of: Date) -> Result<f64> {
        Ok(self.decayed(half_life, as_of)?.0)
    }

    /// All amounts of the same days in minor units, weighted in the same way.
    ///
    /// # Errors
    /// When the half-life is 0.
    pub fn decayed_money_minor(&self, half_life: u32, as_of: Date) -> Result<f64> {
        Ok(self.decayed(half_life, as_of)?.1)
    }

    fn decayed(&self, half_life: u32, as_of: Date) -> Result<(f64, f64)> {
        if half_life == 0 {
            return Err(Error::parameter("half-life", "at least 1 day", 0));
        }
        let Some(newest) = self.newest else { return Ok((0.0, 0.0)) };
        let (newest, as_of) = (newest.days_since_epoch(), as_of.days_since_epoch());
        let oldest = i64::from(newest) - i64::from(self.len()) + 1;
        let days: Vec<Daily> = (oldest..=newest.min(as_of).into())
            .map(|day| {
                let Day { purchases, money, .. } = self.days[self.place(day as i32)];
                Daily {
                    day: day as i32,
                    bought: purchases > 0,
                    purchases: purchases.into(),
                    money: money.into(),
                }
            })
            .collect();
        Ok(decayed(&days, as_of, half_life))
    }

    fn days_of(&self, window: u32, as_of: Date) -> Option<impl Iterator<Item = Day>> {
        let newest = self.newest.map(|day| i64::from(day.days_since_epoch()));
        let (first, last) = newest.map_or((0, -1), |newest| {
            let oldest = newest - i64::from(self.len()) + 1;
            let as_of = i64::from(as_of.days_since_epoch());
            (oldest.max(as_of - i64::from(window) + 1), newest.min(as_of))
        });
        let reaches_back = newest.is_some_and(|newest| {
            let from = i64::from(as_of.days_since_epoch()) - i64::from(window) + 1;
            from <= newest - i64::from(self.len())
        });
        if reaches_back && self.too_late > 0 && window > 0 {
            return None;
        }
        // Held days, so that they are days of the calendar or places of none.
        Some((first..=last).map(|day| self.days[self.place(day as i32)]))
    }

    fn place(&self, day: i32) -> usize {
        i64::from(day).rem_euclid(self.days.len() as i64) as usize
    }

    /// The number of the held day at a place.
    fn number_at(&self, newest: Date, place: usize) -> i32 {
        let newest = newest.days_since_epoch();
        let back = (self.place(newest) + self.days.len() - place) % self.days.len();
        newest - back as i32
    }

    fn holds(&self, newest: Date, day: i32) -> bool {
        i64::from(newest.days_since_epoch()) - i64::from(day) < i64::from(self.len())
    }

    /// Makes a day the newest, and forgets those that are no longer held.
    fn advance(&mut self, newest: Date) {
        let to = newest.days_since_epoch();
        if let Some(before) = self.newest.filter(|before| *before < newest) {
            let from = before.days_since_epoch();
            let n = i64::from(to) - i64::from(from);
            let n = n.min(i64::from(self.len())) as i32;
            for day in to - n + 1..=to {
                let place = self.place(day);
                let gone = std::mem::take(&mut self.days[place]);
                self.too_late = self.too_late.saturating_add(gone.rows());
            }
        }
        self.newest = Some(newest);
    }
}

#[cold]
fn full(day: i32) -> Error {
    let day = Date::of_checked(day);
    Error::undefined(
        format!("the activity on {day}"),
        "its transactions do not fit into 32 bits, or their money into 64",
    )
}
