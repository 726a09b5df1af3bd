//! Checks a rule against a schema, and resolves it on the way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::ast::{FieldTest, Literal, Rule, Test};
use super::leaf::{Check, Leaf, Names, NumberCheck, Pattern, TagCheck, TextCheck};
use super::limits::Limits;
use crate::data::{Date, FeatureIndex, FeatureKind, FeatureSpec, Schema};
use crate::error::{ErrorKind, Issue, Result, similar_names};
use crate::segmenter::Truth;

/// Faults that are described; those beyond are counted.
const MAX_ISSUES: usize = 100;

/// Sets of levels beyond this size have no suggestions: each costs a look at all levels.
const MAX_SUGGESTED_LEVELS: usize = 1000;

/// A rule with its tests replaced by the positions of their leaves. Leaves are numbered
/// in the order in which the rule names them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Always(bool),
    All(Vec<Node>),
    Any(Vec<Node>),
    AtLeast(usize, Vec<Node>),
    Not(Box<Node>),
    Leaf(u32),
}

/// Collects the faults of rules. Its methods go on after a fault, and what they give is
/// of use only if [`Checker::finish`] finds none.
pub(super) struct Checker<'s> {
    schema: &'s Schema,
    limits: Limits,
    issues: Vec<Issue>,
    /// Faults that are not in `issues`.
    n_more: usize,
    /// JSON pointer to the place that is being checked.
    path: String,
    /// The levels of features in ascending order of name, made when first needed.
    levels: BTreeMap<FeatureIndex, Arc<Names>>,
}

/// What literals are measured on: how each becomes a number.
#[derive(Clone, Copy)]
enum Scale<'a> {
    Number,
    Flag,
    Date,
    /// Position among the levels.
    Level(FeatureIndex, &'a FeatureSpec),
}

impl<'s> Checker<'s> {
    pub(super) fn new(schema: &'s Schema, limits: &Limits) -> Checker<'s> {
        Checker {
            schema,
            limits: *limits,
            issues: Vec::new(),
            n_more: 0,
            path: String::new(),
            levels: BTreeMap::new(),
        }
    }

    /// Nothing if there was no fault, else all of them.
    pub(super) fn finish(mut self, what: &'static str) -> Result<()> {
        if self.issues.is_empty() {
            return Ok(());
        }
        if self.n_more > 0 {
            let message = format!("{} more faults are not listed", self.n_more);
            self.issues.push(Issue::new("too-many-issues", "", message));
        }
        Err(ErrorKind::Definition { what: what.into(), issues: self.issues }.into())
    }

    /// Does `work` at a place below the current one.
    pub(super) fn at<T>(
        &mut self,
        token: impl fmt::Display,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let len = self.path.len();
        self.path.push_str(&format!("/{token}"));
        let result = work(self);
        self.path.truncate(len);
        result
    }

    /// Notes a fault at the current place.
    pub(super) fn issue(
        &mut self,
        code: &str,
        message: impl Into<String>,
        detail: impl FnOnce(Issue) -> Issue,
    ) {
        if self.issues.len() < MAX_ISSUES {
            self.issues.push(detail(Issue::new(code, self.path.clone(), message)));
        } else {
            self.n_more += 1;
        }
    }

    /// Checks that a list is neither empty nor too long.
    pub(super) fn list_len(&mut self, len: usize) -> bool {
        let most = self.limits.get_list_len();
        if len == 0 {
            self.issue("empty-list", "the list is empty", |i| {
                i.expected("at least one entry")
            });
        } else if len > most {
            self.issue("list-too-long", "the list is too long", |i| {
                i.expected(format!("at most {most} entries")).found(len.to_string())
            });
        }
        (1..=most).contains(&len)
    }

    /// The resolved rule, with its leaves appended to `leaves`. `None` for a rule beyond
    /// the limits, at which this does not look.
    pub(super) fn rule(&mut self, rule: &Rule, leaves: &mut Vec<Leaf>) -> Option<Node> {
        if let Some(issue) = self.limits.check_size(rule, &self.path) {
            let Issue { code, message, expected, found, .. } = issue;
            self.issue(&code, message, |i| Issue { expected, found, ..i });
            return None;
        }
        Some(self.node(rule, leaves))
    }

    fn node(&mut self, rule: &Rule, leaves: &mut Vec<Leaf>) -> Node {
        match rule {
            Rule::Everyone => Node::Always(true),
            Rule::Nobody => Node::Always(false),
            Rule::All(rules) => Node::All(self.at("all", |c| c.nodes(rules, leaves))),
            Rule::Any(rules) => Node::Any(self.at("any", |c| c.nodes(rules, leaves))),
            Rule::AtLeast { n, of } => self.at("at_least", |c| {
                if *n == 0 || *n > of.len() {
                    c.at("n", |c| {
                        c.issue("bad-count", "the count does not fit the list", |i| {
                            i.expected(format!("from 1 to {}", of.len()))
                                .found(n.to_string())
                        });
                    });
                }
                Node::AtLeast(*n, c.at("of", |c| c.nodes(of, leaves)))
            }),
            Rule::Not(rule) => {
                Node::Not(Box::new(self.at("not", |c| c.node(rule, leaves))))
            }
            Rule::Field(test) => {
                let leaf = self.at("field", |c| c.field(test));
                // A place is taken also for a faulty test, to keep the numbering.
                leaves.push(leaf.unwrap_or(Leaf {
                    feature: FeatureIndex::new(0),
                    missing: Truth::Unknown,
                    check: Check::Number(NumberCheck::NONE),
                }));
                Node::Leaf((leaves.len() - 1) as u32)
            }
        }
    }

    fn nodes(&mut self, rules: &[Rule], leaves: &mut Vec<Leaf>) -> Vec<Node> {
        if rules.is_empty() {
            self.issue("empty-list", "the list is empty", |i| {
                i.expected("at least one rule")
            });
        }
        let node = |(i, rule)| self.at(i, |c| c.node(rule, leaves));
        rules.iter().enumerate().map(node).collect()
    }

    fn field(&mut self, test: &FieldTest) -> Option<Leaf> {
        if test.when_missing.is_some() && matches!(test.is, Test::Set | Test::Missing) {
            self.at("when_missing", |c| {
                let message = "a test for missing values needs no answer for them";
                c.issue("no-effect", message, |i| i.expected("nothing here"));
            });
        }
        let schema = self.schema;
        let feature = schema.index_of(&test.name);
        let Some((feature, spec)) = feature.and_then(|i| Some((i, schema.get(i)?)))
        else {
            self.at("name", |c| c.unknown_feature(&test.name));
            self.at("is", |c| c.values_without_feature(&test.is));
            return None;
        };
        let check = self.at("is", |c| c.test(feature, spec, &test.is))?;
        let missing = match test.is {
            Test::Set => Truth::False,
            Test::Missing => Truth::True,
            _ => test.when_missing.map_or(Truth::Unknown, Truth::from),
        };
        Some(Leaf { feature, missing, check })
    }

    fn unknown_feature(&mut self, name: &str) {
        let features = self.schema.features();
        self.issue("unknown-feature", format!("no feature is named `{name}`"), |i| {
            let names = features.iter().map(FeatureSpec::name);
            i.found(format!("`{name}`"))
                .suggest(similar_names(name, names).into_iter().next())
        });
    }

    /// What can be said of a test although its feature is not known.
    fn values_without_feature(&mut self, test: &Test) {
        self.at(test.operator(), |c| match test {
            Test::Eq(x) | Test::Lt(x) | Test::Le(x) | Test::Gt(x) | Test::Ge(x) => {
                c.finite(x);
            }
            Test::Between { lo, hi } => {
                c.at("lo", |c| c.finite(lo));
                c.at("hi", |c| c.finite(hi));
            }
            Test::In(list) => {
                if c.list_len(list.len()) {
                    for (i, x) in list.iter().enumerate() {
                        c.at(i, |c| c.finite(x));
                    }
                }
            }
            Test::HasAny(names) | Test::HasAll(names) => {
                c.list_len(names.len());
            }
            Test::Contains(text) | Test::StartsWith(text) | Test::EndsWith(text) => {
                c.text(text);
            }
            Test::Matches(pattern) => {
                c.pattern(pattern);
            }
            Test::Size(_) | Test::Set | Test::Missing => {}
        });
    }

    fn test(
        &mut self,
        feature: FeatureIndex,
        spec: &FeatureSpec,
        test: &Test,
    ) -> Option<Check> {
        let what = format!("feature `{}` of kind {}", spec.name(), spec.kind());
        if !self.operator(&what, operators(spec.kind()), test) {
            return None;
        }
        let always = match test {
            Test::Set => Some(true),
            Test::Missing => Some(false),
            _ => None,
        };
        let numbers = |always| if always { NumberCheck::ALL } else { NumberCheck::NONE };
        match spec.kind() {
            FeatureKind::Number => Some(Check::Number(match always {
                Some(always) => numbers(always),
                None => self.comparison(test, Scale::Number)?,
            })),
            FeatureKind::Flag => {
                let check = match always {
                    Some(always) => numbers(always),
                    None => self.comparison(test, Scale::Flag)?,
                };
                Some(Check::Flag { yes: check.accepts(1.0), no: check.accepts(0.0) })
            }
            FeatureKind::Date => Some(Check::Date(match always {
                Some(always) => numbers(always),
                None => self.comparison(test, Scale::Date)?,
            })),
            FeatureKind::Ordinal => {
                let check = match always {
                    Some(always) => numbers(always),
                    None => self.comparison(test, Scale::Level(feature, spec))?,
                };
                let accepts = |code: usize, _: &str| check.accepts(code as f64);
                Some(self.by_level(feature, spec, accepts))
            }
            FeatureKind::Category => {
                let check = match always {
                    Some(always) => TextCheck::Always(always),
                    None => self.text_test(feature, spec, test)?,
                };
                Some(if spec.get_levels().is_empty() {
                    Check::Text(check)
                } else {
                    self.by_level(feature, spec, |_, level| check.accepts(level))
                })
            }
            FeatureKind::Tags => {
                let check = match always {
                    Some(always) => TagCheck::Always(always),
                    None => self.tag_test(feature, spec, test)?,
                };
                let closed = !spec.get_levels().is_empty();
                let levels = closed.then(|| self.levels_of(feature, spec));
                Some(Check::Tags { check, levels })
            }
        }
    }

    /// Checks that a test is among those allowed.
    fn operator(&mut self, what: &str, allowed: &[&str], test: &Test) -> bool {
        let operator = test.operator();
        if allowed.contains(&operator) {
            return true;
        }
        let message = format!("{what} cannot be tested with `{operator}`");
        let instead = match test {
            Test::HasAny(_) => "in",
            Test::Eq(_) | Test::In(_) | Test::Contains(_) => "has_any",
            Test::Gt(_) | Test::Ge(_) | Test::Lt(_) | Test::Le(_) => "size",
            _ => "",
        };
        self.at(operator, |c| {
            c.issue("wrong-operator", message, |i| {
                i.expected(format!("one of {}", allowed.join(", ")))
                    .found(operator)
                    .suggest(allowed.contains(&instead).then(|| instead.to_owned()))
            });
        });
        false
    }

    /// The set of numbers that a comparison describes; `None` after a fault.
    fn comparison(&mut self, test: &Test, scale: Scale<'_>) -> Option<NumberCheck> {
        const LOWEST: f64 = f64::NEG_INFINITY;
        const HIGHEST: f64 = f64::INFINITY;
        self.at(test.operator(), |c| match test {
            Test::Eq(x) => c.literal(x, scale).map(|x| NumberCheck::Range(x, x)),
            // Between a number and its neighbour there is none, so that every comparison
            // is a closed range.
            Test::Lt(x) => {
                c.literal(x, scale).map(|x| NumberCheck::Range(LOWEST, x.next_down()))
            }
            Test::Le(x) => c.literal(x, scale).map(|x| NumberCheck::Range(LOWEST, x)),
            Test::Gt(x) => {
                c.literal(x, scale).map(|x| NumberCheck::Range(x.next_up(), HIGHEST))
            }
            Test::Ge(x) => c.literal(x, scale).map(|x| NumberCheck::Range(x, HIGHEST)),
            Test::Between { lo, hi } => {
                let from = c.at("lo", |c| c.literal(lo, scale));
                let to = c.at("hi", |c| c.literal(hi, scale));
                let (from, to) = from.zip(to)?;
                if from > to {
                    c.issue("empty-range", "the lower end lies above the upper", |i| {
                        i.expected(format!("lo at most {hi}")).found(lo.to_string())
                    });
                    return None;
                }
                Some(NumberCheck::Range(from, to))
            }
            Test::In(list) => {
                if !c.list_len(list.len()) {
                    return None;
                }
                let read = |(i, x)| c.at(i, |c| c.literal(x, scale));
                let numbers: Vec<Option<f64>> =
                    list.iter().enumerate().map(read).collect();
                let numbers: Option<Vec<f64>> = numbers.into_iter().collect();
                numbers.map(NumberCheck::list)
            }
            _ => None,
        })
    }

    fn literal(&mut self, literal: &Literal, scale: Scale<'_>) -> Option<f64> {
        match (scale, literal) {
            (Scale::Number, Literal::Number(x)) => self.finite(literal).then_some(*x),
            (Scale::Flag, Literal::Flag(x)) => Some(f64::from(u8::from(*x))),
            (Scale::Date, Literal::Text(text)) => {
                let date = text.parse::<Date>();
                if date.is_err() {
                    self.issue("bad-date", "the date cannot be read", |i| {
                        i.expected("a date of the calendar as YYYY-MM-DD")
                            .found(describe(literal))
                    });
                }
                date.ok().map(|date| f64::from(date.days_since_epoch()))
            }
            (Scale::Level(feature, spec), Literal::Text(name)) => {
                self.level(feature, spec, name).then_some(())?;
                spec.level_code(name).map(f64::from)
            }
            (scale, literal) => {
                self.wrong_literal(scale.expects(), literal);
                None
            }
        }
    }

    fn wrong_literal(&mut self, expected: &str, literal: &Literal) {
        self.issue("wrong-literal", "the value is of another kind", |i| {
            i.expected(expected).found(describe(literal))
        });
    }

    fn finite(&mut self, literal: &Literal) -> bool {
        match literal {
            Literal::Number(x) if !x.is_finite() => {
                self.issue("not-finite", "the number is not finite", |i| {
                    i.expected("a finite number").found(x.to_string())
                });
                false
            }
            _ => true,
        }
    }

    fn text(&mut self, text: &str) -> bool {
        if text.is_empty() {
            self.issue("empty-text", "every name has an empty text in it", |i| {
                i.expected("at least one character")
            });
        }
        !text.is_empty()
    }

    fn pattern(&mut self, pattern: &str) -> Option<Pattern> {
        let most = self.limits.get_pattern_len();
        if pattern.len() > most {
            self.issue("pattern-too-long", "the regular expression is too long", |i| {
                i.expected(format!("at most {most} bytes"))
                    .found(pattern.len().to_string())
            });
            return None;
        }
        let size = self.limits.get_pattern_size();
        let error = match Pattern::new(pattern, size) {
            Ok(pattern) => return Some(pattern),
            Err(error) => error,
        };
        if let regex::Error::CompiledTooBig(_) = error {
            self.issue("pattern-too-large", "the regular expression is too large", |i| {
                i.expected(format!("at most {size} bytes when compiled")).found("more")
            });
        } else {
            // The last line says what is wrong; those before it draw where.
            let said = error.to_string();
            let reason = said.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            let message = format!("the regular expression cannot be read: {reason}");
            self.issue("bad-pattern", message, |i| {
                i.expected("a regular expression as the crate `regex` has them")
                    .found(describe(&Literal::from(pattern)))
            });
        }
        None
    }

    /// Checks a name against the levels of its feature, if these are closed.
    fn level(&mut self, feature: FeatureIndex, spec: &FeatureSpec, name: &str) -> bool {
        let levels = spec.get_levels();
        if levels.is_empty() || self.levels_of(feature, spec).position(name).is_some() {
            return true;
        }
        let message = format!("feature `{}` has no level `{name}`", spec.name());
        self.issue("unknown-level", message, |i| {
            let near = if levels.len() <= MAX_SUGGESTED_LEVELS {
                similar_names(name, levels.iter().map(String::as_str))
            } else {
                Vec::new()
            };
            let shown: Vec<&str> = levels.iter().take(5).map(String::as_str).collect();
            let more = if levels.len() > shown.len() { ", …" } else { "" };
            i.expected(format!("one of {}{more}", shown.join(", ")))
                .found(format!("`{name}`"))
                .suggest(near.into_iter().next())
        });
        false
    }

    fn text_test(
        &mut self,
        feature: FeatureIndex,
        spec: &FeatureSpec,
        test: &Test,
    ) -> Option<TextCheck> {
        self.at(test.operator(), |c| match test {
            Test::Eq(x) => Some(TextCheck::In(Names::new([c.name(feature, spec, x)?]))),
            Test::In(list) => {
                if !c.list_len(list.len()) {
                    return None;
                }
                let read = |(i, x)| c.at(i, |c| c.name(feature, spec, x));
                let names: Vec<Option<&str>> =
                    list.iter().enumerate().map(read).collect();
                let names: Option<Vec<&str>> = names.into_iter().collect();
                names.map(|names| TextCheck::In(Names::new(names)))
            }
            Test::Contains(text) => {
                c.text(text).then(|| TextCheck::Contains(text.as_str().into()))
            }
            Test::StartsWith(text) => {
                c.text(text).then(|| TextCheck::StartsWith(text.as_str().into()))
            }
            Test::EndsWith(text) => {
                c.text(text).then(|| TextCheck::EndsWith(text.as_str().into()))
            }
            Test::Matches(pattern) => c.pattern(pattern).map(TextCheck::Matches),
            _ => None,
        })
    }

    fn name<'l>(
        &mut self,
        feature: FeatureIndex,
        spec: &FeatureSpec,
        literal: &'l Literal,
    ) -> Option<&'l str> {
        match literal {
            Literal::Text(name) => self.level(feature, spec, name).then_some(name),
            literal => {
                self.wrong_literal("a text", literal);
                None
            }
        }
    }

    fn tag_test(
        &mut self,
        feature: FeatureIndex,
        spec: &FeatureSpec,
        test: &Test,
    ) -> Option<TagCheck> {
        let mut names = |names: &[String]| {
            self.at(test.operator(), |c| {
                if !c.list_len(names.len()) {
                    return None;
                }
                let mut known = true;
                for (i, name) in names.iter().enumerate() {
                    known &= c.at(i, |c| c.level(feature, spec, name));
                }
                known.then(|| Names::new(names.iter().map(String::as_str)))
            })
        };
        match test {
            Test::HasAny(list) => names(list).map(TagCheck::Any),
            Test::HasAll(list) => names(list).map(TagCheck::All),
            Test::Size(test) => {
                let what = format!("the size of `{}`", spec.name());
                self.at("size", |c| {
                    if !c.operator(&what, COMPARISONS, test) {
                        return None;
                    }
                    c.comparison(test, Scale::Number).map(TagCheck::Size)
                })
            }
            _ => None,
        }
    }

    fn by_level(
        &mut self,
        feature: FeatureIndex,
        spec: &FeatureSpec,
        accepts: impl Fn(usize, &str) -> bool,
    ) -> Check {
        let levels = self.levels_of(feature, spec);
        let mut answers: Box<[bool]> = levels.iter().map(|_| false).collect();
        for (code, level) in spec.get_levels().iter().enumerate() {
            if let Some(at) = levels.position(level) {
                answers[at] = accepts(code, level);
            }
        }
        Check::Level { levels, answers }
    }

    fn levels_of(&mut self, feature: FeatureIndex, spec: &FeatureSpec) -> Arc<Names> {
        let make = || Arc::new(Names::new(spec.get_levels().iter().map(String::as_str)));
        Arc::clone(self.levels.entry(feature).or_insert_with(make))
    }
}

const COMPARISONS: &[&str] = &["eq", "in", "lt", "le", "gt", "ge", "between"];

fn operators(kind: FeatureKind) -> &'static [&'static str] {
    match kind {
        FeatureKind::Number | FeatureKind::Date | FeatureKind::Ordinal => {
            &["eq", "in", "lt", "le", "gt", "ge", "between", "set", "missing"]
        }
        FeatureKind::Flag => &["eq", "in", "set", "missing"],
        FeatureKind::Category => &[
            "eq",
            "in",
            "contains",
            "starts_with",
            "ends_with",
            "matches",
            "set",
            "missing",
        ],
        FeatureKind::Tags => &["has_any", "has_all", "size", "set", "missing"],
    }
}

impl Scale<'_> {
    fn expects(self) -> &'static str {
        match self {
            Scale::Number => "a number",
            Scale::Flag => "true or false",
            Scale::Date => "a text: a date as YYYY-MM-DD",
            Scale::Level(..) => "a text: one of the levels",
        }
    }
}

/// A literal in a message, cut short.
fn describe(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) if text.chars().count() > 40 => {
            format!("the text '{}…'", text.chars().take(40).collect::<String>())
        }
        Literal::Text(_) => format!("the text {literal}"),
        Literal::Number(_) => format!("the number {literal}"),
        Literal::Flag(_) => format!("{literal}"),
    }
}
