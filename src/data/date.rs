//! Calendar days without time zones or clocks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

/// A day of the proleptic Gregorian calendar, stored as days since 1970-01-01.
///
/// Its range is the years −9999 to 9999. Dates convert from and to those of `chrono`,
/// `time` and `jiff` behind the features of those names.
///
/// ```
/// use segmenta::data::Date;
///
/// let day: Date = "2011-12-11".parse()?;
/// assert_eq!(day, Date::from_ymd(2011, 12, 11)?);
/// assert_eq!(day.days_since_epoch(), 15_319);
/// assert_eq!(Date::from_ymd(2011, 12, 1)?.days_until(day), 10);
/// assert_eq!(day.to_string(), "2011-12-11");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// −9999-01-01.
    pub const MIN: Date = Date(-4_371_587);
    /// 9999-12-31.
    pub const MAX: Date = Date(2_932_896);

    /// The day that lies `days` after 1970-01-01.
    ///
    /// # Errors
    /// When the day lies outside [`Date::MIN`] to [`Date::MAX`].
    pub fn from_days(days: i32) -> Result<Date> {
        if (Date::MIN.0..=Date::MAX.0).contains(&days) {
            Ok(Date(days))
        } else {
            Err(not_a_date(format!("day {days}")))
        }
    }

    /// The day of a number that was a date's before.
    pub(crate) const fn of_checked(days: i32) -> Date {
        Date(days)
    }

    /// The day of a year, month (1 to 12) and day of the month (1 to 31).
    ///
    /// # Errors
    /// When the calendar has no such day.
    pub fn from_ymd(year: i32, month: u8, day: u8) -> Result<Date> {
        let valid = (-9999..=9999).contains(&year)
            && (1..=12).contains(&month)
            && day >= 1
            && day <= days_in_month(year, month);
        if !valid {
            return Err(not_a_date(format!("{year:04}-{month:02}-{day:02}")));
        }
        // Counts from 0000-03-01, so that the leap day is the last of its year (Richards
        // 2013, "Calendars", Explanatory Supplement to the Astronomical Almanac, 15.11.3).
        let (month, day) = (i32::from(month), i32::from(day));
        let shifted_year = if month <= 2 { year - 1 } else { year };
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era =
            year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Ok(Date(era * 146_097 + day_of_era - 719_468))
    }

    /// Year, month and day of the month.
    #[must_use]
    pub fn to_ymd(self) -> (i32, u8, u8) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524
            - day_of_era / 146_096)
            / 365;
        let day_of_year =
            day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month =
            if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        (year, month as u8, day as u8)
    }

    /// Days since 1970-01-01, negative before it.
    #[must_use]
    pub const fn days_since_epoch(self) -> i32 {
        self.0
    }

    /// Days from this day to `later`; negative when `later` is earlier.
    #[must_use]
    pub const fn days_until(self, later: Date) -> i32 {
        later.0 - self.0
    }

    /// The day `days` later, or earlier when negative; `None` outside the range.
    #[must_use]
    pub fn checked_add_days(self, days: i32) -> Option<Date> {
        Date::from_days(self.0.checked_add(days)?).ok()
    }
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

fn not_a_date(found: String) -> Error {
    ErrorKind::Value { expected: "a date of the calendar".into(), found, row: None }
        .into()
}

/// Writes `YYYY-MM-DD` (ISO 8601).
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.to_ymd();
        let sign = if year < 0 { "-" } else { "" };
        write!(f, "{sign}{:04}-{month:02}-{day:02}", year.abs())
    }
}

/// Reads `YYYY-MM-DD` (ISO 8601) and nothing else.
impl FromStr for Date {
    type Err = Error;

    fn from_str(text: &str) -> Result<Date> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let parts: Vec<&str> = digits.splitn(3, '-').collect();
        let number = |part: &str, width: usize| -> Option<i32> {
            let fits = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
            if fits { part.parse().ok() } else { None }
        };
        let ymd = match parts[..] {
            [y, m, d] => number(y, 4).zip(number(m, 2)).zip(number(d, 2)),
            _ => None,
        };
        match ymd {
            Some(((y, m), d)) => Date::from_ymd(sign * y, m as u8, d as u8),
            None => Err(not_a_date(text.chars().take(32).collect())),
        }
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Date, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "chrono")]
mod with_chrono {
    use super::{Date, Error, Result};
    use ::chrono::{Datelike, NaiveDate};

    impl TryFrom<NaiveDate> for Date {
        type Error = Error;

        fn try_from(date: NaiveDate) -> Result<Date> {
            Date::from_ymd(date.year(), date.month() as u8, date.day() as u8)
        }
    }

    impl From<Date> for NaiveDate {
        fn from(date: Date) -> NaiveDate {
            let (year, month, day) = date.to_ymd();
            // chrono spans ±262,000 years, so every `Date` is one of its dates.
            NaiveDate::from_ymd_opt(year, month.into(), day.into()).unwrap_or_default()
        }
    }
}

#[cfg(feature = "time")]
mod with_time {
    use super::{Date, Error, Result};

    impl TryFrom<::time::Date> for Date {
        type Error = Error;

        fn try_from(date: ::time::Date) -> Result<Date> {
            Date::from_ymd(date.year(), date.month().into(), date.day())
        }
    }

    /// `time` spans the same years without its feature `large-dates`.
    impl TryFrom<Date> for ::time::Date {
        type Error = Error;

        fn try_from(date: Date) -> Result<::time::Date> {
            let (year, month, day) = date.to_ymd();
            let month = ::time::Month::try_from(month).map_err(Error::other)?;
            ::time::Date::from_calendar_date(year, month, day).map_err(Error::other)
        }
    }
}

#[cfg(feature = "jiff")]
mod with_jiff {
    use super::{Date, Error, Result};

    impl TryFrom<::jiff::civil::Date> for Date {
        type Error = Error;

        fn try_from(date: ::jiff::civil::Date) -> Result<Date> {
            Date::from_ymd(date.year().into(), date.month() as u8, date.day() as u8)
        }
    }

    impl TryFrom<Date> for ::jiff::civil::Date {
        type Error = Error;

        fn try_from(date: Date) -> Result<::jiff::civil::Date> {
            let (year, month, day) = date.to_ymd();
            ::jiff::civil::Date::new(year as i16, month as i8, day as i8)
                .map_err(Error::other)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_range_round_trips_in_order() {
        let mut expected = (-9999, 1_u8, 1_u8);
        for days in Date::MIN.0..=Date::MAX.0 {
            let date = Date(days);
            let (year, month, day) = date.to_ymd();
            assert_eq!((year, month, day), expected);
            assert_eq!(Date::from_ymd(year, month, day).unwrap(), date);
            expected = if day < days_in_month(year, month) {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
        assert_eq!(expected, (10_000, 1, 1));
    }

    #[test]
    fn text_that_is_not_a_date_is_refused() {
        for text in [
            "",
            "2011",
            "2011-02-30",
            "2011-13-01",
            "2011-1-1",
            "11-01-01",
            "2011-01-01T00",
            "+011-01-01",
            "2011-00-10",
            "2011-01-00",
            "éééé-01-01",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        assert_eq!("-0044-03-15".parse::<Date>().unwrap().to_string(), "-0044-03-15");
    }
}
