//! Counts at an instant, and of who has come and gone.

use serde::{Deserialize, Serialize};

use super::audience::{MinimumAudience, ShownCount};
use super::counts::PublishedCount;
use super::guard::{Frame, Group, Guard};
use crate::data::Timestamp;
use crate::error::{Error, Result};
use crate::rules::{Difference, Plane, Snapshot};
use crate::segmenter::SegmentId;

/// The counts of a snapshot that can be told together, as
/// [`MinimumAudience::publish_snapshot`] gives them: what a host keeps beside the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedSnapshot {
    /// The instant at which the book was asked, if it was bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instant: Option<Timestamp>,
    /// How many customers there were.
    pub n_customers: ShownCount,
    /// The segments in their order.
    pub segments: Vec<PublishedSegment>,
}

/// A segment of a [`PublishedSnapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedSegment {
    /// The segment.
    pub segment: SegmentId,
    /// How many were in it.
    pub count: PublishedCount,
}

/// The counts of a [`Difference`] that can be told together, as
/// [`MinimumAudience::publish_difference`] gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedDifference {
    /// How many customers there were.
    pub before: ShownCount,
    /// How many there are.
    pub after: ShownCount,
    /// The segments that both snapshots have, in the order of the later.
    pub segments: Vec<PublishedChange>,
}

/// How many came to a segment and left it, as it may be told; the groups are those of
/// [`DifferenceCount`](crate::rules::DifferenceCount).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedChange {
    /// The segment.
    pub segment: SegmentId,
    /// Members before.
    pub before: ShownCount,
    /// Members after.
    pub after: ShownCount,
    /// Members who were known before, and were none.
    pub entered: ShownCount,
    /// Members who were not known before.
    pub arrived: ShownCount,
    /// Members before who are known, and are none any more.
    pub left: ShownCount,
    /// Members before who are not known any more.
    pub gone: ShownCount,
    /// Members before and after.
    pub stayed: ShownCount,
    /// Those known before and after of whom it has become open.
    pub became_undecided: ShownCount,
    /// Those known before and after of whom it is open no more.
    pub became_decided: ShownCount,
}

/// Groups that a segment of a difference has.
const CHANGES: usize = 9;

impl MinimumAudience {
    /// The counts of a snapshot that can be told together, and beside those that were told of
    /// earlier snapshots.
    ///
    /// # What is guaranteed
    /// Think of the groups of all of these snapshots whose counts are told; of the customers
    /// of each snapshot whose number is told or is the sum of groups that do not overlap; and
    /// of what is left of these beside each group. Whatever one of these leaves of another,
    /// or any number of them of which no two overlap, is nobody or at least the least. So the
    /// one who joined a segment since, or the few newcomers, are not the difference of two
    /// counts. The number of customers is admitted first, then groups as by
    /// [`publish`](MinimumAudience::publish).
    ///
    /// It holds for the snapshots that are passed: a host passes all whose
    /// counts its readers may remember, each with what was told of it. Customers who were
    /// forgotten since are not seen in them.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Ids, Schema, Table};
    /// use segmenta::privacy::{MinimumAudience, ShownCount};
    /// use segmenta::rules::{RuleBook, field};
    ///
    /// let schema = Schema::new([FeatureSpec::number("orders")])?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("loyal", "Loyal", field("orders").ge(3))
    ///     .build()?;
    /// let snapshot = |n_loyal: usize| {
    ///     let orders: Vec<f64> = (0..100).map(|i| if i < n_loyal { 5.0 } else { 1.0 }).collect();
    ///     let ids = Ids::Numbers((0..100).collect());
    ///     let table = Table::builder(&schema, 100).numbers("orders", orders).ids(ids);
    ///     book.snapshot(&table.build()?)
    /// };
    /// let audience = MinimumAudience::new(10)?;
    /// let monday = snapshot(40)?;
    /// let told = audience.publish_snapshot(&monday, &[])?;
    /// assert_eq!(told.segments[0].count.members, ShownCount::Exact(40));
    ///
    /// // One more, and later 20 more.
    /// let tuesday = audience.publish_snapshot(&snapshot(41)?, &[(&monday, &told)])?;
    /// assert_eq!(tuesday.segments[0].count.members, ShownCount::Withheld);
    /// let friday = audience.publish_snapshot(&snapshot(60)?, &[(&monday, &told)])?;
    /// assert_eq!(friday.segments[0].count.members, ShownCount::Exact(60));
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When customers have numbers in one snapshot and texts in another, or something was told
    /// of a segment that its snapshot does not have.
    pub fn publish_snapshot(
        &self,
        snapshot: &Snapshot,
        earlier: &[(&Snapshot, &PublishedSnapshot)],
    ) -> Result<PublishedSnapshot> {
        let mut snapshots = vec![snapshot];
        snapshots.extend(earlier.iter().map(|(snapshot, _)| *snapshot));
        let aligned = Snapshot::align(&snapshots)?;
        // First what is to be told, then what may be known.
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut frames = Vec::new();
        for (i, snapshot) in aligned.iter().enumerate() {
            let segments = snapshot.segments.iter().flat_map(|segment| &segment.planes);
            groups.extend(segments.map(|plane| Group::Plane(plane.words())));
            frames.push(Frame {
                count: snapshot.present.count(),
                cell: Some(groups.len()),
                is_asked: i == 0,
            });
            groups.push(Group::Plane(snapshot.present.words()));
        }
        let mut known = Vec::new();
        for (i, ((_, told), snapshot)) in
            earlier.iter().zip(aligned.iter().skip(1)).enumerate()
        {
            let n_cells = 3 * snapshot.segments.len();
            let all = frames[i + 1].cell.unwrap_or(n_cells);
            if told.n_customers.is_told() {
                known.push(all);
            }
            for PublishedSegment { segment, count } in &told.segments {
                let mut segments = snapshot.segments.iter();
                let at = segments.position(|s| s.id == *segment).ok_or_else(|| {
                    let expected = "told of segments that its snapshot has";
                    Error::parameter(
                        "earlier counts",
                        expected,
                        format!("of `{segment}`"),
                    )
                })?;
                let told = [count.members, count.undecided, count.non_members];
                let told = told.iter().enumerate().filter(|(_, count)| count.is_told());
                known.extend(told.map(|(sort, _)| all - n_cells + 3 * at + sort));
            }
        }
        let mut guard = Guard::new(self.least(), frames, &groups, &known);
        let n_segments = snapshot.segments().count();
        let present = 3 * n_segments;
        let n_told = guard.admit(present);
        let may_be = self.admit_in_order(&mut guard, present);
        let told = |cell: usize| self.told(guard.count(cell), may_be[cell]);
        let segments =
            snapshot.segments().enumerate().map(|(i, segment)| PublishedSegment {
                segment: segment.id().clone(),
                count: PublishedCount {
                    members: told(3 * i),
                    undecided: told(3 * i + 1),
                    non_members: told(3 * i + 2),
                },
            });
        Ok(PublishedSnapshot {
            instant: snapshot.instant(),
            n_customers: self.told(guard.count(present), n_told),
            segments: segments.collect(),
        })
    }

    /// The counts of a difference that can be told together: customers before and after, then
    /// members before and after, then those who entered, arrived, left, are gone and stayed,
    /// then those whose membership has become open or is so no more; of each sort the largest
    /// first.
    ///
    /// The guarantee is that of [`publish_snapshot`](MinimumAudience::publish_snapshot) for
    /// the groups of both snapshots that are told here. It is told in place of the counts of
    /// the two snapshots, not beside them, since these are not known here.
    #[must_use]
    pub fn publish_difference(&self, difference: &Difference) -> PublishedDifference {
        let present = difference.presence();
        let planes: Vec<Plane> =
            difference.segments().flat_map(|segment| segment.planes()).collect();
        let n_cells = planes.len();
        let groups: Vec<Group<'_>> = planes
            .iter()
            .chain(present)
            .map(|plane| Group::Plane(plane.words()))
            .collect();
        let frames = present.iter().enumerate().map(|(i, plane)| Frame {
            count: plane.count(),
            cell: Some(n_cells + i),
            is_asked: true,
        });
        let mut guard = Guard::new(self.least(), frames.collect(), &groups, &[]);
        let mut may_be = vec![false; groups.len()];
        let mut admit = |cells: Vec<usize>| {
            for cell in guard.largest_first(cells) {
                may_be[cell] = guard.admit(cell);
            }
        };
        admit(vec![n_cells, n_cells + 1]);
        for sorts in [0..2, 2..7, 7..CHANGES] {
            admit(
                (0..n_cells).filter(|cell| sorts.contains(&(cell % CHANGES))).collect(),
            );
        }
        let told = |cell: usize| self.told(guard.count(cell), may_be[cell]);
        let segments = difference.segments().enumerate().map(|(i, segment)| {
            let first = i * CHANGES;
            PublishedChange {
                segment: segment.id().clone(),
                before: told(first),
                after: told(first + 1),
                entered: told(first + 2),
                arrived: told(first + 3),
                left: told(first + 4),
                gone: told(first + 5),
                stayed: told(first + 6),
                became_undecided: told(first + 7),
                became_decided: told(first + 8),
            }
        });
        PublishedDifference {
            segments: segments.collect(),
            before: told(n_cells),
            after: told(n_cells + 1),
        }
    }
}
