//! Regular purchases: MBG/CNBD-k.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{MbgCnbd, PurchaseHistory, PurchaseModel};
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
