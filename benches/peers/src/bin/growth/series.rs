//! One kernel along one axis, until a step would take too long.

use std::time::Instant;

use segmenta_peers::Result;

use crate::ALLOCATED;
use crate::kernel::{Call, Kernel, Shape};

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    Rows,
    Columns,
    Clusters,
}

/// Columns and clusters, where others grow.
pub const COLUMNS: usize = 4;
pub const CLUSTERS: usize = 8;

impl Axis {
    pub const ALL: [Axis; 3] = [Axis::Rows, Axis::Columns, Axis::Clusters];

    pub const fn sizes(self) -> &'static [usize] {
        match self {
            Axis::Rows => &[
                1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000,
                10_000_000,
            ],
            Axis::Columns => &[1, 2, 4, 8, 16, 32, 64],
            Axis::Clusters => &[2, 8, 32, 128, 512],
        }
    }

    fn shape(self, rows: usize, size: usize) -> Shape {
        let shape = Shape { n: rows, d: COLUMNS, k: CLUSTERS };
        match self {
            Axis::Rows => Shape { n: size, ..shape },
            Axis::Columns => Shape { d: size, ..shape },
            Axis::Clusters => Shape { k: size, ..shape },
        }
    }
}

/// What a cell may take, as far as the cells before it tell.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub seconds: f64,
    pub bytes: f64,
}

/// What a call took.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub size: usize,
    pub seconds: f64,
    /// Bytes allocated at the peak, over those of the input.
    pub bytes: usize,
}

/// The cells of a kernel along an axis.
#[derive(Debug)]
pub struct Series {
    pub name: &'static str,
    pub axis: Axis,
    /// Rows, where they do not grow.
    pub rows: usize,
    pub cells: Vec<Cell>,
}

impl Series {
    /// The power of the size that time grows with, by the last two cells.
    pub fn slope(&self) -> Option<f64> {
        let [.., a, b] = &self.cells[..] else { return None };
        Some((b.seconds / a.seconds).ln() / (b.size as f64 / a.size as f64).ln())
    }

    /// Whether a cell of this size is within the limits, if growth goes on as it did.
    fn allows(&self, size: usize, limits: Limits) -> bool {
        let Some(last) = self.cells.last() else { return true };
        let factor = size as f64 / last.size as f64;
        let seconds = last.seconds * factor.powf(self.slope().unwrap_or(1.0).max(1.0));
        let bytes = match &self.cells[..] {
            [.., before, last] if last.bytes > before.bytes && before.bytes > 0 => {
                let growth = (last.bytes as f64 / before.bytes as f64).ln();
                let step = (last.size as f64 / before.size as f64).ln();
                last.bytes as f64 * factor.powf(growth / step)
            }
            _ => last.bytes as f64,
        };
        seconds <= limits.seconds && bytes <= limits.bytes
    }
}

/// Measures cell by cell.
pub fn grow(kernel: &Kernel, axis: Axis, limits: Limits) -> Result<Series> {
    let cells = Vec::new();
    let mut series = Series { name: kernel.name, axis, rows: kernel.rows, cells };
    // Seconds of whole calls, of which a cell may be a part.
    let mut whole = 0.0;
    for &size in axis.sizes() {
        if whole > limits.seconds || !series.allows(size, limits) {
            break;
        }
        let call = (kernel.prepare)(axis.shape(kernel.rows, size))?;
        let (cell, seconds) = measure(size, &call)?;
        whole = seconds;
        series.cells.push(cell);
    }
    Ok(series)
}

/// The median of some calls, and the seconds of a whole one.
fn measure(size: usize, call: &Call) -> Result<(Cell, f64)> {
    const CALLS: usize = 9;
    const ENOUGH: f64 = 0.5;
    let mut runs = Vec::new();
    let mut bytes = 0;
    let mut total = 0.0;
    while runs.len() < CALLS && (total < ENOUGH || runs.is_empty()) {
        ALLOCATED.reset_peak_usage();
        let before = ALLOCATED.current_usage();
        let start = Instant::now();
        let parts = call()?;
        let seconds = start.elapsed().as_secs_f64();
        bytes = bytes.max(ALLOCATED.peak_usage().saturating_sub(before));
        total += seconds;
        runs.push((seconds / parts, seconds));
    }
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (seconds, whole) = runs[runs.len() / 2];
    Ok((Cell { size, seconds, bytes }, whole))
}
