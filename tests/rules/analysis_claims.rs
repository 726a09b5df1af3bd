//! What an analysis claims against customers: no claim is ever false, and over small
//! domains none is left out.

use proptest::prelude::*;
use segmenta::data::{
    Date, EventLog, FeatureSpec, Moment, OwnedCustomer, OwnedValue, Schema, StreamSpec,
    Timestamp, Zone,
};
use segmenta::rules::{
    Analysis, AnalysisLimits, FieldTest, Finding, Literal, OpenQuestion, Relation, Rule,
    RuleBook, RuleSet, Test, segment,
};
use segmenta::segmenter::{SegmentId, Truth};

use super::behaviour::{self, DAY, WEEK};

fn at(set: &RuleSet, id: &SegmentId) -> usize {
    let place = set.segments.iter().position(|segment| segment.id == *id);
    place.unwrap_or(set.segments.len())
}

/// The set without the clauses that make no difference.
fn tidied(set: &RuleSet, analysis: &Analysis) -> RuleSet {
    let mut set = set.clone();
    for segment in &mut set.segments {
        let clauses = analysis.findings().iter().filter_map(|finding| match finding {
            Finding::Needless { segment: other, clause } if *other == segment.id => {
                Some(clause.as_str())
            }
            _ => None,
        });
        segment.rule = without(&segment.rule, &clauses.collect::<Vec<_>>());
    }
    set
}

/// A rule without some clauses, which are named in their order.
fn without(rule: &Rule, clauses: &[&str]) -> Rule {
    let mut json = serde_json::to_value(rule).unwrap();
    // From the last to the first, so that places stay.
    for clause in clauses.iter().rev() {
        let (list, place) = clause.rsplit_once('/').unwrap();
        let list = json.pointer_mut(list).unwrap().as_array_mut().unwrap();
        list.remove(place.parse().unwrap());
    }
    serde_json::from_value(simplified(json)).unwrap()
}

/// Lists without rules, which cannot be compiled, as what they mean.
fn simplified(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value::{Array, Object};
    match json {
        Object(map) => {
            if map.get("all") == Some(&Array(Vec::new())) {
                return serde_json::json!("everyone");
            }
            if map.get("any") == Some(&Array(Vec::new())) {
                return serde_json::json!("nobody");
            }
            if let Some(inner) = map.get("at_least") {
                let n = inner["n"].as_u64().unwrap() as usize;
                if n > inner["of"].as_array().unwrap().len() {
                    return serde_json::json!("nobody");
                }
            }
            Object(map.into_iter().map(|(key, value)| (key, simplified(value))).collect())
        }
        Array(items) => Array(items.into_iter().map(simplified).collect()),
        other => other,
    }
}

/// What one customer says of the claims.
struct Checked<'a> {
    set: &'a RuleSet,
    analysis: &'a Analysis,
    relations: Vec<(usize, usize, Relation)>,
}

impl<'a> Checked<'a> {
    fn new(set: &'a RuleSet, analysis: &'a Analysis) -> Checked<'a> {
        let mut relations = Vec::new();
        let mut ids: Vec<&SegmentId> = set.segments.iter().map(|s| &s.id).collect();
        ids.extend(set.rest.iter().map(|rest| &rest.id));
        for (i, a) in ids.iter().enumerate() {
            for (j, b) in ids.iter().enumerate() {
                let relation = analysis.relation(a.as_str(), b.as_str()).unwrap();
                relations.push((i, j, relation));
            }
        }
        Checked { set, analysis, relations }
    }

    fn check(&self, truths: &[Truth], tidied: &[Truth]) -> Result<(), TestCaseError> {
        let is_in = |id: &SegmentId| truths[at(self.set, id)].is_true();
        let first = truths.iter().position(|truth| truth.is_true());
        for finding in self.analysis.findings() {
            let is_so = match finding {
                Finding::Never { segment, .. } => !is_in(segment),
                Finding::Always { segment } => is_in(segment),
                Finding::Equal { segments } => {
                    segments.iter().all(|other| is_in(other) == is_in(&segments[0]))
                }
                Finding::Within { segment, of } => !is_in(segment) || is_in(of),
                Finding::Shadowed { segment, by } => {
                    let place = at(self.set, segment);
                    by.iter().all(|other| at(self.set, other) < place)
                        && first != Some(place)
                        && (!is_in(segment) || by.iter().any(is_in))
                }
                Finding::EmptyRest { segment, by } => {
                    !is_in(segment) && by.iter().any(is_in)
                }
                Finding::Needless { segment, .. } => {
                    is_in(segment) == tidied[at(self.set, segment)].is_true()
                }
                other => panic!("{other:?}"),
            };
            prop_assert!(is_so, "{} but {:?}", finding, truths);
        }
        for &(i, j, relation) in &self.relations {
            let (a, b) = (truths[i].is_true(), truths[j].is_true());
            let is_so = match relation {
                Relation::Equal => a == b,
                Relation::Within => !a || b,
                Relation::Contains => !b || a,
                Relation::Disjoint => !a || !b,
                _ => true,
            };
            prop_assert!(is_so, "{}, {}: {} but {:?}", i, j, relation, truths);
        }
        Ok(())
    }
}

/// The clauses that contradict each other do so without the others.
fn only_blamed(set: &RuleSet, analysis: &Analysis) -> RuleSet {
    let mut blamed = RuleSet::new();
    for finding in analysis.findings() {
        let Finding::Never { segment, clauses } = finding else { continue };
        let rule = &set.segments[at(set, segment)].rule;
        let json = serde_json::to_value(rule).unwrap();
        let part = |clause: &String| -> Rule {
            serde_json::from_value(json.pointer(clause).unwrap().clone()).unwrap()
        };
        let parts: Vec<Rule> = clauses.iter().map(part).collect();
        let n = blamed.segments.len();
        blamed = blamed.segment(format!("never {n}"), "All", Rule::All(parts.clone()));
        for leave in (0..parts.len()).filter(|_| parts.len() > 1) {
            let mut others = parts.clone();
            others.remove(leave);
            blamed =
                blamed.segment(format!("can {n} {leave}"), "Less", Rule::All(others));
        }
    }
    blamed
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn no_customer_contradicts_a_claim(case in behaviour::case()) {
        let set = case.set().rest("rest", "The rest");
        let schema = case.schema();
        let analysis = set.compile_book(&schema).unwrap().analyse();
        let tidied = tidied(&set, &analysis);
        let checked = Checked::new(&set, &analysis);
        let books = [&set, &tidied].map(|set| set.compile_book(&schema).unwrap());
        let blamed = only_blamed(&set, &analysis);
        let customers = case.customers();
        for days in [-800, -60, -31, -8, -1, 0, 1, 2, 9, 35, 400] {
            for hours in [0, 13] {
                let now = case.now + days * DAY + hours * 3_600_000;
                let moment = Moment::new(Timestamp::from_millis(now))
                    .zone(Zone::fixed(case.offset).unwrap())
                    .week_start(WEEK[case.week_start]);
                let [book, tidied] = [&books[0], &books[1]].map(|b| b.at(moment.clone()));
                for customer in &customers {
                    let truths = book.membership(customer).unwrap();
                    checked.check(&truths, &tidied.membership(customer).unwrap())?;
                }
            }
        }
        // The blamed clauses may refer to segments, which are not there alone.
        if let Ok(book) = blamed.compile_book(&schema) {
            let book = book.at(Timestamp::from_millis(case.now));
            for customer in &customers {
                for (segment, truth) in blamed.segments.iter().zip(book.membership(customer).unwrap()) {
                    prop_assert!(!segment.id.as_str().starts_with("never") || !truth.is_true());
                }
            }
        }
    }
}

const FILTERS: [&str; 7] = [
    "",
    " where p > 1",
    " where p > 0",
    " where kind = 'a'",
    " where kind in ('a', 'b') or p > 1",
    " where p > 1 and p < 1",
    " where p is missing",
];

const WINDOWS: [&str; 11] = [
    " ever",
    " in last 10d",
    " in last 20d",
    " from 20d to 10d ago",
    " from 30d to 10d ago",
    " in last 1 whole months to now",
    " in last 3 whole months to now",
    " in last 1 whole months",
    " in last 1 whole weeks to now",
    " from '2024-05-01' to '2024-06-01'",
    " from '2024-04-01' to '2024-06-01'",
];

const AGGREGATES: [&str; 12] = [
    "count",
    "sum(p)",
    "average(p)",
    "min(p)",
    "max(p)",
    "distinct(p)",
    "distinct(kind)",
    "first(p)",
    "last(p)",
    "active_days",
    "first_day",
    "last_day",
];

/// A test of what happened, of these kinds.
fn event(kinds: [Vec<&'static str>; 3]) -> impl Strategy<Value = String> + Clone {
    let tests = prop_oneof![
        6 => (0..4_usize, 0..3_i32).prop_map(|(operator, x)| {
            let operator = ["=", ">", ">=", "<"][operator];
            [format!("{operator} {x}"), format!("{operator} '2024-05-{:02}'", 10 * x + 1)]
        }),
        1 => Just(["is missing"; 2].map(str::to_owned)),
        1 => Just(["is set", "in last 10d"].map(str::to_owned)),
        1 => Just(["< 0", "in next 5d"].map(str::to_owned)),
    ];
    let [filters, windows, aggregates] = kinds.map(prop::sample::select);
    (filters, windows, aggregates, tests).prop_map(
        |(filter, window, aggregate, [number, day])| {
            let test = if aggregate.ends_with("_day") { day } else { number };
            format!("events(e{filter}).{aggregate}{window} {test}")
        },
    )
}

/// Rules of up to three such tests, and a few customers' events.
type Events = (Vec<String>, Vec<Vec<(i64, Vec<OwnedValue>)>>);

fn eventful() -> impl Strategy<Value = Events> {
    // Few kinds, so that many tests have to do with each other.
    let some = |all: &[&'static str], most: usize| {
        prop::sample::subsequence(all.to_vec(), 1..=most)
    };
    let kinds = (some(&FILTERS, 2), some(&WINDOWS, 2), some(&AGGREGATES, 3));
    let rules = kinds.prop_flat_map(|(filters, windows, aggregates)| {
        let event = event([filters, windows, aggregates]);
        let rule = prop_oneof![
            3 => event.clone(),
            1 => (event.clone(), event.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            1 => (event.clone(), event.clone())
                .prop_map(|(a, b)| format!("{a} or not ({b})")),
            1 => event.prop_map(|a| format!("not ({a})")),
        ];
        prop::collection::vec(rule, 2..6)
    });
    let p = prop_oneof![
        4 => (-1..3_i32).prop_map(|x| OwnedValue::from(f64::from(x))),
        1 => Just(OwnedValue::Missing),
    ];
    let kind = prop::sample::select(vec!["a", "b", "c"])
        .prop_map(|name| OwnedValue::Category(name.into()));
    let event = (0..100_i64, 0..3_i64, p, kind).prop_map(|(day, hours, p, kind)| {
        (behaviour::NOW - day * DAY + hours * 3_600_000, vec![p, kind])
    });
    let customers = prop::collection::vec(prop::collection::vec(event, 0..4), 24..25);
    (rules, customers)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn no_events_contradict_a_claim((rules, customers) in eventful()) {
        let properties = [FeatureSpec::number("p"), FeatureSpec::category("kind").levels(["a", "b", "c"])];
        let stream = StreamSpec::new("e", properties);
        let schema = Schema::builder().stream(stream.clone()).build().unwrap();
        let set = rules.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
            set.segment(format!("s{i}"), "S", rule.parse().unwrap())
        });
        let set = set.rest("rest", "Rest");
        let book = set.compile_book(&schema).unwrap();
        let analysis = book.analyse();
        let tidied = tidied(&set, &analysis).compile_book(&schema).unwrap();
        let checked = Checked::new(&set, &analysis);
        for mut events in customers {
            events.sort_by_key(|(time, _)| *time);
            let events = events.into_iter().map(|(t, values)| (Timestamp::from_millis(t), values));
            let log = EventLog::new(&stream, events).unwrap();
            let customer = OwnedCustomer::new(&schema, 1).set_events("e", log).unwrap();
            for days in [-85, -70, -60, -40, -31, -20, -10, -3, 0, 1, 11, 30] {
                let now = Timestamp::from_millis(behaviour::NOW + days * DAY);
                let truths = book.at(now).membership(&customer).unwrap();
                checked.check(&truths, &tidied.at(now).membership(&customer).unwrap())?;
            }
        }
    }
}

const NAMES: [&str; 3] = ["a", "ab", "b"];

/// All values that tests of a feature can tell apart, and more.
fn values(spec: &FeatureSpec) -> Vec<OwnedValue> {
    let mut all = vec![OwnedValue::Missing];
    match spec.name() {
        "number" => {
            let numbers = (0..3).map(f64::from);
            let near = numbers.flat_map(|x| [x.next_down(), x, x.next_up()]);
            all.extend(near.map(OwnedValue::from));
        }
        "flag" => all.extend([false, true].map(OwnedValue::from)),
        "date" => {
            let day = |n| OwnedValue::from(Date::from_days(n).unwrap());
            all.extend((-1..4).map(day));
        }
        "level" | "tier" => {
            all.extend(NAMES.map(|name| OwnedValue::Category(name.into())));
        }
        "text" => {
            let mut texts = vec![String::new()];
            for from in [0, 1, 4, 13, 40] {
                for i in from..texts.len() {
                    for c in ['a', 'b', '~'] {
                        texts.push(format!("{}{c}", texts[i]));
                    }
                }
            }
            all.extend(texts.into_iter().map(OwnedValue::Category));
        }
        "tags" | "closed" => {
            let mut names = NAMES.to_vec();
            if spec.name() == "tags" {
                names.push("~");
            }
            for set in 0..1_usize << names.len() {
                let chosen: Vec<String> = names
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| set >> i & 1 == 1)
                    .map(|(_, name)| (*name).to_owned())
                    .collect();
                for again in 0..if set == 0 { 1 } else { 5 } {
                    let mut tags = chosen.clone();
                    tags.extend(
                        std::iter::repeat_n(chosen.last().cloned(), again).flatten(),
                    );
                    all.push(OwnedValue::Tags(tags));
                }
            }
        }
        other => panic!("{other}"),
    }
    all
}

fn number_test(literals: BoxedStrategy<Literal>) -> BoxedStrategy<Test> {
    prop_oneof![
        literals.clone().prop_map(Test::Eq),
        literals.clone().prop_map(Test::Lt),
        literals.clone().prop_map(Test::Le),
        literals.clone().prop_map(Test::Gt),
        literals.clone().prop_map(Test::Ge),
        prop::collection::vec(literals, 1..3).prop_map(Test::In),
    ]
    .boxed()
}

fn test(spec: &FeatureSpec) -> BoxedStrategy<Test> {
    let name = || prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
    let names = || prop::collection::vec(name(), 1..4);
    let literal = move || name().prop_map(Literal::from).boxed();
    let known = match spec.name() {
        "number" => number_test((0..3).prop_map(Literal::from).boxed()),
        "flag" => any::<bool>().prop_map(|yes| Test::Eq(yes.into())).boxed(),
        "date" => number_test(
            (0..3).prop_map(|n| Literal::from(Date::from_days(n).unwrap())).boxed(),
        ),
        "level" => prop::collection::vec(literal(), 1..3).prop_map(Test::In).boxed(),
        "tier" => number_test(literal()),
        "text" => prop_oneof![
            prop::collection::vec(literal(), 1..3).prop_map(Test::In),
            name().prop_map(Test::Contains),
            name().prop_map(Test::StartsWith),
            name().prop_map(Test::EndsWith),
        ]
        .boxed(),
        _ => prop_oneof![
            names().prop_map(Test::HasAny),
            names().prop_map(Test::HasAll),
            number_test((-1..5).prop_map(Literal::from).boxed())
                .prop_map(|test| Test::Size(Box::new(test))),
        ]
        .boxed(),
    };
    prop_oneof![8 => known, 1 => Just(Test::Set), 1 => Just(Test::Missing)].boxed()
}

fn specs() -> impl Strategy<Value = Vec<FeatureSpec>> {
    let all = vec![
        FeatureSpec::number("number"),
        FeatureSpec::flag("flag"),
        FeatureSpec::date("date"),
        FeatureSpec::category("level").levels(NAMES),
        FeatureSpec::ordinal("tier", NAMES),
        FeatureSpec::category("text"),
        FeatureSpec::tags("tags"),
        FeatureSpec::tags("closed").levels(NAMES),
    ];
    prop::sample::subsequence(all, 1..3).prop_filter("too many", |specs| {
        specs.iter().map(|spec| values(spec).len()).product::<usize>() < 4000
    })
}

fn small() -> impl Strategy<Value = (Vec<FeatureSpec>, RuleSet)> {
    specs().prop_flat_map(|specs| {
        let tests = specs.iter().map(|spec| {
            let name = spec.name().to_owned();
            let when_missing =
                prop_oneof![3 => Just(None), 1 => any::<bool>().prop_map(Some)];
            (test(spec), when_missing)
                .prop_map(move |(is, when_missing)| {
                    let is_total = matches!(is, Test::Set | Test::Missing);
                    let when_missing = if is_total { None } else { when_missing };
                    Rule::Field(FieldTest { name: name.clone(), is, when_missing })
                })
                .boxed()
        });
        let leaf = prop::strategy::Union::new(tests);
        let rule = leaf.prop_recursive(3, 10, 4, |inner| {
            let some = prop::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                2 => some.clone().prop_map(Rule::All),
                2 => some.clone().prop_map(Rule::Any),
                1 => (some, any::<prop::sample::Index>())
                    .prop_map(|(of, n)| Rule::AtLeast { n: n.index(of.len()) + 1, of }),
                1 => inner.prop_map(|rule| !rule),
            ]
        });
        let set = prop::collection::vec(rule, 1..4).prop_map(|rules| {
            let rules = rules.into_iter().enumerate();
            let set = RuleSet::new().rest("rest", "Rest");
            rules.fold(set, |set, (i, rule)| set.segment(format!("s{i}"), "S", rule))
        });
        (Just(specs), set)
    })
}

/// The same, where segments refer to those before them.
fn referring() -> impl Strategy<Value = (Vec<FeatureSpec>, RuleSet)> {
    let links = prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8), 3);
    (small(), links).prop_map(|((specs, mut set), links)| {
        for (at, (other, how)) in (1..set.segments.len()).zip(links) {
            let other = segment(set.segments[other.index(at)].id.as_str());
            let own = set.segments[at].rule.clone();
            set.segments[at].rule = match how {
                0 => !other,
                1 => !(other & own),
                2 => Rule::AtLeast { n: 2, of: vec![!other.clone(), own, other] },
                3 => !!other | own,
                4 => !(!other | own),
                _ => own & !other,
            };
        }
        (specs, set)
    })
}

/// For each customer of a small domain who is in which segment.
fn memberships(schema: &Schema, book: &RuleBook) -> Vec<Vec<bool>> {
    let mut customers = vec![Vec::new()];
    for spec in schema.features() {
        let values = values(spec);
        customers = customers
            .into_iter()
            .flat_map(|before: Vec<OwnedValue>| {
                let with = move |value: &OwnedValue| {
                    [&before[..], std::slice::from_ref(value)].concat()
                };
                values.iter().map(with).collect::<Vec<_>>()
            })
            .collect();
    }
    let truths = |values: Vec<OwnedValue>| {
        let customer = OwnedCustomer::with_values(schema, 1, values).unwrap();
        let truths = book.membership(&customer).unwrap();
        truths.into_iter().map(Truth::is_true).collect()
    };
    customers.into_iter().map(truths).collect()
}

/// The places of clauses in lists, outermost first.
fn places(rule: &serde_json::Value, path: &str, out: &mut Vec<String>) {
    for key in ["all", "any", "at_least"] {
        let Some(inner) = rule.get(key) else { continue };
        let (inner, key) = match inner.get("of") {
            Some(of) => (of, "at_least/of"),
            None => (inner, key),
        };
        for (i, part) in inner.as_array().unwrap().iter().enumerate() {
            out.push(format!("{path}/{key}/{i}"));
            places(part, &format!("{path}/{key}/{i}"), out);
        }
    }
    if let Some(inner) = rule.get("not") {
        places(inner, &format!("{path}/not"), out);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    })]

    #[test]
    fn over_small_domains_exactly_what_is_so_is_found((specs, set) in small()) {
        let schema = Schema::new(specs).unwrap();
        let book = set.compile_book(&schema).unwrap();
        let analysis = book.analyse();
        prop_assert_eq!(analysis.undecided(), &[] as &[OpenQuestion]);
        let rows = memberships(&schema, &book);
        let tidy = tidied(&set, &analysis);
        let tidy_book = tidy.compile_book(&schema).unwrap();
        let checked = Checked::new(&set, &analysis);
        let truths = |row: &[bool]| row.iter().map(|&yes| Truth::from(yes)).collect::<Vec<_>>();
        let tidy_rows = memberships(&schema, &tidy_book);
        for (row, tidy_row) in rows.iter().zip(&tidy_rows) {
            checked.check(&truths(row), &truths(tidy_row))?;
        }
        let (n, all) = (set.segments.len(), analysis.findings());
        let id = |i: usize| if i == n { "rest".into() } else { set.segments[i].id.clone() };
        let ever = |i: usize| rows.iter().any(|row| row[i]);
        let always = |i: usize| rows.iter().all(|row| row[i]);
        let within = |i: usize, j: usize| rows.iter().all(|row| !row[i] || row[j]);
        for i in 0..n {
            let never = all.iter().any(|f| matches!(f, Finding::Never { segment, .. } if *segment == id(i)));
            prop_assert_eq!(never, !ever(i));
            prop_assert_eq!(all.contains(&Finding::Always { segment: id(i) }), always(i));
            let shadowed = all.iter().find_map(|f| match f {
                Finding::Shadowed { segment, by } if *segment == id(i) => Some(by),
                _ => None,
            });
            let covers = |by: &[usize]| rows.iter().all(|row| !row[i] || by.iter().any(|&j| row[j]));
            let before: Vec<usize> = (0..i).collect();
            prop_assert_eq!(shadowed.is_some(), ever(i) && covers(&before));
            if let Some(by) = shadowed {
                let by: Vec<usize> = by.iter().map(|other| at(&set, other)).collect();
                for leave in 0..by.len() {
                    let mut others = by.clone();
                    others.remove(leave);
                    prop_assert!(!covers(&others), "{}", analysis);
                }
            }
        }
        let empty_rest = all.iter().any(|f| matches!(f, Finding::EmptyRest { .. }));
        prop_assert_eq!(empty_rest, !ever(n));
        for &(i, j, relation) in &checked.relations {
            let disjoint = rows.iter().all(|row| !row[i] || !row[j]);
            let expected = match (within(i, j), within(j, i)) {
                (true, true) => Relation::Equal,
                (true, false) => Relation::Within,
                (false, true) => Relation::Contains,
                (false, false) if disjoint => Relation::Disjoint,
                (false, false) => Relation::Overlap,
            };
            prop_assert_eq!(relation, expected, "{:?}", (id(i), id(j)));
        }
        // Containment, of the first of equal segments, with none between.
        let between = |i: usize| ever(i) && !always(i);
        let equal = |i: usize, j: usize| within(i, j) && within(j, i);
        let leads = |i: usize| between(i) && (0..i).all(|j| !equal(i, j));
        let strictly = |i: usize, j: usize| leads(i) && leads(j) && i != j && within(i, j);
        for i in 0..n {
            let class: Vec<SegmentId> = (0..n).filter(|&j| equal(i, j)).map(id).collect();
            let is_told = between(i) && class.len() > 1;
            prop_assert_eq!(all.contains(&Finding::Equal { segments: class }), is_told);
            for j in 0..n {
                let is_direct = strictly(i, j)
                    && !(0..n).any(|k| strictly(i, k) && strictly(k, j));
                let told = all.contains(&Finding::Within { segment: id(i), of: id(j) });
                prop_assert_eq!(told, is_direct, "{} {}", i, j);
            }
        }
        // No clause that is left could be left out, too.
        for (i, segment) in tidy.segments.iter().enumerate().filter(|(i, _)| between(*i)) {
            let mut left = Vec::new();
            places(&serde_json::to_value(&segment.rule).unwrap(), "", &mut left);
            for clause in left {
                let rule = without(&segment.rule, &[&clause]);
                let less = RuleSet::new().segment("s", "S", rule);
                let less = memberships(&schema, &less.compile_book(&schema).unwrap());
                let differs = rows.iter().zip(&less).any(|(row, less)| row[i] != less[0]);
                prop_assert!(differs, "{} of {}", clause, segment.rule);
            }
        }
        let blamed = only_blamed(&set, &analysis);
        if !blamed.segments.is_empty() {
            let rows = memberships(&schema, &blamed.compile_book(&schema).unwrap());
            for (i, segment) in blamed.segments.iter().enumerate() {
                let can = rows.iter().any(|row| row[i]);
                prop_assert_eq!(can, segment.id.as_str().starts_with("can"), "{}", segment.rule);
            }
        }
    }

    #[test]
    fn without_needless_clauses_all_segments_of_a_set_have_the_same_members(
        (specs, set) in referring(),
    ) {
        let schema = Schema::new(specs).unwrap();
        let book = set.compile_book(&schema).unwrap();
        let tidied = tidied(&set, &book.analyse());
        let rows = memberships(&schema, &tidied.compile_book(&schema).unwrap());
        prop_assert_eq!(memberships(&schema, &book), rows);
    }

    #[test]
    fn whatever_the_limits_nothing_false_is_said(
        (specs, set) in small(),
        question in 0_u64..400,
        total in 0_u64..40_000,
    ) {
        let schema = Schema::new(specs).unwrap();
        let book = set.compile_book(&schema).unwrap();
        let limits = AnalysisLimits::new().question(question).total(total);
        let analysis = book.analyse_with(&limits);
        prop_assert_eq!(&book.analyse_with(&limits).to_string(), &analysis.to_string());
        let rows = memberships(&schema, &book);
        let tidy = tidied(&set, &analysis).compile_book(&schema).unwrap();
        let checked = Checked::new(&set, &analysis);
        let truths = |row: &[bool]| row.iter().map(|&yes| Truth::from(yes)).collect::<Vec<_>>();
        for (row, tidy_row) in rows.iter().zip(&memberships(&schema, &tidy)) {
            checked.check(&truths(row), &truths(tidy_row))?;
        }
        // What would be found is found or open.
        let (all, open) = (analysis.findings(), analysis.undecided());
        for (i, segment) in set.segments.iter().enumerate() {
            let segment = segment.id.clone();
            if !rows.iter().any(|row| row[i]) {
                let told = all.iter().any(|f| {
                    matches!(f, Finding::Never { segment: other, .. } if *other == segment)
                });
                let is_open = open.contains(&OpenQuestion::Never { segment: segment.clone() });
                prop_assert!(told || is_open);
            }
            if rows.iter().all(|row| row[i]) {
                let told = all.contains(&Finding::Always { segment: segment.clone() });
                let is_open = open.contains(&OpenQuestion::Always { segment });
                prop_assert!(told || is_open);
            }
        }
    }
}
