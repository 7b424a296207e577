#!/usr/bin/env bash
# A real PostgreSQL and a real Apache Kafka for tests and trials, on free ports of this machine.
#
#   eval "$(scripts/services.sh start)"   starts both and sets TEST_DATABASE_URL, TEST_KAFKA_BROKERS, TEST_SERVICES_CONTROL
#   scripts/services.sh stop              stops both and removes their data
#   scripts/services.sh stop-kafka | start-kafka | stop-postgres | start-postgres     outages, for tests
#   scripts/services.sh install           only installs what is missing (Debian packages, Maven artifacts)
#
# Data lies in $TEST_SERVICES_DIR (default: /tmp/loquent-services); Kafka's jars in ${XDG_CACHE_HOME:-~/.cache}/loquent/kafka.
set -euo pipefail

dir=${TEST_SERVICES_DIR:-/tmp/loquent-services}
jars=${XDG_CACHE_HOME:-$HOME/.cache}/loquent/kafka
kafka_version=4.1.1

say() { echo "services: $*" >&2; }
die() { say "$*"; exit 1; }

postgres_bin() {
    local newest
    newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
    echo "${newest:-$(dirname "$(command -v pg_ctl || echo /usr/bin/pg_ctl)")}"
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

install_packages() {
    "$(dirname "$0")/install.sh" services
}

install_kafka() {
    ls "$jars"/kafka_2.13-$kafka_version.jar >/dev/null 2>&1 && return
    say "fetching Kafka $kafka_version"
    local work
    work=$(mktemp -d)
    cat >"$work/pom.xml" <<POM
<project><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
POM
    (cd "$work" && mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime) >&2 </dev/null
    mkdir -p "$jars"
    cp "$work"/lib/*.jar "$jars"/
    rm -rf "$work"
}

free_ports() {
    python3 - "$1" <<'PY'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PY
}

start_postgres() {
    # shellcheck disable=SC1091
    . "$dir/ports"
    local options="-p $postgres_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir/postgres -c max_connections=600"
    # After a crash, what is in hundreds of tests' databases is synced at once and not file by file.
    options+=" -c recovery_init_sync_method=syncfs"
    as_postgres "$(postgres_bin)/pg_ctl" -D "$dir/postgres/data" -l "$dir/postgres/log" -w -t 180 -o "$options" start >/dev/null </dev/null ||
        die "PostgreSQL did not start: $(tail -3 "$dir/postgres/log")"
}

stop_postgres() {
    [ -d "$dir/postgres/data" ] || return 0
    as_postgres "$(postgres_bin)/pg_ctl" -D "$dir/postgres/data" -m immediate stop >/dev/null 2>&1 || true
}

start_kafka() {
    # shellcheck disable=SC1091
    . "$dir/ports"
    setsid nohup java -Xmx768m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" kafka.Kafka "$dir/kafka/server.properties" \
        >>"$dir/kafka/log" 2>&1 </dev/null &
    echo $! >"$dir/kafka/pid"
    for _ in $(seq 120); do
        kcat -b "127.0.0.1:$kafka_port" -L -m 1 >/dev/null 2>&1 && return 0
        sleep 0.5
    done
    die "Kafka did not start: $(tail -3 "$dir/kafka/log")"
}

stop_kafka() {
    [ -f "$dir/kafka/pid" ] || return 0
    local pid
    pid=$(cat "$dir/kafka/pid")
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
}

set_up() {
    mkdir -p "$dir/kafka"
    chmod 755 "$dir"
    local ports
    read -r -a ports <<<"$(free_ports 3)"
    printf 'postgres_port=%s\nkafka_port=%s\ncontroller_port=%s\n' "${ports[@]}" >"$dir/ports"
    if [ "$(id -u)" = 0 ]; then install -d -o postgres "$dir/postgres"; else mkdir -p "$dir/postgres"; fi
    as_postgres "$(postgres_bin)/initdb" -D "$dir/postgres/data" -A trust -U postgres >/dev/null
    cat >"$dir/kafka/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:${ports[2]}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:${ports[1]},CONTROLLER://127.0.0.1:${ports[2]}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports[1]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/kafka/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
PROPERTIES
    local id
    id=$(java -cp "$jars/*" kafka.tools.StorageTool random-uuid 2>/dev/null </dev/null)
    java -cp "$jars/*" kafka.tools.StorageTool format -t "$id" -c "$dir/kafka/server.properties" --standalone >"$dir/kafka/log" 2>&1 </dev/null ||
        die "Kafka's folder could not be formatted: $(tail -3 "$dir/kafka/log")"
}

start() {
    install_packages
    install_kafka
    stop
    set_up
    start_postgres
    start_kafka
    # shellcheck disable=SC1091
    . "$dir/ports"
    echo "export TEST_DATABASE_URL=postgres://postgres@127.0.0.1:$postgres_port/postgres"
    echo "export TEST_KAFKA_BROKERS=127.0.0.1:$kafka_port"
    echo "export TEST_SERVICES_CONTROL='TEST_SERVICES_DIR=$dir $(cd "$(dirname "$0")" && pwd)/services.sh'"
}

stop() {
    stop_kafka
    stop_postgres
    rm -rf "$dir"
}

case ${1:-} in
start) start ;;
stop) stop ;;
install)
    install_packages
    install_kafka
    ;;
start-postgres) start_postgres ;;
stop-postgres) stop_postgres ;;
start-kafka) start_kafka ;;
stop-kafka) stop_kafka ;;
*) die "use: start, stop, install, start-kafka, stop-kafka, start-postgres, stop-postgres" ;;
esac
