//! Weight, mean and spread that can be built on parts and merged.

use crate::parallel::map_blocks;

/// Values of one block of [`Moments::of`].
const BLOCK: usize = 8192;

/// Weight, mean and sum of squared deviations of some numbers.
///
/// Built on a block by the corrected two-pass algorithm and merged pairwise (Chan, Golub
/// & LeVeque 1983, "Algorithms for computing the sample variance"), so that a large
/// common offset does not cancel the spread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    /// Sum of the weights.
    pub weight: f64,
    /// Weighted mean; 0 where there is no weight.
    pub mean: f64,
    /// Weighted sum of squared deviations from the mean.
    pub squares: f64,
}

impl Moments {
    /// Of numbers with their weights, over fixed blocks in block order.
    pub(super) fn of(values: &[(f64, f64)]) -> Moments {
        map_blocks(values.len(), BLOCK, |range| Moments::of_block(&values[range]))
            .into_iter()
            .fold(Moments::default(), Moments::merge)
    }

    fn of_block(values: &[(f64, f64)]) -> Moments {
        let weight: f64 = values.iter().map(|&(_, w)| w).sum();
        if weight == 0.0 {
            return Moments::default();
        }
        let rough = values.iter().map(|&(x, w)| x * (w / weight)).sum::<f64>();
        let (mut first, mut second) = (0.0, 0.0);
        for &(x, w) in values {
            let d = x - rough;
            first += w * d;
            second += w * d * d;
        }
        let shift = first / weight;
        Moments {
            weight,
            mean: rough + shift,
            squares: (second - first * shift).max(0.0),
        }
    }

    /// The moments of both parts together.
    fn merge(self, other: Moments) -> Moments {
        if self.weight == 0.0 {
            return other;
        }
        if other.weight == 0.0 {
            return self;
        }
        let weight = self.weight + other.weight;
        let part = other.weight / weight;
        let d = other.mean - self.mean;
        Moments {
            weight,
            mean: self.mean + d * part,
            squares: self.squares + other.squares + d * d * self.weight * part,
        }
    }
}

/// Mean and standard deviation (divisor: the sum of the weights), each where it is
/// finite. `low` and `high` are the least and the greatest of `values`.
pub(super) fn mean_and_deviation(
    values: &mut [(f64, f64)],
    low: f64,
    high: f64,
) -> (Option<f64>, Option<f64>) {
    if low == high {
        // Rounding would give equal values a mean beside them and a spread above 0.
        return (Some(low), Some(0.0));
    }
    let unit = unit_of(low.abs().max(high.abs()));
    if unit != 1.0 {
        for (x, _) in values.iter_mut() {
            *x /= unit;
        }
    }
    let moments = Moments::of(values);
    let deviation = (moments.squares / moments.weight).sqrt() * unit;
    (finite(moments.mean * unit), finite(deviation))
}

/// The power of two in which numbers up to `largest` are measured, so that neither they
/// nor their squares overflow or vanish. It is 1 except for extreme numbers.
fn unit_of(largest: f64) -> f64 {
    if (1e-100..=1e100).contains(&largest) {
        return 1.0;
    }
    // The number without its mantissa; below the normal range, the least normal number.
    f64::from_bits(largest.to_bits() & f64::INFINITY.to_bits()).max(f64::MIN_POSITIVE)
}

/// The number, unless it is NaN or infinite.
pub(super) fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_blocks_equal_one_block() {
        let values: Vec<(f64, f64)> = (0..3 * BLOCK)
            .map(|i| (1e8 + (i * 7919 % 1000) as f64, (i % 3) as f64))
            .collect();
        let (merged, whole) = (Moments::of(&values), Moments::of_block(&values));
        assert_eq!(merged.weight, whole.weight);
        assert!((merged.mean - whole.mean).abs() < 5e-8);
        // All numbers are whole, so that this sum of the parts beyond 1e8 is exact.
        let beyond: f64 = values.iter().map(|&(x, w)| (x - 1e8) * w).sum();
        let exact = 1e8 + beyond / whole.weight;
        assert!((whole.mean - exact).abs() < 2e-8, "{} {exact}", whole.mean);
        assert!((merged.squares / whole.squares - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_block_without_weight_adds_nothing() {
        let some = Moments::of(&[(1.0, 2.0), (3.0, 2.0)]);
        let none = Moments::of(&[(7.0, 0.0)]);
        assert_eq!(some, Moments { weight: 4.0, mean: 2.0, squares: 4.0 });
        assert_eq!(some.merge(none), some);
        assert_eq!(none.merge(some), some);
    }

    #[test]
    fn the_unit_is_a_power_of_two() {
        for (largest, unit) in
            [(1.0, 1.0), (1.5e308, 2_f64.powi(1023)), (5e-324, 2_f64.powi(-1022))]
        {
            assert_eq!(unit_of(largest), unit);
        }
        assert_eq!(unit_of(0.0), f64::MIN_POSITIVE);
    }
}
