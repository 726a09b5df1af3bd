//! Dendrograms: cuts, heights, and trees that come from files.

use ndarray::Axis;
use proptest::prelude::*;
use segmenta::cluster::hierarchical::{
    Dendrogram, Linkage, Merge, condensed_distances, linkage,
};

use super::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn cuts_are_nested_and_numbered_by_first_row(x in tied_rows(), method in any_linkage()) {
        let tree = linkage(x.view(), method, None).unwrap();
        let n = x.nrows();
        prop_assert_eq!(tree.cut_number(1).unwrap(), vec![0; n]);
        for k in 1..=n {
            let labels = tree.cut_number(k).unwrap();
            let mut highest = 0;
            for &label in &labels {
                prop_assert!(label <= highest);
                highest = highest.max(label + 1);
            }
            prop_assert_eq!(highest, k);
            if k > 1 {
                let coarser = tree.cut_number(k - 1).unwrap();
                for (i, j) in (0..n).flat_map(|i| (0..i).map(move |j| (i, j))) {
                    prop_assert!(labels[i] != labels[j] || coarser[i] == coarser[j]);
                }
            }
        }
        let mut order = tree.leaf_order();
        order.sort_unstable();
        prop_assert_eq!(order, (0..n).collect::<Vec<_>>());
    }

    #[test]
    fn a_cut_at_a_height_joins_what_is_below(x in rows(2..20), method in any_linkage()) {
        let tree = linkage(x.view(), method, None).unwrap();
        let cophenetic = tree.cophenetic_distances();
        let n = x.nrows();
        for height in tree.heights() {
            let labels = tree.cut_height(height).unwrap();
            let mut at = 0;
            for i in 0..n {
                for j in i + 1..n {
                    let joined = labels[i] == labels[j];
                    prop_assert!(!joined || cophenetic[at] <= height);
                    if tree.is_monotone() {
                        prop_assert_eq!(joined, cophenetic[at] <= height);
                    }
                    at += 1;
                }
            }
        }
        prop_assert_eq!(tree.cut_height(-1.0).unwrap(), (0..n).collect::<Vec<_>>());
        prop_assert_eq!(tree.cut_height(f64::INFINITY).unwrap(), vec![0; n]);
    }

    #[test]
    fn cophenetic_distances_are_ultrametric(x in rows(3..16), method in any_linkage()) {
        prop_assume!(method.is_monotone());
        let tree = linkage(x.view(), method, None).unwrap();
        prop_assert!(tree.is_monotone());
        let (n, d) = (x.nrows(), tree.cophenetic_distances());
        let at = |i: usize, j: usize| {
            let (i, j) = (i.min(j), i.max(j));
            d[i * n - i * (i + 1) / 2 + j - i - 1]
        };
        for i in 0..n {
            for j in (0..n).filter(|&j| j != i) {
                for k in (0..n).filter(|&k| k != i && k != j) {
                    prop_assert!(at(i, j) <= at(i, k).max(at(k, j)));
                }
            }
        }
        if method == Linkage::Single {
            // the subdominant ultrametric is below every distance
            let distances = condensed_distances(x.view()).unwrap();
            prop_assert!(d.iter().zip(&distances).all(|(a, b)| *a <= b + 1e-12));
        }
        let r = tree.cophenetic_correlation(&d).unwrap();
        prop_assert!(close(r, 1.0));
    }

    #[test]
    fn trees_survive_a_file(x in tied_rows(), method in any_linkage()) {
        let tree = linkage(x.view(), method, None).unwrap();
        let json = serde_json::to_string(&tree).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Dendrogram>(&json).unwrap(), &tree);
        if tree.n_leaves() > 1 {
            prop_assert_eq!(Dendrogram::from_array(tree.to_array().view()).unwrap(), tree);
        }
    }

    #[test]
    fn hostile_trees_are_refused_or_usable(
        n in 0..7_usize,
        merges in prop::collection::vec((0..12_usize, 0..12_usize, -1.0..9.0_f64, 0..8_usize), 0..7),
    ) {
        let merges = merges.into_iter().map(|(left, right, height, size)| {
            Merge { left, right, height, size }
        });
        if let Ok(tree) = Dendrogram::new(n, merges.collect()) {
            prop_assert_eq!(tree.cophenetic_distances().len(), n * (n - 1) / 2);
            prop_assert_eq!(tree.leaf_order().len(), n);
            for k in 1..=n {
                let labels = tree.cut_number(k).unwrap();
                prop_assert_eq!(labels.iter().max(), Some(&(k - 1)));
            }
        }
    }
}

#[test]
fn cuts_refuse_what_has_no_meaning() {
    let x = ndarray::array![[0.3], [2.0], [7.1], [1.4], [5.0]];
    let tree = linkage(x.view(), Linkage::Ward, None).unwrap();
    for k in [0, 6, usize::MAX] {
        assert!(tree.cut_number(k).unwrap_err().is_parameter());
    }
    assert!(tree.cut_height(f64::NAN).is_err());
}

#[test]
fn the_largest_gap_is_found() {
    let x = ndarray::array![[0.0], [1.0], [2.0], [50.0], [51.0], [52.0], [90.0], [91.0]];
    let tree = linkage(x.view(), Linkage::Average, None).unwrap();
    assert_eq!(tree.largest_gap().unwrap(), 3);
    assert_eq!(tree.cut_largest_gap().unwrap(), [0, 0, 0, 1, 1, 1, 2, 2]);
    // of equal gaps the one with fewer clusters: heights 1, 2, 3
    let steps = |heights: [f64; 3]| {
        let merge = |i: usize| {
            let (left, right) = if i == 0 { (0, 1) } else { (i + 1, i + 3) };
            Merge { left, right, height: heights[i], size: i + 2 }
        };
        Dendrogram::new(4, (0..3).map(merge).collect()).unwrap()
    };
    assert_eq!(steps([1.0, 2.0, 3.0]).largest_gap().unwrap(), 2);
    assert_eq!(steps([1.0, 3.0, 3.5]).largest_gap().unwrap(), 3);
    assert!(steps([3.0, 2.0, 1.0]).largest_gap().is_err());
}

#[test]
fn inverted_heights_are_cut_by_the_highest_inside() {
    // an equilateral triangle of side 2: the third corner is nearer to the centroid
    let x = ndarray::array![[0.0, 0.0], [2.0, 0.0], [1.0, 3_f64.sqrt()]];
    let tree = linkage(x.view(), Linkage::Centroid, None).unwrap();
    let heights = tree.heights();
    assert!(close(heights[0], 2.0) && close(heights[1], 3_f64.sqrt()));
    assert!(!tree.is_monotone());
    assert_eq!(tree.cut_height(1.9).unwrap(), [0, 1, 2]);
    assert_eq!(tree.cut_height(2.1).unwrap(), [0, 0, 0]);
    assert_eq!(tree.cut_number(2).unwrap().iter().max(), Some(&1));
}

#[test]
fn files_that_are_no_trees_are_refused() {
    let good = r#"{"n_leaves":3,"merges":[
        {"left":0,"right":1,"height":1.0,"size":2},{"left":2,"right":3,"height":2.0,"size":3}]}"#;
    assert!(serde_json::from_str::<Dendrogram>(good).is_ok());
    for (from, to) in [
        ("\"n_leaves\":3", "\"n_leaves\":4"),
        ("\"n_leaves\":3", "\"n_leaves\":0"),
        ("\"n_leaves\":3", "\"n_leaves\":18446744073709551615"),
        ("\"right\":1", "\"right\":0"),
        ("\"right\":1", "\"right\":3"),
        ("\"left\":2", "\"left\":1"),
        ("\"right\":3", "\"right\":9"),
        ("\"size\":2", "\"size\":3"),
        ("\"size\":3", "\"size\":2"),
        ("\"height\":1.0", "\"height\":-1.0"),
        ("\"height\":1.0", "\"height\":null"),
        ("\"height\":1.0", "\"height\":1e999"),
        ("\"n_leaves\":3", "\"n_leaves\":3,\"more\":1"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        assert!(serde_json::from_str::<Dendrogram>(&bad).is_err(), "{bad}");
    }
    let z = ndarray::array![[0.5, 1.0, 1.0, 2.0]];
    assert!(Dendrogram::from_array(z.view()).is_err());
    assert!(Dendrogram::from_array(z.select(Axis(1), &[0, 1, 2]).view()).is_err());
}
