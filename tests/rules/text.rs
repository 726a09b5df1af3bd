//! The written form: what it says, how it is written back, and what it says of mistakes.

use proptest::prelude::*;
use segmenta::data::Span;
use segmenta::error::{Error, ErrorKind, Issue};
use segmenta::rules::{
    CalendarUnit, FieldTest, LeapDay, Limits, Literal, Rule, RuleText, Test, Window,
    events, field,
};

use super::properties::case;
use super::schema;

fn issues(error: &Error) -> &[Issue] {
    match error.kind() {
        ErrorKind::Definition { issues, .. } => issues,
        kind => panic!("{kind:?}"),
    }
}

#[track_caller]
fn means(text: &str, rule: Rule) {
    assert_eq!(text.parse::<Rule>().unwrap(), rule, "{text}");
    // Written back, it still means the same.
    assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule, "{rule}");
}

fn test(name: &str, is: Test, when_missing: Option<bool>) -> Rule {
    Rule::Field(FieldTest { name: name.into(), is, when_missing })
}

#[test]
fn conditions() {
    let x = || field("x");
    means("x = 3", x().eq(3));
    means("x=-0.5e3", x().eq(-500.0));
    means("x < 1 ", x().lt(1));
    means("x<=1", x().le(1));
    means("x > +1", x().gt(1));
    means("x >= .5", x().ge(0.5));
    means("x = true", x().eq(true));
    means("x = FALSE", x().eq(false));
    means("x = '2024-05-31'", x().eq("2024-05-31"));
    means("x = 'it''s'", x().eq("it's"));
    means("x = ''", x().eq(""));
    means(
        "x in (1, 'a', true)",
        x().is(Test::In(vec![1.into(), "a".into(), true.into()])),
    );
    means("x in ()", x().is(Test::In(Vec::new())));
    means("x between 1 and 2", x().between(1, 2));
    means("x between 1 and 2 and x = 3", x().between(1, 2) & x().eq(3));
    means("x contains 'a'", x().contains("a"));
    means("x Starts With 'a'", x().starts_with("a"));
    means("x ends with 'a'", x().ends_with("a"));
    means("x matches '^(?i)a''$'", x().matches("^(?i)a'$"));
    means("x has any of ('a', 'b')", x().has_any(["a", "b"]));
    means("x has all of ('a')", x().has_all(["a"]));
    means("x is set", x().is_set());
    means("x is missing", x().is_missing());
    means("size of x >= 2", x().size().ge(2));
    means(
        "size of size of x is set",
        test("x", Test::Size(Box::new(Test::Size(Box::new(Test::Set)))), None),
    );
    means("everyone", Rule::Everyone);
    means("NOBODY", Rule::Nobody);
}

#[test]
fn short_forms() {
    let x = || field("x");
    means("x", x().eq(true));
    means("not x", !x().eq(true));
    means("(x)", x().eq(true));
    means("x when missing yes", x().when_missing(true).eq(true));
    means("x != 3", !x().eq(3));
    means("x not in (3)", !x().is_in([3]));
    means("x not between 1 and 2", !x().between(1, 2));
    means("x not contains 'a'", !x().contains("a"));
    means("x not has any of ('a')", !x().has_any(["a"]));
    means("x is not set", !x().is_set());
    means("x is not missing", !x().is_missing());
    means("x not != 3", x().eq(3));
    // What is said of the missing is said of the condition as it is written.
    means("x = 3 when missing yes", x().when_missing(true).eq(3));
    means("x != 3 when missing yes", !x().when_missing(false).eq(3));
    means("x not in (3) when missing no", !x().when_missing(true).is_in([3]));
    means("not x = 3 when missing yes", !x().when_missing(true).eq(3));
    means("x not >= 3", !x().ge(3));
    means("x not is not set", x().is_set());
    means(
        "at least 5000000000 of ()",
        Rule::AtLeast { n: 5_000_000_000, of: Vec::new() },
    );
}

#[test]
fn joints_and_their_order() {
    let [a, b, c] = ["a", "b", "c"].map(|name| move || field(name).eq(true));
    means("a and b or c", Rule::Any(vec![Rule::All(vec![a(), b()]), c()]));
    means("a or b and c", Rule::Any(vec![a(), Rule::All(vec![b(), c()])]));
    means("(a or b) and c", Rule::All(vec![Rule::Any(vec![a(), b()]), c()]));
    means("a AND b And c", Rule::All(vec![a(), b(), c()]));
    means("(a and b) and c", Rule::All(vec![Rule::All(vec![a(), b()]), c()]));
    means("not a and b", Rule::All(vec![!a(), b()]));
    means("not (a and b)", !Rule::All(vec![a(), b()]));
    means("not not a", Rule::Not(Box::new(Rule::Not(Box::new(a())))));
    means("((a))", a());
    means("all of (a)", Rule::All(vec![a()]));
    means("any of (a, b and c)", Rule::Any(vec![a(), Rule::All(vec![b(), c()])]));
    means("all of () or any of ()", Rule::All(vec![]) | Rule::Any(vec![]));
    means(
        "at least 2 of (a, b or c, not (a))",
        Rule::AtLeast { n: 2, of: vec![a(), Rule::Any(vec![b(), c()]), !a()] },
    );
    means("  a\n\tand\u{a0}b ", Rule::All(vec![a(), b()]));
}

#[test]
fn names() {
    means("größe_2 = 1", field("größe_2").eq(1));
    means("\"last order\" = 1", field("last order").eq(1));
    means("\"and\" = 1 and \"Size\" = 2", field("and").eq(1) & field("Size").eq(2));
    means("\"say \"\"hi\"\"\"", field("say \"hi\"").eq(true));
    for name in
        ["", " ", "2x", "a-b", "a.b", "'", "\"", "not", "YES", "٣", "\n", "名前", "is"]
    {
        let rule = field(name).eq(1);
        means(&rule.to_string(), rule);
    }
}

#[test]
fn long_lists_are_written_in_full_but_in_explanations() {
    let rule = field("orders").is_in(0..300);
    means(&rule.to_string(), rule.clone());
    let customer = segmenta::data::OwnedCustomer::new(&schema(), 1_u64);
    let segmenter = segmenta::rules::RuleSegmenter::builder(&schema())
        .segment("s", "S", rule)
        .build()
        .unwrap();
    let explained =
        segmenta::Segmenter::explain(&segmenter, &customer).unwrap().to_string();
    assert!(explained.contains("19, and 280 more)"), "{explained}");
}

/// Code, line, column and suggestion of each fault.
#[track_caller]
fn faults(text: &str, expected: &[(&str, usize, usize, Option<&str>)]) {
    let error = text.parse::<Rule>().unwrap_err();
    let found: Vec<_> = issues(&error)
        .iter()
        .map(|issue| {
            let span = issue.span.unwrap();
            (issue.code.as_str(), span.line, span.column, issue.suggestion.as_deref())
        })
        .collect();
    assert_eq!(found, expected, "{text}: {error}");
}

#[test]
fn mistakes_are_told_with_their_places() {
    faults("", &[("unexpected", 1, 1, None)]);
    faults("x =", &[("unexpected", 1, 4, None)]);
    faults("x = DE", &[("unexpected", 1, 5, Some("'DE'"))]);
    faults("x = \"DE\"", &[("unexpected", 1, 5, Some("'DE'"))]);
    faults("x == 3", &[("bad-symbol", 1, 3, Some("="))]);
    faults("x <> 3", &[("bad-symbol", 1, 3, Some("!="))]);
    faults("a && b", &[("bad-symbol", 1, 3, Some("and"))]);
    faults("!a", &[("bad-symbol", 1, 1, Some("not"))]);
    faults("x = 'a", &[("open-quote", 1, 5, None)]);
    faults("x = 1e999", &[("not-finite", 1, 5, None)]);
    faults("x = 1.2.3", &[("bad-number", 1, 5, None)]);
    faults("x = 3days", &[("bad-number", 1, 5, None)]);
    faults("x = -inf", &[("bad-number", 1, 5, None)]);
    faults("x contians 'a'", &[("unexpected", 1, 3, Some("contains"))]);
    faults("size >= 2", &[("unexpected", 1, 1, Some("\"size\""))]);
    faults("x = 1 y = 2", &[("unexpected", 1, 7, None)]);
    faults("(x = 1", &[("unexpected", 1, 7, None)]);
    faults("x = 1)", &[("unexpected", 1, 6, None)]);
    faults("x is 3", &[("unexpected", 1, 6, None)]);
    faults("x between 1, 2", &[("unexpected", 1, 12, None)]);
    faults("x when missing maybe", &[("unexpected", 1, 16, None)]);
    faults("at least two of (a, b)", &[("unexpected", 1, 10, None)]);
    faults("at least 2.5 of (a, b)", &[("unexpected", 1, 10, None)]);
    faults("at least 2 (a, b)", &[("unexpected", 1, 12, None)]);
    faults("x = 1 and and y = 2", &[("unexpected", 1, 11, None)]);
    faults("x = 1; y", &[("bad-symbol", 1, 6, None)]);
    faults("x has any of (1)", &[("unexpected", 1, 15, None)]);
    faults("x has 'a'", &[("unexpected", 1, 3, None)]);
}

#[test]
fn mistyped_joints_are_told_with_what_was_meant() {
    let and = |column| ("unexpected", 1, column, Some("and"));
    let or = |column| ("unexpected", 1, column, Some("or"));
    faults("x = 1 adn y = 2", &[and(7)]);
    faults("x = 1 an y = 2 ANDD z = 3", &[and(7), and(16)]);
    faults("x = 1 ro y = 2", &[or(7)]);
    faults("x = 1 or y = 2 orr z = 3", &[or(16)]);
    faults("(x = 1 adn not y = 2) or z = 3", &[and(8)]);
    faults("all of (x = 1 adn y = 2, z = 3)", &[and(15)]);
    faults("events(order where x = 1 adn y = 2)", &[and(26)]);
    faults("sequence(order where x = 1 adn y then visit)", &[and(28)]);
    // What comes after it is read as well.
    faults("x = 1 adn y =", &[and(7), ("unexpected", 1, 14, None)]);
    // A name alone is a rule, too.
    faults("member adn y = 2", &[and(8)]);
    faults("member adn not vip ro gold", &[and(8), or(20)]);
    faults("member adn any of (x, y)", &[and(8)]);
    // What a value follows is no joint.
    faults("x im (1, 2)", &[("unexpected", 1, 3, Some("in"))]);
    faults("x = 1 y = 2", &[("unexpected", 1, 7, None)]);
    for right in ["sequence(order where x then visit within 3d)", "x and y or z"] {
        assert_eq!(right.parse::<Rule>().unwrap().to_string(), flags(right));
    }
}

/// The text with names alone as they are written.
fn flags(text: &str) -> String {
    let words = text.split(' ').map(|word| match word {
        "x" | "y" | "z" => format!("{word} = true"),
        _ => word.to_owned(),
    });
    words
        .collect::<Vec<_>>()
        .join(" ")
        .replace("x = true and y = true or", "(x = true and y = true) or")
}

#[test]
fn all_mistakes_are_told_at_once() {
    faults(
        "größe = \n  and x in (1, zwei, 3) \nor (y == 3 and z between 1 or 5) or not",
        &[
            ("unexpected", 2, 3, None),
            ("unexpected", 2, 16, Some("'zwei'")),
            ("bad-symbol", 3, 7, Some("=")),
            ("unexpected", 3, 28, None),
            // After `or` it reads on.
            ("unexpected", 3, 31, None),
            ("unexpected", 3, 40, None),
        ],
    );
    let many = vec!["x ="; 500].join(" and ");
    let error = many.parse::<Rule>().unwrap_err();
    assert_eq!(issues(&error).len(), 101);
    assert!(error.to_string().ends_with("400 more faults are not listed"), "{error}");
}

#[test]
fn faults_against_a_schema_have_their_places() {
    let places = |text: &str| {
        let parsed = RuleText::parse(text).unwrap();
        let error = parsed.compile(&schema()).unwrap_err();
        let found: Vec<(String, String)> = issues(&error)
            .iter()
            .map(|issue| {
                let span = issue.span.unwrap();
                assert_eq!(span, parsed.span(&issue.path));
                (issue.code.clone(), text[span.start..span.end].to_owned())
            })
            .collect();
        found
    };
    let expect = |found: Vec<(String, String)>, expected: &[(&str, &str)]| {
        let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, expected);
    };
    expect(
        places(
            "ordes >= 3 and not (country in ('DE', 'FR') or tier = 'lead')\n\
             and at least 5 of (orders > 'x', opted_out) and size of channels = 'x'",
        ),
        &[
            ("unknown-feature", "ordes"),
            ("unknown-level", "'FR'"),
            ("unknown-level", "= 'lead'"),
            ("bad-count", "5"),
            ("wrong-literal", "> 'x'"),
            ("wrong-literal", "= 'x'"),
        ],
    );
    expect(
        places("orders between 3 and 'x' or orders contains 'a'"),
        &[("wrong-literal", "'x'"), ("wrong-operator", "contains 'a'")],
    );
    expect(places("city matches '['"), &[("bad-pattern", "matches '['")]);
    expect(places("country != 'FR'"), &[("unknown-level", "!= 'FR'")]);
    expect(places("orders"), &[("wrong-literal", "orders")]);
    expect(
        places("everyone and size of orders = 1"),
        &[("wrong-operator", "size of orders = 1")],
    );
    expect(
        places("orders is set when missing yes"),
        &[("no-effect", "when missing yes")],
    );
    expect(places("all of (country in ())"), &[("empty-list", "in ()")]);
    expect(places("any of () and orders = 1"), &[("empty-list", "any of ()")]);

    let text = RuleText::parse("orders = 1 and\n tier = 'x'").unwrap();
    let error = text.compile(&schema()).unwrap_err().to_string();
    assert!(error.contains("2:7: feature `tier` has no level `x`"), "{error}");
    assert_eq!(text.text().len(), 26);
    assert_eq!(text.rule(), &text.clone().into_rule());
    let span = text.span("/nowhere");
    assert_eq!((span.start, span.end), (0, 26));
}

#[test]
fn conditions_on_events() {
    let orders = || events("order");
    means("events(order).count >= 3", orders().count().ge(3));
    means("EVENTS(order) . COUNT = 0", orders().count().eq(0));
    means("events(order)", orders().count().ge(1));
    means("not events(order) in last 30d", !orders().last(Span::days(30)).count().ge(1));
    means(
        "events(order) in last 90d and x",
        orders().last(Span::days(90)).count().ge(1) & field("x").eq(true),
    );
    means(
        "events(order).count in last 2w in (1, 2)",
        orders().last(Span::days(14)).count().is_in([1, 2]),
    );
    means("events(order).count not in (1)", !orders().count().is_in([1]));
    means(
        "events(order).count in last 1d != 2",
        !orders().last(Span::days(1)).count().eq(2),
    );
    means(
        "events(order where amount > 5 and (a or b)).sum(amount) from 60d to 36h ago < 10",
        orders()
            .filter(field("amount").gt(5) & (field("a").eq(true) | field("b").eq(true)))
            .ago(Span::days(60), Span::hours(36))
            .sum("amount")
            .lt(10),
    );
    means(
        "events(\"my orders\").average(\"the amount\") in this quarter is missing",
        events("my orders")
            .this(CalendarUnit::Quarter)
            .average("the amount")
            .is_missing(),
    );
    means(
        "events(order).last(channel) in last 1 whole week = 'web' when missing no",
        orders()
            .calendar(1, CalendarUnit::Week)
            .last_value("channel")
            .when_missing(false)
            .eq("web"),
    );
    means(
        "events(order).first(channel) in last 3 whole months to now starts with 'w'",
        orders()
            .within(Window::Calendar {
                n: 3,
                unit: CalendarUnit::Month,
                include_current: true,
            })
            .first_value("channel")
            .starts_with("w"),
    );
    means(
        "events(order).max(amount) from '2024-01-01' to '2024-02-01T00:00Z' between 1 and 2",
        orders()
            .within(Window::Between {
                from: "2024-01-01".into(),
                to: "2024-02-01T00:00Z".into(),
            })
            .max("amount")
            .between(1, 2),
    );
    means(
        "events(order) from 3 to 2 whole months ago",
        orders().calendar_ago(3, 2, CalendarUnit::Month).count().ge(1),
    );
    means("events(a).min(b) > 1", events("a").min("b").gt(1));
    means("events(a).distinct(b) > 1", events("a").distinct("b").gt(1));
    means("events(a).active_days > 1", events("a").active_days().gt(1));
    means("events(a).first_day > '2024-01-01'", events("a").first_day().gt("2024-01-01"));
    means("events(a).last_day is set", events("a").last_day().is_set());
    means("size of events(a).count is set", events("a").count().size().is(Test::Set));
    means(
        "events(a) in last 4100000000 whole days",
        events("a").calendar(4_100_000_000, CalendarUnit::Day).count().ge(1),
    );
    means(
        "events(a).last_day ever in last 30d",
        events("a").last_day().in_last(Span::days(30)),
    );
    means(
        "events(a).last_day in last 90d in last 30d",
        events("a").last(Span::days(90)).last_day().in_last(Span::days(30)),
    );
    means("d in last 30d", field("d").in_last(Span::days(30)));
    means("d not in next 2w", !field("d").in_next(Span::days(14)));
    means("d has anniversary in next 7d", field("d").has_anniversary(Span::days(7)));
    means(
        "d has anniversary in next 7d with leap day mar1 when missing no",
        field("d")
            .when_missing(false)
            .is(Test::Anniversary { within: Span::days(7), leap_day: LeapDay::Mar1 }),
    );
    // The words mean nothing elsewhere.
    means(
        "events and last and ago",
        field("events").eq(true) & field("last").eq(true) & field("ago").eq(true),
    );
    means("where in ('from', 'to')", field("where").is_in(["from", "to"]));
}

#[test]
fn mistakes_about_events_are_told() {
    let fault = |text: &str| {
        let error = text.parse::<Rule>().unwrap_err();
        let issue = issues(&error)[0].clone();
        let span = issue.span.unwrap();
        (issue.code, text[span.start..span.end].to_owned(), issue.suggestion)
    };
    let said = |code: &str, at: &str, suggestion: Option<&str>| {
        (code.to_owned(), at.to_owned(), suggestion.map(str::to_owned))
    };
    assert_eq!(fault("events().count = 1"), said("unexpected", ")", None));
    assert_eq!(fault("events(order = 1"), said("unexpected", "=", None));
    assert_eq!(
        fault("events(order).cuont = 1"),
        said("unexpected", "cuont", Some("count"))
    );
    assert_eq!(fault("events(order).count"), said("unexpected", "", None));
    assert_eq!(fault("events(order).sum >= 1"), said("unexpected", ">=", None));
    assert_eq!(fault("events(order).sum() >= 1"), said("unexpected", ")", None));
    assert_eq!(fault("events(order) in last 30"), said("unexpected", "", None));
    assert_eq!(
        fault("events(order) in last 30 days"),
        said("unexpected", "days", Some("30d"))
    );
    assert_eq!(fault("events(order) in last month"), said("unexpected", "month", None));
    assert_eq!(
        fault("events(order) in last 2 whole moons"),
        said("unexpected", "moons", None)
    );
    assert_eq!(fault("events(order) from 3d ago"), said("unexpected", "ago", None));
    assert_eq!(fault("events(order) from 3d to 1d"), said("unexpected", "", None));
    assert_eq!(fault("events(order) from '2024-01-01'"), said("unexpected", "", None));
    assert_eq!(fault("events(order) from x"), said("unexpected", "x", None));
    assert_eq!(fault("events(order) in last 3x"), said("bad-number", "3x", None));
    assert_eq!(fault("x = 3d"), said("unexpected", "3d", None));
    for text in ["events(a where ".repeat(100_000), "events(".repeat(100_000)] {
        assert!(text.parse::<Rule>().is_err());
    }
}

#[test]
fn hostile_texts_are_refused() {
    for text in
        ["(".repeat(200_000), "not ".repeat(200_000), "at least 1 of (".repeat(50_000)]
    {
        let error = text.parse::<Rule>().unwrap_err();
        assert_eq!(issues(&error).last().unwrap().code, "too-deep");
    }
    let long = format!("x = '{}'", "x".repeat(1 << 20));
    assert_eq!(issues(&long.parse::<Rule>().unwrap_err())[0].code, "text-too-long");
    let limits = Limits::new().text_len(7);
    assert!(RuleText::parse_with("x = 123", &limits).is_ok());
    assert!(RuleText::parse_with("x = 1234", &limits).is_err());
    assert!(RuleText::parse_with("x", &Limits::new().text_len(0)).is_err());
    // As deep as a rule may be.
    let deep = format!("{}x{}", "not (".repeat(39), ")".repeat(39));
    assert!(deep.parse::<Rule>().is_ok());
}

/// Whatever is read, faults lie inside the text and can be shown.
fn survives(text: &str) {
    match text.parse::<Rule>() {
        Ok(rule) => {
            // Texts may hold a not so short number, but never one that is not finite.
            assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule, "{text:?}");
        }
        Err(error) => {
            assert!(!issues(&error).is_empty());
            for issue in issues(&error) {
                let span = issue.span.unwrap();
                assert!(text.get(span.start..span.end).is_some(), "{text:?} {issue:?}");
                assert!(span.line >= 1 && span.column >= 1);
            }
        }
    }
}

/// Pieces that texts are made of.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: [&str; 43] = [
        "and",
        "or",
        "not",
        "(",
        ")",
        ",",
        "x",
        "\"y z\"",
        "'a'",
        "''",
        "3",
        "-1.5e3",
        "=",
        "!=",
        "<",
        ">=",
        "in",
        "between",
        "is",
        "set",
        "missing",
        "when",
        "yes",
        "at least",
        "2",
        "of",
        "all of",
        "any of",
        "size of",
        "has any of",
        "contains",
        "starts with",
        "everyone",
        "true",
        "'",
        "\"",
        "!",
        "&&",
        ";",
        "é",
        "\n",
        "1e999",
        ".",
    ];
    prop::sample::select(&PIECES[..]).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn rules_are_read_back_as_they_were(case in case(false)) {
        for segment in case.set().segments {
            let text = segment.rule.to_string();
            let parsed = RuleText::parse(text.as_str()).unwrap();
            prop_assert_eq!(parsed.rule(), &segment.rule, "{}", text);
            // And so from text to JSON and back.
            let json = serde_json::to_string(parsed.rule()).unwrap();
            let rule: Rule = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&rule.to_string().parse::<Rule>().unwrap(), &segment.rule);
        }
    }

    #[test]
    fn no_text_makes_it_panic(pieces in prop::collection::vec(piece(), 0..25)) {
        survives(&pieces.join(" "));
        survives(&pieces.concat());
    }

    #[test]
    fn no_characters_make_it_panic(text in "\\PC{0,60}") {
        survives(&text);
    }

    #[test]
    fn texts_with_something_left_out_or_doubled_do_not_panic(
        case in case(false),
        at in any::<prop::sample::Index>(),
        double in any::<bool>(),
    ) {
        let text = case.set().segments[0].rule.to_string();
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        if double {
            characters.insert(at, characters[at]);
        } else {
            characters.remove(at);
        }
        survives(&characters.into_iter().collect::<String>());
    }
}

#[test]
fn numbers_are_read_back_to_the_bit() {
    for x in [0.1, -0.0, 5e-324, 1e300, f64::MAX, 9_007_199_254_740_993.0, -1.0 / 3.0] {
        let text = field("x").eq(x).to_string();
        let Rule::Field(FieldTest { is: Test::Eq(Literal::Number(y)), .. }) =
            text.parse::<Rule>().unwrap()
        else {
            panic!("{text}");
        };
        assert_eq!(x.to_bits(), y.to_bits(), "{text}");
    }
}

/// Names and values that are easily taken for each other, or for what stands around them.
fn confusable() -> impl Strategy<Value = Rule> {
    let name = prop::sample::select(vec![
        "x", "X", "x y", "a\"b", "a\"\"b", "and", "é", "1x", "true", "x = 1",
    ]);
    let text = || {
        prop::sample::select(vec![
            "",
            "'",
            "''",
            "a' or x = 'b",
            "a'' or x = ''b",
            "1",
            "true",
            "\n",
            "\\n",
            "0",
            "-0",
        ])
    };
    let number = prop_oneof![
        prop::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            1e21,
            1e-7,
            0.1,
            0.3,
            0.1 + 0.2,
            f64::MAX,
            5e-324,
            9e15,
            1e16,
        ]),
        any::<f64>().prop_filter("finite", |x| x.is_finite()),
    ];
    let literal = prop_oneof![
        number.prop_map(Literal::Number),
        any::<bool>().prop_map(Literal::Flag),
        text().prop_map(Literal::from),
    ];
    let texts = || prop::collection::vec(text().prop_map(str::to_owned), 0..3);
    let test = prop_oneof![
        literal.clone().prop_map(Test::Eq),
        literal.clone().prop_map(Test::Lt),
        prop::collection::vec(literal.clone(), 0..3).prop_map(Test::In),
        (literal.clone(), literal).prop_map(|(lo, hi)| Test::Between { lo, hi }),
        text().prop_map(|text| Test::Contains(text.to_owned())),
        texts().prop_map(Test::HasAny),
        texts().prop_map(Test::HasAll),
        prop::sample::select(vec![Test::Set, Test::Missing]),
    ];
    let leaf = (name, test, prop::option::of(any::<bool>())).prop_map(
        |(name, is, when_missing)| {
            Rule::Field(FieldTest { name: name.to_owned(), is, when_missing })
        },
    );
    let leaf = prop_oneof![4 => leaf, 1 => Just(Rule::Everyone), 1 => Just(Rule::Nobody)];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            some().prop_map(Rule::All),
            some().prop_map(Rule::Any),
            (0..3_usize, some()).prop_map(|(n, of)| Rule::AtLeast { n, of }),
            inner.clone().prop_map(|rule| !rule),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1000)
    })]

    // Filters of events are told apart by what is written of them.
    #[test]
    fn rules_that_are_written_alike_are_alike(rule in confusable(), other in confusable()) {
        // Their debug text tells -0 from 0.
        let read: Rule = rule.to_string().parse().unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{rule:?}"));
        prop_assert_eq!(rule.to_string() == other.to_string(), format!("{rule:?}") == format!("{other:?}"));
    }
}
