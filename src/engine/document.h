/*
 * One view of a model file that may be JSON or UBJSON, so that its reader is written once.
 *
 * A document is one value of either tree, or nothing; numbers keep the precision of the file: a
 * float32 is rounded once, from its text or from its bytes. It owns nothing.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "codec/json.h"
#include "codec/ubjson.h"

/* At most one is set; none: there is no such value. */
typedef struct ax_document {
    const struct ax_json *json;
    const struct ax_ubjson *ubjson;
} ax_document;

static inline bool
ax_document_present(ax_document document)
{
    return document.json || document.ubjson;
}

bool ax_document_is_object(ax_document document);
bool ax_document_is_array(ax_document document);

/* Items of an array or members of an object; 0 for anything else. */
size_t ax_document_count(ax_document document);

/* A member of an object, or nothing. */
ax_document ax_document_find(ax_document object, const char *key);

/* Walks arrays and objects, as ax_json_iter does. */
struct ax_document_iter {
    ax_document value; /* present item */
    ax_str key;        /* of an object; "" in arrays */
    size_t index;
    struct ax_json_iter json_;
    const struct ax_ubjson *ubjson_;
    size_t next_;
};
struct ax_document_iter ax_document_iter_of(ax_document document);
bool ax_document_next(struct ax_document_iter *iter);

[[nodiscard]] bool ax_document_text(ax_document document, ax_str *out);
[[nodiscard]] bool ax_document_i64(ax_document document, int64_t *out);

/* Members that must be there. Fails: INVALID with the key, what was found and what was expected. */
ax_status ax_document_need_object(struct ax_ctx *ctx, ax_document object, const char *key,
                                  ax_document *out);
ax_status ax_document_need_array(struct ax_ctx *ctx, ax_document object, const char *key,
                                 ax_document *out);
ax_status ax_document_need_text(struct ax_ctx *ctx, ax_document object, const char *key,
                                ax_str *out);

/* A text member that holds a whole number, as XGBoost writes its parameters. */
ax_status ax_document_need_whole(struct ax_ctx *ctx, ax_document object, const char *key,
                                 int64_t *out);

/* An array of numbers, copied to ctx->arena. */
struct ax_document_f32s {
    const float *items;
    size_t count;
};
struct ax_document_i32s {
    const int32_t *items;
    size_t count;
};
struct ax_document_i64s {
    const int64_t *items;
    size_t count;
};
ax_status ax_document_need_f32s(struct ax_ctx *ctx, ax_document object, const char *key,
                                struct ax_document_f32s *out);

/* true and false count as 1 and 0. A number that does not fit is refused. */
ax_status ax_document_need_i32s(struct ax_ctx *ctx, ax_document object, const char *key,
                                struct ax_document_i32s *out);
ax_status ax_document_need_i64s(struct ax_ctx *ctx, ax_document object, const char *key,
                                struct ax_document_i64s *out);
