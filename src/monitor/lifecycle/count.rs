//! From days of activity to counts of states and of moves between them.

use super::state::{LifecycleOptions, LifecycleState, N_STATES};
use super::table::{Counts, Lifecycle, LifecyclePeriod, Moves};
use crate::data::Date;
use crate::error::{Error, Result};
use crate::monitor::activity::{Active, Activity, gather_customers};

const MOST_PERIODS: i64 = 100_000;

/// In which state the customers are in each period from that of `from` to that of `until`,
/// and how they move from one state to another.
///
/// A row is a customer and a day (counted from 1970-01-01) with activity: a purchase, a visit.
/// Rows come in any order, and more than one on a day are no more than one. Rows before `from`
/// count for the states: a customer from before is not new. Rows after `until` are left out
/// and counted. All customers with a row up to `until` are in every period, before their first
/// one as [`NotYet`](LifecycleState::NotYet), so that no customer enters or leaves the table.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::monitor::{LifecycleOptions, LifecycleState, Period, lifecycle};
///
/// let day = |text: &str| text.parse::<Date>().map(Date::days_since_epoch);
/// let customers = [1_u64, 1, 2, 1];
/// let days = [day("2024-01-05")?, day("2024-02-20")?, day("2024-02-21")?, day("2024-04-01")?];
/// let options = LifecycleOptions::new(Period::Month).dormant_after(1);
/// let life =
///     lifecycle(options, &customers, &days, "2024-01-01".parse()?, "2024-04-30".parse()?)?;
///
/// let february = &life.periods()[1];
/// assert_eq!(february.count(LifecycleState::New), 1); // customer 2
/// assert_eq!(february.count(LifecycleState::Current), 1);
/// let to_march = &life.moves()[1];
/// assert_eq!(to_march.left(), 2);
/// assert_eq!(life.moves()[2].returned(), 1); // customer 1 in April
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the options are not valid, the slices differ in length, a day lies outside the
/// calendar (the error names the row), or there would be no period or more than 100,000.
pub fn lifecycle<K: Copy + Into<u64>>(
    options: LifecycleOptions,
    customers: &[K],
    days: &[i32],
    from: Date,
    until: Date,
) -> Result<Lifecycle> {
    options.validate()?;
    let first = options.period.index(from);
    let n_periods = i64::from(options.period.index(until)) - i64::from(first) + 1;
    if until < from {
        return Err(Error::parameter("until", format!("{from} or later"), until));
    }
    if n_periods > MOST_PERIODS {
        let expected = format!("at most {MOST_PERIODS}");
        return Err(Error::parameter(
            "periods from `from` to `until`",
            expected,
            n_periods,
        ));
    }
    let activity = Activity::read(customers, days, until)?;
    let frame = Frame { options, first, n_periods: n_periods as usize };
    let state = gather_customers(
        &activity.rows,
        |row| row.customer,
        || frame.new_state(),
        |state, rows| frame.add(state, rows),
        |mut a, b| {
            for (a, b) in
                a.deltas.iter_mut().flatten().zip(b.deltas.into_iter().flatten())
            {
                *a += b;
            }
            for (a, b) in a.stays.iter_mut().flatten().zip(b.stays.into_iter().flatten())
            {
                *a += b;
            }
            let ours = a.moves.iter_mut().flatten().flatten();
            for (a, b) in ours.zip(b.moves.into_iter().flatten().flatten()) {
                *a += b;
            }
            a.customers += b.customers;
            a
        },
    );
    Ok(frame.lifecycle(state, until, activity.rows_after))
}

/// Counts that change where a stretch of one state begins and ends, so that a customer costs
/// as much as the active periods, and not as all periods.
struct State {
    customers: u64,
    /// By how much the number of customers in each state changes with each period.
    deltas: Vec<[i64; N_STATES]>,
    /// By how much the number of those who stay in a state from the period before changes.
    stays: Vec<[i64; N_STATES]>,
    /// Moves to each period from the one before, from a state to another one.
    moves: Vec<[[u64; N_STATES]; N_STATES]>,
}

struct Frame {
    options: LifecycleOptions,
    first: i32,
    n_periods: usize,
}

impl Frame {
    fn new_state(&self) -> State {
        let n = self.n_periods;
        State {
            customers: 0,
            deltas: vec![[0; N_STATES]; n + 1],
            stays: vec![[0; N_STATES]; n + 1],
            moves: vec![[[0; N_STATES]; N_STATES]; n],
        }
    }

    /// Adds the rows of a customer, in the order of their days.
    fn add(&self, state: &mut State, rows: &[Active]) {
        state.customers += 1;
        let end = i64::from(self.first) + self.n_periods as i64;
        // The stretch of one state that is open: the state and its first period.
        let mut open = (LifecycleState::NotYet, i64::MIN);
        let mut enter = |next: LifecycleState, at: i64| {
            if at < end && next != open.0 {
                self.add_stretch(state, open.0, open.1, at);
                // Those up to the first period meet in its place, which is not told.
                state.moves[self.place(at)][open.0.at()][next.at()] += 1;
                open = (next, at);
            }
        };
        let mut before: Option<i32> = None;
        let idle = |from: i32, until: i64, enter: &mut dyn FnMut(LifecycleState, i64)| {
            let options = &self.options;
            for after in [1, options.at_risk_after, options.dormant_after] {
                let at = i64::from(from) + i64::from(after);
                if at < until {
                    enter(options.when_idle(u64::from(after)), at);
                }
            }
        };
        for row in rows {
            let at = self.options.period.index(Date::of_checked(row.day));
            if before == Some(at) {
                continue;
            }
            if let Some(before) = before {
                idle(before, at.into(), &mut enter);
            }
            enter(self.options.when_active(before, at), at.into());
            before = Some(at);
        }
        if let Some(last) = before {
            idle(last, end, &mut enter);
        }
        let (last, since) = open;
        self.add_stretch(state, last, since, end);
    }

    /// Where a period stands, those before the first one in its place.
    fn place(&self, period: i64) -> usize {
        (period.max(self.first.into()) - i64::from(self.first)) as usize
    }

    /// A state from the period `from` to the one before `to`.
    fn add_stretch(&self, counts: &mut State, state: LifecycleState, from: i64, to: i64) {
        let (start, end) = (self.place(from), self.place(to));
        if start == end {
            return;
        }
        counts.deltas[start][state.at()] += 1;
        counts.deltas[end][state.at()] -= 1;
        // Who was there before the first period stays in the first one, too; that is not told.
        counts.stays[start + 1][state.at()] += 1;
        counts.stays[end][state.at()] -= 1;
    }

    fn lifecycle(&self, state: State, until: Date, rows_after: u64) -> Lifecycle {
        let period = self.options.period;
        let mut periods = Vec::with_capacity(self.n_periods);
        let mut moves: Vec<Moves> = Vec::with_capacity(self.n_periods);
        let (mut counts, mut stays) = ([0_i64; N_STATES], [0_i64; N_STATES]);
        for at in 0..self.n_periods {
            for s in 0..N_STATES {
                counts[s] += state.deltas[at][s];
                stays[s] += state.stays[at][s];
            }
            let index = self.first + at as i32;
            let start = period.start(index);
            let complete = period.is_over(index, until);
            // Never below 0: a stretch begins before it ends.
            let counts: Counts = counts.map(|count| count as u64);
            periods.push(LifecyclePeriod { start, complete, counts });
            if at > 0 {
                let mut counts = state.moves[at];
                for s in 0..N_STATES {
                    counts[s][s] += stays[s] as u64;
                }
                moves.push(Moves { to: start, complete, counts });
            }
        }
        Lifecycle::new(self.options, until, state.customers, rows_after, periods, moves)
    }
}
