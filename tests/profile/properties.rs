//! Figures against an obvious slow oracle, and what must not change them.

use proptest::prelude::*;

use super::*;

/// The same figures in the most obvious way, of values that stand as often as they weigh.
fn slow_number(values: &[f64]) -> Option<[f64; 7]> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let last = *sorted.last()?;
    let mean = sorted.iter().sum::<f64>() / n;
    let variance = sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let quantile = |p: f64| {
        let h = p * (n - 1.0);
        let (low, high) = (sorted[h.floor() as usize], sorted[h.ceil() as usize]);
        low + (high - low) * (h - h.floor())
    };
    let [q1, q2, q3] = [0.25, 0.5, 0.75].map(quantile);
    Some([mean, variance.sqrt(), sorted[0], q1, q2, q3, last])
}

#[derive(Clone, Debug)]
struct Drawn {
    x: Option<i32>,
    flag: Option<bool>,
    color: Option<u32>,
    weight: u32,
    label: Option<u32>,
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let row = (
        proptest::option::weighted(0.9, -50..50_i32),
        proptest::option::weighted(0.9, any::<bool>()),
        proptest::option::weighted(0.9, 0..3_u32),
        0..4_u32,
        proptest::option::weighted(0.9, 0..3_u32),
    );
    let row = row.prop_map(|(x, flag, color, weight, label)| Drawn {
        x,
        flag,
        color,
        weight,
        label,
    });
    proptest::collection::vec(row, 1..40)
        .prop_filter("some weight", |rows| rows.iter().any(|r| r.weight > 0))
}

fn profile_of(rows: &[Drawn], weighted: bool) -> Profiles {
    let schema = Schema::new([
        FeatureSpec::number("x"),
        FeatureSpec::flag("flag"),
        FeatureSpec::category("color"),
    ])
    .unwrap();
    let mask = |valid: Vec<bool>| Validity::Mask(valid.into());
    let x = rows.iter().map(|r| f64::from(r.x.unwrap_or(99))).collect::<Vec<_>>();
    let flags = rows.iter().map(|r| r.flag.unwrap_or(true)).collect::<Vec<_>>();
    let colors = rows.iter().map(|r| r.color.unwrap_or(0)).collect::<Vec<_>>();
    let names = ["red", "blue", "green"].map(str::to_owned).to_vec();
    let mut builder = Table::builder(&schema, rows.len())
        .column(
            "x",
            Column::Number(x.into(), mask(rows.iter().map(|r| r.x.is_some()).collect())),
        )
        .column(
            "flag",
            Column::Flag(
                flags.into(),
                mask(rows.iter().map(|r| r.flag.is_some()).collect()),
            ),
        )
        .column(
            "color",
            Column::Category(
                colors.into(),
                names.into(),
                mask(rows.iter().map(|r| r.color.is_some()).collect()),
            ),
        );
    if weighted {
        let weights: Vec<f64> = rows.iter().map(|r| f64::from(r.weight)).collect();
        builder = builder.sample_weight(weights);
    }
    let labels: Vec<_> = rows.iter().map(|r| r.label.map(at)).collect();
    Profiles::of(&builder.build().unwrap(), &Segment::numbered(3), &labels).unwrap()
}

/// Every row as often as it weighs.
fn repeated(rows: &[Drawn]) -> Vec<Drawn> {
    let copies = |r: &Drawn| std::iter::repeat_n(r.clone(), r.weight as usize);
    rows.iter().flat_map(copies).collect()
}

#[track_caller]
fn near(a: Option<f64>, b: Option<f64>) {
    match (a, b) {
        (Some(a), Some(b)) => {
            assert!((a - b).abs() <= 1e-12 * (1.0 + a.abs()), "{a} is not {b}");
        }
        (a, b) => assert_eq!(a, b),
    }
}

/// All figures but the numbers of rows.
#[track_caller]
fn same_figures(a: &Profiles, b: &Profiles) {
    let groups = |p: &Profiles| -> Vec<Profile> {
        [p.population()].into_iter().chain(p.segments()).cloned().collect()
    };
    for (a, b) in groups(a).iter().zip(&groups(b)) {
        near(Some(a.weight), Some(b.weight));
        near(Some(a.share), Some(b.share));
        for (x, y) in figures(x_of(a)).into_iter().zip(figures(x_of(b))) {
            near(x, y);
        }
        // A mean that is 0 but for rounding makes the index a matter of that rounding.
        near(x_of(a).smd, x_of(b).smd);
        let (f, g) = (a.flag("flag").unwrap(), b.flag("flag").unwrap());
        near(f.share, g.share);
        near(f.index, g.index);
        near(f.cohens_h, g.cohens_h);
        assert_eq!(level_names(a, "color"), level_names(b, "color"));
        for level in level_names(a, "color") {
            let (f, g) =
                (a.level("color", &level).unwrap(), b.level("color", &level).unwrap());
            near(f.share, g.share);
            near(f.index, g.index);
        }
    }
    assert_eq!(a.tests().len(), b.tests().len());
    for (a, b) in a.tests().iter().zip(b.tests()) {
        assert_eq!((a.feature.as_str(), a.df), (b.feature.as_str(), b.df));
        assert!((a.p_value - b.p_value).abs() < 1e-9);
        assert!((a.effect_size - b.effect_size).abs() < 1e-9);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn figures_equal_the_obvious_ones(rows in drawn()) {
        let profiles = profile_of(&rows, true);
        let all = repeated(&rows);
        for (i, profile) in profiles.segments().iter().enumerate() {
            let own: Vec<&Drawn> =
                all.iter().filter(|r| r.label == Some(i as u32)).collect();
            let x: Vec<f64> = own.iter().filter_map(|r| r.x).map(f64::from).collect();
            let expected = slow_number(&x);
            for (j, found) in figures(x_of(profile)).into_iter().enumerate() {
                near(found, expected.map(|e| e[j]));
            }
            let known: Vec<bool> = own.iter().filter_map(|r| r.flag).collect();
            let yes = known.iter().filter(|&&yes| yes).count() as f64;
            let share = (!known.is_empty()).then(|| yes / known.len() as f64);
            prop_assert_eq!(profile.flag("flag").unwrap().share, share);
            prop_assert_eq!(profile.weight, own.len() as f64);
        }
    }

    #[test]
    fn a_row_of_weight_2_counts_as_two(rows in drawn()) {
        same_figures(&profile_of(&rows, true), &profile_of(&repeated(&rows), false));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in drawn(), by in 1..40_usize) {
        let mut other = rows.clone();
        other.rotate_left(by % rows.len());
        other.reverse();
        same_figures(&profile_of(&rows, true), &profile_of(&other, true));
    }

    #[test]
    fn the_groups_make_up_the_population(rows in drawn()) {
        let profiles = profile_of(&rows, true);
        let groups: Vec<&Profile> =
            profiles.segments().iter().chain(profiles.unassigned()).collect();
        let all = profiles.population();
        prop_assert_eq!(groups.iter().map(|g| g.size).sum::<u64>(), all.size);
        prop_assert!((groups.iter().map(|g| g.share).sum::<f64>() - 1.0).abs() < 1e-12);
        let x = all.feature("x").unwrap();
        if let Some(mean) = x_of(all).mean {
            let parts = groups.iter().filter_map(|g| {
                Some(x_of(g).mean? * g.feature("x").unwrap().weight / x.weight)
            });
            prop_assert!((parts.sum::<f64>() - mean).abs() < 1e-12 * 50.0);
        }
        let yes: f64 = groups.iter().map(|g| g.flag("flag").unwrap().weight).sum();
        prop_assert_eq!(yes, all.flag("flag").unwrap().weight);
    }

    #[test]
    fn text_and_json_hold_for_anything(rows in drawn()) {
        let profiles = profile_of(&rows, true);
        check_text(&profiles.to_string());
        let json = serde_json::to_string(&profiles).unwrap();
        prop_assert_eq!(serde_json::from_str::<Profiles>(&json).unwrap(), profiles);
    }
}
