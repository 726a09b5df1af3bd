//! Queries of MongoDB.

use proptest::prelude::*;
use segmenta::data::{Date, FeatureSpec, OwnedCustomer, OwnedValue, Schema};
use segmenta::rules::Import;
use segmenta::segmenter::Truth;
use serde_json::{Value, json};

use super::*;

const READ: Read = Import::mongo;

#[test]
fn golden_cases() {
    golden(
        READ,
        r#"{"country": "DE", "age": {"$gte": 18, "$lt": 65}}"#,
        "country = 'DE' when missing no \
         and (age >= 18 when missing no and age < 65 when missing no)",
        &[],
    );
    golden(
        READ,
        r#"{"$or": [{"user.age": {"$gt": 30}}, {"admin": true}]}"#,
        "age > 30 when missing no or admin = true when missing no",
        &[],
    );
    golden(
        READ,
        r#"{"country": {"$nin": ["DE", null, "AT"]}}"#,
        "not (country in ('DE', 'AT') when missing no or country is missing)",
        &[],
    );
    golden(
        READ,
        r#"{"$nor": [{"age": null}, {"country": {"$ne": null}}]}"#,
        "not (age is missing or not (country is missing))",
        &[],
    );
    golden(
        READ,
        r#"{"age": {"$not": {"$exists": true, "$gt": 5}}}"#,
        "not (age is set and age > 5 when missing no)",
        &[],
    );
    golden(
        READ,
        r#"{"groups": {"$all": ["a", "b"], "$size": 2}, "$comment": "two"}"#,
        "groups has all of ('a', 'b') when missing no and size of groups = 2 when missing no",
        &[("left-out", "/$comment")],
    );
    golden(
        READ,
        r#"{"groups": {"$elemMatch": {"$in": ["a", "b"]}}}"#,
        "groups has any of ('a', 'b') when missing no",
        &[],
    );
    golden(READ, r#"{"groups": "a"}"#, "groups has any of ('a') when missing no", &[]);
    golden(
        READ,
        r#"{"country": {"$regex": "^d", "$options": "i"}}"#,
        "country matches '(?i)^d' when missing no",
        &[],
    );
    golden(
        READ,
        r#"{"country": {"$regex": "\\d$"}}"#,
        "country matches '\\d$' when missing no",
        &[("regex-engine", "/country/$regex")],
    );
    golden(
        READ,
        r#"{"joined": {"$gte": {"$date": "2024-01-01T00:00:00Z"}, "$lt": "2024-02-01"}}"#,
        "joined >= '2024-01-01' when missing no and joined < '2024-02-01' when missing no",
        &[("instant-as-day", "/joined/$gte")],
    );
    golden(
        READ,
        r#"{"tier": {"$gte": "silver"}}"#,
        "tier >= 'silver' when missing no",
        &[("order-of-levels", "/tier/$gte")],
    );
    golden(READ, "{}", "everyone", &[("everyone", "")]);
    golden(READ, r#"{"age": {"$in": []}}"#, "nobody", &[]);
    golden(READ, r#"{"age": {"$nin": []}}"#, "not (nobody)", &[]);
    golden(READ, r#"{"age": {"$in": [null]}}"#, "age is missing", &[]);
    golden(READ, r#"{"groups": {"$all": []}}"#, "nobody", &[("nobody", "/groups/$all")]);
}

#[test]
fn faults_have_their_places() {
    faults(
        READ,
        r#"{"$and": [{"contry": "DE"}, {"age": "x"}, {"age": {"$gte": 1, "$foo": 2}}],
            "plan": "gold", "$where": "1"}"#,
        &[
            ("unknown-feature", "/$and/0/contry"),
            ("wrong-literal", "/$and/1/age"),
            ("unknown-operator", "/$and/2/age/$foo"),
            ("unknown-level", "/plan"),
            ("unsupported-operator", "/$where"),
        ],
    );
    for (json, code, path) in [
        (r#"{"$and": []}"#, "empty-list", "/$and"),
        (r#"{"$or": {}}"#, "wrong-type", "/$or"),
        (r#"{"$or": [1]}"#, "wrong-type", "/$or/0"),
        (r#"{"age": {}}"#, "wrong-type", "/age"),
        (r#"{"age": {"$gt": 1, "x": 2}}"#, "wrong-type", "/age"),
        (r#"{"groups": ["a"]}"#, "wrong-type", "/groups"),
        (r#"{"age": {"$gt": null}}"#, "wrong-type", "/age/$gt"),
        (r#"{"age": {"$in": 3}}"#, "wrong-type", "/age/$in"),
        (r#"{"age": {"$in": [1, {}]}}"#, "wrong-type", "/age/$in/1"),
        (r#"{"age": {"$exists": "yes"}}"#, "wrong-type", "/age/$exists"),
        (r#"{"country": {"$gt": "A"}}"#, "wrong-operator", "/country/$gt"),
        (r#"{"country": {"$regex": "("}}"#, "bad-pattern", "/country/$regex"),
        (r#"{"country": {"$regex": "(?=a)"}}"#, "bad-pattern", "/country/$regex"),
        (
            r#"{"country": {"$regex": "a", "$options": "g"}}"#,
            "bad-value",
            "/country/$options",
        ),
        (
            r#"{"country": {"$options": "i"}}"#,
            "unsupported-operator",
            "/country/$options",
        ),
        (r#"{"country": {"$type": "string"}}"#, "unsupported-operator", "/country/$type"),
        (r#"{"country": {"$ini": ["a"]}}"#, "unsupported-operator", "/country/$ini"),
        (r#"{"country": {"$not": "a"}}"#, "wrong-type", "/country/$not"),
        (r#"{"country": {"$all": ["a"]}}"#, "wrong-operator", "/country/$all"),
        (r#"{"groups": {"$regex": "a"}}"#, "wrong-operator", "/groups/$regex"),
        (r#"{"groups": {"$in": [1]}}"#, "wrong-literal", "/groups/$in"),
        (r#"{"groups": {"$size": {"$gt": 1}}}"#, "wrong-type", "/groups/$size"),
        (
            r#"{"groups": {"$elemMatch": {"$ne": "a"}}}"#,
            "unsupported-operator",
            "/groups/$elemMatch/$ne",
        ),
        (
            r#"{"groups": {"$elemMatch": {"$eq": "a", "$in": []}}}"#,
            "unsupported-operator",
            "/groups/$elemMatch",
        ),
        (r#"{"joined": "2024-01-01T12:00:00Z"}"#, "not-a-day", "/joined"),
        (r#"{"joined": {"$gt": "yesterday"}}"#, "not-a-day", "/joined/$gt"),
        (r#"{"$age": 3}"#, "unknown-operator", "/$age"),
        (r#"{"$orr": []}"#, "unknown-operator", "/$orr"),
    ] {
        faults(READ, json, &[(code, path)]);
    }
    let error = import().mongo(r#"{"age": {"$gtee": 3}}"#).unwrap_err().to_string();
    assert!(error.contains("did you mean `$gte`?"), "{error}");
}

/// What a query finds, by hand: of a document as JSON (MongoDB manual, query operators).
fn finds(query: &Value, document: &Value) -> bool {
    query.as_object().unwrap().iter().all(|(key, value)| {
        let list = || value.as_array().unwrap().iter();
        match key.as_str() {
            "$and" => list().all(|q| finds(q, document)),
            "$or" => list().any(|q| finds(q, document)),
            "$nor" => !list().any(|q| finds(q, document)),
            name => satisfies(value, document.get(name).unwrap_or(&Value::Null)),
        }
    })
}

fn satisfies(condition: &Value, value: &Value) -> bool {
    let Some(operators) = condition.as_object() else { return equals(condition, value) };
    operators.iter().all(|(operator, operand)| {
        let list = || operand.as_array().unwrap().iter();
        // Only values of one sort are in an order.
        let order = || match (value, operand) {
            (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
            (Value::String(a), Value::String(b)) => a.partial_cmp(b),
            _ => None,
        };
        let elements = || value.as_array().map_or(&[][..], Vec::as_slice);
        match operator.as_str() {
            "$eq" => equals(operand, value),
            "$ne" => !equals(operand, value),
            "$gt" => order().is_some_and(|o| o.is_gt()),
            "$gte" => order().is_some_and(|o| o.is_ge()),
            "$lt" => order().is_some_and(|o| o.is_lt()),
            "$lte" => order().is_some_and(|o| o.is_le()),
            "$in" => list().any(|x| equals(x, value)),
            "$nin" => !list().any(|x| equals(x, value)),
            // What is absent is `null` here.
            "$exists" => value.is_null() != operand.as_bool().unwrap(),
            "$not" => !satisfies(operand, value),
            "$all" => list().len() > 0 && list().all(|x| elements().contains(x)),
            "$size" => value.as_array().is_some_and(|v| json!(v.len()) == *operand),
            "$elemMatch" => elements().iter().any(|x| satisfies(operand, x)),
            "$regex" => {
                let regex = regex::Regex::new(operand.as_str().unwrap()).unwrap();
                value.as_str().is_some_and(|text| regex.is_match(text))
            }
            other => panic!("{other}"),
        }
    })
}

/// An array equals what is in it.
fn equals(expected: &Value, value: &Value) -> bool {
    match (expected, value) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (expected, Value::Array(list)) => list.contains(expected),
        (expected, value) => expected == value,
    }
}

pub(super) const NAMES: [&str; 5] = ["n", "c", "f", "d", "t"];

pub(super) fn five() -> Schema {
    Schema::new([
        FeatureSpec::number("n"),
        FeatureSpec::category("c"),
        FeatureSpec::flag("f"),
        FeatureSpec::date("d"),
        FeatureSpec::tags("t"),
    ])
    .unwrap()
}

pub(super) fn scalar(name: &str) -> BoxedStrategy<Value> {
    let texts = |texts: &[&'static str]| {
        prop::sample::select(texts.to_vec()).prop_map(Value::from).boxed()
    };
    match name {
        "n" => (-2..3_i32).prop_map(Value::from).boxed(),
        "c" => texts(&["", "a", "ab", "b", "null"]),
        "f" => any::<bool>().prop_map(Value::from).boxed(),
        "d" => texts(&["2024-01-01", "2024-02-29", "2025-01-01"]),
        _ => texts(&["", "a", "b", "c"]),
    }
}

pub(super) fn document() -> impl Strategy<Value = Value> {
    let value = |name: &'static str| {
        let value = match name {
            "t" => prop::collection::vec(scalar("t"), 0..3).prop_map(Value::from).boxed(),
            name => scalar(name),
        };
        prop_oneof![3 => value, 1 => Just(Value::Null)]
    };
    let values = (value("n"), value("c"), value("f"), value("d"), value("t"));
    (values, any::<bool>()).prop_map(|((n, c, f, d, t), drops)| {
        let values = NAMES.into_iter().zip([n, c, f, d, t]);
        // What is null may as well be absent.
        let kept = values.filter(|(_, value)| !(drops && value.is_null()));
        kept.map(|(name, value)| (name.to_owned(), value)).collect()
    })
}

pub(super) fn customer(schema: &Schema, document: &Value) -> OwnedCustomer {
    let ann = OwnedCustomer::new(schema, 1);
    NAMES.into_iter().fold(ann, |ann, name| {
        let value = match document.get(name).unwrap_or(&Value::Null) {
            Value::Null => OwnedValue::Missing,
            Value::Number(x) => OwnedValue::Number(x.as_f64().unwrap()),
            Value::Bool(x) => OwnedValue::Flag(*x),
            Value::String(text) if name == "d" => {
                OwnedValue::Date(text.parse::<Date>().unwrap())
            }
            Value::String(text) => OwnedValue::Category(text.clone()),
            Value::Array(tags) => {
                let tags = tags.iter().map(|tag| tag.as_str().unwrap().to_owned());
                OwnedValue::Tags(tags.collect())
            }
            other => panic!("{other}"),
        };
        ann.set(name, value).unwrap()
    })
}

fn operators(name: &'static str) -> BoxedStrategy<Value> {
    let one = |operator: &'static str, operand: BoxedStrategy<Value>| {
        operand.prop_map(move |operand| json!({ operator: operand })).boxed()
    };
    let maybe_null = || prop_oneof![4 => scalar(name), 1 => Just(Value::Null)].boxed();
    let list = || prop::collection::vec(maybe_null(), 0..4).prop_map(Value::from).boxed();
    let mut all = vec![
        one("$eq", maybe_null()),
        one("$ne", maybe_null()),
        one("$in", list()),
        one("$nin", list()),
        one("$exists", any::<bool>().prop_map(Value::from).boxed()),
    ];
    if matches!(name, "n" | "d") {
        all.extend(
            ["$gt", "$gte", "$lt", "$lte"].map(|operator| one(operator, scalar(name))),
        );
        let between = (scalar(name), scalar(name));
        all.push(between.prop_map(|(a, b)| json!({"$gte": a, "$lt": b})).boxed());
    }
    if name == "c" {
        let patterns = prop::sample::select(vec!["a", "^b", "n", "."]);
        all.push(one("$regex", patterns.prop_map(Value::from).boxed()));
    }
    if name == "t" {
        let tags =
            || prop::collection::vec(scalar("t"), 0..3).prop_map(Value::from).boxed();
        all.push(one("$all", tags()));
        all.push(one("$size", (0..4_u8).prop_map(Value::from).boxed()));
        all.push(one("$elemMatch", one("$in", tags())));
        all.push(one("$elemMatch", one("$eq", scalar("t"))));
    }
    prop::strategy::Union::new(all).boxed()
}

pub(super) fn query(
    operators: fn(&'static str) -> BoxedStrategy<Value>,
    joints: &'static [&'static str],
) -> impl Strategy<Value = Value> {
    let field = prop::sample::select(NAMES.to_vec()).prop_flat_map(move |name| {
        let plain = prop_oneof![3 => scalar(name), 1 => Just(Value::Null)];
        // GrowthBook compares whole arrays, of which no rule speaks.
        let plain = if name == "t" && joints.contains(&"$not") {
            Just(Value::Null).boxed()
        } else {
            plain.boxed()
        };
        let operators = operators(name);
        let denied = operators.clone().prop_map(|operators| json!({ "$not": operators }));
        let condition = prop_oneof![2 => plain, 4 => operators, 1 => denied];
        condition.prop_map(move |condition| json!({ name: condition }))
    });
    field.prop_recursive(3, 20, 4, move |inner| {
        let list = prop::collection::vec(inner.clone(), 1..4);
        let joined =
            (prop::sample::select(joints.to_vec()), list).prop_map(|(joint, list)| {
                if joint == "$not" {
                    json!({ joint: list[0] })
                } else {
                    json!({ joint: list })
                }
            });
        let side_by_side = (inner.clone(), inner).prop_map(|(a, b)| {
            let mut both = a.as_object().unwrap().clone();
            both.extend(b.as_object().unwrap().clone());
            Value::Object(both)
        });
        prop_oneof![joined, side_by_side]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1500)
    })]

    #[test]
    fn a_rule_finds_what_the_query_finds(
        query in query(operators, &["$and", "$or", "$nor"]),
        documents in prop::collection::vec(document(), 1..8),
    ) {
        let schema = five();
        let imported = Import::new(&schema).mongo(&query.to_string()).unwrap();
        let rule = imported.rule.compile(&schema).unwrap();
        for document in &documents {
            // Never Unknown.
            let expected = Truth::from(finds(&query, document));
            let found = rule.truth(&customer(&schema, document)).unwrap();
            prop_assert_eq!(found, expected, "{} of {}", query, document);
        }
    }
}
