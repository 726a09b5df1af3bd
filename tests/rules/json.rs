//! JSON that tells all its faults.

use segmenta::error::{Error, ErrorKind, Issue};
use segmenta::rules::{
    FieldTest, Limits, PointsModel, Rule, RuleSet, Share, Test, distance,
};
use serde_json::Value;

pub(crate) fn issues(error: &Error) -> Vec<Issue> {
    match error.kind() {
        ErrorKind::Definition { issues, .. } => issues.clone(),
        other => panic!("{other:?}"),
    }
}

/// Codes, paths and suggestions.
fn faults(json: &str) -> Vec<(String, String, Option<String>)> {
    let issues = issues(&RuleSet::from_json(json).unwrap_err());
    issues.into_iter().map(|i| (i.code, i.path, i.suggestion)).collect()
}

fn rule_faults(json: &str) -> Vec<Issue> {
    issues(&Rule::from_json(json).unwrap_err())
}

fn one_fault(json: &str, code: &str, path: &str) -> Issue {
    let found = rule_faults(json);
    assert_eq!(found.len(), 1, "{json}: {found:?}");
    assert_eq!((found[0].code.as_str(), found[0].path.as_str()), (code, path), "{json}");
    found[0].clone()
}

#[test]
fn a_text_with_many_mistakes_is_told_all_of_them() {
    let json = r#"{
        "formats": 1,
        "segments": [
            {"id": "vip", "nmae": "VIP", "rule": {"all": [
                {"field": {"name": "orders", "is": {"gte": [3]}}},
                {"event": {"name": "order", "agg": "cuont", "window": {"last": "90"},
                           "is": {"between": {"lo": 1}}, "where": "everybody"}},
                {"not": {"field": {"name": 7, "is": {"in": "DE"}, "when_missing": "no"}}}
            ]}},
            {"id": "a/b", "name": "A", "name": "B", "version": -1, "rule": {
                "sequence": {"steps": [{"name": "cart"}, {"not": null, "within": 3}],
                             "window": {"calendar": {"n": 1.0, "unit": "fortnight"}}}},
             "stay": {"minimum_say": "3 days", "leave": {"any": [], "all": {}}}},
            {"id": null, "name": "C", "a/b~c": 1, "rule": "all"},
            []
        ],
        "rest": {"id": "rest"}
    }"#;
    let told: Vec<String> = faults(json)
        .into_iter()
        .map(|(code, path, near)| match near {
            None => format!("{code} {path}"),
            Some(near) => format!("{code} {path} ({near})"),
        })
        .collect();
    let vip = "/segments/0/rule/all";
    let a = "/segments/1";
    let expected = [
        "unknown-key /formats (format)".to_owned(),
        "unknown-key /segments/0/nmae (name)".to_owned(),
        format!("unknown-kind {vip}/0/field/is/gte (ge)"),
        format!("wrong-type {vip}/0/field/is/gte"),
        format!("unknown-kind {vip}/1/event/where (everyone)"),
        format!("unknown-kind {vip}/1/event/agg (count)"),
        format!("bad-span {vip}/1/event/window/last"),
        format!("missing-key {vip}/1/event/is/between"),
        format!("wrong-type {vip}/2/not/field/name"),
        format!("wrong-type {vip}/2/not/field/is/in"),
        format!("wrong-type {vip}/2/not/field/when_missing"),
        format!("duplicate-key {a}/name"),
        format!("wrong-type {a}/version"),
        format!("missing-key {a}/rule/sequence/steps/1"),
        format!("wrong-type {a}/rule/sequence/steps/1/not"),
        format!("wrong-type {a}/rule/sequence/steps/1/within"),
        format!("wrong-type {a}/rule/sequence/window/calendar/n"),
        format!("unknown-kind {a}/rule/sequence/window/calendar/unit"),
        format!("unknown-key {a}/stay/minimum_say (minimum_stay)"),
        format!("too-many-keys {a}/stay/leave"),
        format!("wrong-type {a}/stay/leave/all"),
        format!("bad-span {a}/stay/minimum_say"),
        "unknown-key /segments/2/a~1b~0c".to_owned(),
        "wrong-type /segments/2/id".to_owned(),
        "wrong-type /segments/2/rule".to_owned(),
        "wrong-type /segments/3".to_owned(),
        "missing-key /rest".to_owned(),
    ];
    assert_eq!(told, expected);
    // Each points to something, or to what something is missing in.
    let tree: Value = serde_json::from_str(json).unwrap();
    for (_, path, _) in faults(json) {
        assert!(tree.pointer(&path).is_some(), "{path}");
    }
}

#[test]
fn messages_say_what_was_expected_and_found() {
    let message = |json: &str| Rule::from_json(json).unwrap_err().to_string();
    for (json, expected) in [
        (
            r#"{"field": {"name": "orders", "is": {"ge": null}}}"#,
            "the rule cannot be used: /field/is/ge: something else is needed here \
             (expected a number, true, false or a text, found `null`)",
        ),
        (
            r#"{"at_least": {"n": 3.0, "of": []}}"#,
            "the rule cannot be used: /at_least/n: something else is needed here \
             (expected a whole number from 0 to 18446744073709551615, found the number 3.0)",
        ),
        (
            r#"{"segment": {"id": "a", "version": 4294967296}}"#,
            "the rule cannot be used: /segment/version: something else is needed here \
             (expected a whole number from 0 to 4294967295, found the number 4294967296)",
        ),
        (
            r#"{"and": ["everyone"]}"#,
            "the rule cannot be used: /and: `and` does not name a rule (expected one of \
             `everyone`, `nobody`, `all`, `any`, `at_least`, `not`, `field`, `event`, \
             `sequence`, `distance`, `bucket`, `score`, `consent`, `segment`, found `and`); \
             did you mean `all`?",
        ),
        (
            r#"{"name": "orders", "is": {"ge": 3}}"#,
            "the rule cannot be used: no key names a rule (expected one of `everyone`, \
             `nobody`, `all`, `any`, `at_least`, `not`, `field`, `event`, `sequence`, \
             `distance`, `bucket`, `score`, `consent`, `segment`, found `name` and `is`)",
        ),
        (
            r#"{"field": {"name": "orders", "is": {"neq": 3}}}"#,
            "the rule cannot be used: /field/is/neq: `neq` does not name a test (expected \
             its positive form in a rule `not`, found `neq`)",
        ),
        (
            r#"{"field": {"name": "orders", "is": "ge"}}"#,
            "the rule cannot be used: /field/is: `ge` says nothing alone (expected an \
             object with a key `ge`, found the name alone)",
        ),
        (
            r#"{"field": {"name": "orders", "is": {"set": true}}}"#,
            "the rule cannot be used: /field/is/set: something else is needed here \
             (expected the name alone, found `true`)",
        ),
        (
            r#"{"field": {"name": "orders"}}"#,
            "the rule cannot be used: /field: the key `is` is missing",
        ),
        (
            r#"{"bucket": {"salt": "s", "is": {"lt": 1}, "when_missing": true}}"#,
            "the rule cannot be used: /bucket/when_missing: there is no key `when_missing` \
             (expected `salt` or `is`, found `when_missing`)",
        ),
        (
            r#"{"field": {"name": "a", "is": {"in_last": "1y"}}}"#,
            "the rule cannot be used: /field/is/in_last: this is no length of time \
             (expected one as 90d, 2w, 36h, 15m, 30s or 500ms, found `1y`)",
        ),
    ] {
        assert_eq!(message(json), expected);
    }
    let error = RuleSet::from_json(r#"{"format": 2, "sets": []}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rules cannot be used: /format: the format is not known here (expected 1, \
         found 2)",
    );
    let error = PointsModel::from_json(r#"{"parts": [{"for": {"ruel": "evryone"}}]}"#);
    let told: Vec<_> = issues(&error.unwrap_err())
        .into_iter()
        .map(|i| (i.code, i.path, i.suggestion.unwrap_or_default()))
        .collect();
    let expected = [
        ("missing-key", "/parts/0", ""),
        ("missing-key", "/parts/0", ""),
        ("unknown-kind", "/parts/0/for/ruel", "rule"),
        ("unknown-kind", "/parts/0/for/ruel", "everyone"),
    ];
    let text = str::to_owned;
    assert_eq!(told, expected.map(|(a, b, c)| (text(a), text(b), text(c))));
}

#[test]
fn formats_are_told_apart() {
    let set = RuleSet::new().segment("a", "A", Rule::Everyone);
    let json = r#"{"format":1,"segments":[{"id":"a","name":"A","rule":"everyone"}],"rest":null}"#;
    assert_eq!(set.to_json().unwrap(), json);
    for (format, code) in [
        ("", None),
        (r#""format": 1,"#, None),
        (r#""format": 0,"#, Some("unknown-format")),
        (r#""format": 2,"#, Some("unknown-format")),
        (r#""format": -1,"#, Some("unknown-format")),
        (r#""format": 1.0,"#, Some("unknown-format")),
        (r#""format": 1e99,"#, Some("unknown-format")),
        (r#""format": null,"#, Some("wrong-type")),
        (r#""format": "1","#, Some("wrong-type")),
        (r#""format": 1, "format": 1,"#, Some("duplicate-key")),
    ] {
        let json = json.replace(r#""format":1,"#, format);
        let found = RuleSet::from_json(&json);
        let by_serde = serde_json::from_str::<RuleSet>(&json);
        match code {
            None => {
                assert_eq!(found.unwrap(), set);
                assert_eq!(by_serde.unwrap(), set);
            }
            Some(code) => {
                assert_eq!(issues(&found.unwrap_err())[0].code, code, "{json}");
                assert!(by_serde.is_err(), "{json}");
            }
        }
    }
    let error = serde_json::from_str::<RuleSet>(r#"{"format": 7, "segments": []}"#);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("format 7 is not 1, the only known at line 1"), "{error}");
}

/// A file that a release wrote which knew of no formats.
#[test]
fn sets_without_a_format_are_read() {
    let old = include_str!("saved/set-0.json");
    let set = RuleSet::from_json(old).unwrap();
    assert_eq!(serde_json::from_str::<RuleSet>(old).unwrap(), set);
    assert_eq!(set.segments[1].rule.to_string(), "segment 'many' or orders >= 1");
    assert_eq!(set.segments[0].version, None);
    let new = set.to_json().unwrap();
    assert_eq!(new, old.trim().replacen('{', r#"{"format":1,"#, 1));
    assert_eq!(RuleSet::from_json(&new).unwrap(), set);
}

#[test]
fn texts_and_trees_have_limits() {
    let json = r#""everyone""#;
    let limits = Limits::new().json_len(json.len());
    assert_eq!(Rule::from_json_with(json, &limits).unwrap(), Rule::Everyone);
    let limits = limits.json_len(json.len() - 1);
    let error = Rule::from_json_with(json, &limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rule cannot be used: the text is too long (expected at most 9 bytes, found 10)"
    );
    assert!(RuleSet::from_json_with("{}", &Limits::new().json_len(0)).is_err());
    assert!(PointsModel::from_json_with(json, &limits).is_err());
    let long = " ".repeat(1 << 22);
    assert_eq!(issues(&Rule::from_json(&long).unwrap_err())[0].code, "bad-json");
    let long = format!("{long} ");
    assert_eq!(issues(&Rule::from_json(&long).unwrap_err())[0].code, "text-too-long");

    let nested =
        |n: usize| format!("{}\"nobody\"{}", "{\"not\":".repeat(n), "}".repeat(n));
    assert!(Rule::from_json(&nested(126)).is_ok());
    for n in [127, 1000, 500_000] {
        let issue = one_fault(&nested(n), "too-deep", &"/not".repeat(126));
        assert_eq!(issue.expected.as_deref(), Some("at most 126 levels"));
    }
    let open = "[".repeat(1 << 21);
    assert_eq!(issues(&Rule::from_json(&open).unwrap_err())[0].code, "bad-json");
    let lists = format!("{{\"all\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
    one_fault(&lists, "wrong-type", "/all/0");
}

#[test]
fn faults_beyond_the_first_hundred_are_counted() {
    for (entry, code) in [
        ("1", "wrong-type"),
        ("\"everybody\"", "unknown-kind"),
        ("{}", "unknown-kind"),
        ("{\"segment\":{}}", "missing-key"),
    ] {
        let json = format!("{{\"all\":[{}]}}", vec![entry; 50_000].join(","));
        let found = rule_faults(&json);
        assert_eq!(found.len(), 101, "{entry}");
        assert!(found[..100].iter().all(|issue| issue.code == code), "{entry}");
        assert_eq!(found[99].path.split('/').nth(2), Some("99"));
        assert_eq!(found[100].code, "too-many-issues");
        assert_eq!(found[100].message, "49900 more faults are not listed");
    }
    let keys: Vec<String> = (0..50_000).map(|i| format!("\"k{i}\":1")).collect();
    let found = rule_faults(&format!("{{\"field\":{{{}}}}}", keys.join(",")));
    assert_eq!(found[100].message, "49902 more faults are not listed");
    // Long names are cut short, but not in the pointer.
    let name = "x".repeat(100_000);
    let found = rule_faults(&format!("{{\"{name}\":\"{name}\"}}"));
    assert_eq!(found[0].path.len(), 100_001);
    assert!(found[0].message.len() < 100, "{}", found[0].message);
    let shown = one_fault(&format!("\"{name}\""), "unknown-kind", "");
    assert!(shown.found.unwrap().len() < 50);
}

#[test]
fn numbers_that_json_does_not_have_are_not_written() {
    let nan = f64::NAN;
    let share = field_test(Test::InTop(Share::Percent(nan)));
    for rule in
        [share, distance("a", "b", nan, 0.0).le(1), field_test(Test::Eq(nan.into()))]
    {
        assert_eq!(issues(&rule.to_json().unwrap_err())[0].code, "bad-json");
        let set = RuleSet::new().segment("a", "A", rule);
        assert_eq!(issues(&set.to_json().unwrap_err())[0].code, "bad-json");
    }
    let points = |points: f64| PointsModel::new().when("a", points, Rule::Everyone);
    let capped = points(1.0).cap(f64::INFINITY);
    for model in [points(nan), capped, points(1.0).part_cap(nan)] {
        assert_eq!(issues(&model.to_json().unwrap_err())[0].code, "bad-json");
    }
    let model = points(0.1).part_cap(1.0).cap(1e300);
    assert_eq!(PointsModel::from_json(&model.to_json().unwrap()).unwrap(), model);
}

fn field_test(is: Test) -> Rule {
    Rule::Field(FieldTest { name: "a".to_owned(), is, when_missing: None })
}
