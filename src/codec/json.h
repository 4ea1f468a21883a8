/*
 * JSON (RFC 8259), strictly: yyjson behind our types. Text to a read-only tree, and a writer.
 *
 * Refused: a byte order mark, comments, trailing commas or text, NaN and Infinity (unless asked
 * for), bad UTF-8, lone surrogates, numbers that overflow a double, duplicate keys of one object,
 * nesting beyond the limit. The tree lives in ctx->arena; strings in it are slices.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"

struct ax_json; /* one value of a tree */

enum ax_json_kind {
    AX_JSON_NULL,
    AX_JSON_BOOL,
    AX_JSON_NUMBER,
    AX_JSON_TEXT,
    AX_JSON_ARRAY,
    AX_JSON_OBJECT,
};

struct ax_json_limits {
    int depth_max;       /* 0: 32 */
    bool raw_numbers;    /* keep numbers as their text: for files whose floats are rounded once */
    bool special_floats; /* accept bare NaN, Infinity, -Infinity (raw_numbers only) */
    bool duplicate_keys; /* accept them, the last one counts: for foreign files that have them */
};

/* limits: NULL for the strict defaults. Fails: INVALID with the byte offset; LIMIT. */
ax_status ax_json_parse(struct ax_ctx *ctx, ax_str text, const struct ax_json_limits *limits,
                        const struct ax_json **out_json);

enum ax_json_kind ax_json_kind(const struct ax_json *json);
const char *ax_json_kind_name(enum ax_json_kind kind); /* "a number", "an object", ... */

/* Readers of one value: false when json is NULL or of another kind; *out is untouched then. */
[[nodiscard]] bool ax_json_text(const struct ax_json *json, ax_str *out);
[[nodiscard]] bool ax_json_bool(const struct ax_json *json, bool *out);
[[nodiscard]] bool ax_json_f64(const struct ax_json *json, double *out);
[[nodiscard]] bool ax_json_f32(const struct ax_json *json,
                               float *out); /* rounded once with raw_numbers */
[[nodiscard]] bool ax_json_i64(const struct ax_json *json,
                               int64_t *out); /* whole numbers only: 1, not 1.5 */
[[nodiscard]] bool ax_json_u64(const struct ax_json *json, uint64_t *out);

/* Whether a number was written with a point or an exponent: 9.0, not 9. Not with raw_numbers. */
bool ax_json_is_real(const struct ax_json *json);

/* Items of an array or members of an object; 0 for anything else. */
size_t ax_json_count(const struct ax_json *json);

/* A member of an object, or NULL (also when json is NULL or no object). */
const struct ax_json *ax_json_find(const struct ax_json *json, const char *key);

/* Walks arrays and objects: struct ax_json_iter it = ax_json_iter_of(json); while (next(&it)) ...
 */
struct ax_json_iter {
    const struct ax_json *value; /* present item */
    ax_str key;                  /* of an object; "" in arrays */
    size_t index;                /* 0, 1, 2 ... */
    const struct ax_json *next_;
    size_t left_;
    bool object_;
};
struct ax_json_iter ax_json_iter_of(const struct ax_json *json);
bool ax_json_next(struct ax_json_iter *iter);

/*
 * Members that must be there. Fails: INVALID, "`amount` must be a number, not a string",
 * "`amount` is missing".
 */
ax_status ax_json_need_text(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                            ax_str *out);
ax_status ax_json_need_f64(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                           double *out);
ax_status ax_json_need_i64(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                           int64_t *out);
ax_status ax_json_need_bool(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                            bool *out);
ax_status ax_json_need_array(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                             const struct ax_json **out);
ax_status ax_json_need_object(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                              const struct ax_json **out);

/* Members that may be absent (or null): *out keeps its default then. Fails: INVALID on a wrong
 * kind. */
ax_status ax_json_may_text(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                           ax_str *out);
ax_status ax_json_may_f64(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                          double *out);
ax_status ax_json_may_i64(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                          int64_t *out);
ax_status ax_json_may_bool(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                           bool *out);

/* The value again as compact JSON text (members in their order, numbers exact). */
void ax_json_print(const struct ax_json *json, struct ax_writer *out);

/*
 * The same with members sorted by key (bytes), no white space, shortest numbers: one text for one
 * meaning. What is hashed, signed or compared as JSON is this form.
 */
ax_status ax_json_canonical(struct ax_ctx *ctx, const struct ax_json *json, ax_str *out_text);

/* ---- writing: commas and escapes are seen to; check writer->status at the end ---- */

struct ax_json_writer {
    struct ax_writer *out;
    bool comma; /* a comma is due before the next value */
};

static inline struct ax_json_writer
ax_json_writer_of(struct ax_writer *out)
{
    return (struct ax_json_writer){.out = out};
}

void ax_json_begin_object(struct ax_json_writer *json);
void ax_json_end_object(struct ax_json_writer *json);
void ax_json_begin_array(struct ax_json_writer *json);
void ax_json_end_array(struct ax_json_writer *json);
void ax_json_key(struct ax_json_writer *json, const char *key);
void ax_json_key_str(struct ax_json_writer *json, ax_str key);
void ax_json_put_text(struct ax_json_writer *json, ax_str text); /* bad UTF-8 becomes U+FFFD */
void ax_json_put_i64(struct ax_json_writer *json, int64_t value);
void ax_json_put_u64(struct ax_json_writer *json, uint64_t value);
void ax_json_put_f64(struct ax_json_writer *json, double value); /* not finite: null */
void ax_json_put_f32(struct ax_json_writer *json, float value);  /* shortest for a float */
void ax_json_put_bool(struct ax_json_writer *json, bool value);
void ax_json_put_null(struct ax_json_writer *json);
void ax_json_put_raw(struct ax_json_writer *json, ax_str text); /* a value that is JSON already */
void ax_json_put(struct ax_json_writer *json, const struct ax_json *value); /* as ax_json_print */

/* What was written elsewhere, as a text: what failed there has failed here. */
void ax_json_put_text_from(struct ax_json_writer *json, const struct ax_writer *written);

/* Key and value in one. */
void ax_json_member_text(struct ax_json_writer *json, const char *key, ax_str text);
void ax_json_member_i64(struct ax_json_writer *json, const char *key, int64_t value);
void ax_json_member_f64(struct ax_json_writer *json, const char *key, double value);
void ax_json_member_bool(struct ax_json_writer *json, const char *key, bool value);
