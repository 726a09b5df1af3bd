//! A tree on disk.

use ndarray::s;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read(value: &Value) -> Result<CfTree, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

#[test]
fn a_loaded_tree_goes_on_as_if_it_had_not_been_away() {
    for (max_leaves, absorb) in [(4096, BOTH[0]), (100, BOTH[0]), (100, BOTH[1])] {
        let (x, _) = blobs(3000, 3, 6, 4);
        let options = CfOptions::new().max_leaves(max_leaves).branching(7).absorb(absorb);
        let mut tree = CfTree::new(3, options).unwrap();
        for day in 0..6 {
            let text = serde_json::to_string(&tree).unwrap();
            let loaded: CfTree = serde_json::from_str(&text).unwrap();
            assert_eq!(loaded, tree);
            tree = loaded;
            tree.insert_rows(x.slice(s![day * 500..(day + 1) * 500, ..]), None).unwrap();
        }
        assert_eq!(tree, super::tree(x.view(), None, options));
    }
}

fn saved() -> Value {
    let (x, _) = blobs(200, 2, 3, 8);
    let options = CfOptions::new().branching(4).leaf_capacity(3).max_leaves(40);
    serde_json::to_value(tree(x.view(), None, options)).unwrap()
}

#[test]
fn what_contradicts_itself_is_refused() {
    assert!(read(&saved()).is_ok());
    let root = saved()["root"].as_u64().unwrap() as usize;
    let inner = format!("/nodes/{root}");
    let leaf = (0..40)
        .map(|i| format!("/nodes/{i}"))
        .find(|at| saved().pointer(&format!("{at}/deviations")).is_some())
        .unwrap();
    let cases: Vec<(String, Value)> = vec![
        ("/version".into(), json!(2)),
        ("/n_columns".into(), json!(3)),
        ("/n_columns".into(), json!(1_u64 << 60)),
        ("/squared_threshold".into(), json!(-1.0)),
        ("/weight".into(), json!(7.0)),
        ("/weight".into(), json!(-7.0)),
        ("/low/0".into(), json!(1e6)),
        ("/high".into(), json!([])),
        ("/depth".into(), json!(0)),
        ("/depth".into(), json!(1_u64 << 60)),
        ("/root".into(), json!(0)),
        ("/root".into(), json!(100_000)),
        ("/options/max_leaves".into(), json!(2)),
        ("/options/branching".into(), json!(2)),
        ("/options/threshold".into(), json!(1e9)),
        ("/nodes".into(), json!([])),
        (format!("{inner}/children/0"), json!(root)),
        (format!("{inner}/children/0"), json!(9999)),
        (format!("{inner}/children"), json!([])),
        (format!("{inner}/weights/0"), json!(1e3)),
        (format!("{inner}/means/0"), json!(1e5)),
        (format!("{leaf}/weights/0"), json!(-1.0)),
        (format!("{leaf}/weights/0"), json!(0.0)),
        (format!("{leaf}/weights"), json!([])),
        (format!("{leaf}/deviations/0"), json!(-1.0)),
        (format!("{leaf}/deviations"), json!([])),
        (format!("{leaf}/means/0"), json!(1e5)),
        (format!("{leaf}/means"), json!([])),
    ];
    for (at, value) in cases {
        let mut altered = saved();
        *altered.pointer_mut(&at).unwrap_or_else(|| panic!("{at}")) = value.clone();
        assert!(read(&altered).is_err(), "{at} {value}");
    }
    let mut more = saved();
    more["more"] = json!(1);
    assert!(read(&more).is_err());
}

#[test]
fn a_small_file_asks_for_no_large_memory() {
    let empty = CfTree::new(2, CfOptions::new()).unwrap();
    let mut forged = serde_json::to_value(&empty).unwrap();
    assert_eq!(read(&forged).unwrap(), empty);
    forged["n_columns"] = json!(1_u64 << 50);
    assert!(read(&forged).is_err());
    let mut nodes = serde_json::to_value(&empty).unwrap();
    nodes["nodes"] = json!(vec![json!({"weights": [], "means": []}); 1000]);
    assert!(read(&nodes).is_err());
}

proptest! {
    /// Any number of a file replaced: an error, or a tree that still works.
    #[test]
    fn altered_numbers_never_panic(at in any::<prop::sample::Index>(), by in -3..4_i32) {
        let text = saved().to_string();
        let digits: Vec<usize> = text
            .char_indices()
            .filter(|(_, c)| c.is_ascii_digit())
            .map(|(i, _)| i)
            .collect();
        let place = digits[at.index(digits.len())];
        let replaced = ["0", "9", "-1", "", "1e300", "88888888", "null"];
        let altered = format!(
            "{}{}{}", &text[..place], replaced[(by + 3) as usize], &text[place + 1..]
        );
        if let Ok(mut tree) = serde_json::from_str::<CfTree>(&altered) {
            for x in noise(50, 1).chunks_exact(2) {
                let _ = tree.insert(&[x[0] * 50.0, x[1] * 50.0], 1.0);
            }
            prop_assert!(tree.total().unwrap().deviation().is_finite());
        }
    }
}
