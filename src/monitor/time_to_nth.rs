//! From the first purchase to the second, or any later one.

use serde::{Deserialize, Serialize};

use super::activity::{Active, Activity};
use super::survival::KaplanMeier;
use crate::data::Date;
use crate::error::{Error, Result};
use crate::history::Occasion;

/// Days from each customer's first purchase to the n-th, made by [`times_to_nth_purchase`].
/// What [`KaplanMeier`] and [`log_rank_test`](super::log_rank_test) read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TimesToNth {
    /// The customers, ascending.
    pub customers: Vec<u64>,
    /// For each, days from the first purchase to the n-th, or to the last day that was
    /// observed.
    pub durations: Vec<f64>,
    /// For each, whether there was an n-th purchase.
    pub observed: Vec<bool>,
    /// Rows after the last day that was observed, which were left out.
    pub rows_after: u64,
}

impl TimesToNth {
    /// Their curve of survival: the share of customers without an n-th purchase so far.
    ///
    /// # Errors
    /// When there are no customers.
    pub fn survival(&self) -> Result<KaplanMeier> {
        KaplanMeier::fit(&self.durations, &self.observed)
    }
}

/// Days from the first purchase to the `n`-th, for each customer.
///
/// Every row is a purchase: leave refunds out. Days are counted from 1970-01-01, rows come
/// in any order. With [`Occasion::Days`] the purchases of a day are one, so that the time to
/// the second is at least a day. Whoever has no `n`-th purchase up to `observed_until` was
/// watched until then, and the duration is cut off there.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::Occasion;
/// use segmenta::monitor::times_to_nth_purchase;
///
/// let until = Date::from_days(100)?;
/// let customers = [7_u64, 3, 7, 7];
/// let times = times_to_nth_purchase(&customers, &[10, 40, 10, 31], 2, Occasion::Days, until)?;
/// assert_eq!(times.customers, [3, 7]);
/// assert_eq!(times.durations, [60.0, 21.0]);
/// assert_eq!(times.observed, [false, true]);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When `n` is below 2; when occasions are orders (pass one row an order, with
/// [`Occasion::Rows`]), weeks or months; when the slices differ in length or a day lies outside the calendar,
/// in which case the error names the row.
pub fn times_to_nth_purchase<K: Copy + Into<u64>>(
    customers: &[K],
    days: &[i32],
    n: usize,
    occasion: Occasion,
    observed_until: Date,
) -> Result<TimesToNth> {
    if n < 2 {
        return Err(Error::parameter("n", "at least 2", n));
    }
    let by_day = days_or_rows(occasion)?;
    let Activity { mut rows, rows_after } =
        Activity::read(customers, days, observed_until)?;
    if by_day {
        rows.dedup();
    }
    let mut times = TimesToNth {
        customers: Vec::new(),
        durations: Vec::new(),
        observed: Vec::new(),
        rows_after,
    };
    for purchases in rows.chunk_by(|a, b| a.customer == b.customer) {
        let Active { customer, day: first } = purchases[0];
        let nth = purchases.get(n - 1);
        let end = nth.map_or(observed_until.days_since_epoch(), |purchase| purchase.day);
        times.customers.push(customer);
        times.durations.push(f64::from(end - first));
        times.observed.push(nth.is_some());
    }
    Ok(times)
}

/// True for days. Rows without order ids have no orders, and a purchase of a week or a month
/// has no day.
pub(super) fn days_or_rows(occasion: Occasion) -> Result<bool> {
    match occasion {
        Occasion::Days => Ok(true),
        Occasion::Rows => Ok(false),
        other => {
            let expected =
                "Days or Rows: these rows have no order ids, and a purchase a day";
            Err(Error::parameter("occasion", expected, format!("{other:?}")))
        }
    }
}
