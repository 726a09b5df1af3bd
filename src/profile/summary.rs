//! What is known of one feature in one group of customers.

use serde::{Deserialize, Serialize};

use crate::data::{Date, FeatureKind, FeatureSpec};

/// One feature in one group of rows.
///
/// Numbers of rows count every row of the group; all other figures are weighted, and
/// rows of weight 0 have no part in them. A figure that does not exist (a mean of no
/// values, a ratio to 0) or exceeds the range of `f64` is `None`, never NaN or infinite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FeatureProfile {
    /// The feature's name.
    pub feature: String,
    /// Rows in which the feature is known.
    pub present: u64,
    /// Rows in which it is missing.
    pub missing: u64,
    /// Weight of the rows in which it is known: the base of all shares and means.
    pub weight: f64,
    /// The figures, by the feature's kind.
    pub summary: Summary,
}

/// The figures of a feature, by its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Summary {
    /// Of a number.
    Number(NumberSummary),
    /// Of a flag.
    Flag(ShareSummary),
    /// Of a category, ordinal or tags: one entry for each level. Closed levels stand in
    /// the schema's order; open ones are those that occur in the table, by name. The
    /// shares of tags may add up to more than 1, those of a category add up to 1.
    Levels(Vec<LevelSummary>),
    /// Of a date.
    Date(DateSummary),
}

impl FeatureProfile {
    /// True when the name and the kind of figures are those of the feature.
    pub(super) fn describes(&self, spec: &FeatureSpec) -> bool {
        let kind_fits = match spec.kind() {
            FeatureKind::Number => matches!(self.summary, Summary::Number(_)),
            FeatureKind::Flag => matches!(self.summary, Summary::Flag(_)),
            FeatureKind::Category | FeatureKind::Ordinal | FeatureKind::Tags => {
                matches!(self.summary, Summary::Levels(_))
            }
            FeatureKind::Date => matches!(self.summary, Summary::Date(_)),
        };
        kind_fits && self.feature == spec.name()
    }
}

impl Summary {
    /// The levels of a category, ordinal or tags; none of other kinds.
    #[must_use]
    pub fn levels(&self) -> &[LevelSummary] {
        match self {
            Summary::Levels(levels) => levels,
            _ => &[],
        }
    }

    /// True when both list the same levels in the same order.
    pub(super) fn has_levels_of(&self, other: &Summary) -> bool {
        let (ours, others) = (self.levels().iter(), other.levels().iter());
        ours.map(|l| &l.level).eq(others.map(|l| &l.level))
    }
}

/// Figures of a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NumberSummary {
    /// Weighted mean.
    pub mean: Option<f64>,
    /// Standard deviation with the sum of the weights as divisor, as for z-scores.
    pub std_dev: Option<f64>,
    /// Least value.
    pub min: Option<f64>,
    /// First quartile. Quartiles follow definition 7 of Hyndman & Fan (1996), the usual
    /// one; weights that are whole numbers repeat the values. With other weights, it is
    /// the least value at which the cumulated weight reaches the quartile (definition 1).
    pub lower_quartile: Option<f64>,
    /// Second quartile.
    pub median: Option<f64>,
    /// Third quartile.
    pub upper_quartile: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// 100 · mean / population mean. `None` when the population mean is 0 (within 1e-12
    /// of the largest value) or the two means have opposite signs.
    pub index: Option<f64>,
    /// Standardised mean difference: (mean − population mean) / population standard
    /// deviation. `None` when that deviation is 0.
    pub smd: Option<f64>,
}

/// Figures of a yes or no.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ShareSummary {
    /// Weight of the rows that say yes.
    pub weight: f64,
    /// Share of yes among the rows in which the feature is known, 0 to 1.
    pub share: Option<f64>,
    /// 100 · share / population share, which is 100 times the lift. `None` when the
    /// population share is 0.
    pub index: Option<f64>,
    /// Cohen's h against the population: 2·asin √share − 2·asin √population share
    /// (Cohen 1988, chapter 6).
    pub cohens_h: Option<f64>,
}

impl ShareSummary {
    /// Share over population share.
    #[must_use]
    pub fn lift(&self) -> Option<f64> {
        self.index.map(|index| index / 100.0)
    }
}

/// Figures of one level of a category, ordinal or tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LevelSummary {
    /// The level's name.
    pub level: String,
    /// How many have it.
    pub figures: ShareSummary,
}

/// Figures of a date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DateSummary {
    /// Earliest day.
    pub min: Option<Date>,
    /// The earliest day up to which half of the weight lies: always a day that occurs.
    pub median: Option<Date>,
    /// Latest day.
    pub max: Option<Date>,
    /// Weighted mean in days since 1970-01-01.
    pub mean_days: Option<f64>,
    /// Standard deviation in days.
    pub std_dev_days: Option<f64>,
    /// Standardised mean difference, in population standard deviations; positive when
    /// later than the population.
    pub smd: Option<f64>,
}
