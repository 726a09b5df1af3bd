//! From micro-clusters and their dendrogram to a model, and to the labels of rows.

use std::ops::Range;

use super::super::config::AssignRule;
use super::super::dendrogram::Dendrogram;
use super::super::linkage::Linkage;
use super::super::model::{HierarchicalModel, Parts};
use super::super::reference::References;
use super::clusters::MicroClusters;
use super::feature::pull;
use super::tree::CfTree;
use crate::cluster::order::largest_first;
use crate::data::{Remapped, SchemaMap, Table};
use crate::distance::squared_euclidean;
use crate::encode::FittedEncoder;
use crate::error::{Error, Result};
use crate::parallel::{for_each_block, map_blocks};
use crate::segmenter::{
    FitReport, Fitted, Note, Observer, Progress, Segment, SegmentIndex, report_progress,
};

/// Rows of a block of a pass.
const BLOCK: usize = 2048;

/// Rows after which the blocks are added up and the observer is told.
const WAVE: usize = 64 * BLOCK;

/// The parameters that the steps after the cut need.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub(super) assignment: AssignRule,
    pub(super) keep_exemplars: bool,
}

/// The rows of a table, encoded when they are asked for.
pub(super) struct Encoding<'t> {
    encoder: &'t FittedEncoder,
    table: &'t Table<'t>,
    /// Where the encoder's features are in the table, if its schema differs.
    map: Option<SchemaMap>,
}

impl<'t> Encoding<'t> {
    pub(super) fn new(
        encoder: &'t FittedEncoder,
        table: &'t Table<'t>,
    ) -> Result<Encoding<'t>> {
        let same = table.schema() == encoder.schema();
        let map =
            if same { None } else { Some(encoder.schema().locate_in(table.schema())?) };
        Ok(Encoding { encoder, table, map })
    }

    pub(super) fn encoder(&self) -> &FittedEncoder {
        self.encoder
    }

    pub(super) fn n_columns(&self) -> usize {
        self.encoder.n_columns()
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn weights(&self) -> Option<&[f64]> {
        self.table.sample_weight()
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights().map_or(1.0, |weights| weights[row])
    }

    fn encode(&self, row: usize, out: &mut [f64]) -> Result<()> {
        let customer = self.table.row(row);
        match &self.map {
            None => self.encoder.encode_customer(&customer, out),
            Some(map) => {
                self.encoder.encode_customer(&Remapped::new(&customer, map), out)
            }
        }
        .map_err(|e| e.at_row(row))
    }

    /// The rows of a range, row-major, in parallel.
    pub(super) fn encode_all(
        &self,
        rows: Range<usize>,
        out: &mut Vec<f64>,
    ) -> Result<()> {
        let p = self.n_columns();
        out.resize(rows.len() * p, 0.0);
        for_each_block(out, BLOCK * p, |start, block| {
            for (i, row) in block.chunks_exact_mut(p).enumerate() {
                self.encode(rows.start + start / p + i, row)?;
            }
            Ok(())
        })
    }

    /// Tells the observer, and gives all blocks of rows in order, wave by wave, to `add`
    /// as `work` leaves them.
    fn pass<T: Send>(
        &self,
        observer: &mut dyn Observer,
        work: impl Fn(Range<usize>) -> Result<T> + Sync,
        mut add: impl FnMut(T),
    ) -> Result<()> {
        let n = self.len();
        let mut start = 0;
        while start < n {
            report_progress(observer, &Progress::new("labels", start, n))?;
            let end = (start + WAVE).min(n);
            let blocks = map_blocks(end - start, BLOCK, |block| {
                work(start + block.start..start + block.end)
            });
            for block in blocks {
                add(block?);
            }
            start = end;
        }
        Ok(())
    }
}

/// Micro-clusters by segment.
struct Groups {
    /// The segment of each micro-cluster.
    labels: Vec<usize>,
    weights: Vec<f64>,
    sizes: Vec<u64>,
    /// Row-major.
    centroids: Vec<f64>,
}

impl Groups {
    /// Clusters of micro-clusters in canonical order. No row has been counted.
    fn new(micro: &MicroClusters, labels: Vec<usize>, p: usize) -> Groups {
        let k = labels.iter().max().map_or(0, |last| last + 1);
        let (mut weights, mut centroids) = (vec![0.0; k], vec![0.0; k * p]);
        for (at, &label) in labels.iter().enumerate() {
            let first = weights[label] == 0.0;
            weights[label] += micro.weights()[at];
            let centroid = &mut centroids[label * p..][..p];
            if first {
                centroid.copy_from_slice(micro.mean(at));
            } else {
                let share = micro.weights()[at] / weights[label];
                pull(centroid.iter_mut(), micro.mean(at), share);
            }
        }
        let mut groups = Groups { labels, weights, sizes: vec![0; k], centroids };
        groups.order(p);
        groups
    }

    /// Brings the segments into canonical order; the new number of each.
    fn order(&mut self, p: usize) -> Vec<u32> {
        let k = self.weights.len();
        let center = |c: usize| &self.centroids[c * p..][..p];
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| {
            largest_first((self.weights[a], center(a)), (self.weights[b], center(b)))
        });
        let mut renumbered = vec![0; k];
        for (new, &old) in order.iter().enumerate() {
            renumbered[old] = new as u32;
        }
        self.centroids = order.iter().flat_map(|&c| center(c)).copied().collect();
        self.weights = order.iter().map(|&c| self.weights[c]).collect();
        self.sizes = order.iter().map(|&c| self.sizes[c]).collect();
        for label in &mut self.labels {
            *label = renumbered[*label] as usize;
        }
        renumbered
    }

    /// The means of the micro-clusters, grouped by segment, in their order.
    fn members(&self, micro: &MicroClusters, p: usize) -> References {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.sort_by_key(|&at| self.labels[at]);
        let points = order.iter().flat_map(|&at| micro.mean(at)).copied().collect();
        let mut ends = vec![0; self.weights.len()];
        self.labels.iter().for_each(|&label| ends[label] += 1);
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        References::new(points, ends, p)
    }

    /// A model without exemplars, of perfect consistency. Sizes are stated if counted.
    fn model(
        &self,
        choice: Choice,
        encoder: FittedEncoder,
        micro: &MicroClusters,
        dendrogram: &Dendrogram,
        counted: bool,
    ) -> HierarchicalModel {
        let (k, p) = (self.weights.len(), encoder.n_columns());
        let (tree, heights) = dendrogram.above(&self.labels, k);
        let total: f64 = self.weights.iter().sum();
        let segments = Segment::numbered(k)
            .into_iter()
            .zip(self.weights.iter().zip(&self.sizes))
            .map(|(mut segment, (weight, &size))| {
                segment.share = Some((weight / total).min(1.0));
                segment.size = counted.then_some(size);
                segment
            })
            .collect();
        let members = match choice.assignment {
            AssignRule::Centroid => None,
            AssignRule::NearestMember => Some(self.members(micro, p)),
        };
        HierarchicalModel::new(Parts {
            encoder,
            segments,
            linkage: Linkage::Ward,
            assignment: choice.assignment,
            centroids: References::single(self.centroids.clone(), p),
            members,
            heights,
            tree,
            exemplars: Vec::new(),
            self_consistency: 1.0,
        })
    }
}

/// The model of micro-clusters whose rows are not at hand.
pub(super) fn of_tree(
    choice: Choice,
    encoder: FittedEncoder,
    micro: &MicroClusters,
    dendrogram: &Dendrogram,
    labels: Vec<usize>,
) -> Result<HierarchicalModel> {
    let groups = Groups::new(micro, labels, encoder.n_columns());
    let mut model = groups.model(choice, encoder, micro, dendrogram, false);
    let (mut consistent, mut all) = (0.0, 0.0);
    for (at, &label) in groups.labels.iter().enumerate() {
        let weight = micro.weights()[at];
        let assigned = model.assign_row(micro.mean(at))?.segment();
        all += weight;
        if assigned == Some(SegmentIndex::new(label as u32)) {
            consistent += weight;
        }
    }
    model.set_self_consistency((consistent / all).min(1.0));
    Ok(model)
}

/// What a block of rows adds to the segments.
struct Tally {
    labels: Vec<u32>,
    weights: Vec<f64>,
    sizes: Vec<u64>,
    /// Sums of weighted differences from the micro-clusters' centroids.
    sums: Vec<f64>,
}

/// The label of a row of weight 0 until it is assigned.
const OPEN: u32 = u32::MAX;

/// Labels all rows by their nearest micro-clusters, and makes a model of what they are.
pub(super) fn label_rows(
    choice: Choice,
    table: &Table<'_>,
    encoder: FittedEncoder,
    tree: &CfTree,
    (dendrogram, labels): (&Dendrogram, Vec<usize>),
    observer: &mut dyn Observer,
) -> Result<Fitted<HierarchicalModel>> {
    let micro = tree.micro_clusters();
    let p = encoder.n_columns();
    let rows = Encoding::new(&encoder, table)?;
    let mut groups = Groups::new(&micro, labels, p);
    let mut labels = first_pass(&rows, &mut groups, &micro, observer)?;
    let renumbered = groups.order(p);
    for label in labels.iter_mut().filter(|label| **label != OPEN) {
        *label = renumbered[*label as usize];
    }
    let mut model = groups.model(choice, encoder.clone(), &micro, dendrogram, true);
    let seen = second_pass(&rows, &model, &mut labels, observer)?;
    model.set_self_consistency((seen.consistent / seen.weight).min(1.0));
    if choice.keep_exemplars {
        let id = |&(row, distance): &(usize, f64)| {
            if distance.is_finite() {
                table.ids().get(row).to_string()
            } else {
                String::new()
            }
        };
        model.set_exemplars(seen.nearest.iter().map(id).collect());
    }
    let mut report = FitReport::new(table.len());
    report.notes = notes(choice, &model, tree, &micro, &groups, seen.n_weightless);
    let labels = labels.into_iter().map(|label| Some(SegmentIndex::new(label))).collect();
    Ok(Fitted::new(model, labels, report))
}

/// The labels of all rows of a weight; the groups become those of the rows.
fn first_pass(
    rows: &Encoding<'_>,
    groups: &mut Groups,
    micro: &MicroClusters,
    observer: &mut dyn Observer,
) -> Result<Vec<u32>> {
    let (k, p) = (groups.weights.len(), rows.n_columns());
    let members = groups.members(micro, p);
    let centroids = groups.centroids.clone();
    let work = |block: Range<usize>| {
        let mut tally = Tally {
            labels: Vec::with_capacity(block.len()),
            weights: vec![0.0; k],
            sizes: vec![0; k],
            sums: vec![0.0; k * p],
        };
        let mut x = vec![0.0; p];
        for row in block {
            let weight = rows.weight(row);
            if weight == 0.0 {
                tally.labels.push(OPEN);
                continue;
            }
            rows.encode(row, &mut x)?;
            let label = members.nearest_segment(&x).ok_or_else(|| {
                Error::undefined("the nearest micro-cluster", "distances overflow")
                    .at_row(row)
            })?;
            tally.labels.push(label);
            let label = label as usize;
            tally.weights[label] += weight;
            tally.sizes[label] += 1;
            let places = label * p..(label + 1) * p;
            let from = &centroids[places.clone()];
            for (sum, (x, from)) in tally.sums[places].iter_mut().zip(x.iter().zip(from))
            {
                *sum += weight * (x - from);
            }
        }
        Ok(tally)
    };
    let mut labels = Vec::with_capacity(rows.len());
    let (mut weights, mut sums) = (vec![0.0; k], vec![0.0; k * p]);
    rows.pass(observer, work, |tally: Tally| {
        labels.extend(tally.labels);
        let add = |to: &mut [f64], from: &[f64]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        };
        add(&mut weights, &tally.weights);
        add(&mut sums, &tally.sums);
        groups.sizes.iter_mut().zip(tally.sizes).for_each(|(to, from)| *to += from);
    })?;
    for (c, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            let places = c * p..(c + 1) * p;
            let centroid = &mut groups.centroids[places.clone()];
            for (x, sum) in centroid.iter_mut().zip(&sums[places]) {
                *x += sum / weight;
            }
        }
    }
    groups.weights = weights;
    Ok(labels)
}

/// What the second pass has seen.
struct Seen {
    weight: f64,
    /// The weight of rows that are assigned to the segment of their label.
    consistent: f64,
    n_weightless: usize,
    /// For each segment the row nearest to its centroid, the first of equally near ones,
    /// and its squared distance.
    nearest: Vec<(usize, f64)>,
}

/// How the model assigns the rows; those of weight 0 get their labels.
fn second_pass(
    rows: &Encoding<'_>,
    model: &HierarchicalModel,
    labels: &mut [u32],
    observer: &mut dyn Observer,
) -> Result<Seen> {
    let (k, p) = (model.tree().n_leaves(), rows.n_columns());
    let new = || Seen {
        weight: 0.0,
        consistent: 0.0,
        n_weightless: 0,
        nearest: vec![(0, f64::INFINITY); k],
    };
    let known: &[u32] = labels;
    let work = |block: Range<usize>| {
        let (mut seen, mut open) = (new(), Vec::new());
        let mut x = vec![0.0; p];
        for row in block {
            rows.encode(row, &mut x)?;
            let assigned = model.assign_row(&x).map_err(|e| e.at_row(row))?.segment();
            let assigned = assigned.map_or(OPEN, |segment| segment.get() as u32);
            let label = known[row];
            if label == OPEN {
                seen.n_weightless += 1;
                open.push((row, assigned));
                continue;
            }
            let weight = rows.weight(row);
            seen.weight += weight;
            seen.consistent += if label == assigned { weight } else { 0.0 };
            let centroid = model.centroid(SegmentIndex::new(label)).unwrap_or(&[]);
            let distance = squared_euclidean(&x, centroid);
            let nearest = &mut seen.nearest[label as usize];
            if distance < nearest.1 {
                *nearest = (row, distance);
            }
        }
        Ok((seen, open))
    };
    let mut all = new();
    let mut open = Vec::new();
    rows.pass(observer, work, |(seen, more): (Seen, Vec<(usize, u32)>)| {
        all.weight += seen.weight;
        all.consistent += seen.consistent;
        all.n_weightless += seen.n_weightless;
        for (best, found) in all.nearest.iter_mut().zip(seen.nearest) {
            if found.1 < best.1 {
                *best = found;
            }
        }
        open.extend(more);
    })?;
    open.into_iter().for_each(|(row, label)| labels[row] = label);
    Ok(all)
}

fn notes(
    choice: Choice,
    model: &HierarchicalModel,
    tree: &CfTree,
    micro: &MicroClusters,
    groups: &Groups,
    n_weightless: usize,
) -> Vec<Note> {
    let rule = match choice.assignment {
        AssignRule::Centroid => "nearest centroid",
        AssignRule::NearestMember => "nearest micro-cluster",
    };
    let percent = 100.0 * model.self_consistency();
    let total = tree.total().map_or(0.0, |total| total.deviation());
    let inside = if total > 0.0 { 100.0 * micro.deviation() / total } else { 0.0 };
    let mut notes = vec![
        Note::new(
            "self-consistency",
            format!(
                "assignment to the {rule} gives {percent:.1} % of the training weight \
                 the segment of its nearest micro-cluster"
            ),
        ),
        Note::new(
            "micro-clusters",
            format!(
                "the dendrogram joins {} micro-clusters of threshold {:.3e}, with \
                 {inside:.2} % of the sum of squares inside them",
                micro.len(),
                tree.threshold(),
            ),
        ),
    ];
    let n_empty = groups.sizes.iter().filter(|&&size| size == 0).count();
    if n_empty > 0 {
        let message = format!(
            "{n_empty} segments are of micro-clusters to which no row is nearest"
        );
        notes.push(Note::new("empty-segments", message));
    }
    if n_weightless > 0 {
        let message =
            format!("{n_weightless} rows of weight 0 are not in the dendrogram");
        notes.push(Note::new("weightless-rows", message));
    }
    notes
}
