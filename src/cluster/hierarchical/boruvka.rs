//! A minimum spanning tree in few columns: rounds in which each component of the forest
//! finds its shortest edge outward (Borůvka 1926), among points in nested boxes (March,
//! Ram & Gray 2010).
//!
//! A point remembers its nearest neighbour outside its component. It stays the nearest
//! until it is inside; then its distance is still a lower bound, and a new one is sought
//! only where the bound is below the shortest edge that the component has so far.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use super::boxes::{Boxes, Branch, FAN, LEAF, Search, mask, order};
use super::spanning::Edge;
use super::step::Watch;
use crate::error::Result;
use crate::parallel::for_each_block;
use crate::simd::{self, Arithmetic, Kernel};

/// Neighbours that are sought at a time; fixed, so that threads do not matter.
const BLOCK: usize = 256;

/// Neighbours that are sought between two looks at the observer.
const PATIENCE: usize = 1 << 17;

/// No place, or places of several components.
const NONE: u32 = u32::MAX;

/// Bytes for each row beside those of the boxes.
pub(super) fn memory(n: usize, p: usize) -> u128 {
    (n as u128).saturating_mul(88).saturating_add(Boxes::memory(n, p))
}

/// The edges of the minimum spanning tree of the points `x`, in no particular order.
/// `rows` are their numbers, which decide between equal distances.
pub(super) fn boruvka(
    x: &[f64],
    p: usize,
    rows: &[u32],
    watch: &mut Watch<'_>,
) -> Result<Vec<Edge>> {
    let n = rows.len();
    let mut forest = Forest::new(x, p, rows);
    let mut near = vec![Near { place: NONE, distance: 0.0 }; n];
    let mut edges = Vec::with_capacity(n.saturating_sub(1));
    while forest.n_components > 1 {
        forest.find(&mut near, watch)?;
        let shortest = forest.shortest(&near);
        forest.join(&shortest, &mut edges, watch)?;
    }
    Ok(edges)
}

/// The nearest place outside the component, or none up to a distance.
#[derive(Clone, Copy, Debug)]
struct Near {
    place: u32,
    distance: f64,
}

#[derive(Debug)]
struct Forest {
    p: usize,
    boxes: Boxes,
    /// For each place the number of the row.
    rows: Vec<u32>,
    /// For each place the component.
    components: Vec<u32>,
    n_components: usize,
    /// For each level and node the component of all points in each child.
    inside: Vec<Vec<[u32; FAN]>>,
}

impl Forest {
    /// Each point a component.
    fn new(x: &[f64], p: usize, rows: &[u32]) -> Forest {
        let n = rows.len();
        let order = order(x, p);
        let boxes = Boxes::new(n, p, |place| &x[order[place] as usize * p..][..p]);
        let rows = order.iter().map(|&at| rows[at as usize]).collect();
        let inside = (0..boxes.n_levels())
            .map(|level| vec![[NONE; FAN]; boxes.n_children(level).div_ceil(FAN)])
            .collect();
        let components = (0..n as u32).collect();
        Forest { p, boxes, rows, components, n_components: n, inside }
    }

    /// The edge between two places.
    #[inline(always)]
    fn edge(&self, a: usize, b: usize, distance: f64) -> Edge {
        Edge::new(self.rows[a], self.rows[b], distance)
    }

    #[inline(always)]
    fn is_outside(&self, place: usize, near: Near) -> bool {
        near.place != NONE
            && self.components[near.place as usize] != self.components[place]
    }

    /// Makes sure that the shortest edge outward of each component is among `near`.
    fn find(&self, near: &mut [Near], watch: &mut Watch<'_>) -> Result<()> {
        // The least distance outward that is known of each component, as bits, which are
        // in the order of the numbers. Where threads lower it sooner or later, more or
        // less is sought, but what is shortest is always found.
        let known: Vec<AtomicU64> =
            (0..self.n_components).map(|_| AtomicU64::new(f64::MAX.to_bits())).collect();
        let known_of = |place: usize| &known[self.components[place] as usize];
        for (place, near) in near.iter().enumerate() {
            if self.is_outside(place, *near) {
                known_of(place).fetch_min(near.distance.to_bits(), Ordering::Relaxed);
            }
        }
        let mut start = 0;
        for part in near.chunks_mut(PATIENCE) {
            if start > 0 {
                watch.look()?;
            }
            let Ok(()) = for_each_block(part, BLOCK, |at, near| {
                let known = &known[..];
                simd::run(Neighbours { forest: self, known, start: start + at, near });
                Ok::<(), Infallible>(())
            });
            start += PATIENCE;
        }
        Ok(())
    }

    /// The places at the ends of the shortest edge outward of each component.
    fn shortest(&self, near: &[Near]) -> Vec<(u32, Near)> {
        let nothing = (NONE, Near { place: NONE, distance: f64::INFINITY });
        let mut shortest = vec![nothing; self.n_components];
        for (place, &near) in near.iter().enumerate() {
            let best = &mut shortest[self.components[place] as usize];
            if near.distance <= best.1.distance && self.is_outside(place, near) {
                let edge = |(a, b): (u32, Near)| {
                    self.edge(a as usize, b.place as usize, b.distance)
                };
                let found = (place as u32, near);
                if best.0 == NONE || edge(found).precedes(&edge(*best)) {
                    *best = found;
                }
            }
        }
        shortest
    }

    /// Joins components along their shortest edges.
    fn join(
        &mut self,
        shortest: &[(u32, Near)],
        edges: &mut Vec<Edge>,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let mut parent: Vec<u32> = (0..self.n_components as u32).collect();
        for &(place, near) in shortest {
            let (place, other) = (place as usize, near.place as usize);
            let ends = [place, other].map(|end| root(&mut parent, self.components[end]));
            if ends[0] != ends[1] {
                parent[ends[0].max(ends[1]) as usize] = ends[0].min(ends[1]);
                edges.push(self.edge(place, other, near.distance));
                watch.step()?;
            }
        }
        let mut numbers = vec![NONE; self.n_components];
        self.n_components = 0;
        for component in 0..numbers.len() as u32 {
            // a root is the least of its component, so its number is known
            let root = root(&mut parent, component);
            if root == component {
                numbers[component as usize] = self.n_components as u32;
                self.n_components += 1;
            } else {
                numbers[component as usize] = numbers[root as usize];
            }
        }
        for component in &mut self.components {
            *component = numbers[*component as usize];
        }
        self.mark();
        Ok(())
    }

    /// Marks the parts of the tree that are inside one component.
    fn mark(&mut self) {
        let common = |components: &[u32]| match components {
            [first, others @ ..] if others.iter().all(|other| other == first) => *first,
            _ => NONE,
        };
        for level in 0..self.inside.len() {
            let (below, above) = self.inside.split_at_mut(level);
            for child in 0..self.boxes.n_children(level) {
                let component = match below.last() {
                    None => {
                        let end = ((child + 1) * LEAF).min(self.components.len());
                        common(&self.components[child * LEAF..end])
                    }
                    Some(below) => {
                        let n = self.boxes.n_children(level - 1);
                        let end = ((child + 1) * FAN).min(n) - child * FAN;
                        common(&below[child][..end])
                    }
                };
                above[0][child / FAN][child % FAN] = component;
            }
        }
    }
}

/// The component that stands for all that were joined with one; paths are halved.
fn root(parent: &mut [u32], mut component: u32) -> u32 {
    while parent[component as usize] != component {
        let above = parent[parent[component as usize] as usize];
        parent[component as usize] = above;
        component = above;
    }
    component
}

/// The search for the nearest place outside a component.
struct Outward<'f> {
    forest: &'f Forest,
    place: usize,
    component: u32,
    best: Near,
}

impl Search for Outward<'_> {
    #[inline(always)]
    fn limit(&self) -> f64 {
        self.best.distance
    }

    #[inline(always)]
    fn weigh(&self, level: usize, node: usize, bounds: &mut [f64; FAN]) {
        let inside = &self.forest.inside[level][node];
        for lane in 0..FAN {
            let is_own = inside[lane] == self.component;
            bounds[lane] = if is_own { f64::NAN } else { bounds[lane] };
        }
    }

    #[inline(always)]
    fn look(&mut self, leaf: usize, squared: &[f64; LEAF]) {
        let mut within = mask(squared, self.best.distance);
        while within != 0 {
            let lane = within.trailing_zeros() as usize;
            within &= within - 1;
            let (place, distance) = (leaf * LEAF + lane, squared[lane]);
            if distance > self.best.distance
                || self.forest.components[place] == self.component
            {
                continue;
            }
            let is_nearer = distance < self.best.distance || self.best.place == NONE || {
                let best = self.best.place as usize;
                let edge = |other| self.forest.edge(self.place, other, distance);
                edge(place).precedes(&edge(best))
            };
            if is_nearer {
                self.best = Near { place: place as u32, distance };
            }
        }
    }
}

/// The neighbours of the places of a block.
struct Neighbours<'f> {
    forest: &'f Forest,
    known: &'f [AtomicU64],
    start: usize,
    near: &'f mut [Near],
}

impl Kernel for Neighbours<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let forest = self.forest;
        let mut point = vec![0.0; forest.p];
        let mut branches: Vec<Branch> = Vec::new();
        for (at, near) in self.near.iter_mut().enumerate() {
            let place = self.start + at;
            if forest.is_outside(place, *near) {
                continue;
            }
            let component = forest.components[place];
            let known = &self.known[component as usize];
            let limit = f64::from_bits(known.load(Ordering::Relaxed));
            if near.distance > limit {
                continue;
            }
            forest.boxes.read(place, &mut point);
            let best = Near { place: NONE, distance: limit };
            let mut outward = Outward { forest, place, component, best };
            forest.boxes.search(place / LEAF, &point, &mut outward, &mut branches);
            *near = outward.best;
            if near.place != NONE {
                known.fetch_min(near.distance.to_bits(), Ordering::Relaxed);
            }
        }
    }
}
