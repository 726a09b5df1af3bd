//! Profiles as a table of text.

use std::fmt;

use super::summary::{ShareSummary, Summary};
use super::{FeatureProfile, Marker, Profile, Profiles};
use crate::data::{FeatureSpec, Sensitivity};
use crate::segmenter::SegmentIndex;

/// Characters of a line at most.
const WIDTH: usize = 100;
/// Characters of the first column.
const LABEL: usize = 22;
/// Characters of each other column: a space, 14 of content.
const CELL: usize = 15;
/// Groups side by side beside the population.
const BESIDE: usize = 4;
/// Levels printed of each feature, by their share in the population.
const LEVELS: usize = 6;
/// Markers printed of each segment.
const MARKERS: usize = 3;

/// Writes a table that fits 100 columns, four segments side by side, then what sets each
/// segment apart. Features of special categories are left out.
impl fmt::Display for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<&Profile> =
            self.segments.iter().chain(&self.unassigned).collect();
        writeln!(f, "{} rows in {} segments", self.population.size, self.segments.len())?;
        writeln!(f, "mean, share or median date; then index (population = 100)")?;
        if groups.is_empty() {
            write_panel(f, self, &[])?;
        }
        // As many panels as are needed, of nearly the same width.
        let n_panels = groups.len().div_ceil(BESIDE).max(1);
        for beside in groups.chunks(groups.len().div_ceil(n_panels).max(1)) {
            write_panel(f, self, beside)?;
        }
        let hidden = self.features.iter().filter(|spec| !is_printed(spec)).count();
        if hidden > 0 {
            writeln!(f, "\n{hidden} of special categories not printed")?;
        }
        if !self.segments.is_empty() {
            writeln!(f, "\nset apart by")?;
        }
        for (i, profile) in self.segments.iter().enumerate() {
            let markers = self
                .distinguishing(SegmentIndex::new(i as u32), MARKERS)
                .unwrap_or_default();
            let label = clip(&profile.name, LABEL);
            writeln!(f, "{label:<LABEL$} {}", listed(&markers, WIDTH - LABEL - 1))?;
        }
        Ok(())
    }
}

/// The first marker, clipped, and as many others as fit beside it in full.
fn listed(markers: &[Marker], width: usize) -> String {
    let Some((first, others)) = markers.split_first() else {
        return "nothing".to_owned();
    };
    let mut text = clip(&first.to_string(), width);
    for other in others {
        let longer = format!("{text}, {other}");
        if longer.chars().count() > width {
            break;
        }
        text = clip(&longer, width);
    }
    text
}

fn is_printed(spec: &FeatureSpec) -> bool {
    spec.get_sensitivity() < Sensitivity::Special
}

/// The population and some groups beside it.
fn write_panel(
    f: &mut fmt::Formatter<'_>,
    profiles: &Profiles,
    beside: &[&Profile],
) -> fmt::Result {
    let all = &profiles.population;
    let groups: Vec<&Profile> = [all].into_iter().chain(beside.iter().copied()).collect();
    let row = |label: &str, cell: &dyn Fn(&Profile) -> String| Line {
        label: label.to_owned(),
        cells: groups.iter().map(|g| cell(g)).collect(),
    };
    writeln!(f)?;
    write!(f, "{}", row("", &|group| group.name.clone()))?;
    write!(f, "{}", row("rows", &|group| group.size.to_string()))?;
    write!(f, "{}", row("share", &|group| percent(Some(group.share))))?;
    for (at, spec) in profiles.features.iter().enumerate() {
        let Some(population) = all.features.get(at).filter(|_| is_printed(spec)) else {
            continue;
        };
        let label = match spec.get_unit() {
            Some(unit) => format!("{} ({unit})", spec.name()),
            None => spec.name().to_owned(),
        };
        let of = |group: &Profile, cell: &dyn Fn(&FeatureProfile) -> String| {
            group.features.get(at).map(cell).unwrap_or_default()
        };
        match &population.summary {
            Summary::Levels(levels) => {
                writeln!(f, "{}", clip(&label, LABEL))?;
                let mut order: Vec<usize> = (0..levels.len()).collect();
                order.sort_by(|&a, &b| {
                    let weight = |i: usize| levels[i].figures.weight;
                    weight(b).total_cmp(&weight(a))
                });
                for &i in order.iter().take(LEVELS) {
                    let label = format!("  {}", levels[i].level);
                    let cell = |feature: &FeatureProfile| {
                        let level = feature.summary.levels().get(i);
                        level.map(|l| share(&l.figures)).unwrap_or_default()
                    };
                    write!(f, "{}", row(&label, &|group| of(group, &cell)))?;
                }
                if levels.len() > LEVELS {
                    writeln!(f, "  … {} more", levels.len() - LEVELS)?;
                }
            }
            _ => write!(f, "{}", row(&label, &|group| of(group, &figures)))?,
        }
        if population.missing > 0 {
            let cell = |feature: &FeatureProfile| feature.missing.to_string();
            write!(f, "{}", row("  rows missing", &|group| of(group, &cell)))?;
        }
    }
    Ok(())
}

/// The figures of a feature other than levels.
fn figures(feature: &FeatureProfile) -> String {
    match &feature.summary {
        Summary::Number(number) => pair(compact(number.mean), number.index),
        Summary::Flag(flag) => share(flag),
        Summary::Date(date) => date.median.map_or("-".into(), |day| day.to_string()),
        Summary::Levels(_) => String::new(),
    }
}

fn share(of: &ShareSummary) -> String {
    pair(percent(of.share), of.index)
}

/// A figure and its index, aligned to the columns of others.
fn pair(figure: String, index: Option<f64>) -> String {
    let index = match index {
        None => "-".to_owned(),
        Some(index) if index.abs() < 9999.5 => format!("{index:.0}"),
        Some(index) => format!("{}9999", if index < 0.0 { '<' } else { '>' }),
    };
    format!("{figure:>8} {index:>5}")
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.1}%", 100.0 * share))
}

/// A number in at most 8 characters.
fn compact(x: Option<f64>) -> String {
    let Some(x) = x else { return "-".to_owned() };
    match x.abs() {
        0.0 => "0".to_owned(),
        a if !(0.001..999_999.5).contains(&a) => format!("{x:.1e}"),
        a if a < 10.0 => format!("{x:.3}"),
        a if a < 1000.0 => format!("{x:.2}"),
        _ => format!("{x:.0}"),
    }
}

/// One line of the table.
struct Line {
    label: String,
    cells: Vec<String>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<LABEL$}", clip(&self.label, LABEL))?;
        for cell in &self.cells {
            write!(f, "{:>CELL$}", clip(cell, CELL - 1))?;
        }
        writeln!(f)
    }
}

/// The text in at most `width` characters, without control characters.
fn clip(text: &str, width: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut clipped: String = text.chars().take(width).map(plain).collect();
    if text.chars().nth(width).is_some() {
        clipped.pop();
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_at_most_8_characters() {
        for (x, text) in [
            (0.0, "0"),
            (-0.00123, "-0.001"),
            (9.9996, "10.000"),
            (-999.999, "-1000.00"),
            (999_999.4, "999999"),
            (-999_999.6, "-1.0e6"),
            (-1.5e300, "-1.5e300"),
            (5e-324, "4.9e-324"),
        ] {
            assert_eq!(compact(Some(x)), text);
            assert!(text.len() <= 8);
        }
    }

    #[test]
    fn text_is_clipped_between_characters() {
        assert_eq!(clip("Grüße", 5), "Grüße");
        assert_eq!(clip("Grüße!", 5), "Grüß…");
        assert_eq!(clip("a\nb\u{1b}c", 9), "a b c");
    }
}
