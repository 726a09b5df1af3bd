//! Public research data, from the folder that `SEGMENTA_DATA` names.

use std::io::Read;

use segmenta::data::Date;
use segmenta::history::{Ledger, LedgerOptions, Summary, TimeUnit};
use segmenta::lifetime::{OpportunityHistory, PurchaseHistories};

fn read(path: &str) -> Vec<u8> {
    let folder = std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA names the folder");
    let path = std::path::PathBuf::from(folder).join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(crate) fn text(path: &str) -> String {
    let bytes = read(path);
    if path.ends_with(".gz") {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        return text;
    }
    String::from_utf8(bytes).unwrap()
}

/// An amount with at most two decimals, in cents.
fn cents(text: &str) -> i64 {
    (text.parse::<f64>().unwrap() * 100.0).round() as i64
}

fn day(text: &str) -> Date {
    if text.contains('-') {
        return text[..10].parse().unwrap();
    }
    format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]).parse().unwrap()
}

/// The purchases of CDNOW's whole cohort.
pub(crate) fn cdnow_master() -> Ledger {
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    for line in text("cdnow/CDNOW_master.txt").lines().skip(1) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [id, on, _, dollars] = fields[..] else { continue };
        ledger.add(id.parse::<u64>().unwrap(), day(on), cents(dollars)).unwrap();
    }
    ledger
}

/// Those of one in ten.
pub(crate) fn cdnow_sample() -> Ledger {
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    for line in text("cdnow/CDNOW_sample.txt").lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, id, on, _, dollars] = fields[..] else { continue };
        ledger.add(id.parse::<u64>().unwrap(), day(on), cents(dollars)).unwrap();
    }
    ledger
}

/// Invoices of Online Retail that name a customer and are no cancellations.
pub(crate) fn online_retail() -> Ledger {
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    for line in text("online_retail/invoices.csv.gz").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [id, on, value, invoice] = fields[..] else { panic!("{line}") };
        if invoice.starts_with('C') || cents(value) <= 0 {
            continue;
        }
        ledger.add(id.parse::<u64>().unwrap(), day(on), cents(value)).unwrap();
    }
    ledger
}

/// Histories in weeks of a summary.
pub(crate) fn weeks(summary: &Summary) -> PurchaseHistories {
    PurchaseHistories::from_summary(summary, TimeUnit::Week).unwrap()
}

/// Donors by frequency, last year and years (Fader, Hardie & Shang 2010, table 1).
pub(crate) fn donations() -> Vec<(OpportunityHistory, f64)> {
    let text = text("cdnow/donations.csv");
    let rows = text.lines().skip(1).map(|line| {
        let fields: Vec<u32> =
            line.split(',').map(|f| f.trim_matches('"').parse().unwrap()).collect();
        let n = fields.len();
        let history =
            OpportunityHistory::new(fields[n - 4], fields[n - 3], fields[n - 2]).unwrap();
        (history, f64::from(fields[n - 1]))
    });
    rows.collect()
}

/// Histories up to `end`, and how often each customer bought after it, up to `last`.
pub(crate) fn hold_out(
    ledger: &Ledger,
    end: &str,
    last: &str,
) -> (PurchaseHistories, Vec<u64>) {
    let calibration = ledger.summary(end.parse().unwrap()).unwrap();
    let all = ledger.summary(last.parse().unwrap()).unwrap();
    let later = calibration
        .iter()
        .map(|c| all.find(c.id()).unwrap().frequency() - c.frequency())
        .collect();
    (weeks(&calibration), later)
}
