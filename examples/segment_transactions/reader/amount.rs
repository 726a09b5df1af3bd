//! Reads amounts of money exactly: decimal text to cents, without binary fractions.

use std::fmt;

/// Which character stands before the fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecimalMark {
    Point,
    Comma,
}

/// `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AmountError {
    NotANumber,
    /// `1.5e3`
    Exponent,
    /// `11,77` or `1.234,50`, where the mark was not stated.
    DecimalComma,
    /// `1,234`, where the mark was not stated.
    Ambiguous,
    TooLarge,
}

/// Completes "expected …".
impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AmountError::NotANumber => "a decimal number such as -12.50",
            AmountError::Exponent => {
                "a decimal number such as 1250.00, not one with an exponent"
            }
            AmountError::DecimalComma => {
                "a decimal point (pass `--decimal comma` where the comma is meant)"
            }
            AmountError::Ambiguous => {
                "a number that can be read in one way only (pass `--decimal point` \
                 where the comma marks thousands, `--decimal comma` otherwise)"
            }
            AmountError::TooLarge => "an amount of fewer digits",
        })
    }
}

impl Decimal {
    /// Reads a number such as `-1234.50`.
    ///
    /// With a stated mark the other one groups thousands. Without, the point is the
    /// mark, and commas are accepted where they can only group: `1,234.50` and
    /// `1,234,567`, but not `1,234`.
    pub(crate) fn parse(
        text: &[u8],
        mark: Option<DecimalMark>,
    ) -> Result<Decimal, AmountError> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        check_letters(digits)?;
        let (point, group) = match mark {
            Some(DecimalMark::Comma) => (b',', b'.'),
            _ => (b'.', b','),
        };
        let at = digits.iter().position(|&b| b == point);
        let (whole, fraction) = match at {
            Some(at) => (&digits[..at], &digits[at + 1..]),
            None => (digits, &digits[..0]),
        };
        let groups = whole.iter().filter(|&&b| b == group).count();
        let grouped = groups == 0 || is_grouped(whole, group);
        if mark.is_none() {
            let comma_last = fraction.contains(&b',');
            if (comma_last && !fraction.contains(&b'.'))
                || (groups == 1 && at.is_none() && !grouped)
            {
                return Err(AmountError::DecimalComma);
            }
            if groups == 1 && at.is_none() {
                return Err(AmountError::Ambiguous);
            }
        }
        let plain = fraction.iter().all(u8::is_ascii_digit);
        if !grouped || !plain || (whole.is_empty() && fraction.is_empty()) {
            return Err(AmountError::NotANumber);
        }
        let zeros = fraction.iter().rev().take_while(|&&b| b == b'0').count();
        let fraction = &fraction[..fraction.len() - zeros];
        let mut mantissa = 0_i128;
        for digit in whole.iter().chain(fraction).filter(|b| b.is_ascii_digit()) {
            mantissa = mantissa
                .checked_mul(10)
                .and_then(|m| m.checked_add(i128::from(digit - b'0')))
                .ok_or(AmountError::TooLarge)?;
        }
        let scale = u32::try_from(fraction.len()).map_err(|_| AmountError::TooLarge)?;
        Ok(Decimal { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    /// The exact product.
    pub(crate) fn times(self, other: Decimal) -> Result<Decimal, AmountError> {
        let mantissa =
            self.mantissa.checked_mul(other.mantissa).ok_or(AmountError::TooLarge)?;
        let scale = self.scale.checked_add(other.scale).ok_or(AmountError::TooLarge)?;
        Ok(Decimal { mantissa, scale })
    }

    /// Cents, and whether they were rounded. Halves go to the even neighbour.
    pub(crate) fn to_minor(self) -> Result<(i64, bool), AmountError> {
        let (cents, rounded) = if self.scale <= 2 {
            let cents = self.mantissa.checked_mul(10_i128.pow(2 - self.scale));
            (cents.ok_or(AmountError::TooLarge)?, false)
        } else {
            // A unit beyond the range of i128 exceeds twice any mantissa of few digits,
            // but then so many decimals were written that refusing is the better answer.
            let unit =
                10_i128.checked_pow(self.scale - 2).ok_or(AmountError::TooLarge)?;
            let (quotient, rest) = (self.mantissa / unit, self.mantissa % unit);
            // `unit - |rest|` instead of `2 |rest|`, which could overflow.
            let up = match rest.abs().cmp(&(unit - rest.abs())) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal => quotient % 2 != 0,
                std::cmp::Ordering::Greater => true,
            };
            (quotient + if up { rest.signum() } else { 0 }, rest != 0)
        };
        let cents = i64::try_from(cents).map_err(|_| AmountError::TooLarge)?;
        Ok((cents, rounded))
    }
}

/// Reads amounts and keeps count of what they say about the decimal mark.
#[derive(Clone, Debug)]
pub(crate) struct Amounts {
    mark: Option<DecimalMark>,
    /// Amounts in which the point can only be the decimal mark.
    pub(crate) only_point: usize,
    /// Amounts in which the comma can only be the decimal mark, and one of them.
    pub(crate) only_comma: usize,
    pub(crate) comma_example: String,
}

impl Amounts {
    pub(crate) fn new(mark: Option<DecimalMark>) -> Amounts {
        Amounts { mark, only_point: 0, only_comma: 0, comma_example: String::new() }
    }

    /// As [`Decimal::parse`].
    pub(crate) fn read(&mut self, text: &[u8]) -> Result<Decimal, AmountError> {
        let number = Decimal::parse(text, self.mark);
        match number {
            Ok(_) if self.mark.is_none() => {
                let point = text.iter().position(|&b| b == b'.');
                let decimals = point.map(|at| text.len() - at - 1);
                if decimals.is_some_and(|n| n != 3 || text.contains(&b',')) {
                    self.only_point += 1;
                }
            }
            Err(AmountError::DecimalComma) => {
                if self.only_comma == 0 {
                    self.comma_example = String::from_utf8_lossy(text).into_owned();
                }
                self.only_comma += 1;
            }
            _ => {}
        }
        number
    }
}

fn check_letters(digits: &[u8]) -> Result<(), AmountError> {
    let number = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b',');
    if digits.iter().all(number) {
        return Ok(());
    }
    let exponent = digits.iter().position(|b| matches!(b, b'e' | b'E'));
    let is_exponent = exponent.is_some_and(|at| {
        let (before, after) = (&digits[..at], &digits[at + 1..]);
        let after =
            after.strip_prefix(b"-").or(after.strip_prefix(b"+")).unwrap_or(after);
        let digits = !before.is_empty() && !after.is_empty();
        digits && before.iter().all(number) && after.iter().all(u8::is_ascii_digit)
    });
    Err(if is_exponent { AmountError::Exponent } else { AmountError::NotANumber })
}

/// One to three digits, then groups of three. A group never follows a lone zero.
fn is_grouped(whole: &[u8], group: u8) -> bool {
    let mut parts = whole.split(|&b| b == group);
    let first = parts.next().unwrap_or_default();
    matches!(first.len(), 1..=3)
        && first[0] != b'0'
        && first.iter().all(u8::is_ascii_digit)
        && parts.all(|part| part.len() == 3 && part.iter().all(u8::is_ascii_digit))
}
