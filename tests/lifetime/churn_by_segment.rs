//! What a scorer is worth in each segment.

use proptest::prelude::*;
use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    BgNbd, ChurnBySegment, ChurnScorer, PurchaseHistories, PurchaseHistory,
};

use crate::data;
use crate::golden::{close, golden, number};

const WEEK: TimeUnit = TimeUnit::Week;

fn scorer() -> ChurnScorer {
    let model = BgNbd::new(0.243, 4.414, 0.793, 2.426, WEEK).unwrap();
    let some = PurchaseHistories::from_columns(WEEK, &[4], &[20.0], &[39.0]).unwrap();
    ChurnScorer::new(model.into(), &some, 26.0).unwrap()
}

fn part(histories: &PurchaseHistories, at: &[usize]) -> PurchaseHistories {
    let rows = at.iter().map(|&i| histories.get(i).unwrap());
    PurchaseHistories::new(WEEK, rows.collect())
}

type Drawn = (PurchaseHistories, Vec<u64>, Vec<Option<u8>>);

fn customers() -> impl Strategy<Value = Drawn> {
    let customer =
        (0_u64..5, 0.0..=1.0, 1.0..60.0_f64, 0_u64..4, proptest::option::of(0_u8..4));
    proptest::collection::vec(customer, 0..60).prop_map(|rows| {
        let histories = rows.iter().map(|&(x, share, age, ..)| {
            PurchaseHistory::new(x, if x == 0 { 0.0 } else { share * age }, age).unwrap()
        });
        let histories = PurchaseHistories::new(WEEK, histories.collect());
        let (actual, segments) = rows.iter().map(|row| (row.3, row.4)).unzip();
        (histories, actual, segments)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// A segment's report is that of its customers as if there were no others.
    #[test]
    fn each_segment_is_judged_alone((histories, actual, segments) in customers(), least in 0_usize..4) {
        let scorer = scorer();
        let found = scorer.evaluate_by_segment(&histories, &actual, &segments, least).unwrap();
        let mut labels = segments.clone();
        labels.sort_unstable();
        labels.dedup();
        prop_assert_eq!(labels.len(), found.segments().len());
        for (label, row) in labels.iter().zip(found.segments()) {
            prop_assert_eq!(&row.segment, label);
            prop_assert_eq!(found.get(label), Some(row));
            let at: Vec<usize> = (0..segments.len()).filter(|&i| segments[i] == *label).collect();
            let own: Vec<u64> = at.iter().map(|&i| actual[i]).collect();
            let n_active = own.iter().filter(|&&a| a > 0).count();
            prop_assert_eq!((row.n_customers, row.n_active), (at.len(), n_active));
            let alone = scorer.evaluate(&part(&histories, &at), &own).ok();
            let enough = n_active >= least && at.len() - n_active >= least;
            prop_assert_eq!(&row.report, &alone.filter(|_| enough));
            let total = own.iter().sum::<u64>() as f64;
            prop_assert_eq!(row.actual_purchases, total);
            let expected: f64 = at
                .iter()
                .map(|&i| scorer.score(&histories.get(i).unwrap()).unwrap().expected_purchases)
                .sum();
            prop_assert!((row.expected_purchases - expected).abs() <= 1e-9 * expected);
            let ratio = row.expected_by_actual();
            prop_assert_eq!(ratio.is_none(), total == 0.0);
            if let Some(report) = &row.report {
                let buys = |i: usize| {
                    let score = scorer.score(&histories.get(i).unwrap()).unwrap();
                    (score.expected_purchases, 1.0 - score.probability_of_no_purchase)
                };
                let (mut above, mut pairs, mut absolute, mut squared) = (0.0, 0.0, 0.0, 0.0);
                for &i in &at {
                    let (expected, probability) = buys(i);
                    absolute += (expected - actual[i] as f64).abs();
                    squared += (probability - f64::from(u8::from(actual[i] > 0))).powi(2);
                    for &j in at.iter().filter(|&&j| actual[i] > 0 && actual[j] == 0) {
                        pairs += 1.0;
                        let order = expected.partial_cmp(&buys(j).0).unwrap();
                        above += [0.0, 0.5, 1.0][(order as i8 + 1) as usize];
                    }
                }
                let n = at.len() as f64;
                prop_assert!((report.rankings[0].auc - above / pairs).abs() < 1e-12);
                prop_assert!((report.mean_absolute_error - absolute / n).abs() < 1e-9);
                prop_assert!((report.brier_score - squared / n).abs() < 1e-9);
                prop_assert_eq!(report.n_customers, at.len());
                let tenths: usize = report.deciles.iter().map(|d| d.n_customers).sum();
                prop_assert_eq!(tenths, at.len());
            }
            prop_assert!(ratio.is_none_or(|r| (r * total - expected).abs() <= 1e-9 * expected));
        }
    }
}

/// The same as the report of all, where all are in one segment.
#[test]
fn one_segment_is_everybody() {
    let histories = PurchaseHistories::from_columns(
        WEEK,
        &[3, 0, 2, 5, 0, 1],
        &[30.0, 0.0, 4.0, 38.0, 0.0, 20.0],
        &[39.0, 39.0, 38.0, 39.0, 30.0, 31.0],
    )
    .unwrap();
    let actual = [2, 0, 0, 3, 1, 0];
    let scorer = scorer();
    let all = scorer.evaluate(&histories, &actual).unwrap();
    let found = scorer.evaluate_by_segment(&histories, &actual, &[7; 6], 3).unwrap();
    assert_eq!(found.get(&7).unwrap().report, Some(all.clone()));
    assert_eq!(found.get(&7).unwrap().to_string(), format!("7: {all}"));
    // 3 of 6 bought, and not 4 of each.
    let found = scorer.evaluate_by_segment(&histories, &actual, &[7; 6], 4).unwrap();
    let row = found.get(&7).unwrap();
    assert_eq!(row.report, None);
    assert!(
        row.to_string().starts_with("7: 6 customers, 3 active: too few to rank; 6 pu")
    );
    assert_eq!(found.get(&8), None);
}

#[test]
fn what_does_not_fit_is_said() {
    let scorer = scorer();
    let histories =
        PurchaseHistories::from_columns(WEEK, &[1, 0], &[3.0, 0.0], &[9.0, 9.0]).unwrap();
    let says = |result: segmenta::Result<ChurnBySegment<&str>>, what: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    };
    says(scorer.evaluate_by_segment(&histories, &[0, 1], &["a"], 1), "segments");
    says(
        scorer.evaluate_by_segment(&histories, &[0], &["a", "b"], 1),
        "actual purchases",
    );
    let days = PurchaseHistories::new(TimeUnit::Day, histories.as_slice().to_vec());
    says(scorer.evaluate_by_segment(&days, &[0, 1], &["a", "b"], 1), "week");
    let nobody = PurchaseHistories::new(WEEK, Vec::new());
    let none = scorer.evaluate_by_segment::<&str>(&nobody, &[], &[], usize::MAX);
    assert!(none.unwrap().segments().is_empty());
    // Counts at the end of their range, and nobody ever reaches the least number.
    let found =
        scorer.evaluate_by_segment(&histories, &[u64::MAX, 0], &["a", "a"], usize::MAX);
    let found = found.unwrap();
    assert_eq!(found.segments()[0].report, None);
    assert!(found.segments()[0].expected_by_actual().unwrap() > 0.0);
}

/// The segments of the BTYD walkthrough: who bought again as often, and 7 times and more.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_segments_by_frequency() {
    let golden = golden();
    let of = &golden["published"]["btyd_walkthrough"]["cond_exp_by_freq"];
    let (histories, actual) =
        data::hold_out(&data::cdnow_sample(), "1997-09-30", "1998-06-30");
    let model = BgNbd::fit(&histories).unwrap().into_model();
    let scorer = ChurnScorer::new(model.into(), &histories, 39.0).unwrap();
    let segments: Vec<u64> =
        histories.as_slice().iter().map(|h| h.frequency().min(7)).collect();
    let found = scorer.evaluate_by_segment(&histories, &actual, &segments, 10).unwrap();
    for (i, row) in found.segments().iter().enumerate() {
        let n = row.n_customers as f64;
        assert_eq!((row.segment, n), (i as u64, number(&of["bin"][i])));
        assert!((row.actual_purchases / n - number(&of["actual"][i])).abs() < 6e-4);
        let expected = number(&of["bgnbd"][i]);
        close(row.expected_purchases / n, expected, 2e-3, "expected purchases");
        // Eight of those who bought 7 times and more did not come back: too few.
        assert_eq!(row.report.is_none(), i == 7);
        let Some(report) = &row.report else { continue };
        assert_eq!(report.ranking("frequency").unwrap().auc, 0.5);
        assert!(report.rankings[0].auc > 0.55, "{row}");
    }
    let all = scorer.evaluate(&histories, &actual).unwrap();
    let sum: f64 = found.segments().iter().map(|row| row.expected_purchases).sum();
    close(sum, all.expected_purchases, 1e-12, "the sum of the segments");
    // Much of the ranking of all is that between the segments.
    let own = found.segments().iter().filter_map(|row| row.report.as_ref());
    let worse = own.filter(|own| own.rankings[0].auc < all.rankings[0].auc).count();
    assert_eq!(worse, 6, "{all}");
}
