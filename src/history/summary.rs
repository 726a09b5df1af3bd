//! The state of every customer on one day.

use serde::{Deserialize, Serialize};

use super::ledger::Keys;
use super::options::LedgerOptions;
use crate::data::{CustomerId, Date, Ids, Table};
use crate::error::{Error, Result};

/// One transaction; `O` is the order, or nothing where occasions are days. The order of
/// the fields is that in which rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row<O> {
    pub(super) customer: u64,
    pub(super) order: O,
    pub(super) day: i32,
    pub(super) amount: i64,
}

/// What a [`Summary`] was made of, and what in it should be known. Rows are counted once
/// they are accepted; the first five counts are of all days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LedgerReport {
    /// Transactions accepted.
    pub rows: u64,
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
    /// and not judged: they are in the summary.
    pub duplicate_rows: u64,
    /// Customers with refunds but no purchase up to the day, left out of the summary.
    pub customers_without_purchase: u64,
    /// Customers in the summary whose money is negative.
    pub customers_below_zero: u64,
}

/// The state of every customer at the end of a day, made by
/// [`Ledger::summary`](super::Ledger::summary).
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
    ids: OwnedIds,
    states: Vec<State>,
    report: LedgerReport,
}

#[derive(Clone, Debug, PartialEq)]
enum OwnedIds {
    Numbers(Vec<u64>),
    Texts(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct State {
    first: Date,
    last: Date,
    frequency: u64,
    monetary_minor: i64,
}

/// Sums up sorted copies of the rows. `same_occasion` compares two rows of one customer.
pub(super) fn summarise<O: Copy + Ord>(
    rows: &[Row<O>],
    same_occasion: impl Fn(&Row<O>, &Row<O>) -> bool,
    as_of: Date,
    keys: &Keys,
    options: &LedgerOptions,
    mut report: LedgerReport,
) -> Result<Summary> {
    let last_day = as_of.days_since_epoch();
    let mut sorted: Vec<Row<O>> =
        rows.iter().filter(|row| row.day <= last_day).copied().collect();
    report.rows_after_as_of = (rows.len() - sorted.len()) as u64;
    sorted.sort_unstable();
    report.duplicate_rows =
        sorted.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;

    let mut customers: Vec<(u64, State)> = Vec::new();
    for rows in sorted.chunk_by(|a, b| a.customer == b.customer) {
        let key = rows[0].customer;
        let sum: i128 = rows.iter().map(|row| i128::from(row.amount)).sum();
        let mut purchases = rows.iter().filter(|row| row.amount >= 0);
        let Some(first_row) = purchases.next() else {
            report.customers_without_purchase += 1;
            continue;
        };
        let (mut first, mut last) = (first_row.day, first_row.day);
        let (mut frequency, mut latest) = (1, first_row);
        for row in purchases {
            first = first.min(row.day);
            last = last.max(row.day);
            // Rows of one occasion are neighbours, since rows are sorted.
            frequency += u64::from(!same_occasion(latest, row));
            latest = row;
        }
        let monetary_minor = i64::try_from(sum).map_err(|_| {
            let customer = match keys {
                Keys::Texts(names) => names.get(key).to_owned(),
                _ => key.to_string(),
            };
            Error::undefined(
                format!("the money of customer `{customer}`"),
                format!("{sum} minor units do not fit into 64 bits"),
            )
        })?;
        report.customers_below_zero += u64::from(monetary_minor < 0);
        let state = State {
            first: Date::from_days(first)?,
            last: Date::from_days(last)?,
            frequency,
            monetary_minor,
        };
        customers.push((key, state));
    }

    let ids = match keys {
        Keys::Texts(names) => {
            customers.sort_unstable_by(|a, b| names.get(a.0).cmp(names.get(b.0)));
            let ids = customers.iter().map(|&(key, _)| names.get(key).to_owned());
            OwnedIds::Texts(ids.collect())
        }
        _ => OwnedIds::Numbers(customers.iter().map(|&(key, _)| key).collect()),
    };
    let states = customers.into_iter().map(|(_, state)| state).collect();
    Ok(Summary { as_of, options: options.clone(), ids, states, report })
}

impl Summary {
    /// The day that all ages and recencies are counted to.
    #[must_use]
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// How many customers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// True when there is no customer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// What was counted on the way.
    #[must_use]
    pub fn report(&self) -> &LedgerReport {
        &self.report
    }

    /// The customer at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<CustomerSummary<'_>> {
        let state = self.states.get(position)?;
        let id = match &self.ids {
            OwnedIds::Numbers(ids) => CustomerId::Number(*ids.get(position)?),
            OwnedIds::Texts(ids) => CustomerId::Text(ids.get(position)?),
        };
        Some(CustomerSummary { id, state: *state, as_of: self.as_of })
    }

    /// The customer with this id.
    #[must_use]
    pub fn find<'i>(&self, id: impl Into<CustomerId<'i>>) -> Option<CustomerSummary<'_>> {
        let found = match (&self.ids, id.into()) {
            (OwnedIds::Numbers(ids), CustomerId::Number(id)) => ids.binary_search(&id),
            (OwnedIds::Texts(ids), CustomerId::Text(id)) => {
                ids.binary_search_by(|other| other.as_str().cmp(id))
            }
            _ => return None,
        };
        self.get(found.ok()?)
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
        let column = |read: &dyn Fn(CustomerSummary<'_>) -> f64| {
            self.iter().map(read).collect::<Vec<f64>>()
        };
        let per_major = self.options.minor_per_major();
        let ids = match &self.ids {
            OwnedIds::Numbers(ids) => Ids::Numbers(ids.clone().into()),
            OwnedIds::Texts(ids) => Ids::Texts(ids.clone().into()),
        };
        Table::builder(&self.options.schema()?, self.len())
            .numbers("recency", column(&|c| c.days_since_last_purchase().into()))
            .numbers("frequency", column(&|c| c.frequency() as f64))
            .numbers("monetary", column(&|c| c.monetary_minor() as f64 / per_major))
            .ids(ids)
            .build()
    }
}

/// One customer of a [`Summary`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CustomerSummary<'s> {
    id: CustomerId<'s>,
    state: State,
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
        self.state.first
    }

    /// The day of the last purchase.
    #[must_use]
    pub fn last(&self) -> Date {
        self.state.last
    }

    /// How many purchases there were, the first included.
    #[must_use]
    pub fn frequency(&self) -> u64 {
        self.state.frequency
    }

    /// How many purchases there were after the first: `x` of the purchase models (Fader,
    /// Hardie & Lee 2005).
    #[must_use]
    pub fn repeat_frequency(&self) -> u64 {
        self.state.frequency - 1
    }

    /// All amounts together in minor units, refunds subtracted where they are netted.
    #[must_use]
    pub fn monetary_minor(&self) -> i64 {
        self.state.monetary_minor
    }

    /// Days from the first to the last purchase: `t_x` of the purchase models, which call
    /// it recency.
    #[must_use]
    pub fn age_at_last_purchase(&self) -> i32 {
        self.state.first.days_until(self.state.last)
    }

    /// Days from the last purchase to the day of the summary: the recency of RFM.
    #[must_use]
    pub fn days_since_last_purchase(&self) -> i32 {
        self.state.last.days_until(self.as_of)
    }

    /// Days from the first purchase to the day of the summary: `T` of the purchase models.
    #[must_use]
    pub fn age(&self) -> i32 {
        self.state.first.days_until(self.as_of)
    }
}
