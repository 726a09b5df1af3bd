//! Any number of threads.

use segmenta::cluster::kmeans::{Algorithm, Init, KMeans};
use segmenta::{Fit, SegmenterExt};

use super::*;

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let x = blobs(9000, 5, 11, 77);
    let w: Vec<f64> = noise(9000, 3).iter().map(|u| (u + 0.9).max(0.0)).collect();
    let table = weighted(&number_schema(5), &x, &w);
    let bits = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random].map(|init| {
                let kmeans = KMeans::new(11).n_init(2).init(init);
                let result = fit(&kmeans, x.view(), Some(&w));
                let fitted = kmeans.fit(&table).unwrap();
                let numbers: Vec<u64> = result
                    .centers
                    .iter()
                    .chain([&result.inertia])
                    .chain(fitted.model().cluster_centers().iter())
                    .chain(fitted.model().inertia().as_ref())
                    .map(|x| x.to_bits())
                    .collect();
                let assigned = fitted.model().assign_all(&table).unwrap();
                (numbers, result.labels, fitted.labels().to_vec(), assigned)
            })
        })
    };
    let one = bits(1);
    assert_eq!(one, bits(2));
    assert_eq!(one, bits(7));
}

/// More rows than one task puts into order.
#[test]
fn any_number_of_threads_puts_rows_into_boxes_alike() {
    let x = blobs(40_000, 3, 60, 78);
    let fit_with = |n_threads: usize, algorithm: Algorithm| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let kmeans = KMeans::new(60).n_init(1).max_iter(12).algorithm(algorithm);
        pool.install(|| fit(&kmeans, x.view(), None))
    };
    let lloyd = fit_with(1, Algorithm::Lloyd);
    for n_threads in [1, 2, 7] {
        for algorithm in [Algorithm::Filter, Algorithm::Auto] {
            assert_eq!(fit_with(n_threads, algorithm), lloyd);
        }
    }
}
