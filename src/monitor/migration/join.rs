//! The customers of two dates side by side.

use crate::error::{Error, ErrorKind, Result};

/// The row of each customer before and after, one of them at least, in the order of the ids.
pub(super) fn join<K: Ord>(
    before: &[K],
    after: &[K],
) -> Result<Vec<(Option<usize>, Option<usize>)>> {
    let (first, second) = (sorted("before", before)?, sorted("after", after)?);
    let mut rows = Vec::with_capacity(first.len().max(second.len()));
    let (mut first, mut second) =
        (first.into_iter().peekable(), second.into_iter().peekable());
    loop {
        let pair = match (first.peek(), second.peek()) {
            (None, None) => return Ok(rows),
            (Some(&i), Some(&j)) => match before[i].cmp(&after[j]) {
                std::cmp::Ordering::Less => (first.next(), None),
                std::cmp::Ordering::Equal => (first.next(), second.next()),
                std::cmp::Ordering::Greater => (None, second.next()),
            },
            (Some(_), None) => (first.next(), None),
            (None, Some(_)) => (None, second.next()),
        };
        rows.push(pair);
    }
}

/// The rows in the order of their ids, each of which comes once.
fn sorted<K: Ord>(side: &str, ids: &[K]) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by(|&a, &b| ids[a].cmp(&ids[b]));
    if let Some(pair) = order.windows(2).find(|pair| ids[pair[0]] == ids[pair[1]]) {
        return Err(ErrorKind::Value {
            expected: format!("a customer who comes once {side}").into(),
            found: format!("the customer of row {}", pair[0]),
            row: Some(pair[1]),
        }
        .into());
    }
    Ok(order)
}

pub(super) fn check_length(what: &'static str, n: usize, found: usize) -> Result<()> {
    if n == found { Ok(()) } else { Err(Error::length(what, n, found)) }
}

pub(super) fn too_many() -> Error {
    Error::parameter("the counts", "below 2^64 in all", "more")
}

pub(super) fn nowhere(row: Option<usize>) -> Error {
    ErrorKind::Value {
        expected: "a customer who is there before or after".into(),
        found: "one who is there at neither time".to_owned(),
        row,
    }
    .into()
}
