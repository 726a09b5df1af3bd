//! What is found in books, by hand: each finding, and what looks like one and is none.

use segmenta::data::{FeatureSpec, Schema, StreamSpec, Timestamp};
use segmenta::rules::{
    Analysis, AnalysisLimits, Finding, LiveConfig, LiveScratch, OpenQuestion, Relation,
    Rule, RuleSet, field,
};
use segmenta::segmenter::Truth;

fn schema() -> Schema {
    let order = StreamSpec::new(
        "order",
        [
            FeatureSpec::number("amount"),
            FeatureSpec::category("channel").levels(["web", "shop", "phone"]),
            FeatureSpec::date("due"),
            FeatureSpec::flag("gift"),
        ],
    );
    let features = [
        FeatureSpec::number("x"),
        FeatureSpec::number("y"),
        FeatureSpec::flag("member"),
        FeatureSpec::category("country").levels(["DE", "AT", "CH"]),
        FeatureSpec::category("city"),
        FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]),
        FeatureSpec::date("joined"),
        FeatureSpec::date("renewal"),
        FeatureSpec::tags("likes"),
        FeatureSpec::tags("channels").levels(["web", "shop"]),
    ];
    let builder = features.into_iter().fold(Schema::builder(), |b, spec| b.feature(spec));
    builder.stream(order).stream(StreamSpec::new("visit", [])).build().unwrap()
}

fn set(rules: &[&str]) -> RuleSet {
    let rules = rules.iter().enumerate();
    rules.fold(RuleSet::new(), |set, (i, rule)| {
        set.segment(format!("s{i}"), format!("Segment {i}"), rule.parse().unwrap())
    })
}

fn analyse(rules: &[&str]) -> Analysis {
    set(rules).compile_book(&schema()).unwrap().analyse()
}

/// The findings of a book, as text, where all was decided.
#[track_caller]
fn found(rules: &[&str]) -> Vec<String> {
    let analysis = analyse(rules);
    assert_eq!(analysis.undecided(), []);
    analysis.findings().iter().map(Finding::to_string).collect()
}

/// Clauses without which others do not contradict each other.
#[track_caller]
fn never(rule: &str) -> Vec<String> {
    match analyse(&[rule]).findings() {
        [Finding::Never { clauses, .. }] => clauses.clone(),
        other => panic!("{rule}: {other:?}"),
    }
}

#[track_caller]
fn relation(a: &str, b: &str) -> Relation {
    analyse(&[a, b]).relation("s0", "s1").unwrap()
}

#[test]
fn contradictions_are_found_with_few_clauses() {
    for (rule, clauses) in [
        ("x > 3 and y = 1 and x < 3", &["/all/0", "/all/2"][..]),
        ("member and y = 1 and not member", &["/all/0", "/all/2"]),
        ("x is missing and x = 1", &["/all/0", "/all/1"]),
        ("x in (1, 2) and x in (2, 3) and x in (1, 3)", &["/all/0", "/all/1", "/all/2"]),
        ("y = 1 and (x = 1 and x = 2)", &["/all/1/all/0", "/all/1/all/1"]),
        ("y = 1 and (x = 1 and x = 2 or x is set and x is missing)", &["/all/1"]),
        ("country in ('DE', 'AT') and country in ('CH')", &["/all/0", "/all/1"]),
        ("tier < 'bronze'", &[""]),
        (
            "tier > 'bronze' and tier < 'gold' and not tier = 'silver'",
            &["/all/0", "/all/1", "/all/2"],
        ),
        (
            "city = 'Graz' and city starts with 'Gr' and city contains 'ü'",
            &["/all/0", "/all/2"],
        ),
        ("city starts with 'Gr' and city starts with 'Wi'", &["/all/0", "/all/1"]),
        ("city starts with 'Graz' and not city contains 'ra'", &["/all/0", "/all/1"]),
        ("city ends with 'dorf' and city ends with 'burg'", &["/all/0", "/all/1"]),
        ("joined < '2024-01-02' and joined > '2024-01-01'", &["/all/0", "/all/1"]),
        (
            "joined in last 3d and joined in next 3d and not joined in next 1d",
            &["/all/0", "/all/1", "/all/2"],
        ),
        ("joined in last 30d and not joined in last 90d", &["/all/0", "/all/1"]),
        (
            "likes has all of ('a', 'b') and not likes has any of ('b', 'c')",
            &["/all/0", "/all/1"],
        ),
        ("likes has all of ('a', 'b', 'c') and size of likes < 3", &["/all/0", "/all/1"]),
        ("size of likes < 0", &[""]),
        ("size of likes > 1 and size of likes < 2", &["/all/0", "/all/1"]),
        (
            "size of channels > 1 and not channels has any of ('web', 'shop')",
            &["/all/0", "/all/1"],
        ),
        ("at least 2 of (x = 1, x = 2, x = 3)", &[""]),
        ("events(order).count < 0", &[""]),
        ("events(order).count > 1 and events(order).count < 2", &["/all/0", "/all/1"]),
        ("events(order).distinct(channel) > 3", &[""]),
        ("events(order).distinct(gift) > 2", &[""]),
        (
            "events(order).count in last 90d = 0 and events(order) in last 30d",
            &["/all/0", "/all/1"],
        ),
        (
            "events(order).count in last 90d < 3 and events(order).active_days in last 30d > 3",
            &["/all/0", "/all/1"],
        ),
        (
            "events(order).max(amount) in last 30d > 7 and events(order).max(amount) <= 7",
            &["/all/0", "/all/1"],
        ),
        (
            "events(order).min(amount) > 7 and events(order).last(amount) in last 9d = 7",
            &["/all/0", "/all/1"],
        ),
        (
            "events(order).count = 0 and events(order).last_day is set",
            &["/all/0", "/all/1"],
        ),
        (
            "events(order).count = 0 and events(order).sum(amount) > 0",
            &["/all/0", "/all/1"],
        ),
        (
            "events(order).average(amount) is set and events(order).distinct(amount) = 0",
            &["/all/0", "/all/1"],
        ),
        ("events(order where amount > 3 and amount < 3)", &[""]),
        (
            "events(order where amount > 5) and events(order where amount > 3).count = 0",
            &["/all/0", "/all/1"],
        ),
        (
            "events(order).last_day in next 7d and not events(order).last_day in next 1d",
            &["/all/0", "/all/1"],
        ),
        (
            "events(order).first_day > '2024-02-01' and events(order).last_day in last 90d < '2024-02-01'",
            &["/all/0", "/all/1"],
        ),
    ] {
        assert_eq!(never(rule), clauses, "{rule}");
    }
}

#[test]
fn what_is_missing_is_neither_one_nor_the_other() {
    assert_eq!(found(&["x < 5 or x >= 5"]), [""; 0]);
    assert_eq!(found(&["x is missing or x < 5 or x >= 5"]), ["everyone is in `s0`"]);
    assert_eq!(found(&["x < 5 when missing yes or x >= 5"]), ["everyone is in `s0`"]);
    assert_eq!(found(&["not (x < 5)", "x >= 5"]).len(), 2);
    assert_eq!(relation("not (x < 5)", "x >= 5"), Relation::Equal);
    assert_eq!(relation("not (x < 5 when missing no)", "x >= 5"), Relation::Contains);
    assert_eq!(relation("x is set", "x < 5 or x >= 5"), Relation::Equal);
    // Of those without a value neither side holds.
    assert_eq!(relation("not (x > 1)", "not (x > 2)"), Relation::Within);
    assert_eq!(relation("not (x > 1 and y > 1)", "y <= 1"), Relation::Contains);
    assert_eq!(found(&["events(order).count >= 0"]), ["everyone is in `s0`"]);
    assert_eq!(
        found(&["events(order).min(amount) > 0 or events(order).min(amount) <= 0"]),
        [""; 0]
    );
}

#[test]
fn what_makes_others_unknown_is_not_needless_where_they_are_denied() {
    let needless = |rules: &[&str]| -> Vec<(String, String)> {
        let all = analyse(rules).findings().to_vec();
        all.into_iter()
            .filter_map(|finding| match finding {
                Finding::Needless { segment, clause } => {
                    Some((segment.as_str().to_owned(), clause))
                }
                _ => None,
            })
            .collect()
    };
    // Where `x` is 2 and `y` missing, the first is Unknown, and without its first clause False.
    let rule = "x = 2 and y = 3 and y = 4 or x = 1";
    let found = [("s0".to_owned(), "/any/0".to_owned())];
    assert_eq!(needless(&[rule]), found);
    assert_eq!(needless(&[rule, "segment 's0'"]), found);
    assert_eq!(needless(&[rule, "x = 2 and not not segment 's0'"]), found);
    assert_eq!(needless(&[rule, "not segment 's0'"]), []);
    assert_eq!(needless(&[rule, "segment 's0' or y = 1", "not segment 's1'"]), []);
    assert_eq!(needless(&[rule, "not segment 's0' and y = 1", "not segment 's1'"]), []);
    // What is False anyhow, or another Unknown beside it, may go.
    let rule = "x = 1 or x = 1 and y = 2";
    let found = [("s0".to_owned(), "/any/1".to_owned())];
    assert_eq!(needless(&[rule, "not segment 's0'"]), found);
}

#[test]
fn draws_lie_between_0_and_1_and_are_missing_without_an_id() {
    assert_eq!(never("bucket('x') < 0 and y = 1"), ["/all/0"]);
    assert_eq!(never("bucket('x') >= 1"), [""]);
    assert_eq!(never("distance(x, y) from (48, 16) < 0"), [""]);
    assert_eq!(relation("bucket('x') >= 0", "bucket('x') < 1"), Relation::Equal);
    assert_eq!(found(&["distance(x, y) from (48, 16) >= 0"]), [""; 0]);
    // The two halves take everyone who has an id, but not whoever has none yet.
    let set = set(&["bucket('x') < 0.5", "bucket('x') >= 0.5"]).rest("rest", "Rest");
    let book = set.compile_book(&schema()).unwrap();
    assert_eq!(book.analyse().findings(), []);
    let live = book.live(&LiveConfig::new()).unwrap();
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(Timestamp::from_millis(0));
    let before = live.membership(&ann, &mut scratch).unwrap().to_vec();
    assert_eq!(before, [Truth::Unknown, Truth::Unknown, Truth::True]);
    live.identify(&mut ann, 1, &mut scratch).unwrap();
    assert_eq!(live.membership(&ann, &mut scratch).unwrap()[2], Truth::False);
}

#[test]
fn always_is_found() {
    for rule in [
        "everyone",
        "not nobody",
        "likes is missing or size of likes >= 0",
        "events(order).distinct(channel) <= 3",
        "member when missing yes or not (member when missing no)",
        "at least 1 of (x is set, x is missing)",
        "events(order).count in last 30d = 0 or events(order)",
    ] {
        assert_eq!(found(&[rule]), ["everyone is in `s0`"], "{rule}");
    }
}

#[test]
fn only_direct_containments_are_told() {
    let said = found(&["x > 1", "x > 3", "x > 2", "x > 3 and y > 1", "x is set"]);
    let within = |a: usize, b: usize| {
        format!(
            "`s{a}` is within `s{b}`: every member of the first is a member of the second"
        )
    };
    assert_eq!(said[..4], [within(0, 4), within(1, 2), within(2, 0), within(3, 1)]);
    // Equal ones are told once, and stand for each other.
    let said = found(&["not (x <= 3)", "x > 5", "x > 3", "at least 1 of (x > 3)"]);
    assert_eq!(said[0], "`s0`, `s2` and `s3` have the same members");
    assert_eq!(said[1], within(1, 0));
    assert_eq!(said.iter().filter(|text| text.contains("is within")).count(), 1);
}

#[test]
fn what_is_within_what() {
    use Relation::*;
    for (a, b, expected) in [
        ("x > 3", "x > 2", Within),
        ("x > 2", "x >= 3", Contains),
        ("x > 2", "y > 2", Overlap),
        ("x < 2", "x > 2", Disjoint),
        ("x = 0", "x = -0", Equal),
        (
            "x > 1e308 and x < 1.7976931348623157e308",
            "x <= 1.7976931348623157e308",
            Within,
        ),
        ("country = 'AT'", "not country = 'DE'", Within),
        ("country in ('DE', 'AT')", "not country = 'CH'", Equal),
        ("city = 'Graz'", "city starts with 'Gr'", Within),
        ("city starts with 'Gr'", "city in ('Graz', 'Gries')", Contains),
        ("city starts with 'Gr'", "city ends with 'az'", Overlap),
        ("city contains 'az'", "city ends with 'raz'", Contains),
        ("city matches '^G'", "city = 'Graz'", Contains),
        ("city matches '^G'", "city starts with 'G'", Undecided),
        ("likes has all of ('a', 'b')", "likes has any of ('b', 'c')", Within),
        ("likes has any of ('a', 'b')", "size of likes >= 1", Within),
        ("likes has all of ('a', 'b')", "size of likes >= 2", Within),
        ("likes has all of ('a', 'b')", "size of likes = 2", Overlap),
        ("size of channels >= 1", "channels has any of ('web', 'shop')", Equal),
        ("size of channels >= 3", "channels has any of ('web')", Overlap),
        ("joined in last 30d", "joined in last 90d", Within),
        ("joined in last 30d", "joined in next 30d", Overlap),
        ("joined in last 30d", "renewal in next 30d", Overlap),
        ("joined in last 1d", "joined in next 1d", Equal),
        ("joined in last 30d", "joined < '2024-01-01'", Overlap),
        (
            "joined in last 30d and joined < '2024-01-01'",
            "renewal in last 30d and renewal < '2023-01-01'",
            Undecided,
        ),
        ("joined has anniversary in next 7d", "joined is set", Within),
        (
            "events(order).count in last 30d >= 2",
            "events(order).count in last 90d >= 2",
            Within,
        ),
        ("events(order).count in last 30d >= 2", "events(order).count >= 1", Within),
        (
            "events(order).count in last 30d >= 2",
            "events(order).count in last 90d >= 3",
            Overlap,
        ),
        ("events(order).count >= 3", "events(order).count <= 5", Overlap),
        // What is made of events or attributes is known to be no more than itself.
        ("sequence(order then order)", "events(order).count >= 2", Undecided),
        ("sequence(order then order)", "events(order).count = 0", Undecided),
        ("bucket('a') < 0.3", "bucket('a') >= 0.3", Disjoint),
        ("bucket('a') < 0.3", "x > 1", Undecided),
        (
            "distance(x, y) from (48, 16) <= 10",
            "distance(x, y) from (-34, 151) <= 10",
            Undecided,
        ),
        ("events(order).count >= 3", "events(visit).count >= 3", Overlap),
        (
            "events(order).sum(amount) > 3",
            "events(order).sum(amount) in last 9d > 3",
            Undecided,
        ),
        ("events(order).sum(amount) > 3", "events(order).count >= 1", Within),
        (
            "events(order).distinct(amount) in last 9d >= 2",
            "events(order).distinct(due) >= 2",
            Undecided,
        ),
        (
            "events(order).max(amount) in last 9d >= 2",
            "events(order).max(amount) >= 2",
            Within,
        ),
        ("events(order).count >= 2", "events(order).active_days >= 2", Contains),
        ("events(order).sum(amount) >= 0", "events(order).count >= 1", Undecided),
        ("events(order).sum(amount) = 0", "events(order).count = 0", Contains),
        ("events(order).sum(amount) < 0", "events(order).count >= 1", Within),
        ("events(order).sum(amount) <= 3", "events(order).count = 0", Contains),
        ("events(order).active_days >= 2", "events(order).count >= 2", Within),
        ("events(order).distinct(amount) >= 2", "events(order).count >= 2", Within),
        ("events(order).count >= 1", "events(order).active_days >= 1", Equal),
        ("events(order).count >= 1", "events(order).last_day is set", Equal),
        (
            "events(order).first(amount) is set",
            "events(order).max(amount) is set",
            Within,
        ),
        (
            "events(order).min(amount) > 5",
            "events(order).min(amount) in last 9d is missing or events(order).min(amount) in last 9d > 5",
            Within,
        ),
        (
            "events(order).last_day ever in last 7d",
            "events(order).last_day is set",
            Within,
        ),
        (
            "events(order).first_day ever in last 7d",
            "events(order).last_day ever in last 7d",
            Within,
        ),
        (
            "events(order).first_day >= '2024-01-01'",
            "events(order).last_day >= '2023-01-01'",
            Within,
        ),
        (
            "events(order) in last 2 whole months",
            "events(order) in last 2 whole months to now",
            Within,
        ),
        (
            "events(order) in last 1 whole quarters",
            "events(order) in last 3 whole months",
            Undecided,
        ),
        (
            "events(order) in last 3 whole months to now",
            "events(order) in last 1 whole quarters to now",
            Within,
        ),
        (
            "events(order) from 60d to 30d ago",
            "events(order) from 90d to 30d ago",
            Within,
        ),
        (
            "events(order) from '2024-02-01' to '2024-03-01'",
            "events(order) from '2024-01-01' to '2024-03-01'",
            Within,
        ),
        (
            "events(order where channel = 'web')",
            "events(order where channel in ('web', 'shop'))",
            Within,
        ),
        (
            "events(order where channel = 'web').count in last 7d >= 2",
            "events(order where not channel = 'shop').count in last 9d >= 2",
            Within,
        ),
    ] {
        assert_eq!(relation(a, b), expected, "{a} | {b}");
        let back = match expected {
            Within => Contains,
            Contains => Within,
            other => other,
        };
        assert_eq!(relation(b, a), back, "{b} | {a}");
    }
    let analysis = analyse(&["x > 3"]);
    let error = analysis.relation("s0", "s").unwrap_err().to_string();
    assert!(error.contains("no segment has the id `s`; did you mean `s0`?"), "{error}");
}

#[test]
fn those_before_that_take_all_are_told() {
    let said = |rules: &[&str]| -> Vec<String> {
        let book = set(rules).rest("rest", "Rest").compile_book(&schema()).unwrap();
        let analysis = book.analyse();
        assert_eq!(analysis.undecided(), []);
        let text = |finding: &Finding| match finding {
            Finding::Shadowed { .. } | Finding::EmptyRest { .. } => {
                Some(finding.to_string())
            }
            _ => None,
        };
        analysis.findings().iter().filter_map(text).collect()
    };
    assert_eq!(
        said(&["y > 1", "x > 3", "y < 0", "x <= 3", "x is set and y = 1"]),
        ["`s4` is never the first that matches: `s1` and `s3` take all its members"]
    );
    assert_eq!(
        said(&["x > 3", "y > 2", "x <= 3", "y <= 2", "x is missing"]),
        ["nobody is left for `rest`: `s0`, `s2` and `s4` take everyone"]
    );
    assert_eq!(
        said(&["x > 3", "x < 3", "everyone", "y > 1"]),
        [
            "`s3` is never the first that matches: `s2` takes all its members",
            "nobody is left for `rest`: `s2` takes everyone",
        ]
    );
    // A segment of nobody is told once.
    assert_eq!(said(&["x > 3", "x > 5 and x < 4"]), [""; 0]);
}

#[test]
fn clauses_that_make_no_difference_are_told() {
    let needless = |rule: &str| -> Vec<String> {
        let analysis = analyse(&[rule]);
        assert_eq!(analysis.undecided(), []);
        let clause = |finding: &Finding| match finding {
            Finding::Needless { clause, .. } => clause.clone(),
            other => panic!("{rule}: {other}"),
        };
        analysis.findings().iter().map(clause).collect()
    };
    for (rule, clauses) in [
        ("x > 3 and x > 1", &["/all/1"][..]),
        ("x > 1 and x > 3", &["/all/0"]),
        ("x > 3 and x > 3", &["/all/1"]),
        ("x > 3 or x > 1 or y > 1", &["/any/0"]),
        ("y > 1 and (x > 3 or x is set)", &["/all/1/any/0"]),
        ("x > 3 and (x > 1 or y > 2)", &["/all/1"]),
        ("x > 3 or (x > 5 and y > 2)", &["/any/1"]),
        ("x > 3 and not (x < 1 or y < 2)", &["/all/1/not/any/0"]),
        ("x > 3 and x is set and everyone", &["/all/1", "/all/2"]),
        ("at least 2 of (x > 1, y > 1, nobody)", &["/at_least/of/2"]),
        // What is missing makes a difference.
        ("y > 1 or (x > 3 or x <= 3)", &[]),
        ("x > 3 and not (y > 1)", &[]),
        ("x > 3 and y > 1", &[]),
    ] {
        assert_eq!(needless(rule), clauses, "{rule}");
    }
}

#[test]
fn references_are_looked_through() {
    let said = found(&["x > 3", "segment 's0' and x < 2", "not segment 's0'"]);
    assert_eq!(said, ["nobody can be in `s1`: /all/0 and /all/1 contradict each other"]);
    let analysis = analyse(&["x > 3", "not segment 's0'"]);
    assert_eq!(analysis.relation("s0", "s1").unwrap(), Relation::Disjoint);
}

#[test]
fn the_rest_has_its_relations() {
    let book = set(&["x > 3", "x <= 3"]).rest("rest", "Rest");
    let analysis = book.compile_book(&schema()).unwrap().analyse();
    assert_eq!(analysis.relation("rest", "s0").unwrap(), Relation::Disjoint);
    assert_eq!(analysis.relation("rest", "rest").unwrap(), Relation::Equal);
}

#[test]
fn findings_are_plain_data() {
    let analysis = analyse(&["x > 3 and x < 2", "everyone", "x > 3", "x > 5 and x > 4"]);
    assert!(analysis.findings().len() > 4);
    let json = serde_json::to_string(analysis.findings()).unwrap();
    let read: Vec<Finding> = serde_json::from_str(&json).unwrap();
    assert_eq!(read, analysis.findings());
    let limits = AnalysisLimits::new().question(7).total(9);
    let json = serde_json::to_string(&limits).unwrap();
    assert_eq!(serde_json::from_str::<AnalysisLimits>(&json).unwrap(), limits);
}

/// A rule that says whether an odd number of flags is set.
fn parity(names: &[String]) -> Rule {
    match names {
        [name] => field(name).eq(true),
        _ => {
            let (a, b) = names.split_at(names.len() / 2);
            let (a, b) = (parity(a), parity(b));
            (a.clone() & !b.clone()) | (!a & b)
        }
    }
}

#[test]
fn what_is_too_much_work_is_listed() {
    let names: Vec<String> = (0..16).map(|i| format!("f{i}")).collect();
    let flags = names.iter().map(FeatureSpec::flag);
    let schema = Schema::new(flags).unwrap();
    let mut other = names.clone();
    other.reverse();
    other.swap(3, 9);
    let set = RuleSet::new().segment("a", "A", parity(&names)).segment(
        "b",
        "B",
        parity(&other),
    );
    let book = set.compile_book(&schema).unwrap();
    let tight = AnalysisLimits::new().question(2_000).total(3_000_000);
    let analysis = book.analyse_with(&tight);
    let within = |segment: &str, of: &str| OpenQuestion::Within {
        segment: segment.into(),
        of: of.into(),
    };
    assert!(analysis.undecided().contains(&within("a", "b")), "{analysis}");
    assert_eq!(analysis.relation("a", "b").unwrap(), Relation::Undecided);
    // Nothing of it is claimed.
    let claims = |finding: &&Finding| !matches!(finding, Finding::Needless { .. });
    assert_eq!(analysis.findings().iter().find(claims), None);
    // Without any work everything stays open.
    let analysis = book.analyse_with(&AnalysisLimits::new().total(0));
    assert_eq!(analysis.findings(), []);
    let texts: Vec<String> =
        analysis.undecided().iter().take(6).map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "whether anybody can be in `a` was not decided",
            "whether anybody can be in `b` was not decided",
            "whether everyone is in `a` was not decided",
            "whether everyone is in `b` was not decided",
            "whether `a` is within `b` was not decided",
            "whether `b` is within `a` was not decided",
        ]
    );
}

/// Numbers that follow from one another, and look random.
fn draws(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |n| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % n
    }
}

/// Rules of four tests each, over twenty numbers and ten categories.
fn large(n: usize) -> (Schema, RuleSet) {
    let numbers = (0..20).map(|i| FeatureSpec::number(format!("n{i}")));
    let levels = || (0..12).map(|i| format!("l{i}"));
    let categories =
        (0..10).map(|i| FeatureSpec::category(format!("c{i}")).levels(levels()));
    let schema = Schema::new(numbers.chain(categories)).unwrap();
    let mut draw = draws(7);
    let mut set = RuleSet::new();
    for i in 0..n {
        let mut leaf = || match draw(3) {
            0 => field(format!("c{}", draw(10))).is_in([
                format!("l{}", draw(12)),
                format!("l{}", draw(12)),
                format!("l{}", draw(12)),
            ]),
            1 => field(format!("n{}", draw(20))).ge(draw(100)),
            _ => field(format!("n{}", draw(20))).lt(draw(100)),
        };
        let (a, b, c, d) = (leaf(), leaf(), leaf(), leaf());
        let rule = if i % 4 == 0 { (a | b) & c & d } else { a & b & c & d };
        set = set.segment(format!("s{i}"), "S", rule);
    }
    (schema, set)
}

#[test]
fn large_books_are_decided() {
    let (schema, set) = large(120);
    let book = set.rest("rest", "Rest").compile_book(&schema).unwrap();
    let analysis = book.analyse();
    assert_eq!(analysis.undecided(), []);
    assert!(analysis.findings().len() > 5, "{analysis}");
    assert_eq!(book.analyse().findings(), analysis.findings());
}

#[test]
fn chains_are_told_link_by_link() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let rules = (0..150).map(|i| (i * 67) % 150);
    let set = rules.fold(RuleSet::new(), |set, i| {
        set.segment(format!("s{i}"), "S", field("x").ge(i))
    });
    let analysis = set.compile_book(&schema).unwrap().analyse();
    let is_link = |finding: &&Finding| match finding {
        Finding::Within { segment, of } => {
            let [a, b] =
                [segment, of].map(|id| id.as_str()[1..].parse::<usize>().unwrap());
            assert_eq!(a, b + 1);
            true
        }
        _ => false,
    };
    assert_eq!(analysis.findings().iter().filter(is_link).count(), 149);
    assert_eq!(analysis.undecided(), []);
}

/// What hostile books get within few steps: no claim that is not so, and all else open.
fn hurried(schema: &Schema, set: &RuleSet) -> Analysis {
    let limits = AnalysisLimits::new().question(10_000).total(1_000_000);
    set.compile_book(schema).unwrap().analyse_with(&limits)
}

#[test]
fn hostile_books_end_with_open_questions() {
    let (schema, set) = large(400);
    let analysis = hurried(&schema, &set);
    assert!(!analysis.undecided().is_empty());

    // Many children, each of which makes a difference.
    let schema = Schema::new((0..300).map(|i| FeatureSpec::number(format!("n{i}"))));
    let schema = schema.unwrap();
    let tests = || (0..300).map(|i| field(format!("n{i}")).ge(1));
    let set = RuleSet::new()
        .segment("any", "Any", Rule::Any(tests().collect()))
        .segment("half", "Half", Rule::AtLeast { n: 150, of: tests().collect() })
        .segment("all", "All", Rule::All(tests().collect()));
    let analysis = hurried(&schema, &set);
    let open =
        |question: &OpenQuestion| matches!(question, OpenQuestion::Needless { .. });
    assert!(analysis.undecided().iter().any(open));
    let needless =
        |f: &Finding| matches!(f, Finding::Needless { .. } | Finding::Never { .. });
    assert!(!analysis.findings().iter().any(needless));

    // As deep as can be.
    let deep = (0..19).fold(field("n0").ge(1), |rule, i| {
        let leaf = field(format!("n{i}")).lt(i);
        if i % 2 == 0 {
            Rule::All(vec![rule, leaf])
        } else {
            !Rule::Any(vec![leaf, rule])
        }
    });
    let set =
        RuleSet::new().segment("deep", "Deep", deep.clone()).segment("not", "Not", !deep);
    let analysis = set.compile_book(&schema).unwrap().analyse();
    assert_eq!(analysis.undecided(), []);
    assert_eq!(analysis.relation("deep", "not").unwrap(), Relation::Disjoint);

    // Long lists of names, and many pieces of them.
    let schema = Schema::new([FeatureSpec::category("city"), FeatureSpec::tags("tags")]);
    let schema = schema.unwrap();
    let names = |from: usize| (from..from + 3000).map(|i| format!("name {i}"));
    let mut set = RuleSet::new();
    for i in 0..12 {
        set = set
            .segment(format!("in {i}"), "In", field("city").is_in(names(i * 100)))
            .segment(format!("any {i}"), "Any", field("tags").has_any(names(i * 100)))
            .segment(
                format!("part {i}"),
                "Part",
                field("city").contains(format!("e {i}")),
            );
    }
    let analysis = hurried(&schema, &set);
    // Those of `in 4` that `in 3` has not begin with 3.
    let by = vec!["in 3".into(), "part 3".into()];
    let shadowed = Finding::Shadowed { segment: "in 4".into(), by };
    assert!(analysis.findings().contains(&shadowed), "{analysis}");
    assert_eq!(analysis.relation("in 1", "part 1").unwrap(), Relation::Overlap);
}

#[test]
fn what_was_not_compared_is_open() {
    // More filters, and more windows, than are compared with each other.
    let schema = schema();
    let window = |n: usize| format!("events(order).count in last {n}d >= 1");
    let set = (0..1100).fold(RuleSet::new(), |set, n| {
        set.segment(format!("s{n}"), "S", window(n + 1).parse().unwrap())
    });
    let book = set.rest("rest", "Rest").compile_book(&schema).unwrap();
    let analysis = book.analyse_with(&AnalysisLimits::new().total(500_000));
    assert!(
        analysis
            .undecided()
            .contains(&OpenQuestion::EmptyRest { segment: "rest".into() })
    );
    assert_eq!(analysis.relation("s3", "s9").unwrap(), Relation::Within);
    assert_eq!(analysis.relation("s3", "rest").unwrap(), Relation::Disjoint);

    let filter =
        |n: usize| format!("events(order where amount > {n}).count in last 9d >= 1");
    let rules: Vec<String> = (0..70).map(filter).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let analysis = analyse(&rules);
    let open = OpenQuestion::Within { segment: "s4".into(), of: "s3".into() };
    assert!(analysis.undecided().contains(&open), "{analysis}");
    assert!(!analyse(&rules[..60]).findings().is_empty());
}
