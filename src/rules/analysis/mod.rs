//! What a book of rules says without any customer: contradictions, segments within others,
//! segments that get nobody, clauses that make no difference.
//!
//! All tests of one subject, a feature or an aggregate of events, divide its values into
//! classes. So rules are formulas over finitely many cases, and each question is whether a
//! formula can hold: `a` is within `b` if "`a` and not `b`" cannot. A solver of clauses
//! answers it, and what is known of the subjects are further clauses: that counts are whole
//! numbers, that fewer events happened in the last 30 days than in the last 90, that a name that
//! starts with `ab` contains `b`. Most questions are not asked, since one of some
//! thousand made-up customers shows that they can hold.

mod containment;
mod contradictions;
mod encode;
mod facts;
mod finding;
mod history;
mod inquiry;
mod key;
mod limits;
mod model;
mod names;
mod needless;
mod priority;
mod queue;
mod report;
mod samples;
mod shape;
mod solver;
mod windows;

pub use self::finding::{Finding, OpenQuestion, Relation};
pub use self::limits::AnalysisLimits;
pub use self::report::Analysis;
