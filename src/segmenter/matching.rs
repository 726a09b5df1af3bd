//! Pairing rows with columns of a matrix so that the total gain is greatest.

/// For each row the column it is paired with, at most one row a column, such that the sum
/// of `gain[row * n_columns + column]` is greatest: the Hungarian method with potentials
/// (Kuhn 1955; Munkres 1957; shortest augmenting paths as in Jonker & Volgenant 1987),
/// O(rows² · columns) for rows ≤ columns. Gains are finite. Of equal solutions the one
/// found first is given; it depends on nothing but the matrix.
pub(super) fn best_matching(
    gain: &[f64],
    n_rows: usize,
    n_columns: usize,
) -> Vec<Option<usize>> {
    if n_rows > n_columns {
        let transposed: Vec<f64> = (0..n_columns)
            .flat_map(|j| (0..n_rows).map(move |i| gain[i * n_columns + j]))
            .collect();
        let mut rows = vec![None; n_rows];
        for (j, i) in
            best_matching(&transposed, n_columns, n_rows).into_iter().enumerate()
        {
            if let Some(i) = i {
                rows[i] = Some(j);
            }
        }
        return rows;
    }
    // Rows and columns count from 1; column 0 holds the row that is being placed.
    let cost = |i: usize, j: usize| -gain[(i - 1) * n_columns + j - 1];
    let (mut row_price, mut column_price) =
        (vec![0.0; n_rows + 1], vec![0.0; n_columns + 1]);
    let mut row_of = vec![0_usize; n_columns + 1];
    for row in 1..=n_rows {
        row_of[0] = row;
        let mut at = 0;
        let mut slack = vec![f64::INFINITY; n_columns + 1];
        let mut came_from = vec![0_usize; n_columns + 1];
        let mut visited = vec![false; n_columns + 1];
        while row_of[at] != 0 {
            visited[at] = true;
            let i = row_of[at];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for j in (1..=n_columns).filter(|&j| !visited[j]) {
                let reduced = cost(i, j) - row_price[i] - column_price[j];
                if reduced < slack[j] {
                    slack[j] = reduced;
                    came_from[j] = at;
                }
                if slack[j] < step {
                    step = slack[j];
                    next = j;
                }
            }
            for j in 0..=n_columns {
                if visited[j] {
                    row_price[row_of[j]] += step;
                    column_price[j] -= step;
                } else {
                    slack[j] -= step;
                }
            }
            at = next;
        }
        while at != 0 {
            let from = came_from[at];
            row_of[at] = row_of[from];
            at = from;
        }
    }
    let mut columns = vec![None; n_rows];
    for j in 1..=n_columns {
        if row_of[j] != 0 {
            columns[row_of[j] - 1] = Some(j - 1);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn best_by_trying(
        gain: &[f64],
        n: usize,
        m: usize,
        used: &mut Vec<bool>,
        i: usize,
    ) -> f64 {
        if i == n {
            return 0.0;
        }
        // A row may stay without a column only where columns are too few.
        let free = used.iter().filter(|&&u| !u).count();
        let mut best = if free < n - i {
            best_by_trying(gain, n, m, used, i + 1)
        } else {
            f64::NEG_INFINITY
        };
        for j in 0..m {
            if !used[j] {
                used[j] = true;
                best =
                    best.max(gain[i * m + j] + best_by_trying(gain, n, m, used, i + 1));
                used[j] = false;
            }
        }
        best
    }

    #[test]
    fn the_total_is_that_of_the_best_of_all_pairings() {
        let mut random = Random::new(5, 0);
        for round in 0..200 {
            let (n, m) = (1 + round % 5, 1 + (round / 5) % 5);
            let gain: Vec<f64> =
                (0..n * m).map(|_| (random.unit() * 8.0).floor()).collect();
            let pairs = best_matching(&gain, n, m);
            let total: f64 = pairs
                .iter()
                .enumerate()
                .filter_map(|(i, j)| j.map(|j| gain[i * m + j]))
                .sum();
            let mut columns: Vec<usize> = pairs.iter().flatten().copied().collect();
            assert_eq!(columns.len(), n.min(m));
            columns.sort_unstable();
            columns.dedup();
            assert_eq!(columns.len(), n.min(m));
            assert_eq!(total, best_by_trying(&gain, n, m, &mut vec![false; m], 0));
        }
    }
}
