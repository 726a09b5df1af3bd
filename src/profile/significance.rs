//! Whether segments differ in a feature by more than chance.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, FisherSnedecor};

use super::moments::finite;
use super::summary::{LevelSummary, Summary};
use super::{FeatureProfile, Profile};
use crate::data::{FeatureKind, FeatureSpec};
use crate::inference::{holm_of, pearson};

/// A test of whether the segments differ in one feature.
///
/// Rows in no segment and rows in which the feature is missing have no part in it, nor
/// have segments and levels without weight. A feature is not tested where fewer than two
/// segments or two levels remain, or where nothing varies within the segments.
///
/// Segments that were learned from a feature differ in it by construction: for those the
/// p-value says nothing, and the effect size is what to read. Weights are taken as
/// numbers of rows; other weights (of a survey, say) leave the effect size as it is, but
/// scale the statistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FeatureTest {
    /// The feature's name.
    pub feature: String,
    /// The tag, for a feature of tags: each of them is tested as a yes or no.
    pub level: Option<String>,
    /// Which test.
    pub test: TestKind,
    /// Its statistic: X² or F.
    pub statistic: f64,
    /// Degrees of freedom; for F those of the numerator.
    pub df: f64,
    /// Degrees of freedom of the denominator of F.
    pub df_residual: Option<f64>,
    /// Probability of a statistic as large, were the segments all alike.
    pub p_value: f64,
    /// The p-value corrected for the number of tests (Holm 1979): with p ascending,
    /// p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1)·p₍ⱼ₎).
    pub p_holm: f64,
    /// Share of what could differ that does, 0 to 1: Cramér's V = √(X² / (n·min(r − 1,
    /// c − 1))) (Cramér 1946), or η² = between-segment / total sum of squares.
    pub effect_size: f64,
    /// For χ², the least expected count. Below 5 the p-value is rough (Cochran 1954).
    pub least_expected: Option<f64>,
}

/// The tests of [`FeatureTest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TestKind {
    /// Pearson's χ² of independence, without continuity correction: flags, categories,
    /// ordinals, tags.
    ChiSquare,
    /// One-way analysis of variance: numbers and dates.
    Anova,
}

/// The tests of all features, with Holm's correction over all of them.
pub(super) fn test_features(
    features: &[FeatureSpec],
    segments: &[Profile],
) -> Vec<FeatureTest> {
    let mut tests = Vec::new();
    for (at, spec) in features.iter().enumerate() {
        let of: Vec<&FeatureProfile> = segments
            .iter()
            .filter_map(|profile| profile.features.get(at))
            .filter(|feature| feature.weight > 0.0)
            .collect();
        test_feature(spec, &of, &mut tests);
    }
    correct(&mut tests);
    tests
}

fn test_feature(
    spec: &FeatureSpec,
    of: &[&FeatureProfile],
    tests: &mut Vec<FeatureTest>,
) {
    match spec.kind() {
        FeatureKind::Number | FeatureKind::Date => {
            let groups = of.iter().map(|feature| moments(feature)).collect();
            tests.extend(anova(spec.name(), groups));
        }
        FeatureKind::Flag => {
            let yes = |feature: &FeatureProfile| match &feature.summary {
                Summary::Flag(flag) => flag.weight,
                _ => 0.0,
            };
            let counts = of.iter().map(|feature| yes_no(feature, yes(feature)));
            tests.extend(chi_square(spec.name(), None, &counts.collect::<Vec<_>>()));
        }
        FeatureKind::Category | FeatureKind::Ordinal => {
            let counts: Vec<Vec<f64>> =
                of.iter().map(|feature| weights(feature).collect()).collect();
            tests.extend(chi_square(spec.name(), None, &counts));
        }
        FeatureKind::Tags => {
            let names = of.first().map_or(&[][..], |feature| feature.summary.levels());
            for (tag, LevelSummary { level, .. }) in names.iter().enumerate() {
                let with =
                    |feature: &FeatureProfile| weights(feature).nth(tag).unwrap_or(0.0);
                let counts = of.iter().map(|feature| yes_no(feature, with(feature)));
                let counts: Vec<Vec<f64>> = counts.collect();
                tests.extend(chi_square(spec.name(), Some(level), &counts));
            }
        }
    }
}

fn weights(feature: &FeatureProfile) -> impl Iterator<Item = f64> + '_ {
    feature.summary.levels().iter().map(|level| level.figures.weight)
}

fn yes_no(feature: &FeatureProfile, yes: f64) -> Vec<f64> {
    vec![yes, (feature.weight - yes).max(0.0)]
}

/// Weight, mean and standard deviation of a number or date.
fn moments(feature: &FeatureProfile) -> Option<[f64; 3]> {
    let (mean, deviation) = match &feature.summary {
        Summary::Number(number) => (number.mean?, number.std_dev?),
        Summary::Date(date) => (date.mean_days?, date.std_dev_days?),
        _ => return None,
    };
    Some([feature.weight, mean, deviation])
}

/// One-way analysis of variance of groups given by weight, mean and deviation.
fn anova(feature: &str, groups: Option<Vec<[f64; 3]>>) -> Option<FeatureTest> {
    let groups = groups?;
    let n: f64 = groups.iter().map(|[w, ..]| w).sum();
    let grand: f64 = groups.iter().map(|[w, mean, _]| mean * (w / n)).sum();
    let deviations = groups.iter().flat_map(|&[_, mean, sd]| [sd, (mean - grand).abs()]);
    // Sums of squares in units of the largest deviation, so that they cannot overflow.
    let unit = deviations.fold(0.0, f64::max);
    let squares = |d: f64, w: f64| (d / unit) * (d / unit) * w;
    let between: f64 = groups.iter().map(|&[w, m, _]| squares(m - grand, w)).sum();
    let within: f64 = groups.iter().map(|&[w, _, sd]| squares(sd, w)).sum();
    let df = groups.len().checked_sub(1).filter(|&df| df > 0)? as f64;
    let df_residual = n - groups.len() as f64;
    if !(within > 0.0 && df_residual > 0.0) {
        return None;
    }
    let statistic = finite(between / df / (within / df_residual))?;
    let p_value = FisherSnedecor::new(df, df_residual).ok()?.sf(statistic);
    Some(FeatureTest {
        feature: feature.to_owned(),
        level: None,
        test: TestKind::Anova,
        statistic,
        df,
        df_residual: Some(df_residual),
        p_value: finite(p_value)?.clamp(0.0, 1.0),
        p_holm: 1.0,
        effect_size: finite(between / (between + within))?,
        least_expected: None,
    })
}

/// Pearson's χ² of counts: one list a segment, with one place for each level.
fn chi_square(
    feature: &str,
    level: Option<&String>,
    counts: &[Vec<f64>],
) -> Option<FeatureTest> {
    let test = pearson(counts)?;
    Some(FeatureTest {
        feature: feature.to_owned(),
        level: level.cloned(),
        test: TestKind::ChiSquare,
        statistic: test.statistic,
        df: test.df,
        df_residual: None,
        p_value: test.p_value,
        p_holm: 1.0,
        effect_size: test.effect_size,
        least_expected: Some(test.least_expected),
    })
}

/// Fills in Holm's p-values.
fn correct(tests: &mut [FeatureTest]) {
    let p_values: Vec<f64> = tests.iter().map(|test| test.p_value).collect();
    for (test, p_holm) in tests.iter_mut().zip(holm_of(&p_values)) {
        test.p_holm = p_holm;
    }
}
