#!/usr/bin/env bash
# This crate and its peers on the same data in one run. See README.md.
#
#   benches/peers/run.sh [WORK[/VARIANT]...] [--scale FACTOR] [--rounds N] [--unbound] [--list]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$(cd "$here/../.." && pwd)/target/peers"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$out/cargo}"
export PYTHONDONTWRITEBYTECODE=1

if ! cmp -s "$here/requirements.txt" "$out/venv/installed.txt"; then
  rm -rf "$out/venv"
  mkdir -p "$out"
  python3 -m venv "$out/venv"
  "$out/venv/bin/pip" install --quiet --disable-pip-version-check \
    --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$out/venv/installed.txt"
fi
cargo build --release --quiet --locked --manifest-path "$here/Cargo.toml" --bin worker
exec "$out/venv/bin/python" "$here/driver.py" \
  --worker "$CARGO_TARGET_DIR/release/worker" --out "$out" "$@"
