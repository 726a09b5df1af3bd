#!/usr/bin/env bash
# Feeds the parsers and the compiler of rules for some seconds (60 unless told), starting from
# the texts in tests/rules/corpus; those that reach something new are kept in target/corpus.
#   fuzz/run.sh [SECONDS]
# Needs a nightly toolchain, whose compiler can count what was reached.
set -euo pipefail
cd "$(dirname "$0")"
seconds="${1:-60}"
target="$(rustc +nightly -vV | sed -n 's/^host: //p')"
folder="${CARGO_TARGET_DIR:-$PWD/target}/fuzz"
flags=(
  --cfg fuzzing
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1
)
# With a target named, build scripts are left as they are.
RUSTFLAGS="${flags[*]}" cargo +nightly build --release --locked --target "$target" --target-dir "$folder"
corpus="$folder/corpus"
mkdir -p "$corpus" "$folder/artifacts"
"$folder/$target/release/definitions" "$corpus" ../tests/rules/corpus -max_total_time="$seconds" \
  -dict=definitions.dict -max_len=2000 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
  -artifact_prefix="$folder/artifacts/"
