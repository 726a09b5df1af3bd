//! What a segmentation reads: features, customers, tables.
//!
//! A [`Schema`] names the features of a customer. One customer is anything that
//! implements [`Customer`]; a host's own record type becomes one through a
//! [`FeatureSet`]. Many customers are a [`Table`], whose columns borrow the host's
//! buffers.

pub(crate) mod array;
mod collect;
mod column;
mod customer;
mod date;
mod event;
mod feature;
mod log;
mod schema;
mod table;
mod time;
mod value;
mod weights;
mod zone;

pub use self::column::{Column, Flags, Ids, Levels, Numbers, TagColumn, Validity};
pub use self::customer::{Customer, CustomerId, OwnedCustomer, Remapped};
pub use self::date::Date;
pub use self::event::{Events, StreamIndex, StreamSpec};
pub use self::feature::{
    Feature, FeatureName, FeatureSet, FeatureSetBuilder, IntoNumber, View,
};
pub use self::log::EventLog;
pub use self::schema::{
    Basis, FeatureIndex, FeatureKind, FeatureSpec, Schema, SchemaBuilder, SchemaMap,
    Sensitivity,
};
pub(crate) use self::table::Stream;
pub use self::table::{Row, Table, TableBuilder};
pub(crate) use self::time::DAY;
pub use self::time::{Span, Timestamp};
pub use self::value::{OwnedValue, Tags, Value};
pub(crate) use self::weights::check_weights;
pub use self::zone::{Calendar, Moment, Weekday, Zone};
