//! The series of the beta-geometric process, for one customer or for eight at once.

/// Terms, at most: where more are needed, quadrature is as quick.
const TERMS: usize = 400;

/// Terms between two looks at whether they are enough.
const EACH: usize = 8;

/// Lanes of the series of many customers.
pub(super) const LANES: usize = 8;

/// What a series sums up to, and the sum of its terms' sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums<const L: usize> {
    /// NaN where it takes too long.
    pub(super) sum: [f64; L],
    pub(super) sizes: [f64; L],
}

/// What the numerators of neighbouring terms differ by, but for `z`:
/// `(A+n) (a+n−1) / (n+1)`, from `n = 1` on.
pub(super) trait Numerators {
    fn at(&self, i: usize) -> f64;
}

/// Numerators that are computed when they are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Computed {
    pub(super) upper: f64,
    pub(super) a: f64,
}

impl Numerators for Computed {
    #[inline(always)]
    fn at(&self, i: usize) -> f64 {
        let before = i as f64;
        (self.upper + (before + 1.0)) * (self.a + before) / (before + 2.0)
    }
}

/// The same for many customers: a division in each term would be half of the time.
#[derive(Clone, Debug)]
pub(super) struct Table([f64; TERMS]);

impl Table {
    pub(super) fn new(computed: &Computed) -> Table {
        Table(std::array::from_fn(|i| computed.at(i)))
    }
}

impl Numerators for Table {
    #[inline(always)]
    fn at(&self, i: usize) -> f64 {
        self.0[i]
    }
}

/// `Σ_{n≥1} (A)_n (a)_(n−1) / ((c)_(n−1) n!) zⁿ`, in `L` lanes that do not know of each other: the
/// bits of a lane are those of the series alone.
#[inline(always)]
pub(super) fn series<const L: usize>(
    upper: f64,
    numerators: &impl Numerators,
    c: &[f64; L],
    z: &[f64; L],
) -> Sums<L> {
    // Above −1 all terms have the sign of the first, and their sizes sum up to the sum's.
    if upper < -1.0 {
        sum_up::<L, true>(upper, numerators, c, z)
    } else {
        sum_up::<L, false>(upper, numerators, c, z)
    }
}

/// Sums and term are kept as numerators over one denominator, so that the only division is the
/// last one; two terms are added at once, so that the sum does not wait for each.
#[inline(always)]
fn sum_up<const L: usize, const SIGNS: bool>(
    upper: f64,
    numerators: &impl Numerators,
    c: &[f64; L],
    z: &[f64; L],
) -> Sums<L> {
    const LARGE: f64 = 1e150;
    let mut term = [0.0; L];
    let mut below = [1.0; L];
    for l in 0..L {
        term[l] = upper * z[l];
    }
    let mut sum = term;
    let mut sizes = [0.0; L];
    if SIGNS {
        for l in 0..L {
            sizes[l] = term[l].abs();
        }
    }
    // What was there where it was enough, and all bits set for which it was.
    let (mut end_sum, mut end_sizes, mut end_below) = ([f64::NAN; L], [0.0; L], [1.0; L]);
    let mut done = [0_u64; L];
    let mut n = 0;
    while n + EACH < TERMS {
        for _ in 0..EACH / 2 {
            let before = n as f64;
            let (one, two) = (numerators.at(n), numerators.at(n + 1));
            for l in 0..L {
                let down = c[l] + (before + 1.0);
                let both = (c[l] + before) * down;
                let next = term[l] * (one * z[l]);
                let last = next * (two * z[l]);
                sum[l] = sum[l] * both + (next * down + last);
                if SIGNS {
                    sizes[l] = sizes[l] * both + (next.abs() * down + last.abs());
                }
                below[l] *= both;
                term[l] = last;
            }
            n += 2;
        }
        let (before, numerator) = (n as f64, numerators.at(n).abs());
        let mut open = 0;
        // Masks, as branches would take longer than all the terms.
        for l in 0..L {
            // The ratios of terms tend to z, from above or from below: the rest is at most a
            // geometric series of the larger one.
            let down = c[l] + before;
            let (here, at_last) = (numerator * z[l], down * z[l]);
            let up = if here > at_last { here } else { at_last };
            let small = term[l].abs() * up <= 1e-17 * (down - up) * sum[l].abs();
            let enough = u64::from(small).wrapping_neg();
            let first = enough & !done[l];
            end_sum[l] = select(first, sum[l], end_sum[l]);
            end_below[l] = select(first, below[l], end_below[l]);
            if SIGNS {
                end_sizes[l] = select(first, sizes[l], end_sizes[l]);
            }
            done[l] |= enough;
            open |= !done[l];
        }
        if open == 0 {
            break;
        }
        for l in 0..L {
            let scale = if below[l] > LARGE { 1.0 / LARGE } else { 1.0 };
            term[l] *= scale;
            below[l] *= scale;
            sum[l] *= scale;
            if SIGNS {
                sizes[l] *= scale;
            }
        }
    }
    let mut sums = Sums { sum: [0.0; L], sizes: [0.0; L] };
    for l in 0..L {
        sums.sum[l] = end_sum[l] / end_below[l];
        sums.sizes[l] =
            if SIGNS { end_sizes[l] / end_below[l] } else { sums.sum[l].abs() };
    }
    sums
}

#[inline(always)]
fn select(mask: u64, yes: f64, no: f64) -> f64 {
    f64::from_bits((yes.to_bits() & mask) | (no.to_bits() & !mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_do_not_know_of_each_other() {
        let at = |l: usize, by: f64| 0.1 + by * (l * 7 % 11) as f64;
        let c: [f64; LANES] = std::array::from_fn(|l| at(l, 3.0));
        let z: [f64; LANES] = std::array::from_fn(|l| at(l, 0.0899));
        for a in [0.01, 0.793, 1.0, 6.0] {
            for upper in [-7.5, -3.0, -1.0, -0.4, 0.0, 0.3, 1.97, 30.0] {
                let computed = Computed { upper, a };
                let found = series(upper, &Table::new(&computed), &c, &z);
                for l in 0..LANES {
                    let alone = series(upper, &computed, &[c[l]], &[z[l]]);
                    assert_eq!(found.sum[l].to_bits(), alone.sum[0].to_bits(), "{a} {l}");
                    assert_eq!(found.sizes[l].to_bits(), alone.sizes[0].to_bits());
                    // Term by term.
                    let mut term = upper * z[l];
                    let (mut slow, mut sizes) = (term, term.abs());
                    for n in 1..3000 {
                        let n = f64::from(n);
                        term *= (upper + n) * (a + n - 1.0) * z[l]
                            / ((c[l] + n - 1.0) * (n + 1.0));
                        slow += term;
                        sizes += term.abs();
                    }
                    if !alone.sum[0].is_nan() {
                        let off = (alone.sum[0] - slow).abs();
                        assert!(off <= 1e-14 * sizes, "{a} {upper} {l}");
                        assert!((alone.sizes[0] - sizes).abs() <= 1e-14 * sizes);
                    }
                }
            }
        }
    }
}
