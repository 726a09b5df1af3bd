//! A fitted RFM segmentation.

use serde::{Deserialize, Serialize};

use super::config::{Axis, check_grid};
use super::map::SegmentMap;
use super::quantile::{CutPoint, NTiles, Side};
use crate::data::{Customer, FeatureKind, FeatureSpec, Schema};
use crate::error::{Error, Result};
use crate::score::{Direction, RfmScore, number_of};
use crate::segmenter::{
    Assignment, AxisScore, Capabilities, Explanation, Persist, Reason, Registry, Relabel,
    Scratch, Segment, SegmentIndex, Segmenter, check_segments, replace_segments,
};

/// The scorers of all axes, recency first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axes {
    pub(super) nested: bool,
    /// For each axis one scorer, or, where axes are nested, one for each cell of the axes
    /// before it.
    pub(super) tiles: Vec<Vec<NTiles>>,
}

impl Axes {
    pub(super) fn tiles(&self, axis: Axis) -> &[NTiles] {
        self.tiles.get(axis as usize).map_or(&[], Vec::as_slice)
    }

    /// The scorer of an axis for a customer with these scores on the axes before it.
    fn scorer(&self, axis: usize, before: &[u32]) -> &NTiles {
        let tiles = &self.tiles[axis];
        if !self.nested {
            return &tiles[0];
        }
        let cell = before.iter().enumerate().fold(0, |cell, (i, &score)| {
            cell * self.tiles[i][0].n_tiles() as usize + score as usize - 1
        });
        &tiles[cell]
    }

    /// Scores of finite values; places beyond the axes stay 0.
    #[inline]
    fn score(&self, values: [f64; 3]) -> [u32; 3] {
        let mut scores = [0; 3];
        if !self.nested {
            for ((score, tiles), x) in scores.iter_mut().zip(&self.tiles).zip(values) {
                *score = tiles[0].score_finite(x);
            }
            return scores;
        }
        for axis in 0..self.tiles.len() {
            let tiles = self.scorer(axis, &scores[..axis]);
            scores[axis] = tiles.score_finite(values[axis]);
        }
        scores
    }

    /// Two or three axes; as many scorers as the nesting asks for, which agree in
    /// direction and number of scores.
    fn check(&self) -> Result<()> {
        if !(2..=3).contains(&self.tiles.len()) {
            return Err(Error::parameter("axes", "2 or 3", self.tiles.len()));
        }
        let mut n_parents = 1;
        for (tiles, axis) in self.tiles.iter().zip(Axis::ALL) {
            let needed = if self.nested { n_parents } else { 1 };
            if tiles.len() != needed {
                let what = format!("the list of {} scorers", axis.name());
                return Err(Error::length(what, needed, tiles.len()));
            }
            let (n, direction) = (tiles[0].n_tiles(), tiles[0].direction());
            let agrees = |t: &NTiles| t.n_tiles() == n && t.direction() == direction;
            if !tiles.iter().all(agrees) {
                let what = format!("{} scorers", axis.name());
                return Err(Error::parameter(what, "alike", "different"));
            }
            n_parents *= n as usize;
        }
        Ok(())
    }
}

/// A fitted RFM segmentation: cut points and a map. It keeps no customers.
///
/// An assignment is certain: its cost is 0 and it has no runner-up, for the distance to a
/// cut point says nothing about the names on its other side.
///
/// ```
/// use segmenta::SegmenterExt;
/// use segmenta::data::OwnedCustomer;
/// use segmenta::history::LedgerOptions;
/// use segmenta::rfm::{RfmModel, SegmentMap};
///
/// let schema = LedgerOptions::new().currency("EUR").schema()?;
/// let model = RfmModel::from_cut_points(
///     &schema,
///     &[
///         vec![14.0, 30.0, 90.0, 180.0],
///         vec![1.0, 2.0, 4.0, 9.0],
///         vec![20.0, 50.0, 100.0, 500.0],
///     ],
///     SegmentMap::eleven_segments(),
/// )?;
/// let ann = OwnedCustomer::new(&schema, "ann")
///     .set("recency", 200.0)?
///     .set("frequency", 12.0)?
///     .set("monetary", 900.0)?;
/// let assignment = model.assign(&ann)?;
/// assert_eq!(model.segment_of(&assignment).unwrap().name, "Cannot Lose Them");
/// assert_eq!(model.score(200.0, 12.0, 900.0)?.code(), Some(155));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RfmModel {
    schema: Schema,
    map: SegmentMap,
    segments: Vec<Segment>,
    axes: Axes,
    /// False when the fit told equal customers apart.
    inductive: bool,
}

impl RfmModel {
    pub(super) fn from_parts(
        schema: Schema,
        map: SegmentMap,
        segments: Vec<Segment>,
        axes: Axes,
        inductive: bool,
    ) -> Result<RfmModel> {
        axes.check()?;
        let scores: Vec<u32> = axes.tiles.iter().map(|t| t[0].n_tiles()).collect();
        check_grid(map.grid(), &scores)?;
        if schema.len() != axes.tiles.len() {
            return Err(Error::length("the schema", axes.tiles.len(), schema.len()));
        }
        for spec in schema.features() {
            if spec.kind() != FeatureKind::Number {
                return Err(Error::parameter(
                    format!("kind of feature `{}`", spec.name()),
                    "number",
                    spec.kind(),
                ));
            }
        }
        if segments.len() != map.segments().len() {
            let needed = map.segments().len();
            return Err(Error::length("the list of segments", needed, segments.len()));
        }
        check_segments(&segments)?;
        Ok(RfmModel { schema, map, segments, axes, inductive })
    }

    /// A model by stated cut points, without a fit. The features of `schema` are recency
    /// (lower is better), frequency and, where the map has three axes, monetary, in this
    /// order; `cut_points` has one ascending list for each. A value on a cut point belongs
    /// to the interval below it.
    ///
    /// # Errors
    /// When the numbers of features, lists and cut points do not fit the map, a feature is
    /// not a number, or cut points are not finite and ascending.
    pub fn from_cut_points(
        schema: &Schema,
        cut_points: &[Vec<f64>],
        map: SegmentMap,
    ) -> Result<RfmModel> {
        let tiles = cut_points.iter().enumerate().map(|(axis, values)| {
            let direction = if axis == Axis::Recency as usize {
                Direction::LowerIsBetter
            } else {
                Direction::HigherIsBetter
            };
            let cut = |&value: &f64| CutPoint { value, belongs: Side::Below };
            let tiles =
                NTiles::from_cut_points(values.iter().map(cut).collect(), direction)?;
            Ok(vec![tiles])
        });
        let axes = Axes { nested: false, tiles: tiles.collect::<Result<_>>()? };
        let schema = Schema::new(schema.features().iter().cloned())?;
        let segments = map.segments().to_vec();
        RfmModel::from_parts(schema, map, segments, axes, true)
    }

    /// The scores of one customer, without allocation. Without a
    /// monetary axis the money is not read and may be `None`.
    ///
    /// # Errors
    /// When a value is not finite, or the money is needed and `None`.
    #[inline]
    pub fn score(
        &self,
        recency: f64,
        frequency: f64,
        monetary: impl Into<Option<f64>>,
    ) -> Result<RfmScore> {
        let money = monetary.into();
        let m = if self.axes.tiles.len() == 3 { money } else { Some(0.0) };
        match m {
            Some(m) if recency.is_finite() && frequency.is_finite() && m.is_finite() => {
                Ok(self.score_of(self.axes.score([recency, frequency, m])))
            }
            _ => Err(self.refuse([Some(recency), Some(frequency), money])),
        }
    }

    /// The error for values of which one cannot be scored.
    #[cold]
    fn refuse(&self, given: [Option<f64>; 3]) -> Error {
        let bad = |(spec, x): (&FeatureSpec, Option<f64>)| match x {
            None => Some(spec.missing(None)),
            Some(x) if !x.is_finite() => Some(spec.non_finite(x, None)),
            Some(_) => None,
        };
        let first = self.schema.features().iter().zip(given).find_map(bad);
        first.unwrap_or_else(|| Error::undefined("the score", "a value is not usable"))
    }

    /// The segment of a cell of scores; `None` when they are not of this model's grid.
    #[must_use]
    pub fn segment(&self, score: &RfmScore) -> Option<SegmentIndex> {
        self.map.segment(score)
    }

    /// The map from cells to segments, with the names that it was built with.
    #[must_use]
    pub fn segment_map(&self) -> &SegmentMap {
        &self.map
    }

    /// The scorers of an axis: one, or, where axes are nested, one for each cell of the
    /// axes before it, in the order of [`Grid::position`](super::Grid::position). Empty for
    /// an axis that was left out.
    #[must_use]
    pub fn tiles(&self, axis: Axis) -> &[NTiles] {
        self.axes.tiles(axis)
    }

    fn score_of(&self, scores: [u32; 3]) -> RfmScore {
        let [r, f, m] = scores;
        RfmScore { r, f, m: (self.axes.tiles.len() == 3).then_some(m) }
    }

    fn values_of(&self, customer: &dyn Customer) -> Result<[f64; 3]> {
        let mut values = [0.0; 3];
        for (j, (spec, value)) in
            self.schema.features().iter().zip(&mut values).enumerate()
        {
            *value = number_of(customer, j, spec)?;
        }
        Ok(values)
    }

    fn certain(&self, scores: [u32; 3]) -> Assignment {
        let segment = self.map.segment(&self.score_of(scores));
        // The map was checked to be total on the grid of these scores.
        segment.map_or(Assignment::none(), Assignment::certain)
    }
}

impl Segmenter for RfmModel {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        _: &mut Scratch,
    ) -> Result<Assignment> {
        Ok(self.certain(self.axes.score(self.values_of(customer)?)))
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let values = self.values_of(customer)?;
        let scores = self.axes.score(values);
        let axis_score = |axis: Axis| {
            let at = axis as usize;
            let tiles = self.axes.scorer(at, &scores[..at]);
            let (from, to) = tiles.interval(values[at]);
            AxisScore {
                axis: axis.name().to_owned(),
                value: values[at],
                score: scores[at],
                best: tiles.n_tiles(),
                from,
                to,
                cut_points: tiles.cut_points().iter().map(|cut| cut.value).collect(),
            }
        };
        let axes = Axis::ALL.into_iter().take(self.axes.tiles.len());
        let reason = Reason::Scores { axes: axes.map(axis_score).collect() };
        Ok(Explanation::new(self.certain(scores), reason).named(&self.segments))
    }

    /// Not inductive when the fit told equal customers apart.
    fn capabilities(&self) -> Capabilities {
        Capabilities::new().inductive(self.inductive)
    }
}

impl Relabel for RfmModel {
    fn relabel(&mut self, segments: Vec<Segment>) -> Result<()> {
        replace_segments(&mut self.segments, segments)
    }
}

/// The shape of an [`RfmModel`] on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfmRepr {
    map: SegmentMap,
    segments: Vec<Segment>,
    nested: bool,
    inductive: bool,
    recency: Vec<NTiles>,
    frequency: Vec<NTiles>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    monetary: Option<Vec<NTiles>>,
}

impl Persist for RfmModel {
    const KIND: &'static str = "segmenta.rfm";
    const VERSION: u32 = 1;
    type Repr = RfmRepr;

    fn to_repr(&self, _: &Registry) -> Result<RfmRepr> {
        let tiles = |axis| self.axes.tiles(axis).to_vec();
        Ok(RfmRepr {
            map: self.map.clone(),
            segments: self.segments.clone(),
            nested: self.axes.nested,
            inductive: self.inductive,
            recency: tiles(Axis::Recency),
            frequency: tiles(Axis::Frequency),
            monetary: (self.axes.tiles.len() == 3).then(|| tiles(Axis::Monetary)),
        })
    }

    fn from_repr(repr: RfmRepr, schema: Schema, _: &Registry) -> Result<RfmModel> {
        let mut tiles = vec![repr.recency, repr.frequency];
        tiles.extend(repr.monetary);
        let axes = Axes { nested: repr.nested, tiles };
        RfmModel::from_parts(schema, repr.map, repr.segments, axes, repr.inductive)
            .map_err(|e| Error::corrupt(RfmModel::KIND, e.to_string()))
    }
}
