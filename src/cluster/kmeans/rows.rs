//! The rows that are clustered, and what must be known of them beforehand.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Range;

use crate::data::check_weights;
use crate::error::{Error, ErrorKind, Result};
use crate::simd::{Arithmetic, Four};

/// How the numbers of rows are stored: `f64`, or `f32`, which is computed with as the
/// `f64` of the same value.
pub(super) trait Storage:
    Copy + PartialEq + Debug + Send + Sync + Into<f64>
{
    fn load<A: Arithmetic>(from: &[Self; 4]) -> A::Four;
}

impl Storage for f32 {
    #[inline(always)]
    fn load<A: Arithmetic>(from: &[f32; 4]) -> A::Four {
        A::Four::widen(from)
    }
}

impl Storage for f64 {
    #[inline(always)]
    fn load<A: Arithmetic>(from: &[f64; 4]) -> A::Four {
        A::Four::load(from)
    }
}

/// The squared distance of a row, whatever it is stored in, added up in the order of the
/// columns.
#[inline(always)]
pub(super) fn squared<T: Storage>(x: &[T], center: &[f64]) -> f64 {
    x.iter().zip(center).fold(0.0, |sum, (&x, c)| {
        let apart = x.into() - c;
        sum + apart * apart
    })
}

/// Rows of a matrix with their weights: at least one column, finite weights that are not
/// negative.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a, T = f64> {
    data: &'a [T],
    n_columns: usize,
    /// `None` also when all are 1.
    weights: Option<&'a [f64]>,
}

impl<'a, T: Storage> Rows<'a, T> {
    /// Of row-major `data` of this shape.
    pub(super) fn new(
        data: &'a [T],
        (n_rows, n_columns): (usize, usize),
        weights: Option<&'a [f64]>,
    ) -> Result<Rows<'a, T>> {
        if n_columns == 0 {
            return Err(Error::parameter("x", "a matrix with columns", "one without"));
        }
        if let Some(weights) = weights {
            check_weights("`sample_weight`", weights, n_rows)?;
        }
        let weights = weights.filter(|weights| weights.iter().any(|&w| w != 1.0));
        Ok(Rows { data, n_columns, weights })
    }

    pub(super) fn len(&self) -> usize {
        self.data.len() / self.n_columns
    }

    pub(super) fn n_columns(&self) -> usize {
        self.n_columns
    }

    #[inline(always)]
    pub(super) fn row(&self, i: usize) -> &'a [T] {
        &self.data[i * self.n_columns..(i + 1) * self.n_columns]
    }

    /// The numbers of row `i` in columns `j` to `j + 3`. Beyond the last column they are
    /// those that follow in memory, or 0: that is faster than to leave them out.
    #[inline(always)]
    pub(super) fn four(&self, i: usize, j: usize) -> [f64; 4] {
        let from = &self.data[i * self.n_columns + j..];
        let mut four = [0.0; 4];
        match from.first_chunk::<4>() {
            Some(from) => {
                for (to, &x) in four.iter_mut().zip(from) {
                    *to = x.into();
                }
            }
            None => {
                for (to, &x) in four.iter_mut().zip(from) {
                    *to = x.into();
                }
            }
        }
        four
    }

    /// The rows from `start` on, one after another.
    #[inline(always)]
    pub(super) fn from(&self, start: usize) -> &'a [T] {
        &self.data[start * self.n_columns..]
    }

    /// Some rows, one after another.
    #[inline(always)]
    pub(super) fn slice(&self, rows: Range<usize>) -> &'a [T] {
        &self.data[rows.start * self.n_columns..rows.end * self.n_columns]
    }

    #[inline(always)]
    pub(super) fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[i])
    }

    /// True when a row counts once, no more and no less.
    pub(super) fn is_unweighted(&self) -> bool {
        self.weights.is_none()
    }

    fn iter(&self) -> impl Iterator<Item = &'a [T]> {
        self.data.chunks_exact(self.n_columns)
    }

    /// How many different rows of positive weight there are, counted up to `enough`.
    pub(super) fn count_distinct(&self, enough: usize) -> usize {
        let mut seen = BTreeSet::new();
        for (i, row) in self.iter().enumerate() {
            if seen.len() == enough {
                break;
            }
            if self.weight(i) > 0.0 {
                seen.insert(Lexicographic(row));
            }
        }
        seen.len()
    }

    /// Checks that all numbers are finite.
    pub(super) fn check_finite(&self) -> Result<()> {
        let Some(at) = self.data.iter().position(|&x| !x.into().is_finite()) else {
            return Ok(());
        };
        let column = at % self.n_columns;
        Err(ErrorKind::Value {
            expected: format!("a finite number (column {column})").into(),
            found: self.data[at].into().to_string(),
            row: Some(at / self.n_columns),
        }
        .into())
    }

    /// An overview of a part of the rows, for a first idea of their middle and ranges.
    pub(super) fn sample(&self) -> Overview {
        let step = self.len().div_ceil(SAMPLE).max(1);
        let some = (0..self.len()).step_by(step).map(|i| Overview::new(*self, i..i + 1));
        some.fold(Overview::empty(self.n_columns), |all, one| all.merge(&one))
    }
}

/// Rows that are looked at for a first idea of the ranges.
const SAMPLE: usize = 4096;

/// Rows of fewer columns are narrow.
const NARROW: usize = 8;

/// What is known of the columns of some rows.
#[derive(Clone, Debug)]
pub(super) struct Overview {
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
    /// Without regard to weights.
    pub(super) mean: Vec<f64>,
    /// Sums of squared differences from the mean, without regard to weights.
    squares: Vec<f64>,
    n_rows: f64,
    /// Of all rows together.
    pub(super) weight: f64,
    /// The largest weight of a row.
    pub(super) heaviest: f64,
}

impl Overview {
    /// Of no rows.
    pub(super) fn empty(n_columns: usize) -> Overview {
        Overview {
            low: vec![f64::INFINITY; n_columns],
            high: vec![f64::NEG_INFINITY; n_columns],
            mean: vec![0.0; n_columns],
            squares: vec![0.0; n_columns],
            n_rows: 0.0,
            weight: 0.0,
            heaviest: 0.0,
        }
    }

    /// Of some rows, at least one.
    #[inline(always)]
    pub(super) fn new<T: Storage>(rows: Rows<'_, T>, block: Range<usize>) -> Overview {
        let d = rows.n_columns;
        let data = rows.slice(block.clone());
        let n_rows = block.len() as f64;
        // Narrow rows are taken several at a time, as one wide row, for the vectors' sake.
        let width = if d < NARROW { NARROW * d } else { d };
        let mut low = vec![f64::INFINITY; width];
        let mut high = vec![f64::NEG_INFINITY; width];
        let mut sums = vec![0.0; width];
        let less = |a: f64, b: f64| if a < b { a } else { b };
        let more = |a: f64, b: f64| if a > b { a } else { b };
        for rows in data.chunks(4 * width) {
            let ranges = low.iter_mut().zip(high.iter_mut()).zip(sums.iter_mut());
            if let Some([a, b, c, e]) = four_rows(rows, width) {
                let rows = a.iter().zip(b).zip(c.iter().zip(e));
                for (((&a, &b), (&c, &e)), ((low, high), sum)) in rows.zip(ranges) {
                    let [a, b, c, e]: [f64; 4] = [a.into(), b.into(), c.into(), e.into()];
                    *low = less(less(less(a, b), less(c, e)), *low);
                    *high = more(more(more(a, b), more(c, e)), *high);
                    *sum += (a + b) + (c + e);
                }
            } else {
                let places = (0..width).cycle();
                for (&x, at) in rows.iter().zip(places) {
                    let x: f64 = x.into();
                    low[at] = less(x, low[at]);
                    high[at] = more(x, high[at]);
                    sums[at] += x;
                }
            }
        }
        let mut overview = Overview::empty(d);
        for i in 0..width {
            let j = i % d;
            overview.low[j] = overview.low[j].min(low[i]);
            overview.high[j] = overview.high[j].max(high[i]);
            overview.mean[j] += sums[i];
        }
        overview.mean.iter_mut().for_each(|sum| *sum /= n_rows);
        let means: Vec<f64> = (0..width).map(|i| overview.mean[i % d]).collect();
        sums.fill(0.0);
        for rows in data.chunks(4 * width) {
            if let Some([a, b, c, e]) = four_rows(rows, width) {
                let rows = a.iter().zip(b).zip(c.iter().zip(e));
                let columns = sums.iter_mut().zip(&means);
                for (((&a, &b), (&c, &e)), (square, mean)) in rows.zip(columns) {
                    let apart: [f64; 4] = [a.into(), b.into(), c.into(), e.into()];
                    let [a, b, c, e] = apart.map(|x| (x - mean) * (x - mean));
                    *square += (a + b) + (c + e);
                }
            } else {
                for (&x, at) in rows.iter().zip((0..width).cycle()) {
                    let apart = x.into() - means[at];
                    sums[at] += apart * apart;
                }
            }
        }
        sums.iter().enumerate().for_each(|(i, sum)| overview.squares[i % d] += sum);
        overview.n_rows = n_rows;
        (overview.weight, overview.heaviest) = match rows.weights {
            None => (n_rows, 1.0),
            Some(weights) => weights[block]
                .iter()
                .fold((0.0, 0.0_f64), |(sum, most), &w| (sum + w, most.max(w))),
        };
        overview
    }

    /// Of the rows of both (Chan, Golub & LeVeque 1983).
    pub(super) fn merge(mut self, other: &Overview) -> Overview {
        let n = self.n_rows + other.n_rows;
        let share = other.n_rows / n;
        for j in 0..self.mean.len() {
            self.low[j] = self.low[j].min(other.low[j]);
            self.high[j] = self.high[j].max(other.high[j]);
            let apart = other.mean[j] - self.mean[j];
            self.mean[j] += share * apart;
            self.squares[j] += other.squares[j] + apart * apart * self.n_rows * share;
        }
        self.n_rows = n;
        self.weight += other.weight;
        self.heaviest = self.heaviest.max(other.heaviest);
        self
    }

    /// False when a number was NaN or infinite, and when a sum was.
    pub(super) fn is_finite(&self) -> bool {
        self.mean.iter().all(|x| x.is_finite())
    }

    /// Lets the ranges reach to some more rows.
    pub(super) fn extend_ranges(&mut self, more: &[f64]) {
        for row in more.chunks_exact(self.low.len()) {
            for ((low, high), &x) in self.low.iter_mut().zip(&mut self.high).zip(row) {
                *low = low.min(x);
                *high = high.max(x);
            }
        }
    }

    /// Checks that no sum over these rows can overflow: neither of weighted values nor of
    /// weighted squared distances.
    pub(super) fn check_range(&self) -> Result<()> {
        let times = self.weight.max(self.n_rows);
        let ends = self.low.iter().chain(&self.high);
        let reach = ends.fold(0.0_f64, |reach, x| reach.max(x.abs()));
        let sides = self.low.iter().zip(&self.high);
        let span: f64 = sides.map(|(low, high)| (high - low) * (high - low)).sum();
        if (reach * times).is_finite() && (span * times).is_finite() {
            return Ok(());
        }
        Err(Error::undefined(
            "the sum of squared distances",
            "values or weights are so large that it exceeds the largest number",
        ))
    }

    /// Mean over the columns of their variances (divisor n), without regard to weights.
    pub(super) fn mean_variance(&self) -> f64 {
        let sum: f64 = self.squares.iter().sum();
        sum / self.n_rows / self.mean.len() as f64
    }

    /// Sum of the squared distances of the rows from a place, without regard to weights.
    pub(super) fn spread(&self, place: &[f64]) -> f64 {
        let columns = self.squares.iter().zip(&self.mean).zip(place);
        columns.map(|((s, mean), x)| s + self.n_rows * (mean - x) * (mean - x)).sum()
    }

    /// The largest weighted value of each column, or more.
    pub(super) fn weighted_reach(&self) -> Vec<f64> {
        let sides = self.low.iter().zip(&self.high);
        sides.map(|(low, high)| low.abs().max(high.abs()) * self.heaviest).collect()
    }
}

/// Four rows of this width, if there are four.
#[inline(always)]
fn four_rows<T>(rows: &[T], width: usize) -> Option<[&[T]; 4]> {
    if rows.len() != 4 * width {
        return None;
    }
    let (ab, ce) = rows.split_at(2 * width);
    let ((a, b), (c, e)) = (ab.split_at(width), ce.split_at(width));
    Some([a, b, c, e])
}

/// Finite rows in the order of their first difference; −0 equals 0.
#[derive(Clone, Copy, Debug)]
struct Lexicographic<'a, T>(&'a [T]);

impl<T: Storage> Ord for Lexicographic<'_, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.0.iter().zip(other.0);
        let orders = pairs.map(|(&a, &b)| a.into().partial_cmp(&b.into()));
        let first = orders.flatten().find(|order| order.is_ne());
        first.unwrap_or(Ordering::Equal)
    }
}

impl<T: Storage> PartialOrd for Lexicographic<'_, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Storage> PartialEq for Lexicographic<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Storage> Eq for Lexicographic<'_, T> {}
