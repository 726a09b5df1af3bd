//! A database in memory that holds a case.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, Error, Result, params_from_iter};
use segmenta::rules::Dialect;
use segmenta::segmenter::Truth;

use crate::tables::{quoted, tables};
use crate::world::World;

/// The tables of a case, filled, and `REGEXP` as the crate searches.
pub fn load(world: &World) -> Result<Connection> {
    let db = Connection::open_in_memory()?;
    db.create_scalar_function(
        "regexp",
        2,
        FunctionFlags::SQLITE_DETERMINISTIC,
        |call| {
            let (pattern, text): (String, Option<String>) = (call.get(0)?, call.get(1)?);
            let regex = regex::Regex::new(&pattern);
            let regex = regex.map_err(|e| Error::UserFunctionError(Box::new(e)))?;
            Ok(text.map(|text| regex.is_match(&text)))
        },
    )?;
    for table in tables(world, Dialect::Sqlite) {
        db.execute(&table.create(), [])?;
        let places = vec!["?"; table.columns.len()].join(", ");
        let insert = format!("INSERT INTO {} VALUES ({places})", quoted(&table.name));
        for row in &table.rows {
            db.execute(&insert, params_from_iter(row.iter().map(cell)))?;
        }
    }
    Ok(db)
}

fn cell(value: &serde_json::Value) -> Cell {
    match (value, value.as_i64(), value.as_f64()) {
        (serde_json::Value::String(text), ..) => Cell::Text(text.clone()),
        (_, Some(x), _) => Cell::Integer(x),
        (_, _, Some(x)) => Cell::Real(x),
        _ => Cell::Null,
    }
}

/// What an answer of SQLite says; none for another number.
pub fn truth(answer: Option<i64>) -> Option<Truth> {
    match answer {
        None => Some(Truth::Unknown),
        Some(0) => Some(Truth::False),
        Some(1) => Some(Truth::True),
        Some(_) => None,
    }
}
