//! Cohorts and property groups of PostHog.

mod behaviour;
mod property;

use super::json::{Json, Object, get};
use super::reader::{Reader, all, any};
use crate::rules::ast::Rule;

/// What a cohort has beside its filters, without a part in who is a member.
const OF_COHORT: [&str; 22] = [
    "id",
    "name",
    "description",
    "deleted",
    "created_by",
    "created_at",
    "version",
    "pending_version",
    "count",
    "is_calculating",
    "last_calculation",
    "last_backfill_person_properties_at",
    "last_error_at",
    "errors_calculating",
    "last_import_at",
    "experiment_set",
    "cohort_type",
    "_create_in_folder",
    "_create_static_person_ids",
    "creation_context",
    "team",
    "last_error_message",
];

/// A cohort, its filters, or a group of properties.
pub(super) fn read(r: &mut Reader<'_>, json: &Json) -> Option<Rule> {
    let object = r.object(json)?;
    if get(object, "filters").is_none() {
        return filters(r, json);
    }
    let known = ["filters", "is_static", "groups", "query"];
    let keys = r.known_keys(object, &known, &OF_COHORT);
    let plain = [
        ("is_static", "the cohort is a list of persons, and no rule"),
        ("groups", "groups of the old form are not read"),
        ("query", "a query is no rule"),
    ];
    let mut is_rule = Some(());
    for (key, why) in plain {
        let found = get(object, key).unwrap_or(&Json::Null);
        let is_empty = matches!(found, Json::Null | Json::Flag(false))
            || matches!(found, Json::List(list) if list.is_empty())
            || matches!(found, Json::Object(object) if object.is_empty());
        if !is_empty {
            is_rule = r.at(key, |r| r.fault("unsupported-condition", why, |i| i));
        }
    }
    let json = r.required(object, "filters")?;
    let rule = r.at("filters", |r| filters(r, json));
    keys.and(is_rule).and(rule)
}

/// A group, alone or under the key `properties`.
fn filters(r: &mut Reader<'_>, json: &Json) -> Option<Rule> {
    let object = r.object(json)?;
    let Some(json) = get(object, "properties") else { return group(r, object) };
    let keys = r.known_keys(object, &["properties"], &["filterTestAccounts"]);
    if let Some(found @ Json::Flag(true)) = get(object, "filterTestAccounts") {
        r.at("filterTestAccounts", |r| {
            let message = "who is a test account, the definition does not say";
            r.fault::<()>("unsupported-condition", message, |i| i.found(found.describe()))
        })?;
    }
    let rule = r.at("properties", |r| {
        let object = r.object(json)?;
        group(r, object)
    });
    keys.and(rule)
}

fn group(r: &mut Reader<'_>, object: &Object) -> Option<Rule> {
    let keys = r.known_keys(object, &["type", "values"], &["id"]);
    let join = r.required_text(object, "type").and_then(|text| match text {
        "AND" => Some(all as fn(Vec<Rule>) -> Rule),
        "OR" => Some(any as fn(Vec<Rule>) -> Rule),
        other => r.at("type", |r| {
            r.fault("bad-value", "a group is joined in one of two ways", |i| {
                i.expected("`AND` or `OR`").found(format!("`{other}`"))
            })
        }),
    });
    let json = r.required(object, "values");
    let rules = json.and_then(|json| {
        r.at("values", |r| {
            let list = r.list(json)?;
            if list.is_empty() {
                r.note("everyone", "an empty group holds for everyone");
                return Some(vec![Rule::Everyone]);
            }
            r.each(list, |r, json| {
                let object = r.object(json)?;
                match get(object, "values") {
                    Some(_) => group(r, object),
                    None => condition(r, object),
                }
            })
        })
    });
    keys?;
    Some(join?(rules?))
}

/// One property, cohort or thing that was done.
fn condition(r: &mut Reader<'_>, object: &Object) -> Option<Rule> {
    let negated = negation(r, object);
    let rule = r.required_text(object, "type").and_then(|kind| match kind {
        "person" | "person_metadata" => {
            let known = ["type", "key", "value", "operator", "negation"];
            let keys = r.known_keys(object, &known, &COMPUTED);
            keys.and(property::of(r, object))
        }
        "behavioral" | "behavioural" => behaviour::of(r, object),
        "cohort" | "precalculated-cohort" | "static-cohort" | "dynamic-cohort" => {
            let known = ["type", "key", "value", "negation", "operator"];
            let keys = r.known_keys(object, &known, &COHORT_COMPUTED);
            keys.and(cohort(r, object))
        }
        other => r.at("type", |r| {
            let message =
                format!("properties of the type `{other}` are not of customers");
            r.fault("unsupported-condition", message, |i| {
                i.expected("`person`, `behavioral` or `cohort`")
                    .found(format!("`{other}`"))
            })
        }),
    });
    let rule = rule?;
    Some(if negated? { !rule } else { rule })
}

/// What is kept beside a condition for the sake of computing.
const COMPUTED: [&str; 4] = ["bytecode", "bytecode_error", "conditionHash", "label"];
const COHORT_COMPUTED: [&str; 5] =
    ["bytecode", "bytecode_error", "conditionHash", "label", "cohort_name"];

fn negation(r: &mut Reader<'_>, object: &Object) -> Option<bool> {
    match get(object, "negation") {
        None | Some(Json::Null) => Some(false),
        Some(Json::Flag(x)) => Some(*x),
        Some(other) => r.at("negation", |r| r.unexpected("true or false", other)),
    }
}

/// A cohort is called by its id.
fn cohort(r: &mut Reader<'_>, object: &Object) -> Option<Rule> {
    let negated = match get(object, "operator") {
        None | Some(Json::Null) => false,
        Some(operator) => r.at("operator", |r| match r.text(operator)? {
            "in" | "exact" => Some(false),
            "not_in" => Some(true),
            other => r.fault("unknown-operator", "cohorts are only referred to", |i| {
                i.expected("`in` or `not_in`").found(format!("`{other}`"))
            }),
        })?,
    };
    let value = r.required(object, "value")?;
    let rule = r.at("value", |r| match value {
        Json::Number(x) => Some(r.segment(&x.to_string())),
        Json::Text(id) => Some(r.segment(id)),
        other => r.unexpected("the id of a cohort", other),
    })?;
    Some(if negated { !rule } else { rule })
}
