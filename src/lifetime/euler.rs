//! The series of the beta-geometric process, for one customer or for eight at once.

use crate::simd::{Arithmetic, Kernel};

/// Terms, at most: where more are needed, quadrature is as quick.
const TERMS: usize = 400;

/// Terms between two looks at whether they are enough.
const EACH: usize = 4;

/// What a series sums up to, and the sum of its terms' sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums<const L: usize> {
    /// NaN where it takes too long.
    pub(super) sum: [f64; L],
    pub(super) sizes: [f64; L],
}

/// `Σ_{n≥1} (A)_n (a)_(n−1) / ((c)_(n−1) n!) zⁿ`, in `L` lanes that do not know of each other: the
/// bits of a lane are those of the series alone.
///
/// Sums and term are kept as numerators over one denominator, so that the only division is the
/// last one: a division in each term would be most of the time.
#[inline(always)]
pub(super) fn series<const L: usize>(
    upper: &[f64; L],
    a: f64,
    c: &[f64; L],
    z: &[f64; L],
) -> Sums<L> {
    const LARGE: f64 = 1e200;
    let mut term = [0.0; L];
    let mut sizes = [0.0; L];
    let mut below = [1.0; L];
    for l in 0..L {
        term[l] = upper[l] * z[l];
        sizes[l] = term[l].abs();
    }
    let mut sum = term;
    let mut found = Sums { sum: [f64::NAN; L], sizes: [0.0; L] };
    let mut n = 1.0;
    for _ in 0..TERMS / EACH {
        for _ in 0..EACH {
            let (before, after) = (n - 1.0, n + 1.0);
            for l in 0..L {
                let up = (upper[l] + n) * (a + before) * z[l];
                let down = (c[l] + before) * after;
                term[l] *= up;
                below[l] *= down;
                sum[l] = sum[l] * down + term[l];
                sizes[l] = sizes[l] * down + term[l].abs();
            }
            n = after;
        }
        let mut open = false;
        for l in 0..L {
            let scale = if below[l] > LARGE { 1.0 / LARGE } else { 1.0 };
            term[l] *= scale;
            below[l] *= scale;
            sum[l] *= scale;
            sizes[l] *= scale;
            // From here on the ratios of terms tend to z, so that the rest is geometric.
            let up = ((upper[l] + n) * (a + (n - 1.0)) * z[l]).abs();
            let down = (c[l] + (n - 1.0)) * (n + 1.0);
            let enough =
                term[l].abs() * z[l] <= 1e-17 * (1.0 - z[l]) * sum[l].abs() && up < down;
            if enough && found.sum[l].is_nan() {
                found.sum[l] = sum[l] / below[l];
                found.sizes[l] = sizes[l] / below[l];
            }
            open |= found.sum[l].is_nan();
        }
        if !open {
            break;
        }
    }
    found
}

/// Lanes of the series of many customers.
pub(super) const LANES: usize = 8;

/// The series of many customers; what is asked and what is found are as long.
#[derive(Debug)]
pub(super) struct Many<'a> {
    pub(super) a: f64,
    pub(super) upper: &'a [[f64; LANES]],
    pub(super) c: &'a [[f64; LANES]],
    pub(super) z: &'a [[f64; LANES]],
    pub(super) found: &'a mut [Sums<LANES>],
}

impl Kernel for Many<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let asked = self.upper.iter().zip(self.c).zip(self.z);
        for (found, ((upper, c), z)) in self.found.iter_mut().zip(asked) {
            *found = series(upper, self.a, c, z);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_do_not_know_of_each_other() {
        let at = |l: usize, by: f64| 0.1 + by * (l * 7 % 11) as f64;
        let upper: [f64; LANES] = std::array::from_fn(|l| at(l, 0.9) - 3.0);
        let c: [f64; LANES] = std::array::from_fn(|l| at(l, 3.0));
        let z: [f64; LANES] = std::array::from_fn(|l| at(l, 0.0899));
        for a in [0.01, 0.793, 1.0, 6.0] {
            let mut found = [Sums { sum: [0.0; LANES], sizes: [0.0; LANES] }];
            let (upper, c, z) = (&[upper], &[c], &[z]);
            crate::simd::run(Many { a, upper, c, z, found: &mut found });
            for l in 0..LANES {
                let alone = series(&[upper[0][l]], a, &[c[0][l]], &[z[0][l]]);
                assert_eq!(found[0].sum[l].to_bits(), alone.sum[0].to_bits(), "{a} {l}");
                assert_eq!(found[0].sizes[l].to_bits(), alone.sizes[0].to_bits());
                // Term by term.
                let (mut term, mut slow) = (upper[0][l] * z[0][l], upper[0][l] * z[0][l]);
                for n in 1..3000 {
                    let n = f64::from(n);
                    term *= (upper[0][l] + n) * (a + n - 1.0) * z[0][l]
                        / ((c[0][l] + n - 1.0) * (n + 1.0));
                    slow += term;
                }
                if !alone.sum[0].is_nan() {
                    let off = (alone.sum[0] - slow).abs();
                    assert!(off <= 1e-14 * alone.sizes[0], "{a} {l}");
                }
            }
        }
    }
}
