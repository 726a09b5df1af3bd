//! Scores 1 to `n` on one axis.

use serde::{Deserialize, Serialize};

use super::position::{by_position, starts};
use super::ties::{Distinct, Spread, TieReport};
use crate::data::check_weights;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::for_each_block;
use crate::quantile::between;
use crate::score::Direction;
use crate::simd::{self, Arithmetic, Kernel};

/// How values become scores 1 to `n`, and what customers with equal values get.
///
/// Let `N` be the number of customers (or their weight), and for a value `x` let `worse`
/// be the number of those with a worse value and `equal` of those with the same one; worse
/// is lower, or higher where lower is better.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TiePolicy {
    /// `1 + floor(n * worse / N)`.
    ///
    /// Equal values share a score, whatever the order of the rows and the unit of the
    /// values. Large ties leave scores empty: when half of the customers bought once, they
    /// all score 1 and nobody scores 2. When all are equal, all score 1. The cut points
    /// are the inverted distribution function at `k / n` (type 1 of Hyndman & Fan 1996).
    #[default]
    SameScore,
    /// `1 + floor(n * (worse + equal / 2) / N)`.
    ///
    /// As `SameScore`, but a tie has the score of its middle, so that it leaves empty
    /// scores on both sides. When all are equal, all have the middle score.
    MidRank,
    /// SQL's `NTILE(n) OVER (ORDER BY value, customer id)`, worst first: the first
    /// `N mod n` scores have one customer more than the others.
    ///
    /// Equal customers may get different scores, told apart by their ids alone; a table
    /// without ids has the row's number as id. Weights are refused.
    Ntile,
    /// pandas' `qcut(value.rank(method="first"), n)` on customers in the order of their
    /// ids, with the labels reversed where lower is better: the score is 1 + the number of
    /// `k` in `1..n` with `(rank - 1) n > (N - 1) k`.
    ///
    /// Equal customers may get different scores, as for `Ntile`, from which it differs
    /// where `n` does not divide `N`. Weights are refused.
    RankFirst,
    /// 1 + the number of cut points below the value, as pandas' `qcut`: the cut points are
    /// the quantiles `k / n` in type 7 of Hyndman & Fan (1996), the default of R and numpy,
    /// and a value on a cut point belongs to the interval below it.
    ///
    /// Scores are reversed where lower is better, so that a value on a cut point then has
    /// the better score. Cut points may coincide, which leaves scores empty instead of
    /// failing. When all are equal, all score 1, or `n` where lower is better. Weights must
    /// be whole numbers.
    Quantile7,
    /// The same intervals with cut points of the caller's: `n - 1` of them, ascending.
    /// Scores are then comparable over time.
    CutPoints(Vec<f64>),
}

impl TiePolicy {
    /// True when customers with equal values may get different scores.
    #[must_use]
    pub fn splits_ties(&self) -> bool {
        matches!(self, TiePolicy::Ntile | TiePolicy::RankFirst)
    }
}

/// A boundary between two scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutPoint {
    /// The boundary, in the units of the feature.
    pub value: f64,
    /// On which side the boundary itself lies.
    pub belongs: Side,
}

/// A side of a [`CutPoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The boundary belongs to the values above it.
    Above,
    /// The boundary belongs to the values below it.
    Below,
}

impl CutPoint {
    /// The least value that lies above.
    fn edge(&self) -> f64 {
        match self.belongs {
            Side::Above => self.value,
            Side::Below => self.value.next_up(),
        }
    }
}

/// The fitted scores of one axis: `n - 1` ascending cut points and a direction.
///
/// ```
/// use segmenta::rfm::{NTiles, TiePolicy};
/// use segmenta::score::Direction;
///
/// let orders = [1.0, 1.0, 1.0, 2.0, 7.0];
/// let (tiles, scores) =
///     NTiles::fit(&orders, None, 5, Direction::HigherIsBetter, &TiePolicy::SameScore)?;
/// assert_eq!(scores, [1, 1, 1, 4, 5]); // three customers tie: nobody scores 2 or 3
/// assert_eq!(tiles.score(2.0)?, 4);
/// assert_eq!(tiles.score(1000.0)?, 5);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "NTilesRepr")]
pub struct NTiles {
    direction: Direction,
    cut_points: Vec<CutPoint>,
    /// The least value that passes each cut point, so that all of them are asked with one
    /// kind of comparison. Derived, not saved.
    #[serde(skip)]
    edges: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NTilesRepr {
    direction: Direction,
    cut_points: Vec<CutPoint>,
}

impl TryFrom<NTilesRepr> for NTiles {
    type Error = Error;

    fn try_from(repr: NTilesRepr) -> Result<NTiles> {
        NTiles::from_cut_points(repr.cut_points, repr.direction)
    }
}

/// One axis of a table, for fitting.
pub(super) struct AxisData<'v> {
    pub(super) values: &'v [f64],
    pub(super) weights: Option<&'v [f64]>,
    /// The place of each row in the order of the ids; `None` when rows are in that order.
    pub(super) id_order: Option<&'v [u32]>,
    pub(super) direction: Direction,
    pub(super) n_tiles: u32,
}

impl NTiles {
    /// Scores by the values of many customers, and the score of each. `values` are in the
    /// order of the customers' ids, where the policy looks at it; `weights` say how much
    /// each row counts.
    ///
    /// Values that stand in several places need not be brought together for this: a list
    /// of different values with how often each occurs is made anywhere, and such lists
    /// merge by adding up. The different values, with their counts as weights, have the
    /// same cut points as all values have; policies that split ties are the exception.
    ///
    /// # Errors
    /// When `n_tiles` is not 2 to 1000; when there is no row of positive weight; when a
    /// value is not finite or a weight negative or not finite; when the policy refuses the
    /// weights, or its cut points do not ascend or are not `n_tiles - 1`.
    pub fn fit(
        values: &[f64],
        weights: Option<&[f64]>,
        n_tiles: u32,
        direction: Direction,
        policy: &TiePolicy,
    ) -> Result<(NTiles, Vec<u32>)> {
        if !values.iter().fold(true, |all, x| all & x.is_finite())
            && let Some(row) = values.iter().position(|x| !x.is_finite())
        {
            return Err(ErrorKind::NonFinite {
                feature: "values".to_owned(),
                found: values[row],
                row: Some(row),
            }
            .into());
        }
        if let Some(weights) = weights {
            check_weights("`weights`", weights, values.len())?;
        }
        check_policy("ties", policy, n_tiles)?;
        let data = AxisData { values, weights, id_order: None, direction, n_tiles };
        let (tiles, scores, _) = fit_scores(&data, policy, false)?;
        Ok((tiles, scores))
    }

    /// Scores by stated cut points, ascending. Where two coincide, one that belongs above
    /// comes first.
    ///
    /// # Errors
    /// When there is none or more than 999, one is not finite, or they do not ascend.
    pub fn from_cut_points(
        cut_points: Vec<CutPoint>,
        direction: Direction,
    ) -> Result<NTiles> {
        check_n_tiles("cut points + 1", (cut_points.len() as u64).saturating_add(1))?;
        if let Some(cut) = cut_points.iter().find(|cut| !cut.value.is_finite()) {
            return Err(Error::parameter("cut_points", "finite", cut.value));
        }
        let rank = |cut: &CutPoint| (cut.value, cut.belongs);
        if let Some(pair) = cut_points.windows(2).find(|w| rank(&w[0]) > rank(&w[1])) {
            let found = format!("{} after {}", pair[1].value, pair[0].value);
            return Err(Error::parameter("cut_points", "ascending", found));
        }
        let edges = cut_points.iter().map(CutPoint::edge).collect();
        Ok(NTiles { direction, cut_points, edges })
    }

    /// The score of a value, 1 to [`n_tiles`](NTiles::n_tiles).
    ///
    /// # Errors
    /// When the value is not finite.
    pub fn score(&self, x: f64) -> Result<u32> {
        if x.is_finite() {
            Ok(self.score_finite(x))
        } else {
            let feature = "value".to_owned();
            Err(ErrorKind::NonFinite { feature, found: x, row: None }.into())
        }
    }

    #[inline]
    pub(super) fn score_finite(&self, x: f64) -> u32 {
        let passed = self.passed(x);
        match self.direction {
            Direction::HigherIsBetter => passed + 1,
            Direction::LowerIsBetter => self.n_tiles() - passed,
        }
    }

    /// The scores of finite values.
    pub(super) fn scores(&self, values: &[f64]) -> Result<Vec<u32>> {
        let mut scores = vec![0; values.len()];
        for_each_block(&mut scores, 1 << 14, |from, scores| {
            let values = &values[from..from + scores.len()];
            simd::run(Scoring { tiles: self, values, scores });
            Ok::<(), Error>(())
        })?;
        Ok(scores)
    }

    /// How many cut points lie below the value.
    #[inline]
    fn passed(&self, x: f64) -> u32 {
        let above = |edge: f64| u32::from(x >= edge);
        // To ask a few of them all has no branches, and is quicker than halving.
        match self.edges[..] {
            [a, b, c, d] => above(a) + above(b) + above(c) + above(d),
            ref few if few.len() <= 16 => few.iter().map(|&edge| above(edge)).sum(),
            ref many => many.partition_point(|&edge| x >= edge) as u32,
        }
    }

    /// The ends of the interval that a value lies in; `None` where it has no end.
    #[must_use]
    pub fn interval(&self, x: f64) -> (Option<f64>, Option<f64>) {
        let above = self.passed(x) as usize;
        let from = above.checked_sub(1).and_then(|below| self.cut_points.get(below));
        (from.map(|cut| cut.value), self.cut_points.get(above).map(|cut| cut.value))
    }

    /// The highest score.
    #[must_use]
    pub fn n_tiles(&self) -> u32 {
        self.cut_points.len() as u32 + 1
    }

    /// The end that is good.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The boundaries between the scores, ascending.
    #[must_use]
    pub fn cut_points(&self) -> &[CutPoint] {
        &self.cut_points
    }
}

/// Scores of many values.
struct Scoring<'a> {
    tiles: &'a NTiles,
    values: &'a [f64],
    scores: &'a mut [u32],
}

impl Kernel for Scoring<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let rows = self.scores.iter_mut().zip(self.values);
        // Higher is better: 1 + those passed; lower is better: n - those passed.
        let n = self.tiles.n_tiles();
        let higher = self.tiles.direction == Direction::HigherIsBetter;
        let score = |passed: u32| if higher { passed + 1 } else { n - passed };
        if let [a, b, c, d] = self.tiles.edges[..] {
            for (to, &x) in rows {
                let above = |edge: f64| u32::from(x >= edge);
                *to = score(above(a) + above(b) + above(c) + above(d));
            }
        } else {
            for (to, &x) in rows {
                *to = self.tiles.score_finite(x);
            }
        }
    }
}

pub(super) fn check_n_tiles(name: &'static str, n_tiles: u64) -> Result<()> {
    if (2..=1000).contains(&n_tiles) {
        Ok(())
    } else {
        Err(Error::parameter(name, "2 to 1000", n_tiles))
    }
}

/// What of a policy can be checked without data.
pub(super) fn check_policy(
    name: &'static str,
    policy: &TiePolicy,
    n_tiles: u32,
) -> Result<()> {
    check_n_tiles("n_tiles", n_tiles.into())?;
    if let TiePolicy::CutPoints(values) = policy {
        if values.len() as u64 + 1 != u64::from(n_tiles) {
            let expected = format!("{} cut points for {n_tiles} scores", n_tiles - 1);
            return Err(Error::parameter(name, expected, values.len()));
        }
        NTiles::from_cut_points(closed_below(values), Direction::HigherIsBetter)?;
    }
    Ok(())
}

fn closed_below(values: &[f64]) -> Vec<CutPoint> {
    let cut = |&value: &f64| CutPoint { value: value + 0.0, belongs: Side::Below };
    values.iter().map(cut).collect()
}

/// What a fit gives: the scorer, each row's score, and how the values are tied.
pub(super) struct FittedAxis {
    pub(super) tiles: NTiles,
    pub(super) scores: Vec<u32>,
    pub(super) ties: TieReport,
}

/// Fits one axis. Values are finite, weights finite and not negative, the policy checked.
pub(super) fn fit_axis(data: &AxisData<'_>, policy: &TiePolicy) -> Result<FittedAxis> {
    let (tiles, scores, spread) = fit_scores(data, policy, true)?;
    let ties = spread.report(data.weights, &scores, data.n_tiles);
    Ok(FittedAxis { tiles, scores, ties })
}

/// Scorer, scores, and the values that decided, with what is tied if that is asked for.
fn fit_scores(
    data: &AxisData<'_>,
    policy: &TiePolicy,
    with_ties: bool,
) -> Result<(NTiles, Vec<u32>, Spread)> {
    if policy.splits_ties() && data.weights.is_some() {
        let expected = "absent: this tie policy tells equal customers apart by their ids";
        return Err(Error::parameter("sample_weight", expected, "given"));
    }
    if *policy == TiePolicy::Quantile7
        && let Some(weights) = data.weights
        && let Some(row) = weights.iter().position(|w| w.fract() != 0.0)
    {
        return Err(ErrorKind::Value {
            expected: "a whole number: type 7 quantiles have no other weights".into(),
            found: weights[row].to_string(),
            row: Some(row),
        }
        .into());
    }
    let lower = data.direction == Direction::LowerIsBetter;
    let n = data.n_tiles;
    let spread = match data.weights {
        Some(weights) => Spread::weighted(data.values, weights),
        None => {
            let places = places(policy, data.values.len() as u64, n.into(), lower);
            Spread::of(data.values, places, with_ties)
        }
    };
    if spread.is_empty() {
        return Err(ErrorKind::TooFewRows {
            what: "rows of positive weight".into(),
            needed: 1,
            found: 0,
        }
        .into());
    }
    // Beyond 2^53 a sum of whole numbers is no longer exact.
    let limit = if *policy == TiePolicy::Quantile7 { 2_f64.powi(53) } else { f64::MAX };
    if spread.total() > limit {
        let expected = format!("at most {limit} in all");
        return Err(Error::parameter("sample_weight", expected, spread.total()));
    }
    let mut fixed_scores = None;
    let cut_points = match policy {
        TiePolicy::SameScore | TiePolicy::MidRank if lower => {
            // Worst first is the order of the negated values.
            let mut cuts = by_share(&spread.negated(), spread.total(), n, policy);
            cuts.reverse();
            cuts.iter().map(|cut| cut.negated()).collect()
        }
        TiePolicy::SameScore | TiePolicy::MidRank => {
            by_share(spread.distinct(), spread.total(), n, policy)
        }
        TiePolicy::Quantile7 => type_7(&spread, n),
        TiePolicy::CutPoints(values) => closed_below(values),
        TiePolicy::Ntile | TiePolicy::RankFirst => {
            let scores = by_position(data, &spread, policy);
            let cuts = cuts_behind(data, &scores);
            fixed_scores = Some(scores);
            cuts
        }
    };
    let tiles = NTiles::from_cut_points(cut_points, data.direction)?;
    let scores = match fixed_scores {
        Some(scores) => scores,
        None => tiles.scores(data.values)?,
    };
    Ok((tiles, scores, spread))
}

/// The places of the ascending order whose values decide, for `len` rows that all count
/// once.
fn places(policy: &TiePolicy, len: u64, n: u64, lower: bool) -> Vec<u64> {
    let Some(last) = len.checked_sub(1) else { return Vec::new() };
    // Products of rows and scores do not fit into 64 bits for any number of rows.
    let part =
        |whole: u64, k: u64| (u128::from(whole) * u128::from(k) / u128::from(n)) as u64;
    match policy {
        TiePolicy::SameScore | TiePolicy::MidRank => {
            // The first value that at least k / n of the rows come up to.
            (1..n)
                .map(|k| (u128::from(len) * u128::from(k)).div_ceil(n.into()) as u64 - 1)
                .map(|place| if lower { last - place } else { place })
                .collect()
        }
        TiePolicy::Quantile7 => {
            let beside = |k: u64| [part(last, k), (part(last, k) + 1).min(last)];
            (1..n).flat_map(beside).collect()
        }
        TiePolicy::Ntile | TiePolicy::RankFirst => {
            let worst_first = lower && *policy == TiePolicy::Ntile;
            starts(policy, len, n)
                .filter(|&start| start < len)
                .map(|place| if worst_first { last - place } else { place })
                .collect()
        }
        TiePolicy::CutPoints(_) => Vec::new(),
    }
}

impl CutPoint {
    /// The same boundary of the negated values.
    fn negated(self) -> CutPoint {
        let belongs = match self.belongs {
            Side::Above => Side::Below,
            Side::Below => Side::Above,
        };
        CutPoint { value: 0.0 - self.value, belongs }
    }
}

/// Cut points of `SameScore` and `MidRank`, worse values being lower.
///
/// A value scores at least `k` when `n * rank >= (k - 1) * N`, `rank` being the weight
/// below it (`SameScore`) or that and half of its tie (`MidRank`). The rank jumps at a
/// tied value and again right after it, so that the cut point is always one of the
/// values: on it, or just above it.
fn by_share(
    values: &[Distinct],
    total: f64,
    n: u32,
    policy: &TiePolicy,
) -> Vec<CutPoint> {
    let n_tiles = f64::from(n);
    let mut cuts = Vec::with_capacity(n as usize - 1);
    let mut at = 0;
    for k in 2..=n {
        let needed = f64::from(k - 1) * total;
        // The first value that is passed by what lies just above it.
        while at + 1 < values.len() && n_tiles * values[at].up_to < needed {
            at += 1;
        }
        let v = &values[at];
        let middle = n_tiles * (v.below + v.up_to) / 2.0;
        let on_it = *policy == TiePolicy::MidRank && middle >= needed;
        let belongs = if on_it { Side::Above } else { Side::Below };
        cuts.push(CutPoint { value: v.value, belongs });
    }
    cuts
}

/// Quantiles `k / n` of type 7: at the place `h = (N - 1) k / n`, counted from 0, linear
/// between the values around it. Places are integers and a rest, so that no rounding
/// moves a cut point off a value.
fn type_7(spread: &Spread, n: u32) -> Vec<CutPoint> {
    let values = spread.distinct();
    let last = spread.total() as u128 - 1;
    let value_at = |place: u128| {
        let at = values.partition_point(|v| (v.up_to as u128) <= place);
        values[at.min(values.len() - 1)].value
    };
    let cut = |k: u32| {
        let (whole, rest) = (last * u128::from(k) / u128::from(n), last * u128::from(k));
        let part = (rest % u128::from(n)) as f64 / f64::from(n);
        let (a, b) = (value_at(whole), value_at((whole + 1).min(last)));
        CutPoint { value: between(a, b, part).clamp(a, b) + 0.0, belongs: Side::Below }
    };
    (1..n).map(cut).collect()
}

/// Cut points for new customers where scores went by position: a value scores at least
/// `k` when it is better than every value that scores less.
fn cuts_behind(data: &AxisData<'_>, scores: &[u32]) -> Vec<CutPoint> {
    let lower = data.direction == Direction::LowerIsBetter;
    let goodness = |row: usize| {
        let x = data.values[row];
        if lower { 0.0 - x } else { x + 0.0 }
    };
    // The best value of each score, then of each score and all below.
    let mut best = vec![f64::NEG_INFINITY; data.n_tiles as usize];
    for (row, &score) in scores.iter().enumerate() {
        let place = &mut best[score as usize - 1];
        *place = place.max(goodness(row));
    }
    for i in 1..best.len() {
        best[i] = best[i].max(best[i - 1]);
    }
    let worst = (0..scores.len()).map(goodness).fold(f64::INFINITY, f64::min);
    let cut = |&value: &f64| match value {
        // Nobody scores less: the worst value itself is good enough.
        f64::NEG_INFINITY => CutPoint { value: worst, belongs: Side::Above },
        value => CutPoint { value, belongs: Side::Below },
    };
    let mut cuts: Vec<CutPoint> = best[..best.len() - 1].iter().map(cut).collect();
    if lower {
        cuts.reverse();
        cuts.iter_mut().for_each(|cut| *cut = cut.negated());
    }
    cuts
}
