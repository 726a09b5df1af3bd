//! Habits: their short forms, and what they say against counting by hand.

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{
    Calendar, Date, EventLog, FeatureSpec, Moment, OwnedCustomer, OwnedValue, Schema,
    Span, StreamSpec, Table, Timestamp, Weekday, Zone,
};
use segmenta::rules::{
    CalendarUnit, Limits, LiveConfig, LiveScratch, Period, Rule, RuleBook, RuleSet,
    RuleText, Window, events, field, step,
};
use segmenta::segmenter::Truth;

use super::behaviour::{DAY, NOW, WEEK};

const UNITS: [CalendarUnit; 5] = [
    CalendarUnit::Day,
    CalendarUnit::Week,
    CalendarUnit::Month,
    CalendarUnit::Quarter,
    CalendarUnit::Year,
];

fn shop() -> Schema {
    let order = [FeatureSpec::number("amount"), FeatureSpec::category("channel")];
    Schema::builder().stream(StreamSpec::new("order", order)).build().unwrap()
}

#[track_caller]
fn means(text: &str, rule: Rule) {
    assert_eq!(text.parse::<Rule>().unwrap(), rule, "{text}");
    // What is written out is read back.
    assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule, "{rule}");
    rule.compile(&shop()).unwrap();
}

#[test]
fn short_forms_are_what_is_built() {
    let orders = || events("order");
    let web = || orders().filter(field("channel").eq("web"));
    means(
        "events(order) in each of last 3 whole months",
        orders().in_each_of(3, CalendarUnit::Month, 1),
    );
    means(
        "EVENTS(order).count IN EACH OF LAST 2 WHOLE Weeks TO NOW >= 4",
        orders().in_each_of(2, Period::ToNow(CalendarUnit::Week), 4),
    );
    means(
        "events(order where channel = 'web') in each of last 4 periods of 30d",
        web().in_each_of(4, Span::days(30), 1),
    );
    means(
        "events(order).count in at least 4 of last 6 whole weeks >= 2",
        orders().in_some_of(4, 6, CalendarUnit::Week, 2),
    );
    means(
        "events(order) in at least 1 of last 2 periods of 36h",
        orders().in_some_of(1, 2, Span::hours(36), 1),
    );
    means(
        "events(order where channel = 'web') stopped after 180d for 90d",
        web().stopped(Span::days(180), Span::days(90)),
    );
    means(
        "events(order) resumed after 365d silent for 90d in last 7d",
        orders().resumed(Span::days(365), Span::days(90), Span::days(7)),
    );
    means(
        "events(order where channel = 'web') in last 2 whole quarters without gap over 30d",
        web().calendar(2, CalendarUnit::Quarter).without_gap(Span::days(30)),
    );
    means("events(order) without gap over 1d", orders().without_gap(Span::days(1)));
    // Any test of any aggregate, asked in each window.
    let each = |test: &dyn Fn(Window) -> Rule| {
        Rule::all(Period::Whole(CalendarUnit::Month).windows(2).map(test))
    };
    means(
        "events(order).sum(amount) in each of last 2 whole months between 1 and 9",
        each(&|window| orders().within(window).sum("amount").between(1, 9)),
    );
    means(
        "events(order).average(amount) in each of last 2 whole months != 3 when missing yes",
        each(&|window| {
            !orders().within(window).average("amount").when_missing(false).eq(3)
        }),
    );
    means(
        "not events(order) in each of last 2 whole months",
        !each(&|window| orders().within(window).count().ge(1)),
    );
    means(
        "events(order) in each of last 1 whole day or events(order) stopped after 2d for 1d",
        orders().in_each_of(1, CalendarUnit::Day, 1)
            | orders().stopped(Span::days(2), Span::days(1)),
    );
    // Streams and properties may be called like the words of habits.
    let words = |text: &str| text.parse::<Rule>().unwrap();
    assert_eq!(
        words("events(stopped) stopped after 1d for 1d and each and resumed"),
        Rule::all([
            events("stopped").stopped(Span::days(1), Span::days(1)),
            field("each").eq(true),
            field("resumed").eq(true),
        ])
    );
    assert_eq!(events("e").without_gap(Span::days(2)), {
        let silence = segmenta::rules::sequence(step("e"))
            .then_not(step("e").within(Span::days(2)))
            .rule();
        events("e").count().ge(1) & !silence
    });
}

#[test]
fn windows_of_periods_follow_one_another() {
    for period in UNITS.map(Period::from).into_iter().chain([Span::days(3).into()]) {
        assert_eq!(period.windows(0).count(), 0);
        assert_eq!(period.windows(7).count(), 7);
    }
    for unit in UNITS {
        let to_now: Vec<Window> = Period::ToNow(unit).windows(3).collect();
        let whole: Vec<Window> = Period::Whole(unit).windows(3).collect();
        assert_eq!(to_now[1..], whole[..]);
        let this = Window::Calendar { n: 0, unit, include_current: true };
        assert_eq!(to_now[0], this);
    }
    // As long as can be said, and no longer.
    let longest = Span::from_millis(u64::MAX);
    let windows: Vec<Window> = Period::Fixed(longest).windows(2).collect();
    assert_eq!(windows[1], Window::Ago { from: longest, to: longest });
}

/// The faults of a text, as code, place, suggestion.
fn faults(text: &str) -> Vec<(String, String, Option<String>)> {
    let error = RuleText::parse(text).and_then(|text| text.compile(&shop())).unwrap_err();
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    let told = issues.iter().map(|issue| {
        let span = issue.span.unwrap();
        let at = text[span.start..span.end].to_owned();
        (issue.code.clone(), at, issue.suggestion.clone())
    });
    told.collect()
}

#[test]
fn faults_are_told_with_their_places() {
    #[track_caller]
    fn one(text: &str, code: &str, at: &str, suggestion: Option<&str>) {
        let expected = (code.to_owned(), at.to_owned(), suggestion.map(str::to_owned));
        assert_eq!(faults(text), [expected], "{text}");
    }
    let bad = "unexpected";
    one("events(order) in each of 3 whole months", bad, "3", None);
    one("events(order) in each of last x", bad, "x", None);
    one("events(order) in each of last 70000 whole days", bad, "70000", None);
    one("events(order) in each of last 1.5 whole days", bad, "1.5", None);
    one("events(order) in each of last 3 months", bad, "months", Some("3 whole months"));
    one("events(order) in each of last 3 30d", bad, "30d", Some("3 periods of 30d"));
    one("events(order) in each of last 3 hours", bad, "hours", Some("3 periods of 1h"));
    one("events(order) in each of last 3 whole moons", bad, "moons", None);
    one("events(order) in each of last 3 periods of x", bad, "x", None);
    one("events(order) in at least x of last 6 whole weeks", bad, "x", None);
    one("events(order) in at least 4 last 6 whole weeks", bad, "last", None);
    one("events(order) stopped for 90d", bad, "for", None);
    one("events(order) stopped after 90d", bad, "", None);
    one("events(order) stopped after x for 90d", bad, "x", None);
    one("events(order) resumed after 90d for 3d in last 1d", bad, "for", None);
    one("events(order) resumed after 90d silent for 3d", bad, "", None);
    one("events(order) without gap of 3d", bad, "gap", None);
    one("events(order) stoped after 9d for 9d", bad, "stoped", Some("stopped"));
    one("events(order) in last 9d stopped after 9d for 9d", bad, "stopped", None);
    one("events(order).count stopped after 9d for 9d", bad, "stopped", None);
    one("amount stopped after 9d for 9d", bad, "stopped", None);
    one("events(order) from 3 to 2 months ago", bad, "months", None);
    one("events(order) from 3 to 2 whole months", bad, "", None);
    one("events(order) from 3 to x whole months ago", bad, "x", None);
    // Faults against the schema: each once, however often it is written out.
    let unknown = "unknown-stream";
    for text in [
        "events(ordr) in each of last 12 whole months",
        "events(ordr) in at least 2 of last 12 whole months to now",
        "events(ordr) stopped after 180d for 90d",
        "events(ordr) resumed after 180d silent for 90d in last 7d",
        "events(ordr) without gap over 7d",
    ] {
        one(text, unknown, "ordr", Some("order"));
    }
    let typo = "unknown-property";
    for text in [
        "events(order where chanel = 'web') in each of last 12 whole months",
        "events(order where chanel = 'web') without gap over 7d",
        "events(order where chanel = 'web') stopped after 1d for 1d",
    ] {
        one(text, typo, "chanel", Some("channel"));
    }
    one(
        "events(order) in last 0d without gap over 7d",
        "empty-window",
        "in last 0d",
        None,
    );
    let least = "events(order) in at least 7 of last 6 whole weeks";
    one(least, "bad-count", "7", None);
    let none = "events(order) in each of last 0 whole weeks";
    one(none, "empty-list", none, None);
    let long = "events(order) in each of last 11 whole years";
    one(long, "window-too-long", "in each of last 11 whole years", None);
    // Two faults in a filter are two.
    let both =
        "events(order where chanel = 'a' and amont > 1) in each of last 9 whole days";
    assert_eq!(faults(both).len(), 2);
}

#[test]
fn what_is_written_out_is_as_long_as_a_text_may_be() {
    let code = |text: &str, limits: &Limits| -> Option<(String, Option<String>)> {
        let error = RuleText::parse_with(text, limits).err()?;
        let ErrorKind::Definition { issues, .. } = error.kind() else {
            panic!("{error}")
        };
        Some((issues[0].code.clone(), issues[0].found.clone()))
    };
    let text = "events(order) in each of last 65535 whole days";
    let found = Some((65535 * text.len()).to_string());
    let too_long = |found: Option<String>| Some(("text-too-long".to_owned(), found));
    assert_eq!(code(text, &Limits::new()), too_long(found));
    assert_eq!(code(text, &Limits::new().text_len(1 << 23)), None);
    // Habits inside habits count as often as both are written out.
    let mut text = "a".to_owned();
    for _ in 0..90 {
        text = format!("events(e where {text}) in each of last 2 whole days");
    }
    assert_eq!(code(&text, &Limits::new()).unwrap().0, "text-too-long");
    let mut text = "a".to_owned();
    for _ in 0..90 {
        text = format!("events(e where {text}) without gap over 2d");
    }
    assert_eq!(code(&text, &Limits::new()).unwrap().0, "text-too-long");
    // All habits of a text together.
    let one = "events(order) in each of last 9999 whole days";
    assert_eq!(code(one, &Limits::new()), None);
    let many = [one; 9].join(" or ");
    assert_eq!(code(&many, &Limits::new()).unwrap().0, "text-too-long");
}

/// An hour ahead of UTC, and two from the last Sunday of March to that of October, each at
/// 01:00 UTC, as is said of central Europe since 1996.
#[derive(Debug)]
struct Europe;

impl Europe {
    fn offset(at: i64) -> i64 {
        let (year, ..) = Zone::utc().date_of(Timestamp::from_millis(at)).to_ymd();
        let last_sunday = |month: u8| {
            let day =
                i64::from(Date::from_ymd(year, month, 31).unwrap().days_since_epoch());
            // Day 3 of 1970 is a Sunday.
            (day - (day - 3).rem_euclid(7)) * DAY + 3_600_000
        };
        let is_summer = (last_sunday(3)..last_sunday(10)).contains(&at);
        if is_summer { 7_200_000 } else { 3_600_000 }
    }
}

impl Calendar for Europe {
    fn date_of(&self, at: Timestamp) -> Date {
        let at = at.as_millis();
        Zone::utc().date_of(Timestamp::from_millis(at + Europe::offset(at)))
    }

    fn start_of(&self, day: Date) -> Timestamp {
        // Clocks are never changed at midnight.
        let midnight = i64::from(day.days_since_epoch()) * DAY;
        Timestamp::from_millis(midnight - Europe::offset(midnight - 3_600_000))
    }
}

/// Which unit a local time lies in, by hand: a number that is one more for the next unit.
fn unit_of(local: i64, unit: CalendarUnit, week_start: usize) -> i64 {
    let day = local.div_euclid(DAY);
    let (year, month, _) = Date::from_days(day as i32).unwrap().to_ymd();
    let month = i64::from(year) * 12 + i64::from(month) - 1;
    match unit {
        CalendarUnit::Day => day,
        // Day 4 of 1970 is a Monday.
        CalendarUnit::Week => (day - 4 - week_start as i64).div_euclid(7),
        CalendarUnit::Month => month,
        CalendarUnit::Quarter => month.div_euclid(3),
        CalendarUnit::Year => i64::from(year),
    }
}

#[derive(Clone, Debug)]
enum Habit {
    Each { least: Option<usize>, n: u16, length: Period, times: u32 },
    Stopped(u64, u64),
    Resumed(u64, u64, u64),
    Steady(u64),
}

impl Habit {
    fn rule(&self) -> Rule {
        let ms = Span::from_millis;
        match *self {
            Habit::Each { least: None, n, length, times } => {
                events("order").in_each_of(n, length, times)
            }
            Habit::Each { least: Some(least), n, length, times } => {
                events("order").in_some_of(least, n, length, times)
            }
            Habit::Stopped(active, silent) => {
                events("order").stopped(ms(active), ms(silent))
            }
            Habit::Resumed(active, silent, recent) => {
                events("order").resumed(ms(active), ms(silent), ms(recent))
            }
            Habit::Steady(most) => events("order").without_gap(ms(most)),
        }
    }

    /// The text of the short form.
    fn text(&self) -> String {
        let ms = Span::from_millis;
        match *self {
            Habit::Each { least, n, length, times } => {
                let each =
                    least.map_or("each".to_owned(), |least| format!("at least {least}"));
                let unit = |unit: CalendarUnit| {
                    let name = serde_json::to_string(&unit).unwrap();
                    format!("whole {}", name.trim_matches('"'))
                };
                let length = match length {
                    Period::Fixed(length) => format!("periods of {length}"),
                    Period::Whole(kind) => unit(kind),
                    Period::ToNow(kind) => unit(kind) + " to now",
                    other => panic!("{other:?}"),
                };
                format!("events(order).count in {each} of last {n} {length} >= {times}")
            }
            Habit::Stopped(active, silent) => {
                format!("events(order) stopped after {} for {}", ms(active), ms(silent))
            }
            Habit::Resumed(active, silent, recent) => format!(
                "events(order) resumed after {} silent for {} in last {}",
                ms(active),
                ms(silent),
                ms(recent)
            ),
            Habit::Steady(most) => {
                format!("events(order) without gap over {}", ms(most))
            }
        }
    }

    /// By hand, of the times of events.
    fn holds(&self, times: &[i64], now: i64, week_start: usize) -> bool {
        let past: Vec<i64> = times.iter().copied().filter(|&t| t < now).collect();
        let between = |from: u64, to: u64| {
            let ages = past.iter().map(|&t| (now - t) as u64);
            ages.filter(|&age| to < age && age <= from).count()
        };
        match *self {
            Habit::Each { least, n, length, times } => {
                let local = |at: i64| at + Europe::offset(at);
                let counts: Vec<usize> = match length {
                    Period::Fixed(length) => {
                        let length = length.as_millis();
                        (0..u64::from(n))
                            .map(|i| between(length * (i + 1), length * i))
                            .collect()
                    }
                    Period::Whole(unit) | Period::ToNow(unit) => {
                        let here = unit_of(local(now), unit, week_start);
                        let first = i64::from(length == Period::Whole(unit));
                        (first..=i64::from(n))
                            .map(|ago| {
                                let units = past
                                    .iter()
                                    .map(|&t| unit_of(local(t), unit, week_start));
                                units.filter(|&unit| unit == here - ago).count()
                            })
                            .collect()
                    }
                    other => panic!("{other:?}"),
                };
                let kept = counts.iter().filter(|&&n| n >= times as usize).count();
                kept >= least.unwrap_or(counts.len())
            }
            Habit::Stopped(active, silent) => {
                between(active + silent, silent) > 0 && between(silent, 0) == 0
            }
            Habit::Resumed(active, silent, recent) => {
                between(active + silent + recent, silent + recent) > 0
                    && between(silent + recent, recent) == 0
                    && between(recent, 0) > 0
            }
            Habit::Steady(most) => {
                let mut ends = past.clone();
                ends.push(now);
                ends.sort_unstable();
                !past.is_empty()
                    && ends.windows(2).all(|pair| (pair[1] - pair[0]) as u64 <= most)
            }
        }
    }
}

fn habit() -> impl Strategy<Value = Habit> {
    let unit = || prop::sample::select(UNITS.to_vec());
    let length = prop_oneof![
        1 => (1..40_u32).prop_map(|days| Period::from(Span::days(days))),
        1 => (1..2_000_000_000_u64).prop_map(|ms| Period::from(Span::from_millis(ms))),
        3 => unit().prop_map(Period::Whole),
        2 => unit().prop_map(Period::ToNow),
    ];
    let each = (1..6_u16, length, 1..3_u32, prop::option::of(1..6_usize)).prop_map(
        |(n, length, times, least)| {
            let least = least.map(|least| least.min(n.into()));
            Habit::Each { least, n, length, times }
        },
    );
    let ms = || {
        (1..100_u64, any::<bool>()).prop_map(|(n, odd)| n * DAY as u64 + u64::from(odd))
    };
    prop_oneof![
        4 => each,
        1 => (ms(), ms()).prop_map(|(a, b)| Habit::Stopped(a, b)),
        1 => (ms(), ms(), ms()).prop_map(|(a, b, c)| Habit::Resumed(a, b, c)),
        2 => ms().prop_map(Habit::Steady),
    ]
}

/// Instants, many of them at the ends of days, and near the changes of the clocks.
fn instant() -> impl Strategy<Value = i64> {
    let zone = Zone::new(Europe);
    let start = move |day: i64| {
        zone.start_of(Date::from_days((NOW / DAY + day) as i32).unwrap()).as_millis()
    };
    let start_too = start.clone();
    prop_oneof![
        3 => (-500..120_i64, 0..DAY).prop_map(|(day, ms)| (NOW / DAY + day) * DAY + ms),
        3 => (-500..120_i64, -1..2_i64).prop_map(move |(day, ms)| start(day) + ms),
        1 => (-66..-60_i64, 0..25_i64).prop_map(move |(day, hour)| start_too(day) + hour * 3_600_000),
    ]
}

fn customer(schema: &Schema, times: &[i64]) -> OwnedCustomer {
    let rows = times.iter().map(|&at| {
        let values = vec![OwnedValue::Number(1.0), OwnedValue::Missing];
        (Timestamp::from_millis(at), values)
    });
    let log = EventLog::new(&schema.streams()[0], rows).unwrap();
    OwnedCustomer::new(schema, 1).set_events("order", log).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn habits_are_what_counting_by_hand_gives(
        habits in prop::collection::vec(habit(), 1..6),
        mut times in prop::collection::vec(instant(), 0..30),
        now in instant(),
        week_start in 0..7_usize,
    ) {
        times.sort_unstable();
        let schema = shop();
        let set = habits.iter().enumerate().fold(RuleSet::new(), |set, (i, habit)| {
            set.segment(format!("s{i}"), format!("S{i}"), habit.rule())
        });
        for habit in &habits {
            prop_assert_eq!(habit.text().parse::<Rule>().unwrap(), habit.rule());
        }
        let moment = Moment::new(Timestamp::from_millis(now))
            .zone(Zone::new(Europe))
            .week_start(WEEK[week_start]);
        let book = set.compile_book(&schema).unwrap();
        let ann = customer(&schema, &times);
        let expected: Vec<Truth> = habits
            .iter()
            .map(|habit| habit.holds(&times, now, week_start).into())
            .collect();
        let bound = book.clone().at(moment.clone());
        prop_assert_eq!(bound.membership(&ann).unwrap(), expected.clone());
        let table = Table::from_customers(&schema, [&ann]).unwrap();
        let memberships = bound.memberships(&table).unwrap();
        for (i, truth) in expected.iter().enumerate() {
            let segment = segmenta::segmenter::SegmentIndex::new(i as u32);
            prop_assert_eq!(memberships.truth(0, segment), *truth);
        }
        // Nothing changes before the next change, and there it does.
        if let Some(change) = bound.next_change(&ann).unwrap().map(|change| change.at) {
            let truths = |at: i64| -> Vec<Truth> {
                let moment = moment.clone().at(Timestamp::from_millis(at));
                book.clone().at(moment).membership(&ann).unwrap()
            };
            prop_assert_eq!(&truths(change.as_millis() - 1), &expected);
            prop_assert_ne!(&truths(change.as_millis()), &expected);
            for (habit, truth) in habits.iter().zip(truths(change.as_millis())) {
                let by_hand = habit.holds(&times, change.as_millis(), week_start);
                prop_assert_eq!(Truth::from(by_hand), truth);
            }
        }
    }

    #[test]
    fn live_customers_keep_habits(
        habits in prop::collection::vec(habit(), 1..4),
        mut times in prop::collection::vec(instant(), 1..25),
        week_start in 0..7_usize,
    ) {
        times.sort_unstable();
        let schema = shop();
        let builder = habits.iter().enumerate().fold(
            RuleBook::builder(&schema),
            |builder, (i, habit)| {
                builder.segment(format!("s{i}"), format!("S{i}"), habit.rule())
            },
        );
        let book = builder.build().unwrap();
        let config = LiveConfig::new()
            .zone(Zone::new(Europe))
            .week_start(WEEK[week_start])
            .granularity(segmenta::rules::Granularity::Every(Span::from_millis(1)));
        let live = book.live(&config).unwrap();
        let mut scratch = LiveScratch::new();
        let mut ann = live.customer(Timestamp::from_millis(times[0]));
        for (i, &at) in times.iter().enumerate() {
            let values = [segmenta::data::Value::Number(1.0), segmenta::data::Value::Missing];
            let stream = segmenta::data::StreamIndex::new(0);
            let at = Timestamp::from_millis(at);
            live.event(&mut ann, stream, at, &values, &mut scratch).unwrap();
            let truths = live.membership(&ann, &mut scratch).unwrap();
            let now = live.moment(&ann).unwrap().now().as_millis();
            for (habit, truth) in habits.iter().zip(truths) {
                let by_hand = habit.holds(&times[..=i], now, week_start);
                prop_assert_eq!(Truth::from(by_hand), truth, "{:?}", habit);
            }
        }
    }
}

#[test]
fn a_month_with_a_change_of_clocks_is_whole() {
    // 2024-03-31T22:00Z is midnight of 1 April in central Europe, and 2024-02-29T23:00Z
    // midnight of 1 March.
    let schema = shop();
    let rule: Rule = "events(order) from 2 to 1 whole months ago".parse().unwrap();
    let rule = rule.compile(&schema).unwrap();
    let now = "2024-05-15T00:00:00Z".parse().unwrap();
    let moment = Moment::new(now).zone(Zone::new(Europe)).week_start(Weekday::Monday);
    for (at, expected) in [
        ("2024-02-29T22:59:59.999Z", false),
        ("2024-02-29T23:00:00Z", true),
        ("2024-03-31T21:59:59.999Z", true),
        ("2024-03-31T22:00:00Z", false),
    ] {
        let at: Timestamp = at.parse().unwrap();
        let ann = customer(&schema, &[at.as_millis()]);
        assert_eq!(
            rule.clone().at(moment.clone()).holds(&ann).unwrap(),
            expected,
            "{at}"
        );
    }
}
