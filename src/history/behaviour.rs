//! Features of behaviour: how much lately, how regularly, how long overdue.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::cadence::Cadence;
use super::chunks::{Chunks, Order, Row};
use super::customers::map_customers;
use super::daily::daily;
use super::ledger::Keys;
use super::occasions::Occasions;
use super::options::LedgerOptions;
use super::windows::{decayed, window};
use crate::data::{Basis, Column, Date, FeatureSpec, Ids, Schema, Table, Validity};
use crate::error::{Error, Result};

/// The longest window and half-life in days: more than the calendar has.
const LONGEST: u32 = 10_000_000;

/// Which features of behaviour [`Ledger::behaviour`](super::Ledger::behaviour) makes.
///
/// The customers are those of [`Ledger::summary`](super::Ledger::summary) on the same day,
/// in the same order. For each window of `w` days, which ends with the day of the features
/// and holds the ages 0 to `w − 1`:
///
/// | feature | unit | what |
/// |---|---|---|
/// | `purchases_{w}d` | purchases | occasions whose first purchase lies in the window |
/// | `money_{w}d` | currency | all amounts of its days, refunds subtracted |
/// | `active_days_{w}d` | days | its days with a purchase |
///
/// For each half-life of `h` days, at which a purchase counts half:
///
/// | feature | unit | what |
/// |---|---|---|
/// | `decayed_purchases_{h}d` | purchases | `Σ 2^(−a/h)` over purchases, `a` the age of their first day |
/// | `decayed_money_{h}d` | currency | `Σ 2^(−a/h) · amount` over transactions of the age `a` |
///
/// And of the gaps between one day with a purchase and the next, where there are any:
///
/// | feature | unit | what |
/// |---|---|---|
/// | `gap_mean` | days | their mean |
/// | `gap_median`, `gap_p{q}` | days | the median and the `q` % quantile, definition 7 of Hyndman & Fan (1996), as in numpy |
/// | `gap_cv` | | standard deviation by mean, of two gaps or more: near 0 like clockwork, near 1 at random |
/// | `overdue` | gaps | days since the last purchase by `gap_median` |
/// | `overdue_shrunken` | gaps | days since by `(t + g) / (n + 1)`: `t` days from first to last purchase in `n` gaps, `g` the mean of all gaps of all customers |
/// | `gaps_exceeded` | | share of her own gaps that are shorter than the days since the last purchase: at 0.9 she is silent for longer than in 90 % of her gaps |
///
/// What is not defined is missing, and never 0: who bought on one day only has no gap, and
/// only `overdue_shrunken`, which is missing for everybody where nobody has one.
///
/// ```
/// use segmenta::data::{Customer, Date, Value};
/// use segmenta::history::{Behaviour, Ledger, LedgerOptions};
///
/// let mut ledger = Ledger::new(LedgerOptions::new().currency("EUR"))?;
/// for (month, day) in [(5, 1), (5, 11), (5, 21), (5, 25)] {
///     ledger.add("ann", Date::from_ymd(2024, month, day)?, 10_00)?;
/// }
/// ledger.add("bob", Date::from_ymd(2024, 5, 31)?, 5_00)?;
///
/// let behaviour = Behaviour::new().windows([30]).half_lives([6]);
/// let table = ledger.behaviour(Date::from_ymd(2024, 5, 31)?, &behaviour)?;
/// let value = |row: usize, name: &str| {
///     let feature = table.schema().index_of(name).unwrap();
///     table.row(row).value(feature).to_string()
/// };
/// assert_eq!(value(0, "purchases_30d"), "3"); // May 1 has the age 30
/// assert_eq!(value(0, "gap_median"), "10");
/// assert_eq!(value(0, "overdue"), "0.6");
/// assert_eq!(value(1, "decayed_money_6d"), "5");
/// assert_eq!(table.row(1).value(table.schema().require("gap_mean")?), Value::Missing);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    windows: Vec<u32>,
    half_lives: Vec<u32>,
    cadence: bool,
    #[serde(default = "gap_percentiles")]
    gap_percentiles: Vec<u32>,
}

/// Those of features that were saved before they could be chosen, too.
fn gap_percentiles() -> Vec<u32> {
    vec![90]
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour::new()
    }
}

impl Behaviour {
    /// Windows of 7, 30, 90 and 365 days, no half-lives, and gaps with their 90 % quantile.
    #[must_use]
    pub fn new() -> Behaviour {
        Behaviour {
            windows: vec![7, 30, 90, 365],
            half_lives: Vec::new(),
            cadence: true,
            gap_percentiles: gap_percentiles(),
        }
    }

    /// Windows in days.
    #[must_use]
    pub fn windows(mut self, days: impl IntoIterator<Item = u32>) -> Behaviour {
        self.windows = days.into_iter().collect();
        self
    }

    /// Half-lives in days.
    #[must_use]
    pub fn half_lives(mut self, days: impl IntoIterator<Item = u32>) -> Behaviour {
        self.half_lives = days.into_iter().collect();
        self
    }

    /// Whether there are features of gaps.
    #[must_use]
    pub fn cadence(mut self, cadence: bool) -> Behaviour {
        self.cadence = cadence;
        self
    }

    /// Which quantiles of the gaps there are besides the median, in percent: `gap_p75` and
    /// `gap_p95` for 75 and 95. 0 is the shortest gap and 100 the longest.
    #[must_use]
    pub fn gap_percentiles(
        mut self,
        percents: impl IntoIterator<Item = u32>,
    ) -> Behaviour {
        self.gap_percentiles = percents.into_iter().collect();
        self
    }

    /// All checks.
    ///
    /// # Errors
    /// When a window or a half-life has no day, or more than 10,000,000, a percentage is above
    /// 100, or one of them is named twice.
    pub fn validate(&self) -> Result<()> {
        let percents = &self.gap_percentiles;
        for (name, numbers, range, unit) in [
            ("windows", &self.windows, 1..=LONGEST, "days"),
            ("half_lives", &self.half_lives, 1..=LONGEST, "days"),
            ("gap_percentiles", percents, 0..=100, "percent"),
        ] {
            let mut seen = BTreeSet::new();
            for number in numbers {
                if !range.contains(number) {
                    let expected = format!("{} to {} {unit}", range.start(), range.end());
                    return Err(Error::parameter(name, expected, number));
                }
                if !seen.insert(number) {
                    let found = format!("{number} twice");
                    return Err(Error::parameter(
                        name,
                        "different from each other",
                        found,
                    ));
                }
            }
        }
        Ok(())
    }

    /// The features, for a ledger with these options.
    ///
    /// # Errors
    /// When the options are not valid.
    pub fn schema(&self, options: &LedgerOptions) -> Result<Schema> {
        self.validate()?;
        let mut features = Vec::new();
        let number = |name: String, unit: &str| {
            FeatureSpec::number(name).unit(unit).basis(Basis::Behavioural)
        };
        for w in &self.windows {
            features.push(number(format!("purchases_{w}d"), "purchases"));
            features.push(options.money(&format!("money_{w}d")));
            features.push(number(format!("active_days_{w}d"), "days"));
        }
        for h in &self.half_lives {
            features.push(number(format!("decayed_purchases_{h}d"), "purchases"));
            features.push(options.money(&format!("decayed_money_{h}d")));
        }
        if self.cadence {
            let plain = |name: &str| FeatureSpec::number(name).basis(Basis::Behavioural);
            for name in ["gap_mean", "gap_median"] {
                features.push(number(name.into(), "days"));
            }
            for percent in &self.gap_percentiles {
                features.push(number(format!("gap_p{percent}"), "days"));
            }
            features.push(plain("gap_cv"));
            for name in ["overdue", "overdue_shrunken"] {
                features.push(number(name.into(), "gaps"));
            }
            features.push(plain("gaps_exceeded"));
        }
        Schema::new(features)
    }

    /// The features of one customer but those of gaps, and her gaps. `None` where there
    /// is no purchase.
    fn read<O>(
        &self,
        rows: &[Row<O>],
        occasions: &impl Occasions<O>,
        as_of: i32,
        per_major: f64,
    ) -> Option<(Vec<f64>, Cadence)> {
        let days = daily(rows, occasions);
        let cadence = Cadence::of(&days, as_of)?;
        let mut values = Vec::with_capacity(self.n_recent());
        for &len in &self.windows {
            let window = window(&days, as_of, len);
            values.push(window.purchases as f64);
            values.push(window.money as f64 / per_major);
            values.push(window.active_days as f64);
        }
        for &half_life in &self.half_lives {
            let (purchases, money) = decayed(&days, as_of, half_life);
            values.extend([purchases, money / per_major]);
        }
        Some((values, cadence))
    }

    /// How many features are not of gaps.
    fn n_recent(&self) -> usize {
        3 * self.windows.len() + 2 * self.half_lives.len()
    }
}

/// The features of all customers.
pub(super) fn behaviour<O: Order>(
    rows: &Chunks<O>,
    occasions: &impl Occasions<O>,
    as_of: Date,
    keys: &Keys,
    options: &LedgerOptions,
    features: &Behaviour,
) -> Result<Table<'static>> {
    let schema = features.schema(options)?;
    let (day, per_major) = (as_of.days_since_epoch(), options.minor_per_major());
    let mut customers = map_customers(rows, as_of, keys, |rows| {
        Ok(features.read(rows, occasions, day, per_major))
    })?;
    if features.cadence {
        // Integers, so that the mean does not depend on the order of the customers.
        let (days, gaps) = customers
            .iter()
            .fold((0, 0), |(days, gaps), (_, (_, c))| (days + c.span, gaps + c.len()));
        let mean_of_all = (gaps > 0).then(|| days as f64 / gaps as f64);
        for (_, (values, cadence)) in &mut customers {
            let percents = features.gap_percentiles.iter();
            let quantiles =
                percents.map(|&percent| cadence.quantile(f64::from(percent) / 100.0));
            let gap_features = [cadence.mean_gap(), cadence.median_gap()]
                .into_iter()
                .chain(quantiles)
                .chain([
                    cadence.variation(),
                    cadence.overdue(),
                    mean_of_all.map(|mean| cadence.shrunken_overdue(mean)),
                    cadence.gaps_exceeded(),
                ]);
            values.extend(gap_features.map(|value| value.unwrap_or(f64::NAN)));
        }
    }
    let rows = customers.iter().map(|(key, (values, _))| (*key, values.as_slice()));
    table(&schema, rows, keys)
}

/// A table of numbers, of which NaN are missing.
pub(super) fn table<'v>(
    schema: &Schema,
    customers: impl ExactSizeIterator<Item = (u64, &'v [f64])> + Clone,
    keys: &Keys,
) -> Result<Table<'static>> {
    let keys_of = customers.clone().map(|(key, _)| key);
    let ids = match keys {
        Keys::Texts(names) => {
            let names = keys_of.map(|key| names.get(key).to_owned());
            Ids::Texts(names.collect::<Vec<_>>().into())
        }
        _ => Ids::Numbers(keys_of.collect::<Vec<_>>().into()),
    };
    let mut builder = Table::builder(schema, customers.len()).ids(ids);
    for (at, feature) in schema.features().iter().enumerate() {
        let numbers: Vec<f64> = customers.clone().map(|(_, values)| values[at]).collect();
        let column = Column::Number(numbers.into(), Validity::NotNan);
        builder = builder.column(feature.name(), column);
    }
    builder.build()
}
