//! What rules may ask, and whom they may address.

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{
    Basis, FeatureSpec, OwnedCustomer, Schema, Sensitivity, Span, StreamSpec, Table,
    Timestamp,
};
use segmenta::privacy::{Audit, AuditCode, Policy, Proxy, Ruling, Severity, Subject};
use segmenta::rules::{
    ConsentTest, Hysteresis, PointsModel, Rule, RuleSet, SegmentStay, Stays, consent,
    events, field, score, segment,
};
use segmenta::segmenter::Truth;

fn schema() -> Schema {
    let special = |spec: FeatureSpec| spec.sensitivity(Sensitivity::Special);
    let personal = |spec: FeatureSpec| spec.sensitivity(Sensitivity::Personal);
    Schema::builder()
        .feature(FeatureSpec::number("orders").basis(Basis::Behavioural))
        .feature(personal(FeatureSpec::number("age")).basis(Basis::Demographic))
        .feature(special(FeatureSpec::category("faith")))
        .feature(special(FeatureSpec::number("lat")))
        .feature(special(FeatureSpec::number("lon")))
        .feature(FeatureSpec::category("postcode"))
        .feature(FeatureSpec::flag("news"))
        .feature(FeatureSpec::category("profiling"))
        .feature(FeatureSpec::date("profiling_day"))
        .feature(special(FeatureSpec::flag("sick")))
        .stream(StreamSpec::new(
            "order",
            [
                FeatureSpec::number("amount"),
                special(FeatureSpec::category("drug")),
                special(FeatureSpec::number("dose")),
            ],
        ))
        .stream(StreamSpec::new("visit", [special(FeatureSpec::category("drug"))]))
        .build()
        .unwrap()
}

fn set(rules: &[(&str, &str)]) -> RuleSet {
    rules.iter().fold(RuleSet::new(), |set, (id, rule)| {
        set.segment(*id, id.to_uppercase(), rule.parse().unwrap())
    })
}

fn audit(policy: &Policy, rules: &[(&str, &str)]) -> Audit {
    let set = set(rules);
    set.compile_book(&schema()).unwrap();
    policy.audit(&schema(), &set).unwrap()
}

/// Code, path and feature of all findings.
fn told(audit: &Audit) -> Vec<(&'static str, &str, &str)> {
    let finding = |f: &'_ segmenta::privacy::AuditFinding| f.code.name();
    audit
        .findings
        .iter()
        .map(|f| (finding(f), &f.path[..], f.feature.as_deref().unwrap_or("")))
        .collect()
}

#[test]
fn whatever_looks_at_a_special_feature_is_found_with_its_place() {
    for (rule, paths) in [
        ("orders > 3", &[][..]),
        ("age > 3", &[]),
        ("bucket('x') < 0.1", &[]),
        ("faith = 'a'", &["/field/name faith"]),
        ("faith is missing", &["/field/name faith"]),
        ("faith is set", &["/field/name faith"]),
        ("not (orders > 3 or faith = 'a')", &["/not/any/1/field/name faith"]),
        (
            "at least 2 of (orders > 3, faith = 'a', faith = 'b')",
            &["/at_least/of/1/field/name faith", "/at_least/of/2/field/name faith"],
        ),
        ("distance(lat, orders) from (1, 2) < 3", &["/distance/latitude lat"]),
        (
            "distance(lat, lon) from (1, 2) < 3",
            &["/distance/latitude lat", "/distance/longitude lon"],
        ),
        ("events(order).count > 3", &[]),
        ("events(order).sum(amount) > 3", &[]),
        ("events(order).sum(dose) > 3", &["/event/agg order.dose"]),
        (
            "events(order where amount > 3 and drug = 'x').count > 3",
            &["/event/where/all/1/field/name order.drug"],
        ),
        (
            "sequence(order then visit where drug = 'x')",
            &["/sequence/steps/1/where/field/name visit.drug"],
        ),
        (
            "sequence(order then visit) with same drug",
            &["/sequence/same order.drug", "/sequence/same visit.drug"],
        ),
        ("consent(news)", &[]),
        ("consent(sick)", &["/consent/purpose sick"]),
    ] {
        let audit = audit(&Policy::new(), &[("a", "orders > 1"), ("b", rule)]);
        let expected: Vec<String> =
            paths.iter().map(|path| format!("/segments/1/rule{path}")).collect();
        let found: Vec<String> = audit
            .findings
            .iter()
            .map(|f| format!("{} {}", f.path, f.feature.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(found, expected, "{rule}");
        assert_eq!((audit.n_refused, audit.n_noted), (paths.len(), 0));
        for finding in &audit.findings {
            assert_eq!(finding.code, AuditCode::TooSensitive);
            assert_eq!(finding.severity, Severity::Refused);
            assert_eq!(finding.segment.as_str(), "b");
            assert_eq!(finding.sensitivity, Some(Sensitivity::Special));
            // The place is there, and has the name.
            let json =
                serde_json::to_value(set(&[("a", "orders > 1"), ("b", rule)])).unwrap();
            let name = finding.feature.as_deref().unwrap().rsplit('.').next().unwrap();
            assert!(json.pointer(&finding.path).unwrap().to_string().contains(name));
        }
    }
}

#[test]
fn what_stands_for_a_missing_value_asks_it_too() {
    let set = RuleSet::new().segment("a", "", field("faith").when_missing(true).eq("x"));
    assert!(Policy::new().enforce(&schema(), &set).is_err());
    let all = Policy::new().most_sensitive(Sensitivity::Special);
    assert!(all.enforce(&schema(), &set).is_ok());
    let public = Policy::new().most_sensitive(Sensitivity::Public);
    let orders = RuleSet::new().segment("a", "", field("orders").ge(1));
    assert!(public.enforce(&schema(), &orders).is_err());
}

#[test]
fn references_are_told_by_the_shortest_way() {
    let rules = [
        ("devout", "faith = 'a' and age > 3"),
        ("near", "segment 'devout' and not faith = 'b'"),
        ("far", "segment 'near' or segment 'also'"),
        ("also", "not segment 'far2'"),
        ("far2", "segment 'devout'"),
        ("free", "orders > 1"),
    ];
    let audit = audit(&Policy::new(), &rules);
    let found: Vec<(String, Vec<&str>, &str)> = audit
        .findings
        .iter()
        .map(|f| {
            let via = f.via.iter().map(|id| id.as_str()).collect();
            (f.segment.to_string(), via, &f.path[..])
        })
        .collect();
    let first = "/segments/0/rule/all/0/field/name";
    let own = "/segments/1/rule/all/1/not/field/name";
    assert_eq!(
        found,
        [
            ("devout".into(), vec![], first),
            ("near".into(), vec![], own),
            ("near".into(), vec!["devout"], first),
            ("far".into(), vec!["near"], own),
            ("also".into(), vec!["far2", "devout"], first),
            ("far2".into(), vec!["devout"], first),
        ],
    );
    assert_eq!(
        audit.findings[4].to_string(),
        "refused: segment `also` through `far2` -> `devout`, \
         /segments/0/rule/all/0/field/name: `faith` is special, and at most personal \
         features may be asked",
    );
}

#[test]
fn sets_that_cannot_be_compiled_are_audited() {
    let set = RuleSet::new()
        .segment("a", "", segment("b") & field("faith").eq("x"))
        .segment("b", "", segment("a") | segment("nobody"))
        .segment("c", "", field("fiath").eq("x") & field("x").eq(1));
    let mut set = set;
    set.segments.push(set.segments[0].clone());
    let rule = r#"{"event": {"name": "orders", "agg": {"sum": "x"}, "is": {"gt": 1}}}"#;
    set = set.segment("d", "", serde_json::from_str(rule).unwrap());
    let rule = r#"{"event": {"name": "order", "agg": {"sum": "x"}, "is": {"gt": 1}}}"#;
    set = set.segment("e", "", serde_json::from_str(rule).unwrap());
    assert!(set.compile_book(&schema()).is_err());
    let audit = Policy::new().audit(&schema(), &set).unwrap();
    let codes: Vec<_> = audit
        .findings
        .iter()
        .map(|f| (f.segment.as_str(), f.code, f.via.len()))
        .collect();
    use AuditCode::{TooSensitive, UnknownName, UnknownSegment};
    assert_eq!(
        codes,
        [
            ("a", TooSensitive, 0),
            ("a", UnknownSegment, 1),
            ("b", UnknownSegment, 0),
            ("b", TooSensitive, 1),
            ("c", UnknownName, 0),
            ("c", UnknownName, 0),
            ("a", TooSensitive, 0),
            ("a", UnknownSegment, 1),
            ("d", UnknownName, 0),
            ("d", UnknownName, 0),
            ("e", UnknownName, 0),
        ],
    );
}

#[test]
fn the_first_exception_that_fits_decides() {
    let by = |exceptions: Vec<(Subject, Ruling)>| {
        let policy =
            exceptions.into_iter().fold(Policy::new(), |p, (of, r)| p.exception(of, r));
        let rules = [
            ("a", "age > 3"),
            ("b", "faith = 'x'"),
            ("c", "events(order where drug = 'x')"),
            ("d", "orders > 2"),
        ];
        let audit = audit(&policy, &rules);
        audit.findings.iter().map(|f| (f.segment.to_string(), f.code)).collect::<Vec<_>>()
    };
    let feature = |name: &str| Subject::Feature(name.into());
    let drug = || Subject::Property { stream: "order".into(), name: "drug".into() };
    let special = || Subject::Sensitivity(Sensitivity::Special);
    let (b, c) = ("b".to_owned(), "c".to_owned());
    use AuditCode::{NotAllowed, Noted, TooSensitive};
    assert_eq!(by(vec![]), [(b.clone(), TooSensitive), (c.clone(), TooSensitive)]);
    assert_eq!(
        by(vec![(feature("faith"), Ruling::Allow), (special(), Ruling::Refuse)]),
        [(c.clone(), NotAllowed)],
    );
    assert_eq!(
        by(vec![(special(), Ruling::Note), (feature("faith"), Ruling::Allow)]),
        [(b.clone(), Noted), (c.clone(), Noted)],
    );
    assert_eq!(by(vec![(drug(), Ruling::Allow)]), [(b.clone(), TooSensitive)]);
    let demographic = Subject::Basis(Basis::Demographic);
    assert_eq!(
        by(vec![(demographic, Ruling::Refuse), (special(), Ruling::Allow)]),
        [("a".to_owned(), NotAllowed)],
    );
    let stream = Subject::Stream("order".into());
    assert_eq!(
        by(vec![(stream, Ruling::Refuse)]),
        [(b, TooSensitive), (c.clone(), NotAllowed), (c, TooSensitive)],
    );
}

#[test]
fn proxies_are_as_sensitive_as_what_they_tell() {
    let rules = [("a", "postcode = '1'"), ("b", "orders > 1"), ("c", "age > 1")];
    let proxied = |policy: &Policy| {
        let audit = audit(policy, &rules);
        audit
            .findings
            .into_iter()
            .map(|f| (f.segment.to_string(), f.reason))
            .collect::<Vec<_>>()
    };
    assert!(proxied(&Policy::new()).is_empty());
    let policy = Policy::new().proxy("postcode", "ethnicity");
    let reason = "`postcode` is a proxy of `ethnicity` and so special, and at most personal \
                  features may be asked";
    assert_eq!(proxied(&policy), [("a".to_owned(), reason.to_owned())]);
    // Through others, round and round.
    let chain =
        Policy::new().proxy("orders", "age").proxy("age", "faith").proxy("faith", "age");
    let found = proxied(&chain);
    assert_eq!(found.len(), 2);
    assert!(found[0].1.contains("`orders` is a proxy of `age` and so special"));
    assert!(found[1].1.contains("`age` is a proxy of `faith` and so special"));
    let mut mild = Policy::new().most_sensitive(Sensitivity::Internal);
    mild.proxies.push(Proxy {
        feature: "amount".into(),
        stream: Some("order".into()),
        of: "income".into(),
        sensitivity: Sensitivity::Personal,
    });
    let audit =
        audit(&mild, &[("a", "events(order).sum(amount) > 2"), ("b", "orders > 1")]);
    assert_eq!(
        told(&audit),
        [("too-sensitive", "/segments/0/rule/event/agg", "order.amount")]
    );
    assert_eq!(audit.findings[0].sensitivity, Some(Sensitivity::Personal));
}

#[test]
fn features_are_asked_of_those_who_agreed() {
    let agreed = consent("profiling").is(["granted", "renewed"]);
    let policy = Policy::new().exception(
        Subject::Feature("age".into()),
        Ruling::Consent(agreed.given_in_last(Span::days(30), "profiling_day").into()),
    );
    let given = "given on profiling_day in last";
    let ok = format!("consent(profiling in ('granted') {given} 20d)");
    for (rule, may) in [
        (format!("age > 3 and {ok}"), true),
        (format!("{ok} and (orders > 3 or not age > 3)"), true),
        (format!("orders > 3 or (age > 3 and {ok})"), true),
        (format!("at least 2 of (age > 3, {ok})"), true),
        (format!("at least 2 of (age > 3, {ok}, {ok})"), true),
        (format!("at least 1 of (age > 3, {ok}, {ok})"), false),
        (format!("(age > 3 or orders > 1) and ({ok} or ({ok} and orders > 1))"), true),
        ("age > 3 and segment 'agreed'".to_owned(), true),
        (format!("not (age > 3 and {ok})"), true),
        ("age > 3".to_owned(), false),
        (format!("age > 3 or {ok}"), false),
        (format!("age > 3 and not {ok}"), false),
        (format!("age > 3 and ({ok} or orders > 1)"), false),
        (
            format!("age > 3 and consent(profiling in ('granted', 'asked') {given} 20d)"),
            false,
        ),
        (format!("age > 3 and consent(profiling in ('granted') {given} 31d)"), false),
        ("age > 3 and consent(profiling in ('granted'))".to_owned(), false),
        ("age > 3 and consent(news)".to_owned(), false),
        ("segment 'guarded'".to_owned(), true),
        ("not segment 'guarded'".to_owned(), true),
        ("segment 'bare'".to_owned(), false),
        (format!("segment 'bare' and {ok}"), true),
    ] {
        let audit = audit(
            &policy,
            &[
                ("x", &rule),
                ("agreed", &ok),
                ("guarded", &format!("age > 9 and {ok}")),
                ("bare", "age > 9"),
            ],
        );
        let of_x: Vec<_> =
            audit.findings.iter().filter(|f| f.segment.as_str() == "x").collect();
        assert_eq!(of_x.is_empty(), may, "{rule}");
        assert!(of_x.iter().all(|f| f.code == AuditCode::NeedsConsent));
    }
}

#[test]
fn a_required_consent_is_missed_until_it_is_applied() {
    let sensitive = consent("sick");
    let policy = Policy::new().require_consent(sensitive.clone());
    let set = set(&[("a", "orders > 1"), ("b", "orders > 2 and consent(sick)")]);
    let set = set.rest("rest", "The rest");
    let audit = policy.audit(&schema(), &set).unwrap();
    let codes: Vec<_> =
        audit.findings.iter().map(|f| (f.code.name(), &f.path[..], f.severity)).collect();
    let refused = ("lacks-consent", "/segments/0/rule", Severity::Refused);
    let noted = ("rest-without-consent", "/rest", Severity::Noted);
    assert_eq!(codes, [refused, noted]);
    let error = policy.enforce(&schema(), &set).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rules under this policy cannot be used: /segments/0/rule: segment `a`: its \
         members need not have given `consent(sick)`",
    );
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(issues[0].code, "lacks-consent");
    let applied = policy.apply(&set).unwrap();
    assert!(policy.enforce(&schema(), &applied).is_ok());
    assert_eq!(applied.segments[1], set.segments[1]);
    assert_eq!(applied.rest, set.rest);
}

#[test]
fn rules_to_leave_are_audited() {
    let set = set(&[("a", "orders > 1"), ("b", "faith = 'x'")]);
    let leaves = [
        Hysteresis::new("a").minimum_stay(Span::days(1)),
        Hysteresis::new("a").leave(segment("b")),
        Hysteresis::new("a").leave(field("sick").eq(true)),
    ];
    let audit = Policy::new().audit_with(&schema(), &set, &leaves).unwrap();
    assert_eq!(
        told(&audit),
        [
            ("too-sensitive", "/segments/1/rule/field/name", "faith"),
            ("too-sensitive", "/segments/1/rule/field/name", "faith"),
            ("too-sensitive", "/leaves/2/leave/field/name", "sick"),
        ],
    );
    assert_eq!(audit.findings[1].via, ["b".into()]);
    assert_eq!(audit.findings[1].segment.as_str(), "a");
}

#[test]
fn names_of_a_policy_are_checked() {
    let policy = Policy::new()
        .exception(Subject::Feature("ages".into()), Ruling::Allow)
        .exception(Subject::Stream("orders".into()), Ruling::Refuse)
        .exception(
            Subject::Property { stream: "order".into(), name: "drugs".into() },
            Ruling::Consent(consent("newz").into()),
        )
        .proxy("postcod", "ethnicity")
        .require_consent(consent("news").given_in_last(Span::days(3), "news_day"));
    let error = policy.audit(&schema(), &RuleSet::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the policy cannot be used: /exceptions/0/of/feature: no feature is named `ages`; \
         did you mean `age`?\n  \
         /exceptions/1/of/stream: no stream is named `orders`; did you mean `order`?\n  \
         /exceptions/2/of/property: events of `order` have no `drugs`; did you mean `drug`?\n  \
         /exceptions/2/ruling/consent/purpose: no feature is named `newz`; did you mean \
         `news`?\n  \
         /proxies/0/feature: no feature is named `postcod`; did you mean `postcode`?\n  \
         /consents/0/consent/given/on: no feature is named `news_day`",
    );
    let set = set(&[("loyal", "orders > 1")]).rest("rest", "");
    let policy = Policy::new().require_consent_of(["loyl", "rest"], consent("news"));
    for error in
        [policy.apply(&set).unwrap_err(), policy.audit(&schema(), &set).unwrap_err()]
    {
        assert_eq!(
            error.to_string(),
            "the policy cannot be used: /consents/0/segments/0: no segment has the id \
             `loyl`; did you mean `loyal`?\n  \
             /consents/0/segments/1: `rest` is the rest, which has no rule",
        );
    }
}

#[test]
fn policies_are_plain_data() {
    let json = r#"{
        "most_sensitive": "internal",
        "exceptions": [
            {"of": {"feature": "age"}, "ruling": "allow"},
            {"of": {"property": {"stream": "order", "name": "drug"}}, "ruling": "refuse"},
            {"of": {"stream": "order"}, "ruling": "note"},
            {"of": {"basis": "demographic"}, "ruling": {"consent": {"purpose": "news"}}},
            {"of": {"sensitivity": "special"}, "ruling": "refuse"}
        ],
        "proxies": [{"feature": "postcode", "of": "ethnicity"}],
        "consents": [{"consent": {"purpose": "news"}, "segments": ["a"]}]
    }"#;
    let policy: Policy = serde_json::from_str(json).unwrap();
    let again = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&again).unwrap(), policy);
    assert_eq!(policy.proxies[0].sensitivity, Sensitivity::Special);
    assert!(policy.validate(&schema()).is_ok());
    for (from, to) in [("proxies", "proxy"), ("ruling", "rule"), ("segments", "ids")] {
        let bad = json.replace(&format!("\"{from}\""), &format!("\"{to}\""));
        assert!(serde_json::from_str::<Policy>(&bad).is_err(), "{to}");
    }
    let audit = audit(&Policy::new(), &[("b", "faith = 'x'")]);
    let json = serde_json::to_string(&audit).unwrap();
    assert!(json.contains(r#""code":"too-sensitive""#), "{json}");
    assert_eq!(serde_json::from_str::<Audit>(&json).unwrap(), audit);
}

#[test]
fn hostile_sets_are_audited_in_time() {
    let deep = (0..2_000).fold(field("faith").eq("x"), |rule, _| !rule);
    let audit_of = |set: &RuleSet| {
        Policy::new().require_consent(consent("news")).audit(&schema(), set).unwrap()
    };
    let set = RuleSet::new().segment("deep", "", deep);
    let audit = audit_of(&set);
    assert_eq!(audit.n_refused, 2);
    assert!(audit.findings[0].path.len() > 8_000);
    let error = Policy::new().require_consent(consent("news")).apply(&set).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");

    // Each refers to the next one twice.
    let mut set = RuleSet::new();
    for i in 0..60 {
        let next = segment(format!("s{}", i + 1));
        set = set.segment(format!("s{i}"), "", next.clone() & !next);
    }
    let set = set.segment("s60", "", field("faith").eq("x"));
    assert_eq!(audit_of(&set).n_refused, 122);
    let all: Vec<String> = (1..61).map(|i| format!("s{i}")).collect();
    let policy = Policy::new().require_consent_of(all, consent("news"));
    let error = policy.apply(&set).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");

    let many = (0..3_000).map(|_| field("faith").eq("x")).collect();
    let set = RuleSet::new().segment("wide", "", Rule::Any(many));
    let audit = audit_of(&set);
    assert_eq!((audit.n_refused, audit.findings.len()), (3_001, 1_000));
    assert!(audit.to_string().ends_with("and 2001 more\n"));
    let error = Policy::new().enforce(&schema(), &set).unwrap_err();
    assert!(error.to_string().ends_with("and 2000 more"));
}

const FLAGS: usize = 4;

fn flags() -> Schema {
    let names = (0..FLAGS).map(|i| format!("f{i}")).chain(["c0".into(), "c1".into()]);
    Schema::new(names.map(FeatureSpec::flag)).unwrap()
}

/// A rule that refers to later segments.
fn rules(later: usize, last: usize) -> impl Strategy<Value = Rule> {
    let leaf = prop_oneof![
        3 => (0..FLAGS).prop_map(|i| field(format!("f{i}")).eq(true)),
        2 => (later..last + 1).prop_map(move |i| if i < last {
            segment(format!("s{i}"))
        } else {
            Rule::Everyone
        }),
        1 => (0..2_usize).prop_map(|i| consent(format!("c{i}")).rule()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Rule::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Rule::Any),
            (prop::collection::vec(inner.clone(), 2..4), 1..3_usize)
                .prop_map(|(of, n)| Rule::AtLeast { n: n.min(of.len()), of }),
            inner.prop_map(|rule| !rule),
        ]
    })
}

prop_compose! {
    fn cases()(
        rules in (rules(1, 4), rules(2, 4), rules(3, 4), rules(4, 4)),
        needs in prop::collection::vec((0..2_usize, prop::option::of(prop::collection::btree_set(0..4_usize, 1..4))), 0..3),
    ) -> (RuleSet, Policy) {
        let (a, b, c, d) = rules;
        let set = [a, b, c, d].into_iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
            set.segment(format!("s{i}"), "", rule)
        });
        let policy = needs.into_iter().fold(Policy::new(), |policy, (i, segments)| {
            let consent = consent(format!("c{i}"));
            match segments {
                None => policy.require_consent(consent),
                Some(ids) => {
                    policy.require_consent_of(ids.iter().map(|i| format!("s{i}")), consent)
                }
            }
        });
        (set, policy)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    })]

    /// Members are those from before who have agreed, and nobody else has come or gone; what
    /// asks a consent by its form holds only of those who have given it.
    #[test]
    fn consent_takes_out_those_without_it_and_nobody_else((set, policy) in cases()) {
        let schema = flags();
        let applied = policy.apply(&set).unwrap();
        prop_assert_eq!(&policy.apply(&applied).unwrap(), &applied);
        let audit = policy.audit(&schema, &applied).unwrap();
        prop_assert!(!audit.is_refused(), "{}", audit);
        let lacks = policy.audit(&schema, &set).unwrap();
        let lacking = |i: usize, k: usize| lacks.findings.iter().any(|f| {
            f.code == AuditCode::LacksConsent
                && f.segment.as_str() == format!("s{i}")
                && f.reason.contains(&format!("c{k}"))
        });
        let [before, after] = [&set, &applied].map(|set| set.compile_book(&schema).unwrap());
        for values in 0..3_usize.pow(FLAGS as u32 + 2) {
            let mut customer = OwnedCustomer::new(&schema, 1);
            let mut agreed = [false; 2];
            for (i, spec) in schema.features().iter().enumerate() {
                let digit = values / 3_usize.pow(i as u32) % 3;
                if digit < 2 {
                    customer = customer.set(spec.name(), digit == 1).unwrap();
                }
                if i >= FLAGS {
                    agreed[i - FLAGS] = digit == 1;
                }
            }
            let [before, after] = [&before, &after].map(|book| book.membership(&customer).unwrap());
            for i in 0..4 {
                let id = format!("s{i}").as_str().into();
                let mut may = true;
                for required in &policy.consents {
                    let k = usize::from(required.consent.purpose == "c1");
                    if required.segments.as_ref().is_none_or(|ids| ids.contains(&id)) {
                        may &= agreed[k];
                        let is_member = before[i] == Truth::True;
                        prop_assert!(lacking(i, k) || agreed[k] || !is_member);
                    }
                }
                let expected = before[i] == Truth::True && may;
                prop_assert_eq!(after[i] == Truth::True, expected, "s{}", i);
            }
        }
    }
}

#[test]
fn scores_are_audited_like_rules() {
    let points = PointsModel::new()
        .when("faith", 5.0, field("faith").is_set())
        .per_event("drugs", 1.0, events("order").filter(field("drug").is_set()));
    let set = RuleSet::new()
        .score("odd", points)
        .segment("a", "A", score("odd").ge(1))
        .segment("b", "B", !segment("a"))
        .segment("c", "C", score("even").ge(1));
    let audit = Policy::new().audit(&schema(), &set).unwrap();
    let told: Vec<String> = audit
        .findings
        .iter()
        .map(|f| {
            let via: Vec<&str> = f.via.iter().map(|id| id.as_str()).collect();
            format!("{} {} {} {}", f.segment, f.code.name(), f.path, via.join(" "))
        })
        .collect();
    let (faith, drug) = (
        "/scores/0/points/parts/0/for/rule/field/name",
        "/scores/0/points/parts/1/for/events/where/field/name",
    );
    assert_eq!(
        told,
        [
            format!("a too-sensitive {faith} score 'odd'"),
            format!("a too-sensitive {drug} score 'odd'"),
            format!("b too-sensitive {faith} a score 'odd'"),
            format!("b too-sensitive {drug} a score 'odd'"),
            "c unknown-score /segments/2/rule/score/id ".to_owned(),
        ]
    );
    assert!(Policy::new().enforce(&schema(), &set).is_err());
}

/// Who withdraws her consent is let go at once, whatever the rule to leave.
#[test]
fn segments_with_stays_are_left_without_consent() {
    let news =
        || Rule::Consent(ConsentTest { purpose: "news".into(), is: None, given: None });
    let policy = Policy::new().require_consent(consent("news"));
    let set = |stay: SegmentStay| set(&[("a", "orders > 10")]).stay(stay);
    let leave = || SegmentStay::new().leave(field("orders").lt(5));
    let codes = |set: &RuleSet| -> Vec<(String, String)> {
        let audit = policy.audit(&schema(), set).unwrap();
        audit
            .findings
            .iter()
            .map(|f| (f.code.name().to_owned(), f.path.clone()))
            .collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        codes(&set(leave())),
        [
            pair("lacks-consent", "/segments/0/rule"),
            pair("stays-without-consent", "/segments/0/stay/leave"),
        ]
    );
    let applied = policy.apply(&set(leave())).unwrap();
    assert_eq!(codes(&applied), []);
    assert_eq!(policy.apply(&applied).unwrap(), applied);
    let stay = applied.segments[0].stay.clone().unwrap();
    assert_eq!(stay.leave, Some(field("orders").lt(5) | !news()));
    // Without a rule to leave, its own rule says it.
    let plain = policy.apply(&set(SegmentStay::new())).unwrap();
    assert_eq!(plain.segments[0].stay, Some(SegmentStay::new()));
    assert_eq!(codes(&plain), []);
    // A least time would hold her.
    let least = set(leave().minimum_stay(Span::days(3)));
    let error = policy.apply(&least).unwrap_err().to_string();
    assert!(error.contains("/segments/0/stay/minimum_stay"), "{error}");
    assert_eq!(codes(&least).len(), 3);
    // And she does leave.
    let schema = schema();
    let sticky = applied.compile_sticky(&schema).unwrap();
    let table = |news: bool| {
        let ann = OwnedCustomer::new(&schema, 7).set("orders", 20.0).unwrap();
        let ann = ann.set("news", news).unwrap();
        Table::from_customers(&schema, [ann]).unwrap()
    };
    let stays =
        sticky.update(&Stays::new(), &table(true), Timestamp::from_millis(0)).unwrap();
    assert!(stays.since("a", 7).is_some());
    let later = sticky.update(&stays, &table(false), Timestamp::from_millis(1)).unwrap();
    assert!(later.since("a", 7).is_none());
}

/// A reference in a rule to leave means the rule from before, too.
#[test]
fn who_leaves_a_segment_stays_the_same() {
    let rules = [("lapsed", "orders < 1"), ("active", "orders >= 5")];
    let set = set(&rules).stay(SegmentStay::new().leave(segment("lapsed")));
    let policy = Policy::new().require_consent_of(["lapsed"], consent("news"));
    let applied = policy.apply(&set).unwrap();
    assert_eq!(
        applied.segments[1].stay,
        Some(SegmentStay::new().leave(field("orders").lt(1)))
    );
    let schema = schema();
    let table = |orders: f64| {
        let ann = OwnedCustomer::new(&schema, 7).set("orders", orders).unwrap();
        Table::from_customers(&schema, [ann.set("news", false).unwrap()]).unwrap()
    };
    for set in [set, applied] {
        let sticky = set.compile_sticky(&schema).unwrap();
        let at = Timestamp::from_millis;
        let stays = sticky.update(&Stays::new(), &table(9.0), at(0)).unwrap();
        assert!(stays.since("active", 7).is_some());
        let later = sticky.update(&stays, &table(0.0), at(1)).unwrap();
        assert!(later.since("active", 7).is_none());
    }
}

#[test]
fn stays_beside_the_set_are_audited_as_those_in_it() {
    let policy = Policy::new().require_consent(consent("news"));
    let set = set(&[("mail", "orders > 1 and consent(news)")]);
    let codes = |leaves: &[Hysteresis]| -> Vec<String> {
        let audit = policy.audit_with(&schema(), &set, leaves).unwrap();
        audit.findings.iter().map(|f| format!("{} {}", f.code.name(), f.path)).collect()
    };
    let held = Hysteresis::new("mail").minimum_stay(Span::days(30)).leave(Rule::Nobody);
    assert_eq!(
        codes(std::slice::from_ref(&held)),
        [
            "stays-without-consent /leaves/0/leave",
            "stays-without-consent /leaves/0/minimum_stay"
        ]
    );
    assert!(policy.enforce_with(&schema(), &set, &[held]).is_err());
    assert!(policy.enforce(&schema(), &set).is_ok());
    // No time is no least time.
    let none = Hysteresis::new("mail").minimum_stay(Span::days(0));
    assert_eq!(codes(&[none]), Vec::<String>::new());
    let free = set.clone().stay(SegmentStay::new().minimum_stay(Span::days(0)));
    assert_eq!(policy.apply(&free).unwrap(), free);
    assert_eq!(codes(&[Hysteresis::new("mial")]), ["unknown-segment /leaves/0/segment"]);
}

/// What is too deep to be copied is refused, wherever it stands, and audited.
#[test]
fn rules_of_any_depth_are_refused() {
    let deep = || (0..20_000).fold(field("faith").eq("x"), |rule, _| !rule);
    let filter = || (0..20_000).fold(field("drug").eq("x"), |rule, _| !rule);
    let plain = || RuleSet::new().segment("a", "A", field("orders").ge(1));
    let count = || events("order").filter(filter());
    let policy = Policy::new().require_consent(consent("news"));
    for (set, place) in [
        (plain().stay(SegmentStay::new().leave(deep())), "/segments/0/stay/leave"),
        (plain().segment("b", "B", count().count().ge(1)), "/segments/1/rule"),
        (
            plain().score("s", PointsModel::new().when("d", 1.0, deep())),
            "/scores/0/points/parts/0/for/rule",
        ),
        (
            plain().score("s", PointsModel::new().per_event("d", 1.0, count())),
            "/scores/0/points/parts/0/for/events/where",
        ),
    ] {
        let error = policy.apply(&set).unwrap_err().to_string();
        assert!(error.contains(&format!("{place}: ")), "{error}");
        policy.audit(&schema(), &set).unwrap();
        std::mem::forget(set);
    }
    let leave = Hysteresis::new("a").leave(deep());
    policy.audit_with(&schema(), &plain(), std::slice::from_ref(&leave)).unwrap();
    std::mem::forget(leave);
}
