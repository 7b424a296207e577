#!/usr/bin/env bash
# Installs, by Debian package name, what is missing of these groups: build, services, judges. Does nothing where all is there.
set -euo pipefail

missing=()
need() { # need PACKAGE COMMAND…
    local package=$1 command
    shift
    for command in "$@"; do
        command -v "$command" >/dev/null || { missing+=("$package"); return; }
    done
}

for group in "${@:-build}"; do
    case $group in
    build)
        need build-essential cc c++ make
        command -v cargo >/dev/null || { echo "install: Rust 1.89 or later is missing" >&2; exit 1; }
        ;;
    services)
        ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need postgresql initdb
        need postgresql-client psql
        need openjdk-17-jre-headless java
        need kcat kcat
        need python3 python3
        need maven mvn
        need util-linux runuser setsid
        ;;
    judges)
        need nodejs node
        need npm npm
        need python3 python3
        ;;
    *)
        echo "install: there is no group $group: build, services, judges" >&2
        exit 2
        ;;
    esac
done

[ ${#missing[@]} -eq 0 ] && exit 0
echo "install: ${missing[*]}" >&2
if [ "$(id -u)" != 0 ]; then
    echo "install: these are missing; run this as root, or install them yourself" >&2
    exit 1
fi
{
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
} >&2 </dev/null
