//! Vectors as arrays: what any machine of the target can.

use super::{Four, Sixteen};

/// Sixteen numbers of single precision.
#[derive(Clone, Copy)]
pub(super) struct Plain(pub(super) [f32; 16]);

/// Four numbers of double precision.
#[derive(Clone, Copy)]
pub(super) struct PlainFour(pub(super) [f64; 4]);

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

impl Sixteen for Plain {
    #[inline(always)]
    fn splat(x: f32) -> Plain {
        Plain([x; 16])
    }

    #[inline(always)]
    fn load(from: &[f32; 16]) -> Plain {
        Plain(*from)
    }

    #[inline(always)]
    fn load_bits(from: &[u32; 16]) -> Plain {
        Plain(from.map(f32::from_bits))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
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
    fn abs(self) -> Plain {
        Plain(self.0.map(f32::abs))
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
    fn transpose_quarters(rows: [Plain; 4]) -> [Plain; 4] {
        std::array::from_fn(|j| {
            Plain(std::array::from_fn(|lane| rows[lane % 4].0[lane / 4 * 4 + j]))
        })
    }

    #[inline(always)]
    fn greater(self, b: Plain) -> u32 {
        let bits = (0..16).map(|lane| u32::from(self.0[lane] > b.0[lane]) << lane);
        bits.fold(0, |all, bit| all | bit)
    }

    #[inline(always)]
    fn differ(self, b: Plain) -> u32 {
        let differs = |lane: usize| self.0[lane].to_bits() != b.0[lane].to_bits();
        (0..16).fold(0, |all, lane| all | u32::from(differs(lane)) << lane)
    }
}
