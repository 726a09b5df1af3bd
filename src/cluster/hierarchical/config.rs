//! The parameters of a hierarchical segmentation.

use serde::{Deserialize, Serialize};

use super::agglomerate::{DEFAULT_MEMORY_LIMIT, check_memory, check_rows, linkage_with};
use super::dendrogram::Dendrogram;
use super::learn::learn;
use super::linkage::Linkage;
use super::model::HierarchicalModel;
use crate::data::Table;
use crate::encode::{Encoder, FittedEncoder};
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::{Fit, Fitted, Observer};

/// Where a dendrogram is cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cut {
    /// So many segments: [`Dendrogram::cut_number`].
    Number(usize),
    /// Segments whose customers are joined at or below this height:
    /// [`Dendrogram::cut_height`].
    Height(f64),
    /// The segments that exist across the widest range of heights:
    /// [`Dendrogram::cut_largest_gap`].
    LargestGap,
}

/// How customers are assigned to the segments of a dendrogram, which itself has no place
/// for those who were not in the training table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AssignRule {
    /// To the segment with the nearest centroid. The model holds one row a segment. Some
    /// training rows are assigned elsewhere than the dendrogram has them.
    #[default]
    Centroid,
    /// To the segment of the nearest training row. Training rows are assigned where the
    /// dendrogram has them, unless equal rows were cut apart. The model holds all training
    /// rows, encoded: it grows with the table, an assignment takes time in proportion to
    /// it, and the saved model contains personal data.
    NearestMember,
}

/// Hierarchical clustering of a table, cut into segments.
///
/// [`Fit::fit`] gives a [`HierarchicalModel`]; its labels are the dendrogram's. The
/// dendrogram itself comes from
/// [`fit_dendrogram`](Hierarchical::fit_dendrogram), or, for a matrix, from
/// [`linkage`](super::linkage()).
///
/// ```
/// use segmenta::Fit;
/// use segmenta::cluster::hierarchical::{Cut, Hierarchical};
/// use segmenta::data::{FeatureSpec, Schema, Table};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::number("basket")])?;
/// let table = Table::builder(&schema, 5)
///     .numbers("orders", &[1.0, 2.0, 1.0, 30.0, 28.0][..])
///     .numbers("basket", &[20.0, 22.0, 19.0, 80.0, 85.0][..])
///     .build()?;
/// let fitted = Hierarchical::new(Cut::Number(2)).fit(&table)?;
/// let labels: Vec<_> = fitted.labels().iter().flatten().map(|label| label.get()).collect();
/// assert_eq!(labels, [0, 0, 0, 1, 1]);
/// assert_eq!(fitted.model().self_consistency(), 1.0);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hierarchical {
    cut: Cut,
    #[serde(default)]
    linkage: Linkage,
    #[serde(default)]
    encoder: Encoder,
    #[serde(default)]
    assignment: AssignRule,
    #[serde(default = "yes")]
    keep_exemplars: bool,
    #[serde(default = "default_memory_limit")]
    memory_limit: u64,
}

fn yes() -> bool {
    true
}

fn default_memory_limit() -> u64 {
    DEFAULT_MEMORY_LIMIT
}

impl Hierarchical {
    /// Ward's linkage on standardised features, new customers to the nearest centroid.
    #[must_use]
    pub fn new(cut: Cut) -> Hierarchical {
        Hierarchical {
            cut,
            linkage: Linkage::default(),
            encoder: Encoder::default(),
            assignment: AssignRule::default(),
            keep_exemplars: true,
            memory_limit: DEFAULT_MEMORY_LIMIT,
        }
    }

    /// How far apart two clusters are.
    #[must_use]
    pub fn linkage(mut self, linkage: Linkage) -> Hierarchical {
        self.linkage = linkage;
        self
    }

    /// How features become the numbers whose distances count.
    #[must_use]
    pub fn encoder(mut self, encoder: Encoder) -> Hierarchical {
        self.encoder = encoder;
        self
    }

    /// How customers are assigned to the segments.
    #[must_use]
    pub fn assignment(mut self, rule: AssignRule) -> Hierarchical {
        self.assignment = rule;
        self
    }

    /// Whether the model keeps, for each segment, the id of the training row nearest to
    /// its centroid. It does unless told otherwise; an id may be personal data.
    #[must_use]
    pub fn keep_exemplars(mut self, keep: bool) -> Hierarchical {
        self.keep_exemplars = keep;
        self
    }

    /// Bytes that the encoded matrix and the linkage may take together; by default
    /// [`DEFAULT_MEMORY_LIMIT`]. [`Linkage::memory`] tells what the linkage needs.
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Hierarchical {
        self.memory_limit = bytes;
        self
    }

    /// The dendrogram of the rows of a table, uncut, and the encoder that made numbers of
    /// them. Its leaves are the rows whose weight is not 0, in the table's order.
    ///
    /// # Errors
    /// As [`Fit::fit`].
    pub fn fit_dendrogram(
        &self,
        table: &Table<'_>,
    ) -> Result<(FittedEncoder, Dendrogram)> {
        self.validate()?;
        let rows = self.encode(table)?;
        let tree = self.tree(&rows, &mut ())?;
        Ok((rows.encoder, tree))
    }

    /// Encodes a table, after a check of the memory that everything together needs.
    fn encode(&self, table: &Table<'_>) -> Result<Rows> {
        let n = table.len();
        let kept: Vec<usize> = match table.sample_weight() {
            Some(weights) => (0..n).filter(|&row| weights[row] > 0.0).collect(),
            None => (0..n).collect(),
        };
        let needed = match self.cut {
            Cut::Number(k) => k,
            Cut::LargestGap => 3,
            Cut::Height(_) => 1,
        };
        if kept.len() < needed {
            let what = "rows of weight above 0".into();
            return Err(ErrorKind::TooFewRows { what, needed, found: kept.len() }.into());
        }
        let encoder = self.encoder.fit(table)?;
        let p = encoder.n_columns();
        if p == 0 {
            let expected = "such that it gives at least one column";
            return Err(Error::parameter("encoder", expected, "one that gives none"));
        }
        let number = size_of::<f64>() as u128;
        let matrices = if kept.len() < n { n + kept.len() } else { n };
        let encoded = matrices as u128 * p as u128 * number;
        check_memory(encoded + self.linkage.memory(kept.len(), p), self.memory_limit)?;
        let all = encoder.encode_table(table)?;
        let weights = match table.sample_weight() {
            Some(weights) => kept.iter().map(|&row| weights[row]).collect(),
            None => vec![1.0; n],
        };
        let mut matrix = all;
        let mut left_out = Vec::new();
        if kept.len() < n {
            let all = matrix;
            let row = |row: usize| &all[row * p..(row + 1) * p];
            matrix = kept.iter().flat_map(|&at| row(at)).copied().collect();
            let mut is_kept = vec![false; n];
            kept.iter().for_each(|&row| is_kept[row] = true);
            left_out = (0..n)
                .filter(|&at| !is_kept[at])
                .map(|at| (at, row(at).to_vec()))
                .collect();
        }
        Ok(Rows { encoder, matrix, kept, weights, left_out })
    }

    fn tree(&self, rows: &Rows, observer: &mut dyn Observer) -> Result<Dendrogram> {
        let shape = (rows.kept.len(), rows.encoder.n_columns());
        let x =
            ndarray::ArrayView2::from_shape(shape, &rows.matrix).map_err(Error::other)?;
        let weights = Some(&rows.weights[..]);
        // again below, but here the columns have names
        let columns = rows.encoder.columns();
        check_rows(x, weights, |j| columns[j].name().to_owned())?;
        linkage_with(x, self.linkage, weights, self.memory_limit, observer)
    }
}

/// The encoded rows of a table.
pub(super) struct Rows {
    pub(super) encoder: FittedEncoder,
    /// The rows that count, row-major.
    pub(super) matrix: Vec<f64>,
    /// Their numbers in the table, ascending.
    pub(super) kept: Vec<usize>,
    /// Their weights, above 0.
    pub(super) weights: Vec<f64>,
    /// The rows of weight 0, with their numbers.
    pub(super) left_out: Vec<(usize, Vec<f64>)>,
}

/// The parameters that the steps after the linkage need.
pub(super) struct Choice {
    pub(super) linkage: Linkage,
    pub(super) assignment: AssignRule,
    pub(super) keep_exemplars: bool,
}

impl Fit for Hierarchical {
    type Model = HierarchicalModel;

    fn validate(&self) -> Result<()> {
        match self.cut {
            Cut::Number(0) => {
                return Err(Error::parameter("n_clusters", "at least 1", 0));
            }
            Cut::Height(height) if !(height.is_finite() && height >= 0.0) => {
                let expected = "finite and not negative";
                return Err(Error::parameter("cut height", expected, height));
            }
            _ => {}
        }
        self.encoder.validate()
    }

    /// Learns the segments. A row of weight 0 has no place in the dendrogram; its label is
    /// its assignment.
    fn fit_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<HierarchicalModel>> {
        self.validate()?;
        let rows = self.encode(table)?;
        let tree = self.tree(&rows, observer)?;
        let labels = match self.cut {
            Cut::Number(k) => tree.cut_number(k)?,
            Cut::Height(height) => tree.cut_height(height)?,
            Cut::LargestGap => tree.cut_largest_gap()?,
        };
        let choice = Choice {
            linkage: self.linkage,
            assignment: self.assignment,
            keep_exemplars: self.keep_exemplars,
        };
        learn(&choice, table, rows, &tree, labels)
    }
}
