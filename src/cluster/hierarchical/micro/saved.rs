//! The shape of a tree of cluster features on disk.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::node::{NodeRepr, Nodes};
use super::options::CfOptions;
use super::tree::{CfTree, Ranges, column_number};
use crate::error::{Error, Result};

/// A tree as plain data, version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CfTreeRepr {
    version: u32,
    options: CfOptions,
    n_columns: usize,
    squared_threshold: f64,
    weight: f64,
    /// Least and largest number of each column; 0 without rows.
    low: Vec<f64>,
    high: Vec<f64>,
    /// Levels below the root.
    depth: usize,
    root: usize,
    nodes: Vec<NodeRepr>,
}

const KIND: &str = "tree of cluster features";
const VERSION: u32 = 1;

impl Serialize for CfTree {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let (nodes, root, depth) = self.nodes.to_repr();
        let is_empty = self.n_leaves() == 0;
        let range = |numbers: &[f64]| {
            if is_empty { vec![0.0; numbers.len()] } else { numbers.to_vec() }
        };
        CfTreeRepr {
            version: VERSION,
            options: self.options,
            n_columns: self.n_columns(),
            squared_threshold: self.squared_threshold,
            weight: self.weight,
            low: range(&self.ranges.low),
            high: range(&self.ranges.high),
            depth,
            root,
            nodes,
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for CfTree {
    fn deserialize<D: Deserializer<'de>>(
        from: D,
    ) -> std::result::Result<CfTree, D::Error> {
        let repr = CfTreeRepr::deserialize(from)?;
        read(repr).map_err(serde::de::Error::custom)
    }
}

fn check(holds: bool, reason: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::corrupt(KIND, reason)) }
}

fn read(repr: CfTreeRepr) -> Result<CfTree> {
    check(repr.version == VERSION, "its version is not 1")?;
    repr.options.check()?;
    let p = repr.n_columns;
    check(p > 0, "it has no column")?;
    let first = repr.options.first_threshold();
    let threshold = repr.squared_threshold;
    check(threshold >= first * first, "its threshold is below the first one")?;
    check(repr.weight.is_finite() && repr.weight >= 0.0, "its weight is not usable")?;
    let finite = |numbers: &[f64]| numbers.iter().all(|x| x.is_finite());
    check(
        repr.low.len() == p
            && repr.high.len() == p
            && finite(&repr.low)
            && finite(&repr.high)
            && repr.low.iter().zip(&repr.high).all(|(low, high)| low <= high),
        "its ranges do not fit its columns",
    )?;
    let ranges = Ranges { low: repr.low, high: repr.high };
    ranges.check(repr.weight.max(repr.options.limit() as f64), &column_number)?;
    let read = (repr.nodes, repr.root, repr.depth);
    let nodes = Nodes::from_repr(read, p, &repr.options, &ranges)
        .ok_or_else(|| Error::corrupt(KIND, "its nodes are not such a tree"))?;
    let total = nodes.weight();
    check(
        (total - repr.weight).abs() <= 1e-6 * total,
        "its weight is not that of its micro-clusters",
    )?;
    let is_empty = nodes.n_entries() == 0;
    Ok(CfTree {
        options: repr.options,
        squared_threshold: threshold,
        nodes,
        weight: repr.weight,
        ranges: if is_empty { Ranges::new(p) } else { ranges },
    })
}
