//! Pieces of SQL, and how they are joined.

use super::dialect::Dialect;

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

/// Parts of `at_least` whose weights add up to less than 2^31.
const SMALL: usize = 30_000;

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

    /// At least `n` hold: TRUE if so many are TRUE, FALSE if too many are FALSE, else NULL.
    ///
    /// Each part is written once, so that what is nested does not double with each level. Of
    /// `m` parts of which `t` are TRUE and `f` FALSE, the quotient of
    /// `2 (m + 1) t + f + n` by `m + 1` is `2 t`, and one more if `f > m - n`.
    pub(super) fn at_least(dialect: Dialect, n: usize, parts: Vec<Sql>) -> Sql {
        let m = parts.len();
        if n <= 1 {
            return Sql::any(parts);
        }
        if n >= m {
            return Sql::all(parts);
        }
        // Or so many are not FALSE: what is told apart is less.
        let (n, of) = if 2 * n <= m + 1 { (n, true) } else { (m - n + 1, false) };
        let [often, seldom] = [of, !of].map(|truth| Sql::constant(truth).text);
        let mut weight = (2 * (m + 1)).to_string();
        if m > SMALL {
            weight = format!("CAST({weight} AS BIGINT)");
        }
        let each = |part: &Sql| {
            let part = part.bracketed();
            format!(
                "CASE {part} WHEN {often} THEN {weight} WHEN {seldom} THEN 1 ELSE 0 END"
            )
        };
        let sum = chain(&parts.iter().map(each).collect::<Vec<_>>(), "+");
        let quotient = dialect.quotient(&format!("({sum} + {n})"), m as i64 + 1);
        let fewer: Vec<String> = (0..n)
            .map(|t| format!("WHEN {} THEN NULL WHEN {} THEN {seldom}", 2 * t, 2 * t + 1))
            .collect();
        Sql::atom(format!("CASE {quotient} {} ELSE {often} END", fewer.join(" ")))
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
