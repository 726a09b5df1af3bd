//! Writing rules in Rust.

use std::ops::{BitAnd, BitOr, Not};

use super::ast::{FieldTest, Literal, Rule, Test};

/// Starts a test of the feature of this name.
///
/// ```
/// use segmenta::rules::{Rule, field};
///
/// let loyal = field("orders").ge(3) & field("last_order").ge("2024-01-01");
/// let warm = Rule::any([loyal, field("interests").size().ge(2)]);
/// let rule = warm & !field("opted_out").when_missing(true).eq(true);
/// assert_eq!(
///     rule.to_string(),
///     "((orders >= 3 and last_order >= '2024-01-01') or size of interests >= 2) \
///      and not (opted_out = true when missing yes)",
/// );
/// ```
pub fn field(name: impl Into<String>) -> Field {
    Field { name: name.into(), when_missing: None, size: false }
}

/// A feature about to be tested, made by [`field`]. Each test gives a [`Rule`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Field {
    name: String,
    when_missing: Option<bool>,
    /// Whether the number of tags is tested.
    size: bool,
}

impl Field {
    /// Answers the test with yes or no, rather than Unknown, where the value is missing.
    pub fn when_missing(mut self, holds: bool) -> Field {
        self.when_missing = Some(holds);
        self
    }

    /// Tests the number of tags.
    pub fn size(mut self) -> Field {
        self.size = true;
        self
    }

    /// Equals `value`.
    pub fn eq(self, value: impl Into<Literal>) -> Rule {
        self.is(Test::Eq(value.into()))
    }

    /// Equals one of `values`.
    pub fn is_in<L: Into<Literal>>(self, values: impl IntoIterator<Item = L>) -> Rule {
        self.is(Test::In(values.into_iter().map(Into::into).collect()))
    }

    /// Lies below `value`.
    pub fn lt(self, value: impl Into<Literal>) -> Rule {
        self.is(Test::Lt(value.into()))
    }

    /// Lies below `value` or equals it.
    pub fn le(self, value: impl Into<Literal>) -> Rule {
        self.is(Test::Le(value.into()))
    }

    /// Lies above `value`.
    pub fn gt(self, value: impl Into<Literal>) -> Rule {
        self.is(Test::Gt(value.into()))
    }

    /// Lies above `value` or equals it.
    pub fn ge(self, value: impl Into<Literal>) -> Rule {
        self.is(Test::Ge(value.into()))
    }

    /// Lies between `lo` and `hi`, both included.
    pub fn between(self, lo: impl Into<Literal>, hi: impl Into<Literal>) -> Rule {
        self.is(Test::Between { lo: lo.into(), hi: hi.into() })
    }

    /// The category's name contains `text`.
    pub fn contains(self, text: impl Into<String>) -> Rule {
        self.is(Test::Contains(text.into()))
    }

    /// The category's name starts with `text`.
    pub fn starts_with(self, text: impl Into<String>) -> Rule {
        self.is(Test::StartsWith(text.into()))
    }

    /// The category's name ends with `text`.
    pub fn ends_with(self, text: impl Into<String>) -> Rule {
        self.is(Test::EndsWith(text.into()))
    }

    /// The regular expression `pattern` is found in the category's name.
    pub fn matches(self, pattern: impl Into<String>) -> Rule {
        self.is(Test::Matches(pattern.into()))
    }

    /// At least one of `names` is among the tags.
    pub fn has_any<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Rule {
        self.is(Test::HasAny(names.into_iter().map(Into::into).collect()))
    }

    /// All of `names` are among the tags.
    pub fn has_all<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Rule {
        self.is(Test::HasAll(names.into_iter().map(Into::into).collect()))
    }

    /// A value is there.
    pub fn is_set(self) -> Rule {
        self.is(Test::Set)
    }

    /// No value is there.
    pub fn is_missing(self) -> Rule {
        self.is(Test::Missing)
    }

    /// Satisfies a test that was made elsewhere.
    pub fn is(self, test: Test) -> Rule {
        let is = if self.size { Test::Size(Box::new(test)) } else { test };
        Rule::Field(FieldTest { name: self.name, is, when_missing: self.when_missing })
    }
}

impl Rule {
    /// Every one of the rules holds.
    pub fn all(rules: impl IntoIterator<Item = Rule>) -> Rule {
        Rule::All(rules.into_iter().collect())
    }

    /// At least one of the rules holds.
    pub fn any(rules: impl IntoIterator<Item = Rule>) -> Rule {
        Rule::Any(rules.into_iter().collect())
    }

    /// At least `n` of the rules hold.
    pub fn at_least(n: usize, rules: impl IntoIterator<Item = Rule>) -> Rule {
        Rule::AtLeast { n, of: rules.into_iter().collect() }
    }
}

impl Not for Rule {
    type Output = Rule;

    fn not(self) -> Rule {
        Rule::Not(Box::new(self))
    }
}

/// `a & b & c` is one list of three. An empty list on the left stays one, so that it is
/// still refused.
impl BitAnd for Rule {
    type Output = Rule;

    fn bitand(self, other: Rule) -> Rule {
        match self {
            Rule::All(mut rules) if !rules.is_empty() => {
                rules.push(other);
                Rule::All(rules)
            }
            rule => Rule::All(vec![rule, other]),
        }
    }
}

/// `a | b | c` is one list of three. An empty list on the left stays one, so that it is
/// still refused.
impl BitOr for Rule {
    type Output = Rule;

    fn bitor(self, other: Rule) -> Rule {
        match self {
            Rule::Any(mut rules) if !rules.is_empty() => {
                rules.push(other);
                Rule::Any(rules)
            }
            rule => Rule::Any(vec![rule, other]),
        }
    }
}
