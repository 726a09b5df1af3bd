//! Cohorts and property groups of PostHog.

use proptest::prelude::*;
use segmenta::data::{EventLog, Moment, OwnedCustomer, OwnedValue, Timestamp};
use segmenta::rules::Import;
use segmenta::segmenter::Truth;
use serde_json::{Value, json};

use super::super::behaviour::{DAY, NOW};
use super::mongo::{customer, document, five, scalar};
use super::*;

const READ: Read = Import::posthog;

fn and(condition: &str) -> String {
    format!(r#"{{"type": "AND", "values": [{condition}]}}"#)
}

fn person(rest: &str) -> String {
    and(&format!(r#"{{"type": "person", {rest}}}"#))
}

fn did(rest: &str) -> String {
    and(&format!(
        r#"{{"type": "behavioral", "key": "view", "event_type": "events", {rest}}}"#
    ))
}

#[test]
fn groups_and_cohorts() {
    golden(
        READ,
        r#"{"id": 5, "name": "Germans or pros", "is_static": false, "groups": [],
            "filters": {"properties": {"type": "OR", "values": [
                {"type": "AND", "values": [
                    {"type": "person", "key": "country", "value": ["DE", "AT"], "operator": "exact"},
                    {"type": "person", "key": "admin", "value": "true", "negation": true}
                ]},
                {"type": "OR", "values": [
                    {"type": "cohort", "key": "id", "value": 12, "negation": false},
                    {"type": "cohort", "key": "id", "value": "13", "negation": true}
                ]}
            ]}}}"#,
        "(country in ('DE', 'AT') when missing no \
         and not (admin = true when missing no)) \
         or (segment 'vip' or not (segment '13'))",
        &[
            ("left-out", "/id"),
            ("left-out", "/name"),
            ("refers-to-segment", "/filters/properties/values/1/values/0/value"),
            ("refers-to-segment", "/filters/properties/values/1/values/1/value"),
        ],
    );
    golden(
        READ,
        r#"{"properties": {"type": "AND", "values": []}}"#,
        "everyone",
        &[("everyone", "/properties/values")],
    );
}

#[test]
fn properties_of_persons() {
    for (rest, text, notes) in [
        (
            r#""key": "country", "value": "DE", "operator": "is_not""#,
            "not (country = 'DE' when missing no)",
            &[][..],
        ),
        (
            r#""key": "age", "value": ["3", 4.5], "operator": "is_not""#,
            "not (age in (3, 4.5) when missing no)",
            &[],
        ),
        (r#""key": "age", "value": ["3"]"#, "age = 3 when missing no", &[]),
        (
            r#""key": "age", "value": "18", "operator": "gte""#,
            "age >= 18 when missing no",
            &[],
        ),
        (
            r#""key": "age", "value": 18, "operator": "lt""#,
            "age < 18 when missing no",
            &[],
        ),
        (
            r#""key": "age", "value": ["1", "2"], "operator": "between""#,
            "age between 1 and 2 when missing no",
            &[],
        ),
        (
            r#""key": "age", "value": ["1", "2"], "operator": "not_between""#,
            "age < 1 when missing no or age > 2 when missing no",
            &[],
        ),
        (r#""key": "age", "operator": "is_set""#, "age is set", &[]),
        (
            r#""key": "age", "value": "is_not_set", "operator": "is_not_set""#,
            "age is missing",
            &[],
        ),
        (
            r#""key": "country", "value": "a.b", "operator": "icontains""#,
            r"country matches '(?i)a\.b' when missing no",
            &[],
        ),
        (
            r#""key": "country", "value": "a_b", "operator": "not_icontains""#,
            "not (country matches '(?is)^.*a.b.*$' when missing no)",
            &[("wildcards", "/values/0")],
        ),
        (
            r#""key": "country", "value": ["a_", "b"], "operator": "icontains""#,
            "country matches '(?i)a_|b' when missing no",
            &[],
        ),
        (
            r#""key": "country", "value": "^d.", "operator": "regex""#,
            "country matches '(?s)^d.' when missing no",
            &[],
        ),
        (
            r#""key": "country", "value": "\\w", "operator": "not_regex""#,
            r"not (country matches '\w' when missing no)",
            &[("regex-engine", "/values/0")],
        ),
        (
            r#""key": "joined", "value": "2024-05-01", "operator": "is_date_before""#,
            "joined < '2024-05-01' when missing no",
            &[("whole-days", "/values/0")],
        ),
        (
            r#""key": "joined", "value": "-30d", "operator": "is_date_after""#,
            "joined in last 30d when missing no or joined in next 3653d when missing no",
            &[("whole-days", "/values/0"), ("bounded-future", "/values/0")],
        ),
        (
            r#""key": "joined", "value": "-1w", "operator": "is_date_before""#,
            "joined is set and not (joined in last 8d when missing no \
             or joined in next 3653d when missing no)",
            &[("whole-days", "/values/0"), ("bounded-future", "/values/0")],
        ),
        (
            r#""key": "joined", "value": "-2d", "operator": "is_date_exact""#,
            "joined in last 3d when missing no and not (joined in last 2d when missing no)",
            &[("whole-days", "/values/0")],
        ),
    ] {
        golden(READ, &person(rest), text, notes);
    }
}

#[test]
fn what_persons_did() {
    let rolling = ("rolling-window", "/values/0");
    for (rest, text, notes) in [
        (
            r#""value": "performed_event", "time_value": "30", "time_interval": "day""#,
            "events(view).count in last 30d >= 1",
            &[rolling][..],
        ),
        (
            r#""value": "performed_event", "time_value": 36, "time_interval": "hour",
               "negation": true, "explicit_datetime": null"#,
            "not (events(view).count in last 36h >= 1)",
            &[],
        ),
        (
            r#""value": "performed_event", "explicit_datetime": "-7d""#,
            "events(view).count in last 7d >= 1",
            &[("rolling-window", "/values/0/explicit_datetime")],
        ),
        (
            r#""value": "performed_event", "explicit_datetime": "2024-01-01",
               "explicit_datetime_to": "2024-02-01""#,
            "events(view).count from '2024-01-01' to '2024-02-01' >= 1",
            &[],
        ),
        (
            r#""value": "performed_event_multiple", "operator": "gt", "operator_value": 4,
               "time_value": 1, "time_interval": "month""#,
            "events(view).count in last 30d >= 5",
            &[("length-of-unit", "/values/0/time_interval"), rolling],
        ),
        (
            r#""value": "performed_event_multiple", "operator_value": 4,
               "time_value": 1, "time_interval": "week""#,
            "events(view).count in last 7d = 4",
            &[rolling],
        ),
        (
            r#""value": "performed_event_multiple", "operator": "lte", "operator_value": 1,
               "time_value": 1, "time_interval": "week""#,
            "events(view).count in last 7d = 1",
            &[rolling, ("at-least-once", "/values/0")],
        ),
        (
            r#""value": "performed_event_multiple", "operator": "lt", "operator_value": 1,
               "time_value": 1, "time_interval": "week""#,
            "nobody",
            &[rolling, ("at-least-once", "/values/0")],
        ),
        (
            r#""value": "performed_event_first_time", "time_value": 30, "time_interval": "day""#,
            "events(view).count in last 30d >= 1 and events(view).count from 3653d to 30d ago = 0",
            &[rolling, ("bounded-past", "/values/0")],
        ),
        (
            r#""value": "stopped_performing_event", "time_value": 30, "time_interval": "day",
               "seq_time_value": 7, "seq_time_interval": "day""#,
            "events(view).count from 30d to 7d ago >= 1 and events(view).count in last 7d = 0",
            &[rolling],
        ),
        (
            r#""value": "restarted_performing_event", "time_value": 30, "time_interval": "day",
               "seq_time_value": 7, "seq_time_interval": "day""#,
            "events(view).count from 3653d to 30d ago >= 1 \
             and events(view).count from 30d to 7d ago = 0 \
             and events(view).count in last 7d >= 1",
            &[rolling, ("bounded-past", "/values/0")],
        ),
        (
            r#""value": "performed_event_regularly", "operator": "gte", "operator_value": 2,
               "time_value": 3, "time_interval": "day", "min_periods": 2, "total_periods": 3"#,
            "at least 2 of (events(view).count from 3 to 0 whole days ago >= 2, \
             events(view).count from 6 to 3 whole days ago >= 2, \
             events(view).count from 9 to 6 whole days ago >= 2)",
            &[],
        ),
        (
            r#""value": "performed_event_regularly", "operator": "lte", "operator_value": 2,
               "time_value": 1, "time_interval": "week", "min_periods": 1, "total_periods": 1"#,
            "at least 1 of (events(view).count from 7 to 0 whole days ago between 1 and 2)",
            &[("at-least-once", "/values/0"), ("periods-of-days", "/values/0")],
        ),
        (
            r#""value": "performed_event_sequence", "time_value": 14, "time_interval": "day",
               "seq_event": "$purchase", "seq_event_type": "events", "seq_time_value": 2,
               "seq_time_interval": "day""#,
            "sequence(view then order within 2d) in last 14d",
            &[rolling],
        ),
    ] {
        golden(READ, &did(rest), text, notes);
    }
    golden(
        READ,
        &and(r#"{"type": "behavioral", "key": "$purchase", "event_type": "events",
                "value": "performed_event", "time_value": 1, "time_interval": "day",
                "event_filters": [
                    {"type": "event", "key": "$amount", "value": "10", "operator": "gt"},
                    {"key": "channel", "value": "web", "operator": "is_not"}
                ]}"#),
        "events(order where amount > 10 when missing no \
         and not (channel = 'web' when missing no)).count in last 1d >= 1",
        &[rolling],
    );
}

#[test]
fn faults_have_their_places() {
    faults(
        READ,
        r#"{"type": "AND", "values": [
            {"type": "person", "key": "contry", "value": "DE"},
            {"type": "person", "key": "age", "value": "x", "operator": "gt"},
            {"type": "group", "key": "a", "value": 1},
            {"type": "XOR", "values": [{"key": "age", "value": 1}]},
            {"type": "behavioral", "value": "performed_event", "key": "veiw",
             "event_type": "actions", "time_value": 0, "time_interval": "fortnight"}
        ]}"#,
        &[
            ("unknown-feature", "/values/0/key"),
            ("wrong-literal", "/values/1/value"),
            ("unsupported-condition", "/values/2/type"),
            ("bad-value", "/values/3/type"),
            ("missing-key", "/values/3/values/0"),
            ("unsupported-condition", "/values/4/event_type"),
            ("unknown-stream", "/values/4/key"),
            ("wrong-type", "/values/4/time_value"),
            ("bad-value", "/values/4/time_interval"),
        ],
    );
    for (json, code, path) in [
        ("{}".to_owned(), &["missing-key", "missing-key"][..], ""),
        (r#"{"properties": {"type": "AND"}}"#.to_owned(), &["missing-key"], "/properties"),
        (
            r#"{"filters": {"properties": {"type": "AND", "values": []}}, "is_static": true}"#.to_owned(),
            &["unsupported-condition"],
            "/is_static",
        ),
        (
            r#"{"filters": {"properties": {"type": "AND", "values": []}, "filterTestAccounts": true}}"#.to_owned(),
            &["unsupported-condition"],
            "/filters/filterTestAccounts",
        ),
        (
            r#"{"filters": {"properties": {"type": "AND", "values": []}}, "filtres": 1}"#.to_owned(),
            &["unknown-key"],
            "/filtres",
        ),
        (person(r#""key": "age", "value": 1, "operater": "gt""#), &["unknown-key"], "/values/0/operater"),
        (person(r#""key": "age", "value": 1, "operator": "gtt""#), &["unknown-operator"], "/values/0/operator"),
        (person(r#""key": "age", "value": "1.2", "operator": "semver_gt""#), &["unsupported-operator"], "/values/0/operator"),
        (person(r#""key": "age", "operator": "gt""#), &["missing-key"], "/values/0"),
        (person(r#""key": "age", "value": [1], "operator": "between""#), &["wrong-type"], "/values/0/value"),
        (person(r#""key": "age", "value": [2, 1], "operator": "between""#), &["empty-range"], "/values/0"),
        (person(r#""key": "country", "value": "a", "operator": "gt""#), &["wrong-operator"], "/values/0"),
        (person(r#""key": "country", "value": "(", "operator": "regex""#), &["bad-pattern"], "/values/0"),
        (person(r#""key": "joined", "value": "-3m", "operator": "is_date_after""#), &["not-a-day"], "/values/0/value"),
        (person(r#""key": "joined", "value": "-9999999999d", "operator": "is_date_after""#), &["not-a-day"], "/values/0/value"),
        (person(r#""key": "admin", "value": "yes""#), &["wrong-literal"], "/values/0/value"),
        (person(r#""key": "admin", "value": true, "negation": "maybe""#), &["wrong-type"], "/values/0/negation"),
        (and(r#"{"type": "cohort", "key": "id", "value": [1]}"#), &["wrong-type"], "/values/0/value"),
        (did(r#""value": "performed_evnt""#), &["unknown-condition"], "/values/0/value"),
        (did(r#""value": "performed_event""#), &["missing-key", "missing-key"], "/values/0"),
        (
            did(r#""value": "performed_event", "time_value": 20, "time_interval": "year""#),
            &["window-too-long"],
            "/values/0",
        ),
        (
            did(r#""value": "performed_event", "explicit_datetime": "-3m""#),
            &["bad-instant"],
            "/values/0/explicit_datetime",
        ),
        (
            did(r#""value": "performed_event", "explicit_datetime": "soon""#),
            &["bad-instant"],
            "/values/0",
        ),
        (
            did(r#""value": "performed_event", "explicit_datetime": "-3d", "explicit_datetime_to": "2024-01-01""#),
            &["unsupported-condition"],
            "/values/0",
        ),
        (
            did(r#""value": "stopped_performing_event", "time_value": 7, "time_interval": "day",
                 "seq_time_value": 1, "seq_time_interval": "week""#),
            &["empty-window"],
            "/values/0/seq_time_value",
        ),
        (
            did(r#""value": "performed_event_regularly", "operator": "gte", "operator_value": 2,
                 "time_value": 3, "time_interval": "day", "min_periods": 4, "total_periods": 3"#),
            &["bad-count"],
            "/values/0/min_periods",
        ),
        (
            did(r#""value": "performed_event_regularly", "operator": "gte", "operator_value": 2,
                 "time_value": 3, "time_interval": "hour", "min_periods": 1, "total_periods": 3"#),
            &["unsupported-condition"],
            "/values/0/time_interval",
        ),
        (
            did(r#""value": "performed_event", "time_value": 1, "time_interval": "day",
                 "event_filters": [{"type": "person", "key": "page", "value": 1}]"#),
            &["unsupported-condition"],
            "/values/0/event_filters/0/type",
        ),
        (
            did(r#""value": "performed_event", "time_value": 1, "time_interval": "day",
                 "event_filters": [{"type": "event", "key": "pag", "value": 1}]"#),
            &["unknown-property"],
            "/values/0/event_filters/0/key",
        ),
    ] {
        let expected: Vec<(&str, &str)> = code.iter().map(|code| (*code, path)).collect();
        faults(READ, &json, &expected);
    }
}

/// What PostHog answers for a person, by hand (`posthog/hogql/property.py`).
fn holds(property: &Value, person: &Value) -> bool {
    let value = person.get(property["key"].as_str().unwrap()).unwrap_or(&Value::Null);
    let texts = |json: &Value| -> Vec<String> {
        let one = |json: &Value| match json {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        json.as_array()
            .map_or_else(|| vec![one(json)], |list| list.iter().map(one).collect())
    };
    let wanted = texts(&property["value"]);
    let text = (!value.is_null()).then(|| texts(value)[0].clone());
    let number = |text: &String| text.parse::<f64>().unwrap();
    let order = || Some(number(text.as_ref()?).partial_cmp(&number(&wanted[0])).unwrap());
    let contains = || {
        text.as_ref().is_some_and(|text| {
            let text = text.to_lowercase();
            wanted.iter().any(|part| text.contains(&part.to_lowercase()))
        })
    };
    let matches = || {
        let regex = regex::Regex::new(&wanted[0]).unwrap();
        text.as_ref().is_some_and(|text| regex.is_match(text))
    };
    let holds = match property["operator"].as_str().unwrap() {
        "exact" => text.as_ref().is_some_and(|text| wanted.contains(text)),
        "is_not" => !text.as_ref().is_some_and(|text| wanted.contains(text)),
        "is_set" => text.is_some(),
        "is_not_set" => text.is_none(),
        "gt" => order().is_some_and(|o| o.is_gt()),
        "gte" => order().is_some_and(|o| o.is_ge()),
        "lt" => order().is_some_and(|o| o.is_lt()),
        "lte" => order().is_some_and(|o| o.is_le()),
        "icontains" => contains(),
        "not_icontains" => !contains(),
        "regex" => matches(),
        "not_regex" => !matches(),
        // Days are in the order of their texts.
        "is_date_before" => text.as_ref().is_some_and(|text| *text < wanted[0]),
        "is_date_after" => text.as_ref().is_some_and(|text| *text > wanted[0]),
        other => panic!("{other}"),
    };
    holds != property["negation"].as_bool().unwrap()
}

fn property() -> impl Strategy<Value = Value> {
    let of = |name: &'static str, operators: &[&'static str]| {
        let list = prop::collection::vec(scalar(name), 1..3).prop_map(Value::from);
        let operator = prop::sample::select(operators.to_vec());
        (operator, scalar(name), list, any::<bool>(), any::<bool>())
            .prop_map(move |(operator, one, list, is_list, negation)| {
                let takes_list = matches!(operator, "exact" | "is_not" | "icontains");
                let value = if is_list && takes_list { list } else { one };
                json!({
                    "type": "person", "key": name, "operator": operator,
                    "value": value, "negation": negation,
                })
            })
            .boxed()
    };
    prop_oneof![
        of("n", &["exact", "is_not", "gt", "gte", "lt", "lte", "is_set", "is_not_set"]),
        of(
            "c",
            &[
                "exact",
                "is_not",
                "icontains",
                "not_icontains",
                "regex",
                "not_regex",
                "is_set"
            ]
        ),
        of("f", &["exact", "is_not", "is_not_set"]),
        of("d", &["is_date_before", "is_date_after", "is_set"]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1000)
    })]

    #[test]
    fn a_rule_holds_where_the_property_does(
        properties in prop::collection::vec(property(), 1..4),
        is_or in any::<bool>(),
        documents in prop::collection::vec(document(), 1..8),
    ) {
        let schema = five();
        let group = json!({"type": if is_or { "OR" } else { "AND" }, "values": properties});
        let imported = Import::new(&schema).posthog(&group.to_string()).unwrap();
        let rule = imported.rule.compile(&schema).unwrap();
        for document in &documents {
            let each = || properties.iter().map(|property| holds(property, document));
            let expected = if is_or { each().any(|x| x) } else { each().all(|x| x) };
            let found = rule.truth(&customer(&schema, document)).unwrap();
            prop_assert_eq!(found, Truth::from(expected), "{} of {}", group, document);
        }
    }

    #[test]
    fn counts_are_of_those_who_did_it(
        ages in prop::collection::vec(0..40_i64, 0..8),
        operator in prop::sample::select(vec!["gte", "gt", "lte", "lt", "exact"]),
        n in 1..5_u32,
        days in 1..30_i64,
        negation in any::<bool>(),
    ) {
        let json = did(&format!(
            r#""value": "performed_event_multiple", "operator": "{operator}",
               "operator_value": {n}, "time_value": {days}, "time_interval": "day",
               "negation": {negation}"#
        ));
        let rule = import().posthog(&json).unwrap().rule.compile(&schema()).unwrap();
        let mut times: Vec<i64> = ages.iter().map(|age| NOW - age * DAY - 1).collect();
        times.sort_unstable();
        let rows = times.iter().map(|&at| {
            (Timestamp::from_millis(at), vec![OwnedValue::Missing])
        });
        let log = EventLog::new(&schema().streams()[1], rows).unwrap();
        let ann = OwnedCustomer::new(&schema(), 1).set_events("view", log).unwrap();
        let count = ages.iter().filter(|&&age| age < days).count() as u32;
        // Who has none has no row to be counted.
        let holds = count > 0 && match operator {
            "gte" => count >= n,
            "gt" => count > n,
            "lte" => count <= n,
            "lt" => count < n,
            _ => count == n,
        };
        let now = Moment::new(Timestamp::from_millis(NOW));
        prop_assert_eq!(rule.at(now).holds(&ann).unwrap(), holds != negation);
    }
}

#[test]
fn days_before_now_are_compared_as_dates() {
    // At noon of 2024-05-31, 30 days ago is 2024-05-01.
    let schema = schema();
    for (operator, value, expected) in [
        ("is_date_after", "-30d", [false, false, true, true]),
        ("is_date_before", "-30d", [true, false, false, false]),
        ("is_date_exact", "-30d", [false, true, false, false]),
        ("is_date_exact", "-4w", [false, false, false, false]),
    ] {
        let json = person(&format!(
            r#""key": "joined", "value": "{value}", "operator": "{operator}""#
        ));
        let rule = import().posthog(&json).unwrap().rule.compile(&schema).unwrap();
        let rule = rule.at(Timestamp::from_millis(NOW));
        let holds = ["2024-04-30", "2024-05-01", "2024-05-02", "2024-06-30"].map(|day| {
            let day: segmenta::data::Date = day.parse().unwrap();
            let ann = OwnedCustomer::new(&schema, 1).set("joined", day).unwrap();
            rule.holds(&ann).unwrap()
        });
        assert_eq!(holds, expected, "{operator} {value}");
        assert_eq!(rule.truth(&OwnedCustomer::new(&schema, 1)).unwrap(), Truth::False);
    }
}
