//! What an edit of a set changes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use segmenta::data::Span;
use segmenta::rules::{
    Redefinition, Renaming, Reversion, Revisions, Rule, RuleDigest, RuleSet, SegmentStay,
    VersionStep, field, segment, segment_version,
};

fn step(from: impl Into<Option<u32>>, to: impl Into<Option<u32>>) -> VersionStep {
    VersionStep { from: from.into(), to: to.into() }
}

#[test]
fn every_change_of_a_set_is_told() {
    let young = || SegmentStay::new().leave(field("age").ge(31));
    let before = RuleSet::new()
        .segment("vip", "VIP", field("spent").ge(1000))
        .version(3)
        .segment("lost", "Lost", segment("vip") & field("orders").eq(0))
        .version(1)
        .segment("old", "Old", field("age").ge(60))
        .segment("young", "Young", field("age").lt(30))
        .version(2)
        .stay(young())
        .segment("same", "Same", field("a").eq(1) & field("b").eq(2))
        .version(5)
        .segment("kept", "Kept", field("orders").ge(1))
        .version(2)
        .rest("rest", "Rest");
    let after = RuleSet::new()
        .segment("vip", "Very important", field("spent").ge(2000))
        .version(4)
        .segment("lost", "Lost", segment_version("vip", 4) & field("orders").eq(0))
        .version(1)
        .segment("kept", "Kept", field("orders").ge(1))
        .version(1)
        .segment("young", "Young", field("age").lt(30))
        .stay(young().minimum_stay(Span::days(30)))
        // Written otherwise, and the same.
        .segment("same", "Same", field("b").eq(2) & field("a").eq(1))
        .version(5)
        .segment("rest", "Now a rule", Rule::Everyone)
        .segment("new", "New", Rule::Nobody);
    let revisions = after.revisions(&before);
    let redefined =
        |segment: &str, [by_rule, by_references, by_stay]: [bool; 3], version| {
            let by_scores = false;
            Redefinition {
                segment: segment.into(),
                by_rule,
                by_references,
                by_scores,
                by_stay,
                version,
            }
        };
    assert_eq!(revisions.new, ["new".into()]);
    assert_eq!(revisions.gone, ["old".into()]);
    let renamed = |segment: &str, from: &str, to: &str| Renaming {
        segment: segment.into(),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    assert_eq!(
        revisions.renamed,
        [renamed("vip", "VIP", "Very important"), renamed("rest", "Rest", "Now a rule")]
    );
    assert_eq!(
        revisions.redefined,
        [
            redefined("vip", [true, false, false], step(3, 4)),
            redefined("lost", [false, true, false], step(1, 1)),
            redefined("young", [false, false, true], step(2, None)),
            redefined("rest", [true, false, false], step(None, None)),
        ]
    );
    let kept = Reversion { segment: "kept".into(), version: step(2, 1) };
    assert_eq!(revisions.reversioned, [kept]);
    assert!(revisions.is_reordered);
    assert_eq!(
        revisions.mistakes().map(|id| id.as_str()).collect::<Vec<_>>(),
        ["lost", "young", "kept"]
    );
    assert_eq!(
        revisions.to_string(),
        "new: `new`\n\
         gone: `old`\n\
         renamed: `vip` from `VIP` to `Very important`\n\
         renamed: `rest` from `Rest` to `Now a rule`\n\
         redefined: `vip` by its rule, version 3 to 4\n\
         redefined: `lost` by segments to which it refers, still version 1: a mistake\n\
         redefined: `young` by how it is left, version 2 to none: a mistake\n\
         redefined: `rest` by its rule\n\
         the same: `kept`, version 2 to 1: a mistake\n\
         the order is another\n",
    );
    let json = serde_json::to_string(&revisions).unwrap();
    assert_eq!(serde_json::from_str::<Revisions>(&json).unwrap(), revisions);
    assert_eq!(after.revisions(&after).to_string(), "nothing has changed\n");
}

#[test]
fn versions_are_to_be_raised() {
    let mistake = |from: Option<u32>, to: Option<u32>| {
        let set = |version: Option<u32>, x: i32| {
            let mut set = RuleSet::new().segment("a", "A", field("x").eq(x));
            set.segments[0].version = version;
            set
        };
        let revisions = set(to, 1).revisions(&set(from, 0));
        assert_eq!(revisions.redefined.len(), 1);
        let again = set(to, 0).revisions(&set(from, 0));
        assert_eq!(again.reversioned.len(), usize::from(from != to));
        (revisions.mistakes().count() == 1, again.mistakes().count() == 1)
    };
    assert_eq!(mistake(None, None), (false, false));
    assert_eq!(mistake(None, Some(1)), (false, false));
    assert_eq!(mistake(Some(1), Some(2)), (false, false));
    assert_eq!(mistake(Some(2), Some(2)), (true, false));
    assert_eq!(mistake(Some(2), Some(1)), (true, true));
    assert_eq!(mistake(Some(1), None), (true, true));
}

#[test]
fn how_a_segment_is_left_is_compared_by_what_it_says() {
    let set = |stay: Option<SegmentStay>, x: i32| {
        let set = RuleSet::new().segment("b", "B", field("x").eq(x)).segment(
            "a",
            "A",
            field("y").eq(1),
        );
        stay.into_iter().fold(set, RuleSet::stay)
    };
    let by_stay = |before: RuleSet, after: RuleSet| {
        let revisions = after.revisions(&before);
        revisions.redefined.iter().any(|r| r.segment.as_str() == "a" && r.by_stay)
    };
    let leave = |rule: Rule| Some(SegmentStay::new().leave(rule));
    let never = Some(SegmentStay::new().minimum_stay(Span::from_millis(0)));
    assert!(by_stay(set(None, 1), set(Some(SegmentStay::new()), 1)));
    assert!(!by_stay(set(Some(SegmentStay::new()), 1), set(never, 1)));
    assert!(by_stay(set(leave(Rule::Nobody), 1), set(Some(SegmentStay::new()), 1)));
    let [one, other] = [field("z").eq(1), field("w").eq(1)];
    let (a, b) = (one.clone() & other.clone(), other & one);
    assert!(!by_stay(set(leave(a), 1), set(leave(b), 1)));
    // What the rule to leave refers to counts.
    assert!(by_stay(set(leave(segment("b")), 1), set(leave(segment("b")), 2)));
    assert!(!by_stay(set(leave(segment("b")), 1), set(leave(segment("b")), 1)));
}

#[test]
fn of_two_segments_with_one_id_the_first_counts() {
    let set = |x: i32, y: i32| {
        RuleSet::new().segment("a", "A", field("x").eq(x)).segment(
            "a",
            "B",
            field("y").eq(y),
        )
    };
    assert!(set(1, 2).revisions(&set(1, 1)).is_empty());
    let revisions = set(2, 1).revisions(&set(1, 1));
    assert_eq!(revisions.to_string(), "redefined: `a` by its rule\n");
}

const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// A set with different ids.
fn set() -> impl Strategy<Value = RuleSet> {
    let leaf = || {
        prop_oneof![
            3 => (0..2_i32).prop_map(|x| field("x").eq(x)),
            1 => select(&IDS[..]).prop_map(segment),
            1 => (select(&IDS[..]), 1..3_u32).prop_map(|(id, v)| segment_version(id, v)),
        ]
    };
    let rule = move || {
        prop_oneof![
            leaf(),
            leaf().prop_map(|rule| !rule),
            (leaf(), leaf()).prop_map(|(a, b)| a & b),
        ]
    };
    let stay = (prop::option::of(rule()), 0..2_u64).prop_map(|(leave, millis)| {
        let minimum_stay = Some(Span::from_millis(millis));
        SegmentStay { leave, minimum_stay }
    });
    let version = prop::option::of(1..3_u32);
    let segment =
        (select(vec!["A", "B"]), rule(), version, prop::option::weighted(0.3, stay));
    let segments = prop::collection::vec(segment, 4);
    let order = Just(IDS.to_vec()).prop_shuffle();
    (segments, order, 0..5_usize, any::<bool>()).prop_map(|(segments, ids, n, rest)| {
        let mut set = RuleSet::new();
        for ((name, rule, version, stay), id) in segments.into_iter().zip(&ids).take(n) {
            set = set.segment(*id, name, rule);
            let last = set.segments.last_mut().unwrap();
            (last.version, last.stay) = (version, stay);
        }
        match ids.get(n) {
            Some(id) if rest => set.rest(*id, "Rest"),
            _ => set,
        }
    })
}

/// The digest of the rule by which a segment is left, and the least stay.
type Stay = (Option<RuleDigest>, u64);

/// By the id of each segment with a rule: its digest and that of how it is left, one after
/// the other in a set in which the latter is a segment.
fn said(set: &RuleSet) -> BTreeMap<String, (RuleDigest, Option<Stay>)> {
    let digests = set.digests();
    let segments = set.segments.iter().zip(digests);
    let said = segments.map(|(segment, digest)| {
        let stay = segment.stay.as_ref().map(|stay| {
            let leave = stay.leave.as_ref().map(|rule| {
                let with = set.clone().segment("the rule to leave", "", rule.clone());
                with.digests()[set.segments.len()]
            });
            (leave, stay.minimum_stay.map_or(0, |span| span.as_millis()))
        });
        (segment.id.to_string(), (digest, stay))
    });
    said.collect()
}

fn ids(set: &RuleSet) -> BTreeSet<String> {
    let rules = set.segments.iter().map(|segment| segment.id.to_string());
    rules.chain(set.rest.iter().map(|rest| rest.id.to_string())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    })]

    #[test]
    fn segments_are_new_gone_redefined_or_the_same(before in set(), after in set()) {
        let revisions = after.revisions(&before);
        let texts = |ids: &[segmenta::segmenter::SegmentId]| -> BTreeSet<String> {
            ids.iter().map(|id| id.to_string()).collect()
        };
        let (old, new) = (ids(&before), ids(&after));
        prop_assert_eq!(texts(&revisions.new), &new - &old);
        prop_assert_eq!(texts(&revisions.gone), &old - &new);
        prop_assert!(after.revisions(&after).is_empty());
        let back = before.revisions(&after);
        prop_assert_eq!(&back.new, &revisions.gone);
        prop_assert_eq!(back.is_reordered, revisions.is_reordered);
        prop_assert_eq!(back.redefined.len(), revisions.redefined.len());

        let (said_before, said_after) = (said(&before), said(&after));
        let both = &old & &new;
        let differ: BTreeSet<String> = both
            .iter()
            .filter(|id| said_before.get(*id) != said_after.get(*id))
            .cloned()
            .collect();
        let redefined: BTreeSet<String> =
            revisions.redefined.iter().map(|r| r.segment.to_string()).collect();
        prop_assert_eq!(&redefined, &differ);
        let find = |set: &RuleSet, id: &str| {
            set.segments.iter().find(|segment| segment.id.as_str() == id).cloned()
        };
        for redefined in &revisions.redefined {
            let Redefinition { segment, by_rule, by_references, by_stay, version, .. } = redefined;
            let id = segment.as_str();
            prop_assert!(!(*by_rule && *by_references));
            let (Some(old), Some(new)) = (find(&before, id), find(&after, id)) else {
                prop_assert!(by_rule & !by_stay);
                continue;
            };
            prop_assert_eq!(*version, step(old.version, new.version));
            let (old_said, new_said) = (&said_before[id], &said_after[id]);
            prop_assert_eq!(by_rule | by_references, old_said.0 != new_said.0);
            prop_assert_eq!(*by_stay, old_said.1 != new_said.1);
            if *by_references {
                prop_assert_eq!(old.rule.digest(), new.rule.digest());
            }
        }
        let raised = |id: &str| {
            let version = |set: &RuleSet| find(set, id).and_then(|segment| segment.version);
            match (version(&before), version(&after)) {
                (None, _) => Some(true),
                (Some(_), None) => Some(false),
                (Some(old), Some(new)) if old == new => None,
                (Some(old), Some(new)) => Some(new > old),
            }
        };
        let mistakes: BTreeSet<String> =
            revisions.mistakes().map(|id| id.to_string()).collect();
        let expected: BTreeSet<String> = both
            .iter()
            .filter(|id| !raised(id).unwrap_or(!differ.contains(*id)))
            .cloned()
            .collect();
        prop_assert_eq!(mistakes, expected);
    }
}

#[test]
fn scores_are_told_beside_the_segments_that_test_them() {
    use segmenta::rules::{PointsModel, score};
    let points = |x: f64| PointsModel::new().when("a", x, field("x").ge(1));
    let set = |x: f64, y: f64| {
        RuleSet::new()
            .score("s", points(x))
            .segment("a", "A", score("s").ge(1) & segment("b"))
            .segment("b", "B", field("x").ge(y))
            .segment("c", "C", segment("a"))
            .segment("d", "D", field("x").lt(9))
    };
    let told = |now: RuleSet, before: RuleSet| now.revisions(&before).to_string();
    assert_eq!(
        told(set(5.0, 1.0), set(4.0, 1.0)),
        "redefined: `a` by scores that it tests\n\
         redefined: `c` by segments to which it refers\n\
         redefined: score `s`\n"
    );
    assert_eq!(
        told(set(5.0, 2.0), set(4.0, 1.0)),
        "redefined: `a` by segments to which it refers and scores that it tests\n\
         redefined: `b` by its rule\n\
         redefined: `c` by segments to which it refers\n\
         redefined: score `s`\n"
    );
    let more = set(4.0, 1.0).score("t", points(1.0));
    assert_eq!(told(more.clone(), set(4.0, 1.0)), "new: score `t`\n");
    assert_eq!(told(set(4.0, 1.0), more.clone()), "gone: score `t`\n");
    assert!(!set(4.0, 1.0).revisions(&more).is_empty());
    assert!(more.revisions(&more).is_empty());
}

/// What only code can build is compared without going as deep.
#[test]
fn rules_of_any_depth_are_compared() {
    let deep = |x: f64| (0..20_000).fold(field("x").ge(x), |rule, _| !rule);
    let set = |x: f64| {
        let stay = SegmentStay::new().leave(deep(x));
        RuleSet::new().segment("a", "A", deep(x)).stay(stay)
    };
    let (one, two) = (set(1.0), set(2.0));
    assert_eq!(
        two.revisions(&one).to_string(),
        "redefined: `a` by its rule and how it is left\n"
    );
    assert!(one.revisions(&one).is_empty());
    // To drop them would go as deep.
    std::mem::forget([one, two]);
}
