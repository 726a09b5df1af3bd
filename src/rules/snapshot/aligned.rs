//! Snapshots over the same customers.

use super::difference::Difference;
use super::ids::IdList;
use super::plane::{Plane, Truths};
use super::{SegmentDifference, Snapshot};
use crate::error::Result;
use crate::segmenter::SegmentId;

/// Who was there, and in which segments.
#[derive(Debug)]
pub(crate) struct AlignedSnapshot {
    pub(crate) present: Plane,
    pub(crate) segments: Vec<AlignedSegment>,
}

/// Who of those who were there was in a segment, of whom it was not known, and who was not.
#[derive(Debug)]
pub(crate) struct AlignedSegment {
    pub(crate) id: SegmentId,
    pub(crate) planes: [Plane; 3],
}

impl Snapshot {
    /// Snapshots over all customers whom one of them knows, a place each.
    ///
    /// # Errors
    /// When customers have numbers in one of them and texts in another.
    pub(crate) fn align(snapshots: &[&Snapshot]) -> Result<Vec<AlignedSnapshot>> {
        let mut all = IdList::Numbers(Vec::new());
        for snapshot in snapshots {
            all = all.union(&snapshot.ids)?.ids;
        }
        let aligned = snapshots.iter().map(|snapshot| {
            let [_, places] = all.union(&snapshot.ids)?.places;
            let present = Plane::all(snapshot.len()).moved(&places);
            let segments = snapshot.segments.iter().map(|taken| {
                let truths = Truths {
                    members: taken.members.clone(),
                    undecided: taken.undecided.clone(),
                };
                let Truths { members, undecided } = truths.moved(&places);
                let others = present.and_not(&members).and_not(&undecided);
                AlignedSegment {
                    id: taken.id.clone(),
                    planes: [members, undecided, others],
                }
            });
            let segments = segments.collect();
            Ok(AlignedSnapshot { present, segments })
        });
        aligned.collect()
    }
}

impl Difference {
    /// Who was there, and who is.
    pub(crate) fn presence(&self) -> &[Plane; 2] {
        &self.present
    }
}

impl SegmentDifference<'_> {
    /// The groups that [`counts`](SegmentDifference::counts) counts, in its order.
    pub(crate) fn planes(&self) -> [Plane; 9] {
        let (before, after) = (&self.matched.before.members, &self.matched.after.members);
        [
            before.clone(),
            after.clone(),
            self.plane_entered(),
            self.plane_arrived(),
            self.plane_left(),
            self.plane_gone(),
            before.and(after),
            self.plane_undecided(),
            self.plane_decided(),
        ]
    }
}
