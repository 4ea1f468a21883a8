-- Experiments and runs, models and versions: all that the registry and MLflow's REST API can say.
create table experiments (
    id                text primary key,
    name              text not null unique,
    artifact_location text not null,
    lifecycle_stage   text not null check (lifecycle_stage in ('active', 'deleted')),
    created_ns        integer not null,
    updated_ns        integer not null
);

create table experiment_tags (
    experiment_id text not null references experiments (id),
    key           text not null,
    value         text not null,
    primary key (experiment_id, key)
);

create table runs (
    id              text primary key,
    experiment_id   text not null references experiments (id),
    name            text not null,
    user_id         text not null,
    status          text not null,
    lifecycle_stage text not null check (lifecycle_stage in ('active', 'deleted')),
    source_type     text not null,
    source_name     text not null,
    artifact_uri    text not null,
    start_ns        integer not null,
    end_ns          integer,
    deleted_ns      integer
);
create index runs_by_experiment on runs (experiment_id, start_ns);

create table run_params (
    run_id text not null references runs (id),
    key    text not null,
    value  text not null,
    primary key (run_id, key)
);

create table run_tags (
    run_id text not null references runs (id),
    key    text not null,
    value  text not null,
    primary key (run_id, key)
);

-- Not a number has no place in a column: value is 0 then and is_nan says so.
create table run_metrics (
    run_id       text not null references runs (id),
    key          text not null,
    step         integer not null,
    timestamp_ms integer not null,
    value        real not null,
    is_nan       integer not null,
    primary key (run_id, key, step, timestamp_ms, value, is_nan)
);

create table run_inputs (
    run_id          text not null references runs (id),
    dataset_name    text not null,
    dataset_digest  text not null,
    source_type     text not null,
    source          text not null,
    dataset_schema  text not null,
    dataset_profile text not null,
    tags            text not null,
    primary key (run_id, dataset_name, dataset_digest)
);

create table artifacts (
    run_id     text not null references runs (id),
    path       text not null,
    digest     text not null,
    bytes      integer not null,
    created_ns integer not null,
    primary key (run_id, path)
);

create table datasets (
    name       text not null,
    version    integer not null,
    digest     text not null,
    manifest   text not null,
    features   text not null,
    train      real not null,
    validation real not null,
    seed       text not null,
    created_by text not null,
    created_ns integer not null,
    primary key (name, version)
);
create index datasets_by_digest on datasets (name, digest);

-- record: the inventory record (governance/inventory), JSON.
create table models (
    name        text primary key,
    description text not null,
    record      text not null,
    tier        integer not null,
    created_by  text not null,
    created_ns  integer not null,
    updated_ns  integer not null
);

create table model_tags (
    model text not null references models (name),
    key   text not null,
    value text not null,
    primary key (model, key)
);

create table model_versions (
    model       text not null references models (name),
    version     integer not null,
    digest      text not null,
    format      text not null,
    manifest    text not null,
    state       text not null,
    until_ns    integer,
    stage       text not null,
    description text not null,
    developer   text not null,
    dataset     text not null,
    run_id      text not null,
    source      text not null,
    created_ns  integer not null,
    updated_ns  integer not null,
    primary key (model, version)
);
create index model_versions_by_digest on model_versions (model, digest);

create table model_version_tags (
    model   text not null,
    version integer not null,
    key     text not null,
    value   text not null,
    primary key (model, version, key),
    foreign key (model, version) references model_versions (model, version)
);

create table model_aliases (
    model   text not null references models (name),
    alias   text not null,
    version integer not null,
    primary key (model, alias)
);

create table training_runs (
    id         text primary key,
    model      text not null,
    task       text not null,
    state      text not null,
    result     text not null,
    version    integer,
    started_by text not null,
    started_ns integer not null,
    ended_ns   integer
);
