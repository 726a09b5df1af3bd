#!/usr/bin/env bash
# Measures how the kernels grow; rewrites the tables of README.md and growth.svg.
#
#   benches/growth.sh [--cap SECONDS] [--only KERNEL]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/../target/peers/cargo}"
manifest="$here/peers/Cargo.toml"
cargo build --release --quiet --locked --manifest-path "$manifest" --bin growth
exec "$CARGO_TARGET_DIR/release/growth" "$here/README.md" "$here/growth.svg" "$@"
