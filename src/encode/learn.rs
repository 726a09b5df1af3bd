//! Scales, levels and stand-ins, learned from a table.

use super::fitted::{EncodedFeature, FittedEncoder, Raw, is_scaled, one_hot, raw};
use super::{Encoder, Impute, Scaling, UnknownLevel};
use crate::data::{Column, FeatureIndex, FeatureKind, FeatureSpec, Schema, Table, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::quantile::quantile;

pub(super) fn fit(config: &Encoder, table: &Table<'_>) -> Result<FittedEncoder> {
    config.validate()?;
    let schema = match &config.features {
        Some(names) => table.schema().select(names)?,
        None => Schema::new(table.schema().features().iter().cloned())?,
    };
    if schema.is_empty() {
        return Err(Error::parameter("features", "at least one", "none"));
    }
    for name in config.log1p.iter().chain(config.weights.keys()) {
        schema.require(name)?;
    }
    let weights = table.sample_weight();
    let rows: Vec<usize> =
        (0..table.len()).filter(|&i| weights.is_none_or(|w| w[i] > 0.0)).collect();
    if rows.is_empty() {
        return Err(too_few("rows"));
    }
    let weight_of = |row: usize| weights.map_or(1.0, |w| w[row]);
    let map = schema.locate_in(table.schema())?;
    let mut features = Vec::with_capacity(schema.len());
    for (spec, &index) in schema.features().iter().zip(map.features()) {
        let mut feature = EncodedFeature {
            levels: levels_of(spec, table, index, &rows)?,
            by_name: Vec::new(),
            log1p: config.log1p.iter().any(|name| name == spec.name()),
            center: 0.0,
            scale: 1.0,
            weight: config.weights.get(spec.name()).copied().unwrap_or(1.0),
            fill: None,
            first: 0,
        };
        feature.by_name = (0..feature.levels.len() as u32).collect();
        feature.by_name.sort_by_key(|&i| feature.levels[i as usize].clone());
        if feature.log1p && spec.kind() != FeatureKind::Number {
            return Err(spec.wrong_kind("ln(1 + x), which needs a number", None));
        }
        learn(config, spec, &mut feature, table, index, &rows, &weight_of)?;
        features.push(feature);
    }
    Ok(FittedEncoder::new(schema, features, config.unknown_level))
}

/// The schema's levels where they are closed, else those that occur, sorted by name.
fn levels_of(
    spec: &FeatureSpec,
    table: &Table<'_>,
    index: FeatureIndex,
    rows: &[usize],
) -> Result<Vec<String>> {
    if !spec.get_levels().is_empty() {
        return Ok(spec.get_levels().to_vec());
    }
    let mut used: Vec<&str> = Vec::new();
    match table.column(index) {
        Some(Column::Category(codes, levels, validity)) => {
            let mut seen = vec![false; levels.len()];
            for &row in rows.iter().filter(|&&row| validity.is_valid(row)) {
                seen[codes[row] as usize] = true;
            }
            used = levels.iter().zip(seen).filter(|(_, s)| *s).map(|(l, _)| l).collect();
        }
        Some(Column::Tags(tags, validity)) => {
            let mut seen = vec![false; tags.levels().len()];
            for &row in rows.iter().filter(|&&row| validity.is_valid(row)) {
                for &code in tags.codes_of(row) {
                    seen[code as usize] = true;
                }
            }
            let levels = tags.levels().iter().zip(seen);
            used = levels.filter(|(_, s)| *s).map(|(l, _)| l).collect();
        }
        _ => {}
    }
    used.sort_unstable();
    used.dedup();
    if used.is_empty() && spec.kind() == FeatureKind::Category {
        return Err(no_value(spec));
    }
    Ok(used.into_iter().map(str::to_owned).collect())
}

fn learn(
    config: &Encoder,
    spec: &FeatureSpec,
    feature: &mut EncodedFeature,
    table: &Table<'_>,
    index: FeatureIndex,
    rows: &[usize],
    weight_of: &dyn Fn(usize) -> f64,
) -> Result<()> {
    if one_hot(spec.kind()) && config.impute == Impute::Error {
        // Nothing to learn but the levels. Their columns are not collected, for there may
        // be as many as rows.
        let missing = |&&row: &&usize| table.row(row).value(index).is_missing();
        return match rows.iter().find(missing) {
            Some(&row) => Err(spec.missing(Some(row))),
            None => Ok(()),
        };
    }
    let width = feature.width(spec.kind());
    let mut columns = vec![Sample::default(); width];
    let mut out = vec![0.0; width];
    for &row in rows {
        let customer = table.row(row);
        let value: Value<'_> = customer.value(index);
        match raw(spec, feature, value, UnknownLevel::Error, &mut out)
            .map_err(|e| e.at_row(row))?
        {
            Raw::Filled => {
                for (column, &x) in columns.iter_mut().zip(&out) {
                    column.push(x, weight_of(row));
                }
            }
            Raw::Missing if config.impute == Impute::Error => {
                return Err(spec.missing(Some(row)));
            }
            Raw::Missing => {}
        }
    }
    if width > 0 && columns[0].values.is_empty() {
        return Err(no_value(spec));
    }
    columns.iter_mut().for_each(Sample::sort);
    if config.impute != Impute::Error {
        feature.fill = Some(if spec.kind() == FeatureKind::Category {
            fill_category(config.impute, &columns)
        } else {
            columns.iter().map(|column| column.stand_in(config.impute)).collect()
        });
    }
    if is_scaled(spec.kind()) && !one_hot(spec.kind()) {
        let (center, scale) = columns[0].scale(config.scaling);
        if !(center.is_finite() && scale.is_finite()) {
            return Err(ErrorKind::Undefined {
                what: format!("the scale of `{}`", spec.name()).into(),
                reason: "its values are too large for f64".into(),
            }
            .into());
        }
        feature.center = center;
        feature.scale = if scale > 0.0 { scale } else { 1.0 };
    }
    Ok(())
}

/// For the most frequent category exactly one column is 1; its median or mean is that of
/// the columns.
fn fill_category(impute: Impute, columns: &[Sample]) -> Vec<f64> {
    if impute != Impute::MostFrequent {
        return columns.iter().map(|column| column.stand_in(impute)).collect();
    }
    let shares: Vec<f64> = columns.iter().map(Sample::mean).collect();
    let best = (0..shares.len()).rev().max_by(|&a, &b| shares[a].total_cmp(&shares[b]));
    (0..shares.len()).map(|i| f64::from(u8::from(Some(i) == best))).collect()
}

/// The present values of one column with their weights.
#[derive(Clone, Debug, Default)]
struct Sample {
    values: Vec<(f64, f64)>,
    total: f64,
}

impl Sample {
    fn push(&mut self, x: f64, weight: f64) {
        self.values.push((x, weight));
        self.total += weight;
    }

    fn sort(&mut self) {
        self.values.sort_by(|a, b| a.0.total_cmp(&b.0));
    }

    /// Mean, from the first value on, so that a far origin costs no digits.
    fn mean(&self) -> f64 {
        let Some(&(origin, _)) = self.values.first() else { return 0.0 };
        let sum: f64 = self.values.iter().map(|&(x, w)| w * (x - origin)).sum();
        origin + sum / self.total
    }

    fn quantile(&self, p: f64) -> f64 {
        quantile(&self.values, p).unwrap_or(0.0)
    }

    fn most_frequent(&self) -> f64 {
        let mut best = (0.0, 0.0);
        for group in self.values.chunk_by(|a, b| a.0 == b.0) {
            let weight: f64 = group.iter().map(|&(_, w)| w).sum();
            if weight > best.1 {
                best = (group[0].0, weight);
            }
        }
        best.0
    }

    fn stand_in(&self, impute: Impute) -> f64 {
        match impute {
            Impute::Error | Impute::Mean => self.mean(),
            Impute::Median => self.quantile(0.5),
            Impute::MostFrequent => self.most_frequent(),
        }
    }

    /// What is subtracted, and what the rest is divided by.
    fn scale(&self, scaling: Scaling) -> (f64, f64) {
        let (Some(&(low, _)), Some(&(high, _))) =
            (self.values.first(), self.values.last())
        else {
            return (0.0, 1.0);
        };
        match scaling {
            Scaling::None => (0.0, 1.0),
            Scaling::Standard if low == high => (low, 1.0),
            Scaling::Standard => {
                // Deviations are taken in parts of the range, so that their squares
                // neither overflow nor vanish.
                let (mean, range) = (self.mean(), high - low);
                let part = |x: f64| (x - mean) / range;
                let squares: f64 =
                    self.values.iter().map(|&(x, w)| w * part(x) * part(x)).sum();
                (mean, range * (squares / self.total).sqrt())
            }
            Scaling::MinMax => (low, high - low),
            Scaling::Robust => {
                (self.quantile(0.5), self.quantile(0.75) - self.quantile(0.25))
            }
        }
    }
}

fn too_few(what: &'static str) -> Error {
    ErrorKind::TooFewRows { what: what.into(), needed: 1, found: 0 }.into()
}

fn no_value(spec: &FeatureSpec) -> Error {
    Error::undefined(
        format!("the encoding of `{}`", spec.name()),
        "all values are missing",
    )
}
