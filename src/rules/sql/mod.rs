//! Rules as SQL, with the same three-valued answers.

mod day;
mod dialect;
mod events;
mod expression;
mod fault;
mod layout;
mod number;
mod pattern;
mod statement;
mod test;
mod write;

pub use self::dialect::Dialect;
use self::expression::Sql;
pub use self::layout::{
    DateForm, FlagForm, SqlLayout, SqlStream, SqlTable, SqlTags, TimeForm,
};
use self::statement::Prepared;
use self::write::{Place, Writer, check_bound};
use super::book::RuleBook;
use super::compile::CompiledRule;
use super::set::CompiledSet;
use crate::error::{Error, Result};
use crate::segmenter::SegmentIndex;

/// A book of rules as SQL.
#[derive(Clone, Debug)]
pub struct SqlBook {
    set: CompiledSet,
    layout: SqlLayout,
    prepared: Prepared,
    /// The segments' ids as texts of the dialect.
    names: Vec<String>,
}

impl RuleBook {
    /// The book as SQL.
    ///
    /// # Errors
    /// As above.
    pub fn to_sql(&self, layout: &SqlLayout) -> Result<SqlBook> {
        let set = self.compiled();
        layout.check_against(&set.schema)?;
        check_bound(set.depends_on_time(), set.bound.as_deref())?;
        let prepared = Prepared::new(set, layout)?;
        let mut writer = Writer::new(&set.schema, None, layout, Place::Row);
        let mut names = Vec::new();
        for (i, segment) in set.segments.iter().enumerate() {
            let id = segment.id.as_str();
            let path = match i < set.rules.len() {
                true => format!("/segments/{i}/id"),
                false => "/rest/id".to_owned(),
            };
            writer.faults.of_segment(id, path);
            names.push(writer.text(id));
        }
        writer.faults.finish(SqlBook {
            set: set.clone(),
            layout: layout.clone(),
            prepared,
            names,
        })
    }
}

impl SqlBook {
    /// A statement that gives a row for each customer and segment: `customer`, `segment`
    /// and `truth`, which is NULL where it is not known.
    #[must_use]
    pub fn membership(&self) -> String {
        self.prepared.membership(&self.names)
    }

    /// A statement that gives a row for each segment, in their order.
    #[must_use]
    pub fn counts(&self) -> String {
        self.prepared.counts(&self.names)
    }

    /// A Boolean expression over a row of the customers' table under the name `c`.
    ///
    /// # Errors
    /// When there is no such segment, or the expression is too large.
    pub fn expression(&self, segment: SegmentIndex) -> Result<String> {
        let set = &self.set;
        let n = set.segments.len();
        if segment.get() >= n {
            let expected = format!("below {n}");
            return Err(Error::parameter("segment", expected, segment.get()));
        }
        let is_rest = set.rest_index() == Some(segment);
        let mut is_needed = vec![is_rest; set.rules.len()];
        if !is_rest {
            is_needed[segment.get()] = true;
        }
        // Those that refer come after those to which they do.
        for &rule in set.order.iter().rev() {
            if is_needed[rule as usize] {
                for &other in set.rules[rule as usize].segments.iter() {
                    is_needed[other as usize] = true;
                }
            }
        }
        let bound = set.bound.as_deref();
        let mut writer = Writer::new(&set.schema, bound, &self.layout, Place::Row);
        for &rule in set.order.iter().filter(|&&rule| is_needed[rule as usize]) {
            let id = set.segments[rule as usize].id.as_str();
            writer.faults.of_segment(id, format!("/segments/{rule}/rule"));
            let sql = writer.compiled(&set.rules[rule as usize]);
            writer.written.insert(rule, sql);
            if !writer.faults.is_empty() {
                break;
            }
        }
        let text = match is_rest {
            true => Sql::any(writer.written.values().map(Sql::is_true).collect())
                .negated()
                .as_str()
                .to_owned(),
            false => writer
                .written
                .get(&(segment.get() as u32))
                .map_or(String::new(), |sql| sql.as_str().to_owned()),
        };
        writer.faults.finish(text)
    }
}

impl CompiledRule {
    /// The rule as a Boolean expression of SQL.
    ///
    /// # Errors
    /// As [`RuleBook::to_sql`].
    pub fn to_sql(&self, layout: &SqlLayout) -> Result<String> {
        layout.check_against(self.schema())?;
        let bound = self.bound.as_deref();
        check_bound(self.depends_on_time(), bound)?;
        let mut writer = Writer::new(self.schema(), bound, layout, Place::Row);
        let sql = writer.compiled(&self.rule);
        writer.faults.finish(sql.as_str().to_owned())
    }
}
