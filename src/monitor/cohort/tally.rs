//! From sorted transactions to the counts of a table.

use super::collect::{Row, RowCounts};
use super::options::CohortOptions;
use super::table::{Cohort, CohortCell, CohortReport, CohortTable};
use crate::data::Date;
use crate::error::{Error, Result};
use crate::history::Occasion;
use crate::monitor::activity::gather_customers;

/// Periods from the first purchase to the end of what was observed: a table of so many has
/// some 700,000 cells.
pub(super) const MOST_PERIODS: usize = 1_200;

/// What one cell comes to.
#[derive(Clone, Copy, Default)]
struct Cell {
    active: u64,
    purchases: u64,
    money: i128,
    /// Customers who were active here for the last time.
    last: u64,
    /// Customers whose unbroken run of active periods ends here.
    run_ends: u64,
}

/// What all customers of a block come to.
struct State {
    /// The cells of the first cohort, of the second, …: each has one less.
    cells: Vec<Cell>,
    /// By cohort, then bracket.
    brackets: Vec<u64>,
    refunds_before_first_purchase: u64,
    customers_without_purchase: u64,
}

/// The cohorts and periods of the table.
struct Frame<'a> {
    options: &'a CohortOptions,
    /// The number of the first period.
    first: i32,
    n_periods: usize,
    by_day: bool,
}

impl Frame<'_> {
    fn new_state(&self) -> State {
        let n = self.n_periods;
        State {
            cells: vec![Cell::default(); n * (n + 1) / 2],
            brackets: vec![0; n * self.options.brackets().len()],
            refunds_before_first_purchase: 0,
            customers_without_purchase: 0,
        }
    }

    /// Where the cells of a cohort begin.
    fn start(&self, cohort: usize) -> usize {
        // After rows of n, n - 1, … cells.
        cohort * self.n_periods - cohort * cohort.saturating_sub(1) / 2
    }

    fn period(&self, day: i32) -> usize {
        (self.options.period().index(Date::of_checked(day)) - self.first) as usize
    }

    /// Adds the rows of a customer, which are sorted by day.
    fn add(&self, state: &mut State, rows: &[Row]) {
        let Some(first) = rows.iter().find(|row| row.amount >= 0) else {
            state.customers_without_purchase += 1;
            return;
        };
        let cohort = self.period(first.day);
        let start = self.start(cohort);
        let cells = &mut state.cells[start..start + self.n_periods - cohort];
        let (mut last_day, mut last, mut run) = (None, None, None);
        let mut brackets = 0_u64;
        for row in rows {
            // Whatever came before the first purchase has no place in a cohort.
            if row.day < first.day {
                state.refunds_before_first_purchase += 1;
                continue;
            }
            let since = self.period(row.day) - cohort;
            let cell = &mut cells[since];
            cell.money += i128::from(row.amount);
            if row.amount < 0 {
                continue;
            }
            if !self.by_day || last_day != Some(row.day) {
                cell.purchases += 1;
            }
            last_day = Some(row.day);
            if last != Some(since) {
                cell.active += 1;
                if since == 0 || run.map(|run| run + 1) == Some(since) {
                    run = Some(since);
                }
                for (bit, bracket) in self.options.brackets().iter().enumerate() {
                    let within =
                        bracket.from as usize <= since && since <= bracket.to as usize;
                    brackets |= u64::from(within) << bit;
                }
                last = Some(since);
            }
        }
        // Whoever has a purchase has both.
        if let (Some(last), Some(run)) = (last, run) {
            cells[last].last += 1;
            cells[run].run_ends += 1;
        }
        let n = self.options.brackets().len();
        let of_cohort = &mut state.brackets[cohort * n..(cohort + 1) * n];
        for (bit, count) in of_cohort.iter_mut().enumerate() {
            *count += brackets >> bit & 1;
        }
    }

    /// The cohorts of the counts.
    fn cohorts(&self, state: &State, until: Date) -> Result<Vec<Cohort>> {
        let period = self.options.period();
        let n_brackets = self.options.brackets().len();
        let mut cohorts = Vec::with_capacity(self.n_periods);
        for cohort in 0..self.n_periods {
            let start = self.start(cohort);
            let counted = &state.cells[start..start + self.n_periods - cohort];
            let mut cells = Vec::with_capacity(counted.len());
            for (since, cell) in counted.iter().enumerate() {
                let index = self.first + (cohort + since) as i32;
                let money_minor = i64::try_from(cell.money)
                    .map_err(|_| too_much_money(period.start(index)))?;
                cells.push(CohortCell {
                    active: cell.active,
                    purchases: cell.purchases,
                    money_minor,
                    active_since: cell.last,
                    active_throughout: cell.run_ends,
                    complete: period.is_over(index, until),
                });
            }
            // From the end, so that both become "here or later".
            for at in (1..cells.len()).rev() {
                cells[at - 1].active_since += cells[at].active_since;
                cells[at - 1].active_throughout += cells[at].active_throughout;
            }
            let index = self.first + cohort as i32;
            let brackets =
                &state.brackets[cohort * n_brackets..(cohort + 1) * n_brackets];
            cohorts.push(Cohort::new(period.start(index), cells, brackets.to_vec()));
        }
        Ok(cohorts)
    }
}

pub(super) fn too_much_money(period: Date) -> Error {
    let what = format!("the money of the period that begins on {period}");
    Error::parameter(what, "within 64 bits in minor units", "more")
}

/// The first period and the number of periods up to `until`.
pub(super) fn n_periods(first: i32, until: i32) -> Result<usize> {
    let n = i64::from(until) - i64::from(first) + 1;
    match usize::try_from(n) {
        Ok(n) if n <= MOST_PERIODS => Ok(n),
        _ => {
            let what = "periods from the first purchase to `observed_until`";
            let expected = format!("at most {MOST_PERIODS}: choose longer ones");
            Err(Error::parameter(what, expected, n))
        }
    }
}

/// Counts rows that are sorted, none of them after `until`.
pub(super) fn tally(
    rows: &[Row],
    options: &CohortOptions,
    until: Date,
    counts: RowCounts,
    rows_after: u64,
) -> Result<CohortTable> {
    let purchases = rows.iter().filter(|row| row.amount >= 0);
    let first_day = purchases.map(|row| row.day).min();
    let period = options.period();
    // Without purchases there is no cohort.
    let (first, n_periods) = match first_day {
        Some(day) => {
            let first = period.index(Date::of_checked(day));
            (first, n_periods(first, period.index(until))?)
        }
        None => (0, 0),
    };
    let by_day = options.get_occasion() == Occasion::Days;
    let frame = Frame { options, first, n_periods, by_day };
    let state = gather_customers(
        rows,
        |row| row.customer,
        || frame.new_state(),
        |state, rows| frame.add(state, rows),
        |mut a, b| {
            for (a, b) in a.cells.iter_mut().zip(b.cells) {
                a.active += b.active;
                a.purchases += b.purchases;
                a.money += b.money;
                a.last += b.last;
                a.run_ends += b.run_ends;
            }
            for (a, b) in a.brackets.iter_mut().zip(b.brackets) {
                *a += b;
            }
            a.refunds_before_first_purchase += b.refunds_before_first_purchase;
            a.customers_without_purchase += b.customers_without_purchase;
            a
        },
    );
    let report = CohortReport {
        rows: counts.rows,
        refunds_dropped: counts.refunds_dropped,
        zero_rows_dropped: counts.zero_rows_dropped,
        rows_after,
        refunds_before_first_purchase: state.refunds_before_first_purchase,
        customers_without_purchase: state.customers_without_purchase,
    };
    let cohorts = frame.cohorts(&state, until)?;
    Ok(CohortTable::new(options.clone(), until, cohorts, report))
}
