//! What the program says: bad rows and progress while it reads, a summary at the end.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use segmenta::data::Date;
use segmenta::segmenter::Progress;
use serde::Serialize;

use super::args::Args;
use super::reader::{BadRow, Observer, Reason, Transactions, file_name};
use super::segmentation::Segmentation;

/// The standard error, with a line of progress where it is a terminal.
pub(crate) struct Console<'a> {
    out: &'a mut dyn Write,
    terminal: bool,
    /// When the line of progress was written last; `None` when there is none.
    drawn: Option<Instant>,
    started: Instant,
    bad_rows: usize,
}

impl<'a> Console<'a> {
    /// Bad rows that are shown in full.
    const SHOWN: usize = 10;
    /// Between two lines of progress, and before the first.
    const PAUSE: Duration = Duration::from_millis(100);

    pub(crate) fn new(out: &'a mut dyn Write, terminal: bool) -> Console<'a> {
        Console { out, terminal, drawn: None, started: Instant::now(), bad_rows: 0 }
    }

    /// Writes a line. Nothing can be done about a standard error that does not take it.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        let _ = writeln!(self.out, "{text}");
    }

    /// Shows how far long work is, on a terminal.
    pub(crate) fn working(&mut self, progress: &Progress) {
        let last = self.drawn.unwrap_or(self.started);
        if !self.terminal || last.elapsed() < Self::PAUSE {
            return;
        }
        let Progress { stage, done, total, .. } = progress;
        let part = bar(*done as f64 / (*total).max(1) as f64);
        let _ = write!(self.out, "\r{stage}{part}, step {done} of at most {total}\x1b[K");
        let _ = self.out.flush();
        self.drawn = Some(Instant::now());
    }

    /// Removes the line of progress and counts the bad rows that were not shown.
    pub(crate) fn finish(&mut self) {
        self.clear();
        if self.bad_rows > Self::SHOWN {
            let more = grouped(self.bad_rows - Self::SHOWN);
            self.say(&format!("{more} more rows were skipped likewise"));
        }
        self.bad_rows = 0;
    }

    fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(self.out, "\r\x1b[K");
        }
    }
}

impl Observer for Console<'_> {
    fn bad_row(&mut self, row: &BadRow) {
        self.bad_rows += 1;
        if self.bad_rows <= Self::SHOWN {
            let BadRow { line, column, found, expected } = row;
            let column = column.as_ref().map(|c| format!(", column {c}"));
            let column = column.unwrap_or_default();
            self.say(&format!(
                "line {line}{column}: found {found}, expected {expected}; skipped"
            ));
        }
    }

    fn progress(&mut self, rows: usize, part: Option<f64>) {
        let last = self.drawn.unwrap_or(self.started);
        if !self.terminal || last.elapsed() < Self::PAUSE {
            return;
        }
        let rows = grouped(rows);
        let part = part.map(bar).unwrap_or_default();
        let _ = write!(self.out, "\rreading{part}, {rows} rows\x1b[K");
        let _ = self.out.flush();
        self.drawn = Some(Instant::now());
    }
}

/// What was read, in figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    file: String,
    separator: String,
    header: bool,
    rows: usize,
    skipped: usize,
    by_reason: BTreeMap<Reason, usize>,
    customer_ids: usize,
    /// `None` where no column holds orders.
    orders: Option<usize>,
    first_day: Option<Date>,
    last_day: Option<Date>,
    as_of: Option<Date>,
    /// In cents. It may exceed what one row can hold.
    amount_minor: i128,
    rounded: usize,
    notes: Vec<String>,
}

impl Summary {
    pub(crate) fn new(args: &Args, read: &Transactions) -> Summary {
        let days = || read.records.iter().map(|record| record.day);
        let amounts = read.records.iter().map(|record| i128::from(record.amount_minor));
        let has_orders = args.reading.columns.order.is_some();
        Summary {
            file: file_name(&args.file),
            separator: read.separator.to_string(),
            header: read.header,
            rows: read.rows,
            skipped: read.skipped,
            by_reason: read.by_reason.clone(),
            customer_ids: read.customers.len(),
            orders: has_orders.then_some(read.orders.len()),
            first_day: days().min(),
            last_day: days().max(),
            as_of: args.as_of.or(days().max()),
            amount_minor: amounts.sum(),
            rounded: read.rounded,
            notes: read.notes.clone(),
        }
    }

    /// Writes the summary for people.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = if self.header { "names in the first line" } else { "no names" };
        writeln!(out, "{}: separated by {}, {header}", self.file, self.separator)?;
        let (rows, skipped) = (grouped(self.rows), grouped(self.skipped));
        writeln!(out, "rows       {rows}, {skipped} skipped")?;
        for (reason, &count) in &self.by_reason {
            writeln!(out, "           {} {reason}", grouped(count))?;
        }
        writeln!(out, "customers  {}", grouped(self.customer_ids))?;
        if let Some(orders) = self.orders {
            writeln!(out, "orders     {}", grouped(orders))?;
        }
        if let (Some(first), Some(last)) = (self.first_day, self.last_day) {
            writeln!(out, "days       {first} to {last}")?;
        }
        if let Some(as_of) = self.as_of {
            writeln!(out, "as of      {as_of}")?;
        }
        writeln!(out, "amount     {}", money(self.amount_minor))?;
        if self.rounded > 0 {
            let rounded = grouped(self.rounded);
            writeln!(out, "           {rounded} rounded to the cent")?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        Ok(())
    }

    /// The day from which to look back; `None` where no row can be used.
    pub(crate) fn as_of(&self) -> Option<Date> {
        self.as_of
    }

    /// Writes one object with all figures for programs.
    pub(crate) fn write_json(
        &self,
        segmentation: &Segmentation,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        #[derive(Serialize)]
        struct All<'a> {
            #[serde(flatten)]
            summary: &'a Summary,
            #[serde(flatten)]
            segmentation: &'a Segmentation,
        }
        serde_json::to_writer_pretty(&mut *out, &All { summary: self, segmentation })?;
        writeln!(out)
    }
}

/// `0.25` as ` [#####               ]  25 %`. What is beyond the ends counts as the ends.
pub(crate) fn bar(part: f64) -> String {
    const WIDTH: usize = 20;
    let part = part.clamp(0.0, 1.0);
    let done = (part * WIDTH as f64) as usize;
    format!(" [{:<WIDTH$}] {:3.0} %", "#".repeat(done), 100.0 * part)
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Cents as units with two decimals.
pub(crate) fn money(minor: i128) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let (units, cents) = (minor.unsigned_abs() / 100, minor.unsigned_abs() % 100);
    format!("{sign}{}.{cents:02}", grouped(units))
}
