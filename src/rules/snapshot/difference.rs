//! Who has come, and who has gone.

use serde::{Deserialize, Serialize};

use super::ids::{IdList, Places, Union};
use super::plane::{Plane, Truths};
use super::{Snapshot, Taken};
use crate::data::{CustomerId, Timestamp};
use crate::error::Result;
use crate::rules::digest::RuleDigest;
use crate::rules::live::Cause;
use crate::segmenter::{SegmentId, Truth};

/// What is other in a later [`Snapshot`], segment by segment.
///
/// Segments are the same if their ids are. Customers are, too: those who are in one snapshot
/// only have arrived or are gone, and have not entered or left a segment. It takes up to four
/// bits for each customer and segment.
///
/// ```
/// use segmenta::data::{FeatureSpec, Ids, Schema, Table};
/// use segmenta::rules::{RuleBook, field};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("loyal", "Loyal", field("orders").ge(3))
///     .build()?;
/// let snapshot = |ids: &[u64], orders: &[f64]| {
///     let table = Table::builder(&schema, ids.len())
///         .numbers("orders", orders)
///         .ids(Ids::Numbers(ids.into()))
///         .build()?;
///     book.snapshot(&table)
/// };
/// let before = snapshot(&[1, 2, 3], &[5.0, 5.0, 0.0])?;
/// let after = snapshot(&[2, 3, 4], &[0.0, 3.0, 9.0])?;
///
/// let difference = before.difference(&after)?;
/// let loyal = difference.segment("loyal").unwrap().counts();
/// assert_eq!((loyal.entered, loyal.arrived, loyal.left, loyal.gone), (1, 1, 1, 1));
/// assert_eq!((loyal.before, loyal.after, loyal.net()), (2, 2, 0));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    instants: [Option<Timestamp>; 2],
    /// All who are in one of the two snapshots.
    pub(super) ids: IdList,
    /// Where those of the later snapshot are among them.
    pub(super) places: Places,
    /// Who was there, and who is.
    pub(super) present: [Plane; 2],
    pub(super) segments: Vec<Matched>,
    added: Vec<SegmentId>,
    removed: Vec<SegmentId>,
}

/// A segment of both snapshots.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matched {
    id: SegmentId,
    /// Its position in the earlier snapshot.
    pub(super) earlier: usize,
    digests: [RuleDigest; 2],
    pub(super) before: Truths,
    pub(super) after: Truths,
    pub(super) causes: Option<Causes>,
}

/// Whose membership changed why, of those who were there before and are now; of all others
/// of these whose membership did, the data are the cause.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Causes {
    pub(super) time: Plane,
    pub(super) definition: Plane,
}

impl Snapshot {
    /// What is other in a later snapshot. The causes are not known from snapshots alone; see
    /// [`RuleBook::explain_difference`](crate::rules::RuleBook::explain_difference).
    ///
    /// # Errors
    /// When customers have numbers in one snapshot, and texts in the other.
    pub fn difference(&self, later: &Snapshot) -> Result<Difference> {
        let Union { ids, places } = self.ids.union(&later.ids)?;
        let of = |snapshot: &Snapshot, at: usize| {
            let Taken { members, undecided, .. } = &snapshot.segments[at];
            Truths { members: members.clone(), undecided: undecided.clone() }
        };
        let mut segments = Vec::new();
        let mut added = Vec::new();
        for (i, taken) in later.segments.iter().enumerate() {
            match self.segments.iter().position(|other| other.id == taken.id) {
                None => added.push(taken.id.clone()),
                Some(at) => segments.push(Matched {
                    id: taken.id.clone(),
                    earlier: at,
                    digests: [self.segments[at].digest, taken.digest],
                    before: of(self, at).moved(&places[0]),
                    after: of(later, i).moved(&places[1]),
                    causes: None,
                }),
            }
        }
        let is_gone = |taken: &&Taken| !later.segments.iter().any(|s| s.id == taken.id);
        let removed = self.segments.iter().filter(is_gone);
        let [before, after] = places;
        Ok(Difference {
            instants: [self.instant, later.instant],
            ids,
            present: [
                Plane::all(self.len()).moved(&before),
                Plane::all(later.len()).moved(&after),
            ],
            places: after,
            segments,
            added,
            removed: removed.map(|taken| taken.id.clone()).collect(),
        })
    }
}

impl Difference {
    /// The instants of the two snapshots, as far as they were bound to one.
    #[must_use]
    pub fn instants(&self) -> [Option<Timestamp>; 2] {
        self.instants
    }

    /// The segments that both snapshots have, in the order of the later.
    pub fn segments(&self) -> impl Iterator<Item = SegmentDifference<'_>> {
        self.segments
            .iter()
            .map(|matched| SegmentDifference { difference: self, matched })
    }

    /// The segment of an id, if both snapshots have it.
    #[must_use]
    pub fn segment(&self, id: &str) -> Option<SegmentDifference<'_>> {
        self.segments().find(|segment| segment.matched.id.as_str() == id)
    }

    /// Segments that only the later snapshot has. Nobody has entered or left them.
    #[must_use]
    pub fn added(&self) -> &[SegmentId] {
        &self.added
    }

    /// Segments that only the earlier snapshot has.
    #[must_use]
    pub fn removed(&self) -> &[SegmentId] {
        &self.removed
    }

    /// Customers whom only the later snapshot has.
    pub fn arrived(&self) -> impl Iterator<Item = CustomerId<'_>> {
        self.named(self.present[1].and_not(&self.present[0]))
    }

    /// Customers whom only the earlier snapshot has.
    pub fn gone(&self) -> impl Iterator<Item = CustomerId<'_>> {
        self.named(self.present[0].and_not(&self.present[1]))
    }

    fn named(&self, plane: Plane) -> impl Iterator<Item = CustomerId<'_>> + use<'_> {
        let places: Vec<usize> = plane.iter().collect();
        places.into_iter().filter_map(|place| self.ids.get(place))
    }
}

/// What is other in a segment, as [`Difference`] tells it.
#[derive(Clone, Copy, Debug)]
pub struct SegmentDifference<'d> {
    difference: &'d Difference,
    pub(super) matched: &'d Matched,
}

/// A customer whose membership of a segment is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberChange<'d> {
    /// The customer.
    pub customer: CustomerId<'d>,
    /// Whether she was in the segment; nothing where she was not known.
    pub from: Option<Truth>,
    /// Whether she is in the segment; nothing where she is not known any more.
    pub to: Option<Truth>,
    /// Why, if that is known.
    pub cause: Option<Cause>,
}

/// How many customers came and went.
///
/// `before + entered + arrived - left - gone == after`, and
/// `stayed + left + gone == before`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DifferenceCount {
    /// Members before.
    pub before: u64,
    /// Members after.
    pub after: u64,
    /// Members who were known before, and were none.
    pub entered: u64,
    /// Members who were not known before.
    pub arrived: u64,
    /// Members before who are known, and are none any more.
    pub left: u64,
    /// Members before who are not known any more.
    pub gone: u64,
    /// Members before and after.
    pub stayed: u64,
    /// Those known before and after of whom it has become open.
    pub became_undecided: u64,
    /// Those known before and after of whom it is open no more.
    pub became_decided: u64,
}

impl DifferenceCount {
    /// Members after, less those before.
    #[must_use]
    pub fn net(&self) -> i64 {
        self.after.wrapping_sub(self.before) as i64
    }
}

impl<'d> SegmentDifference<'d> {
    /// The segment's id.
    #[must_use]
    pub fn id(&self) -> &'d SegmentId {
        &self.matched.id
    }

    /// Whether its definition, or one to which it refers, is another.
    #[must_use]
    pub fn is_redefined(&self) -> bool {
        self.matched.digests[0] != self.matched.digests[1]
    }

    /// How many came and went.
    #[must_use]
    pub fn counts(&self) -> DifferenceCount {
        let Matched { before, after, .. } = self.matched;
        DifferenceCount {
            before: before.members.count(),
            after: after.members.count(),
            entered: self.plane_entered().count(),
            arrived: self.plane_arrived().count(),
            left: self.plane_left().count(),
            gone: self.plane_gone().count(),
            stayed: before.members.and(&after.members).count(),
            became_undecided: self.plane_undecided().count(),
            became_decided: self.plane_decided().count(),
        }
    }

    /// Members who were known before, and were none, in the order of the ids.
    pub fn entered(&self) -> impl Iterator<Item = CustomerId<'d>> + use<'d> {
        self.difference.named(self.plane_entered())
    }

    /// Members before who are known, and are none any more.
    pub fn left(&self) -> impl Iterator<Item = CustomerId<'d>> + use<'d> {
        self.difference.named(self.plane_left())
    }

    /// Members before and after.
    pub fn stayed(&self) -> impl Iterator<Item = CustomerId<'d>> + use<'d> {
        let Matched { before, after, .. } = self.matched;
        self.difference.named(before.members.and(&after.members))
    }

    /// Members who were not known before.
    pub fn arrived(&self) -> impl Iterator<Item = CustomerId<'d>> + use<'d> {
        self.difference.named(self.plane_arrived())
    }

    /// Members before who are not known any more.
    pub fn gone(&self) -> impl Iterator<Item = CustomerId<'d>> + use<'d> {
        self.difference.named(self.plane_gone())
    }

    /// Those known before and after of whom it has become open; some may have left, too.
    pub fn became_undecided(&self) -> impl Iterator<Item = CustomerId<'d>> + use<'d> {
        self.difference.named(self.plane_undecided())
    }

    /// Those known before and after of whom it is open no more; some may have entered, too.
    pub fn became_decided(&self) -> impl Iterator<Item = CustomerId<'d>> + use<'d> {
        self.difference.named(self.plane_decided())
    }

    /// All whose membership is another, with the cause, in the order of the ids. Of those
    /// who have arrived or are gone, members and undecided are told.
    pub fn changes(&self) -> impl Iterator<Item = MemberChange<'d>> + use<'d> {
        let (difference, matched) = (self.difference, self.matched);
        let places: Vec<usize> = self.plane_changed().iter().collect();
        places.into_iter().filter_map(move |place| {
            let truth = |present: &Plane, truths: &Truths| {
                present.has(place).then(|| truths.truth(place))
            };
            let [before, after] = &difference.present;
            let from = truth(before, &matched.before);
            let to = truth(after, &matched.after);
            let cause = match (from, to, &matched.causes) {
                (None, _, _) => Some(Cause::Arrival),
                (_, None, _) => Some(Cause::Departure),
                (_, _, None) => None,
                (_, _, Some(causes)) => Some(match () {
                    () if causes.time.has(place) => Cause::Time,
                    () if causes.definition.has(place) => Cause::Definition,
                    () => Cause::Data,
                }),
            };
            let customer = difference.ids.get(place)?;
            Some(MemberChange { customer, from, to, cause })
        })
    }

    fn plane_changed(&self) -> Plane {
        self.matched.before.differing(&self.matched.after)
    }

    pub(super) fn plane_entered(&self) -> Plane {
        let Matched { before, after, .. } = self.matched;
        after.members.and_not(&before.members).and(&self.difference.present[0])
    }

    pub(super) fn plane_arrived(&self) -> Plane {
        self.matched.after.members.and_not(&self.difference.present[0])
    }

    pub(super) fn plane_left(&self) -> Plane {
        let Matched { before, after, .. } = self.matched;
        before.members.and_not(&after.members).and(&self.difference.present[1])
    }

    pub(super) fn plane_gone(&self) -> Plane {
        self.matched.before.members.and_not(&self.difference.present[1])
    }

    pub(super) fn plane_undecided(&self) -> Plane {
        let Matched { before, after, .. } = self.matched;
        let became = after.undecided.and_not(&before.undecided);
        became.and(&self.difference.present[0])
    }

    pub(super) fn plane_decided(&self) -> Plane {
        let Matched { before, after, .. } = self.matched;
        let became = before.undecided.and_not(&after.undecided);
        became.and(&self.difference.present[1])
    }
}
