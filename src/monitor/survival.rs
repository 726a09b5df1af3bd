//! How long customers stay, when not all of them have left.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::durations::{Time, check_lengths};
use crate::error::{Error, Result};
use crate::parallel::sort;

/// What a curve of survival does at one time.
///
/// With dᵢ events among nᵢ at risk at the time tᵢ:
///
/// - S(t) = ∏ (1 − dᵢ / nᵢ) over tᵢ ≤ t (Kaplan & Meier 1958);
/// - V(t) = ∑ dᵢ / (nᵢ (nᵢ − dᵢ)) over tᵢ ≤ t (Greenwood 1926);
/// - the interval is S^exp(±z √V / ln S): symmetric for ln(−ln S), so that it never leaves
///   0 to 1 (Kalbfleisch & Prentice 1980, section 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SurvivalStep {
    /// The time, in the unit of the durations.
    pub time: f64,
    /// Durations that are not shorter: nᵢ.
    pub at_risk: u64,
    /// Durations that end here with the event: dᵢ.
    pub events: u64,
    /// Durations that are cut off here, after the events of the same time.
    pub censored: u64,
    /// S: the share for whom the event comes later than at this time.
    pub survival: f64,
    /// The interval around S; `None` before the first event and where S is 0, where the
    /// formula has no value.
    pub interval: Option<[f64; 2]>,
}

/// The area under a curve of survival up to a horizon, made by
/// [`KaplanMeier::restricted_mean`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RestrictedMean {
    /// Up to which time.
    pub horizon: f64,
    /// The mean of the duration or the horizon, whichever is shorter.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// The curve of survival of Kaplan & Meier (1958).
///
/// A duration runs from a start (the first purchase, the begin of a contract) to an event
/// (the second purchase, the cancellation). Where it was `observed`, the event came at its
/// end; where not, the customer was last seen without it, and it came later or never.
/// Means over observed durations alone would be too short; this curve uses both.
///
/// It keeps counts, one step for each different duration, so that curves of parts of the
/// customers [`merge`](KaplanMeier::merge) into the curve of the whole. Saved curves are
/// read by their counts; all else is computed anew.
///
/// ```
/// use segmenta::monitor::KaplanMeier;
///
/// // Days until the second order; two customers have not ordered again yet.
/// let days = [5.0, 8.0, 8.0, 20.0, 30.0];
/// let ordered = [true, true, false, true, false];
/// let curve = KaplanMeier::fit(&days, &ordered)?;
///
/// assert_eq!(curve.survival_at(7.0), Some(0.8)); // 1 of 5 came back
/// assert_eq!(curve.survival_at(8.0), Some(0.6)); // 1 of the 4 others did
/// assert_eq!(curve.median(), Some(20.0)); // 0.6 · 1/2 is the first below a half
/// assert_eq!(curve.survival_at(31.0), None); // nobody was watched for so long
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct KaplanMeier {
    confidence: f64,
    customers: u64,
    events: u64,
    steps: Vec<SurvivalStep>,
}

/// What is read of a saved curve.
#[derive(Deserialize)]
struct Saved {
    confidence: f64,
    steps: Vec<SavedStep>,
}

#[derive(Deserialize)]
struct SavedStep {
    time: f64,
    events: u64,
    censored: u64,
}

impl TryFrom<Saved> for KaplanMeier {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<KaplanMeier> {
        let counts = saved.steps.iter().map(|s| (s.time, s.events, s.censored));
        KaplanMeier::from_counts(counts)?.with_confidence(saved.confidence)
    }
}

/// Events and cut-off durations of one time.
#[derive(Clone, Copy)]
struct Count {
    time: Time,
    events: u64,
    censored: u64,
}

impl KaplanMeier {
    /// The curve of durations, in any unit and any order, with intervals of 95 %.
    ///
    /// # Errors
    /// When there are no durations, the slices differ in length, or a duration is
    /// negative, infinite or NaN; the error names the row.
    pub fn fit(durations: &[f64], observed: &[bool]) -> Result<KaplanMeier> {
        check_lengths(durations.len(), observed.len())?;
        let mut rows = Vec::with_capacity(durations.len());
        for (row, (&duration, &observed)) in durations.iter().zip(observed).enumerate() {
            rows.push((Time::read(duration, row)?, observed));
        }
        sort(&mut rows);
        let counts = rows.chunk_by(|a, b| a.0 == b.0).map(|same| {
            let events = same.iter().filter(|row| row.1).count() as u64;
            let censored = same.len() as u64 - events;
            Count { time: same[0].0, events, censored }
        });
        KaplanMeier::of_counts(counts.collect(), DEFAULT_CONFIDENCE)
    }

    /// The curve of counts: a time, how many had the event then, and how many were cut off.
    /// A time may come more than once, and times come in any order.
    ///
    /// # Errors
    /// When there is nothing to count, a time is negative, infinite or NaN, or the counts
    /// add up to 2⁵³ or more. The error's row is the position of the triple.
    pub fn from_counts(
        counts: impl IntoIterator<Item = (f64, u64, u64)>,
    ) -> Result<KaplanMeier> {
        let mut read = Vec::new();
        for (row, (time, events, censored)) in counts.into_iter().enumerate() {
            let time = Time::read(time, row)?;
            if events > 0 || censored > 0 {
                read.push(Count { time, events, censored });
            }
        }
        read.sort_unstable_by_key(|count| count.time);
        KaplanMeier::of_counts(read, DEFAULT_CONFIDENCE)
    }

    /// The curve of counts in the order of their times.
    fn of_counts(counts: Vec<Count>, confidence: f64) -> Result<KaplanMeier> {
        let mut customers = 0_u64;
        for count in &counts {
            let more = count.events.checked_add(count.censored);
            // Above 2⁵³ not every count is a number of double precision.
            customers = more
                .and_then(|more| customers.checked_add(more))
                .filter(|&sum| sum < 1 << 53)
                .ok_or_else(|| {
                    Error::parameter("the counts", "below 2^53 in all", "more")
                })?;
        }
        if customers == 0 {
            check_lengths(0, 0)?;
        }
        let z = quantile_of_normal(confidence)?;
        let mut steps: Vec<SurvivalStep> = Vec::new();
        let (mut at_risk, mut all_events) = (customers, 0);
        // As long as nobody is cut off, the factors of S are telescoped: without
        // censoring it is a count divided by a count, and rounded once.
        let (mut from, mut from_at_risk) = (1.0, customers as f64);
        let (mut survival, mut variance) = (1.0, 0.0);
        for same in counts.chunk_by(|a, b| a.time == b.time) {
            let events: u64 = same.iter().map(|count| count.events).sum();
            let censored: u64 = same.iter().map(|count| count.censored).sum();
            let (n, d) = (at_risk as f64, events as f64);
            if events > 0 {
                survival = from * (n - d) / from_at_risk;
            }
            variance += d / (n * (n - d));
            steps.push(SurvivalStep {
                time: same[0].time.get(),
                at_risk,
                events,
                censored,
                survival,
                interval: interval(survival, variance, z),
            });
            all_events += events;
            at_risk -= events + censored;
            if censored > 0 {
                (from, from_at_risk) = (survival, at_risk as f64);
            }
        }
        Ok(KaplanMeier { confidence, customers, events: all_events, steps })
    }

    /// The same curve with intervals of another confidence, such as 0.9.
    ///
    /// # Errors
    /// When `confidence` does not lie between 0 and 1.
    pub fn with_confidence(self, confidence: f64) -> Result<KaplanMeier> {
        KaplanMeier::of_counts(self.counts().collect(), confidence)
    }

    /// Adds the durations of other customers: the result is the curve of all of them, with
    /// the confidence of this one.
    ///
    /// # Errors
    /// When there would be 2⁵³ durations or more; then nothing changes.
    pub fn merge(&mut self, other: &KaplanMeier) -> Result<()> {
        let mut counts: Vec<Count> = self.counts().chain(other.counts()).collect();
        counts.sort_by_key(|count| count.time);
        *self = KaplanMeier::of_counts(counts, self.confidence)?;
        Ok(())
    }

    fn counts(&self) -> impl Iterator<Item = Count> + '_ {
        self.steps.iter().filter_map(|step| {
            // Times of steps were read once, so none is lost here.
            let time = Time::read(step.time, 0).ok()?;
            Some(Count { time, events: step.events, censored: step.censored })
        })
    }

    /// The confidence of all intervals.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// How many durations there are.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.customers
    }

    /// How many of them ended with the event.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// One step for each different duration, ascending.
    #[must_use]
    pub fn steps(&self) -> &[SurvivalStep] {
        &self.steps
    }

    /// The last step at or before `time`.
    fn step_at(&self, time: f64) -> Option<&SurvivalStep> {
        let later = self.steps.partition_point(|step| step.time <= time);
        later.checked_sub(1).map(|at| &self.steps[at])
    }

    /// S(t): the share for whom the event comes later than at `time`. `None` for a negative
    /// time or NaN, and beyond the longest duration unless S is 0 there: nobody was watched
    /// for so long.
    #[must_use]
    pub fn survival_at(&self, time: f64) -> Option<f64> {
        if time.is_nan() || time < 0.0 {
            return None;
        }
        let Some(step) = self.step_at(time) else { return Some(1.0) };
        let known = self.steps.last().is_some_and(|last| time <= last.time);
        (known || step.survival == 0.0).then_some(step.survival)
    }

    /// The interval around S(t), where the formula of [`SurvivalStep`] has a value.
    #[must_use]
    pub fn interval_at(&self, time: f64) -> Option<[f64; 2]> {
        self.survival_at(time)?;
        self.step_at(time)?.interval
    }

    /// The time by which half of the customers had the event: the first with S ≤ ½. `None`
    /// when S stays above, so that the median lies beyond what was watched.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5).ok().flatten()
    }

    /// The interval of the median; see [`quantile_interval`](KaplanMeier::quantile_interval).
    #[must_use]
    pub fn median_interval(&self) -> [Option<f64>; 2] {
        self.quantile_interval(0.5).unwrap_or([None, None])
    }

    /// The time by which the share `p` of the customers had the event: the first with
    /// S ≤ 1 − p, where numbers closer than 10⁻¹² count as equal. `None` when S stays above.
    ///
    /// # Errors
    /// When `p` does not lie between 0 and 1.
    pub fn quantile(&self, p: f64) -> Result<Option<f64>> {
        let level = level(p)?;
        Ok(self.first(|step| step.survival <= level))
    }

    /// The interval of a quantile: the first times at which the lower and the upper end of
    /// the interval around S are at most 1 − p (Brookmeyer & Crowley 1982). An end is `None`
    /// when that never happens: the quantile may then lie arbitrarily far on that side of
    /// what is known. Steps without an interval are passed over.
    ///
    /// # Errors
    /// When `p` does not lie between 0 and 1.
    pub fn quantile_interval(&self, p: f64) -> Result<[Option<f64>; 2]> {
        let level = level(p)?;
        Ok([0, 1].map(|end| {
            self.first(|step| step.interval.is_some_and(|ends| ends[end] <= level))
        }))
    }

    fn first(&self, holds: impl Fn(&SurvivalStep) -> bool) -> Option<f64> {
        self.steps.iter().find(|step| holds(step)).map(|step| step.time)
    }

    /// The mean of the duration or the horizon τ, whichever is shorter: the area under S up
    /// to τ. In contrast to the mean it can be known although some were cut off.
    ///
    /// Its variance is ∑ (∫ S from tᵢ to τ)² dᵢ / (nᵢ (nᵢ − dᵢ)) over tᵢ ≤ τ (Klein &
    /// Moeschberger 2003, section 4.5).
    ///
    /// ```
    /// use segmenta::monitor::KaplanMeier;
    ///
    /// let curve = KaplanMeier::fit(&[5.0, 8.0, 20.0], &[true, false, true])?;
    /// // 1 for 5 days, then two thirds for 15.
    /// assert_eq!(curve.restricted_mean(20.0)?.mean, 15.0);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the horizon is not a positive number, or lies beyond the longest duration while
    /// S is not 0 there: the area is then unknown.
    pub fn restricted_mean(&self, horizon: f64) -> Result<RestrictedMean> {
        if !(horizon.is_finite() && horizon > 0.0) {
            return Err(Error::parameter("horizon", "a number above 0", horizon));
        }
        if self.survival_at(horizon).is_none() {
            let last = self.steps.last().map_or(0.0, |last| last.time);
            let found = format!("{horizon}, where nobody was watched");
            let expected = format!("at most the longest duration, {last}");
            return Err(Error::parameter("horizon", expected, found));
        }
        let within = &self.steps[..self.steps.partition_point(|s| s.time <= horizon)];
        // From the horizon backwards, so that the area beyond each step is at hand.
        let (mut beyond, mut variance, mut until) = (0.0, 0.0, horizon);
        for step in within.iter().rev() {
            beyond += step.survival * (until - step.time);
            until = step.time;
            let (n, d) = (step.at_risk as f64, step.events as f64);
            if step.events < step.at_risk {
                variance += beyond * beyond * (d / (n * (n - d)));
            }
        }
        let (mean, standard_error) = (beyond + until, f64::sqrt(variance));
        Ok(RestrictedMean { horizon, mean, standard_error })
    }
}

const DEFAULT_CONFIDENCE: f64 = 0.95;

/// How far beyond the level S may be to count as equal: it is a product of rounded shares.
const ROUNDING: f64 = 1e-12;

fn level(p: f64) -> Result<f64> {
    if !(p > 0.0 && p < 1.0) {
        return Err(Error::parameter("p", "above 0 and below 1", p));
    }
    Ok((1.0 - p) * (1.0 + ROUNDING))
}

/// z with the share `confidence` of the standard normal distribution between −z and z.
fn quantile_of_normal(confidence: f64) -> Result<f64> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(Error::parameter("confidence", "above 0 and below 1", confidence));
    }
    let z = Normal::standard().inverse_cdf(0.5 + confidence / 2.0);
    if z.is_finite() {
        return Ok(z);
    }
    let expected = "far enough below 1 to differ from it in double precision";
    Err(Error::parameter("confidence", expected, confidence))
}

fn interval(survival: f64, variance: f64, z: f64) -> Option<[f64; 2]> {
    if !(survival > 0.0 && survival < 1.0) {
        return None;
    }
    let log = survival.ln();
    let spread = z * variance.sqrt() / -log;
    let ends = [spread, -spread].map(|spread| (log * spread.exp()).exp());
    Some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_durations_are_refused() {
        for counts in [[(1.0, u64::MAX, 1), (2.0, 0, 0)], [(1.0, 1 << 52, 1 << 52); 2]] {
            assert!(KaplanMeier::from_counts(counts).unwrap_err().is_parameter());
        }
        let most = KaplanMeier::from_counts([(1.0, 1, 0), (2.0, (1 << 53) - 2, 0)]);
        assert_eq!(most.unwrap().customers(), (1 << 53) - 1);
    }
}
