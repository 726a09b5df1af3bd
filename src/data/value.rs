//! One value of one feature.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Date, TagColumn};

/// One value, borrowed from the host: 24 bytes, `Copy`.
///
/// [`Value::Missing`] is the only spelling of "not known". A `Number` that is NaN or
/// infinite is an error when it is read, never a missing value.
///
/// ```
/// use segmenta::data::Value;
///
/// assert_eq!(Value::from(3.0), Value::Number(3.0));
/// assert_eq!(Value::from(Some(true)), Value::Flag(true));
/// assert_eq!(Value::from(None::<f64>), Value::Missing);
/// assert_eq!(Value::Category("AT").kind_name(), "category");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not known.
    Missing,
    /// A finite number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// One of a set of names.
    Category(&'a str),
    /// A calendar day.
    Date(Date),
    /// Any number of names.
    Tags(Tags<'a>),
}

impl<'a> Value<'a> {
    /// The kind's name in messages: `number`, `flag`, `category`, `date`, `tags`.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Value::Missing => "nothing",
            Value::Number(_) => "number",
            Value::Flag(_) => "flag",
            Value::Category(_) => "category",
            Value::Date(_) => "date",
            Value::Tags(_) => "tags",
        }
    }

    /// True for [`Value::Missing`].
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Value::Missing)
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn to_owned(self) -> OwnedValue {
        match self {
            Value::Missing => OwnedValue::Missing,
            Value::Number(x) => OwnedValue::Number(x),
            Value::Flag(x) => OwnedValue::Flag(x),
            Value::Category(x) => OwnedValue::Category(x.to_owned()),
            Value::Date(x) => OwnedValue::Date(x),
            Value::Tags(x) => OwnedValue::Tags(x.iter().map(str::to_owned).collect()),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Missing => f.write_str("missing"),
            Value::Number(x) => fmt::Display::fmt(x, f),
            Value::Flag(true) => f.write_str("yes"),
            Value::Flag(false) => f.write_str("no"),
            Value::Category(x) => f.write_str(x),
            Value::Date(x) => fmt::Display::fmt(x, f),
            Value::Tags(tags) => {
                f.write_str("{")?;
                for (i, tag) in tags.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{tag}")?;
                }
                f.write_str("}")
            }
        }
    }
}

impl From<f64> for Value<'_> {
    fn from(x: f64) -> Self {
        Value::Number(x)
    }
}

impl From<bool> for Value<'_> {
    fn from(x: bool) -> Self {
        Value::Flag(x)
    }
}

impl From<Date> for Value<'_> {
    fn from(x: Date) -> Self {
        Value::Date(x)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(x: &'a str) -> Self {
        Value::Category(x)
    }
}

impl<'a> From<Tags<'a>> for Value<'a> {
    fn from(x: Tags<'a>) -> Self {
        Value::Tags(x)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(x: Option<T>) -> Self {
        x.map_or(Value::Missing, Into::into)
    }
}

/// The names of a multi-valued feature, borrowed in the shape that the host has.
#[derive(Clone, Copy, Debug)]
pub struct Tags<'a>(Repr<'a>);

#[derive(Clone, Copy, Debug)]
enum Repr<'a> {
    Strs(&'a [&'a str]),
    Strings(&'a [String]),
    Column(&'a TagColumn<'a>, u32),
}

impl<'a> Tags<'a> {
    /// Row `row` of a column of tags. A row beyond the column has no tags.
    pub(super) fn of_column(column: &'a TagColumn<'a>, row: u32) -> Tags<'a> {
        Tags(Repr::Column(column, row))
    }

    /// How many tags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            Repr::Strs(tags) => tags.len(),
            Repr::Strings(tags) => tags.len(),
            Repr::Column(column, row) => column.codes_of(row as usize).len(),
        }
    }

    /// True when there is none. Having no tags is a known fact, not a missing value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tag at a position.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<&'a str> {
        match self.0 {
            Repr::Strs(tags) => tags.get(i).copied(),
            Repr::Strings(tags) => tags.get(i).map(String::as_str),
            Repr::Column(column, row) => {
                let code = *column.codes_of(row as usize).get(i)?;
                column.levels().get(code as usize)
            }
        }
    }

    /// The tags in the host's order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let tags = *self;
        (0..tags.len()).filter_map(move |i| tags.get(i))
    }

    /// True when `tag` is among them.
    #[must_use]
    pub fn contains(&self, tag: &str) -> bool {
        self.iter().any(|t| t == tag)
    }
}

/// Tags are compared in order.
impl PartialEq for Tags<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a> From<&'a [&'a str]> for Tags<'a> {
    fn from(tags: &'a [&'a str]) -> Self {
        Tags(Repr::Strs(tags))
    }
}

impl<'a> From<&'a [String]> for Tags<'a> {
    fn from(tags: &'a [String]) -> Self {
        Tags(Repr::Strings(tags))
    }
}

impl<'a> From<&'a Vec<String>> for Tags<'a> {
    fn from(tags: &'a Vec<String>) -> Self {
        Tags(Repr::Strings(tags))
    }
}

/// A [`Value`] that owns its text, for storing and for saving.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnedValue {
    /// Not known.
    #[default]
    Missing,
    /// A finite number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// One of a set of names.
    Category(String),
    /// A calendar day.
    Date(Date),
    /// Any number of names.
    Tags(Vec<String>),
}

impl OwnedValue {
    /// The value, borrowed.
    #[must_use]
    pub fn as_value(&self) -> Value<'_> {
        match self {
            OwnedValue::Missing => Value::Missing,
            OwnedValue::Number(x) => Value::Number(*x),
            OwnedValue::Flag(x) => Value::Flag(*x),
            OwnedValue::Category(x) => Value::Category(x),
            OwnedValue::Date(x) => Value::Date(*x),
            OwnedValue::Tags(x) => Value::Tags(Tags::from(x)),
        }
    }
}

impl fmt::Display for OwnedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_value(), f)
    }
}

impl From<f64> for OwnedValue {
    fn from(x: f64) -> Self {
        OwnedValue::Number(x)
    }
}

impl From<bool> for OwnedValue {
    fn from(x: bool) -> Self {
        OwnedValue::Flag(x)
    }
}

impl From<Date> for OwnedValue {
    fn from(x: Date) -> Self {
        OwnedValue::Date(x)
    }
}

impl From<&str> for OwnedValue {
    fn from(x: &str) -> Self {
        OwnedValue::Category(x.to_owned())
    }
}

impl From<Vec<String>> for OwnedValue {
    fn from(x: Vec<String>) -> Self {
        OwnedValue::Tags(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_at_most_24_bytes() {
        assert!(size_of::<Value<'_>>() <= 24, "{}", size_of::<Value<'_>>());
    }
}
