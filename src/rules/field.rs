//! Writing rules in Rust.

use std::ops::{BitAnd, BitOr, Not};
use std::sync::Arc;

use super::ast::{FieldTest, LeapDay, Literal, Rule, SegmentRef, Test};
use super::bucket::BucketTest;
use super::distance::{DistanceTest, Location};
use super::event::{Aggregate, CalendarUnit, EventTest, Window};
use super::pin::Share;
use super::score::ScoreTest;
use crate::data::Span;
use crate::segmenter::SegmentId;

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
    Field::new(Subject::Feature(name.into()))
}

/// The rule that holds when that of another segment of the same set does.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{RuleBook, field, segment};
/// use segmenta::segmenter::Truth;
///
/// let schema = Schema::new([FeatureSpec::number("spend"), FeatureSpec::flag("member")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("vip", "VIP", field("spend").ge(1000))
///     .segment("insiders", "Insiders", segment("vip") & field("member").eq(true))
///     .build()?;
/// let ann = OwnedCustomer::new(&schema, 1).set("spend", 2000.0)?.set("member", true)?;
/// assert_eq!(book.membership(&ann)?, [Truth::True, Truth::True]);
/// # Ok::<(), segmenta::Error>(())
/// ```
pub fn segment(id: impl Into<Arc<str>>) -> Rule {
    Rule::Segment(SegmentRef { id: SegmentId::new(id), version: None })
}

/// The rule of another segment of the same set, which must be of this version for the set to
/// be compiled: so nobody is moved by an edit of which they have not heard.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::{RuleBook, field, segment_version};
///
/// let schema = Schema::new([FeatureSpec::number("spend"), FeatureSpec::flag("member")])?;
/// let insiders = segment_version("vip", 3) & field("member").eq(true);
/// assert_eq!(insiders.to_string(), "segment 'vip' version 3 and member = true");
/// let error = RuleBook::builder(&schema)
///     .segment("vip", "VIP", field("spend").ge(2000))
///     .version(4)
///     .segment("insiders", "Insiders", insiders)
///     .build()
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the rules cannot be used: /segments/1/rule/all/0/segment/version: the segment `vip` \
///      is of another version (expected version 3, found version 4)",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
pub fn segment_version(id: impl Into<Arc<str>>, version: u32) -> Rule {
    Rule::Segment(SegmentRef { id: SegmentId::new(id), version: Some(version) })
}

/// Starts a test of the events of the stream of this name.
///
/// ```
/// use segmenta::data::Span;
/// use segmenta::rules::{CalendarUnit, events, field};
///
/// let lapsed = events("order").last(Span::days(90)).count().eq(0)
///     & events("order").filter(field("channel").eq("web")).sum("amount").ge(500)
///     & events("visit").calendar(1, CalendarUnit::Month).active_days().ge(3);
/// assert_eq!(
///     lapsed.to_string(),
///     "events(order).count in last 90d = 0 \
///      and events(order where channel = 'web').sum(amount) >= 500 \
///      and events(visit).active_days in last 1 whole month >= 3",
/// );
/// ```
pub fn events(stream: impl Into<String>) -> EventSelection {
    EventSelection { name: stream.into(), filter: None, window: Window::Ever }
}

/// Events about to be aggregated, made by [`events`]. An aggregate gives a [`Field`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct EventSelection {
    name: String,
    filter: Option<Box<Rule>>,
    window: Window,
}

impl EventSelection {
    /// Only those for which a rule over their properties is True; with several, all of
    /// them.
    pub fn filter(mut self, rule: Rule) -> EventSelection {
        self.filter = Some(Box::new(match self.filter {
            None => rule,
            Some(filter) => *filter & rule,
        }));
        self
    }

    /// The stream, the filter and the window.
    pub(super) fn into_parts(self) -> (String, Option<Box<Rule>>, Window) {
        (self.name, self.filter, self.window)
    }

    /// Only those of the last stretch of this length.
    pub fn last(self, span: Span) -> EventSelection {
        self.within(Window::Last(span))
    }

    /// Only those between two ages, the greater first.
    pub fn ago(self, from: Span, to: Span) -> EventSelection {
        self.within(Window::Ago { from, to })
    }

    /// Only those of so many whole units of the calendar before the present one.
    pub fn calendar(self, n: u32, unit: CalendarUnit) -> EventSelection {
        self.within(Window::Calendar { n, unit, include_current: false })
    }

    /// Only those of the units of the calendar from that `from` units before the present one
    /// up to that `to` units before it, which does not belong to them: `calendar_ago(3, 2,
    /// CalendarUnit::Month)` is the month three months ago.
    pub fn calendar_ago(self, from: u32, to: u32, unit: CalendarUnit) -> EventSelection {
        self.within(Window::CalendarAgo { from, to, unit })
    }

    /// Only those of the present unit of the calendar.
    pub fn this(self, unit: CalendarUnit) -> EventSelection {
        self.within(Window::Calendar { n: 0, unit, include_current: true })
    }

    /// Only those in a window.
    pub fn within(mut self, window: Window) -> EventSelection {
        self.window = window;
        self
    }

    /// How many there are.
    pub fn count(self) -> Field {
        self.aggregate(Aggregate::Count)
    }

    /// The sum of a property.
    pub fn sum(self, property: impl Into<String>) -> Field {
        self.aggregate(Aggregate::Sum(property.into()))
    }

    /// The average of a property.
    pub fn average(self, property: impl Into<String>) -> Field {
        self.aggregate(Aggregate::Average(property.into()))
    }

    /// The least value of a property.
    pub fn min(self, property: impl Into<String>) -> Field {
        self.aggregate(Aggregate::Min(property.into()))
    }

    /// The greatest value of a property.
    pub fn max(self, property: impl Into<String>) -> Field {
        self.aggregate(Aggregate::Max(property.into()))
    }

    /// How many different values a property has.
    pub fn distinct(self, property: impl Into<String>) -> Field {
        self.aggregate(Aggregate::Distinct(property.into()))
    }

    /// A property of the first one.
    pub fn first_value(self, property: impl Into<String>) -> Field {
        self.aggregate(Aggregate::First(property.into()))
    }

    /// A property of the last one.
    pub fn last_value(self, property: impl Into<String>) -> Field {
        self.aggregate(Aggregate::Last(property.into()))
    }

    /// The day of the first one.
    pub fn first_day(self) -> Field {
        self.aggregate(Aggregate::FirstDay)
    }

    /// The day of the last one.
    pub fn last_day(self) -> Field {
        self.aggregate(Aggregate::LastDay)
    }

    /// How many different days have one.
    pub fn active_days(self) -> Field {
        self.aggregate(Aggregate::ActiveDays)
    }

    /// Any aggregate.
    pub fn aggregate(self, aggregate: Aggregate) -> Field {
        Field::new(Subject::Events(self, aggregate))
    }
}

/// What is tested.
#[derive(Clone, Debug, PartialEq)]
enum Subject {
    Feature(String),
    Events(EventSelection, Aggregate),
    Distance { latitude: String, longitude: String, from: Location },
    Bucket { salt: String },
    Score { id: String },
}

/// A feature, or something that is computed of a customer, about to be tested: made by [`field`],
/// by [`EventSelection`], by [`distance`](super::distance()), by [`bucket`](super::bucket()) and by
/// [`score`](super::score()).
/// Each test gives a [`Rule`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Field {
    subject: Subject,
    when_missing: Option<bool>,
    /// Whether the number of tags is tested.
    size: bool,
}

impl Field {
    fn new(subject: Subject) -> Field {
        Field { subject, when_missing: None, size: false }
    }

    pub(super) fn of_distance(
        latitude: String,
        longitude: String,
        from: Location,
    ) -> Field {
        Field::new(Subject::Distance { latitude, longitude, from })
    }

    pub(super) fn of_bucket(salt: String) -> Field {
        Field::new(Subject::Bucket { salt })
    }

    pub(super) fn of_score(id: String) -> Field {
        Field::new(Subject::Score { id })
    }

    /// Answers the test with yes or no, rather than Unknown, where the value is missing. A
    /// [bucket](super::BucketTest) and a [score](super::ScoreTest) have no such answer, and
    /// take none.
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

    /// The day is today or one of the days before it, this many in all.
    pub fn in_last(self, span: Span) -> Rule {
        self.is(Test::InLast(span))
    }

    /// The day is today or one of the days after it, this many in all.
    pub fn in_next(self, span: Span) -> Rule {
        self.is(Test::InNext(span))
    }

    /// A yearly return of the day is today or one of the days after it, this many in all.
    /// 29 February returns on 28 February in years that have none.
    ///
    /// ```
    /// use segmenta::data::{Date, FeatureSpec, OwnedCustomer, Schema, Span, Timestamp};
    /// use segmenta::rules::{Rule, field};
    ///
    /// let schema = Schema::new([FeatureSpec::date("birthday"), FeatureSpec::date("joined")])?;
    /// let rule = field("birthday").has_anniversary(Span::days(7))
    ///     & !field("joined").in_last(Span::days(30));
    /// let text = "birthday has anniversary in next 7d and not joined in last 30d";
    /// assert_eq!(text.parse::<Rule>()?, rule);
    ///
    /// let ann = OwnedCustomer::new(&schema, 1)
    ///     .set("birthday", Date::from_ymd(1996, 2, 29)?)?
    ///     .set("joined", Date::from_ymd(2020, 5, 1)?)?;
    /// let rule = rule.compile(&schema)?;
    /// let on = |day: &str| format!("{day}T12:00:00Z").parse::<Timestamp>();
    /// assert!(rule.at(on("2023-02-22")?).holds(&ann)?);
    /// assert!(!rule.at(on("2023-03-01")?).holds(&ann)?);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    pub fn has_anniversary(self, within: Span) -> Rule {
        self.is(Test::Anniversary { within, leap_day: LeapDay::Feb28 })
    }

    /// The value is one of the greatest that a table's customers have, see
    /// [`RuleSet::pin`](super::RuleSet::pin).
    pub fn in_top(self, share: Share) -> Rule {
        self.is(Test::InTop(share))
    }

    /// The value is one of the least that a table's customers have, likewise.
    pub fn in_bottom(self, share: Share) -> Rule {
        self.is(Test::InBottom(share))
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
        let when_missing = self.when_missing;
        match self.subject {
            Subject::Feature(name) => Rule::Field(FieldTest { name, is, when_missing }),
            Subject::Events(EventSelection { name, filter, window }, agg) => {
                Rule::Event(EventTest { name, filter, agg, window, is, when_missing })
            }
            Subject::Distance { latitude, longitude, from } => {
                let test = DistanceTest { latitude, longitude, from, is, when_missing };
                Rule::Distance(test)
            }
            Subject::Bucket { salt } => Rule::Bucket(BucketTest { salt, is }),
            Subject::Score { id } => Rule::Score(ScoreTest { id, is }),
        }
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
