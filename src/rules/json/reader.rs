//! From a tree of JSON to values, with all faults on the way.

use std::fmt;

use super::tree::{Number, Tree};
use crate::data::Span;
use crate::error::{ErrorKind, Issue, Result, similar_names};
use crate::rules::check::MAX_ISSUES;

/// How many characters of a text are shown, and how many names of a list.
const LONGEST: usize = 40;
const MOST_NAMES: usize = 10;

/// Collects the faults of a definition, and knows where it stands. What reads goes on after
/// a fault and then gives `None`, so that the next fault is found, too.
#[derive(Debug, Default)]
pub(super) struct Reader {
    issues: Vec<Issue>,
    /// Faults that are not in `issues`.
    n_more: usize,
    /// JSON pointer to the place that is being read.
    path: String,
}

/// What reads a value. `None` after a fault, which is noted.
pub(super) type Read<T> = fn(&mut Reader, &Tree) -> Option<T>;

/// What a key that names a kind stands for.
#[derive(Clone)]
pub(super) enum Kind<T> {
    /// Nothing stands below it: the name alone is enough.
    Bare(T),
    With(Read<T>),
}

/// The fields of an object that have a name which is known, each once.
pub(super) struct Fields<'r, 't> {
    reader: &'r mut Reader,
    found: Vec<Field<'t>>,
}

#[derive(Clone, Copy)]
struct Field<'t> {
    /// What it is taken for.
    key: &'static str,
    /// As it is written.
    token: &'t str,
    value: &'t Tree,
}

impl Reader {
    /// What was read if there was no fault, else all faults.
    pub(super) fn finish<T>(mut self, what: &'static str, read: Option<T>) -> Result<T> {
        if self.n_more > 0 {
            let message = format!("{} more faults are not listed", self.n_more);
            self.issues.push(Issue::new("too-many-issues", "", message));
        }
        match read {
            Some(read) if self.issues.is_empty() => Ok(read),
            _ => {
                Err(ErrorKind::Definition { what: what.into(), issues: self.issues }
                    .into())
            }
        }
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

    /// Notes a fault at the current place. What costs time is done in `detail`, which faults
    /// that are only counted do without.
    pub(super) fn issue(
        &mut self,
        code: &str,
        message: impl fmt::Display,
        detail: impl FnOnce(Issue) -> Issue,
    ) {
        if !self.is_full() {
            let issue = Issue::new(code, self.path.clone(), message.to_string());
            self.issues.push(detail(issue));
        } else {
            self.n_more += 1;
        }
    }

    /// Whether faults are only counted.
    fn is_full(&self) -> bool {
        self.issues.len() >= MAX_ISSUES
    }

    /// Notes that a value is of another type.
    pub(super) fn wrong<T>(&mut self, tree: &Tree, expected: &str) -> Option<T> {
        if *tree == Tree::TooDeep {
            self.issue("too-deep", "the definition is nested too deeply", |issue| {
                issue
                    .expected(format!("at most {} levels", super::tree::MAX_LEVELS))
                    .found("more")
            });
        } else {
            self.issue("wrong-type", "something else is needed here", |issue| {
                issue.expected(expected).found(describe(tree))
            });
        }
        None
    }

    /// An object with some of these fields. Keys that stand twice and those that are not
    /// known are told; one that is nearly spelled like a field that is not there is taken for it.
    pub(super) fn fields<'r, 't>(
        &'r mut self,
        keys: &'static [&'static str],
        tree: &'t Tree,
    ) -> Option<Fields<'r, 't>> {
        let Tree::Object(entries) = tree else { return self.wrong(tree, "an object") };
        let mut found: Vec<Field<'t>> = Vec::with_capacity(keys.len());
        let mut unknown = Vec::new();
        for (token, value) in entries {
            match keys.iter().find(|key| **key == token.as_str()) {
                None => unknown.push((token, value)),
                Some(&key) if found.iter().any(|field| field.key == key) => {
                    self.twice(token);
                }
                Some(&key) => found.push(Field { key, token, value }),
            }
        }
        for (token, value) in unknown {
            let has = |key: &str| found.iter().any(|field| field.key == key);
            let free = keys.iter().copied().filter(|key| !has(key));
            let meant = if self.is_full() { None } else { nearest(token, free) };
            self.at(token, |reader| {
                let message = format!("there is no key `{}`", short(token));
                reader.issue("unknown-key", message, |issue| {
                    issue
                        .expected(names(keys, "or"))
                        .found(format!("`{}`", short(token)))
                        .suggest(meant.map(str::to_owned))
                });
            });
            found.extend(meant.map(|key| Field { key, token, value }));
        }
        Some(Fields { reader: self, found })
    }

    fn twice(&mut self, token: &str) {
        self.at(token, |reader| {
            let message = format!("the key `{}` stands here twice", short(token));
            reader.issue("duplicate-key", message, |issue| issue.expected("one of them"));
        });
    }

    /// One of several kinds, which its name says: alone where nothing stands below it, else
    /// as the only key of an object.
    pub(super) fn kind<T: Clone>(
        &mut self,
        what: &str,
        kinds: &[(&'static str, Kind<T>)],
        tree: &Tree,
    ) -> Option<T> {
        match tree {
            Tree::Text(name) => match kinds.iter().find(|(known, _)| known == name) {
                Some((_, Kind::Bare(value))) => Some(value.clone()),
                Some((name, Kind::With(_))) => {
                    self.issue(
                        "wrong-type",
                        format!("`{name}` says nothing alone"),
                        |i| {
                            i.expected(format!("an object with a key `{name}`"))
                                .found("the name alone")
                        },
                    );
                    None
                }
                None => {
                    self.unknown_kind(what, kinds, name);
                    None
                }
            },
            Tree::Object(entries) => self.only(what, kinds, entries),
            tree => self.wrong(tree, &format!("{what}: a name or an object")),
        }
    }

    /// The kind that the only key of an object names.
    fn only<T: Clone>(
        &mut self,
        what: &str,
        kinds: &[(&'static str, Kind<T>)],
        entries: &[(String, Tree)],
    ) -> Option<T> {
        let known = |key: &str| kinds.iter().find(|(name, _)| *name == key);
        let read = |reader: &mut Reader, key: &str, kind: &Kind<T>, value: &Tree| {
            reader.at(key, |reader| match (kind, value) {
                (Kind::Bare(bare), Tree::Null) => Some(bare.clone()),
                (Kind::Bare(_), value) => reader.wrong(value, "the name alone"),
                (Kind::With(read), value) => read(reader, value),
            })
        };
        if let [(key, value)] = entries {
            if let Some((_, kind)) = known(key) {
                return read(self, key, kind, value);
            }
            let meant = self
                .at(key, |reader| reader.unknown_kind(what, kinds, key))
                .and_then(known);
            if let Some((_, kind)) = meant {
                read(self, key, kind, value);
            }
            return None;
        }
        let keys = || {
            let keys: Vec<&str> = entries.iter().map(|(key, _)| &**key).collect();
            if keys.is_empty() { "no key".to_owned() } else { names(&keys, "and") }
        };
        match entries.iter().filter(|(key, _)| known(key).is_some()).count() {
            0 => self.issue("unknown-kind", format!("no key names {what}"), |issue| {
                issue.expected(names_of(kinds)).found(keys())
            }),
            _ => {
                let message = format!("{what} has one key, which names its kind");
                self.issue("too-many-keys", message, |issue| {
                    issue.expected("one key").found(keys())
                });
            }
        }
        for (key, value) in entries {
            if let Some((_, kind)) = known(key) {
                read(self, key, kind, value);
            }
        }
        None
    }

    /// Notes that there is no such kind, and gives the one that may have been meant.
    fn unknown_kind<T>(
        &mut self,
        what: &str,
        kinds: &[(&'static str, Kind<T>)],
        name: &str,
    ) -> Option<&'static str> {
        if self.is_full() {
            self.n_more += 1;
            return None;
        }
        let known = kinds.iter().map(|(name, _)| *name);
        let message = format!("`{}` does not name {what}", short(name));
        let found = format!("`{}`", short(name));
        // What is close to it says the contrary.
        if NEGATIVE.contains(&name) {
            self.issue("unknown-kind", message, |issue| {
                issue.expected("its positive form in a rule `not`").found(found)
            });
            return None;
        }
        let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == name);
        let foreign = foreign.map(|(_, ours)| *ours);
        let meant = known
            .clone()
            .find(|known| foreign == Some(*known))
            .or_else(|| nearest(name, known));
        self.issue("unknown-kind", message, |issue| {
            issue.expected(names_of(kinds)).found(found).suggest(meant.map(str::to_owned))
        });
        meant
    }

    pub(super) fn list<T>(
        &mut self,
        tree: &Tree,
        mut read: impl FnMut(&mut Reader, &Tree) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Tree::List(items) = tree else { return self.wrong(tree, "a list") };
        let mut list = Some(Vec::new());
        for (i, item) in items.iter().enumerate() {
            match (self.at(i, |reader| read(reader, item)), &mut list) {
                (Some(item), Some(list)) => list.push(item),
                _ => list = None,
            }
        }
        list
    }

    pub(super) fn text(&mut self, tree: &Tree) -> Option<String> {
        match tree {
            Tree::Text(text) => Some(text.clone()),
            tree => self.wrong(tree, "a text"),
        }
    }

    pub(super) fn texts(&mut self, tree: &Tree) -> Option<Vec<String>> {
        self.list(tree, Reader::text)
    }

    pub(super) fn flag(&mut self, tree: &Tree) -> Option<bool> {
        match tree {
            Tree::Flag(flag) => Some(*flag),
            tree => self.wrong(tree, "true or false"),
        }
    }

    pub(super) fn number(&mut self, tree: &Tree) -> Option<f64> {
        match tree {
            Tree::Number(x) => Some(x.value()),
            tree => self.wrong(tree, "a number"),
        }
    }

    /// A whole number that is written as such: `3` and not `3.0`.
    pub(super) fn whole<T: TryFrom<u64>>(&mut self, tree: &Tree) -> Option<T> {
        let whole = match tree {
            Tree::Number(Number::Unsigned(x)) => T::try_from(*x).ok(),
            _ => None,
        };
        if whole.is_none() {
            let bits = (8 * size_of::<T>()).min(64) as u32;
            let most = u64::MAX >> (64 - bits);
            return self.wrong(tree, &format!("a whole number from 0 to {most}"));
        }
        whole
    }

    pub(super) fn span(&mut self, tree: &Tree) -> Option<Span> {
        let text = match tree {
            Tree::Text(text) => text,
            tree => return self.wrong(tree, "a length of time as a text such as `90d`"),
        };
        let span = text.parse().ok();
        if span.is_none() {
            self.issue("bad-span", "this is no length of time", |issue| {
                issue
                    .expected("one as 90d, 2w, 36h, 15m, 30s or 500ms")
                    .found(format!("`{}`", short(text)))
            });
        }
        span
    }
}

impl Fields<'_, '_> {
    fn find(&self, key: &str) -> Option<Field<'_>> {
        self.found.iter().find(|field| field.key == key).copied()
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader, &Tree) -> Option<T>,
    ) -> Option<Option<T>> {
        let Field { token, value, .. } =
            *self.found.iter().find(|field| field.key == key)?;
        Some(self.reader.at(token, |reader| read(reader, value)))
    }

    /// A field that must be there.
    pub(super) fn need<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader, &Tree) -> Option<T>,
    ) -> Option<T> {
        let field = self.read(key, read);
        if field.is_none() {
            let message = format!("the key `{key}` is missing");
            self.reader.issue("missing-key", message, |issue| issue);
        }
        field.flatten()
    }

    /// A field that may be missing or `null`. `None` only after a fault.
    pub(super) fn may<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader, &Tree) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.find(key) {
            None | Some(Field { value: Tree::Null, .. }) => Some(None),
            Some(_) => self.read(key, read)?.map(Some),
        }
    }

    /// A field that may be missing.
    pub(super) fn or_default<T: Default>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader, &Tree) -> Option<T>,
    ) -> Option<T> {
        self.read(key, read).unwrap_or_else(|| Some(T::default()))
    }
}

/// Names that are written elsewhere, and here otherwise.
const FOREIGN: [(&str, &str); 4] =
    [("and", "all"), ("or", "any"), ("gte", "ge"), ("lte", "le")];

/// Names of tests that are denied, which there are none of.
const NEGATIVE: [&str; 6] = ["ne", "neq", "nin", "not_in", "not_eq", "not_between"];

fn nearest(
    name: &str,
    candidates: impl Iterator<Item = &'static str> + Clone,
) -> Option<&'static str> {
    let near = similar_names(name, candidates.clone()).into_iter().next()?;
    candidates.into_iter().find(|candidate| *candidate == near)
}

fn names_of<T>(kinds: &[(&'static str, Kind<T>)]) -> String {
    let list: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    let quoted: Vec<String> = list.iter().map(|name| format!("`{name}`")).collect();
    format!("one of {}", quoted.join(", "))
}

/// Some names, in words.
fn names(list: &[&str], word: &str) -> String {
    let quoted: Vec<String> =
        list.iter().take(MOST_NAMES).map(|name| format!("`{}`", short(name))).collect();
    match &quoted[..] {
        [] => String::new(),
        _ if list.len() > MOST_NAMES => format!("{}, …", quoted.join(", ")),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

fn describe(tree: &Tree) -> String {
    match tree {
        Tree::Null => "`null`".to_owned(),
        Tree::Flag(flag) => format!("`{flag}`"),
        Tree::Number(x) => format!("the number {x}"),
        Tree::Text(text) => format!("the text `{}`", short(text)),
        Tree::List(_) => "a list".to_owned(),
        Tree::Object(_) | Tree::TooDeep => "an object".to_owned(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
