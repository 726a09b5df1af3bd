//! Segments and conditions of Apache Unomi.

mod past;
mod place;
mod property;

use super::json::{Json, Object, get};
use super::reader::{Reader, all, any};
use crate::error::similar_names;
use crate::rules::ast::Rule;

/// Conditions that are read.
const KNOWN: [&str; 7] = [
    "booleanCondition",
    "notCondition",
    "matchAllCondition",
    "profilePropertyCondition",
    "profileSegmentCondition",
    "pastEventCondition",
    "geoLocationByPointSessionCondition",
];

/// Conditions that exist, and why no rule says them.
const UNSUPPORTED: [(&str, &str); 14] = [
    (
        "sessionPropertyCondition",
        "sessions are not known here, only customers and events",
    ),
    (
        "sessionDurationCondition",
        "sessions are not known here, only customers and events",
    ),
    (
        "geoLocationSessionCondition",
        "sessions are not known here, only customers and events",
    ),
    ("newVisitorCondition", "sessions are not known here, only customers and events"),
    (
        "returningVisitorCondition",
        "sessions are not known here, only customers and events",
    ),
    ("scoringCondition", "scores of Unomi are not read"),
    ("profileUserListCondition", "lists of profiles are not known here"),
    ("profileAliasesPropertyCondition", "aliases are not known here"),
    ("goalMatchCondition", "goals are not known here"),
    ("nestedCondition", "nested documents are not known here"),
    ("IdsCondition", "ids are not tested"),
    ("idsCondition", "ids are not tested"),
    ("eventPropertyCondition", "events are spoken of within a `pastEventCondition` only"),
    ("eventTypeCondition", "events are spoken of within a `pastEventCondition` only"),
];

/// A segment, or a condition.
pub(super) fn read(r: &mut Reader<'_>, json: &Json) -> Option<Rule> {
    let object = r.object(json)?;
    if get(object, "condition").is_none() {
        return condition(r, json);
    }
    let of_item = ["itemId", "itemType", "version", "scope", "systemMetadata"];
    let keys = r.known_keys(object, &["condition", "metadata"], &of_item);
    if let Some(Json::Object(metadata)) = get(object, "metadata")
        && get(metadata, "enabled") == Some(&Json::Flag(false))
    {
        r.at("metadata", |r| {
            r.at("enabled", |r| r.note("not-enabled", "the segment is not in use there"));
        });
    }
    let json = r.required(object, "condition")?;
    let rule = r.at("condition", |r| condition(r, json));
    keys.and(rule)
}

fn condition(r: &mut Reader<'_>, json: &Json) -> Option<Rule> {
    let (kind, parameters) = parts(r, json)?;
    r.at("parameterValues", |r| match kind {
        "booleanCondition" => boolean(r, parameters, condition),
        "notCondition" => not(r, parameters, condition),
        "matchAllCondition" => {
            r.known_keys(parameters, &[], &[])?;
            Some(Rule::Everyone)
        }
        "profilePropertyCondition" => property::of(r, parameters),
        "profileSegmentCondition" => segments(r, parameters),
        "pastEventCondition" => past::of(r, parameters),
        "geoLocationByPointSessionCondition" => place::of(r, parameters),
        // The others were noted.
        _ => None,
    })
}

/// The type of a condition, if it is one of those that are read, and its parameters.
fn parts<'j>(r: &mut Reader<'_>, json: &'j Json) -> Option<(&'j str, &'j Object)> {
    let object = r.object(json)?;
    let keys = r.known_keys(object, &["type", "parameterValues"], &[]);
    let kind = r.required_text(object, "type")?;
    let is_of_events = r.is_in_stream();
    let known = if is_of_events { &past::KNOWN[..] } else { &KNOWN[..] };
    let why = UNSUPPORTED.iter().find(|(name, _)| *name == kind).map(|(_, why)| *why);
    if !known.contains(&kind) {
        return r.at("type", |r| match why {
            Some(why) => {
                r.fault("unsupported-condition", why, |i| i.found(format!("`{kind}`")))
            }
            None if KNOWN.contains(&kind) => {
                let message = "this is no condition on an event";
                r.fault("unsupported-condition", message, |i| {
                    i.found(format!("`{kind}`"))
                })
            }
            None => {
                let near = similar_names(kind, known.iter().copied());
                let message = format!("the condition `{kind}` is not known");
                r.fault("unknown-condition", message, |i| {
                    i.suggest(near.into_iter().next())
                })
            }
        });
    }
    let parameters: Option<&Object> = match get(object, "parameterValues") {
        None | Some(Json::Null) => Some(&[]),
        Some(json) => r.at("parameterValues", |r| r.object(json)),
    };
    keys?;
    Some((kind, parameters?))
}

/// Conditions that are joined, each read in this way.
fn boolean(
    r: &mut Reader<'_>,
    parameters: &Object,
    read: fn(&mut Reader<'_>, &Json) -> Option<Rule>,
) -> Option<Rule> {
    let keys = r.known_keys(parameters, &["operator", "subConditions"], &[]);
    let operator = r.required_text(parameters, "operator");
    let is_and = operator.and_then(|text| match text.to_ascii_lowercase().as_str() {
        "and" => Some(true),
        "or" => Some(false),
        _ => r.at("operator", |r| {
            r.fault("bad-value", "conditions are joined in one of two ways", |i| {
                i.expected("`and` or `or`").found(format!("`{text}`"))
            })
        }),
    });
    let json = r.required(parameters, "subConditions");
    let rules = json.and_then(|json| {
        r.at("subConditions", |r| {
            let list = r.list(json)?;
            r.each(list, read)
        })
    });
    keys?;
    let (is_and, rules) = (is_and?, rules?);
    if rules.is_empty() {
        let whom = if is_and { "everyone" } else { "nobody" };
        r.note(whom, format!("an empty list holds for {whom}"));
    }
    Some(if is_and { all(rules) } else { any(rules) })
}

fn not(
    r: &mut Reader<'_>,
    parameters: &Object,
    read: fn(&mut Reader<'_>, &Json) -> Option<Rule>,
) -> Option<Rule> {
    let keys = r.known_keys(parameters, &["subCondition"], &[]);
    let json = r.required(parameters, "subCondition")?;
    let rule = r.at("subCondition", |r| read(r, json));
    keys?;
    rule.map(|rule| !rule)
}

fn segments(r: &mut Reader<'_>, parameters: &Object) -> Option<Rule> {
    let keys = r.known_keys(parameters, &["segments", "matchType"], &[]);
    let kind = r.required_text(parameters, "matchType");
    let json = r.required(parameters, "segments");
    let rules = json.and_then(|json| {
        r.at("segments", |r| {
            let list = r.list(json)?;
            r.each(list, |r, json| {
                let id = r.text(json)?;
                Some(r.segment(id))
            })
        })
    });
    keys?;
    let (kind, rules) = (kind?, rules?);
    match kind {
        "in" | "hasSomeOf" => Some(any(rules)),
        "notIn" | "hasNoneOf" => Some(!any(rules)),
        "all" => Some(all(rules)),
        other => r.at("matchType", |r| {
            let near = similar_names(other, ["in", "notIn", "all"]);
            r.fault("unknown-operator", "segments are not compared like this", |i| {
                i.expected("`in`, `notIn` or `all`")
                    .found(format!("`{other}`"))
                    .suggest(near.into_iter().next())
            })
        }),
    }
}
