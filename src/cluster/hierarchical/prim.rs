//! A minimum spanning tree in many columns, or of given distances: it grows from one point
//! by the shortest edge outward (Prim 1957). Each point outside remembers its shortest edge
//! to the tree, and is compared with each new point of the tree.

use super::boxes::mask;
use super::condensed::position;
use super::spanning::Edge;
use super::step::Watch;
use crate::error::Result;
use crate::parallel::map_blocks_mut;
use crate::simd::{self, Arithmetic, Kernel};

/// Points in a tile.
const TILE: usize = 16;

/// Numbers that are compared at a time on one thread; fixed, so that threads do not
/// matter.
const BLOCK: usize = 1 << 17;

/// No row.
const NONE: u32 = u32::MAX;

/// The distance of a lane without a point, which compares with none.
const TAKEN: f64 = f64::NAN;

/// Bytes for so many rows.
pub(super) fn memory(n: usize, p: usize) -> u128 {
    let number = size_of::<f64>() as u128;
    let row = (p as u128).saturating_mul(number).saturating_add(72);
    (n as u128).saturating_mul(row)
}

/// Distances between points, of which those outside the tree stand in tiles.
pub(super) trait Distances: Sync {
    /// Puts points into tiles.
    fn arrange(&mut self, points: &[u32]);

    /// Distances from a point to those of a tile, which are `points` or [`NONE`].
    fn measure(&self, from: u32, tile: usize, points: &[u32; TILE]) -> [f64; TILE];

    /// How many numbers a distance is made of.
    fn width(&self) -> usize;
}

/// Squared Euclidean distances of points.
pub(super) struct Squared<'x> {
    x: &'x [f64],
    p: usize,
    /// For each tile and column the coordinates.
    columns: Vec<[f64; TILE]>,
}

impl<'x> Squared<'x> {
    pub(super) fn new(x: &'x [f64], p: usize) -> Squared<'x> {
        Squared { x, p, columns: Vec::new() }
    }
}

impl Distances for Squared<'_> {
    fn arrange(&mut self, points: &[u32]) {
        self.columns.clear();
        self.columns.resize(points.len().div_ceil(TILE) * self.p, [0.0; TILE]);
        for (at, &point) in points.iter().enumerate() {
            let columns = &mut self.columns[at / TILE * self.p..][..self.p];
            let point = &self.x[point as usize * self.p..][..self.p];
            for (lanes, &x) in columns.iter_mut().zip(point) {
                lanes[at % TILE] = x;
            }
        }
    }

    #[inline(always)]
    fn measure(&self, from: u32, tile: usize, _: &[u32; TILE]) -> [f64; TILE] {
        let from = &self.x[from as usize * self.p..][..self.p];
        let columns = &self.columns[tile * self.p..][..self.p];
        let mut sums = [0.0; TILE];
        for (lanes, &x) in columns.iter().zip(from) {
            for (sum, lane) in sums.iter_mut().zip(lanes) {
                let apart = x - lane;
                *sum += apart * apart;
            }
        }
        sums
    }

    fn width(&self) -> usize {
        self.p
    }
}

/// Distances that are given, in the order of a condensed matrix.
pub(super) struct Given<'d> {
    pub(super) condensed: &'d [f64],
    pub(super) n: usize,
}

impl Distances for Given<'_> {
    fn arrange(&mut self, _: &[u32]) {}

    #[inline(always)]
    fn measure(&self, from: u32, _: usize, points: &[u32; TILE]) -> [f64; TILE] {
        points.map(|point| match point {
            NONE => f64::INFINITY,
            _ => self.condensed[position(self.n, from as usize, point as usize)],
        })
    }

    fn width(&self) -> usize {
        // as far apart in memory as many numbers
        8
    }
}

/// Points outside the tree.
struct Tile {
    points: [u32; TILE],
    /// For each the nearest point of the tree, and its distance.
    nearest: [u32; TILE],
    distances: [f64; TILE],
}

/// The shortest edge outward, and where its point is.
#[derive(Clone, Copy)]
struct Outward {
    edge: Edge,
    at: usize,
}

/// The edges of the minimum spanning tree of `rows.len()` points, in the order in which it
/// grows from the first. `rows` are their numbers, which decide between equal distances.
pub(super) fn prim(
    rows: &[u32],
    mut distances: impl Distances,
    watch: &mut Watch<'_>,
) -> Result<Vec<Edge>> {
    let mut edges = Vec::with_capacity(rows.len().saturating_sub(1));
    let mut newest = 0;
    let mut outside: Vec<Tile> = Vec::new();
    let (mut n_arranged, mut n_outside) = (rows.len(), rows.len().saturating_sub(1));
    while n_outside > 0 {
        if outside.is_empty() || n_outside * 8 <= n_arranged * 7 {
            outside = arrange(rows.len(), outside, &mut distances);
            n_arranged = n_outside;
        }
        let block = (BLOCK / (TILE * distances.width())).max(1);
        let compare = |first: usize, tiles: &mut [Tile]| {
            simd::run(Compare { distances: &distances, rows, newest, first, tiles })
        };
        let shortest = if outside.len() <= block {
            compare(0, &mut outside)
        } else {
            let found = map_blocks_mut(&mut outside, block, compare);
            found
                .into_iter()
                .flatten()
                .reduce(|a, b| if b.edge.precedes(&a.edge) { b } else { a })
        };
        let Some(Outward { edge, at }) = shortest else {
            break;
        };
        let (tile, lane) = (&mut outside[at / TILE], at % TILE);
        newest = std::mem::replace(&mut tile.points[lane], NONE);
        tile.distances[lane] = TAKEN;
        n_outside -= 1;
        edges.push(edge);
        watch.step()?;
    }
    Ok(edges)
}

/// Puts the points outside the tree into tiles; at first all but point 0.
fn arrange(n: usize, before: Vec<Tile>, distances: &mut impl Distances) -> Vec<Tile> {
    let mut live: Vec<(u32, u32, f64)> = Vec::new();
    if before.is_empty() {
        live.extend((1..n as u32).map(|point| (point, NONE, f64::MAX)));
    }
    for tile in before {
        let lanes = (0..TILE).filter(|&lane| tile.points[lane] != NONE);
        live.extend(
            lanes.map(|at| (tile.points[at], tile.nearest[at], tile.distances[at])),
        );
    }
    let points: Vec<u32> = live.iter().map(|&(point, ..)| point).collect();
    distances.arrange(&points);
    let tiles = live.chunks(TILE).map(|points| {
        let mut tile = Tile {
            points: [NONE; TILE],
            nearest: [NONE; TILE],
            distances: [TAKEN; TILE],
        };
        for (lane, &(point, nearest, distance)) in points.iter().enumerate() {
            tile.points[lane] = point;
            tile.nearest[lane] = nearest;
            tile.distances[lane] = distance;
        }
        tile
    });
    tiles.collect()
}

/// Compares the points of some tiles with the newest of the tree.
struct Compare<'a, D> {
    distances: &'a D,
    rows: &'a [u32],
    newest: u32,
    first: usize,
    tiles: &'a mut [Tile],
}

impl<D: Distances> Kernel for Compare<'_, D> {
    type Output = Option<Outward>;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Option<Outward> {
        let row = |point: u32| self.rows[point as usize];
        let mut shortest: Option<Outward> = None;
        let mut limit = f64::MAX;
        for (at, tile) in self.tiles.iter_mut().enumerate() {
            let at = self.first + at;
            let found = self.distances.measure(self.newest, at, &tile.points);
            // differences do not underflow to 0
            let mut gaps = found;
            for (gap, known) in gaps.iter_mut().zip(&tile.distances) {
                *gap -= known;
            }
            let mut nearer = mask(&gaps, 0.0);
            while nearer != 0 {
                let lane = nearer.trailing_zeros() as usize;
                nearer &= nearer - 1;
                let to = row(tile.points[lane]);
                let edge = |from| Edge::new(row(from), to, found[lane]);
                if found[lane] < tile.distances[lane]
                    || edge(self.newest).precedes(&edge(tile.nearest[lane]))
                {
                    tile.nearest[lane] = self.newest;
                    tile.distances[lane] = found[lane];
                }
            }
            let mut short = mask(&tile.distances, limit);
            while short != 0 {
                let lane = short.trailing_zeros() as usize;
                short &= short - 1;
                let (from, to) = (tile.nearest[lane], tile.points[lane]);
                let edge = Edge::new(row(from), row(to), tile.distances[lane]);
                if shortest.is_none_or(|shortest| edge.precedes(&shortest.edge)) {
                    shortest = Some(Outward { edge, at: at * TILE + lane });
                    limit = edge.distance();
                }
            }
        }
        shortest
    }
}
