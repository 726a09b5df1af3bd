//! Segments by way of micro-clusters.

use std::ops::ControlFlow;

use segmenta::cluster::hierarchical::micro::Betula;
use segmenta::cluster::hierarchical::{AssignRule, Cut, Hierarchical};
use segmenta::encode::Encoder;
use segmenta::metrics::adjusted_rand_score;
use segmenta::segmenter::{Progress, SegmentIndex};
use segmenta::{Error, ErrorKind, Fit, Segmenter, SegmenterExt};

use super::*;

const RULES: [AssignRule; 2] = [AssignRule::Centroid, AssignRule::NearestMember];

fn rand_score(a: &[usize], b: &[usize]) -> f64 {
    let labels = |x: &[usize]| -> Vec<Option<SegmentIndex>> {
        x.iter().map(|&label| Some(SegmentIndex::new(label as u32))).collect()
    };
    adjusted_rand_score(&labels(a), &labels(b)).unwrap()
}

fn unscaled(cut: Cut) -> Betula {
    Betula::new(cut).encoder(Encoder::unscaled())
}

#[test]
fn planted_groups_are_found() {
    for (p, absorb) in [(2, BOTH[0]), (3, BOTH[1]), (8, BOTH[0])] {
        let (x, planted) = blobs(20_000, p, 6, 21 + p as u64);
        let table = table(x.view(), None);
        for rule in RULES {
            let options = CfOptions::new().max_leaves(400).absorb(absorb);
            let betula = unscaled(Cut::Number(6)).options(options).assignment(rule);
            let fitted = betula.fit(&table).unwrap();
            let labels = indices(fitted.labels());
            assert!(rand_score(&labels, &planted) > 0.98, "{p} {rule:?}");
            let model = fitted.model();
            assert!(model.self_consistency() > 0.99);
            let shares: Vec<f64> =
                model.segments().iter().map(|s| s.share.unwrap()).collect();
            assert!(shares.is_sorted_by(|a, b| a >= b));
            // sizes, centroids and exemplars are those of the labels
            for (c, segment) in model.segments().iter().enumerate() {
                let rows: Vec<usize> =
                    (0..20_000).filter(|&row| labels[row] == c).collect();
                assert_eq!(segment.size, Some(rows.len() as u64));
                let rows_of = x.select(ndarray::Axis(0), &rows);
                let (_, mean, _) = two_passes(rows_of.view(), &vec![1.0; rows.len()]);
                let index = SegmentIndex::new(c as u32);
                let centroid = model.centroid(index).unwrap();
                let square = |row: &[f64]| -> f64 {
                    row.iter().zip(centroid).map(|(x, c)| (x - c) * (x - c)).sum()
                };
                assert!(square(&mean) < 1e-18);
                let exemplar: usize = model.exemplar(index).unwrap().parse().unwrap();
                let least = square(&x.row(exemplar).to_vec());
                assert!(rows_of.rows().into_iter().all(|r| square(&r.to_vec()) >= least));
            }
            // and the self-consistency is what the assignments say
            let assigned = model.assign_all(&table).unwrap();
            let same = assigned.iter().zip(fitted.labels());
            let same = same.filter(|(a, l)| a.segment() == **l).count();
            assert!(near(model.self_consistency(), same as f64 / 20_000.0, 1e-12));
            if rule == AssignRule::NearestMember {
                assert_eq!(same, 20_000);
            }
        }
    }
}

#[test]
fn labels_are_those_of_the_nearest_micro_cluster() {
    let (x, _) = blobs(3000, 3, 5, 2);
    let options = CfOptions::new().max_leaves(150);
    let betula = unscaled(Cut::Number(9)).options(options);
    let data = table(x.view(), None);
    let labels = indices(betula.fit(&data).unwrap().labels());
    let (_, tree) = betula.fit_tree(&data, &mut ()).unwrap();
    assert_eq!(tree, super::tree(x.view(), None, options));
    let micro = tree.micro_clusters();
    let dendrogram = micro.linkage(1 << 30, &mut ()).unwrap();
    let clusters = dendrogram.cut_number(9).unwrap();
    let by_scan: Vec<usize> = x
        .rows()
        .into_iter()
        .map(|row| {
            let square = |at: usize| -> f64 {
                let mean = micro.means();
                row.iter().zip(mean.row(at)).map(|(x, m)| (x - m) * (x - m)).sum()
            };
            let nearest =
                (0..micro.len()).reduce(|a, b| if square(b) < square(a) { b } else { a });
            clusters[nearest.unwrap()]
        })
        .collect();
    assert_eq!(rand_score(&labels, &by_scan), 1.0);
}

#[test]
fn few_distinct_rows_give_what_the_exact_clustering_gives() {
    let x = repeated(700, 250, 3);
    let mut w = weights(700, 5);
    w[13] = 0.0;
    for w in [None, Some(w)] {
        let table = table(x.view(), w);
        for cut in [Cut::Number(7), Cut::Height(2.0), Cut::LargestGap] {
            let exact = Hierarchical::new(cut).encoder(Encoder::unscaled());
            let (exact, micro) =
                (exact.fit(&table).unwrap(), unscaled(cut).fit(&table).unwrap());
            assert_eq!(exact.labels(), micro.labels());
            let (exact, micro) = (exact.model(), micro.model());
            assert_eq!(exact.segments().len(), micro.segments().len());
            for (a, b) in exact.segments().iter().zip(micro.segments()) {
                assert_eq!((&a.id, a.size), (&b.id, b.size));
                assert!(near(a.share.unwrap(), b.share.unwrap(), 1e-12));
            }
            for (a, b) in exact.tree().heights().iter().zip(micro.tree().heights()) {
                assert!(near(*a, b, 1e-9));
            }
        }
    }
}

#[test]
fn a_tree_of_days_gives_a_model_without_rows() {
    let (x, planted) = blobs(6000, 3, 4, 31);
    let all = table(x.view(), None);
    let betula = unscaled(Cut::Number(4)).options(CfOptions::new().max_leaves(300));
    let half = |from: usize| table(x.slice(ndarray::s![from..from + 3000, ..]), None);
    let (encoder, mut tree) = betula.fit_tree(&half(0), &mut ()).unwrap();
    let (_, other) = betula.fit_tree(&half(3000), &mut ()).unwrap();
    tree.merge(&other).unwrap();
    let model = betula.model(encoder.clone(), &tree, &mut ()).unwrap();
    assert!(model.segments().iter().all(|s| s.size.is_none() && s.share.is_some()));
    assert_eq!(model.exemplar(SegmentIndex::new(0)), None);
    assert_eq!(model.self_consistency(), 1.0);
    let assigned = model.assign_all(&all).unwrap();
    let labels: Vec<usize> =
        assigned.iter().map(|a| a.segment().unwrap().get()).collect();
    assert!(rand_score(&labels, &planted) > 0.98);
    let narrow = super::tree(x.slice(ndarray::s![.., ..2]), None, CfOptions::new());
    assert!(betula.model(encoder, &narrow, &mut ()).is_err());
}

#[test]
fn what_cannot_be_is_an_error() {
    let (x, _) = blobs(100, 2, 3, 1);
    let data = table(x.view(), None);
    let small = CfOptions::new().max_leaves(20);
    for (betula, part) in [
        (unscaled(Cut::Number(0)), "n_clusters"),
        (unscaled(Cut::Number(21)).options(small), "n_clusters"),
        (unscaled(Cut::Height(-1.0)), "cut height"),
        (unscaled(Cut::Number(2)).options(CfOptions::new().branching(0)), "branching"),
    ] {
        let error = betula.validate().unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(betula.fit(&data).is_err());
    }
    let many = unscaled(Cut::Number(20)).options(small).fit(&data);
    assert!(
        many.as_ref().map_or_else(Error::is_data, |f| f.model().segments().len() == 20)
    );
    let alike = table(Array2::from_elem((50, 2), 1.0).view(), None);
    let error = unscaled(Cut::Number(2)).fit(&alike).unwrap_err();
    assert!(error.to_string().contains("2 micro-clusters are needed"), "{error}");
    let weightless = table(x.view(), Some(vec![0.0; 100]));
    assert!(unscaled(Cut::Height(1.0)).fit(&weightless).is_err());
    let error = unscaled(Cut::Number(2)).memory_limit(10).fit(&data).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Memory { .. }), "{error}");
    for stop in ["micro-clusters", "linkage", "labels"] {
        let mut observer = |progress: &Progress| {
            let stopped = progress.stage == stop;
            if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let error = unscaled(Cut::Number(2)).fit_with(&data, &mut observer).unwrap_err();
        assert!(error.is_cancelled(), "{stop}: {error}");
    }
    let json = serde_json::to_string(&unscaled(Cut::Number(2)).options(small)).unwrap();
    let back: Betula = serde_json::from_str(&json).unwrap();
    assert_eq!(back, unscaled(Cut::Number(2)).options(small));
}

#[cfg(feature = "rayon")]
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (x, _) = blobs(140_000, 3, 5, 77);
    let w: Vec<f64> = weights(x.nrows(), 3).iter().map(|w| (w - 0.1).max(0.0)).collect();
    let table = table(x.view(), Some(w));
    let bits = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let options = CfOptions::new().max_leaves(300);
            let fitted =
                Betula::new(Cut::Number(12)).options(options).fit(&table).unwrap();
            let saved = segmenta::registry().save(fitted.model()).unwrap();
            (serde_json::to_string(&saved).unwrap(), fitted.labels().to_vec())
        })
    };
    let one = bits(1);
    assert_eq!(one, bits(2));
    assert_eq!(one, bits(7));
}

#[cfg(feature = "testing")]
mod conformance {
    use segmenta::cluster::hierarchical::HierarchicalModel;

    use super::*;

    fn numbers() -> segmenta::data::Table<'static> {
        table(blobs(60, 3, 4, 6).0.view(), None)
    }

    fn model() -> HierarchicalModel {
        let (x, _) = blobs(2000, 3, 4, 6);
        let options = CfOptions::new().max_leaves(100);
        let betula = Betula::new(Cut::Number(4)).options(options);
        let betula = betula.assignment(AssignRule::NearestMember);
        betula.fit(&table(x.view(), None)).unwrap().into_model()
    }

    fn by_member() -> Betula {
        Betula::new(Cut::Number(3)).assignment(AssignRule::NearestMember)
    }

    segmenta::conformance!(fit_numbers, fit: Betula::new(Cut::Number(4)), table: numbers());
    segmenta::conformance!(fit_by_member, fit: by_member(), table: numbers());
    segmenta::conformance!(of_micro_clusters, segmenter: model());
    segmenta::conformance!(saved_micro_clusters, persist: model());
}
