//! Which rows of a table are in which segments.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::segmenter::{SegmentIndex, Truth};

/// How many rows of a table are in a segment. Rows are counted, not their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipCount {
    /// Rows for which the rule is True.
    pub members: u64,
    /// Rows for which the rule is Unknown, since values are missing.
    pub undecided: u64,
    /// Rows for which the rule is False.
    pub non_members: u64,
}

impl MembershipCount {
    pub(super) fn new(n_rows: u64, members: u64, non_members: u64) -> MembershipCount {
        let undecided = n_rows - members - non_members;
        MembershipCount { members, undecided, non_members }
    }
}

/// Rows of which a rule is True, and rows of which it is False, a bit each, the lowest bit
/// first. Bits beyond the rows are 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Planes {
    pub(super) holds: Vec<u64>,
    pub(super) fails: Vec<u64>,
}

/// Which rows of a table are in which segments of a [`RuleBook`](super::RuleBook), as
/// [`memberships`](super::RuleBook::memberships) gives it.
///
/// It takes two bits for each row and segment.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::rules::{RuleBook, field};
/// use segmenta::segmenter::{SegmentIndex, Truth};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("some", "Some orders", field("orders").ge(1))
///     .segment("many", "Many orders", field("orders").ge(10))
///     .build()?;
/// let table = Table::builder(&schema, 3).numbers("orders", vec![12.0, 0.0, 3.0]).build()?;
///
/// let memberships = book.memberships(&table)?;
/// let some = SegmentIndex::new(0);
/// assert_eq!(memberships.members(some).collect::<Vec<_>>(), [0, 2]);
/// assert_eq!(memberships.truth(1, some), Truth::False);
/// assert_eq!(memberships.count(some).members, 2);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memberships {
    pub(super) n_rows: usize,
    /// For each segment.
    pub(super) planes: Vec<Planes>,
}

impl Memberships {
    /// How many rows the table has.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// How many segments there are.
    #[must_use]
    pub fn n_segments(&self) -> usize {
        self.planes.len()
    }

    /// Whether a row is in a segment; False where there is no such row or segment.
    #[must_use]
    pub fn truth(&self, row: usize, segment: SegmentIndex) -> Truth {
        let Some(planes) = self.planes.get(segment.get()) else { return Truth::False };
        let is_set = |plane: &[u64]| {
            plane.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
        };
        if is_set(&planes.holds) {
            Truth::True
        } else if row >= self.n_rows || is_set(&planes.fails) {
            Truth::False
        } else {
            Truth::Unknown
        }
    }

    /// The rows in a segment, ascending.
    pub fn members(&self, segment: SegmentIndex) -> impl Iterator<Item = usize> + '_ {
        let planes = self.planes.get(segment.get());
        ones(planes.map_or(&[][..], |planes| &planes.holds).iter().copied())
    }

    /// The rows of which it is not known whether they are in a segment, ascending.
    pub fn undecided(&self, segment: SegmentIndex) -> impl Iterator<Item = usize> + '_ {
        let words = self.planes.get(segment.get()).into_iter().flat_map(|planes| {
            planes.holds.iter().zip(&planes.fails).map(|(yes, no)| !(yes | no))
        });
        let n_rows = self.n_rows;
        ones(words).take_while(move |&row| row < n_rows)
    }

    /// How many rows are in a segment.
    #[must_use]
    pub fn count(&self, segment: SegmentIndex) -> MembershipCount {
        let Some(planes) = self.planes.get(segment.get()) else {
            return MembershipCount::new(self.n_rows as u64, 0, self.n_rows as u64);
        };
        let count = |plane: &[u64]| plane.iter().map(|w| u64::from(w.count_ones())).sum();
        let (members, non_members) = (count(&planes.holds), count(&planes.fails));
        MembershipCount::new(self.n_rows as u64, members, non_members)
    }

    /// The rows of which a rule is True, Unknown and False, a bit each; no words where none is
    /// Unknown.
    pub(crate) fn three_planes(&self, segment: SegmentIndex) -> [Cow<'_, [u64]>; 3] {
        let Some(planes) = self.planes.get(segment.get()) else {
            return std::array::from_fn(|_| Cow::Borrowed(&[][..]));
        };
        let words = planes.holds.iter().zip(&planes.fails);
        let mut open: Vec<u64> = words.map(|(yes, no)| !(yes | no)).collect();
        if let (Some(last), 1..) = (open.last_mut(), self.n_rows % 64) {
            *last &= (1 << (self.n_rows % 64)) - 1;
        }
        if open.iter().all(|&word| word == 0) {
            open = Vec::new();
        }
        [(&planes.holds).into(), open.into(), (&planes.fails).into()]
    }
}

/// Positions of the bits that are set.
fn ones(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    words.enumerate().flat_map(|(i, word)| bits(word).map(move |bit| i * 64 + bit))
}

/// Positions of the bits that are set in one word.
pub(super) fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            bit
        })
    })
}
