//! Distances, draws and sequences of the customers of a block, as codes that rules are asked
//! about.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::events::{CUSTOMERS, Codes, OfEach, before, filter};
use super::links::{Link, Links};
use super::lower::Lowered;
use super::plan::Filters;
use super::program::Memory;
use crate::data::{
    Column, FeatureIndex, Flags, SchemaMap, Stream, StreamIndex, Table, Validity, Value,
};
use crate::rules::behaviour::Property;
use crate::rules::bucket::Bucket;
use crate::rules::compile::Compiled;
use crate::rules::computed::{Computed, What, computed};
use crate::rules::distance::Distance;
use crate::rules::ordered::{Open, Ordered, Shape};
use crate::rules::window::Bound;
use crate::simd::Arithmetic;

/// What else is computed, each once.
#[derive(Debug)]
pub(super) struct Computations<'t> {
    table: &'t Table<'t>,
    /// Of each its place among the derived columns.
    distances: Vec<(usize, Place<'t>)>,
    draws: Vec<(usize, Bucket)>,
    sequences: Vec<(usize, Sequence)>,
    streams: Vec<Watched<'t>>,
}

/// A distance, and the columns that say where a customer is.
#[derive(Debug)]
struct Place<'t> {
    distance: Distance,
    latitude: &'t Column<'t>,
    longitude: &'t Column<'t>,
}

/// A stream that sequences look at.
#[derive(Debug)]
struct Watched<'t> {
    stream: &'t Stream<'t>,
    filters: Filters,
}

#[derive(Debug)]
struct Sequence {
    shape: Shape,
    /// From when to when its events are.
    window: Range<i64>,
    /// When the window ends, up to which time passes.
    end: i64,
    is_same: bool,
    sources: Vec<Source>,
}

/// What of a stream a sequence looks at.
#[derive(Debug)]
struct Source {
    /// Place among the streams that are watched.
    stream: usize,
    same: Option<Link>,
    /// The steps that any event can be.
    bits: u32,
    /// Filters of the stream, and the steps that events which pass can be.
    filters: Vec<(usize, u32)>,
}

/// Memory for some customers.
#[derive(Debug)]
pub(super) struct Scratch {
    streams: Vec<Filtered>,
    numbers: OfEach<f64>,
    flags: OfEach<bool>,
    valid: OfEach<bool>,
    work: Work,
}

/// Memory for the events of a customer.
#[derive(Debug, Default)]
struct Work {
    /// What they have in common, their times, and a bit for each step that they can be.
    found: Vec<(u64, i64, u32)>,
    open: Open,
}

#[derive(Debug)]
struct Filtered {
    memory: Memory,
    /// For each filter, a bit for each event.
    planes: Vec<Vec<u64>>,
}

/// A filter as it is written, and what it is.
type Known<'r> = BTreeMap<(usize, String), usize>;

impl<'t> Computations<'t> {
    /// Nothing where rules must be asked row by row. `first` is the place of the first
    /// derived column.
    pub(super) fn new(
        rules: &[Compiled],
        bound: Option<&Bound>,
        table: &'t Table<'t>,
        map: Option<&SchemaMap>,
        first: usize,
        columns: &mut Vec<Column<'t>>,
    ) -> Option<Computations<'t>> {
        let mut all = Computations {
            table,
            distances: Vec::new(),
            draws: Vec::new(),
            sequences: Vec::new(),
            streams: Vec::new(),
        };
        let mut filters: Vec<(StreamIndex, Vec<&Compiled>)> = Vec::new();
        let mut known = Known::new();
        let mut links = Links::default();
        let of_rules = computed(rules.iter().map(|rule| &*rule.computed));
        let of_rules: Vec<&Computed> = of_rules.collect();
        for (place, Computed { what, .. }) in (first..).zip(of_rules) {
            match what {
                What::Distance(distance) => {
                    let of = |feature: FeatureIndex| {
                        let at = map.map_or(Some(feature), |map| map.feature(feature))?;
                        table.column(at)
                    };
                    let (latitude, longitude) =
                        (of(distance.latitude.feature)?, of(distance.longitude.feature)?);
                    // Whether an angle that is too large is an error depends on the row.
                    is_within(latitude, table.len(), distance.latitude.most)
                        .then_some(())?;
                    is_within(longitude, table.len(), distance.longitude.most)
                        .then_some(())?;
                    let is_all =
                        latitude.validity().is_all() && longitude.validity().is_all();
                    columns.push(numbers(is_all));
                    let distance = distance.clone();
                    all.distances.push((place, Place { distance, latitude, longitude }));
                }
                What::Bucket(bucket) => {
                    columns.push(numbers(true));
                    all.draws.push((place, *bucket));
                }
                What::Ordered(ordered) => {
                    let sequence = Sequence::new(
                        ordered,
                        bound?,
                        table,
                        map,
                        &mut filters,
                        &mut known,
                        &mut links,
                    )?;
                    let flags = Flags::Bools(Cow::Borrowed(&[]));
                    columns.push(Column::Flag(flags, Validity::All));
                    all.sequences.push((place, sequence));
                }
            }
        }
        for (place, rules) in filters {
            let stream = table.stream(place)?;
            let today = bound?.today;
            let filters = Filters::new(&rules, stream, today)?;
            all.streams.push(Watched { stream, filters });
        }
        Some(all)
    }

    pub(super) fn scratch(&self) -> Scratch {
        let filtered = |watched: &Watched<'_>| {
            let Filters { lowered, program, n } = &watched.filters;
            Filtered {
                memory: Memory::new(program, lowered),
                planes: vec![Vec::new(); *n],
            }
        };
        Scratch {
            streams: self.streams.iter().map(filtered).collect(),
            numbers: [0.0; CUSTOMERS],
            flags: [false; CUSTOMERS],
            valid: [false; CUSTOMERS],
            work: Work::default(),
        }
    }

    /// Codes what is computed of some customers.
    #[inline(always)]
    pub(super) fn fill<A: Arithmetic>(
        &self,
        pages: &[Vec<usize>],
        rows: Range<usize>,
        scratch: &mut Scratch,
        codes: &mut Codes<'_>,
    ) {
        let Scratch { streams, numbers, flags, valid, work } = scratch;
        let n = rows.len();
        for (place, Place { distance, latitude, longitude }) in &self.distances {
            for (i, row) in rows.clone().enumerate() {
                let at = number(latitude, row).zip(number(longitude, row));
                valid[i] = at.is_some();
                numbers[i] = at.map_or(0.0, |at| distance.kilometres(at));
            }
            let validity = Validity::Mask(Cow::Borrowed(&valid[..n]));
            let column = Column::Number((&numbers[..n]).into(), validity);
            codes.write(&pages[*place], &column, n);
        }
        for (place, bucket) in &self.draws {
            for (number, row) in numbers.iter_mut().zip(rows.clone()) {
                *number = bucket.draw(self.table.ids().get(row));
            }
            codes.write_numbers(&pages[*place], &numbers[..n]);
        }
        if self.sequences.is_empty() {
            return;
        }
        for (watched, Filtered { memory, planes }) in
            self.streams.iter().zip(streams.iter_mut())
        {
            let Watched { stream, filters } = watched;
            let events = stream.offsets[rows.start]..stream.offsets[rows.end];
            filter::<A>(stream, filters, events, memory, planes);
        }
        for (place, sequence) in &self.sequences {
            for (i, flag) in flags[..n].iter_mut().enumerate() {
                *flag = sequence.holds(&self.streams, streams, rows.start, i, work);
            }
            let flags = Flags::Bools(Cow::Borrowed(&flags[..n]));
            codes.write(&pages[*place], &Column::Flag(flags, Validity::All), n);
        }
    }
}

/// A column of numbers that are not there yet.
fn numbers<'t>(is_all: bool) -> Column<'t> {
    let none: &'static [f64] = &[];
    let validity =
        if is_all { Validity::All } else { Validity::Mask(Cow::Borrowed(&[])) };
    Column::Number(none.into(), validity)
}

fn number(column: &Column<'_>, row: usize) -> Option<f64> {
    match column.value(row) {
        Value::Number(x) => Some(x),
        _ => None,
    }
}

/// Whether no number of a column is larger.
fn is_within(column: &Column<'_>, n_rows: usize, most: f64) -> bool {
    (0..n_rows).all(|row| number(column, row).is_none_or(|x| x.abs() <= most))
}

impl Sequence {
    fn new<'r, 't>(
        ordered: &'r Ordered,
        bound: &Bound,
        table: &'t Table<'_>,
        map: Option<&SchemaMap>,
        filters: &mut Vec<(StreamIndex, Vec<&'r Compiled>)>,
        known: &mut Known<'r>,
        links: &mut Links<'t>,
    ) -> Option<Sequence> {
        let mut sources = Vec::new();
        for source in &ordered.streams {
            let place =
                map.map_or(Some(source.stream), |map| map.stream(source.stream))?;
            let stream = table.stream(place)?;
            // Places in a block have 31 bits.
            i32::try_from(stream.times.len()).ok()?;
            let watched = filters.iter().position(|(known, _)| *known == place);
            let watched = watched.unwrap_or_else(|| {
                filters.push((place, Vec::new()));
                filters.len() - 1
            });
            let (mut bits, mut passing) = (0, Vec::new());
            for (rule, of_rule) in &source.filters {
                let Some(rule) = rule else {
                    bits |= of_rule;
                    continue;
                };
                let rules = &mut filters[watched].1;
                let at =
                    *known.entry((watched, rule.rule.to_string())).or_insert_with(|| {
                        rules.push(rule);
                        rules.len() - 1
                    });
                passing.push((at, *of_rule));
            }
            if let Some(property) = &source.same {
                is_known(property, stream).then_some(())?;
            }
            let same = source.same.as_ref().map(|property| {
                let feature = property.feature;
                links.link(watched, feature, stream.columns.get(feature.get()))
            });
            sources.push(Source { stream: watched, same, bits, filters: passing });
        }
        Some(Sequence {
            shape: ordered.shape.clone(),
            window: bound.events(ordered.window),
            end: bound.window(ordered.window).end,
            is_same: ordered.is_same,
            sources,
        })
    }

    /// Whether the events of a customer, the `i`-th from `first` on, have the order.
    fn holds(
        &self,
        streams: &[Watched<'_>],
        filtered: &[Filtered],
        first: usize,
        i: usize,
        work: &mut Work,
    ) -> bool {
        let looked_at = |source: &Source| {
            let stream = streams[source.stream].stream;
            let [start, end] = [0, 1].map(|next| stream.offsets[first + i + next]);
            let times = &stream.times[start..end];
            let at = |instant: i64| start + before(times, instant);
            (stream, at(self.window.start)..at(self.window.end))
        };
        let bits = |source: &Source, at: usize| {
            let base = streams[source.stream].stream.offsets[first];
            let planes = &filtered[source.stream].planes;
            source.filters.iter().fold(source.bits, |bits, &(filter, of_filter)| {
                let word = planes[filter][(at - base) / 64];
                let passes = word >> ((at - base) % 64) & 1;
                bits | of_filter & 0_u32.wrapping_sub(passes as u32)
            })
        };
        if let ([source], false) = (&self.sources[..], self.is_same) {
            let (stream, events) = looked_at(source);
            let occurrences = events.filter_map(|at| match bits(source, at) {
                0 => None,
                bits => Some((stream.times[at].as_millis(), bits)),
            });
            return self.shape.holds(occurrences, self.end, &mut work.open);
        }
        let Work { found, open } = work;
        found.clear();
        for source in &self.sources {
            let (stream, events) = looked_at(source);
            for at in events {
                let bits = bits(source, at);
                if bits == 0 {
                    continue;
                }
                let key = match &source.same {
                    None => 0,
                    Some(link) => {
                        match link.key(&stream.columns[link.feature.get()], at) {
                            None => continue,
                            Some(key) => key,
                        }
                    }
                };
                found.push((key, stream.times[at].as_millis(), bits));
            }
        }
        found.sort_unstable();
        found.chunk_by(|a, b| a.0 == b.0).any(|group| {
            let occurrences = group.iter().map(|&(_, time, bits)| (time, bits));
            self.shape.holds(occurrences, self.end, open)
        })
    }
}

/// Whether all levels of a property's column are allowed; else it depends on the row whether
/// that is an error.
fn is_known(property: &Property, stream: &Stream<'_>) -> bool {
    match (&property.levels, stream.columns.get(property.feature.get())) {
        (Some(known), Some(Column::Category(_, levels, _))) => {
            levels.iter().all(|level| known.position(level).is_some())
        }
        (_, column) => column.is_some(),
    }
}

/// The pages of each derived column.
pub(super) fn pages(lowered: &Lowered, n_stored: usize, n: usize) -> Vec<Vec<usize>> {
    let mut pages = vec![Vec::new(); n];
    for (i, page) in lowered.pages.iter().enumerate() {
        if let Some(place) = page.column.checked_sub(n_stored) {
            pages[place].push(i);
        }
    }
    pages
}
