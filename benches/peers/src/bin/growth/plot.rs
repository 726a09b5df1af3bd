//! Time against rows as a drawing, both on logarithmic scales.

use crate::series::{Cell, Series};
use crate::table::{short, time};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 560.0;
/// Where the frame is; labels stand right of it.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 650.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 510.0;
/// From one label to the next, at least.
const LINE: f64 = 17.0;

/// Colours that differ for colour-blind eyes too (Okabe & Ito 2008), and dashes for a
/// second round.
const COLORS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"];
const DASHES: [&str; 2] = ["none", "6 3"];

/// The frame, in decades: of the rows, and of the seconds.
struct Scale {
    x: (i32, i32),
    y: (i32, i32),
}

impl Scale {
    fn of(grown: &[&Series]) -> Scale {
        let cells = || grown.iter().flat_map(|series| &series.cells);
        let decades = |value: fn(&Cell) -> f64| {
            let logs = cells().map(|cell| value(cell).log10());
            let (low, high) = logs
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| {
                    (low.min(log), high.max(log))
                });
            let (low, high) = (low.floor() as i32, high.ceil() as i32);
            (low, high.max(low.saturating_add(1)))
        };
        Scale { x: decades(|cell| cell.size as f64), y: decades(|cell| cell.seconds) }
    }

    fn x(&self, log: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (log - f64::from(self.x.0)) / span(self.x)
    }

    fn y(&self, log: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * (log - f64::from(self.y.0)) / span(self.y)
    }

    fn point(&self, cell: &Cell) -> (f64, f64) {
        (self.x((cell.size as f64).log10()), self.y(cell.seconds.log10()))
    }
}

fn span((low, high): (i32, i32)) -> f64 {
    f64::from(high) - f64::from(low)
}

/// The whole drawing; empty without cells.
pub fn svg(grown: &[&Series]) -> String {
    let grown: Vec<&Series> =
        grown.iter().copied().filter(|series| !series.cells.is_empty()).collect();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    if !grown.is_empty() {
        let scale = Scale::of(&grown);
        text += &grid(&scale);
        text += &lines(&scale, &grown);
    }
    text + "</svg>\n"
}

/// A line a decade, with its number, and what the axes are.
fn grid(scale: &Scale) -> String {
    let mut text = String::new();
    for decade in scale.x.0..=scale.x.1 {
        let x = scale.x(f64::from(decade));
        text += &rule((x, TOP), (x, BOTTOM));
        let size = short(10_usize.pow(decade.unsigned_abs()));
        text += &label((x, BOTTOM + 18.0), "middle", "#333", &size);
    }
    for decade in scale.y.0..=scale.y.1 {
        let y = scale.y(f64::from(decade));
        text += &rule((LEFT, y), (RIGHT, y));
        let seconds = time(10_f64.powi(decade)).replace(".0", "");
        text += &label((LEFT - 8.0, y + 4.0), "end", "#333", &seconds);
    }
    let middle = (LEFT + RIGHT) / 2.0;
    text += &label((middle, BOTTOM + 38.0), "middle", "#333", "rows");
    text + &label((LEFT, TOP - 14.0), "middle", "#333", "time")
}

/// The series, each with its name at the right.
fn lines(scale: &Scale, grown: &[&Series]) -> String {
    let mut text = String::new();
    let mut ends: Vec<(f64, f64, usize)> = Vec::new();
    for (at, series) in grown.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            series.cells.iter().map(|cell| scale.point(cell)).collect();
        let list: Vec<String> =
            points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (color, dash) = style(at);
        text += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" \
             stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>\n",
            list.join(" ")
        );
        for (x, y) in &points {
            text += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>\n"
            );
        }
        ends.extend(points.last().map(|&(x, y)| (x, y, at)));
    }
    ends.sort_by(|a, b| a.1.total_cmp(&b.1));
    for ((x, y, at), place) in ends.iter().zip(places(&ends)) {
        let (color, _) = style(*at);
        text += &format!(
            "<path d=\"M{x:.1} {y:.1}L{:.1} {place:.1}\" stroke=\"{color}\" \
             stroke-width=\"0.6\" stroke-dasharray=\"1 3\"/>\n",
            RIGHT + 8.0
        );
        let at_label = (RIGHT + 12.0, place + 4.0);
        text += &label(at_label, "start", color, grown[*at].name);
    }
    text
}

/// Heights of labels, in the order of their lines and apart from each other.
fn places(ends: &[(f64, f64, usize)]) -> Vec<f64> {
    let mut places: Vec<f64> = Vec::with_capacity(ends.len());
    for &(_, y, _) in ends {
        places.push(places.last().map_or(y, |last| y.max(last + LINE)));
    }
    // Those pushed below the frame go up again, and push up others.
    let mut lowest = BOTTOM;
    for place in places.iter_mut().rev() {
        *place = place.min(lowest);
        lowest = *place - LINE;
    }
    places
}

fn style(at: usize) -> (&'static str, &'static str) {
    (COLORS[at % COLORS.len()], DASHES[at / COLORS.len() % DASHES.len()])
}

fn rule((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#ddd\"/>\n")
}

fn label((x, y): (f64, f64), anchor: &str, color: &str, text: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" \
         fill=\"{color}\">{text}</text>\n"
    )
}
