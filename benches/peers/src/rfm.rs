//! Transactions to customers with RFM quintiles: all that this harness calls of it.

use segmenta::Result;
use segmenta::data::Date;
use segmenta::history::{Ledger, LedgerOptions, Occasion};
use segmenta::rfm::{NTiles, TiePolicy};
use segmenta::score::Direction;

/// Columns of transactions. A row is a purchase of its own.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    pub customer: Vec<i64>,
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
    let mut ledger = Ledger::new(LedgerOptions::new().occasion(Occasion::Orders))?;
    let Transactions { customer, day, cents } = transactions;
    let mut latest = 0;
    for (i, ((&customer, &day), &cents)) in
        customer.iter().zip(day).zip(cents).enumerate()
    {
        ledger.add_order(customer as u64, Date::from_days(day)?, cents, i as u64)?;
        latest = latest.max(day);
    }
    let summary = ledger.summary(Date::from_days(latest)?)?;
    let last_day: Vec<i32> =
        summary.iter().map(|c| c.last().days_since_epoch()).collect();
    let frequency: Vec<i64> = summary.iter().map(|c| c.frequency() as i64).collect();
    let cents: Vec<i64> = summary.iter().map(|c| c.monetary_minor()).collect();
    let scores = [
        quintiles(last_day.iter().map(|&x| f64::from(x)).collect())?,
        quintiles(frequency.iter().map(|&x| x as f64).collect())?,
        quintiles(cents.iter().map(|&x| x as f64).collect())?,
    ];
    Ok(Customers { last_day, frequency, cents, scores })
}

fn quintiles(values: Vec<f64>) -> Result<Vec<u32>> {
    let higher = Direction::HigherIsBetter;
    Ok(NTiles::fit(&values, None, 5, higher, &TiePolicy::Ntile)?.1)
}
