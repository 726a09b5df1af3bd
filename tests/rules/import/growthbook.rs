//! Targeting conditions of GrowthBook.

use proptest::prelude::*;
use segmenta::rules::Import;
use segmenta::segmenter::Truth;
use serde_json::{Value, json};

use super::mongo::{customer, document, five, query, scalar};
use super::*;

const READ: Read = Import::growthbook;

#[test]
fn golden_cases() {
    // Missing values are 0 to comparisons.
    golden(
        READ,
        r#"{"age": {"$lt": 10, "$gt": -10}}"#,
        "age < 10 when missing yes and age > -10 when missing yes",
        &[],
    );
    golden(READ, r#"{"age": {"$gte": 1}}"#, "age >= 1 when missing no", &[]);
    golden(READ, r#"{"age": {"$lte": 0}}"#, "age <= 0 when missing yes", &[]);
    golden(READ, r#"{"age": 0}"#, "age = 0 when missing yes", &[]);
    golden(READ, r#"{"age": {"$eq": 0}}"#, "age = 0 when missing no", &[]);
    golden(READ, r#"{"country": "null"}"#, "country = 'null' when missing yes", &[]);
    golden(
        READ,
        r#"{"country": {"$not": "DE"}}"#,
        "not (country = 'DE' when missing no)",
        &[],
    );
    golden(
        READ,
        r#"{"country": {"$regex": "ul"}}"#,
        "country matches 'ul' when missing yes",
        &[],
    );
    golden(
        READ,
        r#"{"country": {"$regexi": "NULL|de"}}"#,
        "country matches '(?i)NULL|de' when missing yes",
        &[],
    );
    golden(
        READ,
        r#"{"country": {"$ini": ["de", "a.t"]}}"#,
        r"country matches '(?i)^(?:de|a\.t)$' when missing no",
        &[],
    );
    golden(
        READ,
        r#"{"country": {"$nini": ["de"]}}"#,
        "not (country matches '(?i)^(?:de)$' when missing no)",
        &[],
    );
    golden(READ, r#"{"country": {"$ini": []}}"#, "nobody", &[]);
    golden(READ, r#"{"$or": []}"#, "everyone", &[("everyone", "/$or")]);
    golden(READ, r#"{"$nor": []}"#, "not (everyone)", &[("nobody", "/$nor")]);
    golden(READ, r#"{"$and": []}"#, "everyone", &[("everyone", "/$and")]);
    golden(
        READ,
        r#"{"$not": {"admin": true}}"#,
        "not (admin = true when missing no)",
        &[],
    );
    golden(
        READ,
        r#"{"groups": {"$size": {"$gt": 1, "$ne": 3}}}"#,
        "groups is set and size of groups > 1 when missing no \
         and not (size of groups = 3 when missing no)",
        &[],
    );
    golden(READ, r#"{"groups": {"$all": []}}"#, "groups is set", &[]);
    golden(READ, r#"{"groups": {"$elemMatch": {"$eq": ""}}}"#, "nobody", &[]);
}

#[test]
fn faults_have_their_places() {
    for (json, code, path) in [
        (r#"{"groups": "a"}"#, "wrong-operator", "/groups"),
        (
            r#"{"country": {"$inGroup": "beta"}}"#,
            "unsupported-operator",
            "/country/$inGroup",
        ),
        (r#"{"country": {"$veq": "1.2"}}"#, "unsupported-operator", "/country/$veq"),
        (r#"{"groups": {"$alli": ["a"]}}"#, "unsupported-operator", "/groups/$alli"),
        (
            r#"{"country": {"$regex": "a", "$options": "i"}}"#,
            "unsupported-operator",
            "/country/$options",
        ),
        (
            r#"{"groups": {"$size": {"$in": [1]}}}"#,
            "unsupported-operator",
            "/groups/$size/$in",
        ),
        (
            r#"{"groups": {"$size": {"$gtt": 1}}}"#,
            "unknown-operator",
            "/groups/$size/$gtt",
        ),
        (r#"{"country": {"$ini": [1]}}"#, "wrong-type", "/country/$ini/0"),
    ] {
        faults(READ, json, &[(code, path)]);
    }
}

/// What GrowthBook's SDK answers, by hand (`packages/sdk-js/src/mongrule.ts`).
fn holds(condition: &Value, attributes: &Value) -> bool {
    condition.as_object().unwrap().iter().all(|(key, value)| {
        let list = || value.as_array().unwrap().iter();
        match key.as_str() {
            "$and" => list().all(|c| holds(c, attributes)),
            "$or" => list().any(|c| holds(c, attributes)),
            "$nor" => !list().any(|c| holds(c, attributes)),
            "$not" => !holds(value, attributes),
            name => satisfies(value, attributes.get(name).unwrap_or(&Value::Null)),
        }
    })
}

/// `+value` of JavaScript, where it is a number.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(0.0),
        Value::Number(x) => x.as_f64(),
        _ => None,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn satisfies(condition: &Value, value: &Value) -> bool {
    match condition {
        Value::Null => value.is_null(),
        Value::Bool(x) => value.as_bool() == Some(*x),
        Value::Number(x) => number(value) == x.as_f64(),
        Value::String(x) => text(value) == *x,
        Value::Array(_) => panic!("whole arrays are not compared"),
        Value::Object(operators) => operators.iter().all(|(operator, operand)| {
            let list = || operand.as_array().unwrap();
            let same = |a: &Value, b: &Value| match (a, b) {
                (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
                (a, b) => a == b,
            };
            let order = || match (value, operand) {
                (Value::String(a), Value::String(b)) => a.partial_cmp(b),
                (a, b) => number(a)?.partial_cmp(&number(b)?),
            };
            let is_in = |list: &[Value]| match value {
                Value::Array(elements) => {
                    elements.iter().any(|e| list.iter().any(|x| same(x, e)))
                }
                value => list.iter().any(|x| same(x, value)),
            };
            match operator.as_str() {
                "$eq" => same(operand, value),
                "$ne" => !same(operand, value),
                "$gt" => order().is_some_and(|o| o.is_gt()),
                "$gte" => order().is_some_and(|o| o.is_ge()),
                "$lt" => order().is_some_and(|o| o.is_lt()),
                "$lte" => order().is_some_and(|o| o.is_le()),
                "$in" => is_in(list()),
                "$nin" => !is_in(list()),
                "$exists" => value.is_null() != operand.as_bool().unwrap(),
                "$not" => !satisfies(operand, value),
                "$regex" => regex::Regex::new(operand.as_str().unwrap())
                    .unwrap()
                    .is_match(&text(value)),
                "$size" => {
                    value.as_array().is_some_and(|v| satisfies(operand, &json!(v.len())))
                }
                "$all" => value.as_array().is_some_and(|v| {
                    list().iter().all(|x| v.iter().any(|e| satisfies(x, e)))
                }),
                "$elemMatch" => value.as_array().is_some_and(|v| {
                    v.iter().any(|e| !text(e).is_empty() && satisfies(operand, e))
                }),
                other => panic!("{other}"),
            }
        }),
    }
}

fn operators(name: &'static str) -> BoxedStrategy<Value> {
    let one = |operator: &'static str, operand: BoxedStrategy<Value>| {
        operand.prop_map(move |operand| json!({ operator: operand })).boxed()
    };
    let maybe_null = || prop_oneof![4 => scalar(name), 1 => Just(Value::Null)].boxed();
    let list = || prop::collection::vec(maybe_null(), 0..4).prop_map(Value::from).boxed();
    let mut all = vec![one("$exists", any::<bool>().prop_map(Value::from).boxed())];
    if name == "t" {
        let tags =
            || prop::collection::vec(scalar("t"), 0..3).prop_map(Value::from).boxed();
        // With `null` a list would also look for it in the array.
        all.push(one("$in", tags()));
        all.push(one("$nin", tags()));
        all.push(one("$all", tags()));
        let n = || (0..4_u8).prop_map(Value::from).boxed();
        all.push(one("$size", n()));
        all.extend(
            ["$gt", "$lte", "$ne"].map(|operator| one("$size", one(operator, n()))),
        );
        all.push(one("$elemMatch", one("$in", tags())));
        all.push(one("$elemMatch", one("$eq", scalar("t"))));
    } else {
        all.push(one("$eq", maybe_null()));
        all.push(one("$ne", maybe_null()));
        all.push(one("$in", list()));
        all.push(one("$nin", list()));
    }
    if matches!(name, "n" | "d") {
        all.extend(
            ["$gt", "$gte", "$lt", "$lte"].map(|operator| one(operator, scalar(name))),
        );
    }
    if name == "c" {
        let patterns = prop::sample::select(vec!["a", "^b", "n", "ll$", "."]);
        all.push(one("$regex", patterns.prop_map(Value::from).boxed()));
        all.push(one("$not", scalar("c")));
    }
    prop::strategy::Union::new(all).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1500)
    })]

    #[test]
    fn a_rule_holds_where_the_condition_does(
        condition in query(operators, &["$and", "$or", "$nor", "$not"]),
        documents in prop::collection::vec(document(), 1..8),
    ) {
        let schema = five();
        let imported = Import::new(&schema).growthbook(&condition.to_string()).unwrap();
        let rule = imported.rule.compile(&schema).unwrap();
        for document in &documents {
            let expected = Truth::from(holds(&condition, document));
            let found = rule.truth(&customer(&schema, document)).unwrap();
            prop_assert_eq!(found, expected, "{} of {}", condition, document);
        }
    }
}
