//! Finds the columns that the user named.

use std::fmt;

use segmenta::error::similar_names;

use super::fields::Splitter;
use super::{Failure, shown};

/// A column, as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Counted from 1.
    Number(usize),
    Name(String),
}

impl Column {
    /// Digits are a number, everything else is a name.
    pub(crate) fn new(text: &str) -> Column {
        let text = text.trim();
        match text.parse() {
            Ok(number) if text.bytes().all(|b| b.is_ascii_digit()) => {
                Column::Number(number)
            }
            _ => Column::Name(text.to_owned()),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Column::Number(number) => write!(f, "{number}"),
            Column::Name(name) => f.write_str(name),
        }
    }
}

/// The columns that hold a transaction, as the user gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) customer: Column,
    pub(crate) date: Column,
    /// A column, or several with `*` between them.
    pub(crate) amount: String,
    pub(crate) order: Option<Column>,
}

impl Columns {
    /// True when a column is given by its name, so that the first line must hold names.
    pub(crate) fn have_names(&self) -> bool {
        let factors = self.factors();
        self.single().chain(&factors).any(|column| matches!(column, Column::Name(_)))
    }

    /// True when the first line can be the first line of this file.
    pub(crate) fn fit(&self, first: &Splitter) -> bool {
        self.resolve(first).is_ok()
    }

    /// The positions of the columns, from the first line.
    pub(crate) fn resolve(&self, first: &Splitter) -> Result<Places, Failure> {
        let factors = self.factors();
        let whole = Column::new(&self.amount);
        // A name may hold the sign of multiplication: the whole of it goes first.
        let amount = match position(&whole, first) {
            Ok(place) => vec![place],
            _ => factors.iter().map(|c| position(c, first)).collect::<Result<_, _>>()?,
        };
        Ok(Places {
            customer: position(&self.customer, first)?,
            date: position(&self.date, first)?,
            amount,
            order: self.order.as_ref().map(|c| position(c, first)).transpose()?,
        })
    }

    fn factors(&self) -> Vec<Column> {
        self.amount.split('*').map(Column::new).collect()
    }

    fn single(&self) -> impl Iterator<Item = &Column> {
        [&self.customer, &self.date].into_iter().chain(&self.order)
    }
}

/// Positions of the columns in a record, from 0.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) customer: usize,
    pub(crate) date: usize,
    pub(crate) amount: Vec<usize>,
    pub(crate) order: Option<usize>,
}

impl Places {
    /// The last position that is needed.
    pub(crate) fn last(&self) -> usize {
        let single = [self.customer, self.date];
        single.into_iter().chain(self.amount.clone()).chain(self.order).max().unwrap_or(0)
    }
}

fn position(column: &Column, first: &Splitter) -> Result<usize, Failure> {
    let name = match column {
        Column::Number(number @ 1..) if *number <= first.len() => return Ok(number - 1),
        Column::Number(number) => {
            let n = first.len();
            let what = if n == 1 { "column" } else { "columns" };
            return Err(Failure::Usage(format!(
                "there is no column {number}: the first line has {n} {what}, counted \
                 from 1"
            )));
        }
        Column::Name(name) => name,
    };
    let mut found = (0..first.len()).filter(|&i| first.field(i) == name.as_bytes());
    match (found.next(), found.next()) {
        (Some(i), None) => Ok(i),
        (Some(i), Some(j)) => Err(Failure::Usage(format!(
            "columns {} and {} are both named `{name}`: give the number instead",
            i + 1,
            j + 1
        ))),
        (None, _) => Err(unknown(name, first)),
    }
}

fn unknown(name: &str, first: &Splitter) -> Failure {
    const MOST: usize = 20;
    let names: Vec<&str> =
        first.iter().take(1000).filter_map(|n| str::from_utf8(n).ok()).collect();
    let similar = similar_names(name, names);
    let hint = similar.first().map(|s| format!("; did you mean `{s}`?"));
    let mut all: Vec<String> = first.iter().take(MOST).map(shown).collect();
    if first.len() > MOST {
        all.push(format!("and {} more", first.len() - MOST));
    }
    Failure::Usage(format!(
        "no column is named `{name}`{}\nthe columns are {}",
        hint.unwrap_or_default(),
        all.join(", ")
    ))
}
