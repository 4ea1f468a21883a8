-- What people come with beside tokens, what they are limited to, and what they may in tracking.
alter table users add column limited bigint not null default 0;

create table user_models (
    user_id     text collate "C" not null references users (id),
    pattern     text collate "C" not null,
    level       bigint not null,
    primary key (user_id, pattern)
);

create table user_identities (
    identity    text collate "C" primary key,
    user_id     text collate "C" not null references users (id)
);
create index user_identities_by_user on user_identities (user_id);

create table user_passwords (
    user_id     text collate "C" primary key references users (id),
    hash        text collate "C" not null,
    changed_ns  bigint not null
);

alter table tokens add column prefix text collate "C" not null default '';
alter table tokens add column last_used_ns bigint;

create table permissions (
    kind        text collate "C" not null,
    resource    text collate "C" not null,
    user_id     text collate "C" not null references users (id),
    level       bigint not null,
    primary key (kind, resource, user_id)
);
create index permissions_by_user on permissions (user_id, kind);
