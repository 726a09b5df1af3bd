//! Somebody who adds up all that can be added up.

/// Rows, a bit each.
pub(crate) type Rows = u64;

/// All rows below `n`.
pub(crate) fn all(n: usize) -> Rows {
    if n == 64 { Rows::MAX } else { (1 << n) - 1 }
}

pub(crate) fn rows(places: impl IntoIterator<Item = usize>) -> Rows {
    places.into_iter().fold(0, |rows, place| rows | 1 << place)
}

/// A group of fewer rows than the least whose count follows from those of groups that were
/// told, at least one of them new: what sums of these and of their rests, of which no two
/// overlap, leave.
pub(crate) fn finds(n: usize, least: u64, told: &[Rows], new: &[Rows]) -> Option<Rows> {
    let all = all(n);
    let mut sets: Vec<(Rows, bool)> = Vec::new();
    for (groups, is_new) in [(new, true), (told, false)] {
        for &group in groups {
            for set in [group, all & !group] {
                if set != 0 && !sets.iter().any(|&(other, _)| other == set) {
                    sets.push((set, is_new));
                }
            }
        }
    }
    pack(&sets, all, false, least)
}

fn pack(sets: &[(Rows, bool)], left: Rows, has_new: bool, least: u64) -> Option<Rows> {
    if has_new && (1..least).contains(&u64::from(left.count_ones())) {
        return Some(left);
    }
    sets.iter().enumerate().find_map(|(i, &(set, is_new))| {
        (set & !left == 0)
            .then(|| pack(&sets[i + 1..], left & !set, has_new || is_new, least))
            .flatten()
    })
}

/// A group of fewer people than the least that is what is left of one group beside others of
/// which no two overlap. Known are the groups that were told, and all people of a frame if
/// that was told, or follows from groups that share it out among them; and what is left of such
/// a frame beside each group.
pub(crate) fn finds_over_time(
    frames: &[Rows],
    told: &[Rows],
    least: u64,
) -> Option<Rows> {
    let mut known: Vec<Rows> = told.iter().copied().filter(|&group| group != 0).collect();
    known.sort_unstable();
    known.dedup();
    let plain = known.clone();
    for &frame in frames {
        if shares_out(&plain, frame) {
            known.push(frame);
            known.extend(plain.iter().filter(|&g| g & !frame == 0).map(|g| frame & !g));
        }
    }
    known.sort_unstable();
    known.dedup();
    known.iter().find_map(|&whole| {
        let sets: Vec<(Rows, bool)> = known.iter().map(|&set| (set, true)).collect();
        pack(&sets, whole, true, least)
    })
}

fn shares_out(sets: &[Rows], left: Rows) -> bool {
    left == 0
        || sets.iter().enumerate().any(|(i, &set)| {
            set != 0 && set & !left == 0 && shares_out(&sets[i + 1..], left & !set)
        })
}

#[test]
fn the_attacker_finds_what_is_known_to_leak() {
    let finds = |told: &[Rows]| finds(12, 3, told, told);
    assert_eq!(finds(&[]), None);
    // A group of two, and one without two.
    assert!(finds(&[0b11]).is_some());
    assert!(finds(&[0b0011_1111_1111]).is_some());
    // Nested groups that differ by one.
    assert_eq!(finds(&[0b0111_1111]), None);
    assert!(finds(&[0b0111_1111, 0b0011_1111]).is_some());
    // Four shares of all, the last of two.
    let shares = [0b1110_0000_0000, 0b0001_1110_0000, 0b0000_0001_1100];
    assert!(finds(&shares).is_some());
    assert_eq!(finds(&shares[..2]), None);
}
