//! Sums of floating-point numbers without any rounding.

use serde::{Deserialize, Serialize};

/// Two to a power between −1022 and 1023.
pub(crate) fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// Digits of 32 bits: from 2⁻¹⁰⁷⁴, the least number there is, past 2¹⁰²⁴ · 2⁶⁴.
const DIGITS: usize = 68;

/// Numbers that may be added before carries are passed on.
const ROOM: u32 = 1 << 30;

/// The exact sum of any finite numbers: an integer of 68 digits of 32 bits in units of
/// 2⁻¹⁰⁷⁴ (Kulisch 1971; Neal 2015, "small superaccumulator"). So neither order nor
/// grouping leaves a trace, and no scale has to be known beforehand.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Digits", try_from = "Digits")]
pub(crate) struct ExactSum {
    /// After [`settle`](ExactSum::settle) all but the last are digits, and the last one
    /// has the sign: each sum has one form.
    digits: [i64; DIGITS],
    /// How many numbers may still be added before carries must be passed on.
    room: u32,
}

impl ExactSum {
    pub(crate) fn new() -> ExactSum {
        ExactSum { digits: [0; DIGITS], room: ROOM }
    }

    /// Adds a finite number.
    #[inline(always)]
    pub(crate) fn add(&mut self, x: f64) {
        if self.room == 0 {
            self.settle();
        }
        self.room -= 1;
        let bits = x.to_bits();
        let biased = (bits >> 52) as usize & 0x7ff;
        let fraction = bits & ((1 << 52) - 1);
        let whole = fraction | u64::from(biased != 0) << 52;
        let place = biased.saturating_sub(1);
        let spread = u128::from(whole) << (place % 32);
        // 0 or −1: to flip the sign.
        let sign = bits as i64 >> 63;
        let parts = [spread as u32, (spread >> 32) as u32, (spread >> 64) as u32];
        let first = place / 32;
        if let Some(digits) = self.digits.get_mut(first..first + 3) {
            for (digit, part) in digits.iter_mut().zip(parts) {
                *digit += (i64::from(part) ^ sign) - sign;
            }
        }
    }

    /// Adds a finite number so many times; sums beyond all numbers are the largest.
    pub(crate) fn add_times(&mut self, x: f64, n: u64) {
        for bit in (0..u64::BITS).filter(|bit| n >> bit & 1 == 1) {
            // Exact, but where it is too large.
            self.add((x * power_of_two(bit as i32)).clamp(f64::MIN, f64::MAX));
        }
    }

    pub(crate) fn merge(&mut self, other: &ExactSum) {
        self.settle();
        let mut other = other.clone();
        other.settle();
        for (to, from) in self.digits.iter_mut().zip(&other.digits) {
            *to += from;
        }
        self.room = 0;
        self.settle();
    }

    /// Passes on the carries.
    pub(crate) fn settle(&mut self) {
        if self.room == ROOM {
            return;
        }
        let mut carry = 0;
        for digit in &mut self.digits[..DIGITS - 1] {
            let sum = *digit + carry;
            *digit = sum & 0xffff_ffff;
            carry = sum >> 32;
        }
        // Sums this large are never small again.
        let top = self.digits[DIGITS - 1].saturating_add(carry);
        self.digits[DIGITS - 1] = top.clamp(-0xffff_ffff, 0xffff_ffff);
        self.room = ROOM;
    }

    /// The sum, rounded once to the nearest number, ties to even; infinite when it is too
    /// large.
    pub(crate) fn value(&self) -> f64 {
        let (negative, digits) = self.magnitude();
        let Some(top) = digits.iter().rposition(|&digit| digit != 0) else { return 0.0 };
        let first = top.saturating_sub(2);
        let mut whole = digits[first..=top]
            .iter()
            .rev()
            .fold(0_u128, |whole, &digit| whole << 32 | u128::from(digit));
        // 65 binary digits or more: what is below can only break a tie.
        if digits[..first].iter().any(|&digit| digit != 0) {
            whole |= 1;
        }
        // The product is exact where it is not normal, so that it is rounded once.
        let exponent = 32 * first as i32 - 1074;
        let half = exponent / 2;
        let value = whole as f64 * power_of_two(half) * power_of_two(exponent - half);
        if negative { -value } else { value }
    }

    /// The sum as a number and what rounding has cut off it, which is at most half a unit
    /// of its last digit: about 106 binary digits. `None` when it is too large.
    pub(crate) fn double(&self) -> Option<(f64, f64)> {
        let high = self.value();
        if !high.is_finite() {
            return None;
        }
        let mut rest = self.clone();
        rest.add(-high);
        Some((high, rest.value()))
    }

    /// Feeds a checksum: with the same bytes for equal sums.
    pub(crate) fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        let (negative, digits) = self.magnitude();
        take(&[u8::from(negative)]);
        digits.iter().for_each(|digit| take(&digit.to_le_bytes()));
    }

    /// The sign and the digits of the absolute value.
    fn magnitude(&self) -> (bool, [u32; DIGITS]) {
        let mut sum = self.clone();
        sum.settle();
        let negative = sum.digits[DIGITS - 1] < 0;
        if negative {
            sum.digits.iter_mut().for_each(|digit| *digit = -*digit);
            sum.room = 0;
            sum.settle();
        }
        (negative, sum.digits.map(|digit| digit as u32))
    }
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &ExactSum) -> bool {
        self.magnitude() == other.magnitude()
    }
}

/// The shape of a saved sum: sign, and the digits of the absolute value from `start` on,
/// the lowest first, without zeros at the ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digits {
    negative: bool,
    start: usize,
    digits: Vec<u32>,
}

impl From<ExactSum> for Digits {
    fn from(sum: ExactSum) -> Digits {
        let (negative, digits) = sum.magnitude();
        let start = digits.iter().position(|&digit| digit != 0).unwrap_or(0);
        let end = digits.iter().rposition(|&digit| digit != 0).map_or(start, |at| at + 1);
        Digits { negative, start, digits: digits[start..end].to_vec() }
    }
}

impl TryFrom<Digits> for ExactSum {
    type Error = &'static str;

    fn try_from(saved: Digits) -> Result<ExactSum, &'static str> {
        let mut sum = ExactSum::new();
        let end = saved.start.checked_add(saved.digits.len());
        let places = end.and_then(|end| sum.digits.get_mut(saved.start..end));
        let places = places.ok_or("a sum has too many digits")?;
        for (place, &digit) in places.iter_mut().zip(&saved.digits) {
            let digit = i64::from(digit);
            *place = if saved.negative { -digit } else { digit };
        }
        sum.room = 0;
        sum.settle();
        Ok(sum)
    }
}

/// The product of two numbers and what rounding has cut off it (Dekker 1971): exact when
/// nothing over- or underflows.
#[inline(always)]
pub(crate) fn product(a: f64, b: f64) -> (f64, f64) {
    let whole = a * b;
    let ((a1, a2), (b1, b2)) = (halves(a), halves(b));
    (whole, ((a1 * b1 - whole) + a1 * b2 + a2 * b1) + a2 * b2)
}

/// A number as the sum of two of half as many digits (Veltkamp 1968).
#[inline(always)]
fn halves(x: f64) -> (f64, f64) {
    let scaled = 134_217_729.0 * x;
    let high = scaled - (scaled - x);
    (high, x - high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn sum(numbers: &[f64]) -> ExactSum {
        let mut sum = ExactSum::new();
        numbers.iter().for_each(|&x| sum.add(x));
        sum
    }

    /// Numbers of all sizes and signs, subnormal ones too.
    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed, 0);
        let any = |random: &mut Random| f64::from_bits(random.bits());
        (0..n)
            .map(|i| {
                loop {
                    let x = match i % 3 {
                        0 => any(&mut random),
                        1 => any(&mut random) * 1e-310,
                        _ => random.unit() - 0.5,
                    };
                    if x.is_finite() {
                        break x;
                    }
                }
            })
            .collect()
    }

    #[test]
    fn one_number_is_its_own_sum() {
        let least = f64::from_bits(1);
        let ends = [0.0, least, -least, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1.0, -0.1];
        for x in numbers(3000, 1).into_iter().chain(ends) {
            assert_eq!(sum(&[x]).value().to_bits(), (x + 0.0).to_bits());
            assert_eq!(sum(&[x]).double(), Some((x, 0.0)));
        }
    }

    #[test]
    fn sums_of_two_are_rounded_as_the_machine_does() {
        let x = numbers(3000, 2);
        for pair in x.windows(2).chain(x.chunks(3).map(|c| &c[..2])) {
            assert_eq!(sum(pair).value(), pair[0] + pair[1], "{pair:?}");
        }
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum(&[1.0, half]).value(), 1.0);
        assert_eq!(sum(&[1.0, half, 1e-300]).value(), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[-1.0, -half, -1e-300]).value(), -1.0 - f64::EPSILON);
        assert_eq!(sum(&[1.0, half]).double(), Some((1.0, half)));
        assert_eq!(sum(&[f64::MAX, f64::MAX]).value(), f64::INFINITY);
        assert_eq!(sum(&[f64::MAX, f64::MAX, f64::MIN]).value(), f64::MAX);
        assert_eq!(sum(&[f64::MAX, f64::MAX]).double(), None);
    }

    #[test]
    fn any_order_and_split_gives_the_same_sum() {
        let x = numbers(999, 3);
        let whole = sum(&x);
        let mut backwards = x.clone();
        backwards.reverse();
        assert_eq!(sum(&backwards), whole);
        let mut merged = ExactSum::new();
        for part in x.chunks(100).rev() {
            merged.merge(&sum(part));
        }
        assert_eq!(merged, whole);
        let json = serde_json::to_string(&whole).unwrap();
        assert_eq!(json, serde_json::to_string(&merged).unwrap());
        assert_eq!(serde_json::from_str::<ExactSum>(&json).unwrap(), whole);
        x.iter().for_each(|&x| merged.add(-x));
        assert_eq!(merged, ExactSum::new());
        assert_eq!(merged.value().to_bits(), 0);
    }

    #[test]
    fn carries_are_passed_on_in_time() {
        let mut all = sum(&[-1.0]);
        for _ in 0..40 {
            all.merge(&all.clone());
        }
        assert_eq!(all.value(), -((1_u64 << 40) as f64));
        all.room = 1;
        all.add(1.0);
        all.add(1.0);
        assert_eq!(all.value(), -((1_u64 << 40) as f64) + 2.0);
    }

    #[test]
    fn products_are_exact() {
        let x: Vec<f64> = (0..500).map(|i| (f64::from(i) - 200.3).exp2()).collect();
        for pair in x.windows(2) {
            let (whole, rest) = product(pair[0], -pair[1] / 3.0);
            assert_eq!(whole, pair[0] * (-pair[1] / 3.0));
            assert_eq!(rest, pair[0].mul_add(-pair[1] / 3.0, -whole));
        }
    }

    #[test]
    fn hostile_sums_are_refused() {
        for bad in [
            r#"{"negative":false,"start":68,"digits":[1]}"#,
            r#"{"negative":false,"start":18446744073709551615,"digits":[1]}"#,
            r#"{"negative":false,"start":0,"digits":[4294967296]}"#,
            r#"{"negative":false,"start":0,"digits":[-1]}"#,
            r#"{"start":0,"digits":[]}"#,
        ] {
            assert!(serde_json::from_str::<ExactSum>(bad).is_err(), "{bad}");
        }
    }
}
