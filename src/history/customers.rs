//! The rows of one customer after the other.

use super::chunks::{Chunks, Order, Row};
use super::ledger::Keys;
use super::sorted::map_sorted;
use crate::data::Date;
use crate::error::{Error, Result};

/// What `work` makes of each customer's rows up to a day, which it gets sorted; with the
/// customers' keys, in the order of the ids. Customers of whom it makes nothing are left
/// out.
pub(super) fn map_customers<O: Order, R: Send>(
    rows: &Chunks<O>,
    until: Date,
    keys: &Keys,
    work: impl Fn(&[Row<O>]) -> Result<Option<R>> + Sync,
) -> Result<Vec<(u64, R)>> {
    let (parts, _) = map_sorted(rows, until, |rows| {
        let mut made = Vec::new();
        for rows in rows.chunk_by(|a, b| a.customer == b.customer) {
            if let Some(result) = work(rows)? {
                made.push((rows[0].customer, result));
            }
        }
        Ok(made)
    })?;
    let mut made: Vec<(u64, R)> = parts.into_iter().flatten().collect();
    if let Keys::Texts(names) = keys {
        made.sort_unstable_by(|a, b| names.get(a.0).cmp(names.get(b.0)));
    }
    Ok(made)
}

/// A sum of a customer's money as 64 bits.
pub(super) fn fit(what: &str, sum: i128, key: u64, keys: &Keys) -> Result<i64> {
    i64::try_from(sum).map_err(|_| {
        Error::undefined(
            format!("the {what} of customer `{}`", keys.name(key)),
            format!("{sum} minor units do not fit into 64 bits"),
        )
    })
}
