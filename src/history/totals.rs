//! Purchases in slices, added up by customer.

use super::batch::{Amounts, Batch, Facts, Rules, too_large};
use super::group::group;
use super::options::{LedgerOptions, Occasion, RefundPolicy, ZeroValue};
use super::summary::{LedgerReport, Summary};
use super::tallies::Tallies;
use crate::data::Date;
use crate::error::{Error, Result};

/// What each customer's purchases come to: first and last day, how many, how much money.
///
/// Transactions come in slices, in any order and in any number of parts; totals of parts
/// [`merge`](PurchaseTotals::merge) into the totals of the whole. All sums are of
/// integers, so that the summary has the same bits however the rows were split, ordered
/// or shared out among threads. It is that of a [`Ledger`](super::Ledger) with the same
/// options. What is kept are 32 bytes a customer, and no rows. A call to
/// [`add`](PurchaseTotals::add) works with 24 bytes a row at most where ids are dense
/// (their range is no longer than the slices), about 150 bytes a customer where they are
/// scattered, and up to 48 MB for rows on their way.
///
/// Since rows are not kept, four things are the ledger's alone:
///
/// - a summary of an earlier day: `as_of` must not lie before the last transaction;
/// - occasions: every row that is no refund is a purchase, and the options must say so
///   with [`Occasion::Rows`];
/// - the money of single purchases: means of spend are `None` here;
/// - the report's `duplicate_rows`, which is `None` here.
///
/// Ids are numbers: where customers have texts, the codes of a dictionary will do.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::{LedgerOptions, Occasion, PurchaseTotals};
///
/// let options = LedgerOptions::new().occasion(Occasion::Rows);
/// let mut totals = PurchaseTotals::new(options)?;
/// let (customers, days) = ([7_u64, 3, 7], [19_700, 19_720, 19_731]);
/// totals.add(&customers, &days, &[19_90, 5_00, -2_50])?; // a refund is no purchase
/// totals.add_major(&[3_u64], &[19_725], &[12.5])?;
///
/// let summary = totals.summary(Date::from_days(19_740)?)?;
/// let first = summary.find(3_u64).unwrap();
/// assert_eq!((first.frequency(), first.days_since_last_purchase()), (2, 15));
/// assert_eq!(first.monetary_minor(), 17_50);
/// assert_eq!(summary.find(7_u64).unwrap().monetary_minor(), 17_40);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PurchaseTotals {
    options: LedgerOptions,
    /// Totals of some of the rows each; every part has more than twice the customers of
    /// the next one, so that a customer is joined a logarithmic number of times.
    parts: Vec<Tallies>,
    n_rows: u64,
    facts: Facts,
}

impl PurchaseTotals {
    /// Totals of no transactions.
    ///
    /// # Errors
    /// When the options are not valid, or their occasions are not rows.
    pub fn new(options: LedgerOptions) -> Result<PurchaseTotals> {
        options.validate()?;
        if options.get_occasion() != Occasion::Rows {
            let found = format!("{:?}", options.get_occasion());
            return Err(Error::parameter("occasion", "Rows: no rows are kept", found));
        }
        let parts = Vec::new();
        Ok(PurchaseTotals { options, parts, n_rows: 0, facts: Facts::default() })
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &LedgerOptions {
        &self.options
    }

    /// How many transactions were accepted, those that the options drop included.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.n_rows
    }

    /// True when no transaction was accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n_rows == 0
    }

    /// The day of the last transaction that was not dropped.
    #[must_use]
    pub fn last_day(&self) -> Option<Date> {
        let day = self.facts.max_day;
        (day >= self.facts.min_day).then_some(Date::of_checked(day))
    }

    /// Adds transactions: customer, day (days since 1970-01-01) and amount in minor units
    /// of each.
    ///
    /// The slices are read in parallel where the feature `rayon` is on; large ones are
    /// better than many small ones.
    ///
    /// # Errors
    /// When the slices differ in length; when a day lies outside the calendar, or an
    /// amount is negative and refunds are rejected (the error names the row of the
    /// slices); when all amounts together, refunds without their sign, could leave 64
    /// bits. The totals are then unchanged.
    pub fn add<K>(
        &mut self,
        customers: &[K],
        days: &[i32],
        amounts_minor: &[i64],
    ) -> Result<()>
    where
        K: Copy + Into<u64> + Sync,
    {
        self.add_amounts(customers, days, Amounts::Minor(amounts_minor))
    }

    /// The same for amounts in major units (euros), each of which is rounded to the
    /// nearest minor unit, halves to the even one.
    ///
    /// # Errors
    /// As [`add`](PurchaseTotals::add), and when an amount is not finite, or has more than
    /// 2^51 minor units, near where an `f64` no longer tells them apart.
    pub fn add_major<K>(
        &mut self,
        customers: &[K],
        days: &[i32],
        amounts: &[f64],
    ) -> Result<()>
    where
        K: Copy + Into<u64> + Sync,
    {
        let amounts = Amounts::Major(amounts, self.options.minor_per_major());
        self.add_amounts(customers, days, amounts)
    }

    fn add_amounts<K>(
        &mut self,
        customers: &[K],
        days: &[i32],
        amounts: Amounts<'_>,
    ) -> Result<()>
    where
        K: Copy + Into<u64> + Sync,
    {
        let rules = Rules::of(&self.options);
        let batch = Batch { customers, days, amounts, rules };
        let (tallies, facts) = group(&batch, self.facts.gross)?;
        self.facts = self.facts.join(&facts);
        self.n_rows += customers.len() as u64;
        self.push(tallies);
        Ok(())
    }

    fn push(&mut self, mut tallies: Tallies) {
        while let Some(part) = self.parts.pop_if(|part| part.len() <= 2 * tallies.len()) {
            tallies = part.join(&tallies);
        }
        if tallies.len() > 0 {
            self.parts.push(tallies);
        }
    }

    /// Adds all transactions of other totals: the result are the totals of all rows.
    ///
    /// # Errors
    /// When the options differ, or when all amounts together could leave 64 bits. These
    /// totals are then unchanged.
    pub fn merge(&mut self, other: PurchaseTotals) -> Result<()> {
        if self.options != other.options {
            return Err(Error::parameter(
                "options of the other totals",
                format!("{:?}", self.options),
                format!("{:?}", other.options),
            ));
        }
        let facts = self.facts.join(&other.facts);
        if facts.gross > i64::MAX as u128 {
            return Err(too_large());
        }
        self.facts = facts;
        self.n_rows += other.n_rows;
        other.parts.into_iter().for_each(|part| self.push(part));
        Ok(())
    }

    /// The state of every customer at the end of the day `as_of`, in the order of the ids.
    ///
    /// # Errors
    /// When a transaction lies after `as_of`.
    pub fn summary(&self, as_of: Date) -> Result<Summary> {
        self.clone().into_summary(as_of)
    }

    /// As [`summary`](PurchaseTotals::summary), without a copy of the totals.
    ///
    /// # Errors
    /// As [`summary`](PurchaseTotals::summary).
    pub fn into_summary(mut self, as_of: Date) -> Result<Summary> {
        if let Some(last) = self.last_day().filter(|&last| last > as_of) {
            let expected = format!("{last} or later, the day of the last transaction");
            return Err(Error::parameter("as_of", expected, as_of));
        }
        let mut tallies = self.parts.pop().unwrap_or_default();
        while let Some(part) = self.parts.pop() {
            tallies = part.join(&tallies);
        }
        let (customers, customers_without_purchase) = tallies.buyers();
        let options = &self.options;
        let (keeps_refunds, keeps_zeros) = (
            options.get_refunds() == RefundPolicy::Net,
            options.get_zero_value() == ZeroValue::Keep,
        );
        let report = LedgerReport {
            rows: self.n_rows,
            customers_without_purchase,
            // Every row is its own occasion.
            refunds_apart: if keeps_refunds { self.facts.refunds } else { 0 },
            zero_occasions: if keeps_zeros { self.facts.zero_rows } else { 0 },
            ..LedgerReport::of_rows(
                &self.options,
                self.facts.refunds,
                self.facts.zero_rows,
            )
        };
        Ok(Summary::new(as_of, self.options, customers, None, None, report))
    }
}
