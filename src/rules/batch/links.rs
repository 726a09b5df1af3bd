//! What the events of a sequence have in common, as numbers: texts are slow to compare.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data::{Column, FeatureIndex};
use crate::rules::behaviour::{DistinctKey, distinct_key};

/// Numbers for the names in all columns whose values sequences compare, so that equal names of
/// different columns have one number.
#[derive(Debug, Default)]
pub(super) struct Links<'t> {
    numbers: BTreeMap<&'t str, u32>,
    /// Of the levels of each column, by stream and property.
    levels: BTreeMap<(usize, FeatureIndex), Arc<[u32]>>,
}

/// A property that the events of a sequence have in common.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) feature: FeatureIndex,
    /// The numbers of its levels, if it has some.
    levels: Arc<[u32]>,
}

impl<'t> Links<'t> {
    pub(super) fn link(
        &mut self,
        stream: usize,
        feature: FeatureIndex,
        column: Option<&'t Column<'_>>,
    ) -> Link {
        let Links { numbers, levels } = self;
        let levels = levels.entry((stream, feature)).or_insert_with(|| {
            let Some(Column::Category(_, names, _)) = column else { return [].into() };
            let number = |name| {
                let next = numbers.len() as u32;
                *numbers.entry(name).or_insert(next)
            };
            names.iter().map(number).collect()
        });
        Link { feature, levels: levels.clone() }
    }
}

impl Link {
    /// What tells the value at a place apart from others; nothing where there is none.
    #[inline]
    pub(super) fn key(&self, column: &Column<'_>, at: usize) -> Option<u64> {
        if let Column::Category(codes, _, validity) = column {
            let code = *codes.get(at).filter(|_| validity.is_valid(at))?;
            return self.levels.get(code as usize).map(|&number| number.into());
        }
        match distinct_key(column.value(at))? {
            DistinctKey::Bits(bits) => Some(bits),
            // Only categories have names.
            DistinctKey::Name(_) => None,
        }
    }
}
