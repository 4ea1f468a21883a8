#include "dataops/schema.h"

#include <math.h>

#include "base/map.h"
#include "base/writer.h"
#include "codec/json.h"

enum { NAMES_MAX = 4'096, CATEGORIES_MAX = 65'536, SCHEMA_BYTES_MAX = 16 << 20 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for the schema");
}

/* Every member must be one of these words: a misspelt option is an error. */
static ax_status
check_members(struct ax_ctx *ctx, const struct ax_json *object, const char *const *words,
              const char *where)
{
    struct ax_json_iter iter = ax_json_iter_of(object);
    while (ax_json_next(&iter)) {
        bool known = false;
        for (size_t i = 0; words[i]; i++)
            known = known || ax_str_eq(iter.key, ax_str_of(words[i]));
        if (!known)
            return ax_fail(ctx, AX_INVALID, "%s has a member `%.*s` that nobody knows", where,
                           AX_FMT(iter.key));
    }
    return AX_OK;
}

static ax_status
copy_text(struct ax_ctx *ctx, ax_str text, ax_str *out_copy)
{
    return ax_str_copy(ctx->arena, text, out_copy) ? AX_OK : no_memory(ctx);
}

/* A list of distinct texts; absent is an empty one. */
static ax_status
read_texts(struct ax_ctx *ctx, const struct ax_json *object, const char *key, size_t count_max,
           ax_str **out_texts, size_t *out_count)
{
    const struct ax_json *array = ax_json_find(object, key);
    size_t count = ax_json_count(array);
    if (array && (ax_json_kind(array) != AX_JSON_ARRAY || count > count_max))
        return ax_fail(ctx, AX_INVALID, "`%s` must be a list of at most %zu texts", key, count_max);
    ax_str *texts = AX_NEW_ARRAY(ctx->arena, ax_str, count + 1);
    struct ax_map *seen = ax_map_new(ctx->arena);
    if (!texts || !seen)
        return no_memory(ctx);
    struct ax_json_iter iter = ax_json_iter_of(array);
    while (ax_json_next(&iter)) {
        ax_str text = {};
        if (!ax_json_text(iter.value, &text))
            return ax_fail(ctx, AX_INVALID, "item %zu of `%s` must be a text", iter.index, key);
        if (ax_map_find(seen, text))
            return ax_fail(ctx, AX_INVALID, "`%s` holds \"%.*s\" twice", key, AX_FMT(text));
        AX_TRY(copy_text(ctx, text, &texts[iter.index]));
        if (!ax_map_put(seen, texts[iter.index], seen))
            return no_memory(ctx);
    }
    *out_texts = texts;
    *out_count = count;
    return AX_OK;
}

static ax_status
read_type(struct ax_ctx *ctx, const struct ax_json *json, struct ax_schema_column *column)
{
    ax_str type = {}, missing = {}, unit = AX_STR("");
    AX_TRY(ax_json_may_text(ctx, json, "type", &type));
    AX_TRY(ax_json_may_text(ctx, json, "missing", &missing));
    AX_TRY(ax_json_may_text(ctx, json, "unit", &unit));
    if (ax_str_eq(type, AX_STR("number")))
        column->type = AX_SCHEMA_NUMBER;
    else if (ax_str_eq(type, AX_STR("category")))
        column->type = AX_SCHEMA_CATEGORY;
    else if (type.at)
        return ax_fail(ctx, AX_INVALID, "`type` must be \"number\" or \"category\", not \"%.*s\"",
                       AX_FMT(type));
    if (missing.at && !ax_str_eq(missing, AX_STR("refuse")) &&
        !ax_str_eq(missing, AX_STR("accept")))
        return ax_fail(ctx, AX_INVALID, "`missing` must be \"refuse\" or \"accept\"");
    column->missing_refused = ax_str_eq(missing, AX_STR("refuse"));
    column->missing_accepted = ax_str_eq(missing, AX_STR("accept"));
    return copy_text(ctx, unit, &column->unit);
}

static ax_status
read_categories(struct ax_ctx *ctx, const struct ax_json *json, struct ax_schema_column *column)
{
    ax_str unknown = AX_STR("refuse");
    AX_TRY(ax_json_may_text(ctx, json, "unknown", &unknown));
    column->unknown_is_missing = ax_str_eq(unknown, AX_STR("missing"));
    if (!column->unknown_is_missing && !ax_str_eq(unknown, AX_STR("refuse")))
        return ax_fail(ctx, AX_INVALID, "`unknown` must be \"refuse\" or \"missing\"");
    if (!ax_json_find(json, "categories"))
        return column->unknown_is_missing
                   ? ax_fail(ctx, AX_INVALID, "`unknown` needs the closed list `categories`")
                   : AX_OK;
    if (column->type != AX_SCHEMA_CATEGORY)
        return ax_fail(ctx, AX_INVALID, "`categories` are for columns of type \"category\"");
    AX_TRY(read_texts(ctx, json, "categories", CATEGORIES_MAX, &column->categories,
                      &column->category_count));
    return column->category_count > 0
               ? AX_OK
               : ax_fail(ctx, AX_INVALID, "`categories` must hold at least one text");
}

static ax_status
read_column(struct ax_ctx *ctx, const struct ax_json *json, struct ax_schema_column *column)
{
    static const char *const words[] = {"type", "min",        "max",     "missing",
                                        "unit", "categories", "unknown", NULL};
    if (ax_json_kind(json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "it must be an object");
    AX_TRY(check_members(ctx, json, words, "it"));
    AX_TRY(read_type(ctx, json, column));
    bool bounds = ax_json_find(json, "min") || ax_json_find(json, "max");
    column->min = -(double)INFINITY;
    column->max = (double)INFINITY;
    AX_TRY(ax_json_may_f64(ctx, json, "min", &column->min));
    AX_TRY(ax_json_may_f64(ctx, json, "max", &column->max));
    if (bounds && column->type != AX_SCHEMA_NUMBER)
        return ax_fail(ctx, AX_INVALID, "`min` and `max` are for columns of type \"number\"");
    if (column->min > column->max)
        return ax_fail(ctx, AX_INVALID, "`min` is above `max`");
    return read_categories(ctx, json, column);
}

static ax_status
read_columns(struct ax_ctx *ctx, const struct ax_json *json, struct ax_schema *schema)
{
    const struct ax_json *columns = ax_json_find(json, "columns");
    if (columns && ax_json_kind(columns) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "`columns` must be an object");
    schema->column_count = ax_json_count(columns);
    if (schema->column_count > NAMES_MAX)
        return ax_fail(ctx, AX_INVALID, "`columns` has more than %d members", NAMES_MAX);
    schema->columns = AX_NEW_ARRAY(ctx->arena, struct ax_schema_column, schema->column_count + 1);
    if (!schema->columns)
        return no_memory(ctx);
    struct ax_json_iter iter = ax_json_iter_of(columns);
    while (ax_json_next(&iter)) {
        struct ax_schema_column *column = &schema->columns[iter.index];
        AX_TRY(copy_text(ctx, iter.key, &column->name));
        ax_status status = read_column(ctx, iter.value, column);
        if (status != AX_OK)
            return ax_explain(ctx, status, "column `%.*s`", AX_FMT(iter.key));
    }
    return AX_OK;
}

static bool
holds(const ax_str *names, size_t count, ax_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (ax_str_eq(names[i], name))
            return true;
    }
    return false;
}

/* A name stands in one of: target, key, protected, ignored. */
static ax_status
check_roles(struct ax_ctx *ctx, const struct ax_schema *schema)
{
    const struct {
        const char *role;
        const ax_str *names;
        size_t count;
    } lists[] = {{"the target", &schema->target, 1},
                 {"the key", &schema->key, schema->key.len > 0},
                 {"protected", schema->protected_columns, schema->protected_count},
                 {"ignored", schema->ignored, schema->ignored_count}};
    for (size_t a = 0; a < AX_COUNT_OF(lists); a++) {
        for (size_t b = a + 1; b < AX_COUNT_OF(lists); b++) {
            for (size_t i = 0; i < lists[a].count; i++) {
                if (holds(lists[b].names, lists[b].count, lists[a].names[i]))
                    return ax_fail(ctx, AX_INVALID, "column `%.*s` is %s and %s",
                                   AX_FMT(lists[a].names[i]), lists[a].role, lists[b].role);
            }
        }
    }
    return AX_OK;
}

static ax_status
read_target(struct ax_ctx *ctx, const struct ax_json *json, struct ax_schema *schema)
{
    static const char *const words[] = {"column", "positive", NULL};
    const struct ax_json *target = NULL;
    ax_str column = {}, positive = {};
    AX_TRY(ax_json_need_object(ctx, json, "target", &target));
    AX_TRY(check_members(ctx, target, words, "`target`"));
    AX_TRY(ax_json_need_text(ctx, target, "column", &column));
    AX_TRY(ax_json_need_text(ctx, target, "positive", &positive));
    AX_TRY(copy_text(ctx, column, &schema->target));
    return copy_text(ctx, positive, &schema->positive);
}

static ax_status
read_schema(struct ax_ctx *ctx, ax_str text, struct ax_schema *schema)
{
    static const char *const words[] = {"name",    "target",  "key",     "protected",
                                        "ignored", "missing", "columns", NULL};
    const struct ax_json *json = NULL;
    AX_TRY(ax_json_parse(ctx, text, NULL, &json));
    if (ax_json_kind(json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "it must be an object");
    AX_TRY(check_members(ctx, json, words, "it"));
    ax_str name = AX_STR(""), key = AX_STR("");
    AX_TRY(ax_json_may_text(ctx, json, "name", &name));
    AX_TRY(ax_json_may_text(ctx, json, "key", &key));
    AX_TRY(copy_text(ctx, name, &schema->name));
    AX_TRY(copy_text(ctx, key, &schema->key));
    AX_TRY(read_target(ctx, json, schema));
    AX_TRY(read_texts(ctx, json, "protected", NAMES_MAX, &schema->protected_columns,
                      &schema->protected_count));
    AX_TRY(read_texts(ctx, json, "ignored", NAMES_MAX, &schema->ignored, &schema->ignored_count));
    AX_TRY(read_texts(ctx, json, "missing", NAMES_MAX, &schema->missing, &schema->missing_count));
    AX_TRY(read_columns(ctx, json, schema));
    return check_roles(ctx, schema);
}

ax_status
ax_schema_parse(struct ax_ctx *ctx, ax_str json, struct ax_schema *out_schema)
{
    struct ax_schema schema = {};
    ax_status status = read_schema(ctx, json, &schema);
    if (status != AX_OK)
        return ax_explain(ctx, status, "schema");
    *out_schema = schema;
    return AX_OK;
}

/* ---- and back to text ---- */

static void
write_texts(struct ax_json_writer *json, const char *key, const ax_str *texts, size_t count)
{
    ax_json_key(json, key);
    ax_json_begin_array(json);
    for (size_t i = 0; i < count; i++)
        ax_json_put_text(json, texts[i]);
    ax_json_end_array(json);
}

static void
write_column(struct ax_json_writer *json, const struct ax_schema_column *column)
{
    ax_json_key_str(json, column->name);
    ax_json_begin_object(json);
    if (column->type != AX_SCHEMA_FOUND)
        ax_json_member_text(
            json, "type", column->type == AX_SCHEMA_NUMBER ? AX_STR("number") : AX_STR("category"));
    if (isfinite(column->min))
        ax_json_member_f64(json, "min", column->min);
    if (isfinite(column->max))
        ax_json_member_f64(json, "max", column->max);
    if (column->missing_refused || column->missing_accepted)
        ax_json_member_text(json, "missing",
                            column->missing_refused ? AX_STR("refuse") : AX_STR("accept"));
    if (column->unknown_is_missing)
        ax_json_member_text(json, "unknown", AX_STR("missing"));
    if (column->unit.len > 0)
        ax_json_member_text(json, "unit", column->unit);
    if (column->categories)
        write_texts(json, "categories", column->categories, column->category_count);
    ax_json_end_object(json);
}

static void
write_schema(struct ax_json_writer *json, const struct ax_schema *schema)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", schema->name);
    ax_json_key(json, "target");
    ax_json_begin_object(json);
    ax_json_member_text(json, "column", schema->target);
    ax_json_member_text(json, "positive", schema->positive);
    ax_json_end_object(json);
    if (schema->key.len > 0)
        ax_json_member_text(json, "key", schema->key);
    write_texts(json, "protected", schema->protected_columns, schema->protected_count);
    write_texts(json, "ignored", schema->ignored, schema->ignored_count);
    write_texts(json, "missing", schema->missing, schema->missing_count);
    ax_json_key(json, "columns");
    ax_json_begin_object(json);
    for (size_t i = 0; i < schema->column_count; i++)
        write_column(json, &schema->columns[i]);
    ax_json_end_object(json);
    ax_json_end_object(json);
}

ax_status
ax_schema_format(struct ax_ctx *ctx, const struct ax_schema *schema, ax_str *out_json)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(SCHEMA_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    write_schema(&json, schema);
    if (text.status != AX_OK)
        return no_memory(ctx);
    const struct ax_json *tree = NULL;
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &tree));
    return ax_json_canonical(ctx, tree, out_json);
}

const struct ax_schema_column *
ax_schema_find(const struct ax_schema *schema, ax_str name)
{
    for (size_t i = 0; i < schema->column_count; i++) {
        if (ax_str_eq(schema->columns[i].name, name))
            return &schema->columns[i];
    }
    return NULL;
}

enum ax_schema_role
ax_schema_role(const struct ax_schema *schema, ax_str column)
{
    if (ax_str_eq(schema->target, column))
        return AX_SCHEMA_TARGET;
    if (schema->key.len > 0 && ax_str_eq(schema->key, column))
        return AX_SCHEMA_KEY;
    if (holds(schema->protected_columns, schema->protected_count, column))
        return AX_SCHEMA_PROTECTED;
    if (holds(schema->ignored, schema->ignored_count, column))
        return AX_SCHEMA_IGNORED;
    return AX_SCHEMA_FEATURE;
}
