//! Segments that refer to other segments.

use segmenta::data::{FeatureSpec, OwnedCustomer, Schema, Table};
use segmenta::error::{Error, ErrorKind, Issue};
use segmenta::rules::{
    Rule, RuleBook, RuleSegmenter, RuleSet, RuleText, field, segment, segment_version,
};
use segmenta::segmenter::{Persist, Reason, Relabel, Segment, Truth};
use segmenta::{Segmenter, SegmenterExt};

use super::batch::check;

fn schema() -> Schema {
    Schema::new([FeatureSpec::number("spend"), FeatureSpec::flag("member")]).unwrap()
}

fn issues(error: &Error) -> Vec<Issue> {
    match error.kind() {
        ErrorKind::Definition { issues, .. } => issues.clone(),
        other => panic!("{other:?}"),
    }
}

fn faults(set: &RuleSet) -> Vec<(String, String, Option<String>)> {
    let error = set.compile(&schema()).unwrap_err();
    issues(&error).into_iter().map(|i| (i.code, i.path, i.found)).collect()
}

fn set(rules: &[(&str, &str)]) -> RuleSet {
    rules.iter().fold(RuleSet::new(), |set, (id, text)| {
        set.segment(*id, id.to_uppercase(), text.parse().unwrap())
    })
}

/// A diamond, the top of which stands first.
fn diamond() -> RuleSet {
    set(&[
        ("top", "segment 'left' and not segment 'right'"),
        ("left", "segment 'base' or member"),
        ("right", "segment 'base' and member"),
        ("base", "spend >= 100"),
    ])
}

#[test]
fn pins_are_written_and_read() {
    let rule = segment_version("vip", 3) & !segment_version("it's", u32::MAX);
    let text = "segment 'vip' version 3 and not (segment 'it''s' version 4294967295)";
    assert_eq!(rule.to_string(), text);
    assert_eq!(text.parse::<Rule>().unwrap(), rule);
    assert_eq!(
        "SEGMENT 'vip' Version 3".parse::<Rule>().unwrap(),
        segment_version("vip", 3)
    );
    let json = r#"{"segment":{"id":"vip","version":3}}"#;
    assert_eq!(segment_version("vip", 3).to_json().unwrap(), json);
    assert_eq!(Rule::from_json(json).unwrap(), segment_version("vip", 3));
    assert_eq!(serde_json::from_str::<Rule>(json).unwrap(), segment_version("vip", 3));
    // Elsewhere the word is a name.
    let named: Rule = "version = 3 and segment 'a' and version".parse().unwrap();
    assert_eq!(named, field("version").eq(3) & segment("a") & field("version").eq(true));
    for (text, column) in [
        ("segment 'a' version", 20),
        ("segment 'a' version 'x'", 21),
        ("segment 'a' version 1.5", 21),
        ("segment 'a' version -1", 21),
        ("segment 'a' version 4294967296", 21),
        ("segment 'a' version 3 4", 23),
    ] {
        let found = issues(&text.parse::<Rule>().unwrap_err());
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(
            (found[0].code.as_str(), found[0].span.unwrap().column),
            ("unexpected", column),
            "{text}",
        );
    }
    let text = RuleText::parse("member and segment 'a' version 12").unwrap();
    let span = text.span("/all/1/segment/version");
    assert_eq!((span.start, span.end), (31, 33));
    let span = text.span("/all/1/segment");
    assert_eq!((span.start, span.end), (11, 33));
}

#[test]
fn pins_hold_a_set_to_the_versions_of_its_segments() {
    let set = |version: Option<u32>, pin: u32| {
        let mut set = RuleSet::new()
            .segment("user", "User", segment_version("vip", pin))
            .segment("vip", "VIP", field("spend").ge(100));
        set.segments[1].version = version;
        set
    };
    assert!(set(Some(3), 3).compile(&schema()).is_ok());
    let issue = |set: RuleSet| {
        let found = issues(&set.compile_book(&schema()).unwrap_err());
        assert_eq!(found.len(), 1, "{found:?}");
        let issue = &found[0];
        let detail = |text: &Option<String>| text.clone().unwrap_or_default();
        (
            issue.code.clone(),
            issue.path.clone(),
            detail(&issue.expected),
            detail(&issue.found),
        )
    };
    let expected = |code: &str, path: &str, expected: &str, found: &str| {
        (code.to_owned(), path.to_owned(), expected.to_owned(), found.to_owned())
    };
    let path = "/segments/0/rule/segment/version";
    assert_eq!(
        issue(set(Some(4), 3)),
        expected("other-version", path, "version 3", "version 4")
    );
    assert_eq!(
        issue(set(None, 3)),
        expected("other-version", path, "version 3", "no version")
    );
    assert_eq!(
        issue(set(Some(3), 0)),
        expected("bad-version", path, "a whole number from 1 on", "0")
    );
    let mut zero = set(Some(1), 1);
    zero.segments[0].version = Some(0);
    assert_eq!(
        issue(zero),
        expected("bad-version", "/segments/0/version", "a whole number from 1 on", "0")
    );
    let alone = segment_version("vip", 3).compile(&schema()).unwrap_err();
    assert_eq!(issues(&alone)[0].code, "no-segments-here");

    // Pins change nobody's membership, and so no digest.
    let pinned = segment_version("vip", 3);
    assert_eq!(pinned.digest(), segment("vip").digest());
    assert_ne!(pinned.digest(), segment("vap").digest());
    let mut free = set(None, 3);
    free.segments[0].rule = segment("vip");
    assert_eq!(set(Some(3), 3).digests(), free.digests());

    // Versions and pins outlive saving and renaming.
    let book = set(Some(3), 3).compile_book(&schema()).unwrap();
    assert_eq!(book.definition(), set(Some(3), 3));
    let loaded = RuleBook::load(&book.save().unwrap()).unwrap();
    assert_eq!(loaded, book);
    let mut renamed = loaded.into_segmenter();
    renamed
        .relabel(vec![Segment::new("user", "User"), Segment::new("best", "Best")])
        .unwrap();
    let rule = &renamed.definition().segments[0].rule;
    assert_eq!(rule, &segment_version("best", 3));
    assert_eq!(renamed.definition().segments[1].version, Some(3));
    let loaded = RuleSegmenter::load(&renamed.save().unwrap()).unwrap();
    assert_eq!(loaded, renamed);
    // Without versions nothing of them is saved, as before.
    let plain = free.compile_book(&schema()).unwrap().save().unwrap().to_json().unwrap();
    assert!(!plain.contains("version\":null") && !plain.contains("versions"), "{plain}");
}

#[test]
fn references_are_written_and_read() {
    let rule = segment("a") & !segment("it's");
    assert_eq!(rule.to_string(), "segment 'a' and not (segment 'it''s')");
    assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
    let json = r#"{"all":[{"segment":{"id":"a"}},{"not":{"segment":{"id":"it's"}}}]}"#;
    assert_eq!(serde_json::to_string(&rule).unwrap(), json);
    assert_eq!(serde_json::from_str::<Rule>(json).unwrap(), rule);
    // Elsewhere the word is a name.
    assert_eq!(
        "segment = 'a' or segment".parse::<Rule>().unwrap(),
        field("segment").eq("a") | field("segment").eq(true)
    );
    assert_eq!("segment 'a'".parse::<Rule>().unwrap(), segment("a"));
    let text = RuleText::parse("member and segment 'a'").unwrap();
    let issue = &issues(&text.compile(&schema()).unwrap_err())[0];
    assert_eq!(
        (issue.code.as_str(), issue.span.unwrap().start),
        ("no-segments-here", 11)
    );
}

#[test]
fn a_reference_has_the_truth_of_the_rule() {
    let book = diamond().compile_book(&schema()).unwrap();
    let customer = |spend: Option<f64>, member: Option<bool>| {
        let customer = OwnedCustomer::new(&schema(), 1);
        let customer = match spend {
            Some(spend) => customer.set("spend", spend).unwrap(),
            None => customer,
        };
        match member {
            Some(member) => customer.set("member", member).unwrap(),
            None => customer,
        }
    };
    use Truth::{False, True, Unknown};
    let cases = [
        (Some(200.0), Some(false), [True, True, False, True]),
        (Some(200.0), Some(true), [False, True, True, True]),
        (Some(2.0), Some(true), [True, True, False, False]),
        (Some(2.0), Some(false), [False, False, False, False]),
        (None, Some(true), [Unknown, True, Unknown, Unknown]),
        (Some(200.0), None, [Unknown, True, Unknown, True]),
        (None, None, [Unknown; 4]),
    ];
    let customers: Vec<OwnedCustomer> =
        cases.iter().map(|(spend, member, _)| customer(*spend, *member)).collect();
    for ((.., truths), customer) in cases.iter().zip(&customers) {
        assert_eq!(book.membership(customer).unwrap(), truths);
    }
    check(&book, &Table::from_customers(&schema(), &customers).unwrap());
    // The first match knows nothing of priorities among those that are referred to.
    let segmenter = book.clone().into_segmenter();
    let assigned = segmenter.assign(&customers[1]).unwrap();
    assert_eq!(segmenter.segment_of(&assigned).unwrap().id.as_str(), "left");
    let explanation = book.explain(&customers[0]).unwrap();
    let Reason::Rules { clauses } = explanation.reason else { panic!("not by rules") };
    let told: Vec<(String, Truth)> =
        clauses.into_iter().take(4).map(|c| (c.text, c.truth)).collect();
    assert_eq!(
        told,
        [
            ("TOP: all of".to_owned(), True),
            ("segment 'left'".to_owned(), True),
            ("not".to_owned(), True),
            ("segment 'right'".to_owned(), False),
        ]
    );
}

#[test]
fn circles_and_unknown_segments_are_told() {
    let circle = set(&[
        ("a", "segment 'b' and member"),
        ("b", "member or segment 'c'"),
        ("c", "not segment 'a'"),
        ("d", "segment 'd'"),
        ("e", "segment 'a'"),
    ]);
    let found = |path: &str, way: &str| {
        ("segments-in-a-circle".to_owned(), path.to_owned(), Some(way.to_owned()))
    };
    assert_eq!(
        faults(&circle),
        [
            found("/segments/2/rule", "a -> b -> c -> a"),
            found("/segments/3/rule", "d -> d"),
        ]
    );
    let unknown = set(&[("vip", "member"), ("a", "member and segment 'vp'")])
        .rest("rest", "The rest");
    let error = unknown.compile(&schema()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rules cannot be used: /segments/1/rule/all/1/segment/id: no segment has the id \
         `vp`; did you mean `vip`?"
    );
    // What is not known leads nowhere.
    let lost = set(&[("a", "segment 'b'"), ("b", "segment 'zz'")]);
    assert_eq!(faults(&lost).len(), 1);
    // Many ways back are told once each, and long ones are cut short.
    let ring = (0..400).fold(RuleSet::new(), |set, i| {
        let back = (0..200).map(|_| segment("s0"));
        let rule = Rule::any(back.chain([segment(format!("s{}", (i + 1) % 400))]));
        set.segment(format!("s{i}"), "S", rule)
    });
    let told = faults(&ring);
    assert_eq!(told.len(), 101);
    assert!(told.iter().all(|(.., way)| way.as_ref().is_none_or(|w| w.len() < 100)));
    let rest = set(&[("a", "member"), ("b", "segment 'rest'")]).rest("rest", "The rest");
    assert_eq!(faults(&rest)[0].0, "unknown-segment");
}

#[test]
fn long_chains_and_many_ways_are_bounded() {
    // Two ways to the one before, each time: 2^64 ways to the first.
    let chain = |n: usize| {
        (0..n).fold(set(&[("s0", "member")]), |set, i| {
            let rule = segment(format!("s{i}")) & !!segment(format!("s{i}"));
            set.segment(format!("s{}", i + 1), "S", rule)
        })
    };
    let book = chain(64).compile_book(&schema()).unwrap();
    let ann = OwnedCustomer::new(&schema(), 1).set("member", true).unwrap();
    assert!(book.membership(&ann).unwrap().iter().all(|t| *t == Truth::True));
    check(&book, &Table::from_customers(&schema(), [&ann]).unwrap());
    assert_eq!(faults(&chain(65))[0].0, "references-too-deep");
    assert_eq!(faults(&chain(70)).len(), 1);
    // More rules than fit without allocation.
    let many = (0..600).fold(set(&[("s0", "member")]), |set, i| {
        set.segment(format!("s{}", i + 1), "S", !segment(format!("s{}", i % 3)))
    });
    let book = many.compile_book(&schema()).unwrap();
    let truths = book.membership(&ann).unwrap();
    assert_eq!(truths[..5], [true, false, true, false, false].map(Truth::from));
    check(&book, &Table::from_customers(&schema(), [&ann]).unwrap());
}

#[test]
fn a_segment_that_others_need_cannot_be_removed() {
    let mut set = diamond();
    let ids = |set: &RuleSet, id: &str| -> Vec<String> {
        set.dependants(id).iter().map(|id| id.to_string()).collect()
    };
    assert_eq!(ids(&set, "base"), ["left", "right"]);
    assert_eq!(ids(&set, "top"), [""; 0]);
    let before = set.clone();
    let error = set.remove("base").unwrap_err();
    assert_eq!(issues(&error)[0].code, "segment-in-use");
    assert_eq!(issues(&error)[0].found.as_deref(), Some("left, right"));
    let error = set.remove("tip").unwrap_err();
    assert_eq!(issues(&error)[0].suggestion.as_deref(), Some("top"));
    assert_eq!(set, before);
    assert_eq!(set.remove("top").unwrap().id.as_str(), "top");
    assert_eq!(set.segments.len(), 3);
    assert!(set.compile(&schema()).is_ok());
}

#[test]
fn references_follow_segments_that_are_renamed() {
    let mut book = diamond().rest("rest", "The rest").compile_book(&schema()).unwrap();
    let renamed: Vec<Segment> = book
        .segments()
        .iter()
        .map(|s| Segment::new(format!("new {}", s.id), s.name.clone()))
        .collect();
    book.relabel(renamed).unwrap();
    let definition = book.definition();
    assert_eq!(
        definition.segments[0].rule.to_string(),
        "segment 'new left' and not (segment 'new right')"
    );
    let loaded = RuleBook::load(&book.save().unwrap()).unwrap();
    assert_eq!(loaded.definition(), definition);
    assert_eq!(loaded, book);
    let ann = OwnedCustomer::new(&schema(), 1).set("spend", 500.0).unwrap();
    let ann = ann.set("member", false).unwrap();
    assert_eq!(loaded.membership(&ann).unwrap(), book.membership(&ann).unwrap());
}
