//! What the algorithms share: merges as they find them, and the observer.

use crate::error::Result;
use crate::segmenter::{Observer, Progress, report_progress};

/// A merge of the cluster that holds row `a` with the one that holds row `b`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) height: f64,
}

/// Tells an observer of every so many merges.
pub(super) struct Watch<'o> {
    observer: &'o mut dyn Observer,
    done: usize,
    total: usize,
}

impl<'o> Watch<'o> {
    const EVERY: usize = 256;

    /// Tells of the start.
    pub(super) fn start(total: usize, observer: &'o mut dyn Observer) -> Result<Self> {
        let watch = Watch { observer, done: 0, total };
        report_progress(watch.observer, &Progress::new("linkage", 0, total))?;
        Ok(watch)
    }

    /// Counts a merge.
    pub(super) fn step(&mut self) -> Result<()> {
        self.done += 1;
        if self.done.is_multiple_of(Self::EVERY) || self.done == self.total {
            return self.look();
        }
        Ok(())
    }

    /// Lets the observer stop the work between merges that are far apart in time.
    pub(super) fn look(&mut self) -> Result<()> {
        let progress = Progress::new("linkage", self.done, self.total);
        report_progress(self.observer, &progress)
    }
}
