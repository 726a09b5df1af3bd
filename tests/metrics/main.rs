//! Scores of segmentations.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail")]

mod agreement;
mod choose;
mod internal;

use segmenta::ndarray::Array2;
use segmenta::{ErrorKind, Result};
use serde_json::Value as Json;

fn golden() -> Json {
    serde_json::from_str(include_str!("../golden/metrics.json")).unwrap()
}

fn integers(json: &Json) -> Vec<i64> {
    json.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn matrix(json: &Json) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = json.as_array().unwrap().iter().map(numbers).collect();
    let shape = (rows.len(), rows[0].len());
    Array2::from_shape_vec(shape, rows.concat()).unwrap()
}

#[track_caller]
fn close(name: &str, found: f64, expected: f64) {
    let scale = expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= 1e-10 * scale,
        "{name}: {found} is not {expected}"
    );
}

#[track_caller]
fn undefined<T: std::fmt::Debug>(result: Result<T>) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Undefined { .. }), "{error:?}");
    assert!(error.is_data());
}

fn distinct(labels: &[u8]) -> Vec<u8> {
    let mut groups = labels.to_vec();
    groups.sort_unstable();
    groups.dedup();
    groups
}
