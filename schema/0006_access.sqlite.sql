-- What people come with beside tokens, what they are limited to, and what they may in tracking.
alter table users add column limited integer not null default 0;

create table user_models (
    user_id     text not null references users (id),
    pattern     text not null,
    level       integer not null,
    primary key (user_id, pattern)
);

create table user_identities (
    identity    text primary key,
    user_id     text not null references users (id)
);
create index user_identities_by_user on user_identities (user_id);

create table user_passwords (
    user_id     text primary key references users (id),
    hash        text not null,
    changed_ns  integer not null
);

alter table tokens add column prefix text not null default '';
alter table tokens add column last_used_ns integer;

create table permissions (
    kind        text not null,
    resource    text not null,
    user_id     text not null references users (id),
    level       integer not null,
    primary key (kind, resource, user_id)
);
create index permissions_by_user on permissions (user_id, kind);
