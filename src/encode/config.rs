//! How features become numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FittedEncoder, learn};
use crate::data::Table;
use crate::error::{Error, Result};

/// How numbers, dates and ordinals are brought to one scale. Statistics are of the
/// present values, weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scaling {
    /// Not at all: the feature with the largest unit decides.
    None,
    /// `(x − mean) / standard deviation` (of the population, divisor n). The default.
    #[default]
    Standard,
    /// `(x − minimum) / (maximum − minimum)`.
    MinMax,
    /// `(x − median) / (third quartile − first quartile)`, quartiles of type 7 (Hyndman &
    /// Fan 1996); where weights are not whole numbers, of type 1. For features with
    /// outliers.
    Robust,
}

/// What stands in for a missing value. It is learned from the present values, weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Impute {
    /// Nothing: a missing value is an error. The default.
    #[default]
    Error,
    /// The mean. For flags, categories and tags the share of each column.
    Mean,
    /// The median, as [`Scaling::Robust`] defines it. For flags, categories and tags,
    /// column by column.
    Median,
    /// The most frequent value; the lowest of several. Tags: column by column.
    MostFrequent,
}

/// What happens to a category or tag that the fit has not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnknownLevel {
    /// An error with the nearest level. The default.
    #[default]
    Error,
    /// All of the feature's columns are 0.
    Ignore,
}

/// How the features of a table become the columns of a matrix.
///
/// A column whose spread is 0 is centred and left at that: it says nothing.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::encode::Encoder;
///
/// let schema = Schema::new([FeatureSpec::number("spend"), FeatureSpec::category("country")])?;
/// let table = Table::builder(&schema, 3)
///     .numbers("spend", vec![10.0, 20.0, 30.0])
///     .categories("country", vec![0, 1, 0], &["AT", "DE"][..])
///     .build()?;
/// let encoder = Encoder::new().fit(&table)?;
/// let names: Vec<&str> = encoder.columns().iter().map(|c| c.name()).collect();
/// assert_eq!(names, ["spend", "country=AT", "country=DE"]);
/// let matrix = encoder.encode_table(&table)?;
/// assert_eq!(matrix[3..6], [0.0, 0.0, 1.0]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encoder {
    pub(super) features: Option<Vec<String>>,
    pub(super) scaling: Scaling,
    pub(super) log1p: Vec<String>,
    pub(super) impute: Impute,
    pub(super) unknown_level: UnknownLevel,
    pub(super) weights: BTreeMap<String, f64>,
}

impl Encoder {
    /// All features, standard scaling, missing values and unknown levels refused.
    #[must_use]
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// All features as they are: no scaling.
    #[must_use]
    pub fn unscaled() -> Encoder {
        Encoder::new().scaling(Scaling::None)
    }

    /// Only these features, in this order. Without it, all features of the table.
    #[must_use]
    pub fn features<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Encoder {
        self.features = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// How numbers are brought to one scale.
    #[must_use]
    pub fn scaling(mut self, scaling: Scaling) -> Encoder {
        self.scaling = scaling;
        self
    }

    /// Number features that are replaced by `ln(1 + x)` before scaling, for counts and
    /// amounts with a long tail. Their values must be above −1.
    #[must_use]
    pub fn log1p<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Encoder {
        self.log1p = names.into_iter().map(Into::into).collect();
        self
    }

    /// What stands in for a missing value.
    #[must_use]
    pub fn impute(mut self, impute: Impute) -> Encoder {
        self.impute = impute;
        self
    }

    /// What happens to a category or tag that the fit has not seen.
    #[must_use]
    pub fn unknown_level(mut self, unknown_level: UnknownLevel) -> Encoder {
        self.unknown_level = unknown_level;
        self
    }

    /// Multiplies a feature's columns after scaling, so that it counts more (above 1) or
    /// less (below 1) in distances: squared distances grow by `weight²`.
    #[must_use]
    pub fn weight(mut self, name: impl Into<String>, weight: f64) -> Encoder {
        self.weights.insert(name.into(), weight);
        self
    }

    /// Checks what can be checked without a table.
    ///
    /// # Errors
    /// When no feature is selected, or a weight is not positive and finite.
    pub fn validate(&self) -> Result<()> {
        if self.features.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::parameter("features", "at least one name", "empty"));
        }
        for (name, &weight) in &self.weights {
            if !(weight.is_finite() && weight > 0.0) {
                let parameter = format!("weight of `{name}`");
                return Err(Error::parameter(parameter, "positive and finite", weight));
            }
        }
        Ok(())
    }

    /// Learns scales, levels and stand-ins from a table. Rows of weight 0 are not looked
    /// at.
    ///
    /// # Errors
    /// When a feature does not exist, has a missing value that may not be imputed, has no
    /// value at all, or lies outside the domain of `ln(1 + x)`; when the table has no row
    /// (of positive weight) or no feature.
    pub fn fit(&self, table: &Table<'_>) -> Result<FittedEncoder> {
        learn::fit(self, table)
    }
}
