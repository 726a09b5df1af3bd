//! Saved models: a versioned envelope, checked when it is read.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Document;

use super::Segmenter;
use crate::data::Schema;
use crate::error::{Error, ErrorKind, Result, similar_names};
use crate::fnv::Fnv;

const FORMAT: &str = "segmenta";

/// Levels of JSON inside each other, at most: readers commonly stop at 128.
const MAX_NESTING: usize = 127;

/// A segmenter that can be saved and loaded.
///
/// # Contract
/// 1. [`KIND`](Persist::KIND) is unique: `segmenta.kmeans`, `acme.loyalty`.
/// 2. [`Repr`](Persist::Repr) is plain data, the shape on disk, never the live model. A
///    change of its shape raises [`VERSION`](Persist::VERSION), and
///    [`upgrade`](Persist::upgrade) turns older shapes into the current one, for ever.
/// 3. [`from_repr`](Persist::from_repr) trusts nothing: lengths, ranges, finiteness and
///    order are checked, and what does not fit is an error of kind
///    [`ErrorKind::Corrupt`]. It never panics.
/// 4. A model that was saved and loaded gives the same assignments, to the bit.
pub trait Persist: Segmenter + Sized {
    /// What kind of model this is, for the envelope.
    const KIND: &'static str;

    /// The current version of the shape, from 1.
    const VERSION: u32;

    /// The shape on disk.
    type Repr: Serialize + DeserializeOwned;

    /// The model as plain data. Compositions save their parts through `registry`.
    ///
    /// # Errors
    /// When a part is of a kind that is not registered.
    fn to_repr(&self, registry: &Registry) -> Result<Self::Repr>;

    /// The model from plain data of the current version.
    ///
    /// # Errors
    /// When the data contradict themselves or the schema.
    fn from_repr(repr: Self::Repr, schema: Schema, registry: &Registry) -> Result<Self>;

    /// Turns a document of an older version into one of the current version.
    ///
    /// # Errors
    /// When the version is not known, or the document does not have its shape.
    fn upgrade(version: u32, document: Document) -> Result<Document> {
        if version == Self::VERSION {
            Ok(document)
        } else {
            Err(unsupported(Self::KIND, version, Self::VERSION))
        }
    }

    /// The model in its envelope. For compositions use [`Registry::save`].
    ///
    /// # Errors
    /// When a part cannot be saved, or parts are inside each other so deeply that readers
    /// of JSON would refuse the result.
    fn save(&self) -> Result<Saved> {
        Saved::of(self, &Registry::empty())
    }

    /// The model out of its envelope. For compositions use [`Registry::load_as`].
    ///
    /// # Errors
    /// When the envelope holds another kind of model, an unknown version, or data that
    /// were altered or contradict themselves.
    fn load(saved: &Saved) -> Result<Self> {
        saved.open(&Registry::empty())
    }
}

pub(crate) fn unsupported(kind: &str, found: u32, supported: u32) -> Error {
    ErrorKind::UnsupportedVersion { kind: kind.to_owned(), found, supported }.into()
}

/// A saved model: format, kind, version, schema, the model's data, and a digest that
/// tells accidental alterations. It is JSON at rest, and goes through any self-describing
/// serde format.
///
/// The digest covers meaning, not spelling: white space, the order of keys and `1` for
/// `1.0` do not matter to it. It is no protection against forgery.
///
/// ```
/// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema};
/// use segmenta::rules::{RuleSegmenter, field};
/// use segmenta::segmenter::{Persist, Saved};
/// use segmenta::{Segmenter, SegmenterExt};
///
/// let schema = Schema::new([FeatureSpec::number("orders")])?;
/// let model = RuleSegmenter::builder(&schema)
///     .segment("loyal", "Loyal", field("orders").ge(10.0))
///     .build()?;
/// let json = model.save()?.to_json()?;
///
/// // The kind is known,
/// let saved = Saved::from_json(&json)?;
/// assert_eq!(RuleSegmenter::load(&saved)?, model);
/// // or whatever the text holds.
/// let loaded: Box<dyn Segmenter> = segmenta::registry().load(&saved)?;
/// let ann = OwnedCustomer::new(&schema, 1).set("orders", 12.0)?;
/// assert_eq!(loaded.assign(&ann)?, model.assign(&ann)?);
///
/// assert!(Saved::from_json(&json.replace("10", "11")).unwrap_err().is_format());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    format: String,
    kind: String,
    version: u32,
    digest: String,
    schema: Schema,
    model: Document,
}

impl Saved {
    fn of<M: Persist>(model: &M, registry: &Registry) -> Result<Saved> {
        let repr = model.to_repr(registry)?;
        Saved::around(&repr, M::KIND, M::VERSION, model.schema().clone())
    }

    /// An envelope around plain data.
    pub(crate) fn around(
        repr: &impl Serialize,
        kind: &str,
        version: u32,
        schema: Schema,
    ) -> Result<Saved> {
        let document = serde_json::to_value(repr)
            .map_err(|e| Error::corrupt(kind, format!("cannot be written: {e}")))?;
        // The envelope is one more.
        let found = nesting(&document) + 1;
        if found > MAX_NESTING {
            return Err(Error::parameter(
                format!("nesting of the saved `{kind}`"),
                format!("at most {MAX_NESTING} levels of JSON, or it could not be read"),
                found,
            ));
        }
        let mut saved = Saved {
            format: FORMAT.to_owned(),
            kind: kind.to_owned(),
            version,
            digest: String::new(),
            schema,
            model: document,
        };
        saved.digest = saved.compute_digest()?;
        Ok(saved)
    }

    fn open<M: Persist>(&self, registry: &Registry) -> Result<M> {
        let document = self.checked(M::KIND, M::VERSION)?.clone();
        let document = M::upgrade(self.version, document)?;
        let repr = serde_json::from_value(document)
            .map_err(|e| Error::corrupt(M::KIND, e.to_string()))?;
        // What a constructor refuses is, in a saved model, a fault of the file.
        M::from_repr(repr, self.schema.clone(), registry).map_err(|e| {
            match e.is_format() {
                true => e,
                false => Error::corrupt(M::KIND, e.to_string()),
            }
        })
    }

    /// The data of a model of this kind, of this version or an older one.
    pub(crate) fn checked(&self, kind: &str, newest: u32) -> Result<&Document> {
        if self.kind != kind {
            let reason = format!("it is not a `{kind}`");
            return Err(Error::corrupt(self.kind.clone(), reason));
        }
        self.verify()?;
        if self.version == 0 || self.version > newest {
            return Err(unsupported(kind, self.version, newest));
        }
        Ok(&self.model)
    }

    /// What kind of model it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The version of the kind's shape.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The features that the model reads.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Digest of kind, version, schema and data: 16 hexadecimal digits. Equal models have
    /// equal digests.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The envelope as JSON. Numbers are written so that they are read back to the bit.
    ///
    /// # Errors
    /// When the document cannot be written; not known to happen.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::corrupt(&self.kind, e.to_string()))
    }

    /// The envelope from JSON. The model inside is checked when it is loaded.
    ///
    /// # Errors
    /// When the text is not JSON, or not an envelope, or was cut short or altered.
    pub fn from_json(json: &str) -> Result<Saved> {
        let saved: Saved = serde_json::from_str(json)
            .map_err(|e| Error::corrupt("model", e.to_string()))?;
        saved.verify()?;
        Ok(saved)
    }

    /// The same envelope around another document, with a digest that matches: what a
    /// forger would make.
    #[cfg(feature = "testing")]
    pub(crate) fn forged(&self, model: Document) -> Result<Saved> {
        let mut saved = Saved { model, ..self.clone() };
        saved.digest = saved.compute_digest()?;
        Ok(saved)
    }

    /// The model's data.
    #[cfg(feature = "testing")]
    pub(crate) fn document(&self) -> &Document {
        &self.model
    }

    fn verify(&self) -> Result<()> {
        if self.format != FORMAT {
            let reason = format!("the format is `{}`, not `{FORMAT}`", self.format);
            return Err(Error::corrupt(&self.kind, reason));
        }
        if self.digest != self.compute_digest()? {
            return Err(Error::corrupt(
                &self.kind,
                "its digest does not match: it was altered after it was saved",
            ));
        }
        Ok(())
    }

    fn compute_digest(&self) -> Result<String> {
        let schema = serde_json::to_value(&self.schema)
            .map_err(|e| Error::corrupt(&self.kind, e.to_string()))?;
        let mut digest = Digest::new();
        digest.bytes(self.kind.as_bytes());
        digest.bytes(&self.version.to_le_bytes());
        digest.document(&schema);
        digest.document(&self.model);
        Ok(format!("{:016x}", digest.0.finish()))
    }
}

/// How many arrays and objects are inside each other.
fn nesting(document: &Document) -> usize {
    match document {
        Document::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Document::Object(fields) => 1 + fields.values().map(nesting).max().unwrap_or(0),
        _ => 0,
    }
}

/// A hash over the parts of a document.
struct Digest(Fnv);

impl Digest {
    fn new() -> Digest {
        Digest(Fnv::new())
    }

    fn byte(&mut self, byte: u8) {
        self.0.byte(byte);
    }

    /// Bytes after their number, so that neighbours cannot run into each other.
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes() {
            self.byte(byte);
        }
        bytes.iter().for_each(|&byte| self.byte(byte));
    }

    fn document(&mut self, document: &Document) {
        match document {
            Document::Null => self.byte(0),
            Document::Bool(b) => self.bytes(&[1, u8::from(*b)]),
            Document::Number(number) => {
                self.byte(2);
                let exact = number.as_u64().filter(|&n| n > 1 << 53);
                match (exact, number.as_f64()) {
                    (Some(n), _) => self.bytes(&n.to_le_bytes()),
                    (None, x) => self.bytes(&x.unwrap_or(0.0).to_bits().to_le_bytes()),
                }
            }
            Document::String(text) => {
                self.byte(3);
                self.bytes(text.as_bytes());
            }
            Document::Array(items) => {
                self.byte(4);
                self.bytes(&(items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| self.document(item));
            }
            Document::Object(fields) => {
                self.byte(5);
                self.bytes(&(fields.len() as u64).to_le_bytes());
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                for (key, value) in sorted {
                    self.bytes(key.as_bytes());
                    self.document(value);
                }
            }
        }
    }
}

/// The kinds of models that a host is willing to save and load. There is no global list;
/// [`registry`](crate::registry) gives one with the built-in kinds, to which a host adds
/// its own:
///
/// ```
/// let registry = segmenta::registry();
/// assert!(registry.kinds().any(|kind| kind == "segmenta.kmeans"));
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    kind: &'static str,
    type_id: TypeId,
    save: fn(&dyn Segmenter, &Registry) -> Result<Saved>,
    load: fn(&Saved, &Registry) -> Result<Box<dyn Segmenter>>,
}

impl Registry {
    /// No kinds at all.
    #[must_use]
    pub const fn empty() -> Registry {
        Registry { entries: Vec::new() }
    }

    /// Adds a kind. Adding it again changes nothing.
    ///
    /// # Errors
    /// When another type already has the same [`Persist::KIND`].
    pub fn register<M: Persist>(&mut self) -> Result<&mut Registry> {
        if let Some(entry) = self.entries.iter().find(|e| e.kind == M::KIND) {
            if entry.type_id != TypeId::of::<M>() {
                let name = M::KIND.to_owned();
                return Err(ErrorKind::DuplicateName { what: "model kind", name }.into());
            }
            return Ok(self);
        }
        self.entries.push(Entry {
            kind: M::KIND,
            type_id: TypeId::of::<M>(),
            save: |model, registry| match model.downcast_ref::<M>() {
                Some(model) => Saved::of(model, registry),
                None => Err(Error::corrupt(M::KIND, "it is of another type")),
            },
            load: |saved, registry| {
                saved
                    .open::<M>(registry)
                    .map(|model| Box::new(model) as Box<dyn Segmenter>)
            },
        });
        Ok(self)
    }

    /// The registered kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.entries.iter().map(|entry| entry.kind)
    }

    /// A model of a registered kind in its envelope.
    ///
    /// # Errors
    /// When the model's kind, or that of a part, is not registered; or when parts are
    /// inside each other so deeply (some forty compositions) that readers of JSON would
    /// refuse the result.
    pub fn save(&self, model: &dyn Segmenter) -> Result<Saved> {
        let model = model.innermost();
        let type_id = (model as &dyn Any).type_id();
        match self.entries.iter().find(|entry| entry.type_id == type_id) {
            Some(entry) => (entry.save)(model, self),
            None => {
                let kind = format!("{model:?}").chars().take(40).collect();
                Err(ErrorKind::UnknownKind { kind, similar: Vec::new() }.into())
            }
        }
    }

    /// A model out of its envelope, whatever its kind.
    ///
    /// # Errors
    /// When the kind is not registered, the version is unknown, or the data were altered
    /// or contradict themselves.
    pub fn load(&self, saved: &Saved) -> Result<Box<dyn Segmenter>> {
        match self.entries.iter().find(|entry| entry.kind == saved.kind) {
            Some(entry) => (entry.load)(saved, self),
            None => {
                let similar = similar_names(&saved.kind, self.kinds());
                Err(ErrorKind::UnknownKind { kind: saved.kind.clone(), similar }.into())
            }
        }
    }

    /// A model out of its envelope, as itself.
    ///
    /// # Errors
    /// As [`load`](Registry::load); or when the envelope holds another kind.
    pub fn load_as<M: Persist>(&self, saved: &Saved) -> Result<M> {
        saved.open(self)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds()).finish()
    }
}

impl dyn Segmenter {
    /// The segmenter inside nested boxes and arcs: `&Box<dyn Segmenter>` is itself a
    /// segmenter, and its type would otherwise be that of the box.
    pub(super) fn innermost(&self) -> &dyn Segmenter {
        let any = self as &dyn Any;
        if let Some(inner) = any.downcast_ref::<Box<dyn Segmenter>>() {
            (**inner).innermost()
        } else if let Some(inner) = any.downcast_ref::<Arc<dyn Segmenter>>() {
            (**inner).innermost()
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{FeatureSpec, Schema};
    use crate::segmenter::Fallback;

    fn saved() -> Saved {
        let schema = Schema::new([FeatureSpec::number("orders")]).unwrap();
        Saved::of(&Fallback::new(&schema), &Registry::empty()).unwrap()
    }

    #[test]
    fn a_version_of_the_future_says_so() {
        for version in [0, 2, u32::MAX] {
            let mut other = Saved { version, ..saved() };
            other.digest = other.compute_digest().unwrap();
            let error = Fallback::load(&other).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::UnsupportedVersion { .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn spelling_does_not_matter_to_the_digest() {
        let json = |text: &str| serde_json::from_str::<Document>(text).unwrap();
        let digest = |text: &str| {
            let mut digest = Digest::new();
            digest.document(&json(text));
            digest.0.finish()
        };
        assert_eq!(digest(r#"{"a": 1, "b": [2.5]}"#), digest(r#"{"b":[2.50],"a":1.0}"#));
        for (a, b) in [
            ("1", "2"),
            ("[1,2]", "[2,1]"),
            ("[[1],2]", "[[1,2]]"),
            (r#"["ab","c"]"#, r#"["a","bc"]"#),
            (r#"{"a":null}"#, "{}"),
            ("0", "false"),
            ("18446744073709551615", "18446744073709551614"),
        ] {
            assert_ne!(digest(a), digest(b), "{a} {b}");
        }
    }

    #[test]
    fn what_was_altered_or_cut_short_is_an_error() {
        let json = saved().to_json().unwrap();
        assert!(Saved::from_json(&json).is_ok());
        for end in (0..json.len()).filter(|&end| json.is_char_boundary(end)) {
            assert!(Saved::from_json(&json[..end]).is_err(), "{end}");
        }
        for (old, new) in [
            ("orders", "order5"),
            ("\"version\":1", "\"version\":2"),
            ("fallback", "crosstab"),
            ("\"format\":\"segmenta\"", "\"format\":\"segments\""),
            ("\"model\":[]", "\"model\":[],\"extra\":1"),
        ] {
            let altered = json.replace(old, new);
            assert_ne!(altered, json, "{old}");
            assert!(Saved::from_json(&altered).unwrap_err().is_format(), "{old}");
        }
    }
}
