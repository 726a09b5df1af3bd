//! Which aggregates of events rules ask about, each once, and how they are found.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::computed::Computations;
use super::fixed::Fixed;
use super::lower::{Columns, Lowered, Placed, Posed, lower};
use super::program::Program;
use super::scores::{amounts, scores};
use crate::data::{
    Column, Date, FeatureIndex, FeatureKind, Flags, Levels, Moment, SchemaMap, Stream,
    StreamIndex, Table, Validity,
};
use crate::rules::behaviour::{Behaviour, Summary, aggregates};
use crate::rules::compile::Compiled;
use crate::rules::computed::computed;
use crate::rules::leaf::Source;
use crate::rules::window::Bound;

/// The aggregates that rules ask about, each once.
#[derive(Debug)]
pub(super) struct Plan<'t> {
    pub(super) streams: Vec<StreamPlan<'t>>,
    /// What else is computed.
    pub(super) computed: Computations<'t>,
    /// For each aggregate, and then for all else, its kind, its levels, and whether it can be
    /// missing.
    pub(super) columns: Vec<Column<'t>>,
    /// How many of these columns are there before scores are computed.
    pub(super) n_filled: usize,
    /// The aggregates whose numbers scores need, by their places.
    pub(super) amounts: Vec<usize>,
}

/// The aggregates of one stream.
#[derive(Debug)]
pub(super) struct StreamPlan<'t> {
    pub(super) stream: &'t Stream<'t>,
    pub(super) moment: Moment,
    /// The ends of all windows, ascending.
    pub(super) instants: Vec<i64>,
    pub(super) filters: Filters,
    /// The numbers that are added up.
    pub(super) added: Vec<Added>,
    pub(super) groups: Vec<Group>,
}

/// Which events pass which filters.
#[derive(Debug)]
pub(super) struct Filters {
    pub(super) lowered: Lowered,
    pub(super) program: Program,
    pub(super) n: usize,
}

/// A property that is added up.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) property: FeatureIndex,
    pub(super) fixed: Fixed,
}

/// The aggregates of the events that pass one filter, or of all events.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) filter: Option<usize>,
    pub(super) counts: Vec<Aggregate>,
    /// For each number that is added up.
    pub(super) sums: Vec<Vec<Aggregate>>,
    pub(super) others: Vec<Aggregate>,
}

/// One aggregate, over the events between two instants.
#[derive(Debug)]
pub(super) struct Aggregate {
    /// Place among the columns of the plan.
    pub(super) place: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) behaviour: Behaviour,
}

impl<'t> Plan<'t> {
    /// Nothing where rules must be asked row by row.
    pub(super) fn new(
        rules: &[Compiled],
        bound: Option<&Bound>,
        table: &'t Table<'t>,
        map: Option<&SchemaMap>,
    ) -> Option<Plan<'t>> {
        let mut streams = Vec::new();
        let mut by_stream: BTreeMap<StreamIndex, Vec<(usize, &Behaviour)>> =
            BTreeMap::new();
        let mut n = 0;
        for behaviour in aggregates(rules) {
            by_stream.entry(behaviour.stream).or_default().push((n, behaviour));
            n += 1;
        }
        let scores = scores(rules);
        let n_computed = computed(rules.iter().map(|rule| &*rule.computed)).count();
        // The memory of a block grows with them, however few its rows.
        if n + n_computed + scores.len() > 1000.max(8 * table.len()) {
            return None;
        }
        let mut columns: Vec<Option<Column<'t>>> = vec![None; n];
        for (stream, aggregates) in by_stream {
            let place = map.map_or(Some(stream), |map| map.stream(stream))?;
            let stream = table.stream(place)?;
            for &(place, behaviour) in &aggregates {
                columns[place] = Some(prototype(behaviour, stream)?);
            }
            streams.push(StreamPlan::new(stream, bound?, &aggregates)?);
        }
        let mut columns = columns.into_iter().collect::<Option<Vec<_>>>()?;
        let computed = Computations::new(rules, bound, table, map, n, &mut columns)?;
        let n_filled = columns.len();
        let none: &'static [f64] = &[];
        let score = || Column::Number(none.into(), Validity::All);
        columns.extend(scores.iter().map(|_| score()));
        let amounts = amounts(&scores);
        Some(Plan { streams, computed, columns, n_filled, amounts })
    }
}

/// A column of the kind of an aggregate, without values.
fn prototype<'t>(behaviour: &Behaviour, stream: &'t Stream<'t>) -> Option<Column<'t>> {
    let validity = if behaviour.summary.may_be_missing() {
        Validity::Mask(Cow::Borrowed(&[]))
    } else {
        Validity::All
    };
    let property = match &behaviour.property {
        Some(property) => {
            let column = stream.columns.get(property.feature.get())?;
            if let (Some(known), Column::Category(_, levels, _)) =
                (&property.levels, column)
            {
                // Whether that is an error depends on the row.
                levels.iter().all(|l| known.position(l).is_some()).then_some(())?;
            }
            Some(column)
        }
        None => None,
    };
    Some(match (behaviour.spec.kind(), property) {
        (FeatureKind::Number, _) => {
            let none: &'static [f64] = &[];
            Column::Number(none.into(), validity)
        }
        (FeatureKind::Date, _) => Column::Date(Cow::Borrowed(&[]), validity),
        (FeatureKind::Flag, _) => {
            Column::Flag(Flags::Bools(Cow::Borrowed(&[])), validity)
        }
        (_, Some(Column::Category(_, levels, _))) => {
            Column::Category(Cow::Borrowed(&[]), borrowed(levels), validity)
        }
        _ => return None,
    })
}

pub(super) fn borrowed<'a>(levels: &'a Levels<'_>) -> Levels<'a> {
    match levels {
        Levels::Strs(names) => Levels::Strs(names),
        Levels::Strings(names) => Levels::Strings(Cow::Borrowed(names)),
    }
}

impl<'t> StreamPlan<'t> {
    fn new(
        stream: &'t Stream<'t>,
        bound: &Bound,
        aggregates: &[(usize, &Behaviour)],
    ) -> Option<StreamPlan<'t>> {
        let range = |behaviour: &Behaviour| bound.events(behaviour.window);
        let mut instants: Vec<i64> = aggregates
            .iter()
            .flat_map(|(_, behaviour)| [range(behaviour).start, range(behaviour).end])
            .collect();
        instants.sort_unstable();
        instants.dedup();
        let instant = |at: i64| instants.partition_point(|&instant| instant < at);
        // Places in a block have 31 bits.
        i32::try_from(stream.times.len()).ok()?;
        let longest = stream.offsets.windows(2).map(|pair| pair[1] - pair[0]).max();
        let mut filters: Vec<&Compiled> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut groups: BTreeMap<Option<usize>, Group> = BTreeMap::new();
        let mut added = Vec::new();
        let mut places: BTreeMap<FeatureIndex, Option<usize>> = BTreeMap::new();
        for &(place, behaviour) in aggregates {
            let filter = behaviour.filter.as_ref().map(|rule| {
                *known.entry(rule.rule.to_string()).or_insert_with(|| {
                    filters.push(rule);
                    filters.len() - 1
                })
            });
            let group = groups
                .entry(filter)
                .or_insert_with(|| Group { filter, ..Group::default() });
            let aggregate = Aggregate {
                place,
                from: instant(range(behaviour).start),
                to: instant(range(behaviour).end),
                behaviour: behaviour.clone(),
            };
            let at = match (behaviour.summary, &behaviour.property) {
                (Summary::Sum, Some(property)) => {
                    let property = property.feature;
                    let column = stream.columns.get(property.get())?;
                    *places.entry(property).or_insert_with(|| {
                        let fixed = Fixed::new(column, longest.unwrap_or(0))?;
                        added.push(Added { property, fixed });
                        Some(added.len() - 1)
                    })
                }
                _ => None,
            };
            match (behaviour.summary, at) {
                (Summary::Count, _) => group.counts.push(aggregate),
                (_, None) => group.others.push(aggregate),
                (_, Some(at)) => {
                    group.sums.resize_with(group.sums.len().max(at + 1), Vec::new);
                    group.sums[at].push(aggregate);
                }
            }
        }
        let moment = bound.moment.clone();
        let filters = Filters::new(&filters, stream, bound.today)?;
        let groups = groups.into_values().collect();
        Some(StreamPlan { stream, moment, instants, filters, added, groups })
    }
}

impl Filters {
    pub(super) fn new(
        rules: &[&Compiled],
        stream: &Stream<'_>,
        today: Date,
    ) -> Option<Filters> {
        let placed: Vec<_> = rules
            .iter()
            .map(|rule| {
                let tests = rule.leaves.iter().map(|leaf| {
                    let Source::Feature(property) = leaf.source else { return None };
                    Some(Placed { column: property.get(), leaf })
                });
                let tests = tests.collect::<Option<Vec<_>>>()?;
                Some(Posed { rule: &rule.rule, tests, segments: &[] })
            })
            .collect::<Option<_>>()?;
        let order: Vec<u32> = (0..rules.len() as u32).collect();
        let lowered = lower(&placed, &order, columns_of(stream), today)?;
        let holds: Vec<_> = lowered.answers.iter().map(|a| a.holds).collect();
        let program = Program::new(&lowered.graph, &holds);
        Some(Filters { lowered, program, n: rules.len() })
    }
}

pub(super) fn columns_of<'a>(stream: &'a Stream<'_>) -> Columns<'a> {
    Columns { stored: &stream.columns, derived: &[], n_rows: stream.times.len() }
}
