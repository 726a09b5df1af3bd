//! An encoder that has seen its table.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::UnknownLevel;
use crate::data::{
    Customer, Date, FeatureIndex, FeatureKind, FeatureSpec, OwnedValue, Remapped, Schema,
    SchemaMap, Table, Value,
};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::for_each_block;

/// Turns customers into rows of numbers, always in the same way.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::encode::Encoder;
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")])?;
/// let table = Table::builder(&schema, 2)
///     .numbers("orders", &[1.0, 5.0][..])
///     .flags("member", vec![true, false])
///     .build()?;
/// let fitted = Encoder::unscaled().fit(&table)?;
/// let names: Vec<_> = fitted.columns().iter().map(|column| column.name()).collect();
/// assert_eq!(names, ["orders", "member"]);
/// assert_eq!(fitted.encode_table(&table)?, [1.0, 1.0, 5.0, 0.0]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FittedEncoder {
    schema: Schema,
    features: Vec<EncodedFeature>,
    columns: Vec<EncodedColumn>,
    unknown_level: UnknownLevel,
}

/// One column of the encoded matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedColumn {
    feature: FeatureIndex,
    name: String,
}

impl EncodedColumn {
    /// The feature it comes from.
    #[must_use]
    pub fn feature(&self) -> FeatureIndex {
        self.feature
    }

    /// The feature's name, with the level where there is one: `country=AT`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// How one feature is encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EncodedFeature {
    /// Levels of a category, an ordinal or tags, each a column but for ordinals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) levels: Vec<String>,
    /// Positions of `levels`, sorted by name. Derived, not saved.
    #[serde(skip)]
    pub(super) by_name: Vec<u32>,
    #[serde(default)]
    pub(super) log1p: bool,
    /// Subtracted before the division by `scale`; 0 for columns of 0 and 1.
    pub(super) center: f64,
    /// Never 0; 1 for columns of 0 and 1.
    pub(super) scale: f64,
    /// Multiplies the scaled columns.
    pub(super) weight: f64,
    /// Stand-in for a missing value, one for each column, before scaling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fill: Option<Vec<f64>>,
    /// First column. Derived, not saved.
    #[serde(skip)]
    pub(super) first: usize,
}

/// The shape of a [`FittedEncoder`] inside a saved model, whose envelope holds the schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderRepr {
    features: Vec<EncodedFeature>,
    unknown_level: UnknownLevel,
}

impl FittedEncoder {
    pub(super) fn new(
        schema: Schema,
        mut features: Vec<EncodedFeature>,
        unknown_level: UnknownLevel,
    ) -> FittedEncoder {
        let mut columns = Vec::new();
        let specs = schema.indices().zip(schema.features());
        for ((index, spec), feature) in specs.zip(&mut features) {
            feature.first = columns.len();
            let levels = &feature.levels;
            feature.by_name = (0..levels.len() as u32).collect();
            feature.by_name.sort_by(|&a, &b| levels[a as usize].cmp(&levels[b as usize]));
            let column = |name: String| EncodedColumn { feature: index, name };
            if one_hot(spec.kind()) {
                let name = spec.name();
                columns
                    .extend(levels.iter().map(|level| column(format!("{name}={level}"))));
            } else {
                columns.push(column(spec.name().to_owned()));
            }
        }
        FittedEncoder { schema, features, columns, unknown_level }
    }

    /// An encoder that takes the number features of `schema` as they are, for models
    /// whose centres were computed elsewhere.
    ///
    /// # Errors
    /// When a feature is not a number.
    pub fn identity(schema: &Schema) -> Result<FittedEncoder> {
        let mut features = Vec::with_capacity(schema.len());
        for spec in schema.features() {
            if spec.kind() != FeatureKind::Number {
                return Err(ErrorKind::WrongKind {
                    feature: spec.name().to_owned(),
                    expected: FeatureKind::Number.name(),
                    found: spec.kind().name(),
                    row: None,
                }
                .into());
            }
            features.push(EncodedFeature {
                levels: Vec::new(),
                by_name: Vec::new(),
                log1p: false,
                center: 0.0,
                scale: 1.0,
                weight: 1.0,
                fill: None,
                first: 0,
            });
        }
        Ok(FittedEncoder::new(schema.clone(), features, UnknownLevel::Error))
    }

    /// The features that are read.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How many columns the matrix has.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// The columns of the matrix.
    #[must_use]
    pub fn columns(&self) -> &[EncodedColumn] {
        &self.columns
    }

    /// True when a customer with missing values can be encoded.
    #[must_use]
    pub fn accepts_missing(&self) -> bool {
        self.features.iter().all(|f| f.fill.is_some())
    }

    /// The rows of a table, encoded: row-major, `table.len() × n_columns()`.
    ///
    /// # Errors
    /// When the table lacks a feature, or a value cannot be encoded; the error names the
    /// feature and the row. When the matrix is too large to be allocated; the error names
    /// the feature with the most columns.
    pub fn encode_table(&self, table: &Table<'_>) -> Result<Vec<f64>> {
        let width = self.n_columns();
        // Asked for first, since a vector that cannot be allocated ends the process.
        let fits = |&n: &usize| Vec::<f64>::new().try_reserve_exact(n).is_ok();
        let Some(n_places) = table.len().checked_mul(width).filter(fits) else {
            return Err(self.too_large(table.len()));
        };
        let mut matrix = vec![0.0; n_places];
        if width == 0 {
            return Ok(matrix);
        }
        let same = table.schema() == &self.schema;
        let map = if same {
            SchemaMap::default()
        } else {
            self.schema.locate_in(table.schema())?
        };
        for_each_block(&mut matrix, 1024 * width, |start, block| {
            for (i, out) in block.chunks_exact_mut(width).enumerate() {
                let row = table.row(start / width + i);
                let encoded = if same {
                    self.encode_customer(&row, out)
                } else {
                    self.encode_customer(&Remapped::new(&row, &map), out)
                };
                encoded.map_err(|e| e.at_row(start / width + i))?;
            }
            Ok::<(), Error>(())
        })?;
        Ok(matrix)
    }

    /// The error for a matrix that cannot be allocated.
    #[cold]
    fn too_large(&self, n_rows: usize) -> Error {
        let features = self.schema.features().iter().zip(&self.features);
        let widths = features.map(|(spec, f)| (f.width(spec.kind()), spec.name()));
        let (most, name) = widths.max().unwrap_or_default();
        let width = self.n_columns();
        Error::undefined(
            "the encoded matrix",
            format!(
                "{n_rows} rows of {width} columns, {most} of them for `{name}`, \
                 do not fit into memory"
            ),
        )
    }

    /// One customer, seen through [`schema`](FittedEncoder::schema), into `out`, which
    /// has `n_columns()` places. Allocates nothing.
    ///
    /// # Errors
    /// When a value is missing and has no stand-in, is not finite, of another kind or an
    /// unknown level, or leaves the range of `f64` when scaled.
    pub fn encode_customer(
        &self,
        customer: &dyn Customer,
        out: &mut [f64],
    ) -> Result<()> {
        if out.len() != self.n_columns() {
            return Err(Error::length("the encoded row", self.n_columns(), out.len()));
        }
        for (i, feature) in self.features.iter().enumerate() {
            let value = customer.value(FeatureIndex::new(i as u32));
            // The common case first: a plain number.
            if let Value::Number(x) = value
                && feature.levels.is_empty()
                && !feature.log1p
                && self.schema.features()[i].kind() == FeatureKind::Number
            {
                let encoded = (x - feature.center) / feature.scale * feature.weight;
                if !encoded.is_finite() {
                    return Err(self.not_finite(i, x));
                }
                out[feature.first] = encoded;
            } else {
                self.encode_value(i, value, out)?;
            }
        }
        Ok(())
    }

    /// The error for a number that is not finite, or is not after scaling.
    #[cold]
    fn not_finite(&self, i: usize, x: f64) -> Error {
        let spec = &self.schema.features()[i];
        if x.is_finite() {
            ErrorKind::Value {
                expected: format!("a `{}` that stays finite when scaled", spec.name())
                    .into(),
                found: x.to_string(),
                row: None,
            }
            .into()
        } else {
            spec.non_finite(x, None)
        }
    }

    fn encode_value(&self, i: usize, value: Value<'_>, out: &mut [f64]) -> Result<()> {
        let feature = &self.features[i];
        let spec = &self.schema.features()[i];
        let width = feature.width(spec.kind());
        let out = &mut out[feature.first..feature.first + width];
        match raw(spec, feature, value, self.unknown_level, out)? {
            Raw::Filled => {}
            Raw::Missing => match &feature.fill {
                Some(fill) => out.copy_from_slice(fill),
                None => return Err(spec.missing(None)),
            },
        }
        for x in out.iter_mut() {
            let encoded = (*x - feature.center) / feature.scale * feature.weight;
            if !encoded.is_finite() {
                return Err(self.not_finite(i, *x));
            }
            *x = encoded;
        }
        Ok(())
    }

    /// What an encoded row (a customer or a centre) has of a feature, in the host's
    /// units: a number, the level or flag with the largest share, the nearest day.
    /// Missing when the feature or the row does not belong to this encoder.
    #[must_use]
    pub fn decode(&self, feature: FeatureIndex, row: &[f64]) -> OwnedValue {
        let encoded = self.features.get(feature.get()).zip(self.schema.get(feature));
        let Some((encoded, spec)) = encoded else { return OwnedValue::Missing };
        let width = encoded.width(spec.kind());
        let Some(columns) = row.get(encoded.first..encoded.first + width) else {
            return OwnedValue::Missing;
        };
        let raw = |x: f64| x / encoded.weight * encoded.scale + encoded.center;
        let first = columns.first().map_or(0.0, |&x| raw(x));
        let level = |i: usize| encoded.levels.get(i).cloned();
        match spec.kind() {
            FeatureKind::Number if encoded.log1p => OwnedValue::Number(first.exp_m1()),
            FeatureKind::Number => OwnedValue::Number(first),
            FeatureKind::Flag => OwnedValue::Flag(first >= 0.5),
            FeatureKind::Date => Date::from_days(first.round() as i32)
                .map_or(OwnedValue::Missing, OwnedValue::Date),
            FeatureKind::Ordinal => {
                let last = encoded.levels.len().saturating_sub(1);
                level((first.round().max(0.0) as usize).min(last))
                    .map_or(OwnedValue::Missing, OwnedValue::Category)
            }
            FeatureKind::Category => {
                let best = (0..columns.len())
                    .rev()
                    .max_by(|&a, &b| columns[a].total_cmp(&columns[b]));
                best.and_then(level).map_or(OwnedValue::Missing, OwnedValue::Category)
            }
            FeatureKind::Tags => {
                let present = (0..columns.len()).filter(|&i| raw(columns[i]) >= 0.5);
                OwnedValue::Tags(present.filter_map(level).collect())
            }
        }
    }

    /// For saving.
    #[must_use]
    pub fn to_repr(&self) -> EncoderRepr {
        EncoderRepr { features: self.features.clone(), unknown_level: self.unknown_level }
    }

    /// From saved data, with the envelope's schema. `kind` is the kind of the model, for
    /// messages.
    ///
    /// # Errors
    /// When the data do not fit the schema, or contain numbers that no fit gives.
    pub fn from_repr(
        repr: EncoderRepr,
        schema: Schema,
        kind: &str,
    ) -> Result<FittedEncoder> {
        let corrupt = |reason: String| Err(Error::corrupt(kind, reason));
        if repr.features.len() != schema.len() {
            return corrupt(format!(
                "it encodes {} features, but its schema has {}",
                repr.features.len(),
                schema.len()
            ));
        }
        for (spec, feature) in schema.features().iter().zip(&repr.features) {
            let name = spec.name();
            let positive = |x: f64| x.is_finite() && x > 0.0;
            if !feature.center.is_finite()
                || !positive(feature.scale)
                || !positive(feature.weight)
            {
                return corrupt(format!("the scale of `{name}` is not usable"));
            }
            let scaled = feature.center != 0.0 || feature.scale != 1.0;
            if scaled && !is_scaled(spec.kind()) {
                return corrupt(format!("`{name}` is a {}, but is scaled", spec.kind()));
            }
            let has_levels = one_hot(spec.kind()) || spec.kind() == FeatureKind::Ordinal;
            if has_levels == feature.levels.is_empty() && spec.kind() != FeatureKind::Tags
            {
                return corrupt(format!("the levels of `{name}` do not fit its kind"));
            }
            if !has_levels && !feature.levels.is_empty() {
                return corrupt(format!("the levels of `{name}` do not fit its kind"));
            }
            if feature.log1p && spec.kind() != FeatureKind::Number {
                return corrupt(format!("`{name}` is a {}, but is logged", spec.kind()));
            }
            let levels: BTreeSet<&String> = feature.levels.iter().collect();
            let known: BTreeSet<&String> = spec.get_levels().iter().collect();
            let fit = known.is_empty() || levels.is_subset(&known);
            if levels.len() != feature.levels.len() || !fit {
                return corrupt(format!("the levels of `{name}` do not fit its schema"));
            }
            if let Some(fill) = &feature.fill
                && (fill.len() != feature.width(spec.kind())
                    || fill.iter().any(|x| !x.is_finite()))
            {
                return corrupt(format!("the stand-in of `{name}` is not usable"));
            }
        }
        Ok(FittedEncoder::new(schema, repr.features, repr.unknown_level))
    }
}

impl EncodedFeature {
    pub(super) fn width(&self, kind: FeatureKind) -> usize {
        if one_hot(kind) { self.levels.len() } else { 1 }
    }

    fn position(&self, level: &str) -> Option<usize> {
        let found = self
            .by_name
            .binary_search_by(|&i| self.levels[i as usize].as_str().cmp(level));
        found.ok().map(|at| self.by_name[at] as usize)
    }
}

pub(super) fn one_hot(kind: FeatureKind) -> bool {
    matches!(kind, FeatureKind::Category | FeatureKind::Tags)
}

pub(super) fn is_scaled(kind: FeatureKind) -> bool {
    matches!(kind, FeatureKind::Number | FeatureKind::Date | FeatureKind::Ordinal)
}

pub(super) enum Raw {
    /// The value's columns were written.
    Filled,
    /// The value is missing; nothing was written.
    Missing,
}

/// Writes the columns of a value before scaling.
pub(super) fn raw(
    spec: &FeatureSpec,
    feature: &EncodedFeature,
    value: Value<'_>,
    unknown: UnknownLevel,
    out: &mut [f64],
) -> Result<Raw> {
    let position = |level: &str| match (feature.position(level), unknown) {
        (None, UnknownLevel::Error) => Err(ErrorKind::UnknownLevel {
            feature: spec.name().to_owned(),
            level: level.to_owned(),
            similar: crate::error::similar_names(
                level,
                feature.levels.iter().map(String::as_str),
            ),
            row: None,
        }
        .into()),
        (at, _) => Ok::<_, Error>(at),
    };
    match (spec.kind(), value) {
        (_, Value::Missing) => return Ok(Raw::Missing),
        (FeatureKind::Number, Value::Number(x)) => {
            if !x.is_finite() {
                return Err(spec.non_finite(x, None));
            }
            if feature.log1p && x <= -1.0 {
                return Err(ErrorKind::Value {
                    expected: format!("a `{}` above -1, as ln(1 + x) needs", spec.name())
                        .into(),
                    found: x.to_string(),
                    row: None,
                }
                .into());
            }
            out[0] = if feature.log1p { x.ln_1p() } else { x };
        }
        (FeatureKind::Flag, Value::Flag(x)) => out[0] = f64::from(u8::from(x)),
        (FeatureKind::Date, Value::Date(x)) => out[0] = f64::from(x.days_since_epoch()),
        (FeatureKind::Ordinal, Value::Category(level)) => match position(level)? {
            Some(at) => out[0] = at as f64,
            // An order has no place for "none of them".
            None => return Ok(Raw::Missing),
        },
        (FeatureKind::Category, Value::Category(level)) => {
            out.fill(0.0);
            if let Some(at) = position(level)? {
                out[at] = 1.0;
            }
        }
        (FeatureKind::Tags, Value::Tags(tags)) => {
            out.fill(0.0);
            for tag in tags.iter() {
                if let Some(at) = position(tag)? {
                    out[at] = 1.0;
                }
            }
        }
        (_, other) => return Err(spec.wrong_kind(other.kind_name(), None)),
    }
    Ok(Raw::Filled)
}
