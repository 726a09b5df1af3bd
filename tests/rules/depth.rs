//! Rules that code nests more deeply than any schema accepts: nothing overflows the stack.

use segmenta::data::{FeatureSpec, Schema, StreamSpec, Table, Timestamp};
use segmenta::error::ErrorKind;
use segmenta::rules::{
    EventTest, PointsModel, Rule, RuleSet, SequenceStep, SequenceTest, Test, Window,
    events, field,
};

const LEVELS: usize = 20_000;

/// What a level is made of, and the text before and after what is in it.
type Level = (fn(Rule) -> Rule, &'static str, &'static str);

fn filtered(rule: Rule) -> Rule {
    events("e").filter(rule).count().ge(1)
}

fn followed(rule: Rule) -> Rule {
    let step =
        |filter| SequenceStep { name: "e".into(), filter, not: false, within: None };
    let steps = vec![step(Some(Box::new(rule))), step(None)];
    Rule::Sequence(SequenceTest { steps, same: None, window: Window::Ever })
}

const KINDS: [Level; 7] = [
    (|rule| !rule, "not (", ")"),
    (|rule| Rule::All(vec![rule]), "all of (", ")"),
    (|rule| Rule::Any(vec![rule]), "any of (", ")"),
    (|rule| Rule::All(vec![Rule::Any(vec![rule, Rule::Nobody]), Rule::Everyone]), "", ""),
    (|of| Rule::AtLeast { n: 1, of: vec![of] }, "at least 1 of (", ")"),
    (filtered, "events(e where ", ").count >= 1"),
    (followed, "sequence(e where ", " then e)"),
];

fn nested(level: Level) -> Rule {
    (0..LEVELS).fold(Rule::Everyone, |rule, _| level.0(rule))
}

/// What a drop would recurse into.
fn take_apart(rule: Rule) {
    let mut open = vec![rule];
    while let Some(rule) = open.pop() {
        match rule {
            Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
                open.extend(rules);
            }
            Rule::Not(rule) => open.push(*rule),
            Rule::Event(EventTest { filter, .. }) => {
                open.extend(filter.map(|rule| *rule));
            }
            Rule::Sequence(test) => {
                let filters = test.steps.into_iter().filter_map(|step| step.filter);
                open.extend(filters.map(|rule| *rule));
            }
            _ => {}
        }
    }
}

fn schema() -> Schema {
    let builder = Schema::builder().feature(FeatureSpec::number("x"));
    builder.stream(StreamSpec::new("e", [])).build().unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: segmenta::Result<T>) {
    match result.unwrap_err().kind() {
        ErrorKind::Definition { issues, .. } => {
            assert!(matches!(&*issues[0].code, "too-deep" | "too-large"), "{issues:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_of_any_depth_are_written_hashed_and_refused() {
    let schema = schema();
    for level in KINDS {
        let rule = nested(level);
        let (_, before, after) = level;
        let text = rule.to_string();
        if !before.is_empty() {
            let expected = [before.repeat(LEVELS), after.repeat(LEVELS)].join("everyone");
            assert!(text == expected, "{before}");
        }
        assert_eq!(rule.digest(), rule.digest());
        assert!(rule.leaves().len() <= 1);
        refused(rule.compile(&schema));
        let error = serde_json::to_string(&rule).unwrap_err().to_string();
        assert_eq!(error, "the rule is nested too deeply: at most 128 levels");
        take_apart(rule);
    }
}

#[test]
fn sets_with_rules_of_any_depth_are_refused() {
    let schema = schema();
    let numbers = Schema::new([FeatureSpec::number("x")]).unwrap();
    let table = Table::builder(&numbers, 0).numbers("x", vec![]).build().unwrap();
    for level in KINDS {
        let mut set = RuleSet::new().segment("deep", "Deep", nested(level)).segment(
            "rest",
            "R",
            field("x").ge(1),
        );
        assert_eq!(set.digests().len(), 2);
        assert!(set.dependants("rest").is_empty() && set.to_json().is_err());
        refused(set.compile(&schema));
        refused(set.compile_book(&schema));
        refused(set.pin(&table, Timestamp::from_millis(0)));
        let rule = set.remove("deep").unwrap().rule;

        let model = PointsModel::new().when("deep", 1.0, rule);
        refused(model.compile(&schema));
        assert!(model.parts[0].to_string().starts_with("deep: +1"));
        let mut set = set.score("deep", model);
        assert_eq!(set.digests().len(), 1);
        refused(set.compile_book(&schema));
        refused(set.pin(&table, Timestamp::from_millis(0)));
        match set.scores.remove(0).points.parts.remove(0).given_for {
            segmenta::rules::PointsFor::Rule(rule) => take_apart(rule),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn points_for_events_with_filters_of_any_depth_are_refused() {
    let model =
        PointsModel::new().per_event("deep", 1.0, events("e").filter(nested(KINDS[0])));
    refused(model.compile(&schema()));
    let text = model.parts[0].to_string();
    assert!(text.starts_with("deep: +1 times events(e where not (not (not ("), "{text}");
    let set = RuleSet::new().score("deep", model).segment("x", "X", field("x").ge(1));
    refused(set.compile_book(&schema()));
    assert_eq!(set.digests().len(), 1);
    for score in set.scores {
        for part in score.points.parts {
            if let segmenta::rules::PointsFor::Events { filter: Some(rule), .. } =
                part.given_for
            {
                take_apart(*rule);
            }
        }
    }
}

#[test]
fn as_many_levels_as_readers_know_are_written() {
    let deep = |n: usize| (1..n).fold(Rule::Everyone, |rule, _| !rule);
    // An even number of negations says nothing, as far as rules are looked into.
    assert_eq!(deep(127).digest(), Rule::Everyone.digest());
    assert_ne!(deep(129).digest(), Rule::Everyone.digest());
    assert!(serde_json::to_string(&deep(128)).is_ok());
    assert!(serde_json::to_string(&deep(129)).is_err());
    let json = serde_json::to_string(&deep(127)).unwrap();
    assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), deep(127));
    let wide = |n: usize| (0..n).fold(field("x").ge(1), |a, _| Rule::All(vec![a; 1]));
    assert!(serde_json::to_value(filtered(wide(126))).is_ok());
    assert!(serde_json::to_value(filtered(wide(127))).is_err());
}

#[test]
fn sizes_of_sizes_are_refused() {
    let sizes = |n: usize| (0..n).fold(Test::Set, |test, _| Test::Size(Box::new(test)));
    assert!(serde_json::to_string(&sizes(128)).is_ok());
    assert!(serde_json::to_string(&sizes(129)).is_err());
    let text = sizes(3000).to_string();
    assert_eq!(text, format!("{}is set", "size ".repeat(3000)));
}
