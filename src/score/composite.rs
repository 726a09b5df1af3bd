//! One score out of several features.

use serde::{Deserialize, Serialize};

use super::Direction;
use super::rank::Moments;
use super::read::{number_of, numbers_of};
use crate::data::{Customer, FeatureKind, Schema, Table};
use crate::error::{Error, ErrorKind, Result};

/// How a feature becomes comparable with others. In each case more is better afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scaling {
    /// `(x - mean) / sd`, with the population's standard deviation; negated where lower is
    /// better.
    #[default]
    ZScore,
    /// `(x - min) / (max - min)`, 0 to 1 on the table it was fitted to and beyond for new
    /// customers outside its range; `1 -` that where lower is better.
    MinMax,
    /// The share of customers below, ties counted half, 0 to 1 (the percentile rank
    /// [`RankKind::Mean`](super::RankKind::Mean)); `1 -` that where lower is better. The
    /// model keeps the different values of the table.
    Percentile,
}

/// A weighted mean of scaled features, each with its direction stated.
///
/// The fitted model keeps the scales, so that new customers are scored alike.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::score::{Composite, Direction, Scaling};
///
/// let schema = Schema::new([FeatureSpec::number("recency"), FeatureSpec::number("spend")])?;
/// let table = Table::builder(&schema, 3)
///     .numbers("recency", &[10.0, 20.0, 60.0][..])
///     .numbers("spend", &[100.0, 50.0, 0.0][..])
///     .build()?;
/// let model = Composite::new()
///     .term("recency", 1.0, Direction::LowerIsBetter)
///     .term("spend", 3.0, Direction::HigherIsBetter)
///     .scaling(Scaling::MinMax)
///     .fit(&table)?;
/// assert_eq!(model.score_table(&table)?, [1.0, 0.575, 0.0]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composite {
    terms: Vec<Term>,
    scaling: Scaling,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    feature: String,
    weight: f64,
    direction: Direction,
}

impl Composite {
    /// No features yet, scaled by z-scores.
    #[must_use]
    pub fn new() -> Composite {
        Composite::default()
    }

    /// Adds a feature with its weight and the direction in which it is good.
    #[must_use]
    pub fn term(
        mut self,
        feature: impl Into<String>,
        weight: f64,
        direction: Direction,
    ) -> Composite {
        self.terms.push(Term { feature: feature.into(), weight, direction });
        self
    }

    /// How features become comparable.
    #[must_use]
    pub fn scaling(mut self, scaling: Scaling) -> Composite {
        self.scaling = scaling;
        self
    }

    /// All checks that need no data.
    ///
    /// # Errors
    /// When there is no feature, one is named twice, or a weight is not positive and
    /// finite.
    pub fn validate(&self) -> Result<()> {
        if self.terms.is_empty() {
            return Err(Error::parameter("terms", "at least one", 0));
        }
        for (i, term) in self.terms.iter().enumerate() {
            if !(term.weight > 0.0 && term.weight.is_finite()) {
                return Err(Error::parameter(
                    format!("weight of `{}`", term.feature),
                    "positive and finite",
                    term.weight,
                ));
            }
            if self.terms[..i].iter().any(|other| other.feature == term.feature) {
                let name = term.feature.clone();
                return Err(ErrorKind::DuplicateName { what: "feature", name }.into());
            }
        }
        if !self.terms.iter().map(|term| term.weight).sum::<f64>().is_finite() {
            return Err(Error::parameter("sum of the weights", "finite", "inf"));
        }
        Ok(())
    }

    /// Learns the scales. Rows count by their weights.
    ///
    /// # Errors
    /// When a parameter is out of range; when the table lacks a feature, it is not a
    /// number, or a value is missing; when no two rows of positive weight differ in a
    /// feature (any scaling would divide by 0).
    pub fn fit(&self, table: &Table<'_>) -> Result<CompositeModel> {
        self.validate()?;
        let mut specs = Vec::with_capacity(self.terms.len());
        let mut scales = Vec::with_capacity(self.terms.len());
        for term in &self.terms {
            let index = table.schema().require(&term.feature)?;
            let spec = &table.schema().features()[index.get()];
            let values = numbers_of(table, index)?;
            let scale = Scale::fit(self.scaling, &values, table.sample_weight())
                .ok_or_else(|| {
                    Error::undefined(
                        format!("the scale of `{}`", term.feature),
                        "no two rows differ in it",
                    )
                })?;
            scales.push(scale);
            specs.push(spec.clone());
        }
        Ok(CompositeModel {
            schema: Schema::new(specs)?,
            terms: self.terms.clone(),
            scales,
        })
    }
}

/// The fitted scale of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Scale {
    ZScore(Moments),
    MinMax {
        min: f64,
        max: f64,
    },
    /// The different values, ascending, each with the share of weight below it and up to
    /// it.
    Percentile {
        values: Vec<f64>,
        below: Vec<f64>,
        up_to: Vec<f64>,
    },
}

impl Scale {
    /// `None` when no two values of positive weight differ.
    fn fit(scaling: Scaling, values: &[f64], weights: Option<&[f64]>) -> Option<Scale> {
        let moments = Moments::of(values, weights)?;
        if scaling == Scaling::ZScore {
            return Some(Scale::ZScore(moments));
        }
        // By value and then weight, so that the order of the rows leaves no trace.
        let mut sorted: Vec<(f64, f64)> = values
            .iter()
            .enumerate()
            .map(|(row, &x)| (x + 0.0, weights.map_or(1.0, |w| w[row])))
            .filter(|&(_, weight)| weight > 0.0)
            .collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (min, max) = (sorted.first()?.0, sorted.last()?.0);
        if scaling == Scaling::MinMax {
            return Some(Scale::MinMax { min, max });
        }
        let total: f64 = sorted.iter().map(|&(_, weight)| weight).sum();
        let (mut values, mut below, mut up_to) = (Vec::new(), Vec::new(), Vec::new());
        let mut sum = 0.0;
        for tie in sorted.chunk_by(|a, b| a.0 == b.0) {
            values.push(tie[0].0);
            below.push(sum / total);
            for &(_, weight) in tie {
                sum += weight;
            }
            up_to.push(sum / total);
        }
        Some(Scale::Percentile { values, below, up_to })
    }

    /// The scaled value before the direction is applied, and what `1 -` is for it.
    fn apply(&self, x: f64, direction: Direction) -> f64 {
        let lower = direction == Direction::LowerIsBetter;
        match self {
            Scale::ZScore(moments) => {
                let z = moments.standardise(x);
                if lower { -z } else { z }
            }
            Scale::MinMax { min, max } => {
                // Halved where the range may exceed the largest number; the least numbers
                // have no halves.
                let part = if min.abs().max(max.abs()) > 1.0 { 0.5 } else { 1.0 };
                let range = part * max - part * min;
                let from =
                    if lower { part * max - part * x } else { part * x - part * min };
                from / range
            }
            Scale::Percentile { values, below, up_to } => {
                let at = values.partition_point(|&v| v < x);
                let share = match values.get(at) {
                    Some(&v) if v == x => (below[at] + up_to[at]) / 2.0,
                    Some(_) => below[at],
                    None => 1.0,
                };
                if lower { 1.0 - share } else { share }
            }
        }
    }

    fn is_sound(&self) -> bool {
        match self {
            Scale::ZScore(m) => {
                m.unit.is_finite()
                    && m.unit > 0.0
                    && m.mean.is_finite()
                    && m.sd.is_finite()
                    && m.sd > 0.0
            }
            Scale::MinMax { min, max } => min.is_finite() && max.is_finite() && min < max,
            Scale::Percentile { values, below, up_to } => {
                let share = |x: &f64| (0.0..=1.0).contains(x);
                values.len() == below.len()
                    && values.len() == up_to.len()
                    && !values.is_empty()
                    && values.iter().all(|x| x.is_finite())
                    && values.windows(2).all(|pair| pair[0] < pair[1])
                    && below.iter().all(share)
                    && up_to.iter().all(share)
                    && below.iter().zip(up_to).all(|(b, u)| b <= u)
                    && up_to.iter().zip(below.iter().skip(1)).all(|(u, b)| u <= b)
            }
        }
    }
}

/// What [`Composite`] learns: the scales of its features.
///
/// The score is `sum(weight_j * scaled_j) / sum(weight_j)`. It is saved with serde and
/// checked when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CompositeRepr")]
pub struct CompositeModel {
    schema: Schema,
    terms: Vec<Term>,
    scales: Vec<Scale>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompositeRepr {
    schema: Schema,
    terms: Vec<Term>,
    scales: Vec<Scale>,
}

impl TryFrom<CompositeRepr> for CompositeModel {
    type Error = Error;

    fn try_from(repr: CompositeRepr) -> Result<CompositeModel> {
        let CompositeRepr { schema, terms, scales } = repr;
        let corrupt = |reason: &str| Error::corrupt("segmenta.composite", reason);
        let composite = Composite { terms, scaling: Scaling::default() };
        composite.validate()?;
        let terms = composite.terms;
        if scales.len() != terms.len() || schema.len() != terms.len() {
            return Err(corrupt("features, terms and scales differ in number"));
        }
        for (term, spec) in terms.iter().zip(schema.features()) {
            if term.feature != spec.name() || spec.kind() != FeatureKind::Number {
                return Err(corrupt("features and terms differ"));
            }
        }
        if !scales.iter().all(Scale::is_sound) {
            return Err(corrupt("a scale is not finite or not in order"));
        }
        Ok(CompositeModel { schema, terms, scales })
    }
}

/// What one feature adds to a composite score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermScore {
    /// The feature's name.
    pub feature: String,
    /// What the customer has.
    pub value: f64,
    /// That value, scaled, more being better.
    pub scaled: f64,
    /// Its part of the score: the parts sum to the score.
    pub contribution: f64,
}

impl CompositeModel {
    /// The features that are read, in the order of the terms.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The score of one customer, seen through [`schema`](CompositeModel::schema).
    ///
    /// # Errors
    /// When a value is missing, not finite or not a number, or leaves the range of `f64`
    /// when scaled.
    pub fn score(&self, customer: &dyn Customer) -> Result<f64> {
        let mut score = 0.0;
        for (j, spec) in self.schema.features().iter().enumerate() {
            score += self.part(j, number_of(customer, j, spec)?)?.contribution;
        }
        Ok(score)
    }

    /// The score of one customer by values in the order of the terms. Allocates nothing.
    ///
    /// # Errors
    /// When there are more or fewer values than terms, or one is not finite or does not
    /// stay so when scaled.
    pub fn score_row(&self, values: &[f64]) -> Result<f64> {
        if values.len() != self.terms.len() {
            return Err(Error::length("the row", self.terms.len(), values.len()));
        }
        let mut score = 0.0;
        for (j, (spec, &x)) in self.schema.features().iter().zip(values).enumerate() {
            if !x.is_finite() {
                return Err(spec.non_finite(x, None));
            }
            score += self.part(j, x)?.contribution;
        }
        Ok(score)
    }

    /// The scores of all rows of a table, whose schema holds at least the features of the
    /// terms.
    ///
    /// # Errors
    /// When the table lacks a feature, or a value is missing or leaves the range of `f64`
    /// when scaled; the error names the row.
    pub fn score_table(&self, table: &Table<'_>) -> Result<Vec<f64>> {
        let mut scores = vec![0.0; table.len()];
        let map = self.schema.locate_in(table.schema())?;
        for (j, &index) in map.features().iter().enumerate() {
            let values = numbers_of(table, index)?;
            for (row, (score, &x)) in scores.iter_mut().zip(values.iter()).enumerate() {
                *score += self.part(j, x).map_err(|e| e.at_row(row))?.contribution;
            }
        }
        Ok(scores)
    }

    /// What each feature adds to the score of one customer.
    ///
    /// # Errors
    /// As [`score`](CompositeModel::score).
    pub fn contributions(&self, customer: &dyn Customer) -> Result<Vec<TermScore>> {
        let specs = self.schema.features().iter().enumerate();
        specs
            .map(|(j, spec)| {
                let Part { value, scaled, contribution } =
                    self.part(j, number_of(customer, j, spec)?)?;
                let feature = spec.name().to_owned();
                Ok(TermScore { feature, value, scaled, contribution })
            })
            .collect()
    }

    fn part(&self, j: usize, value: f64) -> Result<Part> {
        let total: f64 = self.terms.iter().map(|term| term.weight).sum();
        let scaled = self.scales[j].apply(value, self.terms[j].direction);
        if !scaled.is_finite() {
            let name = &self.terms[j].feature;
            return Err(ErrorKind::Value {
                expected: format!("a `{name}` that stays finite when scaled").into(),
                found: value.to_string(),
                row: None,
            }
            .into());
        }
        Ok(Part { value, scaled, contribution: self.terms[j].weight / total * scaled })
    }
}

struct Part {
    value: f64,
    scaled: f64,
    contribution: f64,
}
