//! From a rule to its text.

use std::fmt;

use super::lexer::is_of_word;
use super::parser::is_keyword;
use crate::rules::ast::{FieldTest, LeapDay, Literal, Rule, SegmentRef, Test};
use crate::rules::bucket::BucketTest;
use crate::rules::consent::{ConsentAge, ConsentTest};
use crate::rules::distance::DistanceTest;
use crate::rules::event::{Aggregate, EventTest, Window};
use crate::rules::pin::Share;
use crate::rules::score::ScoreTest;
use crate::rules::sequence::SequenceTest;

/// How many entries of a list stand in an explanation before the rest is only counted.
const LONGEST_LIST: usize = 20;

/// How many characters of a filter of events stand there.
const LONGEST_FILTER: usize = 200;

/// The text that [`FromStr`](std::str::FromStr) reads back as the same rule, but for
/// numbers that are not finite, and within the bounds of
/// [`RuleText::parse`](crate::rules::RuleText::parse).
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Everyone => f.write_str("everyone"),
            Rule::Nobody => f.write_str("nobody"),
            Rule::All(rules) => write_joined(f, rules, "all of", " and "),
            Rule::Any(rules) => write_joined(f, rules, "any of", " or "),
            Rule::AtLeast { n, of } => {
                write!(f, "at least {n} of ")?;
                write_list(f, of, usize::MAX, |f, rule| fmt::Display::fmt(rule, f))
            }
            Rule::Not(rule) => write!(f, "not ({rule})"),
            Rule::Field(test) => fmt::Display::fmt(test, f),
            Rule::Event(test) => fmt::Display::fmt(test, f),
            Rule::Sequence(test) => fmt::Display::fmt(test, f),
            Rule::Distance(test) => fmt::Display::fmt(test, f),
            Rule::Bucket(test) => fmt::Display::fmt(test, f),
            Rule::Score(test) => fmt::Display::fmt(test, f),
            Rule::Consent(test) => fmt::Display::fmt(test, f),
            Rule::Segment(SegmentRef { id, version }) => {
                write!(f, "segment {}", quoted(id.as_str()))?;
                version.map_or(Ok(()), |version| write!(f, " version {version}"))
            }
        }
    }
}

fn write_joined(
    f: &mut fmt::Formatter<'_>,
    rules: &[Rule],
    alone: &str,
    between: &str,
) -> fmt::Result {
    if rules.len() < 2 {
        write!(f, "{alone} ")?;
        return write_list(f, rules, usize::MAX, |f, rule| fmt::Display::fmt(rule, f));
    }
    for (i, rule) in rules.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        match rule {
            Rule::All(rules) | Rule::Any(rules) if rules.len() > 1 => {
                write!(f, "({rule})")?
            }
            _ => fmt::Display::fmt(rule, f)?,
        }
    }
    Ok(())
}

impl Rule {
    /// The rule in words, without the rules inside it, and long lists cut short.
    pub(in crate::rules) fn head(&self) -> String {
        match self {
            Rule::All(_) => "all of".to_owned(),
            Rule::Any(_) => "any of".to_owned(),
            Rule::AtLeast { n, .. } => format!("at least {n} of"),
            Rule::Not(_) => "not".to_owned(),
            Rule::Field(test) => Written(Subject::of(test), LONGEST_LIST).to_string(),
            Rule::Event(test) => {
                Written(Subject::of_events(test, true), LONGEST_LIST).to_string()
            }
            Rule::Distance(test) => {
                Written(Subject::of_distance(test), LONGEST_LIST).to_string()
            }
            Rule::Bucket(test) => {
                Written(Subject::of_bucket(test), LONGEST_LIST).to_string()
            }
            Rule::Score(test) => {
                Written(Subject::of_score(test), LONGEST_LIST).to_string()
            }
            Rule::Sequence(test) => Headed(test).to_string(),
            Rule::Everyone | Rule::Nobody | Rule::Consent(_) | Rule::Segment(_) => {
                self.to_string()
            }
        }
    }
}

impl fmt::Display for FieldTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written(Subject::of(self), usize::MAX).fmt(f)
    }
}

impl fmt::Display for EventTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written(Subject::of_events(self, false), usize::MAX).fmt(f)
    }
}

/// What is tested, and how.
struct Subject<'a> {
    write: Box<dyn Fn(&mut fmt::Formatter<'_>) -> fmt::Result + 'a>,
    is: &'a Test,
    when_missing: Option<bool>,
}

impl<'a> Subject<'a> {
    fn of(test: &'a FieldTest) -> Subject<'a> {
        let FieldTest { name, is, when_missing } = test;
        let write = Box::new(|f: &mut fmt::Formatter<'_>| write_name(f, name));
        Subject { write, is, when_missing: *when_missing }
    }

    fn of_distance(test: &'a DistanceTest) -> Subject<'a> {
        let write = Box::new(|f: &mut fmt::Formatter<'_>| write_distance(f, test));
        Subject { write, is: &test.is, when_missing: test.when_missing }
    }

    fn of_bucket(test: &'a BucketTest) -> Subject<'a> {
        let write =
            Box::new(|f: &mut fmt::Formatter<'_>| f.write_str(&bucket_name(&test.salt)));
        Subject { write, is: &test.is, when_missing: None }
    }

    fn of_score(test: &'a ScoreTest) -> Subject<'a> {
        let write =
            Box::new(|f: &mut fmt::Formatter<'_>| f.write_str(&score_name(&test.id)));
        Subject { write, is: &test.is, when_missing: None }
    }

    /// With a long filter cut short, if so wanted.
    fn of_events(test: &'a EventTest, is_short: bool) -> Subject<'a> {
        let write =
            Box::new(move |f: &mut fmt::Formatter<'_>| write_events(f, test, is_short));
        Subject { write, is: &test.is, when_missing: test.when_missing }
    }
}

impl fmt::Display for DistanceTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written(Subject::of_distance(self), usize::MAX).fmt(f)
    }
}

impl fmt::Display for BucketTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written(Subject::of_bucket(self), usize::MAX).fmt(f)
    }
}

impl fmt::Display for ScoreTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written(Subject::of_score(self), usize::MAX).fmt(f)
    }
}

impl fmt::Display for ConsentTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConsentTest { purpose, is, given } = self;
        f.write_str("consent(")?;
        write_name(f, purpose)?;
        if let Some(states) = is {
            f.write_str(" in ")?;
            write_list(f, states, usize::MAX, |f, state| f.write_str(&quoted(state)))?;
        }
        if let Some(ConsentAge { on, in_last }) = given {
            f.write_str(" given on ")?;
            write_name(f, on)?;
            write!(f, " in last {in_last}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for SequenceTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_sequence(f, self, false)
    }
}

/// A sequence with long filters cut short.
struct Headed<'a>(&'a SequenceTest);

impl fmt::Display for Headed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_sequence(f, self.0, true)
    }
}

fn write_sequence(
    f: &mut fmt::Formatter<'_>,
    test: &SequenceTest,
    is_short: bool,
) -> fmt::Result {
    f.write_str("sequence(")?;
    for (i, step) in test.steps.iter().enumerate() {
        f.write_str(if i > 0 { " then " } else { "" })?;
        f.write_str(if step.not { "not " } else { "" })?;
        write_name(f, &step.name)?;
        write_filter(f, step.filter.as_deref(), is_short)?;
        if let Some(within) = step.within {
            write!(f, " within {within}")?;
        }
    }
    f.write_str(")")?;
    if let Some(property) = &test.same {
        f.write_str(" with same ")?;
        write_name(f, property)?;
    }
    write!(f, "{}", test.window)
}

/// A test, and how many entries of its list are written.
struct Written<'a>(Subject<'a>, usize);

fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let starts_well = |c: char| is_of_word(c) && !c.is_numeric();
    let plain = name.starts_with(starts_well) && name.chars().all(is_of_word);
    if plain && !is_keyword(name) {
        f.write_str(name)
    } else {
        write!(f, "\"{}\"", name.replace('"', "\"\""))
    }
}

struct Events<'a>(&'a EventTest);

impl fmt::Display for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_events(f, self.0, true)
    }
}

/// The aggregate of a test, its filter cut short.
pub(in crate::rules) fn events_name(test: &EventTest) -> String {
    Events(test).to_string()
}

fn write_events(
    f: &mut fmt::Formatter<'_>,
    test: &EventTest,
    is_short: bool,
) -> fmt::Result {
    f.write_str("events(")?;
    write_name(f, &test.name)?;
    write_filter(f, test.filter.as_deref(), is_short)?;
    write!(f, ").{}{}", test.agg, test.window)?;
    // Else the days of the test would be read as a window.
    let is_days = matches!(test.is, Test::InLast(_));
    f.write_str(if is_days && test.window.is_ever() { " ever" } else { "" })
}

fn write_filter(
    f: &mut fmt::Formatter<'_>,
    filter: Option<&Rule>,
    is_short: bool,
) -> fmt::Result {
    let Some(filter) = filter else { return Ok(()) };
    let text = filter.to_string();
    match text.char_indices().nth(LONGEST_FILTER) {
        Some((end, _)) if is_short => write!(f, " where {}…", &text[..end]),
        _ => write!(f, " where {text}"),
    }
}

fn write_distance(f: &mut fmt::Formatter<'_>, test: &DistanceTest) -> fmt::Result {
    f.write_str("distance(")?;
    write_name(f, &test.latitude)?;
    f.write_str(", ")?;
    write_name(f, &test.longitude)?;
    write!(f, ") from {}", test.from)
}

/// What a distance is called, whatever it is compared with.
pub(in crate::rules) fn distance_name(test: &DistanceTest) -> String {
    struct Name<'a>(&'a DistanceTest);
    impl fmt::Display for Name<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_distance(f, self.0)
        }
    }
    Name(test).to_string()
}

/// What a draw is called, whatever it is compared with.
pub(in crate::rules) fn bucket_name(salt: &str) -> String {
    format!("bucket({})", quoted(salt))
}

/// What a test of a score is about.
pub(in crate::rules) fn score_name(id: &str) -> String {
    format!("score {}", quoted(id))
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Some(property) = self.property() {
            f.write_str("(")?;
            write_name(f, property)?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// With a blank in front; nothing for ever.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Ever => Ok(()),
            Window::Last(span) => write!(f, " in last {span}"),
            Window::Ago { from, to } => write!(f, " from {from} to {to} ago"),
            Window::Calendar { n: 0, unit, include_current: true } => {
                write!(f, " in this {}", unit.name())
            }
            Window::Calendar { n, unit, include_current } => {
                let plural = if *n == 1 { "" } else { "s" };
                write!(f, " in last {n} whole {}{plural}", unit.name())?;
                f.write_str(if *include_current { " to now" } else { "" })
            }
            Window::CalendarAgo { from, to, unit } => {
                write!(f, " from {from} to {to} whole {}s ago", unit.name())
            }
            Window::Between { from, to } => {
                write!(f, " from {} to {}", quoted(from), quoted(to))
            }
        }
    }
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written(Subject { write, is, when_missing }, longest) = self;
        let mut test: &Test = is;
        while let Test::Size(inner) = test {
            f.write_str("size of ")?;
            test = inner;
        }
        write(f)?;
        f.write_str(" ")?;
        write_test(f, test, *longest)?;
        match when_missing {
            Some(true) => f.write_str(" when missing yes"),
            Some(false) => f.write_str(" when missing no"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_test(f, self, usize::MAX)
    }
}

fn write_test(f: &mut fmt::Formatter<'_>, test: &Test, longest: usize) -> fmt::Result {
    let text = |f: &mut fmt::Formatter<'_>, text: &String| f.write_str(&quoted(text));
    match test {
        Test::Eq(x) => write!(f, "= {x}"),
        Test::In(list) => {
            f.write_str("in ")?;
            write_list(f, list, longest, |f, x| fmt::Display::fmt(x, f))
        }
        Test::Lt(x) => write!(f, "< {x}"),
        Test::Le(x) => write!(f, "<= {x}"),
        Test::Gt(x) => write!(f, "> {x}"),
        Test::Ge(x) => write!(f, ">= {x}"),
        Test::Between { lo, hi } => write!(f, "between {lo} and {hi}"),
        Test::Contains(part) => write!(f, "contains {}", quoted(part)),
        Test::StartsWith(start) => write!(f, "starts with {}", quoted(start)),
        Test::EndsWith(end) => write!(f, "ends with {}", quoted(end)),
        Test::Matches(pattern) => write!(f, "matches {}", quoted(pattern)),
        Test::HasAny(names) => {
            f.write_str("has any of ")?;
            write_list(f, names, longest, text)
        }
        Test::HasAll(names) => {
            f.write_str("has all of ")?;
            write_list(f, names, longest, text)
        }
        Test::Size(test) => {
            f.write_str("size ")?;
            write_test(f, test, longest)
        }
        Test::InLast(span) => write!(f, "in last {span}"),
        Test::InNext(span) => write!(f, "in next {span}"),
        Test::Anniversary { within, leap_day } => {
            write!(f, "has anniversary in next {within}")?;
            match leap_day {
                LeapDay::Feb28 => Ok(()),
                LeapDay::Mar1 | LeapDay::Skip => {
                    write!(f, " with leap day {}", leap_day.name())
                }
            }
        }
        Test::InTop(share) => write!(f, "in top {share}"),
        Test::InBottom(share) => write!(f, "in bottom {share}"),
        Test::Set => f.write_str("is set"),
        Test::Missing => f.write_str("is missing"),
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Count(n) => write!(f, "{n}"),
            Share::Percent(percent) => write!(f, "{percent} percent"),
        }
    }
}

/// Numbers and flags as they are, texts in single quotes.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Number(x) => write!(f, "{x}"),
            Literal::Flag(x) => write!(f, "{x}"),
            Literal::Text(x) => f.write_str(&quoted(x)),
        }
    }
}

/// A text in single quotes; quotes inside are doubled, as in SQL.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Entries in parentheses.
fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    entries: &[T],
    longest: usize,
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("(")?;
    for (i, entry) in entries.iter().take(longest).enumerate() {
        f.write_str(if i > 0 { ", " } else { "" })?;
        write(f, entry)?;
    }
    if entries.len() > longest {
        write!(f, ", and {} more", entries.len() - longest)?;
    }
    f.write_str(")")
}
