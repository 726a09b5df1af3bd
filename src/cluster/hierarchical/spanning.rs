//! Single linkage by a minimum spanning tree (Gower & Ross 1969), grown as Prim (1957)
//! does: memory for the rows only.

use super::step::{Step, Watch};
use crate::error::Result;

/// The edges of a minimum spanning tree of `n` rows, in the order in which the tree grows
/// from row 0; ties go to the lowest row outside the tree.
pub(super) fn spanning_tree(
    n: usize,
    distance: impl Fn(usize, usize) -> f64,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    let mut outside: Vec<Edge> =
        (1..n).map(|row| Edge { row, from: 0, distance: f64::INFINITY }).collect();
    let mut steps = Vec::with_capacity(n.saturating_sub(1));
    let mut newest = 0;
    while !outside.is_empty() {
        let (mut next, mut least) = (0, f64::INFINITY);
        for (at, edge) in outside.iter_mut().enumerate() {
            let distance = distance(newest, edge.row);
            if distance < edge.distance {
                (edge.from, edge.distance) = (newest, distance);
            }
            if edge.distance < least {
                (next, least) = (at, edge.distance);
            }
        }
        let edge = outside.remove(next);
        steps.push(Step { a: edge.from, b: edge.row, height: edge.distance });
        newest = edge.row;
        watch.step()?;
    }
    Ok(steps)
}

/// The shortest way from the tree to a row outside.
struct Edge {
    row: usize,
    from: usize,
    distance: f64,
}
