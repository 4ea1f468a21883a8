/*
 * Everything that holds models and changes, in a folder of its own, with a few people who have
 * keys: for tests of what is proposed, validated, approved and deployed.
 */
#pragma once

#include "blob/fs.h"
#include "directory_case.h"
#include "event/ledger.h"
#include "mlops/change_control.h"
#include "mlops/training_pipeline.h"
#include "mlops/validation.h"

enum mlops_case_who { DANA, VIC, ADA, DEE, ROB, RIA, PIA, PAM, PEOPLE };

struct mlops_case {
    struct directory_case base; /* folder, store, directory */
    struct ax_arena *arena;     /* as long as the case */
    struct ax_ctx ctx;          /* the case's own: what the services keep lies in its arena */
    struct ax_blob *blob;
    struct ax_vault *vault;
    struct ax_ledger *ledger;
    struct ax_kill_switch *kill;
    struct ax_registry *registry;
    struct ax_datasets *datasets;
    struct ax_validations *validations;
    struct ax_deployments *deployments;
    struct ax_change_control *control;
    struct ax_keystore_key keys[PEOPLE];
    struct ax_actor actors[PEOPLE];
    ax_status (*on_plan)(void *arg, struct ax_ctx *ctx); /* of the deployments; NULL for none */
    void *on_plan_arg;
};

static inline ax_str
mlops_case_path(struct mlops_case *at, const char *name)
{
    return ax_str_printf(at->arena, "%s/%s", at->base.folder, name);
}

static inline void
mlops_case_hire(struct mlops_case *at, enum mlops_case_who who, const char *id, const char *role,
                int line)
{
    struct ax_ctx *ctx = &at->ctx;
    struct ax_directory_user user = {};
    const struct ax_json *enrolment = NULL;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_str change = AX_STR("{}");
    char request[128], roles[128], file[64];
    snprintf(request, sizeof request, "{\"id\":\"%s\"}", id);
    snprintf(roles, sizeof roles, "{\"grant\":[\"%s\"],\"line\":%d}", role, line);
    snprintf(file, sizeof file, "%s.key", id);
    directory_case_user(ctx, &at->base, request, roles);
    CHECK_EQ(ax_keystore_create(ctx, mlops_case_path(at, file), AX_STR(""), &at->keys[who]), AX_OK);
    CHECK_EQ(ax_keystore_enrolment(ctx, &at->keys[who], ax_str_of(id), 30, &change), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, change, NULL, &enrolment), AX_OK);
    CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_directory_apply_key(tx, ctx, ax_str_of(id), enrolment), AX_OK);
    CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
    CHECK_EQ(ax_directory_reload(at->base.directory, ctx), AX_OK);
    CHECK_EQ(ax_directory_find(at->base.directory, ctx, ax_str_of(id), &user), AX_OK);
    at->actors[who] = (struct ax_actor){.id = user.id, .roles = user.roles, .line = user.line};
}

static inline void
mlops_case_hire_all(struct mlops_case *at)
{
    static const struct {
        const char *id, *role;
        int line;
    } people[PEOPLE] = {
        [DANA] = {"dana", "developer", 1}, [VIC] = {"vic", "validator", 2},
        [ADA] = {"ada", "approver", 2},    [DEE] = {"dee", "deployer", 1},
        [ROB] = {"rob", "operator", 1},    [RIA] = {"ria", "risk_officer", 2},
        [PIA] = {"pia", "privacy", 2},     [PAM] = {"pam", "privacy", 2},
    };
    for (int who = 0; who < PEOPLE; who++)
        mlops_case_hire(at, (enum mlops_case_who)who, people[who].id, people[who].role,
                        people[who].line);
}

static inline void
mlops_case_open_records(struct mlops_case *at)
{
    static const uint8_t seed[32] = {3};
    struct ax_ctx *ctx = &at->ctx;
    struct ax_ledger_config config;
    const struct ax_vault_config vault = {.folder = mlops_case_path(at, "vault"),
                                          .kek_path = mlops_case_path(at, "kek")};
    ax_settings_defaults(&ax_ledger_settings, &config);
    config.segment_bytes = config.prepare_bytes = 1 << 20;
    CHECK_EQ(ax_vault_make_kek(ctx, vault.kek_path), AX_OK);
    CHECK_EQ(ax_vault_open(ctx, &vault, &at->vault), AX_OK);
    const struct ax_ledger_place place = {.folder = mlops_case_path(at, "ledger"),
                                          .origin = AX_STR("axiom.test/ledger"),
                                          .seed = seed,
                                          .vault = at->vault};
    CHECK_EQ(ax_ledger_open(ctx, &config, &place, &at->ledger), AX_OK);
    CHECK_EQ(ax_kill_switch_open(ctx, mlops_case_path(at, "latches.json"), &at->kill), AX_OK);
}

static inline void
mlops_case_open_models(struct mlops_case *at)
{
    struct ax_ctx *ctx = &at->ctx;
    struct ax_store *store = at->base.store;
    char key[AX_DIGEST_HEX_BYTES + 1];
    ax_str hex = ax_digest_hex(ax_sha256(AX_STR("a key for tests")), key);
    const ax_str protected_key = mlops_case_path(at, "protected.key");
    CHECK_EQ(ax_file_write_atomic(ctx, protected_key, hex), AX_OK);
    CHECK_EQ(ax_fs_open(ctx, mlops_case_path(at, "blobs"), &at->blob), AX_OK);
    const struct ax_registry_config registry = {.store = store, .blob = at->blob};
    CHECK_EQ(ax_registry_open(ctx, &registry, &at->registry), AX_OK);
    const struct ax_datasets_config datasets = {.store = store,
                                                .blob = at->blob,
                                                .protected_folder =
                                                    mlops_case_path(at, "protected"),
                                                .protected_key = protected_key};
    CHECK_EQ(ax_datasets_open(ctx, &datasets, &at->datasets), AX_OK);
    const struct ax_validations_config validations = {
        .store = store, .registry = at->registry, .datasets = at->datasets};
    CHECK_EQ(ax_validations_open(ctx, &validations, &at->validations), AX_OK);
    const struct ax_deployments_config deployments = {.store = store,
                                                      .registry = at->registry,
                                                      .folder = mlops_case_path(at, "serving"),
                                                      .on_plan = at->on_plan,
                                                      .arg = at->on_plan_arg};
    CHECK_EQ(ax_deployments_open(ctx, &deployments, &at->deployments), AX_OK);
    const struct ax_change_control_config control = {.store = store,
                                                     .ledger = at->ledger,
                                                     .vault = at->vault,
                                                     .directory = at->base.directory,
                                                     .registry = at->registry,
                                                     .deployments = at->deployments,
                                                     .kill = at->kill,
                                                     .expires_days = 30};
    CHECK_EQ(ax_change_control_open(ctx, &control, &at->control), AX_OK);
}

static inline void
mlops_case_done(struct mlops_case *at)
{
    ax_change_control_close(at->control);
    ax_deployments_close(at->deployments);
    ax_validations_close(at->validations);
    ax_datasets_close(at->datasets);
    ax_registry_close(at->registry);
    ax_blob_close(at->blob);
    for (int who = 0; who < PEOPLE; who++)
        ax_keystore_close(&at->keys[who]);
    ax_kill_switch_close(at->kill);
    ax_ledger_close(at->ledger);
    ax_vault_close(at->vault);
    directory_case_done(&at->ctx, &at->base);
    ax_arena_free(at->arena);
}

/* Runs body with everything open; ctx is for what it does, the case's own is for the services. */
static inline void
mlops_case_run(void (*body)(struct ax_ctx *ctx, struct mlops_case *at))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct mlops_case at = {.arena = ax_arena_new(64 << 20)};
    at.ctx = ax_ctx_of(at.arena);
    directory_case_make(&at.ctx, &at.base);
    CHECK_EQ(
        ax_directory_open(&at.ctx, at.base.store, ax_str_of(at.base.cache), &at.base.directory),
        AX_OK);
    mlops_case_hire_all(&at);
    mlops_case_open_records(&at);
    mlops_case_open_models(&at);
    body(&ctx, &at);
    mlops_case_done(&at);
}

static inline void
mlops_case_as(struct ax_ctx *ctx, const struct mlops_case *at, enum mlops_case_who who)
{
    ctx->actor = &at->actors[who];
}

/* ---- the steps that most tests begin with ---- */

static inline ax_status
mlops_case_create(struct ax_ctx *ctx, struct mlops_case *at, const char *name)
{
    char record[128];
    const struct ax_json *json;
    mlops_case_as(ctx, at, DANA);
    snprintf(record, sizeof record, "{\"name\":\"%s\",\"owner\":\"dana\",\"purpose\":\"tests\"}",
             name);
    AX_TRY(ax_json_parse(ctx, ax_str_of(record), NULL, &json));
    return ax_registry_create(at->registry, ctx, json);
}

static inline ax_status
mlops_case_register(struct ax_ctx *ctx, struct mlops_case *at, const char *model,
                    struct ax_version_record *out)
{
    ax_str bytes;
    mlops_case_as(ctx, at, DANA);
    AX_TRY(ax_file_read_all(ctx, AX_STR("tests/model/small/xgboost.json"), 1 << 20, &bytes));
    return ax_registry_register(at->registry, ctx, ax_str_of(model), bytes, out);
}

/* Moves a version without asking anybody: for tests of what comes later. */
static inline void
mlops_case_move(struct ax_ctx *ctx, struct mlops_case *at, const char *model,
                enum ax_version_state state)
{
    static const enum ax_version_state path[] = {AX_VERSION_IN_VALIDATION, AX_VERSION_VALIDATED,
                                                 AX_VERSION_APPROVED};
    mlops_case_as(ctx, at, VIC);
    for (size_t i = 0; i < AX_COUNT_OF(path) && (i == 0 || path[i - 1] != state); i++) {
        struct ax_version_record record = {};
        ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
        CHECK_EQ(ax_registry_version(at->registry, ctx, NULL, ax_str_of(model), 1, &record), AX_OK);
        CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_WRITE, &tx), AX_OK);
        CHECK_EQ(ax_registry_move(at->registry, ctx, tx, &record, path[i], INT64_MAX), AX_OK);
        CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
    }
}

struct mlops_case_proposal {
    ax_str id, state;
    ax_digest digest;
};

static inline ax_status
mlops_case_read_proposal(struct ax_ctx *ctx, const struct ax_writer *text,
                         struct mlops_case_proposal *out)
{
    const struct ax_json *json;
    ax_str hex;
    AX_TRY(ax_json_parse(ctx, ax_writer_str(text), NULL, &json));
    AX_TRY(ax_json_need_text(ctx, json, "id", &out->id));
    AX_TRY(ax_json_need_text(ctx, json, "state", &out->state));
    AX_TRY(ax_json_need_text(ctx, json, "digest", &hex));
    return ax_digest_parse(hex, &out->digest) ? AX_OK : ax_fail(ctx, AX_INVALID, "no digest");
}

static inline ax_status
mlops_case_propose(struct ax_ctx *ctx, struct mlops_case *at, enum mlops_case_who who,
                   const char *request, struct mlops_case_proposal *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *parsed;
    mlops_case_as(ctx, at, who);
    AX_TRY(ax_json_parse(ctx, ax_str_of(request), NULL, &parsed));
    AX_TRY(ax_change_control_propose(at->control, ctx, parsed, &json));
    return mlops_case_read_proposal(ctx, &text, out);
}

/* Signs with the person's own key and hands the signature in. */
static inline ax_status
mlops_case_sign(struct ax_ctx *ctx, struct mlops_case *at, enum mlops_case_who who, bool approve,
                struct mlops_case_proposal *proposal, enum ax_change_refusal *out_refusal)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *parsed;
    const struct ax_signing_approval signing = {.approve = approve,
                                                .proposal_id = proposal->id,
                                                .proposal = proposal->digest,
                                                .comment = AX_STR("checked")};
    ax_str body;
    mlops_case_as(ctx, at, who);
    *out_refusal = AX_CHANGE_NOT_REFUSED;
    AX_TRY(ax_keystore_approval(ctx, &at->keys[who], &signing, &body));
    AX_TRY(ax_json_parse(ctx, body, NULL, &parsed));
    AX_TRY(
        approve
            ? ax_change_control_approve(at->control, ctx, proposal->id, parsed, &json, out_refusal)
            : ax_change_control_reject(at->control, ctx, proposal->id, parsed, &json, out_refusal));
    return mlops_case_read_proposal(ctx, &text, proposal);
}

/* Proposes and signs; the change has taken effect then. */
static inline ax_status
mlops_case_change(struct ax_ctx *ctx, struct mlops_case *at, enum mlops_case_who proposer,
                  enum mlops_case_who approver, const char *request)
{
    struct mlops_case_proposal proposal;
    enum ax_change_refusal refusal;
    AX_TRY(mlops_case_propose(ctx, at, proposer, request, &proposal));
    AX_TRY(mlops_case_sign(ctx, at, approver, true, &proposal, &refusal));
    return ax_str_eq(proposal.state, AX_STR("applied"))
               ? AX_OK
               : ax_fail(ctx, AX_CONFLICT, "the proposal is %.*s", AX_FMT(proposal.state));
}

/*
 * As FAULT_SWEEP over one open case: op(step) with its step-th fault, and again, unbroken, with the
 * same step: what a fault left behind may not be in the way. after: sees each first try's status.
 */
static inline void
mlops_case_sweep(struct mlops_case *at,
                 ax_status (*op)(struct ax_ctx *ctx, struct mlops_case *at, int step),
                 void (*after)(struct ax_ctx *ctx, struct mlops_case *at, int step,
                               ax_status status))
{
    bool fired = true;
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        ax_fault_arm(run / 2, run % 2);
        ax_status status = op(&ctx, at, run);
        fired = ax_fault_disarm();
        if (fired && ax_fault_must_be_noticed() && status == AX_OK)
            ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", run / 2);
        if (!fired && status != AX_OK)
            ax_test_failed(__FILE__, __LINE__, "unbroken run ends %s: %s", ax_status_name(status),
                           ctx.error);
        directory_case_settle(&at->base);
        after(&ctx, at, run, status);
    }
}

static inline int64_t
mlops_case_count(struct ax_ctx *ctx, struct mlops_case *at, const char *sql)
{
    return directory_case_count(ctx, &at->base, sql);
}
