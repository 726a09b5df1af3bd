//! Which rows of a customer are one occasion.

use std::cmp::Ordering;

use super::chunks::Row;
use super::ledger::Keys;
use super::options::Occasion;
use crate::data::Date;

/// Tells apart the occasions of one customer, whose rows are sorted. Rows of an occasion
/// are neighbours then.
pub(super) trait Occasions<O>: Sync {
    /// True when two neighbours belong to one occasion.
    fn same(&self, a: &Row<O>, b: &Row<O>) -> bool;
    /// Which of two occasions is the earlier one, told by the first purchase of each. It
    /// does not depend on the order in which rows came.
    fn order(&self, a: &Row<O>, b: &Row<O>) -> Ordering;
}

/// Occasions that the calendar tells apart; or none but the rows themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar(pub(super) Occasion);

impl Occasions<()> for Calendar {
    #[inline]
    fn same(&self, a: &Row<()>, b: &Row<()>) -> bool {
        match self.0 {
            Occasion::Rows | Occasion::Orders => false,
            Occasion::Days => a.day == b.day,
            Occasion::Weeks => week(a.day) == week(b.day),
            Occasion::Months => a.day == b.day || month(a.day) == month(b.day),
        }
    }

    #[inline]
    fn order(&self, a: &Row<()>, b: &Row<()>) -> Ordering {
        (a.day, a.amount).cmp(&(b.day, b.amount))
    }
}

/// Weeks since one that began on a Monday: 1970-01-01 was a Thursday.
fn week(day: i32) -> i32 {
    (day + 3).div_euclid(7)
}

fn month(day: i32) -> (i32, u8) {
    let (year, month, _) = Date::of_checked(day).to_ymd();
    (year, month)
}

/// Occasions that are orders, with their ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders<'k>(pub(super) &'k Keys);

impl Occasions<u64> for Orders<'_> {
    #[inline]
    fn same(&self, a: &Row<u64>, b: &Row<u64>) -> bool {
        a.order == b.order
    }

    /// Orders of one day are told apart by their ids: codes of texts depend on the order
    /// of the rows.
    #[inline]
    fn order(&self, a: &Row<u64>, b: &Row<u64>) -> Ordering {
        a.day.cmp(&b.day).then_with(|| match self.0 {
            Keys::Texts(names) => names.get(a.order).cmp(names.get(b.order)),
            _ => a.order.cmp(&b.order),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(date: &str) -> Row<()> {
        let day: Date = date.parse().unwrap();
        Row { customer: 0, order: (), day: day.days_since_epoch(), amount: 1 }
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let same = |occasion, a: &str, b: &str| Calendar(occasion).same(&row(a), &row(b));
        assert!(same(Occasion::Weeks, "2024-04-29", "2024-05-05"));
        assert!(!same(Occasion::Weeks, "2024-05-05", "2024-05-06"));
        assert!(same(Occasion::Weeks, "1969-12-29", "1970-01-04"));
        assert!(!same(Occasion::Weeks, "1969-12-28", "1969-12-29"));
        assert!(same(Occasion::Months, "2024-02-01", "2024-02-29"));
        assert!(!same(Occasion::Months, "2024-02-29", "2024-03-01"));
        assert!(!same(Occasion::Months, "2023-02-01", "2024-02-01"));
        assert!(!same(Occasion::Days, "2024-02-01", "2024-02-02"));
        assert!(!same(Occasion::Rows, "2024-02-01", "2024-02-01"));
        for extreme in [Date::MIN, Date::MAX].map(|day| day.to_string()) {
            assert!(same(Occasion::Weeks, &extreme, &extreme));
            assert!(same(Occasion::Months, &extreme, &extreme));
        }
    }
}
