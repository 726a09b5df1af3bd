//! Digests of rules.

use proptest::prelude::*;
use segmenta::data::{FeatureSpec, OwnedCustomer, OwnedValue, Schema};
use segmenta::rules::{
    Literal, Rule, RuleBook, RuleDigest, RuleSet, Test, field, segment,
};
use serde_json::Value;

use super::behaviour::{Case, case};

fn rule(text: &str) -> Rule {
    text.parse().unwrap()
}

/// FNV-1a of 64 bits.
fn hash(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// They may never change: hosts have stored them.
#[test]
fn digests_are_those_of_the_documented_forms() {
    let orders = "{5:field{2:is{2:ge{}}4:name6:orders}}";
    let ge = |literal: &str| orders.replace("{2:ge{}}", &format!("{{2:ge{literal}}}"));
    let country = "{5:field{2:is{2:in(2:AT2:DE)}4:name7:country}}";
    let cases = [
        ("everyone", "8:everyone".to_owned(), "2cf16dd915976542"),
        ("orders >= 3", ge("i3;"), "364ec69631495eab"),
        ("orders >= -0", ge("i0;"), "0bd5a97ab0a7beda"),
        ("orders >= 0.5", ge("x3fe0000000000000"), "1d3d27985f3f324c"),
        ("orders >= 1e300", ge("x7e37e43c8800759c"), "1bc2d3f91cfc7a7f"),
        (
            "opted_out",
            "{5:field{2:is{2:eqt}4:name9:opted_out}}".to_owned(),
            "da98f7cbfc6fc4c3",
        ),
        ("country in ('DE', 'AT', 'DE')", country.to_owned(), "9fc573cfed266022"),
        (
            "orders >= 3 and country in ('DE', 'AT')",
            format!("{{3:all({}{country})}}", ge("i3;")),
            "85edb80e7b0d2a4d",
        ),
        (
            "not (orders >= 3 or everyone)",
            format!("{{3:not{{3:any(8:everyone{})}}}}", ge("i3;")),
            "6c66af3552f09c98",
        ),
        (
            "at least 2 of (orders >= 3, orders >= 3, everyone)",
            format!("{{8:at_least{{1:ni2;2:of<8:everyone{0}{0}>}}}}", ge("i3;")),
            "0e2b76cec9759255",
        ),
        (
            "events(order where paid and web).sum(amount) in last 2w >= 1",
            "{5:event{3:agg{3:sum6:amount}2:is{2:gei1;}4:name5:order5:where{3:all(\
             {5:field{2:is{2:eqt}4:name3:web}}{5:field{2:is{2:eqt}4:name4:paid}})}\
             6:window{4:last3:14d}}}"
                .to_owned(),
            "7706cfb5378c1127",
        ),
        (
            "events(order) from '2024-05-01T02:00+02:00' to '2024-06-01'",
            "{5:event{3:agg5:count2:is{2:gei1;}4:name5:order6:window{7:between\
             {4:from20:2024-05-01T00:00:00Z2:to10:2024-06-01}}}}"
                .to_owned(),
            "699ab8435e2913d1",
        ),
        (
            "sequence(cart then not order within 1d) in last 7d",
            "{8:sequence{5:steps[{4:name4:cart}{4:name5:order3:nott6:within2:1d}]\
             6:window{4:last2:7d}}}"
                .to_owned(),
            "cc0f28fef1db54c4",
        ),
        (
            "distance(lat, lon) from (48.25, -0.0) <= 60",
            "{8:distance{4:from{8:latitudex40482000000000009:longitudei0;}2:is{2:lei60;}\
             8:latitude3:lat9:longitude3:lon}}"
                .to_owned(),
            "f21f0ac18ba5eccf",
        ),
        (
            "bucket('a') < 0.5",
            "{6:bucket{2:is{2:ltx3fe0000000000000}4:salt1:a}}".to_owned(),
            "fe687167c67bccf9",
        ),
        (
            "consent(mail in ('b', 'a', 'b'))",
            "{7:consent{2:is(1:a1:b)7:purpose4:mail}}".to_owned(),
            "7b7cf7bcd9400ad2",
        ),
        ("segment 'vip'", "{7:segment{2:id3:vip}}".to_owned(), "d96ab8ddfa0f24c6"),
    ];
    for (text, form, pinned) in cases {
        let digest = rule(text).digest().to_string();
        assert_eq!(digest, hash(&form), "{text}: {form}");
        assert_eq!(digest, pinned, "{text}");
    }
    let not_finite = field("orders").ge(f64::NAN);
    assert_eq!(not_finite.digest().to_string(), hash("orders >= NaN"));
}

#[test]
fn what_changes_an_answer_changes_the_digest() {
    let texts = [
        "orders >= 3",
        "orders > 3",
        "orders <= 3",
        "orders < 3",
        "orders = 3",
        "orders between 3 and 4",
        "orders between 3 and 5",
        "orders >= 3 when missing yes",
        "orders >= 3 when missing no",
        "order >= 3",
        "orders >= 4",
        "not orders >= 3",
        "a contains '3'",
        "a starts with '3'",
        "a ends with '3'",
        "a matches '3'",
        "a = '3'",
        "a has any of ('x', 'y')",
        "a has all of ('x', 'y')",
        "a has all of ('x')",
        "a is set",
        "a is missing",
        "a in last 3d",
        "a in next 3d",
        "p and q",
        "p or q",
        "p and q and r",
        "p and (q or r)",
        "(p and q) or r",
        "p or (q and r)",
        "not (p and q)",
        "at least 2 of (p, q, r)",
        "at least 1 of (p, q, r)",
        "at least 2 of (p, p, q)",
        "at least 2 of (p, q, q)",
        "events(e)",
        "events(e) in last 3d",
        "events(e) in last 3h",
        "events(e) in this month",
        "events(e) in last 1 whole month",
        "events(e where p and q)",
        "events(e where p or q)",
        "events(f)",
        "events(e).count >= 2",
        "events(e).active_days >= 2",
        "events(e).sum(p) >= 2",
        "events(e).distinct(p) >= 2",
        "sequence(e then f)",
        "sequence(f then e)",
        "sequence(e then not f)",
        "sequence(e then f within 1d)",
        "sequence(e then f) with same p",
        "distance(a, b) from (1, 2) <= 60",
        "distance(a, b) from (2, 1) <= 60",
        "distance(b, a) from (1, 2) <= 60",
        "bucket('a') < 0.5",
        "bucket('b') < 0.5",
        "consent(p)",
        "consent(p in ('a'))",
        "consent(p in ('a', 'b'))",
        "consent(p given on d in last 3d)",
    ];
    let mut digests: Vec<(RuleDigest, &str)> = Vec::new();
    for text in texts {
        let digest = rule(text).digest();
        let same = digests.iter().find(|(other, _)| *other == digest);
        assert_eq!(same, None, "{text}");
        digests.push((digest, text));
    }
}

#[test]
fn digests_are_texts_of_sixteen_digits() {
    let digest = rule("orders >= 3").digest();
    assert_eq!(digest.to_string().parse::<RuleDigest>().unwrap(), digest);
    let json = serde_json::to_string(&digest).unwrap();
    assert_eq!(json, format!("\"{digest}\""));
    assert_eq!(serde_json::from_str::<RuleDigest>(&json).unwrap(), digest);
    assert_eq!(format!("{:016x}", digest.get()), digest.to_string());
    for bad in ["", "0", "000000000000000", "00000000000000000", "+000000000000000"] {
        assert!(bad.parse::<RuleDigest>().unwrap_err().is_data(), "{bad}");
    }
    for bad in ["000000000000000G", "00000000000000AB", "0000000000000é"] {
        let error = bad.parse::<RuleDigest>().unwrap_err().to_string();
        let expected =
            format!("`{bad}` is not a digest of 16 hexadecimal digits in lower case");
        assert_eq!(error, expected);
    }
    let small: RuleDigest = "00000000000000ab".parse().unwrap();
    assert_eq!((small.get(), small.to_string().len()), (0xab, 16));
}

#[test]
fn leaves_stand_where_their_paths_lead() {
    let text = "p = 1 and not (q = 2 or segment 's') and everyone \
                and at least 1 of (r = 3, events(e where t = 4))";
    let whole = rule(text);
    let leaves = whole.leaves();
    let paths: Vec<&str> = leaves.iter().map(|leaf| leaf.path.as_str()).collect();
    let expected =
        ["/all/0", "/all/1/not/any/0", "/all/3/at_least/of/0", "/all/3/at_least/of/1"];
    assert_eq!(paths, expected);
    let json = serde_json::to_value(&whole).unwrap();
    for leaf in &leaves {
        let part = json.pointer(&leaf.path).unwrap().clone();
        let part: Rule = serde_json::from_value(part).unwrap();
        assert_eq!((&part, part.digest()), (leaf.rule, leaf.digest));
    }
    let alone = rule("p = 1");
    assert_eq!(alone.leaves()[0].path, "");
    assert_eq!(alone.leaves()[0].digest, leaves[0].digest);
    assert!(rule("everyone").leaves().is_empty());
}

#[test]
fn digests_of_a_set_see_through_references() {
    let set = |vip: f64, names: [&str; 4]| {
        let [a, b, c, rest] = names;
        RuleSet::new()
            .segment(b, b, segment(a) & field("orders").ge(1))
            .segment(a, a, field("spent").ge(vip))
            .segment(c, c, field("orders").eq(0))
            .segment("d", "D", !segment(b))
            .rest(rest, rest)
    };
    let old = set(100.0, ["vip", "b", "c", "rest"]).digests();
    let new = set(200.0, ["vip", "b", "c", "rest"]).digests();
    let changed: Vec<bool> = old.iter().zip(&new).map(|(a, b)| a != b).collect();
    assert_eq!(changed, [true, true, false, true, true]);
    assert_eq!(set(100.0, ["x", "y", "z", "others"]).digests(), old);
    assert_eq!(old[1], field("spent").ge(100).digest());
    let vip = field("spent").ge(100).digest();
    let orders = "{5:field{2:is{2:gei1;}4:name6:orders}}";
    let form = format!("{{3:all({orders}{{7:segment16:{vip}}})}}");
    assert_eq!(old[0].to_string(), hash(&form));
    // The rest depends on all, in no order.
    let turned = RuleSet::new()
        .segment("c", "C", field("orders").eq(0))
        .segment("vip", "V", field("spent").ge(100))
        .segment("b", "B", segment("vip") & field("orders").ge(1))
        .segment("d", "D", !segment("b"))
        .rest("rest", "Rest");
    assert_eq!(turned.digests()[4], old[4]);
    let mut sorted: Vec<String> = old[..4].iter().map(|d| format!("16:{d}")).collect();
    sorted.sort();
    assert_eq!(old[4].to_string(), hash(&format!("{{4:rest({})}}", sorted.concat())));
    let schema = Schema::new(["orders", "spent"].map(FeatureSpec::number)).unwrap();
    let book = set(100.0, ["vip", "b", "c", "rest"]).compile_book(&schema).unwrap();
    assert_eq!(book.digests(), old);
}

#[test]
fn digests_of_sets_that_cannot_be_used_end() {
    let set = RuleSet::new()
        .segment("a", "A", segment("b"))
        .segment("b", "B", segment("a"))
        .segment("c", "C", segment("nowhere"))
        .segment("d", "D", segment("c"));
    let digests = set.digests();
    assert_eq!(digests[0], segment("b").digest());
    assert_eq!(digests[1], segment("a").digest());
    assert_eq!(digests[2], segment("nowhere").digest());
    assert_eq!(digests[3], segment("c").digest());
    // One that leads through as many as can be compiled, and one more.
    let chain = |n: usize, x: f64| {
        let set = RuleSet::new().segment("s0", "", field("orders").ge(x));
        (1..n).fold(set, |set, i| {
            set.segment(format!("s{i}"), "", segment(format!("s{}", i - 1)))
        })
    };
    let schema = Schema::new([FeatureSpec::number("orders")]).unwrap();
    assert!(chain(65, 1.0).compile(&schema).is_ok());
    assert!(chain(66, 1.0).compile(&schema).is_err());
    assert_ne!(chain(65, 1.0).digests()[64], chain(65, 2.0).digests()[64]);
    assert_eq!(chain(66, 1.0).digests()[65], segment("s64").digest());
}

/// The same in other words, as directed by numbers.
fn reworded(rule: &Rule, numbers: &mut impl Iterator<Item = usize>) -> Rule {
    let mut next = || numbers.next().unwrap();
    let (how, at) = (next(), next());
    let mut parts = |rules: &[Rule], once: bool, nest: fn(Vec<Rule>) -> Rule| {
        let mut rules: Vec<Rule> =
            rules.iter().map(|rule| reworded(rule, numbers)).collect();
        let n = rules.len();
        rules.rotate_left(at % n);
        if how % 3 == 0 {
            rules.reverse();
        }
        if once && how % 2 == 0 {
            rules.push(rules[at % n].clone());
            let inner = rules.split_off(at % n);
            rules.push(nest(inner));
        }
        rules
    };
    let rule = match rule {
        Rule::All(rules) => Rule::All(parts(rules, true, Rule::All)),
        Rule::Any(rules) => Rule::Any(parts(rules, true, Rule::Any)),
        Rule::AtLeast { n, of } => {
            Rule::AtLeast { n: *n, of: parts(of, false, Rule::All) }
        }
        Rule::Not(rule) => Rule::Not(Box::new(reworded(rule, numbers))),
        Rule::Field(test) => {
            let mut test = test.clone();
            test.is = turned(test.is, at);
            Rule::Field(test)
        }
        Rule::Event(test) => {
            let mut test = test.clone();
            test.is = turned(test.is, at);
            test.filter = test.filter.map(|rule| Box::new(reworded(&rule, numbers)));
            Rule::Event(test)
        }
        Rule::Sequence(test) => {
            let mut test = test.clone();
            for step in &mut test.steps {
                let filter = step.filter.take();
                step.filter = filter.map(|rule| Box::new(reworded(&rule, numbers)));
            }
            Rule::Sequence(test)
        }
        Rule::Consent(test) => {
            let mut test = test.clone();
            if let Some(states) = &mut test.is {
                states.reverse();
                states.push(states[0].clone());
            }
            Rule::Consent(test)
        }
        rule => rule.clone(),
    };
    match how % 7 {
        0 => Rule::Not(Box::new(Rule::Not(Box::new(rule)))),
        1 => Rule::All(vec![rule]),
        2 => Rule::Any(vec![Rule::All(vec![rule.clone(), rule])]),
        _ => rule,
    }
}

fn turned(test: Test, at: usize) -> Test {
    fn turn<T: Clone>(mut list: Vec<T>, at: usize) -> Vec<T> {
        let n = list.len();
        list.push(list[at % n].clone());
        list.rotate_left(at % n);
        list.reverse();
        list
    }
    let zero = |literal: Literal| match literal {
        Literal::Number(0.0) => {
            Literal::Number(if at.is_multiple_of(2) { 0.0 } else { -0.0 })
        }
        literal => literal,
    };
    match test {
        Test::In(list) => Test::In(turn(list.into_iter().map(zero).collect(), at)),
        Test::HasAny(list) => Test::HasAny(turn(list, at)),
        Test::HasAll(list) => Test::HasAll(turn(list, at)),
        Test::Size(test) => Test::Size(Box::new(turned(*test, at))),
        Test::Eq(x) => Test::Eq(zero(x)),
        Test::Lt(x) => Test::Lt(zero(x)),
        Test::Between { lo, hi } => Test::Between { lo: zero(lo), hi: zero(hi) },
        test => test,
    }
}

/// Everything in a document that can be altered so that it says something else: the
/// documents that come of it.
fn altered(document: &Value, is_listed: bool) -> Vec<Value> {
    match document {
        Value::Bool(x) if !is_listed => vec![Value::Bool(!x)],
        Value::Number(x) => {
            let x = x.as_f64().unwrap();
            vec![serde_json::json!(if x.abs() < 1e9 { x + 1000.0 } else { 7.5 })]
        }
        Value::String(text) => {
            let mut all = vec![Value::String(format!("{text}~"))];
            if let Ok(span) = text.parse::<segmenta::data::Span>() {
                all.push(format!("{}ms", span.as_millis() + 86_400_000).into());
            }
            all
        }
        Value::Array(items) => {
            let one = |(i, item): (usize, &Value)| {
                let set = move |new: Value| {
                    let mut items = items.clone();
                    items[i] = new;
                    Value::Array(items)
                };
                altered(item, true).into_iter().map(set).collect::<Vec<_>>()
            };
            items.iter().enumerate().flat_map(one).collect()
        }
        Value::Object(fields) => {
            let mut all = Vec::new();
            for (name, value) in fields {
                for new in altered(value, false) {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), new);
                    all.push(Value::Object(fields));
                }
                let other = match name.as_str() {
                    "lt" => "le",
                    "le" => "gt",
                    "gt" => "ge",
                    "ge" => "eq",
                    "eq" => "lt",
                    "contains" => "starts_with",
                    "has_any" if value.as_array().unwrap().len() > 1 => "has_all",
                    "min" => "max",
                    "sum" => "average",
                    "first" => "last",
                    "in_last" => "in_next",
                    _ => continue,
                };
                let mut fields = fields.clone();
                let value = fields.remove(name).unwrap();
                fields.insert(other.to_owned(), value);
                all.push(Value::Object(fields));
            }
            all
        }
        _ => Vec::new(),
    }
}

/// Rules of two flags.
fn small_rule() -> impl Strategy<Value = Rule> {
    let leaf = prop_oneof![
        2 => Just(rule("p")),
        2 => Just(rule("q")),
        1 => Just(rule("p when missing no")),
        1 => Just(Rule::Everyone),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(Rule::All),
            some.clone().prop_map(Rule::Any),
            (some, 1..4_usize)
                .prop_map(|(of, n)| Rule::AtLeast { n: n.min(of.len()), of }),
            inner.prop_map(|rule| Rule::Not(Box::new(rule))),
        ]
    })
}

/// The tests of a rule and of the filters in it, each once and without its own filter.
fn tests(json: &serde_json::Value, out: &mut std::collections::BTreeSet<String>) {
    const KEYS: [&str; 6] =
        ["field", "event", "sequence", "distance", "bucket", "consent"];
    fn bare(json: &serde_json::Value) -> serde_json::Value {
        match json {
            serde_json::Value::Object(fields) => {
                let fields = fields.iter().filter(|(key, _)| *key != "where");
                fields.map(|(key, value)| (key.clone(), bare(value))).collect()
            }
            serde_json::Value::Array(items) => {
                let mut items: Vec<_> = items.iter().map(bare).collect();
                // Lists of values are sets; steps stay in their order.
                if !items.iter().any(serde_json::Value::is_object) {
                    items.sort_by_key(ToString::to_string);
                    items.dedup();
                }
                items.into()
            }
            end => end.clone(),
        }
    }
    match json {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                if KEYS.contains(&key.as_str()) {
                    out.insert(format!("{key} {}", bare(value)));
                }
                tests(value, out);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| tests(item, out)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    })]

    #[test]
    fn other_words_have_the_same_digest(
        case in case(),
        numbers in prop::collection::vec(0..1000_usize, 50),
    ) {
        let mut numbers = numbers.into_iter().cycle();
        let set = case.set().rest("rest", "The rest");
        let mut other = set.clone();
        for segment in &mut other.segments {
            let rule = reworded(&segment.rule, &mut numbers);
            prop_assert_eq!(rule.digest(), segment.rule.digest(), "{} | {}", rule, &segment.rule);
            prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap().digest(), rule.digest());
            let json = serde_json::to_string(&rule).unwrap();
            prop_assert_eq!(serde_json::from_str::<Rule>(&json).unwrap().digest(), rule.digest());
            segment.rule = rule;
        }
        prop_assert_eq!(other.digests(), set.digests());
    }

    #[test]
    fn other_values_and_operators_have_another_digest(case in case()) {
        let Case { rules, .. } = &case;
        for rule in rules {
            let json = serde_json::to_value(rule).unwrap();
            let of = |json: &serde_json::Value| {
                let mut all = std::collections::BTreeSet::new();
                tests(json, &mut all);
                all
            };
            let mut n = 0;
            for other in altered(&json, false) {
                // One of two equal parts, made like a third, may be the same rule.
                if of(&other) == of(&json) {
                    n += 1;
                    continue;
                }
                if let Ok(other) = serde_json::from_value::<Rule>(other) {
                    prop_assert_ne!(other.digest(), rule.digest(), "{} | {}", other, rule);
                    n += 1;
                }
            }
            prop_assert!(n > 0 || rule.leaves().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(60)
    })]

    #[test]
    fn rules_of_one_digest_give_the_same_answers(
        rules in prop::collection::vec(small_rule(), 60),
    ) {
        let schema = Schema::new(["p", "q"].map(FeatureSpec::flag)).unwrap();
        let values = [OwnedValue::Missing, false.into(), true.into()];
        let mut customers = Vec::new();
        for p in &values {
            for q in &values {
                let values = vec![p.clone(), q.clone()];
                customers.push(OwnedCustomer::with_values(&schema, 1, values).unwrap());
            }
        }
        let mut known = std::collections::BTreeMap::new();
        for rule in &rules {
            let compiled = rule.compile(&schema).unwrap();
            let truths: Vec<_> =
                customers.iter().map(|c| compiled.truth(c).unwrap()).collect();
            let (other, answers) =
                known.entry(rule.digest()).or_insert_with(|| (rule.clone(), truths.clone()));
            prop_assert_eq!(&truths, answers, "{} | {}", rule, other);
        }
        prop_assert!(known.len() < rules.len());
    }
}

#[test]
fn the_digest_of_a_book_is_that_of_its_present_ids() {
    let schema = Schema::new([FeatureSpec::number("orders")]).unwrap();
    let book = RuleBook::builder(&schema)
        .segment("a", "A", field("orders").ge(1))
        .segment("b", "B", !segment("a"))
        .build()
        .unwrap();
    let before = book.digests();
    let mut renamed = book.clone();
    let mut segments = segmenta::Segmenter::segments(&book).to_vec();
    segments[0].id = "other".into();
    segmenta::segmenter::Relabel::relabel(&mut renamed, segments).unwrap();
    assert_eq!(renamed.digests(), before);
}
