//! What must hold for all parameters, and against slow and obvious ways.

use proptest::prelude::*;
use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    AnyPurchaseModel, BgBb, BgNbd, CovariateModel, GammaGamma, MbgCnbd, MbgNbd, Nbd,
    OpportunityHistory, ParetoNbd, PurchaseHistories, PurchaseHistory, PurchaseModel,
    PurchaseModelKind, SpendHistory,
};
use segmenta::ndarray::Array2;

const WEEK: TimeUnit = TimeUnit::Week;

/// A number of any size from `10^low` to `10^high`.
fn sized(low: f64, high: f64) -> impl Strategy<Value = f64> {
    (low..high).prop_map(|x| 10_f64.powf(x))
}

fn model_of(kind: usize, p: [f64; 4]) -> AnyPurchaseModel {
    match kind {
        0 => Nbd::new(p[0], p[1], WEEK).unwrap().into(),
        1 => BgNbd::new(p[0], p[1], p[2], p[3], WEEK).unwrap().into(),
        2 => MbgNbd::new(p[0], p[1], p[2], p[3], WEEK).unwrap().into(),
        3 => ParetoNbd::new(p[0], p[1], p[2], p[3], WEEK).unwrap().into(),
        _ => {
            let k = 1 + (p[3].to_bits() % 20) as u32;
            MbgCnbd::new(k, p[0], p[1], p[2], p[3], WEEK).unwrap().into()
        }
    }
}

pub(crate) fn models(low: f64, high: f64) -> impl Strategy<Value = AnyPurchaseModel> {
    let parameter = move || sized(low, high);
    (0_usize..5, [parameter(), parameter(), parameter(), parameter()])
        .prop_map(|(kind, p)| model_of(kind, p))
}

fn histories(most: u64) -> impl Strategy<Value = PurchaseHistory> {
    (0..=most, 0.0..=1.0, sized(-2.0, 3.0)).prop_map(|(x, share, age)| {
        let last = if x == 0 { 0.0 } else { share * age };
        PurchaseHistory::new(x, last, age).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_answers_are_finite_and_in_their_range(
        model in models(-8.0, 6.0),
        history in histories(1000),
        t in sized(-4.0, 6.0),
        more in 1.0..50.0_f64,
        n in 0_u64..200,
    ) {
        let alive = model.probability_alive(&history);
        prop_assert!((0.0..=1.0).contains(&alive), "{alive}");
        prop_assert!(model.log_likelihood(&history).is_finite());
        let soon = model.expected_purchases(&history, t).unwrap();
        let later = model.expected_purchases(&history, t * more).unwrap();
        prop_assert!(soon.is_finite() && soon >= 0.0, "{soon}");
        prop_assert!(later.is_finite() && later >= soon * (1.0 - 1e-9), "{soon} {later}");
        prop_assert_eq!(model.expected_purchases(&history, 0.0).unwrap(), 0.0);
        let p = model.probability_of_n_purchases(&history, n, t).unwrap();
        prop_assert!((0.0..=1.0).contains(&p), "{p}");
        let ahead = model.probability_alive_at(&history, t).unwrap();
        prop_assert!((0.0..=alive * (1.0 + 1e-12)).contains(&ahead), "{ahead} {alive}");
        let rate = 1.0 / t;
        let residual = model.discounted_expected_residual_transactions(&history, rate).unwrap();
        prop_assert!(residual.is_finite() && residual >= 0.0, "{residual}");
    }

    /// A pmf sums to 1 and has the mean that the formula of the mean tells.
    #[test]
    fn counts_add_up_to_their_expectation(
        model in models(-1.0, 1.0),
        history in histories(12),
        t in sized(-1.0, 1.3),
    ) {
        let (mut total, mut mean) = (0.0, 0.0);
        let expected = model.expected_purchases(&history, t).unwrap();
        // Of those who have not left: counts below theirs may be as rare as those above.
        let most = expected / model.probability_alive(&history);
        prop_assume!(most < 1000.0);
        for n in 0..4000 {
            let p = model.probability_of_n_purchases(&history, n, t).unwrap();
            total += p;
            mean += n as f64 * p;
            if n as f64 > 20.0 + most && p * (n as f64) < 1e-13 {
                break;
            }
        }
        prop_assert!((total - 1.0).abs() < 1e-8, "{total}");
        prop_assert!((mean - expected).abs() < 1e-6 * (1.0 + expected), "{mean} {expected}");
    }

    #[test]
    fn donors_add_up(
        p in [sized(-2.0, 2.0), sized(-2.0, 2.0), sized(-2.0, 2.0), sized(-2.0, 2.0)],
        x in 0_u32..5,
        silent in 0_u32..4,
        ahead in 0_u32..12,
    ) {
        let model = BgBb::new(p[0], p[1], p[2], p[3]).unwrap();
        let last = if x == 0 { 0 } else { x + 1 };
        let donor = OpportunityHistory::new(x, last, last + silent).unwrap();
        let (mut total, mut mean) = (0.0, 0.0);
        for n in 0..=ahead {
            let p = model.probability_of_n_purchases(&donor, n, ahead).unwrap();
            total += p;
            mean += f64::from(n) * p;
        }
        prop_assert!((total - 1.0).abs() < 1e-10, "{total}");
        let expected = model.expected_purchases(&donor, ahead).unwrap();
        prop_assert!((mean - expected).abs() < 1e-9, "{mean} {expected}");
        // All histories of so many opportunities have probabilities that sum to 1.
        let n = 5_u32;
        let mut all = 0.0;
        for last in 0..=n {
            for x in u32::from(last > 0)..=last {
                let cell = OpportunityHistory::new(x, last, n).unwrap();
                // Orders of x − 1 purchases among the opportunities before the last one.
                let orders: f64 = if x < 2 {
                    1.0
                } else {
                    (1..x).fold(1.0, |c, i| c * f64::from(last - i) / f64::from(i))
                };
                all += orders * model.log_likelihood(&cell).exp();
            }
        }
        prop_assert!((all - 1.0).abs() < 1e-10, "{all}");
    }

    #[test]
    fn spend_lies_between_hers_and_everybodys(
        p in [sized(-1.0, 1.5), sized(0.1, 1.5), sized(-1.0, 3.0)],
        x in 1_u64..50,
        m in sized(-1.0, 4.0),
    ) {
        let model = GammaGamma::new(p[0], p[1], p[2]).unwrap();
        let all = model.expected_customer_spend(&SpendHistory::none()).unwrap();
        let own = model.expected_customer_spend(&SpendHistory::new(x, m).unwrap()).unwrap();
        prop_assert!(own >= all.min(m) * (1.0 - 1e-12) && own <= all.max(m) * (1.0 + 1e-12));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Discounting by hand, day by day.
    #[test]
    fn residual_transactions_are_a_sum_of_discounted_purchases(
        model in models(-0.7, 0.9),
        history in histories(20),
    ) {
        // Those of regular purchases are compared with an integral, which is quicker.
        prop_assume!(!matches!(model, AnyPurchaseModel::MbgCnbd(_)));
        let rate = 0.05;
        let (mut sum, mut before) = (0.0, 0.0);
        let step = 0.05;
        for i in 1..9_000 {
            let t = step * f64::from(i);
            let now = model.expected_purchases(&history, t).unwrap();
            sum += (now - before) * (-rate * (t - 0.5 * step)).exp();
            before = now;
        }
        let found = model.discounted_expected_residual_transactions(&history, rate).unwrap();
        // A purchase lies at most half a step from where it is discounted.
        let off = (rate * 0.5 * step).exp_m1();
        prop_assert!((found - sum).abs() < off * found + 1e-12, "{found} {sum}");
    }
}

/// Customers of a model, drawn from it: purchases at times of their own.
pub(crate) fn drawn(kind: PurchaseModelKind, n: u64) -> PurchaseHistories {
    // A plain generator of the tests' own.
    let mut state = 88_172_645_463_325_252_u64;
    let mut unit = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut rows = Vec::new();
    for i in 0..n {
        // Gamma of shape 1: exponential rates, mean 1/4 and 1/40.
        let lambda = -unit().max(1e-12).ln() * 0.25;
        let leaves_at = -unit().max(1e-12).ln() / (-unit().max(1e-12).ln() / 40.0);
        let p = unit() * 0.5;
        let age = 30.0 + (i % 20) as f64;
        let (mut t, mut x, mut last) = (0.0, 0, 0.0);
        if kind == PurchaseModelKind::MbgNbd && unit() < p {
            rows.push(PurchaseHistory::new(0, 0.0, age).unwrap());
            continue;
        }
        loop {
            t += -unit().max(1e-12).ln() / lambda;
            if t > age || (kind == PurchaseModelKind::ParetoNbd && t > leaves_at) {
                break;
            }
            (x, last) = (x + 1, t);
            let leaves =
                matches!(kind, PurchaseModelKind::BgNbd | PurchaseModelKind::MbgNbd);
            if leaves && unit() < p {
                break;
            }
        }
        rows.push(PurchaseHistory::new(x, last, age).unwrap());
    }
    PurchaseHistories::new(WEEK, rows)
}

/// The log-likelihood of a report is what the model says, history by history, and no step in
/// any direction raises it: the derivatives of the search are those of the function.
#[test]
fn estimates_are_maxima() {
    for kind in PurchaseModelKind::ALL {
        for n in [400, 6000] {
            let histories = drawn(kind, n);
            let fitted = kind.fit(&histories).unwrap();
            let report = fitted.report();
            assert!(report.converged, "{report}");
            let at = |p: &[f64]| {
                let p =
                    [p[0], p[1], *p.get(2).unwrap_or(&1.0), *p.get(3).unwrap_or(&1.0)];
                let kind =
                    PurchaseModelKind::ALL.iter().position(|k| *k == kind).unwrap();
                model_of(kind, p).log_likelihood_of_all(&histories).unwrap()
            };
            let p: Vec<f64> = report.parameters.iter().map(|p| p.value).collect();
            let best = at(&p);
            assert!((best - report.log_likelihood).abs() < 1e-9 * best.abs(), "{kind:?}");
            for i in 0..p.len() {
                for factor in [0.98, 0.999, 1.001, 1.02] {
                    let mut q = p.clone();
                    q[i] *= factor;
                    assert!(at(&q) < best, "{kind:?} {i} {factor} {report}");
                }
            }
            // Second differences of the function are the curvatures behind the standard
            // errors.
            let covariance = report.covariance.as_ref().unwrap();
            let k = p.len();
            for i in 0..k {
                for j in 0..k {
                    // Σ H C = −1, with H by differences.
                    let mut product = 0.0;
                    for (m, row) in covariance.iter().enumerate() {
                        let (h, g) = (2e-3 * p[i], 2e-3 * p[m]);
                        let f = |a: f64, b: f64| {
                            let mut q = p.clone();
                            q[i] += a * h;
                            q[m] += b * g;
                            at(&q)
                        };
                        let second = (f(1.0, 1.0) - f(1.0, -1.0) - f(-1.0, 1.0)
                            + f(-1.0, -1.0))
                            / (4.0 * h * g);
                        product -= second * row[j];
                    }
                    let one = f64::from(u8::from(i == j));
                    assert!(
                        (product * p[i] / p[j] - one).abs() < 0.02,
                        "{kind:?} {i} {j} {product}"
                    );
                }
            }
        }
    }
}

/// What was put in comes out: the truth lies within four standard errors.
#[test]
fn parameters_of_simulated_customers_are_found() {
    let histories = drawn(PurchaseModelKind::ParetoNbd, 20_000);
    let fitted = PurchaseModelKind::ParetoNbd.fit(&histories).unwrap();
    for (name, truth) in [("r", 1.0), ("alpha", 4.0), ("s", 1.0), ("beta", 40.0)] {
        let parameter = fitted.report().parameter(name).unwrap();
        let error = (parameter.value - truth) / parameter.standard_error.unwrap();
        assert!(error.abs() < 4.0, "{}", fitted.report());
    }
}

/// Weights are counts, and the order of the customers does not matter.
#[test]
fn weights_are_customers() {
    for kind in PurchaseModelKind::ALL {
        let few = drawn(kind, 300);
        let mut twice = few.as_slice().to_vec();
        twice.extend(few.as_slice().iter().rev());
        let twice = PurchaseHistories::new(WEEK, twice);
        let weighted = few.clone().with_weights(vec![2.0; few.len()]).unwrap();
        // Equal histories with weights of their own: 1.5 and 0.5.
        let uneven = twice.clone().with_weights(
            (0..twice.len()).map(|i| if i < few.len() { 1.5 } else { 0.5 }).collect(),
        );
        let a = kind.fit(&twice).unwrap();
        for b in [&weighted, &uneven.unwrap()] {
            let b = kind.fit(b).unwrap();
            assert_eq!(a.report().n_customers, b.report().n_customers);
            for (a, b) in a.report().parameters.iter().zip(&b.report().parameters) {
                assert!((a.value / b.value - 1.0).abs() < 1e-9, "{a:?} {b:?}");
            }
        }
    }
}

/// Another ruler changes what carries time, and nothing else.
#[test]
fn days_and_weeks_tell_the_same() {
    for kind in PurchaseModelKind::ALL {
        let weeks = drawn(kind, 500);
        let days = weeks.as_slice().iter().map(|h| {
            PurchaseHistory::new(
                h.frequency(),
                7.0 * h.age_at_last_purchase(),
                7.0 * h.age(),
            )
            .unwrap()
        });
        let days = PurchaseHistories::new(TimeUnit::Day, days.collect());
        let (w, d) = (kind.fit(&weeks).unwrap(), kind.fit(&days).unwrap());
        for i in [3, 77, 400] {
            let (history_w, history_d) = (weeks.get(i).unwrap(), days.get(i).unwrap());
            let a = w.model().expected_purchases(&history_w, 10.0).unwrap();
            let b = d.model().expected_purchases(&history_d, 70.0).unwrap();
            assert!((a - b).abs() < 1e-6 * (1.0 + a), "{kind:?} {a} {b}");
        }
        assert!(w.model().expected_purchases_all(&days, 1.0).is_err());
    }
}

/// Attributes that change nothing have no effects, and those that do are found; the search's
/// derivatives are those of the function.
#[test]
fn attributes_change_what_they_change() {
    for kind in PurchaseModelKind::ALL {
        let plain = drawn(kind, 800);
        // Every second customer lives twice as fast: ages halve.
        let rows = plain.as_slice().iter().enumerate().map(|(i, h)| {
            let speed = if i % 2 == 0 { 1.0 } else { 2.0 };
            PurchaseHistory::new(
                h.frequency(),
                h.age_at_last_purchase() / speed,
                h.age() / speed,
            )
            .unwrap()
        });
        let histories = PurchaseHistories::new(WEEK, rows.collect());
        let z = Array2::from_shape_fn((800, 2), |(i, j)| match j {
            0 => (i % 2) as f64,
            _ => ((i * 7919) % 13) as f64 / 6.0 - 1.0,
        });
        let fitted =
            CovariateModel::fit(kind, &histories, z.view(), &["fast", "noise"]).unwrap();
        let report = fitted.report();
        assert!(report.converged, "{report}");
        let fast = report.parameter("alpha:fast").unwrap();
        let error = fast.standard_error.unwrap();
        assert!((fast.value - 2_f64.ln()).abs() < 4.0 * error && error < 0.3, "{report}");
        for p in report.parameters.iter().filter(|p| p.name.ends_with("noise")) {
            assert!(p.value.abs() < 4.0 * p.standard_error.unwrap(), "{report}");
        }
        // What the report tells is the sum over the customers' own models, and a maximum.
        let total = |model: &CovariateModel| -> f64 {
            let each = histories.as_slice().iter().enumerate();
            each.map(|(i, h)| {
                model.model_of(&z.row(i).to_vec()).unwrap().log_likelihood(h)
            })
            .sum()
        };
        let best = total(fitted.model());
        assert!((best - report.log_likelihood).abs() < 1e-8 * best.abs());
        let json = serde_json::to_value(fitted.model()).unwrap();
        for (i, effects) in json["effects"].as_array().unwrap().iter().enumerate() {
            for j in 0..effects.as_array().unwrap().len() {
                for step in [-0.02, 0.02] {
                    let mut other = json.clone();
                    let old = other["effects"][i][j].as_f64().unwrap();
                    other["effects"][i][j] = (old + step).into();
                    let other: CovariateModel = serde_json::from_value(other).unwrap();
                    assert!(total(&other) < best, "{kind:?} {i} {j}");
                }
            }
        }
        assert!(fitted.model().model_of(&[1.0]).is_err());
        assert!(fitted.model().model_of(&[1.0, f64::NAN]).is_err());
        assert!(fitted.model().model_of(&[1.0, 1e9]).is_err());
    }
    let histories = drawn(PurchaseModelKind::Nbd, 10);
    let z = Array2::from_elem((10, 1), 1.0);
    let fit = |z: &Array2<f64>, names: &[&str]| {
        CovariateModel::fit(PurchaseModelKind::Nbd, &histories, z.view(), names)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(fit(&Array2::from_elem((9, 1), 1.0), &["a"]).contains("attributes"));
    assert!(fit(&z, &["a", "b"]).contains("columns"));
    assert!(fit(&Array2::from_elem((10, 2), 1.0), &["a", "a"]).contains("twice"));
    assert!(fit(&Array2::from_elem((10, 1), f64::NAN), &["a"]).contains("row 0"));
}

/// Many customers at once have the bits of each alone.
#[test]
fn many_at_once_are_each_alone() {
    for kind in PurchaseModelKind::ALL {
        let histories = drawn(kind, 2500);
        for p in [[0.243, 4.4, 0.793, 2.4], [0.243, 4.4, 1.0, 0.2], [3.0, 0.5, 9.0, 0.01]]
        {
            let at = PurchaseModelKind::ALL.iter().position(|k| *k == kind).unwrap();
            let model = model_of(at, p);
            for t in [0.0, 1.0, 39.0, 1e5] {
                let all = model.expected_purchases_all(&histories, t).unwrap();
                for (history, found) in histories.as_slice().iter().zip(&all) {
                    let alone = model.expected_purchases(history, t).unwrap();
                    assert_eq!(
                        found.to_bits(),
                        alone.to_bits(),
                        "{model:?} {history:?} {t}"
                    );
                }
            }
        }
    }
}
