#include "codec/json.h"

#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/number.h"

/* struct ax_json is never defined: a pointer to it is a pointer to a yyjson_val. */

enum {
    DEPTH_DEFAULT = 32,
    DEPTH_MAX = 1'024, /* whatever is asked for: printing follows the tree on the stack */
    SMALL_OBJECT_MAX = 8,
    CANONICAL_BYTES_MAX = 1 << 30,
};

static yyjson_val *
value_of(const struct ax_json *json)
{
    return (yyjson_val *)(uintptr_t)json;
}

static const struct ax_json *
json_of(yyjson_val *value)
{
    return (const struct ax_json *)value;
}

static ax_str
text_of(yyjson_val *value)
{
    return (ax_str){unsafe_yyjson_get_str(value), unsafe_yyjson_get_len(value)};
}

/* ---- parsing ---- */

static void *
alc_malloc(void *arena, size_t size)
{
    return ax_arena_alloc(arena, 1, size);
}

static void *
alc_realloc(void *arena, void *block, size_t old_size, size_t size)
{
    if (size <= old_size)
        return block;
    void *bigger = ax_arena_alloc(arena, 1, size);
    if (bigger && old_size)
        memcpy(bigger, block, old_size);
    return bigger;
}

static void
alc_free(void *arena, void *block)
{
    (void)arena;
    (void)block; /* it goes with the arena */
}

static int
key_order(const void *a, const void *b)
{
    return ax_str_cmp(*(const ax_str *)a, *(const ax_str *)b);
}

static ax_status
fail_duplicate(struct ax_ctx *ctx, ax_str key)
{
    return ax_fail(ctx, AX_INVALID, "JSON: the key `%.*s` is there twice in one object",
                   key.len > 64 ? 64 : (int)key.len, key.at);
}

/* All pairs, for the many objects that have few members. */
static ax_status
check_few_keys(struct ax_ctx *ctx, yyjson_val *object)
{
    ax_str keys[SMALL_OBJECT_MAX];
    size_t count = 0, i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, n, key, value)
    {
        keys[count] = text_of(key);
        for (size_t k = 0; k < count; k++)
            if (ax_str_eq(keys[k], keys[count]))
                return fail_duplicate(ctx, keys[count]);
        count++;
    }
    return AX_OK;
}

static ax_status
check_keys(struct ax_ctx *ctx, yyjson_val *object)
{
    size_t count = unsafe_yyjson_get_len(object);
    if (count <= SMALL_OBJECT_MAX)
        return check_few_keys(ctx, object);
    ax_auto(ax_free) void *block = ax_alloc(sizeof(ax_str), count);
    if (!block)
        return ax_fail(ctx, AX_LIMIT, "JSON: no memory to check %zu keys", count);
    ax_str *keys = block;
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, n, key, value) keys[i] = text_of(key);
    qsort(keys, count, sizeof *keys, key_order);
    for (size_t k = 1; k < count; k++)
        if (ax_str_eq(keys[k - 1], keys[k]))
            return fail_duplicate(ctx, keys[k]);
    return AX_OK;
}

static bool
is_word(ax_str number)
{
    ax_str size = ax_str_from(number, number.len && number.at[0] == '-');
    return size.len && (size.at[0] < '0' || size.at[0] > '9');
}

/* What a raw number says, when a double can hold it. */
static bool
raw_f64(ax_str number, double *out)
{
    double value;
    if (!ax_parse_f64(number, &value) || (isinf(value) && !is_word(number)))
        return false;
    *out = value;
    return true;
}

/*
 * Whether a number that JSON's grammar allows is surely no larger than a double, by its length:
 * few digits and an exponent of at most two. From behind, where an exponent is.
 */
static bool
surely_fits(ax_str number)
{
    enum { DIGITS_SURE = 200, DIGITS_OF_EXPONENT = 2 };
    size_t at = number.len;
    while (at > 0 && number.at[at - 1] != 'e' && number.at[at - 1] != 'E')
        at--;
    size_t exponent = at > 0 ? number.len - at : 0, signs = at > 0 && number.at[at] == '-';
    return number.len <= DIGITS_SURE && exponent <= DIGITS_OF_EXPONENT + signs;
}

/* yyjson takes these words in any case, and signed nan; the wire has three of them. */
static ax_status
check_raw(struct ax_ctx *ctx, ax_str number)
{
    double value;
    int shown = number.len > 40 ? 40 : (int)number.len;
    if (is_word(number)) {
        if (ax_str_eq(number, AX_STR("NaN")) || ax_str_eq(number, AX_STR("Infinity")) ||
            ax_str_eq(number, AX_STR("-Infinity")))
            return AX_OK;
        return ax_fail(ctx, AX_INVALID, "JSON: %.*s is no number", shown, number.at);
    }
    if (!surely_fits(number) && !raw_f64(number, &value))
        return ax_fail(ctx, AX_INVALID, "JSON: the number %.*s is beyond a double", shown,
                       number.at);
    return AX_OK;
}

struct frame {
    yyjson_val *next;
    size_t left;
    bool object;
};

/* What yyjson leaves open: depth, duplicate keys, the spelling of raw numbers. */
struct check {
    struct ax_ctx *ctx;
    const struct ax_json_limits *limits;
    size_t depth_max;
    struct {
        AX_ARRAY(struct frame)
    } frames;
};

/* One value; a container is entered by a frame of its own. */
static ax_status
check_value(struct check *check, yyjson_val *value)
{
    uint8_t type = unsafe_yyjson_get_type(value);
    if (type == YYJSON_TYPE_RAW)
        return check_raw(check->ctx, text_of(value));
    if (type != YYJSON_TYPE_ARR && type != YYJSON_TYPE_OBJ)
        return AX_OK;
    if (check->frames.count == check->depth_max)
        return ax_fail(check->ctx, AX_INVALID, "JSON: nested deeper than %zu levels",
                       check->depth_max);
    bool object = type == YYJSON_TYPE_OBJ;
    if (object && !check->limits->duplicate_keys)
        AX_TRY(check_keys(check->ctx, value));
    struct frame *frame = AX_ARRAY_PUSH(check->ctx->arena, &check->frames);
    if (!frame)
        return ax_fail(check->ctx, AX_LIMIT, "JSON: no memory to check its depth");
    *frame = (struct frame){.next = value + 1,
                            .left = unsafe_yyjson_get_len(value) * (object ? 2 : 1),
                            .object = object};
    return AX_OK;
}

/* Values lie in the order of the text: the tree is walked with a stack of what is left. */
static ax_status
check_tree(struct check *check, yyjson_val *root)
{
    AX_TRY(check_value(check, root));
    while (check->frames.count) {
        struct frame *frame = &check->frames.items[check->frames.count - 1];
        if (frame->left == 0) {
            check->frames.count--;
            continue;
        }
        yyjson_val *value = frame->next;
        frame->next = unsafe_yyjson_get_next(value);
        frame->left--;
        AX_TRY(check_value(check, value));
    }
    return AX_OK;
}

static yyjson_read_flag
flags_of(const struct ax_json_limits *limits)
{
    yyjson_read_flag flags = YYJSON_READ_NOFLAG;
    if (limits->raw_numbers)
        flags |= YYJSON_READ_NUMBER_AS_RAW;
    if (limits->raw_numbers && limits->special_floats)
        flags |= YYJSON_READ_ALLOW_INF_AND_NAN;
    return flags;
}

ax_status
ax_json_parse(struct ax_ctx *ctx, ax_str text, const struct ax_json_limits *limits,
              const struct ax_json **out_json)
{
    static const struct ax_json_limits defaults = {};
    limits = limits ? limits : &defaults;
    yyjson_alc alc = {alc_malloc, alc_realloc, alc_free, ctx->arena};
    yyjson_read_err error = {};
    if (text.len == 0)
        return ax_fail(ctx, AX_INVALID, "JSON: the text is empty");
    /* Not read in place: yyjson copies the text, whatever the parameter's type says. */
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)text.at, text.len, flags_of(limits), &alc, &error);
    if (!doc && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return ax_fail(ctx, AX_LIMIT, "JSON: no memory for a text of %zu bytes", text.len);
    if (!doc)
        return ax_fail(ctx, AX_INVALID, "JSON: %s at byte %zu", error.msg, error.pos);
    int depth_max = limits->depth_max > 0 ? limits->depth_max : DEPTH_DEFAULT;
    struct check check = {
        .ctx = ctx,
        .limits = limits,
        .depth_max = (size_t)(depth_max < DEPTH_MAX ? depth_max : DEPTH_MAX),
    };
    yyjson_val *root = yyjson_doc_get_root(doc);
    AX_TRY(check_tree(&check, root));
    *out_json = json_of(root);
    return AX_OK;
}

/* ---- reading ---- */

enum ax_json_kind
ax_json_kind(const struct ax_json *json)
{
    switch (yyjson_get_type(value_of(json))) {
    case YYJSON_TYPE_BOOL:
        return AX_JSON_BOOL;
    case YYJSON_TYPE_NUM:
    case YYJSON_TYPE_RAW:
        return AX_JSON_NUMBER;
    case YYJSON_TYPE_STR:
        return AX_JSON_TEXT;
    case YYJSON_TYPE_ARR:
        return AX_JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return AX_JSON_OBJECT;
    default:
        return AX_JSON_NULL;
    }
}

const char *
ax_json_kind_name(enum ax_json_kind kind)
{
    static const char *const names[] = {
        [AX_JSON_NULL] = "null",     [AX_JSON_BOOL] = "a boolean", [AX_JSON_NUMBER] = "a number",
        [AX_JSON_TEXT] = "a string", [AX_JSON_ARRAY] = "an array", [AX_JSON_OBJECT] = "an object",
    };
    return names[kind];
}

bool
ax_json_text(const struct ax_json *json, ax_str *out)
{
    yyjson_val *value = value_of(json);
    if (!yyjson_is_str(value))
        return false;
    *out = text_of(value);
    return true;
}

bool
ax_json_bool(const struct ax_json *json, bool *out)
{
    yyjson_val *value = value_of(json);
    if (!yyjson_is_bool(value))
        return false;
    *out = unsafe_yyjson_get_bool(value);
    return true;
}

bool
ax_json_f64(const struct ax_json *json, double *out)
{
    yyjson_val *value = value_of(json);
    if (yyjson_is_raw(value))
        return raw_f64(text_of(value), out);
    if (!yyjson_is_num(value))
        return false;
    *out = unsafe_yyjson_get_num(value);
    return true;
}

bool
ax_json_f32(const struct ax_json *json, float *out)
{
    yyjson_val *value = value_of(json);
    float narrow;
    if (yyjson_is_raw(value)) {
        if (!ax_parse_f32(text_of(value), &narrow))
            return false;
    } else if (yyjson_is_num(value)) {
        narrow = (float)unsafe_yyjson_get_num(value);
    } else {
        return false;
    }
    if (isinf(narrow) && !(yyjson_is_raw(value) && is_word(text_of(value))))
        return false; /* beyond a float */
    *out = narrow;
    return true;
}

/* 3.0 and 3e2 are whole, as long as the double is exact. */
static bool
whole_f64(double value, int64_t *out)
{
    if (!(fabs(value) <= 0x1p53) || value != trunc(value))
        return false;
    *out = (int64_t)value;
    return true;
}

bool
ax_json_i64(const struct ax_json *json, int64_t *out)
{
    yyjson_val *value = value_of(json);
    double wide;
    if (yyjson_is_raw(value) && ax_parse_i64(text_of(value), out))
        return true;
    if (yyjson_is_sint(value) ||
        (yyjson_is_uint(value) && unsafe_yyjson_get_uint(value) <= (uint64_t)INT64_MAX)) {
        *out = unsafe_yyjson_get_sint(value);
        return true;
    }
    return !yyjson_is_int(value) && ax_json_f64(json, &wide) && whole_f64(wide, out);
}

bool
ax_json_u64(const struct ax_json *json, uint64_t *out)
{
    yyjson_val *value = value_of(json);
    int64_t whole;
    if (yyjson_is_raw(value) && ax_parse_u64(text_of(value), out))
        return true;
    if (yyjson_is_uint(value)) {
        *out = unsafe_yyjson_get_uint(value);
        return true;
    }
    if (!ax_json_i64(json, &whole) || whole < 0)
        return false;
    *out = (uint64_t)whole;
    return true;
}

size_t
ax_json_count(const struct ax_json *json)
{
    yyjson_val *value = value_of(json);
    return yyjson_is_ctn(value) ? unsafe_yyjson_get_len(value) : 0;
}

/* The last of that name: with duplicate_keys allowed it is the one that counts. */
const struct ax_json *
ax_json_find(const struct ax_json *json, const char *key)
{
    struct ax_json_iter iter = ax_json_iter_of(json);
    ax_str want = ax_str_of(key);
    const struct ax_json *found = NULL;
    while (iter.object_ && ax_json_next(&iter))
        if (ax_str_eq(iter.key, want))
            found = iter.value;
    return found;
}

struct ax_json_iter
ax_json_iter_of(const struct ax_json *json)
{
    yyjson_val *value = value_of(json);
    struct ax_json_iter iter = {.key = AX_STR(""), .index = SIZE_MAX};
    if (yyjson_is_ctn(value)) {
        iter.left_ = unsafe_yyjson_get_len(value);
        iter.next_ = json_of(value + 1);
        iter.object_ = unsafe_yyjson_is_obj(value);
    }
    return iter;
}

bool
ax_json_next(struct ax_json_iter *iter)
{
    if (iter->left_ == 0)
        return false;
    yyjson_val *value = value_of(iter->next_);
    if (iter->object_) {
        iter->key = text_of(value);
        value++;
    }
    iter->value = json_of(value);
    iter->index++;
    iter->left_--;
    iter->next_ = json_of(unsafe_yyjson_get_next(value));
    return true;
}

bool
ax_json_is_real(const struct ax_json *json)
{
    return yyjson_is_real(value_of(json));
}

/* ---- the tree as text again ---- */

static void
print_number(yyjson_val *value, struct ax_writer *out)
{
    char text[AX_NUMBER_BYTES_MAX];
    size_t len;
    if (yyjson_is_raw(value)) {
        ax_writer_bytes(out, text_of(value));
        return;
    }
    if (yyjson_is_uint(value))
        len = ax_format_u64(unsafe_yyjson_get_uint(value), text);
    else if (yyjson_is_sint(value))
        len = ax_format_i64(unsafe_yyjson_get_sint(value), text);
    else
        len = ax_format_f64(unsafe_yyjson_get_real(value), text);
    ax_writer_bytes(out, (ax_str){text, len});
}

/* Whatever is neither a container nor a number. */
static void
print_plain(const struct ax_json *json, struct ax_json_writer *out)
{
    ax_str text;
    bool truth;
    if (ax_json_text(json, &text))
        ax_json_put_text(out, text);
    else if (ax_json_bool(json, &truth))
        ax_json_put_bool(out, truth);
    else
        ax_json_put_null(out);
}

void
ax_json_put(struct ax_json_writer *json, const struct ax_json *value)
{
    struct ax_json_iter iter = ax_json_iter_of(value);
    enum ax_json_kind kind = ax_json_kind(value);
    if (kind == AX_JSON_OBJECT) {
        ax_json_begin_object(json);
        while (ax_json_next(&iter)) {
            ax_json_key_str(json, iter.key);
            ax_json_put(json, iter.value);
        }
        ax_json_end_object(json);
    } else if (kind == AX_JSON_ARRAY) {
        ax_json_begin_array(json);
        while (ax_json_next(&iter))
            ax_json_put(json, iter.value);
        ax_json_end_array(json);
    } else if (kind == AX_JSON_NUMBER) {
        ax_json_put_raw(json, AX_STR(""));
        print_number(value_of(value), json->out);
    } else {
        print_plain(value, json);
    }
}

void
ax_json_print(const struct ax_json *json, struct ax_writer *out)
{
    struct ax_json_writer writer = ax_json_writer_of(out);
    ax_json_put(&writer, json);
}

/*
 * One text for one number, however it was written: a whole number that fits 64 bits in plain
 * digits, anything else as the shortest text of its double.
 */
static bool
canonical_whole(yyjson_val *value, struct ax_json_writer *out)
{
    uint64_t natural;
    int64_t whole;
    if (yyjson_is_uint(value))
        ax_json_put_u64(out, unsafe_yyjson_get_uint(value));
    else if (yyjson_is_sint(value))
        ax_json_put_i64(out, unsafe_yyjson_get_sint(value));
    else if (yyjson_is_raw(value) && ax_parse_u64(text_of(value), &natural))
        ax_json_put_u64(out, natural);
    else if (yyjson_is_raw(value) && ax_parse_i64(text_of(value), &whole))
        ax_json_put_i64(out, whole);
    else
        return false;
    return true;
}

static ax_status
canonical_number(struct ax_ctx *ctx, const struct ax_json *json, struct ax_json_writer *out)
{
    double wide;
    if (canonical_whole(value_of(json), out))
        return AX_OK;
    if (!ax_json_f64(json, &wide) || !isfinite(wide))
        return ax_fail(ctx, AX_INVALID, "JSON: NaN and infinities have no canonical form");
    if (wide == trunc(wide) && wide >= -0x1p63 && wide < 0x1p63)
        ax_json_put_i64(out, (int64_t)wide);
    else if (wide == trunc(wide) && wide >= 0x1p63 && wide < 0x1p64)
        ax_json_put_u64(out, (uint64_t)wide);
    else
        ax_json_put_f64(out, wide);
    return AX_OK;
}

struct member {
    ax_str key;
    const struct ax_json *value;
    size_t index;
};

static int
member_order(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    int order = ax_str_cmp(left->key, right->key);
    return order ? order : (left->index > right->index) - (left->index < right->index);
}

static ax_status canonical_value(struct ax_ctx *ctx, const struct ax_json *json,
                                 struct ax_json_writer *out);

static ax_status
canonical_object(struct ax_ctx *ctx, const struct ax_json *json, struct ax_json_writer *out)
{
    size_t count = ax_json_count(json);
    ax_auto(ax_free) void *block = count ? ax_alloc(sizeof(struct member), count) : NULL;
    if (count && !block)
        return ax_fail(ctx, AX_LIMIT, "JSON: no memory to sort %zu keys", count);
    struct member *members = block;
    struct ax_json_iter iter = ax_json_iter_of(json);
    while (ax_json_next(&iter))
        members[iter.index] = (struct member){iter.key, iter.value, iter.index};
    if (count)
        qsort(members, count, sizeof *members, member_order);
    ax_json_begin_object(out);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && ax_str_eq(members[i].key, members[i + 1].key))
            continue; /* a later one counts */
        ax_json_key_str(out, members[i].key);
        AX_TRY(canonical_value(ctx, members[i].value, out));
    }
    ax_json_end_object(out);
    return AX_OK;
}

static ax_status
canonical_value(struct ax_ctx *ctx, const struct ax_json *json, struct ax_json_writer *out)
{
    switch (ax_json_kind(json)) {
    case AX_JSON_OBJECT:
        return canonical_object(ctx, json, out);
    case AX_JSON_ARRAY:
        ax_json_begin_array(out);
        for (struct ax_json_iter iter = ax_json_iter_of(json); ax_json_next(&iter);)
            AX_TRY(canonical_value(ctx, iter.value, out));
        ax_json_end_array(out);
        return AX_OK;
    case AX_JSON_NUMBER:
        return canonical_number(ctx, json, out);
    case AX_JSON_NULL:
    case AX_JSON_BOOL:
    case AX_JSON_TEXT:
        print_plain(json, out);
    }
    return AX_OK;
}

ax_status
ax_json_canonical(struct ax_ctx *ctx, const struct ax_json *json, ax_str *out_text)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(CANONICAL_BYTES_MAX);
    struct ax_json_writer writer = ax_json_writer_of(&out);
    AX_TRY(canonical_value(ctx, json, &writer));
    ax_status status = ax_writer_take(&out, ctx->arena, out_text);
    if (status != AX_OK)
        return ax_fail(ctx, status, "JSON: no memory for the canonical text");
    return AX_OK;
}
