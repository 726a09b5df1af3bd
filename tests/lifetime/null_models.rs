//! What BG/BB and sBG have to gain on.

use proptest::prelude::*;
use segmenta::lifetime::{
    BetaBinomial, BgBb, Geometric, Identifiability, OpportunityHistory,
    ShiftedBetaGeometric,
};

use crate::data;

fn history(x: u32, last: u32, n: u32) -> OpportunityHistory {
    OpportunityHistory::new(x, last, n).unwrap()
}

fn histories() -> impl Strategy<Value = OpportunityHistory> {
    (0_u32..12, 0_u32..12, 0_u32..12).prop_map(|(a, b, c)| {
        let mut sorted = [a, b, c];
        sorted.sort_unstable();
        let [x, last, n] = sorted;
        history(x, if x == 0 { 0 } else { last }, n)
    })
}

/// Product by product: `Π (α+i) Π (β+j) / Π (α+β+k)`.
fn slow(alpha: f64, beta: f64, x: u32, misses: u32) -> f64 {
    let rise = |z: f64, n: u32| (0..n).map(|i| (z + f64::from(i)).ln()).sum::<f64>();
    rise(alpha, x) + rise(beta, misses) - rise(alpha + beta, x + misses)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_beta_binomial_is_its_products(
        seen in histories(), ln in (-4.0..4.0_f64, -4.0..4.0_f64), m in 0_u32..20,
    ) {
        let (alpha, beta) = (ln.0.exp(), ln.1.exp());
        let model = BetaBinomial::new(alpha, beta).unwrap();
        let (x, n) = (seen.frequency(), seen.opportunities());
        let value = slow(alpha, beta, x, n - x);
        prop_assert!((model.log_likelihood(&seen) - value).abs() < 1e-9 * (1.0 + value.abs()));
        let (mut total, mut mean, mut choose) = (0.0, 0.0, 1.0);
        for k in 0..=m {
            let p = model.probability_of_n_purchases(&seen, k, m).unwrap();
            let own = slow(alpha, beta, x + k, n - x + m - k) - value;
            prop_assert!((p - choose * own.exp()).abs() < 1e-9, "{} {}", p, own);
            total += p;
            mean += f64::from(k) * p;
            choose *= f64::from(m - k) / f64::from(k + 1);
        }
        prop_assert!((total - 1.0).abs() < 1e-9);
        prop_assert!((mean - model.expected_purchases(&seen, m).unwrap()).abs() < 1e-8);
        for beyond in [m + 1, m + 3, u32::MAX] {
            let p = model.probability_of_n_purchases(&seen, beyond, m).unwrap();
            prop_assert_eq!(p, 0.0);
        }
        // BG/BB of whom next to nobody leaves.
        let stay = BgBb::new(alpha, beta, 1e-28, 1.0).unwrap();
        prop_assert!((stay.log_likelihood(&seen) - value).abs() < 1e-6);
        let expected = stay.expected_purchases(&seen, m).unwrap();
        prop_assert!((mean - expected).abs() < 1e-5, "{} {}", mean, expected);
    }

    #[test]
    fn the_geometric_is_an_sbg_of_equals(theta in 0.01..0.99_f64, t in 0_u32..30, rate in 0.01..2.0_f64) {
        let model = Geometric::new(theta).unwrap();
        let equal = ShiftedBetaGeometric::new(1e9 * theta, 1e9 * (1.0 - theta)).unwrap();
        let survival = (1.0 - theta).powi(t as i32);
        prop_assert!((model.survival(t) - survival).abs() < 1e-12);
        prop_assert!((equal.survival(t) - survival).abs() < 1e-6);
        prop_assert!((model.retention_rate() - equal.retention_rate(t)).abs() < 1e-6);
        let sum: f64 = (0..20_000)
            .map(|j| (1.0 - theta).powi(j + 1) / (1.0 + rate).powi(j))
            .sum();
        let found = model.discounted_expected_residual_lifetime(rate).unwrap();
        prop_assert!((found - sum).abs() < 1e-9 * (1.0 + sum), "{} {}", found, sum);
    }
}

/// No point of a grid about the maximum is above it.
#[test]
fn fits_are_maxima() {
    let seen = [
        (0, 0, 5, 40.0),
        (1, 2, 5, 20.0),
        (3, 5, 5, 9.5),
        (5, 5, 5, 6.0),
        (2, 3, 3, 8.0),
    ];
    let seen = seen.map(|(x, last, n, w)| (history(x, last, n), w));
    let (model, report) = BetaBinomial::fit(&seen).unwrap().into_parts();
    let of = |model: &BetaBinomial| -> f64 {
        seen.iter().map(|(h, w)| w * model.log_likelihood(h)).sum()
    };
    assert!(report.converged && report.identifiability == Identifiability::Identified);
    assert!((report.log_likelihood - of(&model)).abs() < 1e-9);
    assert_eq!((report.n_customers, report.n_distinct), (83.5, 5));
    for i in -3..=3 {
        for j in -3..=3 {
            let [a, b] = [i, j].map(|k| (0.02 * f64::from(k)).exp());
            let other = BetaBinomial::new(model.alpha() * a, model.beta() * b).unwrap();
            assert!(of(&other) <= of(&model) + 1e-9);
        }
    }

    let cohorts = [vec![100.0, 60.0, 45.0, 45.0], vec![80.0, 70.0], vec![9.0]];
    let (model, report) = Geometric::fit(&cohorts).unwrap().into_parts();
    // 65 left in the 285 renewals that came up: 100 + 60 + 45 and 80.
    assert!((model.theta() - 65.0 / 285.0).abs() < 1e-15);
    let value = 65.0 * model.theta().ln() + 220.0 * (1.0 - model.theta()).ln();
    assert!((report.log_likelihood - value).abs() < 1e-9 && report.gradient_norm < 1e-12);
    let error = (model.theta() * (1.0 - model.theta()) / 285.0).sqrt();
    assert!((report.parameters[0].standard_error.unwrap() - error).abs() < 1e-12);
    assert_eq!(report.n_customers, 180.0);
}

/// What the simpler model explains as well is not taken for more.
#[test]
fn verdicts_name_the_simpler_model() {
    // All sequences of six opportunities, as often as a model finds them likely.
    let sequences = |likely: &dyn Fn(&OpportunityHistory) -> f64| {
        let all = (0_u32..64).map(|bits| {
            let seen = history(bits.count_ones(), 32 - bits.leading_zeros(), 6);
            (seen, 2000.0 * likely(&seen).exp())
        });
        all.collect::<Vec<_>>()
    };
    let stay = BetaBinomial::new(0.8, 1.5).unwrap();
    let stay = sequences(&|seen| stay.log_likelihood(seen));
    let leave = BgBb::new(0.8, 1.5, 0.7, 2.5).unwrap();
    let leave = sequences(&|seen| leave.log_likelihood(seen));
    let report = BgBb::fit(&stay).unwrap().report().clone();
    let Identifiability::NullSuffices { null, null_log_likelihood, p_value, .. } =
        &report.identifiability
    else {
        panic!("{report}")
    };
    assert!(null == "beta-binomial" && *p_value > 0.5);
    let own = BetaBinomial::fit(&stay).unwrap();
    assert_eq!(own.report().log_likelihood, *null_log_likelihood);
    assert!((own.model().alpha() - 0.8).abs() < 1e-3);
    assert!(own.report().bic() < report.bic());
    assert!(
        report.to_string().contains("the beta-binomial model explains the data as well")
    );
    let report = BgBb::fit(&leave).unwrap().report().clone();
    assert_eq!(report.identifiability, Identifiability::Identified, "{report}");

    // One rate for all, and the high-end customers of Fader & Hardie (2007), whose loss slows
    // down.
    let equal = [vec![1000.0, 800.0, 640.0, 512.0, 410.0]];
    let report = ShiftedBetaGeometric::fit(&equal).unwrap().report().clone();
    let Identifiability::NullSuffices { null, likelihood_ratio, .. } =
        &report.identifiability
    else {
        panic!("{report}")
    };
    assert!(null == "geometric" && *likelihood_ratio < 0.1);
    let high_end = [vec![1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0]];
    let report = ShiftedBetaGeometric::fit(&high_end).unwrap().report().clone();
    assert_eq!(report.identifiability, Identifiability::Identified);
    let own = Geometric::fit(&high_end).unwrap();
    assert!(own.report().aic() > report.aic() + 20.0);

    let json = serde_json::to_string(&Identifiability::NullSuffices {
        null: "geometric".to_owned(),
        null_log_likelihood: -3.0,
        likelihood_ratio: 0.5,
        p_value: 0.48,
    })
    .unwrap();
    assert!(json.starts_with(r#"{"null_suffices":{"null":"geometric""#), "{json}");
}

#[test]
fn null_models_are_checked() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            BetaBinomial::new(1.0, bad).is_err() && BetaBinomial::new(bad, 1.0).is_err()
        );
        assert!(Geometric::new(bad).is_err());
    }
    assert!(Geometric::new(1.0).unwrap_err().to_string().contains("above 0 and below 1"));
    assert!(serde_json::from_str::<Geometric>(r#"{"theta":2.0}"#).is_err());
    assert!(
        serde_json::from_str::<BetaBinomial>(r#"{"alpha":2.0,"beta":-1.0}"#).is_err()
    );
    let never = [(history(0, 0, 4), 9.0)];
    assert!(BetaBinomial::fit(&never).unwrap_err().to_string().contains("no purchase"));
    assert!(BetaBinomial::fit(&[(history(1, 1, 4), f64::NAN)]).is_err());
    assert!(Geometric::fit(&[]).is_err() && Geometric::fit(&[vec![9.0, 9.0]]).is_err());
    assert!(Geometric::fit(&[vec![5.0, 6.0]]).is_err());
    let model = BetaBinomial::new(1e-30, 1e30).unwrap();
    let seen = history(3, 9, 90_000);
    assert!(model.expected_purchases(&seen, 100_001).is_err());
    assert!(model.probability_of_n_purchases(&seen, 0, 100_001).is_err());
    assert!(model.log_likelihood(&seen).is_finite());
    let p = model.probability_of_n_purchases(&seen, 50_000, 100_000).unwrap();
    assert!((0.0..=1.0).contains(&p));
    // Customers who do not differ: a ridge without end has an answer.
    let same: Vec<_> = [(0, 1.0), (1, 4.0), (2, 6.0), (3, 4.0), (4, 1.0)]
        .map(|(x, w)| (history(x, if x == 0 { 0 } else { 4 }, 4), w * 100.0))
        .to_vec();
    let found = BetaBinomial::fit(&same).unwrap();
    let model = found.model();
    assert!((model.alpha() / (model.alpha() + model.beta()) - 0.5).abs() < 1e-6);
    assert!((found.report().log_likelihood - 6400.0 * 0.5_f64.ln()).abs() < 1e-3);
    assert_ne!(found.report().identifiability, Identifiability::Identified);
}

/// The donations of Fader, Hardie & Shang (2010), who give the beta-Bernoulli beside BG/BB.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_donors_leave() {
    let donors = data::donations();
    let null = BetaBinomial::fit(&donors).unwrap();
    let full = BgBb::fit(&donors).unwrap();
    assert!((null.model().alpha() - 0.487).abs() < 5e-4);
    assert!((null.model().beta() - 0.826).abs() < 5e-4);
    assert!((null.report().log_likelihood + 35_516.1).abs() < 0.05);
    assert_eq!(full.report().identifiability, Identifiability::Identified);
    assert!(null.report().log_likelihood < full.report().log_likelihood - 1000.0);
}
