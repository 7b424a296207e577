-- Why: agents work in teams, use tools that persons allow, are stopped, asked again, and cost money; screens ask for all of that.
-- Computed from the events like the tables of 0004: `loquent rebuild all` fills the new columns for conversations of before.

-- overlap: what becomes of a message that comes while a turn runs. approval: the least that every tool needs.
-- spent, here and below: tokens and money of all model calls, as JSON; {} where there were none.
alter table conversations add column overlap text not null default 'enqueue';
alter table conversations add column approval text not null default 'auto';
alter table conversations add column spent jsonb not null default '{}';

-- regenerates: the first answer to the same question, where this is a later one; the newest of them is the one that counts.
alter table messages drop column usage;
alter table messages add column spent jsonb not null default '{}';
alter table messages add column regenerates uuid;
create index messages_answering_again on messages (regenerates) where regenerates is not null;

-- A turn is there as soon as its message waits in the queue; sequence stays that of its place there.
-- plan_kind, plan_reason: of the last plan; more: another one follows. answer: the last step's message.
alter table turns add column plan_kind text;
alter table turns add column plan_reason jsonb;
alter table turns add column more boolean not null default false;
alter table turns add column answer uuid;
alter table turns add column regenerates uuid;
alter table turns add column rolled_back boolean not null default false;
alter table turns add column spent jsonb not null default '{}';

-- waits_for: runs that have to end first. asked_by: the tool call by which another agent asked for it.
alter table runs drop column usage;
alter table runs add column spent jsonb not null default '{}';
alter table runs add column waits_for jsonb not null default '[]';
alter table runs add column asked_by uuid;

create table tool_calls (
    call uuid primary key,
    conversation uuid not null,
    turn uuid not null,
    run uuid not null,
    sequence bigint not null,
    tool text not null,
    arguments jsonb not null,
    edited jsonb,
    status text not null,
    epoch bigint not null,
    decided_by uuid,
    reason jsonb,
    result jsonb,
    error jsonb,
    cached boolean not null,
    requested_at timestamptz not null,
    expires_at timestamptz,
    ended_at timestamptz
);
create index tool_calls_of_run on tool_calls (run, sequence);
create index tool_calls_of_conversation on tool_calls (conversation);
-- Few calls are open at a time; what changes a turn looks at those of the turn alone.
create index tool_calls_open on tool_calls (turn) where ended_at is null;
-- Persons ask for what waits for them, whatever the conversation.
create index tool_calls_waiting on tool_calls (conversation, call) where status = 'waiting';

-- Work is now of three kinds: a conversation whose next turn step is to be decided (subject: the conversation's own id), a run
-- that waits for a worker or has one, a tool call that does. The table is dropped and made anew: what was in it followed from
-- events, and those that are to come fill it again. The columns are those of 0005.
drop table work;
create table work (
    conversation uuid not null,
    kind text not null check (kind in ('turn', 'run', 'tool')),
    subject uuid not null,
    sequence bigint not null,
    cause uuid not null,
    correlation uuid not null,
    traceparent text,
    tenant text not null,
    worker text,
    expires_at bigint not null default 0,
    attempts integer not null default 0,
    not_before bigint not null default 0,
    primary key (conversation, kind, subject)
)
-- Every lease is renewed every few seconds: room to do so within the page.
with (fillfactor = 50);
create index work_by_expiry on work (expires_at);

-- The settings of an agent as they were when a request was made, by their SHA-256: settings change, and an old request must
-- still be rebuilt byte for byte. No personal text.
create table agent_profiles (
    profile text primary key,
    body jsonb not null,
    created_at timestamptz not null
);
