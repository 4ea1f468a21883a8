#include "event/event.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/reader.h"
#include "codec/cbor.h"
#include "codec/text.h"
#include "sys/clock.h"

enum { LEAF_VERSION = 1, HEAD_BYTES_MAX = 11 };

/* ---- the fields of a leaf, by number; what has no value is left out ---- */

enum field_kind {
    FIELD_VERSION,
    FIELD_TEXT,
    FIELD_DIGEST,
    FIELD_KEY_ID,
    FIELD_U32,
    FIELD_U64,
    FIELD_TIME, /* int64_t, nanoseconds */
    FIELD_I64,
    FIELD_KIND,
    FIELD_ROLES,
    FIELD_LINKS,
    FIELD_BODY,
    FIELD_CLOCK, /* a map of its own */
    FIELD_ACTOR,
};

struct field {
    uint8_t number;
    enum field_kind kind;
    uint16_t offset;
    const char *name;
};

#define AT(member) offsetof(struct ax_event, member)

static const struct field clock_fields[] = {
    {1, FIELD_TEXT, AT(clock_source), "source"},
    {2, FIELD_I64, AT(clock_offset_ns), "offset_ns"},
    {3, FIELD_I64, AT(clock_bound_ns), "bound_ns"},
};

static const struct field actor_fields[] = {
    {1, FIELD_TEXT, AT(actor), "id"},
    {2, FIELD_ROLES, AT(actor_roles), "roles"},
    {3, FIELD_DIGEST, AT(actor_cert), "certificate"},
};

static const struct field leaf_fields[] = {
    {1, FIELD_VERSION, 0, "version"},
    {2, FIELD_KIND, AT(kind), "kind"},
    {3, FIELD_TEXT, AT(producer), "producer"},
    {4, FIELD_U64, AT(sequence), "sequence"},
    {5, FIELD_DIGEST, AT(previous), "previous"},
    {6, FIELD_TIME, AT(event_ns), "event_time"},
    {7, FIELD_TIME, AT(log_ns), "log_time"},
    {8, FIELD_CLOCK, 0, "clock"},
    {9, FIELD_ACTOR, 0, "actor"},
    {10, FIELD_TEXT, AT(object), "object"},
    {11, FIELD_DIGEST, AT(object_hash), "object_hash"},
    {12, FIELD_DIGEST, AT(payload_commit), "payload_commit"},
    {13, FIELD_DIGEST, AT(payload_ref), "payload_ref"},
    {14, FIELD_U64, AT(payload_bytes), "payload_bytes"},
    {15, FIELD_KEY_ID, AT(key_id), "key_id"},
    {16, FIELD_DIGEST, AT(config_hash), "config_hash"},
    {17, FIELD_TEXT, AT(build_id), "build_id"},
    {18, FIELD_U32, AT(retention), "retention"},
    {19, FIELD_LINKS, AT(links), "links"},
    {20, FIELD_BODY, AT(body), "body"},
};

struct fields {
    const struct field *rows;
    size_t count;
};

static const struct fields leaf_table = {leaf_fields, AX_COUNT_OF(leaf_fields)};

static struct fields
fields_inside(const struct field *field)
{
    if (field->kind == FIELD_CLOCK)
        return (struct fields){clock_fields, AX_COUNT_OF(clock_fields)};
    return (struct fields){actor_fields, AX_COUNT_OF(actor_fields)};
}

static const void *
value_of(const struct field *field, const struct ax_event *event)
{
    return (const char *)event + field->offset;
}

static void *
slot_of(const struct field *field, struct ax_event *event)
{
    return (char *)event + field->offset;
}

static ax_str
text_of(const struct field *field, const struct ax_event *event)
{
    return *(const ax_str *)value_of(field, event);
}

static bool
all_zero(const void *bytes, size_t len)
{
    static const uint8_t zeros[sizeof(ax_digest)];
    return memcmp(bytes, zeros, len) == 0;
}

/* Whether it holds anything, so that it is written. Depth 2: a leaf and the maps in it. */
static bool
is_set(const struct field *field, const struct ax_event *event)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_BODY:
        return text_of(field, event).len > 0;
    case FIELD_DIGEST:
        return !all_zero(value_of(field, event), sizeof(ax_digest));
    case FIELD_KEY_ID:
        return !all_zero(value_of(field, event), AX_EVENT_KEY_ID_BYTES);
    case FIELD_U32:
    case FIELD_KIND:
    case FIELD_ROLES:
        return *(const uint32_t *)value_of(field, event) != 0;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_TIME:
        return !all_zero(value_of(field, event), sizeof(uint64_t));
    case FIELD_LINKS:
        return event->link_count > 0;
    case FIELD_CLOCK:
        return event->clock_source.len > 0;
    case FIELD_ACTOR:
        return event->actor.len > 0 || event->actor_roles != 0 ||
               !all_zero(&event->actor_cert, sizeof event->actor_cert);
    case FIELD_VERSION:
        break;
    }
    return true;
}

/* ---- kinds ---- */

static const struct {
    uint32_t number;
    const char *word;
} kinds[] = {
#define X(name, number, word, meaning) {number, word},
    AX_EVENT_MAP(X)
#undef X
};

const char *
ax_event_kind_name(uint32_t kind)
{
    for (size_t i = 0; i < AX_COUNT_OF(kinds); i++)
        if (kinds[i].number == kind)
            return kinds[i].word;
    return "unknown";
}

bool
ax_event_kind_parse(ax_str word, uint32_t *out_kind)
{
    for (size_t i = 0; i < AX_COUNT_OF(kinds); i++) {
        if (!ax_str_eq(word, ax_str_of(kinds[i].word)))
            continue;
        *out_kind = kinds[i].number;
        return true;
    }
    return false;
}

/* ---- checking ---- */

/* A body stands one level deep in its leaf, and the depth of a leaf is bounded. */
static ax_status
check_body(struct ax_ctx *ctx, ax_str body)
{
    ax_writer_auto struct ax_writer nested = ax_writer_of(AX_EVENT_BODY_BYTES_MAX + 2);
    if (body.len == 0)
        return AX_OK;
    if (body.len > AX_EVENT_BODY_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "the body of a fact has %zu bytes, at most %d are allowed",
                       body.len, AX_EVENT_BODY_BYTES_MAX);
    ax_cbor_put_array(&nested, 1);
    ax_writer_bytes(&nested, body);
    if (nested.status != AX_OK)
        return ax_fail(ctx, nested.status, "no memory to check the body of a fact");
    if (ax_cbor_check(ax_writer_str(&nested)) != AX_OK)
        return ax_fail(ctx, AX_INVALID, "the body of a fact is not deterministic CBOR");
    return AX_OK;
}

static ax_status
check_texts(struct ax_ctx *ctx, struct fields fields, const struct ax_event *event)
{
    for (size_t i = 0; i < fields.count; i++) {
        const struct field *field = &fields.rows[i];
        if (field->kind != FIELD_TEXT)
            continue;
        ax_str text = text_of(field, event);
        if (text.len > AX_EVENT_TEXT_BYTES_MAX)
            return ax_fail(ctx, AX_INVALID, "`%s` of a fact has %zu bytes, at most %d are allowed",
                           field->name, text.len, AX_EVENT_TEXT_BYTES_MAX);
        if (!ax_utf8_ok(text))
            return ax_fail(ctx, AX_INVALID, "`%s` of a fact is not UTF-8", field->name);
    }
    return AX_OK;
}

ax_status
ax_event_check(struct ax_ctx *ctx, const struct ax_event *event)
{
    if (event->kind == 0)
        return ax_fail(ctx, AX_INVALID, "a fact has no kind");
    if (event->producer.len == 0)
        return ax_fail(ctx, AX_INVALID, "a fact has no producer");
    if (event->link_count > AX_EVENT_LINKS_MAX)
        return ax_fail(ctx, AX_INVALID, "a fact has %zu links, at most %d are allowed",
                       event->link_count, AX_EVENT_LINKS_MAX);
    bool measured = event->clock_offset_ns != 0 || event->clock_bound_ns != 0;
    if (event->clock_source.len == 0 && measured)
        return ax_fail(ctx, AX_INVALID, "a fact has a clock's offset and no clock source");
    AX_TRY(check_texts(ctx, leaf_table, event));
    AX_TRY(check_texts(ctx, (struct fields){clock_fields, AX_COUNT_OF(clock_fields)}, event));
    AX_TRY(check_texts(ctx, (struct fields){actor_fields, AX_COUNT_OF(actor_fields)}, event));
    return check_body(ctx, event->body);
}

/* ---- writing ---- */

static size_t
texts_bytes(struct fields fields, const struct ax_event *event)
{
    size_t bytes = 0;
    for (size_t i = 0; i < fields.count; i++)
        if (fields.rows[i].kind == FIELD_TEXT)
            bytes += text_of(&fields.rows[i], event).len;
    return bytes;
}

size_t
ax_event_bytes_max(const struct ax_event *event)
{
    size_t fields = AX_COUNT_OF(leaf_fields) + AX_COUNT_OF(clock_fields) +
                    AX_COUNT_OF(actor_fields) + event->link_count;
    size_t fixed = HEAD_BYTES_MAX + 6 * sizeof(ax_digest) + AX_EVENT_KEY_ID_BYTES;
    return fixed + fields * HEAD_BYTES_MAX + texts_bytes(leaf_table, event) +
           event->clock_source.len + event->actor.len + event->body.len;
}

static void
put_links(const struct ax_event *event, struct ax_writer *out)
{
    ax_cbor_put_array(out, event->link_count);
    for (size_t i = 0; i < event->link_count; i++)
        ax_cbor_put_u64(out, event->links[i]);
}

static void put_fields(struct fields fields, const struct ax_event *event, struct ax_writer *out);

static void
put_value(const struct field *field, const struct ax_event *event, struct ax_writer *out)
{
    const void *value = value_of(field, event);
    switch (field->kind) {
    case FIELD_VERSION:
        ax_cbor_put_u64(out, LEAF_VERSION);
        break;
    case FIELD_TEXT:
        ax_cbor_put_text(out, *(const ax_str *)value);
        break;
    case FIELD_DIGEST:
        ax_cbor_put_bytes(out, (ax_str){value, sizeof(ax_digest)});
        break;
    case FIELD_KEY_ID:
        ax_cbor_put_bytes(out, (ax_str){value, AX_EVENT_KEY_ID_BYTES});
        break;
    case FIELD_U32:
    case FIELD_KIND:
    case FIELD_ROLES:
        ax_cbor_put_u64(out, *(const uint32_t *)value);
        break;
    case FIELD_U64:
        ax_cbor_put_u64(out, *(const uint64_t *)value);
        break;
    case FIELD_I64:
    case FIELD_TIME:
        ax_cbor_put_i64(out, *(const int64_t *)value);
        break;
    case FIELD_LINKS:
        put_links(event, out);
        break;
    case FIELD_BODY:
        ax_writer_bytes(out, event->body);
        break;
    case FIELD_CLOCK:
    case FIELD_ACTOR:
        put_fields(fields_inside(field), event, out);
        break;
    }
}

static void
put_fields(struct fields fields, const struct ax_event *event, struct ax_writer *out)
{
    uint64_t count = 0;
    for (size_t i = 0; i < fields.count; i++)
        count += is_set(&fields.rows[i], event);
    ax_cbor_put_map(out, count);
    for (size_t i = 0; i < fields.count; i++) {
        if (!is_set(&fields.rows[i], event))
            continue;
        ax_cbor_put_u64(out, fields.rows[i].number);
        put_value(&fields.rows[i], event, out);
    }
}

void
ax_event_write(const struct ax_event *event, struct ax_writer *out)
{
    put_fields(leaf_table, event, out);
}

/* ---- reading ---- */

/* A leaf being read; wrong names the first field that breaks its rule. */
struct reading {
    struct ax_reader reader;
    struct ax_event *event;
    uint64_t version;
    const char *wrong;
};

static void
refuse(struct reading *reading, const struct field *field)
{
    if (!reading->wrong)
        reading->wrong = field->name;
    ax_reader_refuse(&reading->reader);
}

static void
take_bytes(struct reading *reading, const struct field *field, size_t len)
{
    struct ax_cbor_item item = ax_cbor_next(&reading->reader);
    if (item.kind == AX_CBOR_BYTES && item.bytes.len == len)
        memcpy(slot_of(field, reading->event), item.bytes.at, len);
    else
        refuse(reading, field);
}

static void
take_text(struct reading *reading, const struct field *field)
{
    struct ax_cbor_item item = ax_cbor_next(&reading->reader);
    if (item.kind == AX_CBOR_TEXT && item.bytes.len <= AX_EVENT_TEXT_BYTES_MAX)
        *(ax_str *)slot_of(field, reading->event) = item.bytes;
    else
        refuse(reading, field);
}

static uint64_t
take_unsigned(struct reading *reading, const struct field *field, uint64_t most)
{
    struct ax_cbor_item item = ax_cbor_next(&reading->reader);
    if (item.kind == AX_CBOR_UNSIGNED && item.u64 <= most)
        return item.u64;
    refuse(reading, field);
    return 0;
}

static void
take_signed(struct reading *reading, const struct field *field)
{
    struct ax_cbor_item item = ax_cbor_next(&reading->reader);
    bool whole = item.kind == AX_CBOR_UNSIGNED || item.kind == AX_CBOR_NEGATIVE;
    if (!whole || item.u64 > (uint64_t)INT64_MAX) {
        refuse(reading, field);
        return;
    }
    int64_t value = (int64_t)item.u64;
    *(int64_t *)slot_of(field, reading->event) = item.kind == AX_CBOR_NEGATIVE ? -1 - value : value;
}

static void
take_links(struct reading *reading, const struct field *field)
{
    struct ax_cbor_item item = ax_cbor_next(&reading->reader);
    if (item.kind != AX_CBOR_ARRAY || item.u64 > AX_EVENT_LINKS_MAX) {
        refuse(reading, field);
        return;
    }
    reading->event->link_count = (size_t)item.u64;
    for (size_t i = 0; i < reading->event->link_count; i++)
        reading->event->links[i] = take_unsigned(reading, field, UINT64_MAX);
}

static void
take_body(struct reading *reading, const struct field *field)
{
    struct ax_reader *reader = &reading->reader;
    size_t start = reader->at;
    ax_cbor_skip(reader);
    ax_str body = {reader->bytes.at + start, reader->at - start};
    if (reader->status == AX_OK && body.len <= AX_EVENT_BODY_BYTES_MAX)
        reading->event->body = body;
    else
        refuse(reading, field);
}

static void take_fields(struct reading *reading, struct fields fields, const struct field *whole);

static void
take_value(struct reading *reading, const struct field *field)
{
    void *slot = slot_of(field, reading->event);
    switch (field->kind) {
    case FIELD_VERSION:
        reading->version = take_unsigned(reading, field, UINT64_MAX);
        return;
    case FIELD_TEXT:
        take_text(reading, field);
        break;
    case FIELD_DIGEST:
        take_bytes(reading, field, sizeof(ax_digest));
        break;
    case FIELD_KEY_ID:
        take_bytes(reading, field, AX_EVENT_KEY_ID_BYTES);
        break;
    case FIELD_U32:
    case FIELD_KIND:
    case FIELD_ROLES:
        *(uint32_t *)slot = (uint32_t)take_unsigned(reading, field, UINT32_MAX);
        break;
    case FIELD_U64:
        *(uint64_t *)slot = take_unsigned(reading, field, UINT64_MAX);
        break;
    case FIELD_I64:
    case FIELD_TIME:
        take_signed(reading, field);
        break;
    case FIELD_LINKS:
        take_links(reading, field);
        break;
    case FIELD_BODY:
        take_body(reading, field);
        break;
    case FIELD_CLOCK:
    case FIELD_ACTOR:
        take_fields(reading, fields_inside(field), field);
        break;
    }
    if (!is_set(field, reading->event)) /* would be left out: a second form of one meaning */
        refuse(reading, field);
}

static const struct field *
find_field(struct fields fields, const struct ax_cbor_item *key)
{
    const struct field *rows = fields.rows;
    for (size_t i = 0; i < fields.count; i++)
        if (key->kind == AX_CBOR_UNSIGNED && key->u64 == rows[i].number)
            return &rows[i];
    return NULL;
}

/* whole: the field that holds this map; NULL for the leaf. */
static void
take_fields(struct reading *reading, struct fields fields, const struct field *whole)
{
    struct ax_cbor_item map = ax_cbor_next(&reading->reader);
    if (map.kind != AX_CBOR_MAP) {
        refuse(reading, whole ? whole : &leaf_fields[0]);
        return;
    }
    for (uint64_t i = 0; i < map.u64 && reading->reader.status == AX_OK; i++) {
        struct ax_cbor_item key = ax_cbor_next(&reading->reader);
        const struct field *field = find_field(fields, &key);
        if (field)
            take_value(reading, field);
        else
            ax_cbor_skip(&reading->reader);
    }
}

ax_status
ax_event_read(struct ax_ctx *ctx, ax_str leaf, struct ax_event *out_event)
{
    struct ax_event event = {};
    struct reading reading = {.reader = ax_reader_of(leaf), .event = &event};
    if (leaf.len > AX_EVENT_BYTES_MAX || ax_cbor_check(leaf) != AX_OK)
        return ax_fail(ctx, AX_INVALID, "a leaf of %zu bytes is not deterministic CBOR", leaf.len);
    take_fields(&reading, leaf_table, NULL);
    if (reading.reader.status != AX_OK)
        return ax_fail(ctx, AX_INVALID, "field `%s` of a leaf is not what it must be",
                       reading.wrong ? reading.wrong : "version");
    if (reading.version != LEAF_VERSION)
        return ax_fail(ctx, AX_INVALID, "a leaf of version %" PRIu64 ", this program reads %d",
                       reading.version, LEAF_VERSION);
    if (event.kind == 0 || event.producer.len == 0 || event.sequence == 0)
        return ax_fail(ctx, AX_INVALID, "a leaf without kind, producer or sequence");
    *out_event = event;
    return AX_OK;
}

/* ---- showing ---- */

static void
show_roles(uint32_t roles, struct ax_json_writer *out)
{
    static const char *const words[] = {
#define X(name, word) word,
        AX_ROLE_MAP(X)
#undef X
    };
    ax_json_begin_array(out);
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        if (roles >> i & 1)
            ax_json_put_text(out, ax_str_of(words[i]));
    ax_json_end_array(out);
}

static void
show_links(const struct ax_event *event, struct ax_json_writer *out)
{
    ax_json_begin_array(out);
    for (size_t i = 0; i < event->link_count; i++)
        ax_json_put_u64(out, event->links[i]);
    ax_json_end_array(out);
}

static void
show_hex(const void *bytes, size_t len, struct ax_json_writer *out)
{
    ax_writer_auto struct ax_writer hex = ax_writer_of(2 * sizeof(ax_digest));
    ax_hex_encode((ax_str){bytes, len}, &hex);
    ax_json_put_text(out, ax_writer_str(&hex));
}

static void
show_body(ax_str body, struct ax_json_writer *out)
{
    struct ax_reader reader = ax_reader_of(body);
    ax_json_put_raw(out, AX_STR("")); /* sees to the comma */
    ax_cbor_show(&reader, out->out);
}

static void show_fields(struct fields fields, const struct ax_event *event,
                        struct ax_json_writer *out);

static void
show_value(const struct field *field, const struct ax_event *event, struct ax_json_writer *out)
{
    const void *value = value_of(field, event);
    char time[AX_CLOCK_TEXT_BYTES];
    switch (field->kind) {
    case FIELD_VERSION:
        ax_json_put_u64(out, LEAF_VERSION);
        break;
    case FIELD_TEXT:
        ax_json_put_text(out, *(const ax_str *)value);
        break;
    case FIELD_DIGEST:
        show_hex(value, sizeof(ax_digest), out);
        break;
    case FIELD_KEY_ID:
        show_hex(value, AX_EVENT_KEY_ID_BYTES, out);
        break;
    case FIELD_KIND:
        ax_json_put_text(out, ax_str_of(ax_event_kind_name(event->kind)));
        break;
    case FIELD_ROLES:
        show_roles(event->actor_roles, out);
        break;
    case FIELD_U32:
        ax_json_put_u64(out, *(const uint32_t *)value);
        break;
    case FIELD_U64:
        ax_json_put_u64(out, *(const uint64_t *)value);
        break;
    case FIELD_I64:
        ax_json_put_i64(out, *(const int64_t *)value);
        break;
    case FIELD_TIME:
        ax_json_put_text(out, ax_clock_format(*(const int64_t *)value, time));
        break;
    case FIELD_LINKS:
        show_links(event, out);
        break;
    case FIELD_BODY:
        show_body(event->body, out);
        break;
    case FIELD_CLOCK:
    case FIELD_ACTOR:
        show_fields(fields_inside(field), event, out);
        break;
    }
}

static void
show_fields(struct fields fields, const struct ax_event *event, struct ax_json_writer *out)
{
    ax_json_begin_object(out);
    for (size_t i = 0; i < fields.count; i++) {
        if (!is_set(&fields.rows[i], event))
            continue;
        ax_json_key(out, fields.rows[i].name);
        show_value(&fields.rows[i], event, out);
    }
    ax_json_end_object(out);
}

void
ax_event_show(const struct ax_event *event, struct ax_json_writer *out)
{
    show_fields(leaf_table, event, out);
}
