//! Transactions, collected in any order.

use std::fmt;

use super::batch::rejected;
use super::names::Names;
use super::occasions::{Calendar, Orders};
use super::options::{LedgerOptions, Occasion, RefundPolicy, ZeroValue};
use super::summary::{self, LedgerReport, Row, Summary};
use crate::data::{CustomerId, Date};
use crate::error::{Error, ErrorKind, Result};

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
/// summary does not depend on how the rows were split or ordered. One row takes 24 bytes,
/// or 32 where occasions are orders; nothing is summed up before the day is known.
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
    /// Rows that were accepted, kept or not.
    n_rows: u64,
    refunds: u64,
    zero_rows: u64,
}

/// Rows in the order in which they came. What is a purchase is told by the amount: rows
/// that the options drop are not kept.
#[derive(Clone, Debug)]
enum Rows {
    ByDay(Vec<Row<()>>),
    ByOrder(Vec<Row<u64>>),
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
            Occasion::Orders => Rows::ByOrder(Vec::new()),
            Occasion::Days | Occasion::Weeks | Occasion::Months | Occasion::Rows => {
                Rows::ByDay(Vec::new())
            }
        };
        Ok(Ledger {
            options,
            customers: Keys::default(),
            orders: Keys::default(),
            rows,
            n_rows: 0,
            refunds: 0,
            zero_rows: 0,
        })
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
        let row = self.n_rows as usize;
        self.push(customer.into(), day, amount_minor, None).map_err(|e| e.at_row(row))
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
        let row = self.n_rows as usize;
        self.push(customer.into(), day, amount_minor, Some(order.into()))
            .map_err(|e| e.at_row(row))
    }

    fn push(
        &mut self,
        customer: CustomerId<'_>,
        day: Date,
        amount: i64,
        order: Option<OrderId<'_>>,
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
            (Rows::ByOrder(_), None) => {
                let expected = "a transaction with an order id: occasions are orders";
                return Err(value(expected, "none"));
            }
        };
        let customer = match customer {
            CustomerId::Number(id) => self.customers.number(id)?,
            CustomerId::Text(id) => self.customers.text(id)?,
        };
        self.n_rows += 1;
        self.refunds += u64::from(refund);
        self.zero_rows += u64::from(amount == 0);
        if keep {
            let day = day.days_since_epoch();
            match &mut self.rows {
                Rows::ByDay(rows) => rows.push(Row { customer, order: (), day, amount }),
                Rows::ByOrder(rows) => rows.push(Row { customer, order, day, amount }),
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
            (Rows::ByDay(rows), Rows::ByDay(more)) => {
                rows.extend(more.into_iter().map(|row| Row {
                    customer: translate(&customers, row.customer),
                    ..row
                }));
            }
            (Rows::ByOrder(rows), Rows::ByOrder(more)) => {
                rows.extend(more.into_iter().map(|row| Row {
                    customer: translate(&customers, row.customer),
                    order: translate(&orders, row.order),
                    ..row
                }));
            }
            // Equal options have equal occasions.
            _ => {}
        }
        self.n_rows += other.n_rows;
        self.refunds += other.refunds;
        self.zero_rows += other.zero_rows;
        Ok(())
    }

    /// The state of every customer at the end of the day `as_of`. Later transactions are
    /// left out and counted. Customers come in the order of their ids: numbers by value,
    /// texts by their bytes.
    ///
    /// # Errors
    /// When the money of a customer, that of her first purchase, of her repeat purchases or
    /// of her other refunds does not fit into 64 bits.
    pub fn summary(&self, as_of: Date) -> Result<Summary> {
        let report = LedgerReport {
            rows: self.n_rows,
            ..LedgerReport::of_rows(&self.options, self.refunds, self.zero_rows)
        };
        let (keys, options) = (&self.customers, &self.options);
        match &self.rows {
            Rows::ByDay(rows) => {
                let occasions = Calendar(options.get_occasion());
                summary::summarise(rows, &occasions, as_of, keys, options, report)
            }
            Rows::ByOrder(rows) => {
                let occasions = Orders(&self.orders);
                summary::summarise(rows, &occasions, as_of, keys, options, report)
            }
        }
    }

    /// Rows that are held in memory.
    #[must_use]
    pub fn kept_rows(&self) -> usize {
        self.rows.len()
    }
}

fn value(expected: &'static str, found: impl fmt::Display) -> Error {
    ErrorKind::Value { expected: expected.into(), found: found.to_string(), row: None }
        .into()
}
