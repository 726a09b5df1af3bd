//! Values at the published parameters, computed with 40 digits.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    BgBb, BgNbd, GammaGamma, LifetimeValue, MbgNbd, OpportunityHistory, ParetoNbd,
    PurchaseHistories, PurchaseHistory, PurchaseModel, ShiftedBetaGeometric,
    SpendHistory,
};
use serde_json::Value;

pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/lifetime.json")).unwrap()
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Relative to what is expected, so that 0 is met by 0 only.
pub(crate) fn close(found: f64, expected: f64, relative: f64, what: &str) {
    assert!(
        (found - expected).abs() <= relative * expected.abs(),
        "{what}: {found:e} instead of {expected:e}"
    );
}

fn model(kind: &str, p: &[f64]) -> Box<dyn PurchaseModel> {
    let week = TimeUnit::Week;
    match kind {
        "bgnbd" => Box::new(BgNbd::new(p[0], p[1], p[2], p[3], week).unwrap()),
        "mbgnbd" => Box::new(MbgNbd::new(p[0], p[1], p[2], p[3], week).unwrap()),
        _ => Box::new(ParetoNbd::new(p[0], p[1], p[2], p[3], week).unwrap()),
    }
}

/// Compares whatever the case tells.
fn check(model: &dyn PurchaseModel, case: &Value, horizon: f64, rate: f64, what: &str) {
    let history = PurchaseHistory::new(
        number(&case["x"]) as u64,
        number(&case["t_x"]),
        number(&case["T"]),
    )
    .unwrap();
    let mut n = 0;
    let mut one = |key: &str, relative: f64, found: f64| {
        if let Some(expected) = case[key].as_f64() {
            n += 1;
            close(found, expected, relative, &format!("{what} {case} {key}"));
        }
    };
    one("log_likelihood", 1e-12, model.log_likelihood(&history));
    one("p_alive", 1e-11, model.probability_alive(&history));
    one("cet", 1e-11, model.expected_purchases(&history, horizon).unwrap());
    let dert = model.discounted_expected_residual_transactions(&history, rate).unwrap();
    one("dert", 1e-11, dert);
    assert!(n >= 3, "{what} {case}");
}

#[test]
fn eleven_customers_of_three_models() {
    let golden = golden();
    let rate = number(&golden["dert_rate"]);
    for kind in ["bgnbd", "mbgnbd", "pnbd"] {
        let of = &golden[kind];
        let model = model(kind, &numbers(&of["params"]));
        let customers = of["customers"].as_array().unwrap();
        assert_eq!(customers.len(), 11);
        for case in customers {
            check(&*model, case, number(&of["horizon"]), rate, kind);
        }
    }
}

#[test]
fn points_at_which_the_textbook_formulas_break() {
    let golden = golden();
    let rate = number(&golden["dert_rate"]);
    let cases = golden["removable"].as_object().unwrap();
    assert_eq!(cases.len(), 6);
    for (name, case) in cases {
        let model = model(name.split('_').next().unwrap(), &numbers(&case["params"]));
        match case["cases"].as_array() {
            Some(cases) => {
                for case in cases {
                    check(&*model, case, 10.0, rate, name);
                }
            }
            None => check(&*model, case, number(&case["t"]), rate, name),
        }
    }
}

#[test]
fn residual_transactions_of_documented_customers() {
    let golden = golden();
    let of = &golden["btyd_dert"];
    let model = model("pnbd", &numbers(&of["params"]));
    for case in of["cases"].as_array().unwrap() {
        check(&*model, case, 1.0, 0.0027, "btyd");
    }
}

/// `∫ e^(−δt) (1 + t/β)^(−s) dt = β U(1, 2−s, δβ)`, and `U(1, 2−s, z) = z^(s−1) U(s, s, z)`.
#[test]
fn discounting_is_tricomis_function() {
    let golden = golden();
    let cases = golden["hyperu_s_s_z"].as_array().unwrap();
    assert_eq!(cases.len(), 30);
    for case in cases {
        let [s, z] = ["s", "z"].map(|key| number(&case[key]));
        // r / alpha = 1 and beta = 1 for a new customer.
        let model = ParetoNbd::new(1.0, 1.0, s, 1.0, TimeUnit::Week).unwrap();
        let new = PurchaseHistory::new_customer();
        let dert = model.discounted_expected_residual_transactions(&new, z).unwrap();
        let expected = z.powf(s - 1.0) * number(&case["value"]);
        close(dert, expected, 1e-12, &format!("{case}"));
    }
}

#[test]
fn new_customers() {
    let golden = golden();
    for kind in ["bgnbd", "mbgnbd", "pnbd"] {
        let of = &golden[format!("{kind}_population")];
        let model = model(kind, &numbers(&of["params"]));
        for (t, expected) in of["expected_purchases"].as_object().unwrap() {
            let found =
                model.expected_purchases_new_customer(t.parse().unwrap()).unwrap();
            close(found, number(expected), 1e-12, &format!("{kind} {t}"));
        }
    }
    let of = &golden["bgnbd_population"];
    let model = model("bgnbd", &numbers(&of["params"]));
    for (key, expected) in of["pmf"].as_object().unwrap() {
        let (t, n) = key.split_once(',').unwrap();
        let t: f64 = t.trim_start_matches("t=").parse().unwrap();
        let n: u64 = n.trim_start_matches("n=").parse().unwrap();
        let found = model.probability_of_n_purchases_new_customer(n, t).unwrap();
        close(found, number(expected), 1e-12, key);
    }
}

#[test]
fn spend_of_four_customers_and_of_a_new_one() {
    let golden = golden();
    let of = &golden["gamma_gamma"];
    let p = numbers(&of["params"]);
    let model = GammaGamma::new(p[0], p[1], p[2]).unwrap();
    let new = model.expected_customer_spend(&SpendHistory::none()).unwrap();
    close(new, number(&of["population_mean"]), 1e-12, "population mean");
    for case in of["customers"].as_array().unwrap() {
        let (x, m) = (number(&case["x"]) as u64, number(&case["m"]));
        let history = match x {
            0 => SpendHistory::none(),
            _ => SpendHistory::new(x, m).unwrap(),
        };
        let spend = model.expected_customer_spend(&history).unwrap();
        close(spend, number(&case["expected_spend"]), 1e-12, &format!("{case}"));
        if let Some(expected) = case["log_likelihood"].as_f64() {
            close(model.log_likelihood(&history), expected, 1e-12, &format!("{case}"));
        }
    }
}

#[test]
fn six_donors() {
    let golden = golden();
    let of = &golden["bgbb"];
    let p = numbers(&of["params"]);
    let model = BgBb::new(p[0], p[1], p[2], p[3]).unwrap();
    let [n, ahead] = ["n", "n_star"].map(|key| number(&of[key]) as u32);
    for case in of["cells"].as_array().unwrap() {
        let [x, last] = ["x", "t_x"].map(|key| number(&case[key]) as u32);
        let donor = OpportunityHistory::new(x, last, n).unwrap();
        let dert = model
            .discounted_expected_residual_transactions(&donor, number(&of["d"]))
            .unwrap();
        for (key, found) in [
            ("log_likelihood", model.log_likelihood(&donor)),
            ("p_alive_at_n", model.probability_alive(&donor)),
            ("p_alive_at_n_plus_1", model.probability_alive_at(&donor, 1)),
            ("cet", model.expected_purchases(&donor, ahead).unwrap()),
            ("dert", dert),
        ] {
            close(found, number(&case[key]), 1e-12, &format!("{case} {key}"));
        }
    }
}

#[test]
fn contracts() {
    let golden = golden();
    for of in golden["sbg"].as_object().unwrap().values() {
        let p = numbers(&of["params"]);
        let model = ShiftedBetaGeometric::new(p[0], p[1]).unwrap();
        for (t, expected) in of["curve"].as_object().unwrap() {
            let renewals = t.parse().unwrap();
            close(model.survival(renewals), number(&expected["survival"]), 1e-13, t);
            let rate = number(&expected["retention_rate"]);
            close(model.retention_rate(renewals), rate, 1e-13, t);
        }
        let derl = of["DERL_after_n_minus_1_renewals_d_0_1"].as_object().unwrap();
        for (n, expected) in derl {
            let tenure = n.parse::<u32>().unwrap() - 1;
            let found = model.discounted_expected_residual_lifetime(tenure, 0.1).unwrap();
            close(found, number(expected), 1e-12, n);
        }
    }
}

/// Survivors of Fader & Hardie (2007), table 1, and the estimates of their seven years.
#[test]
fn contracts_are_estimated() {
    let golden = golden();
    for name in ["sbg_high_end_7yr", "sbg_regular_7yr"] {
        let of = &golden["fits"][name]["sbg"];
        let cohort = numbers(&of["survival_pct"]).iter().map(|s| s * 10.0).collect();
        let fitted = ShiftedBetaGeometric::fit(&[cohort]).unwrap();
        let report = fitted.report();
        assert!(report.converged);
        close(report.log_likelihood, number(&of["log_likelihood"]), 1e-10, name);
        for (name, expected) in of["params"].as_object().unwrap() {
            close(report.parameter(name).unwrap().value, number(expected), 1e-6, name);
        }
    }
}

/// Steps of 4.345 weeks, each discounted by 1 %, as lifetimes 0.11.3 counts months.
#[test]
fn values_of_five_customers() {
    let golden = golden();
    let of = &golden["fits"]["cdnow_sample_2357_weeks_exact"];
    let clv = &of["lifetimes_0_11_3_clv"];
    let p: Vec<f64> =
        ["r", "alpha", "a", "b"].iter().map(|k| number(&clv["bgf_params"][k])).collect();
    let purchases = model("bgnbd", &p);
    let [p, q, gamma] = ["p", "q", "v"].map(|k| number(&clv["ggf_params"][k]));
    let spend = GammaGamma::new(p, q, gamma).unwrap();
    let month = 4.345;
    let value = LifetimeValue::new(12.0 * month, TimeUnit::Week)
        .step(month)
        .annual_discount_rate(1.01_f64.powf(365.25 / (7.0 * month)) - 1.0);
    let mut n = 0;
    for customer in of["predictions"]["customers"].as_array().unwrap() {
        let x = number(&customer["x"]) as u64;
        let history =
            PurchaseHistory::new(x, number(&customer["t_x"]), number(&customer["T"]))
                .unwrap();
        let own = match x {
            0 => SpendHistory::none(),
            _ => SpendHistory::new(x, number(&customer["m"])).unwrap(),
        };
        let id = customer["id"].to_string();
        let Some(expected) = clv["values"][id.as_str()].as_f64() else { continue };
        let spend = spend.expected_customer_spend(&own).unwrap();
        let found = value.customer_lifetime_value(&*purchases, &history, spend).unwrap();
        close(found, expected, 1e-9, &id);
        n += 1;
    }
    assert_eq!(n, 5);
}

/// A kind, its parameters; repeat purchases, age at the last, age, horizon; the probability of
/// being alive, the log-likelihood, expected purchases, the probability of being alive at the
/// horizon.
type Corner = (&'static str, [f64; 4], [f64; 4], [f64; 4]);

/// Computed from the hypergeometric formulas of the papers, with 110 digits (mpmath 1.3).
#[allow(clippy::unreadable_literal, clippy::excessive_precision)]
const CORNERS: [Corner; 15] = [
    (
        "mbgnbd",
        [0.5, 4.0, 0.5, 1e-08],
        [0.0, 0.0, 10.0, 10.0],
        [
            1.0690449562211263e-8,
            -9.3095501806458842e-9,
            3.3066345355095583e-9,
            9.7087090722257228e-9,
        ],
    ),
    (
        "mbgnbd",
        [0.5, 4.0, 1e-25, 1e-25],
        [0.0, 0.0, 10.0, 10.0],
        [
            0.34833147735478828,
            -0.26492793337402727,
            0.12440409905528153,
            0.34833147735478828,
        ],
    ),
    (
        "bgnbd",
        [0.5, 4.0, 1e-10, 3e-10],
        [0.0, 0.0, 10.0, 10.0],
        [1.0, -0.626381484247684, 0.32691648889652784, 0.94094065394932376],
    ),
    (
        "bgnbd",
        [0.5, 4.0, 1e-17, 1e-17],
        [0.0, 0.0, 0.0, 10.0],
        [1.0, 0.0, 0.85773875808757561, 0.76726124191242438],
    ),
    (
        "bgnbd",
        [0.5, 4.0, 1e-30, 1e-30],
        [0.0, 0.0, 0.0, 10.0],
        [1.0, 0.0, 0.85773875808757562, 0.76726124191242438],
    ),
    (
        "bgnbd",
        [0.5, 4.0, 0.5, 1e-20],
        [1.0, 5.0, 10.0, 10.0],
        [
            1.0308647902336369e-20,
            -3.2958368660043291,
            8.8123689673486431e-21,
            7.8733598875173577e-21,
        ],
    ),
    (
        "bgnbd",
        [1e30, 1e30, 2.0, 8.0],
        [3.0, 20.0, 38.0, 39.0],
        [
            7.6149892924756508e-8,
            -22.21557363985452,
            7.0953975854195511e-7,
            4.1323579920074484e-9,
        ],
    ),
    (
        "bgnbd",
        [1e15, 1e15, 2.0, 8.0],
        [3.0, 20.0, 38.0, 39.0],
        [
            7.6149892924792146e-8,
            -22.215573639854377,
            7.095397585422814e-7,
            4.1323579920096172e-9,
        ],
    ),
    (
        "bgnbd",
        [0.243, 4.4, 1e30, 1e30],
        [3.0, 20.0, 38.0, 39.0],
        [
            0.14283148296596503,
            -12.314675760120718,
            0.20191994198195582,
            0.041871511974987119,
        ],
    ),
    (
        "pareto",
        [0.5, 1e-30, 1.0, 1e12],
        [0.0, 0.0, 1e12, 39.0],
        [
            0.28004957675577869,
            -47.77464550179084,
            5.46096674668444e-12,
            0.28004957675031772,
        ],
    ),
    (
        "pareto",
        [0.9, 1e-14, 1.0, 1e12],
        [0.0, 0.0, 1e12, 39.0],
        [
            0.05309135162291608,
            -51.637897122996742,
            1.8635064419461853e-12,
            0.053091351621880799,
        ],
    ),
    (
        "pareto",
        [1.2, 1e-05, 1.0, 1e12],
        [0.0, 0.0, 1e12, 39.0],
        [
            3.9830010984198114e-5,
            -37.534993192644721,
            1.8640445140422972e-15,
            3.9830010983421428e-5,
        ],
    ),
    (
        "pareto",
        [0.5, 10.0, 50.0, 0.001],
        [1.0, 1.0, 1.0, 39.0],
        [1.0, -348.57643650902151, 0.0027857142857142857, 8.2825000323670794e-81],
    ),
    (
        "pareto",
        [1e30, 1e30, 2.0, 8.0],
        [3.0, 20.0, 38.0, 39.0],
        [
            8.720610888709492e-8,
            -25.243408257177897,
            1.8405618746288034e-6,
            2.5540225107971329e-8,
        ],
    ),
    (
        "pareto",
        [0.5, 10.0, 1e-14, 100.0],
        [3.0, 20.0, 38.0, 39.0],
        [
            0.9999999999999966,
            -11.769302332258221,
            2.8437499999999866,
            0.99999999999999411,
        ],
    ),
];

#[test]
fn corners_have_their_values() {
    for (kind, parameters, [x, last, age, horizon], expected) in CORNERS {
        let model = model(kind, &parameters);
        let history = PurchaseHistory::new(x as u64, last, age).unwrap();
        let found = [
            model.probability_alive(&history),
            model.log_likelihood(&history),
            model.expected_purchases(&history, horizon).unwrap(),
            model.probability_alive_at(&history, horizon).unwrap(),
        ];
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            // Logarithms near 0 are differences of others.
            let least = if i == 1 { 1e-13 } else { 0.0 };
            let off = (found - expected).abs();
            assert!(
                off <= 1e-9 * expected.abs() + least,
                "{model:?} {history:?} {i}: {found} {expected}"
            );
        }
        let all = PurchaseHistories::new(TimeUnit::Week, vec![history; 3]);
        for many in model.expected_purchases_all(&all, horizon).unwrap() {
            assert_eq!(many.to_bits(), found[2].to_bits());
        }
    }
}
