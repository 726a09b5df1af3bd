//! From which segment to which, and whether customers moved or were only ranked anew.

mod decomposition;
mod join;
mod matrix;

pub use self::decomposition::{MigrationDecomposition, MigrationTotals, SegmentChange};
pub use self::matrix::TransitionMatrix;
