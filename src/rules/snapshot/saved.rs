//! Snapshots at rest.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Document;

use super::{IdList, Snapshot, Taken};
use crate::data::Timestamp;
use crate::error::{Error, Result};
use crate::fnv::Fnv;
use crate::rules::digest::form;
use crate::rules::limits::Limits;
use crate::rules::set::RuleSet;

/// The shape of a [`Snapshot`] at rest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved<'a> {
    version: u32,
    #[serde(default)]
    instant: Option<Timestamp>,
    ids: Cow<'a, IdList>,
    segments: Cow<'a, [Taken]>,
    /// As it was written, so that what later releases add to it is not missed.
    definition: Document,
    limits: Document,
    /// The checksum of all of this, as 16 hexadecimal digits.
    check: String,
}

/// In version 1 the checksum did not say whether ids are numbers or texts.
const VERSION: u32 = 2;

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        let error = serde::ser::Error::custom;
        let mut saved = Saved {
            version: VERSION,
            instant: self.instant,
            ids: Cow::Borrowed(&self.ids),
            segments: Cow::Borrowed(&self.segments),
            definition: serde_json::to_value(&self.definition).map_err(error)?,
            limits: serde_json::to_value(self.limits).map_err(error)?,
            check: String::new(),
        };
        saved.check = saved.checksum();
        saved.serialize(serializer)
    }
}

impl TryFrom<Saved<'_>> for Snapshot {
    type Error = Error;

    fn try_from(saved: Saved<'_>) -> Result<Snapshot> {
        if !(1..=VERSION).contains(&saved.version) {
            return Err(fault("it is of a version that is not known here"));
        }
        if saved.check != saved.checksum() {
            return Err(fault("it was altered: its checksum is another"));
        }
        if !saved.ids.is_valid() {
            return Err(fault("its ids do not ascend"));
        }
        let definition: RuleSet = read(saved.definition)?;
        let limits: Limits = read(saved.limits)?;
        let RuleSet { segments, rest, .. } = &definition;
        let ids = segments.iter().map(|segment| &segment.id);
        let ids = ids.chain(rest.iter().map(|segment| &segment.id));
        if !saved.segments.iter().map(|taken| &taken.id).eq(ids) {
            return Err(fault("its segments are not those of its definition"));
        }
        let mut sorted: Vec<_> = saved.segments.iter().map(|taken| &taken.id).collect();
        sorted.sort_unstable();
        if !sorted.is_sorted_by(|a, b| a < b) {
            return Err(fault("two segments have the same id"));
        }
        let digests = definition.digests();
        if !saved.segments.iter().map(|taken| taken.digest).eq(digests) {
            return Err(fault("its digests are not those of its definition"));
        }
        let n = saved.ids.len();
        let is_valid = |taken: &Taken| {
            let Taken { members, undecided, .. } = taken;
            members.is_valid(n)
                && undecided.is_valid(n)
                && members.and(undecided).count() == 0
        };
        if !saved.segments.iter().all(is_valid) {
            return Err(fault("a segment has customers who cannot be in it"));
        }
        Ok(Snapshot {
            instant: saved.instant,
            ids: saved.ids.into_owned(),
            segments: saved.segments.into_owned(),
            definition,
            limits,
        })
    }
}

fn fault(reason: impl Into<String>) -> Error {
    Error::corrupt("segmenta.snapshot", reason)
}

fn read<T: DeserializeOwned>(document: Document) -> Result<T> {
    serde_json::from_value(document).map_err(|e| fault(e.to_string()))
}

impl Saved<'_> {
    fn checksum(&self) -> String {
        let mut hash = Fnv::new();
        hash.feed(&self.version.to_le_bytes());
        hash.byte(u8::from(self.instant.is_some()));
        let instant = self.instant.map_or(0, Timestamp::as_millis);
        hash.feed(&instant.to_le_bytes());
        self.ids.hash(&mut hash, self.version > 1);
        for Taken { id, digest, members, undecided } in self.segments.iter() {
            hash.feed(&(id.as_str().len() as u64).to_le_bytes());
            hash.feed(id.as_str().as_bytes());
            hash.feed(&digest.get().to_le_bytes());
            members.hash(&mut hash);
            undecided.hash(&mut hash);
        }
        hash.feed(form(&self.definition).as_bytes());
        hash.feed(form(&self.limits).as_bytes());
        format!("{:016x}", hash.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{FeatureSpec, Ids, Schema, Table};
    use crate::rules::{RuleBook, field};

    fn snapshot() -> Snapshot {
        let schema = Schema::new([FeatureSpec::number("orders")]).unwrap();
        let book = RuleBook::builder(&schema)
            .segment("a", "A", field("orders").ge(1))
            .segment("b", "B", field("orders").ge(2))
            .build()
            .unwrap();
        let ids = Ids::Numbers((0..65).collect());
        let orders: Vec<f64> = (0..65).map(|i| f64::from(i % 3)).collect();
        let table = Table::builder(&schema, 65).numbers("orders", orders).ids(ids);
        book.snapshot(&table.build().unwrap()).unwrap()
    }

    /// What a forger would write, with a checksum that is right.
    fn read(snapshot: &Snapshot) -> std::result::Result<Snapshot, String> {
        let json = serde_json::to_string(snapshot).unwrap();
        serde_json::from_str(&json).map_err(|e| e.to_string())
    }

    #[test]
    fn what_was_forged_is_refused() {
        type Forge = fn(&mut Snapshot);
        assert_eq!(read(&snapshot()).unwrap(), snapshot());
        let cases: [(Forge, &str); 10] = [
            (|s| s.ids = IdList::Numbers((0..65).rev().collect()), "ids do not ascend"),
            (|s| s.ids = IdList::Numbers(vec![3; 65]), "ids do not ascend"),
            (|s| s.ids = IdList::Numbers((0..64).collect()), "who cannot be in it"),
            (|s| s.segments[0].undecided = s.segments[0].members.clone(), "cannot be"),
            (|s| s.segments[1].members = words(&[1, 2]), "who cannot be in it"),
            (|s| s.segments[1].undecided = words(&[0, 0, 1]), "who cannot be in it"),
            (|s| s.segments[1].undecided = words(&[1, 0]), "who cannot be in it"),
            (|s| s.segments.swap(0, 1), "not those of its definition"),
            (|s| s.segments[0].digest = s.segments[1].digest, "its digests are not"),
            (
                |s| {
                    s.segments[1].id = "a".into();
                    s.definition.segments[1].id = "a".into();
                },
                "two segments have the same id",
            ),
        ];
        for (forge, reason) in cases {
            let mut forged = snapshot();
            forge(&mut forged);
            let error = read(&forged).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    fn words(words: &[u64]) -> super::super::Plane {
        serde_json::from_value(serde_json::json!(words)).unwrap()
    }
}
