//! Input that cannot be used, and input at the edges.

use ndarray::array;
use segmenta::ErrorKind;
use segmenta::cluster::hierarchical::DEFAULT_MEMORY_LIMIT;
use segmenta::cluster::hierarchical::micro::ClusterFeature;

use super::*;

#[test]
fn options_out_of_range_are_refused() {
    let options = CfOptions::new;
    for (bad, name) in [
        (options().threshold(-1.0), "threshold"),
        (options().threshold(f64::NAN), "threshold"),
        (options().threshold(f64::INFINITY), "threshold"),
        (options().branching(1), "branching"),
        (options().branching(257), "branching"),
        (options().leaf_capacity(0), "leaf_capacity"),
        (options().max_leaves(1), "max_leaves"),
        (options().max_leaves(usize::MAX), "max_leaves"),
    ] {
        let error = CfTree::new(2, bad).unwrap_err();
        assert!(error.is_parameter() && error.to_string().contains(name), "{error}");
    }
    assert!(CfTree::new(0, options()).unwrap_err().is_parameter());
}

#[test]
fn bad_rows_are_named_and_change_nothing() {
    let mut tree = tree(array![[1.0, 2.0], [3.0, 4.0]].view(), None, CfOptions::new());
    let before = tree.clone();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let rows = array![[0.0, 0.0], [5.0, 6.0], [7.0, bad]];
        let error = tree.insert_rows(rows.view(), None).unwrap_err();
        let ErrorKind::NonFinite { feature, row, .. } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!((feature.as_str(), *row), ("column 1", Some(2)));
        assert!(tree.insert(&[0.0, bad], 1.0).is_err());
        let ones = array![[1.0, 2.0], [1.0, 3.0]];
        let error = tree.insert_rows(ones.view(), Some(&[1.0, bad])).unwrap_err();
        assert!(error.to_string().contains("row 1"), "{error}");
    }
    for huge in [1e200, f64::MAX, -f64::MAX] {
        let error = tree.insert(&[huge, 0.0], 1.0).unwrap_err();
        assert!(error.to_string().contains("range of column 0"), "{error}");
    }
    assert!(tree.insert(&[1.0, 2.0], -1.0).is_err());
    assert!(tree.insert(&[1.0, 2.0], 1e200).is_err());
    assert!(tree.insert(&[1.0], 1.0).is_err());
    assert!(tree.insert_rows(array![[1.0], [2.0]].view(), None).is_err());
    assert!(tree.insert_rows(array![[1.0, 2.0]].view(), Some(&[])).is_err());
    assert!(tree.merge(&CfTree::new(3, CfOptions::new()).unwrap()).is_err());
    let mut far = CfTree::new(2, CfOptions::new()).unwrap();
    far.insert(&[1e160, 0.0], 1.0).unwrap();
    assert!(tree.merge(&far).is_err());
    assert_eq!(tree, before);
}

#[test]
fn edges_have_answers() {
    for absorb in BOTH {
        let options = CfOptions::new().max_leaves(2).absorb(absorb);
        let mut tree = CfTree::new(1, options).unwrap();
        assert_eq!((tree.n_leaves(), tree.weight(), tree.total()), (0, 0.0, None));
        let micro = tree.micro_clusters();
        assert!(micro.is_empty());
        assert_eq!(micro.means().dim(), (0, 1));
        assert!(micro.linkage(DEFAULT_MEMORY_LIMIT, &mut ()).is_err());
        // a weight of 0 changes nothing
        tree.insert(&[3.0], 0.0).unwrap();
        tree.merge(&tree.clone()).unwrap();
        assert_eq!(tree, CfTree::new(1, options).unwrap());
        tree.insert(&[3.0], 2.0).unwrap();
        let one = tree.micro_clusters();
        assert_eq!(one.linkage(DEFAULT_MEMORY_LIMIT, &mut ()).unwrap().n_leaves(), 1);
        // distances between the least and the largest that squares can tell
        for x in [-1e150, 1e150, 1e-150, -1e-150, 0.0, 5e-324, 1.0] {
            tree.insert(&[x], 1e-3).unwrap();
            assert!(tree.n_leaves() <= 2);
        }
        assert!(tree.total().unwrap().deviation().is_finite());
    }
}

#[test]
fn weights_of_any_size_are_kept() {
    for scale in [1e-290, 1e-100, 1e100] {
        let w: Vec<f64> = weights(300, 3).iter().map(|w| w * scale).collect();
        let x = Array2::from_shape_vec((300, 2), noise(600, 4)).unwrap();
        for absorb in BOTH {
            let options = CfOptions::new().max_leaves(20).absorb(absorb);
            let tree = tree(x.view(), Some(&w), options);
            let (weight, _, squares) = two_passes(x.view(), &w);
            assert!(near(tree.weight(), weight, 1e-12));
            assert!(near(tree.total().unwrap().deviation(), squares, 1e-9), "{scale}");
            assert!((2..=20).contains(&tree.n_leaves()), "{}", tree.n_leaves());
        }
    }
}

#[test]
fn features_are_checked() {
    assert!(ClusterFeature::new(&[], 1.0).is_err());
    assert!(ClusterFeature::new(&[f64::NAN], 1.0).is_err());
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(ClusterFeature::new(&[1.0], weight).is_err());
    }
    let mut one = ClusterFeature::new(&[1.0], 1.0).unwrap();
    let before = one.clone();
    assert!(one.merge(&ClusterFeature::new(&[1.0, 2.0], 1.0).unwrap()).is_err());
    assert!(one.merge(&ClusterFeature::new(&[1e200], 1.0).unwrap()).is_err());
    assert_eq!(one, before);
}
