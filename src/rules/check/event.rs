//! Tests of events, checked against their streams.

use std::sync::Arc;

use super::{Checker, Key, Parts, Windows, missing};
use crate::data::{FeatureIndex, FeatureKind, FeatureSpec, Schema, Span, StreamIndex};
use crate::error::similar_names;
use crate::rules::ast::{Rule, Test};
use crate::rules::behaviour::{Behaviour, Property, Summary};
use crate::rules::compile::Compiled;
use crate::rules::decay::Decay;
use crate::rules::event::{Aggregate, CalendarUnit, EventTest, Window};
use crate::rules::leaf::{Leaf, Source};
use crate::rules::window::{Bounds, End};

impl Checker {
    pub(super) fn event(&mut self, test: &EventTest, parts: &mut Parts) -> Option<Leaf> {
        self.event_of(test, None, parts)
    }

    /// A test of events, which may count for less with their age.
    pub(super) fn event_of(
        &mut self,
        test: &EventTest,
        decay: Option<Decay>,
        parts: &mut Parts,
    ) -> Option<Leaf> {
        if self.stream.is_some() {
            let message = "events are asked about their properties only";
            self.issue("no-events-here", message, |i| {
                i.expected("`all`, `any`, `at_least`, `not` or `field`").found("`event`")
            });
            return None;
        }
        if let Some(why) = needless(test) {
            self.at("when_missing", |c| {
                c.issue("no-effect", why, |i| i.expected("nothing here"));
            });
        }
        // What has decayed is not to be kept for ever.
        let last = decay.filter(|_| test.window.is_ever());
        let window = match last {
            Some(decay) => {
                let reach = Bounds::Ago(decay.reach(), Span::from_millis(0));
                Some(self.windows.place(reach))
            }
            None => self.at("window", |c| c.window(&test.window)),
        };
        let Some(stream) = self.schema.stream_index_of(&test.name) else {
            self.at("name", |c| c.unknown_stream(&test.name));
            self.at("is", |c| c.values_without_feature(&test.is));
            return None;
        };
        let schema = self.properties_of(stream)?;
        let filter = match &test.filter {
            None => Some(None),
            Some(rule) => self.at("where", |c| c.filter(rule, stream, &schema)).map(Some),
        };
        let property = self.at("agg", |c| c.property(&test.agg, stream, &schema));
        let Some(property) = property else {
            self.at("is", |c| c.values_without_feature(&test.is));
            return None;
        };
        let spec = spec(test, property.as_ref());
        let feature = property.as_ref().map_or(FeatureIndex::new(0), |p| p.feature);
        let key = Key { stream: Some(stream), feature };
        let what = format!("`{}`", spec.name());
        let check = self.at("is", |c| c.test(key, &spec, &what, &test.is))?;
        let missing = missing(&test.is, test.when_missing);
        let summary = decay.map_or(Summary::of(&test.agg), Summary::Decayed);
        let (filter, window) = (filter?, window?);
        // In JSON, -0 is 0.
        let text = test.filter.as_ref().map(serde_json::to_string);
        let text = text.map(std::result::Result::unwrap_or_default);
        let property_at = property.as_ref().map(|property| property.feature);
        let next = self.aggregates.len() as u32;
        let of_key = self.aggregates.entry((stream, text, summary, property_at, window));
        let place = *of_key.or_insert(next);
        let behaviour =
            Behaviour { stream, filter, summary, property, window, spec, place };
        parts.behaviours.push(behaviour);
        let source = Source::Events((parts.behaviours.len() - 1) as u32);
        Some(Leaf { source, missing, check })
    }

    /// A rule over the properties of events; `None` after a fault.
    pub(super) fn filter(
        &mut self,
        rule: &Rule,
        stream: StreamIndex,
        schema: &Schema,
    ) -> Option<Arc<Compiled>> {
        let outside = std::mem::replace(&mut self.schema, schema.clone());
        self.stream = Some(stream);
        let n_issues = self.issues.len() + self.n_more;
        let mut parts = Parts::default();
        let node = self.node(rule, &mut parts);
        self.stream = None;
        self.schema = outside;
        // Only a rule without faults can be compiled.
        (self.issues.len() + self.n_more == n_issues)
            .then(|| Arc::new(Compiled::new(schema, rule, parts, &node)))
    }

    pub(super) fn properties_of(&mut self, stream: StreamIndex) -> Option<Schema> {
        if let Some(schema) = self.properties.get(&stream) {
            return Some(schema.clone());
        }
        let properties = self.schema.streams().get(stream.get())?.properties();
        // A stream's properties were checked as those of a schema are.
        let schema = Schema::new(properties.iter().cloned()).ok()?;
        self.properties.insert(stream, schema.clone());
        Some(schema)
    }

    pub(super) fn unknown_stream(&mut self, name: &str) {
        let schema = self.schema.clone();
        self.issue("unknown-stream", format!("no stream is named `{name}`"), |i| {
            let names = schema.streams().iter().map(crate::data::StreamSpec::name);
            i.found(format!("`{name}`"))
                .suggest(similar_names(name, names).into_iter().next())
        });
    }

    /// The property of an aggregate, if it has one; `None` after a fault.
    fn property(
        &mut self,
        aggregate: &Aggregate,
        stream: StreamIndex,
        schema: &Schema,
    ) -> Option<Option<Property>> {
        let Some(name) = aggregate.property() else { return Some(None) };
        self.at(aggregate.name(), |c| {
            let feature = schema.index_of(name);
            let Some((feature, spec)) = feature.and_then(|i| Some((i, schema.get(i)?)))
            else {
                let message = format!("no property of these events is named `{name}`");
                c.issue("unknown-property", message, |i| {
                    let names = schema.features().iter().map(FeatureSpec::name);
                    i.found(format!("`{name}`"))
                        .suggest(similar_names(name, names).into_iter().next())
                });
                return None;
            };
            let fits = match aggregate {
                Aggregate::Sum(_) | Aggregate::Average(_) => {
                    spec.kind() == FeatureKind::Number
                }
                Aggregate::Min(_) | Aggregate::Max(_) => {
                    matches!(spec.kind(), FeatureKind::Number | FeatureKind::Date)
                }
                _ => spec.kind() != FeatureKind::Tags,
            };
            if !fits {
                let (kind, agg) = (spec.kind(), aggregate.name());
                let message = format!("property `{name}` of kind {kind} has no `{agg}`");
                c.issue("wrong-property", message, |i| {
                    let expected = match aggregate {
                        Aggregate::Sum(_) | Aggregate::Average(_) => "a number",
                        Aggregate::Min(_) | Aggregate::Max(_) => "a number or a date",
                        _ => "a property that has one value",
                    };
                    i.expected(expected).found(format!("`{name}`"))
                });
                return None;
            }
            let closed = !spec.get_levels().is_empty();
            let key = Key { stream: Some(stream), feature };
            let levels = closed.then(|| c.levels_of(key, spec));
            Some(Some(Property { feature, spec: spec.clone(), levels }))
        })
    }

    /// The place of a window among those of all rules; `None` after a fault.
    pub(super) fn window(&mut self, window: &Window) -> Option<u32> {
        let bounds = match window {
            Window::Ever => Bounds::read(window)?,
            Window::Last(span) => {
                self.at("last", |c| c.span(*span))?;
                Bounds::read(window)?
            }
            Window::Ago { from, to } => self.at("ago", |c| {
                if from <= to {
                    c.issue("empty-window", "the window ends before it begins", |i| {
                        i.expected(format!("from more than {to}")).found(from.to_string())
                    });
                    return None;
                }
                c.at("from", |c| c.span(*from))?;
                Bounds::read(window)
            })?,
            Window::Calendar { n, unit, include_current } => {
                self.at("calendar", |c| {
                    if *n == 0 && !include_current {
                        c.issue("empty-window", "the window holds no time", |i| {
                            i.expected("n at least 1, or include_current").found("0")
                        });
                        return None;
                    }
                    c.at("n", |c| c.units(*n, *unit))?;
                    Bounds::read(window)
                })?
            }
            Window::CalendarAgo { from, to, unit } => self.at("calendar_ago", |c| {
                if from <= to {
                    c.issue("empty-window", "the window ends before it begins", |i| {
                        i.expected(format!("from more than {to}")).found(from.to_string())
                    });
                    return None;
                }
                c.at("from", |c| c.units(*from, *unit))?;
                Bounds::read(window)
            })?,
            Window::Between { from, to } => self.at("between", |c| {
                let ends = [("from", from), ("to", to)].map(|(name, text)| {
                    let end = End::read(text);
                    if end.is_none() {
                        c.at(name, |c| {
                            c.issue("bad-instant", "the instant cannot be read", |i| {
                                i.expected(
                                    "a date as YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ",
                                )
                                .found(text.chars().take(40).collect::<String>())
                            });
                        });
                    }
                    end
                });
                let [Some(from_end), Some(to_end)] = ends else { return None };
                if from_end.is_never_before(to_end) {
                    c.issue("empty-window", "the window ends before it begins", |i| {
                        i.expected(format!("from before {to}")).found(from.clone())
                    });
                    return None;
                }
                Bounds::read(window)
            })?,
        };
        Some(self.windows.place(bounds))
    }

    pub(super) fn span(&mut self, span: Span) -> Option<()> {
        if span.as_millis() == 0 {
            self.issue("empty-window", "the window holds no time", |i| {
                i.expected("at least 1ms").found(span.to_string())
            });
            None
        } else if span > self.limits.get_window() {
            self.too_long(span.to_string());
            None
        } else {
            Some(())
        }
    }

    /// Checks that so many units of the calendar are no longer than a window may be.
    fn units(&mut self, n: u32, unit: CalendarUnit) -> Option<()> {
        let most = self.limits.get_window().as_millis();
        let is_long = u64::from(n).saturating_mul(unit.least_millis()) > most;
        if is_long {
            self.too_long(format!("{n} {}s", unit.name()));
        }
        (!is_long).then_some(())
    }

    fn too_long(&mut self, found: String) {
        let most = self.limits.get_window();
        self.issue("window-too-long", "the window is too long", |i| {
            i.expected(format!("at most {most}")).found(found)
        });
    }
}

impl Windows {
    /// The place of a window, which is added if it is new.
    fn place(&mut self, bounds: Bounds) -> u32 {
        let next = self.all.len() as u32;
        let place = *self.places.entry(bounds.clone()).or_insert(next);
        if place == next {
            self.all.push(bounds);
        }
        place
    }
}

/// Why an answer for a missing aggregate says nothing, if it does.
fn needless(test: &EventTest) -> Option<&'static str> {
    test.when_missing?;
    if matches!(test.is, Test::Set | Test::Missing) {
        Some("a test for missing values needs no answer for them")
    } else if !test.agg.may_be_missing() {
        Some("this aggregate is never missing: over no events it is 0")
    } else {
        None
    }
}

/// What the aggregate is, as if it were a feature.
fn spec(test: &EventTest, property: Option<&Property>) -> FeatureSpec {
    let mut name = format!("{}.{}", test.name, test.agg.name());
    if let Some(property) = test.agg.property() {
        name.push_str(&format!("({property})"));
    }
    let kind = match (&test.agg, property) {
        (
            Aggregate::Min(_)
            | Aggregate::Max(_)
            | Aggregate::First(_)
            | Aggregate::Last(_),
            Some(property),
        ) => property.spec.kind(),
        (Aggregate::FirstDay | Aggregate::LastDay, _) => FeatureKind::Date,
        _ => FeatureKind::Number,
    };
    match property {
        Some(property) if property.spec.kind() == kind => property.spec.renamed(name),
        _ => FeatureSpec::new(name, kind),
    }
}
