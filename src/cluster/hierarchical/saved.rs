//! The shape of a hierarchical model on disk.

use serde::{Deserialize, Serialize};

use super::config::AssignRule;
use super::dendrogram::Dendrogram;
use super::linkage::Linkage;
use super::model::{HierarchicalModel, Parts};
use super::reference::References;
use crate::data::Schema;
use crate::encode::{EncoderRepr, FittedEncoder};
use crate::error::{Error, Result};
use crate::segmenter::{Persist, Registry, Segment, check_segments};

/// A [`HierarchicalModel`] as plain data, version 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HierarchicalRepr {
    encoder: EncoderRepr,
    segments: Vec<Segment>,
    linkage: Linkage,
    assignment: AssignRule,
    /// `n_segments` rows of `n_columns` numbers.
    centroids: Vec<f64>,
    heights: Vec<f64>,
    tree: Dendrogram,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exemplars: Vec<String>,
    self_consistency: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    members: Option<Members>,
}

/// The training rows, those of segment 0 first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    rows: Vec<f64>,
    /// For each segment the number of rows up to its last one.
    ends: Vec<usize>,
}

impl Persist for HierarchicalModel {
    const KIND: &'static str = "segmenta.hierarchical";
    const VERSION: u32 = 1;
    type Repr = HierarchicalRepr;

    fn to_repr(&self, _: &Registry) -> Result<HierarchicalRepr> {
        let parts = self.parts();
        let members = parts.members.as_ref().map(|members| Members {
            rows: members.points().to_vec(),
            ends: members.ends().to_vec(),
        });
        Ok(HierarchicalRepr {
            encoder: parts.encoder.to_repr(),
            segments: parts.segments.clone(),
            linkage: parts.linkage,
            assignment: parts.assignment,
            centroids: parts.centroids.points().to_vec(),
            heights: parts.heights.clone(),
            tree: parts.tree.clone(),
            exemplars: parts.exemplars.clone(),
            self_consistency: parts.self_consistency,
            members,
        })
    }

    fn from_repr(
        repr: HierarchicalRepr,
        schema: Schema,
        _: &Registry,
    ) -> Result<HierarchicalModel> {
        let corrupt = |reason: String| Error::corrupt(Self::KIND, reason);
        let check = |holds: bool, reason: &str| {
            if holds { Ok(()) } else { Err(corrupt(reason.to_owned())) }
        };
        let encoder = FittedEncoder::from_repr(repr.encoder, schema, Self::KIND)?;
        check_segments(&repr.segments).map_err(|e| corrupt(e.to_string()))?;
        let (k, p) = (repr.segments.len(), encoder.n_columns());
        check(k > 0, "it has no segment")?;
        check(p > 0, "its encoder gives no column")?;
        let is_whole = |numbers: &[f64], rows: usize| {
            rows.checked_mul(p) == Some(numbers.len())
                && numbers.iter().all(|x| x.is_finite())
        };
        check(is_whole(&repr.centroids, k), "its centroids do not fit its segments")?;
        check(
            repr.heights.len() == k
                && repr.heights.iter().all(|h| h.is_finite() && *h >= 0.0),
            "its heights do not fit its segments",
        )?;
        check(repr.tree.n_leaves() == k, "its tree does not fit its segments")?;
        if repr.linkage.is_monotone() {
            let sorted = repr.tree.is_monotone();
            check(sorted, "its tree is not in the order of heights")?;
            let lowest = repr.tree.merges().first().map_or(f64::INFINITY, |m| m.height);
            let below = repr.heights.iter().all(|&height| height <= lowest);
            check(below, "a segment is joined above the cut")?;
        }
        check(
            repr.exemplars.is_empty() || repr.exemplars.len() == k,
            "its exemplars do not fit its segments",
        )?;
        let share = (0.0..=1.0).contains(&repr.self_consistency);
        check(share, "its self-consistency is not a share")?;
        let needs_members = repr.assignment == AssignRule::NearestMember;
        check(
            needs_members == repr.members.is_some(),
            "its members do not fit its rule of assignment",
        )?;
        let members = match repr.members {
            None => None,
            Some(Members { rows, ends }) => {
                let ascending = ends.first().is_some_and(|&first| first > 0)
                    && ends.windows(2).all(|pair| pair[0] < pair[1]);
                let n = ends.last().copied().unwrap_or(0);
                check(
                    ends.len() == k && ascending && is_whole(&rows, n),
                    "its members do not fit its segments",
                )?;
                Some(References::new(rows, ends, p))
            }
        };
        Ok(HierarchicalModel::new(Parts {
            encoder,
            segments: repr.segments,
            linkage: repr.linkage,
            assignment: repr.assignment,
            centroids: References::single(repr.centroids, p),
            members,
            heights: repr.heights,
            tree: repr.tree,
            exemplars: repr.exemplars,
            self_consistency: repr.self_consistency,
        }))
    }
}
