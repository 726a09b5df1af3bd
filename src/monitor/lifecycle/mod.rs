//! New, current, at risk, dormant, resurrected: customers over time.

mod count;
mod state;
mod table;

pub use self::count::lifecycle;
pub use self::state::{LifecycleOptions, LifecycleState};
pub use self::table::{Lifecycle, LifecyclePeriod, Moves};
