//! What sets a segment apart, and names made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::summary::{ShareSummary, Summary};
use super::{FeatureProfile, Profile};
use crate::data::{FeatureKind, FeatureSpec, Sensitivity};

/// A feature, or a level of one, in which a segment differs from the population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Marker {
    /// The feature's name.
    pub feature: String,
    /// The feature's kind.
    pub kind: FeatureKind,
    /// The level, for a category, ordinal or tags.
    pub level: Option<String>,
    /// By how much the segment differs; positive when above (or later than) the
    /// population.
    pub effect: f64,
    /// What `effect` measures.
    pub measure: EffectSize,
    /// 100 · mean or share / that of the population, where it is defined.
    pub index: Option<f64>,
    /// True when the difference is large enough to mark the segment.
    ///
    /// For shares, the rule of marker variables of Dolnicar, Grün & Leisch (2018, "Market
    /// Segmentation Analysis", step 6): the share differs by at least 0.25, or by at
    /// least half of the population's share. For numbers and dates, where a fixed
    /// difference would depend on the unit, |effect| ≥ 0.5 standard deviations. A
    /// difference that misses its threshold by no more than 1e-9 counts as reaching it.
    pub marks: bool,
}

/// What the effect of a [`Marker`] measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EffectSize {
    /// (mean − population mean) / population standard deviation.
    StandardizedMeanDifference,
    /// Cohen's h: 2·asin √share − 2·asin √population share.
    CohensH,
}

impl Marker {
    /// The marker in words: `high monetary`, `early first order`, `more channel: web`.
    #[must_use]
    pub fn phrase(&self) -> String {
        let above = self.effect > 0.0;
        let word = match (self.kind, above) {
            (FeatureKind::Number, true) => "high",
            (FeatureKind::Number, false) => "low",
            (FeatureKind::Date, true) => "late",
            (FeatureKind::Date, false) => "early",
            (_, true) => "more",
            (_, false) => "less",
        };
        let feature = self.feature.replace('_', " ");
        match &self.level {
            Some(level) => format!("{word} {feature}: {level}"),
            None => format!("{word} {feature}"),
        }
    }
}

/// Writes the phrase and the effect: `high monetary (+2.10 sd)`.
impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.measure {
            EffectSize::StandardizedMeanDifference => "sd",
            EffectSize::CohensH => "h",
        };
        let phrase = self.phrase();
        if self.effect.abs() < 1000.0 {
            write!(f, "{phrase} ({:+.2} {unit})", self.effect)
        } else {
            write!(f, "{phrase} ({:+.1e} {unit})", self.effect)
        }
    }
}

/// Differences below this are taken for rounding.
const ROUNDING: f64 = 1e-9;

/// All markers of a profile that are at most as sensitive as `most`, largest effect
/// first; ties in the order of features and levels.
pub(super) fn ranked(
    features: &[FeatureSpec],
    profile: &Profile,
    population: &Profile,
    most: Sensitivity,
) -> Vec<Marker> {
    let mut markers = Vec::new();
    let pairs = profile.features.iter().zip(&population.features);
    for (spec, (ours, all)) in features.iter().zip(pairs) {
        if spec.get_sensitivity() <= most {
            push_markers(&mut markers, spec.kind(), ours, all);
        }
    }
    // Rounded, so that ties do not hang on the last bit; stable, so that they keep their
    // order.
    let size = |marker: &Marker| (marker.effect.abs() / ROUNDING).round();
    markers.sort_by(|a, b| size(b).total_cmp(&size(a)));
    markers
}

fn push_markers(
    markers: &mut Vec<Marker>,
    kind: FeatureKind,
    ours: &FeatureProfile,
    all: &FeatureProfile,
) {
    let mut push = |level: Option<&String>,
                    effect: Option<f64>,
                    measure,
                    index,
                    marks| {
        if let Some(effect) = effect
            && effect.abs() > ROUNDING
        {
            let (feature, level) = (ours.feature.clone(), level.cloned());
            markers.push(Marker { feature, kind, level, effect, measure, index, marks });
        }
    };
    let marks_by = |smd: Option<f64>| smd.is_some_and(|d| d.abs() >= 0.5 - ROUNDING);
    let in_sd = EffectSize::StandardizedMeanDifference;
    match (&ours.summary, &all.summary) {
        (Summary::Number(n), _) => push(None, n.smd, in_sd, n.index, marks_by(n.smd)),
        (Summary::Date(d), _) => push(None, d.smd, in_sd, None, marks_by(d.smd)),
        (Summary::Flag(ours), Summary::Flag(all)) => {
            let marks = share_marks(ours, all);
            push(None, ours.cohens_h, EffectSize::CohensH, ours.index, marks);
        }
        (Summary::Levels(ours), Summary::Levels(all)) => {
            for (ours, all) in ours.iter().zip(all) {
                let marks = share_marks(&ours.figures, &all.figures);
                let (h, index) = (ours.figures.cohens_h, ours.figures.index);
                push(Some(&ours.level), h, EffectSize::CohensH, index, marks);
            }
        }
        _ => {}
    }
}

fn share_marks(ours: &ShareSummary, all: &ShareSummary) -> bool {
    ours.share.zip(all.share).is_some_and(|(p, q)| {
        let difference = (p - q).abs() + ROUNDING;
        difference >= 0.25 || (q > 0.0 && difference >= 0.5 * q)
    })
}

/// A feature, its level, and whether the segment is above the population in it.
type Direction<'m> = (&'m str, Option<&'m str>, bool);

fn direction(marker: &Marker) -> Direction<'_> {
    (&marker.feature, marker.level.as_deref(), marker.effect > 0.0)
}

/// A unique name for each segment.
pub(super) fn names(
    features: &[FeatureSpec],
    segments: &[Profile],
    population: &Profile,
) -> Vec<String> {
    let markers: Vec<Vec<Marker>> = segments
        .iter()
        .map(|profile| {
            let all = ranked(features, profile, population, Sensitivity::Internal);
            all.into_iter().filter(|marker| marker.marks).collect()
        })
        .collect();
    let mut counts: BTreeMap<Direction<'_>, usize> = BTreeMap::new();
    for marker in markers.iter().flatten() {
        *counts.entry(direction(marker)).or_default() += 1;
    }
    let filled = segments.iter().filter(|profile| profile.weight > 0.0).count();
    let tells = |marker: &Marker| filled < 3 || counts[&direction(marker)] + 1 < filled;

    let mut taken = BTreeSet::new();
    let mut names = Vec::with_capacity(segments.len());
    for (profile, markers) in segments.iter().zip(&markers) {
        let base = if profile.weight > 0.0 {
            name_of(markers.iter().filter(|marker| tells(marker)))
        } else {
            "empty".to_owned()
        };
        let mut name = base.clone();
        let mut number = 1;
        while taken.contains(&name) {
            number += 1;
            name = format!("{base} ({number})");
        }
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

/// The two largest markers above the population, then the largest below it, each of
/// another feature.
fn name_of<'m>(markers: impl Iterator<Item = &'m Marker>) -> String {
    let (above, below): (Vec<&Marker>, Vec<&Marker>) =
        markers.partition(|marker| marker.effect > 0.0);
    let mut chosen: Vec<&Marker> = Vec::new();
    for (from, n) in [(above, 2), (below, 1)] {
        let most = chosen.len() + n;
        for marker in from {
            let used = chosen.iter().any(|m| m.feature == marker.feature);
            if !used && chosen.len() < most {
                chosen.push(marker);
            }
        }
    }
    if chosen.is_empty() {
        return "average".to_owned();
    }
    let phrases: Vec<String> = chosen.into_iter().map(Marker::phrase).collect();
    phrases.join(", ")
}
