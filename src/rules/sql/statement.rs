//! Whole statements: everything that rules need is computed once, then the rules, each after
//! those to which it refers, then what is asked.

use std::collections::BTreeMap;

use super::dialect::{Dialect, quoted};
use super::events::{Column, Made, hull};
use super::expression::Sql;
use super::layout::SqlLayout;
use super::write::{Place, Writer};
use crate::data::StreamIndex;
use crate::error::Result;
use crate::rules::set::CompiledSet;

/// Segments that are counted in one query: engines bound how many columns it may have.
const WIDTH: usize = 500;

/// Tables that are joined in one query: SQLite allows 64.
const JOINED: usize = 50;

/// The parts of a query up to a last one, which has a row for each customer: her id, and
/// the truth of segment 0 as `m0`, of segment 1 as `m1` …
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    parts: Vec<Part>,
    /// What names begin with.
    prefix: String,
    dialect: Dialect,
}

/// A query of what events give, by its name: its columns, and what stands in each for a
/// customer whom it does not know, where that is not NULL.
type Source = (String, Vec<(String, Option<&'static str>)>);

/// A query with a name.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    query: String,
    /// Whether those after it read it as it is, and do not repeat what it says.
    is_kept: bool,
}

impl Prepared {
    pub(super) fn new(set: &CompiledSet, layout: &SqlLayout) -> Result<Prepared> {
        let bound = set.bound.as_deref();
        let mut writer = Writer::new(&set.schema, bound, layout, Place::Statement);
        let mut rules = Vec::new();
        for (i, (rule, segment)) in set.rules.iter().zip(set.segments.iter()).enumerate()
        {
            writer.faults.of_segment(segment.id.as_str(), format!("/segments/{i}/rule"));
            rules.push(writer.compiled(rule));
        }
        let mut prepared = Prepared {
            parts: Vec::new(),
            prefix: layout.free_prefix(),
            dialect: layout.dialect,
        };
        let mut sources = prepared.aggregates(&mut writer);
        sources.extend(prepared.sequences(&writer));
        prepared.base(&writer, &sources);
        prepared.levels(set, &rules);
        writer.faults.finish(prepared)
    }

    fn name(&self, of: &str) -> String {
        format!("\"{}{of}\"", self.prefix)
    }

    fn push(&mut self, name: String, query: String) {
        self.parts.push(Part { name, query, is_kept: false });
    }

    fn last_name(&self) -> &str {
        self.parts.last().map_or("", |part| &part.name)
    }

    /// Queries of what the events of each customer give.
    fn aggregates(&mut self, writer: &mut Writer<'_>) -> Vec<Source> {
        let mut sources: Vec<Source> = Vec::new();
        let by_bytes = self.dialect.any_by_bytes();
        let aggregates = std::mem::take(&mut writer.aggregates);
        let mut grouped: BTreeMap<StreamIndex, Vec<(u32, &Column<'_>, &str)>> =
            BTreeMap::new();
        for (place, column) in &aggregates {
            let layout = column.layout;
            let (table, customer) = (layout.table.quoted(), quoted(&layout.customer));
            match &column.made {
                Made::Grouped(sql) => {
                    let columns = grouped.entry(column.stream).or_default();
                    columns.push((*place, column, sql));
                }
                Made::Picked { value, passes, is_last } => {
                    let way = if *is_last { " DESC" } else { "" };
                    let time = quoted(&layout.time);
                    let order = quoted(layout.order.as_deref().unwrap_or(&layout.time));
                    let name = self.name(&format!("pick{place}"));
                    let query = format!(
                        "SELECT \"q\".\"id\" AS \"id\", \"q\".\"a\" AS \"a{place}\" FROM \
                         (SELECT \"e\".{customer} AS \"id\", {value} AS \"a\", \
                         ROW_NUMBER() OVER (PARTITION BY \"e\".{customer}{by_bytes} \
                         ORDER BY \"e\".{time}{way}, \"e\".{order}{by_bytes}{way}) AS \"n\" \
                         FROM {table} AS \"e\" WHERE {}) AS \"q\" WHERE \"q\".\"n\" = 1",
                        passes.as_str()
                    );
                    self.push(name.clone(), query);
                    sources.push((name, vec![(format!("a{place}"), column.none)]));
                }
            }
        }
        for (stream, columns) in grouped {
            let Some((_, first, _)) = columns.first() else { continue };
            let (table, customer) =
                (first.layout.table.quoted(), quoted(&first.layout.customer));
            let time = format!("\"e\".{}", quoted(&first.layout.time));
            // Events in no window need not be grouped.
            let window = hull(columns.iter().map(|(_, column, _)| &column.window));
            let window = writer.window(&time, &window).unwrap_or_default();
            let list: Vec<String> = columns
                .iter()
                .map(|(at, _, sql)| format!("{sql} AS \"a{at}\""))
                .collect();
            let name = self.name(&format!("events{}", stream.get()));
            let query = format!(
                "SELECT \"e\".{customer} AS \"id\",\n    {}\n  FROM {table} AS \"e\" \
                 WHERE {} GROUP BY \"e\".{customer}{by_bytes}",
                list.join(",\n    "),
                Sql::all(window).as_str(),
            );
            self.push(name.clone(), query);
            let columns = columns.iter();
            let columns = columns.map(|(at, column, _)| (format!("a{at}"), column.none));
            sources.push((name, columns.collect()));
        }
        sources
    }

    /// Queries of customers whose events have an order.
    fn sequences(&mut self, writer: &Writer<'_>) -> Vec<Source> {
        let mut sources = Vec::new();
        for (place, query) in &writer.sequences {
            let name = self.name(&format!("sequence{place}"));
            self.push(name.clone(), query.clone());
            sources.push((name, vec![(format!("q{place}"), Some("0"))]));
        }
        sources
    }

    /// The query of customers, with all that rules read of them.
    fn base(&mut self, writer: &Writer<'_>, sources: &[Source]) {
        let layout = writer.layout;
        let id = quoted(&layout.id);
        let mut columns = vec![format!("\"c\".{id} AS \"id\"")];
        for feature in &writer.features {
            let Some(spec) = writer.schema.get(*feature) else { continue };
            let known =
                layout.tags_of(spec.name()).and_then(|tags| tags.known.as_deref());
            let column = known.unwrap_or(layout.column_of(spec.name()));
            columns.push(format!("\"c\".{} AS \"f{}\"", quoted(column), feature.get()));
        }
        let mut from = format!("{} AS \"c\"", layout.customers.quoted());
        let (mut id, mut n_kept) = (id, 0);
        for (i, (name, read)) in sources.iter().enumerate() {
            if i > 0 && i % JOINED == 0 {
                let name = self.name(&format!("joined{n_kept}"));
                let query = format!("SELECT {}\n  FROM {from}", columns.join(",\n    "));
                from = format!("{name} AS \"c\"");
                self.parts.push(Part { name, query, is_kept: true });
                columns = vec!["\"c\".*".to_owned()];
                (id, n_kept) = (quoted("id"), n_kept + 1);
            }
            from.push_str(&format!(
                "\n  LEFT JOIN {name} AS \"s{i}\" ON \"s{i}\".\"id\" = \"c\".{id}{}",
                self.dialect.any_by_bytes(),
            ));
            for (name, none) in read {
                let column = format!("\"s{i}\".\"{name}\"");
                columns.push(match none {
                    Some(none) => format!("COALESCE({column}, {none}) AS \"{name}\""),
                    None => format!("{column} AS \"{name}\""),
                });
            }
        }
        let query = format!("SELECT {}\n  FROM {from}", columns.join(",\n    "));
        self.push(self.name("customers"), query);
    }

    /// Queries that add the truth of segments, level by level: those of the next level
    /// refer to those before it, so that each is computed once however many refer to it.
    fn levels(&mut self, set: &CompiledSet, rules: &[Sql]) {
        let depths = depths(set);
        let deepest = depths.iter().copied().max().unwrap_or(0);
        let mut levels: Vec<Vec<String>> = vec![Vec::new(); deepest + 1];
        for (i, (sql, depth)) in rules.iter().zip(depths).enumerate() {
            levels[depth].push(format!("{} AS \"m{i}\"", sql.as_str()));
        }
        if let Some(rest) = set.rest_index() {
            let member = |i: usize| Sql::atom(format!("\"c\".\"m{i}\"")).is_true();
            let any = Sql::any((0..rules.len()).map(member).collect());
            let sql = any.negated();
            levels.push(vec![format!("{} AS \"m{}\"", sql.as_str(), rest.get())]);
        }
        for (i, columns) in levels.into_iter().enumerate() {
            let before = self.last_name();
            let query = format!(
                "SELECT \"c\".*,\n    {}\n  FROM {before} AS \"c\"",
                columns.join(",\n    ")
            );
            let name = self.name(&format!("level{i}"));
            self.parts.push(Part { name, query, is_kept: true });
        }
    }

    /// The parts, without a comma after the last one.
    fn with(&self) -> String {
        let parts = self.parts.iter().map(|Part { name, query, is_kept }| {
            let kept = if *is_kept { self.dialect.materialized() } else { "" };
            format!("{name} AS {kept}(\n  {query}\n)")
        });
        format!("WITH {}", parts.collect::<Vec<_>>().join(",\n"))
    }

    /// A statement with a last part of its own, which reads the names of the segments from
    /// `g`, with their numbers, and customers from `c`.
    fn statement(
        &self,
        names: &[String],
        last: impl FnOnce(&str, &str) -> String,
    ) -> String {
        let mut text = self.with();
        let segments = self.name("segments");
        let rows = names.iter().enumerate().map(|(i, name)| format!("({i}, {name})"));
        let rows: Vec<String> = rows.collect();
        let rows = rows.join(",\n    ");
        text.push_str(&format!(
            ",\n{segments}(\"n\", \"segment\") AS (\n  VALUES {rows}\n)\n"
        ));
        text.push_str(&last(self.last_name(), &segments));
        text
    }

    /// A row for each customer and segment.
    pub(super) fn membership(&self, names: &[String]) -> String {
        self.statement(names, |customers, segments| {
            let truth = by_number(names.len(), |i| format!("\"c\".\"m{i}\""));
            format!(
                "SELECT \"c\".\"id\" AS \"customer\", \"g\".\"segment\" AS \"segment\", \
                 {truth} AS \"truth\"\nFROM {customers} AS \"c\" CROSS JOIN {segments} AS \"g\""
            )
        })
    }

    /// A row for each customer, with the first segment of which she is a member.
    pub(super) fn assignment(&self, names: &[String], rest: Option<&String>) -> String {
        let rest = rest.map_or("NULL", String::as_str);
        let each = names.iter().enumerate();
        let each: Vec<String> =
            each.map(|(i, name)| format!("WHEN \"c\".\"m{i}\" THEN {name}")).collect();
        let segment = format!("CASE {} ELSE {rest} END", each.join(" "));
        format!(
            "{}\nSELECT \"c\".\"id\" AS \"customer\", {segment} AS \"segment\"\nFROM {} AS \"c\"",
            self.with(),
            self.last_name(),
        )
    }

    /// A row for each segment.
    pub(super) fn counts(&self, names: &[String]) -> String {
        self.statement(names, |customers, segments| {
            let n = names.len();
            let of = |i: usize| format!("\"k{}\"", i / WIDTH);
            let members = by_number(n, |i| format!("{}.\"t{i}\"", of(i)));
            let undecided = by_number(n, |i| {
                format!("{}.\"n\" - {}.\"k{i}\"", of(i), of(i))
            });
            let others = by_number(n, |i| {
                format!("{}.\"k{i}\" - {}.\"t{i}\"", of(i), of(i))
            });
            let counted = (0..n).step_by(WIDTH).map(|from| {
                let columns: Vec<String> = (from..n.min(from + WIDTH))
                    .map(|i| {
                        let m = format!("\"c\".\"m{i}\"");
                        format!(
                            "COUNT(CASE WHEN {m} THEN 1 END) AS \"t{i}\", \
                             COUNT({m}) AS \"k{i}\""
                        )
                    })
                    .collect();
                format!(
                    "(\n  SELECT COUNT(*) AS \"n\",\n    {}\n  FROM {customers} AS \"c\"\n\
                     ) AS {} CROSS JOIN ",
                    columns.join(",\n    "),
                    of(from),
                )
            });
            let counted: String = counted.collect();
            format!(
                "SELECT \"g\".\"segment\" AS \"segment\",\n  {members} AS \"members\",\n  \
                 {undecided} AS \"undecided\",\n  {others} AS \"non_members\"\n\
                 FROM {counted}{segments} AS \"g\"\nORDER BY \"g\".\"n\""
            )
        })
    }
}

/// How many rules, at most, each goes through until one that refers to no others.
pub(super) fn depths(set: &CompiledSet) -> Vec<usize> {
    let mut depths = vec![0_usize; set.rules.len()];
    // Those that refer come after those to which they do.
    for &rule in set.order.iter() {
        let of = set.rules[rule as usize].segments.iter();
        let deepest = of.map(|&other| depths[other as usize] + 1).max();
        depths[rule as usize] = deepest.unwrap_or(0);
    }
    depths
}

/// What belongs to the segment of the row.
fn by_number(n: usize, of: impl Fn(usize) -> String) -> String {
    let each: Vec<String> = (0..n).map(|i| format!("WHEN {i} THEN {}", of(i))).collect();
    format!("CASE \"g\".\"n\" {} END", each.join(" "))
}
