//! Conditions on what a profile did.

use std::collections::BTreeMap;

use super::super::json::{Json, Object, get};
use super::super::reader::{Reader, all};
use super::{boolean, not, parts, property};
use crate::data::{Date, Span, Timestamp};
use crate::rules::ast::Rule;
use crate::rules::event::Window;
use crate::rules::field::events;

/// Conditions on an event.
pub(super) const KNOWN: [&str; 5] = [
    "booleanCondition",
    "notCondition",
    "matchAllCondition",
    "eventPropertyCondition",
    "eventTypeCondition",
];

pub(super) fn of(r: &mut Reader<'_>, parameters: &Object) -> Option<Rule> {
    let known = [
        "eventCondition",
        "numberOfDays",
        "fromDate",
        "toDate",
        "minimumEventCount",
        "maximumEventCount",
        "operator",
    ];
    let keys = r.known_keys(parameters, &known, &["generatedPropertyKey"]);
    let window = window(r, parameters);
    let least = number(r, parameters, "minimumEventCount");
    let most = number(r, parameters, "maximumEventCount");
    let happened = match get(parameters, "operator") {
        None | Some(Json::Null) => Some(true),
        Some(json) => r.at("operator", |r| match r.text(json)? {
            "eventsOccurred" | "true" => Some(true),
            "eventsNotOccurred" | "false" => Some(false),
            other => r.fault("unknown-operator", "events happened, or did not", |i| {
                i.expected("`eventsOccurred` or `eventsNotOccurred`")
                    .found(format!("`{other}`"))
            }),
        }),
    };
    let selection = r.required(parameters, "eventCondition").and_then(|json| {
        r.at("eventCondition", |r| {
            let (name, path) = type_of(r, json)?;
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let spec = r.at_path(&path, |r| r.stream(&name))?;
            let filter = r.in_stream(&name, &spec, |r| filter(r, json))?;
            let selection = events(spec.name());
            Some(match filter {
                Rule::Everyone => selection,
                filter => selection.filter(filter),
            })
        })
    });
    keys?;
    let (window, least, most, happened) = (window?, least?, most?, happened?);
    let count = selection?.within(window).count();
    if !happened {
        if least.or(most).is_some() {
            r.note("left-out", "how often is not asked of what did not happen");
        }
        return r.check(count.eq(0));
    }
    // Who has no such event is in no count, whatever the least.
    let least = least.unwrap_or(1).max(1);
    match most {
        None => r.check(count.ge(least)),
        Some(most) if most < least => {
            r.check(count.ge(least))?;
            r.note("nobody", "no count is so high and so low");
            Some(Rule::Nobody)
        }
        Some(most) => r.check(count.between(least, most)),
    }
}

fn number(r: &mut Reader<'_>, parameters: &Object, key: &str) -> Option<Option<u32>> {
    let json = match get(parameters, key) {
        None | Some(Json::Null) => return Some(None),
        Some(json) => json,
    };
    let x = match json {
        Json::Number(x) => Some(*x),
        Json::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    let whole = x.filter(|x| x.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(x));
    match whole {
        Some(x) => Some(Some(x as u32)),
        None => r.at(key, |r| r.unexpected("a whole number", json)),
    }
}

fn window(r: &mut Reader<'_>, parameters: &Object) -> Option<Window> {
    let days = number(r, parameters, "numberOfDays");
    let mut end = |key: &str| match get(parameters, key) {
        None | Some(Json::Null) => Some(None),
        Some(json) => r.at(key, |r| instant(r, json)).map(Some),
    };
    let (from, to) = (end("fromDate"), end("toDate"));
    match (days?, from?, to?) {
        (Some(days), None, None) => {
            r.note_once("rolling-window", "a day is read as the 24 hours before now");
            Some(Window::Last(Span::days(days)))
        }
        (None, None, None) => Some(Window::Ever),
        (None, from, to) => {
            // The end belongs to it there.
            let after = |at: Timestamp| Timestamp::from_millis(at.as_millis() + 1);
            let from = from.unwrap_or(Timestamp::MIN).max(Timestamp::MIN);
            let to = to.map_or(Timestamp::MAX, |to| after(to).min(Timestamp::MAX));
            Some(Window::Between { from: from.to_string(), to: to.to_string() })
        }
        _ => r.fault("unsupported-condition", "days before now and dates in one", |i| {
            i.expected("`numberOfDays`, or `fromDate` and `toDate`")
        }),
    }
}

/// A date is the instant at which it begins in UTC.
fn instant(r: &mut Reader<'_>, json: &Json) -> Option<Timestamp> {
    let text = match json {
        Json::Number(ms) if ms.fract() == 0.0 && ms.abs() < 1e15 => {
            return Some(Timestamp::from_millis(*ms as i64));
        }
        json => r.text(json)?,
    };
    let of_day = |date: Date| crate::data::Zone::utc().start_of(date);
    let day = text.parse::<Date>().map(of_day);
    match day.or_else(|_| text.parse::<Timestamp>()) {
        Ok(at) if at.is_in_calendar() => Some(at),
        _ => r.fault("bad-instant", "the instant cannot be read", |i| {
            i.expected("a date as YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ")
                .found(text.chars().take(40).collect::<String>())
        }),
    }
}

/// The type of the events that satisfy a condition, and where it is stated.
fn type_of(r: &mut Reader<'_>, json: &Json) -> Option<(String, Vec<String>)> {
    let mut path = Vec::new();
    let found = types(json, &mut path).unwrap_or_default();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Some(one),
        (None, _) => r.fault("missing-key", "which events are meant is not said", |i| {
            i.expected("an `eventTypeCondition` in each part that is joined with `or`")
        }),
        (Some(one), Some(two)) => {
            let message = "events of several types are not counted together";
            r.fault("unsupported-condition", message, |i| {
                i.expected("events of one type")
                    .found(format!("`{}`, `{}`", one.0, two.0))
            })
        }
    }
}

/// The types that an event may be of, and where each is stated; nothing where it may be of
/// any type.
fn types(json: &Json, path: &mut Vec<String>) -> Option<BTreeMap<String, Vec<String>>> {
    let Json::Object(object) = json else { return None };
    let Some(Json::Object(parameters)) = get(object, "parameterValues") else {
        return None;
    };
    let text = |object: &Object, key: &str| match get(object, key) {
        Some(Json::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let len = path.len();
    path.push("parameterValues".to_owned());
    let kind = text(object, "type");
    let found = match (kind.as_deref(), get(parameters, "subConditions")) {
        (Some("eventTypeCondition"), _) => text(parameters, "eventTypeId").map(|name| {
            path.push("eventTypeId".to_owned());
            BTreeMap::from([(name, path.clone())])
        }),
        (Some("booleanCondition"), Some(Json::List(list))) => {
            path.push("subConditions".to_owned());
            let parts: Vec<_> = list
                .iter()
                .enumerate()
                .map(|(i, json)| {
                    path.push(i.to_string());
                    let found = types(json, path);
                    path.pop();
                    found
                })
                .collect();
            let operator = text(parameters, "operator").unwrap_or_default();
            let is_open = parts.iter().any(Option::is_none);
            let all: BTreeMap<_, _> = parts.into_iter().flatten().flatten().collect();
            let is_or = !operator.eq_ignore_ascii_case("and");
            let is_known = !all.is_empty() && (!is_or || !is_open);
            is_known.then_some(all)
        }
        _ => None,
    };
    path.truncate(len);
    found
}

/// What an event of the stream must satisfy besides its type.
fn filter(r: &mut Reader<'_>, json: &Json) -> Option<Rule> {
    let (kind, parameters) = parts(r, json)?;
    r.at("parameterValues", |r| match kind {
        "booleanCondition" => {
            let is_and = match get(parameters, "operator") {
                Some(Json::Text(operator)) => operator.eq_ignore_ascii_case("and"),
                _ => false,
            };
            match boolean(r, parameters, filter)? {
                // The type holds for all events of the stream.
                Rule::All(rules) if is_and => Some(all(rules
                    .into_iter()
                    .filter(|rule| *rule != Rule::Everyone)
                    .collect())),
                rule => Some(rule),
            }
        }
        "notCondition" => not(r, parameters, filter),
        "matchAllCondition" => Some(Rule::Everyone),
        "eventTypeCondition" => {
            r.known_keys(parameters, &["eventTypeId"], &[])?;
            let name = r.required_text(parameters, "eventTypeId")?;
            // The others of a stream are of its type, and none of another.
            Some(if r.is_stream(name) { Rule::Everyone } else { Rule::Nobody })
        }
        "eventPropertyCondition" => property::of(r, parameters),
        _ => None,
    })
}
