//! Kernels compiled for the vector unit at hand.
//!
//! A [`Kernel`] is plain Rust: loops of fixed width, which the compiler turns into vector
//! instructions. [`run`] compiles it twice, for the target's baseline and for AVX2 with
//! FMA, and picks at run time. There are no intrinsics, and the only `unsafe` of the crate
//! is the call below, whose one condition is checked on the line above it.
//!
//! What is fused differs between the two by the last bit. So a kernel either keeps to
//! single operations, where both give the same bits, or what it computes with
//! [`Arithmetic::mul_add`] is only an estimate with a proven error, from which a decision
//! is taken when it is certain and left to exact arithmetic when it is not.

#![allow(unsafe_code)]

/// What differs between levels.
pub(crate) trait Arithmetic: Copy {
    /// `a * b + c`, rounded once or twice.
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T;
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

/// A computation that is worth compiling for wider vectors.
///
/// `run` must be `#[inline(always)]`, and so must be what it calls: code that is not
/// inlined is compiled for the baseline.
pub(crate) trait Kernel {
    type Output;
    fn run<A: Arithmetic>(self) -> Self::Output;
}

#[derive(Clone, Copy)]
struct Unfused;

impl Arithmetic for Unfused {
    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::unfused(a, b, c)
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Fused;

#[cfg(target_arch = "x86_64")]
impl Arithmetic for Fused {
    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::fused(a, b, c)
    }
}

/// Runs a kernel at the best level that this machine has.
#[inline]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the features that `avx2` is compiled for were detected on the line above.
        return unsafe { avx2(kernel) };
    }
    baseline(kernel)
}

/// Runs a kernel as any machine of the target can: what the tests compare with.
pub(crate) fn baseline<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Unfused>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Fused>()
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
