//! Turns the fields of rows into records, and counts what cannot be used.

use std::collections::{BTreeMap, HashMap};

use super::amount::{AmountError, Amounts};
use super::columns::Places;
use super::day::Days;
use super::fields::{Separator, Splitter};
use super::records::Width;
use super::{BadRow, Failure, Observer, Options, Reason, Record, Transactions, shown};

/// Turns the fields of rows into records.
pub(super) struct Rows<'o> {
    options: &'o Options,
    places: Places,
    pub(super) header: bool,
    /// The names in the header; empty where there is none.
    names: Vec<String>,
    pub(super) width: Width,
    days: Days,
    amounts: Amounts,
    customers: Interner,
    orders: Interner,
    pub(super) n_rows: usize,
    by_reason: BTreeMap<Reason, usize>,
    rounded: usize,
    records: Vec<Record>,
}

impl<'o> Rows<'o> {
    pub(super) fn new(
        options: &'o Options,
        places: Places,
        first: &Splitter,
    ) -> Rows<'o> {
        let days = Days::new(options.date_format);
        let amounts = Amounts::new(options.decimal);
        let header = options.columns.have_names()
            || looks_like_names(first, &places, days.clone(), amounts.clone());
        // Some programs end the header, or the rows, with a separator and others do not.
        let empty = (0..first.len()).rev().take_while(|&i| first.field(i).is_empty());
        let least = (first.len() - empty.count()).max(places.last() + 1);
        Rows {
            options,
            header,
            names: if header {
                first.iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect()
            } else {
                Vec::new()
            },
            width: Width {
                least: if header { least } else { first.len() },
                most: first.len(),
            },
            places,
            days,
            amounts,
            customers: Interner::default(),
            orders: Interner::default(),
            n_rows: 0,
            by_reason: BTreeMap::new(),
            rounded: 0,
            records: Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        line: usize,
        fields: &Splitter,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        match self.record(line, fields) {
            Ok(record) => {
                self.n_rows += 1;
                self.records.push(record);
            }
            Err(Skip::OnPurpose(reason)) => self.skip(reason),
            Err(Skip::Bad(reason, row)) => self.bad(observer, reason, row),
            Err(Skip::TooMany) => {
                return Err(Failure::Input("more than 4,294,967,295 ids".to_owned()));
            }
        }
        Ok(())
    }

    fn skip(&mut self, reason: Reason) {
        self.n_rows += 1;
        *self.by_reason.entry(reason).or_default() += 1;
    }

    pub(super) fn bad(
        &mut self,
        observer: &mut dyn Observer,
        reason: Reason,
        row: BadRow,
    ) {
        self.skip(reason);
        observer.bad_row(&row);
    }

    fn record(&mut self, line: usize, fields: &Splitter) -> Result<Record, Skip> {
        let bad = |reason, column, found, expected: String| {
            Skip::Bad(reason, BadRow { line, column, found, expected })
        };
        if !self.width.holds(fields) {
            let (found, expected) = (n_fields(fields.len()), self.width.most);
            return Err(bad(Reason::WrongFields, None, found, expected.to_string()));
        }
        let at_fault = |reason, place: usize, expected: String| {
            let found = shown(fields.field(place));
            bad(reason, Some(self.column_name(place)), found, expected)
        };

        let customer = fields.field(self.places.customer);
        if customer.is_empty() {
            return Err(Skip::OnPurpose(Reason::NoCustomer));
        }
        let order = self.places.order.map_or(&[][..], |place| fields.field(place));
        if let Some(prefix) = &self.options.cancelled_prefix
            && order.starts_with(prefix.as_bytes())
        {
            return Err(Skip::OnPurpose(Reason::Cancelled));
        }
        let Some(customer) = id_text(customer) else {
            let place = self.places.customer;
            return Err(at_fault(Reason::BadCustomer, place, an_id()));
        };
        let Some(order) = id_text(order) else {
            let place = self.places.order.unwrap_or_default();
            return Err(at_fault(Reason::BadOrder, place, an_id()));
        };
        let Some(day) = self.days.read(fields.field(self.places.date)) else {
            let (place, expected) = (self.places.date, self.days.expected());
            return Err(bad(
                Reason::BadDate,
                Some(self.column_name(place)),
                shown(fields.field(place)),
                expected,
            ));
        };
        let (amount_minor, rounded) = self.amount(fields).map_err(|(place, error)| {
            let found = shown(fields.field(place));
            let column = Some(self.column_name(place));
            bad(Reason::BadAmount, column, found, error.to_string())
        })?;
        if amount_minor == 0 && self.options.drop_zero {
            return Err(Skip::OnPurpose(Reason::ZeroAmount));
        }
        self.rounded += usize::from(rounded);
        let customer = self.customers.intern(customer).ok_or(Skip::TooMany)?;
        let order = match order {
            "" => None,
            order => Some(self.orders.intern(order).ok_or(Skip::TooMany)?),
        };
        Ok(Record { customer, day, amount_minor, order })
    }

    /// The product in cents, or the column at fault.
    fn amount(&mut self, fields: &Splitter) -> Result<(i64, bool), (usize, AmountError)> {
        let mut product = None;
        let mut last = 0;
        for &place in &self.places.amount {
            let factor =
                self.amounts.read(fields.field(place)).map_err(|e| (place, e))?;
            product = Some(match product {
                None => factor,
                Some(product) => factor.times(product).map_err(|e| (place, e))?,
            });
            last = place;
        }
        let product = product.ok_or((last, AmountError::NotANumber))?;
        product.to_minor().map_err(|e| (last, e))
    }

    fn column_name(&self, place: usize) -> String {
        match self.names.get(place) {
            Some(name) => shown(name.as_bytes()),
            None => (place + 1).to_string(),
        }
    }

    pub(super) fn finish(self, separator: Separator) -> Result<Transactions, Failure> {
        let notes = self.notes()?;
        Ok(Transactions {
            rows: self.n_rows,
            skipped: self.by_reason.values().sum(),
            by_reason: self.by_reason,
            records: self.records,
            customers: self.customers.names,
            orders: self.orders.names,
            separator,
            header: self.header,
            rounded: self.rounded,
            notes,
        })
    }

    /// Refuses a file that shows from end to end another format than was supposed, since
    /// the rows that could be read are then probably wrong too.
    fn notes(&self) -> Result<Vec<String>, Failure> {
        let (days, amounts) = (&self.days, &self.amounts);
        if days.only_month_first > 0 && days.only_day_first == 0 {
            return Err(Failure::Usage(format!(
                "the dates are written with the month first, as {} shows: pass \
                 `--date-format MM/DD/YYYY`",
                shown(days.month_first_example.as_bytes())
            )));
        }
        if amounts.only_comma > 0 && amounts.only_point == 0 {
            return Err(Failure::Usage(format!(
                "the amounts are written with a decimal comma, as {} shows: pass \
                 `--decimal comma`, or `--decimal point` to skip such rows",
                shown(amounts.comma_example.as_bytes())
            )));
        }
        let mut notes = Vec::new();
        if days.ambiguous > 0 && days.only_day_first == 0 {
            notes.push(format!(
                "no date tells whether day or month comes first: {} was read as \
                 DD/MM/YYYY (`--date-format` sets it)",
                shown(days.ambiguous_example.as_bytes())
            ));
        }
        Ok(notes)
    }
}

enum Skip {
    /// Such rows were expected.
    OnPurpose(Reason),
    Bad(Reason, BadRow),
    /// Positions are of 32 bits.
    TooMany,
}

/// A first line is a header when neither its date nor its amount can be read.
fn looks_like_names(
    first: &Splitter,
    places: &Places,
    mut days: Days,
    mut amounts: Amounts,
) -> bool {
    let date = first.field(places.date);
    let is_word = |&place: &usize| {
        let text = first.field(place);
        !text.is_empty() && amounts.read(text).is_err()
    };
    !date.is_empty() && days.read(date).is_none() && places.amount.iter().all(is_word)
}

/// An id that can be printed as it is.
fn id_text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

fn an_id() -> String {
    "an id in UTF-8 without control characters".to_owned()
}

fn n_fields(n: usize) -> String {
    if n == 1 { "1 field".to_owned() } else { format!("{n} fields") }
}

/// Gives equal names the same number, counted from 0.
#[derive(Default)]
struct Interner {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Interner {
    fn intern(&mut self, name: &str) -> Option<u32> {
        if let Some(&number) = self.numbers.get(name) {
            return Some(number);
        }
        let number = u32::try_from(self.names.len()).ok()?;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        Some(number)
    }
}
