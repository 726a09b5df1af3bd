//! Tests of many bytes at once, a bit for each.

/// Bytes that are tested at once: one vector of AVX2.
pub(crate) const N_BYTES: usize = 32;

/// What is asked of bytes.
pub(crate) trait Bytes {
    /// A bit for each byte that is at least `least`.
    fn at_least(bytes: &[u8; N_BYTES], least: u8) -> u32;
    /// A bit for each byte that is in the set.
    fn among(bytes: &[u8; N_BYTES], set: &ByteSet) -> u32;
}

/// A set of bytes, laid out to be looked up by halves: bit `high % 8` of
/// `halves[high / 8][low]` stands for the byte `16 · high + low`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSet {
    halves: [[u8; 16]; 2],
}

impl ByteSet {
    pub(crate) fn insert(&mut self, byte: u8) {
        let (high, low) = (byte / 16, byte % 16);
        self.halves[usize::from(high / 8)][usize::from(low)] |= 1 << (high % 8);
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        let (high, low) = (byte / 16, byte % 16);
        self.halves[usize::from(high / 8)][usize::from(low)] >> (high % 8) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == ByteSet::default()
    }
}

/// Byte by byte.
#[derive(Clone, Copy)]
pub(crate) struct PlainBytes;

impl Bytes for PlainBytes {
    #[inline(always)]
    fn at_least(bytes: &[u8; N_BYTES], least: u8) -> u32 {
        let mut bits = 0;
        for (i, &byte) in bytes.iter().enumerate() {
            bits |= u32::from(byte >= least) << i;
        }
        bits
    }

    #[inline(always)]
    fn among(bytes: &[u8; N_BYTES], set: &ByteSet) -> u32 {
        let mut bits = 0;
        for (i, &byte) in bytes.iter().enumerate() {
            bits |= u32::from(set.contains(byte)) << i;
        }
        bits
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use std::arch::x86_64::*;

    use super::{ByteSet, Bytes, N_BYTES};

    /// Named only by code that [`run`](super::super::run) reached after it had detected
    /// AVX2: that is what each `unsafe` below rests on.
    #[derive(Clone, Copy)]
    pub(crate) struct VectorBytes;

    #[inline(always)]
    fn load(bytes: &[u8; N_BYTES]) -> __m256i {
        // SAFETY: AVX2 is there; the pointer is that of 32 readable bytes.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    /// Sixteen bytes, twice.
    #[inline(always)]
    fn twice(bytes: &[u8; 16]) -> __m256i {
        // SAFETY: AVX2 is there; the pointer is that of 16 readable bytes.
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.as_ptr().cast())) }
    }

    impl Bytes for VectorBytes {
        #[inline(always)]
        fn at_least(bytes: &[u8; N_BYTES], least: u8) -> u32 {
            let bytes = load(bytes);
            // SAFETY: AVX2 is there.
            unsafe {
                let least = _mm256_set1_epi8(least as i8);
                let yes = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, least), bytes);
                _mm256_movemask_epi8(yes) as u32
            }
        }

        #[inline(always)]
        fn among(bytes: &[u8; N_BYTES], set: &ByteSet) -> u32 {
            const BITS: [u8; 16] =
                [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
            let bytes = load(bytes);
            let [below, above] = [twice(&set.halves[0]), twice(&set.halves[1])];
            // SAFETY: AVX2 is there.
            unsafe {
                // A shuffle looks at the low four bits, and gives 0 where the highest is set.
                let index = _mm256_and_si256(bytes, _mm256_set1_epi8(0x8f_u8 as i8));
                let flipped = _mm256_xor_si256(index, _mm256_set1_epi8(0x80_u8 as i8));
                let of_low = _mm256_or_si256(
                    _mm256_shuffle_epi8(below, index),
                    _mm256_shuffle_epi8(above, flipped),
                );
                let high = _mm256_and_si256(
                    _mm256_srli_epi16::<4>(bytes),
                    _mm256_set1_epi8(0x07),
                );
                let bit = _mm256_shuffle_epi8(twice(&BITS), high);
                let yes = _mm256_cmpeq_epi8(_mm256_and_si256(of_low, bit), bit);
                _mm256_movemask_epi8(yes) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arithmetic, Kernel, baseline, run};
    use super::*;
    use crate::random::Random;

    struct Masks<'a>(&'a [u8; N_BYTES], u8, &'a ByteSet);

    impl Kernel for Masks<'_> {
        type Output = [u32; 2];

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> [u32; 2] {
            [A::Bytes::at_least(self.0, self.1), A::Bytes::among(self.0, self.2)]
        }
    }

    #[test]
    fn bytes_are_compared_and_looked_up() {
        let mut random = Random::new(8, 0);
        for round in 0..300 {
            let mut set = ByteSet::default();
            let mut listed = [false; 256];
            for _ in 0..round % 40 {
                let byte = random.below(256);
                set.insert(byte as u8);
                listed[byte] = true;
            }
            assert_eq!(set.is_empty(), listed.iter().all(|&x| !x));
            let first = random.below(256);
            let bytes = std::array::from_fn(|i| (first + i * (round % 9)) as u8);
            let least = random.below(256) as u8;
            let mut expected = [0, 0];
            for (i, &byte) in bytes.iter().enumerate() {
                expected[0] |= u32::from(byte >= least) << i;
                expected[1] |= u32::from(listed[usize::from(byte)]) << i;
            }
            assert_eq!(run(Masks(&bytes, least, &set)), expected);
            assert_eq!(baseline(Masks(&bytes, least, &set)), expected);
        }
    }
}
