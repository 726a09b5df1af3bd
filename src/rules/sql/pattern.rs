//! Regular expressions, taken apart and put together again from what every engine reads in
//! the same way: characters by their numbers, classes as ranges of them, groups, alternatives,
//! repetitions, and the ends of the text. So `\d`, `.` and `(?i)` mean in a database what they
//! mean in the crate `regex`, to the character.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::Dialect;
use super::expression::Sql;
use super::write::Writer;

/// Repetitions that every engine counts.
const MAX_REPEATED: u32 = 255;

/// Bytes of an expression: classes of Unicode have hundreds of ranges.
const MAX_LEN: usize = 1 << 16;

impl Writer<'_> {
    /// A regular expression is found in a name.
    pub(super) fn matches(&mut self, value: &str, pattern: &str) -> Sql {
        let dialect = self.layout.dialect;
        if dialect == Dialect::Sqlite && self.layout.regexp {
            let pattern = self.text(pattern);
            return Sql::test(format!("{value} REGEXP {pattern}"));
        }
        let written = match dialect {
            Dialect::DuckDb | Dialect::Postgres => Expression::of(dialect, pattern),
            Dialect::Sqlite => Err("the layout to say that REGEXP was registered"),
            Dialect::Ansi => Err("another test"),
        };
        match written {
            Ok(written) => {
                let written = self.text(&written);
                match dialect {
                    Dialect::DuckDb => {
                        Sql::atom(format!("regexp_matches({value}, {written})"))
                    }
                    _ => Sql::test(format!("{value} ~ {written}")),
                }
            }
            Err(expected) => {
                let name = dialect.name();
                let message =
                    format!("the regular expression cannot be written in {name}");
                self.faults.add("sql-pattern", message, expected, format!("{pattern:?}"));
                Sql::constant(false)
            }
        }
    }
}

/// A regular expression that is being written.
struct Expression {
    dialect: Dialect,
    text: String,
}

/// What would have been accepted in place of what cannot be written.
type Refused = &'static str;

impl Expression {
    fn of(dialect: Dialect, pattern: &str) -> Result<String, Refused> {
        let parsed = regex_syntax::parse(pattern);
        let parsed = parsed.map_err(|_| "a regular expression that can be read")?;
        let mut expression = Expression { dialect, text: String::new() };
        expression.write(&parsed)?;
        Ok(expression.text)
    }

    fn write(&mut self, part: &Hir) -> Result<(), Refused> {
        if self.text.len() > MAX_LEN {
            return Err("a shorter one: classes such as `\\w` have hundreds of ranges");
        }
        match part.kind() {
            HirKind::Empty => self.text.push_str("(?:)"),
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0);
                for c in text.map_err(|_| "characters, not bytes")?.chars() {
                    self.character(c)?;
                }
            }
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.ranges().iter().map(|r| (r.start(), r.end()));
                self.class(ranges)?;
            }
            HirKind::Class(Class::Bytes(class)) if class.is_ascii() => {
                let ranges = class.ranges().iter();
                self.class(ranges.map(|r| (char::from(r.start()), char::from(r.end()))))?;
            }
            HirKind::Class(Class::Bytes(_)) => return Err("characters, not bytes"),
            HirKind::Look(Look::Start) => self.text.push('^'),
            HirKind::Look(Look::End) => self.text.push('$'),
            HirKind::Look(_) => {
                return Err("one without ends of lines or words");
            }
            HirKind::Repetition(repeated) => {
                let most = repeated.max.unwrap_or(repeated.min);
                if most > MAX_REPEATED {
                    return Err("at most 255 repetitions");
                }
                self.text.push_str("(?:");
                self.write(&repeated.sub)?;
                self.text.push_str(&match repeated.max {
                    None => format!("){{{},}}", repeated.min),
                    Some(max) => format!("){{{},{max}}}", repeated.min),
                });
            }
            HirKind::Capture(capture) => self.group(&capture.sub)?,
            HirKind::Concat(parts) => {
                parts.iter().try_for_each(|part| self.group(part))?
            }
            HirKind::Alternation(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        self.text.push('|');
                    }
                    self.group(part)?;
                }
            }
        }
        Ok(())
    }

    fn group(&mut self, part: &Hir) -> Result<(), Refused> {
        if !matches!(part.kind(), HirKind::Alternation(_)) {
            return self.write(part);
        }
        self.text.push_str("(?:");
        self.write(part)?;
        self.text.push(')');
        Ok(())
    }

    fn class(
        &mut self,
        ranges: impl Iterator<Item = (char, char)>,
    ) -> Result<(), Refused> {
        self.text.push('[');
        let mut is_empty = true;
        for (from, to) in ranges {
            // No text of these engines has it.
            let from = from.max('\u{1}');
            if from <= to {
                is_empty = false;
                self.character(from)?;
                self.text.push('-');
                self.character(to)?;
            }
        }
        self.text.push(']');
        if is_empty { Err("one that can be found in a text") } else { Ok(()) }
    }

    /// Letters and digits of ASCII stand for themselves everywhere.
    fn character(&mut self, c: char) -> Result<(), Refused> {
        let code = u32::from(c);
        match self.dialect {
            _ if c == '\0' => return Err("one without the character NUL"),
            _ if c.is_ascii_alphanumeric() => self.text.push(c),
            Dialect::Postgres => self.text.push_str(&format!("\\U{code:08x}")),
            _ => self.text.push_str(&format!("\\x{{{code:x}}}")),
        }
        Ok(())
    }
}
