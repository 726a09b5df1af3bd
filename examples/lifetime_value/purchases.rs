//! The purchases, wherever they come from.

use std::ffi::OsString;
use std::io;

use segmenta::data::Date;

use super::args::{self, Request};
use super::reader::{self, BadRow, Failure};
use super::shop;

/// Purchases of positive value, in columns; customers are numbered.
pub(crate) struct Purchases {
    pub(crate) names: Vec<String>,
    pub(crate) customers: Vec<u64>,
    pub(crate) days: Vec<i32>,
    pub(crate) cents: Vec<i64>,
    /// The last day.
    pub(crate) until: Date,
}

impl Purchases {
    fn new(names: Vec<String>, rows: Vec<(u64, Date, i64)>) -> Option<Purchases> {
        let until = rows.iter().map(|row| row.1).max()?;
        Some(Purchases {
            names,
            customers: rows.iter().map(|row| row.0).collect(),
            days: rows.iter().map(|row| row.1.days_since_epoch()).collect(),
            cents: rows.iter().map(|row| row.2).collect(),
            until,
        })
    }

    /// Those of the made-up shop.
    pub(crate) fn of_shop() -> Purchases {
        let shoppers = shop::shoppers(4000, 7);
        let names =
            shoppers.iter().map(|shopper| format!("shopper {}", shopper.id)).collect();
        let rows = shoppers.iter().zip(0_u64..).flat_map(|(shopper, i)| {
            let sales = shopper.purchases.iter().filter(|sale| sale.amount_minor > 0);
            sales.map(move |sale| (i, sale.day, sale.amount_minor))
        });
        // The shop has customers.
        Purchases::new(names, rows.collect()).unwrap_or_else(|| unreachable!())
    }

    /// Those of a file, as the arguments describe it.
    pub(crate) fn of_file(
        arguments: impl Iterator<Item = OsString>,
    ) -> Result<Purchases, String> {
        let args = match args::parse(arguments)? {
            Request::Run(args) => args,
            Request::Help => return Err("see --help".to_owned()),
        };
        let read =
            reader::read(&args.file, &mut io::stdin().lock(), &args.reading, &mut Quiet)
                .map_err(|failure| match failure {
                    Failure::Usage(text) | Failure::Input(text) => text,
                })?;
        println!("{} rows read, {} skipped", read.rows, read.skipped);
        let rows =
            read.records.iter().filter(|record| record.amount_minor > 0).map(|record| {
                (u64::from(record.customer), record.day, record.amount_minor)
            });
        let rows: Vec<_> = rows.collect();
        Purchases::new(read.customers, rows)
            .ok_or_else(|| "there is no purchase".to_owned())
    }
}

/// Skipped rows are counted, and that is all.
struct Quiet;

impl reader::Observer for Quiet {
    fn bad_row(&mut self, _: &BadRow) {}
    fn progress(&mut self, _: usize, _: Option<f64>) {}
}
