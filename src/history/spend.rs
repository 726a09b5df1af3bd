//! What is known of purchases, the first apart from the rest.

/// The money of one customer's purchases in minor units, the first occasion apart from
/// the others. With the refunds that belong to no occasion they come to her money.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spend {
    pub(super) first: i64,
    pub(super) repeat: i64,
    /// The day on which the last occasion began.
    pub(super) last: i32,
}

impl Spend {
    /// The mean of all `n` occasions in major units. The sum is an integer, so that it is
    /// rounded only when it becomes an `f64` and when it is divided.
    pub(super) fn mean(self, n: u64, per_major: f64) -> f64 {
        (i128::from(self.first) + i128::from(self.repeat)) as f64 / (n as f64 * per_major)
    }

    /// The same without the first, where there are others.
    pub(super) fn repeat_mean(self, n: u64, per_major: f64) -> Option<f64> {
        (n > 1).then(|| self.repeat as f64 / ((n - 1) as f64 * per_major))
    }

    /// What is left of the customer's money: refunds that belong to no occasion.
    pub(super) fn apart(self, money: i64) -> i64 {
        money.wrapping_sub(self.first).wrapping_sub(self.repeat)
    }
}
