//! From a list of purchases to lifetime value, churn and retention.
//!
//! ```text
//! cargo run --release --example lifetime_value
//! cargo run --release --example lifetime_value -- \
//!     CDNOW_master.txt --customer 1 --date 2 --amount 4 --svg pictures
//! ```
//!
//! Without a file it takes a made-up shop. `purchases` brings either into one form, `study` asks
//! the library, `svg` draws. The library itself does no I/O: a program like this one does it.

// A program may read files and print; an example may share modules of which it uses a part.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::print_stdout)]
#![allow(clippy::print_stderr, dead_code)]

#[path = "../segment_transactions/args.rs"]
mod args;
mod purchases;
#[path = "../segment_transactions/reader/mod.rs"]
mod reader;
#[path = "../shop/mod.rs"]
mod shop;
mod study;
mod svg;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use purchases::Purchases;

const HELP: &str = "\
From purchases to lifetime value, churn and retention.

usage: lifetime_value [FILE --customer COL --date COL --amount COL [options]] [--svg FOLDER]

Without FILE a made-up shop is studied. The options of FILE are those of the example
segment_transactions. With --svg two pictures are written into FOLDER: the triangle of
cohorts and the curves of the time to the second purchase.
";

fn main() -> ExitCode {
    let mut rest: Vec<OsString> = std::env::args_os().skip(1).collect();
    if rest.iter().any(|arg| arg == "--help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run(&mut rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

fn run(rest: &mut Vec<OsString>) -> Result<(), String> {
    let folder = take_folder(rest)?;
    let purchases = if rest.is_empty() {
        Purchases::of_shop()
    } else {
        Purchases::of_file(rest.drain(..))?
    };
    let study = study::study(&purchases).map_err(|error| error.to_string())?;
    if let Some(folder) = folder {
        std::fs::create_dir_all(&folder)
            .map_err(|e| format!("{}: {e}", folder.display()))?;
        write(&folder, "cohorts.svg", &svg::triangle(&study.cohorts))?;
        write(&folder, "second_purchase.svg", &svg::curves(&study.curves))?;
    }
    Ok(())
}

/// Takes `--svg FOLDER` out of the arguments.
fn take_folder(rest: &mut Vec<OsString>) -> Result<Option<PathBuf>, String> {
    let Some(at) = rest.iter().position(|arg| arg == "--svg") else { return Ok(None) };
    if at + 1 == rest.len() {
        return Err("`--svg` needs a folder".to_owned());
    }
    rest.remove(at);
    Ok(Some(PathBuf::from(rest.remove(at))))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = folder.join(name);
    std::fs::write(&path, text)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}
