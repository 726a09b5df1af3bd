//! The kernel: one test of one value.

use std::cmp::Ordering;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::day::DayCheck;
use crate::data::{Date, FeatureIndex, FeatureKind, FeatureSpec, Tags, Value};
use crate::error::Error;
use crate::segmenter::Truth;

/// Lists up to this length are searched from the front: cheaper than halving.
const SHORT: usize = 8;

/// A test of one value, resolved against the schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    pub(super) source: Source,
    /// The answer for a missing value.
    pub(super) missing: Truth,
    pub(super) check: Check,
}

/// Where the value that is tested comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Feature(FeatureIndex),
    /// The aggregate of events at this place among those of the rule.
    Events(u32),
    /// What else is computed, by its place among that of the rule.
    Computed(u32),
    /// The score at this place among those of the rule.
    Score(u32),
}

/// What is asked of a value that is there, by its kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    Number(NumberCheck),
    Flag {
        yes: bool,
        no: bool,
    },
    /// Of the days since the epoch.
    Date(NumberCheck),
    /// Of the distance from today.
    Day(DayCheck),
    /// Of a category whose set of names is open.
    Text(TextCheck),
    /// Of a category or ordinal with levels: the answer for each level.
    Level {
        levels: Arc<Names>,
        answers: Arc<[bool]>,
    },
    Tags {
        check: TagCheck,
        levels: Option<Arc<Names>>,
    },
    /// That there is a number: what counts is which one.
    Amount,
}

/// A set of finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NumberCheck {
    /// From the first to the second, both included; empty when they are swapped.
    Range(f64, f64),
    /// Ascending, different.
    In(Arc<[f64]>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TextCheck {
    Always(bool),
    In(Names),
    Contains(Box<str>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Matches(Pattern),
}

/// A regular expression, compiled once. Equal if it is written in the same way.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Arc<Regex>);

impl Pattern {
    /// Within so many bytes when compiled.
    pub(super) fn new(pattern: &str, size: usize) -> Result<Pattern, regex::Error> {
        let built =
            RegexBuilder::new(pattern).size_limit(size).dfa_size_limit(size).build();
        built.map(|regex| Pattern(Arc::new(regex)))
    }
}

impl Pattern {
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn finds(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.as_str() == other.as_str()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TagCheck {
    Always(bool),
    Any(Names),
    All(Names),
    Size(NumberCheck),
}

/// Names in ascending order, each once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Names {
    names: Arc<[Box<str>]>,
    /// The first eight bytes of each name as a number, so that most comparisons are of
    /// two numbers. They ascend with the names.
    heads: Arc<[u64]>,
}

/// The first eight bytes, filled up with zeros, the first byte highest.
#[inline]
pub(super) fn head(name: &str) -> u64 {
    let bytes = name.as_bytes();
    match bytes.first_chunk() {
        Some(chunk) => u64::from_be_bytes(*chunk),
        None => {
            let head = bytes.iter().fold(0, |head, &b| head << 8 | u64::from(b));
            // A shift by all 64 bits, for the empty name, would overflow.
            head << (8 * (8 - bytes.len().max(1)))
        }
    }
}

impl Names {
    pub(super) fn new<'s>(names: impl IntoIterator<Item = &'s str>) -> Names {
        let mut names: Vec<Box<str>> = names.into_iter().map(Box::from).collect();
        names.sort_unstable();
        names.dedup();
        let heads = names.iter().map(|name| head(name)).collect();
        Names { names: names.into(), heads }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    pub(super) fn get(&self, position: usize) -> Option<&str> {
        self.names.get(position).map(|name| &**name)
    }

    #[inline]
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let wanted = head(name);
        if self.heads.len() > SHORT {
            let order = |at: usize| {
                self.heads[at].cmp(&wanted).then_with(|| (*self.names[at]).cmp(name))
            };
            return binary_search(self.heads.len(), order);
        }
        self.heads.iter().zip(self.names.iter()).position(|(&head, candidate)| {
            // Names of up to eight bytes with one head differ by trailing zeros at most.
            head == wanted
                && candidate.len() == name.len()
                && (name.len() <= 8 || **candidate == *name)
        })
    }

    #[inline]
    fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }
}

/// The position below `n` at which `order` is `Equal`, where it ascends.
fn binary_search(n: usize, order: impl Fn(usize) -> Ordering) -> Option<usize> {
    let (mut from, mut to) = (0, n);
    while from < to {
        let middle = from + (to - from) / 2;
        match order(middle) {
            Ordering::Less => from = middle + 1,
            Ordering::Greater => to = middle,
            Ordering::Equal => return Some(middle),
        }
    }
    None
}

impl NumberCheck {
    pub(super) const ALL: NumberCheck =
        NumberCheck::Range(f64::NEG_INFINITY, f64::INFINITY);
    pub(super) const NONE: NumberCheck =
        NumberCheck::Range(f64::INFINITY, f64::NEG_INFINITY);

    pub(super) fn list(mut numbers: Vec<f64>) -> NumberCheck {
        numbers.sort_unstable_by(f64::total_cmp);
        // `==`, so that -0 and 0 are one number, here and below.
        numbers.dedup_by(|a, b| a == b);
        NumberCheck::In(numbers.into())
    }

    #[inline]
    pub(super) fn accepts(&self, x: f64) -> bool {
        match self {
            NumberCheck::Range(lo, hi) => *lo <= x && x <= *hi,
            NumberCheck::In(list) if list.len() <= SHORT => list.contains(&x),
            NumberCheck::In(list) => list
                .binary_search_by(|y| y.partial_cmp(&x).unwrap_or(Ordering::Less))
                .is_ok(),
        }
    }
}

impl TextCheck {
    #[inline]
    pub(super) fn accepts(&self, text: &str) -> bool {
        match self {
            TextCheck::Always(answer) => *answer,
            TextCheck::In(names) => names.contains(text),
            TextCheck::Contains(part) => text.contains(&**part),
            TextCheck::StartsWith(start) => text.starts_with(&**start),
            TextCheck::EndsWith(end) => text.ends_with(&**end),
            TextCheck::Matches(pattern) => pattern.finds(text),
        }
    }
}

impl TagCheck {
    fn accepts(&self, tags: Tags<'_>) -> bool {
        match self {
            TagCheck::Always(answer) => *answer,
            TagCheck::Any(names) => tags.iter().any(|tag| names.contains(tag)),
            TagCheck::All(names) => names.iter().all(|name| tags.contains(name)),
            TagCheck::Size(check) => check.accepts(tags.len() as f64),
        }
    }
}

impl Check {
    /// The levels of the feature, if they are closed.
    pub(super) fn levels(&self) -> Option<&Names> {
        match self {
            Check::Level { levels, .. } => Some(levels),
            Check::Tags { levels, .. } => levels.as_deref(),
            _ => None,
        }
    }

    /// Whether a category or level passes; those that are not allowed do not.
    pub(super) fn accepts_level(&self, level: &str) -> bool {
        match self {
            Check::Text(check) => check.accepts(level),
            Check::Level { levels, answers } => {
                levels.position(level).is_some_and(|at| answers[at])
            }
            _ => false,
        }
    }
}

impl Leaf {
    /// Whether the answer depends on the day.
    pub(super) fn asks_today(&self) -> bool {
        matches!(self.check, Check::Day(_))
    }

    /// The list of an open category, if that is what is asked.
    #[inline]
    pub(super) fn names(&self) -> Option<&Names> {
        match &self.check {
            Check::Text(TextCheck::In(names)) => Some(names),
            _ => None,
        }
    }

    /// The truth for a value `today`, which matters only if
    /// [`asks_today`](Leaf::asks_today), or `None` for a value that cannot be used: of another kind,
    /// not finite, or not among the levels. Whatever the test, the whole value is checked.
    ///
    /// The value is read in place: to copy it right after the host has written it, in
    /// other portions, makes the processor wait.
    #[inline]
    pub(super) fn test(&self, value: &Value<'_>, today: Date) -> Option<Truth> {
        let holds = match value {
            Value::Missing => return Some(self.missing),
            Value::Number(x) => match &self.check {
                Check::Number(check) if x.is_finite() => check.accepts(*x),
                Check::Amount if x.is_finite() => true,
                _ => return None,
            },
            Value::Flag(x) => match &self.check {
                Check::Flag { yes, no } => *if *x { yes } else { no },
                _ => return None,
            },
            Value::Category(name) => match &self.check {
                Check::Text(check) => check.accepts(name),
                Check::Level { levels, answers } => answers[levels.position(name)?],
                _ => return None,
            },
            Value::Date(date) => match &self.check {
                Check::Date(check) => check.accepts(f64::from(date.days_since_epoch())),
                Check::Day(check) => check.accepts(*date, today),
                _ => return None,
            },
            Value::Tags(tags) => match &self.check {
                Check::Tags { check, levels } if within(tags, levels.as_deref()) => {
                    check.accepts(*tags)
                }
                _ => return None,
            },
        };
        Some(holds.into())
    }
}

/// Whether a value is of this kind, and among the levels if these are closed.
pub(super) fn is_usable(
    kind: FeatureKind,
    levels: Option<&Names>,
    value: &Value<'_>,
) -> bool {
    match (kind, value) {
        (_, Value::Missing)
        | (FeatureKind::Flag, Value::Flag(_))
        | (FeatureKind::Date, Value::Date(_)) => true,
        (FeatureKind::Number, Value::Number(x)) => x.is_finite(),
        (FeatureKind::Category | FeatureKind::Ordinal, Value::Category(name)) => {
            levels.is_none_or(|levels| levels.contains(name))
        }
        (FeatureKind::Tags, Value::Tags(tags)) => within(tags, levels),
        _ => false,
    }
}

/// Whether all tags are among the levels, if these are closed.
fn within(tags: &Tags<'_>, levels: Option<&Names>) -> bool {
    levels.is_none_or(|levels| tags.iter().all(|tag| levels.contains(tag)))
}

/// Why a value of this feature cannot be used. For a value that can, which
/// [`Leaf::test`] never refuses, the kind is blamed.
#[cold]
pub(super) fn fault(spec: &FeatureSpec, value: Value<'_>) -> Error {
    let unknown =
        |name: &str| !spec.get_levels().is_empty() && spec.level_code(name).is_none();
    match (spec.kind(), value) {
        (FeatureKind::Number, Value::Number(x)) => spec.non_finite(x, None),
        (FeatureKind::Category | FeatureKind::Ordinal, Value::Category(name)) => {
            spec.unknown_level(name, None)
        }
        (FeatureKind::Tags, Value::Tags(tags)) => {
            let tag = tags.iter().find(|tag| unknown(tag));
            spec.unknown_level(tag.unwrap_or_default(), None)
        }
        (_, value) => spec.wrong_kind(value.kind_name(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_short_and_long_lists() {
        let long = "one name that goes on";
        let pool = [
            "",
            "a",
            "a\0",
            "a\0\0",
            "ab",
            "abcdefg",
            "abcdefgh",
            "abcdefgh\0",
            "abcdefghi",
            "abcdefghj",
            "abcdefghij",
            "b",
            "ä",
            "ä\0",
            "\u{10ffff}",
            "zzzzzzzz",
            "zzzzzzzzz",
            long,
        ];
        // Lists of every other, every third … name: some short, some long.
        for step in 1..=9 {
            for from in 0..step {
                let listed: Vec<&str> =
                    pool.iter().copied().skip(from).step_by(step).collect();
                let names = Names::new(listed.iter().chain(&listed).copied());
                assert_eq!(names.iter().len(), listed.len());
                assert!(names.iter().is_sorted() && names.heads.is_sorted());
                for name in pool {
                    let expected = names.iter().position(|n| n == name);
                    assert_eq!(names.position(name), expected, "{name:?} in {listed:?}");
                    assert_eq!(expected.is_some(), listed.contains(&name));
                }
            }
        }
    }
}
