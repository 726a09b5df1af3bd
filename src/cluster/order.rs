//! The order in which learned segments are numbered.

use std::cmp::Ordering;

/// By weight, largest first, ties by the coordinates of the centre.
pub(super) fn largest_first(a: (f64, &[f64]), b: (f64, &[f64])) -> Ordering {
    let by_center = || {
        let coordinates = a.1.iter().zip(b.1);
        let differs = coordinates.map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne());
        differs.unwrap_or(Ordering::Equal)
    };
    b.0.total_cmp(&a.0).then_with(by_center)
}
