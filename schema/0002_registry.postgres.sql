-- Experiments and runs, models and versions: all that the registry and MLflow's REST API can say.
create table experiments (
    id                text collate "C" primary key,
    name              text collate "C" not null unique,
    artifact_location text collate "C" not null,
    lifecycle_stage   text collate "C" not null check (lifecycle_stage in ('active', 'deleted')),
    created_ns        bigint not null,
    updated_ns        bigint not null
);

create table experiment_tags (
    experiment_id text collate "C" not null references experiments (id),
    key           text collate "C" not null,
    value         text collate "C" not null,
    primary key (experiment_id, key)
);

create table runs (
    id              text collate "C" primary key,
    experiment_id   text collate "C" not null references experiments (id),
    name            text collate "C" not null,
    user_id         text collate "C" not null,
    status          text collate "C" not null,
    lifecycle_stage text collate "C" not null check (lifecycle_stage in ('active', 'deleted')),
    source_type     text collate "C" not null,
    source_name     text collate "C" not null,
    artifact_uri    text collate "C" not null,
    start_ns        bigint not null,
    end_ns          bigint,
    deleted_ns      bigint
);
create index runs_by_experiment on runs (experiment_id, start_ns);

create table run_params (
    run_id text collate "C" not null references runs (id),
    key    text collate "C" not null,
    value  text collate "C" not null,
    primary key (run_id, key)
);

create table run_tags (
    run_id text collate "C" not null references runs (id),
    key    text collate "C" not null,
    value  text collate "C" not null,
    primary key (run_id, key)
);

-- Not a number has no place in a column: value is 0 then and is_nan says so.
create table run_metrics (
    run_id       text collate "C" not null references runs (id),
    key          text collate "C" not null,
    step         bigint not null,
    timestamp_ms bigint not null,
    value        double precision not null,
    is_nan       bigint not null,
    primary key (run_id, key, step, timestamp_ms, value, is_nan)
);

create table run_inputs (
    run_id          text collate "C" not null references runs (id),
    dataset_name    text collate "C" not null,
    dataset_digest  text collate "C" not null,
    source_type     text collate "C" not null,
    source          text collate "C" not null,
    dataset_schema  text collate "C" not null,
    dataset_profile text collate "C" not null,
    tags            text collate "C" not null,
    primary key (run_id, dataset_name, dataset_digest)
);

create table artifacts (
    run_id     text collate "C" not null references runs (id),
    path       text collate "C" not null,
    digest     text collate "C" not null,
    bytes      bigint not null,
    created_ns bigint not null,
    primary key (run_id, path)
);

create table datasets (
    name       text collate "C" not null,
    version    bigint not null,
    digest     text collate "C" not null,
    manifest   text collate "C" not null,
    features   text collate "C" not null,
    train      double precision not null,
    validation double precision not null,
    seed       text collate "C" not null,
    created_by text collate "C" not null,
    created_ns bigint not null,
    primary key (name, version)
);
create index datasets_by_digest on datasets (name, digest);

-- record: the inventory record (governance/inventory), JSON.
create table models (
    name        text collate "C" primary key,
    description text collate "C" not null,
    record      text collate "C" not null,
    tier        bigint not null,
    created_by  text collate "C" not null,
    created_ns  bigint not null,
    updated_ns  bigint not null
);

create table model_tags (
    model text collate "C" not null references models (name),
    key   text collate "C" not null,
    value text collate "C" not null,
    primary key (model, key)
);

create table model_versions (
    model       text collate "C" not null references models (name),
    version     bigint not null,
    digest      text collate "C" not null,
    format      text collate "C" not null,
    manifest    text collate "C" not null,
    state       text collate "C" not null,
    until_ns    bigint,
    stage       text collate "C" not null,
    description text collate "C" not null,
    developer   text collate "C" not null,
    dataset     text collate "C" not null,
    run_id      text collate "C" not null,
    source      text collate "C" not null,
    created_ns  bigint not null,
    updated_ns  bigint not null,
    primary key (model, version)
);
create index model_versions_by_digest on model_versions (model, digest);

create table model_version_tags (
    model   text collate "C" not null,
    version bigint not null,
    key     text collate "C" not null,
    value   text collate "C" not null,
    primary key (model, version, key),
    foreign key (model, version) references model_versions (model, version)
);

create table model_aliases (
    model   text collate "C" not null references models (name),
    alias   text collate "C" not null,
    version bigint not null,
    primary key (model, alias)
);

create table training_runs (
    id         text collate "C" primary key,
    model      text collate "C" not null,
    task       text collate "C" not null,
    state      text collate "C" not null,
    result     text collate "C" not null,
    version    bigint,
    started_by text collate "C" not null,
    started_ns bigint not null,
    ended_ns   bigint
);
