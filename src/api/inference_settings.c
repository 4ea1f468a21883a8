#include "api/inference_settings.h"

#include <math.h>

#include "base/number.h"
#include "sys/log.h"

enum { VALUES_MAX = 8 };

/* ---- logging ---- */

static const char *const log_names[AX_INFERENCE_LOG_COUNT] = {
    [AX_LOG_DEBUG] = "log_verbose_level",
    [AX_LOG_INFO] = "log_info",
    [AX_LOG_WARN] = "log_warning",
    [AX_LOG_ERROR] = "log_error",
};

ax_status
ax_inference_log_take(struct ax_ctx *ctx, const struct ax_inference_setting *setting,
                      struct ax_inference_log_change *change)
{
    if (ax_str_eq(setting->name, AX_STR("log_file")))
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "log file location can not be updated through network protocol");
    if (ax_str_eq(setting->name, AX_STR("log_format"))) {
        if (setting->kind == AX_SETTING_IS_TEXT && ax_str_eq(setting->text, AX_STR("ISO8601")))
            return AX_OK;
        return ax_fail(ctx, AX_UNSUPPORTED, "'log_format' is \"ISO8601\" and stays so");
    }
    for (int level = 0; level < AX_INFERENCE_LOG_COUNT; level++) {
        bool verbose = level == AX_LOG_DEBUG;
        if (!ax_str_eq(setting->name, ax_str_of(log_names[level])))
            continue;
        if (setting->kind != (verbose ? AX_SETTING_IS_NUMBER : AX_SETTING_IS_BOOL))
            return ax_fail(ctx, AX_INVALID, "'%s' must be %s", log_names[level],
                           verbose ? "a whole number from 0" : "true or false");
        change->set[level] = true;
        change->on[level] = verbose ? setting->number > 0 : setting->on;
        return AX_OK;
    }
    return ax_fail(ctx, AX_INVALID, "unknown log setting '%.*s'", AX_FMT(setting->name));
}

ax_status
ax_inference_log_read(struct ax_ctx *ctx, const struct ax_json *body,
                      struct ax_inference_log_change *out_change)
{
    struct ax_json_iter it = ax_json_iter_of(body);
    *out_change = (struct ax_inference_log_change){};
    while (body && ax_json_next(&it)) {
        struct ax_inference_setting setting = {.name = it.key, .kind = AX_SETTING_IS_TEXT};
        if (ax_json_bool(it.value, &setting.on))
            setting.kind = AX_SETTING_IS_BOOL;
        else if (ax_json_u64(it.value, &setting.number))
            setting.kind = AX_SETTING_IS_NUMBER;
        else if (!ax_json_text(it.value, &setting.text))
            setting.text = AX_STR("");
        AX_TRY(ax_inference_log_take(ctx, &setting, out_change));
    }
    return AX_OK;
}

void
ax_inference_log_apply(const struct ax_inference_log_change *change)
{
    unsigned levels = ax_log_levels();
    for (int level = 0; level < AX_INFERENCE_LOG_COUNT; level++)
        if (change->set[level])
            levels = (levels & ~(1U << level)) | (unsigned)change->on[level] << level;
    ax_log_levels_set(levels);
}

void
ax_inference_log_show(struct ax_json_writer *json)
{
    unsigned levels = ax_log_levels();
    ax_json_begin_object(json);
    ax_json_member_text(json, "log_file", AX_STR(""));
    for (int level = AX_LOG_INFO; level < AX_INFERENCE_LOG_COUNT; level++)
        ax_json_member_bool(json, log_names[level], levels >> level & 1);
    ax_json_member_i64(json, log_names[AX_LOG_DEBUG], levels >> AX_LOG_DEBUG & 1);
    ax_json_member_text(json, "log_format", AX_STR("ISO8601"));
    ax_json_end_object(json);
}

/* ---- traces ---- */

static ax_status
take_level(struct ax_ctx *ctx, const ax_str *values, size_t count, struct ax_tracer_rule *rule)
{
    for (size_t i = 0; i < count; i++) {
        if (ax_str_eq(values[i], AX_STR("TENSORS")))
            return ax_fail(ctx, AX_UNSUPPORTED,
                           "trace_level TENSORS is not supported: traces never hold features");
        rule->on = ax_str_eq(values[i], AX_STR("TIMESTAMPS"));
        if (!rule->on && (!ax_str_eq(values[i], AX_STR("OFF")) || count > 1))
            return ax_fail(ctx, AX_INVALID, "trace_level must be OFF or TIMESTAMPS, not '%.*s'%s",
                           AX_FMT(values[i]), count > 1 ? " among others" : "");
    }
    return AX_OK;
}

static ax_status
take_number(struct ax_ctx *ctx, const char *name, ax_str text, int64_t min, int64_t *out_number)
{
    if (ax_parse_i64(text, out_number) && *out_number >= min)
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "%s must be a whole number from %lld, not '%.*s'", name,
                   (long long)min, AX_FMT(text));
}

ax_status
ax_inference_trace_take(struct ax_ctx *ctx, ax_str name, const ax_str *values, size_t count,
                        struct ax_tracer_change *change)
{
    static const char *const names[] = {"trace_level", "trace_rate", "trace_count",
                                        "log_frequency"};
    size_t at = 0;
    int64_t rate;
    if (ax_str_eq(name, AX_STR("trace_file")))
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "trace file location can not be updated through network protocol");
    while (at < AX_COUNT_OF(names) && !ax_str_eq(name, ax_str_of(names[at])))
        at++;
    if (at == AX_COUNT_OF(names))
        return ax_fail(ctx, AX_INVALID, "unknown trace setting '%.*s'", AX_FMT(name));
    if (count == 0) {
        change->cleared |= 1U << at;
        return AX_OK;
    }
    change->set |= 1U << at;
    if (1U << at == AX_TRACER_ON)
        return take_level(ctx, values, count, &change->rule);
    if (count > 1)
        return ax_fail(ctx, AX_INVALID, "%s has one value, not %zu", names[at], count);
    if (1U << at == AX_TRACER_COUNT)
        return take_number(ctx, names[at], values[0], -1, &change->rule.count);
    if (1U << at == AX_TRACER_FREQUENCY)
        return take_number(ctx, names[at], values[0], 0, &change->rule.log_frequency);
    AX_TRY(take_number(ctx, names[at], values[0], 1, &rate));
    change->rule.ratio = 1.0 / (double)rate;
    return AX_OK;
}

/* A member's value: a text, a list of texts, or null. */
static ax_status
values_of(struct ax_ctx *ctx, ax_str name, const struct ax_json *value, ax_str *values,
          size_t *out_count)
{
    size_t count = 0;
    bool sound = true;
    if (ax_json_kind(value) == AX_JSON_ARRAY) {
        struct ax_json_iter it = ax_json_iter_of(value);
        while (ax_json_next(&it) && sound)
            sound = count < VALUES_MAX && ax_json_text(it.value, &values[count++]);
        sound = sound && count > 0;
    } else if (ax_json_kind(value) != AX_JSON_NULL) {
        sound = ax_json_text(value, &values[count++]);
    }
    *out_count = count;
    return sound ? AX_OK
                 : ax_fail(ctx, AX_INVALID, "'%.*s' must be a string or an array of strings",
                           AX_FMT(name));
}

ax_status
ax_inference_trace_read(struct ax_ctx *ctx, const struct ax_json *body,
                        struct ax_tracer_change *change)
{
    struct ax_json_iter it = ax_json_iter_of(body);
    while (body && ax_json_next(&it)) {
        ax_str values[VALUES_MAX];
        size_t count;
        AX_TRY(values_of(ctx, it.key, it.value, values, &count));
        AX_TRY(ax_inference_trace_take(ctx, it.key, values, count, change));
    }
    return AX_OK;
}

ax_status
ax_inference_trace_apply(struct ax_ctx *ctx, struct ax_tracer *tracer,
                         const struct ax_tracer_change *change)
{
    bool turns_off = change->set == AX_TRACER_ON && !change->rule.on;
    if ((change->set | change->cleared) == 0)
        return AX_OK;
    if (tracer)
        return ax_tracer_change(tracer, ctx, change);
    return turns_off ? AX_OK
                     : ax_fail(ctx, AX_UNAVAILABLE,
                               "nothing can be traced: the setting tracing.endpoint names no "
                               "collector");
}

void
ax_inference_trace_each(struct ax_tracer *tracer, ax_str model,
                        void (*show)(void *arg, const char *name, ax_str value), void *arg)
{
    struct ax_tracer_rule rule = {.ratio = 0.001, .count = -1};
    if (tracer)
        rule = ax_tracer_rule_of(tracer, model);
    char text[AX_NUMBER_BYTES_MAX];
    int64_t rate = rule.ratio > 0 ? llround(1.0 / rule.ratio) : 0;
    show(arg, "trace_level", rule.on ? AX_STR("TIMESTAMPS") : AX_STR("OFF"));
    show(arg, "trace_rate", (ax_str){text, ax_format_i64(rate, text)});
    show(arg, "trace_count", (ax_str){text, ax_format_i64(rule.count, text)});
    show(arg, "log_frequency", (ax_str){text, ax_format_i64(rule.log_frequency, text)});
    show(arg, "trace_file", AX_STR(""));
    show(arg, "trace_mode", AX_STR("opentelemetry"));
}

static void
show_member(void *arg, const char *name, ax_str value)
{
    struct ax_json_writer *json = arg;
    bool list = strcmp(name, "trace_level") == 0;
    ax_json_key(json, name);
    if (list)
        ax_json_begin_array(json);
    ax_json_put_text(json, value);
    if (list)
        ax_json_end_array(json);
}

void
ax_inference_trace_show(struct ax_tracer *tracer, ax_str model, struct ax_json_writer *json)
{
    ax_json_begin_object(json);
    ax_inference_trace_each(tracer, model, show_member, json);
    ax_json_end_object(json);
}
