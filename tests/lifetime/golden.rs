//! Values at the published parameters, computed with 40 digits.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{BgNbd, MbgNbd, ParetoNbd, PurchaseHistory, PurchaseModel};
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

pub(crate) fn close(found: f64, expected: f64, relative: f64, what: &str) {
    assert!(
        (found - expected).abs() <= relative * expected.abs() + 1e-15,
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
