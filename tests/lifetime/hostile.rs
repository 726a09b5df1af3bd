//! Input that is wrong, degenerate or huge.

use segmenta::Error;
use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    AnyPurchaseModel, BgBb, BgNbd, Bootstrap, ChurnScorer, CovariateModel,
    EstimationOptions, GammaGamma, LifetimeValue, ModelComparison, OpportunityHistory,
    ParetoNbd, PurchaseHistories, PurchaseHistory, PurchaseModel, PurchaseModelKind,
    ShiftedBetaGeometric, SpendHistory, area_under_curve, calibration_by_frequency,
    calibration_of_frequencies, expected_cumulative_purchases, independence_check,
};
use segmenta::ndarray::Array2;

const WEEK: TimeUnit = TimeUnit::Week;

fn histories(rows: &[(u64, f64, f64)]) -> PurchaseHistories {
    let rows =
        rows.iter().map(|&(x, last, age)| PurchaseHistory::new(x, last, age).unwrap());
    PurchaseHistories::new(WEEK, rows.collect())
}

fn some() -> PurchaseHistories {
    histories(&[
        (0, 0.0, 30.0),
        (1, 6.0, 30.0),
        (3, 25.0, 29.0),
        (6, 27.0, 30.0),
        (0, 0.0, 9.0),
    ])
}

fn says<T: std::fmt::Debug>(result: Result<T, Error>, what: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(what), "{error}");
}

#[test]
fn histories_that_cannot_be_are_refused() {
    says(PurchaseHistory::new(1, f64::NAN, 3.0), "age_at_last_purchase");
    says(PurchaseHistory::new(1, 1.0, f64::INFINITY), "`age`");
    says(
        PurchaseHistory::new(1, -1.0, 3.0),
        "`-1.0` is not a value of `age_at_last_purchase`",
    );
    says(PurchaseHistory::new(0, 0.0, -3.0), "`age`");
    says(PurchaseHistory::new(1, 4.0, 3.0), "up to the `age`, 3.0");
    says(PurchaseHistory::new(0, 1.0, 3.0), "without a repeat purchase");
    says(PurchaseHistory::new(u64::MAX, 1.0, 3.0), "2^53");
    let columns =
        PurchaseHistories::from_columns(WEEK, &[0, 1], &[0.0, 9.0], &[5.0, 5.0]);
    says(columns, "in row 1");
    says(
        PurchaseHistories::from_columns(WEEK, &[0], &[], &[5.0]),
        "age_at_last_purchase",
    );
    says(some().with_weights(vec![1.0]), "weights");
    says(some().with_weights(vec![1.0, 1.0, -2.0, 1.0, 1.0]), "in row 2");
    says(some().with_weights(vec![1.0, f64::NAN, 2.0, 1.0, 1.0]), "in row 1");
    assert_eq!(
        PurchaseHistory::new(0, -0.0, 3.0).unwrap(),
        PurchaseHistory::new(0, 0.0, 3.0).unwrap()
    );
}

#[test]
fn data_without_a_maximum_are_refused() {
    for kind in PurchaseModelKind::ALL {
        says(kind.fit(&histories(&[])), "histories of positive weight");
        says(kind.fit(&histories(&[(0, 0.0, 5.0), (0, 0.0, 9.0)])), "a second time");
        says(kind.fit(&histories(&[(0, 0.0, 0.0), (2, 0.0, 0.0)])), "ages are 0");
        says(kind.fit(&some().with_weights(vec![0.0; 5]).unwrap()), "positive weight");
        let none = EstimationOptions::new().max_iter(0);
        says(kind.fit_with(&some(), none, &mut ()), "max_iter");
        let mut stop =
            |_: &segmenta::segmenter::Progress| std::ops::ControlFlow::Break(());
        let error =
            kind.fit_with(&some(), EstimationOptions::new(), &mut stop).unwrap_err();
        assert!(error.is_cancelled());
        // Two iterations are not enough, and the report says so.
        let few = EstimationOptions::new().max_iter(1);
        let report = kind.fit_with(&some(), few, &mut ()).unwrap().into_parts().1;
        assert!(!report.converged && report.notes[0].code == "not-converged", "{report}");
    }
    says(
        ModelComparison::of_kinds(&some(), &[], EstimationOptions::new(), &mut ()),
        "kinds",
    );
}

/// Whatever the data, a fit ends, and what it says is finite.
#[test]
fn odd_data_have_an_answer() {
    let one: [&[(u64, f64, f64)]; 8] = [
        &[(1, 1.0, 2.0)],
        &[(1, 2.0, 2.0)],
        &[(1000, 10.0, 10.0), (0, 0.0, 10.0)],
        &[(3, 3.0, 3.0), (3, 3.0, 3.0), (3, 3.0, 3.0)],
        &[(5, 0.0, 100.0), (4, 0.0, 200.0)],
        &[(1, 1e-9, 1e-9), (2, 1e9, 1e9)],
        &[(1 << 40, 1e6, 1e7), (0, 0.0, 1e7)],
        &[(2, 1e-3, 1e6), (1, 1e-3, 1e6), (7, 1e-2, 1e6)],
    ];
    for rows in one {
        for kind in PurchaseModelKind::ALL {
            let histories = histories(rows);
            let Ok(fitted) = kind.fit(&histories) else { continue };
            let report = fitted.report();
            assert!(report.log_likelihood.is_finite(), "{report}");
            assert!(
                report.parameters.iter().all(|p| p.value > 0.0 && p.value.is_finite())
            );
            for history in histories.as_slice() {
                let model = fitted.model();
                assert!(
                    (0.0..=1.0).contains(&model.probability_alive(history)),
                    "{report}"
                );
                let expected = model.expected_purchases(history, 10.0).unwrap();
                assert!(expected.is_finite() && expected >= 0.0, "{report} {history:?}");
            }
            // It can be saved, and comes back.
            let json = serde_json::to_string(&fitted).unwrap();
            let again: segmenta::lifetime::Estimated<AnyPurchaseModel> =
                serde_json::from_str(&json).unwrap();
            assert_eq!(again, fitted);
        }
    }
}

#[test]
fn parameters_and_questions_are_checked() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-40, 1e40] {
        says(BgNbd::new(1.0, bad, 1.0, 1.0, WEEK), "`alpha`");
        says(ParetoNbd::new(1.0, 1.0, bad, 1.0, WEEK), "`s`");
        says(GammaGamma::new(1.0, bad, 1.0), "`q`");
        says(BgBb::new(1.0, 1.0, 1.0, bad), "`delta`");
        says(ShiftedBetaGeometric::new(bad, 1.0), "`alpha`");
    }
    let model = BgNbd::new(0.243, 4.414, 0.793, 2.426, WEEK).unwrap();
    let new = PurchaseHistory::new_customer();
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        says(model.expected_purchases(&new, bad), "`horizon`");
        says(model.probability_of_n_purchases(&new, 2, bad), "`horizon`");
        says(model.probability_alive_at(&new, bad), "`ahead`");
        says(model.discounted_expected_residual_transactions(&new, bad), "`rate`");
        says(
            LifetimeValue::new(bad, WEEK).discounted_purchases(&model, &new),
            "`horizon`",
        );
        says(expected_cumulative_purchases(&model, &some(), &[1.0, bad]), "`time`");
    }
    says(model.discounted_expected_residual_transactions(&new, 0.0), "`rate`");
    says(
        LifetimeValue::new(1.0, WEEK).step(0.0).discounted_purchases(&model, &new),
        "`step`",
    );
    says(LifetimeValue::new(1e9, WEEK).discounted_purchases(&model, &new), "`step`");
    let rate = LifetimeValue::new(1.0, WEEK).annual_discount_rate(-0.1);
    says(rate.discounted_purchases(&model, &new), "annual_discount_rate");
    says(calibration_by_frequency(&model, &some(), &[1], 3.0, 7), "actual purchases");
    says(calibration_of_frequencies(&model, &some(), 1 << 20), "`top`");
    let days = PurchaseHistories::new(TimeUnit::Day, vec![new]);
    says(model.expected_purchases_all(&days, 3.0), "week");
    says(Bootstrap::new(&model.into(), &days, 3, 0), "week");
    says(Bootstrap::new(&model.into(), &some(), 0, 0), "n_replicates");
    says(ChurnScorer::new(model.into(), &some(), 0.0), "`horizon`");
    says(
        ChurnScorer::new(model.into(), &histories(&[(0, 0.0, 3.0)]), 1.0),
        "bought again",
    );
    let scorer = ChurnScorer::new(model.into(), &some(), 9.0).unwrap();
    says(scorer.evaluate(&some(), &[0; 5]), "all or none");
    says(scorer.evaluate(&some(), &[0; 4]), "actual purchases");
    says(scorer.at_risk(&some(), 1.5, 0), "probability");
    says(area_under_curve(&[1.0, f64::NAN], &[true, false]), "in row 1");
    says(independence_check(&[SpendHistory::none(); 9]), "customers with purchases");
    says(independence_check(&[SpendHistory::new(1, 2.0).unwrap(); 9]), "same mean");
}

/// An attribute that cannot be computed with is named, and so is its customer.
#[test]
fn attributes_of_any_size_are_told() {
    let fit = |kind: PurchaseModelKind, huge: f64| {
        let z = [0.0, 1.0, 1.0, huge, 0.0, 0.5, 0.0, 1.0, 1.0, 0.0];
        let z = Array2::from_shape_vec((5, 2), z.to_vec()).unwrap();
        CovariateModel::fit(kind, &some(), z.view(), &["friend", "visits"])
    };
    for kind in PurchaseModelKind::ALL {
        for huge in [1e300, -1e300, 1.1e100, f64::MAX] {
            says(fit(kind, huge), "attribute `visits` within ±1e100 in row 1");
        }
        says(fit(kind, f64::INFINITY), "`visits`");
        for large in [1e9, -1e50, 1e100] {
            let report = fit(kind, large).unwrap().into_parts().1;
            assert!(report.log_likelihood.is_finite(), "{report}");
        }
    }

    let z = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.5, 1.0];
    let z = Array2::from_shape_vec((5, 2), z.to_vec()).unwrap();
    let nbd = PurchaseModelKind::Nbd;
    let fitted =
        CovariateModel::fit(nbd, &some(), z.view(), &["friend", "visits"]).unwrap();
    let model = fitted.model();
    for huge in [1e300, -1e9, f64::MAX] {
        says(model.model_of(&[huge, 1.0]), "attribute `friend`");
        says(model.model_of(&[1.0, huge]), "attribute `visits`");
        says(model.model_of(&[1.0, huge]), "changes ln alpha by at most 100");
    }
    says(model.model_of(&[0.0, f64::NAN]), "`visits`");
}

#[test]
fn spend_and_contracts_are_checked() {
    for bad in [0.0, -1.0] {
        says(SpendHistory::new(2, bad), "above 0");
    }
    says(SpendHistory::new(2, f64::NAN), "mean_spend");
    says(SpendHistory::new(0, 3.0), "from 1");
    let same = [SpendHistory::new(2, 5.0).unwrap(); 4];
    says(GammaGamma::fit(&same), "of different value");
    says(GammaGamma::fit(&[]), "of different value");
    // A mean that does not exist is said, and never negative.
    let heavy = GammaGamma::new(2.0, 0.7, 10.0).unwrap();
    says(heavy.expected_customer_spend(&SpendHistory::none()), "infinite");
    assert!(
        heavy.expected_customer_spend(&SpendHistory::new(1, 5.0).unwrap()).unwrap() > 0.0
    );

    says(ShiftedBetaGeometric::fit(&[]), "nobody");
    says(ShiftedBetaGeometric::fit(&[vec![10.0, 10.0]]), "nobody was seen to leave");
    says(ShiftedBetaGeometric::fit(&[vec![10.0, 12.0]]), "renewal 1 of cohort 0");
    says(ShiftedBetaGeometric::fit(&[vec![5.0, 4.0], vec![9.0, f64::NAN]]), "cohort 1");
    says(BgBb::fit(&[]), "no purchase");
    let always = OpportunityHistory::new(3, 3, 3).unwrap();
    says(BgBb::fit(&[(always, 5.0)]), "every opportunity");
    says(BgBb::fit(&[(always, -5.0)]), "in row 0");
    for (x, last, n) in [(1, 0, 3), (0, 1, 3), (3, 2, 3), (1, 4, 3), (1, 1, 100_001)] {
        says(OpportunityHistory::new(x, last, n), "frequency <= last <= opportunities");
    }
}

#[test]
fn saved_parameters_are_checked() {
    let fine = r#"{"model":"bg_nbd","r":1.0,"alpha":2.0,"a":0.5,"b":1.0,"unit":"week"}"#;
    assert!(serde_json::from_str::<AnyPurchaseModel>(fine).is_ok());
    for (from, to) in [
        ("1.0", "-1.0"),
        ("1.0", "null"),
        ("bg_nbd", "bg_nb"),
        ("week", "fortnight"),
        ("\"b\":1.0", "\"b\":1.0,\"c\":3"),
        ("\"alpha\":2.0,", ""),
    ] {
        let altered = fine.replace(from, to);
        assert!(serde_json::from_str::<AnyPurchaseModel>(&altered).is_err(), "{altered}");
    }
    let history = r#"{"frequency":1,"age_at_last_purchase":5.0,"age":3.0}"#;
    assert!(serde_json::from_str::<PurchaseHistory>(history).is_err());
}

/// The same bits on one thread, on two and on seven.
#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_matter() {
    let rows = (0..40_000_u64).map(|i| {
        let (x, age) = (i * 7 % 13 % 5, 20.0 + (i * 31 % 997) as f64 / 50.0);
        let last = if x == 0 { 0.0 } else { age * ((i * 17 % 100) as f64 + 1.0) / 101.0 };
        PurchaseHistory::new(x, last, age).unwrap()
    });
    let histories = PurchaseHistories::new(WEEK, rows.collect());
    let few = PurchaseHistories::new(WEEK, histories.as_slice()[..3000].to_vec());
    let run = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let fitted = PurchaseModelKind::BgNbd.fit(&histories).unwrap();
            let pareto = PurchaseModelKind::ParetoNbd.fit(&few).unwrap();
            let expected =
                fitted.model().expected_purchases_all(&histories, 9.0).unwrap();
            let bootstrap = Bootstrap::new(fitted.model(), &few, 20, 3).unwrap();
            (fitted, pareto, expected, bootstrap)
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
}

/// The corners of the whole space of parameters and times: nothing is NaN or infinite, and
/// probabilities are probabilities.
#[test]
fn corners_are_finite() {
    const SIZES: [f64; 4] = [1e-30, 1e-6, 1.0, 1e30];
    let corner = |at: usize| [0, 1, 2, 3].map(|i| SIZES[at >> (2 * i) & 3]);
    let customers =
        [(0, 0.0, 0.0), (0, 0.0, 1e12), (1, 1e-300, 1e12), (1 << 53, 1e12, 1e12)]
            .map(|(x, last, age)| PurchaseHistory::new(x, last, age).unwrap());
    // Every fifth of 256, in which each size meets each: sums over the time of leaving take
    // long. Likelihoods have their values at all of them elsewhere.
    for at in (0..256).step_by(5) {
        let [p, q, u, v] = corner(at);
        let models: [AnyPurchaseModel; 4] = [
            segmenta::lifetime::Nbd::new(p, q, WEEK).unwrap().into(),
            BgNbd::new(p, q, u, v, WEEK).unwrap().into(),
            segmenta::lifetime::MbgNbd::new(p, q, u, v, WEEK).unwrap().into(),
            ParetoNbd::new(p, q, u, v, WEEK).unwrap().into(),
        ];
        for model in models {
            for customer in &customers {
                let what = || format!("{model:?} {customer:?}");
                let share = |p: f64| assert!((0.0..=1.0).contains(&p), "{p} {}", what());
                let number =
                    |x: f64| assert!(x.is_finite() && x >= 0.0, "{x} {}", what());
                share(model.probability_alive(customer));
                assert!(!model.log_likelihood(customer).is_nan(), "{}", what());
                for t in [1e-12, 1.0, 1e12] {
                    number(model.expected_purchases(customer, t).unwrap());
                    share(model.probability_alive_at(customer, t).unwrap());
                    for n in [0, 1, 1 << 20] {
                        share(model.probability_of_n_purchases(customer, n, t).unwrap());
                    }
                }
                let rate = [1e-3, 1e12][at % 2];
                let residual =
                    model.discounted_expected_residual_transactions(customer, rate);
                number(residual.unwrap());
            }
        }
    }
}
