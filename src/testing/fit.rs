//! The clauses of [`Fit`].

use std::ops::ControlFlow;

use super::{Failure, ensure, without_panic};
use crate::data::{
    Column, Customer, FeatureKind, Numbers, OwnedCustomer, Table, Validity,
};
use crate::error::Result as Fallible;
use crate::segmenter::{
    Fit, Fitted, Progress, SegmentIndex, Segmenter, SegmenterExt, report_progress,
};

/// What is compared of a fit: labels, segments, assignments of the table to the bit.
#[derive(Debug, PartialEq)]
struct Outcome {
    labels: Vec<Option<SegmentIndex>>,
    segments: String,
    assignments: Vec<(Option<SegmentIndex>, u64, u64)>,
}

fn outcome<M: Segmenter>(
    fitted: &Fitted<M>,
    table: &Table<'_>,
) -> Result<Outcome, Failure> {
    let all = fitted
        .model()
        .assign_all(table)
        .map_err(|e| Failure::new(format!("the model refuses its own table: {e}")))?;
    let bits = |a: &crate::segmenter::Assignment| {
        (a.segment(), a.cost().to_bits(), a.margin().to_bits())
    };
    Ok(Outcome {
        labels: fitted.labels().to_vec(),
        segments: format!("{:?}", fitted.model().segments()),
        assignments: all.iter().map(bits).collect(),
    })
}

fn fit<F: Fit>(config: &F, table: &Table<'_>) -> Result<Fitted<F::Model>, Failure> {
    config
        .fit(table)
        .map_err(|e| Failure::new(format!("the table cannot be fitted: {e}")))
}

fn rebuilt(
    table: &Table<'_>,
    rows: &[usize],
    weights: Vec<f64>,
) -> Result<Table<'static>, Failure> {
    let failure = |e: crate::Error| Failure::new(e.to_string());
    let mut builder = Table::builder(table.schema(), rows.len()).sample_weight(weights);
    let copy = table.select_rows(rows).map_err(failure)?;
    for (spec, index) in copy.schema().features().iter().zip(copy.schema().indices()) {
        if let Some(column) = copy.column(index) {
            builder = builder.column(spec.name(), column.clone());
        }
    }
    builder.ids(copy.ids().clone()).build().map_err(failure)
}

/// Labels of `fitted` as a partition: equal for equal groups, whatever their numbers.
fn partition(labels: &[Option<SegmentIndex>]) -> Vec<usize> {
    labels
        .iter()
        .map(|label| labels.iter().position(|other| other == label).unwrap_or(0))
        .collect()
}

/// Clause 1: the configuration is valid, and says so.
pub fn validates<F: Fit>(config: &F, table: &Table<'_>) -> Result<(), Failure> {
    config
        .validate()
        .map_err(|e| Failure::new(format!("the configuration is invalid: {e}")))?;
    fit(config, table).map(drop)
}

/// Clause 3: there is a label for each row, of an existing segment.
pub fn one_label_a_row<F: Fit>(config: &F, table: &Table<'_>) -> Result<(), Failure> {
    let fitted = fit(config, table)?;
    let (labels, n) = (fitted.labels(), fitted.model().segments().len());
    ensure(labels.len() == table.len(), || {
        format!("{} labels for {} rows", labels.len(), table.len())
    })?;
    ensure(labels.iter().flatten().all(|label| label.get() < n), || {
        format!("a label is beyond the {n} segments: {labels:?}")
    })?;
    ensure(fitted.report().n_rows == table.len(), || {
        format!("the report counts {} rows", fitted.report().n_rows)
    })
}

/// Clause 2: the configuration does not change.
pub fn configuration_is_unchanged<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let before = format!("{config:?}");
    fit(config, table)?;
    ensure(before == format!("{config:?}"), || "fit changes the configuration".to_owned())
}

/// Clause 2: the same configuration and table give the same model.
pub fn refit_is_identical<F: Fit>(config: &F, table: &Table<'_>) -> Result<(), Failure> {
    let (first, second) = (fit(config, table)?, fit(config, table)?);
    ensure(outcome(&first, table)? == outcome(&second, table)?, || {
        "two fits differ".to_owned()
    })?;
    ensure(first.report() == second.report(), || "two reports differ".to_owned())
}

/// An inductive model assigns each training row its label.
pub fn labels_are_assignments<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let fitted = fit(config, table)?;
    if !fitted.model().capabilities().inductive {
        return Ok(());
    }
    let assigned = outcome(&fitted, table)?.assignments;
    for (row, (label, (segment, ..))) in fitted.labels().iter().zip(assigned).enumerate()
    {
        ensure(*label == segment, || {
            format!("row {row} has label {label:?}, but is assigned {segment:?}")
        })?;
    }
    Ok(())
}

/// Clause 5: weights of 1 change nothing.
pub fn weight_one_is_neutral<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let rows: Vec<usize> = (0..table.len()).collect();
    let copy = table.select_rows(&rows).map_err(|e| Failure::new(e.to_string()))?;
    if copy.sample_weight().is_some() {
        return Ok(());
    }
    let weighted = rebuilt(&copy, &rows, vec![1.0; rows.len()])?;
    let (plain, weighted) = (fit(config, &copy)?, fit(config, &weighted)?);
    ensure(outcome(&plain, table)? == outcome(&weighted, table)?, || {
        "weights of 1 change the model".to_owned()
    })
}

/// Clause 5: a weight of 2 counts as two rows: segments have the same shares, and the
/// rows the same groups, as when each such row is repeated.
pub fn weight_two_is_two_rows<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let rows: Vec<usize> = (0..table.len()).collect();
    let twice: Vec<usize> = rows.iter().flat_map(|&row| [row, row]).collect();
    let weighted = fit(config, &rebuilt(table, &rows, vec![2.0; rows.len()])?)?;
    let repeated = fit(config, &rebuilt(table, &twice, vec![1.0; twice.len()])?)?;
    let halves: Vec<_> = repeated.labels().iter().step_by(2).copied().collect();
    ensure(partition(weighted.labels()) == partition(&halves), || {
        "rows of weight 2 are grouped otherwise than rows that stand twice".to_owned()
    })?;
    ensure(same_shares(&weighted, &repeated), || {
        "shares differ between weights of 2 and repeated rows".to_owned()
    })
}

fn same_shares<M: Segmenter>(a: &Fitted<M>, b: &Fitted<M>) -> bool {
    let shares = |fitted: &Fitted<M>| -> Vec<Option<f64>> {
        fitted.model().segments().iter().map(|s| s.share).collect()
    };
    shares(a).iter().zip(shares(b)).all(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (a, b) => *a == b,
    })
}

/// Clause 5: a row of weight 0 does not count, but has a label.
pub fn weight_zero_does_not_count<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let rows: Vec<usize> = (0..table.len()).collect();
    let zero = |row: usize| row % 7 == 3;
    let kept: Vec<usize> = rows.iter().copied().filter(|&row| !zero(row)).collect();
    let weights = rows.iter().map(|&row| if zero(row) { 0.0 } else { 1.0 }).collect();
    let weighted = fit(config, &rebuilt(table, &rows, weights)?)?;
    let without = fit(config, &rebuilt(table, &kept, vec![1.0; kept.len()])?)?;
    ensure(weighted.labels().len() == table.len(), || {
        "rows of weight 0 have no label".to_owned()
    })?;
    let labels: Vec<_> = kept.iter().map(|&row| weighted.labels()[row]).collect();
    ensure(partition(&labels) == partition(without.labels()), || {
        "rows of weight 0 change how the others are grouped".to_owned()
    })?;
    ensure(same_shares(&weighted, &without), || {
        "rows of weight 0 change the shares".to_owned()
    })
}

/// Tables of no and of one row give an answer or an error, never a panic.
pub fn few_rows_do_not_panic<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let pick =
        |rows: &[usize]| table.select_rows(rows).map_err(|e| Failure::new(e.to_string()));
    let empty = pick(&[])?;
    let refused = without_panic("fit on no rows", || config.fit(&empty).is_err())?;
    ensure(refused, || "a table without rows is accepted".to_owned())?;
    let one = pick(&[0])?;
    without_panic("fit on one row", || config.fit(&one).is_ok())?;
    let same = pick(&vec![0; table.len()])?;
    without_panic("fit on equal rows", || config.fit(&same).is_ok())?;
    Ok(())
}

/// Enormous and missing values give a model whose answers are finite, or an error that
/// names the feature.
pub fn hostile_values_are_errors<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let schema = table.schema();
    for (spec, index) in schema.features().iter().zip(schema.indices()) {
        let Some(column) = table.column(index) else { continue };
        let mut altered = Vec::new();
        if let Column::Number(numbers, validity) = column {
            for huge in [f64::MAX, -f64::MAX, 1e200] {
                let mut values: Vec<f64> = numbers.iter().collect();
                if let Some(last) = values.last_mut() {
                    *last = huge;
                }
                altered.push(Column::Number(Numbers::from(values), validity.clone()));
            }
            let mut mask = vec![true; table.len()];
            if let Some(last) = mask.last_mut() {
                *last = false;
            }
            altered.push(Column::Number(numbers.clone(), Validity::Mask(mask.into())));
        }
        for column in altered {
            let mut builder = Table::builder(schema, table.len());
            for (other, i) in schema.features().iter().zip(schema.indices()) {
                let original = if i == index { Some(&column) } else { table.column(i) };
                if let Some(original) = original {
                    builder = builder.column(other.name(), original.clone());
                }
            }
            let hostile = builder.build().map_err(|e| Failure::new(e.to_string()))?;
            let name = spec.name();
            match without_panic(&format!("fit with a bad `{name}`"), || {
                config.fit(&hostile)
            })? {
                Ok(fitted) => {
                    let objective = fitted.report().objective.unwrap_or(0.0);
                    ensure(objective.is_finite(), || {
                        format!("the objective is {objective} with a bad `{name}`")
                    })?;
                    let all = fitted.model().assign_all(&hostile);
                    let finite = all.iter().flatten().all(|a| a.cost().is_finite());
                    ensure(finite, || {
                        format!("costs are not finite with a bad `{name}`")
                    })?;
                }
                Err(error) => {
                    let named = error.to_string().contains(&format!("`{name}`"));
                    ensure(named || !error.is_data() || error_is_global(&error), || {
                        format!("the error about `{name}` does not name it: {error}")
                    })?;
                }
            }
        }
    }
    Ok(())
}

/// Errors about the table as a whole, such as an overflow of a sum over all features.
fn error_is_global(error: &crate::Error) -> bool {
    matches!(
        error.kind(),
        crate::ErrorKind::Undefined { .. } | crate::ErrorKind::TooFewRows { .. }
    )
}

/// Clause 7: an observer that breaks stops the work with an error of its own kind.
pub fn observer_can_stop<F: Fit>(config: &F, table: &Table<'_>) -> Result<(), Failure> {
    let mut calls = 0;
    let mut stop = |_: &Progress| -> ControlFlow<()> {
        calls += 1;
        ControlFlow::Break(())
    };
    let stopped: Fallible<_> = config.fit_with(table, &mut stop).map(drop);
    match stopped {
        Err(error) => ensure(error.is_cancelled(), || {
            format!("stopped by the observer, but the error is {error}")
        }),
        Ok(()) => {
            ensure(calls == 0, || "goes on after the observer said stop".to_owned())
        }
    }?;
    // The helper that implementations call does what the clause says.
    let kept_on = report_progress(&mut (), &Progress::new("check", 0, 1));
    ensure(kept_on.is_ok(), || "the silent observer stops work".to_owned())
}

/// Clause 2: pools of 1, 2 and 7 threads give the same model (feature `rayon`).
pub fn threads_do_not_matter<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let expected = outcome(&fit(config, table)?, table)?;
    for threads in [1, 2, 7] {
        let got = super::in_pool(threads, || {
            fit(config, table).and_then(|fitted| outcome(&fitted, table))
        })??;
        ensure(got == expected, || format!("{threads} threads give another model"))?;
    }
    Ok(())
}

/// Row-major, column-major and copied columns give the same model.
pub fn layouts_do_not_matter<F: Fit>(
    config: &F,
    table: &Table<'_>,
) -> Result<(), Failure> {
    let schema = table.schema();
    let expected = outcome(&fit(config, table)?, table)?;
    if table.sample_weight().is_none() {
        let rows: Vec<OwnedCustomer> = table
            .rows()
            .map(|row| {
                let values = schema.indices().map(|i| row.value(i).to_owned()).collect();
                OwnedCustomer::with_values(schema, row.id(), values)
            })
            .collect::<Fallible<_>>()
            .map_err(|e| Failure::new(e.to_string()))?;
        let copied = Table::from_customers(schema, &rows)
            .map_err(|e| Failure::new(e.to_string()))?;
        ensure(outcome(&fit(config, &copied)?, table)? == expected, || {
            "copied rows give another model".to_owned()
        })?;
    }
    let all_numbers = schema.features().iter().all(|f| f.kind() == FeatureKind::Number);
    let (Ok(array), true, None) = (table.to_array(), all_numbers, table.sample_weight())
    else {
        return Ok(());
    };
    let mut columns = ndarray::Array2::zeros(ndarray::ShapeBuilder::f(array.dim()));
    columns.assign(&array);
    for (what, array) in [("row-major", &array), ("column-major", &columns)] {
        let lent = Table::from_array(schema, array.view())
            .map_err(|e| Failure::new(e.to_string()))?;
        ensure(outcome(&fit(config, &lent)?, table)? == expected, || {
            format!("a {what} array gives another model")
        })?;
    }
    Ok(())
}
