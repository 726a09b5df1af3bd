//! Figures of evaluations, worked out by hand and in slow and obvious ways.

use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    ChurnReport, ChurnScorer, IndependenceCheck, MbgNbd, Nbd, PurchaseHistories,
    PurchaseHistory, PurchaseModel, PurchaseModelKind, SpendHistory, independence_check,
};

use crate::golden::close;
use crate::properties::drawn;

const WEEK: TimeUnit = TimeUnit::Week;

fn checked(pairs: &[(u64, f64)]) -> IndependenceCheck {
    let of = |&(x, m): &(u64, f64)| match x {
        0 => SpendHistory::none(),
        _ => SpendHistory::new(x, m).unwrap(),
    };
    independence_check(&pairs.iter().map(of).collect::<Vec<_>>()).unwrap()
}

#[test]
fn dependence_of_four_customers_by_hand() {
    // Deviations of frequency: −3/4, −3/4, 1/4, 5/4; of spend: −17.5, −7.5, −7.5, 32.5.
    let found = checked(&[(3, 60.0), (0, 0.0), (1, 10.0), (2, 20.0), (1, 20.0)]);
    assert_eq!(found.n_customers, 4);
    close(found.pearson, 57.5 / (2.75_f64 * 1475.0).sqrt(), 1e-14, "pearson");
    // Ranks 1.5, 1.5, 3, 4 and 1, 2.5, 2.5, 4.
    close(found.spearman, 5.0 / 6.0, 1e-14, "spearman");
    // Means of the frequencies: 15, 20, 60, around 27.5.
    close(found.eta_squared, 57.0 / 59.0, 1e-14, "eta squared");
    assert!(!found.holds());
    // Upside down.
    let found = checked(&[(1, 60.0), (3, 10.0), (2, 20.0), (3, 20.0)]);
    close(found.spearman, -5.0 / 6.0, 1e-14, "spearman");
    close(found.pearson, -57.5 / (2.75_f64 * 1475.0).sqrt(), 1e-14, "pearson");
    // Ranks do not see how far a value is off; the others do.
    let found = checked(&[(1, 1.0), (2, 2.0), (3, 3.0), (4, 1000.0)]);
    close(found.spearman, 1.0, 1e-14, "spearman");
    assert!(found.pearson < 0.8 && found.eta_squared == 1.0);
}

/// All by pairs of customers: no mean, no sorting.
#[test]
fn dependence_is_that_of_pairs() {
    let mut state = 1_u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(12_345);
        (state >> 33) % n
    };
    for n in [3, 4, 7, 40, 200] {
        for slope in [0, 1, 5] {
            let mut rows: Vec<(u64, f64)> = (0..n)
                .map(|_| {
                    let x = 1 + below(5);
                    // Many of the same mean.
                    (x, (1 + below(9) + slope * x) as f64 / 4.0)
                })
                .collect();
            rows[0] = (1, 0.25);
            rows[1] = (6, 20.0);
            let x: Vec<f64> = rows.iter().map(|row| row.0 as f64).collect();
            let m: Vec<f64> = rows.iter().map(|row| row.1).collect();
            // Σ over pairs of the products of differences.
            let pairs = |a: &[f64], b: &[f64]| {
                let mut sum = 0.0;
                for i in 0..a.len() {
                    for j in 0..i {
                        sum += (a[i] - a[j]) * (b[i] - b[j]);
                    }
                }
                sum
            };
            let correlation =
                |a: &[f64], b: &[f64]| pairs(a, b) / (pairs(a, a) * pairs(b, b)).sqrt();
            let ranks = |a: &[f64]| -> Vec<f64> {
                let count = |i: usize| {
                    let below = a.iter().filter(|v| **v < a[i]).count() as f64;
                    below + 0.5 * a.iter().filter(|v| **v == a[i]).count() as f64
                };
                (0..a.len()).map(count).collect()
            };
            // What does not lie within the frequencies lies between them.
            let within: f64 = (1..7)
                .map(|x| {
                    let of = rows.iter().filter(|row| row.0 == x).map(|row| row.1);
                    let of: Vec<f64> = of.collect();
                    pairs(&of, &of) / (of.len() as f64).max(1.0)
                })
                .sum();
            let eta_squared = 1.0 - within / (pairs(&m, &m) / n as f64);

            let found = checked(&rows);
            let what = format!("{n} {slope}");
            assert_eq!(found.n_customers, rows.len());
            for (found, expected) in [
                (found.pearson, correlation(&x, &m)),
                (found.spearman, correlation(&ranks(&x), &ranks(&m))),
                (found.eta_squared, eta_squared),
            ] {
                assert!((found - expected).abs() < 1e-12, "{what}: {found} {expected}");
            }
        }
    }
}

#[test]
fn dependence_matters_from_its_limits_on() {
    let mut check = checked(&[(1, 10.0), (1, 30.0), (4, 11.0), (4, 29.0)]);
    (check.pearson, check.spearman, check.eta_squared) = (0.1, -0.1, 0.06);
    assert!(check.holds());
    for (pearson, spearman, eta_squared) in [
        (0.101, 0.0, 0.0),
        (-0.101, 0.0, 0.0),
        (0.0, 0.101, 0.0),
        (0.0, -0.101, 0.0),
        (0.0, 0.0, 0.061),
    ] {
        (check.pearson, check.spearman, check.eta_squared) =
            (pearson, spearman, eta_squared);
        assert!(!check.holds(), "{check:?}");
    }
}

/// Judges NBD with `r` and `alpha` of 1 over 10 weeks: of a customer of age `9` with `x` repeat
/// purchases it expects `1 + x`, and none with probability `½^(1+x)`.
fn judged(rows: &[(u64, f64, f64)], actual: &[u64]) -> ChurnReport {
    let rows = rows.iter().map(|row| PurchaseHistory::new(row.0, row.1, row.2).unwrap());
    let histories = PurchaseHistories::new(WEEK, rows.collect());
    let model = Nbd::new(1.0, 1.0, WEEK).unwrap();
    let scorer = ChurnScorer::new(model.into(), &histories, 10.0).unwrap();
    scorer.evaluate(&histories, actual).unwrap()
}

#[test]
fn four_customers_are_evaluated_by_hand() {
    // They buy with probability 1/2, 3/4, 1/4, 7/16; expected are 1, 2, 1/3, 2/3 purchases.
    let rows = [(0, 0.0, 9.0), (1, 8.0, 9.0), (0, 0.0, 29.0), (1, 3.0, 29.0)];
    let report = judged(&rows, &[0, 3, 0, 1]);
    assert_eq!((report.n_customers, report.share_active), (4, 0.5));
    assert_eq!(report.actual_purchases, 4.0);
    close(report.expected_purchases, 4.0, 1e-14, "expected purchases");
    close(report.mean_absolute_error, 2.0 / 3.0, 1e-14, "mean absolute error");
    // Squares of 1/2, 1/4, 1/4, 9/16.
    close(report.brier_score, 177.0 / 1024.0, 1e-14, "Brier score");
    // Four tenths have a customer each, the least likely to buy first.
    let tenths = [(0.25, 0.0), (7.0 / 16.0, 1.0), (0.5, 0.0), (0.75, 1.0)];
    assert_eq!(report.deciles.len(), 4);
    for (decile, (probability, share)) in report.deciles.iter().zip(tenths) {
        assert_eq!((decile.n_customers, decile.share_active), (1, share));
        close(decile.probability, probability, 1e-14, "probability");
    }
}

fn better(report: &ChurnReport) -> Vec<&str> {
    report.better_baselines().map(|ranking| ranking.score.as_str()).collect()
}

#[test]
fn baselines_that_rank_better_are_named() {
    // By purchases expected the first comes first, by recency the second and the third; as all
    // are of one age, frequency ranks as the scorer does, and nobody leaves NBD.
    let rows = [(3, 1.0, 9.0), (2, 8.0, 9.0), (1, 5.0, 9.0), (0, 0.0, 9.0)];
    let auc = |report: &ChurnReport| -> Vec<f64> {
        report.rankings.iter().map(|ranking| ranking.auc).collect()
    };
    let of_repeaters = |report: &ChurnReport| -> Vec<f64> {
        report.rankings.iter().map(|ranking| ranking.auc_of_repeaters.unwrap()).collect()
    };
    let report = judged(&rows, &[0, 1, 4, 0]);
    assert_eq!(auc(&report), [0.5, 0.5, 1.0, 0.5, 1.0]);
    assert_eq!(better(&report), ["recency", "overdue ratio"]);
    assert_eq!(of_repeaters(&report), [0.0, 0.5, 1.0, 0.0, 1.0]);
    // As good is not better, nor is worse.
    let report = judged(&rows, &[1, 0, 0, 1]);
    assert_eq!(auc(&report), [0.5, 0.5, 0.0, 0.5, 0.0]);
    assert!(better(&report).is_empty());
    // All who had bought again bought: there is nothing to rank.
    let report = judged(&rows, &[1, 1, 1, 0]);
    assert!(report.rankings.iter().all(|ranking| ranking.auc_of_repeaters.is_none()));
    assert!(better(&report).is_empty());
    // Worse than chance: everything is better, in the order of the rankings.
    let report = judged(&rows, &[0, 0, 1, 1]);
    assert_eq!(auc(&report), [0.0, 0.5, 0.25, 0.0, 0.5]);
    assert_eq!(of_repeaters(&report), [0.0, 0.5, 0.5, 0.0, 0.5]);
    assert_eq!(better(&report), ["probability alive", "recency", "overdue ratio"]);
}

/// Each customer alone, and all pairs of customers.
#[test]
fn evaluations_are_their_sums() {
    let model = MbgNbd::new(0.5, 6.0, 0.9, 1.6, WEEK).unwrap();
    for n in [3, 9, 10, 11, 23, 137] {
        let mut rows = drawn(PurchaseModelKind::MbgNbd, n as u64).as_slice().to_vec();
        rows[1] = PurchaseHistory::new(2, 5.0, 30.0).unwrap();
        // Ties: every fourth is as the one before.
        for i in (3..n).step_by(4) {
            rows[i] = rows[i - 1];
        }
        let histories = PurchaseHistories::new(WEEK, rows.clone());
        let mut actual: Vec<u64> =
            (0..n).map(|i| [0, 0, 3, 1, 0, 1, 0][i % 7] * (i % 2) as u64).collect();
        (actual[0], actual[1]) = (0, 2);
        let scorer = ChurnScorer::new(model.into(), &histories, 13.0).unwrap();
        let report = scorer.evaluate(&histories, &actual).unwrap();

        let buys: Vec<f64> = rows
            .iter()
            .map(|h| 1.0 - model.probability_of_n_purchases(h, 0, 13.0).unwrap())
            .collect();
        let mut brier = 0.0;
        for (p, a) in buys.iter().zip(&actual) {
            brier += if *a > 0 { 1.0 - 2.0 * p + p * p } else { p * p };
        }
        close(report.brier_score, brier / n as f64, 1e-12, "Brier score");

        // Those before a customer, by the probability and then by place.
        let place = |i: usize| {
            (0..n).filter(|&j| buys[j] < buys[i] || (buys[j] == buys[i] && j < i)).count()
        };
        let mut tenths = vec![(0, 0.0, 0.0); 10];
        for i in 0..n {
            // The last tenth that begins no later than there.
            let at = (0..10).rev().find(|tenth| tenth * n / 10 <= place(i)).unwrap();
            tenths[at].0 += 1;
            tenths[at].1 += buys[i];
            tenths[at].2 += f64::from(u8::from(actual[i] > 0));
        }
        tenths.retain(|tenth| tenth.0 > 0);
        assert_eq!(report.deciles.len(), tenths.len());
        assert_eq!(tenths.len(), n.min(10));
        for (found, (size, sum, active)) in report.deciles.iter().zip(tenths) {
            assert_eq!(found.n_customers, size);
            close(found.probability, sum / f64::from(size as u32), 1e-12, "probability");
            assert_eq!(found.share_active, active / f64::from(size as u32));
        }

        let scores: Vec<[f64; 5]> = rows
            .iter()
            .map(|h| {
                let score = scorer.score(h).unwrap();
                [
                    score.expected_purchases,
                    score.probability_alive,
                    -score.since_last_purchase,
                    h.frequency() as f64,
                    -score.overdue_ratio,
                ]
            })
            .collect();
        let mut auc = [0.0; 5];
        let mut pairs = 0.0;
        for i in (0..n).filter(|&i| actual[i] > 0) {
            for j in (0..n).filter(|&j| actual[j] == 0) {
                pairs += 1.0;
                for k in 0..5 {
                    let (a, b) = (scores[i][k], scores[j][k]);
                    auc[k] += if a > b { 1.0 } else { 0.5 * f64::from(u8::from(a == b)) };
                }
            }
        }
        for (ranking, won) in report.rankings.iter().zip(auc) {
            close(ranking.auc, won / pairs, 1e-12, &ranking.score);
        }
        let names: Vec<&str> = report
            .rankings
            .iter()
            .zip(auc)
            .filter(|(_, won)| *won > auc[0])
            .map(|(ranking, _)| ranking.score.as_str())
            .collect();
        assert_eq!(better(&report), names);
    }
}
