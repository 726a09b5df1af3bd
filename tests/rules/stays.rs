//! Segments that are not left at once.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segmenta::data::{
    CustomerId, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Span, Table, Timestamp,
};
use segmenta::rules::{
    Hysteresis, Limits, Rule, RuleBook, RuleSet, SegmentStay, Share, Stays, StickyBook,
    field, segment,
};

fn schema() -> Schema {
    Schema::new(["a", "b"].map(FeatureSpec::number)).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// The customers' numbers `a` and `b`, by their ids.
type Rows = BTreeMap<u64, [Option<f64>; 2]>;

fn table(rows: &Rows) -> Table<'static> {
    let schema = schema();
    let value = |x: Option<f64>| x.map_or(OwnedValue::Missing, OwnedValue::Number);
    let customer = |(&id, numbers): (&u64, &[Option<f64>; 2])| {
        let values = numbers.iter().map(|x| value(*x)).collect();
        OwnedCustomer::with_values(&schema, id, values).unwrap()
    };
    Table::from_customers(&schema, rows.iter().rev().map(customer)).unwrap()
}

/// One customer of this number.
fn one(a: f64) -> Table<'static> {
    table(&BTreeMap::from([(7, [Some(a), None])]))
}

fn book() -> RuleBook {
    RuleBook::builder(&schema())
        .segment("by", "Left by a rule", field("a").ge(3))
        .segment("least", "Stays for a while", field("a").ge(3))
        .segment("both", "Both", field("a").ge(3))
        .segment("plain", "As in the book", field("a").ge(3))
        .segment("sure", "Left when it is False", field("a").ge(3))
        .segment("crossed", "Both rules may be True", field("a").ge(2))
        .rest("rest", "The rest")
        .build()
        .unwrap()
}

fn sticky() -> StickyBook {
    let leave = || field("b").lt(1);
    StickyBook::new(
        &book(),
        [
            Hysteresis::new("by").leave(leave()),
            Hysteresis::new("least").minimum_stay(Span::from_millis(3)),
            Hysteresis::new("both").leave(leave()).minimum_stay(Span::from_millis(3)),
            Hysteresis::new("sure"),
            Hysteresis::new("crossed").leave(!segment("plain")),
        ],
    )
    .unwrap()
}

#[test]
fn hystereses_must_name_segments_that_have_a_rule() {
    let error = |list: Vec<Hysteresis>| StickyBook::new(&book(), list).unwrap_err();
    let issues = |list| match error(list).into_kind() {
        segmenta::ErrorKind::Definition { what, issues } => {
            assert_eq!(what, "the hysteresis");
            issues.into_iter().map(|i| (i.code, i.path, i.suggestion)).collect::<Vec<_>>()
        }
        kind => panic!("{kind:?}"),
    };
    let found = issues(vec![
        Hysteresis::new("bye"),
        Hysteresis::new("by").leave(field("aa").lt(1)),
        Hysteresis::new("rest"),
        Hysteresis::new("plain"),
        Hysteresis::new("plain"),
        Hysteresis::new("both").leave(segment("sur") | field("b").lt("x")),
    ]);
    let expected = [
        ("unknown-segment", "/0/segment", Some("by")),
        ("unknown-segment", "/2/segment", None),
        ("duplicate-id", "/4/segment", None),
        ("unknown-feature", "/1/leave/field/name", Some("a")),
        ("unknown-segment", "/5/leave/any/0/segment/id", Some("sure")),
        ("wrong-literal", "/5/leave/any/1/field/is/lt", None),
    ];
    let text = |x: &str| x.to_owned();
    let expected =
        expected.map(|(code, path, near)| (text(code), text(path), near.map(text)));
    assert_eq!(found, expected);
    let json = r#"{"segment": "by", "leave": "nobody", "minimum_stay": "2d"}"#;
    let read: Hysteresis = serde_json::from_str(json).unwrap();
    let nobody = Hysteresis::new("by").leave(Rule::Nobody);
    assert_eq!(read, nobody.minimum_stay(Span::days(2)));
}

/// As [`sticky`], with all in the definition.
fn set() -> RuleSet {
    let leave = || SegmentStay::new().leave(field("b").lt(1));
    let a_while = Span::from_millis(3);
    RuleSet::new()
        .segment("by", "Left by a rule", field("a").ge(3))
        .stay(leave())
        .segment("least", "Stays for a while", field("a").ge(3))
        .stay(SegmentStay::new().minimum_stay(a_while))
        .segment("both", "Both", field("a").ge(3))
        .stay(leave().minimum_stay(a_while))
        .segment("plain", "As in the book", field("a").ge(3))
        .segment("sure", "Left when it is False", field("a").ge(3))
        .stay(SegmentStay::new())
        .segment("crossed", "Both rules may be True", field("a").ge(2))
        .stay(SegmentStay::new().leave(!segment("plain")))
        .rest("rest", "The rest")
}

#[test]
fn stays_are_part_of_a_definition() {
    let compiled = set().compile_sticky(&schema()).unwrap();
    assert_eq!(compiled, sticky());
    assert_eq!(compiled.definition(), set());
    let json = set().to_json().unwrap();
    assert_eq!(RuleSet::from_json(&json).unwrap(), set());
    assert_eq!(serde_json::from_str::<RuleSet>(&json).unwrap(), set());
    assert!(json.contains(r#""stay":{"minimum_stay":"3ms"}"#), "{json}");
    assert!(json.contains(r#""stay":{}"#), "{json}");
    // A set without is a book that is left at once.
    let book = book().definition().compile_sticky(&schema()).unwrap();
    assert_eq!(book, StickyBook::new(&super::stays::book(), []).unwrap());
    assert_eq!(book.definition(), super::stays::book().definition());

    let codes = |error: segmenta::Error| match error.into_kind() {
        segmenta::ErrorKind::Definition { what, issues } => {
            assert_eq!(what, "the rules");
            issues.into_iter().map(|i| (i.code, i.path)).collect::<Vec<_>>()
        }
        kind => panic!("{kind:?}"),
    };
    let expected = [0, 1, 2, 4, 5].map(|i| format!("/segments/{i}/stay"));
    let expected: Vec<_> =
        expected.into_iter().map(|path| ("no-stay-here".to_owned(), path)).collect();
    assert_eq!(codes(set().compile(&schema()).unwrap_err()), expected);
    assert_eq!(codes(set().compile_book(&schema()).unwrap_err()), expected);

    let faulty = set()
        .segment("late", "Late", field("c").ge(1))
        .version(0)
        .stay(SegmentStay::new().leave(segment("sur") | field("b").lt("x")));
    let expected = [
        ("bad-version", "/segments/6/version"),
        ("unknown-feature", "/segments/6/rule/field/name"),
        ("unknown-segment", "/segments/6/stay/leave/any/0/segment/id"),
        ("wrong-literal", "/segments/6/stay/leave/any/1/field/is/lt"),
    ];
    let expected = expected.map(|(code, path)| (code.to_owned(), path.to_owned()));
    assert_eq!(codes(faulty.compile_sticky(&schema()).unwrap_err()), expected);

    let twice = set().segment("rest", "Not the rest", Rule::Nobody);
    let expected = [("duplicate-id".to_owned(), "/rest/id".to_owned())];
    assert_eq!(codes(twice.compile_sticky(&schema()).unwrap_err()), expected);
}

#[test]
fn rules_to_leave_are_no_segments_of_the_limit() {
    let limits = Limits::new().list_len(6);
    assert!(set().compile_sticky_with(&schema(), &limits).is_ok());
    let five = Limits::new().list_len(5);
    assert!(set().compile_sticky_with(&schema(), &five).is_err());
    let book = RuleBook::builder(&schema())
        .segment("a", "A", field("a").ge(3))
        .limits(Limits::new().list_len(1))
        .build()
        .unwrap();
    let sticky = StickyBook::new(&book, [Hysteresis::new("a").leave(Rule::Nobody)]);
    assert!(sticky.is_ok());
    // Nor may a rule to leave be longer than others.
    let long = Hysteresis::new("a").leave(Rule::any((0..2000).map(|_| Rule::Nobody)));
    let error = StickyBook::new(&book, [long]).unwrap_err();
    assert!(error.to_string().contains("/0/leave: the rule is too large"), "{error}");
}

#[test]
fn a_rule_to_leave_may_refer_to_its_segment_but_not_through_too_many() {
    let chain = (1..=65)
        .fold(RuleSet::new().segment("0", "0", field("a").ge(1)), |set, i| {
            set.segment(i.to_string(), "", segment((i - 1).to_string()))
        });
    let at = |id: &str| chain.clone().stay(SegmentStay::new().leave(segment(id)));
    let mut with_itself = chain.clone();
    with_itself.segments.truncate(65);
    let with_itself = with_itself.stay(SegmentStay::new().leave(segment("63")));
    assert!(with_itself.compile_sticky(&schema()).is_ok());
    let set = set().segment("own", "Own", field("a").ge(1));
    let set = set.stay(SegmentStay::new().leave(!segment("own")));
    assert!(set.compile_sticky(&schema()).is_ok());
    let error = at("64").compile_sticky(&schema()).unwrap_err().to_string();
    assert!(error.contains("/segments/65/rule: the segment refers to others"), "{error}");
    assert!(error.contains("/segments/65/stay/leave: the segment refers to"), "{error}");
}

#[test]
fn leaving_counts_where_segments_are_used_and_pinned() {
    let mut set = set();
    assert_eq!(set.dependants("plain"), [&"crossed".into()]);
    assert!(set.remove("plain").unwrap_err().to_string().contains("crossed"));
    let top = Share::Percent(50.0);
    let set = RuleSet::new()
        .segment("s", "S", field("a").ge(1))
        .stay(SegmentStay::new().leave(!field("b").in_top(top)));
    assert!(set.compile_sticky(&schema()).is_err());
    let rows = BTreeMap::from([1, 2, 3, 4].map(|i| (i, [None, Some(i as f64)])));
    let pinned = set.pin(&table(&rows), at(0)).unwrap();
    let leave = pinned.segments[0].stay.as_ref().unwrap().leave.as_ref().unwrap();
    assert_eq!(leave.to_string(), "not (b >= 3)");
    assert!(pinned.compile_sticky(&schema()).is_ok());
    let deep = (0..100).fold(Rule::Nobody, |rule, _| !rule);
    let deep = set.stay(SegmentStay::new().leave(deep));
    let error = deep.pin(&table(&rows), at(0)).unwrap_err().to_string();
    assert!(error.contains("/segments/0/stay/leave: the rule is nested"), "{error}");
}

/// A file that an earlier release wrote, whose checksum did not cover whether ids are numbers.
#[test]
fn stays_of_the_first_version_are_read() {
    let old = include_str!("saved/stays-1.json");
    let stays: Stays = serde_json::from_str(old).unwrap();
    assert_eq!(stays.since("many", 0), stays.instant());
    let texts = |json: &str| json.replace("{\"numbers\":[0]}", "{\"texts\":[\"\"]}");
    assert!(serde_json::from_str::<Stays>(&texts(old)).is_ok());
    let new = serde_json::to_string(&stays).unwrap();
    assert_eq!(serde_json::from_str::<Stays>(&new).unwrap(), stays);
    assert_ne!(texts(&new), new);
    assert!(serde_json::from_str::<Stays>(&texts(&new)).is_err());
}

#[test]
fn updates_go_forwards_with_ids_of_one_sort() {
    let sticky = sticky();
    let stays = sticky.update(&Stays::new(), &one(5.0), at(10)).unwrap();
    assert_eq!(stays.instant(), Some(at(10)));
    assert_eq!(
        sticky.update(&stays, &one(5.0), at(9)).unwrap_err().to_string(),
        "parameter `now` must be at or after 1970-01-01T00:00:00.010Z, when it was updated \
         before, but is 1970-01-01T00:00:00.009Z",
    );
    assert_eq!(sticky.update(&stays, &one(5.0), at(10)).unwrap(), stays);
    let text = OwnedCustomer::new(&schema(), "7");
    let texts = Table::from_customers(&schema(), [text]).unwrap();
    assert_eq!(
        sticky.update(&stays, &texts, at(11)).unwrap_err().to_string(),
        "parameter `ids` must be numbers, as before, but is texts",
    );
    let nameless = Table::builder(&schema(), 1)
        .numbers("a", vec![1.0])
        .numbers("b", vec![1.0])
        .build()
        .unwrap();
    assert!(sticky.update(&stays, &nameless, at(11)).is_err());
    assert_eq!(stays.since("by", 7), Some(at(10)));
    assert_eq!(stays.since("by", 8), None);
    assert_eq!(stays.since("by", "7"), None);
    assert_eq!(stays.since("nowhere", 7), None);
    assert_eq!(stays.members("nowhere").count(), 0);
}

#[test]
fn customers_with_texts_for_ids_stay_too() {
    let table = |customers: &[(&str, f64)]| {
        let customer = |&(id, a): &(&str, f64)| {
            OwnedCustomer::new(&schema(), id).set("a", a).unwrap()
        };
        Table::from_customers(&schema(), customers.iter().map(customer)).unwrap()
    };
    let sticky = sticky();
    let first = sticky.update(&Stays::new(), &table(&[("b", 5.0), ("a", 5.0)]), at(1));
    let first = first.unwrap();
    let second = sticky.update(&first, &table(&[("c", 5.0), ("b", 0.0)]), at(2)).unwrap();
    let members: Vec<_> = second.members("least").collect();
    assert_eq!(members, [("b".into(), at(1)), ("c".into(), at(2))]);
    assert_eq!(second.since("least", "b"), Some(at(1)));
    let changes = first.changes(&second);
    let changes = changes.iter().filter(|change| change.segment.as_str() == "least");
    let changes: Vec<_> =
        changes.map(|change| (change.customer, change.is_member)).collect();
    assert_eq!(changes, [("a".into(), false), ("c".into(), true)]);
    let json = serde_json::to_string(&second).unwrap();
    assert_eq!(serde_json::from_str::<Stays>(&json).unwrap(), second);
}

#[test]
fn segments_that_come_and_go_with_the_book() {
    let sticky = sticky();
    let stays = sticky.update(&Stays::new(), &one(5.0), at(10)).unwrap();
    let other = RuleBook::builder(&schema())
        .segment("by", "Left by a rule", field("a").ge(9))
        .segment("new", "New", field("a").ge(1))
        .build()
        .unwrap();
    let other =
        StickyBook::new(&other, [Hysteresis::new("by").leave(Rule::Nobody)]).unwrap();
    let later = other.update(&stays, &one(5.0), at(12)).unwrap();
    assert_eq!(later.since("by", 7), Some(at(10)));
    assert_eq!(later.since("new", 7), Some(at(12)));
    let changes = stays.changes(&later);
    let told: Vec<_> = changes
        .iter()
        .map(|c| (c.segment.as_str(), c.customer, c.since.as_millis(), c.is_member))
        .collect();
    let gone = ["least", "both", "plain", "sure", "crossed"];
    let ann = CustomerId::Number(7);
    let expected: Vec<_> = [("new", ann, 12, true)]
        .into_iter()
        .chain(gone.map(|segment| (segment, ann, 10, false)))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn stays_that_were_altered_are_an_error() {
    let stays = sticky().update(&Stays::new(), &one(5.0), at(10)).unwrap();
    let json = serde_json::to_string(&stays).unwrap();
    assert_eq!(serde_json::from_str::<Stays>(&json).unwrap(), stays);
    for (old, new) in [
        ("\"version\":2", "\"version\":1"),
        ("\"version\":2", "\"version\":3"),
        ("\"instant\":10", "\"instant\":11"),
        ("\"instant\":10", "\"instant\":null"),
        ("[7]", "[8]"),
        ("[10]", "[9]"),
        ("\"least\"", "\"most\""),
        ("\"segments\":", "\"more\":[],\"segments\":"),
    ] {
        let altered = json.replacen(old, new, 1);
        assert_ne!(altered, json, "{old}");
        assert!(serde_json::from_str::<Stays>(&altered).is_err(), "{new}");
    }
    let empty = serde_json::to_string(&Stays::new()).unwrap();
    assert_eq!(serde_json::from_str::<Stays>(&empty).unwrap(), Stays::new());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn histories_are_those_of_each_customer(
        history in prop::collection::vec(
            (
                0..3_i64,
                prop::collection::btree_map(
                    0..5_u64,
                    [prop::option::weighted(0.8, (0..5).prop_map(f64::from)),
                     prop::option::weighted(0.8, (0..3).prop_map(f64::from))],
                    0..5,
                ),
            ),
            1..12,
        ),
    ) {
        let sticky = sticky();
        let names = ["by", "least", "both", "plain", "sure", "crossed", "rest"];
        // Since when each customer is in each segment.
        let mut inside: BTreeMap<(&str, u64), i64> = BTreeMap::new();
        let mut stays = Stays::new();
        let mut now = 0;
        for (step, rows) in &history {
            now += step;
            let before = inside.clone();
            inside.retain(|(_, id), _| rows.contains_key(id));
            for (&id, [a, b]) in rows {
                let enter = a.map(|a| a >= 3.0);
                let leave = b.map(|b| b < 1.0) == Some(true);
                for name in &names[..6] {
                    let key = (*name, id);
                    let has_stayed = inside.get(&key).is_some_and(|since| now - since >= 3);
                    let is_in = inside.contains_key(&key);
                    let (enters, leaves) = match *name {
                        "by" => (enter == Some(true) && !leave, leave),
                        "least" => (enter == Some(true), enter == Some(false) && has_stayed),
                        "both" => (enter == Some(true) && !leave, leave && has_stayed),
                        "plain" => (enter == Some(true), enter != Some(true)),
                        "sure" => (enter == Some(true), enter == Some(false)),
                        // Of those who are not in `plain` it says the contrary.
                        _ => (
                            a.is_some_and(|a| a >= 2.0) && enter != Some(false),
                            enter == Some(false),
                        ),
                    };
                    if is_in && leaves {
                        inside.remove(&key);
                    } else if !is_in && enters {
                        inside.insert(key, now);
                    }
                }
                let is_in_one = names[..6].iter().any(|name| inside.contains_key(&(*name, id)));
                if is_in_one {
                    inside.remove(&("rest", id));
                } else {
                    inside.entry(("rest", id)).or_insert(now);
                }
            }
            let later = sticky.update(&stays, &table(rows), at(now)).unwrap();
            for name in names {
                let found: Vec<(CustomerId<'_>, i64)> =
                    later.members(name).map(|(id, since)| (id, since.as_millis())).collect();
                let expected = inside.iter().filter(|((segment, _), _)| *segment == name);
                let expected: Vec<_> = expected
                    .map(|((_, id), since)| (CustomerId::Number(*id), *since))
                    .collect();
                prop_assert_eq!(found, expected, "{} at {}", name, now);
            }
            let mut changed = before.clone();
            for change in stays.changes(&later) {
                let CustomerId::Number(id) = change.customer else { panic!() };
                let key = (*names.iter().find(|n| **n == change.segment.as_str()).unwrap(), id);
                if change.is_member {
                    prop_assert_eq!(changed.insert(key, change.since.as_millis()), None);
                } else {
                    prop_assert_eq!(changed.remove(&key), Some(change.since.as_millis()));
                }
            }
            prop_assert_eq!(&changed, &inside);
            let json = serde_json::to_string(&later).unwrap();
            stays = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&stays, &later);
        }
    }
}

/// Tiers, each left otherwise.
fn tiers() -> StickyBook {
    let a_while = || SegmentStay::new().minimum_stay(Span::from_millis(3));
    RuleSet::new()
        .segment("by", "Left by a rule", field("a").ge(4))
        .stay(SegmentStay::new().leave(field("a").lt(2)))
        .segment("least", "Stays for a while", field("a").ge(3))
        .stay(a_while())
        .segment("both", "Both", field("a").ge(2))
        .stay(a_while().leave(field("b").lt(1)))
        .segment("plain", "As in the book", field("a").ge(1))
        .rest("rest", "The rest")
        .compile_sticky(&schema())
        .unwrap()
}

/// What a number makes of who is out and in of [`tiers`]: whether she enters, and leaves, if
/// she has stayed.
fn moves([a, b]: [Option<f64>; 2]) -> [(bool, bool); 4] {
    let is = |holds: &dyn Fn(f64) -> bool, x: Option<f64>| x.map(holds);
    let low = is(&|a| a < 2.0, a) == Some(true);
    let few = is(&|b| b < 1.0, b) == Some(true);
    let from = |least: f64| is(&|a| a >= least, a);
    [
        (from(4.0) == Some(true) && !low, low),
        (from(3.0) == Some(true), from(3.0) == Some(false)),
        (from(2.0) == Some(true) && !few, few),
        (from(1.0) == Some(true), from(1.0) != Some(true)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// One segment for each, where now and then the host asks for all of them.
    #[test]
    fn the_first_segment_that_holds_or_takes_her(
        history in prop::collection::vec(
            (
                prop::bool::weighted(0.2),
                0..3_i64,
                prop::collection::btree_map(
                    0..4_u64,
                    [prop::option::weighted(0.8, (0..5).prop_map(f64::from)),
                     prop::option::weighted(0.8, (0..3).prop_map(f64::from))],
                    0..5,
                ),
            ),
            1..12,
        ),
    ) {
        let sticky = tiers();
        let names = ["by", "least", "both", "plain", "rest"];
        // Since when each customer is in each segment.
        let mut inside: BTreeMap<u64, [Option<i64>; 5]> = BTreeMap::new();
        let mut stays = Stays::new();
        let mut now = 0;
        for (is_all, step, rows) in &history {
            now += step;
            inside.retain(|id, _| rows.contains_key(id));
            for (&id, &numbers) in rows {
                let before = inside.get(&id).copied().unwrap_or_default();
                let held = |at: usize| {
                    matches!(at, 1 | 2) && before[at].is_some_and(|since| now - since < 3)
                };
                let wanted = |at: usize| {
                    let (enters, leaves) = moves(numbers)[at];
                    if before[at].is_some() { !leaves } else { enters }
                };
                let mut is_in = [false; 5];
                if *is_all {
                    (0..4).for_each(|at| is_in[at] = held(at) || wanted(at));
                } else {
                    let first = (0..4).find(|&at| held(at));
                    let first = first.or_else(|| (0..4).find(|&at| wanted(at)));
                    first.into_iter().for_each(|at| is_in[at] = true);
                }
                is_in[4] = is_in[..4] == [false; 4];
                let after = [0, 1, 2, 3, 4]
                    .map(|at| is_in[at].then(|| before[at].unwrap_or(now)));
                inside.insert(id, after);
            }
            stays = match is_all {
                true => sticky.update(&stays, &table(rows), at(now)).unwrap(),
                false => sticky.update_first_match(&stays, &table(rows), at(now)).unwrap(),
            };
            for (&id, since) in &inside {
                let found =
                    names.map(|name| stays.since(name, id).map(Timestamp::as_millis));
                prop_assert_eq!(found, *since, "{} at {}", id, now);
            }
            let n_members: usize =
                names.iter().map(|name| stays.members(name).count()).sum();
            let n_expected = inside.values().flatten().flatten().count();
            prop_assert_eq!(n_members, n_expected);
        }
    }
}
