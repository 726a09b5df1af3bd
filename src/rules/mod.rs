//! Segments written as rules.
//!
//! A [`Rule`] is a condition on a customer, as plain data: JSON at rest, a text that people
//! write ([`RuleText`]), or built in Rust with [`field`]. A [`RuleSet`] names segments and their rules. Compiled against a
//! schema it becomes a [`RuleSegmenter`], which gives each customer one segment, or a
//! [`RuleBook`], which gives each customer all segments that match. [`CompiledRule`] is
//! a single rule, ready to be asked.
//!
//! Rules also ask what a customer did: [`events`] gives counts, sums and other aggregates of
//! the events of a stream in a [`Window`] of time. Such rules are asked
//! [at](RuleBook::at) an instant that the host states, and
//! [`next_change`](RuleBook::next_change) says until when the answer stands if nothing
//! happens. The same holds of dates that are compared with today. Rules may refer to other
//! [segments](segment) of their set.
//!
//! A [`sequence`] is about the order of what a customer did, a [`distance`] about where she is,
//! a [`bucket`] draws her by lot, a [`consent`] asks what she has agreed to. Shares of all
//! customers, such as the top tenth, are [pinned](RuleSet::pin) to thresholds first.
//! [`PointsModel`]s give scores, which rules of a set [test](ScoreTest). [`RuleBook::why`] says which tests decide, and what would
//! change the answer.
//!
//! Where events arrive one by one, a [`LiveBook`] keeps a few hundred bytes of each customer in
//! place of her events, and says which memberships each event changes.
//!
//! Where customers lie in a database, [`RuleBook::to_sql`] writes the rules as SQL, with the
//! same answers.
//!
//! A [`Snapshot`] keeps who was in which segments; a [`Difference`] says who has come and gone
//! since, and whether data, time or another definition moved them. A [`RuleDigest`] tells
//! definitions apart. A [`StickyBook`] lets go of members only by a rule of its own, or after a
//! while; a [`LiveStickyBook`] does so as events arrive.
//!
//! Missing values are answered by Kleene's three-valued logic, negation is spelled only
//! as `not`, and a definition is checked against the schema before it is used: all of
//! its faults are told at once, each with its place and, where there is one, the name
//! that was probably meant.
//!
//! An [`Import`] reads definitions that were made for MongoDB, GrowthBook, PostHog or Apache Unomi.
//! [`Memberships::overlap`] says how far segments overlap, and [`privacy`](crate::privacy) what rules
//! may ask and what may be told of their members.
//!
//! [`RuleBook::analyse`] says what holds for all customers: segments that nobody can be in, that
//! lie within others or are shadowed by them, and clauses that make no difference.
//!
//! One customer is asked about by jumps from test to test, in nanoseconds and without
//! allocation. Whole tables are asked by columns, with the same answers: for a thousand rules
//! of numbers and a million customers [`RuleBook::count`] takes about a tenth of a second on
//! two cores, and [`RuleBook::memberships`], which writes 250 MB, some tenths. Two hundred rules
//! over 20 million events of a million customers take about a third of a second.

mod analysis;
mod ast;
mod batch;
mod behaviour;
mod book;
mod bucket;
mod check;
mod clauses;
mod compile;
mod computed;
mod consent;
mod context;
mod day;
mod decay;
mod depth;
mod digest;
mod distance;
mod event;
mod field;
mod habit;
mod import;
mod json;
mod jumps;
mod leaf;
mod limits;
mod live;
mod members;
mod model;
mod ordered;
mod overlap;
mod pin;
mod point;
mod points;
mod reads;
mod references;
mod revisions;
mod score;
mod sequence;
mod set;
mod snapshot;
mod sql;
mod text;
mod timeline;
mod why;
mod window;

pub use self::analysis::{Analysis, AnalysisLimits, Finding, OpenQuestion, Relation};
pub use self::ast::{FieldTest, LeapDay, Literal, Rule, SegmentRef, Test};
pub use self::book::RuleBook;
pub use self::bucket::{BucketTest, bucket};
pub use self::compile::CompiledRule;
pub use self::consent::{Consent, ConsentAge, ConsentTest, consent};
pub use self::digest::{RuleDigest, RuleLeaf};
pub use self::distance::{DistanceTest, EARTH_RADIUS, Location, distance};
pub use self::event::{Aggregate, CalendarUnit, EventTest, Window};
pub use self::field::{EventSelection, Field, events, field, segment, segment_version};
pub use self::habit::Period;
pub use self::import::{Import, Imported};
pub use self::limits::Limits;
pub use self::live::{
    Cause, Granularity, LiveBook, LiveChange, LiveConfig, LiveCustomer, LiveScratch,
    SavedCustomer,
};
pub use self::members::{MembershipCount, Memberships};
pub use self::model::{RuleSegmenter, RulesBuilder, RulesRepr};
pub use self::overlap::{Overlap, SegmentOverlap};
pub use self::pin::Share;
pub use self::points::{
    CompiledPoints, PartPoints, Points, PointsFor, PointsModel, PointsPart,
};
pub(crate) use self::reads::{Read, Told, Walk};
pub use self::revisions::{Redefinition, Renaming, Reversion, Revisions, VersionStep};
pub use self::score::{ScoreRule, ScoreTest, score};
pub use self::sequence::{Sequence, SequenceStep, SequenceTest, sequence, step};
pub use self::set::{RestSegment, RuleSet, SegmentRule, SegmentStay};
pub(crate) use self::snapshot::Plane;
pub use self::snapshot::{
    Difference, DifferenceCount, Estimate, Hysteresis, LiveStickyBook, MemberChange,
    SavedStickyCustomer, SegmentDifference, SegmentPreview, SegmentSnapshot, Snapshot,
    StayChange, Stays, StickyBook, StickyChange, StickyCustomer, StickyScratch,
    Transitions,
};
pub use self::sql::{
    DateForm, Dialect, FlagForm, SqlBook, SqlLayout, SqlStream, SqlTable, SqlTags,
    TimeForm,
};
pub use self::text::RuleText;
pub use self::timeline::{MembershipChange, NextChange};
pub use self::why::{Otherwise, Why};
