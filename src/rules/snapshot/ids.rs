//! Who the customers are.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::data::{CustomerId, Ids, Table};
use crate::error::{Error, Result};
use crate::fnv::Fnv;

/// Ids, ascending, each once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum IdList {
    Numbers(Vec<u64>),
    Texts(Vec<Box<str>>),
}

/// The places of things among others; nothing where each has its own.
pub(super) type Places = Option<Vec<usize>>;

/// All that are in one of two lists, and where those of the first and of the second are.
pub(super) struct Union {
    pub(super) ids: IdList,
    pub(super) places: [Places; 2],
}

impl IdList {
    /// The ids of a table, and the place of each row among them.
    ///
    /// # Errors
    /// When the table has none, or two rows have the same.
    pub(super) fn of(table: &Table<'_>) -> Result<(IdList, Places)> {
        let ids = table.ids();
        match ids {
            Ids::Rows => {
                let expected = "stated in the table, by which customers are known again";
                return Err(Error::parameter("ids", expected, "absent"));
            }
            Ids::Numbers(ids) if ids.is_sorted_by(|a, b| a < b) => {
                return Ok((IdList::Numbers(ids.to_vec()), None));
            }
            _ => {}
        }
        let mut rows: Vec<usize> = (0..table.len()).collect();
        rows.sort_unstable_by_key(|&row| (ids.get(row), row));
        for pair in rows.windows(2) {
            if ids.get(pair[0]) == ids.get(pair[1]) {
                let found =
                    format!("`{}` in rows {} and {}", ids.get(pair[0]), pair[0], pair[1]);
                return Err(Error::parameter("ids", "different in all rows", found));
            }
        }
        let list = match ids {
            Ids::Texts(_) => {
                let text = |&row: &usize| ids.get(row).to_string().into();
                IdList::Texts(rows.iter().map(text).collect())
            }
            _ => {
                let number = |&row: &usize| match ids.get(row) {
                    CustomerId::Number(id) => Some(id),
                    CustomerId::Text(_) => None,
                };
                IdList::Numbers(rows.iter().filter_map(number).collect())
            }
        };
        let mut places = vec![0; rows.len()];
        rows.into_iter().enumerate().for_each(|(place, row)| places[row] = place);
        Ok((list, Some(places)))
    }

    /// These ids, which ascend.
    pub(super) fn collect<'i>(ids: impl IntoIterator<Item = CustomerId<'i>>) -> IdList {
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        for id in ids {
            match id {
                CustomerId::Number(id) => numbers.push(id),
                CustomerId::Text(id) => texts.push(id.into()),
            }
        }
        if texts.is_empty() { IdList::Numbers(numbers) } else { IdList::Texts(texts) }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            IdList::Numbers(ids) => ids.len(),
            IdList::Texts(ids) => ids.len(),
        }
    }

    pub(super) fn get(&self, place: usize) -> Option<CustomerId<'_>> {
        match self {
            IdList::Numbers(ids) => ids.get(place).map(|&id| CustomerId::Number(id)),
            IdList::Texts(ids) => ids.get(place).map(|id| CustomerId::Text(id)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = CustomerId<'_>> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// The place of an id.
    pub(super) fn find(&self, id: CustomerId<'_>) -> Option<usize> {
        match (self, id) {
            (IdList::Numbers(ids), CustomerId::Number(id)) => ids.binary_search(&id).ok(),
            (IdList::Texts(ids), CustomerId::Text(id)) => {
                ids.binary_search_by(|other| (**other).cmp(id)).ok()
            }
            _ => None,
        }
    }

    /// Takes an id out, and says where it was.
    pub(super) fn remove(&mut self, id: CustomerId<'_>) -> Option<usize> {
        let place = self.find(id)?;
        match self {
            IdList::Numbers(ids) => {
                ids.remove(place);
            }
            IdList::Texts(ids) => {
                ids.remove(place);
            }
        }
        Some(place)
    }

    pub(super) fn is_valid(&self) -> bool {
        match self {
            IdList::Numbers(ids) => ids.is_sorted_by(|a, b| a < b),
            IdList::Texts(ids) => ids.is_sorted_by(|a, b| a < b),
        }
    }

    /// With what they are, or, as it once was, without.
    pub(super) fn hash(&self, hash: &mut Fnv, with_sort: bool) {
        if with_sort {
            hash.byte(match self {
                IdList::Numbers(_) => 0,
                IdList::Texts(_) => 1,
            });
        }
        hash.feed(&(self.len() as u64).to_le_bytes());
        for id in self.iter() {
            match id {
                CustomerId::Number(id) => hash.feed(&id.to_le_bytes()),
                CustomerId::Text(id) => {
                    hash.feed(&(id.len() as u64).to_le_bytes());
                    hash.feed(id.as_bytes());
                }
            }
        }
    }

    /// Checks that ids are of one sort.
    ///
    /// # Errors
    /// When one list has numbers and the other has texts.
    pub(super) fn check_like(&self, later: &IdList) -> Result<()> {
        let sort = |ids: &IdList| match ids {
            _ if ids.len() == 0 => None,
            IdList::Numbers(_) => Some("numbers"),
            IdList::Texts(_) => Some("texts"),
        };
        match (sort(self), sort(later)) {
            (Some(before), Some(after)) if before != after => {
                Err(Error::parameter("ids", format!("{before}, as before"), after))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// When one list has numbers and the other has texts.
    pub(super) fn union(&self, other: &IdList) -> Result<Union> {
        self.check_like(other)?;
        if self == other {
            return Ok(Union { ids: self.clone(), places: [None, None] });
        }
        let mut ids = Vec::with_capacity(self.len().max(other.len()));
        let mut places = [Vec::new(), Vec::new()];
        let (mut a, mut b) = (self.iter().peekable(), other.iter().peekable());
        loop {
            let order = match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.cmp(b),
            };
            let first = if order.is_le() { a.next() } else { None };
            let second = if order.is_ge() { b.next() } else { None };
            if first.is_some() {
                places[0].push(ids.len());
            }
            if second.is_some() {
                places[1].push(ids.len());
            }
            ids.extend(first.or(second));
        }
        let ids = IdList::collect(ids);
        Ok(Union { ids, places: places.map(Some) })
    }
}
