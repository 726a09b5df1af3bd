//! Why a customer is where she is. An explanation is the computation itself, laid open:
//! its contributions sum to the cost and to the margin, but for rounding.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Assignment, SegmentIndex};
use crate::data::OwnedValue;

/// Truth in Kleene's three-valued logic (Kleene 1952, §64). Only [`Truth::True`] makes
/// a member.
///
/// ```
/// use segmenta::segmenter::Truth;
///
/// assert_eq!(Truth::Unknown.and(Truth::False), Truth::False);
/// assert_eq!(Truth::Unknown.or(Truth::True), Truth::True);
/// assert_eq!(Truth::Unknown.not(), Truth::Unknown);
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It does not hold.
    False,
    /// It cannot be said, for a value is missing.
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// The lesser of the two: False < Unknown < True.
    #[must_use]
    pub fn and(self, other: Truth) -> Truth {
        self.min(other)
    }

    /// The greater of the two: False < Unknown < True.
    #[must_use]
    pub fn or(self, other: Truth) -> Truth {
        self.max(other)
    }

    /// Swaps True and False, keeps Unknown.
    #[must_use]
    #[allow(clippy::should_implement_trait)]
    pub fn not(self) -> Truth {
        match self {
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
            Truth::True => Truth::False,
        }
    }

    /// True for [`Truth::True`] only.
    #[must_use]
    pub fn is_true(self) -> bool {
        self == Truth::True
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Truth {
        if holds { Truth::True } else { Truth::False }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Truth::False => "no",
            Truth::Unknown => "unknown",
            Truth::True => "yes",
        })
    }
}

/// Why a customer is where she is.
///
/// `Display` prints it in plain words, a line for each fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The answer, equal to that of `assign_with`.
    pub assignment: Assignment,
    /// Name of the assigned segment, for printing.
    pub segment: Option<String>,
    /// The segment that would have been next.
    pub runner_up: Option<SegmentIndex>,
    /// Name of the runner-up, for printing.
    pub runner_up_name: Option<String>,
    /// What each feature adds. The `cost`s sum to the assignment's cost, the `margin`s to
    /// its margin, but for rounding. Empty where a segmenter does not work by distances.
    pub contributions: Vec<Contribution>,
    /// The facts behind the answer.
    pub reason: Reason,
}

impl Explanation {
    /// An explanation with a reason and no contributions.
    #[must_use]
    pub fn new(assignment: Assignment, reason: Reason) -> Explanation {
        Explanation {
            assignment,
            segment: None,
            runner_up: None,
            runner_up_name: None,
            contributions: Vec::new(),
            reason,
        }
    }

    /// The least that a segmenter can say: its answer.
    #[must_use]
    pub fn opaque(assignment: Assignment) -> Explanation {
        Explanation::new(assignment, Reason::Opaque)
    }

    /// Fills in the names of the segments, for printing.
    #[must_use]
    pub fn named(mut self, segments: &[super::Segment]) -> Explanation {
        let name = |i: SegmentIndex| segments.get(i.get()).map(|s| s.name.clone());
        self.segment = self.assignment.segment().and_then(name);
        self.runner_up_name = self.runner_up.and_then(name);
        self
    }
}

/// What one feature adds to the cost and to the margin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The feature's name.
    pub feature: String,
    /// What the customer has, in the host's units.
    pub value: OwnedValue,
    /// What is typical of the assigned segment, in the host's units, where that can be
    /// said.
    pub typical: Option<OwnedValue>,
    /// Its part of the cost; never negative for distances.
    pub cost: f64,
    /// Its part of the margin: positive where it speaks for the assigned segment,
    /// negative where it speaks for the runner-up. 0 without a runner-up.
    pub margin: f64,
}

/// The facts behind an assignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Rules: every clause that was looked at, in order.
    Rules {
        /// The clauses.
        clauses: Vec<ClauseResult>,
    },
    /// Scores on axes: recency, frequency, monetary.
    Scores {
        /// One for each axis.
        axes: Vec<AxisScore>,
    },
    /// The nearest centre.
    Nearest {
        /// The cost of each segment, in the order of the segments.
        costs: Vec<f64>,
    },
    /// A place in a hierarchy.
    Merge {
        /// Height at which the segment's members are all joined.
        height: f64,
        /// Height at which the segment joins its sibling; `None` at the root.
        parent_height: Option<f64>,
        /// The nearest row of the training table that stands for the segment, if kept.
        exemplar: Option<String>,
        /// The cost of each segment, in the order of the segments.
        costs: Vec<f64>,
    },
    /// A composition: what each part said.
    Parts {
        /// The parts, in the order in which they were asked.
        parts: Vec<Part>,
    },
    /// The segmenter does not say.
    Opaque,
}

/// One part of a composition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What the part is called.
    pub name: String,
    /// What it said.
    pub explanation: Explanation,
}

/// The truth of one clause of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClauseResult {
    /// The segment whose rule this is.
    pub segment: SegmentIndex,
    /// JSON pointer to the clause inside that rule.
    pub path: String,
    /// How deep the clause lies; 0 is the whole rule.
    pub depth: usize,
    /// The clause in words.
    pub text: String,
    /// The names of the features at which a test looks, of streams of events, and of their
    /// properties as `stream.property`; empty for clauses that are made of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// What the customer has, for a test of a feature.
    pub observed: Option<OwnedValue>,
    /// Whether it holds.
    pub truth: Truth,
}

/// One score and the cut points it follows from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AxisScore {
    /// The axis: `recency`, `frequency`, `monetary`.
    pub axis: String,
    /// What the customer has.
    pub value: f64,
    /// The score, from 1.
    pub score: u32,
    /// The highest possible score.
    pub best: u32,
    /// The score's interval of values: from this value on (`None`: no lower end) …
    pub from: Option<f64>,
    /// … up to this one (`None`: no upper end).
    pub to: Option<f64>,
    /// All cut points of the axis, ascending.
    pub cut_points: Vec<f64>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Explanation {
    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let pad = " ".repeat(indent);
        let index_name = |i: SegmentIndex| format!("#{}", i.get());
        match self.assignment.segment() {
            Some(i) => {
                let name = self.segment.clone().unwrap_or_else(|| index_name(i));
                write!(f, "{pad}in {name}")?;
            }
            None => write!(f, "{pad}in no segment")?,
        }
        if let Some(next) = self.runner_up {
            let name = self.runner_up_name.clone().unwrap_or_else(|| index_name(next));
            write!(f, ", next {name} (margin {:.4})", self.assignment.margin())?;
        }
        writeln!(f)?;
        for c in &self.contributions {
            write!(f, "{pad}  {} = {:.4}", c.feature, c.value)?;
            if let Some(typical) = &c.typical {
                write!(f, ", typical {typical:.4}")?;
            }
            writeln!(f, ": distance {:.4}, margin {:+.4}", c.cost, c.margin)?;
        }
        self.write_reason(f, indent + 2)
    }

    fn write_reason(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let pad = " ".repeat(indent);
        match &self.reason {
            Reason::Rules { clauses } => {
                for clause in clauses {
                    let deeper = "  ".repeat(clause.depth);
                    write!(f, "{pad}{deeper}{:<7} {}", clause.truth, clause.text)?;
                    match &clause.observed {
                        Some(observed) => writeln!(f, " (has {observed})")?,
                        None => writeln!(f)?,
                    }
                }
            }
            Reason::Scores { axes } => {
                for a in axes {
                    write!(
                        f,
                        "{pad}{} = {} scores {} of {}",
                        a.axis, a.value, a.score, a.best
                    )?;
                    match (a.from, a.to) {
                        (Some(from), Some(to)) => writeln!(f, ": from {from} to {to}")?,
                        (Some(from), None) => writeln!(f, ": from {from} on")?,
                        (None, Some(to)) => writeln!(f, ": up to {to}")?,
                        (None, None) => writeln!(f)?,
                    }
                }
            }
            Reason::Nearest { .. } | Reason::Opaque => {}
            Reason::Merge { height, parent_height, exemplar, .. } => {
                write!(f, "{pad}joined at height {height:.4}")?;
                if let Some(parent) = parent_height {
                    write!(f, ", merged with its sibling at {parent:.4}")?;
                }
                if let Some(exemplar) = exemplar {
                    write!(f, ", like customer {exemplar}")?;
                }
                writeln!(f)?;
            }
            Reason::Parts { parts } => {
                for part in parts {
                    writeln!(f, "{pad}{}:", part.name)?;
                    part.explanation.write(f, indent + 2)?;
                }
            }
        }
        Ok(())
    }
}
