//! Rules as SQL: how each dialect spells them, what is refused, and that no name or text
//! becomes more than that. What databases answer is compared in `integrations/sqlite`.

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{
    Calendar, Date, FeatureSpec, Moment, Schema, StreamSpec, Timestamp, Zone,
};
use segmenta::rules::{
    DateForm, Dialect, FlagForm, Rule, RuleBook, RuleSet, SqlLayout, SqlStream, SqlTags,
    TimeForm, field, segment,
};
use segmenta::segmenter::SegmentIndex;

const DIALECTS: [Dialect; 4] =
    [Dialect::Ansi, Dialect::Sqlite, Dialect::DuckDb, Dialect::Postgres];

fn schema() -> Schema {
    let order = StreamSpec::new(
        "order",
        [
            FeatureSpec::number("amount"),
            FeatureSpec::category("channel").levels(["web", "shop"]),
            FeatureSpec::tags("items"),
        ],
    );
    Schema::builder()
        .feature(FeatureSpec::number("orders"))
        .feature(FeatureSpec::flag("opted_out"))
        .feature(FeatureSpec::category("city"))
        .feature(FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]))
        .feature(FeatureSpec::date("born"))
        .feature(FeatureSpec::tags("interests"))
        .stream(order)
        .build()
        .unwrap()
}

fn layout(dialect: Dialect) -> SqlLayout {
    SqlLayout::new(dialect, "customers", "id")
        .tags("interests", SqlTags::new("interests", "customer", "tag"))
        .stream("order", SqlStream::new("orders", "customer", "at").order("nth"))
}

fn now() -> Timestamp {
    "2023-02-27T12:00:00Z".parse().unwrap()
}

#[track_caller]
fn sql(dialect: Dialect, rule: &str) -> String {
    let rule: Rule = rule.parse().unwrap();
    let rule = rule.compile(&schema()).unwrap().at(now());
    rule.to_sql(&layout(dialect)).unwrap()
}

/// Without how texts are told to be compared, and with one sign of division.
fn plain(text: &str) -> String {
    let text = text.replace("(CAST(", "").replace(" // ", " / ");
    let text = text.replace(" AS VARCHAR) COLLATE \"binary\")", "");
    text.replace(" AS TEXT) COLLATE \"C\")", "")
}

#[track_caller]
fn everywhere(rule: &str, expected: &str) {
    for dialect in [Dialect::Ansi, Dialect::DuckDb, Dialect::Postgres] {
        assert_eq!(plain(&sql(dialect, rule)), expected, "{dialect:?}");
    }
}

#[test]
fn kleenes_logic_is_that_of_sql() {
    everywhere(
        "orders = 1 and (opted_out or not orders = 2)",
        r#""c"."orders" = 1 AND ("c"."opted_out" OR NOT ("c"."orders" = 2))"#,
    );
    everywhere("everyone or nobody", "TRUE OR FALSE");
    everywhere("not not opted_out", r#"NOT (NOT "c"."opted_out")"#);
    everywhere(
        "at least 2 of (opted_out, orders < 3, city = 'x')",
        r#"CASE (CASE "c"."opted_out" WHEN TRUE THEN 8 WHEN FALSE THEN 1 ELSE 0 END + CASE ("c"."orders" < 3) WHEN TRUE THEN 8 WHEN FALSE THEN 1 ELSE 0 END + CASE ("c"."city" = 'x') WHEN TRUE THEN 8 WHEN FALSE THEN 1 ELSE 0 END + 2) / 4 WHEN 0 THEN NULL WHEN 1 THEN FALSE WHEN 2 THEN NULL WHEN 3 THEN FALSE ELSE TRUE END"#,
    );
    // Or the number of those that are False.
    everywhere(
        "at least 3 of (opted_out, opted_out, opted_out, opted_out)",
        &format!(
            "CASE ({} + 2) / 5 WHEN 0 THEN NULL WHEN 1 THEN TRUE WHEN 2 THEN NULL WHEN 3 THEN TRUE ELSE FALSE END",
            [r#"CASE "c"."opted_out" WHEN FALSE THEN 10 WHEN TRUE THEN 1 ELSE 0 END"#; 4]
                .join(" + ")
        ),
    );
    everywhere(
        "at least 1 of (opted_out, orders < 3)",
        r#""c"."opted_out" OR "c"."orders" < 3"#,
    );
    everywhere(
        "at least 2 of (opted_out, orders < 3)",
        r#""c"."opted_out" AND "c"."orders" < 3"#,
    );
    assert!(
        sql(Dialect::DuckDb, "at least 2 of (opted_out, opted_out, opted_out)")
            .contains(" + 2) // 4 WHEN 0 ")
    );
}

#[test]
fn missing_values_are_null() {
    everywhere("orders is set", r#""c"."orders" IS NOT NULL"#);
    everywhere("orders is missing", r#""c"."orders" IS NULL"#);
    everywhere("orders >= 3 when missing yes", r#"COALESCE("c"."orders" >= 3, TRUE)"#);
    everywhere(
        "not (opted_out when missing no)",
        r#"NOT COALESCE("c"."opted_out", FALSE)"#,
    );
}

#[test]
fn comparisons_keep_their_operators() {
    everywhere("orders < 0", r#""c"."orders" < 0"#);
    everywhere("orders > -7", r#""c"."orders" > -7"#);
    everywhere("orders <= 5", r#""c"."orders" <= 5"#);
    everywhere("orders between 1 and 3", r#""c"."orders" BETWEEN 1 AND 3"#);
    everywhere("orders in (3, 1, 2)", r#""c"."orders" IN (1, 2, 3)"#);
    everywhere("born < '2000-01-01'", r#""c"."born" < DATE '2000-01-01'"#);
    assert_eq!(
        sql(Dialect::Sqlite, "born > '1999-12-31'"),
        r#"("c"."born" COLLATE BINARY) > '1999-12-31'"#
    );
    // By the levels that pass.
    everywhere("tier >= 'silver'", r#""c"."tier" IN ('gold', 'silver')"#);
    everywhere("tier > 'silver'", r#""c"."tier" = 'gold'"#);
    everywhere("tier >= 'bronze'", r#"CASE WHEN "c"."tier" IS NOT NULL THEN TRUE END"#);
    everywhere("tier < 'bronze'", r#"CASE WHEN "c"."tier" IS NOT NULL THEN FALSE END"#);
    assert_eq!(sql(Dialect::Sqlite, "opted_out"), r#""c"."opted_out" <> 0"#);
    assert_eq!(sql(Dialect::Sqlite, "opted_out = false"), r#""c"."opted_out" = 0"#);
    everywhere(
        "opted_out in (true, false)",
        r#"CASE WHEN "c"."opted_out" IS NOT NULL THEN TRUE END"#,
    );
}

#[test]
fn numbers_are_in_double_precision() {
    let of = |dialect, x: f64| {
        let rule = field("orders").eq(x).compile(&schema()).unwrap();
        let text = rule.to_sql(&layout(dialect)).unwrap();
        text.strip_prefix(r#""c"."orders" = "#).unwrap().to_owned()
    };
    for dialect in DIALECTS {
        assert_eq!(of(dialect, -0.0), "0");
        assert_eq!(of(dialect, -2_147_483_647.0), "-2147483647");
    }
    assert_eq!(of(Dialect::DuckDb, 19.99), "1.999e1");
    assert_eq!(of(Dialect::Ansi, -1e300), "-1e300");
    assert_eq!(of(Dialect::Postgres, 19.99), "'1.999e1'::float8");
    assert_eq!(of(Dialect::Sqlite, 19.99), "1.999e1");
    assert_eq!(of(Dialect::DuckDb, 3e9), "3e9");
    // Sixteen digits and more are not promised to be read as the nearest number.
    assert_eq!(
        of(Dialect::Sqlite, 0.1 + 0.2),
        "(CAST(1351079888211149 AS REAL) / 1073741824.0 / 4194304.0)"
    );
    assert_eq!(of(Dialect::Sqlite, f64::MIN).matches("1073741824.0").count(), 32);
    assert_eq!(of(Dialect::Sqlite, 5e-324).matches(" / ").count(), 36);
}

#[test]
fn texts_are_compared_byte_by_byte() {
    let rule = "city contains '5%_''ä'";
    assert_eq!(sql(Dialect::Ansi, rule), r#"POSITION('5%_''ä' IN "c"."city") > 0"#);
    assert_eq!(
        sql(Dialect::Sqlite, rule),
        r#"instr(("c"."city" COLLATE BINARY), '5%_''ä') > 0"#
    );
    let duck = r#"(CAST("c"."city" AS VARCHAR) COLLATE "binary")"#;
    assert_eq!(sql(Dialect::DuckDb, rule), format!("strpos({duck}, '5%_''ä') > 0"));
    let rule = "city ends with 'äb'";
    assert_eq!(
        sql(Dialect::Ansi, rule),
        r#"SUBSTRING("c"."city" FROM CHAR_LENGTH("c"."city") - 2 + 1) = 'äb'"#
    );
    assert_eq!(
        sql(Dialect::Sqlite, rule),
        r#"substr(("c"."city" COLLATE BINARY), -2) = 'äb'"#
    );
    let postgres = r#"(CAST("c"."city" AS TEXT) COLLATE "C")"#;
    assert_eq!(sql(Dialect::DuckDb, rule), format!("suffix({duck}, 'äb')"));
    assert_eq!(sql(Dialect::Postgres, rule), format!("right({postgres}, 2) = 'äb'"));
    let rule = "city starts with 'äb'";
    assert_eq!(sql(Dialect::Ansi, rule), r#"SUBSTRING("c"."city" FROM 1 FOR 2) = 'äb'"#);
    // Whether or not the server takes backslashes for escapes.
    let backslash = field("city").eq(r"a\'").compile(&schema()).unwrap();
    let text = |dialect| backslash.to_sql(&layout(dialect)).unwrap();
    assert_eq!(text(Dialect::Postgres), format!(r#"{postgres} = E'a\\'''"#));
    assert_eq!(text(Dialect::DuckDb), format!(r#"{duck} = 'a\'''"#));
    // So are levels, tags, and dates that are texts.
    for (dialect, end) in [
        (Dialect::Sqlite, "\"{}\" COLLATE BINARY"),
        (Dialect::DuckDb, "\"{}\" AS VARCHAR) COLLATE \"binary\""),
        (Dialect::Postgres, "\"{}\" AS TEXT) COLLATE \"C\""),
    ] {
        let layout = layout(dialect).dates(DateForm::Text);
        for (rule, column) in [
            ("tier >= 'silver'", "tier"),
            ("interests has any of ('tea')", "tag"),
            ("interests has all of ('tea')", "tag"),
            ("born < '2000-01-01'", "born"),
            ("born has anniversary in next 3d", "born"),
            ("events(order where channel = 'web')", "channel"),
            ("events(order).first(channel) = 'web'", "channel"),
            ("events(order).distinct(channel) = 2", "channel"),
        ] {
            let rule: Rule = rule.parse().unwrap();
            let rule = rule.compile(&schema()).unwrap().at(now());
            let text = rule.to_sql(&layout).unwrap();
            assert!(text.contains(&end.replace("{}", column)), "{text}");
        }
    }
}

#[test]
fn tags_lie_in_a_table_of_their_own() {
    let from = r#"FROM "interests" AS "t" WHERE "t"."customer" = "c"."id""#;
    everywhere(
        "interests has any of ('tea', 'chess')",
        &format!(r#"EXISTS (SELECT 1 {from} AND "t"."tag" IN ('chess', 'tea'))"#),
    );
    everywhere(
        "interests has all of ('tea', 'chess')",
        &format!(
            r#"EXISTS (SELECT 1 {from} AND "t"."tag" = 'chess') AND EXISTS (SELECT 1 {from} AND "t"."tag" = 'tea')"#
        ),
    );
    everywhere("size of interests > 2", &format!("(SELECT COUNT(*) {from}) > 2"));
    everywhere("interests is set", "TRUE");
    let known = SqlTags::new("interests", "customer", "tag").known("asked_at");
    let layout = SqlLayout::new(Dialect::Postgres, "customers", "id");
    let rule: Rule = "size of interests = 0 when missing yes".parse().unwrap();
    assert_eq!(
        rule.compile(&schema())
            .unwrap()
            .to_sql(&layout.tags("interests", known))
            .unwrap(),
        format!(
            r#"COALESCE(CASE WHEN "c"."asked_at" IS NOT NULL THEN (SELECT COUNT(*) {from}) = 0 END, TRUE)"#
        ),
    );
}

#[test]
fn anniversaries_are_lists_of_days() {
    let of = |dialect, rule| sql(dialect, rule);
    assert_eq!(
        of(Dialect::Postgres, "born has anniversary in next 3d"),
        r#""c"."born" < DATE '2023-01-01' AND EXTRACT(MONTH FROM "c"."born") * 100 + EXTRACT(DAY FROM "c"."born") IN (227, 228, 229, 301)"#
    );
    assert_eq!(
        of(Dialect::Postgres, "born in last 30d"),
        r#""c"."born" BETWEEN DATE '2023-01-29' AND DATE '2023-02-27'"#
    );
    // Two years, each with its days.
    let text = of(Dialect::DuckDb, "born has anniversary in next 366d");
    assert_eq!(text.matches("born\" < DATE '2023-01-01'").count(), 1);
    assert_eq!(text.matches("born\" < DATE '2024-01-01'").count(), 1);
    let at = |text: &str| {
        let rule: Rule = "born in next 9d".parse().unwrap();
        let now: Timestamp = text.parse().unwrap();
        rule.compile(&schema()).unwrap().at(now).to_sql(&layout(Dialect::DuckDb)).unwrap()
    };
    assert!(at("9999-12-30T00:00Z").ends_with("AND DATE '9999-12-31'"));
    assert_eq!(
        at("-0044-03-15T00:00Z"),
        r#"CASE WHEN "c"."born" IS NOT NULL THEN FALSE END"#
    );
}

#[test]
fn events_are_aggregated_in_windows() {
    let of = |dialect, rule: &str| plain(&sql(dialect, &format!("events(order{rule}")));
    let from = r#"FROM "orders" AS "e" WHERE "e"."customer" = "c"."id""#;
    let now = now().as_millis();
    assert_eq!(
        of(Dialect::Sqlite, ").count = 0"),
        format!(r#"(SELECT COUNT(1) {from} COLLATE BINARY AND ("e"."at" < {now})) = 0"#)
    );
    let day = now - 86_400_000;
    assert_eq!(
        of(
            Dialect::Postgres,
            " where amount > 1 or channel = 'web').sum(amount) in last 1d > 1"
        ),
        format!(
            r#"COALESCE((SELECT SUM("e"."amount") {from} AND ("e"."at" >= {day} AND "e"."at" < {now} AND ("e"."amount" > 1 OR "e"."channel" = 'web'))), 0) > 1"#
        )
    );
    assert_eq!(
        of(Dialect::Ansi, ").last(channel) = 'web'"),
        format!(
            r#"(SELECT "e"."channel" {from} AND ("e"."at" < {now}) ORDER BY "e"."at" DESC, "e"."nth" DESC FETCH FIRST 1 ROW ONLY) = 'web'"#
        )
    );
    let midnight = "2023-02-28T00:00Z".parse::<Timestamp>().unwrap().as_millis();
    assert_eq!(
        of(Dialect::DuckDb, ").first_day >= '2023-02-28'"),
        format!(r#"(SELECT MIN("e"."at") {from} AND ("e"."at" < {now})) >= {midnight}"#)
    );
    let rule: Rule = "events(order).active_days in last 1d = 1".parse().unwrap();
    let moment = Moment::new(self::now()).zone(Zone::fixed(-90).unwrap());
    let rule = rule.compile(&schema()).unwrap().at(moment);
    let timestamps = layout(Dialect::Postgres).times(TimeForm::Timestamp);
    assert_eq!(
        rule.to_sql(&timestamps).unwrap(),
        format!(
            r#"(SELECT COUNT(DISTINCT CAST("e"."at" + INTERVAL '-90' MINUTE AS DATE)) {from} AND ("e"."at" >= TIMESTAMP '2023-02-26 12:00:00' AND "e"."at" < TIMESTAMP '2023-02-27 12:00:00')) = 1"#
        )
    );
    for (dialect, division) in [(Dialect::DuckDb, "//"), (Dialect::Sqlite, "/")] {
        let text = rule.to_sql(&layout(dialect)).unwrap();
        let expected = format!(r#"("e"."at" + 431999994600000) {division} 86400000"#);
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn regular_expressions_mean_the_same_or_are_refused() {
    let of = |dialect, pattern: &str| {
        let rule = field("city").matches(pattern).compile(&schema()).unwrap();
        rule.to_sql(&layout(dialect)).map_err(|error| error.to_string())
    };
    assert_eq!(
        of(Dialect::DuckDb, "^a|(?i)b.").unwrap(),
        r#"regexp_matches((CAST("c"."city" AS VARCHAR) COLLATE "binary"), '^a|[B-Bb-b][\x{1}-\x{9}\x{b}-\x{10ffff}]')"#
    );
    assert_eq!(
        of(Dialect::Postgres, "'?$").unwrap(),
        r#"(CAST("c"."city" AS TEXT) COLLATE "C") ~ E'(?:\\U00000027){0,1}$'"#
    );
    for (dialect, pattern) in [
        (Dialect::DuckDb, r"\bb"),
        (Dialect::Postgres, "(?m)^a"),
        (Dialect::Postgres, "a{256}"),
        (Dialect::DuckDb, "[a&&b]"),
        (Dialect::DuckDb, r"\x00"),
        (Dialect::Ansi, "a"),
        (Dialect::Sqlite, "a"),
    ] {
        let error = of(dialect, pattern).unwrap_err();
        assert!(error.contains("the regular expression cannot be written"), "{error}");
    }
    let rule = field("city").matches("'a.").compile(&schema()).unwrap();
    assert_eq!(
        rule.to_sql(&layout(Dialect::Sqlite).regexp(true)).unwrap(),
        r#"("c"."city" COLLATE BINARY) REGEXP '''a.'"#
    );
}

/// The faults of a book, as code, path and message.
#[track_caller]
fn faults(rules: &[&str], layout: &SqlLayout) -> Vec<(String, String, String)> {
    let set = rules.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
        set.segment(format!("s{i}"), "S", rule.parse().unwrap())
    });
    let book = set.compile_book(&schema()).unwrap().at(now());
    faults_of(book.to_sql(layout).unwrap_err())
}

#[track_caller]
fn faults_of(error: segmenta::Error) -> Vec<(String, String, String)> {
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    let told = issues.iter().map(|i| (i.code.clone(), i.path.clone(), i.message.clone()));
    told.collect()
}

#[test]
fn what_cannot_be_said_is_told_with_its_place() {
    let bare = SqlLayout::new(Dialect::Ansi, "customers", "id");
    let found = faults(
        &[
            "everyone",
            "orders > 3 or not (interests has any of ('x') and events(order))",
            r"city in ('a', 'b\')",
            "born = '-0044-03-15'",
        ],
        &bare,
    );
    let found: Vec<(&str, &str)> =
        found.iter().map(|(code, path, _)| (code.as_str(), path.as_str())).collect();
    assert_eq!(
        found,
        [
            ("sql-tags", "/segments/1/rule/any/1/not/all/0/field"),
            ("sql-stream", "/segments/1/rule/any/1/not/all/1/event"),
            ("sql-text", "/segments/2/rule/field/is/in"),
            ("sql-date", "/segments/3/rule/field/is/eq"),
        ]
    );
    let stream = SqlStream::new("orders", "customer", "at");
    let bare = bare.stream("order", stream);
    let found = faults(
        &[
            "events(order).last(channel) = 'web'",
            "events(order where items has any of ('x'))",
        ],
        &bare,
    );
    assert_eq!(
        found[0],
        (
            "sql-order".into(),
            "/segments/0/rule/event".into(),
            "segment `s0`: the layout does not say which of events at one instant is first"
                .into()
        )
    );
    assert_eq!(found[1].1, "/segments/1/rule/event/where/field");
    // In a rule alone there is no segment.
    let rule = field("city").eq("a\0").compile(&schema()).unwrap();
    let found = faults_of(rule.to_sql(&layout(Dialect::DuckDb)).unwrap_err());
    assert_eq!(found[0].1, "/field/is/eq");
    assert!(found[0].2.starts_with("the text cannot be written in DuckDB"));
    // Ids and names are texts and columns, too.
    let id = RuleSet::new().segment("a\0", "A", Rule::Everyone).rest("r\0", "R");
    let book = id.compile_book(&schema()).unwrap();
    let found = faults_of(book.to_sql(&layout(Dialect::Sqlite)).unwrap_err());
    assert_eq!([&found[0].1, &found[1].1], ["/segments/0/id", "/rest/id"]);
    let long = "x".repeat(64);
    let schema = Schema::new([FeatureSpec::number(&long)]).unwrap();
    let rule = field(&long).eq(1).compile(&schema).unwrap();
    let layout = |dialect| SqlLayout::new(dialect, "c", "id");
    assert_eq!(
        faults_of(rule.to_sql(&layout(Dialect::Postgres)).unwrap_err())[0].0,
        "sql-name"
    );
    assert!(rule.to_sql(&layout(Dialect::DuckDb)).is_ok());
}

#[test]
fn rules_that_depend_on_time_need_an_instant() {
    for rule in ["events(order)", "born in last 3d"] {
        let rule = rule.parse::<Rule>().unwrap().compile(&schema()).unwrap();
        let error = rule.to_sql(&layout(Dialect::DuckDb)).unwrap_err().to_string();
        assert!(error.contains("must be stated with `at`"), "{error}");
        assert!(rule.at(now()).to_sql(&layout(Dialect::DuckDb)).is_ok());
    }
}

#[test]
fn zones_without_a_fixed_offset_say_where_days_begin() {
    #[derive(Debug)]
    struct Host;
    impl Calendar for Host {
        fn date_of(&self, at: Timestamp) -> Date {
            Zone::utc().date_of(at)
        }
        fn start_of(&self, day: Date) -> Timestamp {
            Timestamp::from_millis(Zone::utc().start_of(day).as_millis() + 7)
        }
    }
    let moment = Moment::new(now()).zone(Zone::new(Host));
    let of = |rule: &str| {
        let rule = rule.parse::<Rule>().unwrap().compile(&schema()).unwrap();
        rule.at(moment.clone()).to_sql(&layout(Dialect::DuckDb))
    };
    let text = of("events(order).last_day ever in last 1d").unwrap();
    assert!(text.contains(">= 1677456000007 AND") && text.contains("< 1677542400007"));
    for rule in [
        "events(order).active_days = 1",
        "events(order).first_day ever has anniversary in next 3d",
    ] {
        assert_eq!(faults_of(of(rule).unwrap_err())[0].0, "sql-zone", "{rule}");
    }
}

#[test]
fn layouts_are_checked() {
    let error = |layout: SqlLayout| layout.validate().unwrap_err().to_string();
    let on = |dialect| SqlLayout::new(dialect, "customers", "id");
    assert!(error(on(Dialect::Sqlite).times(TimeForm::Timestamp)).contains("`times`"));
    assert!(error(on(Dialect::DuckDb).regexp(true)).contains("`regexp`"));
    assert!(error(SqlLayout::new(Dialect::Ansi, "", "id")).contains("not empty"));
    assert!(error(SqlLayout::new(Dialect::Ansi, "a", "i\0")).contains("NUL"));
    let long = "x".repeat(64);
    assert!(error(on(Dialect::Postgres).column("orders", &long)).contains("63 bytes"));
    assert!(on(Dialect::DuckDb).column("orders", &long).validate().is_ok());
    let none: [&str; 0] = [];
    assert!(error(SqlLayout::new(Dialect::Ansi, none, "id")).contains("one to three"));
    // What the schema has not.
    let rule = Rule::Everyone.compile(&schema()).unwrap();
    let error = |layout: SqlLayout| rule.to_sql(&layout).unwrap_err().to_string();
    assert!(
        error(on(Dialect::Ansi).column("order", "x")).contains("did you mean `orders`?")
    );
    let stream = SqlStream::new("o", "c", "t").column("amont", "a");
    assert!(error(on(Dialect::Ansi).stream("order", stream)).contains("mean `amount`?"));

    let layout = layout(Dialect::Postgres)
        .column("city", "town")
        .flags(FlagForm::Integer)
        .dates(DateForm::Text);
    let json = serde_json::to_string(&layout).unwrap();
    assert_eq!(serde_json::from_str::<SqlLayout>(&json).unwrap(), layout);
    assert!(json.contains(r#""dialect":"postgres","customers":["customers"]"#), "{json}");
}

#[test]
fn names_that_are_the_same_to_the_engine_are_refused() {
    let schema = Schema::builder()
        .feature(FeatureSpec::number("age"))
        .feature(FeatureSpec::number("Age"))
        .feature(FeatureSpec::tags("AGE"))
        .stream(StreamSpec::new(
            "order",
            [FeatureSpec::number("at"), FeatureSpec::tags("Items")],
        ))
        .build()
        .unwrap();
    let rule = Rule::Everyone.compile(&schema).unwrap();
    let stream = || SqlStream::new("orders", "customer", "at");
    let tags = || SqlTags::new("tags", "customer", "tag");
    for dialect in DIALECTS {
        let on = || SqlLayout::new(dialect, "customers", "id");
        let are_same = matches!(dialect, Dialect::Sqlite | Dialect::DuckDb);
        let apart = || on().column("Age", "age 2");
        let check = |layout: SqlLayout, found: &str| match rule.to_sql(&layout) {
            Ok(_) => assert!(!are_same, "{dialect:?}, {found}"),
            Err(error) => {
                let text = error.to_string();
                assert!(are_same && text.contains(found), "{text}");
                let expected = "whose names differ in more than upper and lower case, which are the same to";
                assert!(text.contains(expected) && text.contains("`layout`"), "{text}");
            }
        };
        check(on(), r#"columns whose"#);
        check(on(), r#""Age" and "age""#);
        check(apart().column("age", "ID"), r#""ID" and "id""#);
        check(apart().tags("AGE", tags().known("AGE 2")), r#""AGE 2" and "age 2""#);
        check(
            apart().tags("AGE", SqlTags::new("tags", "tag", "Tag")),
            r#""Tag" and "tag""#,
        );
        check(
            apart().tags("AGE", SqlTags::new("Customers", "customer", "tag")),
            r#"tables whose"#,
        );
        check(
            apart().stream("order", SqlStream::new("orders", "At", "time")),
            r#""At" and "at""#,
        );
        check(apart().stream("order", stream().order("AT")), r#""AT" and "at""#);
        check(
            apart().stream("order", stream().column("at", "CUSTOMER")),
            r#""CUSTOMER" and "customer""#,
        );
        // By itself, too.
        let same = on().column("a", "B").column("b", "b").validate();
        assert_eq!(same.is_err(), are_same);
        // One name may say two things, tags have no column, and other letters differ.
        let other = apart()
            .column("age", "id")
            .tags("AGE", tags())
            .stream("order", stream().order("at"));
        assert!(rule.to_sql(&other).is_ok());
        assert!(on().column("a", "Ä").column("b", "ä").validate().is_ok());
    }
}

#[test]
fn segments_by_priority_are_one_statement() {
    let of = |set: RuleSet, layout: &SqlLayout| {
        set.compile(&schema()).unwrap().at(now()).to_sql(layout)
    };
    let rule = |text: &str| text.parse::<Rule>().unwrap();
    let set = RuleSet::new().segment("it's", "A", rule("opted_out")).segment(
        "b",
        "B",
        rule("segment 'it''s' or born in last 3d"),
    );
    let text = of(set.clone(), &layout(Dialect::DuckDb)).unwrap();
    assert!(
        text.starts_with("WITH \"sg_customers\" AS (")
            && text.ends_with(
                ")\nSELECT \"c\".\"id\" AS \"customer\", CASE WHEN \"c\".\"m0\" THEN 'it''s' \
                 WHEN \"c\".\"m1\" THEN 'b' ELSE NULL END AS \"segment\"\n\
                 FROM \"sg_level1\" AS \"c\""
            ),
        "{text}"
    );
    let with_rest = of(set.clone().rest("r", "R"), &layout(Dialect::DuckDb)).unwrap();
    assert_eq!(with_rest, text.replace("ELSE NULL", "ELSE 'r'"));
    // What it needs, and what it cannot say.
    let error = set.compile(&schema()).unwrap().to_sql(&layout(Dialect::DuckDb));
    assert!(error.unwrap_err().to_string().contains("must be stated with `at`"));
    let bad = RuleSet::new().segment("a", "A", rule("opted_out")).segment(
        "b",
        "B",
        rule("not bucket('x') < 0.5"),
    );
    let found = faults_of(of(bad, &layout(Dialect::Sqlite)).unwrap_err());
    assert_eq!(found[0].1, "/segments/1/rule/not/bucket");
    let bad = RuleSet::new().segment("a", "A", Rule::Everyone).rest("r\0", "R");
    let found = faults_of(of(bad, &layout(Dialect::Sqlite)).unwrap_err());
    assert_eq!(found[0].1, "/rest/id");
    let other = SqlLayout::new(Dialect::Sqlite, "c", "id").column("nothing", "x");
    assert!(of(set, &other).is_err());
}

#[test]
fn statements_are_small_however_often_segments_are_referred_to() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let first = RuleSet::new().segment("s0", "S", field("x").ge(1));
    let set = (1..40).fold(first, |set, i| {
        let before = || segment(format!("s{}", i - 1));
        set.segment(format!("s{i}"), "S", before() | !before())
    });
    let book = set.rest("rest", "R").compile_book(&schema).unwrap();
    let sql = book.to_sql(&SqlLayout::new(Dialect::Sqlite, "customers", "id")).unwrap();
    assert!(sql.membership().len() < 10_000);
    assert!(sql.membership().contains("AS MATERIALIZED ("));
    assert!(sql.expression(SegmentIndex::new(5)).unwrap().len() < 2_000);
    for at in [39, 40] {
        let error = sql.expression(SegmentIndex::new(at)).unwrap_err();
        assert_eq!(faults_of(error)[0].0, "sql-too-large");
    }
    assert!(sql.expression(SegmentIndex::new(41)).is_err());
    // Many of some megabytes: what holds them all is refused before all are written.
    let x = |i: usize| field("x").lt(i as f64);
    let first = RuleSet::new().segment("s0", "S", x(0));
    let mut set = (1..18).fold(first, |set, i| {
        let before = || segment(format!("s{}", i - 1));
        set.segment(format!("s{i}"), "S", before() | !before())
    });
    for i in 18..38 {
        set = set.segment(format!("s{i}"), "S", segment("s17") | x(i));
    }
    let all = Rule::all((18..38).map(|i| segment(format!("s{i}"))));
    let book = set.segment("all", "S", all).rest("rest", "R");
    let book = book.compile_book(&schema).unwrap();
    let sql = book.to_sql(&SqlLayout::new(Dialect::Sqlite, "customers", "id")).unwrap();
    assert!(sql.expression(SegmentIndex::new(37)).is_ok());
    for (at, most) in [(38, 30), (39, 30)] {
        let faults = faults_of(sql.expression(SegmentIndex::new(at)).err().unwrap());
        assert_eq!(faults[0].0, "sql-too-large");
        let rule: usize = faults[0].1.split('/').nth(2).unwrap().parse().unwrap();
        assert!(rule < most, "{at}: {}", faults[0].1);
    }
    // In the expression of the rest all rules stand one beside the other, whatever they refer to.
    let mut set = RuleSet::new().segment("s0", "S", x(0));
    for i in 1..26 {
        let before = || segment(format!("s{}", i - 1));
        let rule = if i < 18 { before() | !before() } else { before() | x(i) };
        set = set.segment(format!("s{i}"), "S", rule);
    }
    let book = set.rest("rest", "R").compile_book(&schema).unwrap();
    let sql = book.to_sql(&SqlLayout::new(Dialect::Sqlite, "customers", "id")).unwrap();
    assert!(sql.expression(SegmentIndex::new(25)).unwrap().len() < 1 << 23);
    // Not `unwrap_err`, which would print some megabytes.
    let error = sql.expression(SegmentIndex::new(26)).err();
    assert_eq!(
        error.map(|error| faults_of(error)[0].0.clone()).unwrap(),
        "sql-too-large"
    );
    // Parts of `at_least` are written once, however deep.
    for n in [1, 2, 3] {
        let deep = (0..30)
            .fold(x(1), |rule, i| Rule::AtLeast { n, of: vec![x(i), rule, x(i + 40)] });
        let deep = deep.compile(&schema).unwrap();
        let text = deep.to_sql(&SqlLayout::new(Dialect::Sqlite, "customers", "id"));
        let text = text.unwrap();
        assert_eq!(text.matches("\"x\"").count(), 61, "{text}");
        assert!(text.len() < 30 * 300, "{text}");
    }
}

#[test]
fn names_of_parts_are_not_those_of_tables() {
    let book = RuleBook::builder(&schema()).segment("a", "A", Rule::Everyone);
    let book = book.build().unwrap();
    let layout = SqlLayout::new(Dialect::DuckDb, "SG_level0", "id")
        .tags("interests", SqlTags::new(["sg__x", "t"], "customer", "tag"));
    let text = book.to_sql(&layout).unwrap().counts();
    assert!(
        text.starts_with("WITH \"sg___customers\" AS (")
            && text.contains("FROM \"SG_level0\"")
    );
}

/// The text without what stands in quotes.
fn skeleton(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        bare.push(c);
        if c != '"' && c != '\'' {
            continue;
        }
        let has_escapes = bare.ends_with("E'");
        loop {
            match rest.next().expect("an end of what is quoted") {
                '\\' if has_escapes => drop(rest.next()),
                d if d == c && rest.peek() == Some(&c) => drop(rest.next()),
                d if d == c => break,
                _ => {}
            }
        }
        bare.push(c);
    }
    bare.replace("E'", "'")
}

fn hostile() -> impl Strategy<Value = String> {
    let any = prop::collection::vec(
        prop_oneof![
            4 => prop::sample::select(vec!['\'', '"', '\\', ';', '-', '/', '*', '%', '(', ')', '\n', ' ']),
            1 => any::<char>().prop_map(|c| if c == '\0' { 'x' } else { c }),
        ],
        1..12,
    );
    any.prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_and_texts_stay_in_their_quotes(
        texts in prop::collection::vec(hostile(), 12),
        which in 0..4_usize,
    ) {
        let dialect = DIALECTS[which];
        let write = |texts: &[String]| {
            let name = |i: usize| format!("{i}{}", texts[i]);
            let stream = StreamSpec::new(name(0), [FeatureSpec::category(name(1))]);
            let schema = Schema::builder()
                .feature(FeatureSpec::category(name(2)).levels([name(3), name(4)]))
                .feature(FeatureSpec::tags(name(5)))
                .stream(stream)
                .build()
                .unwrap();
            let layout = SqlLayout::new(dialect, [name(6).as_str(), &name(7)], name(8))
                .tags(name(5), SqlTags::new(name(7).as_str(), name(8), name(9)).known(name(10)))
                .stream(name(0), SqlStream::new(name(6).as_str(), name(7), name(8)).order(name(9)));
            let event = segmenta::rules::events(name(0)).last_value(name(1));
            let rule = field(name(2)).eq(name(3))
                & field(name(5)).has_any([name(4)])
                & event.contains(texts[11].clone());
            let book = RuleBook::builder(&schema)
                .segment(name(11), "A", rule)
                .build()
                .unwrap()
                .at(now());
            book.to_sql(&layout).map(|sql| {
                [sql.membership(), sql.counts(), sql.expression(SegmentIndex::new(0)).unwrap()]
            })
        };
        let plain: Vec<String> = texts.iter().map(|_| "x".to_owned()).collect();
        match (write(&texts), write(&plain).unwrap()) {
            (Ok(hostile), plain) => {
                for (hostile, plain) in hostile.iter().zip(&plain) {
                    prop_assert_eq!(skeleton(hostile), skeleton(plain));
                }
            }
            (Err(error), _) => {
                prop_assert!(dialect == Dialect::Ansi && error.to_string().contains("backslash"));
            }
        }
    }
}

#[test]
fn consent_is_false_where_nothing_is_known() {
    assert_eq!(
        sql(Dialect::DuckDb, "consent(opted_out given on born in last 30d)"),
        "COALESCE(\"c\".\"opted_out\", FALSE) AND COALESCE(\"c\".\"born\" BETWEEN \
         DATE '2023-01-29' AND DATE '2023-02-27', FALSE)"
    );
}

#[test]
fn what_sql_has_no_word_for_is_told_with_its_place() {
    let schema = Schema::builder()
        .feature(FeatureSpec::number("x"))
        .stream(StreamSpec::new("order", []))
        .build()
        .unwrap();
    let rule: Rule =
        "x > 1 and (not bucket('a') < 0.5 or distance(x, x) from (1, 2) < 3) \
                      and sequence(order then order) and x < 5"
            .parse()
            .unwrap();
    let set = RuleSet::new().segment("s", "S", rule);
    let book = set.compile_book(&schema).unwrap().at(now());
    let layout = SqlLayout::new(Dialect::Sqlite, "customers", "id")
        .stream("order", SqlStream::new("orders", "customer", "at"));
    let error = book.to_sql(&layout).unwrap_err();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    let told: Vec<(&str, &str)> =
        issues.iter().map(|i| (i.code.as_str(), i.path.as_str())).collect();
    assert_eq!(
        told,
        [
            ("no-sql", "/segments/0/rule/all/1/any/0/not/bucket"),
            ("no-sql", "/segments/0/rule/all/1/any/1/distance"),
        ]
    );
}

#[test]
fn sequences_are_rows_that_exist_after_each_other() {
    let schema = Schema::builder()
        .stream(StreamSpec::new("cart", [FeatureSpec::number("n")]))
        .stream(StreamSpec::new("order", [FeatureSpec::category("a")]))
        .build()
        .unwrap();
    let sql = |dialect, times, rule: &str| {
        let layout = SqlLayout::new(dialect, "customers", "id")
            .times(times)
            .stream("cart", SqlStream::new("carts", "who", "at"))
            .stream("order", SqlStream::new("orders", "who", "at"));
        let rule = rule.parse::<Rule>().unwrap().compile(&schema).unwrap();
        let now: Timestamp = "2024-03-01T00:00:00Z".parse().unwrap();
        rule.at(now).to_sql(&layout)
    };
    let abandoned = "sequence(cart where n > 1 then not order within 1h) in last 1d";
    assert_eq!(
        sql(Dialect::Postgres, TimeForm::Timestamp, abandoned).unwrap(),
        "EXISTS (SELECT 1 FROM \"carts\" AS \"e0\" WHERE \"e0\".\"who\" = \"c\".\"id\" AND \
         (\"e0\".\"at\" >= TIMESTAMP '2024-02-29 00:00:00' AND \
         \"e0\".\"at\" < TIMESTAMP '2024-03-01 00:00:00' AND \"e0\".\"n\" > 1 AND NOT \
         EXISTS (SELECT 1 FROM \"orders\" AS \"e1\" WHERE \"e1\".\"who\" = \"e0\".\"who\" AND \
         \"e1\".\"at\" > \"e0\".\"at\" AND \
         \"e1\".\"at\" <= \"e0\".\"at\" + INTERVAL '3600.000' SECOND AND \
         \"e1\".\"at\" >= TIMESTAMP '2024-02-29 00:00:00' AND \
         \"e1\".\"at\" < TIMESTAMP '2024-03-01 00:00:00') AND \
         \"e0\".\"at\" < TIMESTAMP '2024-02-29 23:00:00'))"
    );
    let soon = "sequence(cart then order within 90001ms)";
    let within = |dialect, times| {
        let text = sql(dialect, times, soon).unwrap();
        let (_, from) = text.split_once("<= ").unwrap();
        from.split_once(" AND ").unwrap().0.to_owned()
    };
    assert_eq!(within(Dialect::Sqlite, TimeForm::Millis), "\"e0\".\"at\" + 90001");
    let spelt = [
        (Dialect::DuckDb, "to_milliseconds(90001)"),
        (Dialect::Postgres, "INTERVAL '90.001' SECOND"),
        (Dialect::Ansi, "INTERVAL '90.001' SECOND(2, 3)"),
    ];
    for (dialect, span) in spelt {
        let written = format!("\"e0\".\"at\" + {span}");
        assert_eq!(within(dialect, TimeForm::Timestamp), written);
    }
    // So long as no calendar is.
    let any = "sequence(cart then order)";
    let limits = segmenta::rules::Limits::new()
        .window(segmenta::data::Span::from_millis(u64::MAX));
    let long = "sequence(cart then order within 9223372036854775807ms)";
    let long = long.parse::<Rule>().unwrap().compile_with(&schema, &limits).unwrap();
    let now: Timestamp = "2024-03-01T00:00:00Z".parse().unwrap();
    let layout = SqlLayout::new(Dialect::Sqlite, "customers", "id")
        .stream("cart", SqlStream::new("carts", "who", "at"))
        .stream("order", SqlStream::new("orders", "who", "at"));
    assert_eq!(
        long.at(now).to_sql(&layout).unwrap(),
        sql(Dialect::Sqlite, TimeForm::Millis, any).unwrap()
    );
}

#[test]
fn faults_of_sequences_have_their_places() {
    let schema = Schema::builder()
        .stream(StreamSpec::new("cart", [FeatureSpec::category("a")]))
        .stream(StreamSpec::new("order", []))
        .build()
        .unwrap();
    let layout = SqlLayout::new(Dialect::Ansi, "customers", "id")
        .stream("cart", SqlStream::new("carts", "who", "at"));
    let faults = |rule: &str| -> Vec<(String, String)> {
        let set = RuleSet::new().segment("s", "S", rule.parse().unwrap());
        let book = set.compile_book(&schema).unwrap().at(now());
        let error = book.to_sql(&layout).unwrap_err();
        let ErrorKind::Definition { issues, .. } = error.kind() else {
            panic!("{error}")
        };
        issues.iter().map(|i| (i.code.clone(), i.path.clone())).collect()
    };
    let told = |code: &str, path: &str| {
        (code.to_owned(), format!("/segments/0/rule/not/sequence/steps/{path}"))
    };
    assert_eq!(
        faults("not sequence(cart then order then not order)"),
        [told("sql-stream", "1"), told("sql-stream", "2")]
    );
    assert_eq!(
        faults("not sequence(cart then cart where a = '\\\\')"),
        [told("sql-text", "1/where/field/is/eq")]
    );
}
