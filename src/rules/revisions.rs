//! What an edit of a set changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ast::Rule;
use super::digest::RuleDigest;
use super::references::visit;
use super::set::{RuleSet, SegmentRule};
use crate::segmenter::SegmentId;

/// What has changed from one edition of a set of segments to the next: what somebody looks at
/// who must agree to it. `Display` prints it, a line for each change.
///
/// Segments are the same if their ids are, and say the same if their
/// [digests](RuleSet::digests) do: so however a rule is written, only what it says counts. A
/// segment whose version is not raised although it says something else is a mistake: rules
/// that pin the version, and numbers that were published under it, would mean two things.
///
/// ```
/// use segmenta::rules::{RuleSet, field, segment};
///
/// let set = |spent: f64, version: u32| {
///     RuleSet::new()
///         .segment("vip", "VIP", field("spent").ge(spent))
///         .version(version)
///         .segment("lost", "Lost", segment("vip") & field("orders").eq(0))
/// };
/// let revisions = set(2000.0, 3).revisions(&set(1000.0, 3));
/// assert_eq!(revisions.mistakes().collect::<Vec<_>>(), [&"vip".into()]);
/// assert_eq!(
///     revisions.to_string(),
///     "redefined: `vip` by its rule, still version 3: a mistake\n\
///      redefined: `lost` by segments to which it refers\n",
/// );
/// assert!(set(2000.0, 4).revisions(&set(1000.0, 3)).mistakes().next().is_none());
/// assert!(set(2000.0, 4).revisions(&set(2000.0, 4)).is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revisions {
    /// Segments that the earlier set does not have, in their order.
    pub new: Vec<SegmentId>,
    /// Segments that only the earlier set has, in its order.
    pub gone: Vec<SegmentId>,
    /// Segments that have another name.
    pub renamed: Vec<Renaming>,
    /// Segments of which another customer may be a member. Of the rest that is not told: it
    /// changes with every rule.
    pub redefined: Vec<Redefinition>,
    /// Segments that say the same under another version.
    pub reversioned: Vec<Reversion>,
    /// Whether segments that are in both sets have another order, which is their priority.
    pub is_reordered: bool,
    /// Scores that the earlier set does not have, in the order of their ids, as all of these.
    pub new_scores: Vec<String>,
    /// Scores that only the earlier set has.
    pub gone_scores: Vec<String>,
    /// Scores that say something else; the names of their parts do not matter, nor does
    /// their order.
    pub redefined_scores: Vec<String>,
}

/// A segment with another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renaming {
    /// The segment.
    pub segment: SegmentId,
    /// The name before.
    pub from: String,
    /// The name now.
    pub to: String,
}

/// A segment that says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redefinition {
    /// The segment.
    pub segment: SegmentId,
    /// Whether its own rule says something else. Likewise where it was the rest, or is now.
    pub by_rule: bool,
    /// Whether its rule is the same, and a segment to which it refers says something else.
    pub by_references: bool,
    /// Whether its rule is the same, and a score that it tests says something else.
    pub by_scores: bool,
    /// Whether it is left in another way.
    pub by_stay: bool,
    /// Its versions.
    pub version: VersionStep,
}

/// A segment that says the same under another version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversion {
    /// The segment.
    pub segment: SegmentId,
    /// Its versions.
    pub version: VersionStep,
}

/// The version of a segment in two sets; absent where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionStep {
    /// The version before.
    pub from: Option<u32>,
    /// The version now.
    pub to: Option<u32>,
}

impl VersionStep {
    /// Whether there was a version and it was kept.
    #[must_use]
    pub fn is_kept(self) -> bool {
        self.from.is_some() && self.from == self.to
    }

    /// Whether there was a version and there is a lower one, or none.
    #[must_use]
    pub fn is_backwards(self) -> bool {
        self.to < self.from
    }
}

impl Redefinition {
    /// Whether the version was not raised although there was one.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        self.version.is_kept() || self.version.is_backwards()
    }
}

impl Revisions {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Revisions::default()
    }

    /// The segments whose version should have been raised and was not, and those whose
    /// version went backwards.
    pub fn mistakes(&self) -> impl Iterator<Item = &SegmentId> {
        let redefined = self.redefined.iter().filter(|redefined| redefined.is_mistake());
        let reversioned =
            self.reversioned.iter().filter(|reversion| reversion.version.is_backwards());
        redefined
            .map(|redefined| &redefined.segment)
            .chain(reversioned.map(|reversion| &reversion.segment))
    }
}

/// A segment and all that is compared.
struct Edition<'s> {
    id: &'s SegmentId,
    name: &'s str,
    version: Option<u32>,
    /// Nothing of the rest.
    says: Option<Says>,
}

struct Says {
    digest: RuleDigest,
    /// That of the rule by itself, …
    own: RuleDigest,
    /// … with what the scores say that it tests, …
    with_scores: RuleDigest,
    /// … and what the segments say to which it refers.
    others: Vec<Option<RuleDigest>>,
    /// How it is left: by which rule, and after how many milliseconds.
    stay: Option<(Option<RuleDigest>, u64)>,
}

impl RuleSet {
    /// What has changed since an earlier edition of the set. Where a set has an id twice, the
    /// first of them counts.
    #[must_use]
    pub fn revisions(&self, earlier: &RuleSet) -> Revisions {
        let (before, now) = (editions(earlier), editions(self));
        let find = |editions: &[Edition<'_>]| -> BTreeMap<String, usize> {
            let places = editions.iter().enumerate();
            places.map(|(at, edition)| (edition.id.as_str().to_owned(), at)).collect()
        };
        let (places, places_now) = (find(&before), find(&now));
        let mut revisions = Revisions::default();
        let mut order = Vec::new();
        for edition in &now {
            let segment = edition.id.clone();
            let Some(&place) = places.get(segment.as_str()) else {
                revisions.new.push(segment);
                continue;
            };
            let old = &before[place];
            order.push(place);
            if old.name != edition.name {
                revisions.renamed.push(Renaming {
                    segment: segment.clone(),
                    from: old.name.to_owned(),
                    to: edition.name.to_owned(),
                });
            }
            let version = VersionStep { from: old.version, to: edition.version };
            let [by_rule, by_references, by_scores, by_stay] = differs(old, edition);
            if by_rule || by_references || by_scores || by_stay {
                revisions.redefined.push(Redefinition {
                    segment,
                    by_rule,
                    by_references,
                    by_scores,
                    by_stay,
                    version,
                });
            } else if version.from != version.to {
                revisions.reversioned.push(Reversion { segment, version });
            }
        }
        let gone = before.iter().map(|edition| edition.id);
        let gone = gone.filter(|id| !places_now.contains_key(id.as_str()));
        revisions.gone = gone.cloned().collect();
        revisions.is_reordered = !order.is_sorted();
        let (scores, scores_now) = (earlier.score_digests(), self.score_digests());
        for (id, digest) in &scores_now {
            match scores.get(id) {
                None => revisions.new_scores.push((*id).to_owned()),
                Some(old) if old != digest => {
                    revisions.redefined_scores.push((*id).to_owned());
                }
                Some(_) => {}
            }
        }
        let gone = scores.keys().filter(|id| !scores_now.contains_key(*id));
        revisions.gone_scores = gone.map(|id| (*id).to_owned()).collect();
        revisions
    }
}

/// Whether the rule, a segment to which it refers, a score that it tests, or how it is left says
/// something else.
fn differs(old: &Edition<'_>, new: &Edition<'_>) -> [bool; 4] {
    match (&old.says, &new.says) {
        (None, None) => [false; 4],
        (Some(old), Some(new)) => {
            let differs = old.digest != new.digest;
            let by_rule = differs && old.own != new.own;
            let by_others = differs && !by_rule;
            [
                by_rule,
                by_others && old.others != new.others,
                by_others && old.with_scores != new.with_scores,
                old.stay != new.stay,
            ]
        }
        _ => [true, false, false, false],
    }
}

/// The segments of a set, each id once, the rest last.
fn editions(set: &RuleSet) -> Vec<Edition<'_>> {
    let leaves: Vec<&Rule> = set.segments.iter().filter_map(SegmentRule::leave).collect();
    let digests = set.digests_with(&leaves);
    let with_scores = set.digests_of_rules();
    let mut leaves = digests.iter().skip(set.segments.len()).copied();
    let mut by_id = BTreeMap::new();
    for (segment, &digest) in set.segments.iter().zip(&digests) {
        by_id.entry(&segment.id).or_insert(digest);
    }
    let rules = set.segments.iter().zip(&digests).zip(with_scores);
    let rules = rules.map(|((segment, &digest), with_scores)| {
        let stay = segment.stay.as_ref().map(|stay| {
            let leave = segment.leave().and_then(|_| leaves.next());
            (leave, stay.minimum_stay.map_or(0, |span| span.as_millis()))
        });
        let mut others = Vec::new();
        visit(&segment.rule, &mut |id| others.push(by_id.get(id).copied()));
        let own = segment.rule.digest();
        Edition {
            id: &segment.id,
            name: &segment.name,
            version: segment.version,
            says: Some(Says { digest, own, with_scores, others, stay }),
        }
    });
    let mut editions: Vec<Edition<'_>> = rules.collect();
    editions.extend(set.rest.iter().map(|rest| Edition {
        id: &rest.id,
        name: &rest.name,
        version: None,
        says: None,
    }));
    let mut seen = BTreeSet::new();
    editions.retain(|edition| seen.insert(edition.id));
    editions
}

impl fmt::Display for VersionStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (None, None) => f.write_str("no version"),
            (None, Some(to)) => write!(f, "now version {to}"),
            (Some(from), None) => write!(f, "version {from} to none"),
            (Some(from), Some(to)) if from == to => write!(f, "still version {to}"),
            (Some(from), Some(to)) => write!(f, "version {from} to {to}"),
        }
    }
}

impl fmt::Display for Revisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mistake = |is_mistake| if is_mistake { ": a mistake" } else { "" };
        for id in &self.new {
            writeln!(f, "new: `{id}`")?;
        }
        for id in &self.gone {
            writeln!(f, "gone: `{id}`")?;
        }
        for Renaming { segment, from, to } in &self.renamed {
            writeln!(f, "renamed: `{segment}` from `{from}` to `{to}`")?;
        }
        for redefined in &self.redefined {
            let Redefinition {
                segment,
                by_rule,
                by_references,
                by_scores,
                by_stay,
                version,
            } = redefined;
            let causes = [
                (by_rule, "its rule"),
                (by_references, "segments to which it refers"),
                (by_scores, "scores that it tests"),
                (by_stay, "how it is left"),
            ];
            let causes: Vec<&str> = causes
                .into_iter()
                .filter(|(is, _)| **is)
                .map(|(_, cause)| cause)
                .collect();
            write!(f, "redefined: `{segment}` by {}", causes.join(" and "))?;
            if *version != (VersionStep { from: None, to: None }) {
                write!(f, ", {version}{}", mistake(redefined.is_mistake()))?;
            }
            writeln!(f)?;
        }
        for Reversion { segment, version } in &self.reversioned {
            let mistake = mistake(version.is_backwards());
            writeln!(f, "the same: `{segment}`, {version}{mistake}")?;
        }
        if self.is_reordered {
            writeln!(f, "the order is another")?;
        }
        let scores = [
            (&self.new_scores, "new"),
            (&self.gone_scores, "gone"),
            (&self.redefined_scores, "redefined"),
        ];
        for (ids, what) in scores {
            for id in ids {
                writeln!(f, "{what}: score `{id}`")?;
            }
        }
        if self.is_empty() {
            writeln!(f, "nothing has changed")?;
        }
        Ok(())
    }
}
