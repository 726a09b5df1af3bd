//! Rules as SQL, with the same three-valued answers.

mod day;
mod dialect;
mod events;
mod expression;
mod fault;
mod layout;
mod number;
mod pattern;
mod score;
mod sequence;
mod statement;
mod test;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::dialect::Dialect;
use self::expression::Sql;
pub use self::layout::{
    DateForm, FlagForm, SqlLayout, SqlStream, SqlTable, SqlTags, TimeForm,
};
use self::statement::{Prepared, depths};
use self::write::{Place, Writer, check_bound};
use super::book::RuleBook;
use super::compile::CompiledRule;
use super::model::RuleSegmenter;
use super::set::CompiledSet;
use crate::error::{Error, Result};
use crate::segmenter::SegmentIndex;

/// A book of rules as SQL, made by [`RuleBook::to_sql`].
///
/// A database that runs it gives each customer the answers that the crate gives: TRUE, FALSE,
/// or NULL for Unknown.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, StreamSpec, Timestamp};
/// use segmenta::rules::{Dialect, RuleBook, SqlLayout, SqlStream};
/// use segmenta::segmenter::SegmentIndex;
///
/// let schema = Schema::builder()
///     .feature(FeatureSpec::category("country"))
///     .feature(FeatureSpec::flag("opted_out"))
///     .stream(StreamSpec::new("order", [FeatureSpec::number("amount")]))
///     .build()?;
/// let book = RuleBook::builder(&schema)
///     .segment("dach", "Neighbours", "country in ('DE', 'AT') and not opted_out".parse()?)
///     .segment(
///         "active",
///         "Active neighbours",
///         "segment 'dach' and events(order).sum(amount) in last 30d >= 99.5".parse()?,
///     )
///     .build()?;
///
/// let layout = SqlLayout::new(Dialect::DuckDb, "customers", "id")
///     .stream("order", SqlStream::new("orders", "customer", "at"));
/// let now: Timestamp = "2024-05-31T00:00:00Z".parse()?;
/// let sql = book.at(now).to_sql(&layout)?;
/// assert_eq!(
///     sql.expression(SegmentIndex::new(0))?,
///     r#"(CAST("c"."country" AS VARCHAR) COLLATE "binary") IN ('AT', 'DE') AND NOT "c"."opted_out""#,
/// );
/// // SELECT "c"."id" FROM "customers" AS "c" WHERE …
/// assert_eq!(
///     sql.expression(SegmentIndex::new(1))?,
///     "((CAST(\"c\".\"country\" AS VARCHAR) COLLATE \"binary\") IN ('AT', 'DE') AND NOT \"c\".\"opted_out\") AND \
///      COALESCE((SELECT fsum(\"e\".\"amount\") FROM \"orders\" AS \"e\" \
///      WHERE \"e\".\"customer\" = \"c\".\"id\" \
///      AND (\"e\".\"at\" >= 1714521600000 AND \"e\".\"at\" < 1717113600000)), 0) >= 9.95e1",
/// );
/// assert!(sql.membership().starts_with("WITH "));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Which form
/// [`membership`](SqlBook::membership) and [`counts`](SqlBook::counts) are whole statements.
/// They read each table of events once for all rules, and compute each segment once, however
/// many others refer to it; the segments, features and aggregates of a book are columns, of
/// which PostgreSQL allows some 1,600, and SQLite 2,000 unless built otherwise. [`expression`](SqlBook::expression) stands in statements of the host's own. In
/// it aggregates of events are subqueries, and segments that are referred to are written out in
/// each place: where that would pass 16 MiB it is an error.
///
/// # How it is said
/// | rule | SQL |
/// |---|---|
/// | `all`, `any`, `not` | `AND`, `OR`, `NOT`, which are Kleene's |
/// | `at_least` | `CASE` over a sum that tells how many parts are TRUE, and how many FALSE; each is written once |
/// | a test of NULL | NULL; with `when_missing`, `COALESCE` |
/// | `set`, `missing` | `IS NOT NULL`, `IS NULL` |
/// | numbers | integers below 2^31 as such, others in double precision, to the bit |
/// | ordinals, closed categories | the list of the levels that pass |
/// | `contains` … | `strpos`, `instr`, `substr`, never `LIKE`: upper and lower case differ, `%` is a character |
/// | `matches` | DuckDB and PostgreSQL: the expression in characters and ranges that both read alike, without ends of lines and words; SQLite: as it is, if the layout says that [`REGEXP`](SqlLayout::regexp) is registered; else an error |
/// | `consent` | the tests of the state and of the day; FALSE where one is NULL |
/// | tags | `EXISTS` in the [table of tags](SqlTags) |
/// | `in_last`, `in_next`, `anniversary` | the dates, or the months and days, in which it is True today |
/// | windows | the instants at which they start and end, computed by the crate, daylight saving time included |
/// | `first_day`, `last_day` | the first or last time, between the starts of days |
/// | `active_days`, anniversaries of days of events | a division; an error in a zone whose distance from UTC changes |
/// | `first`, `last` | ordered by time and by the [column](SqlStream::order) that the layout names; NULL where that event has NULL |
/// | sequences | `EXISTS` within `EXISTS`, a row for each step; `NOT EXISTS` for those that are denied. Tables of many events want an index of customer and time |
/// | rest | no rule `IS TRUE` |
///
/// Today and the ends of windows are constants: a statement is that of the instant at which
/// the book [is asked](RuleBook::at).
///
/// # What the database must keep to
/// | | |
/// |---|---|
/// | numbers | in double precision or as integers below 2^53, neither NaN nor infinite |
/// | flags, dates, times | as [`FlagForm`], [`DateForm`] and [`TimeForm`] say |
/// | categories | as texts of Unicode, without the character NUL and without padding. They are compared by their bytes, whatever the collation of their columns; only in the standard, which names no such collation, it must not take others for the same |
/// | ids of customers | such that equal means the same. In SQLite texts are compared by their bytes, whatever the collation of their columns |
/// | levels | only those of the schema: SQL does not refuse others, they are of no level |
/// | events | times are never NULL; NULL as the customer's id is nobody's event |
/// | settings | none matter: names are quoted, and texts mean the same whether or not a backslash is an escape. Engines for which double quotes do not make names are not supported |
///
/// # Where the answers may differ
/// - A sum is exact and rounded once in the crate. Databases add in double precision in an order of their
///   own: SQLite (from 3.43 on) and DuckDB (`fsum`) with compensation, PostgreSQL plainly. Sums of integers, and of
///   halves, quarters and so on, are the same everywhere. An average is a sum divided by a
///   count. Beyond the largest number the crate stays there; databases have infinity or an error.
/// - Values that the crate refuses (NaN, other levels) are compared as the database does.
/// - What cannot be said is an error with the path of its place, never another query: a text
///   with NUL, a date before the year 1, tags of events, and in [`Dialect::Ansi`] a backslash.
///
/// SQLite, DuckDB and PostgreSQL were compared with the crate on random books, PostgreSQL without
/// sequences; what is written for the standard was not run.
#[derive(Clone, Debug)]
pub struct SqlBook {
    set: CompiledSet,
    layout: SqlLayout,
    prepared: Prepared,
    /// The segments' ids as texts of the dialect.
    names: Vec<String>,
}

impl RuleBook {
    /// The book as SQL of a dialect, for a database of this layout. It is that of the
    /// instant to which the book is [bound](RuleBook::at).
    ///
    /// # Errors
    /// When the layout is not [valid](SqlLayout::validate) or names what the schema has not;
    /// when rules depend on time and no instant is bound; or
    /// [`ErrorKind::Definition`](crate::ErrorKind::Definition) with all that cannot be said.
    /// The paths are JSON pointers into the book's [definition](RuleBook::definition), and the
    /// codes are:
    ///
    /// | code | fault |
    /// |---|---|
    /// | `no-sql` | a distance or a bucket, which have no counterpart; a score whose sums can be rounded |
    /// | `sql-stream` | events whose table is not in the layout |
    /// | `sql-order` | `first` or `last` of events without a column that orders them |
    /// | `sql-tags` | tags whose table is not in the layout, or tags of events |
    /// | `sql-name` | a feature whose name cannot be that of a column |
    /// | `sql-text` | a text that the dialect cannot write |
    /// | `sql-date` | a date before 0001-01-01 |
    /// | `sql-time` | an instant that is no timestamp |
    /// | `sql-zone` | local days of events in a zone whose distance from UTC changes |
    /// | `sql-pattern` | a regular expression that means nothing, or something else, to the engine |
    /// | `sql-too-large` | an expression of more than 16 MiB |
    pub fn to_sql(&self, layout: &SqlLayout) -> Result<SqlBook> {
        let set = self.compiled();
        layout.check_against(&set.schema)?;
        check_bound(set.depends_on_time(), set.bound.as_deref())?;
        let prepared = Prepared::new(set, layout)?;
        let names = names(set, layout)?;
        Ok(SqlBook { set: set.clone(), layout: layout.clone(), prepared, names })
    }
}

/// The segments' ids as texts of the dialect.
fn names(set: &CompiledSet, layout: &SqlLayout) -> Result<Vec<String>> {
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
    writer.faults.finish(names)
}

impl RuleSegmenter {
    /// The segments as a statement that gives a row for each customer: `customer`, and as
    /// `segment` the id of the one to which she is [assigned](crate::SegmenterExt::assign), which
    /// is the first whose rule is TRUE, or else the rest, or NULL if there is none. Segments
    /// whose rules are NULL are passed over. [`SqlBook`] says what the database must keep to.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema};
    /// use segmenta::rules::{Dialect, RuleSegmenter, SqlLayout, field};
    ///
    /// let schema = Schema::new([FeatureSpec::number("orders")])?;
    /// let model = RuleSegmenter::builder(&schema)
    ///     .segment("vip", "VIP customers", field("orders").ge(10))
    ///     .segment("active", "Active customers", field("orders").ge(1))
    ///     .rest("other", "Everyone else")
    ///     .build()?;
    /// let sql = model.to_sql(&SqlLayout::new(Dialect::Postgres, "customers", "id"))?;
    /// assert!(sql.ends_with(
    ///     "SELECT \"c\".\"id\" AS \"customer\", CASE WHEN \"c\".\"m0\" THEN 'vip' \
    ///      WHEN \"c\".\"m1\" THEN 'active' ELSE 'other' END AS \"segment\"\n\
    ///      FROM \"sg_level0\" AS \"c\""
    /// ));
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`RuleBook::to_sql`].
    pub fn to_sql(&self, layout: &SqlLayout) -> Result<String> {
        let set = self.compiled();
        layout.check_against(&set.schema)?;
        check_bound(set.depends_on_time(), set.bound.as_deref())?;
        // The rest is what no other takes, and is not computed.
        let segments = Arc::new(set.segments[..set.rules.len()].to_vec());
        let without_rest = CompiledSet { segments, ..set.clone() };
        let prepared = Prepared::new(&without_rest, layout)?;
        let names = names(set, layout)?;
        let (named, rest) = names.split_at(set.rules.len());
        Ok(prepared.assignment(named, rest.first()))
    }
}

impl SqlBook {
    /// A statement that gives a row for each customer and segment: `customer`, `segment`
    /// and `truth`, which is NULL where it is not known.
    #[must_use]
    pub fn membership(&self) -> String {
        self.prepared.membership(&self.names)
    }

    /// A statement that gives a row for each segment, in their order: `segment`, and how many
    /// are `members`, `undecided` and `non_members`.
    #[must_use]
    pub fn counts(&self) -> String {
        self.prepared.counts(&self.names)
    }

    /// The truth of a segment as a Boolean expression, over a row of the customers' table that
    /// is called `c`: `FROM customers AS "c"`.
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
        // All of one depth stand in the expression one beside the other, and all rules in that
        // of the rest: what it will be too large for is not written first.
        let depths = depths(set);
        let mut n_bytes: BTreeMap<usize, usize> = BTreeMap::new();
        for &rule in set.order.iter().filter(|&&rule| is_needed[rule as usize]) {
            let id = set.segments[rule as usize].id.as_str();
            writer.faults.of_segment(id, format!("/segments/{rule}/rule"));
            let sql = writer.compiled(&set.rules[rule as usize]);
            let depth = if is_rest { 0 } else { depths[rule as usize] };
            let of_depth = n_bytes.entry(depth).or_default();
            *of_depth += sql.len();
            writer.check_len(*of_depth);
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
    /// The rule as a Boolean expression of SQL, over a row of the customers' table that is
    /// called `c`; [`SqlBook`] says how.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema};
    /// use segmenta::rules::{Dialect, Rule, SqlLayout};
    ///
    /// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::category("city")])?;
    /// let rule: Rule = "orders >= 3 or city starts with 'St. ' when missing no".parse()?;
    /// let layout = SqlLayout::new(Dialect::Postgres, "customers", "id").column("orders", "n");
    /// assert_eq!(
    ///     rule.compile(&schema)?.to_sql(&layout)?,
    ///     r#""c"."n" >= 3 OR COALESCE(starts_with((CAST("c"."city" AS TEXT) COLLATE "C"), 'St. '), FALSE)"#,
    /// );
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`RuleBook::to_sql`]; paths start at the rule.
    pub fn to_sql(&self, layout: &SqlLayout) -> Result<String> {
        layout.check_against(self.schema())?;
        let bound = self.bound.as_deref();
        check_bound(self.depends_on_time(), bound)?;
        let mut writer = Writer::new(self.schema(), bound, layout, Place::Row);
        let sql = writer.compiled(&self.rule);
        writer.faults.finish(sql.as_str().to_owned())
    }
}
