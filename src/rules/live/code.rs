//! Values of events as numbers of 64 bits.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::{Date, FeatureKind, Value};
use crate::rules::behaviour::Property;
use crate::rules::leaf::Names;

/// A value, or that there is none.
pub(super) type Code = u64;

/// There is no event.
pub(super) const ABSENT: Code = 0;
/// There is an event, but its property is missing.
pub(super) const MISSING: Code = 1;
/// What a number's bits are compared with, so that no number has the codes above: both are
/// those of NaNs.
const NAN: u64 = 0x7ff8_0000_0000_0001;
/// The first code of what is no number.
const FIRST: Code = 2;

/// How values of one kind are coded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number,
    Flag,
    Date,
    Level(Arc<Names>),
    Text,
}

#[inline]
pub(super) fn of_number(x: f64) -> Code {
    x.to_bits() ^ NAN
}

#[inline]
pub(super) fn number(code: Code) -> f64 {
    f64::from_bits(code ^ NAN)
}

#[inline]
pub(super) fn of_date(date: Date) -> Code {
    FIRST + u64::from(date.days_since_epoch().abs_diff(Date::MIN.days_since_epoch()))
}

fn date(code: Code) -> Date {
    let most = Date::MAX.days_since_epoch().abs_diff(Date::MIN.days_since_epoch());
    let days = code.saturating_sub(FIRST).min(most.into());
    Date::of_checked(Date::MIN.days_since_epoch().saturating_add_unsigned(days as u32))
}

impl Kind {
    pub(super) fn of(property: &Property) -> Kind {
        match (property.spec.kind(), &property.levels) {
            (FeatureKind::Number, _) => Kind::Number,
            (FeatureKind::Flag, _) => Kind::Flag,
            (FeatureKind::Date, _) => Kind::Date,
            (_, Some(levels)) => Kind::Level(levels.clone()),
            (_, None) => Kind::Text,
        }
    }

    /// The code of a value of this kind that was checked.
    pub(super) fn encode(&self, value: &Value<'_>, texts: &mut Texts) -> Code {
        match (self, value) {
            (_, Value::Number(x)) => of_number(*x),
            (_, Value::Flag(x)) => FIRST + u64::from(*x),
            (_, Value::Date(date)) => of_date(*date),
            (Kind::Level(levels), Value::Category(name)) => {
                levels.position(name).map_or(MISSING, |at| FIRST + at as u64)
            }
            (_, Value::Category(name)) => FIRST + u64::from(texts.code(name)),
            _ => MISSING,
        }
    }

    #[inline]
    pub(super) fn decode<'a>(&'a self, code: Code, texts: &'a Texts) -> Value<'a> {
        if code < FIRST && !matches!(self, Kind::Number)
            || code == ABSENT
            || code == MISSING
        {
            return Value::Missing;
        }
        let at = (code.wrapping_sub(FIRST)) as usize;
        match self {
            Kind::Number => Value::Number(number(code)),
            Kind::Flag => Value::Flag(at == 1),
            Kind::Date => Value::Date(date(code)),
            Kind::Level(levels) => levels.get(at).into(),
            Kind::Text => texts.get(at).into(),
        }
    }

    /// Whether a number or date lies before another.
    pub(super) fn is_less(&self, a: Code, b: Code) -> bool {
        match self {
            Kind::Number => number(a) < number(b),
            _ => a < b,
        }
    }

    /// Whether a code, not [`ABSENT`], is one of this kind.
    pub(super) fn has(&self, code: Code, texts: &Texts) -> bool {
        let at = code.wrapping_sub(FIRST);
        code <= MISSING
            || match self {
                Kind::Number => number(code).is_finite(),
                Kind::Flag => at < 2,
                Kind::Date => of_date(date(code)) == code,
                Kind::Level(levels) => at < levels.iter().len() as u64,
                Kind::Text => at < texts.len() as u64,
            }
    }
}

/// Names that a customer's events have, each once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Box<str>>", into = "Vec<Box<str>>")]
pub(super) struct Texts {
    names: Vec<Box<str>>,
    /// The places of the names in ascending order.
    order: Vec<u32>,
    /// From so many names on, those that are not used any more are looked for.
    most: usize,
}

/// Names that are kept without a look at whether they are used.
const FEW: usize = 64;

impl Texts {
    pub(super) const NONE: Texts =
        Texts { names: Vec::new(), order: Vec::new(), most: 0 };

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    pub(super) fn get(&self, at: usize) -> Option<&str> {
        self.names.get(at).map(|name| &**name)
    }

    fn code(&mut self, name: &str) -> u32 {
        let found =
            self.order.binary_search_by(|&at| (*self.names[at as usize]).cmp(name));
        match found {
            Ok(at) => self.order[at],
            Err(at) => {
                let next = self.names.len() as u32;
                self.names.push(name.into());
                self.order.insert(at, next);
                next
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.names.len() > self.most.max(FEW)
    }

    /// Keeps only names of these codes. Gives the new codes of all old ones.
    pub(super) fn retain(&mut self, used: &BTreeSet<Code>) -> Vec<Code> {
        let names = std::mem::take(&mut self.names);
        let mut codes = vec![MISSING; names.len()];
        for &code in used {
            let at = code.wrapping_sub(FIRST) as usize;
            if let Some(name) = names.get(at) {
                codes[at] = FIRST + self.names.len() as u64;
                self.names.push(name.clone());
            }
        }
        *self = Texts {
            most: 2 * self.names.len(),
            ..Texts::from(std::mem::take(&mut self.names))
        };
        codes
    }

    /// The new code of an old one.
    pub(super) fn moved(code: Code, codes: &[Code]) -> Code {
        codes.get(code.wrapping_sub(FIRST) as usize).copied().unwrap_or(code)
    }

    pub(super) fn heap_size(&self) -> usize {
        let names: usize = self.names.iter().map(|name| name.len()).sum();
        names + self.names.capacity() * size_of::<Box<str>>() + 4 * self.order.capacity()
    }

    /// Whether each name is there once.
    pub(super) fn is_valid(&self) -> bool {
        let name = |at: u32| &self.names[at as usize];
        self.order.windows(2).all(|pair| name(pair[0]) < name(pair[1]))
    }
}

/// When unused ones are looked for is no part of what is known.
impl PartialEq for Texts {
    fn eq(&self, other: &Texts) -> bool {
        self.names == other.names
    }
}

impl From<Vec<Box<str>>> for Texts {
    fn from(names: Vec<Box<str>>) -> Texts {
        let mut order: Vec<u32> = (0..names.len() as u32).collect();
        order.sort_by(|&a, &b| names[a as usize].cmp(&names[b as usize]));
        // As far as is known all are used.
        Texts { most: names.len(), names, order }
    }
}

impl From<Texts> for Vec<Box<str>> {
    fn from(texts: Texts) -> Vec<Box<str>> {
        texts.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_they_were_written() {
        let mut texts = Texts::default();
        let levels = Arc::new(Names::new(["b", "a", "c"]));
        let date = |days| Value::Date(Date::of_checked(days));
        let ends = [Date::MIN, Date::MAX].map(Value::Date);
        let numbers = [0.0, -0.0, -1.5, f64::MAX, f64::MIN, 5e-324].map(Value::Number);
        let cases = [
            (Kind::Number, numbers.to_vec()),
            (Kind::Flag, vec![Value::Flag(true), Value::Flag(false)]),
            (Kind::Date, vec![date(0), date(-1), ends[0], ends[1]]),
            (Kind::Level(levels), ["a", "b", "c"].map(Value::Category).to_vec()),
            (Kind::Text, ["x", "", "a"].map(Value::Category).to_vec()),
        ];
        for (kind, values) in cases {
            for value in values {
                let code = kind.encode(&value, &mut texts);
                assert!(code > MISSING && kind.has(code, &texts));
                assert_eq!(kind.decode(code, &texts), value);
            }
            assert_eq!(kind.encode(&Value::Missing, &mut texts), MISSING);
            for code in [ABSENT, MISSING] {
                assert_eq!(kind.decode(code, &texts), Value::Missing);
            }
        }
        assert!(!Kind::Number.has(of_number(f64::INFINITY), &texts));
        for kind in [Kind::Flag, Kind::Date, Kind::Text] {
            assert!(!kind.has(u64::MAX, &texts));
        }
    }

    #[test]
    fn names_that_are_not_used_are_forgotten() {
        let mut texts = Texts::default();
        let code = |texts: &mut Texts, i: u64| {
            Kind::Text.encode(&Value::Category(&i.to_string()), texts)
        };
        for i in 0..100 {
            assert_eq!(code(&mut texts, i), code(&mut texts, i));
        }
        assert!(texts.len() == 100 && texts.is_full() && texts.is_valid());
        let used = [FIRST + 7, FIRST + 99, MISSING].into();
        let codes = texts.retain(&used);
        assert!(texts.len() == 2 && !texts.is_full() && texts.is_valid());
        let seven = Texts::moved(FIRST + 7, &codes);
        assert_eq!(seven, code(&mut texts, 7));
        assert_eq!([ABSENT, MISSING].map(|c| Texts::moved(c, &codes)), [ABSENT, MISSING]);
    }
}
