-- Validations and findings, proposals and approvals, policies and what is deployed.
create table validations (
    id           text primary key,
    model        text not null,
    version      integer not null,
    validator    text not null,
    plan         text not null,
    plan_digest  text not null,
    state        text not null,
    results      text not null,
    conclusion   text not null,
    comment      text not null,
    fixed_ns     integer not null,
    run_ns       integer,
    concluded_ns integer,
    foreign key (model, version) references model_versions (model, version)
);
create index validations_by_version on validations (model, version);

create table findings (
    id            text primary key,
    validation_id text not null references validations (id),
    model         text not null,
    version       integer not null,
    severity      text not null,
    title         text not null,
    detail        text not null,
    state         text not null check (state in ('open', 'closed')),
    owner         text not null,
    evidence      text not null,
    opened_ns     integer not null,
    closed_by     text not null,
    closed_ns     integer
);
create index findings_by_version on findings (model, version);

create table policies (
    name        text not null,
    version     integer not null,
    body        text not null,
    digest      text not null,
    proposal_id text not null,
    created_ns  integer not null,
    primary key (name, version)
);

create table reason_maps (
    name        text not null,
    version     integer not null,
    body        text not null,
    digest      text not null,
    proposal_id text not null,
    created_ns  integer not null,
    primary key (name, version)
);

create table deployments (
    name        text not null,
    revision    integer not null,
    body        text not null,
    digest      text not null,
    proposal_id text not null,
    created_by  text not null,
    created_ns  integer not null,
    primary key (name, revision)
);

create table proposals (
    id            text primary key,
    kind          text not null,
    subject       text not null,
    change        text not null,
    object_digest text not null,
    canonical     text not null,
    digest        text not null,
    proposer      text not null,
    tier          integer not null,
    comment       text not null,
    state         text not null,
    created_ns    integer not null,
    expires_ns    integer not null,
    decided_ns    integer
);
create index proposals_by_state on proposals (state, created_ns);

create table approvals (
    proposal_id text not null references proposals (id),
    approver    text not null,
    verb        text not null check (verb in ('approve', 'reject')),
    comment     text not null,
    key_id      text not null,
    signature   text not null unique,
    created_ns  integer not null,
    primary key (proposal_id, approver)
);

create table settings (
    name  text primary key,
    value text not null
);
