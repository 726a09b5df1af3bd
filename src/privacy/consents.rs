//! Rules that hold only of those who have agreed.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::{Policy, RequiredConsent};
use crate::data::Span;
use crate::error::{ErrorKind, Issue, Result, similar_names};
use crate::rules::{ConsentTest, PointsFor, Rule, RuleSet, SegmentRule};
use crate::segmenter::SegmentId;

/// How deep a part that asks a consent may lie in a rule to be seen.
const MAX_DEPTH: usize = 256;

/// Segments through which a reference may lead to a rule that asks a consent.
const MAX_REFERENCES: usize = 64;

/// Parts that a rule may have with others in place of references to them.
const MAX_PARTS: usize = 10_000;

/// Whether whoever satisfies a test also satisfies another one.
pub(super) fn implies(test: &ConsentTest, required: &ConsentTest) -> bool {
    let is_state = match (&test.is, &required.is) {
        (None, None) => true,
        (Some(states), Some(allowed)) => {
            !states.is_empty() && states.iter().all(|state| allowed.contains(state))
        }
        _ => false,
    };
    let is_given = match (&test.given, &required.given) {
        (_, None) => true,
        (Some(given), Some(allowed)) => {
            given.on == allowed.on && given.in_last <= allowed.in_last
        }
        (None, Some(_)) => false,
    };
    test.purpose == required.purpose && is_state && is_given
}

/// Which segments of a set hold only of those who have given a consent.
pub(super) struct Asking<'r> {
    segments: BTreeSet<&'r SegmentId>,
}

impl<'r> Asking<'r> {
    pub(super) fn new(set: &'r RuleSet, required: &ConsentTest) -> Asking<'r> {
        let mut asking = Asking { segments: BTreeSet::new() };
        for _ in 0..=MAX_REFERENCES {
            let n_before = asking.segments.len();
            for SegmentRule { id, rule, .. } in &set.segments {
                if !asking.segments.contains(id) && asking.of_rule(rule, required) {
                    asking.segments.insert(id);
                }
            }
            if asking.segments.len() == n_before {
                break;
            }
        }
        asking
    }

    /// Whether a rule holds of nobody who has not given the consent, as its form shows.
    pub(super) fn of_rule(&self, rule: &Rule, required: &ConsentTest) -> bool {
        self.at_depth(rule, required, 0)
    }

    fn at_depth(&self, rule: &Rule, required: &ConsentTest, depth: usize) -> bool {
        let asks = |rule: &Rule| self.at_depth(rule, required, depth + 1);
        match rule {
            _ if depth > MAX_DEPTH => false,
            Rule::Nobody => true,
            Rule::Consent(test) => implies(test, required),
            Rule::Segment(other) => self.segments.contains(&other.id),
            Rule::All(rules) => rules.iter().any(asks),
            Rule::Any(rules) => !rules.is_empty() && rules.iter().all(asks),
            // Some of those that hold does.
            Rule::AtLeast { n, of } => of.iter().filter(|rule| !asks(rule)).count() < *n,
            _ => false,
        }
    }
}

/// Whether a segment is left by whoever has no such consent, as the form of its rules shows; of
/// one without a rule to leave, if its own rule asks the consent.
pub(super) fn is_left_without(leave: Option<&Rule>, required: &ConsentTest) -> bool {
    let Some(leave) = leave else { return true };
    let parts = match leave {
        Rule::Any(rules) => &rules[..],
        rule => std::slice::from_ref(rule),
    };
    parts.iter().any(|part| match part {
        Rule::Everyone => true,
        // What is not given is False and never Unknown.
        Rule::Not(rule) => {
            matches!(&**rule, Rule::Consent(test) if implies(test, required))
        }
        _ => false,
    })
}

impl Policy {
    /// The same segments, whose rules hold only of those who have given the required consents.
    ///
    /// A consent is added by `all` to the rule of each segment that needs it and does not ask
    /// it already. Nothing else changes: the members of a segment are those from before who
    /// have given all of its consents. A reference to a segment that needs a consent which
    /// the referring one does not need means the rule from before, and so that rule is
    /// written in its place.
    ///
    /// A segment with a rule to leave is also left by whoever has not given the consent; one in
    /// which members stay for a least time is refused, since they would stay after they withdrew it.
    ///
    /// The rest has no rule. Those who have not given a consent are in it, and it is not to be
    /// addressed.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
    /// use segmenta::privacy::Policy;
    /// use segmenta::rules::{RuleSet, consent, field};
    ///
    /// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("news")])?;
    /// let set = RuleSet::new()
    ///     .segment("loyal", "Loyal", field("orders").ge(10))
    ///     .segment("report", "All with orders", field("orders").ge(1));
    /// let policy = Policy::new().require_consent_of(["loyal"], consent("news"));
    /// let set = policy.apply(&set)?;
    /// assert_eq!(set.segments[0].rule.to_string(), "orders >= 10 and consent(news)");
    /// assert_eq!(set.segments[1].rule.to_string(), "orders >= 1");
    /// assert_eq!(policy.apply(&set)?, set);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] when a segment that the policy names is none of the set or its
    /// rest (`unknown-segment`, `no-rule`); when one has a least time of stay
    /// (`stays-without-consent`); when a rule is too deep to be copied; where a rule is written in place of a reference, also when
    /// segments refer to themselves (`segments-in-a-circle`) or the rule
    /// comes to have more than 10,000 parts or a depth of 256 (`too-large`).
    pub fn apply(&self, set: &RuleSet) -> Result<RuleSet> {
        let issues = self.segment_issues(set);
        if !issues.is_empty() {
            let what = "the policy".into();
            return Err(ErrorKind::Definition { what, issues }.into());
        }
        let mut issues = Vec::new();
        for path in too_deep(set) {
            let fault = Fault::TooLarge;
            issues.push(Issue::new(fault.code(), path, fault.message()));
        }
        if !issues.is_empty() {
            // To copy it would go as deep.
            return Err(ErrorKind::Definition { what: "the rules".into(), issues }.into());
        }
        let needs = |id: &SegmentId| -> Vec<&RequiredConsent> {
            self.consents.iter().filter(|required| required.is_of(id)).collect()
        };
        let rules: BTreeMap<&SegmentId, &SegmentRule> =
            set.segments.iter().rev().map(|segment| (&segment.id, segment)).collect();
        let mut applied = set.clone();
        let asking: Vec<Asking<'_>> =
            self.consents.iter().map(|c| Asking::new(set, &c.consent)).collect();
        for (i, segment) in applied.segments.iter_mut().enumerate() {
            let needed = needs(&segment.id);
            let is_kept = |id: &SegmentId| {
                needs(id).iter().all(|required| needed.contains(required))
            };
            let mut inline = Inline { rules: &rules, is_kept: &is_kept, left: MAX_PARTS };
            let leave = segment.stay.as_mut().and_then(|stay| stay.leave.as_mut());
            let leave = leave.map(|rule| (rule, "stay/leave"));
            let mut is_whole = true;
            for (rule, place) in [(&mut segment.rule, "rule")].into_iter().chain(leave) {
                match inline.rule(rule, &mut vec![segment.id.clone()]) {
                    Err(fault) => {
                        let path = format!("/segments/{i}/{place}");
                        issues.push(Issue::new(fault.code(), path, fault.message()));
                        is_whole = false;
                    }
                    Ok(None) => {}
                    Ok(Some(other)) => *rule = other,
                }
            }
            if !is_whole {
                continue;
            }
            for (required, asking) in self.consents.iter().zip(&asking) {
                if let (true, Some(stay)) =
                    (required.is_of(&segment.id), &mut segment.stay)
                {
                    if is_held(stay.minimum_stay) {
                        let path = format!("/segments/{i}/stay/minimum_stay");
                        let message =
                            "those who withdraw a consent would stay for a while";
                        let issue = Issue::new("stays-without-consent", path, message);
                        issues.push(issue.expected("no least time"));
                    }
                    if !is_left_without(stay.leave.as_ref(), &required.consent) {
                        let without = !Rule::Consent(required.consent.clone());
                        stay.leave = stay.leave.take().map(|leave| leave | without);
                    }
                }
                if !required.is_of(&segment.id)
                    || asking.of_rule(&segment.rule, &required.consent)
                {
                    continue;
                }
                let consent = Rule::Consent(required.consent.clone());
                segment.rule = match std::mem::replace(&mut segment.rule, Rule::Nobody) {
                    Rule::All(mut rules) if !rules.is_empty() => {
                        rules.push(consent);
                        Rule::All(rules)
                    }
                    rule => Rule::All(vec![rule, consent]),
                };
            }
        }
        if issues.is_empty() {
            return Ok(applied);
        }
        Err(ErrorKind::Definition { what: "the rules".into(), issues }.into())
    }

    /// Segments that the policy names and the set does not have, or has no rule for.
    pub(super) fn segment_issues(&self, set: &RuleSet) -> Vec<Issue> {
        let mut issues = Vec::new();
        for (i, required) in self.consents.iter().enumerate() {
            let ids = required.segments.iter().flatten().enumerate();
            for (k, id) in ids {
                let path = format!("/consents/{i}/segments/{k}");
                if set.rest.as_ref().is_some_and(|rest| rest.id == *id) {
                    let message = format!("`{id}` is the rest, which has no rule");
                    issues.push(Issue::new("no-rule", path, message));
                } else if !set.segments.iter().any(|segment| segment.id == *id) {
                    let names = set.segments.iter().map(|segment| segment.id.as_str());
                    let similar = similar_names(id.as_str(), names);
                    let message = format!("no segment has the id `{id}`");
                    let issue = Issue::new("unknown-segment", path, message);
                    issues.push(issue.suggest(similar.into_iter().next()));
                }
            }
        }
        issues
    }
}

/// The places of rules that are too deep to be copied. Without recursion.
fn too_deep(set: &RuleSet) -> Vec<String> {
    let mut places = Vec::new();
    let mut look = |rule: &Rule, place: String| {
        if !rule.is_within(MAX_DEPTH) {
            places.push(place);
        }
    };
    for (i, segment) in set.segments.iter().enumerate() {
        look(&segment.rule, format!("/segments/{i}/rule"));
        if let Some(leave) = segment.stay.as_ref().and_then(|stay| stay.leave.as_ref()) {
            look(leave, format!("/segments/{i}/stay/leave"));
        }
    }
    for (i, score) in set.scores.iter().enumerate() {
        for (j, part) in score.points.parts.iter().enumerate() {
            let place = format!("/scores/{i}/points/parts/{j}/for");
            match &part.given_for {
                PointsFor::Rule(rule) => look(rule, format!("{place}/rule")),
                PointsFor::Events { filter, .. } => {
                    if let Some(rule) = filter {
                        look(rule, format!("{place}/events/where"));
                    }
                }
            }
        }
    }
    places
}

/// Whether members stay for a least time.
pub(super) fn is_held(minimum_stay: Option<Span>) -> bool {
    minimum_stay.is_some_and(|span| span.as_millis() > 0)
}

/// Writes rules in place of references to them.
struct Inline<'r, 'f> {
    rules: &'f BTreeMap<&'r SegmentId, &'r SegmentRule>,
    /// Whether a reference may stay.
    is_kept: &'f dyn Fn(&SegmentId) -> bool,
    /// How many more parts a rule may have.
    left: usize,
}

enum Fault {
    Circle,
    TooLarge,
}

impl Fault {
    fn code(&self) -> &'static str {
        match self {
            Fault::Circle => "segments-in-a-circle",
            Fault::TooLarge => "too-large",
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Fault::Circle => "the segment refers to itself",
            Fault::TooLarge => {
                "the rule becomes too large with others in place of references to them"
            }
        }
    }
}

impl Inline<'_, '_> {
    /// A rule without the references that may not stay; nothing where it has none. `way` are the
    /// segments through which it was reached.
    fn rule(
        &mut self,
        rule: &Rule,
        way: &mut Vec<SegmentId>,
    ) -> std::result::Result<Option<Rule>, Fault> {
        self.at_depth(rule, way, 0)
    }

    fn at_depth(
        &mut self,
        rule: &Rule,
        way: &mut Vec<SegmentId>,
        depth: usize,
    ) -> std::result::Result<Option<Rule>, Fault> {
        self.left = self.left.checked_sub(1).ok_or(Fault::TooLarge)?;
        if depth > MAX_DEPTH {
            return Err(Fault::TooLarge);
        }
        Ok(match rule {
            Rule::All(rules) => self.list(rules, way, depth)?.map(Rule::All),
            Rule::Any(rules) => self.list(rules, way, depth)?.map(Rule::Any),
            Rule::AtLeast { n, of } => {
                self.list(of, way, depth)?.map(|of| Rule::AtLeast { n: *n, of })
            }
            Rule::Not(rule) => {
                self.at_depth(rule, way, depth + 1)?.map(|rule| Rule::Not(Box::new(rule)))
            }
            Rule::Segment(other) if !(self.is_kept)(&other.id) => {
                // One that is not there is told when the set is compiled.
                let Some(segment) = self.rules.get(&other.id) else { return Ok(None) };
                if way.contains(&other.id) {
                    return Err(Fault::Circle);
                }
                way.push(other.id.clone());
                let inner = self.at_depth(&segment.rule, way, depth + 1)?;
                way.pop();
                Some(inner.unwrap_or_else(|| segment.rule.clone()))
            }
            _ => None,
        })
    }

    fn list(
        &mut self,
        rules: &[Rule],
        way: &mut Vec<SegmentId>,
        depth: usize,
    ) -> std::result::Result<Option<Vec<Rule>>, Fault> {
        let mut changed: Option<Vec<Rule>> = None;
        for (i, rule) in rules.iter().enumerate() {
            if let Some(rule) = self.at_depth(rule, way, depth + 1)? {
                changed.get_or_insert_with(|| rules.to_vec())[i] = rule;
            }
        }
        Ok(changed)
    }
}
