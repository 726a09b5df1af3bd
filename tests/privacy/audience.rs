//! Counts that can be told together, against an attacker who tries all sums.

use proptest::prelude::*;
use segmenta::data::{FeatureSpec, Schema, Table};
use segmenta::privacy::{MinimumAudience, PublishedCount, PublishedCounts, ShownCount};
use segmenta::rules::{Memberships, RuleBook, field};
use segmenta::segmenter::{SegmentIndex, Truth};

use super::attacker::{Rows, all, finds, rows};
use super::{FLAGS, flags_book, flags_table};

/// Members, undecided and others of each segment.
fn groups(memberships: &Memberships) -> Vec<Rows> {
    let segments = (0..memberships.n_segments() as u32).map(SegmentIndex::new);
    segments
        .flat_map(|segment| {
            [Truth::True, Truth::Unknown, Truth::False].map(|truth| {
                let is = |&row: &usize| memberships.truth(row, segment) == truth;
                rows((0..memberships.n_rows()).filter(is))
            })
        })
        .collect()
}

fn shown(published: &PublishedCounts) -> Vec<ShownCount> {
    let counts =
        |count: &PublishedCount| [count.members, count.undecided, count.non_members];
    published.segments.iter().flat_map(counts).collect()
}

/// The groups that are told; the count of each is right.
fn told(groups: &[Rows], shown: &[ShownCount]) -> Vec<Rows> {
    assert_eq!(groups.len(), shown.len());
    let told = groups.iter().zip(shown).filter(|&(&group, shown)| match shown {
        ShownCount::Withheld => false,
        shown => {
            assert_eq!(*shown, ShownCount::Exact(u64::from(group.count_ones())));
            true
        }
    });
    told.map(|(&group, _)| group).collect()
}

/// Nothing small follows from what is told, and something small would follow from anything
/// that is withheld.
fn check(n: usize, least: u64, groups: &[Rows], shown: &[ShownCount]) {
    let told = told(groups, shown);
    assert_eq!(finds(n, least, &told, &told), None);
    if n > 0 && (n as u64) < least {
        assert!(told.is_empty());
        return;
    }
    for (&group, shown) in groups.iter().zip(shown) {
        if *shown == ShownCount::Withheld {
            assert!(finds(n, least, &told, &[group]).is_some(), "{group:b}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn nothing_small_follows_from_published_counts(
        flags in prop::collection::vec(prop::array::uniform5(prop::option::weighted(0.9, any::<bool>())), 0..40),
        rules in prop::collection::vec((0..FLAGS, 0..FLAGS, any::<u8>()), 1..7),
        least in 3_u64..9,
    ) {
        let n = flags.len();
        let table = flags_table(&flags, (0..n as u64).collect());
        let memberships = flags_book(&rules).memberships(&table).unwrap();
        let published = MinimumAudience::new(least).unwrap().publish(&memberships);
        check(n, least, &groups(&memberships), &shown(&published));
        let n_is_told = n == 0 || n as u64 >= least;
        prop_assert_eq!(published.n_rows.exact(), n_is_told.then_some(n as u64));
    }

    /// Segments that share rows out among them, in chains and parts.
    #[test]
    fn nothing_small_follows_from_parts_of_parts(
        values in prop::collection::vec(0_u8..12, 3..60),
        cuts in prop::collection::vec((0_u8..12, 0_u8..12), 1..10),
        least in 3_u64..9,
    ) {
        let n = values.len();
        let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
        let numbers: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        let table = Table::builder(&schema, n).numbers("x", numbers).build().unwrap();
        let builder = cuts.iter().enumerate().fold(RuleBook::builder(&schema), |b, (i, &(x, y))| {
            b.segment(format!("s{i}"), "", field("x").between(x.min(y), x.max(y)))
        });
        let memberships = builder.build().unwrap().memberships(&table).unwrap();
        let published = MinimumAudience::new(least).unwrap().publish(&memberships);
        check(n, least, &groups(&memberships), &shown(&published));
    }

    #[test]
    fn nothing_small_follows_from_published_overlaps(
        flags in prop::collection::vec(prop::array::uniform5(prop::option::weighted(0.95, any::<bool>())), 0..50),
        rules in prop::collection::vec((0..FLAGS, 0..FLAGS, any::<u8>()), 1..4),
        pairs in prop::collection::vec((0_u32..4, 0_u32..4), 0..5),
        least in 3_u64..6,
    ) {
        let n = flags.len();
        let table = flags_table(&flags, (0..n as u64).collect());
        let memberships = flags_book(&rules).memberships(&table).unwrap();
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|pair| [pair.0, pair.1].map(|i| SegmentIndex::new(i % rules.len() as u32)))
            .map(|[a, b]| (a, b))
            .collect();
        let audience = MinimumAudience::new(least).unwrap();
        let (published, overlaps) =
            audience.publish_overlaps(&memberships, &pairs).unwrap();
        prop_assert_eq!(&published, &audience.publish(&memberships));
        let mut groups = groups(&memberships);
        let mut told = told(&groups, &shown(&published));
        let may_be_told = told.clone();
        let mut withheld = Vec::new();
        for (overlap, &(a, b)) in overlaps.iter().zip(&pairs) {
            prop_assert_eq!((overlap.a, overlap.b), (a, b));
            let [x, y] = [a, b].map(|segment| groups[3 * segment.get()]);
            let quarters = [x & y, x & !y, y & !x, all(n) & !(x | y)];
            let counts = [overlap.both, overlap.only_a, overlap.only_b, overlap.neither];
            let n_told = counts.iter().filter(|count| count.is_told()).count();
            prop_assert!(n_told == 0 || n_told == 4);
            if n_told == 4 {
                for (quarter, count) in quarters.into_iter().zip(counts) {
                    prop_assert_eq!(count.exact(), Some(u64::from(quarter.count_ones())));
                }
                let are_told = [x, y].iter().all(|group| {
                    may_be_told.contains(group) || may_be_told.contains(&(all(n) & !group))
                });
                prop_assert!(are_told);
                told.extend(quarters);
            } else {
                withheld.push(([x, y], quarters));
            }
            groups.extend(quarters);
        }
        prop_assert_eq!(finds(n, least, &told, &told), None);
        // A pair is withheld for what would follow from its own counts.
        for (segments, quarters) in withheld {
            let new = [&segments[..], &quarters[..]].concat();
            let is_small = (1..least).contains(&(n as u64));
            prop_assert!(is_small || finds(n, least, &told, &new).is_some());
        }
    }
}

fn published(values: &[(f64, usize)], from: &[f64], least: u64) -> Vec<String> {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let x: Vec<f64> =
        values.iter().flat_map(|&(x, n)| std::iter::repeat_n(x, n)).collect();
    let table = Table::builder(&schema, x.len()).numbers("x", x).build().unwrap();
    let book =
        from.iter().enumerate().fold(RuleBook::builder(&schema), |book, (i, &x)| {
            book.segment(format!("s{i}"), "", field("x").eq(x))
        });
    let memberships = book.build().unwrap().memberships(&table).unwrap();
    let published = MinimumAudience::new(least).unwrap().publish(&memberships);
    published.segments.iter().map(|segment| segment.members.to_string()).collect()
}

#[test]
fn a_small_part_takes_another_part_with_it() {
    let parts = [(1.0, 40), (2.0, 30), (3.0, 12), (4.0, 3)];
    let all = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(published(&parts, &all, 5), ["40", "30", "withheld", "withheld"]);
    assert_eq!(published(&parts, &all, 3), ["40", "30", "12", "3"]);
    // Without the total of the parts, the small one does not follow.
    let parts = [(1.0, 40), (2.0, 30), (3.0, 12), (4.0, 3), (5.0, 9)];
    assert_eq!(published(&parts, &all, 5), ["40", "30", "12", "withheld"]);
}

/// Many parts that share out all rows take no longer than a few.
#[test]
fn a_thousand_parts_are_told() {
    let parts: Vec<(f64, usize)> = (0..1000).map(|i| (f64::from(i), 10)).collect();
    let all: Vec<f64> = (0..1000).map(f64::from).collect();
    let published = published(&parts, &all, 10);
    assert!(published.iter().all(|count| count == "10"));
}

/// Pairs of neighbouring fields of a board, which can be shared out into pairs in 12,988,816
/// ways: too many to rule them out one by one. What is not ruled out is withheld, in time.
#[test]
fn what_takes_too_long_to_rule_out_is_withheld() {
    const SIDE: usize = 8;
    let schema = Schema::new([FeatureSpec::number("field")]).unwrap();
    let fields: Vec<f64> = (0..SIDE * SIDE * 5).map(|i| (i / 5) as f64).collect();
    let table = Table::builder(&schema, fields.len()).numbers("field", fields);
    let at = |row: usize, column: usize| row * SIDE + column;
    let places = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column)));
    let pairs = places.flat_map(|(row, column)| {
        let right = (column + 1 < SIDE).then(|| at(row, column + 1));
        let below = (row + 1 < SIDE).then(|| at(row + 1, column));
        [right, below].into_iter().flatten().map(move |to| [at(row, column), to])
    });
    let book = pairs.enumerate().fold(RuleBook::builder(&schema), |book, (i, pair)| {
        book.segment(format!("s{i}"), "", field("field").is_in(pair))
    });
    let memberships = book.build().unwrap().memberships(&table.build().unwrap()).unwrap();
    let published = MinimumAudience::new(4).unwrap().publish(&memberships);
    let n_told = published.segments.iter().filter(|s| s.members.is_told()).count();
    assert!((50..112).contains(&n_told), "{n_told}");
}

#[test]
fn counts_are_shown_as_they_may_be() {
    let audience = MinimumAudience::new(5).unwrap();
    let shown: Vec<String> =
        [0, 1, 4, 5, 123].map(|n| audience.show(n).to_string()).into();
    assert_eq!(shown, ["0", "<5", "<5", "5", "123"]);
    let rounded = audience.rounded_to(10).unwrap();
    assert_eq!(rounded.show(129), ShownCount::About { count: 120, base: 10 });
    assert_eq!(rounded.show(3), ShownCount::Below(5));
    assert_eq!(format!("{:>9}|", audience.show(3)), "       <5|");
    assert_eq!(audience.show(4).exact(), None);
    assert!(audience.may_activate(&"a".into(), 5).is_ok());
    for members in [0, 4] {
        let error = audience.may_activate(&"a".into(), members).unwrap_err();
        assert!(
            error.to_string().ends_with("at least 5 people, but is fewer"),
            "{error}"
        );
    }
    assert!(MinimumAudience::new(2).is_err() && audience.rounded_to(0).is_err());
    assert_eq!(
        MinimumAudience::new(u64::MAX).unwrap().show(7),
        ShownCount::Below(u64::MAX)
    );
}

#[test]
fn rounding_changes_no_decision() {
    let flags: Vec<_> = (0..60)
        .map(|i| std::array::from_fn(|k| (i % 7 > 0).then_some(i % (k + 2) == 0)))
        .collect();
    let table = flags_table(&flags, (0..60).collect());
    let book = flags_book(&[(0, 1, 0), (1, 2, 0), (0, 1, 2), (3, 1, 1)]);
    let memberships = book.memberships(&table).unwrap();
    let audience = MinimumAudience::new(4).unwrap();
    let exact = shown(&audience.publish(&memberships));
    let rounded = shown(&audience.rounded_to(5).unwrap().publish(&memberships));
    for (exact, rounded) in exact.into_iter().zip(rounded) {
        let expected =
            exact.exact().map(|n| ShownCount::About { count: n / 5 * 5, base: 5 });
        assert_eq!(rounded, expected.unwrap_or(ShownCount::Withheld));
    }
}

#[test]
fn audiences_are_read_with_their_checks() {
    let audience = MinimumAudience::new(10).unwrap().rounded_to(5).unwrap();
    let json = serde_json::to_string(&audience).unwrap();
    assert_eq!(json, r#"{"least":10,"rounded_to":5}"#);
    assert_eq!(serde_json::from_str::<MinimumAudience>(&json).unwrap(), audience);
    let plain: MinimumAudience = serde_json::from_str(r#"{"least":10}"#).unwrap();
    assert_eq!(plain, MinimumAudience::new(10).unwrap());
    for bad in
        [r#"{"least":2}"#, r#"{"least":10,"rounded_to":0}"#, r#"{"least":10,"k":1}"#]
    {
        assert!(serde_json::from_str::<MinimumAudience>(bad).is_err(), "{bad}");
    }
}

#[test]
fn overlaps_are_of_segments_that_are_there() {
    let memberships =
        flags_book(&[(0, 1, 0)]).memberships(&flags_table(&[], vec![])).unwrap();
    let audience = MinimumAudience::new(5).unwrap();
    let pair = |a, b| (SegmentIndex::new(a), SegmentIndex::new(b));
    let error = audience.publish_overlaps(&memberships, &[pair(0, 1)]).unwrap_err();
    assert_eq!(error.to_string(), "parameter `segment` must be below 1, but is 1");
    let many = vec![pair(0, 0); 1001];
    let error = audience.publish_overlaps(&memberships, &many).unwrap_err();
    assert_eq!(error.to_string(), "parameter `pairs` must be at most 1000, but is 1001");
    let (_, overlaps) = audience.publish_overlaps(&memberships, &[pair(0, 0)]).unwrap();
    assert_eq!(overlaps[0].neither, ShownCount::Exact(0));
}

#[test]
fn previews_tell_what_their_counts_tell() {
    let flags: Vec<_> = (0..200)
        .map(|i| {
            std::array::from_fn(|k| Some(if k == 0 { i % 2 == 0 } else { i % 100 == 0 }))
        })
        .collect();
    let table = flags_table(&flags, (0..200).collect());
    let book = flags_book(&[(0, 0, 0), (1, 1, 0)]);
    let audience = MinimumAudience::new(5).unwrap();
    for n in [50, 200, 1000] {
        let told = audience.preview(&book, &table, n, 1).unwrap();
        let all = book.preview(&table, n, 1).unwrap();
        assert_eq!(told[0].count.members, ShownCount::Exact(all[0].count.members));
        assert_eq!(told[0].members, Some(all[0].members));
        assert_eq!(told[0].n_rows, ShownCount::Exact(200));
        // There are two in the table.
        assert!(
            told[1].count.members == ShownCount::Withheld || all[1].count.members == 0
        );
        assert_eq!(told[1].members.is_some(), told[1].count.members.is_told());
        assert_eq!(told[1].segment.as_str(), "s1");
    }
    assert!(audience.preview(&book, &table, 0, 1).is_err());
}

/// A pair of which one count is small leaves no trace in what is told of the next pair.
#[test]
fn a_pair_that_is_withheld_takes_no_other_with_it() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let numbers: Vec<f64> = (0..100).map(f64::from).collect();
    let table = Table::builder(&schema, 100).numbers("x", numbers).build().unwrap();
    let book = RuleBook::builder(&schema)
        .segment("a", "", field("x").lt(40))
        .segment("b", "", field("x").between(20, 42) | field("x").ge(70))
        .segment("c", "", field("x").between(21, 61) | field("x").ge(85));
    let memberships = book.build().unwrap().memberships(&table).unwrap();
    let [a, b, c] = [0, 1, 2].map(SegmentIndex::new);
    let audience = MinimumAudience::new(5).unwrap();
    let told = |pairs: &[(SegmentIndex, SegmentIndex)]| {
        let (_, overlaps) = audience.publish_overlaps(&memberships, pairs).unwrap();
        overlaps.iter().map(|overlap| overlap.both.exact()).collect::<Vec<_>>()
    };
    // Of `a` and `b` 20 are in both, of `a` and `c` 19: the difference of the two is one, of
    // whom the first is not told where the other is.
    let [ab, ac, bc] = [(a, b), (a, c), (b, c)];
    let alone = [ab, ac, bc].map(|pair| told(&[pair])[0]);
    assert_eq!(alone, [Some(20), Some(19), Some(37)]);
    assert_eq!(told(&[ab, ac]), [Some(20), None]);
    assert_eq!(told(&[ac, ab]), [Some(19), None]);
}
