//! What live books say of hosts, saved customers and books that are edited.

use segmenta::data::{
    FeatureIndex, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Span, StreamIndex,
    StreamSpec, Timestamp, Value,
};
use segmenta::rules::{
    Granularity, LiveBook, LiveConfig, LiveCustomer, LiveScratch, Rule, RuleBook,
    RuleSet, SavedCustomer,
};
use segmenta::segmenter::Truth;

use super::behaviour::DAY;

const ORDER: StreamIndex = StreamIndex::new(0);

fn day(n: i64) -> Timestamp {
    Timestamp::from_millis(n * DAY)
}

fn schema() -> Schema {
    Schema::builder()
        .feature(FeatureSpec::number("age"))
        .feature(FeatureSpec::category("country").levels(["AT", "DE"]))
        .stream(StreamSpec::new(
            "order",
            [
                FeatureSpec::number("amount"),
                FeatureSpec::category("channel").levels(["web", "shop"]),
                FeatureSpec::category("product"),
            ],
        ))
        .stream(StreamSpec::new("visit", []))
        .build()
        .unwrap()
}

fn book(rules: &[&str]) -> LiveBook {
    book_by(rules, Granularity::Day)
}

fn book_by(rules: &[&str], granularity: Granularity) -> LiveBook {
    let set = rules.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
        set.segment(format!("s{i}"), format!("S{i}"), rule.parse::<Rule>().unwrap())
    });
    let book = set.compile_book(&schema()).unwrap();
    book.live(&LiveConfig::new().granularity(granularity)).unwrap()
}

fn order<'a>(amount: f64, product: &'a str) -> [Value<'a>; 3] {
    [Value::Number(amount), Value::Category("web"), Value::Category(product)]
}

fn buy(
    live: &LiveBook,
    ann: &mut LiveCustomer,
    at: Timestamp,
    amount: f64,
    product: &str,
) {
    let mut scratch = LiveScratch::new();
    live.event(ann, ORDER, at, &order(amount, product), &mut scratch).unwrap();
}

#[test]
fn customers_with_many_names_are_saved_as_they_are() {
    let live = book(&[
        "sequence(order then order within 5d) with same product in last 9d",
        "sequence(order then not order within 2d) with same product",
        "events(order).distinct(product) in last 20d > 3",
        "events(order).distinct(product) > 500",
        "events(order).last(product) in last 9d = 'p3'",
        "events(order).first(product) from '1970-01-10' to '1970-03-01' = 'p3'",
    ]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(1));
    let load = |ann: &LiveCustomer| {
        let json = serde_json::to_string(&live.save(ann).unwrap()).unwrap();
        live.load(&serde_json::from_str::<SavedCustomer>(&json).unwrap()).unwrap()
    };
    // Crowds of names on few days, then few on many, so that names fall out of use.
    for i in 0..600_i64 {
        let at =
            if i % 200 < 150 { i / 200 * 60 + 1 } else { i / 200 * 60 + i % 200 - 148 };
        buy(&live, &mut ann, day(at), 1.0, &format!("p{}", i * 7 % 501));
        if i % 7 == 0 || i % 200 > 150 {
            let again = load(&ann);
            assert_eq!(again, ann, "{i}");
            // Both go on alike.
            let mut both = [ann.clone(), again];
            for customer in &mut both {
                buy(&live, customer, day(at + 3), 1.0, "new");
                live.advance(customer, day(at + 11), &mut scratch).unwrap();
            }
            let [a, b] = both.map(|c| live.membership(&c, &mut scratch).unwrap());
            assert_eq!(a, b, "{i}");
        }
    }
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    let live = book(&["events(order).sum(amount) in last 30d > 5", "age > 3"]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(100));
    buy(&live, &mut ann, day(100), 10.0, "pen");
    let before = ann.clone();
    let web = Value::Category("web");
    let pen = Value::Category("pen");
    let bad: [(&[Value<'_>], Timestamp, &str); 6] = [
        (&[Value::Number(f64::NAN), web, pen], day(200), "amount"),
        (&[Value::Flag(true), web, pen], day(200), "amount"),
        (
            &[Value::Number(1.0), Value::Category("wbe"), pen],
            day(200),
            "did you mean `web`",
        ),
        (&[Value::Number(1.0), web, Value::Number(1.0)], day(200), "product"),
        (&[Value::Number(1.0)], day(200), "3 is needed"),
        (&[Value::Number(1.0), web, pen], Timestamp::from_millis(i64::MAX), "calendar"),
    ];
    for (values, at, part) in bad {
        let error = live.event(&mut ann, ORDER, at, values, &mut scratch).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert_eq!(ann, before);
    }
    let fails = |error: segmenta::Error, part: &str| {
        assert!(error.to_string().contains(part), "{part}: {error}");
    };
    let far = StreamIndex::new(2);
    fails(live.event(&mut ann, far, day(200), &[], &mut scratch).unwrap_err(), "below 2");
    let far = FeatureIndex::new(2);
    fails(live.set(&mut ann, far, Value::Missing, &mut scratch).unwrap_err(), "below 2");
    let age = FeatureIndex::new(0);
    for value in [Value::Number(f64::INFINITY), Value::Category("old")] {
        fails(live.set(&mut ann, age, value, &mut scratch).unwrap_err(), "age");
    }
    // A feature that no rule asks about is checked all the same.
    let unknown = Value::Category("FR");
    let country = FeatureIndex::new(1);
    fails(live.set(&mut ann, country, unknown, &mut scratch).unwrap_err(), "country");
    let never = Timestamp::from_millis(i64::MIN);
    fails(live.advance(&mut ann, never, &mut scratch).unwrap_err(), "calendar");
    assert_eq!(ann, before);
    // The same memory still gives right answers.
    let changes = live.advance(&mut ann, day(130), &mut scratch).unwrap();
    assert_eq!((changes.len(), changes[0].to), (1, Truth::False));
}

#[test]
fn customers_of_other_books_are_refused() {
    let one = book(&["events(order).sum(amount) in last 30d > 5"]);
    let two = book(&["events(order).sum(amount) in last 31d > 5"]);
    let mut scratch = LiveScratch::new();
    let mut ann = one.customer(day(1));
    let bob = two.customer(day(1));
    assert!(two.advance(&mut ann, day(2), &mut scratch).is_err());
    assert!(
        two.event(&mut ann, ORDER, day(2), &order(1.0, "pen"), &mut scratch).is_err()
    );
    assert!(
        two.set(&mut ann, FeatureIndex::new(0), Value::Missing, &mut scratch).is_err()
    );
    assert!(two.membership(&ann, &mut scratch).is_err());
    assert!(two.explain(&ann, &mut scratch).is_err());
    assert!(one.merge(&mut ann, &bob, &mut scratch).is_err());
    assert!(two.save(&ann).is_err());
    assert!(two.due(&ann).is_err() && two.moment(&ann).is_err());
    let error = two.load(&one.save(&ann).unwrap()).unwrap_err();
    assert!(error.to_string().contains("keeps other things"), "{error}");
}

#[test]
fn a_customer_outlives_an_edit_that_keeps_the_same() {
    let old = book(&[
        "events(order).sum(amount) in last 30d > 5",
        "events(visit) in last 7d and age > 30",
    ]);
    let mut ann = old.customer(day(100));
    buy(&old, &mut ann, day(100), 10.0, "pen");
    let saved = old.save(&ann).unwrap();
    // Other thresholds, another order, joined otherwise, a window that lies within.
    let new = book(&[
        "events(visit).count in last 7d >= 2 or not age < 20",
        "events(order).sum(amount) in last 30d between 10 and 20",
        "events(order).sum(amount) in last 1d > 0",
    ]);
    let mut scratch = LiveScratch::new();
    let mut loaded = new.load(&saved).unwrap();
    let truths = [Truth::Unknown, Truth::True, Truth::True];
    assert_eq!(new.membership(&loaded, &mut scratch).unwrap(), truths);
    let changes = new.advance(&mut loaded, day(101), &mut scratch).unwrap();
    assert_eq!((changes.len(), changes[0].segment.get()), (1, 2));
    // What was not kept cannot be asked for.
    for rules in [
        "events(order).sum(amount) in last 31d > 5 and events(visit) in last 7d and age > 3",
        "events(order).count in last 30d > 5 and events(visit) in last 7d and age > 3",
        "events(order where channel = 'web').sum(amount) in last 30d > 5 and age > 3",
    ] {
        assert!(book(&[rules]).load(&saved).is_err(), "{rules}");
    }
    let hours = Granularity::Every(Span::hours(1));
    assert!(book_by(&["events(visit)"], hours).load(&saved).is_err());
}

#[test]
fn altered_customers_are_refused() {
    let live = book(&[
        "events(order).sum(amount) in last 30d > 5 and age > 3 and country = 'AT'",
        "events(order).distinct(product) in last 60d > 2",
        "events(order).distinct(product) > 2",
        "events(order).last(product) = 'pen'",
        "events(order).first_day < '1970-02-01'",
    ]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(1));
    for i in 0..20 {
        buy(&live, &mut ann, day(i * 3), 0.1 + i as f64, ["pen", "ink"][i as usize % 2]);
    }
    live.set(&mut ann, FeatureIndex::new(0), Value::Number(4.0), &mut scratch).unwrap();
    let saved = live.save(&ann).unwrap();
    assert_eq!(live.load(&saved).unwrap(), ann);
    let json = serde_json::to_value(&saved).unwrap();
    // Every number, text and flag, each altered on its own.
    let n = count(&json);
    assert!(n > 200, "{n}");
    for at in 0..n {
        let mut json = json.clone();
        alter(&mut json, &mut { at });
        // What cannot be read is refused as well.
        if let Ok(saved) = serde_json::from_value::<SavedCustomer>(json.clone()) {
            assert!(live.load(&saved).is_err(), "{at}: {json}");
        }
    }
    let text = serde_json::to_string(&saved).unwrap();
    for end in 0..text.len() {
        assert!(serde_json::from_str::<SavedCustomer>(&text[..end]).is_err());
    }
}

/// How many values there are that have no parts.
fn count(json: &serde_json::Value) -> usize {
    match json {
        serde_json::Value::Array(parts) => parts.iter().map(count).sum(),
        serde_json::Value::Object(parts) => parts.values().map(count).sum(),
        _ => 1,
    }
}

/// Alters the value at a place, counted down to 0.
fn alter(json: &mut serde_json::Value, at: &mut usize) -> bool {
    match json {
        serde_json::Value::Array(parts) => parts.iter_mut().any(|part| alter(part, at)),
        serde_json::Value::Object(parts) => {
            parts.values_mut().any(|part| alter(part, at))
        }
        value => {
            if *at > 0 {
                *at -= 1;
                return false;
            }
            *value = match value {
                serde_json::Value::Number(x) => match x.as_i64() {
                    Some(x) if x == 255 || x == i64::MAX => 0.into(),
                    Some(x) => (x + 1).into(),
                    None => 0.5.into(),
                },
                serde_json::Value::String(text) => format!("{text}x").into(),
                serde_json::Value::Bool(x) => (!*x).into(),
                _ => true.into(),
            };
            true
        }
    }
}

#[test]
fn thirty_days_of_one_stream_take_less_than_400_bytes() {
    let live = book(&[
        "events(order).count in last 30d >= 3",
        "events(order).sum(amount) in last 30d >= 20000",
        "events(order).sum(amount) in last 7d >= 5000",
        "not events(order) in last 14d",
    ]);
    let mut ann = live.customer(day(0));
    let mut most = 0;
    for i in 0..500 {
        for k in 0..1 + i % 5 {
            // Cents.
            buy(
                &live,
                &mut ann,
                day(i),
                ((i * 7919 + k * 104_729) % 1_000_000) as f64,
                "pen",
            );
        }
        most = most.max(ann.size());
    }
    assert!(most <= 400, "{most}");
}

#[test]
fn names_come_and_go() {
    let live = book(&[
        "events(order).distinct(product) in last 3d >= 5",
        "events(order).last(product) in last 3d = 'p11'",
        "events(order).first(product) = 'p0'",
    ]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(0));
    let mut sizes = Vec::new();
    for i in 0..400 {
        for k in 0..3 {
            buy(&live, &mut ann, day(i), 1.0, &format!("p{}", i * 3 + k));
        }
        // Up to nine in three days, and the first of all.
        let truths = live.membership(&ann, &mut scratch).unwrap();
        assert_eq!([truths[0], truths[2]], [Truth::from(i > 0), Truth::True], "{i}");
        assert_eq!(truths[1], Truth::from(3 * i + 2 == 11));
        sizes.push(ann.size());
    }
    assert!(sizes[399] <= sizes[100] * 2, "{sizes:?}");
}

#[test]
fn steps_without_a_length_are_refused() {
    let nobody = RuleSet::new().segment("s", "S", Rule::Nobody);
    let book = nobody.compile_book(&schema()).unwrap();
    let none = LiveConfig::new().granularity(Granularity::Every(Span::from_millis(0)));
    assert!(book.live(&none).unwrap_err().to_string().contains("granularity"));
    let live = book.live(&LiveConfig::new()).unwrap();
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(3));
    let changes = live.event(&mut ann, ORDER, day(4), &order(1.0, "pen"), &mut scratch);
    assert_eq!(changes.unwrap(), []);
    assert_eq!(live.membership(&ann, &mut scratch).unwrap(), [Truth::False]);
    assert_eq!((live.due(&ann).unwrap(), live.segments().len()), (None, 1));
}

#[test]
fn one_memory_serves_many_books_and_threads_share_a_book() {
    let books = [
        book(&["events(order).count in last 3d >= 2", "age > 3"]),
        book(&["segment 's1'", "events(order).count in last 5d >= 3"]),
        book(&["age > 3"]),
    ];
    let run = |alone: bool| {
        let mut scratch = LiveScratch::new();
        let mut all: Vec<_> = books.iter().map(|live| live.customer(day(0))).collect();
        let mut changes = Vec::new();
        for i in 0..40 {
            for (live, ann) in books.iter().zip(&mut all) {
                if alone {
                    scratch = LiveScratch::new();
                }
                let at = day(i * i % 30 + i / 2);
                changes.extend_from_slice(
                    live.event(ann, ORDER, at, &order(1.0, "pen"), &mut scratch).unwrap(),
                );
                let age = Value::Number((i % 7) as f64);
                let age = live.set(ann, FeatureIndex::new(0), age, &mut scratch);
                changes.extend_from_slice(age.unwrap());
            }
        }
        (all, changes)
    };
    let alone = run(true);
    assert!(alone.1.len() > 20);
    assert_eq!(run(false), alone);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| run(false))).collect();
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), alone));
    });
}

#[test]
fn of_events_of_one_step_the_first_to_come_is_the_first() {
    let live = book(&[
        "events(order).first(product) = 'pen'",
        "events(order).last(product) = 'ink'",
    ]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(5));
    let hour = 3_600_000;
    for (hours, product) in [(9, "pen"), (3, "cap"), (1, "ink")] {
        let at = Timestamp::from_millis(5 * DAY + hours * hour);
        buy(&live, &mut ann, at, 1.0, product);
    }
    let truths = live.membership(&ann, &mut scratch).unwrap();
    assert_eq!(truths, [Truth::True, Truth::True]);
    assert_eq!(live.step_of(Timestamp::from_millis(5 * DAY + hour)), day(5));
}

#[test]
fn explanations_show_what_was_kept() {
    let live = book(&["events(order).sum(amount) in last 30d > 5 and country = 'AT'"]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(100));
    buy(&live, &mut ann, day(100), 10.0, "pen");
    live.set(&mut ann, FeatureIndex::new(1), Value::Category("DE"), &mut scratch)
        .unwrap();
    let explanation = live.explain(&ann, &mut scratch).unwrap().to_string();
    assert!(
        explanation.contains("has 10") && explanation.contains("has DE"),
        "{explanation}"
    );
    let nobody =
        OwnedCustomer::new(&schema(), 1).set("country", OwnedValue::Missing).unwrap();
    assert!(live.schema() == nobody.schema());
}

#[test]
fn books_that_reach_farther_are_told_apart() {
    // A day lasts up to two, but two are not kept of it.
    let this = book(&["events(order).count in this day >= 1"]);
    let two = book(&["events(order).count in last 2d >= 2"]);
    let mut ann = this.customer(day(0));
    buy(&this, &mut ann, day(0), 1.0, "pen");
    buy(&this, &mut ann, day(1), 1.0, "pen");
    assert!(two.load(&this.save(&ann).unwrap()).is_err());
    // Fewer rules are none the worse.
    let many = book(&["events(order) in last 2d", "events(order).count in last 2d >= 0"]);
    let mut ann = many.customer(day(0));
    buy(&many, &mut ann, day(0), 1.0, "pen");
    let fewer = two.load(&many.save(&ann).unwrap()).unwrap();
    let membership = two.membership(&fewer, &mut LiveScratch::new());
    assert_eq!(membership.unwrap(), [Truth::False]);
}

#[test]
fn many_windows_that_do_not_move_are_saved_and_read() {
    let windows = |aggregate: &str| -> Vec<String> {
        let start = |i: i32| segmenta::data::Date::from_days(19_000 + i).unwrap();
        let window = |i| format!("from '{}' to '{}'", start(i), start(i + 1));
        (0..100)
            .map(|i| format!("events(order).{aggregate} {} >= 1", window(i)))
            .collect()
    };
    for aggregate in ["count", "sum(amount)", "distinct(product)"] {
        let rules = windows(aggregate);
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let live = book(&rules);
        let mut ann = live.customer(day(19_000));
        let mut scratch = LiveScratch::new();
        for i in 0..50 {
            assert_eq!(live.load(&live.save(&ann).unwrap()).unwrap(), ann);
            buy(&live, &mut ann, day(19_000 + i), 1.0, "pen");
        }
        let truths = live.membership(&ann, &mut scratch).unwrap();
        assert!((0..100).all(|i| truths[i] == Truth::from(i < 50)));
    }
}

#[test]
fn the_calendar_ends() {
    let exact = Granularity::Every(Span::from_millis(1));
    let ends = [Timestamp::MIN, Timestamp::MAX];
    let beyond = [i64::MIN, i64::MAX].map(Timestamp::from_millis);
    let mut scratch = LiveScratch::new();
    for granularity in [Granularity::Day, exact, Granularity::Every(Span::days(3_000))] {
        let live = book_by(&["events(order) in last 30d", "events(visit)"], granularity);
        for (end, beyond) in ends.into_iter().zip(beyond) {
            let mut ann = live.customer(beyond);
            assert_eq!(ann, live.customer(end));
            assert_eq!(live.load(&live.save(&ann).unwrap()).unwrap(), ann);
            buy(&live, &mut ann, end, 1.0, "pen");
            let other = ann.clone();
            live.merge(&mut ann, &other, &mut scratch).unwrap();
            live.advance(&mut ann, Timestamp::MAX, &mut scratch).unwrap();
            assert_eq!(live.load(&live.save(&ann).unwrap()).unwrap(), ann);
            let truths = live.membership(&ann, &mut scratch).unwrap();
            let is_late = end == Timestamp::MAX;
            assert_eq!(truths, [Truth::from(is_late), Truth::False]);
        }
    }
    // A host that goes from one due to the next arrives somewhere.
    let last: Timestamp = "9999-12-30T00:00:00Z".parse().unwrap();
    for window in ["in this year", "in this day", "in last 2 whole weeks", "in last 3d"] {
        for granularity in [Granularity::Day, Granularity::Every(Span::hours(1))] {
            let rule = format!("events(order).count {window} >= 1");
            let live = book_by(&[&rule], granularity);
            let mut ann = live.customer(last);
            buy(&live, &mut ann, last, 1.0, "pen");
            let mut n = 0;
            while let Some(due) = live.due(&ann).unwrap() {
                live.advance(&mut ann, due, &mut scratch).unwrap();
                n += 1;
                assert!(n < 100, "{window} {granularity:?} {due}");
            }
        }
    }
}

#[test]
fn parts_that_are_merged_again_and_again_stay_small_and_finite() {
    let live = book(&[
        "events(order).distinct(product) in last 2d >= 2",
        "events(order).last(product) in last 2d = 'x'",
        "events(order).sum(amount) >= 1",
        "events(order).average(amount) in last 30d >= 1",
    ]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(0));
    for i in 0..1000 {
        let mut part = live.customer(day(i));
        buy(&live, &mut part, day(i), 1.0, &format!("product {i}"));
        live.merge(&mut ann, &part, &mut scratch).unwrap();
        assert!(ann.size() < 15_000);
    }
    assert_eq!(live.load(&live.save(&ann).unwrap()).unwrap(), ann);
    for amount in [1.0, 5e-324, f64::MAX] {
        let mut ann = live.customer(day(0));
        buy(&live, &mut ann, day(0), amount, "pen");
        for _ in 0..300 {
            let twice = ann.clone();
            live.merge(&mut ann, &twice, &mut scratch).unwrap();
        }
        let truths = live.membership(&ann, &mut scratch).unwrap();
        assert_eq!(truths[2], Truth::from(amount >= 1.0));
        buy(&live, &mut ann, day(40), 1.0, "pen");
    }
}

/// A customer that an earlier build saved.
const SAVED: &str = r#"{"version":1,"layout":2461868047296328506,"rules":11298833939046252663,"tick":15,"due":9223372036854775807,"n_true":2,"attributes":[{"number":4.0}],"streams":[{"ring":{"base":0,"n_rows":6,"capacity":8,"n_columns":2,"bytes":[1,0,0,0,0,0,0,0,8,1,201,255,1,0,0,0,0,3,6,9,12,15,0,0,205,204,204,204,204,204,12,0,208,204,204,204,204,204,140,0,208,204,204,204,204,204,12,1,208,204,204,204,204,204,140,1,192,204,204,204,204,204,12,2,192,204,204,204,204,204,140,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"exact":null},"due":30,"rest":{"fixed":{"base":0,"n_rows":2,"capacity":2,"n_columns":4,"bytes":[0,0,0,0,0,0,0,0,8,0,0,0,0,0,0,0,4,0,0,0,8,0,0,0,1,0,0,0,12,0,0,0,155,153,153,153,153,153,65,64,155,153,153,153,153,153,65,64,147,180,66,0,147,180,66,0,3,3],"exact":null},"moving_sets":[[[0,2],[3,3],[6,2],[9,3],[12,2],[15,3]]],"fixed_sets":[],"texts":["pen","ink"]}},{"ring":{"base":0,"n_rows":0,"capacity":0,"n_columns":1,"bytes":[0,0,0,0,0,0,0,0],"exact":null},"due":9223372036854775807,"rest":{"fixed":{"base":0,"n_rows":1,"capacity":1,"n_columns":2,"bytes":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"exact":null},"moving_sets":[],"fixed_sets":[],"texts":[]}}],"check":10712299220446834510}"#;

#[test]
fn what_was_saved_once_is_read_for_ever() {
    let live = book(&[
        "events(order where channel = 'web').sum(amount) in last 30d > 5 and age > 3",
        "events(order).distinct(product) in this month > 2",
        "events(order).last(product) = 'pen' or events(visit).count >= 2",
        "events(order).min(amount) from '1970-01-01' to '1970-02-01' < 2",
    ]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(1));
    for i in 0..6 {
        buy(&live, &mut ann, day(i * 3), 0.1 + i as f64, ["pen", "ink"][i as usize % 2]);
    }
    live.set(&mut ann, FeatureIndex::new(0), Value::Number(4.0), &mut scratch).unwrap();
    let saved = serde_json::to_string(&live.save(&ann).unwrap()).unwrap();
    // Sequences were added later.
    assert_eq!(saved.replace(",\"trails\":[]", ""), SAVED);
    let read: SavedCustomer = serde_json::from_str(SAVED).unwrap();
    assert_eq!(live.load(&read).unwrap(), ann);
}

#[test]
fn a_schema_may_be_sorted_and_added_to() {
    let rules = [
        "events(order where channel = 'web').sum(amount) in last 30d > 5 and age > 3",
        "country = 'AT' and events(visit) in last 9d or events(order).first(channel) = 'web'",
    ];
    let live_of = |schema: &Schema| {
        let builder =
            rules.iter().enumerate().fold(RuleBook::builder(schema), |b, (i, rule)| {
                b.segment(format!("s{i}"), "S", rule.parse().unwrap())
            });
        builder.build().unwrap().live(&LiveConfig::new()).unwrap()
    };
    let other = Schema::builder()
        .feature(FeatureSpec::flag("new"))
        .feature(FeatureSpec::category("country").levels(["DE", "AT"]))
        .feature(FeatureSpec::number("age").unit("years"))
        .stream(StreamSpec::new("new", []))
        .stream(StreamSpec::new("visit", [FeatureSpec::number("pages")]))
        .stream(StreamSpec::new(
            "order",
            [
                FeatureSpec::category("channel").levels(["shop", "web"]),
                FeatureSpec::number("amount"),
            ],
        ))
        .build()
        .unwrap();
    let (old, new) = (live_of(&schema()), live_of(&other));
    let mut scratch = LiveScratch::new();
    let mut ann = old.customer(day(10));
    buy(&old, &mut ann, day(10), 4.0, "pen");
    old.set(&mut ann, FeatureIndex::new(0), Value::Number(9.0), &mut scratch).unwrap();
    let mut ann = new.load(&old.save(&ann).unwrap()).unwrap();
    let more = [Value::Category("web"), Value::Number(3.0)];
    let order = other.require_stream("order").unwrap();
    let changes = new.event(&mut ann, order, day(11), &more, &mut scratch).unwrap();
    assert_eq!((changes.len(), changes[0].to), (1, Truth::True));
    assert_eq!(new.membership(&ann, &mut scratch).unwrap(), [Truth::True; 2]);
    // Another kind, or other levels, is another thing.
    for country in
        [FeatureSpec::category("country"), FeatureSpec::ordinal("country", ["AT", "DE"])]
    {
        let changed =
            Schema::builder().feature(FeatureSpec::number("age")).feature(country);
        let changed =
            schema().streams().iter().cloned().fold(changed, |b, s| b.stream(s));
        let changed = live_of(&changed.build().unwrap());
        assert!(changed.load(&new.save(&ann).unwrap()).is_err());
    }
}

#[test]
fn an_event_may_pass_thousands_of_filters() {
    let n = 1500;
    let rules: Vec<String> = (0..n)
        .map(|i| {
            let window = ["in last 30d", ""][i % 2];
            let of = ["count", "sum(amount)", "max(amount)", "last(product)"][i / 2 % 4];
            let is = ["> 1", "> 2000", "> 1000", "= 'pen'"][i / 2 % 4];
            format!("events(order where amount > {}).{of} {window} {is}", i as f64 / 10.0)
        })
        .collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let live = book(&rules);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(0));
    let expected = |times: f64, sum: f64| -> Vec<Truth> {
        let one = |i: usize| match i / 2 % 4 {
            0 => times > 1.0,
            1 => sum > 2000.0,
            2 => true,
            _ => true,
        };
        (0..n).map(|i| Truth::from(one(i))).collect()
    };
    let mut sum = 0.0;
    for (i, amount) in [1234.5, 1000.25, 100_000.125, 3e10].into_iter().enumerate() {
        buy(&live, &mut ann, day(i as i64 / 2), amount, "pen");
        sum += amount;
        let truths = live.membership(&ann, &mut scratch).unwrap();
        assert_eq!(truths, expected(i as f64 + 1.0, sum), "{i}");
        let loaded = live.load(&live.save(&ann).unwrap()).unwrap();
        assert_eq!(loaded, ann);
        let mut empty = live.customer(day(0));
        live.merge(&mut empty, &ann, &mut scratch).unwrap();
        assert_eq!(live.membership(&empty, &mut scratch).unwrap(), truths);
    }
}

#[test]
fn all_that_is_saved_has_all_its_parts() {
    // Formats that do not describe themselves need that.
    let live = book(&["events(order).count in last 3d > 1", "events(visit) in last 3d"]);
    let json = serde_json::to_value(live.save(&live.customer(day(0))).unwrap()).unwrap();
    for stream in json["streams"].as_array().unwrap() {
        assert!(stream.as_object().unwrap().contains_key("rest"));
        assert!(stream["ring"].as_object().unwrap().contains_key("exact"));
    }
}

#[test]
fn filters_by_level_know_what_is_missing() {
    let live = book(&[
        "events(order where channel = 'web' when missing yes).count >= 2",
        "events(order where channel = 'web').count >= 2",
        "events(order where channel is missing).count >= 2",
        "events(order where channel in ('shop', 'web')).count >= 2",
    ]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(0));
    let (web, shop) = (Value::Category("web"), Value::Category("shop"));
    let mut buy = |channel: Value<'_>| {
        let values = [Value::Number(1.0), channel, Value::Missing];
        live.event(&mut ann, ORDER, day(0), &values, &mut scratch).unwrap();
        live.membership(&ann, &mut scratch).unwrap()
    };
    buy(Value::Missing);
    assert_eq!(buy(web), [true, false, false, false].map(Truth::from));
    assert_eq!(buy(shop), [true, false, false, true].map(Truth::from));
    assert_eq!(buy(Value::Missing), [true, false, true, true].map(Truth::from));
    assert_eq!(buy(web), [true; 4].map(Truth::from));
}

#[test]
fn sums_may_be_of_either_sign_and_grow_wide() {
    let live = book(&[
        "events(order).sum(amount) in last 30d < -1",
        "events(order).sum(amount) in last 30d = -3",
        "events(order).sum(amount) in last 1d >= 299997",
    ]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(day(0));
    let mut truths = |at: i64, amount: f64| {
        buy(&live, &mut ann, day(at), amount, "pen");
        live.membership(&ann, &mut scratch).unwrap()
    };
    assert_eq!(truths(0, -3.0), [true, true, false].map(Truth::from));
    // Columns become wider while the first row is below 0.
    assert_eq!(truths(1, 300_000.0), [false, false, true].map(Truth::from));
    assert_eq!(truths(1, -300_000.0), [true, true, false].map(Truth::from));
    assert_eq!(truths(1, 3e15), [false, false, true].map(Truth::from));
    assert_eq!(truths(1, -3e15), [true, true, false].map(Truth::from));
}

#[test]
fn sums_of_parts_in_other_units_are_exact() {
    let live = book(&[
        "events(order).sum(amount) in last 30d = 4",
        "events(order).sum(amount) = 4",
    ]);
    let mut scratch = LiveScratch::new();
    // A part in whole numbers, one in tenths, which take more digits, and one in both extremes.
    let parts: [&[f64]; 3] =
        [&[3.0], &[0.1, 0.2, 0.3, 0.4], &[1e300, 1e-300, -1e300, -1e-300]];
    let of = |amounts: &[f64]| {
        let mut ann = live.customer(day(0));
        amounts.iter().for_each(|&x| buy(&live, &mut ann, day(0), x, "pen"));
        ann
    };
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut ann = live.customer(day(0));
        for part in order {
            live.merge(&mut ann, &of(parts[part]), &mut scratch).unwrap();
            assert_eq!(live.load(&live.save(&ann).unwrap()).unwrap(), ann);
        }
        let truths = live.membership(&ann, &mut scratch).unwrap();
        assert_eq!(truths, [Truth::True; 2], "{order:?}");
    }
}

#[test]
fn months_that_end_beyond_the_calendar_hide_no_other_change() {
    let rules = [
        "events(order).count in last 3ms >= 1",
        "events(order).count in last 1 whole month to now >= 1",
    ];
    let live = book_by(&rules, Granularity::Every(Span::from_millis(7)));
    let mut scratch = LiveScratch::new();
    let at = |before: i64| Timestamp::from_millis(Timestamp::MAX.as_millis() - before);
    let mut ann = live.customer(at(20));
    buy(&live, &mut ann, at(20), 1.0, "pen");
    assert_eq!(live.membership(&ann, &mut scratch).unwrap(), [Truth::True, Truth::True]);
    let due = live.due(&ann).unwrap().unwrap();
    assert_eq!(due, live.step_of(at(13)));
    let changes = live.advance(&mut ann, due, &mut scratch).unwrap();
    assert_eq!((changes.len(), changes[0].to), (1, Truth::False));
    assert_eq!(live.due(&ann).unwrap(), None);
}

#[test]
fn at_the_end_of_the_calendar_nothing_is_due() {
    let live = book(&["events(order).count >= 2"]);
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(Timestamp::MAX);
    live.merge(&mut ann, &live.customer(Timestamp::MAX), &mut scratch).unwrap();
    assert_eq!(live.due(&ann).unwrap(), None);
}

#[test]
fn sequences_over_the_same_events_share_what_is_kept() {
    let rules: Vec<String> = (1..=100)
        .map(|m| format!("sequence(order then not order within {m}m) in last 30d"))
        .collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let minutely = Granularity::Every(Span::from_millis(60_000));
    let (one, all) = (book_by(&rules[..1], minutely), book_by(&rules, minutely));
    let mut scratch = LiveScratch::new();
    let [ann, bob] = [&one, &all].map(|live| {
        let mut ann = live.customer(day(0));
        for i in 0..20 {
            buy(live, &mut ann, day(i), 1.0, "pen");
        }
        ann
    });
    // Beside the events, a hundred answers.
    assert!(bob.size() < ann.size() + 100 * 32, "{} {}", ann.size(), bob.size());
    // Each has its own limit.
    let mut eve = all.customer(day(0));
    buy(&all, &mut eve, day(0), 1.0, "pen");
    for minutes in 1..=101_i64 {
        let due = all.due(&eve).unwrap().unwrap();
        if minutes <= 100 {
            assert_eq!(due.as_millis(), minutes * 60_000);
        }
        all.advance(&mut eve, due, &mut scratch).unwrap();
        let truths = all.membership(&eve, &mut scratch).unwrap();
        let n_true = truths.iter().take_while(|truth| truth.is_true()).count();
        let expected = if minutes <= 100 { minutes as usize } else { 0 };
        assert_eq!(n_true, expected);
        assert!(truths[n_true..].iter().all(|truth| !truth.is_true()));
    }
    let saved = all.save(&bob).unwrap();
    assert_eq!(all.load(&saved).unwrap(), bob);
    assert!(one.load(&saved).is_err());
}

#[test]
fn the_first_step_of_the_calendar_counts_where_it_is_cut_short() {
    let rules = [
        "events(order).count in last 1m >= 1",
        "sequence(order then not order) in last 1m",
    ];
    let live = book_by(&rules, Granularity::Every(Span::hours(7)));
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(Timestamp::MIN);
    buy(&live, &mut ann, Timestamp::MIN, 1.0, "pen");
    assert_eq!(live.membership(&ann, &mut scratch).unwrap(), [Truth::True, Truth::True]);
}
