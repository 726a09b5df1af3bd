//! What was true at an instant, kept, and compared with what is true later.

mod aligned;
mod cause;
mod difference;
mod forget;
mod ids;
mod live_sticky;
mod plane;
mod preview;
mod saved;
mod stays;
mod sticky;
mod transitions;

use serde::{Deserialize, Serialize};

pub use self::difference::{
    Difference, DifferenceCount, MemberChange, SegmentDifference,
};
use self::ids::{IdList, Places};
pub use self::live_sticky::{
    LiveStickyBook, SavedStickyCustomer, StickyChange, StickyCustomer, StickyScratch,
};
pub(crate) use self::plane::Plane;
use self::plane::Truths;
pub use self::preview::{Estimate, SegmentPreview};
use self::saved::Saved;
pub use self::stays::Stays;
pub use self::sticky::{Hysteresis, StayChange, StickyBook};
pub use self::transitions::Transitions;
use super::book::RuleBook;
use super::digest::RuleDigest;
use super::limits::Limits;
use super::members::{MembershipCount, Memberships};
use super::set::RuleSet;
use crate::data::{CustomerId, Table, Timestamp};
use crate::error::Result;
use crate::segmenter::{SegmentId, SegmentIndex, Truth};

/// Who was in which segments of a book at an instant, and by which rules: what a host keeps
/// to say later who has come, who has gone, and why.
///
/// It goes through any self-describing serde format. What is read is checked: version, checksum, order of the
/// ids, and that no more is said than can be true. It takes 8 bytes for each id that is a
/// number (16 and its length for a text), two bits for each customer and segment, less where
/// few are undecided, and the definition.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema, Table};
/// use segmenta::rules::{RuleBook, Snapshot, field};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("loyal", "Loyal", field("orders").ge(3))
///     .build()?;
/// let table = |orders: [f64; 3]| {
///     let customer = |(id, x)| OwnedCustomer::new(&schema, id).set("orders", x);
///     let customers: Result<Vec<_>, _> = (7..).zip(orders).map(customer).collect();
///     Table::from_customers(&schema, customers?)
/// };
/// let monday = book.snapshot(&table([1.0, 3.0, 5.0])?)?;
/// let json = serde_json::to_string(&monday).unwrap();
///
/// let tuesday = book.snapshot(&table([4.0, 3.0, 2.0])?)?;
/// let monday: Snapshot = serde_json::from_str(&json).unwrap();
/// let difference = monday.difference(&tuesday)?;
/// let loyal = difference.segment("loyal").unwrap();
/// assert_eq!(loyal.entered().collect::<Vec<_>>(), [7.into()]);
/// assert_eq!(loyal.left().collect::<Vec<_>>(), [9.into()]);
/// assert_eq!(loyal.counts().stayed, 1);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Saved<'_>")]
pub struct Snapshot {
    instant: Option<Timestamp>,
    ids: IdList,
    /// Those of the definition, then the rest if there is one.
    segments: Vec<Taken>,
    definition: RuleSet,
    /// Those of the book, in which the definition can be compiled again.
    limits: Limits,
}

/// What is kept of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    id: SegmentId,
    digest: RuleDigest,
    members: Plane,
    undecided: Plane,
}

/// A segment of a [`Snapshot`].
#[derive(Clone, Copy, Debug)]
pub struct SegmentSnapshot<'s> {
    snapshot: &'s Snapshot,
    taken: &'s Taken,
}

impl RuleBook {
    /// Who is in which segments, to be kept.
    ///
    /// # Errors
    /// As [`memberships`](RuleBook::memberships); or when the table does not state the ids
    /// of its rows, or two of them are the same.
    pub fn snapshot(&self, table: &Table<'_>) -> Result<Snapshot> {
        Snapshot::take(self, table)
    }

    /// A snapshot, and where each row is in it.
    fn snapshot_at(&self, table: &Table<'_>) -> Result<(Snapshot, Places)> {
        let (ids, places) = IdList::of(table)?;
        let compiled = self.compiled();
        let definition = self.definition();
        let truths = self.truths(table, &places)?;
        let segments = compiled.segments.iter().zip(definition.digests()).zip(truths);
        let segments = segments.map(|((segment, digest), truths)| Taken {
            id: segment.id.clone(),
            digest,
            members: truths.members,
            undecided: truths.undecided,
        });
        let snapshot = Snapshot {
            instant: compiled.bound.as_ref().map(|bound| bound.moment.now()),
            ids,
            segments: segments.collect(),
            definition,
            limits: compiled.limits,
        };
        Ok((snapshot, places))
    }

    /// The truth about each segment by the place of the id.
    fn truths(&self, table: &Table<'_>, places: &Places) -> Result<Vec<Truths>> {
        let memberships = self.memberships(table)?;
        let segments = (0..memberships.n_segments() as u32).map(SegmentIndex::new);
        Ok(segments.map(|segment| truths(&memberships, segment, places)).collect())
    }
}

fn truths(memberships: &Memberships, segment: SegmentIndex, places: &Places) -> Truths {
    let members = Plane::collect(memberships.members(segment));
    let undecided = Plane::collect(memberships.undecided(segment));
    Truths { members, undecided }.moved(places)
}

impl Snapshot {
    /// As [`RuleBook::snapshot`].
    ///
    /// # Errors
    /// As [`RuleBook::snapshot`].
    pub fn take(book: &RuleBook, table: &Table<'_>) -> Result<Snapshot> {
        book.snapshot_at(table).map(|(snapshot, _)| snapshot)
    }

    /// The instant at which the book was asked, if it was bound to one.
    #[must_use]
    pub fn instant(&self) -> Option<Timestamp> {
        self.instant
    }

    /// The rules by which it was asked.
    #[must_use]
    pub fn definition(&self) -> &RuleSet {
        &self.definition
    }

    /// How many customers there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True when there was no customer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The customers, in the order of their ids.
    pub fn customers(&self) -> impl Iterator<Item = CustomerId<'_>> {
        self.ids.iter()
    }

    /// The segments in their order, the rest last.
    pub fn segments(&self) -> impl Iterator<Item = SegmentSnapshot<'_>> {
        self.segments.iter().map(|taken| SegmentSnapshot { snapshot: self, taken })
    }

    /// The segment of an id.
    #[must_use]
    pub fn segment(&self, id: &str) -> Option<SegmentSnapshot<'_>> {
        self.segments().find(|segment| segment.taken.id.as_str() == id)
    }
}

impl<'s> SegmentSnapshot<'s> {
    /// The segment's id.
    #[must_use]
    pub fn id(&self) -> &'s SegmentId {
        &self.taken.id
    }

    /// The digest of the definition, as [`RuleSet::digests`] gives it.
    #[must_use]
    pub fn digest(&self) -> RuleDigest {
        self.taken.digest
    }

    /// The version of the segment, if it had one. The rest has none.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        let mut segments = self.snapshot.definition.segments.iter();
        segments.find(|segment| segment.id == self.taken.id)?.version
    }

    /// How many customers were in the segment.
    #[must_use]
    pub fn count(&self) -> MembershipCount {
        let n = self.snapshot.len() as u64;
        let (members, undecided) =
            (self.taken.members.count(), self.taken.undecided.count());
        MembershipCount { members, undecided, non_members: n - members - undecided }
    }

    /// Who was in the segment, in the order of the ids.
    pub fn members(&self) -> impl Iterator<Item = CustomerId<'s>> + use<'s> {
        let ids = &self.snapshot.ids;
        self.taken.members.iter().filter_map(|place| ids.get(place))
    }

    /// Of whom it was not known, in the order of the ids.
    pub fn undecided(&self) -> impl Iterator<Item = CustomerId<'s>> + use<'s> {
        let ids = &self.snapshot.ids;
        self.taken.undecided.iter().filter_map(|place| ids.get(place))
    }

    /// Whether a customer was in the segment; nothing where there was no such customer.
    #[must_use]
    pub fn truth<'i>(&self, customer: impl Into<CustomerId<'i>>) -> Option<Truth> {
        let place = self.snapshot.ids.find(customer.into())?;
        Some(match () {
            () if self.taken.members.has(place) => Truth::True,
            () if self.taken.undecided.has(place) => Truth::Unknown,
            () => Truth::False,
        })
    }
}
