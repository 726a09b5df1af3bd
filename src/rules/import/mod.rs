//! Segments that were defined elsewhere.

mod days;
mod json;
mod mongo;
mod pattern;
mod posthog;
mod reader;
mod unomi;

use std::collections::BTreeMap;

use self::json::Json;
use self::mongo::Dialect;
use self::reader::{Reader, definition};
use super::ast::Rule;
use super::limits::Limits;
use crate::data::Schema;
use crate::error::{Issue, Result};

/// Reads definitions of segments that were made for other systems.
///
/// | definitions | read with |
/// |---|---|
/// | queries of MongoDB | [`mongo`](Import::mongo) |
/// | targeting conditions of GrowthBook | [`growthbook`](Import::growthbook) |
/// | cohorts and property groups of PostHog | [`posthog`](Import::posthog) |
/// | segments and conditions of Apache Unomi | [`unomi`](Import::unomi) |
///
/// Names in a definition are those of the schema's features, streams and properties, and of
/// segments, unless others are stated here.
///
/// # What is kept
/// A rule says what the definition says, missing values included: these systems know no
/// Unknown, so that every test has an answer for a value that is missing, and no rule that is
/// read here is Unknown. Where something is said in another way, with a meaning that may
/// differ, there is a [note](Imported::notes). What a rule cannot say, or the schema does not
/// know, is a fault: no clause is ever left out in silence.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema};
/// use segmenta::rules::{Import, Rule};
///
/// let schema = Schema::new([FeatureSpec::number("age"), FeatureSpec::category("country")])?;
/// let import = Import::new(&schema).feature("user.country", "country");
/// let imported = import.mongo(
///     r#"{"user.country": {"$ne": "DE"}, "$or": [{"age": {"$gte": 18}}, {"age": null}]}"#,
/// )?;
/// assert_eq!(
///     imported.rule,
///     "not (country = 'DE' when missing no) and (age >= 18 when missing no or age is missing)"
///         .parse::<Rule>()?,
/// );
/// assert!(imported.notes.is_empty());
///
/// let error = import.mongo(r#"{"$or": [{"aeg": 3}, {"age": {"$gth": 18}}]}"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the definition to import cannot be used: \
///      /$or/0/aeg: no feature is named `aeg`; did you mean `age`?\n  \
///      /$or/1/age/$gth: the operator `$gth` is not known; did you mean `$gt`?",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Import {
    schema: Schema,
    limits: Limits,
    features: BTreeMap<String, String>,
    streams: BTreeMap<String, String>,
    /// By the stream, as the definition calls it, and the property.
    properties: BTreeMap<(String, String), String>,
    segments: BTreeMap<String, String>,
    /// The features that hold the latitude and the longitude.
    locations: BTreeMap<String, [String; 2]>,
}

/// A rule that was read, and what it says in another way than its definition.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Imported {
    /// The rule. It was checked against the schema, but for the
    /// [segments](super::segment) to which it refers.
    pub rule: Rule,
    /// What is said in another way, with a JSON pointer into the definition; in its order.
    pub notes: Vec<Issue>,
}

impl Import {
    /// For customers of this schema, within the default [`Limits`].
    pub fn new(schema: &Schema) -> Import {
        Import {
            schema: schema.clone(),
            limits: Limits::new(),
            features: BTreeMap::new(),
            streams: BTreeMap::new(),
            properties: BTreeMap::new(),
            segments: BTreeMap::new(),
            locations: BTreeMap::new(),
        }
    }

    /// Within other limits: of the text, and of the rule.
    pub fn limits(mut self, limits: Limits) -> Import {
        self.limits = limits;
        self
    }

    /// States that what a definition calls `theirs` is the feature `ours`.
    pub fn feature(
        mut self,
        theirs: impl Into<String>,
        ours: impl Into<String>,
    ) -> Import {
        self.features.insert(theirs.into(), ours.into());
        self
    }

    /// States that the events that a definition calls `theirs` are those of the stream
    /// `ours`.
    pub fn stream(
        mut self,
        theirs: impl Into<String>,
        ours: impl Into<String>,
    ) -> Import {
        self.streams.insert(theirs.into(), ours.into());
        self
    }

    /// States that what a definition calls `theirs` of its events `stream` is their property
    /// `ours`.
    pub fn property(
        mut self,
        stream: impl Into<String>,
        theirs: impl Into<String>,
        ours: impl Into<String>,
    ) -> Import {
        self.properties.insert((stream.into(), theirs.into()), ours.into());
        self
    }

    /// States that what a definition calls the segment, or cohort, `theirs` is that with the
    /// id `ours`.
    pub fn segment(
        mut self,
        theirs: impl Into<String>,
        ours: impl Into<String>,
    ) -> Import {
        self.segments.insert(theirs.into(), ours.into());
        self
    }

    /// States that of the place that a definition calls `theirs`, two features hold the
    /// latitude and the longitude in degrees.
    pub fn location(
        mut self,
        theirs: impl Into<String>,
        latitude: impl Into<String>,
        longitude: impl Into<String>,
    ) -> Import {
        self.locations.insert(theirs.into(), [latitude.into(), longitude.into()]);
        self
    }

    /// Reads a query of MongoDB, as sift and others evaluate it, too.
    ///
    /// `$and`, `$or`, `$nor`, `$not`, `$eq`, `$ne`, `$gt`, `$gte`, `$lt`, `$lte`, `$in`,
    /// `$nin`, `$exists`, `$regex` with `$options`, `$all`, `$size`, `$elemMatch` with `$eq` or
    /// `$in`, `$comment`, equality without an operator, conditions side by side, dotted names,
    /// and dates as `{"$date": "2024-05-31"}`.
    ///
    /// A field that is absent and one that is `null` are both a missing value. Tags are
    /// arrays: a value equals them if it is among them.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`](crate::ErrorKind::Definition) with all faults (the first 100,
    /// and how many more there are), with JSON pointers into the query: those of the table at
    /// [`RuleSet::compile`](super::RuleSet::compile), and
    ///
    /// | code | fault |
    /// |---|---|
    /// | `bad-json` | the text is not JSON, or nests more than 127 levels |
    /// | `text-too-long` | longer than [`Limits::text_len`] |
    /// | `duplicate-key` `missing-key` `unknown-key` | a key is there twice, or not, or has no meaning |
    /// | `wrong-type` | another sort of JSON is expected |
    /// | `unknown-operator` `unsupported-operator` | not known, or nothing that a rule can say |
    /// | `unknown-condition` `unsupported-condition` | likewise of whole conditions |
    /// | `not-a-day` | a date with a time of the day, or what is no date |
    /// | `bad-value` | a value that has no meaning here |
    ///
    /// or when the limits are not valid.
    pub fn mongo(&self, json: &str) -> Result<Imported> {
        self.read(json, |reader, json| mongo::read(reader, json, Dialect::Mongo))
    }

    /// Reads a targeting condition of GrowthBook.
    ///
    /// It is written like a query of MongoDB, but evaluated in JavaScript, and some of that
    /// shows where a value is missing (growthbook/growthbook,
    /// `packages/sdk-js/src/mongrule.ts`): to `$lt` and the like it is 0, and equality without
    /// an operator takes it for 0 and for the text `null`, which `$regex` looks at, too. An
    /// empty `$or` holds for everyone. Besides the operators of [`mongo`](Import::mongo) there
    /// are `$ini`, `$nini` and `$regexi`, without regard to case, and `$size` of operators.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema};
    /// use segmenta::rules::Import;
    ///
    /// let import = Import::new(&Schema::new([FeatureSpec::number("age")])?);
    /// let minors = import.growthbook(r#"{"age": {"$lt": 18}}"#)?;
    /// assert_eq!(minors.rule.to_string(), "age < 18 when missing yes");
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`mongo`](Import::mongo).
    pub fn growthbook(&self, json: &str) -> Result<Imported> {
        self.read(json, |reader, json| mongo::read(reader, json, Dialect::GrowthBook))
    }

    /// Reads a cohort of PostHog, its `filters`, or a group of properties.
    ///
    /// Groups `AND` and `OR` in each other; properties of persons; cohorts, which become
    /// references to [segments](super::segment); what persons did: `performed_event`,
    /// `performed_event_multiple`, `performed_event_first_time`, `performed_event_sequence`,
    /// `performed_event_regularly`, `stopped_performing_event` and
    /// `restarted_performing_event`, with filters of the events; `negation` of each.
    /// Names and meanings are those of PostHog/posthog,
    /// `posthog/hogql_queries/hogql_cohort_query.py` and `posthog/hogql/property.py`: who has no
    /// such events is in no count of them, not even in "at most 3 times", and operators that
    /// deny hold where the value is missing.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema, StreamSpec};
    /// use segmenta::rules::Import;
    ///
    /// let schema = Schema::builder().stream(StreamSpec::new("$pageview", [])).build()?;
    /// let imported = Import::new(&schema).posthog(r#"{"type": "AND", "values": [{
    ///     "type": "behavioral", "value": "performed_event_multiple", "negation": false,
    ///     "event_type": "events", "key": "$pageview", "operator": "lte", "operator_value": 3,
    ///     "time_value": 30, "time_interval": "day"
    /// }]}"#)?;
    /// assert_eq!(
    ///     imported.rule.to_string(),
    ///     "events(\"$pageview\").count in last 30d between 1 and 3",
    /// );
    /// let codes: Vec<&str> = imported.notes.iter().map(|note| note.code.as_str()).collect();
    /// assert_eq!(codes, ["rolling-window", "at-least-once"]);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`mongo`](Import::mongo).
    pub fn posthog(&self, json: &str) -> Result<Imported> {
        self.read(json, posthog::read)
    }

    /// Reads a segment of Apache Unomi, or a condition.
    ///
    /// `booleanCondition`, `notCondition`, `matchAllCondition`, `profilePropertyCondition`,
    /// `pastEventCondition` of `eventTypeCondition` and `eventPropertyCondition`,
    /// `profileSegmentCondition`, and `geoLocationByPointSessionCondition` where a
    /// [location](Import::location) is stated. Names and meanings are those of apache/unomi,
    /// `plugins/baseplugin` (`PropertyConditionEvaluator.java`,
    /// `PastEventConditionEvaluator.java`): of a missing value `notEquals`, `notIn` and
    /// `hasNoneOf` hold, and `notContains` and `isNotDay` do not. A property `properties.age` is
    /// also found as `age`.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Schema};
    /// use segmenta::rules::Import;
    ///
    /// let import = Import::new(&Schema::new([FeatureSpec::number("nbOfVisits")])?);
    /// let imported = import.unomi(r#"{
    ///     "metadata": {"id": "often", "name": "Comes often"},
    ///     "condition": {"type": "profilePropertyCondition", "parameterValues": {
    ///         "propertyName": "properties.nbOfVisits",
    ///         "comparisonOperator": "greaterThan", "propertyValueInteger": 3
    ///     }}
    /// }"#)?;
    /// assert_eq!(imported.rule.to_string(), "nbOfVisits > 3 when missing no");
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`mongo`](Import::mongo).
    pub fn unomi(&self, json: &str) -> Result<Imported> {
        self.read(json, unomi::read)
    }

    fn read(
        &self,
        json: &str,
        read: impl FnOnce(&mut Reader<'_>, &Json) -> Option<Rule>,
    ) -> Result<Imported> {
        self.limits.validate()?;
        let most = self.limits.get_text_len();
        if json.len() > most {
            let issue = Issue::new("text-too-long", "", "the text is too long")
                .expected(format!("at most {most} bytes"))
                .found(json.len().to_string());
            return Err(definition(vec![issue]));
        }
        let json: Json = serde_json::from_str(json).map_err(|error| {
            definition(vec![Issue::new("bad-json", "", error.to_string())])
        })?;
        let mut reader = Reader::new(self);
        reader.check_keys(&json);
        let rule = read(&mut reader, &json);
        let (rule, notes) = reader.finish(rule)?;
        Ok(Imported { rule, notes })
    }
}
