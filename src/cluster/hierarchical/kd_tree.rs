//! Exact search for the nearest of many points: a k-d tree (Bentley 1975) whose nodes know
//! the box around their points (Friedman, Bentley & Finkel 1977).

use super::reference::Near;
use crate::simd::{self, Arithmetic, Kernel};

/// Points whose distances are computed at once.
const LANES: usize = 8;

/// A node of up to so many points is not divided.
const BUCKET: usize = 2 * LANES;

/// Nodes on the way down that are left for later; more than a tree of 2^32 points needs.
const DEPTH: usize = 40;

/// Marks a node whose points belong to several segments.
const SEVERAL: u32 = u32::MAX;

/// Points of segments. Of equally near points the first wins, as in a scan of all of them:
/// squared distances are the sums that a scan computes, to the bit, and the distance to a
/// box is rounded like those to the points inside, so that none of them is below it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KdTree {
    p: usize,
    nodes: Vec<Node>,
    /// For each node the least numbers of its columns, then the largest ones.
    boxes: Vec<f64>,
    /// The points of the leaves in groups of [`LANES`], inside a group column by column.
    groups: Vec<f64>,
    /// For each place in a group point and segment.
    places: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Node {
    /// The right child, the left one being the next node; 0 for a leaf.
    right: u32,
    /// The segment of all its points, or [`SEVERAL`].
    segment: u32,
    /// Its groups, if it is a leaf.
    start: u32,
    end: u32,
}

/// The nearest point, and the nearest one of another segment.
#[derive(Clone, Copy, Debug)]
struct Two {
    best: Near,
    next: Near,
}

const NONE: Near = Near { segment: usize::MAX, point: usize::MAX, cost: f64::INFINITY };

impl Two {
    /// Beyond this distance nothing in a node is of interest.
    #[inline(always)]
    fn reach<const NEXT: bool>(&self, segment: u32) -> f64 {
        if NEXT && segment as usize != self.best.segment {
            self.next.cost
        } else {
            self.best.cost
        }
    }

    #[inline(always)]
    fn meet(&mut self, near: Near) {
        let before = |other: &Near| {
            near.cost < other.cost
                || (near.cost == other.cost && near.point < other.point)
        };
        if before(&self.best) {
            if near.segment != self.best.segment {
                self.next = self.best;
            }
            self.best = near;
        } else if near.segment != self.best.segment && before(&self.next) {
            self.next = near;
        }
    }
}

impl KdTree {
    /// Of row-major finite points, at least one, each with its segment. `p` is at least 1.
    pub(super) fn new(points: &[f64], segments: &[u32], p: usize) -> KdTree {
        let mut tree = KdTree {
            p,
            nodes: Vec::new(),
            boxes: Vec::new(),
            groups: Vec::new(),
            places: Vec::new(),
        };
        let mut order: Vec<u32> = (0..segments.len() as u32).collect();
        tree.build(points, segments, &mut order);
        tree
    }

    fn build(&mut self, points: &[f64], segments: &[u32], order: &mut [u32]) {
        let p = self.p;
        let at = self.nodes.len();
        let first = order.first().map_or(SEVERAL, |&i| segments[i as usize]);
        let uniform = order.iter().all(|&i| segments[i as usize] == first);
        let segment = if uniform { first } else { SEVERAL };
        self.nodes.push(Node { right: 0, segment, start: 0, end: 0 });
        let (mut low, mut high) = (vec![f64::INFINITY; p], vec![f64::NEG_INFINITY; p]);
        for &i in order.iter() {
            let point = &points[i as usize * p..][..p];
            for (x, (low, high)) in point.iter().zip(low.iter_mut().zip(&mut high)) {
                (*low, *high) = (low.min(*x), high.max(*x));
            }
        }
        let range = |j: usize| high[j] - low[j];
        let widest = (0..p).fold(0, |a, b| if range(b) > range(a) { b } else { a });
        self.boxes.extend(low.iter().chain(&high));
        if order.len() <= BUCKET {
            order.sort_unstable();
            self.fill(points, segments, order, at);
            return;
        }
        let middle = order.len() / 2;
        let key = |i: &u32| points[*i as usize * p + widest];
        order.select_nth_unstable_by(middle, |a, b| {
            key(a).total_cmp(&key(b)).then(a.cmp(b))
        });
        let (left, right) = order.split_at_mut(middle);
        self.build(points, segments, left);
        self.nodes[at].right = self.nodes.len() as u32;
        self.build(points, segments, right);
    }

    /// Puts the points of a leaf into groups. Places without a point are infinitely far.
    fn fill(&mut self, points: &[f64], segments: &[u32], order: &[u32], at: usize) {
        let p = self.p;
        self.nodes[at].start = (self.places.len() / LANES) as u32;
        for group in order.chunks(LANES) {
            for j in 0..p {
                for lane in 0..LANES {
                    let number = |&i: &u32| points[i as usize * p + j];
                    self.groups.push(group.get(lane).map_or(f64::INFINITY, number));
                }
            }
            for lane in 0..LANES {
                let place = |&i: &u32| (i, segments[i as usize]);
                self.places.push(group.get(lane).map_or((SEVERAL, SEVERAL), place));
            }
        }
        self.nodes[at].end = (self.places.len() / LANES) as u32;
    }

    /// The nearest point, and the nearest one of another segment. `None` where no distance
    /// is a finite number, or where there is no other segment.
    pub(super) fn nearest_two(&self, row: &[f64]) -> (Option<Near>, Option<Near>) {
        let two = simd::run(Search::<true> { tree: self, row });
        let some = |near: Near| (near.cost < f64::INFINITY).then_some(near);
        (some(two.best), some(two.next))
    }

    /// The segment of the nearest point; `None` where no distance is a finite number.
    pub(super) fn nearest_segment(&self, row: &[f64]) -> Option<u32> {
        let best = simd::run(Search::<false> { tree: self, row }).best;
        (best.cost < f64::INFINITY).then_some(best.segment as u32)
    }

    /// At most the squared distance to any point of a node.
    #[inline(always)]
    fn bound(&self, node: usize, row: &[f64]) -> f64 {
        let (low, high) = self.boxes[node * 2 * self.p..][..2 * self.p].split_at(self.p);
        let mut sum = 0.0;
        for (x, (low, high)) in row.iter().zip(low.iter().zip(high)) {
            let (below, above) = (low - x, x - high);
            let outside = if below > above { below } else { above };
            let outside = if outside > 0.0 { outside } else { 0.0 };
            sum += outside * outside;
        }
        sum
    }
}

struct Search<'t, const NEXT: bool> {
    tree: &'t KdTree,
    row: &'t [f64],
}

impl<const NEXT: bool> Kernel for Search<'_, NEXT> {
    type Output = Two;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Two {
        let Search { tree, row } = self;
        let mut two = Two { best: NONE, next: NONE };
        let mut later = [(0.0, 0_usize); DEPTH];
        let mut n_later = 0;
        let mut at = 0;
        loop {
            let node = tree.nodes[at];
            if node.right == 0 {
                tree.leaf(node, row, &mut two);
                at = loop {
                    if n_later == 0 {
                        return two;
                    }
                    n_later -= 1;
                    let (bound, node) = later[n_later];
                    if bound <= two.reach::<NEXT>(tree.nodes[node].segment) {
                        break node;
                    }
                };
                continue;
            }
            let (left, right) = (at + 1, node.right as usize);
            let bounds = (tree.bound(left, row), tree.bound(right, row));
            let (near, far, bound) = if bounds.1 < bounds.0 {
                (right, left, bounds.0)
            } else {
                (left, right, bounds.1)
            };
            if bound <= two.reach::<NEXT>(tree.nodes[far].segment) {
                later[n_later] = (bound, far);
                n_later += 1;
            }
            at = near;
        }
    }
}

impl KdTree {
    #[inline(always)]
    fn leaf(&self, node: Node, row: &[f64], two: &mut Two) {
        let size = LANES * self.p;
        for g in node.start as usize..node.end as usize {
            let group = &self.groups[g * size..][..size];
            let mut sums = [0.0; LANES];
            for (&value, lanes) in row.iter().zip(group.as_chunks::<LANES>().0) {
                for lane in 0..LANES {
                    let difference = value - lanes[lane];
                    sums[lane] += difference * difference;
                }
            }
            for (cost, &(point, segment)) in
                sums.into_iter().zip(&self.places[g * LANES..])
            {
                if cost <= two.next.cost && cost < f64::INFINITY {
                    let (segment, point) = (segment as usize, point as usize);
                    two.meet(Near { segment, point, cost });
                }
            }
        }
    }
}
