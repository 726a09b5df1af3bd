//! Hashes of definitions, which stay the same for ever.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value as Document};

use super::ast::Rule;
use super::book::RuleBook;
use super::points::{PointsFor, PointsModel, PointsPart};
use super::score::ScoreRule;
use super::set::RuleSet;
use super::text::Counted;
use super::window::End;
use crate::error::{Error, ErrorKind, Result};
use crate::fnv::Fnv;

/// A hash of what a rule says: 64 bits, written as 16 hexadecimal digits.
///
/// Rules of one digest give the same answers; rules that can give different ones have
/// different digests, but for the one in 2^64 that any hash of 64 bits confuses. It is no
/// protection against forgery. It depends on the rule alone, not on a schema, and never
/// changes from release to release, so that hosts may store it.
///
/// ```
/// use segmenta::rules::Rule;
///
/// let a: Rule = "orders >= 3 and not (not country in ('AT', 'DE'))".parse()?;
/// let b: Rule = "country in ('DE', 'AT', 'DE') and orders >= 3".parse()?;
/// assert_eq!(a.digest(), b.digest());
/// assert_eq!(a.digest().to_string(), "85edb80e7b0d2a4d");
/// assert_ne!(a.digest(), "orders >= 4 and country in ('AT', 'DE')".parse::<Rule>()?.digest());
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # What is hashed
/// FNV-1a of 64 bits (Fowler, Noll & Vo 1991) over the rule's JSON in this form:
///
/// | what | form |
/// |---|---|
/// | text | its length in bytes, `:`, its bytes |
/// | `true`, `false`, `null` | `t`, `f`, `n` |
/// | whole number up to 2^53, or written as an integer | `i`, its digits, `;` (-0 is 0) |
/// | other number | `x`, and its 64 bits (IEEE 754) as 16 hexadecimal digits |
/// | list | `[`, its items, `]` |
/// | list of `in`, `has_any`, `has_all`, and of the states of a consent | `(`, its different items in the order of their bytes, `)` |
/// | object | `{`, names and values in the order of the names' bytes, `}` |
///
/// Rules are objects, where
///
/// - the parts of `all` and of `any` are a list of the second sort: they are those of a part
///   of the same kind, and a rule of a single part is that part;
/// - the parts of `at_least` are `<`, the parts in the order of their bytes, `>`: one that is
///   there twice counts twice;
/// - a `not` in a `not` is what it denies;
/// - a reference is `{7:segment`, the digits of the other rule's digest as a text, `}`, where
///   the other rule is known: in a set. The version that it must have does not count, for it
///   changes nobody's membership;
/// - a test of a score of the set names it by the digest of what it is made of, whose form is
///   `{3:cap`, the limit, `5:parts<`, its parts without their names in the order of their bytes,
///   `>}`;
/// - the rest of a set is `{4:rest`, the digests of the rules as a list of the second sort,
///   `}`.
///
/// Instants at the ends of a window are written in UTC. Beyond that, rules that say the same
/// in other words (`in` of one value and `eq`) have different digests. A rule with a number
/// that is not finite, and one of more than 128 levels, which no schema accepts, has the digest
/// of its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleDigest(u64);

/// A test in a rule, as [`Rule::leaves`] gives it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RuleLeaf<'r> {
    /// JSON pointer (RFC 6901) to the test in the rule; empty where the rule is the test.
    pub path: String,
    /// The test.
    pub rule: &'r Rule,
    /// Its digest.
    pub digest: RuleDigest,
}

impl Rule {
    /// A hash of what the rule says, however it is written, see [`RuleDigest`]. References
    /// to segments are told apart by their ids; see [`RuleSet::digests`].
    #[must_use]
    pub fn digest(&self) -> RuleDigest {
        Forms { others: &BTreeMap::new(), scores: &BTreeMap::new() }.digest(self)
    }

    /// The tests in the rule, in their order, without the structure around them: what is
    /// kept for the sake of a test (counts of events, say) can be kept under its digest,
    /// whatever the rules are that it stands in. References to segments are no tests.
    ///
    /// ```
    /// use segmenta::rules::Rule;
    ///
    /// let rule: Rule = "orders >= 3 and not events(visit) in last 30d".parse()?;
    /// let leaves = rule.leaves();
    /// assert_eq!(leaves[1].path, "/all/1/not");
    /// let visits: Rule = "events(visit) in last 30d".parse()?;
    /// assert_eq!(leaves[1].digest, visits.digest());
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn leaves(&self) -> Vec<RuleLeaf<'_>> {
        let mut open = vec![(String::new(), self)];
        let mut leaves = Vec::new();
        while let Some((path, rule)) = open.pop() {
            let (key, parts) = match rule {
                Rule::All(parts) => ("all", parts),
                Rule::Any(parts) => ("any", parts),
                Rule::AtLeast { of, .. } => ("at_least/of", of),
                Rule::Not(part) => {
                    open.push((path + "/not", part));
                    continue;
                }
                rule => {
                    if rule.n_tests() > 0 {
                        leaves.push(RuleLeaf { path, rule, digest: rule.digest() });
                    }
                    continue;
                }
            };
            let parts = parts.iter().enumerate().rev();
            open.extend(parts.map(|(i, part)| (format!("{path}/{key}/{i}"), part)));
        }
        leaves
    }
}

impl RuleSet {
    /// The digest of each segment, in their order, then that of the rest if there is one.
    ///
    /// A reference to a segment stands for what that segment says, whatever its id: so an
    /// edit shows in all that refer to it, and that of any rule in the rest. Names and ids
    /// do not matter. A rule with a reference that cannot be followed (no segment has the id,
    /// or it leads in a circle, or through more than 64 others) has the digest that it has
    /// alone; such a set cannot be compiled.
    ///
    /// ```
    /// use segmenta::rules::{RuleSet, field, segment};
    ///
    /// let set = |spent: f64| {
    ///     RuleSet::new()
    ///         .segment("vip", "Very important", field("spent").ge(spent))
    ///         .segment("lost", "Lost", segment("vip") & field("orders").eq(0))
    ///         .segment("young", "Young", field("age").lt(30))
    /// };
    /// let (before, after) = (set(100.0).digests(), set(200.0).digests());
    /// assert_ne!(before[1], after[1]);
    /// assert_eq!(before[2], after[2]);
    /// ```
    #[must_use]
    pub fn digests(&self) -> Vec<RuleDigest> {
        let mut digests = self.digests_with(&[]);
        if self.rest.is_some() {
            let rules = digests.iter().map(|digest| text(&digest.to_string())).collect();
            digests.push(RuleDigest::of(&format!("{{{}{}}}", text("rest"), set(rules))));
        }
        digests
    }

    /// The digest of each segment with a rule, then those of more rules that may refer to them.
    pub(super) fn digests_with(&self, more: &[&Rule]) -> Vec<RuleDigest> {
        let scores = self.score_digests();
        let named = self.segments.iter().map(|s| (Some(s.id.as_str()), &s.rule));
        let rules: Vec<(Option<&str>, &Rule)> =
            named.chain(more.iter().map(|rule| (None, *rule))).collect();
        let mut others = BTreeMap::new();
        let mut digests: Vec<Option<RuleDigest>> = vec![None; rules.len()];
        // Each round knows those that refer to what the rounds before knew.
        for _ in 0..=super::references::MAX_DEPTH {
            let mut found = Vec::new();
            for ((id, rule), digest) in rules.iter().zip(&mut digests) {
                let mut is_known = digest.is_none();
                super::references::visit(rule, &mut |id| {
                    is_known &= others.contains_key(id.as_str());
                });
                if is_known {
                    let known = Forms { others: &others, scores: &scores }.digest(rule);
                    *digest = Some(known);
                    found.push((*id, known));
                }
            }
            if found.is_empty() {
                break;
            }
            for (id, digest) in found {
                if let Some(id) = id {
                    others.entry(id).or_insert(digest);
                }
            }
        }
        let rules = rules.into_iter().zip(digests);
        rules.map(|((_, rule), digest)| digest.unwrap_or_else(|| rule.digest())).collect()
    }

    /// The digest of each segment's rule, where references are told apart by their ids and scores
    /// by what they say.
    pub(super) fn digests_of_rules(&self) -> Vec<RuleDigest> {
        let scores = self.score_digests();
        let forms = Forms { others: &BTreeMap::new(), scores: &scores };
        self.segments.iter().map(|segment| forms.digest(&segment.rule)).collect()
    }
}

impl RuleSet {
    /// What each score says: the names of its parts do not matter, nor does their order.
    pub(super) fn score_digests(&self) -> BTreeMap<&str, RuleDigest> {
        let mut digests = BTreeMap::new();
        for ScoreRule { id, points } in &self.scores {
            let forms = Forms { others: &BTreeMap::new(), scores: &BTreeMap::new() };
            let digest = match serde_json::to_value(points) {
                Ok(document) => RuleDigest::of(&forms.points(&document)),
                Err(_) => RuleDigest::of(&written(points)),
            };
            digests.entry(id.as_str()).or_insert(digest);
        }
        digests
    }
}

impl RuleBook {
    /// The digest of each segment, in their order, the rest included; see
    /// [`RuleSet::digests`].
    #[must_use]
    pub fn digests(&self) -> Vec<RuleDigest> {
        self.definition().digests()
    }
}

impl RuleDigest {
    fn of(form: &str) -> RuleDigest {
        let mut hash = Fnv::new();
        hash.feed(form.as_bytes());
        RuleDigest(hash.finish())
    }

    /// The 64 bits.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RuleDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:016x}", self.0))
    }
}

impl fmt::Debug for RuleDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleDigest({self})")
    }
}

impl FromStr for RuleDigest {
    type Err = Error;

    fn from_str(digits: &str) -> Result<RuleDigest> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let read = (digits.len() == 16 && digits.bytes().all(is_digit))
            .then(|| u64::from_str_radix(digits, 16).ok());
        read.flatten().map(RuleDigest).ok_or_else(|| {
            ErrorKind::Value {
                expected: "a digest of 16 hexadecimal digits in lower case".into(),
                found: digits.chars().take(40).collect(),
                row: None,
            }
            .into()
        })
    }
}

impl Serialize for RuleDigest {
    fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RuleDigest {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<RuleDigest, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Writes forms, where other segments are known by their ids.
struct Forms<'a> {
    others: &'a BTreeMap<&'a str, RuleDigest>,
    scores: &'a BTreeMap<&'a str, RuleDigest>,
}

/// The form of a rule, and what its kind is.
struct Form {
    kind: Kind,
    text: String,
}

enum Kind {
    All(Vec<Form>),
    Any(Vec<Form>),
    Not(Box<Form>),
    Other,
}

impl Forms<'_> {
    fn digest(&self, rule: &Rule) -> RuleDigest {
        match serde_json::to_value(rule) {
            Ok(document) => RuleDigest::of(&self.rule(&document).text),
            Err(_) => RuleDigest::of(&rule.to_string()),
        }
    }

    fn rule(&self, rule: &Document) -> Form {
        let other = |text| Form { kind: Kind::Other, text };
        match only(rule) {
            Some(("all", Document::Array(parts))) => self.parts("all", parts),
            Some(("any", Document::Array(parts))) => self.parts("any", parts),
            Some(("at_least", Document::Object(fields))) => {
                let mut parts: Vec<String> = match fields.get("of") {
                    Some(Document::Array(of)) => {
                        of.iter().map(|part| self.rule(part).text).collect()
                    }
                    _ => Vec::new(),
                };
                parts.sort_unstable();
                let n = self.plain(fields.get("n").unwrap_or(&Document::Null));
                let [key, name, of] = ["at_least", "n", "of"].map(text);
                let parts = parts.concat();
                other(format!("{{{key}{{{name}{n}{of}<{parts}>}}}}"))
            }
            Some(("not", part)) => match self.rule(part) {
                Form { kind: Kind::Not(denied), .. } => *denied,
                part => {
                    let text = format!("{{{}{}}}", text("not"), part.text);
                    Form { kind: Kind::Not(Box::new(part)), text }
                }
            },
            Some(("segment", reference)) => {
                let id = reference.get("id").and_then(Document::as_str);
                let digest = id.and_then(|id| self.others.get(id));
                let other_rule = match (digest, id) {
                    (Some(digest), _) => text(&digest.to_string()),
                    (None, Some(id)) => format!("{{{}{}}}", text("id"), text(id)),
                    (None, None) => self.plain(reference),
                };
                other(format!("{{{}{other_rule}}}", text("segment")))
            }
            Some(("score", test)) => {
                let id = test.get("id").and_then(Document::as_str);
                let Some(digest) = id.and_then(|id| self.scores.get(id)) else {
                    return other(self.plain(rule));
                };
                let is = self.plain(test.get("is").unwrap_or(&Document::Null));
                let [score, id, name] = ["score", "id", "is"].map(text);
                let digest = text(&digest.to_string());
                other(format!("{{{score}{{{id}{digest}{name}{is}}}}}"))
            }
            _ => other(self.plain(rule)),
        }
    }

    /// The parts of `all` or `any`.
    fn parts(&self, key: &str, parts: &[Document]) -> Form {
        let mut forms = Vec::new();
        for part in parts {
            match (self.rule(part), key) {
                (Form { kind: Kind::All(parts), .. }, "all")
                | (Form { kind: Kind::Any(parts), .. }, "any") => forms.extend(parts),
                (part, _) => forms.push(part),
            }
        }
        forms.sort_by(|a, b| a.text.cmp(&b.text));
        forms.dedup_by(|a, b| a.text == b.text);
        if forms.len() == 1
            && let Some(form) = forms.pop()
        {
            return form;
        }
        let inner: String = forms.iter().map(|form| &*form.text).collect();
        let text = format!("{{{}({inner})}}", text(key));
        let kind = if key == "all" { Kind::All(forms) } else { Kind::Any(forms) };
        Form { kind, text }
    }

    /// A score.
    fn points(&self, points: &Document) -> String {
        let part = |part: &Document| {
            let Document::Object(fields) = part else { return self.plain(part) };
            let mut fields: Vec<(&String, &Document)> =
                fields.iter().filter(|(name, _)| *name != "name").collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            let field = |(name, value): (&String, &Document)| match only(value) {
                Some(("rule", rule)) if name == "for" => {
                    format!("{}{{{}{}}}", text(name), text("rule"), self.rule(rule).text)
                }
                _ => format!("{}{}", text(name), self.field(name, value)),
            };
            format!("{{{}}}", fields.into_iter().map(field).collect::<String>())
        };
        let mut parts: Vec<String> = match points.get("parts") {
            Some(Document::Array(parts)) => parts.iter().map(part).collect(),
            _ => Vec::new(),
        };
        parts.sort_unstable();
        let cap = self.plain(points.get("cap").unwrap_or(&Document::Null));
        format!("{{{}{cap}{}<{}>}}", text("cap"), text("parts"), parts.concat())
    }

    /// What is no rule, or a rule that is a test.
    fn plain(&self, document: &Document) -> String {
        match document {
            Document::Null => "n".to_owned(),
            Document::Bool(true) => "t".to_owned(),
            Document::Bool(false) => "f".to_owned(),
            Document::Number(x) => number(x),
            Document::String(x) => text(x),
            Document::Array(items) => {
                let items: String = items.iter().map(|item| self.plain(item)).collect();
                format!("[{items}]")
            }
            Document::Object(fields) => {
                let mut fields: Vec<(&String, &Document)> = fields.iter().collect();
                fields.sort_unstable_by_key(|(name, _)| *name);
                let field = |(name, value): (&String, &Document)| {
                    format!("{}{}", text(name), self.field(name, value))
                };
                let fields: String = fields.into_iter().map(field).collect();
                format!("{{{fields}}}")
            }
        }
    }

    /// A value by its name. The names are those that the definition of rules has, never
    /// those of a host.
    fn field(&self, name: &str, value: &Document) -> String {
        match (name, value) {
            ("where", rule) => self.rule(rule).text,
            ("in" | "has_any" | "has_all" | "is", Document::Array(items)) => {
                set(items.iter().map(|item| self.plain(item)).collect())
            }
            ("from" | "to", Document::String(end)) => match End::read(end) {
                Some(End::Instant(at)) => text(&at.to_string()),
                _ => text(end),
            },
            (_, value) => self.plain(value),
        }
    }
}

/// A score that has no JSON: with numbers that are not finite, or rules that are too deep.
fn written(points: &PointsModel) -> String {
    let part = |part: &PointsPart| {
        let PointsPart { name: _, points, given_for, cap, half_life, every } = part;
        let given_for = match given_for {
            PointsFor::Rule(rule) => rule.to_string(),
            PointsFor::Events { name, filter, window } => {
                let filter = filter.as_deref();
                Counted { name, filter, window, is_short: false }.to_string()
            }
        };
        text(&format!("{points:?} {cap:?} {half_life:?} {every:?} {given_for}"))
    };
    let mut parts: Vec<String> = points.parts.iter().map(part).collect();
    parts.sort_unstable();
    format!("{:?} {}", points.cap, parts.concat())
}

/// The form of what belongs to a definition.
pub(super) fn form(document: &Document) -> String {
    Forms { others: &BTreeMap::new(), scores: &BTreeMap::new() }.plain(document)
}

/// The only field of an object.
fn only(document: &Document) -> Option<(&str, &Document)> {
    let fields = document.as_object().filter(|fields| fields.len() == 1)?;
    fields.iter().next().map(|(name, value)| (name.as_str(), value))
}

fn text(text: &str) -> String {
    format!("{}:{text}", text.len())
}

/// A list whose order and repetitions do not matter.
fn set(mut items: Vec<String>) -> String {
    items.sort_unstable();
    items.dedup();
    format!("({})", items.concat())
}

fn number(number: &Number) -> String {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.is_u64() || number.is_i64() {
        return format!("i{number};");
    }
    match number.as_f64().unwrap_or(0.0) {
        x if x.fract() == 0.0 && x.abs() <= EXACT => format!("i{};", x as i64),
        x => format!("x{:016x}", x.to_bits()),
    }
}
