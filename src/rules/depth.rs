//! Rules that are nested too deeply for what walks them.

use serde::{Serialize, Serializer};

use super::ast::{FieldTest, Rule, SegmentRef, Test};
use super::bucket::BucketTest;
use super::consent::ConsentTest;
use super::distance::DistanceTest;
use super::event::EventTest;
use super::score::ScoreTest;
use super::sequence::SequenceTest;

/// Rules inside each other, and sizes of sizes, that are written as JSON and the like. Readers
/// of JSON commonly stop at 128 levels.
const MOST_WRITTEN: usize = 128;

impl Rule {
    /// The rules right inside this one, those of filters included.
    pub(super) fn inside(&self) -> impl Iterator<Item = &Rule> {
        let (parts, filter, steps): (&[Rule], Option<&Rule>, _) = match self {
            Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
                (rules, None, None)
            }
            Rule::Not(rule) => (&[], Some(rule), None),
            Rule::Event(test) => (&[], test.filter.as_deref(), None),
            Rule::Sequence(test) => (&[], None, Some(&test.steps)),
            Rule::Everyone
            | Rule::Nobody
            | Rule::Field(_)
            | Rule::Distance(_)
            | Rule::Bucket(_)
            | Rule::Consent(_)
            | Rule::Score(_)
            | Rule::Segment(_) => (&[], None, None),
        };
        let steps = steps.into_iter().flatten();
        let filters = steps.filter_map(|step| step.filter.as_deref());
        parts.iter().chain(filter).chain(filters)
    }

    /// Whether the rule has at most so many levels. Looks at rules of any depth.
    pub(crate) fn is_within(&self, most: usize) -> bool {
        let mut open = vec![(self, 1)];
        while let Some((rule, depth)) = open.pop() {
            if depth > most {
                return false;
            }
            open.extend(rule.inside().map(|inner| (inner, depth + 1)));
        }
        true
    }
}

/// Refused where it is nested too deeply, since what writes it goes as deep.
impl Serialize for Rule {
    fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        let (written, has_parts) = match self {
            Rule::Everyone => (Written::Everyone, false),
            Rule::Nobody => (Written::Nobody, false),
            Rule::All(rules) => (Written::All(rules), true),
            Rule::Any(rules) => (Written::Any(rules), true),
            Rule::AtLeast { n, of } => (Written::AtLeast { n: *n, of }, true),
            Rule::Not(rule) => (Written::Not(rule), true),
            Rule::Field(test) => (Written::Field(test), false),
            Rule::Event(test) => (Written::Event(test), test.filter.is_some()),
            Rule::Sequence(test) => (Written::Sequence(test), true),
            Rule::Distance(test) => (Written::Distance(test), false),
            Rule::Bucket(test) => (Written::Bucket(test), false),
            Rule::Consent(test) => (Written::Consent(test), false),
            Rule::Score(test) => (Written::Score(test), false),
            Rule::Segment(reference) => (Written::Segment(reference), false),
        };
        if has_parts && !self.is_within(MOST_WRITTEN) {
            return Err(too_deep());
        }
        written.serialize(serializer)
    }
}

/// A rule as it is written.
#[derive(Serialize)]
#[serde(rename = "Rule", rename_all = "snake_case")]
enum Written<'r> {
    Everyone,
    Nobody,
    All(&'r [Rule]),
    Any(&'r [Rule]),
    AtLeast { n: usize, of: &'r [Rule] },
    Not(&'r Rule),
    Field(&'r FieldTest),
    Event(&'r EventTest),
    Sequence(&'r SequenceTest),
    Distance(&'r DistanceTest),
    Bucket(&'r BucketTest),
    Consent(&'r ConsentTest),
    Score(&'r ScoreTest),
    Segment(&'r SegmentRef),
}

/// Writes the test of a size, which may be that of a size itself, though no feature has it.
pub(super) fn size<S: Serializer>(
    test: &impl AsRef<Test>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let (mut inner, mut depth) = (test.as_ref(), 1);
    while let Test::Size(test) = inner {
        (inner, depth) = (test, depth + 1);
        if depth > MOST_WRITTEN {
            return Err(too_deep());
        }
    }
    test.as_ref().serialize(serializer)
}

fn too_deep<E: serde::ser::Error>() -> E {
    E::custom(format!("the rule is nested too deeply: at most {MOST_WRITTEN} levels"))
}
