//! Aggregates of events, block by block, as columns that rules are asked about.
//!
//! The events of a customer are ordered by time, so that a window is a range of them, found
//! once for all aggregates. Counts and sums of a range are differences of two running
//! totals, which are integers, so that nothing is lost: all windows of a filter take one
//! pass over the events.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use super::fixed::{Fixed, Width};
use super::lower::{Columns, Lowered, Placed, lower};
use super::pages::Page;
use super::program::{Memory, Plane, Program, ROWS, Run};
use crate::data::{
    Column, Events, FeatureIndex, FeatureKind, Flags, Levels, SchemaMap, Stream,
    StreamIndex, Table, Timestamp, Validity, Value, Zone,
};
use crate::rules::behaviour::{Behaviour, Summary};
use crate::rules::compile::Compiled;
use crate::rules::leaf::Source;
use crate::rules::window::Bound;
use crate::simd;

/// Up to so many events are looked at one by one to find a window.
const FEW: usize = 32;

/// The aggregates that rules ask about, each once.
#[derive(Debug)]
pub(super) struct Plan<'t> {
    streams: Vec<StreamPlan<'t>>,
    /// For each aggregate its kind, its levels, and whether it can be missing.
    pub(super) columns: Vec<Column<'t>>,
    /// For each rule, the aggregates of its behaviours.
    places: Vec<Vec<usize>>,
}

/// The aggregates of one stream.
#[derive(Debug)]
struct StreamPlan<'t> {
    stream: &'t Stream<'t>,
    zone: Zone,
    /// The ends of all windows, ascending.
    instants: Vec<i64>,
    filters: Filters,
    groups: Vec<Group>,
}

/// Which events pass which filters.
#[derive(Debug)]
struct Filters {
    lowered: Lowered,
    program: Program,
    n: usize,
}

/// The aggregates of the events that pass one filter, or of all events.
#[derive(Debug)]
struct Group {
    filter: Option<usize>,
    counts: Vec<Aggregate>,
    /// By property.
    sums: Vec<(FeatureIndex, Fixed, Vec<Aggregate>)>,
    others: Vec<Aggregate>,
}

/// One aggregate, over the events between two instants.
#[derive(Debug)]
struct Aggregate {
    /// Place among the columns of the plan.
    place: usize,
    from: usize,
    to: usize,
    behaviour: Behaviour,
}

impl<'t> Plan<'t> {
    /// Nothing where rules must be asked row by row.
    pub(super) fn new(
        rules: &[Compiled],
        bound: &Bound,
        table: &'t Table<'t>,
        map: Option<&SchemaMap>,
    ) -> Option<Plan<'t>> {
        let mut plan =
            Plan { streams: Vec::new(), columns: Vec::new(), places: Vec::new() };
        // By stream, filter as it is written, aggregate, property and window.
        let mut known = BTreeMap::new();
        let mut by_stream: BTreeMap<StreamIndex, Vec<(usize, &Behaviour)>> =
            BTreeMap::new();
        for rule in rules {
            let mut places = Vec::with_capacity(rule.behaviours.len());
            for behaviour in &rule.behaviours {
                let filter = behaviour.filter.as_ref().map(|f| f.rule.to_string());
                let property = behaviour.property.as_ref().map(|p| p.feature);
                let key = (
                    behaviour.stream,
                    filter,
                    behaviour.summary,
                    property,
                    behaviour.window,
                );
                let next = known.len();
                let place = *known.entry(key).or_insert(next);
                if place == next {
                    by_stream
                        .entry(behaviour.stream)
                        .or_default()
                        .push((place, behaviour));
                }
                places.push(place);
            }
            plan.places.push(places);
        }
        let mut columns: Vec<Option<Column<'t>>> = vec![None; known.len()];
        for (stream, aggregates) in by_stream {
            let place = map.map_or(Some(stream), |map| map.stream(stream))?;
            let stream = table.stream(place)?;
            for &(place, behaviour) in &aggregates {
                columns[place] = Some(prototype(behaviour, stream)?);
            }
            plan.streams.push(StreamPlan::new(stream, bound, &aggregates)?);
        }
        plan.columns = columns.into_iter().collect::<Option<_>>()?;
        Some(plan)
    }

    /// Where the aggregate of a rule's behaviour stands.
    pub(super) fn place(&self, rule: usize, behaviour: u32) -> usize {
        self.places[rule][behaviour as usize]
    }

    /// Computes all aggregates of a block of customers, and codes them.
    pub(super) fn fill(
        &self,
        rows: Range<usize>,
        lowered: &Lowered,
        n_stored: usize,
        scratch: &mut Scratch,
        memory: &mut Memory,
    ) {
        for (stream, filtered) in self.streams.iter().zip(&mut scratch.filtered) {
            let block = stream.block(rows.clone(), filtered, &mut scratch.positions);
            let mut code = |place: usize, column: &Column<'_>| {
                for &page in &scratch.pages[place] {
                    let Page { column: stored, .. } = lowered.pages[page];
                    debug_assert_eq!(stored, n_stored + place);
                    let codes = &mut memory.codes[page][..rows.len()];
                    lowered.pages[page].code(column, 0..rows.len(), codes);
                    memory.is_coded[page] = true;
                }
            };
            stream.aggregates(
                &block,
                &mut scratch.totals,
                &mut scratch.values,
                &mut code,
            );
        }
    }
}

/// Memory for the aggregates of a block.
#[derive(Debug)]
pub(super) struct Scratch {
    /// For each aggregate, the pages into which it is coded.
    pages: Vec<Vec<usize>>,
    /// For each stream, the memory of its filters.
    filtered: Vec<Filtered>,
    /// For each instant, the number of events of the block before it, by customer.
    positions: Vec<Vec<u32>>,
    totals: Totals,
    values: Values,
}

#[derive(Debug)]
struct Filtered {
    memory: Memory,
    /// For each filter, a bit for each event of the block.
    planes: Vec<Vec<u64>>,
}

#[derive(Debug, Default)]
struct Totals {
    counts: Vec<u32>,
    narrow: Vec<i64>,
    wide: Vec<i128>,
}

/// Values of one aggregate, of whatever kind.
#[derive(Debug)]
struct Values {
    numbers: Vec<f64>,
    codes: Vec<u32>,
    days: Vec<i32>,
    flags: Vec<bool>,
    valid: Vec<bool>,
}

impl Scratch {
    pub(super) fn new(plan: &Plan<'_>, lowered: &Lowered, n_stored: usize) -> Scratch {
        let mut pages = vec![Vec::new(); plan.columns.len()];
        for (i, page) in lowered.pages.iter().enumerate() {
            if let Some(place) = page.column.checked_sub(n_stored) {
                pages[place].push(i);
            }
        }
        let filtered = |stream: &StreamPlan<'_>| {
            let Filters { lowered, program, n } = &stream.filters;
            Filtered {
                memory: Memory::new(program, lowered),
                planes: vec![Vec::new(); *n],
            }
        };
        Scratch {
            pages,
            filtered: plan.streams.iter().map(filtered).collect(),
            positions: Vec::new(),
            totals: Totals::default(),
            values: Values {
                numbers: vec![0.0; ROWS],
                codes: vec![0; ROWS],
                days: vec![0; ROWS],
                flags: vec![false; ROWS],
                valid: vec![false; ROWS],
            },
        }
    }
}

/// A column of the kind of an aggregate, without values.
fn prototype<'t>(behaviour: &Behaviour, stream: &'t Stream<'t>) -> Option<Column<'t>> {
    let validity = match behaviour.summary {
        Summary::Count | Summary::Sum | Summary::Distinct | Summary::ActiveDays => {
            Validity::All
        }
        _ => Validity::Mask(Cow::Borrowed(&[])),
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

fn borrowed<'a>(levels: &'a Levels<'_>) -> Levels<'a> {
    match levels {
        Levels::Strs(names) => Levels::Strs(names),
        Levels::Strings(names) => Levels::Strings(Cow::Borrowed(names)),
    }
}

/// The events of a block of customers.
struct Block<'b> {
    /// Of the customers, and one more: where their events begin, in the stream.
    offsets: &'b [usize],
    /// For each instant, by customer.
    positions: &'b [Vec<u32>],
    planes: &'b [Vec<u64>],
}

impl Block<'_> {
    fn n_customers(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The block's events, by their places in the stream.
    fn events(&self) -> Range<usize> {
        self.offsets[0]..self.offsets[self.offsets.len() - 1]
    }

    /// The places of a customer's events in a window, in the block.
    fn window(&self, aggregate: &Aggregate, customer: usize) -> Range<usize> {
        let at = |instant: usize| self.positions[instant][customer] as usize;
        at(aggregate.from)..at(aggregate.to)
    }
}

impl<'t> StreamPlan<'t> {
    fn new(
        stream: &'t Stream<'t>,
        bound: &Bound,
        aggregates: &[(usize, &Behaviour)],
    ) -> Option<StreamPlan<'t>> {
        let range = |behaviour: &Behaviour| &bound.windows[behaviour.window as usize];
        let mut instants: Vec<i64> = aggregates
            .iter()
            .flat_map(|(_, behaviour)| [range(behaviour).start, range(behaviour).end])
            .collect();
        instants.sort_unstable();
        instants.dedup();
        let instant = |at: i64| instants.partition_point(|&instant| instant < at);
        // Places in a block are half as wide as those in the stream.
        u32::try_from(stream.times.len()).ok()?;
        let longest = stream.offsets.windows(2).map(|pair| pair[1] - pair[0]).max();
        let mut filters: Vec<&Compiled> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut groups: BTreeMap<Option<usize>, Group> = BTreeMap::new();
        let mut scales: BTreeMap<FeatureIndex, Option<Fixed>> = BTreeMap::new();
        for &(place, behaviour) in aggregates {
            let filter = behaviour.filter.as_ref().map(|rule| {
                *known.entry(rule.rule.to_string()).or_insert_with(|| {
                    filters.push(rule);
                    filters.len() - 1
                })
            });
            let group = groups.entry(filter).or_insert_with(|| Group {
                filter,
                counts: Vec::new(),
                sums: Vec::new(),
                others: Vec::new(),
            });
            let aggregate = Aggregate {
                place,
                from: instant(range(behaviour).start),
                to: instant(range(behaviour).end),
                behaviour: behaviour.clone(),
            };
            let scale = match (behaviour.summary, &behaviour.property) {
                (Summary::Sum, Some(property)) => {
                    let feature = property.feature;
                    let column = stream.columns.get(feature.get())?;
                    let scale = scales
                        .entry(feature)
                        .or_insert_with(|| Fixed::new(column, longest.unwrap_or(0)));
                    scale.map(|scale| (feature, scale))
                }
                _ => None,
            };
            match (behaviour.summary, scale) {
                (Summary::Count, _) => group.counts.push(aggregate),
                (_, None) => group.others.push(aggregate),
                (_, Some((feature, scale))) => {
                    match group.sums.iter_mut().find(|(f, ..)| *f == feature) {
                        Some((.., sums)) => sums.push(aggregate),
                        None => group.sums.push((feature, scale, vec![aggregate])),
                    }
                }
            }
        }
        let zone = bound.moment.get_zone().clone();
        let filters = Filters::new(&filters, stream)?;
        let groups = groups.into_values().collect();
        Some(StreamPlan { stream, zone, instants, filters, groups })
    }

    /// The events of some customers: which are in which window, and pass which filter.
    fn block<'b>(
        &'b self,
        rows: Range<usize>,
        filtered: &'b mut Filtered,
        positions: &'b mut Vec<Vec<u32>>,
    ) -> Block<'b> {
        let offsets = &self.stream.offsets[rows.start..=rows.end];
        let first = offsets[0];
        positions.resize_with(self.instants.len().max(positions.len()), Vec::new);
        for (place, &instant) in positions.iter_mut().zip(&self.instants) {
            place.clear();
            place.extend(offsets.windows(2).map(|pair| {
                let times = &self.stream.times[pair[0]..pair[1]];
                (pair[0] - first + before(times, instant)) as u32
            }));
        }
        let Filtered { memory, planes } = filtered;
        planes.iter_mut().for_each(Vec::clear);
        let end = offsets[offsets.len() - 1];
        if !planes.is_empty() {
            for start in (first..end).step_by(ROWS) {
                memory.is_coded.fill(false);
                let rows = start..(start + ROWS).min(end);
                let n_words = rows.len().div_ceil(64);
                simd::run(Run {
                    program: &self.filters.program,
                    lowered: &self.filters.lowered,
                    columns: columns_of(self.stream),
                    rows,
                    memory,
                    tell: |filter: usize, plane: &Plane, flip: u64| {
                        planes[filter]
                            .extend(plane[..n_words].iter().map(|word| word ^ flip));
                        ControlFlow::Continue(())
                    },
                });
            }
        }
        Block { offsets, positions, planes }
    }

    /// Tells the column of each aggregate of a block.
    fn aggregates(
        &self,
        block: &Block<'_>,
        totals: &mut Totals,
        values: &mut Values,
        tell: &mut impl FnMut(usize, &Column<'_>),
    ) {
        for group in &self.groups {
            let plane = group.filter.map(|filter| &block.planes[filter][..]);
            self.counts(group, block, plane, totals, values, tell);
            for (feature, fixed, sums) in &group.sums {
                let column = &self.stream.columns[feature.get()];
                self.sums(column, *fixed, sums, block, plane, totals, values, tell);
            }
            for aggregate in &group.others {
                self.other(aggregate, block, plane, values, tell);
            }
        }
    }

    fn counts(
        &self,
        group: &Group,
        block: &Block<'_>,
        plane: Option<&[u64]>,
        totals: &mut Totals,
        values: &mut Values,
        tell: &mut impl FnMut(usize, &Column<'_>),
    ) {
        if group.counts.is_empty() {
            return;
        }
        let numbers = &mut values.numbers[..block.n_customers()];
        if let Some(plane) = plane {
            running(&mut totals.counts, block.events().len(), |i| bit(plane, i) as u32);
        }
        for aggregate in &group.counts {
            let (from, to) =
                (&block.positions[aggregate.from], &block.positions[aggregate.to]);
            let ends = from.iter().zip(to);
            match plane {
                None => {
                    for (number, (from, to)) in numbers.iter_mut().zip(ends) {
                        *number = f64::from(to - from);
                    }
                }
                Some(_) => {
                    let totals = &totals.counts[..];
                    for (number, (&from, &to)) in numbers.iter_mut().zip(ends) {
                        let count = totals[to as usize] - totals[from as usize];
                        *number = f64::from(count);
                    }
                }
            }
            let column = Column::Number((&*numbers).into(), Validity::All);
            tell(aggregate.place, &column);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one place calls it")]
    fn sums(
        &self,
        column: &Column<'_>,
        fixed: Fixed,
        sums: &[Aggregate],
        block: &Block<'_>,
        plane: Option<&[u64]>,
        totals: &mut Totals,
        values: &mut Values,
        tell: &mut impl FnMut(usize, &Column<'_>),
    ) {
        let Column::Number(stored, validity) = column else { return };
        let events = block.events();
        let first = events.start;
        let numbers = stored.as_slice().map(|numbers| &numbers[events.clone()]);
        let number = |i: usize| match numbers {
            Some(numbers) => numbers[i],
            None => stored.get(first + i).unwrap_or_default(),
        };
        // Minus one for the events that count, 0 for the others.
        let mask = |i: usize| {
            let passes = plane.map_or(1, |plane| bit(plane, i));
            let valid = validity.is_all() || validity.is_valid(first + i);
            0_i64.wrapping_sub((passes & u64::from(valid)) as i64)
        };
        let scale = fixed.scale();
        match fixed.width {
            Width::Narrow => running(&mut totals.narrow, events.len(), |i| {
                fixed.narrow(scale, number(i)) & mask(i)
            }),
            Width::Wide => running(&mut totals.wide, events.len(), |i| {
                fixed.wide(number(i)) & i128::from(mask(i))
            }),
        }
        let out = &mut values.numbers[..block.n_customers()];
        for aggregate in sums {
            let (from, to) =
                (&block.positions[aggregate.from], &block.positions[aggregate.to]);
            let ends = from.iter().zip(to);
            match fixed.width {
                Width::Narrow => {
                    let totals = &totals.narrow[..];
                    for (number, (&from, &to)) in out.iter_mut().zip(ends) {
                        let sum = totals[to as usize].wrapping_sub(totals[from as usize]);
                        *number = fixed.number_of_narrow(sum);
                    }
                }
                Width::Wide => {
                    let totals = &totals.wide[..];
                    for (number, (&from, &to)) in out.iter_mut().zip(ends) {
                        let sum = totals[to as usize].wrapping_sub(totals[from as usize]);
                        *number = fixed.number_of_wide(sum);
                    }
                }
            }
            tell(aggregate.place, &Column::Number((&*out).into(), Validity::All));
        }
    }

    /// Aggregates that are computed customer by customer.
    fn other(
        &self,
        aggregate: &Aggregate,
        block: &Block<'_>,
        plane: Option<&[u64]>,
        values: &mut Values,
        tell: &mut impl FnMut(usize, &Column<'_>),
    ) {
        let n = block.n_customers();
        let first = block.offsets[0];
        let behaviour = &aggregate.behaviour;
        let Values { numbers, codes, days, flags, valid } = values;
        let column = behaviour.property.as_ref();
        let column = column.and_then(|p| self.stream.columns.get(p.feature.get()));
        for customer in 0..n {
            // By the places in the stream.
            let window = block.window(aggregate, customer);
            let window = first + window.start..first + window.end;
            let mut rows =
                window.filter(|at| plane.is_none_or(|plane| bit(plane, at - first) == 1));
            let name = match (behaviour.summary, column) {
                (Summary::First, Some(Column::Category(codes, _, validity))) => {
                    Some(rows.next().map(|at| (codes, validity, at)))
                }
                (Summary::Last, Some(Column::Category(codes, _, validity))) => {
                    Some(rows.next_back().map(|at| (codes, validity, at)))
                }
                _ => None,
            };
            if let Some(found) = name {
                let code = found.filter(|(_, validity, at)| validity.is_valid(*at));
                codes[customer] = code.map_or(0, |(codes, _, at)| codes[at]);
                valid[customer] = code.is_some();
                continue;
            }
            let events = Events::checked(&self.stream.times, &self.stream.columns, 0);
            // A table's values were checked.
            let value = behaviour.aggregate(&events, rows, &self.zone);
            let value = value.unwrap_or(Value::Missing);
            valid[customer] = !value.is_missing();
            match value {
                Value::Number(x) => numbers[customer] = x,
                Value::Date(date) => days[customer] = date.days_since_epoch(),
                Value::Flag(flag) => flags[customer] = flag,
                _ => {
                    numbers[customer] = 0.0;
                    days[customer] = 0;
                    flags[customer] = false;
                }
            }
        }
        let validity = if prototype_is_never_missing(behaviour.summary) {
            Validity::All
        } else {
            Validity::Mask(Cow::Borrowed(&valid[..n]))
        };
        let computed = match (behaviour.spec.kind(), column) {
            (FeatureKind::Number, _) => Column::Number((&numbers[..n]).into(), validity),
            (FeatureKind::Date, _) => Column::Date(Cow::Borrowed(&days[..n]), validity),
            (FeatureKind::Flag, _) => {
                Column::Flag(Flags::Bools(Cow::Borrowed(&flags[..n])), validity)
            }
            (_, Some(Column::Category(_, levels, _))) => {
                Column::Category(Cow::Borrowed(&codes[..n]), borrowed(levels), validity)
            }
            // A plan has no other kinds.
            _ => return,
        };
        tell(aggregate.place, &computed);
    }
}

fn prototype_is_never_missing(summary: Summary) -> bool {
    matches!(
        summary,
        Summary::Count | Summary::Sum | Summary::Distinct | Summary::ActiveDays
    )
}

impl Filters {
    fn new(rules: &[&Compiled], stream: &Stream<'_>) -> Option<Filters> {
        let placed: Vec<_> = rules
            .iter()
            .map(|rule| {
                let tests = rule.leaves.iter().map(|leaf| {
                    let Source::Feature(property) = leaf.source else { return None };
                    Some(Placed { column: property.get(), leaf })
                });
                Some((&rule.rule, tests.collect::<Option<Vec<_>>>()?))
            })
            .collect::<Option<_>>()?;
        let lowered = lower(&placed, columns_of(stream))?;
        let holds: Vec<_> = lowered.answers.iter().map(|a| a.holds).collect();
        let program = Program::new(&lowered.graph, &holds);
        Some(Filters { lowered, program, n: rules.len() })
    }
}

fn columns_of<'a>(stream: &'a Stream<'_>) -> Columns<'a> {
    Columns { stored: &stream.columns, derived: &[], n_rows: stream.times.len() }
}

/// How many of a customer's events lie before an instant.
#[inline(always)]
fn before(times: &[Timestamp], instant: i64) -> usize {
    if times.len() <= FEW {
        times.iter().map(|time| usize::from(time.as_millis() < instant)).sum()
    } else {
        times.partition_point(|time| time.as_millis() < instant)
    }
}

#[inline(always)]
fn bit(plane: &[u64], i: usize) -> u64 {
    plane[i / 64] >> (i % 64) & 1
}

/// Totals of the first 0, 1, 2, … of `n` numbers, wrapped around where they overflow.
#[inline(always)]
fn running<T: Wrapping>(totals: &mut Vec<T>, n: usize, number: impl Fn(usize) -> T) {
    totals.clear();
    totals.reserve(n + 1);
    let mut total = T::default();
    totals.push(total);
    totals.extend((0..n).map(|i| {
        total = total.plus(number(i));
        total
    }));
}

trait Wrapping: Copy + Default {
    fn plus(self, other: Self) -> Self;
}

macro_rules! wrapping {
    ($($t:ty)*) => {$(
        impl Wrapping for $t {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
        }
    )*};
}
wrapping!(u32 i64 i128);
