//! One customer, seen through a schema.

use std::fmt;

use super::{
    EventLog, Events, FeatureIndex, OwnedValue, Schema, SchemaMap, StreamIndex, Value,
};
use crate::error::{Error, Result};

/// Who a customer is: a number or a text, borrowed from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CustomerId<'a> {
    /// A number.
    Number(u64),
    /// A text.
    Text(&'a str),
}

impl fmt::Display for CustomerId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CustomerId::Number(id) => fmt::Display::fmt(id, f),
            CustomerId::Text(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl From<u64> for CustomerId<'_> {
    fn from(id: u64) -> Self {
        CustomerId::Number(id)
    }
}

impl<'a> From<&'a str> for CustomerId<'a> {
    fn from(id: &'a str) -> Self {
        CustomerId::Text(id)
    }
}

impl<'a> From<&'a String> for CustomerId<'a> {
    fn from(id: &'a String) -> Self {
        CustomerId::Text(id)
    }
}

/// One identified customer, seen through a schema.
///
/// Most hosts describe their record type with a [`FeatureSet`](super::FeatureSet) and
/// never implement this; implement it for the shortest path from record to value.
///
/// # Contract
/// 1. [`value`](Customer::value) takes indices of one agreed schema and gives a value of
///    the kind stated there, or [`Value::Missing`]; also for an index beyond the schema.
/// 2. Values do not change while the customer is borrowed.
/// 3. [`events`](Customer::events) are ordered by time, oldest first, and have a column for
///    each property of the stream.
///
/// ```
/// use segmenta::data::{Customer, CustomerId, FeatureIndex, Value};
///
/// struct Shopper { number: u64, orders: u32, country: Option<String> }
///
/// impl Customer for Shopper {
///     fn id(&self) -> CustomerId<'_> {
///         self.number.into()
///     }
///     fn value(&self, feature: FeatureIndex) -> Value<'_> {
///         match feature.get() {
///             0 => Value::Number(self.orders.into()),
///             1 => self.country.as_deref().into(),
///             _ => Value::Missing,
///         }
///     }
/// }
/// ```
pub trait Customer {
    /// Who this is.
    fn id(&self) -> CustomerId<'_>;

    /// The value of a feature, by its position in the schema in use.
    fn value(&self, feature: FeatureIndex) -> Value<'_>;

    /// The events of a stream, oldest first. Most segmenters need none.
    fn events(&self, stream: StreamIndex) -> Events<'_> {
        let _ = stream;
        Events::none()
    }
}

impl<C: Customer + ?Sized> Customer for &C {
    fn id(&self) -> CustomerId<'_> {
        (**self).id()
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        (**self).value(feature)
    }

    fn events(&self, stream: StreamIndex) -> Events<'_> {
        (**self).events(stream)
    }
}

/// A customer that owns its values: for tests, examples and single look-ups.
///
/// ```
/// use segmenta::data::{Customer, FeatureSpec, OwnedCustomer, Schema, Value};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")])?;
/// let ann = OwnedCustomer::new(&schema, 7).set("orders", 3.0)?.set("member", true)?;
/// assert_eq!(ann.value(schema.require("orders")?), Value::Number(3.0));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedCustomer {
    schema: Schema,
    id: OwnedId,
    values: Vec<OwnedValue>,
    /// Of the streams in order; those beyond the end have no events.
    streams: Vec<EventLog>,
}

#[derive(Clone, Debug, PartialEq)]
enum OwnedId {
    Number(u64),
    Text(String),
}

impl OwnedCustomer {
    /// A customer of whom nothing is known yet.
    pub fn new<'i>(schema: &Schema, id: impl Into<CustomerId<'i>>) -> OwnedCustomer {
        let id = match id.into() {
            CustomerId::Number(id) => OwnedId::Number(id),
            CustomerId::Text(id) => OwnedId::Text(id.to_owned()),
        };
        let values = vec![OwnedValue::Missing; schema.len()];
        OwnedCustomer { schema: schema.clone(), id, values, streams: Vec::new() }
    }

    /// Sets a value by the feature's name.
    ///
    /// # Errors
    /// When the schema has no such feature. The value's kind is not checked here, so that
    /// a test can build a customer that lies.
    pub fn set(
        mut self,
        name: &str,
        value: impl Into<OwnedValue>,
    ) -> Result<OwnedCustomer> {
        let index = self.schema.require(name)?;
        self.values[index.get()] = value.into();
        Ok(self)
    }

    /// Sets the events of a stream by its name. A stream that was not set has none.
    ///
    /// # Errors
    /// When the schema has no such stream. The values' kinds are not checked here.
    pub fn set_events(mut self, stream: &str, log: EventLog) -> Result<OwnedCustomer> {
        let at = self.schema.require_stream(stream)?.get();
        if self.streams.len() <= at {
            self.streams.resize_with(at + 1, EventLog::default);
        }
        self.streams[at] = log;
        Ok(self)
    }

    /// A customer with one value for each feature of the schema.
    ///
    /// # Errors
    /// When there are more or fewer values than features.
    pub fn with_values<'i>(
        schema: &Schema,
        id: impl Into<CustomerId<'i>>,
        values: Vec<OwnedValue>,
    ) -> Result<OwnedCustomer> {
        if values.len() != schema.len() {
            return Err(Error::length("the list of values", schema.len(), values.len()));
        }
        Ok(OwnedCustomer { values, ..OwnedCustomer::new(schema, id) })
    }

    /// The schema that the values follow.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The values in the schema's order.
    #[must_use]
    pub fn values(&self) -> &[OwnedValue] {
        &self.values
    }
}

impl Customer for OwnedCustomer {
    fn id(&self) -> CustomerId<'_> {
        match &self.id {
            OwnedId::Number(id) => CustomerId::Number(*id),
            OwnedId::Text(id) => CustomerId::Text(id),
        }
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        self.values.get(feature.get()).map_or(Value::Missing, OwnedValue::as_value)
    }

    fn events(&self, stream: StreamIndex) -> Events<'_> {
        self.streams.get(stream.get()).map_or(Events::none(), EventLog::as_events)
    }
}

/// A customer seen through another schema, whose features and streams stand elsewhere.
#[derive(Clone, Copy)]
pub struct Remapped<'a> {
    inner: &'a dyn Customer,
    map: &'a SchemaMap,
}

impl<'a> Remapped<'a> {
    /// `inner` through `map`, as [`Schema::locate_in`] gives it.
    #[must_use]
    pub fn new(inner: &'a dyn Customer, map: &'a SchemaMap) -> Remapped<'a> {
        Remapped { inner, map }
    }
}

impl fmt::Debug for Remapped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remapped")
            .field("id", &self.id())
            .field("map", &self.map)
            .finish()
    }
}

impl Customer for Remapped<'_> {
    fn id(&self) -> CustomerId<'_> {
        self.inner.id()
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        self.map.feature(feature).map_or(Value::Missing, |i| self.inner.value(i))
    }

    fn events(&self, stream: StreamIndex) -> Events<'_> {
        self.map.stream(stream).map_or(Events::none(), |i| self.inner.events(i))
    }
}
