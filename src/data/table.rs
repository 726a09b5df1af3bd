//! Many customers: columns, checked once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::column::{Column, Flags, Ids, Levels, Numbers, TagColumn, Validity};
use super::weights::check_weights;
use super::{
    Customer, CustomerId, Date, EventColumn, Events, FeatureIndex, FeatureKind,
    FeatureSpec, Schema, StreamIndex, StreamSpec, Timestamp, Value,
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
struct Stream<'a> {
    /// Row `i` has the events from `offsets[i]` up to `offsets[i + 1]`.
    offsets: Cow<'a, [usize]>,
    times: Cow<'a, [Timestamp]>,
    columns: Vec<EventColumn<'a>>,
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

    /// Copies the values of customers, seen through `schema`. Event streams are left out.
    ///
    /// # Errors
    /// When a value is not finite, of another kind, or not among the levels; the error
    /// names the feature and the row.
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

    /// Copies some rows, in the order given, with their ids and weights. Event streams
    /// are left out.
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
            Events::new(&stream.times[from..to], &stream.columns, from)
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
    /// `offsets[i + 1]`, oldest first, with one column for each property.
    #[must_use]
    pub fn stream(
        mut self,
        name: &str,
        offsets: impl Into<Cow<'a, [usize]>>,
        times: impl Into<Cow<'a, [Timestamp]>>,
        columns: Vec<EventColumn<'a>>,
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
    /// When a feature has no column or a column no feature; when lengths differ; when a
    /// number is NaN or infinite, a code has no level, a level is not allowed, a date lies
    /// outside the calendar, offsets or times are out of order, or a weight is negative
    /// or not finite. The error names the feature and the row.
    pub fn build(self) -> Result<Table<'a>> {
        match &self.error {
            Some(Misplaced::Column(name)) => {
                self.schema.require(name)?;
            }
            Some(Misplaced::Stream(name)) => {
                let known: Vec<&str> =
                    self.schema.streams().iter().map(StreamSpec::name).collect();
                let expected = format!("one of {known:?}");
                return Err(Error::parameter("stream", expected, format!("`{name}`")));
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
            // Without offsets no row has events.
            let none = || Stream {
                offsets: Vec::new().into(),
                times: Vec::new().into(),
                columns: Vec::new(),
            };
            if let Some(stream) = &stream {
                check_stream(spec, stream, n_rows)?;
            }
            streams.push(stream.unwrap_or_else(none));
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

fn check_stream(spec: &StreamSpec, stream: &Stream<'_>, n_rows: usize) -> Result<()> {
    let name = spec.name();
    if stream.offsets.len().checked_sub(1) != Some(n_rows) {
        let what = format!("the offsets of stream `{name}`");
        let needed = n_rows.saturating_add(1);
        return Err(Error::length(what, needed, stream.offsets.len()));
    }
    check_offsets(name, stream.offsets.iter().copied(), stream.times.len())?;
    for row in 0..n_rows {
        let times = &stream.times[stream.offsets[row]..stream.offsets[row + 1]];
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
    for (property, column) in spec.properties().iter().zip(&stream.columns) {
        let checked = match column {
            EventColumn::Numbers(numbers, validity) => {
                Column::Number(numbers.clone(), validity.clone())
            }
            EventColumn::Categories(codes, levels, validity) => {
                Column::Category(codes.clone(), levels.clone(), validity.clone())
            }
        };
        check_column(property, checked, n_events)?;
    }
    Ok(())
}

/// Copies customers into owned columns.
struct Collector {
    schema: Schema,
    n_rows: usize,
    columns: Vec<Owned>,
    valid: Vec<Vec<bool>>,
    number_ids: Vec<u64>,
    text_ids: Vec<String>,
}

enum Owned {
    Numbers(Vec<f64>),
    Flags(Vec<bool>),
    Categories(Vec<u32>, Dictionary),
    Dates(Vec<i32>),
    Tags(Vec<u32>, Vec<u32>, Dictionary),
}

/// Names in order of their first use, with their codes.
#[derive(Default)]
struct Dictionary {
    names: Vec<String>,
    codes: BTreeMap<String, u32>,
}

impl Dictionary {
    fn of(spec: &FeatureSpec) -> Dictionary {
        let mut dictionary = Dictionary::default();
        for level in spec.get_levels() {
            dictionary.insert(level);
        }
        dictionary
    }

    fn insert(&mut self, name: &str) -> u32 {
        let code = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.codes.insert(name.to_owned(), code);
        code
    }

    fn code(&mut self, spec: &FeatureSpec, name: &str, row: usize) -> Result<u32> {
        match self.codes.get(name) {
            Some(&code) => Ok(code),
            None if spec.get_levels().is_empty() => Ok(self.insert(name)),
            None => Err(spec.unknown_level(name, Some(row))),
        }
    }
}

impl Collector {
    fn new(schema: &Schema) -> Collector {
        let column = |spec: &FeatureSpec| match spec.kind() {
            FeatureKind::Number => Owned::Numbers(Vec::new()),
            FeatureKind::Flag => Owned::Flags(Vec::new()),
            FeatureKind::Category | FeatureKind::Ordinal => {
                Owned::Categories(Vec::new(), Dictionary::of(spec))
            }
            FeatureKind::Date => Owned::Dates(Vec::new()),
            FeatureKind::Tags => Owned::Tags(vec![0], Vec::new(), Dictionary::of(spec)),
        };
        Collector {
            schema: schema.clone(),
            n_rows: 0,
            columns: schema.features().iter().map(column).collect(),
            valid: vec![Vec::new(); schema.len()],
            number_ids: Vec::new(),
            text_ids: Vec::new(),
        }
    }

    fn push(&mut self, customer: &dyn Customer) -> Result<()> {
        let row = self.n_rows;
        for (i, spec) in self.schema.features().iter().enumerate() {
            let value = customer.value(FeatureIndex::new(i as u32));
            self.valid[i].push(!value.is_missing());
            match (&mut self.columns[i], value) {
                (Owned::Numbers(column), Value::Number(x)) => {
                    if !x.is_finite() {
                        return Err(spec.non_finite(x, Some(row)));
                    }
                    column.push(x);
                }
                (Owned::Numbers(column), Value::Missing) => column.push(0.0),
                (Owned::Flags(column), Value::Flag(x)) => column.push(x),
                (Owned::Flags(column), Value::Missing) => column.push(false),
                (Owned::Categories(column, names), Value::Category(x)) => {
                    column.push(names.code(spec, x, row)?);
                }
                (Owned::Categories(column, _), Value::Missing) => column.push(0),
                (Owned::Dates(column), Value::Date(x)) => {
                    column.push(x.days_since_epoch())
                }
                (Owned::Dates(column), Value::Missing) => column.push(0),
                (Owned::Tags(offsets, codes, names), Value::Tags(tags)) => {
                    for tag in tags.iter() {
                        codes.push(names.code(spec, tag, row)?);
                    }
                    offsets.push(codes.len() as u32);
                }
                (Owned::Tags(offsets, codes, _), Value::Missing) => {
                    offsets.push(codes.len() as u32);
                }
                (_, other) => return Err(spec.wrong_kind(other.kind_name(), Some(row))),
            }
        }
        self.push_id(customer.id());
        self.n_rows += 1;
        Ok(())
    }

    /// Ids stay numbers as long as all of them are.
    fn push_id(&mut self, id: CustomerId<'_>) {
        match id {
            CustomerId::Number(id) if self.text_ids.is_empty() => {
                self.number_ids.push(id)
            }
            id => {
                if self.text_ids.is_empty() {
                    self.text_ids = self.number_ids.iter().map(u64::to_string).collect();
                }
                self.text_ids.push(id.to_string());
            }
        }
    }

    fn finish(self, weights: Option<Vec<f64>>) -> Result<Table<'static>> {
        let mut builder = Table::builder(&self.schema, self.n_rows);
        let specs = self.schema.features();
        for ((spec, column), valid) in specs.iter().zip(self.columns).zip(self.valid) {
            let validity = if valid.iter().all(|&v| v) {
                Validity::All
            } else {
                Validity::Mask(valid.into())
            };
            let column = match column {
                Owned::Numbers(x) => Column::Number(x.into(), validity),
                Owned::Flags(x) => Column::Flag(x.into(), validity),
                Owned::Categories(x, names) => {
                    Column::Category(x.into(), names.names.into(), validity)
                }
                Owned::Dates(x) => Column::Date(x.into(), validity),
                Owned::Tags(offsets, codes, names) => {
                    Column::Tags(TagColumn::new(offsets, codes, names.names), validity)
                }
            };
            builder = builder.column(spec.name(), column);
        }
        let ids = if self.text_ids.is_empty() {
            Ids::Numbers(self.number_ids.into())
        } else {
            Ids::Texts(self.text_ids.into())
        };
        builder = builder.ids(ids);
        if let Some(weights) = weights {
            builder = builder.sample_weight(weights);
        }
        builder.build()
    }
}
