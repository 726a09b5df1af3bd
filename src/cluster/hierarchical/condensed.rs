//! Distances of all pairs in a condensed matrix.

use std::convert::Infallible;

use crate::panels::Panels;
use crate::parallel::for_each_block;

/// Elements that are computed at a time; fixed, so that threads do not matter.
const BLOCK: usize = 1 << 15;

/// The upper triangle of a symmetric `n` x `n` matrix, row by row, without its diagonal:
/// SciPy's condensed form.
#[derive(Debug)]
pub(super) struct Condensed {
    n: usize,
    values: Vec<f64>,
}

impl Condensed {
    /// How many pairs `n` rows have.
    pub(super) fn len_of(n: usize) -> u128 {
        n as u128 * (n as u128).saturating_sub(1) / 2
    }

    /// A matrix of given values; there is one for each pair.
    pub(super) fn new(n: usize, values: Vec<f64>) -> Condensed {
        Condensed { n, values }
    }

    /// Euclidean distances of the rows of `x`, which has `p` columns.
    pub(super) fn euclidean(x: &[f64], n: usize, p: usize) -> Condensed {
        let row = |i: usize| &x[i * p..(i + 1) * p];
        let panels = Panels::new(n, p, row);
        let mut values = vec![0.0; Condensed::len_of(n) as usize];
        let Ok(()) = for_each_block(&mut values, BLOCK, |start, block| {
            let (mut i, mut j) = pair_at(n, start);
            let mut rest = block;
            while !rest.is_empty() {
                let (part, after) = rest.split_at_mut(rest.len().min(n - j));
                panels.distances(row(i), j, part);
                rest = after;
                i += 1;
                j = i + 1;
            }
            Ok::<(), Infallible>(())
        });
        Condensed { n, values }
    }

    pub(super) fn n(&self) -> usize {
        self.n
    }

    #[inline]
    pub(super) fn get(&self, i: usize, j: usize) -> f64 {
        self.values[position(self.n, i, j)]
    }

    #[inline]
    pub(super) fn set(&mut self, i: usize, j: usize, value: f64) {
        let at = position(self.n, i, j);
        self.values[at] = value;
    }

    pub(super) fn into_values(self) -> Vec<f64> {
        self.values
    }
}

/// Where the pair of two different rows stands.
#[inline]
pub(super) fn position(n: usize, i: usize, j: usize) -> usize {
    let (i, j) = if i < j { (i, j) } else { (j, i) };
    row_start(n, i) + j - i - 1
}

/// Where the pairs `(i, i + 1)`, `(i, i + 2)`, … begin.
#[inline]
fn row_start(n: usize, i: usize) -> usize {
    // one of two successive integers is even; the product stays within the matrix's size
    // times two, which was checked before the matrix was allocated
    i * (2 * n - i - 1) / 2
}

/// The pair that stands at a position.
fn pair_at(n: usize, at: usize) -> (usize, usize) {
    let (mut low, mut high) = (0, n.saturating_sub(1));
    while high - low > 1 {
        let middle = (low + high) / 2;
        if row_start(n, middle) <= at {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low, low + 1 + at - row_start(n, low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::squared_euclidean;

    #[test]
    fn positions_and_pairs_are_inverse() {
        for n in 2..9 {
            let mut at = 0;
            for i in 0..n {
                for j in i + 1..n {
                    assert_eq!(position(n, i, j), at);
                    assert_eq!(position(n, j, i), at);
                    assert_eq!(pair_at(n, at), (i, j));
                    at += 1;
                }
            }
            assert_eq!(at as u128, Condensed::len_of(n));
        }
    }

    #[test]
    fn blocks_join_without_a_seam() {
        let n = 400;
        let x: Vec<f64> = (0..2 * n).map(|at| (at as f64 * 0.37).sin()).collect();
        let matrix = Condensed::euclidean(&x, n, 2);
        assert!(matrix.values.len() > 2 * BLOCK);
        for i in 0..n {
            for j in i + 1..n {
                let (a, b) = (&x[2 * i..2 * i + 2], &x[2 * j..2 * j + 2]);
                assert_eq!(matrix.get(j, i), squared_euclidean(a, b).sqrt());
            }
        }
    }
}
