//! How far segments overlap, against counting row by row.

use proptest::prelude::*;
use segmenta::data::{Column, FeatureSpec, Schema, Table, Validity};
use segmenta::rules::{Memberships, Rule, RuleBook, RuleSet, field};
use segmenta::segmenter::{SegmentIndex, Truth};

const FLAGS: usize = 6;

fn schema() -> Schema {
    Schema::new((0..FLAGS).map(|i| FeatureSpec::flag(format!("f{i}")))).unwrap()
}

/// Flags of rows, each of which may be missing.
type Flags = [Option<bool>; FLAGS];

fn table(rows: &[Flags]) -> Table<'static> {
    let schema = schema();
    let builder = Table::builder(&schema, rows.len());
    let builder = (0..FLAGS).fold(builder, |builder, i| {
        let flags: Vec<bool> = rows.iter().map(|row| row[i].unwrap_or(false)).collect();
        let known: Vec<bool> = rows.iter().map(|row| row[i].is_some()).collect();
        let column = Column::Flag(flags.into(), Validity::Mask(known.into()));
        builder.column(&format!("f{i}"), column)
    });
    builder.build().unwrap()
}

/// A rule of two flags, one of a few kinds.
fn rule(&(a, b, kind): &(usize, usize, u8)) -> Rule {
    let [a, b] = [a, b].map(|i| field(format!("f{}", i % FLAGS)).eq(true));
    match kind % 6 {
        0 => a,
        1 => a & b,
        2 => a | b,
        3 => !a,
        4 => Rule::Nobody,
        _ => Rule::Everyone,
    }
}

fn book(rules: &[(usize, usize, u8)], has_rest: bool) -> RuleBook {
    let set = rules.iter().enumerate().fold(RuleSet::new(), |set, (i, parts)| {
        set.segment(format!("s{i}"), format!("S{i}"), rule(parts))
    });
    let set = if has_rest { set.rest("rest", "The rest") } else { set };
    set.compile_book(&schema()).unwrap()
}

/// Everything that is told, row by row.
fn check(memberships: &Memberships) {
    let overlap = memberships.overlap();
    let (n_rows, n) = (memberships.n_rows(), memberships.n_segments());
    assert_eq!((overlap.n_rows(), overlap.n_segments()), (n_rows as u64, n));
    let truth =
        |row, segment: usize| memberships.truth(row, SegmentIndex::new(segment as u32));
    let count = |holds: &dyn Fn(usize) -> bool| {
        (0..n_rows).filter(|&row| holds(row)).count() as u64
    };
    let is = |row, segment, wanted| truth(row, segment) == wanted;
    let number = |row| (0..n).filter(|&s| is(row, s, Truth::True)).count();
    let by_number: Vec<u64> = (0..=n).map(|k| count(&|row| number(row) == k)).collect();
    assert_eq!(overlap.by_number(), by_number);
    let mut pairs = overlap.pairs();
    for a in 0..n {
        let index = |i: usize| SegmentIndex::new(i as u32);
        let alone = count(&|row| is(row, a, Truth::True) && number(row) == 1);
        assert_eq!(overlap.exclusive(index(a)), alone);
        assert_eq!(overlap.count(index(a)), Some(memberships.count(index(a))));
        for b in 0..n {
            let pair = overlap.pair(index(a), index(b)).unwrap();
            if a < b {
                assert_eq!(pairs.next(), Some(pair));
            }
            let both = count(&|row| is(row, a, Truth::True) && is(row, b, Truth::True));
            let one = count(&|row| is(row, a, Truth::True) || is(row, b, Truth::True));
            let in_a = count(&|row| is(row, a, Truth::True));
            let in_b = count(&|row| is(row, b, Truth::True));
            assert_eq!(
                (pair.a, pair.b, pair.n_rows),
                (index(a), index(b), n_rows as u64)
            );
            assert_eq!((pair.in_a, pair.in_b, pair.both), (in_a, in_b, both));
            assert_eq!(pair.union(), one);
            let open = |a, b| {
                count(&|row| is(row, a, Truth::True) && is(row, b, Truth::Unknown))
            };
            assert_eq!(pair.a_undecided_in_b, open(a, b));
            assert_eq!(pair.b_undecided_in_a, open(b, a));
            let share =
                |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
            assert_eq!(pair.jaccard(), share(both, one));
            assert_eq!(pair.a_in_b(), share(both, in_a));
            assert_eq!(pair.b_in_a(), share(both, in_b));
            assert_eq!(pair.lift(), share(both * n_rows as u64, in_a * in_b));
        }
    }
    assert_eq!(pairs.next(), None);
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(48)
    })]

    #[test]
    fn overlap_is_what_rows_say(
        rows in prop::collection::vec(prop::array::uniform6(any::<Option<bool>>()), 0..200),
        rules in prop::collection::vec((0..FLAGS, 0..FLAGS, any::<u8>()), 1..9),
        has_rest in any::<bool>(),
    ) {
        check(&book(&rules, has_rest).memberships(&table(&rows)).unwrap());
    }
}

/// More segments than a tile has, and more rows than a block.
#[test]
fn overlap_of_many_segments_is_what_rows_say() {
    let rules: Vec<_> = (0..75).map(|i| (i, i / 7 + i % 3, (i % 11) as u8)).collect();
    let row = |i: usize| {
        std::array::from_fn(|k| match (i * (k + 3) + i / 5) % 7 {
            0 => None,
            x => Some(x % 2 == 0),
        })
    };
    let rows: Vec<Flags> = (0..1000).map(row).collect();
    check(&book(&rules, true).memberships(&table(&rows)).unwrap());
}

#[test]
fn overlap_is_the_same_on_any_number_of_threads() {
    let rules: Vec<_> = (0..70).map(|i| (i, i / 7, (i % 9) as u8)).collect();
    let rows: Vec<Flags> = (0..20_000)
        .map(|i| std::array::from_fn(|k| (i % (k + 5) > 0).then_some(i % (k + 2) == 0)))
        .collect();
    let memberships = book(&rules, false).memberships(&table(&rows)).unwrap();
    let overlap = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| memberships.overlap())
    };
    let one = overlap(1);
    assert!([2, 7].into_iter().all(|threads| overlap(threads) == one));
}

#[test]
fn segments_that_are_not_there_have_no_overlap() {
    let memberships = book(&[(0, 1, 0)], false).memberships(&table(&[])).unwrap();
    let overlap = memberships.overlap();
    let [first, second] = [0, 1].map(SegmentIndex::new);
    assert_eq!(overlap.pair(first, second), None);
    assert_eq!((overlap.count(second), overlap.exclusive(second)), (None, 0));
    let alone = overlap.pair(first, first).unwrap();
    assert_eq!((alone.jaccard(), alone.lift(), alone.a_in_b()), (None, None, None));
    assert_eq!(overlap.by_number(), [0, 0]);
}
