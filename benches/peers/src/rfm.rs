//! Transactions to customers with RFM quintiles: all that this harness calls of it.

use segmenta::Result;
use segmenta::data::Date;
use segmenta::history::{LedgerOptions, Occasion, PurchaseTotals};
use segmenta::rfm::{Rfm, TiePolicy};
use segmenta::score::RfmScore;

/// Columns of transactions. A row is a purchase of its own.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    pub customer: Vec<u64>,
    /// Days since 1970-01-01.
    pub day: Vec<i32>,
    pub cents: Vec<i64>,
}

/// Columns of customers in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct Customers {
    pub last_day: Vec<i32>,
    pub frequency: Vec<i64>,
    pub cents: Vec<i64>,
    /// Quintiles of recency, frequency and money, 5 the best; as SQL's `NTILE(5)`.
    pub scores: [Vec<u32>; 3],
}

/// One row a customer, and its three scores.
pub fn rfm(transactions: &Transactions) -> Result<Customers> {
    let Transactions { customer, day, cents } = transactions;
    let mut totals = PurchaseTotals::new(LedgerOptions::new().occasion(Occasion::Rows))?;
    totals.add(customer, day, cents)?;
    let latest = Date::from_days(day.iter().copied().max().unwrap_or(0))?;
    let summary = totals.into_summary(latest)?;
    let last_day = summary.iter().map(|c| c.last().days_since_epoch()).collect();
    let frequency = summary.iter().map(|c| c.frequency() as i64).collect();
    let cents = summary.iter().map(|c| c.monetary_minor()).collect();
    let scored = Rfm::new().ties(TiePolicy::Ntile).score_table(&summary.into_table()?)?;
    let axes: [fn(&RfmScore) -> u32; 3] = [|s| s.r, |s| s.f, |s| s.m.unwrap_or_default()];
    let scores = axes.map(|axis| scored.scores().iter().map(axis).collect());
    Ok(Customers { last_day, frequency, cents, scores })
}
