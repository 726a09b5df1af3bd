//! JSON as it stands: objects keep the order of their keys, and keys that are there twice.

use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A value in a definition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The keys and values of an object.
pub(super) type Object = [(String, Json)];

/// The value of a key; of several, the first.
pub(super) fn get<'j>(object: &'j Object, key: &str) -> Option<&'j Json> {
    object.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

impl Json {
    /// For a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Json::Null => "null".to_owned(),
            Json::Flag(x) => x.to_string(),
            Json::Number(x) => format!("the number {x}"),
            Json::Text(text) => match text.char_indices().nth(40) {
                Some((end, _)) => format!("the text '{}…'", &text[..end]),
                None => format!("the text '{text}'"),
            },
            Json::List(list) => format!("a list of {}", list.len()),
            Json::Object(object) => match object.first() {
                Some((key, _)) => {
                    format!(
                        "an object with `{}`",
                        key.chars().take(40).collect::<String>()
                    )
                }
                None => "an empty object".to_owned(),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, x: bool) -> Result<Json, E> {
        Ok(Json::Flag(x))
    }

    fn visit_i64<E: de::Error>(self, x: i64) -> Result<Json, E> {
        Ok(Json::Number(x as f64))
    }

    fn visit_u64<E: de::Error>(self, x: u64) -> Result<Json, E> {
        Ok(Json::Number(x as f64))
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Json, E> {
        Ok(Json::Number(x))
    }

    fn visit_str<E: de::Error>(self, x: &str) -> Result<Json, E> {
        Ok(Json::Text(x.to_owned()))
    }

    fn visit_string<E: de::Error>(self, x: String) -> Result<Json, E> {
        Ok(Json::Text(x))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Json::Object(object))
    }
}
