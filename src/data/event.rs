//! Event streams: what a customer did, and when.

use serde::{Deserialize, Serialize};

use super::schema::{FeatureIndex, FeatureSpec, check_spec};
use super::value::Value;
use super::{Levels, Numbers, Validity};
use crate::error::{ErrorKind, Result};

/// An instant: milliseconds since 1970-01-01T00:00:00 UTC.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant so many milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

/// Position of an event stream in its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamIndex(u32);

impl StreamIndex {
    /// The index of position `position`.
    #[must_use]
    pub const fn new(position: u32) -> StreamIndex {
        StreamIndex(position)
    }

    /// The position as a `usize`.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// Name and properties of one event stream: `order` with `amount` and `channel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSpec {
    name: String,
    properties: Vec<FeatureSpec>,
}

impl StreamSpec {
    /// A stream whose events have these properties (numbers or categories).
    pub fn new(
        name: impl Into<String>,
        properties: impl IntoIterator<Item = FeatureSpec>,
    ) -> StreamSpec {
        StreamSpec { name: name.into(), properties: properties.into_iter().collect() }
    }

    /// The stream's name, unique among the streams of its schema.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The properties of its events.
    #[must_use]
    pub fn properties(&self) -> &[FeatureSpec] {
        &self.properties
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.name.is_empty() {
            return Err(crate::Error::parameter("stream name", "not empty", "empty"));
        }
        for (i, property) in self.properties.iter().enumerate() {
            check_spec(property)?;
            if self.properties[..i].iter().any(|p| p.name() == property.name()) {
                let name = property.name().to_owned();
                return Err(ErrorKind::DuplicateName { what: "property", name }.into());
            }
        }
        Ok(())
    }
}

/// One property of the events of a stream, for many events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventColumn<'a> {
    /// Numbers.
    Numbers(Numbers<'a>, Validity<'a>),
    /// Categories as positions in a list of levels.
    Categories(std::borrow::Cow<'a, [u32]>, Levels<'a>, Validity<'a>),
}

/// The events of one customer in one stream, oldest first, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a> {
    times: &'a [Timestamp],
    columns: &'a [EventColumn<'a>],
    /// Position of the first event in `columns`.
    offset: usize,
}

impl<'a> Events<'a> {
    /// No events at all.
    #[must_use]
    pub const fn none() -> Events<'a> {
        Events { times: &[], columns: &[], offset: 0 }
    }

    /// Events at `times`, oldest first, whose properties stand in `columns` from row
    /// `offset` on.
    #[must_use]
    pub const fn new(
        times: &'a [Timestamp],
        columns: &'a [EventColumn<'a>],
        offset: usize,
    ) -> Events<'a> {
        Events { times, columns, offset }
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// When the events happened, oldest first.
    #[must_use]
    pub fn times(&self) -> &'a [Timestamp] {
        self.times
    }

    /// A property of the `i`-th event; missing where there is no such event or property.
    #[must_use]
    pub fn property(&self, i: usize, property: FeatureIndex) -> Value<'a> {
        if i >= self.times.len() {
            return Value::Missing;
        }
        let row = self.offset + i;
        match self.columns.get(property.get()) {
            Some(EventColumn::Numbers(numbers, validity)) if validity.is_valid(row) => {
                numbers.get(row).into()
            }
            Some(EventColumn::Categories(codes, levels, validity))
                if validity.is_valid(row) =>
            {
                codes.get(row).and_then(|&code| levels.get(code as usize)).into()
            }
            _ => Value::Missing,
        }
    }
}
