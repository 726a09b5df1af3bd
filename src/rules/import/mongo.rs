//! Queries of MongoDB, and the conditions of GrowthBook that are written like them.

use super::json::{Json, get};
use super::pattern;
use super::reader::{Reader, all, any};
use crate::data::{FeatureKind, FeatureSpec};
use crate::error::similar_names;
use crate::rules::ast::{Literal, Rule, Test};
use crate::rules::leaf::Pattern;

/// Whose evaluation is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Mongo,
    GrowthBook,
}

/// Of a whole document.
const JOINTS: [&str; 5] = ["$and", "$or", "$nor", "$not", "$comment"];

/// Of one field.
const OPERATORS: [&str; 19] = [
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$exists",
    "$regex",
    "$options",
    "$all",
    "$size",
    "$elemMatch",
    "$not",
    "$ini",
    "$nini",
    "$regexi",
    "$date",
];

/// Known, but nothing that a rule can say.
const UNSUPPORTED: [&str; 24] = [
    "$where",
    "$expr",
    "$text",
    "$jsonSchema",
    "$type",
    "$mod",
    "$alli",
    "$notRegex",
    "$notRegexi",
    "$inGroup",
    "$notInGroup",
    "$veq",
    "$vne",
    "$vgt",
    "$vgte",
    "$vlt",
    "$vlte",
    "$geoWithin",
    "$geoIntersects",
    "$near",
    "$nearSphere",
    "$bitsAllSet",
    "$bitsAnySet",
    "$bitsAllClear",
];

pub(super) fn read(r: &mut Reader<'_>, json: &Json, dialect: Dialect) -> Option<Rule> {
    Mongo { dialect }.condition(r, json)
}

#[derive(Clone, Copy)]
struct Mongo {
    dialect: Dialect,
}

impl Mongo {
    fn is_growthbook(self) -> bool {
        self.dialect == Dialect::GrowthBook
    }

    /// A condition on a document: its keys side by side.
    fn condition(self, r: &mut Reader<'_>, json: &Json) -> Option<Rule> {
        let object = r.object(json)?;
        if object.is_empty() {
            r.note("everyone", "an empty condition holds for everyone");
        }
        let mut rules = Vec::new();
        for (key, json) in object {
            let rule = r.at(key, |r| match key.as_str() {
                "$and" => self.list(r, json, true).map(all),
                "$or" => self.list(r, json, true).map(any),
                "$nor" => self.list(r, json, false).map(|rules| !any(rules)),
                "$not" => self.condition(r, json).map(|rule| !rule),
                "$comment" => {
                    r.note("left-out", "this has no part in who is a member");
                    Some(Rule::Everyone)
                }
                key if key.starts_with('$') => unknown(r, key, &JOINTS),
                name => {
                    let spec = r.feature(name)?;
                    self.value(r, &spec, json)
                }
            });
            if key != "$comment" {
                rules.push(rule);
            }
        }
        rules.into_iter().collect::<Option<Vec<Rule>>>().map(all)
    }

    /// Conditions of a list; what an empty one holds for is noted.
    fn list(self, r: &mut Reader<'_>, json: &Json, holds: bool) -> Option<Vec<Rule>> {
        let list = r.list(json)?;
        if !list.is_empty() {
            return r.each(list, |r, json| self.condition(r, json));
        }
        if !self.is_growthbook() {
            return r.fault("empty-list", "the list is empty", |i| {
                i.expected("at least one condition")
            });
        }
        // GrowthBook: an empty `$or` holds.
        let whom = if holds { "everyone" } else { "nobody" };
        r.note(whom, format!("an empty list holds for {whom}"));
        Some(vec![Rule::Everyone])
    }

    /// A condition on the value of a feature.
    fn value(self, r: &mut Reader<'_>, spec: &FeatureSpec, json: &Json) -> Option<Rule> {
        let object = match json {
            Json::Object(object) if date(json).is_none() => object,
            json => return self.equals(r, spec, json, true),
        };
        let n_operators = object.iter().filter(|(key, _)| key.starts_with('$')).count();
        if object.is_empty() || n_operators < object.len() {
            let expected = "operators, or dotted names of what is inside";
            return r.fault("wrong-type", "whole documents are not compared", |i| {
                i.expected(expected).found(json.describe())
            });
        }
        // Options belong to the expression beside them.
        let has_regex = get(object, "$regex").is_some() && !self.is_growthbook();
        let options = get(object, "$options").filter(|_| has_regex);
        let options =
            options.map_or(Some(""), |json| r.at("$options", |r| options_of(r, json)));
        let rules: Vec<Option<Rule>> = object
            .iter()
            .filter(|(key, _)| key != "$options" || !has_regex)
            .map(|(key, json)| {
                r.at(key, |r| match key.as_str() {
                    "$regex" => self.regex(r, spec, json, options.unwrap_or("")),
                    key => self.operator(r, spec, key, json),
                })
            })
            .collect();
        options?;
        rules.into_iter().collect::<Option<Vec<Rule>>>().map(all)
    }

    fn operator(
        self,
        r: &mut Reader<'_>,
        spec: &FeatureSpec,
        key: &str,
        json: &Json,
    ) -> Option<Rule> {
        let is_growthbook = self.is_growthbook();
        match key {
            "$eq" => self.equals(r, spec, json, false),
            "$ne" => self.equals(r, spec, json, false).map(|rule| !rule),
            "$gt" => self.compare(r, spec, json, Test::Gt, |zero, x| zero > x),
            "$gte" => self.compare(r, spec, json, Test::Ge, |zero, x| zero >= x),
            "$lt" => self.compare(r, spec, json, Test::Lt, |zero, x| zero < x),
            "$lte" => self.compare(r, spec, json, Test::Le, |zero, x| zero <= x),
            "$in" => self.is_in(r, spec, json),
            "$nin" => self.is_in(r, spec, json).map(|rule| !rule),
            "$ini" if is_growthbook => self.is_in_any_case(r, spec, json),
            "$nini" if is_growthbook => {
                self.is_in_any_case(r, spec, json).map(|rule| !rule)
            }
            "$exists" => {
                let exists = match json {
                    Json::Flag(exists) => *exists,
                    Json::Number(x) => *x != 0.0,
                    other => return r.unexpected("true or false", other),
                };
                r.test(spec, if exists { Test::Set } else { Test::Missing }, false)
            }
            "$regexi" if is_growthbook => self.regex(r, spec, json, "i"),
            "$not" => match json {
                Json::Object(_) => self.value(r, spec, json).map(|rule| !rule),
                json if is_growthbook => self.value(r, spec, json).map(|rule| !rule),
                other => r.unexpected("operators", other),
            },
            "$all" => self.has_all(r, spec, json),
            "$size" => self.size(r, spec, json),
            "$elemMatch" => self.element(r, spec, json),
            key => unknown(r, key, &OPERATORS),
        }
    }

    /// Equality, as it is written with `$eq` or alone.
    fn equals(
        self,
        r: &mut Reader<'_>,
        spec: &FeatureSpec,
        json: &Json,
        is_alone: bool,
    ) -> Option<Rule> {
        if *json == Json::Null {
            return r.test(spec, Test::Missing, false);
        }
        let value = self.literal(r, spec, json)?;
        // JavaScript turns what is missing into 0 or into a text.
        let of_missing = self.is_growthbook()
            && is_alone
            && match &value {
                Literal::Number(x) => *x == 0.0,
                Literal::Text(text) => text == "null",
                Literal::Flag(_) => false,
            };
        match value {
            Literal::Text(tag)
                if spec.kind() == FeatureKind::Tags && !self.is_growthbook() =>
            {
                r.test(spec, Test::HasAny(vec![tag]), false)
            }
            value => r.test(spec, Test::Eq(value), of_missing),
        }
    }

    /// A value; nothing after a fault.
    fn literal(
        self,
        r: &mut Reader<'_>,
        spec: &FeatureSpec,
        json: &Json,
    ) -> Option<Literal> {
        let text = match json {
            Json::Flag(x) => return Some(Literal::Flag(*x)),
            Json::Number(x) => return Some(Literal::Number(*x)),
            Json::Text(text) => text,
            other => match date(other) {
                Some(text) => text,
                None => return r.unexpected("a number, a text, true or false", other),
            },
        };
        if spec.kind() == FeatureKind::Date {
            return r.day(text).map(Literal::from);
        }
        Some(Literal::Text(text.to_owned()))
    }

    fn compare(
        self,
        r: &mut Reader<'_>,
        spec: &FeatureSpec,
        json: &Json,
        test: fn(Literal) -> Test,
        holds: fn(f64, f64) -> bool,
    ) -> Option<Rule> {
        let value = self.literal(r, spec, json)?;
        // JavaScript takes what is missing for 0.
        let of_missing = match value {
            Literal::Number(x) => self.is_growthbook() && holds(0.0, x),
            _ => false,
        };
        r.test(spec, test(value), of_missing)
    }

    fn is_in(self, r: &mut Reader<'_>, spec: &FeatureSpec, json: &Json) -> Option<Rule> {
        let list = r.list(json)?;
        let mut with_missing = false;
        let values = r.each(list, |r, json| {
            with_missing |= *json == Json::Null;
            match json {
                Json::Null => Some(None),
                json => self.literal(r, spec, json).map(Some),
            }
        })?;
        let values: Vec<Literal> = values.into_iter().flatten().collect();
        let missing = if with_missing {
            vec![r.test(spec, Test::Missing, false)?]
        } else {
            Vec::new()
        };
        if values.is_empty() {
            return Some(any(missing));
        }
        let is = if spec.kind() == FeatureKind::Tags {
            Test::HasAny(self.tags(r, values)?)
        } else {
            Test::In(values)
        };
        let mut rules = vec![r.test(spec, is, false)?];
        rules.extend(missing);
        Some(any(rules))
    }

    fn tags(self, r: &mut Reader<'_>, values: Vec<Literal>) -> Option<Vec<String>> {
        let tags = values.into_iter().map(|value| match value {
            Literal::Text(tag) => Ok(tag),
            other => Err(other),
        });
        match tags.collect::<Result<Vec<String>, Literal>>() {
            Ok(tags) => Some(tags),
            Err(other) => r.fault("wrong-literal", "tags are texts", |i| {
                i.expected("texts").found(other.to_string())
            }),
        }
    }

    fn texts(self, r: &mut Reader<'_>, json: &Json) -> Option<Vec<String>> {
        let list = r.list(json)?;
        r.each(list, |r, json| r.text(json).map(str::to_owned))
    }

    fn is_in_any_case(
        self,
        r: &mut Reader<'_>,
        spec: &FeatureSpec,
        json: &Json,
    ) -> Option<Rule> {
        let texts = self.texts(r, json)?;
        if texts.is_empty() {
            return Some(Rule::Nobody);
        }
        let regex = pattern::equals_any(texts.iter().map(String::as_str));
        r.test(spec, Test::Matches(regex), false)
    }

    fn regex(
        self,
        r: &mut Reader<'_>,
        spec: &FeatureSpec,
        json: &Json,
        options: &str,
    ) -> Option<Rule> {
        let pattern = r.text(json)?;
        let engine = if self.is_growthbook() { "JavaScript" } else { "PCRE" };
        r.note_pattern(pattern, engine);
        let pattern = match options {
            "" => pattern.to_owned(),
            options => format!("(?{options}){pattern}"),
        };
        // JavaScript looks at the text `null` where the value is missing.
        let size = r.limits().get_pattern_size();
        let of_missing = self.is_growthbook()
            && pattern.len() <= r.limits().get_pattern_len()
            && Pattern::new(&pattern, size).is_ok_and(|pattern| pattern.finds("null"));
        r.test(spec, Test::Matches(pattern), of_missing)
    }

    fn has_all(
        self,
        r: &mut Reader<'_>,
        spec: &FeatureSpec,
        json: &Json,
    ) -> Option<Rule> {
        let texts = self.texts(r, json)?;
        if !texts.is_empty() {
            return r.test(spec, Test::HasAll(texts), false);
        }
        if self.is_growthbook() {
            r.test(spec, Test::Set, false)
        } else {
            r.note("nobody", "an empty list holds for nobody");
            Some(Rule::Nobody)
        }
    }

    fn size(self, r: &mut Reader<'_>, spec: &FeatureSpec, json: &Json) -> Option<Rule> {
        let size = |r: &mut Reader<'_>, test: fn(Literal) -> Test, json: &Json| match json
        {
            Json::Number(x) => {
                r.test(spec, Test::Size(Box::new(test((*x).into()))), false)
            }
            other => r.unexpected("a number", other),
        };
        let object = match json {
            Json::Object(object) if self.is_growthbook() && !object.is_empty() => object,
            json => return size(r, Test::Eq, json),
        };
        // Of what is missing it is False, whatever the operators.
        let mut rules = vec![r.test(spec, Test::Set, false)];
        for (key, json) in object {
            rules.push(r.at(key, |r| match key.as_str() {
                "$eq" => size(r, Test::Eq, json),
                "$ne" => size(r, Test::Eq, json).map(|rule| !rule),
                "$gt" => size(r, Test::Gt, json),
                "$gte" => size(r, Test::Ge, json),
                "$lt" => size(r, Test::Lt, json),
                "$lte" => size(r, Test::Le, json),
                key => unknown(r, key, &["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]),
            }));
        }
        rules.into_iter().collect::<Option<Vec<Rule>>>().map(all)
    }

    /// One of the tags satisfies what can be said of one.
    fn element(
        self,
        r: &mut Reader<'_>,
        spec: &FeatureSpec,
        json: &Json,
    ) -> Option<Rule> {
        let object = r.object(json)?;
        let [(key, json)] = object else {
            return r.fault("unsupported-operator", "tags are only looked for", |i| {
                i.expected("`$eq` or `$in`").found(format!("{} keys", object.len()))
            });
        };
        r.at(key, |r| {
            let mut tags = match key.as_str() {
                "$eq" => vec![r.text(json)?.to_owned()],
                "$in" => self.texts(r, json)?,
                key => {
                    return r.fault(
                        "unsupported-operator",
                        "tags are only looked for",
                        |i| i.expected("`$eq` or `$in`").found(format!("`{key}`")),
                    );
                }
            };
            if self.is_growthbook() {
                // It passes over elements that JavaScript takes for false.
                tags.retain(|tag| !tag.is_empty());
            }
            match tags.is_empty() {
                true => Some(Rule::Nobody),
                false => r.test(spec, Test::HasAny(tags), false),
            }
        })
    }
}

/// The text of a date in extended JSON.
fn date(json: &Json) -> Option<&str> {
    match json {
        Json::Object(object) => match &object[..] {
            [(key, Json::Text(text))] if key == "$date" => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The options of a regular expression.
fn options_of<'j>(r: &mut Reader<'_>, json: &'j Json) -> Option<&'j str> {
    let options = r.text(json)?;
    if options.chars().all(|c| "imsx".contains(c)) {
        return Some(options);
    }
    r.fault("bad-value", "the options are not known", |i| {
        i.expected("some of i, m, s, x").found(format!("`{options}`"))
    })
}

/// Notes an operator that cannot be read.
fn unknown(r: &mut Reader<'_>, key: &str, known: &[&str]) -> Option<Rule> {
    if UNSUPPORTED.contains(&key) || OPERATORS.contains(&key) || JOINTS.contains(&key) {
        return r.fault(
            "unsupported-operator",
            format!("no rule says what `{key}` says here"),
            |i| i,
        );
    }
    let near = similar_names(key, known.iter().copied());
    r.fault("unknown-operator", format!("the operator `{key}` is not known"), |i| {
        i.suggest(near.into_iter().next())
    })
}
