//! Explanations without what may not be seen.

use segmenta::cluster::kmeans::KMeans;
use segmenta::data::{
    EventLog, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Sensitivity, StreamSpec,
    Table, Timestamp,
};
use segmenta::rules::{RuleSet, Why};
use segmenta::segmenter::{
    Assignment, AxisScore, Explanation, Part, Reason, SegmentIndex, Segmenter,
};
use segmenta::{Fit, SegmenterExt};

fn special(spec: FeatureSpec) -> FeatureSpec {
    spec.sensitivity(Sensitivity::Special)
}

fn schema() -> Schema {
    Schema::builder()
        .feature(FeatureSpec::number("orders"))
        .feature(special(FeatureSpec::category("faith").levels(["agnostic", "zen"])))
        .feature(FeatureSpec::number("lat").sensitivity(Sensitivity::Personal))
        .feature(special(FeatureSpec::number("lon")))
        .stream(orders())
        .build()
        .unwrap()
}

fn orders() -> StreamSpec {
    let drug = special(FeatureSpec::category("drug"));
    StreamSpec::new("order", [FeatureSpec::number("amount"), drug])
}

/// What is secret in rules and values.
const SECRETS: [&str; 8] =
    ["zen", "agnostic", "17.25", "47", "aspirin", "1234", "km", "99"];

#[test]
fn no_text_and_no_field_tells_what_is_masked() {
    let rules = [
        "faith = 'zen'",
        "orders >= 3 and (faith in ('zen', 'agnostic') or not faith is missing)",
        "distance(lat, lon) from (47, 17.25) < 99",
        "events(order where drug = 'aspirin').sum(amount) > 1234",
        "events(order).last(drug) = 'aspirin'",
        "sequence(order where drug = 'aspirin' then not order within 1234d)",
        "events(order).sum(amount) > 5",
    ];
    let set = rules.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
        set.segment(format!("s{i}"), format!("Segment {i}"), rule.parse().unwrap())
    });
    let book = set.compile_book(&schema()).unwrap().at(Timestamp::from_millis(1 << 40));
    let drugs = [OwnedValue::Number(1234.0), OwnedValue::Category("aspirin".into())];
    let log = EventLog::new(&orders(), [(Timestamp::from_millis(5), drugs)]).unwrap();
    let schema = schema();
    let customer = OwnedCustomer::new(&schema, 1).set("orders", 7.0).unwrap();
    let customer = customer.set("faith", "zen").unwrap().set("lat", 47.5).unwrap();
    let customer = customer.set("lon", 17.25).unwrap().set_events("order", log).unwrap();

    let explanation = book.explain(&customer).unwrap();
    let masked = explanation.masked(&schema, Sensitivity::Personal);
    let json = serde_json::to_string(&masked).unwrap();
    let texts = [json, masked.to_string(), format!("{masked:?}")];
    // The sum of amounts may be seen where nothing else is asked of the events.
    let seen = "events(order).sum(amount) > 5 (has 1234)";
    for text in texts {
        let text = text
            .replace(seen, "")
            .replace("Number(1234.0)", "")
            .replace("{\"Number\":1234.0}", "");
        let text = text.replace("\"observed\":{\"number\":1234.0}", "");
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    assert!(masked.to_string().contains(seen));
    assert!(masked.to_string().contains("orders >= 3 (has 7)"));
    assert!(masked.to_string().contains("yes     a test of `faith` (has [masked])"));
    let place = "a test of `lat`, `lon` (has [masked])";
    assert!(masked.to_string().contains(place), "{masked}");
    assert!(
        masked.to_string().contains("a test of `order`, `order.amount`, `order.drug`")
    );
    assert_eq!(masked.assignment, explanation.assignment);
    let all = explanation.masked(&schema, Sensitivity::Special);
    assert_eq!(all, explanation);

    let why = book.why(&customer, SegmentIndex::new(1)).unwrap();
    let json = serde_json::to_string(&why).unwrap();
    assert_eq!(serde_json::from_str::<Why>(&json).unwrap(), why);
    let masked = why.masked(&schema, Sensitivity::Personal);
    assert!(why.to_string().contains("zen"));
    for text in [masked.to_string(), serde_json::to_string(&masked).unwrap()] {
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    }
    assert_eq!((masked.truth, masked.until), (why.truth, why.until));
    // A schema that does not know a name hides it.
    let other = Schema::new([]).unwrap();
    let masked = why.masked(&other, Sensitivity::Special).to_string();
    assert!(masked.contains("a test of `orders`"), "{masked}");
}

#[test]
fn values_cannot_be_computed_from_what_is_left_of_distances() {
    let schema = Schema::new([
        FeatureSpec::number("orders"),
        FeatureSpec::number("age").sensitivity(Sensitivity::Personal),
    ])
    .unwrap();
    let column =
        |k: usize| (0..40).map(|i| (i % 2 * 50 + i / 4 * k) as f64).collect::<Vec<_>>();
    let table = Table::builder(&schema, 40)
        .numbers("orders", column(1))
        .numbers("age", column(2));
    let fitted = KMeans::new(2).seed(1).fit(&table.build().unwrap()).unwrap();
    let model = fitted.into_model();
    let customer = OwnedCustomer::new(&schema, 1).set("orders", 51.0).unwrap();
    let customer = customer.set("age", 37.5).unwrap();
    let explanation = model.explain(&customer).unwrap();
    let masked = explanation.masked(&schema, Sensitivity::Internal);
    let [orders, age] = &masked.contributions[..] else { panic!("{masked:?}") };
    assert_eq!(*orders, explanation.contributions[0]);
    assert_eq!(age.value, OwnedValue::Category("[masked]".into()));
    assert_eq!((age.cost, age.margin, &age.typical), (0.0, 0.0, &None));
    let segment = model.assign(&customer).unwrap().segment().unwrap();
    assert_eq!(masked.assignment, Assignment::certain(segment));
    assert_eq!(masked.runner_up, None);
    assert_eq!(masked.reason, Reason::Nearest { costs: vec![] });
    assert!(masked.to_string().contains("age = [masked]: distance"), "{masked}");
    assert_eq!(explanation.masked(&schema, Sensitivity::Personal), explanation);

    // Inside a composition as well.
    let part = Part { name: "first".into(), explanation: explanation.clone() };
    let whole =
        Explanation::new(explanation.assignment, Reason::Parts { parts: vec![part] });
    let whole_masked = whole.masked(&schema, Sensitivity::Internal);
    let Reason::Parts { parts } = &whole_masked.reason else {
        panic!("{whole_masked:?}")
    };
    assert_eq!(parts[0].explanation, masked);
    assert_eq!(whole_masked.assignment, Assignment::certain(segment));
    assert_eq!(whole.masked(&schema, Sensitivity::Personal), whole);
}

#[test]
fn axes_and_examples_are_left_out() {
    let schema = Schema::new([
        FeatureSpec::number("recency"),
        FeatureSpec::number("monetary").sensitivity(Sensitivity::Personal),
    ])
    .unwrap();
    let axis = |axis: &str| AxisScore {
        axis: axis.into(),
        value: 3.0,
        score: 1,
        best: 5,
        from: None,
        to: Some(4.0),
        cut_points: vec![4.0],
    };
    let axes = ["recency", "frequency", "monetary"].map(axis).to_vec();
    let assignment = Assignment::new(SegmentIndex::new(0), 0.5, 1.0);
    let scored = Explanation::new(assignment, Reason::Scores { axes });
    let seen = |most| match scored.masked(&schema, most).reason {
        Reason::Scores { axes } => axes.into_iter().map(|a| a.axis).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(seen(Sensitivity::Internal), ["recency"]);
    assert_eq!(seen(Sensitivity::Personal), ["recency", "monetary"]);
    let merged = |exemplar: Option<&str>| {
        let reason = Reason::Merge {
            height: 1.0,
            parent_height: None,
            exemplar: exemplar.map(str::to_owned),
            costs: vec![0.5, 1.5],
        };
        Explanation::new(assignment, reason)
    };
    let of_ann = merged(Some("ann"));
    assert_eq!(of_ann.masked(&schema, Sensitivity::Internal), merged(None));
    assert_eq!(of_ann.masked(&schema, Sensitivity::Personal), of_ann);
}

/// A feature that is called like a stream, or like a property of one.
#[test]
fn a_name_of_several_things_is_as_sensitive_as_the_worst() {
    let drug = special(FeatureSpec::category("drug"));
    let order = || StreamSpec::new("order", [FeatureSpec::number("amount")]);
    let named = |name: &str| {
        let schema = Schema::builder()
            .feature(special(FeatureSpec::number(name)))
            .feature(drug.clone())
            .stream(order())
            .build()
            .unwrap();
        let rule = "events(order).sum(amount) > 5".parse().unwrap();
        let set = RuleSet::new().segment("a", "A", rule);
        let book = set.compile_book(&schema).unwrap().at(Timestamp::from_millis(5));
        let why =
            book.why(&OwnedCustomer::new(&schema, 1), SegmentIndex::new(0)).unwrap();
        why.masked(&schema, Sensitivity::Personal) == why
    };
    assert!(named("other"));
    assert!(!named("order"));
    assert!(!named("order.amount"));
}
