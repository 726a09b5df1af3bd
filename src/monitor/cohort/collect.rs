//! Purchases, collected in any order.

use super::options::CohortOptions;
use super::table::CohortTable;
use super::tally::tally;
use crate::data::Date;
use crate::error::{Error, ErrorKind, Result};
use crate::history::{RefundPolicy, ZeroValue};
use crate::monitor::activity::{check_days, check_length};
use crate::parallel::sort;

/// One transaction; the order of the fields is that in which rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) customer: u64,
    pub(super) day: i32,
    pub(super) amount: i64,
}

/// Rows that were accepted, by what the options make of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowCounts {
    pub(super) rows: u64,
    pub(super) refunds_dropped: u64,
    pub(super) zero_rows_dropped: u64,
}

/// Collects transactions; gives the cohorts of their customers.
///
/// Transactions come in slices, in any order and in any number of parts, and a customer's
/// rows may be in several of them. Collections of parts [`merge`](Cohorts::merge) into the
/// collection of the whole; where no customer is in two parts, so do their
/// [tables](CohortTable::merge), which are small. A row takes 24 bytes, and 24 more while
/// [`table`](Cohorts::table) works.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::monitor::{CohortOptions, Cohorts, Period, Retention};
///
/// let day = |text: &str| text.parse::<Date>().map(Date::days_since_epoch);
/// let mut cohorts = Cohorts::new(CohortOptions::new(Period::Month))?;
/// cohorts.add(
///     &[1_u64, 2, 1, 3, 1],
///     &[day("2024-01-05")?, day("2024-01-20")?, day("2024-02-01")?, day("2024-02-07")?,
///         day("2024-03-03")?],
///     &[10_00, 4_00, 6_00, 9_00, -2_00], // the last one is a refund
/// )?;
///
/// let table = cohorts.table("2024-03-10".parse()?)?;
/// let january = &table.cohorts()[0];
/// assert_eq!(january.customers(), 2);
/// assert_eq!(january.retention(Retention::Classic, 1), Some(0.5));
/// assert_eq!(january.retention(Retention::Classic, 2), Some(0.0)); // nobody of 2 …
/// assert_eq!(january.retention(Retention::Classic, 3), None); // … is not: nobody knows
/// assert!(!january.cell(2).unwrap().complete); // March is not over
/// assert_eq!(january.cumulative_money_per_customer(2), Some(9_00.0));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cohorts {
    options: CohortOptions,
    rows: Vec<Row>,
    counts: RowCounts,
}

impl Cohorts {
    /// A collection of no transactions.
    ///
    /// # Errors
    /// When the options are not valid.
    pub fn new(options: CohortOptions) -> Result<Cohorts> {
        options.validate()?;
        Ok(Cohorts { options, rows: Vec::new(), counts: RowCounts::default() })
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &CohortOptions {
        &self.options
    }

    /// How many transactions were accepted, those that the options drop included.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.counts.rows
    }

    /// True when no transaction was accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.rows == 0
    }

    /// Adds transactions: customer, day (days since 1970-01-01) and amount in minor units
    /// of each. Where customers have texts as ids, the codes of a dictionary will do.
    ///
    /// # Errors
    /// When the slices differ in length; when a day lies outside the calendar, or an amount
    /// is negative and refunds are rejected (the error names the row of the slices). Nothing
    /// is then added.
    pub fn add<K: Copy + Into<u64>>(
        &mut self,
        customers: &[K],
        days: &[i32],
        amounts_minor: &[i64],
    ) -> Result<()> {
        check_length("`days`", customers.len(), days.len())?;
        check_length("`amounts_minor`", customers.len(), amounts_minor.len())?;
        check_days(days)?;
        let refunds = self.options.get_refunds();
        if refunds == RefundPolicy::Reject
            && let Some(row) = amounts_minor.iter().position(|&amount| amount < 0)
        {
            return Err(ErrorKind::Value {
                expected: "an amount of 0 or more: refunds are rejected".into(),
                found: amounts_minor[row].to_string(),
                row: Some(row),
            }
            .into());
        }
        let drops_refunds = refunds == RefundPolicy::Drop;
        let drops_zeros = self.options.get_zero_value() == ZeroValue::Drop;
        self.rows.reserve(customers.len());
        for ((&customer, &day), &amount) in customers.iter().zip(days).zip(amounts_minor)
        {
            if amount < 0 && drops_refunds {
                self.counts.refunds_dropped += 1;
            } else if amount == 0 && drops_zeros {
                self.counts.zero_rows_dropped += 1;
            } else {
                self.rows.push(Row { customer: customer.into(), day, amount });
            }
        }
        self.counts.rows += customers.len() as u64;
        Ok(())
    }

    /// Adds all transactions of another collection.
    ///
    /// # Errors
    /// When the options differ; then nothing changes.
    pub fn merge(&mut self, other: Cohorts) -> Result<()> {
        if self.options != other.options {
            return Err(Error::parameter(
                "options of the other cohorts",
                format!("{:?}", self.options),
                format!("{:?}", other.options),
            ));
        }
        self.rows.extend(other.rows);
        self.counts.rows += other.counts.rows;
        self.counts.refunds_dropped += other.counts.refunds_dropped;
        self.counts.zero_rows_dropped += other.counts.zero_rows_dropped;
        Ok(())
    }

    /// The cohorts as far as they were observed: up to the end of the day `observed_until`,
    /// which is the last day of the data, whether or not there was a purchase. Later rows
    /// are left out and counted.
    ///
    /// # Errors
    /// When the first purchase lies more than 1,200 periods back, or the money of a cell does
    /// not fit into 64 bits.
    pub fn table(&self, observed_until: Date) -> Result<CohortTable> {
        let last = observed_until.days_since_epoch();
        let mut rows: Vec<Row> =
            self.rows.iter().filter(|row| row.day <= last).copied().collect();
        let rows_after = (self.rows.len() - rows.len()) as u64;
        sort(&mut rows);
        tally(&rows, &self.options, observed_until, self.counts, rows_after)
    }
}
