//! Estimates on CDNOW and Online Retail, against published values and independent fits.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    BgNbd, EstimationReport, MbgNbd, Nbd, ParetoNbd, PurchaseHistories,
};
use serde_json::Value;

use crate::golden::{close, golden, number};

fn check_fit(report: &EstimationReport, of: &Value, relative: f64) {
    println!("{report}");
    let what = &report.model;
    assert!(report.converged);
    let expected = number(&of["log_likelihood"]);
    assert!(
        (report.log_likelihood - expected).abs()
            < 1e-6 * (expected.abs() * 1e-4).max(1.0),
        "{what}: {} {expected}",
        report.log_likelihood
    );
    for (name, expected) in of["params"].as_object().unwrap() {
        let found = report.parameter(name).unwrap();
        close(found.value, number(expected), relative, &format!("{what} {name}"));
        if let Some(expected) = of["std_err"][name.as_str()].as_f64() {
            let found = found.standard_error.unwrap();
            close(found, expected, 100.0 * relative, &format!("{what} se of {name}"));
        }
    }
}

/// The sample's summary with times rounded to hundredths of a week.
fn rounded() -> PurchaseHistories {
    let folder =
        std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA names the folder of data");
    let path = format!("{folder}/cdnow/cdnow_customers_summary.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let n = fields.len();
        columns.0.push(fields[n - 3].parse().unwrap());
        columns.1.push(fields[n - 2].parse().unwrap());
        columns.2.push(fields[n - 1].parse().unwrap());
    }
    PurchaseHistories::from_columns(TimeUnit::Week, &columns.0, &columns.1, &columns.2)
        .unwrap()
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_sample_of_rounded_weeks() {
    let golden = golden();
    let of = &golden["fits"]["cdnow_sample_2357_lifetimes_rounded_csv"];
    let histories = rounded();
    assert_eq!(histories.len(), 2357);
    check_fit(BgNbd::fit(&histories).unwrap().report(), &of["bgnbd"], 1e-6);
    check_fit(MbgNbd::fit(&histories).unwrap().report(), &of["mbgnbd"], 1e-6);
    check_fit(Nbd::fit(&histories).unwrap().report(), &of["nbd"], 1e-6);
    check_fit(ParetoNbd::fit(&histories).unwrap().report(), &of["pnbd"], 1e-4);
}
