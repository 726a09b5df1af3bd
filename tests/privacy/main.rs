//! What may be told, asked and kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacker;
mod audience;
mod changes;
mod forget;
mod mask;
mod policy;

use segmenta::data::{Column, FeatureSpec, Ids, Schema, Table, Validity};
use segmenta::rules::{Rule, RuleBook, RuleSet, field};

const FLAGS: usize = 5;

/// Flags of rows, each of which may be missing.
type Flags = [Option<bool>; FLAGS];

fn flags_schema() -> Schema {
    Schema::new((0..FLAGS).map(|i| FeatureSpec::flag(format!("f{i}")))).unwrap()
}

/// Rows with flags, and with the ids that are stated.
fn flags_table(rows: &[Flags], ids: Vec<u64>) -> Table<'static> {
    let schema = flags_schema();
    let builder = Table::builder(&schema, rows.len()).ids(Ids::Numbers(ids.into()));
    let builder = (0..FLAGS).fold(builder, |builder, i| {
        let flags: Vec<bool> = rows.iter().map(|row| row[i].unwrap_or(false)).collect();
        let known: Vec<bool> = rows.iter().map(|row| row[i].is_some()).collect();
        let column = Column::Flag(flags.into(), Validity::Mask(known.into()));
        builder.column(&format!("f{i}"), column)
    });
    builder.build().unwrap()
}

/// A rule of three flags, one of a few kinds.
fn flags_rule(&(a, b, kind): &(usize, usize, u8)) -> Rule {
    let [a, b, c] = [a, b, a + 1].map(|i| field(format!("f{}", i % FLAGS)).eq(true));
    match kind % 8 {
        0 => a,
        1 => a & b,
        2 => a | b,
        3 => !a,
        4 => a & !b,
        5 => a | b | c,
        6 => a & b & c,
        _ => Rule::Everyone,
    }
}

fn flags_book(rules: &[(usize, usize, u8)]) -> RuleBook {
    let set = rules.iter().enumerate().fold(RuleSet::new(), |set, (i, parts)| {
        set.segment(format!("s{i}"), format!("S{i}"), flags_rule(parts))
    });
    set.compile_book(&flags_schema()).unwrap()
}
