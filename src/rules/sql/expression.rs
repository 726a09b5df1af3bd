//! Pieces of SQL, and how they are joined.

/// How tightly a piece holds together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    /// A name, a call, or in brackets.
    Atom,
    /// A comparison.
    Test,
    Not,
    And,
    Or,
}

/// A Boolean expression: TRUE, FALSE or NULL.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    text: String,
    strength: Strength,
}

/// Longer chains become trees: engines bound how deep an expression may be, and a chain is
/// as deep as it is long.
const CHAIN: usize = 50;

impl Sql {
    pub(super) fn atom(text: impl Into<String>) -> Sql {
        Sql { text: text.into(), strength: Strength::Atom }
    }

    pub(super) fn test(text: impl Into<String>) -> Sql {
        Sql { text: text.into(), strength: Strength::Test }
    }

    pub(super) fn constant(truth: bool) -> Sql {
        Sql::atom(if truth { "TRUE" } else { "FALSE" })
    }

    /// One answer for every value that is there, and NULL for NULL.
    pub(super) fn where_there(value: &str, truth: bool) -> Sql {
        let Sql { text, .. } = Sql::constant(truth);
        Sql::atom(format!("CASE WHEN {value} IS NOT NULL THEN {text} END"))
    }

    pub(super) fn all(parts: Vec<Sql>) -> Sql {
        Sql::joined(parts, "AND", Strength::And)
    }

    pub(super) fn any(parts: Vec<Sql>) -> Sql {
        Sql::joined(parts, "OR", Strength::Or)
    }

    fn joined(mut parts: Vec<Sql>, operator: &str, strength: Strength) -> Sql {
        if parts.len() == 1
            && let Some(part) = parts.pop()
        {
            return part;
        }
        let parts: Vec<String> = parts.iter().map(Sql::operand).collect();
        Sql { text: chain(&parts, operator), strength }
    }

    pub(super) fn negated(&self) -> Sql {
        Sql { text: format!("NOT {}", self.bracketed()), strength: Strength::Not }
    }

    /// At least `n` hold: TRUE if so many are TRUE, NULL if so many are not FALSE.
    pub(super) fn at_least(n: usize, parts: &[Sql]) -> Sql {
        let count = |are: &str, others: &str, test: &str| {
            let each = |part: &Sql| {
                let part = part.bracketed();
                format!("CASE WHEN {part} IS {test} THEN {are} ELSE {others} END")
            };
            chain(&parts.iter().map(each).collect::<Vec<_>>(), "+")
        };
        let (yes, maybe) = (count("1", "0", "TRUE"), count("0", "1", "FALSE"));
        Sql::atom(format!(
            "CASE WHEN {yes} >= {n} THEN TRUE WHEN {maybe} < {n} THEN FALSE END"
        ))
    }

    pub(super) fn is_true(&self) -> Sql {
        Sql::test(format!("{} IS TRUE", self.bracketed()))
    }

    /// With this answer in place of NULL.
    pub(super) fn or_else(&self, truth: bool) -> Sql {
        Sql::atom(format!("COALESCE({}, {})", self.text, Sql::constant(truth).text))
    }

    /// NULL where a value is NULL.
    pub(super) fn only_where(&self, value: &str) -> Sql {
        Sql::atom(format!("CASE WHEN {value} IS NOT NULL THEN {} END", self.text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    fn bracketed(&self) -> String {
        match self.strength {
            Strength::Atom => self.text.clone(),
            _ => format!("({})", self.text),
        }
    }

    fn operand(&self) -> String {
        match self.strength {
            Strength::Atom | Strength::Test | Strength::Not => self.text.clone(),
            Strength::And | Strength::Or => format!("({})", self.text),
        }
    }
}

/// Operands of an operator that may be grouped in any way.
pub(super) fn chain(parts: &[String], operator: &str) -> String {
    if parts.len() <= CHAIN {
        return parts.join(&format!(" {operator} "));
    }
    let (left, right) = parts.split_at(parts.len() / 2);
    let [left, right] = [left, right].map(|half| chain(half, operator));
    format!("({left}) {operator} ({right})")
}
