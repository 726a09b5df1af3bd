//! Segments that are not left at once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::IdList;
use super::plane::{Plane, Truths};
use super::stays::{Stay, Stays};
use crate::data::{CustomerId, Moment, Schema, Span, Table, Timestamp};
use crate::error::{Error, ErrorKind, Issue, Result, similar_names};
use crate::rules::ast::Rule;
use crate::rules::book::RuleBook;
use crate::rules::limits::Limits;
use crate::rules::set::{
    CompiledSet, Leave, RestSegment, RuleSet, SegmentRule, SegmentStay,
};
use crate::segmenter::{Segment, SegmentId};

/// How a segment is left. In the definition of a set it is a [`SegmentStay`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hysteresis {
    /// The segment.
    pub segment: SegmentId,
    /// By which rule it is left; absent where it is left when its own is False. It may refer
    /// to segments of the book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<Rule>,
    /// How long members stay at least; absent for no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_stay: Option<Span>,
}

impl Hysteresis {
    /// Left when the segment's rule is False.
    pub fn new(segment: impl Into<SegmentId>) -> Hysteresis {
        Hysteresis { segment: segment.into(), leave: None, minimum_stay: None }
    }

    /// Left when this rule is True.
    #[must_use]
    pub fn leave(mut self, rule: Rule) -> Hysteresis {
        self.leave = Some(rule);
        self
    }

    /// Left after so long at the earliest.
    #[must_use]
    pub fn minimum_stay(mut self, span: Span) -> Hysteresis {
        self.minimum_stay = Some(span);
        self
    }
}

/// A book some of whose segments are entered by one rule and left by another, or not before a
/// while, so that customers at a threshold do not come and go with each update. The book
/// remembers nothing: an update makes new [`Stays`] from those before.
///
/// # Who is in
/// For a segment with a [`Hysteresis`]:
///
/// - A customer who is out enters when the segment's rule is True and the rule to leave, if
///   there is one, is not True.
/// - A customer who is in leaves when the rule to leave is True, or, without one, when the
///   segment's rule is False; but not before she has stayed for the least time since she
///   entered. Nothing is owed: what made her want to leave before does not count later.
/// - So what is Unknown moves nobody, and where both rules are True she stays out, or leaves,
///   and does not come back while they are.
///
/// All other segments are as in the book: those are in whose rule is True. In the rest are
/// those who are, after this, in no other segment. Rules that refer to a segment mean its
/// rule, not who stays in it. Customers who are not in the table are in no segment; if they
/// come back, they enter anew. The table is therefore to hold all customers.
///
/// [`live`](StickyBook::live) is the same of one customer as events arrive.
///
/// ```
/// use segmenta::data::{FeatureSpec, Ids, Schema, Span, Table, Timestamp};
/// use segmenta::rules::{Hysteresis, RuleBook, Stays, StickyBook, field};
///
/// let schema = Schema::new([FeatureSpec::number("spent")])?;
/// let book = RuleBook::builder(&schema)
///     .segment("vip", "Very important", field("spent").ge(1000))
///     .build()?;
/// let sticky = StickyBook::new(
///     &book,
///     [Hysteresis::new("vip")
///         .leave(field("spent").lt(800))
///         .minimum_stay(Span::days(30))],
/// )?;
///
/// let day = |day: i64| Timestamp::from_millis(day * 86_400_000);
/// let table = |spent: f64| {
///     let ids = Ids::Numbers(vec![7].into());
///     Table::builder(&schema, 1).numbers("spent", vec![spent]).ids(ids).build()
/// };
/// let mut stays = Stays::new();
/// let mut is_in = Vec::new();
/// for (at, spent) in [(0, 900.0), (1, 1000.0), (2, 700.0), (31, 900.0), (32, 700.0)] {
///     stays = sticky.update(&stays, &table(spent)?, day(at))?;
///     is_in.push(stays.since("vip", 7).is_some());
/// }
/// assert_eq!(is_in, [false, true, true, true, false]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct StickyBook {
    /// The rules of the segments, then those by which some are left.
    pub(super) book: RuleBook,
    pub(super) segments: Vec<Sticky>,
    pub(super) rest: Option<Segment>,
}

/// A segment and how it is left.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sticky {
    pub(super) id: SegmentId,
    pub(super) leaves: Leaves,
    pub(super) minimum_stay: Span,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Leaves {
    /// When its rule is not True.
    NotTrue,
    /// When its rule is False.
    False,
    /// When the rule at this position is True.
    By(usize),
}

/// A customer has entered or left a segment, see [`Stays::changes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StayChange<'s> {
    /// The segment.
    pub segment: &'s SegmentId,
    /// The customer.
    pub customer: CustomerId<'s>,
    /// Since when she has been, or had been, in it.
    pub since: Timestamp,
    /// Whether she is in it now.
    pub is_member: bool,
}

impl StickyBook {
    /// The segments of a book, some of which are left otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] with paths into the list: `unknown-segment` where the book
    /// has no rule for such a segment (the rest has none), `duplicate-id` where one is there
    /// twice, and the faults of the rules, as told by
    /// [`RuleSet::compile`](crate::rules::RuleSet::compile).
    pub fn new(
        book: &RuleBook,
        hysteresis: impl IntoIterator<Item = Hysteresis>,
    ) -> Result<StickyBook> {
        let set = book.definition();
        let mut segments = plain(&set);
        let mut issues = Vec::new();
        let mut leaving = Vec::new();
        for (i, given) in hysteresis.into_iter().enumerate() {
            let id = &given.segment;
            let path = format!("/{i}/segment");
            let Some(at) = segments.iter().position(|sticky| sticky.id == *id) else {
                let near = similar_names(
                    id.as_str(),
                    segments.iter().map(|sticky| sticky.id.as_str()),
                );
                let message = format!("no segment with a rule has the id `{id}`");
                let issue = Issue::new("unknown-segment", path, message);
                issues.push(issue.suggest(near.into_iter().next()));
                continue;
            };
            if segments[at].leaves != Leaves::NotTrue {
                let message = format!("the segment `{id}` is there twice");
                issues.push(Issue::new("duplicate-id", path, message));
                continue;
            }
            let Hysteresis { leave, minimum_stay, .. } = given;
            let stay = SegmentStay { leave, minimum_stay };
            segments[at].set(&stay, set.segments.len() + leaving.len());
            leaving.extend(stay.leave.map(|rule| (i, format!("{i}/leave"), rule)));
        }
        let leaves =
            Leave::all(&set, leaving.iter().map(|(i, path, rule)| (*i, path, rule)));
        let compiled = book.compiled();
        let what = "the hysteresis";
        match CompiledSet::with_leaves(&set, &leaves, &compiled.schema, &compiled.limits)
        {
            Ok(with_leaves) if issues.is_empty() => {
                let rest = set.rest.and_then(|_| compiled.segments.last().cloned());
                let book = RuleBook::new(with_leaves);
                Ok(StickyBook { book, segments, rest })
            }
            Ok(_) => Err(ErrorKind::Definition { what: what.into(), issues }.into()),
            Err(error) => match error.into_kind() {
                ErrorKind::Definition { issues: mut faults, .. } => {
                    issues.append(&mut faults);
                    Err(ErrorKind::Definition { what: what.into(), issues }.into())
                }
                kind => Err(kind.into()),
            },
        }
    }

    /// The definition: the segments, how they are left, and the rest. A least stay of no
    /// time is absent.
    #[must_use]
    pub fn definition(&self) -> RuleSet {
        let mut set = self.book.definition();
        let leaves = set.segments.split_off(self.segments.len().min(set.segments.len()));
        for (segment, sticky) in set.segments.iter_mut().zip(&self.segments) {
            let leave = match sticky.leaves {
                Leaves::NotTrue => continue,
                Leaves::False => None,
                Leaves::By(rule) => rule.checked_sub(self.segments.len()),
            };
            let leave = leave.and_then(|at| leaves.get(at));
            let minimum_stay = sticky.minimum_stay;
            segment.stay = Some(SegmentStay {
                leave: leave.map(|leave| leave.rule.clone()),
                minimum_stay: (minimum_stay.as_millis() > 0).then_some(minimum_stay),
            });
        }
        set.rest = self
            .rest
            .as_ref()
            .map(|rest| RestSegment { id: rest.id.clone(), name: rest.name.clone() });
        set
    }

    /// Who is in which segments now, given who was before.
    ///
    /// # Errors
    /// As [`RuleBook::memberships`]; when the table does not state the ids of its rows, two
    /// of them are the same, or they are numbers and were texts, or the other way round; when
    /// the instant lies before that of the last update.
    pub fn update(
        &self,
        before: &Stays,
        table: &Table<'_>,
        moment: impl Into<Moment>,
    ) -> Result<Stays> {
        self.updated(before, table, moment.into(), false)
    }

    /// Who is in which one segment now, given who was before: segments that exclude each
    /// other, by priority, as with [`RuleSegmenter`](crate::rules::RuleSegmenter), but that are
    /// not left at once.
    ///
    /// A customer who has not yet stayed for the least time stays. Any other is in the first
    /// segment, in their order, in which [`update`](StickyBook::update) would have her: one
    /// that she enters, or the one where she is if she does not leave it. So a segment before
    /// it takes her from there, and one behind it does not.
    /// Those whom no segment takes are in the rest, if there is one.
    ///
    /// If the state before has a customer in several segments, as [`update`](StickyBook::update)
    /// may give it, each of them counts as the one where she was.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, Ids, Schema, Span, Table, Timestamp};
    /// use segmenta::rules::{RuleSet, SegmentStay, Stays, field};
    ///
    /// let schema = Schema::new([FeatureSpec::number("spent")])?;
    /// let sticky = RuleSet::new()
    ///     .segment("gold", "Gold", field("spent").ge(1000))
    ///     .stay(SegmentStay::new().leave(field("spent").lt(800)))
    ///     .segment("silver", "Silver", field("spent").ge(500))
    ///     .stay(SegmentStay::new().minimum_stay(Span::days(30)))
    ///     .rest("other", "Everyone else")
    ///     .compile_sticky(&schema)?;
    ///
    /// let day = |day: i64| Timestamp::from_millis(day * 86_400_000);
    /// let mut stays = Stays::new();
    /// let mut tiers = Vec::new();
    /// for (at, spent) in [(0, 1000.0), (1, 900.0), (2, 700.0), (3, 1000.0), (32, 1000.0)] {
    ///     let ids = Ids::Numbers(vec![7].into());
    ///     let table = Table::builder(&schema, 1).numbers("spent", vec![spent]).ids(ids).build()?;
    ///     stays = sticky.update_first_match(&stays, &table, day(at))?;
    ///     let is_in = |id: &&str| stays.since(id, 7).is_some();
    ///     tiers.push(["gold", "silver", "other"].into_iter().find(is_in).unwrap());
    /// }
    /// assert_eq!(tiers, ["gold", "gold", "silver", "silver", "gold"]);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`update`](StickyBook::update).
    pub fn update_first_match(
        &self,
        before: &Stays,
        table: &Table<'_>,
        moment: impl Into<Moment>,
    ) -> Result<Stays> {
        self.updated(before, table, moment.into(), true)
    }

    fn updated(
        &self,
        before: &Stays,
        table: &Table<'_>,
        moment: Moment,
        is_one: bool,
    ) -> Result<Stays> {
        let now = moment.now();
        if let Some(then) = before.instant
            && then > now
        {
            let expected = format!("at or after {then}, when it was updated before");
            return Err(Error::parameter("now", expected, now));
        }
        let (ids, places) = IdList::of(table)?;
        before.segments.iter().try_for_each(|stay| stay.ids.check_like(&ids))?;
        let truths = self.book.at(moment).truths(table, &places)?;
        let stays = self.segments.iter().map(|sticky| before.stay_of(&sticky.id));
        let stays: Vec<Option<&Stay>> = stays.collect();
        let mut taken = Plane::default();
        let mut held = Vec::with_capacity(self.segments.len());
        for (sticky, stay) in self.segments.iter().zip(&stays) {
            let mut plane = sticky.held(*stay, &ids, now);
            if is_one {
                plane = plane.and_not(&taken);
                taken = taken.or(&plane);
            }
            held.push(plane);
        }
        let mut segments = Vec::with_capacity(self.segments.len() + 1);
        let each = self.segments.iter().zip(&truths).zip(stays).zip(held);
        for (((sticky, own), stay), held) in each {
            let mut wanted = sticky.wanted(own, &truths, &inside(stay, &ids));
            if is_one {
                wanted = wanted.and_not(&taken);
            }
            let members = wanted.or(&held);
            taken = taken.or(&members);
            let since = since_of(stay, &ids);
            let members =
                members.iter().map(|place| (place, since(place).unwrap_or(now)));
            segments.push(Stay::new(&sticky.id, &ids, members.collect()));
        }
        if let Some(rest) = &self.rest {
            let stay = before.stay_of(&rest.id);
            let since = since_of(stay, &ids);
            let members = Plane::all(ids.len()).and_not(&taken);
            let members =
                members.iter().map(|place| (place, since(place).unwrap_or(now)));
            segments.push(Stay::new(&rest.id, &ids, members.collect()));
        }
        Ok(Stays { instant: Some(now), segments })
    }
}

impl Sticky {
    /// Lets it be left so, where its rule to leave, if there is one, stands at a position.
    fn set(&mut self, stay: &SegmentStay, rule: usize) {
        let SegmentStay { leave, minimum_stay } = stay;
        self.leaves = match leave {
            None => Leaves::False,
            Some(_) => Leaves::By(rule),
        };
        self.minimum_stay = minimum_stay.unwrap_or(Span::from_millis(0));
    }

    /// Members who have not stayed for the least time, and do not leave.
    fn held(&self, stay: Option<&Stay>, ids: &IdList, now: Timestamp) -> Plane {
        let least = self.minimum_stay.as_millis();
        let members = stay.into_iter().filter(|_| least > 0).flat_map(Stay::members);
        let held = members.filter(|(_, since)| {
            since.as_millis().saturating_add_unsigned(least) > now.as_millis()
        });
        Plane::collect(held.filter_map(|(id, _)| ids.find(id)))
    }

    /// Those who enter, and those `inside` who do not want to leave.
    fn wanted(&self, own: &Truths, truths: &[Truths], inside: &Plane) -> Plane {
        match self.leaves {
            Leaves::NotTrue => own.members.clone(),
            Leaves::False => own.members.or(&inside.and(&own.undecided)),
            Leaves::By(rule) => match truths.get(rule) {
                Some(leave) => inside.or(&own.members).and_not(&leave.members),
                None => inside.or(&own.members),
            },
        }
    }
}

/// The places of the members.
fn inside(stay: Option<&Stay>, ids: &IdList) -> Plane {
    let members = stay.into_iter().flat_map(Stay::members);
    Plane::collect(members.filter_map(|(id, _)| ids.find(id)))
}

/// Since when the customer at a place is a member, if she was one before.
fn since_of<'a>(
    stay: Option<&'a Stay>,
    ids: &'a IdList,
) -> impl Fn(usize) -> Option<Timestamp> + use<'a> {
    move |place| {
        let stay = stay?;
        stay.since.get(stay.ids.find(ids.get(place)?)?).copied()
    }
}

impl Stay {
    fn new(segment: &SegmentId, ids: &IdList, members: Vec<(usize, Timestamp)>) -> Stay {
        let names = members.iter().filter_map(|(place, _)| ids.get(*place));
        Stay {
            segment: segment.clone(),
            ids: IdList::collect(names),
            since: members.iter().map(|(_, since)| *since).collect(),
        }
    }
}

/// The segments of a set, left when their rules are not True.
fn plain(set: &RuleSet) -> Vec<Sticky> {
    let plain = |segment: &SegmentRule| Sticky {
        id: segment.id.clone(),
        leaves: Leaves::NotTrue,
        minimum_stay: Span::from_millis(0),
    };
    set.segments.iter().map(plain).collect()
}

impl<'s> Leave<'s> {
    /// The rules by which segments are left, by their places in a list, with their paths.
    fn all(
        set: &RuleSet,
        rules: impl Iterator<Item = (usize, &'s String, &'s Rule)>,
    ) -> Vec<Leave<'s>> {
        let mut ids: BTreeSet<String> =
            set.segments.iter().map(|segment| segment.id.as_str().to_owned()).collect();
        let leave = |(i, path, rule): (usize, &String, &'s Rule)| {
            // An id that no rule can have meant.
            let mut id = format!("\u{0}{i}");
            while !ids.insert(id.clone()) {
                id.insert(0, '\u{0}');
            }
            Leave { path: path.clone(), id, rule }
        };
        rules.map(leave).collect()
    }
}

impl RuleSet {
    /// The book with the segments that are not left at once, within the default [`Limits`].
    /// All segments may have a [`stay`](SegmentRule::stay), or none.
    ///
    /// # Errors
    /// As [`compile`](RuleSet::compile). Faults of rules by which segments are left stand
    /// below `/segments/…/stay/leave`.
    pub fn compile_sticky(&self, schema: &Schema) -> Result<StickyBook> {
        self.compile_sticky_with(schema, &Limits::new())
    }

    /// [`compile_sticky`](RuleSet::compile_sticky) within other limits.
    ///
    /// # Errors
    /// As [`compile_sticky`](RuleSet::compile_sticky), or when the limits are not valid.
    pub fn compile_sticky_with(
        &self,
        schema: &Schema,
        limits: &Limits,
    ) -> Result<StickyBook> {
        let mut segments = plain(self);
        let mut leaving = Vec::new();
        let stays = self.segments.iter().enumerate();
        let stays = stays.filter_map(|(at, segment)| Some((at, segment.stay.as_ref()?)));
        for (i, (at, stay)) in stays.enumerate() {
            segments[at].set(stay, self.segments.len() + leaving.len());
            let path = format!("segments/{at}/stay/leave");
            leaving.extend(stay.leave.as_ref().map(|rule| (i, path, rule)));
        }
        let leaves =
            Leave::all(self, leaving.iter().map(|(i, path, rule)| (*i, path, *rule)));
        let compiled = CompiledSet::with_leaves(self, &leaves, schema, limits)?;
        let rest =
            self.rest.as_ref().map(|s| Segment::new(s.id.as_str(), s.name.clone()));
        Ok(StickyBook { book: RuleBook::new(compiled), segments, rest })
    }
}
