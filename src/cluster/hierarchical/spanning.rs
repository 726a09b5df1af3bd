//! Single linkage by a minimum spanning tree (Gower & Ross 1969): memory for the rows only.
//!
//! Edges are in a strict order: by distance, then by their lower row, then by their other
//! row; equal rows come first of all. So the tree is the same, whichever algorithm finds
//! it, and the merges are its edges in this order.

use super::boruvka::{self, boruvka};
use super::distinct::Distinct;
use super::prim::{self, Given, Squared, prim};
use super::step::{Step, Watch};
use crate::error::Result;

/// Up to so many columns, boxes leave enough unseen.
const FEW_COLUMNS: usize = 12;

/// Two rows and their distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    distance: f64,
    low: u32,
    high: u32,
}

impl Edge {
    #[inline(always)]
    pub(super) fn new(a: u32, b: u32, distance: f64) -> Edge {
        Edge { distance, low: a.min(b), high: a.max(b) }
    }

    #[inline(always)]
    pub(super) fn distance(&self) -> f64 {
        self.distance
    }

    #[inline(always)]
    pub(super) fn precedes(&self, other: &Edge) -> bool {
        self.distance < other.distance
            || self.distance == other.distance
                && (self.low, self.high) < (other.low, other.high)
    }
}

/// Bytes that single linkage takes, steps included.
pub(super) fn memory(n: usize, p: usize) -> u128 {
    let number = size_of::<f64>() as u128;
    let copy = (n as u128 * p as u128).saturating_mul(number);
    let tree = boruvka::memory(n, p).max(prim::memory(n, p));
    copy.saturating_add(tree).saturating_add(n as u128 * Distinct::MEMORY)
}

/// All merges of the rows of `x`, which has `p` columns, in order. Heights are squared.
pub(super) fn spanning_tree(
    x: &[f64],
    p: usize,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    let Distinct { rows, repeats } = Distinct::new(x, p);
    let mut steps = Vec::with_capacity((x.len() / p).saturating_sub(1));
    for &(first, row) in &repeats {
        steps.push(Step { a: first as usize, b: row as usize, height: 0.0 });
        watch.step()?;
    }
    steps.sort_unstable_by_key(|step| (step.a, step.b));
    let gathered: Vec<f64>;
    let x = if repeats.is_empty() {
        x
    } else {
        let distinct = rows.iter().flat_map(|&row| &x[row as usize * p..][..p]);
        gathered = distinct.copied().collect();
        &gathered
    };
    let edges = if p <= FEW_COLUMNS {
        boruvka(x, p, &rows, watch)?
    } else {
        prim(&rows, Squared::new(x, p), watch)?
    };
    steps.extend(in_order(edges));
    Ok(steps)
}

/// All merges of `n` things of given distances, in order.
pub(super) fn spanning_tree_of(
    condensed: &[f64],
    n: usize,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    let rows: Vec<u32> = (0..n as u32).collect();
    Ok(in_order(prim(&rows, Given { condensed, n }, watch)?).collect())
}

/// The merges that a minimum spanning tree stands for.
fn in_order(mut edges: Vec<Edge>) -> impl Iterator<Item = Step> {
    edges.sort_unstable_by(|a, b| {
        let rows = || (a.low, a.high).cmp(&(b.low, b.high));
        a.distance.total_cmp(&b.distance).then_with(rows)
    });
    edges.into_iter().map(|edge| Step {
        a: edge.low as usize,
        b: edge.high as usize,
        height: edge.distance,
    })
}
