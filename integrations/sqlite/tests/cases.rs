//! What random books seldom show: numbers to the bit, and books of unusual shapes.

use rusqlite::Connection;
use segmenta::Segmenter;
use segmenta::data::{
    Date, EventLog, FeatureSpec, Moment, OwnedCustomer, OwnedValue, Schema, Span,
    StreamSpec, Timestamp, Zone,
};
use segmenta::rules::{
    Dialect, LeapDay, Rule, RuleBook, RuleSet, SqlLayout, SqlStream, SqlTags, Test,
    events, field, segment,
};
use segmenta::segmenter::{SegmentIndex, Truth};
use segmenta_sqlite::database::truth;

fn layout() -> SqlLayout {
    SqlLayout::new(Dialect::Sqlite, "customers", "id")
}

fn schema() -> Schema {
    Schema::new([FeatureSpec::number("x")]).unwrap()
}

/// A table of numbers.
fn table(numbers: &[f64]) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute("CREATE TABLE customers (id INTEGER, x REAL)", []).unwrap();
    for (i, x) in numbers.iter().enumerate() {
        db.execute("INSERT INTO customers VALUES (?, ?)", (i as i64, x)).unwrap();
    }
    db
}

fn members(db: &Connection, set: &RuleSet) -> Vec<i64> {
    let text = set.compile_book(&schema()).unwrap().to_sql(&layout()).unwrap().counts();
    let mut query = db.prepare(&text).unwrap();
    let rows = query.query_map([], |row| row.get("members")).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn numbers_are_read_to_the_bit() {
    let mut bits = 1_u64;
    let mut numbers = vec![0.0, 1e22, 1e23, 5e-324, f64::MAX, f64::MIN_POSITIVE, 2.5e-7];
    while numbers.len() < 3_000 {
        // As PCG does, so that all bits look random.
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        let x = f64::from_bits(bits ^ (bits >> 32));
        let small = (bits >> 40) as f64 / 100.0;
        numbers.extend([x, small, small * 1e-9].into_iter().filter(|x| x.is_finite()));
    }
    // Each alone, since equal ones would count twice.
    let db = table(&[]);
    for x in numbers {
        db.execute("DELETE FROM customers", []).unwrap();
        db.execute("INSERT INTO customers VALUES (1, ?)", [x]).unwrap();
        let rule =
            |rule: Rule| rule.compile(&schema()).unwrap().to_sql(&layout()).unwrap();
        let parts = [field("x").eq(x), field("x").ge(x), field("x").le(x)];
        let others = [field("x").lt(x), field("x").gt(x)];
        let near = [x.next_down(), x.next_up()].into_iter().filter(|x| x.is_finite());
        let near = near.map(|near| rule(!field("x").eq(near)));
        let tests: Vec<String> = parts
            .map(rule)
            .into_iter()
            .chain(others.map(|other| rule(!other)))
            .chain(near)
            .collect();
        let text = format!("SELECT ({}) FROM customers AS \"c\"", tests.join(") AND ("));
        let holds: bool = db.query_row(&text, [], |row| row.get(0)).unwrap();
        assert!(holds, "{x:e}: {text}");
    }
}

#[test]
fn segments_are_computed_once_however_many_refer_to_them() {
    let numbers: Vec<f64> = (0..50).map(f64::from).collect();
    let first = RuleSet::new().segment("s0", "S", field("x").ge(40));
    let set = (1..60).fold(first, |set, i| {
        let before = || segment(format!("s{}", i - 1));
        let rule =
            (before() & field("x").ge(10)) | (!before() & field("x").lt(10) & before());
        set.segment(format!("s{i}"), "S", rule)
    });
    let counts = members(&table(&numbers), &set.rest("rest", "R"));
    assert_eq!(counts, [vec![10; 60], vec![40]].concat());
}

#[test]
fn long_lists_and_many_segments_stay_within_what_sqlite_allows() {
    let numbers: Vec<f64> = (0..20).map(f64::from).collect();
    let each = |n: i32| (0..n).map(|i| field("x").eq(i));
    let db = table(&numbers);
    let set = RuleSet::new()
        .segment("any", "S", Rule::any(each(990)))
        .segment("none", "S", !Rule::all(each(990)))
        .segment("some", "S", Rule::at_least(1, each(990)))
        .segment("list", "S", field("x").is_in(0..10_000));
    assert_eq!(members(&db, &set), [20, 20, 20, 20]);
    let many = (0..1_500).fold(RuleSet::new(), |set, i| {
        set.segment(format!("s{i}"), "S", field("x").ge(i + 1))
    });
    let counts = members(&db, &many.rest("rest", "R"));
    assert_eq!(counts.len(), 1_501);
    assert_eq!((counts[0], counts[18], counts[19], counts[1_500]), (19, 1, 0, 1));
}

#[test]
fn anniversaries_are_on_the_same_days() {
    let schema = Schema::new([FeatureSpec::date("born")]).unwrap();
    let db = Connection::open_in_memory().unwrap();
    db.execute("CREATE TABLE customers (id INTEGER, born TEXT)", []).unwrap();
    let day = |text: &str| text.parse::<Date>().unwrap().days_since_epoch();
    let ends = [("2019-02-24", "2019-03-05"), ("2020-02-24", "2020-03-05")];
    let more = [("2022-12-28", "2023-01-03"), ("2024-02-26", "2024-03-02")];
    let days = ends.into_iter().chain(more).flat_map(|(from, to)| day(from)..day(to));
    let dates: Vec<Date> = days.map(|days| Date::from_days(days).unwrap()).collect();
    for (i, date) in dates.iter().enumerate() {
        let row = (i as i64, date.to_string());
        db.execute("INSERT INTO customers VALUES (?, ?)", row).unwrap();
    }
    let years = [("2023-02-24", "2023-03-04"), ("2024-02-24", "2024-03-04")];
    let nows = years.into_iter().chain([("2023-12-28", "2024-01-03")]);
    for today in nows.flat_map(|(from, to)| day(from)..day(to)) {
        let now = Timestamp::from_millis(i64::from(today) * 86_400_000 + 1);
        for leap_day in [LeapDay::Feb28, LeapDay::Mar1, LeapDay::Skip] {
            for n in [1, 2, 3, 6, 366] {
                let test = Test::Anniversary { within: Span::days(n), leap_day };
                let rule = field("born").is(test).compile(&schema).unwrap().at(now);
                let sql = rule.to_sql(&layout()).unwrap();
                let text = format!("SELECT ({sql}) FROM customers AS \"c\" ORDER BY id");
                let mut query = db.prepare(&text).unwrap();
                let found = query.query_map([], |row| row.get(0)).unwrap();
                for (date, found) in dates.iter().zip(found) {
                    let ann = OwnedCustomer::new(&schema, 1).set("born", *date).unwrap();
                    let expected = rule.truth(&ann).unwrap();
                    assert_eq!(
                        truth(found.unwrap()),
                        Some(expected),
                        "{date} at {now}, {n} days, {leap_day:?}: {sql}"
                    );
                }
            }
        }
    }
}

#[test]
fn averages_of_integers_have_fractions() {
    let stream = StreamSpec::new("order", [FeatureSpec::number("items")]);
    let schema = Schema::builder().stream(stream).build().unwrap();
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE customers (id INTEGER);
         INSERT INTO customers VALUES (1), (2);
         CREATE TABLE orders (customer INTEGER, at INTEGER, items INTEGER);
         INSERT INTO orders VALUES (1, 0, 1), (1, 1, 2), (1, 2, NULL);",
    )
    .unwrap();
    let rule: Rule = "events(order).average(items) = 1.5".parse().unwrap();
    let set = RuleSet::new().segment("a", "A", rule);
    let book = set.compile_book(&schema).unwrap().at(Timestamp::from_millis(10));
    let layout = layout().stream("order", SqlStream::new("orders", "customer", "at"));
    let sql = book.to_sql(&layout).unwrap();
    let counted: (i64, i64) = db
        .query_row(&sql.counts(), [], |row| {
            Ok((row.get("members")?, row.get("undecided")?))
        })
        .unwrap();
    assert_eq!(counted, (1, 1));
    let expression = sql.expression(SegmentIndex::new(0)).unwrap();
    let text = format!("SELECT ({expression}) FROM customers AS \"c\" ORDER BY id");
    let mut query = db.prepare(&text).unwrap();
    let found = query.query_map([], |row| row.get::<_, Option<i64>>(0)).unwrap();
    assert_eq!(found.map(Result::unwrap).collect::<Vec<_>>(), [Some(1), None]);
}

#[test]
fn days_beyond_the_calendar_are_not_known_of_nobody() {
    let stream = StreamSpec::new("order", []);
    let schema = Schema::builder().stream(stream).build().unwrap();
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE customers (id INTEGER);
         INSERT INTO customers VALUES (1), (2);
         CREATE TABLE orders (customer INTEGER, at INTEGER);
         INSERT INTO orders VALUES (1, 0);",
    )
    .unwrap();
    let layout = layout().stream("order", SqlStream::new("orders", "customer", "at"));
    for (rule, expected) in [
        ("events(order).last_day > '9999-12-31'", [Some(0), None]),
        ("not events(order).last_day > '9999-12-31'", [Some(1), None]),
        ("events(order).first_day > '9999-12-31' when missing yes", [Some(0), Some(1)]),
        ("events(order).last_day <= '9999-12-31'", [Some(1), None]),
    ] {
        let rule: Rule = rule.parse().unwrap();
        let rule = rule.compile(&schema).unwrap().at(Timestamp::from_millis(10));
        let sql = rule.to_sql(&layout).unwrap();
        let text = format!("SELECT ({sql}) FROM customers AS \"c\" ORDER BY id");
        let mut query = db.prepare(&text).unwrap();
        let found = query.query_map([], |row| row.get::<_, Option<i64>>(0)).unwrap();
        assert_eq!(found.map(Result::unwrap).collect::<Vec<_>>(), expected, "{sql}");
    }
}

#[test]
fn there_may_be_any_number_of_first_and_last_values() {
    let stream = StreamSpec::new("order", [FeatureSpec::number("items")]);
    let schema = Schema::builder()
        .feature(FeatureSpec::number("x"))
        .stream(stream)
        .build()
        .unwrap();
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE customers (id INTEGER, x REAL);
         INSERT INTO customers VALUES (1, 5), (2, 5), (3, 5);
         CREATE TABLE orders (customer INTEGER, at INTEGER, items INTEGER);
         INSERT INTO orders VALUES (1, 999, 1), (1, 900, 7), (2, 960, 7);",
    )
    .unwrap();
    // The last within so many milliseconds.
    let set = (1..=130).fold(RuleSet::new(), |set, span| {
        let chosen = events("order").last(Span::from_millis(span));
        let rule = chosen.clone().last_value("items").ge(1)
            & chosen.count().ge(1)
            & field("x").ge(5);
        set.segment(format!("s{span}"), "S", rule)
    });
    let book = set.compile_book(&schema).unwrap().at(Timestamp::from_millis(1_000));
    let stream = SqlStream::new("orders", "customer", "at").order("at");
    let sql = book.to_sql(&layout().stream("order", stream)).unwrap();
    let mut query = db.prepare(&sql.counts()).unwrap();
    let rows = query.query_map([], |row| row.get::<_, i64>("members")).unwrap();
    let counts: Vec<i64> = rows.map(Result::unwrap).collect();
    let expected: Vec<i64> =
        (1..=130).map(|span| if span < 40 { 1 } else { 2 }).collect();
    assert_eq!(counts, expected);
}

#[test]
fn days_of_events_at_the_ends_of_the_calendar_are_the_same() {
    let stream = StreamSpec::new("order", []);
    let schema = Schema::builder().stream(stream).build().unwrap();
    let stream = SqlStream::new("orders", "customer", "at");
    let layout = layout().stream("order", stream);
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let mut times = vec![Timestamp::MIN, Timestamp::MAX];
    for day in ["9999-12-30", "9999-12-31", "9998-12-31", "-9999-01-01", "-9999-01-02"] {
        times.extend(["05:00Z", "12:00Z", "20:00Z"].map(|t| at(&format!("{day}T{t}"))));
    }
    // Before the years that databases write with four digits.
    times.extend(
        ["-4714-02-28T12:00Z", "-0044-03-01T12:00Z", "0000-02-29T12:00Z"].map(at),
    );
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE customers (id INTEGER);
         CREATE TABLE orders (customer INTEGER, at INTEGER);",
    )
    .unwrap();
    // All pairs: also one instant by itself, and nothing.
    let mut people: Vec<Vec<Timestamp>> = vec![Vec::new()];
    for (i, a) in times.iter().enumerate() {
        people.extend(times[i..].iter().map(|b| vec![*a, *b]));
    }
    for (id, times) in people.iter().enumerate() {
        db.execute("INSERT INTO customers VALUES (?)", [id as i64]).unwrap();
        for at in times {
            let row = (id as i64, at.as_millis());
            db.execute("INSERT INTO orders VALUES (?, ?)", row).unwrap();
        }
    }
    let rules = [
        "events(order).last_day has anniversary in next 3d",
        "events(order).first_day has anniversary in next 366d",
        "events(order).first_day has anniversary in next 2d",
        "events(order).active_days = 1",
        "events(order).active_days in last 48h = 1",
    ];
    let nows = [
        Timestamp::MAX.as_millis(),
        Timestamp::MAX.as_millis() + 1,
        at("9999-12-31T21:00Z").as_millis(),
        at("2023-02-27T12:00Z").as_millis(),
        at("-0043-03-01T00:00Z").as_millis(),
    ];
    for zone in [-720, -60, 0, 60, 840] {
        for now in nows {
            let moment = Moment::new(Timestamp::from_millis(now));
            let moment = moment.zone(Zone::fixed(zone).unwrap());
            let set = rules.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
                set.segment(format!("s{i}"), "S", rule.parse().unwrap())
            });
            let book = set.compile_book(&schema).unwrap().at(moment);
            let sql = book.to_sql(&layout).unwrap();
            let text = format!(
                "SELECT q.truth FROM ({}) AS q ORDER BY q.customer, q.segment",
                sql.membership()
            );
            let mut query = db.prepare(&text).unwrap();
            let found = query.query_map([], |row| row.get(0)).unwrap();
            let found: Vec<_> = found.map(|x| truth(x.unwrap()).unwrap()).collect();
            for (times, found) in people.iter().zip(found.chunks(rules.len())) {
                let events = times.iter().map(|at| (*at, Vec::<OwnedValue>::new()));
                let log = EventLog::new(&schema.streams()[0], events).unwrap();
                let ann =
                    OwnedCustomer::new(&schema, 1).set_events("order", log).unwrap();
                let expected = book.membership(&ann).unwrap();
                assert_eq!(found, expected, "{times:?} at {now}, zone {zone}\n{text}");
            }
        }
    }
}

/// What a statement and the expressions of a book answer, in the order of ids.
fn answers(db: &Connection, book: &RuleBook, layout: &SqlLayout) -> Vec<Vec<Truth>> {
    let sql = book.to_sql(layout).unwrap();
    let run = |text: &str| {
        let mut query = db.prepare(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let rows = query.query_map([], |row| row.get(0)).unwrap();
        rows.map(|row| truth(row.unwrap()).unwrap()).collect::<Vec<Truth>>()
    };
    let n = book.segments().len();
    let ordered = "ORDER BY q.customer COLLATE BINARY, q.segment";
    let whole =
        run(&format!("SELECT q.truth FROM ({}) AS q {ordered}", sql.membership()));
    let mut rows: Vec<Vec<Truth>> = vec![Vec::new(); whole.len() / n];
    for at in 0..n {
        let expression = sql.expression(SegmentIndex::new(at as u32)).unwrap();
        let ordered = "ORDER BY c.id COLLATE BINARY";
        let each =
            run(&format!("SELECT ({expression}) FROM customers AS \"c\" {ordered}"));
        for (row, truth) in rows.iter_mut().zip(each) {
            row.push(truth);
        }
    }
    assert_eq!(rows.concat(), whole, "{}", sql.membership());
    rows
}

#[test]
fn upper_and_lower_case_differ_in_ids_too_whatever_the_columns_say() {
    let stream = StreamSpec::new("order", [FeatureSpec::category("shop")]);
    let schema = Schema::builder()
        .feature(FeatureSpec::category("city"))
        .feature(FeatureSpec::tags("likes"))
        .stream(stream)
        .build()
        .unwrap();
    let set = [
        "city = 'a'",
        "city in ('A', 'c')",
        "likes has any of ('tea')",
        "likes has all of ('tea', 'Tea')",
        "size of likes = 2",
        "events(order).count = 2",
        "events(order).distinct(shop) = 2",
        "events(order).last(shop) = 'x'",
        "events(order).first(shop) = 'x'",
        "events(order where shop = 'X').count = 1",
    ];
    let set = set.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
        set.segment(format!("s{i}"), "S", rule.parse().unwrap())
    });
    let book = set.compile_book(&schema).unwrap().at(Timestamp::from_millis(10));
    let stream = SqlStream::new("orders", "customer", "at").order("nth");
    let layout = layout()
        .tags("likes", SqlTags::new("likes", "customer", "tag"))
        .stream("order", stream);
    let yes = |at: &[usize]| -> Vec<Truth> {
        (0..10)
            .map(|i| if at.contains(&i) { Truth::True } else { Truth::False })
            .collect()
    };
    // Events of "A": X at "B", x at "a", which is after "B" by its bytes.
    let expected = [yes(&[1, 3, 2, 4, 5, 6, 7, 9]), yes(&[0, 9])];
    // In each table by itself, in none, and in all.
    for mask in 0..8 {
        let kind =
            |bit: u32| if mask >> bit & 1 == 1 { "TEXT COLLATE NOCASE" } else { "TEXT" };
        let (of_customers, of_events, of_tags) = (kind(0), kind(1), kind(2));
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(&format!(
            "CREATE TABLE customers (id {of_customers}, city {of_customers});
             INSERT INTO customers VALUES ('a', 'a'), ('A', 'A');
             CREATE TABLE likes (customer {of_tags}, tag {of_tags});
             INSERT INTO likes VALUES ('A', 'tea'), ('A', 'Tea'), ('a', 'TEA');
             CREATE TABLE orders (customer {of_events}, at INTEGER, nth {of_events}, shop {of_events});
             INSERT INTO orders VALUES ('A', 1, 'a', 'x'), ('A', 1, 'B', 'X'), ('a', 0, 'c', 'X');",
        ))
        .unwrap();
        assert_eq!(answers(&db, &book, &layout), expected, "{mask}");
    }
}

#[test]
fn at_least_counts_all_truths_alike() {
    for m in 1..=5_usize {
        let names: Vec<String> = (0..m).map(|i| format!("x{i}")).collect();
        let schema = Schema::new(names.iter().map(FeatureSpec::flag)).unwrap();
        let db = Connection::open_in_memory().unwrap();
        let columns: String =
            names.iter().map(|name| format!(", {name} INTEGER")).collect();
        db.execute(&format!("CREATE TABLE customers (id INTEGER{columns})"), []).unwrap();
        let truths = |row: usize| {
            (0..m).map(move |i| {
                [None, Some(false), Some(true)][row / 3_usize.pow(i as u32) % 3]
            })
        };
        let n_rows = 3_usize.pow(m as u32);
        for row in 0..n_rows {
            let values = truths(row).map(|truth| match truth {
                None => ", NULL".to_owned(),
                Some(truth) => format!(", {}", i32::from(truth)),
            });
            let values: String = values.collect();
            db.execute(&format!("INSERT INTO customers VALUES ({row}{values})"), [])
                .unwrap();
        }
        let parts = || names.iter().map(|name| field(name).eq(true));
        let set = (1..=m).fold(RuleSet::new(), |set, n| {
            set.segment(format!("s{n}"), "S", Rule::at_least(n, parts()))
        });
        // Within each other, and denied.
        let nested = (0..12).fold(Rule::at_least(m.div_ceil(2), parts()), |rule, _| {
            Rule::at_least(m.div_ceil(2), parts().map(|part| !part).chain([!rule]))
        });
        let set = set.segment("t", "T", nested);
        let book = set.compile_book(&schema).unwrap();
        let found = answers(&db, &book, &layout());
        assert_eq!(found.len(), n_rows);
        for (row, found) in found.iter().enumerate() {
            let ann = names.iter().zip(truths(row)).fold(
                OwnedCustomer::new(&schema, 1),
                |ann, (name, truth)| match truth {
                    None => ann,
                    Some(truth) => ann.set(name, truth).unwrap(),
                },
            );
            assert_eq!(*found, book.membership(&ann).unwrap(), "{m}, {row}");
        }
    }
}

#[test]
fn at_least_has_room_for_many_parts() {
    let numbers: Vec<f64> = (0..20).map(f64::from).collect();
    let db = table(&numbers);
    let each = || (0..990).map(|i| field("x").ge(f64::from(i % 19)));
    let set = RuleSet::new()
        .segment("half", "S", Rule::at_least(500, each()))
        .segment("most", "S", Rule::at_least(989, each()))
        .segment("few", "S", Rule::at_least(2, each()));
    assert_eq!(members(&db, &set), [11, 2, 20]);
}

/// Each customer has up to four events, in any order, at one instant or ten milliseconds apart.
#[test]
fn sequences_of_few_events_in_all_orders() {
    let product = || FeatureSpec::category("product");
    let views = StreamSpec::new("view", [FeatureSpec::category("page"), product()]);
    let orders = StreamSpec::new("order", [product()]);
    let streams = [views.clone(), orders.clone()];
    let schema =
        streams.into_iter().fold(Schema::builder(), |schema, of| schema.stream(of));
    let schema = schema.build().unwrap();
    let (a, b) = ("view where page = 'a'", "view where page = 'b'");
    let set = [
        format!("sequence({a} then {b})"),
        format!("sequence({a} then {b} within 10ms)"),
        format!("sequence({a} then {b} within 19ms)"),
        format!("sequence({a} then order then {b} then {a})"),
        format!("sequence({a} then not {b})"),
        format!("sequence({a} then not {b} within 10ms)"),
        format!("sequence({a} then not {b} within 31ms)"),
        format!("sequence({a} then not {b} then order)"),
        format!("sequence({a} then not {b} within 10ms then order)"),
        format!("sequence({a} then not {b} then not order within 10ms then {a})"),
        format!("sequence({a} then not order within 10ms then not {b} within 20ms)"),
        format!("sequence({a} then order then not view then order)"),
        "sequence(view then order) with same product".to_owned(),
        "sequence(view then not order) with same product".to_owned(),
        "sequence(view then not order then view) with same product".to_owned(),
        format!("sequence({a} then {b}) in last 20ms"),
        format!("sequence({a} then not {b}) in last 20ms"),
        "sequence(view then not order within 10ms) from 30ms to 10ms ago".to_owned(),
    ];
    let set = set.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
        set.segment(format!("s{i:02}"), "S", rule.parse().unwrap())
    });
    let book = set.compile_book(&schema).unwrap().at(Timestamp::from_millis(41));

    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE customers (id INTEGER);
         CREATE TABLE views (customer INTEGER, at INTEGER, page TEXT, product TEXT);
         CREATE TABLE orders (customer INTEGER, at INTEGER, product TEXT);
         CREATE INDEX of_views ON views (customer, at);
         CREATE INDEX of_orders ON orders (customer, at);",
    )
    .unwrap();
    let mut expected = Vec::new();
    let words = (0..=4).flat_map(|n| (0..3_usize.pow(n) << n).map(move |word| (n, word)));
    for (id, (n, word)) in words.enumerate() {
        db.execute("INSERT INTO customers VALUES (?)", [id as i64]).unwrap();
        let (mut at, mut seen, mut bought) = (0, Vec::new(), Vec::new());
        for i in 0..n {
            let letter = (word >> n) / 3_usize.pow(i) % 3;
            at += 10 * (word >> i & 1) as i64;
            let time = Timestamp::from_millis(at);
            let product = [Some("x"), Some("y"), Some("x"), None][i as usize];
            let value = product.map_or(OwnedValue::Missing, OwnedValue::from);
            if letter == 2 {
                let row = (id as i64, at, product);
                db.execute("INSERT INTO orders VALUES (?, ?, ?)", row).unwrap();
                bought.push((time, vec![value]));
            } else {
                let page = ["a", "b"][letter];
                let row = (id as i64, at, page, product);
                db.execute("INSERT INTO views VALUES (?, ?, ?, ?)", row).unwrap();
                seen.push((time, vec![OwnedValue::from(page), value]));
            }
        }
        let ann = OwnedCustomer::new(&schema, id as u64)
            .set_events("view", EventLog::new(&views, seen).unwrap())
            .and_then(|ann| ann.set_events("order", EventLog::new(&orders, bought)?))
            .unwrap();
        expected.push(book.membership(&ann).unwrap());
    }
    let layout = layout()
        .stream("view", SqlStream::new("views", "customer", "at"))
        .stream("order", SqlStream::new("orders", "customer", "at"));
    assert_eq!(answers(&db, &book, &layout), expected);
    for at in 0..book.segments().len() {
        let members = expected.iter().filter(|truths| truths[at].is_true()).count();
        assert!(members > 0 && members < expected.len(), "{at}: {members}");
    }
}
