//! Scores of points, part by part.

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{
    EventLog, FeatureSpec, Moment, OwnedCustomer, OwnedValue, Schema, Span, StreamSpec,
    Table, Timestamp,
};
use segmenta::rules::{PointsModel, bucket, events, field};
use segmenta::segmenter::Truth;

fn schema() -> Schema {
    Schema::builder()
        .feature(FeatureSpec::flag("member"))
        .feature(FeatureSpec::number("age"))
        .stream(StreamSpec::new("visit", [FeatureSpec::number("seconds")]))
        .stream(StreamSpec::new("order", []))
        .build()
        .unwrap()
}

const HOUR: i64 = 3_600_000;

fn hour(n: i64) -> Timestamp {
    Timestamp::from_millis(n * HOUR)
}

/// Of a member, or of no one knows whom; with visits at these hours, of so many seconds.
fn customer(member: Option<bool>, visits: &[(i64, i32)]) -> OwnedCustomer {
    let schema = schema();
    let visits = visits.iter().map(|&(at, seconds)| (hour(at), [f64::from(seconds)]));
    let log = EventLog::new(&schema.streams()[0], visits).unwrap();
    let values = vec![member.map_or(OwnedValue::Missing, OwnedValue::Flag)];
    let values = values.into_iter().chain([OwnedValue::Missing]).collect();
    OwnedCustomer::with_values(&schema, 1, values)
        .unwrap()
        .set_events("visit", log)
        .unwrap()
}

#[test]
fn sums_beyond_all_numbers_are_the_largest_and_not_capped() {
    let huge = PointsModel::new().per_event("huge", 1.5e308, events("visit"));
    let ann = customer(None, &[(1, 0), (2, 0)]);
    let score = huge.compile(&schema()).unwrap().at(hour(3)).score(&ann).unwrap();
    assert_eq!((score.points, score.parts[0].is_capped), (f64::MAX, false));
    let capped = huge.part_cap(1e308).compile(&schema()).unwrap().at(hour(3));
    let score = capped.score(&ann).unwrap();
    assert_eq!((score.points, score.parts[0].is_capped), (1e308, true));
}

fn model() -> PointsModel {
    PointsModel::new()
        .when("member", 10.0, field("member").eq(true))
        .when("young", -3.5, field("age").lt(30))
        .per_event("visits", 2.0, events("visit"))
        .per_event(
            "long",
            8.0,
            events("visit").filter(field("seconds").ge(30)).last(Span::hours(48)),
        )
        .half_life(Span::hours(24))
        .part_cap(15.0)
        .cap(30.0)
}

#[test]
fn points_are_added_and_capped_part_by_part() {
    let ann = customer(Some(true), &[(1, 30), (76, 40), (100, 29), (100, 90)]);
    let score = model().compile(&schema()).unwrap().at(hour(100)).score(&ann).unwrap();
    // What happens now does not count yet. The first visit is long ago.
    let points: Vec<f64> = score.parts.iter().map(|part| part.points).collect();
    assert_eq!(points, [10.0, 0.0, 4.0, 4.0]);
    assert_eq!(score.points, 18.0);
    assert_eq!(score.parts[1].truth, Truth::Unknown);
    assert_eq!(
        score.to_string(),
        "18\n- member: 10\n- young: 0 (not known)\n- visits: 4 (2 events)\n- long: 4 (1 event)\n"
    );
    let long: Vec<(i64, i32)> = (0..6).map(|i| (95 + i % 2, 60)).collect();
    let eager = customer(Some(true), &long);
    let score = model().compile(&schema()).unwrap().at(hour(97)).score(&eager).unwrap();
    assert!(score.parts[3].is_capped && !score.parts[2].is_capped);
    assert_eq!(score.parts[3].points, 15.0);
    assert_eq!(score.points, 30.0);
    assert!(score.to_string().ends_with("- long: 15 (6 events, at most)\n"));
    // Caps hold on both sides.
    let debt =
        PointsModel::new().when("all", -9.0, segmenta::rules::Rule::Everyone).cap(4.0);
    assert_eq!(debt.compile(&schema()).unwrap().score(&eager).unwrap().points, -4.0);
}

#[test]
fn points_halve_with_each_half_life() {
    let model = PointsModel::new().per_event("v", 1.0, events("visit"));
    let model = model.half_life(Span::hours(6)).compile(&schema()).unwrap();
    let ann = customer(None, &[(10, 0)]);
    for (now, expected) in
        [(16, 0.5), (22, 0.25), (13, 0.5_f64.sqrt()), (10 + 6 * 60, 2_f64.powi(-60))]
    {
        assert_eq!(model.at(hour(now)).score(&ann).unwrap().points, expected);
    }
    // Long ago is nothing, and no error.
    assert_eq!(model.at(hour(1_000_000)).score(&ann).unwrap().points, 0.0);
}

#[test]
fn faults_are_told_all_at_once() {
    let broken = PointsModel::new()
        .when("a", f64::NAN, field("membre").eq(true))
        .half_life(Span::days(1))
        .per_event("b", 1.0, events("vist").filter(field("x").ge(1)))
        .per_event("c", 1.0, events("visit").filter(field("secs").ge(1)))
        .half_life(Span::from_millis(0))
        .part_cap(-1.0)
        .cap(f64::INFINITY);
    let error = broken.compile(&schema()).unwrap_err();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    let told: Vec<(&str, &str)> =
        issues.iter().map(|i| (i.code.as_str(), i.path.as_str())).collect();
    assert_eq!(
        told,
        [
            ("bad-cap", "/cap"),
            ("not-finite", "/parts/0/points"),
            ("no-effect", "/parts/0/half_life"),
            ("unknown-feature", "/parts/0/for/rule/field/name"),
            ("unknown-stream", "/parts/1/for/events/name"),
            ("bad-cap", "/parts/2/cap"),
            ("empty-window", "/parts/2/half_life"),
            ("unknown-property", "/parts/2/for/events/where/field/name"),
        ]
    );
    assert!(PointsModel::new().compile(&schema()).is_err());
    let unbound = model().compile(&schema()).unwrap();
    assert!(
        unbound.score(&customer(None, &[])).unwrap_err().to_string().contains("`now`")
    );
}

#[test]
fn errors_name_the_row() {
    let schema = Schema::new([FeatureSpec::category("c").levels(["a"])]).unwrap();
    let open = Schema::new([FeatureSpec::category("c")]).unwrap();
    let model =
        PointsModel::new().when("a", 1.0, field("c").eq("a")).compile(&schema).unwrap();
    let table = Table::from_customers(
        &open,
        ["a", "b"].map(|c| OwnedCustomer::new(&open, 1).set("c", c).unwrap()),
    )
    .unwrap();
    let error = model.scores(&table).unwrap_err().to_string();
    assert!(error.contains("`b` in row 1"), "{error}");
    let drawn = PointsModel::new().when("d", 1.0, bucket("x").lt(0.5));
    let table =
        Table::builder(&schema, 1).categories("c", vec![0], &["a"][..]).build().unwrap();
    let error = drawn.compile(&schema).unwrap().scores(&table).unwrap_err();
    assert!(error.to_string().contains("`ids`"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    })]

    #[test]
    fn scores_are_sums_whatever_the_order(
        people in prop::collection::vec(
            (any::<Option<bool>>(), prop::collection::vec((0..120_i64, 0..60_i32), 0..9)),
            1..5,
        ),
        now in 90..130_i64,
    ) {
        let model = model();
        let json = serde_json::to_string(&model).unwrap();
        prop_assert_eq!(&serde_json::from_str::<PointsModel>(&json).unwrap(), &model);
        let compiled = model.compile(&schema()).unwrap().at(Moment::new(hour(now)));
        let customers: Vec<OwnedCustomer> =
            people.iter().map(|(member, visits)| customer(*member, visits)).collect();
        let table = Table::from_customers(&schema(), &customers).unwrap();
        let scores = compiled.scores(&table).unwrap();
        for (((member, visits), ann), score) in people.iter().zip(&customers).zip(scores) {
            let past = || visits.iter().filter(|(at, _)| *at < now);
            let long = past().filter(|(at, seconds)| now - at <= 48 && *seconds >= 30);
            let decayed: f64 =
                long.map(|(at, _)| 8.0 * 0.5_f64.powf((now - at) as f64 / 24.0)).sum();
            let expected = f64::from(u8::from(*member == Some(true))) * 10.0
                + 2.0 * past().count() as f64
                + decayed.min(15.0);
            prop_assert!((score - expected.min(30.0)).abs() < 1e-9);
            prop_assert_eq!(compiled.score(ann).unwrap().points, score);
            // The same events in another order of those at one instant.
            let mut turned = visits.clone();
            turned.reverse();
            let turned = customer(*member, &turned);
            prop_assert_eq!(compiled.score(&turned).unwrap().points, score);
        }
    }
}
