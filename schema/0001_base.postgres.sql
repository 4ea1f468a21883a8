-- People and services, their tokens and keys; facts on their way to the ledger.
create table outbox (
    id          bigint primary key,
    kind        bigint not null,
    fact        bytea not null,
    payload     bytea not null,
    created_ns  bigint not null
);

create table users (
    id          text collate "C" primary key,
    name        text collate "C" not null,
    kind        text collate "C" not null check (kind in ('person', 'service')),
    line        bigint not null,
    manager     text collate "C" not null,
    roles       bigint not null,
    disabled    bigint not null,
    created_ns  bigint not null
);

create table tokens (
    id          text collate "C" primary key,
    user_id     text collate "C" not null references users (id),
    name        text collate "C" not null,
    hash        text collate "C" not null unique,
    created_ns  bigint not null,
    expires_ns  bigint not null,
    revoked_ns  bigint
);

create table user_keys (
    id             text collate "C" primary key,
    user_id        text collate "C" not null references users (id),
    public_key     text collate "C" not null unique,
    valid_from_ns  bigint not null,
    valid_until_ns bigint not null,
    revoked_ns     bigint
);
create index user_keys_by_user on user_keys (user_id);
