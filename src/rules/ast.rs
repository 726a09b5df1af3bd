//! The definition of a rule: a typed tree that is JSON at rest.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bucket::BucketTest;
use super::consent::ConsentTest;
use super::distance::DistanceTest;
use super::event::EventTest;
use super::pin::Share;
use super::score::ScoreTest;
use super::sequence::SequenceTest;
use crate::data::{Date, Span};
use crate::segmenter::SegmentId;

/// A condition on one customer, as plain data.
///
/// In JSON exactly one key names the kind of rule, and keys that are not known are
/// refused:
///
/// ```
/// use segmenta::rules::{Rule, field};
///
/// let json = r#"{"all": [
///     {"field": {"name": "country", "is": {"in": ["DE", "AT"]}}},
///     {"not": {"field": {"name": "opted_out", "is": {"eq": true}}}}
/// ]}"#;
/// let rule: Rule = serde_json::from_str(json)?;
/// assert_eq!(rule, field("country").is_in(["DE", "AT"]) & !field("opted_out").eq(true));
/// assert_eq!(rule.to_string(), "country in ('DE', 'AT') and not (opted_out = true)");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// What `Display` writes of a rule that can be compiled, `FromStr` reads, unless the text
/// is longer than [`Limits::text_len`](super::Limits::text_len) allows;
/// [`RuleText`](super::RuleText) has the grammar.
///
/// ```
/// use segmenta::rules::{Rule, field};
///
/// let rule: Rule = "country in ('DE', 'AT') and not opted_out".parse()?;
/// assert_eq!(rule, field("country").is_in(["DE", "AT"]) & !field("opted_out").eq(true));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Truth
/// Rules are evaluated in Kleene's three-valued logic (Kleene 1952, §64). A test of a
/// missing value is Unknown, unless [`FieldTest::when_missing`] says otherwise; `not`
/// keeps Unknown; only True makes a member. So a customer whose `opted_out` is not known
/// is left out by `not opted_out = true`. There are no negative tests: `not` is the only
/// negation, and says the same thing everywhere.
///
/// | `a` | `b` | `not a` | `all` of `a`, `b` | `any` of `a`, `b` |
/// |---|---|---|---|---|
/// | True | True | False | True | True |
/// | True | False | False | False | True |
/// | True | Unknown | False | Unknown | True |
/// | False | True | True | False | True |
/// | False | False | True | False | False |
/// | False | Unknown | True | False | Unknown |
/// | Unknown | True | Unknown | Unknown | True |
/// | Unknown | False | Unknown | False | Unknown |
/// | Unknown | Unknown | Unknown | Unknown | Unknown |
///
/// Of a list, what holds depends on how many of its rules are True, False and Unknown, in any
/// order. Of three:
///
/// | True | False | Unknown | `all` | `at_least` 2 | `any` |
/// |---|---|---|---|---|---|
/// | 3 | 0 | 0 | True | True | True |
/// | 2 | 1 | 0 | False | True | True |
/// | 2 | 0 | 1 | Unknown | True | True |
/// | 1 | 2 | 0 | False | False | True |
/// | 1 | 1 | 1 | False | Unknown | True |
/// | 1 | 0 | 2 | Unknown | Unknown | True |
/// | 0 | 3 | 0 | False | False | False |
/// | 0 | 2 | 1 | False | False | Unknown |
/// | 0 | 1 | 2 | False | Unknown | Unknown |
/// | 0 | 0 | 3 | Unknown | Unknown | Unknown |
///
/// `all` is `at_least` as many as there are, `any` is `at_least` 1.
///
/// # Depth
/// Only code can nest rules without an end: text is read up to 100 levels, JSON up to the 128
/// of `serde_json`, and [`Limits::MAX_DEPTH`](super::Limits::MAX_DEPTH) bounds what is
/// compiled. Checking, `Display`, [`digest`](Rule::digest) and [`leaves`](Rule::leaves) take
/// rules of any depth, and `Serialize` refuses more than 128 levels. To clone, compare, debug-print
/// and drop one takes a stack in proportion to its depth, as with any tree of Rust: code that
/// nests rules by the input of a stranger must count, up to some thousands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Rule {
    /// Holds for everyone.
    Everyone,
    /// Holds for nobody.
    Nobody,
    /// Every one of the rules holds. False if one is False, else Unknown if one is
    /// Unknown, else True. An empty list cannot be compiled.
    All(Vec<Rule>),
    /// At least one of the rules holds. True if one is True, else Unknown if one is
    /// Unknown, else False. An empty list cannot be compiled.
    Any(Vec<Rule>),
    /// At least `n` of the rules hold. True if `n` are True; False if fewer than `n`
    /// are True or Unknown; else Unknown.
    AtLeast {
        /// How many must hold: from 1 to the number of rules.
        n: usize,
        /// The rules.
        of: Vec<Rule>,
    },
    /// The rule does not hold. Unknown stays Unknown.
    Not(Box<Rule>),
    /// A test of one feature.
    Field(FieldTest),
    /// A test of what the customer did.
    Event(EventTest),
    /// A test of the order in which the customer did something.
    Sequence(SequenceTest),
    /// A test of how far the customer is from a place.
    Distance(DistanceTest),
    /// A test of a number that is drawn for the customer.
    Bucket(BucketTest),
    /// A test of what the customer has agreed to.
    Consent(ConsentTest),
    /// A test of a score of the set.
    Score(ScoreTest),
    /// The rule of another segment of the same set holds. Whether that segment is the one to
    /// which the customer is assigned does not matter.
    Segment(SegmentRef),
}

impl Rule {
    /// How many tests the rule is made of, without those of rules inside it.
    pub(super) fn n_tests(&self) -> usize {
        match self {
            Rule::Field(_)
            | Rule::Event(_)
            | Rule::Sequence(_)
            | Rule::Distance(_)
            | Rule::Bucket(_)
            | Rule::Score(_) => 1,
            Rule::Consent(test) => test.n_tests(),
            Rule::Everyone
            | Rule::Nobody
            | Rule::All(_)
            | Rule::Any(_)
            | Rule::AtLeast { .. }
            | Rule::Not(_)
            | Rule::Segment(_) => 0,
        }
    }
}

/// Another segment of the same set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentRef {
    /// The segment's id.
    pub id: SegmentId,
    /// The version that the segment must have for the rule to be compiled; absent for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A test of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldTest {
    /// The feature's name.
    pub name: String,
    /// What its value must satisfy.
    pub is: Test,
    /// The answer for a missing value; absent for Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_missing: Option<bool>,
}

/// What a value must satisfy. Which tests a feature has depends on its
/// [kind](crate::data::FeatureKind):
///
/// | kind | tests |
/// |---|---|
/// | number, date, ordinal | `eq` `in` `lt` `le` `gt` `ge` `between` |
/// | number, date | `in_top` `in_bottom`, once [pinned](super::RuleSet::pin) |
/// | date | `in_last` `in_next` `anniversary` |
/// | flag | `eq` `in` |
/// | category | `eq` `in` `contains` `starts_with` `ends_with` `matches` |
/// | tags | `has_any` `has_all` `size` |
/// | all | `set` `missing` |
///
/// Ordinals are ordered by their levels, lowest first. Texts are compared byte by byte:
/// upper and lower case differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Test {
    /// Equals.
    Eq(Literal),
    /// Equals one of a list, which must not be empty.
    In(Vec<Literal>),
    /// Lies below.
    Lt(Literal),
    /// Lies below or equals.
    Le(Literal),
    /// Lies above.
    Gt(Literal),
    /// Lies above or equals.
    Ge(Literal),
    /// Lies between two ends, both included.
    Between {
        /// The lower end.
        lo: Literal,
        /// The upper end, not below the lower one.
        hi: Literal,
    },
    /// The category's name contains a text.
    Contains(String),
    /// The category's name starts with a text.
    StartsWith(String),
    /// The category's name ends with a text.
    EndsWith(String),
    /// A regular expression is found in the category's name, in the syntax of the crate
    /// [`regex`](https://docs.rs/regex/1/regex/#syntax): `^` and `$` stand for the ends of
    /// the name, `(?i)` makes upper and lower case the same. It takes time in proportion to
    /// the name, whatever the expression.
    Matches(String),
    /// At least one of the names is among the tags.
    HasAny(Vec<String>),
    /// All of the names are among the tags.
    HasAll(Vec<String>),
    /// The number of tags satisfies a test of numbers (`eq` to `between`). Tags count as
    /// often as the host gives them.
    Size(#[serde(serialize_with = "super::depth::size")] Box<Test>),
    /// The day is today or one of the days before it, this many in all. Today is that of
    /// the instant and zone at which the rule is [asked](super::RuleBook::at).
    InLast(Span),
    /// The day is today or one of the days after it, this many in all.
    InNext(Span),
    /// A yearly return of the day, from the first year after it on, is today or one of the
    /// days after it.
    Anniversary {
        /// How many days in all, at most 366.
        within: Span,
        /// When 29 February returns in years that have none.
        #[serde(default)]
        leap_day: LeapDay,
    },
    /// The value is one of the greatest that a table's customers have. Rules know one customer
    /// only, so that a threshold must stand in its place before they are compiled:
    /// [`RuleSet::pin`](super::RuleSet::pin).
    InTop(Share),
    /// The value is one of the least; likewise.
    InBottom(Share),
    /// A value is there. Never Unknown.
    Set,
    /// No value is there. Never Unknown.
    Missing,
}

/// When 29 February returns in years that have none.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum LeapDay {
    /// On 28 February.
    #[default]
    Feb28,
    /// On 1 March.
    Mar1,
    /// Not at all.
    Skip,
}

impl LeapDay {
    pub(super) const ALL: [LeapDay; 3] = [LeapDay::Feb28, LeapDay::Mar1, LeapDay::Skip];

    pub(super) fn name(self) -> &'static str {
        match self {
            LeapDay::Feb28 => "feb28",
            LeapDay::Mar1 => "mar1",
            LeapDay::Skip => "skip",
        }
    }
}

impl Test {
    /// The key that names the test in JSON.
    #[must_use]
    pub fn operator(&self) -> &'static str {
        match self {
            Test::Eq(_) => "eq",
            Test::In(_) => "in",
            Test::Lt(_) => "lt",
            Test::Le(_) => "le",
            Test::Gt(_) => "gt",
            Test::Ge(_) => "ge",
            Test::Between { .. } => "between",
            Test::Contains(_) => "contains",
            Test::StartsWith(_) => "starts_with",
            Test::EndsWith(_) => "ends_with",
            Test::Matches(_) => "matches",
            Test::HasAny(_) => "has_any",
            Test::HasAll(_) => "has_all",
            Test::Size(_) => "size",
            Test::InLast(_) => "in_last",
            Test::InNext(_) => "in_next",
            Test::Anniversary { .. } => "anniversary",
            Test::InTop(_) => "in_top",
            Test::InBottom(_) => "in_bottom",
            Test::Set => "set",
            Test::Missing => "missing",
        }
    }
}

/// A value written in a rule: a plain number, `true` or `false`, or a text in JSON.
///
/// Texts are read by the kind of the feature: the name of a category or level, or a date
/// as `YYYY-MM-DD`. Integers beyond 2^53 are rounded to the nearest `f64`.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A category, a level, or a date.
    Text(String),
}

macro_rules! literal_of_number {
    ($($t:ty)*) => {$(
        impl From<$t> for Literal {
            fn from(x: $t) -> Self {
                Literal::Number(x as f64)
            }
        }
    )*};
}
literal_of_number!(f64 f32 u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl From<bool> for Literal {
    fn from(x: bool) -> Self {
        Literal::Flag(x)
    }
}

impl From<&str> for Literal {
    fn from(x: &str) -> Self {
        Literal::Text(x.to_owned())
    }
}

impl From<String> for Literal {
    fn from(x: String) -> Self {
        Literal::Text(x)
    }
}

impl From<Date> for Literal {
    fn from(x: Date) -> Self {
        Literal::Text(x.to_string())
    }
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self {
            Literal::Number(x) if !x.is_finite() => finite(x, serializer),
            // `3` rather than `3.0`, as people write it.
            Literal::Number(x) if x.fract() == 0.0 && x.abs() <= EXACT => {
                serializer.serialize_i64(*x as i64)
            }
            Literal::Number(x) => serializer.serialize_f64(*x),
            Literal::Flag(x) => serializer.serialize_bool(*x),
            Literal::Text(x) => serializer.serialize_str(x),
        }
    }
}

/// A number that JSON has; others it would turn into `null`, and so into another definition.
pub(super) fn finite<S: Serializer>(
    x: &f64,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    if x.is_finite() {
        serializer.serialize_f64(*x)
    } else {
        Err(serde::ser::Error::custom(format!("{x} is not a finite number")))
    }
}

/// [`finite`], if there is one.
pub(super) fn finite_or_none<S: Serializer>(
    x: &Option<f64>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    match x {
        None => serializer.serialize_none(),
        Some(x) => finite(x, serializer),
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Literal, D::Error> {
        deserializer.deserialize_any(LiteralVisitor)
    }
}

struct LiteralVisitor;

impl Visitor<'_> for LiteralVisitor {
    type Value = Literal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, true, false or a text")
    }

    fn visit_bool<E: de::Error>(self, x: bool) -> std::result::Result<Literal, E> {
        Ok(x.into())
    }

    fn visit_i64<E: de::Error>(self, x: i64) -> std::result::Result<Literal, E> {
        Ok(x.into())
    }

    fn visit_u64<E: de::Error>(self, x: u64) -> std::result::Result<Literal, E> {
        Ok(x.into())
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> std::result::Result<Literal, E> {
        Ok(x.into())
    }

    fn visit_str<E: de::Error>(self, x: &str) -> std::result::Result<Literal, E> {
        Ok(x.into())
    }
}
