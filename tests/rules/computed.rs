//! Sequences, distances, draws and consent, case by case.

use segmenta::data::{
    Date, EventLog, FeatureSpec, Ids, OwnedCustomer, OwnedValue, Schema, Span,
    StreamSpec, Table, Timestamp,
};
use segmenta::rules::{
    Location, Rule, RuleBook, RuleSet, RuleText, SequenceTest, Window, bucket, distance,
    field, sequence, step,
};
use segmenta::segmenter::{Reason, SegmentIndex, Truth};
use segmenta::{ErrorKind, Segmenter};

fn shop() -> Schema {
    let product = || FeatureSpec::category("product");
    Schema::builder()
        .feature(FeatureSpec::number("lat"))
        .feature(FeatureSpec::number("lon"))
        .feature(FeatureSpec::flag("post"))
        .feature(
            FeatureSpec::category("newsletter").levels(["granted", "denied", "revoked"]),
        )
        .feature(FeatureSpec::date("newsletter_day"))
        .stream(StreamSpec::new("view", [product(), FeatureSpec::number("seconds")]))
        .stream(StreamSpec::new("cart", [product()]))
        .stream(StreamSpec::new("order", [product(), FeatureSpec::number("amount")]))
        .stream(StreamSpec::new("refund", [FeatureSpec::number("product")]))
        .build()
        .unwrap()
}

const HOUR: i64 = 3_600_000;

fn hour(n: i64) -> Timestamp {
    Timestamp::from_millis(n * HOUR)
}

/// A customer who did these things, in hours, each with a product.
fn did(events: &[(&str, i64, &str)]) -> OwnedCustomer {
    let schema = shop();
    let ann = OwnedCustomer::new(&schema, 1);
    schema.streams().iter().fold(ann, |ann, stream| {
        let of_stream = events.iter().filter(|(name, ..)| *name == stream.name());
        let log = of_stream.map(|&(_, at, product)| {
            let values = stream.properties().iter().map(|property| {
                if property.name() == "product" && !product.is_empty() {
                    OwnedValue::Category(product.to_owned())
                } else {
                    OwnedValue::Missing
                }
            });
            (hour(at), values.collect::<Vec<_>>())
        });
        ann.set_events(stream.name(), EventLog::new(stream, log).unwrap()).unwrap()
    })
}

/// Whether a rule holds at an hour, asked in all ways.
#[track_caller]
fn holds(rule: &str, events: &[(&str, i64, &str)], now: i64) -> bool {
    let rule: Rule = rule.parse().unwrap();
    let ann = did(events);
    let point = rule.compile(&shop()).unwrap().at(hour(now)).holds(&ann).unwrap();
    let set = RuleSet::new().segment("s", "S", rule);
    let book = set.compile_book(&shop()).unwrap().at(hour(now));
    let table = Table::from_customers(&shop(), [&ann]).unwrap();
    let memberships = book.memberships(&table).unwrap();
    assert_eq!(memberships.truth(0, SegmentIndex::new(0)), Truth::from(point));
    point
}

#[test]
fn steps_follow_each_other_later_and_in_time() {
    let rule = "sequence(view then order within 2h)";
    assert!(holds(rule, &[("view", 1, "a"), ("order", 3, "b")], 9));
    assert!(!holds(rule, &[("view", 1, "a"), ("order", 4, "a")], 9));
    assert!(!holds(rule, &[("order", 1, "a"), ("view", 3, "a")], 9));
    // At one instant nothing is later.
    assert!(!holds(rule, &[("view", 1, "a"), ("order", 1, "a")], 9));
    // A later view will do where an earlier does not.
    let twice = [("view", 1, "a"), ("view", 4, "a"), ("order", 5, "a")];
    assert!(holds(rule, &twice, 9));
    // What happens now does not count yet.
    assert!(!holds(rule, &twice, 5));
    assert!(holds(
        "sequence(order then order within 1h)",
        &[("order", 1, ""), ("order", 2, "")],
        9
    ));
    assert!(!holds("sequence(order then order within 1h)", &[("order", 1, "")], 9));
    // The steps need not be neighbours.
    let rule = "sequence(view then cart then order)";
    let events = [("view", 1, ""), ("order", 2, ""), ("cart", 3, ""), ("order", 4, "")];
    assert!(holds(rule, &events, 9));
    assert!(!holds(rule, &events[..3], 9));
}

#[test]
fn what_is_denied_did_not_happen_in_between() {
    let rule = "sequence(view then not order then cart)";
    assert!(holds(rule, &[("view", 1, ""), ("cart", 3, "")], 9));
    assert!(!holds(rule, &[("view", 1, ""), ("order", 2, ""), ("cart", 3, "")], 9));
    // At its ends it may have happened.
    for at in [1, 3] {
        assert!(holds(rule, &[("view", 1, ""), ("order", at, ""), ("cart", 3, "")], 9));
    }
    // A view after the order begins anew.
    let again = [("view", 1, ""), ("order", 2, ""), ("view", 3, ""), ("cart", 4, "")];
    assert!(holds(rule, &again, 9));
    // Denied for an hour only: the first view has none in its hour, the second has.
    let rule = "sequence(view then not order within 1h then cart)";
    let events = [("view", 1, ""), ("view", 3, ""), ("order", 4, ""), ("cart", 5, "")];
    assert!(holds(rule, &events, 9));
    assert!(!holds(rule, &events[1..], 9));
}

#[test]
fn a_last_step_is_denied_once_its_time_has_passed() {
    let rule = "sequence(cart then not order within 24h) in last 7d";
    let events = [("cart", 10, "")];
    // It may still be ordered at hour 34, which counts an instant later.
    assert!(!holds(rule, &events, 34));
    assert!(holds(rule, &events, 35));
    assert!(!holds(rule, &[("cart", 10, ""), ("order", 34, "")], 40));
    assert!(holds(rule, &[("cart", 10, ""), ("order", 35, "")], 40));
    // The week passes.
    assert!(holds(rule, &events, 10 + 7 * 24));
    assert!(!holds(rule, &events, 11 + 7 * 24));
    // An earlier basket that was left stays left.
    let twice = [("cart", 10, ""), ("cart", 50, ""), ("order", 51, "")];
    assert!(holds(rule, &twice, 60));
    // Denied for ever, what happened last counts.
    let rule = "sequence(cart then not order)";
    assert!(!holds(rule, &twice, 60));
    assert!(holds(rule, &twice[..2], 60));
}

#[test]
fn all_steps_can_be_of_the_same_product() {
    let rule = "sequence(view then not order within 1d) with same product in last 9d";
    assert!(holds(rule, &[("view", 1, "a"), ("order", 2, "b")], 99));
    assert!(!holds(rule, &[("view", 1, "a"), ("order", 2, "a")], 99));
    let events = [("view", 1, "a"), ("view", 1, "b"), ("order", 2, "a")];
    assert!(holds(rule, &events, 99));
    // What has no product is not looked at.
    assert!(!holds(rule, &[("view", 1, "")], 99));
    assert!(holds(rule, &[("view", 1, "a"), ("order", 2, "")], 99));
}

#[test]
fn the_next_change_is_the_end_of_the_time_that_is_waited() {
    let rule: Rule =
        "sequence(cart then not order within 24h) in last 7d".parse().unwrap();
    let ann = did(&[("cart", 10, "")]);
    let rule = rule.compile(&shop()).unwrap();
    let next = |now: Timestamp| rule.at(now).next_change(&ann).unwrap();
    let after = |hours: i64| Timestamp::from_millis(hours * HOUR + 1);
    assert_eq!(next(hour(12)), Some((after(34), Truth::True)));
    assert_eq!(next(after(34)), Some((after(10 + 7 * 24), Truth::False)));
    assert_eq!(next(after(10 + 7 * 24)), None);
}

#[track_caller]
fn faults(text: &str) -> Vec<(String, String, Option<String>)> {
    let parsed = RuleText::parse(text).unwrap();
    let error = parsed.compile(&shop()).unwrap_err();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    let told = issues.iter().map(|issue| {
        let span = issue.span.unwrap();
        let at = text[span.start..span.end].to_owned();
        (issue.code.clone(), at, issue.suggestion.clone())
    });
    told.collect()
}

#[test]
fn faults_are_told_with_their_places() {
    let one = |code: &str, at: &str, suggestion: Option<&str>| {
        vec![(code.to_owned(), at.to_owned(), suggestion.map(str::to_owned))]
    };
    for (text, code, at, suggestion) in [
        ("sequence(view)", "bad-count", "view", None),
        ("sequence(view then odrer)", "unknown-stream", "odrer", Some("order")),
        ("sequence(not view then order)", "bad-start", "not", None),
        ("sequence(view within 1d then order)", "no-effect", "within 1d", None),
        ("sequence(view then order within 0d)", "empty-window", "within 0d", None),
        (
            "sequence(view then order within 99999d)",
            "window-too-long",
            "within 99999d",
            None,
        ),
        (
            "sequence(view where second > 3 then order)",
            "unknown-property",
            "second",
            Some("seconds"),
        ),
        (
            "sequence(view then order) with same amount",
            "unknown-property",
            "amount",
            None,
        ),
        (
            "sequence(view then refund) with same product",
            "wrong-property",
            "product",
            None,
        ),
        ("sequence(view then order) in last 0d", "empty-window", "in last 0d", None),
        ("distance(lat, lom) from (1, 2) < 3", "unknown-feature", "lom", Some("lon")),
        ("distance(lat, post) from (1, 2) < 3", "wrong-kind", "post", None),
        ("distance(lat, lon) from (91, 2) < 3", "not-on-earth", "(91, 2)", None),
        ("distance(lat, lon) from (1, -361) < 3", "not-on-earth", "(1, -361)", None),
        (
            "distance(lat, lon) from (1, 2) contains 'x'",
            "wrong-operator",
            "contains 'x'",
            None,
        ),
        (
            "distance(lat, lon) from (1, 2) is set when missing no",
            "no-effect",
            "when missing no",
            None,
        ),
        ("bucket('') < 0.5", "empty-text", "''", None),
        ("bucket('x') is set", "no-effect", "is set", None),
        (
            "consent(newsleter in ('granted'))",
            "unknown-feature",
            "newsleter",
            Some("newsletter"),
        ),
        (
            "consent(newsletter in ('grunted'))",
            "unknown-level",
            "'grunted'",
            Some("granted"),
        ),
        ("consent(newsletter in ())", "empty-list", "in ()", None),
        ("consent(newsletter)", "wrong-kind", "consent(newsletter)", None),
        ("consent(post in ('yes'))", "wrong-kind", "consent(post in ('yes'))", None),
        ("consent(lat)", "wrong-kind", "consent(lat)", None),
        ("consent(post given on lat in last 3d)", "wrong-kind", "lat", None),
        (
            "consent(post given on newsletter_day in last 3h)",
            "not-whole-days",
            "3h",
            None,
        ),
        (
            "events(view where bucket('x') < 0.5) in last 1d",
            "no-computed-here",
            "bucket('x') < 0.5",
            None,
        ),
        (
            "sequence(view where consent(post) then order)",
            "no-computed-here",
            "consent(post)",
            None,
        ),
    ] {
        assert_eq!(faults(text), one(code, at, suggestion), "{text}");
    }
}

#[test]
fn faults_of_the_text_are_told() {
    for (text, expected) in [
        ("sequence(view then)", "the name of a stream"),
        ("sequence(view than order)", "`then`, `where`, `within` or `)`"),
        ("sequence(view then order) with same 'x'", "the name of a property"),
        ("sequence(view then order within 3)", "a time as 90d or 36h"),
        ("distance(lat lon) from (1, 2) < 3", "`,`"),
        ("distance(lat, lon) to (1, 2) < 3", "`from`"),
        ("distance(lat, lon) from (1, 'x') < 3", "a number"),
        ("bucket(x) < 0.5", "a text in single quotes"),
        ("consent(post given in last 3d)", "`in`, `given on` or `)`"),
        ("consent(post given on day)", "`in last`"),
        ("bucket('x') < 0.5 when missing no", "nothing here"),
    ] {
        let error = text.parse::<Rule>().unwrap_err();
        let ErrorKind::Definition { issues, .. } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(issues.len(), 1, "{text}: {issues:?}");
        assert_eq!(issues[0].expected.as_deref(), Some(expected), "{text}");
    }
    // Features may be called like these.
    let schema =
        Schema::new(["sequence", "bucket", "consent", "then"].map(FeatureSpec::flag));
    for text in ["sequence and bucket", "consent = true", "then or not then"] {
        text.parse::<Rule>().unwrap().compile(schema.as_ref().unwrap()).unwrap();
    }
}

#[test]
fn long_sequences_are_refused() {
    let many = (0..33).fold(sequence(step("view")), |s, _| s.then(step("view"))).rule();
    assert!(many.compile(&shop()).unwrap_err().to_string().contains("from 2 to 32"));
    let steps = vec![step("view"); 5_000];
    let huge = Rule::Sequence(SequenceTest { steps, same: None, window: Window::Ever });
    assert!(
        huge.compile(&shop()).unwrap_err().to_string().contains("at most 1000 nodes")
    );
    let most = (1..32).fold(sequence(step("view")), |s, _| s.then(step("view"))).rule();
    let events: Vec<_> = (0..32).map(|i| ("view", i, "")).collect();
    let most = most.compile(&shop()).unwrap();
    assert!(most.at(hour(99)).holds(&did(&events)).unwrap());
    assert!(!most.at(hour(99)).holds(&did(&events[1..])).unwrap());
}

/// With `R = 6371.0088`, by Vincenty's formula for the sphere: `R * atan2(hypot(cos φ₂ sin λ,
/// cos φ₁ sin φ₂ - sin φ₁ cos φ₂ cos λ), sin φ₁ sin φ₂ + cos φ₁ cos φ₂ cos λ)` in Python.
#[test]
fn distances_are_those_of_another_formula() {
    for (from, to, expected) in [
        ((48.2082, 16.3738), (-33.8688, 151.2093), 15_975.739_140_755_199),
        ((48.2082, 16.3738), (48.1486, 17.1077), 54.817_882_290_068_04),
        ((0.0, 0.0), (0.0, 180.0), 20_015.114_442_035_923),
        ((90.0, 0.0), (-90.0, 77.0), 20_015.114_442_035_923),
        ((0.0, -179.5), (0.0, 179.5), 111.195_080_233_532_21),
        ((10.0, 10.0), (10.0, 370.0), 0.0),
        ((10.0, 10.0), (10.0, 10.0), 0.0),
    ] {
        let place = |(latitude, longitude)| Location { latitude, longitude };
        let found = place(from).distance(place(to));
        assert!((found - expected).abs() < 1e-8 * (1.0 + expected), "{found} {expected}");
        assert_eq!(found, place(to).distance(place(from)));
    }
}

#[test]
fn angles_that_are_too_large_are_errors_wherever_they_are_looked_at() {
    let rule = distance("lat", "lon", 1.0, 2.0).le(50);
    let book =
        RuleBook::builder(&shop()).segment("near", "Near", rule.clone()).build().unwrap();
    let at = |lat: f64, lon: f64| {
        let ann = OwnedCustomer::new(&shop(), 1).set("lat", lat).unwrap();
        ann.set("lon", lon).unwrap()
    };
    let compiled = rule.compile(&shop()).unwrap();
    assert!(compiled.holds(&at(1.1, 2.1)).unwrap());
    assert_eq!(compiled.truth(&OwnedCustomer::new(&shop(), 1)).unwrap(), Truth::Unknown);
    let said = "`90.5` is not a number of degrees from -90 to 90 in `lat`";
    assert_eq!(compiled.holds(&at(90.5, 0.0)).unwrap_err().to_string(), said);
    let table = Table::from_customers(&shop(), [at(1.1, 2.1), at(90.5, 0.0)]).unwrap();
    assert_eq!(book.count(&table).unwrap_err().to_string(), format!("{said} in row 1"));
    // Where no one looks, it is none.
    let guarded = field("post").eq(true) & rule;
    let book = RuleBook::builder(&shop()).segment("s", "S", guarded).build().unwrap();
    let ann = at(90.5, 0.0).set("post", false).unwrap();
    let table = Table::from_customers(&shop(), [ann]).unwrap();
    assert_eq!(book.count(&table).unwrap()[0].members, 0);
}

/// Computed by the documented formula in Python.
#[test]
fn draws_are_pinned() {
    let schema = Schema::new([]).unwrap();
    let is = |salt: &str, ann: OwnedCustomer, x: f64| {
        assert!(bucket(salt).eq(x).compile(&schema).unwrap().holds(&ann).unwrap());
    };
    is("spring", OwnedCustomer::new(&schema, 0), 0.025_866_817_957_322_485);
    is("spring", OwnedCustomer::new(&schema, "7"), 0.645_246_612_019_573_2);
    is("spring", OwnedCustomer::new(&schema, 7), 0.645_246_612_019_573_2);
    is("spring", OwnedCustomer::new(&schema, u64::MAX), 0.731_514_151_372_715_8);
    is("a", OwnedCustomer::new(&schema, "ann"), 0.023_869_017_546_986_78);
    is("ä", OwnedCustomer::new(&schema, ""), 0.248_164_079_154_901_57);
}

#[test]
fn draws_of_one_salt_are_even_and_those_of_two_independent() {
    let schema = Schema::new([]).unwrap();
    let n = 40_000;
    let ids: Vec<u64> = (0..n).collect();
    let rows = ids.len();
    let table = Table::builder(&schema, rows).ids(Ids::Numbers((&ids).into())).build();
    let salts = ["a", "b", "c1", "c2"];
    let book = salts.iter().fold(RuleBook::builder(&schema), |book, salt| {
        book.segment(*salt, *salt, bucket(*salt).lt(0.25))
    });
    let memberships = book.build().unwrap().memberships(&table.unwrap()).unwrap();
    let is = |row: usize, s: usize| {
        memberships.truth(row, SegmentIndex::new(s as u32)) == Truth::True
    };
    // Four standard deviations of a binomial count.
    let near = |count: usize, p: f64| {
        let mean = n as f64 * p;
        let deviation = (mean * (1.0 - p)).sqrt();
        assert!((count as f64 - mean).abs() < 4.0 * deviation, "{count} {mean}");
    };
    for a in 0..salts.len() {
        near((0..rows).filter(|&row| is(row, a)).count(), 0.25);
        for b in 0..a {
            near((0..rows).filter(|&row| is(row, a) && is(row, b)).count(), 0.0625);
        }
    }
}

#[test]
fn draws_need_ids() {
    let schema = Schema::new([]).unwrap();
    let book = RuleBook::builder(&schema)
        .segment("s", "S", bucket("x").lt(0.5))
        .build()
        .unwrap();
    let table = Table::builder(&schema, 3).build().unwrap();
    for error in [
        book.count(&table).map(|_| ()).unwrap_err(),
        book.memberships(&table).map(|_| ()).unwrap_err(),
        book.assign_table(&table, &mut [segmenta::segmenter::Assignment::none(); 3])
            .unwrap_err(),
    ] {
        assert!(error.to_string().contains("parameter `ids`"), "{error}");
    }
}

#[test]
fn silence_is_no_consent() {
    let rule: Rule =
        "consent(newsletter in ('granted') given on newsletter_day in last 30d)"
            .parse()
            .unwrap();
    let day = |n: i32| Date::from_days(n).unwrap();
    let now = Timestamp::from_millis(100 * 24 * HOUR);
    let compiled = rule.compile(&shop()).unwrap().at(now);
    let ann = OwnedCustomer::new(&shop(), 1);
    let truth = |ann: &OwnedCustomer| compiled.truth(ann).unwrap();
    assert_eq!(truth(&ann), Truth::False);
    let ann = ann.set("newsletter", "granted").unwrap();
    assert_eq!(truth(&ann), Truth::False);
    let ann = ann.set("newsletter_day", day(71)).unwrap();
    assert_eq!(truth(&ann), Truth::True);
    assert_eq!(truth(&ann.clone().set("newsletter_day", day(70)).unwrap()), Truth::False);
    assert_eq!(truth(&ann.clone().set("newsletter", "revoked").unwrap()), Truth::False);
    let set = RuleSet::new().segment("may", "May be written to", rule);
    let book = set.compile_book(&shop()).unwrap().at(now);
    let Reason::Rules { clauses } = book.explain(&ann).unwrap().reason else { panic!() };
    assert_eq!(clauses.len(), 1);
    assert_eq!(clauses[0].observed, Some(OwnedValue::Category("granted".into())));
    let stale = ann.clone().set("newsletter_day", day(1)).unwrap();
    let Reason::Rules { clauses } = book.explain(&stale).unwrap().reason else {
        panic!()
    };
    assert_eq!(clauses[0].observed, Some(day(1).into()));
    assert_eq!(
        book.next_change(&ann).unwrap().unwrap().at,
        Timestamp::from_millis(101 * 24 * HOUR)
    );
}

#[test]
fn explanations_say_what_was_computed() {
    let set = RuleSet::new()
        .segment("near", "Near", distance("lat", "lon", 0.0, 0.0).lt(200))
        .segment("left", "Left", sequence(step("cart")).then_not(step("order")).rule());
    let book = set.compile_book(&shop()).unwrap().at(hour(99));
    let ann = did(&[("cart", 1, "")]).set("lat", 0.0).unwrap().set("lon", 1.0).unwrap();
    let Reason::Rules { clauses } = book.explain(&ann).unwrap().reason else { panic!() };
    let Some(OwnedValue::Number(kilometres)) = clauses[0].observed else { panic!() };
    assert!((kilometres - 111.195).abs() < 0.001);
    assert_eq!(clauses[0].text, "Near: distance(lat, lon) from (0, 0) < 200");
    assert_eq!(clauses[1].observed, Some(OwnedValue::Flag(true)));
    assert_eq!(clauses[1].text, "Left: sequence(cart then not order)");
}

#[test]
fn a_filter_of_a_step_is_a_rule_of_its_properties() {
    let long = step("view").filter(field("seconds").ge(30)).within(Span::hours(1));
    let rule = sequence(step("cart")).then(long).rule();
    assert_eq!(
        rule.to_string(),
        "sequence(cart then view where seconds >= 30 within 1h)"
    );
    assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
    // A filter that is Unknown lets nothing pass.
    assert!(!holds(&rule.to_string(), &[("cart", 1, ""), ("view", 2, "")], 9));
}
