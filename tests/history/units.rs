//! In what ages are measured.

use segmenta::data::Date;
use segmenta::history::{Ledger, LedgerOptions, Occasion, TimeUnit};

const UNITS: [(TimeUnit, f64, &str); 4] = [
    (TimeUnit::Day, 1.0, "days"),
    (TimeUnit::Week, 7.0, "weeks"),
    (TimeUnit::Month, 365.25 / 12.0, "months"),
    (TimeUnit::Year, 365.25, "years"),
];

#[test]
fn units_divide_days_and_are_written_as_they_are_read() {
    for (unit, days, name) in UNITS {
        assert_eq!((unit.days(), unit.to_string().as_str()), (days, name));
        assert_eq!(format!("{unit:>8}"), format!("{name:>8}"));
        let json = serde_json::to_string(&unit).unwrap();
        assert_eq!(json, format!("\"{}\"", name.trim_end_matches('s')));
        assert_eq!(serde_json::from_str::<TimeUnit>(&json).unwrap(), unit);
        assert_eq!(unit.of_days(-3), -3.0 / days);
    }
}

/// Weeks as occasions merge purchases, and leave ages alone; weeks as a unit divide ages,
/// and merge nothing.
#[test]
fn the_unit_is_not_the_occasion() {
    let date = |text: &str| text.parse::<Date>().unwrap();
    for (occasion, purchases) in [(Occasion::Days, 3), (Occasion::Weeks, 2)] {
        let mut ledger = Ledger::new(LedgerOptions::new().occasion(occasion)).unwrap();
        for day in ["2024-05-06", "2024-05-12", "2024-05-14"] {
            ledger.add("ann", date(day), 100).unwrap();
        }
        let summary = ledger.summary(date("2024-06-01")).unwrap();
        let ann = summary.find("ann").unwrap();
        assert_eq!(ann.frequency(), purchases);
        for (unit, days, _) in UNITS {
            assert_eq!(ann.age_at_last_purchase_in(unit), 8.0 / days);
            assert_eq!(ann.age_in(unit), 26.0 / days);
        }
    }
}
