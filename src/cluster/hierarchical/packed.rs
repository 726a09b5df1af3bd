//! A packed triangle of distances, made or rewritten row by row while the nearest
//! neighbours of its slots are found.
//!
//! Row `a` of the triangle has the distances of slot `a` from the slots `0..a`. Rows stand
//! one after the other, so that a smaller triangle can be written over a larger one from
//! the start, as long as a new row is made of old rows that are not before it.

use std::convert::Infallible;
use std::ops::Range;

use super::nearest::{Nearest, Observe};
use crate::parallel::for_each_block;
use crate::simd::run;

/// Where row `a` begins; also the number of elements of `a` rows.
#[inline(always)]
pub(super) fn row_start(a: usize) -> usize {
    a * a.saturating_sub(1) / 2
}

/// Elements after which a task is large enough.
const TASK: usize = 1 << 16;

/// Tasks that are open at a time. Each finds neighbours of its own, which are joined at
/// the end.
const OPEN: usize = 16;

/// Elements that are copied at a time.
const COPY: usize = 1 << 15;

/// What becomes of the rows.
pub(super) enum Target<'t> {
    /// They are looked at, once.
    Nothing,
    /// They fill this triangle.
    New(&'t mut [f64]),
    /// They replace the triangle from which they are made.
    Old(&'t mut [f64]),
}

/// Memory of a task.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    nearest: Nearest,
    /// Three rows, as long as those of the largest triangle so far.
    pub(super) rows: [Vec<f64>; 3],
}

/// Memory of all passes.
#[derive(Debug, Default)]
pub(super) struct Passes {
    scratch: Vec<Scratch>,
    buffer: Vec<f64>,
    nearest: Nearest,
}

struct Task<'t> {
    rows: Range<usize>,
    out: &'t mut [f64],
    scratch: &'t mut Scratch,
}

impl Passes {
    /// Makes the `m` rows of a triangle and finds the nearest neighbours. `fill` is given
    /// the old triangle (empty unless that is replaced), the number of the row, its place,
    /// and three rows of memory, as long as those of the largest triangle so far.
    ///
    /// Where the old triangle is replaced, row `a` must not be made of old rows before
    /// row `a`.
    pub(super) fn pass(
        &mut self,
        m: usize,
        mut target: Target<'_>,
        fill: impl Fn(&[f64], usize, &mut [f64], &mut [Vec<f64>; 3]) + Sync,
    ) -> &Nearest {
        self.scratch.resize_with(OPEN, Scratch::default);
        for scratch in &mut self.scratch {
            scratch.nearest.reset(m);
            for row in &mut scratch.rows {
                lend(row, m);
            }
        }
        let mut from = 0;
        while from < m {
            let parts = parts(from, m);
            let to = parts.last().map_or(m, |part| part.end);
            let range = row_start(from)..row_start(to);
            let (old, out): (&[f64], &mut [f64]) = match &mut target {
                Target::New(triangle) => (&[], &mut triangle[range.clone()]),
                Target::Nothing => (&[], lend(&mut self.buffer, range.len())),
                Target::Old(triangle) => (triangle, lend(&mut self.buffer, range.len())),
            };
            let mut tasks = Vec::with_capacity(OPEN);
            let mut rest = out;
            for (rows, scratch) in parts.into_iter().zip(&mut self.scratch) {
                let length = row_start(rows.end) - row_start(rows.start);
                let (out, after) = rest.split_at_mut(length);
                rest = after;
                tasks.push(Task { rows, out, scratch });
            }
            let Ok(()) = for_each_block(&mut tasks, 1, |_, tasks| {
                for task in tasks {
                    work(old, task, &fill);
                }
                Ok::<(), Infallible>(())
            });
            if let Target::Old(triangle) = &mut target {
                let buffer = &self.buffer;
                let Ok(()) = for_each_block(&mut triangle[range], COPY, |at, place| {
                    place.copy_from_slice(&buffer[at..at + place.len()]);
                    Ok::<(), Infallible>(())
                });
            }
            from = to;
        }
        self.nearest.reset(m);
        for scratch in &self.scratch {
            self.nearest.absorb(&scratch.nearest);
        }
        &self.nearest
    }
}

/// The rows of up to [`OPEN`] tasks, from row `from` on.
fn parts(mut from: usize, m: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::with_capacity(OPEN);
    while from < m && parts.len() < OPEN {
        let mut to = from + 1;
        while to < m && row_start(to) - row_start(from) < TASK {
            to += 1;
        }
        parts.push(from..to);
        from = to;
    }
    parts
}

fn lend(buffer: &mut Vec<f64>, length: usize) -> &mut [f64] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

fn work(
    old: &[f64],
    task: &mut Task<'_>,
    fill: &impl Fn(&[f64], usize, &mut [f64], &mut [Vec<f64>; 3]),
) {
    let mut rest = &mut *task.out;
    for a in task.rows.clone() {
        let (row, after) = rest.split_at_mut(a);
        fill(old, a, row, &mut task.scratch.rows);
        rest = after;
    }
    run(Observe {
        first: task.rows.start,
        n_rows: task.rows.len(),
        values: task.out,
        nearest: &mut task.scratch.nearest,
    });
}
