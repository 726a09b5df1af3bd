//! Models of purchases and of spend, from columns, and these columns from transactions: all
//! that this harness calls of it.

use segmenta::Result;
use segmenta::data::{Column, Date, Ids, Table};
use segmenta::history::{Ledger, LedgerOptions, TimeUnit};
use segmenta::lifetime::{
    EstimationReport, GammaGamma, PurchaseHistories, PurchaseModelKind, SpendHistory,
    lifetime_table,
};

use crate::rfm::Transactions;

/// Columns of customers, times in weeks.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    /// Repeat purchases.
    pub frequency: Vec<u64>,
    /// The age at the last of them.
    pub last: Vec<f64>,
    pub age: Vec<f64>,
}

impl Histories {
    /// What models are asked about.
    pub fn read(&self) -> Result<PurchaseHistories> {
        PurchaseHistories::from_columns(
            TimeUnit::Week,
            &self.frequency,
            &self.last,
            &self.age,
        )
    }

    /// Maximum likelihood.
    pub fn fit(&self, kind: PurchaseModelKind) -> Result<EstimationReport> {
        Ok(kind.fit(&self.read()?)?.into_parts().1)
    }
}

/// Columns of customers who bought again.
#[derive(Clone, Debug, Default)]
pub struct Spend {
    /// Repeat purchases.
    pub frequency: Vec<u64>,
    /// Their mean value.
    pub mean: Vec<f64>,
}

impl Spend {
    /// Maximum likelihood.
    pub fn fit(&self) -> Result<EstimationReport> {
        let rows = self.frequency.iter().zip(&self.mean);
        let rows = rows.map(|(&purchases, &mean)| SpendHistory::new(purchases, mean));
        let rows = rows.collect::<Result<Vec<SpendHistory>>>()?;
        Ok(GammaGamma::fit(&rows)?.into_parts().1)
    }
}

/// What the models read of the customers of some transactions, in the order of their ids.
#[derive(Debug)]
pub struct Read {
    histories: PurchaseHistories,
    table: Table<'static>,
}

/// The state of every customer at the end of a day (since 1970-01-01). All of a day's
/// purchases are one.
pub fn read(transactions: &Transactions, end: i32) -> Result<Read> {
    let Transactions { customer, day, cents } = transactions;
    let mut ledger = Ledger::new(LedgerOptions::new())?;
    ledger.add_columns(customer, day, cents)?;
    let summary = ledger.summary(Date::from_days(end)?)?;
    Ok(Read {
        histories: PurchaseHistories::from_summary(&summary, TimeUnit::Week)?,
        table: lifetime_table(&summary, TimeUnit::Week)?,
    })
}

impl Read {
    pub fn customers(&self) -> Vec<i64> {
        match self.table.ids() {
            Ids::Numbers(ids) => ids.iter().map(|&id| id as i64).collect(),
            _ => Vec::new(),
        }
    }

    pub fn histories(&self) -> Histories {
        let rows = self.histories.as_slice();
        Histories {
            frequency: rows.iter().map(|row| row.frequency()).collect(),
            last: rows.iter().map(|row| row.age_at_last_purchase()).collect(),
            age: rows.iter().map(|row| row.age()).collect(),
        }
    }

    /// The mean spend on a repeat purchase; 0 where there is none.
    pub fn spend(&self) -> Vec<f64> {
        let feature = self.table.schema().index_of("mean_repeat_spend");
        match feature.and_then(|feature| self.table.column(feature)) {
            Some(Column::Number(means, _)) => means.iter().collect(),
            _ => Vec::new(),
        }
    }
}
