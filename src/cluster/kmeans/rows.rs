//! The rows that are clustered, and what must be known of them beforehand.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Range;

use crate::data::check_weights;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::map_blocks;
use crate::simd::{self, Arithmetic, Kernel};

/// Rows of a block of a pass.
const BLOCK: usize = 2048;

/// How the numbers of rows are stored: `f64`, or `f32`, which is computed with as the
/// `f64` of the same value.
pub(super) trait Storage: Copy + PartialEq + Debug + Send + Sync + Into<f64> {}

impl Storage for f32 {}
impl Storage for f64 {}

/// The squared distance of a row, whatever it is stored in, added up in the order of the
/// columns.
#[inline(always)]
pub(super) fn squared<T: Storage>(x: &[T], center: &[f64]) -> f64 {
    x.iter().zip(center).fold(0.0, |sum, (&x, c)| {
        let apart = x.into() - c;
        sum + apart * apart
    })
}

/// Rows of a matrix with their weights: at least one row and one column, finite values,
/// finite weights that are not negative.
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
        let finite = map_blocks(data.len(), BLOCK * 16, |block| {
            simd::run(AllFinite(&data[block]))
        });
        if finite.contains(&false)
            && let Some(at) = data.iter().position(|&x| !x.into().is_finite())
        {
            return Err(ErrorKind::Value {
                expected: format!("a finite number (column {})", at % n_columns).into(),
                found: data[at].into().to_string(),
                row: Some(at / n_columns),
            }
            .into());
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

    /// Ranges, means and variances of the columns, in one pass.
    pub(super) fn overview(&self) -> Overview {
        let blocks = map_blocks(self.len(), BLOCK, |block| {
            simd::run(Summarise { rows: *self, block })
        });
        let empty = Overview {
            low: vec![f64::INFINITY; self.n_columns],
            high: vec![f64::NEG_INFINITY; self.n_columns],
            mean: vec![0.0; self.n_columns],
            squares: vec![0.0; self.n_columns],
            n_rows: 0.0,
            weight: 0.0,
            heaviest: 0.0,
        };
        blocks.into_iter().fold(empty, Overview::merge)
    }
}

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
    /// Of the rows of both (Chan, Golub & LeVeque 1983).
    fn merge(mut self, other: Overview) -> Overview {
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

    /// The largest weighted value of each column, or more.
    pub(super) fn weighted_reach(&self) -> Vec<f64> {
        let sides = self.low.iter().zip(&self.high);
        sides.map(|(low, high)| low.abs().max(high.abs()) * self.heaviest).collect()
    }
}

struct AllFinite<'a, T>(&'a [T]);

impl<T: Storage> Kernel for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> bool {
        // A product with 0 is 0 but for what is not finite.
        let mut sums = [0.0_f64; 8];
        let (chunks, rest) = self.0.as_chunks::<8>();
        for chunk in chunks {
            for lane in 0..8 {
                sums[lane] += chunk[lane].into() * 0.0;
            }
        }
        let rest: f64 = rest.iter().map(|&x| x.into() * 0.0).sum();
        sums.iter().sum::<f64>() + rest == 0.0
    }
}

struct Summarise<'a, T> {
    rows: Rows<'a, T>,
    block: Range<usize>,
}

impl<T: Storage> Kernel for Summarise<'_, T> {
    type Output = Overview;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Overview {
        let Summarise { rows, block } = self;
        let d = rows.n_columns;
        let data = rows.slice(block.clone());
        let n_rows = block.len() as f64;
        let mut low = vec![f64::INFINITY; d];
        let mut high = vec![f64::NEG_INFINITY; d];
        let mut mean = vec![0.0; d];
        for row in data.chunks_exact(d) {
            for j in 0..d {
                let x: f64 = row[j].into();
                low[j] = if x < low[j] { x } else { low[j] };
                high[j] = if x > high[j] { x } else { high[j] };
                mean[j] += x;
            }
        }
        mean.iter_mut().for_each(|sum| *sum /= n_rows);
        let mut squares = vec![0.0; d];
        for row in data.chunks_exact(d) {
            for j in 0..d {
                let apart = row[j].into() - mean[j];
                squares[j] += apart * apart;
            }
        }
        let weights = block.map(|i| rows.weight(i));
        let (weight, heaviest) = weights
            .fold((0.0, 0.0_f64), |(sum, most), weight| (sum + weight, most.max(weight)));
        Overview { low, high, mean, squares, n_rows, weight, heaviest }
    }
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
