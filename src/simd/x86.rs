//! Vectors of AVX2 and of AVX-512.

use std::arch::x86_64::*;

/// Exists only inside code that [`super::run`] or [`super::run_wide`] reached after it
/// had detected AVX2 and FMA: that is what each `unsafe` below rests on. Loads and
/// stores go through references to as many numbers and need no alignment.
#[derive(Clone, Copy)]
pub(super) struct Pair(__m256, __m256);

impl Pair {
    #[inline(always)]
    fn halves<T>(from: &[T; 16]) -> (&[T; 8], &[T; 8]) {
        let (halves, _) = from.as_chunks::<8>();
        (&halves[0], &halves[1])
    }

    #[inline(always)]
    fn load_half(from: &[f32; 8]) -> __m256 {
        // SAFETY: AVX is there; the pointer is that of eight readable numbers.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn load_half_bits(from: &[u32; 8]) -> __m256 {
        // SAFETY: AVX is there; the pointer is that of eight readable numbers.
        unsafe { _mm256_castsi256_ps(_mm256_loadu_si256(from.as_ptr().cast())) }
    }

    #[inline(always)]
    fn differ_half(a: __m256, b: __m256) -> u32 {
        // SAFETY: AVX2 is there, see `Pair`.
        unsafe {
            let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
            let same = _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
            !_mm256_movemask_ps(same) as u32 & 0xff
        }
    }

    #[inline(always)]
    fn transpose_half([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
        // SAFETY: AVX is there, see `Pair`.
        unsafe {
            let (ab, ab_rest) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd, cd_rest) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            [
                _mm256_shuffle_ps::<0x44>(ab, cd),
                _mm256_shuffle_ps::<0xee>(ab, cd),
                _mm256_shuffle_ps::<0x44>(ab_rest, cd_rest),
                _mm256_shuffle_ps::<0xee>(ab_rest, cd_rest),
            ]
        }
    }
}

impl super::Sixteen for Pair {
    #[inline(always)]
    fn splat(x: f32) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        let all = unsafe { _mm256_set1_ps(x) };
        Pair(all, all)
    }

    #[inline(always)]
    fn load(from: &[f32; 16]) -> Pair {
        let (low, high) = Pair::halves(from);
        Pair(Pair::load_half(low), Pair::load_half(high))
    }

    #[inline(always)]
    fn load_bits(from: &[u32; 16]) -> Pair {
        let (low, high) = Pair::halves(from);
        Pair(Pair::load_half_bits(low), Pair::load_half_bits(high))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        // SAFETY: AVX is there; the pointers are those of eight writable numbers each.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), self.0);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), self.1);
        }
    }

    #[inline(always)]
    fn add(self, b: Pair) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        unsafe { Pair(_mm256_add_ps(self.0, b.0), _mm256_add_ps(self.1, b.1)) }
    }

    #[inline(always)]
    fn sub(self, b: Pair) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        unsafe { Pair(_mm256_sub_ps(self.0, b.0), _mm256_sub_ps(self.1, b.1)) }
    }

    #[inline(always)]
    fn mul(self, b: Pair) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        unsafe { Pair(_mm256_mul_ps(self.0, b.0), _mm256_mul_ps(self.1, b.1)) }
    }

    #[inline(always)]
    fn div(self, b: Pair) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        unsafe { Pair(_mm256_div_ps(self.0, b.0), _mm256_div_ps(self.1, b.1)) }
    }

    #[inline(always)]
    fn sqrt(self) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        unsafe { Pair(_mm256_sqrt_ps(self.0), _mm256_sqrt_ps(self.1)) }
    }

    #[inline(always)]
    fn abs(self) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            Pair(_mm256_andnot_ps(sign, self.0), _mm256_andnot_ps(sign, self.1))
        }
    }

    #[inline(always)]
    fn mul_add(self, b: Pair, c: Pair) -> Pair {
        // SAFETY: FMA is there, see `Pair`.
        unsafe {
            Pair(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1))
        }
    }

    #[inline(always)]
    fn max(self, b: Pair) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        unsafe { Pair(_mm256_max_ps(self.0, b.0), _mm256_max_ps(self.1, b.1)) }
    }

    #[inline(always)]
    fn select_greater(self, b: Pair, yes: Pair, no: Pair) -> Pair {
        // SAFETY: AVX is there, see `Pair`.
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, b.0);
            let high = _mm256_cmp_ps::<_CMP_GT_OQ>(self.1, b.1);
            Pair(_mm256_blendv_ps(no.0, yes.0, low), _mm256_blendv_ps(no.1, yes.1, high))
        }
    }

    #[inline(always)]
    fn transpose_quarters(rows: [Pair; 4]) -> [Pair; 4] {
        let low = Pair::transpose_half(rows.map(|row| row.0));
        let high = Pair::transpose_half(rows.map(|row| row.1));
        [
            Pair(low[0], high[0]),
            Pair(low[1], high[1]),
            Pair(low[2], high[2]),
            Pair(low[3], high[3]),
        ]
    }

    #[inline(always)]
    fn greater(self, b: Pair) -> u32 {
        // SAFETY: AVX is there, see `Pair`.
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, b.0);
            let high = _mm256_cmp_ps::<_CMP_GT_OQ>(self.1, b.1);
            _mm256_movemask_ps(low) as u32 | (_mm256_movemask_ps(high) as u32) << 8
        }
    }

    #[inline(always)]
    fn differ(self, b: Pair) -> u32 {
        Pair::differ_half(self.0, b.0) | Pair::differ_half(self.1, b.1) << 8
    }
}

/// Exists only inside code that [`super::run_wide`] reached after it had detected
/// AVX-512F: that is what each `unsafe` below rests on, as those of [`Pair`] do.
#[derive(Clone, Copy)]
pub(super) struct Wide(__m512);

impl super::Sixteen for Wide {
    #[inline(always)]
    fn splat(x: f32) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    fn load(from: &[f32; 16]) -> Wide {
        // SAFETY: AVX-512 is there; the pointer is that of sixteen readable numbers.
        Wide(unsafe { _mm512_loadu_ps(from.as_ptr()) })
    }

    #[inline(always)]
    fn load_bits(from: &[u32; 16]) -> Wide {
        // SAFETY: AVX-512 is there; the pointer is that of sixteen readable numbers.
        Wide(unsafe { _mm512_castsi512_ps(_mm512_loadu_si512(from.as_ptr().cast())) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        // SAFETY: AVX-512 is there; the pointer is that of sixteen writable numbers.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn add(self, b: Wide) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_add_ps(self.0, b.0) })
    }

    #[inline(always)]
    fn sub(self, b: Wide) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_sub_ps(self.0, b.0) })
    }

    #[inline(always)]
    fn mul(self, b: Wide) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_mul_ps(self.0, b.0) })
    }

    #[inline(always)]
    fn div(self, b: Wide) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_div_ps(self.0, b.0) })
    }

    #[inline(always)]
    fn sqrt(self) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_sqrt_ps(self.0) })
    }

    #[inline(always)]
    fn abs(self) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_abs_ps(self.0) })
    }

    #[inline(always)]
    fn mul_add(self, b: Wide, c: Wide) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    fn max(self, b: Wide) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe { _mm512_max_ps(self.0, b.0) })
    }

    #[inline(always)]
    fn select_greater(self, b: Wide, yes: Wide, no: Wide) -> Wide {
        // SAFETY: AVX-512 is there, see `Wide`.
        Wide(unsafe {
            let greater = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, b.0);
            _mm512_mask_blend_ps(greater, no.0, yes.0)
        })
    }

    #[inline(always)]
    fn transpose_quarters(rows: [Wide; 4]) -> [Wide; 4] {
        let [a, b, c, d] = rows.map(|row| row.0);
        // SAFETY: AVX-512 is there, see `Wide`.
        unsafe {
            let (ab, ab_rest) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (cd, cd_rest) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            [
                Wide(_mm512_shuffle_ps::<0x44>(ab, cd)),
                Wide(_mm512_shuffle_ps::<0xee>(ab, cd)),
                Wide(_mm512_shuffle_ps::<0x44>(ab_rest, cd_rest)),
                Wide(_mm512_shuffle_ps::<0xee>(ab_rest, cd_rest)),
            ]
        }
    }

    #[inline(always)]
    fn greater(self, b: Wide) -> u32 {
        // SAFETY: AVX-512 is there, see `Wide`.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, b.0).into() }
    }

    #[inline(always)]
    fn differ(self, b: Wide) -> u32 {
        // SAFETY: AVX-512 is there, see `Wide`.
        unsafe {
            let (a, b) = (_mm512_castps_si512(self.0), _mm512_castps_si512(b.0));
            _mm512_cmpneq_epi32_mask(a, b).into()
        }
    }
}

/// Four numbers of double precision; exists and rests on the same as [`Pair`].
#[derive(Clone, Copy)]
pub(super) struct Four(__m256d);

impl super::Four for Four {
    #[inline(always)]
    fn splat(x: f64) -> Four {
        // SAFETY: AVX is there, see `Pair`.
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
        // SAFETY: AVX is there, see `Pair`.
        Four(unsafe { _mm256_add_pd(self.0, b.0) })
    }

    #[inline(always)]
    fn sub(self, b: Four) -> Four {
        // SAFETY: AVX is there, see `Pair`.
        Four(unsafe { _mm256_sub_pd(self.0, b.0) })
    }

    #[inline(always)]
    fn mul(self, b: Four) -> Four {
        // SAFETY: AVX is there, see `Pair`.
        Four(unsafe { _mm256_mul_pd(self.0, b.0) })
    }

    #[inline(always)]
    fn mul_add(self, b: Four, c: Four) -> Four {
        // SAFETY: FMA is there, see `Pair`.
        Four(unsafe { _mm256_fmadd_pd(self.0, b.0, c.0) })
    }

    #[inline(always)]
    fn min(self, b: Four) -> Four {
        // SAFETY: AVX is there, see `Pair`.
        Four(unsafe { _mm256_min_pd(self.0, b.0) })
    }
}

#[inline(always)]
fn narrow_half(low: Four, high: Four) -> __m256 {
    // SAFETY: AVX is there, see `Pair`.
    unsafe { _mm256_set_m128(_mm256_cvtpd_ps(high.0), _mm256_cvtpd_ps(low.0)) }
}

/// All in single precision.
#[inline(always)]
pub(super) fn narrow([a, b, c, d]: [Four; 4]) -> Pair {
    Pair(narrow_half(a, b), narrow_half(c, d))
}

/// The same in one vector, for code that [`Wide`] is allowed in.
#[inline(always)]
pub(super) fn narrow_wide([a, b, c, d]: [Four; 4]) -> Wide {
    let (low, high) = (narrow_half(a, b), narrow_half(c, d));
    // SAFETY: AVX-512 is there, see `Wide`.
    Wide(unsafe {
        let low = _mm512_castpd256_pd512(_mm256_castps_pd(low));
        _mm512_castpd_ps(_mm512_insertf64x4::<1>(low, _mm256_castps_pd(high)))
    })
}
