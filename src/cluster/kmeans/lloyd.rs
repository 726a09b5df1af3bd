//! Lloyd's algorithm from given centres.

use super::nearest::Lanes;
use super::rows::Rows;
use crate::distance::squared_euclidean;
use crate::error::Result;
use crate::parallel::map_blocks;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_iter: usize,
    /// On the summed squared shift of the centres.
    pub(super) tolerance: f64,
}

/// Where a run ended.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) centers: Vec<f64>,
    pub(super) labels: Vec<usize>,
    pub(super) inertia: f64,
    pub(super) n_iter: usize,
    pub(super) converged: bool,
    /// How many times a centre without rows was moved to a far row.
    pub(super) n_relocated: usize,
}

/// Moves the centres to the means of their rows until the labels, or nearly the centres,
/// stay. `watch` is told the number of the iteration and the inertia before it.
pub(super) fn lloyd(
    rows: Rows<'_>,
    mut centers: Vec<f64>,
    limits: Limits,
    watch: &mut dyn FnMut(usize, f64) -> Result<()>,
) -> Result<Run> {
    let mut labels: Vec<usize> = Vec::new();
    let (mut n_iter, mut converged, mut n_relocated) = (0, false, 0);
    while n_iter < limits.max_iter && !converged {
        n_iter += 1;
        let mut step = Step::new(rows, &centers);
        watch(n_iter, step.inertia)?;
        let relocated = step.relocate(rows, &centers);
        let moved = step.means(rows.n_columns());
        // Centres that were relocated have no rows yet, so the labels are not final even
        // if they are those of the iteration before.
        let settled = relocated == 0 && step.labels == labels;
        converged = settled || squared_euclidean(&moved, &centers) <= limits.tolerance;
        n_relocated += relocated;
        if moved == centers {
            let Step { labels, inertia, .. } = step;
            return Ok(Run { centers, labels, inertia, n_iter, converged, n_relocated });
        }
        centers = moved;
        labels = step.labels;
    }
    let (labels, inertia) = label(rows, &centers);
    Ok(Run { centers, labels, inertia, n_iter, converged, n_relocated })
}

/// The nearest centre of each row, and the inertia.
pub(super) fn label(rows: Rows<'_>, centers: &[f64]) -> (Vec<usize>, f64) {
    let lanes = Lanes::new(centers, rows.n_columns());
    let blocks = map_blocks(rows.len(), block_len(0), |block| {
        let mut inertia = 0.0;
        let labels: Vec<usize> = block
            .map(|i| {
                let nearest = lanes.nearest(rows.row(i));
                inertia += rows.weight(i) * nearest.cost;
                nearest.index
            })
            .collect();
        (labels, inertia)
    });
    let inertia = blocks.iter().map(|(_, inertia)| inertia).sum();
    (blocks.into_iter().flat_map(|(labels, _)| labels).collect(), inertia)
}

/// Rows of a block: enough that the sums of a block, one for each centre, take less
/// memory than its rows. It depends on nothing else, so sums have the same bits for any
/// number of threads.
fn block_len(n_clusters: usize) -> usize {
    (4 * n_clusters).max(2048)
}

/// What one pass over the rows gives: labels, and sums for each centre.
struct Step {
    labels: Vec<usize>,
    inertia: f64,
    /// Weighted sum of the rows of each centre.
    sums: Vec<f64>,
    /// Weight of the rows of each centre.
    weights: Vec<f64>,
    /// Rows of positive weight of each centre. Whether a centre has rows is asked here,
    /// for a weight that is added and taken away again may leave a trace.
    counts: Vec<usize>,
}

impl Step {
    fn new(rows: Rows<'_>, centers: &[f64]) -> Step {
        let n_clusters = centers.len() / rows.n_columns();
        let lanes = Lanes::new(centers, rows.n_columns());
        let empty = |n_rows: usize| Step {
            labels: Vec::with_capacity(n_rows),
            inertia: 0.0,
            sums: vec![0.0; centers.len()],
            weights: vec![0.0; n_clusters],
            counts: vec![0; n_clusters],
        };
        let blocks = map_blocks(rows.len(), block_len(n_clusters), |block| {
            let mut step = empty(block.len());
            for i in block {
                let (x, weight) = (rows.row(i), rows.weight(i));
                let nearest = lanes.nearest(x);
                step.labels.push(nearest.index);
                step.inertia += weight * nearest.cost;
                step.add(nearest.index, x, weight);
            }
            step
        });
        let mut all = empty(rows.len());
        for block in blocks {
            all.merge(block);
        }
        all
    }

    fn add(&mut self, cluster: usize, x: &[f64], weight: f64) {
        let sums = &mut self.sums[cluster * x.len()..(cluster + 1) * x.len()];
        for (sum, value) in sums.iter_mut().zip(x) {
            *sum += weight * value;
        }
        self.weights[cluster] += weight;
        self.counts[cluster] += usize::from(weight > 0.0);
    }

    fn merge(&mut self, other: Step) {
        let add = |to: &mut [f64], from: &[f64]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        };
        self.labels.extend(other.labels);
        self.inertia += other.inertia;
        add(&mut self.sums, &other.sums);
        add(&mut self.weights, &other.weights);
        self.counts.iter_mut().zip(other.counts).for_each(|(to, from)| *to += from);
    }

    /// Gives each centre without rows the row that is farthest from its own centre: the
    /// farthest row to the first such centre, the next to the second. Labels stay as they
    /// are. Returns how many centres were given one.
    fn relocate(&mut self, rows: Rows<'_>, centers: &[f64]) -> usize {
        let empty: Vec<usize> =
            (0..self.counts.len()).filter(|&c| self.counts[c] == 0).collect();
        if empty.is_empty() {
            return 0;
        }
        let p = rows.n_columns();
        let mut far: Vec<(f64, usize)> = self
            .labels
            .iter()
            .enumerate()
            .filter(|&(i, _)| rows.weight(i) > 0.0)
            .map(|(i, &c)| (squared_euclidean(rows.row(i), &centers[c * p..][..p]), i))
            .filter(|&(distance, _)| distance > 0.0)
            .collect();
        let order =
            |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if far.len() > empty.len() {
            far.select_nth_unstable_by(empty.len(), order);
            far.truncate(empty.len());
        }
        far.sort_by(order);
        let mut relocated = 0;
        for (&cluster, &(_, i)) in empty.iter().zip(&far) {
            let (x, weight, donor) = (rows.row(i), rows.weight(i), self.labels[i]);
            for (j, value) in x.iter().enumerate() {
                self.sums[donor * p + j] -= weight * value;
                self.sums[cluster * p + j] = weight * value;
            }
            self.weights[donor] -= weight;
            self.counts[donor] -= 1;
            self.weights[cluster] = weight;
            self.counts[cluster] = 1;
            relocated += 1;
        }
        relocated
    }

    /// The new centres. One that still has no rows goes to the heaviest one's place, and
    /// is relocated in the next iteration.
    fn means(&self, n_columns: usize) -> Vec<f64> {
        let mut means = self.sums.clone();
        for (cluster, mean) in means.chunks_exact_mut(n_columns).enumerate() {
            let filled = self.counts[cluster] > 0;
            let from = if filled { cluster } else { self.heaviest() };
            let sums = &self.sums[from * n_columns..][..n_columns];
            for (value, sum) in mean.iter_mut().zip(sums) {
                *value = sum / self.weights[from];
            }
        }
        means
    }

    /// The centre with the greatest weight; the lowest index in a tie.
    fn heaviest(&self) -> usize {
        (0..self.counts.len())
            .filter(|&c| self.counts[c] > 0)
            .reduce(|a, b| if self.weights[b] > self.weights[a] { b } else { a })
            .unwrap_or(0)
    }
}
