//! The forms of amounts.

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
        ("0.0000000000000000000000000000000000000000001", "an amount of fewer digits"),
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
    let text = format!("id,day,n,p\na,2011-12-03,{nines},{nines}\nb,2011-12-03,2,3\n");
    let (read, bad) = table("--customer id --date day --amount n*p", text);
    assert_eq!(rows(&read), ["b 2011-12-03 600"]);
    assert_eq!(bad[0].expected, "an amount of fewer digits");
}
