//! The clauses of [`Segmenter`].

use super::{Failure, ensure, hostile_customers, without_panic};
use crate::data::{
    Customer, CustomerId, Events, FeatureIndex, FeatureSpec, OwnedCustomer, Schema,
    StreamIndex, Table, Value,
};
use crate::error::Result as Fallible;
use crate::segmenter::{Assignment, Scratch, Segmenter, SegmenterExt};

/// What is compared: the answer to the bit, or the error's words.
type Answer = Result<(Option<usize>, u64, u64), String>;

fn bits(assignment: &Assignment) -> (Option<usize>, u64, u64) {
    let segment = assignment.segment().map(|s| s.get());
    (segment, assignment.cost().to_bits(), assignment.margin().to_bits())
}

fn answer(result: Fallible<Assignment>) -> Answer {
    result.as_ref().map(bits).map_err(ToString::to_string)
}

pub(super) fn ask(segmenter: &dyn Segmenter, customer: &dyn Customer) -> Answer {
    answer(segmenter.assign_with(customer, &mut Scratch::new()))
}

/// The cases that get an answer; a failure when there is none.
fn assignable<'c>(
    segmenter: &dyn Segmenter,
    cases: &'c [OwnedCustomer],
) -> Result<Vec<&'c OwnedCustomer>, Failure> {
    let good: Vec<&OwnedCustomer> =
        cases.iter().filter(|case| ask(segmenter, case).is_ok()).collect();
    let first_error = cases.first().and_then(|case| ask(segmenter, case).err());
    ensure(!good.is_empty(), || {
        format!(
            "none of the {} cases could be assigned, so nothing was tested; give `cases` \
             (first error: {})",
            cases.len(),
            first_error.unwrap_or_default()
        )
    })?;
    Ok(good)
}

fn table_of(
    segmenter: &dyn Segmenter,
    rows: &[&OwnedCustomer],
) -> Result<Table<'static>, Failure> {
    Table::from_customers(segmenter.schema(), rows)
        .map_err(|e| Failure::new(format!("the cases do not fit the schema: {e}")))
}

/// Clause 1: the same customer gets the same answer, whatever the scratch held.
pub fn is_pure(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    assignable(segmenter, cases)?;
    let mut used = Scratch::new();
    used.floats(10_000).fill(f64::NAN);
    for case in cases {
        let fresh = ask(segmenter, case);
        for (what, again) in [
            ("a second call", ask(segmenter, case)),
            ("a used scratch", answer(segmenter.assign_with(case, &mut used))),
        ] {
            ensure(again == fresh, || {
                format!(
                    "{what} changes the answer for {case:?}: {fresh:?}, then {again:?}"
                )
            })?;
        }
    }
    Ok(())
}

/// Clause 2: indices are in range, ids unique and not empty, shares between 0 and 1.
pub fn index_is_in_range(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let segments = segmenter.segments();
    crate::segmenter::check_segments(segments)
        .map_err(|e| Failure::new(e.to_string()))?;
    for case in assignable(segmenter, cases)? {
        if let Ok((Some(segment), ..)) = ask(segmenter, case) {
            ensure(segment < segments.len(), || {
                format!("segment {segment} of {} for {case:?}", segments.len())
            })?;
        }
    }
    Ok(())
}

/// Clause 3: `assign_table` equals `assign_with` row by row; a wrong length is an error.
pub fn table_equals_rows(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let rows = assignable(segmenter, cases)?;
    let table = table_of(segmenter, &rows)?;
    let all = segmenter.assign_all(&table).map_err(|e| {
        Failure::new(format!("assign_table refuses assignable rows: {e}"))
    })?;
    for (row, (case, assignment)) in rows.iter().zip(&all).enumerate() {
        let alone = ask(segmenter, case);
        ensure(alone == Ok(bits(assignment)), || {
            format!("row {row}: {alone:?} alone, but {:?} in the table", bits(assignment))
        })?;
    }
    let mut short = vec![Assignment::none(); rows.len() + 1];
    let refused = without_panic("assign_table with a wrong length", || {
        segmenter.assign_table(&table, &mut short).is_err()
    })?;
    ensure(refused, || "assign_table accepts an output of the wrong length".to_owned())
}

/// Clause 4: the explanation is of the same answer, and its contributions sum to the cost
/// and to the margin.
pub fn explanation_agrees(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    for case in assignable(segmenter, cases)? {
        let explanation = segmenter
            .explain(case)
            .map_err(|e| Failure::new(format!("explain refuses {case:?}: {e}")))?;
        let assignment = explanation.assignment;
        let asked = ask(segmenter, case);
        ensure(asked == Ok(bits(&assignment)), || {
            format!("assigned {asked:?}, but {:?} explained", bits(&assignment))
        })?;
        if let Some(next) = explanation.runner_up {
            ensure(next.get() < segmenter.segments().len(), || {
                format!("runner-up {} does not exist", next.get())
            })?;
        }
        if explanation.contributions.is_empty() {
            continue;
        }
        let cost: f64 = explanation.contributions.iter().map(|c| c.cost).sum();
        let margin: f64 = explanation.contributions.iter().map(|c| c.margin).sum();
        let scale = assignment.cost().abs() + margin.abs();
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * scale.max(1e-300);
        ensure(close(cost, assignment.cost()), || {
            format!("contributions sum to {cost}, but the cost is {}", assignment.cost())
        })?;
        if explanation.runner_up.is_some() {
            ensure(close(margin, assignment.margin()), || {
                format!("margins sum to {margin}, but it is {}", assignment.margin())
            })?;
        }
        let text =
            without_panic("Display of the explanation", || explanation.to_string())?;
        ensure(!text.is_empty(), || "the explanation prints nothing".to_owned())?;
    }
    Ok(())
}

/// Clause 5: no customer makes it panic.
pub fn never_panics(
    segmenter: &dyn Segmenter,
    _cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let mut out = vec![0.0; segmenter.segments().len()];
    for (case, _) in hostile_customers(segmenter.schema()) {
        let about = format!("{case:?}").chars().take(200).collect::<String>();
        let assigned = without_panic(&format!("assign_with on {about}"), || {
            segmenter.assign_with(&case, &mut Scratch::new())
        })?;
        let explained =
            without_panic(&format!("explain on {about}"), || segmenter.explain(&case))?;
        ensure(assigned.is_ok() == explained.is_ok(), || {
            format!("assign_with and explain do not agree whether {about} is an error")
        })?;
        without_panic(&format!("affinities_with on {about}"), || {
            segmenter.affinities_with(&case, &mut Scratch::new(), &mut out).is_ok()
        })?;
    }
    Ok(())
}

/// Clause 5: an error about one bad value names its feature; an answer has a cost and a
/// margin that are not NaN.
pub fn errors_name_the_feature(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let good = assignable(segmenter, cases)?;
    let bad = hostile_customers(segmenter.schema()).into_iter();
    for (hostile, name) in bad {
        let Some(name) = name else { continue };
        let Some(index) = segmenter.schema().index_of(&name) else { continue };
        // The other values, and the events, are those of a customer who gets an answer.
        let case = good[0].clone().set(&name, hostile.values()[index.get()].clone());
        let case = case.map_err(|e| Failure::new(e.to_string()))?;
        match segmenter.assign_with(&case, &mut Scratch::new()) {
            Ok(assignment) => {
                let (cost, margin) = (assignment.cost(), assignment.margin());
                ensure(!cost.is_nan() && !margin.is_nan(), || {
                    format!("cost {cost} and margin {margin} when `{name}` is bad")
                })?;
                if let Some(segment) = assignment.segment() {
                    ensure(segment.get() < segmenter.segments().len(), || {
                        format!("segment {} does not exist", segment.get())
                    })?;
                }
            }
            Err(error) => {
                ensure(error.to_string().contains(&format!("`{name}`")), || {
                    format!("the error about `{name}` does not name it: {error}")
                })?
            }
        }
    }
    Ok(())
}

/// Clause 6: affinities are between 0 and 1, and the assigned segment has the largest.
pub fn affinities_agree(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let n = segmenter.segments().len();
    for case in assignable(segmenter, cases)? {
        let affinities = segmenter
            .affinities(case)
            .map_err(|e| Failure::new(format!("affinities refuse {case:?}: {e}")))?;
        ensure(affinities.iter().all(|a| (0.0..=1.0).contains(a)), || {
            format!("affinities outside 0 to 1: {affinities:?}")
        })?;
        match ask(segmenter, case) {
            Ok((Some(segment), ..)) => {
                let own = affinities.get(segment).copied().unwrap_or(-1.0);
                ensure(affinities.iter().all(|&a| a <= own), || {
                    format!(
                        "segment {segment} is assigned, but affinities are {affinities:?}"
                    )
                })?;
            }
            _ => ensure(affinities.iter().all(|&a| a < 1.0), || {
                format!("no segment is assigned, but affinities are {affinities:?}")
            })?,
        }
        let mut wrong = vec![0.0; n + 1];
        let refused = without_panic("affinities_with a wrong length", || {
            segmenter.affinities_with(case, &mut Scratch::new(), &mut wrong).is_err()
        })?;
        ensure(refused, || {
            "affinities_with accepts an output of the wrong length".to_owned()
        })?;
    }
    Ok(())
}

/// A customer seen through the schema of another host: features in reverse order, after
/// one that the segmenter does not know.
struct Reversed<'c> {
    inner: &'c OwnedCustomer,
    schema: &'c Schema,
}

impl Customer for Reversed<'_> {
    fn id(&self) -> CustomerId<'_> {
        self.inner.id()
    }

    fn value(&self, feature: FeatureIndex) -> Value<'_> {
        match feature.get() {
            0 => Value::Number(0.0),
            i => match self.schema.len().checked_sub(i) {
                Some(at) => self.inner.value(FeatureIndex::new(at as u32)),
                None => Value::Missing,
            },
        }
    }

    fn events(&self, stream: StreamIndex) -> Events<'_> {
        match self.schema.streams().len().checked_sub(stream.get() + 1) {
            Some(at) => self.inner.events(StreamIndex::new(at as u32)),
            None => Events::none(),
        }
    }
}

fn reversed_schema(schema: &Schema) -> Result<Schema, Failure> {
    let first = FeatureSpec::number("a feature of the host alone");
    let features = std::iter::once(first).chain(schema.features().iter().rev().cloned());
    let builder = features.fold(Schema::builder(), |b, f| b.feature(f));
    let streams = schema.streams().iter().rev().cloned();
    let builder = streams.fold(builder, |b, s| b.stream(s));
    builder.build().map_err(|e| Failure::new(e.to_string()))
}

/// A host whose schema has another order gets the same answers, one by one and by table;
/// one whose schema lacks a feature gets an error.
pub fn binding_agrees(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let schema = segmenter.schema();
    let host = reversed_schema(schema)?;
    let bound = segmenter.bind(&host).map_err(|e| {
        Failure::new(format!("a schema with all features is refused: {e}"))
    })?;
    let rows = assignable(segmenter, cases)?;
    let views: Vec<Reversed<'_>> =
        rows.iter().map(|&inner| Reversed { inner, schema }).collect();
    let table = Table::from_customers(&host, views.iter())
        .map_err(|e| Failure::new(format!("the cases do not fit the schema: {e}")))?;
    let all = segmenter.assign_all(&table).map_err(|e| {
        Failure::new(format!("a table with more features is refused: {e}"))
    })?;
    for ((case, view), in_table) in rows.iter().zip(&views).zip(&all) {
        let asked = ask(segmenter, case);
        let through = answer(bound.assign_with(view, &mut Scratch::new()));
        ensure(asked == through, || format!("{asked:?}, but {through:?} when bound"))?;
        ensure(asked == Ok(bits(in_table)), || {
            format!("{asked:?}, but {:?} in a wider table", bits(in_table))
        })?;
    }
    if !schema.is_empty() {
        let empty = Schema::new([]).map_err(|e| Failure::new(e.to_string()))?;
        ensure(segmenter.bind(&empty).is_err(), || {
            "a schema without the features is accepted".to_owned()
        })?;
    }
    Ok(())
}

/// What [`Segmenter::capabilities`] states is so.
pub fn capabilities_hold(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let capabilities = segmenter.capabilities();
    let nobody = OwnedCustomer::new(segmenter.schema(), 0);
    if capabilities.accepts_missing {
        let asked = ask(segmenter, &nobody);
        ensure(asked.is_ok(), || format!("accepts missing values, but says {asked:?}"))?;
    }
    if !capabilities.may_leave_out {
        for case in assignable(segmenter, cases)? {
            ensure(matches!(ask(segmenter, case), Ok((Some(_), ..))), || {
                format!("leaves nobody out, but {case:?} has no segment")
            })?;
        }
    }
    Ok(())
}

/// Clause 3: a row's answer does not depend on its neighbours.
pub fn row_order_does_not_matter(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let rows = assignable(segmenter, cases)?;
    let reversed: Vec<&OwnedCustomer> = rows.iter().rev().copied().collect();
    let third: Vec<&OwnedCustomer> = rows.iter().step_by(3).copied().collect();
    for order in [reversed, third] {
        let table = table_of(segmenter, &order)?;
        let all =
            segmenter.assign_all(&table).map_err(|e| Failure::new(e.to_string()))?;
        for (case, assignment) in order.iter().zip(&all) {
            let alone = ask(segmenter, case);
            ensure(alone == Ok(bits(assignment)), || {
                format!("{alone:?} alone, but {:?} among others", bits(assignment))
            })?;
        }
    }
    Ok(())
}

/// Clause 1: many threads share the segmenter and get the same answers, and
/// `assign_table` gives the same bits in pools of 1, 2 and 7 threads (feature `rayon`).
pub fn threads_do_not_matter(
    segmenter: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let rows = assignable(segmenter, cases)?;
    // More rows than one block of the parallel path.
    let many: Vec<&OwnedCustomer> = rows.iter().cycle().take(3000).copied().collect();
    let table = table_of(segmenter, &many)?;
    let assign = || -> Result<Vec<_>, String> {
        let all = segmenter.assign_all(&table).map_err(|e| e.to_string())?;
        Ok(all.iter().map(bits).collect())
    };
    let expected = assign();
    for threads in [1, 2, 7] {
        let got = super::in_pool(threads, assign)?;
        ensure(got == expected, || format!("{threads} threads give other answers"))?;
    }
    Ok(())
}
