//! Any number of threads.

use segmenta::cluster::hierarchical::{Linkage, linkage};

use super::*;

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let scattered = |n: usize, p: usize| {
        Array2::from_shape_fn((n, p), |(i, j)| {
            let u = ((i * p + j + 1) as f64 * 0.618_033_988_749_894_9).fract();
            (u * 40.0).exp2().ln() + (i * i % 97) as f64 * 0.13
        })
    };
    let tables = [
        (Linkage::Ward, scattered(4000, 3)),
        (Linkage::Ward, scattered(4000, 3).mapv(f64::round)),
        (Linkage::Ward, scattered(2100, 40)),
        (Linkage::Single, scattered(4000, 3)),
        (Linkage::Single, scattered(4000, 3).mapv(f64::round)),
        (Linkage::Single, scattered(3000, 50)),
    ];
    let bits = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            tables.each_ref().map(|(method, x)| {
                let tree = linkage(x.view(), *method, None).unwrap();
                let merges = tree.merges().iter();
                merges.map(|m| (m.left, m.right, m.height.to_bits())).collect::<Vec<_>>()
            })
        })
    };
    let one = bits(1);
    assert!(one == bits(2));
    assert!(one == bits(7));
}
