//! The probability of being alive over time.

use proptest::prelude::*;
use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    AlivePoint, BgNbd, MbgNbd, Nbd, ParetoNbd, PurchaseHistory, PurchaseModel,
    probability_alive_path,
};

use crate::properties::models;

const WEEK: TimeUnit = TimeUnit::Week;

/// Repeat purchases, some at the same time, and times of which some are theirs.
fn purchases_and_times() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let gap = prop_oneof![Just(0.0), 0.01..8.0_f64];
    let time = prop_oneof![(0_usize..9).prop_map(Err), (0.0..90.0_f64).prop_map(Ok)];
    (proptest::collection::vec(gap, 0..9), proptest::collection::vec(time, 0..12))
        .prop_map(|(gaps, times)| {
            let mut at = 0.5;
            let purchases: Vec<f64> = gaps
                .into_iter()
                .map(|gap| {
                    at += gap;
                    at
                })
                .collect();
            let times = times.into_iter().map(|time| {
                time.unwrap_or_else(|i| purchases.get(i).copied().unwrap_or(0.0))
            });
            let times = times.collect();
            (purchases, times)
        })
}

fn alive(model: &dyn PurchaseModel, purchases: &[f64], time: f64) -> f64 {
    let last = purchases.last().copied().unwrap_or(0.0);
    let history = PurchaseHistory::new(purchases.len() as u64, last, time).unwrap();
    model.probability_alive(&history)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// At each time that of what was known then, found by looking through all purchases.
    #[test]
    fn each_point_knows_what_was_known(
        model in models(-2.0, 2.0),
        (purchases, times) in purchases_and_times(),
    ) {
        let path = probability_alive_path(&model, &purchases, &times).unwrap();
        prop_assert_eq!(path.len(), times.len());
        for (point, &time) in path.iter().zip(&times) {
            let up_to: Vec<f64> = purchases.iter().copied().filter(|&p| p <= time).collect();
            let before: Vec<f64> = purchases.iter().copied().filter(|&p| p < time).collect();
            prop_assert_eq!(point.time, time);
            prop_assert_eq!(point.history.frequency(), up_to.len() as u64);
            prop_assert_eq!(point.history.age(), time);
            prop_assert_eq!(point.probability_alive, alive(&model, &up_to, time));
            let jump = (before.len() < up_to.len()).then(|| alive(&model, &before, time));
            prop_assert_eq!(point.before_purchase, jump);
        }
    }

    /// Silence lowers it, and a purchase lifts it, but for the first one under BG/NBD.
    #[test]
    fn it_falls_in_silence_and_jumps_at_purchases(
        model in models(-2.0, 2.0),
        (purchases, mut times) in purchases_and_times(),
    ) {
        times.extend(&purchases);
        times.sort_by(f64::total_cmp);
        let path = probability_alive_path(&model, &purchases, &times).unwrap();
        for pair in path.windows(2) {
            let lower = pair[1].before_purchase.unwrap_or(pair[1].probability_alive);
            if pair[0].time < pair[1].time {
                prop_assert!(lower <= pair[0].probability_alive * (1.0 + 1e-12));
            }
        }
        for point in &path {
            if let Some(before) = point.before_purchase
                && !(model.name() == "BG/NBD" && purchases[0] == point.time)
            {
                prop_assert!(point.probability_alive >= before * (1.0 - 1e-12), "{:?}", point);
            }
        }
    }
}

/// The closed forms of Fader & Hardie (2008, note 021) and of Batislam, Denizel & Filiztekin
/// (2007), over a grid of times, and what the models say right after a purchase.
#[test]
fn closed_forms() {
    let (r, alpha, a, b) = (0.243, 4.414, 0.793, 2.426);
    let bg = BgNbd::new(r, alpha, a, b, WEEK).unwrap();
    let mbg = MbgNbd::new(r, alpha, a, b, WEEK).unwrap();
    let purchases = [1.5, 4.0, 4.5, 20.0];
    let times: Vec<f64> = (0..=400).map(|i| f64::from(i) * 0.125).collect();
    let of = |model: &dyn PurchaseModel| {
        probability_alive_path(model, &purchases, &times).unwrap()
    };
    let (of_bg, of_mbg) = (of(&bg), of(&mbg));
    let (mut x, mut last) = (0.0, 0.0);
    for (i, &t) in times.iter().enumerate() {
        for &at in purchases.iter().filter(|&&at| at == t) {
            (x, last) = (x + 1.0, at);
        }
        let silence = |above: f64| above * ((alpha + t) / (alpha + last)).powf(r + x);
        let expected =
            if x == 0.0 { 1.0 } else { 1.0 / (1.0 + silence(a / (b + x - 1.0))) };
        assert!((of_bg[i].probability_alive - expected).abs() < 1e-12, "{t}");
        let expected = 1.0 / (1.0 + silence(a / (b + x)));
        assert!((of_mbg[i].probability_alive - expected).abs() < 1e-12, "{t}");
    }
    // Who has just bought is alive for certain where she can leave at any time, and always
    // where nobody leaves.
    let pareto = ParetoNbd::new(0.553, 10.578, 0.606, 11.669, WEEK).unwrap();
    let nbd = Nbd::new(0.5, 5.0, WEEK).unwrap();
    let at_once = probability_alive_path(&pareto, &purchases, &purchases).unwrap();
    assert!(at_once.iter().all(|point| point.probability_alive == 1.0));
    assert!(at_once.iter().all(|point| point.before_purchase.unwrap() < 1.0));
    assert!(of(&nbd).iter().all(|point| point.probability_alive == 1.0));
}

#[test]
fn times_that_cannot_be_are_refused() {
    let model = BgNbd::new(0.243, 4.414, 0.793, 2.426, WEEK).unwrap();
    let says = |purchases: &[f64], times: &[f64], what: &[&str]| {
        let error = probability_alive_path(&model, purchases, times).unwrap_err();
        assert!(error.is_data());
        let message = error.to_string();
        assert!(what.iter().all(|what| message.contains(what)), "{message}");
    };
    says(&[0.0, 3.0], &[9.0], &["after time 0", "row 0"]);
    says(&[2.0, 5.0, 4.0], &[9.0], &["5.0 or later", "4.0", "row 2"]);
    for bad in [f64::NAN, f64::INFINITY, -1.0, 2e12] {
        says(&[1.0, bad], &[9.0], &["repeat purchase", "row 1"]);
        says(&[1.0], &[9.0, bad], &["a time from 0 to 1e12", "row 1"]);
    }
    let path = |purchases: &[f64], times: &[f64]| -> Vec<AlivePoint> {
        probability_alive_path(&model, purchases, times).unwrap()
    };
    assert!(path(&[], &[]).is_empty());
    assert_eq!(path(&[], &[0.0, 1e12])[1].probability_alive, 1.0);
    // Neither order of the times nor purchases after them matter.
    assert_eq!(path(&[1.0, 50.0], &[9.0, 3.0])[1], path(&[1.0], &[3.0])[0]);
    let many: Vec<f64> = (1..=100_000).map(f64::from).collect();
    let often = path(&many, &[1e5, 1e12]);
    assert!(often[0].probability_alive > 0.999 && often[1].probability_alive < 1e-9);
    // A negative zero is time 0.
    assert_eq!(path(&[1.0], &[-0.0])[0].probability_alive, 1.0);
}
