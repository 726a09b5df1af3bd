//! Kernels compiled for the vector unit at hand.
//!
//! A [`Kernel`] is plain Rust: loops of fixed width, which the compiler mostly turns into
//! vector instructions, or, where it must not be left to chance, operations on [`Eight`]
//! and [`Four`].
//! [`run`] compiles it twice, for the target's baseline and for AVX2 with FMA, and picks at
//! run time.
//!
//! All `unsafe` of the crate stands in this file and in `bytes.rs` below it. But for
//! [`eight_rows`], which checks its bounds, and prefetches it rests on one condition: code
//! that uses AVX2 and FMA is reached through the call in [`run`] only, after they were
//! detected. [`Avx2`] and the vectors of [`x86`] are private and nobody else can name them.
//!
//! What is fused differs between the two by the last bit. So a kernel either keeps to
//! single operations, where both give the same bits, or what it computes with
//! [`Arithmetic::mul_add`] is only an estimate with a proven error, from which a decision
//! is taken when it is certain and left to exact arithmetic when it is not.

#![allow(unsafe_code)]

mod bytes;
pub(crate) mod elementary;

use self::bytes::PlainBytes;
pub(crate) use self::bytes::{ByteSet, Bytes, N_BYTES};

/// What differs between levels.
pub(crate) trait Arithmetic: Copy {
    /// Eight numbers of single precision.
    type Eight: Eight;
    /// Four numbers of double precision.
    type Four: Four;
    /// Tests of bytes.
    type Bytes: Bytes;

    /// `a * b + c`, rounded once or twice.
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T;

    /// Both in single precision, `low` in the first four lanes.
    fn narrow(low: Self::Four, high: Self::Four) -> Self::Eight;
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

/// Eight numbers of single precision: one vector of AVX2.
///
/// Comparisons are those of `f32`: false with a NaN. [`select_greater`](Eight::select_greater) moves bits,
/// so that lanes may carry integers.
pub(crate) trait Eight: Copy {
    fn splat(x: f32) -> Self;
    fn load(from: &[f32; 8]) -> Self;
    fn load_bits(from: &[u32; 8]) -> Self;
    fn store(self, to: &mut [f32; 8]);
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    fn sqrt(self) -> Self;
    /// `self * b + c`, rounded once or twice.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The larger number; `b` where one is a NaN.
    fn max(self, b: Self) -> Self;
    /// In each lane `yes` where `self > b`, else `no`.
    fn select_greater(self, b: Self, yes: Self, no: Self) -> Self;
    /// Lane `j` of vector `i` becomes lane `i` of vector `j`, among the first four lanes and
    /// among the last four.
    fn transpose_halves(rows: [Self; 4]) -> [Self; 4];
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

/// What any machine of the target can.
#[derive(Clone, Copy)]
struct Plain([f32; 8]);

/// The same in double precision.
#[derive(Clone, Copy)]
struct PlainFour([f64; 4]);

impl PlainFour {
    #[inline(always)]
    fn with(self, b: PlainFour, f: impl Fn(f64, f64) -> f64) -> PlainFour {
        PlainFour(std::array::from_fn(|lane| f(self.0[lane], b.0[lane])))
    }
}

impl Four for PlainFour {
    #[inline(always)]
    fn splat(x: f64) -> PlainFour {
        PlainFour([x; 4])
    }

    #[inline(always)]
    fn load(from: &[f64; 4]) -> PlainFour {
        PlainFour(*from)
    }

    #[inline(always)]
    fn widen(from: &[f32; 4]) -> PlainFour {
        PlainFour(from.map(f64::from))
    }

    #[inline(always)]
    fn store(self, to: &mut [f64; 4]) {
        *to = self.0;
    }

    #[inline(always)]
    fn add(self, b: PlainFour) -> PlainFour {
        self.with(b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, b: PlainFour) -> PlainFour {
        self.with(b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, b: PlainFour) -> PlainFour {
        self.with(b, |a, b| a * b)
    }

    #[inline(always)]
    fn mul_add(self, b: PlainFour, c: PlainFour) -> PlainFour {
        self.mul(b).add(c)
    }

    #[inline(always)]
    fn min(self, b: PlainFour) -> PlainFour {
        self.with(b, |a, b| if a < b { a } else { b })
    }
}

impl Plain {
    #[inline(always)]
    fn with(self, b: Plain, f: impl Fn(f32, f32) -> f32) -> Plain {
        Plain(std::array::from_fn(|lane| f(self.0[lane], b.0[lane])))
    }
}

impl Eight for Plain {
    #[inline(always)]
    fn splat(x: f32) -> Plain {
        Plain([x; 8])
    }

    #[inline(always)]
    fn load(from: &[f32; 8]) -> Plain {
        Plain(*from)
    }

    #[inline(always)]
    fn load_bits(from: &[u32; 8]) -> Plain {
        Plain(from.map(f32::from_bits))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; 8]) {
        *to = self.0;
    }

    #[inline(always)]
    fn add(self, b: Plain) -> Plain {
        self.with(b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, b: Plain) -> Plain {
        self.with(b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, b: Plain) -> Plain {
        self.with(b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, b: Plain) -> Plain {
        self.with(b, |a, b| a / b)
    }

    #[inline(always)]
    fn sqrt(self) -> Plain {
        Plain(self.0.map(f32::sqrt))
    }

    #[inline(always)]
    fn mul_add(self, b: Plain, c: Plain) -> Plain {
        self.mul(b).add(c)
    }

    #[inline(always)]
    fn max(self, b: Plain) -> Plain {
        self.with(b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn select_greater(self, b: Plain, yes: Plain, no: Plain) -> Plain {
        Plain(std::array::from_fn(|lane| {
            if self.0[lane] > b.0[lane] { yes.0[lane] } else { no.0[lane] }
        }))
    }

    #[inline(always)]
    fn transpose_halves(rows: [Plain; 4]) -> [Plain; 4] {
        std::array::from_fn(|j| {
            Plain(std::array::from_fn(|lane| rows[lane % 4].0[lane / 4 * 4 + j]))
        })
    }

    #[inline(always)]
    fn greater(self, b: Plain) -> u32 {
        let bits = (0..8).map(|lane| u32::from(self.0[lane] > b.0[lane]) << lane);
        bits.fold(0, |all, bit| all | bit)
    }

    #[inline(always)]
    fn differ(self, b: Plain) -> u32 {
        let differs = |lane: usize| self.0[lane].to_bits() != b.0[lane].to_bits();
        (0..8).fold(0, |all, lane| all | u32::from(differs(lane)) << lane)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Exists only inside code that [`super::run`] reached after it had detected AVX2 and
    /// FMA: that is what each `unsafe` below rests on. Loads and stores go through
    /// references to eight numbers and need no alignment.
    #[derive(Clone, Copy)]
    pub(super) struct Eight(__m256);

    impl super::Eight for Eight {
        #[inline(always)]
        fn splat(x: f32) -> Eight {
            // SAFETY: AVX is there, see `Eight`.
            Eight(unsafe { _mm256_set1_ps(x) })
        }

        #[inline(always)]
        fn load(from: &[f32; 8]) -> Eight {
            // SAFETY: AVX is there; the pointer is that of eight readable numbers.
            Eight(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }

        #[inline(always)]
        fn load_bits(from: &[u32; 8]) -> Eight {
            // SAFETY: AVX is there; the pointer is that of eight readable numbers.
            Eight(unsafe {
                _mm256_castsi256_ps(_mm256_loadu_si256(from.as_ptr().cast()))
            })
        }

        #[inline(always)]
        fn store(self, to: &mut [f32; 8]) {
            // SAFETY: AVX is there; the pointer is that of eight writable numbers.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn add(self, b: Eight) -> Eight {
            // SAFETY: AVX is there, see `Eight`.
            Eight(unsafe { _mm256_add_ps(self.0, b.0) })
        }

        #[inline(always)]
        fn sub(self, b: Eight) -> Eight {
            // SAFETY: AVX is there, see `Eight`.
            Eight(unsafe { _mm256_sub_ps(self.0, b.0) })
        }

        #[inline(always)]
        fn mul(self, b: Eight) -> Eight {
            // SAFETY: AVX is there, see `Eight`.
            Eight(unsafe { _mm256_mul_ps(self.0, b.0) })
        }

        #[inline(always)]
        fn div(self, b: Eight) -> Eight {
            // SAFETY: AVX is there, see `Eight`.
            Eight(unsafe { _mm256_div_ps(self.0, b.0) })
        }

        #[inline(always)]
        fn sqrt(self) -> Eight {
            // SAFETY: AVX is there, see `Eight`.
            Eight(unsafe { _mm256_sqrt_ps(self.0) })
        }

        #[inline(always)]
        fn mul_add(self, b: Eight, c: Eight) -> Eight {
            // SAFETY: FMA is there, see `Eight`.
            Eight(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
        }

        #[inline(always)]
        fn max(self, b: Eight) -> Eight {
            // SAFETY: AVX is there, see `Eight`.
            Eight(unsafe { _mm256_max_ps(self.0, b.0) })
        }

        #[inline(always)]
        fn select_greater(self, b: Eight, yes: Eight, no: Eight) -> Eight {
            // SAFETY: AVX is there, see `Eight`.
            Eight(unsafe {
                let mask = _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, b.0);
                _mm256_blendv_ps(no.0, yes.0, mask)
            })
        }

        #[inline(always)]
        fn transpose_halves(rows: [Eight; 4]) -> [Eight; 4] {
            let [a, b, c, d] = rows.map(|row| row.0);
            // SAFETY: AVX is there, see `Eight`.
            unsafe {
                let (ab, ab_rest) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                let (cd, cd_rest) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
                [
                    Eight(_mm256_shuffle_ps::<0x44>(ab, cd)),
                    Eight(_mm256_shuffle_ps::<0xee>(ab, cd)),
                    Eight(_mm256_shuffle_ps::<0x44>(ab_rest, cd_rest)),
                    Eight(_mm256_shuffle_ps::<0xee>(ab_rest, cd_rest)),
                ]
            }
        }

        #[inline(always)]
        fn greater(self, b: Eight) -> u32 {
            // SAFETY: AVX is there, see `Eight`.
            unsafe {
                let mask = _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, b.0);
                _mm256_movemask_ps(mask) as u32
            }
        }

        #[inline(always)]
        fn differ(self, b: Eight) -> u32 {
            // SAFETY: AVX2 is there, see `Eight`.
            unsafe {
                let (a, b) = (_mm256_castps_si256(self.0), _mm256_castps_si256(b.0));
                let same = _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
                !_mm256_movemask_ps(same) as u32 & 0xff
            }
        }
    }

    /// Four numbers of double precision; exists and rests on the same as [`Eight`].
    #[derive(Clone, Copy)]
    pub(super) struct Four(__m256d);

    impl super::Four for Four {
        #[inline(always)]
        fn splat(x: f64) -> Four {
            // SAFETY: AVX is there, see `Eight`.
            Four(unsafe { _mm256_set1_pd(x) })
        }

        #[inline(always)]
        fn load(from: &[f64; 4]) -> Four {
            // SAFETY: AVX is there; the pointer is that of four readable numbers.
            Four(unsafe { _mm256_loadu_pd(from.as_ptr()) })
        }

        #[inline(always)]
        fn widen(from: &[f32; 4]) -> Four {
            // SAFETY: AVX is there; the pointer is that of four readable numbers.
            Four(unsafe { _mm256_cvtps_pd(_mm_loadu_ps(from.as_ptr())) })
        }

        #[inline(always)]
        fn store(self, to: &mut [f64; 4]) {
            // SAFETY: AVX is there; the pointer is that of four writable numbers.
            unsafe { _mm256_storeu_pd(to.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn add(self, b: Four) -> Four {
            // SAFETY: AVX is there, see `Eight`.
            Four(unsafe { _mm256_add_pd(self.0, b.0) })
        }

        #[inline(always)]
        fn sub(self, b: Four) -> Four {
            // SAFETY: AVX is there, see `Eight`.
            Four(unsafe { _mm256_sub_pd(self.0, b.0) })
        }

        #[inline(always)]
        fn mul(self, b: Four) -> Four {
            // SAFETY: AVX is there, see `Eight`.
            Four(unsafe { _mm256_mul_pd(self.0, b.0) })
        }

        #[inline(always)]
        fn mul_add(self, b: Four, c: Four) -> Four {
            // SAFETY: FMA is there, see `Eight`.
            Four(unsafe { _mm256_fmadd_pd(self.0, b.0, c.0) })
        }

        #[inline(always)]
        fn min(self, b: Four) -> Four {
            // SAFETY: AVX is there, see `Eight`.
            Four(unsafe { _mm256_min_pd(self.0, b.0) })
        }
    }

    /// Both in single precision.
    #[inline(always)]
    pub(super) fn narrow(low: Four, high: Four) -> Eight {
        // SAFETY: AVX is there, see `Eight`.
        Eight(unsafe { _mm256_set_m128(_mm256_cvtpd_ps(high.0), _mm256_cvtpd_ps(low.0)) })
    }
}

/// A computation that is worth compiling for wider vectors.
///
/// `run` must be `#[inline(always)]`, and so must be what it calls: code that is not
/// inlined is compiled for the baseline. Closures cannot promise that: operations on
/// [`Eight`] and [`Four`] stand in loops, not in `fold` or `array::from_fn`.
pub(crate) trait Kernel {
    type Output;
    fn run<A: Arithmetic>(self) -> Self::Output;
}

#[derive(Clone, Copy)]
struct Baseline;

impl Arithmetic for Baseline {
    type Eight = Plain;
    type Four = PlainFour;
    type Bytes = PlainBytes;

    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::unfused(a, b, c)
    }

    #[inline(always)]
    fn narrow(low: PlainFour, high: PlainFour) -> Plain {
        Plain(std::array::from_fn(|lane| {
            let half = if lane < 4 { &low } else { &high };
            half.0[lane % 4] as f32
        }))
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Arithmetic for Avx2 {
    type Eight = x86::Eight;
    type Four = x86::Four;
    type Bytes = bytes::x86::VectorBytes;

    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::fused(a, b, c)
    }

    #[inline(always)]
    fn narrow(low: x86::Four, high: x86::Four) -> x86::Eight {
        x86::narrow(low, high)
    }
}

/// Runs a kernel at the best level that this machine has.
#[inline]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
    {
        // SAFETY: what `avx2` is compiled for was detected on the line above.
        return unsafe { avx2(kernel) };
    }
    baseline(kernel)
}

/// Runs a kernel as any machine of the target can: what the tests compare with.
pub(crate) fn baseline<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Baseline>()
}

/// The first four numbers of eight rows that begin `stride` numbers apart.
///
/// # Panics
/// When they do not all lie inside `from`.
#[inline(always)]
pub(crate) fn eight_rows<T>(from: &[T], stride: usize) -> [&[T; 4]; 8] {
    assert!(stride.saturating_mul(7).saturating_add(4) <= from.len());
    std::array::from_fn(|r| {
        // SAFETY: four numbers from `r * stride` on lie inside `from`, as was checked for
        // the last row; they are only read, as those of `from` are.
        unsafe { &*from.as_ptr().add(r * stride).cast() }
    })
}

/// Asks for the memory of some items, which will be read within some ten steps.
#[inline(always)]
pub(crate) fn prefetch<T>(items: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for at in (0..size_of_val(items)).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address lies inside `items`, and a prefetch changes nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(items.as_ptr().cast::<i8>().add(at)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = items;
}

/// Asks for the memory of some items, which will be read later: as far as the second-level
/// cache, so that what is read before them keeps its place in the first.
#[inline(always)]
pub(crate) fn prefetch_far<T>(items: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for at in (0..size_of_val(items)).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: the address lies inside `items`, and a prefetch changes nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(items.as_ptr().cast::<i8>().add(at)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = items;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt,lzcnt,bmi1,bmi2")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
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

    struct Operations<'a>(&'a [f32; 8], &'a [f32; 8]);

    impl Kernel for Operations<'_> {
        type Output = (Vec<[u32; 8]>, [u32; 2]);

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> (Vec<[u32; 8]>, [u32; 2]) {
            let (a, b) = (A::Eight::load(self.0), A::Eight::load(self.1));
            let results = [
                a.add(b),
                a.sub(b),
                a.mul(b),
                a.div(b),
                a.sqrt(),
                a.max(b),
                a.select_greater(b, A::Eight::load_bits(&[7; 8]), b),
            ];
            let bits = |x: A::Eight| {
                let mut out = [0.0; 8];
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
        assert_eq!(run(Operations(&a, &b)).1, [0b0001_1001, 0b1101_1111]);
        let [found, plain] = [run(Operations(&a, &b)), baseline(Operations(&a, &b))];
        // The sign of the NaN of √−2 may differ.
        let numbers = |x: &[[u32; 8]]| -> Vec<Option<u32>> {
            let all = x.iter().flatten().copied();
            all.map(|bits| Some(bits).filter(|&b| !f32::from_bits(b).is_nan())).collect()
        };
        assert_eq!(numbers(&found.0), numbers(&plain.0));
        assert_eq!(found.1, plain.1);
        assert_eq!(found.0[6][0], 7);
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
        let found = run(OfFour(&a, &b));
        assert_eq!(found, baseline(OfFour(&a, &b)));
        assert_eq!(found[0], [2.75, 1.0, 0.1 + 0.3, f64::INFINITY].map(f64::to_bits));
        assert_eq!(found[3], [1.25, -2.0, 0.1, f64::MAX].map(f64::to_bits));
        let (a, b) = ([f64::NAN, 1.0, 1.0, 1.0], [2.0, f64::NAN, 1.0, 0.5]);
        for found in [run(OfFour(&a, &b)), baseline(OfFour(&a, &b))] {
            assert_eq!(found[3][0], 2.0_f64.to_bits());
            assert!(f64::from_bits(found[3][1]).is_nan());
        }
    }

    struct Turn<'a>(&'a [[f64; 4]; 8]);

    impl Kernel for Turn<'_> {
        type Output = [[f32; 8]; 4];

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> [[f32; 8]; 4] {
            let mut rows = [A::Eight::splat(0.0); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let high = self.0[i + 4].map(|x| x as f32);
                *row = A::narrow(A::Four::load(&self.0[i]), A::Four::widen(&high));
            }
            let mut out = [[0.0; 8]; 4];
            for (to, column) in out.iter_mut().zip(A::Eight::transpose_halves(rows)) {
                column.store(to);
            }
            out
        }
    }

    #[test]
    fn rows_become_columns() {
        let rows: [[f64; 4]; 8] = std::array::from_fn(|i| {
            std::array::from_fn(|j| (4 * i + j) as f64 + 1.0 / 3.0)
        });
        for found in [run(Turn(&rows)), baseline(Turn(&rows))] {
            for (i, row) in rows.iter().enumerate() {
                for (j, &x) in row.iter().enumerate() {
                    assert_eq!(found[j][i], x as f32);
                }
            }
        }
    }

    #[test]
    fn rows_are_found_at_any_stride() {
        let numbers: Vec<usize> = (0..60).collect();
        for stride in [0, 1, 3, 4, 8] {
            let rows = eight_rows(&numbers[..7 * stride + 4], stride);
            for (r, row) in rows.into_iter().enumerate() {
                assert_eq!(row, &numbers[r * stride..][..4]);
            }
        }
        for (len, stride) in [(3, 0), (59, 8), (60, 9), (60, usize::MAX / 7 + 1)] {
            let short = &numbers[..len];
            assert!(std::panic::catch_unwind(|| eight_rows(short, stride)).is_err());
        }
    }

    #[test]
    fn both_levels_compute_the_same_but_for_rounding() {
        let a: Vec<f64> = (0..64).map(|i| f64::from(i) / 7.0).collect();
        let b: Vec<f64> = (0..64).map(|i| f64::from(64 - i) / 3.0).collect();
        let plain: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        for found in [run(Dot(&a, &b)), baseline(Dot(&a, &b))] {
            assert!((found - plain).abs() < 1e-12 * plain, "{found} and {plain}");
        }
    }
}
