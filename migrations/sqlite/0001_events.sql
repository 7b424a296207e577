-- Why: the truth. One row is one event of one conversation; the primary key decides whether an event may happen.
-- The first seven columns are those that sqlite-es writes and reads; the rest fill themselves, and no writer names them.
-- The primary key stays the composite one: sqlite-es knows a conflict by the code of a primary key only.
create table events (
    aggregate_type text not null,
    aggregate_id text not null,
    sequence integer not null check (sequence > 0),
    event_type text not null,
    event_version text not null,
    payload text not null,
    metadata text not null,
    recorded_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    idempotency text generated always as (json_extract(metadata, '$.idempotency.key')) virtual,
    primary key (aggregate_type, aggregate_id, sequence)
);
create unique index events_idempotency on events (idempotency) where idempotency is not null;

-- Why: the order of the tail. One connection writes, so the order of the inserts is that of the commits.
create table event_positions (
    position integer primary key autoincrement,
    aggregate_id text not null,
    sequence integer not null
);
create trigger events_position after insert on events begin
    insert into event_positions (aggregate_id, sequence) values (new.aggregate_id, new.sequence);
end;

-- Why: loading a long conversation from its first event would cost more with every message. Written after the commit; may be
-- dropped at any time.
create table snapshots (
    stream text primary key,
    sequence integer not null,
    hash text not null,
    state text not null
);
