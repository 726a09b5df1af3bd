//! Separators, quotes, headers, lines.

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
    assert!(message.contains("no column is named `paid`") || message.contains("`id`"));
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
    let text =
        "\"id\" \"day\" \"paid\"\n \"a \"\"b\"\" c\"\t2011-12-01  1\n\"x 2011-12-01 2\n";
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
