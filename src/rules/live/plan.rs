//! What must be kept of events, and which rules ask about it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::code::Kind;
use super::program::Program;
use super::slots::{self, Slots};
use super::watch::{Ends, Watch};
use crate::data::{FeatureIndex, Moment, StreamIndex};
use crate::rules::behaviour::{Behaviour, Property, Summary, aggregates};
use crate::rules::compile::Compiled;
use crate::rules::decay::Decay;
use crate::rules::leaf::Source;
use crate::rules::set::CompiledSet;
use crate::rules::window::Bounds;

/// What is kept of each customer.
#[derive(Debug)]
pub(super) struct Plan {
    /// Of those streams that rules ask about, in order.
    pub(super) streams: Vec<StreamPlan>,
    /// For each stream of the schema, its place among those.
    pub(super) stream_places: Vec<Option<usize>>,
    /// By their places.
    pub(super) aggregates: Vec<AggregatePlan>,
    /// The aggregates that are read together.
    pub(super) groups: Vec<Group>,
    /// What numbers of the aggregates are compared with.
    pub(super) ends: Ends,
    /// Of each rule.
    pub(super) programs: Vec<Program>,
    /// Of each rule those of the parts of its scores.
    pub(super) of_scores: Vec<Vec<Vec<Program>>>,
    /// Of all windows of rules those that move.
    pub(super) windows: Vec<Option<Bounds>>,
    /// The features that rules ask about.
    pub(super) features: Vec<(FeatureIndex, Watch)>,
    /// What else is computed.
    pub(super) slots: Slots,
    /// For each feature of the schema, its place among those.
    pub(super) feature_places: Vec<Option<usize>>,
    /// Tests by the distance from today: rules, and places among their tests.
    pub(super) days: Vec<(u32, u32)>,
    /// For each rule, how many rules are asked before it.
    pub(super) ranks: Vec<u32>,
    /// For each rule, those that refer to it.
    pub(super) dependants: Vec<Vec<u32>>,
}

#[derive(Debug)]
pub(super) struct StreamPlan {
    pub(super) stream: StreamIndex,
    pub(super) filters: Vec<Filter>,
    /// What is kept by step.
    pub(super) moving: Part,
    /// What is kept by window.
    pub(super) fixed: Part,
    /// The windows that do not move, in milliseconds.
    pub(super) stretches: Vec<Range<i64>>,
    /// The windows that move.
    pub(super) windows: Vec<Moving>,
    /// What is worth less with its age: a window, the column of the count, and how.
    pub(super) decays: Vec<(usize, usize, Decay)>,
}

/// The columns of a ring, and the sets beside it.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) columns: Vec<Column>,
    pub(super) sets: Vec<Keyed>,
}

/// What a set tells apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Keyed {
    Property(FeatureIndex, Kind),
    Day,
}

/// A column: which events of a step or window it is about, and what of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) filter: usize,
    pub(super) content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// How many there are.
    Count,
    /// How many have the property.
    Numbers(FeatureIndex),
    Sum(FeatureIndex),
    Least(FeatureIndex, Kind),
    Most(FeatureIndex, Kind),
    First(FeatureIndex, Kind),
    Last(FeatureIndex, Kind),
    /// The first step, of a window that does not move.
    FirstTick,
    LastTick,
}

#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Nothing for all events.
    pub(super) rule: Option<Arc<Compiled>>,
    /// What is kept of the events that pass: columns, numbered as in the ring, and sets.
    pub(super) moving: Kept,
    pub(super) fixed: Kept,
    /// The aggregates of the events that pass.
    aggregates: Vec<u32>,
    /// Their place among the groups of the plan.
    pub(super) group: usize,
}

/// The aggregates of the events that pass one filter.
#[derive(Debug)]
pub(super) struct Group {
    /// Place among the streams of the plan.
    pub(super) stream: usize,
    /// Columns of counts and of sums.
    pub(super) columns: Vec<ColumnReads>,
    pub(super) others: Vec<u32>,
    /// All of them.
    pub(super) places: Vec<u32>,
}

/// What is read off a column of counts or of sums.
#[derive(Debug)]
pub(super) struct ColumnReads {
    /// Whether it is that of windows that do not move.
    pub(super) is_fixed: bool,
    pub(super) column: usize,
    pub(super) is_sum: bool,
    pub(super) reads: Vec<Read>,
}

/// An aggregate over the rows of a window, by its place among those of the stream that move,
/// or do not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) window: u32,
    pub(super) place: u32,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) columns: Vec<usize>,
    /// Those of them that hold the first and last steps.
    pub(super) first: Option<usize>,
    pub(super) last: Option<usize>,
    pub(super) sets: Vec<usize>,
}

/// A window that moves.
#[derive(Debug)]
pub(super) struct Moving {
    /// Place among the windows of all rules.
    pub(super) place: usize,
    pub(super) bounds: Bounds,
}

/// How an aggregate is read off, and who asks about it.
#[derive(Debug)]
pub(super) struct AggregatePlan {
    place: u32,
    pub(super) group: usize,
    /// Place among the streams of the plan.
    pub(super) stream: usize,
    pub(super) over: Over,
    pub(super) formula: Formula,
    pub(super) kind: Kind,
    pub(super) watch: Watch,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Over {
    /// The window at this place among those of the stream.
    Moving(usize),
    /// The row of a window that does not move.
    Fixed(usize),
}

/// Columns are numbered as in the ring, with that of the ticks before them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Formula {
    Count(usize),
    Sum(usize),
    /// A sum, and by how many it is divided.
    Average(usize, usize),
    Least(usize),
    Most(usize),
    First(usize),
    Last(usize),
    /// Of the step in a cell.
    DayOf(usize),
    /// Of the steps that have events.
    FirstDay(usize),
    LastDay(usize),
    ActiveDays(usize),
    /// How many different values a set has.
    Distinct(usize),
    /// A count in which those of a step are worth less with its age.
    Decayed(usize, Decay),
}

impl Part {
    /// A column, by its number in the ring.
    pub(super) fn column(&self, number: usize) -> &Column {
        &self.columns[number - 1]
    }

    /// Which columns hold sums.
    pub(super) fn sums(&self) -> Vec<bool> {
        let is_sum = |column: &Column| matches!(column.content, Content::Sum(_));
        self.columns.iter().map(is_sum).collect()
    }
}

/// Where new columns and sets go.
struct Keeper<'p> {
    part: &'p mut Part,
    kept: &'p mut Kept,
    filter: usize,
}

impl Keeper<'_> {
    /// The number of a column, which is added if there is none.
    fn column(&mut self, content: Content) -> usize {
        let column = Column { filter: self.filter, content };
        let known = self.kept.columns.iter().copied();
        let known = known.into_iter().find(|&at| *self.part.column(at) == column);
        known.unwrap_or_else(|| {
            self.part.columns.push(column);
            self.kept.columns.push(self.part.columns.len());
            self.part.columns.len()
        })
    }

    /// The column of the first or of the last step.
    fn tick(&mut self, summary: Summary) -> usize {
        let is_first = matches!(summary, Summary::First | Summary::FirstDay);
        let content = if is_first { Content::FirstTick } else { Content::LastTick };
        let column = self.column(content);
        let place = if is_first { &mut self.kept.first } else { &mut self.kept.last };
        *place = Some(column);
        column
    }

    fn set(&mut self, keyed: Keyed) -> usize {
        let known = self.kept.sets.iter().copied();
        let known = known.into_iter().find(|&at| self.part.sets[at] == keyed);
        known.unwrap_or_else(|| {
            self.part.sets.push(keyed);
            self.kept.sets.push(self.part.sets.len() - 1);
            self.part.sets.len() - 1
        })
    }
}

impl StreamPlan {
    fn new(stream: StreamIndex) -> StreamPlan {
        StreamPlan {
            stream,
            filters: Vec::new(),
            moving: Part::default(),
            fixed: Part::default(),
            stretches: Vec::new(),
            windows: Vec::new(),
            decays: Vec::new(),
        }
    }

    /// How an aggregate is read off what is kept, where that is stated here.
    fn formula(
        &mut self,
        behaviour: &Behaviour,
        filter: usize,
        is_fixed: bool,
    ) -> Formula {
        let (part, kept) = if is_fixed {
            (&mut self.fixed, &mut self.filters[filter].fixed)
        } else {
            (&mut self.moving, &mut self.filters[filter].moving)
        };
        let mut keeper = Keeper { part, kept, filter };
        let kinded = |property: &Property| (property.feature, Kind::of(property));
        match (behaviour.summary, &behaviour.property) {
            (Summary::FirstDay | Summary::LastDay, _) if is_fixed => {
                Formula::DayOf(keeper.tick(behaviour.summary))
            }
            (Summary::ActiveDays, _) if is_fixed => {
                Formula::Distinct(keeper.set(Keyed::Day))
            }
            (Summary::FirstDay, _) => Formula::FirstDay(keeper.column(Content::Count)),
            (Summary::LastDay, _) => Formula::LastDay(keeper.column(Content::Count)),
            (Summary::ActiveDays, _) => {
                Formula::ActiveDays(keeper.column(Content::Count))
            }
            (Summary::Decayed(decay), _) => {
                Formula::Decayed(keeper.column(Content::Count), decay)
            }
            (Summary::Count, _) | (_, None) => {
                Formula::Count(keeper.column(Content::Count))
            }
            (Summary::Sum, Some(p)) => {
                Formula::Sum(keeper.column(Content::Sum(p.feature)))
            }
            (Summary::Average, Some(p)) => {
                let sum = keeper.column(Content::Sum(p.feature));
                Formula::Average(sum, keeper.column(Content::Numbers(p.feature)))
            }
            (Summary::Min, Some(p)) => {
                let (property, kind) = kinded(p);
                Formula::Least(keeper.column(Content::Least(property, kind)))
            }
            (Summary::Max, Some(p)) => {
                let (property, kind) = kinded(p);
                Formula::Most(keeper.column(Content::Most(property, kind)))
            }
            (Summary::First, Some(p)) => {
                if is_fixed {
                    keeper.tick(Summary::First);
                }
                let (property, kind) = kinded(p);
                Formula::First(keeper.column(Content::First(property, kind)))
            }
            (Summary::Last, Some(p)) => {
                if is_fixed {
                    keeper.tick(Summary::Last);
                }
                let (property, kind) = kinded(p);
                Formula::Last(keeper.column(Content::Last(property, kind)))
            }
            (Summary::Distinct, Some(p)) => {
                let (property, kind) = kinded(p);
                Formula::Distinct(keeper.set(Keyed::Property(property, kind)))
            }
        }
    }
}

/// What streams have already, by their places: filters as they are written, windows that
/// move by their places among those of all rules, and others by their ends.
#[derive(Default)]
struct Known {
    filters: BTreeMap<(usize, Option<String>), usize>,
    windows: BTreeMap<(usize, usize), usize>,
    stretches: BTreeMap<(usize, i64, i64), usize>,
}

/// What aggregates are sorted by: stream, filter, property, what is made of it, window.
type Key<'a> = (StreamIndex, Option<String>, Option<&'a str>, Summary, &'a Bounds);

fn key<'a>(set: &'a CompiledSet, behaviour: &'a Behaviour) -> Key<'a> {
    let filter = behaviour.filter.as_ref().map(|filter| filter.rule.to_string());
    let property = behaviour.property.as_ref().map(|property| property.spec.name());
    let window = &set.windows[behaviour.window as usize];
    (behaviour.stream, filter, property, behaviour.summary, window)
}

fn of_scores(rule: &Compiled) -> Vec<Vec<Program>> {
    rule.scores.iter().map(|score| Program::of_parts(rule, score)).collect()
}

/// The kind of an aggregate's value.
fn kind(behaviour: &Behaviour) -> Kind {
    match (behaviour.summary, &behaviour.property) {
        (Summary::FirstDay | Summary::LastDay, _) => Kind::Date,
        (Summary::Min | Summary::Max | Summary::First | Summary::Last, Some(p)) => {
            Kind::of(p)
        }
        _ => Kind::Number,
    }
}

impl Plan {
    /// Who tests what is kept at a place among the attributes of a customer.
    pub(super) fn watch_of(&self, attribute: usize) -> &Watch {
        match attribute.checked_sub(self.features.len()) {
            None => &self.features[attribute].1,
            Some(slot) => &self.slots.all[slot].watch,
        }
    }

    /// `moment` says which days there are; its instant does not matter.
    pub(super) fn new(set: &CompiledSet, moment: &Moment) -> Plan {
        // By name, here and below: whatever the order of the schema and of the rules, the same
        // is kept in the same places.
        let mut streams: BTreeMap<&str, StreamPlan> = BTreeMap::new();
        for stream in aggregates(&set.rules).map(|behaviour| behaviour.stream) {
            if let Some(spec) = set.schema.streams().get(stream.get()) {
                streams.entry(spec.name()).or_insert_with(|| StreamPlan::new(stream));
            }
        }
        let mut plan = Plan {
            streams: streams.into_values().collect(),
            stream_places: vec![None; set.schema.streams().len()],
            aggregates: Vec::new(),
            groups: Vec::new(),
            ends: Ends::default(),
            programs: set.rules.iter().map(Program::new).collect(),
            of_scores: set.rules.iter().map(of_scores).collect(),
            windows: vec![None; set.windows.len()],
            features: Vec::new(),
            slots: Slots::new(set),
            feature_places: vec![None; set.schema.len()],
            days: Vec::new(),
            ranks: vec![0; set.rules.len()],
            dependants: vec![Vec::new(); set.rules.len()],
        };
        for (place, stream) in plan.streams.iter().enumerate() {
            plan.stream_places[stream.stream.get()] = Some(place);
        }
        let mut sorted: Vec<(Key<'_>, &Behaviour)> =
            aggregates(&set.rules).map(|b| (key(set, b), b)).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut known = Known::default();
        for (key, behaviour) in sorted {
            plan.keep(set, moment, &mut known, key.1, behaviour);
        }
        plan.aggregates.sort_by_key(|aggregate| aggregate.place);
        plan.group();
        let features = set.rules.iter().flat_map(|rule| rule.leaves.iter());
        let features = features.filter_map(|leaf| match leaf.source {
            Source::Feature(feature) => Some((set.schema.get(feature)?.name(), feature)),
            Source::Events(_) | Source::Computed(_) | Source::Score(_) => None,
        });
        let features = features.chain(slots::features(set, &set.schema));
        let features: BTreeMap<&str, FeatureIndex> = features.collect();
        for (place, feature) in features.into_values().enumerate() {
            plan.feature_places[feature.get()] = Some(place);
            plan.features.push((feature, Watch::default()));
        }
        for (rank, &rule) in set.order.iter().enumerate() {
            plan.ranks[rule as usize] = rank as u32;
        }
        for (i, rule) in set.rules.iter().enumerate() {
            plan.watch(i as u32, rule);
            for &other in &rule.segments {
                plan.dependants[other as usize].push(i as u32);
            }
        }
        let watches = plan.aggregates.iter_mut().map(|aggregate| &mut aggregate.watch);
        let of_features = plan.features.iter_mut().map(|(_, watch)| watch);
        let of_slots = plan.slots.all.iter_mut().map(|slot| &mut slot.watch);
        watches.chain(of_features).chain(of_slots).for_each(Watch::finish);
        plan.aggregates.iter().for_each(|aggregate| plan.ends.push(&aggregate.watch));
        plan
    }

    /// Sorts the aggregates of each filter by how they are read.
    fn group(&mut self) {
        for (at, stream) in self.streams.iter_mut().enumerate() {
            for filter in &mut stream.filters {
                let mut columns: BTreeMap<(bool, usize, bool), Vec<Read>> =
                    BTreeMap::new();
                let mut others = Vec::new();
                for &place in &filter.aggregates {
                    let aggregate = &mut self.aggregates[place as usize];
                    aggregate.group = self.groups.len();
                    let (column, is_sum) = match aggregate.formula {
                        Formula::Count(column) => (column, false),
                        Formula::Sum(column) => (column, true),
                        _ => {
                            others.push(place);
                            continue;
                        }
                    };
                    let (is_fixed, window) = match aggregate.over {
                        Over::Fixed(row) => (true, row as u32),
                        Over::Moving(window) => (false, window as u32),
                    };
                    let reads = columns.entry((is_fixed, column, is_sum)).or_default();
                    reads.push(Read { window, place });
                }
                filter.group = self.groups.len();
                let columns =
                    columns.into_iter().map(|((is_fixed, column, is_sum), reads)| {
                        ColumnReads { is_fixed, column, is_sum, reads }
                    });
                self.groups.push(Group {
                    stream: at,
                    columns: columns.collect(),
                    others,
                    places: filter.aggregates.clone(),
                });
            }
        }
    }

    /// Keeps what an aggregate needs.
    fn keep(
        &mut self,
        set: &CompiledSet,
        moment: &Moment,
        known: &mut Known,
        filter: Option<String>,
        behaviour: &Behaviour,
    ) {
        let Some(at) = self.stream_places[behaviour.stream.get()] else { return };
        let stream = &mut self.streams[at];
        let window = behaviour.window as usize;
        let filter = *known.filters.entry((at, filter)).or_insert_with(|| {
            let rule = behaviour.filter.clone();
            stream.filters.push(Filter { rule, ..Filter::default() });
            stream.filters.len() - 1
        });
        let place = behaviour.place;
        stream.filters[filter].aggregates.push(place);
        // What is worth less with its age is kept by step, whatever its window.
        let decays = matches!(behaviour.summary, Summary::Decayed(_));
        let over = match &set.windows[window] {
            bounds @ (Bounds::Ever | Bounds::Between(..)) if !decays => {
                let stretch = bounds.whole(moment);
                let key = (at, stretch.start, stretch.end);
                Over::Fixed(*known.stretches.entry(key).or_insert_with(|| {
                    stream.stretches.push(stretch);
                    stream.stretches.len() - 1
                }))
            }
            bounds => {
                let place = *known.windows.entry((at, window)).or_insert_with(|| {
                    let bounds = bounds.clone();
                    stream.windows.push(Moving { place: window, bounds });
                    stream.windows.len() - 1
                });
                self.windows[window] = Some(bounds.clone());
                Over::Moving(place)
            }
        };
        let formula = stream.formula(behaviour, filter, matches!(over, Over::Fixed(_)));
        if let (Formula::Decayed(column, decay), Over::Moving(window)) = (formula, over) {
            stream.decays.push((window, column, decay));
        }
        let (kind, watch) = (kind(behaviour), Watch::default());
        self.aggregates.push(AggregatePlan {
            place,
            group: 0,
            stream: at,
            over,
            formula,
            kind,
            watch,
        });
    }

    /// Notes who asks about what.
    fn watch(&mut self, at: u32, rule: &Compiled) {
        for (leaf, test) in rule.leaves.iter().enumerate() {
            let leaf = leaf as u32;
            if test.asks_today() {
                self.days.push((at, leaf));
            }
            let watch = match test.source {
                // Its parts are watched.
                Source::Score(_) => continue,
                Source::Events(behaviour) => {
                    let place = rule.behaviours[behaviour as usize].place;
                    &mut self.aggregates[place as usize].watch
                }
                Source::Feature(feature) => {
                    let Some(place) = self.feature_places[feature.get()] else {
                        continue;
                    };
                    &mut self.features[place].1
                }
                Source::Computed(at) => {
                    let place = rule.computed[at as usize].place as usize;
                    &mut self.slots.all[self.slots.places[place]].watch
                }
            };
            watch.add(at, leaf, test);
        }
    }
}
