#include "mlops/search_filter.h"

#include <math.h>

#include "base/number.h"
#include "codec/json.h"
#include "codec/text.h"

/* ---- what each subject knows ---- */

enum { FILTERS = 1, ORDERS = 2, BOTH = 3, IN_LISTS = 4 };

struct attribute {
    const char *name;
    const char *column;
    bool numeric;
    unsigned use; /* FILTERS, ORDERS, IN_LISTS */
};

#define MS(column) "(" column " / 1000000)"

static const struct attribute run_attributes[] = {
    {"run_id", "r.id", false, BOTH | IN_LISTS},   {"run_name", "r.name", false, BOTH},
    {"run name", "r.name", false, BOTH},          {"Run name", "r.name", false, BOTH},
    {"Run Name", "r.name", false, BOTH},          {"user_id", "r.user_id", false, BOTH},
    {"status", "r.status", false, BOTH},          {"artifact_uri", "r.artifact_uri", false, BOTH},
    {"start_time", MS("r.start_ns"), true, BOTH}, {"created", MS("r.start_ns"), true, BOTH},
    {"Created", MS("r.start_ns"), true, BOTH},    {"end_time", MS("r.end_ns"), true, BOTH},
};

static const struct attribute experiment_attributes[] = {
    {"name", "r.name", false, BOTH},
    {"experiment_id", "cast(r.id as bigint)", true, ORDERS},
    {"creation_time", MS("r.created_ns"), true, BOTH},
    {"last_update_time", MS("r.updated_ns"), true, BOTH},
};

static const struct attribute registered_model_attributes[] = {
    {"name", "r.name", false, BOTH},
    {"timestamp", "r.updated_ns", true, ORDERS},
    {"last_updated_timestamp", "r.updated_ns", true, ORDERS},
};

static const struct attribute model_version_attributes[] = {
    {"name", "r.model", false, BOTH},
    {"run_id", "r.run_id", false, FILTERS | IN_LISTS},
    {"source_path", "r.source", false, FILTERS},
    {"version_number", "r.version", true, BOTH},
    {"last_updated_timestamp", "r.updated_ns", true, ORDERS},
    {"creation_timestamp", "r.created_ns", true, ORDERS},
};

static const struct attribute logged_model_attributes[] = {
    {"name", "r.name", false, BOTH | IN_LISTS},
    {"model_id", "r.id", false, BOTH | IN_LISTS},
    {"model_type", "r.model_type", false, BOTH | IN_LISTS},
    {"status", "substr(r.status, 14)", false, BOTH | IN_LISTS}, /* behind LOGGED_MODEL_ */
    {"source_run_id", "r.source_run_id", false, BOTH | IN_LISTS},
    {"experiment_id", "r.experiment_id", false, BOTH | IN_LISTS},
    {"creation_timestamp", "r.created_ms", true, BOTH},
    {"creation_timestamp_ms", "r.created_ms", true, BOTH},
    {"creation_time", "r.created_ms", true, BOTH},
    {"last_updated_timestamp", "r.updated_ms", true, BOTH},
    {"last_updated_timestamp_ms", "r.updated_ms", true, BOTH},
};

static const struct attribute dataset_attributes[] = {
    {"name", "t.dataset_name", false, FILTERS | IN_LISTS},
    {"digest", "t.dataset_digest", false, FILTERS | IN_LISTS},
    {"context", "t.context", false, FILTERS | IN_LISTS},
};

#define BIT(entity) (1U << AX_SEARCH_##entity)

static const struct subject {
    const struct attribute *attributes;
    size_t count;
    unsigned entities;
    const char *tag_comparators; /* as the message has them; NULL checks are allowed with IS */
    bool null_checks;            /* IS NULL and IS NOT NULL of params and tags */
} subjects[AX_SEARCH_SUBJECTS] = {
    [AX_SEARCH_RUNS] = {run_attributes, AX_COUNT_OF(run_attributes),
                        BIT(ATTRIBUTE) | BIT(METRIC) | BIT(PARAM) | BIT(TAG) | BIT(DATASET),
                        "{'LIKE', 'IS NOT NULL', 'ILIKE', 'IS NULL', '=', '!='}", true},
    [AX_SEARCH_EXPERIMENTS] = {experiment_attributes, AX_COUNT_OF(experiment_attributes),
                               BIT(ATTRIBUTE) | BIT(TAG),
                               "{'LIKE', 'IS NOT NULL', 'ILIKE', 'IS NULL', '=', '!='}", true},
    [AX_SEARCH_REGISTERED_MODELS] = {registered_model_attributes,
                                     AX_COUNT_OF(registered_model_attributes),
                                     BIT(ATTRIBUTE) | BIT(TAG), "{'LIKE', 'ILIKE', '=', '!='}",
                                     false},
    [AX_SEARCH_MODEL_VERSIONS] = {model_version_attributes, AX_COUNT_OF(model_version_attributes),
                                  BIT(ATTRIBUTE) | BIT(TAG), "{'LIKE', 'ILIKE', '=', '!='}", false},
    [AX_SEARCH_LOGGED_MODELS] = {logged_model_attributes, AX_COUNT_OF(logged_model_attributes),
                                 BIT(ATTRIBUTE) | BIT(METRIC) | BIT(PARAM) | BIT(TAG),
                                 "{'LIKE', 'ILIKE', 'IN', 'NOT IN', '=', '!='}", false},
};

static const char *const comparator_names[AX_SEARCH_COMPARATORS] = {
    "=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"};

const char *
ax_search_comparator_name(enum ax_search_comparator comparator)
{
    return comparator_names[comparator];
}

static bool
entity_of(ax_str word, enum ax_search_entity *out)
{
    static const struct {
        const char *word;
        enum ax_search_entity entity;
    } words[] = {
        {"metric", AX_SEARCH_METRIC},
        {"metrics", AX_SEARCH_METRIC},
        {"param", AX_SEARCH_PARAM},
        {"params", AX_SEARCH_PARAM},
        {"parameter", AX_SEARCH_PARAM},
        {"parameters", AX_SEARCH_PARAM},
        {"tag", AX_SEARCH_TAG},
        {"tags", AX_SEARCH_TAG},
        {"attribute", AX_SEARCH_ATTRIBUTE},
        {"attributes", AX_SEARCH_ATTRIBUTE},
        {"attr", AX_SEARCH_ATTRIBUTE},
        {"run", AX_SEARCH_ATTRIBUTE},
        {"dataset", AX_SEARCH_DATASET},
        {"datasets", AX_SEARCH_DATASET},
    };
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        if (ax_str_eq(word, ax_str_of(words[i].word))) {
            *out = words[i].entity;
            return true;
        }
    return false;
}

static const struct attribute *
find_attribute(const struct attribute *attributes, size_t count, ax_str name, unsigned use)
{
    for (size_t i = 0; i < count; i++)
        if ((attributes[i].use & use) && ax_str_eq(name, ax_str_of(attributes[i].name)))
            return &attributes[i];
    return NULL;
}

/* ---- tokens ---- */

struct scan {
    struct ax_ctx *ctx;
    const struct subject *subject;
    ax_str text;
    size_t at;
};

static bool
is_of(const struct scan *scan, enum ax_search_subject subject)
{
    return scan->subject == &subjects[subject];
}

static bool
is_of_registry(const struct scan *scan)
{
    return is_of(scan, AX_SEARCH_REGISTERED_MODELS) || is_of(scan, AX_SEARCH_MODEL_VERSIONS);
}

static void
skip_space(struct scan *scan)
{
    while (scan->at < scan->text.len && strchr(" \t\r\n", scan->text.at[scan->at]))
        scan->at++;
}

static int
peek(const struct scan *scan)
{
    return scan->at < scan->text.len ? (unsigned char)scan->text.at[scan->at] : -1;
}

static bool
is_word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c >= 0x80;
}

/* Letters, digits, '_', '.' and whatever is not ASCII; "" when none stands here. */
static ax_str
take_word(struct scan *scan)
{
    size_t from = scan->at;
    while (is_word(peek(scan)))
        scan->at++;
    return (ax_str){scan->text.at + from, scan->at - from};
}

/* The next word, when it is this one in any case. */
static bool
take_keyword(struct scan *scan, const char *keyword)
{
    size_t from = scan->at;
    skip_space(scan);
    if (ax_str_eq_ignoring_case(take_word(scan), ax_str_of(keyword)))
        return true;
    scan->at = from;
    return false;
}

/*
 * What stands between two of the same quote. A quote inside is doubled or has a backslash, and
 * stays as written: MLflow compares it so.
 */
static bool
take_quoted(struct scan *scan, ax_str *out)
{
    char quote = (char)peek(scan);
    size_t from = scan->at + 1, at = from;
    for (; at < scan->text.len; at++) {
        char c = scan->text.at[at];
        if (c == '\\' && quote == '\'' && at + 1 < scan->text.len &&
            scan->text.at[at + 1] == quote) {
            at++;
        } else if (c == quote) {
            if (quote != '\'' || at + 1 == scan->text.len || scan->text.at[at + 1] != quote)
                break;
            at++;
        }
    }
    if (at >= scan->text.len)
        return false;
    *out = (ax_str){scan->text.at + from, at - from};
    scan->at = at + 1;
    return true;
}

/* Up to the next blank, for words about what is wrong. */
static ax_str
rest_of_token(const struct scan *scan)
{
    size_t end = scan->at;
    while (end < scan->text.len && !strchr(" \t\r\n", scan->text.at[end]))
        end++;
    return (ax_str){scan->text.at + scan->at, end - scan->at};
}

static ax_status
invalid_clause(const struct scan *scan, size_t from, size_t to)
{
    ax_str clause = ax_str_trim((ax_str){scan->text.at + from, to - from});
    return ax_fail(scan->ctx, AX_INVALID, "Invalid %s: '%.*s'",
                   is_of(scan, AX_SEARCH_LOGGED_MODELS) ? "filter string"
                                                        : "clause(s) in filter string",
                   AX_FMT(clause));
}

/* ---- identifiers ---- */

struct identifier {
    enum ax_search_entity entity;
    ax_str key;
    const struct attribute *attribute; /* of an attribute or a dataset */
};

/* "entity.key", the key quoted or not, or a key alone; false when none stands here. */
static bool
take_identifier(struct scan *scan, ax_str *out_entity, ax_str *out_key)
{
    *out_entity = AX_STR("");
    skip_space(scan);
    if (peek(scan) == '`' || peek(scan) == '"')
        return take_quoted(scan, out_key);
    ax_str word = take_word(scan);
    if (word.len == 0 || (word.at[0] >= '0' && word.at[0] <= '9'))
        return false;
    const char *dot = memchr(word.at, '.', word.len);
    *out_key = word;
    if (!dot)
        return true;
    *out_entity = (ax_str){word.at, (size_t)(dot - word.at)};
    *out_key = ax_str_from(word, out_entity->len + 1);
    if (out_key->len == 0 && (peek(scan) == '`' || peek(scan) == '"'))
        return take_quoted(scan, out_key) && out_entity->len > 0;
    return out_key->len > 0 && out_entity->len > 0 &&
           !(out_key->at[0] >= '0' && out_key->at[0] <= '9');
}

static ax_status
invalid_key(const struct scan *scan, const char *what, ax_str key, unsigned use)
{
    ax_writer_auto struct ax_writer keys = ax_writer_of(1 << 12);
    bool dataset = ax_str_eq(ax_str_of(what), AX_STR("dataset"));
    const struct attribute *attributes = dataset ? dataset_attributes : scan->subject->attributes;
    size_t count = dataset ? AX_COUNT_OF(dataset_attributes) : scan->subject->count;
    for (size_t i = 0; i < count; i++)
        if (attributes[i].use & use)
            ax_writer_print(&keys, "%s'%s'", keys.len ? ", " : "", attributes[i].name);
    return ax_fail(scan->ctx, AX_INVALID,
                   "Invalid %s key '%.*s' specified. Valid keys are '{%.*s}'", what, AX_FMT(key),
                   AX_FMT(ax_writer_str(&keys)));
}

static ax_status
resolve(const struct scan *scan, ax_str entity, ax_str key, unsigned use, struct identifier *out)
{
    const struct subject *subject = scan->subject;
    out->key = key;
    out->entity = AX_SEARCH_ATTRIBUTE;
    out->attribute = NULL;
    if (entity.len > 0 &&
        (!entity_of(entity, &out->entity) || !(subject->entities & 1U << out->entity)))
        return ax_fail(scan->ctx, AX_INVALID,
                       "Invalid entity type '%.*s'. Valid values are ['metric', 'parameter', "
                       "'tag', 'attribute', 'dataset']",
                       AX_FMT(entity));
    if (out->entity == AX_SEARCH_ATTRIBUTE) {
        out->attribute = find_attribute(subject->attributes, subject->count, key, use);
        bool order = use == ORDERS && is_of(scan, AX_SEARCH_REGISTERED_MODELS);
        const char *what = order ? "order by" : "attribute";
        return out->attribute ? AX_OK : invalid_key(scan, what, key, use);
    }
    if (out->entity == AX_SEARCH_DATASET) {
        out->attribute =
            find_attribute(dataset_attributes, AX_COUNT_OF(dataset_attributes), key, use);
        return out->attribute ? AX_OK : invalid_key(scan, "dataset", key, use);
    }
    return AX_OK;
}

/* ---- comparisons ---- */

static bool
take_comparator(struct scan *scan, enum ax_search_comparator *out)
{
    static const struct {
        const char *sign;
        enum ax_search_comparator comparator;
    } signs[] = {{"!=", AX_SEARCH_NE}, {"<>", AX_SEARCH_NE}, {">=", AX_SEARCH_GE},
                 {"<=", AX_SEARCH_LE}, {"=", AX_SEARCH_EQ},  {">", AX_SEARCH_GT},
                 {"<", AX_SEARCH_LT}};
    skip_space(scan);
    ax_str left = ax_str_from(scan->text, scan->at);
    for (size_t i = 0; i < AX_COUNT_OF(signs); i++)
        if (ax_str_starts(left, ax_str_of(signs[i].sign))) {
            scan->at += strlen(signs[i].sign);
            *out = signs[i].comparator;
            return true;
        }
    bool is = take_keyword(scan, "is"), negated = take_keyword(scan, "not");
    if (is) {
        *out = negated ? AX_SEARCH_IS_NOT_NULL : AX_SEARCH_IS_NULL;
        return take_keyword(scan, "null");
    }
    if (take_keyword(scan, "in")) {
        *out = negated ? AX_SEARCH_NOT_IN : AX_SEARCH_IN;
        return true;
    }
    *out = take_keyword(scan, "like") ? AX_SEARCH_LIKE : AX_SEARCH_ILIKE;
    return !negated && (*out == AX_SEARCH_LIKE || take_keyword(scan, "ilike"));
}

/* Which comparators an identifier takes: a bit each, and as MLflow's message lists them. */
static unsigned
comparators_of(const struct scan *scan, const struct identifier *of, const char **out_words)
{
    const unsigned equal = 1U << AX_SEARCH_EQ | 1U << AX_SEARCH_NE;
    const unsigned like = equal | 1U << AX_SEARCH_LIKE | 1U << AX_SEARCH_ILIKE;
    const unsigned in = 1U << AX_SEARCH_IN | 1U << AX_SEARCH_NOT_IN;
    const unsigned null = 1U << AX_SEARCH_IS_NULL | 1U << AX_SEARCH_IS_NOT_NULL;
    if (of->entity == AX_SEARCH_METRIC || (of->attribute && of->attribute->numeric)) {
        *out_words = "{'>', '!=', '=', '<', '>=', '<='}";
        return equal | 1U << AX_SEARCH_GT | 1U << AX_SEARCH_GE | 1U << AX_SEARCH_LT |
               1U << AX_SEARCH_LE;
    }
    if (of->attribute) {
        *out_words = "{'LIKE', 'ILIKE', 'IN', 'NOT IN', '=', '!='}";
        return like | in;
    }
    *out_words = scan->subject->tag_comparators;
    bool lists = is_of(scan, AX_SEARCH_LOGGED_MODELS);
    return like | (lists ? in : 0) | (scan->subject->null_checks ? null : 0);
}

static ax_status
take_number(struct scan *scan, const struct identifier *of, struct ax_search_clause *clause)
{
    size_t from = scan->at;
    while (is_word(peek(scan)) || peek(scan) == '-' || peek(scan) == '+')
        scan->at++;
    ax_str digits = {scan->text.at + from, scan->at - from};
    bool starts = digits.len > 0 && strchr("+-.0123456789", digits.at[0]);
    clause->numeric = true;
    if (starts && ax_parse_f64(digits, &clause->number) && isfinite(clause->number))
        return AX_OK;
    scan->at = from;
    ax_str found = rest_of_token(scan);
    if (of->attribute)
        return ax_fail(scan->ctx, AX_INVALID,
                       "Expected numeric value type for numeric attribute: %.*s. Found %.*s",
                       AX_FMT(of->key), AX_FMT(found));
    return ax_fail(scan->ctx, AX_INVALID, "Expected numeric value type for metric. Found %.*s",
                   AX_FMT(found));
}

static ax_status
take_text(struct scan *scan, const struct identifier *of, struct ax_search_clause *clause)
{
    static const char *const names[] = {"attributes", "metric", "parameter", "tag", "dataset"};
    size_t from = scan->at;
    if ((peek(scan) == '\'' || peek(scan) == '"') && take_quoted(scan, &clause->text))
        return AX_OK;
    scan->at = from;
    ax_str found = rest_of_token(scan);
    if (is_of_registry(scan))
        return ax_fail(scan->ctx, AX_INVALID,
                       "Parameter value is either not quoted or unidentified quote types used for "
                       "string value %.*s. Use either single or double quotes.",
                       AX_FMT(found));
    return ax_fail(scan->ctx, AX_INVALID,
                   "Expected a quoted string value for %s (e.g. 'my-value'). Got value %.*s",
                   names[of->entity], AX_FMT(found));
}

static ax_status
bad_list(const struct scan *scan)
{
    return ax_fail(scan->ctx, AX_INVALID,
                   "While parsing a list in the query, expected string value, punctuation, or "
                   "whitespace, but got different type in list: %.*s",
                   AX_FMT(ax_str_from(scan->text, scan->at)));
}

/* A run's id is lower case; what is not is nobody's and falls out, as in MLflow. */
static bool
belongs(const struct scan *scan, ax_str text)
{
    bool lower = true;
    for (size_t i = 0; i < text.len; i++)
        lower &= !(text.at[i] >= 'A' && text.at[i] <= 'Z');
    return lower || !is_of(scan, AX_SEARCH_RUNS);
}

static ax_status
take_list(struct scan *scan, struct ax_search_clause *clause)
{
    struct {
        AX_ARRAY(ax_str)
    } texts = {};
    size_t seen = 0;
    if (peek(scan) != '(')
        return bad_list(scan);
    scan->at++;
    for (bool more = true; more;) {
        ax_str text;
        skip_space(scan);
        if (peek(scan) == ')')
            break;
        if ((peek(scan) != '\'' && peek(scan) != '"') || !take_quoted(scan, &text))
            return bad_list(scan);
        if (++seen > AX_SEARCH_LIST_MAX)
            return ax_fail(scan->ctx, AX_INVALID, "a list has at most %d values",
                           AX_SEARCH_LIST_MAX);
        ax_str *place = belongs(scan, text) ? AX_ARRAY_PUSH(scan->ctx->arena, &texts) : &text;
        if (!place)
            return ax_fail(scan->ctx, AX_LIMIT, "no memory for a filter");
        *place = text;
        skip_space(scan);
        more = peek(scan) == ',';
        scan->at += more;
    }
    if (peek(scan) != ')')
        return bad_list(scan);
    scan->at++;
    if (seen == 0)
        return ax_fail(scan->ctx, AX_INVALID,
                       "While parsing a list in the query, expected a non-empty list of string "
                       "values, but got empty list");
    clause->texts = texts.items;
    clause->text_count = texts.count;
    return AX_OK;
}

static ax_status
take_value(struct scan *scan, const struct identifier *of, struct ax_search_clause *clause)
{
    if (clause->comparator == AX_SEARCH_IS_NULL || clause->comparator == AX_SEARCH_IS_NOT_NULL)
        return AX_OK;
    bool list = clause->comparator == AX_SEARCH_IN || clause->comparator == AX_SEARCH_NOT_IN;
    skip_space(scan);
    if (list && of->attribute && !(of->attribute->use & IN_LISTS))
        return ax_fail(scan->ctx, AX_INVALID,
                       "Only the 'run_id' attribute supports comparison with a list of quoted "
                       "string values.");
    if (list)
        return take_list(scan, clause);
    if (of->entity == AX_SEARCH_METRIC || (of->attribute && of->attribute->numeric))
        return take_number(scan, of, clause);
    return take_text(scan, of, clause);
}

static ax_status
take_comparison(struct scan *scan, struct ax_search_clause *clause)
{
    size_t from = scan->at;
    ax_str entity, key;
    struct identifier of;
    const char *words;
    if (!take_identifier(scan, &entity, &key))
        return invalid_clause(scan, from, scan->text.len);
    size_t sign_at = scan->at;
    if (!take_comparator(scan, &clause->comparator))
        return invalid_clause(scan, from, scan->text.len);
    AX_TRY(resolve(scan, entity, key, FILTERS, &of));
    if (!(comparators_of(scan, &of, &words) & 1U << clause->comparator)) {
        ax_str sign = ax_str_trim((ax_str){scan->text.at + sign_at, scan->at - sign_at});
        return ax_fail(scan->ctx, AX_INVALID, "Invalid %s '%.*s' not one of '%s'",
                       is_of(scan, AX_SEARCH_LOGGED_MODELS) ? "comparison operator" : "comparator",
                       AX_FMT(sign), words);
    }
    clause->entity = of.entity;
    clause->key = of.key;
    clause->column = of.attribute ? of.attribute->column : NULL;
    return take_value(scan, &of, clause);
}

static ax_status
check_text(struct ax_ctx *ctx, ax_str text)
{
    if (text.len > AX_SEARCH_TEXT_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "a filter has at most %d bytes", AX_SEARCH_TEXT_BYTES_MAX);
    if (!ax_utf8_ok(text) || memchr(text.at, '\0', text.len))
        return ax_fail(ctx, AX_INVALID, "a filter is UTF-8 text without NUL");
    return AX_OK;
}

ax_status
ax_search_filter_parse(struct ax_ctx *ctx, enum ax_search_subject subject, ax_str text,
                       struct ax_search_clauses *out_clauses)
{
    struct scan scan = {.ctx = ctx, .subject = &subjects[subject], .text = ax_str_trim(text)};
    struct ax_search_clauses clauses = {};
    bool more = scan.text.len > 0;
    if (more)
        AX_TRY(check_text(ctx, scan.text));
    while (more) {
        if (clauses.count == AX_SEARCH_CLAUSES_MAX)
            return ax_fail(ctx, AX_INVALID, "a filter has at most %d comparisons",
                           AX_SEARCH_CLAUSES_MAX);
        struct ax_search_clause *clause = AX_ARRAY_PUSH(ctx->arena, &clauses);
        if (!clause)
            return ax_fail(ctx, AX_LIMIT, "no memory for a filter");
        AX_TRY(take_comparison(&scan, clause));
        size_t end = scan.at;
        skip_space(&scan);
        more = scan.at < scan.text.len;
        if (more && (scan.at == end || !take_keyword(&scan, "and"))) {
            ax_str wrong = rest_of_token(&scan);
            return invalid_clause(&scan, scan.at, scan.at + wrong.len);
        }
    }
    *out_clauses = clauses;
    return AX_OK;
}

/* ---- order ---- */

static ax_status
bad_order(struct ax_ctx *ctx, ax_str text)
{
    return ax_fail(ctx, AX_INVALID, "Invalid order_by clause '%.*s'. Could not be parsed.",
                   AX_FMT(text));
}

/* Besides attributes: what a subject has one value of. */
static bool
orders_by(enum ax_search_subject subject, enum ax_search_entity entity)
{
    return subject == AX_SEARCH_RUNS
               ? entity != AX_SEARCH_DATASET
               : subject == AX_SEARCH_LOGGED_MODELS && entity == AX_SEARCH_METRIC;
}

ax_status
ax_search_order_parse(struct ax_ctx *ctx, enum ax_search_subject subject, ax_str text,
                      struct ax_search_orders *orders)
{
    struct scan scan = {.ctx = ctx, .subject = &subjects[subject], .text = ax_str_trim(text)};
    struct identifier of;
    ax_str entity, key;
    if (scan.text.len > 0)
        AX_TRY(check_text(ctx, scan.text));
    if (!take_identifier(&scan, &entity, &key))
        return bad_order(ctx, text);
    bool descending = take_keyword(&scan, "desc");
    if (!descending)
        (void)take_keyword(&scan, "asc");
    skip_space(&scan);
    if (scan.at < scan.text.len)
        return bad_order(ctx, text);
    AX_TRY(resolve(&scan, entity, key, ORDERS, &of));
    if (of.entity != AX_SEARCH_ATTRIBUTE && !orders_by(subject, of.entity))
        return bad_order(ctx, text);
    for (size_t i = 0; i < orders->count; i++)
        if (orders->items[i].entity == of.entity && ax_str_eq(orders->items[i].key, of.key))
            return ax_fail(ctx, AX_INVALID, "`order_by` contains duplicate fields: ['%.*s']",
                           AX_FMT(of.key));
    if (orders->count == AX_SEARCH_ORDERS_MAX)
        return ax_fail(ctx, AX_INVALID, "an order has at most %d fields", AX_SEARCH_ORDERS_MAX);
    struct ax_search_order *order = AX_ARRAY_PUSH(ctx->arena, orders);
    if (!order)
        return ax_fail(ctx, AX_LIMIT, "no memory for an order");
    *order = (struct ax_search_order){.entity = of.entity,
                                      .key = of.key,
                                      .column = of.attribute ? of.attribute->column : NULL,
                                      .descending = descending};
    return AX_OK;
}

bool
ax_search_orders_by(const struct ax_search_orders *orders, const char *attribute)
{
    for (size_t i = 0; i < orders->count; i++)
        if (orders->items[i].entity == AX_SEARCH_ATTRIBUTE &&
            ax_str_eq(orders->items[i].key, ax_str_of(attribute)))
            return true;
    return false;
}

/* ---- pages ---- */

ax_status
ax_search_page_parse(struct ax_ctx *ctx, ax_str token, int64_t *out_offset)
{
    const struct ax_json *json;
    ax_str text;
    *out_offset = 0;
    if (token.len == 0)
        return AX_OK;
    if (ax_base64_decode(ctx, token, &text) != AX_OK)
        return ax_fail(ctx, AX_INVALID, "Invalid page token, could not base64-decode");
    if (ax_json_parse(ctx, text, NULL, &json) != AX_OK)
        return ax_fail(ctx, AX_INVALID, "Invalid page token, decoded value=%.*s", AX_FMT(text));
    if (!ax_json_i64(ax_json_find(json, "offset"), out_offset) || *out_offset < 0)
        return ax_fail(ctx, AX_INVALID, "Invalid page token, parsed value=%.*s", AX_FMT(text));
    return AX_OK;
}

ax_status
ax_search_page_format(struct ax_ctx *ctx, int64_t offset, ax_str *out_token)
{
    ax_writer_auto struct ax_writer token = ax_writer_of(128);
    ax_str text = ax_str_printf(ctx->arena, "{\"offset\": %lld}", (long long)offset);
    if (!text.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a page token");
    ax_base64_encode(text, &token);
    return ax_writer_take(&token, ctx->arena, out_token) == AX_OK
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "no memory for a page token");
}
