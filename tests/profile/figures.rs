//! Figures computed by hand and by other programs.

use segmenta::profile::{FeatureTest, ShareSummary, TestKind};

use super::*;

#[test]
fn sizes_and_shares() {
    let profiles = small_profiles();
    let all = profiles.population();
    assert_eq!((all.size, all.weight, all.share), (6, 6.0, 1.0));
    let [a, b, c] = profiles.segments() else { panic!("three segments") };
    assert_eq!((a.size, a.weight, a.share), (2, 2.0, 2.0 / 6.0));
    assert_eq!((b.size, b.weight, b.share), (3, 3.0, 0.5));
    assert_eq!((c.size, c.weight, c.share), (0, 0.0, 0.0));
    let rest = profiles.unassigned().unwrap();
    assert_eq!((rest.size, rest.share), (1, 1.0 / 6.0));
    assert_eq!((a.name.as_str(), a.id.as_ref().unwrap().as_str()), ("A", "a"));
    assert_eq!((all.id.is_none(), rest.id.is_none()), (true, true));
    assert_eq!(profiles.segment(&"b".into()).unwrap().size, 3);
    assert!(profiles.segment(&"d".into()).is_none());
}

#[test]
fn numbers_by_hand() {
    let profiles = small_profiles();
    let sd = 14.8_f64.sqrt();
    let all = profiles.population().number("orders").unwrap();
    // Known values: 1 3 6 8 12.
    close(all.mean, 6.0);
    close(all.std_dev, sd);
    assert_eq!((all.min, all.max), (Some(1.0), Some(12.0)));
    assert_eq!(all.lower_quartile, Some(3.0));
    assert_eq!(all.median, Some(6.0));
    assert_eq!(all.upper_quartile, Some(8.0));
    assert_eq!((all.index, all.smd), (Some(100.0), Some(0.0)));

    let a = profiles.segments()[0].number("orders").unwrap();
    assert_eq!((a.mean, a.std_dev), (Some(10.0), Some(2.0)));
    assert_eq!((a.lower_quartile, a.median), (Some(9.0), Some(10.0)));
    assert_eq!((a.upper_quartile, a.max), (Some(11.0), Some(12.0)));
    close(a.index, 1000.0 / 6.0);
    close(a.smd, 4.0 / sd);

    let b = profiles.segments()[1].feature("orders").unwrap();
    assert_eq!((b.present, b.missing, b.weight), (2, 1, 2.0));
    let b = profiles.segments()[1].number("orders").unwrap();
    assert_eq!((b.mean, b.std_dev), (Some(2.0), Some(1.0)));
    close(b.index, 200.0 / 6.0);
    close(b.smd, -4.0 / sd);

    let empty = profiles.segments()[2].number("orders").unwrap();
    assert_eq!((figures(empty), empty.index, empty.smd), ([None; 7], None, None));
    let rest = profiles.unassigned().unwrap().number("orders").unwrap();
    assert_eq!((rest.mean, rest.std_dev, rest.smd), (Some(6.0), Some(0.0), Some(0.0)));
}

#[test]
fn flags_by_hand() {
    let profiles = small_profiles();
    let flag = |profile: &Profile| profile.flag("member").cloned().unwrap();
    let all = flag(profiles.population());
    assert_eq!((all.weight, all.share, all.index), (3.0, Some(0.5), Some(100.0)));
    assert_eq!(all.cohens_h, Some(0.0));
    let a = flag(&profiles.segments()[0]);
    assert_eq!((a.share, a.index, a.lift()), (Some(1.0), Some(200.0), Some(2.0)));
    // 2 asin 1 − 2 asin √½ = π − π/2.
    close(a.cohens_h, std::f64::consts::FRAC_PI_2);
    let b = flag(&profiles.segments()[1]);
    close(b.share, 1.0 / 3.0);
    close(b.index, 200.0 / 3.0);
    // 2 asin √⅓ = acos ⅓.
    close(b.cohens_h, (1.0_f64 / 3.0).acos() - std::f64::consts::FRAC_PI_2);
    assert_eq!(flag(&profiles.segments()[2]), ShareSummary::default());
}

#[test]
fn levels_by_hand() {
    let profiles = small_profiles();
    let (all, a) = (profiles.population(), &profiles.segments()[0]);
    for profile in [all, a, &profiles.segments()[2]] {
        assert_eq!(level_names(profile, "country"), ["AT", "CH", "DE"]);
        assert_eq!(level_names(profile, "tier"), ["bronze", "silver", "gold"]);
        assert_eq!(level_names(profile, "interests"), ["art", "sport"]);
    }
    assert_eq!(all.level("country", "AT").unwrap().share, Some(0.6));
    assert_eq!(a.level("country", "AT").unwrap().share, Some(0.5));
    close(a.level("country", "AT").unwrap().index, 50.0 / 0.6);
    close(a.level("country", "DE").unwrap().lift(), 2.5);
    assert_eq!(a.level("country", "CH").unwrap().index, Some(0.0));
    assert!(a.level("country", "ZZ").is_none());
    // A level that nobody has: a share of 0, and no ratio to it.
    let gold = a.level("tier", "gold").unwrap();
    assert_eq!((gold.share, gold.index, gold.cohens_h), (Some(0.0), None, Some(0.0)));
    // Tags: `art` in rows 0, 4, 5; `sport` in rows 0, 1, 3, 4.
    close(all.level("interests", "art").unwrap().share, 0.5);
    close(all.level("interests", "sport").unwrap().share, 4.0 / 6.0);
    assert_eq!(a.level("interests", "art").unwrap().share, Some(0.5));
    assert_eq!(a.level("interests", "sport").unwrap().share, Some(1.0));
}

#[test]
fn dates_by_hand() {
    let profiles = small_profiles();
    let all = profiles.population().date("since").unwrap();
    assert_eq!(all.min, Some(day("2024-01-01")));
    // Half of six rows is reached at the third.
    assert_eq!(all.median, Some(day("2024-01-21")));
    assert_eq!(all.max, Some(day("2024-03-01")));
    let start = f64::from(day("2024-01-01").days_since_epoch());
    let mean = 160.0 / 6.0;
    close(all.mean_days, start + mean);
    let sd = (6600.0 / 6.0 - mean * mean).sqrt();
    close(all.std_dev_days, sd);
    let b = profiles.segments()[1].date("since").unwrap();
    assert_eq!(b.median, Some(day("2024-01-31")));
    assert!((b.smd.unwrap() - (30.0 - mean) / sd).abs() < 1e-9);
}

/// scipy 1.17.1: `chi2_contingency([[2, 0], [1, 2]], correction=False)`,
/// `f_oneway([8, 12], [1, 3])`.
#[test]
fn tests_by_scipy() {
    let profiles = small_profiles();
    let find = |feature: &str, level: Option<&str>| {
        let is = |t: &&FeatureTest| t.feature == feature && t.level.as_deref() == level;
        profiles.tests().iter().find(is).unwrap().clone()
    };
    let member = find("member", None);
    assert_eq!(
        (member.test, member.df, member.df_residual),
        (TestKind::ChiSquare, 1.0, None)
    );
    close(Some(member.statistic), 20.0 / 9.0);
    assert!((member.p_value - 0.13603712811414423).abs() < 1e-12);
    close(Some(member.effect_size), 2.0 / 3.0);
    close(member.least_expected, 0.8);
    let orders = find("orders", None);
    assert_eq!(orders.test, TestKind::Anova);
    assert_eq!((orders.df, orders.df_residual), (1.0, Some(2.0)));
    close(Some(orders.statistic), 12.8);
    assert!((orders.p_value - 0.07001889004944574).abs() < 1e-12);
    close(Some(orders.effect_size), 64.0 / 74.0);
    // Nobody in the segments is from CH, nobody has gold: two levels are left, df 1.
    assert_eq!(find("country", None).df, 1.0);
    assert_eq!(find("tier", None).df, 1.0);
    // Tags are tested one by one.
    assert_eq!(find("interests", Some("art")).df, 1.0);
    assert_eq!(profiles.tests().len(), 7);
}

/// scipy 1.17.1: `chi2_contingency([[30, 10, 5], [12, 25, 20]], correction=False)` and
/// `f_oneway` of the three lists.
#[test]
fn larger_tests_by_scipy() {
    let mut country = Vec::new();
    let mut segment = Vec::new();
    for (s, counts) in [[30, 10, 5], [12, 25, 20]].iter().enumerate() {
        for (c, &count) in counts.iter().enumerate() {
            country.extend(std::iter::repeat_n(c as u32, count));
            segment.extend(std::iter::repeat_n(s as i32, count));
        }
    }
    let schema = Schema::new([FeatureSpec::category("country")]).unwrap();
    let names = &["a", "b", "c"][..];
    let table = Table::builder(&schema, 102)
        .categories("country", country, names)
        .build()
        .unwrap();
    let profiles =
        Profiles::of(&table, &Segment::numbered(2), &labels(&segment)).unwrap();
    let test = &profiles.tests()[0];
    close(Some(test.statistic), 22.0360902255639);
    assert!((test.p_value / 1.6403019687744984e-5 - 1.0).abs() < 1e-10);
    assert_eq!((test.df, test.p_holm), (2.0, test.p_value));
    close(test.least_expected, 11.029411764705882);
    close(Some(test.effect_size), 0.4648011405435947);

    let x =
        [6.1, 5.8, 7.2, 6.6, 5.1, 4.9, 5.5, 8.0, 7.7, 8.4, 7.9, 8.1].map(|x| x * 1e200);
    let segment = labels(&[0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2]);
    let profiles =
        Profiles::of(&number_table(&x), &Segment::numbered(3), &segment).unwrap();
    let test = &profiles.tests()[0];
    assert!((test.statistic / 45.508163910249586 - 1.0).abs() < 1e-12);
    assert!((test.p_value / 1.9668544369324265e-5 - 1.0).abs() < 1e-10);
    assert_eq!((test.df, test.df_residual), (2.0, Some(9.0)));
}

/// Holm's correction, recomputed from its definition.
#[test]
fn p_values_are_corrected_for_their_number() {
    let profiles = small_profiles();
    let tests = profiles.tests();
    let mut sorted: Vec<f64> = tests.iter().map(|t| t.p_value).collect();
    sorted.sort_by(f64::total_cmp);
    for test in tests {
        let rank = sorted.iter().position(|&p| p == test.p_value).unwrap();
        let expected = (0..=rank)
            .map(|j| ((sorted.len() - j) as f64 * sorted[j]).min(1.0))
            .fold(0.0, f64::max);
        assert!((test.p_holm - expected).abs() < 1e-15, "{test:?}");
    }
    assert!(tests.iter().any(|t| t.p_holm > t.p_value));
}

#[test]
fn quartiles_equal_numpys() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../golden/quantile.json")).unwrap();
    let mut n_cases = 0;
    for case in golden["cases"].as_array().unwrap() {
        let list = |value: &serde_json::Value| -> Option<Vec<f64>> {
            value.as_array()?.iter().map(serde_json::Value::as_f64).collect()
        };
        let (Some(x), Some(edges)) = (list(&case["x"]), list(&case["k4"]["edges"]))
        else {
            continue;
        };
        let profiles =
            Profiles::of(&number_table(&x), &[], &vec![None; x.len()]).unwrap();
        let found = x_of(profiles.population());
        let expected: Vec<Option<f64>> = edges.into_iter().map(Some).collect();
        assert_eq!(
            [
                found.min,
                found.lower_quartile,
                found.median,
                found.upper_quartile,
                found.max
            ],
            expected[..]
        );
        n_cases += 1;
    }
    assert!(n_cases >= 2);
}

#[test]
fn weights_that_are_not_whole_are_shares() {
    let x = [1.0, 2.0, 3.0, 4.0];
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let build = |weights: [f64; 4]| {
        let table = Table::builder(&schema, 4)
            .numbers("x", &x[..])
            .sample_weight(weights.to_vec())
            .build()
            .unwrap();
        let profiles = Profiles::of(&table, &[], &[None; 4]).unwrap();
        x_of(profiles.population()).clone()
    };
    let found = build([0.125, 0.125, 0.125, 0.625]);
    assert_eq!(found.lower_quartile, Some(2.0));
    assert_eq!(found.median, Some(4.0));
    close(found.mean, 3.25);
    // As repetitions: 1 2 2 3 3 3.
    let found = build([1.0, 2.0, 3.0, 0.0]);
    assert_eq!((found.lower_quartile, found.median), (Some(2.0), Some(2.5)));
    assert_eq!((found.upper_quartile, found.max), (Some(3.0), Some(3.0)));
}

#[test]
fn a_large_offset_does_not_cancel_the_spread() {
    let x: Vec<f64> = (0..20_000).map(|i| f64::from(i * 7919 % 1001) / 8.0).collect();
    let shifted: Vec<f64> = x.iter().map(|x| x + 1e8).collect();
    let of: Vec<i32> = (0..20_000).map(|i| i % 3 - i % 2).collect();
    let profile = |x: &[f64]| {
        Profiles::of(&number_table(x), &Segment::numbered(3), &labels(&of)).unwrap()
    };
    let (plain, moved) = (profile(&x), profile(&shifted));
    for (a, b) in plain.segments().iter().zip(moved.segments()) {
        let (a, b) = (x_of(a), x_of(b));
        assert!((a.mean.unwrap() + 1e8 - b.mean.unwrap()).abs() < 1e-6);
        assert!((a.std_dev.unwrap() / b.std_dev.unwrap() - 1.0).abs() < 1e-11);
        assert!((a.smd.unwrap() - b.smd.unwrap()).abs() < 1e-7);
    }
}
