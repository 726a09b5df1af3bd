//! The clauses of [`Persist`].

use serde_json::Value as Document;

use super::segmenter::ask;
use super::{Failure, ensure, hostile_customers, without_panic};
use crate::data::OwnedCustomer;
use crate::segmenter::{Persist, Registry, Saved, Segmenter};

fn registry<M: Persist>() -> Result<Registry, Failure> {
    let mut registry = crate::registry();
    registry.register::<M>().map_err(|e| Failure::new(e.to_string()))?;
    Ok(registry)
}

fn save<M: Persist>(model: &M) -> Result<Saved, Failure> {
    registry::<M>()?
        .save(model)
        .map_err(|e| Failure::new(format!("cannot be saved: {e}")))
}

fn same_answers(
    model: &dyn Segmenter,
    loaded: &dyn Segmenter,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    ensure(model.schema() == loaded.schema(), || "the schema changed".to_owned())?;
    ensure(model.segments() == loaded.segments(), || "the segments changed".to_owned())?;
    ensure(model.capabilities() == loaded.capabilities(), || {
        "the capabilities changed".to_owned()
    })?;
    let hostile: Vec<OwnedCustomer> =
        hostile_customers(model.schema()).into_iter().map(|(case, _)| case).collect();
    for case in cases.iter().chain(&hostile) {
        let (before, after) = (ask(model, case), ask(loaded, case));
        ensure(before == after, || {
            format!("{before:?} before, {after:?} after: {case:?}")
        })?;
        let explain = |s: &dyn Segmenter| {
            s.explain(case).map(|e| e.to_string()).map_err(|e| e.to_string())
        };
        ensure(explain(model) == explain(loaded), || {
            format!("the explanation changed for {case:?}")
        })?;
    }
    Ok(())
}

/// Clause 4: through JSON and back, every answer is the same to the bit, and saving again
/// gives the same bytes.
pub fn round_trip_is_exact<M: Persist>(
    model: &M,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let failure = |e: crate::Error| Failure::new(format!("cannot be loaded: {e}"));
    ensure(!cases.is_empty(), || "there are no cases".to_owned())?;
    let json = save(model)?.to_json().map_err(failure)?;
    let saved = Saved::from_json(&json).map_err(failure)?;
    let loaded: M = registry::<M>()?.load_as(&saved).map_err(failure)?;
    same_answers(model, &loaded, cases)?;
    let again = save(&loaded)?.to_json().map_err(failure)?;
    ensure(json == again, || "saving again gives another text".to_owned())
}

/// Clause 1: the kind stands in the envelope, and the registry loads what it saves.
pub fn registry_agrees<M: Persist>(
    model: &M,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let saved = save(model)?;
    ensure(saved.kind() == M::KIND && saved.version() == M::VERSION, || {
        format!("saved as {} version {}", saved.kind(), saved.version())
    })?;
    let loaded =
        registry::<M>()?.load(&saved).map_err(|e| Failure::new(e.to_string()))?;
    ensure(loaded.is::<M>(), || "loaded as another type".to_owned())?;
    same_answers(model, &*loaded, cases)?;
    ensure(Registry::empty().load(&saved).is_err(), || {
        "an empty registry loads it".to_owned()
    })
}

/// Clause 3: a model whose data were altered and signed anew is refused with an error that
/// blames the file, or works without a panic.
pub fn forged_does_not_panic<M: Persist>(
    model: &M,
    cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let saved = save(model)?;
    let registry = registry::<M>()?;
    let hostile: Vec<OwnedCustomer> =
        hostile_customers(model.schema()).into_iter().map(|(case, _)| case).collect();
    for altered in alterations(saved.document()) {
        let about: String = altered.to_string().chars().take(300).collect();
        let forged = saved.forged(altered).map_err(|e| Failure::new(e.to_string()))?;
        let loaded = without_panic(&format!("loading {about}"), || {
            registry.load_as::<M>(&forged)
        })?;
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                ensure(error.is_format(), || {
                    format!(
                        "an altered model gives `{error}`, which does not blame the file"
                    )
                })?;
                continue;
            }
        };
        for case in cases.iter().take(5).chain(hostile.iter().step_by(3)) {
            without_panic(&format!("a forged model ({about})"), || {
                let answer = ask(&loaded, case);
                let explained = loaded.explain(case);
                answer.is_ok() && explained.is_ok()
            })?;
        }
    }
    Ok(())
}

/// Clause 2: `upgrade` leaves the current version as it is, refuses versions that do not
/// exist, and does not panic on junk of older ones.
pub fn upgrade_knows_its_versions<M: Persist>(
    model: &M,
    _cases: &[OwnedCustomer],
) -> Result<(), Failure> {
    let document = save(model)?.document().clone();
    ensure(M::VERSION >= 1, || "versions count from 1".to_owned())?;
    let same = without_panic("upgrade of the current version", || {
        M::upgrade(M::VERSION, document.clone())
            .is_ok_and(|upgraded| upgraded == document)
    })?;
    ensure(same, || "upgrade changes a document of the current version".to_owned())?;
    for version in [0, M::VERSION.saturating_add(1)] {
        let refused = without_panic("upgrade of a version that does not exist", || {
            M::upgrade(version, document.clone()).is_err()
        })?;
        ensure(refused, || format!("upgrade accepts version {version}"))?;
    }
    for version in 1..M::VERSION {
        for junk in alterations(&document) {
            without_panic("upgrade of junk", || M::upgrade(version, junk).is_ok())?;
        }
    }
    Ok(())
}

/// The document with each of its values, in turn, replaced or removed.
fn alterations(document: &Document) -> Vec<Document> {
    let mut places = Vec::new();
    list_places(document, String::new(), &mut places);
    // Long lists have many places alike: a spread of them is enough.
    let step = places.len().div_ceil(150).max(1);
    let mut altered = Vec::new();
    for place in places.iter().step_by(step) {
        let Some(old) = document.pointer(place) else { continue };
        for new in replacements(old) {
            let mut copy = document.clone();
            if let Some(value) = copy.pointer_mut(place) {
                *value = new;
                altered.push(copy);
            }
        }
    }
    altered
}

fn list_places(document: &Document, at: String, places: &mut Vec<String>) {
    match document {
        Document::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                list_places(item, format!("{at}/{i}"), places);
            }
        }
        Document::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                list_places(value, format!("{at}/{key}"), places);
            }
        }
        _ => {}
    }
    places.push(at);
}

fn replacements(old: &Document) -> Vec<Document> {
    use serde_json::json;
    let mut new = vec![
        json!(null),
        json!(-1),
        json!(0),
        json!(1e308),
        json!(-1e308),
        json!(u64::MAX),
        json!(""),
        json!([]),
        json!({}),
    ];
    match old {
        Document::Array(items) => {
            if let [_, rest @ ..] = &items[..] {
                new.push(Document::Array(rest.to_vec()));
            }
            new.push(Document::Array(items.iter().chain(items).cloned().collect()));
            new.push(Document::Array(items.iter().rev().cloned().collect()));
        }
        Document::Number(number) => {
            if let Some(x) = number.as_f64() {
                new.push(json!(x + 1.0));
                new.push(json!(-x));
            }
        }
        _ => {}
    }
    new.retain(|value| value != old);
    new
}
