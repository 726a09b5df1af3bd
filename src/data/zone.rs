//! What a day is: the host's calendar.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::time::DAY;
use super::{Date, Timestamp};
use crate::error::{Error, Result};

/// Which day it is at an instant, somewhere. For hosts with a library of time zones of
/// their own; those of `jiff` are there behind the feature of that name.
///
/// # Contract
/// 1. [`date_of`](Calendar::date_of) never decreases as instants ascend. It is asked about
///    instants from [`Timestamp::MIN`] to [`Timestamp::MAX`] only.
/// 2. [`start_of`](Calendar::start_of) gives the first instant whose date is that day, or
///    a later one where the calendar leaves the day out.
///
/// A calendar that breaks it makes nothing panic or go on for ever, but answers that depend on
/// days are then as wrong as it is; a window that would end before it begins holds nothing.
/// [`Zone::validate`] looks for that, and a [`LiveBook`](crate::rules::LiveBook), which counts
/// time by it, refuses what that finds.
///
/// ```
/// use segmenta::data::{Calendar, Date, Timestamp, Zone};
///
/// /// Days that begin at 4 in the morning, in UTC.
/// #[derive(Debug)]
/// struct Nightlife;
///
/// impl Calendar for Nightlife {
///     fn date_of(&self, at: Timestamp) -> Date {
///         Zone::utc().date_of(Timestamp::from_millis(at.as_millis() - 4 * 3_600_000))
///     }
///     fn start_of(&self, day: Date) -> Timestamp {
///         Timestamp::from_millis(Zone::utc().start_of(day).as_millis() + 4 * 3_600_000)
///     }
/// }
///
/// let zone = Zone::new(Nightlife);
/// let late: Timestamp = "2024-06-01T03:00:00Z".parse()?;
/// assert_eq!(zone.date_of(late).to_string(), "2024-05-31");
/// # Ok::<(), segmenta::Error>(())
/// ```
pub trait Calendar: fmt::Debug + Send + Sync {
    /// The day of an instant.
    fn date_of(&self, at: Timestamp) -> Date;

    /// The first instant of a day.
    fn start_of(&self, day: Date) -> Timestamp;
}

/// 2023-01-01 in days since the epoch, and how many days from then on are looked at.
const FIRST_CHECKED: i32 = 19_358;
const N_CHECKED: i32 = 1_461;

/// A time zone: a fixed offset from UTC, or the host's [`Calendar`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Zone(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Milliseconds ahead of UTC.
    Fixed(i64),
    Host(Arc<dyn Calendar>),
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub const fn utc() -> Zone {
        Zone(Kind::Fixed(0))
    }

    /// So many minutes ahead of UTC, or behind it where that is negative.
    ///
    /// # Errors
    /// When it is a day or more.
    pub fn fixed(minutes: i32) -> Result<Zone> {
        if minutes.unsigned_abs() < 24 * 60 {
            Ok(Zone(Kind::Fixed(i64::from(minutes) * 60_000)))
        } else {
            let expected = "less than a day in minutes";
            Err(Error::parameter("offset", expected, minutes))
        }
    }

    /// The zone of a calendar of the host's.
    pub fn new(calendar: impl Calendar + 'static) -> Zone {
        Zone(Kind::Host(Arc::new(calendar)))
    }

    /// Checks the contract of a [`Calendar`] on the days of 2023 to 2026: that each begins where
    /// its date begins, and not before the day before it.
    ///
    /// ```
    /// use segmenta::data::{Calendar, Date, Timestamp, Zone};
    ///
    /// /// Two hours ahead of UTC, but days begin as if it were behind.
    /// #[derive(Debug)]
    /// struct Confused;
    ///
    /// impl Calendar for Confused {
    ///     fn date_of(&self, at: Timestamp) -> Date {
    ///         Zone::utc().date_of(Timestamp::from_millis(at.as_millis() + 7_200_000))
    ///     }
    ///     fn start_of(&self, day: Date) -> Timestamp {
    ///         Timestamp::from_millis(Zone::utc().start_of(day).as_millis() + 7_200_000)
    ///     }
    /// }
    ///
    /// assert_eq!(
    ///     Zone::new(Confused).validate().unwrap_err().to_string(),
    ///     "parameter `zone` must be of days that begin where their dates begin, in their order, \
    ///      but is 2023-01-01, which begins at 2023-01-01T02:00:00Z",
    /// );
    /// ```
    ///
    /// # Errors
    /// When a day does not; it names the first.
    pub fn validate(&self) -> Result<()> {
        if self.fixed_offset().is_some() {
            return Ok(());
        }
        let mut last = self.start_of(Date::of_checked(FIRST_CHECKED - 1));
        for day in (FIRST_CHECKED..FIRST_CHECKED + N_CHECKED).map(Date::of_checked) {
            let start = self.start_of(day);
            let before = Timestamp::from_millis(start.as_millis() - 1);
            let is_first = self.date_of(before) < day && self.date_of(start) >= day;
            if start < last || !is_first {
                let expected =
                    "of days that begin where their dates begin, in their order";
                let found = format!("{day}, which begins at {start}");
                return Err(Error::parameter("zone", expected, found));
            }
            last = start;
        }
        Ok(())
    }

    /// How many milliseconds its clocks are ahead of UTC, if it is always the same.
    pub(crate) fn fixed_offset(&self) -> Option<i64> {
        match &self.0 {
            Kind::Fixed(offset) => Some(*offset),
            Kind::Host(_) => None,
        }
    }

    /// The day of an instant; the nearest one for an instant beyond the calendar.
    #[must_use]
    pub fn date_of(&self, at: Timestamp) -> Date {
        match &self.0 {
            Kind::Fixed(offset) => {
                let days = at.as_millis().saturating_add(*offset).div_euclid(DAY);
                let range = Date::MIN.days_since_epoch()..=Date::MAX.days_since_epoch();
                let days = days.clamp((*range.start()).into(), (*range.end()).into());
                Date::of_checked(days as i32)
            }
            // A calendar need not know what lies beyond.
            Kind::Host(calendar) => {
                calendar.date_of(at.clamp(Timestamp::MIN, Timestamp::MAX))
            }
        }
    }

    /// The first instant of a day.
    #[must_use]
    pub fn start_of(&self, day: Date) -> Timestamp {
        match &self.0 {
            Kind::Fixed(offset) => {
                let start = i64::from(day.days_since_epoch()) * DAY;
                Timestamp::from_millis(start - offset)
            }
            // Near the calendar of instants, so that what is computed of it fits.
            Kind::Host(calendar) => {
                let [first, last] =
                    [Timestamp::MIN, Timestamp::MAX].map(Timestamp::as_millis);
                let start = calendar.start_of(day).as_millis();
                Timestamp::from_millis(start.clamp(first - DAY, last + DAY))
            }
        }
    }
}

/// Fixed offsets are equal when they are the same, calendars when they are one object.
impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        match (&self.0, &other.0) {
            (Kind::Fixed(a), Kind::Fixed(b)) => a == b,
            (Kind::Host(a), Kind::Host(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::utc()
    }
}

/// A day of the week.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "their names say it")]
pub enum Weekday {
    #[default]
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// The weekday of a date.
    ///
    /// ```
    /// use segmenta::data::{Date, Weekday};
    ///
    /// assert_eq!(Weekday::of(Date::from_ymd(2024, 5, 31)?), Weekday::Friday);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn of(date: Date) -> Weekday {
        const WEEK: [Weekday; 7] = [
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
            Weekday::Saturday,
            Weekday::Sunday,
        ];
        // The epoch is a Thursday.
        WEEK[(date.days_since_epoch() + 3).rem_euclid(7) as usize]
    }
}

/// When and where a definition that depends on time is asked: the present instant, the
/// zone whose days count, and the day on which weeks begin.
///
/// ```
/// use segmenta::data::{Moment, Timestamp, Weekday, Zone};
///
/// let now: Timestamp = "2024-05-31T12:00:00Z".parse()?;
/// let here = Moment::new(now).zone(Zone::fixed(120)?).week_start(Weekday::Sunday);
/// assert_eq!(here.today().to_string(), "2024-05-31");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    now: Timestamp,
    zone: Zone,
    week_start: Weekday,
}

impl Moment {
    /// An instant, in UTC, with weeks that begin on Monday.
    #[must_use]
    pub const fn new(now: Timestamp) -> Moment {
        Moment { now, zone: Zone::utc(), week_start: Weekday::Monday }
    }

    /// States the zone whose days count.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Moment {
        self.zone = zone;
        self
    }

    /// States the day on which weeks begin.
    #[must_use]
    pub fn week_start(mut self, day: Weekday) -> Moment {
        self.week_start = day;
        self
    }

    /// The same place at another instant.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Moment {
        Moment { now, ..self.clone() }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The zone whose days count.
    #[must_use]
    pub fn get_zone(&self) -> &Zone {
        &self.zone
    }

    /// The day on which weeks begin.
    #[must_use]
    pub fn get_week_start(&self) -> Weekday {
        self.week_start
    }

    /// The present day.
    #[must_use]
    pub fn today(&self) -> Date {
        self.zone.date_of(self.now)
    }
}

impl From<Timestamp> for Moment {
    fn from(now: Timestamp) -> Moment {
        Moment::new(now)
    }
}

#[cfg(feature = "jiff")]
mod with_jiff {
    use super::{Calendar, Date, Timestamp, Zone};

    #[derive(Debug)]
    struct Jiff(::jiff::tz::TimeZone);

    impl Calendar for Jiff {
        fn date_of(&self, at: Timestamp) -> Date {
            let instant = ::jiff::Timestamp::from_millisecond(at.as_millis());
            let date = instant.map(|instant| self.0.to_datetime(instant).date());
            let Some(date) = date.ok().and_then(|date| Date::try_from(date).ok()) else {
                // Beyond the range of `jiff` lie the first and last days of ours.
                return if at.as_millis() < 0 { Date::MIN } else { Date::MAX };
            };
            // Where clocks are put back over midnight, a day that began goes on.
            let next = date.days_since_epoch().checked_add(1).map(Date::from_days);
            match next {
                Some(Ok(next)) if self.start_of(next) <= at => next,
                _ => date,
            }
        }

        fn start_of(&self, day: Date) -> Timestamp {
            let date = ::jiff::civil::Date::try_from(day).ok();
            let start = date.and_then(|date| {
                let zoned = date.to_zoned(self.0.clone()).ok()?;
                zoned.start_of_day().ok()
            });
            match start {
                Some(start) => Timestamp::from_millis(start.timestamp().as_millisecond()),
                None => Zone::utc().start_of(day),
            }
        }
    }

    /// The zone of `jiff`, with its daylight saving time.
    impl From<::jiff::tz::TimeZone> for Zone {
        fn from(zone: ::jiff::tz::TimeZone) -> Zone {
            Zone::new(Jiff(zone))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_where_dates_change() {
        for minutes in [0, 60, -60, 330, -720, 14 * 60] {
            let zone = Zone::fixed(minutes).unwrap();
            for days in [-1, 0, 1, 19_000] {
                let day = Date::from_days(days).unwrap();
                let start = zone.start_of(day);
                let before = Timestamp::from_millis(start.as_millis() - 1);
                assert_eq!(zone.date_of(start), day);
                assert_eq!(zone.date_of(before).days_until(day), 1);
            }
        }
        assert!(Zone::fixed(24 * 60).is_err() && Zone::fixed(i32::MIN).is_err());
        let ends = [i64::MIN, i64::MAX].map(Timestamp::from_millis);
        assert_eq!(ends.map(|t| Zone::utc().date_of(t)), [Date::MIN, Date::MAX]);
    }

    #[cfg(feature = "jiff")]
    #[test]
    fn zones_of_jiff_know_daylight_saving_time() {
        // The rules of Central Europe, without a database.
        let zone = ::jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let zone = Zone::from(zone);
        let day = |text: &str| text.parse::<Date>().unwrap();
        let start = |text: &str| zone.start_of(day(text)).to_string();
        assert_eq!(start("2024-03-31"), "2024-03-30T23:00:00Z");
        assert_eq!(start("2024-04-01"), "2024-03-31T22:00:00Z");
        let late = "2024-07-01T22:30:00Z".parse().unwrap();
        assert_eq!(zone.date_of(late), day("2024-07-02"));
        // Clocks that are put back over midnight: the new day does not end again.
        let rules = "NST3:30NDT,M4.1.0/0:01,M10.5.0/0:01";
        let zone = Zone::from(::jiff::tz::TimeZone::posix(rules).unwrap());
        let dates = ["02:29:59", "02:30:30", "02:31:00", "03:31:00"].map(|time| {
            zone.date_of(format!("2010-10-31T{time}Z").parse().unwrap()).to_string()
        });
        assert_eq!(dates, ["2010-10-30", "2010-10-31", "2010-10-31", "2010-10-31"]);
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(zone.date_of(end), Zone::utc().date_of(end));
        }
    }
}
