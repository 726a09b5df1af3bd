//! What an experiment did in each segment, and whether it can say so.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::adjust::{benjamini_hochberg, holm_of};
use super::effect::{check_alpha, check_power, minimum_detectable_effect};
use super::interval::{Interval, newcombe};
use super::normal::upper_quantile;
use super::proportion::Proportion;
use super::z_test::two_proportion_test;
use crate::error::{Error, ErrorKind, Result};

/// Below this expected count the test of two shares is rough (Cochran 1954).
const FEW: f64 = 5.0;

/// What happened in one segment: customers were drawn by lot into those who were treated
/// and those who were held out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentTrial {
    /// The segment's id or name.
    pub segment: String,
    /// Successes among those who were treated.
    pub treated: Proportion,
    /// Successes among those who were held out.
    pub control: Proportion,
}

impl SegmentTrial {
    /// A segment with its two groups.
    pub fn new(
        segment: impl Into<String>,
        treated: Proportion,
        control: Proportion,
    ) -> SegmentTrial {
        SegmentTrial { segment: segment.into(), treated, control }
    }
}

/// At what level, and for what effect, [`uplift_by_segment`] speaks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpliftOptions {
    alpha: f64,
    power: f64,
    relevant_effect: Option<f64>,
    correction: Correction,
}

/// Which corrected p-value decides the verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Correction {
    /// That of [`holm`](super::holm): the chance of one false finding among all segments
    /// stays below alpha.
    #[default]
    Holm,
    /// That of [`benjamini_hochberg`]: of the findings, a share of alpha may be false.
    BenjaminiHochberg,
}

impl Default for UpliftOptions {
    fn default() -> UpliftOptions {
        UpliftOptions::new()
    }
}

impl UpliftOptions {
    /// An alpha of 0.05 (intervals of 95 %), a power of 0.8, no relevant effect, and
    /// verdicts by Holm's correction.
    #[must_use]
    pub const fn new() -> UpliftOptions {
        UpliftOptions {
            alpha: 0.05,
            power: 0.8,
            relevant_effect: None,
            correction: Correction::Holm,
        }
    }

    /// The level of the tests; intervals have a confidence of 1 − alpha.
    #[must_use]
    pub const fn alpha(mut self, alpha: f64) -> UpliftOptions {
        self.alpha = alpha;
        self
    }

    /// The chance with which an effect must be found to count as detectable, at least 0.5.
    #[must_use]
    pub const fn power(mut self, power: f64) -> UpliftOptions {
        self.power = power;
        self
    }

    /// The least uplift that would matter, above 0 and at most 1: 0.01 is one point. It
    /// tells segments in which nothing that matters happens from those that are too small
    /// to say.
    #[must_use]
    pub const fn relevant_effect(mut self, effect: f64) -> UpliftOptions {
        self.relevant_effect = Some(effect);
        self
    }

    /// Which corrected p-value decides.
    #[must_use]
    pub const fn correction(mut self, correction: Correction) -> UpliftOptions {
        self.correction = correction;
        self
    }

    fn check(&self) -> Result<()> {
        check_alpha(self.alpha)?;
        check_power(self.power)?;
        if let Some(effect) = self.relevant_effect
            && !(effect > 0.0 && effect <= 1.0)
        {
            return Err(Error::parameter(
                "relevant effect",
                "above 0 and at most 1",
                effect,
            ));
        }
        Ok(())
    }
}

/// What can be said of a segment. The first that holds is given.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Too small to say, whatever the shares look like: a group is empty, or an expected
    /// count is below 5, so that the test is rough.
    TooSmall,
    /// The treatment works: the uplift is above 0, and its corrected p-value at most
    /// alpha.
    Gain,
    /// The treatment does harm: the same, below 0.
    Loss,
    /// Nothing that matters: the whole interval is nearer to 0 than the relevant effect.
    Negligible,
    /// Too small to say: no effect was shown, and one that matters would have been likely
    /// to be missed, for the detectable effect is larger than the relevant one.
    Underpowered,
    /// No effect was shown. Where a relevant effect is stated, one of its size was likely
    /// to be found.
    NotShown,
}

impl Verdict {
    /// True when the segment has too few customers for the question.
    #[must_use]
    pub fn is_too_small_to_say(self) -> bool {
        matches!(self, Verdict::TooSmall | Verdict::Underpowered)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::TooSmall | Verdict::Underpowered => "too small to say",
            Verdict::Gain => "gain",
            Verdict::Loss => "loss",
            Verdict::Negligible => "negligible",
            Verdict::NotShown => "not shown",
        })
    }
}

/// One segment's row of an [`UpliftTable`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SegmentUplift {
    /// What happened.
    pub trial: SegmentTrial,
    /// The share among the treated less the share among those held out; `None` when a
    /// group is empty.
    pub uplift: Option<f64>,
    /// Its interval ([`newcombe_interval`](super::newcombe_interval)), of this segment by itself; `None` when a group
    /// is empty.
    pub interval: Option<Interval>,
    /// The uplift in standard errors ([`two_proportion_test`]); `None` when a group is
    /// empty, or all or none of both are successes. Such a segment is not tested, and does
    /// not count in the corrections.
    pub z: Option<f64>,
    /// The p-value of the test, two-sided, of this segment by itself.
    pub p_value: Option<f64>,
    /// The p-value corrected by [`holm`](super::holm) over the segments.
    pub p_holm: Option<f64>,
    /// The p-value corrected by [`benjamini_hochberg`] over the segments.
    pub p_benjamini_hochberg: Option<f64>,
    /// The least gain over the control group's share that groups of these sizes would have
    /// shown ([`minimum_detectable_effect`]), at alpha over the number of tests, which is
    /// what either correction asks of the least p-value. `None` when a group is empty, or
    /// no gain would do.
    pub minimum_detectable_effect: Option<f64>,
    /// What can be said.
    pub verdict: Verdict,
}

/// The result of [`uplift_by_segment`]. Printing it gives a table that fits 100 columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UpliftTable {
    /// With what options it was made.
    pub options: UpliftOptions,
    /// One row for each segment, in the order of the input.
    pub segments: Vec<SegmentUplift>,
}

impl UpliftTable {
    /// The row of a segment, if there is one of this name.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<&SegmentUplift> {
        self.segments.iter().find(|row| row.trial.segment == name)
    }
}

/// The effect of a treatment in each segment, from counts: uplift with its interval, test,
/// p-values corrected for the number of segments, what could have been detected, and what
/// can be said.
///
/// Who is treated must have been decided by lot within each segment, and what counts as
/// success before anyone looked. That two segments have different verdicts does not say
/// that the treatment works differently in them: their intervals may overlap.
///
/// ```
/// use segmenta::inference::{
///     Proportion, SegmentTrial, UpliftOptions, Verdict, uplift_by_segment,
/// };
///
/// let table = uplift_by_segment(
///     &[
///         SegmentTrial::new("Champions", Proportion::new(180, 1000)?, Proportion::new(150, 1000)?),
///         SegmentTrial::new("At Risk", Proportion::new(60, 800)?, Proportion::new(35, 820)?),
///         SegmentTrial::new("Lost", Proportion::new(6, 500)?, Proportion::new(7, 500)?),
///     ],
///     UpliftOptions::new().relevant_effect(0.01),
/// )?;
/// let verdicts: Vec<Verdict> = table.segments.iter().map(|row| row.verdict).collect();
/// assert_eq!(verdicts, [Verdict::Underpowered, Verdict::Gain, Verdict::Underpowered]);
/// assert_eq!(
///     table.to_string(),
///     "\
/// segment                treated control   uplift     95 % interval p (Holm) detects  verdict
/// Champions               18.00%  15.00%   +3.00%     -0.26% +6.25%   0.1414   5.53%  too small to say
/// At Risk                  7.50%   4.27%   +3.23%     +0.94% +5.59%   0.0169   3.87%  gain
/// Lost                     1.20%   1.40%   -0.20%     -1.80% +1.37%   0.7801   3.60%  too small to say
/// ",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When an option is out of its range, or a segment is named twice.
pub fn uplift_by_segment(
    trials: &[SegmentTrial],
    options: UpliftOptions,
) -> Result<UpliftTable> {
    options.check()?;
    check_names(trials)?;
    let tests: Vec<_> =
        trials.iter().map(|t| two_proportion_test(&t.treated, &t.control).ok()).collect();
    let p_values: Vec<f64> = tests.iter().flatten().map(|test| test.p_value).collect();
    let z = upper_quantile(options.alpha / 2.0);
    let least = options.alpha / p_values.len().max(1) as f64;
    let least = least.max(f64::MIN_POSITIVE);
    let mut corrected =
        holm_of(&p_values).into_iter().zip(benjamini_hochberg(&p_values)?);

    let mut segments = Vec::with_capacity(trials.len());
    for (trial, test) in trials.iter().zip(tests) {
        let SegmentTrial { treated, control, .. } = trial;
        let (uplift, interval, detectable) = match (treated.share(), control.share()) {
            (Some(p), Some(q)) => (
                Some(p - q),
                Some(newcombe(treated, control, z)?),
                minimum_detectable_effect(
                    q,
                    treated.n(),
                    control.n(),
                    least,
                    options.power,
                )?,
            ),
            _ => (None, None, None),
        };
        // The corrected p-values are those of the tests, in their order.
        let (p_holm, p_bh) = test.and_then(|_| corrected.next()).unzip();
        let decisive = match options.correction {
            Correction::Holm => p_holm,
            Correction::BenjaminiHochberg => p_bh,
        };
        let mut row = SegmentUplift {
            trial: trial.clone(),
            uplift,
            interval,
            z: test.map(|test| test.z),
            p_value: test.map(|test| test.p_value),
            p_holm,
            p_benjamini_hochberg: p_bh,
            minimum_detectable_effect: detectable,
            verdict: Verdict::TooSmall,
        };
        if test.is_some_and(|test| test.least_expected >= FEW) {
            row.verdict = row.verdict_by(decisive, &options);
        }
        segments.push(row);
    }
    Ok(UpliftTable { options, segments })
}

impl SegmentUplift {
    /// The verdict on groups that are large enough for the test.
    fn verdict_by(&self, p_value: Option<f64>, options: &UpliftOptions) -> Verdict {
        if p_value.is_some_and(|p| p <= options.alpha) {
            return if self.uplift > Some(0.0) { Verdict::Gain } else { Verdict::Loss };
        }
        let Some(relevant) = options.relevant_effect else { return Verdict::NotShown };
        let within = |i: Interval| i.lower > -relevant && i.upper < relevant;
        if self.interval.is_some_and(within) {
            Verdict::Negligible
        } else if self.minimum_detectable_effect.is_none_or(|least| least > relevant) {
            Verdict::Underpowered
        } else {
            Verdict::NotShown
        }
    }
}

fn check_names(trials: &[SegmentTrial]) -> Result<()> {
    let mut names: Vec<&str> =
        trials.iter().map(|trial| trial.segment.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            let name = pair[0].to_owned();
            Err(ErrorKind::DuplicateName { what: "segment", name }.into())
        }
        None => Ok(()),
    }
}

/// Characters of a name at most.
const NAME: usize = 22;

impl fmt::Display for UpliftTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (corrected, of): (_, fn(&SegmentUplift) -> Option<f64>) = match self
            .options
            .correction
        {
            Correction::Holm => ("p (Holm)", |row| row.p_holm),
            Correction::BenjaminiHochberg => ("p (BH)", |row| row.p_benjamini_hochberg),
        };
        let interval =
            format!("{} % interval", decimals((1.0 - self.options.alpha) * 100.0));
        writeln!(
            f,
            "{:<NAME$} {:>7} {:>7} {:>8} {interval:>17} {corrected:>8} {:>7}  verdict",
            "segment", "treated", "control", "uplift", "detects"
        )?;
        for row in &self.segments {
            let share =
                |share: Option<f64>| or_dash(share, |x| format!("{:.2}%", 100.0 * x));
            let signed = |x: f64| format!("{:+.2}%", 100.0 * x);
            writeln!(
                f,
                "{:<NAME$} {:>7} {:>7} {:>8} {:>17} {:>8} {:>7}  {}",
                clip(&row.trial.segment),
                share(row.trial.treated.share()),
                share(row.trial.control.share()),
                or_dash(row.uplift, signed),
                or_dash(row.interval, |i| format!(
                    "{} {}",
                    signed(i.lower),
                    signed(i.upper)
                )),
                or_dash(of(row), |p| format!("{p:.4}")),
                share(row.minimum_detectable_effect),
                row.verdict,
            )?;
        }
        Ok(())
    }
}

fn or_dash<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// Up to two decimals, as few as are needed.
fn decimals(x: f64) -> String {
    let text = format!("{x:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn clip(name: &str) -> String {
    match name.char_indices().nth(NAME) {
        None => name.to_owned(),
        Some(_) => name.chars().take(NAME - 1).chain(['…']).collect(),
    }
}
