//! Transactions that were taken back.

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::history::{Ledger, LedgerOptions, Occasion, RefundPolicy, ZeroValue};

use super::{Sale, day, options, sales};

/// Adds a sale, or takes it back.
fn push(ledger: &mut Ledger, sale: &Sale, retracts: bool) {
    let (customer, order) = (format!("c{}", sale.customer), format!("o{}", sale.order));
    let (day, amount) = (day(sale.day), sale.amount);
    let pushed = if retracts {
        ledger.retract_order(&customer, day, amount, &order)
    } else {
        ledger.add_order(&customer, day, amount, &order)
    };
    pushed.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// In any order and in parts that hold the one without the other.
    #[test]
    fn what_was_taken_back_never_was(
        options in options(),
        stays in sales(),
        goes in sales(),
        order in prop::collection::vec((any::<u32>(), 0..3_usize), 180),
    ) {
        let mut steps: Vec<(&Sale, bool)> = stays.iter().map(|sale| (sale, false)).collect();
        steps.extend(goes.iter().flat_map(|sale| [(sale, false), (sale, true)]));
        let mut steps: Vec<_> = order.into_iter().zip(steps).collect();
        steps.sort_by_key(|&((key, _), _)| key);
        let mut parts = [(); 3].map(|()| Ledger::new(options.clone()).unwrap());
        for ((_, part), (sale, retracts)) in steps {
            push(&mut parts[part], sale, retracts);
        }
        let mut merged = Ledger::new(options.clone()).unwrap();
        parts.into_iter().for_each(|part| merged.merge(part).unwrap());
        prop_assert_eq!(merged.len(), (stays.len() + goes.len()) as u64);

        let mut expected = Ledger::new(options.clone()).unwrap();
        stays.iter().for_each(|sale| push(&mut expected, sale, false));
        for as_of in [27, 32, 40] {
            let (found, expected) =
                (merged.summary(day(as_of)).unwrap(), expected.summary(day(as_of)).unwrap());
            prop_assert_eq!(found.report().retracted_rows, goes.len() as u64);
            let mut report = found.report().clone();
            report.retracted_rows = 0;
            prop_assert_eq!(&report, expected.report());
            prop_assert_eq!(
                found.iter().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>()
            );
        }
        let (found, expected) =
            (merged.holdout(day(30), day(33)).unwrap(), expected.holdout(day(30), day(33)).unwrap());
        prop_assert_eq!(found.report(), expected.report());
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn what_was_not_added_cannot_be_taken_back() {
    // Another customer, day, amount, order; and one too many.
    let cases = [("bob", 3, 5, 1), ("ann", 4, 5, 1), ("ann", 3, 6, 1), ("ann", 3, 5, 2)];
    let options = LedgerOptions::new().occasion(Occasion::Orders);
    let mut ledger = Ledger::new(options).unwrap();
    for (customer, order) in [("ann", 1), ("ann", 1), ("cid", 9)] {
        ledger.add_order(customer, day(3), 5, order).unwrap();
    }
    for (customer, at, amount, order) in cases {
        let mut ledger = ledger.clone();
        ledger.retract_order(customer, day(at), amount, order).unwrap();
        // Whatever the day of the summary.
        for as_of in [Date::MIN, Date::MAX] {
            let error = ledger.summary(as_of).unwrap_err();
            assert!(error.is_parameter());
            let what = format!(
                "is one more of customer `{customer}` on {} with {amount} minor units",
                day(at)
            );
            assert!(error.to_string().contains(&what), "{error}");
        }
        assert!(ledger.holdout(day(1), day(2)).is_err());
        // Late is soon enough.
        ledger.add_order(customer, day(at), amount, order).unwrap();
        assert_eq!(ledger.summary(day(9)).unwrap().report().rows, 3);
        assert_eq!(ledger.kept_rows(), 5);
    }
    for left in [2_u64, 1] {
        ledger.retract_order("ann", day(3), 5, 1).unwrap();
        assert_eq!(ledger.summary(day(9)).unwrap().report().rows, left);
    }
    assert!(ledger.summary(day(9)).unwrap().find("ann").is_none());
    ledger.retract_order("ann", day(3), 5, 1).unwrap();
    assert!(ledger.summary(day(9)).is_err());
}

#[test]
fn of_dropped_transactions_the_number_is_checked() {
    let options =
        LedgerOptions::new().refunds(RefundPolicy::Drop).zero_value(ZeroValue::Drop);
    let mut ledger = Ledger::new(options).unwrap();
    ledger.add("ann", day(3), 0).unwrap();
    ledger.add("ann", day(3), -2).unwrap();
    ledger.retract("ann", day(3), -2).unwrap();
    let report = ledger.summary(day(3)).unwrap().report().clone();
    assert_eq!(
        (report.rows, report.refunds_dropped, report.zero_rows_dropped),
        (1, 0, 1)
    );
    ledger.retract("ann", day(3), -2).unwrap();
    assert_eq!(
        ledger.summary(day(3)).unwrap_err().to_string(),
        "parameter `retracted transactions` must be at most those that were added, \
         2 with 1 refunds and 1 of amount 0, but is 2 with 2 refunds and 0 of amount 0"
    );
}

#[test]
fn what_could_not_be_added_is_refused() {
    let options = LedgerOptions::new().refunds(RefundPolicy::Reject);
    let mut ledger = Ledger::new(options).unwrap();
    ledger.add("ann", day(3), 4).unwrap();
    assert!(ledger.retract("ann", day(3), -4).is_err());
    assert!(ledger.retract(7, day(3), 4).is_err());
    assert_eq!(ledger.summary(day(3)).unwrap().report().retracted_rows, 0);
}
