//! One error type for the whole crate.
//!
//! [`Error`] is one word wide and opaque; [`Error::kind`] tells what went wrong, with
//! the parameter, feature and row concerned. Predicates such as [`Error::is_data`]
//! answer the question a host usually has: whose fault is it?

use std::borrow::Cow;
use std::fmt;

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and where.
///
/// ```
/// use segmenta::data::Date;
///
/// let error = Date::from_ymd(2023, 2, 29).unwrap_err();
/// assert!(error.is_data());
/// assert_eq!(error.to_string(), "`2023-02-29` is not a date of the calendar");
/// ```
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

impl Error {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// What went wrong, by value.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }

    /// Wraps an error of another crate, for authors of their own segmenters.
    pub fn other(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        ErrorKind::Other(source.into()).into()
    }

    /// A parameter that is out of its range.
    pub fn parameter(
        name: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
        found: impl fmt::Display,
    ) -> Error {
        ErrorKind::Parameter {
            name: name.into(),
            expected: expected.into(),
            found: found.to_string(),
        }
        .into()
    }

    /// A quantity that has no value for this input.
    pub fn undefined(
        what: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Error {
        ErrorKind::Undefined { what: what.into(), reason: reason.into() }.into()
    }

    /// A slice or table of the wrong length.
    pub fn length(
        what: impl Into<Cow<'static, str>>,
        expected: usize,
        found: usize,
    ) -> Error {
        ErrorKind::Length { what: what.into(), expected, found }.into()
    }

    /// A saved model that contradicts itself.
    pub fn corrupt(kind: impl Into<String>, reason: impl Into<String>) -> Error {
        ErrorKind::Corrupt { kind: kind.into(), reason: reason.into() }.into()
    }

    /// True when the values of a customer, row or table are at fault.
    #[must_use]
    pub fn is_data(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Missing { .. }
                | ErrorKind::NonFinite { .. }
                | ErrorKind::WrongKind { .. }
                | ErrorKind::UnknownLevel { .. }
                | ErrorKind::Value { .. }
                | ErrorKind::Length { .. }
                | ErrorKind::TooFewRows { .. }
                | ErrorKind::Undefined { .. }
        )
    }

    /// True when a parameter or definition that the caller chose is at fault.
    #[must_use]
    pub fn is_parameter(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Parameter { .. }
                | ErrorKind::Definition { .. }
                | ErrorKind::Memory { .. }
        )
    }

    /// True when a model and the host disagree about the features.
    #[must_use]
    pub fn is_schema(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::UnknownFeature { .. }
                | ErrorKind::UnknownStream { .. }
                | ErrorKind::DuplicateName { .. }
                | ErrorKind::SchemaMismatch { .. }
        )
    }

    /// True when a saved model cannot be read.
    #[must_use]
    pub fn is_format(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::UnsupportedVersion { .. }
                | ErrorKind::UnknownKind { .. }
                | ErrorKind::Corrupt { .. }
        )
    }

    /// True when an observer asked for the work to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.0, ErrorKind::Cancelled)
    }

    /// The same error, with the row number filled in where the kind carries one.
    #[must_use]
    pub fn at_row(mut self, at: usize) -> Error {
        match &mut *self.0 {
            ErrorKind::Missing { row, .. }
            | ErrorKind::NonFinite { row, .. }
            | ErrorKind::WrongKind { row, .. }
            | ErrorKind::UnknownLevel { row, .. }
            | ErrorKind::Value { row, .. } => {
                row.get_or_insert(at);
            }
            _ => {}
        }
        self
    }

    /// Replaces the row, if the error names one, by what stands for it, if anything.
    pub(crate) fn with_row(mut self, place: impl Fn(usize) -> Option<usize>) -> Error {
        match &mut *self.0 {
            ErrorKind::Missing { row, .. }
            | ErrorKind::NonFinite { row, .. }
            | ErrorKind::WrongKind { row, .. }
            | ErrorKind::UnknownLevel { row, .. }
            | ErrorKind::Value { row, .. } => *row = row.and_then(place),
            _ => {}
        }
        self
    }

    /// Says that the feature is a property of the events of a stream.
    pub(crate) fn of_stream(mut self, stream: &str) -> Error {
        match &mut *self.0 {
            ErrorKind::Missing { feature, .. }
            | ErrorKind::NonFinite { feature, .. }
            | ErrorKind::WrongKind { feature, .. }
            | ErrorKind::UnknownLevel { feature, .. } => {
                *feature = format!("{stream}.{feature}");
            }
            _ => {}
        }
        self
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Error {
        Error(Box::new(kind))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The kinds of [`Error`]. Rows are numbered from 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A parameter is outside its range.
    #[error("parameter `{name}` must be {expected}, but is {found}")]
    Parameter {
        /// The parameter, as it is called where it is set.
        name: Cow<'static, str>,
        /// The values that are accepted.
        expected: Cow<'static, str>,
        /// The value that was given.
        found: String,
    },
    /// A definition (rules, a segment map) does not hold together. All of its faults are
    /// listed, not only the first.
    #[error("{what} cannot be used: {}", Issues(.issues))]
    Definition {
        /// What was being defined.
        what: Cow<'static, str>,
        /// Every fault found.
        issues: Vec<Issue>,
    },
    /// A value is missing where the algorithm needs one.
    #[error("feature `{feature}` is missing{}", At(.row))]
    Missing {
        /// The feature's name.
        feature: String,
        /// The row, when there is one.
        row: Option<usize>,
    },
    /// A number is NaN or infinite.
    #[error("feature `{feature}` must be a finite number, but is {found}{}", At(.row))]
    NonFinite {
        /// The feature's name.
        feature: String,
        /// What was found: `NaN`, `inf` or `-inf`.
        found: f64,
        /// The row, when there is one.
        row: Option<usize>,
    },
    /// A value has another kind than its feature.
    #[error("feature `{feature}` expects {expected}, but got {found}{}", At(.row))]
    WrongKind {
        /// The feature's name.
        feature: String,
        /// The kind that the schema states.
        expected: &'static str,
        /// The kind that was found.
        found: &'static str,
        /// The row, when there is one.
        row: Option<usize>,
    },
    /// A category that is not among its feature's levels.
    #[error("feature `{feature}` has no level `{level}`{}{}", At(.row), DidYouMean(.similar))]
    UnknownLevel {
        /// The feature's name.
        feature: String,
        /// The category that was found.
        level: String,
        /// Levels with a similar name, best first.
        similar: Vec<String>,
        /// The row, when there is one.
        row: Option<usize>,
    },
    /// A value that is well-formed but cannot be accepted.
    #[error("`{found}` is not {expected}{}", At(.row))]
    Value {
        /// What would have been accepted.
        expected: Cow<'static, str>,
        /// What was found.
        found: String,
        /// The row, when there is one.
        row: Option<usize>,
    },
    /// No feature has this name.
    #[error("no feature is named `{name}`{}", DidYouMean(.similar))]
    UnknownFeature {
        /// The name that was asked for.
        name: String,
        /// Features with a similar name, best first.
        similar: Vec<String>,
    },
    /// No event stream has this name.
    #[error("no stream is named `{name}`{}", DidYouMean(.similar))]
    UnknownStream {
        /// The name that was asked for.
        name: String,
        /// Streams with a similar name, best first.
        similar: Vec<String>,
    },
    /// A name is used twice.
    #[error("the {what} name `{name}` is used twice")]
    DuplicateName {
        /// What is named: a feature, a segment, …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A feature exists on both sides, but they describe it differently.
    #[error("feature `{feature}` is {expected} here, but {found} in the other schema")]
    SchemaMismatch {
        /// The feature's name.
        feature: String,
        /// What this side states.
        expected: String,
        /// What the other side states.
        found: String,
    },
    /// A slice or table of the wrong length.
    #[error("{what} has length {found}, but {expected} is needed")]
    Length {
        /// What has the wrong length.
        what: Cow<'static, str>,
        /// The length that is needed.
        expected: usize,
        /// The length that was found.
        found: usize,
    },
    /// Not enough rows, or not enough different ones.
    #[error("{needed} {what} are needed, but there are {found}")]
    TooFewRows {
        /// What is counted: `rows`, `distinct rows`, …
        what: Cow<'static, str>,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// The quantity has no value for this input.
    #[error("{what} is undefined: {reason}")]
    Undefined {
        /// The quantity.
        what: Cow<'static, str>,
        /// Why it has no value.
        reason: Cow<'static, str>,
    },
    /// The work would need more memory than was allowed. Nothing was allocated.
    #[error("{what} needs {needed} bytes of memory, but {limit} are allowed")]
    Memory {
        /// The work.
        what: Cow<'static, str>,
        /// Bytes that it would allocate.
        needed: u128,
        /// Bytes that it may allocate.
        limit: u128,
    },
    /// An observer asked for the work to stop.
    #[error("cancelled by the observer")]
    Cancelled,
    /// A saved model is of a version that this build cannot read.
    #[error("`{kind}` version {found} cannot be read: this build reads 1 to {supported}")]
    UnsupportedVersion {
        /// The kind of model.
        kind: String,
        /// The version found.
        found: u32,
        /// The newest version that this build reads.
        supported: u32,
    },
    /// A saved model is of a kind that the registry does not hold.
    #[error("models of kind `{kind}` are not registered{}", DidYouMean(.similar))]
    UnknownKind {
        /// The kind of model.
        kind: String,
        /// Registered kinds with a similar name, best first.
        similar: Vec<String>,
    },
    /// A saved model that cannot be parsed or contradicts itself.
    #[error("saved `{kind}` is not usable: {reason}")]
    Corrupt {
        /// The kind of model, or `model` where not even that could be read.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An error of a segmenter or feature from another crate.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

/// One fault of a definition.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Issue {
    /// Stable code of the fault, such as `unknown-feature`.
    pub code: String,
    /// JSON pointer (RFC 6901) to the place in the definition; empty for the whole of it.
    pub path: String,
    /// One sentence that says what is wrong.
    pub message: String,
    /// What would have been accepted, where that can be said.
    pub expected: Option<String>,
    /// What was found.
    pub found: Option<String>,
    /// The nearest thing that would have been accepted.
    pub suggestion: Option<String>,
    /// Where it stands in a definition that was written as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The line of its first character, from 1.
    pub line: usize,
    /// The position of its first character in the line, from 1.
    pub column: usize,
}

impl Issue {
    /// A fault with a code, a place and a sentence.
    pub fn new(
        code: impl Into<String>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Issue {
        Issue {
            code: code.into(),
            path: path.into(),
            message: message.into(),
            expected: None,
            found: None,
            suggestion: None,
            span: None,
        }
    }

    /// States where it stands in a text.
    #[must_use]
    pub fn at(mut self, span: Span) -> Issue {
        self.span = Some(span);
        self
    }

    /// States what would have been accepted.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Issue {
        self.expected = Some(expected.into());
        self
    }

    /// States what was found.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Issue {
        self.found = Some(found.into());
        self
    }

    /// States the nearest acceptable thing, if there is one.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<String>) -> Issue {
        self.suggestion = suggestion;
        self
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            Some(Span { line, column, .. }) => write!(f, "{line}:{column}: ")?,
            None if self.path.is_empty() => {}
            None => write!(f, "{}: ", self.path)?,
        }
        f.write_str(&self.message)?;
        if let Some(expected) = &self.expected {
            write!(f, " (expected {expected}")?;
            if let Some(found) = &self.found {
                write!(f, ", found {found}")?;
            }
            f.write_str(")")?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        Ok(())
    }
}

/// Up to three of `candidates` that are nearly spelled like `name`, best first.
///
/// The measure is the optimal-string-alignment distance on lower-cased characters; a
/// candidate is near when it is at most a third of its length away (but at least 1).
/// Names beyond 64 characters have no suggestions, so that a hostile name costs nothing.
#[must_use]
pub fn similar_names<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    const LONGEST: usize = 64;
    let lower = |s: &str| s.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    if name.len() > LONGEST {
        return Vec::new();
    }
    let wanted = lower(name);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .filter_map(|candidate| {
            let letters = lower(candidate);
            let distance = edit_distance(&wanted, &letters);
            let longest = wanted.len().max(letters.len());
            // Names that have nothing in common are not near, however short.
            let allowed = (longest / 3).max(1).min(longest.saturating_sub(1));
            (distance <= allowed).then_some((distance, candidate))
        })
        .collect();
    near.sort();
    near.truncate(3);
    near.into_iter().map(|(_, candidate)| candidate.to_owned()).collect()
}

/// Optimal-string-alignment distance: insertions, deletions, substitutions and swaps of
/// neighbours.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut table = vec![0_usize; (a.len() + 1) * width];
    for (j, cell) in table.iter_mut().take(width).enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        table[i * width] = i;
        for j in 1..=b.len() {
            let substitution = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (table[(i - 1) * width + j] + 1)
                .min(table[i * width + j - 1] + 1)
                .min(table[(i - 1) * width + j - 1] + substitution);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(table[(i - 2) * width + j - 2] + 1);
            }
            table[i * width + j] = best;
        }
    }
    table[a.len() * width + b.len()]
}

struct At<'a>(&'a Option<usize>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(row) => write!(f, " in row {row}"),
            None => Ok(()),
        }
    }
}

struct DidYouMean<'a>(&'a [String]);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.first() {
            Some(best) => write!(f, "; did you mean `{best}`?"),
            None => Ok(()),
        }
    }
}

struct Issues<'a>(&'a [Issue]);

impl fmt::Display for Issues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, issue) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n  ")?;
            }
            write!(f, "{issue}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["country", "county_code", "orders", "recency"];
        assert_eq!(similar_names("contry", names), ["country"]);
        assert_eq!(similar_names("ordres", names), ["orders"]);
        assert_eq!(similar_names("Recency", names), ["recency"]);
        assert!(similar_names("monetary", names).is_empty());
        // One letter is not another, and of two one may be wrong.
        let short = ["a", "b", "xy"];
        assert!(similar_names("d", short).is_empty());
        assert!(similar_names("", short).is_empty());
        assert_eq!(similar_names("A", short), ["a"]);
        assert_eq!(similar_names("xz", short), ["xy"]);
        assert!(similar_names(&"x".repeat(10_000), names).is_empty());
    }
}
