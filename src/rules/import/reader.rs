//! What reading a foreign definition needs, whatever its system: places, faults, notes, names.

use std::fmt;

use super::Import;
use super::json::{Json, Object, get};
use crate::data::{FeatureKind, FeatureSpec, Schema, StreamSpec};
use crate::error::{Error, ErrorKind, Issue, Result, similar_names};
use crate::rules::ast::{FieldTest, Rule, SegmentRef, Test};
use crate::rules::limits::Limits;
use crate::segmenter::SegmentId;

/// Faults that are described; those beyond are counted.
const MAX_ISSUES: usize = 100;

/// Reads one definition. Its methods go on after a fault, for which they give nothing, and a
/// rule is of use only if [`Reader::finish`] finds no fault.
pub(super) struct Reader<'i> {
    pub(super) import: &'i Import,
    /// The features of customers, or the properties of the events that are filtered.
    schema: Schema,
    /// What the stream is called whose events are filtered, in the definition.
    stream: Option<String>,
    /// JSON pointer to what is being read.
    path: String,
    faults: Vec<Issue>,
    /// Faults that are not in `faults`.
    n_more: usize,
    notes: Vec<Issue>,
}

impl<'i> Reader<'i> {
    pub(super) fn new(import: &'i Import) -> Reader<'i> {
        Reader {
            import,
            schema: import.schema.clone(),
            stream: None,
            path: String::new(),
            faults: Vec::new(),
            n_more: 0,
            notes: Vec::new(),
        }
    }

    /// The rule and the notes if there was no fault, else all faults.
    pub(super) fn finish(mut self, rule: Option<Rule>) -> Result<(Rule, Vec<Issue>)> {
        let fault = rule.as_ref().and_then(|rule| self.limits().check_size(rule, ""));
        self.faults.extend(fault);
        if self.n_more > 0 {
            let message = format!("{} more faults are not listed", self.n_more);
            self.faults.push(Issue::new("too-many-issues", "", message));
        }
        match rule {
            Some(rule) if self.faults.is_empty() => Ok((rule, self.notes)),
            _ => Err(definition(self.faults)),
        }
    }

    pub(super) fn limits(&self) -> &'i Limits {
        &self.import.limits
    }

    /// Does `work` at a place below the current one.
    pub(super) fn at<T>(
        &mut self,
        token: impl fmt::Display,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let len = self.path.len();
        let token = token.to_string().replace('~', "~0").replace('/', "~1");
        self.path.push('/');
        self.path.push_str(&token);
        let result = work(self);
        self.path.truncate(len);
        result
    }

    /// Does `work` at a place some steps below the current one.
    pub(super) fn at_path<T>(
        &mut self,
        tokens: &[&str],
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let len = self.path.len();
        for token in tokens {
            self.path.push('/');
            self.path.push_str(token);
        }
        let result = work(self);
        self.path.truncate(len);
        result
    }

    /// Notes a fault at the current place. Gives nothing, for the callers to hand on.
    pub(super) fn fault<T>(
        &mut self,
        code: &str,
        message: impl Into<String>,
        detail: impl FnOnce(Issue) -> Issue,
    ) -> Option<T> {
        if self.faults.len() < MAX_ISSUES {
            self.faults.push(detail(Issue::new(code, self.path.clone(), message)));
        } else {
            self.n_more += 1;
        }
        None
    }

    /// Notes that something else is expected here.
    pub(super) fn unexpected<T>(&mut self, expected: &str, found: &Json) -> Option<T> {
        self.fault("wrong-type", "something else is expected here", |i| {
            i.expected(expected).found(found.describe())
        })
    }

    /// Notes at the current place that the rule says something in another way.
    pub(super) fn note(&mut self, code: &str, message: impl Into<String>) {
        let note = Issue::new(code, self.path.clone(), message);
        // What is said twice is said at one place.
        if !self.notes.iter().rev().take(8).any(|known| *known == note) {
            self.notes.push(note);
        }
    }

    /// As [`note`](Reader::note), unless one with this code was made elsewhere.
    pub(super) fn note_once(&mut self, code: &str, message: &str) {
        if self.notes.iter().all(|note| note.code != code) {
            self.note(code, message);
        }
    }

    /// Notes keys that are there twice, anywhere: of most readers only one would count.
    pub(super) fn check_keys(&mut self, json: &Json) {
        match json {
            Json::List(list) => {
                for (i, json) in list.iter().enumerate() {
                    self.at(i, |r| r.check_keys(json));
                }
            }
            Json::Object(object) => {
                let mut keys: Vec<&str> = object.iter().map(|(key, _)| &**key).collect();
                keys.sort_unstable();
                for pair in keys.windows(2).filter(|pair| pair[0] == pair[1]) {
                    self.at(pair[0], |r| {
                        r.fault::<()>("duplicate-key", "the key is there twice", |i| i)
                    });
                }
                for (key, json) in object {
                    self.at(key, |r| r.check_keys(json));
                }
            }
            _ => {}
        }
    }

    /// Notes keys that mean nothing, and those that are left out on purpose.
    pub(super) fn known_keys(
        &mut self,
        object: &Object,
        known: &[&str],
        without_effect: &[&str],
    ) -> Option<()> {
        let mut all = Some(());
        for (key, value) in object {
            // What is null says nothing.
            if known.contains(&&**key) || *value == Json::Null {
                continue;
            }
            self.at(key, |r| {
                if without_effect.contains(&&**key) {
                    r.note("left-out", "this has no part in who is a member");
                } else {
                    let near = r.near(key, known.iter().copied());
                    let message = format!("the key `{key}` is not known here");
                    all = r.fault("unknown-key", message, |i| i.suggest(near));
                }
            });
        }
        all
    }

    pub(super) fn object<'j>(&mut self, json: &'j Json) -> Option<&'j Object> {
        match json {
            Json::Object(object) => Some(object),
            other => self.unexpected("an object", other),
        }
    }

    pub(super) fn list<'j>(&mut self, json: &'j Json) -> Option<&'j [Json]> {
        match json {
            Json::List(list) => {
                let most = self.limits().get_list_len();
                if list.len() > most {
                    return self.fault("list-too-long", "the list is too long", |i| {
                        i.expected(format!("at most {most} entries"))
                            .found(list.len().to_string())
                    });
                }
                Some(list)
            }
            other => self.unexpected("a list", other),
        }
    }

    /// What `work` makes of each entry of a list; nothing after a fault.
    pub(super) fn each<T>(
        &mut self,
        list: &[Json],
        mut work: impl FnMut(&mut Self, &Json) -> Option<T>,
    ) -> Option<Vec<T>> {
        let made: Vec<Option<T>> = list
            .iter()
            .enumerate()
            .map(|(i, json)| self.at(i, |r| work(r, json)))
            .collect();
        made.into_iter().collect()
    }

    pub(super) fn text<'j>(&mut self, json: &'j Json) -> Option<&'j str> {
        match json {
            Json::Text(text) => Some(text),
            other => self.unexpected("a text", other),
        }
    }

    /// The value of a key that must be there.
    pub(super) fn required<'j>(
        &mut self,
        object: &'j Object,
        key: &str,
    ) -> Option<&'j Json> {
        match get(object, key) {
            Some(Json::Null) | None => {
                let message = format!("the key `{key}` is missing");
                self.fault("missing-key", message, |i| i.expected(format!("`{key}`")))
            }
            found => found,
        }
    }

    /// The text of a key that must be there.
    pub(super) fn required_text<'j>(
        &mut self,
        object: &'j Object,
        key: &str,
    ) -> Option<&'j str> {
        let json = self.required(object, key)?;
        self.at(key, |r| r.text(json))
    }

    /// The name that was probably meant, if the fault is to be described at all.
    fn near<'a>(
        &self,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let is_described = self.faults.len() < MAX_ISSUES;
        is_described.then(|| similar_names(name, candidates).into_iter().next())?
    }

    /// The feature of customers, or the property of events, that has this name in the
    /// definition.
    pub(super) fn feature(&mut self, theirs: &str) -> Option<FeatureSpec> {
        let import = self.import;
        let mapped = match &self.stream {
            None => import.features.get(theirs),
            Some(stream) => import.properties.get(&(stream.clone(), theirs.to_owned())),
        };
        let name = mapped.map_or(theirs, |name| name);
        let found = self.schema.index_of(name).and_then(|at| self.schema.get(at));
        if let Some(spec) = found {
            return Some(spec.clone());
        }
        let (code, what) = match self.stream {
            None => ("unknown-feature", "feature"),
            Some(_) => ("unknown-property", "property of these events"),
        };
        let near = self.near(name, self.schema.features().iter().map(FeatureSpec::name));
        self.fault(code, format!("no {what} is named `{name}`"), |i| {
            i.found(format!("`{theirs}`")).suggest(near)
        })
    }

    /// Whether [`feature`](Reader::feature) finds one.
    pub(super) fn has_feature(&self, theirs: &str) -> bool {
        match &self.stream {
            None => {
                self.import.features.contains_key(theirs)
                    || self.schema.index_of(theirs).is_some()
            }
            Some(stream) => {
                let key = (stream.clone(), theirs.to_owned());
                self.import.properties.contains_key(&key)
                    || self.schema.index_of(theirs).is_some()
            }
        }
    }

    /// The stream that has this name in the definition.
    pub(super) fn stream(&mut self, theirs: &str) -> Option<StreamSpec> {
        let name = self.import.streams.get(theirs).map_or(theirs, |name| name);
        let schema = &self.import.schema;
        let found = schema.stream_index_of(name);
        if let Some(spec) = found.and_then(|at| schema.streams().get(at.get())) {
            return Some(spec.clone());
        }
        let near = self.near(name, schema.streams().iter().map(StreamSpec::name));
        self.fault("unknown-stream", format!("no stream is named `{name}`"), |i| {
            i.found(format!("`{theirs}`")).suggest(near)
        })
    }

    /// The rule of a segment that has this name in the definition.
    pub(super) fn segment(&mut self, theirs: &str) -> Rule {
        let id = self.import.segments.get(theirs).map_or(theirs, |id| id);
        let message = format!("the set must have a segment with the id `{id}`");
        self.note("refers-to-segment", message);
        Rule::Segment(SegmentRef { id: SegmentId::new(id), version: None })
    }

    /// Whether the properties of events are read, and not the features of customers.
    pub(super) fn is_in_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether the stream whose events are filtered has this name in the definition.
    pub(super) fn is_stream(&self, theirs: &str) -> bool {
        self.stream.as_deref() == Some(theirs)
    }

    /// Does `work` where features are the properties of a stream's events.
    pub(super) fn in_stream<T>(
        &mut self,
        theirs: &str,
        spec: &StreamSpec,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        // A stream's properties were checked as those of a schema are.
        let properties = Schema::new(spec.properties().iter().cloned());
        let outside = properties.map(|own| std::mem::replace(&mut self.schema, own));
        self.stream = Some(theirs.to_owned());
        let result = work(self);
        self.stream = None;
        if let Ok(schema) = outside {
            self.schema = schema;
        }
        result
    }

    /// A test of a feature, checked; where the value is missing it has this answer.
    pub(super) fn test(
        &mut self,
        spec: &FeatureSpec,
        is: Test,
        when_missing: bool,
    ) -> Option<Rule> {
        let is_ordered =
            matches!(is, Test::Lt(_) | Test::Le(_) | Test::Gt(_) | Test::Ge(_));
        if is_ordered && spec.kind() == FeatureKind::Ordinal {
            self.note(
                "order-of-levels",
                "levels are compared in their order, not as texts",
            );
        }
        let total = matches!(is, Test::Set | Test::Missing);
        let when_missing = (!total).then_some(when_missing);
        let name = spec.name().to_owned();
        self.check(Rule::Field(FieldTest { name, is, when_missing }))
    }

    /// A rule, if it has no fault against the schema.
    pub(super) fn check(&mut self, rule: Rule) -> Option<Rule> {
        let Err(error) = rule.compile_with(&self.schema, self.limits()) else {
            return Some(rule);
        };
        let issues = match error.kind() {
            ErrorKind::Definition { issues, .. } => issues.clone(),
            _ => vec![Issue::new("cannot-compile", "", error.to_string())],
        };
        for Issue { code, message, expected, found, suggestion, .. } in issues {
            self.fault::<()>(&code, message, |i| Issue {
                expected,
                found,
                suggestion,
                ..i
            });
        }
        None
    }
}

pub(super) fn definition(issues: Vec<Issue>) -> Error {
    ErrorKind::Definition { what: "the definition to import".into(), issues }.into()
}

/// How many rules a rule is made of, itself included.
pub(super) fn n_nodes(rule: &Rule) -> usize {
    1 + match rule {
        Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
            rules.iter().map(n_nodes).sum()
        }
        Rule::Not(rule) => n_nodes(rule),
        _ => 0,
    }
}

/// All of the rules hold: everyone's, where there are none.
pub(super) fn all(rules: Vec<Rule>) -> Rule {
    joined(rules, Rule::Everyone, Rule::All)
}

/// One of the rules holds: nobody's, where there are none.
pub(super) fn any(rules: Vec<Rule>) -> Rule {
    joined(rules, Rule::Nobody, Rule::Any)
}

fn joined(mut rules: Vec<Rule>, none: Rule, node: fn(Vec<Rule>) -> Rule) -> Rule {
    match rules.len() {
        0 => none,
        1 => rules.pop().unwrap_or(none),
        _ => node(rules),
    }
}
