//! Points that stand for segments, and the search for the nearest of them.

use crate::distance::squared_euclidean;

/// Points grouped by segment: one centroid each, or all members.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct References {
    p: usize,
    /// Row-major, the points of segment 0 first.
    points: Vec<f64>,
    /// For each segment the number of points up to its last one; ascending.
    ends: Vec<usize>,
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
        References { p, points, ends }
    }

    /// One point for each segment.
    pub(super) fn single(points: Vec<f64>, p: usize) -> References {
        let ends = (1..=points.len() / p).collect();
        References { p, points, ends }
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
