//! What an analysis finds, and what it leaves open.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::segmenter::SegmentId;

/// Something that is so for all customers, whatever their values and events are and
/// whenever they are asked.
///
/// Places in rules are JSON pointers, as in an [`Explanation`](crate::segmenter::Explanation);
/// the empty one is the rule itself.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::{Finding, RuleBook, field};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("vip", "VIP customers", field("orders").ge(10))
///     .segment("active", "Active customers", field("orders").ge(1))
///     .build()?;
/// let analysis = book.analyse();
/// let expected = Finding::Within { segment: "vip".into(), of: "active".into() };
/// assert_eq!(analysis.findings(), [expected]);
/// assert_eq!(
///     analysis.findings()[0].to_string(),
///     "`vip` is within `active`: every member of the first is a member of the second",
/// );
/// assert_eq!(
///     serde_json::to_string(&analysis.findings()[0])?,
///     r#"{"within":{"segment":"vip","of":"active"}}"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// Nobody can be in a segment.
    Never {
        /// Which.
        segment: SegmentId,
        /// Where the clauses stand that contradict each other. Without any of them the
        /// others do not, unless that was too much work to see.
        clauses: Vec<String>,
    },
    /// Everyone is in a segment, also those of whom nothing is known.
    Always {
        /// Which.
        segment: SegmentId,
    },
    /// Segments have the same members.
    Equal {
        /// Which, in their order: at least two.
        segments: Vec<SegmentId>,
    },
    /// Every member of a segment is a member of another one.
    ///
    /// Segments without members and segments of everyone are left out. Of equal segments only the
    /// first is named, and where one is within a second and that within a third, the
    /// first within the third goes without saying.
    Within {
        /// The inner one.
        segment: SegmentId,
        /// The outer one.
        of: SegmentId,
    },
    /// Where the first segment that matches is taken, as in a
    /// [`RuleSegmenter`](super::super::RuleSegmenter), a segment gets nobody although it can
    /// match.
    Shadowed {
        /// Which.
        segment: SegmentId,
        /// Those before it that take everyone. Without any of them the others do not,
        /// unless that was too much work to see.
        by: Vec<SegmentId>,
    },
    /// Nobody is left for the rest segment.
    EmptyRest {
        /// Which.
        segment: SegmentId,
        /// Those that take everyone, as few as with [`Finding::Shadowed`].
        by: Vec<SegmentId>,
    },
    /// A clause makes no difference: without it the rule has the same members, and so has
    /// every other segment. All clauses that are found, in all rules, can be taken out together.
    /// Clauses inside one that is found are not looked at, nor are rules that hold never or
    /// always.
    ///
    /// Of a customer who is no member, the rule may say Unknown with the clause and False
    /// without it, or the other way round, unless another segment of the set asks whether this
    /// one is False (`not segment 'a'`): then all three answers stay.
    Needless {
        /// Whose rule.
        segment: SegmentId,
        /// Where the clause stands.
        clause: String,
    },
}

/// A question to which the [limits](super::AnalysisLimits) allowed no answer.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::{AnalysisLimits, OpenQuestion, RuleBook, field};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("all", "All", field("orders").is_missing() | field("orders").is_set())
///     .build()?;
/// assert!(book.analyse().undecided().is_empty());
/// let analysis = book.analyse_with(&AnalysisLimits::new().total(0));
/// let open = OpenQuestion::Always { segment: "all".into() };
/// assert!(analysis.undecided().contains(&open));
/// assert_eq!(open.to_string(), "whether everyone is in `all` was not decided");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OpenQuestion {
    /// Can anybody be in the segment?
    Never {
        /// Which.
        segment: SegmentId,
    },
    /// Is everyone in the segment?
    Always {
        /// Which.
        segment: SegmentId,
    },
    /// Is the first segment within the second?
    Within {
        /// The first.
        segment: SegmentId,
        /// The second.
        of: SegmentId,
    },
    /// Is the first within the second, for so many more pairs of segments?
    MoreWithin {
        /// How many.
        pairs: usize,
    },
    /// Do the segments before it take everyone who matches?
    Shadowed {
        /// Which.
        segment: SegmentId,
    },
    /// Is nobody left for the rest segment?
    EmptyRest {
        /// Which.
        segment: SegmentId,
    },
    /// Does a clause make no difference?
    Needless {
        /// Whose rule.
        segment: SegmentId,
        /// Where the clause stands.
        clause: String,
    },
}

/// How two segments lie to each other.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::{Relation, RuleBook, field};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("some", "Some orders", field("orders").ge(1))
///     .segment("none", "No orders", field("orders").eq(0))
///     .segment("member", "Members", field("member").eq(true))
///     .build()?;
/// let analysis = book.analyse();
/// assert_eq!(analysis.relation("some", "none")?, Relation::Disjoint);
/// assert_eq!(analysis.relation("some", "member")?, Relation::Overlap);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Relation {
    /// They have the same members.
    Equal,
    /// Every member of the first is a member of the second.
    Within,
    /// Every member of the second is a member of the first.
    Contains,
    /// Nobody can be in both.
    Disjoint,
    /// None of these: there can be members of both, of the first alone, and of the second
    /// alone.
    Overlap,
    /// Nothing of this was proven: it was too much work, or the rules ask what is not
    /// fully understood.
    Undecided,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Never { segment, clauses } => {
                write!(f, "nobody can be in `{segment}`")?;
                match &clauses[..] {
                    [] => Ok(()),
                    [one] if one.is_empty() => Ok(()),
                    [one] => write!(f, ": {one} never holds"),
                    many => write!(f, ": {} contradict each other", list(many, "")),
                }
            }
            Finding::Always { segment } => write!(f, "everyone is in `{segment}`"),
            Finding::Equal { segments } => {
                write!(f, "{} have the same members", list(segments, "`"))
            }
            Finding::Within { segment, of } => write!(
                f,
                "`{segment}` is within `{of}`: every member of the first is a member of \
                 the second"
            ),
            Finding::Shadowed { segment, by } => write!(
                f,
                "`{segment}` is never the first that matches: {} {} all its members",
                list(by, "`"),
                takes(by)
            ),
            Finding::EmptyRest { segment, by } => write!(
                f,
                "nobody is left for `{segment}`: {} {} everyone",
                list(by, "`"),
                takes(by)
            ),
            Finding::Needless { segment, clause } => write!(
                f,
                "{clause} of `{segment}` makes no difference: without it the members are \
                 the same"
            ),
        }
    }
}

impl fmt::Display for OpenQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenQuestion::Never { segment } => {
                write!(f, "whether anybody can be in `{segment}`")
            }
            OpenQuestion::Always { segment } => {
                write!(f, "whether everyone is in `{segment}`")
            }
            OpenQuestion::Within { segment, of } => {
                write!(f, "whether `{segment}` is within `{of}`")
            }
            OpenQuestion::MoreWithin { pairs } => write!(
                f,
                "whether one segment is within another, for {pairs} more pairs,"
            ),
            OpenQuestion::Shadowed { segment } => {
                write!(f, "whether `{segment}` is ever the first that matches")
            }
            OpenQuestion::EmptyRest { segment } => {
                write!(f, "whether anybody is left for `{segment}`")
            }
            OpenQuestion::Needless { segment, clause } => {
                write!(f, "whether {clause} of `{segment}` makes a difference")
            }
        }?;
        f.write_str(" was not decided")
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::Equal => "have the same members",
            Relation::Within => "the first is within the second",
            Relation::Contains => "the second is within the first",
            Relation::Disjoint => "nobody can be in both",
            Relation::Overlap => "overlap",
            Relation::Undecided => "not decided",
        })
    }
}

fn takes(by: &[SegmentId]) -> &'static str {
    if by.len() == 1 { "takes" } else { "take" }
}

fn list<T: fmt::Display>(items: &[T], quote: &str) -> String {
    let mut text = String::new();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            text.push_str(if i + 1 == items.len() { " and " } else { ", " });
        }
        text.push_str(&format!("{quote}{item}{quote}"));
    }
    text
}
