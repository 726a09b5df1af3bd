//! Definitions of other systems: golden cases, faults, hostile input, and what their own
//! evaluation gives.

mod growthbook;
mod hostile;
mod mongo;
mod posthog;
mod unomi;

use segmenta::ErrorKind;
use segmenta::data::{FeatureSpec, Schema, StreamSpec};
use segmenta::rules::{Import, Imported, Rule};

fn schema() -> Schema {
    let order = StreamSpec::new(
        "order",
        [
            FeatureSpec::number("amount"),
            FeatureSpec::category("channel"),
            FeatureSpec::flag("gift"),
            FeatureSpec::date("due"),
        ],
    );
    Schema::builder()
        .feature(FeatureSpec::number("age"))
        .feature(FeatureSpec::category("country"))
        .feature(FeatureSpec::category("plan").levels(["free", "pro"]))
        .feature(FeatureSpec::flag("admin"))
        .feature(FeatureSpec::date("joined"))
        .feature(FeatureSpec::tags("groups"))
        .feature(FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]))
        .feature(FeatureSpec::number("lat"))
        .feature(FeatureSpec::number("lon"))
        .stream(order)
        .stream(StreamSpec::new("view", [FeatureSpec::category("page")]))
        .build()
        .unwrap()
}

fn import() -> Import {
    Import::new(&schema())
        .feature("user.age", "age")
        .stream("$purchase", "order")
        .property("$purchase", "$amount", "amount")
        .segment("12", "vip")
        .location("location", "lat", "lon")
}

type Read = fn(&Import, &str) -> segmenta::Result<Imported>;

/// A definition is read as this rule, with notes of these codes at these places.
#[track_caller]
fn golden(read: Read, json: &str, text: &str, notes: &[(&str, &str)]) {
    let imported =
        read(&import(), json).unwrap_or_else(|error| panic!("{error}\n{json}"));
    assert_eq!(imported.rule.to_string(), text, "{json}");
    assert_eq!(text.parse::<Rule>().unwrap(), imported.rule);
    let found: Vec<(&str, &str)> =
        imported.notes.iter().map(|note| (&*note.code, &*note.path)).collect();
    assert_eq!(found, notes, "{json}");
    // Notes point to what is there.
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    for (_, path) in notes {
        assert!(document.pointer(path).is_some(), "{path} in {json}");
    }
}

/// A definition has faults of these codes at these places.
#[track_caller]
fn faults(read: Read, json: &str, expected: &[(&str, &str)]) {
    let error = match read(&import(), json) {
        Ok(imported) => panic!("read as {}\n{json}", imported.rule),
        Err(error) => error,
    };
    let ErrorKind::Definition { issues, .. } = error.kind() else { panic!("{error}") };
    let found: Vec<(&str, &str)> =
        issues.iter().map(|issue| (&*issue.code, &*issue.path)).collect();
    assert_eq!(found, expected, "{json}\n{error}");
}
