//! How often, how widely and how lately customers are active.

mod active;
mod score;
mod stickiness;

pub use self::active::{ActiveDay, active_customers};
pub use self::score::{CustomerEngagement, Engagement, EngagementOptions, engagement};
pub use self::stickiness::{Stickiness, stickiness};
