//! Transitions between segments, and their split into movement and re-ranking.

use proptest::prelude::*;
use segmenta::monitor::{MigrationDecomposition, TransitionMatrix};

use super::cases;

type Label = Option<&'static str>;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Segments by the earlier model before, by it after, and by the later one after.
fn customers() -> impl Strategy<Value = Vec<(Label, Option<(&'static str, &'static str)>)>>
{
    let name = || prop::sample::select(&NAMES[..]);
    let customer = prop_oneof![
        6 => (name(), name(), name()).prop_map(|(a, b, c)| (Some(a), Some((b, c)))),
        2 => name().prop_map(|a| (Some(a), Some((a, a)))),
        1 => (name(), name()).prop_map(|(b, c)| (None, Some((b, c)))),
        1 => name().prop_map(|a| (Some(a), None)),
    ];
    prop::collection::vec(customer, 0..50)
}

fn n<T>(rows: &[T], of: impl Fn(&T) -> bool) -> u64 {
    rows.iter().filter(|row| of(row)).count() as u64
}

proptest! {
    #![proptest_config(cases(200))]

    /// Each figure of a matrix is what a scan of the customers counts.
    #[test]
    fn matrices_are_their_counts(rows in customers()) {
        let rows: Vec<(Label, Label)> =
            rows.into_iter().map(|(a, bc)| (a, bc.map(|bc| bc.0))).collect();
        let (before, after): (Vec<Label>, Vec<Label>) = rows.iter().copied().unzip();
        let matrix = TransitionMatrix::from_labels(&before, &after).unwrap();
        let mut seen: Vec<&str> = before.iter().chain(&after).filter_map(|l| *l).collect();
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(matrix.segments(), &seen[..]);
        for from in NAMES {
            let all = n(&rows, |row| row.0 == Some(from));
            prop_assert_eq!(matrix.before(&from), all);
            prop_assert_eq!(matrix.after(&from), n(&rows, |row| row.1 == Some(from)));
            prop_assert_eq!(matrix.gone(&from), n(&rows, |row| *row == (Some(from), None)));
            prop_assert_eq!(matrix.arrived(&from), n(&rows, |row| *row == (None, Some(from))));
            for to in NAMES {
                let count = n(&rows, |row| *row == (Some(from), Some(to)));
                prop_assert_eq!(matrix.count(&from, &to), count);
                let share = (all > 0).then(|| count as f64 / all as f64);
                prop_assert_eq!(matrix.share(&from, &to), share);
            }
            let shares = matrix.row_shares(&from);
            prop_assert_eq!(shares.is_some(), all > 0);
            if let Some(shares) = shares {
                prop_assert_eq!(shares.len(), seen.len());
                let sum = shares.iter().sum::<f64>() + matrix.share_gone(&from).unwrap();
                prop_assert!((sum - 1.0).abs() < 1e-12);
            }
        }
        let stayed = n(&rows, |row| row.0 == row.1);
        let moved = n(&rows, |row| row.0.is_some() && row.1.is_some() && row.0 != row.1);
        prop_assert_eq!((matrix.stayed(), matrix.moved()), (stayed, moved));
        prop_assert_eq!(matrix.all_arrived(), n(&rows, |row| row.0.is_none()));
        prop_assert_eq!(matrix.all_gone(), n(&rows, |row| row.1.is_none()));
        let share = (stayed + moved > 0).then(|| moved as f64 / (stayed + moved) as f64);
        prop_assert_eq!(matrix.share_moved(), share);
        prop_assert_eq!(matrix.cells().map(|cell| cell.2).sum::<u64>(), rows.len() as u64);
    }

    /// The same by ids in any order, in parts, and after saving.
    #[test]
    fn order_parts_and_saving_leave_no_trace(rows in customers(), cut in 0_usize..50, turn in 1_u64..7) {
        let a: Vec<Label> = rows.iter().map(|row| row.0).collect();
        let b: Vec<Label> = rows.iter().map(|row| row.1.map(|bc| bc.0)).collect();
        let c: Vec<Label> = rows.iter().map(|row| row.1.map(|bc| bc.1)).collect();
        let change = MigrationDecomposition::from_labels(&a, &b, &c).unwrap();
        // Ids without an order, and other orders at both dates.
        let id = |i: usize| (i as u64 * 37) % 101;
        let mut first: Vec<(u64, &str)> =
            a.iter().enumerate().filter_map(|(i, l)| Some((id(i), (*l)?))).collect();
        let mut second: Vec<(u64, &str, &str)> = rows
            .iter()
            .enumerate()
            .filter_map(|(i, row)| row.1.map(|(b, c)| (id(i), b, c)))
            .collect();
        first.sort_by_key(|row| (row.0 * turn) % 11);
        second.reverse();
        let (ids, labels): (Vec<u64>, Vec<&str>) = first.into_iter().unzip();
        let later_ids: Vec<u64> = second.iter().map(|row| row.0).collect();
        let by_earlier: Vec<&str> = second.iter().map(|row| row.1).collect();
        let by_later: Vec<&str> = second.iter().map(|row| row.2).collect();
        let by_ids = MigrationDecomposition::of_customers(
            (&ids, &labels), (&later_ids, &by_earlier, &by_later),
        ).unwrap();
        prop_assert_eq!(&by_ids, &change);
        let matrix =
            TransitionMatrix::of_customers((&ids, &labels), (&later_ids, &by_earlier)).unwrap();
        prop_assert_eq!(&matrix, change.movement());

        let cut = cut.min(rows.len());
        let mut parts =
            MigrationDecomposition::from_labels(&a[cut..], &b[cut..], &c[cut..]).unwrap();
        parts
            .merge(&MigrationDecomposition::from_labels(&a[..cut], &b[..cut], &c[..cut]).unwrap())
            .unwrap();
        prop_assert_eq!(&parts, &change);
        let mut parts = TransitionMatrix::from_labels(&a[cut..], &b[cut..]).unwrap();
        parts.merge(&TransitionMatrix::from_labels(&a[..cut], &b[..cut]).unwrap()).unwrap();
        prop_assert_eq!(&parts, &matrix);

        let json = serde_json::to_string(&change).unwrap();
        let json: &'static str = json.leak();
        prop_assert_eq!(serde_json::from_str::<MigrationDecomposition<&str>>(json).unwrap(), change);
        let json: &'static str = serde_json::to_string(&matrix).unwrap().leak();
        prop_assert_eq!(serde_json::from_str::<TransitionMatrix<&str>>(json).unwrap(), matrix);
    }

    /// Movement and re-ranking are the two steps of what shows, for each customer, and for the
    /// size of each segment.
    #[test]
    fn what_shows_is_movement_and_reranking(rows in customers()) {
        let a: Vec<Label> = rows.iter().map(|row| row.0).collect();
        let b: Vec<Label> = rows.iter().map(|row| row.1.map(|bc| bc.0)).collect();
        let c: Vec<Label> = rows.iter().map(|row| row.1.map(|bc| bc.1)).collect();
        let change = MigrationDecomposition::from_labels(&a, &b, &c).unwrap();
        prop_assert_eq!(change.movement(), &TransitionMatrix::from_labels(&a, &b).unwrap());
        prop_assert_eq!(change.apparent(), &TransitionMatrix::from_labels(&a, &c).unwrap());
        let there = |labels: &[Label]| -> Vec<Label> {
            labels.iter().zip(&b).filter(|(_, b)| b.is_some()).map(|(l, _)| *l).collect()
        };
        let later = TransitionMatrix::from_labels(&there(&b), &there(&c)).unwrap();
        prop_assert_eq!(change.reranking(), &later);

        let both: Vec<(&str, &str, &str)> =
            rows.iter().filter_map(|(a, bc)| bc.and_then(|(b, c)| Some(((*a)?, b, c)))).collect();
        let totals = change.totals();
        prop_assert_eq!(totals.customers(), both.len() as u64);
        prop_assert_eq!(totals.unchanged, n(&both, |(a, b, c)| a == b && b == c));
        prop_assert_eq!(totals.hidden, n(&both, |(a, b, c)| a == c && a != b));
        prop_assert_eq!(totals.moved, n(&both, |(a, b, c)| a != b && b == c));
        prop_assert_eq!(totals.reranked, n(&both, |(a, b, c)| a == b && b != c));
        prop_assert_eq!(totals.really_moved(), change.movement().moved());
        prop_assert_eq!(totals.seem_moved(), change.apparent().moved());
        let fake = (totals.seem_moved() > 0)
            .then(|| totals.reranked as f64 / change.apparent().moved() as f64);
        prop_assert_eq!(totals.share_fake(), fake);

        for row in change.segments() {
            let is = |label: Label| label == Some(row.segment);
            prop_assert_eq!(row.before, n(&a, |l| is(*l)));
            prop_assert_eq!(row.after, n(&c, |l| is(*l)));
            prop_assert_eq!(row.arrived, n(&rows, |r| r.0.is_none() && is(r.1.map(|bc| bc.0))));
            prop_assert_eq!(row.gone, n(&rows, |r| is(r.0) && r.1.is_none()));
            let moved = |of: &dyn Fn(&(&str, &str, &str)) -> bool| i128::from(n(&both, of));
            let movement = moved(&|r| r.1 == row.segment && r.0 != row.segment)
                - moved(&|r| r.0 == row.segment && r.1 != row.segment);
            prop_assert_eq!(row.movement, movement);
            let sum = i128::from(row.before) + row.movement + i128::from(row.arrived)
                - i128::from(row.gone) + row.reranking;
            prop_assert_eq!(i128::from(row.after), sum);
        }
        let named = change.segments().len();
        let distinct = NAMES.iter().filter(|l| [&a, &b, &c].iter().any(|s| s.contains(&Some(**l))));
        prop_assert_eq!(named, distinct.count());
    }
}

/// Nobody does anything but one, who falls: quintiles move others up in her place.
#[test]
fn quantiles_move_those_who_did_nothing() {
    let before = [10, 20, 30, 40, 50, 60];
    let after = [10, 20, 30, 40, 50, 0];
    let thirds = |values: &[i32], of: i32| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        ["low", "middle", "high"][sorted.partition_point(|v| *v < of) / 2]
    };
    let label = |model: &[i32], values: &[i32]| -> Vec<Label> {
        values.iter().map(|&v| Some(thirds(model, v))).collect()
    };
    let change = MigrationDecomposition::from_labels(
        &label(&before, &before),
        &label(&before, &after),
        &label(&after, &after),
    )
    .unwrap();
    assert_eq!(change.movement().moved(), 1);
    assert_eq!(change.movement().count(&"high", &"low"), 1);
    assert_eq!(change.apparent().moved(), 3);
    assert_eq!(change.reranking().count(&"middle", &"high"), 1);
    assert_eq!(change.totals().share_fake(), Some(2.0 / 3.0));
    assert_eq!(
        change.totals().to_string(),
        "6 customers: 3 seem to have moved, 2 of them by new cut points only; 1 moved, 0 of \
         them unseen"
    );
    let high = change.segments().into_iter().find(|row| row.segment == "high").unwrap();
    assert_eq!((high.before, high.movement, high.reranking, high.after), (2, -1, 1, 2));
}

#[test]
fn what_does_not_fit_is_refused() {
    #[track_caller]
    fn says<T: std::fmt::Debug>(result: segmenta::Result<T>, what: &[&str]) {
        let message = result.unwrap_err().to_string();
        assert!(what.iter().all(|what| message.contains(what)), "{message}");
    }
    let of = TransitionMatrix::from_labels;
    says(of(&[Some(1)], &[]), &["labels after"]);
    says(of(&[Some(1), None], &[None, None]), &["neither time", "row 1"]);
    let by_ids = |a: &[u8], b: &[u8]| {
        TransitionMatrix::of_customers((a, &[1; 3]), (b, &[1; 2])).map(|_| ())
    };
    says(by_ids(&[7, 9, 7], &[1, 2]), &["once before", "row 0", "row 2"]);
    says(by_ids(&[7, 9, 8], &[2, 2]), &["once after", "row 1"]);
    says(by_ids(&[7, 9], &[1, 2]), &["labels before"]);
    says(by_ids(&[7, 9, 8], &[2]), &["labels after"]);
    let full = (Some(1), Some(2), u64::MAX);
    says(TransitionMatrix::from_cells([full, (None, Some(1), 1)]), &["below 2^64"]);
    says(TransitionMatrix::<u8>::from_cells([(None, None, 1)]), &["neither time"]);
    let mut most = TransitionMatrix::from_cells([full]).unwrap();
    let one = of(&[Some(1)], &[Some(1)]).unwrap();
    says(most.merge(&one), &["below 2^64"]);
    assert_eq!((most.count(&1, &2), most.stayed()), (u64::MAX, 0));
    let empty = of(&[], &[]).unwrap();
    assert_eq!((empty.share_moved(), empty.row_shares(&1)), (None, None));

    let three = |b: &[Option<u8>], c: &[Option<u8>]| {
        MigrationDecomposition::from_labels(&[Some(1), Some(2)], b, c)
    };
    says(three(&[None, Some(1)], &[None, None]), &["both models", "row 1"]);
    says(three(&[None], &[None, None]), &["labels after has", "2"]);
    says(three(&[None, None], &[None]), &["by the later model"]);
    let both: Result<MigrationDecomposition<u8>, _> = serde_json::from_str(
        r#"{"both":[[1,1,1,18446744073709551615],[1,2,2,1]],"arrived":[],"gone":[]}"#,
    );
    assert!(both.unwrap_err().to_string().contains("below 2^64"));
    let full = r#"{"both":[[1,1,2,18446744073709551615]],"arrived":[],"gone":[]}"#;
    let mut full: MigrationDecomposition<u8> = serde_json::from_str(full).unwrap();
    assert_eq!(full.segments()[0].reranking, -i128::from(u64::MAX));
    let gone = three(&[None, None], &[None, None]).unwrap();
    says(full.merge(&gone), &["below 2^64"]);
    assert_eq!(full.totals().reranked, u64::MAX);
    assert_eq!((gone.totals().share_fake(), gone.movement().all_gone()), (None, 2));
}

/// Customers whom a model puts in no segment are there.
#[test]
fn no_segment_is_a_label() {
    let before = [Some(None), Some(Some(3)), None];
    let after = [Some(Some(3)), Some(None), Some(None)];
    let matrix = TransitionMatrix::from_labels(&before, &after).unwrap();
    assert_eq!((matrix.count(&None, &Some(3)), matrix.arrived(&None)), (1, 1));
    let json = serde_json::to_string(&matrix).unwrap();
    assert_eq!(
        serde_json::from_str::<TransitionMatrix<Option<u8>>>(&json).unwrap(),
        matrix
    );
}

/// As many segments as customers take no more than their customers.
#[test]
fn many_labels_are_no_square() {
    let labels: Vec<Option<u32>> = (0..100_000).map(Some).collect();
    let next: Vec<Option<u32>> = (0..100_000).map(|i| Some((i * 7) % 100_000)).collect();
    let change = MigrationDecomposition::from_labels(&labels, &next, &labels).unwrap();
    assert_eq!(change.segments().len(), 100_000);
    assert_eq!(change.totals().hidden, change.movement().moved());
    assert_eq!(change.movement().row_shares(&1).unwrap().len(), 100_000);
}
