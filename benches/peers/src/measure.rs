//! Time and memory of one call.

use std::fs;
use std::time::Instant;

use serde::Serialize;

/// What a call took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Measured {
    pub seconds: f64,
    /// How much the resident set grew at its peak; none where the system does not say.
    pub peak_bytes: Option<u64>,
    /// The resident set at its peak, input and program included.
    pub rss_bytes: Option<u64>,
}

/// Runs a call; what it returns is dropped later, outside the measurement.
pub fn measure<T>(call: impl FnOnce() -> T) -> (T, Measured) {
    // Linux: sets the peak back to what is resident now.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let before = status("VmRSS");
    let start = Instant::now();
    let result = call();
    let seconds = start.elapsed().as_secs_f64();
    let rss_bytes = status("VmHWM");
    let peak_bytes = rss_bytes.zip(before).map(|(peak, rss)| peak.saturating_sub(rss));
    (result, Measured { seconds, peak_bytes, rss_bytes })
}

/// A line of the process's status, in bytes.
fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 =
        line.trim_start_matches(':').split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
