//! Who is in which segments, and since when.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

use super::ids::IdList;
use super::sticky::StayChange;
use crate::data::{CustomerId, Timestamp};
use crate::error::{Error, Result};
use crate::fnv::Fnv;
use crate::segmenter::SegmentId;

/// Who is in which segments of a [`StickyBook`](super::StickyBook), and since when: what
/// a host keeps from one update to the next.
///
/// It goes through any self-describing serde format; what is read is checked. It takes 16 bytes for each
/// membership of a customer whose id is a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Saved<'_>")]
pub struct Stays {
    /// When it was updated.
    pub(super) instant: Option<Timestamp>,
    pub(super) segments: Vec<Stay>,
}

/// The members of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stay {
    pub(super) segment: SegmentId,
    pub(super) ids: IdList,
    /// Of each of them.
    pub(super) since: Vec<Timestamp>,
}

/// The shape of [`Stays`] at rest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<'a> {
    version: u32,
    #[serde(default)]
    instant: Option<Timestamp>,
    segments: Cow<'a, [Stay]>,
    /// The checksum of all of this, as 16 hexadecimal digits.
    check: String,
}

/// In version 1 the checksum did not say whether ids are numbers or texts.
const VERSION: u32 = 2;

impl Stays {
    /// Nobody is in a segment yet.
    #[must_use]
    pub fn new() -> Stays {
        Stays::default()
    }

    /// The instant of the last update.
    #[must_use]
    pub fn instant(&self) -> Option<Timestamp> {
        self.instant
    }

    /// Who is in a segment, and since when, in the order of the ids. Nobody where there is no
    /// such segment.
    pub fn members(
        &self,
        segment: &str,
    ) -> impl Iterator<Item = (CustomerId<'_>, Timestamp)> + use<'_> {
        self.stay(segment).into_iter().flat_map(Stay::members)
    }

    /// Since when a customer is in a segment; nothing where she is not.
    #[must_use]
    pub fn since<'i>(
        &self,
        segment: &str,
        customer: impl Into<CustomerId<'i>>,
    ) -> Option<Timestamp> {
        let stay = self.stay(segment)?;
        stay.since.get(stay.ids.find(customer.into())?).copied()
    }

    /// Who is in a segment later and is not now, and who is now and is not later: by segment,
    /// those of the later state first, and by id. Customers who are not known any more have
    /// left. Who left and came back in between is not told.
    #[must_use]
    pub fn changes<'s>(&'s self, later: &'s Stays) -> Vec<StayChange<'s>> {
        let removed =
            self.segments.iter().filter(|s| later.stay_of(&s.segment).is_none());
        let segments = later.segments.iter().chain(removed).map(|stay| &stay.segment);
        let mut changes = Vec::new();
        for segment in segments {
            let [before, after] = [self, later].map(|stays| stays.stay_of(segment));
            let told = |from: Option<&'s Stay>, to: Option<&'s Stay>, is_member: bool| {
                let others = move |id: &CustomerId<'_>| {
                    from.is_none_or(|from| from.ids.find(*id).is_none())
                };
                let members = to.into_iter().flat_map(Stay::members);
                members
                    .filter(move |(id, _)| others(id))
                    .map(move |(customer, since)| StayChange {
                        segment,
                        customer,
                        since,
                        is_member,
                    })
                    .collect::<Vec<_>>()
            };
            let first = changes.len();
            changes.extend(told(before, after, true));
            changes.extend(told(after, before, false));
            changes[first..].sort_by_key(|change| change.customer);
        }
        changes
    }

    fn stay(&self, segment: &str) -> Option<&Stay> {
        self.segments.iter().find(|stay| stay.segment.as_str() == segment)
    }

    pub(super) fn stay_of(&self, segment: &SegmentId) -> Option<&Stay> {
        self.stay(segment.as_str())
    }
}

impl Stay {
    pub(super) fn members(&self) -> impl Iterator<Item = (CustomerId<'_>, Timestamp)> {
        self.ids.iter().zip(self.since.iter().copied())
    }
}

impl Serialize for Stays {
    fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        let segments = Cow::Borrowed(&self.segments[..]);
        let check = String::new();
        let mut saved =
            Saved { version: VERSION, instant: self.instant, segments, check };
        saved.check = saved.checksum();
        saved.serialize(serializer)
    }
}

impl TryFrom<Saved<'_>> for Stays {
    type Error = Error;

    fn try_from(saved: Saved<'_>) -> Result<Stays> {
        let fault = |reason: &'static str| Error::corrupt("segmenta.stays", reason);
        if !(1..=VERSION).contains(&saved.version) {
            return Err(fault("it is of a version that is not known here"));
        }
        if saved.check != saved.checksum() {
            return Err(fault("it was altered: its checksum is another"));
        }
        let mut segments: Vec<_> = saved.segments.iter().map(|s| &s.segment).collect();
        segments.sort_unstable();
        if !segments.is_sorted_by(|a, b| a < b) {
            return Err(fault("two segments have the same id"));
        }
        let mut others: Option<&IdList> = None;
        for Stay { ids, since, .. } in saved.segments.iter() {
            if !ids.is_valid() {
                return Err(fault("the ids of a segment do not ascend"));
            }
            if ids.len() != since.len() {
                return Err(fault("there is not one instant for each member"));
            }
            if since.iter().any(|&since| Some(since) > saved.instant) {
                return Err(fault("a member has come after the last update"));
            }
            if ids.len() > 0 {
                let first = others.get_or_insert(ids);
                if first.check_like(ids).is_err() {
                    return Err(fault("some ids are numbers and some are texts"));
                }
            }
        }
        Ok(Stays { instant: saved.instant, segments: saved.segments.into_owned() })
    }
}

impl Saved<'_> {
    fn checksum(&self) -> String {
        let mut hash = Fnv::new();
        hash.feed(&self.version.to_le_bytes());
        hash.byte(u8::from(self.instant.is_some()));
        let mut instant = |at: Timestamp| hash.feed(&at.as_millis().to_le_bytes());
        self.instant.iter().for_each(|&at| instant(at));
        for Stay { segment, ids, since } in self.segments.iter() {
            hash.feed(&(segment.as_str().len() as u64).to_le_bytes());
            hash.feed(segment.as_str().as_bytes());
            ids.hash(&mut hash, self.version > 1);
            hash.feed(&(since.len() as u64).to_le_bytes());
            since.iter().for_each(|at| hash.feed(&at.as_millis().to_le_bytes()));
        }
        format!("{:016x}", hash.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(segment: &str, ids: &[u64], since: &[i64]) -> Stay {
        Stay {
            segment: segment.into(),
            ids: IdList::Numbers(ids.to_vec()),
            since: since.iter().map(|&at| Timestamp::from_millis(at)).collect(),
        }
    }

    /// What a forger would write, with a checksum that is right.
    fn read(
        instant: Option<i64>,
        segments: Vec<Stay>,
    ) -> std::result::Result<(), String> {
        let instant = instant.map(Timestamp::from_millis);
        let json = serde_json::to_string(&Stays { instant, segments }).unwrap();
        serde_json::from_str::<Stays>(&json).map(|_| ()).map_err(|e| e.to_string())
    }

    #[test]
    fn what_was_forged_is_refused() {
        let good = || stay("a", &[1, 2], &[3, 4]);
        assert_eq!(read(Some(4), vec![good(), stay("b", &[], &[])]), Ok(()));
        let texts = IdList::Texts(vec!["x".into()]);
        let texts = Stay { ids: texts, ..stay("b", &[], &[3]) };
        for (instant, segments, reason) in [
            (Some(3), vec![good()], "after the last update"),
            (None, vec![good()], "after the last update"),
            (Some(4), vec![good(), good()], "two segments have the same id"),
            (Some(4), vec![stay("a", &[2, 1], &[3, 4])], "do not ascend"),
            (Some(4), vec![stay("a", &[1, 1], &[3, 4])], "do not ascend"),
            (Some(4), vec![stay("a", &[1, 2], &[3])], "one instant for each"),
            (Some(4), vec![good(), texts], "some are texts"),
        ] {
            let error = read(instant, segments).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
