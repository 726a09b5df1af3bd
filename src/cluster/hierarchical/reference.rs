//! Points that stand for segments, and the search for the nearest of them.

use super::kd_tree::KdTree;
use crate::distance::squared_euclidean;

/// From so many points on a tree is searched.
const TREE_POINTS: usize = 64;

/// Points grouped by segment: one centroid each, or all members.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct References {
    p: usize,
    /// Row-major, the points of segment 0 first.
    points: Vec<f64>,
    /// For each segment the number of points up to its last one; ascending.
    ends: Vec<usize>,
    /// Of many points.
    tree: Option<KdTree>,
}

/// A point near a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near {
    pub(super) segment: usize,
    pub(super) point: usize,
    /// Squared distance.
    pub(super) cost: f64,
}

impl References {
    pub(super) fn new(points: Vec<f64>, ends: Vec<usize>, p: usize) -> References {
        let mut references = References { p, points, ends, tree: None };
        let n = references.ends.last().copied().unwrap_or(0);
        if n >= TREE_POINTS && u32::try_from(n).is_ok() {
            let segments = references.segments();
            references.tree = Some(KdTree::new(&references.points, &segments, p));
        }
        references
    }

    /// The segment of each point.
    fn segments(&self) -> Vec<u32> {
        let mut segments = Vec::with_capacity(self.ends.last().copied().unwrap_or(0));
        for (segment, &end) in (0..).zip(&self.ends) {
            segments.resize(end, segment);
        }
        segments
    }

    /// One point for each segment.
    pub(super) fn single(points: Vec<f64>, p: usize) -> References {
        let ends = (1..=points.len() / p).collect();
        References::new(points, ends, p)
    }

    pub(super) fn point(&self, at: usize) -> &[f64] {
        &self.points[at * self.p..(at + 1) * self.p]
    }

    pub(super) fn points(&self) -> &[f64] {
        &self.points
    }

    pub(super) fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// The nearest point, and the nearest one of another segment. Ties go to the first
    /// segment, then to its first point. `None` where no distance is a finite number, or
    /// where there is no other segment.
    pub(super) fn nearest_two(&self, row: &[f64]) -> (Option<Near>, Option<Near>) {
        self.tree.as_ref().map_or_else(|| self.scan(row), |tree| tree.nearest_two(row))
    }

    /// The segment of the nearest point; `None` where no distance is a finite number.
    pub(super) fn nearest_segment(&self, row: &[f64]) -> Option<u32> {
        match &self.tree {
            Some(tree) => tree.nearest_segment(row),
            None => self.scan(row).0.map(|near| near.segment as u32),
        }
    }

    fn scan(&self, row: &[f64]) -> (Option<Near>, Option<Near>) {
        let (mut best, mut next): (Option<Near>, Option<Near>) = (None, None);
        let mut point = 0;
        for (segment, &end) in self.ends.iter().enumerate() {
            while point < end {
                let cost = squared_euclidean(row, self.point(point));
                let near = Near { segment, point, cost };
                let other = best.filter(|best| best.segment != segment);
                if cost < best.map_or(f64::INFINITY, |best| best.cost) {
                    next = other.or(next);
                    best = Some(near);
                } else if other.is_some()
                    && cost < next.map_or(f64::INFINITY, |next| next.cost)
                {
                    next = Some(near);
                }
                point += 1;
            }
        }
        (best, next)
    }

    /// The squared distance of the nearest point of each segment.
    pub(super) fn costs(&self, row: &[f64]) -> Vec<f64> {
        let mut start = 0;
        self.ends
            .iter()
            .map(|&end| {
                let points = start..end;
                start = end;
                points
                    .map(|point| squared_euclidean(row, self.point(point)))
                    .fold(f64::INFINITY, f64::min)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a grid, so that distances tie.
    fn grid(n: usize, p: usize, seed: usize) -> Vec<f64> {
        (0..n * p).map(|i| ((i * 7919 + seed * 104_729) % 1013 % 9) as f64).collect()
    }

    #[test]
    fn a_tree_finds_what_a_scan_finds() {
        for (n, p, k) in [(64, 1, 1), (64, 2, 2), (100, 3, 7), (1000, 2, 40), (500, 5, 3)]
        {
            for scale in [1.0, 1e-3, 1e160] {
                let points: Vec<f64> =
                    grid(n, p, 1).into_iter().map(|x| x * scale + scale / 7.0).collect();
                let ends: Vec<usize> = (1..=k).map(|i| i * n / k).collect();
                let references = References::new(points.clone(), ends, p);
                assert!(references.tree.is_some());
                let mut rows: Vec<Vec<f64>> =
                    points.chunks_exact(p).map(<[f64]>::to_vec).collect();
                let others = grid(200, p, 2);
                rows.extend(
                    others
                        .chunks_exact(p)
                        .map(|row| row.iter().map(|x| (x * 1.3 - 2.0) * scale).collect()),
                );
                rows.extend([vec![f64::NAN; p], vec![f64::INFINITY; p], vec![1e200; p]]);
                for row in &rows {
                    let key = |near: Option<Near>| {
                        near.map(|n| (n.segment, n.point, n.cost.to_bits()))
                    };
                    let (best, next) = references.scan(row);
                    let found = references.nearest_two(row);
                    assert_eq!(key(found.0), key(best), "{row:?}");
                    assert_eq!(key(found.1), key(next), "{row:?}");
                    let segment = references.nearest_segment(row);
                    assert_eq!(segment, best.map(|near| near.segment as u32));
                }
            }
        }
    }
}
