-- Why: what a person and a tenant may take of models in a period is counted here, so that of many workers none passes it. A call
-- takes the most that it may cost before it begins, and gives back after its end what it did not need.

-- person: a pseudonym; the nil uuid for the tenant as a whole. period: milliseconds. starts_at: milliseconds since 1970 by the
-- database's clock, a multiple of the period. Amounts of money are exact decimals, as text; each change of a row reads it under its lock.
create table budget_windows (
    tenant text not null,
    person uuid not null,
    period bigint not null,
    starts_at bigint not null,
    spent_cost text not null default '0',
    spent_tokens bigint not null default 0,
    reserved_cost text not null default '0',
    reserved_tokens bigint not null default 0,
    primary key (tenant, person, period, starts_at)
)
-- Every call changes its rows twice: room to do so within the page.
with (fillfactor = 50);

-- What calls have reserved that are not settled, one row for each window. The row goes when its call is settled, so that happens once.
create table budget_reservations (
    call uuid not null,
    tenant text not null,
    person uuid not null,
    period bigint not null,
    starts_at bigint not null,
    cost text not null,
    tokens bigint not null,
    primary key (call, person)
);
create index budget_reservations_of_window on budget_reservations (tenant, person);
