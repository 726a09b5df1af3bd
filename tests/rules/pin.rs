//! Shares of a table's customers.

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{
    Date, EventLog, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Span, StreamSpec,
    Table, Timestamp,
};
use segmenta::rules::{Rule, RuleSet, RuleText, Share, events, field};
use segmenta::segmenter::{SegmentIndex, Truth};

fn schema() -> Schema {
    Schema::builder()
        .feature(FeatureSpec::number("spend"))
        .feature(FeatureSpec::date("joined"))
        .stream(StreamSpec::new("order", [FeatureSpec::number("amount")]))
        .build()
        .unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(100 * 86_400_000)
}

/// A spend, a day of joining, and amounts of orders on the days before.
type Known = (Option<i32>, Option<i32>, Vec<i32>);

fn customers(known: &[Known]) -> Vec<OwnedCustomer> {
    let schema = schema();
    let customer = |(i, (spend, joined, amounts)): (usize, &Known)| {
        let spend = spend.map_or(OwnedValue::Missing, |x| f64::from(x).into());
        let joined =
            joined.map_or(OwnedValue::Missing, |d| Date::from_days(d).unwrap().into());
        let orders = amounts.iter().enumerate().map(|(day, &amount)| {
            let at = Timestamp::from_millis((90 - 10 * day as i64) * 86_400_000);
            (at, [f64::from(amount)])
        });
        let log = EventLog::new(&schema.streams()[0], orders).unwrap();
        OwnedCustomer::with_values(&schema, i as u64, vec![spend, joined])
            .unwrap()
            .set_events("order", log)
            .unwrap()
    };
    known.iter().enumerate().map(customer).collect()
}

fn known() -> impl Strategy<Value = Vec<Known>> {
    let one = (
        prop::option::of(-5..9_i32),
        prop::option::of(0..9_i32),
        prop::collection::vec(0..9_i32, 0..4),
    );
    prop::collection::vec(one, 0..30)
}

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![
        (1..12_u64).prop_map(Share::Count),
        prop::sample::select(vec![1.0, 10.0, 12.5, 50.0, 99.9, 100.0])
            .prop_map(Share::Percent),
    ]
}

/// How many of `n`, in whole thousandths of a percent.
fn wanted(share: Share, n: usize) -> usize {
    match share {
        Share::Count(count) => n.min(count as usize),
        Share::Percent(percent) => {
            (n * (percent * 1000.0).round() as usize).div_ceil(100_000)
        }
    }
}

/// Whoever has fewer others above than the share has members.
fn oracle(values: &[Option<f64>], share: Share, is_top: bool) -> Vec<Truth> {
    let there: Vec<f64> = values.iter().flatten().copied().collect();
    let n = wanted(share, there.len());
    let beats = |other: f64, own: f64| if is_top { other > own } else { other < own };
    let member = |value: &Option<f64>| match value {
        None => Truth::Unknown,
        Some(own) => {
            Truth::from(there.iter().filter(|other| beats(**other, *own)).count() < n)
        }
    };
    values.iter().map(member).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn members_are_those_whom_few_are_before(
        known in known(),
        share in share(),
        is_top in any::<bool>(),
    ) {
        let test = |subject: segmenta::rules::Field| {
            if is_top { subject.in_top(share) } else { subject.in_bottom(share) }
        };
        let total = events("order").last(Span::days(25)).sum("amount");
        let last = events("order").last_day();
        let set = RuleSet::new()
            .segment("a", "A", test(field("spend")))
            .segment("b", "B", Rule::all([!!test(field("joined"))]))
            .segment("c", "C", test(total))
            .segment("d", "D", test(last));
        let customers = customers(&known);
        let table = Table::from_customers(&schema(), &customers).unwrap();
        let pinned = set.pin(&table, now()).unwrap();
        let book = pinned.compile_book(&schema()).unwrap().at(now());
        let memberships = book.memberships(&table).unwrap();
        let spend: Vec<_> = known.iter().map(|k| k.0.map(f64::from)).collect();
        let joined: Vec<_> = known.iter().map(|k| k.1.map(f64::from)).collect();
        // Of the last 25 days are the first two orders.
        let sums: Vec<_> = known
            .iter()
            .map(|k| Some(k.2.iter().take(2).map(|&x| f64::from(x)).sum()))
            .collect();
        let days: Vec<_> = known.iter().map(|k| k.2.first().map(|_| 90.0)).collect();
        for (s, values) in [spend, joined, sums, days].iter().enumerate() {
            let expected = oracle(values, share, is_top);
            for (row, truth) in expected.into_iter().enumerate() {
                let segment = SegmentIndex::new(s as u32);
                prop_assert_eq!(memberships.truth(row, segment), truth, "{} {}", s, row);
            }
        }
    }

    #[test]
    fn shares_go_through_both_written_forms(share in share(), is_top in any::<bool>()) {
        let spend = field("spend").when_missing(false);
        let rule = if is_top { spend.in_top(share) } else { spend.in_bottom(share) };
        prop_assert_eq!(&rule.to_string().parse::<Rule>().unwrap(), &rule);
        let json = serde_json::to_string(&rule).unwrap();
        prop_assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule);
    }
}

#[test]
fn a_threshold_keeps_what_else_the_test_says() {
    let rule: Rule = "spend in top 1 when missing no".parse().unwrap();
    let set = RuleSet::new().segment("s", "S", rule).rest("r", "R");
    let customers = customers(&[(Some(3), None, vec![]), (None, None, vec![])]);
    let table = Table::from_customers(&schema(), customers).unwrap();
    let pinned = set.pin(&table, now()).unwrap();
    assert_eq!(pinned.segments[0].rule.to_string(), "spend >= 3 when missing no");
    assert_eq!(pinned.rest, set.rest);
}

#[test]
fn percentages_are_not_rounded_up_by_what_they_cannot_say() {
    // 0.1 · 30 · … is a little more than a whole number in binary.
    for (percent, n, expected) in [
        (10.0, 30, 3),
        (0.1, 1000, 1),
        (70.0, 10, 7),
        (55.0, 100, 55),
        (29.0, 100, 29),
        (1.0, 101, 2),
        (33.3, 1000, 333),
        (5e-324, 1, 1),
        (1e-12, 50, 1),
    ] {
        let known: Vec<Known> = (0..n).map(|i| (Some(i), None, vec![])).collect();
        let table = Table::from_customers(&schema(), customers(&known)).unwrap();
        let set = RuleSet::new().segment(
            "s",
            "S",
            field("spend").in_top(Share::Percent(percent)),
        );
        let book = set.pin(&table, now()).unwrap().compile_book(&schema()).unwrap();
        assert_eq!(book.count(&table).unwrap()[0].members, expected, "{percent} {n}");
    }
}

#[test]
fn what_is_no_share_is_told() {
    let code = |text: &str| {
        let error = RuleText::parse(text).unwrap().compile(&schema()).unwrap_err();
        let ErrorKind::Definition { issues, .. } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(issues.len(), 1);
        issues[0].code.clone()
    };
    assert_eq!(code("spend in top 10 percent"), "not-pinned");
    assert_eq!(code("events(order).count in last 5d in bottom 3"), "not-pinned");
    assert_eq!(code("events(order where amount in top 3) in last 5d"), "not-pinned");
    for text in
        ["spend in top 0", "spend in top 0 percent", "joined in top 100.5 percent"]
    {
        assert_eq!(code(text), "bad-share");
    }
    assert!("spend in top 2.5".parse::<Rule>().is_err());
    assert!("spend in top many".parse::<Rule>().is_err());
    // Faults are left to be told when the rule is compiled, but for those of the test.
    let table = Table::from_customers(&schema(), customers(&[])).unwrap();
    let pin = |text: &str| {
        let rule = text.parse().unwrap();
        RuleSet::new().segment("s", "S", rule).pin(&table, now())
    };
    assert!(pin("spent in top 3").is_err());
    assert!(pin("spend in top 0").unwrap().compile(&schema()).is_err());
    let error = pin("joined is set and not spent in bottom 3").unwrap_err();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(issues[0].path, "/segments/0/rule/all/1/not/field/name");
    let mut deep = field("spend").in_top(Share::Count(1));
    for _ in 0..100_000 {
        deep = !deep;
    }
    let set = RuleSet::new().segment("s", "S", deep);
    assert!(set.pin(&table, now()).unwrap_err().to_string().contains("too deeply"));
    // Dropping it would recurse as deep.
    std::mem::forget(set);
}

#[test]
fn a_share_of_nobody_says_of_the_missing_what_it_said() {
    let schema = schema();
    let table =
        Table::from_customers(&schema, customers(&[(None, None, vec![])])).unwrap();
    let known = customers(&[(Some(3), Some(2), vec![5]), (None, None, vec![])]);
    for subject in ["spend", "joined", "events(order).last_day"] {
        for (text, expected) in [
            ("in top 10 percent", [Truth::False, Truth::Unknown]),
            ("in top 3 when missing yes", [Truth::False, Truth::True]),
            ("in bottom 3 when missing no", [Truth::False, Truth::False]),
        ] {
            let rule: Rule = format!("{subject} {text}").parse().unwrap();
            let set =
                RuleSet::new().segment("s", "S", rule.clone()).segment("n", "N", !rule);
            let book = set.pin(&table, now()).unwrap().compile_book(&schema).unwrap();
            let book = book.at(now());
            for (customer, expected) in known.iter().zip(expected) {
                let truths = book.membership(customer).unwrap();
                assert_eq!(truths, [expected, expected.not()], "{subject} {text}");
            }
        }
    }
}

#[test]
fn what_has_no_rank_is_told_where_it_stands() {
    let schema =
        Schema::new([FeatureSpec::category("c"), FeatureSpec::flag("f")]).unwrap();
    let table = Table::builder(&schema, 1)
        .categories("c", vec![0], &["a"][..])
        .flags("f", vec![true])
        .build()
        .unwrap();
    let rule = "f and (f or c in top 3)".parse().unwrap();
    let error = RuleSet::new().segment("s", "S", rule).pin(&table, now()).unwrap_err();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(issues[0].path, "/segments/0/rule/all/1/any/1");
    assert_eq!(issues[0].code, "wrong-operator");
    let most = field("x").in_top(Share::Count(1 << 53));
    assert_eq!(most.to_string().parse::<Rule>().unwrap(), most);
}
