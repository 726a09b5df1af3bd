//! Segments and conditions of Apache Unomi.

use proptest::prelude::*;
use segmenta::data::OwnedCustomer;
use segmenta::rules::Import;
use segmenta::segmenter::Truth;
use serde_json::{Value, json};

use super::mongo::{customer, document, five, scalar};
use super::*;

const READ: Read = Import::unomi;

fn condition(kind: &str, parameters: &str) -> String {
    format!(r#"{{"type": "{kind}", "parameterValues": {{{parameters}}}}}"#)
}

fn property(rest: &str) -> String {
    condition("profilePropertyCondition", rest)
}

#[test]
fn segments_and_joints() {
    golden(
        READ,
        r#"{
            "metadata": {"id": "s", "name": "S", "scope": "shop", "enabled": false},
            "itemId": "s", "itemType": "segment",
            "condition": {"type": "booleanCondition", "parameterValues": {
                "operator": "OR",
                "subConditions": [
                    {"type": "profilePropertyCondition", "parameterValues": {
                        "propertyName": "properties.age",
                        "comparisonOperator": "between", "propertyValuesInteger": [18, 30]}},
                    {"type": "notCondition", "parameterValues": {"subCondition":
                        {"type": "profileSegmentCondition", "parameterValues": {
                            "segments": ["12", "lost"], "matchType": "in"}}}},
                    {"type": "matchAllCondition"}
                ]}}
        }"#,
        "age between 18 and 30 when missing no or not (segment 'vip' or segment 'lost') \
         or everyone",
        &[
            ("left-out", "/itemId"),
            ("left-out", "/itemType"),
            ("not-enabled", "/metadata/enabled"),
            (
                "refers-to-segment",
                "/condition/parameterValues/subConditions/1/parameterValues/subCondition/\
                 parameterValues/segments/0",
            ),
            (
                "refers-to-segment",
                "/condition/parameterValues/subConditions/1/parameterValues/subCondition/\
                 parameterValues/segments/1",
            ),
        ],
    );
    let none = condition("booleanCondition", r#""operator": "or", "subConditions": []"#);
    golden(READ, &none, "nobody", &[("nobody", "/parameterValues")]);
    let none = condition("booleanCondition", r#""operator": "and", "subConditions": []"#);
    golden(READ, &none, "everyone", &[("everyone", "/parameterValues")]);
    for (kind, text) in [
        ("notIn", "not (segment 'a' or segment 'b')"),
        ("all", "segment 'a' and segment 'b'"),
    ] {
        let json = condition(
            "profileSegmentCondition",
            &format!(r#""segments": ["a", "b"], "matchType": "{kind}""#),
        );
        let places = ["/parameterValues/segments/0", "/parameterValues/segments/1"];
        golden(READ, &json, text, &places.map(|at| ("refers-to-segment", at)));
    }
}

#[test]
fn properties_of_profiles() {
    let at = "/parameterValues";
    for (name, operator, rest, text, notes) in [
        (
            "properties.age",
            "equals",
            r#""propertyValueInteger": 3"#,
            "age = 3 when missing no",
            &[][..],
        ),
        (
            "age",
            "notEquals",
            r#""propertyValue": "3""#,
            "not (age = 3 when missing no)",
            &[],
        ),
        (
            "age",
            "lessThanOrEqualTo",
            r#""propertyValueDouble": 2.5"#,
            "age <= 2.5 when missing no",
            &[],
        ),
        (
            "age",
            "in",
            r#""propertyValuesInteger": [1, 2]"#,
            "age in (1, 2) when missing no",
            &[],
        ),
        (
            "admin",
            "equals",
            r#""propertyValue": "true""#,
            "admin = true when missing no",
            &[],
        ),
        ("age", "exists", r#""propertyValue": null"#, "age is set", &[]),
        ("age", "missing", r#""propertyValue": null"#, "age is missing", &[]),
        (
            "groups",
            "exists",
            r#""propertyValue": null"#,
            "size of groups >= 1 when missing no",
            &[],
        ),
        (
            "country",
            "notIn",
            r#""propertyValues": ["DE", "AT"]"#,
            "not (country in ('DE', 'AT') when missing no)",
            &[("not-folded", "/parameterValues/propertyValues/0")],
        ),
        (
            "country",
            "notContains",
            r#""propertyValue": "a""#,
            "country is set and not (country contains 'a' when missing no)",
            &[("when-missing", at), ("not-folded", at)],
        ),
        (
            "country",
            "startsWith",
            r#""propertyValue": "D""#,
            "country starts with 'D' when missing no",
            &[("not-folded", at)],
        ),
        (
            "country",
            "endsWith",
            r#""propertyValue": "E""#,
            "country ends with 'E' when missing no",
            &[("not-folded", at)],
        ),
        (
            "country",
            "matchesRegex",
            r#""propertyValue": "D|A""#,
            r"country matches '\A(?:D|A)\z' when missing no",
            &[],
        ),
        (
            "country",
            "matchesRegex",
            r#""propertyValue": "\\w+""#,
            r"country matches '\A(?:\w+)\z' when missing no",
            &[("regex-engine", "/parameterValues/propertyValue")],
        ),
        (
            "country",
            "inContains",
            r#""propertyValues": ["a", "b"]"#,
            "country contains 'a' when missing no or country contains 'b' when missing no",
            &[("one-of-them", at), ("not-folded", at)],
        ),
        (
            "groups",
            "hasNoneOf",
            r#""propertyValues": ["a"]"#,
            "not (groups has any of ('a') when missing no)",
            &[("not-folded", "/parameterValues/propertyValues/0")],
        ),
        (
            "groups",
            "all",
            r#""propertyValues": ["a", "b"]"#,
            "groups has all of ('a', 'b') when missing no",
            &[("not-folded", at)],
        ),
        (
            "groups",
            "equals",
            r#""propertyValue": "a""#,
            "groups has any of ('a') when missing no",
            &[("not-folded", "/parameterValues/propertyValue")],
        ),
        (
            "joined",
            "isDay",
            r#""propertyValueDate": "2024-05-31T00:00:00Z""#,
            "joined = '2024-05-31' when missing no",
            &[("instant-as-day", "/parameterValues/propertyValueDate")],
        ),
        (
            "joined",
            "isNotDay",
            r#""propertyValueDate": "2024-05-31""#,
            "joined is set and not (joined = '2024-05-31' when missing no)",
            &[("when-missing", at)],
        ),
        (
            "joined",
            "isDay",
            r#""propertyValueDate": 86400000"#,
            "joined = '1970-01-02' when missing no",
            &[("instant-as-day", "/parameterValues/propertyValueDate")],
        ),
        (
            "joined",
            "greaterThan",
            r#""propertyValueDateExpr": "now-30d/d""#,
            "joined in last 30d when missing no or joined in next 3653d when missing no",
            &[
                ("whole-days", "/parameterValues/propertyValueDateExpr"),
                ("bounded-future", at),
            ],
        ),
        (
            "joined",
            "equals",
            r#""propertyValueDateExpr": "now+2d""#,
            "joined in next 3d when missing no and not (joined in next 2d when missing no)",
            &[("whole-days", "/parameterValues/propertyValueDateExpr")],
        ),
        (
            "joined",
            "between",
            r#""propertyValuesDate": ["2024-01-01", "2024-02-01"]"#,
            "joined >= '2024-01-01' when missing no and joined <= '2024-02-01' when missing no",
            &[],
        ),
        (
            "location",
            "distance",
            r#""center": "48.2, 16.4", "distance": 5, "unit": "mi""#,
            "distance(lat, lon) from (48.2, 16.4) <= 8.04672 when missing no",
            &[],
        ),
        (
            "location",
            "distance",
            r#""center": "48.2,16.4", "distance": 500"#,
            "distance(lat, lon) from (48.2, 16.4) <= 0.5 when missing no",
            &[],
        ),
    ] {
        let json = property(&format!(
            r#""propertyName": "{name}", "comparisonOperator": "{operator}", {rest}"#
        ));
        golden(READ, &json, text, notes);
    }
}

#[test]
fn what_profiles_did() {
    let of = |rest: &str, event: &str| {
        let rest = if rest.is_empty() { String::new() } else { format!(", {rest}") };
        condition("pastEventCondition", &format!(r#""eventCondition": {event}{rest}"#))
    };
    let view = condition("eventTypeCondition", r#""eventTypeId": "view""#);
    let rolling = &[("rolling-window", "/parameterValues")][..];
    for (rest, text, notes) in [
        ("", "events(view).count >= 1", &[][..]),
        (
            r#""numberOfDays": 30, "minimumEventCount": 3"#,
            "events(view).count in last 30d >= 3",
            rolling,
        ),
        (
            r#""numberOfDays": "30", "minimumEventCount": "0", "maximumEventCount": 3"#,
            "events(view).count in last 30d between 1 and 3",
            rolling,
        ),
        (
            r#""minimumEventCount": 5, "maximumEventCount": 3"#,
            "nobody",
            &[("nobody", "/parameterValues")],
        ),
        (
            r#""operator": "eventsNotOccurred", "minimumEventCount": 3"#,
            "events(view).count = 0",
            &[("left-out", "/parameterValues")],
        ),
        (
            r#""fromDate": "2024-01-01", "toDate": "2024-02-01T00:00:00Z""#,
            "events(view).count from '2024-01-01T00:00:00Z' to '2024-02-01T00:00:00.001Z' >= 1",
            &[],
        ),
    ] {
        golden(READ, &of(rest, &view), text, notes);
    }
    let order = condition("eventTypeCondition", r#""eventTypeId": "$purchase""#);
    let amount = condition(
        "eventPropertyCondition",
        r#""propertyName": "$amount", "comparisonOperator": "greaterThan",
           "propertyValueInteger": 10"#,
    );
    let gift = condition(
        "eventPropertyCondition",
        r#""propertyName": "properties.gift", "comparisonOperator": "notEquals",
           "propertyValue": "true""#,
    );
    let join = |operator: &str, parts: &[&str]| {
        let parts = parts.join(",");
        condition(
            "booleanCondition",
            &format!(r#""operator": "{operator}", "subConditions": [{parts}]"#),
        )
    };
    golden(
        READ,
        &of("", &join("and", &[&order, &amount, &gift])),
        "events(order where amount > 10 when missing no \
         and not (gift = true when missing no)).count >= 1",
        &[],
    );
    golden(
        READ,
        &of(
            "",
            &join(
                "or",
                &[&join("and", &[&order, &amount]), &join("and", &[&gift, &order])],
            ),
        ),
        "events(order where amount > 10 when missing no \
         or not (gift = true when missing no)).count >= 1",
        &[],
    );
    golden(
        READ,
        &of(
            "",
            &join(
                "and",
                &[
                    &order,
                    &condition("notCondition", &format!(r#""subCondition": {amount}"#)),
                ],
            ),
        ),
        "events(order where not (amount > 10 when missing no)).count >= 1",
        &[],
    );
    let event = "/parameterValues/eventCondition";
    faults(READ, &of("", &amount), &[("missing-key", event)]);
    faults(READ, &of("", &join("or", &[&order, &amount])), &[("missing-key", event)]);
    faults(
        READ,
        &of("", &join("or", &[&order, &view])),
        &[("unsupported-condition", event)],
    );
    faults(
        READ,
        &of(
            "",
            &join("and", &[&condition("eventTypeCondition", r#""eventTypeId": "veiw""#)]),
        ),
        &[(
            "unknown-stream",
            &format!(
                "{event}/parameterValues/subConditions/0/parameterValues/eventTypeId"
            ),
        )],
    );
    faults(
        READ,
        &of("", &join("and", &[&view, &amount])),
        &[(
            "unknown-property",
            &format!(
                "{event}/parameterValues/subConditions/1/parameterValues/propertyName"
            ),
        )],
    );
    faults(
        READ,
        &of("", &join("and", &[&view, &property("")])),
        &[(
            "unsupported-condition",
            &format!("{event}/parameterValues/subConditions/1/type"),
        )],
    );
    // The name in the documentation is not the one that is read.
    let json = of(r#""minimumCount": 3"#, &view);
    faults(READ, &json, &[("unknown-key", "/parameterValues/minimumCount")]);
    let error = import().unomi(&json).unwrap_err().to_string();
    assert!(error.contains("minimumCount` is not known here"), "{error}");
    for (rest, code, path) in [
        (r#""numberOfDays": 4000"#, "window-too-long", ""),
        (r#""numberOfDays": 0"#, "empty-window", ""),
        (r#""numberOfDays": -1"#, "wrong-type", "/numberOfDays"),
        (r#""numberOfDays": 3, "fromDate": "2024-01-01""#, "unsupported-condition", ""),
        (r#""fromDate": "soon""#, "bad-instant", "/fromDate"),
        (r#""operator": "eventsOccured""#, "unknown-operator", "/operator"),
    ] {
        let at = format!("/parameterValues{path}");
        faults(READ, &of(rest, &view), &[(code, &at)]);
    }
}

#[test]
fn places() {
    let geo = |rest: &str| condition("geoLocationByPointSessionCondition", rest);
    let note = &[("session-as-customer", "/parameterValues")][..];
    golden(
        READ,
        &geo(
            r#""type": "circle", "circleLatitude": 48.2, "circleLongitude": "16.4", "distance": "10km""#,
        ),
        "distance(lat, lon) from (48.2, 16.4) <= 10 when missing no",
        note,
    );
    golden(
        READ,
        &geo(r#""type": "rectangle", "rectLatitudeNE": 50, "rectLongitudeNE": 20,
               "rectLatitudeSW": 40, "rectLongitudeSW": 10"#),
        "lat between 40 and 50 when missing no and lon between 10 and 20 when missing no",
        note,
    );
    golden(
        READ,
        &geo(r#""type": "rectangle", "rectLatitudeNE": 50, "rectLongitudeNE": -170,
               "rectLatitudeSW": 40, "rectLongitudeSW": 170"#),
        "lat between 40 and 50 when missing no \
         and (lon >= 170 when missing no or lon <= -170 when missing no)",
        note,
    );
    for (rest, code, path) in [
        (r#""type": "circle", "name": "home""#, "unsupported-condition", ""),
        (
            r#""type": "circle", "circleLatitude": 95, "circleLongitude": 1, "distance": "1km""#,
            "not-on-earth",
            "",
        ),
        (
            r#""type": "circle", "circleLatitude": 5, "circleLongitude": 1, "distance": "1 lightyear""#,
            "bad-value",
            "/distance",
        ),
        (r#""type": "ring""#, "bad-value", "/type"),
    ] {
        let at = format!("/parameterValues{path}");
        faults(READ, &geo(rest), &[(code, &at)]);
    }
    let plain = Import::new(&schema());
    let circle = geo(
        r#""type": "circle", "circleLatitude": 1, "circleLongitude": 1, "distance": "10km""#,
    );
    assert!(plain.unomi(&circle).is_err());
}

#[test]
fn faults_have_their_places() {
    let of = |name: &str, operator: &str, rest: &str| {
        property(&format!(
            r#""propertyName": "{name}", "comparisonOperator": "{operator}"{rest}"#
        ))
    };
    for (json, code, path) in [
        (condition("scoringCondition", ""), "unsupported-condition", "/type"),
        (condition("sessionPropertyCondition", ""), "unsupported-condition", "/type"),
        (condition("eventTypeCondition", ""), "unsupported-condition", "/type"),
        (condition("booleenCondition", ""), "unknown-condition", "/type"),
        (
            r#"{"type": "matchAllCondition", "parameters": {}}"#.to_owned(),
            "unknown-key",
            "/parameters",
        ),
        (
            condition("booleanCondition", r#""operator": "xor", "subConditions": []"#),
            "bad-value",
            "/parameterValues/operator",
        ),
        (condition("notCondition", ""), "missing-key", "/parameterValues"),
        (
            condition(
                "profileSegmentCondition",
                r#""segments": [], "matchType": "some""#,
            ),
            "unknown-operator",
            "/parameterValues/matchType",
        ),
        (
            of("properties.agee", "exists", ""),
            "unknown-feature",
            "/parameterValues/propertyName",
        ),
        (
            of("age", "exits", ""),
            "unknown-operator",
            "/parameterValues/comparisonOperator",
        ),
        (
            of("age", "exists", r#", "propertyValue": 3"#),
            "no-effect",
            "/parameterValues/propertyValue",
        ),
        (of("age", "equals", ""), "missing-key", "/parameterValues"),
        (
            of("age", "equals", r#", "propertyValue": 3, "propertyValueInteger": 4"#),
            "bad-value",
            "/parameterValues",
        ),
        (
            of("age", "equals", r#", "propertyValues": [3]"#),
            "bad-value",
            "/parameterValues",
        ),
        (
            of("age", "equals", r#", "propertyValeu": 3"#),
            "unknown-key",
            "/parameterValues/propertyValeu",
        ),
        (
            of("age", "equals", r#", "propertyValue": "x""#),
            "wrong-literal",
            "/parameterValues",
        ),
        (
            of("age", "contains", r#", "propertyValue": "1""#),
            "wrong-operator",
            "/parameterValues",
        ),
        (
            of("age", "in", r#", "propertyValues": []"#),
            "empty-list",
            "/parameterValues/propertyValues",
        ),
        (
            of("age", "between", r#", "propertyValuesInteger": [1]"#),
            "wrong-type",
            "/parameterValues/propertyValuesInteger",
        ),
        (
            of("plan", "equals", r#", "propertyValue": "gold""#),
            "unknown-level",
            "/parameterValues",
        ),
        (
            of("country", "equals", r#", "propertyValue": "parameter::x""#),
            "bad-value",
            "/parameterValues/propertyValue",
        ),
        (
            of("country", "all", r#", "propertyValues": ["a"]"#),
            "wrong-operator",
            "/parameterValues",
        ),
        (
            of("groups", "notEquals", r#", "propertyValue": "a""#),
            "unsupported-operator",
            "/parameterValues",
        ),
        (
            of("joined", "isDay", r#", "propertyValueDate": 1"#),
            "not-a-day",
            "/parameterValues/propertyValueDate",
        ),
        (
            of("joined", "lessThan", r#", "propertyValueDateExpr": "now-3M""#),
            "not-a-day",
            "/parameterValues/propertyValueDateExpr",
        ),
        (
            of("joined", "lessThan", r#", "propertyValueDateExpr": "now-é""#),
            "not-a-day",
            "/parameterValues/propertyValueDateExpr",
        ),
        (
            of("joined", "lessThan", r#", "propertyValueDate": "now-3d""#),
            "not-a-day",
            "/parameterValues/propertyValueDate",
        ),
        (
            of("home", "distance", r#", "center": "1,1", "distance": 1"#),
            "unsupported-condition",
            "/parameterValues/propertyName",
        ),
        (
            of("location", "distance", r#", "center": "1", "distance": 1"#),
            "bad-value",
            "/parameterValues/center",
        ),
    ] {
        faults(READ, &json, &[(code, path)]);
    }
    faults(
        READ,
        r#"{"condition": {"type": "x"}, "metdata": 3}"#,
        &[("unknown-key", "/metdata"), ("unknown-condition", "/condition/type")],
    );
}

/// What Unomi's evaluator in memory answers, by hand (`PropertyConditionEvaluator.java`).
fn holds(parameters: &Value, profile: &Value) -> bool {
    let value =
        profile.get(parameters["propertyName"].as_str().unwrap()).unwrap_or(&Value::Null);
    let operator = parameters["comparisonOperator"].as_str().unwrap();
    let texts = |json: &Value| -> Vec<String> {
        let one = |json: &Value| match json {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        json.as_array()
            .map_or_else(|| vec![one(json)], |list| list.iter().map(one).collect())
    };
    if value.is_null() {
        return matches!(operator, "missing" | "notEquals" | "notIn" | "hasNoneOf");
    }
    let actual = texts(value);
    let wanted = ["propertyValue", "propertyValues"]
        .into_iter()
        .find_map(|key| parameters.get(key))
        .map(texts)
        .unwrap_or_default();
    let order = || {
        let number = |text: &String| text.parse::<f64>().unwrap();
        number(&actual[0]).partial_cmp(&number(&wanted[0])).unwrap()
    };
    match operator {
        "exists" => !actual.is_empty(),
        "missing" => false,
        "equals" => actual.contains(&wanted[0]),
        "notEquals" => !actual.contains(&wanted[0]),
        "in" | "hasSomeOf" => actual.iter().any(|a| wanted.contains(a)),
        "notIn" | "hasNoneOf" => !actual.iter().any(|a| wanted.contains(a)),
        "all" => wanted.iter().all(|w| actual.contains(w)),
        "contains" => actual[0].contains(&wanted[0]),
        "notContains" => !actual[0].contains(&wanted[0]),
        "startsWith" => actual[0].starts_with(&wanted[0]),
        "endsWith" => actual[0].ends_with(&wanted[0]),
        "inContains" => wanted.iter().any(|w| actual[0].contains(w)),
        "greaterThan" => order().is_gt(),
        "greaterThanOrEqualTo" => order().is_ge(),
        "lessThan" => order().is_lt(),
        "lessThanOrEqualTo" => order().is_le(),
        other => panic!("{other}"),
    }
}

fn parameters() -> impl Strategy<Value = Value> {
    let of = |name: &'static str, operators: &[&'static str]| {
        let list = prop::collection::vec(scalar(name), 1..3).prop_map(Value::from);
        let operator = prop::sample::select(operators.to_vec());
        (operator, scalar(name), list)
            .prop_map(move |(operator, one, list)| {
                let mut parameters = json!({
                    "propertyName": name, "comparisonOperator": operator,
                });
                match operator {
                    "exists" | "missing" => {}
                    "in" | "notIn" | "hasSomeOf" | "hasNoneOf" | "all" | "inContains" => {
                        parameters["propertyValues"] = list;
                    }
                    _ => parameters["propertyValue"] = one,
                }
                parameters
            })
            .boxed()
    };
    prop_oneof![
        of(
            "n",
            &[
                "equals",
                "notEquals",
                "in",
                "notIn",
                "exists",
                "missing",
                "greaterThan",
                "greaterThanOrEqualTo",
                "lessThan",
                "lessThanOrEqualTo",
            ]
        ),
        of(
            "c",
            &[
                "equals",
                "notEquals",
                "in",
                "notIn",
                "hasSomeOf",
                "hasNoneOf",
                "contains",
                "notContains",
                "startsWith",
                "endsWith",
                "inContains",
                "exists",
                "missing",
            ]
        ),
        of("f", &["equals", "notEquals", "exists"]),
        of("t", &["equals", "in", "notIn", "hasSomeOf", "hasNoneOf", "all", "exists"]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1000)
    })]

    #[test]
    fn a_rule_holds_where_the_condition_does(
        all in prop::collection::vec((parameters(), any::<bool>()), 1..4),
        is_or in any::<bool>(),
        documents in prop::collection::vec(document(), 1..8),
    ) {
        let schema = five();
        let parts: Vec<Value> = all
            .iter()
            .map(|(parameters, is_denied)| {
                let condition =
                    json!({"type": "profilePropertyCondition", "parameterValues": parameters});
                if *is_denied {
                    json!({"type": "notCondition", "parameterValues": {"subCondition": condition}})
                } else {
                    condition
                }
            })
            .collect();
        let json = json!({"type": "booleanCondition", "parameterValues": {
            "operator": if is_or { "or" } else { "and" }, "subConditions": parts,
        }});
        let imported = Import::new(&schema).unomi(&json.to_string()).unwrap();
        let rule = imported.rule.compile(&schema).unwrap();
        for document in &documents {
            let each = || all.iter().map(|(part, denied)| holds(part, document) != *denied);
            let expected = if is_or { each().any(|x| x) } else { each().all(|x| x) };
            let found = rule.truth(&customer(&schema, document)).unwrap();
            prop_assert_eq!(found, Truth::from(expected), "{} of {}", json, document);
        }
    }
}

#[test]
fn nothing_is_unknown() {
    let json = property(
        r#""propertyName": "joined", "comparisonOperator": "lessThan",
           "propertyValueDateExpr": "now-3d""#,
    );
    let rule = import().unomi(&json).unwrap().rule.compile(&schema()).unwrap();
    let rule = rule.at(segmenta::data::Timestamp::from_millis(0));
    let nobody = OwnedCustomer::new(&schema(), 1);
    assert_eq!(rule.truth(&nobody).unwrap(), Truth::False);
}
