//! How regularly customers buy.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::special::{LnRising, digamma_trigamma, ln_gamma};
use crate::error::{Error, ErrorKind, Result};
use crate::history::TimeUnit;

/// How regularly customers buy: the shape `k` of the gamma distribution of the times between
/// the purchases of a customer, whose rate is her own. At 1 purchases come at random, as NBD and
/// its kin suppose; the larger it is the more regular they are, and below 1 they come in bursts.
///
/// What share each gap has of all of a customer's gaps does not depend on her rate: it is
/// Dirichlet distributed with parameters `k`. Of all customers with two gaps or more,
/// `Σ ln Γ(nk) − n ln Γ(k) + (k − 1) Σ ln share` is maximised, `n` being her gaps. (Wheat &
/// Morrison 1990, *Journal of Marketing Research* 27(1), do so by moments with two gaps each.)
///
/// That gaps end within the observation makes no difference to their shares. Purchases that are
/// counted as one do: where occasions are days, short gaps are missing, and purchases at
/// random look more regular than they are, the more the shorter gaps are (a mean of 20 days
/// gives some 1.15 for 1, one of 3 days 1.85). The last silence of each customer is read by
/// [`MbgCnbd::fit_regular`](super::MbgCnbd::fit_regular), which takes the likeliest whole `k`.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::{Ledger, LedgerOptions, TimeUnit};
/// use segmenta::lifetime::Regularity;
///
/// let mut ledger = Ledger::new(LedgerOptions::new())?;
/// for day in [3, 10, 18, 24] {
///     ledger.add("ann", Date::from_ymd(2024, 5, day)?, 5_00)?;
/// }
/// for day in [1, 14, 30] {
///     ledger.add("bob", Date::from_ymd(2024, 5, day)?, 5_00)?;
/// }
/// let times = ledger.repeat_purchase_times(Date::from_ymd(2024, 5, 31)?, TimeUnit::Day)?;
/// assert_eq!(times, [vec![7.0, 15.0, 21.0], vec![13.0, 29.0]]);
/// let regularity = Regularity::of(&times, TimeUnit::Day)?;
/// assert!(regularity.k > 10.0);
/// assert_eq!((regularity.n_customers, regularity.n_gaps), (2, 5));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
#[non_exhaustive]
pub struct Regularity {
    /// The shape.
    pub k: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Customers with two gaps or more, who tell of `k`.
    pub n_customers: u64,
    /// Gaps of all customers.
    pub n_gaps: u64,
    /// The sum of the logarithms of all gaps.
    pub sum_ln_gaps: f64,
    /// The unit of the gaps.
    pub unit: TimeUnit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    k: f64,
    standard_error: f64,
    n_customers: u64,
    n_gaps: u64,
    sum_ln_gaps: f64,
    unit: TimeUnit,
}

impl TryFrom<Shape> for Regularity {
    type Error = Error;

    fn try_from(shape: Shape) -> Result<Regularity> {
        let Shape { k, standard_error, n_customers, n_gaps, sum_ln_gaps, unit } = shape;
        let positive = |name: &'static str, value: f64| match value {
            x if x > 0.0 && x.is_finite() => Ok(x),
            x => Err(Error::parameter(name, "positive and finite", x)),
        };
        if n_customers == 0 || n_gaps / 2 < n_customers {
            let expected = "at least 1, with two gaps each";
            return Err(Error::parameter("n_customers", expected, n_customers));
        }
        // No gap of finite numbers is longer or shorter.
        if sum_ln_gaps.is_nan() || sum_ln_gaps.abs() > 750.0 * n_gaps as f64 {
            let expected = "a sum of logarithms of gaps";
            return Err(Error::parameter("sum_ln_gaps", expected, sum_ln_gaps));
        }
        Ok(Regularity {
            k: positive("k", k)?,
            standard_error: positive("standard_error", standard_error)?,
            n_customers,
            n_gaps,
            sum_ln_gaps,
            unit,
        })
    }
}

impl Regularity {
    /// Out of the times of each customer's repeat purchases since the first one, ascending, in
    /// this unit; see
    /// [`Ledger::repeat_purchase_times`](crate::history::Ledger::repeat_purchase_times). Where
    /// occasions are orders or rows, two of one day have no gap, and are refused.
    ///
    /// # Errors
    /// When a time is not finite, or not above the one before it (the error names the
    /// customer); when nobody has two gaps; when the gaps of each are all equal, so that `k`
    /// has no bound.
    pub fn of<T: AsRef<[f64]>>(times: &[T], unit: TimeUnit) -> Result<Regularity> {
        // Customers by the number of their gaps: what depends on k depends on that.
        let mut customers: BTreeMap<u64, u64> = BTreeMap::new();
        let (mut n_gaps, mut sum_ln_gaps) = (0, 0.0);
        let mut sum_ln_shares = 0.0;
        // What the shares would come to were they equal.
        let mut sum_even = 0.0;
        for (row, times) in times.iter().enumerate() {
            let times = times.as_ref();
            let (mut before, mut sum_ln) = (0.0, 0.0);
            for &time in times {
                let gap = time - before;
                if !(gap > 0.0 && gap.is_finite()) {
                    return Err(ErrorKind::Value {
                        expected: format!(
                            "a time after the purchase before it, {before:?}"
                        )
                        .into(),
                        found: format!("{time:?}"),
                        row: Some(row),
                    }
                    .into());
                }
                sum_ln += gap.ln();
                before = time;
            }
            let n = times.len() as u64;
            n_gaps += n;
            sum_ln_gaps += sum_ln;
            if n > 1 {
                *customers.entry(n).or_default() += 1;
                sum_ln_shares += sum_ln - n as f64 * before.ln();
                sum_even -= n as f64 * (n as f64).ln();
            }
        }
        let n_customers: u64 = customers.values().sum();
        if n_customers == 0 {
            let what = "customers with two repeat purchases".into();
            return Err(ErrorKind::TooFewRows { what, needed: 1, found: 0 }.into());
        }
        if sum_even - sum_ln_shares <= 1e-12 * sum_even.abs() {
            return Err(Error::undefined(
                "the regularity of purchases",
                "the gaps of each customer are all equal",
            ));
        }
        let slope = |k: f64| {
            let (mut slope, mut bend) = (sum_ln_shares, 0.0);
            let (digamma, trigamma) = digamma_trigamma(k);
            for (&n, &count) in &customers {
                let (n, count) = (n as f64, count as f64);
                let (of_all, bend_of_all) = digamma_trigamma(n * k);
                slope += count * n * (of_all - digamma);
                bend += count * n * (n * bend_of_all - trigamma);
            }
            (slope, bend)
        };
        // The slope by k falls from infinity to below 0: halve what holds the maximum, and step
        // by Newton's method within it.
        let (mut low, mut high) = (0.0_f64, f64::INFINITY);
        let mut k = 1.0;
        for _ in 0..200 {
            let (slope, bend) = slope(k);
            if slope > 0.0 {
                low = k;
            } else {
                high = k;
            }
            // In the logarithm of k the likelihood is closer to a parabola.
            let step = slope * k / -(bend * k * k + slope * k).min(-1e-300);
            let next = k * step.clamp(-1.0, 1.0).exp();
            let inside = low < next && next < high;
            let middle = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * k };
            let next = if inside { next } else { middle };
            if (next - k).abs() <= 1e-14 * k {
                break;
            }
            k = next;
        }
        let information = -slope(k).1;
        let standard_error = 1.0 / information.sqrt();
        Ok(Regularity { k, standard_error, n_customers, n_gaps, sum_ln_gaps, unit })
    }

    /// What the gaps add to the log-likelihood of a model in which a purchase takes `k` steps.
    pub(super) fn of_gaps(&self, k: f64) -> f64 {
        let ln_steps =
            if k < 25.0 { LnRising::new(1.0, k - 1.0).value } else { ln_gamma(k) };
        (k - 1.0) * self.sum_ln_gaps - self.n_gaps as f64 * ln_steps
    }
}

impl fmt::Display for Regularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Regularity { k, standard_error, n_customers, .. } = self;
        write!(f, "k = {k:.3} ± {standard_error:.3}, from {n_customers} customers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// The conditional log-likelihood by its definition.
    fn slow(times: &[Vec<f64>], k: f64) -> f64 {
        let mut sum = 0.0;
        for times in times.iter().filter(|times| times.len() > 1) {
            let n = times.len() as f64;
            sum += ln_gamma(n * k) - n * ln_gamma(k);
            let all = times[times.len() - 1];
            let mut before = 0.0;
            for &time in times {
                sum += (k - 1.0) * ((time - before) / all).ln();
                before = time;
            }
        }
        sum
    }

    fn drawn(shape: u32, customers: usize) -> Vec<Vec<f64>> {
        let mut random = Random::new(u64::from(shape), 0);
        let mut times = Vec::new();
        for i in 0..customers {
            let rate = 0.01 + 20.0 * random.unit() * random.unit();
            let mut time = 0.0;
            let mut of_one = Vec::new();
            for _ in 0..i % 7 {
                for _ in 0..shape {
                    time -= (1.0 - random.unit()).ln() / rate;
                }
                of_one.push(time);
            }
            times.push(of_one);
        }
        times
    }

    #[test]
    fn the_shape_is_found_whatever_the_rates() -> Result<()> {
        for shape in [1, 2, 5, 18] {
            let times = drawn(shape, 4000);
            let found = Regularity::of(&times, TimeUnit::Week)?;
            let off = (found.k - f64::from(shape)).abs();
            assert!(off < 4.0 * found.standard_error, "{shape}: {found}");
            assert!(found.standard_error < 0.03 * f64::from(shape), "{found}");
            let best = slow(&times, found.k);
            for by in [0.999, 1.001] {
                assert!(slow(&times, by * found.k) < best, "{shape}");
            }
            // The curvature, by differences.
            let h = 1e-3 * found.k;
            let bend = (slow(&times, found.k + h) - 2.0 * best
                + slow(&times, found.k - h))
                / (h * h);
            let error = 1.0 / (-bend).sqrt();
            assert!((error / found.standard_error - 1.0).abs() < 1e-3, "{error} {found}");
            let gaps = |k: f64| found.of_gaps(k);
            let lns = gaps(2.0) - gaps(1.0);
            assert!((lns - found.sum_ln_gaps).abs() < 1e-9 * lns.abs());
        }
        Ok(())
    }

    #[test]
    fn extreme_gaps_have_a_shape() -> Result<()> {
        // Bursts, and nearly equal gaps.
        let bursts = Regularity::of(&[[1e-9, 1.0, 1.0 + 1e-9]], TimeUnit::Day)?;
        assert!(bursts.k > 0.0 && bursts.k < 0.2, "{bursts}");
        let even = Regularity::of(&[[1.0, 2.0, 3.0 + 1e-4]], TimeUnit::Day)?;
        assert!(even.k > 1e6 && even.k.is_finite(), "{even}");
        Ok(())
    }

    #[test]
    fn times_that_tell_nothing_are_refused() {
        let of = |times: &[&[f64]]| {
            Regularity::of(times, TimeUnit::Day).map_err(|e| e.to_string())
        };
        let fault = |times: &[&[f64]], part: &str| {
            let error = of(times).err().unwrap_or_default();
            assert!(error.contains(part), "{error}");
        };
        fault(&[], "two repeat purchases");
        fault(&[&[], &[3.0]], "two repeat purchases");
        fault(&[&[1.0, 2.0], &[3.0, 3.0]], "in row 1");
        fault(&[&[0.0, 2.0]], "in row 0");
        fault(&[&[1.0, f64::NAN]], "after the purchase before it, 1.0");
        fault(&[&[1.0, f64::INFINITY]], "in row 0");
        fault(&[&[1.0, 2.0, 3.0], &[5.0, 10.0]], "all equal");
    }
}
