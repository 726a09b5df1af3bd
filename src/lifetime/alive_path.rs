//! Whether one customer was still there, as it looked at each time.

use serde::{Deserialize, Serialize};

use super::history::{MAX_TIME, PurchaseHistory};
use super::model::PurchaseModel;
use crate::error::{Error, ErrorKind, Result};

/// How it looked at one time, of a [`probability_alive_path`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AlivePoint {
    /// Time since the first purchase.
    pub time: f64,
    /// What was known then: purchases up to this time, one at this very time among them.
    pub history: PurchaseHistory,
    /// The probability that the customer can still buy, as it looked then.
    pub probability_alive: f64,
    /// The same just before the purchases of this very time: the lower end of the jump that
    /// a picture draws upright. `None` where there is no repeat purchase at this time.
    pub before_purchase: Option<f64>,
}

/// The probability that one customer is alive, over time: at each asked time that of
/// [`PurchaseModel::probability_alive`] for the history up to then, `x` the repeat purchases
/// that lie at or before the time `t`, `t_x` the last of them, `T = t`.
///
/// It falls while she is silent, and each purchase lifts it to its upper value: 1 under
/// [`ParetoNbd`](super::ParetoNbd); under [`BgNbd`](super::BgNbd) and
/// [`MbgNbd`](super::MbgNbd), where customers leave right after a purchase, less than 1 and
/// higher with each purchase. (Under BG/NBD whoever has not bought again is alive for certain,
/// so that the first repeat purchase alone lowers it.) It is the curve of `plot_history_alive`
/// of the package lifetimes (Davidson-Pilon), there at whole units of time.
///
/// `repeat_purchases` are the times since the first purchase, in the model's unit, ascending;
/// the first purchase itself is time 0 and is not among them. The asked times come in any
/// order. What is asked of times after the last purchase holds for a customer who stays
/// silent until then, so that times to come can be asked, too.
///
/// ```
/// use segmenta::history::TimeUnit;
/// use segmenta::lifetime::{ParetoNbd, probability_alive_path};
///
/// // Fader, Hardie & Lee (2005), table 2: weeks.
/// let model = ParetoNbd::new(0.553, 10.578, 0.606, 11.669, TimeUnit::Week)?;
/// let path = probability_alive_path(&model, &[4.0, 9.0], &[8.0, 9.0, 30.0, 60.0])?;
/// let alive: Vec<f64> = path.iter().map(|p| p.probability_alive).collect();
/// assert!(alive[0] < 1.0 && alive[1] == 1.0 && alive[2] > alive[3]);
/// assert!(path[1].before_purchase.unwrap() < alive[0]);
/// assert_eq!(path[2].history.frequency(), 2);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When a purchase is not above 0 and at most 1e12, or lies before the one that precedes it in
/// the slice, or an asked time is not within 0 and 1e12; the error names the row.
pub fn probability_alive_path(
    model: &dyn PurchaseModel,
    repeat_purchases: &[f64],
    times: &[f64],
) -> Result<Vec<AlivePoint>> {
    let fault = |row: usize, expected: String, found: f64| -> Error {
        let found = format!("{found:?}");
        ErrorKind::Value { expected: expected.into(), found, row: Some(row) }.into()
    };
    let mut before = 0.0;
    for (row, &time) in repeat_purchases.iter().enumerate() {
        if !(time > 0.0 && time <= MAX_TIME) {
            let expected = "a repeat purchase after time 0, which is the first purchase, \
                            and up to 1e12";
            return Err(fault(row, expected.to_owned(), time));
        }
        if time < before {
            return Err(fault(row, format!("a purchase at {before:?} or later"), time));
        }
        before = time;
    }
    let known = |n: usize, time: f64| {
        let last = n.checked_sub(1).map_or(0.0, |at| repeat_purchases[at]);
        PurchaseHistory::new(n as u64, last, time)
    };
    let point = |(row, &time): (usize, &f64)| {
        if !(0.0..=MAX_TIME).contains(&time) {
            return Err(fault(row, "a time from 0 to 1e12".to_owned(), time));
        }
        let earlier = repeat_purchases.partition_point(|&at| at < time);
        let n = repeat_purchases.partition_point(|&at| at <= time);
        let history = known(n, time)?;
        let before_purchase = if earlier < n {
            Some(model.probability_alive(&known(earlier, time)?))
        } else {
            None
        };
        let probability_alive = model.probability_alive(&history);
        Ok(AlivePoint { time, history, probability_alive, before_purchase })
    };
    times.iter().enumerate().map(point).collect()
}
