//! Tables in Markdown.

use std::fmt::Write as _;
use std::{fs, io};

use segmenta_peers::Result;
use segmenta_peers::versions::version;

use crate::N_THREADS;
use crate::series::{Axis, CLUSTERS, COLUMNS, Cell, Limits, Series};

const BEGIN: &str = "<!-- growth: begin -->";
const END: &str = "<!-- growth: end -->";

/// The text with new tables between the markers.
pub fn replace(text: &str, tables: &str) -> Result<String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
    });
    parts.ok_or_else(|| format!("no `{BEGIN}` with `{END}` after it").into())
}

/// All tables.
pub fn markdown(grown: &[Series], limits: Limits) -> String {
    let of = |axis: Axis| grown.iter().filter(move |series| series.axis == axis);
    let (machine, bytes) = (machine(), memory(limits.bytes as usize));
    let mut text = format!(
        "\n{machine}, {N_THREADS} threads; cells of at most {} and {bytes}.\n",
        time(limits.seconds)
    );
    let shape = format!("{COLUMNS} columns, {CLUSTERS} clusters");
    let _ = write!(text, "\nTime against rows ({shape}):\n\n");
    text += &table(Axis::Rows, of(Axis::Rows), |cell| time(cell.seconds), true);
    let _ = write!(text, "\nBytes at the peak, over the input ({shape}):\n\n");
    text += &table(Axis::Rows, of(Axis::Rows), |cell| memory(cell.bytes), false);
    let _ = write!(text, "\nTime against columns ({CLUSTERS} clusters):\n\n");
    text += &table(Axis::Columns, of(Axis::Columns), |cell| time(cell.seconds), true);
    let _ = write!(text, "\nTime against clusters ({COLUMNS} columns):\n\n");
    text += &table(Axis::Clusters, of(Axis::Clusters), |cell| time(cell.seconds), true);
    text
}

/// A line a series. The last column is the power that time grows with at the end.
fn table<'s>(
    axis: Axis,
    grown: impl Iterator<Item = &'s Series>,
    show: fn(&Cell) -> String,
    with_slope: bool,
) -> String {
    let sizes: Vec<String> = axis.sizes().iter().map(|&n| short(n)).collect();
    let slope = if with_slope { " power |" } else { "" };
    let mut text = format!("| kernel | {} |{slope}\n", sizes.join(" | "));
    let n_columns = sizes.len() + 1 + usize::from(with_slope);
    text += &format!("|{}\n", "---|".repeat(n_columns));
    for series in grown {
        text += &format!("| {}", series.name);
        if axis != Axis::Rows {
            text += &format!(", {} rows", short(series.rows));
        }
        for &size in axis.sizes() {
            let cell = series.cells.iter().find(|cell| cell.size == size);
            text += &format!(" | {}", cell.map(show).unwrap_or_default());
        }
        if with_slope {
            let slope = series.slope().map(|slope| format!("{slope:.1}"));
            text += &format!(" | {}", slope.unwrap_or_default());
        }
        text += " |\n";
    }
    text
}

/// A series in one line, to follow the work.
pub fn print(out: &mut impl io::Write, series: &Series) -> Result<()> {
    write!(out, "{} by {:?}:", series.name, series.axis)?;
    for cell in &series.cells {
        write!(out, " {} {}", short(cell.size), time(cell.seconds))?;
    }
    Ok(writeln!(out)?)
}

/// 1k, 30M.
pub fn short(n: usize) -> String {
    match n {
        _ if n >= 1_000_000 => format!("{}M", n / 1_000_000),
        _ if n >= 1_000 => format!("{}k", n / 1_000),
        _ => n.to_string(),
    }
}

/// Two digits with a unit.
pub fn time(seconds: f64) -> String {
    digits(seconds, &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")])
}

fn memory(bytes: usize) -> String {
    digits(bytes as f64, &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")])
}

fn digits(x: f64, units: &[(f64, &str)]) -> String {
    let fits = units.iter().find(|(unit, _)| x >= 0.9995 * unit).or(units.last());
    let &(unit, name) = fits.unwrap_or(&(1.0, ""));
    let x = x / unit;
    let decimals = usize::from(x > 0.0 && x < 9.95);
    format!("{x:.decimals$} {name}")
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model);
    format!("segmenta {}, {model}", version("segmenta"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_and_a_unit() {
        assert_eq!(time(12.34), "12 s");
        assert_eq!(time(1.0), "1.0 s");
        assert_eq!(time(0.000_999_9), "1.0 ms");
        assert_eq!(time(0.009_96), "10 ms");
        assert_eq!(memory(0), "0 B");
        assert_eq!(memory(82_300), "82 kB");
        assert_eq!(short(3_000_000), "3M");
    }

    #[test]
    fn tables_go_between_the_markers() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = replace(&text, "new").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert!(replace("no markers", "new").is_err());
    }

    #[test]
    fn a_series_is_a_line_with_its_power() {
        let cell = |size, seconds| Cell { size, seconds, bytes: 0 };
        let cells = vec![cell(1_000, 0.001), cell(10_000, 0.1)];
        let series = Series { name: "ward", axis: Axis::Rows, rows: 0, cells };
        let text = table(Axis::Rows, [series].iter(), |c| time(c.seconds), true);
        let line = text.lines().last().unwrap();
        assert!(line.starts_with("| ward | 1.0 ms |  | 100 ms |"), "{line}");
        assert!(line.ends_with("| 2.0 |"), "{line}");
    }
}
