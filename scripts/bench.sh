#!/usr/bin/env bash
# The benchmarks: ratios against a reference that runs in turn with ours on the same machine, and the raw JSON of every round.
#
#   scripts/bench.sh [--only b1,b2,b4,b5,b7] [--rounds N] [--short] [--out FILE]
#
# Starts a PostgreSQL (fsync on) and an Apache Kafka of its own, and stops them. The full run takes about half an hour.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export TEST_SERVICES_DIR=${TEST_SERVICES_DIR:-$(mktemp -d /tmp/loquent-bench-XXXXXX)}
trap 'scripts/services.sh stop >/dev/null 2>&1 || true' EXIT
trap 'exit 130' INT TERM

scripts/install.sh build services
cargo build --locked --release --package loquent --package tests --bin loquent --bin bench
eval "$(scripts/services.sh start)"
PGBENCH=$(ls /usr/lib/postgresql/*/bin/pgbench 2>/dev/null | sort -V | tail -1)
export PGBENCH=${PGBENCH:-pgbench}

# Ten thousand connections on each side of one process.
ulimit -n "$(ulimit -Hn)"
"$CARGO_TARGET_DIR/release/bench" --out "$CARGO_TARGET_DIR/bench.json" "$@"
