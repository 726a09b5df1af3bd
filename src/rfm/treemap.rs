//! Segments as rectangles, for a picture.

use serde::{Deserialize, Serialize};

use crate::data::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::score::numbers_of;
use crate::segmenter::{Segment, SegmentIndex};

/// A rectangle whose sides are parallel to the axes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rectangle {
    /// Where it begins, from the left.
    pub x: f64,
    /// Where it begins, from the side at which the largest rectangle lies: the top, if `y`
    /// is drawn downwards.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

impl Rectangle {
    /// From (0, 0) to (1, 1).
    pub const UNIT: Rectangle = Rectangle { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };

    /// Width times height.
    #[must_use]
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// The longer side over the shorter one, from 1 up: 1 is a square.
    #[must_use]
    pub fn aspect_ratio(&self) -> f64 {
        self.width.max(self.height) / self.width.min(self.height)
    }
}

/// Cuts a rectangle into one for each size, with areas in proportion to the sizes and as
/// nearly square as it gets: the squarified treemap of Bruls, Huizing & van Wijk (2000,
/// "Squarified treemaps").
///
/// Sizes are taken in descending order, of equal ones the first first. They are put side by
/// side along the shorter side of what is left, as long as the worst aspect ratio of the row
/// becomes no worse; then a new row begins. The result is in the order of the input; a size
/// of 0 gets `None`. O(n log n) time.
///
/// ```
/// use segmenta::rfm::{Rectangle, squarify};
///
/// let page = Rectangle { width: 6.0, height: 4.0, ..Rectangle::UNIT };
/// let rectangles = squarify(&[6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0], page)?;
/// assert_eq!(rectangles[1], Some(Rectangle { x: 0.0, y: 2.0, width: 3.0, height: 2.0 }));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When a size is negative or not finite, or their sum is not finite; when the rectangle has
/// no area that can be computed with. Undefined when all sizes are 0.
pub fn squarify(sizes: &[f64], within: Rectangle) -> Result<Vec<Option<Rectangle>>> {
    for (row, &size) in sizes.iter().enumerate() {
        if !(size >= 0.0 && size.is_finite()) {
            return Err(ErrorKind::Value {
                expected: "a size: finite and not negative".into(),
                found: size.to_string(),
                row: Some(row),
            }
            .into());
        }
    }
    let total: f64 = sizes.iter().sum();
    if !total.is_finite() {
        return Err(Error::parameter("sum of the sizes", "finite", total));
    }
    if total == 0.0 {
        return Err(Error::undefined("the treemap", "all sizes are 0"));
    }
    let Rectangle { x, y, width, height } = within;
    let sides = [width, height].iter().all(|side| *side > 0.0 && side.is_finite());
    let placed = x.is_finite() && y.is_finite();
    let (area, ratio) = (within.area(), within.aspect_ratio());
    if !(sides && placed && area.is_normal() && ratio.is_finite()) {
        let found = format!("{width} x {height} at ({x}, {y})");
        return Err(Error::parameter("within", "a finite rectangle", found));
    }

    let mut order: Vec<usize> = (0..sizes.len()).filter(|&i| sizes[i] > 0.0).collect();
    order.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]));
    // What is left from each place on, added up from the smallest.
    let mut left = vec![0.0; order.len() + 1];
    for (at, &i) in order.iter().enumerate().rev() {
        left[at] = left[at + 1] + sizes[i];
    }
    let mut rectangles = vec![None; sizes.len()];
    let (mut rest, mut next) = (within, 0);
    while next < order.len() {
        // Areas are shares of what is left, so that rounding does not add up over rows.
        let scale = rest.area() / left[next];
        let along = rest.width.min(rest.height);
        let largest = sizes[order[next]];
        let worst = |smallest: f64, sum: f64| {
            let depth = sum * scale / along;
            let (longest, shortest) = (largest * scale / depth, smallest * scale / depth);
            (longest / depth).max(depth / shortest)
        };
        let (mut end, mut sum, mut so_far) = (next + 1, largest, worst(largest, largest));
        while let Some(&i) = order.get(end) {
            let with = worst(sizes[i], sum + sizes[i]);
            if with > so_far {
                break;
            }
            (sum, so_far) = (sum + sizes[i], with);
            end += 1;
        }
        let upright = rest.width >= rest.height;
        let depth = rest.side(upright) * (sum / left[next]);
        let (strip, others) = rest.split(depth, upright);
        let mut free = strip;
        for (at, &i) in order[next..end].iter().enumerate() {
            let length = strip.side(!upright) * (sizes[i] / sum);
            let is_last = at + 1 == end - next;
            let length = if is_last { free.side(!upright) } else { length };
            let (rectangle, beyond) = free.split(length, !upright);
            rectangles[i] = Some(rectangle);
            free = beyond;
        }
        (rest, next) = (others, end);
    }
    Ok(rectangles)
}

impl Rectangle {
    /// Its width, or its height.
    fn side(&self, of_width: bool) -> f64 {
        if of_width { self.width } else { self.height }
    }

    /// So much of the width, or of the height, from its beginning, and the rest. No rest is
    /// below 0, whatever rounding says.
    fn split(self, length: f64, of_width: bool) -> (Rectangle, Rectangle) {
        let Rectangle { x, y, width, height } = self;
        let length = length.min(self.side(of_width));
        if of_width {
            let rest = Rectangle { x: x + length, width: width - length, ..self };
            (Rectangle { width: length, ..self }, rest)
        } else {
            let rest = Rectangle { y: y + length, height: height - length, ..self };
            (Rectangle { height: length, ..self }, rest)
        }
    }
}

/// What the area of a segment's rectangle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreemapArea<'a> {
    /// The customers in the segment, by their weights.
    Customers,
    /// The sum of a feature over them, such as `monetary`.
    Sum(&'a str),
}

/// Segments as rectangles whose areas are their customers or their money.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::rfm::{Treemap, TreemapArea};
/// use segmenta::segmenter::{Segment, SegmentIndex};
///
/// let schema = Schema::new([FeatureSpec::number("spend")])?;
/// let table =
///     Table::builder(&schema, 4).numbers("spend", vec![60.0, 20.0, 10.0, 10.0]).build()?;
/// let labels = [0, 1, 1, 1].map(|i| Some(SegmentIndex::new(i)));
/// let segments = Segment::numbered(2);
/// let map = Treemap::of(&table, &segments, &labels, TreemapArea::Sum("spend"))?;
/// assert_eq!((map.tiles[0].n, map.tiles[0].share), (1, 0.6));
/// assert_eq!(map.tiles[0].rectangle.map(|r| r.width), Some(0.6));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Treemap {
    /// One for each segment, in their order, and a last one if there are customers in no
    /// segment.
    pub tiles: Vec<Tile>,
}

/// One segment of a [`Treemap`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tile {
    /// The segment; `None` for the customers in no segment.
    pub segment: Option<SegmentIndex>,
    /// Its name; `in no segment` for the others.
    pub name: String,
    /// How many customers it has. A row of weight 0 does not count.
    pub n: u64,
    /// What its area stands for: the sum of weights or of the feature.
    pub size: f64,
    /// That over the sum of all tiles, 0 to 1.
    pub share: f64,
    /// Where it lies; `None` when its size is 0.
    pub rectangle: Option<Rectangle>,
}

impl Treemap {
    /// Lays out segments in the unit square, from one label for each row.
    ///
    /// # Errors
    /// When there is not one label for each row, a label is none of the segments, the table
    /// has no such feature, it is not a number, or a value is missing. Undefined when the
    /// sum of a segment is negative (refunds may outweigh purchases), or all are 0.
    pub fn of(
        table: &Table<'_>,
        segments: &[Segment],
        labels: &[Option<SegmentIndex>],
        area: TreemapArea<'_>,
    ) -> Result<Treemap> {
        Treemap::within(table, segments, labels, area, Rectangle::UNIT)
    }

    /// As [`of`](Treemap::of), in a rectangle of the caller's: tiles are nearly square only
    /// in the shape in which they are drawn.
    ///
    /// # Errors
    /// As [`of`](Treemap::of), and when the rectangle has no area.
    pub fn within(
        table: &Table<'_>,
        segments: &[Segment],
        labels: &[Option<SegmentIndex>],
        area: TreemapArea<'_>,
        within: Rectangle,
    ) -> Result<Treemap> {
        if labels.len() != table.len() {
            return Err(Error::length("the list of labels", table.len(), labels.len()));
        }
        let values = match area {
            TreemapArea::Customers => None,
            TreemapArea::Sum(name) => {
                Some(numbers_of(table, table.schema().require(name)?)?)
            }
        };
        let mut tiles: Vec<Tile> = segments
            .iter()
            .enumerate()
            .map(|(i, s)| Tile::empty(Some(SegmentIndex::new(i as u32)), &s.name))
            .collect();
        tiles.push(Tile::empty(None, "in no segment"));
        for (row, label) in labels.iter().enumerate() {
            let at = label.map_or(segments.len(), SegmentIndex::get);
            let Some(tile) = tiles.get_mut(at).filter(|tile| tile.segment == *label)
            else {
                return Err(ErrorKind::Value {
                    expected: format!("the index of a segment: below {}", segments.len())
                        .into(),
                    found: at.to_string(),
                    row: Some(row),
                }
                .into());
            };
            let weight = table.sample_weight().map_or(1.0, |w| w[row]);
            if weight > 0.0 {
                tile.n += 1;
                tile.size +=
                    values.as_ref().map_or(weight, |values| weight * values[row]);
            }
        }
        if tiles.last().is_some_and(|tile| tile.n == 0) {
            tiles.pop();
        }
        if let Some(tile) = tiles.iter().find(|tile| tile.size < 0.0) {
            let reason = format!("the sum of `{}` is {}", tile.name, tile.size);
            return Err(Error::undefined("the treemap", reason));
        }
        let sizes: Vec<f64> = tiles.iter().map(|tile| tile.size).collect();
        let rectangles = squarify(&sizes, within)?;
        let total: f64 = sizes.iter().sum();
        for (tile, rectangle) in tiles.iter_mut().zip(rectangles) {
            tile.share = (tile.size / total).min(1.0);
            tile.rectangle = rectangle;
        }
        Ok(Treemap { tiles })
    }
}

impl Tile {
    fn empty(segment: Option<SegmentIndex>, name: &str) -> Tile {
        let name = name.to_owned();
        Tile { segment, name, n: 0, size: 0.0, share: 0.0, rectangle: None }
    }
}
