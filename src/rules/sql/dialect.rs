//! How each engine spells things.

use serde::{Deserialize, Serialize};

use crate::data::{DAY, Date, Timestamp};

/// Whose SQL is written.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dialect {
    /// The standard (ISO/IEC 9075) with Booleans, and integers whose division cuts off.
    /// For engines that keep to it; those that read a backslash in a text as an escape
    /// do not.
    Ansi,
    /// SQLite, from 3.35 on.
    Sqlite,
    /// DuckDB.
    DuckDb,
    /// PostgreSQL, from 12 on.
    Postgres,
}

/// Days by which times are moved so that all of the calendar lies after zero, where division
/// that cuts off is division that rounds down.
const AHEAD: i64 = 5_000_000;

/// Days of 400 years, after which the calendar repeats itself.
const CYCLE: i64 = 146_097;

impl Dialect {
    pub(super) fn name(self) -> &'static str {
        match self {
            Dialect::Ansi => "standard SQL",
            Dialect::Sqlite => "SQLite",
            Dialect::DuckDb => "DuckDB",
            Dialect::Postgres => "PostgreSQL",
        }
    }

    /// Why a text cannot be written, if it cannot.
    pub(super) fn refuses(self, text: &str) -> Option<&'static str> {
        if text.contains('\0') {
            Some("a text without the character NUL")
        } else if self == Dialect::Ansi && text.contains('\\') {
            // An engine that takes it for an escape would read another text, or more.
            Some("a text without a backslash")
        } else {
            None
        }
    }

    /// A text that is not [refused](Dialect::refuses).
    pub(super) fn text(self, text: &str) -> String {
        let quoted = text.replace('\'', "''");
        if self == Dialect::Postgres && text.contains('\\') {
            // Means the same whether or not the server takes backslashes for escapes.
            format!("E'{}'", quoted.replace('\\', "\\\\"))
        } else {
            format!("'{quoted}'")
        }
    }

    /// A text that is compared and ordered by its bytes, whatever the collation of its column
    /// takes for the same. The standard has no name of one that does so everywhere.
    pub(super) fn by_bytes(self, text: &str) -> String {
        match self {
            Dialect::Ansi => text.to_owned(),
            Dialect::Sqlite => format!("({text} COLLATE BINARY)"),
            Dialect::DuckDb => format!("(CAST({text} AS VARCHAR) COLLATE \"binary\")"),
            // Also where upper and lower case are the same by the type, as for `citext`.
            Dialect::Postgres => format!("(CAST({text} AS TEXT) COLLATE \"C\")"),
        }
    }

    /// What stands after a value of any type, if it may be a text, to compare it by its bytes.
    /// Others than SQLite refuse a collation of numbers.
    pub(super) fn any_by_bytes(self) -> &'static str {
        match self {
            Dialect::Sqlite => " COLLATE BINARY",
            Dialect::Ansi | Dialect::DuckDb | Dialect::Postgres => "",
        }
    }

    /// Whether names in quotes that differ only by upper and lower case are the same.
    pub(super) fn ignores_case_of_names(self) -> bool {
        match self {
            Dialect::Sqlite | Dialect::DuckDb => true,
            Dialect::Ansi | Dialect::Postgres => false,
        }
    }

    /// The quotient of integers that are not negative, as an integer.
    pub(super) fn quotient(self, of: &str, by: i64) -> String {
        match self {
            Dialect::DuckDb => format!("{of} // {by}"),
            Dialect::Ansi | Dialect::Sqlite | Dialect::Postgres => format!("{of} / {by}"),
        }
    }

    /// The name contains a text of at least one character.
    pub(super) fn contains(self, name: &str, text: &str) -> String {
        let part = self.text(text);
        match self {
            Dialect::Ansi => format!("POSITION({part} IN {name}) > 0"),
            Dialect::Sqlite => format!("instr({name}, {part}) > 0"),
            Dialect::DuckDb | Dialect::Postgres => format!("strpos({name}, {part}) > 0"),
        }
    }

    pub(super) fn starts_with(self, name: &str, text: &str) -> String {
        let (part, n) = (self.text(text), text.chars().count());
        match self {
            Dialect::Ansi => format!("SUBSTRING({name} FROM 1 FOR {n}) = {part}"),
            Dialect::Sqlite => format!("substr({name}, 1, {n}) = {part}"),
            Dialect::DuckDb | Dialect::Postgres => format!("starts_with({name}, {part})"),
        }
    }

    pub(super) fn ends_with(self, name: &str, text: &str) -> String {
        let (part, n) = (self.text(text), text.chars().count());
        match self {
            // From before its start, a shorter name is taken whole, and differs.
            Dialect::Ansi => {
                let from = format!("CHAR_LENGTH({name}) - {n} + 1");
                format!("SUBSTRING({name} FROM {from}) = {part}")
            }
            Dialect::Sqlite => format!("substr({name}, -{n}) = {part}"),
            Dialect::DuckDb => format!("suffix({name}, {part})"),
            Dialect::Postgres => format!("right({name}, {n}) = {part}"),
        }
    }

    /// Month and day of a date, as a number such as 229.
    pub(super) fn month_and_day(self, date: &str, is_text: bool) -> String {
        match (self, is_text) {
            (_, false) => {
                format!("EXTRACT(MONTH FROM {date}) * 100 + EXTRACT(DAY FROM {date})")
            }
            (Dialect::Sqlite, true) => format!(
                "CAST(substr({date}, 6, 2) AS INTEGER) * 100 \
                 + CAST(substr({date}, 9, 2) AS INTEGER)"
            ),
            (_, true) => format!(
                "CAST(SUBSTRING({date} FROM 6 FOR 2) AS INTEGER) * 100 \
                 + CAST(SUBSTRING({date} FROM 9 FOR 2) AS INTEGER)"
            ),
        }
    }

    /// Milliseconds, by an integer that tells days of a zone apart and ascends with them.
    pub(super) fn day_number(self, millis: &str, offset: i64) -> String {
        self.quotient(&format!("({millis} + {})", AHEAD * DAY + offset), DAY)
    }

    /// A date from 1970 to 2369 of the same month and day as that of which
    /// [`day_number`](Dialect::day_number) gives this: engines write no dates of all years.
    pub(super) fn like_date_of_number(self, day: &str) -> String {
        // 1970-01-01 has the number of days by which all are ahead.
        let ahead = CYCLE - AHEAD % CYCLE;
        let days = match self {
            Dialect::Ansi => format!("MOD({day} + {ahead}, {CYCLE})"),
            Dialect::Sqlite | Dialect::DuckDb | Dialect::Postgres => {
                format!("({day} + {ahead}) % {CYCLE}")
            }
        };
        match self {
            Dialect::Ansi => {
                format!("(DATE '1970-01-01' + ({days}) * INTERVAL '1' DAY)")
            }
            Dialect::Sqlite => format!("date(({days}) * 86400, 'unixepoch')"),
            Dialect::DuckDb | Dialect::Postgres => {
                format!("(DATE '1970-01-01' + CAST({days} AS INTEGER))")
            }
        }
    }

    /// The date of a timestamp in UTC, in a zone so many milliseconds ahead.
    pub(super) fn date_of_timestamp(self, time: &str, offset: i64) -> String {
        let minutes = offset / 60_000;
        match (minutes, self) {
            (0, _) => format!("CAST({time} AS DATE)"),
            // The standard has two digits, unless told.
            (_, Dialect::Ansi) => {
                format!("CAST({time} + INTERVAL '{minutes}' MINUTE(4) AS DATE)")
            }
            _ => format!("CAST({time} + INTERVAL '{minutes}' MINUTE AS DATE)"),
        }
    }

    /// So many milliseconds, to be added to a timestamp.
    pub(super) fn interval(self, millis: i64) -> String {
        match self {
            Dialect::DuckDb => format!("to_milliseconds({millis})"),
            Dialect::Ansi | Dialect::Sqlite | Dialect::Postgres => {
                let (seconds, rest) = (millis / 1000, millis % 1000);
                // The standard has two digits before the point, unless told.
                let n_digits = seconds.to_string().len();
                let digits = match self {
                    Dialect::Ansi => format!("({n_digits}, 3)"),
                    _ => String::new(),
                };
                format!("INTERVAL '{seconds}.{rest:03}' SECOND{digits}")
            }
        }
    }

    /// The sum of an expression, as near to the exact sum as the engine comes.
    pub(super) fn sum(self, of: &str) -> String {
        match self {
            Dialect::DuckDb => format!("fsum({of})"),
            Dialect::Ansi | Dialect::Sqlite | Dialect::Postgres => format!("SUM({of})"),
        }
    }

    /// The sum divided by the number of values, in double precision.
    pub(super) fn average(self, of: &str) -> String {
        let (sum, count) = (self.sum(of), format!("NULLIF(COUNT({of}), 0)"));
        match self {
            Dialect::DuckDb => format!("{sum} / {count}"),
            Dialect::Sqlite => format!("CAST({sum} AS REAL) / {count}"),
            Dialect::Ansi | Dialect::Postgres => {
                format!("CAST({sum} AS DOUBLE PRECISION) / {count}")
            }
        }
    }

    pub(super) fn first_row(self) -> &'static str {
        match self {
            Dialect::Ansi => "FETCH FIRST 1 ROW ONLY",
            Dialect::Sqlite | Dialect::DuckDb | Dialect::Postgres => "LIMIT 1",
        }
    }

    /// Keeps an engine from writing a part of the query into every place that uses it.
    pub(super) fn materialized(self) -> &'static str {
        match self {
            Dialect::Ansi => "",
            Dialect::Sqlite | Dialect::DuckDb | Dialect::Postgres => "MATERIALIZED ",
        }
    }
}

/// A name in double quotes, so that it is never a word of the language.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The first day that every dialect can write and order.
pub(super) fn first_day() -> i64 {
    Date::from_ymd(1, 1, 1).map_or(0, |day| i64::from(day.days_since_epoch()))
}

/// An instant as `2024-05-31 12:00:00.000`; none where its year has not four digits.
pub(super) fn timestamp(millis: i64) -> Option<String> {
    let first = first_day() * DAY;
    let is_written = (first..=Timestamp::MAX.as_millis()).contains(&millis);
    let text = Timestamp::from_millis(millis).to_string();
    let text = text.strip_suffix('Z')?.replacen('T', " ", 1);
    is_written.then(|| format!("TIMESTAMP '{text}'"))
}
