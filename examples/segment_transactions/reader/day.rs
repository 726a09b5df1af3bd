//! Reads calendar days as shops export them.

use segmenta::data::Date;

/// The years that are accepted: others are placeholders such as `0001-01-01`.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=9999;

/// How a day is written. A time of day may follow; it is checked and left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateFormat {
    /// `YYYY-MM-DD`
    Iso,
    /// `YYYYMMDD`
    Compact,
    /// `DD/MM/YYYY`, also with points or hyphens and without leading zeros.
    DayFirst,
    /// `MM/DD/YYYY`, likewise.
    MonthFirst,
}

impl DateFormat {
    pub(crate) const ALL: [DateFormat; 4] = [
        DateFormat::Iso,
        DateFormat::Compact,
        DateFormat::DayFirst,
        DateFormat::MonthFirst,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            DateFormat::Iso => "YYYY-MM-DD",
            DateFormat::Compact => "YYYYMMDD",
            DateFormat::DayFirst => "DD/MM/YYYY",
            DateFormat::MonthFirst => "MM/DD/YYYY",
        }
    }
}

/// The numbers of a day, in the order of their text.
enum Written {
    YearFirst(DateFormat, i32, u8, u8),
    YearLast(u8, u8, i32),
}

/// Reads days and keeps count of what they say about the order of day and month.
///
/// `YYYY-MM-DD`, `YYYYMMDD` and slashes are told apart by their looks, one date at a
/// time. `03/04/2011` can be two days: without a stated format it is 3 April.
#[derive(Clone, Debug)]
pub(crate) struct Days {
    format: Option<DateFormat>,
    /// Dates with slashes that are a day only as `DD/MM/YYYY`.
    pub(crate) only_day_first: usize,
    /// Dates with slashes that are a day only as `MM/DD/YYYY`, and one of them.
    pub(crate) only_month_first: usize,
    pub(crate) month_first_example: String,
    /// Dates with slashes that are two different days, and one of them.
    pub(crate) ambiguous: usize,
    pub(crate) ambiguous_example: String,
}

impl Days {
    pub(crate) fn new(format: Option<DateFormat>) -> Days {
        Days {
            format,
            only_day_first: 0,
            only_month_first: 0,
            month_first_example: String::new(),
            ambiguous: 0,
            ambiguous_example: String::new(),
        }
    }

    /// What [`Days::read`] accepts, for messages.
    pub(crate) fn expected(&self) -> String {
        match self.format {
            Some(format) => format!("a date {}", format.name()),
            None => "a date YYYY-MM-DD, YYYYMMDD or DD/MM/YYYY".to_owned(),
        }
    }

    /// The day that `text` writes, if it writes one.
    pub(crate) fn read(&mut self, text: &[u8]) -> Option<Date> {
        match written(text)? {
            Written::YearFirst(format, year, month, day) => {
                let wanted = self.format.is_none_or(|wanted| wanted == format);
                if wanted { date(year, month, day) } else { None }
            }
            Written::YearLast(a, b, year) => {
                let (day_first, month_first) = (date(year, b, a), date(year, a, b));
                match self.format {
                    Some(DateFormat::MonthFirst) => month_first,
                    Some(DateFormat::DayFirst) => day_first,
                    Some(_) => None,
                    None => {
                        self.count(text, day_first, month_first);
                        day_first
                    }
                }
            }
        }
    }

    fn count(&mut self, text: &[u8], day_first: Option<Date>, month_first: Option<Date>) {
        let (count, example) = match (day_first, month_first) {
            (Some(a), Some(b)) if a != b => {
                (&mut self.ambiguous, &mut self.ambiguous_example)
            }
            (None, Some(_)) => {
                (&mut self.only_month_first, &mut self.month_first_example)
            }
            (Some(_), None) => {
                self.only_day_first += 1;
                return;
            }
            _ => return,
        };
        if *count == 0 {
            *example = String::from_utf8_lossy(text).into_owned();
        }
        *count += 1;
    }
}

fn date(year: i32, month: u8, day: u8) -> Option<Date> {
    if !YEARS.contains(&year) {
        return None;
    }
    Date::from_ymd(year, month, day).ok()
}

fn written(text: &[u8]) -> Option<Written> {
    let end = text.iter().position(|b| matches!(b, b' ' | b'T' | b't'));
    let (day, time) = text.split_at(end.unwrap_or(text.len()));
    if !time.is_empty() && !is_time(&time[1..]) {
        return None;
    }
    if day.len() == 8 && day.iter().all(u8::is_ascii_digit) {
        let (year, month, day) =
            (number(&day[..4])?, number(&day[4..6])?, number(&day[6..])?);
        return Some(Written::YearFirst(
            DateFormat::Compact,
            year,
            month as u8,
            day as u8,
        ));
    }
    let mark = *day.iter().find(|b| matches!(b, b'-' | b'/' | b'.'))?;
    let mut parts = day.split(|&b| b == mark);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    match (a.len(), b.len(), c.len()) {
        (4, 2, 2) if mark == b'-' => Some(Written::YearFirst(
            DateFormat::Iso,
            number(a)?,
            number(b)? as u8,
            number(c)? as u8,
        )),
        (1..=2, 1..=2, 4) => {
            Some(Written::YearLast(number(a)? as u8, number(b)? as u8, number(c)?))
        }
        _ => None,
    }
}

/// At most four digits.
fn number(digits: &[u8]) -> Option<i32> {
    digits
        .iter()
        .try_fold(0, |sum, &b| b.is_ascii_digit().then(|| 10 * sum + i32::from(b - b'0')))
}

/// `H:MM`, `HH:MM` or `HH:MM:SS`, with a fraction of the second, `AM` or `PM`, and `Z`
/// or an offset such as `+01:00`. The day stays as it is written.
fn is_time(time: &[u8]) -> bool {
    let time = time.trim_ascii();
    let Some(colon) = time.iter().position(|&b| b == b':') else { return false };
    let (hour, mut rest) = (&time[..colon], &time[colon + 1..]);
    let below = |digits: &[u8], limit| number(digits).is_some_and(|n| n < limit);
    if !matches!(hour.len(), 1..=2) || !below(hour, 24) {
        return false;
    }
    let Some((minute, after)) = rest.split_at_checked(2) else { return false };
    if !below(minute, 60) {
        return false;
    }
    rest = after;
    if let Some(after) = rest.strip_prefix(b":") {
        let Some((second, after)) = after.split_at_checked(2) else { return false };
        // 60 is a leap second.
        if !below(second, 61) {
            return false;
        }
        rest = after;
        if let Some(fraction) = rest.strip_prefix(b".") {
            let n = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if n == 0 {
                return false;
            }
            rest = &fraction[n..];
        }
    }
    match rest.trim_ascii_start() {
        b"" | b"Z" | b"z" => true,
        [b'+' | b'-', offset @ ..] => match offset {
            [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => {
                below(&[*h1, *h2], 24) && below(&[*m1, *m2], 60)
            }
            [h1, h2] => below(&[*h1, *h2], 24),
            _ => false,
        },
        half => half.eq_ignore_ascii_case(b"AM") || half.eq_ignore_ascii_case(b"PM"),
    }
}
