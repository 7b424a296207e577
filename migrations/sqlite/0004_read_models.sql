-- What screens ask for, computed from the events and therefore never the truth: `loquent rebuild all` makes all of it anew.
-- Four tables are one row set per conversation; conversations.sequence says up to which event all of its rows stand.
-- Personal text is stored sealed, as its event carried it.

create table conversations (
    conversation blob primary key,
    tenant text not null,
    title text,
    metadata text,
    starter blob not null,
    agents text not null,
    created_at text not null,
    updated_at text not null,
    archived_at text,
    sequence integer not null
);

-- Who may read; position is the sequence of the event that let the person in, so the starter comes first.
create table participants (
    conversation blob not null,
    person blob not null,
    position integer not null,
    primary key (conversation, person)
);
create index participants_by_person on participants (person, conversation);

-- sequence: of MessageSent, or of the TurnPlanned that named the message; position: its place in that plan.
create table messages (
    message blob primary key,
    conversation blob not null,
    sequence integer not null,
    position integer not null,
    role text not null,
    person blob,
    agent text,
    text text,
    status text not null,
    message_type text,
    metadata text,
    run blob,
    epoch integer not null,
    started integer not null,
    created_at text not null,
    completed_at text,
    finish_reason text,
    reason text,
    usage text
);
create index messages_in_order on messages (conversation, sequence, position);

create table turns (
    turn blob primary key,
    conversation blob not null,
    sequence integer not null,
    message blob,
    person blob not null,
    status text not null,
    reason text,
    started_at text not null,
    ended_at text
);
create index turns_in_order on turns (conversation, sequence);

create table runs (
    run blob primary key,
    conversation blob not null,
    turn blob not null,
    position integer not null,
    message blob not null,
    agent text not null,
    model text,
    epoch integer not null,
    status text not null,
    error text,
    usage text,
    started_at text not null,
    ended_at text
);
create index runs_of_turn on runs (turn, position);
-- A rebuild deletes a conversation's rows.
create index runs_of_conversation on runs (conversation);
