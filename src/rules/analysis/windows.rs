//! Which windows always lie in which.

use crate::rules::event::CalendarUnit;
use crate::rules::window::{Bounds, End};

/// Whether an event that is in the first window is in the second, whatever `now`, the zone
/// and the start of the week are. Where that depends on them, it is not.
pub(super) fn is_within(inner: &Bounds, outer: &Bounds) -> bool {
    match (inner, outer) {
        (_, Bounds::Ever) => true,
        (Bounds::Ago(from, to), Bounds::Ago(outer_from, outer_to)) => {
            from <= outer_from && to >= outer_to
        }
        (Bounds::Calendar(n, unit, to), Bounds::Calendar(m, outer_unit, outer_to)) => {
            // Both end with the present instant, or where a unit begins.
            let ends_earlier = match (*to, *outer_to) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(to), Some(outer_to)) => {
                    begins_within(outer_to, *outer_unit, to, *unit)
                }
            };
            begins_within(*n, *unit, *m, *outer_unit) && ends_earlier
        }
        (Bounds::Between(from, to), Bounds::Between(outer_from, outer_to)) => {
            is_never_later(*outer_from, *from) && is_never_later(*to, *outer_to)
        }
        _ => false,
    }
}

/// Whether the first of the units, `n` before the present one, begins with or after the
/// first of the other units, `m` before the present one.
fn begins_within(n: u32, unit: CalendarUnit, m: u32, outer: CalendarUnit) -> bool {
    let (n, m) = (u64::from(n), u64::from(m));
    // How many days before today they begin: at most, and at least.
    let most = match unit {
        CalendarUnit::Day => n,
        CalendarUnit::Week => 7 * n + 6,
        CalendarUnit::Month => 31 * (n + 1) - 1,
        CalendarUnit::Quarter => 92 * (n + 1) - 1,
        CalendarUnit::Year => 366 * (n + 1) - 1,
    };
    let least = match outer {
        CalendarUnit::Day => m,
        CalendarUnit::Week => 7 * m,
        CalendarUnit::Month => 28 * m,
        CalendarUnit::Quarter => 90 * m,
        CalendarUnit::Year => 365 * m,
    };
    match (months(unit), months(outer)) {
        _ if unit == outer => n <= m,
        // The present unit may be the first of the longer one.
        (Some(short), Some(long)) if short <= long => n * short <= m * long,
        _ => most <= least,
    }
}

fn months(unit: CalendarUnit) -> Option<u64> {
    match unit {
        CalendarUnit::Day | CalendarUnit::Week => None,
        CalendarUnit::Month => Some(1),
        CalendarUnit::Quarter => Some(3),
        CalendarUnit::Year => Some(12),
    }
}

/// Whether the first end lies before or with the second, in every zone.
fn is_never_later(a: End, b: End) -> bool {
    match (a, b) {
        (End::Day(a), End::Day(b)) => a <= b,
        (End::Instant(a), End::Instant(b)) => a <= b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Moment, Span, Timestamp, Weekday, Zone};
    use crate::random::Random;
    use crate::rules::event::Window;

    #[test]
    fn windows_that_lie_in_others_do_so_at_all_times() {
        let mut windows = vec![Window::Ever];
        for days in [1, 7, 8, 30, 365] {
            windows.push(Window::Last(Span::days(days)));
            windows
                .push(Window::Ago { from: Span::days(days + 5), to: Span::days(days) });
        }
        for unit in CalendarUnit::ALL {
            for (from, to) in [(1, 0), (2, 1), (3, 1), (4, 2), (13, 1), (30, 29)] {
                windows.push(Window::CalendarAgo { from, to, unit });
            }
            for n in [0, 1, 2, 3, 4, 8, 12, 13, 31, 90, 366] {
                for include_current in [false, true] {
                    windows.push(Window::Calendar { n, unit, include_current });
                }
            }
        }
        let ends = ["2024-02-01", "2024-02-01T00:00Z", "2024-03-01", "2024-03-01T12:00Z"];
        for (from, to) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
            let (from, to) = (ends[from].into(), ends[to].into());
            windows.push(Window::Between { from, to });
        }
        let bounds: Vec<Bounds> =
            windows.iter().map(|window| Bounds::read(window).unwrap()).collect();
        let mut random = Random::new(1, 0);
        let weeks = [Weekday::Monday, Weekday::Wednesday, Weekday::Sunday];
        let moments: Vec<Moment> = (0..2000)
            .map(|i| {
                let day = random.below(1500) as i64 + 19_000;
                // Midnight, the last instant of a day, and any.
                let of_day = [0, 86_399_999, random.below(86_400_000) as i64][i % 3];
                let now = Timestamp::from_millis(day * 86_400_000 + of_day);
                let minutes = [0, 840, -720, 330][i % 4];
                Moment::new(now)
                    .zone(Zone::fixed(minutes).unwrap())
                    .week_start(weeks[random.below(3)])
            })
            .collect();
        let mut counts = [0; 2];
        for (inner, name) in bounds.iter().zip(&windows) {
            for (outer, outer_name) in bounds.iter().zip(&windows) {
                let is_in = |moment: &Moment| {
                    let (a, b) = (inner.range(moment), outer.range(moment));
                    a.is_empty() || b.start <= a.start && a.end <= b.end
                };
                if is_within(inner, outer) {
                    counts[0] += 1;
                    assert!(moments.iter().all(is_in), "{name:?} in {outer_name:?}");
                } else {
                    counts[1] += usize::from(!moments.iter().all(is_in));
                }
            }
        }
        // Of those that seem to lie in each other nearly all are known to.
        let n = windows.len() * windows.len();
        assert!(counts[0] > n / 8 && counts[0] + counts[1] > n * 9 / 10, "{counts:?}");
    }
}
