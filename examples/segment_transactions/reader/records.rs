//! Joins lines into records, and starts again after a quote that never closes.

use std::io::{self, BufRead};

use super::fields::{Separator, Split, Splitter};
use super::lines::{Line, Lines};

/// Lines that a record may have. A quote that is still open then is a fault of its
/// line, and reading goes on with the line after it.
const MOST_LINES: usize = 100;
const MOST_BYTES: usize = 1 << 20;

/// How many fields a record must have. Empty fields at the end do not count, since
/// programs disagree about writing them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Width {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

impl Width {
    pub(crate) fn holds(&self, record: &Splitter) -> bool {
        record.len() >= self.least
            && (self.most..record.len()).all(|i| record.field(i).is_empty())
    }
}

/// What was found next.
pub(crate) enum Found {
    /// A record, which [`Records::fields`] holds.
    Record,
    /// A line without a record: it was cut.
    TooLong,
    /// A line without a record: its quote does not close.
    OpenQuote,
    /// The end of the text.
    End,
}

/// The records of a text. Blank lines are passed over.
pub(crate) struct Records<R> {
    lines: Lines<R>,
    splitter: Splitter,
    line: Line,
    /// Number of the line on which the record starts.
    number: usize,
}

impl<R: BufRead> Records<R> {
    pub(crate) fn new(lines: Lines<R>, separator: Separator) -> Records<R> {
        let splitter = Splitter::new(separator);
        Records { lines, splitter, line: Line::default(), number: 0 }
    }

    pub(crate) fn fields(&self) -> &Splitter {
        &self.splitter
    }

    /// Number of the line on which the record starts, from 1.
    pub(crate) fn line_number(&self) -> usize {
        self.number
    }

    /// Reads the next record. A record of several lines that has not the expected
    /// `width`, or in which a quote closes amid text, is taken for an open quote, since
    /// that is what joins foreign lines.
    pub(crate) fn advance(&mut self, width: Option<Width>) -> io::Result<Found> {
        loop {
            if !self.lines.next_into(&mut self.line)? {
                return Ok(Found::End);
            }
            self.number = self.lines.number();
            if self.line.cut {
                return Ok(Found::TooLong);
            }
            if !self.line.text.trim_ascii().is_empty() {
                break;
            }
        }
        self.splitter.clear();
        match self.splitter.push(&self.line.text) {
            Split::Complete => Ok(Found::Record),
            Split::Open => self.join(width),
        }
    }

    fn join(&mut self, width: Option<Width>) -> io::Result<Found> {
        let mut joined: Vec<Line> = Vec::new();
        let mut n_bytes = self.line.text.len();
        while joined.len() < MOST_LINES && n_bytes < MOST_BYTES {
            let mut line = Line::default();
            if !self.lines.next_into(&mut line)? {
                break;
            }
            n_bytes += line.text.len();
            let broken = line.cut || !self.splitter.closes_properly(&line.text);
            let complete = !broken && self.splitter.push(&line.text) == Split::Complete;
            joined.push(line);
            if complete && width.is_none_or(|width| width.holds(&self.splitter)) {
                return Ok(Found::Record);
            }
            if complete || broken {
                break;
            }
        }
        self.lines.hand_back(joined);
        Ok(Found::OpenQuote)
    }
}
