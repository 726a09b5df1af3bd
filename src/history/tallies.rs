//! What customers come to.

use crate::data::Date;

/// What one customer comes to. The days are those of purchases; the money is that of
/// refunds too, so that a customer may have money without a purchase.
///
/// It is a tuple, and all zeros before the first row, so that a table of them is memory
/// that was never touched.
pub(super) type Tally = (i64, u64, u32, u32);

/// The days are counted so that each is above 0 and the first purchase has the largest.
const BEFORE: i32 = Date::MIN.days_since_epoch() - 1;
const AFTER: i32 = Date::MAX.days_since_epoch() + 1;

pub(super) trait Counts {
    const NONE: Tally = (0, 0, 0, 0);

    /// Adds a row. The caller makes sure that no sum leaves 64 bits.
    fn add(&mut self, day: i32, amount: i64);
    fn join(&mut self, other: &Tally);
    /// True when no row was added. A customer without a purchase has refunds, and so
    /// money below 0.
    fn is_none(&self) -> bool;
    fn money(&self) -> i64;
    fn purchases(&self) -> u64;
    fn first(&self) -> i32;
    fn last(&self) -> i32;
}

impl Counts for Tally {
    #[inline]
    fn add(&mut self, day: i32, amount: i64) {
        let bought = u32::from(amount >= 0);
        self.0 = self.0.wrapping_add(amount);
        self.1 += u64::from(bought);
        self.2 = self.2.max((AFTER - day) as u32 * bought);
        self.3 = self.3.max((day - BEFORE) as u32 * bought);
    }

    fn join(&mut self, other: &Tally) {
        self.0 = self.0.wrapping_add(other.0);
        self.1 += other.1;
        self.2 = self.2.max(other.2);
        self.3 = self.3.max(other.3);
    }

    #[inline]
    fn is_none(&self) -> bool {
        self.1 == 0 && self.0 == 0
    }

    fn money(&self) -> i64 {
        self.0
    }

    fn purchases(&self) -> u64 {
        self.1
    }

    fn first(&self) -> i32 {
        AFTER - self.2 as i32
    }

    fn last(&self) -> i32 {
        BEFORE + self.3 as i32
    }
}

/// The tally of a customer whose days are known.
pub(super) fn tally(money: i64, purchases: u64, first: i32, last: i32) -> Tally {
    (money, purchases, (AFTER - first) as u32, (last - BEFORE) as u32)
}

/// The tallies of customers in the order of their ids, none of them twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tallies {
    pub(super) ids: Vec<u64>,
    pub(super) tallies: Vec<Tally>,
}

impl Tallies {
    pub(super) fn with_capacity(n: usize) -> Tallies {
        Tallies { ids: Vec::with_capacity(n), tallies: Vec::with_capacity(n) }
    }

    /// Those of a table with a place for each id from `base` on.
    pub(super) fn of_places(base: u64, mut tallies: Vec<Tally>) -> Tallies {
        let mut ids = Vec::with_capacity(tallies.len());
        let mut filled = 0;
        for place in 0..tallies.len() {
            let tally = tallies[place];
            if !tally.is_none() {
                tallies[filled] = tally;
                ids.push(base + place as u64);
                filled += 1;
            }
        }
        tallies.truncate(filled);
        Tallies { ids, tallies }
    }

    pub(super) fn len(&self) -> usize {
        self.tallies.len()
    }

    pub(super) fn push(&mut self, id: u64, tally: Tally) {
        self.ids.push(id);
        self.tallies.push(tally);
    }

    /// Adds customers whose ids follow.
    pub(super) fn append(&mut self, next: &Tallies) {
        self.ids.extend_from_slice(&next.ids);
        self.tallies.extend_from_slice(&next.tallies);
    }

    /// The customers of both.
    pub(super) fn join(&self, other: &Tallies) -> Tallies {
        let mut joined = Tallies::with_capacity(self.len() + other.len());
        let (mut a, mut b) = (0, 0);
        while a < self.len() && b < other.len() {
            let (x, y) = (self.ids[a], other.ids[b]);
            let mut tally = if x <= y { self.tallies[a] } else { other.tallies[b] };
            if x == y {
                tally.join(&other.tallies[b]);
            }
            joined.push(x.min(y), tally);
            a += usize::from(x <= y);
            b += usize::from(y <= x);
        }
        for (rest, at) in [(self, a), (other, b)] {
            joined.ids.extend_from_slice(&rest.ids[at..]);
            joined.tallies.extend_from_slice(&rest.tallies[at..]);
        }
        joined
    }

    /// Some customers, in the order given.
    pub(super) fn select(&self, order: &[usize]) -> Tallies {
        Tallies {
            ids: order.iter().map(|&at| self.ids[at]).collect(),
            tallies: order.iter().map(|&at| self.tallies[at]).collect(),
        }
    }

    /// Those that bought, and how many did not.
    pub(super) fn buyers(self) -> (Tallies, u64) {
        let bought = |tally: &Tally| tally.purchases() > 0;
        let n_buyers = self.tallies.iter().filter(|tally| bought(tally)).count();
        let others = (self.len() - n_buyers) as u64;
        if others == 0 {
            return (self, 0);
        }
        let places: Vec<usize> =
            (0..self.len()).filter(|&at| bought(&self.tallies[at])).collect();
        (self.select(&places), others)
    }
}
