//! Segmenters made of segmenters.

use serde::{Deserialize, Serialize};

use super::{
    Assignment, Capabilities, Explanation, Part, Persist, Reason, Registry, Saved,
    Scratch, Segment, SegmentId, SegmentIndex, Segmenter, check_affinities_len,
    check_segments,
};
use crate::data::{Customer, Remapped, Schema, SchemaMap};
use crate::error::{Error, Result};

/// One segmenter of a composition, seen through the composition's schema.
#[derive(Debug)]
struct Member {
    name: String,
    segmenter: Box<dyn Segmenter>,
    /// For each feature of the segmenter, its index in the composition's schema.
    map: SchemaMap,
    /// How many segments it had when it was added.
    n_segments: usize,
    /// Index of its first segment in the composition, where its segments are listed.
    first: usize,
}

impl Member {
    fn new(
        name: String,
        segmenter: Box<dyn Segmenter>,
        schema: &Schema,
    ) -> Result<Member> {
        let map = segmenter.schema().locate_in(schema)?;
        let n_segments = segmenter.segments().len();
        Ok(Member { name, segmenter, map, n_segments, first: 0 })
    }

    fn assign(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment> {
        let customer = Remapped::new(customer, &self.map);
        let assignment = self.segmenter.assign_with(&customer, scratch)?;
        // Beyond its own segments lie those of its neighbours.
        assignment.check_below(self.n_segments)?;
        Ok(assignment)
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Part> {
        let explanation = self.segmenter.explain(&Remapped::new(customer, &self.map))?;
        explanation.assignment.check_below(self.n_segments)?;
        Ok(Part { name: self.name.clone(), explanation })
    }

    fn affinities(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        let customer = Remapped::new(customer, &self.map);
        self.segmenter.affinities_with(&customer, scratch, out)
    }

    /// An assignment of this member, as one of the composition.
    fn lift(&self, assignment: &Assignment) -> Assignment {
        match assignment.segment() {
            Some(s) => Assignment::new(
                SegmentIndex::new((self.first + s.get()) as u32),
                assignment.cost(),
                assignment.margin(),
            ),
            None => Assignment::none(),
        }
    }

    fn save(&self, registry: &Registry) -> Result<MemberRepr> {
        let saved = registry.save(&*self.segmenter)?;
        Ok(MemberRepr { name: self.name.clone(), saved })
    }
}

/// A part of a saved composition.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRepr {
    name: String,
    saved: Saved,
}

/// The id and name of a segment inside another.
fn nested(outer_id: &str, outer_name: &str, inner: &Segment) -> Segment {
    Segment::new(
        format!("{outer_id}/{}", inner.id),
        format!("{outer_name} / {}", inner.name),
    )
}

/// Asks segmenters in turn; the first that knows a segment answers.
///
/// The segments are those of all parts, in the order of the parts, with ids
/// `part/segment`. An error of a part is an error of the whole: only "no segment" goes on
/// to the next.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{Rule, RuleSegmenter, field};
/// use segmenta::segmenter::{Fallback, SegmenterExt};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let vip = RuleSegmenter::builder(&schema).segment("vip", "VIP", field("orders").ge(20.0));
/// let all = RuleSegmenter::builder(&schema).segment("all", "Everybody", Rule::Everyone);
/// let both = Fallback::new(&schema)
///     .then("loyalty", Box::new(vip.build()?))?
///     .then("base", Box::new(all.build()?))?;
/// let bob = OwnedCustomer::new(&schema, 1).set("orders", 3.0)?;
/// let assignment = both.assign(&bob)?;
/// assert_eq!(both.segment_of(&assignment).unwrap().id.as_str(), "base/all");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Debug)]
pub struct Fallback {
    schema: Schema,
    members: Vec<Member>,
    segments: Vec<Segment>,
}

impl Fallback {
    /// No parts yet: nobody has a segment.
    #[must_use]
    pub fn new(schema: &Schema) -> Fallback {
        Fallback { schema: schema.clone(), members: Vec::new(), segments: Vec::new() }
    }

    /// Adds the segmenter to ask next.
    ///
    /// # Errors
    /// When the schema lacks a feature it needs, or ids would not be unique.
    pub fn then(
        mut self,
        name: impl Into<String>,
        segmenter: Box<dyn Segmenter>,
    ) -> Result<Fallback> {
        let mut member = Member::new(name.into(), segmenter, &self.schema)?;
        member.first = self.segments.len();
        let inner = member.segmenter.segments().iter();
        self.segments.extend(inner.map(|s| nested(&member.name, &member.name, s)));
        check_segments(&self.segments)?;
        self.members.push(member);
        Ok(self)
    }
}

impl Segmenter for Fallback {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment> {
        for member in &self.members {
            let assignment = member.assign(customer, scratch)?;
            if assignment.segment().is_some() {
                return Ok(member.lift(&assignment));
            }
        }
        Ok(Assignment::none())
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let mut parts = Vec::new();
        let mut assignment = Assignment::none();
        for member in &self.members {
            let part = member.explain(customer)?;
            assignment = member.lift(&part.explanation.assignment);
            parts.push(part);
            if assignment.segment().is_some() {
                break;
            }
        }
        Ok(Explanation::new(assignment, Reason::Parts { parts }).named(&self.segments))
    }

    fn affinities_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        check_affinities_len(self.segments.len(), out)?;
        out.fill(0.0);
        for member in &self.members {
            if member.assign(customer, scratch)?.segment().is_some() {
                let range = member.first..member.first + member.n_segments;
                return member.affinities(customer, scratch, &mut out[range]);
            }
        }
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        let all = |of: fn(&Capabilities) -> bool| {
            self.members.iter().all(|m| of(&m.segmenter.capabilities()))
        };
        Capabilities::new()
            .inductive(all(|c| c.inductive))
            .accepts_missing(all(|c| c.accepts_missing))
            .may_leave_out(all(|c| c.may_leave_out))
    }
}

impl Persist for Fallback {
    const KIND: &'static str = "segmenta.fallback";
    const VERSION: u32 = 1;
    type Repr = Vec<MemberRepr>;

    fn to_repr(&self, registry: &Registry) -> Result<Vec<MemberRepr>> {
        self.members.iter().map(|m| m.save(registry)).collect()
    }

    fn from_repr(
        repr: Vec<MemberRepr>,
        schema: Schema,
        registry: &Registry,
    ) -> Result<Fallback> {
        repr.into_iter().try_fold(Fallback::new(&schema), |fallback, member| {
            fallback.then(member.name, registry.load(&member.saved)?)
        })
    }
}

/// Crosses two segmentations: a segment for each pair of segments.
///
/// Ids are `row/column`, in row-major order. Costs add up; the margin is the smaller one.
/// A customer without a segment in either has none here.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{RuleSegmenter, field};
/// use segmenta::segmenter::{Crosstab, Segmenter, SegmenterExt};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::number("spend")])?;
/// let value = RuleSegmenter::builder(&schema)
///     .segment("high", "High value", field("spend").ge(500.0))
///     .rest("low", "Low value");
/// let loyalty = RuleSegmenter::builder(&schema)
///     .segment("often", "Often", field("orders").ge(10.0))
///     .rest("rare", "Rarely");
/// let crossed = Crosstab::new(
///     &schema,
///     ("value", Box::new(value.build()?)),
///     ("loyalty", Box::new(loyalty.build()?)),
/// )?;
/// let ids: Vec<&str> = crossed.segments().iter().map(|s| s.id.as_str()).collect();
/// assert_eq!(ids, ["high/often", "high/rare", "low/often", "low/rare"]);
///
/// let ann = OwnedCustomer::new(&schema, 1).set("orders", 2.0)?.set("spend", 900.0)?;
/// let assignment = crossed.assign(&ann)?;
/// let segment = crossed.segment_of(&assignment);
/// assert_eq!(segment.map(|s| s.name.as_str()), Some("High value / Rarely"));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Debug)]
pub struct Crosstab {
    schema: Schema,
    rows: Member,
    columns: Member,
    segments: Vec<Segment>,
}

impl Crosstab {
    /// Crosses `rows` with `columns`; both are named for explanations.
    ///
    /// # Errors
    /// When the schema lacks a feature that either needs, or ids would not be unique.
    pub fn new(
        schema: &Schema,
        rows: (impl Into<String>, Box<dyn Segmenter>),
        columns: (impl Into<String>, Box<dyn Segmenter>),
    ) -> Result<Crosstab> {
        let rows = Member::new(rows.0.into(), rows.1, schema)?;
        let columns = Member::new(columns.0.into(), columns.1, schema)?;
        let mut segments = Vec::with_capacity(rows.n_segments * columns.n_segments);
        for a in rows.segmenter.segments() {
            let inner = columns.segmenter.segments().iter();
            segments.extend(inner.map(|b| nested(a.id.as_str(), &a.name, b)));
        }
        check_segments(&segments)?;
        Ok(Crosstab { schema: schema.clone(), rows, columns, segments })
    }

    fn cross(&self, a: &Assignment, b: &Assignment) -> Assignment {
        match (a.segment(), b.segment()) {
            (Some(i), Some(j)) => Assignment::new(
                SegmentIndex::new((i.get() * self.columns.n_segments + j.get()) as u32),
                a.cost() + b.cost(),
                a.margin().min(b.margin()),
            ),
            _ => Assignment::none(),
        }
    }
}

impl Segmenter for Crosstab {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment> {
        let a = self.rows.assign(customer, scratch)?;
        let b = self.columns.assign(customer, scratch)?;
        Ok(self.cross(&a, &b))
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let parts = vec![self.rows.explain(customer)?, self.columns.explain(customer)?];
        let assignment = self
            .cross(&parts[0].explanation.assignment, &parts[1].explanation.assignment);
        Ok(Explanation::new(assignment, Reason::Parts { parts }).named(&self.segments))
    }

    fn affinities_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        check_affinities_len(self.segments.len(), out)?;
        let mut a = vec![0.0; self.rows.n_segments];
        let mut b = vec![0.0; self.columns.n_segments];
        self.rows.affinities(customer, scratch, &mut a)?;
        self.columns.affinities(customer, scratch, &mut b)?;
        for (place, i) in out.iter_mut().zip(0..) {
            *place = a[i / b.len()] * b[i % b.len()];
        }
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        let (a, b) =
            (self.rows.segmenter.capabilities(), self.columns.segmenter.capabilities());
        Capabilities::new()
            .inductive(a.inductive && b.inductive)
            .accepts_missing(a.accepts_missing && b.accepts_missing)
            .may_leave_out(a.may_leave_out || b.may_leave_out)
    }
}

impl Persist for Crosstab {
    const KIND: &'static str = "segmenta.crosstab";
    const VERSION: u32 = 1;
    type Repr = (MemberRepr, MemberRepr);

    fn to_repr(&self, registry: &Registry) -> Result<(MemberRepr, MemberRepr)> {
        Ok((self.rows.save(registry)?, self.columns.save(registry)?))
    }

    fn from_repr(
        (rows, columns): (MemberRepr, MemberRepr),
        schema: Schema,
        registry: &Registry,
    ) -> Result<Crosstab> {
        Crosstab::new(
            &schema,
            (rows.name, registry.load(&rows.saved)?),
            (columns.name, registry.load(&columns.saved)?),
        )
    }
}

/// Refines the segments of a root segmenter by segmenters of their own, to any depth: a
/// child may be a tree itself.
///
/// A root segment that is not refined keeps its id; the children of a refined one have
/// ids `segment/child`, in its place. A customer whose child segmenter knows no segment
/// has none.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{RuleSegmenter, field};
/// use segmenta::segmenter::{Segmenter, SegmenterExt, Tree};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::number("spend")])?;
/// let root = RuleSegmenter::builder(&schema)
///     .segment("active", "Active", field("orders").ge(1.0))
///     .rest("asleep", "Asleep");
/// let active = RuleSegmenter::builder(&schema)
///     .segment("vip", "VIP", field("spend").ge(500.0))
///     .rest("core", "Core");
/// let tree = Tree::new(&schema, Box::new(root.build()?))?
///     .refine("active", Box::new(active.build()?))?;
/// let ids: Vec<&str> = tree.segments().iter().map(|s| s.id.as_str()).collect();
/// assert_eq!(ids, ["active/vip", "active/core", "asleep"]);
///
/// let ann = OwnedCustomer::new(&schema, 1).set("orders", 2.0)?.set("spend", 90.0)?;
/// let assignment = tree.assign(&ann)?;
/// assert_eq!(tree.segment_of(&assignment).map(|s| s.id.as_str()), Some("active/core"));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Debug)]
pub struct Tree {
    schema: Schema,
    root: Member,
    /// For each segment of the root, the segmenter that refines it.
    children: Vec<Option<Member>>,
    /// For each segment of the root, the index of its first segment here.
    firsts: Vec<usize>,
    segments: Vec<Segment>,
}

impl Tree {
    /// A tree that is only its root.
    ///
    /// # Errors
    /// When the schema lacks a feature that the root needs.
    pub fn new(schema: &Schema, root: Box<dyn Segmenter>) -> Result<Tree> {
        let root = Member::new("root".to_owned(), root, schema)?;
        let children = root.segmenter.segments().iter().map(|_| None).collect();
        let mut tree = Tree {
            schema: schema.clone(),
            root,
            children,
            firsts: Vec::new(),
            segments: Vec::new(),
        };
        tree.list_segments()?;
        Ok(tree)
    }

    /// Refines the root segment with this id.
    ///
    /// # Errors
    /// When there is no such segment, it is refined already, the schema lacks a feature
    /// that the child needs, or ids would not be unique.
    pub fn refine(mut self, id: &str, child: Box<dyn Segmenter>) -> Result<Tree> {
        let root_segments = self.root.segmenter.segments();
        let found = root_segments.iter().position(|s| s.id.as_str() == id);
        let Some(at) = found.filter(|&at| self.children[at].is_none()) else {
            let known: Vec<&str> = root_segments.iter().map(|s| s.id.as_str()).collect();
            let expected = format!("one of {known:?}, each refined at most once");
            return Err(Error::parameter("segment id", expected, format!("`{id}`")));
        };
        let name = root_segments[at].name.clone();
        self.children[at] = Some(Member::new(name, child, &self.schema)?);
        self.list_segments()?;
        Ok(self)
    }

    fn list_segments(&mut self) -> Result<()> {
        self.firsts.clear();
        self.segments.clear();
        for (outer, child) in
            self.root.segmenter.segments().iter().zip(&mut self.children)
        {
            self.firsts.push(self.segments.len());
            match child {
                Some(child) => {
                    child.first = self.segments.len();
                    let inner = child.segmenter.segments().iter();
                    let nest = |s| nested(outer.id.as_str(), &outer.name, s);
                    self.segments.extend(inner.map(nest));
                }
                None => {
                    self.segments
                        .push(Segment::new(outer.id.as_str(), outer.name.clone()));
                }
            }
        }
        check_segments(&self.segments)
    }

    /// The child of a root segment, or the segment's assignment where it has none.
    fn descend(&self, at_root: &Assignment) -> std::result::Result<&Member, Assignment> {
        let Some(segment) = at_root.segment() else { return Err(Assignment::none()) };
        match (self.children.get(segment.get()), self.firsts.get(segment.get())) {
            (Some(Some(child)), _) => Ok(child),
            (Some(None), Some(&first)) => Err(Assignment::new(
                SegmentIndex::new(first as u32),
                at_root.cost(),
                at_root.margin(),
            )),
            // `Member` lets no other segment through.
            _ => Err(Assignment::none()),
        }
    }
}

impl Segmenter for Tree {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn assign_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
    ) -> Result<Assignment> {
        let at_root = self.root.assign(customer, scratch)?;
        match self.descend(&at_root) {
            Ok(child) => Ok(child.lift(&child.assign(customer, scratch)?)),
            Err(leaf) => Ok(leaf),
        }
    }

    fn explain(&self, customer: &dyn Customer) -> Result<Explanation> {
        let mut parts = vec![self.root.explain(customer)?];
        let assignment = match self.descend(&parts[0].explanation.assignment) {
            Ok(child) => {
                let part = child.explain(customer)?;
                let lifted = child.lift(&part.explanation.assignment);
                parts.push(part);
                lifted
            }
            Err(leaf) => leaf,
        };
        Ok(Explanation::new(assignment, Reason::Parts { parts }).named(&self.segments))
    }

    fn affinities_with(
        &self,
        customer: &dyn Customer,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<()> {
        check_affinities_len(self.segments.len(), out)?;
        out.fill(0.0);
        let at_root = self.root.assign(customer, scratch)?;
        match self.descend(&at_root) {
            Ok(child) => {
                let range = child.first..child.first + child.n_segments;
                child.affinities(customer, scratch, &mut out[range])
            }
            Err(leaf) => {
                if let Some(place) = leaf.segment().and_then(|s| out.get_mut(s.get())) {
                    *place = 1.0;
                }
                Ok(())
            }
        }
    }

    fn capabilities(&self) -> Capabilities {
        let members =
            || std::iter::once(&self.root).chain(self.children.iter().flatten());
        let any = |of: fn(&Capabilities) -> bool| {
            members().any(|m| of(&m.segmenter.capabilities()))
        };
        Capabilities::new()
            .inductive(!any(|c| !c.inductive))
            .accepts_missing(!any(|c| !c.accepts_missing))
            .may_leave_out(any(|c| c.may_leave_out))
    }
}

/// The shape of a saved [`Tree`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeRepr {
    root: Saved,
    children: Vec<(SegmentId, Saved)>,
}

impl Persist for Tree {
    const KIND: &'static str = "segmenta.tree";
    const VERSION: u32 = 1;
    type Repr = TreeRepr;

    fn to_repr(&self, registry: &Registry) -> Result<TreeRepr> {
        let mut children = Vec::new();
        for (segment, child) in self.root.segmenter.segments().iter().zip(&self.children)
        {
            if let Some(child) = child {
                children.push((segment.id.clone(), registry.save(&*child.segmenter)?));
            }
        }
        Ok(TreeRepr { root: registry.save(&*self.root.segmenter)?, children })
    }

    fn from_repr(repr: TreeRepr, schema: Schema, registry: &Registry) -> Result<Tree> {
        let tree = Tree::new(&schema, registry.load(&repr.root)?)?;
        repr.children.into_iter().try_fold(tree, |tree, (id, child)| {
            tree.refine(id.as_str(), registry.load(&child)?)
        })
    }
}
