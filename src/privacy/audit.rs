//! What rules ask that they may not, or that is worth a note.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::consents::{Asking, is_held, is_left_without};
use super::policy::{Policy, Ruling, Subject};
use crate::data::{FeatureSpec, Schema, Sensitivity, Span};
use crate::error::{ErrorKind, Issue, Result};
use crate::rules::{
    Aggregate, ConsentTest, EventTest, Hysteresis, PointsFor, Read, Rule, RuleSet,
    ScoreRule, Test, Told, Walk,
};
use crate::segmenter::SegmentId;

/// Findings that are told; others are counted.
const MAX_FINDINGS: usize = 1000;

/// What a [`Policy`] has to say of some rules, as [`Policy::audit`] gives it.
///
/// `Display` prints a line for each finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The findings by segment, in the order of the rules: the first 1,000.
    pub findings: Vec<AuditFinding>,
    /// How many of all findings are refused.
    pub n_refused: usize,
    /// How many of all findings are noted.
    pub n_noted: usize,
}

/// Something that a rule asks, or does not ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditFinding {
    /// Whether the rules are refused for it.
    pub severity: Severity,
    /// What it is.
    pub code: AuditCode,
    /// The segment.
    pub segment: SegmentId,
    /// The segments through which its rule comes to ask it: those to which it refers, one after
    /// the other, to the one with the test; empty where it is its own.
    pub via: Vec<SegmentId>,
    /// JSON pointer to the name in the test, in the set: `/segments/2/rule/field/name`; of a rule
    /// to leave a segment, in the list of these: `/leaves/0/leave/field/name`.
    pub path: String,
    /// The feature, or `stream.property`, or the stream.
    pub feature: Option<String>,
    /// How sensitive it is, be it as a proxy.
    pub sensitivity: Option<Sensitivity>,
    /// One sentence that says why.
    pub reason: String,
}

/// What follows from an [`AuditFinding`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The rules may be used.
    Noted,
    /// The rules must not be used.
    Refused,
}

/// What an [`AuditFinding`] is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuditCode {
    /// A feature is more sensitive than may be asked.
    TooSensitive,
    /// An exception refuses a feature.
    NotAllowed,
    /// An exception notes a feature.
    Noted,
    /// A feature is asked of those who have not given the consent for it.
    NeedsConsent,
    /// A segment that needs a consent does not ask it.
    LacksConsent,
    /// A set whose segments need a consent has a rest, where those are who have not given it.
    RestWithoutConsent,
    /// A segment that is not left at once by those who withdraw a consent which it needs.
    StaysWithoutConsent,
    /// A name that is not in the schema, so that nothing is known of it.
    UnknownName,
    /// A reference to a segment that is not in the set.
    UnknownSegment,
    /// A test of a score that is not in the set.
    UnknownScore,
}

impl AuditCode {
    /// As it is in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AuditCode::TooSensitive => "too-sensitive",
            AuditCode::NotAllowed => "not-allowed",
            AuditCode::Noted => "noted",
            AuditCode::NeedsConsent => "needs-consent",
            AuditCode::LacksConsent => "lacks-consent",
            AuditCode::RestWithoutConsent => "rest-without-consent",
            AuditCode::StaysWithoutConsent => "stays-without-consent",
            AuditCode::UnknownName => "unknown-name",
            AuditCode::UnknownSegment => "unknown-segment",
            AuditCode::UnknownScore => "unknown-score",
        }
    }

    fn severity(self) -> Severity {
        match self {
            AuditCode::Noted | AuditCode::RestWithoutConsent => Severity::Noted,
            _ => Severity::Refused,
        }
    }
}

impl Audit {
    /// Whether the rules must not be used.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.n_refused > 0
    }

    fn push(&mut self, finding: AuditFinding) {
        match finding.severity {
            Severity::Noted => self.n_noted += 1,
            Severity::Refused => self.n_refused += 1,
        }
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.severity {
            Severity::Noted => "noted",
            Severity::Refused => "refused",
        })?;
        write!(f, ": segment `{}`", self.segment)?;
        for (i, id) in self.via.iter().enumerate() {
            write!(f, "{} `{id}`", if i == 0 { " through" } else { " ->" })?;
        }
        write!(f, ", {}: {}", self.path, self.reason)
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        match self.n_refused + self.n_noted - self.findings.len() {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

impl Policy {
    /// What the policy has to say of the rules of a set, be they ready to be compiled or not.
    ///
    /// Looked at are tests of features, of events and their filters, of sequences, places and
    /// consents, each whatever it asks: also whether a value is there, and what stands for
    /// one that is missing. A draw by lot looks at nothing. A test of a consent that the
    /// policy itself requires may be asked. A segment is told also of what those ask to which
    /// it refers, be it through others: of each segment and thing once, by the shortest way.
    ///
    /// Whether a rule holds only of those who have given a consent is told by its form: by a
    /// test of the consent in an `all`, in every part of an `any`, in enough of an `at_least`,
    /// or in a segment to which it refers so.
    ///
    /// # Errors
    /// As [`validate`](Policy::validate), and as [`apply`](Policy::apply) of segments that the
    /// policy names.
    pub fn audit(&self, schema: &Schema, set: &RuleSet) -> Result<Audit> {
        self.audit_with(schema, set, &[])
    }

    /// [`audit`](Policy::audit), also of how segments are left, where that is not in the set: as
    /// [`StickyBook::new`](crate::rules::StickyBook::new) takes it. Paths to it begin with `/leaves`.
    ///
    /// # Errors
    /// As [`audit`](Policy::audit).
    pub fn audit_with(
        &self,
        schema: &Schema,
        set: &RuleSet,
        leaves: &[Hysteresis],
    ) -> Result<Audit> {
        self.validate(schema)?;
        let issues = self.segment_issues(set);
        if !issues.is_empty() {
            let what = "the policy".into();
            return Err(ErrorKind::Definition { what, issues }.into());
        }
        Ok(Auditor::new(self, schema, set).audit(leaves))
    }

    /// Refuses rules that ask what they may not.
    ///
    /// # Errors
    /// As [`audit`](Policy::audit); [`ErrorKind::Definition`] with the findings that are
    /// refused, whose codes are those of [`AuditCode`].
    pub fn enforce(&self, schema: &Schema, set: &RuleSet) -> Result<()> {
        self.enforce_with(schema, set, &[])
    }

    /// [`enforce`](Policy::enforce), also of how segments are left, see
    /// [`audit_with`](Policy::audit_with).
    ///
    /// # Errors
    /// As [`enforce`](Policy::enforce).
    pub fn enforce_with(
        &self,
        schema: &Schema,
        set: &RuleSet,
        leaves: &[Hysteresis],
    ) -> Result<()> {
        let audit = self.audit_with(schema, set, leaves)?;
        if !audit.is_refused() {
            return Ok(());
        }
        let refused =
            audit.findings.into_iter().filter(|f| f.severity == Severity::Refused);
        let mut issues: Vec<Issue> = refused
            .map(|finding| {
                let mut message = format!("segment `{}`", finding.segment);
                for id in &finding.via {
                    message.push_str(&format!(" -> `{id}`"));
                }
                message.push_str(&format!(": {}", finding.reason));
                Issue::new(finding.code.name(), finding.path, message)
            })
            .collect();
        if audit.n_refused > issues.len() {
            let message = format!("and {} more", audit.n_refused - issues.len());
            issues.push(Issue::new("too-many-issues", "", message));
        }
        let what = "the rules under this policy".into();
        Err(ErrorKind::Definition { what, issues }.into())
    }
}

/// Something that a rule asks, of which there is something to say.
#[derive(Clone)]
struct Raw {
    code: AuditCode,
    path: String,
    feature: Option<String>,
    sensitivity: Option<Sensitivity>,
    reason: String,
    /// The consent that would allow it.
    consent: Option<usize>,
}

struct Auditor<'a> {
    policy: &'a Policy,
    schema: &'a Schema,
    set: &'a RuleSet,
    /// All consents of which the policy speaks: those of exceptions, then those of segments.
    consents: Vec<&'a ConsentTest>,
    /// For each consent.
    asking: Vec<Asking<'a>>,
    /// Segments by id, the first of each.
    places: BTreeMap<&'a SegmentId, usize>,
    /// Scores by id, likewise; they are looked at after the segments.
    scores: BTreeMap<&'a str, usize>,
}

impl<'a> Auditor<'a> {
    fn new(policy: &'a Policy, schema: &'a Schema, set: &'a RuleSet) -> Auditor<'a> {
        let of_exceptions = policy.exceptions.iter().filter_map(|e| match &e.ruling {
            Ruling::Consent(consent) => Some(consent),
            _ => None,
        });
        let of_segments = policy.consents.iter().map(|required| &required.consent);
        let consents: Vec<&ConsentTest> = of_exceptions.chain(of_segments).collect();
        let asking = consents.iter().map(|consent| Asking::new(set, consent)).collect();
        let segments = set.segments.iter().enumerate().rev();
        let places = segments.map(|(i, segment)| (&segment.id, i)).collect();
        let n = set.segments.len();
        let scores = set.scores.iter().enumerate().rev();
        let scores = scores.map(|(i, score)| (&score.id[..], n + i)).collect();
        Auditor { policy, schema, set, consents, asking, places, scores }
    }

    fn audit(&self, leaves: &[Hysteresis]) -> Audit {
        let rules = &self.set.segments;
        let of_segments = rules
            .iter()
            .enumerate()
            .map(|(i, segment)| self.look(&segment.rule, &format!("/segments/{i}/rule")));
        let of_scores = self.set.scores.iter().enumerate();
        let of_scores = of_scores.map(|(i, score)| self.look_at_score(i, score));
        let looked: Vec<(Vec<Raw>, Vec<usize>)> = of_segments.chain(of_scores).collect();
        let mut audit = Audit::default();
        for (i, segment) in rules.iter().enumerate() {
            let (own, links) = &looked[i];
            self.tell(&mut audit, &segment.id, &segment.rule, own, links, &looked);
            self.required(&mut audit, i);
            let leave = segment.stay.as_ref().and_then(|stay| stay.leave.as_ref());
            if let Some(rule) = leave {
                let (own, links) = self.look(rule, &format!("/segments/{i}/stay/leave"));
                self.tell(&mut audit, &segment.id, rule, &own, &links, &looked);
            }
        }
        for (i, hysteresis) in leaves.iter().enumerate() {
            if let Some(rule) = &hysteresis.leave {
                let (own, links) = self.look(rule, &format!("/leaves/{i}/leave"));
                self.tell(&mut audit, &hysteresis.segment, rule, &own, &links, &looked);
            }
            let Hysteresis { segment, leave, minimum_stay } = hysteresis;
            let place = format!("/leaves/{i}");
            if !self.places.contains_key(segment) {
                let code = AuditCode::UnknownSegment;
                audit.push(AuditFinding {
                    severity: code.severity(),
                    code,
                    segment: segment.clone(),
                    via: Vec::new(),
                    path: format!("{place}/segment"),
                    feature: None,
                    sensitivity: None,
                    reason: format!("no segment with a rule has the id `{segment}`"),
                });
            }
            self.stay(&mut audit, segment, (leave.as_ref(), *minimum_stay), &place);
        }
        if let Some(rest) = &self.set.rest {
            for required in self.policy.consents.iter().filter(|c| c.segments.is_none()) {
                let rule = Rule::Consent(required.consent.clone());
                let code = AuditCode::RestWithoutConsent;
                audit.push(AuditFinding {
                    severity: code.severity(),
                    code,
                    segment: rest.id.clone(),
                    via: Vec::new(),
                    path: "/rest".to_owned(),
                    feature: None,
                    sensitivity: None,
                    reason: format!("those without `{rule}` are in it"),
                });
            }
        }
        audit
    }

    /// What is to be said of the parts of a score.
    fn look_at_score(&self, at: usize, score: &ScoreRule) -> (Vec<Raw>, Vec<usize>) {
        let mut raw = Vec::new();
        for (i, part) in score.points.parts.iter().enumerate() {
            let path = format!("/scores/{at}/points/parts/{i}/for");
            match &part.given_for {
                PointsFor::Rule(rule) => {
                    raw.extend(self.look(rule, &format!("{path}/rule")).0);
                }
                PointsFor::Events { name, filter, window } => {
                    let rule = Rule::Event(EventTest {
                        name: name.clone(),
                        filter: None,
                        agg: Aggregate::Count,
                        window: window.clone(),
                        is: Test::Set,
                        when_missing: None,
                    });
                    let (mut looked, _) = self.look(&rule, &path);
                    for raw in &mut looked {
                        raw.path = raw.path.replacen("/event/", "/events/", 1);
                    }
                    raw.extend(looked);
                    if let Some(filter) = filter {
                        let path = format!("{path}/events/where");
                        raw.extend(self.look_within(Some(name), filter, &path).0);
                    }
                }
            }
        }
        // Scores refer to nothing.
        (raw, Vec::new())
    }

    /// What is to be said of a rule itself, and to which segments and scores it refers, each
    /// once.
    fn look(&self, rule: &Rule, at: &str) -> (Vec<Raw>, Vec<usize>) {
        self.look_within(None, rule, at)
    }

    /// The same of a rule or, of a stream, of a filter of its events.
    fn look_within(
        &self,
        stream: Option<&str>,
        rule: &Rule,
        at: &str,
    ) -> (Vec<Raw>, Vec<usize>) {
        let asks = |rule: &Rule, consent: usize| {
            self.asking[consent].of_rule(rule, self.consents[consent])
        };
        let (mut raw, mut links) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        let walk = Walk::new(self.consents.len(), &asks);
        walk.tell_within(stream, rule, &mut |told| {
            let place = match told.read {
                Read::Segment(id) => self.places.get(id),
                Read::Score(id) => self.scores.get(id),
                _ => None,
            };
            if let Some(&place) = place {
                if seen.insert(place) {
                    links.push(place);
                }
            } else if let Some(mut found) = self.judge(&told) {
                found.path = format!("{at}{}", told.path());
                raw.push(found);
            }
        });
        (raw, links)
    }

    /// Tells what a rule asks, itself and through segments to which it refers.
    fn tell(
        &self,
        audit: &mut Audit,
        segment: &SegmentId,
        rule: &Rule,
        own: &[Raw],
        links: &[usize],
        looked: &[(Vec<Raw>, Vec<usize>)],
    ) {
        let finding = |raw: &Raw, via: Vec<SegmentId>| AuditFinding {
            severity: raw.code.severity(),
            code: raw.code,
            segment: segment.clone(),
            via,
            path: raw.path.clone(),
            feature: raw.feature.clone(),
            sensitivity: raw.sensitivity,
            reason: raw.reason.clone(),
        };
        own.iter().for_each(|raw| audit.push(finding(raw, Vec::new())));
        // The nearest first, each with the one through which it was found.
        let mut found: Vec<(usize, Option<usize>)> = Vec::new();
        let mut is_found = vec![false; looked.len()];
        let itself = self.places.get(segment).copied();
        itself.into_iter().for_each(|place| is_found[place] = true);
        let mut reach = |links: &[usize], from: Option<usize>, found: &mut Vec<_>| {
            for &link in links {
                if !is_found[link] {
                    is_found[link] = true;
                    found.push((link, from));
                }
            }
        };
        reach(links, None, &mut found);
        let mut told = BTreeSet::new();
        let mut at = 0;
        while let Some(&(place, _)) = found.get(at) {
            reach(&looked[place].1, Some(at), &mut found);
            for raw in &looked[place].0 {
                let is_asked = raw.consent.is_some_and(|consent| {
                    self.asking[consent].of_rule(rule, self.consents[consent])
                });
                if is_asked || !told.insert((raw.code, raw.feature.as_deref())) {
                    continue;
                }
                let mut via = Vec::new();
                let mut step = Some(at);
                while let Some((place, before)) = step.map(|step| found[step]) {
                    via.push(self.name_of(place));
                    step = before;
                }
                via.reverse();
                audit.push(finding(raw, via));
            }
            at += 1;
        }
    }

    /// The id of a segment, or what a score is called in rules.
    fn name_of(&self, place: usize) -> SegmentId {
        let n = self.set.segments.len();
        match self.set.segments.get(place) {
            Some(segment) => segment.id.clone(),
            None => {
                let score = self.set.scores.get(place - n);
                let id = score.map_or("", |score| &score.id);
                SegmentId::new(format!("score '{id}'"))
            }
        }
    }

    /// Tells which consents a segment needs and does not ask.
    fn required(&self, audit: &mut Audit, at: usize) {
        let segment = &self.set.segments[at];
        let first = self.consents.len() - self.policy.consents.len();
        for (i, required) in self.policy.consents.iter().enumerate() {
            let asking = &self.asking[first + i];
            if !required.is_of(&segment.id) {
                continue;
            }
            let rule = Rule::Consent(required.consent.clone());
            if !asking.of_rule(&segment.rule, &required.consent) {
                let code = AuditCode::LacksConsent;
                audit.push(AuditFinding {
                    severity: code.severity(),
                    code,
                    segment: segment.id.clone(),
                    via: Vec::new(),
                    path: format!("/segments/{at}/rule"),
                    feature: None,
                    sensitivity: None,
                    reason: format!("its members need not have given `{rule}`"),
                });
            }
        }
        if let Some(stay) = &segment.stay {
            let stay = (stay.leave.as_ref(), stay.minimum_stay);
            self.stay(audit, &segment.id, stay, &format!("/segments/{at}/stay"));
        }
    }

    /// Tells whether those who withdraw a consent that a segment needs stay in it.
    fn stay(
        &self,
        audit: &mut Audit,
        id: &SegmentId,
        (leave, minimum_stay): (Option<&Rule>, Option<Span>),
        at: &str,
    ) {
        for required in self.policy.consents.iter().filter(|required| required.is_of(id))
        {
            let rule = Rule::Consent(required.consent.clone());
            let mut tell = |place: &str, reason: String| {
                let code = AuditCode::StaysWithoutConsent;
                audit.push(AuditFinding {
                    severity: code.severity(),
                    code,
                    segment: id.clone(),
                    via: Vec::new(),
                    path: format!("{at}/{place}"),
                    feature: None,
                    sensitivity: None,
                    reason,
                });
            };
            if !is_left_without(leave, &required.consent) {
                tell("leave", format!("those who withdraw `{rule}` stay"));
            }
            if is_held(minimum_stay) {
                tell(
                    "minimum_stay",
                    format!("those who withdraw `{rule}` stay for a while"),
                );
            }
        }
    }

    /// What is to be said of something that a rule asks.
    fn judge(&self, told: &Told<'_, '_>) -> Option<Raw> {
        let raw = |code, feature: String, reason: String| Raw {
            code,
            path: String::new(),
            feature: Some(feature),
            sensitivity: None,
            reason,
            consent: None,
        };
        let (stream, name) = match told.read {
            Read::Segment(id) => {
                let reason = format!("no segment has the id `{id}`");
                return Some(Raw {
                    feature: None,
                    ..raw(AuditCode::UnknownSegment, String::new(), reason)
                });
            }
            Read::Score(id) => {
                let reason = format!("no score has the id `{id}`");
                return Some(Raw {
                    feature: None,
                    ..raw(AuditCode::UnknownScore, String::new(), reason)
                });
            }
            Read::OfConsent(name) if self.is_of_policy(name) => return None,
            Read::Feature(name) | Read::OfConsent(name) => (None, Some(name)),
            Read::Stream(stream) => (Some(stream), None),
            Read::Property(stream, name) => (Some(stream), Some(name)),
        };
        let title = match (stream, name) {
            (Some(stream), Some(name)) => format!("{stream}.{name}"),
            (stream, name) => name.or(stream).unwrap_or_default().to_owned(),
        };
        let unknown = |what: &str| {
            let reason = format!("no {what} is named `{title}`, so that it is not known");
            Some(raw(AuditCode::UnknownName, title.clone(), reason))
        };
        let found = stream.map(|stream| {
            self.schema.streams().iter().find(|known| known.name() == stream)
        });
        let specs = match found {
            Some(None) => return unknown("stream"),
            Some(Some(found)) => found.properties(),
            None => self.schema.features(),
        };
        let Some(name) = name else {
            let of_stream =
                |of: &Subject| matches!(of, Subject::Stream(s) if stream == Some(s));
            let ruling = self.policy.ruling(of_stream);
            return self.ruled(told, ruling, raw, title, "is a stream of events");
        };
        let Some(spec) = specs.iter().find(|spec| spec.name() == name) else {
            return unknown(if stream.is_some() { "property" } else { "feature" });
        };
        self.judge_spec(told, stream, spec, raw, title)
    }

    fn judge_spec(
        &self,
        told: &Told<'_, '_>,
        stream: Option<&str>,
        spec: &FeatureSpec,
        raw: impl Fn(AuditCode, String, String) -> Raw,
        title: String,
    ) -> Option<Raw> {
        let (sensitivity, proxy_of) = self.policy.sensitivity(self.schema, stream, spec);
        let fits = |subject: &Subject| match subject {
            Subject::Feature(name) => stream.is_none() && name == spec.name(),
            Subject::Property { stream: of, name } => {
                stream == Some(of) && name == spec.name()
            }
            Subject::Stream(_) => false,
            Subject::Basis(basis) => spec.get_basis() == Some(*basis),
            Subject::Sensitivity(of) => *of == sensitivity,
        };
        let adjective = adjective(sensitivity);
        let is = match proxy_of {
            None => format!("is {adjective}"),
            Some(of) => format!("is a proxy of `{of}` and so {adjective}"),
        };
        let found = match self.policy.ruling(fits) {
            None if sensitivity > self.policy.most_sensitive => {
                let most = self::adjective(self.policy.most_sensitive);
                let reason =
                    format!("`{title}` {is}, and at most {most} features may be asked");
                Some(raw(AuditCode::TooSensitive, title, reason))
            }
            None => None,
            ruling => self.ruled(told, ruling, raw, title, &is),
        };
        found.map(|found| Raw { sensitivity: Some(sensitivity), ..found })
    }

    /// What follows from an exception.
    fn ruled(
        &self,
        told: &Told<'_, '_>,
        ruling: Option<(usize, &Ruling)>,
        raw: impl Fn(AuditCode, String, String) -> Raw,
        title: String,
        is: &str,
    ) -> Option<Raw> {
        let (exception, ruling) = ruling?;
        match ruling {
            Ruling::Allow => None,
            Ruling::Note => {
                let reason = format!("`{title}` {is}");
                Some(raw(AuditCode::Noted, title, reason))
            }
            Ruling::Refuse => {
                let reason = format!("`{title}` {is}, and may not be asked");
                Some(raw(AuditCode::NotAllowed, title, reason))
            }
            Ruling::Consent(consent) => {
                let before = &self.policy.exceptions[..exception];
                let is_consent =
                    |e: &&super::Exception| matches!(e.ruling, Ruling::Consent(_));
                let at = before.iter().filter(is_consent).count();
                if told.consents.contains(&at) {
                    return None;
                }
                let rule = Rule::Consent(consent.clone());
                let reason = format!(
                    "`{title}` {is}, and may be asked only of those with `{rule}`"
                );
                let found = raw(AuditCode::NeedsConsent, title, reason);
                Some(Raw { consent: Some(at), ..found })
            }
        }
    }

    /// Whether the policy itself asks this of consents.
    fn is_of_policy(&self, name: &str) -> bool {
        self.consents.iter().any(|consent| {
            let on = consent.given.as_ref().map(|given| &given.on);
            consent.purpose == name || on.is_some_and(|on| on == name)
        })
    }
}

fn adjective(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Public => "public",
        Sensitivity::Internal => "internal",
        Sensitivity::Personal => "personal",
        Sensitivity::Special => "special",
    }
}
