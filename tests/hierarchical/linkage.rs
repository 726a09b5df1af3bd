//! Linkage: against SciPy, against the obvious algorithm, and what must hold of any.

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2, Axis};
use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::cluster::hierarchical::{
    Dendrogram, Linkage, condensed_distances, linkage, linkage_from_distances,
    linkage_with,
};
use segmenta::segmenter::Progress;

use super::*;

fn all_close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| close(a, b))
}

/// Distances of two clusters from their definitions, not from the update formula.
#[derive(Clone)]
struct Oracle<'x> {
    x: ArrayView2<'x, f64>,
    weights: Vec<f64>,
    linkage: Linkage,
    /// For each cluster its rows, and the two it was made of.
    clusters: Vec<Cluster>,
}

type Cluster = (Vec<usize>, Option<(usize, usize)>);

impl<'x> Oracle<'x> {
    fn new(x: ArrayView2<'x, f64>, weights: Option<&[f64]>, linkage: Linkage) -> Self {
        let weights = weights.map_or(vec![1.0; x.nrows()], <[f64]>::to_vec);
        let clusters = (0..x.nrows()).map(|row| (vec![row], None)).collect();
        Oracle { x, weights, linkage, clusters }
    }

    fn merge(&mut self, a: usize, b: usize) -> usize {
        let mut rows = self.clusters[a].0.clone();
        rows.extend(&self.clusters[b].0);
        self.clusters.push((rows, Some((a, b))));
        self.clusters.len() - 1
    }

    fn weight(&self, a: usize) -> f64 {
        self.clusters[a].0.iter().map(|&row| self.weights[row]).sum()
    }

    fn centroid(&self, a: usize) -> Vec<f64> {
        let mut centroid = vec![0.0; self.x.ncols()];
        for &row in &self.clusters[a].0 {
            for (sum, x) in centroid.iter_mut().zip(self.x.row(row)) {
                *sum += self.weights[row] * x / self.weight(a);
            }
        }
        centroid
    }

    fn midpoint(&self, a: usize) -> Vec<f64> {
        match self.clusters[a].1 {
            None => self.x.row(a).to_vec(),
            Some((b, c)) => {
                let (b, c) = (self.midpoint(b), self.midpoint(c));
                b.iter().zip(c).map(|(b, c)| (b + c) / 2.0).collect()
            }
        }
    }

    fn weighted(&self, a: usize, b: usize) -> f64 {
        match (self.clusters[a].1, self.clusters[b].1) {
            (None, None) => euclidean(&self.x.row(a).to_vec(), &self.x.row(b).to_vec()),
            (Some((c, d)), other) if other.is_none() || a > b => {
                (self.weighted(c, b) + self.weighted(d, b)) / 2.0
            }
            _ => self.weighted(b, a),
        }
    }

    fn distance(&self, a: usize, b: usize) -> f64 {
        let pairs = || {
            let (a, b) = (&self.clusters[a].0, &self.clusters[b].0);
            a.iter().flat_map(move |&i| b.iter().map(move |&j| (i, j)))
        };
        let of_rows =
            |(i, j)| euclidean(&self.x.row(i).to_vec(), &self.x.row(j).to_vec());
        let (n_a, n_b) = (self.weight(a), self.weight(b));
        match self.linkage {
            Linkage::Single => pairs().map(of_rows).fold(f64::INFINITY, f64::min),
            Linkage::Complete => pairs().map(of_rows).fold(0.0, f64::max),
            Linkage::Average => {
                let weigh = |(i, j)| self.weights[i] * self.weights[j] * of_rows((i, j));
                pairs().map(weigh).sum::<f64>() / (n_a * n_b)
            }
            Linkage::Weighted => self.weighted(a, b),
            Linkage::Centroid => euclidean(&self.centroid(a), &self.centroid(b)),
            Linkage::Median => euclidean(&self.midpoint(a), &self.midpoint(b)),
            Linkage::Ward => {
                let factor: f64 = 2.0 * n_a * n_b / (n_a + n_b);
                factor.sqrt() * euclidean(&self.centroid(a), &self.centroid(b))
            }
        }
    }

    /// The primitive algorithm: merge the closest pair until one cluster is left.
    fn heights_and_cuts(mut self) -> (Vec<f64>, Vec<Vec<usize>>) {
        let n = self.x.nrows();
        let mut active: Vec<usize> = (0..n).collect();
        let (mut heights, mut cuts) = (Vec::new(), vec![(0..n).collect::<Vec<_>>()]);
        while active.len() > 1 {
            let (mut best, mut pair) = (f64::INFINITY, (0, 0));
            for (at, &a) in active.iter().enumerate() {
                for &b in &active[at + 1..] {
                    let distance = self.distance(a, b);
                    if distance < best {
                        (best, pair) = (distance, (a, b));
                    }
                }
            }
            let merged = self.merge(pair.0, pair.1);
            active.retain(|&c| c != pair.0 && c != pair.1);
            active.push(merged);
            heights.push(best);
            let mut labels = vec![0; n];
            for &cluster in &active {
                self.clusters[cluster].0.iter().for_each(|&row| labels[row] = cluster);
            }
            cuts.push(labels);
        }
        (heights, cuts)
    }

    /// Replays a dendrogram: each merge must be of a closest pair of its moment, and its
    /// height their distance. This holds whatever way ties went.
    fn replay(mut self, tree: &Dendrogram) {
        let n = self.x.nrows();
        let mut active: Vec<usize> = (0..n).collect();
        for merge in tree.merges() {
            let height = self.distance(merge.left, merge.right);
            let name = self.linkage;
            assert!(close(merge.height, height), "{name}: {merge:?} is at {height}");
            for (at, &a) in active.iter().enumerate() {
                for &b in &active[at + 1..] {
                    let other = self.distance(a, b);
                    assert!(
                        merge.height <= other + 1e-9 * (1.0 + other),
                        "{name}: {merge:?} precedes {a}, {b} at {other}"
                    );
                }
            }
            active.retain(|&c| c != merge.left && c != merge.right);
            active.push(self.merge(merge.left, merge.right));
        }
        assert_eq!(active, [2 * n - 2]);
    }
}

fn euclidean(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn golden() -> serde_json::Value {
    serde_json::from_str(include_str!("../golden/linkage.json")).unwrap()
}

fn floats(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn integers(value: &serde_json::Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect()
}

fn matrix(value: &serde_json::Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(floats).collect();
    let width = rows[0].len();
    Array2::from_shape_vec((rows.len(), width), rows.concat()).unwrap()
}

#[test]
fn dendrograms_are_those_of_scipy() {
    let golden = golden();
    let mut compared = 0;
    for case in golden["cases"].as_array().unwrap() {
        let x = matrix(&case["x"]);
        let distances = condensed_distances(x.view()).unwrap();
        let tied = case["tied"].as_bool().unwrap();
        for method in Linkage::ALL {
            let expected = &case["methods"][method.name()];
            let z = matrix(&expected["z"]);
            let name = format!("{} {method}", case["name"]);
            for tree in [
                linkage(x.view(), method, None).unwrap(),
                linkage_from_distances(&distances, x.nrows(), method).unwrap(),
            ] {
                let heights = tree.heights();
                assert!(all_close(&heights, &z.column(2).to_vec()), "{name}");
                Oracle::new(x.view(), None, method).replay(&tree);
                // the tree of single linkage is sought without roots, so its ties are others
                if !tied || method != Linkage::Single {
                    let ours = tree.to_array();
                    for column in [0, 1, 3] {
                        assert_eq!(ours.column(column), z.column(column), "{name}");
                    }
                    assert_eq!(tree.leaf_order(), integers(&expected["leaves_list"]));
                }
                if !tied {
                    check_untied(&name, &tree, expected, &z, &distances);
                }
                compared += 1;
            }
            let theirs = Dendrogram::from_array(z.view()).unwrap();
            assert_eq!(theirs.to_array(), z, "{name}");
            assert_eq!(theirs.leaf_order(), integers(&expected["leaves_list"]), "{name}");
            assert_eq!(theirs.is_monotone(), expected["monotonic"], "{name}");
        }
    }
    assert_eq!(compared, 11 * 7 * 2);
}

fn check_untied(
    name: &str,
    tree: &Dendrogram,
    expected: &serde_json::Value,
    z: &Array2<f64>,
    distances: &[f64],
) {
    assert_eq!(tree.is_monotone(), expected["monotonic"], "{name}");
    match expected["cophenetic_correlation"].as_f64() {
        Some(r) => assert!(close(tree.cophenetic_correlation(distances).unwrap(), r)),
        None => assert!(tree.cophenetic_correlation(distances).is_err(), "{name}"),
    }
    if !expected["cophenet"].is_null() {
        let cophenet = floats(&expected["cophenet"]);
        assert!(all_close(&tree.cophenetic_distances(), &cophenet), "{name}");
    }
    for (k, labels) in expected["maxclust"].as_object().unwrap() {
        // SciPy cuts at a height, which gives fewer clusters where heights decrease
        let labels = integers(labels);
        let k: usize = k.parse().unwrap();
        if tree.is_monotone() {
            assert!(same_partition(&tree.cut_number(k).unwrap(), &labels), "{name}");
        }
    }
    // SciPy's own height, exactly: t is a height of its z
    let theirs = Dendrogram::from_array(z.view()).unwrap();
    let at = &expected["distance_median"];
    let cut = theirs.cut_height(at["t"].as_f64().unwrap()).unwrap();
    assert!(same_partition(&cut, &integers(&at["labels"])), "{name}");
    let at = &expected["distance_halfway"];
    if let Some(t) = at["t"].as_f64() {
        let cut = tree.cut_height(t).unwrap();
        assert!(same_partition(&cut, &integers(&at["labels"])), "{name}");
    }
}

fn weighted_rows() -> impl Strategy<Value = (Array2<f64>, Vec<u8>)> {
    rows(2..14).prop_flat_map(|x| {
        let n = x.nrows();
        (Just(x), prop::collection::vec(1..5_u8, n))
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn merges_are_those_of_the_obvious_algorithm(
        (x, weights) in weighted_rows(),
        method in any_linkage(),
        weigh in any::<bool>(),
    ) {
        let n = x.nrows();
        let weights: Vec<f64> = weights.iter().map(|&w| f64::from(w) * 0.75).collect();
        let weights = weigh.then_some(&weights[..]);
        let tree = linkage(x.view(), method, weights).unwrap();
        let (heights, cuts) = Oracle::new(x.view(), weights, method).heights_and_cuts();
        prop_assert!(all_close(&tree.heights(), &heights), "{:?} {heights:?}", tree.heights());
        for k in 1..=n {
            let labels = tree.cut_number(k).unwrap();
            prop_assert!(same_partition(&labels, &cuts[n - k]));
        }
    }

    #[test]
    fn ties_end_in_a_right_order_of_merges(x in tied_rows(), method in any_linkage()) {
        let n = x.nrows();
        let tree = linkage(x.view(), method, None).unwrap();
        Oracle::new(x.view(), None, method).replay(&tree);
        let distances = condensed_distances(x.view()).unwrap();
        let tree = linkage_from_distances(&distances, n, method).unwrap();
        Oracle::new(x.view(), None, method).replay(&tree);
        prop_assert!(!method.is_monotone() || tree.is_monotone());
    }

    #[test]
    fn heights_of_single_linkage_do_not_depend_on_ties(x in tied_rows()) {
        let tree = linkage(x.view(), Linkage::Single, None).unwrap();
        let (heights, _) = Oracle::new(x.view(), None, Linkage::Single).heights_and_cuts();
        prop_assert!(all_close(&tree.heights(), &heights));
    }

    #[test]
    fn a_weight_is_a_number_of_copies((x, weights) in weighted_rows(), method in any_linkage()) {
        let n = x.nrows();
        let copies: Vec<usize> =
            (0..n).flat_map(|row| vec![row; weights[row].into()]).collect();
        let repeated = x.select(Axis(0), &copies);
        let weights: Vec<f64> = weights.iter().map(|&w| w.into()).collect();
        let weighted = linkage(x.view(), method, Some(&weights)).unwrap();
        let repeated = linkage(repeated.view(), method, None).unwrap();
        let zeros = copies.len() - n;
        prop_assert!(repeated.heights()[..zeros].iter().all(|&h| h == 0.0));
        prop_assert!(all_close(&repeated.heights()[zeros..], &weighted.heights()));
        for k in 1..=n {
            let weighted = weighted.cut_number(k).unwrap();
            let spread: Vec<usize> = copies.iter().map(|&row| weighted[row]).collect();
            prop_assert_eq!(repeated.cut_number(k).unwrap(), spread);
        }
    }

    #[test]
    fn position_and_order_of_rows_do_not_matter(
        x in rows(2..20),
        method in any_linkage(),
        offset in -1e4..1e4_f64,
        seed in any::<u64>(),
    ) {
        let tree = linkage(x.view(), method, None).unwrap();
        let moved = linkage((&x + offset).view(), method, None).unwrap();
        for (a, b) in tree.heights().into_iter().zip(moved.heights()) {
            prop_assert!((a - b).abs() <= 1e-7 * (1.0 + a));
        }
        let n = x.nrows();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&i| (i as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        let shuffled = linkage(x.select(Axis(0), &order).view(), method, None).unwrap();
        prop_assert!(all_close(&shuffled.heights(), &tree.heights()));
        for k in 1..=n {
            let labels = tree.cut_number(k).unwrap();
            let expected: Vec<usize> = order.iter().map(|&row| labels[row]).collect();
            prop_assert!(same_partition(&shuffled.cut_number(k).unwrap(), &expected));
        }
        // a column-major view is the same matrix
        let transposed = x.t().to_owned();
        prop_assert_eq!(&linkage(transposed.t(), method, None).unwrap(), &tree);
    }
}

/// Numbers in (0, 1) without a generator: fractional parts of multiples.
fn scattered(n: usize, p: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, p), |(i, j)| {
        ((i * p + j + 1) as f64 * 0.618_033_988_749_894_9 + (i * i % 97) as f64 * 0.13)
            .fract()
    })
}

#[test]
fn ward_without_a_matrix_is_ward() {
    let n = 2100;
    assert!(Linkage::Ward.memory(n, 2) < Linkage::Average.memory(n, 2) / 30);
    let x = scattered(n, 2);
    let tree = linkage(x.view(), Linkage::Ward, None).unwrap();
    let distances = condensed_distances(x.view()).unwrap();
    let by_matrix = linkage_from_distances(&distances, n, Linkage::Ward).unwrap();
    assert!(all_close(&tree.heights(), &by_matrix.heights()));
    for k in [2, 3, 7, 50] {
        assert_eq!(tree.cut_number(k).unwrap(), by_matrix.cut_number(k).unwrap());
    }
}

#[test]
fn ward_without_a_matrix_counts_weights_and_keeps_its_digits() {
    let n = 1100;
    let x = scattered(n, 3) + 1e6;
    let by_matrix = linkage(x.view(), Linkage::Ward, Some(&vec![2.0; n])).unwrap();
    let copies: Vec<usize> = (0..2 * n).map(|row| row / 2).collect();
    let repeated = x.select(Axis(0), &copies);
    let tree = linkage(repeated.view(), Linkage::Ward, None).unwrap();
    assert!(all_close(&tree.heights()[n..], &by_matrix.heights()));
    let labels = by_matrix.cut_number(5).unwrap();
    let spread: Vec<usize> = copies.iter().map(|&row| labels[row]).collect();
    assert_eq!(tree.cut_number(5).unwrap(), spread);
}

#[test]
fn ward_without_a_matrix_ends_on_tied_rows() {
    let x =
        Array2::from_shape_fn((2400, 2), |(i, j)| ((i / (1 + 47 * j)) % 48) as f64 * 0.1);
    let tree = linkage(x.view(), Linkage::Ward, None).unwrap();
    assert!(tree.is_monotone());
    assert!(Dendrogram::new(2400, tree.merges().to_vec()).is_ok());
    let equal = Array2::from_elem((2100, 2), 0.1);
    let tree = linkage(equal.view(), Linkage::Ward, None).unwrap();
    assert!(tree.heights().iter().all(|&height| height == 0.0));
}

#[test]
fn one_row_has_no_merges_and_none_has_no_tree() {
    for method in Linkage::ALL {
        let one = Array2::from_elem((1, 2), 3.0);
        for tree in [
            linkage(one.view(), method, None).unwrap(),
            linkage_from_distances(&[], 1, method).unwrap(),
        ] {
            assert!(tree.merges().is_empty());
            assert_eq!(tree.cut_number(1).unwrap(), [0]);
            assert_eq!(tree.cut_height(0.0).unwrap(), [0]);
            assert_eq!(tree.leaf_order(), [0]);
            assert!(tree.cophenetic_distances().is_empty());
            assert!(tree.cophenetic_correlation(&[]).is_err());
            assert!(tree.cut_largest_gap().is_err());
        }
        let none = Array2::<f64>::zeros((0, 2));
        let error = linkage(none.view(), method, None).unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::TooFewRows { needed: 1, found: 0, .. }
        ));
        assert!(linkage_from_distances(&[], 0, method).is_err());
        let narrow = Array2::<f64>::zeros((3, 0));
        assert!(linkage(narrow.view(), method, None).is_err());
    }
}

#[test]
fn ties_go_to_the_lowest_row() {
    let x = ndarray::array![[0.0], [1.0], [2.0], [3.0]];
    for method in Linkage::ALL {
        let tree = linkage(x.view(), method, None).unwrap();
        assert_eq!(tree.cut_number(3).unwrap(), [0, 0, 1, 2], "{method}");
    }
}

#[test]
fn equal_rows_merge_at_zero() {
    let x = Array2::from_elem((6, 2), 0.1);
    for method in Linkage::ALL {
        let tree = linkage(x.view(), method, None).unwrap();
        assert_eq!(tree.heights(), [0.0; 5], "{method}");
        assert!(matches!(
            tree.largest_gap().unwrap_err().kind(),
            ErrorKind::Undefined { .. }
        ));
    }
}

#[test]
fn numbers_that_cannot_be_compared_are_refused() {
    for method in Linkage::ALL {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut x = Array2::zeros((3, 2));
            x[(2, 1)] = bad;
            let error = linkage(x.view(), method, None).unwrap_err();
            let ErrorKind::NonFinite { feature, row, .. } = error.kind() else {
                panic!("{error}");
            };
            assert_eq!((&feature[..], *row), ("column 1", Some(2)));
            assert!(linkage_from_distances(&[1.0, bad, 1.0], 3, method).is_err());
        }
        for far in [1e300, f64::MAX] {
            let x = ndarray::array![[0.0, 1.0], [1.0, -far], [2.0, far]];
            let error = linkage(x.view(), method, None).unwrap_err();
            assert!(error.to_string().contains("column 1"), "{error}");
            assert!(condensed_distances(x.view()).is_err());
        }
        assert!(linkage_from_distances(&[1.0, -1.0, 1.0], 3, method).is_err());
        assert!(linkage_from_distances(&[1.0, 1.0], 3, method).is_err());
        assert!(linkage_from_distances(&[f64::MAX; 3], 3, method).is_err());
        let heights = linkage_from_distances(&[1e100; 3], 3, method).unwrap().heights();
        assert!(heights.iter().all(|h| h.is_finite()), "{method} {heights:?}");
        // far from 0, but not from each other
        let x = ndarray::array![[1e300], [1e300], [1e300]];
        assert!(linkage(x.view(), method, None).is_ok());
    }
}

#[test]
fn weights_must_count() {
    let x = ndarray::array![[0.0], [1.0], [3.0]];
    for method in Linkage::ALL {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = linkage(x.view(), method, Some(&[1.0, bad, 1.0])).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Value { row: Some(1), .. }),
                "{error}"
            );
        }
        assert!(linkage(x.view(), method, Some(&[1.0])).is_err());
        assert!(linkage(x.view(), method, Some(&[1e200; 3])).is_err());
        let plain = linkage(x.view(), method, None).unwrap();
        let weighted = linkage(x.view(), method, Some(&[5.0, 2.0, 1.0])).unwrap();
        assert_eq!(plain != weighted, method.counts_weights(), "{method}");
    }
}

#[test]
fn only_the_ratios_of_weights_count_for_centroids() {
    let x = scattered(20, 2);
    let weights: Vec<f64> = (0..20).map(|row| f64::from(row % 4 + 1)).collect();
    let tree = linkage(x.view(), Linkage::Centroid, Some(&weights)).unwrap();
    // weights that can hardly be told from 0 give a tree all the same
    for method in Linkage::ALL {
        assert!(linkage(x.view(), method, Some(&[5e-324; 20])).is_ok(), "{method}");
    }
    for scale in [5e-324, 2_f64.powi(-600), 2_f64.powi(400)] {
        let scaled: Vec<f64> = weights.iter().map(|w| w * scale).collect();
        let other = linkage(x.view(), Linkage::Centroid, Some(&scaled)).unwrap();
        assert_eq!(tree, other, "{scale}");
    }
}

#[test]
fn distances_that_no_points_have_give_heights_all_the_same() {
    // the triangle inequality does not hold
    let distances = [1.0, 9.0, 1.0, 1.0, 9.0, 1.0];
    for method in Linkage::ALL {
        let tree = linkage_from_distances(&distances, 4, method).unwrap();
        assert!(tree.heights().iter().all(|h| h.is_finite() && *h >= 0.0), "{method}");
    }
}

#[test]
fn memory_is_counted_before_it_is_taken() {
    let x = Array2::<f64>::zeros((100, 2));
    for method in Linkage::ALL {
        let needed = method.memory(100, 2);
        let enough = linkage_with(x.view(), method, None, needed as u64, &mut ());
        assert!(enough.is_ok());
        if method != Linkage::Single {
            assert_eq!(needed, 8 * 4950);
            let error = linkage_with(x.view(), method, None, needed as u64 - 1, &mut ())
                .unwrap_err();
            assert!(matches!(
                error.kind(),
                ErrorKind::Memory { needed: 39600, limit: 39599, .. }
            ));
        }
    }
    // a view of one element repeated is a table of a million rows that takes no memory
    let one = Array2::from_elem((1, 1), 1.0);
    let many = one.broadcast((1_000_000, 1)).unwrap();
    for method in [Linkage::Complete, Linkage::Centroid, Linkage::Average] {
        let error = linkage(many, method, None).unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::Memory { needed: 3_999_996_000_000, .. }
        ));
    }
    assert!(condensed_distances(many).is_err());
    // no overflow on the way
    assert!(Linkage::Average.memory(usize::MAX, 1) > u128::from(u64::MAX));
    assert!(Linkage::Ward.memory(usize::MAX, usize::MAX) > u128::from(u64::MAX));
}

#[test]
fn an_observer_sees_the_merges_and_may_stop_them() {
    let x = scattered(600, 2);
    for method in [Linkage::Single, Linkage::Ward, Linkage::Median] {
        let mut seen = Vec::new();
        let mut watch = |p: &Progress| {
            assert_eq!((p.stage, p.total), ("linkage", 599));
            seen.push(p.done);
            ControlFlow::Continue(())
        };
        let limit = u64::MAX;
        let tree = linkage_with(x.view(), method, None, limit, &mut watch).unwrap();
        assert_eq!(seen, [0, 256, 512, 599]);
        assert_eq!(tree, linkage(x.view(), method, None).unwrap());
        let mut stop = |p: &Progress| match p.done {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        let error = linkage_with(x.view(), method, None, limit, &mut stop).unwrap_err();
        assert!(error.is_cancelled());
    }
}

/// Rows beyond which the linkages of all distances work in rounds.
const MANY: usize = 2300;

#[test]
fn many_rows_are_watched_and_may_be_stopped() {
    let x = scattered(MANY, 2);
    for method in [Linkage::Average, Linkage::Complete, Linkage::Weighted] {
        let mut seen = Vec::new();
        let mut watch = |p: &Progress| {
            assert_eq!((p.stage, p.total), ("linkage", MANY - 1));
            seen.push(p.done);
            ControlFlow::Continue(())
        };
        let limit = method.memory(MANY, 2) as u64;
        let tree = linkage_with(x.view(), method, None, limit, &mut watch).unwrap();
        let expected: Vec<usize> = (0..MANY).step_by(256).chain([MANY - 1]).collect();
        assert_eq!(seen, expected);
        assert_eq!(tree, linkage(x.view(), method, None).unwrap());
        let mut stop = |p: &Progress| match p.done {
            512 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let error = linkage_with(x.view(), method, None, limit, &mut stop).unwrap_err();
        assert!(error.is_cancelled());
        assert!(linkage_with(x.view(), method, None, limit - 1, &mut ()).is_err());
    }
}

#[test]
fn many_rows_and_their_distances_have_the_same_tree() {
    let tied =
        Array2::from_shape_fn((MANY, 2), |(i, j)| ((i * 31 / (1 + 47 * j)) % 12) as f64);
    for x in [scattered(MANY, 3), tied, Array2::from_elem((MANY, 1), 0.1)] {
        let distances = condensed_distances(x.view()).unwrap();
        for method in [Linkage::Average, Linkage::Complete, Linkage::Weighted] {
            let tree = linkage(x.view(), method, None).unwrap();
            assert!(tree.is_monotone());
            assert!(Dendrogram::new(MANY, tree.merges().to_vec()).is_ok());
            assert_eq!(tree, linkage_from_distances(&distances, MANY, method).unwrap());
        }
    }
}

#[test]
fn a_weight_of_many_rows_is_a_number_of_copies() {
    let x = scattered(MANY, 3);
    let weights: Vec<f64> = (0..MANY).map(|row| (row % 3 + 1) as f64).collect();
    let copies: Vec<usize> = (0..MANY).flat_map(|row| vec![row; row % 3 + 1]).collect();
    let weighted = linkage(x.view(), Linkage::Average, Some(&weights)).unwrap();
    let repeated = x.select(Axis(0), &copies);
    let repeated = linkage(repeated.view(), Linkage::Average, None).unwrap();
    let zeros = copies.len() - MANY;
    assert!(repeated.heights()[..zeros].iter().all(|&h| h == 0.0));
    assert!(all_close(&repeated.heights()[zeros..], &weighted.heights()));
}

#[test]
fn any_number_of_threads_gives_the_same_tree() {
    let tied =
        Array2::from_shape_fn((MANY, 2), |(i, j)| ((i * 31 / (1 + 47 * j)) % 40) as f64);
    let x = scattered(MANY, 3);
    let trees = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            [Linkage::Average, Linkage::Complete, Linkage::Weighted].map(|method| {
                [x.view(), tied.view()].map(|x| linkage(x, method, None).unwrap())
            })
        })
    };
    let one = trees(1);
    assert_eq!(one, trees(2));
    assert_eq!(one, trees(7));
}

fn data(path: &str) -> String {
    let folder = std::env::var("SEGMENTA_DATA").unwrap();
    std::fs::read_to_string(format!("{folder}/{path}")).unwrap()
}

/// Ruspini's (1970) four groups are of 23, 20, 17 and 15 points.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_ruspini_has_four_groups() {
    let text = data("mixed/ruspini.csv");
    let numbers: Vec<f64> = text
        .lines()
        .skip(1)
        .flat_map(|line| line.split(',').map(|x| x.trim().parse().unwrap()))
        .collect();
    let x = Array2::from_shape_vec((75, 2), numbers).unwrap();
    for method in Linkage::ALL {
        let tree = linkage(x.view(), method, None).unwrap();
        let labels = tree.cut_number(4).unwrap();
        let mut sizes = [0; 4];
        labels.iter().for_each(|&label| sizes[label] += 1);
        sizes.sort_unstable();
        if method == Linkage::Complete {
            assert_eq!(sizes, [15, 20, 20, 20]);
            Oracle::new(x.view(), None, method).replay(&tree);
        } else {
            assert_eq!(sizes, [15, 17, 20, 23], "{method}");
        }
    }
}
