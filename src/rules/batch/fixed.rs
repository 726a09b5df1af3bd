//! Numbers as integers of one unit, so that sums are exact and can be subtracted.

use crate::data::{Column, Validity};
use crate::exact::power_of_two;
use crate::parallel::map_blocks;
use crate::simd::{self, Arithmetic, Kernel};

/// Units are powers of two between this and its inverse, so that numbers of them are
/// normal.
const FARTHEST: i32 = 900;

/// Digits of a limb: adding 2⁵² · 1.5 to such a number leaves it in the last bits.
const LIMB: i32 = 51;
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// How the numbers of one column become integers: one of 51 binary digits, or two, the
/// higher of which has a unit of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fixed {
    /// The exponents of the units of the lower limb and of the higher.
    exponents: [i32; 2],
    scales: [f64; 2],
    units: [f64; 2],
    pub(super) has_two: bool,
    /// Whether sums of limbs are numbers without rounding.
    is_plain: bool,
}

/// Looks for the ends of some numbers, eight at once.
struct Scan<'n> {
    numbers: &'n [f64],
}

/// The value of the lowest digit of all numbers, and the largest number.
#[derive(Clone, Copy)]
struct Ends {
    lowest: f64,
    largest: f64,
}

impl Ends {
    /// Those of no numbers and of zeros.
    const NONE: Ends = Ends { lowest: f64::INFINITY, largest: 0.0 };

    #[inline(always)]
    fn with(self, x: f64) -> Ends {
        let bits = x.to_bits();
        // Without its lowest digit, unless that is the one that is not written.
        let rest = f64::from_bits(bits & bits.wrapping_sub(1));
        let is_one_digit = bits & ((1 << 52) - 1) == 0;
        let lowest = if is_one_digit { x.abs() } else { (x - rest).abs() };
        // Zero has no digits.
        self.and(Ends {
            lowest: if x == 0.0 { f64::INFINITY } else { lowest },
            largest: x.abs(),
        })
    }

    #[inline(always)]
    fn and(self, other: Ends) -> Ends {
        let lower = other.lowest < self.lowest;
        let larger = other.largest > self.largest;
        Ends {
            lowest: if lower { other.lowest } else { self.lowest },
            largest: if larger { other.largest } else { self.largest },
        }
    }
}

impl Kernel for Scan<'_> {
    type Output = Ends;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Ends {
        let mut lanes = [Ends::NONE; 8];
        let (chunks, rest) = self.numbers.as_chunks::<8>();
        for chunk in chunks {
            for (ends, &x) in lanes.iter_mut().zip(chunk) {
                *ends = ends.with(x);
            }
        }
        let mut all = Ends::NONE;
        for ends in lanes {
            all = all.and(ends);
        }
        for &x in rest {
            all = all.with(x);
        }
        all
    }
}

/// The place of a number's first digit.
fn exponent(x: f64) -> i32 {
    let bits = x.to_bits();
    let biased = (bits >> 52 & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1) | u64::from(biased != 0) << 52;
    biased.max(1) - 1075 + 63 - fraction.leading_zeros() as i32
}

impl Fixed {
    /// For sums of up to `most` numbers of a column; nothing where their digits do not fit.
    pub(super) fn new(column: &Column<'_>, most: usize) -> Option<Fixed> {
        let Column::Number(numbers, validity) = column else { return None };
        let parts = map_blocks(numbers.len(), 1 << 16, |rows| {
            match (numbers.as_slice(), validity) {
                (Some(numbers), Validity::All) => {
                    simd::run(Scan { numbers: &numbers[rows] })
                }
                _ => rows
                    .filter(|&row| validity.is_valid(row))
                    .fold(Ends::NONE, |ends, row| {
                        ends.with(numbers.get(row).unwrap_or_default())
                    }),
            }
        });
        let Ends { lowest, largest } = parts.into_iter().fold(Ends::NONE, Ends::and);
        if largest == 0.0 {
            return Some(Fixed::of([0; 2], false, true));
        }
        let (lowest, highest) = (exponent(lowest), exponent(largest));
        if lowest < -FARTHEST || highest > FARTHEST {
            return None;
        }
        let n_digits = highest - lowest + 1;
        let of_count = (usize::BITS - most.leading_zeros()) as i32;
        if n_digits <= LIMB && n_digits + of_count <= 62 {
            return Some(Fixed::of([lowest; 2], false, n_digits + of_count <= 53));
        }
        // What the higher limb leaves, rounded to the nearest, has a digit less than its
        // unit and a sign; rounding may give the higher one a digit more.
        let below = n_digits / 2;
        let largest = below.max(n_digits - below + 1);
        (largest <= LIMB && largest + of_count <= 62)
            .then(|| Fixed::of([lowest, lowest + below], true, largest + of_count <= 53))
    }

    fn of(exponents: [i32; 2], has_two: bool, is_plain: bool) -> Fixed {
        Fixed {
            exponents,
            scales: exponents.map(|e| power_of_two(-e)),
            units: exponents.map(power_of_two),
            has_two,
            is_plain,
        }
    }

    /// The lower limb, all there is where there is one.
    #[inline(always)]
    pub(super) fn limb(&self, x: f64) -> i64 {
        integer(x * self.scales[0])
    }

    /// The lower limb and the higher.
    #[inline(always)]
    pub(super) fn limbs(&self, x: f64) -> [i64; 2] {
        let high = (x * self.scales[1] + WHOLE) - WHOLE;
        let rest = x - high * self.units[1];
        [integer(rest * self.scales[0]), integer(high)]
    }

    /// A sum as a number, rounded once.
    #[inline(always)]
    pub(super) fn number(&self, sum: i64) -> f64 {
        sum as f64 * self.units[0]
    }

    /// The sums of both limbs as one number, rounded once.
    #[inline(always)]
    pub(super) fn number_of_two(&self, low: i64, high: i64) -> f64 {
        if self.is_plain {
            high as f64 * self.units[1] + low as f64 * self.units[0]
        } else {
            let shift = (self.exponents[1] - self.exponents[0]) as u32;
            let sum = (i128::from(high) << shift) + i128::from(low);
            sum as f64 * self.units[0]
        }
    }
}

/// A whole number of up to 51 binary digits.
#[inline(always)]
fn integer(x: f64) -> i64 {
    ((x + WHOLE).to_bits() as i64).wrapping_sub(WHOLE.to_bits() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::ExactSum;
    use crate::random::Random;

    fn column(numbers: &[f64]) -> Column<'_> {
        Column::Number(numbers.into(), Validity::All)
    }

    fn sum(fixed: Fixed, numbers: &[f64]) -> f64 {
        if fixed.has_two {
            let limbs = numbers.iter().map(|&x| fixed.limbs(x));
            let [low, high] = limbs.fold([0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
            fixed.number_of_two(low, high)
        } else {
            fixed.number(numbers.iter().map(|&x| fixed.limb(x)).sum())
        }
    }

    #[test]
    fn sums_are_exact_and_rounded_once() {
        let mut random = Random::new(7, 0);
        let mut kinds = [0; 4];
        for case in 0..6000 {
            let n = 1 + case % 40;
            let numbers: Vec<f64> = (0..n)
                .map(|_| {
                    let x = random.unit() * 2.0 - 1.0;
                    match case % 6 {
                        0 => (x * 1000.0).round(),
                        1 => (x * 1e6).round() / 4.0,
                        2 => (x * 10_000.0).round() / 100.0,
                        3 => x * 1e-5,
                        4 => x * power_of_two((case % 90) as i32 - 45),
                        _ => x * power_of_two((random.unit() * 60.0) as i32 - 30),
                    }
                })
                .collect();
            let mut exact = ExactSum::new();
            numbers.iter().for_each(|&x| exact.add(x));
            // As if there were customers with so many more.
            for more in [0, 10, 20, 30, 40] {
                let fixed = Fixed::new(&column(&numbers), n << more);
                kinds[match fixed {
                    None => 0,
                    Some(Fixed { has_two: false, .. }) => 1,
                    Some(Fixed { is_plain: true, .. }) => 2,
                    Some(_) => 3,
                }] += 1;
                if let Some(fixed) = fixed {
                    assert_eq!(sum(fixed, &numbers), exact.value(), "{numbers:?}");
                }
            }
        }
        assert!(kinds.iter().all(|&n| n > 100), "{kinds:?}");
    }

    #[test]
    fn numbers_at_the_ends_have_no_unit_or_one_that_fits() {
        for numbers in [
            &[0.0, -0.0][..],
            &[f64::MAX],
            &[f64::MIN_POSITIVE, 1.0],
            &[5e-324],
            &[1.0, 1e30],
            &[-(2_f64.powi(51)), 2_f64.powi(51) - 1.0],
            &[2_f64.powi(900), -(2_f64.powi(899))],
            &[2_f64.powi(-900)],
            &[2_f64.powi(49) - 0.5, -(2_f64.powi(-48))],
        ] {
            if let Some(fixed) = Fixed::new(&column(numbers), 3) {
                assert_eq!(sum(fixed, numbers), numbers.iter().sum::<f64>());
            }
        }
        assert!(Fixed::new(&column(&[f64::MAX]), 1).is_none());
        assert!(Fixed::new(&column(&[1.0]), 1 << 60).is_some());
        assert!(Fixed::new(&column(&[1.0, 2_f64.powi(-100)]), 1).is_none());
    }
}
