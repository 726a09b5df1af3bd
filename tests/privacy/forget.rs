//! Customers who are forgotten.

use proptest::prelude::*;
use segmenta::data::{CustomerId, FeatureSpec, Ids, Schema, Span, Table, Timestamp};
use segmenta::rules::{
    Cause, Difference, RuleBook, RuleSet, Snapshot, Stays, StickyBook, field,
};

fn book() -> RuleBook {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    RuleBook::builder(&schema)
        .segment("some", "Some", field("x").ge(1))
        .segment("odd", "Odd", field("x").is_in([1, 3, 5]))
        .segment("known", "Known", field("x").is_set())
        .rest("rest", "The rest")
        .build()
        .unwrap()
}

/// Customers with a number each; NaN stands for one that is missing.
fn table(customers: &[(u64, f64)]) -> Table<'static> {
    use segmenta::data::{Column, Validity};
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let (ids, x): (Vec<u64>, Vec<f64>) = customers.iter().copied().unzip();
    let builder = Table::builder(&schema, x.len()).ids(Ids::Numbers(ids.into()));
    let column = Column::Number(x.into(), Validity::NotNan);
    builder.column("x", column).build().unwrap()
}

fn snapshot(customers: &[(u64, f64)]) -> Snapshot {
    book().snapshot(&table(customers)).unwrap()
}

fn told(difference: &Difference) -> Vec<String> {
    let segments = difference.segments().flat_map(|segment| {
        let counts = format!("{} {:?}", segment.id(), segment.counts());
        let changes = segment.changes().map(|change| format!("{change:?}"));
        std::iter::once(counts).chain(changes.collect::<Vec<_>>()).collect::<Vec<_>>()
    });
    let arrived = difference.arrived().map(|id| format!("arrived {id}"));
    let gone = difference.gone().map(|id| format!("gone {id}"));
    segments.chain(arrived).chain(gone).collect()
}

prop_compose! {
    fn customers()(
        x in prop::collection::btree_map(0_u64..200, prop_oneof![1 => Just(f64::NAN), 4 => (0..6).prop_map(f64::from)], 0..150),
    ) -> Vec<(u64, f64)> {
        x.into_iter().collect()
    }
}

fn without(customers: &[(u64, f64)], id: u64) -> Vec<(u64, f64)> {
    customers.iter().copied().filter(|&(other, _)| other != id).collect()
}

proptest! {
    #[test]
    fn who_is_forgotten_was_never_there(
        before in customers(),
        after in customers(),
        id in 0_u64..200,
    ) {
        let [old, new] = [&before, &after].map(|customers| snapshot(customers));
        let mut forgetful = old.clone();
        let was_there = before.iter().any(|&(other, _)| other == id);
        prop_assert_eq!(forgetful.forget(id), was_there);
        prop_assert_eq!(&forgetful, &snapshot(&without(&before, id)));
        let json = serde_json::to_string(&forgetful).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Snapshot>(&json).unwrap(), &forgetful);
        prop_assert!(!forgetful.forget(id));

        let [less_old, less_new] =
            [&before, &after].map(|customers| snapshot(&without(customers, id)));
        let mut difference = old.difference(&new).unwrap();
        let is_in_one = was_there || after.iter().any(|&(other, _)| other == id);
        prop_assert_eq!(difference.forget(id), is_in_one);
        prop_assert_eq!(told(&difference), told(&less_old.difference(&less_new).unwrap()));

        let mut explained = book().explain_difference(&old, &table(&after)).unwrap();
        explained.forget(id);
        let less = book().explain_difference(&less_old, &table(&without(&after, id)));
        prop_assert_eq!(told(&explained), told(&less.unwrap()));

        let sticky = StickyBook::new(&book(), []).unwrap();
        let stays = |customers: &[(u64, f64)]| {
            let at = Timestamp::from_millis(5);
            sticky.update(&Stays::new(), &table(customers), at).unwrap()
        };
        let mut kept = stays(&before);
        prop_assert_eq!(kept.forget(id), kept_any(&before, id));
        prop_assert_eq!(&kept, &stays(&without(&before, id)));
        let json = serde_json::to_string(&kept).unwrap();
        prop_assert_eq!(serde_json::from_str::<Stays>(&json).unwrap(), kept);
    }
}

/// Whether she is in a segment: all are but those whose number is missing, who are in the
/// rest as long as they are in no other.
fn kept_any(customers: &[(u64, f64)], id: u64) -> bool {
    customers.iter().any(|&(other, _)| other == id)
}

#[test]
fn ids_that_are_texts_are_forgotten_as_such() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let ids = Ids::Texts(vec!["7".into(), "b".into()].into());
    let table = Table::builder(&schema, 2).numbers("x", vec![1.0, 0.0]).ids(ids);
    let mut snapshot = book().snapshot(&table.build().unwrap()).unwrap();
    assert!(!snapshot.forget(7));
    assert!(snapshot.forget("7"));
    assert_eq!(snapshot.customers().collect::<Vec<_>>(), [CustomerId::Text("b")]);
    assert!(snapshot.forget("b") && snapshot.is_empty());
}

#[test]
fn causes_stay_with_those_who_are_not_forgotten() {
    let schema = Schema::new([FeatureSpec::date("seen")]).unwrap();
    let book = |days: u32| {
        let lately = field("seen").in_last(Span::days(days));
        let set = RuleSet::new().segment("active", "Active", lately);
        set.compile_book(&schema).unwrap()
    };
    let table = |seen: [i32; 5]| {
        let ids = Ids::Numbers((1..6).collect());
        Table::builder(&schema, 5).dates("seen", seen.to_vec()).ids(ids).build().unwrap()
    };
    let at = |day: i64| Timestamp::from_millis(day * 86_400_000);
    let before = book(30).at(at(100)).snapshot(&table([90, 75, 90, 60, 98])).unwrap();
    let now = book(20).at(at(110));
    let mut difference =
        now.explain_difference(&before, &table([90, 75, 50, 60, 98])).unwrap();
    let causes = |difference: &Difference| {
        let active = difference.segment("active").unwrap();
        let change = |change: segmenta::rules::MemberChange<'_>| {
            (change.customer.to_string(), change.cause.unwrap())
        };
        active.changes().map(change).collect::<Vec<_>>()
    };
    let [one, two, three] = [
        ("1".to_owned(), Cause::Definition),
        ("2".to_owned(), Cause::Time),
        ("3".to_owned(), Cause::Data),
    ];
    assert_eq!(causes(&difference), [one.clone(), two.clone(), three.clone()]);
    assert!(difference.forget(1));
    assert_eq!(causes(&difference), [two, three.clone()]);
    assert!(difference.forget(2));
    assert_eq!(causes(&difference), [three]);
}
