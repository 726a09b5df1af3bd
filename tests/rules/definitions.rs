//! What must hold of a definition, whoever wrote it.

use segmenta::data::{
    Date, EventLog, FeatureSpec, Moment, OwnedCustomer, OwnedValue, Schema, StreamSpec,
    Table, Timestamp, Zone,
};
use segmenta::error::{Error, ErrorKind};
use segmenta::rules::{Import, Imported, PointsModel, Rule, RuleSet, RuleText, Stays};
use segmenta::segmenter::Truth;

/// Reads bytes as a rule in text and as a set of rules in JSON. Mistakes are told; what is
/// read can be written, compiled and asked. Panics where anything else happens.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match RuleText::parse(text) {
        Ok(parsed) => {
            let rule = parsed.rule();
            assert_eq!(&rule.to_string().parse::<Rule>().unwrap(), rule);
            match parsed.compile(&schema()) {
                Ok(_) => ask(&RuleSet::new().segment("s", "S", rule.clone())),
                Err(error) => told(&error, Some(text)),
            }
        }
        Err(error) => told(&error, Some(text)),
    }
    match RuleSet::from_json(text) {
        Ok(set) => {
            let json = set.to_json().unwrap();
            assert_eq!(RuleSet::from_json(&json).unwrap(), set);
            assert_eq!(serde_json::from_str::<RuleSet>(text).unwrap(), set);
            ask(&set);
            ask_again(&set);
        }
        Err(error) => {
            told(&error, None);
            refused(text, &error);
        }
    }
    if let Err(error) = PointsModel::from_json(text) {
        told(&error, None);
    }
    let import = Import::new(&schema()).location("location", "x", "y");
    for read in [Import::mongo, Import::growthbook, Import::posthog, Import::unomi] {
        match read(&import, text) {
            Ok(Imported { rule, .. }) => {
                assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
                ask(&RuleSet::new().segment("s", "S", rule));
            }
            Err(error) => told(&error, None),
        }
    }
}

/// What is refused serde refuses, too, but for lists in the place of objects, and one level
/// of nesting.
fn refused(text: &str, error: &Error) {
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    let is_ours = issues.iter().any(|issue| {
        issue.code == "too-deep" || issue.expected.as_deref() == Some("an object")
    });
    if !is_ours {
        assert!(serde_json::from_str::<RuleSet>(text).is_err(), "{error}");
    }
}

/// Segments that are not left at once: asked again at the same instant, nobody has moved.
fn ask_again(set: &RuleSet) {
    assert!(set.revisions(set).is_empty());
    let schema = schema();
    let sticky = match set.compile_sticky(&schema) {
        Ok(sticky) => sticky,
        Err(error) => return told(&error, None),
    };
    assert_eq!(sticky.definition().compile_sticky(&schema).unwrap(), sticky);
    let table = Table::from_customers(&schema, customers(&schema).into_iter().take(1));
    let table = table.unwrap();
    if let Ok(stays) = sticky.update(&Stays::new(), &table, moment()) {
        assert_eq!(sticky.update(&stays, &table, moment()).unwrap(), stays);
    }
}

/// Faults are listed, and, in a text, have a place there.
fn told(error: &Error, text: Option<&str>) {
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    assert!(!issues.is_empty());
    for issue in issues {
        match (text, issue.span) {
            (Some(text), Some(span)) => {
                assert!(text.get(span.start..span.end).is_some(), "{issue:?}");
            }
            (Some(text), None) => assert!(text.len() > 1 << 20, "{issue:?}"),
            (None, span) => assert_eq!(span, None),
        }
    }
    assert!(!error.to_string().is_empty());
}

/// Rows are answered alike one by one and all at once.
fn ask(set: &RuleSet) {
    let schema = schema();
    let book = match set.compile_book(&schema) {
        Ok(book) => book.at(moment()),
        Err(error) => return told(&error, None),
    };
    let customers = customers(&schema);
    let table = Table::from_customers(&schema, &customers).unwrap();
    let counts = book.count(&table);
    let truths: Result<Vec<Vec<Truth>>, Error> =
        customers.iter().map(|customer| book.membership(customer)).collect();
    // Numbers that are no angles have no distance.
    let (counts, truths) = match (counts, truths) {
        (Ok(counts), Ok(truths)) => (counts, truths),
        (Err(a), Err(b)) if a.to_string().starts_with(&b.to_string()) => return,
        (counts, truths) => panic!("{counts:?} {truths:?}"),
    };
    for (s, count) in counts.iter().enumerate() {
        let n = |truth| truths.iter().filter(|truths| truths[s] == truth).count() as u64;
        assert_eq!(count.members, n(Truth::True));
        assert_eq!(count.undecided, n(Truth::Unknown));
    }
}

fn schema() -> Schema {
    let features = [
        FeatureSpec::number("x"),
        FeatureSpec::number("y"),
        FeatureSpec::flag("f"),
        FeatureSpec::category("c"),
        FeatureSpec::category("l").levels(["a", "b"]),
        FeatureSpec::ordinal("o", ["low", "high"]),
        FeatureSpec::date("d"),
        FeatureSpec::tags("t"),
    ];
    let properties = [
        FeatureSpec::number("a"),
        FeatureSpec::category("l").levels(["a", "b"]),
        FeatureSpec::flag("f"),
        FeatureSpec::date("d"),
    ];
    let features = features.into_iter().fold(Schema::builder(), |b, f| b.feature(f));
    let streams = [StreamSpec::new("e", properties), StreamSpec::new("o", [])];
    streams.into_iter().fold(features, |b, s| b.stream(s)).build().unwrap()
}

/// A Friday in 2024, one hour ahead of UTC.
fn moment() -> Moment {
    Moment::new(Timestamp::from_millis(NOW)).zone(Zone::fixed(60).unwrap())
}

const NOW: i64 = 1_717_156_800_000;

/// So many events, at longer and longer distances.
fn events(schema: &Schema, n: i64) -> EventLog {
    let event = |i: i64| {
        let values: Vec<OwnedValue> = vec![
            if i % 5 == 3 { OwnedValue::Missing } else { (0.1 * i as f64).into() },
            if i % 2 == 0 { "a" } else { "b" }.into(),
            (i % 3 == 0).into(),
            Date::from_days(i as i32).unwrap().into(),
        ];
        (Timestamp::from_millis(NOW - i * i * 43_200_000), values)
    };
    EventLog::new(&schema.streams()[0], (0..n).map(event)).unwrap()
}

fn customers(schema: &Schema) -> Vec<OwnedCustomer> {
    let day = |day| Date::from_days(day).unwrap();
    let full = |x: f64, c: &str, l: &str, d: i32| {
        OwnedCustomer::new(schema, 1_u64)
            .set("x", x)
            .and_then(|customer| customer.set("y", (x * 30.0).clamp(-90.0, 90.0)))
            .and_then(|customer| customer.set("f", x > 0.0))
            .and_then(|customer| customer.set("c", c))
            .and_then(|customer| customer.set("l", l))
            .and_then(|customer| customer.set("o", if x > 1.0 { "high" } else { "low" }))
            .and_then(|customer| customer.set("d", day(d)))
            .unwrap()
    };
    vec![
        OwnedCustomer::new(schema, 1_u64),
        full(0.0, "a", "a", 0).set_events("e", events(schema, 40)).unwrap(),
        full(3.0, "ab", "b", 19_800).set_events("e", events(schema, 2)).unwrap(),
        full(-1e300, "", "a", -1),
        full(f64::MAX, "ß", "b", 1),
    ]
}
