//! k-means: scikit-learn's values, a naive twin, properties, hostile input, real data.

// Helpers of tests may unwrap as tests do; clippy allows it in test functions only. The
// real data are named by the environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods)]

mod algorithms;
mod apart;
#[cfg(feature = "testing")]
mod conformance;
mod examples;
mod golden;
mod hostile;
mod minibatch;
mod model;
mod parts;
mod placed;
mod properties;
mod real;
mod saved;
#[cfg(feature = "rayon")]
mod threads;

use segmenta::cluster::kmeans::{Init, KMeans, KMeansModel, KMeansResult};
use segmenta::data::{Customer, FeatureSpec, Schema, Table};
use segmenta::ndarray::{Array2, ArrayView2, Axis};
use segmenta::segmenter::{
    Assignment, Contribution, Fitted, Reason, Scratch, SegmentIndex,
};
use segmenta::{Segmenter, SegmenterExt};

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * (1.0 + a.abs().max(b.abs()))
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    let width = rows.first().map_or(0, Vec::len);
    Array2::from_shape_vec((rows.len(), width), rows.concat()).unwrap()
}

/// Numbers that look random, in [-1, 1), of their own generator.
fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

/// `n` rows around `k` far places, in turn.
fn blobs(n: usize, p: usize, k: usize, seed: u64) -> Array2<f64> {
    let places = noise(k * p, seed + 1000);
    let mut x = Array2::from_shape_vec((n, p), noise(n * p, seed)).unwrap();
    for ((i, j), x) in x.indexed_iter_mut() {
        *x += 8.0 * places[(i % k) * p + j];
    }
    x
}

/// The first rows.
fn head(x: &Array2<f64>, n_rows: usize) -> Array2<f64> {
    x.select(Axis(0), &(0..n_rows).collect::<Vec<_>>())
}

fn from(centers: Array2<f64>) -> KMeans {
    KMeans::new(centers.nrows()).init(Init::Centers(centers))
}

fn fit(kmeans: &KMeans, x: ArrayView2<'_, f64>, w: Option<&[f64]>) -> KMeansResult {
    kmeans.fit_matrix(x, w, &mut ()).unwrap()
}

fn assert_centers_close(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, relative: f64) {
    assert_eq!(a.dim(), b.dim());
    for (a, b) in a.iter().zip(b) {
        assert!(close(*a, *b, relative), "{a} {b}");
    }
}

fn has_note(result: &KMeansResult, code: &str) -> bool {
    result.notes.iter().any(|note| note.code == code)
}

fn number_schema(n: usize) -> Schema {
    Schema::new((0..n).map(|j| FeatureSpec::number(format!("x{j}")))).unwrap()
}

fn weighted<'a>(schema: &Schema, x: &Array2<f64>, w: &'a [f64]) -> Table<'a> {
    let mut builder = Table::builder(schema, x.nrows()).sample_weight(w);
    for (j, column) in x.columns().into_iter().enumerate() {
        builder = builder.numbers(&format!("x{j}"), column.to_vec());
    }
    builder.build().unwrap()
}

/// Shoppers with a number, a category, a flag and an ordinal.
fn shoppers() -> Table<'static> {
    let schema = Schema::new([
        FeatureSpec::number("spend").unit("EUR"),
        FeatureSpec::category("country"),
        FeatureSpec::flag("member"),
        FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]),
    ])
    .unwrap();
    let n = 60;
    let u = noise(n, 4);
    let spend: Vec<f64> =
        (0..n).map(|i| [20.0, 200.0, 900.0][i % 3] + 10.0 * u[i]).collect();
    let code = |i: usize| (i % 3) as u32;
    Table::builder(&schema, n)
        .numbers("spend", spend)
        .categories(
            "country",
            (0..n).map(code).collect::<Vec<_>>(),
            vec!["AT".to_owned(), "DE".to_owned(), "CH".to_owned()],
        )
        .flags("member", (0..n).map(|i| i % 3 == 2).collect::<Vec<_>>())
        .categories(
            "tier",
            (0..n).map(code).collect::<Vec<_>>(),
            vec!["bronze".to_owned(), "silver".to_owned(), "gold".to_owned()],
        )
        .build()
        .unwrap()
}

/// Labels, order, counts and report of a fitted model fit together.
fn check_model(fitted: &Fitted<KMeansModel>, table: &Table<'_>) {
    let model = fitted.model();
    let assigned = model.assign_all(table).unwrap();
    let labels: Vec<_> = assigned.iter().map(Assignment::segment).collect();
    assert_eq!(labels, fitted.labels());

    let k = model.segments().len();
    let weight = |i: usize| table.sample_weight().map_or(1.0, |w| w[i]);
    let total: f64 = (0..table.len()).map(weight).sum();
    let mut last = (f64::INFINITY, Vec::new());
    for c in 0..k {
        let of_c: Vec<usize> = (0..table.len())
            .filter(|&i| labels[i] == Some(SegmentIndex::new(c as u32)))
            .collect();
        let share = of_c.iter().map(|&i| weight(i)).sum::<f64>() / total;
        let segment = &model.segments()[c];
        assert_eq!(segment.id.as_str(), format!("segment-{}", c + 1));
        assert_eq!(segment.size, Some(of_c.len() as u64));
        assert!((segment.share.unwrap() - share).abs() < 1e-12);
        let center = model.cluster_centers().row(c).to_vec();
        if share < last.0 {
            assert!(share <= last.0);
        } else {
            assert!(share - last.0 < 1e-12, "segments are not in order");
            assert!(last.1 <= center, "ties are not in order");
        }
        last = (share, center);
    }

    let rows = model.encoder().encode_table(table).unwrap();
    let rows = rows.chunks_exact(model.encoder().n_columns());
    let mut inertia = 0.0;
    for (i, (row, assigned)) in rows.zip(&assigned).enumerate() {
        let by_row = model.assign_row(row).unwrap();
        assert_eq!(by_row, *assigned);
        inertia += weight(i) * assigned.cost();
    }
    assert!(close(inertia, model.inertia().unwrap(), 1e-12));
    assert_eq!(fitted.report().objective, model.inertia());
    assert_eq!(fitted.report().n_rows, table.len());
}

fn check_explanation(model: &KMeansModel, customer: &dyn Customer) {
    let why = model.explain(customer).unwrap();
    let assigned = model.assign_with(customer, &mut Scratch::new()).unwrap();
    assert_eq!(why.assignment, assigned);
    let Reason::Nearest { costs } = &why.reason else { panic!("{:?}", why.reason) };
    let own = assigned.segment().unwrap().get();
    assert_eq!(costs[own], assigned.cost());
    assert!(costs.iter().all(|&c| c >= assigned.cost()));
    let sum =
        |part: fn(&Contribution) -> f64| why.contributions.iter().map(part).sum::<f64>();
    assert!(why.contributions.iter().all(|c| c.cost >= 0.0));
    assert!(close(sum(|c| c.cost), assigned.cost(), 1e-12));
    match why.runner_up {
        Some(next) => {
            let next = costs[next.get()];
            assert_eq!(next - costs[own], assigned.margin());
            assert!(
                (sum(|c| c.margin) - assigned.margin()).abs() <= 1e-9 * next.max(1.0)
            );
        }
        None => {
            assert_eq!(costs.len(), 1);
            assert_eq!(assigned.margin(), f64::INFINITY);
            assert_eq!(sum(|c| c.margin), 0.0);
        }
    }
    let affinities = {
        let mut out = vec![f64::NAN; costs.len()];
        model.affinities_with(customer, &mut Scratch::new(), &mut out).unwrap();
        out
    };
    assert!((affinities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(affinities.iter().all(|a| (0.0..=affinities[own]).contains(a)));
    // Bezdek's formula, where it can be written down.
    if assigned.cost() > 0.0 {
        for (affinity, cost) in affinities.iter().zip(costs) {
            let sum: f64 = costs.iter().map(|other| cost / other).sum();
            assert!(close(*affinity, 1.0 / sum, 1e-12));
        }
    }
}

/// Lloyd's algorithm as it is told in one sentence, until no centre moves at all. `None`
/// when a cluster loses all of its rows.
fn naive(
    x: &Array2<f64>,
    w: &[f64],
    init: &Array2<f64>,
) -> Option<(Vec<usize>, Vec<Vec<f64>>, f64)> {
    let rows: Vec<Vec<f64>> = x.rows().into_iter().map(|r| r.to_vec()).collect();
    let mut centers: Vec<Vec<f64>> =
        init.rows().into_iter().map(|r| r.to_vec()).collect();
    loop {
        let labels: Vec<usize> = rows.iter().map(|r| nearest(r, &centers).0).collect();
        let mut moved = Vec::new();
        for c in 0..centers.len() {
            let of_c = || (0..rows.len()).filter(|&i| labels[i] == c);
            let weight: f64 = of_c().map(|i| w[i]).sum();
            if weight == 0.0 {
                return None;
            }
            let mean = |j: usize| of_c().map(|i| w[i] * rows[i][j]).sum::<f64>() / weight;
            moved.push((0..x.ncols()).map(mean).collect::<Vec<f64>>());
        }
        if moved == centers {
            let inertia =
                rows.iter().zip(w).map(|(r, w)| w * nearest(r, &centers).1).sum();
            return Some((labels, centers, inertia));
        }
        centers = moved;
    }
}

/// The nearest centre and the squared distance to it.
fn nearest(row: &[f64], centers: &[Vec<f64>]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (c, center) in centers.iter().enumerate() {
        let mut distance = 0.0;
        for j in 0..row.len() {
            distance += (row[j] - center[j]) * (row[j] - center[j]);
        }
        if distance < best.1 {
            best = (c, distance);
        }
    }
    best
}
