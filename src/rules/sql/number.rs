//! Numbers that are read back to the same bits.

use super::dialect::Dialect;

/// Integers below this are of the plain type of integers everywhere.
const PLAIN: f64 = 2_147_483_648.0;

/// A finite number as a literal.
///
/// Integers are written as such, so that columns of integers are compared without a
/// conversion. All others are of double precision: the shortest digits that are read back to
/// the same number, with an exponent, since `19.99` is a decimal number to some engines.
pub(super) fn literal(dialect: Dialect, x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < PLAIN {
        // Also -0, which equals 0.
        return format!("{}", x as i64);
    }
    let text = format!("{x:e}");
    match dialect {
        Dialect::Postgres => format!("'{text}'::float8"),
        Dialect::Sqlite if !is_read_exactly(&text) => by_powers_of_two(x),
        // The standard and DuckDB take it for double precision by its exponent.
        Dialect::Ansi | Dialect::DuckDb | Dialect::Sqlite => text,
    }
}

/// A finite number as a literal of double precision, integers too: sums of them do not
/// overflow the types of integers.
pub(super) fn double(dialect: Dialect, x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < PLAIN {
        // Also -0, which equals 0.
        let text = format!("{:e}", x + 0.0);
        return match dialect {
            Dialect::Postgres => format!("'{text}'::float8"),
            _ => text,
        };
    }
    literal(dialect, x)
}

/// Whether digits and power of ten are both numbers without an error, so that one division
/// or multiplication gives the nearest number (Clinger 1990). SQLite promises no more.
fn is_read_exactly(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once('e') else { return false };
    let n_digits = digits.bytes().filter(u8::is_ascii_digit).count();
    let exponent: i32 = exponent.parse().unwrap_or(i32::MAX);
    n_digits <= 15 && (-7..=21).contains(&exponent)
}

/// As an integer, times or divided by powers of two: without an error at any step.
fn by_powers_of_two(x: f64) -> String {
    const STEP: i32 = 30;
    let bits = x.abs().to_bits();
    let exponent = (bits >> 52) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (mut integer, mut power) = if exponent == 0 {
        (fraction, -1074)
    } else {
        (fraction | 1 << 52, exponent - 1075)
    };
    while integer.is_multiple_of(2) && integer > 0 {
        integer /= 2;
        power += 1;
    }
    let sign = if x < 0.0 { "-" } else { "" };
    let mut text = format!("(CAST({sign}{integer} AS REAL)");
    let operator = if power < 0 { '/' } else { '*' };
    let mut left = power.abs();
    while left > 0 {
        let step = left.min(STEP);
        text.push_str(&format!(" {operator} {}.0", 1_u64 << step));
        left -= step;
    }
    text.push(')');
    text
}
