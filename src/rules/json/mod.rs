//! JSON that tells all its faults.
//!
//! A text becomes a [`Tree`], which keeps what is written, and the tree becomes a definition.
//! What serde's derives read of JSON is read with the same result; they stop at the first
//! fault, do not say where it stands, and are there for other formats and for definitions
//! inside of other documents.

mod event;
mod format;
mod points;
mod reader;
mod rule;
mod set;
mod tree;

use self::reader::{Read, Reader};
use self::tree::Tree;
use super::ast::Rule;
use super::limits::Limits;
use super::points::PointsModel;
use super::set::RuleSet;
use crate::error::{Error, ErrorKind, Issue, Result};

impl RuleSet {
    /// Reads the set from JSON, within the default [`Limits::json_len`]. What the rules say
    /// is checked when they are compiled.
    ///
    /// ```
    /// use segmenta::ErrorKind;
    /// use segmenta::rules::RuleSet;
    ///
    /// let error = RuleSet::from_json(r#"{"segments": [
    ///     {"id": "vip", "rule": {"field": {"name": "orders", "is": {"gt": [10]}}}},
    ///     {"id": "new", "name": "New", "rule": {"feild": {"name": "age", "si": "missing"}}}
    /// ]}"#)
    /// .unwrap_err();
    /// let ErrorKind::Definition { issues, .. } = error.kind() else { panic!() };
    /// let told: Vec<String> = issues.iter().map(|i| format!("{} {}", i.code, i.path)).collect();
    /// assert_eq!(told, [
    ///     "missing-key /segments/0",
    ///     "wrong-type /segments/0/rule/field/is/gt",
    ///     "unknown-kind /segments/1/rule/feild",
    ///     "unknown-key /segments/1/rule/feild/si",
    /// ]);
    /// assert_eq!(issues[2].suggestion.as_deref(), Some("field"));
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] with all faults (the first 100, and how many more there
    /// are). The paths are JSON pointers into the text, and the codes are:
    ///
    /// | code | fault |
    /// |---|---|
    /// | `bad-json` | the text is not JSON; the message has line and column |
    /// | `text-too-long` | it is longer than [`Limits::json_len`] |
    /// | `too-deep` | more than 126 lists and objects stand in each other |
    /// | `unknown-format` | the set is of another format than 1 |
    /// | `missing-key` | an object without a key that it must have |
    /// | `unknown-key` | a key that the object cannot have |
    /// | `duplicate-key` | a key that the object has twice |
    /// | `too-many-keys` | a second key where one names the kind of rule, test, window … |
    /// | `unknown-kind` | there is no such rule, test, aggregate, window … |
    /// | `wrong-type` | a value of another type |
    /// | `bad-span` | a text that is no length of time |
    /// | `too-many-issues` | further faults, which are counted only |
    ///
    /// A key or a kind that is nearly spelled like one that would have been accepted is read
    /// as that one, so that faults below it are told, too.
    ///
    /// # Beside serde
    /// What [`Deserialize`](serde::Deserialize) reads of JSON, this reads with the same result,
    /// and what it refuses, this refuses; but for two things that it reads and this does not:
    /// lists of values where an object with their keys is meant, and 127 levels of nesting.
    pub fn from_json(json: &str) -> Result<RuleSet> {
        RuleSet::from_json_with(json, &Limits::new())
    }

    /// [`from_json`](RuleSet::from_json) with another [`Limits::json_len`].
    ///
    /// # Errors
    /// As [`from_json`](RuleSet::from_json), or when the limits are not valid.
    pub fn from_json_with(json: &str, limits: &Limits) -> Result<RuleSet> {
        read("the rules", json, limits, Reader::set)
    }

    /// Writes the set as JSON. Its first key is the format.
    ///
    /// # Errors
    /// When a number in a rule is not finite, or a rule has more than 128 levels.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| bad_json("the rules", &e))
    }
}

impl Rule {
    /// Reads a rule from JSON, within the default [`Limits::json_len`].
    ///
    /// ```
    /// use segmenta::rules::Rule;
    ///
    /// let error = Rule::from_json(r#"{"field": {"name": "orders", "is": {"gte": 3}}}"#);
    /// assert!(error.unwrap_err().to_string().ends_with("did you mean `ge`?"));
    /// let rule = Rule::from_json(r#"{"field": {"name": "orders", "is": {"ge": 3}}}"#)?;
    /// assert_eq!(rule, "orders >= 3".parse()?);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`RuleSet::from_json`], with paths into the rule.
    pub fn from_json(json: &str) -> Result<Rule> {
        Rule::from_json_with(json, &Limits::new())
    }

    /// [`from_json`](Rule::from_json) with another [`Limits::json_len`].
    ///
    /// # Errors
    /// As [`from_json`](Rule::from_json), or when the limits are not valid.
    pub fn from_json_with(json: &str, limits: &Limits) -> Result<Rule> {
        read("the rule", json, limits, Reader::rule)
    }

    /// Writes the rule as JSON.
    ///
    /// # Errors
    /// When a number in it is not finite, or a rule has more than 128 levels.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| bad_json("the rule", &e))
    }
}

impl PointsModel {
    /// Reads the model from JSON, within the default [`Limits::json_len`].
    ///
    /// # Errors
    /// As [`RuleSet::from_json`], with paths into the model.
    pub fn from_json(json: &str) -> Result<PointsModel> {
        PointsModel::from_json_with(json, &Limits::new())
    }

    /// [`from_json`](PointsModel::from_json) with another [`Limits::json_len`].
    ///
    /// # Errors
    /// As [`from_json`](PointsModel::from_json), or when the limits are not valid.
    pub fn from_json_with(json: &str, limits: &Limits) -> Result<PointsModel> {
        read("the points", json, limits, Reader::points)
    }

    /// Writes the model as JSON.
    ///
    /// # Errors
    /// When a number in it is not finite, or a rule has more than 128 levels.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| bad_json("the points", &e))
    }
}

fn read<T>(what: &'static str, json: &str, limits: &Limits, read: Read<T>) -> Result<T> {
    limits.validate()?;
    let most = limits.get_json_len();
    if json.len() > most {
        let issue = Issue::new("text-too-long", "", "the text is too long")
            .expected(format!("at most {most} bytes"))
            .found(json.len().to_string());
        return Err(fault(what, issue));
    }
    let tree = Tree::parse(json).map_err(|e| bad_json(what, &e))?;
    let mut reader = Reader::default();
    let found = read(&mut reader, &tree);
    reader.finish(what, found)
}

fn bad_json(what: &'static str, error: &serde_json::Error) -> Error {
    fault(what, Issue::new("bad-json", "", error.to_string()))
}

fn fault(what: &'static str, issue: Issue) -> Error {
    ErrorKind::Definition { what: what.into(), issues: vec![issue] }.into()
}
