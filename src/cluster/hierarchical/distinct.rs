//! Rows that equal an earlier one.

/// The rows of a matrix, those that equal an earlier one apart.
#[derive(Debug)]
pub(super) struct Distinct {
    /// Rows that equal no earlier one, ascending.
    pub(super) rows: Vec<u32>,
    /// The others, ascending, each after the first row that it equals.
    pub(super) repeats: Vec<(u32, u32)>,
}

impl Distinct {
    /// Bytes that finding them takes for each row.
    pub(super) const MEMORY: u128 = 32;

    /// Sorts the rows of `x`, which has `p` columns, by a hash of their numbers, and
    /// compares those of equal hashes.
    pub(super) fn new(x: &[f64], p: usize) -> Distinct {
        let row = |at: u32| &x[at as usize * p..][..p];
        let mut hashed: Vec<(u64, u32)> = x
            .chunks_exact(p)
            .enumerate()
            .map(|(at, row)| (hash(row), at as u32))
            .collect();
        hashed.sort_unstable();
        let mut repeats = Vec::new();
        for run in hashed.chunk_by_mut(|a, b| a.0 == b.0) {
            if run.len() == 1 {
                continue;
            }
            let order = |a: u32, b: u32| {
                let unequal = row(a).iter().zip(row(b)).find(|(a, b)| a != b);
                unequal.map_or(a.cmp(&b), |(a, b)| a.total_cmp(b))
            };
            run.sort_unstable_by(|a, b| order(a.1, b.1));
            for equal in run.chunk_by(|a, b| row(a.1) == row(b.1)) {
                let (first, others) = (equal[0].1, &equal[1..]);
                repeats.extend(others.iter().map(|&(_, at)| (first, at)));
            }
        }
        drop(hashed);
        repeats.sort_unstable_by_key(|&(_, at)| at);
        let mut later = repeats.iter().map(|&(_, at)| at).peekable();
        let rows = (0..(x.len() / p) as u32)
            .filter(|&at| later.next_if_eq(&at).is_none())
            .collect();
        Distinct { rows, repeats }
    }
}

/// The same for equal rows; 0 and -0 are equal.
fn hash(row: &[f64]) -> u64 {
    row.iter().fold(0, |hash: u64, x| {
        let mixed = (hash.rotate_left(29) ^ (x + 0.0).to_bits())
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_there_once() {
        for (p, levels) in [(1, 7), (2, 3), (3, 40)] {
            let mut seed = 1_u32;
            let x: Vec<f64> = (0..600 * p)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let level = f64::from((seed >> 16) % levels);
                    if seed & 0x8000 == 0 { level } else { -level }
                })
                .collect();
            let row = |at: u32| &x[at as usize * p..][..p];
            let mut expected = (Vec::new(), Vec::new());
            for at in 0..600 {
                match (0..at).find(|&earlier| row(earlier) == row(at)) {
                    None => expected.0.push(at),
                    Some(first) => expected.1.push((first, at)),
                }
            }
            let found = Distinct::new(&x, p);
            assert_eq!((found.rows, found.repeats), expected);
        }
    }
}
