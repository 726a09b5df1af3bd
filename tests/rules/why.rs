//! Why a customer is in a segment: against a search through all sets of tests.

use proptest::prelude::*;
use segmenta::Segmenter;
use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
use segmenta::rules::{Rule, RuleBook, RuleSet, Why};
use segmenta::segmenter::{ClauseResult, Reason, SegmentIndex, Truth};

use super::behaviour::case;

/// The truth of a rule whose tests have these answers, in their order.
fn truth(rule: &Rule, answers: &mut dyn Iterator<Item = Truth>) -> Truth {
    let mut all = |rules: &[Rule]| -> Vec<Truth> {
        rules.iter().map(|rule| truth(rule, answers)).collect()
    };
    match rule {
        Rule::Everyone => Truth::True,
        Rule::Nobody => Truth::False,
        Rule::All(rules) => all(rules).into_iter().fold(Truth::True, Truth::and),
        Rule::Any(rules) => all(rules).into_iter().fold(Truth::False, Truth::or),
        Rule::AtLeast { n, of } => {
            let truths = all(of);
            let n_true = truths.iter().filter(|t| t.is_true()).count();
            let n_false = truths.iter().filter(|t| **t == Truth::False).count();
            if n_true >= *n {
                Truth::True
            } else if of.len() - n_false < *n {
                Truth::False
            } else {
                Truth::Unknown
            }
        }
        Rule::Not(rule) => truth(rule, answers).not(),
        _ => answers.next().unwrap(),
    }
}

/// The clauses of a rule that are tests.
fn tests(
    rule: &Rule,
    clauses: &mut dyn Iterator<Item = ClauseResult>,
) -> Vec<ClauseResult> {
    let clause = clauses.next().unwrap();
    match rule {
        Rule::Everyone | Rule::Nobody => Vec::new(),
        Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
            rules.iter().flat_map(|rule| tests(rule, clauses)).collect()
        }
        Rule::Not(rule) => tests(rule, clauses),
        _ => vec![clause],
    }
}

const TRUTHS: [Truth; 3] = [Truth::False, Truth::Unknown, Truth::True];

/// All answers of tests, where those of a set are kept.
fn answers(known: &[Truth], kept: usize) -> Vec<Vec<Truth>> {
    known.iter().enumerate().fold(vec![Vec::new()], |all, (i, &truth)| {
        let some: &[Truth] = if kept >> i & 1 == 1 { &[truth] } else { &TRUTHS };
        let with = |head: &Vec<Truth>, truth: &Truth| {
            let mut answers = head.clone();
            answers.push(*truth);
            answers
        };
        all.iter().flat_map(|head| some.iter().map(move |t| with(head, t))).collect()
    })
}

/// A bit for each test among these clauses.
fn bits<'c>(all: &[ClauseResult], some: impl Iterator<Item = &'c ClauseResult>) -> usize {
    some.map(|clause| {
        let at = all.iter().position(|test| {
            (test.path.as_str(), test.segment) == (clause.path.as_str(), clause.segment)
        });
        1 << at.unwrap()
    })
    .sum()
}

/// Compares with a search through all sets of tests, and all answers of theirs.
fn check(rule: &str, of: &dyn Fn(&[Truth]) -> Truth, why: &Why, all: &[ClauseResult]) {
    let known: Vec<Truth> = all.iter().map(|test| test.truth).collect();
    assert_eq!(of(&known), why.truth);
    let suffices = |kept: usize| answers(&known, kept).iter().all(|a| of(a) == why.truth);
    let because = bits(all, why.because.iter());
    if why.truth == Truth::Unknown {
        // What keeps it open is open, and something must be said.
        assert!(why.because.iter().all(|clause| clause.truth == Truth::Unknown));
        assert!(!why.because.is_empty());
    } else {
        assert!(suffices(because));
        let fewer = (0..1_usize << all.len())
            .filter(|set| set.count_ones() < because.count_ones());
        assert!(!fewer.into_iter().any(suffices), "{rule}");
    }
    let is_wanted = |truth: Truth| truth.is_true() != why.truth.is_true();
    let otherwise = |set: usize, of_test: &dyn Fn(usize) -> Truth| -> Vec<Truth> {
        let answer = |(i, &truth)| if set >> i & 1 == 1 { of_test(i) } else { truth };
        known.iter().enumerate().map(answer).collect()
    };
    // Whether some answers of these tests would do.
    let would_do = |set: usize| {
        let kept = !set & ((1 << all.len()) - 1);
        answers(&known, kept).iter().any(|a| is_wanted(of(a)))
    };
    match &why.unless {
        None => assert!(!would_do((1 << all.len()) - 1), "{rule}"),
        Some(unless) => {
            let set = bits(all, unless.iter().map(|o| &o.clause));
            let needed = |i: usize| {
                let o = unless.iter().find(|o| {
                    (&o.clause.path, o.clause.segment) == (&all[i].path, all[i].segment)
                });
                o.unwrap().needed
            };
            assert!(is_wanted(of(&otherwise(set, &needed))), "{rule}");
            let fewer =
                (0..1_usize << all.len()).filter(|s| s.count_ones() < set.count_ones());
            assert!(!fewer.into_iter().any(would_do), "{rule}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(80)
    })]

    #[test]
    fn reasons_are_the_fewest_that_suffice(case in case()) {
        let set = case.set().rest("rest", "The rest");
        let book = set.compile_book(&case.schema()).unwrap().at(case.moment());
        for customer in &case.customers() {
            let Reason::Rules { clauses } = book.explain(customer).unwrap().reason else {
                panic!("not by rules")
            };
            let mut of_all = Vec::new();
            for (i, rule) in case.rules.iter().enumerate() {
                let segment = SegmentIndex::new(i as u32);
                let own = clauses.iter().filter(|c| c.segment == segment).cloned();
                // A score is one test, whatever it is made of.
                let own = own.filter(|c| !c.path.contains("/score/parts/"));
                let all = tests(rule, &mut own.into_iter());
                if all.len() <= 6 {
                    let of = |answers: &[Truth]| truth(rule, &mut answers.iter().copied());
                    let why = book.why(customer, segment).unwrap();
                    check(&rule.to_string(), &of, &why, &all);
                }
                of_all.extend(all);
            }
            if of_all.len() <= 5 {
                let of = |answers: &[Truth]| {
                    let mut answers = answers.iter().copied();
                    let mut truths: Vec<Truth> = Vec::new();
                    truths.extend(case.rules.iter().map(|rule| truth(rule, &mut answers)));
                    Truth::from(!truths.contains(&Truth::True))
                };
                let rest = SegmentIndex::new(case.rules.len() as u32);
                check("the rest", &of, &book.why(customer, rest).unwrap(), &of_all);
            }
            let mut change = book.next_change(customer).unwrap();
            let mut now = book.clone();
            // The first of the changes that touch a segment.
            let mut first = vec![None; book.segments().len()];
            for _ in 0..200 {
                let Some(next) = change else { break };
                for changed in &next.changes {
                    first[changed.segment.get()].get_or_insert((next.at, changed.to));
                }
                now = now.at(case.moment().at(next.at));
                change = now.next_change(customer).unwrap();
            }
            let came_to_an_end = change.is_none();
            for (i, first) in first.into_iter().enumerate() {
                let until = book.why(customer, SegmentIndex::new(i as u32)).unwrap().until;
                prop_assert!(until == first || first.is_none() && !came_to_an_end);
            }
        }
    }
}

#[test]
fn the_rest_is_told_by_what_all_others_say() {
    let schema = Schema::new(["a", "b", "c"].map(FeatureSpec::flag)).unwrap();
    let rule = |text: &str| text.parse::<Rule>().unwrap();
    let book = RuleSet::new()
        .segment("one", "One", rule("a and b"))
        .segment("two", "Two", rule("b or c"))
        .rest("rest", "Rest")
        .compile_book(&schema)
        .unwrap();
    let rest = SegmentIndex::new(2);
    let texts = |clauses: &[ClauseResult]| -> Vec<String> {
        clauses
            .iter()
            .map(|c| format!("{} {}{}", c.segment.get(), c.text, c.path))
            .collect()
    };
    let ann = OwnedCustomer::new(&schema, 1).set("b", false).unwrap();
    let why = book.why(&ann, rest).unwrap();
    assert_eq!(why.truth, Truth::True);
    // Were `b` true for the second rule, she would be in it.
    let because = ["0 b = true/all/1", "1 b = true/any/0", "1 c = true/any/1"];
    assert_eq!(texts(&why.because), because);
    // One answer makes her one of the second segment.
    let unless = why.unless.unwrap();
    assert_eq!(unless.len(), 1);
    assert_eq!(unless[0].needed, Truth::True);
    let ann = ann.set("b", true).unwrap().set("a", true).unwrap();
    let why = book.why(&ann, rest).unwrap();
    assert_eq!(why.truth, Truth::False);
    assert_eq!(texts(&why.because), ["1 b = true/any/0"]);
    // Both segments must be left, though one answer would do: tests are counted by rules.
    assert_eq!(why.unless.unwrap().len(), 2);
    assert!(book.why(&ann, SegmentIndex::new(3)).is_err());
}

#[test]
fn where_no_answer_would_do_it_is_said() {
    let schema = Schema::new([FeatureSpec::flag("a")]).unwrap();
    let why = |rule: &str| {
        let book = RuleBook::builder(&schema).segment("s", "S", rule.parse().unwrap());
        let ann = OwnedCustomer::new(&schema, 1);
        book.build().unwrap().why(&ann, SegmentIndex::new(0)).unwrap()
    };
    let always = why("a or everyone");
    assert_eq!((always.truth, &always.unless), (Truth::True, &None));
    assert_eq!(always.to_string(), "yes, whoever it is\n");
    let open = why("a and everyone");
    assert_eq!(open.truth, Truth::Unknown);
    assert_eq!(
        open.to_string(),
        "unknown, since\n- a = true: unknown (missing)\nyes, if\n- a = true: were yes\n"
    );
}

#[test]
fn values_of_other_segments_do_not_matter() {
    let schema =
        Schema::new([FeatureSpec::flag("ok"), FeatureSpec::number("x")]).unwrap();
    let book = RuleBook::builder(&schema)
        .segment("a", "A", "ok".parse().unwrap())
        .segment("b", "B", "x > 1 or ok".parse().unwrap())
        .build()
        .unwrap();
    let ann = OwnedCustomer::with_values(&schema, 1, vec![true.into(), f64::NAN.into()]);
    let ann = ann.unwrap();
    assert!(book.membership(&ann).is_err());
    assert_eq!(book.why(&ann, SegmentIndex::new(0)).unwrap().truth, Truth::True);
    let why = book.why(&ann, SegmentIndex::new(1)).unwrap();
    assert_eq!((why.truth, why.because[0].path.as_str()), (Truth::True, "/any/1"));
}
