//! Segments that are not left at once, of one customer as events arrive.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sticky::{Leaves, StickyBook};
use crate::data::{CustomerId, FeatureIndex, StreamIndex, Timestamp, Value};
use crate::error::{Error, Result};
use crate::fnv::Fnv;
use crate::rules::live::{
    Cause, LiveBook, LiveChange, LiveConfig, LiveCustomer, LiveScratch, SavedCustomer,
};
use crate::segmenter::{Segment, SegmentId, SegmentIndex, Truth};

/// A [`StickyBook`] for one customer at a time, as events and attributes arrive: a
/// [`LiveBook`] that knows in which segments she has stayed.
///
/// # Who is in
/// As a [`StickyBook`] says that is asked at every step of time, and once more with all that
/// is heard: it does not matter how often the host calls [`advance`](LiveStickyBook::advance),
/// who is in is the same. So a customer may leave in the night and come back with an order of
/// the next morning, and both is told. News that come late are news of now: what they would
/// have changed then is not made up for.
///
/// All else is as with a [`LiveBook`]. What two parts know of one customer cannot be merged,
/// since neither knows what both would have seen together.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Span, StreamSpec, Timestamp};
/// use segmenta::rules::{Hysteresis, LiveConfig, RuleBook, StickyBook, StickyScratch};
///
/// let schema = Schema::builder().stream(StreamSpec::new("order", [])).build()?;
/// let book = RuleBook::builder(&schema)
///     .segment("vip", "Very important", "events(order).count in last 30d >= 2".parse()?)
///     .build()?;
/// let sticky = StickyBook::new(&book, [Hysteresis::new("vip").minimum_stay(Span::days(90))])?;
/// let live = sticky.live(&LiveConfig::new())?;
/// let mut scratch = StickyScratch::new();
///
/// let day = |n: i64| Timestamp::from_millis(n * 86_400_000);
/// let order = schema.require_stream("order")?;
/// let mut ann = live.customer(day(0))?;
/// live.event(&mut ann, order, day(1), &[], &mut scratch)?;
/// let changes = live.event(&mut ann, order, day(2), &[], &mut scratch)?;
/// assert!(changes[0].is_member);
///
/// // Without orders since, but not 90 days in the segment.
/// assert!(live.advance(&mut ann, day(80), &mut scratch)?.is_empty());
/// assert_eq!(live.due(&ann)?, Some(day(92)));
/// let changes = live.advance(&mut ann, day(200), &mut scratch)?;
/// assert_eq!((changes[0].is_member, changes[0].at), (false, day(92)));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LiveStickyBook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    live: LiveBook,
    /// Those that have a rule, and the rest if there is one.
    segments: Vec<Segment>,
    /// What each rule of the live book is.
    roles: Vec<Role>,
    sticky: Vec<Sticky>,
    has_rest: bool,
    fingerprint: u64,
}

#[derive(Clone, Copy, Debug)]
enum Role {
    /// The rule of the segment at this place, which is left when it is not True.
    Plain,
    /// The rule of a segment that is left otherwise.
    Own(usize),
    /// The rule by which one is left.
    Leave(usize),
}

/// A segment that is left otherwise.
#[derive(Debug)]
struct Sticky {
    segment: SegmentIndex,
    /// Whether there is a rule by which it is left.
    has_leave: bool,
    minimum_stay: u64,
}

/// What is kept of one customer by a [`LiveStickyBook`].
#[derive(Clone, Debug, PartialEq)]
pub struct StickyCustomer {
    book: u64,
    live: LiveCustomer,
    stays: Box<[LiveStay]>,
    /// In how many segments she is, without the rest.
    n_members: u32,
}

/// Of a segment that is left otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LiveStay {
    own: Truth,
    leave: Truth,
    since: Option<Timestamp>,
}

/// A [`StickyCustomer`] at rest, for any format that serde knows.
/// [`LiveStickyBook::load`] reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedStickyCustomer {
    customer: SavedCustomer,
    /// Since when she is in segments that are left otherwise than by their rule.
    since: Vec<(SegmentId, Timestamp)>,
    /// The checksum of those.
    check: u64,
}

/// A customer has entered or left a segment of a [`LiveStickyBook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StickyChange {
    /// The segment, among [`LiveStickyBook::segments`].
    pub segment: SegmentIndex,
    /// Whether she is in it now.
    pub is_member: bool,
    /// When: the start of the step.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
}

/// Working memory of a [`LiveStickyBook`]: one for each thread, for any customers.
#[derive(Clone, Debug, Default)]
pub struct StickyScratch {
    live: LiveScratch,
    changes: Vec<StickyChange>,
}

impl StickyScratch {
    /// Without anything yet.
    #[must_use]
    pub fn new() -> StickyScratch {
        StickyScratch::default()
    }
}

impl StickyBook {
    /// The book for one customer at a time, as events arrive.
    ///
    /// # Errors
    /// As [`RuleBook::live`](crate::rules::RuleBook::live).
    pub fn live(&self, config: &LiveConfig) -> Result<LiveStickyBook> {
        let live = self.book.live(config)?;
        // Each rule is that of a segment or one by which some are left.
        let mut roles = vec![Role::Plain; live.segments().len()];
        let mut sticky = Vec::new();
        let mut hash = Fnv::new();
        for (at, segment) in self.segments.iter().enumerate() {
            hash.feed(segment.id.as_str().as_bytes());
            hash.feed(&[0xff, u8::from(segment.leaves != Leaves::NotTrue)]);
            if segment.leaves == Leaves::NotTrue {
                continue;
            }
            roles[at] = Role::Own(sticky.len());
            let leave = match segment.leaves {
                Leaves::By(rule) => Some(rule),
                _ => None,
            };
            if let Some(rule) = leave {
                roles[rule] = Role::Leave(sticky.len());
            }
            let minimum_stay = segment.minimum_stay.as_millis();
            hash.feed(&[u8::from(leave.is_some())]);
            hash.feed(&minimum_stay.to_le_bytes());
            let segment = SegmentIndex::new(at as u32);
            sticky.push(Sticky { segment, has_leave: leave.is_some(), minimum_stay });
        }
        hash.byte(u8::from(self.rest.is_some()));
        let mut segments = live.segments()[..self.segments.len()].to_vec();
        segments.extend(self.rest.clone());
        Ok(LiveStickyBook(Arc::new(Inner {
            live,
            segments,
            roles,
            sticky,
            has_rest: self.rest.is_some(),
            fingerprint: hash.finish(),
        })))
    }
}

impl LiveStickyBook {
    /// The segments, in the order of the book; the rest, if there is one, is last.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0.segments
    }

    /// The book that is asked, in which the rules by which segments are left are segments,
    /// too: for [`explain`](LiveBook::explain) and the like of
    /// [`StickyCustomer::live`].
    #[must_use]
    pub fn book(&self) -> &LiveBook {
        &self.0.live
    }

    /// A customer of whom nothing is known. She is in the segments of such customers since
    /// now.
    ///
    /// # Errors
    /// Never for an instant of the calendar.
    pub fn customer(&self, now: Timestamp) -> Result<StickyCustomer> {
        self.settle(self.0.live.customer(now), |_| None)
    }

    /// Puts a customer together who has been in some segments for a while.
    fn settle(
        &self,
        live: LiveCustomer,
        since: impl Fn(&SegmentId) -> Option<Timestamp>,
    ) -> Result<StickyCustomer> {
        let Inner { roles, segments, sticky, fingerprint, .. } = &*self.0;
        let mut scratch = StickyScratch::new();
        let truths = self.0.live.membership(&live, &mut scratch.live)?;
        let stay = |sticky: &Sticky| LiveStay {
            own: Truth::Unknown,
            leave: Truth::Unknown,
            since: since(&segments[sticky.segment.get()].id),
        };
        let mut stays: Box<[LiveStay]> = sticky.iter().map(stay).collect();
        let mut n_members = stays.iter().filter(|stay| stay.since.is_some()).count();
        for (role, truth) in roles.iter().zip(truths) {
            match *role {
                Role::Plain => n_members += usize::from(truth.is_true()),
                Role::Own(at) => stays[at].own = truth,
                Role::Leave(at) => stays[at].leave = truth,
            }
        }
        let n_members = n_members as u32;
        let mut customer = StickyCustomer { book: *fingerprint, live, stays, n_members };
        self.apply(&mut customer, &mut scratch, true)?;
        Ok(customer)
    }

    /// Who she is to the book that is asked.
    fn check(&self, customer: &StickyCustomer) -> Result<()> {
        if customer.book == self.0.fingerprint {
            Ok(())
        } else {
            Err(Error::undefined("the customer", "she belongs to another book"))
        }
    }

    /// The start of the step at which the customer's clock stands.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn clock(&self, customer: &StickyCustomer) -> Result<Timestamp> {
        self.check(customer)?;
        self.0.live.clock(&customer.live)
    }

    /// Nothing changes before this instant if nothing is heard until then; never, if there is
    /// none.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn due(&self, customer: &StickyCustomer) -> Result<Option<Timestamp>> {
        self.check(customer)?;
        let Inner { live, sticky, .. } = &*self.0;
        let clock = live.clock(&customer.live)?;
        let waits = |(sticky, stay): (&Sticky, &LiveStay)| {
            let since = stay.since.filter(|_| stay.wants_out(sticky))?;
            live.first_step_from(sticky.until(since)?).filter(|&at| at > clock)
        };
        let least = sticky.iter().zip(&customer.stays).filter_map(waits).min();
        Ok(live.due(&customer.live)?.into_iter().chain(least).min())
    }

    /// Moves the customer's clock on, and tells what time has changed, in its order. An
    /// instant that has passed changes nothing.
    ///
    /// # Errors
    /// As [`LiveBook::advance`]; then nothing has changed.
    pub fn advance<'s>(
        &self,
        customer: &mut StickyCustomer,
        now: Timestamp,
        scratch: &'s mut StickyScratch,
    ) -> Result<&'s [StickyChange]> {
        self.check(customer)?;
        scratch.changes.clear();
        self.0.live.tick(now, "now")?;
        self.pass(customer, now, scratch)?;
        self.0.live.advance(&mut customer.live, now, &mut scratch.live)?;
        self.apply(customer, scratch, false)?;
        Ok(&scratch.changes)
    }

    /// Takes in an event, and tells what has changed, first by the time until it, then by it.
    ///
    /// # Errors
    /// As [`LiveBook::event`]; then nothing has changed.
    pub fn event<'s>(
        &self,
        customer: &mut StickyCustomer,
        stream: StreamIndex,
        time: Timestamp,
        values: &[Value<'_>],
        scratch: &'s mut StickyScratch,
    ) -> Result<&'s [StickyChange]> {
        self.check(customer)?;
        scratch.changes.clear();
        let live = &self.0.live;
        live.check_event(&customer.live, stream, time, values, &mut scratch.live)?;
        self.pass(customer, time, scratch)?;
        live.event(&mut customer.live, stream, time, values, &mut scratch.live)?;
        self.apply(customer, scratch, false)?;
        Ok(&scratch.changes)
    }

    /// Takes in the value of an attribute, and tells what has changed.
    ///
    /// # Errors
    /// As [`LiveBook::set`]; then nothing has changed.
    pub fn set<'s>(
        &self,
        customer: &mut StickyCustomer,
        feature: FeatureIndex,
        value: Value<'_>,
        scratch: &'s mut StickyScratch,
    ) -> Result<&'s [StickyChange]> {
        self.check(customer)?;
        scratch.changes.clear();
        self.0.live.set(&mut customer.live, feature, value, &mut scratch.live)?;
        self.apply(customer, scratch, false)?;
        Ok(&scratch.changes)
    }

    /// Says who the customer is, and tells what has changed, see [`LiveBook::identify`].
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn identify<'s, 'i>(
        &self,
        customer: &mut StickyCustomer,
        id: impl Into<CustomerId<'i>>,
        scratch: &'s mut StickyScratch,
    ) -> Result<&'s [StickyChange]> {
        self.check(customer)?;
        scratch.changes.clear();
        self.0.live.identify(&mut customer.live, id, &mut scratch.live)?;
        self.apply(customer, scratch, false)?;
        Ok(&scratch.changes)
    }

    /// In which of the [`segments`](LiveStickyBook::segments) the customer is.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn membership(
        &self,
        customer: &StickyCustomer,
        scratch: &mut StickyScratch,
    ) -> Result<Vec<bool>> {
        self.check(customer)?;
        let Inner { live, segments, roles, has_rest, .. } = &*self.0;
        let truths = live.membership(&customer.live, &mut scratch.live)?;
        let is_in = |(role, truth): (&Role, &Truth)| match *role {
            Role::Own(at) => customer.stays[at].since.is_some(),
            Role::Plain | Role::Leave(_) => truth.is_true(),
        };
        let n = segments.len() - usize::from(*has_rest);
        let mut found: Vec<bool> = roles.iter().zip(&truths).take(n).map(is_in).collect();
        found.extend(has_rest.then_some(customer.n_members == 0));
        Ok(found)
    }

    /// Since when the customer is in a segment with a [`Hysteresis`](super::Hysteresis):
    /// the start of the step; nothing where she is not, and for other segments.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn since(
        &self,
        customer: &StickyCustomer,
        segment: SegmentIndex,
    ) -> Result<Option<Timestamp>> {
        self.check(customer)?;
        let mut stays = self.0.sticky.iter().zip(&customer.stays);
        let stay = stays.find(|(sticky, _)| sticky.segment == segment);
        Ok(stay.and_then(|(_, stay)| stay.since))
    }

    /// The customer, ready to be written.
    ///
    /// # Errors
    /// When the customer is of another book.
    pub fn save(&self, customer: &StickyCustomer) -> Result<SavedStickyCustomer> {
        self.check(customer)?;
        let Inner { live, segments, sticky, .. } = &*self.0;
        let since = |(sticky, stay): (&Sticky, &LiveStay)| {
            Some((segments[sticky.segment.get()].id.clone(), stay.since?))
        };
        let since = sticky.iter().zip(&customer.stays).filter_map(since).collect();
        let customer = live.save(&customer.live)?;
        let mut saved = SavedStickyCustomer { customer, since, check: 0 };
        saved.check = saved.checksum();
        Ok(saved)
    }

    /// A customer that was saved, by this book or by one whose rules ask for the same, see
    /// [`LiveBook::load`]. Where segments or their hystereses were edited, she has entered and
    /// left at her clock's instant as they say now; she has left those that are no
    /// more.
    ///
    /// # Errors
    /// When the customer belongs to another book, or was altered.
    pub fn load(&self, saved: &SavedStickyCustomer) -> Result<StickyCustomer> {
        let fault =
            |reason: &'static str| Error::corrupt("segmenta.sticky_customer", reason);
        let live = self.0.live.load(&saved.customer)?;
        if saved.check != saved.checksum() {
            return Err(fault("it was altered: its checksum is another"));
        }
        let clock = self.0.live.clock(&live)?;
        if saved.since.iter().any(|&(_, since)| since > clock) {
            return Err(fault("a stay begins after all that was heard"));
        }
        let mut ids: Vec<&SegmentId> = saved.since.iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        if !ids.is_sorted_by(|a, b| a < b) {
            return Err(fault("two stays are of one segment"));
        }
        self.settle(live, |segment| {
            let stay = saved.since.iter().find(|(id, _)| id == segment);
            stay.map(|&(_, since)| since)
        })
    }

    /// Lets time pass up to an instant, as far as it changes something.
    fn pass(
        &self,
        customer: &mut StickyCustomer,
        until: Timestamp,
        scratch: &mut StickyScratch,
    ) -> Result<()> {
        while let Some(due) = self.due(customer)?.filter(|&due| due <= until) {
            self.0.live.advance(&mut customer.live, due, &mut scratch.live)?;
            self.apply(customer, scratch, true)?;
        }
        Ok(())
    }

    /// Draws the conclusions from what has changed in the book that is asked. If `all`, also
    /// from time that has passed.
    fn apply(
        &self,
        customer: &mut StickyCustomer,
        scratch: &mut StickyScratch,
        all: bool,
    ) -> Result<()> {
        let Inner { live, roles, sticky, .. } = &*self.0;
        let changed = scratch.live.changes();
        if changed.is_empty() && !all {
            return Ok(());
        }
        let at = live.clock(&customer.live)?;
        let StickyCustomer { stays, n_members, .. } = customer;
        let (before, changes) = (*n_members, &mut scratch.changes);
        let mut tell = |segment, is_member: bool, cause| {
            if is_member {
                *n_members += 1;
            } else {
                *n_members -= 1;
            }
            changes.push(StickyChange { segment, is_member, at, cause });
        };
        for &LiveChange { segment, from, to, cause } in changed {
            match roles[segment.get()] {
                Role::Plain if from.is_true() != to.is_true() => {
                    tell(segment, to.is_true(), cause);
                }
                Role::Plain => {}
                Role::Own(place) => stays[place].own = to,
                Role::Leave(place) => stays[place].leave = to,
            }
        }
        let causes = changed.first().map_or(Cause::Time, |change| change.cause);
        for (sticky, stay) in sticky.iter().zip(stays.iter_mut()) {
            match stay.since {
                None if stay.wants_in(sticky) => {
                    stay.since = Some(at);
                    tell(sticky.segment, true, causes);
                }
                Some(since)
                    if stay.wants_out(sticky)
                        && sticky.until(since).is_some_and(|until| until <= at) =>
                {
                    stay.since = None;
                    tell(sticky.segment, false, causes);
                }
                _ => {}
            }
        }
        let after = *n_members;
        if self.0.has_rest && (before == 0) != (after == 0) {
            let segment = SegmentIndex::new(self.0.segments.len() as u32 - 1);
            let cause = changes.last().map_or(causes, |change| change.cause);
            changes.push(StickyChange { segment, is_member: after == 0, at, cause });
        }
        Ok(())
    }
}

impl Sticky {
    /// Until when one stays at least who came at an instant.
    fn until(&self, since: Timestamp) -> Option<Timestamp> {
        let until = since.as_millis().checked_add_unsigned(self.minimum_stay)?;
        Some(Timestamp::from_millis(until))
    }
}

impl LiveStay {
    fn wants_in(&self, sticky: &Sticky) -> bool {
        self.own.is_true() && !(sticky.has_leave && self.leave.is_true())
    }

    fn wants_out(&self, sticky: &Sticky) -> bool {
        if sticky.has_leave { self.leave.is_true() } else { self.own == Truth::False }
    }
}

impl StickyCustomer {
    /// The customer as [`LiveStickyBook::book`] knows her.
    #[must_use]
    pub fn live(&self) -> &LiveCustomer {
        &self.live
    }

    /// How many bytes this takes, see [`LiveCustomer::size`].
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<StickyCustomer>() - size_of::<LiveCustomer>()
            + self.live.size()
            + size_of_val(&*self.stays)
    }
}

impl SavedStickyCustomer {
    fn checksum(&self) -> u64 {
        let mut hash = Fnv::new();
        // Stays of one customer are not those of another.
        hash.feed(&self.customer.check().to_le_bytes());
        for (segment, since) in &self.since {
            hash.feed(&(segment.as_str().len() as u64).to_le_bytes());
            hash.feed(segment.as_str().as_bytes());
            hash.feed(&since.as_millis().to_le_bytes());
        }
        hash.finish()
    }
}
