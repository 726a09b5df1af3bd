//! Estimates on CDNOW and Online Retail, against published values and independent fits.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    BgBb, BgNbd, EstimationReport, Identifiability, MbgNbd, Nbd, ParetoNbd,
    PurchaseHistories, PurchaseHistory, PurchaseModel,
};
use serde_json::Value;

use crate::data;
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
    let text = data::text("cdnow/cdnow_customers_summary.csv");
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, x, last, age] = fields[..] else { panic!("{line}") };
        columns.0.push(x.parse().unwrap());
        columns.1.push(last.parse().unwrap());
        columns.2.push(age.parse().unwrap());
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

/// All four models, and what they say of five customers.
fn check_all(name: &str, histories: &PurchaseHistories) {
    let golden = golden();
    let of = &golden["fits"][name];
    assert_eq!(histories.len(), number(&of["customers"]) as usize);
    let nbd = Nbd::fit(histories).unwrap();
    check_fit(nbd.report(), &of["nbd"], 1e-6);
    assert_eq!(nbd.report().n_distinct, number(&of["unique_triples"]) as usize);
    let bg = BgNbd::fit(histories).unwrap();
    check_fit(bg.report(), &of["bgnbd"], 1e-6);
    let mbg = MbgNbd::fit(histories).unwrap();
    check_fit(mbg.report(), &of["mbgnbd"], 1e-6);
    let pareto = ParetoNbd::fit(histories).unwrap();
    check_fit(pareto.report(), &of["pnbd"], 1e-4);

    let horizon = number(&of["predictions"]["horizon_weeks"]);
    for case in of["predictions"]["customers"].as_array().unwrap() {
        let history = PurchaseHistory::new(
            number(&case["x"]) as u64,
            number(&case["t_x"]),
            number(&case["T"]),
        )
        .unwrap();
        let models: [(&str, &dyn PurchaseModel, f64); 3] = [
            ("bgnbd", bg.model(), 1e-6),
            ("mbgnbd", mbg.model(), 1e-6),
            ("pnbd", pareto.model(), 1e-4),
        ];
        for (key, model, relative) in models {
            let what = format!("{key} {case}");
            let alive = model.probability_alive(&history);
            close(alive, number(&case[key]["p_alive"]), relative, &what);
            let expected = model.expected_purchases(&history, horizon).unwrap();
            close(expected, number(&case[key]["cet"]), relative, &what);
        }
    }
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_sample() {
    let summary = data::cdnow_sample().summary("1997-09-30".parse().unwrap()).unwrap();
    check_all("cdnow_sample_2357_weeks_exact", &data::weeks(&summary));
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_master() {
    let summary = data::cdnow_master().summary("1997-09-30".parse().unwrap()).unwrap();
    check_all("cdnow_master_23570_weeks_to_1997-09-30", &data::weeks(&summary));
}

/// No package says so: nobody is seen to leave, and the parameters of leaving are nowhere.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_online_retail_does_not_tell_who_leaves() {
    let golden = golden();
    let of = &golden["fits"]["online_retail_weeks_to_2011-12-09_no_cancellations"];
    let summary = data::online_retail().summary("2011-12-09".parse().unwrap()).unwrap();
    let histories = data::weeks(&summary);
    assert_eq!(histories.len(), number(&of["customers"]) as usize);
    check_fit(Nbd::fit(&histories).unwrap().report(), &of["nbd"], 1e-6);
    for (key, report) in [
        ("bgnbd", BgNbd::fit(&histories).unwrap().report()),
        ("mbgnbd", MbgNbd::fit(&histories).unwrap().report()),
        ("pnbd", ParetoNbd::fit(&histories).unwrap().report()),
    ] {
        println!("{report}");
        let expected = number(&of[key]["log_likelihood"]);
        assert!((report.log_likelihood - expected).abs() < 1e-6, "{key}");
        let Identifiability::DropoutNotIdentified { p_value, likelihood_ratio, .. } =
            report.identifiability
        else {
            panic!("{report}");
        };
        assert!(p_value > 0.5 && likelihood_ratio < 0.5, "{report}");
    }
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_donations() {
    let golden = golden();
    let of = &golden["fits"]["donations_bgbb"]["bgbb"];
    let fitted = BgBb::fit(&data::donations()).unwrap();
    assert_eq!(fitted.report().n_customers, number(&of["customers"]));
    check_fit(fitted.report(), of, 1e-6);
}
