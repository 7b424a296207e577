-- Why: a title that a model gives is a kind of work of its own, so that no answer waits for one. SQLite changes no check of a
-- column: the table is made anew with what was in it.
drop index work_by_expiry;
alter table work rename to work_before;
create table work (
    conversation blob not null,
    kind text not null check (kind in ('turn', 'run', 'title', 'tool')),
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
insert into work select * from work_before;
drop table work_before;
create index work_by_expiry on work (expires_at);
