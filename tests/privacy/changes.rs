//! Counts over time, against an attacker who remembers all of them.

use proptest::prelude::*;
use segmenta::data::CustomerId;
use segmenta::privacy::{
    MinimumAudience, PublishedChange, PublishedSnapshot, ShownCount,
};
use segmenta::rules::Snapshot;

use super::attacker::{Rows, finds_over_time, rows};
use super::{FLAGS, Flags, flags_book, flags_table};

/// Customers, a bit each by their id.
fn bits<'i>(ids: impl Iterator<Item = CustomerId<'i>>) -> Rows {
    rows(ids.map(|id| match id {
        CustomerId::Number(id) => id as usize,
        CustomerId::Text(id) => panic!("{id}"),
    }))
}

/// Customers whose flags are stated, by their id.
fn snapshot(flags: &[Option<Flags>], rules: &[(usize, usize, u8)]) -> Snapshot {
    let there = flags.iter().enumerate().filter_map(|(i, f)| Some((i as u64, (*f)?)));
    let (ids, flags): (Vec<u64>, Vec<Flags>) = there.unzip();
    flags_book(rules).snapshot(&flags_table(&flags, ids)).unwrap()
}

/// All customers, then members, undecided and others of each segment.
fn groups(snapshot: &Snapshot) -> Vec<Rows> {
    let present = bits(snapshot.customers());
    let mut groups = vec![present];
    for segment in snapshot.segments() {
        let [members, undecided] = [bits(segment.members()), bits(segment.undecided())];
        groups.extend([members, undecided, present & !members & !undecided]);
    }
    groups
}

fn shown(published: &PublishedSnapshot) -> Vec<ShownCount> {
    let counts = published.segments.iter().flat_map(|segment| {
        let count = segment.count;
        [count.members, count.undecided, count.non_members]
    });
    std::iter::once(published.n_customers).chain(counts).collect()
}

fn told(groups: &[Rows], shown: &[ShownCount]) -> Vec<Rows> {
    assert_eq!(groups.len(), shown.len());
    let told = groups.iter().zip(shown).filter(|(group, shown)| {
        let count = u64::from(group.count_ones());
        assert!(shown.exact().is_none_or(|shown| shown == count));
        shown.is_told()
    });
    told.map(|(&group, _)| group).collect()
}

prop_compose! {
    /// Customers at an instant, and at later ones, with some changes each.
    fn histories()(
        first in prop::collection::vec(prop::array::uniform5(prop::option::weighted(0.95, any::<bool>())), 12..40),
        changes in prop::collection::vec(prop::collection::vec((0_usize..45, prop::option::weighted(0.7, prop::array::uniform5(prop::option::weighted(0.95, any::<bool>())))), 0..14), 1..3),
    ) -> Vec<Vec<Option<Flags>>> {
        let mut present: Vec<Option<Flags>> = first.into_iter().map(Some).collect();
        present.resize(45, None);
        let mut histories = vec![present.clone()];
        for changes in changes {
            for (at, flags) in changes {
                present[at] = flags;
            }
            histories.push(present.clone());
        }
        histories
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    })]

    #[test]
    fn nothing_small_follows_over_time(
        histories in histories(),
        rules in prop::collection::vec((0..FLAGS, 0..FLAGS, any::<u8>()), 1..4),
        least in 3_u64..7,
    ) {
        let audience = MinimumAudience::new(least).unwrap();
        let snapshots: Vec<Snapshot> =
            histories.iter().map(|flags| snapshot(flags, &rules)).collect();
        let mut published: Vec<PublishedSnapshot> = Vec::new();
        let (mut known, mut frames) = (Vec::new(), Vec::new());
        for (i, snapshot) in snapshots.iter().enumerate() {
            let earlier: Vec<_> = snapshots[..i].iter().zip(&published).collect();
            let now = audience.publish_snapshot(snapshot, &earlier).unwrap();
            let groups = groups(snapshot);
            frames.push(groups[0]);
            known.extend(told(&groups, &shown(&now)));
            prop_assert_eq!(finds_over_time(&frames, &known, least), None);
            published.push(now);
        }
        let alone = audience.publish(&flags_book(&rules).memberships(&{
            let there = histories[0].iter().enumerate().filter_map(|(i, f)| Some((i as u64, (*f)?)));
            let (ids, flags): (Vec<u64>, Vec<Flags>) = there.unzip();
            flags_table(&flags, ids)
        }).unwrap());
        let first: Vec<_> = published[0].segments.iter().map(|segment| segment.count).collect();
        prop_assert_eq!(first, alone.segments);
    }

    #[test]
    fn nothing_small_follows_from_differences(
        histories in histories(),
        rules in prop::collection::vec((0..FLAGS, 0..FLAGS, any::<u8>()), 1..3),
        least in 3_u64..7,
    ) {
        let [before, after] = [0, 1].map(|i| snapshot(&histories[i], &rules));
        let difference = before.difference(&after).unwrap();
        let published = MinimumAudience::new(least).unwrap().publish_difference(&difference);
        let mut cells = vec![
            (bits(before.customers()), published.before),
            (bits(after.customers()), published.after),
        ];
        for (segment, told) in difference.segments().zip(&published.segments) {
            prop_assert_eq!(segment.id(), &told.segment);
            let id = segment.id().as_str();
            let members = |s: &Snapshot| bits(s.segment(id).unwrap().members());
            let PublishedChange { before: n_before, after: n_after, .. } = *told;
            cells.extend([
                (members(&before), n_before),
                (members(&after), n_after),
                (bits(segment.entered()), told.entered),
                (bits(segment.arrived()), told.arrived),
                (bits(segment.left()), told.left),
                (bits(segment.gone()), told.gone),
                (bits(segment.stayed()), told.stayed),
                (bits(segment.became_undecided()), told.became_undecided),
                (bits(segment.became_decided()), told.became_decided),
            ]);
        }
        let (groups, shown): (Vec<Rows>, Vec<ShownCount>) = cells.into_iter().unzip();
        let told = told(&groups, &shown);
        prop_assert_eq!(finds_over_time(&groups[..2], &told, least), None);
    }
}

#[test]
fn earlier_counts_are_those_of_their_snapshots() {
    let flags = vec![Some([Some(true); FLAGS]); 10];
    let [one, two] = [1, 2].map(|n| snapshot(&flags, &vec![(0, 0, 0); n]));
    let audience = MinimumAudience::new(5).unwrap();
    let told = audience.publish_snapshot(&two, &[]).unwrap();
    let error = audience.publish_snapshot(&two, &[(&one, &told)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter `earlier counts` must be told of segments that its snapshot has, \
         but is of `s1`",
    );
    let json = serde_json::to_string(&told).unwrap();
    assert_eq!(serde_json::from_str::<PublishedSnapshot>(&json).unwrap(), told);
}

/// Twenty customers in each quarter of a hundred, some of whom move on.
fn quarters(n: usize, moved: usize) -> Snapshot {
    let flags = |i: usize| {
        let quarter = if i < moved { 1 } else { i / 20 };
        Some(std::array::from_fn(|k| Some(k == quarter)))
    };
    let rules = [(0, 0, 0), (1, 1, 0), (2, 2, 0), (0, 1, 2)];
    snapshot(&(0..n).map(flags).collect::<Vec<_>>(), &rules)
}

fn members(published: &PublishedSnapshot) -> Vec<String> {
    published.segments.iter().map(|s| s.count.members.to_string()).collect()
}

#[test]
fn counts_that_changed_by_few_are_withheld_and_others_are_told() {
    let audience = MinimumAudience::new(5).unwrap();
    let first = quarters(100, 0);
    let told = audience.publish_snapshot(&first, &[]).unwrap();
    assert_eq!(members(&told), ["20", "20", "20", "40"]);
    let now = |n, moved| {
        let later = quarters(n, moved);
        audience.publish_snapshot(&later, &[(&first, &told)]).unwrap()
    };
    assert_eq!(members(&now(100, 0)), ["20", "20", "20", "40"]);
    assert_eq!(members(&now(100, 2)), ["withheld", "withheld", "20", "40"]);
    assert_eq!(members(&now(100, 6)), ["14", "26", "20", "40"]);
    // Newcomers.
    assert_eq!(now(105, 0).n_customers, ShownCount::Exact(105));
    let later = now(102, 0);
    assert_eq!(later.n_customers, ShownCount::Withheld);
    assert_eq!(members(&later), ["20", "20", "20", "40"]);
}

#[test]
fn flows_of_few_are_withheld_with_what_would_tell_them() {
    let audience = MinimumAudience::new(5).unwrap();
    let flows = |moved| {
        let difference = quarters(100, 0).difference(&quarters(100, moved)).unwrap();
        audience.publish_difference(&difference).segments[1].clone()
    };
    let many = flows(6);
    let counts = [many.before, many.after, many.entered, many.stayed, many.left];
    assert_eq!(counts, [20, 26, 6, 20, 0].map(ShownCount::Exact));
    let few = flows(2);
    let counts = [few.before, few.after, few.entered, few.stayed, few.left];
    let expected = [None, Some(22), None, None, Some(0)];
    assert_eq!(counts.map(ShownCount::exact), expected);
}

#[test]
fn what_was_told_of_nobody_stays_without_effect() {
    let audience = MinimumAudience::new(5).unwrap();
    let few = quarters(4, 0);
    let told = audience.publish_snapshot(&few, &[]).unwrap();
    assert!(!told.n_customers.is_told());
    assert_eq!(members(&told), ["withheld"; 4]);
    let nobody = quarters(0, 0);
    let told_of_nobody = audience.publish_snapshot(&nobody, &[]).unwrap();
    assert_eq!(members(&told_of_nobody), ["0"; 4]);
    let later = quarters(100, 0);
    let earlier = [(&few, &told), (&nobody, &told_of_nobody)];
    let told = audience.publish_snapshot(&later, &earlier).unwrap();
    assert_eq!(members(&told), ["20", "20", "20", "40"]);
}
