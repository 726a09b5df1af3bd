//! Quantile scores against their formulas and pandas, and the model that they make.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use segmenta::data::{
    Column, FeatureSpec, Ids, OwnedCustomer, OwnedValue, Schema, Table, Validity,
};
use segmenta::rfm::{
    Axis, CellRange, CutPoint, Grid, NTiles, Rfm, RfmModel, SegmentMap, Side, TiePolicy,
};
use segmenta::score::{Direction, RfmScore};
use segmenta::segmenter::{Persist, Reason, Relabel, Saved, Segment};
use segmenta::{ErrorKind, Fit, Segmenter, SegmenterExt};
use serde_json::{Value, json};

const HIGHER: Direction = Direction::HigherIsBetter;
const LOWER: Direction = Direction::LowerIsBetter;

fn scores(x: &[f64], n: u32, direction: Direction, policy: &TiePolicy) -> Vec<u32> {
    NTiles::fit(x, None, n, direction, policy).unwrap().1
}

// ---- one axis

/// Each policy by its definition, in integers, for rows in the order of their ids.
fn oracle(x: &[f64], n: u32, direction: Direction, policy: &TiePolicy) -> Vec<u32> {
    let (len, tiles) = (x.len() as u64, u64::from(n));
    let lower = direction == LOWER;
    let worse = |a: f64, b: f64| if lower { a > b } else { a < b };
    let score = |row: usize| -> u64 {
        let v = x[row];
        let n_worse = x.iter().filter(|&&w| worse(w, v)).count() as u64;
        let n_equal = x.iter().filter(|&&w| w == v).count() as u64;
        let ties_before = x[..row].iter().filter(|&&w| w == v).count() as u64;
        let n_below = x.iter().filter(|&&w| w < v).count() as u64;
        match policy {
            TiePolicy::SameScore => 1 + tiles * n_worse / len,
            TiePolicy::MidRank => 1 + tiles * (2 * n_worse + n_equal) / (2 * len),
            TiePolicy::Ntile => {
                let mut left = n_worse + ties_before;
                let size = |bucket: u64| len / tiles + u64::from(bucket < len % tiles);
                let mut bucket = 0;
                while left >= size(bucket) {
                    left -= size(bucket);
                    bucket += 1;
                }
                bucket + 1
            }
            TiePolicy::RankFirst => {
                let rank = n_below + ties_before + 1;
                let above = (1..tiles)
                    .filter(|k| (rank - 1) * tiles > (len - 1) * k)
                    .count() as u64;
                if lower { tiles - above } else { above + 1 }
            }
            _ => unreachable!(),
        }
    };
    (0..x.len()).map(|row| score(row).min(tiles) as u32).collect()
}

const BY_FORMULA: [TiePolicy; 4] =
    [TiePolicy::SameScore, TiePolicy::MidRank, TiePolicy::Ntile, TiePolicy::RankFirst];
const BY_VALUE: [TiePolicy; 3] =
    [TiePolicy::SameScore, TiePolicy::MidRank, TiePolicy::Quantile7];

fn tied() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-6..6_i32).prop_map(f64::from), 1..40)
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(HIGHER), Just(LOWER)]
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn scores_are_their_formulas(x in tied(), n in 2..12_u32, direction in direction()) {
        for policy in &BY_FORMULA {
            prop_assert_eq!(
                scores(&x, n, direction, policy),
                oracle(&x, n, direction, policy),
                "{:?} {:?} n = {}", policy, direction, n
            );
        }
    }

    #[test]
    fn kept_cut_points_score_the_rows_alike(
        x in tied(), n in 2..12_u32, direction in direction(),
    ) {
        for policy in &BY_VALUE {
            let (tiles, fitted) = NTiles::fit(&x, None, n, direction, policy).unwrap();
            prop_assert_eq!(tiles.cut_points().len(), n as usize - 1);
            for (v, score) in x.iter().zip(fitted) {
                prop_assert_eq!(tiles.score(*v).unwrap(), score);
            }
        }
    }

    /// What `SameScore` and `MidRank` give a new value is their formula with no equal one.
    #[test]
    fn new_values_are_scored_by_the_formula(
        x in tied(), n in 2..12_u32, direction in direction(), new in -14..14_i32,
    ) {
        let v = f64::from(new) / 2.0;
        prop_assume!(!x.contains(&v));
        let worse = x.iter().filter(|&&w| if direction == LOWER { w > v } else { w < v });
        let rank = n as usize * worse.count() / x.len();
        let expected = n.min(1 + rank as u32);
        for policy in [TiePolicy::SameScore, TiePolicy::MidRank] {
            let (tiles, _) = NTiles::fit(&x, None, n, direction, &policy).unwrap();
            prop_assert_eq!(tiles.score(v).unwrap(), expected, "{:?}", policy);
        }
    }

    #[test]
    fn better_values_never_score_less(
        x in tied(), n in 2..12_u32, direction in direction(),
        probes in prop::collection::vec(-8.0..8.0_f64, 12),
    ) {
        for policy in BY_FORMULA.iter().chain(&[TiePolicy::Quantile7]) {
            let (tiles, _) = NTiles::fit(&x, None, n, direction, policy).unwrap();
            let mut probes: Vec<f64> = probes.iter().chain(&x).copied().collect();
            probes.sort_by(f64::total_cmp);
            if direction == LOWER {
                probes.reverse();
            }
            let scored: Vec<u32> = probes.iter().map(|&v| tiles.score(v).unwrap()).collect();
            prop_assert!(scored.is_sorted(), "{:?}: {:?} of {:?}", policy, scored, probes);
            prop_assert!(scored.iter().all(|s| (1..=n).contains(s)));
        }
    }

    #[test]
    fn the_order_of_the_rows_leaves_no_trace(
        x in tied(), n in 2..12_u32, direction in direction(), keys in prop::collection::vec(any::<u32>(), 40),
    ) {
        let mut rows: Vec<usize> = (0..x.len()).collect();
        rows.sort_by_key(|&row| keys[row]);
        let y: Vec<f64> = rows.iter().map(|&row| x[row]).collect();
        for policy in &BY_VALUE {
            let (one, a) = NTiles::fit(&x, None, n, direction, policy).unwrap();
            let (other, b) = NTiles::fit(&y, None, n, direction, policy).unwrap();
            prop_assert_eq!(one, other);
            let a: Vec<u32> = rows.iter().map(|&row| a[row]).collect();
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn an_increasing_transformation_changes_no_score(
        x in tied(), n in 2..12_u32, direction in direction(),
    ) {
        let y: Vec<f64> = x.iter().map(|v| (v / 3.0).exp() * 1e200 - 1e199).collect();
        let z: Vec<f64> = x.iter().map(|v| -v).collect();
        let turned = if direction == LOWER { HIGHER } else { LOWER };
        for policy in &BY_FORMULA {
            let expected = scores(&x, n, direction, policy);
            prop_assert_eq!(&scores(&y, n, direction, policy), &expected);
            // pandas ranks before the labels are reversed, so its recipe is not symmetric.
            if *policy != TiePolicy::RankFirst {
                prop_assert_eq!(&scores(&z, n, turned, policy), &expected);
            }
        }
    }

    #[test]
    fn weights_are_duplicated_customers(
        rows in prop::collection::vec((-5..5_i32, 0..4_u32), 1..20),
        n in 2..9_u32, direction in direction(),
    ) {
        let x: Vec<f64> = rows.iter().map(|r| r.0.into()).collect();
        let weights: Vec<f64> = rows.iter().map(|r| r.1.into()).collect();
        let copies: Vec<f64> = rows
            .iter()
            .flat_map(|&(v, w)| std::iter::repeat_n(f64::from(v), w as usize))
            .collect();
        for policy in &BY_VALUE {
            let weighted = NTiles::fit(&x, Some(&weights), n, direction, policy);
            let copied = NTiles::fit(&copies, None, n, direction, policy);
            match (weighted, copied) {
                (Ok(weighted), Ok(copied)) => prop_assert_eq!(weighted.0, copied.0),
                (weighted, copied) => prop_assert!(weighted.is_err() && copied.is_err()),
            }
        }
    }

    /// Fractions of weights: the scores by cut points follow the formula to rounding.
    #[test]
    fn fractional_weights_leave_no_trace_of_the_order(
        rows in prop::collection::vec((-5..5_i32, 0.0..2.0_f64), 1..20), n in 2..9_u32,
    ) {
        let fit = |rows: &[(i32, f64)]| {
            let x: Vec<f64> = rows.iter().map(|r| r.0.into()).collect();
            let weights: Vec<f64> = rows.iter().map(|r| r.1).collect();
            NTiles::fit(&x, Some(&weights), n, LOWER, &TiePolicy::MidRank).map(|f| f.0).ok()
        };
        let turned: Vec<(i32, f64)> = rows.iter().rev().copied().collect();
        prop_assert_eq!(fit(&rows), fit(&turned));
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn codes(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32 + 1).collect()
}

#[test]
fn quantiles_are_those_of_pandas_and_sql() {
    let golden: Value =
        serde_json::from_str(include_str!("golden/quantile.json")).unwrap();
    let mut compared = 0;
    for case in golden["cases"].as_array().unwrap() {
        let x = numbers(&case["x"]);
        for n in [4, 5] {
            let k = &case[format!("k{n}")];
            let what = format!("{} k{n}", case["name"]);
            let reversed =
                |codes: &[u32]| codes.iter().map(|c| n + 1 - c).collect::<Vec<_>>();
            let (tiles, fitted) =
                NTiles::fit(&x, None, n, HIGHER, &TiePolicy::Quantile7).unwrap();
            let edges = numbers(&k["edges"]);
            for (cut, edge) in tiles.cut_points().iter().zip(&edges[1..]) {
                assert!((cut.value - edge).abs() <= 1e-14 * edge.abs(), "{what}");
                assert_eq!(cut.belongs, Side::Below);
            }
            // pandas gives up where edges coincide.
            if !k["qcut"].is_null() {
                assert_eq!(fitted, codes(&k["qcut"]), "{what}");
                let lower = scores(&x, n, LOWER, &TiePolicy::Quantile7);
                assert_eq!(lower, reversed(&fitted), "{what}");
                compared += 1;
            }
            if !k["qcut_rank_first"].is_null() {
                let first = codes(&k["qcut_rank_first"]);
                assert_eq!(scores(&x, n, HIGHER, &TiePolicy::RankFirst), first, "{what}");
                assert_eq!(scores(&x, n, LOWER, &TiePolicy::RankFirst), reversed(&first));
            }
            assert_eq!(
                scores(&x, n, HIGHER, &TiePolicy::Ntile),
                codes(&k["ntile"]),
                "{what}"
            );
        }
    }
    assert!(compared >= 8, "{compared}");
}

#[test]
fn ties_and_small_tables_have_documented_scores() {
    let equal = [7.0; 6];
    for (policy, higher, lower) in [
        (TiePolicy::SameScore, 1, 1),
        (TiePolicy::MidRank, 3, 3),
        (TiePolicy::Quantile7, 1, 5),
    ] {
        assert_eq!(scores(&equal, 5, HIGHER, &policy), [higher; 6], "{policy:?}");
        assert_eq!(scores(&equal, 5, LOWER, &policy), [lower; 6], "{policy:?}");
    }
    // A better value than that of all is scored best all the same.
    let (tiles, _) = NTiles::fit(&equal, None, 5, HIGHER, &TiePolicy::SameScore).unwrap();
    assert_eq!((tiles.score(6.9).unwrap(), tiles.score(7.1).unwrap()), (1, 5));
    assert_eq!(scores(&equal, 5, HIGHER, &TiePolicy::Ntile), [1, 1, 2, 3, 4, 5]);

    for policy in BY_FORMULA.iter().chain(&BY_VALUE) {
        for direction in [HIGHER, LOWER] {
            for n in [2, 5, 1000] {
                let one = NTiles::fit(&[3.0], None, n, direction, policy).unwrap();
                assert!((1..=n).contains(&one.1[0]), "{policy:?}");
                assert_eq!(
                    one.0.score(3.0).unwrap(),
                    one.1[0],
                    "{policy:?} {direction:?}"
                );
            }
        }
    }
    assert_eq!(scores(&[1.0, 2.0, 3.0], 5, HIGHER, &TiePolicy::SameScore), [1, 2, 4]);
    assert_eq!(scores(&[1.0, 2.0, 3.0], 5, LOWER, &TiePolicy::SameScore), [4, 2, 1]);
    assert_eq!(scores(&[0.0, -0.0, 1.0], 2, HIGHER, &TiePolicy::SameScore), [1, 1, 2]);
    assert_eq!(
        scores(&[-1.7e308, 0.0, 1.7e308], 4, HIGHER, &TiePolicy::Quantile7),
        [1, 2, 4]
    );
}

#[test]
fn axes_that_cannot_be_scored_are_errors() {
    let fit = |x: &[f64], weights: Option<&[f64]>, n, policy: &TiePolicy| {
        NTiles::fit(x, weights, n, HIGHER, policy).unwrap_err()
    };
    let same = TiePolicy::SameScore;
    for n in [0, 1, 1001, u32::MAX] {
        assert!(fit(&[1.0], None, n, &same).is_parameter(), "{n}");
    }
    assert!(matches!(fit(&[], None, 5, &same).kind(), ErrorKind::TooFewRows { .. }));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = fit(&[1.0, bad], None, 5, &same);
        assert!(matches!(error.kind(), ErrorKind::NonFinite { row: Some(1), .. }));
    }
    assert!(fit(&[1.0, 2.0], Some(&[1.0]), 5, &same).is_data());
    assert!(fit(&[1.0, 2.0], Some(&[1.0, -1.0]), 5, &same).is_data());
    assert!(fit(&[1.0, 2.0], Some(&[0.0, 0.0]), 5, &same).is_data());
    assert!(fit(&[1.0, 2.0], Some(&[f64::MAX, f64::MAX]), 5, &same).is_parameter());
    assert!(fit(&[1.0], Some(&[1e300]), 5, &TiePolicy::Quantile7).is_parameter());
    assert!(fit(&[1.0], Some(&[0.5]), 5, &TiePolicy::Quantile7).is_data());
    assert!(fit(&[1.0], Some(&[1.0]), 5, &TiePolicy::Ntile).is_parameter());
    assert!(fit(&[1.0], Some(&[1.0]), 5, &TiePolicy::RankFirst).is_parameter());
    for cuts in [vec![1.0], vec![1.0, f64::NAN], vec![2.0, 1.0], vec![1.0, 2.0, 3.0]] {
        assert!(fit(&[1.0], None, 3, &TiePolicy::CutPoints(cuts)).is_parameter());
    }
    let cut = |value, belongs| CutPoint { value, belongs };
    let order = vec![cut(1.0, Side::Below), cut(1.0, Side::Above)];
    assert!(NTiles::from_cut_points(order, HIGHER).is_err());
    let order = vec![cut(1.0, Side::Above), cut(1.0, Side::Below)];
    let tiles = NTiles::from_cut_points(order, HIGHER).unwrap();
    let at = |x| tiles.score(x).unwrap();
    assert_eq!([at(0.9), at(1.0), at(1.1)], [1, 2, 3]);
    assert!(tiles.score(f64::NAN).is_err());
    assert!(NTiles::from_cut_points(Vec::new(), HIGHER).is_err());
}

#[test]
fn stated_cut_points_close_below() {
    let policy = TiePolicy::CutPoints(vec![1.0, 5.0]);
    let x = [0.0, 1.0, 1.5, 5.0, 5.5];
    assert_eq!(scores(&x, 3, HIGHER, &policy), [1, 1, 2, 2, 3]);
    assert_eq!(scores(&x, 3, LOWER, &policy), [3, 3, 2, 2, 1]);
    let (tiles, _) = NTiles::fit(&x, None, 3, LOWER, &policy).unwrap();
    assert_eq!(tiles.interval(0.0), (None, Some(1.0)));
    assert_eq!(tiles.interval(5.0), (Some(1.0), Some(5.0)));
    assert_eq!(tiles.interval(6.0), (Some(5.0), None));
}

// ---- the model

fn schema() -> Schema {
    Schema::new([
        FeatureSpec::number("recency").unit("days"),
        FeatureSpec::number("frequency"),
        FeatureSpec::number("monetary"),
    ])
    .unwrap()
}

type Shopper = (u16, u8, u16);

fn table(rows: &[Shopper]) -> Table<'static> {
    let column = |read: fn(&Shopper) -> f64| rows.iter().map(read).collect::<Vec<f64>>();
    Table::builder(&schema(), rows.len())
        .numbers("recency", column(|r| r.0.into()))
        .numbers("frequency", column(|r| r.1.into()))
        .numbers("monetary", column(|r| f64::from(r.2) / 4.0))
        .build()
        .unwrap()
}

fn shoppers() -> impl Strategy<Value = Vec<Shopper>> {
    prop::collection::vec((0..30_u16, 1..6_u8, 0..40_u16), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_model_gives_its_rows_their_labels(rows in shoppers(), nested: bool, which in 0..3_usize) {
        let table = table(&rows);
        let rfm = Rfm::new().ties(BY_VALUE[which].clone()).nested(nested);
        let scores = rfm.score_table(&table).unwrap();
        let fitted = rfm.fit(&table).unwrap();
        let model = fitted.model();
        prop_assert!(model.capabilities().inductive);
        let assigned = model.assign_all(&table).unwrap();
        for (row, score) in scores.scores().iter().enumerate() {
            let (r, f, m) = rows[row];
            prop_assert_eq!(
                model.score(r.into(), f.into(), f64::from(m) / 4.0).unwrap(), *score
            );
            prop_assert_eq!(fitted.labels()[row], model.segment(score));
            prop_assert_eq!(assigned[row].segment(), fitted.labels()[row]);
            let explained = model.explain(&table.row(row)).unwrap();
            prop_assert_eq!(explained.assignment, assigned[row]);
            let Reason::Scores { axes } = explained.reason else { panic!() };
            prop_assert!(axes.iter().map(|a| a.score).eq(score.axes()));
            for a in axes {
                prop_assert!(a.from.is_none_or(|from| from <= a.value));
                prop_assert!(a.to.is_none_or(|to| a.value <= to));
                prop_assert_eq!((a.best, a.cut_points.len()), (5, 4));
            }
        }
        let sizes: Vec<u64> = model.segments().iter().filter_map(|s| s.size).collect();
        prop_assert_eq!(sizes.iter().sum::<u64>(), rows.len() as u64);
        let share: f64 = model.segments().iter().filter_map(|s| s.share).sum();
        prop_assert!((share - 1.0).abs() < 1e-12);

        let loaded = RfmModel::load(&Saved::from_json(&model.save().unwrap().to_json().unwrap()).unwrap()).unwrap();
        prop_assert_eq!(&loaded, model);
    }

    /// Nested scores are those of the customers of one cell alone.
    #[test]
    fn nested_scores_are_scores_within_cells(rows in shoppers(), which in 0..5_usize) {
        let policies = [
            TiePolicy::SameScore, TiePolicy::MidRank, TiePolicy::Ntile,
            TiePolicy::RankFirst, TiePolicy::Quantile7,
        ];
        let policy = &policies[which];
        let rfm = Rfm::new().n_tiles(3).ties(policy.clone()).nested(true);
        let found = rfm.score_table(&table(&rows)).unwrap();
        let column = |read: fn(&Shopper) -> f64, among: &[usize]| {
            among.iter().map(|&row| read(&rows[row])).collect::<Vec<f64>>()
        };
        let all: Vec<usize> = (0..rows.len()).collect();
        let r = scores(&column(|s| s.0.into(), &all), 3, LOWER, policy);
        for score in 1..=3 {
            let cell: Vec<usize> = all.iter().copied().filter(|&row| r[row] == score).collect();
            if cell.is_empty() {
                continue;
            }
            let f = scores(&column(|s| s.1.into(), &cell), 3, HIGHER, policy);
            for inner in 1..=3 {
                let within: Vec<usize> = (0..cell.len()).filter(|&i| f[i] == inner).collect();
                if within.is_empty() {
                    continue;
                }
                let members: Vec<usize> = within.iter().map(|&i| cell[i]).collect();
                let m = scores(&column(|s| s.2.into(), &members), 3, HIGHER, policy);
                for (&row, m) in members.iter().zip(m) {
                    prop_assert_eq!(found.scores()[row], RfmScore::new(score, inner, m));
                }
            }
        }
        prop_assert_eq!(found.tiles(Axis::Monetary).len(), 9);
        let f = |score| found.scores().iter().filter(|s| s.f == score).count() as u64;
        let ties = found.ties(Axis::Frequency).unwrap();
        prop_assert_eq!(&ties.histogram, &(1..=3).map(f).collect::<Vec<_>>());
    }
}

#[test]
fn ties_are_told_apart_by_id_and_only_there() {
    let ids = [30_u64, 10, 50, 20, 40];
    let schema =
        Schema::new([FeatureSpec::number("recency"), FeatureSpec::number("frequency")]);
    let table = Table::builder(&schema.unwrap(), 5)
        .numbers("recency", vec![3.0; 5])
        .numbers("frequency", vec![1.0; 5])
        .ids(Ids::Numbers(ids[..].into()))
        .build()
        .unwrap();
    for (policy, recency) in
        [(TiePolicy::Ntile, [3, 1, 5, 2, 4]), (TiePolicy::RankFirst, [3, 5, 1, 4, 2])]
    {
        let rfm = Rfm::rf().ties(policy);
        let found = rfm.score_table(&table).unwrap();
        let f: Vec<u32> = found.scores().iter().map(|s| s.f).collect();
        let r: Vec<u32> = found.scores().iter().map(|s| s.r).collect();
        assert_eq!((f, r), (vec![3, 1, 5, 2, 4], recency.to_vec()));
        let fitted = rfm.fit(&table).unwrap();
        assert!(!fitted.model().capabilities().inductive);
        let labels: Vec<&str> = fitted
            .labels()
            .iter()
            .map(|l| fitted.model().segments()[l.unwrap().get()].name.as_str())
            .collect();
        let map = SegmentMap::rf_grid();
        let names: Vec<&str> =
            found.scores().iter().map(|s| map.name(s).unwrap()).collect();
        assert_eq!(labels, names);
        let weighted = Table::builder(table.schema(), 1)
            .numbers("recency", vec![1.0])
            .numbers("frequency", vec![1.0])
            .sample_weight(vec![1.0])
            .build()
            .unwrap();
        assert!(rfm.fit(&weighted).unwrap_err().is_parameter());
    }
}

#[test]
fn ties_are_reported() {
    let rows: Vec<Shopper> =
        (0..10).map(|i| (i, if i < 6 { 1 } else { i as u8 }, 8)).collect();
    let fitted = Rfm::new().fit(&table(&rows)).unwrap();
    let scores = Rfm::new().score_table(&table(&rows)).unwrap();
    let ties = scores.ties(Axis::Frequency).unwrap();
    assert_eq!((ties.largest_tie_value, ties.largest_tie_share), (1.0, 0.6));
    assert_eq!((ties.tied_share, ties.distinct_values), (0.6, 5));
    assert_eq!(ties.histogram, [6, 0, 0, 2, 2]);
    assert_eq!(ties.empty_scores, [2, 3]);
    let spread = scores.ties(Axis::Recency).unwrap();
    assert_eq!((spread.tied_share, spread.histogram.clone()), (0.0, vec![2; 5]));
    let notes: Vec<&str> =
        fitted.report().notes.iter().map(|n| n.message.as_str()).collect();
    assert_eq!(
        notes,
        [
            "nobody has the frequency score 2, 3: 60.0 % of the customers share the value 1",
            "nobody has the monetary score 2, 3, 4, 5: 100.0 % of the customers share the value 2",
        ]
    );
    assert!(Rfm::rf().score_table(&table(&rows)).unwrap().ties(Axis::Monetary).is_none());
}

#[test]
fn weights_count_in_the_model() {
    let build = |weights: Option<Vec<f64>>, rows: &[Shopper]| {
        let plain = table(rows);
        let columns =
            [0, 1, 2].map(|i| plain.column(schema().indices().nth(i).unwrap()).cloned());
        let mut builder = Table::builder(&schema(), rows.len());
        for (name, column) in
            ["recency", "frequency", "monetary"].into_iter().zip(columns)
        {
            builder = builder.column(name, column.unwrap());
        }
        let builder = match weights {
            Some(weights) => builder.sample_weight(weights),
            None => builder,
        };
        Rfm::new().fit(&builder.build().unwrap()).unwrap().into_model()
    };
    let rows: [Shopper; 4] = [(1, 3, 9), (5, 2, 9), (9, 1, 2), (2, 2, 7)];
    let weighted = build(Some(vec![2.0, 0.0, 1.0, 3.0]), &rows);
    let copies = [rows[0], rows[0], rows[2], rows[3], rows[3], rows[3]];
    let copied = build(None, &copies);
    for axis in [Axis::Recency, Axis::Frequency, Axis::Monetary] {
        assert_eq!(weighted.tiles(axis), copied.tiles(axis));
    }
    for (one, other) in weighted.segments().iter().zip(copied.segments()) {
        assert!((one.share.unwrap() - other.share.unwrap()).abs() < 1e-15);
    }
    let rows: u64 = weighted.segments().iter().filter_map(|s| s.size).sum();
    assert_eq!(rows, 3);
}

#[test]
fn values_that_cannot_be_scored_are_errors() {
    let model = Rfm::new().fit(&table(&[(1, 1, 1), (2, 2, 2)])).unwrap().into_model();
    let customer = |value: OwnedValue| {
        OwnedCustomer::with_values(&schema(), 1, vec![3.0.into(), value, 5.0.into()])
            .unwrap()
    };
    for (value, message) in [
        (OwnedValue::Missing, "feature `frequency` is missing"),
        (f64::NAN.into(), "feature `frequency` must be a finite number, but is NaN"),
        (true.into(), "feature `frequency` expects number, but got flag"),
    ] {
        let error = model.assign(&customer(value.clone())).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(model.explain(&customer(value)).unwrap_err().to_string(), message);
    }
    assert!(model.score(1.0, 1.0, None).is_err());
    assert!(model.score(1.0, f64::INFINITY, 1.0).is_err());
    assert!(model.score(1e300, -1e300, 0.0).is_ok());

    let missing = Table::builder(&schema(), 2)
        .numbers("recency", vec![1.0, 2.0])
        .numbers("frequency", vec![1.0, 2.0])
        .column(
            "monetary",
            Column::Number(
                vec![1.0, 2.0].into(),
                Validity::Mask(vec![true, false].into()),
            ),
        )
        .build()
        .unwrap();
    let error = Rfm::new().fit(&missing).unwrap_err();
    assert_eq!(error.to_string(), "feature `monetary` is missing in row 1");
    let error = model.assign_all(&missing).unwrap_err();
    assert_eq!(error.to_string(), "feature `monetary` is missing in row 1");
    assert!(Rfm::rf().fit(&missing).is_ok());
    let error = Rfm::new().recency("recencies").fit(&missing).unwrap_err();
    assert!(error.to_string().ends_with("did you mean `recency`?"), "{error}");
    assert!(Rfm::new().fit(&table(&[])).unwrap_err().is_data());
    let texts =
        Schema::new([FeatureSpec::date("recency"), FeatureSpec::number("frequency")]);
    let texts = Table::builder(&texts.unwrap(), 1)
        .dates("recency", vec![1])
        .numbers("frequency", vec![1.0])
        .build()
        .unwrap();
    let error = Rfm::rf().fit(&texts).unwrap_err();
    assert_eq!(error.to_string(), "feature `recency` expects number, but got date");
}

#[test]
fn configurations_that_do_not_fit_are_errors() {
    let message = |rfm: Rfm| rfm.validate().unwrap_err().to_string();
    assert_eq!(
        message(Rfm::new().n_tiles(4)),
        "parameter `segments` must be a map of 4 x 4 x 4 scores, but is one of 5 x 5 x 5"
    );
    assert!(message(Rfm::new().without_monetary()).contains("5 x 5 scores"));
    assert!(message(Rfm::new().n_tiles(1)).contains("2 to 1000"));
    assert!(message(Rfm::new().recency("frequency")).contains("used twice"));
    let cuts = TiePolicy::CutPoints(vec![1.0, 2.0, 3.0]);
    assert!(
        message(Rfm::new().axis_ties(Axis::Monetary, cuts)).contains("monetary ties")
    );
    assert!(Rfm::new().validate().is_ok() && Rfm::rf().validate().is_ok());
    // Scores need no names, so the map may be of another grid.
    let rows = table(&[(1, 1, 1), (2, 2, 2)]);
    assert!(Rfm::new().n_tiles(4).score_table(&rows).is_ok());
    assert!(Rfm::new().n_tiles(1000).nested(true).score_table(&rows).is_err());
    let uneven = Rfm::new().axis_n_tiles(Axis::Monetary, 2).segments(
        SegmentMap::from_rules(Grid::new(5, 5, Some(2)), [("All", CellRange::all())])
            .unwrap(),
    );
    assert!(uneven.validate().is_ok());
    let json = serde_json::to_string(&uneven).unwrap();
    assert_eq!(serde_json::from_str::<Rfm>(&json).unwrap(), uneven);
}

#[test]
fn higher_recency_can_be_better() {
    let rows = table(&[(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4), (5, 5, 5)]);
    let r = |rfm: Rfm| {
        let scores = rfm.score_table(&rows).unwrap();
        scores.scores().iter().map(|s| s.r).collect::<Vec<_>>()
    };
    assert_eq!(r(Rfm::new()), [5, 4, 3, 2, 1]);
    assert_eq!(r(Rfm::new().recency_direction(HIGHER)), [1, 2, 3, 4, 5]);
}

#[test]
fn segments_are_renamed_and_stay_where_they_are() {
    let mut model = Rfm::rf().fit(&table(&[(1, 1, 1), (2, 2, 2)])).unwrap().into_model();
    let mut segments = model.segments().to_vec();
    segments[0] = Segment::new("vip", "VIP");
    model.relabel(segments).unwrap();
    assert_eq!(model.segments()[0].name, "VIP");
    assert_eq!(model.segment_map().segments()[0].name, "Champions");
    assert!(model.relabel(Segment::numbered(3)).is_err());
    let loaded = RfmModel::load(&model.save().unwrap()).unwrap();
    assert_eq!(loaded, model);
}

#[test]
fn an_altered_model_is_refused() {
    let rows: Vec<Shopper> = (0..20).map(|i| (i, 1 + i as u8 % 5, 3 * i)).collect();
    let model = Rfm::new().nested(true).fit(&table(&rows)).unwrap().into_model();
    let saved = serde_json::to_value(model.save().unwrap()).unwrap();
    let good = saved["model"].clone();
    assert!(Saved::from_json(&saved.to_string()).is_ok());
    let mut altered = saved.clone();
    altered["model"]["nested"] = false.into();
    assert!(Saved::from_json(&altered.to_string()).unwrap_err().is_format());

    // Behind a matching digest the model's own checks remain.
    let load = |change: &dyn Fn(&mut Value)| {
        let mut broken = good.clone();
        change(&mut broken);
        let repr = serde_json::from_value::<segmenta::rfm::RfmRepr>(broken).ok()?;
        let registry = segmenta::segmenter::Registry::empty();
        RfmModel::from_repr(repr, schema(), &registry).ok()
    };
    assert_eq!(load(&|_| {}), Some(model.clone()));
    let cut =
        |m: &mut Value, value: Value| m["recency"][0]["cut_points"][0]["value"] = value;
    let changes: [&dyn Fn(&mut Value); 14] = [
        &|m| m["nested"] = false.into(),
        &|m| m["monetary"] = Value::Null,
        &|m| m["recency"] = json!([]),
        &|m| m["frequency"] = json!([]),
        &|m| cut(m, 1e9.into()),
        &|m| cut(m, Value::Null),
        &|m| m["recency"][0]["cut_points"] = json!([]),
        &|m| m["frequency"][1]["direction"] = "lower_is_better".into(),
        &|m| m["segments"] = json!([]),
        &|m| m["segments"][0]["id"] = "".into(),
        &|m| m["segments"][0]["share"] = 2.0.into(),
        &|m| m["map"] = serde_json::to_value(SegmentMap::rf_grid()).unwrap(),
        &|m| m["map"]["cells"][7] = 99.into(),
        &|m| m["surprise"] = 1.into(),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        assert!(load(change).is_none(), "change {at}");
    }
    let repr = serde_json::from_value(good).unwrap();
    let narrow = Schema::new([FeatureSpec::number("recency")]).unwrap();
    let registry = segmenta::segmenter::Registry::empty();
    assert!(RfmModel::from_repr(repr, narrow, &registry).unwrap_err().is_format());
}

#[test]
fn models_by_cut_points_check_their_parts() {
    let map = SegmentMap::rf_grid;
    let two = schema().select(&["recency", "frequency"]).unwrap();
    let cuts = || vec![1.0, 2.0, 3.0, 4.0];
    let model = RfmModel::from_cut_points(&two, &[cuts(), cuts()], map()).unwrap();
    assert_eq!(model.score(1.0, 4.0, None).unwrap(), RfmScore::rf(5, 4));
    assert_eq!(model.score(4.5, 4.5, 7.0).unwrap(), RfmScore::rf(1, 5));
    assert!(model.segments().iter().all(|s| s.size.is_none()));
    let fails = |schema: &Schema, cuts: &[Vec<f64>], map: SegmentMap| {
        assert!(RfmModel::from_cut_points(schema, cuts, map).is_err());
    };
    fails(&schema(), &[cuts(), cuts()], map());
    fails(&two, &[cuts()], map());
    fails(&two, &[cuts(), cuts(), cuts()], map());
    fails(&two, &[cuts(), vec![1.0]], map());
    fails(&two, &[cuts(), vec![1.0, 1.0, 1.0, f64::NAN]], map());
    fails(&two, &[cuts(), cuts()], SegmentMap::eleven_segments());
    let flags = Schema::new([FeatureSpec::number("a"), FeatureSpec::flag("b")]).unwrap();
    fails(&flags, &[cuts(), cuts()], map());
}

#[test]
fn an_observer_can_stop_the_fit() {
    use std::ops::ControlFlow;
    let mut stop = |_: &segmenta::segmenter::Progress| ControlFlow::Break(());
    let rows = table(&[(1, 1, 1)]);
    assert!(Rfm::new().fit_with(&rows, &mut stop).unwrap_err().is_cancelled());
    let mut done = Vec::new();
    let mut watch = |p: &segmenta::segmenter::Progress| {
        done.push((p.done, p.total));
        ControlFlow::Continue(())
    };
    Rfm::new().fit_with(&rows, &mut watch).unwrap();
    assert_eq!(done, [(0, 3), (1, 3), (2, 3), (3, 3)]);
}

#[test]
fn any_number_of_threads_gives_the_same_scores() {
    let noise = |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64;
    let n = 100_000;
    let column = |read: &dyn Fn(u64) -> f64| (0..n).map(read).collect::<Vec<f64>>();
    let schema =
        Schema::new(["recency", "frequency", "monetary"].map(FeatureSpec::number))
            .unwrap();
    let table = Table::builder(&schema, n as usize)
        .numbers("recency", column(&|i| noise(i) % 730.0))
        .numbers("frequency", column(&|i| 1.0 + (noise(i + n) / 3e6).floor()))
        .numbers("monetary", column(&|i| (noise(i + 2 * n) / 2e6).exp() / 100.0))
        .ids(Ids::Numbers((0..n).rev().collect::<Vec<u64>>().into()))
        .build()
        .unwrap();
    let fit = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            [TiePolicy::SameScore, TiePolicy::Quantile7, TiePolicy::Ntile].map(|ties| {
                let rfm = Rfm::new().ties(ties);
                let fitted = rfm.fit(&table).unwrap();
                let labels = fitted.labels().to_vec();
                (rfm.score_table(&table).unwrap(), labels, fitted.into_model())
            })
        })
    };
    let one = fit(1);
    assert_eq!(one, fit(2));
    assert_eq!(one, fit(7));
    // Nearly no two customers have the same money, so that fifths are fifths.
    let histogram = &one[0].0.ties(Axis::Monetary).unwrap().histogram;
    assert!(histogram.iter().all(|n| n.abs_diff(20_000) < 20), "{histogram:?}");
    assert_eq!(one[2].0.ties(Axis::Recency).unwrap().histogram, [20_000; 5]);
}
