//! The state of every customer on one day.

use serde::{Deserialize, Serialize};

use super::chunks::{Chunks, Order, Row};
use super::customers::fit;
use super::ledger::Keys;
use super::occasions::Occasions;
use super::options::{LedgerOptions, RefundPolicy, ZeroValue};
use super::sorted::map_sorted;
use super::spend::Spend;
use super::tallies::{Counts, Tallies, Tally, tally};
use super::unit::TimeUnit;
use crate::data::{CustomerId, Date, Ids, Table};
use crate::error::{Error, Result};
use crate::parallel::for_each_block;

/// What a [`Summary`] was made of, and what in it should be known. Rows are counted once
/// they are accepted; the first six counts are of all days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LedgerReport {
    /// Transactions accepted, without those that were taken back.
    pub rows: u64,
    /// Transactions taken back.
    pub retracted_rows: u64,
    /// Of these, those with a negative amount.
    pub refunds: u64,
    /// Refunds that were left out, for the options say so.
    pub refunds_dropped: u64,
    /// Transactions with an amount of 0.
    pub zero_rows: u64,
    /// Transactions with an amount of 0 that were left out, for the options say so.
    pub zero_rows_dropped: u64,
    /// Kept transactions after the day of the summary, left out of it.
    pub rows_after_as_of: u64,
    /// Kept transactions that equal another one in customer, day, amount and, where
    /// occasions are orders, order. Two equal purchases are possible, so they are counted
    /// and not judged: they are in the summary. `None` where no rows were kept that could
    /// be compared.
    pub duplicate_rows: Option<u64>,
    /// Customers with refunds but no purchase up to the day, left out of the summary.
    pub customers_without_purchase: u64,
    /// Customers in the summary whose money is negative.
    pub customers_below_zero: u64,
    /// Kept refunds up to the day that belong to no occasion, for there was no purchase
    /// on their day (or in their week, month or order) or occasions are rows. They are in
    /// the customers' money, and in that of no purchase.
    pub refunds_apart: u64,
    /// Occasions in the summary whose money is 0: of purchases for nothing, or refunded
    /// within the occasion.
    pub zero_occasions: u64,
    /// Occasions in the summary whose money is negative, for refunds within them.
    pub occasions_below_zero: u64,
}

impl LedgerReport {
    /// What is known from the rows' amounts.
    pub(super) fn of_rows(
        options: &LedgerOptions,
        refunds: u64,
        zero_rows: u64,
    ) -> LedgerReport {
        let dropped = |count: u64, drops: bool| if drops { count } else { 0 };
        let drops_refunds = options.get_refunds() == RefundPolicy::Drop;
        let drops_zeros = options.get_zero_value() == ZeroValue::Drop;
        LedgerReport {
            refunds,
            refunds_dropped: dropped(refunds, drops_refunds),
            zero_rows,
            zero_rows_dropped: dropped(zero_rows, drops_zeros),
            ..LedgerReport::default()
        }
    }
}

/// The state of every customer at the end of a day, made by
/// [`Ledger::summary`](super::Ledger::summary) or
/// [`PurchaseTotals::summary`](super::PurchaseTotals::summary).
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::{Ledger, LedgerOptions};
///
/// let mut ledger = Ledger::new(LedgerOptions::new())?;
/// for (day, cents) in [(3, 10_00), (3, 5_00), (20, 8_00)] {
///     ledger.add(7_u64, Date::from_ymd(2024, 5, day)?, cents)?;
/// }
/// let summary = ledger.summary(Date::from_ymd(2024, 5, 31)?)?;
/// let bob = summary.find(7_u64).unwrap();
/// assert_eq!((bob.days_since_last_purchase(), bob.frequency()), (11, 2));
/// assert_eq!(bob.monetary_minor(), 23_00);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    as_of: Date,
    options: LedgerOptions,
    /// The customers; their ids are not looked at where `names` has them.
    customers: Tallies,
    /// The money of their purchases; `None` where no rows were kept that could tell.
    spends: Option<Vec<Spend>>,
    names: Option<Vec<String>>,
    report: LedgerReport,
}

/// Sums up sorted copies of the rows.
pub(super) fn summarise<O: Order>(
    rows: &Chunks<O>,
    occasions: &impl Occasions<O>,
    as_of: Date,
    keys: &Keys,
    options: &LedgerOptions,
    mut report: LedgerReport,
) -> Result<Summary> {
    let (parts, later) = map_sorted(rows, as_of, |rows| sum_up(rows, occasions, keys))?;
    report.rows_after_as_of = later;
    let mut duplicate_rows = 0;
    let n_customers = parts.iter().map(|part| part.customers.len()).sum();
    let mut customers = Tallies::with_capacity(n_customers);
    let mut spends = Vec::with_capacity(n_customers);
    for part in parts {
        duplicate_rows += part.duplicate_rows;
        report.customers_without_purchase += part.customers_without_purchase;
        report.refunds_apart += part.refunds_apart;
        report.zero_occasions += part.zero_occasions;
        report.occasions_below_zero += part.occasions_below_zero;
        customers.append(&part.customers);
        spends.extend_from_slice(&part.spends);
    }
    report.duplicate_rows = Some(duplicate_rows);
    let names = match keys {
        Keys::Texts(names) => {
            let mut order: Vec<usize> = (0..customers.len()).collect();
            let name = |at: usize| names.get(customers.ids[at]);
            order.sort_unstable_by(|&a, &b| name(a).cmp(name(b)));
            let sorted = order.iter().map(|&at| name(at).to_owned()).collect();
            customers = customers.select(&order);
            spends = order.iter().map(|&at| spends[at]).collect();
            Some(sorted)
        }
        _ => None,
    };
    Ok(Summary::new(as_of, options.clone(), customers, Some(spends), names, report))
}

/// What some customers come to.
#[derive(Default)]
struct Part {
    customers: Tallies,
    spends: Vec<Spend>,
    customers_without_purchase: u64,
    duplicate_rows: u64,
    refunds_apart: u64,
    zero_occasions: u64,
    occasions_below_zero: u64,
}

/// Sums up sorted rows, all that there are of their customers.
fn sum_up<O: Copy + Ord>(
    rows: &[Row<O>],
    occasions: &impl Occasions<O>,
    keys: &Keys,
) -> Result<Part> {
    let duplicates = rows.windows(2).filter(|pair| pair[0] == pair[1]);
    let mut part = Part { duplicate_rows: duplicates.count() as u64, ..Part::default() };
    for rows in rows.chunk_by(|a, b| a.customer == b.customer) {
        let key = rows[0].customer;
        let (mut first, mut last) = (i32::MAX, i32::MIN);
        // The day on which the last occasion began.
        let mut began = i32::MIN;
        let (mut frequency, mut earliest) = (0, None);
        // Of the earliest occasion, of the others, of none.
        let mut money = [0_i128; 3];
        // Of the occasion at hand: its first purchase, its money, its rows.
        let (mut opening, mut sum, mut n_rows) = (None, 0_i128, 0);
        for (at, row) in rows.iter().enumerate() {
            sum += i128::from(row.amount);
            n_rows += 1;
            if row.amount >= 0 {
                first = first.min(row.day);
                last = last.max(row.day);
                opening = opening.or(Some(row));
            }
            if rows.get(at + 1).is_some_and(|next| occasions.same(row, next)) {
                continue;
            }
            let (sum, n_rows) = (std::mem::take(&mut sum), std::mem::take(&mut n_rows));
            let Some(opening) = opening.take() else {
                part.refunds_apart += n_rows;
                money[2] += sum;
                continue;
            };
            frequency += 1;
            began = began.max(opening.day);
            part.zero_occasions += u64::from(sum == 0);
            part.occasions_below_zero += u64::from(sum < 0);
            if earliest.is_none_or(|other| occasions.order(opening, other).is_lt()) {
                earliest = Some(opening);
                money[1] += money[0];
                money[0] = sum;
            } else {
                money[1] += sum;
            }
        }
        if frequency == 0 {
            part.customers_without_purchase += 1;
            continue;
        }
        let [first_money, repeat, apart] = money;
        let fit = |what: &str, sum: i128| fit(what, sum, key, keys);
        let total = fit("money", first_money + repeat + apart)?;
        let spend = Spend {
            last: began,
            first: fit("money of the first purchase", first_money)?,
            repeat: fit("money of the repeat purchases", repeat)?,
        };
        fit("money of the refunds apart", apart)?;
        part.customers.push(key, tally(total, frequency, first, last));
        part.spends.push(spend);
    }
    Ok(part)
}

impl Summary {
    /// `names` are the ids where those of the customers are only codes.
    pub(super) fn new(
        as_of: Date,
        options: LedgerOptions,
        mut customers: Tallies,
        spends: Option<Vec<Spend>>,
        names: Option<Vec<String>>,
        mut report: LedgerReport,
    ) -> Summary {
        if names.is_some() {
            customers.ids = Vec::new();
        }
        report.customers_below_zero =
            customers.tallies.iter().filter(|tally| tally.money() < 0).count() as u64;
        Summary { as_of, options, customers, spends, names, report }
    }

    /// The day that all ages and recencies are counted to.
    #[must_use]
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// How many customers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.customers.len()
    }

    /// True when there is no customer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The currency of all money, where the options name one.
    #[must_use]
    pub fn currency(&self) -> Option<&str> {
        self.options.get_currency()
    }

    /// What was counted on the way.
    #[must_use]
    pub fn report(&self) -> &LedgerReport {
        &self.report
    }

    /// The customer at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<CustomerSummary<'_>> {
        let state = *self.customers.tallies.get(position)?;
        let id = match &self.names {
            Some(names) => CustomerId::Text(names.get(position)?),
            None => CustomerId::Number(*self.customers.ids.get(position)?),
        };
        let spend = match &self.spends {
            Some(spends) => Some(*spends.get(position)?),
            None => None,
        };
        let per_major = self.options.minor_per_major();
        Some(CustomerSummary { id, state, spend, per_major, as_of: self.as_of })
    }

    /// The customer with this id.
    #[must_use]
    pub fn find<'i>(&self, id: impl Into<CustomerId<'i>>) -> Option<CustomerSummary<'_>> {
        let found = match (&self.names, id.into()) {
            (None, CustomerId::Number(id)) => self.customers.ids.binary_search(&id),
            (Some(names), CustomerId::Text(id)) => {
                names.binary_search_by(|other| other.as_str().cmp(id))
            }
            _ => return None,
        };
        self.get(found.ok()?)
    }

    /// True when the money of each purchase is known, and so the spend of a customer: in
    /// summaries of a [`Ledger`](super::Ledger), not in those of
    /// [`PurchaseTotals`](super::PurchaseTotals), which keeps no purchases.
    #[must_use]
    pub fn knows_spend(&self) -> bool {
        self.spends.is_some()
    }

    /// The customers in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = CustomerSummary<'_>> {
        (0..self.len()).filter_map(|position| self.get(position))
    }

    /// The customers as a table with the features `recency` (days since the last
    /// purchase), `frequency` (purchases, the first included) and `monetary` (money in
    /// major units), and with their ids.
    ///
    /// Money is divided by a power of ten and rounded to the nearest `f64`; up to 2^53
    /// minor units no two amounts become equal.
    ///
    /// # Errors
    /// Not known to happen: the columns fit the schema.
    pub fn table(&self) -> Result<Table<'static>> {
        let ids = match &self.names {
            Some(names) => Ids::Texts(names.clone().into()),
            None => Ids::Numbers(self.customers.ids.clone().into()),
        };
        self.table_of(ids)
    }

    /// As [`table`](Summary::table), without a copy of the ids.
    ///
    /// # Errors
    /// As [`table`](Summary::table).
    pub fn into_table(mut self) -> Result<Table<'static>> {
        let ids = match self.names.take() {
            Some(names) => Ids::Texts(names.into()),
            None => Ids::Numbers(std::mem::take(&mut self.customers.ids).into()),
        };
        self.table_of(ids)
    }

    fn table_of(&self, ids: Ids<'static>) -> Result<Table<'static>> {
        let as_of = self.as_of.days_since_epoch();
        let per_major = self.options.minor_per_major();
        Table::builder(&self.options.schema()?, self.len())
            .numbers("recency", self.numbers(|tally| f64::from(as_of - tally.last()))?)
            .numbers("frequency", self.numbers(|tally| tally.purchases() as f64)?)
            .numbers("monetary", self.numbers(|tally| tally.money() as f64 / per_major)?)
            .ids(ids)
            .build()
    }

    fn numbers(&self, number: impl Fn(&Tally) -> f64 + Sync) -> Result<Vec<f64>> {
        let tallies = &self.customers.tallies;
        let mut numbers = vec![0.0; tallies.len()];
        for_each_block(&mut numbers, 1 << 14, |from, numbers| {
            for (to, from) in numbers.iter_mut().zip(&tallies[from..]) {
                *to = number(from);
            }
            Ok::<(), Error>(())
        })?;
        Ok(numbers)
    }
}

/// One customer of a [`Summary`].
///
/// # The money of a purchase
/// An occasion's money is that of all its rows: of a day, week, month or order, refunds
/// included that were booked on it. Where occasions are rows it is the row's.
///
/// A refund that was booked where there was no purchase is subtracted from the customer's
/// money, but from no purchase's: nothing tells which one it takes back, and to charge it
/// to the first or to the repeat purchases would make a mean of amounts that nobody spent.
/// [`LedgerReport::refunds_apart`] counts such refunds, and
/// [`refunds_apart_minor`](CustomerSummary::refunds_apart_minor) is their sum. So the
/// money of the first purchase, that of the repeat purchases and that of these refunds
/// come to [`monetary_minor`](CustomerSummary::monetary_minor), exactly.
///
/// The first of several orders of one day is that with the least id, the first of several
/// rows that with the least amount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CustomerSummary<'s> {
    id: CustomerId<'s>,
    state: Tally,
    spend: Option<Spend>,
    per_major: f64,
    as_of: Date,
}

impl<'s> CustomerSummary<'s> {
    /// Who it is.
    #[must_use]
    pub fn id(&self) -> CustomerId<'s> {
        self.id
    }

    /// The day of the first purchase.
    #[must_use]
    pub fn first(&self) -> Date {
        Date::of_checked(self.state.first())
    }

    /// The day of the last purchase; of an occasion of several days its last one with a
    /// purchase.
    #[must_use]
    pub fn last(&self) -> Date {
        Date::of_checked(self.state.last())
    }

    /// How many purchases there were, the first included.
    #[must_use]
    pub fn frequency(&self) -> u64 {
        self.state.purchases()
    }

    /// How many purchases there were after the first: `x` of the purchase models (Fader,
    /// Hardie & Lee 2005).
    #[must_use]
    pub fn repeat_frequency(&self) -> u64 {
        self.state.purchases() - 1
    }

    /// All amounts together in minor units, refunds subtracted where they are netted.
    #[must_use]
    pub fn monetary_minor(&self) -> i64 {
        self.state.money()
    }

    /// The money of the first purchase in minor units. `None` where it is not
    /// [known](Summary::knows_spend).
    #[must_use]
    pub fn first_purchase_minor(&self) -> Option<i64> {
        self.spend.map(|spend| spend.first)
    }

    /// The money of all purchases after the first in minor units, 0 where there is none.
    /// `None` where it is not [known](Summary::knows_spend).
    #[must_use]
    pub fn repeat_purchases_minor(&self) -> Option<i64> {
        self.spend.map(|spend| spend.repeat)
    }

    /// The sum of the refunds that belong to no purchase, in minor units: 0 or less.
    /// `None` where it is not [known](Summary::knows_spend).
    #[must_use]
    pub fn refunds_apart_minor(&self) -> Option<i64> {
        self.spend.map(|spend| spend.apart(self.state.money()))
    }

    /// The mean money of a purchase in major units, the first included. `None` where it is
    /// not [known](Summary::knows_spend).
    #[must_use]
    pub fn mean_spend(&self) -> Option<f64> {
        Some(self.spend?.mean(self.state.purchases(), self.per_major))
    }

    /// The mean money of a purchase after the first in major units: `m_x`, or `z̄` of the
    /// gamma-gamma model of spend (Fader & Hardie 2013), which takes only customers in whom
    /// it is above 0. `None` where there is no repeat purchase, or it is not
    /// [known](Summary::knows_spend).
    ///
    /// ```
    /// use segmenta::data::Date;
    /// use segmenta::history::{Ledger, LedgerOptions};
    ///
    /// let mut ledger = Ledger::new(LedgerOptions::new())?;
    /// for (day, cents) in [(3, 50_00), (10, 8_00), (10, 4_00), (10, -2_00), (20, 6_00)] {
    ///     ledger.add("ann", Date::from_ymd(2024, 5, day)?, cents)?;
    /// }
    /// ledger.add("ann", Date::from_ymd(2024, 5, 25)?, -5_00)?; // on a day without purchase
    ///
    /// let summary = ledger.summary(Date::from_ymd(2024, 5, 31)?)?;
    /// let ann = summary.find("ann").unwrap();
    /// assert_eq!(ann.first_purchase_minor(), Some(50_00));
    /// assert_eq!(ann.mean_repeat_spend(), Some(8.0)); // 10 and 6
    /// assert_eq!((ann.monetary_minor(), ann.refunds_apart_minor()), (61_00, Some(-5_00)));
    /// assert_eq!(summary.report().refunds_apart, 1);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn mean_repeat_spend(&self) -> Option<f64> {
        self.spend?.repeat_mean(self.state.purchases(), self.per_major)
    }

    /// Days from the first to the last purchase: `t_x` of the purchase models, which call
    /// it recency. A purchase is an occasion, at the day on which it began; one of several
    /// days (a week, a month, an order with later lines) may end after that, and so the
    /// [`last`](CustomerSummary::last) day be later.
    #[must_use]
    pub fn age_at_last_purchase(&self) -> i32 {
        let began = self.spend.map_or(self.last(), |spend| Date::of_checked(spend.last));
        self.first().days_until(began)
    }

    /// Days from the last purchase to the day of the summary: the recency of RFM.
    #[must_use]
    pub fn days_since_last_purchase(&self) -> i32 {
        self.last().days_until(self.as_of)
    }

    /// Days from the first purchase to the day of the summary: `T` of the purchase models.
    #[must_use]
    pub fn age(&self) -> i32 {
        self.first().days_until(self.as_of)
    }

    /// The same in a unit.
    #[must_use]
    pub fn age_in(&self, unit: TimeUnit) -> f64 {
        unit.of_days(self.age())
    }

    /// [`age_at_last_purchase`](CustomerSummary::age_at_last_purchase) in a unit. Days
    /// are divided, so that it is never above [`age_in`](CustomerSummary::age_in), and
    /// equal to it where the days are.
    #[must_use]
    pub fn age_at_last_purchase_in(&self, unit: TimeUnit) -> f64 {
        unit.of_days(self.age_at_last_purchase())
    }

    /// Minor units in one major unit.
    pub(super) fn minor_per_major(&self) -> f64 {
        self.per_major
    }
}
