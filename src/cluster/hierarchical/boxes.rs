//! Points in nested boxes, and the search for the nearest of them.
//!
//! The points are put into the order of a kd-tree (Bentley 1975): a range is split at the
//! median of its widest column, until [`LEAF`] points are left. Each [`LEAF`] successive
//! points are a leaf, each [`FAN`] successive leaves a node, each [`FAN`] of those a node
//! again, as in a packed R-tree (Kamel & Faloutsos 1993). So a node needs no pointers, and
//! points and boxes stand in fixed lanes, which the compiler turns into vectors.
//!
//! Splits fall on multiples of whole nodes. Places stay where they are: a point may be
//! taken out or moved, and then the boxes above are fitted again.

use crate::parallel;

/// Points in a leaf.
pub(super) const LEAF: usize = 16;

/// Children of a node.
pub(super) const FAN: usize = 8;

/// Ranges up to so many points are ordered on one thread.
const ALONE: usize = 1 << 13;

/// A coordinate at a place without a point.
const NOWHERE: f64 = f64::INFINITY;

#[derive(Debug)]
pub(super) struct Boxes {
    p: usize,
    n_leaves: usize,
    /// For each leaf and column the coordinates of its points.
    points: Vec<[f64; LEAF]>,
    /// For each level from the leaves upward, each node and column, the least and the
    /// greatest coordinate in each child.
    levels: Vec<Vec<[f64; FAN]>>,
}

/// What is sought, and which parts of the tree need not be looked at.
pub(super) trait Search {
    /// Children and points beyond this bound are of no use.
    fn limit(&self) -> f64;

    /// Turns the squared distances of a node's children into lower bounds. NaN leaves a
    /// child out.
    fn weigh(&self, level: usize, node: usize, bounds: &mut [f64; FAN]);

    /// Looks at the points of a leaf, whose squared distances are given; places without a
    /// point are infinitely far.
    fn look(&mut self, leaf: usize, squared: &[f64; LEAF]);
}

/// A node or leaf still to be looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    bound: f64,
    level: u32,
    child: u32,
}

impl Boxes {
    /// The tree of `n` points of `p` columns in the order of [`order`].
    pub(super) fn new<'x>(n: usize, p: usize, row: impl Fn(usize) -> &'x [f64]) -> Boxes {
        let n_leaves = n.div_ceil(LEAF);
        let mut points = vec![[NOWHERE; LEAF]; n_leaves * p];
        for place in 0..n {
            let leaf = &mut points[place / LEAF * p..][..p];
            for (lanes, &x) in leaf.iter_mut().zip(row(place)) {
                lanes[place % LEAF] = x;
            }
        }
        let mut levels = Vec::new();
        let mut nodes = n_leaves;
        while nodes > 1 {
            nodes = nodes.div_ceil(FAN);
            let empty = [[f64::INFINITY; FAN], [f64::NEG_INFINITY; FAN]];
            levels.push(empty.repeat(nodes * p));
        }
        let mut boxes = Boxes { p, n_leaves, points, levels };
        for level in 0..boxes.n_levels() {
            (0..boxes.n_children(level)).for_each(|child| boxes.fit(level, child));
        }
        boxes
    }

    /// Bytes for so many points.
    pub(super) fn memory(n: usize, p: usize) -> u128 {
        let (n, p) = (n as u128, p as u128);
        let number = size_of::<f64>() as u128;
        // each level has an eighth of the nodes of the one below
        let leaves = n.div_ceil(LEAF as u128);
        let children = leaves + leaves.div_ceil(FAN as u128 - 1) + 64;
        let points = leaves * LEAF as u128;
        p.saturating_mul(points.saturating_add(2 * children)).saturating_mul(number)
    }

    pub(super) fn n_leaves(&self) -> usize {
        self.n_leaves
    }

    pub(super) fn n_levels(&self) -> usize {
        self.levels.len()
    }

    /// How many children the nodes of a level have together: leaves at level 0.
    pub(super) fn n_children(&self, level: usize) -> usize {
        match level {
            0 => self.n_leaves,
            _ => self.levels[level - 1].len() / (2 * self.p),
        }
    }

    /// The least and the greatest coordinates of all points.
    pub(super) fn bounds(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut low, mut high) =
            (vec![f64::INFINITY; self.p], vec![f64::NEG_INFINITY; self.p]);
        for leaf in self.points.chunks_exact(self.p) {
            for ((low, high), lanes) in low.iter_mut().zip(&mut high).zip(leaf) {
                for &x in lanes.iter().filter(|&&x| x < NOWHERE) {
                    (*low, *high) = (low.min(x), high.max(x));
                }
            }
        }
        (low, high)
    }

    /// Copies a point.
    #[inline(always)]
    pub(super) fn read(&self, place: usize, point: &mut [f64]) {
        let leaf = &self.points[place / LEAF * self.p..][..self.p];
        for (x, lanes) in point.iter_mut().zip(leaf) {
            *x = lanes[place % LEAF];
        }
    }

    /// Puts a point where another one or none was. The boxes are not fitted.
    pub(super) fn write(&mut self, place: usize, point: &[f64]) {
        let leaf = &mut self.points[place / LEAF * self.p..][..self.p];
        for (lanes, &x) in leaf.iter_mut().zip(point) {
            lanes[place % LEAF] = x;
        }
    }

    /// Takes a point out. The boxes are not fitted.
    pub(super) fn remove(&mut self, place: usize) {
        let leaf = &mut self.points[place / LEAF * self.p..][..self.p];
        leaf.iter_mut().for_each(|lanes| lanes[place % LEAF] = NOWHERE);
    }

    /// Fits the box of a child of a level to what is in it.
    pub(super) fn fit(&mut self, level: usize, child: usize) {
        let (node, lane) = (child / FAN, child % FAN);
        let (below, above) = self.levels.split_at_mut(level);
        let sides = &mut above[0][node * 2 * self.p..][..2 * self.p];
        for (j, side) in sides.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            match below.last() {
                None => {
                    for &x in &self.points[child * self.p + j] {
                        low = if x < low { x } else { low };
                        high = if x > high && x < NOWHERE { x } else { high };
                    }
                }
                Some(below) => {
                    let at = (child * self.p + j) * 2;
                    low = below[at].iter().copied().fold(low, f64::min);
                    high = below[at + 1].iter().copied().fold(high, f64::max);
                }
            }
            (side[0][lane], side[1][lane]) = (low, high);
        }
    }

    /// Squared distances from the points of a leaf: the bits of
    /// [`squared_euclidean`](crate::distance::squared_euclidean).
    #[inline(always)]
    pub(super) fn squared(&self, leaf: usize, point: &[f64]) -> [f64; LEAF] {
        let mut sums = [0.0; LEAF];
        let columns = &self.points[leaf * self.p..][..self.p];
        for (lanes, &x) in columns.iter().zip(point) {
            for lane in 0..LEAF {
                let apart = x - lanes[lane];
                sums[lane] += apart * apart;
            }
        }
        sums
    }

    /// The squared distance from one place: the same bits.
    #[inline(always)]
    pub(super) fn squared_at(&self, place: usize, point: &[f64]) -> f64 {
        let columns = &self.points[place / LEAF * self.p..][..self.p];
        let mut sum = 0.0;
        for (lanes, &x) in columns.iter().zip(point) {
            let apart = x - lanes[place % LEAF];
            sum += apart * apart;
        }
        sum
    }

    /// Squared distances from the boxes of a node's children. None is greater than the
    /// squared distance of a point inside, with the rounding of both: each operation is
    /// monotone, and they come in the same order.
    #[inline(always)]
    fn to_boxes(&self, level: usize, node: usize, point: &[f64]) -> [f64; FAN] {
        let mut sums = [0.0; FAN];
        let sides = &self.levels[level][node * 2 * self.p..][..2 * self.p];
        for (side, &x) in sides.as_chunks::<2>().0.iter().zip(point) {
            for lane in 0..FAN {
                let (below, above) = (side[0][lane] - x, x - side[1][lane]);
                let outside = if below > above { below } else { above };
                let outside = if outside > 0.0 { outside } else { 0.0 };
                sums[lane] += outside * outside;
            }
        }
        sums
    }

    /// Shows `search` the leaf `from` and all others whose bounds are within its limit:
    /// first what is in the same node, then what is in the node above, and so on, the
    /// nearest children first.
    #[inline(always)]
    pub(super) fn search<S: Search>(
        &self,
        from: usize,
        point: &[f64],
        search: &mut S,
        branches: &mut Vec<Branch>,
    ) {
        search.look(from, &self.squared(from, point));
        let mut done = from;
        for level in 0..self.levels.len() {
            let node = done / FAN;
            let mut bounds = self.to_boxes(level, node, point);
            search.weigh(level, node, &mut bounds);
            bounds[done % FAN] = f64::NAN;
            push(branches, level, node, &bounds, search.limit());
            while let Some(branch) = branches.pop() {
                if branch.bound > search.limit() {
                    continue;
                }
                let child = branch.child as usize;
                match (branch.level as usize).checked_sub(1) {
                    None => search.look(child, &self.squared(child, point)),
                    Some(level) => {
                        let mut bounds = self.to_boxes(level, child, point);
                        search.weigh(level, child, &mut bounds);
                        push(branches, level, child, &bounds, search.limit());
                    }
                }
            }
            done = node;
        }
    }
}

/// Puts the children within the limit on top of the branches, the nearest last.
#[inline(always)]
fn push(
    branches: &mut Vec<Branch>,
    level: usize,
    node: usize,
    bounds: &[f64; FAN],
    limit: f64,
) {
    let base = branches.len();
    let mut within = mask(bounds, limit);
    while within != 0 {
        let lane = within.trailing_zeros() as usize;
        within &= within - 1;
        let child = (node * FAN + lane) as u32;
        branches.push(Branch { bound: bounds[lane], level: level as u32, child });
        let mut at = branches.len() - 1;
        while at > base && branches[at - 1].bound < branches[at].bound {
            branches.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// A bit for each number up to the limit.
#[inline(always)]
pub(super) fn mask<const N: usize>(numbers: &[f64; N], limit: f64) -> u32 {
    let mut bits = 0;
    for (lane, &number) in numbers.iter().enumerate() {
        bits |= u32::from(number <= limit) << lane;
    }
    bits
}

/// Tells of each node or leaf whose content changed, once, from the leaves upward.
/// `places` are ascending.
pub(super) fn for_each_above(
    boxes: &mut Boxes,
    places: impl Iterator<Item = usize>,
    mut changed: impl FnMut(&mut Boxes, usize, usize),
) {
    let mut children: Vec<usize> = places.map(|place| place / LEAF).collect();
    for level in 0..boxes.n_levels() {
        children.dedup();
        for child in &mut children {
            boxes.fit(level, *child);
            changed(boxes, level, *child);
            *child /= FAN;
        }
    }
}

/// The rows of `x`, which has `p` columns, in the order of the tree.
pub(super) fn order(x: &[f64], p: usize) -> Vec<u32> {
    let n = x.len() / p;
    let mut keyed: Vec<(f64, u32)> = (0..n as u32).map(|row| (0.0, row)).collect();
    let mut capacity = LEAF;
    while capacity < n {
        capacity *= FAN;
    }
    split(&mut keyed, x, p, capacity);
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Orders rows that fill nodes of a capacity, all but the last one fully.
fn split(rows: &mut [(f64, u32)], x: &[f64], p: usize, mut capacity: usize) {
    while rows.len() <= capacity {
        if capacity == LEAF {
            return;
        }
        capacity /= FAN;
    }
    let middle = rows.len().div_ceil(capacity) / 2 * capacity;
    let j = widest(rows, x, p);
    for (key, row) in rows.iter_mut() {
        *key = x[*row as usize * p + j];
    }
    rows.select_nth_unstable_by(middle, |a, b| a.0.total_cmp(&b.0));
    let n = rows.len();
    let (low, high) = rows.split_at_mut(middle);
    let mut low = || split(low, x, p, capacity);
    let mut high = || split(high, x, p, capacity);
    if n > ALONE {
        parallel::join(low, high);
    } else {
        low();
        high();
    }
}

/// The column of the widest range.
fn widest(rows: &[(f64, u32)], x: &[f64], p: usize) -> usize {
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); p];
    for &(_, row) in rows {
        let row = &x[row as usize * p..][..p];
        for ((low, high), &x) in ranges.iter_mut().zip(row) {
            *low = if x < *low { x } else { *low };
            *high = if x > *high { x } else { *high };
        }
    }
    let width = |j: usize| ranges[j].1 - ranges[j].0;
    (0..p).fold(0, |best, j| if width(j) > width(best) { j } else { best })
}
