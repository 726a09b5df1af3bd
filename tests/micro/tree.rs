//! Sums that are kept, numbers that do not cancel, and exactness at threshold 0.

use ndarray::{Axis, concatenate, s};
use proptest::prelude::*;
use segmenta::cluster::hierarchical::micro::ClusterFeature;
use segmenta::cluster::hierarchical::{DEFAULT_MEMORY_LIMIT, Linkage, linkage};

use super::*;

#[test]
fn features_merge_to_the_moments_of_the_rows() {
    for (seed, offset) in [(1, 0.0), (2, 1e8), (3, -1e12)] {
        let mut x = Array2::from_shape_vec((500, 3), normal(1500, seed)).unwrap();
        x += offset;
        let w = weights(500, seed);
        let row = |i: usize| ClusterFeature::new(&x.row(i).to_vec(), w[i]).unwrap();
        let mut one_by_one = row(0);
        (1..500).for_each(|i| one_by_one.merge(&row(i)).unwrap());
        // pairs of pairs of pairs
        let mut level: Vec<_> = (0..500).map(row).collect();
        while level.len() > 1 {
            let pairs = level.chunks(2).map(|pair| {
                let mut first = pair[0].clone();
                pair[1..].iter().for_each(|second| first.merge(second).unwrap());
                first
            });
            level = pairs.collect();
        }
        let (weight, mean, squares) = two_passes(x.view(), &w);
        // the rows themselves are rounded to this share of their spread
        let relative = 1e-12 + offset.abs() * 4e-16 * 5.0;
        for found in [&one_by_one, &level[0]] {
            assert!(near(found.weight(), weight, 1e-12));
            assert!(near(found.deviation(), squares, relative), "{offset}");
            for (a, b) in found.mean().iter().zip(&mean) {
                assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{a} {b}");
            }
            let radius = (squares / weight).sqrt();
            assert!(near(found.radius(), radius, relative));
        }
    }
}

/// The sums of BIRCH's own form lose every digit here, which is why it is not used.
#[test]
fn far_from_the_origin_nothing_cancels() {
    let n = 4000;
    let (mut x, _) = blobs(n, 2, 5, 7);
    let at_home = tree(x.view(), None, CfOptions::new().max_leaves(64));
    x += 1e8;
    let away = tree(x.view(), None, CfOptions::new().max_leaves(64));
    let (_, mean, squares) = two_passes(x.view(), &vec![1.0; n]);
    let total = away.total().unwrap();
    assert!(near(total.deviation(), squares, 1e-8), "{} {squares}", total.deviation());
    for (a, b) in total.mean().iter().zip(&mean) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    let home = at_home.total().unwrap();
    assert!(near(total.deviation(), home.deviation(), 1e-7));
    let raw: f64 = x.iter().map(|x| x * x).sum();
    let naive = raw - n as f64 * mean.iter().map(|m| m * m).sum::<f64>();
    assert!(!near(naive, squares, 1e-3), "{naive} {squares}");
}

#[test]
fn at_threshold_0_ward_is_that_of_the_distinct_rows() {
    let n = 900;
    let x = repeated(n, 300, 5);
    for w in [None, Some(weights(n, 6))] {
        let weight = |i: usize| w.as_ref().map_or(1.0, |w| w[i]);
        let mut distinct: Vec<(Vec<f64>, f64)> = Vec::new();
        for (i, row) in x.rows().into_iter().enumerate() {
            let row = row.to_vec();
            match distinct.iter_mut().find(|(other, _)| *other == row) {
                Some((_, sum)) => *sum += weight(i),
                None => distinct.push((row, weight(i))),
            }
        }
        let m = distinct.len();
        let rows: Vec<f64> = distinct.iter().flat_map(|(row, _)| row).copied().collect();
        let multiplicities: Vec<f64> = distinct.iter().map(|(_, w)| *w).collect();
        let rows = Array2::from_shape_vec((m, 2), rows).unwrap();
        let expected =
            linkage(rows.view(), Linkage::Ward, Some(&multiplicities)).unwrap();
        for absorb in BOTH {
            let max_leaves = m + m.div_ceil(3) + 1;
            let options = CfOptions::new().max_leaves(max_leaves).branching(5);
            let options = options.leaf_capacity(4).absorb(absorb);
            let tree = tree(x.view(), w.as_deref(), options);
            let micro = tree.micro_clusters();
            assert_eq!((micro.len(), tree.threshold()), (m, 0.0));
            assert_eq!(micro.deviation(), 0.0);
            let found = micro.linkage(DEFAULT_MEMORY_LIMIT, &mut ()).unwrap();
            let pairs = found.heights().into_iter().zip(expected.heights());
            for (a, b) in pairs {
                assert!(near(a, b, 1e-9), "{a} {b}");
            }
        }
    }
}

#[test]
fn parts_merge_to_about_what_one_tree_gives() {
    let (x, _) = blobs(20_000, 3, 12, 9);
    for absorb in BOTH {
        let options = CfOptions::new().max_leaves(500).absorb(absorb);
        let whole = tree(x.view(), None, options);
        let mut merged = CfTree::new(3, options).unwrap();
        for part in 0..5 {
            let rows = x.slice(s![part * 4000..(part + 1) * 4000, ..]);
            merged.merge(&tree(rows, None, options)).unwrap();
        }
        assert!(merged.n_leaves() <= 500);
        assert_eq!(merged.weight(), 20_000.0);
        let inside = |tree: &CfTree| tree.micro_clusters().deviation();
        let all = whole.total().unwrap().deviation();
        assert!(near(merged.total().unwrap().deviation(), all, 1e-12));
        // both leave little inside
        assert!(inside(&whole) < 0.01 * all, "{} {all}", inside(&whole));
        let (one, parts) = (inside(&whole), inside(&merged));
        assert!(parts < 2.0 * one, "{parts} {one} {}", merged.n_leaves());
    }
}

#[test]
fn equal_rows_are_one_micro_cluster_whatever_the_number() {
    let x = Array2::from_elem((5000, 3), 0.1);
    for absorb in BOTH {
        let tree = tree(x.view(), None, CfOptions::new().max_leaves(2).absorb(absorb));
        assert_eq!((tree.n_leaves(), tree.threshold()), (1, 0.0));
        let total = tree.total().unwrap();
        assert_eq!((total.weight(), total.deviation()), (5000.0, 0.0));
        assert_eq!(total.mean(), [0.1; 3]);
    }
}

fn options() -> impl Strategy<Value = CfOptions> {
    let absorb = prop::sample::select(BOTH.to_vec());
    (2..9_usize, 2..9_usize, 2..60_usize, 0..3_u8, absorb).prop_map(
        |(branching, capacity, leaves, threshold, absorb)| {
            CfOptions::new()
                .branching(branching)
                .leaf_capacity(capacity)
                .max_leaves(leaves)
                .threshold(f64::from(threshold))
                .absorb(absorb)
        },
    )
}

fn rows() -> impl Strategy<Value = Array2<f64>> {
    (1..300_usize, 1..4_usize, any::<u64>(), prop::sample::select(vec![0.0, 1e8, 1e-7]))
        .prop_map(|(n, p, seed, offset)| {
            let scale = if offset == 1e-7 { 1e-7 } else { 10.0 };
            let x = Array2::from_shape_vec((n, p), noise(n * p, seed)).unwrap();
            // every third row is on a grid, so that rows repeat
            let mut x = x * scale + offset;
            for mut row in x.rows_mut().into_iter().step_by(3) {
                row.mapv_inplace(f64::round);
            }
            x
        })
}

proptest! {
    #[test]
    fn sums_are_kept_by_inserts_and_merges(
        x in rows(), y in rows(), options in options(), seed in any::<u64>(),
    ) {
        prop_assume!(x.ncols() == y.ncols());
        let (u, v) = (weights(x.nrows(), seed), weights(y.nrows(), seed ^ 1));
        let mut merged = tree(x.view(), Some(&u), options);
        let other = tree(y.view(), Some(&v), options);
        merged.merge(&other).unwrap();
        merged.insert_rows(x.view(), Some(&u)).unwrap();
        let all = concatenate![Axis(0), x, y, x];
        let w = [u.clone(), v, u].concat();
        let (weight, _, squares) = two_passes(all.view(), &w);
        let total = merged.total().unwrap();
        prop_assert!(near(total.weight(), weight, 1e-12));
        prop_assert!(near(merged.weight(), weight, 1e-12));
        let largest = all.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
        // Each row moves a mean, which is rounded then. The roundings add up like the steps of
        // a random walk, and a mean that is off by e changes the sum of squares by at most
        // 2 e √(weight · squares): less than before for few rows, more for hundreds.
        let walk = (all.nrows() as f64).sqrt() * f64::EPSILON / 2.0 * largest;
        let rounding = weight * (4e-16 * largest).powi(2)
            + 2.0 * walk * (weight * squares).sqrt();
        prop_assert!(
            (total.deviation() - squares).abs() <= 1e-12 * squares + rounding,
            "{} {}", total.deviation(), squares
        );
        prop_assert!(merged.n_leaves() <= options_limit(&merged));
        let micro = merged.micro_clusters();
        prop_assert!(micro.len() <= merged.n_leaves());
        prop_assert!(near(micro.weights().iter().sum(), weight, 1e-12));
        // half the squares of the heights are what is between micro-clusters
        let heights = micro.linkage(DEFAULT_MEMORY_LIMIT, &mut ()).unwrap().heights();
        let between: f64 = heights.iter().map(|h| h * h / 2.0).sum();
        prop_assert!(
            (between + micro.deviation() - squares).abs() <= 1e-9 * squares + rounding
        );
    }

    #[test]
    fn a_batch_is_its_rows_one_by_one(x in rows(), options in options()) {
        let mut single = CfTree::new(x.ncols(), options).unwrap();
        for row in x.rows() {
            single.insert(&row.to_vec(), 1.0).unwrap();
        }
        prop_assert_eq!(&single, &tree(x.view(), None, options));
        let at = x.nrows() / 3;
        let mut halves = tree(x.slice(s![..at, ..]), None, options);
        halves.insert_rows(x.slice(s![at.., ..]), None).unwrap();
        prop_assert_eq!(single, halves);
    }

    #[test]
    fn micro_clusters_stay_within_the_threshold(x in rows(), options in options()) {
        let options = options.absorb(Absorb::Radius);
        let tree = tree(x.view(), None, options);
        let micro = tree.micro_clusters();
        for (weight, deviation) in micro.weights().iter().zip(micro.deviations()) {
            let radius = (deviation / weight).sqrt();
            prop_assert!(radius <= tree.threshold() * (1.0 + 1e-12));
        }
    }
}

/// What the options say, as a host sees it.
fn options_limit(tree: &CfTree) -> usize {
    let json = serde_json::to_value(tree.options()).unwrap();
    json["max_leaves"].as_u64().unwrap() as usize
}
