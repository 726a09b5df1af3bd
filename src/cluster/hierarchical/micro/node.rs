//! The nodes of a tree of cluster features, and the way of an entry into them.

use serde::{Deserialize, Serialize};

use super::feature::{increase, pull};
use super::options::{Absorb, CfOptions};
use super::tree::Ranges;
use crate::distance::squared_euclidean;
use crate::simd::{self, Arithmetic, Kernel};

/// Entries whose distances are computed at once.
const LANES: usize = 8;

/// A cluster feature on its way into a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) weight: f64,
    pub(super) mean: &'a [f64],
    pub(super) deviation: f64,
}

/// All nodes of a tree, in lists: place `node * stride + slot` is an entry.
///
/// All nodes without children have the same depth. An entry of a node above stands for all
/// micro-clusters below its child; its deviation is not kept, since nothing asks for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nodes {
    p: usize,
    /// Places of a node: a multiple of [`LANES`].
    stride: usize,
    /// In groups of [`LANES`] places, inside a group column by column. Free places have
    /// infinite means, to which nothing is near.
    means: Vec<f64>,
    weights: Vec<f64>,
    /// 0 above the leaves.
    deviations: Vec<f64>,
    /// 0 in the leaves.
    children: Vec<u32>,
    /// How many places of a node are taken.
    lens: Vec<u32>,
    root: usize,
    /// Levels below the root.
    depth: usize,
    n_entries: usize,
    /// Node and slot at each level of a descent; empty between descents.
    path: Vec<(usize, usize)>,
}

/// The entries of a node that is split, and one more.
struct Pool {
    weights: Vec<f64>,
    /// Row-major.
    means: Vec<f64>,
    deviations: Vec<f64>,
    children: Vec<u32>,
}

impl Nodes {
    /// A tree of one empty leaf. `p` is at least 1.
    pub(super) fn new(p: usize, options: &CfOptions) -> Nodes {
        let stride = Nodes::stride(options);
        let mut nodes = Nodes {
            p,
            stride,
            means: Vec::new(),
            weights: Vec::new(),
            deviations: Vec::new(),
            children: Vec::new(),
            lens: Vec::new(),
            root: 0,
            depth: 0,
            n_entries: 0,
            path: Vec::new(),
        };
        nodes.add_node();
        nodes
    }

    fn stride(options: &CfOptions) -> usize {
        options.branches().max(options.leaves()).next_multiple_of(LANES)
    }

    pub(super) fn n_entries(&self) -> usize {
        self.n_entries
    }

    fn add_node(&mut self) -> usize {
        let node = self.lens.len();
        let places = (node + 1) * self.stride;
        self.means.resize(places * self.p, f64::INFINITY);
        self.weights.resize(places, 0.0);
        self.deviations.resize(places, 0.0);
        self.children.resize(places, 0);
        self.lens.push(0);
        node
    }

    /// The numbers of the mean at a place.
    fn mean_mut(&mut self, node: usize, slot: usize) -> impl Iterator<Item = &mut f64> {
        let start = node * self.stride * self.p;
        let group = start + slot / LANES * LANES * self.p + slot % LANES;
        self.means[group..].iter_mut().step_by(LANES).take(self.p)
    }

    fn mean(&self, node: usize, slot: usize) -> impl Iterator<Item = f64> {
        let start = node * self.stride * self.p;
        let group = start + slot / LANES * LANES * self.p + slot % LANES;
        self.means[group..].iter().step_by(LANES).take(self.p).copied()
    }

    fn put(&mut self, node: usize, slot: usize, entry: Entry<'_>, child: u32) {
        let place = node * self.stride + slot;
        self.weights[place] = entry.weight;
        self.deviations[place] = entry.deviation;
        self.children[place] = child;
        for (to, from) in self.mean_mut(node, slot).zip(entry.mean) {
            *to = *from;
        }
    }

    /// Adds to the weight and moves the mean; the deviation is left to the caller.
    fn absorb(&mut self, node: usize, slot: usize, entry: Entry<'_>) {
        let place = node * self.stride + slot;
        let weight = self.weights[place] + entry.weight;
        self.weights[place] = weight;
        pull(self.mean_mut(node, slot), entry.mean, entry.weight / weight);
    }

    /// Puts an entry into the tree: into the micro-cluster that the descent to the nearest
    /// means ends at, if the criterion allows, else beside it.
    pub(super) fn insert(
        &mut self,
        entry: Entry<'_>,
        options: &CfOptions,
        squared_threshold: f64,
    ) {
        if self.n_entries == 0 {
            self.put(self.root, 0, entry, 0);
            self.lens[self.root] = 1;
            self.n_entries = 1;
            return;
        }
        let mut path = std::mem::take(&mut self.path);
        let square = simd::run(Descent { nodes: self, x: entry.mean, path: &mut path });
        if let Some((&(leaf, slot), above)) = path.split_last() {
            let place = leaf * self.stride + slot;
            let own = (self.weights[place], self.deviations[place]);
            let other = (entry.weight, entry.deviation);
            let cost = options.criterion().cost(own, other, square);
            if cost <= squared_threshold {
                let grown = increase(own.0, other.0, square);
                self.deviations[place] = own.1 + other.1 + grown;
                self.absorb(leaf, slot, entry);
                above.iter().for_each(|&(node, slot)| self.absorb(node, slot, entry));
            } else {
                self.add(leaf, above, entry, options);
                self.n_entries += 1;
            }
        }
        path.clear();
        self.path = path;
    }

    /// A new micro-cluster in a leaf, which is split if it is full; then so may be the
    /// nodes above.
    fn add(
        &mut self,
        leaf: usize,
        above: &[(usize, usize)],
        entry: Entry<'_>,
        options: &CfOptions,
    ) {
        let mut split = self.add_to(leaf, entry, 0, options.leaves());
        for &(node, slot) in above.iter().rev() {
            split = match split {
                None => {
                    self.absorb(node, slot, entry);
                    None
                }
                Some(sibling) => {
                    let child = self.children[node * self.stride + slot];
                    let mut mean = vec![0.0; self.p];
                    let weight = self.sum(child as usize, &mut mean);
                    let sum = Entry { weight, mean: &mean, deviation: 0.0 };
                    self.put(node, slot, sum, child);
                    let weight = self.sum(sibling as usize, &mut mean);
                    let sum = Entry { weight, mean: &mean, deviation: 0.0 };
                    self.add_to(node, sum, sibling, options.branches())
                }
            };
        }
        if let Some(sibling) = split {
            let root = self.add_node();
            for (slot, child) in [self.root as u32, sibling].into_iter().enumerate() {
                let mut mean = vec![0.0; self.p];
                let weight = self.sum(child as usize, &mut mean);
                self.put(
                    root,
                    slot,
                    Entry { weight, mean: &mean, deviation: 0.0 },
                    child,
                );
            }
            self.lens[root] = 2;
            self.root = root;
            self.depth += 1;
        }
    }

    /// An entry more in a node. A full node is split, and its new sibling returned.
    fn add_to(
        &mut self,
        node: usize,
        entry: Entry<'_>,
        child: u32,
        capacity: usize,
    ) -> Option<u32> {
        let len = self.lens[node] as usize;
        if len < capacity {
            self.put(node, len, entry, child);
            self.lens[node] += 1;
            return None;
        }
        let pool = self.take(node, entry, child);
        let goes = pool.split(self.p);
        let sibling = self.add_node();
        for (i, &goes) in goes.iter().enumerate() {
            let node = if goes { sibling } else { node };
            let slot = self.lens[node] as usize;
            let entry = Entry {
                weight: pool.weights[i],
                mean: &pool.means[i * self.p..][..self.p],
                deviation: pool.deviations[i],
            };
            self.put(node, slot, entry, pool.children[i]);
            self.lens[node] += 1;
        }
        Some(sibling as u32)
    }

    /// Empties a node; its entries and one more.
    fn take(&mut self, node: usize, entry: Entry<'_>, child: u32) -> Pool {
        let len = self.lens[node] as usize;
        let places = node * self.stride..node * self.stride + len;
        let mut pool = Pool {
            weights: self.weights[places.clone()].to_vec(),
            means: (0..len).flat_map(|slot| self.mean(node, slot)).collect(),
            deviations: self.deviations[places.clone()].to_vec(),
            children: self.children[places].to_vec(),
        };
        pool.weights.push(entry.weight);
        pool.means.extend(entry.mean);
        pool.deviations.push(entry.deviation);
        pool.children.push(child);
        let places = node * self.stride..(node + 1) * self.stride;
        self.means[places.start * self.p..places.end * self.p].fill(f64::INFINITY);
        self.weights[places.clone()].fill(0.0);
        self.deviations[places.clone()].fill(0.0);
        self.children[places].fill(0);
        self.lens[node] = 0;
        pool
    }

    /// The weight and the mean of all entries of a node.
    fn sum(&self, node: usize, mean: &mut [f64]) -> f64 {
        let mut weight = 0.0;
        for slot in 0..self.lens[node] as usize {
            let more = self.weights[node * self.stride + slot];
            weight += more;
            let share = more / weight;
            for (sum, x) in mean.iter_mut().zip(self.mean(node, slot)) {
                *sum = if slot == 0 { x } else { *sum + share * (x - *sum) };
            }
        }
        weight
    }

    /// The leaves from left to right.
    fn leaves(&self) -> Vec<usize> {
        let mut level = vec![self.root];
        for _ in 0..self.depth {
            level = level.iter().flat_map(|&node| self.children_of(node)).collect();
        }
        level
    }

    fn children_of(&self, node: usize) -> impl Iterator<Item = usize> {
        let places = node * self.stride..node * self.stride + self.lens[node] as usize;
        self.children[places].iter().map(|&child| child as usize)
    }

    /// Visits the micro-clusters from left to right.
    pub(super) fn each(&self, mut visit: impl FnMut(Entry<'_>)) {
        let mut mean = Vec::with_capacity(self.p);
        for leaf in self.leaves() {
            for slot in 0..self.lens[leaf] as usize {
                mean.clear();
                mean.extend(self.mean(leaf, slot));
                let place = leaf * self.stride + slot;
                let (weight, deviation) = (self.weights[place], self.deviations[place]);
                visit(Entry { weight, mean: &mean, deviation });
            }
        }
    }

    /// For each micro-cluster that is not alone in its leaf the cost of its cheapest merge
    /// there.
    pub(super) fn cheapest_merges(&self, absorb: Absorb) -> Vec<f64> {
        let mut costs = Vec::with_capacity(self.n_entries);
        for leaf in self.leaves() {
            let len = self.lens[leaf] as usize;
            let means: Vec<f64> =
                (0..len).flat_map(|slot| self.mean(leaf, slot)).collect();
            let mut cheapest = vec![f64::INFINITY; len];
            let moments = |i: usize| {
                let place = leaf * self.stride + i;
                (self.weights[place], self.deviations[place])
            };
            for i in 1..len {
                for j in 0..i {
                    let square = squared_euclidean(
                        &means[i * self.p..][..self.p],
                        &means[j * self.p..][..self.p],
                    );
                    let cost = absorb.cost(moments(i), moments(j), square);
                    cheapest[i] = cheapest[i].min(cost);
                    cheapest[j] = cheapest[j].min(cost);
                }
            }
            if len > 1 {
                costs.extend(cheapest);
            }
        }
        costs
    }
}

impl Pool {
    /// Which entries go to the sibling: those nearer to the second of the two entries that
    /// are farthest apart.
    fn split(&self, p: usize) -> Vec<bool> {
        let mean = |i: usize| &self.means[i * p..][..p];
        let (mut first, mut second, mut farthest) = (0, 1, -1.0);
        for i in 1..self.weights.len() {
            for j in 0..i {
                let square = squared_euclidean(mean(i), mean(j));
                if square > farthest {
                    (first, second, farthest) = (j, i, square);
                }
            }
        }
        let nearer = |i: usize| {
            squared_euclidean(mean(i), mean(second))
                < squared_euclidean(mean(i), mean(first))
        };
        (0..self.weights.len())
            .map(|i| i == second || (i != first && nearer(i)))
            .collect()
    }
}

/// From the root to the nearest entry of a leaf; the squared distance to it.
struct Descent<'a> {
    nodes: &'a Nodes,
    x: &'a [f64],
    path: &'a mut Vec<(usize, usize)>,
}

impl Kernel for Descent<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> f64 {
        let nodes = self.nodes;
        let size = nodes.stride * nodes.p;
        let mut node = nodes.root;
        let mut level = 0;
        loop {
            let len = nodes.lens[node] as usize;
            let means = &nodes.means[node * size..][..size];
            let (slot, square) = nearest(means, self.x, len.div_ceil(LANES));
            self.path.push((node, slot));
            if level == nodes.depth {
                return square;
            }
            node = nodes.children[node * nodes.stride + slot] as usize;
            level += 1;
        }
    }
}

/// The nearest of the entries in the first groups of a node: the first at the least
/// squared distance.
#[inline(always)]
fn nearest(means: &[f64], x: &[f64], n_groups: usize) -> (usize, f64) {
    let (mut best, mut group_of) = ([f64::INFINITY; LANES], [0_u64; LANES]);
    let groups = means.chunks_exact(LANES * x.len()).take(n_groups);
    for (g, group) in (0_u64..).zip(groups) {
        let mut sums = [0.0; LANES];
        for (&value, lanes) in x.iter().zip(group.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                let difference = value - lanes[lane];
                sums[lane] += difference * difference;
            }
        }
        for lane in 0..LANES {
            let nearer = sums[lane] < best[lane];
            best[lane] = if nearer { sums[lane] } else { best[lane] };
            group_of[lane] = if nearer { g } else { group_of[lane] };
        }
    }
    let place = |lane: usize| group_of[lane] as usize * LANES + lane;
    let mut first = 0;
    for lane in 1..LANES {
        if best[lane] < best[first]
            || (best[lane] == best[first] && place(lane) < place(first))
        {
            first = lane;
        }
    }
    (place(first), best[first])
}

/// A node on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeRepr {
    weights: Vec<f64>,
    /// Row-major.
    means: Vec<f64>,
    /// In leaves only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deviations: Vec<f64>,
    /// Above the leaves only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<u32>,
}

impl Nodes {
    /// The nodes, the number of the root, and the levels below it.
    pub(super) fn to_repr(&self) -> (Vec<NodeRepr>, usize, usize) {
        let mut is_leaf = vec![false; self.lens.len()];
        self.leaves().into_iter().for_each(|leaf| is_leaf[leaf] = true);
        let node = |(node, is_leaf): (usize, bool)| {
            let len = self.lens[node] as usize;
            let places = node * self.stride..node * self.stride + len;
            let none = places.start..places.start;
            let (leaf, inner) =
                if is_leaf { (places.clone(), none) } else { (none, places.clone()) };
            NodeRepr {
                weights: self.weights[places].to_vec(),
                means: (0..len).flat_map(|slot| self.mean(node, slot)).collect(),
                deviations: self.deviations[leaf].to_vec(),
                children: self.children[inner].to_vec(),
            }
        };
        (is_leaf.into_iter().enumerate().map(node).collect(), self.root, self.depth)
    }

    /// `None` when it is no tree of that shape, or a number contradicts another.
    pub(super) fn from_repr(
        (read, root, depth): (Vec<NodeRepr>, usize, usize),
        p: usize,
        options: &CfOptions,
        ranges: &Ranges,
    ) -> Option<Nodes> {
        let whole = |node: &NodeRepr| {
            let n_numbers = node.weights.len().checked_mul(p);
            n_numbers == Some(node.means.len())
                && (read.len() == 1 || !node.weights.is_empty())
        };
        let places = read.len().checked_mul(Nodes::stride(options))?.checked_mul(p)?;
        let fits = Vec::<f64>::new().try_reserve_exact(places).is_ok();
        if root >= read.len() || depth >= read.len() || !read.iter().all(whole) || !fits {
            return None;
        }
        let mut nodes = Nodes::new(p, options);
        for _ in 1..read.len() {
            nodes.add_node();
        }
        (nodes.root, nodes.depth) = (root, depth);
        let mut seen = vec![false; read.len()];
        let mut level = vec![root];
        for below in (0..=depth).rev() {
            let mut next = Vec::new();
            for node in level {
                let repr = read.get(node)?;
                let capacity =
                    if below == 0 { options.leaves() } else { options.branches() };
                let len = repr.weights.len();
                if std::mem::replace(&mut seen[node], true)
                    || len > capacity
                    || !repr.fits(p, below == 0, ranges)
                {
                    return None;
                }
                for slot in 0..len {
                    let entry = Entry {
                        weight: repr.weights[slot],
                        mean: &repr.means[slot * p..][..p],
                        deviation: repr.deviations.get(slot).copied().unwrap_or(0.0),
                    };
                    let child = repr.children.get(slot).copied().unwrap_or(0);
                    nodes.put(node, slot, entry, child);
                }
                nodes.lens[node] = len as u32;
                next.extend(repr.children.iter().map(|&child| child as usize));
                nodes.n_entries += if below == 0 { len } else { 0 };
            }
            level = next;
        }
        let agrees = |node: usize| {
            let sum = |node: usize| -> f64 {
                let start = node * nodes.stride;
                nodes.weights[start..start + nodes.lens[node] as usize].iter().sum()
            };
            read[node].children.iter().zip(&read[node].weights).all(|(&child, weight)| {
                (sum(child as usize) - weight).abs() <= 1e-6 * weight
            })
        };
        let whole = seen.iter().all(|&seen| seen)
            && nodes.n_entries <= options.limit()
            && (0..read.len()).all(agrees);
        whole.then_some(nodes)
    }

    /// The weight of all micro-clusters.
    pub(super) fn weight(&self) -> f64 {
        let mut sum = 0.0;
        self.each(|entry| sum += entry.weight);
        sum
    }
}

impl NodeRepr {
    fn fits(&self, p: usize, is_leaf: bool, ranges: &Ranges) -> bool {
        let len = self.weights.len();
        let (deviations, children) = if is_leaf { (len, 0) } else { (0, len) };
        let usable = |x: &f64| x.is_finite() && *x >= 0.0;
        self.deviations.len() == deviations
            && self.children.len() == children
            && self.weights.iter().all(|w| usable(w) && *w > 0.0)
            && self.deviations.iter().all(usable)
            && self.means.chunks_exact(p).all(|mean| ranges.nearly_hold(mean))
    }
}
