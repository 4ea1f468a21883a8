-- Validations and findings, proposals and approvals, policies and what is deployed.
create table validations (
    id           text collate "C" primary key,
    model        text collate "C" not null,
    version      bigint not null,
    validator    text collate "C" not null,
    plan         text collate "C" not null,
    plan_digest  text collate "C" not null,
    state        text collate "C" not null,
    results      text collate "C" not null,
    conclusion   text collate "C" not null,
    comment      text collate "C" not null,
    fixed_ns     bigint not null,
    run_ns       bigint,
    concluded_ns bigint,
    foreign key (model, version) references model_versions (model, version)
);
create index validations_by_version on validations (model, version);

create table findings (
    id            text collate "C" primary key,
    validation_id text collate "C" not null references validations (id),
    model         text collate "C" not null,
    version       bigint not null,
    severity      text collate "C" not null,
    title         text collate "C" not null,
    detail        text collate "C" not null,
    state         text collate "C" not null check (state in ('open', 'closed')),
    owner         text collate "C" not null,
    evidence      text collate "C" not null,
    opened_ns     bigint not null,
    closed_by     text collate "C" not null,
    closed_ns     bigint
);
create index findings_by_version on findings (model, version);

create table policies (
    name        text collate "C" not null,
    version     bigint not null,
    body        text collate "C" not null,
    digest      text collate "C" not null,
    proposal_id text collate "C" not null,
    created_ns  bigint not null,
    primary key (name, version)
);

create table reason_maps (
    name        text collate "C" not null,
    version     bigint not null,
    body        text collate "C" not null,
    digest      text collate "C" not null,
    proposal_id text collate "C" not null,
    created_ns  bigint not null,
    primary key (name, version)
);

create table deployments (
    name        text collate "C" not null,
    revision    bigint not null,
    body        text collate "C" not null,
    digest      text collate "C" not null,
    proposal_id text collate "C" not null,
    created_by  text collate "C" not null,
    created_ns  bigint not null,
    primary key (name, revision)
);

create table proposals (
    id            text collate "C" primary key,
    kind          text collate "C" not null,
    subject       text collate "C" not null,
    change        text collate "C" not null,
    object_digest text collate "C" not null,
    canonical     text collate "C" not null,
    digest        text collate "C" not null,
    proposer      text collate "C" not null,
    tier          bigint not null,
    comment       text collate "C" not null,
    state         text collate "C" not null,
    created_ns    bigint not null,
    expires_ns    bigint not null,
    decided_ns    bigint
);
create index proposals_by_state on proposals (state, created_ns);

create table approvals (
    proposal_id text collate "C" not null references proposals (id),
    approver    text collate "C" not null,
    verb        text collate "C" not null check (verb in ('approve', 'reject')),
    comment     text collate "C" not null,
    key_id      text collate "C" not null,
    signature   text collate "C" not null unique,
    created_ns  bigint not null,
    primary key (proposal_id, approver)
);

create table settings (
    name  text collate "C" primary key,
    value text collate "C" not null
);
