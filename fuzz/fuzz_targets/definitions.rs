//! Rules as text and as JSON, compiled and asked.

#![no_main]

#[path = "../../tests/rules/definitions.rs"]
mod definitions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| definitions::check(bytes));
