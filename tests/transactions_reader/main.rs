//! The file reader of the example `segment_transactions`, on small files in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

// The example is compiled into this test, which calls its `run` and not its `main`.
#[allow(dead_code)]
#[path = "../../examples/segment_transactions/main.rs"]
mod program;

mod amounts;
mod columns;
mod days;
mod layout;
mod program_as_a_whole;
mod properties;
mod skipping;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use program::args::{Request, parse};
use program::reader::{BadRow, Failure, Observer, Reason, Transactions, read};
use program::report::{Summary, bar};
use segmenta::data::Date;

const BY_NAME: &str = "--customer id --date day --amount paid";
const BY_NUMBER: &str = "--customer 1 --date 2 --amount 3";

fn words(text: &str) -> impl Iterator<Item = OsString> {
    text.split_whitespace().map(OsString::from)
}

/// Exit status, standard output and standard error of the program reading `input`.
fn run(args: &str, input: &[u8]) -> (u8, String, String) {
    run_at(args, &mut { input }, false)
}

fn run_at(args: &str, stdin: &mut dyn Read, terminal: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = program::run(words(args), stdin, &mut out, &mut err, terminal);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[derive(Default)]
struct Seen(Vec<BadRow>);

impl Observer for Seen {
    fn bad_row(&mut self, row: &BadRow) {
        self.0.push(row.clone());
    }

    fn progress(&mut self, _: usize, part: Option<f64>) {
        assert!(part.is_none_or(|part| (0.0..=1.0).contains(&part)), "{part:?}");
    }
}

fn try_read(
    args: &str,
    input: impl AsRef<[u8]>,
) -> (Result<Transactions, Failure>, Vec<BadRow>) {
    let Request::Run(args) = parse(words(&format!("- {args}"))).unwrap() else {
        panic!("no help was asked for");
    };
    let mut seen = Seen::default();
    let result = read(Path::new("-"), &mut input.as_ref(), &args.reading, &mut seen);
    if let Ok(read) = &result {
        assert_eq!(read.rows, read.records.len() + read.skipped);
        assert_eq!(read.skipped, read.by_reason.values().sum::<usize>());
    }
    (result, seen.0)
}

/// Reads a file that can be read.
fn table(args: &str, input: impl AsRef<[u8]>) -> (Transactions, Vec<BadRow>) {
    let (result, bad) = try_read(args, input);
    (result.unwrap(), bad)
}

/// The records as `customer day cents`.
fn rows(read: &Transactions) -> Vec<String> {
    let row = |r: &program::reader::Record| {
        let customer = &read.customers[r.customer as usize];
        format!("{customer} {} {}", r.day, r.amount_minor)
    };
    read.records.iter().map(row).collect()
}

fn usage(args: &str, input: impl AsRef<[u8]>) -> String {
    match try_read(args, input).0.unwrap_err() {
        Failure::Usage(text) => text,
        Failure::Input(text) => panic!("not a usage error: {text}"),
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The day and amount of one row, or what was said about it.
fn cell(args: &str, day: &str, paid: &str) -> Result<(Date, i64), String> {
    // The first rows settle the formats, so that a strange row is only one fault.
    let text = format!(
        "id\tday\tpaid\nA\t13/01/2011\t1.5\nA\t2011-01-13\t1,5\nB\t{day}\t{paid}\n"
    );
    let (result, bad) = try_read(&format!("--separator tab {BY_NAME} {args}"), text);
    let read = result.map_err(|failure| format!("{failure:?}"))?;
    match read.records.last() {
        Some(r) if read.customers[r.customer as usize] == "B" => {
            Ok((r.day, r.amount_minor))
        }
        _ => Err(bad.last().unwrap().expected.clone()),
    }
}

fn data(file: &str) -> PathBuf {
    let folder = std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA is set");
    let path = Path::new(&folder).join(file);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// The summary of a real file. The segmentation that follows it is tested elsewhere.
fn real(file: &str, args: &str) -> serde_json::Value {
    let file = data(file).display().to_string();
    let Request::Run(args) = parse(words(&format!("{file} {args}"))).unwrap() else {
        panic!("no help was asked for");
    };
    let mut seen = Seen::default();
    let read = read(&args.file, &mut io::empty(), &args.reading, &mut seen).unwrap();
    assert_eq!(seen.0, []);
    serde_json::to_value(Summary::new(&args, &read)).unwrap()
}

/// Counts from the description of the data; the sum is that of the file's last column.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_is_read_whole() {
    for args in [
        "--customer 1 --date 2 --amount 4",
        "--customer customer_id --date date --amount dollar_value",
    ] {
        let json = real("cdnow/CDNOW_master.txt", args);
        assert_eq!((&json["rows"], &json["skipped"]), (&69_659.into(), &0.into()));
        assert_eq!(json["customer_ids"], 23_570);
        assert_eq!(json["header"], true);
        assert_eq!(json["first_day"], "1997-01-01");
        assert_eq!(json["last_day"], "1998-06-30");
        assert_eq!(json["amount_minor"], 250_031_563);
    }
    let json = real("cdnow/CDNOW_sample.txt", "--customer 1 --date 3 --amount 5");
    assert_eq!((&json["rows"], &json["skipped"]), (&6_919.into(), &0.into()));
    assert_eq!((&json["customer_ids"], &json["header"]), (&2_357.into(), &false.into()));
}

/// Counts from the description of the data; sum and rounded rows by Python's `csv` and
/// `decimal` (`ROUND_HALF_EVEN`).
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_online_retail_is_read_whole() {
    let args = "--customer CustomerID --date InvoiceDate --amount Quantity*UnitPrice \
                --order InvoiceNo --cancelled-prefix C";
    let json = real("online_retail/online_retail.csv.gz", args);
    assert_eq!(json["rows"], 541_909);
    assert_eq!(json["by_reason"]["no_customer"], 135_080);
    assert_eq!(json["by_reason"]["cancelled"], 8_905);
    assert_eq!(json["skipped"], 143_985);
    assert_eq!(json["customer_ids"], 4_339);
    assert_eq!(json["amount_minor"], 891_140_790);
    assert_eq!(json["rounded"], 4);
}
