//! One number for how engaged a customer is, with its parts.

use serde::{Deserialize, Serialize};

use crate::data::Date;
use crate::error::{Error, ErrorKind, Result};
use crate::monitor::activity::{check_days, check_length};
use crate::parallel::sort;

/// How the parts of engagement are measured and weighted.
///
/// ```
/// use segmenta::monitor::EngagementOptions;
///
/// // Four weeks, five parts of the shop; how often one comes counts twice.
/// let options = EngagementOptions::new(28, 5).weights([2.0, 1.0, 1.0]);
/// assert!(options.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngagementOptions {
    window_days: u32,
    n_kinds: u32,
    weights: [f64; 3],
}

impl EngagementOptions {
    /// Engagement in the last `window_days` days, with `n_kinds` kinds of activity that there
    /// are: categories, channels, features of an app. All parts have the same weight.
    #[must_use]
    pub fn new(window_days: u32, n_kinds: u32) -> EngagementOptions {
        EngagementOptions { window_days, n_kinds, weights: [1.0; 3] }
    }

    /// The weights of frequency, breadth and recency, 0 or more; only their ratios count.
    #[must_use]
    pub fn weights(mut self, weights: [f64; 3]) -> EngagementOptions {
        self.weights = weights;
        self
    }

    /// All checks.
    ///
    /// # Errors
    /// When the window has no day or more than 36,525, there are no kinds, a weight is
    /// negative or not finite, or all weights are 0.
    pub fn validate(&self) -> Result<()> {
        if !(1..=36_525).contains(&self.window_days) {
            return Err(Error::parameter("window_days", "1 to 36525", self.window_days));
        }
        if self.n_kinds == 0 {
            return Err(Error::parameter("n_kinds", "at least 1", 0));
        }
        let fits = |w: &f64| w.is_finite() && *w >= 0.0;
        if !self.weights.iter().all(fits) || self.weights.iter().all(|&w| w == 0.0) {
            let expected = "finite and not negative, and one above 0";
            return Err(Error::parameter(
                "weights",
                expected,
                format!("{:?}", self.weights),
            ));
        }
        Ok(())
    }

    /// Σ w x / Σ w.
    fn score(&self, parts: [f64; 3]) -> f64 {
        // In units of the largest one, so that no sum overflows.
        let largest = self.weights.iter().copied().fold(0.0, f64::max);
        let weights = self.weights.map(|w| w / largest);
        let sum: f64 = weights.iter().zip(parts).map(|(w, part)| w * part).sum();
        (sum / weights.iter().sum::<f64>()).min(1.0)
    }
}

/// The engagement of one customer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CustomerEngagement {
    /// The customer.
    pub customer: u64,
    /// Days with activity in the window.
    pub active_days: u32,
    /// Different kinds of activity in the window.
    pub kinds: u32,
    /// Days since the last activity, at any time.
    pub days_since_last: u32,
    /// `active_days` / days of the window.
    pub frequency: f64,
    /// `kinds` / kinds that there are.
    pub breadth: f64,
    /// 1 − `days_since_last` / days of the window: 1 on the day itself, 0 from the window's
    /// first day backwards.
    pub recency: f64,
    /// Σ w x / Σ w over the three: 0 to 1.
    pub score: f64,
}

/// The engagement of all customers, made by [`engagement`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Engagement {
    /// The customers, ascending.
    pub customers: Vec<CustomerEngagement>,
    /// The mean of frequency over all of them, those with nothing in the window included;
    /// 0 without customers, like the other means.
    pub mean_frequency: f64,
    /// The mean of breadth.
    pub mean_breadth: f64,
    /// The mean of recency.
    pub mean_recency: f64,
    /// The mean of the score.
    pub mean_score: f64,
    /// Rows after the day, which were left out.
    pub rows_after: u64,
}

/// How engaged customers are on the day `as_of`, by how often, how widely and how lately they
/// were active.
///
/// A row is a customer, a day (counted from 1970-01-01) and a kind of activity (0 to
/// `n_kinds` − 1), in any order. Each part is a share of what is possible, so that scores of
/// two days or two bases can be compared, which ranks cannot. It is a convention and no
/// estimate: the parts are given, too, so that the score can be explained.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::monitor::{EngagementOptions, engagement};
///
/// let options = EngagementOptions::new(10, 4);
/// let (customers, days, kinds) = ([7_u64, 7, 7, 8], [99, 95, 95, 80], [0, 1, 0, 2]);
/// let found = engagement(&options, &customers, &days, &kinds, Date::from_days(100)?)?;
/// let seven = found.customers[0];
/// assert_eq!((seven.frequency, seven.breadth, seven.recency), (0.2, 0.5, 0.9));
/// assert_eq!(format!("{:.4}", seven.score), "0.5333");
/// assert_eq!(found.customers[1].score, 0.0);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the options are not valid or the slices differ in length; when a day lies outside the
/// calendar or a kind is not below `n_kinds`, in which case the error names the row.
pub fn engagement<K: Copy + Into<u64>>(
    options: &EngagementOptions,
    customers: &[K],
    days: &[i32],
    kinds: &[u32],
    as_of: Date,
) -> Result<Engagement> {
    options.validate()?;
    check_length("`days`", customers.len(), days.len())?;
    check_length("`kinds`", customers.len(), kinds.len())?;
    check_days(days)?;
    if let Some(row) = kinds.iter().position(|&kind| kind >= options.n_kinds) {
        return Err(ErrorKind::Value {
            expected: format!("a kind below {}", options.n_kinds).into(),
            found: kinds[row].to_string(),
            row: Some(row),
        }
        .into());
    }
    let last = as_of.days_since_epoch();
    let mut rows: Vec<(u64, i32, u32)> = Vec::with_capacity(customers.len());
    for ((&customer, &day), &kind) in customers.iter().zip(days).zip(kinds) {
        if day <= last {
            rows.push((customer.into(), day, kind));
        }
    }
    let rows_after = (customers.len() - rows.len()) as u64;
    sort(&mut rows);
    let mut seen = Vec::new();
    let engaged: Vec<CustomerEngagement> = rows
        .chunk_by(|a, b| a.0 == b.0)
        .map(|rows| of_customer(options, rows, last, &mut seen))
        .collect();
    let mean = |part: fn(&CustomerEngagement) -> f64| {
        let sum: f64 = engaged.iter().map(part).sum();
        sum / engaged.len().max(1) as f64
    };
    Ok(Engagement {
        mean_frequency: mean(|customer| customer.frequency),
        mean_breadth: mean(|customer| customer.breadth),
        mean_recency: mean(|customer| customer.recency),
        mean_score: mean(|customer| customer.score),
        customers: engaged,
        rows_after,
    })
}

/// The rows of a customer, by day; `seen` is memory that is used again.
fn of_customer(
    options: &EngagementOptions,
    rows: &[(u64, i32, u32)],
    last: i32,
    seen: &mut Vec<u32>,
) -> CustomerEngagement {
    let window_days = options.window_days;
    let before = last - window_days as i32;
    let within = &rows[rows.partition_point(|row| row.1 <= before)..];
    let active_days = within.chunk_by(|a, b| a.1 == b.1).count() as u32;
    seen.clear();
    seen.extend(within.iter().map(|row| row.2));
    seen.sort_unstable();
    seen.dedup();
    let kinds = seen.len() as u32;
    let (customer, last_day, _) = rows[rows.len() - 1];
    let days_since_last = (last - last_day) as u32;
    let window = f64::from(window_days);
    let frequency = f64::from(active_days) / window;
    let breadth = f64::from(kinds) / f64::from(options.n_kinds);
    let recency = f64::from(window_days.saturating_sub(days_since_last)) / window;
    let score = options.score([frequency, breadth, recency]);
    CustomerEngagement {
        customer,
        active_days,
        kinds,
        days_since_last,
        frequency,
        breadth,
        recency,
        score,
    }
}
