//! Texts that a fuzzer found to reach something of their own (`fuzz/run.sh`).

#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::Path;

#[test]
fn what_a_fuzzer_found_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/corpus");
    let mut n_texts = 0;
    for entry in fs::read_dir(folder).unwrap() {
        super::definitions::check(&fs::read(entry.unwrap().path()).unwrap());
        n_texts += 1;
    }
    assert!(n_texts > 20, "{n_texts}");
}
