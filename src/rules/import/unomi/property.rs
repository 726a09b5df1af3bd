//! Conditions on a property of a profile, or of an event.

use super::super::days::{Compared, Day, offset};
use super::super::json::{Json, Object, get};
use super::super::reader::{Reader, all, any};
use super::place;
use crate::data::{Date, FeatureKind, FeatureSpec};
use crate::error::similar_names;
use crate::rules::ast::{Literal, Rule, Test};

/// Where a value may stand, by what it is.
const VALUES: [&str; 5] = [
    "propertyValue",
    "propertyValueInteger",
    "propertyValueDouble",
    "propertyValueDate",
    "propertyValueDateExpr",
];
const LISTS: [&str; 5] = [
    "propertyValues",
    "propertyValuesInteger",
    "propertyValuesDouble",
    "propertyValuesDate",
    "propertyValuesDateExpr",
];
const OF_PLACE: [&str; 3] = ["center", "distance", "unit"];

const OPERATORS: [&str; 21] = [
    "equals",
    "notEquals",
    "greaterThan",
    "greaterThanOrEqualTo",
    "lessThan",
    "lessThanOrEqualTo",
    "between",
    "exists",
    "missing",
    "contains",
    "notContains",
    "startsWith",
    "endsWith",
    "matchesRegex",
    "in",
    "notIn",
    "all",
    "hasSomeOf",
    "hasNoneOf",
    "isDay",
    "isNotDay",
];

/// A value that something is compared with.
enum Operand {
    Literal(Literal),
    Day(Day),
}

pub(super) fn of(r: &mut Reader<'_>, parameters: &Object) -> Option<Rule> {
    let mut known = vec!["propertyName", "comparisonOperator"];
    known.extend(VALUES.iter().chain(&LISTS).chain(&OF_PLACE));
    let keys = r.known_keys(parameters, &known, &[]);
    let operator = r.required_text(parameters, "comparisonOperator");
    let name = r.required_text(parameters, "propertyName");
    keys?;
    let (operator, name) = (operator?, name?);
    if operator == "distance" {
        return place::within(r, parameters, name);
    }
    let spec = r.at("propertyName", |r| feature(r, name))?;
    if !OPERATORS.contains(&operator) && operator != "inContains" {
        return r.at("comparisonOperator", |r| {
            let near = similar_names(operator, OPERATORS);
            let message = format!("the operator `{operator}` is not known");
            r.fault("unknown-operator", message, |i| i.suggest(near.into_iter().next()))
        });
    }
    compare(r, parameters, &spec, operator)
}

/// Properties are also found by what follows `properties.`.
pub(super) fn feature(r: &mut Reader<'_>, name: &str) -> Option<FeatureSpec> {
    let short = name.strip_prefix("properties.").unwrap_or(name);
    let name = if r.has_feature(name) { name } else { short };
    r.feature(name)
}

fn compare(
    r: &mut Reader<'_>,
    parameters: &Object,
    spec: &FeatureSpec,
    operator: &str,
) -> Option<Rule> {
    match operator {
        "exists" | "missing" => {
            without_values(r, parameters)?;
            let is = if operator == "exists" { Test::Set } else { Test::Missing };
            let rule = r.test(spec, is, false)?;
            if spec.kind() != FeatureKind::Tags || operator == "missing" {
                return Some(rule);
            }
            // An empty list does not exist.
            let some = Test::Size(Box::new(Test::Ge(1.into())));
            r.test(spec, some, false)
        }
        "equals" => equals(r, parameters, spec),
        "notEquals" if spec.kind() == FeatureKind::Tags => {
            r.fault("unsupported-operator", "of lists, no value is unequal", |i| {
                i.expected("`notIn` or `hasNoneOf`")
            })
        }
        "notEquals" => equals(r, parameters, spec).map(|rule| !rule),
        "greaterThan" => ordered(r, parameters, spec, Test::Gt, Compared::After),
        "greaterThanOrEqualTo" => ordered(r, parameters, spec, Test::Ge, Compared::From),
        "lessThan" => ordered(r, parameters, spec, Test::Lt, Compared::Before),
        "lessThanOrEqualTo" => ordered(r, parameters, spec, Test::Le, Compared::UpTo),
        "between" => between(r, parameters, spec),
        "contains" => texts(r, parameters, spec, Test::Contains),
        "notContains" => {
            denied_if_missing(r);
            let set = r.test(spec, Test::Set, false);
            let rule = texts(r, parameters, spec, Test::Contains);
            Some(set? & !rule?)
        }
        "startsWith" => texts(r, parameters, spec, Test::StartsWith),
        "endsWith" => texts(r, parameters, spec, Test::EndsWith),
        "matchesRegex" => {
            let (key, json) = value(r, parameters)?;
            let pattern = r.at(key, |r| {
                let text = r.text(json)?;
                r.note_pattern(text, "Java");
                Some(format!(r"\A(?:{text})\z"))
            })?;
            r.test(spec, Test::Matches(pattern), false)
        }
        "in" | "hasSomeOf" => is_in(r, parameters, spec),
        "notIn" | "hasNoneOf" => is_in(r, parameters, spec).map(|rule| !rule),
        "all" => {
            let (key, list) = list(r, parameters)?;
            let names =
                r.at(key, |r| r.each(list, |r, json| r.text(json).map(str::to_owned)))?;
            folded(r);
            r.test(spec, Test::HasAll(names), false)
        }
        "inContains" => {
            let (key, list) = list(r, parameters)?;
            r.note(
                "one-of-them",
                "one of the texts is enough, as for a profile in memory",
            );
            let rules = r.at(key, |r| {
                r.each(list, |r, json| {
                    let text = r.text(json)?.to_owned();
                    part(r, spec, Test::Contains, text)
                })
            })?;
            folded(r);
            Some(any(rules))
        }
        // The two that are left.
        _ => {
            let (key, json) = value(r, parameters)?;
            let day = r.at(key, |r| day(r, key, json))?;
            let rule = r.compare_days(spec, Compared::On, day)?;
            if operator == "isDay" {
                return Some(rule);
            }
            denied_if_missing(r);
            let set = r.test(spec, Test::Set, false)?;
            Some(set & !rule)
        }
    }
}

/// The two evaluators of Unomi do not agree on what is missing.
fn denied_if_missing(r: &mut Reader<'_>) {
    let message = "not held where the value is missing, as for a profile in memory; a query \
                   of Elasticsearch finds those, too";
    r.note("when-missing", message);
}

/// Texts are folded to ASCII there.
fn folded(r: &mut Reader<'_>) {
    let message = "texts are compared as they are, accents included";
    r.note_once("not-folded", message);
}

/// The only key among these that has a value.
fn only<'j>(
    r: &mut Reader<'_>,
    parameters: &'j Object,
    keys: &[&'static str],
) -> Option<(&'static str, &'j Json)> {
    let there = |key: &&'static str| {
        get(parameters, key).filter(|json| **json != Json::Null).map(|json| (*key, json))
    };
    let all: Vec<_> = VALUES.iter().chain(&LISTS).filter_map(there).collect();
    match all[..] {
        [(key, json)] if keys.contains(&key) => Some((key, json)),
        [] => r.fault("missing-key", "there is nothing to compare with", |i| {
            i.expected(format!("one of {}", keys.join(", ")))
        }),
        _ => {
            let found: Vec<&str> = all.iter().map(|(key, _)| *key).collect();
            r.fault("bad-value", "the operator has another sort of value", |i| {
                i.expected(format!("only one of {}", keys.join(", ")))
                    .found(found.join(", "))
            })
        }
    }
}

fn value<'j>(
    r: &mut Reader<'_>,
    parameters: &'j Object,
) -> Option<(&'static str, &'j Json)> {
    only(r, parameters, &VALUES)
}

fn list<'j>(
    r: &mut Reader<'_>,
    parameters: &'j Object,
) -> Option<(&'static str, &'j [Json])> {
    let (key, json) = only(r, parameters, &LISTS)?;
    let list = r.at(key, |r| match r.list(json)? {
        [] => r.fault("empty-list", "the list is empty", |i| {
            i.expected("at least one entry")
        }),
        list => Some(list),
    })?;
    Some((key, list))
}

fn without_values(r: &mut Reader<'_>, parameters: &Object) -> Option<()> {
    let mut none = Some(());
    for (key, json) in parameters {
        let is_value = VALUES.iter().chain(&LISTS).any(|name| name == key);
        if is_value && *json != Json::Null {
            none = r.at(key, |r| {
                r.fault("no-effect", "this operator compares with nothing", |i| i)
            });
        }
    }
    none
}

/// A value, by the key under which it stands.
fn operand(
    r: &mut Reader<'_>,
    spec: &FeatureSpec,
    key: &str,
    json: &Json,
) -> Option<Operand> {
    if spec.kind() == FeatureKind::Date {
        return day(r, key, json).map(Operand::Day);
    }
    let literal = match json {
        Json::Number(x) => Literal::Number(*x),
        Json::Flag(x) => Literal::Flag(*x),
        Json::Text(text) => {
            if text.starts_with("parameter::") || text.starts_with("script::") {
                let message = "what stands here is known only where it is used";
                return r.fault("bad-value", message, |i| i.found(json.describe()));
            }
            match (spec.kind(), text.as_str()) {
                (FeatureKind::Flag, "true") => Literal::Flag(true),
                (FeatureKind::Flag, "false") => Literal::Flag(false),
                (FeatureKind::Number, text) => match text.parse::<f64>() {
                    Ok(x) if x.is_finite() => Literal::Number(x),
                    _ => Literal::Text(text.to_owned()),
                },
                (_, text) => {
                    folded(r);
                    Literal::Text(text.to_owned())
                }
            }
        }
        other => return r.unexpected("a text, a number, true or false", other),
    };
    Some(Operand::Literal(literal))
}

fn literal(
    r: &mut Reader<'_>,
    spec: &FeatureSpec,
    key: &str,
    json: &Json,
) -> Option<Literal> {
    match operand(r, spec, key, json)? {
        Operand::Literal(literal) => Some(literal),
        Operand::Day(Day::On(date)) => Some(date.into()),
        Operand::Day(Day::Today(_)) => {
            let message = "in a list, days are dates";
            r.fault("unsupported-operator", message, |i| i.found(json.describe()))
        }
    }
}

/// A date, milliseconds since 1970, or an expression such as `now-30d/d`.
fn day(r: &mut Reader<'_>, key: &str, json: &Json) -> Option<Day> {
    if let Json::Number(ms) = json {
        let day = ms / 86_400_000.0;
        let date = offset(day).and_then(|day| Date::from_days(day).ok());
        return match date {
            Some(date) => {
                r.note("instant-as-day", format!("read as the day {date}"));
                Some(Day::On(date))
            }
            None => r.fault("not-a-day", "dates are compared by their days", |i| {
                i.expected("the instant at which a day begins in UTC")
                    .found(json.describe())
            }),
        };
    }
    let text = r.text(json)?;
    let is_expression = key.contains("DateExpr");
    let Some(rest) = text.strip_prefix("now").filter(|_| is_expression) else {
        return r.day(text).map(Day::On);
    };
    r.note("whole-days", "the date is compared by its day, without the time of the day");
    let shift = rest.strip_suffix("/d").unwrap_or(rest);
    if shift.is_empty() {
        return Some(Day::Today(0));
    }
    let days = match shift.split_at_checked(shift.len() - 1) {
        Some((n, "d")) => n.parse::<f64>().ok().and_then(offset),
        Some((n, "w")) => n.parse::<f64>().ok().and_then(|n| offset(n * 7.0)),
        _ => None,
    };
    let is_signed = shift.starts_with(['-', '+']);
    match days.filter(|_| is_signed) {
        Some(days) => Some(Day::Today(days)),
        None => r.fault("not-a-day", "the time from now is no number of days", |i| {
            i.expected("`now`, or days or weeks from it, as now-30d")
                .found(format!("`{text}`"))
        }),
    }
}

fn equals(r: &mut Reader<'_>, parameters: &Object, spec: &FeatureSpec) -> Option<Rule> {
    let (key, json) = value(r, parameters)?;
    match r.at(key, |r| operand(r, spec, key, json))? {
        Operand::Day(day) => r.compare_days(spec, Compared::On, day),
        // A list equals what is in it.
        Operand::Literal(Literal::Text(tag)) if spec.kind() == FeatureKind::Tags => {
            r.test(spec, Test::HasAny(vec![tag]), false)
        }
        Operand::Literal(literal) => r.test(spec, Test::Eq(literal), false),
    }
}

fn ordered(
    r: &mut Reader<'_>,
    parameters: &Object,
    spec: &FeatureSpec,
    test: fn(Literal) -> Test,
    compared: Compared,
) -> Option<Rule> {
    let (key, json) = value(r, parameters)?;
    match r.at(key, |r| operand(r, spec, key, json))? {
        Operand::Day(day) => r.compare_days(spec, compared, day),
        Operand::Literal(literal) => r.test(spec, test(literal), false),
    }
}

fn between(r: &mut Reader<'_>, parameters: &Object, spec: &FeatureSpec) -> Option<Rule> {
    let (key, json) = only(r, parameters, &LISTS)?;
    let ends = r.at(key, |r| match r.list(json)? {
        [lo, hi] => {
            let lo = r.at(0, |r| operand(r, spec, key, lo));
            let hi = r.at(1, |r| operand(r, spec, key, hi));
            lo.zip(hi)
        }
        _ => r.unexpected("a list of two", json),
    })?;
    match ends {
        (Operand::Literal(lo), Operand::Literal(hi)) => {
            r.test(spec, Test::Between { lo, hi }, false)
        }
        (Operand::Day(lo), Operand::Day(hi)) => {
            let from = r.compare_days(spec, Compared::From, lo);
            let to = r.compare_days(spec, Compared::UpTo, hi);
            Some(all(vec![from?, to?]))
        }
        _ => r.unexpected("two values of one sort", json),
    }
}

fn texts(
    r: &mut Reader<'_>,
    parameters: &Object,
    spec: &FeatureSpec,
    test: fn(String) -> Test,
) -> Option<Rule> {
    let (key, json) = only(r, parameters, &["propertyValue"])?;
    let text = r.at(key, |r| r.text(json).map(str::to_owned))?;
    folded(r);
    part(r, spec, test, text)
}

/// A test for a part of a text; an empty one is part of all.
fn part(
    r: &mut Reader<'_>,
    spec: &FeatureSpec,
    test: fn(String) -> Test,
    text: String,
) -> Option<Rule> {
    if spec.kind() == FeatureKind::Category && text.is_empty() {
        return r.test(spec, Test::Set, false);
    }
    r.test(spec, test(text), false)
}

fn is_in(r: &mut Reader<'_>, parameters: &Object, spec: &FeatureSpec) -> Option<Rule> {
    let (key, list) = list(r, parameters)?;
    let values = r.at(key, |r| r.each(list, |r, json| literal(r, spec, key, json)))?;
    if spec.kind() != FeatureKind::Tags {
        return r.test(spec, Test::In(values), false);
    }
    let names = values.into_iter().map(|value| match value {
        Literal::Text(name) => name,
        // Tags are texts.
        other => other.to_string(),
    });
    r.test(spec, Test::HasAny(names.collect()), false)
}
