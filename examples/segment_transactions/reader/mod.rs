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
mod rows;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

use segmenta::data::Date;
use serde::Serialize;

pub(crate) use self::amount::DecimalMark;
pub(crate) use self::columns::{Column, Columns};
pub(crate) use self::day::DateFormat;
pub(crate) use self::fields::Separator;
use self::input::Input;
use self::lines::{Line, Lines};
use self::records::{Found, Records};
use self::rows::Rows;

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
    let name = file_name(path);
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
        if rows.n_rows.is_multiple_of(STEP) {
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

/// What a path is called in messages.
pub(crate) fn file_name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "the standard input".to_owned()
    } else {
        path.display().to_string()
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
