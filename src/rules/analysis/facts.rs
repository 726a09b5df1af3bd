//! What is known of subjects together: a date and its distance from today, and aggregates
//! of one stream of events.

use std::collections::{BTreeMap, BTreeSet};

use super::encode::{Encoding, one};
use super::history::{EventSet, Occurrence, is_at_most, is_at_most_inner};
use super::model::Model;
use super::shape::Role;
use super::solver::Lit;
use crate::data::{FeatureIndex, StreamIndex};
use crate::rules::behaviour::Summary;
use crate::rules::window::Bounds;

/// Distances and days beyond which the ends of the calendar are near.
const FAR: f64 = 1e6;

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
    let mut n_of_stream: BTreeMap<StreamIndex, usize> = BTreeMap::new();
    for (_, occurrence) in places {
        *n_of_stream.entry(occurrence.events.stream).or_default() += 1;
    }
    places.iter().all(|(_, occurrence)| {
        let is_alone = n_of_stream.get(&occurrence.events.stream) == Some(&1);
        is_simple(occurrence) && (is_alone || ends_now(occurrence))
    })
}

/// An aggregate that is asked about.
struct Aggregate {
    axis: u32,
    occurrence: Occurrence,
    /// From which numbers on which cuts hold, ascending.
    cuts: Vec<(f64, Lit)>,
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
        let model = self.model;
        let mut families: BTreeMap<(StreamIndex, Role), Vec<Aggregate>> = BTreeMap::new();
        for &(axis, occurrence) in places {
            let starts = &model.axes[axis as usize].starts;
            let cuts = self.encoding.cuts.range((axis, 2)..(axis + 1, 0));
            // Those of names have no numbers.
            let cuts = cuts
                .filter_map(|(&(_, k), &lit)| Some((*starts.get(k as usize - 2)?, lit)));
            let aggregate = Aggregate { axis, occurrence, cuts: cuts.collect() };
            let family = (occurrence.events.stream, model.axes[axis as usize].role);
            families.entry(family).or_default().push(aggregate);
        }
        for family in families.into_values() {
            for (i, a) in family.iter().enumerate() {
                for b in &family[..i] {
                    if !self.encoding.may_compare(1) {
                        return;
                    }
                    let [of_a, of_b] = [a, b].map(|of| &of.occurrence.events);
                    self.encoding.is_whole &= model.history.is_compared(of_a, of_b);
                    if !self.compare(a, b) || !self.compare(b, a) {
                        return;
                    }
                }
            }
        }
        self.nested();
    }

    /// What is known if the events of the one are among those of the other. Whether there was
    /// time for it.
    fn compare(&mut self, a: &Aggregate, b: &Aggregate) -> bool {
        let (inner, outer) = (&a.occurrence, &b.occurrence);
        if !self.model.history.is_within(&inner.events, &outer.events) {
            return true;
        }
        (!is_at_most(inner, outer) || self.at_most(a, b))
            && (!is_at_most_inner(outer, inner) || self.at_most(b, a))
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

    /// Where both are there, the first is at most the second. Whether there was time to say so.
    fn at_most(&mut self, less: &Aggregate, more: &Aggregate) -> bool {
        if !self.encoding.may_compare(less.cuts.len() as u64) {
            return false;
        }
        let there = self.encoding.cut(self.model, more.axis, 1);
        for &(start, cut) in &less.cuts {
            let below = more.cuts.partition_point(|&(other, _)| other <= start);
            if let Some((_, reached)) = below.checked_sub(1).map(|at| more.cuts[at]) {
                self.encoding.solver.clause(&[!cut, !there, reached]);
            }
        }
        true
    }

    /// Where there are events, there are events of which they are a part.
    fn nested(&mut self) {
        let history = &self.model.history;
        type Known = Vec<(EventSet, Lit)>;
        let mut families: BTreeMap<(Option<FeatureIndex>, StreamIndex), Known> =
            BTreeMap::new();
        let any = self.any.iter().map(|(&events, &lit)| (None, events, lit));
        let has = self.has.iter();
        let has = has.map(|(&(property, events), &lit)| (Some(property), events, lit));
        for (property, events, lit) in any.chain(has) {
            let family = families.entry((property, events.stream)).or_default();
            family.push((events, lit));
        }
        for family in families.values() {
            for (i, (a, of_a)) in family.iter().enumerate() {
                for (b, of_b) in &family[..i] {
                    if !self.encoding.may_compare(1) {
                        return;
                    }
                    if history.is_within(a, b) {
                        self.encoding.implies(*of_a, *of_b);
                    }
                    if history.is_within(b, a) {
                        self.encoding.implies(*of_b, *of_a);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Schema, StreamSpec};
    use crate::rules::{AnalysisLimits, Rule, RuleBook, RuleSet};

    /// Counts of events in so many windows.
    fn counts(n: usize, window: impl Fn(usize) -> String) -> RuleBook {
        let schema = Schema::builder().stream(StreamSpec::new("e", [])).build().unwrap();
        let counts = (1..=n).map(|i| format!("events(e).count {} >= {i}", window(i)));
        let parts = counts.map(|text| text.parse().unwrap()).collect();
        let set = RuleSet::new().segment("all", "All", Rule::All(parts));
        set.compile_book(&schema).unwrap()
    }

    /// Each within the next.
    fn nested(n: usize) -> RuleBook {
        counts(n, |i| format!("in last {i}d"))
    }

    /// Steps for the clauses about all terms, and whether they say all.
    fn steps(book: &RuleBook, most: u64) -> (u64, bool) {
        let set = book.compiled();
        let rules: Vec<_> = set.rules.iter().collect();
        let model = Model::new(&rules, &set.order, &set.windows, [0, most]);
        let encoding = Encoding::new(&model, &[model.rules[0].answers.holds]);
        (encoding.solver.steps(), encoding.is_whole)
    }

    #[test]
    fn comparisons_of_aggregates_are_counted_and_end() {
        let [few, many] = [nested(100), nested(900)];
        let (whole, is_whole) = steps(&few, u64::MAX);
        assert!(is_whole && whole > 100 * 99, "{whole}");
        assert_eq!(steps(&few, 100 * 100 * 2), (whole, true));
        let alone = [&few, &many].map(|book| steps(book, 0));
        assert!(!alone[0].1 && !alone[1].1);
        // What does not depend on pairs grows with the number of aggregates only.
        assert!(alone[1].0 < 10 * alone[0].0, "{alone:?}");
        for most in [1000, 20_000, 100_000] {
            let (steps, is_whole) = steps(&many, most);
            // Each comparison states few clauses, of three literals at most.
            assert!(!is_whole && steps <= alone[1].0 + 6 * most, "{most}: {steps}");
        }
        // Those that say nothing are work, too: no two of these windows meet.
        let apart = counts(100, |i| format!("from {}d to {}d ago", 2 * i, 2 * i - 1));
        let [all, none] = [u64::MAX, 0].map(|most| steps(&apart, most).0);
        assert_eq!(all - none, 2 * (100 * 99 / 2));
        let limits = AnalysisLimits::new().question(100).total(10_000);
        let analysis = many.analyse_with(&limits);
        assert!(analysis.findings().is_empty() && !analysis.undecided().is_empty());
    }
}
