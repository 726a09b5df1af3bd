//! What is read of JSON beside what serde reads of it, over random definitions and random
//! changes of their text.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use segmenta::data::Span;
use segmenta::error::Issue;
use segmenta::rules::{
    Aggregate, BucketTest, CalendarUnit, ConsentAge, ConsentTest, DistanceTest,
    EventTest, FieldTest, LeapDay, Literal, PointsModel, Rule, RuleSet, SegmentStay,
    Share, Test, Window, bucket, consent, distance, events, score, segment,
    segment_version, sequence, step,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::json::issues;

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
        (any::<u32>(), any::<u32>(), select(units.clone()))
            .prop_map(|(from, to, unit)| Window::CalendarAgo { from, to, unit }),
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
            Rule::Bucket(bucket) => Rule::Bucket(BucketTest { is, ..bucket }),
            rule => rule,
        }),
        (place, test(), maybe.clone()).prop_map(|((north, east), is, when_missing)| {
            match distance("lat", "lon", north, east.into()).eq(1) {
                Rule::Distance(test) => {
                    Rule::Distance(DistanceTest { is, when_missing, ..test })
                }
                rule => rule,
            }
        }),
        (name(), consented, prop::option::of((name(), span()))).prop_map(
            |(purpose, is, given)| match consent(purpose).rule() {
                Rule::Consent(test) => {
                    let given = given.map(|(on, in_last)| ConsentAge { on, in_last });
                    Rule::Consent(ConsentTest { is, given, ..test })
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
            (name(), test()).prop_map(|(id, is)| score(id).is(is)),
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
    let scores = prop::collection::vec(("[a-c]{0,2}", points()), 0..2);
    (segments, prop::option::of("[a-c]{0,2}"), scores).prop_map(
        |(segments, rest, scores)| {
            let scored = scores
                .into_iter()
                .fold(RuleSet::new(), |set, (id, model)| set.score(id, model));
            let set = segments.into_iter().fold(
                scored,
                |set, (id, name, version, rule, stay)| {
                    let set = version
                        .into_iter()
                        .fold(set.segment(id, name, rule), RuleSet::version);
                    stay.into_iter().fold(set, RuleSet::stay)
                },
            );
            rest.into_iter().fold(set, |set, rest| set.rest(rest, "R"))
        },
    )
}

fn points() -> impl Strategy<Value = PointsModel> {
    let cap = || prop::option::of(-3..4_i32);
    let part = (
        rule(),
        window(),
        any::<bool>(),
        -1e9..1e9,
        cap(),
        prop::option::of((span(), prop::option::of(span()))),
    );
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
                half_life.into_iter().fold(model, |model, (half_life, every)| {
                    let model = model.half_life(half_life);
                    every.into_iter().fold(model, PointsModel::in_steps)
                })
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
