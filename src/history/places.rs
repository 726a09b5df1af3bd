//! Tallies of scattered customers, found by search.

use std::collections::BTreeMap;

use super::tallies::{Counts, Tally};

/// Places that are looked at before a table is given up.
const FARTHEST: usize = 256;

/// An open-addressing table. Its keys are spread already: their upper bits are where the
/// search starts.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// A free place has no tally. Its length is a power of two.
    table: Vec<(u64, Tally)>,
    n_used: usize,
    /// By how much a key of this table is shifted to become a place.
    shift: u32,
    /// Where all tallies are once a search has become long, as it does for ids that were
    /// made to that end.
    crowded: Option<BTreeMap<u64, Tally>>,
}

impl Places {
    const SMALLEST: u32 = 5;

    /// For keys of so many bits, more than 31.
    pub(super) fn new(bits: u32) -> Places {
        Places {
            table: vec![(0, Tally::NONE); 1 << Places::SMALLEST],
            n_used: 0,
            shift: bits - Places::SMALLEST,
            crowded: None,
        }
    }

    /// The tally of a key, to which a row must be added.
    #[inline]
    pub(super) fn tally(&mut self, key: u64) -> &mut Tally {
        if self.n_used * 3 >= self.table.len() * 2 {
            self.grow();
        }
        if self.crowded.is_none()
            && let Some(place) = find(&self.table, self.shift, key)
        {
            let (found, tally) = &mut self.table[place];
            *found = key;
            self.n_used += usize::from(tally.is_none());
            return tally;
        }
        self.search(key)
    }

    /// Reads the table once in a row, which brings it to the cache much sooner than line
    /// by line in the order of the rows.
    pub(super) fn touch(&self) {
        let touched = self.table.iter().step_by(2).fold(0, |sum, (key, _)| sum ^ key);
        std::hint::black_box(touched);
    }

    #[cold]
    fn search(&mut self, key: u64) -> &mut Tally {
        let Places { table, n_used, crowded, .. } = self;
        let tree = crowded.get_or_insert_with(|| {
            *n_used = 0;
            table.iter().filter(|(_, tally)| !tally.is_none()).copied().collect()
        });
        tree.entry(key).or_insert(Tally::NONE)
    }

    #[cold]
    fn grow(&mut self) {
        let mut larger = vec![(0, Tally::NONE); 2 * self.table.len()];
        let shift = self.shift.saturating_sub(1);
        for &(key, tally) in self.table.iter().filter(|(_, tally)| !tally.is_none()) {
            match find(&larger, shift, key) {
                Some(place) => larger[place] = (key, tally),
                None => {
                    self.search(key);
                    return;
                }
            }
        }
        (self.table, self.shift) = (larger, shift);
    }

    /// Keys and tallies in some order.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (u64, Tally)> {
        let (tree, table) = match self.crowded {
            Some(tree) => (tree, Vec::new()),
            None => (BTreeMap::new(), self.table),
        };
        tree.into_iter().chain(table.into_iter().filter(|(_, tally)| !tally.is_none()))
    }
}

/// The place of a key, or the free one where it belongs.
#[inline]
fn find(table: &[(u64, Tally)], shift: u32, key: u64) -> Option<usize> {
    let mask = table.len() - 1;
    let from = (key >> shift) as usize;
    let mut places = (from..from + FARTHEST).map(|place| place & mask);
    places.find(|&place| {
        let (found, tally) = &table[place];
        *found == key || tally.is_none()
    })
}
