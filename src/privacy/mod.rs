//! May we? What rules may ask, whom they may address, and what may be told of it.
//!
//! | question | answer |
//! |---|---|
//! | May these rules be used? | [`Policy::audit`] lists what they ask that they may not, with the place of each test, be it through other segments; [`Policy::enforce`] refuses them |
//! | May these people be addressed? | [`Policy::apply`] adds the consents that segments need; [`MinimumAudience::may_activate`] refuses audiences of few |
//! | May these numbers be told? | [`MinimumAudience::publish`] and its like withhold counts of few people, and counts from which these would follow |
//! | May she see this explanation? | [`Explanation::masked`](crate::segmenter::Explanation::masked) and [`Why::masked`](crate::rules::Why::masked) leave out what is too sensitive |
//! | Must we forget her? | [`Snapshot::forget`](crate::rules::Snapshot::forget), [`Difference::forget`](crate::rules::Difference::forget) and [`Stays::forget`](crate::rules::Stays::forget) do |
//!
//! How sensitive a feature is, and on what grounds it treats people differently, its
//! [`FeatureSpec`](crate::data::FeatureSpec) says. All of it works on definitions and
//! memberships that are there without it; nothing is enforced behind the host's back.
//!
//! ```
//! use segmenta::data::{FeatureSpec, Ids, Schema, Sensitivity, Table};
//! use segmenta::privacy::{MinimumAudience, Policy};
//! use segmenta::rules::{RuleSet, consent, field};
//!
//! let schema = Schema::new([
//!     FeatureSpec::number("orders"),
//!     FeatureSpec::category("religion").sensitivity(Sensitivity::Special),
//!     FeatureSpec::flag("news"),
//! ])?;
//! let set = RuleSet::new()
//!     .segment("loyal", "Loyal", field("orders").ge(10))
//!     .segment("frequent", "Frequent", field("orders").ge(9))
//!     .segment("devout", "Devout", field("religion").is_set());
//!
//! // One rule asks what it may not, and so the set is refused.
//! let policy = Policy::new().require_consent(consent("news"));
//! let error = policy.enforce(&schema, &policy.apply(&set)?).unwrap_err();
//! assert!(error.to_string().contains(
//!     "/segments/2/rule/all/0/field/name: segment `devout`: `religion` is special"
//! ));
//!
//! // Without it, and with the consent, the set may be used.
//! let mut set = set;
//! set.remove("devout")?;
//! let set = policy.apply(&set)?;
//! policy.enforce(&schema, &set)?;
//! assert_eq!(set.segments[0].rule.to_string(), "orders >= 10 and consent(news)");
//!
//! // Of 1,000 customers 300 have agreed. All but two of the frequent ones are loyal: the
//! // smaller of the two counts would tell of these.
//! let orders: Vec<f64> = (0..1_000).map(|i| [12.0, 1.0][i % 2]).collect();
//! let orders = [&[9.0, 9.0], &orders[2..]].concat();
//! let religion = vec![0_u32; 1_000];
//! let news: Vec<bool> = (0..1_000).map(|i| i < 300).collect();
//! let table = Table::builder(&schema, 1_000)
//!     .numbers("orders", orders)
//!     .categories("religion", religion, &["not said"][..])
//!     .flags("news", news)
//!     .build()?;
//! let memberships = set.compile_book(&schema)?.memberships(&table)?;
//! let audience = MinimumAudience::new(100)?;
//! let published = audience.publish(&memberships);
//! let told: Vec<String> =
//!     published.segments.iter().map(|count| count.members.to_string()).collect();
//! assert_eq!(told, ["withheld", "151"]);
//! audience.may_activate(&"frequent".into(), 151)?;
//! # Ok::<(), segmenta::Error>(())
//! ```

mod audience;
mod audit;
mod changes;
mod consents;
mod counts;
mod guard;
mod mask;
mod policy;

pub use self::audience::{MinimumAudience, ShownCount};
pub use self::audit::{Audit, AuditCode, AuditFinding, Severity};
pub use self::changes::{
    PublishedChange, PublishedDifference, PublishedSegment, PublishedSnapshot,
};
pub use self::counts::{
    PublishedCount, PublishedCounts, PublishedOverlap, PublishedPreview,
};
pub use self::policy::{Exception, Policy, Proxy, RequiredConsent, Ruling, Subject};
