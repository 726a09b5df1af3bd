//! JSON as a tree that keeps what a definition must not have: keys that stand twice.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};

/// Lists and objects inside each other; more than a definition has that can be compiled.
/// Readers of JSON commonly stop one level later.
pub(super) const MAX_LEVELS: usize = 126;

/// JSON, whatever it means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Null,
    Flag(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    /// Keys and values in the order of the text.
    Object(Vec<(String, Tree)>),
    /// A list or an object beyond [`MAX_LEVELS`], at which was not looked.
    TooDeep,
}

/// A number as it is written: only the first two are whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Unsigned(u64),
    /// Below zero.
    Signed(i64),
    Float(f64),
}

impl Number {
    pub(super) fn value(self) -> f64 {
        match self {
            Number::Unsigned(x) => x as f64,
            Number::Signed(x) => x as f64,
            Number::Float(x) => x,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Unsigned(x) => write!(f, "{x}"),
            Number::Signed(x) => write!(f, "{x}"),
            // `1.0` tells that it is not written as 1.
            Number::Float(x) => write!(f, "{x:?}"),
        }
    }
}

impl Tree {
    /// # Errors
    /// When the text is not JSON.
    pub(super) fn parse(text: &str) -> serde_json::Result<Tree> {
        let mut json = serde_json::Deserializer::from_str(text);
        let tree = Seed { levels: 0 }.deserialize(&mut json)?;
        json.end()?;
        Ok(tree)
    }
}

/// A value inside so many lists and objects.
#[derive(Clone, Copy)]
struct Seed {
    levels: usize,
}

impl Seed {
    fn inside(self) -> Option<Seed> {
        (self.levels < MAX_LEVELS).then_some(Seed { levels: self.levels + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: de::Error>(self, x: bool) -> Result<Tree, E> {
        Ok(Tree::Flag(x))
    }

    fn visit_u64<E: de::Error>(self, x: u64) -> Result<Tree, E> {
        Ok(Tree::Number(Number::Unsigned(x)))
    }

    fn visit_i64<E: de::Error>(self, x: i64) -> Result<Tree, E> {
        Ok(Tree::Number(Number::Signed(x)))
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Tree, E> {
        Ok(Tree::Number(Number::Float(x)))
    }

    fn visit_str<E: de::Error>(self, x: &str) -> Result<Tree, E> {
        Ok(Tree::Text(x.to_owned()))
    }

    fn visit_string<E: de::Error>(self, x: String) -> Result<Tree, E> {
        Ok(Tree::Text(x))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let Some(inside) = self.inside() else {
            // This needs no stack, however deep it is.
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Tree::TooDeep);
        };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let Some(inside) = self.inside() else {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Tree::TooDeep);
        };
        let mut object = Vec::new();
        while let Some(key) = entries.next_key()? {
            object.push((key, entries.next_value_seed(inside)?));
        }
        Ok(Tree::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize, key: &str) -> String {
        let (open, close) = if key.is_empty() {
            ("[".to_owned(), "]")
        } else {
            (format!("{{{key}:"), "}")
        };
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    }

    #[test]
    fn all_that_is_written_is_kept() {
        let tree = Tree::parse(r#"{"a": [1, -1, 1.0, "x"], "b": null, "a": true}"#);
        let number = |x| Tree::Number(x);
        let list = vec![
            number(Number::Unsigned(1)),
            number(Number::Signed(-1)),
            number(Number::Float(1.0)),
            Tree::Text("x".to_owned()),
        ];
        let object = vec![
            ("a".to_owned(), Tree::List(list)),
            ("b".to_owned(), Tree::Null),
            ("a".to_owned(), Tree::Flag(true)),
        ];
        assert_eq!(tree.unwrap(), Tree::Object(object));
    }

    #[test]
    fn what_is_nested_is_kept_up_to_a_depth() {
        for key in ["", "\"k\""] {
            let is_kept = |levels| {
                let tree = Tree::parse(&nested(levels, key)).unwrap();
                !format!("{tree:?}").contains("TooDeep")
            };
            assert!(is_kept(1) && is_kept(MAX_LEVELS));
            assert!(!is_kept(MAX_LEVELS + 1) && !is_kept(100_000));
        }
        assert!(Tree::parse(&"[".repeat(100_000)).is_err());
        assert!(Tree::parse("1 2").is_err());
        assert!(Tree::parse("").is_err());
    }
}
