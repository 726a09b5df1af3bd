//! Two pictures.

use std::fmt::Write;

use segmenta::monitor::{CohortTable, KaplanMeier, Retention};

const FONT: &str = "font-family='sans-serif' font-size='11'";

fn document(width: f64, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' {FONT}>\
         <rect width='100%' height='100%' fill='white'/>{body}</svg>\n"
    )
}

/// Cohorts as rows, months since as columns; what is not observed is left blank.
pub(crate) fn triangle(table: &CohortTable) -> String {
    let (cell_width, cell_height, left, top) = (44.0, 22.0, 110.0, 40.0);
    let n = table.cohorts().len();
    let mut body = String::new();
    let _ = write!(
        body,
        "<text x='8' y='18'>share of customers who buy, by months since</text>"
    );
    for (row, cohort) in table.cohorts().iter().enumerate() {
        let y = top + cell_height * row as f64;
        let label =
            format!("{} ({})", &cohort.start().to_string()[..7], cohort.customers());
        let _ = write!(body, "<text x='8' y='{}'>{label}</text>", y + 15.0);
        for since in 0..n {
            let Some(rate) = cohort.retention(Retention::Classic, since) else {
                continue;
            };
            let complete = cohort.cell(since).is_some_and(|cell| cell.complete);
            let x = left + cell_width * since as f64;
            let shade = 255.0 - 200.0 * (rate.sqrt()).min(1.0);
            let dash = if complete { "" } else { " stroke='#888' stroke-dasharray='2'" };
            let _ = write!(
                body,
                "<rect x='{x}' y='{y}' width='{w}' height='{h}' \
                 fill='rgb({shade:.0},{shade:.0},255)'{dash}/>\
                 <text x='{tx}' y='{ty}' text-anchor='middle'>{percent:.0}%</text>",
                w = cell_width - 1.0,
                h = cell_height - 1.0,
                tx = x + cell_width / 2.0,
                ty = y + 15.0,
                percent = 100.0 * rate,
            );
        }
    }
    let width = left + cell_width * n as f64 + 8.0;
    document(width, top + cell_height * n as f64 + 8.0, &body)
}

/// Curves of survival as steps, with their intervals as shadows.
pub(crate) fn curves(curves: &[(String, KaplanMeier)]) -> String {
    let (width, height, left, bottom) = (640.0, 360.0, 44.0, 40.0);
    let longest = curves
        .iter()
        .filter_map(|(_, curve)| curve.steps().last())
        .fold(1.0_f64, |longest, step| longest.max(step.time));
    let x = |time: f64| left + (width - left - 90.0) * time / longest;
    let y = |share: f64| 12.0 + (height - bottom - 12.0) * (1.0 - share);
    let mut body = String::new();
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let _ = write!(
            body,
            "<line x1='{left}' x2='{}' y1='{y}' y2='{y}' stroke='#ddd'/>\
             <text x='{}' y='{}' text-anchor='end'>{share:.2}</text>",
            width - 90.0,
            left - 6.0,
            y(share) + 4.0,
            y = y(share),
        );
        let time = longest * share;
        let _ = write!(
            body,
            "<text x='{}' y='{}' text-anchor='middle'>{time:.0}</text>",
            x(time),
            height - bottom + 16.0
        );
    }
    let _ = write!(
        body,
        "<text x='{}' y='{}' text-anchor='middle'>weeks since the first purchase</text>",
        x(longest / 2.0),
        height - 8.0
    );
    for ((name, curve), color) in
        curves.iter().zip(["#1b9e77", "#d95f02", "#7570b3"].iter().cycle())
    {
        let mut line = format!("M{:.1} {:.1}", x(0.0), y(1.0));
        let mut upper = Vec::new();
        let mut lower = Vec::new();
        let mut last = 1.0;
        for step in curve.steps() {
            let _ = write!(line, "H{:.1}V{:.1}", x(step.time), y(step.survival));
            if let Some([low, high]) = step.interval {
                upper.push(format!("{:.1},{:.1}", x(step.time), y(high)));
                lower.push(format!("{:.1},{:.1}", x(step.time), y(low)));
            }
            last = step.survival;
        }
        lower.reverse();
        let around = upper.into_iter().chain(lower).collect::<Vec<_>>().join(" ");
        let _ = write!(
            body,
            "<polygon points='{around}' fill='{color}' fill-opacity='0.15'/>\
             <path d='{line}' fill='none' stroke='{color}' stroke-width='1.5'/>\
             <text x='{}' y='{}' fill='{color}'>{name}</text>",
            x(longest) + 6.0,
            y(last) + 4.0
        );
    }
    document(width, height, &body)
}
