#!/usr/bin/env python3
"""Verifies the chain of hashes of every conversation, from the store or from the topic. Shares no code with Loquent.

    verify_chain.py --store sqlite://PATH | postgres://…         (needs psql for PostgreSQL)
    verify_chain.py --brokers HOST:PORT --topic TOPIC            (needs kcat)

Exit 0 if every record has the hash that it names, names its predecessor's, and no sequence is missing; else 1 and one
line per finding.
"""
import argparse
import hashlib
import json
import sqlite3
import subprocess
import sys
from collections import defaultdict

ATTRIBUTES = [
    "specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype", "sequence", "tenant",
    "actor", "correlationid", "causationid", "prevhash", "data",
]


def canonical(value):
    """RFC 8785 for what records hold: texts, whole numbers, truth values, null, lists, objects."""
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be"))
        return "{" + ",".join(canonical(key) + ":" + canonical(item) for key, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, float):
        raise ValueError("a record holds whole numbers only")
    return json.dumps(value, ensure_ascii=False)


def hash_of(record):
    content = {name: record[name] for name in ATTRIBUTES if record.get(name) is not None}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def from_sqlite(path):
    rows = sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("select metadata, payload from events")
    for metadata, payload in rows:
        yield {**json.loads(metadata), "data": json.loads(payload)}


def from_postgres(url):
    query = "select json_build_object('metadata', metadata, 'payload', payload)::text from events"
    command = ["psql", url, "--no-psqlrc", "--tuples-only", "--no-align", "--command", query]
    for line in run(command):
        row = json.loads(line)
        yield {**row["metadata"], "data": row["payload"]}


def from_topic(brokers, topic):
    command = ["kcat", "-b", brokers, "-t", topic, "-C", "-o", "beginning", "-e", "-q", "-J"]
    for line in run(command):
        message = json.loads(line)
        names, values = message["headers"][0::2], message["headers"][1::2]
        headers = dict(zip(names, values))
        record = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
        record["datacontenttype"] = headers["content-type"]
        record["data"] = json.loads(message["payload"])
        yield record


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stderr.strip()}")
    return [line for line in done.stdout.splitlines() if line]


def findings(stream, records):
    """What is wrong with one conversation. The topic is at least once: the same record twice is none."""
    by_sequence = {}
    for record in records:
        sequence = int(record["sequence"])
        if by_sequence.setdefault(sequence, record) != record:
            yield stream, sequence, "two different records have this number"
    before = "0" * 64
    for expected, sequence in enumerate(sorted(by_sequence), start=1):
        record = by_sequence[sequence]
        if sequence != expected:
            yield stream, expected, "is missing"
            return
        if record["prevhash"] != before:
            yield stream, sequence, "does not follow the record before it"
        if record["hash"] != hash_of(record):
            yield stream, sequence, "does not have the content that its hash names"
        before = record["hash"]


def main():
    arguments = argparse.ArgumentParser(description="Verifies the chain of hashes of every conversation.")
    arguments.add_argument("--store")
    arguments.add_argument("--brokers")
    arguments.add_argument("--topic")
    options = arguments.parse_args()
    if options.store and options.store.startswith("sqlite://"):
        records = from_sqlite(options.store.removeprefix("sqlite://"))
    elif options.store:
        records = from_postgres(options.store)
    elif options.brokers and options.topic:
        records = from_topic(options.brokers, options.topic)
    else:
        arguments.error("give --store, or --brokers and --topic")
    streams = defaultdict(list)
    for record in records:
        streams[record["subject"]].append(record)
    wrong = [finding for stream, records in sorted(streams.items()) for finding in findings(stream, records)]
    for stream, sequence, what in wrong:
        print(f"{stream} {sequence}: {what}")
    events = sum(len(records) for records in streams.values())
    print(f"{len(streams)} conversation(s), {events} records, {len(wrong)} finding(s)")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
