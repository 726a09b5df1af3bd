//! Tests of curves beside lifelines, textbooks and a slow twin.

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::monitor::{
    LogRankTest, LogRankWeights, log_rank_test, pairwise_log_rank_tests,
};

use super::{cases, close, golden, leukaemia, numbers, texts, truths};

const ALL: [LogRankWeights; 7] = [
    LogRankWeights::LogRank,
    LogRankWeights::GehanWilcoxon,
    LogRankWeights::TaroneWare,
    LogRankWeights::PetoPeto,
    LogRankWeights::FlemingHarrington { p: 1.0, q: 0.0 },
    LogRankWeights::FlemingHarrington { p: 0.0, q: 1.0 },
    LogRankWeights::FlemingHarrington { p: 0.5, q: 2.0 },
];

#[test]
fn tests_of_flies_as_lifelines_has_them() {
    let golden = golden();
    let (days, observed) = (numbers(&golden["durations"]), truths(&golden["observed"]));
    for (groups, tests) in [("group", "tests_of_two"), ("three", "tests_of_three")] {
        let groups = texts(&golden[groups]);
        for expected in golden[tests].as_array().unwrap() {
            let of = |name: &str| expected[name].as_f64().unwrap();
            let weights = match expected["weights"].as_str().unwrap() {
                "log-rank" => LogRankWeights::LogRank,
                "wilcoxon" => LogRankWeights::GehanWilcoxon,
                "tarone-ware" => LogRankWeights::TaroneWare,
                "peto" => LogRankWeights::PetoPeto,
                _ => LogRankWeights::FlemingHarrington { p: of("p"), q: of("q") },
            };
            let test = log_rank_test(&days, &observed, &groups, weights).unwrap();
            let name = format!("{weights:?} of {tests}");
            close(&name, test.statistic, of("chi2"), 1e-12);
            // Where p is 10⁻²⁸, a relative 10⁻¹³ of χ² is 10⁻¹¹ of p.
            close(&name, test.p_value, of("p_value"), 1e-10);
            assert_eq!(test.df as f64, of("df"));
        }
    }
}

#[test]
fn remission_as_in_textbooks() {
    let (weeks, back, groups) = leukaemia();
    // Kleinbaum & Klein (2012), chapter 2, with Stata; Gehan as SAS, too.
    for (weights, expected) in [
        (LogRankWeights::LogRank, "16.79"),
        (LogRankWeights::GehanWilcoxon, "13.46"),
        (LogRankWeights::TaroneWare, "15.12"),
        (LogRankWeights::PetoPeto, "14.08"),
    ] {
        let test = log_rank_test(&weeks, &back, &groups, weights).unwrap();
        assert_eq!(format!("{:.2}", test.statistic), expected, "{weights:?}");
        assert_eq!(test.weights, weights);
    }
    let test = log_rank_test(&weeks, &back, &groups, LogRankWeights::default()).unwrap();
    let [drug, none] = &test.groups[..] else { panic!() };
    assert_eq!((drug.group, drug.customers, drug.observed), ("6-MP", 21, 9));
    assert_eq!((none.group, none.customers, none.observed), ("none", 21, 21));
    assert_eq!(format!("{:.2} {:.2}", drug.expected, none.expected), "19.25 10.75");
    close("difference", drug.weighted_difference, 9.0 - drug.expected, 1e-14);
}

#[test]
fn by_hand() {
    // Time 1: 4 at risk, 2 of a; one event, in a. Time 2: 1 of a and 2 of b; one event, in
    // b. Time 3: one of each; the event of a. Then b alone.
    let durations = [1.0, 3.0, 2.0, 4.0];
    let test =
        log_rank_test(&durations, &[true; 4], &[1, 1, 2, 2], LogRankWeights::LogRank);
    let test = test.unwrap();
    let expected = 0.5 + 1.0 / 3.0 + 0.5;
    close("expected", test.groups[0].expected, expected, 1e-15);
    let variance = 0.25 + 2.0 / 9.0 + 0.25;
    close("χ²", test.statistic, (2.0 - expected) * (2.0 - expected) / variance, 1e-14);
    let w = [4.0, 3.0, 2.0];
    let test = log_rank_test(
        &durations,
        &[true; 4],
        &[1, 1, 2, 2],
        LogRankWeights::GehanWilcoxon,
    );
    let u = w[0] * 0.5 - w[1] / 3.0 + w[2] * 0.5;
    let variance = 16.0 * 0.25 + 9.0 * 2.0 / 9.0 + 4.0 * 0.25;
    close("χ² of Gehan", test.unwrap().statistic, u * u / variance, 1e-14);
}

#[test]
fn tiny_p_values_are_tails_and_not_rounding() {
    // All of a leave before the first of b: χ² grows with their number.
    let mut last = 1.0;
    for n in [10, 50, 200, 600] {
        let durations: Vec<f64> = (0..3 * n).map(f64::from).collect();
        let groups: Vec<u32> = (0..3 * n).map(|i| i as u32 / n as u32).collect();
        let weights = LogRankWeights::LogRank;
        let test =
            log_rank_test(&durations, &vec![true; 3 * n as usize], &groups, weights)
                .unwrap();
        // With 2 degrees of freedom the tail is exp(−χ²/2).
        let p = (-test.statistic / 2.0).exp();
        close("p", test.p_value, p, 1e-9);
        assert!(test.p_value < last, "{n}");
        last = test.p_value;
    }
    assert!(last < 1e-200, "{last}");
}

#[test]
fn groups_that_tell_nothing_are_not_counted() {
    let (mut weeks, mut back, mut groups) = leukaemia();
    let weights = LogRankWeights::LogRank;
    let before = log_rank_test(&weeks, &back, &groups, weights).unwrap();
    // Cut off before the first event.
    weeks.extend([0.0, 0.5]);
    back.extend([false, false]);
    groups.extend(["lost", "lost"]);
    let after = log_rank_test(&weeks, &back, &groups, weights).unwrap();
    assert_eq!((after.df, after.statistic), (1, before.statistic));
    assert_eq!((after.groups[1].group, after.groups[1].expected), ("lost", 0.0));
    let pairs = pairwise_log_rank_tests(&weeks, &back, &groups, weights).unwrap();
    let defined: Vec<_> = pairs.iter().map(|p| (p.groups, p.test.is_some())).collect();
    let expected =
        [(["6-MP", "lost"], false), (["6-MP", "none"], true), (["lost", "none"], false)];
    assert_eq!(defined, expected);
    // So one test is no reason for a correction.
    assert_eq!(pairs[1].p_holm, Some(before.p_value));
    assert_eq!(pairs[0].p_holm, None);
}

#[test]
fn what_cannot_be_tested_says_why() {
    let weights = LogRankWeights::LogRank;
    let undefined = |durations: &[f64], observed: &[bool], groups: &[u8]| {
        let error = log_rank_test(durations, observed, groups, weights).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Undefined { .. }), "{error}");
        error.to_string()
    };
    assert_eq!(
        undefined(&[1.0, 2.0], &[true, true], &[3, 3]),
        "the log-rank test is undefined: all durations are of one group"
    );
    assert_eq!(
        undefined(&[1.0, 2.0], &[false, false], &[3, 4]),
        "the log-rank test is undefined: there are no events"
    );
    // One group is cut off before the events of the other; or all leave at once.
    let nobody_beside =
        "no event that counts has two groups at risk and somebody left over";
    let text = undefined(&[1.0, 2.0, 3.0], &[false, true, true], &[3, 4, 4]);
    assert!(text.ends_with(nobody_beside), "{text}");
    assert!(undefined(&[1.0, 1.0], &[true, true], &[3, 4]).ends_with(nobody_beside));

    let refused = |durations: &[f64], observed: &[bool], groups: &[u8], weights| {
        log_rank_test(durations, observed, groups, weights).unwrap_err().to_string()
    };
    let two = [true, true];
    assert_eq!(
        refused(&[], &[], &[], weights),
        "1 durations are needed, but there are 0"
    );
    assert!(refused(&[1.0, 2.0], &two, &[1], weights).contains("`groups` has length 1"));
    assert!(refused(&[1.0, 2.0], &two[..1], &[1, 2], weights).contains("`observed`"));
    assert!(refused(&[1.0, f64::NAN], &two, &[1, 2], weights).contains("row 1"));
    assert!(refused(&[-1.0, 1.0], &two, &[1, 2], weights).contains("row 0"));
    for (p, q, name) in
        [(-1.0, 0.0, "`p`"), (0.0, f64::NAN, "`q`"), (f64::INFINITY, 0.0, "`p`")]
    {
        let weights = LogRankWeights::FlemingHarrington { p, q };
        assert!(refused(&[1.0, 2.0], &two, &[1, 2], weights).contains(name));
    }
    // So late that nothing counts.
    let late = LogRankWeights::FlemingHarrington { p: 0.0, q: 1e9 };
    assert!(refused(&[1.0, 2.0], &two, &[1, 2], late).contains("undefined"));
}

#[test]
fn very_many_groups_are_refused() {
    let durations: Vec<f64> = (0..1_001).map(f64::from).collect();
    let groups: Vec<usize> = (0..1_001).collect();
    let observed = vec![true; 1_001];
    let weights = LogRankWeights::LogRank;
    let error = log_rank_test(&durations, &observed, &groups, weights).unwrap_err();
    assert!(error.to_string().contains("at most 1000 different labels"), "{error}");
    let few = 101;
    let error = pairwise_log_rank_tests(
        &durations[..few],
        &observed[..few],
        &groups[..few],
        weights,
    );
    assert!(error.unwrap_err().to_string().contains("at most 100 "));
    let test =
        log_rank_test(&durations[..few], &observed[..few], &groups[..few], weights);
    assert!((0.0..=1.0).contains(&test.unwrap().p_value));
}

#[test]
fn results_are_saved_as_they_are() {
    let (weeks, back, groups) = leukaemia();
    let groups: Vec<String> = groups.into_iter().map(str::to_owned).collect();
    let weights = LogRankWeights::FlemingHarrington { p: 1.0, q: 0.5 };
    let test = log_rank_test(&weeks, &back, &groups, weights).unwrap();
    let text = serde_json::to_string(&test).unwrap();
    assert!(
        text.contains(r#""weights":{"fleming_harrington":{"p":1.0,"q":0.5}}"#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<LogRankTest<String>>(&text).unwrap(), test);
}

/// The definitions, asked anew for each time, with one group left out and the system solved
/// by elimination.
fn slow(rows: &[(f64, bool, u8)], k: u8, weights: LogRankWeights) -> Option<f64> {
    let mut times: Vec<f64> = rows.iter().filter(|r| r.1).map(|r| r.0).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let k = usize::from(k);
    let (mut u, mut v) = (vec![0.0; k], vec![vec![0.0; k]; k]);
    let count = |holds: &dyn Fn(&(f64, bool, u8)) -> bool| {
        rows.iter().filter(|row| holds(row)).count() as f64
    };
    let (mut s, mut peto) = (1.0_f64, 1.0);
    for time in times {
        let n = count(&|r| r.0 >= time);
        let d = count(&|r| r.0 == time && r.1);
        let before = s;
        s *= 1.0 - d / n;
        peto *= 1.0 - d / (n + 1.0);
        let w = match weights {
            LogRankWeights::GehanWilcoxon => n,
            LogRankWeights::TaroneWare => n.sqrt(),
            LogRankWeights::PetoPeto => peto,
            LogRankWeights::FlemingHarrington { p, q } => {
                before.powf(p) * (1.0 - before).powf(q)
            }
            _ => 1.0,
        };
        let at_risk: Vec<f64> =
            (0..k).map(|g| count(&|r| r.0 >= time && usize::from(r.2) == g)).collect();
        for g in 0..k {
            let here = count(&|r| r.0 == time && r.1 && usize::from(r.2) == g);
            u[g] += w * (here - at_risk[g] * d / n);
            for h in 0..k {
                let same = if g == h { 1.0 } else { 0.0 };
                if n > 1.0 {
                    v[g][h] += w * w * d * (n - d) / (n - 1.0) * at_risk[g] / n
                        * (same - at_risk[h] / n);
                }
            }
        }
    }
    let varying: Vec<usize> = (0..k).filter(|&g| v[g][g] > 1e-12).collect();
    // The first is left out here.
    let kept = varying.get(1..).filter(|kept| !kept.is_empty())?;
    let mut system: Vec<Vec<f64>> = kept
        .iter()
        .map(|&g| kept.iter().map(|&h| v[g][h]).chain([u[g]]).collect())
        .collect();
    let m = system.len();
    for i in 0..m {
        let best =
            (i..m).max_by(|&a, &b| system[a][i].abs().total_cmp(&system[b][i].abs()));
        system.swap(i, best.unwrap());
        for j in 0..m {
            if j != i {
                let factor = system[j][i] / system[i][i];
                let above = system[i].clone();
                for (cell, above) in system[j].iter_mut().zip(above) {
                    *cell -= factor * above;
                }
            }
        }
    }
    Some((0..m).map(|i| system[i][m] / system[i][i] * u[kept[i]]).sum())
}

fn rows() -> impl Strategy<Value = Vec<(f64, bool, u8)>> {
    let time = prop_oneof![(0..15_u32).prop_map(f64::from), 0.0..20.0];
    prop::collection::vec((time, prop::bool::weighted(0.7), 0..4_u8), 1..80)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_statistic_is_that_of_the_definitions(rows in rows(), which in 0..ALL.len()) {
        let weights = ALL[which];
        let durations: Vec<f64> = rows.iter().map(|r| r.0).collect();
        let observed: Vec<bool> = rows.iter().map(|r| r.1).collect();
        let groups: Vec<u8> = rows.iter().map(|r| r.2).collect();
        let expected = slow(&rows, 4, weights);
        match log_rank_test(&durations, &observed, &groups, weights) {
            Ok(test) => {
                let expected = expected.unwrap();
                let scale = expected.abs().max(1.0);
                prop_assert!((test.statistic - expected).abs() < 1e-8 * scale, "{} {}", test.statistic, expected);
                prop_assert!((0.0..=1.0).contains(&test.p_value));
                let events = observed.iter().filter(|&&o| o).count() as f64;
                let sum: f64 = test.groups.iter().map(|g| g.expected).sum();
                prop_assert!((sum - events).abs() < 1e-10);
                let sum: f64 = test.groups.iter().map(|g| g.weighted_difference).sum();
                prop_assert!(sum.abs() < 1e-8);
            }
            Err(error) => {
                prop_assert!(matches!(error.kind(), ErrorKind::Undefined { .. }), "{}", error);
                prop_assert_eq!(expected, None);
            }
        }
    }

    #[test]
    fn order_units_and_names_leave_no_trace(rows in rows(), which in 0..ALL.len()) {
        let weights = ALL[which];
        let of = |rows: &[(f64, bool, u8)], unit: f64, name: &dyn Fn(u8) -> String| {
            let durations: Vec<f64> = rows.iter().map(|r| r.0 * unit).collect();
            let observed: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let groups: Vec<String> = rows.iter().map(|r| name(r.2)).collect();
            log_rank_test(&durations, &observed, &groups, weights).ok()
        };
        let plain = |g: u8| format!("g{g}");
        let test = of(&rows, 1.0, &plain);
        let turned: Vec<_> = rows.iter().rev().copied().collect();
        prop_assert_eq!(&of(&turned, 1.0, &plain), &test);
        prop_assert_eq!(&of(&rows, 64.0, &plain), &test);
        // Another group is left out of the system.
        let renamed = of(&rows, 1.0, &|g| format!("g{}", 9 - g));
        prop_assert_eq!(renamed.is_some(), test.is_some());
        if let (Some(renamed), Some(test)) = (renamed, test) {
            let scale = test.statistic.max(1.0);
            prop_assert!((renamed.statistic - test.statistic).abs() < 1e-8 * scale);
            prop_assert_eq!(renamed.df, test.df);
        }
    }

    #[test]
    fn pairs_are_tests_of_two(rows in rows(), which in 0..ALL.len()) {
        let weights = ALL[which];
        let durations: Vec<f64> = rows.iter().map(|r| r.0).collect();
        let observed: Vec<bool> = rows.iter().map(|r| r.1).collect();
        let groups: Vec<u8> = rows.iter().map(|r| r.2).collect();
        let Ok(pairs) = pairwise_log_rank_tests(&durations, &observed, &groups, weights) else {
            prop_assert!(groups.iter().all(|&g| g == groups[0]));
            return Ok(());
        };
        for pair in &pairs {
            let two: Vec<_> = rows.iter().filter(|r| pair.groups.contains(&r.2)).collect();
            let durations: Vec<f64> = two.iter().map(|r| r.0).collect();
            let observed: Vec<bool> = two.iter().map(|r| r.1).collect();
            let groups: Vec<u8> = two.iter().map(|r| r.2).collect();
            let alone = log_rank_test(&durations, &observed, &groups, weights).ok();
            prop_assert_eq!(&pair.test, &alone);
        }
        let p: Vec<f64> = pairs.iter().filter_map(|p| Some(p.test.as_ref()?.p_value)).collect();
        for pair in &pairs {
            let Some(test) = &pair.test else { continue };
            let holm = pair.p_holm.unwrap();
            prop_assert!(test.p_value <= holm && holm <= (p.len() as f64 * test.p_value).min(1.0));
        }
    }
}
