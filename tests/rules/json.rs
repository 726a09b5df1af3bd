//! JSON that tells all its faults, beside what serde reads of it.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use segmenta::data::Span;
use segmenta::error::{Error, ErrorKind, Issue};
use segmenta::rules::{
    Aggregate, CalendarUnit, ConsentAge, EventTest, FieldTest, LeapDay, Limits, Literal,
    PointsModel, Rule, RuleSet, SegmentStay, Share, Test, Window, bucket, consent,
    distance, events, segment, segment_version, sequence, step,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn issues(error: &Error) -> Vec<Issue> {
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
             `sequence`, `distance`, `bucket`, `consent`, `segment`, found `and`); \
             did you mean `all`?",
        ),
        (
            r#"{"name": "orders", "is": {"ge": 3}}"#,
            "the rule cannot be used: no key names a rule (expected one of `everyone`, \
             `nobody`, `all`, `any`, `at_least`, `not`, `field`, `event`, `sequence`, \
             `distance`, `bucket`, `consent`, `segment`, found `name` and `is`)",
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

fn literal() -> BoxedStrategy<Literal> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Literal::from),
        (-3..4_i64).prop_map(Literal::from),
        any::<bool>().prop_map(Literal::from),
        "[a-c'/~é\"]{0,3}".prop_map(Literal::from),
    ]
    .boxed()
}

fn span() -> impl Strategy<Value = Span> + Clone {
    (0..400_u64, select(vec![1_u64, 3_600_000, 86_400_000]))
        .prop_map(|(n, unit)| Span::from_millis(n * unit))
}

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![
        any::<u64>().prop_map(Share::Count),
        (0.0..100.0).prop_map(Share::Percent),
        (0..100_i32).prop_map(|x| Share::Percent(x.into())),
    ]
}

fn test() -> BoxedStrategy<Test> {
    let name = || "[a-c]{0,2}";
    let names = || prop::collection::vec(name(), 0..3);
    let leaf = prop_oneof![
        literal().prop_map(Test::Eq),
        prop::collection::vec(literal(), 0..3).prop_map(Test::In),
        prop_oneof![
            literal().prop_map(Test::Lt),
            literal().prop_map(Test::Le),
            literal().prop_map(Test::Gt),
            literal().prop_map(Test::Ge),
        ],
        (literal(), literal()).prop_map(|(lo, hi)| Test::Between { lo, hi }),
        prop_oneof![
            name().prop_map(Test::Contains),
            name().prop_map(Test::StartsWith),
            name().prop_map(Test::EndsWith),
            name().prop_map(Test::Matches),
            names().prop_map(Test::HasAny),
            names().prop_map(Test::HasAll),
        ],
        span().prop_map(Test::InLast),
        span().prop_map(Test::InNext),
        (span(), select(vec![LeapDay::Feb28, LeapDay::Mar1, LeapDay::Skip]))
            .prop_map(|(within, leap_day)| Test::Anniversary { within, leap_day }),
        share().prop_map(Test::InTop),
        share().prop_map(Test::InBottom),
        Just(Test::Set),
        Just(Test::Missing),
    ];
    leaf.prop_recursive(2, 2, 1, |test| test.prop_map(|test| Test::Size(Box::new(test))))
        .boxed()
}

fn window() -> impl Strategy<Value = Window> {
    let units = vec![
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
        CalendarUnit::Quarter,
        CalendarUnit::Year,
    ];
    prop_oneof![
        Just(Window::Ever),
        span().prop_map(Window::Last),
        (span(), span()).prop_map(|(from, to)| Window::Ago { from, to }),
        (any::<u32>(), select(units), any::<bool>()).prop_map(
            |(n, unit, include_current)| Window::Calendar { n, unit, include_current }
        ),
        ("[0-9-]{0,4}", "[0-9-]{0,4}")
            .prop_map(|(from, to)| Window::Between { from, to }),
    ]
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    let of: Vec<fn(String) -> Aggregate> = vec![
        Aggregate::Sum,
        Aggregate::Average,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::Distinct,
        Aggregate::First,
        Aggregate::Last,
    ];
    let bare = vec![
        Aggregate::Count,
        Aggregate::FirstDay,
        Aggregate::LastDay,
        Aggregate::ActiveDays,
    ];
    prop_oneof![
        select(bare),
        (select(of), "[a-c]").prop_map(|(of, property)| of(property))
    ]
}

fn rule() -> BoxedStrategy<Rule> {
    let name = || "[a-c]{1,2}";
    let maybe = prop::option::of(any::<bool>());
    let field = (name(), test(), maybe.clone()).prop_map(|(name, is, when_missing)| {
        Rule::Field(FieldTest { name, is, when_missing })
    });
    let place = (-90.0..90.0, -4..5_i32);
    let consented = prop::option::of(prop::collection::vec(name(), 0..3));
    let leaf = prop_oneof![
        Just(Rule::Everyone),
        Just(Rule::Nobody),
        field,
        (name(), test()).prop_map(|(salt, is)| match bucket(salt).eq(1) {
            Rule::Bucket(bucket) =>
                Rule::Bucket(segmenta::rules::BucketTest { is, ..bucket }),
            rule => rule,
        }),
        (place, test(), maybe.clone()).prop_map(|((north, east), is, when_missing)| {
            match distance("lat", "lon", north, east.into()).eq(1) {
                Rule::Distance(test) => Rule::Distance(segmenta::rules::DistanceTest {
                    is,
                    when_missing,
                    ..test
                }),
                rule => rule,
            }
        }),
        (name(), consented, prop::option::of((name(), span()))).prop_map(
            |(purpose, is, given)| match consent(purpose).rule() {
                Rule::Consent(test) => {
                    let given = given.map(|(on, in_last)| ConsentAge { on, in_last });
                    Rule::Consent(segmenta::rules::ConsentTest { is, given, ..test })
                }
                rule => rule,
            }
        ),
        name().prop_map(segment),
        (name(), any::<u32>()).prop_map(|(id, version)| segment_version(id, version)),
    ];
    leaf.prop_recursive(3, 12, 3, move |rule| {
        let filter = prop::option::of(rule.clone());
        let steps = (name(), filter.clone(), any::<bool>(), prop::option::of(span()));
        let steps = prop::collection::vec(steps, 1..3);
        let list = prop::collection::vec(rule.clone(), 0..3);
        prop_oneof![
            list.clone().prop_map(Rule::All),
            list.clone().prop_map(Rule::Any),
            (0..4_usize, list).prop_map(|(n, of)| Rule::AtLeast { n, of }),
            rule.prop_map(|rule| Rule::Not(Box::new(rule))),
            (name(), filter, aggregate(), window(), test(), maybe.clone()).prop_map(
                |(name, filter, agg, window, is, when_missing)| {
                    let filter = filter.map(Box::new);
                    Rule::Event(EventTest { name, filter, agg, window, is, when_missing })
                }
            ),
            (steps, prop::option::of(name()), window()).prop_map(
                |(steps, same, window)| {
                    let mut steps =
                        steps.into_iter().map(|(name, filter, not, within)| {
                            let mut step = step(name);
                            step.filter = filter.map(Box::new);
                            (step.not, step.within) = (not, within);
                            step
                        });
                    let sequence = sequence(steps.next().unwrap()).in_window(window);
                    let sequence = steps.fold(sequence, |all, step| all.then(step));
                    let sequence =
                        same.into_iter().fold(sequence, |all, name| all.same(name));
                    sequence.rule()
                }
            ),
        ]
    })
    .boxed()
}

fn set() -> impl Strategy<Value = RuleSet> {
    let stay = (prop::option::of(rule()), prop::option::of(span()))
        .prop_map(|(leave, minimum_stay)| SegmentStay { leave, minimum_stay });
    let segment = (
        "[a-c]{0,2}",
        "[a-c]{0,2}",
        prop::option::of(any::<u32>()),
        rule(),
        prop::option::of(stay),
    );
    let segments = prop::collection::vec(segment, 0..3);
    (segments, prop::option::of("[a-c]{0,2}")).prop_map(|(segments, rest)| {
        let set = segments.into_iter().fold(
            RuleSet::new(),
            |set, (id, name, version, rule, stay)| {
                let set = version
                    .into_iter()
                    .fold(set.segment(id, name, rule), RuleSet::version);
                stay.into_iter().fold(set, RuleSet::stay)
            },
        );
        rest.into_iter().fold(set, |set, rest| set.rest(rest, "R"))
    })
}

fn points() -> impl Strategy<Value = PointsModel> {
    let cap = || prop::option::of(-3..4_i32);
    let part =
        (rule(), window(), any::<bool>(), -1e9..1e9, cap(), prop::option::of(span()));
    (prop::collection::vec(part, 0..3), cap()).prop_map(|(parts, cap)| {
        let model = parts.into_iter().fold(
            PointsModel::new(),
            |model, (rule, window, of_rule, points, cap, half_life)| {
                let model = if of_rule {
                    model.when("a", points, rule)
                } else {
                    let events = events("e").within(window);
                    model.per_event("b", points.round(), events.filter(rule))
                };
                let model = cap.into_iter().fold(model, |m, cap| m.part_cap(cap.into()));
                half_life.into_iter().fold(model, PointsModel::half_life)
            },
        );
        cap.into_iter().fold(model, |model, cap| model.cap(cap.into()))
    })
}

/// JSON whose keys may stand twice, in an order.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn of(value: &Value) -> Tree {
        match value {
            Value::Array(items) => Tree::List(items.iter().map(Tree::of).collect()),
            Value::Object(fields) => {
                let field =
                    |(key, value): (&String, &Value)| (key.clone(), Tree::of(value));
                Tree::Object(fields.iter().map(field).collect())
            }
            leaf => Tree::Leaf(leaf.clone()),
        }
    }

    fn write(&self) -> String {
        match self {
            Tree::Leaf(value) => value.to_string(),
            Tree::List(items) => {
                let items: Vec<String> = items.iter().map(Tree::write).collect();
                format!("[{}]", items.join(","))
            }
            Tree::Object(fields) => {
                let field = |(key, value): &(String, Tree)| {
                    format!("{}:{}", json!(key), value.write())
                };
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }

    /// Whether a JSON pointer points to something.
    fn has(&self, pointer: &str) -> bool {
        let Some(rest) = pointer.strip_prefix('/') else { return pointer.is_empty() };
        let (token, rest) = match rest.find('/') {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        let token = token.replace("~1", "/").replace("~0", "~");
        match self {
            Tree::Leaf(_) => false,
            Tree::List(items) => {
                let item = token.parse().ok().and_then(|i: usize| items.get(i));
                item.is_some_and(|item| item.has(rest))
            }
            Tree::Object(fields) => {
                fields.iter().any(|(key, value)| *key == token && value.has(rest))
            }
        }
    }

    /// How many trees there are in it, itself included.
    fn len(&self) -> usize {
        1 + match self {
            Tree::Leaf(_) => 0,
            Tree::List(items) => items.iter().map(Tree::len).sum(),
            Tree::Object(fields) => fields.iter().map(|(_, value)| value.len()).sum(),
        }
    }

    /// The tree at a place in the order of the text.
    fn at(&mut self, place: usize) -> Option<&mut Tree> {
        let Some(mut place) = place.checked_sub(1) else { return Some(self) };
        let below: Vec<&mut Tree> = match self {
            Tree::Leaf(_) => Vec::new(),
            Tree::List(items) => items.iter_mut().collect(),
            Tree::Object(fields) => fields.iter_mut().map(|(_, value)| value).collect(),
        };
        for tree in below {
            match place.checked_sub(tree.len()) {
                None => return tree.at(place),
                Some(rest) => place = rest,
            }
        }
        None
    }
}

/// A change of a text, and where it is made.
#[derive(Clone, Debug)]
struct Change {
    kind: usize,
    places: [Index; 2],
    pick: Index,
}

const KEYS: [&str; 24] = [
    "id",
    "name",
    "rule",
    "version",
    "stay",
    "format",
    "rest",
    "is",
    "all",
    "any",
    "not",
    "set",
    "count",
    "eq",
    "ge",
    "between",
    "lo",
    "hi",
    "from",
    "to",
    "n",
    "of",
    "when_missing",
    "nmae",
];

fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.0),
        json!(0.5),
        json!(4_294_967_296_u64),
        json!(1e300),
        json!(""),
        json!("a"),
        json!("7d"),
        json!("7 d"),
        json!("everyone"),
        json!("missing"),
        json!("count"),
        json!("all"),
        json!("feb28"),
        json!("day"),
        json!([]),
        json!({}),
        json!(["a"]),
        json!({"ever": null}),
        json!({"count": null}),
        json!({"nobody": null}),
        json!({"set": null}),
        json!({"day": null}),
        json!({"ge": 3}),
        json!({"last": "7d"}),
        json!({"any": []}),
        json!({"id": "a"}),
        json!({"name": "a", "is": "set"}),
    ]
}

fn change(tree: &mut Tree, change: &Change) {
    let len = tree.len();
    let [place, other] = change.places.map(|place| place.index(len));
    let mut of_other = tree.at(other).unwrap().clone();
    let place = tree.at(place).unwrap();
    let pick = |n: usize| change.pick.index(n.max(1));
    match (change.kind, &mut *place) {
        // A key is dropped, named otherwise, added, or stands twice.
        (0, Tree::Object(fields)) if !fields.is_empty() => {
            fields.remove(pick(fields.len()));
        }
        (1, Tree::Object(fields)) if !fields.is_empty() => {
            let at = pick(fields.len());
            fields[at].0 = KEYS[pick(KEYS.len())].to_owned();
        }
        (2, Tree::Object(fields)) if !fields.is_empty() => {
            let at = pick(fields.len());
            fields[at].0.push(if at % 2 == 0 { 's' } else { '/' });
        }
        (3, Tree::Object(fields)) => {
            fields.push((KEYS[pick(KEYS.len())].to_owned(), of_other));
        }
        (4, Tree::Object(fields)) if !fields.is_empty() => {
            let field = fields[pick(fields.len())].clone();
            fields.push(field);
        }
        (5, Tree::Object(fields)) => {
            let len = fields.len();
            fields.rotate_left(pick(len));
        }
        // An object's values in a list, which serde's derives read, too.
        (6, Tree::Object(fields)) => {
            *place = Tree::List(fields.iter().map(|(_, value)| value.clone()).collect());
        }
        (7, Tree::List(items)) if !items.is_empty() => {
            items.remove(pick(items.len()));
        }
        (8, Tree::List(items)) => items.push(of_other),
        // One name alone, as the key of an object.
        (9, Tree::Leaf(Value::String(name))) => {
            *place = Tree::Object(vec![(name.clone(), Tree::Leaf(Value::Null))]);
        }
        (10, place) => std::mem::swap(place, &mut of_other),
        (_, place) => *place = Tree::of(&values()[pick(values().len())]),
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (0..16_usize, any::<[Index; 2]>(), any::<Index>())
        .prop_map(|(kind, places, pick)| Change { kind, places, pick });
    prop::collection::vec(change, 0..4)
}

/// How often both read a text, both refused it, and only serde read it.
#[derive(Default)]
struct Tally([Cell<usize>; 3]);

fn compare<T: DeserializeOwned + std::fmt::Debug>(
    tree: &Tree,
    read: fn(&str) -> segmenta::Result<T>,
    tally: &Tally,
) -> Result<(), TestCaseError> {
    let text = &tree.write();
    let count = |at: usize| tally.0[at].set(tally.0[at].get() + 1);
    match (serde_json::from_str::<T>(text), read(text)) {
        (Ok(by_serde), Ok(read)) => {
            count(0);
            // As text, where 0 and -0 differ.
            prop_assert_eq!(format!("{by_serde:?}"), format!("{read:?}"));
        }
        (Err(_), Err(error)) => {
            count(1);
            prop_assert!(!issues(&error).is_empty());
            for issue in issues(&error) {
                prop_assert!(tree.has(&issue.path), "{}", issue);
            }
        }
        (Ok(_), Err(error)) => {
            count(2);
            for Issue { code, expected, found, .. } in issues(&error) {
                let is = [Some(code.as_str()), expected.as_deref(), found.as_deref()];
                prop_assert_eq!(is, ["wrong-type", "an object", "a list"].map(Some));
            }
        }
        (Err(error), Ok(_)) => prop_assert!(false, "{}: only serde says {}", text, error),
    }
    Ok(())
}

/// Compares what is read of changed texts. So many must be read by both, and refused by both.
fn compare_all<S: Strategy>(
    definitions: S,
    write: fn(&S::Value) -> segmenta::Result<String>,
    read: fn(&str) -> segmenta::Result<S::Value>,
    n_each: usize,
) where
    S::Value: DeserializeOwned,
{
    let config = Config { failure_persistence: None, ..Config::with_cases(3000) };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let tally = Tally::default();
    TestRunner::new_with_rng(config, rng)
        .run(&(definitions, changes()), |(definition, changes)| {
            let text = write(&definition).unwrap();
            let mut tree = Tree::of(&serde_json::from_str(&text).unwrap());
            changes.iter().for_each(|at| change(&mut tree, at));
            compare(&tree, read, &tally)
        })
        .unwrap();
    let [both, neither, only_serde] = tally.0.map(|n| n.get());
    assert!(both > n_each && neither > n_each, "{both} {neither}");
    assert!(only_serde > 0, "{only_serde}");
}

#[test]
fn rules_are_read_as_serde_reads_them() {
    compare_all(rule(), Rule::to_json, Rule::from_json, 700);
}

#[test]
fn sets_are_read_as_serde_reads_them() {
    compare_all(set(), RuleSet::to_json, RuleSet::from_json, 700);
}

#[test]
fn points_are_read_as_serde_reads_them() {
    compare_all(points(), PointsModel::to_json, PointsModel::from_json, 700);
}
