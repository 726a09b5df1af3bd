//! Instants and stretches of time, without a clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Date;
use crate::error::{Error, ErrorKind, Result};

pub(crate) const DAY: i64 = 86_400_000;

/// An instant: milliseconds since 1970-01-01T00:00:00 UTC.
///
/// Its text is that of RFC 3339, with milliseconds where there are any.
///
/// ```
/// use segmenta::data::Timestamp;
///
/// let noon: Timestamp = "2024-05-31T12:00:00Z".parse()?;
/// assert_eq!(noon, Timestamp::from_millis(1_717_156_800_000));
/// assert_eq!(noon, "2024-05-31T14:00+02:00".parse()?);
/// assert_eq!(noon.to_string(), "2024-05-31T12:00:00Z");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first instant of [`Date::MIN`], in UTC.
    pub const MIN: Timestamp = Timestamp(Date::MIN.days_since_epoch() as i64 * DAY);
    /// The last instant of [`Date::MAX`], in UTC.
    pub const MAX: Timestamp =
        Timestamp((Date::MAX.days_since_epoch() as i64 + 1) * DAY - 1);

    /// The instant so many milliseconds after the epoch. Events must lie between
    /// [`Timestamp::MIN`] and [`Timestamp::MAX`]; that is checked where they are used.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whether the calendar has the instant.
    pub(crate) fn is_in_calendar(self) -> bool {
        (Timestamp::MIN..=Timestamp::MAX).contains(&self)
    }
}

fn not_an_instant(found: &str) -> Error {
    ErrorKind::Value {
        expected: "an instant as YYYY-MM-DDTHH:MM:SSZ".into(),
        found: found.chars().take(40).collect(),
        row: None,
    }
    .into()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = i32::try_from(self.0.div_euclid(DAY)).ok().map(Date::from_days);
        let Some(Ok(date)) = date else {
            return write!(f, "{} ms after 1970", self.0);
        };
        let millis = self.0.rem_euclid(DAY);
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(f, "{date}T{hours:02}:{minutes:02}:{:02}", seconds % 60)?;
        if millis > 0 {
            write!(f, ".{millis:03}")?;
        }
        f.write_str("Z")
    }
}

/// Reads `YYYY-MM-DDTHH:MM`, with `:SS` and a fraction if need be, and then `Z` or an offset
/// as `+02:00`. What is shorter than a millisecond is cut off.
impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Timestamp> {
        parse_instant(text).ok_or_else(|| not_an_instant(text))
    }
}

fn parse_instant(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once('T')?;
    let date: Date = date.parse().ok()?;
    let (time, offset) = match rest.strip_suffix('Z') {
        Some(time) => (time, 0),
        None => {
            let at = rest.rfind(['+', '-'])?;
            let (hours, minutes) = rest[at + 1..].split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            let sign = if rest[at..].starts_with('-') { -1 } else { 1 };
            (hours < 24 && minutes < 60).then_some(())?;
            (&rest[..at], sign * (hours * 60 + minutes) * 60_000)
        }
    };
    let mut parts = time.splitn(3, ':');
    let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (seconds, millis) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            Some((seconds, rest)) => (digits(seconds, 2)?, millis_of(rest)?),
            None => (digits(seconds, 2)?, 0),
        },
    };
    (hours < 24 && minutes < 60 && seconds < 60).then_some(())?;
    let of_day = ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
    let at = Timestamp(i64::from(date.days_since_epoch()) * DAY + of_day - offset);
    at.is_in_calendar().then_some(at)
}

/// The milliseconds of a fraction of a second of up to nine digits.
fn millis_of(fraction: &str) -> Option<i64> {
    let number = digits(fraction, fraction.len()).filter(|_| fraction.len() <= 9)?;
    Some(number * 1_000_000_000 / 10_i64.pow(fraction.len() as u32) / 1_000_000)
}

fn digits(text: &str, width: usize) -> Option<i64> {
    let fits = text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// A stretch of time of fixed length, in milliseconds: `90d` is 90 times 24 hours, whatever
/// the calendar says.
///
/// Its text is a number and a unit: `w`, `d`, `h`, `m`, `s` or `ms`.
///
/// ```
/// use segmenta::data::Span;
///
/// assert_eq!(Span::days(90).to_string(), "90d");
/// assert_eq!("36h".parse::<Span>()?.as_millis(), 129_600_000);
/// assert_eq!("14d".parse::<Span>()?, "2w".parse()?);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

/// Longer ones first. Weeks are read, and written as days.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * DAY as u64),
    ("d", DAY as u64),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

impl Span {
    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Span {
        Span(millis)
    }

    /// So many times 24 hours.
    #[must_use]
    pub const fn days(days: u32) -> Span {
        Span(days as u64 * DAY as u64)
    }

    /// So many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Span {
        Span(hours as u64 * 3_600_000)
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units = UNITS.iter().skip(1);
        match units.find(|(_, millis)| self.0.is_multiple_of(*millis)) {
            Some((unit, millis)) => write!(f, "{}{unit}", self.0 / millis),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Span> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number = text[..end].parse::<u64>().ok();
        let unit = UNITS.iter().find(|(unit, _)| *unit == &text[end..]);
        let millis = number.zip(unit).and_then(|(n, (_, millis))| n.checked_mul(*millis));
        millis.map(Span).ok_or_else(|| {
            ErrorKind::Value {
                expected: "a length of time as 90d, 2w, 36h, 15m, 30s or 500ms".into(),
                found: text.chars().take(40).collect(),
                row: None,
            }
            .into()
        })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Span, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_go_through_their_text() {
        let at = |text: &str| text.parse::<Timestamp>();
        for millis in [0, 1, -1, 1_717_156_800_000, -62_135_596_800_001, 999, 1000] {
            let instant = Timestamp(millis);
            assert_eq!(at(&instant.to_string()).unwrap(), instant);
        }
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(at(&end.to_string()).unwrap(), end);
        }
        assert_eq!(at("1970-01-01T00:00-00:30").unwrap().0, 1_800_000);
        assert_eq!(at("1969-12-31T23:59:59.999Z").unwrap().0, -1);
        assert_eq!(at("1970-01-01T00:00:00.5Z").unwrap().0, 500);
        assert_eq!(at("1970-01-01T00:00:01.123987654Z").unwrap().0, 1123);
        for bad in [
            "",
            "T",
            "1970-01-01",
            "1970-01-01T",
            "1970-01-01T00:00",
            "1970-01-01T24:00Z",
            "1970-01-01T00:60Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.0123456789Z",
            "1970-01-01T00:00+24:00",
            "1970-01-01T00:00+1:00",
            "1970-01-01T0:00Z",
            "1970-01-01T00:00:00:00Z",
            "9999-12-31T23:59-00:01",
            "1970-01-01T00:00Zé",
        ] {
            assert!(at(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Timestamp(i64::MAX).to_string(),
            format!("{} ms after 1970", i64::MAX)
        );
    }

    #[test]
    fn spans_go_through_their_text() {
        for (text, millis) in [
            ("0d", 0),
            ("1ms", 1),
            ("1500ms", 1500),
            ("90s", 90_000),
            ("61m", 3_660_000),
            ("25h", 90_000_000),
            ("365d", 31_536_000_000),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.as_millis(), span.to_string()), (millis, text.to_owned()));
        }
        for bad in ["", "d", "1", "1 d", "-1d", "1.5d", "1y", "99999999999999999w", "1dd"]
        {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
