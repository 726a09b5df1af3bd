//! Books over events: what they say of hosts, definitions, tables and threads.

use segmenta::Segmenter;
use segmenta::data::{
    Customer, Date, EventLog, FeatureSpec, OwnedCustomer, OwnedValue, Schema,
    StreamIndex, StreamSpec, Table, Timestamp,
};
use segmenta::rules::{Rule, RuleSet, events, field};

use super::batch::{check, mixed};
use super::behaviour::{DAY, NOW};

#[test]
fn without_an_instant_the_answer_is_an_error() {
    let schema = Schema::builder().stream(StreamSpec::new("order", [])).build().unwrap();
    let rule = events("order").count().eq(0);
    let set = RuleSet::new().segment("a", "A", rule.clone());
    let book = set.compile_book(&schema).unwrap();
    let ann = OwnedCustomer::new(&schema, 1);
    let table = Table::from_customers(&schema, [&ann]).unwrap();
    let expected = "parameter `now` must be stated with `at`, since the rules depend on \
                    time, but is absent";
    assert!(book.depends_on_time());
    assert_eq!(book.membership(&ann).unwrap_err().to_string(), expected);
    assert_eq!(book.count(&table).unwrap_err().to_string(), expected);
    assert_eq!(book.explain(&ann).unwrap_err().to_string(), expected);
    let rule = rule.compile(&schema).unwrap();
    assert_eq!(rule.holds(&ann).unwrap_err().to_string(), expected);
    assert!(rule.at(Timestamp::from_millis(0)).holds(&ann).unwrap());
    // A rule without events needs none.
    let plain =
        field("x").is_set().compile(&Schema::new([FeatureSpec::flag("x")]).unwrap());
    assert!(!plain.unwrap().depends_on_time());
    assert!(ann.events(StreamIndex::new(0)).is_empty());
}

fn shop() -> Schema {
    let order = StreamSpec::new(
        "order",
        [
            FeatureSpec::number("amount"),
            FeatureSpec::category("channel").levels(["web", "shop"]),
            FeatureSpec::tags("items"),
        ],
    );
    let visit = StreamSpec::new("visit", [FeatureSpec::flag("mobile")]);
    Schema::builder()
        .feature(FeatureSpec::number("age"))
        .stream(order)
        .stream(visit)
        .build()
        .unwrap()
}

/// The faults of a rule against the shop's schema, as code, place in the text, suggestion.
#[track_caller]
fn faults(text: &str) -> Vec<(String, String, Option<String>)> {
    let parsed = segmenta::rules::RuleText::parse(text).unwrap();
    let error = parsed.compile(&shop()).unwrap_err();
    let segmenta::ErrorKind::Definition { issues, .. } = error.kind() else {
        panic!("{error}")
    };
    let told = issues.iter().map(|issue| {
        let span = issue.span.unwrap();
        let at = text[span.start..span.end].to_owned();
        (issue.code.clone(), at, issue.suggestion.clone())
    });
    told.collect()
}

#[test]
fn faults_of_definitions_are_told_with_their_places() {
    let one = |code: &str, at: &str, suggestion: Option<&str>| {
        vec![(code.to_owned(), at.to_owned(), suggestion.map(str::to_owned))]
    };
    assert_eq!(
        faults("events(ordr).count = 1"),
        one("unknown-stream", "ordr", Some("order"))
    );
    assert_eq!(
        faults("events(order).sum(amont) = 1"),
        one("unknown-property", ".sum(amont)", Some("amount"))
    );
    assert_eq!(
        faults("events(order where chanel = 'web') in last 1d"),
        one("unknown-property", "chanel", Some("channel"))
    );
    assert_eq!(
        faults("events(order where channel = 'wob') in last 1d"),
        one("unknown-level", "= 'wob'", Some("web"))
    );
    assert_eq!(
        faults("events(order).last(channel) = 'wob'"),
        one("unknown-level", "= 'wob'", Some("web"))
    );
    for (text, at) in [
        ("events(order).sum(channel) = 1", ".sum(channel)"),
        ("events(order).min(channel) = 1", ".min(channel)"),
        ("events(visit).average(mobile) = 1", ".average(mobile)"),
        ("events(order).distinct(items) = 1", ".distinct(items)"),
        ("events(order).first(items) is set", ".first(items)"),
    ] {
        assert_eq!(faults(text), one("wrong-property", at, None));
    }
    assert_eq!(
        faults("events(order).count contains 'x'"),
        one("wrong-operator", "contains 'x'", None)
    );
    assert_eq!(faults("events(order).last_day > 3"), one("wrong-literal", "> 3", None));
    assert_eq!(
        faults("events(order where events(visit)) in last 1d"),
        one("no-events-here", "events(visit)", None)
    );
    assert_eq!(
        faults("events(order).count = 0 when missing yes"),
        one("no-effect", "when missing yes", None)
    );
    for (text, at) in [
        ("events(order) in last 0d", "in last 0d"),
        ("events(order) from 3d to 3d ago", "from 3d to 3d ago"),
        ("events(order) from 1d to 3d ago", "from 1d to 3d ago"),
        ("events(order) in last 0 whole days", "in last 0 whole days"),
        ("events(order) from 2 to 2 whole days ago", "from 2 to 2 whole days ago"),
        ("events(order) from 1 to 2 whole days ago", "from 1 to 2 whole days ago"),
        (
            "events(order) from '2024-01-01' to '2024-01-01'",
            "from '2024-01-01' to '2024-01-01'",
        ),
        (
            "events(order) from '2024-01-03' to '2024-01-01T00:00Z'",
            "from '2024-01-03' to '2024-01-01T00:00Z'",
        ),
    ] {
        assert_eq!(faults(text), one("empty-window", at, None));
    }
    for (text, at) in [
        ("events(order) in last 3654d", "in last 3654d"),
        ("events(order) from 4000d to 3d ago", "from 4000d to 3d ago"),
        ("events(order) in last 11 whole years", "in last 11 whole years"),
        ("events(order) from 11 to 1 whole years ago", "from 11 to 1 whole years ago"),
    ] {
        assert_eq!(faults(text), one("window-too-long", at, None));
    }
    assert_eq!(
        faults("events(order) from '2024-02-30' to '2025-01-01'"),
        one("bad-instant", "from '2024-02-30' to '2025-01-01'", None)
    );
    assert_eq!(
        faults("events(order where at least 3 of (amount > 1))"),
        one("bad-count", "3", None)
    );
    for text in
        ["events(order).last_day in next 36h", "events(order).last_day ever in last 1h"]
    {
        assert_eq!(faults(text)[0].0, "not-whole-days");
    }
    assert_eq!(
        faults("events(order).last_day has anniversary in next 367d")[0].0,
        "window-too-long"
    );
    assert_eq!(faults("age in last 3d")[0].0, "wrong-operator");
    let codes = |text: &str| -> Vec<String> {
        faults(text).into_iter().map(|(code, ..)| code).collect()
    };
    assert_eq!(
        codes("events(order).sum(amont) in ()"),
        ["unknown-property", "empty-list"]
    );
    // All of them at once.
    let all =
        faults("events(ordr).count = 1 and events(order).sum(amont) in last 0d > 'x'");
    let codes: Vec<&str> = all.iter().map(|(code, ..)| code.as_str()).collect();
    assert_eq!(codes, ["unknown-stream", "empty-window", "unknown-property"]);
}

#[test]
fn events_of_a_host_that_break_the_contract_are_errors() {
    use segmenta::data::{
        Column, CustomerId, Events, FeatureIndex, TagColumn, Validity, Value,
    };

    struct Host {
        times: Vec<Timestamp>,
        columns: Vec<Column<'static>>,
    }
    impl Customer for Host {
        fn id(&self) -> CustomerId<'_> {
            7.into()
        }
        fn value(&self, _: FeatureIndex) -> Value<'_> {
            Value::Missing
        }
        fn events(&self, _: StreamIndex) -> Events<'_> {
            Events::new(&self.times, &self.columns, 0)
        }
    }
    let host = |times: &[i64], amounts: Vec<f64>, channel: &str| {
        let times: Vec<Timestamp> =
            times.iter().map(|&t| Timestamp::from_millis(t)).collect();
        let codes = vec![0_u32; times.len()];
        let none = vec![0_u32; times.len() + 1];
        let items = TagColumn::new(none, Vec::new(), Vec::<String>::new());
        let columns = vec![
            Column::Number(amounts.into(), Validity::All),
            Column::Category(
                codes.into(),
                vec![channel.to_owned()].into(),
                Validity::All,
            ),
            Column::Tags(items, Validity::All),
        ];
        Host { times, columns }
    };
    let ask = |host: &Host, text: &str| {
        let rule = text.parse::<Rule>().unwrap().compile(&shop()).unwrap();
        let rule = rule.at(Timestamp::from_millis(NOW));
        let answer = rule.holds(host).map_err(|e| e.to_string());
        // A table of the same customers is refused for the same reason.
        if let Err(error) = &answer {
            assert!(Table::from_customers(&shop(), [host]).is_err(), "{error}");
        }
        answer
    };
    let fine = host(&[1, 2], vec![3.0, 4.0], "web");
    assert_eq!(ask(&fine, "events(order).sum(amount) = 7"), Ok(true));

    let late = host(&[2, 1], vec![3.0, 4.0], "web");
    assert_eq!(
        ask(&late, "events(order)"),
        Err("`time 1970-01-01T00:00:00.001Z` is not at or after the event of `order` \
             before it"
            .into())
    );
    let far = host(&[1, i64::MAX], vec![3.0, 4.0], "web");
    assert!(ask(&far, "events(order)").unwrap_err().contains("a time of `order`"));
    // Columns that do not hold all events, and the end of all numbers.
    let short = host(&[1, 2], vec![3.0], "web");
    assert!(
        ask(&short, "events(order).sum(amount) < 5").unwrap_err().contains("property 0")
    );
    struct Beyond(Host);
    impl Customer for Beyond {
        fn id(&self) -> CustomerId<'_> {
            7.into()
        }
        fn value(&self, _: FeatureIndex) -> Value<'_> {
            Value::Missing
        }
        fn events(&self, _: StreamIndex) -> Events<'_> {
            Events::new(&self.0.times, &self.0.columns, usize::MAX)
        }
    }
    let beyond = Beyond(host(&[1, 2], vec![3.0, 4.0], "web"));
    assert_eq!(
        beyond.events(StreamIndex::new(0)).property(1, FeatureIndex::new(0)),
        Value::Missing
    );
    let rule = "events(order).sum(amount) >= 1".parse::<Rule>().unwrap();
    let rule = rule.compile(&shop()).unwrap().at(Timestamp::from_millis(NOW));
    assert!(rule.holds(&beyond).is_err());
    let nan = host(&[1, 2], vec![3.0, f64::NAN], "web");
    let expected = "feature `order.amount` must be a finite number, but is NaN";
    for text in [
        "events(order).sum(amount) = 1",
        "events(order).max(amount) = 1",
        "events(order).distinct(amount) = 1",
        "events(order).last(amount) = 1",
        "events(order where amount > 1)",
    ] {
        assert_eq!(ask(&nan, text), Err(expected.into()), "{text}");
    }
    // What is not looked at is not checked.
    assert_eq!(ask(&nan, "events(order).count = 2"), Ok(true));
    assert_eq!(ask(&nan, "events(order).first(amount) = 3"), Ok(true));
    let lost = host(&[1, 2], vec![3.0, 4.0], "street");
    assert!(
        ask(&lost, "events(order).distinct(channel) = 1").unwrap_err().contains("street")
    );
    assert!(
        ask(&lost, "events(order).last(channel) is set").unwrap_err().contains("street")
    );
}

#[test]
fn what_stands_where_a_value_is_missing_does_not_count() {
    use segmenta::data::{Column, Validity};
    let schema = Schema::builder()
        .stream(StreamSpec::new("e", [FeatureSpec::number("x")]))
        .build()
        .unwrap();
    let times: Vec<Timestamp> = (0..4).map(Timestamp::from_millis).collect();
    let valid = Validity::Mask(vec![true, false, true, false].into());
    let numbers = Column::Number(vec![1.5, f64::NAN, 2.0, 1e300].into(), valid);
    let table = Table::builder(&schema, 2)
        .stream("e", vec![0, 3, 4], times, vec![numbers])
        .build()
        .unwrap();
    let mut set = RuleSet::new();
    for (i, text) in [
        "events(e).sum(x) = 3.5",
        "events(e).sum(x) = 0",
        "events(e where x is missing).sum(x) = 0",
        "events(e where x is missing) in last 1d",
        "events(e).average(x) = 1.75",
        "events(e).average(x) is missing",
        "events(e).last(x) = 2",
    ]
    .into_iter()
    .enumerate()
    {
        set = set.segment(format!("{i}"), text, text.parse().unwrap());
    }
    let book = set.compile_book(&schema).unwrap().at(Timestamp::from_millis(10));
    check(&book, &table);
    let counts: Vec<u64> =
        book.count(&table).unwrap().iter().map(|count| count.members).collect();
    assert_eq!(counts, [1, 1, 2, 2, 1, 1, 1]);
}

#[test]
fn aggregates_that_differ_in_one_thing_are_kept_apart() {
    let properties =
        || [FeatureSpec::number("x"), FeatureSpec::number("y"), FeatureSpec::date("d")];
    let schema = Schema::builder()
        .stream(StreamSpec::new("a", properties()))
        .stream(StreamSpec::new("b", properties()))
        .build()
        .unwrap();
    let log = |stream: usize, i: usize| {
        let event = |j: usize| {
            let number = |k: usize| (mixed(i * 7 + j * 3 + k + stream) % 20) as f64 / 2.0;
            let day = Date::from_days(mixed(i + j) as i32 % 40).unwrap();
            let values: Vec<OwnedValue> =
                vec![number(0).into(), number(1).into(), day.into()];
            (
                Timestamp::from_millis(NOW - (mixed(i + 5 * j) % 30) as i64 * DAY - 1),
                values,
            )
        };
        EventLog::new(&schema.streams()[stream], (0..mixed(i + stream) % 6).map(event))
    };
    let customer = |i: usize| {
        OwnedCustomer::new(&schema, i as u64)
            .set_events("a", log(0, i).unwrap())
            .and_then(|customer| customer.set_events("b", log(1, i).unwrap()))
            .unwrap()
    };
    let table = Table::from_customers(&schema, (0..600).map(customer)).unwrap();
    let mut set = RuleSet::new();
    for stream in ["a", "b"] {
        for filter in ["", " where x > 4", " where y > 4", " where x > 4 or y > 4"] {
            for window in ["", " in last 10d", " in last 20d", " from 20d to 10d ago"] {
                for aggregate in [
                    "count",
                    "sum(x)",
                    "sum(y)",
                    "average(x)",
                    "average(y)",
                    "min(x)",
                    "max(x)",
                    "max(y)",
                    "first(x)",
                    "last(x)",
                    "last(y)",
                    "distinct(x)",
                    "active_days",
                ] {
                    let events = format!("events({stream}{filter}).{aggregate}{window}");
                    let text = format!("{events} >= 3");
                    set = set.segment(text.clone(), "S", text.parse().unwrap());
                }
                for date in ["min(d)", "max(d)", "first_day", "last_day"] {
                    let events = format!("events({stream}{filter}).{date}{window}");
                    let text = format!("{events} >= '1970-01-15'");
                    set = set.segment(text.clone(), "S", text.parse().unwrap());
                }
            }
        }
    }
    let book = set.compile_book(&schema).unwrap().at(Timestamp::from_millis(NOW));
    check(&book, &table);
}

#[test]
fn streams_are_found_by_name() {
    let rule: Rule =
        "events(order where channel = 'web').sum(amount) >= 5".parse().unwrap();
    let book = RuleSet::new()
        .segment("a", "A", rule)
        .segment("b", "B", "events(visit where mobile)".parse().unwrap())
        .compile_book(&shop())
        .unwrap()
        .at(Timestamp::from_millis(NOW));
    // The host has them in another order, and more properties.
    let mut order = shop().streams()[0].properties().to_vec();
    order.push(FeatureSpec::number("discount"));
    let host = Schema::builder()
        .stream(StreamSpec::new("visit", [FeatureSpec::flag("mobile")]))
        .stream(StreamSpec::new("order", order))
        .feature(FeatureSpec::number("age"))
        .build()
        .unwrap();
    let at = Timestamp::from_millis(NOW - 1);
    let values = |amount: f64| -> Vec<OwnedValue> {
        vec![amount.into(), "web".into(), OwnedValue::Tags(vec![]), 0.5.into()]
    };
    let log = EventLog::new(&host.streams()[1], [(at, values(2.0)), (at, values(3.0))]);
    let ann = OwnedCustomer::new(&host, 1).set_events("order", log.unwrap()).unwrap();
    let table =
        Table::from_customers(&host, [&ann, &OwnedCustomer::new(&host, 2)]).unwrap();
    check(&book, &table);
    let counts = book.count(&table).unwrap();
    assert_eq!([counts[0].members, counts[1].members], [1, 0]);
    // Fewer properties, or others in their place, are no match.
    let short = Schema::builder()
        .feature(FeatureSpec::number("age"))
        .stream(StreamSpec::new("visit", []))
        .stream(shop().streams()[0].clone())
        .build()
        .unwrap();
    let error = shop().locate_in(&short).unwrap_err();
    assert_eq!(
        error.to_string(),
        "feature `visit.mobile` is property 1 of its stream here, but absent in the other \
         schema"
    );
    let none = Schema::builder().feature(FeatureSpec::number("age")).build().unwrap();
    let error = shop().locate_in(&none).unwrap_err();
    assert!(
        error.is_schema() && error.to_string() == "no stream is named `order`",
        "{error}"
    );
}

#[cfg(feature = "rayon")]
#[test]
fn any_number_of_threads_gives_the_same_answers() {
    use segmenta::data::Span;
    use segmenta::rules::{PointsModel, score};

    let schema = shop();
    let spec = &schema.streams()[0];
    let person = |i: usize| {
        let event = |j: usize| {
            let values: Vec<OwnedValue> = vec![
                (mixed(i * 31 + j) as f64 % 1000.0 / 100.0).into(),
                if mixed(i + j).is_multiple_of(3) { "web" } else { "shop" }.into(),
                OwnedValue::Missing,
            ];
            (Timestamp::from_millis(NOW - (mixed(i * 7 + j) % 200) as i64 * DAY), values)
        };
        let log = EventLog::new(spec, (0..mixed(i) % 9).map(event)).unwrap();
        OwnedCustomer::new(&schema, i as u64).set_events("order", log).unwrap()
    };
    let table = Table::from_customers(&schema, (0..500).map(person)).unwrap();
    let rows: Vec<usize> = (0..70_000).map(|i| mixed(i) % table.len()).collect();
    let table = table.select_rows(&rows).unwrap();
    let mut set = RuleSet::new();
    for (i, text) in [
        "events(order).count in last 90d >= 2",
        "events(order where channel = 'web').sum(amount) in last 30d >= 5.55",
        "events(order where amount > 3).max(amount) from 90d to 30d ago >= 9",
        "events(order).distinct(channel) in this month = 2 and segment '0'",
    ]
    .into_iter()
    .enumerate()
    {
        set = set.segment(i.to_string(), text, text.parse().unwrap());
    }
    // A score whose sums are rounded, and one whose sums are not.
    let web = events("order").filter(field("channel").eq("web"));
    let points = |x: f64| {
        PointsModel::new()
            .when("many", 3.0 * x, events("order").count().ge(4))
            .per_event("web", x, web.clone())
            .half_life(Span::days(30))
            .in_steps(Span::days(1))
            .per_event("all", x, events("order").last(Span::days(60)))
    };
    let set = set
        .score("some", points(0.1))
        .score("whole", PointsModel { parts: points(1.0).parts.split_off(2), cap: None })
        .segment("some", "Some", score("some").ge(0.3))
        .segment("whole", "Whole", score("whole").between(1, 2));
    let book = set.compile_book(&schema).unwrap().at(Timestamp::from_millis(NOW));
    let answers = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| (book.count(&table).unwrap(), book.memberships(&table).unwrap()))
    };
    let one = answers(1);
    assert!(one.0.iter().all(|count| count.members > 1000), "{:?}", one.0);
    for row in 0..2000 {
        for (i, truth) in
            book.membership(&table.row(row)).unwrap().into_iter().enumerate()
        {
            let segment = segmenta::segmenter::SegmentIndex::new(i as u32);
            assert_eq!(one.1.truth(row, segment), truth, "{row} {i}");
        }
    }
    assert!([2, 7].iter().all(|&n| answers(n) == one));
}

#[cfg(feature = "testing")]
mod conformance {
    use super::*;

    fn book() -> segmenta::rules::RuleBook {
        let rules = [
            ("web", "events(order where channel = 'web').sum(amount) in last 90d >= 20"),
            ("quiet", "not events(order) in last 60d and age >= 30"),
            ("both", "segment 'web' or segment 'quiet' or events(visit).last_day is set"),
        ];
        let set = rules.iter().fold(RuleSet::new(), |set, (id, text)| {
            set.segment(*id, *id, text.parse().unwrap())
        });
        set.compile_book(&shop()).unwrap().at(Timestamp::from_millis(NOW))
    }

    fn shoppers() -> Vec<OwnedCustomer> {
        let schema = shop();
        let event = |i: i64, j: i64| {
            let values: Vec<OwnedValue> = vec![
                (3.25 * (i + j) as f64).into(),
                if j % 2 == 0 { "web" } else { "shop" }.into(),
                OwnedValue::Missing,
            ];
            (Timestamp::from_millis(NOW - i * j * 5 * DAY - 1), values)
        };
        let customer = |i: i64| {
            let log =
                EventLog::new(&schema.streams()[0], (0..i % 5).map(|j| event(i, j)));
            OwnedCustomer::new(&schema, i as u64)
                .set("age", (20 + i) as f64)
                .and_then(|customer| customer.set_events("order", log.unwrap()))
                .unwrap()
        };
        (0..30).map(customer).collect()
    }

    segmenta::conformance!(a_bound_book, segmenter: book(), cases: shoppers());
    segmenta::conformance!(a_bound_segmenter, segmenter: book().into_segmenter(), cases: shoppers());
}
