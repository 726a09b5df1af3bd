//! Degenerate and hostile input.

use segmenta::data::OwnedCustomer;
use segmenta::{Error, ErrorKind};

use super::*;

#[test]
fn an_undefined_figure_is_none() {
    let profile = |x: &[f64], of: &[i32]| {
        Profiles::of(&number_table(x), &Segment::numbered(2), &labels(of)).unwrap()
    };
    // The population mean is 0.
    let profiles = profile(&[-1.0, -1.0, 1.0, 1.0], &[0, 0, 1, 1]);
    let x = x_of(&profiles.segments()[0]);
    assert_eq!((x.index, x.smd), (None, Some(-1.0)));
    // It is 0 but for rounding.
    let profiles = profile(&[0.1, 0.2, -0.3, 0.0], &[0, 0, 1, 1]);
    assert_eq!(x_of(&profiles.segments()[0]).index, None);
    // Means of opposite signs; of the same; 0 against something.
    let profiles = profile(&[-1.0, -1.0, 3.0, 9.0], &[0, 0, 1, 1]);
    assert_eq!(x_of(&profiles.segments()[0]).index, None);
    close(x_of(&profiles.segments()[1]).index, 240.0);
    let profiles = profile(&[-2.0, -4.0, -6.0, -8.0], &[0, 0, 1, 1]);
    close(x_of(&profiles.segments()[0]).index, 60.0);
    let profiles = profile(&[0.0, 0.0, -6.0, -8.0], &[0, 0, 1, 1]);
    assert_eq!(x_of(&profiles.segments()[0]).index, Some(0.0));
    // Constant, of a number that sums do not hit exactly.
    let profiles = profile(&[0.1; 10], &[0, 0, 0, 1, 1, 1, 1, 1, 1, -1]);
    let x = x_of(&profiles.segments()[0]);
    assert_eq!((x.mean, x.std_dev, x.smd), (Some(0.1), Some(0.0), None));
    assert_eq!(x.index, Some(100.0));
    assert!(profiles.tests().is_empty());
    assert!(profiles.distinguishing(at(0), 5).unwrap().is_empty());
    for x in [0.1, 0.3, 1e8 + 0.1, 1e300 / 3.0] {
        for n in [3, 7, 49, 93, 20_011] {
            let weights: Vec<f64> = (0..n).map(|i| 0.1 + (i % 7) as f64).collect();
            let table = Table::builder(number_table(&[]).schema(), n)
                .numbers("x", vec![x; n])
                .sample_weight(weights)
                .build()
                .unwrap();
            let profiles = Profiles::of(&table, &[], &vec![None; n]).unwrap();
            let found = x_of(profiles.population());
            assert_eq!((found.mean, found.std_dev), (Some(x), Some(0.0)));
        }
    }
    // Nothing varies within the segments: F would be infinite.
    assert!(profile(&[1.0, 1.0, 2.0, 2.0], &[0, 0, 1, 1]).tests().is_empty());
}

#[test]
fn one_row_all_missing_no_segments_no_features() {
    let profiles = Profiles::of(&number_table(&[7.0]), &[], &[None]).unwrap();
    let x = x_of(profiles.population());
    assert_eq!(figures(x), [7.0, 0.0, 7.0, 7.0, 7.0, 7.0, 7.0].map(Some));
    assert_eq!(profiles.unassigned().unwrap().size, 1);
    assert!(profiles.segments().is_empty() && profiles.suggested_names().is_empty());
    check_text(&profiles.to_string());

    let schema = small().schema().clone();
    let nobody = OwnedCustomer::new(&schema, 1_u64);
    let table = Table::from_customers(&schema, [&nobody, &nobody]).unwrap();
    let profiles = Profiles::of(&table, &Segment::numbered(2), &labels(&[0, 1])).unwrap();
    for feature in &profiles.population().features {
        assert_eq!((feature.present, feature.missing, feature.weight), (0, 2, 0.0));
    }
    assert_eq!(
        profiles.population().number("orders").unwrap(),
        profiles.segments()[1].number("orders").unwrap()
    );
    assert_eq!(profiles.population().number("orders").unwrap().mean, None);
    assert_eq!(profiles.population().flag("member").unwrap().share, None);
    assert!(level_names(profiles.population(), "country").is_empty());
    assert_eq!(level_names(profiles.population(), "tier").len(), 3);
    assert_eq!(profiles.population().level("tier", "gold").unwrap().share, None);
    assert_eq!(profiles.population().date("since").unwrap().median, None);
    assert_eq!(profiles.suggested_names(), ["average", "average (2)"]);
    check_text(&profiles.to_string());

    let schema = Schema::new([]).unwrap();
    let table = Table::builder(&schema, 3).build().unwrap();
    let profiles =
        Profiles::of(&table, &Segment::numbered(1), &labels(&[0, 0, -1])).unwrap();
    assert_eq!(profiles.segments()[0].size, 2);
    check_text(&profiles.to_string());
}

#[test]
fn extreme_magnitudes_stay_finite() {
    for scale in [1e300, 1.7e308, 1e-300, 5e-324, 1.0] {
        let x: Vec<f64> =
            [-1.0, 0.5, 1.0, -0.25, 1.0, 0.0].iter().map(|x| x * scale).collect();
        let table = number_table(&x);
        let of = labels(&[0, 0, 0, 1, 1, 1]);
        let profiles = Profiles::of(&table, &Segment::numbered(2), &of).unwrap();
        for profile in profiles.segments().iter().chain([profiles.population()]) {
            for figure in figures(x_of(profile)) {
                assert!(figure.is_some_and(f64::is_finite), "{scale}: {profile:?}");
            }
        }
        if scale >= 1e-300 {
            let x = x_of(profiles.population());
            assert!((x.mean.unwrap() / scale - 1.25 / 6.0).abs() < 1e-12, "{scale}");
            let second = (1.0 + 0.25 + 1.0 + 0.0625 + 1.0) / 6.0;
            let sd = f64::sqrt(second - (1.25 / 6.0) * (1.25 / 6.0));
            assert!((x.std_dev.unwrap() / scale - sd).abs() < 1e-12, "{scale}");
            let smd = x_of(&profiles.segments()[0]).smd.unwrap();
            assert!((smd - (0.5 / 3.0 - 1.25 / 6.0) / sd).abs() < 1e-12, "{scale}");
            assert_eq!(profiles.tests().len(), 1);
        }
        check_text(&profiles.to_string());
        let json = serde_json::to_string(&profiles).unwrap();
        assert_eq!(serde_json::from_str::<Profiles>(&json).unwrap(), profiles);
    }
}

#[test]
fn input_that_does_not_fit_is_refused() {
    let table = number_table(&[1.0, 2.0, 3.0]);
    let segments = Segment::numbered(2);
    let error = |segments: &[Segment], of: &[i32]| -> Error {
        Profiles::of(&table, segments, &labels(of)).unwrap_err()
    };
    let found = error(&segments, &[0, 1]);
    assert_eq!(found.to_string(), "the list of labels has length 2, but 3 is needed");
    let found = error(&segments, &[0, 1, 2]);
    assert!(matches!(found.kind(), ErrorKind::Value { row: Some(2), .. }), "{found}");
    assert_eq!(found.to_string(), "`2` is not the index of a segment: below 2 in row 2");
    let twins = [Segment::new("a", "A"), Segment::new("a", "B")];
    assert!(matches!(error(&twins, &[0, 1, 1]).kind(), ErrorKind::DuplicateName { .. }));

    let few = |table: &Table<'_>, of: &[i32]| {
        let error = Profiles::of(table, &segments, &labels(of)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooFewRows { .. }), "{error}");
    };
    few(&number_table(&[]), &[]);
    let weighted = |weights: Vec<f64>| {
        Table::builder(table.schema(), 3)
            .numbers("x", vec![1.0, 2.0, 3.0])
            .sample_weight(weights)
            .build()
            .unwrap()
    };
    few(&weighted(vec![0.0; 3]), &[0, 1, 1]);
    let heavy = weighted(vec![f64::MAX; 3]);
    let found = Profiles::of(&heavy, &segments, &labels(&[0, 1, 1])).unwrap_err();
    assert!(found.is_parameter(), "{found}");
}

#[test]
fn rows_of_weight_0_are_counted_and_nothing_else() {
    let schema =
        Schema::new([FeatureSpec::number("x"), FeatureSpec::category("c")]).unwrap();
    let table = Table::builder(&schema, 4)
        .numbers("x", vec![1.0, 3.0, 1e9, -1e9])
        .categories("c", vec![0, 0, 0, 1], ["a", "b"].map(str::to_owned).to_vec())
        .sample_weight(vec![1.0, 1.0, 0.0, 0.0])
        .build()
        .unwrap();
    let profiles =
        Profiles::of(&table, &Segment::numbered(2), &labels(&[0, 0, 0, 1])).unwrap();
    let first = &profiles.segments()[0];
    assert_eq!((first.size, first.weight, first.share), (3, 2.0, 1.0));
    assert_eq!((x_of(first).mean, x_of(first).max), (Some(2.0), Some(3.0)));
    assert_eq!(level_names(first, "c"), ["a"]);
    let second = &profiles.segments()[1];
    assert_eq!((second.size, second.weight, x_of(second).mean), (1, 0.0, None));
    assert_eq!(profiles.suggested_names(), ["average", "empty"]);
}
