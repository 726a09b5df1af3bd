//! Scores of a set, compared with a bound.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ast::Test;
use super::compile::Compiled;
use super::context::Context;
use super::field::Field;
use super::jumps::Label;
use super::points::{PointsFor, PointsModel, capped};
use crate::data::{Customer, FeatureSpec, Value};
use crate::error::Result;
use crate::exact::ExactSum;

/// A test of a score that the set of the rule [states](super::RuleSet::score).
///
/// The score is that of [`PointsModel`], part by part, at the instant at which the rule is
/// asked. It is never missing: what is not known gives no points. A score is asked wherever rules
/// are: over tables, of one customer, as events arrive; and it changes when one of its parts does.
///
/// ```
/// use segmenta::data::{
///     EventLog, FeatureSpec, OwnedCustomer, Schema, Span, StreamSpec, Timestamp,
/// };
/// use segmenta::rules::{PointsModel, RuleSet, events, field, score};
/// use segmenta::segmenter::Truth;
///
/// let visits = StreamSpec::new("visit", []);
/// let schema =
///     Schema::builder().feature(FeatureSpec::flag("member")).stream(visits.clone()).build()?;
/// let engagement = PointsModel::new()
///     .when("member", 10.0, field("member").eq(true))
///     .per_event("visits", 4.0, events("visit").last(Span::days(30)))
///     .part_cap(20.0);
/// let set = RuleSet::new()
///     .score("engagement", engagement)
///     .segment("warm", "Warm", score("engagement").ge(15));
/// assert_eq!(set.segments[0].rule.to_string(), "score 'engagement' >= 15");
/// assert_eq!("score 'engagement' >= 15".parse::<segmenta::rules::Rule>()?, set.segments[0].rule);
///
/// let day = |n: i64| Timestamp::from_millis(n * 86_400_000);
/// let log = EventLog::new(&visits, [(day(93), [0.0; 0]), (day(100), [])])?;
/// let ann = OwnedCustomer::new(&schema, 1).set("member", true)?.set_events("visit", log)?;
/// let book = set.compile_book(&schema)?;
/// assert_eq!(book.at(day(107)).membership(&ann)?, [Truth::True]);
/// let change = book.at(day(107)).next_change(&ann)?;
/// assert_eq!(change.map(|change| change.at), Some(Timestamp::from_millis(123 * 86_400_000 + 1)));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreTest {
    /// The id of the score in the set.
    pub id: String,
    /// What it must satisfy: a comparison of numbers.
    pub is: Test,
}

/// A score of a set, which rules of the set may [test](ScoreTest).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreRule {
    /// By which rules name it.
    pub id: String,
    /// What gives points. Its parts are tests of the customer herself: they may refer neither to
    /// segments nor to scores.
    pub points: PointsModel,
}

/// Starts a test of a score of the set, see [`ScoreTest`].
pub fn score(id: impl Into<String>) -> Field {
    Field::of_score(id.into())
}

/// A score that a rule tests, resolved against the schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Score {
    pub(super) id: String,
    pub(super) model: Arc<PointsModel>,
    pub(super) parts: Box<[ScorePart]>,
    /// It, as if it were a feature.
    pub(super) spec: FeatureSpec,
    /// Place among the different scores of all rules.
    pub(super) place: u32,
}

/// What gives points.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ScorePart {
    pub(super) points: f64,
    pub(super) cap: Option<f64>,
    pub(super) given_for: GivenFor,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum GivenFor {
    /// A rule: where its program starts, and which of the tests are its own.
    Rule { entry: Label, first_leaf: u32, n_leaves: u32 },
    /// As often as this test's aggregate says.
    Times { leaf: u32 },
}

impl ScorePart {
    /// The places of the tests of its rule.
    pub(super) fn leaves(&self) -> Range<usize> {
        match self.given_for {
            GivenFor::Rule { first_leaf, n_leaves, .. } => {
                first_leaf as usize..(first_leaf + n_leaves) as usize
            }
            GivenFor::Times { leaf } => leaf as usize..leaf as usize + 1,
        }
    }

    /// The points, given so many times.
    pub(super) fn points(&self, times: f64) -> f64 {
        // A product that is too large is not one of NaN: the points are finite.
        capped(self.points * times, self.cap).0
    }
}

impl Score {
    /// The rules of the parts that have one, with the numbers of these parts.
    pub(super) fn rules(&self) -> impl Iterator<Item = (usize, &super::ast::Rule)> {
        self.model.parts.iter().enumerate().filter_map(|(i, part)| {
            let PointsFor::Rule(rule) = &part.given_for else { return None };
            Some((i, rule))
        })
    }

    /// The score, from the points of each part.
    pub(super) fn sum(&self, points: impl Iterator<Item = f64>) -> f64 {
        let mut sum = ExactSum::new();
        points.for_each(|x| sum.add(x));
        self.capped(sum.value())
    }

    /// The score, from the sum of its parts.
    pub(super) fn capped(&self, sum: f64) -> f64 {
        capped(sum, self.model.cap).0
    }

    /// Whether sums of its points are never rounded: all are multiples of 2⁻¹⁰, and what the
    /// parts give in all, of up to 2³¹ events each, are fewer than 2⁵³ of them.
    pub(super) fn is_exact(&self) -> bool {
        const UNITS: f64 = 1024.0;
        const MOST: f64 = 9_007_199_254_740_992.0;
        let mut most = 0.0;
        if self.model.parts.iter().any(|part| part.half_life.is_some()) {
            return false;
        }
        for part in &self.parts {
            let times = match part.given_for {
                GivenFor::Rule { .. } => 1.0,
                GivenFor::Times { .. } => 2_147_483_648.0,
            };
            let points = [Some(part.points), part.cap];
            if points.into_iter().flatten().any(|x| (x * UNITS).fract() != 0.0) {
                return false;
            }
            most += part.points.abs() * UNITS * times;
        }
        most < MOST
    }
}

impl Compiled {
    /// A score of a customer.
    ///
    /// # Errors
    /// When a value that is looked at cannot be used.
    pub(super) fn score<C: Customer + ?Sized>(
        &self,
        score: &Score,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<f64> {
        let mut sum = ExactSum::new();
        for part in &score.parts {
            sum.add(part.points(self.times(part, customer, context)?));
        }
        Ok(score.capped(sum.value()))
    }

    /// How many times a part gives its points.
    pub(super) fn times<C: Customer + ?Sized>(
        &self,
        part: &ScorePart,
        customer: &C,
        context: &Context<'_>,
    ) -> Result<f64> {
        match part.given_for {
            GivenFor::Rule { entry, .. } => {
                Ok(f64::from(u8::from(self.run(entry, customer, context)?)))
            }
            GivenFor::Times { leaf } => {
                let leaf = &self.leaves[leaf as usize];
                match self.value(leaf, customer, context)? {
                    Value::Number(times) => Ok(times),
                    _ => Ok(0.0),
                }
            }
        }
    }
}
