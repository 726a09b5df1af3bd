//! The columns that lifetime tiers read.

use super::spend::SpendHistory;
use crate::data::{Basis, Column, CustomerId, FeatureSpec, Ids, Schema, Table, Validity};
use crate::error::Result;
use crate::history::{Summary, TimeUnit};

/// The customers of a summary as [`LifetimeTiers`](super::LifetimeTiers) read them: the
/// columns `repeat_purchases`, `age_at_last_purchase` and `age` in this unit, and
/// `mean_repeat_spend` in major units of money, missing where nobody bought again; and their
/// ids.
///
/// Beware of two words: what models of purchases call recency is the age at the last purchase,
/// and what they call frequency leaves out the first purchase. RFM means the time since the
/// last purchase, and counts all.
///
/// # Errors
/// Not known to happen: the columns fit the schema.
pub fn lifetime_table(summary: &Summary, unit: TimeUnit) -> Result<Table<'static>> {
    let mut spend = spend_feature();
    if let Some(currency) = summary.currency() {
        spend = spend.unit(currency);
    }
    let [x, last, age] = history_features(unit);
    let schema = Schema::new([x, last, age, spend])?;
    let n = summary.len();
    let mut columns = [const { Vec::new() }; 4];
    columns.iter_mut().for_each(|column| column.reserve_exact(n));
    let mut known = Vec::with_capacity(n);
    let mut numbers = Vec::new();
    let mut texts = Vec::new();
    for customer in summary.iter() {
        columns[0].push(customer.repeat_frequency() as f64);
        columns[1].push(unit.of_days(customer.age_at_last_purchase()));
        columns[2].push(unit.of_days(customer.age()));
        let mean = customer.mean_repeat_spend();
        columns[3].push(mean.unwrap_or(0.0));
        known.push(mean.is_some());
        match customer.id() {
            CustomerId::Number(id) => numbers.push(id),
            CustomerId::Text(id) => texts.push(id.to_owned()),
        }
    }
    let ids = if texts.is_empty() {
        Ids::Numbers(numbers.into())
    } else {
        Ids::Texts(texts.into())
    };
    let [x, last, age, mean] = columns;
    Table::builder(&schema, n)
        .numbers("repeat_purchases", x)
        .numbers("age_at_last_purchase", last)
        .numbers("age", age)
        .column(
            "mean_repeat_spend",
            Column::Number(mean.into(), Validity::Mask(known.into())),
        )
        .ids(ids)
        .build()
}

/// What models of purchases read of a customer.
pub(super) fn history_features(unit: TimeUnit) -> [FeatureSpec; 3] {
    let number = |name: &str| FeatureSpec::number(name).basis(Basis::Behavioural);
    [
        number("repeat_purchases").unit("purchases"),
        number("age_at_last_purchase").unit(unit.to_string()),
        number("age").unit(unit.to_string()),
    ]
}

/// What models of spend read of her.
pub(super) fn spend_feature() -> FeatureSpec {
    FeatureSpec::number("mean_repeat_spend").basis(Basis::Value)
}

/// The repeat purchases of a summary's customers with their mean value, as
/// [`GammaGamma`](super::GammaGamma) reads them, in the summary's order. Those who did not buy
/// again, or whose repeat purchases do not come to anything, are
/// [`SpendHistory::none`]; how many these are is told beside.
///
/// # Errors
/// Not known to happen: what is not a history is none.
pub fn spend_histories(summary: &Summary) -> Result<(Vec<SpendHistory>, usize)> {
    let mut worthless = 0;
    let histories = summary.iter().map(|customer| match customer.mean_repeat_spend() {
        Some(mean) if mean > 0.0 => SpendHistory::new(customer.repeat_frequency(), mean),
        Some(_) => {
            worthless += 1;
            Ok(SpendHistory::none())
        }
        None => Ok(SpendHistory::none()),
    });
    let histories = histories.collect::<Result<Vec<_>>>()?;
    Ok((histories, worthless))
}
