//! The conformance kit: a third-party segmenter passes it, and each check fails on one
//! that was broken on purpose.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
#![cfg(feature = "testing")]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use segmenta::data::{
    Column, Customer, FeatureIndex, FeatureSpec, OwnedCustomer, Schema, Table, Value,
};
use segmenta::segmenter::{
    Assignment, Capabilities, Contribution, Explanation, Fit, FitReport, Fitted,
    Observer, Persist, Progress, Reason, Registry, Scratch, Segment, SegmentIndex,
    Segmenter, report_progress,
};
use segmenta::testing::{Failure, customers, fit, persist, segmenter};
use segmenta::{Error, ErrorKind, Result};

/// What is wrong with a [`Split`]. Healthy parts are shared, so that each fault is the
/// only difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Healthy,
    Forgetful,
    ReadsScratch,
    BeyondTheEnd,
    TwinIds,
    TableShifted,
    TableUnchecked,
    ExplainsAnother,
    WrongContribution,
    Panics,
    Anonymous,
    NanCost,
    GreedyAffinity,
    WrongAffinity,
    ReadsByPosition,
    ClaimsMissing,
    LeavesOut,
    SeesNeighbours,
    CountsThreads,
    LosesDigits,
    TrustsFiles,
    AnyVersion,
}

/// Splits customers at a threshold of one number: a segmenter as another crate would
/// write it.
#[derive(Debug)]
struct Split {
    schema: Schema,
    segments: Vec<Segment>,
    threshold: f64,
    fault: Fault,
    calls: AtomicUsize,
}

impl Split {
    fn new(threshold: f64, fault: Fault) -> Split {
        let schema =
            Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")])
                .unwrap();
        let second = if fault == Fault::TwinIds { "few" } else { "many" };
        let segments = vec![Segment::new("few", "Few"), Segment::new(second, "Many")];
        Split { schema, segments, threshold, fault, calls: AtomicUsize::new(0) }
    }

    fn orders(&self, customer: &dyn Customer) -> Result<f64> {
        let feature = || match self.fault {
            Fault::Anonymous => "something".to_owned(),
            _ => "orders".to_owned(),
        };
        match customer.value(FeatureIndex::new(0)) {
            Value::Number(x) if x.is_finite() => Ok(x),
            Value::Number(found) if self.fault == Fault::NanCost => Ok(found),
            Value::Number(found) => {
                Err(ErrorKind::NonFinite { feature: feature(), found, row: None }.into())
            }
            Value::Missing if self.fault == Fault::Panics => {
                panic!("nobody is without orders")
            }
            Value::Missing => {
                Err(ErrorKind::Missing { feature: feature(), row: None }.into())
            }
            other => Err(ErrorKind::WrongKind {
                feature: feature(),
                expected: "number",
                found: other.kind_name(),
                row: None,
            }
            .into()),
        }
    }

    fn decide(&self, orders: f64) -> Assignment {
        let many = orders >= self.threshold;
        if self.fault == Fault::LeavesOut && !many {
            return Assignment::none();
        }
        let beyond = if self.fault == Fault::BeyondTheEnd { 1 } else { 0 };
        let segment = SegmentIndex::new(u32::from(many) + beyond);
        let distance = if orders.is_nan() { f64::NAN } else { 0.25 * orders.abs() };
        Assignment::new(segment, distance, (orders - self.threshold).abs())
    }
}

impl Segmenter for Split {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment> {
        let orders = self.orders(customer)?;
        match self.fault {
            Fault::Forgetful => {
                let calls = self.calls.fetch_add(1, Ordering::Relaxed);
                Ok(self.decide(orders + calls as f64))
            }
            Fault::ReadsScratch if !scratch.floats(1)[0].is_finite() => {
                Ok(Assignment::certain(SegmentIndex::new(0)))
            }
            _ => Ok(self.decide(orders)),
        }
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let orders = self.orders(customer)?;
        let assignment = match self.fault {
            Fault::ExplainsAnother => Assignment::certain(SegmentIndex::new(0)),
            _ => self.decide(orders),
        };
        let reason = Reason::Nearest { costs: vec![assignment.cost(), 0.0] };
        let mut explanation = Explanation::new(assignment, reason);
        let too_much = if self.fault == Fault::WrongContribution { 1.0 } else { 0.0 };
        if self.fault != Fault::ExplainsAnother {
            explanation.contributions.push(Contribution {
                feature: "orders".to_owned(),
                value: orders.into(),
                typical: None,
                cost: assignment.cost() + too_much,
                margin: assignment.margin(),
            });
        }
        Ok(explanation.named(&self.segments))
    }

    fn assign_table(&self, table: &Table<'_>, out: &mut [Assignment]) -> Result<()> {
        if out.len() != table.len() && self.fault != Fault::TableUnchecked {
            return Err(Error::length("the output", table.len(), out.len()));
        }
        let position = match self.fault {
            Fault::ReadsByPosition => FeatureIndex::new(0),
            _ => self.schema.locate_in(table.schema())?.features()[0],
        };
        let threads = threads();
        for (row, place) in table.rows().zip(out.iter_mut()) {
            let at = match self.fault {
                Fault::TableShifted => (row.index() + 1) % table.len(),
                _ => row.index(),
            };
            let value = table.row(at).value(position);
            let Value::Number(mut orders) = value else {
                return Err(ErrorKind::Missing {
                    feature: "orders".to_owned(),
                    row: Some(row.index()),
                }
                .into());
            };
            if self.fault == Fault::SeesNeighbours && row.index() > 20 {
                orders += 0.5;
            }
            if self.fault == Fault::CountsThreads {
                orders += threads as f64;
            }
            *place = self.decide(orders);
        }
        Ok(())
    }

    fn affinities_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        if out.len() != self.segments.len() {
            return Err(Error::length("the output", self.segments.len(), out.len()));
        }
        let assignment = self.assign_with(customer, scratch)?;
        out.fill(match self.fault {
            Fault::WrongAffinity => 0.75,
            _ => 0.25,
        });
        if let Some(place) = assignment.segment().and_then(|s| out.get_mut(s.get())) {
            *place = match self.fault {
                Fault::GreedyAffinity => 1.5,
                _ => 0.5,
            };
        }
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().accepts_missing(self.fault == Fault::ClaimsMissing)
    }
}

fn threads() -> usize {
    #[cfg(feature = "rayon")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "rayon"))]
    1
}

impl Persist for Split {
    const KIND: &'static str = "acme.split";
    const VERSION: u32 = 1;
    type Repr = (f64, u8);

    fn to_repr(&self, _: &Registry) -> Result<(f64, u8)> {
        Ok((self.threshold, self.fault as u8))
    }

    fn from_repr(
        (threshold, fault): (f64, u8),
        schema: Schema,
        _: &Registry,
    ) -> Result<Split> {
        let faults = [Fault::LosesDigits, Fault::TrustsFiles, Fault::AnyVersion];
        let fault =
            faults.into_iter().find(|f| *f as u8 == fault).unwrap_or(Fault::Healthy);
        if schema.len() != 2 || !threshold.is_finite() {
            return Err(Error::corrupt(Self::KIND, "it does not split orders"));
        }
        if fault == Fault::TrustsFiles {
            assert!(threshold < 1e9, "nobody has so many orders");
        }
        let threshold =
            if fault == Fault::LosesDigits { threshold.round() } else { threshold };
        Ok(Split::new(threshold, fault))
    }

    fn upgrade(version: u32, document: serde_json::Value) -> Result<serde_json::Value> {
        let any = document.get(1).and_then(serde_json::Value::as_u64)
            == Some(Fault::AnyVersion as u64);
        if version == Self::VERSION || any {
            Ok(document)
        } else {
            Err(Error::corrupt(Self::KIND, "unknown version"))
        }
    }
}

segmenta::conformance!(a_third_party_segmenter, segmenter: Split::new(3.3, Fault::Healthy));
segmenta::conformance!(a_third_party_model, persist: Split::new(3.3, Fault::Healthy));

type Check = fn(&dyn Segmenter, &[OwnedCustomer]) -> std::result::Result<(), Failure>;

fn run(check: Check, fault: Fault) -> std::result::Result<(), Failure> {
    let split = Split::new(3.3, fault);
    check(&split, &customers(split.schema(), 40, 1))
}

#[test]
fn each_check_of_a_segmenter_finds_its_fault() {
    let checks: [(&str, Check, &[Fault]); 11] = [
        ("is_pure", segmenter::is_pure, &[Fault::Forgetful, Fault::ReadsScratch]),
        (
            "index_is_in_range",
            segmenter::index_is_in_range,
            &[Fault::BeyondTheEnd, Fault::TwinIds],
        ),
        (
            "table_equals_rows",
            segmenter::table_equals_rows,
            &[Fault::TableShifted, Fault::TableUnchecked],
        ),
        (
            "explanation_agrees",
            segmenter::explanation_agrees,
            &[Fault::ExplainsAnother, Fault::WrongContribution],
        ),
        ("never_panics", segmenter::never_panics, &[Fault::Panics]),
        (
            "errors_name_the_feature",
            segmenter::errors_name_the_feature,
            &[Fault::Anonymous, Fault::NanCost],
        ),
        (
            "affinities_agree",
            segmenter::affinities_agree,
            &[Fault::GreedyAffinity, Fault::WrongAffinity],
        ),
        ("binding_agrees", segmenter::binding_agrees, &[Fault::ReadsByPosition]),
        (
            "capabilities_hold",
            segmenter::capabilities_hold,
            &[Fault::ClaimsMissing, Fault::LeavesOut],
        ),
        (
            "row_order_does_not_matter",
            segmenter::row_order_does_not_matter,
            &[Fault::SeesNeighbours],
        ),
        (
            "threads_do_not_matter",
            segmenter::threads_do_not_matter,
            if cfg!(feature = "rayon") { &[Fault::CountsThreads] } else { &[] },
        ),
    ];
    for (name, check, faults) in checks {
        assert_eq!(run(check, Fault::Healthy), Ok(()), "{name} fails on a healthy one");
        for &fault in faults {
            assert!(run(check, fault).is_err(), "{name} does not find {fault:?}");
        }
    }
}

#[test]
fn a_check_that_could_test_nothing_fails() {
    let split = Split::new(3.3, Fault::Healthy);
    let nobody = vec![OwnedCustomer::new(split.schema(), 1)];
    assert!(segmenter::is_pure(&split, &nobody).is_err());
    assert!(persist::round_trip_is_exact(&split, &[]).is_err());
}

#[test]
fn each_check_of_a_saved_model_finds_its_fault() {
    type PersistCheck = fn(&Split, &[OwnedCustomer]) -> std::result::Result<(), Failure>;
    let checks: [(&str, PersistCheck, Fault); 3] = [
        ("round_trip_is_exact", persist::round_trip_is_exact, Fault::LosesDigits),
        ("forged_does_not_panic", persist::forged_does_not_panic, Fault::TrustsFiles),
        (
            "upgrade_knows_its_versions",
            persist::upgrade_knows_its_versions,
            Fault::AnyVersion,
        ),
    ];
    for (name, check, fault) in checks {
        let try_one = |fault| {
            let split = Split::new(3.3, fault);
            let cases = customers(split.schema(), 40, 1);
            check(&split, &cases)
        };
        assert_eq!(try_one(Fault::Healthy), Ok(()), "{name} fails on a healthy one");
        assert!(try_one(fault).is_err(), "{name} does not find {fault:?}");
    }
    let twin = TwinKind(Split::new(3.3, Fault::Healthy));
    assert!(persist::registry_agrees(&twin, &[]).is_err());
}

/// A model whose kind is taken.
#[derive(Debug)]
struct TwinKind(Split);

impl Segmenter for TwinKind {
    fn schema(&self) -> &Schema {
        self.0.schema()
    }

    fn segments(&self) -> &[Segment] {
        self.0.segments()
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        s: &mut Scratch,
    ) -> Result<Assignment> {
        self.0.assign_with(customer, s)
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        self.0.explain(customer)
    }
}

impl Persist for TwinKind {
    const KIND: &'static str = "segmenta.tree";
    const VERSION: u32 = 1;
    type Repr = (f64, u8);

    fn to_repr(&self, registry: &Registry) -> Result<(f64, u8)> {
        self.0.to_repr(registry)
    }

    fn from_repr(
        repr: (f64, u8),
        schema: Schema,
        registry: &Registry,
    ) -> Result<TwinKind> {
        Split::from_repr(repr, schema, registry).map(TwinKind)
    }
}

/// What is wrong with a [`MeanSplit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FitFault {
    Healthy,
    Invalid,
    ShortLabels,
    Restless,
    Dice,
    OtherLabels,
    FearsWeights,
    IgnoresWeights,
    CountsZeros,
    PanicsOnOne,
    Infinite,
    Deaf,
    CountsThreads,
    ReadsMemory,
}

/// Splits at the weighted mean of `orders`.
#[derive(Debug)]
struct MeanSplit {
    fault: FitFault,
    fits: AtomicUsize,
}

impl MeanSplit {
    fn new(fault: FitFault) -> MeanSplit {
        MeanSplit { fault, fits: AtomicUsize::new(0) }
    }
}

static DICE: AtomicUsize = AtomicUsize::new(0);

impl Fit for MeanSplit {
    type Model = Split;

    fn validate(&self) -> Result<()> {
        match self.fault {
            FitFault::Invalid => Err(Error::parameter("fault", "healthy", "invalid")),
            _ => Ok(()),
        }
    }

    fn fit_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Split>> {
        if self.fault == FitFault::Restless {
            self.fits.fetch_add(1, Ordering::Relaxed);
        }
        if self.fault == FitFault::Deaf {
            let _: ControlFlow<()> = observer.progress(&Progress::new("split", 0, 1));
        } else {
            report_progress(observer, &Progress::new("split", 0, 1))?;
        }
        let index = table.schema().require("orders")?;
        let Some(Column::Number(numbers, validity)) = table.column(index) else {
            return Err(Error::parameter("orders", "a number", "something else"));
        };
        if let Some(row) = (0..table.len()).find(|&row| !validity.is_valid(row)) {
            return Err(
                ErrorKind::Missing { feature: "orders".into(), row: Some(row) }.into()
            );
        }
        let weight = |row: usize| match (table.sample_weight(), self.fault) {
            (None, _) => 1.0,
            (Some(_), FitFault::IgnoresWeights) => 1.0 + row as f64,
            (Some(w), FitFault::CountsZeros) => {
                if w[row] == 0.0 {
                    0.5
                } else {
                    w[row]
                }
            }
            (Some(w), FitFault::FearsWeights) => w[row] + 1e-3 * row as f64,
            (Some(w), _) => w[row],
        };
        let total: f64 = (0..table.len()).map(weight).sum();
        if total <= 0.0 {
            let what = "rows".into();
            return Err(ErrorKind::TooFewRows { what, needed: 1, found: 0 }.into());
        }
        assert!(self.fault != FitFault::PanicsOnOne || table.len() > 1, "one row");
        let rows = numbers.iter().enumerate();
        let mut mean = rows.map(|(row, x)| weight(row) / total * x).sum::<f64>();
        if self.fault == FitFault::Dice {
            mean += DICE.fetch_add(1, Ordering::Relaxed) as f64;
        }
        if self.fault == FitFault::CountsThreads {
            mean += threads() as f64;
        }
        if self.fault == FitFault::ReadsMemory && numbers.as_slice().is_none() {
            mean = 0.0;
        }
        let mut model = Split::new(mean, Fault::Healthy);
        let labels: Vec<Option<SegmentIndex>> =
            numbers.iter().map(|x| model.decide(x).segment()).collect();
        let labels = match self.fault {
            FitFault::ShortLabels => labels[1..].to_vec(),
            FitFault::OtherLabels => labels.iter().rev().copied().collect(),
            _ => labels,
        };
        for (i, segment) in model.segments.iter_mut().enumerate() {
            let inside: f64 = labels
                .iter()
                .enumerate()
                .filter(|(_, label)| label.is_some_and(|l| l.get() == i))
                .map(|(row, _)| weight(row))
                .sum();
            segment.share = Some(inside / total);
        }
        let mut report = FitReport::new(table.len());
        if self.fault == FitFault::Infinite {
            report.objective = Some(numbers.iter().map(|x| x * x).sum());
        }
        Ok(Fitted::new(model, labels, report))
    }
}

fn orders_table() -> Table<'static> {
    let schema =
        Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")])
            .unwrap();
    let orders: Vec<f64> = (0..40_u32).map(|i| f64::from(i * i % 17)).collect();
    Table::builder(&schema, 40)
        .numbers("orders", orders)
        .flags("member", vec![true; 40])
        .build()
        .unwrap()
}

segmenta::conformance!(
    a_third_party_fit,
    fit: MeanSplit::new(FitFault::Healthy),
    table: orders_table()
);

#[test]
fn each_check_of_a_fit_finds_its_fault() {
    type FitCheck = fn(&MeanSplit, &Table<'_>) -> std::result::Result<(), Failure>;
    let rayon = cfg!(feature = "rayon");
    let checks: [(&str, FitCheck, Option<FitFault>); 13] = [
        ("validates", fit::validates, Some(FitFault::Invalid)),
        ("one_label_a_row", fit::one_label_a_row, Some(FitFault::ShortLabels)),
        (
            "configuration_is_unchanged",
            fit::configuration_is_unchanged,
            Some(FitFault::Restless),
        ),
        ("refit_is_identical", fit::refit_is_identical, Some(FitFault::Dice)),
        (
            "labels_are_assignments",
            fit::labels_are_assignments,
            Some(FitFault::OtherLabels),
        ),
        (
            "weight_one_is_neutral",
            fit::weight_one_is_neutral,
            Some(FitFault::FearsWeights),
        ),
        (
            "weight_two_is_two_rows",
            fit::weight_two_is_two_rows,
            Some(FitFault::IgnoresWeights),
        ),
        (
            "weight_zero_does_not_count",
            fit::weight_zero_does_not_count,
            Some(FitFault::CountsZeros),
        ),
        (
            "few_rows_do_not_panic",
            fit::few_rows_do_not_panic,
            Some(FitFault::PanicsOnOne),
        ),
        (
            "hostile_values_are_errors",
            fit::hostile_values_are_errors,
            Some(FitFault::Infinite),
        ),
        ("observer_can_stop", fit::observer_can_stop, Some(FitFault::Deaf)),
        (
            "threads_do_not_matter",
            fit::threads_do_not_matter,
            rayon.then_some(FitFault::CountsThreads),
        ),
        ("layouts_do_not_matter", fit::layouts_do_not_matter, None),
    ];
    let table = orders_table();
    for (name, check, fault) in checks {
        let healthy = check(&MeanSplit::new(FitFault::Healthy), &table);
        assert_eq!(healthy, Ok(()), "{name} fails on a healthy one");
        if let Some(fault) = fault {
            assert!(check(&MeanSplit::new(fault), &table).is_err(), "{name}: {fault:?}");
        }
    }
    // Two number columns: those of a row-major array do not lie in one slice.
    let schema = Schema::new(["orders", "visits"].map(FeatureSpec::number)).unwrap();
    let column: Vec<f64> = (0..40_u32).map(|i| f64::from(i * i % 17)).collect();
    let table = Table::builder(&schema, 40)
        .numbers("orders", column.clone())
        .numbers("visits", column)
        .build()
        .unwrap();
    let memory =
        fit::layouts_do_not_matter(&MeanSplit::new(FitFault::ReadsMemory), &table);
    assert!(memory.is_err());
}
