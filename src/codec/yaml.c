#include "codec/yaml.h"

#include <math.h>
#include <yaml.h>

#include "base/array.h"
#include "base/decimal.h"
#include "base/map.h"

enum { DEPTH_DEFAULT = 16, DEPTH_MAX = 100, BYTES_DEFAULT = 1 << 20 };

/* A mapping or sequence that is open. */
struct frame {
    bool mapping;
    bool value_next;     /* of a mapping: the key has been taken */
    struct ax_map *keys; /* of a mapping: where each stood */
};

/*
 * Events become JSON text, which becomes the tree: what the rest of the program reads is built in
 * one place.
 */
struct convert {
    struct ax_ctx *ctx;
    yaml_parser_t parser;
    struct ax_json_writer json;
    struct frame frames[DEPTH_MAX];
    size_t depth;
    size_t depth_max;
    size_t document_count;
};

static ax_status
fail_at(struct convert *convert, const yaml_mark_t *mark, const char *what)
{
    return ax_fail(convert->ctx, AX_INVALID, "YAML: line %zu, column %zu: %s", mark->line + 1,
                   mark->column + 1, what);
}

static struct frame *
top(struct convert *convert)
{
    return convert->depth ? &convert->frames[convert->depth - 1] : NULL;
}

/* ---- scalars ---- */

static bool
is_one_of(ax_str text, const char *const *words)
{
    for (; *words; words++)
        if (ax_str_eq_ignoring_case(text, ax_str_of(*words)))
            return true;
    return false;
}

static bool
is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Digits with underscores between them; behind 0x, 0o and 0b letters of hex as well. */
static bool
is_integer(ax_str text)
{
    bool radix = text.len > 2 && text.at[0] == '0' && strchr("xXoObB", text.at[1]) && text.at[1];
    bool digits = text.len > 0 && text.at[0] >= '0' && text.at[0] <= '9';
    for (size_t i = radix ? 2 : 0; digits && i < text.len; i++) {
        char c = text.at[i];
        digits = c == '_' || (radix ? is_hex(c) : c >= '0' && c <= '9');
    }
    return digits;
}

/* Digits, and what some version of YAML allows in a number: 012, 0x1f, 1_000, +1, .5, 1., 1e5. */
static bool
looks_numeric(ax_str text)
{
    static const char *const words[] = {".inf", "-.inf", "+.inf", ".nan", NULL};
    struct ax_decimal number;
    if (is_one_of(text, words) || ax_decimal_parse(text, &number))
        return true;
    size_t at = text.len && (text.at[0] == '-' || text.at[0] == '+');
    return is_integer(ax_str_from(text, at));
}

static ax_status
plain_scalar(struct convert *convert, ax_str text, const yaml_mark_t *mark)
{
    static const char *const ambiguous[] = {"yes",  "no",    "on",   "off",
                                            "true", "false", "null", NULL};
    struct ax_decimal number;
    if (ax_str_eq(text, AX_STR("true")) || ax_str_eq(text, AX_STR("false"))) {
        ax_json_put_raw(&convert->json, text);
    } else if (text.len == 0 || ax_str_eq(text, AX_STR("~")) || ax_str_eq(text, AX_STR("null"))) {
        ax_json_put_null(&convert->json);
    } else if (is_one_of(text, ambiguous)) {
        return fail_at(convert, mark,
                       "a word that YAML versions read differently: write true, false or null, or "
                       "put it in quotes");
    } else if (ax_decimal_take(text, &number) && number.text.len == text.len) {
        double value;
        if (!ax_decimal_f64(&number, &value) || isinf(value))
            return fail_at(convert, mark, "a number beyond a double");
        ax_json_put_raw(&convert->json, text);
    } else if (looks_numeric(text)) {
        return fail_at(convert, mark,
                       "a number in a form that YAML versions read differently: write it as in "
                       "JSON, or put it in quotes");
    } else {
        ax_json_put_text(&convert->json, text);
    }
    return AX_OK;
}

static ax_status
take_key(struct convert *convert, struct frame *frame, ax_str key, const yaml_event_t *event)
{
    struct ax_ctx *ctx = convert->ctx;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && ax_str_eq(key, AX_STR("<<")))
        return fail_at(convert, &event->start_mark, "merge keys are not accepted");
    const size_t *before = ax_map_find(frame->keys, key);
    if (before)
        return ax_fail(
            ctx, AX_INVALID,
            "YAML: line %zu, column %zu: the key `%.*s` is there twice, first in line %zu",
            event->start_mark.line + 1, event->start_mark.column + 1,
            key.len > 64 ? 64 : (int)key.len, key.at, *before);
    ax_str copy;
    size_t *line = AX_NEW(ctx->arena, size_t);
    if (!line || !ax_str_copy(ctx->arena, key, &copy) || !ax_map_put(frame->keys, copy, line))
        return ax_fail(ctx, AX_LIMIT, "YAML: no memory for a key");
    *line = event->start_mark.line + 1;
    ax_json_key_str(&convert->json, key);
    frame->value_next = true;
    return AX_OK;
}

static ax_status
take_scalar(struct convert *convert, const yaml_event_t *event)
{
    struct frame *frame = top(convert);
    ax_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    if (event->data.scalar.anchor)
        return fail_at(convert, &event->start_mark, "anchors are not accepted");
    if (event->data.scalar.tag)
        return fail_at(convert, &event->start_mark, "tags are not accepted");
    if (frame && frame->mapping && !frame->value_next)
        return take_key(convert, frame, text, event);
    if (frame)
        frame->value_next = false;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return plain_scalar(convert, text, &event->start_mark);
    ax_json_put_text(&convert->json, text);
    return AX_OK;
}

/* ---- containers ---- */

static ax_status
take_start(struct convert *convert, const yaml_event_t *event, bool mapping)
{
    const yaml_char_t *anchor =
        mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const yaml_char_t *tag =
        mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    struct frame *frame = top(convert);
    if (anchor)
        return fail_at(convert, &event->start_mark, "anchors are not accepted");
    if (tag)
        return fail_at(convert, &event->start_mark, "tags are not accepted");
    if (frame && frame->mapping && !frame->value_next)
        return fail_at(convert, &event->start_mark, "a key must be a scalar");
    if (frame)
        frame->value_next = false;
    if (convert->depth == convert->depth_max)
        return fail_at(convert, &event->start_mark, "nested too deep");
    frame = &convert->frames[convert->depth++];
    *frame = (struct frame){.mapping = mapping};
    if (mapping) {
        frame->keys = ax_map_new(convert->ctx->arena);
        if (!frame->keys)
            return ax_fail(convert->ctx, AX_LIMIT, "YAML: no memory for a mapping");
        ax_json_begin_object(&convert->json);
    } else {
        ax_json_begin_array(&convert->json);
    }
    return AX_OK;
}

static ax_status
take_document(struct convert *convert, const yaml_event_t *event)
{
    const yaml_tag_directive_t *tags = event->data.document_start.tag_directives.start;
    if (tags != event->data.document_start.tag_directives.end)
        return fail_at(convert, &event->start_mark, "tags are not accepted");
    if (convert->document_count++)
        return fail_at(convert, &event->start_mark, "a second document");
    return AX_OK;
}

static ax_status
take_event(struct convert *convert, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(convert, event);
    case YAML_SEQUENCE_START_EVENT:
        return take_start(convert, event, false);
    case YAML_MAPPING_START_EVENT:
        return take_start(convert, event, true);
    case YAML_SEQUENCE_END_EVENT:
        convert->depth--;
        ax_json_end_array(&convert->json);
        return AX_OK;
    case YAML_MAPPING_END_EVENT:
        convert->depth--;
        ax_json_end_object(&convert->json);
        return AX_OK;
    case YAML_DOCUMENT_START_EVENT:
        return take_document(convert, event);
    case YAML_ALIAS_EVENT:
        return fail_at(convert, &event->start_mark, "aliases are not accepted");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return AX_OK;
}

static ax_status
fail_parser(struct convert *convert)
{
    const yaml_parser_t *parser = &convert->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return ax_fail(convert->ctx, AX_LIMIT, "YAML: no memory to read it");
    if (parser->error == YAML_READER_ERROR)
        return ax_fail(convert->ctx, AX_INVALID, "YAML: %s at byte %zu", parser->problem,
                       parser->problem_offset);
    return fail_at(convert, &parser->problem_mark, parser->problem);
}

static ax_status
take_all(struct convert *convert)
{
    bool end = false;
    while (!end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&convert->parser, &event))
            return fail_parser(convert);
        end = event.type == YAML_STREAM_END_EVENT;
        ax_status status = take_event(convert, &event);
        yaml_event_delete(&event);
        AX_TRY(status);
    }
    return AX_OK;
}

ax_status
ax_yaml_parse(struct ax_ctx *ctx, ax_str text, const struct ax_yaml_limits *limits,
              const struct ax_json **out_json)
{
    int depth_max = limits && limits->depth_max > 0 ? limits->depth_max : DEPTH_DEFAULT;
    size_t bytes_max = limits && limits->bytes_max ? limits->bytes_max : BYTES_DEFAULT;
    if (text.len > bytes_max)
        return ax_fail(ctx, AX_LIMIT, "YAML: %zu bytes are more than %zu", text.len, bytes_max);
    /* Quoting and escaping make a text longer: six bytes for one at most. */
    ax_writer_auto struct ax_writer out = ax_writer_of(6 * bytes_max + 64);
    struct convert convert = {
        .ctx = ctx,
        .json = ax_json_writer_of(&out),
        .depth_max = (size_t)(depth_max < DEPTH_MAX ? depth_max : DEPTH_MAX),
    };
    if (!yaml_parser_initialize(&convert.parser))
        return ax_fail(ctx, AX_LIMIT, "YAML: no memory to read it");
    yaml_parser_set_encoding(&convert.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&convert.parser, (const unsigned char *)(text.len ? text.at : ""),
                                 text.len);
    ax_status status = take_all(&convert);
    yaml_parser_delete(&convert.parser);
    AX_TRY(status);
    if (convert.document_count == 0)
        ax_json_put_null(&convert.json);
    if (out.status != AX_OK)
        return ax_fail(ctx, out.status, "YAML: no memory for its values");
    struct ax_json_limits json = {.depth_max = depth_max};
    return ax_json_parse(ctx, ax_writer_str(&out), &json, out_json);
}
