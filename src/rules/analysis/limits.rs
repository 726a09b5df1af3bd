//! How much work an analysis may be.

use serde::{Deserialize, Serialize};

/// How much work an analysis may be. A step is the reading of a clause or the like; some tens of
/// millions take a second. What is not decided within these limits is listed as
/// [undecided](super::Analysis::undecided).
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::{AnalysisLimits, RuleBook, field};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("none", "None", field("orders").gt(3) & field("orders").lt(3))
///     .build()?;
/// assert_eq!(book.analyse().findings().len(), 1);
///
/// let analysis = book.analyse_with(&AnalysisLimits::new().total(0));
/// assert!(analysis.findings().is_empty());
/// assert_eq!(
///     analysis.undecided()[0].to_string(),
///     "whether anybody can be in `none` was not decided",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalysisLimits {
    question: u64,
    total: u64,
}

impl AnalysisLimits {
    /// 200 000 steps for a question, 100 million in all.
    #[must_use]
    pub const fn new() -> AnalysisLimits {
        AnalysisLimits { question: 200_000, total: 100_000_000 }
    }

    /// Steps that one question may take. To compare the aggregates of events in it with each
    /// other may take as many, or a 64th of the total if that is more.
    #[must_use]
    pub const fn question(mut self, steps: u64) -> AnalysisLimits {
        self.question = steps;
        self
    }

    /// Steps that all questions together may take.
    #[must_use]
    pub const fn total(mut self, steps: u64) -> AnalysisLimits {
        self.total = steps;
        self
    }

    pub(super) fn get_question(&self) -> u64 {
        self.question
    }

    /// Steps that go into comparing the subjects of one question with each other.
    pub(super) fn most_facts(&self) -> u64 {
        self.question.max(self.total / 64).min(self.total)
    }

    pub(super) fn get_total(&self) -> u64 {
        self.total
    }
}

impl Default for AnalysisLimits {
    fn default() -> AnalysisLimits {
        AnalysisLimits::new()
    }
}
