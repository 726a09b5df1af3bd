//! Ward's linkage without the distances of all pairs: rounds of reciprocal nearest
//! neighbours (de Rham 1980; Sumengen et al. 2021) among centroids in nested boxes.
//!
//! Clusters that are each other's nearest neighbours can be merged at once, all such pairs
//! in one round: for a reducible linkage the order of merges does not matter, and no union
//! is nearer to a third cluster than the nearer of its parts. So a cluster keeps its
//! neighbour until that one is merged. A round finds the neighbours of the clusters that
//! have none, each by itself, then merges the pairs.
//!
//! A cluster goes by its first row. Of equally distant pairs the one whose lower row is
//! lower is nearer, then the one whose other row is lower. Pairs are in strict order then,
//! the first of all is a pair of reciprocal neighbours, and there is always something to
//! merge. Rounding may bring a union nearer to a cluster than that cluster's neighbour;
//! when it is the union's own neighbour, it takes the union for its neighbour. So the
//! nearest pair is reciprocal with rounding, too.

use std::convert::Infallible;

use super::boxes::{Boxes, Branch, FAN, LEAF, Search, for_each_above, mask, order};
use super::distinct::Distinct;
use super::estimate::{Estimates, GROUP, Origin};
use super::step::{Step, Watch};
use crate::error::Result;
use crate::parallel::for_each_block;
use crate::simd::{self, Arithmetic, Kernel};

/// Neighbours that are sought at a time; fixed, so that threads do not matter.
const BLOCK: usize = 128;

/// Neighbours that are sought between two looks at the observer.
const PATIENCE: usize = 1 << 16;

/// Leaves whose estimates stay in the cache of a core while a block is compared with them:
/// so many bytes.
const CACHED: usize = 1 << 18;

/// Neighbours that are sought on trial, to see how many leaves that takes.
const TRIALS: usize = 64;

/// Estimates pay where a search looks at more than one leaf of so many.
const UNSEEN: usize = 8;

/// No place, or no row.
const NONE: u32 = u32::MAX;

/// The size at a place without a cluster: distances from there are NaN.
const NO_SIZE: f64 = f64::INFINITY;

/// What Ward's linkage multiplies the squared distance of two centroids with.
#[inline(always)]
pub(super) fn ward_factor(n_x: f64, n_y: f64) -> f64 {
    2.0 * (n_x * n_y) / (n_x + n_y)
}

/// Bytes that [`ward`] takes, steps included.
pub(super) fn memory(n: usize, p: usize) -> u128 {
    let rows = n as u128;
    let row = size_of::<f64>() as u128 * p as u128;
    // the boxes; beside them the centroids that they are made of, twice
    let by_row = row.saturating_mul(2).saturating_add(128 + Distinct::MEMORY);
    let boxes = Boxes::memory(n, p).saturating_add(Estimates::memory(n, p));
    rows.saturating_mul(by_row).saturating_add(boxes)
}

/// All merges of the rows of `x`, which has `p` columns. Heights are squared.
pub(super) fn ward(
    x: &[f64],
    p: usize,
    sizes: &[f64],
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    ward_with(x, p, sizes, UNSEEN, watch)
}

/// As [`ward`]. Estimates are used where a search looks at more than one leaf of `unseen`,
/// which does not change the result.
pub(super) fn ward_with(
    x: &[f64],
    p: usize,
    sizes: &[f64],
    unseen: usize,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    let mut centroids = near_zero(x, p);
    let Distinct { rows, repeats } = Distinct::new(&centroids, p);
    let mut steps = Vec::with_capacity(sizes.len().saturating_sub(1));
    let mut sizes = sizes.to_vec();
    for (first, row) in repeats {
        sizes[first as usize] += sizes[row as usize];
        steps.push(Step { a: first as usize, b: row as usize, height: 0.0 });
        watch.step()?;
    }
    for (at, &row) in rows.iter().enumerate() {
        let row = row as usize;
        centroids.copy_within(row * p..(row + 1) * p, at * p);
        sizes[at] = sizes[row];
    }
    centroids.truncate(rows.len() * p);
    let singles = rows.iter().zip(sizes).map(|(&slot, size)| Cluster {
        slot,
        size,
        height: 0.0,
        near: NONE,
    });
    let mut rounds = Rounds::new(singles.collect(), centroids, p, unseen);
    rounds.run(&mut steps, watch)?;
    Ok(steps)
}

/// The rows relative to the number of each column that is nearest to 0. A common offset
/// would cost digits of the centroids.
pub(super) fn near_zero(x: &[f64], p: usize) -> Vec<f64> {
    let mut origin = x[..p].to_vec();
    for row in x.chunks_exact(p) {
        for (origin, &x) in origin.iter_mut().zip(row) {
            *origin = if *origin > 0.0 {
                x.min(*origin).max(0.0)
            } else {
                x.max(*origin).min(0.0)
            };
        }
    }
    let moved = x.chunks_exact(p).flat_map(|row| row.iter().zip(&origin));
    moved.map(|(x, origin)| x - origin).collect()
}

/// What is kept of a cluster from one tree to the next.
#[derive(Clone, Copy, Debug)]
struct Cluster {
    slot: u32,
    size: f64,
    height: f64,
    near: u32,
}

/// A cluster's nearest neighbour.
#[derive(Clone, Copy, Debug)]
struct Near {
    place: u32,
    distance: f64,
}

/// Clusters by their places in the tree.
#[derive(Debug)]
struct Places {
    boxes: Boxes,
    /// For each leaf the sizes of its clusters.
    sizes: Vec<[f64; LEAF]>,
    /// For each level and node the least size in each child.
    least: Vec<Vec<[f64; FAN]>>,
    /// For each place the first row of its cluster.
    slots: Vec<u32>,
    /// A factor that makes a lower bound of a product in spite of rounding.
    shrink: f64,
    /// Where most leaves would be looked at.
    estimates: Option<Estimates>,
}

impl Places {
    fn new(clusters: &[Cluster], centroids: &[f64], p: usize, order: &[u32]) -> Places {
        let n = order.len();
        let row = |place: usize| &centroids[order[place] as usize * p..][..p];
        let boxes = Boxes::new(n, p, row);
        let mut sizes = vec![[NO_SIZE; LEAF]; boxes.n_leaves()];
        let mut slots = vec![NONE; boxes.n_leaves() * LEAF];
        let mut smallest = f64::INFINITY;
        for (place, &at) in order.iter().enumerate() {
            let cluster = &clusters[at as usize];
            sizes[place / LEAF][place % LEAF] = cluster.size;
            slots[place] = cluster.slot;
            smallest = smallest.min(cluster.size);
        }
        // `ward_factor` rounds three times, and so does its bound: seven ulps at most, as
        // long as the products do not underflow
        let is_normal = smallest * smallest >= f64::MIN_POSITIVE;
        let shrink = if is_normal { 1.0 - 8.0 * f64::EPSILON } else { 0.0 };
        let least = (0..boxes.n_levels())
            .map(|level| vec![[NO_SIZE; FAN]; boxes.n_children(level).div_ceil(FAN)])
            .collect();
        let estimates = None;
        let mut places = Places { boxes, sizes, least, slots, shrink, estimates };
        for level in 0..places.boxes.n_levels() {
            for child in 0..places.boxes.n_children(level) {
                fit_least(&mut places.least, &places.sizes, level, child);
            }
        }
        places
    }

    #[inline(always)]
    fn size(&self, place: usize) -> f64 {
        self.sizes[place / LEAF][place % LEAF]
    }

    /// The search for the nearest neighbour of a cluster; `hint` may be another cluster
    /// that is near.
    #[inline(always)]
    fn begin(&self, place: usize, hint: u32, point: &mut [f64]) -> Closest<'_> {
        self.boxes.read(place, point);
        let mut closest = Closest {
            places: self,
            place,
            size: self.size(place),
            best: Near { place: NONE, distance: f64::MAX },
            n_looks: 0,
        };
        if hint != NONE {
            let leaf = hint as usize / LEAF;
            let squared = self.boxes.squared(leaf, point);
            closest.look(leaf, &squared);
        }
        closest
    }

    /// Makes estimates if boxes keep too little apart, by a trial with some clusters.
    fn choose(&mut self, sought: &[u32], p: usize, unseen: usize) {
        // products of sizes underflow: bounds and estimates mean nothing
        if self.shrink == 0.0 {
            return;
        }
        let mut point = vec![0.0; p];
        let mut branches = Vec::new();
        let n_trials = sought.len().min(TRIALS);
        let mut n_looks = 0;
        for trial in 0..n_trials {
            let place = sought[trial * sought.len() / n_trials] as usize;
            let mut closest = self.begin(place, NONE, &mut point);
            self.boxes.search(place / LEAF, &point, &mut closest, &mut branches);
            n_looks += closest.n_looks;
        }
        if n_looks.saturating_mul(unseen) > n_trials * self.boxes.n_leaves() {
            self.estimates = Estimates::new(&self.boxes, p, &self.sizes);
        }
    }

    /// The order of two equally distant pairs that have one cluster in common.
    #[inline(always)]
    fn precedes(&self, of: usize, a: u32, b: u32) -> bool {
        if b == NONE {
            return true;
        }
        let slot = self.slots[of];
        let pair = |other: u32| {
            let other = self.slots[other as usize];
            (slot.min(other), slot.max(other))
        };
        pair(a) < pair(b)
    }
}

/// The least size in a child of a level.
fn fit_least(
    least: &mut [Vec<[f64; FAN]>],
    sizes: &[[f64; LEAF]],
    level: usize,
    child: usize,
) {
    let below = match level.checked_sub(1) {
        None => sizes[child].iter().copied().fold(f64::INFINITY, f64::min),
        Some(below) => least[below][child].iter().copied().fold(f64::INFINITY, f64::min),
    };
    least[level][child / FAN][child % FAN] = below;
}

/// The search for the nearest neighbour of one cluster.
struct Closest<'p> {
    places: &'p Places,
    place: usize,
    size: f64,
    best: Near,
    n_looks: usize,
}

impl Closest<'_> {
    #[inline(always)]
    fn compare(&mut self, place: usize, distance: f64) {
        let found = Near { place: place as u32, distance };
        if found.distance < self.best.distance
            || found.distance == self.best.distance
                && self.places.precedes(self.place, found.place, self.best.place)
        {
            self.best = found;
        }
    }
}

impl Search for Closest<'_> {
    #[inline(always)]
    fn limit(&self) -> f64 {
        self.best.distance
    }

    #[inline(always)]
    fn weigh(&self, level: usize, node: usize, bounds: &mut [f64; FAN]) {
        let least = &self.places.least[level][node];
        for lane in 0..FAN {
            let factor = ward_factor(self.size, least[lane]) * self.places.shrink;
            bounds[lane] *= factor;
        }
    }

    #[inline(always)]
    fn look(&mut self, leaf: usize, squared: &[f64; LEAF]) {
        self.n_looks += 1;
        let sizes = &self.places.sizes[leaf];
        let mut distances = [0.0; LEAF];
        for lane in 0..LEAF {
            distances[lane] = ward_factor(self.size, sizes[lane]) * squared[lane];
        }
        if leaf == self.place / LEAF {
            distances[self.place % LEAF] = f64::NAN;
        }
        let mut within = mask(&distances, self.best.distance);
        while within != 0 {
            let lane = within.trailing_zeros() as usize;
            within &= within - 1;
            self.compare(leaf * LEAF + lane, distances[lane]);
        }
    }
}

/// The nearest neighbours of some clusters.
struct Neighbours<'p> {
    places: &'p Places,
    p: usize,
    sought: &'p [u32],
    /// For each place a cluster that may be near.
    near: &'p [u32],
    found: &'p mut [Near],
}

impl Kernel for Neighbours<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        match &self.places.estimates {
            None => self.among_boxes(),
            Some(estimates) => self.among_estimates::<A>(estimates),
        }
    }
}

impl Neighbours<'_> {
    #[inline(always)]
    fn among_boxes(self) {
        let mut point = vec![0.0; self.p];
        let mut branches: Vec<Branch> = Vec::new();
        let boxes = &self.places.boxes;
        for (&place, found) in self.sought.iter().zip(self.found) {
            let hint = self.near[place as usize];
            let mut closest = self.places.begin(place as usize, hint, &mut point);
            boxes.search(place as usize / LEAF, &point, &mut closest, &mut branches);
            *found = closest.best;
        }
    }

    /// Compares each group with the leaves of one part after the other.
    #[inline(always)]
    fn among_estimates<A: Arithmetic>(self, estimates: &Estimates) {
        let (places, p) = (self.places, self.p);
        let mut points = vec![0.0; self.sought.len() * p];
        let mut searches = Vec::with_capacity(self.sought.len());
        for (&place, point) in self.sought.iter().zip(points.chunks_exact_mut(p)) {
            let hint = self.near[place as usize];
            let mut closest = places.begin(place as usize, hint, point);
            let leaf = place as usize / LEAF;
            closest.look(leaf, &places.boxes.squared(leaf, point));
            searches.push(closest);
        }
        let mut group = vec![[0.0; GROUP]; p];
        let n_leaves = places.boxes.n_leaves();
        let part = (CACHED / (4 * LEAF * p)).max(1);
        for start in (0..n_leaves).step_by(part) {
            let leaves = start..(start + part).min(n_leaves);
            let grouped = searches.chunks_mut(GROUP).zip(points.chunks(GROUP * p));
            for (searches, points) in grouped {
                let mut origins = [Origin::default(); GROUP];
                let mut limits = [0.0; GROUP];
                for (of, closest) in searches.iter().enumerate() {
                    origins[of] = estimates.origin(closest.place, &mut group, of);
                    limits[of] = estimates.limit(closest.best.distance);
                }
                for leaf in leaves.clone() {
                    let within = estimates.within::<A>(leaf, &group, &origins, &limits);
                    for (of, closest) in searches.iter_mut().enumerate() {
                        let mut within = within[of];
                        if leaf == closest.place / LEAF {
                            continue;
                        }
                        while within != 0 {
                            let lane = within.trailing_zeros() as usize;
                            within &= within - 1;
                            let place = leaf * LEAF + lane;
                            let point = &points[of * p..][..p];
                            let squared = places.boxes.squared_at(place, point);
                            let factor = ward_factor(closest.size, places.size(place));
                            closest.compare(place, factor * squared);
                            limits[of] = estimates.limit(closest.best.distance);
                        }
                    }
                }
            }
        }
        for (found, closest) in self.found.iter_mut().zip(searches) {
            *found = closest.best;
        }
    }
}

/// The state between rounds.
#[derive(Debug)]
struct Rounds {
    p: usize,
    unseen: usize,
    places: Places,
    /// How many clusters there were when the tree was made, and are now.
    n_made: usize,
    n_live: usize,
    /// For each place the place of the nearest neighbour, and its distance. Of a cluster
    /// whose neighbour is sought, a cluster that may be near.
    near: Vec<u32>,
    distances: Vec<f64>,
    /// For each place the height at which its cluster was made.
    heights: Vec<f64>,
    /// For each place the first of the clusters whose neighbour it is, and for each
    /// cluster the next one with the same neighbour.
    first: Vec<u32>,
    next: Vec<u32>,
    /// Places of clusters whose neighbour is not known, ascending.
    sought: Vec<u32>,
}

impl Rounds {
    fn new(
        clusters: Vec<Cluster>,
        centroids: Vec<f64>,
        p: usize,
        unseen: usize,
    ) -> Rounds {
        let n = clusters.len();
        let order = order(&centroids, p);
        let mut places = Places::new(&clusters, &centroids, p, &order);
        let n_places = places.slots.len();
        let sought: Vec<u32> = (0..n as u32).collect();
        places.choose(&sought, p, unseen);
        Rounds {
            p,
            unseen,
            places,
            n_made: n,
            n_live: n,
            near: vec![NONE; n_places],
            distances: vec![f64::INFINITY; n_places],
            heights: vec![0.0; n_places],
            first: vec![NONE; n_places],
            next: vec![NONE; n_places],
            sought,
        }
    }

    fn run(&mut self, steps: &mut Vec<Step>, watch: &mut Watch<'_>) -> Result<()> {
        while self.n_live > 1 {
            if self.n_live * 4 <= self.n_made * 3 {
                self.rebuild();
            }
            self.find(watch)?;
            let pairs = self.pairs();
            self.merge(&pairs, steps, watch)?;
        }
        Ok(())
    }

    /// Makes a new tree of the clusters that are left.
    fn rebuild(&mut self) {
        let p = self.p;
        let live: Vec<u32> = (0..self.places.slots.len() as u32)
            .filter(|&place| self.places.slots[place as usize] != NONE)
            .collect();
        let mut centroids = vec![0.0; live.len() * p];
        for (centroid, &place) in centroids.chunks_exact_mut(p).zip(&live) {
            self.places.boxes.read(place as usize, centroid);
        }
        let clusters: Vec<Cluster> = live
            .iter()
            .map(|&place| {
                let at = place as usize;
                Cluster {
                    slot: self.places.slots[at],
                    size: self.places.size(at),
                    height: self.heights[at],
                    near: self.near[at],
                }
            })
            .collect();
        let order = order(&centroids, p);
        // where each place went
        let mut moved = std::mem::take(&mut self.next);
        moved.fill(NONE);
        for (place, &at) in order.iter().enumerate() {
            moved[live[at as usize] as usize] = place as u32;
        }
        let new_place = |place: u32| moved.get(place as usize).copied().unwrap_or(NONE);
        self.places = Places::new(&clusters, &centroids, p, &order);
        let n_places = self.places.slots.len();
        let mut distances = vec![f64::INFINITY; n_places];
        let mut is_sought = vec![false; n_places];
        self.sought.iter_mut().for_each(|place| {
            *place = new_place(*place);
            is_sought[*place as usize] = true;
        });
        self.sought.sort_unstable();
        self.places.choose(&self.sought, p, self.unseen);
        self.near = vec![NONE; n_places];
        self.heights = vec![0.0; n_places];
        self.first = vec![NONE; n_places];
        for (place, &at) in order.iter().enumerate() {
            let cluster = &clusters[at as usize];
            distances[place] = self.distances[live[at as usize] as usize];
            self.near[place] = new_place(cluster.near);
            self.heights[place] = cluster.height;
        }
        self.distances = distances;
        self.next = vec![NONE; n_places];
        for (place, _) in is_sought[..order.len()].iter().enumerate().filter(|is| !is.1) {
            self.enlist(place as u32);
        }
        self.n_made = self.n_live;
    }

    /// Puts a cluster into the list of those with the same neighbour.
    fn enlist(&mut self, place: u32) {
        let near = self.near[place as usize] as usize;
        self.next[place as usize] = self.first[near];
        self.first[near] = place;
    }

    /// Finds the neighbours that are sought.
    fn find(&mut self, watch: &mut Watch<'_>) -> Result<()> {
        let sought = std::mem::take(&mut self.sought);
        let mut found = vec![Near { place: NONE, distance: 0.0 }; sought.len()];
        for (found, sought) in found.chunks_mut(PATIENCE).zip(sought.chunks(PATIENCE)) {
            let (places, near, p) = (&self.places, &self.near[..], self.p);
            let find = |start: usize, found: &mut [Near]| {
                let sought = &sought[start..][..found.len()];
                simd::run(Neighbours { places, p, sought, near, found });
                Ok::<(), Infallible>(())
            };
            let Ok(()) = if found.len() <= BLOCK {
                find(0, found)
            } else {
                for_each_block(found, BLOCK, find)
            };
            if found.len() == PATIENCE {
                watch.look()?;
            }
        }
        for (&place, found) in sought.iter().zip(&found) {
            self.near[place as usize] = found.place;
            self.distances[place as usize] = found.distance;
            self.enlist(place);
        }
        for (&place, found) in sought.iter().zip(&found) {
            let other = found.place as usize;
            let nearer = found.distance < self.distances[other]
                || found.distance == self.distances[other]
                    && self.places.precedes(other, place, self.near[other]);
            if nearer {
                self.delist(found.place);
                self.near[other] = place;
                self.distances[other] = found.distance;
                self.enlist(found.place);
            }
        }
        self.sought = sought;
        Ok(())
    }

    /// Takes a cluster out of the list of those with the same neighbour.
    fn delist(&mut self, place: u32) {
        let near = self.near[place as usize] as usize;
        let after = self.next[place as usize];
        if self.first[near] == place {
            self.first[near] = after;
            return;
        }
        let mut at = self.first[near] as usize;
        while self.next[at] != place {
            at = self.next[at] as usize;
        }
        self.next[at] = after;
    }

    /// The pairs of reciprocal neighbours, by their lower rows, which come first. All have
    /// a member whose neighbour was sought in this round.
    fn pairs(&self) -> Vec<(u32, u32)> {
        let slot = |place: u32| self.places.slots[place as usize];
        let mut pairs: Vec<(u32, u32)> = self
            .sought
            .iter()
            .map(|&place| (place, self.near[place as usize]))
            .filter(|&(place, near)| self.near[near as usize] == place)
            .map(|(a, b)| if slot(a) < slot(b) { (a, b) } else { (b, a) })
            .collect();
        pairs.sort_unstable_by_key(|&(first, _)| slot(first));
        pairs.dedup();
        pairs
    }

    /// Merges pairs. Their unions, and the clusters whose neighbours they were, are sought
    /// next.
    fn merge(
        &mut self,
        pairs: &[(u32, u32)],
        steps: &mut Vec<Step>,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let mut sought = std::mem::take(&mut self.sought);
        sought.clear();
        let mut changed = Vec::with_capacity(2 * pairs.len());
        let (mut small, mut large) = (vec![0.0; self.p], vec![0.0; self.p]);
        for &(a, b) in pairs {
            let (a, b) = (a as usize, b as usize);
            let slots = [a, b].map(|place| self.places.slots[place]);
            // rounding must not put a union below its parts
            let height = self.distances[a].max(self.heights[a]).max(self.heights[b]);
            steps.push(Step { a: slots[0] as usize, b: slots[1] as usize, height });
            watch.step()?;
            // the union stays near the larger part
            let (from, into) =
                if self.places.size(a) > self.places.size(b) { (b, a) } else { (a, b) };
            for list in [a, b] {
                let mut place = std::mem::replace(&mut self.first[list], NONE) as usize;
                while place != NONE as usize {
                    if place != a && place != b {
                        sought.push(place as u32);
                        self.near[place] = into as u32;
                    }
                    place = self.next[place] as usize;
                }
            }
            let size = self.places.size(from) + self.places.size(into);
            let share = self.places.size(from) / size;
            self.places.boxes.read(from, &mut small);
            self.places.boxes.read(into, &mut large);
            for (x, y) in large.iter_mut().zip(&small) {
                *x += share * (y - *x);
            }
            self.places.boxes.write(into, &large);
            self.places.boxes.remove(from);
            if let Some(estimates) = &mut self.places.estimates {
                estimates.write(into, &large, size);
                estimates.remove(from);
            }
            self.places.sizes[into / LEAF][into % LEAF] = size;
            self.places.sizes[from / LEAF][from % LEAF] = NO_SIZE;
            self.places.slots[into] = slots[0];
            self.places.slots[from] = NONE;
            self.heights[into] = height;
            self.near[into] = NONE;
            self.near[from] = NONE;
            sought.push(into as u32);
            changed.extend([from as u32, into as u32]);
        }
        self.n_live -= pairs.len();
        changed.sort_unstable();
        let Places { boxes, sizes, least, .. } = &mut self.places;
        let changed = changed.iter().map(|&place| place as usize);
        for_each_above(boxes, changed, |_, level, child| {
            fit_least(least, sizes, level, child);
        });
        sought.sort_unstable();
        self.sought = sought;
        Ok(())
    }
}
