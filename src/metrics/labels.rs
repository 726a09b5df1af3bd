//! Labels as codes 0, 1, 2, … in the labels' own order.

use std::collections::BTreeMap;

/// The codes of a slice of labels.
#[derive(Debug)]
pub(super) struct Encoded<'l, L> {
    /// The different labels, ascending; a code is a position in here.
    pub(super) distinct: Vec<&'l L>,
    /// One code a label.
    pub(super) codes: Vec<usize>,
}

impl<'l, L: Ord> Encoded<'l, L> {
    /// Takes O(n log k) comparisons for n labels of k different values.
    pub(super) fn new(labels: &'l [L]) -> Encoded<'l, L> {
        let mut first_seen: BTreeMap<&L, usize> = BTreeMap::new();
        let mut codes: Vec<usize> = labels
            .iter()
            .map(|label| {
                let next = first_seen.len();
                *first_seen.entry(label).or_insert(next)
            })
            .collect();
        let mut rank = vec![0; first_seen.len()];
        for (position, &seen) in first_seen.values().enumerate() {
            rank[seen] = position;
        }
        for code in &mut codes {
            *code = rank[*code];
        }
        Encoded { distinct: first_seen.into_keys().collect(), codes }
    }

    /// How many different labels there are.
    pub(super) fn n_distinct(&self) -> usize {
        self.distinct.len()
    }
}
