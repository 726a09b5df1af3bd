//! May we?

mod audience;
mod audit;
mod changes;
mod consents;
mod counts;
mod guard;
mod policy;
mod reads;

pub use self::audience::{MinimumAudience, ShownCount};
pub use self::audit::{Audit, AuditCode, AuditFinding, Severity};
pub use self::changes::{
    PublishedChange, PublishedDifference, PublishedSegment, PublishedSnapshot,
};
pub use self::counts::{
    PublishedCount, PublishedCounts, PublishedOverlap, PublishedPreview,
};
pub use self::policy::{Exception, Policy, Proxy, RequiredConsent, Ruling, Subject};
