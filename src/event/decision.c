#include "event/decision.h"

#include <inttypes.h>
#include <math.h>

#include "base/assert.h"
#include "base/reader.h"
#include "codec/cbor.h"
#include "codec/text.h"
#include "sys/clock.h"

enum { RECORD_VERSION = 1, BITS_BYTES = 8 };

/* How close a contribution must come to the recorded one, against the largest of them. */
static const double contribution_tolerance = 1e-9;

/* ---- the form of a record: fields by number, in maps; what has no value is left out ---- */

enum item_kind {
    ITEM_VERSION,
    ITEM_TEXT,
    ITEM_DIGEST,
    ITEM_I64,
    ITEM_TIME,
    ITEM_F64, /* always written: -0 and 0 are two values */
    ITEM_TRUTH,
    ITEM_MODEL,
    ITEM_VALUE, /* of a feature: a number, a text, or nothing */
    ITEM_FEATURES,
    ITEM_CONTRIBUTIONS,
    ITEM_REASONS,
    ITEM_CHALLENGERS,
};

struct item {
    uint8_t number;
    enum item_kind kind;
    uint16_t offset;
    const char *name;
};

struct shape {
    const struct item *items;
    size_t count;
};

#define OF_MODEL(member)      offsetof(struct ax_decision_model, member)
#define OF_FEATURE(member)    offsetof(struct ax_decision_feature, member)
#define OF_REASON(member)     offsetof(struct ax_decision_reason, member)
#define OF_CHALLENGER(member) offsetof(struct ax_decision_challenger, member)
#define OF(member)            offsetof(struct ax_decision, member)

static const struct item model_items[] = {
    {1, ITEM_TEXT, OF_MODEL(name), "name"},
    {2, ITEM_TEXT, OF_MODEL(version), "version"},
    {3, ITEM_DIGEST, OF_MODEL(digest), "digest"},
};

static const struct item feature_items[] = {
    {1, ITEM_TEXT, OF_FEATURE(name), "name"},
    {2, ITEM_VALUE, 0, "value"},
    {3, ITEM_TEXT, OF_FEATURE(source), "source"},
    {4, ITEM_TIME, OF_FEATURE(as_of_ns), "as_of"},
};

static const struct item reason_items[] = {
    {1, ITEM_TEXT, OF_REASON(code), "code"},
    {2, ITEM_F64, OF_REASON(contribution), "contribution"},
    {3, ITEM_TEXT, OF_REASON(features), "features"},
    {4, ITEM_TEXT, OF_REASON(text), "text"},
};

static const struct item challenger_items[] = {
    {1, ITEM_MODEL, OF_CHALLENGER(model), "model"},
    {2, ITEM_TRUTH, OF_CHALLENGER(failed), "failed"},
    {3, ITEM_F64, OF_CHALLENGER(margin), "margin"},
    {4, ITEM_F64, OF_CHALLENGER(probability), "probability"},
    {5, ITEM_F64, OF_CHALLENGER(score), "score"},
    {6, ITEM_TEXT, OF_CHALLENGER(outcome), "outcome"},
};

static const struct item decision_items[] = {
    {1, ITEM_VERSION, 0, "version"},
    {2, ITEM_TEXT, OF(id), "decision_id"},
    {3, ITEM_TEXT, OF(request_id), "request_id"},
    {4, ITEM_TEXT, OF(deployment), "deployment"},
    {5, ITEM_TEXT, OF(entity), "entity_id"},
    {6, ITEM_TEXT, OF(product), "product"},
    {7, ITEM_TEXT, OF(channel), "channel"},
    {8, ITEM_TIME, OF(event_ns), "event_time"},
    {9, ITEM_TIME, OF(decision_ns), "decision_time"},
    {10, ITEM_TEXT, OF(clock_source), "clock_source"},
    {11, ITEM_I64, OF(clock_offset_ns), "clock_offset_ns"},
    {12, ITEM_I64, OF(clock_bound_ns), "clock_bound_ns"},
    {13, ITEM_TEXT, OF(caller), "caller"},
    {14, ITEM_TEXT, OF(caller_authenticated_by), "caller_authenticated_by"},
    {15, ITEM_MODEL, OF(model), "model"},
    {16, ITEM_DIGEST, OF(signature_digest), "signature_digest"},
    {17, ITEM_DIGEST, OF(preprocessing_digest), "preprocessing_digest"},
    {18, ITEM_TEXT, OF(policy_version), "policy_version"},
    {19, ITEM_DIGEST, OF(policy_digest), "policy_digest"},
    {20, ITEM_DIGEST, OF(plan_digest), "plan_digest"},
    {21, ITEM_FEATURES, 0, "features"},
    {22, ITEM_F64, OF(margin), "margin"},
    {23, ITEM_F64, OF(probability), "probability"},
    {24, ITEM_F64, OF(score), "score"},
    {25, ITEM_TEXT, OF(outcome), "outcome"},
    {26, ITEM_TEXT, OF(route), "route"},
    {27, ITEM_TEXT, OF(terms), "terms"},
    {28, ITEM_TEXT, OF(explanation_method), "explanation_method"},
    {29, ITEM_DIGEST, OF(explanation_reference), "explanation_reference"},
    {30, ITEM_F64, OF(explanation_base), "explanation_base"},
    {31, ITEM_F64, OF(explanation_residual), "explanation_residual"},
    {32, ITEM_CONTRIBUTIONS, 0, "contributions"},
    {33, ITEM_REASONS, 0, "reasons"},
    {34, ITEM_DIGEST, OF(reason_map_digest), "reason_map_digest"},
    {35, ITEM_CHALLENGERS, 0, "challengers"},
    {36, ITEM_TEXT, OF(limits), "limits"},
    {37, ITEM_TRUTH, OF(fallback), "fallback"},
    {38, ITEM_TEXT, OF(fallback_cause), "fallback_cause"},
    {39, ITEM_TEXT, OF(breaker), "breaker"},
    {40, ITEM_TRUTH, OF(governed), "governed"},
    {41, ITEM_TEXT, OF(build_id), "build_id"},
    {42, ITEM_TEXT, OF(cpu_level), "cpu_level"},
    {43, ITEM_DIGEST, OF(config_hash), "config_hash"},
    {44, ITEM_TEXT, OF(mode), "mode"},
};

static const struct shape model_shape = {model_items, AX_COUNT_OF(model_items)};
static const struct shape feature_shape = {feature_items, AX_COUNT_OF(feature_items)};
static const struct shape reason_shape = {reason_items, AX_COUNT_OF(reason_items)};
static const struct shape challenger_shape = {challenger_items, AX_COUNT_OF(challenger_items)};
static const struct shape decision_shape = {decision_items, AX_COUNT_OF(decision_items)};

static const void *
value_of(const struct item *item, const void *record)
{
    return (const char *)record + item->offset;
}

/* Whether it is written. */
static bool
is_set(const struct item *item, const void *record)
{
    static const ax_digest none;
    const struct ax_decision *decision = record;
    switch (item->kind) {
    case ITEM_TEXT:
        return ((const ax_str *)value_of(item, record))->len > 0;
    case ITEM_DIGEST:
        return memcmp(value_of(item, record), &none, sizeof none) != 0;
    case ITEM_I64:
    case ITEM_TIME:
        return *(const int64_t *)value_of(item, record) != 0;
    case ITEM_TRUTH:
        return *(const bool *)value_of(item, record);
    case ITEM_VALUE:
        return ((const struct ax_decision_feature *)record)->kind != AX_DECISION_MISSING;
    case ITEM_FEATURES:
        return decision->feature_count > 0;
    case ITEM_CONTRIBUTIONS:
        return decision->contributions && decision->contribution_count > 0;
    case ITEM_REASONS:
        return decision->reason_count > 0;
    case ITEM_CHALLENGERS:
        return decision->challenger_count > 0;
    case ITEM_VERSION:
    case ITEM_F64:
    case ITEM_MODEL:
        break;
    }
    return true;
}

/* The array behind an item: its shape, where it begins, how many there are. */
struct list {
    struct shape shape;
    const char *items;
    size_t count, item_bytes;
};

static struct list
list_of(const struct item *item, const struct ax_decision *decision)
{
    if (item->kind == ITEM_FEATURES)
        return (struct list){feature_shape, (const char *)decision->features,
                             decision->feature_count, sizeof *decision->features};
    if (item->kind == ITEM_REASONS)
        return (struct list){reason_shape, (const char *)decision->reasons, decision->reason_count,
                             sizeof *decision->reasons};
    return (struct list){challenger_shape, (const char *)decision->challengers,
                         decision->challenger_count, sizeof *decision->challengers};
}

/* ---- writing ---- */

/* CBOR here has one NaN only; another one is kept as its bits. */
static bool
is_odd_nan(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return isnan(number) && bits != UINT64_C(0x7ff8000000000000);
}

static void
put_number(double number, struct ax_writer *out)
{
    if (!is_odd_nan(number)) {
        ax_cbor_put_f64(out, number);
        return;
    }
    uint64_t bits;
    char bytes[BITS_BYTES];
    memcpy(&bits, &number, sizeof bits);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(unsigned char)(bits >> (56 - 8 * i));
    ax_cbor_put_bytes(out, (ax_str){bytes, sizeof bytes});
}

static void put_shape(struct shape shape, const void *record, struct ax_writer *out);

static void
put_list(struct list list, struct ax_writer *out)
{
    ax_cbor_put_array(out, list.count);
    for (size_t i = 0; i < list.count; i++)
        put_shape(list.shape, list.items + i * list.item_bytes, out);
}

static void
put_contributions(const struct ax_decision *decision, struct ax_writer *out)
{
    ax_cbor_put_array(out, decision->contribution_count);
    for (size_t i = 0; i < decision->contribution_count; i++)
        put_number(decision->contributions[i], out);
}

static void
put_feature_value(const struct ax_decision_feature *feature, struct ax_writer *out)
{
    if (feature->kind == AX_DECISION_NUMBER)
        put_number(feature->number, out);
    else
        ax_cbor_put_text(out, feature->text);
}

static void
put_item(const struct item *item, const void *record, struct ax_writer *out)
{
    const void *value = value_of(item, record);
    switch (item->kind) {
    case ITEM_VERSION:
        ax_cbor_put_u64(out, RECORD_VERSION);
        break;
    case ITEM_TEXT:
        ax_cbor_put_text(out, *(const ax_str *)value);
        break;
    case ITEM_DIGEST:
        ax_cbor_put_bytes(out, (ax_str){value, sizeof(ax_digest)});
        break;
    case ITEM_I64:
    case ITEM_TIME:
        ax_cbor_put_i64(out, *(const int64_t *)value);
        break;
    case ITEM_F64:
        put_number(*(const double *)value, out);
        break;
    case ITEM_TRUTH:
        ax_cbor_put_bool(out, *(const bool *)value);
        break;
    case ITEM_MODEL:
        put_shape(model_shape, value, out);
        break;
    case ITEM_VALUE:
        put_feature_value(record, out);
        break;
    case ITEM_CONTRIBUTIONS:
        put_contributions(record, out);
        break;
    case ITEM_FEATURES:
    case ITEM_REASONS:
    case ITEM_CHALLENGERS:
        put_list(list_of(item, record), out);
        break;
    }
}

/* Three maps deep at most: a decision, a challenger, its model. */
static void
put_shape(struct shape shape, const void *record, struct ax_writer *out)
{
    uint64_t count = 0;
    for (size_t i = 0; i < shape.count; i++)
        count += is_set(&shape.items[i], record);
    ax_cbor_put_map(out, count);
    for (size_t i = 0; i < shape.count; i++) {
        if (!is_set(&shape.items[i], record))
            continue;
        ax_cbor_put_u64(out, shape.items[i].number);
        put_item(&shape.items[i], record, out);
    }
}

void
ax_decision_write(const struct ax_decision *decision, struct ax_writer *out)
{
    put_shape(decision_shape, decision, out);
}

/* ---- reading ---- */

struct reading {
    struct ax_ctx *ctx;
    struct ax_reader reader;
    uint64_t version;
    ax_status status;  /* LIMIT when memory was short */
    const char *wrong; /* the first item that breaks its rule */
};

static void
refuse(struct reading *reading, const struct item *item)
{
    if (!reading->wrong)
        reading->wrong = item->name;
    ax_reader_refuse(&reading->reader);
}

static bool
bits_of(ax_str bytes, double *out_number)
{
    struct ax_reader reader = ax_reader_of(bytes);
    uint64_t bits = ax_reader_u64_be(&reader);
    memcpy(out_number, &bits, sizeof bits);
    return bytes.len == BITS_BYTES && is_odd_nan(*out_number);
}

static void
take_number(struct reading *reading, const struct item *item, double *out_number)
{
    struct ax_cbor_item next = ax_cbor_next(&reading->reader);
    if (next.kind == AX_CBOR_F64)
        *out_number = next.f64;
    else if (next.kind != AX_CBOR_BYTES || !bits_of(next.bytes, out_number))
        refuse(reading, item);
}

static void
take_i64(struct reading *reading, const struct item *item, int64_t *out_value)
{
    struct ax_cbor_item next = ax_cbor_next(&reading->reader);
    bool negative = next.kind == AX_CBOR_NEGATIVE;
    if ((next.kind != AX_CBOR_UNSIGNED && !negative) || next.u64 > (uint64_t)INT64_MAX)
        refuse(reading, item);
    else
        *out_value = negative ? -1 - (int64_t)next.u64 : (int64_t)next.u64;
}

static void
take_feature_value(struct reading *reading, const struct item *item,
                   struct ax_decision_feature *feature)
{
    struct ax_cbor_item next = ax_cbor_next(&reading->reader);
    feature->kind = AX_DECISION_NUMBER;
    if (next.kind == AX_CBOR_TEXT) {
        feature->kind = AX_DECISION_TEXT;
        feature->text = next.bytes;
    } else if (next.kind == AX_CBOR_F64) {
        feature->number = next.f64;
    } else if (next.kind != AX_CBOR_BYTES || !bits_of(next.bytes, &feature->number)) {
        refuse(reading, item);
    }
}

/* The head of an array, and memory for its items; NULL when there is nothing to read. */
static void *
take_array(struct reading *reading, const struct item *item, size_t item_bytes, size_t *out_count)
{
    struct ax_cbor_item next = ax_cbor_next(&reading->reader);
    *out_count = 0;
    if (next.kind != AX_CBOR_ARRAY || next.u64 > AX_DECISION_ITEMS_MAX) {
        refuse(reading, item);
        return NULL;
    }
    void *items = ax_arena_alloc(reading->ctx->arena, item_bytes, (size_t)next.u64 + 1);
    if (!items) {
        reading->status = AX_LIMIT;
        refuse(reading, item);
        return NULL;
    }
    *out_count = (size_t)next.u64;
    return items;
}

static void take_shape(struct reading *reading, struct shape shape, const struct item *whole,
                       void *record);

static void
take_contributions(struct reading *reading, const struct item *item, struct ax_decision *decision)
{
    size_t count;
    double *numbers = take_array(reading, item, sizeof *numbers, &count);
    for (size_t i = 0; i < count; i++)
        take_number(reading, item, &numbers[i]);
    decision->contributions = numbers;
    decision->contribution_count = count;
}

static void
take_list(struct reading *reading, const struct item *item, struct ax_decision *decision)
{
    size_t count;
    struct list list = list_of(item, decision);
    char *items = take_array(reading, item, list.item_bytes, &count);
    for (size_t i = 0; i < count; i++)
        take_shape(reading, list.shape, item, items + i * list.item_bytes);
    if (item->kind == ITEM_FEATURES) {
        decision->features = (void *)items;
        decision->feature_count = count;
    } else if (item->kind == ITEM_REASONS) {
        decision->reasons = (void *)items;
        decision->reason_count = count;
    } else {
        decision->challengers = (void *)items;
        decision->challenger_count = count;
    }
}

static void
take_plain(struct reading *reading, const struct item *item, void *value)
{
    struct ax_cbor_item next = ax_cbor_next(&reading->reader);
    if (item->kind == ITEM_VERSION && next.kind == AX_CBOR_UNSIGNED)
        reading->version = next.u64;
    else if (item->kind == ITEM_TEXT && next.kind == AX_CBOR_TEXT)
        *(ax_str *)value = next.bytes;
    else if (item->kind == ITEM_TRUTH && next.kind == AX_CBOR_BOOL)
        *(bool *)value = next.truth;
    else if (item->kind == ITEM_DIGEST && next.kind == AX_CBOR_BYTES &&
             next.bytes.len == sizeof(ax_digest))
        memcpy(value, next.bytes.at, sizeof(ax_digest));
    else
        refuse(reading, item);
}

static void
take_item(struct reading *reading, const struct item *item, void *record)
{
    void *value = (char *)record + item->offset;
    switch (item->kind) {
    case ITEM_VERSION:
    case ITEM_TEXT:
    case ITEM_DIGEST:
    case ITEM_TRUTH:
        take_plain(reading, item, value);
        break;
    case ITEM_I64:
    case ITEM_TIME:
        take_i64(reading, item, value);
        break;
    case ITEM_F64:
        take_number(reading, item, value);
        break;
    case ITEM_MODEL:
        take_shape(reading, model_shape, item, value);
        break;
    case ITEM_VALUE:
        take_feature_value(reading, item, record);
        break;
    case ITEM_CONTRIBUTIONS:
        take_contributions(reading, item, record);
        break;
    case ITEM_FEATURES:
    case ITEM_REASONS:
    case ITEM_CHALLENGERS:
        take_list(reading, item, record);
        break;
    }
}

/* whole: the item that this map is the value of, for words. */
static void
take_shape(struct reading *reading, struct shape shape, const struct item *whole, void *record)
{
    struct ax_cbor_item map = ax_cbor_next(&reading->reader);
    if (map.kind != AX_CBOR_MAP)
        refuse(reading, whole);
    for (uint64_t i = 0; map.kind == AX_CBOR_MAP && i < map.u64; i++) {
        struct ax_cbor_item key = ax_cbor_next(&reading->reader);
        if (reading->reader.status != AX_OK)
            break;
        const struct item *item = NULL;
        for (size_t j = 0; key.kind == AX_CBOR_UNSIGNED && j < shape.count && !item; j++)
            if (shape.items[j].number == key.u64)
                item = &shape.items[j];
        if (item)
            take_item(reading, item, record);
        else
            ax_cbor_skip(&reading->reader);
    }
}

ax_status
ax_decision_read(struct ax_ctx *ctx, ax_str payload, struct ax_decision *out_decision)
{
    struct ax_decision decision = {};
    struct reading reading = {.ctx = ctx, .reader = ax_reader_of(payload), .status = AX_OK};
    if (payload.len > AX_DECISION_BYTES_MAX || ax_cbor_check(payload) != AX_OK)
        return ax_fail(ctx, AX_INVALID,
                       "the record of a decision, %zu bytes, is not deterministic CBOR",
                       payload.len);
    take_shape(&reading, decision_shape, &decision_items[0], &decision);
    if (reading.status != AX_OK)
        return ax_fail(ctx, reading.status, "no memory for the record of a decision");
    if (reading.reader.status != AX_OK)
        return ax_fail(ctx, AX_INVALID, "`%s` in the record of a decision is not what it must be",
                       reading.wrong ? reading.wrong : "version");
    if (reading.version != RECORD_VERSION)
        return ax_fail(ctx, AX_INVALID,
                       "the record of a decision is of version %" PRIu64 ", this program reads %d",
                       reading.version, RECORD_VERSION);
    *out_decision = decision;
    return AX_OK;
}

ax_status
ax_decision_read_request(struct ax_ctx *ctx, ax_str payload, ax_str *out_deployment,
                         ax_str *out_request_id)
{
    enum { REQUEST_ID = 3, DEPLOYMENT = 4 };
    struct ax_reader reader = ax_reader_of(payload);
    struct ax_cbor_item map = ax_cbor_next(&reader);
    *out_deployment = *out_request_id = AX_STR("");
    for (uint64_t i = 0; map.kind == AX_CBOR_MAP && i < map.u64; i++) {
        struct ax_cbor_item key = ax_cbor_next(&reader);
        if (reader.status != AX_OK || key.kind != AX_CBOR_UNSIGNED || key.u64 > DEPLOYMENT)
            break; /* keys ascend */
        if (key.u64 != REQUEST_ID && key.u64 != DEPLOYMENT) {
            ax_cbor_skip(&reader);
            continue;
        }
        struct ax_cbor_item value = ax_cbor_next(&reader);
        if (value.kind == AX_CBOR_TEXT)
            *(key.u64 == REQUEST_ID ? out_request_id : out_deployment) = value.bytes;
    }
    if (map.kind != AX_CBOR_MAP || reader.status != AX_OK)
        return ax_fail(ctx, AX_INVALID, "the record of a decision is not deterministic CBOR");
    return AX_OK;
}

/* ---- its fact ---- */

void
ax_decision_describe(const struct ax_decision *decision, struct ax_event *event)
{
    event->kind = AX_EVENT_DECISION;
    event->producer = AX_STR("decision");
    event->event_ns = decision->decision_ns ? decision->decision_ns : decision->event_ns;
    event->clock_source = decision->clock_source;
    if (decision->clock_source.len > 0) {
        event->clock_offset_ns = decision->clock_offset_ns;
        event->clock_bound_ns = decision->clock_bound_ns;
    }
    event->actor = decision->caller;
    event->object = decision->id;
    event->object_hash = decision->model.digest;
    event->config_hash = decision->config_hash;
    event->build_id = decision->build_id;
}

/* ---- showing ---- */

static void
show_number(double number, struct ax_json_writer *out)
{
    if (isfinite(number))
        ax_json_put_f64(out, number);
    else
        ax_json_put_text(out, isnan(number) ? AX_STR("NaN")
                              : number > 0  ? AX_STR("Infinity")
                                            : AX_STR("-Infinity"));
}

static void show_shape(struct shape shape, const void *record, struct ax_json_writer *out);

static void
show_list(struct list list, struct ax_json_writer *out)
{
    ax_json_begin_array(out);
    for (size_t i = 0; i < list.count; i++)
        show_shape(list.shape, list.items + i * list.item_bytes, out);
    ax_json_end_array(out);
}

static void
show_contributions(const struct ax_decision *decision, struct ax_json_writer *out)
{
    ax_json_begin_array(out);
    for (size_t i = 0; i < decision->contribution_count; i++)
        show_number(decision->contributions[i], out);
    ax_json_end_array(out);
}

static void
show_feature_value(const struct ax_decision_feature *feature, struct ax_json_writer *out)
{
    if (feature->kind == AX_DECISION_NUMBER)
        show_number(feature->number, out);
    else
        ax_json_put_text(out, feature->text);
}

static void
show_item(const struct item *item, const void *record, struct ax_json_writer *out)
{
    const void *value = value_of(item, record);
    char hex[AX_DIGEST_HEX_BYTES + 1], time[AX_CLOCK_TEXT_BYTES];
    switch (item->kind) {
    case ITEM_VERSION:
        ax_json_put_u64(out, RECORD_VERSION);
        break;
    case ITEM_TEXT:
        ax_json_put_text(out, *(const ax_str *)value);
        break;
    case ITEM_DIGEST:
        ax_json_put_text(out, ax_digest_hex(*(const ax_digest *)value, hex));
        break;
    case ITEM_I64:
        ax_json_put_i64(out, *(const int64_t *)value);
        break;
    case ITEM_TIME:
        ax_json_put_text(out, ax_clock_format(*(const int64_t *)value, time));
        break;
    case ITEM_F64:
        show_number(*(const double *)value, out);
        break;
    case ITEM_TRUTH:
        ax_json_put_bool(out, *(const bool *)value);
        break;
    case ITEM_MODEL:
        show_shape(model_shape, value, out);
        break;
    case ITEM_VALUE:
        show_feature_value(record, out);
        break;
    case ITEM_CONTRIBUTIONS:
        show_contributions(record, out);
        break;
    case ITEM_FEATURES:
    case ITEM_REASONS:
    case ITEM_CHALLENGERS:
        show_list(list_of(item, record), out);
        break;
    }
}

/* What is true or not is shown either way; a missing value as null. */
static void
show_shape(struct shape shape, const void *record, struct ax_json_writer *out)
{
    ax_json_begin_object(out);
    for (size_t i = 0; i < shape.count; i++) {
        const struct item *item = &shape.items[i];
        bool set = is_set(item, record);
        if (!set && item->kind != ITEM_TRUTH && item->kind != ITEM_VALUE)
            continue;
        ax_json_key(out, item->name);
        if (!set && item->kind == ITEM_VALUE)
            ax_json_put_null(out);
        else
            show_item(item, record, out);
    }
    ax_json_end_object(out);
}

void
ax_decision_show(const struct ax_decision *decision, struct ax_json_writer *out)
{
    show_shape(decision_shape, decision, out);
}

/* ---- comparing ---- */

static bool
same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool
same_reasons(const struct ax_decision *a, const struct ax_decision *b)
{
    if (a->reason_count != b->reason_count)
        return false;
    for (size_t i = 0; i < a->reason_count; i++)
        if (!ax_str_eq(a->reasons[i].code, b->reasons[i].code))
            return false;
    return true;
}

/* The widest gap between two lists of contributions, relative to the largest of both. */
static double
contribution_gap(const struct ax_decision *a, const struct ax_decision *b)
{
    double largest = 0, widest = 0;
    if (a->contribution_count != b->contribution_count)
        return HUGE_VAL;
    for (size_t i = 0; i < a->contribution_count; i++) {
        double x = a->contributions[i], y = b->contributions[i];
        if (same_bits(x, y) && !isfinite(x))
            continue;
        if (!isfinite(x) || !isfinite(y))
            return HUGE_VAL;
        largest = fmax(largest, fmax(fabs(x), fabs(y)));
        widest = fmax(widest, fabs(x - y));
    }
    return largest > 0 ? widest / largest : 0;
}

struct ax_decision_difference
ax_decision_compare(const struct ax_decision *recorded, const struct ax_decision *again)
{
    struct ax_decision_difference difference = {
        .margin_same = same_bits(recorded->margin, again->margin),
        .probability_same = same_bits(recorded->probability, again->probability),
        .score_same = same_bits(recorded->score, again->score),
        .outcome_same = ax_str_eq(recorded->outcome, again->outcome),
        .reasons_same = same_reasons(recorded, again),
        .contribution_gap = contribution_gap(recorded, again),
    };
    difference.contributions_close = difference.contribution_gap <= contribution_tolerance;
    difference.same = difference.margin_same && difference.probability_same &&
                      difference.score_same && difference.outcome_same && difference.reasons_same &&
                      difference.contributions_close;
    return difference;
}
