//! What columns and sets hold, and how it grows.

use std::collections::BTreeSet;

use super::code::{Code, Kind, MISSING, Texts, of_date};
use super::customer::{Rest, Set, StreamState};
use super::plan::{Content, Kept, Keyed, Part, StreamPlan};
use super::ring::{Need, Ring};
use crate::data::{Date, FeatureIndex, Value};

/// One event, as columns see it.
pub(super) struct Happened<'e> {
    pub(super) values: &'e [Value<'e>],
    pub(super) day: Date,
    /// The number of its step.
    pub(super) step: u64,
    /// Whether it comes before all others of its cell, if there are any, …
    pub(super) is_first: bool,
    /// … or after them.
    pub(super) is_last: bool,
}

impl<'e> Happened<'e> {
    fn value(&self, property: FeatureIndex) -> Value<'e> {
        self.values.get(property.get()).copied().unwrap_or(Value::Missing)
    }
}

impl Content {
    /// Adds an event to a cell.
    #[inline]
    pub(super) fn add(
        &self,
        ring: &mut Ring,
        [column, row]: [usize; 2],
        event: &Happened<'_>,
        texts: &mut Texts,
    ) {
        match self {
            Content::Count => ring.increase(column, row, 1),
            Content::Numbers(property) => {
                if !event.value(*property).is_missing() {
                    ring.increase(column, row, 1);
                }
            }
            Content::Sum(property) => {
                if let Value::Number(x) = event.value(*property) {
                    ring.add(column, row, x);
                }
            }
            Content::FirstTick | Content::LastTick => {
                self.take(
                    ring,
                    [column, row],
                    event.step,
                    [event.is_first, event.is_last],
                );
            }
            Content::Least(property, kind)
            | Content::Most(property, kind)
            | Content::First(property, kind)
            | Content::Last(property, kind) => {
                let code = kind.encode(&event.value(*property), texts);
                self.take(ring, [column, row], code, [event.is_first, event.is_last]);
            }
        }
    }

    /// How wide a cell must be for an event more, if that is known beforehand.
    pub(super) fn need(
        &self,
        ring: &Ring,
        [column, row]: [usize; 2],
        event: &Happened<'_>,
        texts: &mut Texts,
    ) -> Option<Need> {
        match self {
            Content::Count | Content::Numbers(_) => {
                Some(Need::of(column, ring.get(column, row).saturating_add(1)))
            }
            Content::Sum(property) => match event.value(*property) {
                Value::Number(x) => ring.sum_need(column, row, x),
                _ => None,
            },
            Content::FirstTick | Content::LastTick => Some(Need::of(column, event.step)),
            Content::Least(property, kind)
            | Content::Most(property, kind)
            | Content::First(property, kind)
            | Content::Last(property, kind) => {
                Some(Need::of(column, kind.encode(&event.value(*property), texts)))
            }
        }
    }

    /// Lets a cell take the code of an event, or of events that are all before those of the
    /// cell, or after them.
    fn take(
        &self,
        ring: &mut Ring,
        [column, row]: [usize; 2],
        code: Code,
        [is_first, is_last]: [bool; 2],
    ) {
        let own = ring.get(column, row);
        let is_better = match self {
            Content::Least(_, kind) => code > MISSING && kind.is_less(code, own),
            Content::Most(_, kind) => code > MISSING && kind.is_less(own, code),
            Content::First(..) | Content::FirstTick => is_first,
            Content::Last(..) | Content::LastTick => is_last,
            _ => false,
        };
        let is_extreme = matches!(self, Content::Least(..) | Content::Most(..));
        let is_none = own == 0 && (code > MISSING || !is_extreme);
        if is_none || own > 0 && is_better {
            ring.set(column, row, code);
        }
    }

    /// Adds a cell of another ring, whose events come after one's own.
    pub(super) fn merge(
        &self,
        ring: &mut Ring,
        [column, row]: [usize; 2],
        other: &Ring,
        from: usize,
        is_beyond: [bool; 2],
        recode: &mut dyn FnMut(&Kind, Code) -> Code,
    ) {
        match self {
            Content::Count | Content::Numbers(_) => {
                ring.increase(column, row, other.get(column, from));
            }
            Content::Sum(_) => ring.add_sum(column, row, other, from),
            _ => {
                let code = other.get(column, from);
                if code > 0 {
                    let kind = self.kind();
                    let code = kind.map_or(code, |kind| recode(kind, code));
                    self.take(ring, [column, row], code, is_beyond);
                }
            }
        }
    }

    pub(super) fn kind(&self) -> Option<&Kind> {
        match self {
            Content::Least(_, kind)
            | Content::Most(_, kind)
            | Content::First(_, kind)
            | Content::Last(_, kind) => Some(kind),
            _ => None,
        }
    }

    /// Whether any cell can be one of this column's.
    pub(super) fn is_plain(&self) -> bool {
        self.kind().is_none()
    }

    /// Whether a cell can be one of this column's.
    pub(super) fn has(&self, cell: u64, texts: &Texts) -> bool {
        match self {
            Content::Least(_, kind) | Content::Most(_, kind) => {
                cell == 0 || cell > MISSING && kind.has(cell, texts)
            }
            Content::First(_, kind) | Content::Last(_, kind) => kind.has(cell, texts),
            _ => true,
        }
    }
}

impl Kept {
    /// Whether events of some steps come before all of a row, or after them; of the same
    /// step they come after.
    pub(super) fn beyond(
        &self,
        ring: &Ring,
        row: usize,
        [from, to]: [u64; 2],
    ) -> [bool; 2] {
        let cell = |column: Option<usize>| column.map(|column| ring.get(column, row));
        [
            cell(self.first).is_some_and(|first| from < first),
            cell(self.last).is_none_or(|last| to >= last),
        ]
    }
}

impl Keyed {
    /// What an event is told apart by, if it is looked at.
    pub(super) fn code(&self, event: &Happened<'_>, texts: &mut Texts) -> Option<Code> {
        match self {
            Keyed::Day => Some(of_date(event.day)),
            Keyed::Property(property, kind) => {
                let value = match event.value(*property) {
                    // -0 and 0 are one.
                    Value::Number(x) => Value::Number(x + 0.0),
                    value => value,
                };
                let code = kind.encode(&value, texts);
                (code > MISSING).then_some(code)
            }
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        match self {
            Keyed::Day => &Kind::Date,
            Keyed::Property(_, kind) => kind,
        }
    }
}

/// The columns of a part that hold texts, by their numbers in the ring.
fn text_columns(part: &Part) -> impl Iterator<Item = usize> {
    let is_text = |(_, column): &(usize, &super::plan::Column)| {
        column.content.kind() == Some(&Kind::Text)
    };
    (1..).zip(&part.columns).filter(is_text).map(|(number, _)| number)
}

pub(super) fn has_texts(part: &Part) -> bool {
    text_columns(part).next().is_some()
}

impl StreamState {
    /// Forgets names that no event has any more, once there are many.
    pub(super) fn forget_texts(&mut self, plan: &StreamPlan) {
        let StreamState { ring, rest: Some(rest), .. } = self else { return };
        if !rest.texts.is_full() {
            return;
        }
        let Rest { fixed, moving_sets, fixed_sets, texts } = &mut **rest;
        let mut used = BTreeSet::new();
        let parts = [(&plan.moving, ring, moving_sets), (&plan.fixed, fixed, fixed_sets)];
        for (part, ring, sets) in &parts {
            for column in text_columns(part) {
                used.extend((0..ring.n_rows()).map(|row| ring.get(column, row)));
            }
            for (keyed, set) in part.sets.iter().zip(sets.iter()) {
                if *keyed.kind() == Kind::Text {
                    used.extend(set.0.iter().map(|entry| entry.1));
                }
            }
        }
        let codes = texts.retain(&used);
        for (part, ring, sets) in parts {
            for column in text_columns(part) {
                for row in 0..ring.n_rows() {
                    ring.set(column, row, Texts::moved(ring.get(column, row), &codes));
                }
            }
            for (keyed, set) in part.sets.iter().zip(sets.iter_mut()) {
                if *keyed.kind() == Kind::Text {
                    set.recode(|code| Texts::moved(code, &codes));
                }
            }
        }
    }
}

impl Set {
    fn recode(&mut self, code: impl Fn(Code) -> Code) {
        self.0.iter_mut().for_each(|entry| entry.1 = code(entry.1));
        self.0.sort_unstable();
    }
}
