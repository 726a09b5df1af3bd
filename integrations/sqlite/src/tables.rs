//! The tables of a case.

use segmenta::data::{FeatureKind, FeatureSpec, OwnedValue, Timestamp};
use segmenta::rules::{DateForm, Dialect, FlagForm, TimeForm};
use serde_json::{Value, json};

use crate::world::World;

/// A table with its rows, whose values are null, a number or a text.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    /// Names and types.
    pub columns: Vec<(String, &'static str)>,
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    fn new(name: impl Into<String>) -> Table {
        Table { name: name.into(), columns: Vec::new(), rows: Vec::new() }
    }

    fn column(&mut self, name: impl Into<String>, kind: &'static str) {
        self.columns.push((name.into(), kind));
    }

    pub fn create(&self) -> String {
        let columns = self.columns.iter();
        let columns: Vec<String> =
            columns.map(|(name, kind)| format!("{} {kind}", quoted(name))).collect();
        format!("CREATE TABLE {} ({})", quoted(&self.name), columns.join(", "))
    }
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// All tables that the rules of a case may read.
pub fn tables(world: &World, dialect: Dialect) -> Vec<Table> {
    let mut customers = Table::new(world.customers());
    customers.column(world.id(), "BIGINT");
    let mut tables = Vec::new();
    for (i, feature) in world.schema.features().iter().enumerate() {
        if feature.kind() != FeatureKind::Tags {
            let kind = column_type(world, dialect, feature);
            customers.column(world.column(feature.name()), kind);
            continue;
        }
        let mut tags = Table::new(world.tags_table(feature.name()));
        tags.column("customer", "BIGINT");
        tags.column("tag", text_type(dialect));
        for person in &world.people {
            if let OwnedValue::Tags(names) = &person.values[i] {
                tags.rows
                    .extend(names.iter().map(|tag| vec![json!(person.id), json!(tag)]));
            }
        }
        tables.push(tags);
        if world.form.tags_known {
            customers.column(format!("knows {}", feature.name()), "INTEGER");
        }
    }
    for person in &world.people {
        let mut row = vec![json!(person.id)];
        for (feature, value) in world.schema.features().iter().zip(&person.values) {
            match value {
                OwnedValue::Tags(_) if world.form.tags_known => row.push(json!(1)),
                OwnedValue::Missing
                    if feature.kind() == FeatureKind::Tags && !world.form.tags_known => {}
                OwnedValue::Tags(_) => {}
                value => row.push(cell(world, dialect, value)),
            }
        }
        customers.rows.push(row);
    }
    tables.push(customers);
    for (i, stream) in world.schema.streams().iter().enumerate() {
        let mut events = Table::new(world.events_table(stream));
        events.column("customer", "BIGINT");
        events.column(
            "time",
            match world.times(dialect) {
                TimeForm::Timestamp => "TIMESTAMP",
                _ => "BIGINT",
            },
        );
        events.column("nth", "INTEGER");
        for property in stream.properties() {
            let kind = column_type(world, dialect, property);
            events.column(world.column(property.name()), kind);
        }
        for person in &world.people {
            for (nth, (time, values)) in person.events[i].iter().enumerate() {
                let time = instant(world.times(dialect), *time);
                let mut row = vec![json!(person.id), time, json!(nth)];
                row.extend(values.iter().map(|value| cell(world, dialect, value)));
                events.rows.push(row);
            }
        }
        // As a database gives them: in no order.
        events.rows.reverse();
        tables.push(events);
    }
    tables
}

fn text_type(dialect: Dialect) -> &'static str {
    // That columns take upper and lower case for the same must not matter.
    match dialect {
        Dialect::Sqlite => "TEXT COLLATE NOCASE",
        Dialect::DuckDb => "VARCHAR COLLATE NOCASE",
        // Made by `engines.py`.
        Dialect::Postgres => "VARCHAR COLLATE nocase",
        _ => "VARCHAR",
    }
}

fn column_type(world: &World, dialect: Dialect, spec: &FeatureSpec) -> &'static str {
    let is_sqlite = dialect == Dialect::Sqlite;
    match spec.kind() {
        FeatureKind::Number if is_sqlite => {
            if world.form.integers {
                "NUMERIC"
            } else {
                "REAL"
            }
        }
        FeatureKind::Number => "DOUBLE PRECISION",
        FeatureKind::Flag if world.form.flags == FlagForm::Integer || is_sqlite => {
            "INTEGER"
        }
        FeatureKind::Flag => "BOOLEAN",
        FeatureKind::Date if is_sqlite || world.form.dates == DateForm::Text => "VARCHAR",
        FeatureKind::Date => "DATE",
        _ => text_type(dialect),
    }
}

fn cell(world: &World, dialect: Dialect, value: &OwnedValue) -> Value {
    match value {
        OwnedValue::Missing | OwnedValue::Tags(_) => Value::Null,
        OwnedValue::Number(x) => json!(x),
        OwnedValue::Flag(x)
            if world.form.flags == FlagForm::Integer || dialect == Dialect::Sqlite =>
        {
            json!(i32::from(*x))
        }
        OwnedValue::Flag(x) => json!(x),
        OwnedValue::Category(x) => json!(x),
        OwnedValue::Date(x) => json!(x.to_string()),
    }
}

fn instant(form: TimeForm, time: Timestamp) -> Value {
    match form {
        TimeForm::Timestamp => {
            json!(time.to_string().replace('T', " ").replace('Z', ""))
        }
        _ => json!(time.as_millis()),
    }
}
