//! Definitions of rules: JSON, words, checks, limits, altered files.

use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
use segmenta::error::Issue;
use segmenta::rules::{Limits, Literal, Rule, RuleSegmenter, RuleSet, Test, field};
use segmenta::segmenter::{Persist, Saved};
use segmenta::{Error, ErrorKind};

use super::*;

fn issues(error: &Error) -> Vec<Issue> {
    match error.kind() {
        ErrorKind::Definition { issues, .. } => issues.clone(),
        other => panic!("not a definition error: {other}"),
    }
}

/// The faults of one rule as (code, path).
fn faults(rule: &Rule) -> Vec<(String, String)> {
    let error = rule.compile(&schema()).unwrap_err();
    assert!(error.is_parameter());
    issues(&error).into_iter().map(|i| (i.code, i.path)).collect()
}

fn one_fault(rule: &Rule, code: &str, path: &str) -> Issue {
    let error = rule.compile(&schema()).unwrap_err();
    let found = issues(&error);
    assert_eq!(found.len(), 1, "{rule}: {error}");
    assert_eq!((found[0].code.as_str(), found[0].path.as_str()), (code, path), "{rule}");
    found[0].clone()
}

#[test]
fn operators_on_rules_build_flat_lists_and_keep_empty_ones() {
    let (a, b, c) = (Rule::Everyone, Rule::Nobody, field("orders").eq(1));
    assert_eq!(
        a.clone() & b.clone() & c.clone(),
        Rule::all([a.clone(), b.clone(), c.clone()])
    );
    assert_eq!(
        a.clone() | b.clone() | c.clone(),
        Rule::any([a.clone(), b.clone(), c.clone()])
    );
    assert_eq!(
        faults(&(Rule::all([]) & a)),
        [("empty-list".into(), "/all/0/all".into())]
    );
    assert_eq!(
        faults(&(Rule::any([]) | b)),
        [("empty-list".into(), "/any/0/any".into())]
    );
}

#[test]
fn json_is_as_documented() {
    let rule = Rule::all([
        field("country").is_in(["DE", "AT"]),
        !field("opted_out").eq(true),
        Rule::at_least(1, [field("orders").between(0.5, 3), Rule::Everyone]),
        Rule::any([Rule::Nobody, field("interests").size().ge(2)]),
        field("tier").when_missing(false).ge("gold"),
        field("city").is_set(),
        field("interests").has_any(["art"]),
    ]);
    let json = concat!(
        r#"{"all":[{"field":{"name":"country","is":{"in":["DE","AT"]}}},"#,
        r#"{"not":{"field":{"name":"opted_out","is":{"eq":true}}}},"#,
        r#"{"at_least":{"n":1,"of":[{"field":{"name":"orders","#,
        r#""is":{"between":{"lo":0.5,"hi":3}}}},"everyone"]}},"#,
        r#"{"any":["nobody",{"field":{"name":"interests","is":{"size":{"ge":2}}}}]},"#,
        r#"{"field":{"name":"tier","is":{"ge":"gold"},"when_missing":false}},"#,
        r#"{"field":{"name":"city","is":"set"}},"#,
        r#"{"field":{"name":"interests","is":{"has_any":["art"]}}}]}"#,
    );
    assert_eq!(serde_json::to_string(&rule).unwrap(), json);
    assert_eq!(serde_json::from_str::<Rule>(json).unwrap(), rule);

    for wrong in [
        r#"{"alle":[]}"#,
        r#"{"all":[],"any":[]}"#,
        r#"{"field":{"name":"orders","is":{"eq":1},"when_mising":true}}"#,
        r#"{"field":{"name":"orders","is":{"eq":1,"lt":2}}}"#,
        r#"{"field":{"name":"orders","is":{"between":{"lo":1,"hi":2,"x":1}}}}"#,
        r#"{"field":{"name":"orders","is":{"ne":1}}}"#,
        r#"{"field":{"name":"orders","is":{"eq":null}}}"#,
        r#"{"field":{"name":"orders","is":{"eq":[1]}}}"#,
        r#"{"field":{"name":"orders","is":{"eq":1e999}}}"#,
        r#"{"at_least":{"n":-1,"of":["everyone"]}}"#,
        r#"{"at_least":{"n":1,"of":["everyone"],"minimum":1}}"#,
        r#"{"field":{"is":{"eq":1}}}"#,
        r#""sometimes""#,
    ] {
        assert!(serde_json::from_str::<Rule>(wrong).is_err(), "{wrong}");
    }
    let nan = field("orders").eq(f64::NAN);
    assert!(serde_json::to_string(&nan).is_err(), "NaN must not become null");
    let set = RuleSet::new().segment("a", "A", nan);
    assert_eq!(issues(&set.to_json().unwrap_err())[0].code, "bad-json");
    let error = RuleSet::from_json("{\n  \"segments\": [}").unwrap_err();
    assert_eq!(issues(&error)[0].code, "bad-json");
    assert!(error.to_string().contains("line 2 column 16"), "{error}");
}

#[test]
fn regular_expressions_have_limits() {
    let limits = Limits::new();
    let code = |pattern: &str, limits: Limits| {
        let error = field("city").matches(pattern).compile_with(&schema(), &limits);
        let issue = issues(&error.unwrap_err()).remove(0);
        assert_eq!(issue.path, "/field/is/matches");
        (issue.code, issue.message)
    };
    let fits = |pattern: &str, limits: Limits| {
        field("city").matches(pattern).compile_with(&schema(), &limits).is_ok()
    };
    let (bad, message) = code("a(b", limits);
    assert_eq!(bad, "bad-pattern");
    assert!(message.ends_with("unclosed group"), "{message}");
    // It remembers nothing and looks at nothing else, and so is linear.
    assert_eq!(code(r"(a)\1", limits).0, "bad-pattern");
    assert_eq!(code("(?=a)", limits).0, "bad-pattern");
    assert_eq!(code(r"(\w{1000}){1000}", limits).0, "pattern-too-large");
    assert_eq!(code(&"x".repeat(1025), limits).0, "pattern-too-long");
    assert!(fits(&"x".repeat(1024), limits));
    assert!(fits("xyz", limits.pattern_len(3)));
    assert_eq!(code("xyz1", limits.pattern_len(3)).0, "pattern-too-long");
    assert_eq!(code("x{50}", limits.pattern_size(100)).0, "pattern-too-large");
    for limits in [limits.pattern_len(0), limits.pattern_size(0)] {
        assert!(field("city").matches("x").compile_with(&schema(), &limits).is_err());
    }
    // Backtracking would take for ever.
    let rule = field("city").matches("^(a+)+$").compile(&schema()).unwrap();
    let city = "a".repeat(100_000) + "b";
    let customer =
        OwnedCustomer::new(&schema(), 1_u64).set("city", city.as_str()).unwrap();
    assert!(!rule.holds(&customer).unwrap());
    // An expression for a feature that is not known is still looked at.
    let error = field("ciy").matches("(").compile(&schema()).unwrap_err();
    assert!(error.to_string().contains("unclosed group"), "{error}");
}

#[test]
fn numbers_survive_json_to_the_bit() {
    for x in [0.1, 1e300, 5e-324, -3.0, 9_007_199_254_740_993.0, 1e15 + 0.5, f64::MAX] {
        let json = serde_json::to_string(&Literal::from(x)).unwrap();
        assert_eq!(serde_json::from_str::<Literal>(&json).unwrap(), Literal::Number(x));
    }
    assert_eq!(serde_json::to_string(&Literal::from(3.0)).unwrap(), "3");
}

#[test]
fn rules_in_words() {
    for (rule, words) in [
        (field("orders").ge(3), "orders >= 3"),
        (field("orders").lt(0.5), "orders < 0.5"),
        (field("country").is_in(["DE", "AT"]), "country in ('DE', 'AT')"),
        (field("city").eq("L'Aquila"), "city = 'L''Aquila'"),
        (field("orders").between(1, 2), "orders between 1 and 2"),
        (field("city").starts_with("x"), "city starts with 'x'"),
        (field("city").ends_with("x"), "city ends with 'x'"),
        (field("city").contains("x"), "city contains 'x'"),
        (field("interests").size().le(2), "size of interests <= 2"),
        (field("interests").has_all(["a", "b"]), "interests has all of ('a', 'b')"),
        (field("interests").has_any(["a"]), "interests has any of ('a')"),
        (field("city").is_missing(), "city is missing"),
        (field("city").is_set(), "city is set"),
        (field("orders").when_missing(false).gt(1), "orders > 1 when missing no"),
        (!(Rule::Everyone | Rule::Nobody), "not (everyone or nobody)"),
        (
            Rule::at_least(2, [Rule::Everyone, field("opted_out").eq(true)]),
            "at least 2 of (everyone, opted_out = true)",
        ),
        (
            (Rule::Everyone | Rule::Nobody) & Rule::Everyone,
            "(everyone or nobody) and everyone",
        ),
    ] {
        assert_eq!(rule.to_string(), words);
    }
}

#[test]
fn unknown_features_are_told_with_the_place_and_a_suggestion() {
    let rule = Rule::all([
        Rule::Everyone,
        !Rule::any([field("contry").eq("AT"), Rule::at_least(1, [field("x").eq(1)])]),
    ]);
    let found = issues(&rule.compile(&schema()).unwrap_err());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].code, "unknown-feature");
    assert_eq!(found[0].path, "/all/1/not/any/0/field/name");
    assert_eq!(found[0].suggestion.as_deref(), Some("country"));
    assert_eq!(found[1].path, "/all/1/not/any/1/at_least/of/0/field/name");
    assert_eq!(found[1].suggestion, None);
    // What can be said without the feature is said.
    let blind = Rule::all([
        field("x").eq(f64::NAN),
        field("x").between(1, f64::INFINITY),
        field("x").is_in([1.0, f64::NAN]),
        field("x").is_in(Vec::<f64>::new()),
        field("x").has_any(Vec::<String>::new()),
        field("x").contains(""),
    ]);
    let codes: Vec<String> = faults(&blind).into_iter().map(|(code, _)| code).collect();
    let other: Vec<&String> = codes.iter().filter(|c| *c != "unknown-feature").collect();
    let expected = ["not-finite", "not-finite", "not-finite", "empty-list", "empty-list"];
    assert_eq!(other[..5], expected);
    assert_eq!(other[5..], ["empty-text"]);
}

#[test]
fn wrong_operators_for_the_kind() {
    let one = |rule: Rule, operator: &str, suggestion: Option<&str>| {
        let path = format!("/field/is/{operator}");
        let issue = one_fault(&rule, "wrong-operator", &path);
        assert_eq!(issue.found.as_deref(), Some(operator));
        assert_eq!(issue.suggestion.as_deref(), suggestion, "{issue}");
        assert!(issue.expected.is_some_and(|e| !e.contains(&format!("{operator},"))));
    };
    one(field("orders").contains("1"), "contains", None);
    one(field("orders").has_any(["1"]), "has_any", Some("in"));
    one(field("orders").is(Test::Size(Box::new(Test::Set))), "size", None);
    one(field("opted_out").ge(true), "ge", None);
    one(field("country").lt("DE"), "lt", None);
    one(field("country").between("AT", "DE"), "between", None);
    one(field("tier").contains("old"), "contains", None);
    one(field("last_order").starts_with("2024"), "starts_with", None);
    one(field("interests").eq("art"), "eq", Some("has_any"));
    one(field("interests").is_in(["art"]), "in", Some("has_any"));
    one(field("interests").ge(3), "ge", Some("size"));
    let size = one_fault(
        &field("interests").size().contains("x"),
        "wrong-operator",
        "/field/is/size/contains",
    );
    assert!(size.message.contains("size of `interests`"), "{size}");
    one_fault(
        &field("interests").size().is(Test::Size(Box::new(Test::Eq(1.into())))),
        "wrong-operator",
        "/field/is/size/size",
    );
}

#[test]
fn wrong_literals() {
    for (rule, path, found) in [
        (field("orders").eq("4"), "/field/is/eq", "the text '4'"),
        (field("orders").eq(true), "/field/is/eq", "true"),
        (field("orders").between(1, "2"), "/field/is/between/hi", "the text '2'"),
        (field("opted_out").eq(1), "/field/is/eq", "the number 1"),
        (field("opted_out").eq("yes"), "/field/is/eq", "the text 'yes'"),
        (field("country").eq(49), "/field/is/eq", "the number 49"),
        (field("tier").ge(2), "/field/is/ge", "the number 2"),
        (field("last_order").lt(2024), "/field/is/lt", "the number 2024"),
        (field("interests").size().eq("3"), "/field/is/size/eq", "the text '3'"),
    ] {
        let issue = one_fault(&rule, "wrong-literal", path);
        assert_eq!(issue.found.as_deref(), Some(found));
        assert!(issue.expected.is_some());
    }
    let list = Test::In(vec![1.into(), "2".into(), true.into()]);
    let found = faults(&field("orders").is(list));
    assert_eq!(found[0], ("wrong-literal".into(), "/field/is/in/1".into()));
    assert_eq!(found[1], ("wrong-literal".into(), "/field/is/in/2".into()));
    assert_eq!(found.len(), 2);
    let long = one_fault(
        &field("orders").eq("x".repeat(10_000)),
        "wrong-literal",
        "/field/is/eq",
    );
    assert!(long.found.unwrap().len() < 100);
}

#[test]
fn the_other_faults() {
    let level = one_fault(&field("tier").ge("sliver"), "unknown-level", "/field/is/ge");
    assert_eq!(level.suggestion.as_deref(), Some("silver"));
    assert_eq!(level.expected.as_deref(), Some("one of bronze, silver, gold"));
    one_fault(&field("country").is_in(["DE", "de"]), "unknown-level", "/field/is/in/1");
    one_fault(
        &field("channels").has_all(["web", "fax"]),
        "unknown-level",
        "/field/is/has_all/1",
    );
    one_fault(&field("last_order").eq("2023-02-29"), "bad-date", "/field/is/eq");
    one_fault(&field("last_order").lt("yesterday"), "bad-date", "/field/is/lt");
    one_fault(
        &field("last_order").is_in(["2024-01-01", "2024-1-1"]),
        "bad-date",
        "/field/is/in/1",
    );
    one_fault(&field("orders").lt(f64::NAN), "not-finite", "/field/is/lt");
    one_fault(
        &field("orders").between(f64::NEG_INFINITY, 1),
        "not-finite",
        "/field/is/between/lo",
    );
    one_fault(
        &field("interests").size().ge(f64::INFINITY),
        "not-finite",
        "/field/is/size/ge",
    );
    one_fault(&field("orders").between(2, 1), "empty-range", "/field/is/between");
    one_fault(
        &field("tier").between("gold", "silver"),
        "empty-range",
        "/field/is/between",
    );
    one_fault(
        &field("last_order").between("2024-01-02", "2024-01-01"),
        "empty-range",
        "/field/is/between",
    );
    one_fault(&field("city").contains(""), "empty-text", "/field/is/contains");
    one_fault(&field("country").starts_with(""), "empty-text", "/field/is/starts_with");
    one_fault(&field("orders").is_in([0.0; 0]), "empty-list", "/field/is/in");
    one_fault(&field("city").is_in([""; 0]), "empty-list", "/field/is/in");
    one_fault(&field("interests").has_any([""; 0]), "empty-list", "/field/is/has_any");
    one_fault(&Rule::all([]), "empty-list", "/all");
    one_fault(&Rule::any([]), "empty-list", "/any");
    let two = [Rule::Everyone, Rule::Nobody];
    one_fault(&Rule::at_least(0, two.clone()), "bad-count", "/at_least/n");
    one_fault(&Rule::at_least(3, two), "bad-count", "/at_least/n");
    assert_eq!(faults(&Rule::at_least(1, [])).len(), 2);
    one_fault(
        &field("orders").when_missing(true).is_set(),
        "no-effect",
        "/field/when_missing",
    );
    one_fault(
        &field("orders").when_missing(false).is_missing(),
        "no-effect",
        "/field/when_missing",
    );
}

#[test]
fn faults_of_a_set_are_told_all_at_once() {
    let set = RuleSet::new()
        .segment("vip", "VIP", field("ordrs").ge(1))
        .segment("vip", "Again", !field("opted_out").eq("no") & Rule::all([]))
        .segment("", "Nameless", field("tier").ge("platinum"))
        .rest("vip", "Rest");
    for error in
        [set.compile(&schema()).unwrap_err(), set.compile_book(&schema()).unwrap_err()]
    {
        let found: Vec<(String, String)> =
            issues(&error).into_iter().map(|i| (i.code, i.path)).collect();
        let expected = [
            ("empty-id", "/segments/2/id"),
            ("duplicate-id", "/segments/1/id"),
            ("duplicate-id", "/rest/id"),
            ("unknown-feature", "/segments/0/rule/field/name"),
            ("wrong-literal", "/segments/1/rule/all/0/not/field/is/eq"),
            ("empty-list", "/segments/1/rule/all/1/all"),
            ("unknown-level", "/segments/2/rule/field/is/ge"),
        ];
        let expected: Vec<(String, String)> =
            expected.iter().map(|(c, p)| (c.to_string(), p.to_string())).collect();
        assert_eq!(found, expected);
    }
    // Each path leads to a place in the JSON of the set.
    let document = serde_json::to_value(&set).unwrap();
    for issue in issues(&set.compile(&schema()).unwrap_err()) {
        assert!(document.pointer(&issue.path).is_some(), "{}", issue.path);
    }
    let empty = RuleSet::new().rest("all", "All");
    let error = empty.compile(&schema()).unwrap_err();
    assert_eq!(issues(&error)[0].code, "empty-list");
    assert_eq!(issues(&error)[0].path, "/segments");
}

#[test]
fn a_flood_of_faults_is_counted() {
    let rule = field("orders").is_in((0..1000).map(|_| "x"));
    let found = issues(&rule.compile(&schema()).unwrap_err());
    assert_eq!(found.len(), 101);
    assert_eq!(found[100].code, "too-many-issues");
    assert!(found[100].message.contains("900"), "{}", found[100]);
}

fn nested(depth: usize) -> Rule {
    (1..depth).fold(field("orders").ge(1), |rule, _| !rule)
}

#[test]
fn limits_hold() {
    assert!(nested(32).compile(&schema()).is_ok());
    one_fault(&nested(33), "too-deep", "");
    assert!(nested(40).compile_with(&schema(), &Limits::new().depth(40)).is_ok());

    let wide = |n: usize| Rule::any((0..n).map(|_| Rule::Nobody));
    assert!(wide(999).compile(&schema()).is_ok());
    one_fault(&wide(1000), "too-large", "");
    one_fault(&wide(100_000), "too-large", "");
    let tight = Limits::new().nodes(3).list_len(2);
    assert!(wide(2).compile_with(&schema(), &tight).is_ok());
    assert!(wide(3).compile_with(&schema(), &tight).is_err());

    assert!(field("orders").is_in(0..10_000).compile(&schema()).is_ok());
    one_fault(&field("orders").is_in(0..10_001), "list-too-long", "/field/is/in");
    for rule in [
        field("orders").is_in([1, 2, 3]),
        field("city").is_in(["1", "2", "3"]),
        field("interests").has_any(["1", "2", "3"]),
        field("interests").size().is_in([1, 2, 3]),
        field("nothing").is_in([1, 2, 3]),
    ] {
        let found = issues(&rule.compile_with(&schema(), &tight).unwrap_err());
        assert!(found.iter().any(|i| i.code == "list-too-long"), "{rule}");
    }
    let three = (0..3)
        .fold(RuleSet::new(), |set, i| set.segment(format!("s{i}"), "S", Rule::Everyone));
    let error = three.compile_with(&schema(), &tight).unwrap_err();
    assert_eq!(issues(&error)[0].code, "list-too-long");
    assert_eq!(issues(&error)[0].path, "/segments");
    // A rule beyond the limits does not hide the faults of others.
    let set =
        RuleSet::new().segment("a", "A", nested(33)).segment("b", "B", field("x").eq(1));
    let found = issues(&set.compile(&schema()).unwrap_err());
    assert_eq!(found[0].path, "/segments/0/rule");
    assert_eq!(found[1].code, "unknown-feature");

    for limits in [
        Limits::new().depth(0),
        Limits::new().depth(41),
        Limits::new().nodes(0),
        Limits::new().list_len(0),
    ] {
        assert!(limits.validate().unwrap_err().is_parameter());
        assert!(nested(1).compile_with(&schema(), &limits).is_err());
        assert!(three.compile_with(&schema(), &limits).is_err());
    }
}

#[test]
fn hostile_depth_is_refused_without_overflowing_the_stack() {
    one_fault(&nested(1000), "too-deep", "");
    one_fault(&nested(5000), "too-deep", "");
    let size = (0..1000).fold(Test::Eq(1.into()), |test, _| Test::Size(Box::new(test)));
    one_fault(&field("interests").is(size), "wrong-operator", "/field/is/size/size");
    let deep = format!("{}\"everyone\"{}", "{\"not\":".repeat(5000), "}".repeat(5000));
    assert!(serde_json::from_str::<Rule>(&deep).is_err());
    let set =
        format!(r#"{{"segments":[{{"id":"a","name":"A","rule":{deep}}}],"rest":null}}"#);
    assert!(RuleSet::from_json(&set).is_err());
}

#[test]
fn the_deepest_rule_can_be_saved_and_read_back() {
    let leaf = field("interests").size().between(1, 2);
    let rule = (1..Limits::MAX_DEPTH).fold(leaf, |rule, _| Rule::at_least(1, [rule]));
    let limits = Limits::new().depth(Limits::MAX_DEPTH);
    let model = RuleSegmenter::builder(&schema())
        .segment("deep", "Deep", rule)
        .limits(limits)
        .build()
        .unwrap();
    let json = model.save().unwrap().to_json().unwrap();
    let loaded = RuleSegmenter::load(&Saved::from_json(&json).unwrap()).unwrap();
    assert_eq!(loaded, model);
}

#[test]
fn altered_files_are_refused() {
    let json = segmenter().save().unwrap().to_json().unwrap();
    assert!(json.contains(r#""ge":3"#));
    let altered = json.replace(r#""ge":3"#, r#""ge":2"#);
    assert!(Saved::from_json(&altered).unwrap_err().is_format());
    assert!(Saved::from_json(&json[..json.len() - 5]).is_err());

    // With their digest in order, files are still not trusted.
    let good = segmenter().to_repr(&segmenta::segmenter::Registry::empty()).unwrap();
    let good = serde_json::to_value(good).unwrap();
    let load = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut document = good.clone();
        change(&mut document);
        let repr = serde_json::from_value(document).map_err(|e| e.to_string())?;
        let registry = segmenta::segmenter::Registry::empty();
        RuleSegmenter::from_repr(repr, schema(), &registry).map_err(|e| {
            assert!(e.is_format(), "{e}");
            e.to_string()
        })
    };
    assert_eq!(load(&|_| {}).unwrap(), segmenter());
    type Change = Box<dyn Fn(&mut serde_json::Value)>;
    let deep = (0..41).fold(
        serde_json::json!("everyone"),
        |rule, _| serde_json::json!({ "not": rule }),
    );
    let changes: Vec<Change> = vec![
        Box::new(|d| d["segments"] = serde_json::json!([])),
        Box::new(|d| {
            d["rules"].as_array_mut().unwrap().pop();
        }),
        Box::new(|d| {
            let rules = d["rules"].as_array_mut().unwrap();
            rules.push(serde_json::json!("everyone"));
            rules.push(serde_json::json!("everyone"));
        }),
        Box::new(|d| d["segments"][1]["id"] = "gold".into()),
        Box::new(|d| d["segments"][1]["id"] = "".into()),
        Box::new(|d| d["rules"][0]["field"]["name"] = "nothing".into()),
        Box::new(|d| d["rules"][0]["field"]["is"]["eq"] = 1.into()),
        Box::new(|d| d["rules"][0]["field"]["is"] = "sometimes".into()),
        Box::new(|d| d["rules"][0]["surprise"] = 1.into()),
        Box::new(|d| d["limits"]["depth"] = 1_000_000.into()),
        Box::new(|d| d["limits"]["nodes"] = 1.into()),
        Box::new(|d| d["surprise"] = 1.into()),
        Box::new(move |d| d["rules"][0] = deep.clone()),
    ];
    for (i, change) in changes.iter().enumerate() {
        assert!(load(&**change).is_err(), "change {i}");
    }
    // Another schema than the one it was saved with.
    let repr = serde_json::from_value(good).unwrap();
    let other = Schema::new([FeatureSpec::number("tier")]).unwrap();
    let registry = segmenta::segmenter::Registry::empty();
    let error = RuleSegmenter::from_repr(repr, other, &registry).unwrap_err();
    assert!(error.is_format(), "{error}");
    assert!(error.to_string().contains("/segments/0/rule"), "{error}");
}
