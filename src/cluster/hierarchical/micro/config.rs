//! Hierarchical segments by way of micro-clusters: the parameters.

use serde::{Deserialize, Serialize};

use super::super::agglomerate::DEFAULT_MEMORY_LIMIT;
use super::super::config::{AssignRule, Cut};
use super::super::dendrogram::Dendrogram;
use super::super::model::HierarchicalModel;
use super::clusters::MicroClusters;
use super::learn::{Choice, Encoding, label_rows, of_tree};
use super::options::CfOptions;
use super::tree::CfTree;
use crate::data::Table;
use crate::encode::{Encoder, FittedEncoder};
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::{Fit, Fitted, Observer, Progress, report_progress};

/// Ward's hierarchical clustering of a table of any length, by way of micro-clusters, cut
/// into segments. BETULA is the name that Lang & Schubert (2020) gave to such trees of
/// micro-clusters.
///
/// 1. The encoded rows go through a [`CfTree`], in the order of the table.
/// 2. The micro-clusters are merged by Ward's linkage, with their weights
///    ([`MicroClusters::linkage`]), and the dendrogram is cut.
/// 3. One pass over all rows gives each the segment of its nearest micro-cluster (Euclidean
///    distance; of equally near ones that of the first segment).
///
/// The result is a [`HierarchicalModel`] whose [linkage](HierarchicalModel::linkage) is
/// Ward's. Of the rules of assignment, [`AssignRule::Centroid`] takes the means of the rows
/// of the segments, and [`AssignRule::NearestMember`] the means of the *micro-clusters*,
/// grouped by segment: with it a customer is assigned as a training row is labelled, and
/// the model holds micro-clusters in place of rows.
///
/// Time is proportional to the number of rows, with the square of
/// [`max_leaves`](CfOptions::max_leaves) beside it. Rows are encoded in blocks and not kept:
/// beyond the labels, memory depends on `max_leaves` and the number of columns alone.
///
/// When the distinct rows are no more than `max_leaves` and the threshold is 0, there is
/// one micro-cluster for each, and the dendrogram is that of
/// [`Hierarchical`](super::super::Hierarchical) above height 0. Otherwise the segments
/// depend on the order of the rows, in so far as micro-clusters do; a table that is sorted
/// by one of its features is as good as any other. [`Cut::Number`] needs a number well
/// below `max_leaves`.
///
/// ```
/// use segmenta::{Fit, Segmenter};
/// use segmenta::cluster::hierarchical::Cut;
/// use segmenta::cluster::hierarchical::micro::{Betula, CfOptions};
/// use segmenta::data::{FeatureSpec, Schema, Table};
///
/// // 3000 customers around three places
/// let orders: Vec<f64> = (0..3000).map(|i| [2.0, 15.0, 40.0][i % 3] + (i % 7) as f64 / 7.0).collect();
/// let basket: Vec<f64> = (0..3000).map(|i| [80.0, 20.0, 50.0][i % 3] + (i % 11) as f64 / 5.0).collect();
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::number("basket")])?;
/// let table = Table::builder(&schema, 3000)
///     .numbers("orders", orders)
///     .numbers("basket", basket)
///     .build()?;
///
/// let betula = Betula::new(Cut::Number(3)).options(CfOptions::new().max_leaves(64));
/// let fitted = betula.fit(&table)?;
/// let sizes: Vec<_> = fitted.model().segments().iter().map(|s| s.size).collect();
/// assert_eq!(sizes, [Some(1000); 3]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Betula {
    cut: Cut,
    #[serde(default)]
    options: CfOptions,
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

/// Rows that are encoded before they go into the tree, one after the other.
const WAVE: usize = 1 << 16;

impl Betula {
    /// Standardised features, up to 4096 micro-clusters, new customers to the nearest
    /// centroid.
    #[must_use]
    pub fn new(cut: Cut) -> Betula {
        Betula {
            cut,
            options: CfOptions::default(),
            encoder: Encoder::default(),
            assignment: AssignRule::default(),
            keep_exemplars: true,
            memory_limit: DEFAULT_MEMORY_LIMIT,
        }
    }

    /// How the tree of micro-clusters grows.
    #[must_use]
    pub fn options(mut self, options: CfOptions) -> Betula {
        self.options = options;
        self
    }

    /// How features become the numbers whose distances count.
    #[must_use]
    pub fn encoder(mut self, encoder: Encoder) -> Betula {
        self.encoder = encoder;
        self
    }

    /// How customers are assigned to the segments.
    #[must_use]
    pub fn assignment(mut self, rule: AssignRule) -> Betula {
        self.assignment = rule;
        self
    }

    /// Whether the model keeps, for each segment, the id of the training row nearest to
    /// its centroid. It does unless told otherwise; an id may be personal data.
    #[must_use]
    pub fn keep_exemplars(mut self, keep: bool) -> Betula {
        self.keep_exemplars = keep;
        self
    }

    /// Bytes that the linkage of the micro-clusters may take; by default
    /// [`DEFAULT_MEMORY_LIMIT`].
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Betula {
        self.memory_limit = bytes;
        self
    }

    /// The tree of the rows of a table, and the encoder that made numbers of them. A host
    /// may keep both, go on with [`CfTree::insert`] or [`CfTree::merge`] on rows that the
    /// same encoder encoded, and ask for a [`model`](Betula::model) at any time.
    ///
    /// ```
    /// use segmenta::cluster::hierarchical::Cut;
    /// use segmenta::cluster::hierarchical::micro::Betula;
    /// use segmenta::data::{FeatureSpec, Schema, Table};
    /// use segmenta::{Segmenter, SegmenterExt};
    ///
    /// let schema = Schema::new([FeatureSpec::number("orders")])?;
    /// let day = |orders: Vec<f64>| {
    ///     Table::builder(&schema, orders.len()).numbers("orders", orders).build()
    /// };
    /// let (monday, tuesday) = (day(vec![1.0, 2.0, 30.0])?, day(vec![29.0, 90.0, 91.0])?);
    ///
    /// let betula = Betula::new(Cut::Number(3));
    /// let (encoder, mut tree) = betula.fit_tree(&monday, &mut ())?;
    /// let rows = encoder.encode_table(&tuesday)?;
    /// rows.iter().try_for_each(|x| tree.insert(&[*x], 1.0))?;
    /// let model = betula.model(encoder, &tree, &mut ())?;
    /// let segments = model.assign_all(&tuesday)?;
    /// assert_eq!(segments[1].segment(), segments[2].segment());
    /// assert_ne!(segments[0].segment(), segments[1].segment());
    /// assert!(model.segments().iter().all(|s| s.share == Some(1.0 / 3.0)));
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Fit::fit`], but for those of the cut.
    pub fn fit_tree(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(FittedEncoder, CfTree)> {
        self.validate()?;
        let encoder = self.encoder.fit(table)?;
        if encoder.n_columns() == 0 {
            let expected = "such that it gives at least one column";
            return Err(Error::parameter("encoder", expected, "one that gives none"));
        }
        let tree = self.grow(&Encoding::new(&encoder, table)?, observer)?;
        Ok((encoder, tree))
    }

    fn grow(&self, rows: &Encoding<'_>, observer: &mut dyn Observer) -> Result<CfTree> {
        let mut tree = CfTree::new(rows.n_columns(), self.options)?;
        let n = rows.len();
        let columns = rows.encoder().columns();
        let name = |j: usize| format!("`{}`", columns[j].name());
        let mut matrix = Vec::new();
        let mut start = 0;
        while start < n {
            report_progress(observer, &Progress::new("micro-clusters", start, n))?;
            let end = (start + WAVE).min(n);
            rows.encode_all(start..end, &mut matrix)?;
            let weights = rows.weights().map(|weights| &weights[start..end]);
            tree.insert_block(&matrix, weights, start, &name)?;
            start = end;
        }
        report_progress(observer, &Progress::new("micro-clusters", n, n))?;
        Ok(tree)
    }

    /// The segments of a tree alone, without a look at any row: shares are those of the
    /// micro-clusters' weights, the self-consistency too; sizes and exemplars are not
    /// known.
    ///
    /// # Errors
    /// When a parameter is out of its range; when the tree has other columns than the
    /// encoder or fewer micro-clusters than the cut needs; when the linkage needs more than
    /// the [memory limit](Betula::memory_limit); when the observer breaks.
    pub fn model(
        &self,
        encoder: FittedEncoder,
        tree: &CfTree,
        observer: &mut dyn Observer,
    ) -> Result<HierarchicalModel> {
        self.validate()?;
        if tree.n_columns() != encoder.n_columns() {
            let what = "the columns of the tree";
            return Err(Error::length(what, encoder.n_columns(), tree.n_columns()));
        }
        let micro = tree.micro_clusters();
        let (dendrogram, labels) = self.cut(&micro, observer)?;
        of_tree(self.choice(), encoder, &micro, &dendrogram, labels)
    }

    /// The dendrogram of the micro-clusters, and their clusters.
    fn cut(
        &self,
        micro: &MicroClusters,
        observer: &mut dyn Observer,
    ) -> Result<(Dendrogram, Vec<usize>)> {
        let needed = match self.cut {
            Cut::Number(k) => k,
            Cut::LargestGap => 3,
            Cut::Height(_) => 1,
        };
        if micro.len() < needed {
            let (what, found) = ("micro-clusters".into(), micro.len());
            return Err(ErrorKind::TooFewRows { what, needed, found }.into());
        }
        let tree = micro.linkage(self.memory_limit, observer)?;
        let labels = match self.cut {
            Cut::Number(k) => tree.cut_number(k)?,
            Cut::Height(height) => tree.cut_height(height)?,
            Cut::LargestGap => tree.cut_largest_gap()?,
        };
        Ok((tree, labels))
    }

    fn choice(&self) -> Choice {
        let (assignment, keep_exemplars) = (self.assignment, self.keep_exemplars);
        Choice { assignment, keep_exemplars }
    }
}

impl Fit for Betula {
    type Model = HierarchicalModel;

    fn validate(&self) -> Result<()> {
        self.options.check()?;
        match self.cut {
            Cut::Number(k) if k == 0 || k > self.options.limit() => {
                let expected = format!("between 1 and {}", self.options.limit());
                return Err(Error::parameter("n_clusters", expected, k));
            }
            Cut::Height(height) if !(height.is_finite() && height >= 0.0) => {
                let expected = "finite and not negative";
                return Err(Error::parameter("cut height", expected, height));
            }
            _ => {}
        }
        self.encoder.validate()
    }

    /// Learns the segments. A row of weight 0 has no part in them; its label is its
    /// assignment.
    fn fit_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<HierarchicalModel>> {
        let (encoder, tree) = self.fit_tree(table, observer)?;
        let micro = tree.micro_clusters();
        let (dendrogram, labels) = self.cut(&micro, observer)?;
        let choice = self.choice();
        label_rows(choice, table, encoder, &tree, (&dendrogram, labels), observer)
    }
}
