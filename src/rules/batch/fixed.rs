//! Numbers as integers of one unit, so that sums are exact and can be subtracted.

use crate::data::{Column, Validity};
use crate::exact::power_of_two;
use crate::parallel::map_blocks;

/// Units are powers of two from this one on, so that numbers of them are normal.
const LEAST: i32 = -900;

/// How numbers of one column become integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fixed {
    /// The unit is two to this power.
    exponent: i32,
    pub(super) width: Width,
}

/// The integers in which a customer's numbers can be added up without overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Narrow,
    Wide,
}

/// The exponents of the lowest digit of all numbers and of the highest.
#[derive(Clone, Copy)]
struct Digits {
    lowest: i32,
    highest: i32,
}

impl Digits {
    const NONE: Digits = Digits { lowest: i32::MAX, highest: i32::MIN };

    #[inline(always)]
    fn with(self, x: f64) -> Digits {
        let bits = x.to_bits();
        let biased = (bits >> 52 & 0x7ff) as i32;
        let fraction = bits & ((1 << 52) - 1) | u64::from(biased != 0) << 52;
        let unit = biased.max(1) - 1075;
        // Nothing has digits of zero: its lowest would be the highest there can be.
        let lowest = unit + fraction.trailing_zeros() as i32;
        let highest = unit + 63 - fraction.leading_zeros() as i32;
        if fraction == 0 {
            self
        } else {
            Digits { lowest: self.lowest.min(lowest), highest: self.highest.max(highest) }
        }
    }

    fn and(self, other: Digits) -> Digits {
        Digits {
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
        }
    }
}

impl Fixed {
    /// For sums of up to `most` numbers of a column; nothing where their digits do not fit.
    pub(super) fn new(column: &Column<'_>, most: usize) -> Option<Fixed> {
        let Column::Number(numbers, validity) = column else { return None };
        let parts = map_blocks(numbers.len(), 1 << 16, |rows| {
            let mut digits = Digits::NONE;
            match (numbers.as_slice(), validity) {
                (Some(numbers), Validity::All) => {
                    for &x in &numbers[rows] {
                        digits = digits.with(x);
                    }
                }
                _ => {
                    for row in rows.filter(|&row| validity.is_valid(row)) {
                        digits = digits.with(numbers.get(row).unwrap_or_default());
                    }
                }
            }
            digits
        });
        let digits = parts.into_iter().fold(Digits::NONE, Digits::and);
        if digits.lowest == i32::MAX {
            return Some(Fixed { exponent: 0, width: Width::Narrow });
        }
        let bits = digits.highest - digits.lowest + 1;
        let count_bits = (usize::BITS - most.leading_zeros()) as i32;
        let width = match bits {
            // A number is found by adding what leaves its digits at the end of a sum.
            _ if digits.lowest < LEAST || digits.highest > 900 => return None,
            0..=51 if bits + count_bits <= 62 => Width::Narrow,
            _ if bits + count_bits <= 126 => Width::Wide,
            _ => return None,
        };
        Some(Fixed { exponent: digits.lowest, width })
    }

    /// A number of less than 2⁵¹ units.
    #[inline(always)]
    pub(super) fn narrow(self, scale: f64, x: f64) -> i64 {
        // The sum's last digit is a unit.
        const WHOLE: f64 = 6_755_399_441_055_744.0;
        ((x * scale + WHOLE).to_bits() as i64).wrapping_sub(WHOLE.to_bits() as i64)
    }

    /// What [`narrow`](Fixed::narrow) multiplies with.
    pub(super) fn scale(self) -> f64 {
        power_of_two(-self.exponent)
    }

    #[inline(always)]
    pub(super) fn wide(self, x: f64) -> i128 {
        let bits = x.to_bits();
        let biased = (bits >> 52 & 0x7ff) as i32;
        let fraction = bits & ((1 << 52) - 1) | u64::from(biased != 0) << 52;
        let shift = biased.max(1) - 1075 - self.exponent;
        let magnitude = if shift >= 0 {
            // Below 126, since the digits fit.
            i128::from(fraction) << (shift & 127)
        } else {
            // The digits that are cut off are zeros.
            i128::from(fraction >> (-shift & 63))
        };
        if fraction == 0 {
            0
        } else if x < 0.0 {
            -magnitude
        } else {
            magnitude
        }
    }

    /// A sum as a number, rounded once.
    #[inline(always)]
    pub(super) fn number_of_narrow(self, sum: i64) -> f64 {
        sum as f64 * power_of_two(self.exponent)
    }

    /// A sum as a number, rounded once.
    #[inline(always)]
    pub(super) fn number_of_wide(self, sum: i128) -> f64 {
        sum as f64 * power_of_two(self.exponent)
    }
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
        let scale = fixed.scale();
        match fixed.width {
            Width::Narrow => {
                let sum = numbers.iter().map(|&x| fixed.narrow(scale, x)).sum();
                fixed.number_of_narrow(sum)
            }
            Width::Wide => {
                fixed.number_of_wide(numbers.iter().map(|&x| fixed.wide(x)).sum())
            }
        }
    }

    #[test]
    fn sums_are_exact_and_rounded_once() {
        let mut random = Random::new(7, 0);
        let mut widths = [0; 3];
        for case in 0..2000 {
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
                        _ => x * power_of_two((random.unit() * 200.0) as i32 - 100),
                    }
                })
                .collect();
            let mut exact = ExactSum::new();
            numbers.iter().for_each(|&x| exact.add(x));
            match Fixed::new(&column(&numbers), n) {
                Some(fixed) => {
                    widths[usize::from(fixed.width == Width::Wide)] += 1;
                    assert_eq!(sum(fixed, &numbers), exact.value(), "{numbers:?}");
                }
                None => widths[2] += 1,
            }
        }
        assert!(widths.iter().all(|&n| n > 100), "{widths:?}");
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
        ] {
            if let Some(fixed) = Fixed::new(&column(numbers), 3) {
                assert_eq!(sum(fixed, numbers), numbers.iter().sum::<f64>());
            }
        }
        assert!(Fixed::new(&column(&[f64::MAX]), 1).is_none());
        assert!(Fixed::new(&column(&[1.0]), usize::MAX).is_some());
        assert!(Fixed::new(&column(&[1.0, 2_f64.powi(-100)]), usize::MAX).is_none());
    }
}
