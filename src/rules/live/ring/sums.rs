//! Sums of numbers without any rounding, as integers.

use std::ops::{AddAssign, Range};

use super::{Head, Need, Ring, each};
use crate::exact::{ExactSum, power_of_two};

/// Sums of more binary digits are kept apart.
const DIGITS: u32 = 96;
/// As are those of units beyond these powers of two.
pub(super) const FARTHEST: i32 = 900;

/// A sum of cells.
#[derive(Clone, Debug)]
pub(in crate::rules::live) enum Total {
    /// So many units, and the unit's power of two.
    Units(i128, i32),
    Exact(Box<ExactSum>),
}

impl Total {
    /// So many units, each a power of two, as a number.
    #[inline]
    pub(in crate::rules::live) fn of(units: i64, exponent: i32) -> f64 {
        // Far from the largest number, and never -0.
        units as f64 * power_of_two(exponent)
    }

    /// Less a number.
    pub(in crate::rules::live) fn minus(self, x: f64) -> Total {
        match self {
            Total::Units(sum, exponent) => match units(x, exponent) {
                Some(units) => Total::Units(sum - units, exponent),
                None => Total::Exact(exact(sum, exponent).into()).minus(x),
            },
            Total::Exact(mut sum) => {
                sum.add(-x);
                Total::Exact(sum)
            }
        }
    }

    /// The sum, rounded once.
    pub(in crate::rules::live) fn value(&self) -> f64 {
        let value = match self {
            // Within 64 bits the machine does it. The product is exact: it is normal.
            Total::Units(units, exponent) => match i64::try_from(*units) {
                Ok(units) => units as f64 * power_of_two(*exponent),
                Err(_) => *units as f64 * power_of_two(*exponent),
            },
            Total::Exact(sum) => sum.value(),
        };
        // Adding 0 leaves no -0.
        value.clamp(f64::MIN, f64::MAX) + 0.0
    }
}

/// A number other than 0 as an odd integer times a power of two.
fn split(x: f64) -> (i64, i32) {
    let bits = x.to_bits();
    let biased = (bits >> 52 & 0x7ff) as i32;
    let whole = bits & ((1 << 52) - 1) | u64::from(biased != 0) << 52;
    let zeros = whole.trailing_zeros();
    let odd = (whole >> zeros) as i64;
    (if x < 0.0 { -odd } else { odd }, biased.max(1) - 1075 + zeros as i32)
}

/// The least width of a number with a sign.
#[inline]
fn signed_width_of(x: i128) -> u8 {
    match 128 - (x ^ (x >> 127)).leading_zeros() {
        _ if x == 0 => 0,
        0..8 => 1,
        8..16 => 2,
        16..32 => 4,
        32..64 => 8,
        _ => 16,
    }
}

impl Ring {
    pub(super) fn signed(&self, column: usize, row: usize) -> i128 {
        let (cell, width) = self.cells(column, row..row + 1);
        let mut bytes = match (width, cell.last()) {
            (_, Some(&high)) if high > 0x7f => [0xff; 16],
            _ => [0; 16],
        };
        bytes[..width].copy_from_slice(cell);
        i128::from_le_bytes(bytes)
    }

    fn set_signed(&mut self, column: usize, row: usize, x: i128) {
        let width = signed_width_of(x);
        if width > self.head(column).width {
            self.widen(column, width);
        }
        let width = usize::from(self.head(column).width);
        let at = self.start(column) + row * width;
        self.bytes[at..at + width].copy_from_slice(&x.to_le_bytes()[..width]);
    }

    pub(super) fn exact_sums(&self, column: usize) -> Option<&Vec<ExactSum>> {
        self.exact.as_ref()?.columns.get(&(column as u32))
    }

    fn exact_sum(&mut self, column: usize, row: usize) -> Option<&mut ExactSum> {
        self.exact.as_mut()?.columns.get_mut(&(column as u32))?.get_mut(row)
    }

    /// Adds a finite number to a cell of a column of sums.
    pub(in crate::rules::live) fn add(&mut self, column: usize, row: usize, x: f64) {
        if x == 0.0 {
            return;
        }
        if self.exact_sums(column).is_none() {
            if self.add_units(column, row, x).is_some() {
                return;
            }
            self.make_exact(column);
        }
        if let Some(sum) = self.exact_sum(column, row) {
            sum.add(x);
        }
    }

    /// Nothing where the digits do not fit.
    fn add_units(&mut self, column: usize, row: usize, x: f64) -> Option<()> {
        let (odd, power) = split(x);
        let head = self.head(column);
        let mut exponent = i32::from(head.exponent);
        if head.width == 0 {
            let first = first_exponent(x)?;
            self.set_head(column, Head { exponent: first, ..head });
            exponent = first.into();
        } else if power < exponent {
            (power >= -FARTHEST).then_some(())?;
            let shift = (exponent - power) as u32;
            let cells = (0..self.n_rows()).map(|row| self.signed(column, row));
            let cells: Option<Vec<i128>> =
                cells.map(|cell| shifted(cell, shift)).collect();
            for (row, cell) in cells?.into_iter().enumerate() {
                self.set_signed(column, row, cell);
            }
            exponent = power;
            let head = self.head(column);
            self.set_head(column, Head { exponent: exponent as i16, ..head });
        }
        let units = units_of(odd, power, exponent)?;
        let sum = self.signed(column, row) + units;
        fits(sum).then(|| self.set_signed(column, row, sum))
    }

    /// The width that a cell needs for one number more, and the exponent of the unit; nothing
    /// where more than that must change.
    pub(in crate::rules::live) fn sum_need(
        &self,
        column: usize,
        row: usize,
        x: f64,
    ) -> Option<Need> {
        let head = self.head(column);
        if x == 0.0 || self.exact_sums(column).is_some() {
            return None;
        }
        let exponent = if head.width == 0 { first_exponent(x)? } else { head.exponent };
        let sum = self.signed(column, row) + units(x, exponent.into())?;
        Some(Need { column, width: signed_width_of(sum), exponent })
    }

    #[cold]
    fn make_exact(&mut self, column: usize) {
        let exponent = i32::from(self.head(column).exponent);
        let sums =
            (0..self.n_rows()).map(|row| exact(self.signed(column, row), exponent));
        let sums = sums.collect();
        self.exact.get_or_insert_default().columns.insert(column as u32, sums);
        self.reshape(self.capacity, |c, head| {
            if c == column { Head { width: 0, exponent: 0, ..head } } else { head }
        });
    }

    /// The sum of some cells of a column of sums.
    #[inline]
    pub(in crate::rules::live) fn total(
        &self,
        column: usize,
        rows: Range<usize>,
    ) -> Total {
        if let Some(sums) = self.exact_sums(column) {
            let mut total = ExactSum::new();
            sums[rows].iter().for_each(|sum| total.merge(sum));
            return Total::Exact(total.into());
        }
        let exponent = self.head(column).exponent.into();
        let (cells, width) = self.cells(column, rows);
        // Sums of fewer than 2³¹ such cells do not overflow.
        let mut few = 0_i64;
        let mut many = 0_i128;
        match width {
            0 => {}
            1 => cells.iter().for_each(|&x| few += i64::from(x as i8)),
            2 => each(cells, |x| few += i64::from(i16::from_le_bytes(x))),
            4 => each(cells, |x| few += i64::from(i32::from_le_bytes(x))),
            8 => each(cells, |x| many += i128::from(i64::from_le_bytes(x))),
            _ => each(cells, |x| many += i128::from_le_bytes(x)),
        }
        Total::Units(many + i128::from(few), exponent)
    }

    /// The counts of the first 0, 1, 2, … rows.
    pub(in crate::rules::live) fn counts(&self, column: usize, out: &mut Vec<i64>) {
        out.clear();
        out.push(0);
        let mut sum = 0_i64;
        self.for_each_plain(column, 0..self.n_rows(), |x| {
            sum = sum.saturating_add_unsigned(x);
            out.push(sum);
        });
    }

    /// The sums of the first 0, 1, 2, … rows of a column of sums, in units that are powers of
    /// two; nothing where sums are kept apart or are wide.
    pub(in crate::rules::live) fn sums(
        &self,
        column: usize,
        out: &mut Vec<i64>,
    ) -> Option<i32> {
        let mut running = Running::new(out);
        let (cells, width) = self.cells(column, 0..self.n_rows());
        match width {
            0 if self.exact_sums(column).is_none() => {
                (0..self.n_rows()).for_each(|_| running.add(0));
            }
            1 => cells.iter().for_each(|&x| running.add(x as i8)),
            2 => each(cells, |x| running.add(i16::from_le_bytes(x))),
            4 => each(cells, |x| running.add(i32::from_le_bytes(x))),
            _ => return None,
        }
        Some(self.head(column).exponent.into())
    }

    /// [`sums`](Ring::sums) of a wide column; nothing where sums are kept apart.
    pub(in crate::rules::live) fn wide_sums(
        &self,
        column: usize,
        out: &mut Vec<i128>,
    ) -> Option<i32> {
        let mut running = Running::new(out);
        let (cells, width) = self.cells(column, 0..self.n_rows());
        match width {
            8 => each(cells, |x| running.add(i64::from_le_bytes(x))),
            16 => each(cells, |x| running.add(i128::from_le_bytes(x))),
            _ => return None,
        }
        Some(self.head(column).exponent.into())
    }

    /// Adds the sum of another ring's cell.
    pub(in crate::rules::live) fn add_sum(
        &mut self,
        column: usize,
        row: usize,
        other: &Ring,
        from: usize,
    ) {
        match other.total(column, from..from + 1) {
            Total::Units(units, exponent) => {
                parts(units, exponent).for_each(|part| self.add(column, row, part));
            }
            Total::Exact(sum) => {
                if self.exact_sums(column).is_none() {
                    self.make_exact(column);
                }
                if let Some(own) = self.exact_sum(column, row) {
                    own.merge(&sum);
                }
            }
        }
    }
}

/// Totals of the first 0, 1, 2, … numbers.
struct Running<'o, T> {
    out: &'o mut Vec<T>,
    sum: T,
}

impl<'o, T: Copy + Default + AddAssign> Running<'o, T> {
    fn new(out: &'o mut Vec<T>) -> Running<'o, T> {
        out.clear();
        out.push(T::default());
        Running { out, sum: T::default() }
    }

    #[inline(always)]
    fn add(&mut self, x: impl Into<T>) {
        self.sum += x.into();
        self.out.push(self.sum);
    }
}

/// The exponent of a column whose first number this is.
fn first_exponent(x: f64) -> Option<i16> {
    let (_, power) = split(x);
    // Whole numbers are counted in ones.
    let exponent = if power >= 0 && x.abs() < 1e18 { 0 } else { power };
    (exponent.abs() <= FARTHEST).then_some(exponent as i16)
}

fn units_of(odd: i64, power: i32, exponent: i32) -> Option<i128> {
    shifted(odd.into(), u32::try_from(power - exponent).ok()?)
}

/// A number in units of a power of two; nothing where it is no whole number of them, or too
/// many.
pub(in crate::rules::live) fn units(x: f64, exponent: i32) -> Option<i128> {
    if x == 0.0 {
        return Some(0);
    }
    let (odd, power) = split(x);
    units_of(odd, power, exponent)
}

pub(super) fn fits(x: i128) -> bool {
    x.unsigned_abs() >> DIGITS == 0
}

/// So many binary digits higher, where that fits.
fn shifted(x: i128, digits: u32) -> Option<i128> {
    let room = x.unsigned_abs().leading_zeros();
    (x == 0 || digits <= room.saturating_sub(128 - DIGITS)).then(|| x << digits.min(127))
}

fn exact(units: i128, exponent: i32) -> ExactSum {
    let mut sum = ExactSum::new();
    parts(units, exponent).for_each(|part| sum.add(part));
    sum
}

/// So many units as two numbers.
fn parts(units: i128, exponent: i32) -> impl Iterator<Item = f64> {
    [0, 48].into_iter().map(move |shift| {
        let part = (units.unsigned_abs() >> shift) as u64 & ((1 << 48) - 1);
        let part = part as f64 * power_of_two(exponent + shift);
        if units < 0 { -part } else { part }
    })
}
