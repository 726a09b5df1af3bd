//! Rules in words.

use std::fmt;

use super::ast::{FieldTest, Literal, Rule, Test};

/// How many entries of a list are written before the rest is only counted.
const LONGEST_LIST: usize = 20;

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Everyone => f.write_str("everyone"),
            Rule::Nobody => f.write_str("nobody"),
            Rule::All(rules) => write_joined(f, rules, " and "),
            Rule::Any(rules) => write_joined(f, rules, " or "),
            Rule::AtLeast { n, of } => {
                write!(f, "at least {n} of (")?;
                for (i, rule) in of.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{rule}")?;
                }
                f.write_str(")")
            }
            Rule::Not(rule) => write!(f, "not ({rule})"),
            Rule::Field(test) => fmt::Display::fmt(test, f),
        }
    }
}

fn write_joined(
    f: &mut fmt::Formatter<'_>,
    rules: &[Rule],
    between: &str,
) -> fmt::Result {
    match rules {
        [] => f.write_str("()"),
        [rule] => fmt::Display::fmt(rule, f),
        _ => {
            for (i, rule) in rules.iter().enumerate() {
                if i > 0 {
                    f.write_str(between)?;
                }
                match rule {
                    Rule::All(_) | Rule::Any(_) => write!(f, "({rule})")?,
                    _ => fmt::Display::fmt(rule, f)?,
                }
            }
            Ok(())
        }
    }
}

impl Rule {
    /// The rule in words, without the rules inside it.
    pub(super) fn head(&self) -> String {
        match self {
            Rule::All(_) => "all of".to_owned(),
            Rule::Any(_) => "any of".to_owned(),
            Rule::AtLeast { n, .. } => format!("at least {n} of"),
            Rule::Not(_) => "not".to_owned(),
            Rule::Everyone | Rule::Nobody | Rule::Field(_) => self.to_string(),
        }
    }
}

impl fmt::Display for FieldTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.is {
            Test::Size(test) => write!(f, "size of {} {test}", self.name)?,
            test => write!(f, "{} {test}", self.name)?,
        }
        match self.when_missing {
            Some(true) => f.write_str(" [missing: yes]"),
            Some(false) => f.write_str(" [missing: no]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Eq(x) => write!(f, "= {x}"),
            Test::In(list) => write!(f, "in {}", List(list)),
            Test::Lt(x) => write!(f, "< {x}"),
            Test::Le(x) => write!(f, "<= {x}"),
            Test::Gt(x) => write!(f, "> {x}"),
            Test::Ge(x) => write!(f, ">= {x}"),
            Test::Between { lo, hi } => write!(f, "between {lo} and {hi}"),
            Test::Contains(text) => write!(f, "contains {}", Quoted(text)),
            Test::StartsWith(text) => write!(f, "starts with {}", Quoted(text)),
            Test::EndsWith(text) => write!(f, "ends with {}", Quoted(text)),
            Test::HasAny(names) => {
                write!(f, "has any of {}", List(names))
            }
            Test::HasAll(names) => {
                write!(f, "has all of {}", List(names))
            }
            Test::Size(test) => write!(f, "size {test}"),
            Test::Set => f.write_str("is set"),
            Test::Missing => f.write_str("is missing"),
        }
    }
}

/// Numbers and flags as they are, texts in single quotes.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Number(x) => write!(f, "{x}"),
            Literal::Flag(x) => write!(f, "{x}"),
            Literal::Text(x) => Quoted(x).fmt(f),
        }
    }
}

/// A text in single quotes; quotes inside are doubled, as in SQL.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

/// An entry of a list.
trait Entry {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Entry for Literal {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Entry for String {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Quoted(self), f)
    }
}

/// Entries in parentheses.
struct List<'a, T>(&'a [T]);

impl<T: Entry> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, entry) in self.0.iter().take(LONGEST_LIST).enumerate() {
            f.write_str(if i > 0 { ", " } else { "" })?;
            entry.write(f)?;
        }
        if self.0.len() > LONGEST_LIST {
            write!(f, ", and {} more", self.0.len() - LONGEST_LIST)?;
        }
        f.write_str(")")
    }
}
