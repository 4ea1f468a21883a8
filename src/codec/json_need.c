/* The members of an object that a caller needs or may have, and the words when they are not so. */
#include <math.h>

#include "base/number.h"
#include "codec/json.h"

static ax_status
fail_kind(struct ax_ctx *ctx, const char *key, const char *want, const struct ax_json *value)
{
    return ax_fail(ctx, AX_INVALID, "`%s` must be %s, not %s", key, want,
                   ax_json_kind_name(ax_json_kind(value)));
}

/* The member, which must be there. */
static ax_status
need(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
     const struct ax_json **out_value)
{
    enum ax_json_kind kind = ax_json_kind(object);
    if (kind != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "an object with `%s` was expected, not %s", key,
                       ax_json_kind_name(kind));
    *out_value = ax_json_find(object, key);
    return *out_value ? AX_OK : ax_fail(ctx, AX_INVALID, "`%s` is missing", key);
}

/* The member, or NULL when it is absent or null. */
static const struct ax_json *
may(const struct ax_json *object, const char *key)
{
    const struct ax_json *value = ax_json_find(object, key);
    return value && ax_json_kind(value) != AX_JSON_NULL ? value : NULL;
}

static ax_status
take_text(struct ax_ctx *ctx, const struct ax_json *value, const char *key, ax_str *out)
{
    return ax_json_text(value, out) ? AX_OK : fail_kind(ctx, key, "a string", value);
}

static ax_status
take_f64(struct ax_ctx *ctx, const struct ax_json *value, const char *key, double *out)
{
    return ax_json_f64(value, out) ? AX_OK : fail_kind(ctx, key, "a number", value);
}

static ax_status
take_i64(struct ax_ctx *ctx, const struct ax_json *value, const char *key, int64_t *out)
{
    double wide;
    if (ax_json_i64(value, out))
        return AX_OK;
    if (!ax_json_f64(value, &wide))
        return fail_kind(ctx, key, "a whole number", value);
    char text[AX_NUMBER_BYTES_MAX];
    ax_format_f64(wide, text);
    if (wide != trunc(wide))
        return ax_fail(ctx, AX_INVALID, "`%s` must be a whole number, not %s", key, text);
    return ax_fail(ctx, AX_INVALID, "`%s` must be a whole number of 64 bits, %s is beyond", key,
                   text);
}

static ax_status
take_bool(struct ax_ctx *ctx, const struct ax_json *value, const char *key, bool *out)
{
    return ax_json_bool(value, out) ? AX_OK : fail_kind(ctx, key, "true or false", value);
}

ax_status
ax_json_need_text(struct ax_ctx *ctx, const struct ax_json *object, const char *key, ax_str *out)
{
    const struct ax_json *value;
    AX_TRY(need(ctx, object, key, &value));
    return take_text(ctx, value, key, out);
}

ax_status
ax_json_need_f64(struct ax_ctx *ctx, const struct ax_json *object, const char *key, double *out)
{
    const struct ax_json *value;
    AX_TRY(need(ctx, object, key, &value));
    return take_f64(ctx, value, key, out);
}

ax_status
ax_json_need_i64(struct ax_ctx *ctx, const struct ax_json *object, const char *key, int64_t *out)
{
    const struct ax_json *value;
    AX_TRY(need(ctx, object, key, &value));
    return take_i64(ctx, value, key, out);
}

ax_status
ax_json_need_bool(struct ax_ctx *ctx, const struct ax_json *object, const char *key, bool *out)
{
    const struct ax_json *value;
    AX_TRY(need(ctx, object, key, &value));
    return take_bool(ctx, value, key, out);
}

static ax_status
need_kind(struct ax_ctx *ctx, const struct ax_json *object, const char *key, enum ax_json_kind kind,
          const struct ax_json **out)
{
    const struct ax_json *value;
    AX_TRY(need(ctx, object, key, &value));
    if (ax_json_kind(value) != kind)
        return fail_kind(ctx, key, ax_json_kind_name(kind), value);
    *out = value;
    return AX_OK;
}

ax_status
ax_json_need_array(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                   const struct ax_json **out)
{
    return need_kind(ctx, object, key, AX_JSON_ARRAY, out);
}

ax_status
ax_json_need_object(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                    const struct ax_json **out)
{
    return need_kind(ctx, object, key, AX_JSON_OBJECT, out);
}

ax_status
ax_json_may_text(struct ax_ctx *ctx, const struct ax_json *object, const char *key, ax_str *out)
{
    const struct ax_json *value = may(object, key);
    return value ? take_text(ctx, value, key, out) : AX_OK;
}

ax_status
ax_json_may_f64(struct ax_ctx *ctx, const struct ax_json *object, const char *key, double *out)
{
    const struct ax_json *value = may(object, key);
    return value ? take_f64(ctx, value, key, out) : AX_OK;
}

ax_status
ax_json_may_i64(struct ax_ctx *ctx, const struct ax_json *object, const char *key, int64_t *out)
{
    const struct ax_json *value = may(object, key);
    return value ? take_i64(ctx, value, key, out) : AX_OK;
}

ax_status
ax_json_may_bool(struct ax_ctx *ctx, const struct ax_json *object, const char *key, bool *out)
{
    const struct ax_json *value = may(object, key);
    return value ? take_bool(ctx, value, key, out) : AX_OK;
}
