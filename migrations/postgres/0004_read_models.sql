-- What screens ask for, computed from the events and therefore never the truth: `loquent rebuild all` makes all of it anew.
-- Four tables are one row set per conversation; conversations.sequence says up to which event all of its rows stand.
-- Personal text is stored sealed, as its event carried it.

create table conversations (
    conversation uuid primary key,
    tenant text not null,
    title jsonb,
    metadata jsonb,
    starter uuid not null,
    agents jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    archived_at timestamptz,
    sequence bigint not null
-- Every event of a conversation updates its row: room to do so within the page.
) with (fillfactor = 70);

-- Who may read; position is the sequence of the event that let the person in, so the starter comes first.
create table participants (
    conversation uuid not null,
    person uuid not null,
    position bigint not null,
    primary key (conversation, person)
);
create index participants_by_person on participants (person, conversation);

-- sequence: of MessageSent, or of the TurnPlanned that named the message; position: its place in that plan.
create table messages (
    message uuid primary key,
    conversation uuid not null,
    sequence bigint not null,
    position integer not null,
    role text not null,
    person uuid,
    agent text,
    text jsonb,
    status text not null,
    message_type jsonb,
    metadata jsonb,
    run uuid,
    epoch bigint not null,
    started bigint not null,
    created_at timestamptz not null,
    completed_at timestamptz,
    finish_reason text,
    reason jsonb,
    usage jsonb
);
create index messages_in_order on messages (conversation, sequence, position);

create table turns (
    turn uuid primary key,
    conversation uuid not null,
    sequence bigint not null,
    message uuid,
    person uuid not null,
    status text not null,
    reason jsonb,
    started_at timestamptz not null,
    ended_at timestamptz
);
create index turns_in_order on turns (conversation, sequence);

create table runs (
    run uuid primary key,
    conversation uuid not null,
    turn uuid not null,
    position integer not null,
    message uuid not null,
    agent text not null,
    model text,
    epoch bigint not null,
    status text not null,
    error jsonb,
    usage jsonb,
    started_at timestamptz not null,
    ended_at timestamptz
);
create index runs_of_turn on runs (turn, position);
-- A rebuild deletes a conversation's rows.
create index runs_of_conversation on runs (conversation);
