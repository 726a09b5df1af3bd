//! Event streams: what a customer did, and when.

use serde::{Deserialize, Serialize};

use super::schema::{FeatureIndex, FeatureSpec, check_spec};
use super::value::Value;
use super::{Column, Timestamp};
use crate::error::{ErrorKind, Result};

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
    /// A stream whose events have these properties.
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

/// The events of one customer in one stream, oldest first, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a> {
    times: &'a [Timestamp],
    columns: &'a [Column<'a>],
    /// Position of the first event in `columns`.
    offset: usize,
    /// Whether it is known that the times ascend.
    is_checked: bool,
}

impl<'a> Events<'a> {
    /// No events at all.
    #[must_use]
    pub const fn none() -> Events<'a> {
        Events { times: &[], columns: &[], offset: 0, is_checked: true }
    }

    /// Events at `times`, oldest first, whose properties stand in `columns` from row
    /// `offset` on. Each column must hold all of these rows.
    #[must_use]
    pub const fn new(
        times: &'a [Timestamp],
        columns: &'a [Column<'a>],
        offset: usize,
    ) -> Events<'a> {
        Events { times, columns, offset, is_checked: false }
    }

    /// [`new`](Events::new) where it is known that the times ascend.
    pub(crate) const fn checked(
        times: &'a [Timestamp],
        columns: &'a [Column<'a>],
        offset: usize,
    ) -> Events<'a> {
        Events { times, columns, offset, is_checked: true }
    }

    /// The first property whose column does not hold all events, of so many properties.
    pub(crate) fn short_column(&self, n_properties: usize) -> Option<usize> {
        if self.is_checked || self.times.is_empty() {
            return None;
        }
        let end = self.offset.checked_add(self.times.len());
        (0..n_properties).find(|&i| {
            let column = self.columns.get(i).zip(end);
            column.is_none_or(|(column, end)| column.len() < end)
        })
    }

    /// Whether the times ascend, as the contract of
    /// [`Customer`](super::Customer) wants it.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.is_checked || self.times.is_sorted()
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
        let column = self.columns.get(property.get());
        let row = self.offset.checked_add(i);
        column.zip(row).map_or(Value::Missing, |(column, row)| column.value(row))
    }
}
