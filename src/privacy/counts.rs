//! Counts of segments, and of what they have in common.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::audience::{MinimumAudience, ShownCount};
use super::guard::{Frame, Group, Guard};
use crate::data::Table;
use crate::error::{Error, Result};
use crate::rules::{Estimate, Memberships, RuleBook};
use crate::segmenter::{SegmentId, SegmentIndex};

/// How many rows are in a segment, as it may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedCount {
    /// Rows for which the rule is True.
    pub members: ShownCount,
    /// Rows for which the rule is Unknown.
    pub undecided: ShownCount,
    /// Rows for which the rule is False.
    pub non_members: ShownCount,
}

impl fmt::Display for PublishedCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PublishedCount { members, undecided, non_members } = self;
        write!(f, "{members} members, {undecided} undecided, {non_members} others")
    }
}

/// Counts of all segments that can be told together, as [`MinimumAudience::publish`] gives
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedCounts {
    /// How many rows there are.
    pub n_rows: ShownCount,
    /// For each segment, in their order.
    pub segments: Vec<PublishedCount>,
}

/// What two segments have in common, as it may be told: all of its four counts, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedOverlap {
    /// One segment.
    pub a: SegmentIndex,
    /// The other.
    pub b: SegmentIndex,
    /// Members of both.
    pub both: ShownCount,
    /// Members of `a` who are not in `b`.
    pub only_a: ShownCount,
    /// Members of `b` who are not in `a`.
    pub only_b: ShownCount,
    /// Rows that are in neither.
    pub neither: ShownCount,
}

impl fmt::Display for PublishedOverlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PublishedOverlap { both, only_a, only_b, neither, .. } = self;
        write!(
            f,
            "{both} in both, {only_a} in the first only, {only_b} in the second only, \
             {neither} in neither",
        )
    }
}

/// A preview of a segment as it may be told, see [`MinimumAudience::preview`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedPreview {
    /// The segment.
    pub segment: SegmentId,
    /// The rows that were asked about.
    pub count: PublishedCount,
    /// Rows of the table; withheld where there are few.
    pub n_rows: ShownCount,
    /// The share of members among all rows, where their count is told as it is.
    pub members: Option<Estimate>,
    /// The share of those of whom it is not known, likewise.
    pub undecided: Option<Estimate>,
    /// The share of those who are none, likewise.
    pub non_members: Option<Estimate>,
}

/// Planes of a segment that are told: members, undecided and others.
const PLANES: usize = 3;

/// Pairs of segments whose overlap can be told at a time.
const MAX_PAIRS: usize = 1000;

impl MinimumAudience {
    /// The counts of all segments that can be told together.
    ///
    /// # What is guaranteed
    /// Think of the groups whose counts are told, of all rows, and of what is left of all rows
    /// beside each of these groups. No sum of the counts of any number of these, of which no two
    /// overlap, leaves from 1 to `least - 1` of the rows. So from 1 to `least - 1` people are
    /// neither counted themselves, nor are they
    ///
    /// - what is left of all rows beside a group;
    /// - the difference between two groups one of which lies within the other;
    /// - what is left of a group beside any number of groups that lie within it and do not
    ///   overlap: the withheld part of a sum, as of the members, undecided and others of one
    ///   segment, or of segments that share out the customers among them.
    ///
    /// Whether groups overlap and lie within each other is asked of the rows, not of the rules.
    ///
    /// # What is told
    /// Groups are admitted one after another: members of all segments, the largest first, then
    /// undecided, then others; of those of one size, those of the first segment first. A group
    /// that cannot be told beside those that are is withheld. So of two
    /// nested segments that differ by few the greater one is told. Counts of nobody, and of all
    /// rows, are told. Nothing is told of fewer rows than the least.
    ///
    /// # What is not guaranteed
    /// - Nothing is taken from a sum, and groups that overlap are not added up: where `A` and
    ///   `B` do not overlap and a segment `C` has all of their members but one, `A + B - C`
    ///   tells of the one. More such equations of many segments can be solved.
    /// - That a count is withheld tells that some count would be small.
    /// - Counts of everybody and nobody tell something of each.
    /// - Counts at different times are compared by
    ///   [`publish_snapshot`](MinimumAudience::publish_snapshot) only.
    /// - Whoever knows other things of some of the people can subtract these. Only noise helps
    ///   against all that can be known (differential privacy; Dwork 2006), and this is none.
    ///
    /// Where it would take too long to rule out all sums, a count is withheld. Complementary
    /// suppression is described by Hundepool et al. (2012, chapter 4); differences by nested
    /// queries (trackers) by Denning, Denning & Schwartz (1979).
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema, Table};
    /// use segmenta::privacy::MinimumAudience;
    /// use segmenta::rules::{RuleBook, field};
    ///
    /// let schema = Schema::new([FeatureSpec::number("age")])?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("from_18", "From 18", field("age").ge(18))
    ///     .segment("from_19", "From 19", field("age").ge(19))
    ///     .segment("from_60", "From 60", field("age").ge(60))
    ///     .build()?;
    /// // One customer is 18.
    /// let age = |i| match i { 0..50 => 17.0, 50 => 18.0, 51..80 => 30.0, _ => 70.0 };
    /// let age: Vec<f64> = (0..100).map(age).collect();
    /// let table = Table::builder(&schema, 100).numbers("age", age).build()?;
    ///
    /// let published = MinimumAudience::new(10)?.publish(&book.memberships(&table)?);
    /// let members: Vec<String> =
    ///     published.segments.iter().map(|segment| segment.members.to_string()).collect();
    /// assert_eq!(members, ["50", "withheld", "20"]);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn publish(&self, memberships: &Memberships) -> PublishedCounts {
        let planes = Planes::of(memberships);
        let mut guard = planes.guard(self.least(), &[]);
        self.segments(&planes, &mut guard)
    }

    /// The counts of all segments, and of what some pairs of them have in common, that can be
    /// told together.
    ///
    /// The four counts of a pair (both, only the one, only the other, neither) are groups as
    /// those of [`publish`](MinimumAudience::publish), with the same guarantee for all. They
    /// are admitted after the segments, pair by pair in their order, if the members of both
    /// segments and all four can be told. It takes half a byte for each row and pair, and
    /// time in proportion to the rows and to the square of segments and pairs.
    ///
    /// # Errors
    /// When there is no such segment, or there are more than 1,000 pairs.
    pub fn publish_overlaps(
        &self,
        memberships: &Memberships,
        pairs: &[(SegmentIndex, SegmentIndex)],
    ) -> Result<(PublishedCounts, Vec<PublishedOverlap>)> {
        let n = memberships.n_segments();
        if pairs.len() > MAX_PAIRS {
            let expected = format!("at most {MAX_PAIRS}");
            return Err(Error::parameter("pairs", expected, pairs.len()));
        }
        for segment in pairs.iter().flat_map(|&(a, b)| [a, b]) {
            if segment.get() >= n {
                let expected = format!("below {n}");
                return Err(Error::parameter("segment", expected, segment.get()));
            }
        }
        let planes = Planes::of(memberships);
        let quarters: Vec<Vec<u64>> =
            pairs.iter().flat_map(|&(a, b)| planes.quarters(a.get(), b.get())).collect();
        let mut guard = planes.guard(self.least(), &quarters);
        let published = self.segments(&planes, &mut guard);
        let overlaps = pairs.iter().enumerate().map(|(i, &(a, b))| {
            let first = planes.cells.len() + 4 * i;
            let mut cells = vec![planes.members(a.get()), planes.members(b.get())];
            cells.extend(first..first + 4);
            let may_be = guard.admit_all(&cells);
            let [both, only_a, only_b, neither] =
                [0, 1, 2, 3].map(|k| self.told(guard.count(first + k), may_be));
            PublishedOverlap { a, b, both, only_a, only_b, neither }
        });
        let overlaps = overlaps.collect();
        Ok((published, overlaps))
    }

    /// How large the segments are likely to be, from `n` rows drawn by a seed, as
    /// [`RuleBook::preview`] gives it: with the counts of the rows drawn that
    /// [`publish`](MinimumAudience::publish) tells, and the estimates that follow from them. An
    /// estimate is there where its count is told, and counts are not rounded.
    ///
    /// Previews by different seeds are about other rows each time, and are not compared.
    ///
    /// # Errors
    /// As [`RuleBook::preview`].
    pub fn preview(
        &self,
        book: &RuleBook,
        table: &Table<'_>,
        n: usize,
        seed: u64,
    ) -> Result<Vec<PublishedPreview>> {
        let (previews, memberships) = book.preview_with_rows(table, n, seed)?;
        let published = self.publish(&memberships);
        let n_rows = table.len() as u64;
        let n_rows = self.told(n_rows, n_rows == 0 || n_rows >= self.least());
        let previews = previews.into_iter().zip(published.segments);
        Ok(previews
            .map(|(preview, count)| {
                let estimate = |shown: ShownCount, estimate: Estimate| {
                    shown.exact().map(|_| estimate)
                };
                PublishedPreview {
                    segment: preview.segment,
                    count,
                    n_rows,
                    members: estimate(count.members, preview.members),
                    undecided: estimate(count.undecided, preview.undecided),
                    non_members: estimate(count.non_members, preview.non_members),
                }
            })
            .collect())
    }

    /// Counts of all segments, admitted in their order.
    fn segments(&self, planes: &Planes<'_>, guard: &mut Guard) -> PublishedCounts {
        let may_be = self.admit_in_order(guard, planes.cells.len());
        let told = |cell: usize| self.told(guard.count(cell), may_be[cell]);
        let segments =
            (0..planes.cells.len()).step_by(PLANES).map(|first| PublishedCount {
                members: told(first),
                undecided: told(first + 1),
                non_members: told(first + 2),
            });
        PublishedCounts {
            n_rows: self.told(planes.n_rows, guard.is_open()),
            segments: segments.collect(),
        }
    }

    /// Members of all segments, then undecided, then others, the largest first. They stand by
    /// segment.
    pub(super) fn admit_in_order(&self, guard: &mut Guard, n_cells: usize) -> Vec<bool> {
        let mut may_be = vec![false; n_cells];
        for sort in 0..PLANES {
            for cell in guard.largest_first((sort..n_cells).step_by(PLANES)) {
                may_be[cell] = guard.admit(cell);
            }
        }
        may_be
    }
}

/// The groups of all segments.
struct Planes<'m> {
    n_rows: u64,
    /// Members, undecided and others of each.
    cells: Vec<Cow<'m, [u64]>>,
}

impl<'m> Planes<'m> {
    fn of(memberships: &'m Memberships) -> Planes<'m> {
        let n = memberships.n_segments() as u32;
        let cells = (0..n).flat_map(|i| memberships.three_planes(SegmentIndex::new(i)));
        Planes { n_rows: memberships.n_rows() as u64, cells: cells.collect() }
    }

    fn members(&self, segment: usize) -> usize {
        segment * PLANES
    }

    /// Rows that are in both segments, in one only, in the other only, in neither.
    fn quarters(&self, a: usize, b: usize) -> [Vec<u64>; 4] {
        let [a, b] = [a, b].map(|segment| &self.cells[self.members(segment)]);
        let with = |join: &dyn Fn(u64, u64) -> u64| -> Vec<u64> {
            a.iter().zip(b.iter()).map(|(&a, &b)| join(a, b)).collect()
        };
        let mut neither = with(&|a, b| !(a | b));
        if let (Some(last), 1..) = (neither.last_mut(), self.n_rows % 64) {
            *last &= (1 << (self.n_rows % 64)) - 1;
        }
        [with(&|a, b| a & b), with(&|a, b| a & !b), with(&|a, b| b & !a), neither]
    }

    fn guard(&self, least: u64, more: &[Vec<u64>]) -> Guard {
        let mut groups: Vec<Group<'_>> =
            Vec::with_capacity(self.cells.len() + more.len());
        for (i, cell) in self.cells.iter().enumerate() {
            // Where nobody is undecided, the others are the rest of the members.
            let is_rest = i % PLANES == 2 && self.cells[i - 1].is_empty();
            groups.push(if is_rest { Group::RestOf(i - 2) } else { Group::Plane(cell) });
        }
        groups.extend(more.iter().map(|plane| Group::Plane(plane)));
        let all = Frame { count: self.n_rows, cell: None, is_asked: true };
        Guard::new(least, vec![all], &groups, &[])
    }
}
