//! Many customers: columns, checked once.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::collect::Collector;
use super::column::{Column, Flags, Ids, Levels, Numbers, TagColumn, Validity};
use super::weights::check_weights;
use super::{
    Customer, CustomerId, Date, Events, FeatureIndex, FeatureKind, FeatureSpec, Schema,
    StreamIndex, StreamSpec, Timestamp, Value,
};
use crate::error::{Error, ErrorKind, Result};

/// Many customers in columns, borrowed from the host or owned, checked when built.
///
/// After the checks every number is finite, every code has a level, every level is among
/// those that the schema allows, every weight is finite and not negative.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::category("country")])?;
/// let (orders, countries) = ([3.0, 1.0, 7.0], [0, 1, 0]);
/// let table = Table::builder(&schema, 3)
///     .numbers("orders", &orders[..])
///     .categories("country", &countries[..], &["AT", "DE"][..])
///     .build()?;
/// assert_eq!(table.len(), 3);
///
/// let broken = Table::builder(&schema, 3)
///     .numbers("orders", &[3.0, f64::NAN, 7.0][..])
///     .categories("country", &countries[..], &["AT", "DE"][..])
///     .build();
/// assert_eq!(
///     broken.unwrap_err().to_string(),
///     "feature `orders` must be a finite number, but is NaN in row 1",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table<'a> {
    schema: Schema,
    n_rows: usize,
    columns: Vec<Column<'a>>,
    streams: Vec<Stream<'a>>,
    ids: Ids<'a>,
    weights: Option<Cow<'a, [f64]>>,
}

/// The events of one stream of all rows.
#[derive(Clone, Debug)]
pub(crate) struct Stream<'a> {
    /// Row `i` has the events from `offsets[i]` up to `offsets[i + 1]`.
    pub(crate) offsets: Cow<'a, [usize]>,
    pub(crate) times: Cow<'a, [Timestamp]>,
    pub(crate) columns: Vec<Column<'a>>,
}

impl<'a> Table<'a> {
    /// A table of borrowed or owned columns.
    #[must_use]
    pub fn builder(schema: &Schema, n_rows: usize) -> TableBuilder<'a> {
        TableBuilder {
            schema: schema.clone(),
            n_rows,
            columns: vec![None; schema.len()],
            streams: vec![None; schema.streams().len()],
            ids: Ids::Rows,
            weights: None,
            error: None,
        }
    }

    /// Copies the values and events of customers, seen through `schema`.
    ///
    /// # Errors
    /// When a value is not finite, of another kind, or not among the levels, or events
    /// are not ordered by time; the error names the feature and the row.
    pub fn from_customers<I>(schema: &Schema, rows: I) -> Result<Table<'static>>
    where
        I: IntoIterator,
        I::Item: Customer,
    {
        let mut collect = Collector::new(schema);
        for customer in rows {
            collect.push(&customer)?;
        }
        collect.finish(None)
    }

    /// The features of the columns.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n_rows
    }

    /// True when there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n_rows == 0
    }

    /// One row as a customer. A row beyond the table has only missing values.
    #[must_use]
    pub fn row(&self, row: usize) -> Row<'_> {
        Row { table: self, row }
    }

    /// The rows as customers.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.n_rows).map(|row| self.row(row))
    }

    /// The columns in the order of the features.
    pub(crate) fn columns(&self) -> &[Column<'a>] {
        &self.columns
    }

    /// The events of a stream of all rows.
    pub(crate) fn stream(&self, stream: StreamIndex) -> Option<&Stream<'a>> {
        self.streams.get(stream.get())
    }

    /// The column of a feature, if the index belongs to the schema.
    #[must_use]
    pub fn column(&self, feature: FeatureIndex) -> Option<&Column<'a>> {
        self.columns.get(feature.get())
    }

    /// Who the rows are.
    #[must_use]
    pub fn ids(&self) -> &Ids<'a> {
        &self.ids
    }

    /// How much each row counts, if stated. Algorithms take absent weights as 1.
    #[must_use]
    pub fn sample_weight(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// Copies some rows, in the order given, with their events, ids and weights.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn select_rows(&self, rows: &[usize]) -> Result<Table<'static>> {
        let mut collect = Collector::new(&self.schema);
        for &row in rows {
            if row >= self.n_rows {
                return Err(Error::parameter(
                    "rows",
                    format!("below {}", self.n_rows),
                    row,
                ));
            }
            collect.push(&self.row(row))?;
        }
        let weights = self.weights.as_deref();
        collect.finish(weights.map(|w| rows.iter().map(|&row| w[row]).collect()))
    }
}

/// One row of a [`Table`], as a customer.
#[derive(Clone, Copy, Debug)]
pub struct Row<'t> {
    table: &'t Table<'t>,
    row: usize,
}

impl<'t> Row<'t> {
    /// The number of the row.
    #[must_use]
    pub fn index(&self) -> usize {
        self.row
    }

    /// The value of a feature, borrowed from the table rather than from the row.
    #[must_use]
    pub fn value(&self, feature: FeatureIndex) -> Value<'t> {
        self.table
            .columns
            .get(feature.get())
            .map_or(Value::Missing, |c| c.value(self.row))
    }
}

impl Customer for Row<'_> {
    fn id(&self) -> CustomerId<'_> {
        self.table.ids.get(self.row)
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        self.table
            .columns
            .get(feature.get())
            .map_or(Value::Missing, |c| c.value(self.row))
    }

    fn events(&self, stream: StreamIndex) -> Events<'_> {
        let Some(stream) = self.table.streams.get(stream.get()) else {
            return Events::none();
        };
        let bounds = stream.offsets.get(self.row..).and_then(|rest| rest.first_chunk());
        bounds.map_or(Events::none(), |&[from, to]| {
            Events::checked(&stream.times[from..to], &stream.columns, from)
        })
    }
}

/// A name that the schema does not have.
#[derive(Clone, Debug)]
enum Misplaced {
    Column(String),
    Stream(String),
}

/// Collects the columns of a [`Table`].
#[derive(Clone, Debug)]
pub struct TableBuilder<'a> {
    schema: Schema,
    n_rows: usize,
    columns: Vec<Option<Column<'a>>>,
    streams: Vec<Option<Stream<'a>>>,
    ids: Ids<'a>,
    weights: Option<Cow<'a, [f64]>>,
    /// The first name that could not be placed; told by `build`.
    error: Option<Misplaced>,
}

impl<'a> TableBuilder<'a> {
    /// A column of numbers, all present.
    #[must_use]
    pub fn numbers(self, name: &str, numbers: impl Into<Numbers<'a>>) -> Self {
        self.column(name, Column::Number(numbers.into(), Validity::All))
    }

    /// A column of flags, all present.
    #[must_use]
    pub fn flags(self, name: &str, flags: impl Into<Flags<'a>>) -> Self {
        self.column(name, Column::Flag(flags.into(), Validity::All))
    }

    /// A column of a category or ordinal, all present: codes into `levels`, which may
    /// stand in another order than in the schema.
    #[must_use]
    pub fn categories(
        self,
        name: &str,
        codes: impl Into<Cow<'a, [u32]>>,
        levels: impl Into<Levels<'a>>,
    ) -> Self {
        self.column(name, Column::Category(codes.into(), levels.into(), Validity::All))
    }

    /// A column of dates as days since 1970-01-01 (Arrow's `date32`), all present.
    #[must_use]
    pub fn dates(self, name: &str, days: impl Into<Cow<'a, [i32]>>) -> Self {
        self.column(name, Column::Date(days.into(), Validity::All))
    }

    /// A column of tags, all present.
    #[must_use]
    pub fn tags(self, name: &str, tags: TagColumn<'a>) -> Self {
        self.column(name, Column::Tags(tags, Validity::All))
    }

    /// Any column, with its validity.
    #[must_use]
    pub fn column(mut self, name: &str, column: Column<'a>) -> Self {
        match self.schema.index_of(name) {
            Some(index) => self.columns[index.get()] = Some(column),
            None => {
                self.error.get_or_insert_with(|| Misplaced::Column(name.to_owned()));
            }
        }
        self
    }

    /// The events of a stream: row `i` has the events from `offsets[i]` up to
    /// `offsets[i + 1]`, oldest first, with one column for each property. Columns are
    /// checked also where no row has their events.
    #[must_use]
    pub fn stream(
        mut self,
        name: &str,
        offsets: impl Into<Cow<'a, [usize]>>,
        times: impl Into<Cow<'a, [Timestamp]>>,
        columns: Vec<Column<'a>>,
    ) -> Self {
        let stream = Stream { offsets: offsets.into(), times: times.into(), columns };
        match self.schema.stream_index_of(name) {
            Some(index) => self.streams[index.get()] = Some(stream),
            None => {
                self.error.get_or_insert_with(|| Misplaced::Stream(name.to_owned()));
            }
        }
        self
    }

    /// Who the rows are. Without it, their numbers.
    #[must_use]
    pub fn ids(mut self, ids: Ids<'a>) -> Self {
        self.ids = ids;
        self
    }

    /// How much each row counts.
    #[must_use]
    pub fn sample_weight(mut self, weights: impl Into<Cow<'a, [f64]>>) -> Self {
        self.weights = Some(weights.into());
        self
    }

    /// The table, after all checks.
    ///
    /// # Errors
    /// When a feature or stream has no column or a column no feature; when lengths differ; when a
    /// number is NaN or infinite, a code has no level, a level is not allowed, a date lies
    /// outside the calendar, offsets or times are out of order, or a weight is negative
    /// or not finite. The error names the feature and the row.
    pub fn build(self) -> Result<Table<'a>> {
        match &self.error {
            Some(Misplaced::Column(name)) => {
                self.schema.require(name)?;
            }
            Some(Misplaced::Stream(name)) => {
                self.schema.require_stream(name)?;
            }
            None => {}
        }
        let n_rows = self.n_rows;
        let mut columns = Vec::with_capacity(self.columns.len());
        for (spec, column) in self.schema.features().iter().zip(self.columns) {
            let column = column.ok_or_else(|| {
                Error::parameter(format!("column `{}`", spec.name()), "given", "absent")
            })?;
            columns.push(check_column(spec, column, n_rows)?);
        }
        let mut streams = Vec::with_capacity(self.streams.len());
        for (spec, stream) in self.schema.streams().iter().zip(self.streams) {
            let stream = stream.ok_or_else(|| {
                Error::parameter(format!("stream `{}`", spec.name()), "given", "absent")
            })?;
            streams.push(check_stream(spec, stream, n_rows)?);
        }
        if let Some(found) = self.ids.len()
            && found != n_rows
        {
            return Err(Error::length("the list of ids", n_rows, found));
        }
        if let Some(weights) = &self.weights {
            check_weights("`sample_weight`", weights, n_rows)?;
        }
        Ok(Table {
            schema: self.schema,
            n_rows,
            columns,
            streams,
            ids: self.ids,
            weights: self.weights,
        })
    }
}

fn check_column<'a>(
    spec: &FeatureSpec,
    mut column: Column<'a>,
    n_rows: usize,
) -> Result<Column<'a>> {
    let kind_fits = matches!(
        (spec.kind(), &column),
        (FeatureKind::Number, Column::Number(..))
            | (FeatureKind::Flag, Column::Flag(..))
            | (FeatureKind::Category | FeatureKind::Ordinal, Column::Category(..))
            | (FeatureKind::Date, Column::Date(..))
            | (FeatureKind::Tags, Column::Tags(..))
    );
    if !kind_fits {
        return Err(spec.wrong_kind(column.kind_name(), None));
    }
    let length_is = |found: usize| {
        if found == n_rows {
            Ok(())
        } else {
            Err(Error::length(format!("column `{}`", spec.name()), n_rows, found))
        }
    };
    if !column.validity().holds(n_rows) {
        let what = format!("the validity of column `{}`", spec.name());
        return Err(Error::length(what, n_rows, column.validity().len()));
    }
    if let Column::Number(numbers, validity @ Validity::NotNan) = &mut column {
        let mask: Vec<bool> = numbers.iter().map(|x| !x.is_nan()).collect();
        *validity = if mask.iter().all(|&valid| valid) {
            Validity::All
        } else {
            Validity::Mask(mask.into())
        };
    }
    match &column {
        Column::Number(numbers, validity) => {
            length_is(numbers.len())?;
            // All are looked at, so that the loop has no exit and many are done at once.
            let finite = |all: bool, x: &f64| all & x.is_finite();
            if numbers.as_slice().is_some_and(|x| x.iter().fold(true, finite)) {
                return Ok(column);
            }
            let bad = numbers
                .iter()
                .enumerate()
                .find(|&(row, x)| !x.is_finite() && validity.is_valid(row));
            if let Some((row, found)) = bad {
                return Err(spec.non_finite(found, Some(row)));
            }
        }
        Column::Flag(flags, _) => {
            if !flags.holds(n_rows) {
                length_is(flags.len())?;
            }
        }
        Column::Category(codes, levels, validity) => {
            length_is(codes.len())?;
            let allowed = allowed_levels(spec, levels);
            for (row, &code) in codes.iter().enumerate() {
                if validity.is_valid(row) {
                    check_code(spec, code, levels, &allowed, row)?;
                }
            }
        }
        Column::Date(days, validity) => {
            length_is(days.len())?;
            for (row, &day) in days.iter().enumerate() {
                if validity.is_valid(row) {
                    Date::from_days(day).map_err(|e| e.at_row(row))?;
                }
            }
        }
        Column::Tags(tags, validity) => {
            length_is(tags.offsets().len().saturating_sub(1))?;
            check_offsets(
                spec.name(),
                tags.offsets().iter().map(|&o| o as usize),
                tags.codes().len(),
            )?;
            let allowed = allowed_levels(spec, tags.levels());
            for row in (0..n_rows).filter(|&row| validity.is_valid(row)) {
                for &code in tags.codes_of(row) {
                    check_code(spec, code, tags.levels(), &allowed, row)?;
                }
            }
        }
    }
    Ok(column)
}

/// For each level of a column, whether the schema allows it.
fn allowed_levels(spec: &FeatureSpec, levels: &Levels<'_>) -> Vec<bool> {
    let allowed = spec.get_levels();
    if levels.len() == allowed.len() && levels.iter().eq(allowed) {
        return vec![true; allowed.len()];
    }
    let known: BTreeSet<&str> = allowed.iter().map(String::as_str).collect();
    levels.iter().map(|level| known.is_empty() || known.contains(level)).collect()
}

fn check_code(
    spec: &FeatureSpec,
    code: u32,
    levels: &Levels<'_>,
    allowed: &[bool],
    row: usize,
) -> Result<()> {
    match allowed.get(code as usize) {
        Some(true) => Ok(()),
        Some(false) => {
            let level = levels.get(code as usize).unwrap_or_default();
            Err(spec.unknown_level(level, Some(row)))
        }
        None => Err(ErrorKind::Value {
            expected: format!("a code of `{}`: below {}", spec.name(), levels.len())
                .into(),
            found: code.to_string(),
            row: Some(row),
        }
        .into()),
    }
}

fn check_offsets(
    name: &str,
    offsets: impl Iterator<Item = usize>,
    n_items: usize,
) -> Result<()> {
    let mut last = 0;
    for (row, offset) in offsets.enumerate() {
        if offset < last || offset > n_items {
            return Err(ErrorKind::Value {
                expected: format!("an offset of `{name}` from {last} to {n_items}")
                    .into(),
                found: offset.to_string(),
                row: Some(row),
            }
            .into());
        }
        last = offset;
    }
    Ok(())
}

fn check_stream<'a>(
    spec: &StreamSpec,
    stream: Stream<'a>,
    n_rows: usize,
) -> Result<Stream<'a>> {
    let name = spec.name();
    if stream.offsets.len().checked_sub(1) != Some(n_rows) {
        let what = format!("the offsets of stream `{name}`");
        let needed = n_rows.saturating_add(1);
        return Err(Error::length(what, needed, stream.offsets.len()));
    }
    check_offsets(name, stream.offsets.iter().copied(), stream.times.len())?;
    for row in 0..n_rows {
        let times = &stream.times[stream.offsets[row]..stream.offsets[row + 1]];
        let ends = [times.first(), times.last()].into_iter().flatten();
        if let Some(far) = ends.into_iter().find(|time| !time.is_in_calendar()) {
            return Err(ErrorKind::Value {
                expected: format!(
                    "a time of `{name}` from {} to {}",
                    Timestamp::MIN,
                    Timestamp::MAX
                )
                .into(),
                found: far.to_string(),
                row: Some(row),
            }
            .into());
        }
        if let Some(late) = times.windows(2).find(|pair| pair[0] > pair[1]) {
            return Err(ErrorKind::Value {
                expected: format!("at or after the event of `{name}` before it").into(),
                found: format!("time {}", late[1].as_millis()),
                row: Some(row),
            }
            .into());
        }
    }
    let n_events = stream.times.len();
    if n_events > 0 && stream.columns.len() != spec.properties().len() {
        let what = format!("the list of property columns of stream `{name}`");
        return Err(Error::length(what, spec.properties().len(), stream.columns.len()));
    }
    let mut columns = Vec::with_capacity(stream.columns.len());
    for (property, column) in spec.properties().iter().zip(stream.columns) {
        let checked = check_column(property, column, n_events).map_err(|e| {
            // The number of an event says nothing to those who know customers.
            let customer = |at: usize| {
                let row = stream.offsets.partition_point(|&from| from <= at);
                row.checked_sub(1).filter(|&row| row < n_rows)
            };
            e.of_stream(name).with_row(customer)
        });
        columns.push(checked?);
    }
    Ok(Stream { columns, ..stream })
}
