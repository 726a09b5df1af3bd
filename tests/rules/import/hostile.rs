//! Whatever the text is, the answer is a rule or an error.

use proptest::prelude::*;
use segmenta::rules::{Import, Limits};

use super::*;

const ALL: [Read; 4] =
    [Import::mongo, Import::growthbook, Import::posthog, Import::unomi];

#[track_caller]
fn code(read: Read, import: &Import, json: &str) -> String {
    let error = read(import, json).unwrap_err();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    assert!(issues.len() <= 102, "{}", issues.len());
    issues[0].code.clone()
}

#[test]
fn texts_that_are_no_definitions_are_refused() {
    for read in ALL {
        for json in ["", "{", "nul", "{\"a\":1e999}", "\u{0}", "[1,]", "{\"a\" 1}"] {
            assert_eq!(code(read, &import(), json), "bad-json", "{json}");
        }
        for json in ["null", "1", "\"x\"", "[]", "[{}]", "true"] {
            assert_eq!(code(read, &import(), json), "wrong-type", "{json}");
        }
        let small = import().limits(Limits::new().text_len(10));
        assert_eq!(code(read, &small, "{\"a\": 12345}"), "text-too-long");
        let bad = import().limits(Limits::new().depth(0));
        assert!(read(&bad, "{}").is_err());
    }
}

#[test]
fn deep_and_large_definitions_are_refused() {
    let deep = |open: &str, close: &str, inner: &str, n: usize| {
        [open.repeat(n), inner.to_owned(), close.repeat(n)].concat()
    };
    let mongo = deep("{\"$not\":", "}", "{\"age\":1}", 40);
    assert_eq!(code(Import::mongo, &import(), &mongo), "too-deep");
    let mongo = deep("{\"$not\":", "}", "{\"age\":1}", 4000);
    assert_eq!(code(Import::mongo, &import(), &mongo), "bad-json");
    let posthog = deep("{\"type\":\"AND\",\"values\":[", "]}", "", 5000);
    assert_eq!(code(Import::posthog, &import(), &posthog), "bad-json");
    let unomi = deep(
        "{\"type\":\"notCondition\",\"parameterValues\":{\"subCondition\":",
        "}}",
        "{\"type\":\"matchAllCondition\"}",
        39,
    );
    assert_eq!(code(Import::unomi, &import(), &unomi), "too-deep");
    let many = vec!["{\"age\":1}"; 2000].join(",");
    let mongo = format!("{{\"$or\":[{many}]}}");
    assert_eq!(code(Import::mongo, &import(), &mongo), "too-large");
    let long = vec!["1"; 20_000].join(",");
    let mongo = format!("{{\"age\":{{\"$in\":[{long}]}}}}");
    assert_eq!(code(Import::mongo, &import(), &mongo), "list-too-long");
    // Faults are counted beyond a hundred.
    let wrong = vec!["{\"x\":1}"; 500].join(",");
    let mongo = format!("{{\"$or\":[{wrong}]}}");
    let error = import().mongo(&mongo).unwrap_err();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(issues.len(), 101);
    assert_eq!(issues[100].message, "400 more faults are not listed");
    // Periods are written out only within the limits.
    let periods = |n: u64| {
        format!(
            "{{\"type\":\"AND\",\"values\":[{{\"type\":\"behavioral\",\
             \"value\":\"performed_event_regularly\",\"key\":\"view\",\
             \"event_type\":\"events\",\"operator\":\"gte\",\"operator_value\":1,\
             \"time_value\":1,\"time_interval\":\"day\",\"min_periods\":1,\
             \"total_periods\":{n}}}]}}"
        )
    };
    assert!(import().posthog(&periods(900)).is_ok());
    assert_eq!(code(Import::posthog, &import(), &periods(4_294_967_295)), "too-large");
}

#[test]
fn keys_that_are_there_twice_are_told() {
    faults(
        Import::mongo,
        r#"{"age": 1, "$or": [{"age": {"$gt": 1, "$gt": 2}}], "age": 3}"#,
        &[("duplicate-key", "/age"), ("duplicate-key", "/$or/0/age/$gt")],
    );
    let escaped = r#"{"a/b~c": 1}"#;
    faults(Import::mongo, escaped, &[("unknown-feature", "/a~1b~0c")]);
}

/// Pieces of definitions, put together without sense.
fn piece() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        prop::sample::select(vec![0.0, 1.0, -3.5, 1e300, 9e15]).prop_map(Into::into),
        prop::sample::select(vec![
            "AND",
            "OR",
            "and",
            "or",
            "",
            "now-30d",
            "now",
            "now-é",
            "-4w",
            "-1é",
            "2024-05-31",
            "2024-05-31T00:00:00Z",
            "day",
            "events",
            "age",
            "joined",
            "order",
            "groups",
            "behavioral",
            "person",
            "cohort",
            "performed_event",
            "booleanCondition",
            "pastEventCondition",
            "eventTypeCondition",
            "profilePropertyCondition",
            "equals",
            "in",
            "between",
            "(",
            "%a_",
            "10km",
            "é",
            "circle",
            "isDay",
            "is_date_after",
        ])
        .prop_map(Into::into),
    ];
    let key = prop::sample::select(vec![
        "$and",
        "$or",
        "$not",
        "$in",
        "$gt",
        "$regex",
        "$options",
        "$size",
        "$elemMatch",
        "$date",
        "age",
        "joined",
        "groups",
        "country",
        "type",
        "values",
        "value",
        "key",
        "operator",
        "negation",
        "properties",
        "filters",
        "event_type",
        "time_value",
        "time_interval",
        "event_filters",
        "parameterValues",
        "subConditions",
        "subCondition",
        "propertyName",
        "comparisonOperator",
        "propertyValue",
        "propertyValues",
        "propertyValueDateExpr",
        "eventCondition",
        "eventTypeId",
        "numberOfDays",
        "distance",
    ]);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            3 => prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| {
                let entries = entries.into_iter().map(|(key, json)| (key.to_owned(), json));
                serde_json::Value::Object(entries.collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn no_definition_makes_it_panic(json in piece()) {
        let json = json.to_string();
        for read in ALL {
            if let Ok(imported) = read(&import(), &json) {
                // What is read can be written and read again.
                let text = imported.rule.to_string();
                prop_assert_eq!(text.parse::<Rule>().unwrap(), imported.rule);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        for read in ALL {
            let _ = read(&import(), &text);
        }
    }
}
