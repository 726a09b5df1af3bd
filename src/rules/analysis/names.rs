//! The classes of names: of levels, of open categories, and of tags.

use std::collections::BTreeMap;

use super::model::Subject;
use super::shape::{Asked, Group, Open, Piece, Role, Shape, Shapes};
use crate::rules::leaf::{Check, TagCheck, TextCheck};

/// Names times tests of their pieces that are looked at. Beyond, a test of pieces may have
/// any answer.
const MOST_LOOKS: usize = 1 << 22;

/// A category or ordinal with levels.
pub(super) fn levels(
    shapes: &mut Shapes,
    place: u32,
    subject: &Subject,
    checks: &[Asked<'_>],
) {
    let n_levels = subject.n_levels.unwrap_or(0);
    let mut tables: Vec<(usize, &[bool])> = Vec::with_capacity(checks.len());
    for &(i, check) in checks {
        if let Check::Level { answers, .. } = check {
            tables.push((i, answers));
        }
    }
    let mut classes: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
    for level in 0..n_levels {
        let answers = tables.iter().enumerate();
        let yes = answers.filter(|(_, (_, answers))| answers.get(level) == Some(&true));
        classes.insert(yes.map(|(i, _)| i as u32).collect(), 0);
    }
    let axis = shapes.axis(place, subject, classes.len() as u32 + 1, Role::Value);
    let mut accepted: Vec<Vec<(u32, u32)>> = vec![Vec::new(); tables.len()];
    for (class, yes) in (1..).zip(classes.keys()) {
        yes.iter().for_each(|&i| accepted[i as usize].push((class, class + 1)));
    }
    for ((i, _), accepted) in tables.into_iter().zip(accepted) {
        shapes.classes(i, axis, accepted, None);
    }
}

/// A category whose set of names is open: each name that a list has, and all others.
pub(super) fn texts(
    shapes: &mut Shapes,
    place: u32,
    subject: &Subject,
    checks: &[Asked<'_>],
) {
    let texts: Vec<(usize, &TextCheck)> = checks
        .iter()
        .filter_map(|&(i, check)| match check {
            Check::Text(check) => Some((i, check)),
            _ => None,
        })
        .collect();
    let mut listed: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let mut pieces = Vec::new();
    for (at, (_, check)) in (0..).zip(&texts) {
        match check {
            TextCheck::In(names) => {
                names.iter().for_each(|name| listed.entry(name).or_default().push(at));
            }
            TextCheck::Always(_) => {}
            _ => pieces.push(at),
        }
    }
    let are_known = listed.len().saturating_mul(pieces.len()) <= MOST_LOOKS;
    let mut classes: BTreeMap<Vec<u32>, ()> = BTreeMap::new();
    for (name, mut yes) in listed {
        if are_known {
            let passes = |at: &&u32| texts[**at as usize].1.accepts(name);
            yes.extend(pieces.iter().filter(passes));
        }
        classes.insert(yes, ());
    }
    let others = classes.len() as u32 + 1;
    let axis = shapes.axis(place, subject, others + 1, Role::Value);
    let mut accepted: Vec<Vec<(u32, u32)>> = vec![Vec::new(); texts.len()];
    for (class, yes) in (1..).zip(classes.keys()) {
        yes.iter().for_each(|&at| accepted[at as usize].push((class, class + 1)));
    }
    for ((i, check), accepted) in texts.into_iter().zip(accepted) {
        let text = match check {
            TextCheck::Always(answer) => {
                let all = if *answer { vec![(1, others + 1)] } else { Vec::new() };
                shapes.classes(i, axis, all, None);
                continue;
            }
            // A name that no list has.
            TextCheck::In(_) => {
                shapes.classes(i, axis, accepted, None);
                continue;
            }
            TextCheck::Contains(part) => Some(Piece::Contained(part.clone())),
            TextCheck::StartsWith(start) => Some(Piece::Start(start.clone())),
            TextCheck::EndsWith(end) => Some(Piece::End(end.clone())),
            TextCheck::Matches(_) => None,
        };
        let from = if are_known { others } else { 1 };
        let open = Open { from, to: others + 1, text, is_whole: are_known };
        shapes.classes(i, axis, accepted, Some(open));
    }
}

impl Piece {
    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        let (Piece::Start(text) | Piece::End(text) | Piece::Contained(text)) = self;
        text.len()
    }

    /// Whether each name that has this piece has the other.
    pub(super) fn implies(&self, other: &Piece) -> bool {
        match (self, other) {
            (Piece::Start(a), Piece::Start(b)) => a.starts_with(&**b),
            (Piece::End(a), Piece::End(b)) => a.ends_with(&**b),
            (
                Piece::Start(a) | Piece::End(a) | Piece::Contained(a),
                Piece::Contained(b),
            ) => a.contains(&**b),
            _ => false,
        }
    }

    /// Whether no name has both pieces.
    pub(super) fn excludes(&self, other: &Piece) -> bool {
        match (self, other) {
            (Piece::Start(a), Piece::Start(b)) => {
                !a.starts_with(&**b) && !b.starts_with(&**a)
            }
            (Piece::End(a), Piece::End(b)) => !a.ends_with(&**b) && !b.ends_with(&**a),
            _ => false,
        }
    }
}

/// Tests of which tags there are.
pub(super) fn tags(shapes: &mut Shapes, axis: u32, checks: &[Asked<'_>]) {
    let n_classes = shapes.axes[axis as usize].n_classes;
    let mut named: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let mut tests = Vec::new();
    for &(i, check) in checks {
        let Check::Tags { check, .. } = check else { continue };
        match check {
            TagCheck::Always(answer) => {
                let all = if *answer { vec![(1, n_classes)] } else { Vec::new() };
                shapes.classes(i, axis, all, None);
            }
            TagCheck::Size(_) => {}
            TagCheck::Any(names) | TagCheck::All(names) => {
                let at = tests.len() as u32;
                names.iter().for_each(|name| named.entry(name).or_default().push(at));
                tests.push((i, matches!(check, TagCheck::Any(_)), Vec::new()));
            }
        }
    }
    let mut sizes: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    for tests in named.into_values() {
        *sizes.entry(tests).or_default() += 1;
    }
    for (members, n_names) in sizes {
        let group = shapes.groups.len() as u32;
        shapes.groups.push(Group { axis, n_names });
        members.iter().for_each(|&test| tests[test as usize].2.push(group));
    }
    for (i, any, groups) in tests {
        shapes.shapes[i] = Shape::Tags { axis, any, groups };
    }
}
