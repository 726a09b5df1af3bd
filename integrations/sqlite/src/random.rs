//! Random cases.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use segmenta::data::{
    Date, FeatureKind, FeatureSpec, OwnedValue, Schema, Span, StreamSpec, Timestamp,
};
use segmenta::rules::{
    Aggregate, CalendarUnit, DateForm, EventTest, FieldTest, FlagForm, LeapDay, Literal,
    PointsFor, Rule, RuleSet, SegmentRef, SequenceStep, SequenceTest, Test, TimeForm,
    Window, consent,
};
use segmenta::segmenter::SegmentId;

use crate::scores;
use crate::world::{DAY, Event, Form, Person, World, ZoneKind};

pub const WORDS: [&str; 14] = [
    "ab",
    "b",
    "abc",
    "ca",
    "AB",
    "ä",
    "aÄ",
    "a'b",
    "50%",
    "x_y",
    "back\\slash",
    "\"q\"",
    "",
    "日本語b",
];

/// Such that engines read them in ways of their own, unless they are told.
const PATTERNS: [&str; 22] = [
    "",
    "^a",
    "[^ab]",
    "^.?$",
    "(?i)B",
    "(?i)Ä",
    "\\w",
    "^\\w+$",
    "\\W",
    "^\\d*$",
    "\\.",
    "'",
    "\"",
    "\\\\",
    "%",
    "(a|b)+c?$",
    "a{2,3}|^$",
    "[[:alpha:]&&[^a]]",
    "\\p{Han}",
    "b.*?c",
    "(?x) a b # so",
    "^(?:ab|)$",
];

const NAMES: [&str; 8] = [
    "f",
    "select",
    "quo\"te",
    "apo'strophe",
    "100%",
    "größe",
    "a.b",
    "; DROP TABLE x; --",
];

fn kind() -> impl Strategy<Value = FeatureSpec> {
    prop_oneof![
        3 => Just(FeatureSpec::number("f")),
        1 => Just(FeatureSpec::flag("f")),
        2 => Just(FeatureSpec::category("f")),
        1 => Just(FeatureSpec::category("f").levels(WORDS)),
        1 => Just(FeatureSpec::ordinal("f", WORDS)),
        2 => Just(FeatureSpec::date("f")),
        1 => Just(FeatureSpec::tags("f")),
        1 => Just(FeatureSpec::tags("f").levels(WORDS)),
    ]
}

fn specs(events: bool) -> impl Strategy<Value = Vec<FeatureSpec>> {
    let specs = prop::collection::vec((kind(), select(&NAMES[..])), 1..6);
    specs.prop_map(move |specs| {
        let named = specs.into_iter().enumerate().map(|(i, (spec, name))| {
            let kind = match spec.kind() {
                FeatureKind::Tags if events => FeatureKind::Number,
                kind => kind,
            };
            let named = FeatureSpec::new(format!("{name} {i}"), kind);
            match kind {
                FeatureKind::Number => named,
                _ => named.levels(spec.get_levels().to_vec()),
            }
        });
        named.collect()
    })
}

fn schema() -> impl Strategy<Value = Schema> {
    (specs(false), prop::collection::vec(specs(true), 0..3)).prop_map(
        |(features, streams)| {
            let builder = features
                .into_iter()
                .fold(Schema::builder(), |builder, spec| builder.feature(spec));
            let streams = streams.into_iter().enumerate();
            let builder = streams.fold(builder, |builder, (i, properties)| {
                builder.stream(StreamSpec::new(format!("st'r\"eam{i}"), properties))
            });
            builder.build().expect("names that differ")
        },
    )
}

/// Numbers of features, which are only compared.
fn number() -> BoxedStrategy<f64> {
    // Of any size and all digits, and few, so that some are equal.
    let any = (1..30_u64).prop_map(|i| {
        let bits = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = f64::from_bits(bits ^ (bits >> 17));
        if x.is_finite() { x } else { 0.1 }
    });
    prop_oneof![
        4 => (-3..4_i32).prop_map(f64::from),
        3 => select(vec![0.5, -0.0, 19.99, 0.1, 1e300, -1e-300, 5e-324, f64::MAX, 3e9,
            9_007_199_254_740_993.0, 0.1 + 0.2, 1e22, 1e23, 123_456.789]),
        2 => any,
    ]
    .boxed()
}

/// Numbers of events, whose sums are exact in any order.
fn amount() -> BoxedStrategy<f64> {
    (-20..40_i32).prop_map(|x| f64::from(x) / 4.0).boxed()
}

const NOWS: [&str; 6] = [
    "1970-01-03T10:30:00.500Z",
    "2024-02-28T23:30:00Z",
    "2023-02-27T00:00:00Z",
    "2024-12-30T12:00:00.001Z",
    "2023-03-01T05:00:00Z",
    "1969-12-31T23:00:00Z",
];

fn date(today: Date) -> BoxedStrategy<Date> {
    let near = (-4..5_i32).prop_map(move |days| {
        Date::from_days(today.days_since_epoch() + days).expect("in the calendar")
    });
    let returning = (0..3_i32, -3..6_i32).prop_map(move |(years, days)| {
        let day = today.days_since_epoch() + days;
        let (year, month, day) = Date::from_days(day).expect("in the calendar").to_ymd();
        let day = Date::from_ymd(year - years, month, day);
        day.unwrap_or(Date::from_ymd(2020, 2, 29).expect("a leap day"))
    });
    let leap = select(vec![1960, 1968, 2020, 2024])
        .prop_map(|year| Date::from_ymd(year, 2, 29).expect("a leap day"));
    prop_oneof![3 => near, 2 => returning, 1 => leap].boxed()
}

fn word() -> BoxedStrategy<String> {
    select(&WORDS[..]).prop_map(str::to_owned).boxed()
}

fn part() -> BoxedStrategy<String> {
    word().prop_map(|word| if word.is_empty() { "%".to_owned() } else { word }).boxed()
}

fn value(
    spec: &FeatureSpec,
    today: Date,
    numbers: BoxedStrategy<f64>,
) -> BoxedStrategy<OwnedValue> {
    let known = match spec.kind() {
        FeatureKind::Number => numbers.prop_map(OwnedValue::from).boxed(),
        FeatureKind::Flag => any::<bool>().prop_map(OwnedValue::from).boxed(),
        FeatureKind::Category | FeatureKind::Ordinal => {
            word().prop_map(OwnedValue::Category).boxed()
        }
        FeatureKind::Date => date(today).prop_map(OwnedValue::from).boxed(),
        _ => prop::collection::vec(word(), 0..4).prop_map(OwnedValue::Tags).boxed(),
    };
    prop_oneof![3 => known, 1 => Just(OwnedValue::Missing)].boxed()
}

fn comparison(literal: BoxedStrategy<Literal>, ordered: bool) -> BoxedStrategy<Test> {
    let list = prop::collection::vec(literal.clone(), 1..12);
    let nominal = prop_oneof![
        3 => literal.clone().prop_map(Test::Eq),
        3 => list.prop_map(Test::In),
        1 => Just(Test::Set),
        1 => Just(Test::Missing),
    ];
    if !ordered {
        return nominal.boxed();
    }
    prop_oneof![
        4 => nominal,
        1 => literal.clone().prop_map(Test::Lt),
        1 => literal.clone().prop_map(Test::Le),
        1 => literal.clone().prop_map(Test::Gt),
        1 => literal.clone().prop_map(Test::Ge),
        2 => (literal.clone(), literal).prop_map(|(lo, hi)| Test::Between { lo, hi }),
    ]
    .boxed()
}

fn test(
    kind: FeatureKind,
    today: Date,
    numbers: BoxedStrategy<f64>,
    relative: bool,
) -> BoxedStrategy<Test> {
    let words = || prop::collection::vec(word(), 1..4);
    match kind {
        FeatureKind::Number => comparison(numbers.prop_map(Literal::from).boxed(), true),
        FeatureKind::Flag => {
            comparison(any::<bool>().prop_map(Literal::from).boxed(), false)
        }
        FeatureKind::Date => {
            // The ends of the calendar are what people write for "always" and "never".
            let ends = select(vec![Date::MAX, Date::from_ymd(1, 1, 1).expect("a day")]);
            let literal = prop_oneof![9 => date(today), 1 => ends];
            let plain = comparison(literal.prop_map(Literal::from).boxed(), true);
            if !relative {
                return plain;
            }
            let span = || (1..6_u32).prop_map(Span::days);
            let leap_day = select(vec![LeapDay::Feb28, LeapDay::Mar1, LeapDay::Skip]);
            let within = prop_oneof![span(), Just(Span::days(366)), Just(Span::days(40))];
            prop_oneof![
                3 => plain,
                1 => span().prop_map(Test::InLast),
                1 => span().prop_map(Test::InNext),
                2 => (within, leap_day)
                    .prop_map(|(within, leap_day)| Test::Anniversary { within, leap_day }),
            ]
            .boxed()
        }
        FeatureKind::Ordinal => comparison(word().prop_map(Literal::from).boxed(), true),
        FeatureKind::Category => prop_oneof![
            2 => comparison(word().prop_map(Literal::from).boxed(), false),
            1 => part().prop_map(Test::Contains),
            1 => part().prop_map(Test::StartsWith),
            1 => part().prop_map(Test::EndsWith),
            1 => select(&PATTERNS[..]).prop_map(|pattern| Test::Matches(pattern.to_owned())),
        ]
        .boxed(),
        _ => {
            let size = comparison((0..4).prop_map(Literal::from).boxed(), true);
            let size = size.prop_map(|test| match test {
                Test::Set | Test::Missing => test,
                test => Test::Size(Box::new(test)),
            });
            prop_oneof![
                words().prop_map(Test::HasAny),
                words().prop_map(Test::HasAll),
                size
            ]
            .boxed()
        }
    }
}

fn when_missing() -> impl Strategy<Value = Option<bool>> + Clone {
    prop_oneof![2 => Just(None), 1 => any::<bool>().prop_map(Some)]
}

fn field(
    specs: &[FeatureSpec],
    today: Date,
    numbers: fn() -> BoxedStrategy<f64>,
    relative: bool,
) -> BoxedStrategy<Rule> {
    let tests = specs.iter().map(|spec| {
        let name = spec.name().to_owned();
        let test = test(spec.kind(), today, numbers(), relative);
        test.prop_map(move |test| (name.clone(), test)).boxed()
    });
    let tests = prop::strategy::Union::new(tests.collect::<Vec<_>>());
    (tests, when_missing())
        .prop_map(|((name, is), when_missing)| {
            let free = matches!(is, Test::Set | Test::Missing);
            Rule::Field(FieldTest {
                name,
                is,
                when_missing: when_missing.filter(|_| !free),
            })
        })
        .boxed()
}

/// A consent, in a flag or a category of the schema; of everyone where there is none.
fn agreed(specs: &[FeatureSpec]) -> BoxedStrategy<Rule> {
    let purposes = specs.iter().filter_map(|spec| {
        let purpose = consent(spec.name());
        match spec.kind() {
            FeatureKind::Flag => Some(purpose),
            FeatureKind::Category | FeatureKind::Ordinal => {
                let known = spec.get_levels().iter().cloned();
                let states: Vec<String> = known.take(2).collect();
                let any = WORDS[..4].iter().map(|word| (*word).to_owned()).collect();
                Some(purpose.is(if states.is_empty() { any } else { states }))
            }
            _ => None,
        }
    });
    let purposes: Vec<_> = purposes.collect();
    if purposes.is_empty() {
        return Just(Rule::Everyone).boxed();
    }
    let days = specs.iter().filter(|spec| spec.kind() == FeatureKind::Date);
    let days: Vec<Option<String>> =
        [None].into_iter().chain(days.map(|d| Some(d.name().to_owned()))).collect();
    (prop::sample::select(purposes), prop::sample::select(days), 1..40_u32)
        .prop_map(|(purpose, on, days)| match on {
            None => purpose.rule(),
            Some(on) => purpose.given_in_last(Span::days(days), on).rule(),
        })
        .boxed()
}

fn combined(leaf: BoxedStrategy<Rule>, depth: u32) -> BoxedStrategy<Rule> {
    leaf.prop_recursive(depth, 20, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(Rule::All),
            some.clone().prop_map(Rule::Any),
            (some, any::<Index>())
                .prop_map(|(of, n)| Rule::AtLeast { n: n.index(of.len()) + 1, of }),
            inner.prop_map(|rule| !rule),
        ]
    })
    .boxed()
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        (1..6_u32).prop_map(Span::days),
        (1..60_u32).prop_map(Span::hours),
        (1..3_u64).prop_map(Span::from_millis),
    ]
}

fn window(now: Timestamp) -> impl Strategy<Value = Window> {
    let units = vec![
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
        CalendarUnit::Quarter,
        CalendarUnit::Year,
    ];
    let day = move |days: i64| {
        Timestamp::from_millis(now.as_millis() - days * DAY).to_string()[..10].to_owned()
    };
    prop_oneof![
        2 => Just(Window::Ever),
        2 => span().prop_map(Window::Last),
        1 => (span(), 1..50_u32).prop_map(|(to, more)| {
            let from = to.as_millis() + Span::hours(more).as_millis();
            Window::Ago { from: Span::from_millis(from), to }
        }),
        1 => (0..3_u32, 1..3_u32, select(units.clone())).prop_map(|(to, more, unit)| {
            Window::CalendarAgo { from: to + more, to, unit }
        }),
        2 => (0..3_u32, select(units), any::<bool>()).prop_map(|(n, unit, include_current)| {
            Window::Calendar { n, unit, include_current: include_current || n == 0 }
        }),
        1 => (3..5_i64, -1..2_i64).prop_map(move |(from, to)| {
            Window::Between { from: day(from), to: day(to) }
        }),
    ]
}

fn event(stream: &StreamSpec, now: Timestamp, today: Date) -> BoxedStrategy<Rule> {
    let name = stream.name().to_owned();
    let properties = stream.properties().to_vec();
    let filter = combined(field(&properties, today, amount, false), 2);
    let filter = prop_oneof![1 => Just(None), 1 => filter.prop_map(Some)];
    let aggregate = (select(properties), 0..11_usize).prop_map(|(property, which)| {
        let name = property.name().to_owned();
        let is_number = property.kind() == FeatureKind::Number;
        let has_order = is_number || property.kind() == FeatureKind::Date;
        let aggregate = match which {
            0 if is_number => Aggregate::Sum(name),
            1 if is_number => Aggregate::Average(name),
            2 if has_order => Aggregate::Min(name),
            3 if has_order => Aggregate::Max(name),
            4 => Aggregate::Distinct(name),
            0 | 5 => Aggregate::First(name),
            1 | 2 | 6 => Aggregate::Last(name),
            3 | 7 => Aggregate::FirstDay,
            8 => Aggregate::LastDay,
            9 => Aggregate::ActiveDays,
            _ => Aggregate::Count,
        };
        let kind = match &aggregate {
            Aggregate::Min(_)
            | Aggregate::Max(_)
            | Aggregate::First(_)
            | Aggregate::Last(_) => property.kind(),
            Aggregate::FirstDay | Aggregate::LastDay => FeatureKind::Date,
            _ => FeatureKind::Number,
        };
        (aggregate, kind)
    });
    let tested = aggregate.prop_flat_map(move |(aggregate, kind)| {
        let numbers = match aggregate {
            Aggregate::Sum(_) | Aggregate::Average(_) => amount(),
            Aggregate::Min(_)
            | Aggregate::Max(_)
            | Aggregate::First(_)
            | Aggregate::Last(_) => amount(),
            _ => (0..5_i32).prop_map(f64::from).boxed(),
        };
        (Just(aggregate), test(kind, today, numbers, true))
    });
    (filter, tested, window(now), when_missing())
        .prop_map(move |(filter, (agg, is), window, when_missing)| {
            let free = matches!(is, Test::Set | Test::Missing) || !agg.may_be_missing();
            Rule::Event(EventTest {
                name: name.clone(),
                filter: filter.map(Box::new),
                agg,
                window,
                is,
                when_missing: when_missing.filter(|_| !free),
            })
        })
        .boxed()
}

/// A rule without references.
/// A sequence over some of the streams, with a property in common if they have one.
fn ordered(streams: &[StreamSpec], now: Timestamp, today: Date) -> BoxedStrategy<Rule> {
    let step = move |(stream, not): (StreamSpec, bool)| {
        let filter = combined(field(stream.properties(), today, amount, false), 1);
        let filter = prop_oneof![2 => Just(None), 1 => filter.prop_map(Some)];
        let within = prop_oneof![
            2 => Just(None),
            3 => span().prop_map(Some),
            1 => Just(Some(Span::days(3_653))),
        ];
        (filter, within).prop_map(move |(filter, within)| SequenceStep {
            name: stream.name().to_owned(),
            filter: filter.map(Box::new),
            not,
            within,
        })
    };
    let which = prop::collection::vec((select(streams.to_vec()), any::<bool>()), 2..5);
    let steps = which.prop_flat_map(move |steps| {
        let properties = steps[0].0.properties().to_vec();
        let steps: Vec<_> = steps.into_iter().map(step).collect();
        (steps, prop::option::of(select(properties)))
    });
    (steps, window(now))
        .prop_map(|((mut steps, property), window)| {
            steps[0].not = false;
            steps[0].within = None;
            let same = property.map(|property| property.name().to_owned());
            Rule::Sequence(SequenceTest { steps, same, window })
        })
        .boxed()
}

fn alone(
    schema: &Schema,
    now: Timestamp,
    today: Date,
) -> Vec<(u32, BoxedStrategy<Rule>)> {
    let mut leaves = vec![
        (6, field(schema.features(), today, number, true)),
        (1, agreed(schema.features())),
        (1, Just(Rule::Everyone).boxed()),
        (1, Just(Rule::Nobody).boxed()),
    ];
    let streams = schema.streams().iter();
    leaves.extend(streams.map(|stream| (5, event(stream, now, today))));
    if !schema.streams().is_empty() {
        leaves.push((4, ordered(schema.streams(), now, today)));
    }
    leaves
}

fn rule(schema: &Schema, now: Timestamp, today: Date, at: usize) -> BoxedStrategy<Rule> {
    let mut leaves = alone(schema, now, today);
    leaves.push((2, scores::test()));
    if at > 0 {
        let other = (0..at).prop_map(|other| {
            let id = SegmentId::new(segment_id(other));
            Rule::Segment(SegmentRef { id, version: None })
        });
        leaves.push((3, other.boxed()));
    }
    combined(prop::strategy::Union::new_weighted(leaves).boxed(), 4)
}

pub fn segment_id(at: usize) -> String {
    format!("s'{at}\"")
}

fn events(stream: &StreamSpec, now: Timestamp, today: Date) -> BoxedStrategy<Vec<Event>> {
    let values: Vec<BoxedStrategy<OwnedValue>> =
        stream.properties().iter().map(|p| value(p, today, amount())).collect();
    // Also at the ends of windows and of days, at one instant, and ahead of now.
    let time = (
        -1..6_i64,
        prop_oneof![
            Just(0),
            Just(-1),
            Just(1),
            -DAY..DAY,
            (0..48_i64).prop_map(|h| h * 1_800_000)
        ],
        any::<bool>(),
    );
    let time = time.prop_map(move |(days, more, whole)| {
        let at = now.as_millis() - days * DAY + more;
        let at = if whole { at.div_euclid(DAY) * DAY + more.signum() } else { at };
        Timestamp::from_millis(at)
    });
    prop::collection::vec((time, values), 0..7).boxed()
}

/// Puts swapped ends of `between` in order, so that the rule can be compiled.
fn tidy(rule: Rule, compiles: &dyn Fn(&Rule) -> bool) -> Rule {
    let each =
        |rules: Vec<Rule>| rules.into_iter().map(|rule| tidy(rule, compiles)).collect();
    match rule {
        Rule::All(rules) => Rule::All(each(rules)),
        Rule::Any(rules) => Rule::Any(each(rules)),
        Rule::AtLeast { n, of } => Rule::AtLeast { n, of: each(of) },
        Rule::Not(rule) => !tidy(*rule, compiles),
        Rule::Field(mut test) => {
            if !compiles(&Rule::Field(test.clone())) {
                swap(&mut test.is);
            }
            Rule::Field(test)
        }
        rule => rule,
    }
}

fn swap(test: &mut Test) {
    match test {
        Test::Between { lo, hi } => std::mem::swap(lo, hi),
        Test::Size(test) => swap(test),
        _ => {}
    }
}

fn tidy_all(rule: Rule, schema: &Schema) -> Rule {
    let rule = tidy(rule, &|rule| rule.compile(schema).is_ok());
    let tidy_filter = |stream: &str, filter: Option<Box<Rule>>| {
        let stream = schema.streams().iter().find(|of| of.name() == stream);
        let properties = stream.map(|of| of.properties().to_vec()).unwrap_or_default();
        let inner = Schema::new(properties).expect("properties of a stream");
        filter.map(|filter| Box::new(tidy(*filter, &|rule| rule.compile(&inner).is_ok())))
    };
    each_of_events(rule, &|rule| match rule {
        Rule::Event(mut test) => {
            test.filter = tidy_filter(&test.name, test.filter);
            if Rule::Event(test.clone()).compile(schema).is_err() {
                swap(&mut test.is);
            }
            Rule::Event(test)
        }
        Rule::Sequence(mut test) => {
            for step in &mut test.steps {
                step.filter = tidy_filter(&step.name, step.filter.take());
            }
            // Not all of the streams may have the property.
            if Rule::Sequence(test.clone()).compile(schema).is_err() {
                test.same = None;
            }
            Rule::Sequence(test)
        }
        rule => rule,
    })
}

fn tidy_given(given_for: PointsFor, schema: &Schema) -> PointsFor {
    match given_for {
        PointsFor::Rule(rule) => PointsFor::Rule(tidy_all(rule, schema)),
        PointsFor::Events { name, filter, window } => {
            // As a test of the same events.
            let test = EventTest {
                name: name.clone(),
                filter,
                agg: Aggregate::Count,
                window: window.clone(),
                is: Test::Ge(1.into()),
                when_missing: None,
            };
            let filter = match tidy_all(Rule::Event(test), schema) {
                Rule::Event(test) => test.filter,
                _ => None,
            };
            PointsFor::Events { name, filter, window }
        }
        other => other,
    }
}

/// Changes what asks about events.
fn each_of_events(rule: Rule, change: &dyn Fn(Rule) -> Rule) -> Rule {
    let each = |rules: Vec<Rule>| {
        rules.into_iter().map(|rule| each_of_events(rule, change)).collect()
    };
    match rule {
        Rule::All(rules) => Rule::All(each(rules)),
        Rule::Any(rules) => Rule::Any(each(rules)),
        Rule::AtLeast { n, of } => Rule::AtLeast { n, of: each(of) },
        Rule::Not(rule) => !each_of_events(*rule, change),
        rule => change(rule),
    }
}

fn form() -> impl Strategy<Value = Form> {
    (
        any::<[bool; 3]>(),
        select(vec![FlagForm::Boolean, FlagForm::Integer]),
        select(vec![DateForm::Date, DateForm::Text]),
        select(vec![TimeForm::Millis, TimeForm::Timestamp]),
    )
        .prop_map(|([is_renamed, tags_known, integers], flags, dates, times)| Form {
            flags,
            dates,
            times,
            is_renamed,
            tags_known,
            integers,
        })
}

pub fn world() -> impl Strategy<Value = World> {
    let zone = prop_oneof![
        2 => Just(ZoneKind::Fixed(0)),
        1 => select(vec![60, -60, 330, -720, 14 * 60]).prop_map(ZoneKind::Fixed),
        1 => Just(ZoneKind::Moving),
    ];
    (schema(), select(&NOWS[..]), zone, form()).prop_flat_map(
        |(schema, now, zone, form)| {
            let now: Timestamp = now.parse().expect("an instant");
            let world = World {
                schema: schema.clone(),
                set: RuleSet::new(),
                people: Vec::new(),
                now,
                zone,
                form,
            };
            let today = world.moment().today();
            let rules: Vec<BoxedStrategy<Rule>> =
                (0..4).map(|at| rule(&schema, now, today, at)).collect();
            let part = prop::strategy::Union::new_weighted(alone(&schema, now, today));
            let part = combined(part.boxed(), 2);
            let streams = schema.streams().iter().map(|stream| {
                let filter =
                    prop::option::of(field(stream.properties(), today, amount, false));
                (stream.name().to_owned(), filter.boxed(), window(now).boxed())
            });
            let scores =
                prop::collection::vec(scores::points_of(part, streams.collect()), 2);
            let values: Vec<BoxedStrategy<OwnedValue>> = schema
                .features()
                .iter()
                .map(|spec| value(spec, today, number()))
                .collect();
            let logs: Vec<BoxedStrategy<Vec<Event>>> = schema
                .streams()
                .iter()
                .map(|stream| events(stream, now, today))
                .collect();
            let people = prop::collection::vec((values, logs), 1..7);
            (rules, 1..5_usize, any::<bool>(), people, scores).prop_map(
                move |(rules, n, rest, people, scores)| {
                    let mut world = world.clone();
                    for (i, mut model) in scores.into_iter().enumerate() {
                        scores::each_rule(&mut model, &|given| {
                            tidy_given(given, &schema)
                        });
                        world.set = world.set.score(scores::id(i), model);
                    }
                    let rules = rules.into_iter().take(n).enumerate();
                    for (i, rule) in rules {
                        let rule = tidy_all(rule, &schema);
                        world.set = world.set.segment(
                            segment_id(i),
                            format!("Segment {i}"),
                            rule,
                        );
                    }
                    if rest {
                        world.set = world.set.rest("the 'rest'", "The rest");
                    }
                    let people = people.into_iter().enumerate();
                    world.people = people
                        .map(|(i, (mut values, events))| {
                            // Without a column that says so, tags are never missing.
                            for (spec, value) in schema.features().iter().zip(&mut values)
                            {
                                let is_tags = spec.kind() == FeatureKind::Tags;
                                if is_tags
                                    && !form.tags_known
                                    && *value == OwnedValue::Missing
                                {
                                    *value = OwnedValue::Tags(Vec::new());
                                }
                            }
                            Person { id: 100 + i as u64, values, events }
                        })
                        .collect();
                    world
                },
            )
        },
    )
}
