//! Tests of one value, checked against its kind.

use std::sync::Arc;

use super::{Checker, Key};
use crate::data::{Date, FeatureKind, FeatureSpec, Span};
use crate::error::similar_names;
use crate::rules::ast::{Literal, Test};
use crate::rules::day::DayCheck;
use crate::rules::leaf::{Check, Names, NumberCheck, Pattern, TagCheck, TextCheck};
use crate::rules::pin::Share;

/// Sets of levels beyond this size have no suggestions: each costs a look at all levels.
const MAX_SUGGESTED_LEVELS: usize = 1000;

/// What literals are measured on: how each becomes a number.
#[derive(Clone, Copy)]
enum Scale<'a> {
    Number,
    Flag,
    Date,
    /// Position among the levels.
    Level(Key, &'a FeatureSpec),
}

impl Checker {
    pub(super) fn test(
        &mut self,
        key: Key,
        spec: &FeatureSpec,
        what: &str,
        test: &Test,
    ) -> Option<Check> {
        let what = format!("{what} of kind {}", spec.kind());
        if !self.operator(&what, operators(spec.kind()), test) {
            return None;
        }
        if let Test::InTop(share) | Test::InBottom(share) = test {
            self.at(test.operator(), |c| c.unpinned(*share));
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
            FeatureKind::Date if is_relative(test) => {
                self.at(test.operator(), |c| c.days(test)).map(Check::Day)
            }
            FeatureKind::Date => Some(Check::Date(match always {
                Some(always) => numbers(always),
                None => self.comparison(test, Scale::Date)?,
            })),
            FeatureKind::Ordinal => {
                let check = match always {
                    Some(always) => numbers(always),
                    None => self.comparison(test, Scale::Level(key, spec))?,
                };
                let accepts = |code: usize, _: &str| check.accepts(code as f64);
                Some(self.by_level(key, spec, accepts))
            }
            FeatureKind::Category => {
                let check = match always {
                    Some(always) => TextCheck::Always(always),
                    None => self.text_test(key, spec, test)?,
                };
                Some(if spec.get_levels().is_empty() {
                    Check::Text(check)
                } else {
                    self.by_level(key, spec, |_, level| check.accepts(level))
                })
            }
            FeatureKind::Tags => {
                let check = match always {
                    Some(always) => TagCheck::Always(always),
                    None => self.tag_test(key, spec, test)?,
                };
                let closed = !spec.get_levels().is_empty();
                let levels = closed.then(|| self.levels_of(key, spec));
                Some(Check::Tags { check, levels })
            }
        }
    }

    /// A share of a table's customers has no meaning for one of them.
    fn unpinned(&mut self, share: Share) {
        if share.is_valid() {
            let message = "whether a value is in a share depends on other customers";
            let expected = match self.stream {
                None => "a threshold, as `RuleSet::pin` gives it",
                Some(_) => "a comparison: of events there are no shares",
            };
            self.issue("not-pinned", message, |i| i.expected(expected).found("a share"));
        } else {
            self.issue("bad-share", "there is no such share", |i| {
                i.expected("a count of at least 1, or a percentage above 0 and up to 100")
            });
        }
    }

    /// A test by the distance from today; `None` after a fault.
    pub(super) fn days(&mut self, test: &Test) -> Option<DayCheck> {
        let (span, most) = match test {
            Test::Anniversary { within, .. } => (*within, Span::days(366)),
            Test::InLast(span) | Test::InNext(span) => (*span, self.limits.get_window()),
            _ => return None,
        };
        if self.stream.is_some() {
            let message = "events are chosen by what they are, not by what day it is";
            self.issue("no-today-here", message, |i| {
                i.expected("a window, or a comparison with a date").found(test.operator())
            });
            return None;
        }
        let days = span.as_millis() / Span::days(1).as_millis();
        if days == 0 || Span::from_millis(days * Span::days(1).as_millis()) != span {
            self.issue("not-whole-days", "dates are asked in whole days", |i| {
                i.expected("at least 1d").found(span.to_string())
            });
            return None;
        }
        // Beyond the calendar all days lie.
        let days =
            i32::try_from(days).ok().filter(|&days| span <= most && days < 1 << 22);
        let Some(days) = days else {
            self.issue("window-too-long", "the window is too long", |i| {
                i.expected(format!("at most {most}")).found(span.to_string())
            });
            return None;
        };
        Some(match test {
            Test::InLast(_) => DayCheck::Last(days),
            Test::InNext(_) => DayCheck::Next(days),
            Test::Anniversary { leap_day, .. } => DayCheck::Anniversary(days, *leap_day),
            _ => return None,
        })
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
            (Scale::Level(key, spec), Literal::Text(name)) => {
                self.level(key, spec, name).then_some(())?;
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

    pub(super) fn finite(&mut self, literal: &Literal) -> bool {
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

    pub(super) fn text(&mut self, text: &str) -> bool {
        if text.is_empty() {
            self.issue("empty-text", "every name has an empty text in it", |i| {
                i.expected("at least one character")
            });
        }
        !text.is_empty()
    }

    pub(super) fn pattern(&mut self, pattern: &str) -> Option<Pattern> {
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
    pub(super) fn level(&mut self, key: Key, spec: &FeatureSpec, name: &str) -> bool {
        let levels = spec.get_levels();
        if levels.is_empty() || self.levels_of(key, spec).position(name).is_some() {
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
        key: Key,
        spec: &FeatureSpec,
        test: &Test,
    ) -> Option<TextCheck> {
        self.at(test.operator(), |c| match test {
            Test::Eq(x) => Some(TextCheck::In(Names::new([c.name(key, spec, x)?]))),
            Test::In(list) => {
                if !c.list_len(list.len()) {
                    return None;
                }
                let read = |(i, x)| c.at(i, |c| c.name(key, spec, x));
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
        key: Key,
        spec: &FeatureSpec,
        literal: &'l Literal,
    ) -> Option<&'l str> {
        match literal {
            Literal::Text(name) => self.level(key, spec, name).then_some(name),
            literal => {
                self.wrong_literal("a text", literal);
                None
            }
        }
    }

    fn tag_test(
        &mut self,
        key: Key,
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
                    known &= c.at(i, |c| c.level(key, spec, name));
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
        key: Key,
        spec: &FeatureSpec,
        accepts: impl Fn(usize, &str) -> bool,
    ) -> Check {
        let levels = self.levels_of(key, spec);
        let mut answers: Box<[bool]> = levels.iter().map(|_| false).collect();
        for (code, level) in spec.get_levels().iter().enumerate() {
            if let Some(at) = levels.position(level) {
                answers[at] = accepts(code, level);
            }
        }
        Check::Level { levels, answers: answers.into() }
    }

    pub(super) fn levels_of(&mut self, key: Key, spec: &FeatureSpec) -> Arc<Names> {
        let make = || Arc::new(Names::new(spec.get_levels().iter().map(String::as_str)));
        Arc::clone(self.levels.entry(key).or_insert_with(make))
    }
}

fn is_relative(test: &Test) -> bool {
    matches!(test, Test::InLast(_) | Test::InNext(_) | Test::Anniversary { .. })
}

const COMPARISONS: &[&str] = &["eq", "in", "lt", "le", "gt", "ge", "between"];

fn operators(kind: FeatureKind) -> &'static [&'static str] {
    match kind {
        FeatureKind::Date => &[
            "eq",
            "in",
            "lt",
            "le",
            "gt",
            "ge",
            "between",
            "in_last",
            "in_next",
            "anniversary",
            "in_top",
            "in_bottom",
            "set",
            "missing",
        ],
        FeatureKind::Number => &[
            "eq",
            "in",
            "lt",
            "le",
            "gt",
            "ge",
            "between",
            "in_top",
            "in_bottom",
            "set",
            "missing",
        ],
        FeatureKind::Ordinal => {
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
