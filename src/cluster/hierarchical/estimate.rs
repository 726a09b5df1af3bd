//! Ward distances from many clusters to all others, estimated in single precision with a
//! proven error, for points that no boxes keep apart.
//!
//! With `s = (n_x n_y) / (n_x + n_y)`, the distance of two clusters is `2 s ‖x − y‖²`, and
//! `‖x − y‖² = ‖x‖² + ‖y‖² − 2 x·y`. The rounding of the coordinates and of a product sum
//! of `p` terms is below `2 (p + 8) u (‖x‖² + ‖y‖²)`, where `u` is half an ulp (Higham 2002,
//! section 3.1). Norms are kept reduced by so much, and the estimate is a lower bound. What
//! it does not rule out is measured exactly.

use super::boxes::{Boxes, LEAF};
use crate::simd::Arithmetic;

/// Clusters whose distances are estimated at a time.
pub(super) const GROUP: usize = 4;

/// Room for the rounding of what follows the sum of products.
const ROOM: f32 = 1.0 - 32.0 * f32::EPSILON;

/// Below any number that counts, and above what is lost by underflow.
const TINY: f32 = 1e-30;

/// Where rows are so near together, squares may underflow by more than `TINY` allows for.
const NARROW: f64 = 1e-120;

#[derive(Debug)]
pub(super) struct Estimates {
    p: usize,
    /// What is taken from the coordinates, and what they and the sizes are multiplied
    /// with, so that all numbers are within reach of single precision.
    center: Vec<f64>,
    scale: f64,
    size_scale: f64,
    /// For each leaf and column the coordinates.
    columns: Vec<[f32; LEAF]>,
    /// For each leaf the squared norms, reduced by the error.
    norms: Vec<[f32; LEAF]>,
    sizes: Vec<[f32; LEAF]>,
}

/// A cluster that estimates start from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin {
    norm: f32,
    size: f32,
}

impl Estimates {
    /// Bytes for so many clusters.
    pub(super) fn memory(n: usize, p: usize) -> u128 {
        let number = size_of::<f32>() as u128;
        (p as u128 + 2).saturating_mul(n as u128 + LEAF as u128).saturating_mul(number)
    }

    /// Estimates of the clusters in `boxes`, whose sizes are finite where there is one.
    /// None where squared distances underflow: then an exact distance is lower than the
    /// estimate, which does not.
    pub(super) fn new(
        boxes: &Boxes,
        p: usize,
        sizes: &[[f64; LEAF]],
    ) -> Option<Estimates> {
        let n_leaves = boxes.n_leaves();
        let (low, high) = boxes.bounds();
        let center: Vec<f64> =
            low.iter().zip(&high).map(|(a, b)| a + (b - a) / 2.0).collect();
        let width = low.iter().zip(&high).map(|(a, b)| b - a).fold(0.0, f64::max);
        if width < NARROW {
            return None;
        }
        let total: f64 = sizes.iter().flatten().filter(|size| size.is_finite()).sum();
        let mut estimates = Estimates {
            p,
            center,
            scale: inverse(width),
            size_scale: inverse(total),
            columns: vec![[0.0; LEAF]; n_leaves * p],
            norms: vec![[f32::MAX; LEAF]; n_leaves],
            sizes: vec![[1.0; LEAF]; n_leaves],
        };
        let mut point = vec![0.0; p];
        for place in 0..n_leaves * LEAF {
            let size = sizes[place / LEAF][place % LEAF];
            if size.is_finite() {
                boxes.read(place, &mut point);
                estimates.write(place, &point, size);
            }
        }
        Some(estimates)
    }

    /// Puts a cluster at a place.
    pub(super) fn write(&mut self, place: usize, centroid: &[f64], size: f64) {
        let (leaf, lane) = (place / LEAF, place % LEAF);
        let mut norm = 0.0;
        let columns = &mut self.columns[leaf * self.p..][..self.p];
        for ((lanes, x), center) in columns.iter_mut().zip(centroid).zip(&self.center) {
            let x = (x - center) * self.scale;
            norm += x * x;
            lanes[lane] = x as f32;
        }
        let error = 2.0 * (self.p as f64 + 8.0) * f64::from(f32::EPSILON) / 2.0;
        self.norms[leaf][lane] = (norm * (1.0 - error)) as f32;
        self.sizes[leaf][lane] = (size * self.size_scale) as f32;
    }

    /// Takes a cluster out.
    pub(super) fn remove(&mut self, place: usize) {
        self.norms[place / LEAF][place % LEAF] = f32::MAX;
        self.sizes[place / LEAF][place % LEAF] = 1.0;
    }

    /// Copies the coordinates of a cluster to lane `of` of a group.
    #[inline(always)]
    pub(super) fn origin(
        &self,
        place: usize,
        group: &mut [[f32; GROUP]],
        of: usize,
    ) -> Origin {
        let (leaf, lane) = (place / LEAF, place % LEAF);
        for (to, lanes) in group.iter_mut().zip(&self.columns[leaf * self.p..]) {
            to[of] = lanes[lane];
        }
        Origin { norm: self.norms[leaf][lane], size: self.sizes[leaf][lane] }
    }

    /// A distance as estimates have it, rounded up.
    #[inline(always)]
    pub(super) fn limit(&self, distance: f64) -> f32 {
        let scaled = distance * self.scale * self.scale * self.size_scale;
        (scaled * (1.0 + 4.0 * f64::from(f32::EPSILON))) as f32
    }

    /// A bit for each cluster of a leaf that may be within a limit of those of a group.
    #[inline(always)]
    pub(super) fn within<A: Arithmetic>(
        &self,
        leaf: usize,
        group: &[[f32; GROUP]],
        origins: &[Origin; GROUP],
        limits: &[f32; GROUP],
    ) -> [u32; GROUP] {
        // one array for each of the group: together they would not stay in registers
        let [mut a, mut b, mut c, mut d] = [[0.0_f32; LEAF]; GROUP];
        for (lanes, x) in self.columns[leaf * self.p..][..self.p].iter().zip(group) {
            add::<A>(&mut a, x[0], lanes);
            add::<A>(&mut b, x[1], lanes);
            add::<A>(&mut c, x[2], lanes);
            add::<A>(&mut d, x[3], lanes);
        }
        let products = [a, b, c, d];
        let (norms, sizes) = (&self.norms[leaf], &self.sizes[leaf]);
        let mut bits = [0; GROUP];
        for of in 0..GROUP {
            let Origin { norm, size } = origins[of];
            let (twice, limit) = (2.0 * size * ROOM, limits[of]);
            let mut beyond = 0;
            for lane in 0..LEAF {
                let least = (norm + norms[lane]) - 2.0 * products[of][lane];
                let distance = least * (twice * sizes[lane]);
                let bound = limit * (size + sizes[lane]) + TINY;
                beyond |= u32::from(distance > bound) << lane;
            }
            bits[of] = !beyond & 0xffff;
        }
        bits
    }
}

/// Adds `x` times numbers to sums.
#[inline(always)]
fn add<A: Arithmetic>(sums: &mut [f32; LEAF], x: f32, numbers: &[f32; LEAF]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum = A::mul_add(x, *number, *sum);
    }
}

/// A power of two that brings a number near 1.
fn inverse(x: f64) -> f64 {
    let exponent_only = f64::from_bits(x.to_bits() & f64::INFINITY.to_bits());
    let inverse = 1.0 / exponent_only.max(f64::MIN_POSITIVE);
    if inverse.is_normal() { inverse } else { 1.0 }
}
