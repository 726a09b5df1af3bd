//! Cohorts by period since the first purchase.

use serde::{Deserialize, Serialize};

use super::options::{Bracket, CohortOptions};
use super::tally::{n_periods, too_much_money};
use crate::data::Date;
use crate::error::{Error, Result};

/// How many of a cohort are retained in a period since their first purchase.
///
/// The period of the first purchase is 0. A customer is active in a period with at least one
/// purchase. Bracket retention, the share that was active at all in a stretch of periods, is
/// [`Cohort::bracket_retention`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Retention {
    /// Active in that very period (N-day retention).
    Classic,
    /// Active in that period or a later one that was observed (rolling retention). Near the
    /// end of what was observed it falls for lack of later periods, so compare cohorts by it
    /// only where they were watched equally long.
    Unbounded,
    /// Active in that period and in every one before it.
    Full,
}

/// A period of a cohort, of which at least the first day was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CohortCell {
    /// Customers with a purchase in the period.
    pub active: u64,
    /// Purchases.
    pub purchases: u64,
    /// Money in minor units: purchases less refunds.
    pub money_minor: i64,
    /// Customers with a purchase in the period or a later one that was observed.
    pub active_since: u64,
    /// Customers with a purchase in the period and in every one before it.
    pub active_throughout: u64,
    /// True when the period was observed to its end. Where it was not, its figures are those
    /// of a part, and lower for that reason.
    pub complete: bool,
}

/// The customers whose first purchase was in one period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    start: Date,
    customers: u64,
    cells: Vec<CohortCell>,
    brackets: Vec<u64>,
}

impl Cohort {
    pub(super) fn new(start: Date, cells: Vec<CohortCell>, brackets: Vec<u64>) -> Cohort {
        let customers = cells.first().map_or(0, |cell| cell.active);
        Cohort { start, customers, cells, brackets }
    }

    /// The first day of its period.
    #[must_use]
    pub fn start(&self) -> Date {
        self.start
    }

    /// How many customers it has.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.customers
    }

    /// Its periods from that of the first purchase to the last one that was observed.
    #[must_use]
    pub fn cells(&self) -> &[CohortCell] {
        &self.cells
    }

    /// The period `since` periods after that of the first purchase; `None` when it was not
    /// observed.
    #[must_use]
    pub fn cell(&self, since: usize) -> Option<&CohortCell> {
        self.cells.get(since)
    }

    /// The share that is retained, 0 to 1; `None` when the period was not observed or the
    /// cohort has no customers.
    #[must_use]
    pub fn retention(&self, kind: Retention, since: usize) -> Option<f64> {
        share(retained(self.cell(since)?, kind), self.customers)
    }

    /// The share that was active at all in the periods of a bracket, which is named by its
    /// position in the options. `None` when there is no such bracket, when its last period
    /// was not observed, or when the cohort has no customers.
    #[must_use]
    pub fn bracket_retention(
        &self,
        options: &CohortOptions,
        bracket: usize,
    ) -> Option<f64> {
        let Bracket { to, .. } = *options.brackets().get(bracket)?;
        self.cell(to as usize)?;
        share(*self.brackets.get(bracket)?, self.customers)
    }

    /// Money up to and including a period, in minor units, for each customer of the cohort,
    /// those included who did not come back: the value so far. `None` when the period was
    /// not observed or the cohort has no customers.
    #[must_use]
    pub fn cumulative_money_per_customer(&self, since: usize) -> Option<f64> {
        self.cell(since)?;
        let money: i128 =
            self.cells[..=since].iter().map(|cell| i128::from(cell.money_minor)).sum();
        (self.customers > 0).then(|| money as f64 / self.customers as f64)
    }
}

fn retained(cell: &CohortCell, kind: Retention) -> u64 {
    match kind {
        Retention::Classic => cell.active,
        Retention::Unbounded => cell.active_since,
        Retention::Full => cell.active_throughout,
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// One point of a curve over all cohorts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CurvePoint {
    /// Periods since that of the first purchase.
    pub since: usize,
    /// Cohorts with customers that were observed so long.
    pub cohorts: u64,
    /// Their customers.
    pub customers: u64,
    /// Those of them who are retained.
    pub retained: u64,
    /// The share of them, 0 to 1.
    pub rate: f64,
    /// Their money up to and including the period, in minor units, by customer.
    pub cumulative_money_per_customer: f64,
}

/// What a [`CohortTable`] was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CohortReport {
    /// Transactions accepted.
    pub rows: u64,
    /// Of these, refunds that were left out, for the options say so.
    pub refunds_dropped: u64,
    /// Transactions with an amount of 0 that were left out, for the options say so.
    pub zero_rows_dropped: u64,
    /// Kept transactions after the last day that was observed, left out.
    pub rows_after: u64,
    /// Refunds on a day before the customer's first purchase, left out: they belong to a
    /// purchase before the data begin, and to no cohort.
    pub refunds_before_first_purchase: u64,
    /// Customers with refunds and no purchase, left out.
    pub customers_without_purchase: u64,
}

/// Cohorts by the period of the first purchase, made by
/// [`Cohorts::table`](super::Cohorts::table).
///
/// Row by row it is the triangle that people expect: a cell for each period that was
/// observed, 0 where nobody came, and no cell where nobody can know yet. A period that is not
/// over is flagged. Tables over different customers [`merge`](CohortTable::merge) exactly. A
/// saved table is checked when it is read.
///
/// Whoever bought before the data begin looks like a new customer, so the first cohorts of
/// data that begin in the middle hold old customers, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "super::saved::Saved")]
pub struct CohortTable {
    options: CohortOptions,
    observed_until: Date,
    cohorts: Vec<Cohort>,
    report: CohortReport,
}

impl CohortTable {
    pub(super) fn new(
        options: CohortOptions,
        observed_until: Date,
        cohorts: Vec<Cohort>,
        report: CohortReport,
    ) -> CohortTable {
        CohortTable { options, observed_until, cohorts, report }
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &CohortOptions {
        &self.options
    }

    /// The last day that was observed.
    #[must_use]
    pub fn observed_until(&self) -> Date {
        self.observed_until
    }

    /// The cohorts, from the period of the first purchase of all to the last one that was
    /// observed; those without customers are among them.
    #[must_use]
    pub fn cohorts(&self) -> &[Cohort] {
        &self.cohorts
    }

    /// What the table was made of.
    #[must_use]
    pub fn report(&self) -> &CohortReport {
        &self.report
    }

    /// The curve over all cohorts: for each period since the first purchase, those retained
    /// among the customers of the cohorts that were observed so long. So cohorts count by
    /// their customers, and an unobserved cell counts nowhere. Later points are made of
    /// fewer and older cohorts, so the curve may rise.
    ///
    /// Without `include_partial` only cells of periods that are over count. Periods without
    /// any cohort are left out.
    #[must_use]
    pub fn retention_curve(
        &self,
        kind: Retention,
        include_partial: bool,
    ) -> Vec<CurvePoint> {
        // The money of each cohort up to the period at hand.
        let mut money = vec![0_i128; self.cohorts.len()];
        let mut points = Vec::new();
        for since in 0..self.cohorts.len() {
            for (money, cohort) in money.iter_mut().zip(&self.cohorts) {
                *money += cohort.cell(since).map_or(0, |cell| cell.money_minor.into());
            }
            let kept = |_: &Cohort, cell: &CohortCell| retained(cell, kind);
            points.extend(self.point(since, include_partial, kept, &money));
        }
        points
    }

    /// Bracket retention over all cohorts whose bracket was observed; its `since` is the last
    /// period of the bracket. `None` when there is no such bracket or no such cohort.
    #[must_use]
    pub fn bracket_point(
        &self,
        bracket: usize,
        include_partial: bool,
    ) -> Option<CurvePoint> {
        let to = self.options.brackets().get(bracket)?.to as usize;
        let so_far = |cohort: &Cohort| -> i128 {
            let cells = cohort.cells.iter().take(to.saturating_add(1));
            cells.map(|cell| i128::from(cell.money_minor)).sum()
        };
        let money: Vec<i128> = self.cohorts.iter().map(so_far).collect();
        self.point(to, include_partial, |cohort, _| cohort.brackets[bracket], &money)
    }

    fn point(
        &self,
        since: usize,
        include_partial: bool,
        retained: impl Fn(&Cohort, &CohortCell) -> u64,
        money_so_far: &[i128],
    ) -> Option<CurvePoint> {
        let (mut cohorts, mut customers, mut kept, mut money) = (0, 0, 0, 0_i128);
        for (cohort, so_far) in self.cohorts.iter().zip(money_so_far) {
            // Younger cohorts have no such cell either.
            let Some(cell) = cohort.cell(since) else { break };
            if cohort.customers > 0 && (cell.complete || include_partial) {
                cohorts += 1;
                customers += cohort.customers;
                kept += retained(cohort, cell);
                money += so_far;
            }
        }
        Some(CurvePoint {
            since,
            cohorts,
            customers,
            retained: kept,
            rate: share(kept, customers)?,
            cumulative_money_per_customer: money as f64 / customers as f64,
        })
    }

    /// Adds the table of other customers; both must be observed until the same day.
    ///
    /// # Errors
    /// When the options or the days differ, or a count or the money of a cell would not fit
    /// into 64 bits. Then nothing changes.
    pub fn merge(&mut self, other: &CohortTable) -> Result<()> {
        if self.options != other.options {
            let (expected, found) = (&self.options, &other.options);
            return Err(Error::parameter(
                "options of the other table",
                format!("{expected:?}"),
                format!("{found:?}"),
            ));
        }
        if self.observed_until != other.observed_until {
            return Err(Error::parameter(
                "`observed_until` of the other table",
                self.observed_until.to_string(),
                other.observed_until,
            ));
        }
        let report = merged_reports(&self.report, &other.report).ok_or_else(too_many)?;
        // Both end with the same period, so that the longer one holds all cohorts.
        let (long, short) = if self.cohorts.len() >= other.cohorts.len() {
            (&self.cohorts, &other.cohorts)
        } else {
            (&other.cohorts, &self.cohorts)
        };
        let mut cohorts = long.clone();
        let first = long.len() - short.len();
        for (cohort, more) in cohorts[first..].iter_mut().zip(short) {
            add(cohort, more, |since| self.start_of(more, since))?;
        }
        let all = cohorts.iter().try_fold(0_u64, |sum, c| sum.checked_add(c.customers));
        all.ok_or_else(too_many)?;
        (self.cohorts, self.report) = (cohorts, report);
        Ok(())
    }

    /// The first day of a cell's period.
    fn start_of(&self, cohort: &Cohort, since: usize) -> Date {
        let period = self.options.period();
        period.start(period.index(cohort.start).saturating_add(since as i32))
    }
}

fn add(to: &mut Cohort, more: &Cohort, start: impl Fn(usize) -> Date) -> Result<()> {
    let sum = |a: &mut u64, b: u64| {
        *a = a.checked_add(b).ok_or_else(too_many)?;
        Ok::<(), Error>(())
    };
    sum(&mut to.customers, more.customers)?;
    for (since, (cell, more)) in to.cells.iter_mut().zip(&more.cells).enumerate() {
        sum(&mut cell.active, more.active)?;
        sum(&mut cell.purchases, more.purchases)?;
        sum(&mut cell.active_since, more.active_since)?;
        sum(&mut cell.active_throughout, more.active_throughout)?;
        let money = cell.money_minor.checked_add(more.money_minor);
        cell.money_minor = money.ok_or_else(|| too_much_money(start(since)))?;
    }
    for (count, &more) in to.brackets.iter_mut().zip(&more.brackets) {
        sum(count, more)?;
    }
    Ok(())
}

fn merged_reports(a: &CohortReport, b: &CohortReport) -> Option<CohortReport> {
    Some(CohortReport {
        rows: a.rows.checked_add(b.rows)?,
        refunds_dropped: a.refunds_dropped.checked_add(b.refunds_dropped)?,
        zero_rows_dropped: a.zero_rows_dropped.checked_add(b.zero_rows_dropped)?,
        rows_after: a.rows_after.checked_add(b.rows_after)?,
        refunds_before_first_purchase: a
            .refunds_before_first_purchase
            .checked_add(b.refunds_before_first_purchase)?,
        customers_without_purchase: a
            .customers_without_purchase
            .checked_add(b.customers_without_purchase)?,
    })
}

fn too_many() -> Error {
    Error::parameter("the counts of both tables", "below 2^64 in all", "more")
}

/// Why a saved table contradicts itself, if it does.
pub(super) fn fault(
    options: &CohortOptions,
    until: Date,
    cohorts: &[Cohort],
) -> Result<Option<String>> {
    options.validate()?;
    let period = options.period();
    let last = period.index(until);
    let Some(first) = cohorts.first() else { return Ok(None) };
    let first = period.index(first.start);
    if n_periods(first, last)? != cohorts.len() {
        return Ok(Some(format!("it has {} cohorts", cohorts.len())));
    }
    let mut customers = 0_u64;
    for (index, cohort) in (first..).zip(cohorts) {
        let mut before = (cohort.customers, cohort.customers);
        let mut cells = (index..).zip(&cohort.cells).map(|(index, cell)| {
            let now = (cell.active_since, cell.active_throughout);
            let holds = cell.active_throughout <= cell.active
                && cell.active <= cell.active_since
                && now.0 <= before.0
                && now.1 <= before.1
                && cell.active <= cell.purchases
                && cell.complete == period.is_over(index, until);
            before = now;
            holds
        });
        let holds = cells.all(|holds| holds)
            && cohort.start == period.start(index)
            && cohort.cells.len() as i64 == i64::from(last) - i64::from(index) + 1
            && cohort.cells[0].active == cohort.customers
            && cohort.brackets.len() == options.brackets().len()
            && cohort.brackets.iter().all(|&count| count <= cohort.customers);
        match customers.checked_add(cohort.customers).filter(|_| holds) {
            Some(sum) => customers = sum,
            None => return Ok(Some(format!("the cohort of {}", cohort.start))),
        }
    }
    Ok(None)
}
