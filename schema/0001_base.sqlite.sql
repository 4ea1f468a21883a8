-- People and services, their tokens and keys; facts on their way to the ledger.
create table outbox (
    id          integer primary key,
    kind        integer not null,
    fact        blob not null,
    payload     blob not null,
    created_ns  integer not null
);

create table users (
    id          text primary key,
    name        text not null,
    kind        text not null check (kind in ('person', 'service')),
    line        integer not null,
    manager     text not null,
    roles       integer not null,
    disabled    integer not null,
    created_ns  integer not null
);

create table tokens (
    id          text primary key,
    user_id     text not null references users (id),
    name        text not null,
    hash        text not null unique,
    created_ns  integer not null,
    expires_ns  integer not null,
    revoked_ns  integer
);

create table user_keys (
    id             text primary key,
    user_id        text not null references users (id),
    public_key     text not null unique,
    valid_from_ns  integer not null,
    valid_until_ns integer not null,
    revoked_ns     integer
);
create index user_keys_by_user on user_keys (user_id);
