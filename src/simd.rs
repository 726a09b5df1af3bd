//! Kernels compiled for the vector unit at hand.
//!
//! A [`Kernel`] is plain Rust: loops of fixed width, which the compiler mostly turns into
//! vector instructions, or, where it must not be left to chance, operations on [`Sixteen`]
//! and [`Four`].
//! [`run`] compiles it twice, for the target's baseline and for AVX2 with FMA, and picks at
//! run time; [`run_wide`] once more, for AVX-512.
//!
//! All `unsafe` of the crate stands in this file and in `bytes.rs` and `x86.rs` below it. But for
//! [`sixteen_rows`], which checks its bounds, and prefetches it rests on one condition:
//! code that uses AVX2 and FMA, or AVX-512, is reached through the calls in [`run`] and
//! [`run_wide`] only, after they were detected. [`Avx2`], [`Avx512`] and the vectors of
//! [`x86`] are private and nobody else can name them.
//!
//! What is fused differs between the levels by the last bit. So a kernel either keeps to
//! single operations, where both give the same bits, or what it computes with
//! [`Arithmetic::mul_add`] is only an estimate with a proven error, from which a decision
//! is taken when it is certain and left to exact arithmetic when it is not.

#![allow(unsafe_code)]

mod bytes;
pub(crate) mod elementary;
mod plain;
#[cfg(target_arch = "x86_64")]
mod x86;

use self::bytes::PlainBytes;
pub(crate) use self::bytes::{ByteSet, Bytes, N_BYTES};
use self::plain::{Plain, PlainFour};

/// What differs between levels.
pub(crate) trait Arithmetic: Copy {
    /// Sixteen numbers of single precision.
    type Sixteen: Sixteen;
    /// Four numbers of double precision.
    type Four: Four;
    /// Tests of bytes.
    type Bytes: Bytes;

    /// `a * b + c`, rounded once or twice.
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T;

    /// All in single precision, the first in the first four lanes.
    fn narrow(quarters: [Self::Four; 4]) -> Self::Sixteen;
}

/// `f32` and `f64`, as far as a kernel needs to know.
pub(crate) trait Float: Copy {
    fn fused(a: Self, b: Self, c: Self) -> Self;
    fn unfused(a: Self, b: Self, c: Self) -> Self;
}

macro_rules! float {
    ($($t:ty),*) => {$(
        impl Float for $t {
            #[inline(always)]
            fn fused(a: $t, b: $t, c: $t) -> $t {
                a.mul_add(b, c)
            }

            #[inline(always)]
            fn unfused(a: $t, b: $t, c: $t) -> $t {
                a * b + c
            }
        }
    )*};
}
float!(f32, f64);

/// Sixteen numbers of single precision: a vector of AVX-512, two of AVX2.
///
/// Comparisons are those of `f32`: false with a NaN. [`select_greater`](Sixteen::select_greater) moves bits,
/// so that lanes may carry integers.
pub(crate) trait Sixteen: Copy {
    fn splat(x: f32) -> Self;
    fn load(from: &[f32; 16]) -> Self;
    fn load_bits(from: &[u32; 16]) -> Self;
    fn store(self, to: &mut [f32; 16]);
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    fn sqrt(self) -> Self;
    fn abs(self) -> Self;
    /// `self * b + c`, rounded once or twice.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The larger number; `b` where one is a NaN.
    fn max(self, b: Self) -> Self;
    /// In each lane `yes` where `self > b`, else `no`.
    fn select_greater(self, b: Self, yes: Self, no: Self) -> Self;
    /// Lane `j` of vector `i` becomes lane `i` of vector `j`, in each four lanes.
    fn transpose_quarters(rows: [Self; 4]) -> [Self; 4];
    /// A bit for each lane in which `self > b`.
    fn greater(self, b: Self) -> u32;
    /// A bit for each lane whose bits are not those of `b`.
    fn differ(self, b: Self) -> u32;
}

/// Four numbers of double precision: one vector of AVX2.
pub(crate) trait Four: Copy {
    fn splat(x: f64) -> Self;
    fn load(from: &[f64; 4]) -> Self;
    /// Numbers of single precision, which lose nothing.
    fn widen(from: &[f32; 4]) -> Self;
    fn store(self, to: &mut [f64; 4]);
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    /// `self * b + c`, rounded once or twice.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The smaller number; `b` where one is a NaN.
    fn min(self, b: Self) -> Self;
    /// The number of the first lane.
    #[inline(always)]
    fn first(self) -> f64 {
        let mut all = [0.0; 4];
        self.store(&mut all);
        all[0]
    }
}

/// A computation that is worth compiling for wider vectors.
///
/// `run` must be `#[inline(always)]`, and so must be what it calls: code that is not
/// inlined is compiled for the baseline. Closures cannot promise that: operations on
/// [`Sixteen`] and [`Four`] stand in loops, not in `fold` or `array::from_fn`.
pub(crate) trait Kernel {
    type Output;
    fn run<A: Arithmetic>(self) -> Self::Output;
}

#[derive(Clone, Copy)]
struct Baseline;

impl Arithmetic for Baseline {
    type Sixteen = Plain;
    type Four = PlainFour;
    type Bytes = PlainBytes;

    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::unfused(a, b, c)
    }

    #[inline(always)]
    fn narrow(quarters: [PlainFour; 4]) -> Plain {
        Plain(std::array::from_fn(|lane| quarters[lane / 4].0[lane % 4] as f32))
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Arithmetic for Avx2 {
    type Sixteen = x86::Pair;
    type Four = x86::Four;
    type Bytes = bytes::x86::VectorBytes;

    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::fused(a, b, c)
    }

    #[inline(always)]
    fn narrow(quarters: [x86::Four; 4]) -> x86::Pair {
        x86::narrow(quarters)
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Arithmetic for Avx512 {
    type Sixteen = x86::Wide;
    type Four = x86::Four;
    type Bytes = bytes::x86::VectorBytes;

    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::fused(a, b, c)
    }

    #[inline(always)]
    fn narrow(quarters: [x86::Four; 4]) -> x86::Wide {
        x86::narrow_wide(quarters)
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
}

/// Runs a kernel for the baseline or for AVX2.
#[inline]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: what `avx2` is compiled for was detected on the line above.
        return unsafe { avx2(kernel) };
    }
    baseline(kernel)
}

/// Runs a kernel for AVX-512 too: one that works on [`Sixteen`].
#[inline]
pub(crate) fn run_wide<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: what `avx512` is compiled for was detected on the line above.
        return unsafe { avx512(kernel) };
    }
    run(kernel)
}

/// What a kernel gives at each level that this machine has.
#[cfg(test)]
pub(crate) fn at_each_level<K: Kernel>(kernel: impl Fn() -> K) -> [K::Output; 3] {
    [baseline(kernel()), run(kernel()), run_wide(kernel())]
}

/// Runs a kernel as any machine of the target can: what the tests compare with.
pub(crate) fn baseline<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Baseline>()
}

/// The first four numbers of sixteen rows that begin `stride` numbers apart.
///
/// # Panics
/// When they do not all lie inside `from`.
#[inline(always)]
pub(crate) fn sixteen_rows<T>(from: &[T], stride: usize) -> [&[T; 4]; 16] {
    assert!(stride.saturating_mul(15).saturating_add(4) <= from.len());
    std::array::from_fn(|r| {
        // SAFETY: four numbers from `r * stride` on lie inside `from`, as was checked for
        // the last row; they are only read, as those of `from` are.
        unsafe { &*from.as_ptr().add(r * stride).cast() }
    })
}

/// Asks for the memory of some items, which will be read within some ten steps.
#[inline(always)]
pub(crate) fn prefetch<T>(items: &[T]) {
    ask::<T, false>(items);
}

/// Asks for the memory of some items, which will be read later: as far as the second-level
/// cache, so that what is read before them keeps its place in the first.
#[inline(always)]
pub(crate) fn prefetch_far<T>(items: &[T]) {
    ask::<T, true>(items);
}

#[inline(always)]
fn ask<T, const FAR: bool>(items: &[T]) {
    let size = size_of_val(items);
    // Items may end in another line than that of the last whole step.
    let n_steps = size.div_ceil(LINE) + usize::from(!size.is_multiple_of(LINE));
    for step in 0..n_steps {
        ask_line::<T, FAR>(items, (step * LINE).min(size - 1));
    }
}

/// Asks for the cache line with this byte.
#[inline(always)]
fn ask_line<T, const FAR: bool>(items: &[T], byte: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        let address = items.as_ptr().cast::<i8>().wrapping_add(byte);
        // SAFETY: a prefetch needs no feature and reads nothing, whatever the address.
        unsafe {
            if FAR {
                _mm_prefetch::<_MM_HINT_T1>(address);
            } else {
                _mm_prefetch::<_MM_HINT_T0>(address);
            }
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (items, byte);
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Items whose memory is asked for line by line, between steps of other work: all lines at
/// once are more than can be under way, and a loop for each is more work than the asking.
pub(crate) struct Ahead<'a, T> {
    items: &'a [T],
    n_lines: usize,
    next: usize,
}

impl<'a, T> Ahead<'a, T> {
    #[inline(always)]
    pub(crate) fn new(items: &'a [T]) -> Ahead<'a, T> {
        Ahead { items, n_lines: size_of_val(items).div_ceil(LINE), next: 0 }
    }

    /// Whether all lines have been asked for.
    #[inline(always)]
    pub(crate) fn is_over(&self) -> bool {
        self.next >= self.n_lines
    }

    /// Asks for the next line; after the last one for what follows in memory.
    #[inline(always)]
    pub(crate) fn step(&mut self) {
        ask_line::<T, false>(self.items, self.next * LINE);
        self.next += 1;
    }

    /// Asks for all others.
    #[inline(always)]
    pub(crate) fn rest(mut self) {
        while !self.is_over() {
            self.step();
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt,lzcnt,bmi1,bmi2")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(
    enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,popcnt,lzcnt,bmi1,bmi2"
)]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dot<'a>(&'a [f64], &'a [f64]);

    impl Kernel for Dot<'_> {
        type Output = f64;

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> f64 {
            let mut sums = [0.0; 4];
            for (a, b) in self.0.as_chunks::<4>().0.iter().zip(self.1.as_chunks::<4>().0)
            {
                for lane in 0..4 {
                    sums[lane] = A::mul_add(a[lane], b[lane], sums[lane]);
                }
            }
            (sums[0] + sums[1]) + (sums[2] + sums[3])
        }
    }

    struct Operations<'a>(&'a [f32; 16], &'a [f32; 16]);

    impl Kernel for Operations<'_> {
        type Output = (Vec<[u32; 16]>, [u32; 2]);

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> (Vec<[u32; 16]>, [u32; 2]) {
            let (a, b) = (A::Sixteen::load(self.0), A::Sixteen::load(self.1));
            let results = [
                a.add(b),
                a.sub(b),
                a.mul(b),
                a.div(b),
                a.sqrt(),
                a.sub(b).abs(),
                a.max(b),
                a.select_greater(b, A::Sixteen::load_bits(&[7; 16]), b),
            ];
            let bits = |x: A::Sixteen| {
                let mut out = [0.0; 16];
                x.store(&mut out);
                out.map(f32::to_bits)
            };
            (results.map(bits).to_vec(), [a.greater(b), a.differ(b)])
        }
    }

    #[test]
    fn vectors_do_what_single_numbers_do() {
        let a = [1.5, -2.0, 0.0, f32::INFINITY, 1e-40, 3e38, 7.0, 0.1];
        let b = [1.25, 3.0, -0.0, 1.0, 1e-41, 3e38, f32::NAN, 0.2];
        // The last eight lanes the other way round.
        let a_and_b: [f32; 16] =
            std::array::from_fn(|i| if i < 8 { a[i] } else { b[i - 8] });
        let b_and_a: [f32; 16] =
            std::array::from_fn(|i| if i < 8 { b[i] } else { a[i - 8] });
        let [plain, found @ ..] = at_each_level(|| Operations(&a_and_b, &b_and_a));
        assert_eq!(plain.1, [0b1000_0010_0001_1001, 0b1101_1111_1101_1111]);
        assert_eq!(plain.0[7][0], 7);
        // The sign of the NaN of √−2 may differ.
        let numbers = |x: &[[u32; 16]]| -> Vec<Option<u32>> {
            let all = x.iter().flatten().copied();
            all.map(|bits| Some(bits).filter(|&b| !f32::from_bits(b).is_nan())).collect()
        };
        for found in found {
            assert_eq!(numbers(&found.0), numbers(&plain.0));
            assert_eq!(found.1, plain.1);
        }
    }

    struct OfFour<'a>(&'a [f64; 4], &'a [f64; 4]);

    impl Kernel for OfFour<'_> {
        type Output = Vec<[u64; 4]>;

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> Vec<[u64; 4]> {
            let (a, b) = (A::Four::load(self.0), A::Four::load(self.1));
            let results = [
                a.add(b),
                a.sub(b),
                a.mul(b),
                a.min(b),
                a.mul_add(A::Four::splat(2.0), b),
            ];
            let mut bits = Vec::new();
            for result in results {
                let mut out = [0.0; 4];
                result.store(&mut out);
                bits.push(out.map(f64::to_bits));
            }
            bits
        }
    }

    #[test]
    fn vectors_of_double_precision_do_what_single_numbers_do() {
        let (a, b) = ([1.5, -2.0, 0.1, f64::INFINITY], [1.25, 3.0, 0.3, f64::MAX]);
        let [found, vectors @ ..] = at_each_level(|| OfFour(&a, &b));
        assert_eq!(vectors, [found.clone(), found.clone()]);
        assert_eq!(found[0], [2.75, 1.0, 0.1 + 0.3, f64::INFINITY].map(f64::to_bits));
        assert_eq!(found[3], [1.25, -2.0, 0.1, f64::MAX].map(f64::to_bits));
        let (a, b) = ([f64::NAN, 1.0, 1.0, 1.0], [2.0, f64::NAN, 1.0, 0.5]);
        for found in at_each_level(|| OfFour(&a, &b)) {
            assert_eq!(found[3][0], 2.0_f64.to_bits());
            assert!(f64::from_bits(found[3][1]).is_nan());
        }
    }

    struct Turn<'a>(&'a [[f64; 4]; 16]);

    impl Kernel for Turn<'_> {
        type Output = [[f32; 16]; 4];

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> [[f32; 16]; 4] {
            let mut rows = [A::Sixteen::splat(0.0); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let last = self.0[i + 12].map(|x| x as f32);
                let [a, b, c] = [i, i + 4, i + 8].map(|r| &self.0[r]);
                let (a, b, c) = (A::Four::load(a), A::Four::load(b), A::Four::load(c));
                *row = A::narrow([a, b, c, A::Four::widen(&last)]);
            }
            let mut out = [[0.0; 16]; 4];
            for (to, column) in out.iter_mut().zip(A::Sixteen::transpose_quarters(rows)) {
                column.store(to);
            }
            out
        }
    }

    #[test]
    fn rows_become_columns() {
        let rows: [[f64; 4]; 16] = std::array::from_fn(|i| {
            std::array::from_fn(|j| (4 * i + j) as f64 + 1.0 / 3.0)
        });
        for found in at_each_level(|| Turn(&rows)) {
            for (i, row) in rows.iter().enumerate() {
                for (j, &x) in row.iter().enumerate() {
                    assert_eq!(found[j][i], x as f32);
                }
            }
        }
    }

    #[test]
    fn rows_are_found_at_any_stride() {
        let numbers: Vec<usize> = (0..140).collect();
        for stride in [0, 1, 3, 4, 8] {
            let rows = sixteen_rows(&numbers[..15 * stride + 4], stride);
            for (r, row) in rows.into_iter().enumerate() {
                assert_eq!(row, &numbers[r * stride..][..4]);
            }
        }
        for (len, stride) in [(3, 0), (123, 8), (138, 9), (140, usize::MAX / 15 + 1)] {
            let short = &numbers[..len];
            assert!(std::panic::catch_unwind(|| sixteen_rows(short, stride)).is_err());
        }
    }

    #[test]
    fn memory_is_asked_for_until_all_of_it_was() {
        for (len, n_lines) in [(0, 0), (1, 1), (8, 1), (9, 2), (24, 3)] {
            let items = vec![0.0_f64; len];
            let mut ahead = Ahead::new(&items);
            for line in 0..n_lines {
                assert!(!ahead.is_over(), "line {line} of {len} numbers");
                ahead.step();
            }
            assert!(ahead.is_over());
            ahead.step();
            ahead.rest();
            Ahead::new(&items).rest();
        }
    }

    #[test]
    fn all_levels_compute_the_same_but_for_rounding() {
        let a: Vec<f64> = (0..64).map(|i| f64::from(i) / 7.0).collect();
        let b: Vec<f64> = (0..64).map(|i| f64::from(64 - i) / 3.0).collect();
        let plain: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        for found in at_each_level(|| Dot(&a, &b)) {
            assert!((found - plain).abs() < 1e-12 * plain, "{found} and {plain}");
        }
    }
}
