//! Where customers and their events lie in a database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dialect::{Dialect, quoted};
use crate::data::{FeatureKind, FeatureSpec, Schema, StreamSpec};
use crate::error::{Error, ErrorKind, Result, similar_names};

/// How flags lie in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FlagForm {
    /// As `BOOLEAN`; in SQLite, which has none, as 0 and 1.
    #[default]
    Boolean,
    /// As the integers 0 and 1.
    Integer,
}

/// How dates lie in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DateForm {
    /// As `DATE`; in SQLite, which has none, as with [`DateForm::Text`].
    #[default]
    Date,
    /// As texts `YYYY-MM-DD`, with years from 0001 to 9999.
    Text,
}

/// How the times of events lie in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeForm {
    /// As `BIGINT`: milliseconds since 1970-01-01T00:00Z.
    #[default]
    Millis,
    /// As `TIMESTAMP` without a time zone, in UTC, with years from 0001 to 9999: no dialect
    /// writes earlier ones as the next does. SQLite has none.
    Timestamp,
}

/// The name of a table, with that of its schema where it needs one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SqlTable(Vec<String>);

impl From<&str> for SqlTable {
    fn from(name: &str) -> SqlTable {
        SqlTable(vec![name.to_owned()])
    }
}

impl From<String> for SqlTable {
    fn from(name: String) -> SqlTable {
        SqlTable(vec![name])
    }
}

impl<const N: usize> From<[&str; N]> for SqlTable {
    /// Schema and table, or catalogue, schema and table.
    fn from(names: [&str; N]) -> SqlTable {
        SqlTable(names.into_iter().map(str::to_owned).collect())
    }
}

impl SqlTable {
    pub(super) fn quoted(&self) -> String {
        let names: Vec<String> = self.0.iter().map(|name| quoted(name)).collect();
        names.join(".")
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Where the events of a stream lie: a table with a row for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct SqlStream {
    pub(super) table: SqlTable,
    pub(super) customer: String,
    pub(super) time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) order: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    columns: BTreeMap<String, String>,
}

impl SqlStream {
    /// The table, its column with the customer's id, and the one with the time.
    pub fn new(
        table: impl Into<SqlTable>,
        customer: impl Into<String>,
        time: impl Into<String>,
    ) -> SqlStream {
        SqlStream {
            table: table.into(),
            customer: customer.into(),
            time: time.into(),
            order: None,
            columns: BTreeMap::new(),
        }
    }

    /// A column that orders events at one instant, as the host does in Rust. `first` and
    /// `last` need one. Where no customer has two events at one instant, any will do, that
    /// of the time too.
    pub fn order(mut self, column: impl Into<String>) -> SqlStream {
        self.order = Some(column.into());
        self
    }

    /// The column of a property, where it has another name.
    pub fn column(
        mut self,
        property: impl Into<String>,
        column: impl Into<String>,
    ) -> SqlStream {
        self.columns.insert(property.into(), column.into());
        self
    }

    pub(super) fn column_of<'a>(&'a self, property: &'a str) -> &'a str {
        self.columns.get(property).map_or(property, String::as_str)
    }
}

/// Where the tags of a feature lie: a table with a row for each tag of each customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct SqlTags {
    pub(super) table: SqlTable,
    pub(super) customer: String,
    pub(super) tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) known: Option<String>,
}

impl SqlTags {
    /// The table, its column with the customer's id, and the one with the tag, which is
    /// never NULL.
    pub fn new(
        table: impl Into<SqlTable>,
        customer: impl Into<String>,
        tag: impl Into<String>,
    ) -> SqlTags {
        let (table, customer, tag) = (table.into(), customer.into(), tag.into());
        SqlTags { table, customer, tag, known: None }
    }

    /// A column of the customers' table that is NULL where it is not known which tags a
    /// customer has. Without it tags are never missing: a customer without rows has none.
    pub fn known(mut self, column: impl Into<String>) -> SqlTags {
        self.known = Some(column.into());
        self
    }
}

/// How a database holds what a schema describes.
///
/// Columns have the names of their features, unless told otherwise. All names are written
/// in quotes, so that upper and lower case differ where they do for the engine. To SQLite and
/// DuckDB they are the same: there the columns of features `age` and `Age` of a schema must be
/// given names that differ in more.
///
/// ```
/// use segmenta::rules::{Dialect, SqlLayout, SqlStream, SqlTags, TimeForm};
///
/// let layout = SqlLayout::new(Dialect::Postgres, ["crm", "customers"], "customer_id")
///     .column("country", "country_code")
///     .tags("interests", SqlTags::new("interests", "customer_id", "interest"))
///     .stream("order", SqlStream::new("orders", "customer_id", "placed_at").order("order_id"))
///     .times(TimeForm::Timestamp);
/// layout.validate()?;
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct SqlLayout {
    pub(super) dialect: Dialect,
    pub(super) customers: SqlTable,
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    columns: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, SqlTags>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    streams: BTreeMap<String, SqlStream>,
    #[serde(default)]
    pub(super) flags: FlagForm,
    #[serde(default)]
    pub(super) dates: DateForm,
    #[serde(default)]
    pub(super) times: TimeForm,
    #[serde(default)]
    pub(super) regexp: bool,
}

impl SqlLayout {
    /// The customers' table and its column with their ids, which differ and are never NULL.
    pub fn new(
        dialect: Dialect,
        customers: impl Into<SqlTable>,
        id: impl Into<String>,
    ) -> SqlLayout {
        SqlLayout {
            dialect,
            customers: customers.into(),
            id: id.into(),
            columns: BTreeMap::new(),
            tags: BTreeMap::new(),
            streams: BTreeMap::new(),
            flags: FlagForm::default(),
            dates: DateForm::default(),
            times: TimeForm::default(),
            regexp: false,
        }
    }

    /// The column of a feature, where it has another name.
    pub fn column(
        mut self,
        feature: impl Into<String>,
        column: impl Into<String>,
    ) -> SqlLayout {
        self.columns.insert(feature.into(), column.into());
        self
    }

    /// Where the tags of a feature lie.
    pub fn tags(mut self, feature: impl Into<String>, tags: SqlTags) -> SqlLayout {
        self.tags.insert(feature.into(), tags);
        self
    }

    /// Where the events of a stream lie.
    pub fn stream(mut self, stream: impl Into<String>, events: SqlStream) -> SqlLayout {
        self.streams.insert(stream.into(), events);
        self
    }

    /// How flags lie in the database.
    pub fn flags(mut self, form: FlagForm) -> SqlLayout {
        self.flags = form;
        self
    }

    /// How dates lie in the database.
    pub fn dates(mut self, form: DateForm) -> SqlLayout {
        self.dates = form;
        self
    }

    /// How the times of events lie in the database.
    pub fn times(mut self, form: TimeForm) -> SqlLayout {
        self.times = form;
        self
    }

    /// Whether the host has registered a function for `REGEXP` in SQLite that searches as
    /// the crate `regex` does. Others have their own.
    pub fn regexp(mut self, registered: bool) -> SqlLayout {
        self.regexp = registered;
        self
    }

    /// Whose SQL is written.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn column_of<'a>(&'a self, feature: &'a str) -> &'a str {
        self.columns.get(feature).map_or(feature, String::as_str)
    }

    pub(super) fn tags_of(&self, feature: &str) -> Option<&SqlTags> {
        self.tags.get(feature)
    }

    pub(super) fn stream_of(&self, stream: &str) -> Option<&SqlStream> {
        self.streams.get(stream)
    }

    pub(super) fn are_dates_texts(&self) -> bool {
        self.dates == DateForm::Text || self.dialect == Dialect::Sqlite
    }

    /// Checks the layout itself.
    ///
    /// # Errors
    /// When a name cannot be a name of the dialect; when two names of tables, or of columns
    /// of one table, differ only by upper and lower case, which SQLite and DuckDB take for the
    /// same; or when the dialect has no such form.
    pub fn validate(&self) -> Result<()> {
        if self.dialect == Dialect::Sqlite && self.times == TimeForm::Timestamp {
            let expected = "`millis`, since SQLite has no type for timestamps";
            return Err(Error::parameter("times", expected, "timestamp"));
        }
        if self.regexp && self.dialect != Dialect::Sqlite {
            return Err(Error::parameter("regexp", "false but for SQLite", "true"));
        }
        self.names().try_for_each(|name| self.check_name(name))?;
        self.check_cases(None)?;
        let mut tables = self.tables();
        match tables.find(|table| !(1..=3).contains(&table.0.len())) {
            Some(table) => {
                let expected = "one to three names";
                Err(Error::parameter("table", expected, table.0.len()))
            }
            None => Ok(()),
        }
    }

    /// Checks that the layout speaks only of what is in a schema.
    pub(super) fn check_against(&self, schema: &Schema) -> Result<()> {
        self.validate()?;
        for feature in self.columns.keys().chain(self.tags.keys()) {
            schema.require(feature)?;
        }
        for (name, events) in &self.streams {
            let at = schema.require_stream(name)?;
            let properties =
                schema.streams().get(at.get()).map_or(&[][..], |s| s.properties());
            let names = || properties.iter().map(|property| property.name());
            if let Some(unknown) =
                events.columns.keys().find(|name| names().all(|known| known != *name))
            {
                let similar = similar_names(unknown, names());
                let name = unknown.clone();
                return Err(ErrorKind::UnknownFeature { name, similar }.into());
            }
        }
        self.check_cases(Some(schema))
    }

    /// Refuses two names of which an engine would take one for the other: in each table those
    /// that the layout says, and of all features that have a column.
    fn check_cases(&self, schema: Option<&Schema>) -> Result<()> {
        if !self.dialect.ignores_case_of_names() {
            return Ok(());
        }
        let columns_of = |own: &'_ BTreeMap<String, String>, specs: &[FeatureSpec]| {
            let specs = specs.iter().filter(|spec| spec.kind() != FeatureKind::Tags);
            let names = specs.map(|spec| spec.name().to_owned());
            let names = names.map(|name| own.get(&name).cloned().unwrap_or(name));
            own.values().cloned().chain(names).collect::<Vec<_>>()
        };
        let tables = self.tables().map(SqlTable::quoted);
        self.check_case("tables", tables.collect())?;
        let mut customers =
            columns_of(&self.columns, schema.map_or(&[], Schema::features));
        customers.push(self.id.clone());
        customers.extend(self.tags.values().filter_map(|tags| tags.known.clone()));
        self.check_case("columns", customers)?;
        for (name, events) in &self.streams {
            let streams = schema.map_or(&[][..], Schema::streams);
            let stream = streams.iter().find(|stream| stream.name() == name);
            let properties = stream.map_or(&[][..], StreamSpec::properties);
            let mut columns = columns_of(&events.columns, properties);
            columns.extend([events.customer.clone(), events.time.clone()]);
            columns.extend(events.order.clone());
            self.check_case("columns", columns)?;
        }
        self.tags.values().try_for_each(|tags| {
            self.check_case("columns", vec![tags.customer.clone(), tags.tag.clone()])
        })
    }

    fn check_case(&self, what: &str, mut names: Vec<String>) -> Result<()> {
        // The engines fold ASCII only.
        names.sort_unstable_by_key(|name| (name.to_ascii_lowercase(), name.clone()));
        let same = names.windows(2).find_map(|pair| match pair {
            [a, b] if a != b && a.eq_ignore_ascii_case(b) => Some((a, b)),
            _ => None,
        });
        let Some((a, b)) = same else { return Ok(()) };
        let expected = format!(
            "{what} whose names differ in more than upper and lower case, which are the same to {}",
            self.dialect.name()
        );
        Err(Error::parameter("layout", expected, format!("{a:?} and {b:?}")))
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &SqlTable> {
        let tags = self.tags.values().map(|tags| &tags.table);
        let streams = self.streams.values().map(|events| &events.table);
        std::iter::once(&self.customers).chain(tags).chain(streams)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let tables = self.tables().flat_map(SqlTable::names);
        let columns = self.columns.values().map(String::as_str);
        let tags = self.tags.values().flat_map(|tags| {
            [Some(&tags.customer), Some(&tags.tag), tags.known.as_ref()]
        });
        let streams = self.streams.values().flat_map(|events| {
            let own = [Some(&events.customer), Some(&events.time), events.order.as_ref()];
            own.into_iter().chain(events.columns.values().map(Some))
        });
        let others = tags.chain(streams).flatten().map(String::as_str);
        std::iter::once(self.id.as_str()).chain(tables).chain(columns).chain(others)
    }

    fn check_name(&self, name: &str) -> Result<()> {
        match refused_name(self.dialect, name) {
            Some(expected) => {
                Err(Error::parameter("layout", expected, format!("{name:?}")))
            }
            None => Ok(()),
        }
    }

    /// What a prefix that none of the tables has begins with.
    pub(super) fn free_prefix(&self) -> String {
        let mut prefix = "sg_".to_owned();
        let taken = |prefix: &str| {
            let is_taken = |name: &str| name.to_lowercase().starts_with(prefix);
            self.tables().flat_map(SqlTable::names).any(is_taken)
        };
        while taken(&prefix) {
            prefix.push('_');
        }
        prefix
    }
}

/// Why a name cannot be one of a table or column, if it cannot.
pub(super) fn refused_name(dialect: Dialect, name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("names that are not empty")
    } else if name.contains('\0') {
        Some("names without the character NUL")
    } else if dialect == Dialect::Postgres && name.len() > 63 {
        // The server cuts longer ones off, and may find another column.
        Some("names of at most 63 bytes")
    } else {
        None
    }
}
