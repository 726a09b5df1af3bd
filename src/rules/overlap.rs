//! How far segments overlap.

use serde::{Deserialize, Serialize};

use super::members::{MembershipCount, Memberships, Planes};
use crate::bitplanes::{PairCounts, cross_counts};
use crate::parallel::map_blocks;
use crate::segmenter::SegmentIndex;

/// How many rows segments have in common, pair by pair, and in how many segments rows are, as
/// [`Memberships::overlap`] gives it.
///
/// It takes 8 bytes for each pair of segments, and 8 more for each segment with each other that
/// has undecided rows.
///
/// ```
/// use segmenta::data::{Column, FeatureSpec, Schema, Table, Validity};
/// use segmenta::rules::{RuleBook, field};
/// use segmenta::segmenter::SegmentIndex;
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("some", "Some orders", field("orders").ge(1))
///     .segment("many", "Many orders", field("orders").ge(10))
///     .segment("member", "Members", field("member").eq(true))
///     .build()?;
/// let known = Validity::Mask(vec![true, true, true, false].into());
/// let table = Table::builder(&schema, 4)
///     .numbers("orders", vec![12.0, 0.0, 3.0, 20.0])
///     .column("member", Column::Flag(vec![true, true, false, false].into(), known))
///     .build()?;
///
/// let overlap = book.memberships(&table)?.overlap();
/// let [some, many, member] = [0, 1, 2].map(SegmentIndex::new);
/// let pair = overlap.pair(many, some).unwrap();
/// assert_eq!((pair.both, pair.union()), (2, 3));
/// assert_eq!((pair.a_in_b(), pair.b_in_a()), (Some(1.0), Some(2.0 / 3.0)));
/// assert_eq!(overlap.pair(many, member).unwrap().a_undecided_in_b, 1);
/// assert_eq!(overlap.by_number(), [0, 2, 1, 1]);
/// assert_eq!(overlap.exclusive(member), 1);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    n_rows: u64,
    counts: Vec<MembershipCount>,
    both: PairCounts,
    /// For each segment its column in `fails`, if rows are undecided in it.
    columns: Vec<Option<usize>>,
    n_columns: usize,
    /// For each segment: its members who are not in each segment that has undecided rows.
    fails: Vec<u64>,
    exclusive: Vec<u64>,
    by_number: Vec<u64>,
}

/// Two segments, and how many rows they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentOverlap {
    /// One segment.
    pub a: SegmentIndex,
    /// The other.
    pub b: SegmentIndex,
    /// Rows of the table.
    pub n_rows: u64,
    /// Members of `a`.
    pub in_a: u64,
    /// Members of `b`.
    pub in_b: u64,
    /// Members of both.
    pub both: u64,
    /// Members of `a` of whom it is not known whether they are in `b`.
    pub a_undecided_in_b: u64,
    /// Members of `b` of whom it is not known whether they are in `a`.
    pub b_undecided_in_a: u64,
}

impl SegmentOverlap {
    /// Members of at least one of the two.
    #[must_use]
    pub fn union(&self) -> u64 {
        self.in_a + self.in_b - self.both
    }

    /// The coefficient of Jaccard (1901): `both / union`, from 0 for segments without a common
    /// member to 1 for segments of the same. Nothing where nobody is in either.
    #[must_use]
    pub fn jaccard(&self) -> Option<f64> {
        ratio(self.both, self.union())
    }

    /// The share of `a`'s members who are in `b`, too: `both / in_a`. Nothing where nobody is in
    /// `a`.
    #[must_use]
    pub fn a_in_b(&self) -> Option<f64> {
        ratio(self.both, self.in_a)
    }

    /// The share of `b`'s members who are in `a`, too. Nothing where nobody is in `b`.
    #[must_use]
    pub fn b_in_a(&self) -> Option<f64> {
        ratio(self.both, self.in_b)
    }

    /// How much more often rows are in both than if being in one said nothing of the other
    /// (Brin et al. 1997, who call it interest): the share of both over the product of the
    /// shares, `both · n_rows / (in_a · in_b)`. 1 where it says nothing. Nothing where nobody
    /// is in one of the two.
    #[must_use]
    pub fn lift(&self) -> Option<f64> {
        // Products of two counts lose digits in `f64` only beyond 2^53.
        let [both, n_rows, in_a, in_b] =
            [self.both, self.n_rows, self.in_a, self.in_b].map(u128::from);
        let expected = in_a * in_b;
        (expected > 0).then(|| (both * n_rows) as f64 / expected as f64)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Words of a block in which rows are counted by the number of their segments.
const WORDS: usize = 64;

impl Memberships {
    /// How many rows segments have in common, pair by pair, and in how many segments rows are.
    ///
    /// It takes time in proportion to rows and pairs: a plane of bits is read for each segment
    /// that it meets, in blocks that stay in the cache.
    #[must_use]
    pub fn overlap(&self) -> Overlap {
        let n = self.planes.len();
        let counts: Vec<MembershipCount> =
            (0..n as u32).map(|i| self.count(SegmentIndex::new(i))).collect();
        let holds: Vec<&[u64]> = self.planes.iter().map(|p| &p.holds[..]).collect();
        let mut columns = vec![None; n];
        let mut fails: Vec<&[u64]> = Vec::new();
        for ((column, count), planes) in columns.iter_mut().zip(&counts).zip(&self.planes)
        {
            if count.undecided > 0 {
                *column = Some(fails.len());
                fails.push(&planes.fails);
            }
        }
        let blocks = map_blocks(self.n_rows.div_ceil(64), WORDS, |words| {
            count_block(&self.planes, words.start, words.end)
        });
        let mut by_number = vec![0; n + 1];
        let mut exclusive = vec![0; n];
        for block in blocks {
            add(&mut by_number, &block.by_number);
            add(&mut exclusive, &block.exclusive);
        }
        // Rows beyond the table are in none.
        by_number[0] -= (self.n_rows.div_ceil(64) * 64 - self.n_rows) as u64;
        Overlap {
            n_rows: self.n_rows as u64,
            counts,
            both: PairCounts::new(&holds),
            n_columns: fails.len(),
            fails: cross_counts(&holds, &fails),
            columns,
            exclusive,
            by_number,
        }
    }
}

fn add(sums: &mut [u64], parts: &[u64]) {
    sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
}

struct Block {
    /// Rows by how many segments they are in, as far as there are any.
    by_number: Vec<u64>,
    /// For each segment, its members who are in no other.
    exclusive: Vec<u64>,
}

/// Counts the rows of some words.
fn count_block(planes: &[Planes], start: usize, end: usize) -> Block {
    let mut by_number = Vec::new();
    let mut exclusive = vec![0; planes.len()];
    for at in start..end {
        // The number of each of 64 rows, a bit plane for each of its digits.
        let mut digits: Vec<u64> = Vec::new();
        for planes in planes {
            let mut carry = planes.holds[at];
            for digit in &mut digits {
                (*digit, carry) = (*digit ^ carry, *digit & carry);
                if carry == 0 {
                    break;
                }
            }
            if carry != 0 {
                digits.push(carry);
            }
        }
        let digit = |i: usize, row: usize| (digits[i] >> row & 1) << i;
        for row in 0..64 {
            let number: u64 = (0..digits.len()).map(|i| digit(i, row)).sum();
            let number = number as usize;
            if by_number.len() <= number {
                by_number.resize(number + 1, 0);
            }
            by_number[number] += 1;
        }
        let [first, more] = match &digits[..] {
            [] => continue,
            [first, more @ ..] => [*first, more.iter().fold(0, |all, digit| all | digit)],
        };
        let once = first & !more;
        for (exclusive, planes) in exclusive.iter_mut().zip(planes) {
            *exclusive += u64::from((planes.holds[at] & once).count_ones());
        }
    }
    Block { by_number, exclusive }
}

impl Overlap {
    /// How many rows the table has.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// How many segments there are.
    #[must_use]
    pub fn n_segments(&self) -> usize {
        self.counts.len()
    }

    /// How many rows are in a segment; nothing where there is no such segment.
    #[must_use]
    pub fn count(&self, segment: SegmentIndex) -> Option<MembershipCount> {
        self.counts.get(segment.get()).copied()
    }

    /// What two segments have in common; nothing where there is no such segment.
    #[must_use]
    pub fn pair(&self, a: SegmentIndex, b: SegmentIndex) -> Option<SegmentOverlap> {
        let in_a = self.counts.get(a.get())?.members;
        let in_b = self.counts.get(b.get())?.members;
        let both = self.both.get(a.get(), b.get());
        // Members of the one are in the other, are not, or are undecided in it.
        let undecided = |one: SegmentIndex, n: u64, other: SegmentIndex| {
            self.columns[other.get()].map_or(0, |column| {
                n - both - self.fails[one.get() * self.n_columns + column]
            })
        };
        Some(SegmentOverlap {
            a,
            b,
            n_rows: self.n_rows,
            in_a,
            in_b,
            both,
            a_undecided_in_b: undecided(a, in_a, b),
            b_undecided_in_a: undecided(b, in_b, a),
        })
    }

    /// All pairs of different segments, each once, the earlier one first.
    pub fn pairs(&self) -> impl Iterator<Item = SegmentOverlap> + '_ {
        let n = self.counts.len() as u32;
        let index = SegmentIndex::new;
        (0..n).flat_map(move |a| {
            (a + 1..n).filter_map(move |b| self.pair(index(a), index(b)))
        })
    }

    /// How many members of a segment are in no other; 0 where there is no such segment. The rest
    /// of a book is a segment here, and so its members are in no other.
    #[must_use]
    pub fn exclusive(&self, segment: SegmentIndex) -> u64 {
        self.exclusive.get(segment.get()).copied().unwrap_or(0)
    }

    /// How many rows are in no segment, in one, in two, and so on up to all.
    #[must_use]
    pub fn by_number(&self) -> &[u64] {
        &self.by_number
    }
}
