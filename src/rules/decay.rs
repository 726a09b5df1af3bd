//! How events count for less as time passes.

use crate::data::Span;

/// After so many half-lives nothing is left.
const HALF_LIVES: u64 = 64;

/// How many steps a half-life may have, where what decays is compared with a bound.
pub(super) const MOST_STEPS: u64 = 256;

/// A half-life, and the steps in which what is left becomes less; in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decay {
    half_life: u64,
    /// Nothing where it becomes less all the time.
    every: Option<u64>,
}

impl Decay {
    pub(super) fn new(half_life: Span, every: Option<Span>) -> Decay {
        Decay { half_life: half_life.as_millis(), every: every.map(Span::as_millis) }
    }

    /// What is left of 1 at an age in milliseconds: `2^(−k · every / half_life)` after `k` whole
    /// steps, and nothing after 64 half-lives.
    pub(super) fn left(self, age: u64) -> f64 {
        let age = match self.every {
            Some(every) if every > 0 => age - age % every,
            _ => age,
        };
        if age / HALF_LIVES >= self.half_life {
            return 0.0;
        }
        (-(age as f64) / self.half_life as f64).exp2()
    }

    /// The first greater age at which less is left; none where that is not known, or nothing is
    /// left.
    pub(super) fn next(self, age: u64) -> Option<u64> {
        let every = self.every.filter(|&every| every > 0)?;
        if self.left(age) == 0.0 {
            return None;
        }
        (age - age % every).checked_add(every)
    }

    /// How far back events can count.
    pub(super) fn reach(self) -> Span {
        let most = self.half_life.saturating_mul(HALF_LIVES);
        Span::from_millis(most.saturating_add(self.every.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_left_step_by_step() {
        let hours = |n: u64| n * 3_600_000;
        let smooth = Decay::new(Span::hours(6), None);
        assert_eq!(smooth.left(0), 1.0);
        assert_eq!(smooth.left(hours(3)), 0.5_f64.sqrt());
        assert_eq!(smooth.left(hours(6)), 0.5);
        assert_eq!(smooth.left(hours(6 * 60)), 2_f64.powi(-60));
        assert!(smooth.left(hours(6 * 64) - 1) > 0.0);
        assert_eq!(smooth.left(hours(6 * 64)), 0.0);
        assert_eq!(smooth.next(5), None);
        let steps = Decay::new(Span::hours(6), Some(Span::hours(2)));
        assert_eq!(steps.left(hours(2) - 1), 1.0);
        assert_eq!(steps.left(hours(2)), (-1.0_f64 / 3.0).exp2());
        assert_eq!(steps.next(0), Some(hours(2)));
        assert_eq!(steps.next(hours(2) - 1), Some(hours(2)));
        assert_eq!(steps.next(hours(2)), Some(hours(4)));
        assert_eq!(steps.next(hours(6 * 64)), None);
        assert_eq!(steps.next(u64::MAX), None);
        // Each step but the last is one to less.
        let mut age = 0;
        let mut left = 1.0;
        let mut n = 0;
        while let Some(next) = steps.next(age) {
            assert_eq!(steps.left(next - 1), left);
            assert!(steps.left(next) < left);
            (age, left, n) = (next, steps.left(next), n + 1);
        }
        assert_eq!((left, n), (0.0, 3 * 64));
        assert!(steps.left(steps.reach().as_millis()) == 0.0);
    }
}
