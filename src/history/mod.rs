//! From raw transactions to one row for each customer.
//!
//! A [`Ledger`] collects transactions in any order and in parts that merge exactly. Its
//! [`summary`](Ledger::summary) is the state of every customer on a day that the host
//! names: first and last purchase, number of purchases, money; and a
//! [`LedgerReport`] that counts what was left out or looks odd. [`Summary::table`] is
//! what [`rfm`](crate::rfm) and the clusterings read.
//!
//! What a model needs beyond that: the money of repeat purchases apart from the first
//! ([`CustomerSummary::mean_repeat_spend`]), ages in a [`TimeUnit`], and a
//! [`holdout`](Ledger::holdout) to compare it with. [`Ledger::behaviour`] tells what
//! customers did lately and how regularly (for one customer: [`Cadence`]), a [`BasketLedger`] what they bought and where;
//! both are tables of features. An [`ActivityRing`] is a small state of one customer that
//! a live host keeps up to date.
//!
//! [`PurchaseTotals`] makes the same summary out of slices, where every row is a purchase:
//! it keeps what each customer comes to and no rows.

mod baskets;
mod batch;
mod behaviour;
mod cadence;
mod chunks;
mod customers;
mod daily;
mod group;
mod holdout;
mod ledger;
mod names;
mod occasions;
mod options;
mod ordered;
mod places;
mod retraction;
mod ring;
mod sorted;
mod spend;
mod summary;
mod tallies;
mod times;
mod totals;
mod unit;
mod windows;

pub use self::baskets::{BasketLedger, Baskets, Line};
pub use self::behaviour::Behaviour;
pub use self::cadence::Cadence;
pub use self::holdout::{Holdout, HoldoutCustomer, HoldoutReport};
pub use self::ledger::{Ledger, OrderId};
pub use self::options::{LedgerOptions, Occasion, RefundPolicy, ZeroValue};
pub use self::ring::ActivityRing;
pub use self::summary::{CustomerSummary, LedgerReport, Summary};
pub use self::totals::PurchaseTotals;
pub use self::unit::TimeUnit;
