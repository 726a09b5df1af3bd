//! One customer's own gaps.

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::history::{Behaviour, Cadence, Ledger, LedgerOptions};

use super::{day, is_near, number};

fn dates(days: &[i32]) -> Vec<Date> {
    days.iter().map(|&at| day(at)).collect()
}

/// Of these gaps, with so many days since.
fn of_gaps(gaps: &[i32], since: i32) -> Cadence {
    let mut days = vec![100];
    for gap in gaps {
        days.push(days[days.len() - 1] + gap);
    }
    let last = days[days.len() - 1];
    Cadence::of_days(&dates(&days), day(last + since)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Those that a ledger tells of the same purchases, which plain scans check.
    #[test]
    fn the_same_as_the_features(
        days in proptest::collection::vec(0..40_i32, 1..20),
        as_of in 20..45_i32,
        percent in 0_u32..=100,
    ) {
        let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
        days.iter().for_each(|&at| ledger.add(1, day(at), 1_00).unwrap());
        let features = Behaviour::new().windows([]).gap_percentiles([percent]);
        let table = ledger.behaviour(day(as_of), &features).unwrap();
        let found = Cadence::of_days(&dates(&days), day(as_of));
        prop_assert_eq!(found.is_ok(), table.len() == 1);
        let Ok(cadence) = found else { return Ok(()) };
        for (name, value) in [
            ("gap_mean", cadence.mean_gap()),
            ("gap_median", cadence.median_gap()),
            (&*format!("gap_p{percent}"), cadence.percentile_gap(percent.into()).unwrap()),
            ("gap_cv", cadence.variation()),
            ("overdue", cadence.overdue()),
            ("gaps_exceeded", cadence.gaps_exceeded()),
        ] {
            let expected = number(&table, 0, name);
            prop_assert!(is_near(value.unwrap_or(f64::NAN), expected), "{} {:?}", name, value);
        }
        let gaps: Vec<u64> = cadence.gaps().collect();
        prop_assert!(gaps.is_sorted() && gaps.iter().all(|&gap| gap > 0));
        prop_assert_eq!(gaps.is_empty(), cadence.mean_gap().is_none());
        let longest = cadence.percentile_gap(100.0).unwrap();
        prop_assert_eq!(longest, gaps.last().map(|&gap| gap as f64));
    }
}

/// Of Python 3: `statistics.quantiles([3, 4, 8, 9, 14, 30, 31], n=100, method="inclusive")`,
/// whose method is definition 7; 0 and 100 are the least and the greatest.
#[test]
fn percentiles_are_those_of_definition_7() {
    let cadence = of_gaps(&[8, 31, 3, 14, 9, 30, 4], 30);
    for (percent, expected) in [
        (0.0, 3.0),
        (10.0, 3.6),
        (25.0, 6.0),
        (50.0, 9.0),
        (75.0, 22.0),
        (90.0, 30.4),
        (99.0, 30.94),
        (100.0, 31.0),
    ] {
        let found = cadence.percentile_gap(percent).unwrap().unwrap();
        assert!((found - expected).abs() < 1e-12, "{percent}: {found}");
    }
    // Five of seven are shorter; one is as long, and not exceeded.
    assert_eq!(cadence.gaps_exceeded(), Some(5.0 / 7.0));
    assert_eq!(of_gaps(&[8, 31, 3, 14, 9, 30, 4], 31).gaps_exceeded(), Some(6.0 / 7.0));
    assert_eq!(of_gaps(&[8, 31], 0).gaps_exceeded(), Some(0.0));
    assert_eq!(of_gaps(&[8, 31], 32).gaps_exceeded(), Some(1.0));
    assert!(cadence.to_string().ends_with("their median is 9 days, their 90 % gap 30.4"));
}

#[test]
fn odd_days_have_an_answer() {
    let once = Cadence::of_days(&dates(&[5, 5, 99]), day(50)).unwrap();
    assert_eq!(once.to_string(), "45 days since the last purchase, the only one");
    assert_eq!((once.gaps().len(), once.since_last_purchase()), (0, 45));
    assert_eq!((once.median_gap(), once.percentile_gap(90.0).unwrap()), (None, None));
    assert_eq!(
        (once.gaps_exceeded(), once.overdue(), once.variation()),
        (None, None, None)
    );
    for days in [&[][..], &[51]] {
        let error = Cadence::of_days(&dates(days), day(50)).unwrap_err().to_string();
        assert!(error.contains("nothing was bought up to 1970-02-20"), "{error}");
    }
    for bad in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
        let error = once.percentile_gap(bad).unwrap_err();
        assert!(error.is_parameter() && error.to_string().contains("from 0 to 100"));
    }
    let ends = Cadence::of_days(&[Date::MAX, Date::MIN], Date::MAX).unwrap();
    assert_eq!(ends.gaps().collect::<Vec<_>>(), [7_304_483]);
    assert_eq!(ends.percentile_gap(90.0).unwrap(), Some(7_304_483.0));
}
