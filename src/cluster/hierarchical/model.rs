//! Segments cut from a dendrogram, and how customers are assigned to them.

use super::super::contributions::contributions;
use super::config::AssignRule;
use super::dendrogram::Dendrogram;
use super::linkage::Linkage;
use super::reference::{Near, References};
use crate::data::{Customer, Schema};
use crate::encode::FittedEncoder;
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::{
    Assignment, Capabilities, Contribution, Explanation, Reason, Relabel, Scratch,
    Segment, SegmentIndex, Segmenter, replace_segments,
};

/// Segments cut from a dendrogram, made by [`Hierarchical`](super::Hierarchical).
///
/// The cost of an assignment is the squared Euclidean distance of the encoded customer to
/// the centroid of the segment, or to its nearest member, as the [`AssignRule`] says.
/// Ties go to the first segment.
///
/// The clustering is *transductive*: a dendrogram joins the rows it was made of, and no
/// others. A customer is assigned by a rule that knows the segments, not the merges, and
/// may put a training row elsewhere than the dendrogram did.
/// [`self_consistency`](HierarchicalModel::self_consistency) says how often the two agree.
///
/// Of the dendrogram the model keeps the part above the cut:
/// [`tree`](HierarchicalModel::tree).
///
/// ```
/// use segmenta::cluster::hierarchical::{Cut, Hierarchical};
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema, Table};
/// use segmenta::{Fit, Segmenter, SegmenterExt};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let orders = [1.0, 2.0, 3.0, 20.0, 22.0, 50.0];
/// let table = Table::builder(&schema, 6).numbers("orders", &orders[..]).build()?;
/// let model = Hierarchical::new(Cut::Number(3)).fit(&table)?.into_model();
///
/// let ann = OwnedCustomer::new(&schema, 7_u64).set("orders", 19.0)?;
/// let assignment = model.assign(&ann)?;
/// assert_eq!(model.segment_of(&assignment).map(|s| s.name.as_str()), Some("Segment 2"));
///
/// // segments 1 and 2 merge before segment 3 joins them
/// let last = model.tree().merges()[1];
/// assert_eq!((last.left, last.right), (2, 3));
/// println!("{}", model.explain(&ann)?);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HierarchicalModel(Parts);

/// The content of a model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) encoder: FittedEncoder,
    pub(super) segments: Vec<Segment>,
    pub(super) linkage: Linkage,
    pub(super) assignment: AssignRule,
    pub(super) centroids: References,
    /// The training rows, when the assignment needs them.
    pub(super) members: Option<References>,
    /// For each segment the height at which its rows are joined.
    pub(super) heights: Vec<f64>,
    /// The merges above the cut; its leaves are the segments.
    pub(super) tree: Dendrogram,
    /// For each segment the id of the row nearest to its centroid; empty if not kept.
    pub(super) exemplars: Vec<String>,
    pub(super) self_consistency: f64,
}

impl HierarchicalModel {
    pub(super) fn new(parts: Parts) -> HierarchicalModel {
        HierarchicalModel(parts)
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    pub(super) fn set_self_consistency(&mut self, share: f64) {
        self.0.self_consistency = share;
    }

    pub(super) fn set_exemplars(&mut self, exemplars: Vec<String>) {
        self.0.exemplars = exemplars;
    }

    /// How features become numbers.
    #[must_use]
    pub fn encoder(&self) -> &FittedEncoder {
        &self.0.encoder
    }

    /// The linkage of the dendrogram.
    #[must_use]
    pub fn linkage(&self) -> Linkage {
        self.0.linkage
    }

    /// How customers are assigned.
    #[must_use]
    pub fn assignment_rule(&self) -> AssignRule {
        self.0.assignment
    }

    /// The weighted mean of the encoded rows of a segment: `encoder().n_columns()` numbers.
    #[must_use]
    pub fn centroid(&self, segment: SegmentIndex) -> Option<&[f64]> {
        let known = segment.get() < self.0.segments.len();
        known.then(|| self.0.centroids.point(segment.get()))
    }

    /// The height at which the rows of a segment are joined; 0 for a single row.
    #[must_use]
    pub fn height(&self, segment: SegmentIndex) -> Option<f64> {
        self.0.heights.get(segment.get()).copied()
    }

    /// The height at which a segment is merged with its sibling; `None` for the only
    /// segment.
    #[must_use]
    pub fn parent_height(&self, segment: SegmentIndex) -> Option<f64> {
        let leaf = segment.get();
        let mut merges = self.0.tree.merges().iter();
        merges.find(|m| m.left == leaf || m.right == leaf).map(|m| m.height)
    }

    /// The id of the training row nearest to the centroid of a segment, if kept.
    #[must_use]
    pub fn exemplar(&self, segment: SegmentIndex) -> Option<&str> {
        let id = self.0.exemplars.get(segment.get()).map(String::as_str);
        // a segment of micro-clusters may be nobody's
        id.filter(|id| !id.is_empty())
    }

    /// The dendrogram above the cut. Its leaves are the segments, in their order.
    #[must_use]
    pub fn tree(&self) -> &Dendrogram {
        &self.0.tree
    }

    /// Share of the training weight whose assignment is its label in the dendrogram,
    /// 0 to 1.
    #[must_use]
    pub fn self_consistency(&self) -> f64 {
        self.0.self_consistency
    }

    /// The segment of an encoded customer: `encoder().n_columns()` numbers, as
    /// [`FittedEncoder::encode_customer`] writes them. Allocates nothing.
    ///
    /// # Errors
    /// When the length is wrong, a number is NaN or infinite, or the customer is so far
    /// away that squared distances overflow; the error names the feature.
    pub fn assign_row(&self, row: &[f64]) -> Result<Assignment> {
        self.nearest(row).map(|nearest| nearest.assignment)
    }

    fn references(&self) -> &References {
        self.0.members.as_ref().unwrap_or(&self.0.centroids)
    }

    fn nearest(&self, row: &[f64]) -> Result<Nearest> {
        let width = self.0.encoder.n_columns();
        if row.len() != width {
            return Err(Error::length("the encoded row", width, row.len()));
        }
        let (best, next) = self.references().nearest_two(row);
        let Some(best) = best else { return Err(self.too_far(row)) };
        let margin = match next {
            Some(next) => next.cost - best.cost,
            None if self.0.segments.len() == 1 => f64::INFINITY,
            None => return Err(self.too_far(row)),
        };
        let segment = SegmentIndex::new(best.segment as u32);
        let assignment = Assignment::new(segment, best.cost, margin);
        Ok(Nearest { assignment, best, next })
    }

    /// The error for a row without finite distances.
    #[cold]
    fn too_far(&self, row: &[f64]) -> Error {
        let name = |column: usize| {
            let feature = self.0.encoder.columns()[column].feature();
            let spec = self.0.encoder.schema().features().get(feature.get());
            spec.map_or_else(String::new, |spec| spec.name().to_owned())
        };
        if let Some(at) = row.iter().position(|x| !x.is_finite()) {
            let (feature, found) = (name(at), row[at]);
            return ErrorKind::NonFinite { feature, found, row: None }.into();
        }
        let centroid = self.0.centroids.point(0);
        let away = |at: usize| (row[at] - centroid[at]).abs();
        let farthest =
            (0..row.len()).fold(0, |a, b| if away(b) > away(a) { b } else { a });
        let expected = format!("a `{}` within reach of the segments", name(farthest));
        let found = row[farthest].to_string();
        ErrorKind::Value { expected: expected.into(), found, row: None }.into()
    }

    /// What each feature adds to cost and margin. For the nearest point `a` and that of
    /// the runner-up `b`, column `j` adds `(x_j − a_j)²` and
    /// `(a_j − b_j)(2 x_j − a_j − b_j)`.
    fn contributions(
        &self,
        customer: &dyn Customer,
        row: &[f64],
        nearest: &Nearest,
    ) -> Vec<Contribution> {
        let references = self.references();
        let own = references.point(nearest.best.point);
        let other = nearest.next.map(|next| references.point(next.point));
        let centroid = self.0.centroids.point(nearest.best.segment);
        let of_column = |j: usize| {
            let (x, a) = (row[j], own[j]);
            let margin = other.map_or(0.0, |b| (a - b[j]) * ((x - a) + (x - b[j])));
            ((x - a) * (x - a), margin)
        };
        contributions(&self.0.encoder, customer, centroid, of_column)
    }
}

/// An assignment with the points that it rests on.
struct Nearest {
    assignment: Assignment,
    best: Near,
    next: Option<Near>,
}

impl Segmenter for HierarchicalModel {
    fn schema(&self) -> &Schema {
        self.0.encoder.schema()
    }

    fn segments(&self) -> &[Segment] {
        &self.0.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment> {
        let row = scratch.floats(self.0.encoder.n_columns());
        self.0.encoder.encode_customer(customer, row)?;
        self.assign_row(row)
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let mut row = vec![0.0; self.0.encoder.n_columns()];
        self.0.encoder.encode_customer(customer, &mut row)?;
        let nearest = self.nearest(&row)?;
        let segment = SegmentIndex::new(nearest.best.segment as u32);
        let reason = Reason::Merge {
            height: self.height(segment).unwrap_or(0.0),
            parent_height: self.parent_height(segment),
            exemplar: self.exemplar(segment).map(str::to_owned),
            costs: self.references().costs(&row),
        };
        let mut explanation = Explanation::new(nearest.assignment, reason);
        explanation.runner_up =
            nearest.next.map(|next| SegmentIndex::new(next.segment as u32));
        explanation.contributions = self.contributions(customer, &row, &nearest);
        Ok(explanation.named(&self.0.segments))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .inductive(false)
            .accepts_missing(self.0.encoder.accepts_missing())
    }
}

impl Relabel for HierarchicalModel {
    fn relabel(&mut self, segments: Vec<Segment>) -> Result<()> {
        replace_segments(&mut self.0.segments, segments)
    }
}
