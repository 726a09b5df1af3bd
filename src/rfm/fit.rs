//! Scoring a table, and learning a model from it.

use super::config::{Axis, Column, Rfm};
use super::model::{Axes, RfmModel};
use super::quantile::{AxisData, NTiles, fit_axis};
use super::ties::TieReport;
use crate::data::{FeatureIndex, Ids, Schema, Table};
use crate::error::{Error, Result};
use crate::parallel::for_each_block;
use crate::score::{RfmScore, numbers_of};
use crate::segmenter::{
    Fit, FitReport, Fitted, Note, Observer, Progress, Segment, SegmentIndex,
    report_progress,
};

/// Rows of a block.
const BLOCK: usize = 1 << 14;

/// The scores of all rows of a table, and how its values are tied.
#[derive(Clone, Debug, PartialEq)]
pub struct RfmScores {
    scores: Vec<RfmScore>,
    axes: Axes,
    ties: Vec<TieReport>,
}

impl RfmScores {
    /// The scores, one for each row.
    #[must_use]
    pub fn scores(&self) -> &[RfmScore] {
        &self.scores
    }

    /// How the values of an axis are tied, and how many rows have each score; `None` for
    /// an axis that was left out.
    #[must_use]
    pub fn ties(&self, axis: Axis) -> Option<&TieReport> {
        self.ties.get(axis as usize)
    }

    /// The cut points of an axis: one scorer, or, where axes are nested, one for each
    /// cell of the axes before it. Empty for an axis that was left out.
    #[must_use]
    pub fn tiles(&self, axis: Axis) -> &[NTiles] {
        self.axes.tiles(axis)
    }
}

/// The scores of one axis, row by row, with its scorers.
struct FittedColumn {
    tiles: Vec<NTiles>,
    scores: Vec<u32>,
    ties: TieReport,
}

impl Rfm {
    /// The scores of all rows of a table, without names.
    ///
    /// # Errors
    /// When a parameter is out of range; when the table lacks a feature, it is not a
    /// number, or a value is missing (the error names feature and row); when no row has a
    /// positive weight, or the tie policy refuses weights.
    pub fn score_table(&self, table: &Table<'_>) -> Result<RfmScores> {
        self.validate_axes()?;
        Ok(self.score_with(table, &mut ())?.1)
    }

    fn score_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(Schema, RfmScores)> {
        let indices: Vec<FeatureIndex> = self
            .columns()
            .iter()
            .map(|column| table.schema().require(&column.feature))
            .collect::<Result<_>>()?;
        let specs = indices.iter().map(|i| table.schema().features()[i.get()].clone());
        let schema = Schema::new(specs)?;
        let by_id = self.columns().iter().any(|column| column.ties.splits_ties());
        let id_order = if by_id { id_order(table) } else { None };

        let n_axes = self.columns().len();
        let mut fitted: Vec<FittedColumn> = Vec::with_capacity(n_axes);
        // The cell of each row on the axes so far, where axes are nested.
        let mut parents = vec![0_u32; if self.is_nested() { table.len() } else { 0 }];
        let mut n_parents = 1_usize;
        for (at, (column, &index)) in self.columns().iter().zip(&indices).enumerate() {
            report_progress(observer, &Progress::new("rfm", at, n_axes))?;
            let values = numbers_of(table, index)?;
            let data = AxisData {
                values: &values,
                weights: table.sample_weight(),
                id_order: id_order.as_deref(),
                direction: column.direction,
                n_tiles: column.n_tiles,
            };
            let fit = if self.is_nested() && at > 0 {
                fit_nested(&data, column, &parents, n_parents)?
            } else {
                let fit = fit_axis(&data, &column.ties)?;
                FittedColumn {
                    tiles: vec![fit.tiles],
                    scores: fit.scores,
                    ties: fit.ties,
                }
            };
            if self.is_nested() {
                for (parent, &score) in parents.iter_mut().zip(&fit.scores) {
                    *parent = *parent * column.n_tiles + score - 1;
                }
                n_parents *= column.n_tiles as usize;
            }
            fitted.push(fit);
        }
        report_progress(observer, &Progress::new("rfm", n_axes, n_axes))?;

        let mut scores = vec![RfmScore::rf(0, 0); table.len()];
        for_each_block(&mut scores, BLOCK, |from, scores| {
            for (row, score) in (from..).zip(scores) {
                *score = RfmScore {
                    r: fitted[0].scores[row],
                    f: fitted[1].scores[row],
                    m: fitted.get(2).map(|axis| axis.scores[row]),
                };
            }
            Ok::<(), Error>(())
        })?;
        let (mut tiles, mut ties) = (Vec::new(), Vec::new());
        for axis in fitted {
            tiles.push(axis.tiles);
            ties.push(axis.ties);
        }
        let axes = Axes { nested: self.is_nested(), tiles };
        Ok((schema, RfmScores { scores, axes, ties }))
    }
}

/// Scores an axis within each cell of the axes before it.
fn fit_nested(
    data: &AxisData<'_>,
    column: &Column,
    parents: &[u32],
    n_parents: usize,
) -> Result<FittedColumn> {
    let overall = fit_axis(data, &column.ties)?;
    let mut rows_of: Vec<Vec<usize>> = vec![Vec::new(); n_parents];
    for (row, &parent) in parents.iter().enumerate() {
        rows_of[parent as usize].push(row);
    }
    let mut tiles = Vec::with_capacity(n_parents);
    let mut scores = vec![0_u32; data.values.len()];
    for rows in rows_of {
        let counts = |&row: &usize| data.weights.is_none_or(|w| w[row] > 0.0);
        if !rows.iter().any(counts) {
            for row in rows {
                scores[row] = overall.tiles.score_finite(data.values[row]);
            }
            tiles.push(overall.tiles.clone());
            continue;
        }
        let values: Vec<f64> = rows.iter().map(|&row| data.values[row]).collect();
        let weights: Option<Vec<f64>> =
            data.weights.map(|w| rows.iter().map(|&row| w[row]).collect());
        let id_order: Option<Vec<u32>> =
            data.id_order.map(|order| rows.iter().map(|&row| order[row]).collect());
        let part = AxisData {
            values: &values,
            weights: weights.as_deref(),
            id_order: id_order.as_deref(),
            ..*data
        };
        let fit = fit_axis(&part, &column.ties)?;
        for (row, score) in rows.into_iter().zip(fit.scores) {
            scores[row] = score;
        }
        tiles.push(fit.tiles);
    }
    let mut ties = overall.ties;
    ties.count(data.weights, &scores, data.n_tiles);
    Ok(FittedColumn { tiles, scores, ties })
}

/// The place of each row in the order of the ids, rows of one id staying in their order;
/// `None` where all rows are in that order.
fn id_order(table: &Table<'_>) -> Option<Vec<u32>> {
    let id = |row: usize| table.ids().get(row);
    if matches!(table.ids(), Ids::Rows)
        || (1..table.len()).all(|row| id(row - 1) <= id(row))
    {
        return None;
    }
    let mut rows: Vec<usize> = (0..table.len()).collect();
    rows.sort_by(|&a, &b| id(a).cmp(&id(b)));
    let mut order = vec![0_u32; rows.len()];
    for (place, row) in rows.into_iter().enumerate() {
        order[row] = place as u32;
    }
    Some(order)
}

impl Fit for Rfm {
    type Model = RfmModel;

    fn validate(&self) -> Result<()> {
        self.validate_all()
    }

    fn fit_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<RfmModel>> {
        self.validate_all()?;
        let (schema, RfmScores { scores, axes, ties }) =
            self.score_with(table, observer)?;
        let inductive = !self.columns().iter().any(|column| column.ties.splits_ties());
        let mut labels: Vec<Option<SegmentIndex>> = vec![None; scores.len()];
        for_each_block(&mut labels, BLOCK, |from, labels| {
            for (label, score) in labels.iter_mut().zip(&scores[from..]) {
                *label = self.map().segment(score);
            }
            Ok::<(), Error>(())
        })?;

        let mut segments = self.map().segments().to_vec();
        count(&mut segments, &labels, table.sample_weight());
        let mut report = FitReport::new(table.len());
        for (axis, ties) in Axis::ALL.into_iter().zip(&ties) {
            if !ties.empty_scores.is_empty() {
                report.notes.push(empty_scores_note(axis, ties));
            }
        }
        let map = self.map().clone();
        let model = RfmModel::from_parts(schema, map, segments, axes, inductive)?;
        Ok(Fitted::new(model, labels, report))
    }
}

/// States sizes and shares. A row of weight 0 does not count.
fn count(
    segments: &mut [Segment],
    labels: &[Option<SegmentIndex>],
    weights: Option<&[f64]>,
) {
    let mut sizes = vec![0_u64; segments.len()];
    let mut sums = vec![0.0_f64; segments.len()];
    let weight = |row: usize| weights.map_or(1.0, |w| w[row]);
    for (row, label) in labels.iter().enumerate() {
        if let Some(label) = label
            && weight(row) > 0.0
        {
            sizes[label.get()] += 1;
            sums[label.get()] += weight(row);
        }
    }
    let total: f64 = sums.iter().sum();
    for ((segment, size), sum) in segments.iter_mut().zip(sizes).zip(sums) {
        segment.size = Some(size);
        segment.share = Some((sum / total).min(1.0));
    }
}

fn empty_scores_note(axis: Axis, ties: &TieReport) -> Note {
    let scores: Vec<String> = ties.empty_scores.iter().map(u32::to_string).collect();
    let message = format!(
        "nobody has the {} score {}: {:.1} % of the customers share the value {}",
        axis.name(),
        scores.join(", "),
        100.0 * ties.largest_tie_share,
        ties.largest_tie_value,
    );
    Note::new("empty-scores", message)
}
