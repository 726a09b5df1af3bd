//! Arguments, summary, messages, exit status.

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
fn a_bar_is_as_long_as_the_work_done() {
    assert_eq!(bar(0.0), " [                    ]   0 %");
    assert_eq!(bar(0.25), " [#####               ]  25 %");
    assert_eq!(bar(1.7), " [####################] 100 %");
}

#[test]
fn json_holds_the_segmentations() {
    let mut text = "id,day,paid\n".to_owned();
    for id in 0..60 {
        for order in 0..=(id % 2) * 8 {
            let (month, day) = (1 + order, 1 + id % 3);
            let paid = 100 + id % 5 + 400 * (id % 2);
            text.push_str(&format!("c{id},2011-{month:02}-{day:02},{paid}\n"));
        }
    }
    let args = format!("- {BY_NAME} --json --as-of 2011-12-31");
    let (code, out, err) = run(&args, text.as_bytes());
    assert_eq!((code, err.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let sum = |counts: &serde_json::Value| -> u64 {
        let counts: Vec<_> = match counts {
            serde_json::Value::Object(counts) => counts.values().collect(),
            counts => counts.as_array().unwrap().iter().collect(),
        };
        counts.into_iter().map(|n| n.as_u64().unwrap()).sum()
    };
    assert_eq!((&json["rows"], &json["skipped"]), (&300.into(), &0.into()));
    assert_eq!(json["customers"], 60);
    for axis in ["recency", "frequency", "monetary"] {
        assert_eq!(sum(&json["rfm"][axis]), 60, "{axis}");
    }
    // Half of the customers bought once, half nine times.
    assert_eq!(json["rfm"]["frequency"], serde_json::json!({"1": 30, "3": 30}));
    assert_eq!(sum(&json["named_segments"]), 60);
    for model in ["kmeans", "ward"] {
        assert_eq!(json[model]["k"], 2);
        assert_eq!(json[model]["sizes"], serde_json::json!([30, 30]));
    }
    assert!(json["kmeans"]["inertia"].as_f64().unwrap() > 0.0);
    assert!(json["kmeans"]["silhouette"].as_f64().unwrap() > 0.5);
    assert_eq!(json["agreement"]["kmeans~ward"], 1.0);
    assert_eq!(json["agreement"].as_object().unwrap().len(), 3);
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_as_json() {
    let folder = std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA names the folder");
    let file = format!("{folder}/cdnow/CDNOW_master.txt");
    let (code, out, err) =
        run(&format!("{file} --customer 1 --date 2 --amount 4 --json"), b"");
    assert_eq!((code, err.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["rows"], &json["skipped"]), (&69_659.into(), &0.into()));
    assert_eq!(json["customers"], 23_570);
    let frequency = serde_json::json!({"1": 12_054, "3": 4_040, "4": 3_641, "5": 3_835});
    assert_eq!(json["rfm"]["frequency"], frequency);
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
        assert!(err.starts_with("error: ") && err.contains(expected), "{args}: {err}");
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
