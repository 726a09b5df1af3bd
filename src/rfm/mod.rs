//! Recency, frequency, monetary: quantile scores and named segments.
//!
//! [`Rfm`] is the configuration, and learns an [`RfmModel`] from a table with the columns
//! `recency`, `frequency` and `monetary`, such as
//! [`history::Summary::table`](crate::history::Summary::table) gives. Each axis is scored
//! 1 to `n` by [`NTiles`] under a stated [`TiePolicy`]; a [`SegmentMap`] gives every cell
//! of scores one name, which is proved when the map is built. [`RfmScores`] are the
//! scores without names, and [`TieReport`] says what ties did to them. [`LegacyMap`]s are
//! those of other software, with their faults listed. [`RfGrid`] and [`Treemap`] are the
//! numbers of two pictures.
//!
//! ```
//! use segmenta::data::Date;
//! use segmenta::history::{Ledger, LedgerOptions};
//! use segmenta::rfm::Rfm;
//! use segmenta::{Fit, Segmenter, SegmenterExt};
//!
//! let mut ledger = Ledger::new(LedgerOptions::new().currency("EUR"))?;
//! for customer in 0..50_u64 {
//!     for purchase in 0..=customer / 10 {
//!         let day = Date::from_ymd(2024, 1 + purchase as u8, 1 + (customer % 28) as u8)?;
//!         ledger.add(customer, day, customer as i64 * 1_00)?;
//!     }
//! }
//! let table = ledger.summary(Date::from_ymd(2024, 6, 30)?)?.table()?;
//! let (model, labels, _) = Rfm::new().fit(&table)?.into_parts();
//! let best = &model.segments()[labels[49].unwrap().get()];
//! assert_eq!(best.name, "Champions");
//!
//! let score = model.score(40.0, 5.0, 120.0)?;
//! assert_eq!(score.code(), Some(554));
//! # Ok::<(), segmenta::Error>(())
//! ```

mod audit;
mod config;
mod fit;
mod grid;
mod heat;
mod legacy;
mod map;
mod model;
mod named;
mod position;
mod quantile;
mod select;
mod ties;
mod treemap;

pub use self::audit::{MapAudit, Overlap, Step};
pub use self::config::{Axis, Rfm};
pub use self::fit::RfmScores;
pub use self::grid::{CellRange, Grid};
pub use self::heat::{CellSegment, RfCell, RfGrid};
pub use self::legacy::LegacyMap;
pub use self::map::{SegmentMap, SegmentMapBuilder};
pub use self::model::{RfmModel, RfmRepr};
pub use self::quantile::{CutPoint, NTiles, Side, TiePolicy};
pub use self::ties::TieReport;
pub use self::treemap::{Rectangle, Tile, Treemap, TreemapArea, squarify};
