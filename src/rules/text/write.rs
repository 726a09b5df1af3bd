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
        // Without recursion: the rule may be of any depth.
        let mut open = vec![Piece::Rule(self)];
        while let Some(piece) = open.pop() {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Rule(rule) => write_rule(f, rule, &mut open)?,
                Piece::Part(rule) => match rule {
                    Rule::All(rules) | Rule::Any(rules) if rules.len() > 1 => {
                        f.write_str("(")?;
                        open.extend([Piece::Text(")"), Piece::Rule(rule)]);
                    }
                    _ => open.push(Piece::Rule(rule)),
                },
                Piece::AfterFilter(test) => write_after_filter(f, test)?,
                Piece::Step(test, at) => write_step(f, test, at, &mut open)?,
                Piece::AfterStep(test, at) => {
                    write_after_step(f, test, at)?;
                    open.push(Piece::Step(test, at + 1));
                }
            }
        }
        Ok(())
    }
}

/// What of a rule is still to be written.
enum Piece<'r> {
    Text(&'static str),
    Rule(&'r Rule),
    /// In parentheses where it needs them.
    Part(&'r Rule),
    /// What comes after the filter of events.
    AfterFilter(&'r EventTest),
    /// From this step of a sequence on.
    Step(&'r SequenceTest, usize),
    /// From what comes after the filter of this step on.
    AfterStep(&'r SequenceTest, usize),
}

/// The start of a rule; what comes then is `open`, the last first.
fn write_rule<'r>(
    f: &mut fmt::Formatter<'_>,
    rule: &'r Rule,
    open: &mut Vec<Piece<'r>>,
) -> fmt::Result {
    match rule {
        Rule::Everyone => f.write_str("everyone"),
        Rule::Nobody => f.write_str("nobody"),
        Rule::All(rules) => write_joined(f, rules, ["all of (", " and "], open),
        Rule::Any(rules) => write_joined(f, rules, ["any of (", " or "], open),
        Rule::AtLeast { n, of } => {
            write!(f, "at least {n} of (")?;
            open.push(Piece::Text(")"));
            push_between(of, ", ", Piece::Rule, open);
            Ok(())
        }
        Rule::Not(rule) => {
            open.extend([Piece::Text(")"), Piece::Rule(rule)]);
            f.write_str("not (")
        }
        Rule::Field(test) => fmt::Display::fmt(test, f),
        Rule::Event(test) => match &test.filter {
            Some(filter) => {
                write_sizes(f, &test.is)?;
                f.write_str("events(")?;
                write_name(f, &test.name)?;
                open.extend([Piece::AfterFilter(test), Piece::Rule(filter)]);
                f.write_str(" where ")
            }
            None => fmt::Display::fmt(test, f),
        },
        Rule::Sequence(test) => {
            open.push(Piece::Step(test, 0));
            f.write_str("sequence(")
        }
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

fn write_joined<'r>(
    f: &mut fmt::Formatter<'_>,
    rules: &'r [Rule],
    [alone, between]: [&'static str; 2],
    open: &mut Vec<Piece<'r>>,
) -> fmt::Result {
    if rules.len() < 2 {
        f.write_str(alone)?;
        open.push(Piece::Text(")"));
    }
    let piece = if rules.len() < 2 { Piece::Rule } else { Piece::Part };
    push_between(rules, between, piece, open);
    Ok(())
}

fn push_between<'r>(
    rules: &'r [Rule],
    between: &'static str,
    piece: fn(&'r Rule) -> Piece<'r>,
    open: &mut Vec<Piece<'r>>,
) {
    for (i, rule) in rules.iter().enumerate().rev() {
        open.push(piece(rule));
        if i > 0 {
            open.push(Piece::Text(between));
        }
    }
}

/// From a step up to its filter; of none, the end of the sequence.
fn write_step<'r>(
    f: &mut fmt::Formatter<'_>,
    test: &'r SequenceTest,
    at: usize,
    open: &mut Vec<Piece<'r>>,
) -> fmt::Result {
    let Some(step) = test.steps.get(at) else { return write_after_steps(f, test) };
    write_before_filter(f, test, at)?;
    open.push(Piece::AfterStep(test, at));
    if let Some(filter) = &step.filter {
        f.write_str(" where ")?;
        open.push(Piece::Rule(filter));
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
        write_before_filter(f, test, i)?;
        write_filter(f, step.filter.as_deref(), is_short)?;
        write_after_step(f, test, i)?;
    }
    write_after_steps(f, test)
}

fn write_before_filter(
    f: &mut fmt::Formatter<'_>,
    test: &SequenceTest,
    at: usize,
) -> fmt::Result {
    let Some(step) = test.steps.get(at) else { return Ok(()) };
    f.write_str(if at > 0 { " then " } else { "" })?;
    f.write_str(if step.not { "not " } else { "" })?;
    write_name(f, &step.name)
}

fn write_after_step(
    f: &mut fmt::Formatter<'_>,
    test: &SequenceTest,
    at: usize,
) -> fmt::Result {
    match test.steps.get(at).and_then(|step| step.within) {
        Some(within) => write!(f, " within {within}"),
        None => Ok(()),
    }
}

fn write_after_steps(f: &mut fmt::Formatter<'_>, test: &SequenceTest) -> fmt::Result {
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

/// How often events happen: their name, filter and window; the filter cut short, if so wanted.
pub(in crate::rules) struct Counted<'a> {
    pub(in crate::rules) name: &'a str,
    pub(in crate::rules) filter: Option<&'a Rule>,
    pub(in crate::rules) window: &'a Window,
    pub(in crate::rules) is_short: bool,
}

impl fmt::Display for Counted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted { name, filter, window, is_short } = *self;
        f.write_str("events(")?;
        write_name(f, name)?;
        write_filter(f, filter, is_short)?;
        write!(f, ").{}{window}", Aggregate::Count)
    }
}

fn write_events(
    f: &mut fmt::Formatter<'_>,
    test: &EventTest,
    is_short: bool,
) -> fmt::Result {
    f.write_str("events(")?;
    write_name(f, &test.name)?;
    write_filter(f, test.filter.as_deref(), is_short)?;
    write_aggregate(f, test)
}

fn write_aggregate(f: &mut fmt::Formatter<'_>, test: &EventTest) -> fmt::Result {
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
        let test = write_sizes(f, is)?;
        write(f)?;
        write_said(f, test, *when_missing, *longest)
    }
}

/// The sizes in front of a subject, and what is asked of the innermost.
fn write_sizes<'t>(
    f: &mut fmt::Formatter<'_>,
    mut test: &'t Test,
) -> std::result::Result<&'t Test, fmt::Error> {
    while let Test::Size(inner) = test {
        f.write_str("size of ")?;
        test = inner;
    }
    Ok(test)
}

/// What is said of a subject.
fn write_said(
    f: &mut fmt::Formatter<'_>,
    test: &Test,
    when_missing: Option<bool>,
    longest: usize,
) -> fmt::Result {
    f.write_str(" ")?;
    write_test(f, test, longest)?;
    match when_missing {
        Some(true) => f.write_str(" when missing yes"),
        Some(false) => f.write_str(" when missing no"),
        None => Ok(()),
    }
}

/// A test of events from the end of its filter on.
fn write_after_filter(f: &mut fmt::Formatter<'_>, test: &EventTest) -> fmt::Result {
    write_aggregate(f, test)?;
    let mut is = &test.is;
    while let Test::Size(inner) = is {
        is = inner;
    }
    write_said(f, is, test.when_missing, usize::MAX)
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_test(f, self, usize::MAX)
    }
}

fn write_test(
    f: &mut fmt::Formatter<'_>,
    mut test: &Test,
    longest: usize,
) -> fmt::Result {
    while let Test::Size(inner) = test {
        f.write_str("size ")?;
        test = inner;
    }
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
        // It was written above.
        Test::Size(_) => Ok(()),
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
