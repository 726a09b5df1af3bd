//! What must hold of any fit, and the naive twin.

use proptest::prelude::*;
use segmenta::cluster::kmeans::{Init, KMeans, KMeansModel};
use segmenta::data::Table;
use segmenta::encode::{Encoder, Scaling};
use segmenta::ndarray::{Array2, Axis};
use segmenta::{ErrorKind, Fit};

use super::*;

prop_compose! {
    /// Rows, positive weights, and the first centres, which are rows.
    fn problem()(n in 2_usize..60, p in 1_usize..6, k in 1_usize..10, seed in 0_u64..1 << 40)
        -> (Array2<f64>, Vec<f64>, Array2<f64>) {
        let x = blobs(n, p, 4, seed);
        let w = noise(n, seed + 7).into_iter().map(|w| w + 1.5).collect();
        let init = head(&x, k.min(n));
        (x, w, init)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn the_fit_is_that_of_the_naive_twin((x, w, init) in problem()) {
        for w in [w.clone(), vec![1.0; w.len()]] {
            if let Some((labels, centers, inertia)) = naive(&x, &w, &init) {
                let result = fit(&from(init.clone()).tol(0.0), x.view(), Some(&w));
                prop_assert!(result.converged);
                prop_assert_eq!(&result.labels, &labels);
                assert_centers_close(result.centers.view(), matrix(&centers).view(), 1e-12);
                prop_assert!(close(result.inertia, inertia, 1e-12));
            }
        }
    }

    #[test]
    fn absent_weights_are_ones((x, w, init) in problem()) {
        let kmeans = from(init);
        let ones = vec![1.0; w.len()];
        prop_assert_eq!(
            fit(&kmeans, x.view(), None),
            fit(&kmeans, x.view(), Some(&ones))
        );
    }

    #[test]
    fn a_translation_moves_the_centres_and_nothing_else(
        (x, w, init) in problem(), by in -1e5..1e5_f64,
    ) {
        let plain = fit(&from(init.clone()), x.view(), Some(&w));
        let moved = fit(&from(&init + by), (&x + by).view(), Some(&w));
        prop_assert_eq!(&plain.labels, &moved.labels);
        prop_assert_eq!(plain.n_iter, moved.n_iter);
        assert_centers_close((&plain.centers + by).view(), moved.centers.view(), 1e-12);
        prop_assert!(close(plain.inertia, moved.inertia, 1e-9));
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter((x, w, init) in problem()) {
        let n = x.nrows();
        let reversed: Vec<usize> = (0..n).rev().collect();
        let plain = fit(&from(init.clone()), x.view(), Some(&w));
        let backwards: Vec<f64> = reversed.iter().map(|&i| w[i]).collect();
        let turned =
            fit(&from(init), x.select(Axis(0), &reversed).view(), Some(&backwards));
        let labels: Vec<usize> = reversed.iter().map(|&i| turned.labels[i]).collect();
        prop_assert_eq!(&plain.labels, &labels);
        assert_centers_close(plain.centers.view(), turned.centers.view(), 1e-12);
        prop_assert!(close(plain.inertia, turned.inertia, 1e-12));
    }

    #[test]
    fn a_weight_counts_like_repeated_rows((x, _, init) in problem(), seed in 0_u64..99) {
        let counts: Vec<usize> =
            noise(x.nrows(), seed).iter().map(|u| (u * 2.0 + 2.0) as usize).collect();
        // The first centres must be among the rows.
        let counts: Vec<usize> = counts
            .iter()
            .enumerate()
            .map(|(i, &c)| if i < init.nrows() { c.max(1) } else { c })
            .collect();
        let repeated: Vec<usize> =
            (0..x.nrows()).flat_map(|i| std::iter::repeat_n(i, counts[i])).collect();
        let weights: Vec<f64> = counts.iter().map(|&c| c as f64).collect();
        let kmeans = from(init).tol(0.0);
        let weighted = fit(&kmeans, x.view(), Some(&weights));
        let plain = fit(&kmeans, x.select(Axis(0), &repeated).view(), None);
        assert_centers_close(weighted.centers.view(), plain.centers.view(), 1e-12);
        prop_assert!(close(weighted.inertia, plain.inertia, 1e-12));
        for (at, &i) in repeated.iter().enumerate() {
            prop_assert_eq!(plain.labels[at], weighted.labels[i]);
        }
    }

    #[test]
    fn more_runs_are_never_worse((x, w, init) in problem(), seed in 0_u64..999) {
        for init_by in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random] {
            let kmeans = KMeans::new(init.nrows()).init(init_by).seed(seed);
            let mut last = f64::INFINITY;
            for n_init in [1, 2, 5, 9] {
                let inertia = fit(&kmeans.clone().n_init(n_init), x.view(), Some(&w)).inertia;
                prop_assert!(inertia <= last);
                last = inertia;
            }
        }
    }

    #[test]
    fn a_model_is_canonical_and_assigns_its_rows_as_labelled(
        (x, w, init) in problem(), scaled in any::<bool>(),
    ) {
        let schema = number_schema(x.ncols());
        let table = weighted(&schema, &x, &w);
        let scaling = if scaled { Scaling::Standard } else { Scaling::None };
        let kmeans = KMeans::new(init.nrows())
            .n_init(2)
            .encoder(Encoder::new().scaling(scaling));
        let fitted = kmeans.fit(&table).unwrap();
        check_model(&fitted, &table);
    }

    /// Whole numbers have many ties: rows between two centres, equal sizes.
    #[test]
    fn ties_do_not_break_order_or_labels(
        cells in prop::collection::vec(0_u8..4, 12..60), k in 1_usize..6,
    ) {
        let n = cells.len() / 2;
        let cells = cells[..n * 2].iter().map(|&c| f64::from(c)).collect();
        let x = Array2::from_shape_vec((n, 2), cells).unwrap();
        let schema = number_schema(2);
        let table = Table::from_array(&schema, x.view()).unwrap();
        let kmeans = KMeans::new(k).n_init(3).encoder(Encoder::unscaled());
        match kmeans.fit(&table) {
            Ok(fitted) => check_model(&fitted, &table),
            Err(e) => assert!(matches!(e.kind(), ErrorKind::TooFewRows { .. }), "{e}"),
        }
    }

    #[test]
    fn explanations_add_up((x, _, init) in problem()) {
        let schema = number_schema(x.ncols());
        let table = Table::from_array(&schema, x.view()).unwrap();
        let encoder = Encoder::new().fit(&table).unwrap();
        let centers = encoder.encode_table(&Table::from_array(&schema, init.view()).unwrap());
        let centers = Array2::from_shape_vec(init.dim(), centers.unwrap()).unwrap();
        let model = KMeansModel::from_centers(encoder, centers).unwrap();
        for row in table.rows() {
            check_explanation(&model, &row);
        }
    }
}
