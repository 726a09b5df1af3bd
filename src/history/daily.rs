//! One customer's days.

use super::chunks::Row;
use super::occasions::Occasions;

/// What one customer did on a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Daily {
    pub(super) day: i32,
    /// Occasions whose first purchase lies on the day.
    pub(super) purchases: u64,
    /// True when anything was bought.
    pub(super) bought: bool,
    /// All amounts in minor units.
    pub(super) money: i128,
}

/// The days with transactions of a customer, in their order, from her sorted rows.
pub(super) fn daily<O>(rows: &[Row<O>], occasions: &impl Occasions<O>) -> Vec<Daily> {
    let mut days: Vec<Daily> = rows
        .iter()
        .map(|row| Daily {
            day: row.day,
            purchases: 0,
            bought: row.amount >= 0,
            money: row.amount.into(),
        })
        .collect();
    let mut from = 0;
    for rows in rows.chunk_by(|a, b| occasions.same(a, b)) {
        // Within an occasion rows come in the order of their days.
        if let Some(opening) = rows.iter().position(|row| row.amount >= 0) {
            days[from + opening].purchases = 1;
        }
        from += rows.len();
    }
    // Integers are added up, so that it does not matter which of equal days comes first.
    days.sort_by_key(|day| day.day);
    days.dedup_by(|next, day| {
        let same = next.day == day.day;
        if same {
            day.purchases += next.purchases;
            day.bought |= next.bought;
            day.money += next.money;
        }
        same
    });
    days
}
