//! Regular purchases: MBG/CNBD-k.

use segmenta::data::Date;
use segmenta::history::{Ledger, LedgerOptions, Occasion, TimeUnit};
use segmenta::lifetime::{
    AnyPurchaseModel, Bootstrap, CovariateModel, EstimationOptions, Identifiability,
    LifetimeTiers, MbgCnbd, MbgNbd, ModelComparison, PurchaseHistories, PurchaseHistory,
    PurchaseModel, PurchaseModelKind, Regularity,
};
use segmenta::ndarray::Array2;
use segmenta::segmenter::Fit;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    k: u32,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
    x: u64,
    last: f64,
    age: f64,
    alive: f64,
    ln: f64,
    /// Horizon, expected purchases, probability of being alive, of 0 to 3 purchases.
    rows: Vec<[f64; 7]>,
}

#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    let off = (found - expected).abs() / expected.abs();
    assert!(off < 2e-12, "{what}: {found}, not {expected} ({off:e})");
}

#[test]
fn values_are_those_of_the_definition() {
    let golden: Golden =
        serde_json::from_str(include_str!("../golden/mbg_cnbd.json")).unwrap();
    assert_eq!(golden.cases.len(), 16);
    for c in golden.cases {
        let model = MbgCnbd::new(c.k, c.r, c.alpha, c.a, c.b, TimeUnit::Week).unwrap();
        let history = PurchaseHistory::new(c.x, c.last, c.age).unwrap();
        let what = format!("{model:?} {history:?}");
        close(model.probability_alive(&history), c.alive, &what);
        close(model.log_likelihood(&history), c.ln, &what);
        for [t, expected, alive, counts @ ..] in c.rows {
            let what = format!("{what} up to {t}");
            close(model.expected_purchases(&history, t).unwrap(), expected, &what);
            close(model.probability_alive_at(&history, t).unwrap(), alive, &what);
            for (n, p) in (0..).zip(counts) {
                let found = model.probability_of_n_purchases(&history, n, t).unwrap();
                let what = format!("{n} purchases of {what}");
                if p > 1e-290 {
                    close(found, p, &what);
                }
            }
        }
    }
}

#[test]
fn one_step_is_mbg_nbd() {
    let mut asked = 0;
    for [r, alpha, a, b] in
        [[0.525, 6.183, 0.891, 1.614], [3.0, 0.2, 1.0, 8.0], [0.02, 50.0, 4.0, 0.1]]
    {
        let one = MbgCnbd::new(1, r, alpha, a, b, TimeUnit::Week).unwrap();
        let mbg = MbgNbd::new(r, alpha, a, b, TimeUnit::Week).unwrap();
        for (x, last, age) in
            [(0, 0.0, 0.0), (0, 0.0, 30.0), (4, 9.0, 31.0), (60, 29.0, 30.0)]
        {
            let h = PurchaseHistory::new(x, last, age).unwrap();
            let what = format!("{r} {x}");
            close(one.probability_alive(&h), mbg.probability_alive(&h), &what);
            let ln = one.log_likelihood(&h) - mbg.log_likelihood(&h);
            assert!(ln.abs() < 1e-12 * (1.0 + mbg.log_likelihood(&h).abs()), "{ln}");
            for t in [0.0, 1e-6, 3.0, 1e3, 1e9] {
                asked += 1;
                let what = format!("{what} up to {t}");
                let both = |of: &dyn Fn(&dyn PurchaseModel) -> f64| {
                    let (one, mbg) = (of(&one), of(&mbg));
                    let off = (one - mbg).abs();
                    assert!(off <= 2e-11 * mbg.abs(), "{what}: {one}, not {mbg}");
                };
                both(&|m| m.expected_purchases(&h, t).unwrap());
                both(&|m| m.probability_alive_at(&h, t).unwrap());
                for n in [0, 1, 5, 80] {
                    both(&|m| m.probability_of_n_purchases(&h, n, t).unwrap());
                }
            }
            for rate in [1e-6, 0.003, 2.0] {
                let of = |m: &dyn PurchaseModel| {
                    m.discounted_expected_residual_transactions(&h, rate).unwrap()
                };
                let (one, mbg) = (of(&one), of(&mbg));
                assert!((one - mbg).abs() < 1e-9 * mbg, "{what}: {one}, not {mbg}");
            }
        }
    }
    assert_eq!(asked, 60);
}

#[test]
fn corners_are_finite() {
    let ends = [1e-30, 1.0, 1e30];
    for k in [1, 3, 20] {
        for at in 0..81 {
            let p: [f64; 4] =
                std::array::from_fn(|i| ends[at / 3_usize.pow(i as u32) % 3]);
            let model = MbgCnbd::new(k, p[0], p[1], p[2], p[3], TimeUnit::Day).unwrap();
            for (x, last, age) in
                [(0, 0.0, 0.0), (2, 3.0, 80.0), (1 << 53, 1e12, 1e12), (1, 1e-300, 1e12)]
            {
                let h = PurchaseHistory::new(x, last, age).unwrap();
                let what = format!("{model:?} {h:?}");
                assert!(!model.log_likelihood(&h).is_nan(), "{what}");
                let share = |p: f64| assert!((0.0..=1.0).contains(&p), "{what}: {p}");
                share(model.probability_alive(&h));
                for t in [1e-6, 10.0, 1e12] {
                    let expected = model.expected_purchases(&h, t).unwrap();
                    assert!(
                        expected.is_finite() && expected >= 0.0,
                        "{what}: {expected}"
                    );
                    share(model.probability_alive_at(&h, t).unwrap());
                    share(model.probability_of_n_purchases(&h, 3, t).unwrap());
                }
            }
        }
    }
}

/// Customers who take so many steps for a purchase, with the times of their purchases.
fn drawn(k: u32, n: usize) -> (PurchaseHistories, Vec<Vec<f64>>) {
    let mut state = 88_172_645_463_325_252_u64;
    let mut unit = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64 / (1_u64 << 53) as f64).max(1e-12)
    };
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for i in 0..n {
        // Rates are exponentially distributed, one purchase in four weeks in the mean.
        let rate = -unit().ln() * 0.25 * f64::from(k);
        // Leaving: beta distributed with 1 and 4.
        let p = 1.0 - unit().powf(0.25);
        let age = 30.0 + (i % 20) as f64;
        let (mut t, mut times) = (0.0, Vec::new());
        while unit() >= p {
            t += (0..k).map(|_| -unit().ln() / rate).sum::<f64>();
            if t > age {
                break;
            }
            times.push(t);
        }
        let last = times.last().copied().unwrap_or(0.0);
        rows.push(PurchaseHistory::new(times.len() as u64, last, age).unwrap());
        all.push(times);
    }
    (PurchaseHistories::new(TimeUnit::Week, rows), all)
}

#[test]
fn the_process_that_was_simulated_is_found() {
    for k in [1, 3, 6] {
        let (histories, times) = drawn(k, 2500);
        let regularity = Regularity::of(&times, TimeUnit::Week).unwrap();
        assert!(regularity.k > 0.9 * f64::from(k) && regularity.k < 1.6 * f64::from(k));
        let (model, report) =
            MbgCnbd::fit_regular(&histories, &regularity).unwrap().into_parts();
        assert_eq!(model.k(), k, "{regularity}");
        assert!(report.converged, "{report}");
        assert_eq!(report.identifiability, Identifiability::Identified);
        for (name, value) in
            [("r", 1.0), ("alpha", 4.0 / f64::from(k)), ("a", 1.0), ("b", 4.0)]
        {
            let found = report.parameter(name).unwrap();
            let error = found.standard_error.unwrap();
            assert!((found.value - value).abs() < 4.0 * error, "{k} {name}: {report}");
            assert!(error < 0.6 * value, "{k} {name}: {report}");
        }
        // Other steps are less likely, and the wrong ones have another expectation.
        let all = |k: u32| {
            let fitted = MbgCnbd::fit(k, &histories).unwrap();
            let k = f64::from(k);
            let factorial: f64 = (1..k as u32).map(|i| f64::from(i).ln()).sum();
            fitted.report().log_likelihood + (k - 1.0) * regularity.sum_ln_gaps
                - regularity.n_gaps as f64 * factorial
        };
        assert!((all(k) - report.log_likelihood).abs() < 1e-6, "{report}");
        assert!(all(k + 1) < report.log_likelihood - 2.0);
    }
    // Of few customers several are nearly as likely.
    for n in [20, 30, 40] {
        let (histories, times) = drawn(4, n);
        let regularity = Regularity::of(&times, TimeUnit::Week).unwrap();
        let best = MbgCnbd::fit_regular(&histories, &regularity).unwrap();
        let mut near = 0;
        for k in 1..9 {
            let k_steps = f64::from(k);
            let factorial: f64 = (1..k).map(|i| f64::from(i).ln()).sum();
            let all = MbgCnbd::fit(k, &histories).unwrap().report().log_likelihood
                + (k_steps - 1.0) * regularity.sum_ln_gaps
                - regularity.n_gaps as f64 * factorial;
            let less = best.report().log_likelihood - all;
            assert!(less > -1e-6, "{k} is likelier by {less} than {:?}", best.model());
            near += u32::from(less < 5.0);
        }
        assert!(near > 1);
    }
}

/// What customers of some history then do, counted.
#[test]
fn expectations_are_means_of_what_happens() {
    let model = MbgCnbd::new(3, 3.0, 4.0, 1.0, 4.0, TimeUnit::Week).unwrap();
    let mut state = 3_u64;
    let mut unit = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let x = (state ^ state >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((x >> 11) as f64 / (1_u64 << 53) as f64).max(1e-12)
    };
    // All with two repeat purchases in ten weeks, the last of them from week 5 to 7.
    let (mut seen, mut bought, mut expected) = (0, 0.0, 0.0);
    for _ in 0..300_000 {
        let rate: f64 = (0..3).map(|_| -unit().ln() / 4.0).sum();
        let p = 1.0 - unit().powf(0.25);
        let (mut t, mut before, mut after) = (0.0, Vec::new(), 0);
        while unit() >= p {
            t += (0..3).map(|_| -unit().ln() / rate).sum::<f64>();
            if t > 22.0 {
                break;
            }
            if t > 10.0 {
                after += 1;
            } else {
                before.push(t);
            }
        }
        if before.len() == 2 && (5.0..7.0).contains(&before[1]) {
            seen += 1;
            bought += f64::from(after);
            let h = PurchaseHistory::new(2, before[1], 10.0).unwrap();
            expected += model.expected_purchases(&h, 12.0).unwrap();
        }
    }
    assert!(seen > 4000, "{seen}");
    let n = f64::from(seen);
    // The deviation of a count is near 1.5.
    assert!((bought - expected).abs() / n < 4.0 * 1.5 / n.sqrt(), "{bought} {expected}");
}

#[test]
fn what_takes_models_takes_this_one() {
    let (histories, _) = drawn(2, 400);
    let kind = PurchaseModelKind::MbgCnbd { k: 2 };
    let (model, _) = kind.fit(&histories).unwrap().into_parts();
    assert_eq!((model.kind(), model.name()), (kind, "MBG/CNBD-2"));
    assert_eq!(model.parameters().len(), 4);
    let json = serde_json::to_string(&model).unwrap();
    assert!(json.starts_with(r#"{"model":"mbg_cnbd","k":2,"r":"#), "{json}");
    assert_eq!(serde_json::from_str::<AnyPurchaseModel>(&json).unwrap(), model);
    for k in ["0", "21", "-1", "2.5"] {
        let altered = json.replace(r#""k":2"#, &format!(r#""k":{k}"#));
        assert!(serde_json::from_str::<AnyPurchaseModel>(&altered).is_err(), "{k}");
    }
    let json = serde_json::to_string(&kind).unwrap();
    assert_eq!(json, r#"{"mbg_cnbd":{"k":2}}"#);
    let drawn = Bootstrap::new(&model, &histories, 20, 1).unwrap();
    assert!(drawn.models().iter().all(|model| model.kind() == kind));
    let friend = Array2::from_shape_fn((400, 1), |(i, _)| (i % 2) as f64);
    let effects =
        CovariateModel::fit(kind, &histories, friend.view(), &["friend"]).unwrap();
    assert!(effects.report().parameter("alpha:friend").unwrap().value.abs() < 0.5);
    for k in [0, 21] {
        let tiers = LifetimeTiers::by_risk(26.0).model(PurchaseModelKind::MbgCnbd { k });
        assert!(tiers.validate().is_err());
        let error = MbgCnbd::fit(k, &histories).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("parameter `k` must be from 1 to 20, but is {k}")
        );
        let kind = PurchaseModelKind::MbgCnbd { k };
        assert!(
            CovariateModel::fit(kind, &histories, friend.view(), &["friend"]).is_err()
        );
    }
}

#[test]
fn gaps_of_others_are_refused() {
    let (histories, mut times) = drawn(2, 300);
    times.pop();
    times.push(vec![1.0; 0]);
    times[0].push(29.9);
    let regularity = Regularity::of(&times, TimeUnit::Week).unwrap();
    let error = MbgCnbd::fit_regular(&histories, &regularity).unwrap_err().to_string();
    assert!(error.contains("repeat purchases of the histories"), "{error}");
    let (histories, times) = drawn(2, 300);
    let days = Regularity::of(&times, TimeUnit::Day).unwrap();
    let error = MbgCnbd::fit_regular(&histories, &days).unwrap_err().to_string();
    assert!(error.contains("unit"), "{error}");
    let json = serde_json::to_string(&days).unwrap();
    assert_eq!(serde_json::from_str::<Regularity>(&json).unwrap(), days);
    for (name, value) in [
        ("k", "-5.0"),
        ("standard_error", "0.0"),
        ("n_customers", "0"),
        ("n_gaps", "1"),
        ("sum_ln_gaps", "1e308"),
    ] {
        let mut altered: serde_json::Value = serde_json::from_str(&json).unwrap();
        altered[name] = serde_json::from_str(value).unwrap();
        assert!(serde_json::from_value::<Regularity>(altered).is_err(), "{name}");
    }
}

#[test]
fn likelihoods_that_cannot_be_compared_are_not() {
    let (histories, _) = drawn(2, 300);
    let compare = |kinds: &[PurchaseModelKind]| {
        let options = EstimationOptions::new();
        ModelComparison::of_kinds(&histories, kinds, options, &mut ())
    };
    let one = PurchaseModelKind::MbgCnbd { k: 1 };
    let compared = compare(&[PurchaseModelKind::MbgNbd, one]).unwrap();
    let names: Vec<&str> = compared.models().iter().map(|m| m.model().name()).collect();
    assert!(names.contains(&"MBG/CNBD-1") && names.contains(&"MBG/NBD"));
    let error =
        compare(&[PurchaseModelKind::MbgNbd, PurchaseModelKind::MbgCnbd { k: 2 }]);
    assert!(error.unwrap_err().to_string().contains("fit_regular"));
    // Best first, also out of JSON.
    let json = serde_json::to_value(&compared).unwrap();
    let mut reversed = json.clone();
    reversed["models"].as_array_mut().unwrap().reverse();
    let again: ModelComparison = serde_json::from_value(reversed).unwrap();
    assert_eq!(again.best().report().bic(), compared.best().report().bic());
}

/// Of next to none a digit is a digit, too.
#[test]
fn hardly_anybody_buys_and_hardly_anybody_stays() {
    let new = PurchaseHistory::new_customer();
    for r in [1e-10, 1e-18, 1e-25] {
        let one = MbgCnbd::new(1, r, 10.0, 5000.0, 1.0, TimeUnit::Day).unwrap();
        let mbg = MbgNbd::new(r, 10.0, 5000.0, 1.0, TimeUnit::Day).unwrap();
        let two = MbgCnbd::new(2, r, 1.0, 200.0, 1.0, TimeUnit::Day).unwrap();
        let mut before = 0.0;
        for t in [1.0, 200.0, 300.0, 3000.0, 1e6, 1e10] {
            let [found, expected] = [&one as &dyn PurchaseModel, &mbg]
                .map(|model| model.expected_purchases(&new, t).unwrap());
            assert!(
                (found - expected).abs() < 1e-9 * expected,
                "{r} {t}: {found} {expected}"
            );
            let soon = two.expected_purchases(&new, t).unwrap();
            assert!(soon > before, "{r} {t}: {soon} after {before}");
            let once = two.probability_of_n_purchases(&new, 1, t).unwrap();
            assert!(soon >= once, "{r} {t}: {soon} {once}");
            before = soon;
        }
    }
}

#[test]
fn times_of_a_ledger_are_those_of_its_occasions() {
    let day = |days| Date::from_days(days).unwrap();
    for (occasion, expected) in [
        (Occasion::Days, vec![vec![2.0, 12.0], vec![]]),
        (Occasion::Weeks, vec![vec![12.0], vec![]]),
        (Occasion::Rows, vec![vec![0.0, 2.0, 12.0], vec![]]),
        (Occasion::Orders, vec![vec![2.0], vec![]]),
    ] {
        let mut ledger = Ledger::new(LedgerOptions::new().occasion(occasion)).unwrap();
        // 1970-01-05 was a Monday. A refund is no purchase, and nor is what comes later.
        for (customer, at, amount, order) in [
            (5, 4, 10, 8),
            (5, 4, 7, 8),
            (5, 6, 7, 2),
            (5, 9, -7, 3),
            (5, 16, 3, 2),
            (5, 40, 3, 4),
            (9, 8, 3, 5),
            (7, 8, -3, 6),
        ] {
            ledger.add_order(customer, day(at), amount, order).unwrap();
        }
        let times = ledger.repeat_purchase_times(day(20), TimeUnit::Day).unwrap();
        assert_eq!(times, expected, "{occasion:?}");
        let summary = ledger.summary(day(20)).unwrap();
        let frequencies: Vec<u64> =
            summary.iter().map(|c| c.repeat_frequency()).collect();
        assert_eq!(frequencies, times.iter().map(|t| t.len() as u64).collect::<Vec<_>>());
        let last = |t: &Vec<f64>| t.last().copied().unwrap_or(0.0);
        let histories = PurchaseHistories::from_summary(&summary, TimeUnit::Day).unwrap();
        for (history, times) in histories.as_slice().iter().zip(&times) {
            assert_eq!(history.age_at_last_purchase(), last(times), "{occasion:?}");
        }
        let weeks = ledger.repeat_purchase_times(day(20), TimeUnit::Week).unwrap();
        assert_eq!(weeks[0].last(), expected[0].last().map(|t| t / 7.0).as_ref());
    }
}
