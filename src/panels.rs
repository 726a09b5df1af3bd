//! Rows side by side, so that their distances from a point fill the lanes of a vector.

use std::convert::Infallible;

use crate::parallel::for_each_block;
use crate::simd::{Arithmetic, Kernel, run};

/// Rows in one panel.
pub(crate) const LANES: usize = 8;

/// Panels that one task lays out.
const TASK: usize = 256;

/// `n` rows in panels of [`LANES`], in which a feature's values stand side by side. The
/// last panel may have fewer rows; its other lanes hold zeros.
#[derive(Debug)]
pub(crate) struct Panels {
    d: usize,
    lanes: Vec<[f64; LANES]>,
}

impl Panels {
    /// The rows `row(0)`, `row(1)`, …, each of `d` values.
    pub(crate) fn new<'r>(
        n: usize,
        d: usize,
        row: impl Fn(usize) -> &'r [f64] + Sync,
    ) -> Panels {
        let mut lanes = vec![[0.0; LANES]; n.div_ceil(LANES) * d];
        let Ok(()) = for_each_block(&mut lanes, TASK * d, |start, block| {
            let first = start / d.max(1);
            for (panel, place) in block.chunks_exact_mut(d).enumerate() {
                let from = (first + panel) * LANES;
                for i in from..(from + LANES).min(n) {
                    for (lanes, &value) in place.iter_mut().zip(row(i)) {
                        lanes[i - from] = value;
                    }
                }
            }
            Ok::<(), Infallible>(())
        });
        Panels { d, lanes }
    }

    /// The features of the rows `LANES * p ..`.
    #[inline]
    pub(crate) fn panel(&self, p: usize) -> &[[f64; LANES]] {
        &self.lanes[p * self.d..(p + 1) * self.d]
    }

    /// Euclidean distances of the point `x` from the rows `from`, `from + 1`, … into
    /// `out`.
    pub(crate) fn distances(&self, x: &[f64], from: usize, out: &mut [f64]) {
        run(Distances { panels: self, x, from, out });
    }
}

/// Distances of a point from the rows of a panel.
#[inline(always)]
pub(crate) fn distances(x: &[f64], panel: &[[f64; LANES]]) -> [f64; LANES] {
    let mut distances = squares(x, panel);
    for distance in &mut distances {
        *distance = distance.sqrt();
    }
    distances
}

/// Squared distances of a point from the rows of a panel, added up in the order of the
/// features.
#[inline(always)]
pub(crate) fn squares(x: &[f64], panel: &[[f64; LANES]]) -> [f64; LANES] {
    let mut squares = [0.0; LANES];
    for (x, lanes) in x.iter().zip(panel) {
        for lane in 0..LANES {
            let difference = x - lanes[lane];
            squares[lane] += difference * difference;
        }
    }
    squares
}

struct Distances<'a> {
    panels: &'a Panels,
    x: &'a [f64],
    from: usize,
    out: &'a mut [f64],
}

impl Kernel for Distances<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Distances { panels, x, from, out } = self;
        let distances = |p: usize| distances(x, panels.panel(p));
        let (mut p, skipped) = (from / LANES, from % LANES);
        let mut rest = out;
        if skipped > 0 {
            let (part, whole) = rest.split_at_mut(rest.len().min(LANES - skipped));
            part.copy_from_slice(&distances(p)[skipped..skipped + part.len()]);
            rest = whole;
            p += 1;
        }
        let (whole, part) = rest.as_chunks_mut::<LANES>();
        for place in whole {
            *place = distances(p);
            p += 1;
        }
        if !part.is_empty() {
            part.copy_from_slice(&distances(p)[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::squared_euclidean;
    use crate::random::Random;
    use crate::simd::baseline;

    #[test]
    fn distances_are_those_of_single_rows_to_the_bit() {
        let mut random = Random::new(1, 0);
        for (n, d) in [(1, 1), (7, 3), (8, 2), (29, 5), (100, 8), (33, 17)] {
            let x: Vec<f64> = (0..n * d).map(|_| random.unit() * 9.0 - 4.0).collect();
            let row = |i: usize| &x[i * d..(i + 1) * d];
            let panels = Panels::new(n, d, row);
            for from in 0..n {
                for to in [from, from + (n - from) / 2, n] {
                    let expected: Vec<f64> = (from..to)
                        .map(|i| squared_euclidean(row(0), row(i)).sqrt())
                        .collect();
                    let mut found = vec![f64::NAN; to - from];
                    panels.distances(row(0), from, &mut found);
                    assert_eq!(found, expected);
                    found.fill(f64::NAN);
                    let out = &mut found[..];
                    baseline(Distances { panels: &panels, x: row(0), from, out });
                    assert_eq!(found, expected);
                }
            }
        }
    }

    /// More panels than one task lays out.
    #[test]
    fn tasks_join_without_a_seam() {
        let n = LANES * TASK * 2 + 3;
        let x: Vec<f64> = (0..2 * n).map(|i| i as f64).collect();
        let panels = Panels::new(n, 2, |i| &x[2 * i..2 * i + 2]);
        for i in 0..n {
            let values: Vec<f64> =
                panels.panel(i / LANES).iter().map(|lanes| lanes[i % LANES]).collect();
            assert_eq!(values, x[2 * i..2 * i + 2]);
        }
    }
}
