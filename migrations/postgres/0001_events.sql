-- Why: the truth. One row is one event of one conversation; the primary key decides whether an event may happen.
-- The first seven columns are those that postgres-es writes and reads; the rest fill themselves, and no writer names them.
create table events (
    aggregate_type text collate "C" not null,
    aggregate_id text collate "C" not null,
    sequence bigint not null check (sequence > 0),
    event_type text not null,
    event_version text not null,
    payload jsonb not null,
    metadata jsonb not null,
    -- Together the order of the tail. A position alone would not do: it is taken at the insert and shown at the commit.
    position bigint generated always as identity,
    txid xid8 not null default pg_current_xact_id(),
    recorded_at timestamptz not null default clock_timestamp(),
    idempotency text generated always as (metadata -> 'idempotency' ->> 'key') stored,
    primary key (aggregate_type, aggregate_id, sequence)
);
create unique index events_tail on events (txid, position);
create unique index events_idempotency on events (idempotency) where idempotency is not null;

-- Why: loading a long conversation from its first event would cost more with every message. Written after the commit; may be
-- dropped at any time.
create table snapshots (
    stream text collate "C" primary key,
    sequence bigint not null,
    hash text not null,
    state jsonb not null
);
