//! Splits lines into fields, and finds out what separates them.

use std::fmt;

use csv_core::{ReadRecordResult, Terminator};

/// What stands between two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    /// One byte, as RFC 4180 has it: fields may be quoted, and quoted fields may hold
    /// separators and line ends.
    Byte(u8),
    /// Any run of blanks and tabs; those at the ends of the line do not count.
    Blanks,
}

impl Separator {
    const CANDIDATES: [Separator; 4] = [
        Separator::Byte(b','),
        Separator::Byte(b'\t'),
        Separator::Byte(b';'),
        Separator::Blanks,
    ];

    /// Reads `comma`, `tab`, `semicolon`, `blanks` or one character of punctuation.
    pub(crate) fn from_name(name: &str) -> Option<Separator> {
        match name {
            "comma" => Some(Separator::Byte(b',')),
            "tab" | "\\t" | "\t" => Some(Separator::Byte(b'\t')),
            "semicolon" => Some(Separator::Byte(b';')),
            "blanks" | " " => Some(Separator::Blanks),
            _ => match name.as_bytes() {
                [b] if b.is_ascii_punctuation() && *b != b'"' => {
                    Some(Separator::Byte(*b))
                }
                _ => None,
            },
        }
    }

    /// The separator under which the first lines look most like a table: `fits` holds
    /// for the first line, the other lines have as many fields as the first, and there
    /// are many fields. Blanks come last, since they occur within fields too.
    pub(crate) fn detect(
        sample: &[&[u8]],
        fits: impl Fn(&Splitter) -> bool,
    ) -> Separator {
        let score = |&separator: &Separator| {
            let mut splitter = Splitter::new(separator);
            let mut lines = sample.iter();
            let Some(first) = lines.next() else { return (false, false, false, 0) };
            splitter.split_alone(first);
            let (n_fields, fits) = (splitter.len(), fits(&splitter));
            let agree = lines
                .filter(|line| {
                    splitter.split_alone(line);
                    splitter.len() == n_fields
                })
                .count();
            let regular = n_fields > 1 && 10 * (agree + 1) >= 9 * sample.len();
            (fits, regular, separator != Separator::Blanks, n_fields)
        };
        // Of equals, `max_by_key` gives the last.
        let best = Separator::CANDIDATES.iter().rev().max_by_key(|&s| score(s));
        best.copied().unwrap_or(Separator::Byte(b','))
    }
}

/// Completes "separated by …".
impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Separator::Byte(b',') => f.write_str("commas"),
            Separator::Byte(b'\t') => f.write_str("tabs"),
            Separator::Byte(b';') => f.write_str("semicolons"),
            Separator::Byte(b) => write!(f, "`{}`", char::from(*b)),
            Separator::Blanks => f.write_str("blanks"),
        }
    }
}

/// Whether a record is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Complete,
    /// A quoted field goes on in the next line.
    Open,
}

/// The fields of one record, in memory that is used again for the next.
pub(crate) struct Splitter {
    separator: Separator,
    core: csv_core::Reader,
    bytes: Vec<u8>,
    n_bytes: usize,
    /// Where each field ends in `bytes`; the first `n_fields` are in use.
    ends: Vec<usize>,
    n_fields: usize,
}

impl Splitter {
    pub(crate) fn new(separator: Separator) -> Splitter {
        let mut builder = csv_core::ReaderBuilder::new();
        // A lone `\r` belongs to its field: lines have been found before.
        builder.terminator(Terminator::Any(b'\n'));
        if let Separator::Byte(byte) = separator {
            builder.delimiter(byte);
        }
        Splitter {
            separator,
            core: builder.build(),
            bytes: Vec::new(),
            n_bytes: 0,
            ends: Vec::new(),
            n_fields: 0,
        }
    }

    /// Starts a new record.
    pub(crate) fn clear(&mut self) {
        self.core.reset();
        self.n_bytes = 0;
        self.n_fields = 0;
    }

    /// Appends a line, given without its end, to the record.
    pub(crate) fn push(&mut self, line: &[u8]) -> Split {
        if self.separator == Separator::Blanks {
            self.push_blanks(line);
            return Split::Complete;
        }
        // A field takes at least its separator, and unquoting never lengthens.
        grow(&mut self.bytes, self.n_bytes + line.len() + 1);
        grow(&mut self.ends, self.n_fields + line.len() + 2);
        for mut input in [line, b"\n"] {
            while !input.is_empty() {
                let (result, n_in, n_out, n_ends) = self.core.read_record(
                    input,
                    &mut self.bytes[self.n_bytes..],
                    &mut self.ends[self.n_fields..],
                );
                input = &input[n_in..];
                self.n_bytes += n_out;
                self.n_fields += n_ends;
                match result {
                    ReadRecordResult::Record | ReadRecordResult::End => {
                        return Split::Complete;
                    }
                    ReadRecordResult::InputEmpty => {}
                    ReadRecordResult::OutputFull => {
                        let longer = 2 * self.bytes.len() + 1;
                        grow(&mut self.bytes, longer);
                    }
                    ReadRecordResult::OutputEndsFull => {
                        let longer = 2 * self.ends.len() + 1;
                        grow(&mut self.ends, longer);
                    }
                }
            }
        }
        Split::Open
    }

    /// Whether a quoted field that goes on in `line` ends there before a separator, at
    /// the end of the line, or not at all. RFC 4180 has no other way; csv-core does not
    /// insist on it.
    pub(crate) fn closes_properly(&self, line: &[u8]) -> bool {
        let mut i = 0;
        while let Some(&byte) = line.get(i) {
            match (byte, line.get(i + 1)) {
                (b'"', Some(b'"')) => i += 2,
                (b'"', _) => {
                    let rest = &line[i + 1..];
                    let blanks = rest.iter().take_while(|&&b| b == b' ').count();
                    let next = rest.get(blanks).copied().map(Separator::Byte);
                    return next.is_none_or(|next| next == self.separator);
                }
                _ => i += 1,
            }
        }
        true
    }

    /// Splits a line that is looked at alone; a field left open ends with the line.
    fn split_alone(&mut self, line: &[u8]) {
        self.clear();
        if self.push(line) == Split::Open {
            self.ends[self.n_fields] = self.n_bytes;
            self.n_fields += 1;
        }
    }

    fn push_blanks(&mut self, line: &[u8]) {
        self.bytes.truncate(self.n_bytes);
        self.ends.truncate(self.n_fields);
        let mut rest = line.trim_ascii();
        while !rest.is_empty() {
            let n = quoted(rest, &mut self.bytes).unwrap_or_else(|| {
                let n = rest.iter().position(is_blank).unwrap_or(rest.len());
                self.bytes.extend_from_slice(&rest[..n]);
                n
            });
            self.ends.push(self.bytes.len());
            rest = rest[n..].trim_ascii_start();
        }
        self.n_bytes = self.bytes.len();
        self.n_fields = self.ends.len();
    }

    /// How many fields the record has.
    pub(crate) fn len(&self) -> usize {
        self.n_fields
    }

    /// A field, without blanks at its ends; empty beyond the last.
    pub(crate) fn field(&self, i: usize) -> &[u8] {
        if i >= self.n_fields {
            return &[];
        }
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        self.bytes[start..self.ends[i]].trim_ascii()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.field(i))
    }
}

/// Copies the quoted field at the start of `text` and gives its length with quotes.
/// Where no quote closes before a blank, the first one is an ordinary character.
fn quoted(text: &[u8], bytes: &mut Vec<u8>) -> Option<usize> {
    let start = bytes.len();
    let mut i = 1;
    if text.first() != Some(&b'"') {
        return None;
    }
    while let Some(&byte) = text.get(i) {
        match (byte, text.get(i + 1)) {
            (b'"', Some(b'"')) => i += 1,
            (b'"', next) if next.is_none_or(is_blank) => return Some(i + 1),
            _ => {}
        }
        bytes.push(byte);
        i += 1;
    }
    bytes.truncate(start);
    None
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn grow<T: Clone + Default>(buffer: &mut Vec<T>, needed: usize) {
    if buffer.len() < needed {
        buffer.resize(needed, T::default());
    }
}
