//! A customer as rules see her, from what is kept.

use std::ops::Range;

use super::code::{ABSENT, Code, Kind, of_date, of_number};
use super::customer::{LiveCustomer, StreamState};
use super::frame::{Clock, Frame};
use super::plan::{Formula, Over, Plan};
use super::ring::Ring;
use crate::data::{Customer, CustomerId, Date, FeatureIndex, Value};
use crate::exact::ExactSum;
use crate::rules::context::Aggregates;

/// A customer at one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) clock: &'a Clock,
    pub(super) customer: &'a LiveCustomer,
    /// The present step.
    pub(super) frame: &'a Frame,
}

/// An aggregate of what is kept of a stream, as a number.
pub(super) fn code(
    plan: &Plan,
    place: usize,
    state: &StreamState,
    frame: &Frame,
    clock: &Clock,
) -> Code {
    let aggregate = &plan.aggregates[place];
    let window = |at: usize| plan.streams[aggregate.stream].windows[at].place;
    match (aggregate.over, &state.rest) {
        (Over::Fixed(row), Some(rest)) => match aggregate.formula {
            Formula::Distinct(set) => {
                let row = row as i64;
                of_number(rest.fixed_sets[set].count(row, row + 1) as f64)
            }
            formula => {
                read(formula, &aggregate.kind, &rest.fixed, row..row + 1, clock, frame)
            }
        },
        // A stream with windows that do not move has the rest.
        (Over::Fixed(_), None) => ABSENT,
        (Over::Moving(at), rest) => match (aggregate.formula, rest) {
            (Formula::Distinct(set), Some(rest)) => {
                let ticks = frame.ticks(window(at));
                of_number(rest.moving_sets[set].count(ticks.start, ticks.end) as f64)
            }
            (formula, _) => {
                let rows = frame.rows(&state.ring, window(at));
                read(formula, &aggregate.kind, &state.ring, rows, clock, frame)
            }
        },
    }
}

/// What a formula gives for some rows.
pub(super) fn read(
    formula: Formula,
    kind: &Kind,
    ring: &Ring,
    rows: Range<usize>,
    clock: &Clock,
    frame: &Frame,
) -> Code {
    let day = |row: usize| clock.grid.day(ring.tick(row));
    let cell =
        |column, row: Option<usize>| row.map_or(ABSENT, |row| ring.get(column, row));
    match formula {
        Formula::Count(column) => of_number(ring.count(column, rows) as f64),
        Formula::Sum(column) => of_number(ring.total(column, rows).value()),
        Formula::Average(sum, n) => match ring.count(n, rows.clone()) {
            0 => ABSENT,
            n => of_number(ring.total(sum, rows).value() / n as f64),
        },
        Formula::Least(column) => ring.best(column, rows, |a, b| kind.is_less(a, b)),
        Formula::Most(column) => ring.best(column, rows, |a, b| kind.is_less(b, a)),
        Formula::First(column) => cell(column, ring.find(column, rows, false)),
        Formula::Last(column) => cell(column, ring.find(column, rows, true)),
        Formula::DayOf(column) => match ring.get(column, rows.start) {
            0 => ABSENT,
            step => of_date(clock.day_of(step)),
        },
        Formula::FirstDay(column) => {
            ring.find(column, rows, false).map_or(ABSENT, |row| of_date(day(row)))
        }
        Formula::LastDay(column) => {
            ring.find(column, rows, true).map_or(ABSENT, |row| of_date(day(row)))
        }
        Formula::ActiveDays(column) => {
            let mut n = 0;
            let mut last = None;
            for row in rows {
                if ring.get(column, row) > 0 {
                    let day = Some(day(row));
                    n += u32::from(day != last);
                    last = day;
                }
            }
            of_number(n.into())
        }
        Formula::Decayed(column, decay) => {
            let now = clock.now(frame.tick);
            let mut sum = ExactSum::new();
            for row in rows {
                let count = ring.get(column, row);
                if count > 0 {
                    let start = clock.grid.start(ring.tick(row));
                    sum.add_times(decay.left(now.abs_diff(start)), count);
                }
            }
            of_number(sum.value())
        }
        // Sets are read elsewhere.
        Formula::Distinct(_) => ABSENT,
    }
}

impl Aggregates for View<'_> {
    fn aggregate(&self, place: u32) -> Value<'_> {
        let aggregate = &self.plan.aggregates[place as usize];
        let state = &self.customer.streams[aggregate.stream];
        let code = code(self.plan, place as usize, state, self.frame, self.clock);
        aggregate.kind.decode(code, state.texts())
    }

    fn computed(&self, place: u32) -> Value<'_> {
        let at = self.plan.features.len() + self.plan.slots.places[place as usize];
        self.customer.attributes[at].as_value()
    }

    fn today(&self) -> Date {
        self.frame.today
    }
}

impl Customer for View<'_> {
    fn id(&self) -> CustomerId<'_> {
        CustomerId::Number(0)
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        let place = self.plan.feature_places.get(feature.get()).copied().flatten();
        let Some(place) = place else { return Value::Missing };
        self.customer.attributes[place].as_value()
    }
}
