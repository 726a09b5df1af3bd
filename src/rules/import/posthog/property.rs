//! Properties of persons, and of events.

use super::super::days::{Compared, Day, offset};
use super::super::json::{Json, Object, get};
use super::super::pattern;
use super::super::reader::{Reader, any};
use crate::data::{FeatureKind, FeatureSpec};
use crate::error::similar_names;
use crate::rules::ast::{Literal, Rule, Test};

const OPERATORS: [&str; 23] = [
    "exact",
    "is_not",
    "in",
    "not_in",
    "icontains",
    "not_icontains",
    "icontains_multi",
    "not_icontains_multi",
    "regex",
    "not_regex",
    "gt",
    "gte",
    "lt",
    "lte",
    "min",
    "max",
    "between",
    "not_between",
    "is_set",
    "is_not_set",
    "is_date_before",
    "is_date_after",
    "is_date_exact",
];

/// Of the key, the operator and the value.
pub(super) fn of(r: &mut Reader<'_>, object: &Object) -> Option<Rule> {
    let name = r.required_text(object, "key");
    let spec = name.and_then(|name| r.at("key", |r| r.feature(name)));
    let operator = match get(object, "operator") {
        None | Some(Json::Null) => Some("exact"),
        Some(json) => r.at("operator", |r| r.text(json)),
    };
    let (spec, operator) = (spec?, operator?);
    match operator {
        "is_set" => return r.test(&spec, Test::Set, false),
        "is_not_set" => return r.test(&spec, Test::Missing, false),
        _ => {}
    }
    let value = r.required(object, "value")?;
    // A list of one is written for a value as well.
    let one = match value {
        Json::List(list) if list.len() == 1 => &list[0],
        value => value,
    };
    let compared = |r: &mut Reader<'_>, test: fn(Literal) -> Test| {
        let x = r.at("value", |r| literal(r, &spec, one))?;
        r.test(&spec, test(x), false)
    };
    match operator {
        "exact" | "in" => equals(r, &spec, value),
        "is_not" | "not_in" => equals(r, &spec, value).map(|rule| !rule),
        "icontains" | "icontains_multi" => contains(r, &spec, operator, value),
        "not_icontains" | "not_icontains_multi" => {
            contains(r, &spec, operator, value).map(|rule| !rule)
        }
        "regex" => regex(r, &spec, one),
        "not_regex" => regex(r, &spec, one).map(|rule| !rule),
        "gt" => compared(r, Test::Gt),
        "gte" | "min" => compared(r, Test::Ge),
        "lt" => compared(r, Test::Lt),
        "lte" | "max" => compared(r, Test::Le),
        "between" | "not_between" => {
            let ends = r.at("value", |r| {
                let list = r.list(value)?;
                let ends = r.each(list, |r, json| literal(r, &spec, json))?;
                match <[Literal; 2]>::try_from(ends) {
                    Ok(ends) => Some(ends),
                    Err(_) => r.unexpected("a list of two", value),
                }
            });
            let [lo, hi] = ends?;
            if operator == "between" {
                return r.test(&spec, Test::Between { lo, hi }, false);
            }
            let below = r.test(&spec, Test::Lt(lo), false);
            let above = r.test(&spec, Test::Gt(hi), false);
            Some(any(vec![below?, above?]))
        }
        "is_date_before" => day(r, &spec, Compared::Before, one),
        "is_date_after" => day(r, &spec, Compared::After, one),
        "is_date_exact" => day(r, &spec, Compared::On, one),
        other => r.at("operator", |r| {
            let near = similar_names(other, OPERATORS);
            let (code, message) =
                if other.starts_with("semver") || other == "is_cleaned_path_exact" {
                    ("unsupported-operator", format!("no rule says what `{other}` says"))
                } else {
                    ("unknown-operator", format!("the operator `{other}` is not known"))
                };
            r.fault(code, message, |i| i.suggest(near.into_iter().next()))
        }),
    }
}

/// A value, which is often written as a text, by the kind of its feature.
fn literal(r: &mut Reader<'_>, spec: &FeatureSpec, json: &Json) -> Option<Literal> {
    let text = match json {
        Json::Text(text) => text.clone(),
        Json::Number(x) => Literal::Number(*x).to_string(),
        Json::Flag(x) => x.to_string(),
        other => return r.unexpected("a text, a number, true or false", other),
    };
    match spec.kind() {
        FeatureKind::Number => match text.trim().parse::<f64>() {
            Ok(x) if x.is_finite() => Some(x.into()),
            _ => {
                r.fault("wrong-literal", format!("`{}` is a number", spec.name()), |i| {
                    i.expected("a number").found(json.describe())
                })
            }
        },
        FeatureKind::Flag => match text.as_str() {
            "true" => Some(true.into()),
            "false" => Some(false.into()),
            _ => r.fault("wrong-literal", format!("`{}` is a flag", spec.name()), |i| {
                i.expected("true or false").found(json.describe())
            }),
        },
        FeatureKind::Date => r.day(&text).map(Literal::from),
        _ => Some(text.into()),
    }
}

fn equals(r: &mut Reader<'_>, spec: &FeatureSpec, value: &Json) -> Option<Rule> {
    let is = match value {
        Json::List(_) => r.at("value", |r| {
            let list = r.list(value)?;
            r.each(list, |r, json| literal(r, spec, json)).map(Test::In)
        }),
        one => r.at("value", |r| literal(r, spec, one)).map(Test::Eq),
    };
    let is = match is? {
        Test::In(list) if list.is_empty() => {
            r.note("nobody", "an empty list holds for nobody");
            return Some(Rule::Nobody);
        }
        Test::In(mut list) if list.len() == 1 => Test::Eq(list.pop()?),
        is => is,
    };
    r.test(spec, is, false)
}

/// One text is a pattern of `ILIKE`, several are looked for as they are.
fn contains(
    r: &mut Reader<'_>,
    spec: &FeatureSpec,
    operator: &str,
    value: &Json,
) -> Option<Rule> {
    let texts = r.at("value", |r| match value {
        Json::List(_) => {
            let list = r.list(value)?;
            r.each(list, text)
        }
        one => text(r, one).map(|text| vec![text]),
    })?;
    let is_pattern = texts.len() == 1 && !operator.ends_with("_multi");
    let regex = match &texts[..] {
        [] => {
            r.note("nobody", "an empty list holds for nobody");
            return Some(Rule::Nobody);
        }
        [text] if is_pattern && text.contains(['%', '_']) => {
            r.note("wildcards", "`%` stands for any characters here, and `_` for one");
            pattern::like(&format!("%{text}%"))
        }
        texts => pattern::contains_any(texts.iter().map(String::as_str)),
    };
    r.test(spec, Test::Matches(regex), false)
}

fn text(r: &mut Reader<'_>, json: &Json) -> Option<String> {
    match json {
        Json::Text(text) => Some(text.clone()),
        Json::Number(x) => Some(Literal::Number(*x).to_string()),
        other => r.unexpected("a text", other),
    }
}

/// ClickHouse lets `.` stand for the end of a line, too.
fn regex(r: &mut Reader<'_>, spec: &FeatureSpec, value: &Json) -> Option<Rule> {
    let pattern = r.at("value", |r| text(r, value))?;
    r.note_pattern(&pattern, "RE2");
    let pattern = if pattern.contains('.') { format!("(?s){pattern}") } else { pattern };
    r.test(spec, Test::Matches(pattern), false)
}

fn day(
    r: &mut Reader<'_>,
    spec: &FeatureSpec,
    compared: Compared,
    value: &Json,
) -> Option<Rule> {
    let day = r.at("value", |r| {
        let text = r.text(value)?;
        match relative(text) {
            Some(Some(days)) => Some(Day::Today(-days)),
            Some(None) => {
                let message = "the time before now is no number of days";
                r.fault("not-a-day", message, |i| {
                    i.expected("days or weeks, as -30d or -4w").found(format!("`{text}`"))
                })
            }
            None => r.day(text).map(Day::On),
        }
    })?;
    r.note("whole-days", "the date is compared by its day, without the time of the day");
    r.compare_days(spec, compared, day)
}

/// How many days before now a time such as `-30d` lies, if it is one, and of whole days.
fn relative(text: &str) -> Option<Option<i32>> {
    let ago = text.strip_prefix('-').unwrap_or(text);
    let unit = ago.chars().last()?;
    let digits = &ago[..ago.len() - unit.len_utf8()];
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number || !unit.is_ascii_alphabetic() {
        return None;
    }
    let n = digits.parse::<f64>().ok()?;
    Some(match unit {
        'd' | 'D' => offset(n),
        'w' | 'W' => offset(n * 7.0),
        _ => None,
    })
}
