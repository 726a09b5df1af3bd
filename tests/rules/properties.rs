//! Rules against a naive interpreter of the tree, on random schemas, rules and customers.

use proptest::prelude::*;
use segmenta::data::{
    Date, FeatureKind, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Table,
};
use segmenta::rules::{FieldTest, Literal, Rule, RuleBook, RuleSegmenter, RuleSet, Test};
use segmenta::segmenter::{Persist, Reason, Saved, Truth};
use segmenta::{ErrorKind, Segmenter, SegmenterExt};

const WORDS: [&str; 6] = ["ab", "b", "abc", "ca", "AB", "ä"];

/// The obvious evaluation: `None` is Unknown, and everything is looked at.
pub(crate) mod naive {
    use super::*;

    /// Of a rule whose tests are answered by `leaf`.
    pub(crate) fn truth(
        rule: &Rule,
        leaf: &dyn Fn(&Rule) -> Option<bool>,
    ) -> Option<bool> {
        let all = |rules: &[Rule]| -> Vec<Option<bool>> {
            rules.iter().map(|r| truth(r, leaf)).collect()
        };
        match rule {
            Rule::Everyone => Some(true),
            Rule::Nobody => Some(false),
            Rule::All(rules) => {
                let truths = all(rules);
                if truths.contains(&Some(false)) {
                    Some(false)
                } else if truths.contains(&None) {
                    None
                } else {
                    Some(true)
                }
            }
            Rule::Any(rules) => {
                let truths = all(rules);
                if truths.contains(&Some(true)) {
                    Some(true)
                } else if truths.contains(&None) {
                    None
                } else {
                    Some(false)
                }
            }
            Rule::AtLeast { n, of } => {
                let truths = all(of);
                let yes = truths.iter().filter(|t| **t == Some(true)).count();
                let maybe = truths.iter().filter(|t| t.is_none()).count();
                if yes >= *n {
                    Some(true)
                } else if yes + maybe < *n {
                    Some(false)
                } else {
                    None
                }
            }
            Rule::Not(rule) => truth(rule, leaf).map(|t| !t),
            test => leaf(test),
        }
    }

    /// Of a rule without events.
    pub(crate) fn plain(
        rule: &Rule,
        specs: &[FeatureSpec],
        values: &[OwnedValue],
    ) -> Option<bool> {
        truth(rule, &|test| {
            let Rule::Field(FieldTest { name, is, when_missing }) = test else {
                panic!("{test:?}")
            };
            let at = specs.iter().position(|spec| spec.name() == name).unwrap();
            tested(is, *when_missing, &specs[at], &values[at])
        })
    }

    /// Of one test of one value.
    pub(crate) fn tested(
        test: &Test,
        when_missing: Option<bool>,
        spec: &FeatureSpec,
        value: &OwnedValue,
    ) -> Option<bool> {
        match (test, value) {
            (Test::Set, OwnedValue::Missing) => Some(false),
            (Test::Missing, OwnedValue::Missing) => Some(true),
            (_, OwnedValue::Missing) => when_missing,
            // A value that cannot be used says nothing either way.
            (_, value) if !usable(spec, value) => None,
            (Test::Set, _) => Some(true),
            (Test::Missing, _) => Some(false),
            (is, value) => Some(satisfies(is, value, spec)),
        }
    }

    pub(crate) fn usable(spec: &FeatureSpec, value: &OwnedValue) -> bool {
        let levels = spec.get_levels();
        let known = |name: &String| levels.is_empty() || levels.contains(name);
        match (spec.kind(), value) {
            (_, OwnedValue::Missing) => true,
            (FeatureKind::Number, OwnedValue::Number(x)) => x.is_finite(),
            (FeatureKind::Flag, OwnedValue::Flag(_)) => true,
            (
                FeatureKind::Category | FeatureKind::Ordinal,
                OwnedValue::Category(name),
            ) => known(name),
            (FeatureKind::Date, OwnedValue::Date(_)) => true,
            (FeatureKind::Tags, OwnedValue::Tags(tags)) => tags.iter().all(known),
            _ => false,
        }
    }

    /// Where a literal lies in relation to a value, as `value.cmp(literal)`.
    fn compare(
        value: &OwnedValue,
        literal: &Literal,
        spec: &FeatureSpec,
    ) -> std::cmp::Ordering {
        match (value, literal) {
            (OwnedValue::Number(x), Literal::Number(y)) => x.partial_cmp(y).unwrap(),
            (OwnedValue::Flag(x), Literal::Flag(y)) => x.cmp(y),
            (OwnedValue::Date(x), Literal::Text(y)) => x.cmp(&y.parse().unwrap()),
            (OwnedValue::Category(x), Literal::Text(y)) => {
                let rank = |level: &str| {
                    let at = spec.get_levels().iter().position(|l| l == level);
                    at.unwrap()
                };
                if spec.kind() == FeatureKind::Ordinal {
                    rank(x).cmp(&rank(y))
                } else {
                    x.cmp(y)
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn satisfies(test: &Test, value: &OwnedValue, spec: &FeatureSpec) -> bool {
        let to = |literal: &Literal| compare(value, literal, spec);
        match (test, value) {
            (Test::Eq(x), _) => to(x).is_eq(),
            (Test::In(list), _) => list.iter().any(|x| to(x).is_eq()),
            (Test::Lt(x), _) => to(x).is_lt(),
            (Test::Le(x), _) => to(x).is_le(),
            (Test::Gt(x), _) => to(x).is_gt(),
            (Test::Ge(x), _) => to(x).is_ge(),
            (Test::Between { lo, hi }, _) => to(lo).is_ge() && to(hi).is_le(),
            (Test::Contains(text), OwnedValue::Category(x)) => x.contains(text),
            (Test::StartsWith(text), OwnedValue::Category(x)) => x.starts_with(text),
            (Test::EndsWith(text), OwnedValue::Category(x)) => x.ends_with(text),
            (Test::Matches(pattern), OwnedValue::Category(x)) => {
                let known = super::PATTERNS.iter().find(|(known, _)| known == pattern);
                known.unwrap().1(x)
            }
            (Test::HasAny(names), OwnedValue::Tags(tags)) => {
                names.iter().any(|name| tags.contains(name))
            }
            (Test::HasAll(names), OwnedValue::Tags(tags)) => {
                names.iter().all(|name| tags.contains(name))
            }
            (Test::Size(test), OwnedValue::Tags(tags)) => {
                satisfies(test, &OwnedValue::Number(tags.len() as f64), spec)
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn specs() -> impl Strategy<Value = Vec<FeatureSpec>> {
    let kind = prop_oneof![
        Just(FeatureSpec::number("f")),
        Just(FeatureSpec::flag("f")),
        Just(FeatureSpec::category("f")),
        Just(FeatureSpec::category("f").levels(WORDS)),
        Just(FeatureSpec::ordinal("f", WORDS)),
        Just(FeatureSpec::date("f")),
        Just(FeatureSpec::tags("f")),
        Just(FeatureSpec::tags("f").levels(WORDS)),
    ];
    prop::collection::vec(kind, 1..6).prop_map(|specs| {
        let named = specs.into_iter().enumerate().map(|(i, spec)| {
            FeatureSpec::new(format!("f{i}"), spec.kind())
                .levels(spec.get_levels().to_vec())
        });
        named.collect()
    })
}

/// A regular expression, and what it says.
type Known = (&'static str, fn(&str) -> bool);

const PATTERNS: [Known; 5] = [
    ("", |_| true),
    ("^a", |x| x.starts_with('a')),
    ("[^ab]", |x| x.chars().any(|c| c != 'a' && c != 'b')),
    ("^.?$", |x| x.chars().count() < 2),
    ("(?i)B", |x| x.contains(['b', 'B'])),
];

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(&WORDS[..]).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![(-3..4_i32).prop_map(f64::from), Just(0.5), Just(-0.0), Just(1e300)]
}

fn date() -> impl Strategy<Value = Date> {
    (-2..3_i32).prop_map(|days| Date::from_days(days).unwrap())
}

pub(crate) fn value(spec: &FeatureSpec) -> BoxedStrategy<OwnedValue> {
    let known = match spec.kind() {
        FeatureKind::Number => number().prop_map(OwnedValue::from).boxed(),
        FeatureKind::Flag => any::<bool>().prop_map(OwnedValue::from).boxed(),
        FeatureKind::Category | FeatureKind::Ordinal => {
            word().prop_map(OwnedValue::Category).boxed()
        }
        FeatureKind::Date => date().prop_map(OwnedValue::from).boxed(),
        _ => prop::collection::vec(word(), 0..4).prop_map(OwnedValue::Tags).boxed(),
    };
    prop_oneof![3 => known, 1 => Just(OwnedValue::Missing)].boxed()
}

fn any_value() -> BoxedStrategy<OwnedValue> {
    prop_oneof![
        Just(OwnedValue::Number(f64::NAN)),
        Just(OwnedValue::Number(f64::INFINITY)),
        number().prop_map(OwnedValue::from),
        any::<bool>().prop_map(OwnedValue::from),
        Just(OwnedValue::Category("elsewhere".into())),
        word().prop_map(OwnedValue::Category),
        date().prop_map(OwnedValue::from),
        Just(OwnedValue::Tags(vec!["ab".into(), "elsewhere".into()])),
    ]
    .boxed()
}

fn comparison(literal: BoxedStrategy<Literal>, ordered: bool) -> BoxedStrategy<Test> {
    let list = prop::collection::vec(literal.clone(), 1..14);
    let nominal = prop_oneof![
        literal.clone().prop_map(Test::Eq),
        list.prop_map(Test::In),
        Just(Test::Set),
        Just(Test::Missing),
    ];
    if !ordered {
        return nominal.boxed();
    }
    prop_oneof![
        2 => nominal,
        1 => literal.clone().prop_map(Test::Lt),
        1 => literal.clone().prop_map(Test::Le),
        1 => literal.clone().prop_map(Test::Gt),
        1 => literal.clone().prop_map(Test::Ge),
        1 => (literal.clone(), literal).prop_map(|(lo, hi)| Test::Between { lo, hi }),
    ]
    .boxed()
}

pub(crate) fn test(spec: &FeatureSpec) -> BoxedStrategy<Test> {
    let words = || prop::collection::vec(word(), 1..4);
    match spec.kind() {
        FeatureKind::Number => comparison(number().prop_map(Literal::from).boxed(), true),
        FeatureKind::Flag => {
            comparison(any::<bool>().prop_map(Literal::from).boxed(), false)
        }
        FeatureKind::Date => comparison(date().prop_map(Literal::from).boxed(), true),
        FeatureKind::Ordinal => comparison(word().prop_map(Literal::from).boxed(), true),
        FeatureKind::Category => prop_oneof![
            2 => comparison(word().prop_map(Literal::from).boxed(), false),
            1 => prop_oneof![
                word().prop_map(Test::Contains),
                word().prop_map(Test::StartsWith),
                word().prop_map(Test::EndsWith),
                prop::sample::select(&PATTERNS[..])
                    .prop_map(|(pattern, _)| Test::Matches(pattern.to_owned())),
            ],
        ]
        .boxed(),
        _ => {
            let size = comparison((0..4).prop_map(Literal::from).boxed(), true).prop_map(
                |test| match test {
                    Test::Set | Test::Missing => test,
                    test => Test::Size(Box::new(test)),
                },
            );
            prop_oneof![
                words().prop_map(Test::HasAny),
                words().prop_map(Test::HasAll),
                size,
            ]
            .boxed()
        }
    }
}

pub(crate) fn field_rule(specs: &[FeatureSpec]) -> BoxedStrategy<Rule> {
    let tests: Vec<BoxedStrategy<(String, Test)>> = specs
        .iter()
        .map(|spec| {
            let name = spec.name().to_owned();
            test(spec).prop_map(move |test| (name.clone(), test)).boxed()
        })
        .collect();
    let tests = prop::strategy::Union::new(tests);
    let when_missing = prop_oneof![2 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (tests, when_missing)
        .prop_map(|((name, is), when_missing)| {
            let free = matches!(is, Test::Set | Test::Missing);
            let when_missing = if free { None } else { when_missing };
            Rule::Field(FieldTest { name, is, when_missing })
        })
        .boxed()
}

pub(crate) fn rule(specs: &[FeatureSpec]) -> BoxedStrategy<Rule> {
    let leaf = prop_oneof![
        8 => field_rule(specs),
        1 => Just(Rule::Everyone),
        1 => Just(Rule::Nobody),
    ];
    leaf.prop_recursive(5, 30, 5, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..5);
        prop_oneof![
            some.clone().prop_map(Rule::All),
            some.clone().prop_map(Rule::Any),
            (some, any::<prop::sample::Index>())
                .prop_map(|(of, n)| { Rule::AtLeast { n: n.index(of.len()) + 1, of } }),
            inner.prop_map(|rule| !rule),
        ]
    })
    .boxed()
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) schema: Schema,
    rules: Vec<Rule>,
    rest: bool,
    pub(crate) customers: Vec<OwnedCustomer>,
}

impl Case {
    pub(crate) fn set(&self) -> RuleSet {
        let rules = self.rules.iter().enumerate();
        let set = rules.fold(RuleSet::new(), |set, (i, rule)| {
            set.segment(format!("s{i}"), format!("Segment {i}"), rule.clone())
        });
        if self.rest { set.rest("rest", "The rest") } else { set }
    }

    pub(crate) fn models(&self) -> (RuleSegmenter, RuleBook) {
        let set = self.set();
        (set.compile(&self.schema).unwrap(), set.compile_book(&self.schema).unwrap())
    }
}

/// Puts swapped ends of `between` in order, so that the rule can be compiled.
pub(crate) fn tidy(rule: Rule, schema: &Schema) -> Rule {
    let each = |rules: Vec<Rule>| {
        rules.into_iter().map(|rule| tidy(rule, schema)).collect::<Vec<_>>()
    };
    match rule {
        Rule::All(rules) => Rule::All(each(rules)),
        Rule::Any(rules) => Rule::Any(each(rules)),
        Rule::AtLeast { n, of } => Rule::AtLeast { n, of: each(of) },
        Rule::Not(rule) => !tidy(*rule, schema),
        rule => {
            let swapped = match &rule {
                Rule::Field(test) => {
                    swap(&test.is).map(|is| Rule::Field(FieldTest { is, ..test.clone() }))
                }
                _ => None,
            };
            match swapped {
                Some(swapped) if rule.compile(schema).is_err() => swapped,
                _ => rule,
            }
        }
    }
}

pub(crate) fn swap(test: &Test) -> Option<Test> {
    match test {
        Test::Between { lo, hi } => {
            Some(Test::Between { lo: hi.clone(), hi: lo.clone() })
        }
        Test::Size(test) => swap(test).map(|test| Test::Size(Box::new(test))),
        _ => None,
    }
}

pub(crate) fn case(liars: bool) -> impl Strategy<Value = Case> {
    specs().prop_flat_map(move |specs| {
        let values: Vec<BoxedStrategy<OwnedValue>> = specs
            .iter()
            .map(|spec| {
                if liars {
                    prop_oneof![3 => value(spec), 1 => any_value()].boxed()
                } else {
                    value(spec)
                }
            })
            .collect();
        let schema = Schema::new(specs.clone()).unwrap();
        let rules = prop::collection::vec(rule(&specs), 1..4);
        let customers = prop::collection::vec(values, 1..8);
        (rules, any::<bool>(), customers).prop_map(move |(rules, rest, customers)| {
            let customer =
                |values| OwnedCustomer::with_values(&schema, 1_u64, values).unwrap();
            Case {
                rules: rules.into_iter().map(|rule| tidy(rule, &schema)).collect(),
                rest,
                customers: customers.into_iter().map(customer).collect(),
                schema: schema.clone(),
            }
        })
    })
}

pub(crate) fn kleene(truth: Option<bool>) -> Truth {
    truth.map_or(Truth::Unknown, Truth::from)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(256)
    })]

    #[test]
    fn every_path_agrees_with_the_naive_interpreter(case in case(false)) {
        let (segmenter, book) = case.models();
        let n = segmenter.segments().len();
        let mut counts = vec![(0, 0, 0); n];
        for customer in &case.customers {
            let naive: Vec<Truth> = case
                .rules
                .iter()
                .map(|rule| kleene(naive::plain(rule, case.schema.features(), customer.values())))
                .collect();
            for (rule, &expected) in case.rules.iter().zip(&naive) {
                let compiled = rule.compile(&case.schema).unwrap();
                prop_assert_eq!(compiled.truth(customer).unwrap(), expected, "{}", rule);
                prop_assert_eq!(compiled.holds(customer).unwrap(), expected.is_true());
            }
            let first = naive.iter().position(|t| t.is_true());
            let expected = first.or(case.rest.then_some(case.rules.len()));
            let assigned = segmenter.assign(customer).unwrap();
            prop_assert_eq!(assigned.segment().map(|s| s.get()), expected);
            prop_assert_eq!(book.assign(customer).unwrap(), assigned);

            let mut membership = naive.clone();
            if case.rest {
                membership.push(Truth::from(first.is_none()));
            }
            prop_assert_eq!(&book.membership(customer).unwrap(), &membership);
            let mut matches = Vec::new();
            book.matches_with(customer, &mut matches).unwrap();
            let affinities = book.affinities(customer).unwrap();
            for (i, truth) in membership.iter().enumerate() {
                let member = matches.iter().any(|s| s.get() == i);
                prop_assert_eq!(member, truth.is_true());
                prop_assert_eq!(affinities[i], f64::from(u8::from(member)));
                match truth {
                    Truth::True => counts[i].0 += 1,
                    Truth::Unknown => counts[i].1 += 1,
                    Truth::False => counts[i].2 += 1,
                }
            }

            for (model, all) in [(&segmenter as &dyn Segmenter, false), (&book, true)] {
                let explanation = model.explain(customer).unwrap();
                prop_assert_eq!(explanation.assignment, assigned);
                let Reason::Rules { clauses } = explanation.reason else { panic!() };
                let roots: Vec<(usize, Truth)> = clauses
                    .iter()
                    .filter(|clause| clause.depth == 0)
                    .map(|clause| (clause.segment.get(), clause.truth))
                    .collect();
                let shown = if all { n } else { first.map_or(n, |i| i + 1) };
                let expected: Vec<(usize, Truth)> =
                    membership.iter().copied().enumerate().take(shown).collect();
                prop_assert_eq!(roots, expected);
                for clause in clauses.iter().filter(|c| c.segment.get() < case.rules.len()) {
                    // Every inner clause is a rule of its own.
                    let whole = &case.rules[clause.segment.get()];
                    let json = serde_json::to_value(whole).unwrap();
                    let part = json.pointer(&clause.path).unwrap().clone();
                    let part: Rule = serde_json::from_value(part).unwrap();
                    let expected = kleene(naive::plain(&part, case.schema.features(), customer.values()));
                    prop_assert_eq!(clause.truth, expected, "{} at {}", whole, clause.path);
                }
            }
        }
        let table = Table::from_customers(&case.schema, &case.customers).unwrap();
        let counted: Vec<(u64, u64, u64)> = book
            .count(&table)
            .unwrap()
            .iter()
            .map(|c| (c.members, c.undecided, c.non_members))
            .collect();
        prop_assert_eq!(counted, counts);
        for (customer, assigned) in case.customers.iter().zip(segmenter.assign_all(&table).unwrap()) {
            prop_assert_eq!(segmenter.assign(customer).unwrap(), assigned);
        }
    }

    #[test]
    fn definitions_and_models_round_trip(case in case(false)) {
        let set = case.set();
        prop_assert_eq!(&RuleSet::from_json(&set.to_json().unwrap()).unwrap(), &set);
        for rule in &case.rules {
            let json = serde_json::to_string(rule).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Rule>(&json).unwrap(), rule);
        }
        let (segmenter, book) = case.models();
        let json = segmenter.save().unwrap().to_json().unwrap();
        let loaded = RuleSegmenter::load(&Saved::from_json(&json).unwrap()).unwrap();
        prop_assert_eq!(&loaded, &segmenter);
        let json = book.save().unwrap().to_json().unwrap();
        let loaded = RuleBook::load(&Saved::from_json(&json).unwrap()).unwrap();
        prop_assert_eq!(&loaded, &book);
    }

    #[test]
    fn liars_get_an_error_that_names_a_false_value_or_an_answer_without_it(
        case in case(true),
    ) {
        let (segmenter, book) = case.models();
        for customer in &case.customers {
            let specs = case.schema.features();
            let faulty: Vec<&str> = specs
                .iter()
                .zip(customer.values())
                .filter(|(spec, value)| !naive::usable(spec, value))
                .map(|(spec, _)| spec.name())
                .collect();
            let blames_a_liar = |error: &segmenta::Error| match error.kind() {
                ErrorKind::NonFinite { feature, .. }
                | ErrorKind::WrongKind { feature, .. }
                | ErrorKind::UnknownLevel { feature, .. } => {
                    faulty.contains(&feature.as_str())
                }
                _ => false,
            };
            for rule in &case.rules {
                let naive = kleene(naive::plain(rule, case.schema.features(), customer.values()));
                let compiled = rule.compile(&case.schema).unwrap();
                match compiled.holds(customer) {
                    Ok(holds) => prop_assert_eq!(holds, naive.is_true(), "{}", rule),
                    Err(error) => prop_assert!(blames_a_liar(&error), "{}", error),
                }
                match compiled.truth(customer) {
                    Ok(truth) => prop_assert_eq!(truth, naive, "{}", rule),
                    Err(error) => prop_assert!(blames_a_liar(&error), "{}", error),
                }
            }
            for model in [&segmenter as &dyn Segmenter, &book] {
                match (model.assign(customer), model.explain(customer)) {
                    (Ok(assigned), Ok(explanation)) => {
                        prop_assert_eq!(assigned, explanation.assignment);
                        let json = serde_json::to_string(&explanation).unwrap();
                        prop_assert!(!json.contains("\"number\":null"));
                    }
                    (Err(a), Err(b)) => {
                        prop_assert!(blames_a_liar(&a));
                        prop_assert_eq!(a.to_string(), b.to_string());
                    }
                    (a, b) => prop_assert!(false, "{:?} but {:?}", a, b),
                }
            }
            if let Err(error) = book.membership(customer) {
                prop_assert!(blames_a_liar(&error));
            }
            if let Err(error) = book.affinities(customer) {
                prop_assert!(blames_a_liar(&error));
            }
        }
    }
}
