//! Opens a file or the standard input, and looks through gzip.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;

use super::{Failure, file_name};

const BUFFER: usize = 1 << 16;

/// Kinds of files that are known to hold no text lines: first bytes, name, way out.
const REFUSED: [(&[u8], &str, &str); 7] = [
    (
        b"PK\x03\x04",
        "a spreadsheet or zip archive",
        "save the sheet as CSV, or unpack it",
    ),
    (b"\xD0\xCF\x11\xE0", "an old spreadsheet (xls)", "save the sheet as CSV"),
    (b"\xFF\xFE", "UTF-16 text", "save it as UTF-8"),
    (b"\xFE\xFF", "UTF-16 text", "save it as UTF-8"),
    (b"\x28\xB5\x2F\xFD", "compressed by zstd", "unpack it first: gzip is read as it is"),
    (b"\xFD7zX", "compressed by xz", "unpack it first: gzip is read as it is"),
    (b"\x1F\x8B", "compressed by gzip twice", "unpack it once"),
];

/// The text of a file, and how much of the file has been read.
pub(crate) struct Input<'a> {
    pub(crate) text: Box<dyn BufRead + 'a>,
    /// Bytes taken from the file so far, before decompression.
    pub(crate) taken: Rc<Cell<u64>>,
    /// The file's length; unknown for the standard input.
    pub(crate) length: Option<u64>,
}

impl<'a> Input<'a> {
    /// Opens `path`, or takes `stdin` where the path is `-`.
    pub(crate) fn open(
        path: &Path,
        stdin: &'a mut dyn Read,
    ) -> Result<Input<'a>, Failure> {
        let name = file_name(path);
        if path.as_os_str() == "-" {
            return Input::new(stdin, None).map_err(|e| Failure::input(name, e));
        }
        let file = File::open(path).map_err(|e| Failure::input(&name, e))?;
        let length = file.metadata().ok().map(|m| m.len());
        Input::new(file, length).map_err(|e| Failure::input(name, e))
    }

    fn new(source: impl Read + 'a, length: Option<u64>) -> io::Result<Input<'a>> {
        let taken = Rc::new(Cell::new(0));
        let counted = Counted { source, taken: Rc::clone(&taken) };
        let (start, source) = peek(counted)?;
        let text: Box<dyn BufRead + 'a> = if start.starts_with(b"\x1F\x8B") {
            let (start, source) = peek(MultiGzDecoder::new(source))?;
            plain_text(&start, source)?
        } else {
            plain_text(&start, source)?
        };
        Ok(Input { text, taken, length })
    }
}

/// The first bytes, whatever the size of the source's reads, and the whole source.
fn peek<'a>(mut source: impl Read + 'a) -> io::Result<(Vec<u8>, impl BufRead + 'a)> {
    let mut start = Vec::new();
    source.by_ref().take(4).read_to_end(&mut start)?;
    let whole = Cursor::new(start.clone()).chain(source);
    Ok((start, BufReader::with_capacity(BUFFER, whole)))
}

fn plain_text<'a>(
    start: &[u8],
    mut source: impl BufRead + 'a,
) -> io::Result<Box<dyn BufRead + 'a>> {
    if let Some((_, what, advice)) = REFUSED.iter().find(|r| start.starts_with(r.0)) {
        return Err(io::Error::other(format!("it is {what}: {advice}")));
    }
    if start.starts_with(b"\xEF\xBB\xBF") {
        // The byte-order mark of UTF-8 is no part of the first name.
        source.read_exact(&mut [0; 3])?;
    }
    Ok(Box::new(source))
}

/// Counts the bytes that pass.
struct Counted<R> {
    source: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.taken.set(self.taken.get() + n as u64);
        Ok(n)
    }
}
