#include "base/str.h"

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"

int
ax_str_cmp(ax_str a, ax_str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.at, b.at, shared) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
ax_str_eq_ignoring_case(ax_str a, ax_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool
ax_str_starts(ax_str str, ax_str prefix)
{
    return str.len >= prefix.len && ax_str_eq((ax_str){str.at, prefix.len}, prefix);
}

bool
ax_str_ends(ax_str str, ax_str suffix)
{
    return str.len >= suffix.len && ax_str_eq(ax_str_from(str, str.len - suffix.len), suffix);
}

size_t
ax_str_find(ax_str str, ax_str part)
{
    if (part.len == 0)
        return 0;
    if (str.len < part.len)
        return SIZE_MAX;
    const char *found = memmem(str.at, str.len, part.at, part.len);
    return found ? (size_t)(found - str.at) : SIZE_MAX;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

ax_str
ax_str_trim(ax_str str)
{
    while (str.len > 0 && is_space(str.at[str.len - 1]))
        str.len--;
    while (str.len > 0 && is_space(str.at[0])) {
        str.at++;
        str.len--;
    }
    return str;
}

bool
ax_str_cut(ax_str *rest, char separator, ax_str *out_part)
{
    if (!rest->at)
        return false;
    const char *found = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
    if (!found) {
        *out_part = *rest;
        *rest = (ax_str){};
        return true;
    }
    *out_part = (ax_str){rest->at, (size_t)(found - rest->at)};
    *rest = ax_str_from(*rest, out_part->len + 1);
    return true;
}

bool
ax_str_copy(struct ax_arena *arena, ax_str str, ax_str *out_copy)
{
    if (str.len == SIZE_MAX)
        return false;
    char *at = AX_NEW_ARRAY(arena, char, str.len + 1);
    if (!at)
        return false;
    if (str.len)
        memcpy(at, str.at, str.len);
    *out_copy = (ax_str){at, str.len};
    return true;
}

const char *
ax_str_c(struct ax_arena *arena, ax_str str)
{
    ax_str copy;
    return ax_str_copy(arena, str, &copy) ? copy.at : NULL;
}

ax_str
ax_str_printf(struct ax_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *at = len < 0 ? NULL : AX_NEW_ARRAY(arena, char, (size_t)len + 1);
    if (at)
        vsnprintf(at, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return at ? (ax_str){at, (size_t)len} : (ax_str){};
}
