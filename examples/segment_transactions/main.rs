//! Reads a file of transactions and segments its customers.
//!
//! ```text
//! cargo run --release --example segment_transactions -- \
//!     CDNOW_master.txt --customer 1 --date 2 --amount 4
//! ```
//!
//! `args` reads the arguments, `reader` the file; `segmentation` does the work that the
//! library is for; `report` writes. The library itself
//! does no I/O: a program like this one does it.

// A program may read files and clocks, and print.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

pub(crate) mod args;
pub(crate) mod reader;
pub(crate) mod report;
mod segmentation;

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::process::ExitCode;

use segmenta::segmenter::Progress;

use self::args::{Args, Request};
use self::reader::Failure;
use self::report::{Console, Summary};

fn main() -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut err = io::stderr();
    let terminal = err.is_terminal();
    let args = std::env::args_os().skip(1);
    let code = run(args, &mut io::stdin().lock(), &mut out, &mut err, terminal);
    ExitCode::from(code)
}

/// The program. Gives its exit status: 0 done, 1 unreadable input, 2 wrong arguments.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    stdin: &mut dyn Read,
    out: &mut dyn Write,
    err: &mut dyn Write,
    terminal: bool,
) -> u8 {
    let mut console = Console::new(err, terminal);
    let result = match args::parse(args) {
        Ok(Request::Help) => write(out, |out| out.write_all(args::HELP.as_bytes())),
        Ok(Request::Run(args)) => segment(&args, stdin, out, &mut console),
        Err(wrong) => Err(Failure::Usage(wrong)),
    };
    console.finish();
    match result {
        Ok(()) => 0,
        Err(Failure::Input(text)) => {
            console.say(&format!("error: {text}"));
            1
        }
        Err(Failure::Usage(text)) => {
            console.say(&format!("error: {text}\ntry `--help` for the options"));
            2
        }
    }
}

fn segment(
    args: &Args,
    stdin: &mut dyn Read,
    out: &mut dyn Write,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let read = reader::read(&args.file, stdin, &args.reading, console)?;
    console.finish();
    let summary = Summary::new(args, &read);
    if !args.json {
        write(out, |out| summary.write_text(out))?;
    }
    let Some(as_of) = summary.as_of().filter(|_| !read.records.is_empty()) else {
        let file = reader::file_name(&args.file);
        return Err(Failure::Input(format!("{file} has no row that can be used")));
    };
    let watch = |progress: &Progress| console.working(progress);
    let segmentation = segmentation::segment(&read, as_of, watch)
        .map_err(|error| Failure::Input(format!("cannot be segmented: {error}")))?;
    console.finish();
    write(out, |out| match args.json {
        true => summary.write_json(&segmentation, out),
        false => write!(out, "{segmentation}"),
    })
}

/// Writes and flushes. A reader that went away, as `head` does, is no error.
fn write(
    out: &mut dyn Write,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    match text(out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Input(format!("the output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}
