//! Nothing is allocated for one customer.

#![allow(clippy::unwrap_used, reason = "a test may")]

use allocation_counter::measure;
use segmenta::cluster::hierarchical::{Cut, Hierarchical};
use segmenta::cluster::kmeans::KMeans;
use segmenta::data::{
    EventLog, FeatureSet, FeatureSpec, OwnedCustomer, Schema, Span, StreamSpec, Table,
    Timestamp, Value,
};
use segmenta::encode::{Encoder, Impute};
use segmenta::rfm::Rfm;
use segmenta::rules::{
    LiveConfig, LiveScratch, PointsModel, Rule, RuleBook, RuleSegmenter, events, field,
    score, segment,
};
use segmenta::segmenter::{Crosstab, Fallback, Scratch, Tree};
use segmenta::{Fit, Segmenter};

struct Shopper {
    id: u64,
    recency: f64,
    frequency: f64,
    monetary: f64,
    country: &'static str,
}

fn features() -> FeatureSet<Shopper> {
    FeatureSet::<Shopper>::builder()
        .id(|s| s.id.into())
        .number("recency", |s: &Shopper| s.recency)
        .number("frequency", |s: &Shopper| s.frequency)
        .number("monetary", |s: &Shopper| s.monetary)
        .category(FeatureSpec::category("country").levels(["AT", "DE"]), |s| {
            Some(s.country)
        })
        .build()
        .unwrap()
}

fn shoppers() -> Vec<Shopper> {
    (0..40_u32)
        .map(|i| Shopper {
            id: i.into(),
            recency: f64::from(i * 37 % 40),
            frequency: f64::from(1 + i * 11 % 9),
            monetary: f64::from(i * i % 101) + 0.5,
            country: if i % 3 == 0 { "AT" } else { "DE" },
        })
        .collect()
}

/// A rule of ten leaves.
fn ten() -> Rule {
    (field("recency").lt(5) & field("frequency").ge(2) & field("monetary").gt(1))
        | (field("country").is_in(["AT"])
            & !field("monetary").between(10, 50)
            & field("frequency").le(8))
        | (field("country").starts_with("D")
            & field("recency").ge(20)
            & field("recency").is_set()
            & field("country").eq("DE"))
}

fn rules(schema: &Schema) -> RuleSegmenter {
    RuleSegmenter::builder(schema).segment("ten", "Ten", ten()).build().unwrap()
}

/// All aggregates but `distinct`, with and without a filter, and a reference.
/// Only a new row, or one with larger numbers, takes memory.
fn an_event_of_a_known_step_allocates_nothing() {
    let orders = StreamSpec::new("order", [FeatureSpec::number("amount")]);
    let schema = Schema::builder().stream(orders).build().unwrap();
    let points = PointsModel::new()
        .per_event("all", 0.1, events("order"))
        .half_life(Span::days(10))
        .in_steps(Span::days(1))
        .when("busy", 5.0, "events(order).count in last 7d >= 100".parse().unwrap());
    let (vip, low) = (segment("busy"), "events(order).sum(amount) >= 0".parse().unwrap());
    let book = RuleBook::builder(&schema)
        .segment("busy", "Busy", "events(order).count in last 7d >= 100".parse().unwrap())
        .segment("vip", "VIP", vip & low)
        .score("points", points)
        .segment("score", "Score", score("points").ge(9))
        .segment(
            "odd",
            "Odd",
            "events(order).max(amount) in last 7d < 0".parse().unwrap(),
        )
        .build()
        .unwrap();
    let live = book.live(&LiveConfig::new()).unwrap();
    let order = schema.require_stream("order").unwrap();
    let mut scratch = LiveScratch::new();
    let mut ann = live.customer(Timestamp::from_millis(0));
    let mut n_changes = 0;
    let mut buy = |n: i64| {
        for i in 0..n {
            let at = Timestamp::from_millis(i * 1000);
            let changes =
                live.event(&mut ann, order, at, &[Value::Number(1.0)], &mut scratch);
            n_changes += changes.unwrap().len();
        }
    };
    buy(60);
    assert_eq!(measure(|| buy(60)).count_total, 0);
    assert!(n_changes >= 2);
}

fn asking_about_events_allocates_nothing() {
    let orders = StreamSpec::new("order", [FeatureSpec::number("amount")]);
    let schema = Schema::builder().stream(orders.clone()).build().unwrap();
    let mut book = RuleBook::builder(&schema);
    for (i, aggregate) in [
        "count",
        "sum(amount)",
        "average(amount)",
        "min(amount)",
        "max(amount)",
        "first(amount)",
        "last(amount)",
        "active_days",
    ]
    .into_iter()
    .enumerate()
    {
        for filter in ["", " where amount > 3 and amount < 900"] {
            let text = format!("events(order{filter}).{aggregate} in last 90d >= 4.5");
            let id = format!("{i}{filter}");
            book = book.segment(id.clone(), text.clone(), text.parse().unwrap());
        }
    }
    let points = PointsModel::new()
        .when("many", 2.5, events("order").count().ge(3))
        .per_event("all", 0.1, events("order"))
        .half_life(Span::days(10))
        .in_steps(Span::days(1));
    let book =
        book.score("points", points).segment("score", "Score", score("points").ge(0.1));
    let book = book.segment("other", "Other", segment("0") & !segment("1"));
    let day = |i: i64| Timestamp::from_millis(i * 86_400_000);
    let book = book.build().unwrap().at(day(100));
    let log = EventLog::new(&orders, (0..60).map(|i| (day(i * 2), [0.1 * i as f64])));
    let ann = OwnedCustomer::new(&schema, 1).set_events("order", log.unwrap()).unwrap();
    let mut matches = Vec::with_capacity(20);
    let count = measure(|| book.matches_with(&ann, &mut matches).unwrap());
    assert_eq!(count.count_total, 0);
    assert!(matches.len() > 5, "{matches:?}");
}

#[test]
fn assigning_one_customer_allocates_nothing() {
    let (features, shoppers) = (features(), shoppers());
    let schema = features.schema();
    let table: Table<'_> = features.table(&shoppers).unwrap();
    let encoder = Encoder::new().log1p(["monetary"]).impute(Impute::Median);
    let kmeans =
        || KMeans::new(4).encoder(encoder.clone()).fit(&table).unwrap().into_model();
    let rfm = || Rfm::new().fit(&table).unwrap().into_model();
    let ward = Hierarchical::new(Cut::Number(3)).encoder(encoder.clone()).fit(&table);
    let models: Vec<Box<dyn Segmenter>> = vec![
        Box::new(rules(schema)),
        Box::new(rfm()),
        Box::new(kmeans()),
        Box::new(ward.unwrap().into_model()),
        Box::new(
            Fallback::new(schema)
                .then("rules", Box::new(rules(schema)))
                .unwrap()
                .then("k", Box::new(kmeans()))
                .unwrap(),
        ),
        Box::new(
            Crosstab::new(schema, ("a", Box::new(rfm())), ("b", Box::new(kmeans())))
                .unwrap(),
        ),
        Box::new(
            Tree::new(schema, Box::new(rules(schema)))
                .unwrap()
                .refine("ten", Box::new(kmeans()))
                .unwrap(),
        ),
    ];
    for model in &models {
        let mut scratch = Scratch::new();
        // The scratch grows with its first use.
        for shopper in &shoppers {
            model.assign_with(&features.view(shopper), &mut scratch).unwrap();
        }
        let count = measure(|| {
            for shopper in &shoppers {
                model.assign_with(&features.view(shopper), &mut scratch).unwrap();
            }
        });
        assert_eq!(count.count_total, 0, "{:?}", model.segments());
    }

    let rule = ten().compile(schema).unwrap();
    let holds = |shopper| rule.holds(&features.view(shopper)).unwrap();
    let mut members = 0;
    let count = measure(|| members = shoppers.iter().filter(|s| holds(s)).count());
    assert_eq!(count.count_total, 0);
    assert!(0 < members && members < shoppers.len(), "{members} is no test");
    let book =
        RuleBook::builder(schema).segment("ten", "Ten", ten()).rest("rest", "Rest");
    let (book, mut matches) = (book.build().unwrap(), Vec::with_capacity(2));
    let mut matching = |shopper| {
        book.matches_with(&features.view(shopper), &mut matches).unwrap();
    };
    assert_eq!(measure(|| shoppers.iter().for_each(&mut matching)).count_total, 0);

    asking_about_events_allocates_nothing();
    an_event_of_a_known_step_allocates_nothing();

    let (kmeans, rfm) = (kmeans(), rfm());
    let row = vec![0.5; kmeans.encoder().n_columns()];
    assert_eq!(measure(|| assert!(kmeans.assign_row(&row).is_ok())).count_total, 0);
    assert_eq!(measure(|| assert!(rfm.score(3.0, 2.0, 10.0).is_ok())).count_total, 0);
    assert_eq!(
        measure(|| drop(std::hint::black_box(vec![1]))).count_total,
        1,
        "the counter counts"
    );
}
