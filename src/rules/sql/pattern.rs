//! Regular expressions.

use super::Dialect;
use super::expression::Sql;
use super::write::Writer;

impl Writer<'_> {
    /// A regular expression is found in a name.
    pub(super) fn matches(&mut self, value: &str, pattern: &str) -> Sql {
        let dialect = self.layout.dialect;
        if dialect == Dialect::Sqlite && self.layout.regexp {
            let pattern = self.text(pattern);
            return Sql::test(format!("{value} REGEXP {pattern}"));
        }
        let message =
            format!("regular expressions cannot be written in {}", dialect.name());
        self.faults.add("sql-pattern", message, "another test", format!("{pattern:?}"));
        Sql::constant(false)
    }
}
