//! Numbers of customers and tables, all present.

use std::borrow::Cow;

use crate::data::{Column, Customer, FeatureIndex, FeatureSpec, Table, Value};
use crate::error::{ErrorKind, Result};

/// Feature `j` of a customer, as `spec` describes it.
pub(crate) fn number_of(
    customer: &dyn Customer,
    j: usize,
    spec: &FeatureSpec,
) -> Result<f64> {
    match customer.value(FeatureIndex::new(j as u32)) {
        Value::Number(x) if x.is_finite() => Ok(x),
        Value::Number(x) => Err(spec.non_finite(x, None)),
        Value::Missing => Err(spec.missing(None)),
        other => Err(spec.wrong_kind(other.kind_name(), None)),
    }
}

/// A column of numbers of a table, copied where its numbers are not neighbours.
pub(crate) fn numbers_of<'t>(
    table: &'t Table<'_>,
    index: FeatureIndex,
) -> Result<Cow<'t, [f64]>> {
    let spec = &table.schema().features()[index.get()];
    match table.column(index) {
        Some(Column::Number(numbers, validity)) => {
            if !validity.is_all()
                && let Some(row) = (0..table.len()).find(|&row| !validity.is_valid(row))
            {
                return Err(spec.missing(Some(row)));
            }
            let copied = || Cow::Owned(numbers.iter().collect());
            Ok(numbers.as_slice().map_or_else(copied, Cow::Borrowed))
        }
        _ => Err(ErrorKind::WrongKind {
            feature: spec.name().to_owned(),
            expected: "number",
            found: spec.kind().name(),
            row: None,
        }
        .into()),
    }
}
