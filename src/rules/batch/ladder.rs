//! Numbers to codes: between which of some thresholds a number lies.

/// Thresholds of one ladder: with one code for a missing number they are 256 codes.
pub(super) const MAX_RUNGS: usize = 254;

/// Up to so many thresholds a number is compared with all of them.
const FEW: usize = 8;

/// Thresholds in one cell of a grid that still can be compared one by one.
const MAX_STEPS: usize = 3;

/// The largest number of cells of a grid.
const MAX_CELLS: usize = 4096;

/// Numbers whose cells are computed at once.
pub(super) const CHUNK: usize = 64;

/// Ascending thresholds. The code of a number is one more than the number of thresholds
/// that it reaches; 0 is left for numbers that are missing.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// All of them, and then infinities, which no number reaches. So many that no index
    /// needs a check.
    rungs: Box<[f64; 512]>,
    n_rungs: usize,
    grid: Option<Grid>,
}

/// Cells of equal width. The cell of a number grows with the number, so that what lies in
/// lower cells than a number is reached by it, and what lies in higher ones is not.
#[derive(Clone, Debug)]
struct Grid {
    origin: f64,
    scale: f64,
    last: f64,
    /// The number of thresholds in lower cells.
    below: Box<[u8; MAX_CELLS]>,
    /// The largest number of thresholds in one cell.
    steps: usize,
}

impl Ladder {
    /// Of at most [`MAX_RUNGS`] thresholds, ascending and different.
    pub(super) fn new(thresholds: &[f64]) -> Ladder {
        let grid = (thresholds.len() > FEW).then(|| Grid::new(thresholds)).flatten();
        let mut rungs = Box::new([f64::INFINITY; 512]);
        for (rung, &threshold) in rungs.iter_mut().zip(thresholds) {
            *rung = threshold;
        }
        Ladder { rungs, n_rungs: thresholds.len(), grid }
    }

    /// Writes the codes of finite numbers.
    #[inline(always)]
    pub(super) fn code(&self, numbers: &[f64], codes: &mut [u8]) {
        match &self.grid {
            Some(grid) if grid.steps == 1 => self.by_grid::<1>(grid, numbers, codes),
            Some(grid) if grid.steps == 2 => self.by_grid::<2>(grid, numbers, codes),
            Some(grid) => self.by_grid::<MAX_STEPS>(grid, numbers, codes),
            None if self.n_rungs <= FEW => {
                self.by_all(numbers, codes);
            }
            None => {
                for (code, &x) in codes.iter_mut().zip(numbers) {
                    *code = self.by_halves(x);
                }
            }
        }
    }

    #[inline(always)]
    fn by_grid<const STEPS: usize>(
        &self,
        grid: &Grid,
        numbers: &[f64],
        codes: &mut [u8],
    ) {
        let mut cells = [0; CHUNK];
        for (numbers, codes) in numbers.chunks(CHUNK).zip(codes.chunks_mut(CHUNK)) {
            // Two loops: many cells are computed at once, but looked up one by one.
            for (cell, &x) in cells.iter_mut().zip(numbers) {
                *cell = grid.cell(x);
            }
            for ((code, &x), cell) in codes.iter_mut().zip(numbers).zip(cells) {
                let mut reached = usize::from(grid.below[cell as usize % MAX_CELLS]);
                for _ in 0..STEPS {
                    reached += usize::from(x >= self.rungs[reached]);
                }
                // Infinity, which stands only where no value is, may pass all of them.
                *code = (reached as u8).wrapping_add(1);
            }
        }
    }

    #[inline(always)]
    fn by_all(&self, numbers: &[f64], codes: &mut [u8]) {
        let rungs = &self.rungs[..self.n_rungs];
        let (some, rest) = numbers.as_chunks::<16>();
        let (some_codes, rest_codes) = codes.as_chunks_mut::<16>();
        for (codes, numbers) in some_codes.iter_mut().zip(some) {
            // As wide as the numbers, so that many are compared at once.
            let mut reached = [1_u64; 16];
            for &rung in rungs {
                for (reached, &x) in reached.iter_mut().zip(numbers) {
                    *reached += u64::from(x >= rung);
                }
            }
            for (code, reached) in codes.iter_mut().zip(reached) {
                *code = reached as u8;
            }
        }
        for (code, &x) in rest_codes.iter_mut().zip(rest) {
            *code = 1 + rungs.iter().map(|&rung| u8::from(x >= rung)).sum::<u8>();
        }
    }

    fn by_halves(&self, x: f64) -> u8 {
        let mut reached = 0;
        let mut half = (self.n_rungs + 1).next_power_of_two() / 2;
        while half > 0 {
            reached += if x >= self.rungs[reached + half - 1] { half } else { 0 };
            half /= 2;
        }
        (reached as u8).wrapping_add(1)
    }
}

impl Grid {
    /// The coarsest grid that has the fewest thresholds in its fullest cell.
    fn new(rungs: &[f64]) -> Option<Grid> {
        let grids = [256, 1024, MAX_CELLS].into_iter();
        let best = grids.filter_map(|n| Grid::of(n, rungs)).min_by_key(|grid| grid.steps);
        best.filter(|grid| grid.steps <= MAX_STEPS)
    }

    fn of(n_cells: usize, rungs: &[f64]) -> Option<Grid> {
        let (&origin, &end) = (rungs.first()?, rungs.last()?);
        let last = (n_cells - 1) as f64;
        let scale = last / (end - origin);
        let below = Box::new([0; MAX_CELLS]);
        let mut grid = Grid { origin, scale, last, below, steps: 0 };
        let mut in_cell = vec![0; n_cells];
        for &rung in rungs {
            in_cell[grid.cell(rung) as usize] += 1;
        }
        grid.steps = in_cell.iter().copied().max().unwrap_or(0);
        let mut below = 0;
        for (place, n) in grid.below.iter_mut().zip(in_cell) {
            *place = below as u8;
            below += n;
        }
        scale.is_finite().then_some(grid)
    }

    #[inline(always)]
    fn cell(&self, x: f64) -> u32 {
        /// From here on a number's last digit is a whole, and its bits end with it.
        const WHOLE: f64 = 4_503_599_627_370_496.0;
        let cell = (x - self.origin) * self.scale;
        // Not a number where the width overflows: then there is one cell for all.
        let cell = if cell > 0.0 { cell } else { 0.0 };
        let cell = if cell < self.last { cell } else { self.last };
        (cell + WHOLE).to_bits() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn check(rungs: &[f64], numbers: &[f64]) {
        let ladder = Ladder::new(rungs);
        let mut codes = vec![0; numbers.len()];
        ladder.code(numbers, &mut codes);
        for (&x, &code) in numbers.iter().zip(&codes) {
            let reached = rungs.iter().filter(|&&rung| x >= rung).count();
            assert_eq!(usize::from(code), reached + 1, "{x} among {rungs:?}");
        }
    }

    /// The thresholds, their neighbours, and what lies far from them.
    fn around(rungs: &[f64]) -> Vec<f64> {
        let near = rungs.iter().flat_map(|&x| [x.next_down(), x, x.next_up()]);
        let far = [0.0, -0.0, 1e-300, -5.0, 5.0, f64::MIN, f64::MAX];
        near.chain(far).filter(|x| x.is_finite()).collect()
    }

    #[test]
    fn codes_count_the_thresholds_that_are_reached() {
        let mut random = Random::new(3, 0);
        let mut kinds = [0; 3];
        for n in [0, 1, 2, 4, 5, 8, 9, 15, 16, 31, 100, 253, MAX_RUNGS] {
            for shape in 0..4 {
                let mut rungs: Vec<f64> = (0..n)
                    .map(|_| match shape {
                        0 => random.unit(),
                        1 => (random.unit() * 300.0).round(),
                        2 => 10_f64.powf(random.unit() * 600.0 - 300.0),
                        _ => (random.unit() - 0.5) * f64::MAX * 2.0,
                    })
                    .collect();
                rungs.sort_by(f64::total_cmp);
                rungs.dedup();
                let ladder = Ladder::new(&rungs);
                kinds[match &ladder.grid {
                    Some(_) => 0,
                    None if rungs.len() > FEW => 1,
                    None => 2,
                }] += 1;
                check(&rungs, &around(&rungs));
                // Where no value is, anything may stand.
                let none = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
                ladder.code(&none, &mut [0; 3]);
                let numbers: Vec<f64> =
                    (0..200).map(|_| random.unit() * 1.2 - 0.1).collect();
                check(&rungs, &numbers);
            }
        }
        assert!(kinds.iter().all(|&n| n > 4), "{kinds:?}");
    }
}
