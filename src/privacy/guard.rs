//! Which of some counts can be told together.

use std::cmp::Reverse;

use crate::bitplanes::PairCounts;

/// Comparisons of two sets that are spent on one count, before it is rather withheld.
const EFFORT: usize = 1_000_000;

/// Decides which groups of people may be counted in public, one after another.
///
/// Told are the numbers of all people of some frames (all rows of a table, all customers of a
/// snapshot) and the counts of groups that were admitted, and with them what is left of such a
/// frame beside a group that lies within it. Whoever knows these can add up those
/// of which no two overlap; what that leaves of a frame is the count of a group, too. The guard
/// admits no group with which such a sum would leave from 1 to `least - 1` people of a
/// frame:
///
/// - that a group or what is left of the frame is small is the sum of one;
/// - that two nested groups `B` within `A` differ by few is the sum of `B` and what is left
///   of `A`;
/// - that few of `A` are in none of several parts is the sum of these and what is left of `A`.
///
/// Where the number of all people of a frame cannot be told, it is no sum of groups either.
pub(super) struct Guard {
    least: u64,
    frames: Vec<Frame>,
    cells: Vec<Cell>,
    /// Where there are several frames: for each group, what is left of a frame in which it
    /// lies, and which of the frames that is.
    rests: Vec<Vec<(usize, usize)>>,
    pairs: PairCounts,
    /// Different groups, none of them empty, by their place in `pairs`.
    admitted: Vec<usize>,
    /// Spent on one count at most.
    effort: usize,
}

/// All people among whom groups are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// How many they are.
    pub(super) count: u64,
    /// Which group they are; nothing where they are all people that there are.
    pub(super) cell: Option<usize>,
    /// Whether groups of this frame are to be told.
    pub(super) is_asked: bool,
}

/// A group, by its bits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Group<'p> {
    Plane(&'p [u64]),
    /// All people of the only frame that are not in an earlier group.
    RestOf(usize),
}

/// What is known of a group.
#[derive(Clone, Copy)]
struct Cell {
    count: u64,
    /// Where it stands in the pairs, if it can be admitted at all.
    place: Option<usize>,
}

/// A group that was admitted, or the people of a frame that are not in it.
#[derive(Clone, Copy)]
struct Set {
    place: usize,
    is_rest: bool,
    count: u64,
}

/// What came of an attempt to add groups up.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    Nothing,
    /// Few are left.
    Few,
    /// It would take too long to say.
    GaveUp,
}

/// What is left of frames beside groups that lie within them.
struct Rests {
    /// For each group, which frames these are, and where what is left stands among the groups.
    of: Vec<Vec<(usize, usize)>>,
    /// What is left, after the groups.
    planes: Vec<Vec<u64>>,
}

/// The rests of all groups, where there are several frames. Where there is one, sums are made
/// of groups and their rests anyway.
fn rests(frames: &[Frame], groups: &[Group<'_>]) -> Rests {
    let mut rests = vec![Vec::new(); groups.len()];
    let mut left = Vec::new();
    let frames = frames.iter().enumerate().filter(|_| frames.len() > 1);
    for (at, frame) in frames {
        let Some(Group::Plane(all)) = frame.cell.map(|cell| groups[cell]) else {
            continue;
        };
        for (group, rests) in groups.iter().zip(&mut rests) {
            let Group::Plane(plane) = *group else { continue };
            let word = |i: usize| plane.get(i).copied().unwrap_or(0);
            let all_of = |i: usize| all.get(i).copied().unwrap_or(0);
            let n_words = all.len().max(plane.len());
            if (0..n_words).all(|i| word(i) & !all_of(i) == 0) {
                rests.push((at, groups.len() + left.len()));
                left.push((0..all.len()).map(|i| all[i] & !word(i)).collect());
            }
        }
    }
    rests.resize(groups.len() + left.len(), Vec::new());
    Rests { of: rests, planes: left }
}

/// A search for sums in one frame.
struct Sums<'g> {
    guard: &'g Guard,
    /// How many people the frame has.
    n: u64,
    /// Whether groups that add up to the frame tell what is not to be told.
    is_hidden: bool,
    effort: usize,
}

impl Guard {
    /// A guard of these groups, some of which were told before.
    pub(super) fn new(
        least: u64,
        frames: Vec<Frame>,
        groups: &[Group<'_>],
        known: &[usize],
    ) -> Guard {
        let Rests { of: rests, planes: left } = rests(&frames, groups);
        let left = left.iter().map(|plane| Group::Plane(plane));
        let groups: Vec<Group<'_>> = groups.iter().copied().chain(left).collect();
        let mut is_needed = vec![false; groups.len()];
        let cells_of_frames = frames.iter().filter_map(|frame| frame.cell);
        let rests_of_known = known.iter().flat_map(|&cell| rests[cell].iter());
        let needed = known.iter().copied().chain(cells_of_frames);
        let needed = needed.chain(rests_of_known.map(|&(_, rest)| rest));
        needed.for_each(|cell| is_needed[cell] = true);
        let all = frames.iter().map(|frame| frame.count).max().unwrap_or(0);
        let mut compared = Vec::new();
        let mut cells: Vec<Cell> = Vec::with_capacity(groups.len());
        for (group, is_needed) in groups.iter().zip(is_needed) {
            cells.push(match *group {
                Group::RestOf(cell) => {
                    Cell { count: all - cells[cell].count, ..cells[cell] }
                }
                Group::Plane(plane) => {
                    let count =
                        plane.iter().map(|word| u64::from(word.count_ones())).sum();
                    // Nobody is no part of a sum, and neither is who can never be told.
                    let is_part = count > 0 && (count >= least || is_needed);
                    let place = is_part.then_some(compared.len());
                    compared.extend(place.map(|_| plane));
                    Cell { count, place }
                }
            });
        }
        let pairs = PairCounts::new(&compared);
        let admitted = Vec::new();
        let effort = EFFORT;
        let mut guard = Guard { least, frames, cells, rests, pairs, admitted, effort };
        known.iter().for_each(|&cell| guard.know(cell));
        for &cell in known {
            guard.rests_told(cell).into_iter().for_each(|rest| guard.know(rest));
        }
        guard
    }

    fn know(&mut self, cell: usize) {
        if let Some(place) = self.cells[cell].place
            && !self.is_admitted(place)
        {
            self.admitted.push(place);
        }
    }

    /// What is left beside a group of the frames that were told.
    fn rests_told(&self, cell: usize) -> Vec<usize> {
        let is_told = |&&(frame, _): &&(usize, usize)| self.is_told(self.frames[frame]);
        self.rests[cell].iter().filter(is_told).map(|&(_, rest)| rest).collect()
    }

    fn is_told(&self, frame: Frame) -> bool {
        let place = |cell: usize| self.cells[cell].place;
        frame.cell.is_none_or(|cell| place(cell).is_none_or(|p| self.is_admitted(p)))
    }

    /// How many people are in a group.
    pub(super) fn count(&self, cell: usize) -> u64 {
        self.cells[cell].count
    }

    /// Whether anything can be told: not of few people.
    pub(super) fn is_open(&self) -> bool {
        let mut asked = self.frames.iter().filter(|frame| frame.is_asked);
        asked.all(|frame| frame.count == 0 || frame.count >= self.least)
    }

    /// The groups in an order in which they are to be admitted: the largest first.
    pub(super) fn largest_first(
        &self,
        cells: impl IntoIterator<Item = usize>,
    ) -> Vec<usize> {
        let mut cells: Vec<usize> = cells.into_iter().collect();
        cells.sort_by_key(|&cell| (Reverse(self.cells[cell].count), cell));
        cells
    }

    /// Admits a group, if it can be told beside those that are.
    pub(super) fn admit(&mut self, cell: usize) -> bool {
        self.admit_all(&[cell])
    }

    /// Admits groups, if all of them can be told beside those that are.
    pub(super) fn admit_all(&mut self, cells: &[usize]) -> bool {
        let n_before = self.admitted.len();
        let are_admitted = cells.iter().all(|&cell| {
            self.admit_one(cell)
                && self.rests_told(cell).into_iter().all(|rest| self.admit_one(rest))
        });
        if !are_admitted {
            self.admitted.truncate(n_before);
        }
        are_admitted
    }

    fn admit_one(&mut self, cell: usize) -> bool {
        let Cell { count, place } = self.cells[cell];
        if !self.is_open() {
            return false;
        }
        // Nobody is told by no sum; nor are those who are known to be all.
        let is_all = |frame: &Frame| frame.cell.is_none() && frame.count == count;
        if count == 0 || self.frames.iter().any(is_all) {
            return true;
        }
        let Some(place) = place else { return false };
        if self.is_admitted(place) {
            return true;
        }
        let may_be = self
            .frames
            .iter()
            .filter(|&&frame| self.is_within(place, frame))
            .all(|&frame| self.may_be_told(place, frame));
        if may_be {
            self.admitted.push(place);
        }
        may_be
    }

    /// Whether a group is among those that were admitted, or is the rest of one in the only
    /// frame.
    fn is_admitted(&self, place: usize) -> bool {
        let n = self.pairs.get(place, place);
        let rest_of = |both: u64, m: u64| match self.frames[..] {
            [Frame { count, cell: None, .. }] => both == 0 && n + m == count,
            _ => false,
        };
        self.admitted.iter().any(|&other| {
            let (both, m) = (self.pairs.get(place, other), self.pairs.get(other, other));
            (both == n && both == m) || rest_of(both, m)
        })
    }

    fn is_within(&self, place: usize, frame: Frame) -> bool {
        frame.cell.is_none_or(|cell| {
            let of_frame = self.cells[cell].place;
            let both = of_frame.map(|of_frame| self.pairs.get(place, of_frame));
            both == Some(self.pairs.get(place, place))
        })
    }

    /// Whether sums of a group, or of its rest, and of what was admitted leave few people of a
    /// frame.
    fn may_be_told(&self, place: usize, frame: Frame) -> bool {
        let n = frame.count;
        let is_told = self.is_told(frame);
        let is_frame = self.pairs.get(place, place) == n;
        let mut sums = Sums {
            guard: self,
            n,
            is_hidden: !is_told && !is_frame,
            effort: self.effort,
        };
        let admitted: Vec<Set> = self
            .admitted
            .iter()
            .filter(|&&other| self.is_within(other, frame))
            .flat_map(|&other| [false, true].map(|is_rest| sums.set(other, is_rest)))
            .filter(|set| set.count > 0)
            .collect();
        if is_frame {
            // With all, what was told of parts is told of the others.
            return sums.of(admitted, n, true) == Found::Nothing;
        }
        [false, true].into_iter().all(|is_rest| {
            let set = sums.set(place, is_rest);
            let apart = admitted.iter().filter(|&&other| sums.are_apart(set, other));
            let apart = apart.copied().collect();
            sums.of(apart, n - set.count, !is_rest) == Found::Nothing
        })
    }
}

impl Sums<'_> {
    fn set(&self, place: usize, is_rest: bool) -> Set {
        let n = self.guard.pairs.get(place, place);
        Set { place, is_rest, count: if is_rest { self.n - n } else { n } }
    }

    fn are_apart(&self, a: Set, b: Set) -> bool {
        let both = self.guard.pairs.get(a.place, b.place);
        match (a.is_rest, b.is_rest) {
            (false, false) => both == 0,
            (false, true) => both == a.count,
            (true, false) => both == b.count,
            // All people of the frame are in one of the two groups.
            (true, true) => a.count + b.count + both == self.n,
        }
    }

    /// Whether sums of these sets leave few of so many people, in whom all of them are.
    fn of(&mut self, mut parts: Vec<Set>, left: u64, is_plain: bool) -> Found {
        parts.sort_by_key(|part| (Reverse(part.count), part.place, part.is_rest));
        self.leave_few(&parts, left, is_plain)
    }

    /// Sets come by their size, the largest first. The sum so far is plain if it is one of
    /// groups only.
    fn leave_few(&mut self, parts: &[Set], left: u64, is_plain: bool) -> Found {
        let least = self.guard.least;
        if (1..least).contains(&left) || (left == 0 && is_plain && self.is_hidden) {
            return Found::Few;
        }
        // What all of them hold together at most, from each place on.
        let mut held = vec![0_u64; parts.len() + 1];
        for (i, part) in parts.iter().enumerate().rev() {
            held[i] = held[i + 1].saturating_add(part.count);
        }
        let reaches = |held: u64| held.saturating_add(least) > left;
        if left == 0 || !reaches(held[0]) {
            return Found::Nothing;
        }
        // Some overlap.
        if held[0] > left {
            match self.at_most(parts) {
                None => return Found::GaveUp,
                Some(most) if !reaches(most) => return Found::Nothing,
                Some(_) => {}
            }
        }
        for (i, &part) in parts.iter().enumerate() {
            if !reaches(held[i]) {
                break;
            }
            let others = &parts[i + 1..];
            let Some(effort) = self.effort.checked_sub(1 + others.len()) else {
                return Found::GaveUp;
            };
            self.effort = effort;
            let apart = others.iter().filter(|&&other| self.are_apart(part, other));
            let apart: Vec<Set> = apart.copied().collect();
            let is_plain = is_plain && !part.is_rest;
            match self.leave_few(&apart, left - part.count, is_plain) {
                Found::Nothing => {}
                found => return found,
            }
        }
        Found::Nothing
    }

    /// How many people the sets hold at most, if no two overlap: of those that all overlap each
    /// other it is one. Nothing where it takes too long to say.
    fn at_most(&mut self, parts: &[Set]) -> Option<u64> {
        let mut heaps: Vec<Vec<Set>> = Vec::new();
        let mut most = 0_u64;
        for &part in parts {
            let mut place = None;
            for (i, heap) in heaps.iter().enumerate() {
                self.effort = self.effort.checked_sub(1)?;
                let overlaps = |&other: &Set| !self.are_apart(part, other);
                let n_overlapping =
                    heap.iter().take_while(|other| overlaps(other)).count();
                self.effort = self.effort.checked_sub(n_overlapping)?;
                if n_overlapping == heap.len() {
                    place = Some(i);
                    break;
                }
            }
            match place {
                Some(i) => heaps[i].push(part),
                None => {
                    // The largest of its heap, since larger ones come first.
                    most = most.saturating_add(part.count);
                    heaps.push(vec![part]);
                }
            }
        }
        Some(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const N: u32 = 24;

    fn guard(least: u64, groups: &[u64]) -> Guard {
        let planes: Vec<Group<'_>> = groups
            .iter()
            .map(|group| Group::Plane(std::slice::from_ref(group)))
            .collect();
        let all = Frame { count: u64::from(N), cell: None, is_asked: true };
        Guard::new(least, vec![all], &planes, &[])
    }

    /// Whether sets of which no two overlap leave few, all tried.
    fn leave_few(sets: &[u64], left: u64, least: u64) -> bool {
        (1..least).contains(&u64::from(left.count_ones()))
            || sets.iter().enumerate().any(|(i, &set)| {
                set != 0
                    && set & !left == 0
                    && leave_few(&sets[i + 1..], left & !set, least)
            })
    }

    /// Unions of some of six parts, which share out all rows often enough.
    fn unions(seed: u64, n: usize) -> Vec<u64> {
        let mut random = Random::new(seed, 0);
        let mut parts = [0_u64; 6];
        for row in 0..N {
            parts[random.below(6)] |= 1 << row;
        }
        (0..n)
            .map(|_| {
                let some = 1 + random.below(63);
                let is_part = |i: &usize| some >> i & 1 == 1;
                (0..6).filter(is_part).fold(0, |union, i| union | parts[i])
            })
            .collect()
    }

    #[test]
    fn with_less_effort_less_is_told_and_nothing_small() {
        let all = (1 << N) - 1;
        let mut n_told = [0; 6];
        for seed in 0..200 {
            let groups = unions(seed, 12);
            for (n_told, effort) in n_told.iter_mut().zip([0, 3, 10, 30, 100, EFFORT]) {
                let mut guard = guard(3, &groups);
                guard.effort = effort;
                let told: Vec<u64> = (0..groups.len())
                    .filter(|&cell| guard.admit(cell))
                    .flat_map(|cell| [groups[cell], all & !groups[cell]])
                    .collect();
                assert!(!leave_few(&told, all, 3), "{seed} {effort}");
                *n_told += told.len();
            }
        }
        assert!(n_told[0] < n_told[3] && n_told[3] < n_told[5], "{n_told:?}");
    }

    #[test]
    fn groups_that_cannot_be_told_together_leave_no_trace() {
        let groups = [0xf, 0xf0, 0xf1, 0xff];
        let mut guard = guard(3, &groups);
        assert!(!guard.admit_all(&[1, 2]));
        assert!(guard.admitted.is_empty());
        assert!(guard.admit(2) && !guard.admit(1));
        // Beside the third, the last has three more.
        assert!(guard.admit_all(&[3]) && guard.admitted.len() == 2);
    }
}
