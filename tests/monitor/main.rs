//! How customers stay, leave and return.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail")]

mod cohort;
mod engagement;
mod lifecycle;
mod log_rank;
mod many;
mod migration;
mod real;
mod survival;
mod times;

use proptest::prelude::ProptestConfig;
use serde_json::Value as Json;

/// Random tests keep no files.
fn cases(n: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(n) }
}

/// Curves and tests of lifelines; the file names the version and the command.
fn golden() -> Json {
    serde_json::from_str(include_str!("../golden/survival.json")).unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn truths(json: &Json) -> Vec<bool> {
    json.as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect()
}

fn texts(json: &Json) -> Vec<String> {
    json.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn close(name: &str, found: f64, expected: f64, relative: f64) {
    assert!(
        (found - expected).abs() <= relative * expected.abs().max(f64::MIN_POSITIVE),
        "{name}: {found} is not {expected}"
    );
}

/// Weeks in remission with and without 6-MP (Freireich et al. 1963), as every textbook has
/// them: weeks, whether the illness came back, and the group.
fn leukaemia() -> (Vec<f64>, Vec<bool>, Vec<&'static str>) {
    let drug =
        [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
    let none = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];
    let weeks = drug.iter().chain(&none).map(|&w| f64::from(w)).collect();
    let back = (0..42).map(|i| !(9..21).contains(&i)).collect();
    (weeks, back, (0..42).map(|i| if i < 21 { "6-MP" } else { "none" }).collect())
}
