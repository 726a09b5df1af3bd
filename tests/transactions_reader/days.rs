//! The forms of dates.

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
