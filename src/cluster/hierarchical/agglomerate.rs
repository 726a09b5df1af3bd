//! From rows or distances to a dendrogram: checks, memory, and the choice of algorithm.

use ndarray::ArrayView2;

use super::chain::{InMatrix, chain};
use super::condensed::Condensed;
use super::dendrogram::{Dendrogram, find};
use super::generic::generic;
use super::linkage::Linkage;
use super::rounds::{Source, rounds};
use super::spanning::{self, spanning_tree, spanning_tree_of};
use super::step::{Step, Watch};
use super::ward::{self, ward, ward_factor};
use crate::data::array::row_major;
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::Observer;

/// Bytes that a clustering may allocate unless it is told otherwise: 2 GiB.
pub const DEFAULT_MEMORY_LIMIT: u64 = 2 << 30;

/// Up to so many rows, Ward's linkage works in a matrix too, as the other linkages do.
/// Beyond, it recomputes distances from centroids.
const WARD_MATRIX_ROWS: usize = 2048;

/// Up to so many rows, linkages that work in a matrix follow a chain, as SciPy does, and
/// so give its merges even where distances tie. Beyond, they work in rounds.
const MATRIX_CHAIN_ROWS: usize = 2048;

/// Rows are counted in 32 bits, and some numbers stand for none.
const MAX_ROWS: usize = (u32::MAX - 64) as usize;

impl Linkage {
    /// Bytes that [`linkage`] allocates for a matrix of this shape, at most, beyond the
    /// matrix itself.
    ///
    /// [`Single`](Linkage::Single) and, beyond 2048 rows, [`Ward`](Linkage::Ward) need
    /// memory in proportion to the rows: at most some five copies of the matrix and 200
    /// bytes a row. The others need all distances at once, `4 n (n − 1)` bytes; a copy of
    /// the matrix, a few hundred bytes for each row, and some ten million come on top,
    /// which are not counted. [`Complete`](Linkage::Complete),
    /// [`Average`](Linkage::Average) and [`Weighted`](Linkage::Weighted) need the distances
    /// beyond 2048 rows after the first round of merges only, in usual data for about three
    /// quarters of the rows: a little more than half of these bytes.
    #[must_use]
    pub fn memory(self, n_rows: usize, n_columns: usize) -> u128 {
        let number = size_of::<f64>() as u128;
        match self {
            Linkage::Single => spanning::memory(n_rows, n_columns),
            Linkage::Ward if n_rows > WARD_MATRIX_ROWS => ward::memory(n_rows, n_columns),
            _ => Condensed::len_of(n_rows).saturating_mul(number),
        }
    }
}

/// The dendrogram of the rows of `x`, shape `(n_rows, n_columns)`, by Euclidean distance.
///
/// `weights`, one for each row, are multiplicities: a row of weight 3 gives the merges
/// above height 0 that three copies of it would give. See [`Linkage::counts_weights`].
///
/// Single linkage takes the edges of the minimum spanning tree. Ward's linkage, beyond
/// 2048 rows, merges all pairs of reciprocal nearest neighbours in rounds. Both find
/// neighbours in a tree of boxes: with few columns, or rows in groups, the time is little
/// more than proportional to the rows. Complete, average and weighted linkage follow chains
/// of nearest neighbours up to 2048 rows, and merge in rounds beyond; centroid and median
/// linkage take the closest pair from a heap at each step. Their time is proportional to
/// `n_rows²` (for centroid and median linkage in usual cases), and so is that of the former
/// two in many columns without groups. The result does not depend on the number of threads.
///
/// Where distances tie, single linkage takes the pair whose lower row is lower, then that
/// whose other row is; equal rows come first of all. So does Ward's linkage beyond 2048
/// rows, where the row of a cluster is its first one. A chain goes back to the cluster
/// that it came from, else to the one whose last row comes first. In the rounds of the
/// other linkages the slots in which clusters live, from the last row to the first, decide:
/// the nearest of equally near clusters is the one whose slot has the least exclusive or
/// with one's own. Of closest pairs, centroid and median linkage take the one whose first
/// cluster is on top of a binary heap, as SciPy does. It is always the same one, but
/// follows no order of the rows, and the heights of later merges may depend on it.
///
/// ```
/// use segmenta::cluster::hierarchical::{Linkage, linkage};
/// use segmenta::ndarray::array;
///
/// let x = array![[0.0], [1.0], [10.0], [12.0]];
/// let tree = linkage(x.view(), Linkage::Single, None)?;
/// assert_eq!(tree.heights(), [1.0, 2.0, 9.0]);
/// assert_eq!(tree.cut_number(2)?, [0, 0, 1, 1]);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When there is no row or no column; when a number is NaN or infinite, or so far from
/// the others that squared distances overflow; when there is not one weight a row, or one
/// is not above 0; when the work needs more than [`DEFAULT_MEMORY_LIMIT`].
pub fn linkage(
    x: ArrayView2<'_, f64>,
    linkage: Linkage,
    weights: Option<&[f64]>,
) -> Result<Dendrogram> {
    linkage_with(x, linkage, weights, DEFAULT_MEMORY_LIMIT, &mut ())
}

/// As [`linkage`], with a limit to the memory in bytes, and an observer who is told of
/// every 256th merge (stage `linkage`) and may stop the work.
///
/// # Errors
/// As [`linkage`]; and when the observer breaks.
pub fn linkage_with(
    x: ArrayView2<'_, f64>,
    linkage: Linkage,
    weights: Option<&[f64]>,
    memory_limit: u64,
    observer: &mut dyn Observer,
) -> Result<Dendrogram> {
    let (n, p) = x.dim();
    if n == 0 {
        return Err(
            ErrorKind::TooFewRows { what: "rows".into(), needed: 1, found: 0 }.into()
        );
    }
    if p == 0 {
        return Err(Error::length("the second axis", 1, 0));
    }
    check_memory(linkage.memory(n, p), memory_limit)?;
    if n > MAX_ROWS {
        return Err(Error::parameter("n_rows", format!("at most {MAX_ROWS}"), n));
    }
    check_rows(x, weights, column_number)?;
    let x = row_major(&x);
    let sizes = match weights {
        Some(weights) if linkage.counts_weights() => weights.to_vec(),
        _ => vec![1.0; n],
    };
    let mut watch = Watch::start(n - 1, observer)?;
    let steps = match linkage {
        Linkage::Single => square_roots(spanning_tree(&x, p, &mut watch)?),
        Linkage::Ward if n > WARD_MATRIX_ROWS => {
            square_roots(ward(&x, p, &sizes, &mut watch)?)
        }
        _ if in_rounds(linkage, n) => {
            let source = Source::Rows { x: &x, p };
            in_order(n, rounds(linkage, source, sizes, &mut watch)?)
        }
        _ => in_matrix(linkage, Condensed::euclidean(&x, n, p), sizes, &mut watch)?,
    };
    Ok(Dendrogram::from_steps(n, steps, linkage.is_monotone()))
}

/// The dendrogram of `n` things whose distances are given: `condensed` has that of each
/// pair, in the order `(0, 1), (0, 2), …, (1, 2), …`, as SciPy's `pdist` gives them.
///
/// Centroid, median and Ward linkage have a meaning for Euclidean distances only. For
/// others the formulas still give heights, but not those of any points.
///
/// ```
/// use segmenta::cluster::hierarchical::{Linkage, linkage_from_distances};
///
/// let tree = linkage_from_distances(&[1.0, 4.0, 5.0], 3, Linkage::Average)?;
/// assert_eq!(tree.heights(), [1.0, 4.5]);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When `n` is 0 or there are not `n (n − 1) / 2` distances; when one is NaN, infinite or
/// negative, or too large to be squared and added up; when a copy needs more than
/// [`DEFAULT_MEMORY_LIMIT`].
pub fn linkage_from_distances(
    condensed: &[f64],
    n: usize,
    linkage: Linkage,
) -> Result<Dendrogram> {
    if n == 0 {
        return Err(
            ErrorKind::TooFewRows { what: "rows".into(), needed: 1, found: 0 }.into()
        );
    }
    check_condensed(condensed, n)?;
    let largest = condensed.iter().copied().fold(0.0, f64::max);
    let power = if linkage.squares() { largest * largest } else { largest };
    if !stays_finite(power, n as f64) {
        let expected = "small enough to be squared and added up";
        return Err(Error::parameter("distances", expected, largest));
    }
    let mut nobody = ();
    let mut watch = Watch::start(n - 1, &mut nobody)?;
    let steps = if linkage == Linkage::Single {
        spanning_tree_of(condensed, n, &mut watch)?
    } else {
        check_memory(size_of_val(condensed) as u128, DEFAULT_MEMORY_LIMIT)?;
        let sizes = vec![1.0; n];
        if in_rounds(linkage, n) {
            let source = Source::Distances(condensed);
            in_order(n, rounds(linkage, source, sizes, &mut watch)?)
        } else {
            let distances = Condensed::new(n, condensed.to_vec());
            in_matrix(linkage, distances, sizes, &mut watch)?
        }
    };
    Ok(Dendrogram::from_steps(n, steps, linkage.is_monotone()))
}

/// Euclidean distances of all pairs of rows of `x`, in the order that
/// [`linkage_from_distances`] takes.
///
/// # Errors
/// When a number is NaN or infinite, or so far from the others that squared distances
/// overflow; when the result needs more than [`DEFAULT_MEMORY_LIMIT`].
pub fn condensed_distances(x: ArrayView2<'_, f64>) -> Result<Vec<f64>> {
    let (n, p) = x.dim();
    check_memory(Linkage::Complete.memory(n, p), DEFAULT_MEMORY_LIMIT)?;
    check_rows(x, None, column_number)?;
    let x = row_major(&x);
    Ok(Condensed::euclidean(&x, n, p).into_values())
}

/// All linkages but single, from distances.
fn in_matrix(
    linkage: Linkage,
    distances: Condensed,
    sizes: Vec<f64>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    let distances = match linkage {
        Linkage::Centroid | Linkage::Median => {
            return generic(linkage, distances, sizes, watch);
        }
        Linkage::Ward => weigh_for_ward(distances, &sizes),
        _ => distances,
    };
    let n = distances.n();
    let steps = chain(n, &mut InMatrix::new(linkage, distances, sizes), watch)?;
    Ok(in_order(n, steps))
}

/// Whether a linkage works in rounds: the reducible ones of many rows do.
fn in_rounds(linkage: Linkage, n: usize) -> bool {
    n > MATRIX_CHAIN_ROWS && linkage.is_monotone()
}

/// Raises each merge to the height of those that it is made of, if rounding has put it
/// below one. Merges come after those that they are made of.
pub(super) fn in_order(n: usize, mut steps: Vec<Step>) -> Vec<Step> {
    let mut parent: Vec<usize> = (0..n).collect();
    let mut heights = vec![0.0_f64; n];
    for step in &mut steps {
        let (a, b) = (find(&mut parent, step.a), find(&mut parent, step.b));
        step.height = step.height.max(heights[a]).max(heights[b]);
        parent[a] = b;
        heights[b] = step.height;
    }
    steps
}

/// The first distances of Ward's linkage depend on the weights of both rows.
fn weigh_for_ward(mut distances: Condensed, sizes: &[f64]) -> Condensed {
    for i in 0..sizes.len() {
        for j in i + 1..sizes.len() {
            let weighed = ward_factor(sizes[i], sizes[j]).sqrt() * distances.get(i, j);
            distances.set(i, j, weighed);
        }
    }
    distances
}

fn square_roots(mut steps: Vec<Step>) -> Vec<Step> {
    steps.iter_mut().for_each(|step| step.height = step.height.sqrt());
    steps
}

pub(super) fn check_memory(needed: u128, limit: u64) -> Result<()> {
    let limit = u128::from(limit);
    if needed <= limit {
        return Ok(());
    }
    Err(ErrorKind::Memory { what: "the linkage".into(), needed, limit }.into())
}

pub(super) fn check_condensed(condensed: &[f64], n: usize) -> Result<()> {
    if condensed.len() as u128 != Condensed::len_of(n) {
        let expected = usize::try_from(Condensed::len_of(n)).unwrap_or(usize::MAX);
        return Err(Error::length("the list of distances", expected, condensed.len()));
    }
    match condensed.iter().find(|d| !(d.is_finite() && **d >= 0.0)) {
        Some(bad) => Err(Error::parameter("distances", "finite and not negative", bad)),
        None => Ok(()),
    }
}

/// The sum of the weights, at least the number of rows.
fn check_weights(n: usize, weights: Option<&[f64]>) -> Result<f64> {
    let Some(weights) = weights else {
        return Ok(n as f64);
    };
    if weights.len() != n {
        return Err(Error::length("`weights`", n, weights.len()));
    }
    if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w > 0.0)) {
        return Err(ErrorKind::Value {
            expected: "a weight: finite and above 0".into(),
            found: weights[row].to_string(),
            row: Some(row),
        }
        .into());
    }
    Ok(weights.iter().sum::<f64>().max(n as f64))
}

/// Weights are usable, every number is finite, and so will be every height. `name` tells
/// the name of a column, for messages.
pub(super) fn check_rows(
    x: ArrayView2<'_, f64>,
    weights: Option<&[f64]>,
    name: impl Fn(usize) -> String,
) -> Result<()> {
    let weight = check_weights(x.nrows(), weights)?;
    let mut ranges = Vec::with_capacity(x.ncols());
    for (j, column) in x.columns().into_iter().enumerate() {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (row, &found) in column.iter().enumerate() {
            if !found.is_finite() {
                let feature = format!("column {j}");
                return Err(
                    ErrorKind::NonFinite { feature, found, row: Some(row) }.into()
                );
            }
            (low, high) = (low.min(found), high.max(found));
        }
        ranges.push(if low <= high { high - low } else { 0.0 });
    }
    let diameter: f64 = ranges.iter().map(|range| range * range).sum();
    if stays_finite(diameter, weight) {
        return Ok(());
    }
    let widest =
        (0..ranges.len()).fold(0, |a, b| if ranges[b] > ranges[a] { b } else { a });
    Err(Error::parameter(
        format!("range of {}", name(widest)),
        "small enough for sums of weighted squared distances",
        ranges[widest],
    ))
}

fn column_number(j: usize) -> String {
    format!("column {j}")
}

/// Whether the formulas of all linkages stay finite: none of their terms is beyond the
/// largest distance times the square of the total weight, a few times over.
fn stays_finite(largest: f64, weight: f64) -> bool {
    (largest * weight * weight * 8.0).is_finite() && (weight * weight).is_finite()
}
