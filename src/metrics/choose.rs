//! Several numbers of segments side by side.

use std::fmt;

use ndarray::ArrayView2;
use serde::Serialize;

use super::contingency::ContingencyTable;
use super::dispersion::{calinski_harabasz_of, davies_bouldin_of, inertia_of};
use super::dunn::dunn_of;
use super::information::AverageMethod;
use super::labels::Encoded;
use super::points::{Groups, Points};
use super::silhouette::{silhouette_of, simplified_silhouette_of};
use crate::error::{Error, ErrorKind, Result};

/// A score that can be compared over numbers of segments: an internal one, or the
/// agreement with a reference segmentation (see [`choose_n_clusters_against`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Criterion {
    /// [`inertia`](super::inertia). It falls with every segment that is added, so that no
    /// number of segments is best by it: read where it stops falling steeply.
    Inertia,
    /// [`silhouette_score`](super::silhouette_score), more is better.
    Silhouette,
    /// [`simplified_silhouette`](super::simplified_silhouette), more is better.
    SimplifiedSilhouette,
    /// [`calinski_harabasz_score`](super::calinski_harabasz_score), more is better.
    CalinskiHarabasz,
    /// [`davies_bouldin_score`](super::davies_bouldin_score), less is better.
    DaviesBouldin,
    /// [`dunn_index`](super::dunn_index), more is better.
    Dunn,
    /// [`adjusted_rand_score`](super::adjusted_rand_score) with the reference, more is
    /// better.
    AdjustedRand,
    /// [`adjusted_mutual_info_score`](super::adjusted_mutual_info_score) with the
    /// reference (arithmetic mean), more is better.
    AdjustedMutualInfo,
    /// [`normalized_mutual_info_score`](super::normalized_mutual_info_score) with the
    /// reference (arithmetic mean), more is better. It favours many segments.
    NormalizedMutualInfo,
    /// [`v_measure_score`](super::v_measure_score) with the reference, more is better. It
    /// favours many segments.
    VMeasure,
    /// [`fowlkes_mallows_score`](super::fowlkes_mallows_score) with the reference, more is
    /// better. It favours few segments.
    FowlkesMallows,
}

impl Criterion {
    /// Those that need no reference.
    pub const INTERNAL: [Criterion; 6] = [
        Criterion::Inertia,
        Criterion::Silhouette,
        Criterion::SimplifiedSilhouette,
        Criterion::CalinskiHarabasz,
        Criterion::DaviesBouldin,
        Criterion::Dunn,
    ];

    /// Those that compare with a reference.
    pub const AGREEMENT: [Criterion; 5] = [
        Criterion::AdjustedRand,
        Criterion::AdjustedMutualInfo,
        Criterion::NormalizedMutualInfo,
        Criterion::VMeasure,
        Criterion::FowlkesMallows,
    ];

    /// The name, as heading of a column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Criterion::Inertia => "inertia",
            Criterion::Silhouette => "silhouette",
            Criterion::SimplifiedSilhouette => "simplified silhouette",
            Criterion::CalinskiHarabasz => "Calinski-Harabasz",
            Criterion::DaviesBouldin => "Davies-Bouldin",
            Criterion::Dunn => "Dunn",
            Criterion::AdjustedRand => "adjusted Rand",
            Criterion::AdjustedMutualInfo => "adjusted mutual information",
            Criterion::NormalizedMutualInfo => "normalized mutual information",
            Criterion::VMeasure => "V-measure",
            Criterion::FowlkesMallows => "Fowlkes-Mallows",
        }
    }

    fn score(
        self,
        points: &Points<'_>,
        groups: &Groups,
        agreement: Option<&ContingencyTable<usize>>,
    ) -> Result<f64> {
        let table = || agreement.ok_or_else(|| self.without_reference());
        match self {
            Criterion::Inertia => inertia_of(points, groups),
            Criterion::Silhouette => silhouette_of(points, groups),
            Criterion::SimplifiedSilhouette => simplified_silhouette_of(points, groups),
            Criterion::CalinskiHarabasz => calinski_harabasz_of(points, groups),
            Criterion::DaviesBouldin => davies_bouldin_of(points, groups),
            Criterion::Dunn => dunn_of(points, groups),
            Criterion::AdjustedRand => table()?.adjusted_rand_score(),
            Criterion::AdjustedMutualInfo => {
                table()?.adjusted_mutual_info_score(AverageMethod::Arithmetic)
            }
            Criterion::NormalizedMutualInfo => {
                table()?.normalized_mutual_info_score(AverageMethod::Arithmetic)
            }
            Criterion::VMeasure => {
                Ok(table()?.homogeneity_completeness_v_measure()?.v_measure)
            }
            Criterion::FowlkesMallows => table()?.fowlkes_mallows_score(),
        }
    }

    fn without_reference(self) -> Error {
        Error::parameter("the criteria", "internal, for there is no reference", self)
    }

    /// The score such that more is better; `None` where neither direction is.
    fn merit(self, score: f64) -> Option<f64> {
        match self {
            Criterion::Inertia => None,
            Criterion::DaviesBouldin => Some(-score),
            Criterion::Silhouette
            | Criterion::SimplifiedSilhouette
            | Criterion::CalinskiHarabasz
            | Criterion::Dunn
            | Criterion::AdjustedRand
            | Criterion::AdjustedMutualInfo
            | Criterion::NormalizedMutualInfo
            | Criterion::VMeasure
            | Criterion::FowlkesMallows => Some(score),
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A score, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// The score.
    Value(f64),
    /// The reason why it has no value.
    Undefined(String),
}

impl Score {
    /// The score, if it has a value.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self {
            Score::Value(value) => Some(*value),
            Score::Undefined(_) => None,
        }
    }

    /// Why it has no value.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Score::Value(_) => None,
            Score::Undefined(reason) => Some(reason),
        }
    }

    /// Only an undefined quantity is a score; other errors remain errors.
    pub(super) fn from_result(result: Result<f64>) -> Result<Score> {
        match result.map_err(Error::into_kind) {
            Ok(value) => Ok(Score::Value(value)),
            Err(ErrorKind::Undefined { reason, .. }) => {
                Ok(Score::Undefined(reason.into_owned()))
            }
            Err(kind) => Err(kind.into()),
        }
    }
}

/// One number of segments, with its scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChoiceRow {
    /// The number of segments that was asked for.
    pub n_clusters: usize,
    /// The number of different labels that came back.
    pub n_found: usize,
    /// Rows in the smallest of them.
    pub smallest: usize,
    /// One score for each criterion of the table, in its order.
    pub scores: Vec<Score>,
}

/// One criterion, and the number of segments that it prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChoiceColumn {
    /// The criterion.
    pub criterion: Criterion,
    /// The best number of segments by it, the smallest of equally good ones; `None` for
    /// the inertia, and where all scores are undefined.
    pub best: Option<usize>,
}

/// Scores of several numbers of segments, made by [`choose_n_clusters`] or
/// [`choose_n_clusters_against`].
///
/// It names a best number for each criterion and leaves the choice to the reader: the
/// criteria measure different things, and none of them can tell that the customers are
/// best left as one segment (see [`gap_statistic`](super::gap_statistic)).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChoiceTable {
    columns: Vec<ChoiceColumn>,
    rows: Vec<ChoiceRow>,
}

impl ChoiceTable {
    /// The criteria, in the order they were asked for.
    #[must_use]
    pub fn columns(&self) -> &[ChoiceColumn] {
        &self.columns
    }

    /// The numbers of segments, in the order they were asked for.
    #[must_use]
    pub fn rows(&self) -> &[ChoiceRow] {
        &self.rows
    }

    /// The best number of segments by a criterion; see [`ChoiceColumn::best`].
    #[must_use]
    pub fn best(&self, criterion: Criterion) -> Option<usize> {
        self.columns.iter().find(|column| column.criterion == criterion)?.best
    }

    /// The score of a number of segments, if both were asked for.
    #[must_use]
    pub fn score(&self, n_clusters: usize, criterion: Criterion) -> Option<&Score> {
        let at = self.columns.iter().position(|column| column.criterion == criterion)?;
        self.rows.iter().find(|row| row.n_clusters == n_clusters)?.scores.get(at)
    }
}

impl fmt::Display for ChoiceTable {
    /// A table with `*` at the best of each column, and below it the reasons for the
    /// scores that are undefined.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8} {:>8}", "segments", "smallest")?;
        for column in &self.columns {
            write!(f, "  {:>12} ", column.criterion)?;
        }
        for row in &self.rows {
            write!(f, "\n{:>8} {:>8}", row.n_clusters, row.smallest)?;
            for (column, score) in self.columns.iter().zip(&row.scores) {
                let width = column.criterion.name().len().max(12);
                let mark = if column.best == Some(row.n_clusters) { '*' } else { ' ' };
                match score {
                    Score::Value(value) => write!(f, "  {value:>width$.4}{mark}")?,
                    Score::Undefined(_) => write!(f, "  {:>width$} ", "undefined")?,
                }
            }
        }
        for row in &self.rows {
            for (column, score) in self.columns.iter().zip(&row.scores) {
                if let Score::Undefined(reason) = score {
                    let (k, criterion) = (row.n_clusters, column.criterion);
                    write!(f, "\n{criterion} of {k}: {reason}")?;
                }
            }
        }
        Ok(())
    }
}

/// Fits each number of segments in `ks` and scores the labels by each criterion. `x` has
/// shape (rows, features), and `fit(k)` gives one label a row.
///
/// A score that is undefined stays so, with its reason. When `fit` finds fewer than `k`
/// segments, the row says so and scores those.
///
/// ```
/// use segmenta::metrics::{Criterion, choose_n_clusters};
/// use segmenta::ndarray::array;
///
/// let x = array![[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]];
/// let criteria = [Criterion::Silhouette, Criterion::DaviesBouldin];
/// let table = choose_n_clusters(x.view(), 1..=3, &criteria, |k| {
///     Ok((0..6).map(|row| row * k / 6).collect())
/// })?;
/// assert_eq!(table.best(Criterion::Silhouette), Some(2));
/// let alone = table.score(1, Criterion::Silhouette).and_then(|score| score.reason());
/// assert_eq!(alone, Some("all rows have the same label"));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When `ks` or `criteria` is empty or has repetitions, a criterion needs a reference, a
/// `k` is 0, an element of `x` is not finite, the labels have another length than `x`, or
/// `fit` fails.
pub fn choose_n_clusters<L: Ord>(
    x: ArrayView2<'_, f64>,
    ks: impl IntoIterator<Item = usize>,
    criteria: &[Criterion],
    fit: impl FnMut(usize) -> Result<Vec<L>>,
) -> Result<ChoiceTable> {
    if let Some(criterion) = criteria.iter().find(|c| Criterion::AGREEMENT.contains(c)) {
        return Err(criterion.without_reference());
    }
    choose(x, None, ks, criteria, fit)
}

/// As [`choose_n_clusters`], with criteria of agreement too: which number of segments
/// comes nearest to a segmentation of the same rows that is known, such as the one in
/// use, or groups that were planted. `reference` has one label a row.
///
/// ```
/// use segmenta::metrics::{Criterion, choose_n_clusters_against};
/// use segmenta::ndarray::array;
///
/// let x = array![[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]];
/// let in_use = ["basic", "basic", "basic", "gold", "gold", "gold"];
/// let criteria = [Criterion::Silhouette, Criterion::AdjustedRand];
/// let table = choose_n_clusters_against(x.view(), &in_use, 1..=3, &criteria, |k| {
///     Ok((0..6).map(|row| row * k / 6).collect())
/// })?;
/// assert_eq!(table.best(Criterion::AdjustedRand), Some(2));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// As [`choose_n_clusters`], but criteria may need the reference; and when that has
/// another length than `x`.
pub fn choose_n_clusters_against<R: Ord, L: Ord>(
    x: ArrayView2<'_, f64>,
    reference: &[R],
    ks: impl IntoIterator<Item = usize>,
    criteria: &[Criterion],
    fit: impl FnMut(usize) -> Result<Vec<L>>,
) -> Result<ChoiceTable> {
    if reference.len() != x.nrows() {
        return Err(Error::length("the reference", x.nrows(), reference.len()));
    }
    let reference = Encoded::new(reference).codes;
    choose(x, Some(&reference), ks, criteria, fit)
}

fn choose<L: Ord>(
    x: ArrayView2<'_, f64>,
    reference: Option<&[usize]>,
    ks: impl IntoIterator<Item = usize>,
    criteria: &[Criterion],
    mut fit: impl FnMut(usize) -> Result<Vec<L>>,
) -> Result<ChoiceTable> {
    let ks: Vec<usize> = ks.into_iter().collect();
    require_distinct("the numbers of segments", &ks)?;
    require_distinct("the criteria", criteria)?;
    if ks.contains(&0) {
        return Err(Error::parameter("the number of segments", "at least 1", 0));
    }
    let points = Points::new(&x)?;
    let mut rows = Vec::with_capacity(ks.len());
    for n_clusters in ks {
        let groups = Groups::new(&fit(n_clusters)?, points.n_rows())?;
        let agreement = reference
            .map(|reference| ContingencyTable::of_codes(reference, &groups.codes))
            .transpose()?;
        let score = |criterion: &Criterion| {
            Score::from_result(criterion.score(&points, &groups, agreement.as_ref()))
        };
        let scores = criteria.iter().map(score).collect::<Result<Vec<Score>>>()?;
        let smallest = groups.sizes.iter().copied().min().unwrap_or(0);
        rows.push(ChoiceRow { n_clusters, n_found: groups.len(), smallest, scores });
    }
    let columns = criteria
        .iter()
        .enumerate()
        .map(|(at, &criterion)| ChoiceColumn {
            criterion,
            best: best(&rows, at, criterion),
        })
        .collect();
    Ok(ChoiceTable { columns, rows })
}

fn best(rows: &[ChoiceRow], at: usize, criterion: Criterion) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for row in rows {
        let Some(merit) = row.scores[at].value().and_then(|x| criterion.merit(x)) else {
            continue;
        };
        let k = row.n_clusters;
        if best.is_none_or(|(most, of)| merit > most || (merit == most && k < of)) {
            best = Some((merit, k));
        }
    }
    best.map(|(_, k)| k)
}

fn require_distinct<T: Ord + fmt::Debug>(name: &'static str, items: &[T]) -> Result<()> {
    if items.is_empty() {
        return Err(Error::parameter(name, "at least one", "none"));
    }
    let mut sorted: Vec<&T> = items.iter().collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            Err(Error::parameter(name, "all different", format!("{:?} twice", pair[0])))
        }
        None => Ok(()),
    }
}
