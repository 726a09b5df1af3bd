//! Rows in the order of a bound each, the least first.

/// A binary min-heap of the rows `0..n`, each with a bound that may change.
///
/// Of equal bounds, the first is the one that the heap's layout has on top: a row moves
/// only past a strictly greater bound, and of two equal children the left one is taken.
#[derive(Debug)]
pub(super) struct BoundHeap {
    /// The rows as the heap has them: the children of place `i` are at `2 i + 1` and
    /// `2 i + 2`.
    rows: Vec<usize>,
    /// Where each row is in `rows`.
    places: Vec<usize>,
    /// The bound of each row, also of those that were taken out.
    bounds: Vec<f64>,
}

impl BoundHeap {
    /// All rows, built from the bottom up.
    pub(super) fn new(bounds: Vec<f64>) -> BoundHeap {
        let n = bounds.len();
        let rows: Vec<usize> = (0..n).collect();
        let mut heap = BoundHeap { places: rows.clone(), rows, bounds };
        for place in (0..n / 2).rev() {
            heap.sift_down(place);
        }
        heap
    }

    /// The row of the least bound. The heap is not empty.
    pub(super) fn first(&self) -> usize {
        self.rows[0]
    }

    pub(super) fn bound(&self, row: usize) -> f64 {
        self.bounds[row]
    }

    /// Takes out the row of the least bound. The heap is not empty.
    pub(super) fn remove_first(&mut self) {
        let last = self.rows.len() - 1;
        self.swap(0, last);
        self.rows.truncate(last);
        self.sift_down(0);
    }

    /// Gives a row that is still in the heap another bound.
    pub(super) fn change(&mut self, row: usize, bound: f64) {
        let before = std::mem::replace(&mut self.bounds[row], bound);
        if bound < before {
            self.sift_up(self.places[row]);
        } else {
            self.sift_down(self.places[row]);
        }
    }

    fn bound_at(&self, place: usize) -> f64 {
        self.bounds[self.rows[place]]
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.bound_at(parent) <= self.bound_at(place) {
                break;
            }
            self.swap(parent, place);
            place = parent;
        }
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            if left >= self.rows.len() {
                break;
            }
            let right_is_less =
                right < self.rows.len() && self.bound_at(right) < self.bound_at(left);
            let child = if right_is_less { right } else { left };
            if self.bound_at(place) <= self.bound_at(child) {
                break;
            }
            self.swap(place, child);
            place = child;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.rows.swap(a, b);
        self.places[self.rows[a]] = a;
        self.places[self.rows[b]] = b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn taken_out(mut heap: BoundHeap) -> Vec<usize> {
        let mut order = Vec::new();
        while !heap.rows.is_empty() {
            order.push(heap.first());
            heap.remove_first();
        }
        order
    }

    #[test]
    fn rows_come_out_as_from_a_sorted_list() {
        let mut random = Random::new(3, 0);
        for n in 0..40 {
            let mut bounds: Vec<f64> = (0..n).map(|_| random.below(12) as f64).collect();
            let mut heap = BoundHeap::new(bounds.clone());
            let mut left: Vec<usize> = (0..n).collect();
            while !left.is_empty() {
                for _ in 0..3 {
                    let row = left[random.below(left.len())];
                    bounds[row] = random.below(12) as f64;
                    heap.change(row, bounds[row]);
                }
                left.sort_by(|&a, &b| bounds[a].total_cmp(&bounds[b]));
                let first = heap.first();
                assert_eq!(heap.bound(first), bounds[left[0]]);
                assert_eq!(heap.bound(first), bounds[first]);
                left.retain(|&row| row != first);
                heap.remove_first();
            }
            assert!(heap.rows.is_empty());
        }
    }

    #[test]
    fn equal_bounds_follow_the_layout() {
        // the last row goes to the top each time, and stays there
        assert_eq!(taken_out(BoundHeap::new(vec![1.0; 5])), [0, 4, 3, 2, 1]);
        // of equal children the left one comes up
        assert_eq!(taken_out(BoundHeap::new(vec![2.0, 1.0, 1.0])), [1, 2, 0]);
        // a bound that becomes equal to that of its parent stays below
        let mut heap = BoundHeap::new(vec![1.0, 2.0, 3.0]);
        heap.change(2, 1.0);
        assert_eq!(heap.first(), 0);
        // and one that grows to that of its children stays above
        let mut heap = BoundHeap::new(vec![1.0, 2.0, 3.0]);
        heap.change(0, 2.0);
        assert_eq!(heap.first(), 0);
    }
}
