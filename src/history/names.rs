//! Texts as small codes, in order of their first use.

use std::hash::{DefaultHasher, Hasher};

use crate::error::{Error, Result};

/// An append-only dictionary: one buffer of text, and an open-addressing table of codes.
///
/// Codes are only names for equal texts: nothing that is given out depends on the hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    text: String,
    /// Where each text ends in `text`.
    ends: Vec<usize>,
    /// Codes + 1 at their hash's place or after it; 0 is free. Its length is 0 or a power
    /// of two above twice the number of texts.
    table: Vec<u32>,
    /// The last code given: lines of one order mostly follow each other.
    last: u32,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a code that was given before.
    pub(super) fn get(&self, code: u64) -> &str {
        let code = code as usize;
        let from = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.text[from..self.ends[code]]
    }

    pub(super) fn code(&mut self, name: &str) -> Result<u64> {
        if !self.ends.is_empty() && self.get(self.last.into()) == name {
            return Ok(self.last.into());
        }
        if (self.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        let place = self.place(name);
        if self.table[place] == 0 {
            let code = u32::try_from(self.len()).ok().filter(|&c| c < u32::MAX);
            let Some(code) = code else {
                let limit = "at most 4294967295 in one ledger";
                return Err(Error::parameter("different texts", limit, "one more"));
            };
            self.text.push_str(name);
            self.ends.push(self.text.len());
            self.table[place] = code + 1;
        }
        self.last = self.table[place] - 1;
        Ok(self.last.into())
    }

    /// The code of a text, if it has one.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        self.table[self.place(name)].checked_sub(1)
    }

    /// The place that holds the text, or the free one where it belongs.
    fn place(&self, name: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write(name.as_bytes());
        let mask = self.table.len() - 1;
        let mut place = hasher.finish() as usize & mask;
        while self.table[place] != 0 && self.get((self.table[place] - 1).into()) != name {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        let len = (self.table.len() * 2).max(16);
        self.table.clear();
        self.table.resize(len, 0);
        for code in 0..self.len() {
            let place = self.place(self.get(code as u64));
            self.table[place] = code as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_equal_codes_and_no_others() {
        let mut names = Names::default();
        for round in 0..3 {
            for i in 0..500_u64 {
                let name = format!("{}", i * i % 1009);
                let code = names.code(&name).unwrap();
                assert_eq!(names.get(code), name, "round {round}");
            }
        }
        let different: std::collections::BTreeSet<u64> =
            (0..500).map(|i| i * i % 1009).collect();
        assert_eq!(names.len(), different.len());
        let empty = names.code("").unwrap();
        assert_eq!(names.get(empty), "");
        assert_eq!(names.find("").map(u64::from), Some(empty));
        assert_eq!((names.find("no number"), Names::default().find("")), (None, None));
        assert_eq!(names.code("").unwrap(), empty);
    }
}
