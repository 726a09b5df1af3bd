//! The worst separation over the worst spread.

use std::ops::Range;

use ndarray::ArrayView2;

use super::panels::{Sorted, TASK, common_group};
use super::points::{Groups, Points};
use crate::error::{Error, Result};
use crate::panels::LANES;
use crate::parallel::map_blocks;
use crate::simd::{Arithmetic, Kernel, run};

/// Least distance between rows of different groups over the largest distance within a
/// group, from 0 up, more is better (Dunn 1974). `x` has shape (rows, features).
///
/// One customer out of place decides it, and on features of few values it only counts
/// ties: read it beside other scores. O(n² d) time, O(n d) memory.
///
/// ```
/// use segmenta::metrics::dunn_index;
/// use segmenta::ndarray::array;
///
/// let x = array![[0.0], [2.0], [6.0], [7.0]];
/// assert_eq!(dunn_index(x.view(), &['a', 'a', 'b', 'b'])?, 2.0);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the lengths differ or an element is not finite. Undefined for one group, for as
/// many groups as rows, and when the rows of each group are all equal.
pub fn dunn_index<L: Ord>(x: ArrayView2<'_, f64>, labels: &[L]) -> Result<f64> {
    let points = Points::new(&x)?;
    let groups = Groups::new(labels, points.n_rows())?;
    dunn_of(&points, &groups)
}

pub(super) fn dunn_of(points: &Points<'_>, groups: &Groups) -> Result<f64> {
    const WHAT: &str = "the Dunn index";
    groups.require_separable(WHAT)?;
    let sorted = &Sorted::new(points, groups);
    let extremes = map_blocks(points.n_rows(), TASK, |positions| {
        run(Extremes { sorted, positions })
    });
    let (mut nearest, mut widest) = (f64::INFINITY, 0.0);
    for (near, wide) in extremes {
        near.into_iter().for_each(|square| lower(&mut nearest, square));
        wide.into_iter().for_each(|square| raise(&mut widest, square));
    }
    if widest == 0.0 {
        return Err(Error::undefined(WHAT, "no group has any spread"));
    }
    let index = nearest.sqrt() / widest.sqrt();
    if !index.is_finite() {
        return Err(Error::undefined(WHAT, "the groups have next to no spread"));
    }
    Ok(index)
}

/// The least squared distance of the rows at some positions from rows of other groups, and
/// the largest from rows of their own: one of each a lane. Of the rows in panels before
/// theirs they see none.
struct Extremes<'a> {
    sorted: &'a Sorted<'a, 'a>,
    positions: Range<usize>,
}

impl Kernel for Extremes<'_> {
    type Output = ([f64; LANES], [f64; LANES]);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Self::Output {
        let Extremes { sorted, positions } = self;
        let owns = &sorted.codes[positions.clone()];
        // One of each a lane: comparing side by side is quicker than in turn.
        let (mut nearest, mut widest) = ([f64::INFINITY; LANES], [0.0; LANES]);
        // Every pair is seen from its earlier row, or from both.
        let first = positions.start / LANES;
        sorted.visit(positions, first, |place, codes, squares| {
            let own = owns[place];
            match common_group(codes) {
                Some(c) if c == own => {
                    for (widest, &square) in widest.iter_mut().zip(squares) {
                        raise(widest, square);
                    }
                }
                Some(_) => {
                    for (nearest, &square) in nearest.iter_mut().zip(squares) {
                        lower(nearest, square);
                    }
                }
                None => {
                    for (&c, &square) in codes.iter().zip(squares) {
                        if c == own {
                            raise(&mut widest[0], square);
                        } else {
                            lower(&mut nearest[0], square);
                        }
                    }
                }
            }
        });
        (nearest, widest)
    }
}

// Unlike `f64::max` and `f64::min` these need not think of NaN: there is none.

#[inline(always)]
fn raise(most: &mut f64, x: f64) {
    *most = if x > *most { x } else { *most };
}

#[inline(always)]
fn lower(least: &mut f64, x: f64) {
    *least = if x < *least { x } else { *least };
}
