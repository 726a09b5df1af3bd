//! How finely time is counted.

use serde::{Deserialize, Serialize};

use crate::data::{Date, Span, Timestamp, Zone};

/// How finely a [`LiveBook`](super::LiveBook) counts time: events of one step are kept
/// together, and windows move from step to step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// The days of the host's zone.
    #[default]
    Day,
    /// Steps of one length, counted from 1970-01-01T00:00:00 UTC on. With 1 ms all answers
    /// are those of the instant itself.
    Every(Span),
}

/// Time as steps, of which each has a number: its tick.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    pub(super) zone: Zone,
    /// Milliseconds of a step; nothing for days.
    step: Option<i64>,
}

impl Grid {
    /// Nothing for steps without a length.
    pub(super) fn new(granularity: Granularity, zone: &Zone) -> Option<Grid> {
        let step = match granularity {
            Granularity::Day => None,
            Granularity::Every(span) => {
                let step = i64::try_from(span.as_millis()).ok()?;
                Some((step > 0).then_some(step)?)
            }
        };
        Some(Grid { zone: zone.clone(), step })
    }

    /// The step in which an instant lies.
    #[inline]
    pub(super) fn tick(&self, millis: i64) -> i64 {
        match self.step {
            Some(step) => millis.div_euclid(step),
            None => {
                let day = self.zone.date_of(Timestamp::from_millis(millis));
                i64::from(day.days_since_epoch())
            }
        }
    }

    /// The first instant of a step; of the first steps, that of the calendar.
    #[inline]
    pub(super) fn start(&self, tick: i64) -> i64 {
        let start = match self.step {
            Some(step) => tick.saturating_mul(step),
            None => self.zone.start_of(day(tick)).as_millis(),
        };
        start.max(Timestamp::MIN.as_millis())
    }

    /// The first step that begins at an instant or after it; the end of time where there is
    /// none.
    #[inline]
    pub(super) fn next(&self, millis: i64) -> i64 {
        match self.step {
            // The first step begins with the calendar.
            _ if millis <= Timestamp::MIN.as_millis() => {
                self.tick(Timestamp::MIN.as_millis())
            }
            // A step is at most `i64::MAX`, so that nothing overflows.
            Some(step) => {
                millis.div_euclid(step) + i64::from(millis.rem_euclid(step) > 0)
            }
            None => {
                let tick = self.tick(millis);
                if self.start(tick) >= millis {
                    tick
                } else if tick < Date::MAX.days_since_epoch().into() {
                    tick + 1
                } else {
                    i64::MAX
                }
            }
        }
    }

    /// The day of a step.
    #[inline]
    pub(super) fn day(&self, tick: i64) -> Date {
        match self.step {
            Some(_) => self.zone.date_of(Timestamp::from_millis(self.start(tick))),
            None => day(tick),
        }
    }
}

/// The day so many days after the epoch, or the nearest end of the calendar.
fn day(tick: i64) -> Date {
    let ends = [Date::MIN, Date::MAX].map(|end| i64::from(end.days_since_epoch()));
    Date::of_checked(tick.clamp(ends[0], ends[1]) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DAY;

    #[test]
    fn steps_hold_the_instants_from_their_start_on() {
        let zone = Zone::fixed(330).unwrap();
        let grids = [1, 7, 3_600_000, DAY]
            .map(|ms| Granularity::Every(Span::from_millis(ms as u64)))
            .into_iter()
            .chain([Granularity::Day])
            .map(|granularity| Grid::new(granularity, &zone).unwrap());
        for grid in grids {
            for millis in [-DAY - 1, -1, 0, 1, 6, 7, 19_800_000, 1_717_156_800_123] {
                let tick = grid.tick(millis);
                assert!(grid.start(tick) <= millis && millis < grid.start(tick + 1));
                let next = grid.next(millis);
                assert!(grid.start(next) >= millis && grid.start(next - 1) < millis);
            }
        }
        assert!(Grid::new(Granularity::Every(Span::from_millis(0)), &zone).is_none());
        let most = Granularity::Every(Span::from_millis(u64::MAX));
        assert!(Grid::new(most, &zone).is_none());
    }
}
