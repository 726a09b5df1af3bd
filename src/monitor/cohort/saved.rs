//! Tables that come from elsewhere.

use serde::Deserialize;

use super::options::CohortOptions;
use super::table::{Cohort, CohortReport, CohortTable, fault};
use crate::data::Date;
use crate::error::{Error, Result};

/// What is read of a saved table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    options: CohortOptions,
    observed_until: Date,
    cohorts: Vec<Cohort>,
    report: CohortReport,
}

impl TryFrom<Saved> for CohortTable {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<CohortTable> {
        let Saved { options, observed_until, cohorts, report } = saved;
        match fault(&options, observed_until, &cohorts)? {
            Some(what) => {
                let reason = format!("{what} does not fit the rest");
                Err(Error::corrupt("cohort table", reason))
            }
            None => Ok(CohortTable::new(options, observed_until, cohorts, report)),
        }
    }
}
