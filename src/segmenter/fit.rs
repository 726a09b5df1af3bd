//! Learning a segmenter from a table.

use std::fmt;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{SegmentIndex, Segmenter};
use crate::data::Table;
use crate::error::{ErrorKind, Result};

/// Learns a segmenter from a table. Configuration types implement it; rules need no fit.
///
/// # Contract
/// 1. `fit` checks the parameters first, as [`validate`](Fit::validate) does.
/// 2. The configuration does not change; the same configuration on the same table gives
///    the same model, to the bit, for any number of threads.
/// 3. There is one label for each row of the table.
/// 4. Segments are in canonical order, which does not depend on the order of the rows or
///    on the seed: by weight, largest first, ties by their centres; or, where names are
///    given beforehand, in the order of the names.
/// 5. A row of weight 2 counts as two rows; a row of weight 0 does not count, but has a
///    label.
/// 6. Not converging is `report.converged == false`, not an error.
/// 7. When the observer answers `Break`, the result is an error of kind
///    [`ErrorKind::Cancelled`].
pub trait Fit: fmt::Debug + Send + Sync {
    /// What is learned.
    type Model: Segmenter;

    /// All checks of parameters that need no data.
    ///
    /// # Errors
    /// When a parameter is out of its range.
    fn validate(&self) -> Result<()>;

    /// Learns, telling `observer` how far the work is.
    ///
    /// # Errors
    /// When a parameter is out of range, the table lacks a feature or has a value that
    /// cannot be used, or the observer stops the work.
    fn fit_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self::Model>>;

    /// Learns, unobserved.
    ///
    /// # Errors
    /// As [`fit_with`](Fit::fit_with).
    fn fit(&self, table: &Table<'_>) -> Result<Fitted<Self::Model>> {
        self.fit_with(table, &mut ())
    }
}

/// The object-safe twin of [`Fit`], so that a host can choose the algorithm from its
/// configuration: `Vec<Box<dyn FitBoxed>>`. Every `Fit` has it.
pub trait FitBoxed: fmt::Debug + Send + Sync {
    /// As [`Fit::validate`].
    ///
    /// # Errors
    /// When a parameter is out of its range.
    fn validate_boxed(&self) -> Result<()>;

    /// As [`Fit::fit_with`].
    ///
    /// # Errors
    /// As [`Fit::fit_with`].
    fn fit_boxed(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Box<dyn Segmenter>>>;
}

impl<F: Fit> FitBoxed for F {
    fn validate_boxed(&self) -> Result<()> {
        self.validate()
    }

    fn fit_boxed(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Box<dyn Segmenter>>> {
        let fitted = self.fit_with(table, observer)?;
        Ok(fitted.map(|model| Box::new(model) as Box<dyn Segmenter>))
    }
}

/// A model with the labels of its training rows and a report.
#[derive(Clone, Debug)]
pub struct Fitted<M> {
    model: M,
    labels: Vec<Option<SegmentIndex>>,
    report: FitReport,
}

impl<M> Fitted<M> {
    /// Puts the three together.
    pub fn new(
        model: M,
        labels: Vec<Option<SegmentIndex>>,
        report: FitReport,
    ) -> Fitted<M> {
        Fitted { model, labels, report }
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The segment of each training row.
    pub fn labels(&self) -> &[Option<SegmentIndex>] {
        &self.labels
    }

    /// How the fit went.
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// The model alone.
    pub fn into_model(self) -> M {
        self.model
    }

    /// Model, labels and report.
    pub fn into_parts(self) -> (M, Vec<Option<SegmentIndex>>, FitReport) {
        (self.model, self.labels, self.report)
    }

    /// The same with another model.
    pub fn map<N>(self, change: impl FnOnce(M) -> N) -> Fitted<N> {
        Fitted { model: change(self.model), labels: self.labels, report: self.report }
    }
}

/// How a fit went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FitReport {
    /// Rows of the table.
    pub n_rows: usize,
    /// Iterations of the best run; 0 where there are none.
    pub n_iter: usize,
    /// False when the iterations ran out.
    pub converged: bool,
    /// What was minimised, at the end: for k-means the inertia, the *sum* of weighted
    /// squared distances.
    pub objective: Option<f64>,
    /// The seed, where one was used.
    pub seed: Option<u64>,
    /// What happened along the way and should be known.
    pub notes: Vec<Note>,
}

impl FitReport {
    /// A report of a fit without iterations.
    #[must_use]
    pub fn new(n_rows: usize) -> FitReport {
        FitReport {
            n_rows,
            n_iter: 0,
            converged: true,
            objective: None,
            seed: None,
            notes: Vec::new(),
        }
    }
}

/// Something that happened during a fit and should be known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Stable code, such as `empty-cluster-relocated`.
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl Note {
    /// A note with a code and a sentence.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Note {
        Note { code: code.into(), message: message.into() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// How far some work is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done: `k-means`, `linkage`, …
    pub stage: &'static str,
    /// Steps done.
    pub done: usize,
    /// Steps in all, at most.
    pub total: usize,
    /// What is being minimised, as of now.
    pub objective: Option<f64>,
}

impl Progress {
    /// `done` of at most `total` steps of a stage.
    #[must_use]
    pub const fn new(stage: &'static str, done: usize, total: usize) -> Progress {
        Progress { stage, done, total, objective: None }
    }

    /// With what is being minimised, as of now.
    #[must_use]
    pub const fn objective(mut self, objective: f64) -> Progress {
        self.objective = Some(objective);
        self
    }
}

/// Watches long work, and may stop it.
///
/// Every closure `FnMut(&Progress) -> ControlFlow<()>` is an observer; `()` is the one
/// that looks away.
pub trait Observer {
    /// Called between steps. `Break` stops the work with an error.
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()>;
}

impl Observer for () {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<F: FnMut(&Progress) -> ControlFlow<()>> Observer for F {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        self(progress)
    }
}

/// Tells the observer, and turns its `Break` into an error.
///
/// # Errors
/// [`ErrorKind::Cancelled`] when the observer breaks.
pub fn report_progress(observer: &mut dyn Observer, progress: &Progress) -> Result<()> {
    match observer.progress(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ErrorKind::Cancelled.into()),
    }
}
