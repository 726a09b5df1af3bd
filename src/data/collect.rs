//! Customers, copied into the columns of a table.

use std::collections::BTreeMap;

use super::column::{Column, Ids, TagColumn, Validity};
use super::table::Table;
use super::{
    Customer, CustomerId, FeatureIndex, FeatureKind, FeatureSpec, Schema, StreamIndex,
    Timestamp, Value,
};
use crate::error::Result;

/// Copies customers into owned columns.
pub(super) struct Collector {
    schema: Schema,
    n_rows: usize,
    columns: Vec<Collected>,
    streams: Vec<CollectedStream>,
    number_ids: Vec<u64>,
    text_ids: Vec<String>,
}

/// Values of one feature or property.
pub(super) struct Collected {
    values: Owned,
    valid: Vec<bool>,
}

struct CollectedStream {
    offsets: Vec<usize>,
    times: Vec<Timestamp>,
    columns: Vec<Collected>,
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

    fn code(&mut self, spec: &FeatureSpec, name: &str) -> Result<u32> {
        match self.codes.get(name) {
            Some(&code) => Ok(code),
            None if spec.get_levels().is_empty() => Ok(self.insert(name)),
            None => Err(spec.unknown_level(name, None)),
        }
    }
}

impl Collected {
    pub(super) fn new(spec: &FeatureSpec) -> Collected {
        let values = match spec.kind() {
            FeatureKind::Number => Owned::Numbers(Vec::new()),
            FeatureKind::Flag => Owned::Flags(Vec::new()),
            FeatureKind::Category | FeatureKind::Ordinal => {
                Owned::Categories(Vec::new(), Dictionary::of(spec))
            }
            FeatureKind::Date => Owned::Dates(Vec::new()),
            FeatureKind::Tags => Owned::Tags(vec![0], Vec::new(), Dictionary::of(spec)),
        };
        Collected { values, valid: Vec::new() }
    }

    pub(super) fn push(&mut self, spec: &FeatureSpec, value: Value<'_>) -> Result<()> {
        self.valid.push(!value.is_missing());
        match (&mut self.values, value) {
            (Owned::Numbers(column), Value::Number(x)) => {
                if !x.is_finite() {
                    return Err(spec.non_finite(x, None));
                }
                column.push(x);
            }
            (Owned::Numbers(column), Value::Missing) => column.push(0.0),
            (Owned::Flags(column), Value::Flag(x)) => column.push(x),
            (Owned::Flags(column), Value::Missing) => column.push(false),
            (Owned::Categories(column, names), Value::Category(x)) => {
                column.push(names.code(spec, x)?);
            }
            (Owned::Categories(column, _), Value::Missing) => column.push(0),
            (Owned::Dates(column), Value::Date(x)) => column.push(x.days_since_epoch()),
            (Owned::Dates(column), Value::Missing) => column.push(0),
            (Owned::Tags(offsets, codes, names), Value::Tags(tags)) => {
                for tag in tags.iter() {
                    codes.push(names.code(spec, tag)?);
                }
                offsets.push(codes.len() as u32);
            }
            (Owned::Tags(offsets, codes, _), Value::Missing) => {
                offsets.push(codes.len() as u32);
            }
            (_, other) => return Err(spec.wrong_kind(other.kind_name(), None)),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Column<'static> {
        let validity = if self.valid.iter().all(|&valid| valid) {
            Validity::All
        } else {
            Validity::Mask(self.valid.into())
        };
        match self.values {
            Owned::Numbers(x) => Column::Number(x.into(), validity),
            Owned::Flags(x) => Column::Flag(x.into(), validity),
            Owned::Categories(x, names) => {
                Column::Category(x.into(), names.names.into(), validity)
            }
            Owned::Dates(x) => Column::Date(x.into(), validity),
            Owned::Tags(offsets, codes, names) => {
                Column::Tags(TagColumn::new(offsets, codes, names.names), validity)
            }
        }
    }
}

impl Collector {
    pub(super) fn new(schema: &Schema) -> Collector {
        let collected =
            |specs: &[FeatureSpec]| specs.iter().map(Collected::new).collect();
        let stream = |properties: &[FeatureSpec]| CollectedStream {
            offsets: vec![0],
            times: Vec::new(),
            columns: collected(properties),
        };
        Collector {
            schema: schema.clone(),
            n_rows: 0,
            columns: collected(schema.features()),
            streams: schema.streams().iter().map(|s| stream(s.properties())).collect(),
            number_ids: Vec::new(),
            text_ids: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, customer: &dyn Customer) -> Result<()> {
        let row = self.n_rows;
        for (i, spec) in self.schema.features().iter().enumerate() {
            let value = customer.value(FeatureIndex::new(i as u32));
            self.columns[i].push(spec, value).map_err(|e| e.at_row(row))?;
        }
        for (i, spec) in self.schema.streams().iter().enumerate() {
            let stream = &mut self.streams[i];
            let events = customer.events(StreamIndex::new(i as u32));
            stream.times.extend(events.times());
            stream.offsets.push(stream.times.len());
            for (j, property) in spec.properties().iter().enumerate() {
                let index = FeatureIndex::new(j as u32);
                for event in 0..events.len() {
                    let pushed =
                        stream.columns[j].push(property, events.property(event, index));
                    pushed.map_err(|e| e.of_stream(spec.name()).at_row(row))?;
                }
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

    pub(super) fn finish(self, weights: Option<Vec<f64>>) -> Result<Table<'static>> {
        let mut builder = Table::builder(&self.schema, self.n_rows);
        for (spec, column) in self.schema.features().iter().zip(self.columns) {
            builder = builder.column(spec.name(), column.finish());
        }
        for (spec, stream) in self.schema.streams().iter().zip(self.streams) {
            let CollectedStream { offsets, times, columns } = stream;
            let columns = columns.into_iter().map(Collected::finish).collect();
            builder = builder.stream(spec.name(), offsets, times, columns);
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
