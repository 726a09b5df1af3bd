//! Every pair of tests of one value, in every place, against the naive interpreter: what
//! stands side by side is asked in one step.

use segmenta::data::{FeatureSpec, OwnedCustomer, OwnedValue, Schema};
use segmenta::rules::{Rule, field};
use segmenta::segmenter::Truth;

use crate::properties::naive;

/// Each test as it is, denied, and with either answer where nothing is known.
fn in_all_ways(tests: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    let ways = |rule: Rule| {
        let Rule::Field(test) = rule else { panic!("{rule:?}") };
        let [plain, no, yes] = [None, Some(false), Some(true)].map(|when_missing| {
            let mut test = test.clone();
            test.when_missing = when_missing;
            Rule::Field(test)
        });
        [!plain.clone(), plain, no, yes]
    };
    tests.into_iter().flat_map(ways).collect()
}

/// Where two tests may stand, and what may lead to them from elsewhere.
fn places(a: &Rule, b: &Rule, other: &Rule) -> Vec<Rule> {
    let both = [a.clone(), b.clone()];
    let [all, any] = [Rule::all(both.clone()), Rule::any(both.clone())];
    let with = |rule: &Rule| [other.clone(), rule.clone()];
    vec![
        all.clone(),
        any.clone(),
        !all.clone(),
        !any.clone(),
        Rule::all([!a.clone(), b.clone()]),
        Rule::all([Rule::any(with(a)), b.clone()]),
        Rule::any([Rule::all(with(a)), b.clone()]),
        Rule::any(with(&all)),
        // The second test is led to from two places.
        Rule::all([Rule::any([!other.clone(), Rule::all(with(a))]), b.clone()]),
        Rule::all([
            Rule::any([!other.clone(), Rule::all([a.clone(), Rule::Everyone])]),
            b.clone(),
        ]),
        Rule::all([other.clone(), Rule::any(with(a)), b.clone()]),
        Rule::all([a.clone(), other.clone(), b.clone()]),
        Rule::any([Rule::any([!other.clone(), all.clone()]), b.clone()]),
        Rule::all([a.clone(), Rule::Everyone, b.clone(), other.clone()]),
        Rule::all([a.clone(), Rule::Nobody, b.clone()]),
        // The first test is written, and never asked.
        Rule::all([Rule::any([Rule::Everyone, a.clone()]), b.clone()]),
        Rule::all([Rule::all([Rule::Nobody, a.clone()]), b.clone()]),
        Rule::any([Rule::all([Rule::Nobody, a.clone()]), b.clone()]),
        !Rule::any([Rule::any([Rule::Everyone, a.clone()]), b.clone()]),
        !Rule::any([Rule::all([Rule::Nobody, a.clone()]), b.clone()]),
        Rule::all([a.clone(), Rule::any([Rule::Everyone, b.clone()]), a.clone()]),
        Rule::all(with(&any)),
        Rule::any([all.clone(), other.clone()]),
        Rule::all([any, other.clone()]),
        Rule::at_least(2, [a.clone(), b.clone(), other.clone()]),
        Rule::any([Rule::all([a.clone(), b.clone(), a.clone()]), !other.clone()]),
    ]
}

fn check(
    spec: FeatureSpec,
    tests: &[Rule],
    values: &[OwnedValue],
    unusable: &[OwnedValue],
) {
    // The other test is of a number as well, so that it could be taken for one of these.
    let specs = [spec, FeatureSpec::number("other")];
    let schema = Schema::new(specs.clone()).unwrap();
    let name = specs[0].name();
    let ann = |value: &OwnedValue, other: &OwnedValue| {
        let customer = OwnedCustomer::new(&schema, 1).set(name, value.clone()).unwrap();
        customer.set("other", other.clone()).unwrap()
    };
    let others = [OwnedValue::Missing, 1.0.into(), 0.0.into()];
    for a in tests {
        for b in tests {
            for rule in places(a, b, &field("other").ge(1)) {
                let compiled = rule.compile(&schema).unwrap();
                for value in values {
                    for other in &others {
                        let expected =
                            naive::plain(&rule, &specs, &[value.clone(), other.clone()]);
                        let customer = ann(value, other);
                        let truth = compiled.truth(&customer).unwrap();
                        let wanted = expected.map_or(Truth::Unknown, Truth::from);
                        assert_eq!(truth, wanted, "{rule} for {value:?}, {other:?}");
                        let holds = compiled.holds(&customer).unwrap();
                        assert_eq!(holds, truth.is_true(), "{rule} for {value:?}");
                    }
                }
            }
            for value in unusable {
                let rule = Rule::all([a.clone(), b.clone()]);
                let customer = ann(value, &OwnedValue::Missing);
                let fault = rule.compile(&schema).unwrap().truth(&customer).unwrap_err();
                assert!(fault.to_string().contains(name), "{rule}: {fault}");
            }
        }
    }
}

#[test]
fn pairs_of_tests_of_a_number() {
    let x = || field("x");
    let tests = [
        x().ge(5),
        x().gt(0),
        x().lt(-0.0),
        x().le(5),
        x().eq(5),
        x().between(-1, 5),
        x().le(f64::MIN),
        x().lt(f64::MAX),
        x().gt(f64::MAX),
        x().is_in([0, 5]),
    ];
    let numbers = [
        f64::MIN,
        -1.0,
        -5e-324,
        -0.0,
        0.0,
        5e-324,
        5.0_f64.next_down(),
        5.0,
        5.0_f64.next_up(),
        f64::MAX,
    ];
    let mut values = vec![OwnedValue::Missing];
    values.extend(numbers.map(OwnedValue::from));
    let unusable = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let mut unusable = Vec::from(unusable.map(OwnedValue::from));
    unusable.extend([OwnedValue::from(true), OwnedValue::from("5")]);
    check(FeatureSpec::number("x"), &in_all_ways(tests), &values, &unusable);
}

#[test]
fn pairs_of_tests_of_a_name() {
    let long = ["abcdefghi", "abcdefghj"];
    let short = ["", "a", "a\0", "abcdefgh", "abcdefg", "ä", "DE"];
    let names = [&short[..], &long].concat();
    let c = || field("c");
    let tests = [
        c().is_in(["DE", "", "abcdefgh"]),
        c().is_in(["a\0", "ä"]),
        c().eq("abcdefghi"),
        c().eq("a"),
        c().is_in(names.clone()),
    ];
    let tests = in_all_ways(tests);
    let mut values = vec![OwnedValue::Missing];
    values.extend(names.iter().map(|&name| OwnedValue::from(name)));
    let mut unusable = vec![OwnedValue::from(true), OwnedValue::from(5.0)];
    check(FeatureSpec::category("c"), &tests, &values, &unusable);

    // With levels, whether they are few and short or not.
    unusable.push(OwnedValue::from("AT"));
    check(FeatureSpec::category("c").levels(names.clone()), &tests, &values, &unusable);
    let tests = [c().is_in(["DE", "", "abcdefgh"]), c().is_in(["a\0", "ä"]), c().eq("a")];
    let tests = in_all_ways(tests);
    let long = long.map(OwnedValue::from);
    values.retain(|value| !long.contains(value));
    unusable.extend(long);
    check(FeatureSpec::category("c").levels(short), &tests, &values, &unusable);
    let many = [&short[..], &["b", "c"]].concat();
    check(FeatureSpec::category("c").levels(many), &tests, &values, &unusable);
}
