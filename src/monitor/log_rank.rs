//! Whether groups of customers stay equally long.

use serde::{Deserialize, Serialize};

use super::durations::{Time, check_lengths};
use super::positive_definite::quadratic_form;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::{chi_squared_tail, holm_of};
use crate::parallel::sort;

/// How much each time of an event counts in a test of curves.
///
/// With n at risk and d events at a time, S the curve of Kaplan & Meier of all groups
/// together. What counts early finds differences among those who leave soon, what counts
/// late among those who stay. Choose before looking at the curves: the best of several
/// tests is no test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LogRankWeights {
    /// 1 (Mantel 1966; Peto & Peto 1972): the most powerful where one group's rate of events
    /// is a multiple of the other's.
    #[default]
    LogRank,
    /// n (Gehan 1965; Breslow 1970): early times count more, and more where many are cut off.
    GehanWilcoxon,
    /// √n (Tarone & Ware 1977): between the two.
    TaroneWare,
    /// ∏ (1 − d / (n + 1)) up to and including the time (Peto & Peto 1972; Prentice 1978):
    /// early times count more, whatever the pattern of what is cut off.
    PetoPeto,
    /// S(t−)ᵖ (1 − S(t−))^q (Fleming & Harrington 1981), with S just before the time: `p` =
    /// 1, `q` = 0 for early differences, 0 and 1 for late ones, 1 and 1 for those between.
    FlemingHarrington {
        /// The exponent of S, 0 or more.
        p: f64,
        /// The exponent of 1 − S, 0 or more.
        q: f64,
    },
}

impl LogRankWeights {
    fn validate(self) -> Result<()> {
        if let LogRankWeights::FlemingHarrington { p, q } = self {
            for (name, x) in [("p", p), ("q", q)] {
                if !(x.is_finite() && x >= 0.0) {
                    return Err(Error::parameter(name, "finite and not negative", x));
                }
            }
        }
        Ok(())
    }
}

/// What became of one group of a [`LogRankTest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GroupEvents<L> {
    /// The group's label.
    pub group: L,
    /// How many durations it has.
    pub customers: u64,
    /// How many of them ended with the event.
    pub observed: u64,
    /// How many would have, were the groups alike: ∑ d nₖ / n over the times of events, with
    /// nₖ of the n at risk in the group.
    pub expected: f64,
    /// ∑ w (dₖ − d nₖ / n): more events than expected, by weight, where positive.
    pub weighted_difference: f64,
}

/// A test of whether groups have the same curve of survival, made by [`log_rank_test`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LogRankTest<L> {
    /// How times were weighted.
    pub weights: LogRankWeights,
    /// χ²: uᵀ V⁻¹ u of the weighted differences u without one group, whose covariances are
    /// V = ∑ w² d (n − d) / (n − 1) · (nₖ / n) (δₖₗ − nₗ / n).
    pub statistic: f64,
    /// Its degrees of freedom: the groups less 1. Groups of which nobody is at risk beside
    /// another group at a time that counts tell nothing, and are not counted.
    pub df: u64,
    /// Probability of a statistic as large, were the groups alike.
    pub p_value: f64,
    /// The groups, ascending by label.
    pub groups: Vec<GroupEvents<L>>,
}

/// One pair of groups, made by [`pairwise_log_rank_tests`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LogRankPair<L> {
    /// The test of the two groups alone, as if there were no others; `None` where it is
    /// undefined, as [`log_rank_test`] says.
    pub test: Option<LogRankTest<L>>,
    /// The labels of the two groups.
    pub groups: [L; 2],
    /// The p-value corrected for the number of tests that are defined (Holm 1979): with p
    /// ascending, p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1)·p₍ⱼ₎).
    pub p_holm: Option<f64>,
}

/// Tests whether groups of customers have the same curve of survival.
///
/// `durations` and `observed` are those of [`KaplanMeier::fit`](super::KaplanMeier::fit),
/// `groups` has a label for each. The statistic is χ²-distributed with many events; with few
/// (less than 5 expected in a group) the p-value is rough. Takes O(n log n), and O(k²) for each
/// time of an event, with k groups.
///
/// ```
/// use segmenta::monitor::{LogRankWeights, log_rank_test};
///
/// // Weeks in remission of Freireich et al. (1963), with and without the drug 6-MP.
/// let drug = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
/// let none = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];
/// let durations: Vec<f64> = drug.iter().chain(&none).map(|&w| f64::from(w)).collect();
/// let relapsed: Vec<bool> = (0..42).map(|i| !(9..21).contains(&i)).collect();
/// let groups: Vec<&str> = (0..42).map(|i| if i < 21 { "6-MP" } else { "none" }).collect();
///
/// let test = log_rank_test(&durations, &relapsed, &groups, LogRankWeights::LogRank)?;
/// assert_eq!(format!("{:.2}", test.statistic), "16.79");
/// assert_eq!((test.groups[0].observed, test.df), (9, 1));
/// assert_eq!(format!("{:.1}", test.groups[0].expected), "19.3");
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the slices differ in length or are empty; when a duration is negative, infinite or
/// NaN (the error names the row); when there are more than 1,000 groups or an exponent is
/// out of range. Of kind [`Undefined`](crate::ErrorKind::Undefined) when there is one group,
/// or no event at a time that counts with two groups at risk and somebody left over.
pub fn log_rank_test<L: Ord + Clone>(
    durations: &[f64],
    observed: &[bool],
    groups: &[L],
    weights: LogRankWeights,
) -> Result<LogRankTest<L>> {
    weights.validate()?;
    let (labels, rows) = read(durations, observed, groups)?;
    test(&labels, &rows, weights)
}

/// Tests each pair of groups by itself, with Holm's correction for their number. Pairs come
/// in the order of their labels: first with second, first with third, …
///
/// ```
/// use segmenta::monitor::{LogRankWeights, pairwise_log_rank_tests};
///
/// let durations = [1.0, 2.0, 3.0, 11.0, 12.0, 13.0, 11.5, 12.5, 13.5];
/// let groups = ["a", "a", "a", "b", "b", "b", "c", "c", "c"];
/// let pairs =
///     pairwise_log_rank_tests(&durations, &[true; 9], &groups, LogRankWeights::LogRank)?;
/// assert_eq!(pairs[0].groups, ["a", "b"]);
/// assert!(pairs[0].p_holm < Some(0.1) && pairs[2].p_holm > Some(0.1));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// Those of [`log_rank_test`], but that a single pair may be undefined; and when there are
/// more than 100 groups.
pub fn pairwise_log_rank_tests<L: Ord + Clone>(
    durations: &[f64],
    observed: &[bool],
    groups: &[L],
    weights: LogRankWeights,
) -> Result<Vec<LogRankPair<L>>> {
    weights.validate()?;
    let (labels, rows) = read(durations, observed, groups)?;
    if labels.len() > MOST_GROUPS_OF_PAIRS {
        return Err(too_many_groups(MOST_GROUPS_OF_PAIRS, labels.len()));
    }
    let mut rows_of = vec![Vec::new(); labels.len()];
    for &row in &rows {
        rows_of[row.group as usize].push(row);
    }
    let mut pairs = Vec::new();
    for first in 0..labels.len() {
        for second in first + 1..labels.len() {
            let both = merged(&rows_of[first], &rows_of[second]);
            let labels = [labels[first].clone(), labels[second].clone()];
            let test = match test(&labels, &both, weights) {
                Err(e) if matches!(e.kind(), ErrorKind::Undefined { .. }) => None,
                test => Some(test?),
            };
            pairs.push(LogRankPair { test, groups: labels, p_holm: None });
        }
    }
    let p_values: Vec<f64> =
        pairs.iter().filter_map(|pair| Some(pair.test.as_ref()?.p_value)).collect();
    let defined = pairs.iter_mut().filter(|pair| pair.test.is_some());
    for (pair, p) in defined.zip(holm_of(&p_values)) {
        pair.p_holm = Some(p);
    }
    Ok(pairs)
}

const MOST_GROUPS: usize = 1_000;
const MOST_GROUPS_OF_PAIRS: usize = 100;

fn too_many_groups(most: usize, found: usize) -> Error {
    Error::parameter("groups", format!("at most {most} different labels"), found)
}

/// A duration; rows are sorted by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    time: Time,
    group: u32,
    observed: bool,
}

/// The labels, ascending, and the rows by time, with positions of labels as groups.
fn read<L: Ord + Clone>(
    durations: &[f64],
    observed: &[bool],
    groups: &[L],
) -> Result<(Vec<L>, Vec<Row>)> {
    check_lengths(durations.len(), observed.len())?;
    if groups.len() != durations.len() {
        return Err(Error::length("`groups`", durations.len(), groups.len()));
    }
    let mut labels: Vec<&L> = Vec::new();
    for group in groups {
        if let Err(place) = labels.binary_search(&group) {
            labels.insert(place, group);
            if labels.len() > MOST_GROUPS {
                return Err(too_many_groups(MOST_GROUPS, labels.len()));
            }
        }
    }
    if labels.len() < 2 {
        return Err(Error::undefined(TEST, "all durations are of one group"));
    }
    let mut rows = Vec::with_capacity(durations.len());
    for (at, &duration) in durations.iter().enumerate() {
        let time = Time::read(duration, at)?;
        let group = labels.binary_search(&&groups[at]).unwrap_or_default() as u32;
        rows.push(Row { time, group, observed: observed[at] });
    }
    sort(&mut rows);
    Ok((labels.into_iter().cloned().collect(), rows))
}

const TEST: &str = "the log-rank test";

/// The rows of two groups in one order of time, as groups 0 and 1.
fn merged(first: &[Row], second: &[Row]) -> Vec<Row> {
    let of = |rows: &[Row], group| rows.iter().map(|&row| Row { group, ..row }).collect();
    let mut both: Vec<Row> = of(first, 0);
    both.extend::<Vec<Row>>(of(second, 1));
    // Two ascending runs, which the sort finds and merges.
    both.sort();
    both
}

fn test<L: Clone>(
    labels: &[L],
    rows: &[Row],
    weights: LogRankWeights,
) -> Result<LogRankTest<L>> {
    let k = labels.len();
    let mut groups: Vec<GroupEvents<L>> = labels
        .iter()
        .map(|label| GroupEvents {
            group: label.clone(),
            customers: 0,
            observed: 0,
            expected: 0.0,
            weighted_difference: 0.0,
        })
        .collect();
    for row in rows {
        groups[row.group as usize].customers += 1;
        groups[row.group as usize].observed += u64::from(row.observed);
    }
    let mut at_risk: Vec<u64> = groups.iter().map(|group| group.customers).collect();
    let mut ending = vec![[0_u64; 2]; k];
    let mut left = rows.len() as u64;
    let mut covariances = vec![0.0; k * k];
    let mut shares = vec![0.0; k];
    let mut curves = Curves::default();
    for same in rows.chunk_by(|a, b| a.time == b.time) {
        for row in same {
            ending[row.group as usize][usize::from(row.observed)] += 1;
        }
        let d: u64 = ending.iter().map(|[_, events]| events).sum();
        if d > 0 {
            let (n, d) = (left as f64, d as f64);
            let w = curves.weight(weights, n, d);
            for (g, group) in groups.iter_mut().enumerate() {
                shares[g] = at_risk[g] as f64 / n;
                let expected = d * shares[g];
                group.expected += expected;
                group.weighted_difference += w * (ending[g][1] as f64 - expected);
            }
            // With one at risk, or where all have the event, nothing is left to chance.
            if left > 1 && d < n {
                let scale = w * w * d * ((n - d) / (n - 1.0));
                add_covariances(&mut covariances, &shares, &at_risk, left, scale);
            }
        }
        for (at_risk, ending) in at_risk.iter_mut().zip(&mut ending) {
            *at_risk -= ending[0] + ending[1];
            *ending = [0; 2];
        }
        left -= same.len() as u64;
    }
    let (statistic, df) = chi_square(&groups, &covariances)?;
    let p_value = chi_squared_tail(statistic, df as f64)
        .ok_or_else(|| Error::undefined(TEST, "its p-value is not a number"))?;
    let p_value = p_value.clamp(0.0, 1.0);
    Ok(LogRankTest { weights, statistic, df, p_value, groups })
}

/// Adds those of one time. Groups of which nobody is at risk any more have none.
fn add_covariances(
    covariances: &mut [f64],
    shares: &[f64],
    at_risk: &[u64],
    left: u64,
    scale: f64,
) {
    let k = shares.len();
    for (g, row) in covariances.chunks_exact_mut(k).enumerate() {
        if at_risk[g] == 0 {
            continue;
        }
        let of_group = scale * shares[g];
        // 1 less the share, from counts: the share may be close to 1.
        let variance = row[g] + of_group * ((left - at_risk[g]) as f64 / left as f64);
        for (cell, share) in row.iter_mut().zip(shares) {
            *cell -= of_group * share;
        }
        row[g] = variance;
    }
}

/// The curves that weights are made of, up to the present time.
struct Curves {
    kaplan_meier: f64,
    peto: f64,
}

impl Default for Curves {
    fn default() -> Curves {
        Curves { kaplan_meier: 1.0, peto: 1.0 }
    }
}

impl Curves {
    /// The weight of a time with `d` events among `n`, at which the curves then arrive.
    fn weight(&mut self, weights: LogRankWeights, n: f64, d: f64) -> f64 {
        let before = self.kaplan_meier;
        self.kaplan_meier *= (n - d) / n;
        self.peto *= 1.0 - d / (n + 1.0);
        match weights {
            LogRankWeights::LogRank => 1.0,
            LogRankWeights::GehanWilcoxon => n,
            LogRankWeights::TaroneWare => n.sqrt(),
            LogRankWeights::PetoPeto => self.peto,
            LogRankWeights::FlemingHarrington { p, q } => {
                before.powf(p) * (1.0 - before).powf(q)
            }
        }
    }
}

/// uᵀ V⁻¹ u and its degrees of freedom. Of the groups that vary the last one is left out:
/// what it differs by follows from the others.
fn chi_square<L>(groups: &[GroupEvents<L>], covariances: &[f64]) -> Result<(f64, u64)> {
    let k = groups.len();
    let varying: Vec<usize> = (0..k).filter(|&g| covariances[g * k + g] > 0.0).collect();
    let Some((_, kept)) = varying.split_last().filter(|(_, kept)| !kept.is_empty())
    else {
        let events: u64 = groups.iter().map(|group| group.observed).sum();
        return Err(Error::undefined(
            TEST,
            if events == 0 {
                "there are no events"
            } else {
                "no event that counts has two groups at risk and somebody left over"
            },
        ));
    };
    let u: Vec<f64> = kept.iter().map(|&g| groups[g].weighted_difference).collect();
    let v: Vec<f64> = kept
        .iter()
        .flat_map(|&g| kept.iter().map(move |&h| covariances[g * k + h]))
        .collect();
    let statistic = quadratic_form(&u, v).ok_or_else(|| {
        Error::undefined(TEST, "the weights leave nothing that can be computed with")
    })?;
    Ok((statistic, kept.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_as_statsmodels_corrects() {
        // statsmodels.stats.multitest.multipletests(p, method="holm").
        let p = [0.01, 0.04, 0.03, 0.005, 0.2, 0.0001, 0.05];
        let expected = [0.05, 0.12, 0.12, 0.03, 0.2, 0.0007, 0.12];
        for (found, expected) in holm_of(&p).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} is not {expected}");
        }
        assert!(holm_of(&[]).is_empty());
    }
}
