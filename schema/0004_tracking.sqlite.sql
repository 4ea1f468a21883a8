-- Tracking and registry in full: metrics as series, logged models, artifacts by path, and what
-- MLflow's API says of versions. The tables made anew here were never written to.
drop table run_metrics;
drop table artifacts;
drop table run_params;
drop table run_tags;
drop table run_inputs;
drop index runs_by_experiment;

-- What a search looks through, newest first, without the rows themselves.
create index runs_newest on runs (experiment_id, lifecycle_stage, start_ns desc, id);

create table run_params (
    run_id text not null references runs (id),
    key    text not null,
    value  text not null,
    primary key (run_id, key)
) without rowid;
create index run_params_by_key on run_params (key, value, run_id);

create table run_tags (
    run_id text not null references runs (id),
    key    text not null,
    value  text not null,
    primary key (run_id, key)
) without rowid;

-- context: the tag mlflow.data.context, which searches ask for. tags: a JSON list of key and value.
create table run_inputs (
    run_id          text not null references runs (id),
    dataset_name    text not null,
    dataset_digest  text not null,
    source_type     text not null,
    source          text not null,
    dataset_schema  text,
    dataset_profile text,
    context         text not null,
    tags            text not null,
    primary key (run_id, dataset_name, dataset_digest)
);

-- One row a run and key: the series and its summary, the greatest by step, time and value. Not a
-- number has no place in a column: value is 0 then and is_nan says so.
create table metric_series (
    run_id       text not null references runs (id),
    key          text not null,
    id           integer not null unique,
    step         integer not null,
    timestamp_ms integer not null,
    value        real not null,
    is_nan       integer not null,
    primary key (run_id, key)
) without rowid;
create index metric_series_by_key on metric_series (key, value, run_id);

create table metric_points (
    series_id    integer not null references metric_series (id),
    timestamp_ms integer not null,
    step         integer not null,
    value        real not null,
    is_nan       integer not null,
    primary key (series_id, timestamp_ms, step, value, is_nan)
) without rowid;

create table logged_models (
    id              text primary key,
    experiment_id   text not null references experiments (id),
    name            text not null,
    model_type      text not null,
    source_run_id   text not null,
    artifact_uri    text not null,
    status          text not null,
    lifecycle_stage text not null check (lifecycle_stage in ('active', 'deleted')),
    created_ms      integer not null,
    updated_ms      integer not null
);
create index logged_models_by_experiment on logged_models (experiment_id, created_ms);

create table logged_model_params (
    model_id text not null references logged_models (id),
    key      text not null,
    value    text not null,
    primary key (model_id, key)
) without rowid;

create table logged_model_tags (
    model_id text not null references logged_models (id),
    key      text not null,
    value    text not null,
    primary key (model_id, key)
) without rowid;

create table logged_model_metrics (
    model_id       text not null references logged_models (id),
    key            text not null,
    timestamp_ms   integer not null,
    step           integer not null,
    run_id         text not null,
    dataset_name   text not null,
    dataset_digest text not null,
    value          real not null,
    is_nan         integer not null,
    primary key (model_id, key, timestamp_ms, step, run_id, dataset_name, dataset_digest)
) without rowid;

create table run_models (
    run_id    text not null references runs (id),
    direction text not null check (direction in ('input', 'output')),
    model_id  text not null,
    step      integer not null,
    primary key (run_id, direction, model_id)
) without rowid;

-- Uploaded files: which bytes stand under a path. The bytes are a blob, the path a link to it.
create table artifact_files (
    path       text primary key,
    digest     text not null,
    bytes      integer not null,
    created_ns integer not null
) without rowid;
create index artifact_files_by_digest on artifact_files (digest);

-- last_version: the greatest number ever given, also to versions that are gone. location: where
-- the files of a version are that has its source in another's name; '' when source says it.
alter table models add column last_version integer not null default 0;
update models set last_version = coalesce((select max(version) from model_versions v
    where v.model = models.name), 0);
alter table model_versions add column run_link text not null default '';
alter table model_versions add column logged_model_id text not null default '';
alter table model_versions add column location text not null default '';
create index model_versions_by_run on model_versions (run_id);
