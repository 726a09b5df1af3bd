//! What rules may ask.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::{Basis, FeatureSpec, Schema, Sensitivity};
use crate::error::{ErrorKind, Issue, Result, similar_names};
use crate::rules::ConsentTest;
use crate::segmenter::SegmentId;

/// What rules may ask, as plain data: how sensitive features may be, what holds for some of
/// them, which stand in for others, and which segments need whose consent.
///
/// ```
/// use segmenta::data::{Basis, FeatureSpec, Schema, Sensitivity};
/// use segmenta::privacy::{Policy, Ruling, Subject};
/// use segmenta::rules::{RuleSet, consent, field};
///
/// let schema = Schema::new([
///     FeatureSpec::number("orders"),
///     FeatureSpec::number("age").sensitivity(Sensitivity::Personal),
///     FeatureSpec::category("postcode"),
///     FeatureSpec::flag("profiling"),
/// ])?;
/// let policy = Policy::new()
///     .exception(
///         Subject::Sensitivity(Sensitivity::Personal),
///         Ruling::Consent(consent("profiling").into()),
///     )
///     .proxy("postcode", "ethnicity");
///
/// let set = RuleSet::new()
///     .segment("loyal", "Loyal", field("orders").ge(10))
///     .segment("young", "Young", field("age").lt(30) & consent("profiling").rule())
///     .segment("old", "Old", field("age").ge(60))
///     .segment("north", "In the north", field("postcode").starts_with("1"));
/// let audit = policy.audit(&schema, &set)?;
/// assert_eq!(
///     audit.to_string(),
///     "refused: segment `old`, /segments/2/rule/field/name: `age` is personal, and may be \
///      asked only of those with `consent(profiling)`\n\
///      refused: segment `north`, /segments/3/rule/field/name: `postcode` is a proxy of \
///      `ethnicity` and so special, and at most personal features may be asked\n",
/// );
/// assert!(policy.enforce(&schema, &set).is_err());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How sensitive a feature may be, if there is no exception.
    pub most_sensitive: Sensitivity,
    /// What holds for some features. The first that fits decides.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Features that tell something of others.
    #[serde(default)]
    pub proxies: Vec<Proxy>,
    /// What members of segments must have agreed to.
    #[serde(default)]
    pub consents: Vec<RequiredConsent>,
}

/// What holds for some features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The features.
    pub of: Subject,
    /// What holds for them.
    pub ruling: Ruling,
}

/// The features of an [`Exception`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// A feature of customers, by its name.
    Feature(String),
    /// A property of the events of a stream.
    Property {
        /// The stream's name.
        stream: String,
        /// The property's name.
        name: String,
    },
    /// That events of a stream happened, and when. Without an exception it may be asked.
    Stream(String),
    /// Features and properties of a basis.
    Basis(Basis),
    /// Features and properties of a sensitivity, be it as proxies.
    Sensitivity(Sensitivity),
}

/// What holds for features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ruling {
    /// Rules may ask them.
    Allow,
    /// Rules may ask them, and it is noted.
    Note,
    /// Rules may ask them only of those who have given a consent: the rule of the segment, or a
    /// part of it around the test, must not hold of others.
    Consent(ConsentTest),
    /// Rules must not ask them.
    Refuse,
}

/// A feature that tells something of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// The feature, or the property of events.
    pub feature: String,
    /// The stream, if it is a property.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What it tells something of: a feature, or something of which there is no feature.
    pub of: String,
    /// How sensitive that is where there is no such feature.
    #[serde(default = "special")]
    pub sensitivity: Sensitivity,
}

fn special() -> Sensitivity {
    Sensitivity::Special
}

/// What members of segments must have agreed to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredConsent {
    /// The consent. A rule that asks for some of its states only, or for a younger one, asks it,
    /// too.
    pub consent: ConsentTest,
    /// The segments; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<SegmentId>>,
}

impl RequiredConsent {
    pub(super) fn is_of(&self, segment: &SegmentId) -> bool {
        self.segments.as_ref().is_none_or(|segments| segments.contains(segment))
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::new()
    }
}

impl Policy {
    /// Rules may ask all but special categories of data, and need no consent.
    #[must_use]
    pub fn new() -> Policy {
        Policy {
            most_sensitive: Sensitivity::Personal,
            exceptions: Vec::new(),
            proxies: Vec::new(),
            consents: Vec::new(),
        }
    }

    /// Rules may ask features that are as sensitive as this, or less.
    #[must_use]
    pub fn most_sensitive(mut self, sensitivity: Sensitivity) -> Policy {
        self.most_sensitive = sensitivity;
        self
    }

    /// States what holds for some features, if none of the exceptions before fits.
    #[must_use]
    pub fn exception(mut self, of: Subject, ruling: Ruling) -> Policy {
        self.exceptions.push(Exception { of, ruling });
        self
    }

    /// States that a feature tells something of another, or of something of special categories
    /// of which there is no feature.
    #[must_use]
    pub fn proxy(mut self, feature: impl Into<String>, of: impl Into<String>) -> Policy {
        let (feature, of) = (feature.into(), of.into());
        self.proxies.push(Proxy { feature, stream: None, of, sensitivity: special() });
        self
    }

    /// States what members of all segments must have agreed to.
    #[must_use]
    pub fn require_consent(mut self, consent: impl Into<ConsentTest>) -> Policy {
        self.consents.push(RequiredConsent { consent: consent.into(), segments: None });
        self
    }

    /// States what members of some segments must have agreed to.
    #[must_use]
    pub fn require_consent_of<S: Into<Arc<str>>>(
        mut self,
        segments: impl IntoIterator<Item = S>,
        consent: impl Into<ConsentTest>,
    ) -> Policy {
        let segments = Some(segments.into_iter().map(SegmentId::new).collect());
        self.consents.push(RequiredConsent { consent: consent.into(), segments });
        self
    }

    /// Whether all that the policy names is in the schema.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] with all names that are not, as `unknown-feature`,
    /// `unknown-stream` and `unknown-property`.
    pub fn validate(&self, schema: &Schema) -> Result<()> {
        let mut issues = Vec::new();
        let mut find = |path: String, stream: Option<&str>, name: Option<&str>| {
            issues.extend(missing(schema, path, stream, name));
        };
        for (i, exception) in self.exceptions.iter().enumerate() {
            let path = |last: &str| format!("/exceptions/{i}/of/{last}");
            match &exception.of {
                Subject::Feature(name) => find(path("feature"), None, Some(name)),
                Subject::Property { stream, name } => {
                    find(path("property"), Some(stream), Some(name));
                }
                Subject::Stream(stream) => find(path("stream"), Some(stream), None),
                Subject::Basis(_) | Subject::Sensitivity(_) => {}
            }
            if let Ruling::Consent(consent) = &exception.ruling {
                let path = format!("/exceptions/{i}/ruling/consent");
                find(path + "/purpose", None, Some(&consent.purpose));
            }
        }
        for (i, proxy) in self.proxies.iter().enumerate() {
            let path = format!("/proxies/{i}/feature");
            find(path, proxy.stream.as_deref(), Some(&proxy.feature));
        }
        for (i, required) in self.consents.iter().enumerate() {
            let path = format!("/consents/{i}/consent");
            find(path.clone() + "/purpose", None, Some(&required.consent.purpose));
            if let Some(given) = &required.consent.given {
                find(path + "/given/on", None, Some(&given.on));
            }
        }
        if issues.is_empty() {
            return Ok(());
        }
        Err(ErrorKind::Definition { what: "the policy".into(), issues }.into())
    }

    /// How sensitive a feature is, and of what it is a proxy if that makes it so.
    pub(super) fn sensitivity(
        &self,
        schema: &Schema,
        stream: Option<&str>,
        spec: &FeatureSpec,
    ) -> (Sensitivity, Option<&str>) {
        let (mut most, mut proxy_of) = (spec.get_sensitivity(), None);
        let mut seen = vec![(stream, spec.name(), None)];
        let mut at = 0;
        while let Some(&(stream, name, first)) = seen.get(at) {
            at += 1;
            for proxy in &self.proxies {
                if proxy.feature != name || proxy.stream.as_deref() != stream {
                    continue;
                }
                // The first that is told of is what the feature itself stands for.
                let first = first.or(Some(&proxy.of[..]));
                let of = schema.index_of(&proxy.of).and_then(|index| schema.get(index));
                let sensitivity =
                    of.map_or(proxy.sensitivity, FeatureSpec::get_sensitivity);
                if sensitivity > most {
                    (most, proxy_of) = (sensitivity, first);
                }
                let next = (None, &proxy.of[..]);
                if !seen.iter().any(|&(stream, name, _)| (stream, name) == next) {
                    seen.push((None, &proxy.of, first));
                }
            }
        }
        (most, proxy_of)
    }

    /// The exception that decides on a feature.
    pub(super) fn ruling(
        &self,
        fits: impl Fn(&Subject) -> bool,
    ) -> Option<(usize, &Ruling)> {
        let fitting = |(_, exception): &(usize, &Exception)| fits(&exception.of);
        let found = self.exceptions.iter().enumerate().find(fitting);
        found.map(|(i, exception)| (i, &exception.ruling))
    }
}

/// What is said of a name that is not in the schema.
fn missing(
    schema: &Schema,
    path: String,
    stream: Option<&str>,
    name: Option<&str>,
) -> Option<Issue> {
    let suggest = |issue: Issue, name: &str, names: Vec<&str>| {
        issue.suggest(similar_names(name, names).into_iter().next())
    };
    let specs = match stream {
        None => schema.features(),
        Some(stream) => match schema.streams().iter().find(|s| s.name() == stream) {
            Some(found) => found.properties(),
            None => {
                let message = format!("no stream is named `{stream}`");
                let issue = Issue::new("unknown-stream", path, message);
                let names = schema.streams().iter().map(|stream| stream.name());
                return Some(suggest(issue, stream, names.collect()));
            }
        },
    };
    let name = name?;
    if specs.iter().any(|spec| spec.name() == name) {
        return None;
    }
    let (code, message) = match stream {
        None => ("unknown-feature", format!("no feature is named `{name}`")),
        Some(stream) => {
            ("unknown-property", format!("events of `{stream}` have no `{name}`"))
        }
    };
    let names = specs.iter().map(FeatureSpec::name);
    Some(suggest(Issue::new(code, path, message), name, names.collect()))
}
