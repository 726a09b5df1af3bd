//! A fitted k-means segmentation.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::super::contributions::contributions;
use super::nearest::{Lanes, Nearest};
use super::predict::Batch;
use crate::data::array::row_major;
use crate::data::{Customer, Schema};
use crate::encode::{EncoderRepr, FittedEncoder};
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::{
    Assignment, Capabilities, Explanation, Persist, Reason, Registry, Relabel, Scratch,
    Segment, SegmentIndex, Segmenter, check_affinities_len, check_segments,
    replace_segments,
};

/// Centres in encoded columns, one for each segment: a customer belongs to the nearest,
/// of several equally near to the first.
///
/// An assignment's cost is the squared distance to the centre. There are three speeds:
/// [`assign_with`](Segmenter::assign_with) reads and encodes a customer;
/// [`assign_row`](KMeansModel::assign_row) takes values that are already encoded, and
/// [`assign_matrix`](KMeansModel::assign_matrix) many rows of them.
///
/// ```
/// use segmenta::cluster::kmeans::KMeansModel;
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::encode::FittedEncoder;
/// use segmenta::ndarray::array;
/// use segmenta::{Segmenter, SegmenterExt};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::number("spend")])?;
/// let encoder = FittedEncoder::identity(&schema)?;
/// let model = KMeansModel::from_centers(encoder, array![[1.0, 20.0], [9.0, 80.0]])?;
///
/// let ann = OwnedCustomer::new(&schema, 1).set("orders", 2.0)?.set("spend", 20.0)?;
/// let assigned = model.assign(&ann)?;
/// assert_eq!(model.segment_of(&assigned).map(|s| s.name.as_str()), Some("Segment 1"));
/// assert_eq!((assigned.cost(), assigned.margin()), (1.0, 3648.0));
/// assert_eq!(model.assign_row(&[2.0, 20.0])?, assigned);
///
/// let why = model.explain(&ann)?;
/// assert_eq!(why.contributions[1].margin, 3600.0); // `spend` decides
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansModel {
    encoder: FittedEncoder,
    centers: Array2<f64>,
    segments: Vec<Segment>,
    inertia: Option<f64>,
    /// The centres once more, laid out for speed.
    lanes: Lanes,
    /// And once more, for many rows at once.
    batch: Batch,
}

impl KMeansModel {
    /// A model of centres that were computed elsewhere, shape
    /// `(n_clusters, encoder.n_columns())`, in the order given. Its segments are numbered
    /// and not counted.
    ///
    /// # Errors
    /// When there is no centre or no column, the numbers of columns differ, or a centre
    /// is not finite.
    pub fn from_centers(
        encoder: FittedEncoder,
        centers: Array2<f64>,
    ) -> Result<KMeansModel> {
        let segments = Segment::numbered(centers.nrows());
        KMeansModel::new(encoder, centers, segments, None)
    }

    pub(super) fn new(
        encoder: FittedEncoder,
        centers: Array2<f64>,
        segments: Vec<Segment>,
        inertia: Option<f64>,
    ) -> Result<KMeansModel> {
        let (n_clusters, n_columns) = centers.dim();
        if n_clusters == 0 || u32::try_from(n_clusters).is_err() {
            let expected = "at least 1 row and at most 2^32 - 1 rows";
            return Err(Error::parameter("centers", expected, n_clusters));
        }
        if n_columns != encoder.n_columns() {
            let what = "the second axis of the centers";
            return Err(Error::length(what, encoder.n_columns(), n_columns));
        }
        if n_columns == 0 {
            return Err(Error::parameter("centers", "a matrix with columns", "without"));
        }
        if let Some(x) = centers.iter().find(|x| !x.is_finite()) {
            return Err(Error::parameter("centers", "finite", x));
        }
        if segments.len() != n_clusters {
            return Err(Error::length(
                "the list of segments",
                n_clusters,
                segments.len(),
            ));
        }
        check_segments(&segments)?;
        let view = centers.view();
        let flat = row_major(&view);
        let lanes = Lanes::new(&flat, n_columns);
        let batch = Batch::new(&flat, n_columns);
        Ok(KMeansModel { encoder, centers, segments, inertia, lanes, batch })
    }

    /// The centres, shape `(n_clusters, n_columns)`, in the order of the segments, in
    /// encoded columns: [`encoder`](KMeansModel::encoder) decodes them.
    #[must_use]
    pub fn cluster_centers(&self) -> ArrayView2<'_, f64> {
        self.centers.view()
    }

    /// Sum of the weighted squared distances of the training rows to their centres;
    /// `None` for a model [`from_centers`](KMeansModel::from_centers).
    #[must_use]
    pub fn inertia(&self) -> Option<f64> {
        self.inertia
    }

    /// How customers become rows of numbers.
    #[must_use]
    pub fn encoder(&self) -> &FittedEncoder {
        &self.encoder
    }

    /// The segment of one encoded row, of `encoder().n_columns()` numbers. It equals
    /// [`assign_with`](Segmenter::assign_with) on the customer, but skips reading and
    /// encoding; it allocates nothing.
    ///
    /// # Errors
    /// When the row has another length, holds NaN or an infinity, or is so far away that
    /// a squared distance overflows.
    #[inline]
    pub fn assign_row(&self, x: &[f64]) -> Result<Assignment> {
        Ok(self.assignment(&self.nearest(x)?))
    }

    #[inline]
    fn nearest(&self, x: &[f64]) -> Result<Nearest> {
        if x.len() != self.centers.ncols() {
            return Err(Error::length("the encoded row", self.centers.ncols(), x.len()));
        }
        let nearest = self.lanes.nearest(x);
        if nearest.total.is_finite() { Ok(nearest) } else { Err(self.not_finite(x)) }
    }

    #[inline]
    fn assignment(&self, nearest: &Nearest) -> Assignment {
        let segment = SegmentIndex::new(nearest.index as u32);
        Assignment::new(segment, nearest.cost, nearest.next_cost - nearest.cost)
    }

    /// The error for a row whose distances are not all finite.
    #[cold]
    pub(super) fn not_finite(&self, x: &[f64]) -> Error {
        let spec = |j: usize| &self.schema().features()[self.column_feature(j)];
        if let Some(j) = x.iter().position(|x| !x.is_finite()) {
            return spec(j).non_finite(x[j], None);
        }
        let largest =
            (0..x.len()).fold(0, |a, b| if x[b].abs() > x[a].abs() { b } else { a });
        let name = spec(largest).name();
        ErrorKind::Value {
            expected: format!(
                "a `{name}` so near to the centres that squared distances are finite"
            )
            .into(),
            found: format!("{:e}", x[largest]),
            row: None,
        }
        .into()
    }

    /// The centres as they are laid out for a batch and for one row.
    pub(super) fn layouts(&self) -> (&Batch, &Lanes) {
        (&self.batch, &self.lanes)
    }

    /// Position of the feature that an encoded column belongs to.
    fn column_feature(&self, column: usize) -> usize {
        self.encoder.columns()[column].feature().get()
    }

    /// Encodes a customer into `scratch` and finds her nearest centre.
    fn encode<'s>(
        &self,
        customer: &dyn Customer,
        scratch: &'s mut Scratch,
    ) -> Result<(&'s [f64], Nearest)> {
        let row = scratch.floats(self.encoder.n_columns());
        self.encoder.encode_customer(customer, row)?;
        let nearest = self.nearest(row)?;
        Ok((row, nearest))
    }
}

impl Segmenter for KMeansModel {
    fn schema(&self) -> &Schema {
        self.encoder.schema()
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment> {
        let (_, nearest) = self.encode(customer, scratch)?;
        Ok(self.assignment(&nearest))
    }

    /// A feature's contribution is the sum over its encoded columns: to the cost,
    /// `(xⱼ − aⱼ)²`; to the margin, `(xⱼ − bⱼ)² − (xⱼ − aⱼ)² = (aⱼ − bⱼ)(2xⱼ − aⱼ − bⱼ)`,
    /// where `a` is the centre of the segment and `b` that of the runner-up.
    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let mut scratch = Scratch::new();
        let (row, nearest) = self.encode(customer, &mut scratch)?;
        let mut costs = vec![0.0; self.segments.len()];
        self.lanes.distances(row, &mut costs);
        let runner_up = (0..costs.len())
            .filter(|&c| c != nearest.index)
            .reduce(|a, b| if costs[b] < costs[a] { b } else { a });
        let own = self.centers.row(nearest.index);
        let next = runner_up.map(|c| self.centers.row(c));
        let of_column = |j: usize| {
            let (x, a) = (row[j], own[j]);
            let margin = next.map_or(0.0, |b| (a - b[j]) * (2.0 * x - a - b[j]));
            ((x - a) * (x - a), margin)
        };
        let contributions =
            contributions(&self.encoder, customer, &own.to_vec(), of_column);
        let mut explanation =
            Explanation::new(self.assignment(&nearest), Reason::Nearest { costs });
        explanation.runner_up = runner_up.map(|c| SegmentIndex::new(c as u32));
        explanation.contributions = contributions;
        Ok(explanation.named(&self.segments))
    }

    /// The degree of membership of fuzzy c-means with exponent 2 (Bezdek 1981, §11):
    /// `1 / Σₗ (dⱼ² / dₗ²)`, where `d` is the distance to a centre. The degrees sum to 1.
    /// A customer at a centre belongs to it alone, or equally to all centres at that
    /// place.
    fn affinities_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        check_affinities_len(self.segments.len(), out)?;
        let (row, nearest) = self.encode(customer, scratch)?;
        self.lanes.distances(row, out);
        // Each is compared with the least, so that the nearest has exactly the largest.
        let least = nearest.cost;
        for x in out.iter_mut() {
            *x = if *x == least { 1.0 } else { least / *x };
        }
        let sum: f64 = out.iter().sum();
        out.iter_mut().for_each(|x| *x /= sum);
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().accepts_missing(self.encoder.accepts_missing())
    }
}

impl Relabel for KMeansModel {
    fn relabel(&mut self, segments: Vec<Segment>) -> Result<()> {
        replace_segments(&mut self.segments, segments)
    }
}

/// The shape of a saved [`KMeansModel`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeansRepr {
    encoder: EncoderRepr,
    centers: Vec<Vec<f64>>,
    segments: Vec<Segment>,
    inertia: Option<f64>,
}

impl Persist for KMeansModel {
    const KIND: &'static str = "segmenta.kmeans";
    const VERSION: u32 = 1;
    type Repr = KMeansRepr;

    fn to_repr(&self, _: &Registry) -> Result<KMeansRepr> {
        Ok(KMeansRepr {
            encoder: self.encoder.to_repr(),
            centers: self.centers.rows().into_iter().map(|row| row.to_vec()).collect(),
            segments: self.segments.clone(),
            inertia: self.inertia,
        })
    }

    fn from_repr(repr: KMeansRepr, schema: Schema, _: &Registry) -> Result<KMeansModel> {
        let corrupt = |reason: String| Error::corrupt(Self::KIND, reason);
        let encoder = FittedEncoder::from_repr(repr.encoder, schema, Self::KIND)?;
        let shape = (repr.centers.len(), encoder.n_columns());
        if let Some(center) = repr.centers.iter().find(|c| c.len() != shape.1) {
            let (found, needed) = (center.len(), shape.1);
            let reason =
                format!("a center has {found} values, but there are {needed} columns");
            return Err(corrupt(reason));
        }
        if let Some(inertia) = repr.inertia
            && !(inertia.is_finite() && inertia >= 0.0)
        {
            return Err(corrupt(format!("the inertia is {inertia}")));
        }
        let flat = repr.centers.into_iter().flatten().collect();
        let centers =
            Array2::from_shape_vec(shape, flat).map_err(|e| corrupt(e.to_string()))?;
        KMeansModel::new(encoder, centers, repr.segments, repr.inertia)
            .map_err(|e| corrupt(e.to_string()))
    }
}
