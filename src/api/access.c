#include "api/access.h"

#include "auth/attempts.h"
#include "auth/credential.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"
#include "codec/cbor.h"
#include "codec/text.h"
#include "event/ledger.h"
#include "net/grpc.h"

enum { BODY_BYTES_MAX = 1024 };

/* Refusals of one caller that are facts: sixty at once, then one a second. */
static const struct ax_attempts_config denials_config = {.failures_max = 60, .refill_ms = 1'000};

struct ax_access {
    struct ax_attempts *denials;
};

ax_status
ax_access_open(struct ax_ctx *ctx, struct ax_access **out_access)
{
    struct ax_access *access = ax_alloc(sizeof *access, 1);
    if (!access)
        return ax_fail(ctx, AX_LIMIT, "no memory to note refusals");
    ax_status status = ax_attempts_open(ctx, &denials_config, &access->denials);
    if (status != AX_OK) {
        ax_free(access);
        return status;
    }
    *out_access = access;
    return AX_OK;
}

void
ax_access_close(struct ax_access *access)
{
    ax_attempts_close(access->denials);
    ax_free(access);
}

/* ---- who ---- */

static struct ax_credential_services
services_of(const struct ax_call *call)
{
    return (struct ax_credential_services){.directory = call->services->directory,
                                           .issuer = call->services->issuer,
                                           .passwords = call->services->passwords};
}

ax_status
ax_access_identify(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_credential_services services = services_of(call);
    struct ax_credential *credential = AX_NEW(ctx->arena, struct ax_credential);
    if (!credential)
        return ax_fail(ctx, AX_LIMIT, "no memory to ask who somebody is");
    ax_str header = ax_http_header_find(call->request, AX_STR("authorization"));
    *credential = (struct ax_credential){
        .authorization = header.at ? header : AX_STR(""),
        .network = ax_exchange_network(call->exchange),
        .certificate = ax_exchange_identity(call->exchange),
        .basic = call->table && call->table->tracked,
    };
    AX_TRY(ax_credential_authenticate(&services, ctx, credential, &call->actor));
    call->unverified = credential->unverified ? credential : NULL;
    ctx->actor = &call->actor;
    return AX_OK;
}

/* The rest of who they are is taken from the directory when the password holds. */
ax_status
ax_access_verify(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_credential_services services = services_of(call);
    AX_TRY(ax_credential_verify(&services, ctx, call->unverified));
    struct ax_credential again = *call->unverified;
    again.unverified = false;
    AX_TRY(ax_credential_authenticate(&services, ctx, &again, &call->actor));
    if (again.unverified)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the name or the password is not valid");
    call->unverified = NULL;
    ctx->actor = &call->actor;
    return AX_OK;
}

/* ---- facts ---- */

/* "POST /api/v1/users/{user}/tokens vic": the route, and what its first word was. */
static ax_str
object_of(const struct ax_call *call, struct ax_ctx *ctx)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    if (call->grpc)
        return ax_str_of(ax_grpc_method(call->grpc)->name);
    size_t method = (size_t)call->route->method;
    ax_str word = call->parameters[0];
    bool told = word.len > 0 && word.len <= 128 && ax_utf8_ok(word);
    ax_str object = ax_str_printf(
        ctx->arena, "%s %s%s%.*s", method < AX_COUNT_OF(methods) ? methods[method] : "?",
        call->route->pattern, told ? " " : "", told ? (int)word.len : 0, told ? word.at : "");
    return object.at ? object : AX_STR("?");
}

static ax_status
note(const struct ax_call *call, struct ax_ctx *ctx, enum ax_event_kind kind,
     enum ax_permission permission)
{
    ax_writer_auto struct ax_writer body = ax_writer_of(BODY_BYTES_MAX);
    if (!call->services->ledger)
        return AX_OK;
    ax_cbor_put_map(&body, 1);
    ax_cbor_put_u64(&body, 1);
    ax_cbor_put_text(&body, ax_str_of(ax_policy_words(permission)));
    struct ax_event event = {
        .kind = kind,
        .producer = AX_STR("access"),
        .actor = call->actor.id,
        .actor_roles = call->actor.roles,
        .object = object_of(call, ctx),
        .build_id = call->services->build_id,
        .body = ax_writer_str(&body),
    };
    memcpy(event.actor_cert.bytes, call->actor.credential, sizeof event.actor_cert.bytes);
    if (body.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a fact");
    return ax_ledger_queue(call->services->ledger, ctx, &event, AX_STR(""));
}

/* The refusal stands whatever becomes of its fact. */
static void
note_denied(struct ax_access *access, struct ax_call *call, struct ax_ctx *ctx,
            enum ax_permission permission)
{
    char words[AX_ERROR_BYTES_MAX];
    memcpy(words, ctx->error, sizeof words);
    if (ax_attempts_failed(access->denials, ax_map_hash(call->actor.id)))
        ax_ignore(note(call, ctx, AX_EVENT_ACCESS_DENIED, permission), "the refusal is told");
    memcpy(ctx->error, words, sizeof words);
}

/* ---- may they ---- */

int
ax_access_model_parameter(const char *pattern)
{
    static const ax_str names[] = {{"{model}", 7}, {"{deployment}", 12}};
    ax_str rest = ax_str_of(pattern), part;
    int index = 0;
    while (ax_str_cut(&rest, '/', &part)) {
        for (size_t i = 0; i < AX_COUNT_OF(names); i++)
            if (ax_str_eq(part, names[i]))
                return index;
        index += ax_str_starts(part, AX_STR("{"));
    }
    return -1;
}

/* "model:predict" names the model before its verb. */
static ax_str
model_of(const struct ax_call *call, int parameter)
{
    ax_str word = call->parameters[parameter], name = word;
    if (call->table->dialect == AX_DIALECT_TFSERVING)
        (void)ax_str_cut(&word, ':', &name);
    return name;
}

static ax_status
check_models(struct ax_call *call, struct ax_ctx *ctx, enum ax_permission permission)
{
    enum ax_grant_level level = ax_policy_level(permission);
    AX_ASSERT(call->grpc || (call->table && call->route));
    if (call->grpc ? level < AX_GRANT_MANAGE : call->table->permit != NULL)
        return AX_OK; /* its handlers ask, once they know the name */
    if (call->grpc)
        return ax_fail(ctx, AX_DENIED, "%.*s is limited to some models, and may not %s",
                       AX_FMT(call->actor.id), ax_policy_words(permission));
    int parameter = ax_access_model_parameter(call->route->pattern);
    if (parameter >= 0)
        return ax_policy_check_model(ctx, &call->actor, model_of(call, parameter), level);
    bool asks = call->table->checks_models && level < AX_GRANT_MANAGE;
    if (asks || permission == AX_PERMISSION_KNOWN || permission == AX_PERMISSION_PROPOSE)
        return AX_OK;
    return ax_fail(ctx, AX_DENIED, "%.*s is limited to some models, and may not %s of all",
                   AX_FMT(call->actor.id), ax_policy_words(permission));
}

static ax_status
check(struct ax_call *call, struct ax_ctx *ctx, enum ax_permission permission)
{
    /* What is permitted to somebody without a role is the protocol's to say. */
    bool by_permission = call->table && call->table->permit && !call->actor.roles;
    if (!by_permission)
        AX_TRY(ax_policy_check(ctx, &call->actor, permission));
    return call->actor.limited ? check_models(call, ctx, permission) : AX_OK;
}

ax_status
ax_access_check(struct ax_access *access, struct ax_call *call, struct ax_ctx *ctx,
                enum ax_permission permission)
{
    ax_status status = check(call, ctx, permission);
    bool privileged = ax_policy_privileged(permission);
    if (status == AX_OK && privileged) {
        status = note(call, ctx, AX_EVENT_ACCESS_ALLOWED, permission);
        return status == AX_OK
                   ? AX_OK
                   : ax_explain(ctx, AX_UNAVAILABLE, "what is done here must be kept on record");
    }
    if (status == AX_DENIED && privileged)
        note_denied(access, call, ctx, permission);
    return status;
}
