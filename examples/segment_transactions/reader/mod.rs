//! Reads a file of transactions: one customer, day and amount a line.
//!
//! [`read`] gives [`Transactions`]: the usable rows in the order of the file, and how
//! many of the others were skipped for which [`Reason`]. Nothing is skipped in silence.

mod amount;
mod columns;
mod day;
mod fields;
mod input;
mod lines;
mod records;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

use segmenta::data::Date;
use serde::Serialize;

use self::amount::Amounts;
pub(crate) use self::amount::DecimalMark;
use self::columns::Places;
pub(crate) use self::columns::{Column, Columns};
pub(crate) use self::day::DateFormat;
use self::day::Days;
pub(crate) use self::fields::Separator;
use self::fields::Splitter;
use self::input::Input;
use self::lines::{Line, Lines};
use self::records::{Found, Records, Width};

/// How to read the file. What is not stated is found out from its first lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) columns: Columns,
    pub(crate) separator: Option<Separator>,
    pub(crate) date_format: Option<DateFormat>,
    pub(crate) decimal: Option<DecimalMark>,
    /// Orders whose id starts so are left out.
    pub(crate) cancelled_prefix: Option<String>,
    /// Rows whose amount is zero are left out.
    pub(crate) drop_zero: bool,
}

/// One usable row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Position in [`Transactions::customers`].
    pub(crate) customer: u32,
    pub(crate) day: Date,
    /// In cents; negative for a refund.
    pub(crate) amount_minor: i64,
    /// Position in [`Transactions::orders`].
    pub(crate) order: Option<u32>,
}

/// What was read. `rows` is `skipped` and the number of `records` together.
#[derive(Clone, Debug)]
pub(crate) struct Transactions {
    /// Rows of the file, without its header and without blank lines.
    pub(crate) rows: usize,
    pub(crate) skipped: usize,
    pub(crate) by_reason: BTreeMap<Reason, usize>,
    pub(crate) records: Vec<Record>,
    /// Ids in the order in which they first occur.
    pub(crate) customers: Vec<String>,
    /// Likewise; empty where no column holds orders.
    pub(crate) orders: Vec<String>,
    pub(crate) separator: Separator,
    /// The first line was taken for names.
    pub(crate) header: bool,
    /// Amounts that had fractions of a cent.
    pub(crate) rounded: usize,
    /// Sentences about choices that the data leave open.
    pub(crate) notes: Vec<String>,
}

/// Why a row was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    NoCustomer,
    Cancelled,
    ZeroAmount,
    BadCustomer,
    BadOrder,
    BadDate,
    BadAmount,
    WrongFields,
    OpenQuote,
    LongLine,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NoCustomer => "without a customer",
            Reason::Cancelled => "of cancelled orders",
            Reason::ZeroAmount => "with an amount of zero",
            Reason::BadCustomer => "with an unreadable customer",
            Reason::BadOrder => "with an unreadable order",
            Reason::BadDate => "with an unreadable date",
            Reason::BadAmount => "with an unreadable amount",
            Reason::WrongFields => "with another number of fields",
            Reason::OpenQuote => "with a quote that does not close",
            Reason::LongLine => "longer than a mebibyte",
        })
    }
}

/// A row that could not be used, for the one who has to mend the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// From 1, as editors count; the header counts.
    pub(crate) line: usize,
    /// The column, where one is at fault.
    pub(crate) column: Option<String>,
    pub(crate) found: String,
    pub(crate) expected: String,
}

/// Told about the reading while it goes on.
pub(crate) trait Observer {
    /// A row was skipped because of its contents.
    fn bad_row(&mut self, row: &BadRow);
    /// So many rows were read, and such a part of the file where its length is known.
    fn progress(&mut self, rows: usize, part: Option<f64>);
}

/// Why nothing was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The arguments do not go together with the file.
    Usage(String),
    /// The file cannot be read.
    Input(String),
}

impl Failure {
    fn input(name: impl fmt::Display, error: impl fmt::Display) -> Failure {
        Failure::Input(format!("{name} cannot be read: {error}"))
    }
}

/// Reads the file at `path`, or `stdin` where the path is `-`.
pub(crate) fn read(
    path: &Path,
    stdin: &mut dyn Read,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Transactions, Failure> {
    /// Rows between two reports of progress.
    const STEP: usize = 1 << 13;
    let Input { text, taken, length } = Input::open(path, stdin)?;
    let name = path.display();
    let at_line = |line: usize, error: std::io::Error| {
        Failure::input(&name, format!("{error} (after line {line})"))
    };

    let mut lines = Lines::new(text);
    let separator = choose_separator(&mut lines, options)
        .map_err(|e| Failure::input(&name, e))?
        .ok_or_else(|| Failure::Input(format!("{name} is empty")))?;
    let mut records = Records::new(lines, separator);
    match records.advance(None).map_err(|e| at_line(0, e))? {
        Found::Record => {}
        Found::End => return Err(Failure::Input(format!("{name} is empty"))),
        Found::TooLong | Found::OpenQuote => {
            return Err(Failure::input(
                &name,
                format!(
                    "line {} is no table row: it is longer than a mebibyte or its \
                     quote does not close",
                    records.line_number()
                ),
            ));
        }
    }
    let first = records.fields();
    let places = options.columns.resolve(first).map_err(|failure| match failure {
        Failure::Usage(text) => Failure::Usage(format!(
            "{text}\n{name} was split at {separator}; `--separator` sets another one"
        )),
        other => other,
    })?;
    let mut rows = Rows::new(options, places, first);
    if !rows.header {
        rows.add(records.line_number(), first, observer)?;
    }
    loop {
        let found = records.advance(Some(rows.width));
        let line = records.line_number();
        match found.map_err(|e| at_line(line, e))? {
            Found::Record => rows.add(line, records.fields(), observer)?,
            Found::TooLong => {
                rows.bad(observer, Reason::LongLine, too_long(line));
            }
            Found::OpenQuote => {
                rows.bad(observer, Reason::OpenQuote, open_quote(line));
            }
            Found::End => break,
        }
        if rows.n_rows % STEP == 0 {
            let part = |length: u64| taken.get() as f64 / length.max(1) as f64;
            observer.progress(rows.n_rows, length.map(part));
        }
    }
    rows.finish(separator)
}

/// The separator asked for, or the one that the first lines show. `None` when there is
/// no line with text.
fn choose_separator<R: BufRead>(
    lines: &mut Lines<R>,
    options: &Options,
) -> std::io::Result<Option<Separator>> {
    const MOST_LINES: usize = 100;
    const MOST_BYTES: usize = 1 << 20;
    let (mut sample, mut n_bytes, mut line) = (Vec::new(), 0, Line::default());
    while sample.len() < MOST_LINES
        && n_bytes < MOST_BYTES
        && lines.next_into(&mut line)?
    {
        n_bytes += line.text.len();
        sample.push(std::mem::take(&mut line));
    }
    let texts: Vec<&[u8]> = sample
        .iter()
        .map(|line| line.text.as_slice())
        .filter(|text| !text.trim_ascii().is_empty())
        .collect();
    let separator = if texts.is_empty() {
        None
    } else {
        let detect = || Separator::detect(&texts, |first| options.columns.fit(first));
        Some(options.separator.unwrap_or_else(detect))
    };
    lines.hand_back(sample);
    Ok(separator)
}

/// Turns the fields of rows into records.
struct Rows<'o> {
    options: &'o Options,
    places: Places,
    header: bool,
    /// The names in the header; empty where there is none.
    names: Vec<String>,
    width: Width,
    days: Days,
    amounts: Amounts,
    customers: Interner,
    orders: Interner,
    n_rows: usize,
    by_reason: BTreeMap<Reason, usize>,
    rounded: usize,
    records: Vec<Record>,
}

impl<'o> Rows<'o> {
    fn new(options: &'o Options, places: Places, first: &Splitter) -> Rows<'o> {
        let days = Days::new(options.date_format);
        let amounts = Amounts::new(options.decimal);
        let header = options.columns.have_names()
            || looks_like_names(first, &places, days.clone(), amounts.clone());
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
            // In a row of data an empty field at the end says nothing about the others.
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

    fn add(
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

    fn bad(&mut self, observer: &mut dyn Observer, reason: Reason, row: BadRow) {
        self.skip(reason);
        observer.bad_row(&row);
    }

    fn record(&mut self, line: usize, fields: &Splitter) -> Result<Record, Skip> {
        let bad = |reason, column, found, expected: String| {
            Skip::Bad(reason, BadRow { line, column, found, expected })
        };
        if !self.width.holds(fields) {
            let (found, expected) = (fields.len(), self.width.most);
            return Err(bad(
                Reason::WrongFields,
                None,
                format!("{found} fields"),
                format!("{expected}"),
            ));
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
    fn amount(
        &mut self,
        fields: &Splitter,
    ) -> Result<(i64, bool), (usize, amount::AmountError)> {
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
        let product = product.ok_or((last, amount::AmountError::NotANumber))?;
        product.to_minor().map_err(|e| (last, e))
    }

    fn column_name(&self, place: usize) -> String {
        match self.names.get(place) {
            Some(name) => shown(name.as_bytes()),
            None => (place + 1).to_string(),
        }
    }

    fn finish(self, separator: Separator) -> Result<Transactions, Failure> {
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

fn too_long(line: usize) -> BadRow {
    BadRow {
        line,
        column: None,
        found: format!("more than {} bytes", lines::LONGEST_LINE),
        expected: "a row of a table".to_owned(),
    }
}

fn open_quote(line: usize) -> BadRow {
    BadRow {
        line,
        column: None,
        found: "a quote that does not close".to_owned(),
        expected: "a `\"` at the end of the field".to_owned(),
    }
}

/// Text of a file in backticks: shortened, and without what could steer a terminal.
pub(crate) fn shown(text: &[u8]) -> String {
    const MOST: usize = 40;
    let start = &text[..text.len().min(4 * MOST)];
    let text = String::from_utf8_lossy(start);
    let mut short: String =
        text.chars().take(MOST).flat_map(char::escape_debug).collect();
    short = short.replace("\\\"", "\"").replace("\\'", "'");
    let dots = if text.chars().count() > MOST { "…" } else { "" };
    format!("`{short}{dots}`")
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
