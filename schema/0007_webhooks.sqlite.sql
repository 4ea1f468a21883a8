-- Whom the registry tells of its changes, as MLflow has it. events: ",model_version.created,...,".
create table webhooks (
    id          text primary key,
    name        text not null,
    description text not null,
    url         text not null,
    secret      text not null, -- '': deliveries are not signed
    status      text not null check (status in ('ACTIVE', 'DISABLED')),
    events      text not null,
    created_ms  integer not null,
    updated_ms  integer not null,
    deleted_ms  integer
);

-- One row an event and webhook, written in the transaction of the change. It stays as the log of
-- what became of it until it is old.
create table webhook_deliveries (
    id          integer primary key autoincrement,
    webhook_id  text not null references webhooks (id),
    delivery_id text not null,
    event       text not null,
    body        text not null,
    state       text not null check (state in ('waiting', 'sent', 'failed', 'dropped')),
    attempts    integer not null,
    due_ms      integer not null,
    created_ms  integer not null,
    done_ms     integer,
    answer      integer not null, -- HTTP status of the newest attempt; 0: none came
    error       text not null
);
create index webhook_deliveries_due on webhook_deliveries (state, due_ms);
create index webhook_deliveries_of on webhook_deliveries (webhook_id, state, id);
