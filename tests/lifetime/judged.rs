//! What is said of a model: whether it is identified, calibrated, certain; and who is at risk.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    AnyPurchaseModel, BgNbd, Bootstrap, ChurnScorer, CovariateModel, GammaGamma,
    Identifiability, LifetimeValue, ModelComparison, ParetoNbd, PurchaseHistories,
    PurchaseHistory, PurchaseModel, PurchaseModelKind, ShiftedBetaGeometric,
    SpendHistory, calibration_by_frequency, calibration_of_frequencies,
    expected_cumulative_purchases,
};
use segmenta::ndarray::Array2;

use crate::properties::drawn;

#[test]
fn leaving_is_identified_where_customers_leave() {
    let stay = drawn(PurchaseModelKind::Nbd, 3000);
    let comparison = ModelComparison::of(&stay).unwrap();
    assert_eq!(comparison.best().model().kind(), PurchaseModelKind::Nbd);
    for model in &comparison.models()[1..] {
        let verdict = &model.report().identifiability;
        assert!(
            matches!(verdict, Identifiability::DropoutNotIdentified { .. }),
            "{}",
            model.report()
        );
    }
    let weights = comparison.akaike_weights();
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && weights[0] > 0.5);

    for kind in [PurchaseModelKind::MbgNbd, PurchaseModelKind::ParetoNbd] {
        let leave = drawn(kind, 3000);
        let comparison = ModelComparison::of(&leave).unwrap();
        assert_eq!(comparison.best().model().kind(), kind, "{comparison}");
        assert_eq!(
            comparison.best().report().identifiability,
            Identifiability::Identified
        );
        let worst = comparison.models().last().unwrap();
        assert!(worst.report().bic() > comparison.best().report().bic() + 10.0);
    }
}

#[test]
fn calibrations_are_their_sums() {
    let kind = PurchaseModelKind::ParetoNbd;
    let histories = drawn(kind, 400);
    let weights: Vec<f64> = (0..400).map(|i| f64::from(i % 3)).collect();
    let histories = histories.with_weights(weights.clone()).unwrap();
    let model = kind.fit(&histories).unwrap().into_model();
    let rows = histories.as_slice();

    let table = calibration_of_frequencies(&model, &histories, 5).unwrap();
    assert_eq!(table.len(), 6);
    for row in &table {
        let (mut actual, mut expected) = (0.0, 0.0);
        for (history, weight) in rows.iter().zip(&weights) {
            let in_row = |n: u64| n == row.frequency || (row.frequency == 5 && n > 5);
            actual += weight * f64::from(u8::from(in_row(history.frequency())));
            let p: f64 = (0..400)
                .filter(|&n| in_row(n))
                .map(|n| {
                    model
                        .probability_of_n_purchases_new_customer(n, history.age())
                        .unwrap()
                })
                .sum();
            expected += weight * p;
        }
        assert_eq!(row.actual, actual);
        assert!((row.expected - expected).abs() < 1e-6 * expected, "{row:?} {expected}");
    }

    let actual: Vec<u64> = (0..400).map(|i| i % 4).collect();
    let table = calibration_by_frequency(&model, &histories, &actual, 9.0, 2).unwrap();
    let sums =
        |of: &dyn Fn(usize) -> f64| -> f64 { (0..400).map(|i| weights[i] * of(i)).sum() };
    let found: f64 = table.iter().map(|row| row.n_customers * row.actual).sum();
    assert!((found - sums(&|i| actual[i] as f64)).abs() < 1e-9);
    let found: f64 = table.iter().map(|row| row.n_customers * row.expected).sum();
    let expected = sums(&|i| model.expected_purchases(&rows[i], 9.0).unwrap());
    assert!((found - expected).abs() < 1e-9 * expected);
    assert_eq!(table.iter().map(|row| row.frequency).collect::<Vec<_>>(), [0, 1, 2]);

    // Each customer begins as much later as she is younger than the oldest.
    let oldest = rows.iter().map(|h| h.age()).fold(0.0, f64::max);
    let times = [0.0, 5.0, 25.0, oldest, 80.0];
    let found = expected_cumulative_purchases(&model, &histories, &times).unwrap();
    for (time, found) in times.iter().zip(found) {
        let expected = sums(&|i| {
            let since = (time - (oldest - rows[i].age())).max(0.0);
            model.expected_purchases_new_customer(since).unwrap()
        });
        assert!(
            (found - expected).abs() <= 1e-9 * expected,
            "{time}: {found} {expected}"
        );
    }
}

#[test]
fn those_at_risk_bought_often_and_fell_silent() {
    let week = TimeUnit::Week;
    let model = segmenta::lifetime::BgNbd::new(0.243, 4.414, 0.793, 2.426, week).unwrap();
    let rows = [
        (9, 20.0, 60.0),
        (9, 59.0, 60.0),
        (1, 2.0, 60.0),
        (4, 12.0, 60.0),
        (0, 0.0, 60.0),
    ];
    let rows = rows.map(|(x, last, age)| PurchaseHistory::new(x, last, age).unwrap());
    let histories = PurchaseHistories::new(week, rows.to_vec());
    let scorer = ChurnScorer::new(model.into(), &histories, 26.0).unwrap();
    let at_risk = scorer.at_risk(&histories, 0.9, 3).unwrap();
    // Neither those who are still there, nor those who bought a few times only; the one of
    // whom most was to be expected first.
    assert_eq!(at_risk.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 3]);
    for (at, score) in &at_risk {
        assert_eq!(*score, scorer.score(&rows[*at]).unwrap());
        assert!(score.probability_of_no_purchase >= 0.9);
    }
    // 93 weeks of 23 gaps; hers are drawn towards that.
    let usual = (20.0 + 93.0 / 23.0) / 10.0;
    assert!((at_risk[0].1.usual_gap - usual).abs() < 1e-12);
    assert!((at_risk[0].1.overdue_ratio - 40.0 / usual).abs() < 1e-12);
    let often = scorer.at_risk(&histories, 0.9, 5).unwrap();
    assert_eq!(often.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0]);
    assert_eq!(scorer.at_risk(&histories, 0.9, 4).unwrap().len(), 2);
    assert_eq!(scorer.at_risk(&histories, 0.9, 0).unwrap().len(), 4);
    assert_eq!(scorer.at_risk(&histories, 0.0, 0).unwrap().len(), 5);
}

#[test]
fn all_are_ranked_by_what_is_expected_of_them() {
    let kind = PurchaseModelKind::BgNbd;
    let histories = drawn(kind, 300);
    let model = kind.fit(&histories).unwrap().into_model();
    let scorer = ChurnScorer::new(model, &histories, 26.0).unwrap();
    let ranked = scorer.ranked(&histories).unwrap();
    let mut places: Vec<usize> = ranked.iter().map(|(at, _)| *at).collect();
    for pair in ranked.windows(2) {
        let ((i, a), (j, b)) = (&pair[0], &pair[1]);
        assert!(a.expected_purchases <= b.expected_purchases);
        if a.expected_purchases == b.expected_purchases {
            assert!(a.overdue_ratio > b.overdue_ratio || i < j);
        }
    }
    for (at, score) in &ranked {
        assert_eq!(*score, scorer.score(&histories.get(*at).unwrap()).unwrap());
    }
    places.sort_unstable();
    assert_eq!(places, (0..300).collect::<Vec<_>>());
}

#[test]
fn elasticities_are_their_sums() {
    for (alpha, beta) in [(0.668, 3.806), (2.0, 1.5), (0.05, 0.02)] {
        let model = ShiftedBetaGeometric::new(alpha, beta).unwrap();
        for tenure in [0, 1, 6] {
            for rate in [0.1, 1.0] {
                // What is left of a customer when all rates are raised by a share.
                let lifetime = |raised: f64| {
                    let (mut sum, mut left, mut discount) = (0.0, 1.0, 1.0);
                    for j in 1..4000 {
                        left *= raised * model.retention_rate(tenure + j);
                        sum += left * discount;
                        discount /= 1.0 + rate;
                    }
                    sum
                };
                let plain = lifetime(1.0);
                let found = model.discounted_expected_residual_lifetime(tenure, rate);
                assert!((found.unwrap() / plain - 1.0).abs() < 1e-10);
                let step = 1e-5;
                let slope = (lifetime(1.0 + step) - lifetime(1.0 - step)) / (2.0 * step);
                let elasticity = model.retention_elasticity(tenure, rate).unwrap();
                assert!(
                    (elasticity / (slope / plain) - 1.0).abs() < 1e-7,
                    "{elasticity}"
                );
                let worth = model.residual_value(tenure, 12.5, rate).unwrap();
                assert!((worth / (12.5 * plain) - 1.0).abs() < 1e-10);
            }
        }
    }
}

#[test]
fn attributes_do_not_silence_the_verdict() {
    let stay = drawn(PurchaseModelKind::Nbd, 600);
    let odd = Array2::from_shape_fn((600, 1), |(i, _)| (i % 2) as f64);
    let kind = PurchaseModelKind::MbgNbd;
    let fitted = CovariateModel::fit(kind, &stay, odd.view(), &["odd"]).unwrap();
    let verdict = &fitted.report().identifiability;
    assert!(
        matches!(verdict, Identifiability::DropoutNotIdentified { .. }),
        "{verdict:?}"
    );
}

#[test]
fn spend_of_any_size_stays_finite() {
    let model = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    for mean in [1e-300, 1.0, 1e300] {
        for x in [1, 5, 1 << 53] {
            let history = SpendHistory::new(x, mean).unwrap();
            let expected = model.expected_customer_spend(&history).unwrap();
            assert!(expected.is_finite() && expected > 0.0, "{x} {mean}: {expected}");
        }
    }
}

#[test]
fn early_silence_is_not_taken_for_equal_rates() {
    // Most leave at once: NBD finds no difference between rates here, and where it ends is
    // far from the maximum.
    let rows = [
        (0, 0.0, 60.0),
        (1, 0.3, 12.0),
        (1, 1.0, 9.0),
        (1, 3.0, 8.0),
        (1, 8.0, 6.0),
        (1, 15.0, 4.0),
        (1, 25.0, 2.0),
        (2, 4.0, 1.0),
    ];
    let of = |rows: &[(u64, f64, f64)]| {
        let histories =
            rows.iter().map(|row| PurchaseHistory::new(row.0, row.1, 30.0).unwrap());
        PurchaseHistories::new(TimeUnit::Week, histories.collect())
            .with_weights(rows.iter().map(|row| row.2).collect())
            .unwrap()
    };
    // Found by other searches.
    for (rows, least) in [(&rows[..], -184.605_36), (&rows[..7], -176.222)] {
        let fitted = PurchaseModelKind::BgNbd.fit(&of(rows)).unwrap();
        assert!(fitted.report().log_likelihood >= least - 1e-4, "{}", fitted.report());
    }
    // Weights of any size are weights.
    let histories = of(&rows);
    let plain = PurchaseModelKind::MbgNbd.fit(&histories).unwrap();
    for scale in [1e-200, 1e-12, 1e12] {
        let weights = rows.iter().map(|row| row.2 * scale).collect();
        let scaled = histories.clone().with_weights(weights).unwrap();
        let scaled = PurchaseModelKind::MbgNbd.fit(&scaled).unwrap();
        let found = scaled.report().log_likelihood / scale;
        let expected = plain.report().log_likelihood;
        assert!((found - expected).abs() < 1e-5, "{scale}: {found} {expected}");
    }
}

#[test]
fn absurd_demands_are_refused() {
    let histories = drawn(PurchaseModelKind::Nbd, 50);
    let model = PurchaseModelKind::Nbd.fit(&histories).unwrap().into_model();
    let heavy = histories.with_weights(vec![1e9; 50]).unwrap();
    let refused = Bootstrap::new(&model, &heavy, 1, 7).unwrap_err();
    assert!(refused.to_string().contains("1e9 customers"), "{refused}");
    assert!(serde_json::from_str::<ModelComparison>(r#"{"models":[]}"#).is_err());
    let value = LifetimeValue::new(12.0, TimeUnit::Month).margin(1e200);
    let ann = PurchaseHistory::new(3, 20.0, 30.0).unwrap();
    assert!(value.customer_lifetime_value(&model, &ann, 1e200).is_err());
}

/// Fits are as likely as the parameters that drew the data, at least, where most leave at once.
#[test]
fn fits_are_no_less_likely_than_the_truth() {
    let mut state = 7_u64;
    let mut unit = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99_991);
        ((state >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    };
    let week = TimeUnit::Week;
    for kind in [PurchaseModelKind::BgNbd, PurchaseModelKind::ParetoNbd] {
        let truth: AnyPurchaseModel = match kind {
            PurchaseModelKind::BgNbd => {
                BgNbd::new(0.5, 3.0, 20.0, 1.0, week).unwrap().into()
            }
            _ => ParetoNbd::new(0.5, 3.0, 1.0, 1.0, week).unwrap().into(),
        };
        for n in [150, 150, 150, 150, 800, 800, 2500] {
            let rows = (0..n).map(|_| {
                // Gamma of shape a half: the square of a normal deviate over two.
                let angle = std::f64::consts::TAU * unit();
                let rate = -unit().ln() * angle.cos().powi(2) / 3.0;
                let (stays, leaves_at) = match kind {
                    PurchaseModelKind::BgNbd => (1.0 - unit().powf(0.05), f64::INFINITY),
                    _ => (1.0, unit().ln() / unit().ln()),
                };
                let age = 20.0 + 20.0 * unit();
                let (mut x, mut last) = (0, 0.0);
                loop {
                    let next = last - unit().ln() / rate;
                    if next > age.min(leaves_at) {
                        break;
                    }
                    (x, last) = (x + 1, next);
                    if unit() > stays {
                        break;
                    }
                }
                PurchaseHistory::new(x, last, age).unwrap()
            });
            let histories = PurchaseHistories::new(week, rows.collect());
            let fitted = kind.fit(&histories).unwrap();
            let found = fitted.report().log_likelihood;
            let least = truth.log_likelihood_of_all(&histories).unwrap();
            assert!(found >= least - 1e-6, "{n}: {least} {}", fitted.report());
        }
    }
}
