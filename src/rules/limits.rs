//! How large a rule may be.

use serde::{Deserialize, Serialize};

use super::ast::Rule;
use crate::data::Span;
use crate::error::{Error, Issue, Result};

/// How large a rule may be, so that a rule from a stranger costs little.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::{Limits, RuleSet, field};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let set = RuleSet::new().segment("some", "Some", !!!field("orders").ge(1));
/// assert!(set.compile(&schema).is_ok());
/// assert!(set.compile_with(&schema, &Limits::new().depth(3)).is_err());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    depth: usize,
    nodes: usize,
    list_len: usize,
    #[serde(default = "default_text_len")]
    text_len: usize,
    #[serde(default = "default_json_len")]
    json_len: usize,
    #[serde(default = "default_pattern_len")]
    pattern_len: usize,
    #[serde(default = "default_pattern_size")]
    pattern_size: usize,
    #[serde(default = "default_window")]
    window: Span,
    #[serde(default = "default_score_tests")]
    score_tests: usize,
}

const fn default_text_len() -> usize {
    1 << 20
}

const fn default_json_len() -> usize {
    1 << 22
}

const fn default_pattern_len() -> usize {
    1 << 10
}

const fn default_pattern_size() -> usize {
    1 << 18
}

const fn default_window() -> Span {
    Span::days(3653)
}

const fn default_score_tests() -> usize {
    200_000
}

impl Limits {
    /// The greatest depth that can be allowed. A rule of this depth, saved as a model,
    /// nests 126 levels of JSON, and readers of JSON commonly stop at 128.
    pub const MAX_DEPTH: usize = 40;

    /// Depth 32, 1000 nodes, lists of 10 000, texts of 2^20 bytes, JSON of 2^22 bytes (a
    /// thousand segments of four kilobytes), regular expressions of 2^10 bytes and of 2^18
    /// when compiled, windows of 3653 days, 200 000 parts and tests of scores.
    #[must_use]
    pub const fn new() -> Limits {
        Limits {
            depth: 32,
            nodes: 1000,
            list_len: 10_000,
            text_len: default_text_len(),
            json_len: default_json_len(),
            pattern_len: default_pattern_len(),
            pattern_size: default_pattern_size(),
            window: default_window(),
            score_tests: default_score_tests(),
        }
    }

    /// Rules inside rules, the outermost included: 1 to [`Limits::MAX_DEPTH`]. For points
    /// two levels less than the greatest depth are the most.
    #[must_use]
    pub const fn depth(mut self, depth: usize) -> Limits {
        self.depth = depth;
        self
    }

    /// Rules of one segment, at all depths together: at least 1.
    #[must_use]
    pub const fn nodes(mut self, nodes: usize) -> Limits {
        self.nodes = nodes;
        self
    }

    /// Entries of a list of values, and segments and scores of a set: at least 1.
    #[must_use]
    pub const fn list_len(mut self, list_len: usize) -> Limits {
        self.list_len = list_len;
        self
    }

    /// Bytes of a rule that is read as text: at least 1.
    #[must_use]
    pub const fn text_len(mut self, text_len: usize) -> Limits {
        self.text_len = text_len;
        self
    }

    /// Bytes of a rule, a set of segments or a score that is read as JSON: at least 1. What
    /// is read takes some fifty times as much memory at worst.
    #[must_use]
    pub const fn json_len(mut self, json_len: usize) -> Limits {
        self.json_len = json_len;
        self
    }

    /// Bytes of a regular expression as it is written: at least 1.
    #[must_use]
    pub const fn pattern_len(mut self, pattern_len: usize) -> Limits {
        self.pattern_len = pattern_len;
        self
    }

    /// Bytes of a regular expression when it is compiled, and of what it keeps while it
    /// runs, each: at least 1.
    #[must_use]
    pub const fn pattern_size(mut self, pattern_size: usize) -> Limits {
        self.pattern_size = pattern_size;
        self
    }

    /// The length of the windows over events, and of their ages: at least a millisecond.
    /// Windows between two given instants may be longer.
    #[must_use]
    pub const fn window(mut self, window: Span) -> Limits {
        self.window = window;
        self
    }

    /// Parts and tests of scores, counted once for each rule that tests a score, in all rules of
    /// a set: at least 1. Those of one rule are also bounded by [`nodes`](Limits::nodes).
    #[must_use]
    pub const fn score_tests(mut self, score_tests: usize) -> Limits {
        self.score_tests = score_tests;
        self
    }

    /// Checks the limits themselves.
    ///
    /// # Errors
    /// When one is 0, or the depth is beyond [`Limits::MAX_DEPTH`].
    pub fn validate(&self) -> Result<()> {
        if !(1..=Limits::MAX_DEPTH).contains(&self.depth) {
            let expected = format!("from 1 to {}", Limits::MAX_DEPTH);
            return Err(Error::parameter("depth", expected, self.depth));
        }
        let at_least_1 = [
            ("nodes", self.nodes),
            ("list_len", self.list_len),
            ("text_len", self.text_len),
            ("json_len", self.json_len),
            ("pattern_len", self.pattern_len),
            ("pattern_size", self.pattern_size),
            ("score_tests", self.score_tests),
            ("window", self.window.as_millis().min(1) as usize),
        ];
        for (name, value) in at_least_1 {
            if value == 0 {
                return Err(Error::parameter(name, "at least 1", value));
            }
        }
        Ok(())
    }

    pub(super) fn get_window(&self) -> Span {
        self.window
    }

    /// Of the rules of points, which stand deeper in what is written than those of segments.
    pub(super) fn of_parts(self) -> Limits {
        Limits { depth: self.depth.min(Limits::MAX_DEPTH - 2), ..self }
    }

    pub(super) fn get_score_tests(&self) -> usize {
        self.score_tests
    }

    pub(super) fn get_nodes(&self) -> usize {
        self.nodes
    }

    pub(super) fn get_pattern_len(&self) -> usize {
        self.pattern_len
    }

    pub(super) fn get_pattern_size(&self) -> usize {
        self.pattern_size
    }

    pub(super) fn get_text_len(&self) -> usize {
        self.text_len
    }

    pub(super) fn get_json_len(&self) -> usize {
        self.json_len
    }

    pub(super) fn get_list_len(&self) -> usize {
        self.list_len
    }

    /// Measures a rule of any depth, without recursion and without going far beyond the
    /// limits. What passes may be walked recursively.
    pub(super) fn check_size(&self, rule: &Rule, path: &str) -> Option<Issue> {
        let mut open = vec![(rule, 1)];
        let mut n_nodes = 0;
        while let Some((rule, depth)) = open.pop() {
            let n_steps = match rule {
                Rule::Sequence(test) => test.steps.len(),
                _ => 0,
            };
            n_nodes += 1 + n_steps;
            if n_nodes + open.len() > self.nodes {
                let issue = Issue::new("too-large", path, "the rule is too large")
                    .expected(format!("at most {} nodes", self.nodes))
                    .found("more");
                return Some(issue);
            }
            if depth > self.depth {
                let issue = Issue::new("too-deep", path, "the rule is nested too deeply")
                    .expected(format!("at most {} levels", self.depth))
                    .found("more");
                return Some(issue);
            }
            // One more than allowed is enough to be refused above.
            let enough = rule.inside().take(self.nodes.saturating_add(1));
            open.extend(enough.map(|rule| (rule, depth + 1)));
        }
        None
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::new()
    }
}
