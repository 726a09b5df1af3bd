//! What a segmentation reads: features, customers, tables.
//!
//! A [`Schema`] names the features of a customer. One customer is anything that
//! implements [`Customer`]; a host's own record type becomes one through a
//! [`FeatureSet`]. Many customers are a [`Table`], whose columns borrow the host's
//! buffers.

pub(crate) mod array;
mod column;
mod customer;
mod date;
mod event;
mod feature;
mod schema;
mod table;
mod value;
mod weights;

pub use self::column::{Column, Flags, Ids, Levels, Numbers, TagColumn, Validity};
pub use self::customer::{Customer, CustomerId, OwnedCustomer, Remapped};
pub use self::date::Date;
pub use self::event::{EventColumn, Events, StreamIndex, StreamSpec, Timestamp};
pub use self::feature::{
    Feature, FeatureName, FeatureSet, FeatureSetBuilder, IntoNumber, View,
};
pub use self::schema::{
    Basis, FeatureIndex, FeatureKind, FeatureSpec, Schema, SchemaBuilder, Sensitivity,
};
pub use self::table::{Row, Table, TableBuilder};
pub use self::value::{OwnedValue, Tags, Value};
pub(crate) use self::weights::check_weights;
