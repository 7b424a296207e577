#!/usr/bin/env bash
# All tests: on SQLite with the embedded log, and on a real PostgreSQL with a real Apache Kafka, which it installs and starts;
# then the judges that others wrote, against a running node. Stops what it started.
#
#   scripts/test.sh [arguments of cargo test, e.g. -p commands]
#
# TEST_KILLS=20 makes the campaigns of kill -9 long, TEST_SEED=n repeats one; TEST_OUTAGE_SECONDS=60 the broker's outage.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export TEST_SERVICES_DIR=${TEST_SERVICES_DIR:-$(mktemp -d /tmp/loquent-services-XXXXXX)}
step() { printf '\n== %s (%d min)\n' "$*" $((SECONDS / 60)); }

node_id=
work=$(mktemp -d)
clean_up() {
    [ -z "$node_id" ] || kill "$node_id" 2>/dev/null || true
    scripts/services.sh stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step "tools and services"
scripts/install.sh build judges
eval "$(scripts/services.sh start)"

step "cargo test"
if [ $# -gt 0 ]; then
    cargo test --locked --no-fail-fast "$@"
    exit
fi
cargo test --locked --workspace --no-fail-fast

step "judges"
cp -r tests/judges "$work/"
(cd "$work/judges" && npm install --silent --no-audit --no-fund --no-package-lock </dev/null)
loquent=$CARGO_TARGET_DIR/debug/loquent
"$loquent" --listen 127.0.0.1:0 --data-dir "$work/data" --log-format json 2>"$work/log" </dev/null &
node_id=$!
for _ in $(seq 120); do
    grep -q '^ready ' "$work/log" && break
    sleep 0.5
done
JUDGE_URL=$(sed -n 's/^ready //p' "$work/log") JUDGE_TOKEN=$("$loquent" token --sub judge --data-dir "$work/data")
export JUDGE_URL JUDGE_TOKEN
COMPOSE_FILE=$PWD/docker-compose.yml npm --prefix "$work/judges" run --silent compose </dev/null
(cd "$work/judges" && npm run --silent judge </dev/null) || { tail -20 "$work/log"; exit 1; }

step "all is well"
