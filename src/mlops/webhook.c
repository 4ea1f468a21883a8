#include "mlops/webhook.h"

#include "base/number.h"
#include "codec/text.h"
#include "mlops/webhook_secret.h"
#include "net/address.h"
#include "sys/clock.h"
#include "sys/crypto.h"

#define PROMPT_TAG  "mlflow.prompt.is_prompt"
#define PROMPT_TYPE "mlflow.prompt.type"
#define PROMPT_TEXT "mlflow.prompt.text"
#define COLUMNS     "id, name, description, url, events, status, created_ms, updated_ms"

enum {
    NAME_CHARS_MAX = 63,
    WAITING_MAX = 10'000,
    DELIVERIES_SHOWN = 100,
    BODY_BYTES_MAX = 1 << 20
};

/* Every event there is, with what MLflow's test sends for it. */
static const struct {
    const char *entity, *action, *example;
} events[] = {
    {"registered_model", "created",
     "{\"name\":\"example_model\",\"tags\":{\"example_key\":\"example_value\"},\"description\":"
     "\"An example registered model\"}"},
    {"model_version", "created",
     "{\"name\":\"example_model\",\"version\":\"1\",\"source\":\"models:/123\",\"run_id\":"
     "\"abcd1234abcd5678\",\"tags\":{\"example_key\":\"example_value\"},\"description\":\"An "
     "example model version\"}"},
    {"model_version_tag", "set",
     "{\"name\":\"example_model\",\"version\":\"1\",\"key\":\"example_key\",\"value\":"
     "\"example_value\"}"},
    {"model_version_tag", "deleted",
     "{\"name\":\"example_model\",\"version\":\"1\",\"key\":\"example_key\"}"},
    {"model_version_alias", "created",
     "{\"name\":\"example_model\",\"alias\":\"example_alias\",\"version\":\"1\"}"},
    {"model_version_alias", "deleted", "{\"name\":\"example_model\",\"alias\":\"example_alias\"}"},
    {"prompt", "created",
     "{\"name\":\"example_prompt\",\"tags\":{\"example_key\":\"example_value\"},\"description\":"
     "\"An example prompt\"}"},
    {"prompt_version", "created",
     "{\"name\":\"example_prompt\",\"version\":\"1\",\"template\":\"Hello {{name}}!\",\"tags\":{"
     "\"example_key\":\"example_value\"},\"description\":\"An example prompt version\"}"},
    {"prompt_tag", "set",
     "{\"name\":\"example_prompt\",\"key\":\"example_key\",\"value\":\"example_value\"}"},
    {"prompt_tag", "deleted", "{\"name\":\"example_prompt\",\"key\":\"example_key\"}"},
    {"prompt_version_tag", "set",
     "{\"name\":\"example_prompt\",\"version\":\"1\",\"key\":\"example_key\",\"value\":"
     "\"example_value\"}"},
    {"prompt_version_tag", "deleted",
     "{\"name\":\"example_prompt\",\"version\":\"1\",\"key\":\"example_key\"}"},
    {"prompt_alias", "created",
     "{\"name\":\"example_prompt\",\"alias\":\"example_alias\",\"version\":\"1\"}"},
    {"prompt_alias", "deleted", "{\"name\":\"example_prompt\",\"alias\":\"example_alias\"}"},
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for webhooks");
}

static size_t
event_index(const struct ax_webhook_event *event)
{
    size_t i = 0;
    while (i < AX_COUNT_OF(events) &&
           !(ax_str_eq_ignoring_case(event->entity, ax_str_of(events[i].entity)) &&
             ax_str_eq_ignoring_case(event->action, ax_str_of(events[i].action))))
        i++;
    return i;
}

ax_status
ax_webhook_missing(struct ax_ctx *ctx, ax_str id)
{
    return ax_fail(ctx, AX_NOT_FOUND, "Webhook with ID %.*s not found.",
                   AX_FMT(ax_experiment_cut(id, 100)));
}

ax_status
ax_webhook_new_id(struct ax_ctx *ctx, ax_str *out_id)
{
    uint8_t bytes[16];
    char text[37];
    size_t at = 0;
    ax_random_bytes(bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4, RFC 9562 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = "0123456789abcdef"[bytes[i] >> 4];
        text[at++] = "0123456789abcdef"[bytes[i] & 15];
    }
    return ax_str_copy(ctx->arena, (ax_str){text, at}, out_id) ? AX_OK : no_memory(ctx);
}

/* ---- checking ---- */

static bool
letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static ax_status
check_name(struct ax_ctx *ctx, ax_str name)
{
    bool fine = name.len > 0 && name.len <= NAME_CHARS_MAX && letter_or_digit(name.at[0]) &&
                letter_or_digit(name.at[name.len - 1]);
    for (size_t i = 0; fine && i < name.len; i++)
        fine = letter_or_digit(name.at[i]) || strchr("._-", name.at[i]);
    return fine ? AX_OK
                : ax_fail(ctx, AX_INVALID,
                          "Webhook name '%.*s' is invalid. It must start and end with a letter or "
                          "digit, be less than 63 characters long, and contain only letters, "
                          "digits, dots (.), underscores (_), and hyphens (-).",
                          AX_FMT(ax_experiment_cut(name, 100)));
}

ax_status
ax_webhook_check_url(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str url)
{
    ax_str scheme, host = ax_address_host(url, &scheme), shown = ax_experiment_cut(url, 200);
    if (ax_str_trim(url).len == 0)
        return ax_fail(ctx, AX_INVALID, "Webhook URL cannot be empty or just whitespace: '%.*s'",
                       AX_FMT(shown));
    if (!ax_str_eq(scheme, AX_STR("https")) &&
        !(config->allow_http && ax_str_eq(scheme, AX_STR("http"))))
        return ax_fail(ctx, AX_INVALID,
                       "Invalid webhook URL scheme: '%.*s'. Allowed schemes are: %s.",
                       AX_FMT(ax_experiment_cut(scheme, 50)),
                       config->allow_http ? "'http', 'https'" : "'https'");
    if (host.len == 0)
        return ax_fail(ctx, AX_INVALID,
                       "Webhook URL must include a hostname and no embedded credentials: '%.*s'",
                       AX_FMT(shown));
    if (!config->allow_private && !ax_address_host_may_be_public(host))
        return ax_fail(ctx, AX_INVALID,
                       "Webhook URL must not resolve to a non-public IP address. '%.*s' does "
                       "(webhooks.allow_private)",
                       AX_FMT(ax_experiment_cut(host, 100)));
    return AX_OK;
}

/* ",model_version.created,prompt.created," */
static ax_status
write_events(struct ax_ctx *ctx, const struct ax_webhook_change *change, ax_str *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(64 << 10);
    if (change->event_count == 0)
        return ax_fail(ctx, AX_INVALID,
                       "Webhook events must be a non-empty list of WebhookEvent objects: [].");
    ax_writer_char(&text, ',');
    for (size_t i = 0; i < change->event_count; i++) {
        size_t at = event_index(&change->events[i]);
        if (at == AX_COUNT_OF(events))
            return ax_fail(ctx, AX_INVALID,
                           "Invalid action '%.*s' for entity '%.*s': there is no such event here",
                           AX_FMT(ax_experiment_cut(change->events[i].action, 50)),
                           AX_FMT(ax_experiment_cut(change->events[i].entity, 50)));
        ax_writer_print(&text, "%s.%s,", events[at].entity, events[at].action);
    }
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK : no_memory(ctx);
}

static ax_status
check_status(struct ax_ctx *ctx, ax_str status)
{
    if (ax_str_eq(status, AX_STR("ACTIVE")) || ax_str_eq(status, AX_STR("DISABLED")))
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "Webhook status must be ACTIVE or DISABLED, not '%.*s'",
                   AX_FMT(ax_experiment_cut(status, 50)));
}

/* ---- showing ---- */

/* As protobuf's names of its enumerations: MODEL_VERSION. */
static void
put_upper(struct ax_json_writer *out, const char *key, ax_str word)
{
    char upper[64] = "";
    for (size_t i = 0; i < word.len && i + 1 < sizeof upper; i++)
        upper[i] = word.at[i] >= 'a' && word.at[i] <= 'z' ? (char)(word.at[i] - 32) : word.at[i];
    ax_json_member_text(out, key, ax_str_of(upper));
}

static void
show_events(ax_str text, struct ax_json_writer *out)
{
    ax_str rest = text, event;
    ax_json_key(out, "events");
    ax_json_begin_array(out);
    while (ax_str_cut(&rest, ',', &event)) {
        ax_str action = event, entity;
        if (event.len == 0 || !ax_str_cut(&action, '.', &entity))
            continue;
        ax_json_begin_object(out);
        put_upper(out, "entity", entity);
        put_upper(out, "action", action);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
}

static void
show_row(struct ax_store_rows *rows, struct ax_json_writer *out)
{
    ax_str description = ax_store_read_text(rows, 2);
    ax_json_begin_object(out);
    ax_json_member_text(out, "webhook_id", ax_store_read_text(rows, 0));
    ax_json_member_text(out, "name", ax_store_read_text(rows, 1));
    if (description.len)
        ax_json_member_text(out, "description", description);
    ax_json_member_text(out, "url", ax_store_read_text(rows, 3));
    show_events(ax_store_read_text(rows, 4), out);
    ax_json_member_text(out, "status", ax_store_read_text(rows, 5));
    ax_json_member_i64(out, "creation_timestamp", ax_store_read_i64(rows, 6));
    ax_json_member_i64(out, "last_updated_timestamp", ax_store_read_i64(rows, 7));
    ax_json_end_object(out);
}

static ax_status
show(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(
        tx, ctx, AX_STR("select " COLUMNS " from webhooks where id = $1 and deleted_ms is null"),
        AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    if (found)
        show_row(rows, out);
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK : ax_webhook_missing(ctx, id);
}

ax_status
ax_webhook_show(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id,
                struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_READ, &tx));
    return show(tx, ctx, id, out);
}

/* Where a page begins: the number that the page before gave. */
static ax_status
read_token(struct ax_ctx *ctx, ax_str token, int64_t *out_offset)
{
    *out_offset = 0;
    if (token.len == 0 || (ax_parse_i64(token, out_offset) && *out_offset >= 0))
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "Invalid page token, could not base64-decode");
}

ax_status
ax_webhooks_list(const struct ax_webhooks_config *config, struct ax_ctx *ctx, int64_t results_max,
                 ax_str page_token, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    int64_t offset, count = 0;
    char digits[AX_NUMBER_BYTES_MAX];
    if (results_max < 1 || results_max > AX_WEBHOOK_RESULTS_MAX)
        return ax_fail(ctx, AX_INVALID, "max_results must be between 1 and 1000.");
    AX_TRY(read_token(ctx, page_token, &offset));
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select " COLUMNS " from webhooks where deleted_ms is null "
                                 "order by created_ms desc, id limit $1 offset $2"),
                          AX_STORE_PARAMS(ax_store_i64(results_max + 1), ax_store_i64(offset)),
                          &rows));
    ax_json_key(out, "webhooks");
    ax_json_begin_array(out);
    while (ax_store_next(rows) && count++ < results_max)
        show_row(rows, out);
    ax_json_end_array(out);
    if (count > results_max)
        ax_json_member_text(out, "next_page_token",
                            (ax_str){digits, ax_format_i64(offset + results_max, digits)});
    return ax_store_finish(rows);
}

ax_status
ax_webhook_show_deliveries(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id,
                           struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select delivery_id, event, state, attempts, created_ms, due_ms, done_ms, answer, "
               "error from webhook_deliveries where webhook_id = $1 order by id desc limit $2"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_i64(DELIVERIES_SHOWN)), &rows));
    ax_json_key(out, "deliveries");
    ax_json_begin_array(out);
    while (ax_store_next(rows)) {
        ax_json_begin_object(out);
        ax_json_member_text(out, "delivery_id", ax_store_read_text(rows, 0));
        ax_json_member_text(out, "event", ax_store_read_text(rows, 1));
        ax_json_member_text(out, "state", ax_store_read_text(rows, 2));
        ax_json_member_i64(out, "attempts", ax_store_read_i64(rows, 3));
        ax_json_member_i64(out, "creation_timestamp", ax_store_read_i64(rows, 4));
        ax_json_member_i64(out, "due_timestamp", ax_store_read_i64(rows, 5));
        if (!ax_store_is_null(rows, 6))
            ax_json_member_i64(out, "done_timestamp", ax_store_read_i64(rows, 6));
        ax_json_member_i64(out, "response_status", ax_store_read_i64(rows, 7));
        ax_json_member_text(out, "error", ax_store_read_text(rows, 8));
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    return ax_store_finish(rows);
}

/* ---- changing ---- */

ax_status
ax_webhook_create(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                  const struct ax_webhook_change *made, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_str id, list, sealed, status = made->status.at ? made->status : AX_STR("ACTIVE");
    AX_TRY(check_name(ctx, made->name));
    AX_TRY(ax_webhook_check_url(config, ctx, made->url));
    AX_TRY(write_events(ctx, made, &list));
    AX_TRY(check_status(ctx, status));
    AX_TRY(ax_webhook_new_id(ctx, &id));
    AX_TRY(ax_webhook_secret_seal(config, ctx, id, made->secret, &sealed));
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into webhooks (id, name, description, url, secret, sealed, status, events, "
               "created_ms, updated_ms) values ($1, $2, $3, $4, '', $5, $6, $7, $8, $8)"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(made->name),
                        ax_store_text(made->description.at ? made->description : AX_STR("")),
                        ax_store_text(made->url), ax_store_text(sealed), ax_store_text(status),
                        ax_store_text(list), ax_store_i64(ax_clock_real_ms())),
        NULL));
    AX_TRY(show(tx, ctx, id, out));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_webhook_update(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id,
                  const struct ax_webhook_change *change, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_str list = {}, sealed = {};
    if (change->name.at)
        AX_TRY(check_name(ctx, change->name));
    if (change->url.at)
        AX_TRY(ax_webhook_check_url(config, ctx, change->url));
    if (change->event_count)
        AX_TRY(write_events(ctx, change, &list));
    if (change->status.at)
        AX_TRY(check_status(ctx, change->status));
    if (change->secret.at)
        AX_TRY(ax_webhook_secret_seal(config, ctx, id, change->secret, &sealed));
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("update webhooks set name = coalesce($2, name), description = coalesce($3, "
               "description), url = coalesce($4, url), sealed = coalesce($5, sealed), status = "
               "coalesce($6, status), events = coalesce($7, events), updated_ms = $8 where id = "
               "$1 and deleted_ms is null"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_text_or_null(change->name),
                        ax_store_text_or_null(change->description),
                        ax_store_text_or_null(change->url), ax_store_text_or_null(sealed),
                        ax_store_text_or_null(change->status), ax_store_text_or_null(list),
                        ax_store_i64(ax_clock_real_ms())),
        NULL));
    AX_TRY(show(tx, ctx, id, out));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_webhook_delete(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t changed;
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("update webhooks set deleted_ms = $2, updated_ms = $2, sealed = '' "
                               "where id = $1 and deleted_ms is null"),
                        AX_STORE_PARAMS(ax_store_text(id), ax_store_i64(ax_clock_real_ms())),
                        &changed));
    return changed ? ax_store_commit(ax_take(tx), ctx) : ax_webhook_missing(ctx, id);
}

/* ---- events ---- */

static void
begin_body(struct ax_json_writer *json, const char *entity, const char *action)
{
    char time[AX_CLOCK_TEXT_BYTES];
    ax_json_begin_object(json);
    ax_json_member_text(json, "entity", ax_str_of(entity));
    ax_json_member_text(json, "action", ax_str_of(action));
    ax_json_member_text(json, "timestamp", ax_clock_format(ax_clock_real_ns(), time));
    ax_json_key(json, "data");
}

ax_status
ax_webhook_example(struct ax_ctx *ctx, const struct ax_webhook_event *event, ax_str *out_body)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(BODY_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    size_t at = event_index(event);
    if (at == AX_COUNT_OF(events))
        return ax_fail(ctx, AX_INVALID, "Unknown event type: %.*s.%.*s",
                       AX_FMT(ax_experiment_cut(event->entity, 50)),
                       AX_FMT(ax_experiment_cut(event->action, 50)));
    begin_body(&json, events[at].entity, events[at].action);
    ax_json_put_raw(&json, ax_str_of(events[at].example));
    ax_json_end_object(&json);
    return ax_writer_take(&text, ctx->arena, out_body) == AX_OK ? AX_OK : no_memory(ctx);
}

static const char *
entity_of(enum ax_webhook_about about, bool prompt)
{
    static const char *const names[][2] = {
        [AX_WEBHOOK_MODEL] = {"registered_model", "prompt"},
        [AX_WEBHOOK_VERSION] = {"model_version", "prompt_version"},
        [AX_WEBHOOK_MODEL_TAG] = {"", "prompt_tag"}, /* MLflow has no event of a model's tags */
        [AX_WEBHOOK_VERSION_TAG] = {"model_version_tag", "prompt_version_tag"},
        [AX_WEBHOOK_VERSION_ALIAS] = {"model_version_alias", "prompt_alias"},
    };
    return names[about][prompt];
}

static void
put_text_or_null(struct ax_json_writer *json, const char *key, ax_str text)
{
    ax_json_key(json, key);
    if (text.len)
        ax_json_put_text(json, text);
    else
        ax_json_put_null(json);
}

/* The tags as an object; those that say what a prompt is are left out of its own. */
static void
put_tags(struct ax_json_writer *json, const struct ax_experiment_pairs *tags, bool prompt)
{
    ax_json_key(json, "tags");
    ax_json_begin_object(json);
    for (size_t i = 0; tags && i < tags->count; i++) {
        ax_str key = tags->items[i].key;
        bool own = ax_str_eq(key, AX_STR(PROMPT_TAG)) || ax_str_eq(key, AX_STR(PROMPT_TYPE)) ||
                   ax_str_eq(key, AX_STR(PROMPT_TEXT));
        if (prompt && own)
            continue;
        ax_json_key_str(json, key);
        ax_json_put_text(json, tags->items[i].value);
    }
    ax_json_end_object(json);
}

static ax_str
template_of(const struct ax_experiment_pairs *tags)
{
    for (size_t i = 0; tags && i < tags->count; i++)
        if (ax_str_eq(tags->items[i].key, AX_STR(PROMPT_TEXT)))
            return tags->items[i].value;
    return AX_STR("");
}

static void
put_data(struct ax_json_writer *json, const struct ax_webhook_fact *fact, bool prompt)
{
    char digits[AX_NUMBER_BYTES_MAX];
    bool alias = fact->about == AX_WEBHOOK_VERSION_ALIAS;
    bool created = fact->about == AX_WEBHOOK_MODEL || fact->about == AX_WEBHOOK_VERSION;
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", fact->model);
    if (alias)
        ax_json_member_text(json, "alias", fact->tag.key);
    if (fact->version)
        ax_json_member_text(json, "version",
                            (ax_str){digits, ax_format_i64(fact->version, digits)});
    if (fact->about == AX_WEBHOOK_VERSION && prompt)
        put_text_or_null(json, "template", template_of(fact->tags));
    if (fact->about == AX_WEBHOOK_VERSION && !prompt) {
        ax_json_member_text(json, "source", fact->source);
        put_text_or_null(json, "run_id", fact->run_id);
    }
    if (created) {
        put_tags(json, fact->tags, prompt);
        put_text_or_null(json, "description", fact->description);
    } else if (!alias) {
        ax_json_member_text(json, "key", fact->tag.key);
        if (ax_str_eq(ax_str_of(fact->action), AX_STR("set")))
            ax_json_member_text(json, "value", fact->tag.value);
    }
    ax_json_end_object(json);
}

/* One row for each webhook that asked for the event and has not too many that wait. */
static ax_status
insert_deliveries(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str event, ax_str body)
{
    ax_str id, like = ax_str_printf(ctx->arena, "%%,%.*s,%%", AX_FMT(event));
    AX_TRY(ax_webhook_new_id(ctx, &id));
    if (!like.at)
        return no_memory(ctx);
    return ax_store_run(
        tx, ctx,
        AX_STR("insert into webhook_deliveries (webhook_id, delivery_id, event, body, state, "
               "attempts, due_ms, created_ms, answer, error) select w.id, $1, $2, $3, 'waiting', "
               "0, $4, $4, 0, '' from webhooks w where w.status = 'ACTIVE' and w.deleted_ms is "
               "null and w.events like $5 and (select count(*) from webhook_deliveries d where "
               "d.webhook_id = w.id and d.state = 'waiting') < $6"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(event), ax_store_text(body),
                        ax_store_i64(ax_clock_real_ms()), ax_store_text(like),
                        ax_store_i64(WAITING_MAX)),
        NULL);
}

ax_status
ax_webhook_note(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_webhook_fact *fact)
{
    int64_t count, prompt;
    AX_TRY(ax_store_get_i64(
        tx, ctx,
        AX_STR("select count(*) from webhooks where status = 'ACTIVE' and deleted_ms is null"),
        AX_STORE_NO_PARAMS, &count));
    if (count == 0)
        return AX_OK;
    AX_TRY(ax_store_get_i64(tx, ctx,
                            AX_STR("select count(*) from model_tags where model = $1 and key = "
                                   "'" PROMPT_TAG "' and value = 'true'"),
                            AX_STORE_PARAMS(ax_store_text(fact->model)), &prompt));
    const char *entity = entity_of(fact->about, prompt > 0);
    if (!*entity)
        return AX_OK;
    ax_writer_auto struct ax_writer text = ax_writer_of(BODY_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    begin_body(&json, entity, fact->action);
    put_data(&json, fact, prompt > 0);
    ax_json_end_object(&json);
    ax_str event = ax_str_printf(ctx->arena, "%s.%s", entity, fact->action);
    if (text.status != AX_OK || !event.at)
        return no_memory(ctx);
    return insert_deliveries(tx, ctx, event, ax_writer_str(&text));
}
