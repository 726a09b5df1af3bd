//! Regular expressions in foreign definitions.

use super::reader::Reader;

/// What `LIKE` finds, without regard to case: `%` stands for any characters, `_` for one.
pub(super) fn like(pattern: &str) -> String {
    let mut regex = String::from("(?is)^");
    for c in pattern.chars() {
        match c {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    regex
}

/// One of these texts, without regard to case, somewhere.
pub(super) fn contains_any<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    format!("(?i){}", alternatives(texts))
}

/// One of these texts, without regard to case, and nothing else.
pub(super) fn equals_any<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    format!("(?i)^(?:{})$", alternatives(texts))
}

fn alternatives<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    texts.map(regex::escape).collect::<Vec<_>>().join("|")
}

impl Reader<'_> {
    /// Notes that a regular expression is written for another engine, where the two may
    /// read it in different ways.
    pub(super) fn note_pattern(&mut self, pattern: &str, engine: &str) {
        if pattern.contains(['\\', '$']) || pattern.contains("(?") {
            self.note(
                "regex-engine",
                format!(
                    "read as the crate `regex` does, where classes such as \\d are of all \
                     of Unicode; written for {engine}"
                ),
            );
        }
    }
}
