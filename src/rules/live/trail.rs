//! What is kept of events whose order matters.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::code::{ABSENT, Code, Kind, MISSING, Texts};
use super::frame::Clock;
use super::sieve::Event;
use crate::data::{FeatureKind, StreamIndex, Value};
use crate::rules::behaviour::Property;
use crate::rules::compile::Compiled;
use crate::rules::context::Context;
use crate::rules::ordered::{Open, Ordered, Shape, Source};
use crate::rules::window::Bounds;

/// What is kept for some sequences, and how they are read.
#[derive(Debug)]
pub(super) struct TrailPlan {
    /// Which events they look at: all at the same.
    streams: Box<[Source]>,
    /// Of the property that all events have in common.
    kind: Option<Kind>,
    /// The sequences.
    readers: Vec<Reader>,
}

/// A sequence, as it is read off a trail.
#[derive(Debug)]
struct Reader {
    /// Its place among what is computed.
    slot: usize,
    shape: Shape,
    window: Bounds,
}

/// The steps that have events of a sequence, and which; of each value that such events have
/// in common, where they have one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trail {
    /// Values in common, steps of time, and a bit for each step of the sequence; ascending.
    moments: Vec<(Code, i64, u32)>,
    texts: Texts,
    /// The first step of time at which the answer may change although nothing happens.
    pub(super) due: i64,
}

impl Default for Trail {
    fn default() -> Trail {
        Trail { moments: Vec::new(), texts: Texts::NONE, due: i64::MAX }
    }
}

impl TrailPlan {
    /// For sequences that look at these events, and whose windows begin as this one does.
    pub(super) fn new(ordered: &Ordered) -> TrailPlan {
        let same = ordered.streams.iter().find_map(|source| source.same.as_ref());
        // Streams may have different levels of what is the same name.
        let kind = |property: &Property| match property.spec.kind() {
            FeatureKind::Number => Kind::Number,
            FeatureKind::Flag => Kind::Flag,
            FeatureKind::Date => Kind::Date,
            _ => Kind::Text,
        };
        TrailPlan {
            streams: ordered.streams.clone(),
            kind: same.map(kind),
            readers: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, slot: usize, ordered: &Ordered, window: &Bounds) {
        let (shape, window) = (ordered.shape.clone(), window.clone());
        self.readers.push(Reader { slot, shape, window });
    }

    /// Where the windows lie that do not move, and else everywhere.
    fn whole(&self, clock: &Clock) -> Range<i64> {
        let first = self.readers.first();
        first.map_or(0..0, |reader| reader.window.whole(&clock.moment))
    }

    /// Which steps of the sequence an event of a stream can be. Its values were checked.
    pub(super) fn bits(&self, stream: StreamIndex, values: &[Value<'_>]) -> u32 {
        let passes = |filter: &Option<Arc<Compiled>>| match filter {
            None => true,
            // What was checked gives no error.
            Some(rule) => {
                rule.holds(&Event(values), &Context::new(None)).unwrap_or(false)
            }
        };
        let sources = self.streams.iter().filter(|s| s.stream == stream);
        let filters = sources.flat_map(|source| &source.filters);
        filters.filter(|(filter, _)| passes(filter)).fold(0, |bits, (_, b)| bits | b)
    }

    /// The property of a stream's events that all have in common.
    fn same(&self, stream: StreamIndex) -> Option<&Property> {
        let source = self.streams.iter().find(|s| s.stream == stream)?;
        source.same.as_ref()
    }

    /// The bits that moments can have.
    fn all_bits(&self) -> u32 {
        let filters = self.streams.iter().flat_map(|source| &source.filters);
        filters.fold(0, |bits, (_, of_filter)| bits | of_filter)
    }
}

impl Trail {
    /// Adds an event that can be these steps, if it can matter.
    pub(super) fn add(
        &mut self,
        plan: &TrailPlan,
        clock: &Clock,
        stream: StreamIndex,
        tick: i64,
        bits: u32,
        values: &[Value<'_>],
    ) {
        let start = clock.grid.start(tick);
        if !plan.whole(clock).contains(&start) {
            return;
        }
        let key = match (&plan.kind, plan.same(stream)) {
            (Some(kind), Some(property)) => {
                let value = match values.get(property.feature.get()) {
                    // -0 and 0 are one.
                    Some(Value::Number(x)) => Value::Number(x + 0.0),
                    value => value.copied().unwrap_or(Value::Missing),
                };
                match kind.encode(&value, &mut self.texts) {
                    ABSENT | MISSING => return,
                    key => key,
                }
            }
            _ => ABSENT,
        };
        self.insert((key, tick, bits));
    }

    fn insert(&mut self, (key, tick, bits): (Code, i64, u32)) {
        let at = self.moments.partition_point(|m| (m.0, m.1) < (key, tick));
        match self.moments.get_mut(at) {
            Some(moment) if (moment.0, moment.1) == (key, tick) => moment.2 |= bits,
            _ => self.moments.insert(at, (key, tick, bits)),
        }
    }

    /// Whether each sequence holds at a step, told with its place, and from which step on one
    /// may be otherwise. Forgets what lies before the windows.
    pub(super) fn settle(
        &mut self,
        plan: &TrailPlan,
        clock: &Clock,
        now: i64,
        mut tell: impl FnMut(usize, bool),
    ) {
        let moment = clock.moment(now);
        let moves = |reader: &Reader| {
            !matches!(reader.window, Bounds::Ever | Bounds::Between(..))
        };
        if let Some(reader) = plan.readers.first().filter(|reader| moves(reader)) {
            let from = clock.grid.next(reader.window.range(&moment).start);
            self.moments.retain(|&(_, tick, _)| tick >= from);
            self.forget_texts(plan);
        }
        self.due = i64::MAX;
        let mut open = Open::default();
        for reader in &plan.readers {
            let window = reader.window.range(&moment);
            let holds = self.moments.chunk_by(|a, b| a.0 == b.0).any(|group| {
                let times = group
                    .iter()
                    .map(|&(_, tick, bits)| (clock.grid.start(tick), bits))
                    .filter(|(time, _)| window.contains(time));
                reader.shape.holds(times, window.end, &mut open)
            });
            self.due = self.due.min(self.next(reader, clock, now));
            tell(reader.slot, holds);
        }
    }

    /// The first step after `now` at which time alone may change the answer of a sequence.
    fn next(&self, reader: &Reader, clock: &Clock, now: i64) -> i64 {
        let moment = clock.moment(now);
        let Reader { shape, window, .. } = reader;
        let after = moment.now().as_millis();
        let mut due = i64::MAX;
        let mut take = |at: i64| {
            if at > after {
                due = due.min(at);
            }
        };
        for &(_, tick, bits) in &self.moments {
            let time = clock.grid.start(tick);
            take(window.enters(time, &moment));
            take(window.leaves(time, &moment));
            if bits & shape.last_bit() != 0 {
                for delay in shape.delays() {
                    take(window.enters(time.saturating_add(delay), &moment));
                }
            }
        }
        let due = if due == i64::MAX { due } else { clock.reaches(due) };
        // At the end of the calendar there is no later step.
        if due > now { due } else { i64::MAX }
    }

    /// Adds what another part knew.
    pub(super) fn merge(&mut self, plan: &TrailPlan, other: &Trail) {
        for &(key, tick, bits) in &other.moments {
            let key = match &plan.kind {
                Some(kind @ Kind::Text) => {
                    kind.encode(&kind.decode(key, &other.texts), &mut self.texts)
                }
                _ => key,
            };
            self.insert((key, tick, bits));
        }
    }

    fn forget_texts(&mut self, plan: &TrailPlan) {
        if !self.texts.is_full() || plan.kind != Some(Kind::Text) {
            return;
        }
        let used: BTreeSet<Code> = self.moments.iter().map(|moment| moment.0).collect();
        let codes = self.texts.retain(&used);
        for moment in &mut self.moments {
            moment.0 = Texts::moved(moment.0, &codes);
        }
        self.moments.sort_unstable();
    }

    /// Whether this can be a trail of a customer who knows of these steps of time.
    pub(super) fn is_valid(&self, plan: &TrailPlan, ticks: &Range<i64>) -> bool {
        let place = |moment: &(Code, i64, u32)| (moment.0, moment.1);
        let has_key = |key: Code| match &plan.kind {
            None => key == ABSENT,
            Some(kind) => key > MISSING && kind.has(key, &self.texts),
        };
        let bits = plan.all_bits();
        self.texts.is_valid()
            && self.moments.is_sorted_by(|a, b| place(a) < place(b))
            && self.moments.iter().all(|&(key, tick, of_moment)| {
                has_key(key)
                    && ticks.contains(&tick)
                    && of_moment != 0
                    && of_moment & !bits == 0
            })
    }

    pub(super) fn feed(&self, feed: &mut dyn FnMut(&[u8])) {
        feed(&(self.moments.len() as u64).to_le_bytes());
        for (key, tick, bits) in &self.moments {
            feed(&key.to_le_bytes());
            feed(&tick.to_le_bytes());
            feed(&bits.to_le_bytes());
        }
        for name in self.texts.iter() {
            feed(&(name.len() as u64).to_le_bytes());
            feed(name.as_bytes());
        }
        feed(&self.due.to_le_bytes());
    }

    pub(super) fn heap_size(&self) -> usize {
        self.moments.capacity() * size_of::<(Code, i64, u32)>() + self.texts.heap_size()
    }
}
