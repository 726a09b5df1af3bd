//! Logarithms and exponentials without branches, so that loops over many of them become
//! vector instructions.
//!
//! They keep to single operations of IEEE 754, and so give the same bits on every machine, in
//! whatever vectors they are computed, which is not so of a platform's own. They err by less
//! than two units in the last place.

/// `ln 2`, the first 32 of its bits and the rest.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// The digits of a whole number that is added to this are its last bits.
const WHOLE: f64 = 6_755_399_441_055_744.0;

const MANTISSA: u64 = (1 << 52) - 1;

/// `√½` and 1.
const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
const ONE: u64 = 0x3ff0_0000_0000_0000;

/// Beyond this size an exponential is 0 or infinite.
const FAR: f64 = 708.0;

/// `m` and `e` with `x = m 2^e` and `√½ ≤ m < √2`, and `2^−e`.
#[inline(always)]
fn split(x: f64) -> (f64, f64, f64) {
    let shifted = x.to_bits().wrapping_add(ONE - ROOT_HALF);
    let biased = shifted >> 52;
    let m = f64::from_bits((shifted & MANTISSA) + ROOT_HALF);
    let e = f64::from_bits(biased + WHOLE.to_bits()) - WHOLE - 1023.0;
    (m, e, f64::from_bits((2046_u64.wrapping_sub(biased)) << 52))
}

/// `ln(2^e (1 + f))`: with `s = f/(2+f)` and `z = s²` it is
/// `e ln 2 + f − f²/2 + s (f²/2 + R(z))`, `R(z) = 2z/3 + 2z²/5 + …` (the logarithm of FDLIBM,
/// Sun Microsystems 1993). The coefficients of `R` are those of the Chebyshev points, to
/// 5e-18.
#[inline(always)]
fn ln_of_parts(f: f64, e: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let z2 = z * z;
    let low = 0.666_666_666_666_667 + z * 0.399_999_999_998_994_4;
    let middle = 0.285_714_286_260_032_7 + z * 0.222_222_111_302_598_78;
    let high = 0.181_828_894_556_749_47
        + z * 0.153_317_106_182_107_73
        + z2 * 0.146_165_854_248_886_23;
    let r = z * (low + z2 * (middle + z2 * high));
    let half = 0.5 * f * f;
    e * LN_2_HIGH - ((half - (s * (half + r) + e * LN_2_LOW)) - f)
}

/// The natural logarithm of a positive number that is neither subnormal nor infinite.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    let (m, e, _) = split(x);
    ln_of_parts(m - 1.0, e)
}

/// `ln(1 + x)` for an `x ≥ −½` up to 1e300.
#[inline(always)]
pub(crate) fn ln_1p(x: f64) -> f64 {
    let sum = 1.0 + x;
    // What rounding took from the sum (Knuth 1969).
    let back = sum - 1.0;
    let lost = (1.0 - (sum - back)) + (x - back);
    let (m, e, scale) = split(sum);
    ln_of_parts((m - 1.0) + lost * scale, e)
}

/// `2^n` and `e^r − 1` with `x = n ln 2 + r` for an `x` of at most 708, up or down. The
/// polynomial is that of the Chebyshev points, to 5e-19.
#[inline(always)]
fn exp_parts(x: f64) -> (f64, f64) {
    let whole = x * std::f64::consts::LOG2_E + WHOLE;
    let n = whole - WHOLE;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let r2 = r * r;
    let r4 = r2 * r2;
    let a = 0.5 + r * 0.166_666_666_666_666_7;
    let b = 0.041_666_666_666_666_67 + r * 0.008_333_333_333_326_136;
    let c = 0.001_388_888_888_888_374_8 + r * 1.984_126_987_482_062_7e-4;
    let d = 2.480_158_732_554_774_3e-5 + r * 2.755_725_540_020_642_2e-6;
    let e = 2.755_727_364_311_03e-7
        + r * 2.510_521_700_472_074_5e-8
        + r2 * 2.091_468_696_808_687_6e-9;
    let q = (a + r2 * b) + r4 * ((c + r2 * d) + r4 * e);
    let two_to_n = f64::from_bits(whole.to_bits().wrapping_add(1023) << 52);
    (two_to_n, r + r2 * q)
}

/// A number moved to where an exponential is neither 0 nor infinite.
#[inline(always)]
fn within_reach(x: f64) -> f64 {
    let x = if x > FAR { FAR } else { x };
    if x < -FAR { -FAR } else { x }
}

/// `eˣ`: 0 below −708, infinite above 708.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let (scale, less_one) = exp_parts(within_reach(x));
    let near = scale * (1.0 + less_one);
    let high = if x > FAR { f64::INFINITY } else { near };
    if x < -FAR { 0.0 } else { high }
}

/// `eˣ − 1`: −1 below −708, infinite above 708.
#[inline(always)]
pub(crate) fn exp_m1(x: f64) -> f64 {
    let (scale, less_one) = exp_parts(within_reach(x));
    let near = scale * less_one + (scale - 1.0);
    if x > FAR { f64::INFINITY } else { near }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of all sizes between, of both signs if they are asked for.
    fn numbers(least: f64, most: f64) -> impl Iterator<Item = f64> {
        let (from, to) = (least.ln(), most.ln());
        // Miri is slow, and its own functions err by several units on purpose.
        let n = if cfg!(miri) { 200 } else { 40_000 };
        (0..=n).map(move |i| {
            // Off the grid, so that mantissas have no pattern.
            let wobble = 0.5 * (f64::from(i) * 0.618_033_988_749_895).fract();
            (from
                + (to - from) * (f64::from(i) + wobble).min(f64::from(n)) / f64::from(n))
            .exp()
        })
    }

    fn check(found: f64, expected: f64, x: f64, what: &str) {
        let off = found.to_bits().abs_diff(expected.to_bits());
        let most = if cfg!(miri) { 16 } else { 2 };
        assert!(off <= most, "{what} {x:e}: {found:e} {expected:e}");
    }

    #[test]
    fn they_are_the_platforms_but_for_the_last_bit() {
        for x in numbers(1e-300, 1e300) {
            check(ln(x), x.ln(), x, "ln");
            check(ln_1p(x), x.ln_1p(), x, "ln_1p");
            check(exp_m1(x.min(700.0)), x.min(700.0).exp_m1(), x, "exp_m1");
            check(exp_m1(-x), (-x).exp_m1(), -x, "exp_m1");
        }
        for x in numbers(1e-20, 0.5) {
            check(ln_1p(-x), (-x).ln_1p(), -x, "ln_1p");
            check(ln(1.0 - x), (1.0 - x).ln(), -x, "ln");
        }
        for x in numbers(1e-20, 707.9) {
            check(exp(x), x.exp(), x, "exp");
            check(exp(-x), (-x).exp(), -x, "exp");
            check(exp_m1(x), x.exp_m1(), x, "exp_m1");
        }
    }

    #[test]
    fn the_ends_are_what_they_tend_to() {
        assert_eq!((ln(1.0), ln_1p(0.0), exp(0.0), exp_m1(0.0)), (0.0, 0.0, 1.0, 0.0));
        assert_eq!(exp(-1e300), 0.0);
        assert_eq!((exp(f64::NEG_INFINITY), exp_m1(f64::NEG_INFINITY)), (0.0, -1.0));
        assert_eq!((exp(710.0), exp_m1(1e300)), (f64::INFINITY, f64::INFINITY));
        assert_eq!(exp(f64::INFINITY), f64::INFINITY);
        assert!(exp(f64::NAN).is_nan() && exp_m1(f64::NAN).is_nan());
    }
}
