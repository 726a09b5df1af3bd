//! From cells of scores to named segments, proved to be total and disjoint.

use serde::{Deserialize, Serialize};

use super::audit::{MapAudit, Step};
use super::grid::{CellRange, Grid, show};
use crate::error::{Error, ErrorKind, Issue, Result};
use crate::score::RfmScore;
use crate::segmenter::{Segment, SegmentIndex, check_segments};

/// A total function from the cells of a [`Grid`] to named segments.
///
/// It exists only when every cell has exactly one name and every name has a cell;
/// otherwise building it fails with *all* gaps, overlaps and unreachable names. Segment
/// maps in circulation often have some: [`SegmentMapBuilder::audit`] lists them without
/// failing.
///
/// ```
/// use segmenta::rfm::{CellRange, Grid, SegmentMap};
/// use segmenta::score::RfmScore;
///
/// let map = SegmentMap::from_rules(
///     Grid::rf(3),
///     [
///         ("Active", CellRange::all().r(2..=3)),
///         ("Lapsed regulars", CellRange::all().r(1..=1).f(2..=3)),
///         ("Lost", CellRange::all().r(1..=1).f(1..=1)),
///     ],
/// )?;
/// assert_eq!(map.name(&RfmScore::rf(1, 3)), Some("Lapsed regulars"));
///
/// let broken = SegmentMap::from_rules(
///     Grid::rf(3),
///     [("Active", CellRange::all().r(2..=3)), ("Lost", CellRange::all().f(1..=1))],
/// );
/// assert_eq!(
///     broken.unwrap_err().to_string(),
///     "the segment map cannot be used: cell 12 has no segment
///   cell 13 has no segment
///   cell 21 belongs to `Active` and `Lost`
///   cell 31 belongs to `Active` and `Lost`",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "MapRepr")]
pub struct SegmentMap {
    grid: Grid,
    segments: Vec<Segment>,
    /// For each cell the position of its segment.
    cells: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapRepr {
    grid: Grid,
    segments: Vec<Segment>,
    cells: Vec<u32>,
}

impl TryFrom<MapRepr> for SegmentMap {
    type Error = Error;

    fn try_from(repr: MapRepr) -> Result<SegmentMap> {
        let MapRepr { grid, segments, cells } = repr;
        grid.check()?;
        check_segments(&segments)?;
        if cells.len() as u64 != grid.n_cells() {
            let needed = grid.n_cells() as usize;
            return Err(Error::length("the list of cells", needed, cells.len()));
        }
        let mut used = vec![false; segments.len()];
        for &segment in &cells {
            match used.get_mut(segment as usize) {
                Some(used) => *used = true,
                None => {
                    let expected = format!("below {}", segments.len());
                    return Err(Error::parameter("segment of a cell", expected, segment));
                }
            }
        }
        if let Some(at) = used.iter().position(|used| !used) {
            let found = &segments[at].name;
            return Err(Error::parameter("segments", "each of some cell", found));
        }
        Ok(SegmentMap { grid, segments, cells })
    }
}

impl SegmentMap {
    /// A map that is defined step by step.
    #[must_use]
    pub fn builder(grid: Grid) -> SegmentMapBuilder {
        SegmentMapBuilder {
            grid,
            names: Vec::new(),
            claims: Vec::new(),
            first_match: false,
            drop_unreachable: false,
            otherwise: None,
        }
    }

    /// A map by lists of codes, 555 or, without a monetary axis, 55.
    ///
    /// # Errors
    /// As [`SegmentMapBuilder::build`].
    pub fn from_codes<N, C>(
        grid: Grid,
        segments: impl IntoIterator<Item = (N, C)>,
    ) -> Result<SegmentMap>
    where
        N: Into<String>,
        C: IntoIterator<Item = u32>,
    {
        segments
            .into_iter()
            .fold(SegmentMap::builder(grid), |map, (name, codes)| map.codes(name, codes))
            .build()
    }

    /// A map by blocks of cells. A name that is given again gets further cells.
    ///
    /// # Errors
    /// As [`SegmentMapBuilder::build`].
    pub fn from_rules<N: Into<String>>(
        grid: Grid,
        segments: impl IntoIterator<Item = (N, CellRange)>,
    ) -> Result<SegmentMap> {
        segments
            .into_iter()
            .fold(SegmentMap::builder(grid), |map, (name, range)| map.range(name, range))
            .build()
    }

    /// A map that holds together; the tests build the shipped ones from their codes again.
    pub(super) fn trusted(grid: Grid, segments: &[(&str, &[u32])]) -> SegmentMap {
        let mut cells = vec![0; grid.n_cells() as usize];
        for (at, (_, codes)) in segments.iter().enumerate() {
            let positions = codes.iter().filter_map(|&code| grid.decode(code));
            for position in positions.filter_map(|cell| grid.position(&cell)) {
                cells[position] = at as u32;
            }
        }
        let segments = segments.iter().map(|&(name, _)| Segment::new(slug(name), name));
        SegmentMap { grid, segments: segments.collect(), cells }
    }

    /// How many scores each axis has.
    #[must_use]
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The segments in the order in which they were defined. Their ids are the names in
    /// lower case with hyphens: `Can't Lose` is `cant-lose`.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segment of a cell; `None` when the scores are not of this grid.
    #[must_use]
    pub fn segment(&self, score: &RfmScore) -> Option<SegmentIndex> {
        let position = self.grid.position(score)?;
        self.cells.get(position).copied().map(SegmentIndex::new)
    }

    /// The name of a cell's segment; `None` when the scores are not of this grid.
    #[must_use]
    pub fn name(&self, score: &RfmScore) -> Option<&str> {
        let segment = self.segment(score)?;
        Some(&self.segments.get(segment.get())?.name)
    }

    /// How many cells each segment has, and which better scores lead to a segment further
    /// down the list.
    #[must_use]
    pub fn audit(&self) -> MapAudit {
        let mut cells_of = vec![0_usize; self.segments.len()];
        for &segment in &self.cells {
            cells_of[segment as usize] += 1;
        }
        let sizes = self.segments.iter().map(|s| s.name.clone()).zip(cells_of).collect();
        let mut audit = MapAudit::sized(self.cells.len(), sizes);
        for (position, from) in self.grid.cells().enumerate() {
            for to in better_neighbours(&from) {
                let Some(next) = self.grid.position(&to) else { continue };
                if self.cells[next] > self.cells[position] {
                    audit.setbacks.push(Step { from, to });
                }
            }
        }
        audit
    }
}

/// One score higher, on each axis in turn.
fn better_neighbours(cell: &RfmScore) -> impl Iterator<Item = RfmScore> + use<> {
    let RfmScore { r, f, m } = *cell;
    let spent = m.map(|m| RfmScore { r, f, m: Some(m + 1) });
    [Some(RfmScore { r: r + 1, f, m }), Some(RfmScore { r, f: f + 1, m }), spent]
        .into_iter()
        .flatten()
}

/// Collects the definition of a [`SegmentMap`].
///
/// ```
/// use segmenta::rfm::{CellRange, Grid, SegmentMap};
///
/// let map = SegmentMap::builder(Grid::rfm(5))
///     .range("Champions", CellRange::all().r(4..=5).f(4..=5).m(4..=5))
///     .range("Active", CellRange::all().r(4..=5))
///     .first_match()
///     .otherwise("Other");
/// assert_eq!(map.audit().overlaps.len(), 8);
/// assert_eq!(map.build()?.audit().cells_of("Other"), Some(75));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentMapBuilder {
    grid: Grid,
    /// Names in order of their first use.
    names: Vec<String>,
    /// What is claimed, and for which name.
    claims: Vec<(usize, Claim)>,
    first_match: bool,
    drop_unreachable: bool,
    otherwise: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Claim {
    Codes(Vec<u32>),
    Range(CellRange),
}

/// What the claims on all cells come to.
struct Resolved {
    /// The first segment that claims a cell.
    cells: Vec<Option<u32>>,
    audit: MapAudit,
    issues: Vec<Issue>,
}

impl SegmentMapBuilder {
    /// Gives cells to a name by their codes, 555 or, without a monetary axis, 55. Grids
    /// with more than 9 scores an axis have no codes: use ranges.
    #[must_use]
    pub fn codes(
        mut self,
        name: impl Into<String>,
        codes: impl IntoIterator<Item = u32>,
    ) -> SegmentMapBuilder {
        let name = self.name(name.into());
        self.claims.push((name, Claim::Codes(codes.into_iter().collect())));
        self
    }

    /// Gives a block of cells to a name.
    #[must_use]
    pub fn range(
        mut self,
        name: impl Into<String>,
        range: CellRange,
    ) -> SegmentMapBuilder {
        let name = self.name(name.into());
        self.claims.push((name, Claim::Range(range)));
        self
    }

    /// Lets the first name that claims a cell have it, instead of failing.
    #[must_use]
    pub fn first_match(mut self) -> SegmentMapBuilder {
        self.first_match = true;
        self
    }

    /// Leaves out the names that no cell is left for, instead of failing; the
    /// [`audit`](SegmentMapBuilder::audit) still lists them.
    #[must_use]
    pub fn drop_unreachable(mut self) -> SegmentMapBuilder {
        self.drop_unreachable = true;
        self
    }

    /// Gives the cells that nobody claims to a last name, instead of failing.
    #[must_use]
    pub fn otherwise(mut self, name: impl Into<String>) -> SegmentMapBuilder {
        self.otherwise = Some(name.into());
        self
    }

    fn name(&mut self, name: String) -> usize {
        self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        })
    }

    /// What the definition says about every cell, taken literally: gaps even where
    /// [`otherwise`](SegmentMapBuilder::otherwise) fills them, overlaps even where
    /// [`first_match`](SegmentMapBuilder::first_match) decides them. Segments are counted
    /// by first match. Codes outside the grid are not looked at; steps are those of a
    /// built map only.
    #[must_use]
    pub fn audit(&self) -> MapAudit {
        match self.grid.check() {
            Ok(()) => self.resolve().audit,
            Err(_) => MapAudit::sized(0, Vec::new()),
        }
    }

    /// The finished map.
    ///
    /// # Errors
    /// When an axis has not 2 to 1000 scores or the grid more than a million cells. With
    /// all faults at once (kind [`ErrorKind::Definition`]), when a cell has no segment
    /// (`gap`) or several (`overlap`), a name no cell (`unreachable`), a code or range does
    /// not fit the grid (`outside-grid`), a code is repeated (`repeated-code`), or a name
    /// is empty or spelled nearly like another (`name`).
    pub fn build(&self) -> Result<SegmentMap> {
        self.grid.check()?;
        let Resolved { cells, audit, mut issues } = self.resolve();
        if self.otherwise.is_none() {
            issues.extend(audit.gaps.iter().map(|cell| {
                let shown = show(cell);
                let message = format!("cell {shown} has no segment");
                Issue::new("gap", "", message).found(shown)
            }));
        }
        if !self.first_match {
            issues.extend(audit.overlaps.iter().map(|overlap| {
                let shown = show(&overlap.cell);
                let names: Vec<String> =
                    overlap.segments.iter().map(|name| format!("`{name}`")).collect();
                let message = format!("cell {shown} belongs to {}", names.join(" and "));
                Issue::new("overlap", "", message).found(shown)
            }));
        }
        for name in audit.unreachable.iter().filter(|_| !self.drop_unreachable) {
            let message = if self.otherwise.as_ref() == Some(name) {
                format!("no cell is left for `{name}`")
            } else {
                format!("no cell can ever be `{name}`")
            };
            issues.push(Issue::new("unreachable", "", message).found(name));
        }

        let mut names = self.names.clone();
        if let Some(name) = &self.otherwise
            && !names.contains(name)
        {
            names.push(name.clone());
        }
        let segments: Vec<Segment> =
            names.iter().map(|name| Segment::new(slug(name), name.clone())).collect();
        for (at, segment) in segments.iter().enumerate() {
            if segment.id.as_str().is_empty() {
                let message = format!("the name `{}` has no letter", segment.name);
                issues.push(Issue::new("name", "", message).found(&segment.name));
            } else if let Some(twin) =
                segments[..at].iter().find(|other| other.id == segment.id)
            {
                let message = format!(
                    "`{}` and `{}` both have the id `{}`",
                    twin.name, segment.name, segment.id
                );
                issues.push(Issue::new("name", "", message).found(&segment.name));
            }
        }
        if !issues.is_empty() {
            return Err(
                ErrorKind::Definition { what: "the segment map".into(), issues }.into()
            );
        }
        let rest = self.otherwise.as_ref().and_then(|otherwise| {
            names.iter().position(|name| name == otherwise).map(|at| at as u32)
        });
        // Without an `otherwise` every cell is claimed, or there were issues.
        let cells: Vec<u32> =
            cells.into_iter().filter_map(|cell| cell.or(rest)).collect();
        let (segments, cells) = without_unused(segments, cells);
        SegmentMap::try_from(MapRepr { grid: self.grid, segments, cells })
    }

    fn resolve(&self) -> Resolved {
        let cells: Vec<RfmScore> = self.grid.cells().collect();
        let mut claimed: Vec<Vec<u32>> = vec![Vec::new(); cells.len()];
        let mut issues = Vec::new();
        for (name, claim) in &self.claims {
            let mut give = |position: usize| {
                let takers = &mut claimed[position];
                let again = takers.contains(&(*name as u32));
                if !again {
                    takers.push(*name as u32);
                }
                again
            };
            let name = &self.names[*name];
            let outside = |what: String| {
                let message = format!("{what} of `{name}` is not of this grid");
                Issue::new("outside-grid", "", message).found(what)
            };
            match claim {
                Claim::Codes(codes) => {
                    for &code in codes {
                        let cell = self.grid.decode(code);
                        match cell.and_then(|cell| self.grid.position(&cell)) {
                            None => issues.push(outside(format!("code {code}"))),
                            Some(position) if give(position) => {
                                let message =
                                    format!("code {code} of `{name}` is repeated");
                                let issue = Issue::new("repeated-code", "", message);
                                issues.push(issue.found(code.to_string()));
                            }
                            Some(_) => {}
                        }
                    }
                }
                Claim::Range(range) => {
                    let Grid { r, f, m } = self.grid;
                    let axes = [
                        ("r", &range.r, Some(1..=r)),
                        ("f", &range.f, Some(1..=f)),
                        ("m", &range.m, m.map(|m| 1..=m)),
                        ("f + m", &range.fm_sum, m.map(|m| 2..=f.saturating_add(m))),
                    ];
                    for (axis, scores, all) in axes {
                        if let Some(scores) = scores
                            && !all.is_some_and(|all| {
                                scores.start() >= all.start() && scores.end() <= all.end()
                            })
                        {
                            let (from, to) = (scores.start(), scores.end());
                            issues.push(outside(format!("range {axis} {from} to {to}")));
                        }
                    }
                    for (position, cell) in cells.iter().enumerate() {
                        if range.contains(cell) {
                            give(position);
                        }
                    }
                }
            }
        }

        // Ranges of one name may overlap each other: that is one segment all the same.
        let first: Vec<Option<u32>> =
            claimed.iter().map(|takers| takers.first().copied()).collect();
        let mut names = self.names.clone();
        let mut sizes = vec![0_usize; names.len()];
        for name in first.iter().flatten() {
            sizes[*name as usize] += 1;
        }
        let gaps: Vec<RfmScore> = cells
            .iter()
            .zip(&first)
            .filter(|(_, name)| name.is_none())
            .map(|(&cell, _)| cell)
            .collect();
        if let Some(name) = &self.otherwise {
            match names.iter().position(|known| known == name) {
                Some(at) => sizes[at] += gaps.len(),
                None => {
                    names.push(name.clone());
                    sizes.push(gaps.len());
                }
            }
        }
        let mut audit =
            MapAudit::sized(cells.len(), names.into_iter().zip(sizes).collect());
        audit.gaps = gaps;
        for (&cell, takers) in cells.iter().zip(&claimed) {
            if takers.len() > 1 {
                let names = takers.iter().map(|&at| self.names[at as usize].clone());
                audit.push_overlap(cell, names.collect());
            }
        }
        Resolved { cells: first, audit, issues }
    }
}

/// Leaves out the segments of no cell.
fn without_unused(
    segments: Vec<Segment>,
    mut cells: Vec<u32>,
) -> (Vec<Segment>, Vec<u32>) {
    let mut used = vec![false; segments.len()];
    for &cell in &cells {
        used[cell as usize] = true;
    }
    // The place of each segment among those that are kept.
    let place: Vec<u32> = used
        .iter()
        .scan(0, |next, &used| {
            let place = *next;
            *next += u32::from(used);
            Some(place)
        })
        .collect();
    cells.iter_mut().for_each(|cell| *cell = place[*cell as usize]);
    let kept = segments.into_iter().zip(used).filter(|&(_, used)| used);
    (kept.map(|(segment, _)| segment).collect(), cells)
}

/// Lower case, words joined by hyphens, apostrophes left out.
fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !matches!(c, '\'' | '\u{2019}')) {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}
