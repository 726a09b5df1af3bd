//! Conditions on the order of what a customer did, as plain data.

use serde::{Deserialize, Serialize};

use super::ast::Rule;
use super::event::Window;
use crate::data::Span;

/// A test of what a customer did in which order, be it in several streams: looked at a
/// product and did not buy it, filled a basket and did not order within a day, ordered twice
/// within a week.
///
/// ```
/// use segmenta::data::Span;
/// use segmenta::rules::{Rule, field, sequence, step};
///
/// let json = r#"{"sequence": {
///     "steps": [{"name": "cart"}, {"name": "order", "not": true, "within": "24h"}],
///     "window": {"last": "7d"}
/// }}"#;
/// let rule: Rule = serde_json::from_str(json)?;
/// let abandoned = sequence(step("cart")).then_not(step("order").within(Span::hours(24)));
/// assert_eq!(rule, abandoned.last(Span::days(7)).rule());
/// assert_eq!(
///     rule.to_string(),
///     "sequence(cart then not order within 1d) in last 7d",
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # What holds
/// The rule is True if the customer's events in the window have such an order, and False
/// otherwise; it is never Unknown. It holds if there is one event for each step that is not
/// denied, for which the step's filter is True, such that
///
/// - each happened later than that of the step before: events at one instant are in no
///   order;
/// - none happened longer after that of the step before than `within` says;
/// - no event of a step that is denied happened after that of the step before it and before
///   that of the step after it. With `within`, events longer after the step before do not
///   matter. After a last step that is denied, the time that it states must have passed,
///   and be within the window; without one, it is denied up to the window's end;
/// - with [`same`](SequenceTest::same), all events that are spoken of have the same value of
///   that property. Where it is missing, an event is not looked at.
///
/// The time it takes is in proportion to the events, whatever the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceTest {
    /// The steps, in their order: two at least. The first is not denied, and has no `within`.
    pub steps: Vec<SequenceStep>,
    /// A property that all events have in common, by its name in all of the streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same: Option<String>,
    /// When all of it happened; absent for ever.
    #[serde(default, skip_serializing_if = "Window::is_ever")]
    pub window: Window,
}

/// A step of a [`SequenceTest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceStep {
    /// The stream's name.
    pub name: String,
    /// Which events count, as in [`EventTest`](super::EventTest); absent for all.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Box<Rule>>,
    /// Whether it is denied: no such event happened.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not: bool,
    /// How long after the step before, at most; absent for any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

fn is_false(x: &bool) -> bool {
    !x
}

/// Starts a sequence with its first step.
///
/// ```
/// use segmenta::data::Span;
/// use segmenta::rules::{Rule, field, sequence, step};
///
/// let looked = step("view").filter(field("seconds").ge(30));
/// let rule = sequence(looked)
///     .then(step("cart").within(Span::hours(2)))
///     .then_not(step("order"))
///     .same("product")
///     .last(Span::days(30))
///     .rule();
/// let text = "sequence(view where seconds >= 30 then cart within 2h then not order) \
///             with same product in last 30d";
/// assert_eq!(rule.to_string(), text);
/// assert_eq!(text.parse::<Rule>()?, rule);
/// # Ok::<(), segmenta::Error>(())
/// ```
pub fn sequence(first: SequenceStep) -> Sequence {
    Sequence(SequenceTest { steps: vec![first], same: None, window: Window::Ever })
}

/// A step of any event of the stream of this name.
#[must_use]
pub fn step(stream: impl Into<String>) -> SequenceStep {
    SequenceStep { name: stream.into(), filter: None, not: false, within: None }
}

impl SequenceStep {
    /// Only events for which a rule over their properties is True; with several, all of
    /// them.
    #[must_use]
    pub fn filter(mut self, rule: Rule) -> SequenceStep {
        self.filter = Some(Box::new(match self.filter {
            None => rule,
            Some(filter) => *filter & rule,
        }));
        self
    }

    /// At most so long after the step before.
    #[must_use]
    pub fn within(mut self, span: Span) -> SequenceStep {
        self.within = Some(span);
        self
    }
}

/// A sequence about to become a [`Rule`], made by [`sequence`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Sequence(SequenceTest);

impl Sequence {
    /// Then this happened.
    pub fn then(mut self, step: SequenceStep) -> Sequence {
        self.0.steps.push(step);
        self
    }

    /// Then this did not happen.
    pub fn then_not(self, step: SequenceStep) -> Sequence {
        self.then(SequenceStep { not: true, ..step })
    }

    /// All with the same value of a property.
    pub fn same(mut self, property: impl Into<String>) -> Sequence {
        self.0.same = Some(property.into());
        self
    }

    /// All in the last stretch of this length.
    pub fn last(self, span: Span) -> Sequence {
        self.in_window(Window::Last(span))
    }

    /// All in a window.
    pub fn in_window(mut self, window: Window) -> Sequence {
        self.0.window = window;
        self
    }

    /// The rule.
    #[must_use]
    pub fn rule(self) -> Rule {
        Rule::Sequence(self.0)
    }
}
