//! The corners of the whole space of parameters, with values of many digits.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    AnyPurchaseModel, BgBb, BgNbd, MbgCnbd, MbgNbd, Nbd, OpportunityHistory, ParetoNbd,
    PurchaseHistory, PurchaseModel,
};
use serde_json::Value;

use crate::golden::{close, number};

const WEEK: TimeUnit = TimeUnit::Week;

fn corners() -> Value {
    serde_json::from_str(include_str!("../golden/lifetime_corners.json")).unwrap()
}

fn corner(of: &Value, at: usize) -> [f64; 4] {
    [0, 1, 2, 3].map(|i| number(&of["sizes"][at >> (2 * i) & 3]))
}

fn model(kind: &str, [p, q, u, v]: [f64; 4]) -> AnyPurchaseModel {
    match kind {
        "nbd" => Nbd::new(p, q, WEEK).unwrap().into(),
        "bgnbd" => BgNbd::new(p, q, u, v, WEEK).unwrap().into(),
        "mbgnbd" => MbgNbd::new(p, q, u, v, WEEK).unwrap().into(),
        "mbgcnbd" => MbgCnbd::new(1, p, q, u, v, WEEK).unwrap().into(),
        _ => ParetoNbd::new(p, q, u, v, WEEK).unwrap().into(),
    }
}

/// Logarithms near 0 are differences of others.
fn near(found: f64, expected: f64, relative: f64, what: &dyn std::fmt::Debug) {
    let least = relative * expected.abs() + 1e-13;
    assert!((found - expected).abs() <= least, "{what:?}: {found:e} not {expected:e}");
}

#[test]
fn likelihoods_have_their_values() {
    let of = corners();
    let customers: Vec<PurchaseHistory> = of["customers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            let x = c[0].as_u64().unwrap();
            PurchaseHistory::new(x, number(&c[1]), number(&c[2])).unwrap()
        })
        .collect();
    // With one step a purchase, MBG/CNBD-k is MBG/NBD.
    for (kind, values, corners) in [
        ("nbd", "nbd", 16),
        ("bgnbd", "bgnbd", 256),
        ("mbgnbd", "mbgnbd", 256),
        ("mbgcnbd", "mbgnbd", 256),
        ("pareto", "pareto", 256),
    ] {
        let rows = of[values].as_array().unwrap();
        assert_eq!(rows.len(), corners);
        for (at, row) in rows.iter().enumerate() {
            let model = model(kind, corner(&of, at));
            for (i, customer) in customers.iter().enumerate() {
                let found = model.log_likelihood(customer);
                let expected = number(&row[i]);
                // With r and alpha of 1e30, numbers of 1e17 cancel for 2^53 purchases.
                let relative = if at % 16 == 15 && i == 2 { 1e-9 } else { 1e-12 };
                near(found, expected, relative, &(&model, customer));
            }
            // Of a customer of whom nothing was seen nothing is unlikely.
            let new = PurchaseHistory::new_customer();
            near(model.log_likelihood(&new), 0.0, 0.0, &model);
        }
    }
}

#[test]
fn opportunities_have_their_values() {
    let of = corners();
    let ahead = of["ahead"].as_u64().unwrap() as u32;
    let rows = of["bg_bb"].as_array().unwrap();
    assert_eq!(rows.len(), 256);
    for (at, row) in rows.iter().enumerate() {
        let [alpha, beta, gamma, delta] = corner(&of, at);
        let model = BgBb::new(alpha, beta, gamma, delta).unwrap();
        for (i, donor) in of["donors"].as_array().unwrap().iter().enumerate() {
            let [x, last, n] = [0, 1, 2].map(|i| donor[i].as_u64().unwrap() as u32);
            let donor = OpportunityHistory::new(x, last, n).unwrap();
            let found = [
                model.log_likelihood(&donor),
                model.probability_alive(&donor),
                model.expected_purchases(&donor, ahead).unwrap(),
            ];
            let expected = [0, 1, 2].map(|j| number(&row[i][j]));
            near(found[0], expected[0], 1e-12, &(&model, donor));
            for j in [1, 2] {
                close(found[j], expected[j], 1e-12, &format!("{model:?} {donor:?} {j}"));
            }
        }
    }
}
