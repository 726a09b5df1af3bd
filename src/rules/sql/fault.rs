//! What cannot be said in SQL, each with its place.

use std::fmt;

use crate::error::{ErrorKind, Issue, Result};

/// Faults that are described; those beyond are counted.
const MAX_ISSUES: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Faults {
    issues: Vec<Issue>,
    n_more: usize,
    /// JSON pointer to the place that is being written.
    path: String,
    /// The segment whose rule is being written.
    segment: Option<String>,
}

impl Faults {
    /// Does `work` on the rule of a segment.
    pub(super) fn of_segment(&mut self, id: &str, path: String) {
        self.segment = Some(id.to_owned());
        self.path = path;
    }

    pub(super) fn enter(&mut self, token: impl fmt::Display) -> usize {
        let len = self.path.len();
        self.path.push_str(&format!("/{token}"));
        len
    }

    pub(super) fn leave(&mut self, len: usize) {
        self.path.truncate(len);
    }

    pub(super) fn add(
        &mut self,
        code: &str,
        message: impl fmt::Display,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        if self.issues.len() == MAX_ISSUES {
            self.n_more += 1;
            return;
        }
        let message = match &self.segment {
            Some(id) => format!("segment `{id}`: {message}"),
            None => message.to_string(),
        };
        let issue = Issue::new(code, self.path.clone(), message);
        self.issues.push(issue.expected(expected).found(found));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.issues.is_empty()
    }

    pub(super) fn finish<T>(mut self, value: T) -> Result<T> {
        if self.issues.is_empty() {
            return Ok(value);
        }
        if self.n_more > 0 {
            let message = format!("{} more faults are not listed", self.n_more);
            self.issues.push(Issue::new("too-many-issues", "", message));
        }
        let what = "the rules as SQL".into();
        Err(ErrorKind::Definition { what, issues: self.issues }.into())
    }
}
