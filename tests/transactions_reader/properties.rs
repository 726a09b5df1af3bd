//! Round trips, slow oracles and junk.

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
