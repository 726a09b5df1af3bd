//! From raw transactions to one row for each customer.
//!
//! A [`Ledger`] collects transactions in any order and in parts that merge exactly. Its
//! [`summary`](Ledger::summary) is the state of every customer on a day that the host
//! names: first and last purchase, number of purchases, money; and a
//! [`LedgerReport`] that counts what was left out or looks odd. [`Summary::table`] is
//! what [`rfm`](crate::rfm) and the clusterings read.

mod ledger;
mod names;
mod options;
mod summary;

pub use self::ledger::{Ledger, OrderId};
pub use self::options::{LedgerOptions, Occasion, RefundPolicy, ZeroValue};
pub use self::summary::{CustomerSummary, LedgerReport, Summary};
