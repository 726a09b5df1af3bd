//! Prints random cases for other engines, one a line: the tables, the statements, and what
//! the crate answers.
//!
//!   cargo run --bin cases -- duck_db 1000

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use segmenta::rules::Dialect;
use segmenta::segmenter::{SegmentIndex, Truth};
use segmenta::{Segmenter, SegmenterExt};
use segmenta_sqlite::random;
use segmenta_sqlite::tables::{quoted, tables};
use serde_json::json;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dialect = arguments.next().expect("usage: cases DIALECT N");
    let dialect: Dialect = serde_json::from_value(json!(dialect)).expect("a dialect");
    let n: usize = arguments.next().map_or(100, |n| n.parse().expect("a number"));
    let mut runner = TestRunner::deterministic();
    for _ in 0..n {
        let world = random::world().new_tree(&mut runner).expect("a case").current();
        let layout = world.layout(dialect);
        let Ok(sql) = world.book().to_sql(&layout) else { continue };
        let model = world.segmenter();
        let assigned = world.people.iter().map(|person| {
            let assignment =
                model.assign(&world.customer(person)).expect("usable values");
            model.segment_of(&assignment).map(|segment| segment.id.as_str().to_owned())
        });
        let truths = world.truths().into_iter().map(|truths| {
            let truths = truths.into_iter().map(|truth| match truth {
                Truth::True => Some(true),
                Truth::Unknown => None,
                Truth::False => Some(false),
            });
            truths.collect::<Vec<_>>()
        });
        let tables = tables(&world, dialect).into_iter().map(|table| {
            json!({
                "create": table.create(),
                "name": quoted(&table.name),
                "types": table.columns.iter().map(|(_, kind)| value_type(kind)).collect::<Vec<_>>(),
                "rows": table.rows,
            })
        });
        let segments = world.book().segments().len();
        let rows = (0..segments).map(|at| {
            let expression = sql.expression(SegmentIndex::new(at as u32)).expect("small");
            let (table, id) = (quoted(world.customers()), quoted(world.id()));
            format!("SELECT ({expression}) FROM {table} AS \"c\" ORDER BY {id}")
        });
        let case = json!({
            "tables": tables.collect::<Vec<_>>(),
            "membership": sql.membership(),
            "assignment": world.segmenter().to_sql(&layout).expect("what the book says"),
            "assigned": assigned.collect::<Vec<_>>(),
            "counts": sql.counts(),
            "expressions": rows.collect::<Vec<_>>(),
            "customers": world.people.iter().map(|person| person.id).collect::<Vec<_>>(),
            "segments": world.book().segments().iter().map(|s| s.id.as_str().to_owned()).collect::<Vec<_>>(),
            "truths": truths.collect::<Vec<_>>(),
        });
        println!("{case}");
    }
}

/// Without how the column compares its values.
fn value_type(kind: &str) -> &str {
    kind.split(" COLLATE").next().unwrap_or(kind)
}
