//! Estimates on CDNOW and Online Retail, against published values and independent fits.

use segmenta::history::{Summary, TimeUnit};
use segmenta::lifetime::{
    BgBb, BgNbd, Bootstrap, ChurnScorer, EstimationReport, GammaGamma, Identifiability,
    MbgCnbd, MbgNbd, Nbd, ParetoNbd, PurchaseHistories, PurchaseHistory, PurchaseModel,
    PurchaseModelKind, Regularity, area_under_curve, calibration_by_frequency,
    spend_histories,
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

/// The model of spend, of those who bought again.
fn check_spend(name: &str, summary: &Summary) {
    let golden = golden();
    let of = &golden["fits"][name]["gamma_gamma"];
    let (spends, _) = spend_histories(summary).unwrap();
    let means: Vec<f64> = spends.iter().filter_map(|s| s.mean_spend()).collect();
    assert_eq!(means.len(), number(&of["customers"]) as usize);
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    // Some prices of Online Retail have tenths of pence, which invoices in pence round.
    close(mean, number(&of["mean_m"]), 1e-9, "mean spend");
    check_fit(GammaGamma::fit(&spends).unwrap().report(), of, 1e-6);
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_sample() {
    let summary = data::cdnow_sample().summary("1997-09-30".parse().unwrap()).unwrap();
    check_all("cdnow_sample_2357_weeks_exact", &data::weeks(&summary));
    check_spend("cdnow_sample_2357_weeks_exact", &summary);
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_cdnow_master() {
    let summary = data::cdnow_master().summary("1997-09-30".parse().unwrap()).unwrap();
    check_all("cdnow_master_23570_weeks_to_1997-09-30", &data::weeks(&summary));
    check_spend("cdnow_master_23570_weeks_to_1997-09-30", &summary);
}

/// No package says so: nobody is seen to leave, and the parameters of leaving are nowhere.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_online_retail_does_not_tell_who_leaves() {
    let golden = golden();
    let of = &golden["fits"]["online_retail_weeks_to_2011-12-09_no_cancellations"];
    let summary = data::online_retail().summary("2011-12-09".parse().unwrap()).unwrap();
    check_spend("online_retail_weeks_to_2011-12-09_no_cancellations", &summary);
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

/// Figure 5 of Fader, Hardie & Lee (2005), as BTYD's walkthrough prints it.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_calibration_by_frequency() {
    let golden = golden();
    let of = &golden["published"]["btyd_walkthrough"]["cond_exp_by_freq"];
    let (histories, actual) =
        data::hold_out(&data::cdnow_sample(), "1997-09-30", "1998-06-30");
    let model = BgNbd::fit(&histories).unwrap().into_model();
    let rows = calibration_by_frequency(&model, &histories, &actual, 39.0, 7).unwrap();
    assert_eq!(rows.len(), 8);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row.frequency, i as u64);
        assert_eq!(row.n_customers, number(&of["bin"][i]));
        // Three digits are printed.
        assert!((row.actual - number(&of["actual"][i])).abs() < 6e-4, "{row:?}");
        // BTYD takes weeks of its own; its parameters differ in the third digit.
        close(row.expected, number(&of["bgnbd"][i]), 2e-3, &format!("{row:?}"));
    }
}

/// What a probability of being alive is worth as a ranking, and what expected purchases are.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_churn_scores_and_their_baselines() {
    let golden = golden();
    for (name, ledger, end, last, weeks) in [
        (
            "cdnow_master cal 1997-09-30 hold 1998-06-30",
            data::cdnow_master(),
            "1997-09-30",
            "1998-06-30",
            39.0,
        ),
        (
            "online_retail cal 2011-06-30 hold 2011-12-09",
            data::online_retail(),
            "2011-06-30",
            "2011-12-09",
            162.0 / 7.0,
        ),
    ] {
        let of = &golden["holdout"][name];
        let (histories, actual) = data::hold_out(&ledger, end, last);
        assert_eq!(histories.len(), number(&of["customers"]) as usize);
        for (kind, key) in [
            (PurchaseModelKind::BgNbd, "BG/NBD"),
            (PurchaseModelKind::MbgNbd, "MBG/NBD"),
            (PurchaseModelKind::ParetoNbd, "Pareto/NBD"),
        ] {
            let model = kind.fit(&histories).unwrap().into_model();
            let scorer = ChurnScorer::new(model, &histories, weeks).unwrap();
            let report = scorer.evaluate(&histories, &actual).unwrap();
            println!("{name} {key}\n{report}");
            assert_eq!(report.actual_purchases, number(&of["actual_transactions"]));
            let share = number(&of["share_active_in_holdout"]);
            close(report.share_active, share, 1e-12, "share active");
            let total = number(&of["predicted_total"][format!("CET {key}")]);
            assert!((report.expected_purchases - total).abs() < 0.06, "{report}");
            let mae = number(&of["MAE"][format!("CET {key}")]);
            assert!((report.mean_absolute_error - mae).abs() < 1e-4);
            // Where on its ridge a degenerate fit ended decides the order of customers of
            // nearly equal figures.
            let degenerate = name.starts_with("online");
            let off = if degenerate { 5e-4 } else { 1e-4 };
            for (score, key) in [
                ("expected purchases", format!("CET {key}")),
                ("probability alive", format!("P(alive) {key}")),
                ("recency", "-days since last".to_owned()),
                ("frequency", "frequency x".to_owned()),
            ] {
                if degenerate && score == "probability alive" {
                    continue;
                }
                let found = report.ranking(score).unwrap();
                let expected = number(&of["AUC_all"][&key]);
                assert!(
                    (found.auc - expected).abs() < off,
                    "{key} {} {expected}",
                    found.auc
                );
                let expected = number(&of["AUC_repeaters"][&key]);
                let found = found.auc_of_repeaters.unwrap();
                assert!((found - expected).abs() < off, "{key} {found} {expected}");
            }
            check_overdue(
                &histories,
                &actual,
                of,
                report.ranking("overdue ratio").unwrap().auc,
            );
            if key == "BG/NBD" && !degenerate {
                assert!(report.ranking("expected purchases").unwrap().auc > 0.76);
                assert!(report.ranking("probability alive").unwrap().auc < 0.33);
                assert!(report.to_string().contains("upside down"));
            }
        }
    }
}

/// The study shrinks towards the mean of the customers' mean gaps, which weighs a customer of
/// one gap like one of twenty; shrinking towards the mean of all gaps ranks better.
fn check_overdue(histories: &PurchaseHistories, actual: &[u64], of: &Value, found: f64) {
    let rows = histories.as_slice();
    let again: Vec<_> = rows.iter().filter(|h| h.frequency() > 0).collect();
    let own = again.iter().map(|h| h.age_at_last_purchase() / h.frequency() as f64);
    let mean = own.sum::<f64>() / again.len() as f64;
    let scores: Vec<f64> = rows
        .iter()
        .map(|h| {
            let usual = (h.age_at_last_purchase() + mean) / (h.frequency() as f64 + 1.0);
            -h.since_last_purchase() / usual
        })
        .collect();
    let active: Vec<bool> = actual.iter().map(|&a| a > 0).collect();
    let study = &of["AUC_all"]["-shrunken overdue (since / ((t_x + mean gap)/(x+1)))"];
    let auc = area_under_curve(&scores, &active).unwrap();
    assert!((auc - number(study)).abs() < 2e-4, "{auc} {study}");
    assert!(found >= auc, "{found} {auc}");
}

/// Standard errors by resampling are those of the curvature.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_bootstrap_agrees_with_the_curvature() {
    let summary = data::cdnow_sample().summary("1997-09-30".parse().unwrap()).unwrap();
    let histories = data::weeks(&summary);
    let fitted = PurchaseModelKind::BgNbd.fit(&histories).unwrap();
    let bootstrap = Bootstrap::new(fitted.model(), &histories, 400, 1).unwrap();
    assert_eq!((bootstrap.models().len(), bootstrap.n_failed()), (400, 0));
    for (i, parameter) in fitted.report().parameters.iter().enumerate().take(2) {
        let (low, high) =
            bootstrap.interval(0.95, |model| Ok(model.parameters()[i].1)).unwrap();
        let curvature = parameter.interval(0.95).unwrap();
        let ratio = (high - low) / (curvature.1 - curvature.0);
        println!("{} {low} {high} {curvature:?}", parameter.name);
        assert!((0.8..1.25).contains(&ratio), "{} {ratio}", parameter.name);
        assert!(low < parameter.value && parameter.value < high);
    }
    let again = Bootstrap::new(fitted.model(), &histories, 400, 1).unwrap();
    assert_eq!(bootstrap, again);
}

/// Purchases of CDs come at random, or rather in bursts.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_regularity_of_cdnow() {
    let end = "1998-06-30".parse().unwrap();
    let ledger = data::cdnow_master();
    let times = ledger.repeat_purchase_times(end, TimeUnit::Week).unwrap();
    let regularity = Regularity::of(&times, TimeUnit::Week).unwrap();
    println!("{regularity}");
    let histories =
        PurchaseHistories::from_summary(&ledger.summary(end).unwrap(), TimeUnit::Week)
            .unwrap();
    let (model, report) =
        MbgCnbd::fit_regular(&histories, &regularity).unwrap().into_parts();
    println!("{report}");
    assert_eq!(model.k(), 1);
    let mbg = MbgNbd::fit(&histories).unwrap();
    let off = report.log_likelihood - mbg.report().log_likelihood;
    assert!(off.abs() < 1e-6, "{off}");
    for name in ["r", "alpha", "a", "b"] {
        let [one, mbg] =
            [&report, mbg.report()].map(|report| report.parameter(name).unwrap().value);
        close(one, mbg, 1e-6, name);
    }
}
