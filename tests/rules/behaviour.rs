//! Rules over events against a naive interpreter.

use proptest::prelude::*;
use segmenta::Segmenter;
use segmenta::data::{
    Date, EventLog, FeatureKind, FeatureSpec, Moment, OwnedCustomer, OwnedValue, Schema,
    Span, StreamSpec, Table, Timestamp, Weekday, Zone,
};
use segmenta::rules::{
    Aggregate, BucketTest, CalendarUnit, ConsentAge, ConsentTest, DistanceTest,
    EARTH_RADIUS, EventTest, FieldTest, LeapDay, Location, PointsFor, PointsModel,
    PointsPart, Rule, RuleBook, RuleSet, ScoreTest, SequenceStep, SequenceTest, Test,
    Window, segment,
};
use segmenta::segmenter::{Persist, Saved, Truth};

use super::batch::{check, mixed};
use super::properties::{
    kleene, naive, rule as plain_rule, specs, swap, test as any_test, value,
};

pub(crate) const DAY: i64 = 86_400_000;
/// 2024-05-31T12:00:00Z, a Friday.
pub(crate) const NOW: i64 = 1_717_156_800_000;

/// What a customer is, and did: for each stream, times and values.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// Nothing where it is not known yet.
    pub(crate) id: Option<u64>,
    pub(crate) values: Vec<OwnedValue>,
    pub(crate) streams: Vec<Vec<(i64, Vec<OwnedValue>)>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) features: Vec<FeatureSpec>,
    /// The properties of each stream.
    pub(crate) streams: Vec<Vec<FeatureSpec>>,
    pub(crate) rules: Vec<Rule>,
    /// `p0` and so on.
    pub(crate) scores: Vec<PointsModel>,
    pub(crate) people: Vec<Person>,
    pub(crate) now: i64,
    /// Minutes ahead of UTC.
    pub(crate) offset: i32,
    pub(crate) week_start: usize,
}

pub(crate) const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// The obvious evaluation of tests of events.
pub(crate) mod oracle {
    use super::*;

    fn day(case: &Case, time: i64) -> i64 {
        (time + i64::from(case.offset) * 60_000).div_euclid(DAY)
    }

    /// A number that is the same for all days of a unit, and one more for the next.
    fn unit(case: &Case, day: i64, unit: CalendarUnit) -> i64 {
        let (year, month, _) = Date::from_days(day as i32).unwrap().to_ymd();
        let months = i64::from(year) * 12 + i64::from(month) - 1;
        match unit {
            CalendarUnit::Day => day,
            // Day 4 of 1970 is a Monday.
            CalendarUnit::Week => (day - 4 - case.week_start as i64).div_euclid(7),
            CalendarUnit::Month => months,
            CalendarUnit::Quarter => months.div_euclid(3),
            CalendarUnit::Year => i64::from(year),
        }
    }

    fn is_in(case: &Case, window: &Window, time: i64) -> bool {
        let now = case.now;
        let span = |span: &Span| span.as_millis() as i64;
        time < now
            && match window {
                Window::Ever => true,
                Window::Last(length) => now - span(length) <= time,
                Window::Ago { from, to } => {
                    now - span(from) <= time && time < now - span(to)
                }
                Window::Calendar { n, unit: kind, include_current } => {
                    let here = unit(case, day(case, time), *kind);
                    let today = unit(case, day(case, now), *kind);
                    (today - i64::from(*n)..today).contains(&here)
                        || *include_current && here == today
                }
                Window::CalendarAgo { from, to, unit: kind } => {
                    let here = unit(case, day(case, time), *kind);
                    let today = unit(case, day(case, now), *kind);
                    (today - i64::from(*from)..today - i64::from(*to)).contains(&here)
                }
                Window::Between { from, to } => {
                    let reached = |text: &str| match text.parse::<Date>() {
                        Ok(date) => day(case, time) >= date.days_since_epoch().into(),
                        Err(_) => time >= text.parse::<Timestamp>().unwrap().as_millis(),
                    };
                    reached(from) && !reached(to)
                }
                _ => unreachable!(),
            }
    }

    /// The events that a test is about.
    fn chosen<'p>(
        case: &Case,
        test: &EventTest,
        person: &'p Person,
    ) -> Vec<&'p (i64, Vec<OwnedValue>)> {
        let stream = test.name[1..].parse::<usize>().unwrap();
        let specs = &case.streams[stream];
        let mut chosen: Vec<&(i64, Vec<OwnedValue>)> = person.streams[stream]
            .iter()
            .filter(|(time, values)| {
                let passes = test.filter.as_ref().map(|r| naive::plain(r, specs, values));
                is_in(case, &test.window, *time)
                    && passes != Some(None)
                    && passes != Some(Some(false))
            })
            .collect();
        chosen.sort_by_key(|(time, _)| *time);
        chosen
    }

    fn aggregate(case: &Case, test: &EventTest, person: &Person) -> OwnedValue {
        let stream = test.name[1..].parse::<usize>().unwrap();
        let specs = &case.streams[stream];
        let chosen = chosen(case, test, person);
        let property = test.agg.property().map(|name| {
            let at = specs.iter().position(|spec| spec.name() == name).unwrap();
            chosen.iter().map(|(_, values)| &values[at]).collect::<Vec<_>>()
        });
        let property = property.unwrap_or_default();
        let there: Vec<&OwnedValue> =
            property.iter().copied().filter(|v| **v != OwnedValue::Missing).collect();
        let numbers: Vec<f64> = there
            .iter()
            .filter_map(|value| match value {
                OwnedValue::Number(x) => Some(*x),
                _ => None,
            })
            .collect();
        let number = |n: usize| OwnedValue::Number(n as f64);
        let date = |event: Option<&&(i64, Vec<OwnedValue>)>| {
            event.map_or(OwnedValue::Missing, |(time, _)| {
                OwnedValue::Date(Date::from_days(day(case, *time) as i32).unwrap())
            })
        };
        // The values that are drawn are added without rounding, but for 1e300, which
        // nothing that is added can change.
        let sum = numbers.iter().sum::<f64>().clamp(f64::MIN, f64::MAX);
        let best = |sign: f64| {
            let rank = |value: &OwnedValue| {
                sign * match value {
                    OwnedValue::Number(x) => *x,
                    OwnedValue::Date(date) => f64::from(date.days_since_epoch()),
                    other => panic!("{other:?}"),
                }
            };
            let best = there
                .iter()
                .copied()
                .cloned()
                .max_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap());
            best.unwrap_or_default()
        };
        match &test.agg {
            Aggregate::Count => number(chosen.len()),
            Aggregate::Sum(_) => OwnedValue::Number(sum),
            Aggregate::Average(_) if numbers.is_empty() => OwnedValue::Missing,
            Aggregate::Average(_) => OwnedValue::Number(sum / numbers.len() as f64),
            Aggregate::Min(_) => best(-1.0),
            Aggregate::Max(_) => best(1.0),
            Aggregate::Distinct(_) => {
                let mut seen: Vec<&OwnedValue> = Vec::new();
                for value in there {
                    if !seen.contains(&value) {
                        seen.push(value);
                    }
                }
                number(seen.len())
            }
            Aggregate::First(_) => {
                property.first().map_or(OwnedValue::Missing, |v| (*v).clone())
            }
            Aggregate::Last(_) => {
                property.last().map_or(OwnedValue::Missing, |v| (*v).clone())
            }
            Aggregate::FirstDay => date(chosen.first()),
            Aggregate::LastDay => date(chosen.last()),
            Aggregate::ActiveDays => {
                let mut days: Vec<i64> =
                    chosen.iter().map(|(time, _)| day(case, *time)).collect();
                days.dedup();
                number(days.len())
            }
            other => panic!("{other:?}"),
        }
    }

    /// Whether there is an event for each step, tried one after the other.
    fn sequence(case: &Case, test: &SequenceTest, person: &Person) -> bool {
        let events = |step: &SequenceStep| -> Vec<(i64, OwnedValue)> {
            let stream = step.name[1..].parse::<usize>().unwrap();
            let specs = &case.streams[stream];
            let same = test.same.as_ref();
            let same = same.map(|n| specs.iter().position(|s| s.name() == n).unwrap());
            let passing = person.streams[stream].iter().filter(|(time, values)| {
                let passes = step.filter.as_ref().map(|r| naive::plain(r, specs, values));
                is_in(case, &test.window, *time)
                    && passes.is_none_or(|passes| passes == Some(true))
            });
            let keyed = passing.map(|(time, values)| {
                // Any value will do where none must be the same.
                let key = same.map_or(OwnedValue::Flag(true), |at| values[at].clone());
                (*time, key)
            });
            keyed.filter(|(_, key)| *key != OwnedValue::Missing).collect()
        };
        let events: Vec<_> = test.steps.iter().map(events).collect();
        let firsts = events[0].clone();
        firsts.iter().any(|(_, key)| {
            let of_key = |events: &Vec<(i64, OwnedValue)>| -> Vec<i64> {
                events.iter().filter(|e| e.1 == *key).map(|e| e.0).collect()
            };
            let events: Vec<_> = events.iter().map(of_key).collect();
            events[0].iter().any(|&first| goes_on(case, test, &events, 1, first))
        })
    }

    /// Whether the steps from `at` on can follow what happened at `past`.
    fn goes_on(
        case: &Case,
        test: &SequenceTest,
        events: &[Vec<i64>],
        at: usize,
        past: i64,
    ) -> bool {
        let soon = |step: usize, time: i64| {
            let within = test.steps[step].within.map(|span| span.as_millis() as i64);
            time > past && within.is_none_or(|within| time - past <= within)
        };
        let next = (at..test.steps.len()).find(|&i| !test.steps[i].not);
        let denied = at..next.unwrap_or(test.steps.len());
        let nothing_before = |end: i64| {
            denied
                .clone()
                .all(|i| !events[i].iter().any(|&time| soon(i, time) && time < end))
        };
        match next {
            Some(next) => events[next].iter().any(|&time| {
                soon(next, time)
                    && nothing_before(time)
                    && goes_on(case, test, events, next + 1, time)
            }),
            None => {
                let has_passed = |i: usize| {
                    let within = test.steps[i].within.map(|s| s.as_millis() as i64);
                    within.is_none_or(|within| is_in(case, &test.window, past + within))
                };
                nothing_before(i64::MAX) && denied.clone().all(has_passed)
            }
        }
    }

    /// Kilometres along the surface, from the length of the chord.
    fn chord((latitude, longitude): (f64, f64), from: Location) -> f64 {
        let point = |latitude: f64, longitude: f64| {
            let [a, b] = [latitude.to_radians(), longitude.to_radians()];
            [a.cos() * b.cos(), a.cos() * b.sin(), a.sin()]
        };
        let (a, b) = (point(latitude, longitude), point(from.latitude, from.longitude));
        let square: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
        2.0 * EARTH_RADIUS * (square.sqrt() / 2.0).min(1.0).asin()
    }

    /// What is drawn for an id, as it is documented.
    fn drawn(salt: &str, id: u64) -> f64 {
        let hash = |text: &str| {
            text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
        };
        let mix = |x: u64| {
            let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        };
        let seed = mix(hash(salt) ^ mix(0x6275_636b_6574));
        (mix(seed ^ mix(hash(&id.to_string()))) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The answer of a test by the distance from today, if it is one.
    fn by_day(case: &Case, test: &Test, value: &OwnedValue) -> Option<Option<bool>> {
        let OwnedValue::Date(date) = value else { return None };
        let date = date.to_ymd();
        let today = day(case, case.now);
        let any = |span: &Span, accepts: &dyn Fn((i32, u8, u8)) -> bool, sign: i64| {
            let n = (span.as_millis() / DAY as u64) as i64;
            let ymd =
                |k: i64| Date::from_days((today + sign * k) as i32).unwrap().to_ymd();
            Some(Some((0..n).any(|k| accepts(ymd(k)))))
        };
        match test {
            Test::InLast(span) => any(span, &|day| day == date, -1),
            Test::InNext(span) => any(span, &|day| day == date, 1),
            Test::Anniversary { within, leap_day } => any(
                within,
                &|(year, month, day)| {
                    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                    let stands_in = match leap_day {
                        LeapDay::Feb28 => (month, day) == (2, 28),
                        LeapDay::Mar1 => (month, day) == (3, 1),
                        LeapDay::Skip => false,
                    };
                    let lost = (date.1, date.2) == (2, 29) && !is_leap;
                    year > date.0
                        && ((month, day) == (date.1, date.2) || lost && stands_in)
                },
                1,
            ),
            _ => None,
        }
    }

    /// The sum of some numbers, rounded once: what is lost in an addition is a number too
    /// (Knuth 1969, §4.2.2), and is added up beside.
    fn rounded_once(numbers: impl IntoIterator<Item = f64>) -> f64 {
        let (mut sum, mut lost) = (0.0, 0.0);
        for x in numbers {
            let total: f64 = sum + x;
            let part = total - sum;
            lost += (sum - (total - part)) + (x - part);
            sum = total;
        }
        sum + lost
    }

    /// The points of all parts.
    fn score(case: &Case, model: &PointsModel, person: &Person) -> f64 {
        let capped = |x: f64, cap: Option<f64>| cap.map_or(x, |cap| x.clamp(-cap, cap));
        let mut points = Vec::new();
        for part in &model.parts {
            let given = match &part.given_for {
                PointsFor::Rule(rule) => match truth(case, rule, person) {
                    Some(true) => part.points,
                    _ => 0.0,
                },
                PointsFor::Events { name, filter, window } => {
                    let test = EventTest {
                        name: name.clone(),
                        filter: filter.clone(),
                        agg: Aggregate::Count,
                        window: window.clone(),
                        is: Test::Set,
                        when_missing: None,
                    };
                    let left = |time: i64| match (part.half_life, part.every) {
                        (Some(half_life), Some(every)) => {
                            let [half_life, every] =
                                [half_life, every].map(|s| s.as_millis() as i64);
                            let age = (case.now - time) / every * every;
                            let is_gone = age >= 64 * half_life;
                            let left = (age as f64 / half_life as f64).exp2().recip();
                            if is_gone { 0.0 } else { left }
                        }
                        _ => 1.0,
                    };
                    let times = chosen(case, &test, person);
                    rounded_once(times.iter().map(|(time, _)| left(*time))) * part.points
                }
                other => panic!("{other:?}"),
            };
            points.push(capped(given, part.cap));
        }
        capped(rounded_once(points), model.cap)
    }

    /// The truth of each rule.
    pub(crate) fn truths(case: &Case, person: &Person) -> Vec<Truth> {
        case.rules.iter().map(|rule| kleene(truth(case, rule, person))).collect()
    }

    fn truth(case: &Case, rule: &Rule, person: &Person) -> Option<bool> {
        naive::truth(rule, &|test| match test {
            Rule::Field(test) => {
                let at =
                    case.features.iter().position(|f| f.name() == test.name).unwrap();
                let (spec, value) = (&case.features[at], &person.values[at]);
                let tested = || naive::tested(&test.is, test.when_missing, spec, value);
                by_day(case, &test.is, value).unwrap_or_else(tested)
            }
            Rule::Event(test) => {
                let stream = test.name[1..].parse::<usize>().unwrap();
                let spec = result(&test.agg, &case.streams[stream]);
                let value = aggregate(case, test, person);
                let tested = || naive::tested(&test.is, test.when_missing, &spec, &value);
                by_day(case, &test.is, &value).unwrap_or_else(tested)
            }
            Rule::Segment(other) => {
                let at = other.id.as_str()[1..].parse::<usize>().unwrap();
                truth(case, &case.rules[at], person)
            }
            Rule::Sequence(test) => Some(sequence(case, test, person)),
            Rule::Distance(test) => {
                let degrees = |name: &str| {
                    let at = case.features.iter().position(|f| f.name() == name);
                    match person.values[at.unwrap()] {
                        OwnedValue::Number(x) => Some(x),
                        _ => None,
                    }
                };
                let at = degrees(&test.latitude).zip(degrees(&test.longitude));
                let value = at.map(|at| chord(at, test.from));
                let value = value.map_or(OwnedValue::Missing, OwnedValue::Number);
                let spec = FeatureSpec::number("kilometres");
                naive::tested(&test.is, test.when_missing, &spec, &value)
            }
            Rule::Bucket(test) => {
                let drawn = person.id.map(|id| drawn(&test.salt, id));
                let value = drawn.map_or(OwnedValue::Missing, OwnedValue::Number);
                naive::tested(&test.is, None, &FeatureSpec::number("share"), &value)
            }
            Rule::Score(test) => {
                let at = test.id[1..].parse::<usize>().unwrap();
                let value = OwnedValue::Number(score(case, &case.scores[at], person));
                naive::tested(&test.is, None, &FeatureSpec::number("points"), &value)
            }
            Rule::Consent(test) => {
                let find = |name: &str| {
                    case.features.iter().position(|f| f.name() == name).unwrap()
                };
                let is_state = match &person.values[find(&test.purpose)] {
                    OwnedValue::Flag(x) => *x,
                    OwnedValue::Category(name) => {
                        test.is.as_ref().unwrap().contains(name)
                    }
                    _ => false,
                };
                let is_recent = test.given.as_ref().is_none_or(|given| {
                    let value = &person.values[find(&given.on)];
                    let test = Test::InLast(given.in_last);
                    by_day(case, &test, value) == Some(Some(true))
                });
                Some(is_state && is_recent)
            }
            test => panic!("{test:?}"),
        })
    }
}

/// The kind and levels of an aggregate.
fn result(aggregate: &Aggregate, properties: &[FeatureSpec]) -> FeatureSpec {
    let property = aggregate
        .property()
        .map(|name| properties.iter().find(|p| p.name() == name).unwrap().clone());
    match aggregate {
        Aggregate::FirstDay | Aggregate::LastDay => FeatureSpec::date("result"),
        Aggregate::Min(_)
        | Aggregate::Max(_)
        | Aggregate::First(_)
        | Aggregate::Last(_) => property.unwrap(),
        _ => FeatureSpec::number("result"),
    }
}

fn aggregates(properties: &[FeatureSpec]) -> Vec<Aggregate> {
    let mut all = vec![
        Aggregate::Count,
        Aggregate::Count,
        Aggregate::FirstDay,
        Aggregate::LastDay,
        Aggregate::ActiveDays,
    ];
    for property in properties {
        let name = || property.name().to_owned();
        let kind = property.kind();
        if kind == FeatureKind::Number {
            all.extend([Aggregate::Sum(name()), Aggregate::Average(name())]);
        }
        if matches!(kind, FeatureKind::Number | FeatureKind::Date) {
            all.extend([Aggregate::Min(name()), Aggregate::Max(name())]);
        }
        if kind != FeatureKind::Tags {
            all.extend([
                Aggregate::Distinct(name()),
                Aggregate::First(name()),
                Aggregate::Last(name()),
            ]);
        }
    }
    all
}

fn span(days: impl Strategy<Value = u32>) -> impl Strategy<Value = Span> {
    days.prop_map(Span::days)
}

fn window() -> impl Strategy<Value = Window> {
    let units = prop::sample::select(vec![
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
        CalendarUnit::Quarter,
        CalendarUnit::Year,
    ]);
    prop_oneof![
        2 => Just(Window::Ever),
        3 => span(1..60_u32).prop_map(Window::Last),
        1 => (1..9_000_000_u64).prop_map(|ms| Window::Last(Span::from_millis(ms))),
        2 => (0..30_u32, 1..30_u32).prop_map(|(to, more)| Window::Ago {
            from: Span::days(to + more),
            to: Span::days(to),
        }),
        3 => (1..4_u32, units.clone(), any::<bool>())
            .prop_map(|(n, unit, include_current)| Window::Calendar { n, unit, include_current }),
        1 => units
            .clone()
            .prop_map(|unit| Window::Calendar { n: 0, unit, include_current: true }),
        2 => (0..3_u32, 1..3_u32, units)
            .prop_map(|(to, more, unit)| Window::CalendarAgo { from: to + more, to, unit }),
        1 => (1..30_u32, 1..30_u32).prop_map(|(from, to)| Window::Between {
            from: format!("2024-05-{from:02}"),
            to: format!("2024-06-{to:02}"),
        }),
        1 => (1..30_u32, 0..24_u32).prop_map(|(from, hour)| Window::Between {
            from: format!("2024-04-{from:02}T{hour:02}:00Z"),
            to: "2024-05-20T00:00:00.001Z".to_owned(),
        }),
    ]
}

/// Tests of a kind, those by the distance from today included.
fn test_at(spec: &FeatureSpec) -> BoxedStrategy<Test> {
    if spec.kind() == FeatureKind::Date {
        prop_oneof![any_test(spec), day_test()].boxed()
    } else {
        any_test(spec)
    }
}

fn day_test() -> impl Strategy<Value = Test> {
    let days = || span(prop_oneof![1..40_u32, 300..367_u32]);
    let leap_day =
        prop::sample::select(vec![LeapDay::Feb28, LeapDay::Mar1, LeapDay::Skip]);
    prop_oneof![
        days().prop_map(Test::InLast),
        days().prop_map(Test::InNext),
        (days(), leap_day)
            .prop_map(|(within, leap_day)| Test::Anniversary { within, leap_day }),
    ]
}

/// A test of a date by its distance from today; of everyone where there is no date.
fn day_rule(specs: &[FeatureSpec]) -> BoxedStrategy<Rule> {
    let dates = specs.iter().filter(|spec| spec.kind() == FeatureKind::Date);
    let names: Vec<String> = dates.map(|spec| spec.name().to_owned()).collect();
    if names.is_empty() {
        return Just(Rule::Everyone).boxed();
    }
    let when_missing = prop::option::of(any::<bool>());
    (prop::sample::select(names), day_test(), when_missing)
        .prop_map(|(name, is, when_missing)| {
            Rule::Field(FieldTest { name, is, when_missing })
        })
        .boxed()
}

/// Values of a kind; dates also near today, in years before, and leap days.
fn value_at(spec: &FeatureSpec) -> BoxedStrategy<OwnedValue> {
    if matches!(spec.name(), "lat" | "lon") {
        let degrees = prop::sample::select(vec![0.0, 10.0, 10.5, -45.0, 90.0]);
        return prop_oneof![
            4 => degrees.prop_map(OwnedValue::Number),
            1 => Just(OwnedValue::Missing),
        ]
        .boxed();
    }
    if spec.kind() != FeatureKind::Date {
        return value(spec);
    }
    let today = (NOW / DAY) as i32;
    let near = (-60..60_i32, 0..40_i32).prop_map(move |(day, year)| {
        OwnedValue::Date(Date::from_days(today + day - 365 * year).unwrap())
    });
    let leap = (0..9_i32)
        .prop_map(|i| OwnedValue::Date(Date::from_ymd(1992 + 4 * i, 2, 29).unwrap()));
    prop_oneof![2 => value(spec), 4 => near, 1 => leap].boxed()
}

fn event_rule(streams: Vec<Vec<FeatureSpec>>) -> impl Strategy<Value = Rule> {
    let tests: Vec<BoxedStrategy<Rule>> = streams
        .into_iter()
        .enumerate()
        .map(|(i, properties)| {
            let filter = prop::option::of(plain_rule(&properties).prop_map(Box::new));
            let agg =
                prop::sample::select(aggregates(&properties)).prop_flat_map(move |agg| {
                    let spec = result(&agg, &properties);
                    (test_at(&spec), Just(agg), prop::option::of(any::<bool>()))
                });
            (filter, window(), agg)
                .prop_map(move |(filter, window, (is, agg, when_missing))| {
                    let total =
                        matches!(is, Test::Set | Test::Missing) || !agg.may_be_missing();
                    let when_missing = if total { None } else { when_missing };
                    let name = format!("e{i}");
                    Rule::Event(EventTest { name, filter, agg, window, is, when_missing })
                })
                .boxed()
        })
        .collect();
    prop::strategy::Union::new(tests)
}

/// Scores of tests of a customer, and of events.
fn score(
    features: &[FeatureSpec],
    streams: &[Vec<FeatureSpec>],
) -> impl Strategy<Value = PointsModel> + use<> {
    let test = prop_oneof![
        3 => event_rule(streams.to_vec()),
        1 => sequence_rule(streams.to_vec()),
        1 => computed_rule(features),
        2 => super::properties::field_rule(features),
        1 => day_rule(features),
    ];
    let test = test.prop_recursive(2, 4, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(Rule::Any),
            some.prop_map(|of| Rule::AtLeast { n: of.len().div_ceil(2), of }),
            inner.prop_map(|rule| !rule),
        ]
    });
    let streams = streams.to_vec();
    let events = (0..streams.len()).prop_flat_map(move |stream| {
        let filter = prop::option::of(plain_rule(&streams[stream]).prop_map(Box::new));
        (filter, window()).prop_map(move |(filter, window)| PointsFor::Events {
            name: format!("e{stream}"),
            filter,
            window,
        })
    });
    let given_for = prop_oneof![2 => test.prop_map(PointsFor::Rule), 1 => events];
    let points = prop::sample::select(vec![1.0, 2.5, -3.0, 10.0, 1e-7]);
    let cap = || prop::option::weighted(0.3, prop::sample::select(vec![2.0, 8.0]));
    let hours = prop::sample::select(vec![(24, 12), (240, 120), (72, 24)]);
    let decay = prop::option::of(hours);
    let part =
        (points, given_for, cap(), decay).prop_map(|(points, given_for, cap, decay)| {
            let is_of_events = matches!(given_for, PointsFor::Events { .. });
            let decay = decay.filter(|_| is_of_events);
            PointsPart {
                name: "part".into(),
                points,
                given_for,
                cap,
                half_life: decay.map(|(half_life, _)| Span::hours(half_life)),
                every: decay.map(|(_, every)| Span::hours(every)),
            }
        });
    (prop::collection::vec(part, 1..5), cap())
        .prop_map(|(parts, cap)| PointsModel { parts, cap })
}

fn score_rule() -> impl Strategy<Value = Rule> {
    let literal = prop::sample::select(vec![0.0, 1.0, 2.5, 3.5, 7.0, 10.0]);
    (literal, 0..5_usize, 0..2_usize).prop_map(|(x, kind, of)| {
        let is = match kind {
            0 => Test::Lt(x.into()),
            1 => Test::Ge(x.into()),
            2 => Test::Gt((-x).into()),
            3 => Test::Between { lo: x.into(), hi: (x + 2.0).into() },
            _ => Test::In(vec![x.into(), 0.into()]),
        };
        Rule::Score(ScoreTest { id: format!("p{of}"), is })
    })
}

fn sequence_rule(streams: Vec<Vec<FeatureSpec>>) -> impl Strategy<Value = Rule> {
    let step = (0..streams.len()).prop_flat_map(move |stream| {
        let filter = prop::option::of(plain_rule(&streams[stream]).prop_map(Box::new));
        let within = prop_oneof![
            3 => Just(None),
            2 => span(1..30_u32).prop_map(Some),
            1 => (1..9_000_000_u64).prop_map(|ms| Some(Span::from_millis(ms))),
        ];
        (filter, any::<bool>(), within).prop_map(move |(filter, not, within)| {
            SequenceStep { name: format!("e{stream}"), filter, not, within }
        })
    });
    let same = prop::option::of((0..3_usize).prop_map(|i| format!("f{i}")));
    (prop::collection::vec(step, 2..6), same, window()).prop_map(
        |(mut steps, same, window)| {
            steps[0].not = false;
            steps[0].within = None;
            Rule::Sequence(SequenceTest { steps, same, window })
        },
    )
}

/// Tests of what else is computed.
fn computed_rule(features: &[FeatureSpec]) -> BoxedStrategy<Rule> {
    let comparison = |literals: Vec<f64>| {
        let literal = prop::sample::select(literals);
        (literal, 0..4_usize).prop_map(|(x, kind)| match kind {
            0 => Test::Lt(x.into()),
            1 => Test::Ge(x.into()),
            2 => Test::Between { lo: x.into(), hi: (x * 2.0).into() },
            _ => Test::In(vec![x.into(), 0.into()]),
        })
    };
    let place = prop::sample::select(vec![(0.0, 0.0), (10.0, 10.0), (-90.0, 180.0)]);
    let distances = comparison(vec![1.0, 100.0, 1_500.0, 9_999.0, 12_000.5]);
    let distance = (place, distances, prop::option::of(any::<bool>())).prop_map(
        |((latitude, longitude), is, when_missing)| {
            Rule::Distance(DistanceTest {
                latitude: "lat".into(),
                longitude: "lon".into(),
                from: Location { latitude, longitude },
                is,
                when_missing,
            })
        },
    );
    let bucket = (prop::sample::select(vec!["a", "b'c"]), comparison(vec![0.2, 0.5]))
        .prop_map(|(salt, is)| Rule::Bucket(BucketTest { salt: salt.into(), is }));
    let dates = features.iter().filter(|spec| spec.kind() == FeatureKind::Date);
    let dates: Vec<Option<String>> =
        [None].into_iter().chain(dates.map(|d| Some(d.name().to_owned()))).collect();
    let purposes = features.iter().filter_map(|spec| {
        let name = spec.name().to_owned();
        match spec.kind() {
            FeatureKind::Flag => Some((name, None)),
            FeatureKind::Category | FeatureKind::Ordinal => {
                Some((name, Some(vec!["ab".to_owned(), "AB".to_owned()])))
            }
            _ => None,
        }
    });
    let purposes: Vec<_> = purposes.collect();
    if purposes.is_empty() {
        return prop_oneof![distance, bucket].boxed();
    }
    let consent =
        (prop::sample::select(purposes), prop::sample::select(dates), span(1..40_u32))
            .prop_map(|((purpose, is), on, in_last)| {
                let given = on.map(|on| ConsentAge { on, in_last });
                Rule::Consent(ConsentTest { purpose, is, given })
            });
    prop_oneof![distance, bucket, consent].boxed()
}

/// Times at which windows begin and end, and beside them.
fn time() -> impl Strategy<Value = i64> {
    let days = prop_oneof![
        4 => (-4..40_i64).prop_map(|days| NOW - days * DAY),
        2 => (0..400_i64).prop_map(|days| NOW - NOW % DAY - days * DAY),
        1 => Just(NOW - 800 * DAY),
    ];
    let beside = prop_oneof![
        Just(0),
        Just(-1),
        Just(1),
        (-20..20_i64).prop_map(|h| h * 3_600_000)
    ];
    (days, beside).prop_map(|(day, beside)| day + beside)
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let streams = prop::collection::vec(specs(), 1..3);
    (specs(), streams).prop_flat_map(|(mut features, streams)| {
        features.extend(["lat", "lon"].map(FeatureSpec::number));
        let leaf = prop_oneof![
            5 => event_rule(streams.clone()),
            3 => sequence_rule(streams.clone()),
            2 => computed_rule(&features),
            2 => score_rule(),
            1 => super::properties::field_rule(&features),
            2 => day_rule(&features),
            1 => (0..5_usize).prop_map(|i| segment(format!("s{i}"))),
        ];
        let rule = leaf.prop_recursive(3, 12, 4, |inner| {
            let some = prop::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                some.clone().prop_map(Rule::All),
                some.clone().prop_map(Rule::Any),
                (some, any::<prop::sample::Index>())
                    .prop_map(|(of, n)| Rule::AtLeast { n: n.index(of.len()) + 1, of }),
                inner.prop_map(|rule| !rule),
            ]
        });
        let values =
            |specs: &[FeatureSpec]| specs.iter().map(value_at).collect::<Vec<_>>();
        let logs: Vec<_> = streams
            .iter()
            .map(|properties| prop::collection::vec((time(), values(properties)), 0..12))
            .collect();
        let person = (values(&features), logs, 0..99_u64)
            .prop_map(|(values, streams, id)| Person { id: Some(id), values, streams });
        (
            (
                prop::collection::vec(rule, 1..5),
                prop::collection::vec(score(&features, &streams), 2),
            ),
            prop::collection::vec(person, 1..6),
            (
                -2..3_i64,
                prop_oneof![Just(0), Just(1), (-12..12_i64).prop_map(|h| h * 3_600_000)],
            ),
            (-14..15_i32).prop_map(|hours| hours * 60 + 30 * (hours % 2)),
            0..7_usize,
            any::<bool>(),
        )
            .prop_map(
                move |(
                    (rules, scores),
                    people,
                    (days, beside),
                    offset,
                    week_start,
                    forwards,
                )| {
                    let case = Case {
                        features: features.clone(),
                        streams: streams.clone(),
                        rules: Vec::new(),
                        scores: Vec::new(),
                        people,
                        now: NOW + days * DAY + beside
                            - if week_start == 6 { 92 * DAY } else { 0 },
                        offset,
                        week_start,
                    };
                    let schema = case.schema();
                    let n = rules.len();
                    let rules = rules.into_iter().enumerate().map(|(i, rule)| {
                        let others = if forwards { i + 1..n } else { 0..i };
                        refer(tidy(rule, &schema), &others)
                    });
                    let scores = scores.into_iter().map(|mut model| {
                        for part in &mut model.parts {
                            part.given_for = tidy_part(part.given_for.clone(), &schema);
                        }
                        model
                    });
                    let (rules, scores) = (rules.collect(), scores.collect());
                    Case { rules, scores, ..case }
                },
            )
    })
}

/// Lets references lead to these rules only.
fn refer(rule: Rule, others: &std::ops::Range<usize>) -> Rule {
    let each = |rules: Vec<Rule>| {
        rules.into_iter().map(|r| refer(r, others)).collect::<Vec<_>>()
    };
    match rule {
        Rule::All(rules) => Rule::All(each(rules)),
        Rule::Any(rules) => Rule::Any(each(rules)),
        Rule::AtLeast { n, of } => Rule::AtLeast { n, of: each(of) },
        Rule::Not(rule) => !refer(*rule, others),
        Rule::Segment(_) if others.is_empty() => Rule::Everyone,
        Rule::Segment(other) => {
            let at = other.id.as_str()[1..].parse::<usize>().unwrap();
            segment(format!("s{}", others.start + at % others.len()))
        }
        rule => rule,
    }
}

fn tidy_part(given_for: PointsFor, schema: &Schema) -> PointsFor {
    match given_for {
        PointsFor::Rule(rule) => PointsFor::Rule(tidy(rule, schema)),
        PointsFor::Events { name, filter, window } => {
            let stream = schema.stream_index_of(&name).unwrap();
            let properties = schema.streams()[stream.get()].properties().to_vec();
            let properties = Schema::new(properties).unwrap();
            let filter =
                filter.map(|rule| Box::new(super::properties::tidy(*rule, &properties)));
            PointsFor::Events { name, filter, window }
        }
        other => other,
    }
}

/// Puts swapped ends of `between` in order, so that the rule can be compiled.
fn tidy(rule: Rule, schema: &Schema) -> Rule {
    let each =
        |rules: Vec<Rule>| rules.into_iter().map(|r| tidy(r, schema)).collect::<Vec<_>>();
    match rule {
        Rule::All(rules) => Rule::All(each(rules)),
        Rule::Any(rules) => Rule::Any(each(rules)),
        Rule::AtLeast { n, of } => Rule::AtLeast { n, of: each(of) },
        Rule::Not(rule) => !tidy(*rule, schema),
        Rule::Event(mut test) => {
            let stream = schema.stream_index_of(&test.name).unwrap();
            let properties = schema.streams()[stream.get()].properties().to_vec();
            let properties = Schema::new(properties).unwrap();
            test.filter = test
                .filter
                .map(|rule| Box::new(super::properties::tidy(*rule, &properties)));
            let rule = Rule::Event(test.clone());
            match swap(&test.is) {
                Some(is) if rule.compile(schema).is_err() => {
                    Rule::Event(EventTest { is, ..test })
                }
                _ => rule,
            }
        }
        Rule::Sequence(mut test) => {
            for step in &mut test.steps {
                let stream = schema.stream_index_of(&step.name).unwrap();
                let properties = schema.streams()[stream.get()].properties().to_vec();
                let properties = Schema::new(properties).unwrap();
                step.filter = step
                    .filter
                    .take()
                    .map(|rule| Box::new(super::properties::tidy(*rule, &properties)));
            }
            // Not all streams have such a property, and of one kind.
            if Rule::Sequence(test.clone()).compile(schema).is_err() {
                test.same = None;
            }
            Rule::Sequence(test)
        }
        rule => super::properties::tidy(rule, schema),
    }
}

impl Case {
    pub(crate) fn schema(&self) -> Schema {
        let features =
            self.features.iter().cloned().fold(Schema::builder(), |b, f| b.feature(f));
        let streams = self.streams.iter().enumerate();
        streams
            .map(|(i, properties)| StreamSpec::new(format!("e{i}"), properties.clone()))
            .fold(features, |b, s| b.stream(s))
            .build()
            .unwrap()
    }

    pub(crate) fn customers(&self) -> Vec<OwnedCustomer> {
        let schema = self.schema();
        let customer = |person: &Person| {
            let values = person.values.clone();
            let id = person.id.unwrap();
            let customer = OwnedCustomer::with_values(&schema, id, values).unwrap();
            let streams = schema.streams().iter().zip(&person.streams);
            streams.fold(customer, |customer, (spec, events)| {
                let events = events.iter().cloned();
                let events =
                    events.map(|(time, values)| (Timestamp::from_millis(time), values));
                let log = EventLog::new(spec, events).unwrap();
                customer.set_events(spec.name(), log).unwrap()
            })
        };
        self.people.iter().map(customer).collect()
    }

    pub(crate) fn set(&self) -> RuleSet {
        let scores = self.scores.iter().enumerate();
        let set = scores.fold(RuleSet::new(), |set, (i, model)| {
            set.score(format!("p{i}"), model.clone())
        });
        let rules = self.rules.iter().enumerate();
        rules.fold(set, |set, (i, rule)| {
            set.segment(format!("s{i}"), format!("Segment {i}"), rule.clone())
        })
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment::new(Timestamp::from_millis(self.now))
            .zone(Zone::fixed(self.offset).unwrap())
            .week_start(WEEK[self.week_start])
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(600)
    })]

    #[test]
    fn all_ways_to_ask_agree_with_the_naive_interpreter(case in case()) {
        let schema = case.schema();
        let set = case.set();
        let book = set.compile_book(&schema).unwrap().at(case.moment());
        let customers = case.customers();
        let table = Table::from_customers(&schema, &customers).unwrap();
        let memberships = book.memberships(&table).unwrap();
        for (row, (person, customer)) in case.people.iter().zip(&customers).enumerate() {
            let truths = oracle::truths(&case, person);
            prop_assert_eq!(&book.membership(customer).unwrap(), &truths);
            for (s, truth) in truths.iter().enumerate() {
                let segment = segmenta::segmenter::SegmentIndex::new(s as u32);
                prop_assert_eq!(memberships.truth(row, segment), *truth);
            }
            let explanation = book.explain(customer).unwrap();
            let segmenta::segmenter::Reason::Rules { clauses } = explanation.reason else {
                panic!("not by rules")
            };
            let outermost: Vec<Truth> =
                clauses.iter().filter(|c| c.depth == 0).map(|c| c.truth).collect();
            prop_assert_eq!(outermost, truths);
        }
    }

    #[test]
    fn definitions_go_through_both_written_forms(case in case()) {
        let schema = case.schema();
        let set = case.set();
        for rule in &case.rules {
            prop_assert_eq!(&rule.to_string().parse::<Rule>().unwrap(), rule);
        }
        prop_assert_eq!(&RuleSet::from_json(&set.to_json().unwrap()).unwrap(), &set);
        let book = set.compile_book(&schema).unwrap();
        let saved = serde_json::to_string(&book.save().unwrap()).unwrap();
        let saved: Saved = serde_json::from_str(&saved).unwrap();
        let loaded = RuleBook::load(&saved).unwrap();
        prop_assert_eq!(&loaded, &book);
        prop_assert_eq!(loaded.at(case.moment()), book.at(case.moment()));
    }
}

/// The lengths in days of tests by the distance from today.
fn days(rule: &Rule, out: &mut Vec<i64>) {
    let mut test = |test: &Test| match test {
        Test::InLast(span)
        | Test::InNext(span)
        | Test::Anniversary { within: span, .. } => {
            out.push((span.as_millis() / DAY as u64) as i64);
        }
        _ => {}
    };
    match rule {
        Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
            rules.iter().for_each(|rule| days(rule, out));
        }
        Rule::Not(rule) => days(rule, out),
        Rule::Event(EventTest { is, .. }) | Rule::Field(FieldTest { is, .. }) => test(is),
        Rule::Consent(ConsentTest { given: Some(given), .. }) => {
            test(&Test::InLast(given.in_last));
        }
        _ => {}
    }
}

/// 2029-01-01: so far goes the clock.
const LAST_TICK: i64 = 1_861_920_000_000;

/// All instants after `now` at which an answer may change.
fn ticks(case: &Case, person: &Person) -> Vec<i64> {
    /// Windows, and the milliseconds after an event for which something is denied.
    fn windows<'r>(rule: &'r Rule, out: &mut Vec<(&'r Window, i64)>) {
        match rule {
            Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
                rules.iter().for_each(|rule| windows(rule, out));
            }
            Rule::Not(rule) => windows(rule, out),
            Rule::Event(test) => out.push((&test.window, 0)),
            Rule::Sequence(test) => {
                let spans = test.steps.iter().filter_map(|step| step.within);
                let delays = spans.map(|span| span.as_millis() as i64);
                out.extend([0].into_iter().chain(delays).map(|d| (&test.window, d)));
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    case.rules.iter().for_each(|rule| windows(rule, &mut all));
    for part in case.scores.iter().flat_map(|model| &model.parts) {
        match &part.given_for {
            PointsFor::Rule(rule) => windows(rule, &mut all),
            PointsFor::Events { window, .. } => all.push((window, 0)),
            other => panic!("{other:?}"),
        }
    }
    let mut spans = vec![0];
    for (window, delay) in all {
        spans.push(delay);
        match window {
            Window::Last(span) => spans.push(delay + span.as_millis() as i64),
            Window::Ago { from, to } => {
                let ends = [from.as_millis() as i64, to.as_millis() as i64];
                spans.extend(ends.map(|end| delay + end));
            }
            _ => {}
        }
    }
    // The steps in which points become less.
    for part in case.scores.iter().flat_map(|model| &model.parts) {
        if let (Some(half_life), Some(every)) = (part.half_life, part.every) {
            let [half_life, every] = [half_life, every].map(|s| s.as_millis() as i64);
            spans.extend((1..=64 * half_life / every).map(|k| k * every));
        }
    }
    let mut ticks = Vec::new();
    for (time, _) in person.streams.iter().flatten() {
        ticks.extend(spans.iter().map(|span| time + span));
    }
    let midnight = |day: i64| day * DAY - i64::from(case.offset) * 60_000;
    let today = (case.now + i64::from(case.offset) * 60_000).div_euclid(DAY);
    // Midnights: of the weeks after each event, of the first days of months, …
    for (time, _) in person.streams.iter().flatten() {
        let day = (time + i64::from(case.offset) * 60_000).div_euclid(DAY);
        ticks.extend((day..day + 66).map(midnight));
    }
    for day in today..today + 5 * 366 {
        let (.., of_month) = Date::from_days(day as i32).unwrap().to_ymd();
        if of_month == 1 {
            ticks.push(midnight(day));
        }
    }
    // … and around dates and their anniversaries.
    let mut lengths = vec![];
    case.rules.iter().for_each(|rule| days(rule, &mut lengths));
    for part in case.scores.iter().flat_map(|model| &model.parts) {
        if let PointsFor::Rule(rule) = &part.given_for {
            days(rule, &mut lengths);
        }
    }
    let of_events = person.streams.iter().flatten().flat_map(|(time, values)| {
        let day = (time + i64::from(case.offset) * 60_000).div_euclid(DAY);
        values.iter().cloned().chain([Date::from_days(day as i32).unwrap().into()])
    });
    for value in of_events.chain(person.values.iter().cloned()) {
        let OwnedValue::Date(date) = value else { continue };
        let mut dates = vec![date];
        let (_, month, day) = date.to_ymd();
        for year in 2023..2033 {
            let leap = (month, day) == (2, 29);
            let stand_ins = [(month, day), (2, 28), (3, 1)];
            for (month, day) in stand_ins.into_iter().take(if leap { 3 } else { 1 }) {
                dates.extend(Date::from_ymd(year, month, day));
            }
        }
        for n in &lengths {
            for date in &dates {
                let day = i64::from(date.days_since_epoch());
                ticks.extend([day - n, day - n + 1, day, day + 1, day + n].map(midnight));
            }
        }
    }
    // An event counts, and ceases to, a millisecond after what was computed here.
    let mut ticks: Vec<i64> = ticks.into_iter().flat_map(|t| [t, t + 1]).collect();
    ticks.retain(|&t| t > case.now && t < LAST_TICK);
    ticks.sort_unstable();
    ticks.dedup();
    ticks
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    })]

    #[test]
    fn the_next_change_is_the_first_that_a_clock_comes_across(case in case()) {
        let set = case.set().rest("rest", "The rest");
        let book = set.compile_book(&case.schema()).unwrap().at(case.moment());
        let segmenter = book.clone().into_segmenter();
        for (person, customer) in case.people.iter().zip(&case.customers()) {
            let at = |now: i64| -> Vec<Truth> {
                let case = Case { now, ..case.clone() };
                let mut truths = oracle::truths(&case, person);
                truths.push(Truth::from(!truths.contains(&Truth::True)));
                truths
            };
            let first = |truths: &[Truth]| truths.iter().position(|t| *t == Truth::True);
            let present = at(case.now);
            let mut change = None;
            let mut exchange = None;
            for tick in ticks(&case, person) {
                let then = at(tick);
                if change.is_none() && then != present {
                    change = Some((tick, then.clone()));
                }
                if first(&then) != first(&present) {
                    exchange = Some((tick, first(&then)));
                    break;
                }
            }
            let found = book.next_change(customer).unwrap();
            let found = found.filter(|next| next.at.as_millis() < LAST_TICK);
            prop_assert_eq!(
                found.as_ref().map(|next| next.at.as_millis()),
                change.as_ref().map(|(tick, _)| *tick)
            );
            if let (Some(found), Some((_, then))) = (found, change) {
                let mut truths = present.clone();
                for change in &found.changes {
                    prop_assert_eq!(truths[change.segment.get()], change.from);
                    prop_assert!(change.from != change.to);
                    truths[change.segment.get()] = change.to;
                }
                prop_assert_eq!(truths, then);
            }
            let found = segmenter.next_change(customer).unwrap();
            let found = found.map(|(at, s)| (at.as_millis(), s.map(|s| s.get())));
            let found = found.filter(|(at, _)| *at < LAST_TICK);
            prop_assert_eq!(found, exchange);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(40)
    })]

    #[test]
    fn tables_of_all_sizes_are_answered_as_their_rows_are(case in case(), size in 0..5_usize) {
        let table = Table::from_customers(&case.schema(), case.customers()).unwrap();
        let n_rows = [1, 257, 4096, 4097, 9000][size];
        let rows: Vec<usize> = (0..n_rows).map(|i| mixed(i) % table.len()).collect();
        let book = case.set().compile_book(&case.schema()).unwrap().at(case.moment());
        check(&book, &table.select_rows(&rows).unwrap());
    }
}
