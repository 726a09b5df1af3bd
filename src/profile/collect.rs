//! From the column of a feature to its figures in one group of rows.

use std::collections::BTreeMap;

use super::moments::{finite, mean_and_deviation};
use super::summary::{
    DateSummary, FeatureProfile, LevelSummary, NumberSummary, ShareSummary, Summary,
};
use crate::data::{Column, Date, FeatureSpec, Levels, Table, Validity};
use crate::parallel::map_blocks;
use crate::quantile::{least_reaching, quantile};

/// Rows of one block when weights are added up. It bounds the memory for the levels of a
/// category, which each block counts for itself.
const BLOCK: usize = 65_536;

/// Some rows of a table, in ascending order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'t> {
    pub rows: &'t [usize],
    pub weights: Option<&'t [f64]>,
}

impl Group<'_> {
    fn weight_of(&self, row: usize) -> f64 {
        self.weights.and_then(|w| w.get(row)).copied().unwrap_or(1.0)
    }

    /// Sum of the weights.
    pub(super) fn weight(&self) -> f64 {
        self.tally(1, |_, add| add(0))[0]
    }

    /// Weights added up in `n` places, over fixed blocks in block order: `place` is told
    /// a row, and calls back with each place that the row's weight goes to.
    fn tally<F>(&self, n: usize, place: F) -> Vec<f64>
    where
        F: Fn(usize, &mut dyn FnMut(usize)) + Sync,
    {
        let blocks = map_blocks(self.rows.len(), BLOCK, |range| {
            let mut sums = vec![0.0; n];
            for &row in &self.rows[range] {
                let weight = self.weight_of(row);
                place(row, &mut |at| {
                    if let Some(sum) = sums.get_mut(at) {
                        *sum += weight;
                    }
                });
            }
            sums
        });
        let mut total = vec![0.0; n];
        for block in blocks {
            for (sum, part) in total.iter_mut().zip(block) {
                *sum += part;
            }
        }
        total
    }

    /// The known values of positive weight, ascending.
    fn sorted(&self, value: impl Fn(usize) -> Option<f64>) -> Vec<(f64, f64)> {
        let known = self.rows.iter().filter_map(|&row| {
            let weight = self.weight_of(row);
            if weight > 0.0 { Some((value(row)?, weight)) } else { None }
        });
        let mut values: Vec<(f64, f64)> = known.collect();
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        values
    }
}

/// The levels of one feature, as all of its profiles list them.
#[derive(Debug, Default)]
pub(super) struct LevelMap {
    names: Vec<String>,
    /// For each code of the column, the position of its name.
    place: Vec<usize>,
}

impl LevelMap {
    /// Closed levels in the schema's order; else those that occur with a weight, by name.
    pub(super) fn of(spec: &FeatureSpec, table: &Table<'_>, column: &Column<'_>) -> Self {
        let levels = match column {
            Column::Category(_, levels, _) => levels,
            Column::Tags(tags, _) => tags.levels(),
            _ => return LevelMap::default(),
        };
        let closed = spec.get_levels();
        if !closed.is_empty() {
            let at: BTreeMap<&str, usize> =
                closed.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
            return LevelMap { names: closed.to_vec(), place: places(levels, &at) };
        }
        let mut used = vec![false; levels.len()];
        let mut mark = |code: u32| {
            if let Some(used) = used.get_mut(code as usize) {
                *used = true;
            }
        };
        let weights = table.sample_weight();
        for row in 0..table.len() {
            if weights.and_then(|w| w.get(row)) != Some(&0.0) {
                codes_of(column, row).for_each(&mut mark);
            }
        }
        let occurring = levels.iter().zip(used).filter(|&(_, used)| used);
        let mut at: BTreeMap<&str, usize> =
            occurring.map(|(name, _)| (name, 0)).collect();
        for (i, place) in at.values_mut().enumerate() {
            *place = i;
        }
        let names = at.keys().map(|&name| name.to_owned()).collect();
        LevelMap { names, place: places(levels, &at) }
    }
}

/// The position of each code's name; beyond all positions for a name that has none.
fn places(levels: &Levels<'_>, at: &BTreeMap<&str, usize>) -> Vec<usize> {
    levels.iter().map(|name| at.get(name).copied().unwrap_or(usize::MAX)).collect()
}

/// The codes of a category or of tags in a row; none where it is missing.
fn codes_of<'c>(column: &'c Column<'_>, row: usize) -> impl Iterator<Item = u32> + 'c {
    let codes: &[u32] = match column {
        Column::Category(codes, _, validity) if validity.is_valid(row) => {
            codes.get(row..=row).unwrap_or(&[])
        }
        Column::Tags(tags, validity) if validity.is_valid(row) => tags.codes_of(row),
        _ => &[],
    };
    codes.iter().copied()
}

/// The figures of a feature in one group, not yet compared to the population.
pub(super) fn collect(
    spec: &FeatureSpec,
    column: &Column<'_>,
    levels: &LevelMap,
    group: Group<'_>,
) -> FeatureProfile {
    let validity: &Validity<'_> = column.validity();
    let present = group.rows.iter().filter(|&&row| validity.is_valid(row)).count();
    let weight = group.tally(1, |row, add| {
        if validity.is_valid(row) {
            add(0);
        }
    });
    let valid = |row: usize| validity.is_valid(row).then_some(row);
    let summary = match column {
        Column::Number(numbers, _) => {
            Summary::Number(numbers_of(group.sorted(|row| numbers.get(valid(row)?))))
        }
        Column::Flag(flags, _) => {
            let yes = group.tally(1, |row, add| {
                if valid(row).and_then(|row| flags.get(row)) == Some(true) {
                    add(0);
                }
            });
            Summary::Flag(share_of(yes[0], weight[0]))
        }
        Column::Date(days, _) => {
            let day = |row| days.get(valid(row)?).map(|&day| f64::from(day));
            Summary::Date(dates_of(group.sorted(day)))
        }
        Column::Category(..) | Column::Tags(..) => {
            Summary::Levels(levels_of(column, levels, group, weight[0]))
        }
    };
    FeatureProfile {
        feature: spec.name().to_owned(),
        present: present as u64,
        missing: (group.rows.len() - present) as u64,
        weight: weight[0],
        summary,
    }
}

fn numbers_of(mut values: Vec<(f64, f64)>) -> NumberSummary {
    let (Some(&(min, _)), Some(&(max, _))) = (values.first(), values.last()) else {
        return NumberSummary::default();
    };
    let [lower_quartile, median, upper_quartile] =
        [0.25, 0.5, 0.75].map(|p| quantile(&values, p));
    let (mean, std_dev) = mean_and_deviation(&mut values, min, max);
    NumberSummary {
        mean,
        std_dev,
        min: Some(min),
        lower_quartile,
        median,
        upper_quartile,
        max: Some(max),
        ..NumberSummary::default()
    }
}

fn dates_of(mut values: Vec<(f64, f64)>) -> DateSummary {
    let (Some(&(min, _)), Some(&(max, _))) = (values.first(), values.last()) else {
        return DateSummary::default();
    };
    // Days are whole numbers of the calendar's range, checked by the table.
    let date = |day: f64| Date::from_days(day as i32).ok();
    let median = least_reaching(&values, 0.5).and_then(date);
    let (mean_days, std_dev_days) = mean_and_deviation(&mut values, min, max);
    DateSummary {
        min: date(min),
        median,
        max: date(max),
        mean_days,
        std_dev_days,
        smd: None,
    }
}

fn levels_of(
    column: &Column<'_>,
    levels: &LevelMap,
    group: Group<'_>,
    weight: f64,
) -> Vec<LevelSummary> {
    let place = |code: u32| levels.place.get(code as usize).copied();
    let sums = group.tally(levels.names.len(), |row, add| match column {
        Column::Tags(..) => {
            // A tag that stands twice in a row counts once.
            let mut at: Vec<usize> = codes_of(column, row).filter_map(place).collect();
            at.sort_unstable();
            at.dedup();
            at.into_iter().for_each(add);
        }
        _ => codes_of(column, row).filter_map(place).for_each(add),
    });
    let level = |(name, sum): (&String, f64)| LevelSummary {
        level: name.clone(),
        figures: share_of(sum, weight),
    };
    levels.names.iter().zip(sums).map(level).collect()
}

fn share_of(part: f64, whole: f64) -> ShareSummary {
    let share = if whole > 0.0 { finite(part / whole) } else { None };
    ShareSummary {
        weight: part,
        share: share.map(|share| share.min(1.0)),
        ..ShareSummary::default()
    }
}

/// Fills in the figures that compare a group to the population.
pub(super) fn compare(group: &mut FeatureProfile, population: &FeatureProfile) {
    match (&mut group.summary, &population.summary) {
        (Summary::Number(ours), Summary::Number(all)) => {
            let largest = all.min.zip(all.max).map(|(a, b)| a.abs().max(b.abs()));
            // A mean that is 0 but for rounding is no base of a ratio.
            let base = all.mean.zip(largest).filter(|(m, l)| m.abs() > 1e-12 * l);
            ours.index = index(ours.mean, base.map(|(mean, _)| mean));
            ours.smd = smd(ours.mean, all.mean, all.std_dev);
        }
        (Summary::Date(ours), Summary::Date(all)) => {
            ours.smd = smd(ours.mean_days, all.mean_days, all.std_dev_days);
        }
        (Summary::Flag(ours), Summary::Flag(all)) => compare_shares(ours, all),
        (Summary::Levels(ours), Summary::Levels(all)) => {
            for (ours, all) in ours.iter_mut().zip(all) {
                compare_shares(&mut ours.figures, &all.figures);
            }
        }
        _ => {}
    }
}

fn compare_shares(ours: &mut ShareSummary, all: &ShareSummary) {
    ours.index = index(ours.share, all.share);
    let angle = |share: f64| 2.0 * share.sqrt().asin();
    ours.cohens_h = ours.share.zip(all.share).map(|(p, q)| angle(p) - angle(q));
}

fn index(ours: Option<f64>, all: Option<f64>) -> Option<f64> {
    let (ours, all) = (ours?, all?);
    if all == 0.0 || (ours != 0.0 && (ours < 0.0) != (all < 0.0)) {
        return None;
    }
    finite(100.0 * (ours / all))
}

fn smd(ours: Option<f64>, all: Option<f64>, deviation: Option<f64>) -> Option<f64> {
    let (ours, all, deviation) = (ours?, all?, deviation?);
    if deviation == 0.0 { None } else { finite((ours - all) / deviation) }
}

/// The figures of the population, compared to itself.
pub(super) fn compare_to_itself(population: &mut FeatureProfile) {
    let all = population.clone();
    compare(population, &all);
}
