-- Runs have a number inside. Their ids, 32 bytes of text, stood in every index and in every row that
-- belongs to a run; now they stand in runs alone, and what belongs to a run is kept by its key.
--
-- revision: how many writes the run has seen: what was shown of a run holds while it is the same.
-- series_count: how many series the run has ever had, which numbers the next.
create table runs_keyed (
    key             integer primary key,
    id              text not null unique,
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
    deleted_ns      integer,
    revision        integer not null default 0,
    series_count    integer not null default 0
);
insert into runs_keyed (id, experiment_id, name, user_id, status, lifecycle_stage, source_type,
    source_name, artifact_uri, start_ns, end_ns, deleted_ns, series_count)
select id, experiment_id, name, user_id, status, lifecycle_stage, source_type, source_name,
    artifact_uri, start_ns, end_ns, deleted_ns,
    (select count(*) from metric_series s where s.run_id = runs.id)
from runs order by start_ns, id;

create table run_params_keyed (
    run_key integer not null references runs_keyed (key),
    key     text not null,
    value   text not null,
    primary key (run_key, key)
) without rowid;
insert into run_params_keyed (run_key, key, value)
select r.key, t.key, t.value from run_params t join runs_keyed r on r.id = t.run_id
order by 1, 2;

create table run_tags_keyed (
    run_key integer not null references runs_keyed (key),
    key     text not null,
    value   text not null,
    primary key (run_key, key)
) without rowid;
insert into run_tags_keyed (run_key, key, value)
select r.key, t.key, t.value from run_tags t join runs_keyed r on r.id = t.run_id
order by 1, 2;

create table run_inputs_keyed (
    run_key         integer not null references runs_keyed (key),
    dataset_name    text not null,
    dataset_digest  text not null,
    source_type     text not null,
    source          text not null,
    dataset_schema  text,
    dataset_profile text,
    context         text not null,
    tags            text not null,
    primary key (run_key, dataset_name, dataset_digest)
);
insert into run_inputs_keyed (run_key, dataset_name, dataset_digest, source_type, source,
    dataset_schema, dataset_profile, context, tags)
select r.key, t.dataset_name, t.dataset_digest, t.source_type, t.source, t.dataset_schema,
    t.dataset_profile, t.context, t.tags
from run_inputs t join runs_keyed r on r.id = t.run_id order by 1, 2, 3;

create table run_models_keyed (
    run_key   integer not null references runs_keyed (key),
    direction text not null check (direction in ('input', 'output')),
    model_id  text not null,
    step      integer not null,
    primary key (run_key, direction, model_id)
) without rowid;
insert into run_models_keyed (run_key, direction, model_id, step)
select r.key, t.direction, t.model_id, t.step
from run_models t join runs_keyed r on r.id = t.run_id order by 1, 2, 3;

-- id: the run's key, and its place among the run's series: 20 bits. So the points of a run lie
-- together, and no index has to say whether an id is taken.
create table metric_series_keyed (
    run_key      integer not null references runs_keyed (key),
    key          text not null,
    id           integer not null,
    step         integer not null,
    timestamp_ms integer not null,
    value        real not null,
    is_nan       integer not null,
    primary key (run_key, key)
) without rowid;
insert into metric_series_keyed (run_key, key, id, step, timestamp_ms, value, is_nan)
select r.key, s.key,
    r.key * 1048576 + row_number() over (partition by r.key order by s.key),
    s.step, s.timestamp_ms, s.value, s.is_nan
from metric_series s join runs_keyed r on r.id = s.run_id order by 1, 2;

-- series_id: of a series of the run; who writes points has just read or made it.
create table metric_points_keyed (
    series_id    integer not null,
    timestamp_ms integer not null,
    step         integer not null,
    value        real not null,
    is_nan       integer not null,
    primary key (series_id, timestamp_ms, step, value, is_nan)
) without rowid;
insert into metric_points_keyed (series_id, timestamp_ms, step, value, is_nan)
select k.id, p.timestamp_ms, p.step, p.value, p.is_nan
from metric_series_keyed k
join runs_keyed r on r.key = k.run_key
join metric_series s on s.run_id = r.id and s.key = k.key
join metric_points p on p.series_id = s.id order by 1, 2, 3, 4, 5;

drop table metric_points;
drop table metric_series;
drop table run_models;
drop table run_inputs;
drop table run_tags;
drop table run_params;
drop table runs;
alter table runs_keyed rename to runs;
alter table run_params_keyed rename to run_params;
alter table run_tags_keyed rename to run_tags;
alter table run_inputs_keyed rename to run_inputs;
alter table run_models_keyed rename to run_models;
alter table metric_series_keyed rename to metric_series;
alter table metric_points_keyed rename to metric_points;

-- What a search looks through, newest first, without the rows themselves.
create index runs_newest on runs (experiment_id, lifecycle_stage, start_ns desc, id);
create index run_params_by_key on run_params (key, value, run_key);
create index run_tags_by_key on run_tags (key, run_key);
-- All that a search by a metric, or in its order, asks of a series.
create index metric_series_by_key on metric_series (key, value, run_key, is_nan);
