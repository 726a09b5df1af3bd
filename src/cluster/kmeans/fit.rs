//! The fit of a table.

use super::super::order::largest_first;
use super::config::{KMeans, KMeansResult};
use super::model::KMeansModel;
use super::prepared::Prepared;
use super::rows::Rows;
use crate::data::Table;
use crate::data::array::row_major;
use crate::encode::FittedEncoder;
use crate::error::{Error, Result};
use crate::segmenter::{Fit, FitReport, Fitted, Observer, Segment, SegmentIndex};

/// Missing values are handled as the [encoder](KMeans::encoder) says.
///
/// Segments are in canonical order: by weight, largest first; of equal weight, by their
/// centres, column by column. A row that is equally near to several centres belongs to
/// the one that comes first.
impl Fit for KMeans {
    type Model = KMeansModel;

    fn validate(&self) -> Result<()> {
        self.check()
    }

    fn fit_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<KMeansModel>> {
        self.check()?;
        let encoder = self.encoder.fit(table)?;
        let data = encoder.encode_table(table)?;
        let shape = (table.len(), encoder.n_columns());
        let rows = Rows::new(&data, shape, table.sample_weight())?;
        let (data, limits) = self.prepare(rows)?;
        let result = self.best_run(&data, limits, observer)?;
        fitted(encoder, &data, result, self.used_seed())
    }
}

/// The model, the labels and the report of what a fit of encoded rows has found.
pub(super) fn fitted(
    encoder: FittedEncoder,
    data: &Prepared<'_, f64>,
    result: KMeansResult,
    seed: Option<u64>,
) -> Result<Fitted<KMeansModel>> {
    let Ordered { centers, labels, inertia, segments } =
        canonical(data, row_major(&result.centers.view()).into_owned());
    let centers = ndarray::Array2::from_shape_vec(result.centers.dim(), centers)
        .map_err(Error::other)?;
    let model = KMeansModel::new(encoder, centers, segments, Some(inertia))?;
    let labels = labels.into_iter().map(|l| Some(SegmentIndex::new(l))).collect();
    let mut report = FitReport::new(data.rows.len());
    report.n_iter = result.n_iter;
    report.converged = result.converged;
    report.objective = Some(inertia);
    report.seed = seed;
    report.notes = result.notes;
    Ok(Fitted::new(model, labels, report))
}

struct Ordered {
    centers: Vec<f64>,
    labels: Vec<u32>,
    inertia: f64,
    segments: Vec<Segment>,
}

/// Brings centres into canonical order and labels the rows by it.
///
/// A row at the same distance from two centres may change its label with the order, and
/// so the sizes change. Such rows go from smaller to larger clusters, which makes the sum
/// of squared sizes grow, so the order settles; the limit is there for rounding.
fn canonical(data: &Prepared<'_, f64>, mut centers: Vec<f64>) -> Ordered {
    let rows = data.rows;
    let p = rows.n_columns();
    let n_clusters = centers.len() / p;
    let mut rounds = 0;
    loop {
        let labels = data.labels(&centers);
        let mut sizes = vec![0_u64; n_clusters];
        let mut weights = vec![0.0; n_clusters];
        for (i, &l) in labels.iter().enumerate() {
            sizes[l as usize] += 1;
            weights[l as usize] += rows.weight(i);
        }
        let center = |c: usize| &centers[c * p..][..p];
        let mut order: Vec<usize> = (0..n_clusters).collect();
        order.sort_by(|&a, &b| {
            largest_first((weights[a], center(a)), (weights[b], center(b)))
        });
        rounds += 1;
        if order.is_sorted() || rounds > 2 * n_clusters + 8 {
            let total: f64 = weights.iter().sum();
            let segments = Segment::numbered(n_clusters)
                .into_iter()
                .zip(sizes.iter().zip(&weights))
                .map(|(segment, (&size, weight))| {
                    segment.counted(size, (weight / total).min(1.0))
                })
                .collect();
            let inertia = data.inertia(&centers, &labels);
            return Ordered { centers, labels, inertia, segments };
        }
        centers = order.iter().flat_map(|&c| center(c).iter().copied()).collect();
    }
}
