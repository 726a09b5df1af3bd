//! Days on which customers did something, brought into order.

use crate::data::Date;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::{gather_blocks, sort};

/// One row; rows are sorted by customer, then day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Active {
    pub(super) customer: u64,
    pub(super) day: i32,
}

/// The rows up to a day, in order, and how many come later.
pub(super) struct Activity {
    pub(super) rows: Vec<Active>,
    pub(super) rows_after: u64,
}

impl Activity {
    pub(super) fn read<K: Copy + Into<u64>>(
        customers: &[K],
        days: &[i32],
        until: Date,
    ) -> Result<Activity> {
        check_length("`days`", customers.len(), days.len())?;
        check_days(days)?;
        let until = until.days_since_epoch();
        let mut rows: Vec<Active> = customers
            .iter()
            .zip(days)
            .filter(|&(_, &day)| day <= until)
            .map(|(&customer, &day)| Active { customer: customer.into(), day })
            .collect();
        let rows_after = (days.len() - rows.len()) as u64;
        sort(&mut rows);
        Ok(Activity { rows, rows_after })
    }
}

pub(super) fn check_length(
    what: &'static str,
    expected: usize,
    found: usize,
) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::length(what, expected, found)) }
}

/// Days since 1970-01-01 are days of the calendar.
pub(super) fn check_days(days: &[i32]) -> Result<()> {
    let range = Date::MIN.days_since_epoch()..=Date::MAX.days_since_epoch();
    match days.iter().position(|day| !range.contains(day)) {
        Some(row) => Err(ErrorKind::Value {
            expected: "a day of the calendar, counted from 1970-01-01".into(),
            found: days[row].to_string(),
            row: Some(row),
        }
        .into()),
        None => Ok(()),
    }
}

/// Rows of a block of customers, about.
const BLOCK: usize = 1 << 16;

/// What `work` gathers from the rows of each customer; rows are sorted by customer. States
/// are joined in any order, so they hold what has none: sums of integers.
pub(super) fn gather_customers<R: Sync, T: Send>(
    rows: &[R],
    customer: impl Fn(&R) -> u64 + Sync + Send,
    new: impl Fn() -> T + Sync + Send,
    work: impl Fn(&mut T, &[R]) + Sync + Send,
    merge: impl Fn(T, T) -> T + Sync + Send,
) -> T {
    // The first row at or after `at` whose customer has no row before `at`.
    let start = |at: usize| match at.checked_sub(1).zip(rows.get(at)) {
        Some((before, _)) => {
            let before = customer(&rows[before]);
            at + rows[at..].partition_point(|row| customer(row) == before)
        }
        None => at,
    };
    gather_blocks(
        rows.len(),
        BLOCK,
        new,
        |state, block| {
            let whole = &rows[start(block.start)..start(block.end)];
            for same in whole.chunk_by(|a, b| customer(a) == customer(b)) {
                work(state, same);
            }
        },
        merge,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_customer_is_seen_once_and_whole() {
        // Customers that end at, before and after the ends of blocks, and one of three.
        let lengths = [BLOCK, 1, BLOCK - 1, 5, 3 * BLOCK, 2, BLOCK / 2, 1];
        let rows: Vec<u64> = (0..)
            .zip(lengths)
            .flat_map(|(customer, length)| std::iter::repeat_n(customer, length))
            .collect();
        let mut seen = gather_customers(
            &rows,
            |&customer| customer,
            Vec::new,
            |seen, rows| seen.push((rows[0], rows.len())),
            |a, b| [a, b].concat(),
        );
        seen.sort_unstable();
        assert_eq!(seen, (0..).zip(lengths).collect::<Vec<_>>());
        let none = gather_customers(&[], |&x| x, || 0, |_, _| {}, |a, b| a + b);
        assert_eq!(none, 0);
    }
}
