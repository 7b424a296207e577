-- Why: how far a consumer has come is written in the transaction of its effects, so that each record has its effect once.
create table checkpoints (
    consumer text not null,
    partition integer not null,
    position text not null,
    primary key (consumer, partition)
);

-- Why: some work is one process's at a time. Each new holder gets the next epoch, so that an old one can be told apart;
-- expires_at is in milliseconds since 1970 by the database's clock.
create table leases (
    name text primary key,
    holder text not null,
    epoch integer not null,
    expires_at integer not null
);
