//! What is kept of one customer.

use serde::{Deserialize, Serialize};

use super::code::{Code, Texts};
use super::ring::Ring;
use super::trail::Trail;
use crate::data::OwnedValue;

/// All that a [`LiveBook`](super::LiveBook) keeps of one customer, in place of her events. It
/// belongs to that book. One whose rules were edited takes it over, if it keeps the same: see
/// [`LiveBook::load`](super::LiveBook::load).
///
/// It takes a few hundred bytes for a few filters and some dozen steps: for each stream a row
/// for each step with events that a moving window may hold, of one to sixteen bytes for each
/// filter and for what is made of its events. `distinct` keeps each value once for each step
/// or window, so that of thousands of names it takes what these take. All sequences
/// that look at the same events, and equally far back, take some hundred bytes, and 24 more for
/// each step of time with such an event, and for each value that the events must have in common:
/// for ever, if their window is.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveCustomer {
    /// The fingerprint of the book's rules.
    pub(super) book: u64,
    /// The latest step that is known of.
    pub(super) tick: i64,
    /// The first step at which a test by the distance from today may have another answer.
    pub(super) due: i64,
    /// How many rules are True.
    pub(super) n_true: u32,
    /// The features that rules ask about, and then what else is computed.
    pub(super) attributes: Box<[OwnedValue]>,
    pub(super) streams: Box<[StreamState]>,
    /// Of the sequences.
    pub(super) trails: Box<[Trail]>,
}

/// The events of one stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamState {
    /// A row for each step that has events which a moving window may hold.
    pub(super) ring: Ring,
    /// The first step at which time alone may change an aggregate.
    pub(super) due: i64,
    pub(super) rest: Option<Box<Rest>>,
}

/// What few streams need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rest {
    /// A row for each window that does not move.
    pub(super) fixed: Ring,
    pub(super) moving_sets: Box<[Set]>,
    pub(super) fixed_sets: Box<[Set]>,
    pub(super) texts: Texts,
}

/// Different values by step, or by window: in ascending order, each once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Set(pub(super) Vec<(i64, Code)>);

impl Set {
    pub(super) fn insert(&mut self, at: i64, code: Code) {
        if let Err(place) = self.0.binary_search(&(at, code)) {
            self.0.insert(place, (at, code));
        }
    }

    pub(super) fn forget_before(&mut self, at: i64) {
        self.0.drain(..self.0.partition_point(|entry| entry.0 < at));
    }

    /// How many different values there are from one step up to another.
    pub(super) fn count(&self, from: i64, to: i64) -> usize {
        let first = self.0.partition_point(|entry| entry.0 < from);
        let last = self.0.partition_point(|entry| entry.0 < to).max(first);
        let mut codes: Vec<Code> =
            self.0[first..last].iter().map(|entry| entry.1).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.len()
    }
}

/// The parts of a stream's state, each on its own.
pub(super) struct Split<'s> {
    pub(super) ring: &'s mut Ring,
    pub(super) texts: &'s mut Texts,
    /// What is kept by window, and the sets by step and by window.
    pub(super) rest: Option<(&'s mut Ring, &'s mut [Set], &'s mut [Set])>,
}

impl StreamState {
    /// `none` stands in for the texts of a stream without any.
    pub(super) fn split<'s>(&'s mut self, none: &'s mut Texts) -> Split<'s> {
        let ring = &mut self.ring;
        match self.rest.as_deref_mut() {
            Some(Rest { fixed, moving_sets, fixed_sets, texts }) => {
                Split { ring, texts, rest: Some((fixed, moving_sets, fixed_sets)) }
            }
            None => Split { ring, texts: none, rest: None },
        }
    }

    /// The ring of windows that move, or of those that do not.
    #[inline]
    pub(super) fn part(&self, is_fixed: bool) -> &Ring {
        match &self.rest {
            Some(rest) if is_fixed => &rest.fixed,
            _ => &self.ring,
        }
    }

    pub(super) fn texts(&self) -> &Texts {
        static NONE: Texts = Texts::NONE;
        self.rest.as_ref().map_or(&NONE, |rest| &rest.texts)
    }
}

impl LiveCustomer {
    /// How many bytes this takes, those outside of the structure itself included; without
    /// what the allocator adds.
    #[must_use]
    pub fn size(&self) -> usize {
        let texts = |value: &OwnedValue| match value {
            OwnedValue::Category(text) => text.capacity(),
            OwnedValue::Tags(tags) => {
                let texts: usize = tags.iter().map(String::capacity).sum();
                texts + tags.capacity() * size_of::<String>()
            }
            _ => 0,
        };
        let attributes: usize = self.attributes.iter().map(texts).sum();
        let sets = |sets: &[Set]| -> usize {
            let entries = sets.iter().map(|set| set.0.capacity());
            size_of_val(sets) + entries.sum::<usize>() * size_of::<(i64, Code)>()
        };
        let rest = |rest: &Rest| {
            size_of::<Rest>()
                + rest.fixed.heap_size()
                + sets(&rest.moving_sets)
                + sets(&rest.fixed_sets)
                + rest.texts.heap_size()
        };
        let stream = |stream: &StreamState| {
            stream.ring.heap_size() + stream.rest.as_deref().map_or(0, rest)
        };
        size_of::<LiveCustomer>()
            + size_of_val(&*self.attributes)
            + attributes
            + size_of_val(&*self.streams)
            + self.streams.iter().map(stream).sum::<usize>()
            + size_of_val(&*self.trails)
            + self.trails.iter().map(Trail::heap_size).sum::<usize>()
    }
}
