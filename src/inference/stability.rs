//! How far a distribution has moved.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// What the stability index takes for a cell that is empty on one side, where its
/// logarithm has no value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EmptyCells {
    /// Shares below this one are raised to it, and the others are left as they are: above
    /// 0, and at most one over the number of cells. An emptied cell of 20 % adds 1.52 with
    /// a floor of 0.0001, and 2.44 with one of 0.000001: state it with the index. A cell
    /// that is empty on both sides adds nothing.
    Floor(f64),
    /// This is added to every count before shares are taken, 0.5 for example. It is for
    /// counts: beside shares of a sum of 1 it would drown them.
    AddToCounts(f64),
    /// A cell that is empty on one side is an error; one that is empty on both adds
    /// nothing.
    Refuse,
}

impl Default for EmptyCells {
    /// A floor of 0.0001.
    fn default() -> EmptyCells {
        EmptyCells::Floor(1e-4)
    }
}

/// What a [`StabilityIndex`] is commonly taken to mean (Siddiqi 2006, *Credit Risk
/// Scorecards*). It is a convention and no test: with few customers an index of 0.1 is
/// chance.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// Below 0.10.
    None,
    /// From 0.10 to below 0.25.
    Some,
    /// From 0.25 on.
    Large,
}

/// The result of [`population_stability_index`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StabilityIndex {
    /// The index, from 0 up.
    pub value: f64,
    /// What each cell adds to it, from 0 up.
    pub terms: Vec<f64>,
    /// The cells, by place, in which the policy for empty cells replaced a share that was
    /// 0 or below the floor.
    pub replaced: Vec<usize>,
}

impl StabilityIndex {
    /// The band in which the index lies.
    #[must_use]
    pub fn shift(&self) -> Shift {
        match self.value {
            value if value < 0.10 => Shift::None,
            value if value < 0.25 => Shift::Some,
            _ => Shift::Large,
        }
    }
}

/// How far the shares of cells, such as segments or scores, have moved between two
/// populations: the sum of `(a − e) ln(a / e)` over the cells, with `e` the expected and
/// `a` the actual share.
///
/// It is the divergence of Jeffreys (1946), the same in both directions. The cells must be
/// the same ones on both sides: take the cut points of the first population for both.
/// Either side may be counts or shares; it is divided by its sum.
///
/// ```
/// use segmenta::inference::{EmptyCells, Shift, population_stability_index};
///
/// let before = [400.0, 300.0, 200.0, 100.0];
/// let after = [0.10, 0.20, 0.30, 0.40];
/// let index = population_stability_index(&before, &after, EmptyCells::Refuse)?;
/// assert_eq!((index.value * 1e4).round(), 9129.0);
/// assert_eq!(index.shift(), Shift::Large);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the lengths differ, a number is negative or not finite, the policy's number is out
/// of its range, or it refuses a cell that is empty on one side. Undefined when one side is
/// empty.
pub fn population_stability_index(
    expected: &[f64],
    actual: &[f64],
    empty: EmptyCells,
) -> Result<StabilityIndex> {
    if expected.len() != actual.len() {
        let what = "the list of actual counts";
        return Err(Error::length(what, expected.len(), actual.len()));
    }
    let n_cells = expected.len();
    let (add, floor) = match empty {
        EmptyCells::Floor(floor) => {
            let most = 1.0 / n_cells.max(1) as f64;
            if !(floor > 0.0 && floor <= most) {
                let range = format!("above 0 and at most {most}, one over the cells");
                return Err(Error::parameter("floor", range, floor));
            }
            (0.0, floor)
        }
        EmptyCells::AddToCounts(add) if !(add > 0.0 && add.is_finite()) => {
            return Err(Error::parameter("add to counts", "positive and finite", add));
        }
        EmptyCells::AddToCounts(add) => (add, 0.0),
        EmptyCells::Refuse => (0.0, 0.0),
    };
    let before = shares("expected", expected, add)?;
    let after = shares("actual", actual, add)?;
    let (mut terms, mut replaced) = (Vec::with_capacity(n_cells), Vec::new());
    for (cell, (&e, &a)) in before.iter().zip(&after).enumerate() {
        if e == 0.0 && a == 0.0 {
            terms.push(0.0);
            continue;
        }
        if floor == 0.0 && (e == 0.0 || a == 0.0) {
            let side = if e == 0.0 { "expected" } else { "actual" };
            let reason = format!("cell {cell} is empty among the {side}");
            return Err(Error::undefined("the stability index", reason));
        }
        if e.min(a) < floor || expected[cell] == 0.0 || actual[cell] == 0.0 {
            replaced.push(cell);
        }
        let (e, a) = (e.max(floor), a.max(floor));
        terms.push((a - e) * log_ratio(a, e));
    }
    Ok(StabilityIndex { value: terms.iter().sum(), terms, replaced })
}

/// `ln(a / e)`, where the quotient of two tiny shares may not be a number of full
/// precision.
fn log_ratio(a: f64, e: f64) -> f64 {
    let ratio = a / e;
    if ratio.is_normal() { ratio.ln() } else { a.ln() - e.ln() }
}

/// Each count, with `add` added, over the sum of all.
fn shares(side: &'static str, counts: &[f64], add: f64) -> Result<Vec<f64>> {
    for (row, &count) in counts.iter().enumerate() {
        if !count.is_finite() || count < 0.0 {
            return Err(ErrorKind::Value {
                expected: format!("a count or share of the {side}").into(),
                found: count.to_string(),
                row: Some(row),
            }
            .into());
        }
    }
    let total: f64 = counts.iter().map(|count| count + add).sum();
    if counts.iter().all(|&count| count == 0.0) {
        let reason = format!("nobody is among the {side}");
        return Err(Error::undefined("the stability index", reason));
    }
    if !total.is_finite() {
        return Err(Error::parameter(format!("sum of the {side}"), "finite", total));
    }
    Ok(counts.iter().map(|count| (count + add) / total).collect())
}
