//! Customers drawn by lot.

use serde::{Deserialize, Serialize};

use super::ast::Test;
use super::field::Field;
use crate::data::CustomerId;
use crate::fnv::Fnv;
use crate::random::Draws;

/// A test of a number from 0 (included) to 1 (excluded) that is drawn for the customer once
/// and for all: for hold-outs, splits and gradual releases.
///
/// The number depends on the salt and on the customer's id, and on nothing else: it is the
/// same on all machines, in all releases and in all orders, and those of different salts are
/// independent. An id that is a number and one that is a text of its digits draw the same.
/// A table must state its ids; a row of a table without them, asked by itself, draws by its
/// number. Where the names of segments change, the salt stays, and so do the members. Shares of one
/// salt nest: whoever is below 0.1 is also below 0.2.
///
/// It is the first 53 bits of `mix(seed ^ mix(hash of the id))`, where the seed is
/// `mix(hash of the salt ^ mix(0x6275636b6574))`, `mix` the finaliser of SplitMix64
/// (Steele, Lea & Flood 2014) after its increment, and the hash FNV-1a of 64 bits (Fowler, Noll
/// & Vo 1991).
///
/// ```
/// use segmenta::data::{OwnedCustomer, Schema};
/// use segmenta::rules::{Rule, bucket};
///
/// let json = r#"{"bucket": {"salt": "spring", "is": {"lt": 0.1}}}"#;
/// let hold_out: Rule = serde_json::from_str(json).unwrap();
/// assert_eq!(hold_out, bucket("spring").lt(0.1));
/// assert_eq!(hold_out.to_string(), "bucket('spring') < 0.1");
///
/// let schema = Schema::new([])?;
/// let hold_out = hold_out.compile(&schema)?;
/// let members = (0..10_000_u64).filter(|&id| {
///     hold_out.holds(&OwnedCustomer::new(&schema, id)).unwrap()
/// });
/// assert_eq!(members.count(), 1032);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketTest {
    /// What tells this draw from others: a text that is not empty.
    pub salt: String,
    /// What the number must satisfy.
    pub is: Test,
}

/// Starts a test of a number that is drawn for the customer, see [`BucketTest`].
pub fn bucket(salt: impl Into<String>) -> Field {
    Field::of_bucket(salt.into())
}

/// The draws of one salt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket(Draws);

/// `bucket`, in ASCII.
const STREAM: u64 = 0x6275_636b_6574;

impl Bucket {
    pub(super) fn new(salt: &str) -> Bucket {
        let mut hash = Fnv::new();
        hash.feed(salt.as_bytes());
        Bucket(Draws::new(hash.finish(), STREAM))
    }

    pub(super) fn draw(self, id: CustomerId<'_>) -> f64 {
        let mut hash = Fnv::new();
        match id {
            CustomerId::Text(text) => hash.feed(text.as_bytes()),
            CustomerId::Number(mut number) => {
                // Its digits, written without memory from the host.
                let mut digits = [0; 20];
                let mut at = digits.len();
                loop {
                    at -= 1;
                    digits[at] = b'0' + (number % 10) as u8;
                    number /= 10;
                    if number == 0 {
                        break;
                    }
                }
                hash.feed(&digits[at..]);
            }
        }
        self.0.unit(hash.finish())
    }
}
