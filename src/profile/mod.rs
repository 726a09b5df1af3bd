//! Who are they? Profiles of segments.
//!
//! [`Profiles`] describes the segments of any assignment of any table: size and share,
//! and for each feature the figures of its kind, set against the population.
//! [`Profiles::distinguishing`] ranks what sets a segment apart as [`Marker`]s,
//! [`Profiles::suggested_names`] makes names of them, and [`FeatureTest`] says whether
//! the segments differ by more than chance.

mod collect;
mod display;
mod marker;
mod moments;
mod significance;
mod summary;

use serde::{Deserialize, Serialize};

use crate::data::{Column, FeatureIndex, FeatureSpec, Sensitivity, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::map_blocks;
use crate::segmenter::{
    Assignment, Segment, SegmentId, SegmentIndex, Segmenter, SegmenterExt, check_segments,
};

use self::collect::{Group, LevelMap};
pub use self::marker::{EffectSize, Marker};
pub use self::significance::{FeatureTest, TestKind};
pub use self::summary::{
    DateSummary, FeatureProfile, LevelSummary, NumberSummary, ShareSummary, Summary,
};

/// What the segments of a table look like, next to the population.
///
/// A row of weight 2 counts as two rows. The result has the same bits for any number of
/// threads. Printing it gives a table that fits 100 columns.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::profile::Profiles;
/// use segmenta::segmenter::{Segment, SegmentIndex};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::flag("member")])?;
/// let table = Table::builder(&schema, 4)
///     .numbers("orders", vec![8.0, 12.0, 1.0, 3.0])
///     .flags("member", vec![true, true, false, true])
///     .build()?;
/// let labels = [0, 0, 1, 1].map(|i| Some(SegmentIndex::new(i)));
/// let profiles = Profiles::of(&table, &Segment::numbered(2), &labels)?;
///
/// let orders = profiles.segments()[0].number("orders").expect("a number");
/// assert_eq!(orders.mean, Some(10.0));
/// assert_eq!(orders.index.map(f64::round), Some(167.0));
///
/// let apart = profiles.distinguishing(SegmentIndex::new(0), 2)?;
/// assert_eq!(apart[0].feature, "member");
/// assert_eq!(apart[1].to_string(), "high orders (+0.93 sd)");
/// assert_eq!(profiles.suggested_names()[0], "more member, high orders");
/// println!("{profiles}");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Profiles {
    features: Vec<FeatureSpec>,
    population: Profile,
    segments: Vec<Profile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unassigned: Option<Profile>,
    tests: Vec<FeatureTest>,
}

/// One group of rows: the population, a segment, or the rows in no segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Profile {
    /// The segment's durable key; absent for the other groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SegmentId>,
    /// The segment's name; `population` and `in no segment` for the other groups.
    pub name: String,
    /// Rows in the group, whatever they weigh.
    pub size: u64,
    /// Sum of their weights.
    pub weight: f64,
    /// Share of the population's weight, 0 to 1.
    pub share: f64,
    /// One entry for each feature, in the schema's order.
    pub features: Vec<FeatureProfile>,
}

impl Profile {
    /// The figures of a feature, if there is one of this name.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&FeatureProfile> {
        self.features.iter().find(|f| f.feature == name)
    }

    /// The figures of a number, if there is one of this name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<&NumberSummary> {
        match &self.feature(name)?.summary {
            Summary::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The figures of a flag, if there is one of this name.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&ShareSummary> {
        match &self.feature(name)?.summary {
            Summary::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    /// The figures of a level of a category, ordinal or tags, if there is such a one.
    #[must_use]
    pub fn level(&self, name: &str, level: &str) -> Option<&ShareSummary> {
        match &self.feature(name)?.summary {
            Summary::Levels(levels) => {
                levels.iter().find(|l| l.level == level).map(|l| &l.figures)
            }
            _ => None,
        }
    }

    /// The figures of a date, if there is one of this name.
    #[must_use]
    pub fn date(&self, name: &str) -> Option<&DateSummary> {
        match &self.feature(name)?.summary {
            Summary::Date(date) => Some(date),
            _ => None,
        }
    }
}

impl Profiles {
    /// Describes all features of a table by one label a row.
    ///
    /// `segments` are those that the labels point into; one that no row is in has size 0
    /// and no figures. Rows whose label is `None` form a group of their own.
    ///
    /// # Errors
    /// When there is no row of positive weight, `labels` has another length than the
    /// table, a label points beyond the segments, two segments share an id, or the sum of
    /// the weights is infinite.
    pub fn of(
        table: &Table<'_>,
        segments: &[Segment],
        labels: &[Option<SegmentIndex>],
    ) -> Result<Profiles> {
        check_segments(segments)?;
        let members = rows_of_groups(table, segments.len(), labels)?;
        let weights = table.sample_weight();
        let groups: Vec<Group<'_>> =
            members.iter().map(|rows| Group { rows, weights }).collect();
        let total = groups[0].weight();
        if !total.is_finite() {
            return Err(Error::parameter("sample_weight", "of finite sum", total));
        }
        if total <= 0.0 {
            return Err(ErrorKind::TooFewRows {
                what: "rows of positive weight".into(),
                needed: 1,
                found: 0,
            }
            .into());
        }

        let features = table.schema().features();
        let columns: Vec<(&Column<'_>, LevelMap)> = features
            .iter()
            .zip(table.schema().indices())
            .filter_map(|(spec, index): (_, FeatureIndex)| {
                let column = table.column(index)?;
                Some((column, LevelMap::of(spec, table, column)))
            })
            .collect();
        // One task for each feature in each group: they differ in size, so that small
        // tasks keep all threads busy.
        let n_tasks = groups.len() * columns.len();
        let found = map_blocks(n_tasks, 1, |range| {
            let (group, feature) =
                (range.start / columns.len(), range.start % columns.len());
            let (column, levels) = &columns[feature];
            collect::collect(&features[feature], column, levels, groups[group])
        });

        let mut found = found.into_iter();
        let mut profiles = groups.iter().enumerate().map(|(i, group)| {
            let segment = i.checked_sub(1).and_then(|i| segments.get(i));
            let other = if i == 0 { "population" } else { "in no segment" };
            let weight = group.weight();
            Profile {
                id: segment.map(|s| s.id.clone()),
                name: segment.map_or(other, |s| &s.name).to_owned(),
                size: group.rows.len() as u64,
                weight,
                share: (weight / total).min(1.0),
                features: found.by_ref().take(columns.len()).collect(),
            }
        });
        let Some(mut population) = profiles.next() else {
            return Err(Error::length("the list of groups", 1, 0));
        };
        let mut others: Vec<Profile> = profiles.collect();
        for profile in &mut others {
            for (ours, all) in profile.features.iter_mut().zip(&population.features) {
                collect::compare(ours, all);
            }
        }
        population.features.iter_mut().for_each(collect::compare_to_itself);
        let unassigned = others.pop().filter(|rest| rest.size > 0);
        let tests = significance::test_features(features, &others);
        Ok(Profiles {
            features: features.to_vec(),
            population,
            segments: others,
            unassigned,
            tests,
        })
    }

    /// Describes the segments that assignments point into.
    ///
    /// # Errors
    /// As [`of`](Profiles::of).
    pub fn of_assignments(
        table: &Table<'_>,
        segments: &[Segment],
        assignments: &[Assignment],
    ) -> Result<Profiles> {
        let labels: Vec<_> = assignments.iter().map(Assignment::segment).collect();
        Profiles::of(table, segments, &labels)
    }

    /// Assigns all rows with a segmenter, then describes its segments by all features of
    /// the table, also those that the segmenter does not read.
    ///
    /// # Errors
    /// As [`SegmenterExt::assign_all`] and [`of`](Profiles::of).
    pub fn of_segmenter<S: Segmenter + ?Sized>(
        segmenter: &S,
        table: &Table<'_>,
    ) -> Result<Profiles> {
        let assignments = segmenter.assign_all(table)?;
        Profiles::of_assignments(table, segmenter.segments(), &assignments)
    }

    /// The features of all profiles, in order.
    #[must_use]
    pub fn features(&self) -> &[FeatureSpec] {
        &self.features
    }

    /// All rows.
    #[must_use]
    pub fn population(&self) -> &Profile {
        &self.population
    }

    /// The segments, in the order they were given.
    #[must_use]
    pub fn segments(&self) -> &[Profile] {
        &self.segments
    }

    /// The profile of a segment, by its durable key.
    #[must_use]
    pub fn segment(&self, id: &SegmentId) -> Option<&Profile> {
        self.segments.iter().find(|profile| profile.id.as_ref() == Some(id))
    }

    /// The rows in no segment, if there are any.
    #[must_use]
    pub fn unassigned(&self) -> Option<&Profile> {
        self.unassigned.as_ref()
    }

    /// Whether the segments differ by more than chance: one test for each feature (each
    /// tag of a feature of tags) that can be tested.
    #[must_use]
    pub fn tests(&self) -> &[FeatureTest] {
        &self.tests
    }

    /// What sets a segment apart from the population: its features and levels by the
    /// absolute size of their effect, largest first, at most `top` of them.
    ///
    /// Standardised mean differences (numbers, dates) and Cohen's h (flags, levels) are
    /// ranked together, since both read 0.2, 0.5 and 0.8 as small, medium and large
    /// (Cohen 1988). Effects that agree to 1e-9 are ties, which go to the earlier feature,
    /// then the earlier level. Effects of 0 are left out, and so are features of special
    /// categories; ask for those with
    /// [`distinguishing_within`](Profiles::distinguishing_within).
    ///
    /// # Errors
    /// When there is no such segment.
    pub fn distinguishing(
        &self,
        segment: SegmentIndex,
        top: usize,
    ) -> Result<Vec<Marker>> {
        self.distinguishing_within(segment, top, Sensitivity::Personal)
    }

    /// As [`distinguishing`](Profiles::distinguishing), of the features that are at most
    /// as sensitive as `most`.
    ///
    /// # Errors
    /// When there is no such segment.
    pub fn distinguishing_within(
        &self,
        segment: SegmentIndex,
        top: usize,
        most: Sensitivity,
    ) -> Result<Vec<Marker>> {
        let n_segments = self.segments.len();
        let profile = self.segments.get(segment.get()).ok_or_else(|| {
            let expected = format!("below {n_segments}");
            Error::parameter("segment", expected, segment.get())
        })?;
        let mut markers = marker::ranked(&self.features, profile, &self.population, most);
        markers.truncate(top);
        Ok(markers)
    }

    /// A name for each segment, made of what marks it: up to two features above the
    /// population and one below it, such as `high monetary, high frequency, low recency`.
    ///
    /// Only features that are [`marks`](Marker::marks) take part, largest effect first
    /// and each feature once. Personal features and those of special categories never do.
    /// Where there are three segments or more, a marker that points the same way in all
    /// of them or all but one tells little and is passed over. A segment without markers
    /// is `average`, one without rows `empty`; equal names are numbered. Names say how
    /// segments differ in this table, and claim nothing about people.
    #[must_use]
    pub fn suggested_names(&self) -> Vec<String> {
        marker::names(&self.features, &self.segments, &self.population)
    }
}

/// The rows of the population, of each segment, and of those in no segment.
fn rows_of_groups(
    table: &Table<'_>,
    n_segments: usize,
    labels: &[Option<SegmentIndex>],
) -> Result<Vec<Vec<usize>>> {
    if table.is_empty() {
        return Err(
            ErrorKind::TooFewRows { what: "rows".into(), needed: 1, found: 0 }.into()
        );
    }
    if labels.len() != table.len() {
        return Err(Error::length("the list of labels", table.len(), labels.len()));
    }
    let mut groups = vec![Vec::new(); n_segments + 2];
    groups[0] = (0..labels.len()).collect();
    for (row, label) in labels.iter().enumerate() {
        let group = match label {
            Some(segment) if segment.get() >= n_segments => {
                return Err(ErrorKind::Value {
                    expected: format!("the index of a segment: below {n_segments}")
                        .into(),
                    found: segment.get().to_string(),
                    row: Some(row),
                }
                .into());
            }
            Some(segment) => segment.get(),
            None => n_segments,
        };
        groups[group + 1].push(row);
    }
    Ok(groups)
}

/// [`Profiles`] as they are read, before it is known that they hold together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    features: Vec<FeatureSpec>,
    population: Profile,
    segments: Vec<Profile>,
    #[serde(default)]
    unassigned: Option<Profile>,
    tests: Vec<FeatureTest>,
}

impl TryFrom<Stored> for Profiles {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Profiles> {
        let Stored { features, population, segments, unassigned, tests } = stored;
        let groups = [&population].into_iter().chain(&segments).chain(&unassigned);
        for profile in groups {
            let fits = |(spec, (ours, all)): (_, (&FeatureProfile, &FeatureProfile))| {
                ours.describes(spec) && ours.summary.has_levels_of(&all.summary)
            };
            let n_features = profile.features.len();
            let pairs = profile.features.iter().zip(&population.features);
            if n_features != features.len() || !features.iter().zip(pairs).all(fits) {
                let reason = format!(
                    "the features of group `{}` are not those of the schema",
                    profile.name
                );
                return Err(Error::corrupt("profiles", reason));
            }
        }
        Ok(Profiles { features, population, segments, unassigned, tests })
    }
}
