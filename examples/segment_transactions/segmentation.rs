//! The segmentations of the customers that were read.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use segmenta::cluster::hierarchical::{Cut, Hierarchical, HierarchicalModel};
use segmenta::cluster::kmeans::KMeans;
use segmenta::data::{Basis, Date, FeatureSpec, Ids, Schema, Table};
use segmenta::encode::Encoder;
use segmenta::history::{Ledger, LedgerOptions, Occasion, Summary};
use segmenta::metrics::{
    ChoiceTable, Criterion, adjusted_rand_score, choose_n_clusters, silhouette_score,
};
use segmenta::ndarray::ArrayView2;
use segmenta::profile::Profiles;
use segmenta::rfm::{Axis, Rfm};
use segmenta::score::RfmScore;
use segmenta::segmenter::{Fitted, Progress, SegmentIndex};
use segmenta::{Error, Fit, Result, Segmenter, SegmenterExt};
use serde::Serialize;

use super::reader::Transactions;

/// Ward's method looks at all pairs of rows: up to so many, all customers take part.
const WARD_ROWS: usize = 30_000;
/// Beyond that, groups of customers do, made by k-means on so many rows.
const MICRO_ROWS: usize = 50_000;
const MICRO_CLUSTERS: usize = 500;
/// The silhouette looks at all pairs of rows as well.
const SILHOUETTE_ROWS: usize = 20_000;
/// Numbers of segments that are tried.
const TRIED: std::ops::RangeInclusive<usize> = 2..=8;

/// Everything that is said of the customers.
#[derive(Serialize)]
pub(crate) struct Segmentation {
    /// Customers with at least one purchase.
    pub(crate) customers: usize,
    /// Customers who have refunds alone.
    customers_without_purchase: u64,
    /// Axis to score to number of customers.
    pub(crate) rfm: BTreeMap<&'static str, BTreeMap<u32, usize>>,
    /// Name to number of customers.
    pub(crate) named_segments: BTreeMap<String, usize>,
    pub(crate) kmeans: KMeansResult,
    pub(crate) ward: WardResult,
    /// Pair of segmentations to adjusted Rand index; `None` where it is undefined.
    agreement: BTreeMap<&'static str, Option<f64>>,
    /// Sentences about what was done with this data.
    remarks: Vec<String>,
    #[serde(skip)]
    texts: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct KMeansResult {
    pub(crate) k: usize,
    inertia: f64,
    sizes: Vec<usize>,
    /// Mean over `silhouette_rows`; `None` where it is undefined.
    silhouette: Option<f64>,
    silhouette_rows: usize,
    names: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct WardResult {
    pub(crate) k: usize,
    sizes: Vec<usize>,
    /// What took part in the merging: customers, or groups of them.
    merged: usize,
    /// Share of what took part whose place in the tree is where assignment puts it.
    self_consistency: f64,
}

type Labels = Vec<Option<SegmentIndex>>;

/// Segments the customers of `read`, looking back from `as_of`. `watch` hears of long
/// work.
pub(crate) fn segment(
    read: &Transactions,
    as_of: Date,
    mut watch: impl FnMut(&Progress),
) -> Result<Segmentation> {
    let summary = summarise(read, as_of)?;
    let mut remarks = Vec::new();
    let report = summary.report();
    let table = summary.table()?;

    let rfm = Rfm::new();
    let scores = rfm.score_table(&table)?;
    let named = rfm.fit(&table)?;

    let behaviour = behaviour(&summary, &mut remarks)?;
    let encoder = Encoder::new().log1p(["recency", "frequency", "monetary"]);
    let fitted_encoder = encoder.fit(&behaviour)?;
    let rows = fitted_encoder.encode_table(&behaviour)?;
    let shape = (behaviour.len(), fitted_encoder.n_columns());
    let x = ArrayView2::from_shape(shape, &rows).map_err(Error::other)?;

    let mut observer = |progress: &Progress| {
        watch(progress);
        ControlFlow::Continue(())
    };
    let distinct = count_distinct(x);
    let most = (*TRIED.end()).min(distinct.saturating_sub(1));
    let config = |k: usize| KMeans::new(k).n_init(4).seed(1).encoder(encoder.clone());
    let choice = if most >= *TRIED.start() {
        Some(choose_n_clusters(
            x,
            *TRIED.start()..=most,
            &[Criterion::SimplifiedSilhouette, Criterion::CalinskiHarabasz],
            |k| Ok(config(k).fit_matrix(x, None, &mut observer)?.labels),
        )?)
    } else {
        remarks.push(format!(
            "{distinct} different customers: too few to look for segments"
        ));
        None
    };
    let best = |choice: &ChoiceTable| choice.best(Criterion::SimplifiedSilhouette);
    let k = choice.as_ref().and_then(best).unwrap_or(1);
    let kmeans = config(k).fit_with(&behaviour, &mut observer)?;
    let ward = ward(k, &encoder, &behaviour, x, &mut observer, &mut remarks)?;

    let spread = evenly(behaviour.len(), SILHOUETTE_ROWS);
    let silhouette = silhouette(x, kmeans.labels(), &spread);
    let profiles = Profiles::of(&behaviour, kmeans.model().segments(), kmeans.labels())?;
    let named_profiles = Profiles::of(&table, named.model().segments(), named.labels())?;
    let agreement = [
        ("kmeans~ward", adjusted_rand_score(kmeans.labels(), &ward.labels)),
        ("kmeans~rfm", adjusted_rand_score(kmeans.labels(), named.labels())),
        ("rfm~ward", adjusted_rand_score(named.labels(), &ward.labels)),
    ];
    let mut texts = vec![format!("Named segments\n\n{named_profiles}")];
    texts.extend(choice.map(|choice| format!("How many k-means segments?\n\n{choice}")));
    texts.push(format!("k-means segments\n\n{profiles}"));
    Ok(Segmentation {
        customers: behaviour.len(),
        customers_without_purchase: report.customers_without_purchase,
        rfm: histograms(scores.scores()),
        named_segments: sizes_by_name(&named),
        kmeans: KMeansResult {
            k,
            inertia: kmeans.report().objective.unwrap_or(0.0),
            sizes: sizes(kmeans.labels(), kmeans.model().segments().len()),
            silhouette,
            silhouette_rows: spread.len(),
            names: profiles.suggested_names(),
        },
        ward: WardResult {
            k: ward.model.segments().len(),
            sizes: sizes(&ward.labels, ward.model.segments().len()),
            merged: ward.merged,
            self_consistency: ward.model.self_consistency(),
        },
        agreement: agreement.into_iter().map(|(pair, ari)| (pair, ari.ok())).collect(),
        remarks,
        texts,
    })
}

/// One row for each customer with a purchase.
fn summarise(read: &Transactions, as_of: Date) -> Result<Summary> {
    let by_order = !read.orders.is_empty();
    let occasion = if by_order { Occasion::Orders } else { Occasion::Days };
    let mut ledger = Ledger::new(LedgerOptions::new().occasion(occasion))?;
    for record in &read.records {
        let customer = read.customers[record.customer as usize].as_str();
        match record.order {
            Some(order) => {
                let order = u64::from(order);
                ledger.add_order(customer, record.day, record.amount_minor, order)?;
            }
            None => ledger.add(customer, record.day, record.amount_minor)?,
        }
    }
    ledger.summary(as_of)
}

/// The table that k-means and Ward see: money below zero counts as zero, since its
/// logarithm is taken.
fn behaviour(summary: &Summary, remarks: &mut Vec<String>) -> Result<Table<'static>> {
    let schema = Schema::new([
        FeatureSpec::number("recency").unit("days").basis(Basis::Behavioural),
        FeatureSpec::number("frequency").basis(Basis::Behavioural),
        FeatureSpec::number("monetary").basis(Basis::Value),
    ])?;
    let below = summary.report().customers_below_zero;
    if below > 0 {
        remarks.push(format!(
            "{below} customers were refunded more than they paid; for the clusterings \
             their money counts as 0"
        ));
    }
    let money = |minor: i64| minor.max(0) as f64 / 100.0;
    let column = |of: &dyn Fn(&segmenta::history::CustomerSummary<'_>) -> f64| {
        summary.iter().map(|c| of(&c)).collect::<Vec<f64>>()
    };
    let ids: Vec<String> = summary.iter().map(|c| c.id().to_string()).collect();
    Table::builder(&schema, summary.len())
        .numbers("recency", column(&|c| f64::from(c.days_since_last_purchase())))
        .numbers("frequency", column(&|c| c.frequency() as f64))
        .numbers("monetary", column(&|c| money(c.monetary_minor())))
        .ids(Ids::Texts(ids.into()))
        .build()
}

struct Ward {
    model: HierarchicalModel,
    labels: Labels,
    merged: usize,
}

/// Ward's clustering of everyone; or, of very many, in two steps: k-means makes small
/// groups, Ward merges those by their weights, and everyone is assigned.
fn ward(
    k: usize,
    encoder: &Encoder,
    behaviour: &Table<'_>,
    x: ArrayView2<'_, f64>,
    observer: &mut dyn segmenta::segmenter::Observer,
    remarks: &mut Vec<String>,
) -> Result<Ward> {
    let config = Hierarchical::new(Cut::Number(k));
    if behaviour.len() <= WARD_ROWS {
        let config = config.encoder(encoder.clone());
        let (model, labels, _) = config.fit_with(behaviour, observer)?.into_parts();
        return Ok(Ward { model, labels, merged: behaviour.len() });
    }
    let schema =
        Schema::new(["recency", "frequency", "monetary"].map(FeatureSpec::number))?;
    let some = evenly(x.nrows(), MICRO_ROWS);
    let micro = KMeans::new(MICRO_CLUSTERS).n_init(1).max_iter(20).seed(1);
    let result = micro.fit_matrix(
        x.select(segmenta::ndarray::Axis(0), &some).view(),
        None,
        observer,
    )?;
    let mut weights = vec![0.0; result.centers.nrows()];
    for &label in &result.labels {
        weights[label] += 1.0;
    }
    let centers = Table::from_array(&schema, result.centers.view())?;
    let mut groups = Table::builder(&schema, centers.len()).sample_weight(weights);
    for name in ["recency", "frequency", "monetary"] {
        groups = groups.numbers(name, centers.number_view(name)?.to_vec());
    }
    let groups = groups.build()?;
    let fitted = config.encoder(Encoder::unscaled()).fit_with(&groups, observer)?;
    remarks.push(format!(
        "Ward merged {} groups of customers, made by k-means on {} rows; everyone was then \
         assigned to the nearest segment",
        groups.len(),
        some.len()
    ));
    let model = fitted.into_model();
    let encoded = Table::from_array(&schema, x)?;
    let labels = model.assign_all(&encoded)?.iter().map(|a| a.segment()).collect();
    Ok(Ward { model, labels, merged: groups.len() })
}

/// At most `most` of `n` positions, at equal distances.
fn evenly(n: usize, most: usize) -> Vec<usize> {
    if n <= most { (0..n).collect() } else { (0..most).map(|i| i * n / most).collect() }
}

fn count_distinct(x: ArrayView2<'_, f64>) -> usize {
    let rows = x.rows().into_iter();
    let bits = |row: segmenta::ndarray::ArrayView1<'_, f64>| -> Vec<u64> {
        row.iter().map(|value| value.to_bits()).collect()
    };
    rows.map(bits).collect::<std::collections::BTreeSet<_>>().len()
}

fn silhouette(
    x: ArrayView2<'_, f64>,
    labels: &[Option<SegmentIndex>],
    rows: &[usize],
) -> Option<f64> {
    let some = x.select(segmenta::ndarray::Axis(0), rows);
    let labels: Labels = rows.iter().map(|&row| labels[row]).collect();
    silhouette_score(some.view(), &labels).ok()
}

fn histograms(scores: &[RfmScore]) -> BTreeMap<&'static str, BTreeMap<u32, usize>> {
    let mut histograms = BTreeMap::new();
    let axes = [Axis::Recency, Axis::Frequency, Axis::Monetary];
    for score in scores {
        for (axis, value) in axes.iter().zip(score.axes()) {
            let axis: &mut BTreeMap<u32, usize> =
                histograms.entry(axis.name()).or_default();
            *axis.entry(value).or_default() += 1;
        }
    }
    histograms
}

fn sizes(labels: &[Option<SegmentIndex>], n: usize) -> Vec<usize> {
    let mut sizes = vec![0; n];
    for label in labels.iter().flatten() {
        sizes[label.get()] += 1;
    }
    sizes
}

fn sizes_by_name<M: Segmenter>(fitted: &Fitted<M>) -> BTreeMap<String, usize> {
    let segments = fitted.model().segments();
    let sizes = sizes(fitted.labels(), segments.len());
    segments.iter().map(|s| s.name.clone()).zip(sizes).collect()
}

/// The segmentations for people.
impl std::fmt::Display for Segmentation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "\nRFM scores (1 to 5), customers")?;
        for (axis, scores) in &self.rfm {
            write!(f, "  {axis:<10}")?;
            for score in 1..=5 {
                write!(f, "{:>9}", scores.get(&score).copied().unwrap_or(0))?;
            }
            writeln!(f)?;
        }
        for text in &self.texts {
            writeln!(f, "\n{text}")?;
        }
        for (i, name) in self.kmeans.names.iter().enumerate() {
            writeln!(f, "segment {} might be called: {name}", i + 1)?;
        }
        if let Some(silhouette) = self.kmeans.silhouette {
            writeln!(
                f,
                "silhouette {silhouette:.3} on {} rows",
                self.kmeans.silhouette_rows
            )?;
        }
        let ward = &self.ward;
        writeln!(f, "\nWard: {} segments of {:?} customers", ward.k, ward.sizes)?;
        writeln!(f, "\nAgreement (adjusted Rand index)")?;
        for (pair, ari) in &self.agreement {
            match ari {
                Some(ari) => writeln!(f, "  {pair:<14}{ari:>8.3}")?,
                None => writeln!(f, "  {pair:<14} undefined")?,
            }
        }
        for remark in &self.remarks {
            writeln!(f, "note: {remark}")?;
        }
        Ok(())
    }
}
