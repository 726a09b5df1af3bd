//! Transactions, collected in any order.

use std::fmt;

use super::batch::{Amounts, Batch, Facts, Rules, rejected};
use super::behaviour::{self, Behaviour};
use super::chunks::{self, Chunk, Chunks, Order, Row};
use super::holdout::{self, Holdout};
use super::names::Names;
use super::occasions::{Calendar, Occasions, Orders};
use super::options::{LedgerOptions, Occasion, RefundPolicy, ZeroValue};
use super::retraction::Kept;
use super::summary::{self, LedgerReport, Summary};
use super::times;
use super::unit::TimeUnit;
use crate::data::{CustomerId, Date, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::map_blocks;

/// Which order a transaction belongs to: a number or a text, borrowed from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderId<'a> {
    /// A number.
    Number(u64),
    /// A text.
    Text(&'a str),
}

impl From<u64> for OrderId<'_> {
    fn from(id: u64) -> Self {
        OrderId::Number(id)
    }
}

impl<'a> From<&'a str> for OrderId<'a> {
    fn from(id: &'a str) -> Self {
        OrderId::Text(id)
    }
}

impl<'a> From<&'a String> for OrderId<'a> {
    fn from(id: &'a String) -> Self {
        OrderId::Text(id)
    }
}

impl fmt::Display for OrderId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OrderId::Number(id) => fmt::Display::fmt(id, f),
            OrderId::Text(id) => fmt::Display::fmt(id, f),
        }
    }
}

/// Collects transactions; gives the state of every customer on any day.
///
/// Transactions come in any order. Ledgers of parts of them [`merge`](Ledger::merge) into
/// the ledger of the whole: amounts are integers in minor units (cents), so that the
/// summary does not depend on how the rows were split or ordered. One row takes 12 bytes, or
/// 24 where occasions are orders, as long as customers and amounts are numbers of 32 bits, and
/// 24 or 32 otherwise; nothing is summed up before the day is known.
///
/// Customer ids are all numbers or all texts, for 7 and `"7"` could not be told apart in
/// print; so are order ids.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::{Ledger, LedgerOptions};
///
/// let mut ledger = Ledger::new(LedgerOptions::new())?;
/// ledger.add("ann", Date::from_ymd(2024, 1, 5)?, 19_90)?;
/// ledger.add("ann", Date::from_ymd(2024, 3, 1)?, 5_00)?;
/// ledger.add("ann", Date::from_ymd(2024, 3, 1)?, 7_50)?; // the same day: one purchase
/// ledger.add("ann", Date::from_ymd(2024, 3, 9)?, -5_00)?; // a refund is no purchase
///
/// let summary = ledger.summary(Date::from_ymd(2024, 3, 31)?)?;
/// let ann = summary.find("ann").unwrap();
/// assert_eq!((ann.frequency(), ann.days_since_last_purchase()), (2, 30));
/// assert_eq!(ann.monetary_minor(), 27_40);
/// assert_eq!(summary.report().refunds, 1);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ledger {
    options: LedgerOptions,
    customers: Keys,
    orders: Keys,
    rows: Rows,
    /// Rows that were accepted, kept or not, and those that were taken back.
    added: Counts,
    retracted: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    rows: u64,
    refunds: u64,
    zero_rows: u64,
}

impl Counts {
    fn count(&mut self, amount: i64) {
        self.rows += 1;
        self.refunds += u64::from(amount < 0);
        self.zero_rows += u64::from(amount == 0);
    }

    fn join(&mut self, other: Counts) {
        self.rows += other.rows;
        self.refunds += other.refunds;
        self.zero_rows += other.zero_rows;
    }

    /// These without others; `None` where there are more of the others.
    fn without(self, other: Counts) -> Option<Counts> {
        Some(Counts {
            rows: self.rows.checked_sub(other.rows)?,
            refunds: self.refunds.checked_sub(other.refunds)?,
            zero_rows: self.zero_rows.checked_sub(other.zero_rows)?,
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { rows, refunds, zero_rows } = self;
        write!(f, "{rows} with {refunds} refunds and {zero_rows} of amount 0")
    }
}

/// What is a purchase is told by the amount: rows that the options drop are not kept.
#[derive(Clone, Debug)]
enum Rows {
    ByDay(Kept<()>),
    ByOrder(Kept<u64>),
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Rows::ByDay(rows) => rows.len(),
            Rows::ByOrder(rows) => rows.len(),
        }
    }
}

/// Ids of one kind as `u64`: themselves, or the codes of their texts.
#[derive(Clone, Debug, Default)]
pub(super) enum Keys {
    #[default]
    Unknown,
    Numbers,
    Texts(Names),
}

impl Keys {
    fn number(&mut self, id: u64) -> Result<u64> {
        match self {
            Keys::Unknown => *self = Keys::Numbers,
            Keys::Numbers => {}
            Keys::Texts(_) => return Err(other_kind("a text", &id)),
        }
        Ok(id)
    }

    fn text(&mut self, id: &str) -> Result<u64> {
        if matches!(self, Keys::Unknown) {
            *self = Keys::Texts(Names::default());
        }
        match self {
            Keys::Texts(names) => names.code(id),
            _ => Err(other_kind("a number", &id)),
        }
    }

    fn check_merge(&self, other: &Keys) -> Result<()> {
        match (self, other) {
            (Keys::Numbers, Keys::Texts(_)) => Err(other_kind("a number", &"a text")),
            (Keys::Texts(_), Keys::Numbers) => Err(other_kind("a text", &"a number")),
            _ => Ok(()),
        }
    }

    /// The id of a key, in print.
    pub(super) fn name(&self, key: u64) -> String {
        match self {
            Keys::Texts(names) => names.get(key).to_owned(),
            _ => key.to_string(),
        }
    }

    /// What each key of `other` becomes here; `None` when it stays as it is.
    fn absorb(&mut self, other: Keys) -> Result<Option<Vec<u64>>> {
        match other {
            Keys::Unknown => Ok(None),
            Keys::Numbers => {
                *self = Keys::Numbers;
                Ok(None)
            }
            Keys::Texts(names) if matches!(self, Keys::Unknown) => {
                *self = Keys::Texts(names);
                Ok(None)
            }
            Keys::Texts(names) => {
                let codes =
                    (0..names.len() as u64).map(|code| self.text(names.get(code)));
                codes.collect::<Result<_>>().map(Some)
            }
        }
    }
}

fn other_kind(expected: &str, found: &dyn fmt::Display) -> Error {
    let expected = format!("{expected}, like the ids before it").into();
    ErrorKind::Value { expected, found: found.to_string(), row: None }.into()
}

impl Ledger {
    /// A ledger without transactions.
    ///
    /// # Errors
    /// When the options are not valid.
    pub fn new(options: LedgerOptions) -> Result<Ledger> {
        options.validate()?;
        let rows = match options.get_occasion() {
            Occasion::Orders => Rows::ByOrder(Kept::default()),
            Occasion::Days | Occasion::Weeks | Occasion::Months | Occasion::Rows => {
                Rows::ByDay(Kept::default())
            }
        };
        Ok(Ledger {
            options,
            customers: Keys::default(),
            orders: Keys::default(),
            rows,
            added: Counts::default(),
            retracted: Counts::default(),
        })
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &LedgerOptions {
        &self.options
    }

    /// How many transactions were added, those that the options drop included, and also
    /// those that were taken back later.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.added.rows
    }

    /// True when no transaction was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.rows == 0
    }

    /// Adds a transaction without an order id; the amount is in minor units.
    ///
    /// # Errors
    /// When occasions are orders; when the amount is negative and refunds are rejected;
    /// when the id is not of the kind of those before it. The ledger is then unchanged,
    /// and the error's row is the number of transactions accepted before.
    pub fn add<'i>(
        &mut self,
        customer: impl Into<CustomerId<'i>>,
        day: Date,
        amount_minor: i64,
    ) -> Result<()> {
        let row = self.added.rows as usize;
        self.push(customer.into(), day, amount_minor, None, false)
            .map_err(|e| e.at_row(row))
    }

    /// Adds transactions without order ids: customer, day (days since 1970-01-01) and amount
    /// in minor units of each. It is as if [`add`](Ledger::add) were called for one after the
    /// other, in less time: the slices are read in parallel where the feature `rayon` is on.
    ///
    /// ```
    /// use segmenta::data::Date;
    /// use segmenta::history::{Ledger, LedgerOptions};
    ///
    /// let mut ledger = Ledger::new(LedgerOptions::new())?;
    /// ledger.add_columns(&[7_u64, 3, 7], &[19_700, 19_720, 19_731], &[19_90, 5_00, 8_00])?;
    /// ledger.add_columns_major(&[3_u64], &[19_725], &[12.5])?;
    ///
    /// let summary = ledger.summary(Date::from_days(19_740)?)?;
    /// assert_eq!(summary.find(7_u64).unwrap().monetary_minor(), 27_90);
    /// assert_eq!(summary.find(3_u64).unwrap().monetary_minor(), 17_50);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the slices differ in length; when occasions are orders; when ids before were
    /// texts; when a day lies outside the calendar, or an amount is negative and refunds are
    /// rejected (the error names the row of the slices). The ledger is then unchanged.
    pub fn add_columns<K>(
        &mut self,
        customers: &[K],
        days: &[i32],
        amounts_minor: &[i64],
    ) -> Result<()>
    where
        K: Copy + Into<u64> + Sync,
    {
        self.push_columns(customers, days, Amounts::Minor(amounts_minor))
    }

    /// The same for amounts in major units (euros), each of which is rounded to the nearest
    /// minor unit, halves to the even one.
    ///
    /// # Errors
    /// As [`add_columns`](Ledger::add_columns), and when an amount is not finite, or has more
    /// than 2^51 minor units, near where an `f64` no longer tells them apart.
    pub fn add_columns_major<K>(
        &mut self,
        customers: &[K],
        days: &[i32],
        amounts: &[f64],
    ) -> Result<()>
    where
        K: Copy + Into<u64> + Sync,
    {
        let amounts = Amounts::Major(amounts, self.options.minor_per_major());
        self.push_columns(customers, days, amounts)
    }

    fn push_columns<K>(
        &mut self,
        customers: &[K],
        days: &[i32],
        amounts: Amounts<'_>,
    ) -> Result<()>
    where
        K: Copy + Into<u64> + Sync,
    {
        let Rows::ByDay(rows) = &mut self.rows else { return Err(without_order()) };
        let batch = Batch { customers, days, amounts, rules: Rules::of(&self.options) };
        batch.check_lengths()?;
        let Some(&first) = customers.first() else { return Ok(()) };
        let parts = map_blocks(customers.len(), chunks::ROWS, |block| {
            let mut part = None;
            batch.with_rows(block, &mut Vec::new(), |kept| {
                part = Some((Chunk::of_columns(kept), kept.facts));
            })?;
            Ok::<_, Error>(part)
        });
        let parts = parts.into_iter().filter_map(Result::transpose);
        let parts: Vec<(Chunk<()>, Facts)> = parts.collect::<Result<_>>()?;
        self.customers.number(first.into())?;
        self.added.rows += customers.len() as u64;
        for (chunk, facts) in parts {
            self.added.refunds += facts.refunds;
            self.added.zero_rows += facts.zero_rows;
            rows.rows.append(chunk);
        }
        Ok(())
    }

    /// Adds a transaction of an order; the amount is in minor units. Where occasions are
    /// not orders the order id is not looked at.
    ///
    /// # Errors
    /// When the amount is negative and refunds are rejected; when an id is not of the kind
    /// of those before it. The ledger is then unchanged, and the error's row is the number
    /// of transactions accepted before.
    pub fn add_order<'i, 'o>(
        &mut self,
        customer: impl Into<CustomerId<'i>>,
        day: Date,
        amount_minor: i64,
        order: impl Into<OrderId<'o>>,
    ) -> Result<()> {
        let row = self.added.rows as usize;
        self.push(customer.into(), day, amount_minor, Some(order.into()), false)
            .map_err(|e| e.at_row(row))
    }

    /// Takes back one transaction without an order id that was added: the summary is that
    /// of a ledger to which it never was, but for the report's
    /// [`retracted_rows`](LedgerReport::retracted_rows). A correction is this and an
    /// [`add`](Ledger::add). A return is not: it is a refund.
    ///
    /// The transaction may have been added to a ledger that is merged later, so whether
    /// there is one is seen by the [`summary`](Ledger::summary), which is an error when
    /// there is not. Of transactions that the options drop nothing is kept but how many
    /// were of a negative amount and how many of 0, and no more than these is checked.
    /// What is taken back is kept as a row of its own.
    ///
    /// ```
    /// use segmenta::data::Date;
    /// use segmenta::history::{Ledger, LedgerOptions};
    ///
    /// let day = Date::from_ymd(2024, 5, 3)?;
    /// let mut ledger = Ledger::new(LedgerOptions::new())?;
    /// ledger.add("ann", day, 1_999_00)?; // a slip of the hand
    /// ledger.add("ann", day, 19_99)?;
    /// ledger.retract("ann", day, 1_999_00)?;
    /// assert_eq!(ledger.summary(day)?.find("ann").unwrap().monetary_minor(), 19_99);
    ///
    /// ledger.retract("ann", day, 5_00)?;
    /// assert_eq!(
    ///     ledger.summary(day).unwrap_err().to_string(),
    ///     "parameter `retracted transactions` must be equal to one each that was added, \
    ///      but is one more of customer `ann` on 2024-05-03 with 500 minor units",
    /// );
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`add`](Ledger::add), without a row: what could not be added cannot be taken
    /// back.
    pub fn retract<'i>(
        &mut self,
        customer: impl Into<CustomerId<'i>>,
        day: Date,
        amount_minor: i64,
    ) -> Result<()> {
        self.push(customer.into(), day, amount_minor, None, true)
    }

    /// Takes back one transaction of an order that was added; see
    /// [`retract`](Ledger::retract). Where occasions are orders it is found by its order
    /// id, too.
    ///
    /// # Errors
    /// As [`add_order`](Ledger::add_order), without a row.
    pub fn retract_order<'i, 'o>(
        &mut self,
        customer: impl Into<CustomerId<'i>>,
        day: Date,
        amount_minor: i64,
        order: impl Into<OrderId<'o>>,
    ) -> Result<()> {
        self.push(customer.into(), day, amount_minor, Some(order.into()), true)
    }

    fn push(
        &mut self,
        customer: CustomerId<'_>,
        day: Date,
        amount: i64,
        order: Option<OrderId<'_>>,
        retracts: bool,
    ) -> Result<()> {
        let refund = amount < 0;
        let keep = match self.options.get_refunds() {
            _ if !refund => {
                amount != 0 || self.options.get_zero_value() == ZeroValue::Keep
            }
            RefundPolicy::Net => true,
            RefundPolicy::Drop => false,
            RefundPolicy::Reject => return Err(rejected(amount)),
        };
        // Everything that can fail comes before the first change that a summary shows.
        let order = match (&self.rows, order) {
            (Rows::ByDay(_), _) => 0,
            (Rows::ByOrder(_), Some(OrderId::Number(id))) => self.orders.number(id)?,
            (Rows::ByOrder(_), Some(OrderId::Text(id))) => self.orders.text(id)?,
            (Rows::ByOrder(_), None) => return Err(without_order()),
        };
        let customer = match customer {
            CustomerId::Number(id) => self.customers.number(id)?,
            CustomerId::Text(id) => self.customers.text(id)?,
        };
        let counts = if retracts { &mut self.retracted } else { &mut self.added };
        counts.count(amount);
        if keep {
            let day = day.days_since_epoch();
            match &mut self.rows {
                Rows::ByDay(rows) => {
                    rows.push(Row { customer, order: (), day, amount }, retracts);
                }
                Rows::ByOrder(rows) => {
                    rows.push(Row { customer, order, day, amount }, retracts);
                }
            }
        }
        Ok(())
    }

    /// Adds all transactions of another ledger: the result is the ledger of all rows.
    ///
    /// # Errors
    /// When the options differ, or one holds numbers and the other texts as ids. This
    /// ledger is then unchanged.
    pub fn merge(&mut self, other: Ledger) -> Result<()> {
        if self.options != other.options {
            return Err(Error::parameter(
                "options of the other ledger",
                format!("{:?}", self.options),
                format!("{:?}", other.options),
            ));
        }
        self.customers.check_merge(&other.customers)?;
        self.orders.check_merge(&other.orders)?;
        let customers = self.customers.absorb(other.customers)?;
        let orders = self.orders.absorb(other.orders)?;
        let translate = |codes: &Option<Vec<u64>>, key: u64| match codes {
            Some(codes) => codes[key as usize],
            None => key,
        };
        match (&mut self.rows, other.rows) {
            (Rows::ByDay(rows), Rows::ByDay(more)) => rows.absorb(more, |row| Row {
                customer: translate(&customers, row.customer),
                ..row
            }),
            (Rows::ByOrder(rows), Rows::ByOrder(more)) => rows.absorb(more, |row| Row {
                customer: translate(&customers, row.customer),
                order: translate(&orders, row.order),
                ..row
            }),
            // Equal options have equal occasions.
            _ => {}
        }
        self.added.join(other.added);
        self.retracted.join(other.retracted);
        Ok(())
    }

    /// The state of every customer at the end of the day `as_of`. Later transactions are
    /// left out and counted. Customers come in the order of their ids: numbers by value,
    /// texts by their bytes.
    ///
    /// # Errors
    /// When the money of a customer, that of her first purchase, of her repeat purchases or
    /// of her other refunds does not fit into 64 bits; when a transaction was taken back
    /// that was not added.
    pub fn summary(&self, as_of: Date) -> Result<Summary> {
        match &self.rows {
            Rows::ByDay(rows) => {
                let occasions = Calendar(self.options.get_occasion());
                let rows = rows.left(&self.customers)?;
                self.summarise(&rows, &occasions, as_of)
            }
            Rows::ByOrder(rows) => {
                let rows = rows.left(&self.customers)?;
                self.summarise(&rows, &Orders(&self.orders), as_of)
            }
        }
    }

    fn summarise<O: Order>(
        &self,
        rows: &Chunks<O>,
        occasions: &impl Occasions<O>,
        as_of: Date,
    ) -> Result<Summary> {
        let counts = self.added.without(self.retracted).ok_or_else(|| {
            let expected = format!("at most those that were added, {}", self.added);
            Error::parameter("retracted transactions", expected, self.retracted)
        })?;
        let report = LedgerReport {
            rows: counts.rows,
            retracted_rows: self.retracted.rows,
            ..LedgerReport::of_rows(&self.options, counts.refunds, counts.zero_rows)
        };
        summary::summarise(rows, occasions, as_of, &self.customers, &self.options, report)
    }

    /// The state of every customer at the end of a calibration, and what she did in the
    /// hold-out: after it, up to the end of the observation. What a model of the one says
    /// of the other can be compared with it.
    ///
    /// # Errors
    /// As [`summary`](Ledger::summary); when the observation does not end after the
    /// calibration; when a customer's money in the hold-out does not fit into 64 bits.
    pub fn holdout(
        &self,
        calibration_end: Date,
        observation_end: Date,
    ) -> Result<Holdout> {
        holdout::check_ends(calibration_end, observation_end)?;
        match &self.rows {
            Rows::ByDay(rows) => {
                let occasions = Calendar(self.options.get_occasion());
                let rows = rows.left(&self.customers)?;
                let before = self.summarise(&rows, &occasions, calibration_end)?;
                let keys = &self.customers;
                holdout::hold_out(&rows, &occasions, keys, before, observation_end)
            }
            Rows::ByOrder(rows) => {
                let occasions = Orders(&self.orders);
                let rows = rows.left(&self.customers)?;
                let before = self.summarise(&rows, &occasions, calibration_end)?;
                let keys = &self.customers;
                holdout::hold_out(&rows, &occasions, keys, before, observation_end)
            }
        }
    }

    /// Times from the first purchase to each later one, ascending, in this unit: a list for each
    /// customer of that day's [`summary`](Ledger::summary), in its order. Purchases are
    /// occasions, at the day of their first row, so that where occasions are orders or rows two
    /// of one day have the same time.
    ///
    /// # Errors
    /// When a transaction was taken back that was not added.
    pub fn repeat_purchase_times(
        &self,
        as_of: Date,
        unit: TimeUnit,
    ) -> Result<Vec<Vec<f64>>> {
        let keys = &self.customers;
        match &self.rows {
            Rows::ByDay(rows) => {
                let occasions = Calendar(self.options.get_occasion());
                times::repeat_times(&*rows.left(keys)?, &occasions, as_of, keys, unit)
            }
            Rows::ByOrder(rows) => {
                let occasions = Orders(&self.orders);
                times::repeat_times(&*rows.left(keys)?, &occasions, as_of, keys, unit)
            }
        }
    }

    /// Features of what customers do lately and how regularly, as of the end of a day, one
    /// row for each customer of that day's [`summary`](Ledger::summary).
    ///
    /// # Errors
    /// When the choice of features is not valid; when a transaction was taken back that
    /// was not added.
    pub fn behaviour(&self, as_of: Date, features: &Behaviour) -> Result<Table<'static>> {
        let (keys, options) = (&self.customers, &self.options);
        match &self.rows {
            Rows::ByDay(rows) => {
                let occasions = Calendar(options.get_occasion());
                let rows = rows.left(keys)?;
                behaviour::behaviour(&rows, &occasions, as_of, keys, options, features)
            }
            Rows::ByOrder(rows) => {
                let occasions = Orders(&self.orders);
                let rows = rows.left(keys)?;
                behaviour::behaviour(&rows, &occasions, as_of, keys, options, features)
            }
        }
    }

    /// Rows that are kept, in the order in which they came.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<()>> {
        let (by_day, by_order) = match &self.rows {
            Rows::ByDay(kept) => (Some(&kept.rows), None),
            Rows::ByOrder(kept) => (None, Some(&kept.rows)),
        };
        let by_day = by_day.into_iter().flat_map(Chunks::iter);
        by_day.chain(by_order.into_iter().flat_map(Chunks::iter).map(without_its_order))
    }

    /// Rows that take others back, in the order in which they came.
    pub(super) fn retracted_rows(&self) -> impl Iterator<Item = Row<()>> {
        let (by_day, by_order): (&[Row<()>], &[Row<u64>]) = match &self.rows {
            Rows::ByDay(kept) => (&kept.retracted, &[]),
            Rows::ByOrder(kept) => (&[], &kept.retracted),
        };
        by_day.iter().copied().chain(by_order.iter().copied().map(without_its_order))
    }

    /// The ids of the customers.
    pub(super) fn customer_keys(&self) -> &Keys {
        &self.customers
    }

    /// Rows that are held in memory, those that take others back included.
    #[must_use]
    pub fn kept_rows(&self) -> usize {
        self.rows.len()
    }
}

fn without_its_order(row: Row<u64>) -> Row<()> {
    let Row { customer, day, amount, .. } = row;
    Row { customer, order: (), day, amount }
}

fn without_order() -> Error {
    let expected = "a transaction with an order id: occasions are orders".into();
    ErrorKind::Value { expected, found: "none".into(), row: None }.into()
}
