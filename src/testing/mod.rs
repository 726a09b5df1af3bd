//! The conformance kit: the contracts of [`Segmenter`](crate::Segmenter),
//! [`Fit`](crate::Fit) and [`Persist`](crate::segmenter::Persist) as tests.
//!
//! One call of [`conformance!`](crate::conformance) makes a module with a named test for
//! each clause; the checks themselves are in [`segmenter`], [`fit`] and [`persist`].
//! Segmenters of this crate pass the same kit.
//!
//! ```
//! # mod downstream {
//! use segmenta::data::{FeatureSpec, Schema};
//! use segmenta::rules::{RuleSegmenter, field};
//!
//! fn loyalty() -> RuleSegmenter {
//!     let schema = Schema::new([FeatureSpec::number("orders")]).unwrap();
//!     RuleSegmenter::builder(&schema)
//!         .segment("loyal", "Loyal", field("orders").ge(10.0))
//!         .build()
//!         .unwrap()
//! }
//!
//! segmenta::conformance!(loyalty_conforms, segmenter: loyalty());
//! segmenta::conformance!(loyalty_persists, persist: loyalty());
//! # }
//! ```

mod cases;
pub mod fit;
pub mod persist;
pub mod segmenter;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use self::cases::{customers, hostile_customers};

/// A clause that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Runs `work`; a panic is a failure.
pub(crate) fn without_panic<T>(
    what: &str,
    work: impl FnOnce() -> T,
) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        Failure::new(format!("{what} panicked; it must give an answer or an error"))
    })
}

/// `Err` with a message unless `holds`.
pub(crate) fn ensure(
    holds: bool,
    message: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(message())) }
}

/// `work` in a pool of so many threads, where the feature `rayon` is on.
pub(crate) fn in_pool<T: Send>(
    threads: usize,
    work: impl FnOnce() -> T + Send,
) -> Result<T, Failure> {
    #[cfg(feature = "rayon")]
    {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| Failure::new(format!("no pool of {threads} threads: {e}")))?;
        Ok(pool.install(work))
    }
    #[cfg(not(feature = "rayon"))]
    {
        let _ = threads;
        Ok(work())
    }
}

/// Makes a module `$name` with a named test for each clause of a contract.
///
/// | call | contract |
/// |---|---|
/// | `conformance!(name, segmenter: expr)` | [`Segmenter`](crate::Segmenter), on generated customers |
/// | `conformance!(name, segmenter: expr, cases: expr)` | the same, on these `Vec<OwnedCustomer>` |
/// | `conformance!(name, persist: expr)` | [`Persist`](crate::segmenter::Persist); `cases:` as above |
/// | `conformance!(name, fit: expr, table: expr)` | [`Fit`](crate::Fit), on this table |
///
/// The expressions see the names of the surrounding module, and are evaluated once for
/// each test. Give `cases` where random categories would be refused.
#[macro_export]
macro_rules! conformance {
    ($name:ident, segmenter: $segmenter:expr) => {
        $crate::conformance!(@segmenter $name, $segmenter, |segmenter| {
            $crate::testing::customers($crate::Segmenter::schema(segmenter), 40, 1)
        });
    };
    ($name:ident, segmenter: $segmenter:expr, cases: $cases:expr) => {
        $crate::conformance!(@segmenter $name, $segmenter, |_segmenter| $cases);
    };
    ($name:ident, persist: $model:expr) => {
        $crate::conformance!(@persist $name, $model, |model| {
            $crate::testing::customers($crate::Segmenter::schema(model), 40, 1)
        });
    };
    ($name:ident, persist: $model:expr, cases: $cases:expr) => {
        $crate::conformance!(@persist $name, $model, |_model| $cases);
    };
    ($name:ident, fit: $fit:expr, table: $table:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::conformance!(@fit $fit, $table,
                validates, one_label_a_row, configuration_is_unchanged, refit_is_identical,
                labels_are_assignments, weight_one_is_neutral, weight_two_is_two_rows,
                weight_zero_does_not_count, few_rows_do_not_panic, hostile_values_are_errors,
                observer_can_stop, threads_do_not_matter, layouts_do_not_matter,
            );
        }
    };
    (@fit $fit:expr, $table:expr, $($check:ident,)*) => {$(
        #[test]
        fn $check() {
            let table = $table;
            if let Err(failure) = $crate::testing::fit::$check(&$fit, &table) {
                panic!("{failure}");
            }
        }
    )*};
    (@segmenter $name:ident, $segmenter:expr, $cases:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::conformance!(@run segmenter $segmenter, $cases,
                is_pure, index_is_in_range, table_equals_rows, explanation_agrees,
                never_panics, errors_name_the_feature, affinities_agree, binding_agrees,
                 capabilities_hold, row_order_does_not_matter,
                threads_do_not_matter,
            );
        }
    };
    (@persist $name:ident, $model:expr, $cases:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::conformance!(@run persist $model, $cases,
                round_trip_is_exact, registry_agrees, forged_does_not_panic,
                upgrade_knows_its_versions,
            );
        }
    };
    (@run $kind:ident $segmenter:expr, $cases:expr, $($check:ident,)*) => {$(
        #[test]
        fn $check() {
            fn cases<S>(
                segmenter: &S,
                make: impl Fn(&S) -> Vec<$crate::data::OwnedCustomer>,
            ) -> Vec<$crate::data::OwnedCustomer> {
                make(segmenter)
            }
            let segmenter = $segmenter;
            let cases = cases(&segmenter, $cases);
            if let Err(failure) = $crate::testing::$kind::$check(&segmenter, &cases) {
                panic!("{failure}");
            }
        }
    )*};
}
