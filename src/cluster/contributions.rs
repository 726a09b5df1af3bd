//! From encoded columns back to the host's features.

use crate::data::Customer;
use crate::encode::FittedEncoder;
use crate::segmenter::Contribution;

/// What each feature adds to the cost and to the margin: the sums over its encoded
/// columns, where `of_column` says what one of them adds. `typical` is an encoded row, the
/// centre of the segment.
pub(super) fn contributions(
    encoder: &FittedEncoder,
    customer: &dyn Customer,
    typical: &[f64],
    of_column: impl Fn(usize) -> (f64, f64),
) -> Vec<Contribution> {
    let schema = encoder.schema();
    let mut contributions: Vec<Contribution> = schema
        .indices()
        .zip(schema.features())
        .map(|(index, spec)| Contribution {
            feature: spec.name().to_owned(),
            value: customer.value(index).to_owned(),
            typical: Some(encoder.decode(index, typical)),
            cost: 0.0,
            margin: 0.0,
        })
        .collect();
    for (j, column) in encoder.columns().iter().enumerate() {
        let (cost, margin) = of_column(j);
        let contribution = &mut contributions[column.feature().get()];
        contribution.cost += cost;
        contribution.margin += margin;
    }
    contributions
}
