//! Which customers, a bit each.

use serde::{Deserialize, Serialize};

use super::ids::Places;
use crate::fnv::Fnv;
use crate::rules::members::bits;
use crate::segmenter::Truth;

/// A set of places, the lowest bit first. It has no words of zeros at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Plane(Vec<u64>);

impl Plane {
    pub(super) fn new(mut words: Vec<u64>) -> Plane {
        let n_words =
            words.iter().rposition(|&word| word != 0).map_or(0, |last| last + 1);
        words.truncate(n_words);
        Plane(words)
    }

    /// All places below `n`.
    pub(super) fn all(n: usize) -> Plane {
        let mut words = vec![u64::MAX; n.div_ceil(64)];
        if let (Some(last), 1..) = (words.last_mut(), n % 64) {
            *last = (1 << (n % 64)) - 1;
        }
        Plane(words)
    }

    pub(super) fn collect(places: impl IntoIterator<Item = usize>) -> Plane {
        let mut words = Vec::new();
        for place in places {
            if words.len() <= place / 64 {
                words.resize(place / 64 + 1, 0);
            }
            words[place / 64] |= 1 << (place % 64);
        }
        Plane(words)
    }

    /// Those of places beyond are zeros.
    pub(crate) fn words(&self) -> &[u64] {
        &self.0
    }

    fn word(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(0)
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.word(place / 64) >> (place % 64) & 1 == 1
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The places, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let words = self.0.iter().enumerate();
        words.flat_map(|(i, &word)| bits(word).map(move |bit| i * 64 + bit))
    }

    fn with(&self, other: &Plane, join: impl Fn(u64, u64) -> u64) -> Plane {
        let n_words = self.0.len().max(other.0.len());
        Plane::new((0..n_words).map(|i| join(self.word(i), other.word(i))).collect())
    }

    pub(super) fn and(&self, other: &Plane) -> Plane {
        self.with(other, |a, b| a & b)
    }

    pub(super) fn and_not(&self, other: &Plane) -> Plane {
        self.with(other, |a, b| a & !b)
    }

    pub(super) fn or(&self, other: &Plane) -> Plane {
        self.with(other, |a, b| a | b)
    }

    /// Those that are in one of the two.
    pub(super) fn xor(&self, other: &Plane) -> Plane {
        self.with(other, |a, b| a ^ b)
    }

    /// Where each place has gone.
    pub(super) fn moved(&self, places: &Places) -> Plane {
        match places {
            None => self.clone(),
            Some(places) => {
                Plane::collect(self.iter().filter_map(|at| places.get(at).copied()))
            }
        }
    }

    /// Takes a place out; those behind it move up.
    pub(super) fn remove(&mut self, place: usize) {
        let at = place / 64;
        if at >= self.0.len() {
            return;
        }
        let below = (1 << (place % 64)) - 1;
        for i in at..self.0.len() {
            let kept = if i == at { below } else { 0 };
            let carry = self.word(i + 1) << 63;
            // Those before the place stay, the others come from one place on.
            self.0[i] = self.0[i] & kept | (self.0[i] >> 1 & !kept) | carry;
        }
        *self = Plane::new(std::mem::take(&mut self.0));
    }

    /// Whether it is as this module makes it, of places below `n`.
    pub(super) fn is_valid(&self, n: usize) -> bool {
        self.0.last().is_none_or(|&last| {
            let end = self.0.len() * 64 - last.leading_zeros() as usize;
            last != 0 && end <= n
        })
    }

    pub(super) fn hash(&self, hash: &mut Fnv) {
        hash.feed(&(self.0.len() as u64).to_le_bytes());
        self.0.iter().for_each(|word| hash.feed(&word.to_le_bytes()));
    }
}

/// For whom something is True, and for whom Unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Truths {
    pub(super) members: Plane,
    pub(super) undecided: Plane,
}

impl Truths {
    /// Those whose truth is another.
    pub(super) fn differing(&self, other: &Truths) -> Plane {
        self.members.xor(&other.members).or(&self.undecided.xor(&other.undecided))
    }

    pub(super) fn truth(&self, place: usize) -> Truth {
        match (self.members.has(place), self.undecided.has(place)) {
            (true, _) => Truth::True,
            (false, true) => Truth::Unknown,
            (false, false) => Truth::False,
        }
    }

    pub(super) fn moved(&self, places: &Places) -> Truths {
        Truths {
            members: self.members.moved(places),
            undecided: self.undecided.moved(places),
        }
    }
}
