//! What tells books apart that keep other things, or have other rules.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Inner;
use super::grid::Granularity;
use super::plan::{Content, Keyed, StreamPlan};
use crate::data::{DAY, Date, FeatureIndex, FeatureSpec, StreamSpec};
use crate::fnv::Fnv;
use crate::rules::window::Bounds;

/// A hash of a description of the rules, and of what is kept.
pub(super) fn rules(inner: &Inner) -> u64 {
    let mut hash = Fnv::new();
    // A hash takes all that is written to it, here and below.
    let _ = write!(hash, "layout {:x}", inner.layout);
    for (segment, rule) in inner.set.segments.iter().zip(inner.set.rules.iter()) {
        let _ = write!(hash, "\nsegment {:?} {}", segment.id.as_str(), rule.rule);
    }
    let _ = write!(hash, "\nrest {}", inner.set.has_rest());
    for score in inner.set.scores.iter() {
        // Numbers that are not finite were refused.
        let points = serde_json::to_string(&score.points).unwrap_or_default();
        let _ = write!(hash, "\nscore {:?} {points}", score.id);
    }
    hash.finish()
}

/// A hash of a description of all that decides what is kept of a customer, and how.
///
/// The description is in words of its own, since saved customers outlive releases: names of
/// types that are changed must not change it.
pub(super) fn layout(inner: &Inner, granularity: Granularity) -> u64 {
    let mut hash = Fnv::new();
    let zone = &inner.clock.grid.zone;
    let _ = match granularity {
        Granularity::Day => write!(hash, "days"),
        Granularity::Every(span) => write!(hash, "steps {}", span.as_millis()),
    };
    let week_start = inner.clock.moment.get_week_start() as u8;
    let _ = write!(hash, " week {week_start} zone");
    // Zones are told apart by their days of 2023 to 2026.
    for day in (19_358..20_819).map(Date::of_checked) {
        let late =
            i64::from(day.days_since_epoch()) * DAY - zone.start_of(day).as_millis();
        hash.feed(&late.to_le_bytes());
    }
    let schema = &inner.set.schema;
    for spec in inner.plan.features.iter().filter_map(|(at, _)| schema.get(*at)) {
        let _ = write!(hash, "\nfeature ");
        describe(&mut hash, spec);
    }
    for slot in &inner.plan.slots.all {
        let _ = write!(hash, "\ncomputed {}", slot.description);
    }
    for plan in &inner.plan.streams {
        if let Some(spec) = schema.streams().get(plan.stream.get()) {
            stream(&mut hash, inner, plan, spec);
        }
    }
    hash.finish()
}

fn describe(hash: &mut Fnv, spec: &FeatureSpec) {
    let _ = write!(hash, "{:?} {} ", spec.name(), spec.kind().name());
    let mut levels: Vec<&String> = spec.get_levels().iter().collect();
    levels.sort_unstable();
    for level in levels {
        let _ = write!(hash, "{level:?},");
    }
}

fn stream(hash: &mut Fnv, inner: &Inner, plan: &StreamPlan, spec: &StreamSpec) {
    let _ = write!(hash, "\nstream {:?}", spec.name());
    for filter in &plan.filters {
        let rule = filter.rule.as_ref().map(|rule| rule.rule.to_string());
        let _ = write!(hash, "\nwhere {}", rule.as_deref().unwrap_or("all"));
    }
    let property = |hash: &mut Fnv, at: Option<&FeatureIndex>| {
        if let Some(spec) = at.and_then(|at| spec.properties().get(at.get())) {
            describe(hash, spec);
        }
    };
    for (name, part) in [("moving", &plan.moving), ("fixed", &plan.fixed)] {
        for column in &part.columns {
            let (content, of) = word(&column.content);
            let _ = write!(hash, "\n{name} {content} of {} ", column.filter);
            property(hash, of);
        }
        for keyed in &part.sets {
            let _ = write!(hash, "\n{name} different ");
            match keyed {
                Keyed::Day => hash.feed(b"days"),
                Keyed::Property(of, _) => property(hash, Some(of)),
            }
        }
    }
    for stretch in &plan.stretches {
        let _ = write!(hash, "\nfrom {} to {}", stretch.start, stretch.end);
    }
    // How far back windows reach: the longest of each sort.
    let mut reach = BTreeMap::new();
    for window in &plan.windows {
        let (unit, length) = match window.bounds {
            Bounds::Ago(from, _) => ("ms", from.as_millis()),
            Bounds::Calendar(n, unit, _) => (unit.name(), n.into()),
            Bounds::Between(..) => {
                // Kept by step, from when it begins.
                let start = window.bounds.whole(&inner.clock.moment).start;
                let _ = write!(hash, "\nsteps from {start}");
                continue;
            }
            Bounds::Ever => continue,
        };
        let longest = reach.entry(unit).or_insert(0);
        *longest = length.max(*longest);
    }
    for (unit, length) in reach {
        let _ = write!(hash, "\nreach {length} {unit}");
    }
}

/// A column's content in a word, and its property.
fn word(content: &Content) -> (&'static str, Option<&FeatureIndex>) {
    match content {
        Content::Count => ("count", None),
        Content::Numbers(of) => ("numbers", Some(of)),
        Content::Sum(of) => ("sum", Some(of)),
        Content::Least(of, _) => ("least", Some(of)),
        Content::Most(of, _) => ("most", Some(of)),
        Content::First(of, _) => ("first", Some(of)),
        Content::Last(of, _) => ("last", Some(of)),
        Content::FirstTick => ("first step", None),
        Content::LastTick => ("last step", None),
    }
}
