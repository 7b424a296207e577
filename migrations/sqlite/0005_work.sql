-- What agents have yet to do: a message that waits for its turn, a planned run that waits for a worker or has one. It follows
-- from the events and could be made again; it exists so that a worker's death is noticed by the database's clock, whatever
-- the log's groups think. Written in the transaction that moves the checkpoint.

-- subject: the message of a turn, the run of a run. sequence, cause, correlation, traceparent: the event that gave the work.
-- expires_at and not_before: milliseconds since 1970 by the database's clock; a worker's name without expiry means nothing.
create table work (
    conversation blob not null,
    kind text not null check (kind in ('turn', 'run')),
    subject blob not null,
    sequence bigint not null,
    cause blob not null,
    correlation blob not null,
    traceparent text,
    tenant text not null,
    worker text,
    expires_at bigint not null default 0,
    attempts integer not null default 0,
    not_before bigint not null default 0,
    primary key (conversation, kind, subject)
) without rowid;
create index work_by_expiry on work (expires_at);
