-- Why: personal content is sealed under keys, and whoever destroys a key erases what it sealed. They have a schema of their own,
-- so that a backup can leave it out: a restored backup must not bring a destroyed key back.
create schema loquent_keys;

-- Who stands behind a pseudonym, and the person's own key, wrapped by the master key.
create table loquent_keys.persons (
    person uuid primary key,
    tenant text not null,
    issuer text not null,
    subject text not null,
    wrapped bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    unique (tenant, issuer, subject)
);

-- One key for what one person has in one conversation, wrapped by the person's. The reference makes a key that is being made
-- wait for an erasure, and go with it.
create table loquent_keys.content_keys (
    key uuid primary key,
    person uuid not null references loquent_keys.persons on delete cascade,
    conversation uuid not null,
    wrapped bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    unique (person, conversation)
);
create index content_keys_conversation on loquent_keys.content_keys (conversation);

-- A known value under the master key: a store that another master key wrapped is recognised at the start.
create table loquent_keys.master_key (
    id integer primary key check (id = 1),
    wrapped bytea not null
);
