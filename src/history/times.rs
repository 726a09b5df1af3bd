//! When each customer bought again.

use super::chunks::{Chunks, Order};
use super::customers::map_customers;
use super::ledger::Keys;
use super::occasions::Occasions;
use super::unit::TimeUnit;
use crate::data::Date;
use crate::error::Result;

/// Times from the first purchase to each later one, ascending, of all who bought up to a day.
pub(super) fn repeat_times<O: Order>(
    rows: &Chunks<O>,
    occasions: &impl Occasions<O>,
    as_of: Date,
    keys: &Keys,
    unit: TimeUnit,
) -> Result<Vec<Vec<f64>>> {
    let customers = map_customers(rows, as_of, keys, |rows| {
        let mut days: Vec<i32> = rows
            .chunk_by(|a, b| occasions.same(a, b))
            // Within an occasion rows come in the order of their days.
            .filter_map(|rows| rows.iter().find(|row| row.amount >= 0))
            .map(|opening| opening.day)
            .collect();
        days.sort_unstable();
        let Some((&first, later)) = days.split_first() else { return Ok(None) };
        let first = Date::of_checked(first);
        let since = |&day: &i32| unit.of_days(first.days_until(Date::of_checked(day)));
        Ok(Some(later.iter().map(since).collect()))
    })?;
    Ok(customers.into_iter().map(|(_, times)| times).collect())
}
