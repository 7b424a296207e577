-- Why: personal content is sealed under keys, and whoever destroys a key erases what it sealed. They have a file of their own
-- (keys.db), so that a backup can leave it out: a restored backup must not bring a destroyed key back.

-- Who stands behind a pseudonym, and the person's own key, wrapped by the master key.
create table loquent_keys.persons (
    person blob primary key,
    tenant text not null,
    issuer text not null,
    subject text not null,
    wrapped blob not null,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    unique (tenant, issuer, subject)
);

-- One key for what one person has in one conversation, wrapped by the person's; it goes with the person.
create table loquent_keys.content_keys (
    key blob primary key,
    person blob not null references persons on delete cascade,
    conversation blob not null,
    wrapped blob not null,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    unique (person, conversation)
);
create index loquent_keys.content_keys_conversation on content_keys (conversation);

-- A known value under the master key: a store that another master key wrapped is recognised at the start.
create table loquent_keys.master_key (
    id integer primary key check (id = 1),
    wrapped blob not null
);
