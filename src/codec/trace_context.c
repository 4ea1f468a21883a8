#include "codec/trace_context.h"

enum {
    VERSION_BYTES = 2,
    TRACE_AT = 3,
    PARENT_AT = 36,
    FLAGS_AT = 53,
    MEMBERS_MAX = 32,
    KEY_BYTES_MAX = 256,
    TENANT_BYTES_MAX = 241,
    SYSTEM_BYTES_MAX = 14,
    VALUE_BYTES_MAX = 256,
    KNOWN_FLAGS = AX_TRACE_SAMPLED | AX_TRACE_RANDOM,
};

/* ---- traceparent ---- */

/* 0 to 15; -1 for what is no digit in lower case. */
static int
digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_hex(ax_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (digit_of(text.at[i]) < 0)
            return false;
    return true;
}

/* Hex digits that are not all zero. */
static bool
is_id(ax_str text)
{
    bool zero = true;
    for (size_t i = 0; i < text.len; i++)
        zero = zero && text.at[i] == '0';
    return !zero && is_hex(text);
}

bool
ax_trace_context_parse(ax_str traceparent, struct ax_trace_context *out)
{
    const char *at = traceparent.at;
    if (traceparent.len < AX_TRACE_PARENT_BYTES || at[TRACE_AT - 1] != '-' ||
        at[PARENT_AT - 1] != '-' || at[FLAGS_AT - 1] != '-')
        return false;
    ax_str version = {at, VERSION_BYTES}, flags = {at + FLAGS_AT, 2};
    if (!is_hex(version) || ax_str_eq(version, AX_STR("ff")) || !is_hex(flags) ||
        !is_id((ax_str){at + TRACE_AT, AX_TRACE_ID_BYTES}) ||
        !is_id((ax_str){at + PARENT_AT, AX_TRACE_SPAN_BYTES}))
        return false;
    if (traceparent.len > AX_TRACE_PARENT_BYTES && /* a later version may say more */
        (ax_str_eq(version, AX_STR("00")) || at[AX_TRACE_PARENT_BYTES] != '-'))
        return false;
    memcpy(out->trace_id, at + TRACE_AT, AX_TRACE_ID_BYTES);
    memcpy(out->parent_id, at + PARENT_AT, AX_TRACE_SPAN_BYTES);
    out->flags = (uint8_t)((unsigned)digit_of(flags.at[1]) & KNOWN_FLAGS); /* the lowest bits */
    return true;
}

void
ax_trace_context_format(const struct ax_trace_context *context, char out[AX_TRACE_PARENT_BYTES])
{
    memcpy(out, "00-", TRACE_AT);
    memcpy(out + TRACE_AT, context->trace_id, AX_TRACE_ID_BYTES);
    out[PARENT_AT - 1] = '-';
    memcpy(out + PARENT_AT, context->parent_id, AX_TRACE_SPAN_BYTES);
    out[FLAGS_AT - 1] = '-';
    out[FLAGS_AT] = '0';
    out[FLAGS_AT + 1] = (char)('0' + (context->flags & KNOWN_FLAGS));
}

void
ax_trace_context_hex(uint64_t number, char out[AX_TRACE_SPAN_BYTES])
{
    for (int i = AX_TRACE_SPAN_BYTES - 1; i >= 0; i--, number >>= 4)
        out[i] = "0123456789abcdef"[number & 15];
}

uint64_t
ax_trace_context_number(const char hex[AX_TRACE_SPAN_BYTES])
{
    uint64_t number = 0;
    for (int i = 0; i < AX_TRACE_SPAN_BYTES; i++)
        number = number << 4 | (uint64_t)(digit_of(hex[i]) & 15);
    return number;
}

/* ---- tracestate ---- */

static bool
is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A name, or one side of tenant@system. */
static bool
name_ok(ax_str name, size_t bytes_max, bool digit_first)
{
    if (name.len == 0 || name.len > bytes_max ||
        !(is_lower(name.at[0]) || (digit_first && is_digit(name.at[0]))))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_lower(name.at[i]) && !is_digit(name.at[i]) && !memchr("_-*/", name.at[i], 4))
            return false;
    return true;
}

static bool
key_ok(ax_str key)
{
    ax_str system = key, tenant;
    if (!ax_str_cut(&system, '@', &tenant) || !system.at)
        return name_ok(key, KEY_BYTES_MAX, true);
    return name_ok(tenant, TENANT_BYTES_MAX, true) && name_ok(system, SYSTEM_BYTES_MAX, false);
}

/* Printable, without comma and equals sign, not ending in a space. */
static bool
value_ok(ax_str value)
{
    if (value.len == 0 || value.len > VALUE_BYTES_MAX || value.at[value.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] < ' ' || value.at[i] > '~' || value.at[i] == ',' || value.at[i] == '=')
            return false;
    return true;
}

static ax_str
trim_blanks(ax_str text)
{
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = ax_str_from(text, 1);
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

bool
ax_trace_context_state_ok(ax_str tracestate)
{
    ax_str keys[MEMBERS_MAX], member;
    size_t count = 0;
    if (tracestate.len > AX_TRACE_STATE_BYTES_MAX)
        return false;
    while (ax_str_cut(&tracestate, ',', &member)) {
        ax_str value = trim_blanks(member), key;
        if (value.len == 0) /* empty members are allowed, and none */
            continue;
        if (count == MEMBERS_MAX || !ax_str_cut(&value, '=', &key) || !value.at || !key_ok(key) ||
            !value_ok(value))
            return false;
        for (size_t i = 0; i < count; i++)
            if (ax_str_eq(keys[i], key))
                return false;
        keys[count++] = key;
    }
    return count > 0;
}
