//! What is computed of a customer, kept like her attributes.

use std::fmt::Write;

use super::Inner;

use super::customer::LiveCustomer;
use super::trail::{Trail, TrailPlan};
use super::watch::Watch;
use crate::data::{CustomerId, FeatureIndex, OwnedValue, Schema, StreamIndex, Value};
use crate::error::Result;
use crate::rules::bucket::Bucket;
use crate::rules::computed::{Computed, What, computed};
use crate::rules::distance::{Coordinate, Distance};
use crate::rules::ordered::Ordered;
use crate::rules::set::CompiledSet;
use crate::rules::window::Bounds;

/// What is computed, after the features among what is kept of a customer.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) all: Vec<Slot>,
    /// For each place among what rules compute, that among these.
    pub(super) places: Vec<usize>,
    distances: Vec<(usize, Distance)>,
    draws: Vec<(usize, Bucket)>,
    /// Of the sequences: those that look at the same events have one in common.
    trails: Vec<TrailPlan>,
    /// For each stream of the schema, the trails that its events can be part of.
    of_stream: Vec<Vec<usize>>,
}

/// Something that is computed.
#[derive(Debug)]
pub(super) struct Slot {
    kind: Kind,
    /// What tells it apart for a customer who is kept.
    pub(super) description: String,
    pub(super) watch: Watch,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Distance,
    Draw,
    Trail,
}

impl Slots {
    pub(super) fn new(set: &CompiledSet) -> Slots {
        let of_rules = computed(set.rules.iter().map(|rule| &*rule.computed));
        let mut described: Vec<(String, &Computed)> =
            of_rules.map(|computed| (describe(set, computed), computed)).collect();
        // By what tells them apart: whatever the order of the rules, the same is kept in the
        // same places.
        described.sort_by(|(a, left), (b, right)| {
            a.cmp(b).then_with(|| left.spec.name().cmp(right.spec.name()))
        });
        let mut slots = Slots {
            places: vec![0; described.len()],
            of_stream: vec![Vec::new(); set.schema.streams().len()],
            ..Slots::default()
        };
        for (at, (description, Computed { what, place, .. })) in
            described.into_iter().enumerate()
        {
            slots.places[*place as usize] = at;
            let kind = match what {
                What::Distance(distance) => {
                    slots.distances.push((at, distance.clone()));
                    Kind::Distance
                }
                What::Bucket(bucket) => {
                    slots.draws.push((at, *bucket));
                    Kind::Draw
                }
                What::Ordered(ordered) => {
                    // Those that look at the same events stand side by side.
                    let before = at.checked_sub(1).map(|before| &slots.all[before]);
                    if before.is_none_or(|before| before.description != description) {
                        for source in &ordered.streams {
                            let of_stream = &mut slots.of_stream[source.stream.get()];
                            of_stream.push(slots.trails.len());
                        }
                        slots.trails.push(TrailPlan::new(ordered));
                    }
                    if let Some(trail) = slots.trails.last_mut() {
                        trail.push(at, ordered, &set.windows[ordered.window as usize]);
                    }
                    Kind::Trail
                }
            };
            slots.all.push(Slot { kind, description, watch: Watch::default() });
        }
        slots
    }

    /// What a customer has of whom nothing is known.
    pub(super) fn blank(&self) -> impl Iterator<Item = OwnedValue> {
        self.all.iter().map(|slot| match slot.kind {
            Kind::Trail => OwnedValue::Flag(false),
            Kind::Distance | Kind::Draw => OwnedValue::Missing,
        })
    }

    /// By their places among the trails of a customer.
    pub(super) fn trails(&self) -> &[TrailPlan] {
        &self.trails
    }

    /// Whether a value can be one of this slot.
    pub(super) fn has(&self, at: usize, value: &OwnedValue) -> bool {
        match (self.all[at].kind, value) {
            (Kind::Trail, OwnedValue::Flag(_)) => true,
            (Kind::Distance | Kind::Draw, OwnedValue::Missing) => true,
            (Kind::Distance, OwnedValue::Number(x)) => x.is_finite(),
            (Kind::Draw, OwnedValue::Number(x)) => (0.0..1.0).contains(x),
            _ => false,
        }
    }
}

/// In words of its own, since saved customers outlive releases. Sequences that differ only in
/// what is denied and for how long keep the same.
fn describe(set: &CompiledSet, computed: &Computed) -> String {
    let What::Ordered(ordered) = &computed.what else {
        return computed.spec.name().to_owned();
    };
    let mut text = String::from("sequence");
    let Ordered { streams, window, .. } = ordered;
    for source in streams {
        let stream = set.schema.streams().get(source.stream.get());
        let name = stream.map_or("", |stream| stream.name());
        // A text takes all that is written to it.
        let _ = write!(text, " stream {name:?}");
        if let Some(property) = &source.same {
            let _ =
                write!(text, " same {:?} {}", property.spec.name(), property.spec.kind());
        }
        for (filter, bits) in &source.filters {
            let rule = filter.as_ref().map(|filter| filter.rule.to_string());
            let _ =
                write!(text, " steps {bits} where {}", rule.as_deref().unwrap_or("all"));
        }
    }
    let _ = match &set.windows[*window as usize] {
        Bounds::Ever => write!(text, " ever"),
        Bounds::Ago(from, _) => write!(text, " reach {} ms", from.as_millis()),
        Bounds::Calendar(n, unit, _) => write!(text, " reach {n} {}", unit.name()),
        Bounds::Between(from, to) => {
            let [from, to] = [from, to].map(|end| end.to_string());
            write!(text, " from {from} to {to}")
        }
    };
    text
}

impl Inner {
    /// The place among what is kept of a customer of what a test computes.
    pub(super) fn slot(&self, place: u32) -> usize {
        self.plan.features.len() + self.plan.slots.places[place as usize]
    }

    /// Checks that distances can use the value of a feature.
    ///
    /// # Errors
    /// When it is an angle that is too large.
    pub(super) fn check_place(
        &self,
        feature: FeatureIndex,
        value: Value<'_>,
    ) -> Result<()> {
        for (_, Distance { latitude, longitude, .. }) in &self.plan.slots.distances {
            for coordinate in [latitude, longitude] {
                if coordinate.feature == feature {
                    coordinate.read(value)?;
                }
            }
        }
        Ok(())
    }

    /// Computes all distances of a customer; tells what was otherwise.
    pub(super) fn locate(
        &self,
        customer: &mut LiveCustomer,
        tell: &mut Vec<(usize, OwnedValue)>,
    ) {
        let n_features = self.plan.features.len();
        for (at, distance) in &self.plan.slots.distances {
            let degrees = |coordinate: &Coordinate| {
                let place = self.plan.feature_places[coordinate.feature.get()]?;
                // What is kept was checked.
                coordinate.read(customer.attributes[place].as_value()).ok().flatten()
            };
            let at_place = degrees(&distance.latitude).zip(degrees(&distance.longitude));
            let value = at_place.map_or(OwnedValue::Missing, |at| {
                OwnedValue::Number(distance.kilometres(at))
            });
            replace(&mut customer.attributes, n_features + at, value, tell);
        }
    }

    /// Draws for a customer with this id.
    pub(super) fn draw(
        &self,
        customer: &mut LiveCustomer,
        id: CustomerId<'_>,
        tell: &mut Vec<(usize, OwnedValue)>,
    ) {
        let n_features = self.plan.features.len();
        for (at, bucket) in &self.plan.slots.draws {
            let value = OwnedValue::Number(bucket.draw(id));
            replace(&mut customer.attributes, n_features + at, value, tell);
        }
    }

    /// Looks at the sequences for which `is_touched` holds; tells what was otherwise.
    pub(super) fn retrace(
        &self,
        customer: &mut LiveCustomer,
        is_touched: impl Fn(&Trail) -> bool,
        tell: &mut Vec<(usize, OwnedValue)>,
    ) {
        let (plan, now) = (&self.plan, customer.tick);
        let LiveCustomer { trails, attributes, .. } = customer;
        for (trail, of_trail) in trails.iter_mut().zip(plan.slots.trails()) {
            if is_touched(trail) {
                trail.settle(of_trail, &self.clock, now, |at, holds| {
                    let slot = plan.features.len() + at;
                    replace(attributes, slot, OwnedValue::Flag(holds), tell);
                });
            }
        }
    }

    /// Adds an event to the sequences that it can be part of; tells what was otherwise.
    pub(super) fn extend(
        &self,
        customer: &mut LiveCustomer,
        stream: StreamIndex,
        tick: i64,
        values: &[Value<'_>],
        tell: &mut Vec<(usize, OwnedValue)>,
    ) {
        let (plan, now) = (&self.plan, customer.tick);
        for &trail in &plan.slots.of_stream[stream.get()] {
            let of_trail = &plan.slots.trails[trail];
            let bits = of_trail.bits(stream, values);
            if bits == 0 {
                continue;
            }
            let LiveCustomer { trails, attributes, .. } = &mut *customer;
            let trail = &mut trails[trail];
            trail.add(of_trail, &self.clock, stream, tick, bits, values);
            trail.settle(of_trail, &self.clock, now, |at, holds| {
                let slot = plan.features.len() + at;
                replace(attributes, slot, OwnedValue::Flag(holds), tell);
            });
        }
    }
}

/// Keeps a value, and tells the one before if it was another.
fn replace(
    attributes: &mut [OwnedValue],
    slot: usize,
    value: OwnedValue,
    tell: &mut Vec<(usize, OwnedValue)>,
) {
    if attributes[slot] != value {
        tell.push((slot, std::mem::replace(&mut attributes[slot], value)));
    }
}

/// The features that distances need, whether or not rules test them.
pub(super) fn features<'s>(
    set: &'s CompiledSet,
    schema: &'s Schema,
) -> impl Iterator<Item = (&'s str, FeatureIndex)> {
    let of_rules = set.rules.iter().flat_map(|rule| rule.computed.iter());
    let places = of_rules.filter_map(|computed| match &computed.what {
        What::Distance(distance) => Some([&distance.latitude, &distance.longitude]),
        _ => None,
    });
    places.flatten().filter_map(|coordinate| {
        Some((schema.get(coordinate.feature)?.name(), coordinate.feature))
    })
}
