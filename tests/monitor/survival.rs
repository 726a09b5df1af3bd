//! Curves of survival beside lifelines, textbooks and a slow twin.

use proptest::prelude::*;
use segmenta::monitor::{KaplanMeier, SurvivalStep};

use super::{cases, close, golden, leukaemia, numbers, texts, truths};

/// The flies of one group.
fn flies(group: &str) -> (Vec<f64>, Vec<bool>) {
    let golden = golden();
    let rows = numbers(&golden["durations"]).into_iter().zip(truths(&golden["observed"]));
    rows.zip(texts(&golden["group"]))
        .filter(|(_, g)| g == group)
        .map(|(row, _)| row)
        .unzip()
}

#[test]
fn curves_of_flies_as_lifelines_has_them() {
    for (group, expected) in golden()["curves"].as_object().unwrap() {
        let (days, observed) = flies(group);
        let curve = KaplanMeier::fit(&days, &observed).unwrap();
        let steps = expected["steps"].as_array().unwrap();
        assert_eq!(curve.steps().len(), steps.len());
        for (step, expected) in curve.steps().iter().zip(steps) {
            let [time, survival, low, high] = numbers(expected)[..] else { panic!() };
            assert_eq!(step.time, time);
            close("S", step.survival, survival, 1e-13);
            match step.interval {
                Some([lower, upper]) => {
                    close("lower end", lower, low, 1e-11);
                    close("upper end", upper, high, 1e-11);
                }
                // lifelines says 0 to 0.
                None => assert_eq!(survival, 0.0),
            }
        }
        assert_eq!(curve.median(), expected["median"].as_f64());
        let interval = curve.median_interval().map(Option::unwrap);
        assert_eq!(interval[..], numbers(&expected["median_interval"])[..]);
        for (p, time) in expected["percentiles"].as_object().unwrap() {
            // lifelines asks for the share that is left.
            let gone = 1.0 - p.parse::<f64>().unwrap();
            assert_eq!(curve.quantile(gone).unwrap(), time.as_f64(), "{group} {p}");
        }
        for (horizon, mean) in expected["restricted_mean"].as_object().unwrap() {
            let found = curve.restricted_mean(horizon.parse().unwrap()).unwrap();
            close("restricted mean", found.mean, mean.as_f64().unwrap(), 1e-13);
        }
    }
}

#[test]
fn control_flies_as_published() {
    let (days, observed) = flies("control");
    let curve = KaplanMeier::fit(&days, &observed).unwrap();
    assert_eq!((curve.customers(), curve.events()), (129, 122));
    assert_eq!(curve.median(), Some(58.0));
    assert_eq!(curve.median_interval(), [Some(56.0), Some(60.0)]);
}

#[test]
fn remission_as_in_textbooks() {
    let (weeks, back, _) = leukaemia();
    let curve = KaplanMeier::fit(&weeks[..21], &back[..21]).unwrap();
    // Kleinbaum & Klein (2012), table of chapter 2.
    let expected = [
        (6.0, 21, 3, 0.8571),
        (7.0, 17, 1, 0.8067),
        (10.0, 15, 1, 0.7529),
        (13.0, 12, 1, 0.6902),
        (16.0, 11, 1, 0.6275),
        (22.0, 7, 1, 0.5378),
        (23.0, 6, 1, 0.4482),
    ];
    let found = curve.steps().iter().filter(|step| step.events > 0);
    let found: Vec<_> = found
        .map(|s| (s.time, s.at_risk, s.events, (s.survival * 1e4).round() / 1e4))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(curve.median(), Some(23.0));
    // Without a second one below a half the upper end is open.
    assert_eq!(curve.median_interval(), [Some(13.0), None]);
    assert_eq!(curve.survival_at(35.0), curve.survival_at(23.0));
    assert_eq!(curve.survival_at(35.1), None);
    assert_eq!(curve.interval_at(35.1), None);
    assert!(curve.restricted_mean(35.1).unwrap_err().to_string().contains("35"));
}

#[test]
fn restricted_means_of_r() {
    // survival::aml of R: print(survfit(Surv(time, status) ~ x, aml), print.rmean = TRUE).
    let times = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161].map(f64::from);
    let back = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0].map(|x| x == 1);
    let mean = KaplanMeier::fit(&times, &back).unwrap().restricted_mean(161.0).unwrap();
    assert_eq!(format!("{:.1} {:.2}", mean.mean, mean.standard_error), "52.6 19.83");
    let times = [5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45].map(f64::from);
    let back = std::array::from_fn::<bool, 12, _>(|i| i != 5);
    let curve = KaplanMeier::fit(&times, &back).unwrap();
    let mean = curve.restricted_mean(161.0).unwrap();
    assert_eq!(format!("{:.1} {:.2}", mean.mean, mean.standard_error), "22.7 4.18");
    assert_eq!(curve.restricted_mean(45.0).unwrap().mean, mean.mean);
    assert_eq!(curve.survival_at(1e300), Some(0.0));
}

#[test]
fn by_hand() {
    // 5 at risk: one event and one cut off at 2; 2 of the 3 others at 4; the last at 0.
    let curve =
        KaplanMeier::fit(&[2.0, 4.0, 2.0, 4.0, 9.0], &[true, true, false, true, true])
            .unwrap();
    let [first, second, third] = curve.steps() else { panic!() };
    assert_eq!((first.at_risk, first.events, first.censored), (5, 1, 1));
    assert_eq!((second.at_risk, second.events, second.censored), (3, 2, 0));
    assert_eq!((third.at_risk, third.events, third.survival), (1, 1, 0.0));
    close("S", second.survival, 0.8 / 3.0, 1e-15);
    // Greenwood: 1/(5·4) at 2, then 2/(3·1) more; z of 95 %.
    let [low, high] = second.interval.unwrap();
    let spread = 1.959963984540054 * (1.0_f64 / 20.0 + 2.0 / 3.0).sqrt();
    let log = second.survival.ln();
    close("lower end", low, (log * (-spread / log).exp()).exp(), 1e-13);
    close("upper end", high, (log * (spread / log).exp()).exp(), 1e-13);
    assert_eq!(third.interval, None);
    // 2 days of 1, 2 of 0.8, 5 of 0.8 / 3.
    let mean = curve.restricted_mean(9.0).unwrap();
    close("mean", mean.mean, 2.0 + 1.6 + 4.0 / 3.0, 1e-15);
    let [a, b] = [1.6 + 4.0 / 3.0, 4.0 / 3.0];
    let variance: f64 = a * a / 20.0 + b * b * 2.0 / 3.0;
    close("standard error", mean.standard_error, variance.sqrt(), 1e-14);
    assert_eq!(curve.restricted_mean(1.0).unwrap().mean, 1.0);
    assert_eq!(curve.restricted_mean(1.0).unwrap().standard_error, 0.0);
}

#[test]
fn events_at_the_start_and_at_one_time() {
    let curve =
        KaplanMeier::fit(&[0.0, -0.0, 3.0, 3.0], &[true, true, true, false]).unwrap();
    assert_eq!(curve.steps().len(), 2);
    assert_eq!(curve.survival_at(0.0), Some(0.5));
    assert_eq!(curve.median(), Some(0.0));
    let all = KaplanMeier::fit(&[7.0; 4], &[true; 4]).unwrap();
    assert_eq!((all.median(), all.survival_at(6.9)), (Some(7.0), Some(1.0)));
    assert_eq!(all.median_interval(), [None, None]);
    let none = KaplanMeier::fit(&[7.0; 4], &[false; 4]).unwrap();
    assert_eq!((none.median(), none.survival_at(7.0)), (None, Some(1.0)));
    assert_eq!(none.interval_at(7.0), None);
    assert_eq!(none.restricted_mean(7.0).unwrap().mean, 7.0);
}

#[test]
fn quantiles_at_a_step_are_not_lost_to_rounding() {
    // S of n different observed durations is k / n: the median is the ⌈n/2⌉-th.
    for n in 1..200_usize {
        let times: Vec<f64> = (1..=n).map(|t| t as f64).collect();
        let curve = KaplanMeier::fit(&times, &vec![true; n]).unwrap();
        assert_eq!(curve.median(), Some(n.div_ceil(2) as f64));
        // The same with factors that are not telescoped, for somebody is cut off first.
        let with_one: Vec<f64> = (0..=n).map(|t| t as f64).collect();
        let observed: Vec<bool> = (0..=n).map(|t| t > 0).collect();
        let curve = KaplanMeier::fit(&with_one, &observed).unwrap();
        assert_eq!(curve.median(), Some(n.div_ceil(2) as f64));
    }
    // 14/15 · 9/12 · 5/7 is a half, but 0.5000000000000001 in double precision.
    let counts = [(1.0, 1, 2), (2.0, 3, 2), (3.0, 2, 1), (4.0, 1, 3)];
    let curve = KaplanMeier::from_counts(counts).unwrap();
    assert!(curve.survival_at(3.0) > Some(0.5));
    assert_eq!(curve.median(), Some(3.0));
}

#[test]
fn confidence_widens_intervals_and_nothing_else() {
    let (weeks, back, _) = leukaemia();
    let curve = KaplanMeier::fit(&weeks, &back).unwrap();
    assert_eq!(curve.confidence(), 0.95);
    let narrow = curve.clone().with_confidence(0.5).unwrap();
    assert_eq!(narrow.confidence(), 0.5);
    for (wide, narrow) in curve.steps().iter().zip(narrow.steps()) {
        assert_eq!(wide.survival, narrow.survival);
        if let (Some(wide), Some(narrow)) = (wide.interval, narrow.interval) {
            assert!(wide[0] < narrow[0] && narrow[1] < wide[1]);
        }
    }
    for wrong in [0.0, 1.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
        let error = curve.clone().with_confidence(wrong).unwrap_err();
        assert!(error.to_string().contains("confidence"), "{error}");
    }
}

#[test]
fn what_is_no_duration_is_refused() {
    let of = |durations: &[f64], observed: &[bool]| {
        KaplanMeier::fit(durations, observed).unwrap_err().to_string()
    };
    for (wrong, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-0.5, "-0.5")] {
        let expected =
            format!("`{name}` is not a duration: finite and not negative in row 1");
        assert_eq!(of(&[1.0, wrong], &[true, true]), expected);
        let counted = KaplanMeier::from_counts([(1.0, 1, 0), (wrong, 1, 0)]);
        assert_eq!(counted.unwrap_err().to_string(), expected);
    }
    assert_eq!(of(&[1.0], &[]), "`observed` has length 0, but 1 is needed");
    assert_eq!(of(&[], &[]), "1 durations are needed, but there are 0");
    assert!(KaplanMeier::from_counts([(1.0, 0, 0)]).is_err());
    let curve = KaplanMeier::fit(&[1.0], &[true]).unwrap();
    for wrong in [0.0, 1.0, f64::NAN] {
        assert!(curve.quantile(wrong).unwrap_err().is_parameter());
        assert!(curve.quantile_interval(wrong).unwrap_err().is_parameter());
    }
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(curve.restricted_mean(wrong).unwrap_err().is_parameter());
    }
    assert_eq!(curve.survival_at(f64::NAN), None);
    assert_eq!(curve.survival_at(-1.0), None);
    assert_eq!(curve.survival_at(0.5), Some(1.0));
}

#[test]
fn saved_curves_are_read_by_their_counts() {
    let (weeks, back, _) = leukaemia();
    let curve = KaplanMeier::fit(&weeks, &back).unwrap().with_confidence(0.9).unwrap();
    let text = serde_json::to_string(&curve).unwrap();
    assert_eq!(serde_json::from_str::<KaplanMeier>(&text).unwrap(), curve);
    // What follows from the counts is not believed.
    let altered = text.replace("\"survival\":", "\"survival\":7e9,\"was\":");
    assert_eq!(serde_json::from_str::<KaplanMeier>(&altered).unwrap(), curve);
    for hostile in [
        r#"{"confidence":0.95,"steps":[]}"#,
        r#"{"confidence":2,"steps":[{"time":1,"events":1,"censored":0}]}"#,
        r#"{"confidence":0.9,"steps":[{"time":-1,"events":1,"censored":0}]}"#,
        r#"{"confidence":0.9,"steps":[{"time":1,"events":18446744073709551615,"censored":9}]}"#,
        r#"{"confidence":0.9,"steps":[{"time":1,"events":-1,"censored":9}]}"#,
    ] {
        assert!(serde_json::from_str::<KaplanMeier>(hostile).is_err(), "{hostile}");
    }
}

/// The definitions, asked anew for each time.
fn slow(durations: &[f64], observed: &[bool]) -> Vec<SlowStep> {
    let mut times = durations.to_vec();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let (mut survival, mut variance) = (1.0, 0.0);
    let mut steps = Vec::new();
    for time in times {
        let count = |holds: &dyn Fn(f64, bool) -> bool| {
            durations.iter().zip(observed).filter(|&(&t, &o)| holds(t, o)).count() as f64
        };
        let n = count(&|t, _| t >= time);
        let d = count(&|t, o| t == time && o);
        survival *= 1.0 - d / n;
        variance += d / (n * (n - d));
        steps.push(SlowStep { time, n, d, survival, variance });
    }
    steps
}

struct SlowStep {
    time: f64,
    n: f64,
    d: f64,
    survival: f64,
    variance: f64,
}

fn slow_mean(steps: &[SlowStep], horizon: f64) -> [f64; 2] {
    let area_from = |from: f64| {
        let mut ends: Vec<f64> =
            steps.iter().map(|s| s.time).filter(|&t| t > from).collect();
        ends.retain(|&t| t < horizon);
        ends.push(horizon);
        let mut start = from;
        let mut area = 0.0;
        for end in ends {
            let s = steps.iter().rfind(|s| s.time <= start).map_or(1.0, |s| s.survival);
            area += s * (end - start);
            start = end;
        }
        area
    };
    let within = steps.iter().filter(|s| s.time <= horizon && s.n > s.d);
    let variance: f64 =
        within.map(|s| area_from(s.time).powi(2) * s.d / (s.n * (s.n - s.d))).sum();
    [area_from(0.0), variance.sqrt()]
}

fn rows() -> impl Strategy<Value = Vec<(f64, bool)>> {
    // Few different times, so that many are tied; and some that are not whole.
    let time = prop_oneof![(0..12_u32).prop_map(f64::from), 0.0..20.0];
    prop::collection::vec((time, prop::bool::weighted(0.7)), 1..60)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn steps_are_those_of_the_definitions(rows in rows()) {
        let (durations, observed): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
        let curve = KaplanMeier::fit(&durations, &observed).unwrap();
        let expected = slow(&durations, &observed);
        prop_assert_eq!(curve.steps().len(), expected.len());
        for (step, slow) in curve.steps().iter().zip(&expected) {
            prop_assert_eq!((step.time, step.at_risk as f64), (slow.time, slow.n));
            prop_assert_eq!(step.events as f64, slow.d);
            prop_assert!((step.survival - slow.survival).abs() < 1e-13);
            if let Some([low, high]) = step.interval {
                prop_assert!(0.0 <= low && low < step.survival);
                prop_assert!(step.survival < high && high <= 1.0);
                let log_log = (-slow.survival.ln()).ln();
                let spread = 1.959963984540054 * slow.variance.sqrt() / slow.survival.ln();
                let ends = [spread, -spread].map(|x| (-(log_log - x).exp()).exp());
                prop_assert!((low - ends[0]).abs() < 1e-10 && (high - ends[1]).abs() < 1e-10);
            } else {
                prop_assert!(step.survival == 0.0 || slow.variance == 0.0);
            }
        }
        let total: u64 = curve.steps().iter().map(|s| s.events + s.censored).sum();
        prop_assert_eq!(total, durations.len() as u64);
        let last = curve.steps().last().unwrap().time;
        if last > 0.0 {
            for horizon in [last, last / 2.0, last / 3.0] {
                let mean = curve.restricted_mean(horizon).unwrap();
                let [slow, error] = slow_mean(&expected, horizon);
                prop_assert!((mean.mean - slow).abs() < 1e-10 * slow.max(1.0));
                prop_assert!((mean.standard_error - error).abs() < 1e-10 * slow.max(1.0));
                prop_assert!(mean.mean <= horizon * (1.0 + 1e-12));
            }
        }
        for p in [0.1, 0.5, 0.75] {
            let first = expected.iter().find(|s| s.survival <= 1.0 - p + 1e-12);
            prop_assert_eq!(curve.quantile(p).unwrap(), first.map(|s| s.time));
        }
    }

    #[test]
    fn order_and_parts_leave_no_trace(rows in rows(), cut in 0.0..1.0_f64) {
        let fit = |rows: &[(f64, bool)]| {
            let (durations, observed): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
            KaplanMeier::fit(&durations, &observed)
        };
        let whole = fit(&rows).unwrap();
        let turned: Vec<_> = rows.iter().rev().copied().collect();
        prop_assert_eq!(&fit(&turned).unwrap(), &whole);
        let (one, two) = rows.split_at((cut * rows.len() as f64) as usize);
        if let (Ok(mut one), Ok(two)) = (fit(one), fit(two)) {
            one.merge(&two).unwrap();
            prop_assert_eq!(&one, &whole);
        }
        let counted = rows.iter().map(|&(t, o)| (t, u64::from(o), u64::from(!o)));
        prop_assert_eq!(&KaplanMeier::from_counts(counted).unwrap(), &whole);
        let steps: Vec<SurvivalStep> = whole.steps().to_vec();
        prop_assert!(steps.is_sorted_by(|a, b| a.time < b.time && a.survival >= b.survival));
    }
}
