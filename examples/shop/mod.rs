//! A made-up shop: its customers and two years of their purchases, the same for the same
//! seed, with five planted groups for a segmentation to find again.

// Several programs share this file, and each of them uses a part of it.
#![allow(dead_code, unreachable_pub)]
#![allow(clippy::expect_used, reason = "all days lie in the two years before `as_of`")]

use segmenta::data::Date;

/// The planted groups. [`Shopper::group`] is a position in this list.
pub const GROUPS: [&str; 5] =
    ["champions", "steady regulars", "big occasional", "newcomers", "lapsed one-timers"];

/// A customer of the shop.
#[derive(Clone, Debug, PartialEq)]
pub struct Shopper {
    pub id: u64,
    pub country: String,
    pub channel: String,
    pub opted_in: bool,
    /// In years; not everybody told.
    pub age: Option<f64>,
    /// The planted group: the truth, which no segmenter may see.
    pub group: usize,
    pub first_order: Date,
    /// Oldest first.
    pub purchases: Vec<Purchase>,
}

/// One line of the shop's books: a sale, a free sample (amount 0) or a refund (negative,
/// under the number of the order that it refunds).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub day: Date,
    /// In cents.
    pub amount_minor: i64,
    pub order: u64,
}

/// The day after the last purchase.
pub fn as_of() -> Date {
    Date::from_ymd(2026, 1, 1).expect("a date of the calendar")
}

/// How a group behaves.
struct Habit {
    /// How many of 100 shoppers.
    percent: u64,
    /// The first order lies between so many days before [`as_of`].
    first_days_ago: (f64, f64),
    /// Median days from one order to the next; it varies between shoppers.
    gap_days: f64,
    /// Orders at most.
    max_orders: usize,
    /// Median value of an order in cents; it varies between shoppers and orders.
    basket: f64,
    /// Of 100 shoppers, how many use the web, and how many the app; the rest come in.
    web_app: (u64, u64),
    /// How many of 100 agreed to be written to.
    opted_in: u64,
    /// Mean age.
    age: f64,
}

const HABITS: [Habit; 5] = [
    Habit {
        percent: 12,
        first_days_ago: (400.0, 730.0),
        gap_days: 15.0,
        max_orders: 200,
        basket: 9_000.0,
        web_app: (30, 60),
        opted_in: 85,
        age: 41.0,
    },
    Habit {
        percent: 25,
        first_days_ago: (300.0, 730.0),
        gap_days: 40.0,
        max_orders: 60,
        basket: 3_000.0,
        web_app: (45, 25),
        opted_in: 65,
        age: 47.0,
    },
    Habit {
        percent: 13,
        first_days_ago: (450.0, 730.0),
        gap_days: 150.0,
        max_orders: 8,
        basket: 30_000.0,
        web_app: (35, 5),
        opted_in: 45,
        age: 55.0,
    },
    Habit {
        percent: 20,
        first_days_ago: (3.0, 60.0),
        gap_days: 30.0,
        max_orders: 3,
        basket: 3_500.0,
        web_app: (35, 55),
        opted_in: 70,
        age: 31.0,
    },
    Habit {
        percent: 30,
        first_days_ago: (240.0, 730.0),
        gap_days: 60.0,
        max_orders: 1,
        basket: 2_500.0,
        web_app: (70, 15),
        opted_in: 25,
        age: 39.0,
    },
];

/// `n` shoppers with numbers from 1 on, the same for the same seed.
pub fn shoppers(n: usize, seed: u64) -> Vec<Shopper> {
    let mut random = SplitMix64(seed);
    let mut next_order = 1;
    (1..=n as u64).map(|id| shopper(id, &mut random, &mut next_order)).collect()
}

fn shopper(id: u64, random: &mut SplitMix64, next_order: &mut u64) -> Shopper {
    let (group, habit) = draw_group(random);
    let purchases = draw_purchases(habit, random, next_order);
    let country = match random.below(100) {
        0..50 => "AT",
        50..85 => "DE",
        _ => "CH",
    };
    let (web, app) = habit.web_app;
    let channel = match random.below(100) {
        draw if draw < web => "web",
        draw if draw < web + app => "app",
        _ => "store",
    };
    let opted_in = random.below(100) < habit.opted_in;
    let age = (habit.age + 10.0 * random.normal()).clamp(18.0, 95.0).round();
    let age_known = random.below(100) < 88;
    Shopper {
        id,
        country: country.to_owned(),
        channel: channel.to_owned(),
        opted_in,
        age: age_known.then_some(age),
        group,
        first_order: purchases.first().map_or(as_of(), |first| first.day),
        purchases,
    }
}

fn draw_group(random: &mut SplitMix64) -> (usize, &'static Habit) {
    let mut draw = random.below(100);
    for (group, habit) in HABITS.iter().enumerate() {
        if draw < habit.percent {
            return (group, habit);
        }
        draw -= habit.percent;
    }
    (0, &HABITS[0])
}

/// The purchases of one shopper, oldest first. There is at least one sale.
fn draw_purchases(
    habit: &Habit,
    random: &mut SplitMix64,
    next_order: &mut u64,
) -> Vec<Purchase> {
    let (nearest, farthest) = habit.first_days_ago;
    let mut days_ago = nearest + random.unit() * (farthest - nearest);
    let gap = habit.gap_days * (0.35 * random.normal()).exp();
    let basket = habit.basket * (0.35 * random.normal()).exp();
    let mut purchases = Vec::new();
    for _ in 0..habit.max_orders {
        let order = *next_order;
        *next_order += 1;
        let mut book = |days_ago: f64, amount_minor: i64| {
            let day = as_of().checked_add_days(-(days_ago as i32).max(1));
            let day = day.expect("a date of the calendar");
            purchases.push(Purchase { day, amount_minor, order });
        };
        let amount = (basket * (0.4 * random.normal()).exp()).round().max(1.0) as i64;
        book(days_ago, amount);
        if random.below(100) < 3 {
            book(days_ago, 0);
        }
        if random.below(100) < 4 {
            // In whole or in half, up to two weeks later.
            let back = if random.below(2) == 0 { amount } else { amount / 2 };
            book((days_ago - 14.0 * random.unit()).max(1.0), -back);
        }
        // Days to the next order: exponential, with the shopper's own mean.
        days_ago -= 1.0 - gap * (1.0 - random.unit()).ln();
        if days_ago < 1.0 {
            break;
        }
    }
    purchases.sort_by_key(|purchase| purchase.day);
    purchases
}

/// SplitMix64 (Steele, Lea & Flood 2014), written out so that the shop stays the same with
/// every release of any other crate.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 (included) to 1 (excluded).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below `n`, which is small, so that the bias of the remainder is out of sight.
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Standard normal (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
