//! From a dendrogram's clusters to a model.

use super::super::order::largest_first;
use super::config::{AssignRule, Choice, Rows};
use super::dendrogram::Dendrogram;
use super::model::{HierarchicalModel, Parts};
use super::reference::References;
use crate::data::Table;
use crate::distance::squared_euclidean;
use crate::error::Result;
use crate::segmenter::{FitReport, Fitted, Note, Segment, SegmentIndex};

/// Puts the clusters `labels` of the rows that count into canonical order and makes a
/// model of them.
pub(super) fn learn(
    choice: &Choice,
    table: &Table<'_>,
    rows: Rows,
    tree: &Dendrogram,
    labels: Vec<usize>,
) -> Result<Fitted<HierarchicalModel>> {
    let p = rows.encoder.n_columns();
    let (labels, clusters) = canonical(&rows, labels, p);
    let k = clusters.len();
    let (above, heights) = tree.above(&labels, k);

    let total: f64 = clusters.iter().map(|cluster| cluster.weight).sum();
    let segments: Vec<Segment> = Segment::numbered(k)
        .into_iter()
        .zip(&clusters)
        .map(|(segment, cluster)| {
            segment.counted(cluster.size, (cluster.weight / total).min(1.0))
        })
        .collect();
    let exemplars = if choice.keep_exemplars {
        exemplars(&rows, &labels, &clusters, p)
            .into_iter()
            .map(|at| table.ids().get(rows.kept[at]).to_string())
            .collect()
    } else {
        Vec::new()
    };
    let centroids: Vec<f64> =
        clusters.iter().flat_map(|cluster| &cluster.centroid).copied().collect();
    let members = match choice.assignment {
        AssignRule::Centroid => None,
        AssignRule::NearestMember => Some(group(&rows.matrix, &labels, k, p)),
    };
    let (weights, kept) = (rows.weights, rows.kept);
    let mut model = HierarchicalModel::new(Parts {
        encoder: rows.encoder,
        segments,
        linkage: choice.linkage,
        assignment: choice.assignment,
        centroids: References::single(centroids, p),
        members,
        heights,
        tree: above,
        exemplars,
        self_consistency: 1.0,
    });

    let mut consistent = 0.0;
    let mut answer = vec![None; table.len()];
    for (at, row) in rows.matrix.chunks_exact(p).enumerate() {
        let label = SegmentIndex::new(labels[at] as u32);
        if model.assign_row(row)?.segment() == Some(label) {
            consistent += weights[at];
        }
        answer[kept[at]] = Some(label);
    }
    for (at, row) in &rows.left_out {
        answer[*at] = model.assign_row(row).map_err(|e| e.at_row(*at))?.segment();
    }
    let all: f64 = weights.iter().sum();
    model.set_self_consistency((consistent / all).min(1.0));

    let mut report = FitReport::new(table.len());
    report.notes = notes(choice, &model, tree, rows.left_out.len());
    Ok(Fitted::new(model, answer, report))
}

fn notes(
    choice: &Choice,
    model: &HierarchicalModel,
    tree: &Dendrogram,
    left_out: usize,
) -> Vec<Note> {
    let rule = match choice.assignment {
        AssignRule::Centroid => "nearest centroid",
        AssignRule::NearestMember => "nearest member",
    };
    let percent = 100.0 * model.self_consistency();
    let mut notes = vec![Note::new(
        "self-consistency",
        format!(
            "assignment to the {rule} gives {percent:.1} % of the training weight the \
             segment that the dendrogram gives it"
        ),
    )];
    if !tree.is_monotone() {
        let linkage = choice.linkage;
        let message = format!("heights of {linkage} linkage decrease in places");
        notes.push(Note::new("inversions", message));
    }
    if left_out > 0 {
        let message = format!("{left_out} rows of weight 0 are not in the dendrogram");
        notes.push(Note::new("weightless-rows", message));
    }
    notes
}

struct Cluster {
    weight: f64,
    size: u64,
    centroid: Vec<f64>,
}

/// Numbers clusters by weight, largest first, ties by centroid, then by first row.
fn canonical(rows: &Rows, labels: Vec<usize>, p: usize) -> (Vec<usize>, Vec<Cluster>) {
    let k = labels.iter().max().map_or(0, |last| last + 1);
    // sums are taken relative to a member: equal rows give exactly their centroid
    let mut origin = vec![0; k];
    for (at, &label) in labels.iter().enumerate().rev() {
        origin[label] = at;
    }
    let row = |at: usize| &rows.matrix[at * p..(at + 1) * p];
    let mut clusters: Vec<Cluster> = (0..k)
        .map(|_| Cluster { weight: 0.0, size: 0, centroid: vec![0.0; p] })
        .collect();
    for (at, &label) in labels.iter().enumerate() {
        let (cluster, weight) = (&mut clusters[label], rows.weights[at]);
        cluster.weight += weight;
        cluster.size += 1;
        let first = row(origin[label]);
        for (sum, (x, first)) in
            cluster.centroid.iter_mut().zip(row(at).iter().zip(first))
        {
            *sum += weight * (x - first);
        }
    }
    for (cluster, &origin) in clusters.iter_mut().zip(&origin) {
        for (sum, first) in cluster.centroid.iter_mut().zip(row(origin)) {
            *sum = first + *sum / cluster.weight;
        }
    }
    let mut order: Vec<(usize, Cluster)> = clusters.into_iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| {
        largest_first((a.weight, &a.centroid), (b.weight, &b.centroid))
    });
    let mut renumbered = vec![0; k];
    for (new, (old, _)) in order.iter().enumerate() {
        renumbered[*old] = new;
    }
    let labels = labels.into_iter().map(|label| renumbered[label]).collect();
    (labels, order.into_iter().map(|(_, cluster)| cluster).collect())
}

/// The row nearest to each centroid; of equally near ones the first.
fn exemplars(
    rows: &Rows,
    labels: &[usize],
    clusters: &[Cluster],
    p: usize,
) -> Vec<usize> {
    let mut best = vec![(0, f64::INFINITY); clusters.len()];
    for (at, row) in rows.matrix.chunks_exact(p).enumerate() {
        let distance = squared_euclidean(row, &clusters[labels[at]].centroid);
        if distance < best[labels[at]].1 {
            best[labels[at]] = (at, distance);
        }
    }
    best.into_iter().map(|(at, _)| at).collect()
}

/// Rows grouped by cluster, in their order.
fn group(matrix: &[f64], labels: &[usize], k: usize, p: usize) -> References {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&at| labels[at]);
    let points = order.iter().flat_map(|&at| &matrix[at * p..(at + 1) * p]).copied();
    let mut ends = vec![0; k];
    labels.iter().for_each(|&label| ends[label] += 1);
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    References::new(points.collect(), ends, p)
}
