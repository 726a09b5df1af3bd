//! Snapshots of memberships, their differences and the causes of these.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segmenta::data::{
    CustomerId, EventLog, FeatureSpec, Ids, OwnedCustomer, OwnedValue, Schema,
    StreamSpec, Table, Timestamp,
};
use segmenta::rules::{
    Cause, MembershipCount, Rule, RuleBook, RuleSet, SegmentDifference, Snapshot, field,
};
use segmenta::segmenter::Truth;

use super::behaviour::{Case, DAY, Person, case, oracle};

fn schema() -> Schema {
    Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")]).unwrap()
}

fn book() -> RuleBook {
    RuleBook::builder(&schema())
        .segment("many", "Many", field("orders").ge(10))
        .segment("some", "Some", field("orders").ge(1))
        .segment("member", "Members", field("member").eq(true))
        .rest("rest", "The rest")
        .build()
        .unwrap()
}

/// Customers with a number of orders, who say nothing about being a member.
fn table<'i, I: Into<CustomerId<'i>>>(
    customers: impl IntoIterator<Item = (I, Option<f64>)>,
) -> Table<'static> {
    let schema = schema();
    let customer = |(id, orders): (I, Option<f64>)| {
        let orders = orders.map_or(OwnedValue::Missing, OwnedValue::Number);
        OwnedCustomer::new(&schema, id).set("orders", orders).unwrap()
    };
    Table::from_customers(&schema, customers.into_iter().map(customer)).unwrap()
}

fn numbers<'a>(ids: impl IntoIterator<Item = CustomerId<'a>>) -> Vec<u64> {
    let number = |id| match id {
        CustomerId::Number(id) => id,
        CustomerId::Text(id) => panic!("{id}"),
    };
    ids.into_iter().map(number).collect()
}

#[test]
fn snapshots_are_by_id_whatever_the_order_of_rows() {
    let rows = [(5_u64, Some(12.0)), (2, None), (9, Some(0.0)), (7, Some(3.0))];
    let snapshot = book().snapshot(&table(rows)).unwrap();
    assert_eq!(snapshot.len(), 4);
    assert_eq!(numbers(snapshot.customers()), [2, 5, 7, 9]);
    let some = snapshot.segment("some").unwrap();
    assert_eq!(numbers(some.members()), [5, 7]);
    assert_eq!(numbers(some.undecided()), [2]);
    let count = MembershipCount { members: 2, undecided: 1, non_members: 1 };
    assert_eq!(some.count(), count);
    let truths = [2_u64, 5, 9, 1].map(|id| some.truth(id));
    let expected = [Some(Truth::Unknown), Some(Truth::True), Some(Truth::False), None];
    assert_eq!(truths, expected);
    assert_eq!(some.truth("5"), None);
    assert_eq!(numbers(snapshot.segment("rest").unwrap().members()), [2, 9]);
    assert_eq!(some.digest(), field("orders").ge(1).digest());
    assert_eq!(snapshot.instant(), None);
    assert_eq!(snapshot.definition(), &book().definition());
    assert!(snapshot.segment("nowhere").is_none());
    let ids: Vec<&str> = snapshot.segments().map(|s| s.id().as_str()).collect();
    assert_eq!(ids, ["many", "some", "member", "rest"]);

    let texts = table([("b", Some(2.0)), ("a", Some(1.0)), ("c", Some(0.0))]);
    let snapshot = book().snapshot(&texts).unwrap();
    let members: Vec<_> = snapshot.segment("some").unwrap().members().collect();
    assert_eq!(members, ["a".into(), "b".into()]);
    assert_eq!(snapshot.segment("some").unwrap().truth("b"), Some(Truth::True));
}

#[test]
fn ids_must_tell_customers_apart() {
    let nameless = Table::builder(&schema(), 2)
        .numbers("orders", vec![1.0, 2.0])
        .flags("member", vec![true, false])
        .build()
        .unwrap();
    assert_eq!(
        book().snapshot(&nameless).unwrap_err().to_string(),
        "parameter `ids` must be stated in the table, by which customers are known again, \
         but is absent",
    );
    let twice = table([(1_u64, Some(1.0)), (8, None), (3, None), (8, None), (8, None)]);
    assert_eq!(
        book().snapshot(&twice).unwrap_err().to_string(),
        "parameter `ids` must be different in all rows, but is `8` in rows 1 and 3",
    );
    let twice = table([("a", None), ("a", None)]);
    assert!(book().snapshot(&twice).unwrap_err().to_string().contains("`a` in rows 0"));

    let numbers = book().snapshot(&table([(1_u64, None)])).unwrap();
    let texts = book().snapshot(&table([("1", None)])).unwrap();
    let error = "parameter `ids` must be numbers, as before, but is texts";
    assert_eq!(numbers.difference(&texts).unwrap_err().to_string(), error);
    assert_eq!(numbers.transitions(&texts).unwrap_err().to_string(), error);
    let nobody = book().snapshot(&table::<u64>([])).unwrap();
    assert!(nobody.is_empty() && nobody.difference(&texts).is_ok());
    assert_eq!(texts.difference(&nobody).unwrap().gone().count(), 1);
}

#[test]
fn what_was_altered_at_rest_is_an_error() {
    let day = Timestamp::from_millis(20_000 * DAY);
    let rows = [(5_u64, Some(12.0)), (2, None), (9, Some(0.0)), (7, Some(3.0))];
    let snapshot = book().at(day).snapshot(&table(rows)).unwrap();
    let json = serde_json::to_string(&snapshot).unwrap();
    let read = |json: &str| serde_json::from_str::<Snapshot>(json);
    assert_eq!(read(&json).unwrap(), snapshot);
    assert_eq!(read(&json).unwrap().instant(), Some(day));
    let pretty = serde_json::to_string_pretty(&snapshot).unwrap();
    assert_eq!(read(&pretty).unwrap(), snapshot);
    for end in (0..json.len()).filter(|&end| json.is_char_boundary(end)) {
        assert!(read(&json[..end]).is_err(), "{end}");
    }
    for (old, new) in [
        ("\"version\":2", "\"version\":1"),
        ("\"version\":2", "\"version\":3"),
        ("\"version\":2", "\"version\":0"),
        ("\"instant\":1728000000000", "\"instant\":1728000000001"),
        ("\"instant\":1728000000000", "\"instant\":null"),
        ("[2,5,7,9]", "[2,5,7,8]"),
        ("numbers", "texts"),
        ("\"ge\":10", "\"ge\":11"),
        ("\"name\":\"Many\"", "\"name\":\"Most\""),
        ("\"id\":\"many\"", "\"id\":\"most\""),
        ("\"members\":[6]", "\"members\":[4]"),
        ("\"undecided\":[1]", "\"undecided\":[]"),
        ("\"depth\":32", "\"depth\":33"),
        ("\"limits\":", "\"more\":1,\"limits\":"),
    ] {
        let altered = json.replacen(old, new, 1);
        assert_ne!(altered, json, "{old}");
        assert!(read(&altered).is_err(), "{new}");
    }
    let error = read(&json.replace("[2,5,7,9]", "[2,5,7,8]")).unwrap_err().to_string();
    assert!(error.contains("its checksum is another"), "{error}");
}

/// A file that an earlier release wrote, whose checksum did not cover whether ids are numbers.
#[test]
fn snapshots_of_the_first_version_are_read() {
    let old = include_str!("saved/snapshot-1.json");
    let snapshot: Snapshot = serde_json::from_str(old).unwrap();
    let members: Vec<_> = snapshot.segment("many").unwrap().members().collect();
    assert_eq!(members, [CustomerId::Number(0)]);
    assert_eq!(snapshot.segment("many").unwrap().version(), None);
    let texts = |json: &str| json.replacen("{\"numbers\":[0]}", "{\"texts\":[\"\"]}", 1);
    let read = |json: &str| serde_json::from_str::<Snapshot>(json);
    assert!(read(&texts(old)).is_ok());
    let new = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(read(&new).unwrap(), snapshot);
    assert_ne!(texts(&new), new);
    let error = read(&texts(&new)).unwrap_err().to_string();
    assert!(error.contains("its checksum is another"), "{error}");
    // Nor may it be passed off as an old one.
    assert!(read(&texts(&new).replacen("\"version\":2", "\"version\":1", 1)).is_err());
}

#[test]
fn segments_keep_their_versions_in_snapshots() {
    let book = RuleBook::builder(&schema())
        .segment("many", "Many", field("orders").ge(10))
        .version(7)
        .segment("some", "Some", field("orders").ge(1))
        .rest("rest", "The rest")
        .build()
        .unwrap();
    let snapshot = book.snapshot(&table([(5_u64, Some(12.0))])).unwrap();
    let json = serde_json::to_string(&snapshot).unwrap();
    let read: Snapshot = serde_json::from_str(&json).unwrap();
    for snapshot in [&snapshot, &read] {
        let versions: Vec<_> = snapshot.segments().map(|s| s.version()).collect();
        assert_eq!(versions, [Some(7), None, None]);
    }
    let altered = json.replacen("\"version\":7", "\"version\":8", 1);
    assert_ne!(altered, json);
    assert!(serde_json::from_str::<Snapshot>(&altered).is_err());
}

#[test]
fn changes_are_told_with_those_who_came_and_went() {
    let before = [
        (1_u64, Some(5.0)),
        (2, Some(5.0)),
        (3, None),
        (4, Some(0.0)),
        (5, Some(5.0)),
        (6, None),
        (8, Some(1.0)),
    ];
    let after = [
        (0_u64, Some(1.0)),
        (1, Some(5.0)),
        (2, Some(0.0)),
        (3, Some(2.0)),
        (4, None),
        (5, None),
        (6, Some(0.0)),
        (7, None),
        (9, Some(0.0)),
    ];
    let [before, after] = [before.to_vec(), after.to_vec()]
        .map(|rows| book().snapshot(&table(rows)).unwrap());
    let difference = before.difference(&after).unwrap();
    let some = difference.segment("some").unwrap();
    assert_eq!(numbers(some.entered()), [3]);
    assert_eq!(numbers(some.left()), [2, 5]);
    assert_eq!(numbers(some.stayed()), [1]);
    assert_eq!(numbers(some.arrived()), [0]);
    assert_eq!(numbers(some.gone()), [8]);
    assert_eq!(numbers(some.became_undecided()), [4, 5]);
    assert_eq!(numbers(some.became_decided()), [3, 6]);
    assert_eq!(numbers(difference.arrived()), [0, 7, 9]);
    assert_eq!(numbers(difference.gone()), [8]);
    assert_eq!(some.counts().net(), -1);
    let changes: Vec<_> = some.changes().map(|c| (c.from, c.to, c.cause)).collect();
    let (yes, open, no) = (Some(Truth::True), Some(Truth::Unknown), Some(Truth::False));
    let expected = [
        (None, yes, Some(Cause::Arrival)),
        (yes, no, None),
        (open, yes, None),
        (no, open, None),
        (yes, open, None),
        (open, no, None),
        (None, open, Some(Cause::Arrival)),
        (yes, None, Some(Cause::Departure)),
    ];
    assert_eq!(changes, expected);
    assert!(!some.is_redefined() && difference.segments().count() == 4);
}

#[test]
fn segments_of_one_snapshot_only_are_told_apart() {
    let rows = || table([(1_u64, Some(5.0)), (2, Some(0.0))]);
    let before = book().snapshot(&rows()).unwrap();
    let other = RuleBook::builder(&schema())
        .segment("new", "New", field("orders").ge(0))
        .segment("some", "Some", field("orders").ge(6))
        .segment("many", "Often", field("orders").ge(10))
        .build()
        .unwrap();
    let difference = before.difference(&other.snapshot(&rows()).unwrap()).unwrap();
    let ids = |ids: &[segmenta::segmenter::SegmentId]| {
        ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(difference.added()), ["new"]);
    assert_eq!(ids(difference.removed()), ["member", "rest"]);
    let both: Vec<_> =
        difference.segments().map(|s| (s.id().as_str(), s.is_redefined())).collect();
    assert_eq!(both, [("some", true), ("many", false)]);
    assert!(difference.segment("new").is_none() && difference.segment("rest").is_none());
    assert_eq!(numbers(difference.segment("some").unwrap().left()), [1]);
}

#[test]
fn what_time_does_to_a_sequence_is_not_hidden_with_the_events() {
    let streams = ["cart", "order"].map(|name| StreamSpec::new(name, []));
    let schema = streams.iter().cloned().fold(Schema::builder(), |b, s| b.stream(s));
    let schema = schema.build().unwrap();
    let left = "sequence(cart then not order within 1d) in last 30d";
    let set = RuleSet::new().segment("left", "Left a basket", left.parse().unwrap());
    // With so many aggregates for so few rows, these are asked one by one.
    let more = (1..=1001).fold(set.clone(), |set, n| {
        let rule = format!("events(order) in last {n}m").parse().unwrap();
        set.segment(format!("more {n}"), "", rule)
    });
    let hour = |hour: i64| Timestamp::from_millis(20_000 * DAY + hour * 3_600_000);
    let table = |orders: [&[i64]; 4]| {
        let customers = (1_u64..).zip(orders).map(|(id, orders)| {
            let log = |at: usize, hours: &[i64]| {
                EventLog::new(&streams[at], hours.iter().map(|&h| (hour(h), [0.0; 0])))
            };
            OwnedCustomer::new(&schema, id)
                .set_events("cart", log(0, &[0]).unwrap())
                .unwrap()
                .set_events("order", log(1, orders).unwrap())
                .unwrap()
        });
        Table::from_customers(&schema, customers).unwrap()
    };
    for set in [set, more] {
        let book = set.compile_book(&schema).unwrap();
        // Nothing more, an order in time, one too late, and one that was told too late.
        let before = book.at(hour(12)).snapshot(&table([&[], &[], &[], &[]])).unwrap();
        let later = table([&[], &[20], &[30], &[6]]);
        let book = book.at(hour(48));
        let difference = book.explain_difference(&before, &later).unwrap();
        let left = difference.segment("left").unwrap();
        assert_eq!(numbers(left.entered()), [1, 3]);
        assert!(left.changes().all(|change| change.cause == Some(Cause::Time)));
        // An order that comes later in the same day takes away what time brought.
        let before = book.snapshot(&table([&[], &[], &[], &[]])).unwrap();
        let difference = book.explain_difference(&before, &later).unwrap();
        let left = difference.segment("left").unwrap();
        let causes: Vec<_> = left.changes().map(|c| (c.customer, c.cause)).collect();
        assert_eq!(causes, [2_u64, 4].map(|id| (id.into(), Some(Cause::Data))));
    }
}

#[test]
fn the_last_step_that_changed_a_membership_is_the_cause() {
    let orders = StreamSpec::new("order", []);
    let schema = Schema::builder().stream(orders.clone()).build().unwrap();
    let active: Rule = "events(order) in last 30d".parse().unwrap();
    let day = |day: i64| Timestamp::from_millis(day * DAY);
    // With so many aggregates for so few rows, these are asked one by one.
    for n_more in [0, 1001] {
        let book = |rule: &Rule| {
            let set = RuleSet::new().segment("a", "A", rule.clone());
            let set = (1..=n_more).fold(set, |set, n| {
                let rule = format!("events(order) in last {n}m").parse().unwrap();
                set.segment(format!("more {n}"), "", rule)
            });
            set.compile_book(&schema).unwrap()
        };
        let cause = |before: &[i64], after: &[i64], rule: &Rule| {
            let table = |days: &[i64]| {
                let log =
                    EventLog::new(&orders, days.iter().map(|&d| (day(d), [0.0; 0])));
                let ann = OwnedCustomer::new(&schema, 1_u64);
                let ann = ann.set_events("order", log.unwrap()).unwrap();
                Table::from_customers(&schema, [ann]).unwrap()
            };
            let earlier = book(&active).at(day(100)).snapshot(&table(before)).unwrap();
            let now = book(rule).at(day(125));
            let difference = now.explain_difference(&earlier, &table(after)).unwrap();
            let change = difference.segment("a").unwrap().changes().next();
            change.map(|change| change.cause.unwrap())
        };
        assert_eq!(cause(&[90], &[90], &active), Some(Cause::Time));
        assert_eq!(cause(&[], &[96], &active), Some(Cause::Data));
        // Time would have taken away what was learned late, but for what is new.
        assert_eq!(cause(&[], &[80], &active), None);
        assert_eq!(cause(&[], &[80, 110], &active), Some(Cause::Data));
        assert_eq!(cause(&[90], &[90, 110], &active), None);
        assert_eq!(cause(&[90], &[90, 110], &Rule::Nobody), Some(Cause::Definition));
        assert_eq!(cause(&[90], &[90], &Rule::Nobody), Some(Cause::Time));
        // What happens at the instant of a snapshot comes after it.
        assert_eq!(cause(&[100], &[100], &active), Some(Cause::Data));
        let quiet: Rule = "not events(order) in last 30d".parse().unwrap();
        assert_eq!(cause(&[90], &[90, 100], &quiet), Some(Cause::Definition));
    }
}

#[test]
fn customers_with_texts_for_ids_come_and_go_too() {
    let before = [("ö", Some(5.0)), ("b", Some(5.0)), ("c", None), ("Z", Some(0.0))];
    let after = [("é", Some(1.0)), ("c", Some(1.0)), ("b", Some(0.0)), ("Z", Some(0.0))];
    let [before, after] =
        [before, after].map(|rows| book().snapshot(&table(rows)).unwrap());
    let difference = before.difference(&after).unwrap();
    let some = difference.segment("some").unwrap();
    let changes: Vec<_> = some.changes().map(|c| (c.customer, c.from, c.to)).collect();
    let (yes, open, no) = (Some(Truth::True), Some(Truth::Unknown), Some(Truth::False));
    let expected = [
        ("b".into(), yes, no),
        ("c".into(), open, yes),
        ("é".into(), None, yes),
        ("ö".into(), yes, None),
    ];
    assert_eq!(changes, expected);
    let json = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), before);
    let swapped = json.replace(r#"["Z","b""#, r#"["b","Z""#);
    assert!(swapped != json && serde_json::from_str::<Snapshot>(&swapped).is_err());
}

#[test]
fn causes_need_instants_and_rules_that_can_be_asked_again() {
    let orders = StreamSpec::new("order", []);
    let schema = Schema::builder().stream(orders.clone()).build().unwrap();
    let active: Rule = "events(order) in last 30d".parse().unwrap();
    let set = |rule: Rule| RuleSet::new().segment("a", "A", rule);
    let book = |rule: Rule| set(rule).compile_book(&schema).unwrap();
    let day = |day: i64| Timestamp::from_millis(day * DAY);
    let ann = OwnedCustomer::new(&schema, 1_u64);
    let log = EventLog::new(&orders, [(day(10), [0.0; 0])]).unwrap();
    let ann = ann.set_events("order", log).unwrap();
    let table = Table::from_customers(&schema, [&ann]).unwrap();

    let before = book(active.clone()).at(day(20)).snapshot(&table).unwrap();
    let earlier = book(active.clone()).at(day(19));
    assert_eq!(
        earlier.explain_difference(&before, &table).unwrap_err().to_string(),
        "parameter `now` must be at or after 1970-01-21T00:00:00Z, the instant of the \
         snapshot, but is 1970-01-20T00:00:00Z",
    );
    // The present rules need no instant, those of the snapshot do.
    let timeless = book(Rule::Nobody);
    let error = timeless.explain_difference(&before, &table).unwrap_err().to_string();
    assert!(error.starts_with("parameter `now` must be stated"), "{error}");
    let difference = timeless.at(day(20)).explain_difference(&before, &table).unwrap();
    let change = difference.segment("a").unwrap().changes().next().unwrap();
    assert_eq!(change.cause, Some(Cause::Definition));
    let difference = timeless.at(day(90)).explain_difference(&before, &table).unwrap();
    let change = difference.segment("a").unwrap().changes().next().unwrap();
    assert_eq!(change.cause, Some(Cause::Time));
    // Rules that never needed one.
    let before = timeless.snapshot(&table).unwrap();
    let everyone = book(Rule::Everyone);
    for everyone in [everyone.clone(), everyone.at(day(3))] {
        let difference = everyone.explain_difference(&before, &table).unwrap();
        let change = difference.segment("a").unwrap().changes().next().unwrap();
        assert_eq!(change.cause, Some(Cause::Definition));
    }
    // A feature that is no more.
    let before =
        super::snapshots::book().snapshot(&self::table([(1_u64, None)])).unwrap();
    let error = everyone.explain_difference(&before, &table).unwrap_err();
    assert!(
        error.to_string().starts_with(
            "the rules of the snapshot cannot be used: /segments/0/rule/field/name: no \
             feature is named `orders`"
        ),
        "{error}"
    );
    // It is enough that the table has it.
    let small = Schema::new([FeatureSpec::flag("member")]).unwrap();
    let small = RuleBook::builder(&small)
        .segment("many", "Many", field("member").eq(true))
        .build()
        .unwrap();
    let ann = OwnedCustomer::new(&self::schema(), 1).set("orders", 12.0).unwrap();
    let ann = ann.set("member", true).unwrap();
    let table = Table::from_customers(&self::schema(), [ann]).unwrap();
    let difference = small.explain_difference(&before, &table).unwrap();
    let change = difference.segment("many").unwrap().changes().next().unwrap();
    assert_eq!(change.cause, Some(Cause::Data));
}

#[test]
fn previews_tell_three_numbers_and_how_sure_they_are() {
    let rows = (0..1000_u64).map(|id| (id, (id % 4 > 0).then(|| (id % 4 - 1) as f64)));
    let table = table(rows);
    let whole = book().preview(&table, 5000, 3).unwrap();
    let some = &whole[1];
    let count = MembershipCount { members: 500, undecided: 250, non_members: 250 };
    assert_eq!((some.segment.as_str(), some.count, some.n_rows), ("some", count, 1000));
    assert_eq!((some.members.share, some.undecided.share), (0.5, 0.25));
    assert_eq!((some.members.low, some.members.high), (0.5, 0.5));
    let sample = book().preview(&table, 100, 3).unwrap();
    assert_eq!(sample, book().preview(&table, 100, 3).unwrap());
    assert_ne!(sample, book().preview(&table, 100, 4).unwrap());
    assert_eq!(sample.len(), 4);
    for preview in &sample {
        let MembershipCount { members, undecided, non_members } = preview.count;
        assert_eq!(members + undecided + non_members, 100);
        for (estimate, n) in [
            (preview.members, members),
            (preview.undecided, undecided),
            (preview.non_members, non_members),
        ] {
            assert_eq!(estimate.share, n as f64 / 100.0);
            assert!(0.0 <= estimate.low && estimate.low <= estimate.share);
            assert!(estimate.share <= estimate.high && estimate.high <= 1.0);
        }
    }
    assert!(sample[1].members.low < 0.5 && 0.5 < sample[1].members.high);
    let error = book().preview(&table, 0, 3).unwrap_err().to_string();
    assert_eq!(error, "parameter `n` must be at least 1, but is 0");
    let nobody = self::table::<u64>([]);
    assert_eq!(book().preview(&nobody, 0, 3).unwrap()[1].members.share, 0.0);

    let nameless = Table::builder(&schema(), 300)
        .numbers("orders", vec![1.0; 300])
        .flags("member", vec![true; 300])
        .build()
        .unwrap();
    assert!(book().preview(&nameless, 10, 3).is_ok());
    let drawn = RuleBook::builder(&schema())
        .segment("drawn", "Drawn", segmenta::rules::bucket("a").lt(0.5))
        .build()
        .unwrap();
    assert!(drawn.preview(&nameless, 300, 3).is_err());
    assert!(drawn.preview(&nameless, 10, 3).is_err());
    let named = Table::builder(&schema(), 300)
        .numbers("orders", vec![1.0; 300])
        .flags("member", vec![true; 300])
        .ids(Ids::Numbers((0..300).collect()))
        .build()
        .unwrap();
    assert!(drawn.preview(&named, 10, 3).is_ok());
}

/// What is different between two times at which a case is asked.
#[derive(Clone, Copy, Debug)]
struct Changes {
    clock: bool,
    late_events: bool,
    new_events: bool,
    attributes: bool,
    rules: bool,
}

/// Two times at which customers are asked: the rules, who they are, and when.
#[derive(Clone, Debug)]
struct Times {
    before: Case,
    /// Whose ids are there.
    known: [Vec<bool>; 2],
    after: Case,
}

impl Times {
    /// Of a case; what is new is of the next customer. The rules that differ are denied.
    fn new(case: &Case, changes: Changes, days: i64, masks: [u8; 3]) -> Times {
        let then = case.now;
        let now = then + if changes.clock { days * DAY + 1 } else { 0 };
        let n = case.people.len();
        let events = |person: &Person, is_new: bool| {
            let of_stream = |events: &Vec<_>| {
                let is_here = |e: &&(i64, _)| (e.0 >= then) == is_new;
                events.iter().filter(is_here).cloned().collect::<Vec<_>>()
            };
            person.streams.iter().map(of_stream).collect::<Vec<_>>()
        };
        let before = |i: usize| Person {
            id: Some(i as u64 * 7 % 13),
            values: case.people[i].values.clone(),
            streams: events(&case.people[i], false),
        };
        let after = |i: usize| {
            let (own, next) = (&case.people[i], &case.people[(i + 1) % n]);
            let is_other = masks[2] >> i & 1 == 1;
            let late =
                events(if changes.late_events && is_other { next } else { own }, false);
            let new = events(if is_other { next } else { own }, true);
            let streams = late.into_iter().zip(new).map(|(mut late, mut new)| {
                // Streams of cases reach four days ahead.
                if changes.new_events {
                    late.append(&mut new);
                }
                late
            });
            let values =
                if changes.attributes && is_other { &next.values } else { &own.values };
            Person {
                id: Some(i as u64 * 7 % 13),
                values: values.clone(),
                streams: streams.collect(),
            }
        };
        let rules = case.rules.iter().enumerate().map(|(i, rule)| {
            let is_other = changes.rules && (masks[2] >> i & 1 == 1 || i == 0);
            if is_other { !rule.clone() } else { rule.clone() }
        });
        let known = |mask: u8| (0..n).map(|i| mask >> i & 1 == 0).collect::<Vec<bool>>();
        Times {
            before: Case { people: (0..n).map(before).collect(), ..case.clone() },
            known: [known(masks[0] & masks[1]), known(masks[1])],
            after: Case {
                people: (0..n).map(after).collect(),
                rules: rules.collect(),
                now,
                ..case.clone()
            },
        }
    }

    fn book(case: &Case) -> RuleBook {
        let set = case.set().rest("rest", "The rest");
        set.compile_book(&case.schema()).unwrap().at(case.moment())
    }

    /// The customers who are known at the first or at the second time, last ones first.
    fn table(case: &Case, known: &[bool]) -> Table<'static> {
        let customers = case.customers();
        let known = customers.iter().zip(known).filter(|(_, known)| **known);
        Table::from_customers(&case.schema(), known.map(|(c, _)| c).rev()).unwrap()
    }
}

/// The truth of each segment, the rest included.
fn truths(case: &Case, person: &Person) -> Vec<Truth> {
    let mut truths = oracle::truths(case, person);
    truths.push(Truth::from(!truths.contains(&Truth::True)));
    truths
}

fn times() -> impl Strategy<Value = (Case, i64, [u8; 3])> {
    (case(), 0..50_i64, any::<[u8; 3]>())
}

/// Whose change has which cause.
fn causes(segment: &SegmentDifference<'_>) -> BTreeMap<u64, Option<Cause>> {
    let change = |change: segmenta::rules::MemberChange<'_>| {
        (numbers([change.customer])[0], change.cause)
    };
    segment.changes().map(change).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn differences_and_causes_are_those_of_a_look_at_each_customer(
        (case, days, masks) in times(),
        changes in any::<[bool; 5]>(),
    ) {
        let [clock, late_events, new_events, attributes, rules] = changes;
        let changes = Changes { clock, late_events, new_events, attributes, rules };
        let Times { before, known, after } = &Times::new(&case, changes, days, masks);
        let (old, new) = (Times::book(before), Times::book(after));
        let earlier = old.snapshot(&Times::table(before, &known[0])).unwrap();
        let table = Times::table(after, &known[1]);
        let later = new.snapshot(&table).unwrap();
        let json = serde_json::to_string(&earlier).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Snapshot>(&json).unwrap(), &earlier);
        let difference = new.explain_difference(&earlier, &table).unwrap();
        let transitions = earlier.transitions(&later).unwrap();
        let mut counts = BTreeMap::new();
        for (at, segment) in difference.segments().enumerate() {
            let causes = causes(&segment);
            let mut lists: [Vec<u64>; 7] = Default::default();
            let mut n_changes = 0;
            for (i, old) in before.people.iter().enumerate() {
                let new = &after.people[i];
                let id = old.id.unwrap();
                let v0 = known[0][i].then(|| truths(before, old)[at]);
                let v4 = known[1][i].then(|| truths(after, new)[at]);
                let is = |v: Option<Truth>, truth: Truth| v == Some(truth);
                let (was_in, is_in) = (is(v0, Truth::True), is(v4, Truth::True));
                let (was_open, is_open) = (is(v0, Truth::Unknown), is(v4, Truth::Unknown));
                let both = v0.is_some() && v4.is_some();
                let belongs = [
                    both && !was_in && is_in,
                    both && was_in && !is_in,
                    was_in && is_in,
                    v0.is_none() && is_in,
                    v4.is_none() && was_in,
                    both && !was_open && is_open,
                    both && was_open && !is_open,
                ];
                for (list, belongs) in lists.iter_mut().zip(belongs) {
                    list.extend(belongs.then_some(id));
                }
                // The steps, one after the other, by the naive interpreter.
                let expected = match (v0, v4) {
                    (None, v) => {
                        v.is_some_and(|v| v != Truth::False).then_some(Cause::Arrival)
                    }
                    (Some(v), None) => (v != Truth::False).then_some(Cause::Departure),
                    (Some(v0), Some(v4)) => {
                        let mut seen = new.clone();
                        for events in &mut seen.streams {
                            events.retain(|(time, _)| *time < before.now);
                        }
                        let now = Case { now: after.now, ..before.clone() };
                        let steps = [
                            (v0, Cause::Data),
                            (truths(before, new)[at], Cause::Data),
                            (truths(&now, &seen)[at], Cause::Time),
                            (truths(&now, new)[at], Cause::Data),
                            (v4, Cause::Definition),
                        ];
                        let last = steps.windows(2).rev().find(|pair| {
                            pair[0].0 != v4 && pair[1].0 == v4
                        });
                        last.filter(|_| v0 != v4).map(|pair| pair[1].1)
                    }
                };
                n_changes += usize::from(expected.is_some());
                prop_assert_eq!(causes.get(&id).copied().flatten(), expected, "{} of {}", segment.id(), id);
            }
            prop_assert_eq!(causes.len(), n_changes);
            lists.iter_mut().for_each(|list| list.sort_unstable());
            let found = [
                numbers(segment.entered()),
                numbers(segment.left()),
                numbers(segment.stayed()),
                numbers(segment.arrived()),
                numbers(segment.gone()),
                numbers(segment.became_undecided()),
                numbers(segment.became_decided()),
            ];
            prop_assert_eq!(&found, &lists);
            let c = segment.counts();
            let counted = [
                c.entered, c.left, c.stayed, c.arrived, c.gone, c.became_undecided, c.became_decided,
            ];
            prop_assert_eq!(counted, found.map(|list| list.len() as u64));
            prop_assert_eq!(c.before + c.entered + c.arrived - c.left - c.gone, c.after);
            prop_assert_eq!(c.stayed + c.left + c.gone, c.before);
            prop_assert_eq!(c.net(), c.after as i64 - c.before as i64);
            let taken = |snapshot: &Snapshot| snapshot.segment(segment.id().as_str()).unwrap().count().members;
            prop_assert_eq!([c.before, c.after], [taken(&earlier), taken(&later)]);
        }
        for i in 0..case.people.len() {
            let first = |case: &Case, known: bool, person: &Person| {
                known.then(|| {
                    let at = truths(case, person).iter().position(|t| t.is_true());
                    let at = at.unwrap();
                    if at < case.rules.len() { format!("s{at}") } else { "rest".to_owned() }
                })
            };
            let from = first(before, known[0][i], &before.people[i]);
            let to = first(after, known[1][i], &after.people[i]);
            *counts.entry((from, to)).or_insert(0) += 1;
        }
        let mut total = 0;
        for ((from, to), n) in &counts {
            let found = match (from, to) {
                (Some(from), Some(to)) => transitions.count(Some(from), Some(to)),
                (None, Some(to)) => transitions.arrived(Some(to)),
                (Some(from), None) => transitions.gone(Some(from)),
                (None, None) => continue,
            };
            prop_assert_eq!(found, *n);
            total += n;
        }
        let mut all = 0;
        let ids = |ids: &[segmenta::segmenter::SegmentId]| -> Vec<Option<String>> {
            let ids = ids.iter().map(|id| Some(id.as_str().to_owned()));
            ids.chain([None]).collect()
        };
        for from in ids(transitions.from()) {
            all += transitions.gone(from.as_deref());
            for to in ids(transitions.to()) {
                all += transitions.count(from.as_deref(), to.as_deref());
            }
        }
        for to in ids(transitions.to()) {
            all += transitions.arrived(to.as_deref());
        }
        prop_assert_eq!(all, total);
        prop_assert_eq!(transitions.count(Some("nowhere"), None), 0);
    }

    #[test]
    fn where_one_thing_changed_it_is_the_cause(
        (case, days, masks) in times(),
        which in 0..5_usize,
    ) {
        // With the clock alone, nothing happens; new events need a clock that goes on.
        let changes = Changes {
            clock: which <= 1,
            new_events: which == 1,
            late_events: which == 2,
            attributes: which == 3,
            rules: which == 4,
        };
        let Times { before, after, .. } = &Times::new(&case, changes, days, [0, 0, masks[2]]);
        let all = vec![true; case.people.len()];
        let (old, new) = (Times::book(before), Times::book(after));
        let earlier = old.snapshot(&Times::table(before, &all)).unwrap();
        let table = Times::table(after, &all);
        let difference = new.explain_difference(&earlier, &table).unwrap();
        for segment in difference.segments() {
            for (id, cause) in causes(&segment) {
                let at = after.people.iter().position(|p| p.id == Some(id)).unwrap();
                let news = after.people[at].streams.iter().flatten();
                let expected = match which {
                    0 => Cause::Time,
                    // It is either; but without news it is time.
                    1 if news.into_iter().any(|e| e.0 >= before.now) => continue,
                    1 => Cause::Time,
                    2 | 3 => Cause::Data,
                    _ => Cause::Definition,
                };
                prop_assert_eq!(cause, Some(expected));
            }
        }
    }
}

#[test]
fn many_customers_are_told_apart_to_the_bit() {
    // More than a word, and more than a block of rows, in an order of their own.
    let n = 5000_u64;
    let id = |i: u64| i * 2_654_435_761 % 1_000_003;
    let rows = |skip: u64, add: u64| {
        let rows = (0..n).filter(move |i| i % skip != 0);
        table(rows.map(move |i| (id(i), Some(((i + add) % 12) as f64))))
    };
    let [before, after] =
        [(7, 0), (11, 3)].map(|(skip, add)| book().snapshot(&rows(skip, add)).unwrap());
    let difference = before.difference(&after).unwrap();
    let many = difference.segment("many").unwrap();
    let sorted = |is: &dyn Fn(u64) -> bool| {
        let mut ids: Vec<u64> = (0..n).filter(|&i| is(i)).map(id).collect();
        ids.sort_unstable();
        ids
    };
    let was = |i: u64| i % 12 >= 10;
    let is = |i: u64| (i + 3) % 12 >= 10;
    let there = |i: u64| !i.is_multiple_of(7);
    let here = |i: u64| !i.is_multiple_of(11);
    assert_eq!(
        numbers(many.entered()),
        sorted(&|i| there(i) && here(i) && !was(i) && is(i))
    );
    assert_eq!(
        numbers(many.left()),
        sorted(&|i| there(i) && here(i) && was(i) && !is(i))
    );
    assert_eq!(numbers(many.arrived()), sorted(&|i| !there(i) && here(i) && is(i)));
    assert_eq!(numbers(many.gone()), sorted(&|i| there(i) && !here(i) && was(i)));
    assert_eq!(numbers(difference.arrived()), sorted(&|i| !there(i) && here(i)));
    let json = serde_json::to_string(&after).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), after);
}
