//! What is known of subjects together: a date and its distance from today, and aggregates
//! of one stream of events.

use std::collections::{BTreeMap, BTreeSet};

use super::encode::{Encoding, one};
use super::history::{EventSet, Occurrence, is_at_most, is_at_most_inner};
use super::model::Model;
use super::shape::Role;
use super::solver::Lit;
use crate::data::FeatureIndex;
use crate::rules::behaviour::Summary;
use crate::rules::window::Bounds;

/// Distances and days beyond which the ends of the calendar are near.
const FAR: f64 = 1e6;

/// Aggregates that are compared with each other.
const MOST_AGGREGATES: usize = 1 << 10;

/// The cuts of an axis by which it is related to others.
pub(super) fn cuts(model: &Model, axis: u32) -> Vec<(u32, u32)> {
    let of = &model.axes[axis as usize];
    let is_date = of.role == Role::Distance
        || model.axes.get(axis as usize + 1).is_some_and(|next| {
            next.subject == of.subject && next.role == Role::Distance
        });
    match of.aggregate {
        Some((_, Summary::Count | Summary::Distinct | Summary::ActiveDays)) => {
            vec![(axis, one(model, axis))]
        }
        Some(_) => vec![(axis, 1)],
        None if is_date => vec![(axis, 1)],
        None => Vec::new(),
    }
}

pub(super) fn state(encoding: &mut Encoding, model: &Model) {
    let axes: BTreeSet<u32> = encoding.cuts.keys().map(|&(axis, _)| axis).collect();
    let n_both = dates(encoding, model, &axes);
    let places: Vec<(u32, Occurrence)> = axes
        .iter()
        .filter_map(|&axis| {
            let (place, _) = model.axes[axis as usize].aggregate?;
            Some((axis, *model.history.get(place)?))
        })
        .collect();
    if places.is_empty() {
        return;
    }
    if places.len() > MOST_AGGREGATES {
        encoding.is_whole = false;
        return;
    }
    // A date that is known with its distance says when now is, and that says which
    // windows are open.
    encoding.is_exact &= n_both == 0 && is_free(model, &places);
    Events { encoding, model, any: BTreeMap::new(), has: BTreeMap::new() }.state(&places);
}

/// A date is there if its distance from today is. Gives of how many both are asked.
fn dates(encoding: &mut Encoding, model: &Model, axes: &BTreeSet<u32>) -> usize {
    let (mut n_both, mut is_near) = (0, true);
    for &axis in axes {
        let of = &model.axes[axis as usize];
        if of.role != Role::Distance {
            continue;
        }
        // Its value is measured on the axis before.
        let value = axis.saturating_sub(1);
        is_near &= of.starts.iter().all(|x| x.abs() < FAR);
        // Events are no longer free to be at any distance.
        is_near &= of.aggregate.is_none();
        if axes.contains(&value) {
            let cuts = [value, axis].map(|axis| encoding.cut(model, axis, 1));
            encoding.implies(cuts[0], cuts[1]);
            encoding.implies(cuts[1], cuts[0]);
            if encoding.cuts.range((value, 2)..(axis, 0)).next().is_some() {
                n_both += 1;
                let starts = &model.axes[value as usize].starts;
                is_near &= starts.iter().all(|x| x.abs() < FAR);
            }
        }
    }
    encoding.is_exact &= n_both < 2 && is_near;
    n_both
}

/// Whether the aggregates can have any values that the facts below allow.
fn is_free(model: &Model, places: &[(u32, Occurrence)]) -> bool {
    let is_simple = |occurrence: &Occurrence| {
        occurrence.events.filter.is_none()
            && !matches!(
                occurrence.summary,
                Summary::FirstDay
                    | Summary::LastDay
                    | Summary::ActiveDays
                    | Summary::Distinct
            )
    };
    let ends_now = |occurrence: &Occurrence| {
        occurrence.summary == Summary::Count
            && match model.history.window(&occurrence.events) {
                Some(Bounds::Ever) => true,
                Some(Bounds::Ago(_, to)) => to.as_millis() == 0,
                _ => false,
            }
    };
    let is_alone = |i: usize| {
        let stream = places[i].1.events.stream;
        let mut others = places.iter().enumerate();
        !others.any(|(j, (_, other))| j != i && other.events.stream == stream)
    };
    places.iter().enumerate().all(|(i, (_, occurrence))| {
        is_simple(occurrence) && (is_alone(i) || ends_now(occurrence))
    })
}

struct Events<'e> {
    encoding: &'e mut Encoding,
    model: &'e Model,
    /// Whether there are such events.
    any: BTreeMap<EventSet, Lit>,
    /// Whether one of them has a property.
    has: BTreeMap<(FeatureIndex, EventSet), Lit>,
}

impl Events<'_> {
    fn state(&mut self, places: &[(u32, Occurrence)]) {
        for (axis, occurrence) in places {
            self.presence(*axis, occurrence);
        }
        for (i, (axis, inner)) in places.iter().enumerate() {
            for (j, (other, outer)) in places.iter().enumerate() {
                self.encoding.is_whole &=
                    self.model.history.is_compared(&inner.events, &outer.events);
                if i == j
                    || inner.events.stream != outer.events.stream
                    || self.model.axes[*axis as usize].role
                        != self.model.axes[*other as usize].role
                    || !self.model.history.is_within(&inner.events, &outer.events)
                {
                    continue;
                }
                if is_at_most(inner, outer) {
                    self.at_most(*axis, *other);
                }
                if is_at_most_inner(outer, inner) {
                    self.at_most(*other, *axis);
                }
            }
        }
        self.nested();
    }

    fn any(&mut self, events: EventSet) -> Lit {
        if let Some(&lit) = self.any.get(&events) {
            return lit;
        }
        let lit = self.encoding.solver.var();
        if self.model.history.is_empty(&events) {
            self.encoding.solver.clause(&[!lit]);
        }
        self.any.insert(events, lit);
        lit
    }

    fn has(&mut self, occurrence: &Occurrence) -> Lit {
        let any = self.any(occurrence.events);
        let Some(property) = occurrence.property else { return any };
        let known = self.has.get(&(property, occurrence.events));
        known.copied().unwrap_or_else(|| {
            let lit = self.encoding.solver.var();
            self.encoding.implies(lit, any);
            self.has.insert((property, occurrence.events), lit);
            lit
        })
    }

    /// What an aggregate says about whether there are events.
    fn presence(&mut self, axis: u32, occurrence: &Occurrence) {
        let model = self.model;
        let has = self.has(occurrence);
        let there = match occurrence.summary {
            Summary::Count | Summary::ActiveDays | Summary::Distinct => one(model, axis),
            Summary::Sum => return self.sum(axis, has),
            _ => 1,
        };
        let there = self.encoding.cut(model, axis, there);
        self.encoding.implies(there, has);
        // The first and the last event may lack the property that others have.
        if !matches!(occurrence.summary, Summary::First | Summary::Last) {
            self.encoding.implies(has, there);
        }
    }

    /// The sum of nothing is 0.
    fn sum(&mut self, axis: u32, has: Lit) {
        let starts = &self.model.axes[axis as usize].starts;
        let cuts: Vec<(f64, Lit)> = self
            .encoding
            .cuts
            .range((axis, 2)..(axis + 1, 0))
            .map(|(&(_, k), &lit)| (starts[k as usize - 2], lit))
            .collect();
        for (start, cut) in cuts {
            let zero = if start > 0.0 { !cut } else { cut };
            self.encoding.solver.clause(&[has, zero]);
        }
    }

    /// Where both are there, the first is at most the second.
    fn at_most(&mut self, less: u32, more: u32) {
        let cuts_of = |axis: u32| -> Vec<(f64, Lit)> {
            let starts = &self.model.axes[axis as usize].starts;
            let cuts = self.encoding.cuts.range((axis, 2)..(axis + 1, 0));
            cuts.map(|(&(_, k), &lit)| (starts[k as usize - 2], lit)).collect()
        };
        let (less, higher) = (cuts_of(less), cuts_of(more));
        let there = self.encoding.cut(self.model, more, 1);
        for (start, cut) in less {
            let below = higher.partition_point(|&(other, _)| other <= start);
            if let Some((_, reached)) = below.checked_sub(1).map(|at| higher[at]) {
                self.encoding.solver.clause(&[!cut, !there, reached]);
            }
        }
    }

    /// Where there are events, there are events of which they are a part.
    fn nested(&mut self) {
        let history = &self.model.history;
        for (a, &inner) in &self.any {
            for (b, &outer) in &self.any {
                if a != b && history.is_within(a, b) {
                    self.encoding.implies(inner, outer);
                }
            }
        }
        for ((p, a), &inner) in &self.has {
            for ((q, b), &outer) in &self.has {
                if p == q && a != b && history.is_within(a, b) {
                    self.encoding.implies(inner, outer);
                }
            }
        }
    }
}
