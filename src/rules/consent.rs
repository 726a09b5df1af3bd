//! What a customer has agreed to.

use serde::{Deserialize, Serialize};

use super::ast::{Literal, Rule, Test};
use crate::data::Span;

/// A test of whether a customer has agreed to something, and how long ago.
///
/// What she said is a feature: a category or ordinal with states such as `granted`,
/// `denied` and `revoked`, or a flag. When she said it may be another, a date. The rule is
/// True if both are there and satisfy it, and False otherwise: where nothing is known, no
/// consent was given. It is never Unknown, so that `not consent(…)` holds of all who may not
/// be addressed.
///
/// ```
/// use segmenta::data::Span;
/// use segmenta::rules::{Rule, consent};
///
/// let json = r#"{"consent": {
///     "purpose": "newsletter", "is": ["granted"],
///     "given": {"on": "newsletter_day", "in_last": "730d"}
/// }}"#;
/// let rule: Rule = serde_json::from_str(json)?;
/// let agreed = consent("newsletter").is(["granted"]);
/// assert_eq!(rule, agreed.given_in_last(Span::days(730), "newsletter_day").rule());
/// assert_eq!(
///     rule.to_string(),
///     "consent(newsletter in ('granted') given on newsletter_day in last 730d)",
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentTest {
    /// The feature that says what the customer has said.
    pub purpose: String,
    /// The states that are consent; absent where the feature is a flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Vec<String>>,
    /// How long ago she may have said it; absent for any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<ConsentAge>,
}

/// How old a consent may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentAge {
    /// The feature that says when it was given.
    pub on: String,
    /// Today or one of the days before it, this many in all.
    pub in_last: Span,
}

impl ConsentTest {
    /// What must hold of the state.
    pub(super) fn state(&self) -> Test {
        match &self.is {
            None => Test::Eq(Literal::Flag(true)),
            Some(states) => {
                Test::In(states.iter().map(|state| state.as_str().into()).collect())
            }
        }
    }

    /// How many tests it is made of.
    pub(super) fn n_tests(&self) -> usize {
        1 + usize::from(self.given.is_some())
    }
}

/// Starts a test of whether a customer has agreed to something, see [`ConsentTest`]: that
/// the flag of this name is set, unless states are listed.
pub fn consent(purpose: impl Into<String>) -> Consent {
    Consent(ConsentTest { purpose: purpose.into(), is: None, given: None })
}

/// A consent about to become a [`Rule`], made by [`consent`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Consent(ConsentTest);

impl Consent {
    /// In one of these states.
    pub fn is<S: Into<String>>(mut self, states: impl IntoIterator<Item = S>) -> Consent {
        self.0.is = Some(states.into_iter().map(Into::into).collect());
        self
    }

    /// Given today or on one of the days before it, this many in all, as the feature of this
    /// name says.
    pub fn given_in_last(mut self, span: Span, on: impl Into<String>) -> Consent {
        self.0.given = Some(ConsentAge { on: on.into(), in_last: span });
        self
    }

    /// The rule.
    #[must_use]
    pub fn rule(self) -> Rule {
        Rule::Consent(self.0)
    }
}

impl From<Consent> for ConsentTest {
    fn from(consent: Consent) -> ConsentTest {
        consent.0
    }
}
