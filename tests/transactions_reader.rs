//! The file reader of the example `segment_transactions`, on small files in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

// The example is compiled into this test, which calls its `run` and not its `main`.
#[allow(dead_code)]
#[path = "../examples/segment_transactions/main.rs"]
mod program;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use program::args::{Request, parse};
use program::reader::{BadRow, Failure, Observer, Reason, Transactions, read};
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

mod layout {
    use super::*;

    const EXPECTED: [&str; 2] = ["007 2011-12-01 1177", "8 2011-12-02 -250"];

    #[test]
    fn every_separator_is_found_out() {
        for (separator, name) in
            [(",", "commas"), ("\t", "tabs"), (";", "semicolons"), ("   ", "blanks")]
        {
            for end in ["\n", "\r\n"] {
                let lines = ["id day paid", "007 2011-12-01 11.77", "8 2011-12-02 -2.5"];
                let text = lines.join(end).replace(' ', separator);
                for text in [text.clone(), text + end] {
                    let (read, _) = table(BY_NAME, &text);
                    assert_eq!(read.separator.to_string(), name, "{text:?}");
                    assert_eq!(rows(&read), EXPECTED, "{text:?}");
                    assert!(read.header);
                    let (read, _) = table(BY_NUMBER, text.split_once('\n').unwrap().1);
                    assert_eq!(read.separator.to_string(), name, "{text:?}");
                    assert_eq!(rows(&read), EXPECTED, "{text:?}");
                    assert!(!read.header);
                }
            }
        }
    }

    #[test]
    fn blanks_within_fields_do_not_hide_the_separator() {
        let text = "day;paid;id;what\n2011-12-01 08:26;11,77;007;a b c\n\
                    2011-12-02 09:00;-2,50;8;d, e, f\n";
        let (read, _) = table(&format!("{BY_NAME} --decimal comma"), text);
        assert_eq!(read.separator.to_string(), "semicolons");
        assert_eq!(rows(&read), EXPECTED);
    }

    #[test]
    fn other_signs_within_fields_do_not_hide_the_separator_either() {
        let (read, _) = table(BY_NUMBER, "a b,2011-12-01 08:26,3, x y z\n");
        assert_eq!(rows(&read), ["a b 2011-12-01 300"]);
        // Split at the comma there would be two columns, and the third is asked for.
        let args = format!("{BY_NUMBER} --decimal comma");
        let (read, _) = table(&args, "a 20111201 11,77\nb 20111202 -2,50\n");
        assert_eq!(rows(&read), ["a 2011-12-01 1177", "b 2011-12-02 -250"]);
    }

    #[test]
    fn a_stated_separator_is_used() {
        let text = "id|day|paid\n007|2011-12-01|11.77\n8|2011-12-02|-2.5\n";
        let (read, _) = table(&format!("{BY_NAME} --separator |"), text);
        assert_eq!(rows(&read), EXPECTED);
        let message = usage(&format!("{BY_NAME} --separator tab"), text);
        assert!(
            message.contains("no column is named `paid`") || message.contains("`id`")
        );
        assert!(message.contains("split at tabs"), "{message}");
    }

    #[test]
    fn the_cdnow_layout_is_read_by_number() {
        let text = " customer_id date number_of_cds dollar_value\r\n 00001 19970101  \
                    1   11.77\r\n 00002 19970112  1   12.00\r\n";
        let (read, bad) = table("--customer 1 --date 2 --amount 4", text);
        assert_eq!(rows(&read), ["00001 1997-01-01 1177", "00002 1997-01-12 1200"]);
        assert!(read.header && bad.is_empty());
        assert_eq!(read.rows, 2);
    }

    #[test]
    fn a_first_line_with_one_fault_is_no_header() {
        let (read, bad) = table(BY_NUMBER, "a,2011-13-01,5\nb,2011-12-01,6\n");
        assert!(!read.header);
        assert_eq!((read.rows, read.skipped, bad[0].line), (2, 1, 1));
        assert_eq!(bad[0].column.as_deref(), Some("2"));
    }

    #[test]
    fn quoted_fields_hold_separators_quotes_and_line_ends() {
        let text = "id,what,day,paid\n\"a,b\",\"7\"\" plate\",2011-12-01,1\n\
                    c,\"two\nlines\",2011-12-02,2\nd,x\"y,2011-12-03,3\ne,,2011-13-03,4\n";
        let (read, bad) = table(BY_NAME, text);
        let expected = ["a,b 2011-12-01 100", "c 2011-12-02 200", "d 2011-12-03 300"];
        assert_eq!(rows(&read), expected);
        // The line end within a field counts as a line of the file.
        assert_eq!(bad[0].line, 6);
    }

    #[test]
    fn blanks_may_be_quoted_too() {
        let text = "\"id\" \"day\" \"paid\"\n \"a \"\"b\"\" c\"\t2011-12-01  1\n\"x 2011-12-01 2\n";
        let (read, _) = table(BY_NAME, text);
        assert_eq!(rows(&read), ["a \"b\" c 2011-12-01 100", "\"x 2011-12-01 200"]);
    }

    #[test]
    fn a_byte_order_mark_and_blank_lines_do_not_count() {
        let text =
            "\u{feff}id,day,paid\r\n\r\n007,2011-12-01,11.77\n   \n8,2011-12-02,-2.5\n\n";
        let (read, _) = table(BY_NAME, text);
        assert_eq!((read.rows, read.skipped), (2, 0));
        assert_eq!(rows(&read), EXPECTED);
    }

    #[test]
    fn only_the_columns_that_are_read_must_be_text() {
        let mut text = b"id,what,day,paid\na,\xA3 5,2011-12-01,1\n".to_vec();
        text.extend(b"\xE9,x,2011-12-01,1\nb\0,x,2011-12-01,1\nc,\0,2011-12-01,2\n");
        let (read, bad) = table(BY_NAME, &text);
        assert_eq!(rows(&read), ["a 2011-12-01 100", "c 2011-12-01 200"]);
        assert_eq!(read.by_reason[&Reason::BadCustomer], 2);
        assert_eq!(bad.iter().map(|b| b.line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn rows_of_another_length_are_skipped_since_their_columns_may_have_moved() {
        let text = "id,day,paid,\na,2011-12-01,1\nb,2011-12-01,2,,\nc,2011-12-01,3,x\n\
                    d,2011-12-01\ne,x,2011-12-01,4,5\nf\n";
        let (read, bad) = table(BY_NAME, text);
        let expected = ["a 2011-12-01 100", "b 2011-12-01 200", "c 2011-12-01 300"];
        assert_eq!(rows(&read), expected);
        assert_eq!(read.by_reason[&Reason::WrongFields], 3);
        assert_eq!((bad[2].line, bad[2].found.as_str()), (7, "1 field"));
    }

    #[test]
    fn a_quote_that_never_closes_costs_its_own_line_only() {
        for lines in [3, 99, 100, 101, 500] {
            let mut text = "id,day,paid\n\"a,2011-12-01,1\n".to_owned();
            text.push_str(&"b,2011-12-02,2\n".repeat(lines));
            let (read, bad) = table(BY_NAME, &text);
            assert_eq!((read.rows, read.records.len()), (lines + 1, lines));
            assert_eq!(read.by_reason[&Reason::OpenQuote], 1);
            assert_eq!(bad[0].line, 2);
            // A quote further down closes the field, but joins foreign rows.
            text.push_str("\"c\",2011-12-03,3\nd,x,4\n");
            let (read, bad) = table(BY_NAME, &text);
            assert_eq!((read.rows, read.records.len()), (lines + 3, lines + 1));
            assert_eq!(bad.iter().map(|b| b.line).collect::<Vec<_>>(), [2, lines + 4]);
        }
    }

    #[test]
    fn a_quote_that_closes_far_away_joins_no_rows() {
        let text = "id,day,paid\n\"a,2011-12-01,1\nb,2011-12-02,2\nc\",2011-12-03,3,4\n";
        let (read, bad) = table(BY_NAME, text);
        assert_eq!(rows(&read), ["b 2011-12-02 200"]);
        assert_eq!(bad.iter().map(|b| b.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn a_long_line_is_skipped_and_not_kept() {
        let long = "x".repeat((1 << 20) + 1);
        for end in ["\n", "\r\n"] {
            let fits = &long[..(1 << 20) - ",2011-12-01,1".len()];
            let text = format!(
                "id,day,paid{end}{long}{end}{long}{long}{end}{fits},2011-12-01,1{end}\
                 \"{long}{end}b,2011-12-01,2{end}{long}"
            );
            let (read, bad) = table(BY_NAME, &text);
            assert_eq!(read.by_reason[&Reason::LongLine], 4);
            assert_eq!(bad.iter().map(|b| b.line).collect::<Vec<_>>(), [2, 3, 5, 7]);
            assert_eq!(read.records.len(), 2);
        }
    }
}

mod columns {
    use super::*;

    #[test]
    fn a_misspelt_name_is_answered_with_the_right_one() {
        let message = usage(
            "--customer id --date day --amount Amout",
            "id,day,Amount\na,2011-12-01,1\n",
        );
        assert!(
            message.starts_with("no column is named `Amout`; did you mean `Amount`?"),
            "{message}"
        );
        assert!(message.contains("the columns are `id`, `day`, `Amount`"), "{message}");
    }

    #[test]
    fn a_number_beyond_the_columns_is_refused() {
        for number in ["0", "4", "99999999999999999999"] {
            let args = format!("--customer 1 --date 2 --amount {number}");
            let message = usage(&args, "a,2011-12-01,1\n");
            let start = if number.len() > 9 { "no column" } else { "there is no column" };
            assert!(message.starts_with(start), "{message}");
        }
    }

    #[test]
    fn a_name_that_occurs_twice_is_refused_and_its_number_is_not() {
        let text = "id,day,paid,paid\na,2011-12-01,1,2\n";
        let message = usage(BY_NAME, text);
        assert!(
            message.starts_with("columns 3 and 4 are both named `paid`"),
            "{message}"
        );
        let (read, _) = table("--customer id --date day --amount 4", text);
        assert_eq!(rows(&read), ["a 2011-12-01 200"]);
    }

    #[test]
    fn an_amount_may_be_a_product() {
        let text = "id,day,n,price,n*price\na,2011-12-01,-3,2.55,7\n";
        let at = |amount: &str| {
            let args = format!("--customer id --date day --amount {amount}");
            table(&args, text).0.records[0].amount_minor
        };
        assert_eq!(at("price*n"), -765);
        assert_eq!(at("3*4"), -765);
        assert_eq!(at("n*n*price"), 2295);
        // A column of that very name goes before the product.
        assert_eq!(at("n*price"), 700);
        let message = usage("--customer id --date day --amount n*", text);
        assert!(message.starts_with("no column is named ``"), "{message}");
    }

    #[test]
    fn a_number_is_never_looked_up_among_the_values_of_the_first_row() {
        let (read, _) = table("--customer 2 --date 3 --amount 1", "5,1,2011-12-01\n");
        assert_eq!(rows(&read), ["1 2011-12-01 500"]);
    }
}

mod days {
    use super::*;

    fn day(args: &str, text: &str) -> Result<String, String> {
        cell(args, text, "1").map(|(day, _)| day.to_string())
    }

    #[test]
    fn the_documented_forms_are_read() {
        for text in [
            "2011-12-03",
            "2011-12-03T08:26",
            "2011-12-03 08:26:59",
            "2011-12-03T23:59:60.123Z",
            "2011-12-03T00:00:00+01:00",
            "20111203",
            "20111203 08:26",
            "03/12/2011",
            "3/12/2011 8:26",
            "03.12.2011",
            "03-12-2011 11:59 PM",
            " 2011-12-03 ",
        ] {
            assert_eq!(day("", text).as_deref(), Ok("2011-12-03"), "{text}");
        }
        assert_eq!(day("", "29/02/2012").as_deref(), Ok("2012-02-29"));
    }

    #[test]
    fn what_is_no_day_is_refused_in_words() {
        for text in [
            "",
            "x",
            "2011",
            "2011-12",
            "2011-02-29",
            "2011-13-01",
            "2011-00-10",
            "0000-00-00",
            "0000-01-01",
            "0001-01-01",
            "1899-12-31",
            "99999-01-01",
            "-2011-01-01",
            "2011-1-1",
            "2011/12/03",
            "20111301",
            "20110229",
            "00000101",
            "201112031",
            "03/12/11",
            "31/11/2011",
            "003/12/2011",
            "3/12/99999",
            "03/12-2011",
            "1/2/2011/3",
            "2011-12-03 24:00",
            "2011-12-03 08",
            "2011-12-03 08:6",
            "2011-12-03 08:60",
            "2011-12-03 08:26:",
            "2011-12-03 08:26:61",
            "2011-12-03 08:26:59.",
            "2011-12-03 08:26 noon",
            "2011-12-03T08:26+1",
            "2011-12-03T",
            "２０１１-12-03",
            "3 Dec 2011",
        ] {
            let message = day("", text).unwrap_err();
            assert!(message.starts_with("a date YYYY-MM-DD"), "{text}: {message}");
        }
    }

    #[test]
    fn a_stated_format_is_the_only_one() {
        let named = "YYYY-MM-DD YYYYMMDD DD/MM/YYYY mm/dd/yyyy";
        let texts = ["2011-03-04", "20110304", "4/3/2011", "3/4/2011"];
        for (i, format) in named.split(' ').enumerate() {
            for (j, text) in texts.iter().enumerate() {
                let text = format!("id,day,paid\na,{text},1\n");
                let (read, _) = table(&format!("{BY_NAME} --date-format {format}"), text);
                let expected = match (i, j) {
                    (i, j) if i == j => vec!["a 2011-03-04 100"],
                    (2, 3) | (3, 2) => vec!["a 2011-04-03 100"],
                    _ => vec![],
                };
                assert_eq!(rows(&read), expected, "{format} {j}");
            }
        }
    }

    #[test]
    fn months_in_front_are_noticed_and_never_guessed() {
        let head = "id,day,paid\n";
        let unclear = format!("{head}a,01/02/2011,1\nb,05/05/2011,1\n");
        let (read, _) = table(BY_NAME, &unclear);
        assert_eq!(rows(&read), ["a 2011-02-01 100", "b 2011-05-05 100"]);
        assert!(read.notes[0].contains("`01/02/2011` was read as DD/MM/YYYY"));
        // Some dates are the same day both ways.
        let (read, _) = table(BY_NAME, format!("{head}b,05/05/2011,1\n"));
        assert!(read.notes.is_empty(), "{:?}", read.notes);
        // A day beyond 12 in front settles it.
        let (read, _) = table(BY_NAME, format!("{unclear}c,13/01/2011,1\n"));
        assert!(read.notes.is_empty(), "{:?}", read.notes);
        let month_first = format!("{unclear}c,12/25/2011,1\n");
        let message = usage(BY_NAME, &month_first);
        assert!(message.contains("`12/25/2011`"), "{message}");
        assert!(message.contains("--date-format MM/DD/YYYY"), "{message}");
        let args = format!("{BY_NAME} --date-format MM/DD/YYYY");
        assert_eq!(rows(&table(&args, &month_first).0)[2], "c 2011-12-25 100");
        // Both in one file: the one that contradicts is a fault of its row.
        let (read, bad) = table(BY_NAME, format!("{month_first}d,25/12/2011,1\n"));
        assert_eq!(read.by_reason[&Reason::BadDate], 1);
        assert_eq!((bad[0].line, bad[0].found.as_str()), (4, "`12/25/2011`"));
    }
}

mod amounts {
    use super::*;

    fn cents(args: &str, text: &str) -> Result<i64, String> {
        cell(args, "2011-12-03", text).map(|(_, cents)| cents)
    }

    #[test]
    fn decimals_are_exact() {
        for (text, expected) in [
            ("11.77", 1177),
            ("+11.77", 1177),
            ("-11.7", -1170),
            ("0", 0),
            ("-0.00", 0),
            ("007", 700),
            (".5", 50),
            ("5.", 500),
            ("1.10", 110),
            ("1,234.50", 123_450),
            ("-1,234,567", -123_456_700),
            ("92233720368547758.07", i64::MAX),
            ("-92233720368547758.08", i64::MIN),
            ("1.5000000000000000000000000000000000000000000000000000000", 150),
        ] {
            assert_eq!(cents("", text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn halves_go_to_the_even_cent_and_are_counted() {
        for (text, expected) in [
            ("0.005", 0),
            ("0.015", 2),
            ("0.025", 2),
            ("-0.015", -2),
            ("-0.025", -2),
            ("0.0250000001", 3),
            ("0.0149999999", 1),
            ("-0.001", 0),
            ("0.00000000000000000000000000000000000001", 0),
        ] {
            let text = format!("id,day,paid\na,2011-12-03,{text}\nb,2011-12-03,0.010\n");
            let (read, _) = table(BY_NAME, &text);
            assert_eq!(read.records[0].amount_minor, expected, "{text}");
            assert_eq!(read.rounded, 1);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_in_words() {
        let number = "a decimal number such as";
        for (text, expected) in [
            ("", number),
            ("-", number),
            (".", number),
            ("--1", number),
            ("1-", number),
            ("1 000", number),
            ("$1.50", number),
            ("(1.50)", number),
            ("NaN", number),
            ("inf", number),
            ("e5", number),
            ("1.2.3", number),
            ("12,34.50", number),
            ("1,2345.00", number),
            ("0x10", number),
            ("１２", number),
            ("1e5", "a decimal number such as 1250.00, not one with an exponent"),
            ("-1.5E-3", "a decimal number such as 1250.00, not one with an exponent"),
            ("11,77", "a decimal point"),
            ("1.234,50", "a decimal point"),
            ("0,123", "a decimal point"),
            ("1,234", "a number that can be read in one way only"),
            ("92233720368547758.08", "an amount of fewer digits"),
            (&"9".repeat(50), "an amount of fewer digits"),
            (
                "0.0000000000000000000000000000000000000000001",
                "an amount of fewer digits",
            ),
        ] {
            let message = cents("", text).unwrap_err();
            assert!(message.starts_with(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_stated_mark_makes_the_other_one_group() {
        for (mark, text, expected) in [
            ("comma", "11,77", Some(1177)),
            ("comma", "1.234", Some(123_400)),
            ("comma", "1.234,50", Some(123_450)),
            ("comma", "1,234", Some(123)),
            ("comma", "11.77", None),
            ("comma", "1,234.50", None),
            ("point", "1,234", Some(123_400)),
            ("point", "1.234", Some(123)),
            ("point", "11,77", None),
        ] {
            let text = format!("id\tday\tpaid\na\t2011-12-03\t{text}\n");
            let (read, _) = table(&format!("{BY_NAME} --decimal {mark}"), &text);
            let cents = read.records.first().map(|r| r.amount_minor);
            assert_eq!(cents, expected, "{mark} {text}");
        }
    }

    #[test]
    fn a_file_of_decimal_commas_is_not_half_read() {
        let text = "id;day;paid\na;2011-12-03;11,77\nb;2011-12-03;1.234\n";
        let message = usage(BY_NAME, text);
        assert!(message.contains("`11,77`") && message.contains("--decimal comma"));
        let (read, _) = table(&format!("{BY_NAME} --decimal comma"), text);
        assert_eq!(rows(&read), ["a 2011-12-03 1177", "b 2011-12-03 123400"]);
        // Where the point is the mark elsewhere, the comma is a fault of its row.
        let (read, _) = table(BY_NAME, format!("{text}c;2011-12-03;1.5\n"));
        assert_eq!(read.by_reason[&Reason::BadAmount], 1);
    }

    #[test]
    fn a_product_beyond_the_range_is_refused() {
        let nines = "9".repeat(30);
        let text =
            format!("id,day,n,p\na,2011-12-03,{nines},{nines}\nb,2011-12-03,2,3\n");
        let (read, bad) = table("--customer id --date day --amount n*p", text);
        assert_eq!(rows(&read), ["b 2011-12-03 600"]);
        assert_eq!(bad[0].expected, "an amount of fewer digits");
    }
}

mod skipping {
    use super::*;

    const TEXT: &str = "id,day,paid,order\na,2011-12-01,5,1\n,2011-12-01,5,2\n\
                        a,2011-12-02,-5,C1\nb,2011-12-02,0,3\nb,2011-12-02,0.004,3\n\
                        b,2011-12-03,1,\n";

    #[test]
    fn by_default_only_rows_without_a_customer_go() {
        let (read, bad) = table(&format!("{BY_NAME} --order order"), TEXT);
        assert!(bad.is_empty());
        assert_eq!((read.rows, read.skipped), (6, 1));
        assert_eq!(read.by_reason[&Reason::NoCustomer], 1);
        let orders: Vec<_> = read.records.iter().map(|r| r.order).collect();
        assert_eq!(orders, [Some(0), Some(1), Some(2), Some(2), None]);
        assert_eq!(read.orders, ["1", "C1", "3"]);
        assert_eq!(read.customers, ["a", "b"]);
    }

    #[test]
    fn cancelled_orders_and_zeros_go_on_request() {
        let args = format!("{BY_NAME} --order order --cancelled-prefix C --drop-zero");
        let (read, bad) = table(&args, TEXT);
        assert!(bad.is_empty());
        assert_eq!(rows(&read), ["a 2011-12-01 500", "b 2011-12-03 100"]);
        assert_eq!(read.by_reason[&Reason::Cancelled], 1);
        assert_eq!(read.by_reason[&Reason::ZeroAmount], 2);
        assert_eq!(read.orders, ["1"]);
    }
}

mod program_as_a_whole {
    use super::*;

    #[test]
    fn the_summary_says_what_was_read() {
        let text = "id,day,paid\na,2011-12-01,1000\nb,2011-12-05,234.5\n,2011-12-03,1\n";
        let (code, out, err) = run(&format!("- {BY_NAME}"), text.as_bytes());
        assert_eq!((code, err.as_str()), (0, ""));
        for line in [
            "the standard input: separated by commas, names in the first line",
            "rows       3, 1 skipped",
            "           1 without a customer",
            "customers  2",
            "days       2011-12-01 to 2011-12-05",
            "as of      2011-12-05",
            "amount     1,234.50",
        ] {
            assert!(out.lines().any(|l| l == line), "{line:?} is not in\n{out}");
        }
    }

    #[test]
    fn json_says_the_same() {
        let text = b"id,day,paid\na,2011-12-01,1\nb,2011-12-05,-2.505\n,2011-12-03,1\n";
        let args = format!("- {BY_NAME} --json --as-of 2012-01-01");
        let (code, out, _) = run(&args, text);
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 0);
        assert_eq!(json["rows"], 3);
        assert_eq!(json["by_reason"]["no_customer"], 1);
        assert_eq!(json["amount_minor"], -150);
        assert_eq!(json["rounded"], 1);
        assert_eq!(json["as_of"], "2012-01-01");
        assert_eq!(json["last_day"], "2011-12-05");
        assert!(json["orders"].is_null());
    }

    #[test]
    fn bad_rows_are_shown_up_to_ten_and_then_counted() {
        let mut text = "id,day,paid\na,2011-12-01,1\n".to_owned();
        for i in 0..1200 {
            text.push_str(&format!("a,2011-12-01,\u{1b}[31mx{i}\n"));
        }
        let (code, out, err) = run(&format!("- {BY_NAME}"), text.as_bytes());
        assert_eq!(code, 0);
        let lines: Vec<_> = err.lines().collect();
        assert_eq!(lines.len(), 11);
        assert_eq!(
            lines[0],
            "line 3, column `paid`: found `\\u{1b}[31mx0`, expected a decimal number \
             such as -12.50; skipped"
        );
        assert_eq!(lines[10], "1,190 more rows were skipped likewise");
        assert!(out.contains("1,200 with an unreadable amount"), "{out}");
    }

    #[test]
    fn progress_is_shown_on_a_terminal_only() {
        /// Takes its time, so that a line of progress falls due.
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                std::thread::sleep(std::time::Duration::from_millis(60));
                self.0.read(buffer)
            }
        }
        let mut text = b"id,day,paid\n".to_vec();
        text.extend(b"a,2011-12-01,1\n".repeat(20_000));
        let args = format!("- {BY_NAME}");
        let (_, out, err) = run_at(&args, &mut Slow(&text), true);
        assert!(err.starts_with("\rreading, "), "{err:?}");
        assert!(err.ends_with("\r\u{1b}[K"), "{err:?}");
        let (_, piped, err) = run_at(&args, &mut Slow(&text), false);
        assert_eq!((piped, err), (out, String::new()));
    }

    #[test]
    fn help_names_every_option_and_is_no_error() {
        let (code, out, err) = run("--help", b"");
        assert_eq!((code, err.as_str()), (0, ""));
        let own = "customer date amount order as-of cancelled-prefix drop-zero separator \
                   date-format decimal json help";
        for option in own.split_whitespace() {
            assert!(out.contains(&format!("  --{option} ")), "{option}");
        }
    }

    #[test]
    fn wrong_arguments_end_with_2_and_a_hint() {
        for (args, expected) in [
            ("", "FILE is missing"),
            ("-", "`--customer COL` is missing"),
            ("- --customer 1 --date 2", "`--amount COL` is missing"),
            ("- x --customer 1", "`FILE` is given twice"),
            ("- --date 1 --date 2", "`--date` is given twice"),
            ("- --custmer 1", "no option `--custmer`; did you mean `--customer`?"),
            ("- -x", "no option `-x`"),
            ("- --json=yes", "json"),
            ("- --date", "date"),
            ("- --date=", "`--date` needs a value"),
            ("- --as-of 2011-02-29", "must be a day YYYY-MM-DD"),
            ("- --separator word", "must be `comma`"),
            ("- --date-format D/M/Y", "must be `YYYY-MM-DD`"),
            ("- --decimal dot", "must be `point` or `comma`"),
            (
                "- --customer 1 --date 2 --amount 3 --cancelled-prefix C",
                "needs `--order COL`",
            ),
            ("- --customer 1 --date 2 --amount 9", "there is no column 9"),
        ] {
            let (code, out, err) = run(args, b"a,2011-12-01,1\n");
            assert_eq!((code, out.as_str()), (2, ""), "{args}");
            assert!(
                err.starts_with("error: ") && err.contains(expected),
                "{args}: {err}"
            );
            assert!(err.contains("try `--help`"), "{args}: {err}");
        }
    }

    #[test]
    fn unreadable_input_ends_with_1() {
        let head = b"id,day,paid\n";
        let packed = gzip(&b"id,day,paid\na,2011-12-01,1\n".repeat(3000));
        let twice = gzip(&packed);
        let mut damaged = packed.clone();
        damaged[30] ^= 0xFF;
        let cases: [(&[u8], &str); 14] = [
            (b"", "the standard input is empty"),
            (b"\n\r\n  \n", "the standard input is empty"),
            (b"\xEF\xBB\xBF", "the standard input is empty"),
            (head, "has no row that can be used"),
            (b"id,day,paid", "has no row that can be used"),
            (b"id,day,paid\nx,y,z\n", "has no row that can be used"),
            (b"\"id,day,paid\na,2011-12-01,1\n", "line 1 is no table row"),
            (b"PK\x03\x04...", "spreadsheet or zip archive: save the sheet as CSV"),
            (b"\xFF\xFEi\0d\0", "UTF-16 text: save it as UTF-8"),
            (&packed[..packed.len() - 9], "cannot be read"),
            (&packed[..5], "cannot be read"),
            (&damaged, "cannot be read"),
            (&twice, "compressed by gzip twice"),
            (&packed[..2], "cannot be read"),
        ];
        for (input, expected) in cases {
            let args = if input.starts_with(b"\"") { BY_NUMBER } else { BY_NAME };
            let (code, _, err) = run(&format!("- {args}"), input);
            assert_eq!(code, 1, "{err}");
            assert!(err.contains(expected), "{expected}: {err}");
        }
        for path in ["/no/such/file", env!("CARGO_MANIFEST_DIR")] {
            let (code, _, err) = run(&format!("{path} {BY_NAME}"), b"");
            assert_eq!(code, 1);
            assert!(err.starts_with(&format!("error: {path} cannot be read: ")), "{err}");
        }
    }

    #[test]
    fn gzip_is_known_by_its_bytes_and_may_have_members() {
        let mut packed = gzip(b"\xEF\xBB\xBFid,day,paid\na,2011-");
        packed.extend(gzip(b"12-01,1\nb,2011-12-02,2\n"));
        let (read, _) = table(BY_NAME, &packed);
        assert_eq!(rows(&read), ["a 2011-12-01 100", "b 2011-12-02 200"]);
        let empty = gzip(b"");
        let (code, _, err) = run(&format!("- {BY_NAME}"), &empty);
        assert!(code == 1 && err.contains("is empty"), "{err}");
    }

    #[test]
    fn a_failing_source_or_sink_is_an_error_and_a_closed_pipe_is_none() {
        struct Fails(io::ErrorKind);
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
        }
        impl Write for Fails {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let start: &[u8] = b"id,day,paid\na,2011-12-01,1\n";
        let mut source = start.chain(Fails(io::ErrorKind::TimedOut));
        let (code, _, err) = run_at(&format!("- {BY_NAME}"), &mut source, false);
        assert!(code == 1 && err.contains("cannot be read"), "{err}");
        for (kind, expected) in
            [(io::ErrorKind::BrokenPipe, 0), (io::ErrorKind::StorageFull, 1)]
        {
            let args = words("- --customer id --date day --amount paid");
            let mut input = start;
            let out = &mut Fails(kind);
            let code = program::run(args, &mut input, out, &mut Fails(kind), false);
            assert_eq!(code, expected);
        }
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn quoted(text: &str) -> String {
        format!("\"{}\"", text.replace('"', "\"\""))
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(128)
        })]

        /// What a CSV writer wrote is read back, whatever the unread column holds.
        #[test]
        fn written_rows_are_read_back(
            written in prop::collection::vec(
                ("[a-z0-9 ,;\"é\t]{0,8}x", 0_i32..60_000, any::<i64>(), "[a,;\"\n\r \t]{0,12}"),
                1..12,
            ),
            separator in prop::sample::select(vec![',', ';', '\t']),
            crlf in any::<bool>(),
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let s = separator;
            let mut text = format!("id{s}junk{s}day{s}paid{end}");
            let mut expected = Vec::new();
            for (id, days, cents, junk) in &written {
                // A tab within an id is a control character.
                let id = id.replace('\t', " ");
                let day = Date::from_days(*days).unwrap();
                let sign = if *cents < 0 { "-" } else { "" };
                let (units, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
                text.push_str(&format!(
                    "{}{s}{}{s}{day}{s}{sign}{units}.{rest:02}{end}",
                    quoted(&id),
                    quoted(junk)
                ));
                expected.push(format!("{} {day} {cents}", id.trim_matches(' ')));
            }
            let name = match s { ',' => "comma", ';' => "semicolon", _ => "tab" };
            let (read, bad) = table(&format!("{BY_NAME} --separator {name}"), &text);
            prop_assert_eq!(rows(&read), expected, "{:?} {:?}", text, bad);
        }

        /// Products against a slow exact count of thousandths.
        #[test]
        fn products_are_rounded_half_even(a in -3000_i64..3000, b in -3000_i64..3000) {
            let decimal = |x: i64, places: u32| {
                let unit = 10_i64.pow(places);
                let sign = if x < 0 { "-" } else { "" };
                format!("{sign}{}.{:0w$}", x.abs() / unit, x.abs() % unit, w = places as usize)
            };
            let text = format!(
                "id,day,a,b\nx,2011-12-01,{},{}\n", decimal(a, 1), decimal(b, 3)
            );
            let (read, _) = table("--customer id --date day --amount a*b", &text);
            // a*b counts ten-thousandths, of which 100 make a cent.
            let exact = a * b;
            let nearest = (exact.div_euclid(100)..=exact.div_euclid(100) + 1)
                .min_by_key(|cents| ((cents * 100 - exact).abs(), cents.rem_euclid(2)));
            prop_assert_eq!(Some(read.records[0].amount_minor), nearest, "{}", text);
            prop_assert_eq!(read.rounded == 1, exact % 100 != 0);
        }

        /// Every day is read in every format.
        #[test]
        fn days_are_read_back(days in -25_567_i32..200_000) {
            let date = Date::from_days(days).unwrap();
            let (y, m, d) = date.to_ymd();
            for (format, text) in [
                ("YYYY-MM-DD", format!("{date} 08:26")),
                ("YYYYMMDD", format!("{y:04}{m:02}{d:02}")),
                ("DD/MM/YYYY", format!("{d:02}/{m:02}/{y:04} 8:26")),
                ("MM/DD/YYYY", format!("{m}/{d}/{y:04}")),
            ] {
                let args = format!("{BY_NUMBER} --date-format {format}");
                let (read, _) = table(&args, format!("a,{text},1\n"));
                prop_assert_eq!(read.records[0].day, date, "{}", text);
            }
        }

        /// Junk never panics, and every row of it is accounted for.
        #[test]
        fn junk_is_survived(
            bytes in prop::collection::vec(
                prop_oneof![
                    8 => prop::sample::select(b"\",;\t \n\r0123456789-/.:eT\0a".to_vec()),
                    1 => any::<u8>(),
                ],
                0..400,
            ),
            header in any::<bool>(),
            packed in any::<bool>(),
        ) {
            let mut text = if header { b"id,day,paid\n".to_vec() } else { Vec::new() };
            text.extend(&bytes);
            let text = if packed { gzip(&text) } else { text };
            let args = if header { BY_NAME } else { BY_NUMBER };
            let _ = try_read(args, &text);
            let (code, _, err) = run(&format!("- {args}"), &text);
            prop_assert!(code <= 2);
            prop_assert!((code == 0) || err.contains("error: "), "{}", err);
        }
    }
}

fn data(file: &str) -> PathBuf {
    let folder = std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA is set");
    let path = Path::new(&folder).join(file);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

fn real(file: &str, args: &str) -> serde_json::Value {
    let file = data(file).display().to_string();
    let (code, out, err) = run(&format!("{file} {args} --json"), b"");
    assert_eq!((code, err.as_str()), (0, ""));
    serde_json::from_str(&out).unwrap()
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
        assert_eq!(json["customers"], 23_570);
        assert_eq!(json["header"], true);
        assert_eq!(json["first_day"], "1997-01-01");
        assert_eq!(json["last_day"], "1998-06-30");
        assert_eq!(json["amount_minor"], 250_031_563);
    }
    let json = real("cdnow/CDNOW_sample.txt", "--customer 1 --date 3 --amount 5");
    assert_eq!((&json["rows"], &json["skipped"]), (&6_919.into(), &0.into()));
    assert_eq!((&json["customers"], &json["header"]), (&2_357.into(), &false.into()));
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
    assert_eq!(json["customers"], 4_339);
    assert_eq!(json["amount_minor"], 891_140_790);
    assert_eq!(json["rounded"], 4);
}
