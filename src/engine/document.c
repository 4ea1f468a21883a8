#include "engine/document.h"

#include "base/number.h"

static ax_document
of_json(const struct ax_json *json)
{
    return (ax_document){.json = json};
}

static ax_document
of_ubjson(const struct ax_ubjson *ubjson)
{
    return (ax_document){.ubjson = ubjson};
}

static const char *
kind_name(ax_document document)
{
    if (document.json)
        return ax_json_kind_name(ax_json_kind(document.json));
    if (document.ubjson)
        return ax_ubjson_kind_name(ax_ubjson_kind(document.ubjson));
    return "absent";
}

bool
ax_document_is_object(ax_document document)
{
    return (document.json && ax_json_kind(document.json) == AX_JSON_OBJECT) ||
           (document.ubjson && ax_ubjson_kind(document.ubjson) == AX_UBJSON_OBJECT);
}

bool
ax_document_is_array(ax_document document)
{
    return (document.json && ax_json_kind(document.json) == AX_JSON_ARRAY) ||
           (document.ubjson && ax_ubjson_kind(document.ubjson) == AX_UBJSON_ARRAY);
}

size_t
ax_document_count(ax_document document)
{
    return document.json ? ax_json_count(document.json) : ax_ubjson_count(document.ubjson);
}

ax_document
ax_document_find(ax_document object, const char *key)
{
    if (object.json)
        return of_json(ax_json_find(object.json, key));
    return of_ubjson(ax_ubjson_find(object.ubjson, key));
}

struct ax_document_iter
ax_document_iter_of(ax_document document)
{
    struct ax_document_iter iter = {.ubjson_ = document.ubjson};
    if (document.json)
        iter.json_ = ax_json_iter_of(document.json);
    return iter;
}

bool
ax_document_next(struct ax_document_iter *iter)
{
    if (iter->ubjson_) {
        const struct ax_ubjson *item = ax_ubjson_item(iter->ubjson_, iter->next_);
        iter->value = of_ubjson(item);
        iter->key = ax_ubjson_key(iter->ubjson_, iter->next_);
        iter->index = iter->next_++;
        return item != NULL;
    }
    if (!ax_json_next(&iter->json_))
        return false;
    iter->value = of_json(iter->json_.value);
    iter->key = iter->json_.key;
    iter->index = iter->next_++;
    return true;
}

bool
ax_document_text(ax_document document, ax_str *out)
{
    return document.json ? ax_json_text(document.json, out) : ax_ubjson_text(document.ubjson, out);
}

bool
ax_document_i64(ax_document document, int64_t *out)
{
    struct ax_ubjson_number number;
    if (document.json)
        return ax_json_i64(document.json, out);
    if (!ax_ubjson_number(document.ubjson, &number) || !number.whole)
        return false;
    *out = number.i64;
    return true;
}

static ax_status
fail_kind(struct ax_ctx *ctx, const char *key, const char *expected, ax_document found)
{
    if (!ax_document_present(found))
        return ax_fail(ctx, AX_INVALID, "`%s` is missing; expected %s", key, expected);
    return ax_fail(ctx, AX_INVALID, "`%s` must be %s, not %s", key, expected, kind_name(found));
}

ax_status
ax_document_need_object(struct ax_ctx *ctx, ax_document object, const char *key, ax_document *out)
{
    ax_document found = ax_document_find(object, key);
    if (!ax_document_is_object(found))
        return fail_kind(ctx, key, "an object", found);
    *out = found;
    return AX_OK;
}

ax_status
ax_document_need_array(struct ax_ctx *ctx, ax_document object, const char *key, ax_document *out)
{
    ax_document found = ax_document_find(object, key);
    if (!ax_document_is_array(found))
        return fail_kind(ctx, key, "an array", found);
    *out = found;
    return AX_OK;
}

ax_status
ax_document_need_text(struct ax_ctx *ctx, ax_document object, const char *key, ax_str *out)
{
    ax_document found = ax_document_find(object, key);
    if (!ax_document_text(found, out))
        return fail_kind(ctx, key, "a text", found);
    return AX_OK;
}

ax_status
ax_document_need_whole(struct ax_ctx *ctx, ax_document object, const char *key, int64_t *out)
{
    ax_str text;
    AX_TRY(ax_document_need_text(ctx, object, key, &text));
    if (!ax_parse_i64(text, out))
        return ax_fail(ctx, AX_INVALID, "`%s` must be a whole number, not `%.*s`", key,
                       text.len > 32 ? 32 : (int)text.len, text.at);
    return AX_OK;
}

/* Room for the items of an array member, in ctx->arena. */
static ax_status
array_room(struct ax_ctx *ctx, ax_document object, const char *key, size_t item_bytes,
           ax_document *out_array, void **out_items)
{
    AX_TRY(ax_document_need_array(ctx, object, key, out_array));
    *out_items = ax_arena_alloc(ctx->arena, item_bytes, ax_document_count(*out_array));
    if (!*out_items)
        return ax_fail(ctx, AX_LIMIT, "no memory for the %zu items of `%s`",
                       ax_document_count(*out_array), key);
    return AX_OK;
}

static ax_status
fail_item(struct ax_ctx *ctx, const char *key, size_t index, const char *expected)
{
    return ax_fail(ctx, AX_INVALID, "`%s`[%zu] must be %s", key, index, expected);
}

ax_status
ax_document_need_f32s(struct ax_ctx *ctx, ax_document object, const char *key,
                      struct ax_document_f32s *out)
{
    ax_document array = {};
    void *room = NULL;
    AX_TRY(array_room(ctx, object, key, sizeof(float), &array, &room));
    float *items = room;
    size_t count = ax_document_count(array);
    if (array.ubjson) {
        bool all = ax_ubjson_f32s(array.ubjson, items);
        for (size_t i = 0; !all && i < count; i++) {
            struct ax_ubjson_number number;
            if (!ax_ubjson_number_at(array.ubjson, i, &number))
                return fail_item(ctx, key, i, "a float32");
            items[i] = number.whole ? (float)number.i64 : (float)number.f64;
        }
    } else {
        struct ax_json_iter iter = ax_json_iter_of(array.json);
        while (ax_json_next(&iter))
            if (!ax_json_f32(iter.value, &items[iter.index]))
                return fail_item(ctx, key, iter.index, "a float32");
    }
    *out = (struct ax_document_f32s){.items = items, .count = count};
    return AX_OK;
}

/* A whole number of JSON, or true or false. */
static bool
json_whole(const struct ax_json *json, int64_t *out)
{
    bool truth;
    if (!ax_json_bool(json, &truth))
        return ax_json_i64(json, out);
    *out = truth;
    return true;
}

static bool
ubjson_whole_at(const struct ax_ubjson *array, size_t index, int64_t *out)
{
    struct ax_ubjson_number number;
    bool truth;
    if (ax_ubjson_number_at(array, index, &number)) {
        *out = number.i64;
        return number.whole;
    }
    if (!ax_ubjson_bool(ax_ubjson_item(array, index), &truth))
        return false;
    *out = truth;
    return true;
}

/* Whole numbers one by one, as wide or narrow as the array for them. */
struct wholes {
    int64_t *wide;
    int32_t *narrow; /* NULL: wide ones are wanted */
};

static bool
put_whole(const struct wholes *wholes, size_t index, int64_t value)
{
    if (!wholes->narrow)
        wholes->wide[index] = value;
    else if (value < INT32_MIN || value > INT32_MAX)
        return false;
    else
        wholes->narrow[index] = (int32_t)value;
    return true;
}

static ax_status
take_wholes(struct ax_ctx *ctx, const char *key, ax_document array, const struct wholes *wholes)
{
    int64_t value;
    const char *expected = wholes->narrow ? "a whole number of 32 bits" : "a whole number";
    for (size_t i = 0, count = array.ubjson ? ax_ubjson_count(array.ubjson) : 0; i < count; i++)
        if (!ubjson_whole_at(array.ubjson, i, &value) || !put_whole(wholes, i, value))
            return fail_item(ctx, key, i, expected);
    if (array.ubjson)
        return AX_OK;
    struct ax_json_iter iter = ax_json_iter_of(array.json);
    while (ax_json_next(&iter))
        if (!json_whole(iter.value, &value) || !put_whole(wholes, iter.index, value))
            return fail_item(ctx, key, iter.index, expected);
    return AX_OK;
}

ax_status
ax_document_need_i32s(struct ax_ctx *ctx, ax_document object, const char *key,
                      struct ax_document_i32s *out)
{
    ax_document array = {};
    void *room = NULL;
    AX_TRY(array_room(ctx, object, key, sizeof(int32_t), &array, &room));
    const struct wholes wholes = {.narrow = room};
    if (!ax_ubjson_i32s(array.ubjson, room))
        AX_TRY(take_wholes(ctx, key, array, &wholes));
    *out = (struct ax_document_i32s){.items = room, .count = ax_document_count(array)};
    return AX_OK;
}

ax_status
ax_document_need_i64s(struct ax_ctx *ctx, ax_document object, const char *key,
                      struct ax_document_i64s *out)
{
    ax_document array = {};
    void *room = NULL;
    AX_TRY(array_room(ctx, object, key, sizeof(int64_t), &array, &room));
    const struct wholes wholes = {.wide = room};
    AX_TRY(take_wholes(ctx, key, array, &wholes));
    *out = (struct ax_document_i64s){.items = room, .count = ax_document_count(array)};
    return AX_OK;
}
