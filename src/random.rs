//! Seeded random numbers with stated, portable bits.
//!
//! The generator is xoshiro256++ (Blackman & Vigna 2021), seeded through SplitMix64;
//! what is drawn from it is computed here, so that no other crate's release changes it.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// One stream of random numbers.
#[derive(Debug)]
pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The stream `stream` of `seed`. Different streams are independent.
    pub(crate) fn new(seed: u64, stream: u64) -> Random {
        Random(Xoshiro256PlusPlus::seed_from_u64(mix(seed ^ mix(stream))))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 (included) to 1 (excluded), of 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        unit_of(self.0.next_u64())
    }

    /// An integer below `n`, each equally likely (Lemire 2019, with rejection).
    /// `n` is at least 1.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = n.max(1) as u64;
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= threshold {
                return (product >> 64) as usize;
            }
        }
    }
}

/// Random numbers that belong to items, not to the order in which they are asked for: what
/// is drawn for an item depends on the seed, the stream and the item only, so that any
/// number of threads, and any machine that has the item, draws the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Draws(u64);

impl Draws {
    /// The stream `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Draws {
        Draws(mix(seed ^ mix(stream)))
    }

    /// 64 random bits for an item.
    #[inline(always)]
    pub(crate) fn bits(self, item: u64) -> u64 {
        mix(self.0 ^ mix(item))
    }

    /// A number from 0 (included) to 1 (excluded) for an item.
    #[inline(always)]
    pub(crate) fn unit(self, item: u64) -> f64 {
        unit_of(self.bits(item))
    }

    /// An integer below `n` (at least 1) for an item: `⌊n · bits / 2⁶⁴⌋`. No integer is
    /// more likely than another by more than 2⁻⁶⁴.
    #[inline(always)]
    pub(crate) fn below(self, item: u64, n: usize) -> usize {
        ((u128::from(self.bits(item)) * n as u128) >> 64) as usize
    }
}

/// The first 53 of 64 bits as a number from 0 (included) to 1 (excluded).
#[inline(always)]
fn unit_of(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// SplitMix64's finaliser (Steele, Lea & Flood 2014).
#[inline(always)]
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits that saved seeds rely on. They may never change.
    #[test]
    fn the_stream_is_pinned() {
        let mut random = Random::new(42, 0);
        let first: Vec<u64> = (0..3).map(|_| random.0.next_u64()).collect();
        assert_eq!(first, PINNED);
        let draws: Vec<usize> = (0..8).map(|_| Random::new(7, 3).below(10)).collect();
        assert!(draws.windows(2).all(|w| w[0] == w[1]));
    }

    const PINNED: [u64; 3] =
        [16022262741338017731, 11992476375684980331, 13921952619901832074];
}
