//! The arguments of the program.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, ValueExt};
use segmenta::data::Date;
use segmenta::error::similar_names;

use super::reader::{Column, Columns, DateFormat, DecimalMark, Options, Separator};

pub(crate) const HELP: &str = "\
Segments the customers of a file of transactions.

usage: segment_transactions FILE --customer COL --date COL --amount COL [options]

FILE holds one transaction a line, as text or packed by gzip; `-` is the standard
input. COL is the name of a column, or its number counted from 1.

  --customer COL         the customer's id
  --date COL             the day of the purchase
  --amount COL           the amount paid, or a product such as Quantity*UnitPrice
  --order COL            the order's id, where an order takes several lines
  --as-of YYYY-MM-DD     the day from which to look back [the last day in FILE]
  --cancelled-prefix P   leave out orders whose id starts with P
  --drop-zero            leave out rows whose amount is zero
  --separator S          comma, tab, semicolon, blanks or a character [found out]
  --date-format F        YYYY-MM-DD, YYYYMMDD, DD/MM/YYYY or MM/DD/YYYY [found out;
                         DD/MM/YYYY where the dates leave it open]
  --decimal MARK         point or comma, what stands before the cents [point]
  --json                 print JSON instead of text
  --help                 print this text

Without names the first line is taken for a header when neither its date nor its
amount can be read. Rows that cannot be read are reported, skipped and counted.
Amounts are exact to the cent; products are rounded to it, halves to even.

examples:
  segment_transactions CDNOW_master.txt --customer 1 --date 2 --amount 4
  segment_transactions online_retail.csv.gz --customer CustomerID \\
      --date InvoiceDate --amount 'Quantity*UnitPrice' --order InvoiceNo

exit status: 0 done, 1 the input cannot be read, 2 the arguments are wrong
";

const LONG_OPTIONS: [&str; 12] = [
    "amount",
    "as-of",
    "cancelled-prefix",
    "customer",
    "date",
    "date-format",
    "decimal",
    "drop-zero",
    "help",
    "json",
    "order",
    "separator",
];

/// What the program is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) file: PathBuf,
    pub(crate) reading: Options,
    pub(crate) as_of: Option<Date>,
    pub(crate) json: bool,
}

/// The arguments, or a request for [`HELP`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Run(Box<Args>),
    Help,
}

/// Reads the arguments that follow the program's name. The error says what is wrong.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut given = Given::default();
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Request::Help),
            Arg::Long("json") => given.json = true,
            Arg::Long("drop-zero") => given.drop_zero = true,
            Arg::Value(file) => set(&mut given.file, file, "FILE")?,
            Arg::Short(letter) => return Err(format!("there is no option `-{letter}`")),
            Arg::Long(name) => {
                let name = name.to_owned();
                if !LONG_OPTIONS.contains(&name.as_str()) {
                    return Err(unknown(&name));
                }
                let value = parser.value().map_err(|e| e.to_string())?;
                let value = value.string().map_err(|e| format!("--{name}: {e}"))?;
                given.set(&name, value)?;
            }
        }
    }
    given.finish().map(|args| Request::Run(Box::new(args)))
}

/// The arguments seen so far.
#[derive(Default)]
struct Given {
    file: Option<OsString>,
    customer: Option<String>,
    date: Option<String>,
    amount: Option<String>,
    order: Option<String>,
    as_of: Option<Date>,
    cancelled_prefix: Option<String>,
    separator: Option<Separator>,
    date_format: Option<DateFormat>,
    decimal: Option<DecimalMark>,
    drop_zero: bool,
    json: bool,
}

impl Given {
    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        let option = format!("--{name}");
        if value.trim().is_empty() && name != "separator" {
            return Err(format!("`{option}` needs a value"));
        }
        let wrong = |expected: &str| {
            Err(format!("`{option}` must be {expected}, but is `{value}`"))
        };
        match name {
            "customer" => set(&mut self.customer, value, &option),
            "date" => set(&mut self.date, value, &option),
            "amount" => set(&mut self.amount, value, &option),
            "order" => set(&mut self.order, value, &option),
            "cancelled-prefix" => set(&mut self.cancelled_prefix, value, &option),
            "as-of" => match value.parse() {
                Ok(day) => set(&mut self.as_of, day, &option),
                Err(_) => wrong("a day YYYY-MM-DD of the calendar"),
            },
            "separator" => match Separator::from_name(&value) {
                Some(separator) => set(&mut self.separator, separator, &option),
                None => wrong("`comma`, `tab`, `semicolon`, `blanks` or one character"),
            },
            "date-format" => {
                let named = |f: &DateFormat| f.name().eq_ignore_ascii_case(&value);
                match DateFormat::ALL.into_iter().find(named) {
                    Some(format) => set(&mut self.date_format, format, &option),
                    None => {
                        wrong("`YYYY-MM-DD`, `YYYYMMDD`, `DD/MM/YYYY` or `MM/DD/YYYY`")
                    }
                }
            }
            "decimal" => match value.as_str() {
                "point" => set(&mut self.decimal, DecimalMark::Point, &option),
                "comma" => set(&mut self.decimal, DecimalMark::Comma, &option),
                _ => wrong("`point` or `comma`"),
            },
            _ => Err(unknown(name)),
        }
    }

    fn finish(self) -> Result<Args, String> {
        let needed = |value: Option<String>, option: &str, what: &str| {
            value.ok_or_else(|| {
                format!("`{option} COL` is missing: which column holds {what}?")
            })
        };
        let file =
            self.file.ok_or("FILE is missing: which file holds the transactions?")?;
        let columns = Columns {
            customer: Column::new(&needed(self.customer, "--customer", "the customer")?),
            date: Column::new(&needed(self.date, "--date", "the date")?),
            amount: needed(self.amount, "--amount", "the amount")?,
            order: self.order.as_deref().map(Column::new),
        };
        if self.cancelled_prefix.is_some() && columns.order.is_none() {
            return Err("`--cancelled-prefix` needs `--order COL`".to_owned());
        }
        let reading = Options {
            columns,
            separator: self.separator,
            date_format: self.date_format,
            decimal: self.decimal,
            cancelled_prefix: self.cancelled_prefix,
            drop_zero: self.drop_zero,
        };
        Ok(Args { file: file.into(), reading, as_of: self.as_of, json: self.json })
    }
}

fn set<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("`{name}` is given twice")),
    }
}

fn unknown(name: &str) -> String {
    let hint = similar_names(name, LONG_OPTIONS).into_iter().next();
    let hint = hint.map(|similar| format!("; did you mean `--{similar}`?"));
    format!("there is no option `--{name}`{}", hint.unwrap_or_default())
}
