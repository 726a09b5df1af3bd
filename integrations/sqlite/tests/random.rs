//! What SQLite answers is what the crate answers, for random books and customers.

use proptest::prelude::*;
use segmenta::rules::{Dialect, SqlBook};
use segmenta::segmenter::{SegmentIndex, Truth};
use segmenta::{Segmenter, SegmenterExt};
use segmenta_sqlite::database::{load, truth};
use segmenta_sqlite::random;
use segmenta_sqlite::tables::quoted;
use segmenta_sqlite::world::{World, ZoneKind};

/// Asks SQLite in all three ways, and compares.
fn check(world: &World, sql: &SqlBook) {
    let (db, expected) = (load(world).unwrap(), world.truths());
    let ids: Vec<String> = world
        .book()
        .segments()
        .iter()
        .map(|segment| segment.id.as_str().to_owned())
        .collect();

    let text = sql.membership();
    let mut query = db.prepare(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut rows = query.query([]).unwrap();
    let mut n_rows = 0;
    while let Some(row) = rows.next().unwrap() {
        let (id, segment): (i64, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let found = truth(row.get(2).unwrap()).unwrap();
        let at = ids.iter().position(|id| *id == segment).unwrap();
        let person =
            world.people.iter().position(|person| person.id as i64 == id).unwrap();
        assert_eq!(found, expected[person][at], "customer {id}, {segment}\n{text}");
        n_rows += 1;
    }
    assert_eq!(n_rows, ids.len() * world.people.len());

    let text = sql.counts();
    let mut query = db.prepare(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let counted = query
        .query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                [row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?],
            ))
        })
        .unwrap();
    let counted: Vec<(String, [i64; 3])> = counted.map(Result::unwrap).collect();
    for (at, (id, counts)) in counted.iter().enumerate() {
        let n = |truth| expected.iter().filter(|row| row[at] == truth).count() as i64;
        assert_eq!(*id, ids[at]);
        assert_eq!(
            *counts,
            [n(Truth::True), n(Truth::Unknown), n(Truth::False)],
            "{text}"
        );
    }
    assert_eq!(counted.len(), ids.len());

    for at in 0..ids.len() {
        let expression = sql.expression(SegmentIndex::new(at as u32)).unwrap();
        let (table, id) = (quoted(world.customers()), quoted(world.id()));
        let text = format!("SELECT ({expression}) FROM {table} AS \"c\" ORDER BY {id}");
        let mut query = db.prepare(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let found = query.query_map([], |row| row.get::<_, Option<i64>>(0)).unwrap();
        let found: Vec<Truth> =
            found.map(|value| truth(value.unwrap()).unwrap()).collect();
        let expected: Vec<Truth> = expected.iter().map(|row| row[at]).collect();
        assert_eq!(found, expected, "{}\n{text}", ids[at]);
    }
}

/// Asks SQLite for the segment of each customer, by the priority of segments.
fn check_assignment(world: &World, text: &str) {
    let (db, model) = (load(world).unwrap(), world.segmenter());
    let text = format!("SELECT * FROM ({text}) AS q ORDER BY q.customer");
    let mut query = db.prepare(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let found =
        query.query_map([], |row| Ok((row.get("customer")?, row.get("segment")?)));
    let found: Vec<(i64, Option<String>)> = found.unwrap().map(Result::unwrap).collect();
    let expected = world.people.iter().map(|person| {
        let assignment = model.assign(&world.customer(person)).unwrap();
        let segment = model.segment_of(&assignment);
        (person.id as i64, segment.map(|segment| segment.id.as_str().to_owned()))
    });
    assert_eq!(found, expected.collect::<Vec<_>>(), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(600)
    })]

    #[test]
    fn sqlite_answers_as_the_crate_does(world in random::world()) {
        match world.book().to_sql(&world.layout(Dialect::Sqlite)) {
            Ok(sql) => {
                check(&world, &sql);
                let layout = world.layout(Dialect::Sqlite);
                check_assignment(&world, &world.segmenter().to_sql(&layout).unwrap());
            }
            // Days of events in a zone that SQLite does not know.
            Err(error) => {
                let text = error.to_string();
                prop_assert!(text.contains("local days of events"), "{}", text);
                prop_assert_eq!(world.zone, ZoneKind::Moving);
            }
        }
    }
}
