//! Counts of states and of moves.

use serde::{Deserialize, Serialize};

use super::state::{LifecycleOptions, LifecycleState, N_STATES};
use crate::data::Date;
use crate::error::{Error, Result};

/// By state, in the order of [`LifecycleState::ALL`].
pub(super) type Counts = [u64; N_STATES];

/// How many customers are in which state in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LifecyclePeriod {
    /// Its first day.
    pub start: Date,
    /// True when it was observed to its end. Where it was not, some of those who seem to be
    /// at risk or dormant will yet come.
    pub complete: bool,
    /// Customers by state, in the order of [`LifecycleState::ALL`].
    pub counts: [u64; 6],
}

impl LifecyclePeriod {
    /// How many customers are in a state.
    #[must_use]
    pub fn count(&self, state: LifecycleState) -> u64 {
        self.counts[state.at()]
    }
}

/// How customers move from one period to the next: a matrix of transitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Moves {
    /// The first day of the later period.
    pub to: Date,
    /// True when the later period was observed to its end.
    pub complete: bool,
    /// Customers by the state before, then the state after, both in the order of
    /// [`LifecycleState::ALL`].
    pub counts: [[u64; 6]; 6],
}

impl Moves {
    /// How many customers went from one state to another, or stayed.
    #[must_use]
    pub fn count(&self, from: LifecycleState, to: LifecycleState) -> u64 {
        self.counts[from.at()][to.at()]
    }

    /// The share of those in the first state who are in the second one next, 0 to 1; `None`
    /// when nobody was in the first one.
    #[must_use]
    pub fn share(&self, from: LifecycleState, to: LifecycleState) -> Option<f64> {
        let all: u64 = self.counts[from.at()].iter().sum();
        (all > 0).then(|| self.count(from, to) as f64 / all as f64)
    }

    /// Customers who came for the first time.
    #[must_use]
    pub fn entered(&self) -> u64 {
        self.into(LifecycleState::New)
    }

    /// Customers who became dormant.
    #[must_use]
    pub fn left(&self) -> u64 {
        let stayed = self.count(LifecycleState::Dormant, LifecycleState::Dormant);
        self.into(LifecycleState::Dormant) - stayed
    }

    /// Customers who were dormant and came again.
    #[must_use]
    pub fn returned(&self) -> u64 {
        self.into(LifecycleState::Resurrected)
    }

    fn into(&self, state: LifecycleState) -> u64 {
        self.counts.iter().map(|row| row[state.at()]).sum()
    }
}

/// The states of all customers over time, made by [`lifecycle`](super::lifecycle).
///
/// In every period the counts add up to the number of customers; the rows of each matrix of
/// transitions add up to the counts of the period before, its columns to those of the later
/// one. Tables over different customers [`merge`](Lifecycle::merge) exactly. A saved table is
/// checked when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Lifecycle {
    options: LifecycleOptions,
    observed_until: Date,
    customers: u64,
    rows_after: u64,
    periods: Vec<LifecyclePeriod>,
    moves: Vec<Moves>,
}

/// What is read of a saved table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    options: LifecycleOptions,
    observed_until: Date,
    customers: u64,
    rows_after: u64,
    periods: Vec<LifecyclePeriod>,
    moves: Vec<Moves>,
}

impl TryFrom<Saved> for Lifecycle {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Lifecycle> {
        let Saved { options, observed_until, customers, rows_after, periods, moves } =
            saved;
        options.validate()?;
        let life = Lifecycle::new(
            options,
            observed_until,
            customers,
            rows_after,
            periods,
            moves,
        );
        match life.fault() {
            Some(what) => {
                Err(Error::corrupt("lifecycle", format!("{what} does not fit the rest")))
            }
            None => Ok(life),
        }
    }
}

impl Lifecycle {
    pub(super) fn new(
        options: LifecycleOptions,
        observed_until: Date,
        customers: u64,
        rows_after: u64,
        periods: Vec<LifecyclePeriod>,
        moves: Vec<Moves>,
    ) -> Lifecycle {
        Lifecycle { options, observed_until, customers, rows_after, periods, moves }
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &LifecycleOptions {
        &self.options
    }

    /// The last day that was observed.
    #[must_use]
    pub fn observed_until(&self) -> Date {
        self.observed_until
    }

    /// How many customers there are, in every period.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.customers
    }

    /// Rows after the last day, which were left out.
    #[must_use]
    pub fn rows_after(&self) -> u64 {
        self.rows_after
    }

    /// The periods, in order of time.
    #[must_use]
    pub fn periods(&self) -> &[LifecyclePeriod] {
        &self.periods
    }

    /// The moves to each period from the one before; so one less than periods.
    #[must_use]
    pub fn moves(&self) -> &[Moves] {
        &self.moves
    }

    /// Adds the states of other customers over the same periods.
    ///
    /// # Errors
    /// When options or periods differ, or counts add up to 2⁶⁴ or more; then nothing changes.
    pub fn merge(&mut self, other: &Lifecycle) -> Result<()> {
        let frame = |life: &Lifecycle| {
            let first = life.periods.first().map(|period| period.start);
            let first = first.unwrap_or(life.observed_until);
            let (options, until) = (&life.options, life.observed_until);
            format!("{options:?} from {first} until {until}")
        };
        let (ours, theirs) = (frame(self), frame(other));
        if ours != theirs {
            let what = "options and periods of the other lifecycle";
            return Err(Error::parameter(what, ours, theirs));
        }
        let sum = |a: u64, b: u64| {
            a.checked_add(b).ok_or_else(|| {
                let what = "the counts of both lifecycles";
                Error::parameter(what, "below 2^64 in all", "more")
            })
        };
        // No count is above the number of customers.
        let customers = sum(self.customers, other.customers)?;
        self.rows_after = sum(self.rows_after, other.rows_after)?;
        self.customers = customers;
        for (period, more) in self.periods.iter_mut().zip(&other.periods) {
            for (count, more) in period.counts.iter_mut().zip(more.counts) {
                *count += more;
            }
        }
        for (moves, more) in self.moves.iter_mut().zip(&other.moves) {
            let counts = moves.counts.iter_mut().flatten();
            for (count, more) in counts.zip(more.counts.iter().flatten()) {
                *count += more;
            }
        }
        Ok(())
    }

    /// What contradicts the rest, if anything does.
    fn fault(&self) -> Option<String> {
        let period = self.options.period;
        let (Some(first), Some(last)) = (self.periods.first(), self.periods.last())
        else {
            return Some("a table without periods".to_owned());
        };
        let (first, last) = (period.index(first.start), period.index(last.start));
        for (index, at) in (first..=i32::MAX).zip(&self.periods) {
            if total(at.counts.into_iter()) != Some(self.customers)
                || at.start != period.start(index)
                || at.complete != period.is_over(index, self.observed_until)
            {
                return Some(format!("the period of {}", at.start));
            }
        }
        if last != period.index(self.observed_until)
            || self.moves.len() + 1 != self.periods.len()
        {
            return Some("the number of periods".to_owned());
        }
        for (moves, pair) in self.moves.iter().zip(self.periods.windows(2)) {
            let holds = (0..N_STATES).all(|s| {
                total(moves.counts[s].into_iter()) == Some(pair[0].counts[s])
                    && total(moves.counts.iter().map(|row| row[s]))
                        == Some(pair[1].counts[s])
            });
            if !holds || moves.to != pair[1].start || moves.complete != pair[1].complete {
                return Some(format!("the moves to {}", moves.to));
            }
        }
        None
    }
}

fn total(mut counts: impl Iterator<Item = u64>) -> Option<u64> {
    counts.try_fold(0_u64, u64::checked_add)
}
