//! What purchase models read of many customers.

use super::distinct::Distinct;
use super::history::PurchaseHistory;
use crate::error::{Error, ErrorKind, Result};
use crate::history::{Summary, TimeUnit};
use crate::parallel::for_each_block;

/// The histories of many customers, in one unit of time, with a weight for each where the
/// host gives one.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::{Ledger, LedgerOptions, TimeUnit};
/// use segmenta::lifetime::PurchaseHistories;
///
/// let mut ledger = Ledger::new(LedgerOptions::new())?;
/// ledger.add("ann", Date::from_ymd(2024, 1, 1)?, 10_00)?;
/// ledger.add("ann", Date::from_ymd(2024, 1, 15)?, 12_00)?;
/// let summary = ledger.summary(Date::from_ymd(2024, 1, 29)?)?;
/// let histories = PurchaseHistories::from_summary(&summary, TimeUnit::Week)?;
/// let ann = histories.get(0).unwrap();
/// assert_eq!((ann.frequency(), ann.age_at_last_purchase(), ann.age()), (1, 2.0, 4.0));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PurchaseHistories {
    unit: TimeUnit,
    rows: Vec<PurchaseHistory>,
    weights: Option<Vec<f64>>,
}

impl PurchaseHistories {
    /// Histories whose times are in this unit.
    #[must_use]
    pub fn new(unit: TimeUnit, histories: Vec<PurchaseHistory>) -> PurchaseHistories {
        PurchaseHistories { unit, rows: histories, weights: None }
    }

    /// Histories out of three columns: repeat purchases, age at the last purchase, age.
    ///
    /// # Errors
    /// When the columns are not equally long, or a row is not a
    /// [`PurchaseHistory`]; the error then names the row.
    pub fn from_columns(
        unit: TimeUnit,
        frequency: &[u64],
        age_at_last_purchase: &[f64],
        age: &[f64],
    ) -> Result<PurchaseHistories> {
        let n = frequency.len();
        for (what, found) in
            [("age_at_last_purchase", age_at_last_purchase.len()), ("age", age.len())]
        {
            if found != n {
                return Err(Error::length(what, n, found));
            }
        }
        let mut rows = vec![PurchaseHistory::new_customer(); n];
        for_each_block(&mut rows, 1 << 14, |from, rows| {
            for (row, to) in (from..).zip(rows) {
                *to = PurchaseHistory::new(
                    frequency[row],
                    age_at_last_purchase[row],
                    age[row],
                )
                .map_err(|e| e.at_row(row))?;
            }
            Ok::<(), Error>(())
        })?;
        Ok(PurchaseHistories::new(unit, rows))
    }

    /// The histories of a summary's customers, in its order.
    ///
    /// # Errors
    /// Not known to happen: a summary's days are in order.
    pub fn from_summary(summary: &Summary, unit: TimeUnit) -> Result<PurchaseHistories> {
        let rows = summary.iter().map(|customer| {
            PurchaseHistory::new(
                customer.repeat_frequency(),
                unit.of_days(customer.age_at_last_purchase()),
                unit.of_days(customer.age()),
            )
        });
        Ok(PurchaseHistories::new(unit, rows.collect::<Result<_>>()?))
    }

    /// The same with a weight for each customer: one of weight 2 counts as two.
    ///
    /// # Errors
    /// When there are not as many weights as customers, or one is negative or not finite.
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<PurchaseHistories> {
        if weights.len() != self.rows.len() {
            return Err(Error::length("weights", self.rows.len(), weights.len()));
        }
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(ErrorKind::Value {
                expected: "a weight of at least 0, and finite".into(),
                found: weights[row].to_string(),
                row: Some(row),
            }
            .into());
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// The unit of all times.
    #[must_use]
    pub fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// How many customers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there is no customer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The customer at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<PurchaseHistory> {
        self.rows.get(position).copied()
    }

    /// All customers.
    #[must_use]
    pub fn as_slice(&self) -> &[PurchaseHistory] {
        &self.rows
    }

    /// The weights, where there are some.
    #[must_use]
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// Equal histories as one, with the number of them as its weight.
    pub(super) fn distinct(&self) -> Result<Distinct> {
        Distinct::new(&self.rows, self.weights.as_deref())
    }
}
