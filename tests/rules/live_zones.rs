//! Live books in zones whose clocks are put forward and back, over many steps.

use segmenta::data::{
    Calendar, Date, EventLog, FeatureIndex, FeatureSpec, Moment, OwnedCustomer,
    OwnedValue, Schema, Span, StreamIndex, StreamSpec, Timestamp, Value, Weekday, Zone,
};
use segmenta::rules::{Granularity, Limits, LiveConfig, LiveScratch, RuleBook, RuleSet};
use segmenta::segmenter::Truth;

const HOUR: i64 = 3_600_000;

/// Numbers that look random and are the same each time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041);
        (self.0 >> 33) % n
    }
}

const RULES: [&str; 16] = [
    "events(order).count in last 30d >= 8",
    "events(order).sum(amount) in last 7d >= 30",
    "events(order).count in this month >= 4",
    "events(order).count in this day >= 1",
    "events(order).count in last 2 whole weeks >= 6",
    "events(order).active_days in last 1 whole month >= 9",
    "events(order).last_day in last 90d in last 2d",
    "events(order where channel = 'web').average(amount) in last 60d >= 6",
    "events(order).first(channel) in last 20d = 'web'",
    "events(order).last(channel) = 'shop'",
    "events(order).distinct(product) in last 10d >= 5",
    "events(order).max(amount) in last 3d >= 11",
    "born has anniversary in next 7d",
    "segment 's3' and not segment 's0' or born in next 400d",
    "at least 2 of (segment 's1', segment 's2', events(visit) in last 3d)",
    "events(visit).count in last 1 whole year >= 3 or not events(order) in last 1h",
];

fn schema() -> Schema {
    let channel = FeatureSpec::category("channel").levels(["web", "shop"]);
    let product = FeatureSpec::category("product");
    let order =
        StreamSpec::new("order", [FeatureSpec::number("amount"), channel, product]);
    let builder = Schema::builder().feature(FeatureSpec::date("born"));
    builder.stream(order).stream(StreamSpec::new("visit", [])).build().unwrap()
}

fn check(zone: &Zone, week_start: Weekday, granularity: Granularity, seed: u64) {
    let schema = schema();
    let builder =
        RULES.iter().enumerate().fold(RuleBook::builder(&schema), |b, (i, rule)| {
            b.segment(format!("s{i}"), format!("S{i}"), rule.parse().unwrap())
        });
    let book = builder.rest("rest", "The rest").build().unwrap();
    let config = LiveConfig::new()
        .granularity(granularity)
        .zone(zone.clone())
        .week_start(week_start);
    let live = book.live(&config).unwrap();
    let mut scratch = LiveScratch::new();
    let mut draw = Draw(seed);
    // From autumn to autumn.
    let mut now: i64 = 1_696_000_000_000;
    let mut ann = live.customer(Timestamp::from_millis(now));
    let mut logs: [Vec<(Timestamp, Vec<OwnedValue>)>; 2] = [Vec::new(), Vec::new()];
    let mut born = OwnedValue::Missing;
    let mut truths = live.membership(&ann, &mut scratch).unwrap();
    let mut n_changes = 0;
    for step in 0..900 {
        now += (draw.below(20 * HOUR as u64)) as i64;
        let late = if draw.below(5) == 0 { draw.below(70 * 24) as i64 * HOUR } else { 0 };
        let at = Timestamp::from_millis(now - late);
        let changes = match draw.below(10) {
            0 => {
                let day = Date::from_days(19_600 + draw.below(500) as i32).unwrap();
                born = OwnedValue::Date(day);
                live.set(&mut ann, FeatureIndex::new(0), Value::Date(day), &mut scratch)
            }
            1 => live.advance(&mut ann, Timestamp::from_millis(now), &mut scratch),
            2 => {
                logs[1].push((live.step_of(at), Vec::new()));
                live.event(&mut ann, StreamIndex::new(1), at, &[], &mut scratch)
            }
            _ => {
                let amount = draw.below(1200) as f64 / 100.0;
                let channel = ["web", "shop"][draw.below(2) as usize];
                let product = format!("product {}", draw.below(9) + step / 100);
                let values = [
                    Value::Number(amount),
                    Value::Category(channel),
                    Value::Category(&product),
                ];
                let owned = values.into_iter().map(Value::to_owned).collect();
                logs[0].push((live.step_of(at), owned));
                live.event(&mut ann, StreamIndex::new(0), at, &values, &mut scratch)
            }
        };
        for change in changes.unwrap() {
            assert_eq!(truths[change.segment.get()], change.from);
            truths[change.segment.get()] = change.to;
            n_changes += 1;
        }
        if step % 7 == 0 {
            ann = live.load(&live.save(&ann).unwrap()).unwrap();
        }
        if step % 3 == 0 {
            let customer =
                OwnedCustomer::new(&schema, 1).set("born", born.clone()).unwrap();
            let streams = schema.streams().iter().zip(&logs);
            let customer = streams.fold(customer, |customer, (spec, log)| {
                let log = EventLog::new(spec, log.iter().cloned()).unwrap();
                customer.set_events(spec.name(), log).unwrap()
            });
            let moment: Moment = live.moment(&ann).unwrap();
            let expected = book.at(moment).membership(&customer).unwrap();
            assert_eq!(truths, expected, "{granularity:?} step {step}");
        }
    }
    assert!(n_changes > 300, "{n_changes}");
    assert!(RULES.len() < truths.len() && truths.contains(&Truth::False));
}

const STEPS: [Granularity; 4] = [
    Granularity::Day,
    Granularity::Every(Span::hours(1)),
    Granularity::Every(Span::hours(7)),
    Granularity::Every(Span::from_millis(1)),
];

#[test]
fn a_year_beside_the_book() {
    for (seed, granularity) in STEPS.into_iter().enumerate() {
        let zone = Zone::fixed(-330).unwrap();
        check(&zone, Weekday::Sunday, granularity, seed as u64);
    }
}

#[cfg(feature = "jiff")]
#[test]
fn clocks_are_put_forward_and_back() {
    // Central Europe, Newfoundland at midnight, and a zone of Lord Howe Island, half an hour.
    let rules = [
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    ];
    for (seed, rule) in rules.into_iter().enumerate() {
        let zone = Zone::from(jiff::tz::TimeZone::posix(rule).unwrap());
        for granularity in STEPS {
            check(&zone, Weekday::Monday, granularity, 7 + seed as u64);
        }
    }
}

/// A calendar that knows only its own days, and adds without looking.
#[derive(Debug)]
struct Strict(i64);

impl Calendar for Strict {
    fn date_of(&self, at: Timestamp) -> Date {
        assert!((Timestamp::MIN..=Timestamp::MAX).contains(&at), "{at}");
        Zone::utc().date_of(Timestamp::from_millis(at.as_millis() - self.0))
    }

    fn start_of(&self, day: Date) -> Timestamp {
        Timestamp::from_millis(Zone::utc().start_of(day).as_millis() + self.0)
    }
}

#[test]
fn calendars_are_asked_about_their_own_days_only() {
    let schema = Schema::builder().stream(StreamSpec::new("visit", [])).build().unwrap();
    let rule = "events(visit).count in last 9223372036854775807ms >= 1".parse().unwrap();
    let set = RuleSet::new().segment("s", "S", rule);
    let limits = Limits::new().window(Span::from_millis(u64::MAX));
    let book = set.compile_book_with(&schema, &limits).unwrap();
    for steps in STEPS {
        let zone = Zone::new(Strict(4 * HOUR));
        let live = book.live(&LiveConfig::new().granularity(steps).zone(zone)).unwrap();
        let mut scratch = LiveScratch::new();
        for at in [Timestamp::MIN, Timestamp::from_millis(0), Timestamp::MAX] {
            let mut ann = live.customer(at);
            let visit = StreamIndex::new(0);
            live.event(&mut ann, visit, at, &[], &mut scratch).unwrap();
            live.advance(&mut ann, Timestamp::MAX, &mut scratch).unwrap();
            assert_eq!(live.membership(&ann, &mut scratch).unwrap(), [Truth::True]);
        }
    }
}

#[cfg(feature = "jiff")]
#[test]
fn zones_that_agree_in_winter_and_in_summer_are_told_apart() {
    // Athens and Jerusalem.
    let zones = ["EET-2EEST,M3.5.0/3,M10.5.0/4", "IST-2IDT,M3.4.4/26,M10.5.0"];
    let schema = Schema::builder().stream(StreamSpec::new("visit", [])).build().unwrap();
    let book = RuleBook::builder(&schema)
        .segment("s", "S", "events(visit) in this day".parse().unwrap())
        .build()
        .unwrap();
    let [athens, jerusalem] = zones.map(|zone| {
        let zone = Zone::from(jiff::tz::TimeZone::posix(zone).unwrap());
        book.live(&LiveConfig::new().zone(zone)).unwrap()
    });
    let ann = athens.customer(Timestamp::from_millis(0));
    let saved = athens.save(&ann).unwrap();
    assert!(athens.load(&saved).is_ok() && jerusalem.load(&saved).is_err());
}

/// A calendar that breaks its contract in some way.
#[derive(Debug)]
struct Broken(u64);

impl Calendar for Broken {
    fn date_of(&self, at: Timestamp) -> Date {
        let day = Zone::utc().date_of(at).days_since_epoch();
        let day = match self.0 {
            // Backwards, one day only, at random.
            0 => -day,
            1 => 0,
            2 => Draw(at.as_millis() as u64).below(60_000) as i32,
            _ => day,
        };
        Date::from_days(
            day.clamp(Date::MIN.days_since_epoch(), Date::MAX.days_since_epoch()),
        )
        .unwrap()
    }

    fn start_of(&self, day: Date) -> Timestamp {
        let start = Zone::utc().start_of(day);
        Timestamp::from_millis(match self.0 {
            0 | 3 => -start.as_millis(),
            1 => 0,
            4 => i64::MIN,
            5 => i64::MAX,
            6 => start.as_millis() + HOUR,
            7 => start.as_millis() - HOUR,
            // Only pairs of days are exchanged.
            8 => start.as_millis() + (day.days_since_epoch() & 1) as i64 * 48 * HOUR,
            _ => Draw(day.days_since_epoch() as u64).below(1 << 31) as i64 * 1000,
        })
    }
}

#[test]
fn calendars_that_break_their_contract_are_refused_and_do_no_harm() {
    let schema = schema();
    let set = RULES.iter().enumerate().fold(RuleSet::new(), |set, (i, rule)| {
        set.segment(format!("s{i}"), "S", rule.parse().unwrap())
    });
    let set = set.segment(
        "days",
        "Days",
        "events(visit).count from '2024-01-01' to '2024-03-01' = 0".parse().unwrap(),
    );
    let book = set.compile_book(&schema).unwrap();
    let visits = StreamSpec::new("visit", []);
    let instant = |text: &str| text.parse::<Timestamp>().unwrap();
    let times = ["2023-12-31T23:30:00Z", "2024-02-10T05:00:00Z", "2024-05-30T22:00:00Z"];
    let log =
        EventLog::new(&visits, times.map(|time| (instant(time), [0.0; 0]))).unwrap();
    let orders = EventLog::new(
        &schema.streams()[0].clone(),
        [(
            instant(times[1]),
            [OwnedValue::Missing, OwnedValue::Missing, OwnedValue::Missing],
        )],
    )
    .unwrap();
    let ann = OwnedCustomer::new(&schema, 1)
        .set("born", Date::from_days(9_000).unwrap())
        .unwrap()
        .set_events("visit", log)
        .unwrap()
        .set_events("order", orders)
        .unwrap();
    for kind in 0..10 {
        let zone = Zone::new(Broken(kind));
        assert!(zone.validate().is_err(), "{kind}");
        for granularity in [Granularity::Day, Granularity::Every(Span::from_millis(1))] {
            let config = LiveConfig::new().zone(zone.clone()).granularity(granularity);
            let error = book.live(&config).unwrap_err().to_string();
            assert!(error.contains("`zone`"), "{error}");
        }
        for now in [instant("2024-06-01T12:00:00Z"), Timestamp::MIN, Timestamp::MAX] {
            let bound = book.at(Moment::new(now).zone(zone.clone()));
            bound.membership(&ann).unwrap();
            let change = bound.next_change(&ann).unwrap();
            assert!(change.is_none_or(|change| change.at > now));
        }
    }
    for zone in [Zone::utc(), Zone::fixed(-720).unwrap()] {
        assert!(zone.validate().is_ok());
    }
}
