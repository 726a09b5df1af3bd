//! Names and descriptions of the features that a segmentation reads.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event::{StreamIndex, StreamSpec};
use crate::error::{ErrorKind, Result, similar_names};

/// Position of a feature in its schema.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct FeatureIndex(u32);

impl FeatureIndex {
    /// The index of position `position`.
    #[must_use]
    pub const fn new(position: u32) -> FeatureIndex {
        FeatureIndex(position)
    }

    /// The position as a `usize`.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// What kind of value a feature has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FeatureKind {
    /// A finite number, read as [`Value::Number`](super::Value::Number).
    Number,
    /// Yes or no, read as [`Value::Flag`](super::Value::Flag).
    Flag,
    /// A name out of a set, read as [`Value::Category`](super::Value::Category).
    Category,
    /// A category whose levels have an order, from low to high.
    Ordinal,
    /// A calendar day, read as [`Value::Date`](super::Value::Date).
    Date,
    /// Any number of names, read as [`Value::Tags`](super::Value::Tags).
    Tags,
}

impl FeatureKind {
    /// The kind's name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FeatureKind::Number => "number",
            FeatureKind::Flag => "flag",
            FeatureKind::Category => "category",
            FeatureKind::Ordinal => "ordinal category",
            FeatureKind::Date => "date",
            FeatureKind::Tags => "tags",
        }
    }
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// On what ground a feature tells customers apart: the classic bases of market
/// segmentation (Wind 1978; Kotler & Keller), so that a segmentation can say on what
/// grounds it treats people differently.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Basis {
    /// Age, household, education, income.
    Demographic,
    /// Country, region, postal area, climate.
    Geographic,
    /// Attitudes, lifestyle, personality.
    Psychographic,
    /// Purchases, visits, usage, loyalty.
    Behavioural,
    /// Devices, channels, software.
    Technographic,
    /// Benefits sought, jobs to be done.
    Needs,
    /// Worth to the business: spend, margin, lifetime value.
    Value,
    /// Of companies: industry, size, revenue.
    Firmographic,
}

/// How carefully a feature must be handled.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sensitivity {
    /// May be published.
    Public,
    /// Ordinary business data; the default.
    #[default]
    Internal,
    /// Personal data.
    Personal,
    /// Special categories (GDPR Article 9) and their close proxies: health, religion,
    /// ethnicity, sexual orientation, political opinion, union membership, biometrics.
    Special,
}

/// Name, kind and meaning of one feature.
///
/// ```
/// use segmenta::data::{Basis, FeatureSpec, Sensitivity};
///
/// let spec = FeatureSpec::number("monetary").unit("EUR").basis(Basis::Value);
/// assert_eq!(spec.name(), "monetary");
/// let tier = FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]);
/// assert_eq!(tier.level_code("gold"), Some(2));
/// let faith = FeatureSpec::category("faith").sensitivity(Sensitivity::Special);
/// assert_eq!(faith.get_sensitivity(), Sensitivity::Special);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    name: String,
    kind: FeatureKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    levels: Arc<[String]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basis: Option<Basis>,
    #[serde(default)]
    sensitivity: Sensitivity,
}

impl FeatureSpec {
    /// A feature of a kind, with nothing else said.
    pub fn new(name: impl Into<String>, kind: FeatureKind) -> FeatureSpec {
        FeatureSpec {
            name: name.into(),
            kind,
            unit: None,
            levels: Arc::from([]),
            basis: None,
            sensitivity: Sensitivity::default(),
        }
    }

    /// A number.
    pub fn number(name: impl Into<String>) -> FeatureSpec {
        FeatureSpec::new(name, FeatureKind::Number)
    }

    /// A yes or no.
    pub fn flag(name: impl Into<String>) -> FeatureSpec {
        FeatureSpec::new(name, FeatureKind::Flag)
    }

    /// A category. Without [`levels`](FeatureSpec::levels) every name is accepted.
    pub fn category(name: impl Into<String>) -> FeatureSpec {
        FeatureSpec::new(name, FeatureKind::Category)
    }

    /// A category whose levels have an order, lowest first.
    pub fn ordinal<L: Into<String>>(
        name: impl Into<String>,
        levels: impl IntoIterator<Item = L>,
    ) -> FeatureSpec {
        FeatureSpec::new(name, FeatureKind::Ordinal).levels(levels)
    }

    /// A calendar day.
    pub fn date(name: impl Into<String>) -> FeatureSpec {
        FeatureSpec::new(name, FeatureKind::Date)
    }

    /// A set of names.
    pub fn tags(name: impl Into<String>) -> FeatureSpec {
        FeatureSpec::new(name, FeatureKind::Tags)
    }

    /// States the unit: `days`, `EUR`, …
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> FeatureSpec {
        self.unit = Some(unit.into());
        self
    }

    /// Closes the set of levels of a category, ordinal or tags: other names are errors.
    #[must_use]
    pub fn levels<L: Into<String>>(
        mut self,
        levels: impl IntoIterator<Item = L>,
    ) -> FeatureSpec {
        self.levels = levels.into_iter().map(Into::into).collect();
        self
    }

    /// States the basis of segmentation that this feature belongs to.
    #[must_use]
    pub fn basis(mut self, basis: Basis) -> FeatureSpec {
        self.basis = Some(basis);
        self
    }

    /// States how carefully the feature must be handled.
    #[must_use]
    pub fn sensitivity(mut self, sensitivity: Sensitivity) -> FeatureSpec {
        self.sensitivity = sensitivity;
        self
    }

    /// The feature's name, unique in its schema.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What kind of value it has.
    #[must_use]
    pub fn kind(&self) -> FeatureKind {
        self.kind
    }

    /// The unit, if stated.
    #[must_use]
    pub fn get_unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// The closed set of levels; empty when every name is accepted.
    #[must_use]
    pub fn get_levels(&self) -> &[String] {
        &self.levels
    }

    /// The basis, if stated.
    #[must_use]
    pub fn get_basis(&self) -> Option<Basis> {
        self.basis
    }

    /// How carefully the feature must be handled.
    #[must_use]
    pub fn get_sensitivity(&self) -> Sensitivity {
        self.sensitivity
    }

    /// Position of a level in the closed set.
    #[must_use]
    pub fn level_code(&self, level: &str) -> Option<u32> {
        self.levels.iter().position(|l| l == level).map(|i| i as u32)
    }

    /// The same description of something of another name.
    pub(crate) fn renamed(&self, name: String) -> FeatureSpec {
        FeatureSpec { name, ..self.clone() }
    }

    /// The error for a name that is not among the levels.
    pub(crate) fn unknown_level(&self, level: &str, row: Option<usize>) -> crate::Error {
        ErrorKind::UnknownLevel {
            feature: self.name.clone(),
            level: level.to_owned(),
            similar: similar_names(level, self.levels.iter().map(String::as_str)),
            row,
        }
        .into()
    }

    /// The error for a value of another kind.
    pub(crate) fn wrong_kind(
        &self,
        found: &'static str,
        row: Option<usize>,
    ) -> crate::Error {
        ErrorKind::WrongKind {
            feature: self.name.clone(),
            expected: self.kind.name(),
            found,
            row,
        }
        .into()
    }

    /// The error for a value that is needed but missing.
    pub(crate) fn missing(&self, row: Option<usize>) -> crate::Error {
        ErrorKind::Missing { feature: self.name.clone(), row }.into()
    }

    /// The error for NaN and infinities.
    pub(crate) fn non_finite(&self, found: f64, row: Option<usize>) -> crate::Error {
        ErrorKind::NonFinite { feature: self.name.clone(), found, row }.into()
    }

    /// Checks that another specification describes the same values.
    fn check_like(&self, other: &FeatureSpec, name: &str) -> Result<()> {
        let levels_agree = self.levels == other.levels
            || self.levels.is_empty()
            || other.levels.is_empty();
        if self.kind == other.kind && self.unit == other.unit && levels_agree {
            return Ok(());
        }
        Err(ErrorKind::SchemaMismatch {
            feature: name.to_owned(),
            expected: self.describe(),
            found: other.describe(),
        }
        .into())
    }

    fn describe(&self) -> String {
        let mut text = self.kind.name().to_owned();
        if let Some(unit) = &self.unit {
            text.push_str(&format!(" in {unit}"));
        }
        if !self.levels.is_empty() {
            let shown = &self.levels[..self.levels.len().min(10)];
            text.push_str(&format!(" with levels {shown:?}"));
            if shown.len() < self.levels.len() {
                text.push_str(&format!(" and {} more", self.levels.len() - shown.len()));
            }
        }
        text
    }
}

/// The ordered features, and event streams, of a customer. Cheap to clone.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::category("country")])?;
/// assert_eq!(schema.index_of("country").map(|i| i.get()), Some(1));
/// let error = schema.require("contry").unwrap_err();
/// assert_eq!(error.to_string(), "no feature is named `contry`; did you mean `country`?");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schema(Arc<Inner>);

#[derive(Debug, PartialEq)]
struct Inner {
    features: Vec<FeatureSpec>,
    streams: Vec<StreamSpec>,
    /// Positions of `features`, sorted by name.
    by_name: Vec<u32>,
}

/// Schemas are equal when all of their features and streams are.
impl PartialEq for Schema {
    fn eq(&self, other: &Schema) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Schema {
    /// A schema of features only.
    ///
    /// # Errors
    /// When a name is empty or used twice, or levels do not fit the kind.
    pub fn new(features: impl IntoIterator<Item = FeatureSpec>) -> Result<Schema> {
        features.into_iter().fold(Schema::builder(), SchemaBuilder::feature).build()
    }

    /// A schema built step by step.
    #[must_use]
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder::default()
    }

    /// How many features there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.features.len()
    }

    /// True when there is no feature.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.features.is_empty()
    }

    /// The features in order.
    #[must_use]
    pub fn features(&self) -> &[FeatureSpec] {
        &self.0.features
    }

    /// The event streams in order.
    #[must_use]
    pub fn streams(&self) -> &[StreamSpec] {
        &self.0.streams
    }

    /// The positions of all features.
    pub fn indices(&self) -> impl ExactSizeIterator<Item = FeatureIndex> + use<> {
        (0..self.len() as u32).map(FeatureIndex)
    }

    /// The description of a feature, if the index belongs to this schema.
    #[must_use]
    pub fn get(&self, index: FeatureIndex) -> Option<&FeatureSpec> {
        self.0.features.get(index.get())
    }

    /// Position of the feature with this name.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<FeatureIndex> {
        let features = &self.0.features;
        let found = self
            .0
            .by_name
            .binary_search_by(|&i| features[i as usize].name.as_str().cmp(name));
        found.ok().map(|at| FeatureIndex(self.0.by_name[at]))
    }

    /// Position of the stream with this name.
    #[must_use]
    pub fn stream_index_of(&self, name: &str) -> Option<StreamIndex> {
        let at = self.0.streams.iter().position(|s| s.name() == name)?;
        Some(StreamIndex::new(at as u32))
    }

    /// Position of the feature with this name, or an error with the nearest names.
    ///
    /// # Errors
    /// When there is none.
    pub fn require(&self, name: &str) -> Result<FeatureIndex> {
        self.index_of(name).ok_or_else(|| {
            let names = self.0.features.iter().map(FeatureSpec::name);
            ErrorKind::UnknownFeature {
                name: name.to_owned(),
                similar: similar_names(name, names),
            }
            .into()
        })
    }

    /// A schema of some of the features, in the order given, and of no stream.
    ///
    /// # Errors
    /// When a feature does not exist or is named twice.
    pub fn select<S: AsRef<str>>(&self, names: &[S]) -> Result<Schema> {
        let mut builder = Schema::builder();
        for name in names {
            let index = self.require(name.as_ref())?;
            builder = builder.feature(self.0.features[index.get()].clone());
        }
        builder.build()
    }

    /// Position of the stream with this name, or an error with the nearest names.
    ///
    /// # Errors
    /// When there is none.
    pub fn require_stream(&self, name: &str) -> Result<StreamIndex> {
        self.stream_index_of(name).ok_or_else(|| {
            let names = self.0.streams.iter().map(StreamSpec::name);
            let similar = similar_names(name, names);
            ErrorKind::UnknownStream { name: name.to_owned(), similar }.into()
        })
    }

    /// For each feature and stream of `self`, its position in `host`.
    ///
    /// A feature matches by name; kind, unit and levels must agree. An open category
    /// matches a closed one on either side: values are checked when they are read. A
    /// stream matches by name, too; its properties must be the first ones that the host
    /// states, in the same order.
    ///
    /// # Errors
    /// When `host` lacks a feature or stream or describes it differently.
    pub fn locate_in(&self, host: &Schema) -> Result<SchemaMap> {
        let features = self.0.features.iter().map(|ours| {
            let index = host.require(&ours.name)?;
            ours.check_like(&host.0.features[index.get()], &ours.name)?;
            Ok(index)
        });
        let streams = self.0.streams.iter().map(|ours| {
            let index = host.require_stream(ours.name())?;
            let theirs = host.0.streams[index.get()].properties();
            for (i, property) in ours.properties().iter().enumerate() {
                let name = format!("{}.{}", ours.name(), property.name);
                match theirs.get(i) {
                    Some(theirs) if theirs.name == property.name => {
                        property.check_like(theirs, &name)?;
                    }
                    other => {
                        return Err(ErrorKind::SchemaMismatch {
                            feature: name,
                            expected: format!("property {} of its stream", i + 1),
                            found: other.map_or("absent".to_owned(), |theirs| {
                                format!("`{}` in its place", theirs.name)
                            }),
                        }
                        .into());
                    }
                }
            }
            Ok(index)
        });
        Ok(SchemaMap {
            features: features.collect::<Result<_>>()?,
            streams: streams.collect::<Result<_>>()?,
        })
    }
}

/// Where the features and streams of one schema stand in another, found by
/// [`Schema::locate_in`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaMap {
    features: Vec<FeatureIndex>,
    streams: Vec<StreamIndex>,
}

impl SchemaMap {
    /// For each feature, its position in the other schema.
    #[must_use]
    pub fn features(&self) -> &[FeatureIndex] {
        &self.features
    }

    /// For each stream, its position in the other schema.
    #[must_use]
    pub fn streams(&self) -> &[StreamIndex] {
        &self.streams
    }

    /// The position of a feature in the other schema.
    #[must_use]
    pub fn feature(&self, feature: FeatureIndex) -> Option<FeatureIndex> {
        self.features.get(feature.get()).copied()
    }

    /// The position of a stream in the other schema.
    #[must_use]
    pub fn stream(&self, stream: StreamIndex) -> Option<StreamIndex> {
        self.streams.get(stream.get()).copied()
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Repr<'a> {
            features: &'a [FeatureSpec],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            streams: &'a [StreamSpec],
        }
        Repr { features: &self.0.features, streams: &self.0.streams }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Schema, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Repr {
            features: Vec<FeatureSpec>,
            #[serde(default)]
            streams: Vec<StreamSpec>,
        }
        let repr = Repr::deserialize(deserializer)?;
        let builder =
            repr.features.into_iter().fold(Schema::builder(), SchemaBuilder::feature);
        let builder = repr.streams.into_iter().fold(builder, SchemaBuilder::stream);
        builder.build().map_err(serde::de::Error::custom)
    }
}

/// Collects the features and streams of a [`Schema`].
#[derive(Clone, Debug, Default)]
pub struct SchemaBuilder {
    features: Vec<FeatureSpec>,
    streams: Vec<StreamSpec>,
}

impl SchemaBuilder {
    /// Adds a feature.
    #[must_use]
    pub fn feature(mut self, spec: FeatureSpec) -> SchemaBuilder {
        self.features.push(spec);
        self
    }

    /// Adds an event stream.
    #[must_use]
    pub fn stream(mut self, spec: StreamSpec) -> SchemaBuilder {
        self.streams.push(spec);
        self
    }

    /// The finished schema.
    ///
    /// # Errors
    /// When a name is empty or used twice, when levels are stated for a kind that has
    /// none, repeat, or are lacking for an ordinal.
    pub fn build(self) -> Result<Schema> {
        let SchemaBuilder { features, streams } = self;
        for spec in &features {
            check_spec(spec)?;
        }
        let mut by_name: Vec<u32> = (0..features.len() as u32).collect();
        by_name
            .sort_by(|&a, &b| features[a as usize].name.cmp(&features[b as usize].name));
        for pair in by_name.windows(2) {
            if features[pair[0] as usize].name == features[pair[1] as usize].name {
                let name = features[pair[0] as usize].name.clone();
                return Err(ErrorKind::DuplicateName { what: "feature", name }.into());
            }
        }
        for (i, stream) in streams.iter().enumerate() {
            stream.check()?;
            if streams[..i].iter().any(|s| s.name() == stream.name()) {
                let name = stream.name().to_owned();
                return Err(ErrorKind::DuplicateName { what: "stream", name }.into());
            }
        }
        Ok(Schema(Arc::new(Inner { features, streams, by_name })))
    }
}

pub(super) fn check_spec(spec: &FeatureSpec) -> Result<()> {
    if spec.name.is_empty() {
        return Err(crate::Error::parameter("feature name", "not empty", "empty"));
    }
    let may_have_levels = matches!(
        spec.kind,
        FeatureKind::Category | FeatureKind::Ordinal | FeatureKind::Tags
    );
    if !spec.levels.is_empty() && !may_have_levels {
        let name = format!("levels of `{}`", spec.name);
        return Err(crate::Error::parameter(
            name,
            format!("absent, since it is a {}", spec.kind),
            format!("{:?}", spec.levels),
        ));
    }
    if spec.kind == FeatureKind::Ordinal && spec.levels.is_empty() {
        let name = format!("levels of `{}`", spec.name);
        return Err(crate::Error::parameter(name, "stated, lowest first", "absent"));
    }
    let mut sorted: Vec<&String> = spec.levels.iter().collect();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(
            ErrorKind::DuplicateName { what: "level", name: pair[0].clone() }.into()
        );
    }
    Ok(())
}
