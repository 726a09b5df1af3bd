//! How time and memory of each kernel grow with rows, columns and clusters.
//!
//! Writes tables between two markers of a Markdown file, and a plot:
//! `growth README.md growth.svg [--cap SECONDS] [--only KERNEL]`.

mod kernel;
mod plot;
mod series;
mod table;

use std::{env, fs, io};

use peak_alloc::PeakAlloc;
use segmenta_peers::Result;

use kernel::KERNELS;
use series::{Axis, Limits, Series, grow};

/// Counts the bytes that are allocated.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

const USAGE: &str = "growth README SVG [--cap SECONDS] [--only KERNEL]";
const N_THREADS: usize = 2;

fn main() -> Result<()> {
    let mut limits = Limits { seconds: 10.0, bytes: 3e9 };
    let (mut files, mut only) = (Vec::new(), None);
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--cap" => limits.seconds = words.next().ok_or(USAGE)?.parse()?,
            "--only" => only = Some(words.next().ok_or(USAGE)?),
            _ => files.push(word),
        }
    }
    let [readme, svg] = &files[..] else { return Err(USAGE.into()) };
    rayon::ThreadPoolBuilder::new().num_threads(N_THREADS).build_global()?;

    let mut grown: Vec<Series> = Vec::new();
    for axis in Axis::ALL {
        for kernel in KERNELS.iter().filter(|kernel| kernel.grows_with(axis)) {
            if only.as_deref().is_none_or(|only| only == kernel.name) {
                let series = grow(kernel, axis, limits)?;
                table::print(&mut io::stderr(), &series)?;
                grown.push(series);
            }
        }
    }
    let text = fs::read_to_string(readme)?;
    fs::write(readme, table::replace(&text, &table::markdown(&grown, limits))?)?;
    let by_rows: Vec<&Series> = grown.iter().filter(|s| s.axis == Axis::Rows).collect();
    fs::write(svg, plot::svg(&by_rows))?;
    Ok(())
}
