//! What persons did.

use super::super::json::{Json, Object, get};
use super::super::reader::{Reader, all, n_nodes};
use super::property;
use crate::data::{Span, StreamSpec};
use crate::error::similar_names;
use crate::rules::ast::Rule;
use crate::rules::event::{CalendarUnit, Window};
use crate::rules::field::{EventSelection, events};
use crate::rules::sequence::{sequence, step};

const KINDS: [&str; 7] = [
    "performed_event",
    "performed_event_multiple",
    "performed_event_first_time",
    "performed_event_sequence",
    "performed_event_regularly",
    "stopped_performing_event",
    "restarted_performing_event",
];

/// What each of them may state.
const KNOWN: [&str; 8] = [
    "type",
    "key",
    "value",
    "negation",
    "event_type",
    "event_filters",
    "time_value",
    "time_interval",
];
const COUNT: [&str; 2] = ["operator", "operator_value"];
const DATES: [&str; 2] = ["explicit_datetime", "explicit_datetime_to"];
const SECOND: [&str; 2] = ["seq_time_value", "seq_time_interval"];
const SECOND_EVENT: [&str; 2] = ["seq_event", "seq_event_type"];
const PERIODS: [&str; 2] = ["min_periods", "total_periods"];
const WITHOUT_EFFECT: [&str; 5] =
    ["bytecode", "bytecode_error", "conditionHash", "label", "sourcedFromCohort"];

pub(super) fn of(r: &mut Reader<'_>, object: &Object) -> Option<Rule> {
    let kind = r.required_text(object, "value")?;
    let more: &[&[&str]] = match kind {
        "performed_event" => &[&DATES],
        "performed_event_multiple" => &[&COUNT, &DATES],
        "performed_event_first_time" => &[&DATES],
        "performed_event_sequence" => &[&SECOND, &SECOND_EVENT],
        "performed_event_regularly" => &[&COUNT, &PERIODS],
        "stopped_performing_event" | "restarted_performing_event" => &[&SECOND],
        other => {
            return r.at("value", |r| {
                let near = similar_names(other, KINDS);
                let message = format!("no behaviour is called `{other}`");
                r.fault("unknown-condition", message, |i| {
                    i.suggest(near.into_iter().next())
                })
            });
        }
    };
    let known: Vec<&str> =
        KNOWN.iter().chain(more.iter().copied().flatten()).copied().collect();
    let keys = r.known_keys(object, &known, &WITHOUT_EFFECT);
    let done = done(r, object);
    let rule = match kind {
        "performed_event" => window(r, object).and_then(|window| {
            let rule = done?.within(window).count().ge(1);
            r.check(rule)
        }),
        "performed_event_multiple" => {
            let (window, count) = (window(r, object), count(r, object));
            let (lo, hi) = count?;
            counted(r, done?.within(window?), lo, hi)
        }
        "performed_event_first_time" => first_time(r, object, done),
        "performed_event_sequence" => in_sequence(r, object, done),
        "performed_event_regularly" => regularly(r, object, done),
        _ => stopped(r, object, done, kind == "restarted_performing_event"),
    };
    keys.and(rule)
}

/// The events that are spoken of.
fn done(r: &mut Reader<'_>, object: &Object) -> Option<EventSelection> {
    let (spec, name) = stream(r, object, "key", "event_type")?;
    let filters = match get(object, "event_filters") {
        None | Some(Json::Null) => return Some(events(spec.name())),
        Some(filters) => filters,
    };
    let rules = r.at("event_filters", |r| {
        let list = r.list(filters)?;
        r.in_stream(&name, &spec, |r| r.each(list, filter))
    })?;
    let selection = events(spec.name());
    Some(if rules.is_empty() { selection } else { selection.filter(all(rules)) })
}

/// The stream that a key names, and that name.
fn stream(
    r: &mut Reader<'_>,
    object: &Object,
    key: &str,
    kind: &str,
) -> Option<(StreamSpec, String)> {
    let is_event = r.required_text(object, kind).and_then(|text| match text {
        "events" => Some(()),
        other => r.at(kind, |r| {
            let message = "what an action is, the definition does not say";
            r.fault("unsupported-condition", message, |i| {
                i.expected("`events`").found(format!("`{other}`"))
            })
        }),
    });
    let name = r.required_text(object, key)?;
    let spec = r.at(key, |r| r.stream(name));
    is_event?;
    Some((spec?, name.to_owned()))
}

fn filter(r: &mut Reader<'_>, json: &Json) -> Option<Rule> {
    let object = r.object(json)?;
    let known = ["type", "key", "value", "operator"];
    let keys = r.known_keys(object, &known, &WITHOUT_EFFECT);
    match get(object, "type") {
        None | Some(Json::Null) => {}
        Some(Json::Text(kind)) if kind == "event" => {}
        Some(other) => {
            return r.at("type", |r| {
                let message = "events are chosen by their own properties";
                r.fault("unsupported-condition", message, |i| {
                    i.expected("`event`").found(other.describe())
                })
            });
        }
    }
    keys.and(property::of(r, object))
}

/// A whole number that is at least 1.
fn number(r: &mut Reader<'_>, object: &Object, key: &str) -> Option<u32> {
    let json = r.required(object, key)?;
    r.at(key, |r| {
        let x = match json {
            Json::Number(x) => Some(*x),
            Json::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        match x {
            Some(x) if x >= 1.0 && x.fract() == 0.0 && x <= f64::from(u32::MAX) => {
                Some(x as u32)
            }
            _ => r.unexpected("a whole number that is at least 1", json),
        }
    })
}

/// The days of a unit of time; of a minute and an hour there are less.
fn unit(r: &mut Reader<'_>, object: &Object, key: &str) -> Option<(Span, bool)> {
    let text = r.required_text(object, key)?;
    r.at(key, |r| match text {
        "minute" => Some((Span::from_millis(60_000), false)),
        "hour" => Some((Span::hours(1), false)),
        "day" => Some((Span::days(1), true)),
        "week" => Some((Span::days(7), true)),
        "month" => {
            r.note("length-of-unit", "a month is read as 30 days");
            Some((Span::days(30), true))
        }
        "year" => {
            r.note("length-of-unit", "a year is read as 365 days");
            Some((Span::days(365), true))
        }
        other => r.fault("bad-value", "the interval is not known", |i| {
            i.expected("minute, hour, day, week, month or year")
                .found(format!("`{other}`"))
        }),
    })
}

fn times(span: Span, n: u32) -> Span {
    Span::from_millis(span.as_millis().saturating_mul(n.into()))
}

/// So many units before now.
fn span(r: &mut Reader<'_>, object: &Object, n: &str, interval: &str) -> Option<Span> {
    let (n, unit) = (number(r, object, n), unit(r, object, interval));
    let (unit, has_days) = unit?;
    if has_days {
        r.note_once("rolling-window", "a day is read as the 24 hours before now");
    }
    Some(times(unit, n?))
}

/// The window of a condition, which may also have dates.
fn window(r: &mut Reader<'_>, object: &Object) -> Option<Window> {
    let of = |key: &str| get(object, key).filter(|json| **json != Json::Null);
    let (from, to) = (of("explicit_datetime"), of("explicit_datetime_to"));
    if from.is_none() && to.is_none() {
        return span(r, object, "time_value", "time_interval").map(Window::Last);
    }
    let mut end = |key: &str, json: Option<&Json>| match json {
        None => Some(End::None),
        Some(json) => r.at(key, |r| instant(r, json)),
    };
    let from = end("explicit_datetime", from);
    let to = end("explicit_datetime_to", to);
    match (from?, to?) {
        (End::Ago(from), End::None) => Some(Window::Last(from)),
        (End::Ago(from), End::Ago(to)) => Some(Window::Ago { from, to }),
        (End::At(from), End::None) => {
            r.note("no-end", "the window goes on to the last day of the calendar");
            Some(Window::Between { from, to: "9999-12-31".to_owned() })
        }
        (End::At(from), End::At(to)) => Some(Window::Between { from, to }),
        _ => r.fault("unsupported-condition", "no window has such ends", |i| {
            i.expected("two dates, two times before now, or only the start")
        }),
    }
}

/// An end of a window.
enum End {
    None,
    At(String),
    Ago(Span),
}

fn instant(r: &mut Reader<'_>, json: &Json) -> Option<End> {
    let text = r.text(json)?;
    let ago = text.strip_prefix('-').map(|ago| ago.parse::<Span>());
    match ago {
        Some(Ok(span)) if text.ends_with(['d', 'h', 'w']) => {
            r.note_once("rolling-window", "a day is read as the 24 hours before now");
            Some(End::Ago(span))
        }
        Some(_) => r.fault("bad-instant", "the time before now cannot be read", |i| {
            i.expected("hours, days or weeks, as -36h, -30d or -4w")
                .found(format!("`{text}`"))
        }),
        None => Some(End::At(text.to_owned())),
    }
}

/// From how many to how many.
fn count(r: &mut Reader<'_>, object: &Object) -> Option<(u32, Option<u32>)> {
    let n = number(r, object, "operator_value");
    let operator = match get(object, "operator") {
        None | Some(Json::Null) => Some("exact"),
        Some(json) => r.at("operator", |r| r.text(json)),
    };
    let (n, operator) = (n?, operator?);
    Some(match operator {
        "gte" => (n, None),
        "gt" => (n.saturating_add(1), None),
        "exact" | "eq" => (n, Some(n)),
        "lte" | "lt" => {
            r.note("at-least-once", "who has no such event is left out, as there");
            (1, Some(if operator == "lt" { n - 1 } else { n }))
        }
        other => {
            return r.at("operator", |r| {
                let message = format!("the operator `{other}` is not known of counts");
                r.fault("unknown-operator", message, |i| {
                    i.expected("gte, gt, lte, lt or exact")
                })
            });
        }
    })
}

fn counted(
    r: &mut Reader<'_>,
    done: EventSelection,
    lo: u32,
    hi: Option<u32>,
) -> Option<Rule> {
    let count = done.count();
    match hi {
        None => r.check(count.ge(lo)),
        Some(hi) if hi == lo => r.check(count.eq(lo)),
        Some(hi) if hi < lo => {
            // Less often than once.
            r.check(count.ge(lo))?;
            Some(Rule::Nobody)
        }
        Some(hi) => r.check(count.between(lo, hi)),
    }
}

/// As far back as a window may reach before another, instead of for ever.
fn before(r: &mut Reader<'_>, to: Span) -> Window {
    let from = r.limits().get_window();
    r.note("bounded-past", format!("events more than {from} ago do not count"));
    Window::Ago { from, to }
}

fn first_time(
    r: &mut Reader<'_>,
    object: &Object,
    done: Option<EventSelection>,
) -> Option<Rule> {
    let Window::Last(span) = window(r, object)? else {
        let message = "the first time is only asked of the time up to now";
        return r.fault("unsupported-condition", message, |i| {
            i.expected("`time_value` and `time_interval`")
        });
    };
    let earlier = before(r, span);
    let done = done?;
    let recent = r.check(done.clone().last(span).count().ge(1));
    let none = r.check(done.within(earlier).count().eq(0));
    Some(recent? & none?)
}

fn in_sequence(
    r: &mut Reader<'_>,
    object: &Object,
    done: Option<EventSelection>,
) -> Option<Rule> {
    let window = span(r, object, "time_value", "time_interval");
    let within = span(r, object, "seq_time_value", "seq_time_interval");
    let next = stream(r, object, "seq_event", "seq_event_type");
    let (name, filter, _) = done?.into_parts();
    let (next, _) = next?;
    let mut first = step(name);
    first.filter = filter;
    let rule =
        sequence(first).then(step(next.name()).within(within?)).last(window?).rule();
    r.check(rule)
}

/// Did it once and not lately, or lately and not for a while before that.
fn stopped(
    r: &mut Reader<'_>,
    object: &Object,
    done: Option<EventSelection>,
    is_back: bool,
) -> Option<Rule> {
    let longer = span(r, object, "time_value", "time_interval");
    let recent = span(r, object, "seq_time_value", "seq_time_interval");
    let (longer, recent) = (longer?, recent?);
    if longer <= recent {
        return r.at("seq_time_value", |r| {
            r.fault("empty-window", "the time after is not within the whole", |i| {
                i.expected(format!("less than {longer}")).found(recent.to_string())
            })
        });
    }
    let between = Window::Ago { from: longer, to: recent };
    let earlier = is_back.then(|| before(r, longer));
    let done = done?;
    let n = |window: Window| done.clone().within(window).count();
    let last = Window::Last(recent);
    let rule = match earlier {
        Some(earlier) => all(vec![n(earlier).ge(1), n(between).eq(0), n(last).ge(1)]),
        None => n(between).ge(1) & n(last).eq(0),
    };
    r.check(rule)
}

/// How many rules a test of events is made of.
fn of_filter(done: &EventSelection) -> usize {
    let (_, filter, _) = done.clone().into_parts();
    1 + filter.map_or(0, |filter| n_nodes(&filter))
}

fn regularly(
    r: &mut Reader<'_>,
    object: &Object,
    done: Option<EventSelection>,
) -> Option<Rule> {
    let count = count(r, object);
    let length = number(r, object, "time_value");
    let interval = unit(r, object, "time_interval");
    let least = number(r, object, "min_periods");
    let periods = number(r, object, "total_periods");
    let ((lo, hi), length, (unit, has_days)) = (count?, length?, interval?);
    let (least, periods, done) = (least?, periods?, done?);
    // Each period is at least a rule, and all of them are written out.
    let most = r.limits().get_nodes();
    let n_nodes = of_filter(&done).saturating_mul(periods as usize);
    if n_nodes > most {
        return r.at("total_periods", |r| {
            r.fault("too-large", "the rule is too large", |i| {
                i.expected(format!("at most {most} nodes")).found(n_nodes.to_string())
            })
        });
    }
    if least > periods {
        return r.at("min_periods", |r| {
            r.fault("bad-count", "there are less periods than that", |i| {
                i.expected(format!("at most {periods}")).found(least.to_string())
            })
        });
    }
    let days = unit.as_millis() / Span::days(1).as_millis();
    let days = u32::try_from(days).ok().and_then(|days| days.checked_mul(length));
    let Some(days) = days.filter(|_| has_days) else {
        return r.at("time_interval", |r| {
            let message = "periods are made of whole days";
            r.fault("unsupported-condition", message, |i| {
                i.expected("day, week, month or year")
            })
        });
    };
    if unit != Span::days(1) {
        let message =
            "periods follow one another from yesterday back, whatever the calendar";
        r.note("periods-of-days", message);
    }
    let windows = (0..periods).map(|i| Window::CalendarAgo {
        from: days.saturating_mul(i + 1),
        to: days.saturating_mul(i),
        unit: CalendarUnit::Day,
    });
    let rules: Vec<Option<Rule>> =
        windows.map(|window| counted(r, done.clone().within(window), lo, hi)).collect();
    let rules = rules.into_iter().collect::<Option<Vec<Rule>>>()?;
    Some(Rule::at_least(least as usize, rules))
}
