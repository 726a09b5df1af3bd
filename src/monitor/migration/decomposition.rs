//! What of a migration is movement, and what is new cut points.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::join::{check_length, join, nowhere, too_many};
use super::matrix::TransitionMatrix;
use crate::error::{Error, ErrorKind, Result};

/// The migration between two dates, split into what customers did and what new cut points did
/// to them.
///
/// Quantiles rank customers against each other. A model that is fitted anew at each date moves
/// a customer up because others fell, and whole segments keep their size whatever happens. So
/// the customers of the later date are labelled twice, by the model of the earlier date and by
/// the new one, and the change of each customer is a path of two steps:
///
/// | step | from | to |
/// |---|---|---|
/// | [`movement`](MigrationDecomposition::movement) | earlier date, earlier model | later date, earlier model |
/// | [`reranking`](MigrationDecomposition::reranking) | later date, earlier model | later date, later model |
/// | [`apparent`](MigrationDecomposition::apparent): both | earlier date, earlier model | later date, later model |
///
/// The first is what to act on. The labels of both models must mean the same segments. The
/// path is not the only one: the later model could be held fixed instead, and would share the
/// change out differently; the earlier model is the one by which the host acted in between.
///
/// ```
/// use segmenta::monitor::MigrationDecomposition;
///
/// // Orders were 1, 2, 3, 4; everybody but the first customer ordered two more. By the median
/// // of the first year all others are in the upper half now, by that of the second year none
/// // has moved.
/// let ids = [1, 2, 3, 4];
/// let first_year = ["low", "low", "high", "high"];
/// let by_old_median = ["low", "high", "high", "high"];
/// let by_new_median = ["low", "low", "high", "high"];
/// let change = MigrationDecomposition::of_customers(
///     (&ids, &first_year),
///     (&ids, &by_old_median, &by_new_median),
/// )?;
/// assert_eq!(change.movement().count(&"low", &"high"), 1);
/// assert_eq!(change.reranking().count(&"high", &"low"), 1);
/// assert_eq!(change.apparent().moved(), 0);
/// assert_eq!(change.totals().hidden, 1);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Saved<L>", try_from = "Saved<L>")]
#[serde(bound(
    serialize = "L: Ord + Clone + Serialize",
    deserialize = "L: Ord + Clone + Deserialize<'de>"
))]
pub struct MigrationDecomposition<L> {
    /// The paths that occur, with how many customers took them.
    paths: BTreeMap<Path<L>, u64>,
    movement: TransitionMatrix<L>,
    reranking: TransitionMatrix<L>,
    apparent: TransitionMatrix<L>,
    totals: MigrationTotals,
}

/// Where a customer was before, and where both models put her after; `None` for not there.
type Path<L> = (Option<L>, Option<(L, L)>);

/// What is saved of it: the rest follows from it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<L> {
    both: Vec<(L, L, L, u64)>,
    arrived: Vec<(L, L, u64)>,
    gone: Vec<(L, u64)>,
}

impl<L> From<MigrationDecomposition<L>> for Saved<L> {
    fn from(change: MigrationDecomposition<L>) -> Saved<L> {
        let mut saved = Saved { both: Vec::new(), arrived: Vec::new(), gone: Vec::new() };
        for (path, count) in change.paths {
            match path {
                (Some(a), Some((b, c))) => saved.both.push((a, b, c, count)),
                (None, Some((b, c))) => saved.arrived.push((b, c, count)),
                (Some(a), None) => saved.gone.push((a, count)),
                (None, None) => {}
            }
        }
        saved
    }
}

impl<L: Ord + Clone> TryFrom<Saved<L>> for MigrationDecomposition<L> {
    type Error = Error;

    fn try_from(saved: Saved<L>) -> Result<MigrationDecomposition<L>> {
        let both =
            saved.both.into_iter().map(|(a, b, c, n)| ((Some(a), Some((b, c))), n));
        let arrived =
            saved.arrived.into_iter().map(|(b, c, n)| ((None, Some((b, c))), n));
        let gone = saved.gone.into_iter().map(|(a, n)| ((Some(a), None), n));
        MigrationDecomposition::from_paths(both.chain(arrived).chain(gone))
    }
}

/// How the customers who were there at both dates changed. Each of them is in one of the
/// counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MigrationTotals {
    /// Neither moved nor ranked anew.
    pub unchanged: u64,
    /// Moved, and the new cut points agree.
    pub moved: u64,
    /// Did not move, and is elsewhere by new cut points only.
    pub reranked: u64,
    /// Moved, and new cut points moved her on.
    pub moved_and_reranked: u64,
    /// Moved, and new cut points put her back where she was, so that it does not show.
    pub hidden: u64,
}

impl MigrationTotals {
    /// Customers who were there at both dates.
    #[must_use]
    pub fn customers(&self) -> u64 {
        let changed = self.really_moved().saturating_add(self.reranked);
        self.unchanged.saturating_add(changed)
    }

    /// Customers who changed their segment by the earlier model.
    #[must_use]
    pub fn really_moved(&self) -> u64 {
        let seen = self.moved.saturating_add(self.moved_and_reranked);
        seen.saturating_add(self.hidden)
    }

    /// Customers who seem to have changed their segment where both models are compared.
    #[must_use]
    pub fn seem_moved(&self) -> u64 {
        let moved = self.moved.saturating_add(self.moved_and_reranked);
        moved.saturating_add(self.reranked)
    }

    /// The share of those who seem to have moved who did not; `None` when nobody seems to.
    #[must_use]
    pub fn share_fake(&self) -> Option<f64> {
        let seem = self.seem_moved();
        (seem > 0).then(|| self.reranked as f64 / seem as f64)
    }
}

impl fmt::Display for MigrationTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} customers: {} seem to have moved, {} of them by new cut points only; {} moved, \
             {} of them unseen",
            self.customers(),
            self.seem_moved(),
            self.reranked,
            self.really_moved(),
            self.hidden,
        )
    }
}

/// How the size of one segment changed:
/// `after = before + movement + arrived − gone + reranking`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentChange<L> {
    /// The segment.
    pub segment: L,
    /// Customers at the earlier date, by the earlier model.
    pub before: u64,
    /// Customers at the later date, by the later model.
    pub after: u64,
    /// Those who moved in less those who moved out, by the earlier model.
    pub movement: i128,
    /// Those who arrived in it, by the earlier model.
    pub arrived: u64,
    /// Those who were in it and are gone.
    pub gone: u64,
    /// Those whom new cut points put in less those whom they took out.
    pub reranking: i128,
}

impl<L: Ord + Clone> MigrationDecomposition<L> {
    /// Of customers who stand in the same row of three slices: their segment before, that
    /// after by the earlier model, and that after by the later one. `None` where a customer is
    /// not there; after, both models have the same customers.
    ///
    /// # Errors
    /// When the slices differ in length, or a row has a customer whom only one model has
    /// after, or who is there at neither date.
    pub fn from_labels(
        before: &[Option<L>],
        after: &[Option<L>],
        after_by_later: &[Option<L>],
    ) -> Result<MigrationDecomposition<L>> {
        check_length("the list of labels after", before.len(), after.len())?;
        let what = "the list of labels after by the later model";
        check_length(what, before.len(), after_by_later.len())?;
        let later = after.iter().zip(after_by_later).enumerate();
        let later = later.map(|(row, pair)| match pair {
            (Some(b), Some(c)) => Ok(Some((b, c))),
            (None, None) => Ok(None),
            _ => Err(Error::from(ErrorKind::Value {
                expected: "a customer whom both models have after, or neither".into(),
                found: "one whom only one of them has".to_owned(),
                row: Some(row),
            })),
        });
        let later = later.collect::<Result<Vec<_>>>()?;
        let rows = before.iter().map(Option::as_ref).zip(later);
        MigrationDecomposition::count_paths(rows)
    }

    /// Of customers by their ids, in any order: those of the earlier date with their segments,
    /// and those of the later date with their segments by the earlier model and by the later
    /// one.
    ///
    /// # Errors
    /// When ids and labels differ in number, or an id comes twice at a date.
    pub fn of_customers<K: Ord>(
        before: (&[K], &[L]),
        after: (&[K], &[L], &[L]),
    ) -> Result<MigrationDecomposition<L>> {
        let n = after.0.len();
        check_length("the list of labels before", before.0.len(), before.1.len())?;
        check_length("the list of labels after", n, after.1.len())?;
        check_length("the list of labels after by the later model", n, after.2.len())?;
        let rows = join(before.0, after.0)?;
        MigrationDecomposition::count_paths(rows.into_iter().map(|(i, j)| {
            (i.map(|i| &before.1[i]), j.map(|j| (&after.1[j], &after.2[j])))
        }))
    }

    #[allow(clippy::type_complexity, reason = "a path of borrowed labels")]
    fn count_paths<'l>(
        rows: impl Iterator<Item = (Option<&'l L>, Option<(&'l L, &'l L)>)>,
    ) -> Result<MigrationDecomposition<L>>
    where
        L: 'l,
    {
        let mut counts: BTreeMap<(Option<&L>, Option<(&L, &L)>), u64> = BTreeMap::new();
        for (row, path) in rows.enumerate() {
            if path == (None, None) {
                return Err(nowhere(Some(row)));
            }
            *counts.entry(path).or_insert(0) += 1;
        }
        MigrationDecomposition::from_paths(counts.into_iter().map(|((a, bc), n)| {
            ((a.cloned(), bc.map(|(b, c)| (b.clone(), c.clone()))), n)
        }))
    }

    fn from_paths(
        paths: impl IntoIterator<Item = (Path<L>, u64)>,
    ) -> Result<MigrationDecomposition<L>> {
        let mut counts: BTreeMap<Path<L>, u64> = BTreeMap::new();
        let mut total = 0_u64;
        for (path, count) in paths.into_iter().filter(|(_, count)| *count > 0) {
            total = total.checked_add(count).ok_or_else(too_many)?;
            *counts.entry(path).or_insert(0) += count;
        }
        let mut totals = MigrationTotals::default();
        for (path, n) in &counts {
            let (Some(a), Some((b, c))) = path else { continue };
            let place = match (a == b, b == c) {
                (true, true) => &mut totals.unchanged,
                (false, true) => &mut totals.moved,
                (true, false) => &mut totals.reranked,
                (false, false) if a == c => &mut totals.hidden,
                (false, false) => &mut totals.moved_and_reranked,
            };
            *place += n;
        }
        let one = |bc: &Option<(L, L)>| bc.as_ref().map(|(b, _)| b.clone());
        let two = |bc: &Option<(L, L)>| bc.as_ref().map(|(_, c)| c.clone());
        let paths = counts.iter();
        let movement = TransitionMatrix::from_cells(
            paths.clone().map(|((a, bc), n)| (a.clone(), one(bc), *n)),
        )?;
        let later = paths.clone().filter(|((_, bc), _)| bc.is_some());
        let reranking = TransitionMatrix::from_cells(
            later.map(|((_, bc), n)| (one(bc), two(bc), *n)),
        )?;
        let apparent = TransitionMatrix::from_cells(
            paths.map(|((a, bc), n)| (a.clone(), two(bc), *n)),
        )?;
        Ok(MigrationDecomposition {
            paths: counts,
            movement,
            reranking,
            apparent,
            totals,
        })
    }

    /// Adds the changes of other customers between the same dates and models.
    ///
    /// # Errors
    /// When the counts add up to 2⁶⁴ or more; then nothing changes.
    pub fn merge(&mut self, other: &MigrationDecomposition<L>) -> Result<()> {
        let both = self.paths.iter().chain(&other.paths);
        *self = MigrationDecomposition::from_paths(
            both.map(|(path, count)| (path.clone(), *count)),
        )?;
        Ok(())
    }

    /// How the sizes of all segments changed, in the order of the segments.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentChange<L>> {
        let mut segments: Vec<&L> = [&self.movement, &self.reranking]
            .into_iter()
            .flat_map(|matrix| matrix.segments())
            .collect();
        segments.sort_unstable();
        segments.dedup();
        let change = |segment: &L| {
            let (movement, reranking) = (&self.movement, &self.reranking);
            let (arrived, gone) = (movement.arrived(segment), movement.gone(segment));
            let (before, between) = (movement.before(segment), movement.after(segment));
            let after = reranking.after(segment);
            SegmentChange {
                segment: segment.clone(),
                before,
                after,
                movement: i128::from(between - arrived) - i128::from(before - gone),
                arrived,
                gone,
                reranking: i128::from(after) - i128::from(between),
            }
        };
        segments.into_iter().map(change).collect()
    }
}

impl<L> MigrationDecomposition<L> {
    /// What customers did: both dates by the earlier model, with who arrived and who is gone.
    #[must_use]
    pub fn movement(&self) -> &TransitionMatrix<L> {
        &self.movement
    }

    /// What the new cut points did: all customers of the later date, from the earlier model to
    /// the later one.
    #[must_use]
    pub fn reranking(&self) -> &TransitionMatrix<L> {
        &self.reranking
    }

    /// What shows where each date has its own model.
    #[must_use]
    pub fn apparent(&self) -> &TransitionMatrix<L> {
        &self.apparent
    }

    /// How the customers who were there at both dates changed.
    #[must_use]
    pub fn totals(&self) -> &MigrationTotals {
        &self.totals
    }
}
