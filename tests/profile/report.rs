//! Markers, names, the printed table, saved profiles.

use segmenta::data::{FeatureKind, Sensitivity};
use segmenta::profile::EffectSize;

use super::*;

#[test]
fn markers_are_ranked_by_effect() {
    let profiles = small_profiles();
    let markers = profiles.distinguishing(at(0), 100).unwrap();
    let effects: Vec<f64> = markers.iter().map(|m| m.effect.abs()).collect();
    assert!(effects.windows(2).all(|pair| pair[0] >= pair[1] - 1e-9));
    assert!(effects.iter().all(|&effect| effect > 0.0));
    // |h| of membership is π/2, as are those of both used levels of the tier: the
    // earlier feature and level come first.
    let first: Vec<(&str, Option<&str>)> =
        markers.iter().map(|m| (m.feature.as_str(), m.level.as_deref())).collect();
    assert_eq!(
        first[..3],
        [("member", None), ("tier", Some("bronze")), ("tier", Some("silver"))]
    );
    assert_eq!(markers[0].measure, EffectSize::CohensH);
    let orders = markers.iter().find(|m| m.feature == "orders").unwrap();
    assert_eq!(orders.measure, EffectSize::StandardizedMeanDifference);
    assert_eq!(orders.kind, FeatureKind::Number);
    assert!(orders.marks);
    assert_eq!(orders.to_string(), "high orders (+1.04 sd)");
    assert_eq!(profiles.distinguishing(at(0), 2).unwrap(), markers[..2]);
    assert!(profiles.distinguishing(at(0), 0).unwrap().is_empty());
    assert!(profiles.distinguishing(at(2), 9).unwrap().is_empty());
    let error = profiles.distinguishing(at(3), 9).unwrap_err();
    assert_eq!(error.to_string(), "parameter `segment` must be below 3, but is 3");
}

/// Shares of 4 000 rows in two segments of the same size, made to lie beside and at the
/// thresholds of the rule for marker variables.
#[test]
fn the_rule_for_marks() {
    let mark = |ours: usize, others: usize| {
        let flags: Vec<bool> = (0..4000)
            .map(|i| if i < 2000 { i < ours } else { i - 2000 < others })
            .collect();
        let schema = Schema::new([FeatureSpec::flag("f")]).unwrap();
        let table = Table::builder(&schema, 4000).flags("f", flags).build().unwrap();
        let of: Vec<i32> = (0..4000).map(|i| i / 2000).collect();
        let profiles = Profiles::of(&table, &Segment::numbered(2), &labels(&of)).unwrap();
        profiles.distinguishing(at(0), 1).unwrap()[0].marks
    };
    // 0.75 and 0.5: a quarter apart. One yes less is not enough.
    assert!(mark(1500, 500));
    assert!(!mark(1499, 501));
    // 0.95 and 0.7, where half as much again is out of reach.
    assert!(mark(1900, 900));
    assert!(!mark(1899, 901));
    // 0.03 and 0.02: half as much again.
    assert!(mark(60, 20));
    assert!(!mark(59, 21));
    assert!(mark(20, 60));

    let x = [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0];
    let marks = |of: [i32; 8]| {
        let table = number_table(&x);
        let profiles = Profiles::of(&table, &Segment::numbered(2), &labels(&of)).unwrap();
        profiles.distinguishing(at(0), 1).unwrap().first().map(|m| (m.effect, m.marks))
    };
    // Mean 0.75 against 0.5 with a deviation of 0.5.
    assert_eq!(marks([0, 1, 0, 0, 1, 0, 1, 1]), Some((0.5, true)));
    let (effect, marks) = marks([0, 1, 0, 0, 0, 0, 1, 1]).unwrap();
    assert!((effect - 0.2).abs() < 1e-12 && !marks);
}

fn sensitive() -> Profiles {
    let schema = Schema::new([
        FeatureSpec::number("monetary").unit("EUR"),
        FeatureSpec::number("age").sensitivity(Sensitivity::Personal),
        FeatureSpec::flag("ill").sensitivity(Sensitivity::Special),
    ])
    .unwrap();
    let table = Table::builder(&schema, 4)
        .numbers("monetary", vec![9.0, 8.0, 1.0, 2.0])
        .numbers("age", vec![70.0, 71.0, 20.0, 21.0])
        .flags("ill", vec![true, true, false, false])
        .build()
        .unwrap();
    Profiles::of(&table, &Segment::numbered(2), &labels(&[0, 0, 1, 1])).unwrap()
}

#[test]
fn sensitive_features_stay_out_unless_asked_for() {
    let profiles = sensitive();
    let features = |most: Option<Sensitivity>| -> Vec<String> {
        let markers = match most {
            None => profiles.distinguishing(at(0), 9),
            Some(most) => profiles.distinguishing_within(at(0), 9, most),
        };
        markers.unwrap().into_iter().map(|m| m.feature).collect()
    };
    assert_eq!(features(None), ["age", "monetary"]);
    assert_eq!(features(Some(Sensitivity::Special)), ["ill", "age", "monetary"]);
    assert_eq!(features(Some(Sensitivity::Internal)), ["monetary"]);
    assert!(features(Some(Sensitivity::Public)).is_empty());
    assert_eq!(profiles.suggested_names(), ["high monetary", "low monetary"]);
    let text = profiles.to_string();
    assert!(!text.contains("ill"), "{text}");
    assert!(text.contains("monetary (EUR)") && text.contains("age"), "{text}");
}

#[test]
fn names_are_made_of_what_marks_a_segment() {
    // Six segments of two rows each. Everybody but segment 5 has a high `common`.
    let schema = Schema::new([
        FeatureSpec::number("recency_days"),
        FeatureSpec::number("frequency"),
        FeatureSpec::number("monetary"),
        FeatureSpec::flag("common"),
    ])
    .unwrap();
    let twice = |x: [f64; 6]| x.map(|x| [x, x]).concat();
    let table = Table::builder(&schema, 12)
        .numbers("recency_days", twice([5.0, 5.0, 5.0, 95.0, 50.0, 50.0]))
        .numbers("frequency", twice([50.0, 9.0, 9.0, 9.0, 9.0, 9.0]))
        .numbers("monetary", twice([900.0, 100.0, 100.0, 100.0, 300.0, 300.0]))
        .flags(
            "common",
            twice([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
                .iter()
                .map(|&x| x > 0.0)
                .collect::<Vec<_>>(),
        )
        .build()
        .unwrap();
    let of: Vec<i32> = (0..12).map(|i| i / 2).collect();
    let mut segments = Segment::numbered(8);
    let profiles = Profiles::of(&table, &segments, &labels(&of)).unwrap();
    let names = profiles.suggested_names();
    assert_eq!(
        names,
        [
            "high frequency, high monetary, low recency days",
            "low recency days",
            "low recency days (2)",
            "high recency days, low monetary",
            "average",
            "less common",
            "empty",
            "empty (2)",
        ]
    );
    // Names do not depend on the names that the segments have.
    segments[0].name = "average".into();
    let renamed = Profiles::of(&table, &segments, &labels(&of)).unwrap();
    assert_eq!(renamed.suggested_names(), names);
}

#[test]
fn a_marker_of_all_but_one_segment_is_no_name() {
    // Means 1, 1, −2 with a deviation of √2: all three segments are marked, but `high x`
    // does not tell the first two apart.
    let table = number_table(&[1.0, 1.0, -2.0]);
    let profiles =
        Profiles::of(&table, &Segment::numbered(3), &labels(&[0, 1, 2])).unwrap();
    assert!(profiles.distinguishing(at(0), 1).unwrap()[0].marks);
    assert_eq!(profiles.suggested_names(), ["average", "average (2)", "low x"]);
}

#[test]
fn a_name_holds_each_feature_once() {
    let schema = Schema::new([FeatureSpec::category("country")]).unwrap();
    let table = Table::builder(&schema, 2)
        .categories("country", vec![0, 1], ["AT", "DE"].map(str::to_owned).to_vec())
        .build()
        .unwrap();
    let profiles = Profiles::of(&table, &Segment::numbered(2), &labels(&[0, 1])).unwrap();
    assert_eq!(profiles.suggested_names(), ["more country: AT", "more country: DE"]);
}

#[test]
fn tables_printed_fit_100_columns_whatever_the_names() {
    let long = "ünïcödé and rather long ".repeat(20);
    let schema = Schema::new([
        FeatureSpec::number(format!("{long}\n\u{1b}[31m")).unit(&*long),
        FeatureSpec::category("level\tnames"),
        FeatureSpec::date("day"),
    ])
    .unwrap();
    let names: Vec<String> = (0..500).map(|i| format!("{i}{long}")).collect();
    let table = Table::builder(&schema, 500)
        .numbers(schema.features()[0].name(), (0..500).map(f64::from).collect::<Vec<_>>())
        .categories("level\tnames", (0..500).collect::<Vec<u32>>(), names)
        .dates("day", vec![Date::MIN.days_since_epoch(); 500])
        .build()
        .unwrap();
    let segments: Vec<Segment> =
        (0..11).map(|i| Segment::new(format!("{i}"), format!("{i} {long}"))).collect();
    let of: Vec<i32> = (0..500).map(|i| i % 12 - 1).collect();
    let profiles = Profiles::of(&table, &segments, &labels(&of)).unwrap();
    let text = profiles.to_string();
    check_text(&text);
    assert!(text.contains("… 494 more"), "{text}");
    // Eleven segments and the rest, four at a time: three panels.
    assert_eq!(text.lines().filter(|line| line.starts_with("rows ")).count(), 3);
}

#[test]
fn the_table_as_text() {
    let expected = "\
6 rows in 3 segments
mean, share or median date; then index (population = 100)

                           population              A              B              C  in no segment
rows                                6              2              3              0              1
share                          100.0%          33.3%          50.0%           0.0%          16.7%
orders                    6.000   100    10.00   167    2.000    33        -     -    6.000   100
  rows missing                      1              0              1              0              0
member                    50.0%   100   100.0%   200    33.3%    67        -     -     0.0%     0
country
  AT                      60.0%   100    50.0%    83   100.0%   167        -     -     0.0%     0
  CH                      20.0%   100     0.0%     0     0.0%     0        -     -   100.0%   500
  DE                      20.0%   100    50.0%   250     0.0%     0        -     -     0.0%     0
  rows missing                      1              0              1              0              0
tier
  bronze                  50.0%   100     0.0%     0    66.7%   133        -     -   100.0%   200
  silver                  50.0%   100   100.0%   200    33.3%    67        -     -     0.0%     0
  gold                     0.0%     -     0.0%     -     0.0%     -        -     -     0.0%     -
since                      2024-01-21     2024-01-01     2024-01-31              -     2024-03-01
interests
  sport                   66.7%   100   100.0%   150    66.7%   100        -     -     0.0%     0
  art                     50.0%   100    50.0%   100    33.3%    67        -     -   100.0%   200

set apart by
A                      more member (+1.57 h), less tier: bronze (-1.57 h)
B                      more country: AT (+1.37 h), low orders (-1.04 sd), less country: CH (-0.93 h)
C                      nothing
";
    let text = small_profiles().to_string();
    for (found, expected) in text.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(text, expected);
    check_text(&text);
}

#[test]
fn saved_profiles_are_read_or_refused() {
    let profiles = small_profiles();
    let json = serde_json::to_value(&profiles).unwrap();
    assert_eq!(serde_json::from_value::<Profiles>(json.clone()).unwrap(), profiles);

    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut altered = json.clone();
        change(&mut altered);
        assert_ne!(altered, json);
        serde_json::from_value::<Profiles>(altered).unwrap_err().to_string()
    };
    let features = "the features of group `A` are not those of the schema";
    assert!(
        refused(&|j| {
            j["segments"][0]["features"].as_array_mut().unwrap().pop();
        })
        .contains(features)
    );
    assert!(
        refused(&|j| j["segments"][0]["features"].as_array_mut().unwrap().swap(0, 1))
            .contains(features)
    );
    assert!(
        refused(&|j| {
            let levels = &mut j["segments"][0]["features"][2]["summary"]["levels"];
            levels.as_array_mut().unwrap().pop();
        })
        .contains(features)
    );
    refused(&|j| j["features"][0]["kind"] = "flag".into());
    refused(&|j| j["unknown"] = true.into());
    refused(&|j| j["population"] = serde_json::Value::Null);
}
