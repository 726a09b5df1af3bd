//! Rules as people write them.

mod computed;
mod events;
mod habits;
mod lexer;
mod parser;
mod write;

pub(super) use self::write::{Counted, bucket_name, distance_name, score_name};

use std::ops::Range;
use std::str::FromStr;

use self::lexer::Lines;
use self::parser::{Places, parse};
use super::ast::Rule;
use super::compile::CompiledRule;
use super::limits::Limits;
use crate::data::Schema;
use crate::error::{Error, ErrorKind, Issue, Result, Span};

/// Faults that are described; those beyond are counted.
const MAX_ISSUES: usize = 100;

/// A rule in its written form, which knows where each of its parts stands.
///
/// [`Rule`] itself reads and writes the same form by `FromStr` and `Display`; this type is
/// for definitions that people type: faults that show only against a schema are told with
/// their line and column, too.
///
/// # Grammar
/// ```text
/// rule       = and { "or" and }
/// and        = not { "and" not }
/// not        = "not" not | "(" rule ")" | condition
/// condition  = "everyone" | "nobody" | sequence | consent
///            | "segment" text [ "version" integer ]
///            | "at least" integer "of" "(" rule { "," rule } ")"
///            | ( "all of" | "any of" ) "(" [ rule { "," rule } ] ")"
///            | subject [ test ] [ "when missing" ( "yes" | "no" ) ] | habit
/// subject    = { "size of" } ( name | events | distance | bucket | "score" text )
/// events     = some [ "." aggregate ] [ window | "in each of" periods
///            | "in at least" integer "of" periods ]
/// some       = "events" "(" name [ "where" rule ] ")"
/// periods    = "last" integer ( "whole" unit [ "to now" ] | "periods of" span )
/// habit      = some "stopped after" span "for" span
///            | some "resumed after" span "silent for" span "in last" span
///            | some [ window ] "without gap over" span
/// aggregate  = "count" | "first_day" | "last_day" | "active_days"
///            | ( "sum" | "average" | "min" | "max" | "distinct" | "first" | "last" )
///              "(" name ")"
/// window     = "in last" span | "from" span "to" span "ago" | "from" text "to" text
///            | "in last" integer "whole" unit [ "to now" ] | "in this" unit
///            | "from" integer "to" integer "whole" unit "ago" | "ever"
/// sequence   = "sequence" "(" step { "then" step } ")" [ "with same" name ] [ window ]
/// step       = [ "not" ] name [ "where" rule ] [ "within" span ]
/// distance   = "distance" "(" name "," name ")" "from" "(" number "," number ")"
/// bucket     = "bucket" "(" text ")"
/// consent    = "consent" "(" name [ "in" "(" [ text { "," text } ] ")" ]
///              [ "given on" name "in last" span ] ")"
/// unit       = ( "day" | "week" | "month" | "quarter" | "year" ) [ "s" ]
/// span       = digits ( "w" | "d" | "h" | "m" | "s" | "ms" )
/// test       = [ "not" ] comparison
/// comparison = ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
///            | "in" "(" [ value { "," value } ] ")"
///            | "between" value "and" value
///            | ( "contains" | "starts with" | "ends with" | "matches" ) text
///            | ( "has any of" | "has all of" ) "(" [ text { "," text } ] ")"
///            | "is" [ "not" ] ( "set" | "missing" )
///            | ( "in last" | "in next" ) span
///            | "has anniversary in next" span [ "with leap day" ( "feb28" | "mar1" | "skip" ) ]
///            | ( "in top" | "in bottom" ) ( integer | number "percent" )
/// value      = number | text | "true" | "false"
/// number     = [ "+" | "-" ] digits, with a point and "e" with an exponent if need be
/// integer    = a number that is whole and not negative
/// text       = "'" characters "'"              a quote inside is doubled
/// name       = letters, digits and "_", not a digit first | '"' characters '"'
/// ```
///
/// Keywords are the same in upper and lower case; a feature that is called like one stands
/// in double quotes. Values in single quotes are categories, levels, tags, or dates as
/// `'2024-05-31'`. A name alone is a flag: `opted_out` is `opted_out = true`; events alone are
/// asked whether there are any: `events(order) in last 30d` is
/// `events(order).count in last 30d >= 1`. Lists without entries can be written, but not
/// compiled.
///
/// Habits are short for other rules, and written back as these: of `in each of last 3 whole
/// months` the whole condition is asked in each of three windows, and all of them must hold, of
/// `in at least 2 of` as many; see [`in_each_of`](super::EventSelection::in_each_of),
/// [`in_some_of`](super::EventSelection::in_some_of),
/// [`stopped`](super::EventSelection::stopped), [`resumed`](super::EventSelection::resumed)
/// and [`without_gap`](super::EventSelection::without_gap). A condition counts as often as it
/// is written out for the length of the text that [`Limits::text_len`] allows.
///
/// `!=` and the tests with `not` are short for the negation of the whole condition, and
/// `when missing` is said of the condition as it is written: with `country != 'DE' when
/// missing yes`, customers without a country are members. All else that the form can say is
/// said by one [`Rule`], which is written back in one way.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{Rule, RuleText, field};
///
/// let text = "orders >= 3 and country in ('DE', 'AT') and not opted_out";
/// let rule: Rule = text.parse()?;
/// let germanic = field("country").is_in(["DE", "AT"]);
/// assert_eq!(rule, field("orders").ge(3) & germanic & !field("opted_out").eq(true));
/// assert_eq!(rule.to_string().parse::<Rule>()?, rule);
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::category("country")])?;
/// let text = RuleText::parse("orders >= 3\n  and contry = 'DE'")?;
/// let error = text.compile(&schema).unwrap_err();
/// assert!(error.to_string().contains(
///     "2:7: no feature is named `contry`"
/// ));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RuleText {
    text: String,
    rule: Rule,
    places: Places,
}

impl RuleText {
    /// Reads a rule whose text is as long as the default [`Limits`] allow. Its size is
    /// checked when it is compiled.
    ///
    /// # Errors
    /// When the text is too long, is no rule, or nests more than a hundred negations and
    /// parentheses, which no rule does that can be compiled. All faults are told at once,
    /// each with its [`span`](Issue::span).
    pub fn parse(text: impl Into<String>) -> Result<RuleText> {
        RuleText::parse_with(text, &Limits::new())
    }

    /// [`parse`](RuleText::parse) with another [`Limits::text_len`].
    ///
    /// # Errors
    /// As [`parse`](RuleText::parse), or when the limits are not valid.
    pub fn parse_with(text: impl Into<String>, limits: &Limits) -> Result<RuleText> {
        limits.validate()?;
        let text = text.into();
        let most = limits.get_text_len();
        if text.len() > most {
            let issue = Issue::new("text-too-long", "", "the text is too long")
                .expected(format!("at most {most} bytes"))
                .found(text.len().to_string());
            return Err(definition(vec![issue]));
        }
        let mut faults = Faults {
            lines: Lines(&text),
            issues: Vec::new(),
            n_more: 0,
            is_closed: false,
        };
        let (rule, places) = parse(&text, most, &mut faults);
        let Faults { mut issues, n_more, .. } = faults;
        issues.sort_by_key(|issue| issue.span.map(|span| span.start));
        if n_more > 0 {
            let message = format!("{n_more} more faults are not listed");
            let end = Lines(&text).span(text.len(), text.len());
            issues.push(Issue::new("too-many-issues", "", message).at(end));
        }
        if issues.is_empty() {
            Ok(RuleText { text, rule, places })
        } else {
            Err(definition(issues))
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The rule, without the text.
    #[must_use]
    pub fn into_rule(self) -> Rule {
        self.rule
    }

    /// Where a part of the rule stands, or, if that is not in the text, what it is a part
    /// of. Parts are named by JSON pointers, as in [`Issue::path`].
    #[must_use]
    pub fn span(&self, path: &str) -> Span {
        let Range { start, end } = self.places.find(path);
        Lines(&self.text).span(start, end)
    }

    /// [`Rule::compile`], where each fault has its place in the text.
    ///
    /// # Errors
    /// As [`Rule::compile`].
    pub fn compile(&self, schema: &Schema) -> Result<CompiledRule> {
        self.compile_with(schema, &Limits::new())
    }

    /// [`compile`](RuleText::compile) within other limits.
    ///
    /// # Errors
    /// As [`Rule::compile_with`].
    pub fn compile_with(&self, schema: &Schema, limits: &Limits) -> Result<CompiledRule> {
        self.rule.compile_with(schema, limits).map_err(|error| match error.kind() {
            ErrorKind::Definition { what, issues } => {
                let mut placed: Vec<Issue> = Vec::new();
                for issue in issues {
                    let issue = issue.clone().at(self.span(&issue.path));
                    // What stands once in the text may be written out several times.
                    let path = |known: &Issue| Issue {
                        path: issue.path.clone(),
                        ..known.clone()
                    };
                    if !placed.iter().any(|known| path(known) == issue) {
                        placed.push(issue);
                    }
                }
                ErrorKind::Definition { what: what.clone(), issues: placed }.into()
            }
            _ => error,
        })
    }
}

/// Reads the written form, see [`RuleText`].
impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rule> {
        RuleText::parse(text).map(RuleText::into_rule)
    }
}

fn definition(issues: Vec<Issue>) -> Error {
    ErrorKind::Definition { what: "the rule".into(), issues }.into()
}

/// Collects what is wrong with a text.
struct Faults<'t> {
    lines: Lines<'t>,
    issues: Vec<Issue>,
    /// Faults that are not in `issues`.
    n_more: usize,
    is_closed: bool,
}

impl Faults<'_> {
    fn add(&mut self, bytes: Range<usize>, issue: impl FnOnce(Span) -> Issue) {
        if self.issues.len() == MAX_ISSUES {
            self.n_more += usize::from(!self.is_closed);
        } else if !self.is_closed {
            self.issues.push(issue(self.lines.span(bytes.start, bytes.end)));
        }
    }

    /// What follows is not looked at.
    fn close(&mut self) {
        self.is_closed = true;
    }
}
