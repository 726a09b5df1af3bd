//! Which rows cannot have changed their label.
//!
//! A row's *gap* is how much farther the next centre is than its own. In an iteration the
//! gap shrinks by at most what its own centre has moved plus the most that any other one
//! has: while it stays above 0, so does the label. This is Hamerly's (2010) pair of bounds
//! as their difference, which is one number to keep for each row.
//!
//! To write nothing for rows that are passed over, a row keeps its gap plus what the
//! centre of its label had moved in all when the gap was found, and is compared with what
//! it has moved in all by now.

use super::scan::SMALLEST;
use super::tiles::Tiles;

/// Rows that change their label in an iteration, as a share, below which gaps are worth
/// keeping.
const CALM: f64 = 0.25;

/// The share of rows that a pass may look at for gaps to be worth their keep.
const WORTH: f64 = 0.6;

/// What all rows of a label have lost of their gaps since the beginning.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// One for each cluster, rounded up.
    lost: Vec<f32>,
    exact: Vec<f64>,
    /// What a key loses to rounding beyond its last digits.
    rounding: f32,
    /// Whether the algorithm is to keep gaps at all.
    wanted: bool,
    /// Whether the rows of the next pass get their gaps written.
    pub(super) write: bool,
    /// Whether all gaps were written before.
    pub(super) read: bool,
    /// Passes to come without gaps, and how many the last pause had.
    pause: usize,
    last_pause: usize,
    n_columns: usize,
}

impl Bounds {
    pub(super) fn new(n_clusters: usize, tiles: &Tiles, wanted: bool) -> Bounds {
        let n_columns = tiles.n_columns();
        let d = n_columns as f64;
        // Distances of up to twice the largest norm, since centres are means of rows,
        // rounded (d + 3) times in f64, both of a pair. First centres may lie outside.
        let reach = tiles.reach().iter().copied().fold(0.0, f32::max);
        let rounding = (d + 3.0) * f64::EPSILON * 8.0 * f64::from(reach).max(d.sqrt());
        // Squares that are too small for all of their digits.
        let underflow = ((d + 3.0) * SMALLEST).sqrt() * tiles.frame().unit();
        Bounds {
            lost: vec![0.0; n_clusters],
            exact: vec![0.0; n_clusters],
            rounding: (rounding + underflow) as f32 * (1.0 + f32::EPSILON),
            wanted,
            write: false,
            read: false,
            pause: 0,
            last_pause: 0,
            n_columns,
        }
    }

    /// The key of a row with this gap and label.
    #[inline(always)]
    pub(super) fn key(&self, gap: f32, label: usize) -> f32 {
        // Whatever was rounded on the way is less than is taken away here.
        let key = gap * (1.0 - 16.0 * f32::EPSILON) + self.lost[label];
        key - key.abs() * (4.0 * f32::EPSILON) - self.rounding
    }

    /// The rows whose label may have changed.
    #[inline]
    pub(super) fn pick(&self, labels: &[u32], keys: &[f32], picked: &mut Vec<u32>) {
        picked.clear();
        picked.resize(labels.len(), 0);
        let mut n = 0;
        for (row, (&label, &key)) in labels.iter().zip(keys).enumerate() {
            picked[n] = row as u32;
            let stays = key > self.lost[label as usize];
            n += usize::from(!stays);
        }
        picked.truncate(n);
    }

    /// Takes note of a pass over `n` rows, which has looked at `n_scanned` of them and
    /// moved `n_moved`.
    pub(super) fn observe(&mut self, n_moved: usize, n_scanned: usize, n: usize) {
        let share = |part: usize| part as f64 / n as f64;
        if self.read && share(n_scanned) > WORTH {
            // The centres still move too far: try again later, and later each time.
            self.pause = (2 * self.last_pause).clamp(1, 16);
            self.last_pause = self.pause;
            (self.read, self.write) = (false, false);
        } else if self.pause > 0 {
            self.pause -= 1;
        } else {
            let write = self.wanted && share(n_moved) < CALM;
            self.read = self.write && write;
            self.write = write;
        }
    }

    /// The centres have moved; `unit` is that of the gaps.
    pub(super) fn shift(&mut self, before: &[f64], after: &[f64], unit: f64) {
        if !self.write {
            return;
        }
        let pairs =
            before.chunks_exact(self.n_columns).zip(after.chunks_exact(self.n_columns));
        let shifts: Vec<f64> = pairs
            .map(|(a, b)| {
                let squares = a.iter().zip(b).map(|(a, b)| {
                    let apart = (a - b) * unit;
                    apart * apart
                });
                squares.sum::<f64>().sqrt() * (1.0 + 1e-9) + 1e-150
            })
            .collect();
        let largest_but = |own: usize| {
            let others = shifts.iter().enumerate().filter(|&(c, _)| c != own);
            others.fold(0.0_f64, |most, (_, &shift)| most.max(shift))
        };
        let first =
            (0..shifts.len()).fold(0, |a, b| if shifts[b] > shifts[a] { b } else { a });
        let (most, second) = (shifts[first], largest_but(first));
        for (c, (exact, lost)) in self.exact.iter_mut().zip(&mut self.lost).enumerate() {
            *exact += shifts[c] + if c == first { second } else { most };
            *lost = *exact as f32 * (1.0 + 2.0 * f32::EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::prepared::{Order, Prepared};
    use super::super::rows::Rows;
    use super::*;

    #[test]
    fn a_gap_whose_square_is_nothing_keeps_no_row() {
        for (unit, gap, keeps) in [
            (1e-160, 2e-162, false),
            (1e-160, 1e-160, true),
            (1.0, 1e-18, false),
            (1.0, 1e-12, true),
        ] {
            let data = [0.0, 0.0, unit, 3.0 * unit];
            let rows = Rows::new(&data, (2, 2), None).unwrap();
            let (data, _) = Prepared::new(rows, &[], Order::Given).unwrap();
            let bounds = Bounds::new(2, &data.tiles, true);
            let key = bounds.key((gap * data.tiles.frame().unit()) as f32, 0);
            let mut picked = Vec::new();
            bounds.pick(&[0], &[key], &mut picked);
            assert_eq!(picked.is_empty(), keeps, "a gap of {gap}");
        }
    }
}
