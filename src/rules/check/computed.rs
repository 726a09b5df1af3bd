//! Tests of what is computed of a customer, checked against the schema.

use std::sync::Arc;

use super::{Checker, Key, Parts, missing};
use crate::data::{FeatureIndex, FeatureKind, FeatureSpec, StreamIndex};
use crate::error::similar_names;
use crate::rules::ast::{FieldTest, Rule, Test};
use crate::rules::behaviour::Property;
use crate::rules::bucket::{Bucket, BucketTest};
use crate::rules::compile::Compiled;
use crate::rules::computed::{Computed, What};
use crate::rules::consent::ConsentTest;
use crate::rules::distance::{
    Coordinate, Distance, DistanceTest, LATITUDES, LONGITUDES, Location,
};
use crate::rules::leaf::{Check, Leaf, Source};
use crate::rules::ordered::{self, MAX_STEPS, Ordered, Shape};
use crate::rules::sequence::{SequenceStep, SequenceTest};
use crate::rules::text::{bucket_name, distance_name};
use crate::segmenter::Truth;

/// A feature's place and what it is.
type Found<'s> = (FeatureIndex, &'s FeatureSpec);

/// A step that was checked: its stream, its filter, and the property that all have in common.
struct Step {
    stream: StreamIndex,
    filter: Option<Arc<Compiled>>,
    same: Option<Property>,
}

impl Checker {
    /// Notes that a filter of events has a test of something else, if this is one.
    pub(super) fn outside_of_filters(&mut self, rule: &Rule) -> bool {
        if self.stream.is_none() {
            return true;
        }
        let found = match rule {
            Rule::Sequence(_) => "`sequence`",
            Rule::Distance(_) => "`distance`",
            Rule::Bucket(_) => "`bucket`",
            Rule::Score(_) => "`score`",
            _ => "`consent`",
        };
        let message = "events are asked about their properties only";
        self.issue("no-computed-here", message, |i| {
            i.expected("`all`, `any`, `at_least`, `not` or `field`").found(found)
        });
        false
    }

    /// A leaf that tests something computed; the same is computed once.
    fn computed(
        &mut self,
        spec: FeatureSpec,
        key: String,
        what: What,
        (missing, check): (Truth, Check),
        parts: &mut Parts,
    ) -> Leaf {
        let next = self.computed.len() as u32;
        // In JSON, -0 is 0.
        let place = *self.computed.entry(key).or_insert(next);
        parts.computed.push(Computed { what, spec, place });
        let source = Source::Computed((parts.computed.len() - 1) as u32);
        Leaf { source, missing, check }
    }

    /// A test of a number that is computed.
    fn number(&mut self, spec: &FeatureSpec, is: &Test) -> Option<Check> {
        let key = Key { stream: None, feature: FeatureIndex::new(0) };
        self.at("is", |c| c.test(key, spec, &format!("`{}`", spec.name()), is))
    }

    pub(super) fn bucket(
        &mut self,
        test: &BucketTest,
        parts: &mut Parts,
    ) -> Option<Leaf> {
        let BucketTest { salt, is } = test;
        if salt.is_empty() {
            self.at("salt", |c| {
                c.issue("empty-text", "draws are told apart by their salt", |i| {
                    i.expected("at least one character")
                });
            });
        }
        if matches!(is, Test::Set | Test::Missing | Test::InTop(_) | Test::InBottom(_)) {
            self.at("is", |c| {
                let message =
                    "what is drawn is compared: it says by itself which share it is";
                c.issue("no-effect", message, |i| i.expected("a comparison"));
            });
            return None;
        }
        let spec = FeatureSpec::number(bucket_name(salt));
        let check = self.number(&spec, is)?;
        let what = What::Bucket(Bucket::new(salt));
        (!salt.is_empty()).then(|| {
            let key = spec.name().to_owned();
            self.computed(spec, key, what, (Truth::Unknown, check), parts)
        })
    }

    pub(super) fn distance(
        &mut self,
        test: &DistanceTest,
        parts: &mut Parts,
    ) -> Option<Leaf> {
        let DistanceTest { latitude, longitude, from, is, when_missing } = test;
        self.is_needed(*when_missing, is);
        let latitude = self.at("latitude", |c| c.coordinate(latitude, LATITUDES));
        let longitude = self.at("longitude", |c| c.coordinate(longitude, LONGITUDES));
        let is_on_earth = from.is_on_earth();
        if !is_on_earth {
            self.at("from", |c| {
                c.issue("not-on-earth", "there is no such place on Earth", |i| {
                    i.expected(format!(
                        "a latitude from -{LATITUDES} to {LATITUDES}, \
                         and a longitude from -{LONGITUDES} to {LONGITUDES}"
                    ))
                    .found(from.to_string())
                });
            });
        }
        let spec = FeatureSpec::number(distance_name(test));
        let check = self.number(&spec, is)?;
        let (latitude, longitude) = latitude.zip(longitude)?;
        // Adding 0 makes -0 and 0 one place.
        let from =
            Location { latitude: from.latitude + 0.0, longitude: from.longitude + 0.0 };
        let what = What::Distance(Distance { latitude, longitude, from });
        let answer = (missing(is, *when_missing), check);
        is_on_earth.then(|| {
            let key = distance_name(&DistanceTest { from, ..test.clone() });
            self.computed(spec, key, what, answer, parts)
        })
    }

    fn coordinate(&mut self, name: &str, most: f64) -> Option<Coordinate> {
        let schema = self.schema.clone();
        let (feature, spec) = self.find(&schema, name)?;
        if spec.kind() != FeatureKind::Number {
            let message = format!("feature `{name}` of kind {} is no angle", spec.kind());
            self.issue("wrong-kind", message, |i| {
                i.expected("a number of degrees").found(format!("`{name}`"))
            });
            return None;
        }
        Some(Coordinate { feature, spec: spec.clone(), most })
    }

    /// A feature by its name; `None` after a fault.
    fn find<'s>(
        &mut self,
        schema: &'s crate::data::Schema,
        name: &str,
    ) -> Option<Found<'s>> {
        let feature = schema.index_of(name);
        let found = feature.and_then(|i| Some((i, schema.get(i)?)));
        if found.is_none() {
            self.unknown_feature(name);
        }
        found
    }

    /// The leaves of a consent, of which one is missing after a fault.
    pub(super) fn consent(&mut self, test: &ConsentTest) -> Vec<Option<Leaf>> {
        let ConsentTest { purpose, is, given } = test;
        let schema = self.schema.clone();
        let of_state = match self.at("purpose", |c| c.find(&schema, purpose)) {
            None => None,
            Some((_, spec)) => match (spec.kind(), is) {
                (FeatureKind::Flag, None) => self.answer(purpose, test.state()),
                (FeatureKind::Category | FeatureKind::Ordinal, Some(states)) => {
                    let feature = schema.index_of(purpose);
                    self.states(feature, spec, states)
                        .then(|| self.answer(purpose, test.state()))
                        .flatten()
                }
                (kind, _) => {
                    let message = format!("feature `{purpose}` of kind {kind}");
                    let (message, expected) = match (kind, is) {
                        (FeatureKind::Flag, _) => {
                            (message + " has no states", "no `is`: yes is consent")
                        }
                        (FeatureKind::Category | FeatureKind::Ordinal, _) => {
                            let message = message + " is no consent by itself";
                            (message, "`is` with the states that are consent")
                        }
                        _ => (message + " cannot be a consent", "a flag or a category"),
                    };
                    self.issue("wrong-kind", message, |i| i.expected(expected));
                    None
                }
            },
        };
        let mut leaves = vec![of_state];
        if let Some(given) = given {
            let of_age = self.at("given", |c| {
                let found = c.at("on", |c| c.find(&schema, &given.on))?;
                if found.1.kind() != FeatureKind::Date {
                    let kind = found.1.kind();
                    let message =
                        format!("feature `{}` of kind {kind} is no day", given.on);
                    c.at("on", |c| {
                        c.issue("wrong-kind", message, |i| i.expected("a date"));
                    });
                    return None;
                }
                let days = c.at("in_last", |c| c.days(&Test::InLast(given.in_last)))?;
                let source = Source::Feature(found.0);
                Some(Leaf { source, missing: Truth::False, check: Check::Day(days) })
            });
            leaves.push(of_age);
        }
        leaves
    }

    /// Checks the states of a consent against the levels of its feature.
    fn states(
        &mut self,
        feature: Option<FeatureIndex>,
        spec: &FeatureSpec,
        states: &[String],
    ) -> bool {
        let Some(feature) = feature else { return false };
        let key = Key { stream: None, feature };
        self.at("is", |c| {
            let fits = c.list_len(states.len());
            fits && states.iter().enumerate().fold(true, |all, (i, state)| {
                c.at(i, |c| c.level(key, spec, state)) && all
            })
        })
    }

    /// A test that is False for a missing value, and was checked.
    fn answer(&mut self, name: &str, is: Test) -> Option<Leaf> {
        self.field(&FieldTest { name: name.to_owned(), is, when_missing: Some(false) })
    }

    pub(super) fn sequence(
        &mut self,
        test: &SequenceTest,
        parts: &mut Parts,
    ) -> Option<Leaf> {
        let SequenceTest { steps, same, window } = test;
        let window = self.at("window", |c| c.window(window));
        if !(2..=MAX_STEPS).contains(&steps.len()) {
            self.at("steps", |c| {
                c.issue("bad-count", "the number of steps makes no sequence", |i| {
                    i.expected(format!("from 2 to {MAX_STEPS}"))
                        .found(steps.len().to_string())
                });
            });
            return None;
        }
        let checked: Vec<Option<Step>> = self.at("steps", |c| {
            let step = |(i, step)| c.at(i, |c| c.step(i, step, same.as_deref()));
            steps.iter().enumerate().map(step).collect()
        });
        let checked: Option<Vec<Step>> = checked.into_iter().collect();
        let checked = checked?;
        if let Some(name) = same {
            (self.have_all(name, &checked) && self.are_alike(name, &checked))
                .then_some(())?;
        }
        let of_shape = |step: &SequenceStep| {
            (step.not, step.within.map(crate::data::Span::as_millis))
        };
        let of_shape: Vec<_> = steps.iter().map(of_shape).collect();
        let shape = Shape::new(&of_shape);
        let ordered = Ordered {
            shape,
            streams: sources(&checked).into(),
            window: window?,
            is_same: same.is_some(),
        };
        let spec = FeatureSpec::flag(test.to_string());
        let check = Check::Flag { yes: true, no: false };
        let what = What::Ordered(ordered);
        let key = serde_json::to_string(test).unwrap_or_default();
        Some(self.computed(spec, key, what, (Truth::Unknown, check), parts))
    }

    fn step(
        &mut self,
        at: usize,
        step: &SequenceStep,
        same: Option<&str>,
    ) -> Option<Step> {
        let SequenceStep { name, filter, not, within } = step;
        if at == 0 && *not {
            self.at("not", |c| {
                let message = "a sequence begins with something that happened";
                c.issue("bad-start", message, |i| i.expected("a step without `not`"));
            });
        }
        if let Some(within) = *within {
            self.at("within", |c| {
                if at == 0 {
                    let message = "there is no step before the first";
                    c.issue("no-effect", message, |i| i.expected("nothing here"));
                }
                c.span(within);
            });
        }
        let Some(stream) = self.schema.stream_index_of(name) else {
            self.at("name", |c| c.unknown_stream(name));
            return None;
        };
        let schema = self.properties_of(stream)?;
        let filter = match filter {
            None => None,
            Some(rule) => Some(self.at("where", |c| c.filter(rule, stream, &schema))?),
        };
        let feature = same.and_then(|name| schema.index_of(name));
        let found = feature.and_then(|i| Some((i, schema.get(i)?)));
        let same = found.map(|(feature, spec)| {
            let key = Key { stream: Some(stream), feature };
            let closed = !spec.get_levels().is_empty();
            let levels = closed.then(|| self.levels_of(key, spec));
            Property { feature, spec: spec.clone(), levels }
        });
        Some(Step { stream, filter, same })
    }

    /// Whether all streams of the steps have a property of this name.
    fn have_all(&mut self, name: &str, steps: &[Step]) -> bool {
        let Some(step) = steps.iter().find(|step| step.same.is_none()) else {
            return true;
        };
        let schema = self.schema.clone();
        let Some(stream) = schema.streams().get(step.stream.get()) else { return false };
        self.at("same", |c| {
            let of = stream.name();
            let message =
                format!("no property of the events of `{of}` is named `{name}`");
            c.issue("unknown-property", message, |i| {
                let names = stream.properties().iter().map(FeatureSpec::name);
                i.expected("a property that all steps have in common")
                    .found(format!("`{name}`"))
                    .suggest(similar_names(name, names).into_iter().next())
            });
        });
        false
    }

    /// Whether a property of several streams is one that can have the same value.
    fn are_alike(&mut self, name: &str, steps: &[Step]) -> bool {
        let mut kinds: Vec<FeatureKind> = Vec::new();
        for kind in steps.iter().filter_map(|step| Some(step.same.as_ref()?.spec.kind()))
        {
            // Levels are names, be they ordered or not.
            let kind = match kind {
                FeatureKind::Ordinal => FeatureKind::Category,
                kind => kind,
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let fits = kinds.len() == 1 && kinds[0] != FeatureKind::Tags;
        if !fits {
            let found: Vec<&str> = kinds.into_iter().map(FeatureKind::name).collect();
            self.at("same", |c| {
                let message =
                    format!("property `{name}` cannot be the same in all steps");
                c.issue("wrong-property", message, |i| {
                    i.expected("one kind in all of their streams, and not tags")
                        .found(found.join(" and "))
                });
            });
        }
        fits
    }

    /// Notes an answer for missing values that says nothing.
    pub(super) fn is_needed(&mut self, when_missing: Option<bool>, is: &Test) {
        if when_missing.is_some() && matches!(is, Test::Set | Test::Missing) {
            self.at("when_missing", |c| {
                let message = "a test for missing values needs no answer for them";
                c.issue("no-effect", message, |i| i.expected("nothing here"));
            });
        }
    }
}

/// What is looked at of each stream.
fn sources(steps: &[Step]) -> Vec<ordered::Source> {
    let mut sources: Vec<(ordered::Source, Vec<_>)> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let known = sources.iter().position(|(source, _)| source.stream == step.stream);
        let known = known.unwrap_or_else(|| {
            let same = step.same.clone();
            let filters = Box::new([]);
            let source = ordered::Source { stream: step.stream, same, filters };
            sources.push((source, Vec::new()));
            sources.len() - 1
        });
        let filters: &mut Vec<(Option<Arc<Compiled>>, u32)> = &mut sources[known].1;
        let alike = filters.iter().position(|(filter, _)| {
            filter.as_ref().map(|f| &f.rule) == step.filter.as_ref().map(|f| &f.rule)
        });
        match alike {
            Some(alike) => filters[alike].1 |= 1 << at,
            None => filters.push((step.filter.clone(), 1 << at)),
        }
    }
    let with = |(source, filters): (ordered::Source, Vec<_>)| ordered::Source {
        filters: filters.into(),
        ..source
    };
    sources.into_iter().map(with).collect()
}
