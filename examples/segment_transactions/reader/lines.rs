//! Numbered lines of bounded length, which can be handed back.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

/// Bytes that a line may have. The rest of a longer one is read and forgotten.
pub(crate) const LONGEST_LINE: usize = 1 << 20;

/// One line, without its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) text: Vec<u8>,
    /// The line went on beyond [`LONGEST_LINE`].
    pub(crate) cut: bool,
}

/// The lines of a text. Lines end with `\n` or `\r\n`.
pub(crate) struct Lines<R> {
    source: R,
    /// Lines that were handed back, to be given again before the source's.
    returned: VecDeque<Line>,
    /// Number of the line given last, from 1.
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(source: R) -> Lines<R> {
        Lines { source, returned: VecDeque::new(), number: 0 }
    }

    /// Number of the line given last, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Replaces `line` by the next one; false at the end of the text.
    pub(crate) fn next_into(&mut self, line: &mut Line) -> io::Result<bool> {
        if let Some(returned) = self.returned.pop_front() {
            *line = returned;
            self.number += 1;
            return Ok(true);
        }
        line.text.clear();
        line.cut = false;
        let limit = LONGEST_LINE as u64 + 2;
        if self.source.by_ref().take(limit).read_until(b'\n', &mut line.text)? == 0 {
            return Ok(false);
        }
        if line.text.last() == Some(&b'\n') {
            line.text.pop();
            if line.text.last() == Some(&b'\r') {
                line.text.pop();
            }
        } else if line.text.len() > LONGEST_LINE {
            self.skip_line()?;
        }
        if line.text.len() > LONGEST_LINE {
            line.text.truncate(LONGEST_LINE);
            line.cut = true;
        }
        self.number += 1;
        Ok(true)
    }

    /// Hands back the lines given last, in the order in which they came.
    pub(crate) fn hand_back(&mut self, lines: Vec<Line>) {
        self.number -= lines.len();
        for line in lines.into_iter().rev() {
            self.returned.push_front(line);
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.source.fill_buf()?;
            let end = buffer.iter().position(|&b| b == b'\n');
            let n = end.map_or(buffer.len(), |end| end + 1);
            let done = end.is_some() || buffer.is_empty();
            self.source.consume(n);
            if done {
                return Ok(());
            }
        }
    }
}
